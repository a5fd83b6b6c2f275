/* SPDX-License-Identifier: Apache-2.0 */
/* SipHash-2-4, the keyed hash behind wrn_keymap. A hash for tables: protects no message. */
#include "base/bytes.h"
#include "base/keymap.h"

struct sip {
    uint64_t v0, v1, v2, v3;
};

/* In registers: a switch hashes two addresses of each frame. */
#define ALWAYS_INLINE inline __attribute__((always_inline))

static ALWAYS_INLINE uint64_t rotate_left(uint64_t v, unsigned bits);
static ALWAYS_INLINE void round_once(struct sip *s);
static ALWAYS_INLINE void absorb(struct sip *s, uint64_t word);

uint64_t wrn_siphash(const uint64_t key[2], const void *bytes, size_t size) {
    /* The constants spell "somepseudorandomlygeneratedbytes". */
    struct sip s = {
        .v0 = key[0] ^ 0x736f6d6570736575u,
        .v1 = key[1] ^ 0x646f72616e646f6du,
        .v2 = key[0] ^ 0x6c7967656e657261u,
        .v3 = key[1] ^ 0x7465646279746573u,
    };
    const uint8_t *p = bytes;
    size_t left = size;
    for (; left >= 8; left -= 8, p += 8) {
        absorb(&s, wrn_load_le64(p));
    }
    uint64_t last = (uint64_t)(size & 0xff) << 56;
    for (size_t i = 0; i < left; i++) {
        last |= (uint64_t)p[i] << (8 * i);
    }
    absorb(&s, last);
    s.v2 ^= 0xff;
    for (unsigned i = 0; i < 4; i++) {
        round_once(&s);
    }
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

static ALWAYS_INLINE uint64_t rotate_left(uint64_t v, unsigned bits) {
    return v << bits | v >> (64 - bits);
}

static ALWAYS_INLINE void round_once(struct sip *s) {
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotate_left(s->v1, 13) ^ s->v0;
    s->v3 = rotate_left(s->v3, 16) ^ s->v2;
    s->v0 = rotate_left(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = rotate_left(s->v1, 17) ^ s->v2;
    s->v3 = rotate_left(s->v3, 21) ^ s->v0;
    s->v2 = rotate_left(s->v2, 32);
}

static ALWAYS_INLINE void absorb(struct sip *s, uint64_t word) {
    s->v3 ^= word;
    round_once(s);
    round_once(s);
    s->v0 ^= word;
}
