/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: boxes in the network: two homes reach each other through them as RFC 4787 lets expect,
 * carrier boxes in front of home boxes, hairpins, IPv6 through firewalls, boxes that forget or get
 * other addresses. Method: small networks, each datagram looked after. */
#include "sim/net.h"
#include "unit/base/check.h"
#include "unit/sim/hosts.h"

static struct hosts *h;

static const enum wrn_family v4 = WRN_FAMILY_IPV4;
static const enum wrn_family v6 = WRN_FAMILY_IPV6;

struct home {
    sim_segment lan;
    sim_nat nat;
    sim_host host;
};

static int setup(void **state) {
    (void)state;
    h = hosts_create(1);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    hosts_destroy(h);
    return 0;
}

static struct home add_home(sim_segment outer, struct sim_nat_options options,
                            const char *prefix6) {
    struct home home;
    home.lan = hosts_segment(h, "192.168.1.0/24", prefix6);
    home.nat = sim_net_add_nat(h->net, home.lan, outer, &options, NULL, NULL);
    home.host = hosts_add(h, home.lan, NULL, NULL);
    return home;
}

/* Lets the server see the host, and returns what it saw. */
static struct wrn_endpoint reflected(sim_host host, sim_host server) {
    struct wrn_endpoint to = hosts_at(h, server, v4, 9);
    hosts_send(h, host, 5, &to, 'r');
    hosts_pass(h, WRN_S(1));
    return hosts_last(h, server)->from;
}

static size_t heard(sim_host host) {
    return h->one[host].count;
}

static void an_answer_comes_back(void **state) {
    (void)state;
    sim_host server = hosts_add(h, SIM_SEGMENT_INTERNET, NULL, NULL);
    struct home home = add_home(SIM_SEGMENT_INTERNET, sim_nat_linux(), NULL);
    struct wrn_endpoint seen = reflected(home.host, server);
    struct wrn_ip outer = sim_nat_address(h->net, home.nat, 0);
    assert_true(wrn_ip_equal(&seen.ip, &outer));
    assert_int_equal(seen.port, 5);
    hosts_send(h, server, 9, &seen, 'a');
    hosts_pass(h, 1);
    struct wrn_endpoint inner = hosts_at(h, home.host, v4, 5);
    struct wrn_endpoint from = hosts_at(h, server, v4, 9);
    assert_true(wrn_endpoint_equal(&hosts_last(h, home.host)->to, &inner));
    assert_true(wrn_endpoint_equal(&hosts_last(h, home.host)->from, &from));
    hosts_send(h, server, 10, &seen, 'b');
    hosts_pass(h, 1);
    assert_int_equal(sim_net_count(h->net, SIM_COUNT_NAT_NO_MAPPING), 1);
    assert_int_equal(sim_nat_mappings(h->net, home.nat), 1);
}

static void two_homes_with_the_same_prefix_punch_holes(void **state) {
    (void)state;
    sim_host server = hosts_add(h, SIM_SEGMENT_INTERNET, NULL, NULL);
    struct home a = add_home(SIM_SEGMENT_INTERNET, sim_nat_cone(SIM_ADDRESS_AND_PORT), NULL);
    struct home b = add_home(SIM_SEGMENT_INTERNET, sim_nat_linux(), NULL);
    struct wrn_endpoint at_a = reflected(a.host, server);
    struct wrn_endpoint at_b = reflected(b.host, server);
    hosts_send(h, a.host, 5, &at_b, 1);
    hosts_pass(h, 1);
    assert_int_equal(heard(b.host), 0); /* but the hole is open now */
    hosts_send(h, b.host, 5, &at_a, 2);
    hosts_send(h, a.host, 5, &at_b, 3);
    hosts_pass(h, 1);
    assert_int_equal(hosts_last(h, a.host)->first, 2);
    assert_int_equal(hosts_last(h, b.host)->first, 3);
}

