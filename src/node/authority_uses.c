/* SPDX-License-Identifier: Apache-2.0 */
/* Who comes by an invitation that is counted has to have one of its uses: a record that nobody else
 * can create. Our own is claimed before an address is; others' are looked up once. */
#include <stdio.h>

#include "base/hex.h"
#include "base/wire.h"
#include "node/authority_state.h"

enum {
    TTL_S = 604800, /* of the records: so long a member may be away */
    SAY_S = 3,      /* until somebody is asked which use is his; then twice as long each time */
    ASKS_MAX = 5,   /* ... who has not said it then has none: after 93 s */
    ASK_S = 20,     /* how long an answer of the table may take */
    AGAIN_S = 5,    /* until a record that was not found is looked for again; then twice as long */
    TAKEN_MAX = 3,  /* looks that found another's */
    LOOKS_MAX = 5,
    CHANGES_MAX = 8, /* of which use somebody says that he has */
    BAD_S = 600,     /* then one may try again */
    /* All are taken: so often, 337 s at least, by who has had one. What he had may be barred by a
     * record that nobody wants, until that ends (WRN_CLAIM_TRIAL_S). */
    ROUNDS = 5,
    HEX = 2 * WRN_SIGN_PUBLIC_SIZE,
};

static void begin_claim(struct wrn_authority *authority);
static bool find_own_use(struct wrn_authority *authority, struct wrn_authority_use *ret_use);
static uint32_t way_to(const struct wrn_certs *certs, uint32_t index);
static size_t candidate(void *ctx, uint32_t index, char *ret_key);
static void new_round(void *ctx);
static size_t value(void *ctx, wrn_span key, uint8_t *ret_value);
static enum wrn_reason store(void *ctx, const struct wrn_claim_request *request);
static void on_event(void *ctx, const struct wrn_claim_event *event);
static void on_held(struct wrn_authority *authority, wrn_span key);
static void on_spent(struct wrn_authority *authority);
static bool find_use(struct wrn_authority *authority, const uint8_t *subject, wrn_span chain,
                     const struct wrn_rights *rights, struct wrn_authority_use *ret_use);
static bool use_of_way(struct wrn_authority *authority, const uint8_t *subject,
                       const struct wrn_certs *certs, const struct wrn_rights *rights,
                       uint32_t grant, struct wrn_authority_use *ret_use);
static struct wrn_authority_check *find_check(struct wrn_authority *authority, const uint8_t *key);
static struct wrn_authority_check *note(struct wrn_authority *authority, const uint8_t *key,
                                        const struct wrn_authority_use *use, wrn_mono now);
static void look(struct wrn_authority *authority, struct wrn_authority_check *check);
static void on_looked(struct wrn_authority *authority, struct wrn_authority_check *check,
                      const struct wrn_dht_answer *answer);
static void on_due(struct wrn_authority *authority, struct wrn_authority_check *check);
static bool is_peer_up(const struct wrn_network *network, const uint8_t *public_key);
static void ask_use(struct wrn_authority *authority, const struct wrn_authority_check *check);
static void accept_use(struct wrn_authority *authority, struct wrn_authority_check *check);
static void refuse(struct wrn_authority *authority, struct wrn_authority_check *check);

void wrn_authority_uses_init(struct wrn_authority *authority) {
    struct wrn_network *network = authority->network;
    const struct wrn_claim_port port = {.ctx = authority,
                                        .candidate = candidate,
                                        .round = new_round,
                                        .value = value,
                                        .store = store,
                                        .event = on_event};
    wrn_claim_init(&authority->claim, &port, network->node->options.primitives,
                   network->node->options.rand, network->node->public_key,
                   WRN_NETWORK_TAGS_AUTHORITY);
    authority->has_use = network->use > 0; /* it was ours before the restart */
}

/* ---- our own ---- */

