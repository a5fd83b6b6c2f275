/* SPDX-License-Identifier: Apache-2.0 */
/* Host Identity Tags of Ed25519 keys, as bytes and as text. Knows no other kind of key. */
#include <arpa/inet.h>

#include "crypto/identity.h"
#include "crypto/internal.h"

enum {
    CONTEXT_SIZE = 16,
    HEAD_SIZE = 4, /* of a HOST_ID: curve, reserved; of a HIT: prefix, suite */
};

/* The Context ID of HIP. Source: RFC 7401, section 3.2. */
static const uint8_t context_id[CONTEXT_SIZE] = {0xf0, 0xef, 0xf0, 0x2f, 0xbf, 0xf4, 0x3d, 0x0f,
                                                 0xe7, 0x93, 0x0c, 0x3c, 0x6e, 0x61, 0x74, 0xea};

/* EdDSA curve 1 (Ed25519) and two reserved bytes. Source: RFC 9374, section 3.4.1.1. */
static const uint8_t host_id_head[HEAD_SIZE] = {0, 1, 0, 0};

/* 2001:20::/28 and HIT suite 5, EdDSA/cSHAKE128. Source: RFC 7343, section 2; RFC 9374, section
 * 3.4.2. */
static const uint8_t hit_head[HEAD_SIZE] = {0x20, 0x01, 0x00, 0x25};

void wrn_hit(const uint8_t public_key[WRN_SIGN_PUBLIC_SIZE], uint8_t ret_hit[WRN_HIT_SIZE]) {
    uint8_t input[CONTEXT_SIZE + HEAD_SIZE + WRN_SIGN_PUBLIC_SIZE];
    uint8_t hash[WRN_HIT_HASH_SIZE];
    memcpy(input, context_id, CONTEXT_SIZE);
    memcpy(input + CONTEXT_SIZE, host_id_head, HEAD_SIZE);
    memcpy(input + CONTEXT_SIZE + HEAD_SIZE, public_key, WRN_SIGN_PUBLIC_SIZE);
    wrn_cshake128((wrn_span){input, sizeof(input)}, (wrn_span){0}, (wrn_span){0}, hash,
                  sizeof(hash));
    wrn_hit_from_hash(hash, ret_hit);
}

void wrn_hit_from_hash(const uint8_t hash[WRN_HIT_HASH_SIZE], uint8_t ret_hit[WRN_HIT_SIZE]) {
    memcpy(ret_hit, hit_head, HEAD_SIZE);
    memcpy(ret_hit + HEAD_SIZE, hash, WRN_HIT_HASH_SIZE);
}

bool wrn_hit_is_eddsa(const uint8_t hit[WRN_HIT_SIZE]) {
    return memcmp(hit, hit_head, HEAD_SIZE) == 0;
}

void wrn_hit_print(const uint8_t hit[WRN_HIT_SIZE], char ret_text[WRN_HIT_TEXT_SIZE]) {
    const char *text = inet_ntop(AF_INET6, hit, ret_text, WRN_HIT_TEXT_SIZE);
    WRN_ASSERT(text == ret_text);
}

int wrn_hit_read(const char *text, uint8_t ret_hit[WRN_HIT_SIZE]) {
    uint8_t hit[WRN_HIT_SIZE];
    if (inet_pton(AF_INET6, text, hit) != 1) {
        return WRN_ERR_MALFORMED;
    }
    if (!wrn_hit_is_eddsa(hit)) {
        return -EAFNOSUPPORT;
    }
    memcpy(ret_hit, hit, sizeof(hit));
    return 0;
}
