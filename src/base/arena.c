/* SPDX-License-Identifier: Apache-2.0 */
/* Bump arena: hands out consecutive pieces of one block and never writes to it. */
#include "base/arena.h"

#include "base/bytes.h"

enum {
    ALIGNMENT = 64, /* a cache line: tables of two threads never share one */
    PACKED_ALIGNMENT = 8,
};

void wrn_arena_init(struct wrn_arena *arena, void *memory, size_t size) {
    WRN_ASSERT((uintptr_t)memory % ALIGNMENT == 0);
    arena->next = memory;
    arena->used = 0;
    arena->size = memory ? size : SIZE_MAX;
    arena->alignment = ALIGNMENT;
}

void wrn_arena_pack(struct wrn_arena *arena) {
    arena->alignment = PACKED_ALIGNMENT;
}

void *wrn_arena_take(struct wrn_arena *arena, size_t count, size_t size) {
    size_t wanted;
    WRN_ASSERT(!__builtin_mul_overflow(count, size, &wanted));
    WRN_ASSERT(wanted <= SIZE_MAX - (arena->alignment - 1));
    wanted = wrn_align_up(wanted, arena->alignment);
    WRN_ASSERT(wanted <= arena->size - arena->used);
    arena->used += wanted;
    if (!arena->next) {
        return NULL;
    }
    uint8_t *piece = arena->next;
    arena->next += wanted;
    return piece;
}
