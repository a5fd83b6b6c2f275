/* SPDX-License-Identifier: Apache-2.0 */
/* A small network of whole nodes in virtual time: datagrams take a while, may be lost, kept back or
 * watched. Nodes of several rings may have one address, as on one host; who owns a datagram gets
 * it. No NAT; the simulator has those. */
#pragma once
#include "overlay/overlay.h"

enum { MESH_NODES_MAX = 128, MESH_PORT = 4100 };

struct mesh_node {
    struct wrn_overlay *overlay;
    void *memory;
    struct wrn_prng prng;
    struct wrn_overlay_options options;
    struct wrn_endpoint at;
    wrn_id id;
    int64_t clock_ahead_s; /* its wall clock is so much ahead */
    bool is_up;            /* runs */
    bool is_cut;           /* ... but nothing goes in or out */
    uint64_t asleep_ns;    /* ... but does nothing until then; what comes waits */
    uint32_t group;        /* datagrams stay within a group */
    uint16_t socket;       /* of its, that datagrams come to */
    /* what it was told */
    uint32_t ups, downs, restarted, failed, cached, broadcasts;
    uint8_t ups_of[MESH_NODES_MAX]; /* how often each node came up as a peer */
    enum wrn_reason down_reason, failed_reason;
    enum wrn_ring_state state;
    uint64_t actions_lost;
    uint64_t sent, sent_bytes;
    uint32_t messages, carried;
    char message[64]; /* the last one */
    struct wrn_dht_answer answer;
    uint64_t values[4];
    uint64_t sum_nodes;
    uint32_t found;
    bool sum_done, crawl_done;
    uint32_t lost; /* records that it kept */
    enum wrn_reason lost_reason;
    uint8_t winner[WRN_RECORD_MAX];
    size_t winner_size;
    uint8_t cache[WRN_LOCATOR_MAX];
    size_t cache_size;
};

struct mesh;

/* Is shown each datagram before it is sent; false: it is dropped. May change it. */
typedef bool mesh_filter(void *ctx, struct mesh *mesh, uint32_t from, const struct wrn_endpoint *to,
                         uint8_t *bytes, size_t size);

struct mesh *mesh_create(uint64_t seed);
void mesh_destroy(struct mesh *mesh);

/* Fills in what nodes of a mesh have: a ring, a port, a seed. */
struct wrn_overlay_options mesh_options(struct mesh *mesh);

/* Adds a node, which does not run yet. Returns its number. */
uint32_t mesh_add(struct mesh *mesh, const struct wrn_overlay_options *options);

/* Gives a node the address of another one: they are on one host. */
void mesh_share(struct mesh *mesh, uint32_t node, uint32_t with);

/* Starts a node, as after a restart of the program: nothing is left but its key. 'bootstrap': a
 * node that it knows the address of, or UINT32_MAX. */
void mesh_start(struct mesh *mesh, uint32_t node, uint32_t bootstrap);

/* Ends it without a word; with one. */
void mesh_crash(struct mesh *mesh, uint32_t node);
void mesh_stop(struct mesh *mesh, uint32_t node);

/* Stops a node for so long, as a laptop whose lid is closed: what comes piles up. */
void mesh_sleep(struct mesh *mesh, uint32_t node, uint64_t ms);

/* Lets time pass; until a condition holds, at most so long (then false). */
void mesh_run(struct mesh *mesh, uint64_t ms);
bool mesh_run_until(struct mesh *mesh, bool (*condition)(struct mesh *), uint64_t limit_ms);

/* Sets delay and loss of all datagrams. */
void mesh_set_network(struct mesh *mesh, uint64_t delay_ms, uint32_t loss_percent);
void mesh_set_filter(struct mesh *mesh, mesh_filter *filter, void *ctx);

/* Returns how many frames of a kind came that nobody at their address owned. */
uint32_t mesh_unowned(const struct mesh *mesh, enum wrn_frame_kind kind);

/* Hands a node a datagram, now. */
void mesh_inject(struct mesh *mesh, uint32_t node, const struct wrn_endpoint *from,
                 const void *bytes, size_t size);

struct mesh_node *mesh_node(struct mesh *mesh, uint32_t node);
uint32_t mesh_count(const struct mesh *mesh);
struct wrn_now mesh_now(const struct mesh *mesh, uint32_t node);
const struct wrn_primitives *mesh_primitives(const struct mesh *mesh);

/* The shared out, for commands; then performs what it says. */
struct wrn_overlay_out *mesh_out(struct mesh *mesh);
void mesh_perform(struct mesh *mesh, uint32_t node);

/* Tells whether a node has a link to another. */
bool mesh_has_link(struct mesh *mesh, uint32_t from, uint32_t to);

/* Tells whether all running nodes are CONNECTED, and each has links to its true neighbours. */
bool mesh_is_ring(struct mesh *mesh);
