/* SPDX-License-Identifier: Apache-2.0 */
/* Packets to addresses that no peer has. Each address is looked for once at a time: whose it is
 * (the table says so under addr/IP; a HIT is a place on the ring itself), then that host is
 * connected to, then it tells which addresses it has, and then the packets go. */
#include "node/hold.h"

#include "base/pool.h"
#include "node/gate.h"
#include "node/network_internal.h"
#include "packet/narrow.h"
#include "wg/unreachable.h"

enum {
    PLACES_MAX = 128,        /* addresses that are looked for */
    PACKET_MAX = 1536,       /* bytes; the interface lets in no more than its MTU */
    PACKETS_OF_ONE_MAX = 32, /* that wait for one address; the oldest give way */
    ABSENT_S = 3,            /* so long nobody is asked again for an address that nobody has */
    ASK_AGAIN_S = 2,         /* no certain answer came */
    ADDRESS_S = 5,           /* a peer that should have the address says so, or has not got it */
    ANSWERS_PER_S = 20,      /* ICMP errors to the host */
    ANSWERS_BURST = 40,
    NOBODY = UINT16_MAX,
};

enum step {
    STEP_FREE,
    STEP_WAITING,    /* for the ring, or to ask again */
    STEP_ASKING,     /* whose it is */
    STEP_FOUND,      /* it is known: 'id' */
    STEP_CONNECTING, /* to whose it is */
    STEP_CONNECTED,  /* waits for the peer to say that it has the address */
    STEP_ABSENT,     /* nobody has it; no packets wait */
};

struct place {
    uint8_t step;
    struct wrn_ip ip;
    wrn_id id;      /* FOUND, CONNECTING, CONNECTED: who has it */
    uint32_t tag;   /* ASKING */
    bool has_owner; /* ... 'id' is whose claim is the oldest of those that have come */
    int64_t claimed_s;
    uint8_t hash[WRN_HASH_SIZE];
    wrn_mono due;     /* of the step */
    wrn_mono give_up; /* of the packets */
    uint16_t first, last, count;
};

struct held {
    uint16_t next, size;
    uint8_t bytes[PACKET_MAX];
};

struct wrn_hold {
    struct place places[PLACES_MAX];
    struct held *packets;
    uint16_t free_first, touched, packet_count; /* packets: free ones, first never used */
    uint32_t byte_count, serial;
    uint64_t lost;
    wrn_mono due;
    uint32_t answers; /* ICMP errors that may be sent now */
    wrn_mono answers_from;
};

static bool destination_of(wrn_span packet, struct wrn_ip *ret_ip);
static bool is_ours(const struct wrn_network *network, const struct wrn_ip *ip);
static bool may_be_found(const struct wrn_network *network, const struct wrn_ip *ip);
static struct place *place_of(struct wrn_hold *hold, const struct wrn_ip *ip);
static struct place *new_place(struct wrn_hold *hold);
static void keep_narrow(struct wrn_network *network, struct place *place, wrn_span packet);
static void keep(struct wrn_network *network, struct place *place, wrn_span packet);
static struct held *pop(struct wrn_hold *hold, struct place *place);
static void drop_first(struct wrn_hold *hold, struct place *place);
static void send_all(struct wrn_network *network, struct place *place, wrn_handle peer);
static void give_up(struct wrn_network *network, struct place *place);
static void answer_host(struct wrn_network *network, const uint8_t *bytes, size_t size);
static void go_on(struct wrn_network *network, struct place *place);
static void ask(struct wrn_network *network, struct place *place);
static void take_record(const struct wrn_network *network, struct place *place, wrn_span bytes);
static void set_step(struct wrn_network *network, struct place *place, enum step step,
                     uint32_t seconds);
static void update_due(struct wrn_hold *hold);
static wrn_handle open_to(const struct wrn_network *network, const struct wrn_ip *ip);

