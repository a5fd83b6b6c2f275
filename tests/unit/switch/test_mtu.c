/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the largest size that reaches a member in one piece is found, kept as long as it holds, and
 * given up soon after it does not; a lossy way costs time only, and nobody can pretend an answer.
 * Method: two switches and a way between them that drops what is too large, in virtual time. */
#include "unit/switch/lan.h"

enum { HERE = 1, THERE = 2, BASE = 1356, TOP = 1440, HEAD = 4 };

struct way {
    struct lan lans[3]; /* by their own number, HERE and THERE */
    uint32_t room;      /* bytes of payload that pass */
    uint32_t loss;      /* one in so many is lost, 0: none */
    uint32_t whole;     /* probes that were sent */
    struct wrn_prng prng;
};

static struct way way;

static int start(void **state) {
    struct wrn_switch_options options = lan_options();
    (void)state;
    memset(&way, 0, sizeof way);
    wrn_prng_init(&way.prng, check_seed(), 0);
    way.room = TOP;
    for (uint32_t i = HERE; i <= THERE; i++) {
        struct wrn_switch_port port = {.peer = lan_peer(HERE + THERE - i),
                                       .member = 100 + HERE + THERE - i,
                                       .theirs = lan_rules(),
                                       .payload_max = BASE,
                                       .payload_top = TOP};
        options.own = 100 + i;
        lan_start(&way.lans[i], &options);
        assert_true(wrn_switch_open(way.lans[i].sw, way.lans[i].now, &port));
    }
    return 0;
}

static int stop(void **state) {
    (void)state;
    lan_stop(&way.lans[HERE]);
    lan_stop(&way.lans[THERE]);
    return 0;
}

/* Carries what a switch had to say to the other one, and its answer back. */
static void carry(uint32_t from) {
    for (int turn = 0; turn < 2; turn++, from = HERE + THERE - from) {
        struct wrn_switch_out out = way.lans[from].out;
        struct lan *to = &way.lans[HERE + THERE - from];
        to->out.frame_count = 0;
        for (uint32_t i = 0; i < out.frame_count; i++) {
            struct frame frame = {.size = out.frames[i].size};
            memcpy(frame.bytes, out.frames[i].bytes, frame.size);
            way.whole += out.frames[i].is_whole;
            if (!out.frames[i].to_host && frame.size + HEAD <= way.room &&
                (way.loss == 0 || wrn_prng_next(&way.prng) % way.loss != 0)) {
                assert_int_equal(lan_send(to, from, &frame), WRN_SWITCH_GUARD);
            }
        }
    }
}

static void pass(uint64_t seconds) {
    wrn_mono end = wrn_mono_add(way.lans[HERE].now.mono, WRN_S(seconds));
    while (wrn_mono_before(way.lans[HERE].now.mono, end)) {
        for (uint32_t i = HERE; i <= THERE; i++) {
            struct lan *lan = &way.lans[i];
            lan->now.mono = wrn_mono_add(lan->now.mono, WRN_MS(100));
            lan->out.frame_count = lan->out.event_count = 0;
            if (wrn_mono_reached(lan->now.mono, wrn_switch_due(lan->sw))) {
                wrn_switch_on_time(lan->sw, lan->now, &lan->out);
                carry(i);
            }
        }
    }
}

static uint32_t found(void) {
    return wrn_switch_payload_max(way.lans[HERE].sw, lan_peer(THERE));
}

static void the_largest_that_passes_is_found(void **state) {
    static const uint32_t underlays[] = {1500, 1492, 1480, 1460, 1428};
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(underlays); i++) {
        way.room = TOP + underlays[i] - 1500;
        wrn_switch_set_path(way.lans[HERE].sw, way.lans[HERE].now, lan_peer(THERE), BASE, TOP);
        assert_int_equal(found(), BASE); /* until it is known */
        pass(2 * WRN_COUNT(underlays) + 3);
        CHECK(found() == way.room, "underlay %u: %u: ", underlays[i], found());
    }
    way.room = TOP - 30; /* between two of them */
    wrn_switch_set_path(way.lans[HERE].sw, way.lans[HERE].now, lan_peer(THERE), BASE, TOP);
    pass(12);
    assert_int_equal(found(), TOP - 40);
    way.room = BASE;
    wrn_switch_set_path(way.lans[HERE].sw, way.lans[HERE].now, lan_peer(THERE), BASE, TOP);
    pass(30);
    assert_int_equal(found(), BASE);
}

