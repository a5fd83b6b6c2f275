/* SPDX-License-Identifier: Apache-2.0 */
/* First fit over a bitmap of pieces. Never moves what was put into it. */
#include "overlay/room.h"

enum { BITS = 64, SIZE_MAX_BYTES = 1 << 20 };

static uint32_t pieces_for(uint32_t size);
static bool is_used(const struct wrn_room *room, uint32_t piece);
static void mark(struct wrn_room *room, uint32_t first, uint32_t count, bool used);
static uint32_t first_of(const struct wrn_room *room, const uint8_t *place);

void wrn_room_init(struct wrn_room *room, struct wrn_arena *arena, uint32_t size) {
    WRN_ASSERT(size <= SIZE_MAX_BYTES);
    room->pieces = pieces_for(size);
    room->bytes = wrn_arena_take(arena, room->pieces, WRN_ROOM_PIECE);
    room->used = wrn_arena_take(arena, (room->pieces + BITS - 1) / BITS, sizeof(*room->used));
}

uint8_t *wrn_room_take(struct wrn_room *room, uint32_t size) {
    uint32_t wanted = pieces_for(size);
    uint32_t free = 0;
    for (uint32_t i = 0; i < room->pieces; i++) {
        free = is_used(room, i) ? 0 : free + 1;
        if (free == wanted) {
            uint32_t first = i + 1 - wanted;
            mark(room, first, wanted, true);
            return room->bytes + (size_t)first * WRN_ROOM_PIECE;
        }
    }
    return NULL;
}

void wrn_room_give(struct wrn_room *room, const uint8_t *place, uint32_t size) {
    if (place != NULL) {
        mark(room, first_of(room, place), pieces_for(size), false);
    }
}

uint8_t *wrn_room_change(struct wrn_room *room, uint8_t *place, uint32_t old_size, uint32_t size) {
    wrn_room_give(room, place, old_size);
    uint8_t *taken = wrn_room_take(room, size);
    if (taken == NULL && place != NULL) {
        mark(room, first_of(room, place), pieces_for(old_size), true);
    }
    return taken;
}

/* At least one, so that each thing has a place of its own. */
static uint32_t pieces_for(uint32_t size) {
    WRN_ASSERT(size <= SIZE_MAX_BYTES);
    return size == 0 ? 1 : (size + WRN_ROOM_PIECE - 1) / WRN_ROOM_PIECE;
}

static bool is_used(const struct wrn_room *room, uint32_t piece) {
    return (room->used[piece / BITS] >> piece % BITS & 1) != 0;
}

/* Asserts that they were the opposite before. */
static void mark(struct wrn_room *room, uint32_t first, uint32_t count, bool used) {
    WRN_ASSERT(first <= room->pieces && count <= room->pieces - first);
    for (uint32_t i = first; i < first + count; i++) {
        WRN_ASSERT(is_used(room, i) != used);
        room->used[i / BITS] ^= UINT64_C(1) << i % BITS;
    }
}

static uint32_t first_of(const struct wrn_room *room, const uint8_t *place) {
    WRN_ASSERT(place >= room->bytes);
    size_t offset = (size_t)(place - room->bytes);
    WRN_ASSERT(offset % WRN_ROOM_PIECE == 0 && offset / WRN_ROOM_PIECE < room->pieces);
    return (uint32_t)(offset / WRN_ROOM_PIECE);
}
