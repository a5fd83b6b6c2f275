/* SPDX-License-Identifier: Apache-2.0 */
/* Members that find one another through an open network. Each puts the addresses at which that
 * network sees it into its table, sealed, at one of a few places that only members can compute; who
 * has lost his own ring looks there. Both is done in inputs of the open network; what was found is
 * given to the ring in an input of its own network. docs/network/meeting.md. */
#include "base/bytes.h"
#include "base/hex.h"
#include "network/members.h"
#include "node/network_internal.h"

enum {
    PLACES = 8, /* so that one with many members does not fill one key, nor shows how many */
    TTL_S = 1800,
    SAY_S = 600,      /* what is there is said again */
    SAY_LOOK_S = 60,  /* ... or when our addresses have changed */
    SAY_AGAIN_S = 30, /* ... or when that has failed */
    FIRST_S = 3,
    LOOK_S = 15, /* while we are alone; then twice as long each time */
    LOOK_MOST_S = 120,
    LOOK_CALM_S = 300, /* while we are not: another part of the ring may be there */
    VERSION = 1,
    ADDRESSES_MAX = 12,
    PLAIN_MAX = 2 + ADDRESSES_MAX * 19,
    TAKEN_EACH = 4, /* addresses of one member that are tried */
    TAG_SAY = 0xff,
    KEY_SIZE = 5 + 2 * WRN_HASH_SIZE,
};

_Static_assert(WRN_XNONCE_SIZE + PLAIN_MAX + WRN_TAG_SIZE <= WRN_MEETING_VALUE_MAX, "fits");

static struct wrn_network *through_of(const struct wrn_network *network);
static bool is_other(const struct wrn_network *open, const struct wrn_network *other);
static void poke(struct wrn_network *network);
static void derive(struct wrn_network *network);
static void say(struct wrn_network *open, struct wrn_network *other);
static size_t write_plain(struct wrn_network *open, uint8_t out[PLAIN_MAX]);
static void nonce_of(const struct wrn_network *other, wrn_span plain,
                     uint8_t ret_nonce[WRN_HASH_SIZE]);
static void look(struct wrn_network *open, struct wrn_network *other);
static size_t write_key(const struct wrn_network *other, uint8_t place, char out[KEY_SIZE]);
static void take(struct wrn_network *other, wrn_mono now, wrn_span record);
static void take_plain(struct wrn_network *other, wrn_mono now, wrn_id id, wrn_span plain);
static void give(struct wrn_network *network);

void wrn_meet_init(struct wrn_network *network, const struct wrn_state *state) {
    struct wrn_meet *meet = &network->meet;
    meet->say_due = meet->look_due = WRN_MONO_NEVER;
    meet->is_set = state->has_meeting;
    memcpy(meet->through, state->meeting, sizeof(meet->through));
    derive(network);
}

void wrn_meet_fill(const struct wrn_network *network, struct wrn_state *state) {
    state->has_meeting = network->meet.is_set;
    memcpy(state->meeting, network->meet.through, sizeof(state->meeting));
}

enum wrn_reason wrn_node_meet(struct wrn_node *node, struct wrn_now now, wrn_handle handle,
                              wrn_handle through_handle, struct wrn_node_out *out) {
    struct wrn_network *network = wrn_node_network(node, handle);
    const struct wrn_network *through = wrn_node_network(node, through_handle);
    bool is_off = wrn_handle_equal(through_handle, WRN_HANDLE_NONE);
    if (!network || (!through && !is_off)) {
        return WRN_REASON_NOT_FOUND;
    }
    if (through == network) {
        return WRN_REASON_SELF;
    }
    if (through && !through->descriptor.is_open) {
        return WRN_REASON_RULE;
    }
    wrn_network_begin(network, now, out);
    struct wrn_meet *meet = &network->meet;
    meet->is_set = !is_off;
    meet->is_said = false;
    meet->known = meet->seen_count = 0;
    memset(meet->through, 0, sizeof(meet->through));
    if (through) {
        memcpy(meet->through, through->descriptor.id, sizeof(meet->through));
    }
    wrn_meet_on_alone(network);
    wrn_network_save(network, true);
    wrn_network_end(network);
    return WRN_REASON_NONE;
}

