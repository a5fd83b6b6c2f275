/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of what strangers get of a thread's work, in virtual time. */
#include "wg/shares.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/rand.h"

enum { SLOTS = 1024, ENTRY_BYTES_MAX = 64, STEPS_PER_S = 100000 };

static const struct wrn_shares_limits limits = {
    .anybody_per_s = 400, .address_per_s = 20, .address_burst = 10, .all_addresses_per_s = 4000};

static _Alignas(64) uint8_t memory[SLOTS * ENTRY_BYTES_MAX];

static void make(struct wrn_shares *shares) {
    static const uint64_t seed[2] = {0x0123456789abcdef, 0xfedcba9876543210};
    struct wrn_arena arena;
    memset(memory, 0, sizeof memory);
    wrn_arena_init(&arena, memory, sizeof memory);
    wrn_shares_init(shares, &arena, SLOTS, &limits, seed);
}

static struct wrn_ip ipv4(uint32_t address) {
    struct wrn_ip ip = {.family = WRN_FAMILY_IPV4};
    wrn_store_be32(ip.bytes, address);
    return ip;
}

/* Offers 'count' of one address, evenly over a second from 'begin' on. Returns how many passed. */
static uint32_t offer(struct wrn_shares *shares, wrn_mono begin, uint32_t address, uint32_t count) {
    struct wrn_ip ip = ipv4(address);
    uint32_t passed = 0;
    for (uint32_t i = 0; i < count; i++) {
        wrn_mono now = wrn_mono_add(begin, WRN_S(1) * i / count);
        passed += wrn_shares_take(shares, now, &ip) == WRN_RATE_PASS ? 1 : 0;
    }
    return passed;
}

/* Goal: while few come, it does not matter whence: one address may take all of it. */
static void few_are_served_as_they_come(void **state) {
    struct wrn_shares shares;
    (void)state;
    make(&shares);
    for (uint64_t second = 1; second < 10; second++) {
        assert_int_equal(offer(&shares, (wrn_mono){WRN_S(second)}, 1, limits.anybody_per_s),
                         limits.anybody_per_s);
    }
}

/* Goal: a flood from one address gets what anybody gets, and that address's share, and no more. */
static void one_address_is_bounded(void **state) {
    struct wrn_shares shares;
    (void)state;
    make(&shares);
    (void)offer(&shares, (wrn_mono){WRN_S(1)}, 1, STEPS_PER_S); /* what was saved up */
    uint32_t passed = offer(&shares, (wrn_mono){WRN_S(2)}, 1, STEPS_PER_S);
    uint32_t expected = limits.anybody_per_s + limits.address_per_s;
    assert_in_range(passed, expected - 2, expected + 2);
    struct wrn_ip ip = ipv4(1);
    assert_int_equal(wrn_shares_take(&shares, (wrn_mono){WRN_S(3) - 1}, &ip), WRN_RATE_LIMITED);
}

/* Goal: beside a flood from 64 addresses one that comes from elsewhere, as seldom as its share
 * allows, is served each time. */
static void who_comes_from_elsewhere_is_served(void **state) {
    enum { FLOODING = 64, STEPS = 10 * STEPS_PER_S, GAP = STEPS_PER_S / 20 };
    struct wrn_shares shares;
    struct wrn_ip newcomer = ipv4(1000);
    uint32_t passed = 0;
    (void)state;
    make(&shares);
    for (uint32_t i = 0; i < STEPS; i++) {
        wrn_mono now = {WRN_S(1) + i * (WRN_S(1) / STEPS_PER_S)};
        struct wrn_ip ip = ipv4(i % FLOODING);
        passed += wrn_shares_take(&shares, now, &ip) == WRN_RATE_PASS ? 1 : 0;
        if (i % GAP == GAP - 1) {
            assert_int_equal(wrn_shares_take(&shares, now, &newcomer), WRN_RATE_PASS);
        }
    }
    uint32_t burst = limits.anybody_per_s / 4 + 1 + FLOODING * limits.address_burst;
    assert_true(passed <=
                10 * (limits.anybody_per_s + FLOODING * limits.address_per_s) + burst + 10);
}

/* Goal: addresses that nobody has, another one each time, get together what is for all of them. */
static void made_up_addresses_are_bounded(void **state) {
    struct wrn_shares shares;
    struct wrn_prng prng;
    uint32_t passed = 0;
    uint32_t full = 0;
    (void)state;
    make(&shares);
    wrn_prng_init(&prng, 7, 0);
    for (uint32_t i = 0; i < STEPS_PER_S; i++) {
        wrn_mono now = {WRN_S(1) + i * (WRN_S(1) / STEPS_PER_S)};
        struct wrn_ip ip = ipv4((uint32_t)wrn_prng_next(&prng));
        enum wrn_rate_result result = wrn_shares_take(&shares, now, &ip);
        passed += result == WRN_RATE_PASS ? 1 : 0;
        full += result == WRN_RATE_TABLE_FULL ? 1 : 0;
    }
    uint32_t sum = limits.anybody_per_s + limits.all_addresses_per_s;
    assert_in_range(passed, sum, sum + sum / 4 + 2);
    assert_true(full > STEPS_PER_S / 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_are_served_as_they_come),
        cmocka_unit_test(one_address_is_bounded),
        cmocka_unit_test(who_comes_from_elsewhere_is_served),
        cmocka_unit_test(made_up_addresses_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
