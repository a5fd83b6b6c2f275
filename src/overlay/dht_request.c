/* SPDX-License-Identifier: Apache-2.0 */
/* The client of the DHT: asks holders for records and has them stored, believes no holder what it
 * can verify, and no single one that there is nothing. */
#include "overlay/dht_internal.h"

enum {
    ASIDE_FROM = 2, /* attempts 2 to 5 go to nodes beside the nearest one */
    ASIDE_COUNT = 4,
    REFUSED_MS = 300, /* before the next attempt if one could not be sent */
    SLOW_MS = 1000,   /* ... when all attempts have been made */
    JOINING_MS = 200, /* ... while there are links and no neighbour */
    RATE_MS = 1000,   /* ... if the holder has no time for us */
    BESIDE = 6,       /* quarters of the mean gap: how far aside the first attempt goes */
    BESIDE_MAX = 96,
    PAGES_MAX = 200,
    GOOD_MAX = 32, /* records of one answer; more do not fit */
};

/* How long an attempt waits for an answer. */
static const uint16_t wait_ms[WRN_DHT_ATTEMPTS] = {1200, 1300, 1200, 1200, 1200, 1200, 1200};

static struct wrn_dht_request *take(struct wrn_dht *dht, wrn_span bytes);
static void release(struct wrn_dht *dht, struct wrn_dht_request *request);
static wrn_span bytes_of(const struct wrn_dht *dht, const struct wrn_dht_request *request);
static void begin(struct wrn_dht *dht, struct wrn_now now, struct wrn_dht_request *request);
static void attempt(struct wrn_dht *dht, struct wrn_now now, struct wrn_dht_request *request);
static void attempt_aside(struct wrn_dht *dht, struct wrn_now now, struct wrn_dht_request *request);
static void send_attempt(struct wrn_dht *dht, struct wrn_now now, struct wrn_dht_request *request,
                         uint32_t index, struct wrn_route_header *header, bool is_aside);
static void wait_until(struct wrn_dht_request *request, wrn_mono due);
static bool choose_target(const struct wrn_dht *dht, const struct wrn_dht_request *request,
                          uint32_t index, struct wrn_route_header *header, bool *ret_is_aside);
static wrn_id place_beside(const struct wrn_dht *dht, const struct wrn_dht_request *request,
                           uint32_t step);
static void go_further(struct wrn_dht_request *request);
static wrn_id mean_gap(const struct wrn_dht *dht);
static struct wrn_dht_request *find(struct wrn_dht *dht, uint64_t nonce, uint32_t *ret_attempt);
static enum wrn_reason examine(struct wrn_dht *dht, struct wrn_now now,
                               struct wrn_dht_request *request, wrn_span bytes);
static uint32_t examine_all(struct wrn_dht *dht, struct wrn_now now,
                            struct wrn_dht_request *request, const struct wrn_dht_fields *answer,
                            wrn_span good[GOOD_MAX]);
static void deliver(struct wrn_dht *dht, struct wrn_now now, struct wrn_dht_request *request,
                    const wrn_span *records, uint32_t count, bool is_last);
static void next_page(struct wrn_dht *dht, struct wrn_now now, struct wrn_dht_request *request,
                      wrn_id responder, uint64_t token);
static void take_word(struct wrn_dht *dht, struct wrn_now now, struct wrn_dht_request *request,
                      wrn_id responder, enum wrn_reason reason);
static bool is_newer_own(const struct wrn_dht_candidate *ours,
                         const struct wrn_dht_candidate *other);
static bool is_proof(struct wrn_dht *dht, struct wrn_now now, const struct wrn_dht_request *request,
                     enum wrn_reason reason, wrn_span bytes, struct wrn_dht_candidate *ret_other);
static bool is_believed(const struct wrn_dht *dht, struct wrn_dht_request *request,
                        enum wrn_reason reason, wrn_id responder, uint32_t attempt);
static bool waits_for_ring(const struct wrn_dht *dht, wrn_mono now,
                           struct wrn_dht_request *request);
static void look_here(struct wrn_dht *dht, struct wrn_now now, struct wrn_dht_request *request);
static void store_here(struct wrn_dht *dht, struct wrn_now now, struct wrn_dht_request *request);
static void hold_granted(struct wrn_dht *dht, struct wrn_now now,
                         const struct wrn_dht_request *request);
static void forget_refused(struct wrn_dht *dht, const struct wrn_dht_request *request);
static void answer_user(struct wrn_dht *dht, struct wrn_now now,
                        const struct wrn_dht_request *request, enum wrn_reason reason,
                        uint32_t copies, wrn_span record, bool is_last);
static void finish(struct wrn_dht *dht, struct wrn_now now, struct wrn_dht_request *request,
                   enum wrn_reason reason, uint32_t copies, const struct wrn_dht_candidate *winner);

