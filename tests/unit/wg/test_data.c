/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: data packets go to the right peer and host, unchanged, once, or are refused by name.
 * Method: machines in virtual time; sealed packets are replayed, damaged, redirected and reordered.
 * */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "wg/machine.h"
#include "world.h"

enum { A, B, C };

static int setup(void **state) {
    *state = world_create(11, 3, 1000);
    return 0;
}

static int teardown(void **state) {
    world_destroy(*state);
    return 0;
}

/* Seals a packet from A to B without delivering it. */
static struct world_datagram sealed(struct world *w, size_t size, uint64_t stamp) {
    bool hold = w->hold;
    w->hold = true;
    world_send(w, A, B, size, stamp);
    w->hold = hold;
    w->flight_count = 0;
    return w->last_by_type[WRN_WG_TYPE_DATA];
}

static enum wrn_drop from_host(struct world *w, int side, uint8_t *bytes, size_t size) {
    static uint8_t buffer[WRN_WG_HEADROOM + 2048 + WRN_WG_TAILROOM];
    memcpy(buffer + WRN_WG_HEADROOM, bytes, size);
    struct wrn_wg_packet packet = {.bytes = buffer + WRN_WG_HEADROOM, .size = size};
    wrn_wg_on_packets(w->side[side].wg, w->now, &packet, 1, &w->out);
    return packet.drop;
}

static void packets_come_out_as_they_went_in_whatever_their_size(void **state) {
    struct world *w = *state;
    world_send(w, A, B, 64, 1);
    for (size_t size = 28; size <= 1420; size++) {
        world_send(w, A, B, size, size);
        assert_int_equal(w->side[B].last_packet_size, size);
        size_t datagram = w->last_by_type[WRN_WG_TYPE_DATA].size;
        size_t padded = wrn_align_up(size, 16);
        assert_int_equal(datagram, 32 + (padded < 1420 ? padded : 1420));
    }
}

static void padding_stops_at_the_mtu(void **state) {
    struct world *w = *state;
    static const struct {
        uint32_t mtu;
        size_t size, inner;
    } cases[] = {{1420, 1419, 1420}, {1420, 1420, 1420}, {1000, 993, 1000},
                 {1000, 1001, 1001}, {100, 28, 32},      {30, 28, 30}};
    world_send(w, A, B, 64, 1);
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        wrn_wg_set_mtu(w->side[A].wg, cases[i].mtu);
        world_send(w, A, B, cases[i].size, 2);
        assert_int_equal(w->last_by_type[WRN_WG_TYPE_DATA].size, 32 + cases[i].inner);
    }
}

static void a_replayed_packet_is_refused_also_after_a_rebind(void **state) {
    struct world *w = *state;
    world_send(w, A, B, 64, 1);
    struct world_datagram d = sealed(w, 64, 2);
    struct wrn_path path = {.remote = w->side[A].endpoint};
    assert_int_equal(world_inject(w, B, &path, d.bytes, d.size), WRN_DROP_NONE);
    path.remote.port++;
    assert_int_equal(world_inject(w, B, &path, d.bytes, d.size), WRN_DROP_REPLAY);
    struct wrn_wg_peer_info info = world_info(w, B, A);
    assert_true(wrn_endpoint_equal(&info.endpoint, &w->side[A].endpoint));
}

static void a_damaged_packet_is_refused_and_moves_nothing(void **state) {
    struct world *w = *state;
    world_send(w, A, B, 64, 1);
    struct world_datagram d = sealed(w, 64, 2);
    struct wrn_path path = {.remote = w->side[C].endpoint};
    for (size_t i = 8; i < d.size; i++) {
        d.bytes[i] ^= 0x40;
        enum wrn_drop drop = world_inject(w, B, &path, d.bytes, d.size);
        assert_true(drop == WRN_DROP_BAD_TAG);
        d.bytes[i] ^= 0x40;
    }
    for (size_t size = 4; size < d.size; size++) {
        enum wrn_drop drop = world_inject(w, B, &path, d.bytes, size);
        assert_int_equal(drop, size < 32 ? WRN_DROP_BAD_LENGTH : WRN_DROP_BAD_TAG);
    }
    struct wrn_wg_peer_info info = world_info(w, B, A);
    assert_true(wrn_endpoint_equal(&info.endpoint, &w->side[A].endpoint));
    path.remote = w->side[A].endpoint;
    assert_int_equal(world_inject(w, B, &path, d.bytes, d.size), WRN_DROP_NONE);
}

