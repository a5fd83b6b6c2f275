/* SPDX-License-Identifier: Apache-2.0 */
/* Who gets how much of a thread's work among those who have proven nothing yet: few are served as
 * they come; of many each address has a share of its own, so that a flood does not push out who
 * comes from elsewhere. Pure data structure. */
#pragma once
#include "wg/rate_limit.h"

/* All 1..1,000,000. */
struct wrn_shares_limits {
    uint32_t anybody_per_s;       /* served whoever it is; a quarter of that at once */
    uint32_t address_per_s;       /* beyond that, of one address */
    uint32_t address_burst;       /* ... at once */
    uint32_t all_addresses_per_s; /* ... of all of them; a quarter of that at once */
};

struct wrn_shares {
    struct wrn_rate_table addresses;
    struct wrn_bucket anybody;
    struct wrn_bucket all_addresses;
    struct wrn_shares_limits limits;
};

/* Takes room for 'slots' (a power of two ≥ 16) addresses. 'seed' is secret and random on a real
 * node. */
void wrn_shares_init(struct wrn_shares *shares, struct wrn_arena *arena, uint32_t slots,
                     const struct wrn_shares_limits *limits, const uint64_t seed[2]);

/* Tells whether what came from 'address' is to be served: PASS; LIMITED, the address has used up
 * its share; TABLE_FULL, too many addresses at once. O(1). */
enum wrn_rate_result wrn_shares_take(struct wrn_shares *shares, wrn_mono now,
                                     const struct wrn_ip *address);
