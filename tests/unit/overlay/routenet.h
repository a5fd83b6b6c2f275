/* SPDX-License-Identifier: Apache-2.0 */
/* A ring of routing machines in memory and in virtual time, for tests: tables of links are made by
 * rule, messages take a while and may be lost. Everything is drawn from one seed. */
#pragma once
#include "base/heap.h"
#include "base/rand.h"
#include "overlay/route.h"

enum {
    ROUTENET_NODES_MAX = 1024,
    ROUTENET_EVENTS_MAX = 65536,
    ROUTENET_DELAY_MS = 20,
};

enum routenet_what {
    ROUTENET_DELIVERED,
    ROUTENET_UNDELIVERED,
    ROUTENET_BROADCAST,
    ROUTENET_SUM,
    ROUTENET_SUSPECT,
};

/* What a machine told its owner. */
struct routenet_event {
    enum routenet_what what;
    uint32_t node;
    uint64_t tag; /* of the payload: its first 8 bytes; of a sum its tag */
    struct wrn_route_header header;
    enum wrn_reason reason;
    wrn_handle from; /* or the suspect */
    size_t size;     /* of the payload */
    uint64_t values[4];
    uint64_t nodes;
    bool is_complete;
    wrn_mono at;
};

struct routenet;

struct routenet_node {
    struct routenet *net;
    struct wrn_heap_node timer;
    struct wrn_links links;
    struct wrn_route *route;
    void *memory;
    bool is_dead;
    uint64_t sent;         /* messages, acknowledgements too */
    uint64_t contribution; /* to sums */
};

struct routenet_message {
    struct routenet_message *next;
    struct wrn_heap_node timer;
    uint32_t from;
    uint32_t to;
    size_t size;
    uint8_t bytes[WRN_MESSAGE_MAX];
};

struct routenet_options {
    uint64_t seed;
    uint32_t nodes;
    uint32_t near;      /* near links a side */
    uint32_t shortcuts; /* that each node makes */
    bool knows_views;   /* links know their ends' neighbours */
    uint32_t watched_max;
    uint32_t watched_bytes;
    uint32_t sums_max;
};

struct routenet {
    struct routenet_options options;
    struct wrn_prng prng;
    struct wrn_rand rand;
    wrn_mono now;
    uint32_t loss; /* per mille of all messages */
    bool (*drops)(void *ctx, uint32_t from, uint32_t to, wrn_span message); /* or these */
    void (*delivered)(void *ctx, struct routenet *net, const struct routenet_event *event);
    void *ctx;
    uint32_t node_count;
    struct routenet_node nodes[ROUTENET_NODES_MAX]; /* clockwise, from id 0 up */
    struct wrn_heap timers;                         /* of nodes */
    struct wrn_heap flight;                         /* of messages */
    void *heap_memory;
    struct routenet_message *free;
    uint32_t event_count;
    struct routenet_event events[ROUTENET_EVENTS_MAX];
};

/* Makes a ring with links as 'options' say; what is 0 there gets a default, but near and shortcuts.
 * Must be destroyed. */
struct routenet *routenet_create(const struct routenet_options *options);
void routenet_destroy(struct routenet *net);

/* Returns the handle by which everybody knows a node. */
static inline wrn_handle routenet_handle(uint32_t node) {
    return (wrn_handle){node, 1};
}
static inline wrn_id routenet_id(const struct routenet *net, uint32_t node) {
    return net->nodes[node].links.self;
}

/* Makes or takes a link between two nodes, at both ends; making it again does nothing. */
void routenet_link(struct routenet *net, uint32_t a, uint32_t b, uint8_t kinds);
void routenet_unlink(struct routenet *net, uint32_t a, uint32_t b);

/* Writes into all links what their ends' true near neighbours are. */
void routenet_show_views(struct routenet *net);

/* Lets a node hear nothing and say nothing from now on. Its links stay. */
void routenet_kill(struct routenet *net, uint32_t node);

/* The living node that is nearest to a place, by looking at them all; 'except' is not counted
 * (UINT32_MAX: nobody). */
uint32_t routenet_nearest(const struct routenet *net, wrn_id place, uint32_t except);

/* Draws a place on the ring, or a node that lives. */
wrn_id routenet_place(struct routenet *net);
uint32_t routenet_node(struct routenet *net);

/* Sends a payload of 'size' (at least 8) bytes that begins with 'tag'. */
enum wrn_reason routenet_send(struct routenet *net, uint32_t from,
                              const struct wrn_route_header *header, wrn_handle first, uint64_t tag,
                              size_t size);

/* Hands a message to a node as if 'from' had sent it. */
void routenet_inject(struct routenet *net, uint32_t from, uint32_t to, wrn_span message);

/* Lets time pass until nothing is under way and nothing due, or 'seconds' have passed. Returns
 * whether all is quiet. */
bool routenet_run(struct routenet *net, uint64_t seconds);

/* Adds up a counter over all nodes. */
uint64_t routenet_count(const struct routenet *net, enum wrn_route_count count);
