/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the checksum is RFC 1071's at every size, alignment and value, with and without special
 * instructions, and copying copies exactly. Method: published examples; comparison with a sum word
 * by word. */
#include "packet/checksum.h"

#include "base/bytes.h"
#include "base/rand.h"
#include "packet/internal.h"
#include "unit/base/check.h"
#include "unit/packet/model.h"

enum { GUARD = 64, ROOM = 70000 };

static const struct variant {
    const char *name;
    wrn_sum (*add)(wrn_sum sum, const uint8_t *bytes, size_t size);
    wrn_sum (*copy)(wrn_sum sum, uint8_t *to, const uint8_t *bytes, size_t size);
} variants[] = {
    {"chosen", wrn_sum_add, wrn_sum_copy},
    {"portable", wrn_sum_add_portable, wrn_sum_copy_portable},
};

static uint8_t from[ROOM + GUARD], to[ROOM + 2 * GUARD];

static void check_variant(const struct variant *v, const uint8_t *bytes, size_t size) {
    uint16_t expected = model_checksum(bytes, size, 0);
    uint16_t sum = wrn_sum_finish(v->add((wrn_sum){0}, bytes, size));
    CHECK(sum == expected, "%s, %zu bytes: %04x, not %04x: ", v->name, size, sum, expected);
    memset(to, 0xa5, size + 2 * GUARD);
    sum = wrn_sum_finish(v->copy((wrn_sum){0}, to + GUARD, bytes, size));
    CHECK(sum == expected, "%s, %zu copied: %04x, not %04x: ", v->name, size, sum, expected);
    CHECK(memcmp(to + GUARD, bytes, size) == 0, "%s, %zu copied: ", v->name, size);
    CHECK(check_filled(to, GUARD, 0xa5) && check_filled(to + GUARD + size, GUARD, 0xa5),
          "%s, %zu copied too much: ", v->name, size);
}

static void published(void **state) {
    (void)state;
    /* RFC 1071, section 3; and the header that the English Wikipedia's article on the IPv4 header
     * checksum computes. */
    static const uint8_t rfc[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    static const uint8_t header[] = {0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11,
                                     0xb8, 0x61, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7};
    assert_int_equal(wrn_sum_finish(wrn_sum_add((wrn_sum){0}, rfc, sizeof rfc)), 0xffff - 0xddf2);
    assert_int_equal(wrn_sum_finish(wrn_sum_add((wrn_sum){0}, header, sizeof header)), 0);
    assert_int_equal(wrn_sum_finish((wrn_sum){0}), 0xffff);
}

static void every_size_and_alignment(void **state) {
    (void)state;
    struct wrn_prng prng;
    wrn_prng_init(&prng, check_seed(), 1);
    wrn_rand_fill(wrn_prng_rand(&prng), from, sizeof from);
    for (size_t i = 0; i < WRN_COUNT(variants); i++) {
        for (size_t size = 0; size <= 300; size++) {
            for (size_t shift = 0; shift < 9; shift++) {
                check_variant(&variants[i], from + shift, size);
            }
        }
        for (int round = 0; round < 200; round++) {
            size_t size = wrn_rand_below(wrn_prng_rand(&prng), ROOM);
            check_variant(&variants[i], from + wrn_rand_below(wrn_prng_rand(&prng), GUARD), size);
        }
    }
}

/* Where a carry could get lost. */
static void largest_values(void **state) {
    (void)state;
    memset(from, 0xff, sizeof from);
    for (size_t i = 0; i < WRN_COUNT(variants); i++) {
        for (size_t size = 0; size < 200; size++) {
            check_variant(&variants[i], from, size);
        }
        check_variant(&variants[i], from, ROOM);
    }
    for (unsigned shift = 0; shift < 64; shift++) {
        /* UINT64_MAX is a multiple of 65,535, and so 0. Sums have the machine's byte order. */
        wrn_sum full = {UINT64_MAX - shift};
        uint16_t word = (uint16_t)(UINT16_MAX - shift);
        uint8_t start[2];
        memcpy(start, &word, sizeof start);
        for (size_t size = 1; size <= 200; size++) {
            uint16_t expected = model_checksum(from, size, wrn_load_be16(start));
            CHECK(wrn_sum_finish(wrn_sum_add(full, from, size)) == expected, "%u, %zu: ", shift,
                  size);
            CHECK(wrn_sum_finish(wrn_sum_copy(full, to, from, size)) == expected,
                  "%u, %zu: ", shift, size);
        }
    }
}

/* Sums that fold in one step, in two, in three. */
static void folding(void **state) {
    (void)state;
    struct wrn_prng prng;
    wrn_prng_init(&prng, check_seed(), 3);
    uint64_t edges[300] = {1,           0xffff,          0x10000,   0xffffffff,
                           0x10000ffff, 0x10000ffffffff, UINT64_MAX};
    for (size_t i = 0; i < WRN_COUNT(edges); i++) {
        edges[i] = i < 7 ? edges[i] : wrn_prng_next(&prng) >> i % 64;
        uint16_t word =
            (uint16_t)(edges[i] % 0xffff == 0 && edges[i] > 0 ? 0 : ~(edges[i] % 0xffff));
        uint8_t bytes[2];
        memcpy(bytes, &word, sizeof bytes);
        CHECK(wrn_sum_finish((wrn_sum){edges[i]}) == wrn_load_be16(bytes),
              "%llx: ", (unsigned long long)edges[i]);
    }
}

static void parts_add_up(void **state) {
    (void)state;
    struct wrn_prng prng;
    wrn_prng_init(&prng, check_seed(), 2);
    wrn_rand_fill(wrn_prng_rand(&prng), from, sizeof from);
    for (size_t cut = 0; cut <= 300; cut += 2) {
        wrn_sum sum = wrn_sum_add((wrn_sum){0}, from, cut);
        sum = wrn_sum_copy(sum, to, from + cut, 301 - cut);
        CHECK(wrn_sum_finish(sum) == model_checksum(from, 301, 0), "cut at %zu: ", cut);
    }
}

static void pseudo_headers(void **state) {
    (void)state;
    static uint8_t packet[MODEL_SIZE_MAX];
    static const size_t sizes[] = {0, 1, 1000, 65535 - 60};
    for (unsigned i = 0; i < 4 * WRN_COUNT(sizes); i++) {
        struct model_packet p = {
            .is_v6 = i & 1, .is_udp = i & 2, .payload_size = sizes[i / 4], .ttl = 64, .salt = i};
        size_t size = model_build(&p, packet);
        size_t at = model_l4_at(packet);
        wrn_sum sum =
            wrn_sum_add_pseudo((wrn_sum){0}, packet, p.is_udp ? 17 : 6, (uint32_t)(size - at));
        sum = wrn_sum_add(sum, packet + at, size - at);
        CHECK(wrn_sum_finish(sum) == 0, "case %u: ", i);
    }
    /* The length has 32 bits, of which the upper are used beyond the largest packets. */
    packet[0] = 0x60;
    memset(packet + 8, 0, 32);
    assert_int_equal(wrn_sum_finish(wrn_sum_add_pseudo((wrn_sum){0}, packet, 6, 0x30001)),
                     0xffff - 6 - 3 - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published),      cmocka_unit_test(every_size_and_alignment),
        cmocka_unit_test(largest_values), cmocka_unit_test(parts_add_up),
        cmocka_unit_test(folding),        cmocka_unit_test(pseudo_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
