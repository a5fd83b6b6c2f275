/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the token buckets, in virtual time. */
#include "wg/rate_limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/rand.h"

enum { SLOTS_MAX = 4096, ENTRY_BYTES_MAX = 64, RATE = 20, BURST = 5 };

#define INTERVAL_NS (WRN_S(1) / RATE)

static _Alignas(64) uint8_t memory[SLOTS_MAX * ENTRY_BYTES_MAX];

static void make_table(struct wrn_rate_table *table, uint32_t slots, uint32_t rate_per_s,
                       uint32_t burst) {
    static const uint64_t seed[2] = {0x0123456789abcdef, 0xfedcba9876543210};
    memset(memory, 0, sizeof(memory));
    struct wrn_arena arena;
    wrn_arena_init(&arena, memory, sizeof(memory));
    wrn_rate_table_init(table, &arena, slots, rate_per_s, burst, seed);
}

static struct wrn_ip ipv4(uint32_t address) {
    struct wrn_ip ip = {.family = WRN_FAMILY_IPV4};
    wrn_store_be32(ip.bytes, address);
    return ip;
}

static struct wrn_ip ipv6(uint64_t network, uint64_t host) {
    struct wrn_ip ip = {.family = WRN_FAMILY_IPV6};
    wrn_store_be64(ip.bytes, network);
    wrn_store_be64(ip.bytes + 8, host);
    return ip;
}

static uint32_t count_taken(struct wrn_bucket *bucket, wrn_mono now, uint32_t rate, uint32_t burst,
                            uint32_t offers) {
    uint32_t taken = 0;
    for (uint32_t i = 0; i < offers; i++) {
        taken += wrn_bucket_take(bucket, now, rate, burst) ? 1 : 0;
    }
    return taken;
}

/* Goal: a new bucket gives its burst and no more, also at time 0, and again after it refilled. */
static void burst_is_given_once(void **state) {
    (void)state;
    static const wrn_mono starts[] = {{0}, {1}, {WRN_S(1)}, {UINT64_MAX / 2}};
    for (size_t i = 0; i < WRN_COUNT(starts); i++) {
        struct wrn_bucket bucket = {0};
        assert_int_equal(count_taken(&bucket, starts[i], RATE, BURST, 100), BURST);
        wrn_mono full = wrn_mono_add(starts[i], BURST * INTERVAL_NS);
        assert_int_equal(count_taken(&bucket, full, RATE, BURST, 100), BURST);
    }
}

/* Goal: a token comes back exactly when its interval is over, not a nanosecond earlier. */
static void token_returns_to_the_nanosecond(void **state) {
    (void)state;
    struct wrn_bucket bucket = {0};
    wrn_mono start = {WRN_S(100)};
    assert_int_equal(count_taken(&bucket, start, RATE, BURST, BURST + 1), BURST);
    for (uint64_t k = 1; k <= 1000; k++) {
        wrn_mono due = wrn_mono_add(start, k * INTERVAL_NS);
        assert_false(wrn_bucket_take(&bucket, (wrn_mono){due.ns - 1}, RATE, BURST));
        assert_true(wrn_bucket_take(&bucket, due, RATE, BURST));
        assert_false(wrn_bucket_take(&bucket, due, RATE, BURST));
    }
}

/* Goal: under steady pressure exactly burst + time / interval tokens are given.
 * Method: offers at a period that does not divide the interval, for several rates. */
static void steady_rate_is_exact(void **state) {
    (void)state;
    static const struct {
        uint32_t rate, burst;
        uint64_t period_ns, duration_s;
    } cases[] = {
        {20, 5, WRN_MS(1), 60}, {1, 2, WRN_MS(7), 600},     {7, 3, 999983, 30},
        {50, 50, 12345678, 60}, {1000, 10, 700001, 20},     {1000000, 2, 333, 1},
        {999999, 100, 501, 1},  {1, 1, WRN_S(1), 100},      {20, 1, INTERVAL_NS / 2, 100},
        {4294967295u, 9, 1, 0}, {3, 1000000, WRN_MS(1), 1}, {20, 5, WRN_S(10), 1000},
    };
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        struct wrn_bucket bucket = {0};
        uint64_t duration = WRN_S(cases[i].duration_s);
        uint64_t offers = 0;
        uint64_t taken = 0;
        for (uint64_t t = 0; t <= duration; t += cases[i].period_ns) {
            /* a full bucket loses what flows in: drain it at every offer */
            uint32_t some;
            do {
                some = wrn_bucket_take(&bucket, (wrn_mono){t}, cases[i].rate, cases[i].burst);
                taken += some;
                offers++;
            } while (some != 0 && offers < 100000000);
        }
        uint64_t interval = WRN_S(1) / cases[i].rate == 0 ? 1 : WRN_S(1) / cases[i].rate;
        uint64_t last = duration / cases[i].period_ns * cases[i].period_ns;
        uint64_t most = cases[i].burst + last / interval;
        if (cases[i].period_ns > cases[i].burst * interval) { /* refills completely in between */
            most = cases[i].burst * (duration / cases[i].period_ns + 1);
        }
        if (taken != most) {
            fail_msg("case %zu: %llu tokens instead of %llu", i, (unsigned long long)taken,
                     (unsigned long long)most);
        }
    }
}

