/* SPDX-License-Identifier: Apache-2.0 */
/* A picture of a ring at one moment: who is on it, who has links to whom, how far lookups went and
 * how long they took. Collects what a scenario tells and makes SVG of it; writes no file. */
#pragma once
#include "overlay/id.h"
#include "sim/sample.h"

/* X(NAME, "text"): what a node is, for its colour. */
#define SIM_PLOT_STATE_LIST(X)                                                                     \
    X(CONNECTED, "connected")                                                                      \
    X(JOINING, "joining")                                                                          \
    X(ALONE, "without links")                                                                      \
    X(DOWN, "down or asleep")                                                                      \
    X(HOSTILE, "hostile")

/* X(NAME, "text"): what a link is for; of several uses the first one of this list. */
#define SIM_PLOT_LINK_LIST(X)                                                                      \
    X(NEAR, "near")                                                                                \
    X(SHORTCUT, "shortcut")                                                                        \
    X(ON_DEMAND, "on demand")                                                                      \
    X(OTHER, "leaf or overlap")

enum sim_plot_state {
#define X(name, text) SIM_PLOT_##name,
    SIM_PLOT_STATE_LIST(X)
#undef X
        SIM_PLOT_STATES
};

enum sim_plot_link {
#define X(name, text) SIM_PLOT_LINK_##name,
    SIM_PLOT_LINK_LIST(X)
#undef X
        SIM_PLOT_LINKS
};

struct sim_plot_node {
    wrn_id id;
    uint8_t state; /* enum sim_plot_state */
};

struct sim_plot_edge {
    wrn_id a, b;
    uint8_t kind; /* enum sim_plot_link */
    bool is_relayed;
};

/* Zeroed: empty. */
struct sim_plot {
    uint64_t passed_ns; /* of virtual time, at the moment that is drawn */
    struct sim_plot_node *nodes;
    uint32_t node_count, node_capacity;
    struct sim_plot_edge *edges;
    uint32_t edge_count, edge_capacity;
    struct sim_sample hops; /* of lookups that were answered */
    struct sim_sample latencies_us;
};

/* What the title says. */
struct sim_plot_title {
    const char *scenario;
    uint64_t seed;
};

/* Takes the picture anew: forgets nodes and links, keeps lookups. 'passed_ns' of virtual time have
 * passed since the run began. */
void sim_plot_begin(struct sim_plot *plot, uint64_t passed_ns);

/* Adds a node, and a link between two places; a link may be added from both ends, and is drawn
 * once. */
void sim_plot_add_node(struct sim_plot *plot, wrn_id id, enum sim_plot_state state);
void sim_plot_add_link(struct sim_plot *plot, wrn_id a, wrn_id b, enum sim_plot_link kind,
                       bool is_relayed);

/* Adds a lookup that was answered: how many links it took, and how long. */
void sim_plot_add_lookup(struct sim_plot *plot, uint32_t hops, uint32_t latency_us);

/* Draws it: returns the SVG document as terminated text, to be freed with free(). Sorts what the
 * plot holds. The same plot gives the same text. O(n log n). */
char *sim_plot_draw(struct sim_plot *plot, const struct sim_plot_title *title);

/* Frees what was added; the plot is empty then. NULL is fine. */
void sim_plot_finish(struct sim_plot *plot);
