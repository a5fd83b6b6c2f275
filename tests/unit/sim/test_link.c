/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a way does to datagrams what it was asked to. Method: many of them, the shares compared
 * within five standard deviations (a fixed seed: no test fails by chance). */
#include "sim/link.h"

#include "base/clock.h"
#include "sim/share.h"
#include "unit/base/check.h"

enum { MANY = 100000 };

struct tally {
    uint64_t arrived, lost, queue_full, too_large, duplicated, corrupted, overtaken;
    uint64_t least_ns, most_ns; /* time under way */
};

static struct sim_way made(const struct sim_link *link, uint64_t stream) {
    struct sim_way way = {0};
    wrn_prng_init(&way.prng, 1, stream);
    sim_way_set(&way, link);
    return way;
}

static struct tally pass_many(const struct sim_link *link, uint32_t ip_bytes, uint64_t gap_ns) {
    struct sim_way way = made(link, 1);
    struct tally tally = {.least_ns = UINT64_MAX};
    uint64_t latest_ns = 0;
    for (uint64_t i = 0; i < MANY; i++) {
        struct sim_transit t;
        uint64_t now_ns = 1000 + i * gap_ns;
        sim_way_pass(&way, now_ns, ip_bytes, ip_bytes - 28, &t);
        tally.lost += t.fate == SIM_FATE_LOST;
        tally.queue_full += t.fate == SIM_FATE_QUEUE_FULL;
        tally.too_large += t.fate == SIM_FATE_TOO_LARGE;
        if (t.fate != SIM_FATE_ARRIVES) {
            continue;
        }
        uint64_t took_ns = t.arrival_ns - now_ns;
        tally.arrived++;
        tally.duplicated += t.duplicate_arrival_ns != UINT64_MAX;
        tally.corrupted += t.corrupt_bit != UINT32_MAX;
        assert_true(t.corrupt_bit == UINT32_MAX || t.corrupt_bit < 8 * (ip_bytes - 28));
        assert_true(t.duplicate_arrival_ns >= t.arrival_ns);
        tally.overtaken += t.arrival_ns < latest_ns;
        latest_ns = t.arrival_ns > latest_ns ? t.arrival_ns : latest_ns;
        tally.least_ns = took_ns < tally.least_ns ? took_ns : tally.least_ns;
        tally.most_ns = took_ns > tally.most_ns ? took_ns : tally.most_ns;
    }
    return tally;
}

static void assert_share(uint64_t count, uint64_t of, uint32_t share_ppm) {
    CHECK(sim_is_share(count, of, share_ppm), "%llu of %llu: ", (unsigned long long)count,
          (unsigned long long)of);
}

static void a_perfect_way_changes_nothing(void **state) {
    (void)state;
    struct tally t = pass_many(&(struct sim_link){0}, 1500, 1);
    assert_int_equal(t.arrived, MANY);
    assert_int_equal(t.most_ns, 0);
    assert_int_equal(t.duplicated + t.corrupted + t.overtaken, 0);
}

static void each_share_is_what_was_asked(void **state) {
    (void)state;
    static const uint32_t shares[] = {0, 10, 1000, 10000, 333333, 990000, 1000000};
    for (size_t i = 0; i < WRN_COUNT(shares); i++) {
        struct tally t = pass_many(&(struct sim_link){.loss_ppm = shares[i]}, 100, 1);
        assert_share(t.lost, MANY, shares[i]);
        assert_int_equal(t.arrived, MANY - t.lost);
        t = pass_many(&(struct sim_link){.duplicate_ppm = shares[i]}, 100, 1);
        assert_share(t.duplicated, MANY, shares[i]);
        t = pass_many(&(struct sim_link){.corrupt_ppm = shares[i]}, 100, 1);
        assert_share(t.corrupted, MANY, shares[i]);
        assert_int_equal(t.arrived, MANY);
    }
}

