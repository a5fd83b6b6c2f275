/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the store holds exactly what its rules let stand, in its bounds, and gives each byte back.
 * Method: random records of few owners, keys, values and numbers, against a model that is a list,
 * with the rules written down flat; then tables for what chance rarely meets. */
#include <stdio.h>

#include "overlay/dht_store.h"
#include "unit/base/check.h"

enum { RECORDS_MAX = 40, BYTES_MAX = 9000, WRITER_MAX = 4000, STEPS = 60000, LIST_MAX = 64 };

struct held {
    bool is_used, is_ghost;
    uint32_t index; /* in the store */
    uint8_t owner;
    uint8_t key;
    enum wrn_record_kind kind;
    uint64_t value_id, sequence, version;
    int64_t claimed_s;
    uint8_t hash[WRN_HASH_SIZE];
    uint64_t end, guard;
    size_t size;
    uint8_t bytes[WRN_RECORD_MAX];
};

static struct wrn_crypto *crypto;
static struct wrn_primitives primitives;
static struct wrn_dht_store store;
static struct held list[LIST_MAX];
_Alignas(64) static uint8_t memory[1 << 17];
static struct wrn_prng prng;

static bool cheap_public(void *ctx, const uint8_t *seed, uint8_t *ret_public) {
    (void)ctx;
    memcpy(ret_public, seed, WRN_SIGN_PUBLIC_SIZE);
    return true;
}

static bool cheap_sign(void *ctx, const uint8_t *seed, const char *label, wrn_span message,
                       uint8_t *ret_signature) {
    (void)ctx, (void)seed, (void)label, (void)message;
    memset(ret_signature, 7, WRN_SIGNATURE_SIZE);
    return true;
}

static uint32_t draw(uint32_t bound) {
    return wrn_rand_below(wrn_prng_rand(&prng), bound);
}

static void begin(uint32_t records, uint32_t bytes, uint32_t writer) {
    struct wrn_arena arena;
    assert_int_equal(wrn_crypto_create(WRN_CRYPTO_OPENSSL, &crypto), 0);
    primitives = wrn_primitives(crypto);
    primitives.sign = cheap_sign;
    primitives.sign_public = cheap_public;
    memset(memory, 0, sizeof(memory));
    memset(&store, 0, sizeof(store));
    memset(list, 0, sizeof(list));
    wrn_arena_init(&arena, memory, sizeof(memory));
    wrn_dht_store_init(&store, &arena, records, bytes, writer, &primitives, wrn_prng_next(&prng));
    assert_true(arena.used <= sizeof(memory));
}

static struct wrn_dht_candidate make(uint8_t owner, uint8_t key, enum wrn_record_kind kind,
                                     uint32_t value, uint64_t sequence, int64_t claimed_s,
                                     uint8_t bytes[WRN_RECORD_MAX]) {
    struct wrn_dht_candidate candidate;
    uint8_t seed[WRN_SEED_SIZE] = {owner};
    uint8_t text[300];
    char name[16];
    snprintf(name, sizeof(name), "key/%u", key);
    memset(text, 'a' + (int)(value % 20), sizeof(text));
    struct wrn_record record = {.kind = kind,
                                .key = {(const uint8_t *)name, strlen(name)},
                                .value = {text, kind == WRN_RECORD_DELETE ? 0 : 1 + value * 37},
                                .sequence = sequence,
                                .claimed_s = kind == WRN_RECORD_CREATE ? claimed_s : 0,
                                .made_s = 1000,
                                .ttl_s = 60};
    size_t size = wrn_record_write(&record, &primitives, seed, bytes, WRN_RECORD_MAX);
    assert_true(size > 0);
    assert_int_equal(wrn_dht_candidate_read(&candidate, (wrn_span){bytes, size}, &primitives),
                     WRN_REASON_NONE);
    return candidate;
}

/* What an old record says to a new one under its key: 0 nothing, 's'tale, 't'aken, 'h'eld, 'g'ives
 * way, 'l'oses. */
