/* SPDX-License-Identifier: Apache-2.0 */
/* Records that the caller wants kept: stored once at his word, then by this node for as long as he
 * does not delete them, also after a restart. The ring renews what it was given; here is what it is
 * given anew after a start, with another chain, and when it gave a record up. */
#include "node/network_internal.h"

enum {
    NUMBER_MAX = 0xffff,
    SOON_MS = 1000,  /* after the ring was found: addresses and name come first */
    APART_MS = 100,  /* one after the other */
    RETRY_S = 5,     /* there is no ring, or too much is under way */
    REFUSED_S = 300, /* holders refused it, which may be over some day */
    OVERDUE_S = 1,   /* what ended because this host was asleep is stored again */
};

enum state {
    FREE,
    ASKED, /* the caller's store is under way */
    KEPT,  /* the ring is to be given it at 'due' */
    GIVEN, /* the ring renews it */
};

struct wrn_network_kept {
    uint8_t state; /* enum state */
    uint8_t kind;  /* enum wrn_record_kind: PUT or CREATE */
    bool is_stored;
    uint8_t key_size;
    uint16_t value_size;
    enum wrn_reason reason; /* why it is not stored */
    uint32_t tag;           /* ASKED: the caller's */
    uint32_t ttl_s;
    int64_t claimed_s; /* CREATE */
    wrn_mono due;      /* KEPT */
    uint8_t key[WRN_RECORD_KEY_MAX];
    uint8_t value[WRN_RECORD_VALUE_MAX];
};

static struct wrn_network_kept *free_one(struct wrn_network *network);
static void fill(struct wrn_network_kept *kept, const struct wrn_claim_request *request);
static bool is_same(const struct wrn_network_kept *kept, enum wrn_record_kind kind, wrn_span key,
                    wrn_span value);
static wrn_span key_of(const struct wrn_network_kept *kept);
static wrn_span value_of(const struct wrn_network_kept *kept);
static void give(struct wrn_network *network, struct wrn_network_kept *kept);
static void give_up(struct wrn_network *network, struct wrn_network_kept *kept,
                    enum wrn_reason reason);

void wrn_keeper_init(struct wrn_network *network, struct wrn_arena *arena,
                     const struct wrn_state *state) {
    struct wrn_network_kept *kept = wrn_arena_take(arena, WRN_STATE_KEPT_MAX, sizeof(*kept));
    if (!network) {
        return;
    }
    network->kept = kept;
    for (uint8_t i = 0; i < state->kept_count; i++) {
        const struct wrn_state_kept *saved = &state->kept[i];
        fill(&kept[i], &(struct wrn_claim_request){.kind = saved->kind,
                                                   .key = saved->key,
                                                   .value = saved->value,
                                                   .ttl_s = saved->ttl_s,
                                                   .claimed_s = saved->claimed_s});
        kept[i].state = KEPT;
        kept[i].due = network->now.mono;
    }
}

void wrn_keeper_fill(const struct wrn_network *network, struct wrn_state *state) {
    for (uint32_t i = 0; i < WRN_STATE_KEPT_MAX; i++) {
        const struct wrn_network_kept *kept = &network->kept[i];
        if (kept->state == KEPT || kept->state == GIVEN) {
            state->kept[state->kept_count++] =
                (struct wrn_state_kept){.kind = (enum wrn_record_kind)kept->kind,
                                        .key = key_of(kept),
                                        .value = value_of(kept),
                                        .ttl_s = kept->ttl_s,
                                        .claimed_s = kept->claimed_s};
        }
    }
}

enum wrn_reason wrn_keeper_ask(struct wrn_network *network,
                               const struct wrn_claim_request *request) {
    struct wrn_network_kept *kept = free_one(network);
    if (request->key.size > WRN_RECORD_KEY_MAX || request->value.size > WRN_RECORD_VALUE_MAX) {
        return WRN_REASON_TOO_LARGE;
    }
    if (!kept) {
        return WRN_REASON_FULL;
    }
    fill(kept, request);
    kept->claimed_s = request->kind == WRN_RECORD_CREATE ? network->now.wall.s : 0;
    kept->tag = request->tag;
    kept->state = ASKED;
    return WRN_REASON_NONE;
}

