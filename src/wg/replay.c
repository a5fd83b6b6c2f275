/* SPDX-License-Identifier: Apache-2.0 */
/* Anti-replay window: a ring of 64-bit words over the counters. Pure data structure: no clock, no
 * I/O, no allocation. */
#include "wg/replay.h"

#include "wg/messages.h"

/* One word of the ring is always partly ahead of the newest counter, so the window that can be told
 * apart is a word shorter than the ring. */
enum { WORD_BITS = 64, WORDS = WRN_REPLAY_WORDS, SPAN = WRN_REPLAY_BITS - WORD_BITS };
static_assert((WORDS & (WORDS - 1)) == 0, "the ring index is a mask");
static_assert((int)WRN_REPLAY_NARROW_BITS <= (int)SPAN, "nothing is too old for the narrow ring");

static void enter_words(struct wrn_replay *window, uint64_t top_word, uint64_t new_word);
static void widen(struct wrn_replay *window);

void wrn_replay_init(struct wrn_replay *window, uint64_t *wide) {
    window->words = window->narrow;
    window->wide = wide;
}

bool wrn_replay_accept(struct wrn_replay *window, uint64_t counter) {
    if (counter >= WRN_WG_REJECT_AFTER_MESSAGES) {
        return false;
    }
    uint64_t word_index = counter / WORD_BITS;
    if (counter >= window->next) {
        uint64_t top_word = window->next == 0 ? 0 : (window->next - 1) / WORD_BITS;
        if (word_index > top_word) {
            enter_words(window, top_word, word_index);
        }
        window->next = counter + 1;
    } else if (window->next - counter > SPAN) {
        return false; /* older than anything we still remember */
    }
    uint64_t *word = &window->words[word_index & (WORDS - 1)];
    uint64_t bit = UINT64_C(1) << (counter % WORD_BITS);
    bool is_new = (*word & bit) == 0;
    *word |= bit;
    return is_new;
}

/* Clears the words behind 'top_word' up to 'new_word': they still hold counters of a ring ago. */
static void enter_words(struct wrn_replay *window, uint64_t top_word, uint64_t new_word) {
    uint64_t count = new_word - top_word;
    if (new_word >= WRN_COUNT(window->narrow) && window->words == window->narrow) {
        widen(window);
    }
    if (count > WORDS) {
        count = WORDS;
    }
    for (uint64_t i = 1; i <= count; i++) {
        window->words[(top_word + i) & (WORDS - 1)] = 0;
    }
}

/* Moves on to the wide ring, in which another key may have left its counters. */
static void widen(struct wrn_replay *window) {
    memcpy(window->wide, window->narrow, sizeof window->narrow);
    memset(window->wide + WRN_COUNT(window->narrow), 0,
           WORDS * sizeof *window->wide - sizeof window->narrow);
    window->words = window->wide;
}
