/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: each deadline of the WireGuard paper, section 6, and of the reference implementations
 * passes when it should and does what it should. Method: two machines in virtual time; the filter
 * silences one of them where a test needs silence; jump from deadline to deadline. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "world.h"

enum { A, B };

static bool drop_all(struct world *w, struct world_datagram *d) {
    (void)w;
    (void)d;
    return false;
}

static bool drop_from_b(struct world *w, struct world_datagram *d) {
    (void)w;
    return d->from != B;
}

static int setup(void **state) {
    *state = world_create(42, 2, 1000);
    return 0;
}

static int teardown(void **state) {
    world_destroy(*state);
    return 0;
}

static uint64_t since_start_ms(const struct world *w, wrn_mono t) {
    (void)w;
    assert_true(t.ns != UINT64_MAX);
    return (t.ns - WRN_S(1000)) / 1000000u;
}

static void a_silent_peer_is_tried_every_5_s_and_jitter_and_given_up_after_90_s(void **state) {
    struct world *w = *state;
    w->filter = drop_all;
    world_send(w, A, B, 100, 1);
    world_advance(w, WRN_S(200));
    uint32_t tries = world_events(w, A, WRN_WG_EVENT_INITIATION_SENT);
    assert_in_range(tries, 17, 18);
    for (uint32_t i = 1; i < tries; i++) {
        wrn_mono before = world_event_at(w, A, WRN_WG_EVENT_INITIATION_SENT, i - 1);
        wrn_mono at = world_event_at(w, A, WRN_WG_EVENT_INITIATION_SENT, i);
        assert_in_range(at.ns - before.ns, WRN_WG_REKEY_TIMEOUT_NS,
                        WRN_WG_REKEY_TIMEOUT_NS + WRN_WG_JITTER_NS);
    }
    assert_int_equal(world_events(w, A, WRN_WG_EVENT_HANDSHAKE_GAVE_UP), 1);
    wrn_mono gave_up = world_event_at(w, A, WRN_WG_EVENT_HANDSHAKE_GAVE_UP, 0);
    assert_int_equal(since_start_ms(w, gave_up), 90000);
    assert_int_equal(world_drops(w, A, WRN_DROP_HANDSHAKE_FAILED), 1);
}

static void new_traffic_starts_the_90_s_anew(void **state) {
    struct world *w = *state;
    w->filter = drop_all;
    world_send(w, A, B, 100, 1);
    world_advance(w, WRN_S(60));
    world_send(w, A, B, 100, 2);
    world_advance(w, WRN_S(80));
    assert_int_equal(world_events(w, A, WRN_WG_EVENT_HANDSHAKE_GAVE_UP), 0);
    world_advance(w, WRN_S(11));
    assert_int_equal(world_events(w, A, WRN_WG_EVENT_HANDSHAKE_GAVE_UP), 1);
}

static void a_new_packet_after_giving_up_starts_a_new_handshake(void **state) {
    struct world *w = *state;
    w->filter = drop_all;
    world_send(w, A, B, 100, 1);
    world_advance(w, WRN_S(100));
    w->filter = NULL;
    world_send(w, A, B, 100, 2);
    assert_int_equal(w->side[B].delivered, 1);
    assert_int_equal(w->side[B].last_stamp, 2);
}

static void the_initiator_rekeys_after_120_s_of_use_and_the_responder_does_not(void **state) {
    struct world *w = *state;
    world_send(w, A, B, 100, 0);
    for (uint64_t second = 1; second <= 119; second++) {
        world_advance(w, WRN_S(1));
        world_send(w, A, B, 100, second);
        world_send(w, B, A, 100, second);
    }
    assert_int_equal(w->side[A].sent[WRN_WG_TYPE_INITIATION], 1);
    world_advance(w, WRN_S(1));
    world_send(w, B, A, 100, 120);
    assert_int_equal(w->side[B].sent[WRN_WG_TYPE_INITIATION], 0);
    world_send(w, A, B, 100, 120);
    assert_int_equal(w->side[A].sent[WRN_WG_TYPE_INITIATION], 2);
    assert_int_equal(world_events(w, A, WRN_WG_EVENT_SESSION_STARTED), 2);
    assert_int_equal(w->side[B].delivered, 121);
    assert_int_equal(w->side[A].delivered, 120);
    assert_int_equal(w->side[A].out_of_order + w->side[B].out_of_order, 0);
}

