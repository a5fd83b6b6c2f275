/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: BLAKE2s, keyed BLAKE2s, HMAC and the key derivation give the published values.
 * Method: RFC 7693 and vectors of a second implementation; every split of the input; overlaps. */
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

static void assert_hex(const uint8_t *bytes, size_t size, const char *hex, size_t row) {
    uint8_t expected[64];
    CHECK(check_hex(hex, expected, sizeof(expected)) == size, "row %zu: size of vector: ", row);
    CHECK(memcmp(bytes, expected, size) == 0, "row %zu: ", row);
}

/* RFC 7693, appendix B. */
static void hashes_abc(void **state) {
    (void)state;
    uint8_t hash[WRN_HASH_SIZE];
    wrn_blake2s(crypto, (wrn_span){(const uint8_t *)"abc", 3}, (wrn_span){0}, hash);
    assert_hex(hash, sizeof(hash),
               "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982", 0);
}

static void hashes_in_two_parts(void **state) {
    (void)state;
    uint8_t input[1000];
    uint8_t hash[WRN_HASH_SIZE];
    check_pattern(input, sizeof(input), 1);
    for (size_t row = 0; row < WRN_COUNT(vector_blake2s); row++) {
        size_t size = vector_blake2s[row].size;
        for (size_t split = 0; split <= size; split++) {
            wrn_span first = {input, split};
            wrn_span second = {input + split, size - split};
            wrn_blake2s(crypto, first, second, hash);
            assert_hex(hash, sizeof(hash), vector_blake2s[row].hash, row);
        }
        wrn_blake2s(crypto, (wrn_span){NULL, 0}, (wrn_span){input, size}, hash);
        assert_hex(hash, sizeof(hash), vector_blake2s[row].hash, row);
    }
}

static void hashes_over_its_input(void **state) {
    (void)state;
    uint8_t bytes[96];
    check_pattern(bytes, sizeof(bytes), 1);
    wrn_span first = {bytes, 32};
    wrn_span second = {bytes + 32, 64};
    wrn_blake2s(crypto, first, second, bytes); /* h = H(h, data), as the handshake does */
    assert_hex(bytes, WRN_HASH_SIZE, vector_blake2s[7].hash, 7);
}

static void makes_macs(void **state) {
    (void)state;
    uint8_t key[WRN_KEY_SIZE];
    uint8_t input[255];
    uint8_t mac[WRN_MAC_SIZE];
    check_pattern(key, sizeof(key), 2);
    check_pattern(input, sizeof(input), 3);
    for (size_t row = 0; row < WRN_COUNT(vector_mac); row++) {
        wrn_span short_key = {key, vector_mac[row].key_size};
        wrn_blake2s_mac(crypto, short_key, (wrn_span){input, vector_mac[row].size}, mac);
        assert_hex(mac, sizeof(mac), vector_mac[row].mac, row);
    }
}

/* The way of the official known-answer file, which has 32-byte outputs: all lengths up to 255. */
static void makes_macs_of_all_sizes(void **state) {
    (void)state;
    uint8_t key[WRN_KEY_SIZE];
    uint8_t input[255];
    uint8_t macs[256 * WRN_MAC_SIZE];
    uint8_t hash[WRN_HASH_SIZE];
    for (size_t i = 0; i < sizeof(input); i++) {
        input[i] = (uint8_t)i;
    }
    memcpy(key, input, sizeof(key));
    for (size_t size = 0; size < 256; size++) {
        wrn_blake2s_mac(crypto, (wrn_span){key, sizeof(key)}, (wrn_span){input, size},
                        macs + size * WRN_MAC_SIZE);
    }
    wrn_blake2s(crypto, (wrn_span){macs, sizeof(macs)}, (wrn_span){0}, hash);
    assert_hex(hash, sizeof(hash), vector_mac_all, 0);
}

static void makes_hmacs(void **state) {
    (void)state;
    uint8_t key[WRN_KEY_SIZE];
    uint8_t input[300];
    uint8_t mac[WRN_HASH_SIZE];
    check_pattern(key, sizeof(key), 4);
    check_pattern(input, sizeof(input), 5);
    for (size_t row = 0; row < WRN_COUNT(vector_hmac); row++) {
        size_t size = vector_hmac[row].size;
        for (size_t split = 0; split <= size; split += 7) {
            wrn_span first = {input, split};
            wrn_span second = {input + split, size - split};
            wrn_crypto_hmac(crypto, key, first, second, mac);
            assert_hex(mac, sizeof(mac), vector_hmac[row].mac, row);
        }
    }
}

static void derives_keys(void **state) {
    (void)state;
    uint8_t chaining_key[WRN_HASH_SIZE];
    uint8_t input[100];
    check_pattern(input, sizeof(input), 7);
    for (size_t row = 0; row < WRN_COUNT(vector_kdf); row++) {
        for (size_t wanted = 1; wanted <= 3; wanted++) {
            uint8_t keys[4][WRN_KEY_SIZE] = {{0}};
            check_pattern(chaining_key, sizeof(chaining_key), 6);
            wrn_kdf(crypto, chaining_key, (wrn_span){input, vector_kdf[row].size}, chaining_key,
                    wanted >= 2 ? keys[1] : NULL, wanted >= 3 ? keys[2] : NULL);
            memcpy(keys[0], chaining_key, WRN_KEY_SIZE);
            for (size_t i = 0; i < wanted; i++) {
                assert_hex(keys[i], WRN_KEY_SIZE, vector_kdf[row].keys[i], row);
            }
            assert_true(wrn_is_zero_secret(keys[wanted], WRN_KEY_SIZE));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_abc),
        cmocka_unit_test(hashes_in_two_parts),
        cmocka_unit_test(hashes_over_its_input),
        cmocka_unit_test(makes_macs),
        cmocka_unit_test(makes_macs_of_all_sizes),
        cmocka_unit_test(makes_hmacs),
        cmocka_unit_test(derives_keys),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
