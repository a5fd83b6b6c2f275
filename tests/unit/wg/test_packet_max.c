/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: packets to a peer are no larger than its path takes: refused, left to be fragmented, padded
 * no further; and TCP connections that begin are told so, both ends. What owners say to each other
 * reaches the owner alone. Method: two machines in virtual time. */
#include "base/bytes.h"
#include "unit/base/check.h"
#include "unit/wg/world.h"

enum { A, B, MAX = 1356 };

static int start(void **state) {
    *state = world_create(check_seed(), 2, 100);
    return 0;
}

static int stop(void **state) {
    world_destroy(*state);
    return 0;
}

static struct wrn_wg_packet from_host(struct world *w, int side, const uint8_t *bytes,
                                      size_t size) {
    static uint8_t buffer[WRN_WG_HEADROOM + 2048 + WRN_WG_TAILROOM];
    struct wrn_wg_packet packet = {.bytes = buffer + WRN_WG_HEADROOM, .size = size};
    memcpy(packet.bytes, bytes, size);
    wrn_wg_on_packets(w->side[side].wg, w->now, &packet, 1, &w->out);
    return packet;
}

/* From A's host to B's. */
static void make4(uint8_t *packet, size_t size, bool may_fragment) {
    memset(packet, 0, size);
    packet[0] = 0x45;
    wrn_store_be16(packet + 2, (uint16_t)size);
    packet[6] = may_fragment ? 0 : 0x40;
    packet[8] = 64;
    packet[9] = 17;
    memcpy(packet + 12, (uint8_t[]){10, 0, 0, 1, 10, 0, 0, 2}, 8);
}

static void narrow(struct world *w, int side, uint16_t max) {
    wrn_wg_peer_set_packet_max(w->side[side].wg, world_peer(w, side, !side), max);
    assert_int_equal(world_info(w, side, !side).packet_max, max);
}

static void larger_ones_are_refused_or_left_to_be_fragmented(void **state) {
    struct world *w = *state;
    uint8_t packet[1500];
    world_send(w, A, B, 64, 1);
    narrow(w, A, MAX);
    for (int may_fragment = 0; may_fragment < 2; may_fragment++) {
        make4(packet, MAX, may_fragment);
        assert_true(from_host(w, A, packet, MAX).datagram_size > 0);
        make4(packet, MAX + 1, may_fragment);
        struct wrn_wg_packet refused = from_host(w, A, packet, MAX + 1);
        assert_int_equal(refused.drop, WRN_DROP_PATH_TOO_SMALL);
        assert_int_equal(refused.packet_max, MAX);
        assert_int_equal(refused.datagram_size, 0);
        assert_memory_equal(refused.bytes, packet, MAX + 1); /* it can be quoted, or fragmented */
        assert_int_equal(world_drops(w, A, WRN_DROP_PATH_TOO_SMALL), 1);
    }
    narrow(w, A, MAX + 1);
    assert_true(from_host(w, A, packet, MAX + 1).datagram_size > 0);
}

/* What may be fragmented does not wait for a session whole; the rest does, and is looked at
 * then. */
static void those_that_wait_are_looked_at_when_they_leave(void **state) {
    struct world *w = *state;
    uint8_t packet[1500];
    narrow(w, A, MAX);
    w->hold = true;
    make4(packet, MAX + 1, true);
    assert_int_equal(from_host(w, A, packet, MAX + 1).drop, WRN_DROP_PATH_TOO_SMALL);
    make4(packet, MAX + 1, false);
    assert_int_equal(from_host(w, A, packet, MAX + 1).drop, WRN_DROP_NONE);
    make4(packet, MAX, false);
    assert_int_equal(from_host(w, A, packet, MAX).drop, WRN_DROP_NONE);
    w->hold = false;
    world_settle(w, A);
    world_pump(w);
    assert_int_equal(world_drops(w, A, WRN_DROP_PATH_TOO_SMALL), 1);
    assert_int_equal(w->side[B].delivered, 1);
    assert_int_equal(w->side[B].last_packet_size, MAX);
}

