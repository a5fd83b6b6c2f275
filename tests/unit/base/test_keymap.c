/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the map finds exactly what was added and not removed, also in crowded tables.
 * Method: an array as the model, small maps so that probes wrap round and removals move entries. */
#include "base/keymap.h"
#include "base/rand.h"
#include "unit/base/check.h"

enum { CAPACITY_MAX = 64, KEYS = 150 };

static _Alignas(64) uint8_t memory[sizeof(struct wrn_keymap_entry) * 2 * CAPACITY_MAX];

static void start(struct wrn_keymap *map, uint32_t capacity, const uint64_t seed[2]) {
    struct wrn_arena arena;
    memset(memory, 0, sizeof(memory));
    wrn_arena_init(&arena, memory, sizeof(memory));
    wrn_keymap_init(map, &arena, capacity, seed);
}

/* Keys that differ in one byte only, at varying places. */
static void make_key(size_t number, uint8_t ret_key[32]) {
    memset(ret_key, 0, 32);
    ret_key[number % 32] = (uint8_t)(1 + number / 32);
}

static void assert_same(const struct wrn_keymap *map, const bool *present, const uint32_t *values,
                        size_t step) {
    uint32_t count = 0;
    for (size_t i = 0; i < KEYS; i++) {
        uint8_t key[32];
        uint32_t value = 0xdead;
        make_key(i, key);
        CHECK(wrn_keymap_find(map, key, &value) == present[i], "step %zu, key %zu: ", step, i);
        CHECK(value == (present[i] ? values[i] : 0xdead), "step %zu, key %zu: ", step, i);
        count += present[i];
    }
    CHECK(map->count == count, "step %zu: ", step);
}

static void follow_the_model(struct wrn_rand rand, uint32_t capacity, size_t steps) {
    struct wrn_keymap map;
    bool present[KEYS] = {false};
    uint32_t values[KEYS] = {0};
    uint64_t seed[2];
    wrn_rand_fill(rand, seed, sizeof(seed));
    start(&map, capacity, seed);
    for (size_t step = 0; step < steps; step++) {
        size_t i = wrn_rand_below(rand, KEYS);
        uint8_t key[32];
        make_key(i, key);
        if (!present[i] && wrn_rand_below(rand, 4) > 0) {
            bool is_full = map.count == capacity;
            CHECK(wrn_keymap_add(&map, key, (uint32_t)step) == !is_full, "step %zu: ", step);
            present[i] = !is_full;
            values[i] = (uint32_t)step;
        } else {
            wrn_keymap_remove(&map, key);
            present[i] = false;
        }
        assert_same(&map, present, values, step);
    }
}

static void follows_the_model(void **state) {
    (void)state;
    static const uint32_t capacities[] = {1, 2, 3, 7, 8, 33, CAPACITY_MAX};
    struct wrn_prng prng;
    wrn_prng_init(&prng, check_seed(), 0);
    for (size_t i = 0; i < WRN_COUNT(capacities); i++) {
        for (size_t run = 0; run < 5; run++) {
            follow_the_model(wrn_prng_rand(&prng), capacities[i], 1000);
        }
    }
}

static void sizes_its_table(void **state) {
    (void)state;
    static const struct {
        uint32_t capacity, slots;
    } cases[] = {{0, 2}, {1, 2}, {2, 4}, {3, 8}, {4, 8}, {5, 16}, {100000, 262144}};
    const uint64_t seed[2] = {1, 2};
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        struct wrn_arena arena;
        struct wrn_keymap map;
        wrn_arena_init(&arena, NULL, 0);
        wrn_keymap_init(&map, &arena, cases[i].capacity, seed);
        CHECK(map.mask == cases[i].slots - 1, "capacity %u: ", cases[i].capacity);
        CHECK(arena.used >= cases[i].slots * sizeof(struct wrn_keymap_entry),
              "capacity %u: ", cases[i].capacity);
    }
}

static void holds_nothing_with_no_room(void **state) {
    (void)state;
    struct wrn_keymap map;
    const uint64_t seed[2] = {0, 0};
    uint8_t key[32] = {0};
    uint32_t value = 0;
    start(&map, 0, seed);
    assert_false(wrn_keymap_add(&map, key, 1));
    assert_false(wrn_keymap_find(&map, key, &value));
    wrn_keymap_remove(&map, key);
}

/* With two seeds the same keys must lie in a different order. */
static void spreads_by_its_seed(void **state) {
    (void)state;
    static struct wrn_keymap_entry first[2 * CAPACITY_MAX];
    const uint64_t seeds[2][2] = {{1, 2}, {1, 3}};
    struct wrn_keymap map;
    for (size_t run = 0; run < 2; run++) {
        start(&map, CAPACITY_MAX, seeds[run]);
        for (size_t i = 0; i < CAPACITY_MAX; i++) {
            uint8_t key[32];
            make_key(i, key);
            assert_true(wrn_keymap_add(&map, key, (uint32_t)i));
        }
        if (run == 0) {
            memcpy(first, map.entries, sizeof(first));
        }
    }
    assert_memory_not_equal(first, map.entries, sizeof(first));
}

static void add_twice(void) {
    struct wrn_keymap map;
    const uint64_t seed[2] = {0, 0};
    uint8_t key[32] = {0};
    start(&map, 4, seed);
    (void)!wrn_keymap_add(&map, key, 1);
    (void)!wrn_keymap_add(&map, key, 2);
}

static void refuses_misuse(void **state) {
    (void)state;
    check_dies(add_twice);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_model),
        cmocka_unit_test(sizes_its_table),
        cmocka_unit_test(holds_nothing_with_no_room),
        cmocka_unit_test(spreads_by_its_seed),
        cmocka_unit_test(refuses_misuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
