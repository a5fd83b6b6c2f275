/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: HChaCha20 and XChaCha20-Poly1305 follow draft-irtf-cfrg-xchacha-03 and refuse what was
 * altered. Method: the draft's vectors, vectors of a second implementation, every flipped bit of a
 * cookie. */
#include "crypto/internal.h"
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

/* draft-irtf-cfrg-xchacha-03, section 2.2.1. */
static void makes_the_subkey_of_the_draft(void **state) {
    (void)state;
    uint8_t key[WRN_KEY_SIZE];
    uint8_t nonce[16];
    uint8_t expected[WRN_KEY_SIZE];
    uint8_t subkey[WRN_KEY_SIZE];
    check_hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", key, sizeof(key));
    check_hex("000000090000004a0000000031415927", nonce, sizeof(nonce));
    check_hex("82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc", expected,
              sizeof(expected));
    wrn_crypto_hchacha20(crypto, key, nonce, subkey);
    assert_memory_equal(subkey, expected, sizeof(expected));
    wrn_crypto_hchacha20(crypto, key, nonce, key); /* over its input */
    assert_memory_equal(key, expected, sizeof(expected));
}

/* draft-irtf-cfrg-xchacha-03, section A.3.1. */
static void seals_as_the_draft(void **state) {
    (void)state;
    static const char text[] =
        "Ladies and Gentlemen of the class of '99: If I could offer you only "
        "one tip for the future, sunscreen would be it.";
    enum { SIZE = sizeof(text) - 1 };
    uint8_t key[WRN_KEY_SIZE];
    uint8_t nonce[WRN_XNONCE_SIZE];
    uint8_t aad[12];
    uint8_t expected[SIZE + WRN_TAG_SIZE];
    uint8_t out[SIZE + WRN_TAG_SIZE];
    check_hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f", key, sizeof(key));
    check_hex("404142434445464748494a4b4c4d4e4f5051525354555657", nonce, sizeof(nonce));
    check_hex("50515253c0c1c2c3c4c5c6c7", aad, sizeof(aad));
    check_hex("bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3"
              "a82f4eda7e39ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2b"
              "c369488f76b2383565d3fff921f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8"
              "780acf49",
              expected, sizeof(expected));
    wrn_span extra = {aad, sizeof(aad)};
    wrn_xaead_seal(crypto, key, nonce, extra, (const uint8_t *)text, SIZE, out);
    assert_memory_equal(out, expected, sizeof(expected));
    assert_true(wrn_xaead_open(crypto, key, nonce, extra, out, SIZE, out));
    assert_memory_equal(out, text, SIZE);
}

static void agrees_with_a_second_implementation(void **state) {
    (void)state;
    uint8_t key[WRN_KEY_SIZE];
    uint8_t nonce[WRN_XNONCE_SIZE];
    uint8_t aad[16];
    uint8_t plain[300];
    check_pattern(key, sizeof(key), 12);
    check_pattern(nonce, sizeof(nonce), 13);
    check_pattern(aad, sizeof(aad), 14);
    check_pattern(plain, sizeof(plain), 15);
    for (size_t row = 0; row < WRN_COUNT(vector_xaead); row++) {
        size_t size = vector_xaead[row].size;
        wrn_span extra = {aad, vector_xaead[row].aad_size};
        uint8_t tag[WRN_TAG_SIZE];
        uint8_t expected[WRN_HASH_SIZE];
        uint8_t hash[WRN_HASH_SIZE];
        uint8_t out[sizeof(plain) + WRN_TAG_SIZE];
        check_hex(vector_xaead[row].tag, tag, sizeof(tag));
        check_hex(vector_xaead[row].hash, expected, sizeof(expected));
        wrn_xaead_seal(crypto, key, nonce, extra, plain, size, out);
        wrn_blake2s(crypto, (wrn_span){out, size + WRN_TAG_SIZE}, (wrn_span){0}, hash);
        CHECK(memcmp(out + size, tag, sizeof(tag)) == 0, "row %zu: ", row);
        CHECK(memcmp(hash, expected, sizeof(hash)) == 0, "row %zu: ", row);
        CHECK(wrn_xaead_open(crypto, key, nonce, extra, out, size, out), "row %zu: ", row);
        CHECK(memcmp(out, plain, size) == 0, "row %zu: ", row);
    }
}

/* The shape of a cookie reply: 16 bytes, with a mac of 16 as additional data. */
static void refuses_every_flipped_bit(void **state) {
    (void)state;
    enum { SIZE = 16 };
    uint8_t key[WRN_KEY_SIZE] = {1};
    uint8_t nonce[WRN_XNONCE_SIZE] = {2};
    uint8_t aad[16] = {3};
    uint8_t cookie[SIZE] = {4};
    uint8_t packet[SIZE + WRN_TAG_SIZE];
    uint8_t out[SIZE];
    wrn_span extra = {aad, sizeof(aad)};
    struct {
        const char *what;
        uint8_t *bytes;
        size_t size;
    } parts[] = {
        {"text and tag", packet, sizeof(packet)},
        {"additional data", aad, sizeof(aad)},
        {"key", key, sizeof(key)},
        {"nonce", nonce, sizeof(nonce)},
    };
    wrn_xaead_seal(crypto, key, nonce, extra, cookie, SIZE, packet);
    for (size_t i = 0; i < WRN_COUNT(parts); i++) {
        for (size_t bit = 0; bit < 8 * parts[i].size; bit++) {
            memset(out, 0xa5, sizeof(out));
            parts[i].bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
            CHECK(!wrn_xaead_open(crypto, key, nonce, extra, packet, SIZE, out),
                  "%s, bit %zu: ", parts[i].what, bit);
            CHECK(wrn_is_zero_secret(out, SIZE), "%s, bit %zu: ", parts[i].what, bit);
            parts[i].bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
    assert_true(wrn_xaead_open(crypto, key, nonce, extra, packet, SIZE, out));
    assert_memory_equal(out, cookie, SIZE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_the_subkey_of_the_draft),
        cmocka_unit_test(seals_as_the_draft),
        cmocka_unit_test(agrees_with_a_second_implementation),
        cmocka_unit_test(refuses_every_flipped_bit),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
