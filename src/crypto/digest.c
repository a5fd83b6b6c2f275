/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes of public bytes: SHA-256 and the old ones, and cSHAKE128. Keeps nothing between calls, so
 * that any thread may call. Nothing secret is hashed here: no state is wiped. */
/* libcrypto deprecates these three hashes' own functions in favour of its general interface, which
 * allocates, takes locks to find the algorithm, can fail for either, and needs four times as long
 * for the eighty bytes of a key. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/md5.h>
#include <openssl/sha.h>

#include "crypto/identity.h"
#include "crypto/internal.h"

enum {
    RATE = 168,              /* bytes of a block of SHAKE128 */
    ENCODED_LENGTH_MAX = 10, /* of left_encode: a count of up to 8 bytes, its own count */
};

static const uint8_t zeros[RATE];

static void absorb(EVP_MD_CTX *ctx, wrn_span bytes);
static size_t absorb_string(EVP_MD_CTX *ctx, wrn_span string);
static size_t left_encode(uint64_t value, uint8_t ret_bytes[ENCODED_LENGTH_MAX]);

void wrn_sha256(wrn_span first, wrn_span second, uint8_t ret_hash[WRN_SHA256_SIZE]) {
    SHA256_CTX ctx;
    int ok = SHA256_Init(&ctx) &&
             (first.size == 0 || SHA256_Update(&ctx, first.data, first.size)) &&
             (second.size == 0 || SHA256_Update(&ctx, second.data, second.size)) &&
             SHA256_Final(ret_hash, &ctx);
    WRN_ASSERT(ok);
}

void wrn_md5(wrn_span bytes, uint8_t ret_hash[WRN_MD5_SIZE]) {
    MD5_CTX ctx;
    int ok = MD5_Init(&ctx) && (bytes.size == 0 || MD5_Update(&ctx, bytes.data, bytes.size)) &&
             MD5_Final(ret_hash, &ctx);
    WRN_ASSERT(ok);
}

void wrn_sha1(wrn_span bytes, uint8_t ret_hash[WRN_SHA1_SIZE]) {
    SHA_CTX ctx;
    int ok = SHA1_Init(&ctx) && (bytes.size == 0 || SHA1_Update(&ctx, bytes.data, bytes.size)) &&
             SHA1_Final(ret_hash, &ctx);
    WRN_ASSERT(ok);
}

/* libcrypto has no cSHAKE, but a digest for its KMAC that ends a message as cSHAKE does, with the
 * bits 00; what stands in front, bytepad(encode_string(N) || encode_string(S), 168), is made here.
 * Source: SP 800-185, section 3.3. */
void wrn_cshake128(wrn_span input, wrn_span function_name, wrn_span customisation,
                   uint8_t *ret_bytes, size_t size) {
    bool is_plain = function_name.size == 0 && customisation.size == 0;
    EVP_MD *hash = EVP_MD_fetch(NULL, is_plain ? "SHAKE-128" : "KECCAK-KMAC-128", NULL);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int ok = hash && ctx && EVP_DigestInit_ex2(ctx, hash, NULL);
    WRN_ASSERT(ok == 1); /* want of memory, as in wrn_blake2s */
    if (!is_plain) {
        uint8_t rate[ENCODED_LENGTH_MAX];
        wrn_span head = {rate, left_encode(RATE, rate)};
        absorb(ctx, head);
        size_t filled = head.size;
        filled += absorb_string(ctx, function_name);
        filled += absorb_string(ctx, customisation);
        absorb(ctx, (wrn_span){zeros, (RATE - filled % RATE) % RATE});
    }
    absorb(ctx, input);
    if (size > 0) {
        ok = EVP_DigestFinalXOF(ctx, ret_bytes, size);
        WRN_ASSERT(ok == 1);
    }
    EVP_MD_CTX_free(ctx);
    EVP_MD_free(hash);
}

static void absorb(EVP_MD_CTX *ctx, wrn_span bytes) {
    if (bytes.size > 0) {
        int ok = EVP_DigestUpdate(ctx, bytes.data, bytes.size);
        WRN_ASSERT(ok == 1);
    }
}

/* encode_string: the length in bits, then the bytes. Returns how many bytes that makes.
 * Source: SP 800-185, section 2.3.2. */
static size_t absorb_string(EVP_MD_CTX *ctx, wrn_span string) {
    uint8_t length[ENCODED_LENGTH_MAX];
    size_t length_size = left_encode((uint64_t)string.size * 8, length);
    absorb(ctx, (wrn_span){length, length_size});
    absorb(ctx, string);
    return length_size + string.size;
}

/* The number of bytes that a value needs, at least 1, then these, the highest first.
 * Source: SP 800-185, section 2.3.1. */
static size_t left_encode(uint64_t value, uint8_t ret_bytes[ENCODED_LENGTH_MAX]) {
    size_t count = 1;
    while (count < 8 && value >> (8 * count) != 0) {
        count++;
    }
    ret_bytes[0] = (uint8_t)count;
    for (size_t i = 0; i < count; i++) {
        ret_bytes[1 + i] = (uint8_t)(value >> (8 * (count - 1 - i)));
    }
    return 1 + count;
}
