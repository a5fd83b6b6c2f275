/* SPDX-License-Identifier: Apache-2.0 */
/* A table of deadlines with the earliest one at hand. Does not know what they are for. */
#include "base/dues.h"

void wrn_dues_init(struct wrn_dues *dues, struct wrn_arena *arena, uint32_t count) {
    WRN_ASSERT(count >= 1);
    *dues = (struct wrn_dues){
        .at = wrn_arena_take(arena, count, sizeof(*dues->at)),
        .count = count,
    };
    if (dues->at != NULL) {
        memset(dues->at, 0xff, count * sizeof(*dues->at)); /* WRN_MONO_NEVER */
    }
}

void wrn_dues_set(struct wrn_dues *dues, uint32_t place, wrn_mono due) {
    WRN_ASSERT(place < dues->count);
    bool was_first = place == dues->first;
    bool is_later = wrn_mono_before(dues->at[place], due);
    dues->at[place] = due;
    if (!was_first) {
        dues->first = wrn_mono_before(due, wrn_dues_first(dues)) ? place : dues->first;
        return;
    }
    for (uint32_t i = 0; is_later && i < dues->count; i++) {
        dues->first = wrn_mono_before(dues->at[i], wrn_dues_first(dues)) ? i : dues->first;
    }
}
