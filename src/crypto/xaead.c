/* SPDX-License-Identifier: Apache-2.0 */
/* XChaCha20-Poly1305 out of libcrypto's ChaCha20: there is no cipher of our own here. */
#include "crypto/crypto.h"

#include "base/bytes.h"
#include "crypto/internal.h"

enum { LONG_NONCE_HEAD = 16 }; /* bytes of the long nonce that make the subkey */

static void shorten_nonce(const uint8_t nonce[WRN_XNONCE_SIZE],
                          uint8_t ret_nonce[WRN_NONCE_STRIDE]);

void wrn_xaead_seal(struct wrn_crypto *crypto, const uint8_t key[WRN_KEY_SIZE],
                    const uint8_t nonce[WRN_XNONCE_SIZE], wrn_span aad, const uint8_t *in,
                    size_t size, uint8_t *out) {
    uint8_t subkey[WRN_KEY_SIZE];
    uint8_t nonces[1][WRN_NONCE_STRIDE];
    struct wrn_aead_job job = {.key = subkey, .aad = aad, .in = in, .out = out, .size = size};
    wrn_crypto_hchacha20(crypto, key, nonce, subkey);
    shorten_nonce(nonce, nonces[0]);
    wrn_openssl_seal_jobs(crypto, &job, nonces, 1);
    wrn_wipe(subkey, sizeof(subkey));
}

bool wrn_xaead_open(struct wrn_crypto *crypto, const uint8_t key[WRN_KEY_SIZE],
                    const uint8_t nonce[WRN_XNONCE_SIZE], wrn_span aad, const uint8_t *in,
                    size_t size, uint8_t *out) {
    uint8_t subkey[WRN_KEY_SIZE];
    uint8_t nonces[1][WRN_NONCE_STRIDE];
    struct wrn_aead_job job = {.key = subkey, .aad = aad, .in = in, .out = out, .size = size};
    wrn_crypto_hchacha20(crypto, key, nonce, subkey);
    shorten_nonce(nonce, nonces[0]);
    wrn_openssl_open_jobs(crypto, &job, nonces, 1);
    wrn_wipe(subkey, sizeof(subkey));
    return job.ok;
}

/* HChaCha20 is the ChaCha20 block function without the last step, which adds the initial state to
 * the permuted one. Of the eight words that it returns the initial values are public: the four
 * constants and the four words of counter and nonce. So a block of key stream minus those is the
 * answer. */
void wrn_crypto_hchacha20(struct wrn_crypto *crypto, const uint8_t key[WRN_KEY_SIZE],
                          const uint8_t nonce[LONG_NONCE_HEAD], uint8_t ret_subkey[WRN_KEY_SIZE]) {
    static const uint8_t constants[] = {'e', 'x', 'p', 'a', 'n', 'd', ' ', '3',
                                        '2', '-', 'b', 'y', 't', 'e', ' ', 'k'};
    static const uint8_t zeros[WRN_KEY_SIZE];
    uint8_t block[64] = {0};
    int written = 0;
    int ok = EVP_EncryptInit_ex2(crypto->stream, NULL, key, nonce, NULL);
    WRN_ASSERT(ok == 1);
    ok = EVP_EncryptUpdate(crypto->stream, block, &written, block, (int)sizeof(block));
    WRN_ASSERT(ok == 1 && (size_t)written == sizeof(block));
    for (size_t i = 0; i < LONG_NONCE_HEAD; i += 4) {
        wrn_store_le32(ret_subkey + i, wrn_load_le32(block + i) - wrn_load_le32(constants + i));
        wrn_store_le32(ret_subkey + 16 + i,
                       wrn_load_le32(block + 48 + i) - wrn_load_le32(nonce + i));
    }
    wrn_wipe(block, sizeof(block));
    ok = EVP_EncryptInit_ex2(crypto->stream, NULL, zeros, NULL, NULL);
    WRN_ASSERT(ok == 1);
}

/* Four zero bytes and the last eight of the long nonce. */
static void shorten_nonce(const uint8_t nonce[WRN_XNONCE_SIZE],
                          uint8_t ret_nonce[WRN_NONCE_STRIDE]) {
    memset(ret_nonce, 0, WRN_NONCE_STRIDE);
    memcpy(ret_nonce + 4, nonce + LONG_NONCE_HEAD, 8);
}
