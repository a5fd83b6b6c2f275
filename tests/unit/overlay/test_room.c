/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a room never hands out a place twice, loses none, and says when there is none.
 * Method: random taking, giving and changing, against a list of what is where. */
#include "overlay/room.h"

#include "base/rand.h"
#include "unit/base/check.h"

enum { SIZE = 2016, THINGS = 24, STEPS = 4000 }; /* 63 pieces: no whole word of bits */

struct thing {
    uint8_t *place;
    uint32_t size;
    uint8_t mark;
};

static _Alignas(64) uint8_t memory[4096];

static struct wrn_room make(uint32_t size) {
    struct wrn_arena arena;
    struct wrn_room room;
    memset(memory, 0, sizeof(memory));
    wrn_arena_init(&arena, memory, sizeof(memory));
    wrn_room_init(&room, &arena, size);
    return room;
}

static void keep(struct thing *thing, uint8_t *place, uint32_t size, uint8_t mark) {
    *thing = (struct thing){place, size, mark};
    memset(place, mark, size);
}

static void check(const struct thing *thing) {
    for (uint32_t i = 0; thing->place != NULL && i < thing->size; i++) {
        assert_int_equal(thing->place[i], thing->mark);
    }
}

static void keeps_what_is_put_into_it(void **state) {
    (void)state;
    struct wrn_prng prng;
    struct wrn_room room = make(SIZE);
    struct thing things[THINGS] = {0};
    uint32_t refused = 0;
    wrn_prng_init(&prng, check_seed(), 0);
    struct wrn_rand rand = wrn_prng_rand(&prng);
    for (uint32_t step = 0; step < STEPS; step++) {
        struct thing *thing = &things[wrn_rand_below(rand, THINGS)];
        uint32_t size = wrn_rand_below(rand, 400);
        uint8_t *place;
        check(thing);
        if (thing->place == NULL) {
            place = wrn_room_take(&room, size);
        } else if (wrn_rand_below(rand, 2) == 0) {
            place = wrn_room_change(&room, thing->place, thing->size, size);
        } else {
            wrn_room_give(&room, thing->place, thing->size);
            *thing = (struct thing){0};
            continue;
        }
        refused += place == NULL;
        if (place != NULL) {
            keep(thing, place, size, (uint8_t)step);
        }
        for (uint32_t i = 0; i < THINGS; i++) {
            check(&things[i]);
        }
    }
    assert_true(refused > 0);
    for (uint32_t i = 0; i < THINGS; i++) {
        wrn_room_give(&room, things[i].place, things[i].size);
    }
    assert_non_null(wrn_room_take(&room, SIZE)); /* all of it is there again */
    assert_null(wrn_room_take(&room, 1));
}

static void what_does_not_fit_leaves_all_as_it_was(void **state) {
    (void)state;
    struct wrn_room room = make(96);
    assert_null(wrn_room_take(&room, 97));
    uint8_t *first = wrn_room_take(&room, 0); /* also what is empty has a place */
    uint8_t *second = wrn_room_take(&room, 33);
    assert_non_null(first);
    assert_ptr_equal(second, first + WRN_ROOM_PIECE);
    assert_null(wrn_room_take(&room, 1));
    memset(second, 7, 33);
    assert_null(wrn_room_change(&room, second, 33, 65));
    assert_null(wrn_room_take(&room, 1));
    assert_int_equal(second[32], 7);
    wrn_room_give(&room, first, 0);
    assert_ptr_equal(wrn_room_change(&room, second, 33, 65), first);
    assert_null(wrn_room_take(&room, 1));
    wrn_room_give(&room, NULL, 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_what_is_put_into_it),
        cmocka_unit_test(what_does_not_fit_leaves_all_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
