/* SPDX-License-Identifier: Apache-2.0 */
/* Cryptokey routing: which peer owns an inner address, by longest prefix. One path-compressed
 * binary trie a family, in fixed tables. Pure data structure: no clock, no I/O, no allocation after
 * init.
 * Source: WireGuard paper, section 2. */
#pragma once
#include "base/address.h"
#include "base/arena.h"

struct wrn_allowed_ips_link; /* private */

enum { WRN_ALLOWED_IPS_NOBODY = UINT32_MAX };

/* All fields are private, except that the counts may be read. */
struct wrn_allowed_ips {
    struct wrn_allowed_ips_table { /* one a family: [0] IPv4, [1] IPv6 */
        void *nodes;               /* what a lookup reads; index 0 is never used and means "none" */
        struct wrn_allowed_ips_link *links; /* what only changes read, same indices */
        uint32_t *owner_head;               /* per owner: first node of its list */
        uint32_t root;
        uint32_t free_head;    /* chain of nodes given back */
        uint32_t retired_head; /* chain of nodes that lookups may still be at */
        uint32_t retired_count;
        uint32_t touched;      /* nodes 1..touched have been used at least once */
        uint32_t node_shift;   /* log2 of the bytes of a node */
        uint32_t node_count;   /* nodes in use, at most 2 * prefix_count - 1 */
        uint32_t prefix_count; /* prefixes stored */
    } table[2];
    uint32_t prefixes_max;
    uint32_t owners_max;
};

/* Takes room from 'arena' for 'prefixes_max' prefixes (1..2^24) of each family, owned by owners
 * 0..owners_max-1 (at most 2^24 - 2 of them). O(1): no byte of it is written before it is used. */
void wrn_allowed_ips_init(struct wrn_allowed_ips *ips, struct wrn_arena *arena,
                          uint32_t prefixes_max, uint32_t owners_max);

/* Gives 'prefix' (host bits must be clear) to 'owner', taking it from whoever had it.
 * Returns 0; WRN_ERR_FULL; or -EBUSY, what was taken out must be reclaimed first. On errors nothing
 * changed. O(prefix length). */
WRN_NODISCARD int wrn_allowed_ips_set(struct wrn_allowed_ips *ips, const struct wrn_prefix *prefix,
                                      uint32_t owner);

/* Removes exactly 'prefix' if 'owner' has it; returns whether it had. */
bool wrn_allowed_ips_unset(struct wrn_allowed_ips *ips, const struct wrn_prefix *prefix,
                           uint32_t owner);

/* Makes the nodes free that changes have taken out. Until it is called they stay as they were, so
 * that lookups of other threads that stand on one find their way on. Call it when every lookup that
 * began before has ended. */
void wrn_allowed_ips_reclaim(struct wrn_allowed_ips *ips);

/* Tells whether nodes wait for that. */
bool wrn_allowed_ips_has_retired(const struct wrn_allowed_ips *ips);

/* Removes every prefix of 'owner'. O(its prefixes). */
void wrn_allowed_ips_unset_all(struct wrn_allowed_ips *ips, uint32_t owner);

/* Returns the owner of the longest prefix that contains the address (4 or 16 bytes, network order),
 * or WRN_ALLOWED_IPS_NOBODY. No write, no branch on anything but the address and the trie. */
uint32_t wrn_allowed_ips_find4(const struct wrn_allowed_ips *ips, const uint8_t address[4]);
uint32_t wrn_allowed_ips_find6(const struct wrn_allowed_ips *ips, const uint8_t address[16]);

/* Walks the prefixes of 'owner', IPv4 first, each family in the order in which they were given to
 * it unless some were removed. Start with *cursor = 0; returns false at the end. No change in
 * between. */
bool wrn_allowed_ips_next(const struct wrn_allowed_ips *ips, uint32_t owner, uint64_t *cursor,
                          struct wrn_prefix *ret_prefix);
