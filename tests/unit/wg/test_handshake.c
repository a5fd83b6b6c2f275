/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: handshakes between machines do what the WireGuard paper, section 5, says, also when they
 * cross, are replayed, forged, or come while the machine is under load.
 * Method: machines in virtual time; held datagrams are delivered, lost, repeated or changed by the
 * test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "wg/machine.h"
#include "world.h"

enum { A, B, C };

static bool drop_all(struct world *w, struct world_datagram *d) {
    (void)w;
    (void)d;
    return false;
}

static int setup(void **state) {
    *state = world_create(7, 3, 1000);
    return 0;
}

static int teardown(void **state) {
    world_destroy(*state);
    return 0;
}

static void the_first_packet_arrives_after_one_round_trip(void **state) {
    struct world *w = *state;
    world_send(w, A, B, 100, 5);
    assert_int_equal(w->side[B].delivered, 1);
    assert_int_equal(w->side[B].last_packet_size, 100);
    assert_int_equal(w->side[A].sent[WRN_WG_TYPE_INITIATION], 1);
    assert_int_equal(w->side[B].sent[WRN_WG_TYPE_RESPONSE], 1);
    assert_int_equal(w->side[A].sent[WRN_WG_TYPE_DATA], 1); /* the packet itself confirms */
    world_send(w, B, A, 200, 6);
    assert_int_equal(w->side[A].delivered, 1);
    assert_int_equal(world_info(w, A, B).last_handshake.s, w->now.wall.s);
}

static void packets_wait_in_order_and_the_oldest_give_way(void **state) {
    struct world *w = *state;
    w->hold = true;
    for (uint64_t i = 0; i < 200; i++) {
        world_send(w, A, B, 64, i);
    }
    w->hold = false;
    world_pump(w);
    assert_int_equal(w->side[B].delivered, WRN_WG_STAGED_PER_PEER);
    assert_int_equal(w->side[B].last_stamp, 199);
    assert_int_equal(w->side[B].out_of_order, 0);
    assert_int_equal(world_drops(w, A, WRN_DROP_QUEUE_FULL), 200 - WRN_WG_STAGED_PER_PEER);
}

static void with_nothing_to_say_the_initiator_confirms_with_a_keepalive(void **state) {
    struct world *w = *state;
    w->filter = drop_all;
    world_send(w, A, B, 64, 1);
    world_advance(w, WRN_S(96)); /* gives up: nothing waits any more */
    w->filter = NULL;
    wrn_wg_peer_set_keepalive(w->side[A].wg, w->now, world_peer(w, A, B), 60);
    world_advance(w, 0);
    assert_int_equal(world_events(w, B, WRN_WG_EVENT_KEEPALIVE_RECEIVED), 1);
    world_send(w, B, A, 64, 1); /* the responder has its session at once */
    assert_int_equal(w->side[A].delivered, 1);
    assert_int_equal(w->side[B].sent[WRN_WG_TYPE_INITIATION], 0);
}

static const struct wrn_session *current(const struct world *w, int side) {
    const struct wrn_wg *wg = w->side[side].wg;
    const struct wrn_wg_peer *peer = wrn_wg_peer_get(wg, world_peer(w, side, 1 - side));
    const struct wrn_session *session =
        wrn_session_get(&wg->sessions, peer->sessions.at[WRN_SESSION_CURRENT]);
    assert_non_null(session);
    return session;
}