enum wrn_reason wrn_dht_get(struct wrn_dht *dht, struct wrn_now now, uint32_t tag, wrn_span key) {
    if (key.size == 0 || key.size > WRN_RECORD_KEY_MAX) {
        return WRN_REASON_TOO_LARGE;
    }
    struct wrn_dht_request *request = take(dht, key);
    if (request == NULL) {
        return WRN_REASON_FULL;
    }
    request->verb = WRN_DHT_GET;
    request->tag = tag;
    request->place = wrn_record_place(key, dht->primitives);
    begin(dht, now, request);
    return WRN_REASON_NONE;
}

enum wrn_reason wrn_dht_store(struct wrn_dht *dht, struct wrn_now now, uint32_t tag,
                              wrn_span record) {
    struct wrn_dht_candidate candidate;
    enum wrn_reason reason = wrn_dht_candidate_read(&candidate, record, dht->primitives);
    if (reason == WRN_REASON_NONE) {
        reason = wrn_record_check_time(&candidate.record, now.wall);
    }
    if (reason == WRN_REASON_NONE) {
        reason = wrn_record_verify(record, dht->primitives);
    }
    struct wrn_dht_request *request = reason == WRN_REASON_NONE ? take(dht, record) : NULL;
    if (request == NULL) {
        return reason != WRN_REASON_NONE ? reason : WRN_REASON_FULL;
    }
    request->verb = WRN_DHT_STORE;
    request->tag = tag;
    request->place = candidate.place;
    request->version = candidate.version;
    if (dht->options.rule != NULL &&
        dht->options.rule(dht->options.rule_ctx, &candidate.record, now.wall) == WRN_REASON_RULE) {
        /* All would say so; of other reasons holders may know more than we. It ends at once. */
        request->reason = WRN_REASON_RULE;
        request->start = request->due = request->deadline = now.mono;
        wrn_dht_update_due(dht);
        return WRN_REASON_NONE;
    }
    begin(dht, now, request);
    return WRN_REASON_NONE;
}

bool wrn_dht_request_inner(struct wrn_dht *dht, struct wrn_now now, enum wrn_dht_request_kind kind,
                           uint32_t tag, const struct wrn_dht_candidate *candidate, bool is_again) {
    struct wrn_dht_request *request =
        &dht->requests[dht->options.requests_max + (kind == WRN_DHT_OF_HANDOVER)];
    if (request->is_used) {
        return false;
    }
    memset(request, 0, sizeof(*request));
    request->is_used = true;
    request->verb = WRN_DHT_STORE;
    request->kind = kind;
    request->is_again = is_again;
    request->tag = tag;
    request->place = candidate->place;
    request->version = candidate->version;
    begin(dht, now, request);
    return true;
}

void wrn_dht_request_on_answer(struct wrn_dht *dht, struct wrn_now now, wrn_id responder,
                               const struct wrn_dht_fields *answer) {
    uint32_t index;
    wrn_span good[GOOD_MAX];
    struct wrn_dht_request *request = find(dht, answer->nonce, &index);
    if (request == NULL || request->verb != WRN_DHT_GET) {
        return; /* it was answered before */
    }
    uint32_t count = examine_all(dht, now, request, answer, good);
    bool is_end = answer->reason == WRN_REASON_NONE && answer->count == 0 && request->pages > 0;
    if (count > 0 || is_end) {
        bool is_last = answer->token <= request->token || request->pages >= PAGES_MAX;
        deliver(dht, now, request, good, count, is_last);
        if (!is_last) {
            next_page(dht, now, request, responder, answer->token);
        }
        return;
    }
    if ((request->spoke & 1u << index) == 0) {
        request->spoke |= (uint8_t)(1u << index);
        take_word(dht, now, request, responder, answer->reason);
    }
}

void wrn_dht_request_on_stored(struct wrn_dht *dht, struct wrn_now now, wrn_id responder,
                               const struct wrn_dht_fields *stored) {
    uint32_t index;
    struct wrn_dht_candidate other;
    struct wrn_dht_request *request = find(dht, stored->nonce, &index);
    if (request == NULL || request->verb != WRN_DHT_STORE) {
        return;
    }
    if (stored->reason == WRN_REASON_NONE) {
        finish(dht, now, request, WRN_REASON_NONE, stored->copies, NULL);
        return;
    }
    if (stored->reason == WRN_REASON_KEY_TAKEN || stored->reason == WRN_REASON_STALE) {
        bool is_proven = is_proof(dht, now, request, stored->reason, stored->record, &other);
        if (is_proven && is_believed(dht, request, stored->reason, responder, index)) {
            finish(dht, now, request, stored->reason, 0, &other);
            return;
        }
        if (!is_proven) {
            wrn_dht_add(dht, WRN_DHT_COUNT_FALSE_ANSWERS);
        }
        if ((request->spoke & 1u << index) == 0) {
            request->spoke |= (uint8_t)(1u << index);
            attempt_aside(dht, now, request);
        }
        return;
    }
    if (stored->reason == WRN_REASON_RATE) {
        request->reason = WRN_REASON_RATE;
        wait_until(request, wrn_mono_add(now.mono, WRN_MS(RATE_MS)));
        return;
    }
    if ((request->spoke & 1u << index) == 0) {
        request->spoke |= (uint8_t)(1u << index);
        take_word(dht, now, request, responder, stored->reason);
    }
}