bool wrn_node_meeting(const struct wrn_node *node, wrn_handle handle,
                      struct wrn_node_meeting *ret_meeting) {
    const struct wrn_network *network = wrn_node_network(node, handle);
    memset(ret_meeting, 0, sizeof(*ret_meeting));
    if (!network || !network->meet.is_set) {
        return false;
    }
    const struct wrn_meet *meet = &network->meet;
    const struct wrn_network *through = through_of(network);
    memcpy(ret_meeting->through, meet->through, sizeof(ret_meeting->through));
    ret_meeting->name = through ? through->descriptor.name : NULL;
    ret_meeting->is_said = meet->is_said;
    ret_meeting->known = meet->known > meet->seen_count ? meet->known : meet->seen_count;
    return true;
}

void wrn_meet_on_alone(struct wrn_network *network) {
    struct wrn_meet *meet = &network->meet;
    if (!meet->is_set) {
        meet->say_due = meet->look_due = WRN_MONO_NEVER;
        return;
    }
    meet->looks = 0;
    meet->say_due = wrn_mono_min(meet->say_due, network->now.mono);
    meet->look_due = wrn_mono_add(network->now.mono, WRN_S(FIRST_S));
    poke(network);
}

void wrn_meet_on_time(struct wrn_network *network) {
    struct wrn_node *node = network->node;
    if (network->meet.found_count > 0) {
        give(network);
    }
    if (!network->descriptor.is_open || network->ring_state != WRN_RING_STATE_CONNECTED) {
        return;
    }
    for (uint32_t i = 0; i < WRN_NODE_NETWORKS_MAX; i++) {
        struct wrn_network *other = node->networks[i];
        if (!other || !is_other(network, other)) {
            continue;
        }
        if (wrn_mono_reached(network->now.mono, other->meet.say_due)) {
            say(network, other);
        }
        if (wrn_mono_reached(network->now.mono, other->meet.look_due)) {
            look(network, other);
        }
    }
}

wrn_mono wrn_meet_due(const struct wrn_network *network) {
    wrn_mono due = network->meet.found_count > 0 ? network->now.mono : WRN_MONO_NEVER;
    if (!network->descriptor.is_open || network->ring_state != WRN_RING_STATE_CONNECTED) {
        return due;
    }
    for (uint32_t i = 0; i < WRN_NODE_NETWORKS_MAX; i++) {
        const struct wrn_network *other = network->node->networks[i];
        if (other && is_other(network, other)) {
            due = wrn_mono_min(due, wrn_mono_min(other->meet.say_due, other->meet.look_due));
        }
    } /* what has waited for this ring is not late */
    return wrn_mono_before(due, network->now.mono) ? network->now.mono : due;
}

void wrn_meet_on_answer(struct wrn_network *network, const struct wrn_dht_answer *answer) {
    uint32_t index = answer->tag >> 8 & 0xff;
    struct wrn_network *other =
        index < WRN_NODE_NETWORKS_MAX ? network->node->networks[index] : NULL;
    if (!other || !is_other(network, other)) {
        return;
    }
    if ((answer->tag & 0xff) != TAG_SAY) {
        if (answer->record.size > 0) {
            take(other, network->now.mono, answer->record);
        }
        return;
    }
    other->meet.is_said = answer->reason == WRN_REASON_NONE;
    if (!other->meet.is_said) {
        other->meet.say_due = wrn_mono_add(network->now.mono, WRN_S(SAY_AGAIN_S));
    }
}

/* ---- who asks whom ---- */

static struct wrn_network *through_of(const struct wrn_network *network) {
    for (uint32_t i = 0; i < WRN_NODE_NETWORKS_MAX; i++) {
        struct wrn_network *open = network->node->networks[i];
        if (open && is_other(open, network)) {
            return open;
        }
    }
    return NULL;
}