static void a_crossing_settles_at_once_on_one_session(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 32; seed++) {
        struct world *w = world_create(seed, 2, 1000);
        w->hold = true;
        world_send(w, A, B, 64, 1); /* both initiations are under way before either arrives */
        world_send(w, B, A, 64, 1);
        w->hold = false;
        world_pump(w);
        assert_int_equal(w->side[A].delivered, 1);
        assert_int_equal(w->side[B].delivered, 1);
        for (uint64_t i = 2; i < 50; i++) {
            world_send(w, A, B, 64, i);
            world_send(w, B, A, 64, i);
        }
        assert_int_equal(w->side[A].delivered, 49);
        assert_int_equal(w->side[B].delivered, 49);
        assert_int_equal(w->side[A].sent[WRN_WG_TYPE_INITIATION], 1);
        assert_int_equal(w->side[B].sent[WRN_WG_TYPE_INITIATION], 1);
        assert_int_equal(current(w, A)->remote_index, current(w, B)->local_index);
        assert_int_equal(current(w, A)->local_index, current(w, B)->remote_index);
        /* Whoever's session lives on renews it, alone, and nothing is lost then. */
        for (uint64_t i = 50; i < 350; i++) {
            world_advance(w, WRN_S(1));
            w->hold = true; /* packets cross the handshake messages */
            world_send(w, A, B, 64, i);
            world_send(w, B, A, 64, i);
            w->hold = false;
            world_pump(w);
        }
        assert_int_equal(w->side[A].delivered, 349);
        assert_int_equal(w->side[B].delivered, 349);
        uint64_t all =
            w->side[A].sent[WRN_WG_TYPE_INITIATION] + w->side[B].sent[WRN_WG_TYPE_INITIATION];
        assert_in_range(all, 4, 5); /* the crossing, and one each 120 s */
        world_destroy(w);
    }
}

static bool lose_some(struct world *w, struct world_datagram *d) {
    (void)d;
    return wrn_rand_below(wrn_prng_rand(&w->prng), 100) >= w->filter_arg;
}

static void crossings_with_loss_settle_without_a_storm(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 64; seed++) {
        struct world *w = world_create(seed, 2, 1000);
        w->filter = lose_some;
        w->filter_arg = 30;
        for (uint64_t i = 0; i < 60;
             i++) { /* a minute of both talking over a line that loses 30 % */
            w->hold = true;
            world_send(w, A, B, 64, i);
            world_send(w, B, A, 64, i);
            w->hold = false;
            world_pump(w);
            world_advance(w, WRN_S(1));
        }
        w->filter = NULL;
        world_advance(w, WRN_S(6)); /* one retry, at most */
        uint64_t a = w->side[A].delivered;
        uint64_t b = w->side[B].delivered;
        for (uint64_t i = 100; i < 110; i++) {
            world_send(w, A, B, 64, i);
            world_send(w, B, A, 64, i);
        }
        assert_true(w->side[A].delivered >= a + 10);
        assert_true(w->side[B].delivered >= b + 10);
        assert_true(w->side[A].sent[WRN_WG_TYPE_INITIATION] <= 14);
        assert_true(w->side[B].sent[WRN_WG_TYPE_INITIATION] <= 14);
        world_destroy(w);
    }
}

static void a_replayed_initiation_is_refused(void **state) {
    struct world *w = *state;
    world_send(w, A, B, 64, 1);
    struct world_datagram init = w->last_by_type[WRN_WG_TYPE_INITIATION];
    world_advance(w, WRN_S(1));
    struct wrn_path path = {.remote = w->side[A].endpoint};
    assert_int_equal(world_inject(w, B, &path, init.bytes, init.size), WRN_DROP_REPLAYED_HANDSHAKE);
    assert_int_equal(w->side[B].sent[WRN_WG_TYPE_RESPONSE], 1);
}

static void a_replayed_initiation_does_not_move_the_endpoint(void **state) {
    struct world *w = *state;
    world_send(w, A, B, 64, 1);
    struct world_datagram init = w->last_by_type[WRN_WG_TYPE_INITIATION];
    struct wrn_path elsewhere = {.remote = w->side[C].endpoint};
    (void)world_inject(w, B, &elsewhere, init.bytes, init.size);
    struct wrn_wg_peer_info info = world_info(w, B, A);
    assert_true(wrn_endpoint_equal(&info.endpoint, &w->side[A].endpoint));
}

static void a_response_counts_once_and_only_for_the_pending_initiation(void **state) {
    struct world *w = *state;
    world_send(w, A, B, 64, 1);
    struct world_datagram response = w->last_by_type[WRN_WG_TYPE_RESPONSE];
    struct wrn_path path = {.remote = w->side[B].endpoint};
    assert_int_equal(world_inject(w, A, &path, response.bytes, response.size),
                     WRN_DROP_UNEXPECTED_RESPONSE);
}

