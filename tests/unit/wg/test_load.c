/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: under a flood of handshakes the machine demands cookies, never
 * sends more than it got, and legitimate peers still get through at once.
 * Method: initiations with a valid mac1 and random content, made here, injected in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "world.h"

enum { A, B, C, RATE = 100 };

static void forge(struct world *w, int to, uint8_t message[148]) {
    uint8_t key[32];
    wrn_rand_fill(wrn_prng_rand(&w->prng), message, 148);
    wrn_store_le32(message, WRN_WG_TYPE_INITIATION);
    memset(message + 132, 0, 16);
    wrn_blake2s(w->crypto, (wrn_span){(const uint8_t *)"mac1----", 8},
                (wrn_span){w->side[to].public_key, 32}, key);
    wrn_blake2s_mac(w->crypto, (wrn_span){key, 32}, (wrn_span){message, 116}, message + 116);
}

/* Injects 'count' forgeries, 'spacing_ns' apart, from addresses 198.51.x.y, 'addresses' of them. */
static void flood(struct world *w, int to, uint32_t count, uint64_t spacing_ns,
                  uint32_t addresses) {
    uint8_t message[148];
    for (uint32_t i = 0; i < count; i++) {
        struct wrn_path path = {.remote = {.ip = {.family = WRN_FAMILY_IPV4}, .port = 7}};
        uint32_t n = i % addresses;
        memcpy(path.remote.ip.bytes, (uint8_t[]){198, 51, (uint8_t)(n >> 8), (uint8_t)n}, 4);
        forge(w, to, message);
        (void)world_inject(w, to, &path, message, sizeof message);
        w->now.mono = wrn_mono_add(w->now.mono, spacing_ns);
        w->flight_count = 0;
    }
}

static int setup(void **state) {
    *state = world_create(3, 3, RATE);
    return 0;
}

static int teardown(void **state) {
    world_destroy(*state);
    return 0;
}

static void ordinary_traffic_never_sees_a_cookie(void **state) {
    struct world *w = *state;
    for (int i = 0; i < 20; i++) {
        world_send(w, A, B, 64, (uint64_t)i);
        world_send(w, C, B, 64, (uint64_t)i);
        world_advance(w, WRN_S(200));
    }
    assert_int_equal(w->side[B].sent[WRN_WG_TYPE_COOKIE], 0);
}

static void a_flood_is_met_with_cookies_and_little_arithmetic(void **state) {
    struct world *w = *state;
    flood(w, B, 2000, WRN_MS(1), 500);
    uint64_t worked = world_drops(w, B, WRN_DROP_BAD_HANDSHAKE);
    uint64_t demanded = world_drops(w, B, WRN_DROP_COOKIE_DEMANDED);
    assert_true(worked <= 2 * RATE);
    assert_true(demanded >= 1700);
    assert_int_equal(w->side[B].sent[WRN_WG_TYPE_COOKIE], demanded);
    assert_int_equal(worked + demanded, 2000);
    static_assert(WRN_WG_COOKIE_SIZE < WRN_WG_RESPONSE_SIZE, "a reply is smaller than any request");
}

/* Whoever forges a peer's own address must not be able to use up that peer's right to a cookie. */
static void a_flood_in_a_peers_name_does_not_shut_it_out(void **state) {
    struct world *w = *state;
    uint8_t message[148];
    struct wrn_path path = {.remote = w->side[A].endpoint};
    for (int i = 0; i < 3000; i++) {
        forge(w, B, message);
        (void)world_inject(w, B, &path, message, sizeof message);
        w->flight_count = 0;
    }
    world_send(w, A, B, 64, 1);
    assert_int_equal(w->side[B].delivered, 1);
}

static void a_legitimate_peer_gets_through_a_flood_without_waiting(void **state) {
    struct world *w = *state;
    flood(w, B, 1000, WRN_MS(1), 1000);
    wrn_mono start = w->now.mono;
    world_send(w, A, B, 64, 1);
    assert_int_equal(w->side[B].delivered, 1);
    assert_true(w->now.mono.ns == start.ns); /* in no time: the cookie is used at once */
    assert_int_equal(world_events(w, A, WRN_WG_EVENT_COOKIE_RECEIVED), 1);
    assert_int_equal(w->side[A].sent[WRN_WG_TYPE_INITIATION], 2);
}

