/* SPDX-License-Identifier: Apache-2.0 */
/* Delay, loss, duplicates, reordering, corruption, rate and size on one way of a link. */
#include "sim/link.h"

#include "base/clock.h"

__extension__ typedef unsigned __int128 wide;

enum { PPM = 1000000 };

static bool is_chosen(uint32_t draw, uint32_t share_ppm);
static uint64_t scale(uint64_t draw, uint64_t bound);
static bool leave(struct sim_way *way, uint64_t now_ns, uint32_t ip_bytes, uint64_t *ret_left_ns);

void sim_way_set(struct sim_way *way, const struct sim_link *link) {
    WRN_ASSERT(link->loss_ppm <= PPM && link->duplicate_ppm <= PPM);
    WRN_ASSERT(link->corrupt_ppm <= PPM && link->reorder_ppm <= PPM);
    WRN_ASSERT(link->queue_bytes < 1u << 31);
    way->link = *link;
}

void sim_way_pass(struct sim_way *way, uint64_t now_ns, uint32_t ip_bytes, uint32_t content_bytes,
                  struct sim_transit *ret_transit) {
    const struct sim_link *link = &way->link;
    uint64_t draws[5];
    for (size_t i = 0; i < WRN_COUNT(draws); i++) {
        draws[i] = wrn_prng_next(&way->prng);
    }
    *ret_transit = (struct sim_transit){SIM_FATE_ARRIVES, 0, UINT64_MAX, UINT32_MAX};
    if (link->mtu_bytes != 0 && ip_bytes > link->mtu_bytes) {
        ret_transit->fate = SIM_FATE_TOO_LARGE;
        return;
    }
    uint64_t left;
    if (!leave(way, now_ns, ip_bytes, &left)) {
        ret_transit->fate = SIM_FATE_QUEUE_FULL;
        return;
    }
    if (is_chosen((uint32_t)draws[0], link->loss_ppm)) { /* on the way: it took its time to leave */
        ret_transit->fate = SIM_FATE_LOST;
        return;
    }
    uint64_t arrival = left + link->delay_ns + scale(draws[2], link->jitter_ns + 1);
    if (is_chosen((uint32_t)draws[1], link->reorder_ppm)) {
        arrival += link->reorder_ns;
    } else if (link->keeps_order) {
        arrival = arrival > way->last_arrival_ns ? arrival : way->last_arrival_ns;
        way->last_arrival_ns = arrival;
    }
    ret_transit->arrival_ns = arrival;
    if (is_chosen((uint32_t)(draws[0] >> 32), link->duplicate_ppm)) {
        ret_transit->duplicate_arrival_ns = arrival + scale(draws[3], link->jitter_ns + 1);
    }
    if (is_chosen((uint32_t)(draws[1] >> 32), link->corrupt_ppm) && content_bytes > 0) {
        ret_transit->corrupt_bit = (uint32_t)scale(draws[4], 8 * (uint64_t)content_bytes);
    }
}

static bool is_chosen(uint32_t draw, uint32_t share_ppm) {
    return (uint32_t)((uint64_t)draw * PPM >> 32) < share_ppm;
}

/* Brings 64 random bits into [0, bound): the high half of their product. */
static uint64_t scale(uint64_t draw, uint64_t bound) {
    return (uint64_t)((wide)draw * bound >> 64);
}

/* Takes a place in the queue. Tells when the last bit has left, or returns false: no room. */
static bool leave(struct sim_way *way, uint64_t now_ns, uint32_t ip_bytes, uint64_t *ret_left_ns) {
    const struct sim_link *link = &way->link;
    *ret_left_ns = now_ns;
    if (link->rate_bps == 0) {
        return true;
    }
    uint64_t start = way->idle_at_ns > now_ns ? way->idle_at_ns : now_ns;
    uint64_t wait_max_ns = (uint64_t)link->queue_bytes * 8 * WRN_S(1) / link->rate_bps;
    uint64_t takes_ns = (uint64_t)ip_bytes * 8 * WRN_S(1) / link->rate_bps;
    if (start > now_ns && start + takes_ns - now_ns > wait_max_ns) {
        return false;
    }
    way->idle_at_ns = start + takes_ns;
    *ret_left_ns = way->idle_at_ns;
    return true;
}
