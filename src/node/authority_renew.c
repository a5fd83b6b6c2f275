/* SPDX-License-Identifier: Apache-2.0 */
/* A membership that ends is renewed before it does: the member asks those who may, and who may
 * issues what the member has, no more, for as long again. */
#include "base/wire.h"
#include "node/authority_state.h"
#include "spki/tag.h"

enum {
    HASH = WRN_SHA256_SIZE,
    HEAD = 8 + 2 + WRN_SIGN_PUBLIC_SIZE + WRN_SIGNATURE_SIZE,
    REQUEST_MAX = 1 + HEAD + WRN_CREDENTIAL_MAX,
    FIRST_S = 5, /* after the start, so that peers are there */
    RETRY_MIN_S = 10,
    RETRY_MAX_S = 3600,
    RETRY_PARTS = 8, /* of what is left, between two attempts */
    ELEMENT_MAX = 640,
    TAG_ROOM = 4096,
};
static const char label[] = "warren renewal 1";

/* What an asker has, and is to have for longer. */
struct way {
    uint32_t way; /* bits of the certificates: from the owner to its membership */
    bool may_pass_on;
    bool by_invitation; /* its certificate was issued by the key of an invitation */
    int64_t from_s, until_s, life_s;
};

struct holding {
    struct wrn_certs certs;
    struct way way;
};

static void schedule(struct wrn_authority *authority);
static void ask(struct wrn_authority *authority);
static size_t write_request(struct wrn_authority *authority, uint8_t *out, size_t capacity);
static void ask_issuer(struct wrn_authority *authority, wrn_span request);
static void signed_bytes(const struct wrn_network *network, const uint8_t date[8],
                         const uint8_t use[2], wrn_span chain, uint8_t ret[HASH]);
static bool resend(struct wrn_authority *authority, const uint8_t *subject, int64_t until_s);
static void renew(struct wrn_authority *authority, const uint8_t *subject, wrn_span chain);
static bool find_holding(const struct wrn_network *network, const struct wrn_rights *rights,
                         const uint8_t *subject, wrn_span chain, struct holding *ret_holding);
static bool is_by_invitation(struct wrn_authority *authority);
static uint32_t way_of(const struct wrn_rights *rights, uint32_t grant,
                       const struct wrn_certs *certs);
static void weigh(const struct wrn_certs *certs, const uint8_t *subject, struct way *way);
static bool write_element(const struct holding *holding, const char *const *without, uint8_t *out,
                          size_t capacity, struct wrn_sexp *ret_element);
static bool intersect_way(const struct holding *holding, uint8_t rooms[2][TAG_ROOM],
                          struct wrn_sexp *ret_element);

void wrn_authority_renew_on_rights(struct wrn_authority *authority) {
    const struct wrn_network *network = authority->network;
    if (network->standing == WRN_REASON_NONE &&
        network->rights.until_s != authority->renew_until_s) {
        authority->renew_until_s = network->rights.until_s;
        authority->renew_tries = 0;
        authority->has_told_expiring = false;
    }
    authority->by_invitation = network->standing == WRN_REASON_NONE && is_by_invitation(authority);
    schedule(authority);
}

uint32_t wrn_authority_renewals(const struct wrn_authority *authority) {
    return authority->renew_tries;
}

void wrn_authority_renew_on_connected(struct wrn_authority *authority) {
    authority->renew_tries = 0;
    schedule(authority);
}

void wrn_authority_renew_on_time(struct wrn_authority *authority) {
    struct wrn_network *network = authority->network;
    if (!wrn_mono_reached(network->now.mono, authority->renew_due)) {
        return;
    }
    int64_t now_s = network->now.wall.s;
    int64_t life_s = network->rights.until_s - network->rights.not_before_s;
    int64_t left_s = network->rights.until_s - now_s;
    authority->renew_due = WRN_MONO_NEVER;
    if (network->standing != WRN_REASON_NONE || network->rights.until_s >= WRN_RECORD_TIME_MAX_S) {
        return;
    }
    if ((authority->by_invitation && network->was_connected) || left_s <= life_s - life_s / 3 * 2) {
        ask(authority);
        authority->renew_tries += authority->renew_tries < UINT32_MAX;
    }
    if (left_s <= life_s / 10 && !authority->has_told_expiring) {
        authority->has_told_expiring = true;
        struct wrn_node_event *event = wrn_network_event(
            network, WRN_NODE_EVENT_EXPIRING_KIND,
            "The membership of this node in %s ends soon, and nobody who may renew it has done so. "
            "Ask whoever invited it, or the owner, to be online, or for another invitation.",
            network->descriptor.name);
        event->until_s = network->rights.until_s;
    }
    schedule(authority);
}

