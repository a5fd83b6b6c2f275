/* SPDX-License-Identifier: Apache-2.0 */
/* The clocks of one machine and the alarms that it sets by them. A machine that sleeps gets no
 * alarm, and its 'mono' stands still meanwhile, as CLOCK_MONOTONIC does; its wall clock goes on,
 * and may be wrong, run fast or slow, or be set. */
#pragma once
#include "sim/world.h"

struct sim_alarm;

struct sim_clock {
    struct sim_world *world;
    uint64_t slept_ns; /* in all sleeps that are over */
    wrn_mono asleep_since;
    bool is_asleep;
    int64_t offset_ns; /* of the wall clock, at 'offset_at' */
    wrn_mono offset_at;
    int64_t drift_ppb;       /* positive: fast */
    struct sim_alarm *first; /* the set ones, in the order in which they were set first */
    struct sim_alarm *last;
};

/* An alarm, embedded in its owner, zeroed but for 'ring' at first. */
struct sim_alarm {
    struct sim_event event;
    struct sim_clock *clock;
    struct sim_alarm *previous;
    struct sim_alarm *next;
    wrn_mono due;                          /* by the machine's clock */
    void (*ring)(struct sim_alarm *alarm); /* may set it again or free it */
};

/* Starts the clocks of a machine in 'world': right, awake. 'clock' must not move in memory. */
void sim_clock_init(struct sim_clock *clock, struct sim_world *world);

/* Returns what the machine's clocks show. While it sleeps 'mono' stands still. */
struct wrn_now sim_clock_now(const struct sim_clock *clock);

/* Has 'alarm' ring when the machine's 'mono' shows 'due', which must not lie in its past; moves it
 * if it is set, takes it back for WRN_MONO_NEVER. Alarms of one moment ring in the order in which
 * they were set, after a sleep in the order in which they were set first. */
void sim_alarm_set(struct sim_clock *clock, struct sim_alarm *alarm, wrn_mono due);

/* Lets the machine sleep, or wakes it; nothing happens if it does already. */
void sim_clock_sleep(struct sim_clock *clock);
void sim_clock_wake(struct sim_clock *clock);

/* Sets the wall clock 'offset_ns' ahead of the true time (negative: behind), from now on. */
void sim_clock_set_offset(struct sim_clock *clock, int64_t offset_ns);

/* Lets the wall clock run 'drift_ppb' parts in 10^9 too fast from now on (negative: too slow), at
 * most 10^8 either way. */
void sim_clock_set_drift(struct sim_clock *clock, int64_t drift_ppb);

/* Returns how far the wall clock is ahead of the true time, in nanoseconds. */
int64_t sim_clock_error(const struct sim_clock *clock);
