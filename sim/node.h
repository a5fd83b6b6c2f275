/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes: hosts that an overlay runs on. Drives it as a program would: hands it datagrams and time,
 * performs what comes out. What it is commanded stands in sim/ask.h. Decides nothing. */
#pragma once
#include "overlay/overlay.h"
#include "sim/disk.h"
#include "sim/net.h"
#include "sim/scenario.h"
#include "sim/table.h"

enum {
    SIM_NODE_PORT = 21000,     /* of socket 0; socket i has the i-th port after it at first, and */
    SIM_NODE_PORT_TURNS = 150, /* ... each time that it is opened again one 257 further, as a kernel
                                * gives each new socket a new port */
    SIM_ANNOUNCE_PORT = 20999, /* of the announcement group on a LAN */
    SIM_NODE_DEPTH = 4,        /* callbacks may command nodes, whose callbacks may again */
};

struct sim_node;
struct sim_checks; /* sim/checks.h */

/* What a node remembers of its former life when it is started. */
enum sim_memory { SIM_NEW_KEY, SIM_SAME_KEY, SIM_SAME_STATE };

/* What can be planned for a node. */
enum sim_turn { SIM_TURN_START, SIM_TURN_STOP, SIM_TURN_CRASH, SIM_TURN_SLEEP, SIM_TURN_WAKE };

/* Nodes of one network and all that they share. */
struct sim_nodes {
    struct sim_run *run;
    struct sim_net *net;
    struct wrn_crypto *crypto;
    struct wrn_primitives primitives;
    struct wrn_overlay_options defaults; /* of each; seed and port are the node's own */
    struct wrn_endpoint bootstraps[16];  /* each node is told of these but its own */
    uint32_t bootstrap_count;
    sim_nat *nats; /* of the homes, for those who reboot them */
    uint32_t nat_count, nat_capacity;
    struct sim_node **all; /* in the order in which they were added; they do not move */
    uint32_t count, capacity;
    struct sim_node **sorted; /* those that ever ran, by place */
    uint32_t sorted_count, sorted_capacity;
    /* Is asked for what is special about a node, each time that one starts. NULL: nothing. */
    void (*prepare)(void *ctx, struct sim_node *node, struct wrn_overlay_options *options);
    /* Is told what overlays say: all actions but datagrams and sockets. A datagram of the caller's
     * (first byte 1 to 4) that came directly is WRN_OVERLAY_CARRIED without a peer. May command any
     * node, crash it or start it. NULL: nobody. */
    void (*on_event)(void *ctx, struct sim_node *node, const struct wrn_overlay_action *action);
    void *ctx;
    struct sim_checks *checks; /* NULL: none */
    struct wrn_overlay_out *outs[SIM_NODE_DEPTH];
    uint32_t depth;
    uint8_t *buffer; /* for one datagram */
    uint64_t started, crashed;
    uint64_t unsent_datagrams;   /* the host was down, or lacks the family */
    uint64_t unopened_datagrams; /* came to a port that no socket is bound to */
};

struct sim_node {
    struct sim_nodes *nodes;
    uint32_t number;
    sim_host host;
    sim_segment segment;
    struct wrn_overlay *overlay; /* NULL: it does not run */
    void *memory;
    uint64_t life; /* counts starts and ends: differs, then it is another run */
    struct wrn_prng prng;
    struct wrn_rand rand;
    uint8_t seed[WRN_SEED_SIZE];
    wrn_id id; /* of the last run */
    uint64_t open[(WRN_SOCKETS_MAX + 63) / 64];
    uint8_t port_turns[WRN_SOCKETS_MAX];
    struct sim_alarm alarm;
    struct sim_event turn;
    enum sim_turn turn_kind;
    enum sim_memory turn_memory;
    struct sim_disk *disk; /* NULL: nothing yet */
    uint8_t credential[WRN_CREDENTIAL_MAX];
    uint32_t credential_size;
    bool has_key;
    uint64_t forgot;     /* how often it was started without its state */
    bool is_sorted;      /* in 'sorted', at 'id' */
    bool is_stranger;    /* not admitted: nobody may have a link to it, the oracle leaves it out */
    bool is_liar;        /* admitted, and not honest: the oracle does not ask it */
    bool has_to_restore; /* that: now */
    bool is_restoring;   /* its kept records are to be stored when it is connected */
    wrn_mono started;    /* true time */
    uint32_t group;      /* the scenario's: a half, a ring, … */
    uint64_t number_of;  /* the scenario's */
    const struct wrn_primitives *primitives; /* of its own; NULL: those of all */
    /* Wrap the node's datagrams for those that lie; may change them in place ('size' up to
     * 'capacity'). False: it goes no further. NULL: all pass. */
    bool (*on_sending)(struct sim_node *node, struct wrn_endpoint *to, uint8_t *bytes, size_t *size,
                       size_t capacity);
    bool (*on_receiving)(struct sim_node *node, struct wrn_endpoint *from, uint8_t *bytes,
                         size_t *size, size_t capacity);
};