void wrn_dht_request_on_own(struct wrn_dht *dht, struct wrn_now now, uint64_t nonce) {
    uint32_t index;
    struct wrn_dht_request *request = find(dht, nonce, &index);
    if (request != NULL && request->pages == 0) {
        request->is_local = true;
        request->due = now.mono;
    }
}

void wrn_dht_request_on_failed(struct wrn_dht *dht, struct wrn_now now, enum wrn_reason reason,
                               uint64_t nonce) {
    uint32_t index;
    struct wrn_dht_request *request = find(dht, nonce, &index);
    (void)reason; /* whatever it was, another attempt goes another way */
    if (request != NULL && (request->spoke & 1u << index) == 0) {
        request->spoke |= (uint8_t)(1u << index);
        request->due = wrn_mono_min(request->due, wrn_mono_add(now.mono, WRN_MS(REFUSED_MS)));
    }
}

void wrn_dht_request_on_time(struct wrn_dht *dht, struct wrn_now now) {
    for (uint32_t i = 0; i < dht->options.requests_max + 2; i++) {
        struct wrn_dht_request *request = &dht->requests[i];
        if (!request->is_used || !wrn_mono_reached(now.mono, request->due)) {
            continue;
        }
        if (!request->is_local) {
            attempt(dht, now, request);
        } else if (request->verb == WRN_DHT_GET) {
            look_here(dht, now, request);
        } else {
            store_here(dht, now, request);
        }
    }
}

wrn_mono wrn_dht_request_due(const struct wrn_dht *dht) {
    wrn_mono due = WRN_MONO_NEVER;
    for (uint32_t i = 0; i < dht->options.requests_max + 2; i++) {
        if (dht->requests[i].is_used) {
            due = wrn_mono_min(due, dht->requests[i].due);
        }
    }
    return due;
}

/* Takes a request, and a place for its bytes. NULL: there is no room for it. */
static struct wrn_dht_request *take(struct wrn_dht *dht, wrn_span bytes) {
    for (uint32_t i = 0; i < dht->options.requests_max; i++) {
        struct wrn_dht_request *request = &dht->requests[i];
        if (!request->is_used) {
            uint8_t *place = wrn_room_take(&dht->room, (uint32_t)bytes.size);
            if (place == NULL) {
                return NULL;
            }
            memcpy(place, bytes.data, bytes.size);
            memset(request, 0, sizeof(*request));
            request->is_used = true;
            request->bytes = place;
            request->size = (uint16_t)bytes.size;
            return request;
        }
    }
    return NULL;
}

/* What it held can still be read until another one is taken. */
static void release(struct wrn_dht *dht, struct wrn_dht_request *request) {
    request->is_used = false;
    wrn_room_give(&dht->room, request->bytes, request->size);
    request->bytes = NULL;
}

/* Returns the key or the record; empty if what was kept or held is gone, or a newer version is
 * there. Valid until requests, kept records or the store change. */
static wrn_span bytes_of(const struct wrn_dht *dht, const struct wrn_dht_request *request) {
    if (request->kind == WRN_DHT_OF_KEEP) {
        const struct wrn_dht_kept *kept = &dht->kept[request->tag];
        bool is_there = kept->is_used && kept->version == request->version;
        return is_there ? (wrn_span){kept->bytes, kept->size} : (wrn_span){0};
    }
    if (request->kind == WRN_DHT_OF_HANDOVER) {
        const struct wrn_dht_entry *entry = wrn_dht_store_at(&dht->store, request->tag);
        bool is_there = entry != NULL && entry->version == request->version;
        return is_there ? wrn_dht_store_bytes(&dht->store, entry) : (wrn_span){0};
    }
    return (wrn_span){request->bytes, request->size};
}

static void begin(struct wrn_dht *dht, struct wrn_now now, struct wrn_dht_request *request) {
    wrn_dht_look(dht, now.mono, false);
    request->start = now.mono;
    request->beside = BESIDE;
    request->deadline = wrn_mono_add(now.mono, WRN_MS(WRN_DHT_REQUEST_MS));
    request->due = now.mono;
    if (request->kind == WRN_DHT_OF_KEEP && dht->near_count > 2) {
        /* The nearest node was asked when it was stored. If it kept the record from the others they
         * would forget the owner's claim when the version ends that they have. */
        request->attempts = ASIDE_FROM;
    }
    bool is_nearest = wrn_links_is_nearest(dht->links, request->place, WRN_HANDLE_NONE);
    if (is_nearest || (request->verb == WRN_DHT_GET &&
                       wrn_dht_rank(dht, request->place, dht->links->self) < WRN_DHT_COPIES)) {
        request->is_local = true; /* when time comes, which is at once */
    } else {
        attempt(dht, now, request);
    }
    wrn_dht_update_due(dht);
}