static void a_carrier_box_stands_before_home_boxes(void **state) {
    (void)state;
    sim_host server = hosts_add(h, SIM_SEGMENT_INTERNET, NULL, NULL);
    sim_segment carrier = hosts_segment(h, "100.64.0.0/10", NULL);
    struct sim_nat_options options = sim_nat_carrier();
    sim_nat outer = sim_net_add_nat(h->net, carrier, SIM_SEGMENT_INTERNET, &options, NULL, NULL);
    struct home a = add_home(carrier, sim_nat_linux(), NULL);
    struct home b = add_home(carrier, sim_nat_linux(), NULL);
    struct wrn_ip middle = sim_nat_address(h->net, a.nat, 0);
    assert_true(middle.bytes[0] == 100 && middle.bytes[1] == 64);
    struct wrn_endpoint at_a = reflected(a.host, server);
    struct wrn_endpoint at_b = reflected(b.host, server);
    struct wrn_ip ip = sim_nat_address(h->net, outer, 0);
    assert_true(wrn_ip_equal(&at_a.ip, &ip) && wrn_ip_equal(&at_b.ip, &ip));
    assert_true(at_a.port != at_b.port);
    hosts_send(h, server, 9, &at_a, 'a');
    hosts_pass(h, 1);
    assert_int_equal(hosts_last(h, a.host)->first, 'a');
    /* Each other's outer endpoints lie at their own carrier's box, which turns datagrams back. */
    hosts_send(h, a.host, 5, &at_b, 1);
    hosts_send(h, b.host, 5, &at_a, 2);
    hosts_send(h, a.host, 5, &at_b, 3);
    hosts_pass(h, 1);
    assert_int_equal(hosts_last(h, a.host)->first, 2);
    assert_int_equal(hosts_last(h, b.host)->first, 3);
    assert_true(wrn_endpoint_equal(&hosts_last(h, b.host)->from, &at_a));
}

static void hairpins_as_the_box_does(void **state) {
    (void)state;
    static const enum sim_hairpin all[] = {SIM_HAIRPIN_NONE, SIM_HAIRPIN_EXTERNAL,
                                           SIM_HAIRPIN_INTERNAL};
    sim_host server = hosts_add(h, SIM_SEGMENT_INTERNET, NULL, NULL);
    for (size_t i = 0; i < WRN_COUNT(all); i++) {
        struct sim_nat_options options = sim_nat_cone(SIM_INDEPENDENT);
        options.hairpin = all[i];
        struct home home = add_home(SIM_SEGMENT_INTERNET, options, NULL);
        sim_host other = hosts_add(h, home.lan, NULL, NULL);
        struct wrn_endpoint at_a = reflected(home.host, server);
        struct wrn_endpoint at_b = reflected(other, server);
        hosts_send(h, home.host, 5, &at_b, 'h');
        hosts_pass(h, 1);
        assert_int_equal(heard(other), all[i] == SIM_HAIRPIN_NONE ? 0 : 1);
        if (all[i] != SIM_HAIRPIN_NONE) {
            struct wrn_endpoint inner = hosts_at(h, home.host, v4, 5);
            const struct wrn_endpoint *from = &hosts_last(h, other)->from;
            assert_true(wrn_endpoint_equal(from, all[i] == SIM_HAIRPIN_EXTERNAL ? &at_a : &inner));
        }
    }
    assert_int_equal(sim_net_count(h->net, SIM_COUNT_NAT_HAIRPIN), 1);
}

/* What comes back in is filtered as anything else from outside: REQ-9. */
static void hairpins_are_filtered(void **state) {
    (void)state;
    sim_host server = hosts_add(h, SIM_SEGMENT_INTERNET, NULL, NULL);
    struct sim_nat_options options = sim_nat_cone(SIM_ADDRESS_AND_PORT);
    options.hairpin = SIM_HAIRPIN_EXTERNAL;
    struct home home = add_home(SIM_SEGMENT_INTERNET, options, NULL);
    sim_host other = hosts_add(h, home.lan, NULL, NULL);
    struct wrn_endpoint at_a = reflected(home.host, server);
    struct wrn_endpoint at_b = reflected(other, server);
    hosts_send(h, home.host, 5, &at_b, 1);
    hosts_pass(h, 1);
    assert_int_equal(heard(other), 0);
    assert_int_equal(sim_net_count(h->net, SIM_COUNT_NAT_FILTERED), 1);
    hosts_send(h, other, 5, &at_a, 2);
    hosts_pass(h, 1);
    assert_int_equal(hosts_last(h, home.host)->first, 2);
}