static void what_fails_later_is_given_up(void **state) {
    (void)state;
    pass(3);
    assert_int_equal(found(), TOP);
    way.room = BASE + 10;
    pass(70); /* confirmed each minute, three times */
    assert_int_equal(found(), BASE);
    pass(60);
    assert_int_equal(found(), BASE);
    way.room = TOP;
    pass(600); /* and looked for again each ten */
    assert_int_equal(found(), TOP);
}

static void losses_cost_time_only(void **state) {
    (void)state;
    way.loss = 5;
    pass(3600);
    way.loss = 0;
    pass(700);
    assert_int_equal(found(), TOP);
    uint32_t probes = way.whole;
    pass(600); /* one a minute, both ways, and what looking again costs */
    assert_in_range(way.whole - probes, 2, 40);
}

/* A port that is told the same again goes on; a relay's is not probed. */
static void the_same_path_is_no_other(void **state) {
    struct lan *lan = &way.lans[HERE];
    struct wrn_switch_port port = {.peer = lan_peer(THERE),
                                   .member = 100 + THERE,
                                   .theirs = lan_rules(),
                                   .payload_max = BASE,
                                   .payload_top = TOP};
    (void)state;
    pass(3);
    assert_true(wrn_switch_open(lan->sw, lan->now, &port));
    assert_int_equal(found(), TOP);
    wrn_switch_set_path(lan->sw, lan->now, lan_peer(THERE), BASE, BASE);
    assert_int_equal(found(), BASE);
    wrn_switch_set_path(way.lans[THERE].sw, lan->now, lan_peer(HERE), BASE, BASE);
    uint32_t probes = way.whole;
    pass(700);
    assert_int_equal(way.whole, probes);
}

/* Answers to what was not asked, or to what was asked before, say nothing. */
static void answers_that_were_not_asked_for_count_for_nothing(void **state) {
    struct lan *here = &way.lans[HERE], *there = &way.lans[THERE];
    struct frame probe = {0}, answer = {0};
    (void)state;
    way.room = BASE;
    here->out.frame_count = here->out.event_count = 0;
    wrn_switch_on_time(here->sw, here->now, &here->out);
    for (uint32_t i = 0; i < here->out.frame_count; i++) {
        if (here->out.frames[i].is_whole) {
            probe.size = here->out.frames[i].size;
            memcpy(probe.bytes, here->out.frames[i].bytes, probe.size);
        }
    }
    assert_int_equal(probe.size + HEAD, TOP);
    assert_int_equal(lan_send(there, HERE, &probe), WRN_SWITCH_GUARD);
    assert_int_equal(there->out.frame_count, 1);
    answer.size = there->out.frames[0].size;
    memcpy(answer.bytes, there->out.frames[0].bytes, answer.size);
    struct frame forged = answer;
    forged.bytes[14 + 24] ^= 1;
    (void)lan_send(here, THERE, &forged);
    assert_int_equal(found(), BASE);
    (void)lan_send(here, LAN_HOST, &answer); /* from the wire */
    assert_int_equal(found(), BASE);
    pass(2);
    (void)lan_send(here, THERE, &answer); /* too late */
    assert_int_equal(found(), BASE);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(the_largest_that_passes_is_found),
        TEST(what_fails_later_is_given_up),
        TEST(losses_cost_time_only),
        TEST(the_same_path_is_no_other),
        TEST(answers_that_were_not_asked_for_count_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