/* Sends the next attempt that has a target; ends the request if its time is over. The attempts
 * aside are repeated, to other places, until then. */
static void attempt(struct wrn_dht *dht, struct wrn_now now, struct wrn_dht_request *request) {
    if (wrn_mono_reached(now.mono, request->deadline) || bytes_of(dht, request).size == 0) {
        finish(dht, now, request,
               request->reason != WRN_REASON_NONE ? request->reason
               : request->saw_stale               ? WRN_REASON_STALE
                                                  : WRN_REASON_TIMEOUT,
               0, NULL);
        return;
    }
    if (request->is_unanswered) {
        go_further(request);
    }
    for (uint32_t i = 0; i < WRN_DHT_ATTEMPTS; i++) {
        if (request->attempts == WRN_DHT_ATTEMPTS) {
            request->attempts = ASIDE_FROM;
            request->is_slow = true;
        }
        uint32_t index = request->attempts++;
        struct wrn_route_header header = {0};
        bool is_aside = false;
        if (choose_target(dht, request, index, &header, &is_aside)) {
            send_attempt(dht, now, request, index, &header, is_aside);
            return;
        }
    }
    wait_until(request, wrn_mono_add(now.mono, WRN_MS(SLOW_MS)));
}

static void send_attempt(struct wrn_dht *dht, struct wrn_now now, struct wrn_dht_request *request,
                         uint32_t index, struct wrn_route_header *header, bool is_aside) {
    wrn_rand_fill(dht->rand, &request->nonces[index], sizeof(request->nonces[index]));
    request->nonces[index] |= 1; /* 0 is none */
    request->spoke &= (uint8_t) ~(1u << index);
    wrn_span bytes = bytes_of(dht, request);
    bool is_get = request->verb == WRN_DHT_GET;
    struct wrn_dht_fields fields = {
        .type = is_get ? WRN_DHT_MESSAGE_GET : WRN_DHT_MESSAGE_STORE,
        .nonce = request->nonces[index],
        .flags = (uint8_t)((is_aside ? WRN_DHT_ASIDE : 0) |
                           (!is_get && request->is_again ? WRN_DHT_AGAIN : 0)),
        .token = request->token,
        .key = is_get ? bytes : (wrn_span){0},
        .record = is_get ? (wrn_span){0} : bytes,
    };
    request->is_unanswered = is_aside;
    wait_until(request, wrn_mono_add(now.mono, WRN_MS(wait_ms[index])));
    header->wants_trace = true;
    if (wrn_dht_route(dht, header, &fields) != WRN_REASON_NONE) {
        wait_until(request, wrn_mono_min(request->due, wrn_mono_add(now.mono, WRN_MS(REFUSED_MS))));
    }
}

/* No longer than to the end of the request. */
static void wait_until(struct wrn_dht_request *request, wrn_mono due) {
    request->due = wrn_mono_min(due, request->deadline);
}

static void attempt_aside(struct wrn_dht *dht, struct wrn_now now,
                          struct wrn_dht_request *request) {
    if (request->attempts < ASIDE_FROM) {
        request->attempts = ASIDE_FROM;
    }
    if (request->is_slow) {
        wait_until(request, wrn_mono_min(request->due, wrn_mono_add(now.mono, WRN_MS(SLOW_MS))));
    } else {
        attempt(dht, now, request);
    }
}

/* First the nearest node, twice. Then nodes beside it, by ways that do not lead through it: it may
 * be new, or lie. Whoever is a holder knows the others. */
static bool choose_target(const struct wrn_dht *dht, const struct wrn_dht_request *request,
                          uint32_t index, struct wrn_route_header *header, bool *ret_is_aside) {
    if (index == 0 && request->is_exact) {
        header->mode = WRN_ROUTE_EXACT;
        header->target = request->responder;
        return !wrn_id_equal(request->responder, dht->links->self);
    }
    header->mode = WRN_ROUTE_NEAREST;
    header->target = request->place;
    if (index >= ASIDE_FROM && index < ASIDE_FROM + ASIDE_COUNT) {
        uint32_t step = index - ASIDE_FROM;
        uint32_t rank = wrn_dht_rank(dht, request->place, dht->links->self);
        if (rank < WRN_DHT_COPIES || dht->near_is_all) {
            /* we know the other holders ourselves; if we are not the nearest, that one was asked */
            const struct wrn_dht_neighbour *other =
                wrn_dht_near(dht, request->place, step + (rank > 0));
            header->mode = WRN_ROUTE_EXACT;
            header->target = other != NULL ? other->id : dht->links->self;
            return other != NULL;
        }
        header->target = place_beside(dht, request, step);
        *ret_is_aside = true;
    }
    return !wrn_links_is_nearest(dht->links, header->target, WRN_HANDLE_NONE);
}

