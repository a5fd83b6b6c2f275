/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the earliest deadline of a table is always at hand, and moments keep their order when they
 * are shortened to ticks, also where the ticks wrap. Method: random settings against a plain search
 * through all of them; edges of the ticks. */
#include "base/dues.h"
#include "base/tick.h"
#include "unit/base/check.h"

enum { PLACES = 13 };

static void the_first_is_the_earliest(void **state) {
    (void)state;
    static _Alignas(64) uint8_t memory[1024];
    struct wrn_arena arena;
    struct wrn_dues dues;
    uint64_t seed = check_seed();
    memset(memory, 0, sizeof(memory));
    wrn_arena_init(&arena, memory, sizeof(memory));
    wrn_dues_init(&dues, &arena, PLACES);
    assert_true(wrn_dues_first(&dues).ns == UINT64_MAX);
    wrn_mono model[PLACES];
    for (size_t i = 0; i < PLACES; i++) {
        model[i] = WRN_MONO_NEVER;
    }
    for (size_t i = 0; i < 20000; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
        uint32_t place = (uint32_t)(seed >> 33) % PLACES;
        uint64_t value = seed >> 58; /* few values: equal ones are frequent */
        model[place] = value > 60 ? WRN_MONO_NEVER : (wrn_mono){value};
        wrn_dues_set(&dues, place, model[place]);
        wrn_mono least = WRN_MONO_NEVER;
        for (size_t k = 0; k < PLACES; k++) {
            least = wrn_mono_min(least, model[k]);
        }
        assert_true(wrn_dues_first(&dues).ns == least.ns);
        assert_true(model[dues.first].ns == least.ns);
    }
}

static void set_a_place_that_is_none(void) {
    static _Alignas(64) uint8_t memory[64];
    struct wrn_arena arena;
    struct wrn_dues dues;
    wrn_arena_init(&arena, memory, sizeof(memory));
    wrn_dues_init(&dues, &arena, 2);
    wrn_dues_set(&dues, 2, (wrn_mono){1});
}

static void refuses_misuse(void **state) {
    (void)state;
    check_dies(set_a_place_that_is_none);
}

static void a_tick_is_the_moment_or_a_little_later(void **state) {
    (void)state;
    static const uint64_t days = WRN_S(86400);
    const uint64_t wrap = WRN_MS(UINT64_C(1) << 32);
    const uint64_t nows[] = {0, 1, WRN_S(1), wrap / 2, wrap - 1, wrap, 3 * wrap - WRN_MS(2)};
    const uint64_t aheads[] = {0, 1, WRN_MS(1), WRN_MS(5), WRN_S(77), days, 3 * days};
    assert_true(wrn_tick_mono(wrn_tick_of(WRN_MONO_NEVER), (wrn_mono){5}).ns == UINT64_MAX);
    assert_false(wrn_tick_reached((wrn_mono){UINT64_MAX - 1}, WRN_TICK_NEVER));
    for (size_t i = 0; i < WRN_COUNT(nows); i++) {
        for (size_t k = 0; k < WRN_COUNT(aheads); k++) {
            wrn_mono now = {nows[i]};
            wrn_mono at = wrn_mono_add(now, aheads[k]);
            wrn_tick tick = wrn_tick_in(now, aheads[k]);
            /* Where the count would be 0, which is never, it is 1. */
            uint64_t late = wrn_tick_mono(tick, now).ns - at.ns;
            CHECK(late <= 2 * WRN_TICK_NS, "now %zu, ahead %zu: ", i, k);
            CHECK(wrn_tick_reached(now, tick) == (late == 0 && aheads[k] == 0),
                  "now %zu, ahead %zu: ", i, k);
            assert_true(wrn_tick_reached(wrn_tick_mono(tick, now), tick));
            /* Looked at long after it came, it has come. */
            assert_true(wrn_tick_reached(wrn_mono_add(at, 46 * days), tick));
        }
    }
}

static void a_drip_lets_its_burst_and_its_rate_pass(void **state) {
    (void)state;
    const uint64_t rest = WRN_MS(UINT64_C(1) << 32); /* far away */
    struct wrn_drip drip = {0};
    wrn_mono now = {WRN_S(5)};
    for (int round = 0; round < 3; round++) {
        uint32_t passed = 0;
        for (int i = 0; i < 100; i++) {
            passed += wrn_drip_take(&drip, now, WRN_MS(500), 8);
        }
        assert_int_equal(passed, 8);
        for (int i = 0; i < 1000; i++) {
            now = wrn_mono_add(now, WRN_MS(100));
            passed += wrn_drip_take(&drip, now, WRN_MS(500), 8);
        }
        assert_in_range(passed, 8 + 199, 8 + 201);
        now = wrn_mono_add(now, rest + WRN_S(9));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_is_the_earliest),
        cmocka_unit_test(refuses_misuse),
        cmocka_unit_test(a_tick_is_the_moment_or_a_little_later),
        cmocka_unit_test(a_drip_lets_its_burst_and_its_rate_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
