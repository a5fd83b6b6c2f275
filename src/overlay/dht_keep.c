/* SPDX-License-Identifier: Apache-2.0 */
/* This node's own records: stored again from time to time, told of when they are to be signed anew,
 * given up when they lost. Also what the node remembers of the records of others. */
#include "overlay/dht_internal.h"

enum {
    FIRST_CHECK_MS = 20000, /* after it was kept */
    FOUND_MS = 1000,        /* after the ring was found */
    CHECK_MIN_S = 60,
    CHECK_MAX_S = 3600,
    BUSY_MS = 500, /* while another record is being checked */
    RETRY_MS = 5000,
    RETRIES_MAX = 7, /* then RETRY_MS * 2^7, about 10 minutes */
    REFUSED_MAX = 3, /* times that it is refused for good before it is given up */
    TAKEN_MAX = 5,   /* ... taken, though its claim says that it is older: some 155 s */
    TAKEN_SURE = 4,  /* ... taken, by an older one: some 75 s, while holders still compare */
    LOSS_RATE = 5,   /* a second, of those who say that we lost: each costs a question */
    LOSS_BURST = 20,
    LOSS_MS = 1000, /* after somebody says so, we ask the holders */
};

static struct wrn_dht_kept *find(struct wrn_dht *dht, const struct wrn_dht_candidate *candidate);
static void schedule(struct wrn_dht *dht, struct wrn_now now, struct wrn_dht_kept *kept,
                     const struct wrn_record *record);
static bool is_later_own(const struct wrn_dht_candidate *ours,
                         const struct wrn_dht_candidate *theirs);
static uint64_t jitter(struct wrn_dht *dht, uint64_t ns);
static void check(struct wrn_dht *dht, struct wrn_now now, struct wrn_dht_kept *kept);
static void ask_soon(struct wrn_dht *dht, wrn_mono now, struct wrn_dht_kept *kept);
static void retry(struct wrn_dht *dht, struct wrn_now now, struct wrn_dht_kept *kept);
static void lose(struct wrn_dht *dht, struct wrn_dht_kept *kept, wrn_span winner,
                 enum wrn_reason reason);
static void release(struct wrn_dht *dht, struct wrn_dht_kept *kept);
static struct wrn_dht_candidate read_kept(const struct wrn_dht *dht,
                                          const struct wrn_dht_kept *kept);
static uint64_t name_of(const struct wrn_dht *dht, const struct wrn_dht_candidate *candidate,
                        enum wrn_record_kind kind);
static void remember(struct wrn_dht *dht, uint64_t what, uint64_t sequence_min);

enum wrn_reason wrn_dht_keep(struct wrn_dht *dht, struct wrn_now now, wrn_span record) {
    struct wrn_dht_candidate candidate;
    enum wrn_reason reason = wrn_dht_candidate_read(&candidate, record, dht->primitives);
    if (reason != WRN_REASON_NONE) {
        return reason;
    }
    struct wrn_dht_kept *kept = find(dht, &candidate);
    if (kept == NULL) {
        return WRN_REASON_FULL;
    }
    uint8_t *old = kept->is_used ? kept->bytes : NULL;
    uint8_t *place = wrn_room_change(&dht->room, old, kept->size, (uint32_t)record.size);
    if (place == NULL) {
        return WRN_REASON_FULL;
    }
    memmove(place, record.data, record.size); /* it may be the one that was kept until now */
    *kept = (struct wrn_dht_kept){
        .is_used = true,
        .was_stored = old != NULL && kept->was_stored,
        .failures = old != NULL ? kept->failures : 0,
        .taken = old != NULL ? kept->taken : 0,
        .version = candidate.version,
        .size = (uint16_t)record.size,
        .bytes = place,
    };
    schedule(dht, now, kept, &candidate.record);
    wrn_dht_update_due(dht);
    return WRN_REASON_NONE;
}

bool wrn_dht_kept_claim(const struct wrn_dht *dht, wrn_span key, int64_t *ret_claimed_s) {
    for (uint32_t i = 0; i < dht->options.kept_max; i++) {
        if (!dht->kept[i].is_used) {
            continue;
        }
        struct wrn_dht_candidate ours = read_kept(dht, &dht->kept[i]);
        if (ours.record.kind == WRN_RECORD_CREATE && ours.record.key.size == key.size &&
            memcmp(ours.record.key.data, key.data, key.size) == 0) {
            *ret_claimed_s = ours.record.claimed_s;
            return true;
        }
    }
    return false;
}