static bool is_other(const struct wrn_network *open, const struct wrn_network *other) {
    return other != open && other->meet.is_set && !other->is_leaving &&
           memcmp(other->meet.through, open->descriptor.id, sizeof(other->meet.through)) == 0;
}

/* The open network looks when it is next due what is due of ours. */
static void poke(struct wrn_network *network) {
    struct wrn_network *open = through_of(network);
    if (open && open->ring_state == WRN_RING_STATE_CONNECTED) {
        wrn_mono due = wrn_mono_min(network->meet.say_due, network->meet.look_due);
        open->due = wrn_mono_min(open->due, due);
    }
}

/* ---- what is said ---- */

/* From what every member has had with its invitation, and nobody else was ever sent. */
static void derive(struct wrn_network *network) {
    static const char label[] = "warren meeting 1";
    const struct wrn_primitives *primitives = network->node->options.primitives;
    uint8_t secret[WRN_NONCE_SIZE + WRN_SIGNATURE_SIZE], base[WRN_HASH_SIZE];
    memcpy(secret, network->descriptor.nonce, WRN_NONCE_SIZE);
    memcpy(secret + WRN_NONCE_SIZE, network->signature, WRN_SIGNATURE_SIZE);
    primitives->hash(primitives->ctx, (wrn_span){(const uint8_t *)label, sizeof(label)},
                     (wrn_span){secret, sizeof(secret)}, base);
    primitives->derive(primitives->ctx, base,
                       (wrn_span){network->descriptor.id, sizeof(network->descriptor.id)},
                       network->meet.seal_key, network->meet.place_key);
    wrn_wipe(secret, sizeof(secret));
    wrn_wipe(base, sizeof(base));
}

static void say(struct wrn_network *open, struct wrn_network *other) {
    const struct wrn_primitives *primitives = open->node->options.primitives;
    struct wrn_meet *meet = &other->meet;
    uint8_t plain[PLAIN_MAX], nonce[WRN_HASH_SIZE];
    uint8_t value[WRN_XNONCE_SIZE + PLAIN_MAX + WRN_TAG_SIZE];
    char key[KEY_SIZE];
    meet->say_due = wrn_mono_add(open->now.mono, WRN_S(SAY_LOOK_S));
    size_t size = write_plain(open, plain);
    nonce_of(other, (wrn_span){plain, size}, nonce);
    bool is_same = meet->is_said && memcmp(meet->said, nonce, sizeof(nonce)) == 0;
    if (other->standing != WRN_REASON_NONE || size == 0 ||
        (is_same && wrn_mono_since(open->now.mono, meet->said_at) < WRN_S(SAY_S))) {
        return;
    }
    memcpy(meet->said, nonce, sizeof(nonce));
    meet->said_at = open->now.mono;
    memcpy(value, nonce, WRN_XNONCE_SIZE);
    primitives->seal(primitives->ctx, meet->seal_key, value,
                     (wrn_span){open->node->public_key, WRN_SIGN_PUBLIC_SIZE}, plain, size,
                     value + WRN_XNONCE_SIZE);
    const struct wrn_claim_request request = {
        .tag = WRN_NETWORK_TAGS_MEET << 16 | other->handle.index << 8 | TAG_SAY,
        .kind = WRN_RECORD_PUT,
        .key = {(const uint8_t *)key, write_key(other, open->node->public_key[0] % PLACES, key)},
        .value = {value, WRN_XNONCE_SIZE + size + WRN_TAG_SIZE},
        .ttl_s = TTL_S,
    };
    if (wrn_network_store_with(open, &request, (wrn_span){NULL, 0}) != WRN_REASON_NONE) {
        meet->is_said = false;
        meet->say_due = wrn_mono_add(open->now.mono, WRN_S(SAY_AGAIN_S));
    }
}

/* version(1) count(1), and for each address family(1) ip(4/16) port(2): those that our locator on
 * the open ring has. 0: it has none. */