static void an_unknown_index_is_no_session(void **state) {
    struct world *w = *state;
    world_send(w, A, B, 64, 1);
    struct world_datagram d = sealed(w, 64, 2);
    struct wrn_path path = {.remote = w->side[A].endpoint};
    d.bytes[WRN_WG_RECEIVER_AT + 3] ^= 1;
    assert_int_equal(world_inject(w, B, &path, d.bytes, d.size), WRN_DROP_NO_SESSION);
    wrn_store_le32(d.bytes + WRN_WG_RECEIVER_AT, UINT32_MAX);
    assert_int_equal(world_inject(w, B, &path, d.bytes, d.size), WRN_DROP_NO_SESSION);
}

static void a_peer_roams_on_authentic_packets(void **state) {
    struct world *w = *state;
    world_send(w, A, B, 64, 1);
    struct world_datagram d = sealed(w, 64, 2);
    struct wrn_path path = {.remote = {.ip = {.bytes = {203, 0, 113, 9}, .family = 4}, .port = 9},
                            .local = {.bytes = {192, 0, 2, 77}, .family = 4},
                            .interface = 5};
    assert_int_equal(world_inject(w, B, &path, d.bytes, d.size), WRN_DROP_NONE);
    assert_int_equal(world_events(w, B, WRN_WG_EVENT_ROAMED), 1);
    w->hold = true;
    world_send(w, B, A, 64, 1);
    const struct world_datagram *answer = &w->last_by_type[WRN_WG_TYPE_DATA];
    assert_true(wrn_endpoint_equal(&answer->path.remote, &path.remote));
    assert_true(wrn_ip_equal(&answer->path.local, &path.local)); /* sticky source */
    assert_int_equal(answer->path.interface, 5);
    wrn_wg_forget_source(w->side[B].wg, world_peer(w, B, A));
    world_send(w, B, A, 64, 1);
    assert_int_equal(answer->path.local.family, WRN_FAMILY_NONE);
    w->flight_count = 0;
}

static void inner_sources_that_are_not_the_peers_are_refused(void **state) {
    struct world *w = *state;
    world_send(w, A, B, 64, 1);
    struct wrn_prefix mine = {.ip = {.bytes = {10, 0, 0, 1}, .family = 4}, .length_bits = 32};
    assert_int_equal(wrn_wg_peer_allow(w->side[B].wg, world_peer(w, B, C), &mine), 0);
    world_send(w, A, B, 64, 2);
    assert_int_equal(w->side[B].delivered, 1);
    assert_int_equal(world_drops(w, B, WRN_DROP_WRONG_SOURCE), 1);
    wrn_wg_peer_disallow_all(w->side[B].wg, world_peer(w, B, C));
    world_send(w, A, B, 64, 3);
    assert_int_equal(world_drops(w, B, WRN_DROP_WRONG_SOURCE), 2); /* nobody's is not the peer's */
}

static enum wrn_drop sends_with_counter(struct world *w, int from, uint64_t counter) {
    uint64_t replays = world_drops(w, B, WRN_DROP_REPLAY);
    uint64_t delivered = w->side[B].delivered;
    wrn_session_get(
        &w->side[from].wg->sessions,
        wrn_wg_peer_get(w->side[from].wg, world_peer(w, from, B))->sessions.at[WRN_SESSION_CURRENT])
        ->send_counter = counter;
    world_send(w, from, B, 64, counter);
    replays = world_drops(w, B, WRN_DROP_REPLAY) - replays;
    assert_int_equal(w->side[B].delivered, delivered + 1 - replays);
    return replays == 0 ? WRN_DROP_NONE : WRN_DROP_REPLAY;
}

/* A sender of several threads overtakes itself by tens of thousands of packets. Each session has a
 * window of its own, before and after it has become a wide one. */
static void very_late_packets_are_taken(void **state) {
    struct world *w = *state;
    static const struct {
        uint64_t counter;
        enum wrn_drop drop;
    } table[] = {
        {2000, WRN_DROP_NONE},    {3, WRN_DROP_NONE},        {33000, WRN_DROP_NONE},
        {2001, WRN_DROP_NONE},    {2000, WRN_DROP_REPLAY},   {1000, WRN_DROP_NONE},
        {296, WRN_DROP_REPLAY},   {297, WRN_DROP_NONE},      {297, WRN_DROP_REPLAY},
        {3, WRN_DROP_REPLAY},     {100000, WRN_DROP_NONE},   {67297, WRN_DROP_NONE},
        {67296, WRN_DROP_REPLAY}, {100000, WRN_DROP_REPLAY},
    };
    world_send(w, A, B, 64, 1);
    world_send(w, C, B, 64, 1);
    for (size_t i = 0; i < WRN_COUNT(table); i++) {
        assert_int_equal(sends_with_counter(w, A, table[i].counter), table[i].drop);
        if (i % 2 == 0) { /* the other one, a little apart */
            assert_int_equal(sends_with_counter(w, C, 40000 + i), WRN_DROP_NONE);
        }
    }
}

