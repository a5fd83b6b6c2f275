/* SPDX-License-Identifier: Apache-2.0 */
/* Chains of entries that lanes follow while one thread changes them. Knows nothing of what the
 * entries are. */
#include "switch/switch_internal.h"

enum { HEADS_PER_ENTRY = 2 };

void wrn_switch_chains_init(struct wrn_switch_chains *chains, struct wrn_arena *arena,
                            uint32_t capacity) {
    WRN_ASSERT(capacity >= 1 && (capacity & (capacity - 1)) == 0);
    size_t heads = (size_t)capacity * HEADS_PER_ENTRY;
    *chains = (struct wrn_switch_chains){
        .heads = wrn_arena_take(arena, heads, sizeof *chains->heads),
        .next = wrn_arena_take(arena, (size_t)capacity + 1, sizeof *chains->next),
        .links = wrn_arena_take(arena, (size_t)capacity + 1, sizeof *chains->links),
        .mask = (uint32_t)heads - 1,
        .capacity = capacity,
    };
}

uint32_t wrn_switch_chains_take(struct wrn_switch *sw, struct wrn_switch_chains *chains) {
    if (chains->free_head == 0 && chains->touched == chains->capacity &&
        chains->retired_head != 0) {
        wrn_switch_quiesce(sw);
    }
    uint32_t index = chains->free_head;
    if (index != 0) {
        chains->free_head = chains->links[index];
    } else if (chains->touched < chains->capacity) {
        index = ++chains->touched;
    }
    chains->used += index != 0;
    return index;
}

void wrn_switch_chains_link(struct wrn_switch_chains *chains, uint64_t hash, uint32_t index) {
    _Atomic uint32_t *head = &chains->heads[hash & chains->mask];
    atomic_store_explicit(&chains->next[index], atomic_load_explicit(head, memory_order_relaxed),
                          memory_order_relaxed);
    atomic_store_explicit(head, index, memory_order_release);
}

void wrn_switch_chains_unlink(struct wrn_switch_chains *chains, uint64_t hash, uint32_t index) {
    _Atomic uint32_t *place = &chains->heads[hash & chains->mask];
    uint32_t at = atomic_load_explicit(place, memory_order_relaxed);
    while (at != index) {
        WRN_ASSERT(at != 0);
        place = &chains->next[at];
        at = atomic_load_explicit(place, memory_order_relaxed);
    }
    /* who stands on it finds the way on: its own 'next' stays */
    atomic_store_explicit(place, wrn_switch_chains_next(chains, index), memory_order_release);
    chains->links[index] = chains->retired_head;
    chains->retired_head = index;
    chains->used--;
}

void wrn_switch_chains_reclaim(struct wrn_switch_chains *chains) {
    while (chains->retired_head != 0) {
        uint32_t index = chains->retired_head;
        chains->retired_head = chains->links[index];
        chains->links[index] = chains->free_head;
        chains->free_head = index;
    }
}
