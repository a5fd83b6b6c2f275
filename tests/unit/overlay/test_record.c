/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a record is read as it was written, in one encoding, and only its owner can have written
 * it; conflicts end the same way everywhere. Method: vectors of a second implementation, random
 * records, every truncation and flipped bit, tables of records that are well signed and wrong. */
#include "overlay/record.h"

#include "unit/base/check.h"
#include "unit/overlay/real_primitives.h"
#include "unit/overlay/sign.h"
#include "vectors/ring.h"

static uint8_t seed[WRN_SEED_SIZE];
static const char label[] = "warren record 1";

static int set_up(void **state) {
    check_pattern(seed, sizeof(seed), SIGN_VECTORS_SEED);
    return real_primitives_set_up(state);
}

static wrn_span span_of(const char *text) {
    return (wrn_span){(const uint8_t *)text, strlen(text)};
}

static bool span_equal(wrn_span a, wrn_span b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* Reads from memory of its own size, which the caller frees. A record that is refused is zeroed. */
static enum wrn_reason read_bytes(const uint8_t *bytes, size_t size, struct wrn_record *record,
                                  uint8_t **ret_copy) {
    uint8_t *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    memset(record, 0x55, sizeof(*record));
    enum wrn_reason reason = wrn_record_read((wrn_span){copy, size}, &primitives, record);
    if (reason != WRN_REASON_NONE) {
        assert_true(check_filled(record, sizeof(*record), 0));
        assert_int_equal(wrn_record_verify((wrn_span){copy, size}, &primitives),
                         WRN_REASON_BAD_SIGNATURE);
    }
    *ret_copy = copy;
    return reason;
}

static enum wrn_reason reason_of(const uint8_t *bytes, size_t size) {
    struct wrn_record record;
    uint8_t *copy = NULL;
    enum wrn_reason reason = read_bytes(bytes, size, &record, &copy);
    free(copy);
    return reason;
}

static void check_same(const struct wrn_record *a, const struct wrn_record *b) {
    assert_true(a->kind == b->kind && a->sequence == b->sequence && a->ttl_s == b->ttl_s);
    assert_true(a->claimed_s == b->claimed_s && a->made_s == b->made_s);
    assert_true(span_equal(a->key, b->key) && span_equal(a->value, b->value));
    assert_true(span_equal(a->proof, b->proof));
    assert_memory_equal(a->owner, b->owner, sizeof(a->owner));
    assert_memory_equal(a->hash, b->hash, sizeof(a->hash));
}

static uint8_t value[40];
static uint8_t proof[50];

/* Those of the vectors. */
static struct wrn_record sample(enum wrn_record_kind kind) {
    static const uint64_t sequences[] = {1, UINT64_MAX, 0};
    struct wrn_record record = {.kind = kind,
                                .key = span_of("addr/10.9.8.7"),
                                .sequence = sequences[kind],
                                .made_s = 1795000100,
                                .ttl_s = 3600};
    check_pattern(value, sizeof(value), 38);
    check_pattern(proof, sizeof(proof), 39);
    if (kind != WRN_RECORD_DELETE) {
        record.value = (wrn_span){value, sizeof(value)};
    }
    if (kind == WRN_RECORD_CREATE) {
        record.claimed_s = 1795000000;
        record.proof = (wrn_span){proof, sizeof(proof)};
    }
    return record;
}

static void writes_and_reads_the_vectors(void **state) {
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(vector_record); i++) {
        uint8_t bytes[WRN_RECORD_MAX];
        uint8_t written[WRN_RECORD_MAX];
        uint8_t hash[WRN_HASH_SIZE];
        uint8_t *copy = NULL;
        struct wrn_record expected = sample((enum wrn_record_kind)i);
        struct wrn_record record;
        size_t size = check_hex(vector_record[i].bytes, bytes, sizeof(bytes));
        assert_int_equal(wrn_record_write(&expected, &primitives, seed, written, sizeof(written)),
                         size);
        assert_memory_equal(written, bytes, size);
        assert_int_equal(read_bytes(bytes, size, &record, &copy), WRN_REASON_NONE);
        assert_int_equal(wrn_record_verify((wrn_span){copy, size}, &primitives), WRN_REASON_NONE);
        check_same(&record, &expected);
        check_hex(vector_record[i].hash, hash, sizeof(hash));
        assert_memory_equal(record.hash, hash, sizeof(hash));
        free(copy);
    }
    uint8_t place[WRN_ID_SIZE];
    check_hex(vector_place, place, sizeof(place));
    assert_true(
        wrn_id_equal(wrn_record_place(span_of("addr/10.9.8.7"), &primitives), wrn_id_load(place)));
}

