/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: contexts come and go cleanly and the constant-time helpers say what they should.
 * Method: tables; every position of a difference. */
#include "crypto/crypto.h"
#include "unit/base/check.h"

static void creates_and_destroys(void **state) {
    (void)state;
    struct wrn_crypto *contexts[4];
    for (size_t i = 0; i < WRN_COUNT(contexts); i++) {
        assert_int_equal(wrn_crypto_create(&contexts[i]), 0);
    }
    uint8_t first[WRN_HASH_SIZE];
    uint8_t other[WRN_HASH_SIZE];
    wrn_span text = {(const uint8_t *)"text", 4};
    wrn_blake2s(contexts[0], text, (wrn_span){0}, first);
    wrn_crypto_destroy(contexts[0]); /* the others do not share its objects */
    for (size_t i = 1; i < WRN_COUNT(contexts); i++) {
        wrn_blake2s(contexts[i], text, (wrn_span){0}, other);
        assert_memory_equal(other, first, sizeof(first));
        wrn_crypto_destroy(contexts[i]);
    }
    wrn_crypto_destroy(NULL);
}

static void compares(void **state) {
    (void)state;
    uint8_t a[33] = {0};
    uint8_t b[33] = {0};
    assert_true(wrn_equal_secret(a, b, 0));
    assert_true(wrn_is_zero_secret(a, 0));
    for (size_t size = 1; size <= sizeof(a); size++) {
        assert_true(wrn_equal_secret(a, b, size));
        assert_true(wrn_is_zero_secret(b, size));
        for (size_t bit = 0; bit < 8 * size; bit++) {
            b[bit / 8] = (uint8_t)(1u << bit % 8);
            CHECK(!wrn_equal_secret(a, b, size), "size %zu, bit %zu: ", size, bit);
            CHECK(!wrn_is_zero_secret(b, size), "size %zu, bit %zu: ", size, bit);
            b[bit / 8] = 0;
        }
    }
    b[32] = 1;
    assert_true(wrn_equal_secret(a, b, 32)); /* the byte behind does not count */
    assert_true(wrn_is_zero_secret(b, 32));
}

static void wipes(void **state) {
    (void)state;
    uint8_t bytes[64];
    uint8_t zeros[64] = {0};
    memset(bytes, 0xa5, sizeof(bytes));
    wrn_wipe(bytes + 1, 62);
    assert_int_equal(bytes[0], 0xa5);
    assert_memory_equal(bytes + 1, zeros, 62);
    assert_int_equal(bytes[63], 0xa5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(creates_and_destroys),
        cmocka_unit_test(compares),
        cmocka_unit_test(wipes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
