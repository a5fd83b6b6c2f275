/* SPDX-License-Identifier: Apache-2.0 */
/* The cryptography that Warren uses, as thin wrappers over libcrypto and, where a processor has the
 * instructions for it, intel-ipsec-mb; the only code that touches key bytes. Every function is
 * constant-time in its secrets as far as these libraries are. Allocates only in create; libcrypto
 * does so for itself in X25519 and, as of OpenSSL 3.0, 128 bytes in each unkeyed hash, and wipes
 * what it frees. Sealing, opening and macs need no memory at all. */
#pragma once
#include "base/base.h"

enum {
    WRN_KEY_SIZE = 32,    /* X25519 keys, symmetric keys, BLAKE2s chaining keys */
    WRN_HASH_SIZE = 32,   /* BLAKE2s-256 */
    WRN_TAG_SIZE = 16,    /* Poly1305, GCM */
    WRN_MAC_SIZE = 16,    /* keyed BLAKE2s-128: mac1, mac2 */
    WRN_XNONCE_SIZE = 24, /* XChaCha20-Poly1305 */
};

/* Prepared algorithm objects. One per thread: calls on one context must not overlap. */
struct wrn_crypto;

/* Which code seals and opens packets. Everything else is always libcrypto's. */
enum wrn_crypto_provider {
    WRN_CRYPTO_AUTO,     /* the fastest that works on this machine */
    WRN_CRYPTO_OPENSSL,  /* libcrypto */
    WRN_CRYPTO_IPSEC_MB, /* intel-ipsec-mb */
};

/* Prepares a context. Returns 0, -ENOMEM, or -ENOTSUP: libcrypto lacks an algorithm (FIPS), or the
 * provider was named and cannot work here (processor, or built without the library). */
WRN_NODISCARD int wrn_crypto_create(enum wrn_crypto_provider provider,
                                    struct wrn_crypto **ret_crypto);

/* Frees a context and wipes what it held. NULL is fine. */
void wrn_crypto_destroy(struct wrn_crypto *crypto);

/* Names the code that seals packets, for a status line: "openssl", "ipsec-mb (avx512)" or
 * the like. Static text. */
const char *wrn_crypto_provider_name(const struct wrn_crypto *crypto);

/* Tells whether the processor has instructions for AES-GCM: then it is several times as fast as
 * ChaCha20-Poly1305, else slower. A fact about this machine, whatever seals packets. */
bool wrn_crypto_has_fast_aes(const struct wrn_crypto *crypto);

/* Overwrites 'size' bytes so that the compiler cannot leave it out. */
void wrn_wipe(void *bytes, size_t size);

/* Compares 'size' bytes in time that does not depend on them. */
WRN_NODISCARD bool wrn_equal_secret(const void *a, const void *b, size_t size);

/* Tells in constant time whether all 'size' bytes are zero. */
WRN_NODISCARD bool wrn_is_zero_secret(const void *bytes, size_t size);

/* Clears and sets the bits that X25519 fixes in a private key. Source: RFC 7748, section 5. */
void wrn_x25519_clamp(uint8_t private_key[WRN_KEY_SIZE]);

/* Derives the public key of a private key (clamped or not). Cannot fail but for memory: then
 * returns false and zeroes the output. Source: RFC 7748, section 6.1. */
WRN_NODISCARD bool wrn_x25519_public(struct wrn_crypto *crypto,
                                     const uint8_t private_key[WRN_KEY_SIZE],
                                     uint8_t ret_public[WRN_KEY_SIZE]);

/* Agrees on a shared secret. Returns false, with a zeroed output, if the peer's point is of low
 * order (all-zero result). Source: RFC 7748, sections 5 and 6.1. */
WRN_NODISCARD bool wrn_x25519(struct wrn_crypto *crypto, const uint8_t private_key[WRN_KEY_SIZE],
                              const uint8_t public_key[WRN_KEY_SIZE],
                              uint8_t ret_shared[WRN_KEY_SIZE]);

/* BLAKE2s-256 over 'first' and then 'second' (which may be empty). The output may overlap the
 * inputs. Source: RFC 7693. */
void wrn_blake2s(struct wrn_crypto *crypto, wrn_span first, wrn_span second,
                 uint8_t ret_hash[WRN_HASH_SIZE]);

/* Keyed BLAKE2s with a 16-byte output. 'key' has 1..32 bytes. Source: RFC 7693, section 2.9. */
void wrn_blake2s_mac(struct wrn_crypto *crypto, wrn_span key, wrn_span data,
                     uint8_t ret_mac[WRN_MAC_SIZE]);

