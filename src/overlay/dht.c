/* SPDX-License-Identifier: Apache-2.0 */
/* The machine of the DHT: its inputs, who is near, what may be stored here. The work on copies,
 * stores, questions and own requests is in the files beside it. */
#include "overlay/dht.h"

#include "overlay/dht_internal.h"

enum {
    VERIFY_RATE = 200, /* signatures a second that others may cost us, each about 100 us */
    VERIFY_BURST = 400,
    PEER_RATE = 60, /* ... one of them */
    PEER_BURST = 120,
    TELL_RATE = 5, /* losers a second */
    TELL_BURST = 20,
    CLAIM_NEW_S = 5, /* a claim that others know no longer than this before us is as old here */
    LOOK_MS = 1000,  /* how old what we know of neighbours' neighbours may be */
};

struct side {
    struct wrn_dht_neighbour nodes[WRN_DHT_NEAR_PER_SIDE];
    uint32_t count;
    bool is_left;
    wrn_id limit; /* up to here links alone tell who is there */
    wrn_id reach; /* beyond, nodes that we do not know may lie between those that we know */
};

static void init_request_tables(struct wrn_dht *dht, struct wrn_arena *arena);
static enum wrn_reason refuse(struct wrn_dht *dht, enum wrn_reason reason);
static bool is_full_but_for_spares(const struct wrn_dht *dht,
                                   const struct wrn_dht_candidate *candidate,
                                   enum wrn_reason reason);
static enum wrn_reason verify(struct wrn_dht *dht, struct wrn_now now, wrn_handle from,
                              const struct wrn_dht_candidate *candidate);
static uint32_t rank_by_way(const struct wrn_dht *dht, wrn_id place);
static bool learn_near(struct wrn_dht *dht);
static void take_links(const struct wrn_dht *dht, struct side *side);
static void take_views(const struct wrn_dht *dht, struct side *side);
static void take_view(const struct wrn_dht *dht, struct side *side, wrn_id id);
static const struct wrn_link *next_link(const struct wrn_dht *dht, const struct side *side,
                                        uint32_t *cursor);
static void find_reach(const struct wrn_dht *dht, struct side *side);
static wrn_id offset_of(const struct wrn_dht *dht, const struct side *side, wrn_id id);

struct wrn_dht *wrn_dht_init(struct wrn_arena *arena, const struct wrn_dht_options *options,
                             const struct wrn_links *links, const struct wrn_primitives *primitives,
                             struct wrn_dht_port port, struct wrn_rand rand) {
    uint64_t seed = 0;
    struct wrn_dht measured = {.was_alone = true};
    struct wrn_dht *built = wrn_arena_take(arena, 1, sizeof(*built));
    struct wrn_dht *dht = built != NULL ? built : &measured;
    if (built != NULL) {
        wrn_rand_fill(rand, &seed, sizeof(seed));
    }
    dht->options = *options;
    dht->links = links;
    dht->primitives = primitives;
    dht->port = port;
    dht->rand = rand;
    dht->was_alone = true;
    dht->strays_due = WRN_MONO_NEVER;
    dht->weigh_due = WRN_MONO_NEVER;
    dht->due = WRN_MONO_NEVER;
    wrn_dht_store_init(&dht->store, arena, options->records_max, options->bytes_max,
                       options->writer_bytes_max, primitives, seed);
    init_request_tables(dht, arena);
    if (built != NULL) {
        built->near[0] = (struct wrn_dht_neighbour){links->self, WRN_HANDLE_NONE};
        built->near_count = 1;
        built->near_is_all = true;
    }
    return built;
}

