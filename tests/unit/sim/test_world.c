/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: events happen in order of time, then of setting; streams do not disturb one another; the
 * trace tells runs apart. Method: small worlds whose whole history is written down. */
#include "sim/world.h"
#include "unit/base/check.h"

enum { EVENTS_MAX = 64 };

struct history {
    struct sim_world *world;
    struct sim_event events[EVENTS_MAX];
    size_t order[EVENTS_MAX];
    uint64_t at_ns[EVENTS_MAX];
    size_t count;
};

static struct history history; /* of the running test */

static void note(struct sim_event *event) {
    history.at_ns[history.count] = sim_now(history.world).mono.ns;
    history.order[history.count++] = (size_t)(event - history.events);
}

static void note_and_stop(struct sim_event *event) {
    note(event);
    sim_stop(history.world);
}

static void note_and_set_next(struct sim_event *event) {
    note(event);
    sim_at(history.world, event + 1, sim_now(history.world).mono);
}

static wrn_mono after(uint64_t ns) {
    return wrn_mono_add(sim_now(history.world).mono, ns);
}

static void start(void (*happen)(struct sim_event *)) {
    memset(&history, 0, sizeof history);
    history.world = sim_world_create(1);
    for (size_t i = 0; i < EVENTS_MAX; i++) {
        history.events[i].happen = happen;
    }
}

static void happens_in_order_of_time_then_of_setting(void **state) {
    (void)state;
    static const size_t expected[] = {3, 1, 4, 0};
    start(note);
    sim_at(history.world, &history.events[0], after(30));
    sim_at(history.world, &history.events[1], after(20));
    sim_at(history.world, &history.events[2], after(20));
    sim_at(history.world, &history.events[3], after(10));
    sim_at(history.world, &history.events[4], after(20));
    sim_at(history.world, &history.events[2], WRN_MONO_NEVER);
    assert_false(sim_is_set(&history.events[2]));
    assert_true(sim_is_set(&history.events[4]));
    uint64_t began = sim_now(history.world).mono.ns;
    assert_int_equal(sim_run(history.world, after(100)), 4);
    assert_int_equal(sim_now(history.world).mono.ns, began + 100);
    assert_memory_equal(history.order, expected, sizeof expected);
    assert_int_equal(history.at_ns[0], began + 10);
    assert_int_equal(history.at_ns[3], began + 30);
    sim_world_destroy(history.world);
}

static void runs_what_is_due_at_the_end_and_nothing_later(void **state) {
    (void)state;
    start(note);
    sim_at(history.world, &history.events[0], after(10));
    sim_at(history.world, &history.events[1], after(11));
    assert_int_equal(sim_run(history.world, after(10)), 1);
    assert_int_equal(sim_run(history.world, after(1)), 1);
    assert_int_equal(sim_event_count(history.world), 2);
    sim_world_destroy(history.world);
}

static void stops_after_the_event_and_goes_on(void **state) {
    (void)state;
    start(note_and_stop);
    uint64_t began = sim_now(history.world).mono.ns;
    sim_at(history.world, &history.events[0], after(5));
    sim_at(history.world, &history.events[1], after(5));
    assert_int_equal(sim_run(history.world, after(10)), 1);
    assert_int_equal(sim_now(history.world).mono.ns, began + 5);
    assert_int_equal(sim_run(history.world, after(10)), 1);
    assert_int_equal(sim_run(history.world, after(10)), 0);
    sim_world_destroy(history.world);
}

static void sets_events_while_one_happens(void **state) {
    (void)state;
    start(note_and_set_next);
    history.events[9].happen = note;
    sim_at(history.world, &history.events[0], after(5));
    assert_int_equal(sim_run(history.world, after(5)), 10);
    for (size_t i = 0; i < 10; i++) {
        assert_int_equal(history.order[i], i);
    }
    sim_world_destroy(history.world);
}

static void holds_more_events_than_it_began_with(void **state) {
    (void)state;
    enum { MANY = 5000 };
    static struct sim_event many[MANY];
    start(note);
    memset(many, 0, sizeof many);
    for (size_t i = 0; i < MANY; i++) {
        many[i].happen = note_and_stop; /* never asked: none is due */
        sim_at(history.world, &many[i], after(MANY - i));
    }
    assert_int_equal(sim_run(history.world, after(0)), 0);
    sim_world_destroy(history.world);
}

