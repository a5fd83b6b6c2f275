/* SPDX-License-Identifier: Apache-2.0 */
/* BLAKE2s, keyed BLAKE2s, and the HMAC and HKDF on top. Allocates nothing of its own; OpenSSL 3.0
 * swaps its 128 bytes of state for others of the same size at the start of each unkeyed hash. */
#include "crypto/crypto.h"

#include "crypto/internal.h"

enum { BLOCK_SIZE = 64 };

static void update(EVP_MD_CTX *ctx, wrn_span bytes);

void wrn_blake2s(struct wrn_crypto *crypto, wrn_span first, wrn_span second,
                 uint8_t ret_hash[WRN_HASH_SIZE]) {
    EVP_MD_CTX *ctx = crypto->hash;
    int ok = EVP_DigestInit_ex2(ctx, NULL, NULL);
    WRN_ASSERT(ok == 1);
    update(ctx, first);
    update(ctx, second);
    ok = EVP_DigestFinal_ex(ctx, ret_hash, NULL);
    WRN_ASSERT(ok == 1);
}

void wrn_blake2s_mac(struct wrn_crypto *crypto, wrn_span key, wrn_span data,
                     uint8_t ret_mac[WRN_MAC_SIZE]) {
    WRN_ASSERT(key.size >= 1 && key.size <= WRN_KEY_SIZE);
    EVP_MAC_CTX *ctx = crypto->mac;
    size_t size = 0;
    int ok = EVP_MAC_init(ctx, key.data, key.size, NULL);
    WRN_ASSERT(ok == 1);
    ok = data.size == 0 || EVP_MAC_update(ctx, data.data, data.size);
    WRN_ASSERT(ok == 1);
    ok = EVP_MAC_final(ctx, ret_mac, &size, WRN_MAC_SIZE);
    WRN_ASSERT(ok == 1 && size == WRN_MAC_SIZE);
}

/* Built by hand: for such short inputs libcrypto's own HMAC object takes 1.3 times as long. */
void wrn_crypto_hmac(struct wrn_crypto *crypto, const uint8_t key[WRN_KEY_SIZE], wrn_span first,
                     wrn_span second, uint8_t ret_mac[WRN_HASH_SIZE]) {
    uint8_t block[BLOCK_SIZE];
    uint8_t inner[WRN_HASH_SIZE];
    memset(block, 0x36, sizeof(block));
    for (size_t i = 0; i < WRN_KEY_SIZE; i++) {
        block[i] ^= key[i];
    }
    EVP_MD_CTX *ctx = crypto->hash;
    int ok = EVP_DigestInit_ex2(ctx, NULL, NULL);
    WRN_ASSERT(ok == 1);
    update(ctx, (wrn_span){block, sizeof(block)});
    update(ctx, first);
    update(ctx, second);
    ok = EVP_DigestFinal_ex(ctx, inner, NULL);
    WRN_ASSERT(ok == 1);
    for (size_t i = 0; i < sizeof(block); i++) {
        block[i] ^= 0x36 ^ 0x5c;
    }
    wrn_blake2s(crypto, (wrn_span){block, sizeof(block)}, (wrn_span){inner, sizeof(inner)},
                ret_mac);
    wrn_wipe(block, sizeof(block));
    wrn_wipe(inner, sizeof(inner));
}

void wrn_kdf(struct wrn_crypto *crypto, const uint8_t chaining_key[WRN_HASH_SIZE], wrn_span input,
             uint8_t ret_first[WRN_KEY_SIZE], uint8_t ret_second[WRN_KEY_SIZE],
             uint8_t ret_third[WRN_KEY_SIZE]) {
    WRN_ASSERT(ret_first && (ret_second || !ret_third));
    uint8_t *outputs[] = {ret_first, ret_second, ret_third};
    uint8_t secret[WRN_HASH_SIZE];
    uint8_t block[WRN_HASH_SIZE + 1]; /* the output before, and the number of this one */
    wrn_crypto_hmac(crypto, chaining_key, input, (wrn_span){NULL, 0}, secret);
    for (size_t i = 0; i < WRN_COUNT(outputs) && outputs[i]; i++) {
        block[WRN_HASH_SIZE] = (uint8_t)(i + 1);
        wrn_span previous = {block, i == 0 ? 0 : WRN_HASH_SIZE};
        wrn_span number = {block + WRN_HASH_SIZE, 1};
        wrn_crypto_hmac(crypto, secret, previous, number, block);
        memcpy(outputs[i], block, WRN_KEY_SIZE);
    }
    wrn_wipe(secret, sizeof(secret));
    wrn_wipe(block, sizeof(block));
    wrn_crypto_wipe_stack();
}

void wrn_crypto_wipe_stack(void) {
    uint8_t below[4096];
    wrn_wipe(below, sizeof(below));
}

static void update(EVP_MD_CTX *ctx, wrn_span bytes) {
    if (bytes.size > 0) {
        int ok = EVP_DigestUpdate(ctx, bytes.data, bytes.size);
        WRN_ASSERT(ok == 1);
    }
}
