/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: deadlines behave at both ends of the clock. Method: tables around 0 and NEVER. */
#include "base/clock.h"
#include "unit/base/check.h"

static wrn_mono at(uint64_t ns) {
    return (wrn_mono){ns};
}

static void adds_without_wrapping(void **state) {
    (void)state;
    static const uint64_t cases[][3] = {
        {0, 0, 0},
        {1, 2, 3},
        {UINT64_MAX - 5, 5, UINT64_MAX},
        {UINT64_MAX - 5, 6, UINT64_MAX},
        {1, UINT64_MAX, UINT64_MAX},
        {UINT64_MAX, 0, UINT64_MAX},
        {UINT64_MAX, UINT64_MAX, UINT64_MAX},
    };
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        CHECK(wrn_mono_add(at(cases[i][0]), cases[i][1]).ns == cases[i][2], "case %zu: ", i);
    }
}

static void reaches_deadlines(void **state) {
    (void)state;
    static const struct {
        uint64_t now, deadline;
        bool is_reached;
    } cases[] = {
        {0, 0, true},
        {4, 5, false},
        {5, 5, true},
        {6, 5, true},
        {UINT64_MAX - 1, UINT64_MAX, false},
        {UINT64_MAX, UINT64_MAX, false}, /* NEVER does not come even then */
    };
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        CHECK(wrn_mono_reached(at(cases[i].now), at(cases[i].deadline)) == cases[i].is_reached,
              "case %zu: ", i);
    }
}

static void compares(void **state) {
    (void)state;
    assert_true(wrn_mono_before(at(1), at(2)));
    assert_false(wrn_mono_before(at(2), at(2)));
    assert_true(wrn_mono_before(at(2), WRN_MONO_NEVER));
    assert_int_equal(wrn_mono_min(at(3), at(2)).ns, 2);
    assert_int_equal(wrn_mono_min(at(3), WRN_MONO_NEVER).ns, 3);
    assert_int_equal(wrn_mono_since(at(9), at(4)), 5);
    assert_int_equal(wrn_mono_since(at(4), at(9)), 0);
    assert_int_equal(WRN_MS(3), 3000000);
    assert_true(WRN_S(180) == 180000000000u);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adds_without_wrapping),
        cmocka_unit_test(reaches_deadlines),
        cmocka_unit_test(compares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
