/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a machine's clocks are what a machine sees: 'mono' stands still in sleep, the wall clock
 * does not, and may be wrong. Method: one machine, moments written down. */
#include "sim/clock.h"
#include "unit/base/check.h"

struct bell {
    struct sim_alarm alarm;
    uint64_t rings;
    uint64_t at_ns; /* by the machine */
};

static struct sim_world *world;
static struct sim_clock machine;
static uint64_t began_ns;

static void ring(struct sim_alarm *alarm) {
    struct bell *bell = WRN_CONTAINER(alarm, struct bell, alarm);
    bell->rings++;
    bell->at_ns = sim_clock_now(&machine).mono.ns - began_ns;
}

static void ring_again(struct sim_alarm *alarm) {
    ring(alarm);
    sim_alarm_set(&machine, alarm, wrn_mono_add(sim_clock_now(&machine).mono, WRN_S(1)));
}

static void start(void) {
    world = sim_world_create(1);
    sim_clock_init(&machine, world);
    began_ns = sim_clock_now(&machine).mono.ns;
}

static void pass(uint64_t ns) {
    sim_run(world, wrn_mono_add(sim_now(world).mono, ns));
}

static wrn_mono after(uint64_t ns) {
    return (wrn_mono){began_ns + ns};
}

static void mono_stands_still_in_sleep_and_the_wall_clock_does_not(void **state) {
    (void)state;
    start();
    pass(WRN_S(5));
    sim_clock_sleep(&machine);
    sim_clock_sleep(&machine); /* nothing happens */
    pass(WRN_S(7200));
    assert_int_equal(sim_clock_now(&machine).mono.ns, began_ns + WRN_S(5));
    sim_clock_wake(&machine);
    sim_clock_wake(&machine);
    pass(WRN_S(1));
    assert_int_equal(sim_clock_now(&machine).mono.ns, began_ns + WRN_S(6));
    assert_int_equal(sim_clock_now(&machine).wall.s, sim_now(world).wall.s);
    sim_world_destroy(world);
}

static void alarms_wait_for_the_machine_to_wake(void **state) {
    (void)state;
    struct bell early = {.alarm.ring = ring};
    struct bell late = {.alarm.ring = ring};
    start();
    sim_alarm_set(&machine, &late.alarm, after(WRN_S(8)));
    sim_alarm_set(&machine, &early.alarm, after(WRN_S(6)));
    pass(WRN_S(5));
    sim_clock_sleep(&machine);
    pass(WRN_S(3600));
    assert_int_equal(early.rings + late.rings, 0);
    sim_clock_wake(&machine);
    pass(WRN_S(1));
    assert_int_equal(early.rings, 1);
    assert_int_equal(early.at_ns, WRN_S(6));
    assert_int_equal(late.rings, 0);
    pass(WRN_S(2));
    assert_int_equal(late.rings, 1);
    assert_int_equal(late.at_ns, WRN_S(8));
    sim_world_destroy(world);
}

static void an_alarm_can_be_moved_taken_back_and_set_again(void **state) {
    (void)state;
    struct bell bell = {.alarm.ring = ring_again};
    struct bell never = {.alarm.ring = ring};
    start();
    sim_alarm_set(&machine, &bell.alarm, after(WRN_S(9)));
    sim_alarm_set(&machine, &bell.alarm, after(WRN_S(2)));
    sim_alarm_set(&machine, &never.alarm, after(WRN_S(2)));
    sim_alarm_set(&machine, &never.alarm, WRN_MONO_NEVER);
    sim_alarm_set(&machine, &never.alarm, WRN_MONO_NEVER);
    pass(WRN_S(4));
    assert_int_equal(bell.rings, 3); /* at 2, 3 and 4 */
    assert_int_equal(never.rings, 0);
    sim_clock_sleep(&machine);
    sim_alarm_set(&machine, &bell.alarm, WRN_MONO_NEVER); /* its owner ends while it sleeps */
    sim_clock_wake(&machine);
    pass(WRN_S(10));
    assert_int_equal(bell.rings, 3);
    sim_world_destroy(world);
}

static void the_wall_clock_jumps_and_drifts(void **state) {
    (void)state;
    static const struct {
        int64_t offset_ns;
        int64_t drift_ppb;
        uint64_t passed_ns;
        int64_t error_ns;
    } cases[] = {
        {0, 0, WRN_S(10), 0},
        {3600 * (int64_t)WRN_S(1), 0, WRN_S(10), 3600 * (int64_t)WRN_S(1)},
        {-1500000000, 0, WRN_S(10), -1500000000},
        {0, 50000, WRN_S(1000), 50000000}, /* 50 ppm in 1000 s */
        {0, -50000, WRN_S(1000), -50000000},
        {7, 100000000, WRN_S(86400), 7 + 8640 * (int64_t)WRN_S(1)},
        {-1893456000 * (int64_t)WRN_S(1), 0, WRN_MS(500), -1893456000 * (int64_t)WRN_S(1)},
    };
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        start();
        sim_clock_set_offset(&machine, cases[i].offset_ns);
        sim_clock_set_drift(&machine, cases[i].drift_ppb);
        pass(cases[i].passed_ns);
        struct wrn_now seen = sim_clock_now(&machine);
        struct wrn_now truth = sim_now(world);
        CHECK(sim_clock_error(&machine) == cases[i].error_ns, "case %zu: ", i);
        CHECK(seen.wall.ns < 1000000000, "case %zu: ", i);
        CHECK((seen.wall.s - truth.wall.s) * (int64_t)WRN_S(1) + (int64_t)seen.wall.ns -
                      (int64_t)truth.wall.ns ==
                  cases[i].error_ns,
              "case %zu: ", i);
        CHECK(seen.mono.ns == truth.mono.ns, "case %zu: ", i);
        sim_world_destroy(world);
    }
}

static void changing_the_drift_keeps_the_error_so_far(void **state) {
    (void)state;
    start();
    sim_clock_set_drift(&machine, 1000000);
    pass(WRN_S(100));
    sim_clock_set_drift(&machine, -1000000);
    assert_int_equal(sim_clock_error(&machine), 100000000);
    pass(WRN_S(40));
    assert_int_equal(sim_clock_error(&machine), 60000000);
    sim_world_destroy(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mono_stands_still_in_sleep_and_the_wall_clock_does_not),
        cmocka_unit_test(alarms_wait_for_the_machine_to_wake),
        cmocka_unit_test(an_alarm_can_be_moved_taken_back_and_set_again),
        cmocka_unit_test(the_wall_clock_jumps_and_drifts),
        cmocka_unit_test(changing_the_drift_keeps_the_error_so_far),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