static void reads_what_was_written(void **state) {
    (void)state;
    struct wrn_prng prng;
    uint8_t random[WRN_RECORD_MAX];
    char key[WRN_RECORD_KEY_MAX];
    size_t too_large = 0;
    wrn_prng_init(&prng, check_seed(), 0);
    struct wrn_rand rand = wrn_prng_rand(&prng);
    for (size_t i = 0; i < 400; i++) {
        uint8_t bytes[WRN_RECORD_MAX];
        uint8_t *copy = NULL;
        struct wrn_record again;
        struct wrn_record record = sample((enum wrn_record_kind)wrn_rand_below(rand, 3));
        wrn_rand_fill(rand, random, sizeof(random));
        wrn_rand_fill(rand, &record.sequence, sizeof(record.sequence));
        record.key.size = 3 + wrn_rand_below(rand, WRN_RECORD_KEY_MAX - 2);
        record.key.data = (const uint8_t *)key;
        for (size_t k = 0; k < record.key.size; k++) {
            key[k] = (char)('!' + wrn_rand_below(rand, '~' - '!' + 1));
        }
        key[0] = 'a', key[1] = '/';
        if (record.kind != WRN_RECORD_DELETE) {
            record.value = (wrn_span){random, wrn_rand_below(rand, WRN_RECORD_VALUE_MAX + 1)};
        }
        record.proof = (wrn_span){random, wrn_rand_below(rand, 300)};
        record.made_s += wrn_rand_below(rand, 100000);
        record.ttl_s = 1 + wrn_rand_below(rand, WRN_RECORD_TTL_MAX_S);
        size_t size = wrn_record_write(&record, &primitives, seed, bytes, sizeof(bytes));
        if (size == 0) {
            assert_true(record.key.size + record.value.size + record.proof.size > 700);
            too_large++;
            continue;
        }
        assert_int_equal(read_bytes(bytes, size, &again, &copy), WRN_REASON_NONE);
        assert_int_equal(wrn_record_verify((wrn_span){copy, size}, &primitives), WRN_REASON_NONE);
        check_same(&record, &again);
        free(copy);
    }
    assert_true(too_large > 0 && too_large < 300);
}

static void writes_nothing_beyond_the_capacity(void **state) {
    (void)state;
    uint8_t bytes[WRN_RECORD_MAX];
    struct wrn_record record = sample(WRN_RECORD_CREATE);
    size_t size = wrn_record_write(&record, &primitives, seed, bytes, sizeof(bytes));
    assert_true(size > 0);
    for (size_t capacity = 0; capacity < size; capacity += 7) {
        memset(bytes, 0x77, sizeof(bytes));
        assert_int_equal(wrn_record_write(&record, &primitives, seed, bytes, capacity), 0);
        assert_true(check_filled(bytes + capacity, sizeof(bytes) - capacity, 0x77));
    }
    assert_int_equal(wrn_record_write(&record, &primitives, seed, bytes, size), size);
    /* more room does not make a record longer than one may be */
    uint8_t large[2 * WRN_RECORD_MAX];
    static const uint8_t much[WRN_RECORD_VALUE_MAX];
    record.value = (wrn_span){much, sizeof(much)};
    record.proof = (wrn_span){much, sizeof(much)};
    assert_int_equal(wrn_record_write(&record, &primitives, seed, large, sizeof(large)), 0);
}

static void writes_no_unsound_record(void **state) {
    (void)state;
    static const uint8_t much[WRN_RECORD_MAX];
    struct wrn_record bad[14];
    size_t count = 0;
    for (; count < WRN_COUNT(bad); count++) {
        bad[count] = sample(count < 8 ? WRN_RECORD_PUT : WRN_RECORD_CREATE);
    }
    bad[0].key = span_of("");
    bad[1].key = span_of("family");
    bad[2].key = span_of("/rest");
    bad[3].key = span_of("family/");
    bad[4].key = span_of("a/b c");
    bad[5].key = span_of("a/b\x7f");
    bad[6].claimed_s = 1;
    bad[7].value = (wrn_span){much, WRN_RECORD_VALUE_MAX + 1};
    bad[8].claimed_s = bad[8].made_s + 1;
    bad[9].claimed_s = -1;
    bad[10].ttl_s = 0;
    bad[11].ttl_s = WRN_RECORD_TTL_MAX_S + 1;
    bad[12].made_s = WRN_RECORD_TIME_MAX_S + 1;
    bad[13].kind = WRN_RECORD_DELETE, bad[13].claimed_s = 0;
    for (size_t i = 0; i < count; i++) {
        uint8_t bytes[WRN_RECORD_MAX];
        CHECK(wrn_record_write(&bad[i], &primitives, seed, bytes, sizeof(bytes)) == 0,
              "case %zu: ", i);
    }
}

