/* SPDX-License-Identifier: Apache-2.0 */
/* A moment in half the room of wrn_mono: for tables with many of them. It counts 2^22 ns (4.2 ms)
 * and wraps after 208 days, so it must not be more than 100 days away when it is looked at: for
 * deadlines, which are looked at when they come, and for what happened lately. */
#pragma once
#include "base/clock.h"

typedef struct wrn_tick {
    uint32_t count; /* 0: never */
} wrn_tick;

enum { WRN_TICK_BITS = 22 };

#define WRN_TICK_NEVER ((wrn_tick){0})

/* Returns the first tick that is not before 'at'; NEVER stays NEVER. */
static inline wrn_tick wrn_tick_of(wrn_mono at) {
    if (at.ns == UINT64_MAX) {
        return WRN_TICK_NEVER;
    }
    uint64_t whole = (at.ns >> WRN_TICK_BITS) + ((at.ns & ((1u << WRN_TICK_BITS) - 1)) != 0);
    return (wrn_tick){(uint32_t)whole != 0 ? (uint32_t)whole : 1};
}

/* Returns the moment of a tick, the one that is nearest to 'now'. */
static inline wrn_mono wrn_tick_mono(wrn_tick tick, wrn_mono now) {
    if (tick.count == 0) {
        return WRN_MONO_NEVER;
    }
    uint64_t now_ticks = now.ns >> WRN_TICK_BITS;
    int64_t ahead = (int32_t)(tick.count - (uint32_t)now_ticks);
    uint64_t ticks = ahead < 0 && (uint64_t)-ahead > now_ticks ? 0 : now_ticks + (uint64_t)ahead;
    return (wrn_mono){ticks << WRN_TICK_BITS};
}

/* Tells whether a deadline has come. */
static inline bool wrn_tick_reached(wrn_mono now, wrn_tick deadline) {
    return wrn_mono_reached(now, wrn_tick_mono(deadline, now));
}

/* Returns 'ns' after now. */
static inline wrn_tick wrn_tick_in(wrn_mono now, uint64_t ns) {
    return wrn_tick_of(wrn_mono_add(now, ns));
}
