/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: loads and stores put every byte in its place; rounding up rounds up. Method: one table. */
#include "base/bytes.h"
#include "unit/base/check.h"

static const uint8_t bytes[] = {0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88};

static void loads(void **state) {
    (void)state;
    assert_int_equal(wrn_load_be16(bytes), 0x8182);
    assert_int_equal(wrn_load_be32(bytes), 0x81828384u);
    assert_int_equal(wrn_load_le32(bytes), 0x84838281u);
    assert_true(wrn_load_be64(bytes) == 0x8182838485868788u);
    assert_true(wrn_load_le64(bytes) == 0x8887868584838281u);
    assert_int_equal(wrn_load_be32(bytes + 1), 0x82838485u); /* not aligned */
}

static void stores(void **state) {
    (void)state;
    uint8_t out[9] = {0};
    wrn_store_be16(out, 0x8182);
    assert_memory_equal(out, bytes, 2);
    assert_int_equal(out[2], 0);
    wrn_store_be32(out, 0x81828384u);
    assert_memory_equal(out, bytes, 4);
    assert_int_equal(out[4], 0);
    wrn_store_be64(out, 0x8182838485868788u);
    assert_memory_equal(out, bytes, 8);
    assert_int_equal(out[8], 0);
    wrn_store_le64(out, 0);
    wrn_store_le32(out, 0x84838281u);
    assert_memory_equal(out, bytes, 4);
    assert_int_equal(out[4], 0);
    wrn_store_le64(out, 0x8887868584838281u);
    assert_memory_equal(out, bytes, 8);
    assert_int_equal(out[8], 0);
}

static void rounds_up(void **state) {
    (void)state;
    static const size_t cases[][3] = {{0, 16, 0},   {1, 16, 16},  {15, 16, 16},
                                      {16, 16, 16}, {17, 16, 32}, {65535, 16, 65536}};
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        CHECK(wrn_align_up(cases[i][0], cases[i][1]) == cases[i][2], "case %zu: ", i);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads),
        cmocka_unit_test(stores),
        cmocka_unit_test(rounds_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