static size_t write_plain(struct wrn_network *open, uint8_t out[PLAIN_MAX]) {
    uint8_t bytes[WRN_LOCATOR_MAX];
    struct wrn_locator locator;
    size_t at = 2;
    size_t size = wrn_overlay_locator(open->overlay, open->now, bytes, sizeof(bytes));
    if (wrn_locator_parse((wrn_span){bytes, size}, open->node->options.primitives, &locator) !=
            WRN_REASON_NONE ||
        locator.endpoint_count == 0) {
        return 0;
    }
    out[0] = VERSION;
    out[1] = 0;
    for (uint8_t i = 0; i < locator.endpoint_count && out[1] < ADDRESSES_MAX; i++) {
        const struct wrn_endpoint *endpoint = &locator.endpoints[i].at;
        size_t ip_size = endpoint->ip.family == WRN_FAMILY_IPV4 ? 4 : 16;
        out[at] = (uint8_t)ip_size;
        memcpy(out + at + 1, endpoint->ip.bytes, ip_size);
        wrn_store_be16(out + at + 1 + ip_size, endpoint->port);
        at += 3 + ip_size;
        out[1]++;
    }
    return at;
}

/* The same bytes of the same host have the same one, so that saying them again renews the record;
 * others never do. */
static void nonce_of(const struct wrn_network *other, wrn_span plain,
                     uint8_t ret_nonce[WRN_HASH_SIZE]) {
    const struct wrn_primitives *primitives = other->node->options.primitives;
    uint8_t head[WRN_KEY_SIZE + WRN_SIGN_PUBLIC_SIZE];
    memcpy(head, other->meet.seal_key, WRN_KEY_SIZE);
    memcpy(head + WRN_KEY_SIZE, other->node->public_key, WRN_SIGN_PUBLIC_SIZE);
    primitives->hash(primitives->ctx, (wrn_span){head, sizeof(head)}, plain, ret_nonce);
    wrn_wipe(head, sizeof(head));
}

/* ---- what is found ---- */

static void look(struct wrn_network *open, struct wrn_network *other) {
    struct wrn_meet *meet = &other->meet;
    bool is_alone = other->ring_state == WRN_RING_STATE_ALONE;
    uint64_t wait_s = LOOK_CALM_S;
    if (is_alone) {
        wait_s = meet->looks < 4 ? (uint64_t)LOOK_S << meet->looks : LOOK_MOST_S;
        wait_s = wait_s < LOOK_MOST_S ? wait_s : LOOK_MOST_S;
        meet->looks++;
    }
    meet->look_due = wrn_mono_add(open->now.mono, WRN_S(wait_s));
    meet->known = meet->seen_count;
    meet->seen_count = 0;
    if (other->standing != WRN_REASON_NONE) {
        return;
    }
    for (uint32_t place = 0; place < PLACES; place++) {
        char key[KEY_SIZE];
        size_t size = write_key(other, (uint8_t)place, key);
        (void)wrn_network_get(open, WRN_NETWORK_TAGS_MEET << 16 | other->handle.index << 8 | place,
                              (wrn_span){(const uint8_t *)key, size});
    }
}

/* meet/ and 64 digits, which are others in each open network. */
static size_t write_key(const struct wrn_network *other, uint8_t place, char out[KEY_SIZE]) {
    static const char family[5] = {'m', 'e', 'e', 't', '/'};
    const struct wrn_primitives *primitives = other->node->options.primitives;
    uint8_t second[WRN_NETWORK_ID_SIZE + 1], hash[WRN_HASH_SIZE];
    memcpy(second, other->meet.through, WRN_NETWORK_ID_SIZE);
    second[WRN_NETWORK_ID_SIZE] = place;
    primitives->hash(primitives->ctx, (wrn_span){other->meet.place_key, WRN_KEY_SIZE},
                     (wrn_span){second, sizeof(second)}, hash);
    memcpy(out, family, sizeof(family));
    wrn_hex_write(hash, sizeof(hash), out + sizeof(family));
    return KEY_SIZE;
}

