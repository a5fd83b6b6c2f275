/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of src/crypto share, and their tests may see. Nobody else includes it. */
#pragma once
#include "crypto/crypto.h"

#include <openssl/evp.h>

#include "crypto/identity.h"

enum {
    WRN_NONCE_SIZE = 12,
    WRN_NONCE_STRIDE = 16, /* a nonce in an array: its bytes, and four that nobody reads */
    WRN_AEAD_GROUP = 128,  /* jobs that a provider gets at once, at most */
    WRN_HIT_HASH_SIZE = 12,
};

/* What intel-ipsec-mb has for different processors, slowest first. Its code for SSE and AVX is left
 * alone: libcrypto's is as fast, and the former (of 1.3) reads behind the end of its input. */
enum wrn_ipsec_mb_kind {
    WRN_IPSEC_MB_AVX2,
    WRN_IPSEC_MB_AVX512,
    WRN_IPSEC_MB_AVX512_VAES, /* and VPCLMULQDQ, IFMA, GFNI */
    WRN_IPSEC_MB_KINDS
};

/* One libcrypto context per algorithm and direction, set up once and only given new keys
 * afterwards: a look-up by name for each packet would cost more than the packet. */
struct wrn_crypto {
    EVP_MD_CTX *hash; /* BLAKE2s-256 */
    EVP_MAC_CTX *mac; /* keyed BLAKE2s, 16 bytes */
    EVP_CIPHER_CTX *seal[WRN_CIPHERS], *open[WRN_CIPHERS];
    EVP_CIPHER_CTX *stream; /* ChaCha20 alone, for HChaCha20 */
    EVP_PKEY_CTX *x25519;   /* turns raw bytes into X25519 keys */
    bool has_avx;           /* the processor and the system know the long vector registers */
    bool has_avx512;        /* and the longest ones: the system does; the processor may lack them */
    bool has_aes;           /* instructions for AES and for GCM's hash */
    struct wrn_ipsec_mb *ipsec_mb; /* NULL: libcrypto seals packets too */
};

/* Creates a context with one kind of intel-ipsec-mb, also a slower one than the processor has.
 * -ENOTSUP, -ENOMEM as wrn_crypto_create. */
WRN_NODISCARD int wrn_crypto_create_kind(enum wrn_ipsec_mb_kind kind,
                                         struct wrn_crypto **ret_crypto);

/* HMAC-BLAKE2s-256 over 'first' and then 'second'. The output may overlap the inputs.
 * Source: RFC 2104. */
void wrn_crypto_hmac(struct wrn_crypto *crypto, const uint8_t key[WRN_KEY_SIZE], wrn_span first,
                     wrn_span second, uint8_t ret_mac[WRN_HASH_SIZE]);

/* The batch calls with any nonces instead of counters: 'nonces' holds one for each job. At most
 * WRN_AEAD_GROUP jobs. */
void wrn_crypto_seal_jobs(struct wrn_crypto *crypto, struct wrn_aead_job *jobs,
                          const uint8_t (*nonces)[WRN_NONCE_STRIDE], size_t count);
void wrn_crypto_open_jobs(struct wrn_crypto *crypto, struct wrn_aead_job *jobs,
                          const uint8_t (*nonces)[WRN_NONCE_STRIDE], size_t count);

/* The same by libcrypto. They leave no key in the contexts. */
void wrn_openssl_seal_jobs(struct wrn_crypto *crypto, struct wrn_aead_job *jobs,
                           const uint8_t (*nonces)[WRN_NONCE_STRIDE], size_t count);
void wrn_openssl_open_jobs(struct wrn_crypto *crypto, struct wrn_aead_job *jobs,
                           const uint8_t (*nonces)[WRN_NONCE_STRIDE], size_t count);

/* The same by intel-ipsec-mb, in memory of its own; of a context, it needs what that knows of the
 * processor. Creating returns -ENOTSUP or -ENOMEM. */
struct wrn_ipsec_mb;
WRN_NODISCARD int wrn_ipsec_mb_create(const struct wrn_crypto *crypto, enum wrn_ipsec_mb_kind kind,
                                      struct wrn_ipsec_mb **ret_mb);
void wrn_ipsec_mb_destroy(struct wrn_ipsec_mb *mb);
const char *wrn_ipsec_mb_name(const struct wrn_ipsec_mb *mb);
size_t wrn_ipsec_mb_expanded_size(enum wrn_cipher cipher);
void wrn_ipsec_mb_expand(struct wrn_ipsec_mb *mb, enum wrn_cipher cipher,
                         const uint8_t key[WRN_KEY_SIZE], void *ret_expanded);
void wrn_ipsec_mb_seal_jobs(struct wrn_ipsec_mb *mb, struct wrn_aead_job *jobs,
                            const uint8_t (*nonces)[WRN_NONCE_STRIDE], size_t count);
void wrn_ipsec_mb_open_jobs(struct wrn_ipsec_mb *mb, struct wrn_aead_job *jobs,
                            const uint8_t (*nonces)[WRN_NONCE_STRIDE], size_t count);

/* Wipes the stack below the caller: libcrypto's BLAKE2s leaves its result there (OpenSSL 3.0), and
 * what is derived by it are keys. */
__attribute__((noinline)) void wrn_crypto_wipe_stack(void);

/* HChaCha20: a subkey from a key and the first 16 bytes of a long nonce.
 * Source: draft-irtf-cfrg-xchacha-03, section 2.2. */
void wrn_crypto_hchacha20(struct wrn_crypto *crypto, const uint8_t key[WRN_KEY_SIZE],
                          const uint8_t nonce[16], uint8_t ret_subkey[WRN_KEY_SIZE]);

/* Makes a HIT of its last 12 bytes: puts 2001:20::/28 and HIT suite 5 in front. */
void wrn_hit_from_hash(const uint8_t hash[WRN_HIT_HASH_SIZE], uint8_t ret_hit[WRN_HIT_SIZE]);
