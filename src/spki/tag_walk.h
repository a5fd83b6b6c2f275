/* SPDX-License-Identifier: Apache-2.0 */
/* The two walks over pairs of tags: does the one cover the other, and what do both permit.
 * Internal to this folder. No recursion: what is open stands in a stack of frames. */
#pragma once
#include "spki/tag_cell.h"

/* Lists that may be open at once: those of both tags. */
enum { WRN_TAG_FRAMES_MAX = 2 * WRN_SEXP_DEPTH_MAX + 2 };

/* The work that may still be done, in steps: one for each pair of elements that is looked at, and
 * one more for every 64 bytes of them. */
struct wrn_tag_budget {
    uint32_t steps_left;
};

/* Takes the steps for looking at 'size' bytes. False once they are used up. */
static inline bool wrn_tag_spend(struct wrn_tag_budget *budget, size_t size) {
    size_t steps = 1 + size / 64;
    bool is_enough = budget->steps_left >= steps;
    budget->steps_left = is_enough ? budget->steps_left - (uint32_t)steps : 0;
    return is_enough;
}

/* Tells whether 'tag' permits all of 'request', which is in the normal form. Returns 1, 0 or
 * -E2BIG: the budget is used up. */
WRN_NODISCARD int wrn_tag_walk_covers(struct wrn_sexp tag, struct wrn_sexp request,
                                      struct wrn_tag_budget *budget);

/* Puts what both permit into 'work', which is empty, in the normal form. Returns 1, 0 (nothing was
 * put) or -E2BIG: the budget is used up or the work full. */
WRN_NODISCARD int wrn_tag_walk_intersect(struct wrn_sexp a, struct wrn_sexp b,
                                         struct wrn_tag_budget *budget, struct wrn_tag_work *work);

/* The tag (*). */
struct wrn_sexp wrn_tag_any(void);