static void an_unused_session_is_not_rekeyed(void **state) {
    struct world *w = *state;
    world_send(w, A, B, 100, 0);
    world_advance(w, WRN_S(600));
    assert_int_equal(w->side[A].sent[WRN_WG_TYPE_INITIATION], 1);
    assert_int_equal(w->side[B].sent[WRN_WG_TYPE_INITIATION], 0);
}

static void an_initiator_that_only_receives_renews_from_165_s_on(void **state) {
    static const struct {
        uint64_t age_ns;
        uint64_t initiations;
    } cases[] = {{WRN_S(165) - 1, 1}, {WRN_S(165), 2}};
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        struct world *w = world_create(7, 2, 1000);
        world_send(w, A, B, 100, 0);
        world_advance(w, cases[i].age_ns);
        world_send(w, B, A, 100, 1);
        assert_int_equal(w->side[A].sent[WRN_WG_TYPE_INITIATION], cases[i].initiations);
        world_send(w, B, A, 100, 2);
        assert_int_equal(w->side[A].sent[WRN_WG_TYPE_INITIATION], cases[i].initiations);
        assert_int_equal(w->side[A].delivered, 2);
        world_destroy(w);
    }
}

static void a_session_of_180_s_neither_sends_nor_receives(void **state) {
    struct world *w = *state;
    world_send(w, A, B, 100, 0);
    w->hold = true;
    world_send(w, A, B, 100, 1);
    struct world_datagram old = w->last_by_type[WRN_WG_TYPE_DATA];
    w->flight_count = 0;
    w->hold = false;
    w->filter = drop_all;
    world_advance(w, WRN_S(180) - 1);
    struct wrn_path path = {.remote = w->side[A].endpoint};
    world_advance(w, 1);
    assert_int_equal(world_inject(w, B, &path, old.bytes, old.size), WRN_DROP_SESSION_EXPIRED);
    uint64_t data = w->side[A].sent[WRN_WG_TYPE_DATA];
    world_send(w, A, B, 100, 2);
    assert_int_equal(w->side[A].sent[WRN_WG_TYPE_DATA], data);
}

static void who_receives_and_says_nothing_sends_a_keepalive_after_10_s(void **state) {
    struct world *w = *state;
    world_send(w, A, B, 100, 0);
    uint64_t before = w->side[B].sent[WRN_WG_TYPE_DATA];
    world_advance(w, WRN_S(10) - 1);
    assert_int_equal(w->side[B].sent[WRN_WG_TYPE_DATA], before);
    world_advance(w, 1);
    assert_int_equal(w->side[B].sent[WRN_WG_TYPE_DATA], before + 1);
    assert_int_equal(w->last_by_type[WRN_WG_TYPE_DATA].size, WRN_WG_KEEPALIVE_SIZE);
    world_advance(w, WRN_S(60)); /* a keepalive is not answered by a keepalive */
    assert_int_equal(w->side[B].sent[WRN_WG_TYPE_DATA], before + 1);
}

static void receiving_while_a_keepalive_is_due_makes_another_one_due(void **state) {
    struct world *w = *state;
    world_send(w, A, B, 100, 0);
    uint64_t before = w->side[B].sent[WRN_WG_TYPE_DATA];
    world_advance(w, WRN_S(5));
    world_send(w, A, B, 100, 1);
    world_advance(w, WRN_S(5));
    assert_int_equal(w->side[B].sent[WRN_WG_TYPE_DATA], before + 1);
    world_advance(w, WRN_S(10));
    assert_int_equal(w->side[B].sent[WRN_WG_TYPE_DATA], before + 2);
}