/* Goal: no overflow at the ends of every range. Method: largest burst, slowest rate, largest gaps,
 * and a time that steps back, which must give nothing away. */
static void extremes_do_not_overflow(void **state) {
    (void)state;
    struct wrn_bucket bucket = {0};
    assert_true(wrn_bucket_take(&bucket, (wrn_mono){0}, 1, UINT32_MAX));
    bucket.debt_ns = (uint64_t)UINT32_MAX * WRN_S(1); /* empty */
    bucket.updated = (wrn_mono){0};
    assert_false(wrn_bucket_take(&bucket, (wrn_mono){WRN_S(1) - 1}, 1, UINT32_MAX));
    assert_true(wrn_bucket_take(&bucket, (wrn_mono){WRN_S(1)}, 1, UINT32_MAX));
    assert_int_equal(count_taken(&bucket, (wrn_mono){UINT64_MAX - 1}, 1, 3, 10), 3);
    assert_int_equal(count_taken(&bucket, (wrn_mono){UINT64_MAX - 1}, UINT32_MAX, 1, 10), 0);

    struct wrn_bucket back = {0};
    assert_int_equal(count_taken(&back, (wrn_mono){WRN_S(50)}, RATE, BURST, 10), BURST);
    assert_int_equal(count_taken(&back, (wrn_mono){WRN_S(40)}, RATE, BURST, 10), 0);
    assert_int_equal(count_taken(&back, (wrn_mono){WRN_S(50)}, RATE, BURST, 10), 0);
    assert_true(wrn_bucket_take(&back, (wrn_mono){WRN_S(50) + INTERVAL_NS}, RATE, BURST));
}

static void assert_takes(struct wrn_rate_table *table, wrn_mono now, struct wrn_ip ip,
                         enum wrn_rate_result expected) {
    assert_int_equal(wrn_rate_table_take(table, now, &ip), expected);
}

static void drain(struct wrn_rate_table *table, wrn_mono now, struct wrn_ip ip) {
    for (int i = 0; i < BURST; i++) {
        assert_takes(table, now, ip, WRN_RATE_PASS);
    }
    assert_takes(table, now, ip, WRN_RATE_LIMITED);
}

/* Goal: each IPv4 address has a bucket of its own; an IPv6 /64 shares one; families do not mix. */
static void addresses_are_counted_as_specified(void **state) {
    (void)state;
    struct wrn_rate_table table;
    make_table(&table, 1024, RATE, BURST);
    wrn_mono now = {WRN_S(7)};
    drain(&table, now, ipv4(0x0a000001));
    drain(&table, now, ipv4(0x0a000002));
    drain(&table, now, ipv4(0x0b000001));
    drain(&table, now, ipv6(0x20010db800000001, 1));
    assert_takes(&table, now, ipv6(0x20010db800000001, 2), WRN_RATE_LIMITED);
    assert_takes(&table, now, ipv6(0x20010db800000001, UINT64_MAX), WRN_RATE_LIMITED);
    drain(&table, now, ipv6(0x20010db800000002, 1));
    drain(&table, now, ipv6(0x0a000001ull << 32, 0)); /* same bytes as the first IPv4 address */
    drain(&table, now, ipv4(0));
    drain(&table, now, ipv6(0, 0));
}

/* Goal: an IPv4 address and the IPv6 network with the same leading bytes never share a bucket,
 * wherever the hash puts them. Method: many pairs, each in a small fresh table where their probing
 * ranges meet. */
static void families_with_equal_bytes_are_told_apart(void **state) {
    (void)state;
    for (uint32_t i = 0; i < 200; i++) {
        struct wrn_rate_table table;
        make_table(&table, 16, RATE, BURST);
        drain(&table, (wrn_mono){0}, ipv4(i * 0x01010101));
        drain(&table, (wrn_mono){0}, ipv6((uint64_t)(i * 0x01010101) << 32, 0));
    }
}