void wrn_authority_uses_on_rights(struct wrn_authority *authority) {
    struct wrn_network *network = authority->network;
    struct wrn_authority_use use;
    if (network->standing != WRN_REASON_NONE) {
        return;
    }
    authority->needs_use =
        find_use(authority, network->node->public_key,
                 (wrn_span){network->chain, network->chain_size}, &network->rights, &use);
    authority->is_counted = find_own_use(authority, &use);
    bool is_same =
        authority->is_counted && memcmp(use.key, authority->use.key, sizeof use.key) == 0;
    if (!authority->is_counted) {
        wrn_claim_stop(&authority->claim, network->now, false);
    } else if (!is_same || (authority->claim.state == WRN_CLAIM_OFF && !authority->is_spent)) {
        authority->has_use = authority->has_use && (is_same || authority->use.high == 0);
        authority->use = use;
        begin_claim(authority);
    }
}

bool wrn_authority_may_claim(const struct wrn_authority *authority) {
    return !authority->needs_use || authority->has_use;
}

bool wrn_authority_is_spent(const struct wrn_authority *authority) {
    return authority->needs_use && authority->is_spent && !authority->has_use;
}

void wrn_authority_uses_on_lost(struct wrn_authority *authority, wrn_span record, wrn_span winner,
                                enum wrn_reason reason) {
    wrn_claim_on_lost(&authority->claim, authority->network->now, record, winner, reason);
}

/* A peer is told which use is ours, once it is. */
void wrn_authority_say_use(struct wrn_authority *authority, const struct wrn_network_peer *peer) {
    struct wrn_network *network = authority->network;
    uint8_t message[3] = {WRN_NETWORK_USE};
    if (authority->is_counted && authority->has_use && network->use > 0) {
        wrn_store_be16(message + 1, (uint16_t)network->use);
        (void)wrn_network_send(network, peer->overlay, (wrn_span){message, sizeof message});
    }
}

static void begin_claim(struct wrn_authority *authority) {
    wrn_claim_stop(&authority->claim, authority->network->now, false);
    authority->is_spent = false;
    wrn_claim_start(&authority->claim, authority->network->now);
}

/* The use by which we came is kept as long as the invitation lives, also when we are a member by
 * something else meanwhile: else it would be free for somebody else. The chain that proves it is
 * that part of ours. */
static bool find_own_use(struct wrn_authority *authority, struct wrn_authority_use *ret_use) {
    const struct wrn_network *network = authority->network;
    struct wrn_pack_frame frame = wrn_descriptor_frame(&network->descriptor);
    const uint8_t *own = network->node->public_key;
    struct wrn_certs certs;
    *ret_use = (struct wrn_authority_use){.high = 0};
    if (!wrn_certs_read(&frame, (wrn_span){network->chain, network->chain_size}, &certs)) {
        return false;
    }
    for (uint32_t i = 0; i < certs.count; i++) {
        for (uint32_t j = 0; j < i; j++) {
            const struct wrn_cert *cert = &certs.certs[i], *issuers = &certs.certs[j];
            size_t size = 0;
            if (memcmp(cert->subject, own, WRN_SIGN_PUBLIC_SIZE) != 0 ||
                memcmp(issuers->subject, cert->issuer, WRN_SIGN_PUBLIC_SIZE) != 0 ||
                cert->until_s <= network->now.wall.s || !wrn_rights_is_counted(issuers->element) ||
                wrn_certs_pick(&frame, &certs, way_to(&certs, i), authority->proof,
                               sizeof authority->proof, &size) != 0) {
                continue;
            }
            authority->proof_size = (uint32_t)size;
            (void)wrn_authority_flags_of(authority, issuers->element, NULL);
            ret_use->low = authority->rights.uses_low;
            ret_use->high = authority->rights.uses_high;
            memcpy(ret_use->key, cert->issuer, sizeof ret_use->key);
            return true;
        }
    }
    return false;
}