static void refuses_every_truncation_and_flipped_bit(void **state) {
    (void)state;
    uint8_t bytes[WRN_RECORD_MAX + 1] = {0};
    struct wrn_record record = sample(WRN_RECORD_CREATE);
    size_t size = wrn_record_write(&record, &primitives, seed, bytes, sizeof(bytes));
    for (size_t cut = 0; cut < size; cut++) {
        assert_int_equal(reason_of(bytes, cut), WRN_REASON_MALFORMED);
    }
    assert_int_equal(reason_of(bytes, size + 1), WRN_REASON_MALFORMED);
    assert_int_equal(reason_of(bytes, sizeof(bytes)), WRN_REASON_TOO_LARGE);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK(wrn_record_verify((wrn_span){bytes, size}, &primitives) == WRN_REASON_BAD_SIGNATURE,
              "bit %zu: ", bit);
        (void)reason_of(bytes, size); /* whatever it says, in bounds */
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(wrn_record_verify((wrn_span){bytes, size}, &primitives), WRN_REASON_NONE);
}

#define BEGIN(kind) "(record (version 1) (kind " kind ") (key \"a/b\") (owner @K) "

static const struct {
    const char *text;
    bool is_good;
} forms[] = {
    {BEGIN("put") "(seq 7) (made 9) (ttl 60) (value x))", true},
    {BEGIN("put") "(seq 7) (made 9) (ttl 60) (value \"\"))", true},
    {BEGIN("put") "(seq 7) (made 0) (ttl 604800) (value x) (proof y))", true},
    {BEGIN("create") "(seq 7) (claimed 9) (made 9) (ttl 1) (value x))", true},
    {BEGIN("create") "(seq 7) (claimed 0) (made 253402300799) (ttl 1) (value x))", true},
    {BEGIN("delete") "(seq 7) (made 9) (ttl 60))", true},
    {BEGIN("delete") "(seq 7) (made 9) (ttl 60) (proof y))", true},
    /* kinds and what belongs to them */
    {BEGIN("renew") "(seq 7) (made 9) (ttl 60) (value x))", false},
    {BEGIN("put put") "(seq 7) (made 9) (ttl 60) (value x))", false},
    {BEGIN("") "(seq 7) (made 9) (ttl 60) (value x))", false},
    {BEGIN("put") "(seq 7) (claimed 9) (made 9) (ttl 60) (value x))", false},
    {BEGIN("create") "(seq 7) (made 9) (ttl 60) (value x))", false},
    {BEGIN("create") "(seq 7) (claimed 10) (made 9) (ttl 60) (value x))", false},
    {BEGIN("put") "(seq 7) (made 9) (ttl 60))", false},
    {BEGIN("delete") "(seq 7) (made 9) (ttl 60) (value x))", false},
    {BEGIN("delete") "(seq 7) (made 9) (ttl 60) (value \"\"))", false},
    /* order, missing, doubled, unknown, empty */
    {BEGIN("put") "(made 9) (seq 7) (ttl 60) (value x))", false},
    {BEGIN("put") "(seq 7) (ttl 60) (value x))", false},
    {BEGIN("put") "(seq 7) (made 9) (value x))", false},
    {BEGIN("put") "(seq 7) (made 9) (ttl 60) (value x) (value x))", false},
    {BEGIN("put") "(seq 7) (made 9) (ttl 60) (proof y) (value x))", false},
    {BEGIN("put") "(seq 7) (made 9) (ttl 60) (value x) (proof y) (proof y))", false},
    {BEGIN("put") "(seq 7) (made 9) (ttl 60) (value x) (proof \"\"))", false},
    {BEGIN("put") "(seq 7) (made 9) (ttl 60) (value x) (more y))", false},
    {BEGIN("put") "(seq 7) (made 9) (ttl 60) (value x) more)", false},
    {BEGIN("put") "(seq 7) (made 9) (ttl 60) (value x y))", false},
    {BEGIN("put") "(seq 7) (made 9) (ttl 60) (value (x)))", false},
    {BEGIN("put") "(seq 7) (made 9) (ttl 60) (value [t]x))", false},
    {BEGIN("put") ")", false},
    /* numbers */
    {BEGIN("put") "(seq \"07\") (made 9) (ttl 60) (value x))", false},
    {BEGIN("put") "(seq 7) (made \"-9\") (ttl 60) (value x))", false},
    {BEGIN("put") "(seq 7) (made 253402300800) (ttl 60) (value x))", false},
    {BEGIN("put") "(seq 7) (made 18446744073709551615) (ttl 60) (value x))", false},
    {BEGIN("put") "(seq 7) (made 9) (ttl 0) (value x))", false},
    {BEGIN("put") "(seq 7) (made 9) (ttl 604801) (value x))", false},
    {BEGIN("put") "(seq 7) (made 9) (ttl 4294967297) (value x))", false},
    /* keys and owners */
    {"(record (version 1) (kind put) (key ab) (owner @K) (seq 7) (made 9) (ttl 60) (value x))",
     false},
    {"(record (version 1) (kind put) (key \"/b\") (owner @K) (seq 7) (made 9) (ttl 60)"
     " (value x))",
     false},
    {"(record (version 1) (kind put) (key \"a/\") (owner @K) (seq 7) (made 9) (ttl 60)"
     " (value x))",
     false},
    {"(record (version 1) (kind put) (key \"a/ b\") (owner @K) (seq 7) (made 9) (ttl 60)"
     " (value x))",
     false},
    {"(record (version 1) (kind put) (key #612f00#) (owner @K) (seq 7) (made 9) (ttl 60)"
     " (value x))",
     false},
    {"(record (version 1) (kind put) (key #612f80#) (owner @K) (seq 7) (made 9) (ttl 60)"
     " (value x))",
     false},
    {"(record (version 1) (kind put) (key \"a/b\") (owner #00#) (seq 7) (made 9) (ttl 60)"
     " (value x))",
     false},
    {"(record (version 2) (kind put) (key \"a/b\") (owner @K) (seq 7) (made 9) (ttl 60)"
     " (value x))",
     false},
    {"(locator (version 1) (kind put) (key \"a/b\") (owner @K) (seq 7) (made 9) (ttl 60)"
     " (value x))",
     false},
};