static void broken_inner_packets_are_refused(void **state) {
    struct world *w = *state;
    world_send(w, A, B, 64, 1);
    static const struct {
        uint8_t first;
        uint16_t total;
    } cases[] = {{0x55, 64}, {0x45, 65535}, {0x45, 19}, {0x60, 64}, {0x00, 64}};
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        /* A's machine checks less than B's must: a peer may be malicious. */
        struct wrn_session *s = wrn_session_get(
            &w->side[A].wg->sessions,
            wrn_wg_peer_get(w->side[A].wg, world_peer(w, A, B))->sessions.at[WRN_SESSION_CURRENT]);
        uint8_t datagram[16 + 64 + 16] = {4};
        uint8_t *inner = datagram + 16;
        wrn_store_le32(datagram + 4, s->remote_index);
        wrn_store_le64(datagram + 8, s->send_counter);
        inner[0] = cases[i].first;
        wrn_store_be16(inner + (cases[i].first >> 4 == 6 ? 4 : 2), cases[i].total);
        memcpy(inner + 12, (uint8_t[]){10, 0, 0, 1}, 4);
        struct wrn_aead_job job = {.key = s->keys.send,
                                   .counter = s->send_counter++,
                                   .in = inner,
                                   .out = inner,
                                   .size = 64};
        wrn_aead_seal_batch(w->crypto, &job, 1);
        struct wrn_path path = {.remote = w->side[A].endpoint};
        assert_int_equal(world_inject(w, B, &path, datagram, sizeof datagram),
                         WRN_DROP_BAD_INNER_PACKET);
    }
    assert_int_equal(w->side[B].delivered, 1);
}

static void host_packets_without_a_way_are_refused_by_name(void **state) {
    struct world *w = *state;
    uint8_t p[64] = {0x45};
    p[3] = 64;
    memcpy(p + 16, (uint8_t[]){10, 9, 9, 9}, 4);
    assert_int_equal(from_host(w, A, p, sizeof p), WRN_DROP_NO_ROUTE);
    assert_int_equal(from_host(w, A, p, 19), WRN_DROP_BAD_HOST_PACKET);
    assert_int_equal(from_host(w, A, p, 0), WRN_DROP_BAD_HOST_PACKET);
    p[0] = 0x60;
    assert_int_equal(from_host(w, A, p, 39), WRN_DROP_BAD_HOST_PACKET);
    assert_int_equal(from_host(w, A, p, 40), WRN_DROP_NO_ROUTE);
    p[0] = 0x45;
    memcpy(p + 16, (uint8_t[]){10, 0, 0, 2}, 4);
    static const struct wrn_endpoint nowhere;
    wrn_wg_peer_set_endpoint(w->side[A].wg, world_peer(w, A, B), &nowhere);
    assert_int_equal(from_host(w, A, p, sizeof p), WRN_DROP_NO_ENDPOINT);
    assert_int_equal(w->out.message_count, 0);
}

static void packets_that_waited_for_a_removed_peer_are_counted(void **state) {
    struct world *w = *state;
    w->hold = true;
    world_send(w, A, B, 64, 1);
    world_send(w, A, B, 64, 2);
    wrn_wg_peer_remove(w->side[A].wg, world_peer(w, A, B));
    assert_int_equal(world_drops(w, A, WRN_DROP_PEER_REMOVED), 2);
    w->hold = false;
    world_pump(w); /* the response finds nobody */
    assert_int_equal(world_drops(w, A, WRN_DROP_UNEXPECTED_RESPONSE), 1);
    uint8_t p[64] = {0x45, 0, 0, 64};
    memcpy(p + 16, (uint8_t[]){10, 0, 0, 2}, 4);
    assert_int_equal(from_host(w, A, p, sizeof p), WRN_DROP_NO_ROUTE);
}

static void counters_end_before_they_wrap(void **state) {
    struct world *w = *state;
    world_send(w, A, B, 64, 1);
    struct wrn_wg *a = w->side[A].wg;
    struct wrn_wg_peer *peer = wrn_wg_peer_get(a, world_peer(w, A, B));
    struct wrn_session *s = wrn_session_get(&a->sessions, peer->sessions.at[WRN_SESSION_CURRENT]);
    wrn_handle old = s->self;
    world_advance(w, WRN_S(6));
    s->send_counter = WRN_WG_REKEY_AFTER_MESSAGES; /* the next packet asks for new keys */
    world_send(w, A, B, 64, 2);
    assert_int_equal(w->side[A].sent[WRN_WG_TYPE_INITIATION], 2);
    assert_int_equal(w->side[B].delivered, 2);
    assert_false(wrn_handle_equal(old, peer->sessions.at[WRN_SESSION_CURRENT]));

    s = wrn_session_get(&a->sessions, peer->sessions.at[WRN_SESSION_CURRENT]);
    world_advance(w, WRN_S(6));
    s->send_counter = WRN_WG_REJECT_AFTER_MESSAGES - 1;
    world_send(w, A, B, 64, 3); /* goes out with the last counter */
    world_send(w, A, B, 64, 4); /* and this with the new keys */
    assert_int_equal(w->side[B].delivered, 4);
    assert_int_equal(w->side[B].out_of_order, 0);
}

