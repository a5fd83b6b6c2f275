/* SPDX-License-Identifier: Apache-2.0 */
/* Anti-replay window: a ring of 64-bit words over the counters. Pure data structure: no clock, no
 * I/O, no allocation. */
#include "wg/replay.h"

/* One word of the ring is always partly ahead of the newest counter, so the window that can be told
 * apart is a word shorter than the ring. */
enum { WORD_BITS = 64, WORDS = WRN_REPLAY_BITS / WORD_BITS, SPAN = WRN_REPLAY_BITS - WORD_BITS };
static_assert((WORDS & (WORDS - 1)) == 0, "the ring index is a mask");

static void forget_entering_words(struct wrn_replay *window, uint64_t top_word, uint64_t new_word);

bool wrn_replay_accept(struct wrn_replay *window, uint64_t counter) {
    if (counter >= UINT64_MAX - WRN_REPLAY_BITS) {
        return false;
    }
    if (counter >= window->next) {
        uint64_t top = window->next == 0 ? 0 : window->next - 1;
        forget_entering_words(window, top / WORD_BITS, counter / WORD_BITS);
        window->next = counter + 1;
    } else if (window->next - counter > SPAN) {
        return false; /* older than anything we still remember */
    }
    uint64_t *word = &window->seen[(counter / WORD_BITS) & (WORDS - 1)];
    uint64_t bit = UINT64_C(1) << (counter % WORD_BITS);
    bool is_new = (*word & bit) == 0;
    *word |= bit;
    return is_new;
}

/* Clears the words behind 'top_word' up to 'new_word': they still hold counters of a ring ago. */
static void forget_entering_words(struct wrn_replay *window, uint64_t top_word, uint64_t new_word) {
    uint64_t count = new_word - top_word;
    if (count > WORDS) {
        count = WORDS;
    }
    for (uint64_t i = 1; i <= count; i++) {
        window->seen[(top_word + i) & (WORDS - 1)] = 0;
    }
}
