/* SPDX-License-Identifier: Apache-2.0 */
/* A machine's clocks: the world's, less what it slept, plus what they are wrong by. */
#include "sim/clock.h"

enum { DRIFT_MAX_PPB = 100000000 };

static const int64_t second_ns = 1000000000;

static void on_event(struct sim_event *event);
static void link_alarm(struct sim_clock *clock, struct sim_alarm *alarm);
static void unlink_alarm(struct sim_alarm *alarm);

void sim_clock_init(struct sim_clock *clock, struct sim_world *world) {
    *clock = (struct sim_clock){.world = world, .offset_at = sim_now(world).mono};
}

struct wrn_now sim_clock_now(const struct sim_clock *clock) {
    struct wrn_now now = sim_now(clock->world);
    int64_t error = sim_clock_error(clock);
    int64_t ns = (int64_t)now.wall.ns + error % second_ns;
    now.wall.s += error / second_ns + (ns >= second_ns) - (ns < 0);
    now.wall.ns = (uint32_t)((ns + second_ns) % second_ns);
    now.mono.ns = (clock->is_asleep ? clock->asleep_since.ns : now.mono.ns) - clock->slept_ns;
    return now;
}

void sim_alarm_set(struct sim_clock *clock, struct sim_alarm *alarm, wrn_mono due) {
    WRN_ASSERT(alarm->clock == NULL || alarm->clock == clock);
    WRN_ASSERT(!wrn_mono_before(due, sim_clock_now(clock).mono));
    alarm->event.happen = on_event;
    alarm->due = due;
    if (due.ns == UINT64_MAX) {
        unlink_alarm(alarm);
        sim_at(clock->world, &alarm->event, due);
        return;
    }
    link_alarm(clock, alarm);
    if (!clock->is_asleep) {
        sim_at(clock->world, &alarm->event, wrn_mono_add(due, clock->slept_ns));
    }
}

void sim_clock_sleep(struct sim_clock *clock) {
    if (clock->is_asleep) {
        return;
    }
    for (struct sim_alarm *alarm = clock->first; alarm != NULL; alarm = alarm->next) {
        sim_at(clock->world, &alarm->event, WRN_MONO_NEVER);
    }
    clock->is_asleep = true;
    clock->asleep_since = sim_now(clock->world).mono;
}

void sim_clock_wake(struct sim_clock *clock) {
    if (!clock->is_asleep) {
        return;
    }
    clock->is_asleep = false;
    clock->slept_ns += wrn_mono_since(sim_now(clock->world).mono, clock->asleep_since);
    for (struct sim_alarm *alarm = clock->first; alarm != NULL; alarm = alarm->next) {
        sim_at(clock->world, &alarm->event, wrn_mono_add(alarm->due, clock->slept_ns));
    }
}

void sim_clock_set_offset(struct sim_clock *clock, int64_t offset_ns) {
    clock->offset_ns = offset_ns;
    clock->offset_at = sim_now(clock->world).mono;
}

void sim_clock_set_drift(struct sim_clock *clock, int64_t drift_ppb) {
    WRN_ASSERT(drift_ppb >= -DRIFT_MAX_PPB && drift_ppb <= DRIFT_MAX_PPB);
    sim_clock_set_offset(clock, sim_clock_error(clock));
    clock->drift_ppb = drift_ppb;
}

/* Whole milliseconds of the time that passed, so that centuries fit. */
int64_t sim_clock_error(const struct sim_clock *clock) {
    uint64_t passed = wrn_mono_since(sim_now(clock->world).mono, clock->offset_at);
    return clock->offset_ns + (int64_t)(passed / WRN_MS(1)) * clock->drift_ppb / 1000;
}

static void on_event(struct sim_event *event) {
    struct sim_alarm *alarm = WRN_CONTAINER(event, struct sim_alarm, event);
    unlink_alarm(alarm);
    alarm->ring(alarm);
}

static void link_alarm(struct sim_clock *clock, struct sim_alarm *alarm) {
    if (alarm->clock != NULL) {
        return;
    }
    alarm->clock = clock;
    alarm->previous = clock->last;
    alarm->next = NULL;
    *(clock->last != NULL ? &clock->last->next : &clock->first) = alarm;
    clock->last = alarm;
}

static void unlink_alarm(struct sim_alarm *alarm) {
    struct sim_clock *clock = alarm->clock;
    if (clock == NULL) {
        return;
    }
    *(alarm->previous != NULL ? &alarm->previous->next : &clock->first) = alarm->next;
    *(alarm->next != NULL ? &alarm->next->previous : &clock->last) = alarm->previous;
    alarm->clock = NULL;
}
