/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the simulated network share: its tables. Nobody else includes it. */
#pragma once
#include "sim/net.h"
#include "sim/packet.h"
#include "sim/table.h"

enum { SIM_NOBODY = UINT32_MAX };

struct sim_segment_state {
    struct wrn_prefix prefix4, prefix6; /* family NONE: there is none */
    uint64_t next4, next6;              /* host numbers that were not given yet */
    sim_nat gateway;                    /* SIM_NOBODY: none */
    sim_host first, last;               /* members in the order in which they came */
};

struct sim_host_state {
    sim_segment segment;
    sim_host previous, next; /* on the segment */
    struct wrn_ip ip4, ip6;
    bool is_up;
    bool may_spoof;
    uint32_t group;
    struct sim_way up, down;
    struct sim_clock clock;
    struct sim_traffic traffic;
    sim_receive *receive;
    void *owner;
};

struct sim_nat_state {
    sim_segment inner, outer;
    struct sim_nat_box *box;
    struct wrn_ip addresses[SIM_NAT_ADDRESSES_MAX];
    uint32_t address_count;
    struct sim_way up, down;
};

struct sim_net {
    struct sim_world *world;
    struct sim_segment_state *segments;
    uint32_t segment_count, segment_capacity;
    struct sim_host_state **hosts; /* each by itself: their clocks must not move */
    uint32_t host_count, host_capacity;
    struct sim_nat_state *nats;
    uint32_t nat_count, nat_capacity;
    struct sim_table addresses; /* (segment, IPv4 or IPv6 address) -> host, or box | SIM_IS_NAT */
    struct sim_table owners6;   /* IPv6 address -> host */
    struct sim_table cuts;      /* (from, to), hosts */
    struct sim_table group_cuts;
    struct sim_packets packets;
    uint64_t next_serial;
    uint64_t counts[SIM_COUNTS];
    sim_watch_sent *watch;
    void *watch_ctx;
};

/* In the values of 'addresses'. */
#define SIM_IS_NAT ((uint32_t)1 << 31)

/* Returns the segment, host or box, which must exist. */
struct sim_segment_state *sim_segment_at(const struct sim_net *net, sim_segment segment);
struct sim_host_state *sim_host_at(const struct sim_net *net, sim_host host);
struct sim_nat_state *sim_nat_at(const struct sim_net *net, sim_nat nat);