void wrn_dht_on_payload(struct wrn_dht *dht, struct wrn_now now,
                        const struct wrn_route_header *header, wrn_handle from, wrn_span payload) {
    struct wrn_dht_fields fields;
    if (payload.size < 2 || payload.data[0] != WRN_PAYLOAD_DHT ||
        !wrn_dht_message_read((wrn_span){payload.data + 1, payload.size - 1}, &fields)) {
        wrn_dht_add(dht, WRN_DHT_COUNT_MALFORMED);
        return;
    }
    wrn_dht_look(dht, now.mono, false);
    bool has_via = header->has_via && !header->to_via;
    struct wrn_dht_writer writer = {wrn_id_equal(header->source, dht->links->self), has_via,
                                    header->source, header->via, fields.nonce};
    if (writer.is_self && from.generation != 0) { /* we route no answers to ourselves */
        wrn_dht_add(dht, WRN_DHT_COUNT_MALFORMED);
        return;
    }
    switch (fields.type) {
    case WRN_DHT_MESSAGE_GET:
        wrn_dht_answer(dht, now, &writer, &fields, false);
        break;
    case WRN_DHT_MESSAGE_STORE:
        if (writer.is_self) {
            wrn_dht_request_on_own(dht, now, fields.nonce);
            break;
        }
        wrn_dht_write_begin(dht, now, from, &writer, &fields);
        break;
    case WRN_DHT_MESSAGE_ANSWER:
        wrn_dht_request_on_answer(dht, now, header->source, &fields);
        break;
    case WRN_DHT_MESSAGE_STORED:
        wrn_dht_request_on_stored(dht, now, header->source, &fields);
        break;
    case WRN_DHT_MESSAGE_LOSS:
        wrn_dht_keep_on_loss(dht, now, fields.record);
        break;
    default: /* only neighbours may say it, directly */
        wrn_dht_add(dht, WRN_DHT_COUNT_MALFORMED);
        break;
    }
    wrn_dht_update_due(dht);
}

void wrn_dht_on_message(struct wrn_dht *dht, struct wrn_now now, wrn_handle peer,
                        wrn_span message) {
    struct wrn_dht_fields fields;
    if (message.size < 2 || message.data[0] != WRN_MESSAGE_DHT ||
        !wrn_dht_message_read((wrn_span){message.data + 1, message.size - 1}, &fields)) {
        wrn_dht_add(dht, WRN_DHT_COUNT_MALFORMED);
        return;
    }
    wrn_dht_look(dht, now.mono, false);
    struct wrn_dht_writer asker = {wrn_id_equal(fields.source, dht->links->self), fields.has_via,
                                   fields.source, fields.via, fields.nonce};
    switch (fields.type) {
    case WRN_DHT_MESSAGE_ASK:
        wrn_dht_answer(dht, now, &asker, &fields, true);
        break;
    case WRN_DHT_MESSAGE_PASS:
        if (asker.is_self) { /* what we asked for came back to us: another attempt follows */
            break;
        }
        wrn_dht_write_begin(dht, now, peer, &asker, &fields);
        break;
    case WRN_DHT_MESSAGE_COPY:
        wrn_dht_copies_on_copy(dht, now, peer, &fields);
        break;
    case WRN_DHT_MESSAGE_COPIED:
        if (!wrn_dht_write_on_copied(dht, now, peer, &fields)) {
            wrn_dht_copies_on_copied(dht, now, peer, &fields);
        }
        break;
    case WRN_DHT_MESSAGE_DIGEST:
        wrn_dht_copies_on_digest(dht, now, peer, &fields);
        break;
    case WRN_DHT_MESSAGE_WANT:
        wrn_dht_copies_on_want(dht, now, peer, &fields);
        break;
    case WRN_DHT_MESSAGE_WEIGH:
        wrn_dht_weigh_on_weigh(dht, now, peer, &fields);
        break;
    case WRN_DHT_MESSAGE_WEIGHED:
        wrn_dht_weigh_on_weighed(dht, now, peer, &fields);
        break;
    default:
        wrn_dht_add(dht, WRN_DHT_COUNT_MALFORMED);
        break;
    }
    wrn_dht_update_due(dht);
}