/* A certificate, and all from which it follows: each stands behind that of its issuer. */
static uint32_t way_to(const struct wrn_certs *certs, uint32_t index) {
    uint32_t way = UINT32_C(1) << index;
    for (uint32_t i = index; i > 0; i--) {
        for (uint32_t j = i; j <= index; j++) {
            bool is_issuers =
                (way >> j & 1) != 0 && memcmp(certs->certs[i - 1].subject, certs->certs[j].issuer,
                                              WRN_SIGN_PUBLIC_SIZE) == 0;
            way |= is_issuers ? UINT32_C(1) << (i - 1) : 0;
        }
    }
    return way;
}

/* The one that was ours first, then all. */
static size_t candidate(void *ctx, uint32_t index, char *ret_key) {
    const struct wrn_authority *authority = ctx;
    uint32_t known = authority->network->use;
    bool has_known = known >= authority->use.low && known <= authority->use.high && known > 0;
    uint32_t k = authority->use.low + index;
    if (has_known) {
        k = index == 0 ? known : k - 1;
        k += index > 0 && k >= known ? 1 : 0;
    }
    return k <= authority->use.high ? wrn_authority_use_key(&authority->use, k, ret_key) : 0;
}

static void new_round(void *ctx) {
    (void)ctx;
}

static size_t value(void *ctx, wrn_span key, uint8_t *ret_value) {
    static const char bytes[] = "(3:use)";
    (void)ctx;
    (void)key;
    memcpy(ret_value, bytes, sizeof bytes - 1);
    return sizeof bytes - 1;
}

static enum wrn_reason store(void *ctx, const struct wrn_claim_request *request) {
    struct wrn_authority *authority = ctx;
    struct wrn_claim_request longer = *request;
    longer.ttl_s = request->ttl_s < WRN_CLAIM_TTL_S ? request->ttl_s : TTL_S; /* not on trial */
    return wrn_network_store_with(authority->network, &longer,
                                  (wrn_span){authority->proof, authority->proof_size});
}

static void on_event(void *ctx, const struct wrn_claim_event *event) {
    struct wrn_authority *authority = ctx;
    switch (event->kind) {
    case WRN_CLAIM_EVENT_HELD:
        on_held(authority, event->key);
        return;
    case WRN_CLAIM_EVENT_FULL:
        on_spent(authority);
        return;
    case WRN_CLAIM_EVENT_LOST: /* another one is being claimed; until all are taken nothing ends */
        authority->network->use = 0;
        wrn_network_save(authority->network, false);
        return;
    default:
        return;
    }
}

static void on_held(struct wrn_authority *authority, wrn_span key) {
    struct wrn_network *network = authority->network;
    uint32_t k = 0, cursor = 0;
    const struct wrn_network_peer *peer;
    for (size_t i = sizeof "use/" + HEX; i < key.size; i++) { /* our own key: digits */
        k = k * 10 + (uint32_t)(key.data[i] - '0');
    }
    authority->has_use = true;
    authority->is_spent = false;
    if (network->use != k) {
        network->use = k;
        wrn_network_save(network, true);
    }
    while ((peer = wrn_network_peer_next(network, &cursor)) != NULL) {
        wrn_authority_say_use(authority, peer);
    }
    wrn_network_judge_self(network);
}

static void on_spent(struct wrn_authority *authority) {
    struct wrn_network *network = authority->network;
    uint32_t uses = authority->use.high - authority->use.low + 1;
    if (authority->has_use && authority->claim.rounds < ROUNDS) {
        return;
    }
    authority->has_use = false;
    authority->is_spent = true;
    authority->stop_claim = true; /* not from within its own call */
    struct wrn_node_event *event = wrn_network_event(
        network, WRN_NODE_EVENT_INVITATION_SPENT_KIND,
        "The invitation to %s has been used up: others have all of its %u use%s. Ask for another "
        "one.",
        network->descriptor.name, (unsigned)uses, uses == 1 ? "" : "s");
    event->reason = WRN_REASON_KEY_TAKEN;
    wrn_network_judge_self(network);
}

/* ---- others' ---- */

