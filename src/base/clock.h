/* SPDX-License-Identifier: Apache-2.0 */
/* Points in time as two types that cannot be mixed. Reads no clock: the driver hands time in. */
#pragma once
#include "base/base.h"

/* Nanoseconds on a clock that never goes backwards; its zero has no meaning. For deadlines. */
typedef struct wrn_mono {
    uint64_t ns;
} wrn_mono;

/* Seconds and nanoseconds [0, 999999999] since 1970-01-01 UTC. For timestamps that others read. */
typedef struct wrn_wall {
    int64_t s;
    uint32_t ns;
} wrn_wall;

/* The one reading of both clocks that belongs to one input. */
struct wrn_now {
    wrn_mono mono;
    wrn_wall wall;
};

/* Hosts' clocks are wrong. So nothing is refused because it was made so far in the future, and what
 * is made to last begins so far in the past: two hosts that are wrong by WRONG in opposite ways
 * understand one another, and some time is left. When something ends is never stretched. */
enum {
    WRN_CLOCK_WRONG_MAX_S = 600,
    WRN_CLOCK_TOLERANCE_S = 3 * WRN_CLOCK_WRONG_MAX_S,
};

#define WRN_MONO_NEVER ((wrn_mono){UINT64_MAX})
#define WRN_MS(n)      ((uint64_t)(n)*1000000u)
#define WRN_S(n)       ((uint64_t)(n)*1000000000u)

/* Returns 't' plus 'ns' nanoseconds; never passes WRN_MONO_NEVER, and NEVER stays NEVER. */
static inline wrn_mono wrn_mono_add(wrn_mono t, uint64_t ns) {
    return (wrn_mono){t.ns > UINT64_MAX - ns ? UINT64_MAX : t.ns + ns};
}

/* Tells whether 'deadline' has come at time 'now'. WRN_MONO_NEVER never comes. */
static inline bool wrn_mono_reached(wrn_mono now, wrn_mono deadline) {
    return deadline.ns != UINT64_MAX && now.ns >= deadline.ns;
}

/* Tells whether 'a' lies before 'b'. */
static inline bool wrn_mono_before(wrn_mono a, wrn_mono b) {
    return a.ns < b.ns;
}

/* Returns the earlier of two points. */
static inline wrn_mono wrn_mono_min(wrn_mono a, wrn_mono b) {
    return a.ns < b.ns ? a : b;
}

/* Returns the nanoseconds from 'then' to 'now', 0 if 'then' is not in the past. */
static inline uint64_t wrn_mono_since(wrn_mono now, wrn_mono then) {
    return now.ns > then.ns ? now.ns - then.ns : 0;
}
