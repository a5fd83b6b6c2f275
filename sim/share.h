/* SPDX-License-Identifier: Apache-2.0 */
/* Shares in millionths, and whether what was counted can be chance. Integers only: what decides
 * must be the same with every compiler. */
#pragma once
#include "base/base.h"

enum { SIM_PPM = 1000000, SIM_SIGMAS = 5 };

/* Returns 'count' out of 'of' in millionths, 0 of nothing. 'count' < 2^44. */
static inline uint64_t sim_ppm(uint64_t count, uint64_t of) {
    return of > 0 ? count * SIM_PPM / of : 0;
}

/* Tells whether 'count' out of 'of' (< 2^31) independent ones is what a share of 'share_ppm' gives,
 * within five standard deviations (squared: no roots) and five more for small numbers. */
static inline bool sim_is_share(uint64_t count, uint64_t of, uint32_t share_ppm) {
    uint64_t expected = of * share_ppm / SIM_PPM;
    uint64_t off = count > expected ? count - expected : expected - count;
    uint64_t variance = expected * (SIM_PPM - share_ppm) / SIM_PPM;
    return off * off <= (uint64_t)SIM_SIGMAS * SIM_SIGMAS * (variance + 1);
}
