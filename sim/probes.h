/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that are routed over the ring to see whether they come to the right node, how far and
 * how fast: each has a serial number, and the oracle knows who should get it. */
#pragma once
#include "sim/population.h"
#include "sim/sample.h"

struct sim_probe {
    struct sim_node *from;
    wrn_id target;
    wrn_mono sent;
    uint32_t group;
    bool is_exact;
    bool has_come;
    bool is_wrong; /* came to another node than the oracle says */
};

struct sim_probes {
    struct sim_nodes *nodes;
    struct wrn_rand rand;
    struct sim_probe *all;
    uint32_t count, capacity;
    uint32_t first; /* of those that sim_probes_judge has not looked at */
    bool has_liars; /* who may change what they forward */
    uint64_t refused, right, wrong, late, twice;
    struct sim_sample hops, latency_us;
};

enum { SIM_PROBE_TIMEOUT_S = 20 };

/* Begins without probes. */
void sim_probes_init(struct sim_probes *probes, struct sim_nodes *nodes);

/* Routes one from a live node that is drawn (among the connected ones) to another one of its group
 * that is drawn (exact), or to whoever is nearest to a place that is drawn. */
void sim_probes_send(struct sim_probes *probes, uint32_t group, bool is_exact);

/* Routes 'count' of each kind, one of each every 'gap_ns', and waits for the last. */
void sim_probes_send_many(struct sim_probes *probes, uint32_t group, uint32_t count,
                          uint64_t gap_ns);

/* Takes a routed message; tells whether it was a probe. */
bool sim_probes_on_event(struct sim_probes *probes, struct sim_node *node,
                         const struct wrn_overlay_action *action);

/* Counts what has become of those that are old enough. */
void sim_probes_judge(struct sim_probes *probes);

/* Forgets what was counted. */
void sim_probes_reset(struct sim_probes *probes);

/* Reports hops, times and shares. */
void sim_probes_report(struct sim_probes *probes);

/* Frees them. */
void sim_probes_finish(struct sim_probes *probes);