static void held_back_datagrams_are_overtaken(void **state) {
    (void)state;
    struct sim_link link = {.delay_ns = 500, .reorder_ppm = 20000, .reorder_ns = 100};
    struct tally t = pass_many(&link, 100, 60);
    assert_int_equal(t.least_ns, 500);
    assert_int_equal(t.most_ns, 600);
    /* The next one goes by meanwhile, unless it is held back too. */
    assert_share(t.overtaken, MANY, 20000 * 98 / 100);
}

static void jitter_is_uniform_and_may_keep_the_order(void **state) {
    (void)state;
    struct sim_link link = {.delay_ns = WRN_MS(20), .jitter_ns = WRN_MS(10)};
    struct tally t = pass_many(&link, 100, WRN_MS(1));
    assert_true(t.least_ns >= WRN_MS(20) && t.least_ns < WRN_MS(20) + WRN_MS(10) / 1000);
    assert_true(t.most_ns <= WRN_MS(30) && t.most_ns > WRN_MS(30) - WRN_MS(10) / 1000);
    assert_true(t.overtaken > MANY / 4);
    link.keeps_order = true;
    t = pass_many(&link, 100, WRN_MS(1));
    assert_int_equal(t.overtaken, 0);
    assert_true(t.most_ns <= WRN_MS(30));
}

/* 8 Mbit/s is a byte a microsecond. */
static void the_rate_spaces_datagrams_and_its_queue_overflows(void **state) {
    (void)state;
    struct sim_link link = {.delay_ns = 5, .rate_bps = 8000000, .queue_bytes = 3500};
    struct sim_way way = made(&link, 1);
    struct sim_transit t;
    for (uint64_t i = 1; i <= 3; i++) {
        sim_way_pass(&way, 0, 1000, 972, &t);
        assert_int_equal(t.fate, SIM_FATE_ARRIVES);
        assert_int_equal(t.arrival_ns, i * 1000000 + 5);
    }
    sim_way_pass(&way, 0, 1000, 972, &t);
    assert_int_equal(t.fate, SIM_FATE_QUEUE_FULL);
    sim_way_pass(&way, 0, 500, 472, &t); /* still fits */
    assert_int_equal(t.fate, SIM_FATE_ARRIVES);
    sim_way_pass(&way, 10000000, 1000, 972, &t); /* all have left */
    assert_int_equal(t.arrival_ns, 11000005);
    /* Twice as much as fits: half of it arrives, at the rate. */
    struct tally tally = pass_many(&link, 1000, 500000);
    assert_true(tally.queue_full > MANY / 2 - 10 && tally.queue_full < MANY / 2 + 10);
}

static void larger_than_the_mtu_vanishes(void **state) {
    (void)state;
    assert_int_equal(pass_many(&(struct sim_link){.mtu_bytes = 1280}, 1280, 1).arrived, MANY);
    assert_int_equal(pass_many(&(struct sim_link){.mtu_bytes = 1280}, 1281, 1).too_large, MANY);
}

/* What is drawn for a datagram does not depend on what else can happen to it. */
static void another_loss_does_not_change_the_delays(void **state) {
    (void)state;
    struct sim_link without = {.jitter_ns = WRN_MS(10)};
    struct sim_link with = {.jitter_ns = WRN_MS(10), .loss_ppm = 300000, .duplicate_ppm = 300000};
    struct sim_way a = made(&without, 1);
    struct sim_way b = made(&with, 1);
    for (uint64_t i = 0; i < 1000; i++) {
        struct sim_transit ta, tb;
        sim_way_pass(&a, i, 100, 72, &ta);
        sim_way_pass(&b, i, 100, 72, &tb);
        assert_true(tb.fate == SIM_FATE_LOST || ta.arrival_ns == tb.arrival_ns);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_perfect_way_changes_nothing),
        cmocka_unit_test(each_share_is_what_was_asked),
        cmocka_unit_test(held_back_datagrams_are_overtaken),
        cmocka_unit_test(jitter_is_uniform_and_may_keep_the_order),
        cmocka_unit_test(the_rate_spaces_datagrams_and_its_queue_overflows),
        cmocka_unit_test(larger_than_the_mtu_vanishes),
        cmocka_unit_test(another_loss_does_not_change_the_delays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