static void a_forged_response_does_not_spoil_the_handshake(void **state) {
    struct world *w = *state;
    w->hold = true;
    world_send(w, A, B, 64, 1);
    struct world_datagram init = w->last_by_type[WRN_WG_TYPE_INITIATION];
    uint8_t forged[WRN_WG_RESPONSE_SIZE] = {WRN_WG_TYPE_RESPONSE};
    memcpy(forged + WRN_WG_RESP_RECEIVER_AT, init.bytes + WRN_WG_SENDER_AT, 4);
    memset(forged + WRN_WG_RESP_EPHEMERAL_AT, 9, 32);
    uint8_t key[32];
    wrn_blake2s(w->crypto, (wrn_span){(const uint8_t *)"mac1----", 8},
                (wrn_span){w->side[A].public_key, 32}, key);
    wrn_blake2s_mac(w->crypto, (wrn_span){key, 32}, (wrn_span){forged, 60}, forged + 60);
    struct wrn_path path = {.remote = w->side[C].endpoint};
    assert_int_equal(world_inject(w, A, &path, forged, sizeof forged), WRN_DROP_BAD_HANDSHAKE);
    w->hold = false;
    world_pump(w);
    assert_int_equal(w->side[B].delivered, 1);
}

static void two_initiations_within_20_ms_are_a_flood(void **state) {
    struct world *w = *state;
    w->hold = true;
    world_send(w, A, B, 64, 1);
    struct world_datagram first = w->last_by_type[WRN_WG_TYPE_INITIATION];
    w->flight_count = 0;
    world_advance(w, WRN_S(6));
    struct world_datagram second = w->last_by_type[WRN_WG_TYPE_INITIATION];
    assert_true(memcmp(first.bytes, second.bytes, first.size) != 0);
    struct wrn_path path = {.remote = w->side[A].endpoint};
    assert_int_equal(world_inject(w, B, &path, first.bytes, first.size), WRN_DROP_NONE);
    assert_int_equal(world_inject(w, B, &path, second.bytes, second.size),
                     WRN_DROP_INITIATION_FLOOD);
    world_advance(w, WRN_MS(20));
    assert_int_equal(world_inject(w, B, &path, second.bytes, second.size), WRN_DROP_NONE);
}

static void an_unknown_key_a_wrong_mac_and_wrong_sizes_are_told_apart(void **state) {
    struct world *w = *state;
    world_send(w, A, B, 64, 1);
    struct world_datagram init = w->last_by_type[WRN_WG_TYPE_INITIATION];
    struct wrn_path path = {.remote = w->side[A].endpoint};
    init.bytes[20] ^= 1;
    assert_int_equal(world_inject(w, B, &path, init.bytes, init.size), WRN_DROP_BAD_MAC1);
    assert_int_equal(world_inject(w, B, &path, init.bytes, init.size - 1), WRN_DROP_BAD_LENGTH);
    assert_int_equal(world_inject(w, B, &path, init.bytes, 3), WRN_DROP_BAD_LENGTH);
    assert_int_equal(world_inject(w, B, &path, init.bytes, 0), WRN_DROP_BAD_LENGTH);
    init.bytes[2] = 7; /* reserved */
    assert_int_equal(world_inject(w, B, &path, init.bytes, init.size), WRN_DROP_BAD_TYPE);
    init.bytes[2] = 0;
    init.bytes[0] = 5;
    assert_int_equal(world_inject(w, B, &path, init.bytes, init.size), WRN_DROP_BAD_TYPE);
    wrn_wg_peer_remove(w->side[B].wg, world_peer(w, B, A));
    world_advance(w, WRN_S(200));
    world_send(w, A, B, 64, 2);
    assert_true(world_drops(w, B, WRN_DROP_UNKNOWN_PEER) >= 1);
    static const uint8_t zero[32];
    assert_int_equal(wrn_wg_set_private_key(w->side[B].wg, w->now, zero), 0);
    world_advance(w, WRN_S(6));
    assert_true(world_drops(w, B, WRN_DROP_NO_PRIVATE_KEY) >= 1);
}

static bool drop_responses(struct world *w, struct world_datagram *d) {
    (void)w;
    return d->bytes[0] != WRN_WG_TYPE_RESPONSE;
}

/* A responder may not initiate for 5 s after its response. If that was lost, its packets must not
 * wait for the next packet to try again. */
