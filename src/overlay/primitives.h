/* SPDX-License-Identifier: Apache-2.0 */
/* The cryptography that the overlay uses, as a table: real nodes use src/crypto, large simulations
 * may use something cheap. */
#pragma once
#include "crypto/crypto.h"
#include "crypto/identity.h"

struct wrn_primitives {
    void *ctx;
    /* X25519; false for a bad point. */
    bool (*agree)(void *ctx, const uint8_t private_key[WRN_KEY_SIZE],
                  const uint8_t public_key[WRN_KEY_SIZE], uint8_t ret_shared[WRN_KEY_SIZE]);
    bool (*public_key)(void *ctx, const uint8_t private_key[WRN_KEY_SIZE],
                       uint8_t ret_public[WRN_KEY_SIZE]);
    /* HKDF of a chaining key and input to two keys. */
    void (*derive)(void *ctx, const uint8_t key[WRN_KEY_SIZE], wrn_span input,
                   uint8_t ret_first[WRN_KEY_SIZE], uint8_t ret_second[WRN_KEY_SIZE]);
    /* XChaCha20-Poly1305; 'out' may be 'in'; sealed is WRN_TAG_SIZE longer. */
    void (*seal)(void *ctx, const uint8_t key[WRN_KEY_SIZE], const uint8_t nonce[WRN_XNONCE_SIZE],
                 wrn_span aad, const uint8_t *in, size_t size, uint8_t *out);
    bool (*open)(void *ctx, const uint8_t key[WRN_KEY_SIZE], const uint8_t nonce[WRN_XNONCE_SIZE],
                 wrn_span aad, const uint8_t *in, size_t size, uint8_t *out);
    /* The X25519 key of the host's tunnels, as wrn_tunnel_key. */
    void (*tunnel_key)(void *ctx, const uint8_t seed[WRN_SEED_SIZE], wrn_span context,
                       uint8_t ret_private[WRN_KEY_SIZE]);
    /* Ed25519 with a label, as wrn_sign and wrn_sign_verify. */
    bool (*sign_public)(void *ctx, const uint8_t seed[WRN_SEED_SIZE],
                        uint8_t ret_public[WRN_SIGN_PUBLIC_SIZE]);
    bool (*sign)(void *ctx, const uint8_t seed[WRN_SEED_SIZE], const char *label, wrn_span message,
                 uint8_t ret_signature[WRN_SIGNATURE_SIZE]);
    bool (*verify)(void *ctx, const uint8_t public_key[WRN_SIGN_PUBLIC_SIZE], const char *label,
                   wrn_span message, const uint8_t signature[WRN_SIGNATURE_SIZE]);
    /* Keyed BLAKE2s with 16 bytes of output; BLAKE2s-256. */
    void (*mac)(void *ctx, wrn_span key, wrn_span data, uint8_t ret_mac[WRN_MAC_SIZE]);
    void (*hash)(void *ctx, wrn_span first, wrn_span second, uint8_t ret_hash[WRN_HASH_SIZE]);
    void (*hit)(void *ctx, const uint8_t public_key[WRN_SIGN_PUBLIC_SIZE],
                uint8_t ret_hit[WRN_HIT_SIZE]);
};

/* Returns the real ones; 'crypto' outlives them. */
struct wrn_primitives wrn_primitives(struct wrn_crypto *crypto);
