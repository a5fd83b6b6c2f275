/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: no inner packet leaves or reaches the host that the filter refuses, on any way through the
 * machine; and what the host sends to nobody's address is its owner's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "wg/lane.h"
#include "world.h"

enum { SIZE = 100, HANDSHAKES_PER_S = 500, BUFFER = WRN_WG_HEADROOM + 2000 + WRN_WG_TAILROOM };

/* What was asked, of both sides: they share the filter. */
struct record {
    uint32_t asked_out, asked_in;
    bool refuses_out, refuses_in;
    enum wrn_drop why;
    uint32_t lane;    /* of the last question */
    wrn_handle peer;  /* ditto */
    wrn_mono at;      /* ditto */
    size_t size;      /* ditto */
    uint8_t bytes[4]; /* ditto, its first */
};

static enum wrn_drop check(void *ctx, uint32_t lane, wrn_handle peer, bool is_out, wrn_mono now,
                           wrn_span packet) {
    struct record *record = ctx;
    *(is_out ? &record->asked_out : &record->asked_in) += 1;
    record->lane = lane;
    record->peer = peer;
    record->at = now;
    record->size = packet.size;
    assert_true(packet.size >= sizeof record->bytes);
    memcpy(record->bytes, packet.data, sizeof record->bytes);
    bool refuses = is_out ? record->refuses_out : record->refuses_in;
    return refuses ? record->why : WRN_DROP_NONE;
}

static struct world *create(struct record *record) {
    record->why = WRN_DROP_POLICY;
    struct wrn_wg_options options = {.filter = {check, record}, .asks_for_unrouted = true};
    return world_create_with(11, 2, HANDSHAKES_PER_S, &options);
}

static void each_packet_is_asked_about_at_both_ends(void **state) {
    struct record record = {0};
    struct world *w = create(&record);
    (void)state;
    world_send(w, 0, 1, SIZE, 1); /* waits for a session: asked once more when it leaves */
    assert_int_equal(w->side[1].delivered, 1);
    assert_int_equal(record.asked_out, 2);
    assert_int_equal(record.asked_in, 1);
    assert_int_equal(record.size, SIZE); /* without the padding */
    assert_int_equal(record.bytes[0], 0x45);
    assert_int_equal(record.lane, 0);
    assert_true(wrn_handle_equal(record.peer, world_peer(w, 1, 0)));
    assert_int_equal(record.at.ns, w->now.mono.ns);
    world_send(w, 0, 1, SIZE, 2);
    world_send(w, 1, 0, SIZE, 1);
    assert_int_equal(record.asked_out, 4);
    assert_int_equal(record.asked_in, 3);
    assert_true(wrn_handle_equal(record.peer, world_peer(w, 0, 1)));
    world_advance(w, WRN_S(30)); /* keepalives are no packets */
    assert_true(world_events(w, 1, WRN_WG_EVENT_KEEPALIVE_RECEIVED) > 0);
    assert_int_equal(record.asked_out, 4);
    assert_int_equal(record.asked_in, 3);
    world_destroy(w);
}

static void what_the_host_may_not_send_begins_nothing(void **state) {
    struct record record = {.refuses_out = true};
    struct world *w = create(&record);
    (void)state;
    world_send(w, 0, 1, SIZE, 1);
    assert_int_equal(w->side[0].sent[WRN_WG_TYPE_INITIATION], 0);
    assert_int_equal(world_drops(w, 0, WRN_DROP_POLICY), 1);
    assert_int_equal(world_info(w, 0, 1).tx_bytes, 0);
    record.refuses_out = false;
    world_send(w, 0, 1, SIZE, 2);
    assert_int_equal(w->side[1].delivered, 1);
    uint64_t sent = w->side[0].sent[WRN_WG_TYPE_DATA];
    record.refuses_out = true;
    world_send(w, 0, 1, SIZE, 3);
    assert_int_equal(w->side[0].sent[WRN_WG_TYPE_DATA], sent);
    assert_int_equal(world_drops(w, 0, WRN_DROP_POLICY), 2);
    record.refuses_out = false;
    world_send(w, 0, 1, SIZE, 4);
    assert_int_equal(w->side[1].last_stamp, 4);
    assert_int_equal(w->side[1].delivered, 2);
    world_destroy(w);
}