/* To the right and to the left in turn, about as far as was found to help: where nobody answers, or
 * the same node as before, the next attempt goes further; nearer where a node is no holder. */
static wrn_id place_beside(const struct wrn_dht *dht, const struct wrn_dht_request *request,
                           uint32_t step) {
    wrn_id quarter = wrn_id_middle((wrn_id){0}, wrn_id_middle((wrn_id){0}, mean_gap(dht)));
    uint32_t quarters = request->beside;
    quarters += wrn_rand_below(dht->rand, 1 + quarters / 2) - quarters / 4;
    wrn_id offset = {0};
    for (uint32_t i = 0; i < quarters; i++) {
        offset = wrn_id_add(offset, quarter);
    }
    return step % 2 == 0 ? wrn_id_add(request->place, offset)
                         : wrn_id_subtract(request->place, offset);
}

static void go_further(struct wrn_dht_request *request) {
    if (request->beside < BESIDE_MAX) {
        request->beside = (uint8_t)(request->beside * 2);
    }
}

/* A power of two, more than half of the mean gap and at most all of it. The near nodes are in the
 * order of the ring: we, those to the right, those to the left; in a small ring they are all. */
static wrn_id mean_gap(const struct wrn_dht *dht) {
    uint64_t nodes = dht->near_count;
    if (!dht->near_is_all && dht->near_right > 0) {
        wrn_id last = dht->near[dht->near_right].id;
        nodes = wrn_id_estimate(wrn_id_subtract(last, dht->links->self), dht->near_right);
    }
    uint32_t bit = WRN_ID_BITS - wrn_ceil_log2(nodes < 2 ? 2 : nodes);
    return bit >= 32 ? (wrn_id){UINT64_C(1) << (bit - 32), 0} : (wrn_id){0, 1u << bit};
}

static struct wrn_dht_request *find(struct wrn_dht *dht, uint64_t nonce, uint32_t *ret_attempt) {
    for (uint32_t i = 0; i < dht->options.requests_max + 2 && nonce != 0; i++) {
        struct wrn_dht_request *request = &dht->requests[i];
        for (uint32_t j = 0; request->is_used && j < request->attempts; j++) {
            if (request->nonces[j] == nonce) {
                *ret_attempt = j;
                return request;
            }
        }
    }
    return NULL;
}

/* Says whether a record answers a request: NONE, or why it does not. */
static enum wrn_reason examine(struct wrn_dht *dht, struct wrn_now now,
                               struct wrn_dht_request *request, wrn_span bytes) {
    struct wrn_dht_candidate candidate;
    if (wrn_dht_candidate_read(&candidate, bytes, dht->primitives) != WRN_REASON_NONE ||
        candidate.record.key.size != request->size ||
        memcmp(candidate.record.key.data, request->bytes, request->size) != 0 ||
        wrn_record_verify(bytes, dht->primitives) != WRN_REASON_NONE) {
        wrn_dht_add(dht, WRN_DHT_COUNT_FALSE_ANSWERS);
        return WRN_REASON_BAD_SIGNATURE;
    }
    enum wrn_reason reason = wrn_record_check_time(&candidate.record, now.wall);
    if (reason == WRN_REASON_NONE && dht->options.rule != NULL) {
        reason = dht->options.rule(dht->options.rule_ctx, &candidate.record, now.wall);
    }
    if (reason != WRN_REASON_NONE) {
        wrn_dht_add(dht, WRN_DHT_COUNT_FALSE_ANSWERS);
        request->reason = reason; /* for the user, if no better record comes: our clock, perhaps */
        return reason;
    }
    if (wrn_dht_is_stale(dht, &candidate)) {
        wrn_dht_add(dht, WRN_DHT_COUNT_STALE_ANSWERS);
        request->saw_stale = true;
        return WRN_REASON_STALE;
    }
    wrn_dht_see(dht, &candidate);
    return candidate.record.kind == WRN_RECORD_DELETE ? WRN_REASON_NOT_FOUND : WRN_REASON_NONE;
}

/* Fills in the records of an answer that are as they should be. */
static uint32_t examine_all(struct wrn_dht *dht, struct wrn_now now,
                            struct wrn_dht_request *request, const struct wrn_dht_fields *answer,
                            wrn_span good[GOOD_MAX]) {
    struct wrn_reader reader = wrn_reader(answer->items);
    uint32_t count = 0;
    for (uint32_t i = 0; i < answer->count && count < GOOD_MAX; i++) {
        wrn_span bytes = wrn_read_span(&reader, wrn_read_u16(&reader));
        if (examine(dht, now, request, bytes) == WRN_REASON_NONE) {
            good[count++] = bytes;
        }
    }
    return count;
}

