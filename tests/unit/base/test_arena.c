/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: measuring and taking agree byte for byte, and nothing is handed out twice or past the end.
 * Method: the same takes run twice; misuse must end the program. */
#include "base/arena.h"
#include "unit/base/check.h"

static const size_t takes[][2] = {{1, 1}, {3, 7}, {0, 8}, {64, 1}, {65, 1}, {5, 0}, {1000, 24}};

static void takes_what_it_measured(void **state) {
    (void)state;
    struct wrn_arena measure;
    wrn_arena_init(&measure, NULL, 0);
    for (size_t i = 0; i < WRN_COUNT(takes); i++) {
        assert_null(wrn_arena_take(&measure, takes[i][0], takes[i][1]));
    }
    uint8_t *memory = aligned_alloc(64, measure.used);
    assert_non_null(memory);
    memset(memory, 0, measure.used);
    struct wrn_arena arena;
    wrn_arena_init(&arena, memory, measure.used);
    uint8_t *end = memory;
    for (size_t i = 0; i < WRN_COUNT(takes); i++) {
        uint8_t *piece = wrn_arena_take(&arena, takes[i][0], takes[i][1]);
        CHECK((uintptr_t)piece % 64 == 0, "take %zu: ", i);
        CHECK(piece >= end && piece - end < 64, "take %zu overlaps or wastes: ", i);
        end = piece + takes[i][0] * takes[i][1];
        CHECK(end <= memory + measure.used, "take %zu: ", i);
    }
    assert_int_equal(arena.used, measure.used);
    free(memory);
}

static void packs_pieces_of_8_bytes(void **state) {
    (void)state;
    static _Alignas(64) uint8_t memory[64];
    struct wrn_arena measure, arena;
    wrn_arena_init(&measure, NULL, 0);
    wrn_arena_pack(&measure);
    wrn_arena_init(&arena, memory, sizeof(memory));
    wrn_arena_pack(&arena);
    static const size_t sizes[] = {1, 8, 9, 12};
    static const size_t places[] = {0, 8, 16, 32};
    for (size_t i = 0; i < WRN_COUNT(sizes); i++) {
        assert_null(wrn_arena_take(&measure, 1, sizes[i]));
        assert_ptr_equal(wrn_arena_take(&arena, 1, sizes[i]), memory + places[i]);
    }
    assert_int_equal(measure.used, 48);
    assert_int_equal(arena.used, 48);
}

static void take_too_much(void) {
    static _Alignas(64) uint8_t memory[128];
    struct wrn_arena arena;
    wrn_arena_init(&arena, memory, sizeof(memory));
    (void)wrn_arena_take(&arena, 65, 1);
    (void)wrn_arena_take(&arena, 1, 1);
}

static void take_more_than_a_number_holds(void) {
    struct wrn_arena arena;
    wrn_arena_init(&arena, NULL, 0);
    (void)wrn_arena_take(&arena, SIZE_MAX / 2, 3);
}

static void take_almost_everything(void) {
    struct wrn_arena arena;
    wrn_arena_init(&arena, NULL, 0);
    (void)wrn_arena_take(&arena, SIZE_MAX - 10, 1);
}

static void start_misaligned(void) {
    static _Alignas(64) uint8_t memory[128];
    struct wrn_arena arena;
    wrn_arena_init(&arena, memory + 8, sizeof(memory) - 8);
}

static void refuses_misuse(void **state) {
    (void)state;
    check_dies(take_too_much);
    check_dies(take_more_than_a_number_holds);
    check_dies(take_almost_everything);
    check_dies(start_misaligned);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_what_it_measured),
        cmocka_unit_test(packs_pieces_of_8_bytes),
        cmocka_unit_test(refuses_misuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