void wrn_dht_on_undelivered(struct wrn_dht *dht, struct wrn_now now, enum wrn_reason reason,
                            wrn_span payload) {
    struct wrn_dht_fields fields;
    if (payload.size < 2 || payload.data[0] != WRN_PAYLOAD_DHT ||
        !wrn_dht_message_read((wrn_span){payload.data + 1, payload.size - 1}, &fields)) {
        wrn_dht_add(dht, WRN_DHT_COUNT_MALFORMED);
        return;
    }
    if (fields.type == WRN_DHT_MESSAGE_GET || fields.type == WRN_DHT_MESSAGE_STORE) {
        wrn_dht_request_on_failed(dht, now, reason, fields.nonce);
        wrn_dht_update_due(dht);
    }
}

void wrn_dht_on_neighbours(struct wrn_dht *dht, struct wrn_now now) {
    wrn_dht_look(dht, now.mono, true);
    wrn_dht_update_due(dht);
}

void wrn_dht_on_time(struct wrn_dht *dht, struct wrn_now now) {
    if (!wrn_mono_reached(now.mono, dht->due)) {
        return;
    }
    wrn_dht_look(dht, now.mono, false);
    dht->counts[WRN_DHT_COUNT_EXPIRED] += wrn_dht_store_expire(&dht->store, now.mono);
    wrn_dht_write_on_time(dht, now);
    wrn_dht_copies_on_time(dht, now);
    wrn_dht_weigh_on_time(dht, now);
    wrn_dht_keep_on_time(dht, now);
    wrn_dht_request_on_time(dht, now);
    wrn_dht_update_due(dht);
}

wrn_mono wrn_dht_due(const struct wrn_dht *dht) {
    return dht->due;
}

wrn_span wrn_dht_next_held(const struct wrn_dht *dht, uint32_t *cursor) {
    uint32_t index = wrn_dht_store_next(&dht->store, cursor);
    const struct wrn_dht_entry *entry = wrn_dht_store_at(&dht->store, index);
    return entry != NULL ? wrn_dht_store_bytes(&dht->store, entry) : (wrn_span){0};
}

uint64_t wrn_dht_count(const struct wrn_dht *dht, enum wrn_dht_count count) {
    WRN_ASSERT(count < WRN_DHT_COUNTS);
    return dht->counts[count];
}

bool wrn_dht_take(struct wrn_drip *bucket, wrn_mono now, uint32_t rate_per_s, uint32_t burst) {
    return wrn_drip_take(bucket, now, WRN_S(1) / rate_per_s, burst);
}

void wrn_dht_add(struct wrn_dht *dht, enum wrn_dht_count count) {
    dht->counts[count]++;
}

uint32_t wrn_dht_rank(const struct wrn_dht *dht, wrn_id place, wrn_id id) {
    uint32_t rank = 0;
    if (!dht->near_is_all && !wrn_id_is_between(dht->near[dht->near_count - 1].id, place,
                                                dht->near[dht->near_right].id)) {
        return WRN_DHT_HOLDERS_MAX; /* far away: who is there, we do not know */
    }
    for (uint32_t i = 0; i < dht->near_count; i++) {
        rank += wrn_id_is_nearer(place, dht->near[i].id, id);
    }
    if (rank < WRN_DHT_HOLDERS_MAX && wrn_id_equal(id, dht->links->self)) {
        /* a place at the end of what we know: others are nearer */
        uint32_t by_links = wrn_links_rank(dht->links, place, id);
        uint32_t by_way = rank_by_way(dht, place);
        rank = by_links > rank ? by_links : rank;
        rank = by_way > rank ? by_way : rank;
    }
    return rank;
}

