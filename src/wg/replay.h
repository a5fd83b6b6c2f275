/* SPDX-License-Identifier: Apache-2.0 */
/* Anti-replay window of one receiving key. Pure data structure: no clock, no I/O, no allocation. */
#pragma once
#include "base/base.h"

enum { WRN_REPLAY_BITS = 8192 }; /* power of two; one 64-bit word of it is always being recycled */

struct wrn_replay {
    uint64_t next; /* highest accepted counter + 1; 0 = nothing accepted yet */
    uint64_t seen[WRN_REPLAY_BITS / 64]; /* ring of words, indexed by counter / 64 */
};

/* Accepts 'counter' at most once. Zero-initialise the window for a new key.
 *
 * Call only after the packet's tag verified: an attacker must not be able to move the window.
 * 'counter'  as received, host byte order; refused from 2^64 - 2^13 - 1 on (REJECT-AFTER-MESSAGES).
 * Returns    true if new; false (caller counts WRN_DROP_REPLAY) if repeated or too old.
 * Cost       O(1); at most WRN_REPLAY_BITS / 64 word writes after a jump.
 * Source     RFC 6479 (ring of blocks, no shifting); WireGuard paper, section 5.4.6. */
WRN_NODISCARD bool wrn_replay_accept(struct wrn_replay *window, uint64_t counter);