static void data_into_silence_starts_a_handshake_after_15_s(void **state) {
    struct world *w = *state;
    world_send(w, A, B, 100, 0);
    world_advance(w, WRN_S(20)); /* B's keepalive arrives: all is well */
    assert_int_equal(w->side[A].sent[WRN_WG_TYPE_INITIATION], 1);
    w->filter = drop_from_b;
    wrn_mono sent = w->now.mono;
    world_send(w, A, B, 100, 1);
    world_advance(w, WRN_S(15) - 1);
    assert_int_equal(w->side[A].sent[WRN_WG_TYPE_INITIATION], 1);
    world_advance(w, WRN_WG_JITTER_NS + 1);
    assert_int_equal(w->side[A].sent[WRN_WG_TYPE_INITIATION], 2);
    wrn_mono at = world_event_at(w, A, WRN_WG_EVENT_INITIATION_SENT, 1);
    assert_in_range(at.ns - sent.ns, WRN_S(15), WRN_S(15) + WRN_WG_JITTER_NS);
}

static void keys_are_zeroed_540_s_after_the_last_session(void **state) {
    struct world *w = *state;
    world_send(w, A, B, 100, 0);
    struct world_datagram old = w->last_by_type[WRN_WG_TYPE_DATA];
    world_advance(w, WRN_S(540) - 1);
    assert_int_equal(world_events(w, B, WRN_WG_EVENT_KEYS_ZEROED), 0);
    world_advance(w, 1);
    assert_int_equal(world_events(w, A, WRN_WG_EVENT_KEYS_ZEROED), 1);
    assert_int_equal(world_events(w, B, WRN_WG_EVENT_KEYS_ZEROED), 1);
    struct wrn_path path = {.remote = w->side[A].endpoint};
    assert_int_equal(world_inject(w, B, &path, old.bytes, old.size), WRN_DROP_NO_SESSION);
    assert_true(wrn_wg_due(w->side[A].wg).ns == UINT64_MAX);
    assert_true(wrn_wg_due(w->side[B].wg).ns == UINT64_MAX);
}

static void zeroing_does_not_stop_a_handshake_that_runs(void **state) {
    struct world *w = *state;
    world_send(w, A, B, 100, 0);
    world_advance(w, WRN_S(538));
    w->filter = drop_all;
    world_send(w, A, B, 100, 1); /* the retry comes after the zeroing */
    world_advance(w, WRN_S(3));
    assert_int_equal(world_events(w, A, WRN_WG_EVENT_KEYS_ZEROED), 1);
    w->filter = NULL;
    world_advance(w, WRN_S(5));
    assert_int_equal(w->side[B].delivered, 2);
}

static void persistent_keepalives_come_at_their_interval(void **state) {
    struct world *w = *state;
    wrn_wg_peer_set_keepalive(w->side[A].wg, w->now, world_peer(w, A, B), 25);
    world_advance(w, 0);
    assert_int_equal(w->side[A].sent[WRN_WG_TYPE_INITIATION], 1); /* at once */
    assert_int_equal(w->side[A].sent[WRN_WG_TYPE_DATA], 1);
    world_advance(w, WRN_S(25) - 1);
    assert_int_equal(w->side[A].sent[WRN_WG_TYPE_DATA], 1);
    world_advance(w, 1);
    assert_int_equal(w->side[A].sent[WRN_WG_TYPE_DATA], 2);
    world_advance(w, WRN_S(20));
    world_send(w, A, B, 100, 1); /* real traffic stands in for one */
    world_advance(w, WRN_S(10)); /* B's passive keepalive too: the way is open in both directions */
    world_advance(w, WRN_S(25) - 1);
    assert_int_equal(w->side[A].sent[WRN_WG_TYPE_DATA], 3);
    world_advance(w, 1);
    assert_int_equal(w->side[A].sent[WRN_WG_TYPE_DATA], 4);
    wrn_wg_peer_set_keepalive(w->side[A].wg, w->now, world_peer(w, A, B), 0);
    uint64_t data = w->side[A].sent[WRN_WG_TYPE_DATA];
    world_advance(w, WRN_S(100));
    assert_int_equal(w->side[A].sent[WRN_WG_TYPE_DATA], data);
}

static void a_persistent_keepalive_keeps_trying_a_dead_peer_with_one_packet_waiting(void **state) {
    struct world *w = *state;
    w->filter = drop_all;
    wrn_wg_peer_set_keepalive(w->side[A].wg, w->now, world_peer(w, A, B), 1);
    world_advance(w, WRN_S(300));
    assert_in_range(w->side[A].sent[WRN_WG_TYPE_INITIATION], 55, 61);
    assert_int_equal(world_drops(w, A, WRN_DROP_QUEUE_FULL), 0);
    assert_int_equal(world_drops(w, A, WRN_DROP_HANDSHAKE_FAILED), 0);
}