const struct wrn_dht_neighbour *wrn_dht_other(const struct wrn_dht *dht, wrn_id place,
                                              uint32_t rank) {
    for (uint32_t i = 0; i < dht->near_count; i++) {
        const struct wrn_dht_neighbour *node = &dht->near[i];
        uint32_t nearer = 0;
        for (uint32_t j = 0; j < dht->near_count && node->peer.generation != 0; j++) {
            nearer += dht->near[j].peer.generation != 0 &&
                      wrn_id_is_nearer(place, dht->near[j].id, node->id);
        }
        if (node->peer.generation != 0 && nearer == rank) {
            return node;
        }
    }
    return NULL;
}

const struct wrn_dht_neighbour *wrn_dht_near(const struct wrn_dht *dht, wrn_id place,
                                             uint32_t rank) {
    for (uint32_t i = 1; i < dht->near_count; i++) { /* we are the first */
        uint32_t nearer = 0;
        for (uint32_t j = 1; j < dht->near_count; j++) {
            nearer += wrn_id_is_nearer(place, dht->near[j].id, dht->near[i].id);
        }
        if (nearer == rank) {
            return &dht->near[i];
        }
    }
    return NULL;
}

void wrn_dht_look(struct wrn_dht *dht, wrn_mono now, bool is_change) {
    bool is_fresh = dht->near_at.ns != 0 && wrn_mono_since(now, dht->near_at) < WRN_MS(LOOK_MS);
    if (!is_change && is_fresh && dht->near_count > 1) { /* who is alone looks each time */
        return;
    }
    dht->near_at = now;
    if (!learn_near(dht)) {
        return;
    }
    if (dht->was_alone && dht->near_count > 1) {
        wrn_dht_keep_on_found(dht, now);
    }
    dht->was_alone = dht->near_count == 1;
    wrn_dht_copies_on_neighbours(dht, now);
}

enum wrn_reason wrn_dht_admit(struct wrn_dht *dht, struct wrn_now now, wrn_handle from,
                              const struct wrn_dht_candidate *candidate, uint32_t ranks,
                              bool is_strict, uint32_t *ret_entry) {
    const struct wrn_record *record = &candidate->record;
    *ret_entry = WRN_DHT_NO_ENTRY;
    if (wrn_dht_rank(dht, candidate->place, dht->links->self) >= ranks) {
        return refuse(dht, WRN_REASON_NOT_HOLDER);
    }
    dht->counts[WRN_DHT_COUNT_EXPIRED] += wrn_dht_store_expire(&dht->store, now.mono);
    struct wrn_dht_verdict verdict = wrn_dht_store_judge(&dht->store, candidate, is_strict);
    if (verdict.is_held) {
        *ret_entry = verdict.existing;
        return WRN_REASON_NONE;
    }
    enum wrn_reason reason = wrn_record_check_time(record, now.wall);
    if (reason != WRN_REASON_NONE) {
        return refuse(dht, reason);
    }
    if ((verdict.reason == WRN_REASON_FULL && wrn_dht_store_forget_ghosts(&dht->store, NULL) > 0) ||
        (verdict.reason == WRN_REASON_QUOTA &&
         wrn_dht_store_forget_ghosts(&dht->store, record->owner) > 0)) {
        verdict = wrn_dht_store_judge(&dht->store, candidate, is_strict);
    }
    bool is_tight = is_full_but_for_spares(dht, candidate, verdict.reason);
    if (verdict.reason != WRN_REASON_NONE && !is_tight) {
        *ret_entry =
            wrn_dht_store_at(&dht->store, verdict.existing) ? verdict.existing : WRN_DHT_NO_ENTRY;
        return refuse(dht, verdict.reason);
    }
    reason = verify(dht, now, from, candidate);
    while (reason == WRN_REASON_NONE && verdict.reason == WRN_REASON_FULL) {
        if (!wrn_dht_copies_drop_spare(dht)) {
            reason = WRN_REASON_FULL;
        } else {
            verdict = wrn_dht_store_judge(&dht->store, candidate, is_strict);
        }
    }
    if (reason != WRN_REASON_NONE) {
        return refuse(dht, reason);
    }
    uint8_t loser[WRN_SIGN_PUBLIC_SIZE] = {0};
    if (verdict.is_conflict) {
        memcpy(loser, wrn_dht_store_owner(&dht->store, &dht->store.entries[verdict.existing]),
               sizeof(loser));
    }
    int64_t left_s = record->made_s + record->ttl_s - now.wall.s;
    int64_t most_s = (int64_t)record->ttl_s + WRN_CLOCK_TOLERANCE_S;
    left_s = left_s > most_s ? most_s : left_s;
    *ret_entry = wrn_dht_store_add(&dht->store, now.mono, candidate, (uint64_t)left_s * WRN_S(1));
    wrn_dht_add(dht, record->kind == WRN_RECORD_DELETE      ? WRN_DHT_COUNT_DELETED
                     : verdict.existing == WRN_DHT_NO_ENTRY ? WRN_DHT_COUNT_STORED
                                                            : WRN_DHT_COUNT_RENEWED);
    if (verdict.is_conflict) {
        wrn_dht_add(dht, WRN_DHT_COUNT_CONFLICTS);
        wrn_dht_tell_loser(dht, now, loser, candidate->bytes);
        wrn_dht_copies_soon(dht, now.mono); /* who gave it to us may have changed its mind since */
    }
    return WRN_REASON_NONE;
}

