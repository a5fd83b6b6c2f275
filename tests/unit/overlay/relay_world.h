/* SPDX-License-Identifier: Apache-2.0 */
/* A few nodes with nothing but their relay machines, in virtual time: links are made by hand,
 * messages take a while and may get lost. For the tests of relays and their fuzz target. */
#pragma once
#include "base/bytes.h"
#include "overlay/pair.h"
#include "overlay/relay.h"

enum { WORLD_NODES = 10, WORLD_QUEUE = 4096, WORLD_WANTS = 16, WORLD_MEMORY = 256 * 1024 };

#define WORLD_DELAY WRN_MS(20)

enum rworld_link { WORLD_NONE, WORLD_DIRECT, WORLD_RELAYED };

struct rworld_datagram {
    wrn_mono due;
    uint8_t from, to;
    bool is_frame;
    uint16_t size;
    uint8_t bytes[WRN_DATAGRAM_MAX];
};

struct rworld_want {
    uint32_t tag;
    wrn_id id;
};

/* What a node was told of the relays to one peer. */
struct rworld_told {
    uint32_t ready, lost, none;
    enum wrn_reason why;
    struct wrn_way way;  /* the last one that is ready */
    wrn_mono at;         /* ... since when */
    struct wrn_way gone; /* the last one that was lost */
    uint32_t frames;     /* that came from the peer */
    struct wrn_way came; /* ... by which way the last one */
    uint8_t inside[WRN_DATAGRAM_MAX];
    size_t inside_size;
};

struct rworld_node {
    struct rworld *world;
    uint8_t index;
    wrn_id id;
    struct wrn_links links;
    struct wrn_relay *relay;
    struct wrn_prng prng;
    bool is_peer[WORLD_NODES]; /* known, link or not */
    struct rworld_told told[WORLD_NODES];
    struct rworld_want wants[WORLD_WANTS];
    uint32_t want_count;
    int kept[WORLD_NODES];     /* 1: port.keep said so, -1: said no more */
    uint32_t sent_messages[8]; /* by their second byte */
    _Alignas(64) uint8_t memory[WORLD_MEMORY];
};

struct rworld {
    wrn_mono now;
    struct wrn_prng prng;
    uint32_t loss_percent;
    /* Swallows what it says true to; NULL: nothing. */
    bool (*drops)(struct rworld *world, const struct rworld_datagram *datagram);
    struct rworld_node nodes[WORLD_NODES];
    struct rworld_datagram queue[WORLD_QUEUE];
    uint32_t queued;
    uint64_t steps;
};

/* Makes the nodes, all with these options (peers_max is filled in). */
void rworld_init(struct rworld *w, uint64_t seed, const struct wrn_relay_options *options);

/* Starts one node anew, with other options; its links stay. */
void rworld_restart(struct rworld *w, uint8_t node, const struct wrn_relay_options *options);

/* Makes two nodes peers with a link, DIRECT with a round trip of 'rtt_ms'; or changes it, NONE:
 * takes it away and tells both. */
void rworld_link(struct rworld *w, uint8_t a, uint8_t b, enum rworld_link link, uint32_t rtt_ms);

/* The handle of a peer at any node. */
wrn_handle rworld_peer(uint8_t node);

/* 'a' looks for a relay to 'b', which named these nodes (ended by -1). They become peers. */
void rworld_search(struct rworld *w, uint8_t a, uint8_t b, const int *relays);

/* Lets time pass, delivering what is due. */
void rworld_run(struct rworld *w, uint64_t ns);

/* Sends a frame from 'a' to 'b' by the way that 'a' was told last. */
void rworld_say(struct rworld *w, uint8_t a, uint8_t b, const void *inside, size_t size);

/* Hands a node a message, or a frame, as if from another one. */
void rworld_inject(struct rworld *w, uint8_t from, uint8_t to, bool is_frame, wrn_span bytes);