/* Rights end while packets wait for a handshake. */
static void what_waits_leaves_by_what_holds_then(void **state) {
    struct record record = {0};
    struct world *w = create(&record);
    (void)state;
    w->hold = true;
    for (uint64_t i = 1; i <= 10; i++) {
        world_send(w, 0, 1, SIZE, i);
    }
    record.refuses_out = true;
    w->hold = false;
    world_pump(w);
    assert_int_equal(w->side[1].delivered, 0);
    assert_int_equal(world_drops(w, 0, WRN_DROP_POLICY), 10);
    record.refuses_out = false;
    world_send(w, 0, 1, SIZE, 11); /* nothing hinders it: none is held any more */
    assert_int_equal(w->side[1].delivered, 1);
    assert_int_equal(world_drops(w, 0, WRN_DROP_POLICY), 10);
    world_destroy(w);
}

static void what_came_in_stays_outside(void **state) {
    struct record record = {0};
    struct world *w = create(&record);
    (void)state;
    world_send(w, 0, 1, SIZE, 1);
    record.refuses_in = true;
    world_send(w, 0, 1, SIZE, 2);
    assert_int_equal(w->side[1].delivered, 1);
    assert_int_equal(world_drops(w, 1, WRN_DROP_POLICY), 1);
    uint64_t rx_bytes = world_info(w, 1, 0).rx_bytes;
    assert_true(rx_bytes > (uint64_t)2 * SIZE); /* it was authentic: the session lives */
    record.why = WRN_DROP_CLOSED;
    world_send(w, 0, 1, SIZE, 3);
    assert_int_equal(w->side[1].delivered, 1);
    assert_int_equal(world_drops(w, 1, WRN_DROP_CLOSED), 1);
    record.refuses_in = false;
    world_send(w, 0, 1, SIZE, 4);
    assert_int_equal(w->side[1].last_stamp, 4);
    world_destroy(w);
}

/* Makes an IPv4 packet from side 0's address to 10.0.'third'.2. */
static struct wrn_wg_packet make(uint8_t *buffer, uint8_t third) {
    uint8_t *bytes = buffer + WRN_WG_HEADROOM;
    memset(bytes, 0, SIZE);
    bytes[0] = 0x45;
    wrn_store_be16(bytes + 2, SIZE);
    memcpy(bytes + 12, (uint8_t[]){10, 0, 0, 1}, 4);
    memcpy(bytes + 16, (uint8_t[]){10, 0, third, 2}, 4);
    return (struct wrn_wg_packet){.bytes = bytes, .size = SIZE, .peer = {7, 7}};
}

static void one_of_a_batch_is_refused(void **state) {
    enum { COUNT = 6 };
    static uint8_t buffers[COUNT][BUFFER];
    struct record record = {0};
    struct world *w = create(&record);
    struct wrn_wg_packet batch[COUNT];
    (void)state;
    world_send(w, 0, 1, SIZE, 1);
    for (size_t i = 0; i < COUNT; i++) {
        batch[i] = make(buffers[i], i % 3 == 1 ? 9 : 0); /* 1 and 4 are nobody's */
    }
    wrn_wg_on_packets(w->side[0].wg, w->now, batch, COUNT, &w->out);
    for (size_t i = 0; i < COUNT; i++) {
        bool is_unrouted = i % 3 == 1;
        assert_int_equal(batch[i].drop, WRN_DROP_NONE);
        assert_int_equal(batch[i].datagram_size > 0, !is_unrouted);
        assert_int_equal(wrn_handle_equal(batch[i].peer, WRN_HANDLE_NONE), is_unrouted);
        assert_int_equal(batch[i].bytes[0] == 0x45, is_unrouted); /* its bytes are as they were */
    }
    assert_int_equal(w->out.message_count, 0);
    assert_int_equal(world_drops(w, 0, WRN_DROP_PEER_REMOVED), 0);
    world_destroy(w);
}

static void lanes_have_numbers(void **state) {
    struct record record = {0};
    struct world *w = create(&record);
    struct wrn_wg_lane *lanes[3];
    struct wrn_wg_asks *asks = calloc(1, sizeof *asks);
    static uint8_t buffer[BUFFER];
    (void)state;
    assert_non_null(asks);
    world_send(w, 0, 1, SIZE, 1);
    for (uint32_t i = 0; i < 3; i++) {
        void *memory = aligned_alloc(64, (wrn_wg_lane_size() + 63) / 64 * 64);
        assert_non_null(memory);
        memset(memory, 0, wrn_wg_lane_size());
        lanes[i] = wrn_wg_lane_init(memory, w->side[0].wg, w->crypto);
        struct wrn_wg_packet packet = make(buffer, 0);
        wrn_wg_lane_packets(lanes[i], w->now.mono, &packet, 1, asks);
        assert_true(packet.datagram_size > 0);
        assert_int_equal(record.lane, i + 1);
    }
    wrn_wg_lane_finish(lanes[1]); /* its number is the next one's */
    memset(lanes[1], 0, wrn_wg_lane_size());
    (void)wrn_wg_lane_init(lanes[1], w->side[0].wg, w->crypto);
    record.refuses_out = true;
    struct wrn_wg_packet packet = make(buffer, 0);
    wrn_wg_lane_packets(lanes[1], w->now.mono, &packet, 1, asks);
    assert_int_equal(record.lane, 2);
    assert_int_equal(packet.drop, WRN_DROP_POLICY);
    assert_int_equal(packet.datagram_size, 0);
    assert_int_equal(packet.bytes[0], 0x45);
    assert_int_equal(asks->count, 0);
    assert_int_equal(world_drops(w, 0, WRN_DROP_POLICY), 1);
    for (size_t i = 0; i < 3; i++) {
        wrn_wg_lane_finish(lanes[i]);
        free(lanes[i]);
    }
    free(asks);
    world_destroy(w);
}