struct wrn_hold *wrn_hold_init(struct wrn_arena *arena) {
    struct wrn_hold *hold = wrn_arena_take(arena, 1, sizeof(*hold));
    struct held *packets = wrn_arena_take(arena, WRN_NODE_HELD_PACKETS, sizeof(*packets));
    if (!hold) {
        return NULL;
    }
    hold->packets = packets;
    hold->due = WRN_MONO_NEVER;
    hold->free_first = NOBODY;
    hold->answers = ANSWERS_BURST;
    return hold;
}

uint32_t wrn_hold_count(const struct wrn_hold *hold, uint64_t *ret_lost) {
    *ret_lost = hold->lost;
    return hold->packet_count;
}

wrn_mono wrn_hold_due(const struct wrn_hold *hold) {
    return hold->due;
}

/* ---- inputs ---- */

void wrn_hold_on_packet(struct wrn_network *network, wrn_span packet) {
    struct wrn_hold *hold = network->hold;
    struct wrn_ip ip;
    if (packet.size > PACKET_MAX || !destination_of(packet, &ip) || is_ours(network, &ip)) {
        hold->lost++;
        return;
    }
    struct place *place = place_of(hold, &ip);
    if (!may_be_found(network, &ip) || (place && place->step == STEP_ABSENT)) {
        hold->lost++;
        answer_host(network, packet.data, packet.size);
        return;
    }
    place = place ? place : new_place(hold);
    if (!place) {
        hold->lost++;
        return;
    }
    if (place->step == STEP_FREE) {
        *place = (struct place){.ip = ip, .first = NOBODY, .last = NOBODY};
        place->give_up = wrn_mono_add(network->now.mono, WRN_S(WRN_NODE_HELD_S));
        set_step(network, place, STEP_WAITING, 0);
    }
    keep_narrow(network, place, packet);
    network->notes.resolved = true;
}

/* The table has verified what it hands over. */
void wrn_hold_on_answer(struct wrn_network *network, const struct wrn_dht_answer *answer) {
    struct wrn_hold *hold = network->hold;
    for (uint32_t i = 0; i < PLACES_MAX; i++) {
        struct place *place = &hold->places[i];
        if (place->step != STEP_ASKING || place->tag != answer->tag) {
            continue;
        }
        take_record(network, place, answer->record);
        if (answer->is_last && place->has_owner) {
            set_step(network, place, STEP_FOUND, 0);
        } else if (answer->is_last) {
            bool is_certain = answer->reason == WRN_REASON_NOT_FOUND;
            set_step(network, place, is_certain ? STEP_ABSENT : STEP_WAITING,
                     is_certain ? ABSENT_S : ASK_AGAIN_S);
        }
        network->notes.resolved = true;
    }
}

/* Of several that claim the address, while parts of a network meet again, the oldest claim counts.
 * An IPv6 address is its owner's if it is made of his key. */
static void take_record(const struct wrn_network *network, struct place *place, wrn_span bytes) {
    const struct wrn_primitives *primitives = network->node->options.primitives;
    struct wrn_record record, known = {.claimed_s = place->claimed_s};
    uint8_t hit[WRN_HIT_SIZE];
    char label[WRN_LABEL_SIZE];
    struct wrn_ip ip;
    memcpy(known.hash, place->hash, sizeof(known.hash));
    if (bytes.size == 0 || wrn_record_read(bytes, primitives, &record) != WRN_REASON_NONE ||
        record.kind != WRN_RECORD_CREATE || !wrn_lease_read(&record, &ip, label) ||
        !wrn_ip_equal(&ip, &place->ip) || (place->has_owner && !wrn_record_wins(&record, &known))) {
        return;
    }
    primitives->hit(primitives->ctx, record.owner, hit);
    if (ip.family == WRN_FAMILY_IPV6 &&
        !wrn_lease_is_ipv6_of(&network->descriptor.ipv6, hit, &ip)) {
        return;
    }
    place->has_owner = true;
    place->id = wrn_id_of_hit(hit);
    place->claimed_s = record.claimed_s;
    memcpy(place->hash, record.hash, sizeof(place->hash));
}

