/* SPDX-License-Identifier: Apache-2.0 */
/* Public keys as people and as the configuration socket write them. */
#include "device/key_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/rand.h"
#include "unit/base/check.h"

/* Goal: both forms are what the tools print. Method: keys of `wg pubkey`, with their bytes. */
static void known_keys(void **state) {
    static const struct {
        const char *base64;
        const char *hex;
    } cases[] = {
        {"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
         "0000000000000000000000000000000000000000000000000000000000000000"},
        {"//////////////////////////////////////////8=",
         "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"},
        {"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
         "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"},
    };
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        uint8_t key[WRN_BASE64_KEY_BYTES];
        char base64[WRN_BASE64_KEY_SIZE];
        char hex[WRN_HEX_KEY_SIZE];
        assert_true(wrn_base64_read_key(cases[i].base64, key));
        wrn_hex_write_key(key, hex);
        assert_string_equal(hex, cases[i].hex);
        memset(key, 0x55, sizeof key);
        assert_true(wrn_hex_read_key(cases[i].hex, key));
        wrn_base64_write_key(key, base64);
        assert_string_equal(base64, cases[i].base64);
    }
}

/* Goal: reading takes back what writing gave. Method: random keys; the seed is printed. */
static void there_and_back(void **state) {
    struct wrn_prng prng;
    (void)state;
    wrn_prng_init(&prng, check_seed(), 0);
    for (int i = 0; i < 1000; i++) {
        uint8_t key[WRN_BASE64_KEY_BYTES];
        uint8_t again[WRN_BASE64_KEY_BYTES];
        char base64[WRN_BASE64_KEY_SIZE];
        char hex[WRN_HEX_KEY_SIZE];
        wrn_rand_fill(wrn_prng_rand(&prng), key, sizeof key);
        wrn_base64_write_key(key, base64);
        assert_true(wrn_base64_read_key(base64, again));
        assert_memory_equal(again, key, sizeof key);
        wrn_hex_write_key(key, hex);
        assert_true(wrn_hex_read_key(hex, again));
        assert_memory_equal(again, key, sizeof key);
    }
}

/* Goal: what is not exactly a key is refused. Method: a table. */
static void refused(void **state) {
    static const char *const texts[] = {
        "",
        "=",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",   /* no padding */
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=",  /* bits behind the last byte */
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8==", /* too long */
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh-=",  /* another alphabet */
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8 ",
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1",
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1g",
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f0",
    };
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(texts); i++) {
        uint8_t key[WRN_BASE64_KEY_BYTES];
        CHECK(!wrn_base64_read_key(texts[i], key) && !wrn_hex_read_key(texts[i], key),
              "text %zu: ", i);
    }
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_keys),
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
