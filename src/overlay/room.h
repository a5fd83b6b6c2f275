/* SPDX-License-Identifier: Apache-2.0 */
/* A small room for things of different sizes, so that each need not have room for the largest one.
 * They lie where they were put and never move. Knows nothing of what they are. */
#pragma once
#include "base/arena.h"

enum { WRN_ROOM_PIECE = 32 }; /* bytes; sizes are rounded up to that */

struct wrn_room {
    uint8_t *bytes;
    uint64_t *used; /* bits: pieces that are taken */
    uint32_t pieces;
};

/* Takes 'size' bytes (at most 1 MiB, rounded up) from 'arena', and a bit for each piece. */
void wrn_room_init(struct wrn_room *room, struct wrn_arena *arena, uint32_t size);

/* Takes a place for 'size' bytes, the first that is large enough. Returns NULL if there is none.
 * Nothing is zeroed. O(pieces). */
WRN_NODISCARD uint8_t *wrn_room_take(struct wrn_room *room, uint32_t size);

/* Gives a place back, with the size that it was taken with. NULL is fine. */
void wrn_room_give(struct wrn_room *room, const uint8_t *place, uint32_t size);

/* Gives 'place' (NULL: none) back and takes one of another size, which may be the same or overlap
 * with it: what lay there stays until it is overwritten. Returns NULL, and 'place' is still taken,
 * if there is no room. */
WRN_NODISCARD uint8_t *wrn_room_change(struct wrn_room *room, uint8_t *place, uint32_t old_size,
                                       uint32_t size);