void wrn_hold_on_reached(struct wrn_network *network, wrn_id id, enum wrn_reason reason) {
    struct wrn_hold *hold = network->hold;
    for (uint32_t i = 0; i < PLACES_MAX; i++) {
        struct place *place = &hold->places[i];
        if (place->step != STEP_CONNECTING || !wrn_id_equal(place->id, id)) {
            continue;
        }
        if (reason == WRN_REASON_NONE) {
            set_step(network, place, STEP_CONNECTED, ADDRESS_S);
        } else if (reason == WRN_REASON_NOBODY_THERE || reason == WRN_REASON_NOT_ADMITTED ||
                   reason == WRN_REASON_EXCLUDED || reason == WRN_REASON_EXPIRED) {
            set_step(network, place, STEP_ABSENT, ABSENT_S);
        } else {
            set_step(network, place, STEP_WAITING, ASK_AGAIN_S);
        }
        network->notes.resolved = true;
    }
}

void wrn_hold_go_on(struct wrn_network *network) {
    for (uint32_t i = 0; i < PLACES_MAX; i++) {
        go_on(network, &network->hold->places[i]);
    }
    update_due(network->hold);
}

void wrn_hold_on_time(struct wrn_network *network) {
    if (wrn_mono_reached(network->now.mono, network->hold->due)) {
        wrn_hold_go_on(network);
    }
}

/* ---- one address ---- */

/* Does what can be done for it now. */
static void go_on(struct wrn_network *network, struct place *place) {
    wrn_mono now = network->now.mono;
    if (place->step == STEP_FREE) {
        return;
    }
    if (place->step == STEP_ABSENT) {
        give_up(network, place);
        if (wrn_mono_reached(now, place->due)) {
            place->step = STEP_FREE;
        }
        return;
    }
    wrn_handle peer = open_to(network, &place->ip);
    if (peer.generation != 0) {
        send_all(network, place, peer);
        place->step = STEP_FREE;
        return;
    }
    if (wrn_mono_reached(now, place->give_up)) {
        give_up(network, place);
        place->step = STEP_FREE;
        return;
    }
    if ((place->step == STEP_CONNECTED || place->step == STEP_ASKING ||
         place->step == STEP_CONNECTING) &&
        wrn_mono_reached(now, place->due)) {
        set_step(network, place, STEP_WAITING, 0); /* it is somebody else's by now, maybe */
    }
    if (place->step == STEP_WAITING && wrn_mono_reached(now, place->due)) {
        if (wrn_network_is_on_ring(network)) {
            ask(network, place);
        } else {
            set_step(network, place, STEP_WAITING, 1);
        }
    }
    if (place->step == STEP_FOUND) {
        set_step(network, place, STEP_CONNECTING, WRN_NODE_HELD_S);
        wrn_network_connect(network, place->id);
    }
}

/* Asks whose the address is. */
static void ask(struct wrn_network *network, struct place *place) {
    struct wrn_hold *hold = network->hold;
    char key[WRN_RECORD_KEY_MAX];
    if (wrn_network_is_hit(&place->ip)) {
        place->id = wrn_id_of_hit(place->ip.bytes);
        set_step(network, place, STEP_FOUND, 0);
        return;
    }
    size_t size = wrn_lease_key(&place->ip, key);
    hold->serial = (hold->serial + 1) % UINT16_MAX;
    place->tag = (uint32_t)WRN_NETWORK_TAGS_HOLD << 16 | (hold->serial + 1);
    place->has_owner = false;
    set_step(network, place, STEP_ASKING, WRN_NODE_HELD_S);
    if (wrn_network_get(network, place->tag, (wrn_span){(const uint8_t *)key, size}) !=
        WRN_REASON_NONE) {
        set_step(network, place, STEP_WAITING, ASK_AGAIN_S);
    }
}

