/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a fingerprint that was misread or misheard in the usual ways is refused, all others come
 * back. Method: vectors; for many HITs every change of a digit and every swap of two. */
#include "base/rand.h"
#include "crypto/identity.h"
#include "unit/base/check.h"
#include "vectors/identity.h"

enum { HITS = 3000 };

static void make_hit(struct wrn_prng *prng, uint8_t ret_hit[WRN_HIT_SIZE]) {
    static const uint8_t head[] = {0x20, 0x01, 0x00, 0x25};
    wrn_rand_fill(wrn_prng_rand(prng), ret_hit, WRN_HIT_SIZE);
    memcpy(ret_hit, head, sizeof(head));
    if (wrn_prng_next(prng) % 4 == 0) { /* small numbers: leading zeros */
        memset(ret_hit + 4, 0, (size_t)(wrn_prng_next(prng) % 13));
    }
}

static void check_round_trip(const uint8_t hit[WRN_HIT_SIZE], const char *expected) {
    char text[WRN_FINGERPRINT_SIZE];
    uint8_t read[WRN_HIT_SIZE] = {0};
    wrn_fingerprint_print(hit, text);
    CHECK(!expected || strcmp(text, expected) == 0, "'%s', not '%s': ", text, expected);
    CHECK(strlen(text) == WRN_FINGERPRINT_SIZE - 1, "'%s': ", text);
    CHECK(wrn_fingerprint_read(text, read) == 0, "'%s': ", text);
    CHECK(memcmp(read, hit, WRN_HIT_SIZE) == 0, "'%s': ", text);
}

static void agrees_with_a_second_implementation(void **state) {
    (void)state;
    uint8_t hit[WRN_HIT_SIZE];
    for (size_t row = 0; row < WRN_COUNT(vector_hit); row++) {
        check_hex(vector_hit[row].hit, hit, sizeof(hit));
        check_round_trip(hit, vector_hit[row].fingerprint);
    }
    for (size_t row = 0; row < WRN_COUNT(vector_fingerprint); row++) {
        check_hex(vector_fingerprint[row].hit, hit, sizeof(hit));
        check_round_trip(hit, vector_fingerprint[row].fingerprint);
    }
}

static void brings_every_hit_back(void **state) {
    (void)state;
    uint8_t hit[WRN_HIT_SIZE];
    struct wrn_prng prng;
    wrn_prng_init(&prng, check_seed(), 0);
    for (unsigned i = 0; i < HITS; i++) {
        make_hit(&prng, hit);
        check_round_trip(hit, NULL);
    }
}

static void finds_every_wrong_digit(void **state) {
    (void)state;
    uint8_t hit[WRN_HIT_SIZE];
    uint8_t read[WRN_HIT_SIZE];
    char text[WRN_FINGERPRINT_SIZE];
    struct wrn_prng prng;
    wrn_prng_init(&prng, check_seed(), 0);
    for (unsigned i = 0; i < HITS; i++) {
        make_hit(&prng, hit);
        wrn_fingerprint_print(hit, text);
        for (char *at = text; *at != 0; at++) {
            char right = *at;
            for (char digit = '0'; right != ' ' && digit <= '9'; digit++) {
                *at = digit;
                int error = wrn_fingerprint_read(text, read);
                CHECK(error == (digit == right ? 0 : -EBADMSG), "'%s', right: %c: ", text, right);
            }
            *at = right;
        }
    }
}

