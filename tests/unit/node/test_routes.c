/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what lies behind a member is reached by whom it may be, and nothing leads into itself.
 * Method: two nodes in virtual time; what the host was told to route is looked at, packets sent. */
#include "unit/node/hosts.h"

enum { ALICE, BOB };

static uint32_t alices, bobs;

static bool two_know_addresses(void) {
    struct wrn_node_peer_info a, b;
    return hosts_peer(ALICE, alices, BOB, &a) && hosts_peer(BOB, bobs, ALICE, &b) &&
           a.ipv4.family == WRN_FAMILY_IPV4 && b.ipv4.family == WRN_FAMILY_IPV4 && !a.is_waiting &&
           !b.is_waiting;
}

static void make_two(const char *element) {
    assert_int_equal(hosts_add('a'), ALICE);
    assert_int_equal(hosts_add('b'), BOB);
    alices = hosts_create(ALICE, "lab", "10.77.0.0/24");
    hosts_run(2000);
    bobs = hosts_join(BOB, ALICE, alices, element, 0);
    hosts_until(two_know_addresses, 60, "two hosts have told each other their addresses");
}

static void accept_routes(void) {
    hosts_before();
    wrn_node_accept_routes(hosts[ALICE].node, hosts_now, hosts[ALICE].networks[alices], true,
                           hosts_out);
    hosts_perform(ALICE);
}

static struct wrn_prefix read_prefix(const char *text) {
    struct wrn_prefix prefix;
    assert_int_equal(wrn_prefix_parse((wrn_span){(const uint8_t *)text, strlen(text)}, &prefix), 0);
    return prefix;
}

static void send(uint32_t host, uint32_t network, const struct wrn_ip *from,
                 const struct wrn_ip *to, const char *text) {
    struct host_packet packet = hosts_packet(from, to, text);
    hosts_send(host, network, (wrn_span){packet.bytes, packet.size});
}

static uint32_t routes_to(uint32_t host, const struct wrn_prefix *prefix) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < hosts[host].route_count; i++) {
        count += hosts[host].routes[i].prefix.length_bits == prefix->length_bits &&
                 wrn_ip_equal(&hosts[host].routes[i].prefix.ip, &prefix->ip);
    }
    return count;
}

static enum wrn_reason offer(uint32_t host, uint32_t network, const struct wrn_prefix *prefix,
                             bool is_offered) {
    hosts_before();
    enum wrn_reason reason = wrn_node_offer_route(
        hosts[host].node, hosts_now, hosts[host].networks[network], prefix, is_offered, hosts_out);
    hosts_perform(host);
    return reason;
}

/* A prefix behind bob is reached by alice once she wants that, if his certificate permits it. */
static void used_when_accepted(void **state) {
    (void)state;
    struct wrn_prefix behind = read_prefix("192.168.7.0/24"), wide = read_prefix("10.0.0.0/8"),
                      other = read_prefix("192.168.8.0/24");
    struct wrn_node_route route;
    uint32_t cursor = 0;
    make_two("(* set (member) (route (ip4 (* prefix #c0a807#))))");
    assert_int_equal(offer(BOB, bobs, &wide, true), WRN_REASON_RULE);
    assert_int_equal(offer(BOB, bobs, &other, true), WRN_REASON_NOT_ADMITTED);
    assert_int_equal(offer(BOB, bobs, &other, false), WRN_REASON_NOT_FOUND);
    assert_int_equal(offer(BOB, bobs, &behind, true), WRN_REASON_NONE);
    hosts_run(3000);
    assert_true(
        wrn_node_next_route(hosts[ALICE].node, hosts[ALICE].networks[alices], &cursor, &route));
    assert_false(route.is_ours);
    assert_false(route.is_used);
    assert_string_equal(route.label, "host-b");
    assert_false(
        wrn_node_next_route(hosts[ALICE].node, hosts[ALICE].networks[alices], &cursor, &route));
    assert_int_equal(routes_to(ALICE, &behind), 0);
    struct wrn_ip a = hosts_info(ALICE, alices).ipv4, far = behind.ip;
    far.bytes[3] = 9;
    send(BOB, bobs, &far, &a, "not wanted");
    hosts_run(1000);
    assert_int_equal(hosts_got(ALICE, alices, "not wanted"), 0);
    accept_routes();
    assert_int_equal(routes_to(ALICE, &behind), 1);
    send(ALICE, alices, &a, &far, "behind bob");
    send(BOB, bobs, &far, &a, "from behind bob");
    hosts_run(1000);
    assert_int_equal(hosts_got(BOB, bobs, "behind bob"), 1);
    assert_int_equal(hosts_got(ALICE, alices, "from behind bob"), 1);
    assert_int_equal(offer(BOB, bobs, &behind, false), WRN_REASON_NONE);
    hosts_run(3000);
    assert_int_equal(routes_to(ALICE, &behind), 0);
}

/* Where a peer is reached no route leads through the tunnel to him, as long as he is there. */
static void not_used_underneath(void **state) {
    (void)state;
    struct wrn_prefix around = read_prefix("192.0.2.0/24");
    make_two("(* set (member) (route (ip4 (* prefix #c00002#))))");
    accept_routes();
    assert_int_equal(offer(BOB, bobs, &around, true), WRN_REASON_NONE);
    hosts_run(3000);
    struct wrn_node_route route;
    uint32_t cursor = 0;
    assert_true(
        wrn_node_next_route(hosts[ALICE].node, hosts[ALICE].networks[alices], &cursor, &route));
    assert_false(route.is_used);
    assert_int_equal(routes_to(ALICE, &around), 0);
    struct wrn_ip a = hosts_info(ALICE, alices).ipv4, b = hosts_info(BOB, bobs).ipv4;
    send(ALICE, alices, &a, &b, "still there");
    hosts_run(1000);
    assert_int_equal(hosts_got(BOB, bobs, "still there"), 1);
    hosts[BOB].at.ip.bytes[1] = 1; /* he is at 192.1.2.2 from now on */
    for (uint32_t i = 0; i < 60 && routes_to(ALICE, &around) == 0; i++) {
        send(BOB, bobs, &b, &a, "from elsewhere");
        hosts_run(1000);
    }
    assert_int_equal(routes_to(ALICE, &around), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(used_when_accepted, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(not_used_underneath, hosts_begin, hosts_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
