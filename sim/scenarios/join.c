/* SPDX-License-Identifier: Apache-2.0 */
/* The simplest life of a ring: nodes come one after the other, by way of the bootstrap nodes; each
 * finds its place within seconds, while the others keep theirs. */
#include "sim/checks.h"
#include "sim/population.h"
#include "sim/scenarios/scenarios.h"

enum { GAP_MS = 500, LIMIT_S = 60 };

static void play(struct sim_run *run);

const struct sim_scenario sim_join = {
    .name = "join",
    .sentence = "nodes come one after the other; each finds its place on the ring",
    .nodes_are = "nodes, half of them behind NAT",
    .nodes = 40,
    .nodes_max = 20000,
    .minutes = 2,
    .play = play,
};

static void play(struct sim_run *run) {
    struct sim_mixture mixture = sim_mixture_usual();
    struct sim_nodes *nodes = sim_populate(run, run->options.nodes, &mixture);
    (void)sim_checks_create(nodes);
    for (uint32_t i = 0; i < nodes->count; i++) {
        sim_node_start(nodes->all[i], SIM_SAME_STATE);
        sim_pass(nodes, WRN_MS(GAP_MS));
    }
    uint64_t took_ms =
        sim_expect_settled(nodes, UINT32_MAX, WRN_S(LIMIT_S), "after the last start");
    sim_report_figure(&run->report, "consistent_after_ms", took_ms);
    sim_pass(nodes, run->options.minutes * WRN_S(60));
    struct sim_view view = sim_look(nodes, UINT32_MAX);
    sim_report_expect(&run->report, view.consistent == view.live,
                      "it did not last: %u of %u nodes are consistent", view.consistent, view.live);
    sim_report_nodes(nodes, UINT32_MAX);
    sim_nodes_destroy(nodes);
}
