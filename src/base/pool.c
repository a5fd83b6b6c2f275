/* SPDX-License-Identifier: Apache-2.0 */
/* Slots behind handles. Writes only to slots that were taken, so that the others stay unmapped. */
#include "base/pool.h"

static const uint32_t none = UINT32_MAX;

typedef uint64_t __attribute__((may_alias)) word;

static void kill_slot(struct wrn_pool *pool, wrn_handle handle);
static uint32_t age(struct wrn_pool *pool, uint32_t index);
static void free_slot(struct wrn_pool *pool, uint32_t index);
static uint8_t *slot_at(const struct wrn_pool *pool, uint32_t index);

void wrn_pool_init(struct wrn_pool *pool, struct wrn_arena *arena, uint32_t capacity,
                   size_t slot_size) {
    WRN_ASSERT(capacity < none && slot_size % sizeof(word) == 0);
    pool->slots = wrn_arena_take(arena, capacity, slot_size);
    pool->generations = wrn_arena_take(arena, capacity, sizeof(*pool->generations));
    pool->free_next = wrn_arena_take(arena, capacity, sizeof(*pool->free_next));
    pool->free_head = none;
    pool->retired_head = none;
    pool->touched = 0;
    pool->live = 0;
    pool->capacity = capacity;
    pool->slot_size = slot_size;
}

void *wrn_pool_take(struct wrn_pool *pool, wrn_handle *ret_handle) {
    uint32_t index = pool->free_head;
    if (index != none) {
        pool->free_head = pool->free_next[index];
    } else if (pool->touched < pool->capacity) {
        index = pool->touched;
        __atomic_store_n(&pool->touched, index + 1, __ATOMIC_RELEASE);
    } else {
        return NULL;
    }
    pool->live++;
    *ret_handle = (wrn_handle){index, age(pool, index)};
    return slot_at(pool, index);
}

void wrn_pool_give(struct wrn_pool *pool, wrn_handle handle) {
    kill_slot(pool, handle);
    free_slot(pool, handle.index);
}

void wrn_pool_retire(struct wrn_pool *pool, wrn_handle handle) {
    kill_slot(pool, handle);
    pool->free_next[handle.index] = pool->retired_head;
    pool->retired_head = handle.index;
}

void wrn_pool_reclaim(struct wrn_pool *pool) {
    while (pool->retired_head != none) {
        uint32_t index = pool->retired_head;
        pool->retired_head = pool->free_next[index];
        free_slot(pool, index);
    }
}

bool wrn_pool_has_retired(const struct wrn_pool *pool) {
    return pool->retired_head != none;
}

void *wrn_pool_get(const struct wrn_pool *pool, wrn_handle handle) {
    if (handle.index >= __atomic_load_n(&pool->touched, __ATOMIC_ACQUIRE) ||
        handle.generation % 2 == 0 ||
        __atomic_load_n(&pool->generations[handle.index], __ATOMIC_ACQUIRE) != handle.generation) {
        return NULL;
    }
    return slot_at(pool, handle.index);
}

void *wrn_pool_at(const struct wrn_pool *pool, uint32_t index, wrn_handle *ret_handle) {
    if (index >= pool->touched || pool->generations[index] % 2 == 0) {
        return NULL;
    }
    if (ret_handle) {
        *ret_handle = (wrn_handle){index, pool->generations[index]};
    }
    return slot_at(pool, index);
}

static void kill_slot(struct wrn_pool *pool, wrn_handle handle) {
    WRN_ASSERT(wrn_pool_get(pool, handle) != NULL);
    (void)age(pool, handle.index);
    pool->live--;
}

/* Counts who was at a place; other threads may look. Returns the new generation. */
static uint32_t age(struct wrn_pool *pool, uint32_t index) {
    uint32_t generation = pool->generations[index] + 1;
    __atomic_store_n(&pool->generations[index], generation, __ATOMIC_RELEASE);
    return generation;
}

static void free_slot(struct wrn_pool *pool, uint32_t index) {
    word *words = (void *)slot_at(pool, index);
    /* Slots may hold key bytes, and nobody uses them from here on, but other threads may look
     * whether there is something: whole words, which the compiler neither splits nor leaves out. */
    for (size_t i = 0; i < pool->slot_size / sizeof *words; i++) {
        __atomic_store_n(&words[i], 0, __ATOMIC_RELAXED);
    }
    pool->free_next[index] = pool->free_head;
    pool->free_head = index;
}

static uint8_t *slot_at(const struct wrn_pool *pool, uint32_t index) {
    return pool->slots + (size_t)index * pool->slot_size;
}