/* Hands over records, and ends the request with the last one. */
static void deliver(struct wrn_dht *dht, struct wrn_now now, struct wrn_dht_request *request,
                    const wrn_span *records, uint32_t count, bool is_last) {
    for (uint32_t i = 0; i + is_last < count; i++) {
        answer_user(dht, now, request, WRN_REASON_NONE, 0, records[i], false);
    }
    if (is_last) {
        release(dht, request);
        wrn_span last = count > 0 ? records[count - 1] : (wrn_span){0};
        answer_user(dht, now, request, WRN_REASON_NONE, 0, last, true);
    }
}

static void next_page(struct wrn_dht *dht, struct wrn_now now, struct wrn_dht_request *request,
                      wrn_id responder, uint64_t token) {
    memset(request->nonces, 0, sizeof(request->nonces)); /* late answers are about another page */
    request->token = token;
    request->pages++;
    request->attempts = 0;
    request->spoke = 0;
    request->is_slow = request->is_unanswered = false;
    request->deadline = wrn_mono_add(now.mono, WRN_MS(WRN_DHT_REQUEST_MS));
    request->is_exact = true;
    request->responder = responder;
    attempt(dht, now, request);
}

/* A holder gave no record, but a word: there is none, or it refuses ours. Two of them are
 * believed. */
static void take_word(struct wrn_dht *dht, struct wrn_now now, struct wrn_dht_request *request,
                      wrn_id responder, enum wrn_reason reason) {
    bool is_get = request->verb == WRN_DHT_GET;
    bool counts = reason != WRN_REASON_NOT_HOLDER &&
                  (is_get ? reason == WRN_REASON_NOT_FOUND || reason == WRN_REASON_FULL
                          : reason != WRN_REASON_NONE);
    bool is_new = true;
    for (uint32_t i = 0; i < request->said_count; i++) {
        is_new = is_new && !wrn_id_equal(request->said[i], responder);
    }
    if (request->is_unanswered && reason == WRN_REASON_NOT_HOLDER) {
        request->beside = (uint8_t)((request->beside + 1) / 2);
    } else if (request->is_unanswered && !(counts && is_new)) {
        go_further(request);
    }
    request->is_unanswered = false;
    if (counts && is_new && request->said_count < WRN_COUNT(request->said)) {
        request->said[request->said_count++] = responder;
        request->reason = is_get ? request->reason : reason;
    }
    /* A holder that is full says nothing of the others: the rest of the attempts look there. */
    request->saw_full = request->saw_full || reason == WRN_REASON_FULL;
    bool is_sure = counts && (!request->saw_full || request->is_slow);
    if (request->said_count + request->said_self >= 2 && is_sure) {
        finish(dht, now, request,
               !is_get              ? reason
               : request->saw_stale ? WRN_REASON_STALE
                                    : WRN_REASON_NOT_FOUND,
               0, NULL);
        return;
    }
    attempt_aside(dht, now, request);
}

/* Tells whether another record of the owner stands against ours: not the very same, nor one beside
 * it. See relate_own of dht_store.c. */
static bool is_newer_own(const struct wrn_dht_candidate *ours,
                         const struct wrn_dht_candidate *other) {
    uint64_t sequence = ours->record.sequence, others = other->record.sequence;
    bool is_newer = others > sequence || (others == sequence && other->version > ours->version);
    if (ours->record.kind == other->record.kind) {
        return is_newer && ours->value_id == other->value_id;
    }
    return other->record.kind == WRN_RECORD_DELETE ? others >= sequence
           : ours->record.kind == WRN_RECORD_DELETE
               ? other->record.kind == WRN_RECORD_CREATE && others > sequence
               : false;
}

/* Tells whether a record shows that ours may not be stored. */
static bool is_proof(struct wrn_dht *dht, struct wrn_now now, const struct wrn_dht_request *request,
                     enum wrn_reason reason, wrn_span bytes, struct wrn_dht_candidate *ret_other) {
    struct wrn_dht_candidate ours;
    if (wrn_dht_candidate_read(&ours, bytes_of(dht, request), dht->primitives) != WRN_REASON_NONE ||
        wrn_dht_candidate_read(ret_other, bytes, dht->primitives) != WRN_REASON_NONE ||
        ours.record.key.size != ret_other->record.key.size ||
        memcmp(ours.record.key.data, ret_other->record.key.data, ours.record.key.size) != 0) {
        return false;
    }
    bool is_own = memcmp(ours.record.owner, ret_other->record.owner, WRN_SIGN_PUBLIC_SIZE) == 0;
    bool is_against =
        reason == WRN_REASON_STALE
            ? is_own && is_newer_own(&ours, ret_other)
            : !is_own && ours.record.kind == WRN_RECORD_CREATE &&
                  ret_other->record.kind == WRN_RECORD_CREATE &&
                  wrn_record_check_time(&ret_other->record, now.wall) == WRN_REASON_NONE;
    return is_against && wrn_record_verify(bytes, dht->primitives) == WRN_REASON_NONE;
}

