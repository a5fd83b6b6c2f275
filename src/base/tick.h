/* SPDX-License-Identifier: Apache-2.0 */
/* A moment in half the room of wrn_mono: for tables with many of them. It counts milliseconds and
 * wraps after 49 days: what is looked at lies up to 3 days ahead, or up to 46 days back, so that a
 * machine may sleep for as long with a deadline of some hours. For deadlines, and for what happened
 * lately. */
#pragma once
#include "base/clock.h"

typedef struct wrn_tick {
    uint32_t count; /* 0: never */
} wrn_tick;

#define WRN_TICK_NS    UINT64_C(1000000)
#define WRN_DRIP_NS    UINT64_C(100000)
#define WRN_TICK_AHEAD (UINT64_C(1) << 28) /* more than 3 days */

#define WRN_TICK_NEVER ((wrn_tick){0})

/* Returns the first tick that is not before 'at'; NEVER stays NEVER. */
static inline wrn_tick wrn_tick_of(wrn_mono at) {
    if (at.ns == UINT64_MAX) {
        return WRN_TICK_NEVER;
    }
    uint64_t whole = at.ns / WRN_TICK_NS + (at.ns % WRN_TICK_NS != 0);
    return (wrn_tick){(uint32_t)whole != 0 ? (uint32_t)whole : 1};
}

/* Returns the moment of a tick. */
static inline wrn_mono wrn_tick_mono(wrn_tick tick, wrn_mono now) {
    uint64_t now_ticks = now.ns / WRN_TICK_NS;
    uint64_t ahead = (uint32_t)(tick.count - (uint32_t)now_ticks);
    uint64_t back = (UINT64_C(1) << 32) - ahead;
    if (tick.count == 0) {
        return WRN_MONO_NEVER;
    }
    if (ahead < WRN_TICK_AHEAD) {
        return (wrn_mono){(now_ticks + ahead) * WRN_TICK_NS};
    }
    return (wrn_mono){(now_ticks > back ? now_ticks - back : 0) * WRN_TICK_NS};
}

/* Tells whether a deadline has come. */
static inline bool wrn_tick_reached(wrn_mono now, wrn_tick deadline) {
    return wrn_mono_reached(now, wrn_tick_mono(deadline, now));
}

/* Tells whether a moment was set and lies ahead. */
static inline bool wrn_tick_is_ahead(wrn_mono now, wrn_tick tick) {
    return tick.count != 0 && !wrn_tick_reached(now, tick);
}

/* Returns 'ns' after now. */
static inline wrn_tick wrn_tick_in(wrn_mono now, uint64_t ns) {
    return wrn_tick_of(wrn_mono_add(now, ns));
}

/* A token bucket in 4 bytes: when it is full again, in tenths of a millisecond. They wrap after
 * 119 hours; what lies further ahead than a bucket can be empty is past. */
struct wrn_drip {
    uint32_t full_at;
};

/* Takes one from a bucket that holds 'burst' and gets a new one after each 'each_ns' (or a little
 * later: rounded up to the unit; 'burst' of them less than an hour). False if it is empty. */
WRN_NODISCARD static inline bool wrn_drip_take(struct wrn_drip *drip, wrn_mono now,
                                               uint64_t each_ns, uint32_t burst) {
    uint32_t now_units = (uint32_t)(now.ns / WRN_DRIP_NS);
    uint32_t each = (uint32_t)((each_ns + WRN_DRIP_NS - 1) / WRN_DRIP_NS);
    uint32_t debt = drip->full_at - now_units;
    if (debt > each * burst) {
        debt = 0;
    }
    if (debt + each > each * burst) {
        return false;
    }
    drip->full_at = now_units + debt + each;
    return true;
}
