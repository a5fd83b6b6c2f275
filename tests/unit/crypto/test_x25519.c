/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: X25519 agrees with RFC 7748 and refuses every point of low order. Method: the RFC's vectors
 * and iterations, vectors of a second implementation, the list of points. */
#include <openssl/err.h>

#include "base/rand.h"
#include "crypto/crypto.h"
#include "unit/base/check.h"
#include "vectors/crypto.h"

static struct wrn_crypto *crypto;

static int set_up(void **state) {
    (void)state;
    return wrn_crypto_create(WRN_CRYPTO_AUTO, &crypto);
}

static int tear_down(void **state) {
    (void)state;
    wrn_crypto_destroy(crypto);
    return 0;
}

static void assert_agreement(const char *private_hex, const char *public_hex,
                             const char *shared_hex, size_t row) {
    uint8_t private_key[WRN_KEY_SIZE];
    uint8_t public_key[WRN_KEY_SIZE];
    uint8_t expected[WRN_KEY_SIZE];
    uint8_t shared[WRN_KEY_SIZE];
    check_hex(private_hex, private_key, sizeof(private_key));
    check_hex(public_hex, public_key, sizeof(public_key));
    check_hex(shared_hex, expected, sizeof(expected));
    CHECK(wrn_x25519(crypto, private_key, public_key, shared), "row %zu: ", row);
    CHECK(memcmp(shared, expected, sizeof(shared)) == 0, "row %zu: ", row);
    wrn_x25519_clamp(private_key); /* makes no difference to the result */
    CHECK(wrn_x25519(crypto, private_key, public_key, shared), "row %zu, clamped: ", row);
    CHECK(memcmp(shared, expected, sizeof(shared)) == 0, "row %zu, clamped: ", row);
}

/* RFC 7748, section 5.2. */
static void agrees_with_the_rfc(void **state) {
    (void)state;
    assert_agreement("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
                     "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
                     "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552", 0);
    assert_agreement("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
                     "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
                     "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957", 1);
}

/* RFC 7748, section 5.2: the result becomes the key and the key the point. */
static void agrees_with_the_iterations(void **state) {
    (void)state;
    uint8_t key[WRN_KEY_SIZE] = {9};
    uint8_t point[WRN_KEY_SIZE] = {9};
    uint8_t result[WRN_KEY_SIZE];
    uint8_t expected[WRN_KEY_SIZE];
    for (unsigned i = 1; i <= 1000; i++) {
        assert_true(wrn_x25519(crypto, key, point, result));
        memcpy(point, key, sizeof(point));
        memcpy(key, result, sizeof(key));
        if (i == 1) {
            check_hex("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079", expected,
                      sizeof(expected));
            assert_memory_equal(key, expected, sizeof(key));
        }
    }
    check_hex("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51", expected,
              sizeof(expected));
    assert_memory_equal(key, expected, sizeof(key));
}

/* RFC 7748, section 6.1: Alice and Bob. */
static void derives_public_keys(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
         "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"},
        {"5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
         "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"},
    };
    for (size_t row = 0; row < WRN_COUNT(pairs); row++) {
        uint8_t private_key[WRN_KEY_SIZE];
        uint8_t expected[WRN_KEY_SIZE];
        uint8_t public_key[WRN_KEY_SIZE];
        check_hex(pairs[row][0], private_key, sizeof(private_key));
        check_hex(pairs[row][1], expected, sizeof(expected));
        CHECK(wrn_x25519_public(crypto, private_key, public_key), "row %zu: ", row);
        CHECK(memcmp(public_key, expected, sizeof(expected)) == 0, "row %zu: ", row);
        assert_agreement(pairs[row][0], pairs[1 - row][1],
                         "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742", row);
    }
}

static void agrees_with_a_second_implementation(void **state) {
    (void)state;
    for (size_t row = 0; row < WRN_COUNT(vector_x25519); row++) {
        assert_agreement(vector_x25519[row].private_key, vector_x25519[row].public_key,
                         vector_x25519[row].shared, row);
    }
}

/* The u-coordinates of the points of order 1, 2, 4 and 8 on the curve and its twist, and those that
 * reduce to them. Source: Bernstein, https://cr.yp.to/ecdh.html, "How do I validate Curve25519
 * public keys?"; each one also with bit 255 set, which X25519 ignores. */
static void refuses_points_of_low_order(void **state) {
    (void)state;
    static const char *const points[] = {
        "0000000000000000000000000000000000000000000000000000000000000000", /* 0 */
        "0100000000000000000000000000000000000000000000000000000000000000", /* 1 */
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800", /* order 8 */
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157", /* order 8 */
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* p - 1 */
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* p */
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* p + 1 */
    };
    struct wrn_prng prng;
    wrn_prng_init(&prng, check_seed(), 0);
    for (size_t i = 0; i < WRN_COUNT(points) * 2 * 8; i++) {
        size_t row = i / 16;
        uint8_t point[WRN_KEY_SIZE];
        uint8_t private_key[WRN_KEY_SIZE];
        uint8_t shared[WRN_KEY_SIZE];
        check_hex(points[row], point, sizeof(point));
        point[31] |= (uint8_t)(i % 2 << 7);
        wrn_rand_fill(wrn_prng_rand(&prng), private_key, sizeof(private_key));
        memset(shared, 0xa5, sizeof(shared));
        CHECK(!wrn_x25519(crypto, private_key, point, shared), "row %zu: ", row);
        CHECK(wrn_is_zero_secret(shared, sizeof(shared)), "row %zu: ", row);
    }
    assert_int_equal(ERR_peek_error(), 0); /* a flood of them fills no queue */
}

static void writes_over_its_inputs(void **state) {
    (void)state;
    uint8_t key[WRN_KEY_SIZE] = {1, 2, 3};
    uint8_t point[WRN_KEY_SIZE] = {9};
    uint8_t expected[WRN_KEY_SIZE];
    uint8_t in_key[WRN_KEY_SIZE];
    assert_true(wrn_x25519(crypto, key, point, expected));
    memcpy(in_key, key, sizeof(key));
    assert_true(wrn_x25519(crypto, in_key, point, in_key));
    assert_memory_equal(in_key, expected, sizeof(expected));
    assert_true(wrn_x25519(crypto, key, point, point));
    assert_memory_equal(point, expected, sizeof(expected));
}

static void clamps(void **state) {
    (void)state;
    uint8_t key[WRN_KEY_SIZE];
    memset(key, 0xff, sizeof(key));
    wrn_x25519_clamp(key);
    assert_int_equal(key[0], 0xf8);
    assert_int_equal(key[1], 0xff);
    assert_int_equal(key[31], 0x7f);
    memset(key, 0, sizeof(key));
    wrn_x25519_clamp(key);
    assert_int_equal(key[0], 0);
    assert_int_equal(key[31], 0x40);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_rfc),
        cmocka_unit_test(agrees_with_the_iterations),
        cmocka_unit_test(derives_public_keys),
        cmocka_unit_test(agrees_with_a_second_implementation),
        cmocka_unit_test(refuses_points_of_low_order),
        cmocka_unit_test(writes_over_its_inputs),
        cmocka_unit_test(clamps),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