/* A copy is as good as its signature, its date as those who vouch for it. */
enum wrn_reason wrn_dht_admit_copy(struct wrn_dht *dht, struct wrn_now now, wrn_handle peer,
                                   struct wrn_dht_candidate *candidate, int64_t claim_s,
                                   bool is_strict, uint32_t *ret_entry) {
    candidate->claim_s = now.wall.s;
    enum wrn_reason reason =
        wrn_dht_admit(dht, now, peer, candidate, WRN_DHT_HOLDERS_MAX, true, ret_entry);
    struct wrn_dht_entry *entry = wrn_dht_store_at(&dht->store, *ret_entry);
    if (reason == WRN_REASON_NONE && entry != NULL && entry->kind == WRN_RECORD_CREATE &&
        claim_s + CLAIM_NEW_S < wrn_dht_claim_of(entry)) {
        wrn_dht_weigh_later(dht, now.mono, entry);
    }
    if (reason != WRN_REASON_KEY_TAKEN || is_strict) {
        return reason;
    }
    uint32_t existing = *ret_entry;
    *ret_entry = WRN_DHT_NO_ENTRY;
    reason = wrn_record_check_time(&candidate->record, now.wall);
    reason = reason == WRN_REASON_NONE ? verify(dht, now, peer, candidate) : reason;
    if (reason != WRN_REASON_NONE) {
        return refuse(dht, reason);
    }
    switch (wrn_dht_weigh(dht, now, candidate, existing, &candidate->claim_s)) {
    case WRN_DHT_WEIGHT_STAYS:
        *ret_entry = existing;
        return WRN_REASON_KEY_TAKEN;
    case WRN_DHT_WEIGHT_YIELDS:
        return wrn_dht_admit(dht, now, peer, candidate, WRN_DHT_HOLDERS_MAX, false, ret_entry);
    default:
        return WRN_REASON_RATE;
    }
}

/* The owner's key is that of a node, as a rule: its place follows from it. */
void wrn_dht_tell_loser(struct wrn_dht *dht, struct wrn_now now, const uint8_t *owner,
                        wrn_span winner) {
    uint8_t hit[WRN_HIT_SIZE];
    dht->primitives->hit(dht->primitives->ctx, owner, hit);
    wrn_id id = wrn_id_of_hit(hit);
    if (wrn_id_equal(id, dht->links->self)) {
        wrn_dht_keep_on_loss(dht, now, winner);
        return;
    }
    if (wrn_dht_take(&dht->telling, now.mono, TELL_RATE, TELL_BURST)) {
        struct wrn_route_header header = {.target = id, .mode = WRN_ROUTE_EXACT};
        struct wrn_dht_fields fields = {.type = WRN_DHT_MESSAGE_LOSS, .record = winner};
        (void)wrn_dht_route(dht, &header, &fields); /* its next check tells it, if this is lost */
    }
}