static void a_packet_that_waits_for_the_next_allowed_initiation_is_not_forgotten(void **state) {
    struct world *w = *state;
    w->filter = drop_responses;
    world_send(w, A, B, 64, 1);
    world_send(w, B, A, 64, 1);
    wrn_wg_set_up(w->side[A].wg, w->now, false, &w->out); /* A does not retry */
    wrn_wg_set_up(w->side[A].wg, w->now, true, &w->out);
    w->filter = NULL;
    world_advance(w, WRN_S(6));
    assert_int_equal(w->side[A].delivered, 1);
}

/* The peer's initiation was answered while ours waited for its turn; the answer was lost. */
static void a_waiting_handshake_that_answers_in_between_still_retries(void **state) {
    struct world *w = *state;
    w->filter = drop_all;
    world_send(w, A, B, 64, 1);
    world_advance(w, WRN_S(3));
    w->hold = true;
    world_send(w, B, A, 64, 1);
    struct world_datagram init = w->last_by_type[WRN_WG_TYPE_INITIATION];
    w->hold = false;
    w->flight_count = 0;
    struct wrn_path path = {.remote = w->side[B].endpoint};
    assert_int_equal(world_inject(w, A, &path, init.bytes, init.size), WRN_DROP_NONE);
    w->flight_count = 0;
    wrn_wg_set_up(w->side[B].wg, w->now, false, &w->out); /* B restarts and has nothing to say */
    wrn_wg_set_up(w->side[B].wg, w->now, true, &w->out);
    w->filter = NULL;
    world_advance(w, WRN_S(12));
    assert_int_equal(w->side[B].delivered, 1);
}

static void a_packet_just_before_giving_up_does_not_end_the_tries(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct world *w = world_create(seed, 2, 1000);
        w->filter = drop_all;
        world_send(w, A, B, 64, 1);
        world_advance(w, WRN_MS(89900));
        world_send(w, A, B, 64, 2);
        world_advance(w, WRN_S(1));
        w->filter = NULL;
        world_advance(w, WRN_S(10));
        assert_int_equal(w->side[B].delivered, 2);
        world_destroy(w);
    }
}

/* Peers that are down and talked to all the time hold every block of the pool. */
static void a_full_pool_does_not_keep_others_from_shaking_hands(void **state) {
    (void)state;
    struct world *w = world_create(5, 2, 1000);
    struct wrn_wg *a = w->side[A].wg;
    uint32_t dropped;
    struct wrn_staged_queue hog[16] = {0};
    static const uint8_t big[65535];
    for (size_t i = 0; i < WRN_COUNT(hog); i++) { /* what dead peers would hold */
        for (int n = 0; n < 128; n++) {
            wrn_staged_push(&a->staged, &hog[i], (wrn_span){big, sizeof big}, 128, &dropped);
        }
        while (a->staged.used < a->staged.capacity && hog[i].blocks < a->staged.queue_blocks_max) {
            wrn_staged_push(&a->staged, &hog[i], (wrn_span){big, 1}, 1000, &dropped);
        }
    }
    assert_int_equal(a->staged.used, a->staged.capacity);
    world_send(w, A, B, 64, 1); /* cannot be kept */
    assert_int_equal(world_drops(w, A, WRN_DROP_QUEUE_FULL), 1);
    assert_int_equal(world_events(w, B, WRN_WG_EVENT_SESSION_STARTED), 1);
    world_send(w, A, B, 64, 2);
    assert_int_equal(w->side[B].delivered, 1);
    world_destroy(w);
}

static void renewals_on_a_slow_link_that_reorders_lose_nothing(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct world *w = world_create(seed, 2, 1000);
        uint64_t stamp = 1;
        w->delay_ns = WRN_MS(30);
        w->jitter_ns = seed % 2 == 0 ? 0 : WRN_MS(20);
        w->hold = seed % 3 == 0; /* begin with a crossing */
        world_send(w, A, B, 64, stamp);
        world_send(w, B, A, 64, stamp++);
        w->hold = false;
        for (int i = 0; i < 2500; i++) { /* 500 s: four renewals */
            world_advance(w, WRN_MS(200));
            world_send(w, A, B, 64, stamp);
            world_send(w, B, A, 64, stamp++);
            w->event_count = 0;
        }
        world_advance(w, WRN_S(1));
        assert_int_equal(w->side[A].delivered, stamp - 1);
        assert_int_equal(w->side[B].delivered, stamp - 1);
        uint64_t initiations =
            w->side[A].sent[WRN_WG_TYPE_INITIATION] + w->side[B].sent[WRN_WG_TYPE_INITIATION];
        assert_true(initiations <= 11); /* two a period at the worst, and the crossing */
        world_destroy(w);
    }
}

