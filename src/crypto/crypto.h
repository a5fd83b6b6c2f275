/* SPDX-License-Identifier: Apache-2.0 */
/* The cryptography that Warren uses, as thin wrappers over libcrypto; the only code that touches
 * key bytes. Every function is constant-time in its secrets as far as libcrypto is. Allocates only
 * in create; libcrypto does so for itself in X25519 and, as of OpenSSL 3.0, 128 bytes in each
 * unkeyed hash, and wipes what it frees. Sealing, opening and macs need no memory at all. */
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

/* Prepares a context. Returns 0, -ENOMEM, or -ENOTSUP if libcrypto lacks an algorithm (FIPS). */
WRN_NODISCARD int wrn_crypto_create(struct wrn_crypto **ret_crypto);

/* Frees a context and wipes what it held. NULL is fine. */
void wrn_crypto_destroy(struct wrn_crypto *crypto);

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

/* One packet to seal or to open with ChaCha20-Poly1305. 'out' may be 'in' (in place), and must not
 * overlap it otherwise. The nonce is 4 zero bytes and the counter, little-endian. */
struct wrn_aead_job {
    const uint8_t *key; /* WRN_KEY_SIZE bytes */
    uint64_t counter;
    wrn_span aad; /* authenticated, not encrypted; empty for data packets */
    const uint8_t *in;
    uint8_t *out;
    size_t size; /* bytes of plaintext, without the tag, for both directions */
    bool ok;     /* set by open: the tag verified. Else 'out' is zeroed */
};

/* Seals 'count' packets: writes 'size' + WRN_TAG_SIZE bytes at each 'out'. Cannot fail.
 * Source: RFC 8439, section 2.8. */
void wrn_aead_seal_batch(struct wrn_crypto *crypto, struct wrn_aead_job *jobs, size_t count);

/* Opens 'count' packets: reads 'size' + WRN_TAG_SIZE bytes at each 'in', writes 'size' at 'out',
 * sets 'ok'. One bad packet does not affect the others. */
void wrn_aead_open_batch(struct wrn_crypto *crypto, struct wrn_aead_job *jobs, size_t count);

/* XChaCha20-Poly1305 of one short text (cookie replies). 'out' may be 'in'.
 * Source: draft-irtf-cfrg-xchacha-03. */
void wrn_xaead_seal(struct wrn_crypto *crypto, const uint8_t key[WRN_KEY_SIZE],
                    const uint8_t nonce[WRN_XNONCE_SIZE], wrn_span aad, const uint8_t *in,
                    size_t size, uint8_t *out);
WRN_NODISCARD bool wrn_xaead_open(struct wrn_crypto *crypto, const uint8_t key[WRN_KEY_SIZE],
                                  const uint8_t nonce[WRN_XNONCE_SIZE], wrn_span aad,
                                  const uint8_t *in, size_t size, uint8_t *out);