void wrn_dht_send(struct wrn_dht *dht, wrn_handle peer, const struct wrn_dht_fields *fields) {
    uint8_t bytes[WRN_MESSAGE_MAX];
    dht->port.send(dht->port.ctx, peer, wrn_dht_message_write(fields, bytes));
}

enum wrn_reason wrn_dht_route(struct wrn_dht *dht, const struct wrn_route_header *header,
                              const struct wrn_dht_fields *fields) {
    uint8_t bytes[WRN_MESSAGE_MAX];
    return dht->port.route(dht->port.ctx, header, wrn_dht_message_write(fields, bytes));
}

static void init_request_tables(struct wrn_dht *dht, struct wrn_arena *arena) {
    dht->requests =
        wrn_arena_take(arena, dht->options.requests_max + 2, sizeof(struct wrn_dht_request));
    dht->kept = wrn_arena_take(arena, dht->options.kept_max, sizeof(struct wrn_dht_kept));
    uint32_t largest = (WRN_RECORD_MAX + WRN_ROOM_PIECE - 1) / WRN_ROOM_PIECE * WRN_ROOM_PIECE;
    uint32_t all = largest * (dht->options.requests_max + dht->options.kept_max);
    wrn_room_init(&dht->room, arena, dht->options.own_bytes != 0 ? dht->options.own_bytes : all);
}

void wrn_dht_update_due(struct wrn_dht *dht) {
    wrn_mono due = wrn_dht_store_due(&dht->store);
    due = wrn_mono_min(due, wrn_dht_write_due(dht));
    due = wrn_mono_min(due, wrn_dht_copies_due(dht));
    due = wrn_mono_min(due, wrn_dht_weigh_due(dht));
    due = wrn_mono_min(due, wrn_dht_keep_due(dht));
    dht->due = wrn_mono_min(due, wrn_dht_request_due(dht));
}

/* What a holder has of others' gives way to what is its own to hold: not before the signature of
 * that is known to be good. */
static bool is_full_but_for_spares(const struct wrn_dht *dht,
                                   const struct wrn_dht_candidate *candidate,
                                   enum wrn_reason reason) {
    return reason == WRN_REASON_FULL &&
           wrn_dht_rank(dht, candidate->place, dht->links->self) < WRN_DHT_COPIES &&
           wrn_dht_copies_find_spare(dht) != WRN_DHT_NO_ENTRY;
}

static enum wrn_reason refuse(struct wrn_dht *dht, enum wrn_reason reason) {
    switch (reason) {
    case WRN_REASON_NOT_HOLDER:
        wrn_dht_add(dht, WRN_DHT_COUNT_REFUSED_PLACE);
        break;
    case WRN_REASON_EXPIRED:
    case WRN_REASON_NOT_YET:
        wrn_dht_add(dht, WRN_DHT_COUNT_REFUSED_TIME);
        break;
    case WRN_REASON_STALE:
        wrn_dht_add(dht, WRN_DHT_COUNT_REFUSED_STALE);
        break;
    case WRN_REASON_KEY_TAKEN:
        wrn_dht_add(dht, WRN_DHT_COUNT_REFUSED_TAKEN);
        break;
    case WRN_REASON_QUOTA:
        wrn_dht_add(dht, WRN_DHT_COUNT_REFUSED_QUOTA);
        break;
    case WRN_REASON_FULL:
        wrn_dht_add(dht, WRN_DHT_COUNT_REFUSED_FULL);
        break;
    case WRN_REASON_RATE:
        wrn_dht_add(dht, WRN_DHT_COUNT_REFUSED_RATE);
        break;
    case WRN_REASON_BAD_SIGNATURE:
        wrn_dht_add(dht, WRN_DHT_COUNT_REFUSED_SIGNATURE);
        break;
    default:
        wrn_dht_add(dht, WRN_DHT_COUNT_REFUSED_RULE);
        break;
    }
    return reason;
}

