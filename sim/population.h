/* SPDX-License-Identifier: Apache-2.0 */
/* Populations: many nodes with a mixture of links and NATs, and the oracle, who knows what they
 * together should look like. */
#pragma once
#include "sim/home.h"
#include "sim/node.h"

#define SIM_ALL UINT32_MAX /* as a group: all of them */

/* What a population is made of. Shares are in millionths of the nodes that are not bootstraps. */
struct sim_mixture {
    uint32_t bootstraps;   /* the first nodes are public and known to all; 1..16 */
    uint32_t natted_ppm;   /* live alone behind a home's box */
    uint32_t shared_ppm;   /* live behind one together with others */
    uint32_t share_size;   /* ... so many of them */
    uint32_t hard_ppm;     /* of the boxes: symmetric or carriers', not just cones */
    uint32_t ipv6_ppm;     /* of the homes: have IPv6 behind a firewall */
    uint64_t delay_min_ns; /* one way, from a host to the middle of the internet; drawn for each */
    uint64_t delay_max_ns;
    struct sim_link link; /* all else that is on hosts' lines, each way; its delay is not used */
};

/* Returns a mixture of ordinary homes: 3 bootstraps, 60 % behind cones and masquerades, lines of 5
 * to 60 ms without faults. */
struct sim_mixture sim_mixture_usual(void);

/* Returns one of public nodes with lines of 'delay_ns', which is half of what lies between two. */
struct sim_mixture sim_mixture_public(uint64_t delay_ns);

/* Makes nodes for the run, 'count' of them, at least as many as bootstraps; none runs yet. */
struct sim_nodes *sim_populate(struct sim_run *run, uint32_t count,
                               const struct sim_mixture *mixture);

/* Plans that the nodes from 'first' on start within 'within_ns' from now: the first at once, the
 * others in random order. */
void sim_start_all(struct sim_nodes *nodes, uint32_t first, uint64_t within_ns);

/* Puts all hosts' lines back to what they are without faults. */
void sim_calm_links(struct sim_nodes *nodes, const struct sim_mixture *mixture);

/* ---- the oracle ---- */

/* What the ring looks like. Only live nodes that are not strangers count; 'group' tells rings apart
 * (SIM_ALL: one for all). */
struct sim_view {
    uint32_t live;
    uint32_t connected;  /* say so themselves */
    uint32_t consistent; /* say so, and have links to their true neighbours on both sides */
    uint64_t links;      /* of all of them */
    uint64_t relayed_links;
    uint32_t links_max;
};

/* Looks at all nodes. */
struct sim_view sim_look(const struct sim_nodes *nodes, uint32_t group);

/* Tells whether all live nodes of the group are consistent. */
bool sim_is_consistent(const struct sim_nodes *nodes, uint32_t group);

/* Lets time pass until the ring of the group is consistent, at most 'limit_ns', to the second.
 * Returns how long that took, UINT64_MAX: too long. */
uint64_t sim_settle(struct sim_nodes *nodes, uint32_t group, uint64_t limit_ns);

/* Lets time pass until the ring is consistent, and reports a failure that says what is wrong with
 * which node if it is not in time. Returns how long it took, in milliseconds. */
uint64_t sim_expect_settled(struct sim_nodes *nodes, uint32_t group, uint64_t limit_ns,
                            const char *after);

/* Returns the live node of the group that is nearest to a place, NULL if there is none. */
struct sim_node *sim_nearest(const struct sim_nodes *nodes, uint32_t group, wrn_id place);

/* Writes the 'wanted' nearest of them, the nearest first. Returns how many there are. */
size_t sim_nearest_some(const struct sim_nodes *nodes, uint32_t group, wrn_id place, size_t wanted,
                        struct sim_node **ret_nodes);

/* Returns the live or dead node that has this place, NULL if there is none. */
struct sim_node *sim_node_of(const struct sim_nodes *nodes, wrn_id id);

/* Draws a live node of the group that is no stranger; NULL if there is none. */
struct sim_node *sim_draw_live(const struct sim_nodes *nodes, uint32_t group, struct wrn_rand rand);

/* Draws how long it is until something happens again that happens every 'mean_ns' on average: up to
 * twice that. */
uint64_t sim_draw_gap(struct wrn_rand rand, uint64_t mean_ns);

/* Lets 'ns' pass. */
void sim_pass(struct sim_nodes *nodes, uint64_t ns);

/* Reports what every scenario of the ring does: how many live and are consistent, their links, what
 * a node takes of memory, all datagrams. */
void sim_report_nodes(struct sim_nodes *nodes, uint32_t group);

/* Takes a picture of the ring, if one is wanted. */
void sim_draw_nodes(struct sim_nodes *nodes);
