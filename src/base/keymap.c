/* SPDX-License-Identifier: Apache-2.0 */
/* Open addressing with linear probing. At most half full, so that each probe is short and ends. */
#include "base/keymap.h"

static uint32_t slots_for(uint32_t capacity);
static uint32_t home_of(const struct wrn_keymap *map, const uint8_t key[32]);
static uint32_t probe(const struct wrn_keymap *map, const uint8_t key[32]);

void wrn_keymap_init(struct wrn_keymap *map, struct wrn_arena *arena, uint32_t capacity,
                     const uint64_t seed[2]) {
    uint32_t slots = slots_for(capacity);
    map->entries = wrn_arena_take(arena, slots, sizeof(*map->entries));
    map->seed[0] = seed[0];
    map->seed[1] = seed[1];
    map->mask = slots - 1;
    map->count = 0;
    map->capacity = capacity;
}

bool wrn_keymap_add(struct wrn_keymap *map, const uint8_t key[32], uint32_t value) {
    if (map->count == map->capacity) {
        return false;
    }
    struct wrn_keymap_entry *entry = &map->entries[probe(map, key)];
    WRN_ASSERT(!entry->used);
    memcpy(entry->key, key, sizeof(entry->key));
    entry->value = value;
    entry->used = 1;
    map->count++;
    return true;
}

bool wrn_keymap_find(const struct wrn_keymap *map, const uint8_t key[32], uint32_t *ret_value) {
    const struct wrn_keymap_entry *entry = &map->entries[probe(map, key)];
    if (!entry->used) {
        return false;
    }
    *ret_value = entry->value;
    return true;
}

void wrn_keymap_remove(struct wrn_keymap *map, const uint8_t key[32]) {
    uint32_t hole = probe(map, key);
    if (!map->entries[hole].used) {
        return;
    }
    /* An entry behind the hole moves into it unless its home lies cyclically in (hole, its place]:
     * from such a home a probe never passes the hole. */
    for (uint32_t i = (hole + 1) & map->mask; map->entries[i].used; i = (i + 1) & map->mask) {
        uint32_t home = home_of(map, map->entries[i].key);
        if (((i - home) & map->mask) >= ((i - hole) & map->mask)) {
            map->entries[hole] = map->entries[i];
            hole = i;
        }
    }
    memset(&map->entries[hole], 0, sizeof(map->entries[hole]));
    map->count--;
}

/* A power of two, at least twice the capacity. */
static uint32_t slots_for(uint32_t capacity) {
    WRN_ASSERT(capacity <= UINT32_C(1) << 30);
    uint32_t slots = 2;
    while (slots < 2 * capacity) {
        slots *= 2;
    }
    return slots;
}

static uint32_t home_of(const struct wrn_keymap *map, const uint8_t key[32]) {
    return (uint32_t)wrn_siphash(map->seed, key, 32) & map->mask;
}

/* Returns the slot of 'key', or the free slot where it would go. */
static uint32_t probe(const struct wrn_keymap *map, const uint8_t key[32]) {
    uint32_t i = home_of(map, key);
    while (map->entries[i].used && memcmp(map->entries[i].key, key, 32) != 0) {
        i = (i + 1) & map->mask;
    }
    return i;
}
