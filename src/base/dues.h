/* SPDX-License-Identifier: Apache-2.0 */
/* The deadlines of a small table, one for each of its places: 8 bytes a place, where a heap takes
 * 24. The earliest is at hand; moving it later costs a walk through the table, so this is for
 * tables of some thousand places at most. */
#pragma once
#include "base/arena.h"
#include "base/clock.h"

struct wrn_dues {
    uint64_t *left; /* nanoseconds from a deadline to WRN_MONO_NEVER; 0: none, so that the pages of
                     * places that were never used need not be touched */
    uint32_t count;
    uint32_t first; /* the place of the earliest one */
};

/* Takes room for 'count' >= 1 places from 'arena'; none has a deadline. */
void wrn_dues_init(struct wrn_dues *dues, struct wrn_arena *arena, uint32_t count);

/* Sets the deadline of 'place'. O(1), but O(places) if it was the earliest and becomes later. */
void wrn_dues_set(struct wrn_dues *dues, uint32_t place, wrn_mono due);

/* Returns the earliest deadline; its place is 'first'. Of equal ones it is any, but in each run
 * with the same calls the same one. */
static inline wrn_mono wrn_dues_first(const struct wrn_dues *dues) {
    return (wrn_mono){WRN_MONO_NEVER.ns - dues->left[dues->first]};
}