/* Makes an empty network for nodes with the defaults of wrn_overlay_defaults, the real primitives
 * or, if the run's options say so, the cheap ones. The caller destroys it. */
struct sim_nodes *sim_nodes_create(struct sim_run *run);

/* Gives the nodes that are added from now on larger tables than wrn_overlay_defaults: for those
 * that stand behind hard NATs and speak with many others, by many relays. */
void sim_nodes_give_room(struct sim_nodes *nodes);

/* Crashes all nodes and frees everything, the network too. NULL is fine. */
void sim_nodes_destroy(struct sim_nodes *nodes);

/* Returns where in 'sorted' the first node stands whose place is this or greater; 'sorted_count':
 * all are smaller. O(log n). */
uint32_t sim_nodes_first_from(const struct sim_nodes *nodes, wrn_id place);

/* Adds a host with a node that does not run yet. Returns it; it stays until the end. NULL links:
 * perfect ones. */
struct sim_node *sim_node_add(struct sim_nodes *nodes, sim_segment segment,
                              const struct sim_link *up, const struct sim_link *down);

/* Makes socket 0 of the node a bootstrap endpoint for all that start from now on, IPv4 first. */
void sim_node_make_bootstrap(struct sim_node *node);

/* Draws the node's identity, if it has none yet, so that its place is known before it runs. */
void sim_node_make_key(struct sim_node *node);

/* Starts a node that does not run. The first start makes a key in any case. */
void sim_node_start(struct sim_node *node, enum sim_memory memory);

/* Ends a node that runs: with goodbyes, or without a word. Nothing happens if it does not run. */
void sim_node_stop(struct sim_node *node);
void sim_node_crash(struct sim_node *node);

/* Lets the host sleep, or wakes it; a program notices that and looks at its addresses. */
void sim_node_sleep(struct sim_node *node);
void sim_node_wake(struct sim_node *node);

/* Moves the host to another segment, or to another address on its own. */
void sim_node_move(struct sim_node *node, sim_segment segment);
void sim_node_move_within(struct sim_node *node);

/* Plans a turn, in place of the one that is planned. STOP and CRASH of a node that does not run and
 * START of one that does change nothing. */
void sim_node_plan(struct sim_node *node, wrn_mono due, enum sim_turn turn, enum sim_memory memory);

/* Takes a planned turn back. */
void sim_node_plan_nothing(struct sim_node *node);

/* Returns the node's disk, made when it is first asked for. A new key means a new, empty one. */
struct sim_disk *sim_node_disk(struct sim_node *node);

/* Returns the node's clocks as it sees them. */
struct wrn_now sim_node_now(const struct sim_node *node);

/* Tells whether the node runs and its host is awake. */
bool sim_node_is_live(const struct sim_node *node);

/* Returns an IPv4 (else IPv6) endpoint of socket 0 as it is on the node's segment. */
struct wrn_endpoint sim_node_endpoint(const struct sim_node *node);

/* Begins an input to a node that runs: returns an empty out. It ends with sim_node_end, which
 * performs what is in it and sets the alarm. */
struct wrn_overlay_out *sim_node_begin(struct sim_node *node);
void sim_node_end(struct sim_node *node);
