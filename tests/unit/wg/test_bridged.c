/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a machine of a layer-2 network carries frames to whom its owner says, whole and in pieces,
 * without a look at addresses; takes nothing else from peers; and packets that wait for a session,
 * the filter and the counters work as in a routed one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "switch/payload.h"
#include "wg/lane.h"
#include "world.h"

enum { HANDSHAKES_PER_S = 500, ROOM = WRN_WG_HEADROOM + 2000 + WRN_WG_TAILROOM };

static uint32_t asked;
static bool forges;

static enum wrn_drop count_questions(void *ctx, uint32_t lane, wrn_handle peer, bool is_out,
                                     wrn_mono now, wrn_span packet) {
    (void)ctx;
    (void)lane;
    (void)peer;
    (void)now;
    assert_true((forges && is_out) || packet.data[0] == WRN_PAYLOAD_FRAME ||
                packet.data[0] == WRN_PAYLOAD_PIECE);
    asked++;
    return packet.data[packet.size - 1] == 0xdd ? WRN_DROP_CLOSED : WRN_DROP_NONE;
}

static struct world *create(void) {
    struct wrn_wg_options options = {.filter = {.check = count_questions}, .is_bridged = true};
    asked = 0;
    return world_create_with(5, 3, HANDSHAKES_PER_S, &options);
}

/* Writes a payload of a type whose head counts 'counted' bytes, with 'size' bytes behind it. */
static size_t write_payload(uint8_t *at, uint8_t type, size_t counted, size_t size, uint8_t last) {
    size_t head = type == WRN_PAYLOAD_PIECE ? WRN_PAYLOAD_PIECE_HEAD : WRN_PAYLOAD_FRAME_HEAD;
    memset(at, 0, head + size);
    at[0] = type;
    wrn_store_be16(at + 2, (uint16_t)counted);
    memset(at + head, 0x11, size);
    if (size > 0) {
        at[head + size - 1] = last;
    }
    return head + size;
}

/* Sends a payload from side 0, and lets everything happen. Returns why it did not leave. */
static enum wrn_drop send_payload(struct world *w, wrn_handle peer, uint8_t type, size_t counted,
                                  size_t size, uint8_t last) {
    uint8_t room[ROOM];
    struct wrn_wg_packet packet = {.bytes = room + WRN_WG_HEADROOM, .peer = peer};
    packet.size = write_payload(packet.bytes, type, counted, size, last);
    wrn_wg_on_packets(w->side[0].wg, w->now, &packet, 1, &w->out);
    world_settle(w, 0);
    if (packet.datagram_size > 0) {
        assert_true(wrn_handle_equal(packet.peer, peer));
        assert_int_equal(packet.outer_ecn, 0);
        w->side[0].sent[WRN_WG_TYPE_DATA]++;
        struct wrn_path from = {.remote = w->side[0].endpoint};
        for (int to = 1; to < WORLD_SIDES_MAX; to++) {
            if (wrn_endpoint_equal(&w->side[to].endpoint, &packet.path.remote)) {
                (void)world_inject(w, to, &from, packet.datagram, packet.datagram_size);
            }
        }
    }
    world_advance(w, WRN_MS(100));
    return packet.drop;
}

static void frames_go_to_whom_the_owner_says(void **state) {
    struct world *w = create();
    (void)state;
    for (int to = 1; to < 3; to++) {
        wrn_handle peer = world_peer(w, 0, to);
        /* the first waits for a session; 1,456 bytes of frame are not padded, 100 are */
        assert_int_equal(send_payload(w, peer, WRN_PAYLOAD_FRAME, 100, 100, 1), WRN_DROP_NONE);
        assert_int_equal(w->side[to].delivered, 1);
        assert_int_equal(w->side[to].last_packet_size, WRN_PAYLOAD_FRAME_HEAD + 100);
        assert_int_equal(send_payload(w, peer, WRN_PAYLOAD_PIECE, 1456, 1456, 1), WRN_DROP_NONE);
        assert_int_equal(w->side[to].delivered, 2);
        assert_int_equal(w->side[to].last_packet_size, WRN_PAYLOAD_PIECE_HEAD + 1456);
        assert_int_equal(w->side[to].last_packet[0], WRN_PAYLOAD_PIECE);
    }
    assert_int_equal(asked, 2 * 5); /* what waited, twice at the near end */
    assert_int_equal(send_payload(w, world_peer(w, 0, 1), WRN_PAYLOAD_FRAME, 60, 60, 0xdd),
                     WRN_DROP_CLOSED);
    assert_int_equal(w->side[1].delivered, 2);
    world_destroy(w);
}