enum wrn_reason wrn_authority_admit(struct wrn_authority *authority,
                                    const uint8_t public_key[WRN_SIGN_PUBLIC_SIZE], wrn_span chain,
                                    wrn_wall now) {
    struct wrn_network *network = authority->network;
    struct wrn_authority_use use;
    struct wrn_authority_check *check = find_check(authority, public_key);
    if (chain.size == 0) {
        return WRN_REASON_NONE;
    }
    struct wrn_members_answer answer = wrn_members_judge(network->members, now, public_key, chain);
    if (answer.reason != WRN_REASON_NONE) {
        return WRN_REASON_NONE;
    }
    bool needs = find_use(authority, public_key, chain, answer.rights, &use);
    if (needs && check == NULL) {
        (void)note(authority, public_key, &use, network->now.mono);
    } else if (!needs && check != NULL && check->state != WRN_AUTHORITY_USE_GOOD) {
        check->state = WRN_AUTHORITY_USE_GOOD; /* a member by somebody's word now */
        check->tag = 0;
        check->due = authority->checks_due = network->now.mono;
    }
    return WRN_REASON_NONE;
}

void wrn_authority_on_use(struct wrn_authority *authority, const uint8_t *public_key,
                          wrn_span message) {
    struct wrn_authority_check *check = find_check(authority, public_key);
    const struct wrn_network_peer *peer = wrn_network_peer_by_key(authority->network, public_key);
    uint32_t k = message.size == 2 ? wrn_load_be16(message.data) : 0;
    if (message.size == 2 && k == 0 && peer != NULL && peer->overlay.generation != 0) {
        wrn_authority_say_use(authority, peer);
        wrn_claim_refresh(&authority->claim, authority->network->now); /* it was not found, then */
    }
    if (check == NULL || check->state == WRN_AUTHORITY_USE_GOOD || check->k == k ||
        k < check->use.low || k > check->use.high) {
        return;
    }
    if (check->changes == CHANGES_MAX) {
        return; /* nobody changes his mind for ever */
    }
    bool is_first = check->k == 0;
    check->changes++;
    check->k = k;
    check->taken = check->looks = 0;
    if (is_first || check->state == WRN_AUTHORITY_USE_BAD) {
        check->state = WRN_AUTHORITY_USE_OPEN;
        look(authority, check);
    } /* else it is looked at when its time comes */
}

bool wrn_authority_is_use_bad(const struct wrn_authority *authority, const uint8_t *public_key) {
    const struct wrn_authority_check *check =
        find_check((struct wrn_authority *)authority, public_key);
    return check != NULL && check->state == WRN_AUTHORITY_USE_BAD;
}

bool wrn_authority_is_use_good(struct wrn_authority *authority, const uint8_t *public_key,
                               wrn_span chain, uint32_t k) {
    struct wrn_network *network = authority->network;
    struct wrn_authority_use use;
    struct wrn_members_answer answer =
        wrn_members_judge(network->members, network->now.wall, public_key, chain);
    if (answer.reason != WRN_REASON_NONE ||
        !find_use(authority, public_key, chain, answer.rights, &use)) {
        return answer.reason == WRN_REASON_NONE;
    }
    uint8_t bytes[2];
    struct wrn_authority_check *check = find_check(authority, public_key);
    if (check == NULL) {
        check = note(authority, public_key, &use, network->now.mono);
    }
    wrn_store_be16(bytes, (uint16_t)k);
    wrn_authority_on_use(authority, public_key, (wrn_span){bytes, sizeof bytes});
    return check->state == WRN_AUTHORITY_USE_GOOD;
}

void wrn_authority_uses_on_answer(struct wrn_authority *authority,
                                  const struct wrn_dht_answer *answer) {
    wrn_claim_on_answer(&authority->claim, authority->network->now, answer);
    for (uint32_t i = 0; i < WRN_AUTHORITY_CHECKS_MAX; i++) {
        struct wrn_authority_check *check = &authority->checks[i];
        if (check->tag != 0 && check->tag == answer->tag && answer->verb == WRN_DHT_GET) {
            on_looked(authority, check, answer);
        }
    }
}