static void set_step(struct wrn_network *network, struct place *place, enum step step,
                     uint32_t seconds) {
    place->step = (uint8_t)step;
    place->due = wrn_mono_add(network->now.mono, WRN_S(seconds));
}

/* Who has the address and may be sent to; NONE. */
static wrn_handle open_to(const struct wrn_network *network, const struct wrn_ip *ip) {
    const struct wrn_network_peer *peer = wrn_network_peer_at(network, ip);
    bool is_open = peer && wrn_gate_pair(network->gate, peer->wg) != NULL;
    return is_open ? peer->wg : WRN_HANDLE_NONE;
}

static void update_due(struct wrn_hold *hold) {
    hold->due = WRN_MONO_NEVER;
    for (uint32_t i = 0; i < PLACES_MAX; i++) {
        const struct place *place = &hold->places[i];
        if (place->step != STEP_FREE) {
            hold->due = wrn_mono_min(hold->due, place->due);
        }
        if (place->step != STEP_FREE && place->step != STEP_ABSENT) { /* no packets wait there */
            hold->due = wrn_mono_min(hold->due, place->give_up);
        }
    }
}

/* ---- packets ---- */

/* What no path may take, and may be fragmented, is. */
static void keep_narrow(struct wrn_network *network, struct place *place, wrn_span packet) {
    uint8_t fragment[WRN_WG_RELAYED_PACKET_MAX];
    struct wrn_narrow_plan plan;
    if (packet.size <= WRN_WG_RELAYED_PACKET_MAX ||
        !wrn_narrow_plan(packet.data, packet.size, WRN_WG_RELAYED_PACKET_MAX, &plan)) {
        keep(network, place, packet);
        return;
    }
    for (uint32_t i = 0; i < plan.count; i++) {
        size_t size = wrn_narrow_write(&plan, i, fragment);
        keep(network, place, (wrn_span){fragment, size});
    }
}

static void keep(struct wrn_network *network, struct place *place, wrn_span packet) {
    struct wrn_hold *hold = network->hold;
    if (place->count == PACKETS_OF_ONE_MAX) {
        drop_first(hold, place);
    }
    uint16_t index = hold->free_first != NOBODY ? hold->free_first : hold->touched;
    if (index == WRN_NODE_HELD_PACKETS || hold->byte_count + packet.size > WRN_NODE_HELD_BYTES) {
        hold->lost++;
        return;
    }
    struct held *held = &hold->packets[index];
    if (index == hold->free_first) {
        hold->free_first = held->next;
    } else {
        hold->touched++;
    }
    memcpy(held->bytes, packet.data, packet.size);
    held->size = (uint16_t)packet.size;
    held->next = NOBODY;
    if (place->count == 0) {
        place->first = index;
    } else {
        hold->packets[place->last].next = index;
    }
    place->last = index;
    place->count++;
    hold->packet_count++;
    hold->byte_count += (uint32_t)packet.size;
}

/* Gives the oldest packet's room back; its bytes stay until another one comes. */
static struct held *pop(struct wrn_hold *hold, struct place *place) {
    uint16_t index = place->first;
    struct held *held = &hold->packets[index];
    place->first = held->next;
    place->count--;
    held->next = hold->free_first;
    hold->free_first = index;
    hold->packet_count--;
    hold->byte_count -= held->size;
    return held;
}

static void drop_first(struct wrn_hold *hold, struct place *place) {
    (void)pop(hold, place);
    hold->lost++;
}

/* To the machine, where they may have to wait for more: what lanes have for this peer from now on
 * comes behind them. */
static void send_all(struct wrn_network *network, struct place *place, wrn_handle peer) {
    while (place->count > 0) {
        const struct held *held = pop(network->hold, place);
        wrn_wg_queue_packet(network->wg, network->now, peer, (wrn_span){held->bytes, held->size},
                            network->out->wg);
    }
}

