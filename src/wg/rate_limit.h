/* SPDX-License-Identifier: Apache-2.0 */
/* Token buckets: one for a whole machine, and a bounded table of one per source address (IPv4 /32,
 * IPv6 /64) for handshakes under load. Pure data structure. Source: WireGuard paper, 5.3. */
#pragma once
#include "base/address.h"
#include "base/arena.h"
#include "base/clock.h"

struct wrn_bucket {
    wrn_mono updated;
    uint64_t debt_ns; /* tokens missing, each 1 s / rate; at most burst of them; 0: full */
};

/* Takes a token if there is one. 'rate_per_s' ≥ 1 tokens a second flow in, up to 'burst' ≥ 1. A
 * zeroed bucket counts as full. */
WRN_NODISCARD bool wrn_bucket_take(struct wrn_bucket *bucket, wrn_mono now, uint32_t rate_per_s,
                                   uint32_t burst);

enum wrn_rate_result { WRN_RATE_PASS, WRN_RATE_LIMITED, WRN_RATE_TABLE_FULL };

struct wrn_rate_entry; /* private */

struct wrn_rate_table {
    struct wrn_rate_entry *entries;
    uint64_t seed[2];
    uint32_t mask;
    uint32_t rate_per_s;
    uint32_t burst;
};

/* Takes room for 'slots' (a power of two ≥ 16) addresses. 'seed' is secret and random on a real
 * node. */
void wrn_rate_table_init(struct wrn_rate_table *table, struct wrn_arena *arena, uint32_t slots,
                         uint32_t rate_per_s, uint32_t burst, const uint64_t seed[2]);

/* Takes a token of the address's bucket. An entry whose bucket is full again may be reused by
 * another address; if no reusable slot is within a fixed probing distance the answer is TABLE_FULL.
 * O(1). */
enum wrn_rate_result wrn_rate_table_take(struct wrn_rate_table *table, wrn_mono now,
                                         const struct wrn_ip *address);