static void a_cookie_is_worth_nothing_from_another_address(void **state) {
    struct world *w = *state;
    flood(w, B, 1000, WRN_MS(1), 1000);
    world_send(w, A, B, 64, 1); /* A has a cookie now */
    wrn_wg_set_up(w->side[A].wg, w->now, false, &w->out);
    wrn_wg_set_up(w->side[A].wg, w->now, true, &w->out);
    w->now.mono = wrn_mono_add(w->now.mono, WRN_MS(20));
    w->hold = true;
    world_send(w, A, B, 64, 2);
    w->hold = false;
    w->flight_count = 0;
    struct world_datagram init = w->last_by_type[WRN_WG_TYPE_INITIATION];
    struct wrn_path path = {.remote = w->side[C].endpoint};
    assert_int_equal(world_inject(w, B, &path, init.bytes, init.size), WRN_DROP_COOKIE_DEMANDED);
    path.remote = w->side[A].endpoint;
    assert_int_equal(world_inject(w, B, &path, init.bytes, init.size), WRN_DROP_NONE);
}

static void one_address_with_a_cookie_is_limited_too(void **state) {
    struct world *w = *state;
    flood(w, B, 1000, WRN_MS(1), 1000);
    world_send(w, A, B, 64, 1);
    struct world_datagram init = w->last_by_type[WRN_WG_TYPE_INITIATION];
    struct wrn_path path = {.remote = w->side[A].endpoint};
    uint32_t limited = 0;
    for (int i = 0; i < 20; i++) {
        limited += world_inject(w, B, &path, init.bytes, init.size) == WRN_DROP_RATE_LIMITED;
    }
    assert_in_range(limited, 15, 16); /* the burst is 5, and the first handshake took one */
}

static void endless_demands_are_followed_once_a_try(void **state) {
    struct world *w = *state;
    flood(w, B, 1000, WRN_MS(1), 1000);
    /* B forgets each cookie at once: its key pair is swapped for the same one again. */
    uint64_t before = w->side[A].sent[WRN_WG_TYPE_INITIATION];
    for (int i = 0; i < 10; i++) {
        uint8_t other[32] = {1};
        assert_int_equal(wrn_wg_set_private_key(w->side[B].wg, w->now, other), 0);
        assert_int_equal(wrn_wg_set_private_key(w->side[B].wg, w->now, w->side[B].private_key), 0);
        world_send(w, A, B, 64, 1);
    }
    assert_in_range(w->side[A].sent[WRN_WG_TYPE_INITIATION] - before, 1, 2);
}

static void the_load_ends_when_the_flood_does(void **state) {
    struct world *w = *state;
    flood(w, B, 1000, WRN_MS(1), 1000);
    world_advance(w, WRN_S(3));
    world_send(w, A, B, 64, 1);
    assert_int_equal(w->side[B].delivered, 1);
    assert_int_equal(w->side[A].sent[WRN_WG_TYPE_INITIATION], 1);
}

static void wrong_mac1_costs_no_reply(void **state) {
    struct world *w = *state;
    uint8_t message[148];
    struct wrn_path path = {.remote = w->side[C].endpoint};
    for (int i = 0; i < 1000; i++) {
        forge(w, A, message); /* meant for somebody else */
        assert_int_equal(world_inject(w, B, &path, message, 148), WRN_DROP_BAD_MAC1);
    }
    assert_int_equal(w->side[B].sent[WRN_WG_TYPE_COOKIE], 0);
    world_send(w, A, B, 64, 1);
    assert_int_equal(w->side[A].sent[WRN_WG_TYPE_INITIATION], 1);
}

int main(void) {
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(ordinary_traffic_never_sees_a_cookie),
        CASE(a_flood_is_met_with_cookies_and_little_arithmetic),
        CASE(a_flood_in_a_peers_name_does_not_shut_it_out),
        CASE(a_legitimate_peer_gets_through_a_flood_without_waiting),
        CASE(a_cookie_is_worth_nothing_from_another_address),
        CASE(one_address_with_a_cookie_is_limited_too),
        CASE(endless_demands_are_followed_once_a_try),
        CASE(the_load_ends_when_the_flood_does),
        CASE(wrong_mac1_costs_no_reply),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