/* HKDF of the Noise framework with HMAC-BLAKE2s: derives 1..3 keys of 32 bytes from a chaining key
 * and input material. Outputs that are not wanted are NULL, from the last on. 'ret_first' may be
 * 'chaining_key'. Source: Noise revision 34, section 4.3; RFC 5869; RFC 2104. */
void wrn_kdf(struct wrn_crypto *crypto, const uint8_t chaining_key[WRN_HASH_SIZE], wrn_span input,
             uint8_t ret_first[WRN_KEY_SIZE], uint8_t ret_second[WRN_KEY_SIZE],
             uint8_t ret_third[WRN_KEY_SIZE]);

enum wrn_cipher {
    WRN_CIPHER_CHACHA20_POLY1305, /* RFC 8439; nonce: 4 zero bytes, counter little-endian */
    WRN_CIPHER_AES_256_GCM,       /* NIST SP 800-38D; nonce: 4 zero bytes, counter big-endian */
    WRN_CIPHERS
}; /* the nonces: Noise revision 34, sections 12.3 and 12.4 */

enum { WRN_AEAD_EXPANDED_MAX = 1024, WRN_AEAD_EXPANDED_ALIGNMENT = 64 };

/* Bytes that wrn_aead_expand writes: at most WRN_AEAD_EXPANDED_MAX, a multiple of 64, the same in
 * every context of one provider. 0 if this cipher needs nothing but the key. */
size_t wrn_aead_expanded_size(const struct wrn_crypto *crypto, enum wrn_cipher cipher);

/* Prepares a key for many packets, of both directions. 'ret_expanded' is 64-byte aligned and has
 * the size above; it may be NULL if that is 0. What is written is as secret as the key, the
 * caller's to wipe, and good for every context of the same provider, also in other threads. */
void wrn_aead_expand(struct wrn_crypto *crypto, enum wrn_cipher cipher,
                     const uint8_t key[WRN_KEY_SIZE], void *ret_expanded);

/* One packet to seal or to open. 'out' may be 'in' (in place), and must not overlap it otherwise.
 * No pointer needs an alignment but 'expanded'. */
struct wrn_aead_job {
    const uint8_t *key;     /* WRN_KEY_SIZE bytes, always given */
    const void *expanded;   /* made from 'key' and for 'cipher'; or NULL: if nothing needs to be
                             * expanded, or for single use, since it costs 100 to 400 ns */
    enum wrn_cipher cipher; /* jobs of one batch may mix ciphers and keys */
    uint64_t counter;
    wrn_span aad; /* authenticated, not encrypted; empty for data packets */
    const uint8_t *in;
    uint8_t *out;
    size_t size; /* bytes of plaintext, without the tag, for both directions; at most 65,535 */
    bool ok;     /* set by open: the tag verified. Else 'out' is zeroed */
};

/* Seals 'count' packets: writes 'size' + WRN_TAG_SIZE bytes at each 'out'. Cannot fail.
 * Source: RFC 8439, section 2.8; NIST SP 800-38D, section 7.1. */
void wrn_aead_seal_batch(struct wrn_crypto *crypto, struct wrn_aead_job *jobs, size_t count);

/* Opens 'count' packets: reads 'size' + WRN_TAG_SIZE bytes at each 'in', writes 'size' at 'out',
 * sets 'ok'. One bad packet does not affect the others. Source: RFC 8439, section 2.8; NIST SP
 * 800-38D, section 7.2. */
void wrn_aead_open_batch(struct wrn_crypto *crypto, struct wrn_aead_job *jobs, size_t count);

/* XChaCha20-Poly1305 of one short text (cookie replies). 'out' may be 'in'.
 * Source: draft-irtf-cfrg-xchacha-03. */
void wrn_xaead_seal(struct wrn_crypto *crypto, const uint8_t key[WRN_KEY_SIZE],
                    const uint8_t nonce[WRN_XNONCE_SIZE], wrn_span aad, const uint8_t *in,
                    size_t size, uint8_t *out);
WRN_NODISCARD bool wrn_xaead_open(struct wrn_crypto *crypto, const uint8_t key[WRN_KEY_SIZE],
                                  const uint8_t nonce[WRN_XNONCE_SIZE], wrn_span aad,
                                  const uint8_t *in, size_t size, uint8_t *out);
