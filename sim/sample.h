/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers that were measured, for percentiles. Integers only. */
#pragma once
#include "base/base.h"

/* Zeroed: empty. */
struct sim_sample {
    uint32_t *values;
    uint32_t count, capacity;
    bool is_sorted;
};

/* Adds a number. */
void sim_sample_add(struct sim_sample *sample, uint64_t value);

/* Returns the smallest number that at least 'percent' of all do not exceed (0: the least, 100: the
 * greatest); 0 of nothing. O(n log n) after an addition. */
uint32_t sim_sample_percentile(struct sim_sample *sample, uint32_t percent);

/* Returns the mean in thousandths; 0 of nothing. */
uint64_t sim_sample_mean_milli(const struct sim_sample *sample);

/* Frees it; it is empty then. */
void sim_sample_finish(struct sim_sample *sample);