void wrn_authority_uses_on_time(struct wrn_authority *authority) {
    struct wrn_network *network = authority->network;
    wrn_mono now = network->now.mono;
    wrn_claim_on_time(&authority->claim, network->now);
    if (authority->stop_claim) {
        authority->stop_claim = false;
        wrn_claim_stop(&authority->claim, network->now, false);
    }
    if (!wrn_mono_reached(now, authority->checks_due)) {
        return;
    }
    authority->checks_due = WRN_MONO_NEVER;
    for (uint32_t i = 0; i < WRN_AUTHORITY_CHECKS_MAX; i++) {
        struct wrn_authority_check *check = &authority->checks[i];
        if (check->used == 0) {
            continue;
        }
        if (wrn_mono_reached(now, check->due)) {
            check->tag = 0;
            on_due(authority, check);
        }
        authority->checks_due = wrn_mono_min(authority->checks_due, check->due);
    }
}

/* What is due of one check. */
static void on_due(struct wrn_authority *authority, struct wrn_authority_check *check) {
    bool is_up = is_peer_up(authority->network, check->public_key);
    if (check->state == WRN_AUTHORITY_USE_GOOD) {
        accept_use(authority, check);
    } else if (check->state == WRN_AUTHORITY_USE_BAD || (check->k == 0 && !is_up)) {
        *check = (struct wrn_authority_check){.used = 0}; /* from the beginning */
    } else if (check->looks >= LOOKS_MAX || (check->k == 0 && check->asks >= ASKS_MAX)) {
        refuse(authority, check);
    } else if (check->k == 0) {
        ask_use(authority, check);
        check->due = wrn_mono_add(authority->network->now.mono, WRN_S(SAY_S << check->asks++));
    } else {
        look(authority, check);
    }
}

wrn_mono wrn_authority_uses_due(const struct wrn_authority *authority) {
    wrn_mono due = authority->stop_claim ? authority->network->now.mono : WRN_MONO_NEVER;
    due = wrn_mono_min(due, wrn_claim_due(&authority->claim));
    return wrn_mono_min(due, authority->checks_due);
}

/* ---- what counts a member ---- */

/* Finds the counted invitation by which somebody is a member (high 0: by none). True if there is no
 * other way to its membership: then one of its uses must be the member's. */
static bool find_use(struct wrn_authority *authority, const uint8_t *subject, wrn_span chain,
                     const struct wrn_rights *rights, struct wrn_authority_use *ret_use) {
    struct wrn_pack_frame frame = wrn_descriptor_frame(&authority->network->descriptor);
    struct wrn_certs certs;
    bool is_counted = false, has_other = false;
    *ret_use = (struct wrn_authority_use){.high = 0};
    if ((rights->flags & WRN_RIGHT_OWNER) != 0 || !wrn_certs_read(&frame, chain, &certs)) {
        return false;
    }
    for (uint32_t i = 0; i < rights->grant_count; i++) {
        struct wrn_authority_use one = {.high = 0};
        if ((rights->member_grants >> i & 1) == 0) {
            continue;
        }
        if (!use_of_way(authority, subject, &certs, rights, i, &one)) {
            has_other = true;
        } else if (!is_counted) {
            is_counted = true;
            *ret_use = one;
        }
    }
    return is_counted && !has_other;
}