/* That a key which we had is somebody else's, one node alone does not get us to believe: another
 * one, asked by another way, must say so, too. Or we find it ourselves, or there is nobody else. */
static bool is_believed(const struct wrn_dht *dht, struct wrn_dht_request *request,
                        enum wrn_reason reason, wrn_id responder, uint32_t attempt) {
    if (reason != WRN_REASON_KEY_TAKEN || request->kind != WRN_DHT_OF_KEEP ||
        wrn_id_equal(responder, dht->links->self) || dht->near_count <= 2) {
        return true;
    }
    bool is_aside = attempt >= ASIDE_FROM;
    bool is_other = request->said_count > 0 && !wrn_id_equal(request->said[0], responder) &&
                    (is_aside || request->said_aside);
    if (request->said_count == 0) {
        request->said[request->said_count++] = responder;
        request->said_aside = is_aside;
    }
    return is_other;
}

/* This node is itself a holder: what it has is the answer. */
static void look_here(struct wrn_dht *dht, struct wrn_now now, struct wrn_dht_request *request) {
    wrn_span key = {request->bytes, request->size};
    uint64_t token = 0;
    uint8_t copy[WRN_RECORD_MAX]; /* what the user does with it may change the store */
    wrn_span record = {copy, 0};
    request->is_local = false;
    for (;;) {
        uint32_t index = wrn_dht_store_next_of_key(&dht->store, request->place, key, token, false);
        const struct wrn_dht_entry *entry = wrn_dht_store_at(&dht->store, index);
        if (entry == NULL) {
            break;
        }
        token = entry->value_id;
        if (entry->until_s <= now.wall.s) {
            continue; /* the clock has jumped: others see it the same way */
        }
        if (record.size > 0) {
            deliver(dht, now, request, &record, 1, false);
            entry = wrn_dht_store_at(&dht->store, index);
        }
        if (entry != NULL) {
            record.size = entry->size;
            memcpy(copy, wrn_dht_store_bytes(&dht->store, entry).data, entry->size);
        }
    }
    if (record.size > 0) {
        wrn_dht_add(dht, WRN_DHT_COUNT_ANSWERED);
        deliver(dht, now, request, &record, 1, true);
        return;
    }
    if (waits_for_ring(dht, now.mono, request)) {
        request->is_local = true; /* and look again */
        return;
    }
    request->said_self = wrn_dht_rank(dht, request->place, dht->links->self) < WRN_DHT_COPIES;
    request->saw_full = request->said_self && !wrn_dht_copies_has_room(dht, request->place.high);
    if (dht->near_count == 1) {
        bool is_alone = dht->links->count == 0; /* else we are about to join */
        finish(dht, now, request, is_alone ? WRN_REASON_NOT_FOUND : WRN_REASON_NOT_CONNECTED, 0,
               NULL);
    } else if (wrn_links_is_nearest(dht->links, request->place, WRN_HANDLE_NONE)) {
        attempt_aside(dht, now, request);
    } else {
        attempt(dht, now, request);
    }
}

/* While we have links but no neighbour yet we are about to join: the ring may have other holders,
 * so the request waits. False: nothing to wait for, or no time is left. */
static bool waits_for_ring(const struct wrn_dht *dht, wrn_mono now,
                           struct wrn_dht_request *request) {
    if (dht->near_count != 1 || dht->links->count == 0 ||
        wrn_mono_reached(now, request->deadline)) {
        return false;
    }
    request->reason = WRN_REASON_NOT_CONNECTED;
    wait_until(request, wrn_mono_add(now, WRN_MS(JOINING_MS)));
    return true;
}

static void store_here(struct wrn_dht *dht, struct wrn_now now, struct wrn_dht_request *request) {
    bool is_over = wrn_mono_reached(now.mono, request->deadline);
    if (waits_for_ring(dht, now.mono, request)) {
        return;
    }
    uint8_t copy[WRN_RECORD_MAX]; /* what is held moves when the store changes */
    wrn_span record = bytes_of(dht, request);
    request->is_local = false;
    if (record.size == 0 || is_over || request->attempts == WRN_DHT_ATTEMPTS ||
        wrn_dht_rank(dht, request->place, dht->links->self) >= WRN_DHT_COPIES) {
        attempt(dht, now, request);
        return;
    }
    memcpy(copy, record.data, record.size);
    uint32_t index = request->attempts++;
    wrn_rand_fill(dht->rand, &request->nonces[index], sizeof(request->nonces[index]));
    request->nonces[index] |= 1;
    request->due = wrn_mono_add(now.mono, WRN_S(3));
    struct wrn_dht_writer writer = {
        .is_self = true, .source = dht->links->self, .nonce = request->nonces[index]};
    struct wrn_dht_fields store = {.type = WRN_DHT_MESSAGE_STORE,
                                   .flags = request->is_again ? WRN_DHT_AGAIN : 0,
                                   .record = {copy, record.size}};
    wrn_dht_write_begin(dht, now, WRN_HANDLE_NONE, &writer, &store);
}

