/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers that were measured. */
#include "sim/sample.h"

#include "sim/memory.h"

static void sort(uint32_t *values, uint32_t count);
static void sink(uint32_t *values, uint32_t count, uint32_t at);

void sim_sample_add(struct sim_sample *sample, uint64_t value) {
    sample->values =
        sim_grow(sample->values, sample->count, &sample->capacity, sizeof *sample->values);
    sample->values[sample->count++] = value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
    sample->is_sorted = false;
}

uint32_t sim_sample_percentile(struct sim_sample *sample, uint32_t percent) {
    if (sample->count == 0) {
        return 0;
    }
    if (!sample->is_sorted) {
        sort(sample->values, sample->count);
        sample->is_sorted = true;
    }
    uint64_t wanted = ((uint64_t)sample->count * percent + 99) / 100;
    return sample->values[wanted > 0 ? wanted - 1 : 0];
}

uint64_t sim_sample_mean_milli(const struct sim_sample *sample) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < sample->count; i++) {
        sum += sample->values[i];
    }
    return sample->count > 0 ? sum * 1000 / sample->count : 0;
}

void sim_sample_finish(struct sim_sample *sample) {
    free(sample->values);
    *sample = (struct sim_sample){0};
}

/* Heap sort: the library's calls what it likes. */
static void sort(uint32_t *values, uint32_t count) {
    for (uint32_t i = count / 2; i-- > 0;) {
        sink(values, count, i);
    }
    for (uint32_t last = count; last-- > 1;) {
        uint32_t greatest = values[0];
        values[0] = values[last];
        values[last] = greatest;
        sink(values, last, 0);
    }
}

static void sink(uint32_t *values, uint32_t count, uint32_t at) {
    uint32_t value = values[at];
    for (uint32_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
        child += child + 1 < count && values[child + 1] > values[child];
        if (values[child] <= value) {
            break;
        }
        values[at] = values[child];
        at = child;
    }
    values[at] = value;
}