static void padding_makes_none_larger(void **state) {
    struct world *w = *state;
    world_send(w, A, B, 64, 1);
    for (uint16_t max = 1340; max <= 1420; max++) {
        narrow(w, A, max);
        world_send(w, A, B, max - 3, 2);
        size_t padded = wrn_align_up((size_t)max - 3, 16);
        assert_int_equal(w->last_by_type[WRN_WG_TYPE_DATA].size,
                         32 + (padded < max ? padded : max));
    }
}

/* A SYN with a segment size, and a sum that is right. Returns its size. */
static size_t make_syn(uint8_t *packet, uint16_t mss) {
    make4(packet, 44, false);
    packet[9] = 6;
    packet[32] = 6 << 4;
    packet[33] = 2;
    packet[40] = 2;
    packet[41] = 4;
    wrn_store_be16(packet + 42, mss);
    return 44;
}

static void connections_that_begin_are_told(void **state) {
    struct world *w = *state;
    uint8_t syn[44];
    size_t size = make_syn(syn, 1380);
    world_send(w, A, B, 64, 1);
    struct {
        int side; /* who knows that it is narrow: the sender, or the receiver */
        uint16_t max, mss;
    } cases[] = {{A, 1420, 1380}, {B, 1420, 1380}, {A, MAX, MAX - 40}, {B, MAX, MAX - 40}};
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        narrow(w, A, 1420);
        narrow(w, B, 1420);
        narrow(w, cases[i].side, cases[i].max);
        struct wrn_wg_packet sent = from_host(w, A, syn, size);
        struct wrn_wg_datagram datagram = {
            .bytes = sent.datagram, .size = sent.datagram_size, .path.remote = w->side[A].endpoint};
        wrn_wg_on_datagrams(w->side[B].wg, w->now, &datagram, 1, &w->out);
        assert_int_equal(datagram.packet_size, size);
        assert_int_equal(wrn_load_be16(datagram.packet + 42), cases[i].mss);
    }
}

static void owners_speak_past_the_hosts(void **state) {
    struct world *w = *state;
    static uint8_t room[WRN_WG_HEADROOM + 1420 + WRN_WG_TAILROOM];
    struct wrn_wg_packet own = {.bytes = room + WRN_WG_HEADROOM, .size = 1420};
    own.bytes[0] = WRN_WG_OWN;
    assert_false(
        wrn_wg_seal_own(w->side[A].wg, w->now, world_peer(w, A, B), &own)); /* no session */
    world_send(w, A, B, 64, 1);
    narrow(w, A, MAX); /* of the host's packets alone */
    uint64_t before = w->side[B].delivered;
    assert_true(wrn_wg_seal_own(w->side[A].wg, w->now, world_peer(w, A, B), &own));
    assert_int_equal(own.datagram_size, 1420 + 32);
    struct wrn_wg_datagram datagram = {
        .bytes = own.datagram, .size = own.datagram_size, .path.remote = w->side[A].endpoint};
    wrn_wg_on_datagrams(w->side[B].wg, w->now, &datagram, 1, &w->out);
    assert_int_equal(datagram.drop, WRN_DROP_NONE);
    assert_int_equal(datagram.packet_size, 0);
    assert_int_equal(w->side[B].delivered, before);
    /* a host cannot say it */
    uint8_t forged[64] = {WRN_WG_OWN};
    assert_int_equal(from_host(w, A, forged, sizeof(forged)).drop, WRN_DROP_BAD_HOST_PACKET);
    struct wrn_path path = {.remote = w->side[B].endpoint, .kind = WRN_PATH_RELAY};
    wrn_wg_peer_set_path(w->side[A].wg, world_peer(w, A, B), &path);
    memset(room, 0, sizeof(room));
    assert_false(wrn_wg_seal_own(w->side[A].wg, w->now, world_peer(w, A, B), &own));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(larger_ones_are_refused_or_left_to_be_fragmented),
        CASE(those_that_wait_are_looked_at_when_they_leave),
        CASE(padding_makes_none_larger),
        CASE(connections_that_begin_are_told),
        CASE(owners_speak_past_the_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
