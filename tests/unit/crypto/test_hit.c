/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a key has the HIT that docs/decisions/0012 names, as bytes and as text, and the key of its
 * tunnels. Method: the published comparison, with the readings that are not ours; vectors of a
 * second implementation. */
#include "crypto/identity.h"
#include "unit/base/check.h"
#include "vectors/identity.h"

/* The key that the readings were compared with; that the text is RFC 5952's. */
static void makes_the_published_hit(void **state) {
    (void)state;
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
    uint8_t hit[WRN_HIT_SIZE];
    char text[WRN_HIT_TEXT_SIZE];
    check_hex("8b65b265a496e32046cfa378b5a5fb2e877a97723e557cb5f0d21848bfe94477", public_key,
              sizeof(public_key));
    wrn_hit(public_key, hit);
    wrn_hit_print(hit, text);
    assert_string_equal(text, "2001:25:f6d0:3d33:4da7:188f:9264:e1dc");
}

/* The same key with the context as customisation, and with both. */
static void differs_from_the_other_readings(void **state) {
    (void)state;
    static const char *const others[] = {"2001:25:8cd3:edc3:d07e:85f6:f708:badd",
                                         "2001:25:6678:691c:69ea:4b17:7e1f:ab7"};
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
    uint8_t hit[WRN_HIT_SIZE];
    uint8_t other[WRN_HIT_SIZE];
    char text[WRN_HIT_TEXT_SIZE];
    check_hex(vector_hit[0].public_key, public_key, sizeof(public_key));
    wrn_hit(public_key, hit);
    for (size_t row = 0; row < WRN_COUNT(vector_hit_other_readings); row++) {
        check_hex(vector_hit_other_readings[row].hit, other, sizeof(other));
        wrn_hit_print(other, text);
        assert_string_equal(text, others[row]);
        assert_memory_not_equal(hit, other, sizeof(hit));
        assert_true(wrn_hit_is_eddsa(other)); /* nothing but the key tells */
    }
}

static void agrees_with_a_second_implementation(void **state) {
    (void)state;
    for (size_t row = 0; row < WRN_COUNT(vector_hit); row++) {
        uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
        uint8_t expected[WRN_HIT_SIZE];
        uint8_t hit[WRN_HIT_SIZE];
        uint8_t read[WRN_HIT_SIZE] = {0};
        char text[WRN_HIT_TEXT_SIZE];
        check_hex(vector_hit[row].public_key, public_key, sizeof(public_key));
        check_hex(vector_hit[row].hit, expected, sizeof(expected));
        wrn_hit(public_key, hit);
        CHECK(memcmp(hit, expected, sizeof(hit)) == 0, "row %zu: ", row);
        assert_true(wrn_hit_is_eddsa(hit));
        wrn_hit_print(hit, text);
        assert_string_equal(text, vector_hit[row].address);
        assert_int_equal(wrn_hit_read(text, read), 0);
        assert_memory_equal(read, hit, sizeof(hit));
    }
}

static void reads_every_form(void **state) {
    (void)state;
    static const char *const texts[] = {
        "2001:25::1",
        "2001:0025:0000:0000:0000:0000:0000:0001",
        "2001:25:0:0:0:0:0.0.0.1",
    };
    static const uint8_t expected[WRN_HIT_SIZE] = {0x20, 0x01, 0, 0x25, [15] = 1};
    for (size_t row = 0; row < WRN_COUNT(texts); row++) {
        uint8_t hit[WRN_HIT_SIZE] = {0};
        CHECK(wrn_hit_read(texts[row], hit) == 0, "%s: ", texts[row]);
        CHECK(memcmp(hit, expected, sizeof(hit)) == 0, "%s: ", texts[row]);
    }
}