/* Goal: a full table says so, keeps what it has, and takes new addresses when old ones refilled.
 * Method: 16 slots; new addresses until every slot is used and a hundred more are refused. */
static void full_table_refuses_then_reuses(void **state) {
    (void)state;
    struct wrn_rate_table table;
    make_table(&table, 16, RATE, BURST);
    wrn_mono start = {0};
    struct wrn_ip known[16];
    uint32_t known_count = 0;
    uint32_t refused = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        struct wrn_ip ip = ipv4(0xc0000200 + i);
        enum wrn_rate_result result = wrn_rate_table_take(&table, start, &ip);
        assert_true(result == WRN_RATE_PASS || result == WRN_RATE_TABLE_FULL);
        if (result == WRN_RATE_PASS) {
            assert_true(known_count < 16);
            known[known_count++] = ip;
        } else {
            refused++;
        }
    }
    assert_int_equal(known_count, 16);
    assert_int_equal(refused, 984);
    for (uint32_t i = 0; i < 16; i++) { /* one token of each is gone */
        for (int k = 1; k < BURST; k++) {
            assert_takes(&table, start, known[i], WRN_RATE_PASS);
        }
        assert_takes(&table, start, known[i], WRN_RATE_LIMITED);
    }
    wrn_mono refilled = {BURST * INTERVAL_NS};
    assert_takes(&table, (wrn_mono){refilled.ns - 1}, ipv4(1), WRN_RATE_TABLE_FULL);
    drain(&table, refilled, ipv4(1));
    for (uint32_t i = 0; i < 16; i++) { /* one was reused; at most one of these is not found */
        assert_int_not_equal(wrn_rate_table_take(&table, refilled, &known[i]), WRN_RATE_LIMITED);
    }
}

/* The model: an exact theoretical time of the next conforming arrival for every address, in a list
 * without bound on addresses and without forgetting. */
struct model {
    struct wrn_ip ip[400];
    uint64_t arrival_ns[400];
};

static enum wrn_rate_result model_take(struct model *model, size_t i, wrn_mono now) {
    uint64_t from = model->arrival_ns[i] > now.ns ? model->arrival_ns[i] : now.ns;
    if (from + INTERVAL_NS > now.ns + BURST * INTERVAL_NS) {
        return WRN_RATE_LIMITED;
    }
    model->arrival_ns[i] = from + INTERVAL_NS;
    return WRN_RATE_PASS;
}

/* Goal: forgetting and reusing entries changes no answer. Method: 300,000 random takes of 400
 * addresses, compared with the model; TABLE_FULL may come only while the table is crowded, and
 * spends no token. */
static void table_agrees_with_exact_arithmetic(void **state) {
    (void)state;
    static const uint32_t slots[] = {4096, 512, 16};
    for (size_t run = 0; run < WRN_COUNT(slots); run++) {
        struct wrn_prng prng;
        wrn_prng_init(&prng, 53, run);
        struct wrn_rate_table table;
        make_table(&table, slots[run], RATE, BURST);
        struct model model = {0};
        for (uint32_t i = 0; i < 400; i++) {
            model.ip[i] = i % 2 == 0 ? ipv4(i) : ipv6(i, wrn_prng_next(&prng));
        }
        uint32_t counts[3] = {0};
        wrn_mono now = {0};
        for (uint32_t i = 0; i < 100000; i++) {
            uint64_t r = wrn_prng_next(&prng);
            now.ns += (r & 0xff) == 0 ? WRN_MS(200) : (r >> 8) % 400000;
            uint64_t busy = (r & 0xf00) == 0 ? 400 : 40; /* a few addresses are very active */
            size_t pick = (r >> 32) % busy;
            enum wrn_rate_result result = wrn_rate_table_take(&table, now, &model.ip[pick]);
            counts[result]++;
            if (result != WRN_RATE_TABLE_FULL && result != model_take(&model, pick, now)) {
                fail_msg("slots %u, step %u, address %zu", slots[run], i, pick);
            }
        }
        assert_true(counts[WRN_RATE_PASS] > 1000 && counts[WRN_RATE_LIMITED] > 1000);
        assert_true((counts[WRN_RATE_TABLE_FULL] > 0) == (slots[run] == 16));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(burst_is_given_once),
        cmocka_unit_test(token_returns_to_the_nanosecond),
        cmocka_unit_test(steady_rate_is_exact),
        cmocka_unit_test(extremes_do_not_overflow),
        cmocka_unit_test(addresses_are_counted_as_specified),
        cmocka_unit_test(families_with_equal_bytes_are_told_apart),
        cmocka_unit_test(full_table_refuses_then_reuses),
        cmocka_unit_test(table_agrees_with_exact_arithmetic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