/* What costs time, last. What others make us verify is limited, for each of them and in all. */
static enum wrn_reason verify(struct wrn_dht *dht, struct wrn_now now, wrn_handle from,
                              const struct wrn_dht_candidate *candidate) {
    struct wrn_drip *of_peer = &dht->of_peer[from.index % WRN_DHT_PEER_BUCKETS];
    if (from.generation != 0 &&
        (!wrn_dht_take(of_peer, now.mono, PEER_RATE, PEER_BURST) ||
         !wrn_dht_take(&dht->verifying, now.mono, VERIFY_RATE, VERIFY_BURST))) {
        return WRN_REASON_RATE;
    }
    enum wrn_reason reason = wrn_record_verify(candidate->bytes, dht->primitives);
    if (reason == WRN_REASON_NONE && dht->options.rule != NULL) {
        reason = dht->options.rule(dht->options.rule_ctx, &candidate->record, now.wall);
    }
    return reason;
}

/* Behind a place there are about as many nodes as between it and us: if we do not know all of them
 * they count twice. */
static uint32_t rank_by_way(const struct wrn_dht *dht, wrn_id place) {
    wrn_id self = dht->links->self;
    wrn_id left = wrn_id_subtract(self, place), right = wrn_id_subtract(place, self);
    bool is_left = wrn_id_less(left, right);
    wrn_id way = is_left ? left : right;
    wrn_id end = dht->near[is_left ? dht->near_count - 1 : dht->near_right].id;
    wrn_id known = is_left ? wrn_id_subtract(self, end) : wrn_id_subtract(end, self);
    uint32_t between = 0;
    if (dht->near_is_all || !wrn_id_less(known, wrn_id_add(way, way))) {
        return 0;
    }
    for (uint32_t i = 1; i < dht->near_count; i++) {
        between += is_left ? wrn_id_is_between(place, dht->near[i].id, self)
                           : wrn_id_is_between(self, dht->near[i].id, place);
    }
    return 2 * between;
}

/* Fills in 'near'. Tells whether it has changed. O(links). */
static bool learn_near(struct wrn_dht *dht) {
    struct wrn_dht_neighbour near[WRN_DHT_NEAR_MAX] = {{dht->links->self, WRN_HANDLE_NONE}};
    uint32_t count = 1, right = 0;
    bool is_all = false;
    for (uint32_t s = 0; s < 2; s++) {
        struct side side = {.is_left = s == 1};
        find_reach(dht, &side);
        take_links(dht, &side);
        take_views(dht, &side);
        for (uint32_t i = 0; i < side.count; i++) {
            uint32_t same = 0; /* in a small ring nodes are on both sides */
            while (same < count && !wrn_id_equal(near[same].id, side.nodes[i].id)) {
                same++;
            }
            if (same == count) {
                near[count++] = side.nodes[i];
            }
            is_all = is_all || same < count - 1;
        }
        right = side.is_left ? right : count - 1;
    }
    bool is_changed = count != dht->near_count;
    for (uint32_t i = 0; i < count && !is_changed; i++) {
        is_changed = !wrn_id_equal(near[i].id, dht->near[i].id) ||
                     !wrn_handle_equal(near[i].peer, dht->near[i].peer);
    }
    memcpy(dht->near, near, sizeof(near));
    dht->near_count = count;
    dht->near_right = right;
    dht->near_is_all = is_all || count == 1;
    return is_changed;
}

