/* SPDX-License-Identifier: Apache-2.0 */
/* Scenarios: functions with a name that make a world, let time pass in it and say what they found.
 * A run depends on its options alone. */
#pragma once
#include "sim/plot.h"
#include "sim/report.h"
#include "sim/world.h"

struct sim_options {
    uint64_t seed;
    uint32_t nodes;   /* 0: the scenario's own number; what they are is the scenario's matter */
    uint32_t minutes; /* of virtual time, 0: the scenario's own */
    bool is_cheap;    /* sim/cheap.h in place of cryptography */
    struct sim_plot *plot; /* filled by scenarios that draw, NULL: no picture is wanted */
    /* Is told of parts of the run that are worth measuring: 'name' begins, NULL: it is over; so
     * much virtual time has passed. NULL: nobody. */
    void (*on_phase)(void *ctx, const char *name, wrn_mono now);
    void *phase_ctx;
};

/* One run, while a scenario plays. */
struct sim_run {
    struct sim_world *world;
    struct sim_options options; /* with nothing left 0 but perhaps the seed */
    struct sim_report report;
};

struct sim_scenario {
    const char *name;
    const char *sentence;
    const char *nodes_are; /* what --nodes counts */
    uint32_t nodes;        /* defaults and limits */
    uint32_t nodes_max;
    uint32_t minutes;
    bool draws; /* fills options.plot, if there is one, at the moment worth seeing */
    void (*play)(struct sim_run *run); /* frees what it made but the run */
};

/* What remains of a run. */
struct sim_outcome {
    struct sim_options options; /* as they were used */
    struct sim_report report;   /* to be finished by the caller */
    uint64_t hash;
    uint64_t events;
    uint64_t passed_ns; /* of virtual time */
};

/* A part of the run begins that is worth measuring by itself; NULL: it is over. */
void sim_phase(const struct sim_run *run, const char *name);

/* All scenarios, in the order in which a list shows them; the last one is NULL. */
extern const struct sim_scenario *const sim_scenarios[];

/* Returns the scenario of that name, or NULL. */
const struct sim_scenario *sim_scenario_find(const char *name);

/* Plays a scenario in a world of its own. 'watch' is told of its trace, NULL: nobody. More nodes
 * than the scenario's limit are asserted against. */
void sim_play(const struct sim_scenario *scenario, struct sim_options options,
              sim_watch_trace *watch, void *ctx, struct sim_outcome *ret_outcome);
