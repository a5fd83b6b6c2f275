/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: whole nodes find each other, have addresses and names, send what both may send, and no
 * longer than they may. Method: a few hosts in virtual time. */
#include "unit/node/hosts.h"

enum { ALICE, BOB, CAROL };

static uint32_t alices, bobs, carols;

static bool two_are_connected(void) {
    return hosts_info(ALICE, alices).ring == WRN_RING_STATE_CONNECTED &&
           hosts_info(BOB, bobs).ring == WRN_RING_STATE_CONNECTED;
}

static bool is_settled(uint32_t host, uint32_t network) {
    struct wrn_node_network_info info = hosts_info(host, network);
    return info.ring == WRN_RING_STATE_CONNECTED && info.lease == WRN_CLAIM_HELD &&
           info.name == WRN_CLAIM_HELD && info.ipv4.family == WRN_FAMILY_IPV4;
}

static bool two_are_settled(void) {
    return is_settled(ALICE, alices) && is_settled(BOB, bobs);
}

static bool three_are_settled(void) {
    return two_are_settled() && is_settled(CAROL, carols);
}

static bool two_know_addresses(void) {
    struct wrn_node_peer_info a, b;
    return hosts_peer(ALICE, alices, BOB, &a) && hosts_peer(BOB, bobs, ALICE, &b) &&
           a.ipv4.family == WRN_FAMILY_IPV4 && b.ipv4.family == WRN_FAMILY_IPV4;
}

static void make_two(const char *element, int64_t until_s) {
    assert_int_equal(hosts_add('a'), ALICE);
    assert_int_equal(hosts_add('b'), BOB);
    alices = hosts_create(ALICE, "lab", "10.77.0.0/24");
    hosts_run(2000);
    bobs = hosts_join(BOB, ALICE, alices, element, until_s);
    hosts_until(two_are_settled, 60, "two hosts have addresses and names");
    hosts_until(two_know_addresses, 20, "they have told each other");
}

static struct wrn_ip hit_of(uint32_t host) {
    struct wrn_ip ip = {.family = WRN_FAMILY_IPV6};
    memcpy(ip.bytes, wrn_node_hit(hosts[host].node), WRN_HIT_SIZE);
    return ip;
}

static void send(uint32_t host, uint32_t network, const struct wrn_ip *from,
                 const struct wrn_ip *to, const char *text) {
    struct host_packet packet = hosts_packet(from, to, text);
    hosts_send(host, network, (wrn_span){packet.bytes, packet.size});
}

static void test_alone(void **state) {
    (void)state;
    hosts_add('a');
    uint32_t network = hosts_create(ALICE, "lab", "10.77.0.0/29");
    hosts_run(5000);
    struct wrn_node_network_info info = hosts_info(ALICE, network);
    assert_int_equal(info.lease, WRN_CLAIM_HELD);
    assert_int_equal(info.name, WRN_CLAIM_HELD);
    assert_string_equal(info.label, "host-a");
    assert_string_equal(info.trouble, "");
    assert_true(info.rights & WRN_RIGHT_OWNER);
    assert_int_equal(info.resolver.bytes[3], 1);
    /* the resolver, IPv6, the lease and the HIT; the way to all HITs */
    assert_int_equal(hosts[ALICE].address_count, 4);
    assert_int_equal(hosts[ALICE].route_count, 1);
    assert_true(hosts[ALICE].saves > 0);
}

static void test_two(void **state) {
    (void)state;
    make_two("(member)", 0);
    struct wrn_node_network_info a = hosts_info(ALICE, alices), b = hosts_info(BOB, bobs);
    struct wrn_ip hit_a = hit_of(ALICE), hit_b = hit_of(BOB);
    send(ALICE, alices, &a.ipv4, &b.ipv4, "four there");
    send(ALICE, alices, &a.ipv6, &b.ipv6, "six there");
    send(ALICE, alices, &hit_a, &hit_b, "hit there");
    hosts_run(1000);
    assert_int_equal(hosts_got(BOB, bobs, "four there"), 1);
    assert_int_equal(hosts_got(BOB, bobs, "six there"), 1);
    assert_int_equal(hosts_got(BOB, bobs, "hit there"), 1);
    send(BOB, bobs, &b.ipv4, &a.ipv4, "four back");
    send(BOB, bobs, &b.ipv6, &a.ipv6, "six back");
    send(BOB, bobs, &hit_b, &hit_a, "hit back");
    hosts_run(1000);
    assert_int_equal(hosts_got(ALICE, alices, "four back"), 1);
    assert_int_equal(hosts_got(ALICE, alices, "six back"), 1);
    assert_int_equal(hosts_got(ALICE, alices, "hit back"), 1);
    /* not from an address that is not its own */
    struct wrn_ip other = b.ipv4;
    other.bytes[3] = (uint8_t)(other.bytes[3] == 77 ? 78 : 77);
    send(BOB, bobs, &other, &a.ipv4, "forged");
    hosts_run(1000);
    assert_int_equal(hosts_got(ALICE, alices, "forged"), 0);
    struct wrn_node_peer_info peer;
    assert_true(hosts_peer(ALICE, alices, BOB, &peer));
    assert_string_equal(peer.label, "host-b");
    assert_true(peer.is_open);
    assert_non_null(hosts_event(ALICE, WRN_NODE_EVENT_PEER_UP_KIND));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_alone, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(test_two, hosts_begin, hosts_end),
    };
    (void)three_are_settled;
    (void)two_are_connected;
    (void)carols;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
