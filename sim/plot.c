/* SPDX-License-Identifier: Apache-2.0 */
/* What a picture of a ring is made of. Draws nothing: plot_draw.c does. */
#include "sim/plot.h"

#include "sim/memory.h"

void sim_plot_begin(struct sim_plot *plot, uint64_t passed_ns) {
    plot->passed_ns = passed_ns;
    plot->node_count = 0;
    plot->edge_count = 0;
}

void sim_plot_add_node(struct sim_plot *plot, wrn_id id, enum sim_plot_state state) {
    WRN_ASSERT(state < SIM_PLOT_STATES);
    plot->nodes =
        sim_grow(plot->nodes, plot->node_count, &plot->node_capacity, sizeof *plot->nodes);
    plot->nodes[plot->node_count++] = (struct sim_plot_node){.id = id, .state = (uint8_t)state};
}

void sim_plot_add_link(struct sim_plot *plot, wrn_id a, wrn_id b, enum sim_plot_link kind,
                       bool is_relayed) {
    WRN_ASSERT(kind < SIM_PLOT_LINKS);
    plot->edges =
        sim_grow(plot->edges, plot->edge_count, &plot->edge_capacity, sizeof *plot->edges);
    plot->edges[plot->edge_count++] = (struct sim_plot_edge){
        .a = wrn_id_less(a, b) ? a : b,
        .b = wrn_id_less(a, b) ? b : a,
        .kind = (uint8_t)kind,
        .is_relayed = is_relayed,
    };
}

void sim_plot_add_lookup(struct sim_plot *plot, uint32_t hops, uint32_t latency_us) {
    sim_sample_add(&plot->hops, hops);
    sim_sample_add(&plot->latencies_us, latency_us);
}

void sim_plot_finish(struct sim_plot *plot) {
    if (plot == NULL) {
        return;
    }
    free(plot->nodes);
    free(plot->edges);
    sim_sample_finish(&plot->hops);
    sim_sample_finish(&plot->latencies_us);
    *plot = (struct sim_plot){0};
}