/* date(8) use(2) public-key(32) signature(64) chain */
void wrn_authority_on_renew(struct wrn_authority *authority, wrn_span message) {
    struct wrn_network *network = authority->network;
    struct wrn_reader reader = wrn_reader(message);
    uint8_t hash[HASH];
    const uint8_t *date = wrn_read_span(&reader, 8).data;
    const uint8_t *use = wrn_read_span(&reader, 2).data;
    const uint8_t *subject = wrn_read_span(&reader, WRN_SIGN_PUBLIC_SIZE).data;
    const uint8_t *signature = wrn_read_span(&reader, WRN_SIGNATURE_SIZE).data;
    wrn_span chain = wrn_read_rest(&reader);
    if (reader.failed || chain.size == 0 || chain.size > WRN_CREDENTIAL_MAX ||
        network->standing != WRN_REASON_NONE || !wrn_authority_pay(authority)) {
        return;
    }
    bool may = (network->rights.flags & WRN_RIGHT_ADMIN) != 0 ||
               ((network->rights.flags & WRN_RIGHT_INVITE) != 0 &&
                network->rights.uses_high == UINT32_MAX);
    int64_t off_s = (int64_t)(wrn_load_be64(date) - (uint64_t)network->now.wall.s);
    if (!may || off_s > WRN_CLOCK_TOLERANCE_S || off_s < -WRN_CLOCK_TOLERANCE_S) {
        return;
    }
    signed_bytes(network, date, use, chain, hash);
    if (!wrn_sign_verify(subject, label, (wrn_span){hash, sizeof hash}, signature)) {
        return;
    }
    struct wrn_members_answer answer =
        wrn_members_judge(network->members, network->now.wall, subject, chain);
    if (answer.reason != WRN_REASON_NONE || (answer.rights->flags & WRN_RIGHT_MEMBER) == 0 ||
        (answer.rights->flags & WRN_RIGHT_OWNER) != 0 ||
        !wrn_authority_is_use_good(authority, subject, chain, wrn_load_be16(use)) ||
        resend(authority, subject, answer.rights->until_s)) {
        return;
    }
    renew(authority, subject, chain);
}

/* ---- asking ---- */

/* From two thirds of the life on, or at once; then again after a part of what is left, but while we
 * are here by an invitation alone, after twice as long each time. */
static void schedule(struct wrn_authority *authority) {
    const struct wrn_network *network = authority->network;
    int64_t now_s = network->now.wall.s;
    uint32_t tries = authority->renew_tries < 9 ? authority->renew_tries : 9;
    authority->renew_due = WRN_MONO_NEVER;
    if (network->standing != WRN_REASON_NONE || network->rights.until_s >= WRN_RECORD_TIME_MAX_S) {
        return;
    }
    int64_t life_s = network->rights.until_s - network->rights.not_before_s;
    int64_t from_s = network->rights.not_before_s + life_s / 3 * 2;
    int64_t wait_s = FIRST_S;
    if (now_s >= from_s && tries > 0) {
        wait_s = (network->rights.until_s - now_s) / RETRY_PARTS;
        wait_s = wait_s > RETRY_MIN_S ? wait_s : RETRY_MIN_S;
    } else if (now_s < from_s && !authority->by_invitation) {
        wait_s = from_s - now_s;
    } else if (tries > 0) {
        wait_s = (int64_t)FIRST_S << tries;
    }
    bool has_begun = now_s >= from_s || authority->by_invitation;
    wait_s = has_begun && wait_s > RETRY_MAX_S ? RETRY_MAX_S : wait_s;
    authority->renew_due = wrn_network_when(network, now_s + wait_s);
}

/* One at a time, so that not several issue the same: peers that may, one after the other, then each
 * issuer of our chain in turn, by its place on the ring. */
