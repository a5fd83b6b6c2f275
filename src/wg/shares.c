/* SPDX-License-Identifier: Apache-2.0 */
/* What anybody may take goes first, and an address's own share only when that is used up: then who
 * comes seldom still has its own, and the flood has not. */
#include "wg/shares.h"

static bool take(struct wrn_bucket *bucket, wrn_mono now, uint32_t per_s);

void wrn_shares_init(struct wrn_shares *shares, struct wrn_arena *arena, uint32_t slots,
                     const struct wrn_shares_limits *limits, const uint64_t seed[2]) {
    *shares = (struct wrn_shares){.limits = *limits};
    wrn_rate_table_init(&shares->addresses, arena, slots, limits->address_per_s,
                        limits->address_burst, seed);
}

enum wrn_rate_result wrn_shares_take(struct wrn_shares *shares, wrn_mono now,
                                     const struct wrn_ip *address) {
    if (take(&shares->anybody, now, shares->limits.anybody_per_s)) {
        return WRN_RATE_PASS;
    }
    enum wrn_rate_result result = wrn_rate_table_take(&shares->addresses, now, address);
    if (result == WRN_RATE_PASS &&
        !take(&shares->all_addresses, now, shares->limits.all_addresses_per_s)) {
        return WRN_RATE_TABLE_FULL;
    }
    return result;
}

static bool take(struct wrn_bucket *bucket, wrn_mono now, uint32_t per_s) {
    return wrn_bucket_take(bucket, now, per_s, per_s / 4 + 1);
}
