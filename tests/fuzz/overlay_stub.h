/* SPDX-License-Identifier: Apache-2.0 */
/* Primitives that a fuzzer gets through: seals that are checksums, signatures that are all good and
 * the same. Proves nothing about cryptography. */
#pragma once
#include <stdio.h>
#include <stdlib.h>

#include "overlay/limits.h"
#include "overlay/primitives.h"

/* What must hold for any input, in every build. */
#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* What the stubs sign with: the caller sets them to write what was read. */
struct overlay_stub {
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
    uint8_t signature[WRN_SIGNATURE_SIZE];
};

static inline uint64_t stub_mix(uint64_t sum, const void *bytes, size_t size) {
    const uint8_t *p = bytes;
    for (size_t i = 0; i < size; i++) {
        sum = (sum ^ p[i]) * UINT64_C(0x100000001b3);
        sum ^= sum >> 29;
    }
    return sum ^ size;
}

static inline void stub_tag(const uint8_t *key, const uint8_t *nonce, wrn_span aad,
                            const uint8_t *text, size_t size, uint8_t ret_tag[WRN_TAG_SIZE]) {
    for (size_t half = 0; half < 2; half++) {
        uint64_t sum = stub_mix(half, key, WRN_KEY_SIZE);
        sum = stub_mix(sum, nonce, WRN_XNONCE_SIZE);
        sum = stub_mix(sum, aad.data, aad.size);
        sum = stub_mix(sum, text, size);
        memcpy(ret_tag + 8 * half, &sum, 8);
    }
}

static inline bool stub_agree(void *ctx, const uint8_t *private_key, const uint8_t *public_key,
                              uint8_t *ret_shared) {
    (void)ctx;
    for (size_t i = 0; i < WRN_KEY_SIZE; i++) {
        ret_shared[i] = private_key[i] ^ public_key[i]; /* private and public keys are the same */
    }
    return true;
}

static inline void stub_derive(void *ctx, const uint8_t *key, wrn_span input, uint8_t *ret_first,
                               uint8_t *ret_second) {
    (void)ctx;
    for (size_t i = 0; i < WRN_KEY_SIZE; i++) {
        uint64_t sum = stub_mix(stub_mix(i, key, WRN_KEY_SIZE), input.data, input.size);
        ret_first[i] = (uint8_t)sum;
        ret_second[i] = (uint8_t)(sum >> 8);
    }
}

static inline void stub_seal(void *ctx, const uint8_t *key, const uint8_t *nonce, wrn_span aad,
                             const uint8_t *in, size_t size, uint8_t *out) {
    (void)ctx;
    memmove(out, in, size);
    stub_tag(key, nonce, aad, out, size, out + size);
}

static inline bool stub_open(void *ctx, const uint8_t *key, const uint8_t *nonce, wrn_span aad,
                             const uint8_t *in, size_t size, uint8_t *out) {
    (void)ctx;
    uint8_t tag[WRN_TAG_SIZE];
    stub_tag(key, nonce, aad, in, size, tag);
    bool ok = memcmp(tag, in + size, sizeof(tag)) == 0;
    memmove(out, in, size);
    return ok;
}

static inline bool stub_sign_public(void *ctx, const uint8_t *seed, uint8_t *ret_public) {
    (void)seed;
    memcpy(ret_public, ((struct overlay_stub *)ctx)->public_key, WRN_SIGN_PUBLIC_SIZE);
    return true;
}

/* A list, and behind it perhaps the ring that it is bound to. */
static inline bool stub_is_object(wrn_span message) {
    size_t ring = WRN_RING_SIZE;
    return message.data[0] == '(' &&
           (message.data[message.size - 1] == ')' ||
            (message.size > ring && message.data[message.size - 1 - ring] == ')'));
}

static inline bool stub_sign(void *ctx, const uint8_t *seed, const char *label, wrn_span message,
                             uint8_t *ret_signature) {
    (void)seed;
    HOLDS(strlen(label) > 0 && stub_is_object(message));
    memcpy(ret_signature, ((struct overlay_stub *)ctx)->signature, WRN_SIGNATURE_SIZE);
    return true;
}

/* Keeps the key and the signature for the writer. */
static inline bool stub_verify(void *ctx, const uint8_t *public_key, const char *label,
                               wrn_span message, const uint8_t *signature) {
    struct overlay_stub *stub = ctx;
    HOLDS(strlen(label) > 0 && stub_is_object(message));
    memcpy(stub->public_key, public_key, sizeof(stub->public_key));
    memcpy(stub->signature, signature, sizeof(stub->signature));
    return true;
}

static inline void stub_hash(void *ctx, wrn_span first, wrn_span second, uint8_t *ret_hash) {
    (void)ctx;
    uint64_t sum = stub_mix(stub_mix(0, first.data, first.size), second.data, second.size);
    memset(ret_hash, 0, WRN_HASH_SIZE);
    memcpy(ret_hash, &sum, sizeof(sum));
}

static inline void stub_mac(void *ctx, wrn_span key, wrn_span data, uint8_t *ret_mac) {
    uint8_t hash[WRN_HASH_SIZE];
    stub_hash(ctx, key, data, hash);
    memcpy(ret_mac, hash, WRN_MAC_SIZE);
}

static inline void stub_hit(void *ctx, const uint8_t *public_key, uint8_t *ret_hit) {
    (void)ctx;
    memcpy(ret_hit, public_key, WRN_HIT_SIZE);
}

static inline struct wrn_primitives stub_primitives(struct overlay_stub *stub) {
    return (struct wrn_primitives){
        .ctx = stub,
        .agree = stub_agree,
        .derive = stub_derive,
        .seal = stub_seal,
        .open = stub_open,
        .sign_public = stub_sign_public,
        .sign = stub_sign,
        .verify = stub_verify,
        .mac = stub_mac,
        .hash = stub_hash,
        .hit = stub_hit,
    };
}