static void ask(struct wrn_authority *authority) {
    struct wrn_network *network = authority->network;
    uint8_t request[REQUEST_MAX];
    uint32_t cursor = 0, number = 0;
    const struct wrn_network_peer *peer;
    size_t size = write_request(authority, request, sizeof request);
    if (size == 0) {
        return;
    }
    while ((peer = wrn_network_peer_next(network, &cursor)) != NULL) {
        bool may = (peer->rights & (WRN_RIGHT_OWNER | WRN_RIGHT_ADMIN | WRN_RIGHT_INVITE)) != 0;
        if (may && number++ == authority->renew_first) {
            authority->renew_first++;
            (void)wrn_network_send(network, peer->overlay, (wrn_span){request, size});
            return;
        }
    }
    authority->renew_first = 0;
    ask_issuer(authority, (wrn_span){request, size});
}

static size_t write_request(struct wrn_authority *authority, uint8_t *out, size_t capacity) {
    const struct wrn_network *network = authority->network;
    wrn_span chain = {network->chain, network->chain_size};
    uint8_t date[8], use[2], hash[HASH], signature[WRN_SIGNATURE_SIZE];
    struct wrn_writer writer = wrn_writer(out, capacity);
    wrn_store_be64(date, (uint64_t)network->now.wall.s);
    wrn_store_be16(use, (uint16_t)network->use);
    signed_bytes(network, date, use, chain, hash);
    if (!wrn_sign(network->node->options.seed, label, (wrn_span){hash, sizeof hash}, signature)) {
        return 0;
    }
    wrn_write_u8(&writer, WRN_NETWORK_RENEW);
    wrn_write_bytes(&writer, date, sizeof date);
    wrn_write_bytes(&writer, use, sizeof use);
    wrn_write_bytes(&writer, network->node->public_key, WRN_SIGN_PUBLIC_SIZE);
    wrn_write_bytes(&writer, signature, sizeof signature);
    wrn_write_span(&writer, chain);
    return wrn_written(&writer).size;
}

/* One of them each time; keys of invitations are nobody's place. */
static void ask_issuer(struct wrn_authority *authority, wrn_span request) {
    struct wrn_network *network = authority->network;
    const struct wrn_primitives *primitives = network->node->options.primitives;
    struct wrn_pack_frame frame = wrn_descriptor_frame(&network->descriptor);
    uint8_t hit[WRN_HIT_SIZE];
    struct wrn_certs certs;
    if (!wrn_certs_read(&frame, (wrn_span){network->chain, network->chain_size}, &certs) ||
        certs.count == 0) {
        return;
    }
    uint32_t turn = authority->renew_tries % certs.count;
    const uint8_t *issuer = certs.certs[turn].issuer;
    const struct wrn_network_peer *peer = wrn_network_peer_by_key(network, issuer);
    bool is_up = peer != NULL && peer->overlay.generation != 0;
    if (!is_up && memcmp(issuer, network->node->public_key, WRN_SIGN_PUBLIC_SIZE) != 0) {
        primitives->hit(primitives->ctx, issuer, hit);
        (void)wrn_network_route(network, wrn_id_of_hit(hit), request);
    }
}

/* A hash of the network's id, the date, the use and the chain. */
static void signed_bytes(const struct wrn_network *network, const uint8_t date[8],
                         const uint8_t use[2], wrn_span chain, uint8_t ret[HASH]) {
    uint8_t head[WRN_NETWORK_ID_SIZE + 10];
    memcpy(head, network->descriptor.id, WRN_NETWORK_ID_SIZE);
    memcpy(head + WRN_NETWORK_ID_SIZE, date, 8);
    memcpy(head + WRN_NETWORK_ID_SIZE + 8, use, 2);
    wrn_sha256((wrn_span){head, sizeof head}, chain, ret);
}

/* ---- giving ---- */

/* It has been renewed, but the asker does not have it yet. */
static bool resend(struct wrn_authority *authority, const uint8_t *subject, int64_t until_s) {
    for (uint32_t i = 0; i < authority->grant_count; i++) {
        struct wrn_authority_grant *grant = &authority->grants[i];
        if (memcmp(grant->kept.subject, subject, WRN_SIGN_PUBLIC_SIZE) == 0 &&
            grant->until_s > until_s && grant->is_renewal) {
            grant->kept.is_delivered = false;
            wrn_authority_send_grants(authority, subject);
            return true;
        }
    }
    return false;
}

