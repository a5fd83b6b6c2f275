/* SPDX-License-Identifier: Apache-2.0 */
/* The real primitives: src/crypto behind the table. Adds nothing of its own. */
#include "overlay/primitives.h"

static bool agree(void *ctx, const uint8_t *private_key, const uint8_t *public_key,
                  uint8_t *ret_shared) {
    return wrn_x25519(ctx, private_key, public_key, ret_shared);
}

static bool public_key(void *ctx, const uint8_t *private_key, uint8_t *ret_public) {
    return wrn_x25519_public(ctx, private_key, ret_public);
}

static void derive(void *ctx, const uint8_t *key, wrn_span input, uint8_t *ret_first,
                   uint8_t *ret_second) {
    wrn_kdf(ctx, key, input, ret_first, ret_second, NULL);
}

static void seal(void *ctx, const uint8_t *key, const uint8_t *nonce, wrn_span aad,
                 const uint8_t *in, size_t size, uint8_t *out) {
    wrn_xaead_seal(ctx, key, nonce, aad, in, size, out);
}

static bool open_sealed(void *ctx, const uint8_t *key, const uint8_t *nonce, wrn_span aad,
                        const uint8_t *in, size_t size, uint8_t *out) {
    return wrn_xaead_open(ctx, key, nonce, aad, in, size, out);
}

static void tunnel_key(void *ctx, const uint8_t *seed, wrn_span context, uint8_t *ret_private) {
    wrn_tunnel_key(ctx, seed, context, ret_private);
}

static bool sign_public(void *ctx, const uint8_t *seed, uint8_t *ret_public) {
    (void)ctx;
    return wrn_sign_public(seed, ret_public);
}

static bool sign(void *ctx, const uint8_t *seed, const char *label, wrn_span message,
                 uint8_t *ret_signature) {
    (void)ctx;
    return wrn_sign(seed, label, message, ret_signature);
}

static bool verify(void *ctx, const uint8_t *key, const char *label, wrn_span message,
                   const uint8_t *signature) {
    (void)ctx;
    return wrn_sign_verify(key, label, message, signature);
}

static void mac(void *ctx, wrn_span key, wrn_span data, uint8_t *ret_mac) {
    wrn_blake2s_mac(ctx, key, data, ret_mac);
}

static void hash(void *ctx, wrn_span first, wrn_span second, uint8_t *ret_hash) {
    wrn_blake2s(ctx, first, second, ret_hash);
}

static void hit(void *ctx, const uint8_t *key, uint8_t *ret_hit) {
    (void)ctx;
    wrn_hit(key, ret_hit);
}

struct wrn_primitives wrn_primitives(struct wrn_crypto *crypto) {
    return (struct wrn_primitives){
        .ctx = crypto,
        .agree = agree,
        .public_key = public_key,
        .derive = derive,
        .seal = seal,
        .open = open_sealed,
        .tunnel_key = tunnel_key,
        .sign_public = sign_public,
        .sign = sign,
        .verify = verify,
        .mac = mac,
        .hash = hash,
        .hit = hit,
    };
}