/* Neighbours, also across the gap between two groups, and whole groups that changed places. */
static void finds_every_swap(void **state) {
    (void)state;
    uint8_t hit[WRN_HIT_SIZE];
    uint8_t read[WRN_HIT_SIZE];
    char text[WRN_FINGERPRINT_SIZE];
    struct wrn_prng prng;
    unsigned missed_groups = 0;
    wrn_prng_init(&prng, check_seed(), 0);
    for (unsigned i = 0; i < HITS; i++) {
        make_hit(&prng, hit);
        wrn_fingerprint_print(hit, text);
        for (size_t at = 0; at + 1 < WRN_FINGERPRINT_SIZE - 1; at++) {
            size_t next = text[at + 1] == ' ' ? at + 2 : at + 1;
            char left = text[at];
            if (left == ' ') {
                continue;
            }
            text[at] = text[next];
            text[next] = left;
            int error = wrn_fingerprint_read(text, read);
            CHECK(error == (text[at] == left ? 0 : -EBADMSG), "'%s' at %zu: ", text, at);
            text[next] = text[at];
            text[at] = left;
        }
        for (size_t at = 0; at + 9 < WRN_FINGERPRINT_SIZE; at += 5) {
            char swapped[WRN_FINGERPRINT_SIZE];
            memcpy(swapped, text, sizeof(text));
            memcpy(swapped + at, text + at + 5, 4);
            memcpy(swapped + at + 5, text + at, 4);
            missed_groups += memcmp(text + at, text + at + 5, 4) != 0 &&
                             wrn_fingerprint_read(swapped, read) == 0;
        }
    }
    /* One in 997 by design: 21 of 21,000. */
    CHECK(missed_groups < 70, "%u swaps of groups missed: ", missed_groups);
}

static void reads_what_people_type(void **state) {
    (void)state;
    static const char *const texts[] = {
        "76385057997265600649126797788265",
        "7638 5057 9972 6560 0649 1267 9778 8265",
        "  7638-5057-9972-6560-0649-1267-9778-8265\n",
        "7638 5057 9972 6560\r\n0649 1267 9778 8265\r\n",
        "7638 - 5057 - 9972 - 6560 - 0649 - 1267 - 9778 - 8265",
        "7\t6 3 8 5 0 5 7 9 9 7 2 6 5 6 0 0 6 4 9 1 2 6 7 9 7 7 8 8 2 6 5",
    };
    uint8_t expected[WRN_HIT_SIZE];
    check_hex(vector_hit[0].hit, expected, sizeof(expected));
    for (size_t row = 0; row < WRN_COUNT(texts); row++) {
        uint8_t hit[WRN_HIT_SIZE] = {0};
        CHECK(wrn_fingerprint_read(texts[row], hit) == 0, "'%s': ", texts[row]);
        CHECK(memcmp(hit, expected, sizeof(hit)) == 0, "'%s': ", texts[row]);
    }
}

static void refuses_other_texts(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int error;
    } cases[] = {
        {"", WRN_ERR_MALFORMED},
        {" - ", WRN_ERR_MALFORMED},
        {"7638 5057 9972 6560 0649 1267 9778 826", WRN_ERR_MALFORMED},
        {"7638 5057 9972 6560 0649 1267 9778 82650", WRN_ERR_MALFORMED},
        {"7638 5057 9972 6560 0649 1267 9778 826O", WRN_ERR_MALFORMED},
        {"7638.5057.9972.6560.0649.1267.9778.8265", WRN_ERR_MALFORMED},
        {"2001:25:f6d0:3d33:4da7:188f:9264:e1dc", WRN_ERR_MALFORMED},
        {"+7638 5057 9972 6560 0649 1267 9778 8265", WRN_ERR_MALFORMED},
        {"7638 5057 9972 6560 0649 1267 9778 8266", -EBADMSG},
        {"9999 9999 9999 9999 9999 9999 9999 9999", -EBADMSG},
        {"0000 0000 0000 0000 0000 0000 0000 0997", -EBADMSG}, /* 0, but not the shortest check */
        {"7922 8162 5142 6433 7593 5439 5033 6119", -EBADMSG}, /* 2^96 with its check digits */
        {"7922 8162 5142 6433 7593 5439 5033 6000", -EBADMSG}, /* and with those of 0 */
    };
    for (size_t row = 0; row < WRN_COUNT(cases); row++) {
        uint8_t hit[WRN_HIT_SIZE] = {7};
        int error = wrn_fingerprint_read(cases[row].text, hit);
        CHECK(error == cases[row].error, "'%s': %d: ", cases[row].text, error);
        assert_int_equal(hit[0], 7);
    }
}

