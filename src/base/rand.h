/* SPDX-License-Identifier: Apache-2.0 */
/* Randomness is handed in. The core draws none of its own, so that a seed replays a whole run. */
#pragma once
#include "base/base.h"

/* A source of random bytes. 'fill' cannot fail and must not call back into the machine using it. */
struct wrn_rand {
    void (*fill)(void *ctx, void *bytes, size_t size);
    void *ctx;
};

/* Fills 'size' bytes at 'bytes' from 'rand'. */
static inline void wrn_rand_fill(struct wrn_rand rand, void *bytes, size_t size) {
    rand.fill(rand.ctx, bytes, size);
}

/* Draws a number in [0, bound), 'bound' ≥ 1, without modulo bias worth naming (2^-32 at most). */
uint32_t wrn_rand_below(struct wrn_rand rand, uint32_t bound);

/* Replayable generator for tests and the simulator, not for keys of a real node.
 * Source: Blackman and Vigna, "Scrambled linear pseudorandom number generators" (xoshiro256**). */
struct wrn_prng {
    uint64_t s[4];
};

/* Seeds 'prng'; different 'stream' numbers give independent sequences for one 'seed'. */
void wrn_prng_init(struct wrn_prng *prng, uint64_t seed, uint64_t stream);

/* Returns the next 64 bits. */
uint64_t wrn_prng_next(struct wrn_prng *prng);

/* Returns a wrn_rand that draws from 'prng', which must outlive it. */
struct wrn_rand wrn_prng_rand(struct wrn_prng *prng);