static bool use_of_way(struct wrn_authority *authority, const uint8_t *subject,
                       const struct wrn_certs *certs, const struct wrn_rights *rights,
                       uint32_t grant, struct wrn_authority_use *ret_use) {
    const uint8_t *issuer = NULL;
    for (uint32_t i = 0; i < rights->cert_count; i++) {
        if ((rights->grants[grant] >> i & 1) != 0 &&
            memcmp(rights->certs[i].subject, subject, WRN_SIGN_PUBLIC_SIZE) == 0) {
            issuer = rights->certs[i].issuer;
        }
    }
    for (uint32_t i = 0; i < rights->cert_count && issuer != NULL; i++) {
        if ((rights->grants[grant] >> i & 1) == 0 ||
            memcmp(rights->certs[i].subject, issuer, WRN_SIGN_PUBLIC_SIZE) != 0) {
            continue;
        }
        for (uint32_t j = 0; j < certs->count; j++) {
            const struct wrn_cert *cert = &certs->certs[j];
            if (memcmp(cert->hash, rights->certs[i].hash, WRN_SHA256_SIZE) == 0 &&
                wrn_rights_is_counted(cert->element)) {
                (void)wrn_authority_flags_of(authority, cert->element, NULL);
                ret_use->low = authority->rights.uses_low;
                ret_use->high = authority->rights.uses_high;
                memcpy(ret_use->key, issuer, sizeof ret_use->key);
                return true;
            }
        }
    }
    return false;
}

/* use/KEY/K */
size_t wrn_authority_use_key(const struct wrn_authority_use *use, uint32_t k,
                             char out[WRN_RECORD_KEY_MAX]) {
    char text[WRN_RECORD_KEY_MAX], hex[HEX + 1];
    wrn_hex_write(use->key, sizeof use->key, hex);
    hex[HEX] = '\0';
    size_t size = (size_t)snprintf(text, sizeof text, "use/%s/%u", hex, (unsigned)k);
    memcpy(out, text, size);
    return size;
}

/* ---- checks ---- */

static struct wrn_authority_check *find_check(struct wrn_authority *authority, const uint8_t *key) {
    for (uint32_t i = 0; i < WRN_AUTHORITY_CHECKS_MAX; i++) {
        struct wrn_authority_check *check = &authority->checks[i];
        if (check->used != 0 && memcmp(check->public_key, key, WRN_SIGN_PUBLIC_SIZE) == 0) {
            return check;
        }
    }
    return NULL;
}

/* In a free place, or that of the one that was noted first: good ones go before others. */
static struct wrn_authority_check *note(struct wrn_authority *authority, const uint8_t *key,
                                        const struct wrn_authority_use *use, wrn_mono now) {
    struct wrn_authority_check *check = &authority->checks[0];
    for (uint32_t i = 1; i < WRN_AUTHORITY_CHECKS_MAX; i++) {
        struct wrn_authority_check *other = &authority->checks[i];
        uint64_t bias = UINT64_C(1) << 62;
        uint64_t rank =
            check->used + (check->used != 0 && check->state != WRN_AUTHORITY_USE_GOOD ? bias : 0);
        uint64_t other_rank =
            other->used + (other->used != 0 && other->state != WRN_AUTHORITY_USE_GOOD ? bias : 0);
        check = other_rank < rank ? other : check;
    }
    *check = (struct wrn_authority_check){
        .used = ++authority->checks_noted,
        .use = *use,
        .due = wrn_mono_add(now, WRN_S(SAY_S)),
    };
    memcpy(check->public_key, key, sizeof check->public_key);
    authority->checks_due = wrn_mono_min(authority->checks_due, check->due);
    return check;
}

static void look(struct wrn_authority *authority, struct wrn_authority_check *check) {
    struct wrn_network *network = authority->network;
    char key[WRN_RECORD_KEY_MAX];
    size_t size = wrn_authority_use_key(&check->use, check->k, key);
    authority->serial = (uint16_t)(authority->serial % (WRN_AUTHORITY_TAG_LISTS - 1) + 1);
    check->tag = (uint32_t)WRN_NETWORK_TAGS_USES << 16 | authority->serial;
    check->due = wrn_mono_add(network->now.mono, WRN_S(ASK_S));
    if (wrn_network_get(network, check->tag, (wrn_span){(const uint8_t *)key, size}) !=
        WRN_REASON_NONE) {
        check->tag = 0;
        check->due = wrn_mono_add(network->now.mono, WRN_S(AGAIN_S));
    }
    authority->checks_due = wrn_mono_min(authority->checks_due, check->due);
}