static void a_chosen_peer_that_has_gone_is_refused(void **state) {
    struct world *w = create();
    wrn_handle peer = world_peer(w, 0, 1);
    (void)state;
    assert_int_equal(send_payload(w, peer, WRN_PAYLOAD_FRAME, 60, 60, 1), WRN_DROP_NONE);
    assert_int_equal(w->side[1].delivered, 1);
    wrn_wg_peer_remove(w->side[0].wg, peer);
    assert_int_equal(send_payload(w, peer, WRN_PAYLOAD_FRAME, 60, 60, 1), WRN_DROP_PEER_REMOVED);
    assert_int_equal(send_payload(w, WRN_HANDLE_NONE, WRN_PAYLOAD_FRAME, 60, 60, 1),
                     WRN_DROP_PEER_REMOVED);
    assert_int_equal(world_drops(w, 0, WRN_DROP_PEER_REMOVED), 2);
    assert_int_equal(w->side[1].delivered, 1);
    world_destroy(w);
}

/* What is no payload, or counts more than there is; and IP packets. */
static void nothing_else_comes_in(void **state) {
    static const struct {
        uint8_t type;
        uint16_t counted, size;
    } bad[] = {
        {WRN_PAYLOAD_FRAME, 0, 60},
        {WRN_PAYLOAD_FRAME, 81, 60},
        {WRN_PAYLOAD_FRAME, 65535, 1400},
        {WRN_PAYLOAD_PIECE, 0, 60},
        {WRN_PAYLOAD_PIECE, 80, 60},
        {WRN_PAYLOAD_PIECE, 1461, 1460},
        {WRN_PAYLOAD_PIECE, 60, 0},
        {0x04, 60, 60},
        {0, 60, 60},
        {0x45, 64, 60},
        {0x60, 24, 60},
    };
    struct world *w = create();
    wrn_handle peer = world_peer(w, 0, 1);
    (void)state;
    assert_int_equal(send_payload(w, peer, WRN_PAYLOAD_FRAME, 14, 14, 1), WRN_DROP_NONE);
    forges = true; /* our own filter lets everything out */
    for (size_t i = 0; i < WRN_COUNT(bad); i++) {
        assert_int_equal(
            send_payload(w, peer, bad[i].type, bad[i].counted, bad[i].size, (uint8_t)i),
            WRN_DROP_NONE);
        assert_int_equal(world_drops(w, 1, WRN_DROP_BAD_INNER_PACKET), i + 1);
    }
    assert_int_equal(w->side[1].delivered, 1);
    forges = false;
    world_destroy(w);
}

static void a_queued_packet_keeps_its_place(void **state) {
    struct world *w = create();
    wrn_handle peer = world_peer(w, 0, 1);
    uint8_t payload[100];
    (void)state;
    size_t size = write_payload(payload, WRN_PAYLOAD_FRAME, 60, 60, 7);
    wrn_wg_queue_packet(w->side[0].wg, w->now, peer, (wrn_span){payload, size}, &w->out);
    world_settle(w, 0);
    world_advance(w, WRN_MS(100)); /* the handshake */
    assert_int_equal(w->side[1].delivered, 1);
    assert_int_equal(w->side[1].last_packet[size - 1], 7);
    /* one that is queued makes the next of a lane wait behind it */
    payload[size - 1] = 8;
    wrn_wg_queue_packet(w->side[0].wg, w->now, peer, (wrn_span){payload, size}, &w->out);
    assert_int_equal(send_payload(w, peer, WRN_PAYLOAD_FRAME, 61, 61, 9), WRN_DROP_NONE);
    assert_int_equal(w->side[1].delivered, 3);
    assert_int_equal(w->side[1].last_packet[WRN_PAYLOAD_FRAME_HEAD + 60], 9);
    wrn_wg_queue_packet(w->side[0].wg, w->now, WRN_HANDLE_NONE, (wrn_span){payload, size}, &w->out);
    assert_int_equal(world_drops(w, 0, WRN_DROP_PEER_REMOVED), 1);
    world_destroy(w);
}

static void the_mtu_stays_that_of_relays(void **state) {
    struct world *w = create();
    wrn_handle peer = world_peer(w, 0, 1);
    uint8_t room[ROOM];
    (void)state;
    wrn_wg_set_mtu(w->side[0].wg, 9000);
    assert_int_equal(send_payload(w, peer, WRN_PAYLOAD_FRAME, 60, 60, 1), WRN_DROP_NONE);
    static const struct {
        size_t frame, datagram;
    } sizes[] = {{1, 48}, {1346, 1388}, {1352, 1388}, {1353, 1389}, {1416, 1452}};
    for (size_t i = 0; i < WRN_COUNT(sizes); i++) {
        struct wrn_wg_packet packet = {.bytes = room + WRN_WG_HEADROOM, .peer = peer};
        packet.size =
            write_payload(packet.bytes, WRN_PAYLOAD_FRAME, sizes[i].frame, sizes[i].frame, 1);
        wrn_wg_on_packets(w->side[0].wg, w->now, &packet, 1, &w->out);
        assert_int_equal(packet.datagram_size, sizes[i].datagram);
    }
    world_destroy(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_go_to_whom_the_owner_says),
        cmocka_unit_test(a_chosen_peer_that_has_gone_is_refused),
        cmocka_unit_test(nothing_else_comes_in),
        cmocka_unit_test(a_queued_packet_keeps_its_place),
        cmocka_unit_test(the_mtu_stays_that_of_relays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