static void reads_one_form_only(void **state) {
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(forms); i++) {
        uint8_t bytes[SIGN_CAPACITY];
        uint8_t *copy = NULL;
        struct wrn_record record;
        size_t size = sign_text(&primitives, seed, label, forms[i].text, bytes);
        if (!forms[i].is_good) {
            CHECK(reason_of(bytes, size) == WRN_REASON_MALFORMED, "%s: ", forms[i].text);
            continue;
        }
        CHECK(read_bytes(bytes, size, &record, &copy) == WRN_REASON_NONE, "%s: ", forms[i].text);
        uint8_t again[WRN_RECORD_MAX];
        assert_int_equal(wrn_record_write(&record, &primitives, seed, again, sizeof(again)), size);
        assert_memory_equal(again, bytes, size);
        free(copy);
    }
}

static void keeps_to_the_limits_of_key_and_value(void **state) {
    (void)state;
    char key[WRN_RECORD_KEY_MAX + 2];
    uint8_t much[WRN_RECORD_VALUE_MAX];
    uint8_t bytes[WRN_RECORD_MAX];
    struct wrn_record record = sample(WRN_RECORD_PUT);
    memset(key, 'k', sizeof(key));
    memset(much, 'v', sizeof(much));
    key[1] = '/';
    record.key = (wrn_span){(const uint8_t *)key, WRN_RECORD_KEY_MAX};
    size_t size = wrn_record_write(&record, &primitives, seed, bytes, sizeof(bytes));
    assert_int_equal(reason_of(bytes, size), WRN_REASON_NONE);
    record.key.size++;
    assert_int_equal(wrn_record_write(&record, &primitives, seed, bytes, sizeof(bytes)), 0);

    record = sample(WRN_RECORD_PUT);
    record.key = span_of("k/k");
    record.value = (wrn_span){much, sizeof(much)};
    size = wrn_record_write(&record, &primitives, seed, bytes, sizeof(bytes));
    print_message("# %d bytes of value make a record of %zu\n", WRN_RECORD_VALUE_MAX, size);
    assert_int_equal(reason_of(bytes, size), WRN_REASON_NONE);
}

