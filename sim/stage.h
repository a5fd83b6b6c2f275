/* SPDX-License-Identifier: Apache-2.0 */
/* What most scenarios of the ring begin with: a population that is checked, probes and records that
 * are looked after, churn. */
#pragma once
#include "sim/ask.h"
#include "sim/checks.h"
#include "sim/probes.h"
#include "sim/records.h"

struct sim_stage {
    struct sim_run *run;
    struct sim_report *report; /* of the run */
    struct sim_mixture mixture;
    struct sim_nodes *nodes;
    struct sim_probes probes;
    struct sim_records records;
    /* Is told what neither probes nor records wanted. NULL: nobody. */
    void (*on_event)(struct sim_stage *stage, struct sim_node *node,
                     const struct wrn_overlay_action *action);
    void *ctx;            /* the scenario's */
    struct wrn_rand rand; /* of faults */
    /* Churn. */
    struct sim_event leaving;
    uint64_t leaving_gap_ns; /* 0: nobody leaves */
    uint64_t left;
};

/* Fills a stage that does not move in memory; nobody runs yet. */
void sim_stage_begin(struct sim_stage *stage, struct sim_run *run, uint32_t count,
                     const struct sim_mixture *mixture);

/* The same with nodes that the scenario made itself. */
void sim_stage_begin_with(struct sim_stage *stage, struct sim_run *run, struct sim_nodes *nodes,
                          const struct sim_mixture *mixture);

/* Starts all nodes within 'within_ns', waits, and expects a ring 'limit_ns' after the last. Returns
 * how long it took in milliseconds. */
uint64_t sim_stage_start(struct sim_stage *stage, uint64_t within_ns, uint64_t limit_ns);

/* From now on a node leaves every 'gap_ns' on average (0: no more), half of them without a word,
 * and comes back after 10 s to 5 minutes: with its state, with its key alone, or as a new one.
 * Bootstrap nodes stay. */
void sim_stage_churn(struct sim_stage *stage, uint64_t gap_ns);

/* Has a node that no turn is planned for leave and come back that way. */
void sim_stage_leave(struct sim_stage *stage, struct sim_node *node);

/* Wakes all who sleep and starts all who do not run, at once. */
void sim_stage_revive(struct sim_stage *stage);

/* Frees all. */
void sim_stage_end(struct sim_stage *stage);