static void renew(struct wrn_authority *authority, const uint8_t *subject, wrn_span chain) {
    static const char *const roles[] = {"invite", "admin", "relay", "gateway", "route", NULL};
    struct wrn_network *network = authority->network;
    uint8_t element[ELEMENT_MAX + 64], renewed[WRN_CREDENTIAL_MAX], hash[HASH];
    char why[WRN_JUDGE_WHY_SIZE];
    struct holding holding;
    size_t size;
    const struct wrn_judge_question question = {
        .chain = chain,
        .public_key = subject,
        .now_s = network->now.wall.s,
        .cancelled = wrn_revoked_cancelled(network->revoked),
    };
    struct wrn_judge_verdict verdict;
    wrn_judge(network->judge, &question, &authority->rights, &verdict);
    if (verdict.reason != WRN_REASON_NONE ||
        !find_holding(network, &authority->rights, subject, chain, &holding)) {
        return;
    }
    int64_t now_s = network->now.wall.s;
    int64_t life_s = holding.way.life_s;
    if (holding.way.by_invitation) {
        life_s = life_s > WRN_MEMBERSHIP_S ? life_s : WRN_MEMBERSHIP_S;
    } else if (now_s < holding.way.from_s + life_s / 2) {
        return; /* too early: nobody needs that */
    }
    struct wrn_authority_wish wish = {
        .subject = subject,
        .may_pass_on = holding.way.may_pass_on,
        .until_s = now_s + life_s,
    };
    /* All of it, or the membership alone if we may not give the rest. */
    for (uint32_t round = 0; round < 2; round++) {
        if (!write_element(&holding, round == 0 ? NULL : roles, element, sizeof element,
                           &wish.element)) {
            continue;
        }
        wish.flags = wrn_authority_flags_of(authority, wish.element, NULL) | WRN_RIGHT_MEMBER;
        if (wrn_authority_issue(authority, &wish, renewed, sizeof renewed, &size, hash, why) ==
                WRN_REASON_NONE &&
            authority->rights.until_s > holding.way.until_s) {
            (void)wrn_authority_add_grant(authority, subject, (wrn_span){renewed, size}, chain,
                                          true);
            return;
        }
    }
}

/* The way from the owner to the membership that lasts longest. */
static bool find_holding(const struct wrn_network *network, const struct wrn_rights *rights,
                         const uint8_t *subject, wrn_span chain, struct holding *ret_holding) {
    struct wrn_pack_frame frame = wrn_descriptor_frame(&network->descriptor);
    struct holding *holding = ret_holding;
    int64_t best_s = 0;
    holding->way = (struct way){.way = 0};
    if (!wrn_certs_read(&frame, chain, &holding->certs)) {
        return false;
    }
    for (uint32_t i = 0; i < rights->grant_count; i++) {
        struct way one = {.way = 0};
        if ((rights->member_grants >> i & 1) != 0) {
            one.way = way_of(rights, i, &holding->certs);
            weigh(&holding->certs, subject, &one);
        }
        if (one.way != 0 && one.until_s < INT64_MAX && one.until_s > best_s) {
            best_s = one.until_s;
            holding->way = one;
        }
    }
    return holding->way.way != 0;
}

/* Whether the membership of ours that lasts longest is one. */
static bool is_by_invitation(struct wrn_authority *authority) {
    const struct wrn_network *network = authority->network;
    struct holding holding;
    return (network->rights.flags & WRN_RIGHT_OWNER) == 0 &&
           find_holding(network, &network->rights, network->node->public_key,
                        (wrn_span){network->chain, network->chain_size}, &holding) &&
           holding.way.by_invitation;
}

static uint32_t way_of(const struct wrn_rights *rights, uint32_t grant,
                       const struct wrn_certs *certs) {
    uint32_t way = 0;
    for (uint32_t j = 0; j < certs->count; j++) {
        for (uint32_t k = 0; k < rights->cert_count; k++) {
            bool is_it = (rights->grants[grant] >> k & 1) != 0 &&
                         memcmp(rights->certs[k].hash, certs->certs[j].hash, HASH) == 0;
            way |= is_it ? UINT32_C(1) << j : 0;
        }
    }
    return way;
}

/* From when to when, and how long it was meant to last: who came late by an invitation has what it
 * has. The invitation's own certificate lies right before that of who came by it. */