static void print_another_address(void) {
    static const uint8_t address[WRN_HIT_SIZE] = {0x20, 0x01, 0x0d, 0xb8};
    char text[WRN_FINGERPRINT_SIZE];
    wrn_fingerprint_print(address, text);
}

static void demands_a_hit(void **state) {
    (void)state;
    check_dies(print_another_address);
}

static void makes_texts_for_qr_codes(void **state) {
    (void)state;
    static const char alphanumeric[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
    for (size_t row = 0; row < WRN_COUNT(vector_hit); row++) {
        uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
        uint8_t read[WRN_SIGN_PUBLIC_SIZE] = {0};
        char text[WRN_IDENTITY_URI_SIZE];
        check_hex(vector_hit[row].public_key, public_key, sizeof(public_key));
        wrn_identity_uri_print(public_key, text);
        assert_string_equal(text, vector_hit[row].uri);
        assert_int_equal(strspn(text, alphanumeric), WRN_IDENTITY_URI_SIZE - 1);
        assert_int_equal(wrn_identity_uri_read(text, read), 0);
        assert_memory_equal(read, public_key, sizeof(read));
        for (char *at = text; *at != 0; at++) {
            *at = (char)(*at >= 'A' && *at <= 'Z' ? *at - 'A' + 'a' : *at);
        }
        assert_int_equal(wrn_identity_uri_read(text, read), 0);
        assert_memory_equal(read, public_key, sizeof(read));
    }
}

/* Any other character anywhere. */
static void refuses_damaged_uris(void **state) {
    (void)state;
    uint8_t read[WRN_SIGN_PUBLIC_SIZE];
    char text[WRN_IDENTITY_URI_SIZE + 1] = {0};
    memcpy(text, vector_hit[1].uri, WRN_IDENTITY_URI_SIZE);
    for (size_t at = 0; at < WRN_IDENTITY_URI_SIZE - 1; at++) {
        char right = text[at];
        for (int other = 1; other < 256; other++) {
            text[at] = (char)other;
            bool is_right = text[at] == right || (right >= 'A' && text[at] == right - 'A' + 'a');
            int error = wrn_identity_uri_read(text, read);
            bool is_digit = at >= 7 && other < 128 && strchr("0123456789", other) != NULL;
            bool is_hex =
                at >= 40 && other < 128 && strchr("0123456789abcdefABCDEF", other) != NULL;
            int wrong = (at != 39 && is_digit) || is_hex ? -EBADMSG : WRN_ERR_MALFORMED;
            CHECK(error == (is_right ? 0 : wrong), "byte %zu is %d: %d: ", at, other, error);
        }
        text[at] = right;
    }
    text[WRN_IDENTITY_URI_SIZE - 1] = '0';
    assert_int_equal(wrn_identity_uri_read(text, read), WRN_ERR_MALFORMED);
    text[WRN_IDENTITY_URI_SIZE - 2] = 0;
    assert_int_equal(wrn_identity_uri_read(text, read), WRN_ERR_MALFORMED);
    assert_int_equal(wrn_identity_uri_read("", read), WRN_ERR_MALFORMED);
}

/* Keys that verify nothing, or anything, under their right fingerprint. */
static void refuses_unsound_keys(void **state) {
    (void)state;
    for (size_t row = 0; row < WRN_COUNT(vector_small_order); row++) {
        uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
        char text[WRN_IDENTITY_URI_SIZE];
        check_hex(vector_small_order[row].point, public_key, sizeof(public_key));
        wrn_identity_uri_print(public_key, text);
        assert_int_equal(wrn_identity_uri_read(text, public_key), -EKEYREJECTED);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_a_second_implementation),
        cmocka_unit_test(brings_every_hit_back),
        cmocka_unit_test(finds_every_wrong_digit),
        cmocka_unit_test(finds_every_swap),
        cmocka_unit_test(reads_what_people_type),
        cmocka_unit_test(refuses_other_texts),
        cmocka_unit_test(demands_a_hit),
        cmocka_unit_test(makes_texts_for_qr_codes),
        cmocka_unit_test(refuses_damaged_uris),
        cmocka_unit_test(refuses_unsound_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
