/* SPDX-License-Identifier: Apache-2.0 */
/* What join.c, stranger.c and cache.c share. */
#pragma once
#include "overlay/join.h"

/* ---- join.c ---- */

/* Looks whether a node is part of our ring; if it is not, becomes its leaf and looks through it. */
void wrn_join_look_at(struct wrn_overlay *overlay, const struct wrn_source *source);

/* Answers WHO. */
void wrn_join_answer_who(struct wrn_overlay *overlay, uint16_t socket,
                         const struct wrn_endpoint *from, wrn_span frame);

/* ---- stranger.c ---- */

/* Asks WHO at the endpoint of a source. 'look_through': see wrn_ring_look_through. False if too
 * many are asked already, or this one is. */
bool wrn_join_ask_who(struct wrn_overlay *overlay, const struct wrn_source *source,
                      bool look_through);

/* Tells whether one may be asked again. */
static inline bool wrn_patience_is_over(const struct wrn_patience *patience, wrn_mono now) {
    return patience->again.count == 0 || wrn_tick_reached(now, patience->again);
}

/* Takes WHO_REPLY. */
void wrn_join_on_who_reply(struct wrn_overlay *overlay, uint16_t socket,
                           const struct wrn_endpoint *from, wrn_span frame);

/* Time. */
void wrn_join_strangers_on_time(struct wrn_overlay *overlay);
wrn_mono wrn_join_strangers_due(const struct wrn_overlay *overlay);

/* ---- cache.c ---- */

/* Finds an address of a cached node, another one after each silence. False if there is none. */
bool wrn_cache_source(const struct wrn_overlay *overlay, uint32_t index, struct wrn_source *ret);

/* A peer came up; or is gone, after having been up or not. */
void wrn_cache_on_up(struct wrn_overlay *overlay, wrn_id id);
void wrn_cache_on_down(struct wrn_overlay *overlay, wrn_id id, bool was_up);