/* A flood to nobody keeps the owner from nothing else. */
static void unrouted_packets_are_bounded(void **state) {
    struct record record = {0};
    struct world *w = create(&record);
    struct wrn_wg_asks *asks = calloc(1, sizeof *asks);
    static uint8_t buffer[BUFFER];
    void *memory = aligned_alloc(64, (wrn_wg_lane_size() + 63) / 64 * 64);
    uint32_t asked = 0;
    (void)state;
    assert_non_null(asks);
    assert_non_null(memory);
    memset(memory, 0, wrn_wg_lane_size());
    struct wrn_wg_lane *lane = wrn_wg_lane_init(memory, w->side[0].wg, w->crypto);
    for (int second = 0; second < 3; second++) {
        for (int i = 0; i < 1000; i++) {
            struct wrn_wg_packet packet = make(buffer, 9);
            wrn_wg_lane_packets(lane, w->now.mono, &packet, 1, asks);
            asked += asks->count;
            assert_int_equal(packet.drop, asks->count == 1 ? WRN_DROP_NONE : WRN_DROP_CONTROL_BUSY);
            if (asks->count == 1) {
                assert_int_equal(asks->items[0].kind, WRN_WG_ASK_PACKET);
                assert_int_equal(asks->items[0].index, 0);
                assert_true(wrn_handle_equal(asks->items[0].peer, WRN_HANDLE_NONE));
            }
            world_advance(w, WRN_MS(1));
        }
    }
    assert_in_range(asked, 3 * WRN_WG_UNROUTED_PER_S,
                    3 * WRN_WG_UNROUTED_PER_S + WRN_WG_UNROUTED_BURST);
    assert_int_equal(world_drops(w, 0, WRN_DROP_CONTROL_BUSY), 3000 - asked);
    wrn_wg_lane_lost(lane, WRN_HANDLE_NONE); /* its ring was full */
    assert_int_equal(world_drops(w, 0, WRN_DROP_CONTROL_BUSY), 3000 - asked + 1);
    assert_int_equal(record.asked_out, 0); /* there is no peer to ask about */
    struct wrn_wg_packet packet = make(buffer, 9);
    packet.bytes[16] = 224;
    wrn_wg_lane_packets(lane, w->now.mono, &packet, 1, asks);
    assert_int_equal(packet.drop, WRN_DROP_NO_ROUTE); /* whose could that be? */
    assert_int_equal(asks->count, 0);
    wrn_wg_lane_finish(lane);
    free(memory);
    free(asks);
    world_destroy(w);
}

static void without_being_asked_for_they_are_refused(void **state) {
    struct world *w = world_create(11, 2, HANDSHAKES_PER_S);
    static uint8_t buffer[BUFFER];
    struct wrn_wg_packet packet = make(buffer, 9);
    (void)state;
    wrn_wg_on_packets(w->side[0].wg, w->now, &packet, 1, &w->out);
    assert_int_equal(packet.drop, WRN_DROP_NO_ROUTE);
    assert_int_equal(world_drops(w, 0, WRN_DROP_NO_ROUTE), 1);
    world_destroy(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_packet_is_asked_about_at_both_ends),
        cmocka_unit_test(what_the_host_may_not_send_begins_nothing),
        cmocka_unit_test(what_waits_leaves_by_what_holds_then),
        cmocka_unit_test(what_came_in_stays_outside),
        cmocka_unit_test(one_of_a_batch_is_refused),
        cmocka_unit_test(lanes_have_numbers),
        cmocka_unit_test(unrouted_packets_are_bounded),
        cmocka_unit_test(without_being_asked_for_they_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