static void weigh(const struct wrn_certs *certs, const uint8_t *subject, struct way *way) {
    const uint8_t *issuer = NULL;
    way->until_s = INT64_MAX;
    for (uint32_t j = 0; j < certs->count; j++) {
        const struct wrn_cert *cert = &certs->certs[j];
        if ((way->way >> j & 1) != 0) {
            bool is_its = memcmp(cert->subject, subject, WRN_SIGN_PUBLIC_SIZE) == 0;
            issuer = is_its ? cert->issuer : issuer;
            way->may_pass_on = way->may_pass_on || (is_its && cert->may_pass_on);
            way->from_s = cert->from_s > way->from_s ? cert->from_s : way->from_s;
            way->until_s = cert->until_s < way->until_s ? cert->until_s : way->until_s;
        }
    }
    for (uint32_t j = 0; j < certs->count; j++) {
        const struct wrn_cert *cert = &certs->certs[j];
        int64_t life_s = way->until_s - cert->from_s;
        if ((way->way >> j & 1) != 0 && cert->until_s == way->until_s && life_s > way->life_s) {
            way->life_s = life_s;
        }
        bool is_issuers = (way->way >> j & 1) != 0 && issuer != NULL &&
                          memcmp(cert->subject, issuer, WRN_SIGN_PUBLIC_SIZE) == 0;
        way->by_invitation =
            way->by_invitation || (is_issuers && wrn_authority_is_invitation(cert->element));
    }
}

/* What the way gives, as one element; and what its certificates speak of and it does not give, as
 * something that gives nothing: else it would be given by silence. */
static bool write_element(const struct holding *holding, const char *const *without, uint8_t *out,
                          size_t capacity, struct wrn_sexp *ret_element) {
    static const struct {
        uint8_t topic;
        const char *name;
    } topics[] = {{WRN_RIGHTS_ADDRESSES, "address"}, {WRN_RIGHTS_NAMES, "name"},
                  {WRN_RIGHTS_PACKETS, "allow"},     {WRN_RIGHTS_RELAYING, "relay"},
                  {WRN_RIGHTS_FRAMES, "frame"},      {WRN_RIGHTS_MACS, "mac"}};
    uint8_t rooms[2][TAG_ROOM], flat[TAG_ROOM], spoken = 0;
    struct wrn_sexp element, set, part;
    struct wrn_sexp_cursor cursor;
    if (!intersect_way(holding, rooms, &element)) {
        return false;
    }
    for (uint32_t i = 0; i < holding->certs.count; i++) {
        if ((holding->way.way >> i & 1) != 0) {
            spoken |= wrn_rights_topics(holding->certs.certs[i].element);
        }
    }
    uint8_t given = wrn_rights_topics(element);
    if (!wrn_authority_write_set(NULL, element, without, flat, sizeof flat, &set)) {
        *ret_element = element; /* (*) */
        return without == NULL && given == spoken && element.bytes.size <= capacity &&
               memcpy(out, element.bytes.data, element.bytes.size) != NULL &&
               wrn_sexp_check((wrn_span){out, element.bytes.size}, ret_element, NULL) == 0;
    }
    struct wrn_sexp_writer writer = wrn_sexp_writer(out, capacity);
    wrn_sexp_open(&writer, "*");
    wrn_sexp_put_word(&writer, "set");
    (void)wrn_sexp_enter_named(set, "*", &cursor);
    (void)wrn_sexp_take_word(&cursor, "set");
    while (wrn_sexp_take_any(&cursor, &part)) {
        wrn_sexp_put(&writer, part);
    }
    for (size_t i = 0; i < WRN_COUNT(topics); i++) {
        if ((spoken & topics[i].topic) != 0 && (given & topics[i].topic) == 0) {
            wrn_sexp_open(&writer, topics[i].name);
            wrn_sexp_put_word(&writer, "-"); /* no address, no name, no protocol */
            wrn_sexp_close(&writer);
        }
    }
    wrn_sexp_close(&writer);
    return wrn_sexp_finish(&writer, ret_element) == 0 && ret_element->bytes.size <= ELEMENT_MAX;
}

static bool intersect_way(const struct holding *holding, uint8_t rooms[2][TAG_ROOM],
                          struct wrn_sexp *ret_element) {
    struct wrn_sexp element = {{(const uint8_t *)"(1:*)", 5}};
    uint32_t turn = 0;
    for (uint32_t i = 0; i < holding->certs.count; i++) {
        if ((holding->way.way >> i & 1) == 0) {
            continue;
        }
        struct wrn_sexp_writer writer = wrn_sexp_writer(rooms[turn], TAG_ROOM);
        if (wrn_tag_intersect(element, holding->certs.certs[i].element, &writer) != 1 ||
            wrn_sexp_finish(&writer, &element) != 0) {
            return false;
        }
        turn = 1 - turn;
    }
    *ret_element = element;
    return true;
}