/* The third link knows three nodes behind it: six in a row are known, or the whole ring. */
static void find_reach(const struct wrn_dht *dht, struct side *side) {
    const struct wrn_link *last = NULL;
    const struct wrn_link *link;
    uint32_t count = 0, cursor = 0;
    while (count < WRN_NEAR_PER_SIDE && (link = next_link(dht, side, &cursor)) != NULL) {
        last = link;
        count++;
    }
    side->limit = (wrn_id){0};
    side->reach = (wrn_id){UINT64_MAX, UINT32_MAX};
    if (count < WRN_NEAR_PER_SIDE) {
        return;
    }
    uint32_t views = side->is_left ? last->view_left : last->view_right;
    views = views > WRN_NEAR_PER_SIDE ? WRN_NEAR_PER_SIDE : views;
    side->limit = offset_of(dht, side, last->id);
    wrn_id reach = side->limit;
    for (uint32_t i = 0; i < views; i++) {
        wrn_id offset = offset_of(dht, side, side->is_left ? last->left[i] : last->right[i]);
        if (!wrn_id_less(reach, offset)) { /* it lies behind us: once around */
            return;
        }
        reach = offset;
    }
    side->reach = reach;
}

static void take_links(const struct wrn_dht *dht, struct side *side) {
    const struct wrn_link *link;
    uint32_t cursor = 0;
    while (side->count < WRN_DHT_NEAR_PER_SIDE && (link = next_link(dht, side, &cursor)) != NULL &&
           !wrn_id_less(side->reach, offset_of(dht, side, link->id))) {
        side->nodes[side->count++] = (struct wrn_dht_neighbour){link->id, link->peer};
    }
}

/* Beyond the near links neighbours' views tell who is there. Between them they do not count: a node
 * to which we have no link there is most likely dead, and its neighbours have not noticed. */
static void take_views(const struct wrn_dht *dht, struct side *side) {
    for (uint32_t i = 0; i < dht->links->count; i++) {
        const struct wrn_link *link = &dht->links->links[i];
        if (!wrn_link_is_of_ring(link)) {
            continue;
        }
        for (uint32_t j = 0; j < link->view_left && j < WRN_NEAR_PER_SIDE; j++) {
            take_view(dht, side, link->left[j]);
        }
        for (uint32_t j = 0; j < link->view_right && j < WRN_NEAR_PER_SIDE; j++) {
            take_view(dht, side, link->right[j]);
        }
    }
}

static void take_view(const struct wrn_dht *dht, struct side *side, wrn_id id) {
    wrn_id offset = offset_of(dht, side, id);
    if (wrn_id_equal(id, dht->links->self) || wrn_id_less(offset, side->limit) ||
        wrn_id_less(side->reach, offset)) {
        return;
    }
    uint32_t at = side->count;
    while (at > 0 && !wrn_id_less(offset_of(dht, side, side->nodes[at - 1].id), offset)) {
        at--;
    }
    bool is_there = at < side->count && wrn_id_equal(side->nodes[at].id, id);
    if (is_there || at == WRN_DHT_NEAR_PER_SIDE) {
        return;
    }
    side->count += side->count < WRN_DHT_NEAR_PER_SIDE;
    for (uint32_t i = side->count - 1; i > at; i--) {
        side->nodes[i] = side->nodes[i - 1];
    }
    side->nodes[at] = (struct wrn_dht_neighbour){id, WRN_HANDLE_NONE};
}

/* Returns the next link of the ring, away from us; NULL: no more. */
static const struct wrn_link *next_link(const struct wrn_dht *dht, const struct side *side,
                                        uint32_t *cursor) {
    for (;;) {
        const struct wrn_link *link = side->is_left ? wrn_links_left(dht->links, *cursor)
                                                    : wrn_links_right(dht->links, *cursor);
        (*cursor)++;
        if (link == NULL || wrn_link_is_of_ring(link)) {
            return link;
        }
    }
}

static wrn_id offset_of(const struct wrn_dht *dht, const struct side *side, wrn_id id) {
    return side->is_left ? wrn_id_subtract(dht->links->self, id)
                         : wrn_id_subtract(id, dht->links->self);
}
