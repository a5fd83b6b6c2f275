/* SPDX-License-Identifier: Apache-2.0 */
/* Life of a context and the constant-time helpers. Looks algorithms up here and nowhere else. */
#include "crypto/crypto.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/params.h>

#include "crypto/internal.h"

static bool is_complete(const struct wrn_crypto *crypto);
static bool prepare(struct wrn_crypto *crypto);
static bool prepare_hash(EVP_MD_CTX *ctx);
static EVP_MAC_CTX *create_mac(void);
static bool prepare_aead(struct wrn_crypto *crypto, enum wrn_cipher cipher);
static bool prepare_cipher(EVP_CIPHER_CTX *ctx, const char *name, bool encrypts);
static bool detect_avx(void);

int wrn_crypto_create(enum wrn_crypto_provider provider, struct wrn_crypto **ret_crypto) {
    if (provider == WRN_CRYPTO_IPSEC_MB) {
        return -ENOTSUP;
    }
    struct wrn_crypto *crypto = OPENSSL_zalloc(sizeof(*crypto));
    if (!crypto) {
        return -ENOMEM;
    }
    crypto->hash = EVP_MD_CTX_new();
    for (size_t i = 0; i < WRN_CIPHERS; i++) {
        crypto->seal[i] = EVP_CIPHER_CTX_new();
        crypto->open[i] = EVP_CIPHER_CTX_new();
    }
    crypto->stream = EVP_CIPHER_CTX_new();
    crypto->has_avx = detect_avx();
    int error = -ENOMEM;
    if (is_complete(crypto)) {
        ERR_set_mark();
        error = prepare(crypto) ? 0 : -ENOTSUP;
        ERR_pop_to_mark();
    }
    if (error) {
        wrn_crypto_destroy(crypto);
        return error;
    }
    *ret_crypto = crypto;
    return 0;
}

void wrn_crypto_destroy(struct wrn_crypto *crypto) {
    if (!crypto) {
        return;
    }
    EVP_MD_CTX_free(crypto->hash);
    EVP_MAC_CTX_free(crypto->mac);
    for (size_t i = 0; i < WRN_CIPHERS; i++) {
        EVP_CIPHER_CTX_free(crypto->seal[i]);
        EVP_CIPHER_CTX_free(crypto->open[i]);
    }
    EVP_CIPHER_CTX_free(crypto->stream);
    EVP_PKEY_CTX_free(crypto->x25519);
    OPENSSL_clear_free(crypto, sizeof(*crypto));
}

const char *wrn_crypto_provider_name(const struct wrn_crypto *crypto) {
    (void)crypto;
    return "openssl";
}

void wrn_wipe(void *bytes, size_t size) {
    OPENSSL_cleanse(bytes, size);
}

bool wrn_equal_secret(const void *a, const void *b, size_t size) {
    return CRYPTO_memcmp(a, b, size) == 0;
}

bool wrn_is_zero_secret(const void *bytes, size_t size) {
    const uint8_t *p = bytes;
    uint8_t seen = 0;
    for (size_t i = 0; i < size; i++) {
        seen |= p[i];
    }
    return seen == 0;
}

static bool is_complete(const struct wrn_crypto *crypto) {
    bool complete = crypto->hash && crypto->stream;
    for (size_t i = 0; i < WRN_CIPHERS; i++) {
        complete = complete && crypto->seal[i] && crypto->open[i];
    }
    return complete;
}

static bool prepare(struct wrn_crypto *crypto) {
    crypto->mac = create_mac();
    crypto->x25519 = EVP_PKEY_CTX_new_from_name(NULL, "X25519", NULL);
    return crypto->mac && crypto->x25519 && EVP_PKEY_fromdata_init(crypto->x25519) == 1 &&
           prepare_hash(crypto->hash) && prepare_aead(crypto, WRN_CIPHER_CHACHA20_POLY1305) &&
           prepare_aead(crypto, WRN_CIPHER_AES_256_GCM) &&
           prepare_cipher(crypto->stream, "ChaCha20", true);
}

static bool prepare_aead(struct wrn_crypto *crypto, enum wrn_cipher cipher) {
    static const char *const names[WRN_CIPHERS] = {
        [WRN_CIPHER_CHACHA20_POLY1305] = "ChaCha20-Poly1305",
        [WRN_CIPHER_AES_256_GCM] = "AES-256-GCM",
    };
    return prepare_cipher(crypto->seal[cipher], names[cipher], true) &&
           prepare_cipher(crypto->open[cipher], names[cipher], false);
}

static bool prepare_hash(EVP_MD_CTX *ctx) {
    EVP_MD *hash = EVP_MD_fetch(NULL, "BLAKE2S-256", NULL);
    bool ok = hash && EVP_DigestInit_ex2(ctx, hash, NULL) == 1;
    EVP_MD_free(hash); /* the context holds its own reference */
    return ok;
}

static EVP_MAC_CTX *create_mac(void) {
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "BLAKE2SMAC", NULL);
    EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
    EVP_MAC_free(mac);
    size_t size = WRN_MAC_SIZE;
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
        OSSL_PARAM_construct_end(),
    };
    if (ctx && EVP_MAC_CTX_set_params(ctx, params) != 1) {
        EVP_MAC_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

static bool prepare_cipher(EVP_CIPHER_CTX *ctx, const char *name, bool encrypts) {
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, name, NULL);
    bool ok = cipher && EVP_CipherInit_ex2(ctx, cipher, NULL, NULL, encrypts, NULL) == 1;
    EVP_CIPHER_free(cipher);
    return ok;
}

#if defined(__x86_64__)
/* Source: Intel, "Software Developer's Manual", volume 1, section 14.3. */
__attribute__((target("xsave"))) static bool detect_avx(void) {
    enum { XMM_AND_YMM = 2 | 4 }; /* register states that the system saves */
    unsigned eax, ebx, ecx, edx;
    return __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & bit_OSXSAVE) && (ecx & bit_AVX) &&
           (_xgetbv(0) & XMM_AND_YMM) == XMM_AND_YMM;
}
#else
static bool detect_avx(void) {
    return false;
}
#endif