static char relation(const struct held *old, const struct held *new, bool is_strict) {
    bool newer = new->sequence > old->sequence ||
                 (new->sequence == old->sequence &&new->version > old->version);
    if (old->owner != new->owner) {
        if (old->is_ghost || old->kind != WRN_RECORD_CREATE || new->kind != WRN_RECORD_CREATE) {
            return 0;
        }
        return is_strict ? 't' : 'l';
    }
    if (old->version == new->version) {
        return old->is_ghost ? 's' : 'h';
    }
    if (old->kind == WRN_RECORD_DELETE && new->kind == WRN_RECORD_DELETE) {
        return newer ? 'g' : 's';
    }
    if (old->kind == WRN_RECORD_DELETE) {
        return new->sequence <= old->sequence ? 's' : 0;
    }
    if (new->kind == WRN_RECORD_DELETE) {
        return old->sequence <= new->sequence ? 'g' : old->kind == WRN_RECORD_CREATE ? 's' : 0;
    }
    if (old->kind != new->kind || (old->kind == WRN_RECORD_PUT && old->value_id != new->value_id)) {
        return 0;
    }
    return newer ? 'g' : 's';
}

struct expected {
    bool stale, taken, held, quota, full;
    bool conflict;
};

static struct expected judge(const struct held *new, bool is_strict) {
    struct expected e = {0};
    uint64_t count = 0, bytes = 0, owned = 0, of_owner = 0, of_key = 0, freed_own = 0;
    for (uint32_t i = 0; i < LIST_MAX; i++) {
        const struct held *old = &list[i];
        if (!old->is_used) {
            continue;
        }
        char r = old->key == new->key ? relation(old, new, is_strict) : 0;
        e.stale |= r == 's';
        e.taken |= r == 't';
        e.held |= r == 'h';
        e.conflict |= r == 'l';
        bool goes = r == 'g' || r == 'l';
        count += !goes;
        bytes += goes ? 0 : old->size;
        owned += !goes && old->owner == new->owner ? old->size : 0;
        freed_own += r == 'g' ? old->size : 0;
        bool beside = !goes && old->key == new->key && !old->is_ghost;
        of_key += beside && old->kind != WRN_RECORD_CREATE;
        of_owner += beside && old->kind == WRN_RECORD_PUT && old->owner == new->owner;
    }
    e.quota = (owned + new->size > WRITER_MAX ||
               (new->kind == WRN_RECORD_PUT &&of_owner >= WRN_DHT_VALUES_PER_OWNER)) &&
              !(new->kind == WRN_RECORD_DELETE &&freed_own > 0);
    e.full = count >= RECORDS_MAX || bytes + new->size > BYTES_MAX ||
             (new->kind != WRN_RECORD_CREATE &&of_key >= WRN_DHT_VALUES_PER_KEY);
    return e;
}

static void check_verdict(const struct wrn_dht_verdict *verdict, const struct expected *e) {
    bool blocked = e->stale || e->taken || e->held;
    if (blocked) {
        CHECK((verdict->reason == WRN_REASON_STALE && e->stale) ||
                  (verdict->reason == WRN_REASON_KEY_TAKEN && e->taken) ||
                  (verdict->reason == WRN_REASON_NONE && verdict->is_held && e->held),
              "%s: ", wrn_reason_name(verdict->reason));
        assert_true(verdict->existing != WRN_DHT_NO_ENTRY);
        return;
    }
    assert_false(verdict->is_held);
    assert_int_equal(verdict->reason, e->quota  ? WRN_REASON_QUOTA
                                      : e->full ? WRN_REASON_FULL
                                                : WRN_REASON_NONE);
    assert_int_equal(verdict->is_conflict, e->conflict);
}