/* Somebody else's record: it has none. None at all, or no answer: perhaps it is on its way. */
static void on_looked(struct wrn_authority *authority, struct wrn_authority_check *check,
                      const struct wrn_dht_answer *answer) {
    struct wrn_network *network = authority->network;
    struct wrn_record record;
    if (answer->record.size > 0 &&
        wrn_record_read(answer->record, network->node->options.primitives, &record) ==
            WRN_REASON_NONE) {
        check->tag = 0;
        if (memcmp(record.owner, check->public_key, WRN_SIGN_PUBLIC_SIZE) == 0) {
            accept_use(authority, check);
            return;
        }
        check->taken++;
        if (check->taken >= TAKEN_MAX) {
            refuse(authority, check);
            return;
        }
        /* Two may have claimed it in two parts of the ring: what counts is what lies there once
         * both have stored it again, which being asked makes them do. */
        ask_use(authority, check);
    } else if (!answer->is_last) {
        return;
    }
    check->tag = 0;
    if (answer->reason == WRN_REASON_NOT_FOUND) {
        ask_use(authority, check);
    }
    if (answer->reason == WRN_REASON_NOT_FOUND || check->taken > 0) {
        check->looks++;
    }
    uint64_t wait_s = (uint64_t)AGAIN_S << (check->looks < 4 ? check->looks : 4);
    check->due = wrn_mono_add(network->now.mono, WRN_S(wait_s));
    authority->checks_due = wrn_mono_min(authority->checks_due, check->due);
}

static bool is_peer_up(const struct wrn_network *network, const uint8_t *public_key) {
    const struct wrn_network_peer *peer = wrn_network_peer_by_key(network, public_key);
    return peer != NULL && peer->overlay.generation != 0;
}

/* Number 0 asks. */
static void ask_use(struct wrn_authority *authority, const struct wrn_authority_check *check) {
    static const uint8_t message[3] = {WRN_NETWORK_USE};
    struct wrn_network *network = authority->network;
    if (is_peer_up(network, check->public_key)) {
        const struct wrn_network_peer *peer = wrn_network_peer_by_key(network, check->public_key);
        (void)wrn_network_send(network, peer->overlay, (wrn_span){message, sizeof message});
    }
}

static void accept_use(struct wrn_authority *authority, struct wrn_authority_check *check) {
    struct wrn_network *network = authority->network;
    struct wrn_network_peer *peer = wrn_network_peer_by_key(network, check->public_key);
    check->state = WRN_AUTHORITY_USE_GOOD;
    check->due = WRN_MONO_NEVER;
    wrn_authority_used(authority, check->use.key, check->k);
    if (check->was_refused && peer != NULL && wrn_sync_is_settled(authority->sync)) {
        peer->is_waiting = false;
        wrn_network_peer_permit(network, peer);
    }
    check->was_refused = false;
}

/* Nothing passes any more, and it is not admitted again before some time. */
static void refuse(struct wrn_authority *authority, struct wrn_authority_check *check) {
    struct wrn_network *network = authority->network;
    const struct wrn_primitives *primitives = network->node->options.primitives;
    struct wrn_network_peer *peer = wrn_network_peer_by_key(network, check->public_key);
    check->state = WRN_AUTHORITY_USE_BAD;
    check->was_refused = true;
    check->due = wrn_mono_add(network->now.mono, WRN_S(BAD_S));
    authority->checks_due = wrn_mono_min(authority->checks_due, check->due);
    struct wrn_node_event *event =
        wrn_network_event(network, WRN_NODE_EVENT_PEER_REFUSED_KIND,
                          "%s is refused: it came by an invitation whose uses others have.",
                          peer != NULL && peer->label[0] != '\0' ? peer->label : "A member");
    event->reason = WRN_REASON_KEY_TAKEN;
    primitives->hit(primitives->ctx, check->public_key, event->hit);
    if (peer != NULL && peer->overlay.generation != 0) {
        peer->is_waiting = true;
        wrn_network_peer_permit(network, peer);
    }
}
