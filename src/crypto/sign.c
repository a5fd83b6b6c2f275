/* SPDX-License-Identifier: Apache-2.0 */
/* Ed25519 by libcrypto, and in front of it the strictness that libcrypto lacks. The strict checks
 * look at public bytes only. libcrypto allocates its key objects for each call and wipes them when
 * they are freed; a labelled message is copied behind its label, since libcrypto takes it whole. */
#include "crypto/identity.h"

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "crypto/internal.h"

/* L = 2^252 + 27742317777372353535851937790883648493, the order of the base point, little-endian.
 * Source: RFC 8032, section 5.1. */
static const uint8_t group_order[32] = {
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10};

/* p = 2^255 - 19, little-endian. */
static const uint8_t field_prime[32] = {
    0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f};

/* The y of the eight points whose order divides 8; each but the second and third has two x, which
 * the sign tells apart. With x = 0 (y = 1, -1) the sign has to be 0; both are refused anyway. */
static const uint8_t small_order_y[][32] = {
    {0}, /* order 4 */
    {1}, /* the neutral element */
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, /* p - 1: order 2 */
    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
     0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
     0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05}, /* order 8 */
    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
     0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
     0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a}, /* order 8 */
};

static uint8_t *label_message(const char *label, wrn_span message, size_t *ret_size);
static bool is_less(const uint8_t a[32], const uint8_t b[32]);
static bool sign_by_libcrypto(EVP_PKEY *key, wrn_span message, uint8_t *ret_signature);
static bool verify_by_libcrypto(EVP_PKEY *key, wrn_span message, const uint8_t *signature);

bool wrn_sign_public(const uint8_t seed[WRN_SEED_SIZE], uint8_t ret_public[WRN_SIGN_PUBLIC_SIZE]) {
    ERR_set_mark(); /* failures are our result and no news to whoever reads libcrypto's queue */
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL, seed, WRN_SEED_SIZE);
    size_t size = WRN_SIGN_PUBLIC_SIZE;
    bool ok = key && EVP_PKEY_get_raw_public_key(key, ret_public, &size) == 1 &&
              size == WRN_SIGN_PUBLIC_SIZE;
    EVP_PKEY_free(key);
    ERR_pop_to_mark();
    if (!ok) {
        memset(ret_public, 0, WRN_SIGN_PUBLIC_SIZE);
    }
    return ok;
}

bool wrn_sign(const uint8_t seed[WRN_SEED_SIZE], const char *label, wrn_span message,
              uint8_t ret_signature[WRN_SIGNATURE_SIZE]) {
    size_t size = 0;
    uint8_t *labelled = label_message(label, message, &size);
    if (!labelled) {
        memset(ret_signature, 0, WRN_SIGNATURE_SIZE);
        return false;
    }
    bool ok = wrn_sign_pure(seed, (wrn_span){labelled, size}, ret_signature);
    OPENSSL_free(labelled);
    return ok;
}

bool wrn_sign_verify(const uint8_t public_key[WRN_SIGN_PUBLIC_SIZE], const char *label,
                     wrn_span message, const uint8_t signature[WRN_SIGNATURE_SIZE]) {
    size_t size = 0;
    uint8_t *labelled = label_message(label, message, &size);
    bool ok = labelled && wrn_sign_verify_pure(public_key, (wrn_span){labelled, size}, signature);
    OPENSSL_free(labelled);
    return ok;
}

bool wrn_sign_pure(const uint8_t seed[WRN_SEED_SIZE], wrn_span message,
                   uint8_t ret_signature[WRN_SIGNATURE_SIZE]) {
    ERR_set_mark();
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL, seed, WRN_SEED_SIZE);
    bool ok = key && sign_by_libcrypto(key, message, ret_signature);
    EVP_PKEY_free(key);
    ERR_pop_to_mark();
    if (!ok) {
        memset(ret_signature, 0, WRN_SIGNATURE_SIZE);
    }
    return ok;
}

/* libcrypto checks the equation without the cofactor, by comparing R's bytes with the shortest
 * encoding of what it computed, so that an R of small order is all that is left to refuse in R.
 * That it also compares S with L is not relied upon. */
bool wrn_sign_verify_pure(const uint8_t public_key[WRN_SIGN_PUBLIC_SIZE], wrn_span message,
                          const uint8_t signature[WRN_SIGNATURE_SIZE]) {
    if (!wrn_sign_public_is_sound(public_key) || !wrn_sign_public_is_sound(signature) ||
        !is_less(signature + 32, group_order)) {
        return false;
    }
    ERR_set_mark();
    EVP_PKEY *key =
        EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, public_key, WRN_SIGN_PUBLIC_SIZE);
    bool ok = key && verify_by_libcrypto(key, message, signature);
    EVP_PKEY_free(key);
    ERR_pop_to_mark();
    return ok;
}

bool wrn_sign_public_is_sound(const uint8_t public_key[WRN_SIGN_PUBLIC_SIZE]) {
    uint8_t y[32];
    memcpy(y, public_key, sizeof(y));
    y[31] &= 0x7f; /* the sign of x */
    bool sound = is_less(y, field_prime);
    for (size_t i = 0; i < WRN_COUNT(small_order_y); i++) {
        sound = sound && memcmp(y, small_order_y[i], sizeof(y)) != 0;
    }
    return sound;
}

/* Returns label, zero byte and message in memory of libcrypto's allocator, or NULL. */
static uint8_t *label_message(const char *label, wrn_span message, size_t *ret_size) {
    size_t label_size = strlen(label) + 1;
    WRN_ASSERT(label_size > 1);
    uint8_t *labelled = OPENSSL_malloc(label_size + message.size);
    if (labelled) {
        memcpy(labelled, label, label_size);
        if (message.size > 0) {
            memcpy(labelled + label_size, message.data, message.size);
        }
        *ret_size = label_size + message.size;
    }
    return labelled;
}

/* Little-endian numbers. */
static bool is_less(const uint8_t a[32], const uint8_t b[32]) {
    size_t i = 31;
    while (i > 0 && a[i] == b[i]) {
        i--;
    }
    return a[i] < b[i];
}

static bool sign_by_libcrypto(EVP_PKEY *key, wrn_span message, uint8_t *ret_signature) {
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t size = WRN_SIGNATURE_SIZE;
    bool ok = ctx && EVP_DigestSignInit_ex(ctx, NULL, NULL, NULL, NULL, key, NULL) == 1 &&
              EVP_DigestSign(ctx, ret_signature, &size, message.data, message.size) == 1 &&
              size == WRN_SIGNATURE_SIZE;
    EVP_MD_CTX_free(ctx);
    return ok;
}

static bool verify_by_libcrypto(EVP_PKEY *key, wrn_span message, const uint8_t *signature) {
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestVerifyInit_ex(ctx, NULL, NULL, NULL, NULL, key, NULL) == 1 &&
              EVP_DigestVerify(ctx, signature, WRN_SIGNATURE_SIZE, message.data, message.size) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}