/* Nobody can be sent to: the host is told so. */
static void give_up(struct wrn_network *network, struct place *place) {
    while (place->count > 0) {
        const struct held *held = pop(network->hold, place);
        network->hold->lost++;
        answer_host(network, held->bytes, held->size);
    }
}

static void answer_host(struct wrn_network *network, const uint8_t *packet, size_t size) {
    struct wrn_hold *hold = network->hold;
    uint8_t answer[WRN_UNREACHABLE_SIZE];
    uint64_t earned =
        wrn_mono_since(network->now.mono, hold->answers_from) / WRN_MS(1000 / ANSWERS_PER_S);
    if (earned > 0) {
        hold->answers = earned + hold->answers > ANSWERS_BURST ? ANSWERS_BURST
                                                               : hold->answers + (uint32_t)earned;
        hold->answers_from = network->now.mono;
    }
    size_t answer_size = hold->answers > 0 ? wrn_unreachable(packet, size, answer) : 0;
    if (answer_size == 0) {
        return;
    }
    wrn_span bytes = wrn_network_keep(network, (wrn_span){answer, answer_size});
    if (bytes.size > 0) {
        hold->answers--;
        wrn_network_emit(network, WRN_NODE_TO_HOST)->bytes = bytes;
    }
}

/* ---- addresses ---- */

static bool destination_of(wrn_span packet, struct wrn_ip *ret_ip) {
    enum { IPV4_HEADER = 20, IPV4_AT = 16, IPV6_HEADER = 40, IPV6_AT = 24 };
    *ret_ip = (struct wrn_ip){.family = WRN_FAMILY_NONE};
    if (packet.size >= IPV4_HEADER && packet.data[0] >> 4 == 4) {
        ret_ip->family = WRN_FAMILY_IPV4;
        memcpy(ret_ip->bytes, packet.data + IPV4_AT, 4);
    } else if (packet.size >= IPV6_HEADER && packet.data[0] >> 4 == 6) {
        ret_ip->family = WRN_FAMILY_IPV6;
        memcpy(ret_ip->bytes, packet.data + IPV6_AT, 16);
    }
    return ret_ip->family != WRN_FAMILY_NONE;
}

/* What the host sends to itself by mistake is nobody else's. */
static bool is_ours(const struct wrn_network *network, const struct wrn_ip *ip) {
    struct wrn_ip resolver = wrn_network_resolver(network);
    struct wrn_ip hit = wrn_network_ip_of_hit(network->node->hit);
    return wrn_ip_equal(ip, &network->address) || wrn_ip_equal(ip, &network->ipv6) ||
           wrn_ip_equal(ip, &hit) || wrn_ip_equal(ip, &resolver);
}

/* Tells whether an address can be somebody's in this network, so that asking is of use. */
static bool may_be_found(const struct wrn_network *network, const struct wrn_ip *ip) {
    bool is_member = network->standing == WRN_REASON_NONE && !network->is_leaving;
    return is_member && (wrn_network_is_hit(ip) || wrn_members_is_lease(network->members, ip));
}

static struct place *place_of(struct wrn_hold *hold, const struct wrn_ip *ip) {
    for (uint32_t i = 0; i < PLACES_MAX; i++) {
        struct place *place = &hold->places[i];
        if (place->step != STEP_FREE && wrn_ip_equal(&place->ip, ip)) {
            return place;
        }
    }
    return NULL;
}

/* One that is free, or of an address that nobody has; NULL. */
static struct place *new_place(struct wrn_hold *hold) {
    struct place *absent = NULL;
    for (uint32_t i = 0; i < PLACES_MAX; i++) {
        struct place *place = &hold->places[i];
        if (place->step == STEP_FREE) {
            return place;
        }
        absent = place->step == STEP_ABSENT && place->count == 0 ? place : absent;
    }
    if (absent) {
        absent->step = STEP_FREE;
    }
    return absent;
}