static void add(struct held *new, const struct wrn_dht_candidate *candidate, uint64_t now,
                uint64_t life) {
    struct held *slot = NULL;
    int64_t claimed_s = new->claimed_s;
    new->end = now + life;
    for (uint32_t i = 0; i < LIST_MAX; i++) {
        struct held *old = &list[i];
        char r = old->is_used && old->key == new->key ? relation(old, new, false) : 0;
        if (r == 'g') {
            uint64_t end = old->end > old->guard ? old->end : old->guard;
            new->guard = end > new->guard ? end : new->guard;
            bool is_claim = !old->is_ghost && old->kind == WRN_RECORD_CREATE;
            claimed_s = is_claim && old->claimed_s < claimed_s ? old->claimed_s : claimed_s;
        }
        if (r == 'g' || r == 'l') {
            old->is_used = false;
        }
        slot = slot == NULL && !old->is_used ? old : slot;
    }
    if (new->kind == WRN_RECORD_DELETE &&new->guard > new->end) {
        new->end = new->guard;
    }
    new->index = wrn_dht_store_add(&store, (wrn_mono){now}, candidate, life);
    assert_non_null(slot);
    new->claimed_s = claimed_s;
    *slot = *new;
}

static void expire(uint64_t now) {
    uint32_t expired = 0;
    for (uint32_t i = 0; i < LIST_MAX; i++) {
        struct held *held = &list[i];
        if (held->is_used && held->end <= now) {
            expired += !held->is_ghost;
            held->is_ghost = true;
            held->is_used = held->guard > now;
            held->end = held->guard;
        }
    }
    assert_int_equal(wrn_dht_store_expire(&store, (wrn_mono){now}), expired);
    assert_true(wrn_dht_store_due(&store).ns > now);
}

static void compare(void) {
    uint32_t count = 0, bytes = 0, live = 0, cursor = 0, walked = 0;
    for (uint32_t i = 0; i < LIST_MAX; i++) {
        const struct held *held = &list[i];
        if (!held->is_used) {
            continue;
        }
        count++;
        bytes += (uint32_t)held->size;
        const struct wrn_dht_entry *entry = wrn_dht_store_at(&store, held->index);
        assert_int_equal(entry == NULL, held->is_ghost);
        if (entry != NULL) {
            live++;
            wrn_span span = wrn_dht_store_bytes(&store, entry);
            assert_int_equal(span.size, held->size);
            assert_true(held->kind != WRN_RECORD_CREATE ||
                        wrn_dht_claim_of(entry) == held->claimed_s);
            assert_memory_equal(span.data, held->bytes, span.size);
        }
    }
    while (wrn_dht_store_next(&store, &cursor) != WRN_DHT_NO_ENTRY) {
        walked++;
    }
    assert_int_equal(walked, live);
    assert_int_equal(store.count, count);
    assert_int_equal(store.ghosts, count - live);
    assert_int_equal(store.bytes, bytes);
    assert_true(store.count <= RECORDS_MAX && store.bytes <= BYTES_MAX);
}

/* All records of a key come by tokens, each once, in order. */
static void page(uint8_t key) {
    char name[16];
    snprintf(name, sizeof(name), "key/%u", key);
    wrn_span span = {(const uint8_t *)name, strlen(name)};
    wrn_id place = wrn_record_place(span, &primitives);
    uint32_t found = 0, expected = 0;
    uint64_t token = 0;
    for (;;) {
        uint32_t index = wrn_dht_store_next_of_key(&store, place, span, token, false);
        const struct wrn_dht_entry *entry = wrn_dht_store_at(&store, index);
        if (entry == NULL) {
            break;
        }
        assert_true(entry->value_id > token && entry->kind != WRN_RECORD_DELETE);
        token = entry->value_id;
        found++;
    }
    for (uint32_t i = 0; i < LIST_MAX; i++) {
        expected += list[i].is_used && !list[i].is_ghost && list[i].key == key &&
                    list[i].kind != WRN_RECORD_DELETE;
    }
    assert_int_equal(found, expected);
}

