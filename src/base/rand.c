/* SPDX-License-Identifier: Apache-2.0 */
/* Bounded draws, and the replayable generator of tests and simulations. Never asks the system. */
#include "base/rand.h"

#include "base/bytes.h"

static uint64_t rotate_left(uint64_t v, unsigned bits);
static uint64_t splitmix64(uint64_t *state);
static void fill_from_prng(void *ctx, void *bytes, size_t size);

uint32_t wrn_rand_below(struct wrn_rand rand, uint32_t bound) {
    WRN_ASSERT(bound >= 1);
    uint8_t bytes[8];
    wrn_rand_fill(rand, bytes, sizeof(bytes));
    /* The high half of a 64 x 32 bit product: the bias is bound / 2^64. */
    uint64_t draw = wrn_load_le64(bytes);
    uint64_t low = (draw & UINT32_MAX) * bound;
    uint64_t high = (draw >> 32) * bound + (low >> 32);
    return (uint32_t)(high >> 32);
}

void wrn_prng_init(struct wrn_prng *prng, uint64_t seed, uint64_t stream) {
    /* Stream 0 is the authors' way to seed: four outputs of splitmix64. Another stream starts
     * splitmix64 at a place that is itself a hash of the stream number. */
    uint64_t offset = stream;
    uint64_t state = seed ^ (stream != 0 ? splitmix64(&offset) : 0);
    for (size_t i = 0; i < WRN_COUNT(prng->s); i++) {
        prng->s[i] = splitmix64(&state);
    }
}

uint64_t wrn_prng_next(struct wrn_prng *prng) {
    uint64_t *s = prng->s;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

struct wrn_rand wrn_prng_rand(struct wrn_prng *prng) {
    return (struct wrn_rand){.fill = fill_from_prng, .ctx = prng};
}

static uint64_t rotate_left(uint64_t v, unsigned bits) {
    return v << bits | v >> (64 - bits);
}

/* Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators". */
static uint64_t splitmix64(uint64_t *state) {
    *state += 0x9e3779b97f4a7c15u;
    uint64_t z = *state;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* Whole words in little-endian order, so that every machine draws the same bytes. */
static void fill_from_prng(void *ctx, void *bytes, size_t size) {
    uint8_t *p = bytes;
    while (size > 0) {
        uint8_t word[8];
        size_t piece = size < sizeof(word) ? size : sizeof(word);
        wrn_store_le64(word, wrn_prng_next(ctx));
        memcpy(p, word, piece);
        p += piece;
        size -= piece;
    }
}
