/* SPDX-License-Identifier: Apache-2.0 */
/* Token buckets, one alone or a bounded table of them by source address. Pure data structure: the
 * time is handed in, nothing is allocated after init. */
#include "wg/rate_limit.h"

#include "base/bytes.h"
#include "base/keymap.h"

enum {
    PROBES_MAX = 8,       /* slots looked at for one address */
    IN_USE = 0x100,       /* set in 'tag' of an entry that was ever used */
    IPV4_KEY_BYTES = 4,   /* a whole IPv4 address */
    IPV6_KEY_BYTES = 8,   /* a /64: what one customer line or host usually has to itself */
    HASHED_BYTES = 1 + 8, /* family and key */
};

struct wrn_rate_entry {
    uint64_t key; /* the counted part of the address, left-aligned */
    uint64_t tag; /* IN_USE | family, or 0 */
    struct wrn_bucket bucket;
};
static_assert(sizeof(struct wrn_rate_entry) == 32, "two entries a cache line");

static uint64_t interval_ns(uint32_t rate_per_s);
static uint64_t debt_at(const struct wrn_bucket *bucket, wrn_mono now);
static void key_bytes(const struct wrn_ip *address, uint8_t ret_bytes[HASHED_BYTES]);

/* The bucket is kept as what is missing from it: so a zeroed one is full at any time, also at 0. */
bool wrn_bucket_take(struct wrn_bucket *bucket, wrn_mono now, uint32_t rate_per_s, uint32_t burst) {
    uint64_t cost = interval_ns(rate_per_s);
    uint64_t debt = debt_at(bucket, now);
    if (wrn_mono_before(bucket->updated, now)) {
        bucket->updated = now;
    }
    bucket->debt_ns = debt;
    if (debt > (burst - UINT64_C(1)) * cost) {
        return false;
    }
    bucket->debt_ns = debt + cost;
    return true;
}

void wrn_rate_table_init(struct wrn_rate_table *table, struct wrn_arena *arena, uint32_t slots,
                         uint32_t rate_per_s, uint32_t burst, const uint64_t seed[2]) {
    WRN_ASSERT(slots >= 16 && (slots & (slots - 1)) == 0);
    WRN_ASSERT(rate_per_s >= 1 && burst >= 1);
    *table = (struct wrn_rate_table){
        .entries = wrn_arena_take(arena, slots, sizeof(struct wrn_rate_entry)),
        .seed = {seed[0], seed[1]},
        .mask = slots - 1,
        .rate_per_s = rate_per_s,
        .burst = burst,
    };
}

enum wrn_rate_result wrn_rate_table_take(struct wrn_rate_table *table, wrn_mono now,
                                         const struct wrn_ip *address) {
    uint8_t hashed[HASHED_BYTES];
    key_bytes(address, hashed);
    uint64_t key = wrn_load_be64(hashed + 1);
    uint64_t tag = (uint64_t)IN_USE | address->family;
    uint64_t home = wrn_siphash(table->seed, hashed, sizeof(hashed));
    struct wrn_rate_entry *entry = NULL;
    for (uint64_t i = 0; i < PROBES_MAX; i++) {
        struct wrn_rate_entry *probed = &table->entries[(home + i) & table->mask];
        if (probed->key == key && probed->tag == tag) {
            return wrn_bucket_take(&probed->bucket, now, table->rate_per_s, table->burst)
                       ? WRN_RATE_PASS
                       : WRN_RATE_LIMITED;
        }
        if (entry == NULL && debt_at(&probed->bucket, now) == 0) {
            entry = probed; /* never used, or full again: forgetting it changes no answer */
        }
    }
    if (entry == NULL) {
        return WRN_RATE_TABLE_FULL;
    }
    *entry = (struct wrn_rate_entry){.key = key, .tag = tag};
    bool taken = wrn_bucket_take(&entry->bucket, now, table->rate_per_s, table->burst);
    WRN_ASSERT(taken); /* a fresh bucket holds at least one token */
    return WRN_RATE_PASS;
}

/* What a token costs. Rounded down: a rate that does not divide a second is exceeded by less than
 * one part in 10^9 / rate. */
static uint64_t interval_ns(uint32_t rate_per_s) {
    uint64_t cost = WRN_S(1) / rate_per_s;
    return cost == 0 ? 1 : cost;
}

static uint64_t debt_at(const struct wrn_bucket *bucket, wrn_mono now) {
    uint64_t refilled = wrn_mono_since(now, bucket->updated);
    return bucket->debt_ns > refilled ? bucket->debt_ns - refilled : 0;
}

/* Writes the family and the part of the address that one sender cannot vary freely. */
static void key_bytes(const struct wrn_ip *address, uint8_t ret_bytes[HASHED_BYTES]) {
    memset(ret_bytes, 0, HASHED_BYTES);
    ret_bytes[0] = address->family;
    memcpy(ret_bytes + 1, address->bytes,
           address->family == WRN_FAMILY_IPV4 ? IPV4_KEY_BYTES : IPV6_KEY_BYTES);
}
