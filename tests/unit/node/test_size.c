/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: packets to a peer are as large as the path to it is found to carry, and at once no larger
 * than relays carry when it is another one. Method: a few hosts in virtual time; of what nodes say
 * in the tunnel only so much arrives. */
#include "unit/node/hosts.h"

enum { ALICE, BOB, CAROL, RELAYED = 1356, FULL = 1420, DIRECT = 1, BY_RELAY = 2 };

static uint32_t alices, bobs, carols;
static uint32_t wanted_size, wanted_way;

static bool is_settled(uint32_t host, uint32_t network) {
    struct wrn_node_network_info info = hosts_info(host, network);
    return info.ring == WRN_RING_STATE_CONNECTED && info.lease == WRN_CLAIM_HELD &&
           info.ipv4.family == WRN_FAMILY_IPV4;
}

static bool are_settled(void) {
    return is_settled(ALICE, alices) && is_settled(BOB, bobs) && is_settled(CAROL, carols);
}

static uint32_t size_of(uint32_t host, uint32_t network, uint32_t other, uint32_t *ret_way) {
    struct wrn_node_peer_info peer;
    *ret_way = 0;
    if (!hosts_peer(host, network, other, &peer)) {
        return 0;
    }
    *ret_way = peer.overlay.way.kind == WRN_WAY_RELAY ? BY_RELAY : DIRECT;
    return peer.mtu;
}

static struct host_packet large_packet(uint32_t size) {
    struct wrn_ip from = hosts_info(BOB, bobs).ipv4, to = hosts_info(CAROL, carols).ipv4;
    struct host_packet packet = hosts_packet(&from, &to, "text");
    memset(packet.bytes + packet.size, 0, sizeof(packet.bytes) - packet.size);
    packet.size = size;
    wrn_store_be16(packet.bytes + 2, (uint16_t)size);
    wrn_store_be16(packet.bytes + 24, (uint16_t)(size - 20));
    memcpy(packet.bytes + size - 4, "last", 4);
    packet.bytes[6] = 0x40; /* not to be fragmented */
    return packet;
}

static uint32_t send_large(uint32_t size) {
    struct host_packet packet = large_packet(size);
    uint32_t before = hosts_got(CAROL, carols, "last");
    hosts_send(BOB, bobs, (wrn_span){packet.bytes, packet.size});
    hosts_run(1000);
    return hosts_got(CAROL, carols, "last") - before;
}

/* He who sends says so. */
static bool is_as_wanted(void) {
    uint32_t way;
    return size_of(BOB, bobs, CAROL, &way) == wanted_size && way == wanted_way;
}

/* Sends a packet a second, of a size that passes anyway. Returns how many seconds it took. */
static uint32_t talk_until(uint32_t size, uint32_t way, uint32_t seconds) {
    uint32_t taken = 0;
    wanted_size = size;
    wanted_way = way;
    while (!is_as_wanted()) {
        (void)send_large(RELAYED);
        taken++;
        CHECK(taken <= seconds, "%u bytes by way %u, not within %u s: ", size, way, seconds);
    }
    return taken;
}

static void make_three(void) {
    hosts_mtu = FULL;
    for (char letter = 'a'; letter <= 'c'; letter++) {
        (void)hosts_add(letter);
    }
    alices = hosts_create(ALICE, "lab", "10.77.0.0/24");
    hosts_run(2000);
    bobs = hosts_join(BOB, ALICE, alices, "(member)", 0);
    carols = hosts_join(CAROL, ALICE, alices, "(member)", 0);
    hosts_until(are_settled, 90, "three hosts have addresses");
}

static void more_is_sent_where_more_was_found_to_arrive(void **state) {
    (void)state;
    uint32_t way;
    make_three();
    hosts_run(30000);
    assert_int_equal(hosts_owns, 0); /* who does not talk is not asked */
    assert_int_equal(size_of(BOB, bobs, CAROL, &way), RELAYED);
    (void)talk_until(FULL, DIRECT, 10);
    assert_int_equal(send_large(FULL), 1);
    assert_int_equal(send_large(FULL + 1), 0);
    uint32_t owns = hosts_owns;
    hosts_run(500000);
    assert_in_range(hosts_owns, owns, owns + 2); /* nor confirmed again and again */
    assert_int_equal(send_large(FULL), 1);
}

static void less_is_found_where_less_arrives(void **state) {
    (void)state;
    hosts_whole_max = 1405;
    make_three();
    hosts_whole_max = 1405;
    (void)talk_until(1400, DIRECT, 20);
    assert_int_equal(send_large(1400), 1);
    assert_int_equal(send_large(1401), 0);
}

static void a_black_hole_costs_20_seconds_of_traffic(void **state) {
    (void)state;
    make_three();
    (void)talk_until(FULL, DIRECT, 10);
    hosts_run(100000);
    hosts_whole_max = RELAYED;
    (void)talk_until(RELAYED, DIRECT, 20);
    assert_int_equal(send_large(FULL), 0);
}

static void a_relay_makes_it_less_and_the_way_back_more(void **state) {
    (void)state;
    make_three();
    (void)talk_until(FULL, DIRECT, 10);
    hosts_are_apart[BOB][CAROL] = hosts_are_apart[CAROL][BOB] = true;
    (void)talk_until(RELAYED, BY_RELAY, 60);
    assert_int_equal(send_large(RELAYED), 1);
    assert_int_equal(send_large(FULL), 0);
    hosts_are_apart[BOB][CAROL] = hosts_are_apart[CAROL][BOB] = false;
    (void)talk_until(FULL, DIRECT, 300);
    assert_int_equal(send_large(FULL), 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, hosts_begin, hosts_end)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(more_is_sent_where_more_was_found_to_arrive),
        CASE(less_is_found_where_less_arrives),
        CASE(a_black_hole_costs_20_seconds_of_traffic),
        CASE(a_relay_makes_it_less_and_the_way_back_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
