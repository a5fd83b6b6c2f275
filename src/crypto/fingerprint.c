/* SPDX-License-Identifier: Apache-2.0 */
/* Identities for people: a HIT as decimal digits with check digits, a key as the text of a QR code.
 * Public values only: takes time that depends on them. */
#include "base/bytes.h"
#include "crypto/identity.h"
#include "crypto/internal.h"

enum {
    LIMBS = WRN_HIT_HASH_SIZE / 4, /* of 32 bits, the highest first */
    HASH_AT = WRN_HIT_SIZE - WRN_HIT_HASH_SIZE,
    CHECK_DIGITS = 3,
    NUMBER_DIGITS = WRN_FINGERPRINT_DIGITS - CHECK_DIGITS, /* 10^28 < 2^96 < 10^29 */
    GROUP = 4,

    /* The largest prime of three digits: no change of one digit, and no swap of two neighbours,
     * changes a number by a multiple of it. */
    MODULUS = 997,
};

static const char uri_scheme[] = "WARREN:";

enum { SCHEME_SIZE = sizeof(uri_scheme) - 1, KEY_AT = SCHEME_SIZE + WRN_FINGERPRINT_DIGITS + 1 };

static void load(const uint8_t hit[WRN_HIT_SIZE], uint32_t limbs[LIMBS]);
static uint32_t divide(uint32_t limbs[LIMBS], uint32_t divisor);
static uint32_t multiply_add(uint32_t limbs[LIMBS], uint32_t factor, uint32_t addend);
static void print_digits(const uint8_t hit[WRN_HIT_SIZE], char ret_digits[WRN_FINGERPRINT_DIGITS]);
static bool collect_digits(const char *text, uint8_t ret_digits[WRN_FINGERPRINT_DIGITS]);
static int read_digits(const uint8_t digits[WRN_FINGERPRINT_DIGITS], uint8_t ret_hit[WRN_HIT_SIZE]);
static int hex_value(char digit);
static bool is_scheme(const char *text);

void wrn_fingerprint_print(const uint8_t hit[WRN_HIT_SIZE], char ret_text[WRN_FINGERPRINT_SIZE]) {
    char digits[WRN_FINGERPRINT_DIGITS];
    WRN_ASSERT(wrn_hit_is_eddsa(hit));
    print_digits(hit, digits);
    char *to = ret_text;
    for (size_t i = 0; i < WRN_FINGERPRINT_DIGITS; i++) {
        if (i > 0 && i % GROUP == 0) {
            *to++ = ' ';
        }
        *to++ = digits[i];
    }
    *to = 0;
}

int wrn_fingerprint_read(const char *text, uint8_t ret_hit[WRN_HIT_SIZE]) {
    uint8_t digits[WRN_FINGERPRINT_DIGITS];
    return collect_digits(text, digits) ? read_digits(digits, ret_hit) : WRN_ERR_MALFORMED;
}

void wrn_identity_uri_print(const uint8_t public_key[WRN_SIGN_PUBLIC_SIZE],
                            char ret_text[WRN_IDENTITY_URI_SIZE]) {
    static const char hex[] = "0123456789ABCDEF";
    uint8_t hit[WRN_HIT_SIZE];
    wrn_hit(public_key, hit);
    memcpy(ret_text, uri_scheme, SCHEME_SIZE);
    print_digits(hit, ret_text + SCHEME_SIZE);
    ret_text[KEY_AT - 1] = '/';
    for (size_t i = 0; i < WRN_SIGN_PUBLIC_SIZE; i++) {
        ret_text[KEY_AT + 2 * i] = hex[public_key[i] >> 4];
        ret_text[KEY_AT + 2 * i + 1] = hex[public_key[i] & 15];
    }
    ret_text[WRN_IDENTITY_URI_SIZE - 1] = 0;
}

int wrn_identity_uri_read(const char *text, uint8_t ret_public[WRN_SIGN_PUBLIC_SIZE]) {
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
    uint8_t hit[WRN_HIT_SIZE];
    char expected[WRN_FINGERPRINT_DIGITS];
    if (strnlen(text, WRN_IDENTITY_URI_SIZE) != WRN_IDENTITY_URI_SIZE - 1 || !is_scheme(text) ||
        text[KEY_AT - 1] != '/') {
        return WRN_ERR_MALFORMED;
    }
    for (size_t i = 0; i < WRN_FINGERPRINT_DIGITS; i++) {
        if (text[SCHEME_SIZE + i] < '0' || text[SCHEME_SIZE + i] > '9') {
            return WRN_ERR_MALFORMED;
        }
    }
    for (size_t i = 0; i < WRN_SIGN_PUBLIC_SIZE; i++) {
        int high = hex_value(text[KEY_AT + 2 * i]);
        int low = hex_value(text[KEY_AT + 2 * i + 1]);
        if (high < 0 || low < 0) {
            return WRN_ERR_MALFORMED;
        }
        public_key[i] = (uint8_t)(high << 4 | low);
    }
    wrn_hit(public_key, hit);
    print_digits(hit, expected);
    if (memcmp(text + SCHEME_SIZE, expected, sizeof(expected)) != 0) {
        return -EBADMSG;
    }
    if (!wrn_sign_public_is_sound(public_key)) {
        return -EKEYREJECTED;
    }
    memcpy(ret_public, public_key, sizeof(public_key));
    return 0;
}