wrn_span wrn_dht_kept(const struct wrn_dht *dht, wrn_span key) {
    wrn_span found = {0};
    for (uint32_t i = 0; i < dht->options.kept_max; i++) {
        if (!dht->kept[i].is_used) {
            continue;
        }
        struct wrn_dht_candidate ours = read_kept(dht, &dht->kept[i]);
        bool is_under_key = ours.record.key.size == key.size &&
                            memcmp(ours.record.key.data, key.data, key.size) == 0;
        if (is_under_key && ours.record.kind == WRN_RECORD_CREATE) {
            return ours.bytes;
        }
        found = is_under_key ? ours.bytes : found;
    }
    return found;
}

void wrn_dht_keep_no_more(struct wrn_dht *dht, wrn_span key) {
    for (uint32_t i = 0; i < dht->options.kept_max; i++) {
        struct wrn_dht_kept *kept = &dht->kept[i];
        if (!kept->is_used) {
            continue;
        }
        struct wrn_dht_candidate ours = read_kept(dht, kept);
        if (ours.record.key.size == key.size &&
            memcmp(ours.record.key.data, key.data, key.size) == 0) {
            release(dht, kept);
        }
    }
    wrn_dht_update_due(dht);
}

wrn_span wrn_dht_due_renewal(const struct wrn_dht *dht, struct wrn_now now) {
    for (uint32_t i = 0; i < dht->options.kept_max; i++) {
        const struct wrn_dht_kept *kept = &dht->kept[i];
        if (kept->is_used && (kept->is_due_renewal || wrn_mono_reached(now.mono, kept->renewal))) {
            return (wrn_span){kept->bytes, kept->size};
        }
    }
    return (wrn_span){0};
}

void wrn_dht_keep_on_stored(struct wrn_dht *dht, uint64_t version) {
    for (uint32_t i = 0; i < dht->options.kept_max; i++) {
        dht->kept[i].was_stored |= dht->kept[i].is_used && dht->kept[i].version == version;
    }
}

bool wrn_dht_keep_was_stored(const struct wrn_dht *dht, uint64_t version) {
    for (uint32_t i = 0; i < dht->options.kept_max; i++) {
        const struct wrn_dht_kept *kept = &dht->kept[i];
        if (kept->is_used && kept->version == version) {
            return kept->was_stored;
        }
    }
    return false;
}

void wrn_dht_keep_on_done(struct wrn_dht *dht, struct wrn_now now, uint32_t index, uint64_t version,
                          enum wrn_reason reason, const struct wrn_dht_candidate *winner) {
    struct wrn_dht_kept *kept = &dht->kept[index];
    if (!kept->is_used || kept->version != version) {
        return; /* it was replaced meanwhile */
    }
    bool is_older;
    kept->is_checking = false;
    struct wrn_dht_candidate ours = read_kept(dht, kept);
    switch (reason) {
    case WRN_REASON_NONE:
        kept->failures = kept->taken = 0;
        if (kept->is_doubted) { /* the holders may have said so before they compared */
            ask_soon(dht, now.mono, kept);
        }
        return;
    case WRN_REASON_KEY_TAKEN:
        /* Holders who did not have the same one compare, and what is said meanwhile may be wrong:
         * our claim can be the older one, or, whatever the records say, the one that counts. */
        is_older = wrn_record_wins(&ours.record, &winner->record);
        if (kept->was_stored && kept->taken < (is_older ? TAKEN_MAX : TAKEN_SURE)) {
            kept->taken++;
            retry(dht, now, kept);
            return;
        }
        lose(dht, kept, winner->bytes, reason);
        return;
    case WRN_REASON_STALE:
        if (is_later_own(&ours, winner) &&
            wrn_dht_keep(dht, now, winner->bytes) == WRN_REASON_NONE) {
            kept->renewal = now.mono; /* and is signed anew, by a number beyond that one */
            wrn_dht_update_due(dht);
            return;
        }
        lose(dht, kept, winner->bytes, reason);
        return;
    case WRN_REASON_EXPIRED:
    case WRN_REASON_NOT_YET: /* a clock was wrong when it was signed, or is; seldomer each time */
        retry(dht, now, kept);
        kept->renewal = wrn_mono_min(kept->renewal, kept->check);
        wrn_dht_update_due(dht);
        return;
    case WRN_REASON_RULE:
    case WRN_REASON_NOT_OWNER:
    case WRN_REASON_NOT_ADMITTED:
    case WRN_REASON_EXCLUDED:
    case WRN_REASON_MALFORMED:
    case WRN_REASON_BAD_SIGNATURE:
        if (kept->failures + 1 >= REFUSED_MAX) {
            lose(dht, kept, (wrn_span){0}, reason);
            return;
        }
        retry(dht, now, kept);
        return;
    default:
        retry(dht, now, kept);
        return;
    }
}

