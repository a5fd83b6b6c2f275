/* SPDX-License-Identifier: Apache-2.0 */
/* A small network of whole nodes in virtual time: datagrams take a while, may be lost, kept back or
 * watched. No NAT; the simulator has those. */
#pragma once
#include "overlay/overlay.h"

enum { WORLD_NODES_MAX = 128, WORLD_PORT = 4100 };

struct world_node {
    struct wrn_overlay *overlay;
    void *memory;
    struct wrn_prng prng;
    struct wrn_overlay_options options;
    struct wrn_endpoint at;
    wrn_id id;
    int64_t clock_ahead_s; /* its wall clock is so much ahead */
    bool is_up;            /* runs */
    bool is_cut;           /* ... but nothing goes in or out */
    uint32_t group;        /* datagrams stay within a group */
    /* what it was told */
    uint32_t ups, downs, restarted, ways, failed, cached, broadcasts;
    enum wrn_reason down_reason, failed_reason;
    enum wrn_ring_state state;
    uint64_t actions_lost;
    uint64_t sent, sent_bytes;
    uint32_t messages;
    char message[64]; /* the last one */
    struct wrn_dht_answer answer;
    uint64_t values[4];
    uint64_t sum_nodes;
    uint32_t found;
    bool sum_done, crawl_done;
    uint8_t cache[WRN_LOCATOR_MAX];
    size_t cache_size;
};

struct world;

/* Is shown each datagram before it is sent; false: it is dropped. May change it. */
typedef bool world_filter(void *ctx, struct world *world, uint32_t from,
                          const struct wrn_endpoint *to, uint8_t *bytes, size_t size);

struct world *world_create(uint64_t seed);
void world_destroy(struct world *world);

/* Fills in what nodes of a world have: a ring, a port, a seed. */
struct wrn_overlay_options world_options(struct world *world);

/* Adds a node, which does not run yet. Returns its number. */
uint32_t world_add(struct world *world, const struct wrn_overlay_options *options);

/* Starts a node, as after a restart of the program: nothing is left but its key. 'bootstrap': a node
 * that it knows the address of, or UINT32_MAX. */
void world_start(struct world *world, uint32_t node, uint32_t bootstrap);

/* Ends it without a word; with one. */
void world_crash(struct world *world, uint32_t node);
void world_stop(struct world *world, uint32_t node);

/* Lets time pass; until a condition holds, at most so long (then false). */
void world_run(struct world *world, uint64_t ms);
bool world_run_until(struct world *world, bool (*condition)(struct world *), uint64_t limit_ms);

/* Sets delay and loss of all datagrams. */
void world_set_network(struct world *world, uint64_t delay_ms, uint32_t loss_percent);
void world_set_filter(struct world *world, world_filter *filter, void *ctx);

/* Hands a node a datagram, now. */
void world_inject(struct world *world, uint32_t node, const struct wrn_endpoint *from,
                  const void *bytes, size_t size);

struct world_node *world_node(struct world *world, uint32_t node);
uint32_t world_count(const struct world *world);
struct wrn_now world_now(const struct world *world, uint32_t node);
const struct wrn_primitives *world_primitives(const struct world *world);

/* The shared out, for commands; then performs what it says. */
struct wrn_overlay_out *world_out(struct world *world);
void world_perform(struct world *world, uint32_t node);

/* Tells whether a node has a link to another. */
bool world_has_link(struct world *world, uint32_t from, uint32_t to);

/* Tells whether all running nodes are CONNECTED, and each has links to its true neighbours. */
bool world_is_ring(struct world *world);
