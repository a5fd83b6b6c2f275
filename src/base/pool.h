/* SPDX-License-Identifier: Apache-2.0 */
/* Fixed-capacity pool of equal slots, referred to by handle: an index and a generation, so that a
 * late timer or reply for a slot that was freed is not found instead of hitting its successor. One
 * thread takes, gives and retires; others may look at slots (wrn_pool_slot, wrn_pool_get) as long
 * as the owner retires what they can see and reclaims it only when they no longer do. */
#pragma once
#include "base/arena.h"

typedef struct wrn_handle {
    uint32_t index;
    uint32_t generation; /* even: no slot; generations of live slots are odd */
} wrn_handle;

#define WRN_HANDLE_NONE ((wrn_handle){0, 0})

struct wrn_pool {
    uint8_t *slots;
    uint32_t *generations;
    uint32_t *free_next;   /* chain of freed slots */
    uint32_t free_head;    /* UINT32_MAX: none */
    uint32_t retired_head; /* the same chain for slots that wait for wrn_pool_reclaim */
    uint32_t touched;      /* slots below this index have been used at least once */
    uint32_t live;         /* slots in use */
    uint32_t capacity;
    size_t slot_size;
};

/* Takes room for 'capacity' slots of 'slot_size' bytes, a multiple of 8, from 'arena'. Untouched
 * slots cost no resident memory where the arena's pages are mapped on demand. */
void wrn_pool_init(struct wrn_pool *pool, struct wrn_arena *arena, uint32_t capacity,
                   size_t slot_size);

/* Takes a zeroed slot. Returns it and sets 'ret_handle', or NULL if the pool is full. */
WRN_NODISCARD void *wrn_pool_take(struct wrn_pool *pool, wrn_handle *ret_handle);

/* Gives a live slot back; its content is zeroed. 'handle' must be live. */
void wrn_pool_give(struct wrn_pool *pool, wrn_handle handle);

/* Makes a live slot dead like wrn_pool_give, but keeps its content, and does not take it again,
 * until wrn_pool_reclaim. 'handle' must be live. */
void wrn_pool_retire(struct wrn_pool *pool, wrn_handle handle);

/* Zeroes all retired slots and makes them free. */
void wrn_pool_reclaim(struct wrn_pool *pool);

/* Tells whether there are retired slots. */
bool wrn_pool_has_retired(const struct wrn_pool *pool);

/* Returns the slot at 'index', whether live or not, or NULL if none was ever taken there. Any
 * thread, as the next one; the others are the owner's. */
static inline void *wrn_pool_slot(const struct wrn_pool *pool, uint32_t index) {
    return index < __atomic_load_n(&pool->touched, __ATOMIC_ACQUIRE)
               ? pool->slots + (size_t)index * pool->slot_size
               : NULL;
}

/* Returns the slot of 'handle', or NULL if it was given back (or never taken). O(1). */
void *wrn_pool_get(const struct wrn_pool *pool, wrn_handle handle);

/* Returns the live slot at 'index', or NULL; sets 'ret_handle' if that is not NULL. */
void *wrn_pool_at(const struct wrn_pool *pool, uint32_t index, wrn_handle *ret_handle);

/* Tells whether two handles name the same taking of the same slot. */
static inline bool wrn_handle_equal(wrn_handle a, wrn_handle b) {
    return a.index == b.index && a.generation == b.generation;
}
