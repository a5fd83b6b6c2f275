/* SPDX-License-Identifier: Apache-2.0 */
/* Anti-replay window of one receiving key. Pure data structure: no clock, no I/O, no allocation. */
#pragma once
#include "base/base.h"

enum {
    /* Counters that are told apart; power of two, one 64-bit word of them is always being recycled.
     * So many, because a sender of several threads may be put to sleep between taking counters and
     * sending: docs/performance.md has how far apart packets then arrive. */
    WRN_REPLAY_BITS = 32768,
    WRN_REPLAY_NARROW_BITS = 2048, /* of a key that has not received more than that yet */
    WRN_REPLAY_WORDS = WRN_REPLAY_BITS / 64,
};

/* Rings of words, indexed by counter / 64. The narrow one serves while all counters fit into it, so
 * that the memory of the wide one is touched by busy peers only. */
struct wrn_replay {
    uint64_t next;   /* highest accepted counter + 1; 0 = nothing accepted yet */
    uint64_t *words; /* the ring in use */
    uint64_t *wide;
    uint64_t narrow[WRN_REPLAY_NARROW_BITS / 64];
};

/* Prepares a zeroed window, which stays where it is, for a new key. 'wide' has room for
 * WRN_REPLAY_WORDS words, whatever is in them, and must outlive the window. */
void wrn_replay_init(struct wrn_replay *window, uint64_t *wide);

/* Accepts 'counter' at most once.
 *
 * Call only after the packet's tag verified: an attacker must not be able to move the window.
 * 'counter'  as received, host byte order; refused from 2^64 - 2^13 - 1 on (REJECT-AFTER-MESSAGES).
 * Returns    true if new; false (caller counts WRN_DROP_REPLAY) if repeated or too old.
 * Cost       O(1); at most WRN_REPLAY_WORDS word writes after a jump, and once in a key's life.
 * Source     RFC 6479 (ring of blocks, no shifting); WireGuard paper, section 5.4.6. */
WRN_NODISCARD bool wrn_replay_accept(struct wrn_replay *window, uint64_t counter);