/* One response overtakes an initiation, the other a confirmation: each side sends on the session
 * that the other began. */
static void sessions_of_the_other_side_are_renewed_in_time(void **state) {
    (void)state;
    for (int smaller_first = 0; smaller_first < 2; smaller_first++) {
        struct world *w = world_create(9, 2, 1000);
        bool a_smaller = memcmp(w->side[A].public_key, w->side[B].public_key, 32) < 0;
        int n = a_smaller == (smaller_first == 1) ? A : B;
        int y = 1 - n;
        struct wrn_path from_n = {.remote = w->side[n].endpoint};
        struct wrn_path from_y = {.remote = w->side[y].endpoint};
        w->hold = true;
        world_send(w, n, y, 64, 1);
        struct world_datagram init_n = w->last_by_type[WRN_WG_TYPE_INITIATION];
        world_send(w, y, n, 64, 1);
        struct world_datagram init_y = w->last_by_type[WRN_WG_TYPE_INITIATION];
        w->flight_count = 0;
        (void)world_inject(w, y, &from_n, init_n.bytes, init_n.size);
        struct world_datagram response_y = w->last_by_type[WRN_WG_TYPE_RESPONSE];
        (void)world_inject(w, n, &from_y, response_y.bytes, response_y.size);
        (void)world_inject(w, n, &from_y, init_y.bytes, init_y.size);
        struct world_datagram response_n = w->last_by_type[WRN_WG_TYPE_RESPONSE];
        (void)world_inject(w, y, &from_n, response_n.bytes, response_n.size);
        w->hold = false;
        world_pump(w);
        uint64_t a = w->side[A].delivered, b = w->side[B].delivered;
        w->delay_ns = WRN_MS(50);
        for (uint64_t i = 0; i < 20000; i++) { /* 200 s */
            world_send(w, A, B, 64, i + 2);
            world_send(w, B, A, 64, i + 2);
            world_advance(w, WRN_MS(10));
            w->event_count = 0;
            if (i == 17500) { /* before the sessions end at 180 s */
                assert_true(current(w, A)->born.ns > WRN_S(1000 + 100));
                assert_true(current(w, B)->born.ns > WRN_S(1000 + 100));
            }
        }
        world_advance(w, WRN_S(1));
        assert_int_equal(w->side[A].delivered - a, 20000);
        assert_int_equal(w->side[B].delivered - b, 20000);
        world_destroy(w);
    }
}

static void a_wrong_psk_gives_no_session_and_the_right_one_does(void **state) {
    struct world *w = *state;
    static const uint8_t psk[32] = {1, 2, 3};
    wrn_wg_peer_set_psk(w->side[A].wg, world_peer(w, A, B), psk);
    world_send(w, A, B, 64, 1);
    assert_int_equal(w->side[B].delivered, 0);
    assert_int_equal(world_drops(w, A, WRN_DROP_BAD_HANDSHAKE), 1);
    wrn_wg_peer_set_psk(w->side[B].wg, world_peer(w, B, A), psk);
    world_advance(w, WRN_S(6));
    assert_int_equal(w->side[B].delivered, 1);
}

static void a_clock_set_back_does_not_lock_us_out(void **state) {
    struct world *w = *state;
    world_send(w, A, B, 64, 1);
    w->now.wall.s -= 3600;
    world_advance(w, WRN_S(200));
    world_send(w, A, B, 64, 2);
    assert_int_equal(w->side[B].delivered, 2);
    assert_int_equal(world_drops(w, B, WRN_DROP_REPLAYED_HANDSHAKE), 0);
}

