/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the largest size that a way takes is found, and given up in time when the way takes it no
 * more. Method: a way that takes so much, in virtual time. */
#include "base/path_size.h"
#include "unit/base/check.h"

enum { BASE = 1356, TOP = 1420, CONFIRM_S = 15 };

static struct wrn_path_size size;
static wrn_mono now;
static uint32_t takes, probes;

static void begin(uint32_t way) {
    now = (wrn_mono){WRN_S(1000)};
    takes = way;
    probes = 0;
    wrn_path_size_set(&size, now, BASE, TOP, CONFIRM_S);
}

/* Lets time pass; what the way takes is answered at once. */
static void run(uint64_t ns) {
    wrn_mono end = wrn_mono_add(now, ns);
    while (wrn_mono_reached(end, size.due)) {
        now = wrn_mono_before(now, size.due) ? size.due : now;
        if (!wrn_path_size_on_time(&size, now)) {
            continue;
        }
        wrn_path_size_sent(&size, now);
        probes++;
        if (size.probed <= takes) {
            assert_true(wrn_path_size_on_answer(&size, now, size.probed, size.nonce));
        }
        assert_true(probes < 10000);
    }
    now = end;
}

static void what_the_way_takes_is_found(void **state) {
    (void)state;
    /* by the underlay's MTU: 1,500, 1,492, 1,480, 1,460, and less than what counts already */
    static const struct {
        uint32_t takes, found, probes;
    } ways[] = {{1500, 1420, 1}, {1420, 1420, 1}, {1419, 1412, 3}, {1411, 1400, 5},
                {1399, 1380, 7}, {1379, 1356, 8}, {0, 1356, 8}};
    for (size_t i = 0; i < WRN_COUNT(ways); i++) {
        begin(ways[i].takes);
        assert_int_equal(size.current, BASE);
        run(WRN_S(9));
        CHECK(size.current == ways[i].found && probes == ways[i].probes,
              "takes %u: %u after %u probes: ", takes, size.current, probes);
    }
}

static void nothing_is_looked_for_where_there_is_nothing(void **state) {
    (void)state;
    now = (wrn_mono){WRN_S(1)};
    wrn_path_size_set(&size, now, BASE, BASE, CONFIRM_S);
    assert_true(size.due.ns == WRN_MONO_NEVER.ns);
    assert_int_equal(size.current, BASE);
}

static void a_black_hole_is_noticed_within_18_seconds(void **state) {
    (void)state;
    for (uint64_t at = 0; at < 30; at++) {
        begin(1500);
        run(WRN_S(20) + WRN_S(1) * at);
        assert_int_equal(size.current, TOP);
        takes = 1400; /* and says nothing */
        run(WRN_S(CONFIRM_S + 3));
        assert_true(size.current < TOP);
        run(WRN_S(4) + 1);
        assert_int_equal(size.current, 1400); /* what it takes now is found */
    }
}

static void two_lost_probes_are_no_black_hole(void **state) {
    (void)state;
    begin(1500);
    run(WRN_S(14));
    takes = 0;
    run(WRN_S(1) + WRN_MS(1900));
    assert_int_equal(probes, 3);
    takes = 1500;
    run(WRN_S(60));
    assert_int_equal(size.current, TOP);
}

static void a_wider_way_is_found_within_ten_minutes(void **state) {
    (void)state;
    begin(1400);
    run(WRN_S(30));
    assert_int_equal(size.current, 1400);
    takes = 1500;
    run(WRN_S(WRN_PATH_SIZE_LOOK_S));
    assert_int_equal(size.current, TOP);
    begin(1000);
    run(WRN_S(30));
    takes = 1500;
    run(WRN_S(WRN_PATH_SIZE_LOOK_S));
    assert_int_equal(size.current, TOP);
}

static void only_the_answer_to_the_probe_under_way_counts(void **state) {
    (void)state;
    begin(0);
    assert_false(wrn_path_size_on_answer(&size, now, TOP, size.nonce)); /* none was sent */
    assert_true(wrn_path_size_on_time(&size, now));
    wrn_path_size_sent(&size, now);
    uint32_t nonce = size.nonce;
    assert_false(wrn_path_size_on_answer(&size, now, TOP, nonce - 1));
    assert_false(wrn_path_size_on_answer(&size, now, TOP + 1, nonce));
    assert_int_equal(size.current, BASE);
    wrn_path_size_set(&size, now, BASE, TOP, CONFIRM_S); /* another path */
    assert_false(wrn_path_size_on_answer(&size, now, TOP, nonce));
    assert_true(wrn_path_size_on_time(&size, now));
    wrn_path_size_sent(&size, now);
    assert_false(wrn_path_size_on_answer(&size, now, TOP, nonce)); /* that of the old path */
    assert_true(wrn_path_size_on_answer(&size, now, TOP, size.nonce));
    assert_int_equal(size.current, TOP);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_way_takes_is_found),
        cmocka_unit_test(nothing_is_looked_for_where_there_is_nothing),
        cmocka_unit_test(a_black_hole_is_noticed_within_18_seconds),
        cmocka_unit_test(two_lost_probes_are_no_black_hole),
        cmocka_unit_test(a_wider_way_is_found_within_ten_minutes),
        cmocka_unit_test(only_the_answer_to_the_probe_under_way_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
