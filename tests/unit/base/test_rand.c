/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the replayable generator is xoshiro256** and gives every machine the same bytes; bounded
 * draws are in range and even. Method: published and independently computed values; counts per
 * value. */
#include "base/bytes.h"
#include "base/rand.h"
#include "unit/base/check.h"

/* State 1, 2, 3, 4: the values that other implementations publish for the authors' program. */
static void follows_the_authors(void **state) {
    (void)state;
    static const uint64_t expected[] = {
        11520u,
        0u,
        1509978240u,
        1215971899390074240u,
        1216172134540287360u,
        607988272756665600u,
        16172922978634559625u,
        8476171486693032832u,
        10595114339597558777u,
        2904607092377533576u,
    };
    struct wrn_prng prng = {{1, 2, 3, 4}};
    for (size_t i = 0; i < WRN_COUNT(expected); i++) {
        CHECK(wrn_prng_next(&prng) == expected[i], "draw %zu: ", i);
    }
}

/* Computed with arbitrary-precision integers in Python from the two papers' formulas. The first
 * line is also what other implementations give when seeded with 0. */
static void seeds_by_splitmix(void **state) {
    (void)state;
    static const struct {
        uint64_t seed, stream, draws[4];
    } cases[] = {
        {0,
         0,
         {0x99ec5f36cb75f2b4u, 0xbf6e1f784956452au, 0x1a5f849d4933e6e0u, 0x6aa594f1262d2d2cu}},
        {42,
         0,
         {0x15780b2e0c2ec716u, 0x6104d9866d113a7eu, 0xae17533239e499a1u, 0xecb8ad4703b360a1u}},
        {42,
         1,
         {0x584870a53e6ddcdfu, 0x24862b58ab088c44u, 0xb77af7ea4c59709eu, 0x3999723345bddfc3u}},
    };
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        struct wrn_prng prng;
        wrn_prng_init(&prng, cases[i].seed, cases[i].stream);
        for (size_t draw = 0; draw < 4; draw++) {
            CHECK(wrn_prng_next(&prng) == cases[i].draws[draw], "case %zu, draw %zu: ", i, draw);
        }
    }
}

static void separates_streams(void **state) {
    (void)state;
    uint64_t firsts[1000];
    for (size_t i = 0; i < WRN_COUNT(firsts); i++) {
        struct wrn_prng prng;
        wrn_prng_init(&prng, 7, i);
        firsts[i] = wrn_prng_next(&prng);
        for (size_t other = 0; other < i; other++) {
            CHECK(firsts[other] != firsts[i], "streams %zu and %zu: ", other, i);
        }
    }
}

static void fills_any_size(void **state) {
    (void)state;
    for (size_t size = 0; size <= 33; size++) {
        struct wrn_prng words;
        struct wrn_prng bytes;
        uint8_t buffer[40];
        memset(buffer, 0xa5, sizeof(buffer));
        wrn_prng_init(&words, 3, 0);
        wrn_prng_init(&bytes, 3, 0);
        wrn_rand_fill(wrn_prng_rand(&bytes), buffer, size);
        for (size_t i = 0; i < size; i += 8) {
            uint8_t word[8];
            wrn_store_le64(word, wrn_prng_next(&words));
            size_t piece = size - i < 8 ? size - i : 8;
            CHECK(memcmp(buffer + i, word, piece) == 0, "size %zu: ", size);
        }
        CHECK(buffer[size] == 0xa5, "size %zu: ", size);
    }
}

/* floor(draw * bound / 2^64), the lower half of the draw included. */
static void draws_as_the_wide_product(void **state) {
    (void)state;
    struct wrn_prng prng;
    wrn_prng_init(&prng, check_seed(), 0);
    struct wrn_prng copy = prng;
    for (size_t i = 0; i < 10000; i++) {
        uint32_t bound = (uint32_t)(wrn_prng_next(&prng) >> (32 + i % 31)) | 1u;
        (void)wrn_prng_next(&copy);
        uint64_t draw = wrn_prng_next(&copy);
        uint32_t expected = (uint32_t)((__extension__(unsigned __int128) draw) * bound >> 64);
        CHECK(wrn_rand_below(wrn_prng_rand(&prng), bound) == expected, "draw %zu: ", i);
    }
}

static void fill_third(void *ctx, void *bytes, size_t size) {
    uint8_t word[8];
    assert_int_equal(size, sizeof(word));
    wrn_store_le64(word, 0x5555555555555555u + *(const uint64_t *)ctx);
    memcpy(bytes, word, size);
}

/* The smallest draw that gives 1 of 3 differs from the greatest that gives 0 in its last bit. */
static void draws_exactly_at_a_boundary(void **state) {
    (void)state;
    uint64_t more = 0;
    assert_int_equal(wrn_rand_below((struct wrn_rand){fill_third, &more}, 3), 0);
    more = 1;
    assert_int_equal(wrn_rand_below((struct wrn_rand){fill_third, &more}, 3), 1);
}

static void fill_with(void *ctx, void *bytes, size_t size) {
    memset(bytes, *(const uint8_t *)ctx, size);
}

static void draws_in_range(void **state) {
    (void)state;
    uint8_t ones = 0xff;
    uint8_t zeros = 0;
    static const uint32_t bounds[] = {1, 2, 3, 334, 65537, 1u << 31, UINT32_MAX};
    for (size_t i = 0; i < WRN_COUNT(bounds); i++) {
        uint32_t high = wrn_rand_below((struct wrn_rand){fill_with, &ones}, bounds[i]);
        uint32_t low = wrn_rand_below((struct wrn_rand){fill_with, &zeros}, bounds[i]);
        CHECK(high == bounds[i] - 1, "bound %u: ", bounds[i]);
        CHECK(low == 0, "bound %u: ", bounds[i]);
    }
}

/* 60,000 throws of a die: 10,000 ± 500 is more than five standard deviations (91). */
static void draws_evenly(void **state) {
    (void)state;
    unsigned counts[6] = {0};
    struct wrn_prng prng;
    wrn_prng_init(&prng, 99, 0);
    for (size_t i = 0; i < 60000; i++) {
        counts[wrn_rand_below(wrn_prng_rand(&prng), 6)]++;
    }
    for (size_t i = 0; i < 6; i++) {
        CHECK(counts[i] > 9500 && counts[i] < 10500, "value %zu came %u times: ", i, counts[i]);
    }
}

static void draw_from_nothing(void) {
    struct wrn_prng prng;
    wrn_prng_init(&prng, 0, 0);
    (void)wrn_rand_below(wrn_prng_rand(&prng), 0);
}

static void refuses_misuse(void **state) {
    (void)state;
    check_dies(draw_from_nothing);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_authors),
        cmocka_unit_test(seeds_by_splitmix),
        cmocka_unit_test(separates_streams),
        cmocka_unit_test(fills_any_size),
        cmocka_unit_test(draws_in_range),
        cmocka_unit_test(draws_evenly),
        cmocka_unit_test(draws_as_the_wide_product),
        cmocka_unit_test(draws_exactly_at_a_boundary),
        cmocka_unit_test(refuses_misuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