static void ipv6_is_routed_and_guarded_at_any_depth(void **state) {
    (void)state;
    sim_host server = hosts_add(h, SIM_SEGMENT_INTERNET, NULL, NULL);
    sim_segment carrier = hosts_segment(h, "100.64.0.0/10", "2001:db8:100::/48");
    struct sim_nat_options open = sim_nat_carrier();
    open.opens_ipv6 = true;
    sim_net_add_nat(h->net, carrier, SIM_SEGMENT_INTERNET, &open, NULL, NULL);
    struct home a = add_home(carrier, sim_nat_linux(), "2001:db8:1:1::/64");
    struct home b = add_home(SIM_SEGMENT_INTERNET, sim_nat_linux(), "2001:db8:2:2::/64");
    struct wrn_endpoint at_a = hosts_at(h, a.host, v6, 5);
    struct wrn_endpoint at_b = hosts_at(h, b.host, v6, 5);
    hosts_send(h, server, 9, &at_a, 1);
    hosts_pass(h, 1);
    assert_int_equal(heard(a.host), 0);
    assert_int_equal(sim_net_count(h->net, SIM_COUNT_NAT_NO_MAPPING), 1);
    hosts_send(h, a.host, 5, &at_b, 2); /* opens its own side only */
    hosts_pass(h, 1);
    assert_int_equal(heard(b.host), 0);
    hosts_send(h, b.host, 5, &at_a, 3);
    hosts_send(h, a.host, 5, &at_b, 4);
    hosts_pass(h, 1);
    assert_int_equal(hosts_last(h, a.host)->first, 3);
    assert_int_equal(hosts_last(h, b.host)->first, 4);
    assert_true(wrn_endpoint_equal(&hosts_last(h, b.host)->from, &at_a)); /* untranslated */
}

static void a_box_that_forgets_or_is_renumbered_breaks_flows(void **state) {
    (void)state;
    sim_host server = hosts_add(h, SIM_SEGMENT_INTERNET, NULL, NULL);
    struct home home = add_home(SIM_SEGMENT_INTERNET, sim_nat_cone(SIM_ADDRESS_AND_PORT), NULL);
    struct wrn_endpoint first = reflected(home.host, server);
    sim_nat_forget(h->net, home.nat);
    hosts_send(h, server, 9, &first, 1);
    hosts_pass(h, 1);
    assert_int_equal(sim_net_count(h->net, SIM_COUNT_NAT_NO_MAPPING), 1);
    assert_int_equal(heard(home.host), 0);
    first = reflected(home.host, server);
    sim_nat_renumber(h->net, home.nat);
    hosts_send(h, server, 9, &first, 2);
    hosts_pass(h, 1);
    assert_int_equal(sim_net_count(h->net, SIM_COUNT_NO_ROUTE), 1);
    struct wrn_endpoint second = reflected(home.host, server);
    assert_false(wrn_ip_equal(&first.ip, &second.ip));
    hosts_send(h, server, 9, &second, 3);
    hosts_pass(h, 1);
    assert_int_equal(hosts_last(h, home.host)->first, 3);
}

static void a_box_refuses_under_its_own_names(void **state) {
    (void)state;
    sim_host server = hosts_add(h, SIM_SEGMENT_INTERNET, NULL, NULL);
    struct sim_nat_options blocked = sim_nat_linux();
    struct sim_nat_options small = sim_nat_linux();
    blocked.blocks_udp = true;
    small.mappings_max = 1;
    struct home a = add_home(SIM_SEGMENT_INTERNET, blocked, NULL);
    struct home b = add_home(SIM_SEGMENT_INTERNET, small, NULL);
    struct wrn_endpoint to = hosts_at(h, server, v4, 9);
    hosts_send(h, a.host, 5, &to, 0);
    hosts_send(h, b.host, 5, &to, 0);
    hosts_send(h, b.host, 6, &to, 0);
    hosts_pass(h, 1);
    assert_int_equal(sim_net_count(h->net, SIM_COUNT_NAT_BLOCKED), 1);
    assert_int_equal(sim_net_count(h->net, SIM_COUNT_NAT_FULL), 1);
    assert_int_equal(heard(server), 1);
}