void wrn_keeper_asked(struct wrn_network *network, uint32_t tag, enum wrn_reason reason) {
    struct wrn_network_kept *asked = NULL;
    for (uint32_t i = 0; i < WRN_STATE_KEPT_MAX; i++) {
        if (network->kept[i].state == ASKED && network->kept[i].tag == tag) {
            asked = &network->kept[i];
        }
    }
    if (!asked) {
        return;
    }
    asked->state = FREE;
    if (reason != WRN_REASON_NONE) {
        return;
    }
    for (uint32_t i = 0; i < WRN_STATE_KEPT_MAX; i++) {
        struct wrn_network_kept *before = &network->kept[i];
        if ((before->state == KEPT || before->state == GIVEN) &&
            is_same(before, (enum wrn_record_kind)asked->kind, key_of(asked), value_of(asked))) {
            asked->claimed_s =
                asked->kind == WRN_RECORD_CREATE ? before->claimed_s : asked->claimed_s;
            before->state = FREE;
        }
    }
    asked->state = KEPT;
    asked->is_stored = true;
    asked->due = network->now.mono;
    wrn_network_save(network, true); /* before the caller is told */
}

void wrn_keeper_end(struct wrn_network *network, wrn_span key) {
    bool has_changed = false;
    for (uint32_t i = 0; i < WRN_STATE_KEPT_MAX; i++) {
        struct wrn_network_kept *kept = &network->kept[i];
        if (kept->state != FREE && wrn_network_are_equal(key_of(kept), key)) {
            has_changed = has_changed || kept->state != ASKED;
            kept->state = FREE;
        }
    }
    if (has_changed) {
        wrn_overlay_keep_no_more(network->overlay, key);
        wrn_network_save(network, true);
    }
}

void wrn_keeper_on_connected(struct wrn_network *network) {
    for (uint32_t i = 0; i < WRN_STATE_KEPT_MAX; i++) {
        struct wrn_network_kept *kept = &network->kept[i];
        if (kept->state == KEPT) {
            kept->due = wrn_mono_add(network->now.mono, WRN_MS(SOON_MS + i * APART_MS));
        }
    }
}

void wrn_keeper_prove(struct wrn_network *network) {
    for (uint32_t i = 0; i < WRN_STATE_KEPT_MAX; i++) {
        struct wrn_network_kept *kept = &network->kept[i];
        if (kept->state == KEPT || kept->state == GIVEN) {
            kept->state = KEPT;
            kept->due = wrn_mono_add(network->now.mono, WRN_MS(i * APART_MS));
        }
    }
}

void wrn_keeper_on_answer(struct wrn_network *network, const struct wrn_dht_answer *answer) {
    struct wrn_network_kept *kept = &network->kept[(answer->tag & NUMBER_MAX) % WRN_STATE_KEPT_MAX];
    if (answer->is_last && kept->state == GIVEN) {
        kept->is_stored = answer->reason == WRN_REASON_NONE;
        kept->reason = answer->reason; /* the ring goes on with it */
    }
}

void wrn_keeper_on_lost(struct wrn_network *network, wrn_span record, enum wrn_reason reason) {
    struct wrn_record lost;
    if (wrn_record_read(record, network->node->options.primitives, &lost) != WRN_REASON_NONE) {
        return;
    }
    for (uint32_t i = 0; i < WRN_STATE_KEPT_MAX; i++) {
        struct wrn_network_kept *kept = &network->kept[i];
        if (kept->state != GIVEN || !is_same(kept, lost.kind, lost.key, lost.value)) {
            continue;
        }
        kept->is_stored = false;
        kept->reason = reason;
        if (reason == WRN_REASON_KEY_TAKEN || reason == WRN_REASON_STALE) {
            give_up(network, kept, reason);
            continue;
        }
        kept->state = KEPT;
        kept->due = wrn_mono_add(network->now.mono,
                                 WRN_S(reason == WRN_REASON_EXPIRED ? OVERDUE_S : REFUSED_S));
    }
}

void wrn_keeper_on_time(struct wrn_network *network) {
    for (uint32_t i = 0; i < WRN_STATE_KEPT_MAX && !network->is_leaving; i++) {
        struct wrn_network_kept *kept = &network->kept[i];
        if (kept->state == KEPT && wrn_mono_reached(network->now.mono, kept->due)) {
            give(network, kept);
        }
    }
}

