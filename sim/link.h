/* SPDX-License-Identifier: Apache-2.0 */
/* One way of a link and what can go wrong on it. Decides the fate of datagrams; moves none. */
#pragma once
#include "base/base.h"
#include "base/rand.h"

/* What a way does to datagrams. All zeroes: it hands them over at once, untouched. */
struct sim_link {
    uint64_t delay_ns;
    uint64_t jitter_ns; /* each takes a time drawn from [delay, delay + jitter] */
    bool keeps_order;   /* of what is not chosen by reorder_ppm: jitter lets nothing overtake */
    uint32_t loss_ppm;  /* shares are of datagrams, 0 to 1,000,000 */
    uint32_t duplicate_ppm;
    uint32_t corrupt_ppm; /* one bit of the content is turned */
    uint32_t reorder_ppm; /* held back for another reorder_ns */
    uint64_t reorder_ns;
    uint64_t rate_bps;    /* bits of IP a second; 0: unlimited */
    uint32_t queue_bytes; /* what may wait at 'rate_bps', below 2^31; beyond it the tail drops */
    uint32_t mtu_bytes;   /* larger IP packets vanish without a word; 0: no limit */
};

/* A way with its state. */
struct sim_way {
    struct sim_link link;
    struct wrn_prng prng;
    uint64_t idle_at_ns;      /* when what waits at 'rate_bps' has left */
    uint64_t last_arrival_ns; /* for keeps_order */
};

enum sim_fate { SIM_FATE_ARRIVES, SIM_FATE_LOST, SIM_FATE_QUEUE_FULL, SIM_FATE_TOO_LARGE };

/* What becomes of one datagram; the times are absolute. */
struct sim_transit {
    enum sim_fate fate;
    uint64_t arrival_ns;
    uint64_t duplicate_arrival_ns; /* UINT64_MAX: no duplicate */
    uint32_t corrupt_bit;          /* of the content, UINT32_MAX: none */
};

/* Gives 'way' its properties, at first or later; what is under way keeps its fate. Shares above
 * 1,000,000 and a queue of 2^31 bytes or more are asserted against. */
void sim_way_set(struct sim_way *way, const struct sim_link *link);

/* Decides what becomes of a datagram of 'content_bytes', with its headers 'ip_bytes', that enters
 * the way at 'now_ns'. Draws the same number of times for each, so that another loss does not
 * change the delays. */
void sim_way_pass(struct sim_way *way, uint64_t now_ns, uint32_t ip_bytes, uint32_t content_bytes,
                  struct sim_transit *ret_transit);
