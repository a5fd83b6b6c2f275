/* SPDX-License-Identifier: Apache-2.0 */
/* ChaCha20-Poly1305 of packets in batches. Never allocates; leaves no key in the contexts. */
#include "crypto/crypto.h"

#include <limits.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "base/bytes.h"
#include "crypto/internal.h"

static const uint8_t zero_key[WRN_KEY_SIZE];

static const uint8_t *fresh_key(const struct wrn_aead_job *jobs, size_t index);
static void make_nonce(uint64_t counter, uint8_t ret_nonce[WRN_NONCE_SIZE]);
static bool update(EVP_CIPHER_CTX *ctx, wrn_span aad, const uint8_t *in, size_t size, uint8_t *out);
static void leave_vectors(const struct wrn_crypto *crypto);

void wrn_aead_seal_batch(struct wrn_crypto *crypto, struct wrn_aead_job *jobs, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct wrn_aead_job *job = &jobs[i];
        uint8_t nonce[WRN_NONCE_SIZE];
        make_nonce(job->counter, nonce);
        wrn_crypto_seal(crypto, fresh_key(jobs, i), nonce, job->aad, job->in, job->size, job->out);
    }
    wrn_crypto_seal_forget(crypto);
}

void wrn_aead_open_batch(struct wrn_crypto *crypto, struct wrn_aead_job *jobs, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct wrn_aead_job *job = &jobs[i];
        uint8_t nonce[WRN_NONCE_SIZE];
        make_nonce(job->counter, nonce);
        job->ok = wrn_crypto_open(crypto, fresh_key(jobs, i), nonce, job->aad, job->in, job->size,
                                  job->out);
    }
    wrn_crypto_open_forget(crypto);
}

void wrn_crypto_seal(struct wrn_crypto *crypto, const uint8_t *key,
                     const uint8_t nonce[WRN_NONCE_SIZE], wrn_span aad, const uint8_t *in,
                     size_t size, uint8_t *out) {
    EVP_CIPHER_CTX *ctx = crypto->seal;
    uint8_t unused[1];
    int written = 0;
    int ok = EVP_EncryptInit_ex2(ctx, NULL, key, nonce, NULL);
    WRN_ASSERT(ok == 1);
    ok = update(ctx, aad, in, size, out) && EVP_EncryptFinal_ex(ctx, unused, &written) == 1;
    WRN_ASSERT(ok && written == 0);
    leave_vectors(crypto);
    /* As parameters: the older EVP_CIPHER_CTX_ctrl takes 130 ns more for each packet. */
    OSSL_PARAM tag[] = {
        OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, out + size, WRN_TAG_SIZE),
        OSSL_PARAM_construct_end(),
    };
    ok = EVP_CIPHER_CTX_get_params(ctx, tag);
    WRN_ASSERT(ok == 1);
}

bool wrn_crypto_open(struct wrn_crypto *crypto, const uint8_t *key,
                     const uint8_t nonce[WRN_NONCE_SIZE], wrn_span aad, const uint8_t *in,
                     size_t size, uint8_t *out) {
    EVP_CIPHER_CTX *ctx = crypto->open;
    uint8_t unused[1];
    int written = 0;
    const OSSL_PARAM tag[] = {
        OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG,
                                          (void *)(uintptr_t)(in + size), WRN_TAG_SIZE),
        OSSL_PARAM_construct_end(),
    };
    int ok = EVP_DecryptInit_ex2(ctx, NULL, key, nonce, tag);
    WRN_ASSERT(ok == 1);
    ok = update(ctx, aad, in, size, out);
    WRN_ASSERT(ok);
    bool is_authentic = EVP_DecryptFinal_ex(ctx, unused, &written) == 1;
    leave_vectors(crypto);
    if (!is_authentic) {
        wrn_wipe(out, size);
    }
    return is_authentic;
}

void wrn_crypto_seal_forget(struct wrn_crypto *crypto) {
    int ok = EVP_EncryptInit_ex2(crypto->seal, NULL, zero_key, NULL, NULL);
    WRN_ASSERT(ok == 1);
}

void wrn_crypto_open_forget(struct wrn_crypto *crypto) {
    int ok = EVP_DecryptInit_ex2(crypto->open, NULL, zero_key, NULL, NULL);
    WRN_ASSERT(ok == 1);
}

/* NULL, which keeps the key, if the job before had the same one. Pointers suffice: within one call
 * the bytes behind them cannot change, and no key outlives the call. */
static const uint8_t *fresh_key(const struct wrn_aead_job *jobs, size_t index) {
    return index > 0 && jobs[index].key == jobs[index - 1].key ? NULL : jobs[index].key;
}

static void make_nonce(uint64_t counter, uint8_t ret_nonce[WRN_NONCE_SIZE]) {
    memset(ret_nonce, 0, 4);
    wrn_store_le64(ret_nonce + 4, counter);
}

/* libcrypto takes an empty text as a sign of its own, so empty parts are left out. */
static bool update(EVP_CIPHER_CTX *ctx, wrn_span aad, const uint8_t *in, size_t size,
                   uint8_t *out) {
    WRN_ASSERT(aad.size <= INT_MAX && size <= INT_MAX);
    int written = 0;
    bool ok = aad.size == 0 || EVP_CipherUpdate(ctx, NULL, &written, aad.data, (int)aad.size) == 1;
    return ok && (size == 0 || (EVP_CipherUpdate(ctx, out, &written, in, (int)size) == 1 &&
                                (size_t)written == size));
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