static void against_model(void **state) {
    (void)state;
    wrn_prng_init(&prng, check_seed(), 1);
    begin(RECORDS_MAX, BYTES_MAX, WRITER_MAX);
    uint64_t now = 1;
    uint32_t reasons[WRN_REASON_COUNT] = {0}, conflicts = 0, ghosts = 0;
    for (uint32_t step = 0; step < STEPS; step++) {
        struct held new = {.is_used = true};
        new.owner = (uint8_t)(1 + draw(4));
        new.key = (uint8_t)draw(5);
        new.kind = draw(12) == 0 ? WRN_RECORD_DELETE : (enum wrn_record_kind)draw(2);
        new.sequence = draw(6);
        new.claimed_s = 900 + draw(4);
        struct wrn_dht_candidate candidate =
            make(new.owner, new.key, new.kind, draw(6), new.sequence, 900 + draw(4), new.bytes);
        candidate.claim_s = new.claimed_s; /* which is not what the record says */
        new.value_id = candidate.value_id;
        new.version = candidate.version;
        new.size = candidate.bytes.size;
        memcpy(new.hash, candidate.record.hash, sizeof(new.hash));
        bool is_strict = draw(2) == 0;
        struct expected e = judge(&new, is_strict);
        struct wrn_dht_verdict verdict = wrn_dht_store_judge(&store, &candidate, is_strict);
        check_verdict(&verdict, &e);
        reasons[verdict.reason]++;
        conflicts += verdict.is_conflict;
        if (verdict.reason == WRN_REASON_NONE && !verdict.is_held) {
            add(&new, &candidate, now, 1 + draw(300));
        }
        if (draw(50) == 0) {
            uint32_t owner = draw(5);
            uint8_t key[WRN_SIGN_PUBLIC_SIZE] = {(uint8_t)owner};
            uint32_t expected = 0;
            for (uint32_t i = 0; i < LIST_MAX; i++) {
                if (list[i].is_used && list[i].is_ghost && (owner == 0 || list[i].owner == owner)) {
                    list[i].is_used = false;
                    expected++;
                }
            }
            ghosts += expected;
            assert_int_equal(wrn_dht_store_forget_ghosts(&store, owner == 0 ? NULL : key),
                             expected);
        }
        if (draw(40) == 0) {
            struct held *held = &list[draw(LIST_MAX)];
            if (held->is_used && !held->is_ghost) {
                wrn_dht_store_remove(&store, held->index);
                held->is_used = false;
            }
        }
        now += draw(5);
        expire(now);
        compare();
        page(new.key);
    }
    assert_true(reasons[WRN_REASON_NONE] > 100 && reasons[WRN_REASON_STALE] > 100 &&
                reasons[WRN_REASON_KEY_TAKEN] > 100 && reasons[WRN_REASON_QUOTA] > 100 &&
                conflicts > 100 && ghosts > 10);
    wrn_crypto_destroy(crypto);
}

/* Full to the last byte, over and over, with records of all sizes: nothing is lost to holes. */
static void to_the_brim(void **state) {
    (void)state;
    wrn_prng_init(&prng, check_seed(), 2);
    begin(RECORDS_MAX, BYTES_MAX, BYTES_MAX);
    uint8_t bytes[WRN_RECORD_MAX];
    uint32_t full = 0;
    for (uint32_t i = 0; i < 20000; i++) {
        struct wrn_dht_candidate candidate = make((uint8_t)(1 + draw(200)), (uint8_t)draw(200),
                                                  WRN_RECORD_PUT, draw(8), i, 0, bytes);
        struct wrn_dht_verdict verdict = wrn_dht_store_judge(&store, &candidate, true);
        if (verdict.reason == WRN_REASON_NONE) {
            (void)wrn_dht_store_add(&store, (wrn_mono){1}, &candidate, 1000);
            continue;
        }
        assert_int_equal(verdict.reason, WRN_REASON_FULL);
        assert_true(store.count == RECORDS_MAX || store.bytes + candidate.bytes.size > BYTES_MAX);
        full++;
        uint32_t cursor = draw(store.touched);
        uint32_t index = wrn_dht_store_next(&store, &cursor);
        if (index != WRN_DHT_NO_ENTRY) {
            wrn_dht_store_remove(&store, index);
        }
    }
    assert_true(full > 1000);
    wrn_crypto_destroy(crypto);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_model),
        cmocka_unit_test(to_the_brim),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