void wrn_dht_keep_on_loss(struct wrn_dht *dht, struct wrn_now now, wrn_span winner) {
    struct wrn_dht_candidate theirs;
    if (wrn_dht_candidate_read(&theirs, winner, dht->primitives) != WRN_REASON_NONE ||
        theirs.record.kind != WRN_RECORD_CREATE) {
        wrn_dht_add(dht, WRN_DHT_COUNT_MALFORMED);
        return;
    }
    for (uint32_t i = 0; i < dht->options.kept_max; i++) {
        struct wrn_dht_kept *kept = &dht->kept[i];
        if (!kept->is_used) {
            continue;
        }
        struct wrn_dht_candidate ours = read_kept(dht, kept);
        if (ours.record.kind != WRN_RECORD_CREATE ||
            ours.record.key.size != theirs.record.key.size ||
            memcmp(ours.record.key.data, theirs.record.key.data, ours.record.key.size) != 0 ||
            memcmp(ours.record.owner, theirs.record.owner, WRN_SIGN_PUBLIC_SIZE) == 0) {
            continue;
        }
        if (!wrn_dht_take(&dht->losing, now.mono, LOSS_RATE, LOSS_BURST)) {
            wrn_dht_add(dht, WRN_DHT_COUNT_REFUSED_RATE);
        } else if (kept->is_checking) {
            kept->is_doubted = true;
        } else if (kept->taken == 0) { /* anybody may say so: they decide */
            ask_soon(dht, now.mono, kept);
        }
        return; /* an owner has one CREATE under a key */
    }
}

void wrn_dht_keep_on_found(struct wrn_dht *dht, wrn_mono now) {
    for (uint32_t i = 0; i < dht->options.kept_max; i++) {
        struct wrn_dht_kept *kept = &dht->kept[i];
        if (kept->is_used && !kept->is_checking && kept->taken == 0) {
            kept->check =
                wrn_mono_min(kept->check, wrn_mono_add(now, jitter(dht, 2 * WRN_MS(FOUND_MS))));
        }
    }
}

void wrn_dht_keep_on_time(struct wrn_dht *dht, struct wrn_now now) {
    for (uint32_t i = 0; i < dht->options.kept_max; i++) {
        struct wrn_dht_kept *kept = &dht->kept[i];
        if (!kept->is_used) {
            continue;
        }
        if (wrn_mono_reached(now.mono, kept->end)) {
            lose(dht, kept, (wrn_span){0}, WRN_REASON_EXPIRED);
            continue;
        }
        if (wrn_mono_reached(now.mono, kept->renewal)) {
            kept->is_due_renewal = true;
            kept->renewal = WRN_MONO_NEVER;
        }
        if (wrn_mono_reached(now.mono, kept->check)) {
            check(dht, now, kept);
        }
    }
}

wrn_mono wrn_dht_keep_due(const struct wrn_dht *dht) {
    wrn_mono due = WRN_MONO_NEVER;
    for (uint32_t i = 0; i < dht->options.kept_max; i++) {
        const struct wrn_dht_kept *kept = &dht->kept[i];
        if (kept->is_used) {
            due = wrn_mono_min(wrn_mono_min(due, kept->check),
                               wrn_mono_min(kept->renewal, kept->end));
        }
    }
    return due;
}