static void only_the_owner_signs(void **state) {
    (void)state;
    static const char text[] =
        "(record (version 1) (kind put) (key \"a/b\") (owner @B) (seq 7) (made 9) (ttl 60)"
        " (value x))";
    uint8_t bytes[SIGN_CAPACITY];
    size_t size = sign_text(&primitives, seed, label, text, bytes);
    assert_int_equal(reason_of(bytes, size), WRN_REASON_NONE); /* reading does not verify */
    assert_int_equal(wrn_record_verify((wrn_span){bytes, size}, &primitives),
                     WRN_REASON_BAD_SIGNATURE);
    size = sign_text(&primitives, seed, "warren locator 1",
                     BEGIN("put") "(seq 7) (made 9) (ttl 60) (value x))", bytes);
    assert_int_equal(wrn_record_verify((wrn_span){bytes, size}, &primitives),
                     WRN_REASON_BAD_SIGNATURE);
    size = sign_text(&primitives, seed, label, BEGIN("put") "(seq 7) (made 9) (ttl 60) (value x))",
                     bytes);
    assert_int_equal(wrn_record_verify((wrn_span){bytes, size}, &primitives), WRN_REASON_NONE);
}

static void lives_from_when_it_was_made(void **state) {
    (void)state;
    const struct wrn_record record = {.made_s = 10000, .ttl_s = 60};
    const struct wrn_record last = {.made_s = WRN_RECORD_TIME_MAX_S, .ttl_s = WRN_RECORD_TTL_MAX_S};
    static const struct {
        int64_t now_s;
        enum wrn_reason reason;
    } cases[] = {
        {INT64_MIN, WRN_REASON_NOT_YET},
        {0, WRN_REASON_NOT_YET},
        {9999 - WRN_CLOCK_TOLERANCE_S, WRN_REASON_NOT_YET},
        {10000 - WRN_CLOCK_TOLERANCE_S, WRN_REASON_NONE},
        {10000, WRN_REASON_NONE},
        {10059, WRN_REASON_NONE},
        {10060, WRN_REASON_EXPIRED},
        {INT64_MAX, WRN_REASON_EXPIRED},
    };
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        CHECK(wrn_record_check_time(&record, (wrn_wall){cases[i].now_s, 0}) == cases[i].reason,
              "case %zu: ", i);
    }
    assert_int_equal(wrn_record_check_time(&last, (wrn_wall){INT64_MAX, 0}), WRN_REASON_EXPIRED);
    assert_int_equal(wrn_record_check_time(&last, (wrn_wall){last.made_s, 0}), WRN_REASON_NONE);
}

/* Exactly one of two wins, whoever asks, and the winner of all is the same in any order. */
static void conflicts_have_one_winner(void **state) {
    (void)state;
    struct wrn_prng prng;
    struct wrn_record records[24] = {0};
    wrn_prng_init(&prng, check_seed(), 0);
    struct wrn_rand rand = wrn_prng_rand(&prng);
    for (size_t i = 0; i < WRN_COUNT(records); i++) {
        records[i].claimed_s = wrn_rand_below(rand, 4);
        wrn_rand_fill(rand, records[i].hash, 2); /* mostly zero: alike at the front */
        records[i].hash[31] = (uint8_t)i;
    }
    size_t undefeated = 0;
    for (size_t a = 0; a < WRN_COUNT(records); a++) {
        size_t wins = 0;
        for (size_t b = 0; b < WRN_COUNT(records); b++) {
            bool a_wins = wrn_record_wins(&records[a], &records[b]);
            assert_int_equal(a_wins, a != b && !wrn_record_wins(&records[b], &records[a]));
            CHECK(!a_wins || records[a].claimed_s <= records[b].claimed_s, "%zu, %zu: ", a, b);
            wins += a_wins;
        }
        undefeated += wins == WRN_COUNT(records) - 1;
    }
    assert_int_equal(undefeated, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_and_reads_the_vectors),
        cmocka_unit_test(reads_what_was_written),
        cmocka_unit_test(writes_nothing_beyond_the_capacity),
        cmocka_unit_test(writes_no_unsound_record),
        cmocka_unit_test(refuses_every_truncation_and_flipped_bit),
        cmocka_unit_test(reads_one_form_only),
        cmocka_unit_test(keeps_to_the_limits_of_key_and_value),
        cmocka_unit_test(only_the_owner_signs),
        cmocka_unit_test(lives_from_when_it_was_made),
        cmocka_unit_test(conflicts_have_one_winner),
    };
    return cmocka_run_group_tests(tests, set_up, real_primitives_tear_down);
}
