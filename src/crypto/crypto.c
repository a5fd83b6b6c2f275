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

static int create_libcrypto(struct wrn_crypto **ret_crypto);
static int add_ipsec_mb(struct wrn_crypto *crypto, enum wrn_ipsec_mb_kind kind);
static bool agrees_with_libcrypto(struct wrn_crypto *crypto, enum wrn_cipher cipher);
static bool is_complete(const struct wrn_crypto *crypto);
static bool prepare(struct wrn_crypto *crypto);
static bool prepare_hash(EVP_MD_CTX *ctx);
static EVP_MAC_CTX *create_mac(void);
static bool prepare_aead(struct wrn_crypto *crypto, enum wrn_cipher cipher);
static bool prepare_cipher(EVP_CIPHER_CTX *ctx, const char *name, bool encrypts);
static void detect_registers(struct wrn_crypto *crypto);

int wrn_crypto_create(enum wrn_crypto_provider provider, struct wrn_crypto **ret_crypto) {
    struct wrn_crypto *crypto = NULL;
    int error = create_libcrypto(&crypto);
    if (!error && provider != WRN_CRYPTO_OPENSSL) {
        error = -ENOTSUP;
        for (int kind = WRN_IPSEC_MB_KINDS; error == -ENOTSUP && kind > 0; kind--) {
            error = add_ipsec_mb(crypto, (enum wrn_ipsec_mb_kind)(kind - 1));
        }
        if (error == -ENOTSUP && provider == WRN_CRYPTO_AUTO) {
            error = 0;
        }
    }
    if (error) {
        wrn_crypto_destroy(crypto);
        return error;
    }
    *ret_crypto = crypto;
    return 0;
}

int wrn_crypto_create_kind(enum wrn_ipsec_mb_kind kind, struct wrn_crypto **ret_crypto) {
    struct wrn_crypto *crypto = NULL;
    int error = create_libcrypto(&crypto);
    if (!error) {
        error = add_ipsec_mb(crypto, kind);
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
    wrn_ipsec_mb_destroy(crypto->ipsec_mb);
    OPENSSL_clear_free(crypto, sizeof(*crypto));
}

const char *wrn_crypto_provider_name(const struct wrn_crypto *crypto) {
    return crypto->ipsec_mb ? wrn_ipsec_mb_name(crypto->ipsec_mb) : "openssl";
}

bool wrn_crypto_has_fast_aes(const struct wrn_crypto *crypto) {
    return crypto->has_aes;
}

void wrn_wipe(void *bytes, size_t size) {
    explicit_bzero(bytes, size); /* OPENSSL_cleanse is five times as slow */
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

static int create_libcrypto(struct wrn_crypto **ret_crypto) {
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
    detect_registers(crypto);
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

static int add_ipsec_mb(struct wrn_crypto *crypto, enum wrn_ipsec_mb_kind kind) {
    int error = wrn_ipsec_mb_create(crypto, kind, &crypto->ipsec_mb);
    if (error) {
        return error;
    }
    for (enum wrn_cipher cipher = 0; cipher < WRN_CIPHERS; cipher++) {
        if (!agrees_with_libcrypto(crypto, cipher)) {
            wrn_ipsec_mb_destroy(crypto->ipsec_mb);
            crypto->ipsec_mb = NULL;
            return -ENOTSUP;
        }
    }
    return 0;
}

/* A library that does not work here, for whatever reason, is worse than a slow one. */
static bool agrees_with_libcrypto(struct wrn_crypto *crypto, enum wrn_cipher cipher) {
    enum { SIZE = 1100 }; /* long enough for every loop of the vector code */
    static const uint8_t nonces[1][WRN_NONCE_STRIDE] = {{1, 2, 3}};
    static const uint8_t key[WRN_KEY_SIZE] = {4, 5, 6};
    static const uint8_t text[SIZE] = {7, 8, 9};
    uint8_t sealed[SIZE + WRN_TAG_SIZE];
    uint8_t opened[SIZE];
    struct wrn_aead_job seal = {.key = key,
                                .cipher = cipher,
                                .aad = {key, sizeof(key)},
                                .in = text,
                                .out = sealed,
                                .size = SIZE};
    struct wrn_aead_job open = seal;
    open.in = sealed;
    open.out = opened;
    wrn_ipsec_mb_seal_jobs(crypto->ipsec_mb, &seal, nonces, 1);
    wrn_openssl_open_jobs(crypto, &open, nonces, 1);
    bool seals = open.ok && memcmp(opened, text, SIZE) == 0;
    wrn_ipsec_mb_open_jobs(crypto->ipsec_mb, &open, nonces, 1);
    bool opens = open.ok && memcmp(opened, text, SIZE) == 0;
    sealed[SIZE] ^= 1;
    wrn_ipsec_mb_open_jobs(crypto->ipsec_mb, &open, nonces, 1);
    return seals && opens && !open.ok;
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
/* Source: Intel, "Software Developer's Manual", volume 1, sections 14.3 and 15.2. */
__attribute__((target("xsave"))) static void detect_registers(struct wrn_crypto *crypto) {
    enum { AVX = 2 | 4, AVX512 = AVX | 32 | 64 | 128 }; /* register states that the system saves */
    unsigned eax, ebx, ecx, edx;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx)) {
        return;
    }
    crypto->has_aes = (ecx & bit_AES) && (ecx & bit_PCLMUL);
    if ((ecx & bit_OSXSAVE) && (ecx & bit_AVX)) {
        uint64_t saved = (uint64_t)_xgetbv(0);
        crypto->has_avx = (saved & AVX) == AVX;
        crypto->has_avx512 = (saved & AVX512) == AVX512;
    }
}
#else
static void detect_registers(struct wrn_crypto *crypto) {
#ifdef __ARM_FEATURE_AES
    crypto->has_aes = true; /* the compiler was told so; else nobody is asked */
#else
    (void)crypto;
#endif
}
#endif
