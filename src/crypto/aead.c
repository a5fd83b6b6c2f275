/* SPDX-License-Identifier: Apache-2.0 */
/* Packets in batches: makes the nonces and hands the jobs to the provider. Never allocates. */
#include "crypto/crypto.h"

#include "base/bytes.h"
#include "crypto/internal.h"

static void make_nonces(const struct wrn_aead_job *jobs, size_t count,
                        uint8_t (*ret_nonces)[WRN_NONCE_STRIDE]);

size_t wrn_aead_expanded_size(const struct wrn_crypto *crypto, enum wrn_cipher cipher) {
    return crypto->ipsec_mb ? wrn_ipsec_mb_expanded_size(cipher) : 0;
}

void wrn_aead_expand(struct wrn_crypto *crypto, enum wrn_cipher cipher,
                     const uint8_t key[WRN_KEY_SIZE], void *ret_expanded) {
    if (crypto->ipsec_mb) {
        wrn_ipsec_mb_expand(crypto->ipsec_mb, cipher, key, ret_expanded);
    }
}

void wrn_aead_seal_batch(struct wrn_crypto *crypto, struct wrn_aead_job *jobs, size_t count) {
    uint8_t nonces[WRN_AEAD_GROUP][WRN_NONCE_STRIDE];
    for (size_t done = 0; done < count;) {
        size_t group = count - done < WRN_AEAD_GROUP ? count - done : WRN_AEAD_GROUP;
        make_nonces(jobs + done, group, nonces);
        wrn_crypto_seal_jobs(crypto, jobs + done, nonces, group);
        done += group;
    }
}

void wrn_aead_open_batch(struct wrn_crypto *crypto, struct wrn_aead_job *jobs, size_t count) {
    uint8_t nonces[WRN_AEAD_GROUP][WRN_NONCE_STRIDE];
    for (size_t done = 0; done < count;) {
        size_t group = count - done < WRN_AEAD_GROUP ? count - done : WRN_AEAD_GROUP;
        make_nonces(jobs + done, group, nonces);
        wrn_crypto_open_jobs(crypto, jobs + done, nonces, group);
        done += group;
    }
}

void wrn_crypto_seal_jobs(struct wrn_crypto *crypto, struct wrn_aead_job *jobs,
                          const uint8_t (*nonces)[WRN_NONCE_STRIDE], size_t count) {
    WRN_ASSERT(count <= WRN_AEAD_GROUP);
    if (crypto->ipsec_mb) {
        wrn_ipsec_mb_seal_jobs(crypto->ipsec_mb, jobs, nonces, count);
    } else {
        wrn_openssl_seal_jobs(crypto, jobs, nonces, count);
    }
}

void wrn_crypto_open_jobs(struct wrn_crypto *crypto, struct wrn_aead_job *jobs,
                          const uint8_t (*nonces)[WRN_NONCE_STRIDE], size_t count) {
    WRN_ASSERT(count <= WRN_AEAD_GROUP);
    if (crypto->ipsec_mb) {
        wrn_ipsec_mb_open_jobs(crypto->ipsec_mb, jobs, nonces, count);
    } else {
        wrn_openssl_open_jobs(crypto, jobs, nonces, count);
    }
}

/* Source: Noise revision 34, sections 12.3 (ChaCha20-Poly1305) and 12.4 (AES-GCM). */
static void make_nonces(const struct wrn_aead_job *jobs, size_t count,
                        uint8_t (*ret_nonces)[WRN_NONCE_STRIDE]) {
    for (size_t i = 0; i < count; i++) {
        WRN_ASSERT(jobs[i].cipher < WRN_CIPHERS && jobs[i].size <= UINT16_MAX);
        memset(ret_nonces[i], 0, WRN_NONCE_STRIDE);
        if (jobs[i].cipher == WRN_CIPHER_AES_256_GCM) {
            wrn_store_be64(ret_nonces[i] + 4, jobs[i].counter);
        } else {
            wrn_store_le64(ret_nonces[i] + 4, jobs[i].counter);
        }
    }
}
