/* SPDX-License-Identifier: Apache-2.0 */
/* A small world of ring machines for their tests: links are granted after a delay, routing is
 * greedy over the tables as they are at that moment, the dead are noticed after a while. One seed,
 * one history. No sockets, no cryptography. */
#pragma once
#include "base/heap.h"
#include "overlay/ring.h"
#include "unit/base/check.h"

enum { RINGWORLD_NODES_MAX = 2048 };

struct ringworld_node {
    bool is_up;
    wrn_id id;
    struct wrn_links links;
    struct wrn_ring *ring;
    struct wrn_prng prng;
    struct ringworld *world;
    uint32_t index;
    uint32_t epoch;
    uint32_t state_changes;
    wrn_mono timer;
    void *memory;
    /* A liar names this many places that nobody has, new ones each time. */
    bool lies;
    /* What a crawl found. */
    wrn_id *found;
    uint32_t found_count;
    bool is_crawled;
    enum wrn_reason crawl_reason;
};

struct ringworld_event;

struct ringworld {
    struct wrn_prng prng;
    wrn_mono now;
    struct ringworld_node *nodes;
    uint32_t count;
    struct ringworld_event **heap;
    uint32_t heap_count;
    uint32_t heap_room;
    uint64_t sequence;
    uint64_t delay_ns;  /* of a link, one way */
    uint32_t loss;      /* of 1000 messages */
    uint64_t notice_ns; /* after how long the dead are noticed, up to 10 s later */
    uint32_t capacity;  /* of tables of links */
    struct wrn_ring_options options;
    bool (*is_cut)(const struct ringworld *world, uint32_t a, uint32_t b); /* NULL: none */
    uint64_t messages;
    uint64_t bytes; /* of messages, each hop, sealed */
    uint64_t hash;  /* of all that happened */
    uint32_t generation;
    uint32_t shortcuts_wanted;
    uint32_t shortcuts_across; /* ... of them to the place that is exactly opposite */
};

/* Makes a world, and ends it. */
struct ringworld *ringworld_create(uint64_t seed, uint32_t capacity);
void ringworld_destroy(struct ringworld *world);

/* Starts a node that finds the ring by 'bootstrap' (UINT32_MAX: nobody); returns its number. */
uint32_t ringworld_start(struct ringworld *world, uint32_t bootstrap);

/* Makes a leaf link from a node to another, as a bootstrap does. */
void ringworld_leaf(struct ringworld *world, uint32_t from, uint32_t to);

/* Kills a node; its peers notice 'notice_ns' to 10 s more later. */
void ringworld_kill(struct ringworld *world, uint32_t index);

void ringworld_run(struct ringworld *world, uint64_t ns); /* lets time pass */

/* Lets time pass until the ring is consistent, which is looked at each 'step_ns'. If it is not
 * after 'most_ns', says what is wrong and fails the test, in the case that 'format' names. */
WRN_PRINTF(4, 5)
void ringworld_await_ring(struct ringworld *world, uint64_t most_ns, uint64_t step_ns,
                          const char *format, ...);

/* Makes a ring of nodes that joined 'apart_ns' one after the other, all by the first: consistent
 * within a minute, and left alone for 'rest_ns' since. */
struct ringworld *ringworld_settled(uint32_t nodes, uint32_t capacity, uint64_t apart_ns,
                                    uint64_t rest_ns);

/* All that are up are connected, and linked to the three nearest on each side. Prints the first
 * that is not if 'why' is true. */
bool ringworld_is_consistent(const struct ringworld *world);
bool ringworld_explain(const struct ringworld *world);

/* Routes in the tables as they are; returns the node where it ends, UINT32_MAX: nowhere. */
uint32_t ringworld_route(const struct ringworld *world, uint32_t from, enum wrn_route_mode mode,
                         wrn_id target, bool not_source, uint32_t *ret_hops);

/* The node with a place, UINT32_MAX: nobody; the numbers of all that are up, in the order of the
 * ring (the caller's to free). */
uint32_t ringworld_at(const struct ringworld *world, wrn_id id);
uint32_t *ringworld_order(const struct ringworld *world, uint32_t *ret_count);