static void going_down_forgets_everything_and_schedules_nothing(void **state) {
    struct world *w = *state;
    wrn_wg_peer_set_keepalive(w->side[A].wg, w->now, world_peer(w, A, B), 5);
    world_send(w, A, B, 100, 0);
    w->filter = drop_all;
    wrn_wg_set_up(w->side[A].wg, w->now, false, &w->out);
    assert_true(wrn_wg_due(w->side[A].wg).ns == UINT64_MAX);
    wrn_wg_set_up(w->side[A].wg, w->now, true, &w->out);
    world_advance(w, 0);
    assert_int_equal(w->side[A].sent[WRN_WG_TYPE_INITIATION], 2);
}

/* The host sends as soon as its link is up, the machine learns of that a moment later. */
static void a_packet_before_the_link_is_known_to_be_up_waits(void **state) {
    struct world *w = *state;
    world_send(w, A, B, 100, 0);
    world_advance(w, WRN_S(1)); /* or B would take the next handshake for a flood */
    wrn_wg_set_up(w->side[A].wg, w->now, false, &w->out);
    uint64_t delivered = w->side[B].delivered;
    world_send(w, A, B, 100, 1);
    assert_true(wrn_wg_due(w->side[A].wg).ns == UINT64_MAX);
    assert_int_equal(w->side[B].delivered, delivered);
    wrn_wg_set_up(w->side[A].wg, w->now, true, &w->out);
    world_advance(w, WRN_MS(100));
    assert_int_equal(w->side[B].delivered, delivered + 1);
    world_send(w, A, B, 100, 2);
    wrn_wg_set_up(w->side[A].wg, w->now, false, &w->out);
    world_send(w, A, B, 100, 3);
    wrn_wg_set_up(w->side[A].wg, w->now, true, &w->out);
    wrn_wg_set_up(w->side[A].wg, w->now, false, &w->out); /* and what waited is gone with it */
    assert_int_equal(world_drops(w, A, WRN_DROP_INTERFACE_DOWN), 1);
}

static void early_and_repeated_time_calls_do_nothing(void **state) {
    struct world *w = *state;
    world_send(w, A, B, 100, 0);
    wrn_mono due = wrn_wg_due(w->side[A].wg);
    for (int i = 0; i < 3; i++) {
        wrn_wg_on_time(w->side[A].wg, w->now, &w->out);
    }
    assert_int_equal(w->out.message_count, 0);
    assert_int_equal(w->out.event_count, 0);
    assert_true(wrn_wg_due(w->side[A].wg).ns == due.ns);
}

int main(void) {
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_silent_peer_is_tried_every_5_s_and_jitter_and_given_up_after_90_s),
        CASE(new_traffic_starts_the_90_s_anew),
        CASE(a_new_packet_after_giving_up_starts_a_new_handshake),
        CASE(the_initiator_rekeys_after_120_s_of_use_and_the_responder_does_not),
        CASE(an_unused_session_is_not_rekeyed),
        CASE(an_initiator_that_only_receives_renews_from_165_s_on),
        CASE(a_session_of_180_s_neither_sends_nor_receives),
        CASE(who_receives_and_says_nothing_sends_a_keepalive_after_10_s),
        CASE(receiving_while_a_keepalive_is_due_makes_another_one_due),
        CASE(data_into_silence_starts_a_handshake_after_15_s),
        CASE(keys_are_zeroed_540_s_after_the_last_session),
        CASE(zeroing_does_not_stop_a_handshake_that_runs),
        CASE(persistent_keepalives_come_at_their_interval),
        CASE(a_persistent_keepalive_keeps_trying_a_dead_peer_with_one_packet_waiting),
        CASE(going_down_forgets_everything_and_schedules_nothing),
        CASE(a_packet_before_the_link_is_known_to_be_up_waits),
        CASE(early_and_repeated_time_calls_do_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