void wrn_dht_see(struct wrn_dht *dht, const struct wrn_dht_candidate *candidate) {
    uint64_t sequence = candidate->record.sequence;
    if (candidate->record.kind == WRN_RECORD_CREATE) {
        remember(dht, name_of(dht, candidate, WRN_RECORD_CREATE), sequence);
    } else if (candidate->record.kind == WRN_RECORD_DELETE && sequence < UINT64_MAX) {
        remember(dht, name_of(dht, candidate, WRN_RECORD_CREATE), sequence + 1);
        remember(dht, name_of(dht, candidate, WRN_RECORD_PUT), sequence + 1);
    }
}

bool wrn_dht_is_stale(const struct wrn_dht *dht, const struct wrn_dht_candidate *candidate) {
    if (candidate->record.kind == WRN_RECORD_DELETE) {
        return false;
    }
    uint64_t what = name_of(dht, candidate, candidate->record.kind);
    for (uint32_t i = 0; i < WRN_DHT_SEEN; i++) {
        if (dht->seen[i].what == what) {
            return candidate->record.sequence < dht->seen[i].sequence_min;
        }
    }
    return false;
}

/* Returns the slot of what the candidate replaces, else a free one, else NULL. */
static struct wrn_dht_kept *find(struct wrn_dht *dht, const struct wrn_dht_candidate *candidate) {
    struct wrn_dht_kept *found = NULL;
    for (uint32_t i = 0; i < dht->options.kept_max; i++) {
        struct wrn_dht_kept *kept = &dht->kept[i];
        if (!kept->is_used) {
            found = found == NULL ? kept : found;
            continue;
        }
        struct wrn_dht_candidate ours = read_kept(dht, kept);
        if (ours.value_id == candidate->value_id &&
            ours.record.key.size == candidate->record.key.size &&
            memcmp(ours.record.key.data, candidate->record.key.data, ours.record.key.size) == 0 &&
            memcmp(ours.record.owner, candidate->record.owner, WRN_SIGN_PUBLIC_SIZE) == 0) {
            return kept;
        }
    }
    return found;
}

static void schedule(struct wrn_dht *dht, struct wrn_now now, struct wrn_dht_kept *kept,
                     const struct wrn_record *record) {
    int64_t left_s = record->made_s + record->ttl_s - now.wall.s;
    int64_t half_s = left_s - record->ttl_s / 2;
    left_s = left_s < 0 ? 0 : left_s > 2 * (int64_t)record->ttl_s ? record->ttl_s : left_s;
    half_s = half_s < 0 ? 0 : half_s > left_s ? left_s : half_s;
    /* up to a tenth earlier, so that all who began together do not come together */
    uint64_t early = wrn_rand_below(dht->rand, 1 + record->ttl_s / 10);
    half_s = half_s > (int64_t)early ? half_s - (int64_t)early : half_s;
    kept->end = wrn_mono_add(now.mono, (uint64_t)left_s * WRN_S(1));
    kept->renewal = wrn_mono_add(now.mono, (uint64_t)half_s * WRN_S(1));
    kept->check = wrn_mono_add(now.mono, jitter(dht, WRN_MS(FIRST_CHECK_MS)));
}

/* Tells whether 'theirs' is the very record that we keep, signed by us in a former life whose clock
 * was ahead of ours. */
static bool is_later_own(const struct wrn_dht_candidate *ours,
                         const struct wrn_dht_candidate *theirs) {
    return theirs->record.kind == ours->record.kind && theirs->value_id == ours->value_id &&
           theirs->record.sequence > ours->record.sequence &&
           memcmp(theirs->record.owner, ours->record.owner, WRN_SIGN_PUBLIC_SIZE) == 0 &&
           theirs->record.value.size == ours->record.value.size &&
           (ours->record.value.size == 0 ||
            memcmp(theirs->record.value.data, ours->record.value.data, ours->record.value.size) ==
                0);
}

/* Between three quarters and five quarters of 'ns'. */
static uint64_t jitter(struct wrn_dht *dht, uint64_t ns) {
    return ns / 4 * 3 + ns / 2000 * wrn_rand_below(dht->rand, 1001);
}