static void set_in_the_past(void) {
    start(note);
    sim_run(history.world, after(10));
    sim_at(history.world, &history.events[0], (wrn_mono){after(0).ns - 1});
}

static void refuses_the_past(void **state) {
    (void)state;
    check_dies(set_in_the_past);
}

static uint64_t draw(struct sim_world *world, enum sim_stream stream, uint64_t index) {
    uint64_t value;
    wrn_rand_fill(sim_rand(world, stream, index), &value, sizeof value);
    return value;
}

static void streams_do_not_disturb_one_another(void **state) {
    (void)state;
    struct sim_world *quiet = sim_world_create(7);
    struct sim_world *busy = sim_world_create(7);
    struct sim_world *other = sim_world_create(8);
    uint64_t first = draw(quiet, SIM_STREAM_NODE, 3);
    for (uint64_t i = 0; i < 100; i++) {
        (void)draw(busy, SIM_STREAM_LINK, i);
        (void)draw(busy, SIM_STREAM_NODE, 4);
    }
    assert_true(draw(busy, SIM_STREAM_NODE, 3) == first);
    assert_true(draw(quiet, SIM_STREAM_NODE, 3) == draw(busy, SIM_STREAM_NODE, 3)); /* goes on */
    assert_true(draw(other, SIM_STREAM_NODE, 3) != first);
    assert_true(draw(quiet, SIM_STREAM_NODE, 5) != first);
    assert_true(draw(quiet, SIM_STREAM_HOST, 3) != first);
    struct wrn_prng own;
    sim_prng_init(other, SIM_STREAM_HOST, 0, &own);
    uint64_t expected = draw(other, SIM_STREAM_HOST, 0);
    uint64_t value;
    wrn_rand_fill(wrn_prng_rand(&own), &value, sizeof value);
    assert_true(value == expected);
    sim_world_destroy(quiet);
    sim_world_destroy(busy);
    sim_world_destroy(other);
}

/* Each step alone must change the hash; the value pins it for every compiler and machine. */
static void the_trace_tells_runs_apart(void **state) {
    (void)state;
    static const uint8_t bytes[] = {1, 2, 3};
    uint64_t hashes[7];
    for (size_t variant = 0; variant < WRN_COUNT(hashes); variant++) {
        start(note);
        sim_run(history.world, after(variant == 1 ? 11 : 10));
        sim_trace(history.world, variant == 2 ? "words" : "word", 1, variant == 3 ? 3 : 2, 3);
        sim_trace_bytes(history.world, "bytes", 4,
                        (wrn_span){bytes, variant == 4 ? 2 : sizeof bytes});
        if (variant == 5) {
            sim_trace(history.world, "", 0, 0, 0);
        }
        hashes[variant] = sim_trace_hash(history.world);
        sim_world_destroy(history.world);
    }
    assert_true(hashes[6] == hashes[0]);
    for (size_t a = 0; a < 6; a++) {
        for (size_t b = 0; b < a; b++) {
            CHECK(hashes[a] != hashes[b], "variants %zu and %zu: ", a, b);
        }
    }
    CHECK(hashes[0] == 0x2774d8c472a8dc2a, "%016llx: ", (unsigned long long)hashes[0]);
}

static void starts_in_the_year_2030(void **state) {
    (void)state;
    start(note);
    assert_int_equal(sim_now(history.world).wall.s, 1893456000);
    sim_run(history.world, after(WRN_S(90) + 7));
    assert_int_equal(sim_now(history.world).wall.s, 1893456090);
    assert_int_equal(sim_now(history.world).wall.ns, 7);
    sim_world_destroy(history.world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(happens_in_order_of_time_then_of_setting),
        cmocka_unit_test(runs_what_is_due_at_the_end_and_nothing_later),
        cmocka_unit_test(stops_after_the_event_and_goes_on),
        cmocka_unit_test(sets_events_while_one_happens),
        cmocka_unit_test(holds_more_events_than_it_began_with),
        cmocka_unit_test(refuses_the_past),
        cmocka_unit_test(streams_do_not_disturb_one_another),
        cmocka_unit_test(the_trace_tells_runs_apart),
        cmocka_unit_test(starts_in_the_year_2030),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