/* The ring has verified who wrote it; that he knows the network is what opening it shows. */
static void take(struct wrn_network *other, wrn_mono now, wrn_span bytes) {
    const struct wrn_primitives *primitives = other->node->options.primitives;
    struct wrn_record record;
    uint8_t plain[PLAIN_MAX], hit[WRN_HIT_SIZE];
    wrn_wall until;
    if (wrn_record_read(bytes, primitives, &record) != WRN_REASON_NONE ||
        record.value.size < WRN_XNONCE_SIZE + WRN_TAG_SIZE ||
        record.value.size > WRN_XNONCE_SIZE + PLAIN_MAX + WRN_TAG_SIZE ||
        memcmp(record.owner, other->node->public_key, sizeof(record.owner)) == 0 ||
        wrn_members_admit(other->members, other->now.wall, record.owner, (wrn_span){NULL, 0},
                          &until) == WRN_REASON_EXCLUDED) {
        return;
    }
    size_t size = record.value.size - WRN_XNONCE_SIZE - WRN_TAG_SIZE;
    if (!primitives->open(primitives->ctx, other->meet.seal_key, record.value.data,
                          (wrn_span){record.owner, sizeof(record.owner)},
                          record.value.data + WRN_XNONCE_SIZE, size, plain)) {
        return;
    }
    primitives->hit(primitives->ctx, record.owner, hit);
    take_plain(other, now, wrn_id_of_hit(hit), (wrn_span){plain, size});
}

static void take_plain(struct wrn_network *other, wrn_mono now, wrn_id id, wrn_span plain) {
    struct wrn_meet *meet = &other->meet;
    size_t at = 2;
    uint32_t seen = 0;
    if (plain.size < 2 || plain.data[0] != VERSION) {
        return;
    }
    while (seen < meet->seen_count && !wrn_id_equal(meet->seen[seen], id)) {
        seen++;
    }
    if (seen == meet->seen_count && seen < WRN_MEET_FOUND_MAX) {
        meet->seen[meet->seen_count++] = id;
    }
    for (uint8_t i = 0; i < plain.data[1] && i < TAKEN_EACH; i++) {
        struct wrn_endpoint endpoint = {.port = 0};
        size_t ip_size = at < plain.size ? plain.data[at] : 0;
        if ((ip_size != 4 && ip_size != 16) || plain.size - at < 3 + ip_size) {
            return;
        }
        endpoint.ip.family = ip_size == 4 ? WRN_FAMILY_IPV4 : WRN_FAMILY_IPV6;
        memcpy(endpoint.ip.bytes, plain.data + at + 1, ip_size);
        endpoint.port = wrn_load_be16(plain.data + at + 1 + ip_size);
        at += 3 + ip_size;
        if (endpoint.port != 0 && meet->found_count < WRN_MEET_FOUND_MAX &&
            wrn_network_may_reach(other, &endpoint)) {
            meet->found[meet->found_count].id = id;
            meet->found[meet->found_count++].at = endpoint;
            other->due = wrn_mono_min(other->due, now);
        }
    }
}

/* In an input of the network itself. */
static void give(struct wrn_network *network) {
    struct wrn_meet *meet = &network->meet;
    bool is_alone = network->ring_state == WRN_RING_STATE_ALONE;
    const struct wrn_network *through = through_of(network);
    for (uint32_t i = 0; i < meet->found_count; i++) {
        wrn_id id = meet->found[i].id;
        bool is_first = i == 0 || !wrn_id_equal(id, meet->found[i - 1].id);
        if (is_alone && is_first) {
            struct wrn_node_event *event = wrn_network_event(
                network, WRN_NODE_EVENT_MET_KIND,
                "a host of %s was found through %s; it is asked to let this one in",
                network->descriptor.name, through ? through->descriptor.name : "an open network");
            wrn_id_hit(id, event->hit);
        }
        (void)wrn_overlay_found(network->overlay, network->now, id, &meet->found[i].at,
                                network->out->overlay);
    }
    meet->found_count = 0;
}