/* Has the record stored again: who holds it says so, who lacks it gets it. */
static void check(struct wrn_dht *dht, struct wrn_now now, struct wrn_dht_kept *kept) {
    struct wrn_dht_candidate candidate = read_kept(dht, kept);
    if (wrn_record_check_time(&candidate.record, now.wall) != WRN_REASON_NONE) {
        retry(dht, now, kept); /* our clock was wrong when it was signed: first it is renewed */
        kept->is_due_renewal = true;
        return;
    }
    uint64_t interval_s = candidate.record.ttl_s / 4;
    interval_s = interval_s > CHECK_MAX_S ? CHECK_MAX_S : interval_s;
    interval_s = interval_s < CHECK_MIN_S ? CHECK_MIN_S : interval_s;
    uint32_t index = (uint32_t)(kept - dht->kept);
    kept->is_checking = true; /* the answer may come before this returns */
    kept->is_doubted = false;
    kept->check = wrn_mono_add(now.mono, jitter(dht, interval_s * WRN_S(1)));
    if (!wrn_dht_request_inner(dht, now, WRN_DHT_OF_KEEP, index, &candidate, kept->was_stored)) {
        kept->is_checking = false;
        kept->check = wrn_mono_add(now.mono, WRN_MS(BUSY_MS));
    }
}

/* Asks the holders whether it is still ours. */
static void ask_soon(struct wrn_dht *dht, wrn_mono now, struct wrn_dht_kept *kept) {
    wrn_mono soon = wrn_mono_add(now, jitter(dht, WRN_MS(LOSS_MS)));
    kept->check = wrn_mono_min(kept->check, soon);
    wrn_dht_update_due(dht);
}

static void retry(struct wrn_dht *dht, struct wrn_now now, struct wrn_dht_kept *kept) {
    kept->check = wrn_mono_add(now.mono, jitter(dht, WRN_MS(RETRY_MS) << kept->failures));
    if (kept->failures < RETRIES_MAX) {
        kept->failures++;
    }
}

static void lose(struct wrn_dht *dht, struct wrn_dht_kept *kept, wrn_span winner,
                 enum wrn_reason reason) {
    uint8_t copy[WRN_RECORD_MAX]; /* the caller may keep another record in its slot */
    memcpy(copy, kept->bytes, kept->size);
    wrn_span lost = {copy, kept->size};
    release(dht, kept);
    dht->port.lost(dht->port.ctx, lost, winner, reason);
}

static void release(struct wrn_dht *dht, struct wrn_dht_kept *kept) {
    kept->is_used = false;
    wrn_room_give(&dht->room, kept->bytes, kept->size);
    kept->bytes = NULL;
}

static struct wrn_dht_candidate read_kept(const struct wrn_dht *dht,
                                          const struct wrn_dht_kept *kept) {
    struct wrn_dht_candidate candidate;
    enum wrn_reason reason =
        wrn_dht_candidate_read(&candidate, (wrn_span){kept->bytes, kept->size}, dht->primitives);
    WRN_ASSERT(reason == WRN_REASON_NONE); /* it was read before it was kept */
    return candidate;
}

/* Names the records of one owner, kind and place in a way that nobody else can aim at. */
static uint64_t name_of(const struct wrn_dht *dht, const struct wrn_dht_candidate *candidate,
                        enum wrn_record_kind kind) {
    uint8_t what[WRN_ID_SIZE + 9];
    uint8_t hash[WRN_HASH_SIZE];
    wrn_id_store(candidate->place, what);
    wrn_store_be64(what + WRN_ID_SIZE, dht->store.seed);
    what[WRN_ID_SIZE + 8] = (uint8_t)kind;
    dht->primitives->hash(dht->primitives->ctx, (wrn_span){what, sizeof(what)},
                          (wrn_span){candidate->record.owner, WRN_SIGN_PUBLIC_SIZE}, hash);
    uint64_t name = wrn_load_be64(hash);
    return name != 0 ? name : 1;
}

static void remember(struct wrn_dht *dht, uint64_t what, uint64_t sequence_min) {
    for (uint32_t i = 0; i < WRN_DHT_SEEN; i++) {
        struct wrn_dht_seen *seen = &dht->seen[i];
        if (seen->what == what) {
            seen->sequence_min =
                sequence_min > seen->sequence_min ? sequence_min : seen->sequence_min;
            return;
        }
    }
    dht->seen[dht->seen_next] = (struct wrn_dht_seen){what, sequence_min};
    dht->seen_next = (dht->seen_next + 1) % WRN_DHT_SEEN;
}