wrn_mono wrn_keeper_due(const struct wrn_network *network) {
    wrn_mono due = WRN_MONO_NEVER;
    for (uint32_t i = 0; i < WRN_STATE_KEPT_MAX && !network->is_leaving; i++) {
        if (network->kept[i].state == KEPT) {
            due = wrn_mono_min(due, network->kept[i].due);
        }
    }
    return due;
}

bool wrn_node_next_kept(const struct wrn_node *node, wrn_handle handle, uint32_t *cursor,
                        struct wrn_node_kept *ret_kept) {
    const struct wrn_network *network = wrn_node_network(node, handle);
    while (network && *cursor < WRN_STATE_KEPT_MAX) {
        const struct wrn_network_kept *kept = &network->kept[(*cursor)++];
        if (kept->state == KEPT || kept->state == GIVEN) {
            *ret_kept = (struct wrn_node_kept){.kind = (enum wrn_record_kind)kept->kind,
                                               .key = key_of(kept),
                                               .value = value_of(kept),
                                               .ttl_s = kept->ttl_s,
                                               .is_stored = kept->is_stored,
                                               .reason = kept->reason};
            return true;
        }
    }
    return false;
}

static struct wrn_network_kept *free_one(struct wrn_network *network) {
    for (uint32_t i = 0; i < WRN_STATE_KEPT_MAX; i++) {
        if (network->kept[i].state == FREE) {
            return &network->kept[i];
        }
    }
    return NULL;
}

static void fill(struct wrn_network_kept *kept, const struct wrn_claim_request *request) {
    memset(kept, 0, sizeof(*kept));
    kept->kind = (uint8_t)request->kind;
    kept->ttl_s = request->ttl_s;
    kept->claimed_s = request->claimed_s;
    kept->key_size = (uint8_t)request->key.size;
    kept->value_size = (uint16_t)request->value.size;
    if (request->key.size > 0) {
        memcpy(kept->key, request->key.data, request->key.size);
    }
    if (request->value.size > 0) {
        memcpy(kept->value, request->value.data, request->value.size);
    }
}

/* Of CREATE there is one under a key, of PUT one with each value. */
static bool is_same(const struct wrn_network_kept *kept, enum wrn_record_kind kind, wrn_span key,
                    wrn_span value) {
    return kept->kind == kind && wrn_network_are_equal(key_of(kept), key) &&
           (kind == WRN_RECORD_CREATE || wrn_network_are_equal(value_of(kept), value));
}

static wrn_span key_of(const struct wrn_network_kept *kept) {
    return (wrn_span){kept->key, kept->key_size};
}

static wrn_span value_of(const struct wrn_network_kept *kept) {
    return (wrn_span){kept->value, kept->value_size};
}

static void give(struct wrn_network *network, struct wrn_network_kept *kept) {
    uint32_t number = (uint32_t)(kept - network->kept);
    struct wrn_claim_request request = {.tag = WRN_NETWORK_TAGS_KEPT << 16 | number,
                                        .kind = (enum wrn_record_kind)kept->kind,
                                        .keep = true,
                                        .key = key_of(kept),
                                        .value = value_of(kept),
                                        .ttl_s = kept->ttl_s,
                                        .claimed_s = kept->claimed_s};
    enum wrn_reason reason = wrn_network_store(network, &request);
    if (reason == WRN_REASON_NONE) {
        kept->state = GIVEN; /* 'is_stored' follows with the answer */
        return;
    }
    bool is_passing = reason == WRN_REASON_NOT_CONNECTED || reason == WRN_REASON_FULL;
    kept->reason = reason;
    kept->is_stored = false;
    kept->due = wrn_mono_add(network->now.mono, WRN_S(is_passing ? RETRY_S : REFUSED_S));
}

/* Somebody else has the key, or we deleted it elsewhere. */
static void give_up(struct wrn_network *network, struct wrn_network_kept *kept,
                    enum wrn_reason reason) {
    kept->state = FREE;
    wrn_network_save(network, true);
    struct wrn_node_event *event = wrn_network_event(
        network, WRN_NODE_EVENT_RECORD_LOST_KIND, "%.*s is kept in the table of %s no longer: %s",
        (int)kept->key_size, (const char *)kept->key, network->descriptor.name,
        wrn_reason_text(reason));
    event->reason = reason;
}