static void refuses_what_is_no_hit(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int error;
    } cases[] = {
        {"", WRN_ERR_MALFORMED},
        {"2001:25", WRN_ERR_MALFORMED},
        {"2001:25::1 ", WRN_ERR_MALFORMED},
        {"2001:25::1/28", WRN_ERR_MALFORMED},
        {"192.0.2.1", WRN_ERR_MALFORMED},
        {"host", WRN_ERR_MALFORMED},
        {"2001:20::1", -EAFNOSUPPORT}, /* suite 0: reserved */
        {"2001:21::1", -EAFNOSUPPORT}, /* suite 1: RSA, DSA */
        {"2001:24::1", -EAFNOSUPPORT},
        {"2001:26::1", -EAFNOSUPPORT},
        {"2001:35::1", -EAFNOSUPPORT},  /* a DET */
        {"2001:125::1", -EAFNOSUPPORT}, /* outside the prefix */
        {"2002:25::1", -EAFNOSUPPORT},
        {"::", -EAFNOSUPPORT},
    };
    for (size_t row = 0; row < WRN_COUNT(cases); row++) {
        uint8_t hit[WRN_HIT_SIZE] = {7};
        CHECK(wrn_hit_read(cases[row].text, hit) == cases[row].error, "'%s': ", cases[row].text);
        assert_int_equal(hit[0], 7); /* untouched */
    }
}

static void derives_tunnel_keys(void **state) {
    (void)state;
    struct wrn_crypto *crypto = NULL;
    assert_int_equal(wrn_crypto_create(WRN_CRYPTO_AUTO, &crypto), 0);
    for (size_t row = 0; row < WRN_COUNT(vector_tunnel_key); row++) {
        uint8_t seed[WRN_SEED_SIZE];
        uint8_t expected[WRN_KEY_SIZE];
        uint8_t key[WRN_KEY_SIZE];
        uint8_t public_key[WRN_KEY_SIZE];
        uint8_t context[WRN_TUNNEL_CONTEXT_MAX];
        size_t size = check_hex(vector_tunnel_key[row].context, context, sizeof(context));
        check_hex(vector_tunnel_key[row].seed, seed, sizeof(seed));
        check_hex(vector_tunnel_key[row].private_key, expected, sizeof(expected));
        wrn_tunnel_key(crypto, seed, (wrn_span){context, size}, key);
        CHECK(memcmp(key, expected, sizeof(key)) == 0, "row %zu: ", row);
        assert_true(wrn_x25519_public(crypto, key, public_key));
        check_hex(vector_tunnel_key[row].public_key, expected, sizeof(expected));
        CHECK(memcmp(public_key, expected, sizeof(public_key)) == 0, "row %zu: ", row);
        wrn_x25519_clamp(key); /* already is */
        check_hex(vector_tunnel_key[row].private_key, expected, sizeof(expected));
        assert_memory_equal(key, expected, sizeof(key));
    }
    wrn_crypto_destroy(crypto);
}

/* What is derived over its seed, as by a caller that has no other use for it. */
static void derives_in_place(void **state) {
    (void)state;
    struct wrn_crypto *crypto = NULL;
    uint8_t key[WRN_KEY_SIZE];
    uint8_t expected[WRN_KEY_SIZE];
    assert_int_equal(wrn_crypto_create(WRN_CRYPTO_AUTO, &crypto), 0);
    check_hex(vector_tunnel_key[1].seed, key, sizeof(key));
    check_hex(vector_tunnel_key[1].private_key, expected, sizeof(expected));
    wrn_tunnel_key(crypto, key, (wrn_span){0}, key);
    assert_memory_equal(key, expected, sizeof(key));
    wrn_crypto_destroy(crypto);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_the_published_hit),
        cmocka_unit_test(differs_from_the_other_readings),
        cmocka_unit_test(agrees_with_a_second_implementation),
        cmocka_unit_test(reads_every_form),
        cmocka_unit_test(refuses_what_is_no_hit),
        cmocka_unit_test(derives_tunnel_keys),
        cmocka_unit_test(derives_in_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