static void a_restarted_peer_is_heard_at_once(void **state) {
    struct world *w = *state;
    world_send(w, A, B, 64, 1);
    wrn_wg_set_up(w->side[A].wg, w->now, false,
                  &w->out); /* forgets all sessions, as a restart does */
    wrn_wg_set_up(w->side[A].wg, w->now, true, &w->out);
    world_advance(w, WRN_S(1));
    world_send(w, A, B, 64, 2);
    assert_int_equal(w->side[B].delivered, 2);
    world_send(w, B, A, 64, 1);
    assert_int_equal(w->side[A].delivered, 1);
}

static void changing_our_key_forgets_the_sessions_of_the_old_one(void **state) {
    struct world *w = *state;
    world_send(w, A, B, 64, 1);
    struct world_datagram data = w->last_by_type[WRN_WG_TYPE_DATA];
    uint8_t key[32];
    memset(key, 0x42, sizeof key);
    assert_int_equal(wrn_wg_set_private_key(w->side[B].wg, w->now, key), 0);
    struct wrn_path path = {.remote = w->side[A].endpoint};
    assert_int_equal(world_inject(w, B, &path, data.bytes, data.size), WRN_DROP_NO_SESSION);
}

static void our_own_key_is_no_peer(void **state) {
    struct world *w = *state;
    wrn_handle handle;
    assert_int_equal(wrn_wg_peer_add(w->side[A].wg, w->now, w->side[A].public_key, &handle),
                     -EINVAL);
    assert_int_equal(wrn_wg_peer_add(w->side[A].wg, w->now, w->side[B].public_key, &handle),
                     -EEXIST);
    assert_int_equal(wrn_wg_set_private_key(w->side[A].wg, w->now, w->side[B].private_key), 0);
    assert_true(wrn_handle_equal(world_peer(w, A, B), WRN_HANDLE_NONE));
}

static void low_order_keys_of_peers_are_harmless(void **state) {
    struct world *w = *state;
    static const uint8_t low[32] = {1};
    wrn_handle handle;
    struct wrn_prefix prefix = {.ip = {.bytes = {10, 9, 9, 9}, .family = 4}, .length_bits = 32};
    assert_int_equal(wrn_wg_peer_add(w->side[A].wg, w->now, low, &handle), 0);
    assert_int_equal(wrn_wg_peer_allow(w->side[A].wg, handle, &prefix), 0);
    wrn_wg_peer_set_endpoint(w->side[A].wg, handle, &w->side[B].endpoint);
    wrn_wg_peer_set_keepalive(w->side[A].wg, w->now, handle, 1);
    world_advance(w, WRN_S(10));
    assert_int_equal(w->side[A].sent[WRN_WG_TYPE_INITIATION], 0);
    assert_true(world_drops(w, A, WRN_DROP_BAD_HANDSHAKE) > 0);
}

int main(void) {
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(the_first_packet_arrives_after_one_round_trip),
        CASE(packets_wait_in_order_and_the_oldest_give_way),
        CASE(with_nothing_to_say_the_initiator_confirms_with_a_keepalive),
        CASE(a_crossing_settles_at_once_on_one_session),
        CASE(crossings_with_loss_settle_without_a_storm),
        CASE(a_replayed_initiation_is_refused),
        CASE(a_replayed_initiation_does_not_move_the_endpoint),
        CASE(a_response_counts_once_and_only_for_the_pending_initiation),
        CASE(a_forged_response_does_not_spoil_the_handshake),
        CASE(two_initiations_within_20_ms_are_a_flood),
        CASE(an_unknown_key_a_wrong_mac_and_wrong_sizes_are_told_apart),
        CASE(a_packet_that_waits_for_the_next_allowed_initiation_is_not_forgotten),
        CASE(a_waiting_handshake_that_answers_in_between_still_retries),
        CASE(a_packet_just_before_giving_up_does_not_end_the_tries),
        CASE(a_full_pool_does_not_keep_others_from_shaking_hands),
        CASE(renewals_on_a_slow_link_that_reorders_lose_nothing),
        CASE(sessions_of_the_other_side_are_renewed_in_time),
        CASE(a_wrong_psk_gives_no_session_and_the_right_one_does),
        CASE(a_clock_set_back_does_not_lock_us_out),
        CASE(a_restarted_peer_is_heard_at_once),
        CASE(changing_our_key_forgets_the_sessions_of_the_old_one),
        CASE(our_own_key_is_no_peer),
        CASE(low_order_keys_of_peers_are_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