/* The box translates when a datagram comes to it, not when it was sent. */
static void uplinks_have_their_own_properties(void **state) {
    (void)state;
    struct sim_link up = {.delay_ns = 100};
    struct sim_link down = {.delay_ns = 1000};
    struct sim_link small = {.mtu_bytes = 28};
    struct sim_nat_options options = sim_nat_linux();
    sim_host server = hosts_add(h, SIM_SEGMENT_INTERNET, NULL, NULL);
    sim_segment lan = hosts_segment(h, "192.168.1.0/24", NULL);
    sim_nat nat = sim_net_add_nat(h->net, lan, SIM_SEGMENT_INTERNET, &options, &up, &down);
    sim_host inside = hosts_add(h, lan, NULL, NULL);
    struct wrn_endpoint to = hosts_at(h, server, v4, 9);
    hosts_send(h, inside, 5, &to, 1);
    hosts_pass(h, 100);
    assert_int_equal(hosts_last(h, server)->at_ns, 100);
    struct wrn_endpoint back = hosts_last(h, server)->from;
    hosts_send(h, server, 9, &back, 2);
    hosts_pass(h, 1000);
    assert_int_equal(hosts_last(h, inside)->at_ns, 1100);
    hosts_send(h, server, 9, &back, 3);
    hosts_pass(h, 500);
    sim_nat_forget(h->net, nat); /* it is on the downlink */
    hosts_pass(h, 1000);
    assert_int_equal(heard(inside), 1);
    sim_nat_set_link(h->net, nat, &small, &small);
    hosts_send(h, inside, 5, &to, 4);
    hosts_pass(h, 1000);
    assert_int_equal(sim_net_count(h->net, SIM_COUNT_TOO_LARGE), 1);
}

/* Linux without a rule that drops strays, in the network: simultaneous opening fails. */
static void strays_spoil_simultaneous_opening(void **state) {
    (void)state;
    for (int remembers = 0; remembers < 2; remembers++) {
        sim_host server = hosts_add(h, SIM_SEGMENT_INTERNET, NULL, NULL);
        struct sim_nat_options options = sim_nat_linux();
        options.remembers_strays = remembers != 0;
        struct home a = add_home(SIM_SEGMENT_INTERNET, options, NULL);
        struct home b = add_home(SIM_SEGMENT_INTERNET, options, NULL);
        struct wrn_endpoint at_a = reflected(a.host, server);
        struct wrn_endpoint at_b = reflected(b.host, server);
        hosts_send(h, a.host, 5, &at_b, 1); /* comes to b's box first */
        hosts_pass(h, 1);
        hosts_send(h, b.host, 5, &at_a, 2); /* leaves by another port then */
        hosts_send(h, a.host, 5, &at_b, 3);
        hosts_pass(h, 1);
        assert_int_equal(heard(a.host), remembers != 0 ? 0 : 1);
        assert_int_equal(heard(b.host), remembers != 0 ? 0 : 1);
    }
}

static void put_two_boxes_before_one_segment(void) {
    struct sim_nat_options options = sim_nat_linux();
    struct home home = add_home(SIM_SEGMENT_INTERNET, options, NULL);
    sim_net_add_nat(h->net, home.lan, SIM_SEGMENT_INTERNET, &options, NULL, NULL);
}

static void put_boxes_in_a_ring(void) {
    struct sim_nat_options options = sim_nat_linux();
    sim_segment inner = hosts_segment(h, "10.1.0.0/16", NULL);
    sim_segment outer = hosts_segment(h, "10.2.0.0/16", NULL);
    sim_net_add_nat(h->net, inner, outer, &options, NULL, NULL);
    sim_net_add_nat(h->net, outer, inner, &options, NULL, NULL);
}

static void refuses_networks_that_are_no_tree(void **state) {
    (void)state;
    check_dies(put_two_boxes_before_one_segment);
    check_dies(put_boxes_in_a_ring);
}

#define NET_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        NET_TEST(an_answer_comes_back),
        NET_TEST(two_homes_with_the_same_prefix_punch_holes),
        NET_TEST(a_carrier_box_stands_before_home_boxes),
        NET_TEST(hairpins_as_the_box_does),
        NET_TEST(hairpins_are_filtered),
        NET_TEST(ipv6_is_routed_and_guarded_at_any_depth),
        NET_TEST(a_box_that_forgets_or_is_renumbered_breaks_flows),
        NET_TEST(a_box_refuses_under_its_own_names),
        NET_TEST(uplinks_have_their_own_properties),
        NET_TEST(strays_spoil_simultaneous_opening),
        NET_TEST(refuses_networks_that_are_no_tree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