static void answer_user(struct wrn_dht *dht, struct wrn_now now,
                        const struct wrn_dht_request *request, enum wrn_reason reason,
                        uint32_t copies, wrn_span record, bool is_last) {
    struct wrn_dht_answer answer = {
        .tag = request->tag,
        .verb = request->verb,
        .reason = reason,
        .record = record,
        .is_last = is_last,
        .copies = (uint8_t)copies,
        .took_ms = (uint32_t)(wrn_mono_since(now.mono, request->start) / WRN_MS(1)),
    };
    dht->port.answer(dht->port.ctx, &answer);
}

/* A key that was granted to us is ours here, too, from now on, if we are to hold it: the holder
 * that granted it may know no other one yet, and leave before it has copied it. So is it given
 * back here, too. */
static void hold_granted(struct wrn_dht *dht, struct wrn_now now,
                         const struct wrn_dht_request *request) {
    uint8_t copy[WRN_RECORD_MAX]; /* it may be what is kept, or held */
    struct wrn_dht_candidate granted;
    uint32_t index = WRN_DHT_NO_ENTRY;
    wrn_span bytes = bytes_of(dht, request);
    if (bytes.size == 0 || wrn_dht_rank(dht, request->place, dht->links->self) >= WRN_DHT_COPIES) {
        return;
    }
    memcpy(copy, bytes.data, bytes.size);
    bytes.data = copy;
    if (wrn_dht_candidate_read(&granted, bytes, dht->primitives) == WRN_REASON_NONE &&
        granted.record.kind != WRN_RECORD_PUT) {
        granted.claim_s = now.wall.s;
        (void)wrn_dht_admit(dht, now, WRN_HANDLE_NONE, &granted, WRN_DHT_COPIES, true, &index);
    }
    const struct wrn_dht_entry *entry = wrn_dht_store_at(&dht->store, index);
    if (entry != NULL && wrn_dht_copies_known(dht, entry) == 0) {
        wrn_dht_copies_soon(dht, now.mono); /* no other holder has spoken of it */
    }
}

/* A claim that we made and did not get we do not hold either, though a holder may have copied it to
 * us before another one objected: it would stand against the record that is there. What had been
 * granted before, in this version or another, is not given up for one node's word. */
static void forget_refused(struct wrn_dht *dht, const struct wrn_dht_request *request) {
    uint32_t index = wrn_dht_store_next_at(&dht->store, request->place.high, WRN_DHT_NO_ENTRY);
    while (index != WRN_DHT_NO_ENTRY && dht->store.entries[index].version != request->version) {
        index = wrn_dht_store_next_at(&dht->store, request->place.high, index);
    }
    const struct wrn_dht_entry *entry = wrn_dht_store_at(&dht->store, index);
    if (entry == NULL || entry->kind != WRN_RECORD_CREATE || entry->guard.ns != 0 ||
        wrn_dht_keep_was_stored(dht, request->version)) {
        return;
    }
    wrn_dht_store_remove(&dht->store, index);
    wrn_dht_add(dht, WRN_DHT_COUNT_DROPPED);
}

/* Frees the request and tells who began it. */
static void finish(struct wrn_dht *dht, struct wrn_now now, struct wrn_dht_request *request,
                   enum wrn_reason reason, uint32_t copies,
                   const struct wrn_dht_candidate *winner) {
    uint32_t tag = request->tag;
    uint64_t version = request->version;
    bool is_of_owner = request->verb == WRN_DHT_STORE && request->kind != WRN_DHT_OF_HANDOVER;
    if (is_of_owner && reason == WRN_REASON_NONE) {
        wrn_dht_keep_on_stored(dht, version);
        hold_granted(dht, now, request);
    } else if (is_of_owner && reason == WRN_REASON_KEY_TAKEN && !request->is_again) {
        forget_refused(dht, request);
    }
    release(dht, request);
    if (request->kind == WRN_DHT_OF_HANDOVER) {
        bool is_few = reason == WRN_REASON_NONE && copies < 2;
        wrn_dht_copies_on_handed(dht, now, tag, version, is_few ? WRN_REASON_TIMEOUT : reason,
                                 winner);
        return;
    }
    if (request->kind == WRN_DHT_OF_KEEP) {
        wrn_dht_keep_on_done(dht, now, tag, version, reason, winner);
        return;
    }
    answer_user(dht, now, request, reason, copies, winner != NULL ? winner->bytes : (wrn_span){0},
                true);
}
