/* SPDX-License-Identifier: Apache-2.0 */
/* AEADs of packets by libcrypto. Never allocates; leaves no key in the contexts. What they keep (in
 * OpenSSL 3.0: Poly1305's key, a block of key stream, a tag) is good for the last packet only. */
#include <limits.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "crypto/internal.h"

static const uint8_t zero_key[WRN_KEY_SIZE];

static void seal_one(EVP_CIPHER_CTX *ctx, const uint8_t *key, const uint8_t *nonce,
                     const struct wrn_aead_job *job);
static bool open_one(EVP_CIPHER_CTX *ctx, const uint8_t *key, const uint8_t *nonce,
                     const struct wrn_aead_job *job);
static bool update(EVP_CIPHER_CTX *ctx, const struct wrn_aead_job *job);
static void forget(EVP_CIPHER_CTX *const contexts[WRN_CIPHERS],
                   const uint8_t *const used[WRN_CIPHERS]);
static void leave_vectors(const struct wrn_crypto *crypto);

/* Giving a context the key that it has costs time for nothing, so runs of packets under one key
 * give it once. Pointers suffice to compare: within one call the bytes behind them cannot change,
 * and no key outlives the call. */
void wrn_openssl_seal_jobs(struct wrn_crypto *crypto, struct wrn_aead_job *jobs,
                           const uint8_t (*nonces)[WRN_NONCE_STRIDE], size_t count) {
    const uint8_t *last[WRN_CIPHERS] = {NULL};
    for (size_t i = 0; i < count; i++) {
        enum wrn_cipher cipher = jobs[i].cipher;
        const uint8_t *key = jobs[i].key == last[cipher] ? NULL : jobs[i].key;
        seal_one(crypto->seal[cipher], key, nonces[i], &jobs[i]);
        leave_vectors(crypto);
        last[cipher] = jobs[i].key;
    }
    forget(crypto->seal, last);
}

void wrn_openssl_open_jobs(struct wrn_crypto *crypto, struct wrn_aead_job *jobs,
                           const uint8_t (*nonces)[WRN_NONCE_STRIDE], size_t count) {
    const uint8_t *last[WRN_CIPHERS] = {NULL};
    for (size_t i = 0; i < count; i++) {
        enum wrn_cipher cipher = jobs[i].cipher;
        const uint8_t *key = jobs[i].key == last[cipher] ? NULL : jobs[i].key;
        jobs[i].ok = open_one(crypto->open[cipher], key, nonces[i], &jobs[i]);
        leave_vectors(crypto);
        last[cipher] = jobs[i].key;
        if (!jobs[i].ok) {
            wrn_wipe(jobs[i].out, jobs[i].size);
        }
    }
    forget(crypto->open, last);
}

/* 'key' NULL: the key of the call before. */
static void seal_one(EVP_CIPHER_CTX *ctx, const uint8_t *key, const uint8_t *nonce,
                     const struct wrn_aead_job *job) {
    uint8_t unused[1];
    int written = 0;
    int ok = EVP_EncryptInit_ex2(ctx, NULL, key, nonce, NULL);
    WRN_ASSERT(ok == 1);
    ok = update(ctx, job) && EVP_EncryptFinal_ex(ctx, unused, &written) == 1;
    WRN_ASSERT(ok && written == 0);
    /* As parameters: the older EVP_CIPHER_CTX_ctrl takes 130 ns more for each packet. */
    OSSL_PARAM tag[] = {
        OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, job->out + job->size,
                                          WRN_TAG_SIZE),
        OSSL_PARAM_construct_end(),
    };
    ok = EVP_CIPHER_CTX_get_params(ctx, tag);
    WRN_ASSERT(ok == 1);
}

static bool open_one(EVP_CIPHER_CTX *ctx, const uint8_t *key, const uint8_t *nonce,
                     const struct wrn_aead_job *job) {
    uint8_t unused[1];
    int written = 0;
    const OSSL_PARAM tag[] = {
        OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG,
                                          (void *)(uintptr_t)(job->in + job->size), WRN_TAG_SIZE),
        OSSL_PARAM_construct_end(),
    };
    int ok = EVP_DecryptInit_ex2(ctx, NULL, key, nonce, tag);
    WRN_ASSERT(ok == 1);
    ok = update(ctx, job);
    WRN_ASSERT(ok);
    return EVP_DecryptFinal_ex(ctx, unused, &written) == 1;
}

/* libcrypto takes an empty text as a sign of its own, so empty parts are left out. */
static bool update(EVP_CIPHER_CTX *ctx, const struct wrn_aead_job *job) {
    wrn_span aad = job->aad;
    WRN_ASSERT(aad.size <= INT_MAX && job->size <= INT_MAX);
    int written = 0;
    bool ok = aad.size == 0 || EVP_CipherUpdate(ctx, NULL, &written, aad.data, (int)aad.size) == 1;
    return ok && (job->size == 0 ||
                  (EVP_CipherUpdate(ctx, job->out, &written, job->in, (int)job->size) == 1 &&
                   (size_t)written == job->size));
}

static void forget(EVP_CIPHER_CTX *const contexts[WRN_CIPHERS],
                   const uint8_t *const used[WRN_CIPHERS]) {
    for (size_t i = 0; i < WRN_CIPHERS; i++) {
        int ok = used[i] == NULL || EVP_CipherInit_ex2(contexts[i], NULL, zero_key, NULL, -1, NULL);
        WRN_ASSERT(ok == 1);
    }
    wrn_crypto_wipe_stack(); /* its code for AVX2 leaves ChaCha20's key there (OpenSSL 3.0) */
}

/* libcrypto's vector code ends with the upper halves of the registers still in use, which makes the
 * processor wait in the ordinary code that follows: 110 ns a packet, measured with OpenSSL 3.0
 * where it takes its AVX-512 path. */
#if defined(__x86_64__)
__attribute__((target("avx"))) static void clear_upper_halves(void) {
    _mm256_zeroupper();
}
#endif

static void leave_vectors(const struct wrn_crypto *crypto) {
#if defined(__x86_64__)
    if (crypto->has_avx) {
        clear_upper_halves();
    }
#else
    (void)crypto;
#endif
}