static void late_packets_of_the_old_session_still_arrive(void **state) {
    struct world *w = *state;
    world_send(w, A, B, 64, 1);
    world_advance(w, WRN_S(110));
    struct world_datagram late = sealed(w, 64, 2);
    world_advance(w, WRN_S(15));
    world_send(w, A, B, 64, 3); /* renews */
    world_send(w, A, B, 64, 4);
    assert_int_equal(world_events(w, A, WRN_WG_EVENT_SESSION_STARTED), 2);
    struct wrn_path path = {.remote = w->side[A].endpoint};
    assert_int_equal(world_inject(w, B, &path, late.bytes, late.size), WRN_DROP_NONE);
}

static void congestion_marks_cross_the_tunnel(void **state) {
    struct world *w = *state;
    world_send(w, A, B, 64, 1);
    static const uint8_t outer[] = {0, 2, 3};
    for (size_t i = 0; i < WRN_COUNT(outer); i++) {
        struct world_datagram d = sealed(w, 64, 2);
        uint8_t copy[WORLD_DATAGRAM_MAX];
        struct wrn_wg_datagram in = {.bytes = copy, .size = d.size, .outer_ecn = outer[i]};
        in.path.remote = w->side[A].endpoint;
        memcpy(copy, d.bytes, d.size);
        wrn_wg_on_datagrams(w->side[B].wg, w->now, &in, 1, &w->out);
        assert_int_equal(in.drop, outer[i] == 3 ? WRN_DROP_CONGESTION : WRN_DROP_NONE);
    }
    assert_int_equal(world_drops(w, B, WRN_DROP_CONGESTION), 1);
}

/* One call with a whole batch: handshake, data of the new keys, forged and repeated packets
 * between. */
static void a_mixed_batch_is_taken_in_order(void **state) {
    struct world *w = *state;
    world_send(w, A, B, 64, 1);
    world_advance(w, WRN_S(6));
    struct world_datagram d[4] = {sealed(w, 64, 2), sealed(w, 64, 3), {0}, sealed(w, 64, 4)};
    d[2] = d[0];
    wrn_wg_set_up(w->side[A].wg, w->now, false, &w->out);
    wrn_wg_set_up(w->side[A].wg, w->now, true, &w->out);
    w->hold = true;
    world_send(w, A, B, 64, 5);
    struct world_datagram init = w->last_by_type[WRN_WG_TYPE_INITIATION];
    const struct world_datagram *order[] = {&d[0], &init, &d[1], &d[2], &d[3]};
    static const enum wrn_drop expected[] = {WRN_DROP_NONE, WRN_DROP_NONE, WRN_DROP_NONE,
                                             WRN_DROP_REPLAY, WRN_DROP_NONE};
    static uint8_t bytes[5][WORLD_DATAGRAM_MAX];
    struct wrn_wg_datagram batch[5];
    for (size_t i = 0; i < 5; i++) {
        memcpy(bytes[i], order[i]->bytes, order[i]->size);
        batch[i] = (struct wrn_wg_datagram){.bytes = bytes[i], .size = order[i]->size};
        batch[i].path.remote = w->side[A].endpoint;
    }
    wrn_wg_on_datagrams(w->side[B].wg, w->now, batch, 5, &w->out);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(batch[i].drop, expected[i]);
        assert_int_equal(batch[i].packet_size > 0, i == 0 || i == 2 || i == 4);
    }
    assert_int_equal(w->out.message_count, 1);
}

int main(void) {
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(packets_come_out_as_they_went_in_whatever_their_size),
        CASE(padding_stops_at_the_mtu),
        CASE(a_replayed_packet_is_refused_also_after_a_rebind),
        CASE(a_damaged_packet_is_refused_and_moves_nothing),
        CASE(an_unknown_index_is_no_session),
        CASE(a_peer_roams_on_authentic_packets),
        CASE(inner_sources_that_are_not_the_peers_are_refused),
        CASE(very_late_packets_are_taken),
        CASE(broken_inner_packets_are_refused),
        CASE(host_packets_without_a_way_are_refused_by_name),
        CASE(packets_that_waited_for_a_removed_peer_are_counted),
        CASE(counters_end_before_they_wrap),
        CASE(late_packets_of_the_old_session_still_arrive),
        CASE(congestion_marks_cross_the_tunnel),
        CASE(a_mixed_batch_is_taken_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