static void load(const uint8_t hit[WRN_HIT_SIZE], uint32_t limbs[LIMBS]) {
    for (size_t i = 0; i < LIMBS; i++) {
        limbs[i] = wrn_load_be32(hit + HASH_AT + 4 * i);
    }
}

/* Returns the remainder. */
static uint32_t divide(uint32_t limbs[LIMBS], uint32_t divisor) {
    uint64_t rest = 0;
    for (size_t i = 0; i < LIMBS; i++) {
        rest = rest << 32 | limbs[i];
        limbs[i] = (uint32_t)(rest / divisor);
        rest %= divisor;
    }
    return (uint32_t)rest;
}

/* Returns what does not fit. */
static uint32_t multiply_add(uint32_t limbs[LIMBS], uint32_t factor, uint32_t addend) {
    uint64_t carry = addend;
    for (size_t i = LIMBS; i-- > 0;) {
        carry += (uint64_t)limbs[i] * factor;
        limbs[i] = (uint32_t)carry;
        carry >>= 32;
    }
    return (uint32_t)carry;
}

/* Of any HIT: its prefix and suite do not show. */
static void print_digits(const uint8_t hit[WRN_HIT_SIZE], char ret_digits[WRN_FINGERPRINT_DIGITS]) {
    uint32_t limbs[LIMBS];
    load(hit, limbs);
    uint32_t check = divide(limbs, MODULUS);
    for (size_t i = WRN_FINGERPRINT_DIGITS; i-- > NUMBER_DIGITS; check /= 10) {
        ret_digits[i] = (char)('0' + check % 10);
    }
    load(hit, limbs);
    for (size_t i = NUMBER_DIGITS; i-- > 0;) {
        ret_digits[i] = (char)('0' + divide(limbs, 10));
    }
}

/* White space and hyphens may stand anywhere. False: other characters, or not 32 digits. */
static bool collect_digits(const char *text, uint8_t ret_digits[WRN_FINGERPRINT_DIGITS]) {
    size_t count = 0;
    for (text += strspn(text, " \t\r\n-"); *text != 0; text += strspn(text, " \t\r\n-")) {
        if (*text < '0' || *text > '9' || count == WRN_FINGERPRINT_DIGITS) {
            return false;
        }
        ret_digits[count++] = (uint8_t)(*text++ - '0');
    }
    return count == WRN_FINGERPRINT_DIGITS;
}

static int read_digits(const uint8_t digits[WRN_FINGERPRINT_DIGITS],
                       uint8_t ret_hit[WRN_HIT_SIZE]) {
    uint32_t number[LIMBS] = {0};
    uint32_t excess = 0;
    uint32_t check = 0;
    for (size_t i = 0; i < NUMBER_DIGITS; i++) {
        excess |= multiply_add(number, 10, digits[i]);
    }
    for (size_t i = NUMBER_DIGITS; i < WRN_FINGERPRINT_DIGITS; i++) {
        check = check * 10 + digits[i];
    }
    uint32_t rest[LIMBS];
    memcpy(rest, number, sizeof(rest));
    if (excess != 0 || divide(rest, MODULUS) != check) {
        return -EBADMSG;
    }
    uint8_t hash[WRN_HIT_HASH_SIZE];
    for (size_t i = 0; i < LIMBS; i++) {
        wrn_store_be32(hash + 4 * i, number[i]);
    }
    wrn_hit_from_hash(hash, ret_hit);
    return 0;
}

static int hex_value(char digit) {
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    if (digit >= 'A' && digit <= 'F') {
        return digit - 'A' + 10;
    }
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static bool is_scheme(const char *text) {
    bool same = true;
    for (size_t i = 0; i < SCHEME_SIZE; i++) {
        bool is_lower = text[i] >= 'a' && text[i] <= 'z';
        same = same && (is_lower ? text[i] - 'a' + 'A' : text[i]) == uri_scheme[i];
    }
    return same;
}
