/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams under way, from pools by size: a run of hours allocates no more than its busiest
 * moment. */
#pragma once
#include "base/address.h"
#include "sim/world.h"

struct sim_net;

/* Where a datagram is when its event happens. */
enum sim_place {
    SIM_PLACE_SEGMENT, /* on the segment 'place', to be routed */
    SIM_PLACE_NAT,     /* came from outside to the box 'place' */
    SIM_PLACE_HOST,    /* came to the host 'place' */
};

struct sim_packet {
    struct sim_event event;
    struct sim_net *net;
    struct sim_packet *next_free;
    uint64_t serial; /* in the trace; duplicates share it */
    struct wrn_endpoint from;
    struct wrn_endpoint to;
    uint32_t origin; /* the host that sent it */
    enum sim_place where;
    uint32_t place;
    uint16_t size;
    uint8_t pool;
    bool is_multicast;
    uint8_t bytes[];
};

enum { SIM_PACKET_POOLS = 3 };

/* Zeroed: empty. */
struct sim_packets {
    struct sim_packet *free[SIM_PACKET_POOLS];
    void **blocks;
    uint32_t block_count, block_capacity;
    uint64_t live;
};

/* Takes a packet with room for 'size' bytes, at most 65,535. Its content is undefined but for
 * 'event', 'size' and what belongs to the pool. */
struct sim_packet *sim_packet_take(struct sim_packets *packets, size_t size);

/* Gives it back; its event must not be set. */
void sim_packet_give(struct sim_packets *packets, struct sim_packet *packet);

/* Frees all, given back or not. */
void sim_packets_finish(struct sim_packets *packets);
