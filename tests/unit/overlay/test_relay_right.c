/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: nobody is a relay who may not. Method: relay machines in virtual time (relay_world.c). */
#include "overlay/relay.h"
#include "unit/base/check.h"
#include "unit/overlay/relay_world.h"

enum { A, B, R, S };
enum { ASK = 1 };

static const struct wrn_relay_options plain = {.relays = true, .forwards_max = 16, .uses_max = 8};

static struct rworld w;

static struct rworld_told *told(uint8_t who, uint8_t of) {
    return &w.nodes[who].told[of];
}

static uint64_t counted(uint8_t node, enum wrn_relay_count count) {
    return wrn_relay_count(w.nodes[node].relay, count);
}

/* Sends a frame and tells whether it came, by the way that the receiver was told or not. */
static bool carries(uint8_t from, uint8_t to) {
    uint8_t inside[40] = {4, from, to};
    uint32_t before = told(to, from)->frames;
    if (told(from, to)->way.kind != WRN_WAY_RELAY) {
        return false;
    }
    rworld_say(&w, from, to, inside, sizeof inside);
    rworld_run(&w, WRN_S(1));
    return told(to, from)->frames == before + 1 && told(to, from)->inside_size == sizeof inside &&
           memcmp(told(to, from)->inside, inside, sizeof inside) == 0;
}

/* A and B each have a direct link to 'relay', 20 ms away. */
static void link_both(uint8_t relay) {
    rworld_link(&w, A, relay, WORLD_DIRECT, 20);
    rworld_link(&w, B, relay, WORLD_DIRECT, 20);
}

static void relay_by_one(uint64_t seed) {
    rworld_init(&w, check_seed() + seed, &plain);
    link_both(R);
    rworld_search(&w, A, B, (int[]){R, -1});
    rworld_run(&w, WRN_S(1));
}

static void set_right(uint8_t relay, bool may_relay) {
    wrn_relay_set_right(w.nodes[A].relay, w.now, rworld_peer(relay), may_relay);
    wrn_relay_set_right(w.nodes[B].relay, w.now, rworld_peer(relay), may_relay);
}

/* Where the right to relay is asked for: nobody is used before he is said to have it, neither by
 * who looks for a relay nor by who is offered one; and no longer than he has it. */
static void who_has_no_right_is_not_used(void **state) {
    (void)state;
    struct wrn_relay_options strict = plain;
    strict.asks_right = true;
    rworld_init(&w, check_seed() + 77, &strict);
    link_both(R);
    link_both(S);
    rworld_search(&w, A, B, (int[]){R, S, -1});
    rworld_run(&w, WRN_S(10));
    assert_int_equal(told(A, B)->ready, 0);
    assert_int_equal(w.nodes[A].sent_messages[ASK], 0);
    set_right(S, true); /* the search wakes up by itself */
    rworld_run(&w, WRN_S(1));
    assert_true(carries(A, B) && carries(B, A));
    assert_int_equal(counted(R, WRN_RELAY_COUNT_FORWARDED), 0);
    assert_true(counted(S, WRN_RELAY_COUNT_FORWARDED) > 0);
    set_right(R, true);
    set_right(S, false);
    rworld_run(&w, WRN_S(5));
    assert_true(told(A, B)->lost > 0);
    uint64_t before = counted(S, WRN_RELAY_COUNT_FORWARDED);
    assert_true(carries(A, B) && carries(B, A));
    assert_int_equal(counted(S, WRN_RELAY_COUNT_FORWARDED), before);
    assert_true(counted(R, WRN_RELAY_COUNT_FORWARDED) > 0);
    /* only one end believes that it may: the other one does not take the slot */
    rworld_init(&w, check_seed() + 78, &strict);
    link_both(R);
    wrn_relay_set_right(w.nodes[A].relay, w.now, rworld_peer(R), true);
    rworld_search(&w, A, B, (int[]){R, -1});
    rworld_run(&w, WRN_S(5));
    assert_int_equal(told(B, A)->ready, 0);
    assert_true(counted(B, WRN_RELAY_COUNT_IGNORED_OFFER) > 0);
    assert_false(carries(A, B));
}

/* A node that may not, or not any more, forwards for nobody; later it does again. */
static void who_may_not_relay_does_not(void **state) {
    (void)state;
    relay_by_one(79);
    assert_true(carries(A, B));
    wrn_relay_set_relays(w.nodes[R].relay, false);
    rworld_run(&w, WRN_S(20));
    assert_true(told(A, B)->lost > 0 && told(B, A)->lost > 0);
    uint64_t before = counted(R, WRN_RELAY_COUNT_FORWARDED);
    assert_false(carries(A, B));
    assert_int_equal(counted(R, WRN_RELAY_COUNT_FORWARDED), before);
    assert_true(counted(R, WRN_RELAY_COUNT_REFUSED) > 0);
    wrn_relay_set_relays(w.nodes[R].relay, true);
    wrn_relay_set_right(w.nodes[A].relay, w.now, rworld_peer(R), false);
    wrn_relay_set_right(w.nodes[A].relay, w.now, rworld_peer(R), true); /* said again */
    rworld_run(&w, WRN_S(120));
    assert_true(carries(A, B));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_has_no_right_is_not_used),
        cmocka_unit_test(who_may_not_relay_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
