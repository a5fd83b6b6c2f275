/* SPDX-License-Identifier: Apache-2.0 */
/* A table of deadlines with the earliest one at hand. Does not know what they are for. */
#include "base/dues.h"

void wrn_dues_init(struct wrn_dues *dues, struct wrn_arena *arena, uint32_t count) {
    WRN_ASSERT(count >= 1);
    *dues = (struct wrn_dues){
        .left = wrn_arena_take(arena, count, sizeof(*dues->left)),
        .count = count,
    };
}

void wrn_dues_set(struct wrn_dues *dues, uint32_t place, wrn_mono due) {
    WRN_ASSERT(place < dues->count);
    uint64_t left = WRN_MONO_NEVER.ns - due.ns;
    bool was_first = place == dues->first;
    bool is_later = left < dues->left[place];
    dues->left[place] = left;
    if (!was_first) {
        dues->first = left > dues->left[dues->first] ? place : dues->first;
        return;
    }
    for (uint32_t i = 0; is_later && i < dues->count; i++) {
        dues->first = dues->left[i] > dues->left[dues->first] ? i : dues->first;
    }
}
