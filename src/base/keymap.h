/* SPDX-License-Identifier: Apache-2.0 */
/* Hash map from 32-byte keys to 32-bit numbers, fixed capacity, open addressing with a secret seed
 * so that nobody who chooses keys can choose collisions. */
#pragma once
#include "base/arena.h"

struct wrn_keymap_entry {
    uint8_t key[32];
    uint32_t value;
    uint32_t used; /* 0: free, 1: used */
};

struct wrn_keymap {
    struct wrn_keymap_entry *entries;
    uint64_t seed[2];
    uint32_t mask; /* slots - 1 */
    uint32_t count;
    uint32_t capacity; /* entries allowed, at most half of the slots */
};

/* Takes room for 'capacity' entries from 'arena'. A real node's 'seed' is secret and random. */
void wrn_keymap_init(struct wrn_keymap *map, struct wrn_arena *arena, uint32_t capacity,
                     const uint64_t seed[2]);

/* Adds 'key', which must not be present. Returns false if the map is full. */
WRN_NODISCARD bool wrn_keymap_add(struct wrn_keymap *map, const uint8_t key[32], uint32_t value);

/* Finds 'key' and sets 'ret_value'. Returns false and leaves it alone if absent. O(1) expected. */
bool wrn_keymap_find(const struct wrn_keymap *map, const uint8_t key[32], uint32_t *ret_value);

/* Removes 'key' (nothing happens if absent), moving later entries back: no tombstones pile up. */
void wrn_keymap_remove(struct wrn_keymap *map, const uint8_t key[32]);

/* SipHash-2-4 of 'size' bytes under a 128-bit key.
 * Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF". */
uint64_t wrn_siphash(const uint64_t key[2], const void *bytes, size_t size);
