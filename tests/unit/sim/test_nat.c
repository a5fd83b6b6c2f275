/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: each property of RFC 4787 that a box can have or lack, by name, and Linux' masquerade as it
 * is. Method: datagrams out and in at written-down times, in text: "inner > remote". */
#include "sim/nat.h"
#include "unit/base/check.h"

static struct sim_nat_box *box;
static wrn_mono now;

static struct wrn_endpoint at(const char *text) {
    struct wrn_endpoint e = {0};
    assert_int_equal(wrn_endpoint_parse((wrn_span){(const uint8_t *)text, strlen(text)}, &e), 0);
    return e;
}

static void start(struct sim_nat_options options) {
    struct wrn_prng prng;
    struct wrn_ip ips[SIM_NAT_ADDRESSES_MAX];
    for (uint8_t i = 0; i < SIM_NAT_ADDRESSES_MAX; i++) {
        ips[i] = at("11.0.0.1:1").ip;
        ips[i].bytes[3] = (uint8_t)(i + 1);
    }
    sim_nat_box_destroy(box);
    wrn_prng_init(&prng, 1, 1);
    box = sim_nat_box_create(&options, &prng);
    sim_nat_box_set_addresses(box, ips);
    now.ns = WRN_S(1000);
}

static int finish(void **state) {
    (void)state;
    sim_nat_box_destroy(box);
    box = NULL;
    return 0;
}

static void pass(uint64_t ns) {
    now.ns += ns;
}

/* Sends out; returns the outer endpoint. */
static struct wrn_endpoint out(const char *inner, const char *remote) {
    struct wrn_endpoint from = at(inner);
    struct wrn_endpoint to = at(remote);
    enum sim_nat_verdict verdict = sim_nat_box_outbound(box, now, &from, &to);
    CHECK(verdict == SIM_NAT_PASSES, "%s > %s: %d: ", inner, remote, (int)verdict);
    return from;
}

static uint16_t out_port(const char *inner, const char *remote) {
    return out(inner, remote).port;
}

static enum sim_nat_verdict try_out(const char *inner, const char *remote) {
    struct wrn_endpoint from = at(inner);
    struct wrn_endpoint to = at(remote);
    return sim_nat_box_outbound(box, now, &from, &to);
}

static enum sim_nat_verdict in(const char *remote, struct wrn_endpoint outer) {
    struct wrn_endpoint from = at(remote);
    return sim_nat_box_inbound(box, now, &from, &outer);
}

/* Tells whether a datagram comes through to 'inner'. */
static bool reaches(const char *remote, struct wrn_endpoint outer, const char *inner) {
    struct wrn_endpoint from = at(remote);
    struct wrn_endpoint expected = at(inner);
    return sim_nat_box_inbound(box, now, &from, &outer) == SIM_NAT_PASSES &&
           wrn_endpoint_equal(&outer, &expected);
}

static const char a5[] = "192.168.1.2:5000";
static const char a6[] = "192.168.1.2:6000";
static const char b5[] = "192.168.1.3:5000";

/* Sections 4.1 and 5: which of three remote ends see one outer endpoint, and which may answer. */
static void mapping_and_filtering_depend_on_what_they_should(void **state) {
    (void)state;
    static const enum sim_dependence all[] = {SIM_INDEPENDENT, SIM_ADDRESS, SIM_ADDRESS_AND_PORT};
    for (size_t m = 0; m < 3; m++) {
        for (size_t f = 0; f < 3; f++) {
            struct sim_nat_options options = sim_nat_cone(all[f]);
            options.mapping = all[m];
            options.ports = SIM_PORTS_RANDOM; /* so that two mappings differ */
            start(options);
            struct wrn_endpoint first = out(a5, "1.1.1.1:1");
            assert_int_equal(out_port(a5, "1.1.1.1:1"), first.port);
            assert_int_equal(in("1.1.1.1:2", first) == SIM_NAT_PASSES, f != 2);
            assert_int_equal(in("2.2.2.2:1", first) == SIM_NAT_PASSES, f == 0);
            assert_true(f != 2 || in("1.1.1.1:2", first) == SIM_NAT_FILTERED);
            assert_true(reaches("1.1.1.1:1", first, a5));
            assert_int_equal(out_port(a5, "1.1.1.1:2") == first.port, m != 2);
            assert_int_equal(out_port(a5, "2.2.2.2:1") == first.port, m == 0);
            assert_true(out_port(a6, "1.1.1.1:1") != first.port);
        }
    }
}

static void what_has_no_mapping_is_refused(void **state) {
    (void)state;
    start(sim_nat_cone(SIM_INDEPENDENT));
    assert_int_equal(in("1.1.1.1:1", at("11.0.0.1:5000")), SIM_NAT_NO_MAPPING);
    struct wrn_endpoint outer = out(a5, "1.1.1.1:1");
    outer.port++;
    assert_int_equal(in("1.1.1.1:1", outer), SIM_NAT_NO_MAPPING);
}

/* Section 4.2.1, "port preservation" without overloading. */
static void keeps_ports_and_finds_a_free_one_on_collision(void **state) {
    (void)state;
    start(sim_nat_cone(SIM_ADDRESS_AND_PORT));
    assert_int_equal(out_port(a5, "1.1.1.1:1"), 5000);
    assert_int_equal(out_port(a6, "1.1.1.1:1"), 6000);
    struct wrn_endpoint second = out(b5, "2.2.2.2:2");
    assert_true(second.port != 5000 && second.port >= 1024);
    assert_int_equal(out_port(b5, "3.3.3.3:3"), second.port);
    assert_true(reaches("1.1.1.1:1", at("11.0.0.1:5000"), a5));
    assert_true(reaches("2.2.2.2:2", second, b5));
}

static void a_port_is_free_again_when_its_mapping_died(void **state) {
    (void)state;
    start(sim_nat_cone(SIM_INDEPENDENT));
    assert_int_equal(out_port(a5, "1.1.1.1:1"), 5000);
    pass(WRN_S(120));
    assert_int_equal(out_port(b5, "1.1.1.1:1"), 5000);
    assert_true(out_port(a5, "1.1.1.1:1") != 5000);
}

/* REQ-3a: ports below 1024 stay there, others stay out. */
static void well_known_ports_stay_among_themselves(void **state) {
    (void)state;
    static const enum sim_ports all[] = {SIM_PORTS_KEEP, SIM_PORTS_NEXT, SIM_PORTS_RANDOM};
    for (size_t p = 0; p < WRN_COUNT(all); p++) {
        struct sim_nat_options options = sim_nat_cone(SIM_INDEPENDENT);
        options.ports = all[p];
        options.port_step = 7;
        start(options);
        for (unsigned i = 0; i < 200; i++) {
            struct wrn_endpoint inner = {.ip = at(a5).ip, .port = i % 2 == 0 ? 500 : 5000};
            struct wrn_endpoint to = at("1.1.1.1:1");
            inner.ip.bytes[3] = (uint8_t)(i + 1);
            assert_int_equal(sim_nat_box_outbound(box, now, &inner, &to), SIM_NAT_PASSES);
            assert_true((inner.port < 1024) == (i % 2 == 0) && inner.port > 0);
        }
    }
}

static void next_ports_step_and_skip_what_is_taken(void **state) {
    (void)state;
    start(sim_nat_symmetric(SIM_PORTS_NEXT, 2));
    uint16_t first = out_port(a5, "1.1.1.1:1");
    assert_int_equal(out_port(a5, "1.1.1.1:2"), first + 2);
    assert_int_equal(out_port(b5, "1.1.1.1:2"), first + 4); /* others use them up too */
    assert_int_equal(out_port(a5, "1.1.1.1:3"), first + 6);
    /* Step through all of them, once round: what lives is not given again. */
    struct sim_nat_options options = sim_nat_symmetric(SIM_PORTS_NEXT, 1);
    options.timeout_ns = WRN_S(10);
    start(options);
    first = out_port(a5, "1.1.1.1:1");
    pass(WRN_S(9));
    assert_int_equal(out_port(a5, "1.1.1.1:1"), first);
    pass(WRN_S(9));
    for (uint32_t i = 1; i < 64512; i++) {
        struct wrn_endpoint from = at(a5);
        struct wrn_endpoint to = {.ip = at("2.2.2.2:1").ip, .port = (uint16_t)i};
        assert_int_equal(sim_nat_box_outbound(box, now, &from, &to), SIM_NAT_PASSES);
        assert_int_not_equal(from.port, first);
    }
    assert_int_equal(try_out(a5, "3.3.3.3:1"), SIM_NAT_FULL); /* every port is taken */
    pass(WRN_S(1));                                           /* the first one dies */
    assert_int_equal(out_port(a5, "3.3.3.3:1"), first);
}

static void random_ports_are_spread(void **state) {
    (void)state;
    enum { MANY = 4000, PARTS = 16 };
    uint32_t parts[PARTS] = {0};
    start(sim_nat_symmetric(SIM_PORTS_RANDOM, 0));
    for (uint32_t i = 1; i <= MANY; i++) {
        struct wrn_endpoint from = at(a5);
        struct wrn_endpoint to = {.ip = at("2.2.2.2:1").ip, .port = (uint16_t)i};
        assert_int_equal(sim_nat_box_outbound(box, now, &from, &to), SIM_NAT_PASSES);
        assert_true(from.port >= 1024);
        parts[(from.port - 1024) * PARTS / 64512]++;
    }
    for (size_t i = 0; i < PARTS; i++) { /* 250 each, sigma 15 */
        CHECK(parts[i] > 170 && parts[i] < 330, "part %zu: %u: ", i, parts[i]);
    }
}

/* Section 4.3: outbound always refreshes, inbound where it is said. */
static void refreshes_by_direction(void **state) {
    (void)state;
    for (int inbound = 0; inbound < 2; inbound++) {
        struct sim_nat_options options = sim_nat_cone(SIM_ADDRESS_AND_PORT);
        options.refreshes_inbound = inbound != 0;
        start(options);
        struct wrn_endpoint outer = out(a5, "1.1.1.1:1");
        pass(WRN_S(120) - 1);
        (void)out(a5, "1.1.1.1:1");
        pass(WRN_S(120) - 1);
        assert_true(reaches("1.1.1.1:1", outer, a5));
        pass(WRN_S(120) - 1);
        assert_int_equal(reaches("1.1.1.1:1", outer, a5), inbound != 0);
        pass(WRN_S(120));
        assert_int_equal(in("1.1.1.1:1", outer), SIM_NAT_NO_MAPPING);
        assert_int_equal(sim_nat_box_count(box, now), 0);
    }
}

/* A refused datagram must not keep a mapping alive: an outsider could do it for ever. */
static void what_is_filtered_refreshes_nothing(void **state) {
    (void)state;
    start(sim_nat_cone(SIM_ADDRESS));
    struct wrn_endpoint outer = out(a5, "1.1.1.1:1");
    pass(WRN_S(119));
    assert_int_equal(in("2.2.2.2:1", outer), SIM_NAT_FILTERED);
    pass(WRN_S(1));
    assert_int_equal(in("1.1.1.1:1", outer), SIM_NAT_NO_MAPPING);
}

/* The way back for one remote end dies by itself while the mapping lives on with another. */
static void filters_time_out_one_by_one(void **state) {
    (void)state;
    start(sim_nat_cone(SIM_ADDRESS_AND_PORT));
    struct wrn_endpoint outer = out(a5, "1.1.1.1:1");
    pass(WRN_S(100));
    (void)out(a5, "2.2.2.2:2");
    pass(WRN_S(20));
    assert_int_equal(in("1.1.1.1:1", outer), SIM_NAT_FILTERED);
    assert_true(reaches("2.2.2.2:2", outer, a5));
    assert_int_equal(out_port(a5, "1.1.1.1:1"), outer.port); /* opens it again */
    assert_true(reaches("1.1.1.1:1", outer, a5));
}

static void many_filters_are_swept(void **state) {
    (void)state;
    start(sim_nat_cone(SIM_ADDRESS_AND_PORT));
    struct wrn_endpoint outer = out(a5, "1.1.1.1:1");
    for (uint32_t i = 1; i <= 3000; i++) {
        struct wrn_endpoint from = at(a5);
        struct wrn_endpoint to = {.ip = at("2.2.2.2:1").ip, .port = (uint16_t)i};
        assert_int_equal(sim_nat_box_outbound(box, now, &from, &to), SIM_NAT_PASSES);
        pass(WRN_S(1));
    }
    assert_int_equal(in("2.2.2.2:2880", outer), SIM_NAT_FILTERED);
    assert_true(reaches("2.2.2.2:2882", outer, a5));
    assert_true(reaches("2.2.2.2:3000", outer, a5));
}

/* 30 s until it was answered and two seconds old, then 120. */
static void linux_keeps_answered_streams_longer(void **state) {
    (void)state;
    start(sim_nat_linux());
    struct wrn_endpoint outer = out(a5, "1.1.1.1:1");
    assert_true(reaches("1.1.1.1:1", outer, a5));
    (void)out(a5, "1.1.1.1:1"); /* answered, but too young */
    pass(WRN_S(30));
    assert_int_equal(in("1.1.1.1:1", outer), SIM_NAT_NO_MAPPING);
    outer = out(a5, "1.1.1.1:1");
    pass(WRN_S(3));
    (void)out(a5, "1.1.1.1:1"); /* old enough, but not answered */
    pass(WRN_S(30));
    assert_int_equal(in("1.1.1.1:1", outer), SIM_NAT_NO_MAPPING);
    outer = out(a5, "1.1.1.1:1");
    pass(WRN_S(3));
    assert_true(reaches("1.1.1.1:1", outer, a5));
    (void)out(a5, "1.1.1.1:1");
    pass(WRN_S(119));
    assert_true(reaches("1.1.1.1:1", outer, a5));
    pass(WRN_S(120));
    assert_int_equal(in("1.1.1.1:1", outer), SIM_NAT_NO_MAPPING);
}

/* Seen from one inner host it maps endpoint-independently, though each flow stands for itself. */
static void linux_keeps_the_port_for_everybody(void **state) {
    (void)state;
    start(sim_nat_linux());
    assert_int_equal(out_port(a5, "1.1.1.1:1"), 5000);
    assert_int_equal(out_port(a5, "2.2.2.2:2"), 5000);
    assert_int_equal(sim_nat_box_count(box, now), 2);
    assert_int_equal(in("3.3.3.3:3", at("11.0.0.1:5000")), SIM_NAT_NO_MAPPING);
    assert_true(reaches("2.2.2.2:2", at("11.0.0.1:5000"), a5));
}

/* Two inner hosts with one port share it, until they speak to the same remote end. */
static void linux_changes_the_port_only_on_collision(void **state) {
    (void)state;
    start(sim_nat_linux());
    assert_int_equal(out_port(a5, "1.1.1.1:1"), 5000);
    assert_int_equal(out_port(b5, "2.2.2.2:2"), 5000);
    struct wrn_endpoint third = out(b5, "1.1.1.1:1");
    assert_true(third.port != 5000 && third.port >= 1024);
    assert_true(reaches("1.1.1.1:1", at("11.0.0.1:5000"), a5));
    assert_true(reaches("2.2.2.2:2", at("11.0.0.1:5000"), b5));
    assert_true(reaches("1.1.1.1:1", third, b5));
}

/* The probe that comes first makes the box' own probe leave by another port: simultaneous opening
 * fails. With a rule that drops strays it does not. */
static void linux_without_a_drop_rule_remembers_strays(void **state) {
    (void)state;
    for (int remembers = 0; remembers < 2; remembers++) {
        struct sim_nat_options options = sim_nat_linux();
        options.remembers_strays = remembers != 0;
        start(options);
        assert_int_equal(out_port(a5, "9.9.9.9:9"), 5000);
        assert_int_equal(in("1.1.1.1:1", at("11.0.0.1:5000")), SIM_NAT_NO_MAPPING);
        assert_int_equal(out_port(a5, "1.1.1.1:1") == 5000, remembers == 0);
        assert_int_equal(in("1.1.1.1:1", at("11.0.0.1:5000")) == SIM_NAT_PASSES, remembers == 0);
        pass(WRN_S(29));
        assert_int_equal(in("1.1.1.1:1", at("11.0.0.1:5000")) == SIM_NAT_PASSES, remembers == 0);
        pass(WRN_S(29)); /* which kept it */
        assert_int_equal(out_port(a5, "1.1.1.1:1") == 5000, remembers == 0);
        pass(WRN_S(30));
        assert_int_equal(out_port(a5, "1.1.1.1:1"), 5000);
    }
}

/* Section 4.1: address pooling. */
static void pools_of_addresses_are_paired_or_not(void **state) {
    (void)state;
    for (int paired = 0; paired < 2; paired++) {
        struct sim_nat_options options = sim_nat_cone(SIM_ADDRESS_AND_PORT);
        options.addresses = 4;
        options.pairs_addresses = paired != 0;
        start(options);
        unsigned seen[256] = {0};
        unsigned distinct = 0;
        for (uint32_t i = 1; i <= 100; i++) {
            struct wrn_endpoint from = {.ip = at(a5).ip, .port = (uint16_t)(5000 + i)};
            struct wrn_endpoint to = at("1.1.1.1:1");
            assert_int_equal(sim_nat_box_outbound(box, now, &from, &to), SIM_NAT_PASSES);
            assert_true(sim_nat_box_has(box, &from.ip));
            assert_int_equal(from.port, 5000 + i);
            distinct += seen[from.ip.bytes[3]]++ == 0;
        }
        assert_int_equal(distinct, paired != 0 ? 1 : 4);
    }
}

static void a_full_table_refuses_new_flows_and_keeps_the_old(void **state) {
    (void)state;
    struct sim_nat_options options = sim_nat_cone(SIM_ADDRESS_AND_PORT);
    options.mappings_max = 2;
    start(options);
    struct wrn_endpoint outer = out(a5, "1.1.1.1:1");
    pass(WRN_S(60));
    (void)out(a6, "1.1.1.1:1");
    assert_int_equal(try_out(b5, "1.1.1.1:1"), SIM_NAT_FULL);
    assert_true(reaches("1.1.1.1:1", outer, a5));
    (void)out(a5, "2.2.2.2:2"); /* no new mapping */
    pass(WRN_S(120));
    (void)out(b5, "1.1.1.1:1"); /* both have died */
    assert_int_equal(sim_nat_box_count(box, now), 1);
}

static void a_full_table_has_room_in_the_moment_that_one_dies(void **state) {
    (void)state;
    struct sim_nat_options options = sim_nat_cone(SIM_ADDRESS_AND_PORT);
    options.mappings_max = 1;
    start(options);
    (void)out(a5, "1.1.1.1:1");
    pass(WRN_S(120) - 1);
    assert_int_equal(try_out(b5, "1.1.1.1:1"), SIM_NAT_FULL);
    pass(1);
    (void)out(b5, "1.1.1.1:1");
}

static void blocks_udp_both_ways(void **state) {
    (void)state;
    struct sim_nat_options options = sim_nat_cone(SIM_INDEPENDENT);
    options.blocks_udp = true;
    start(options);
    assert_int_equal(try_out(a5, "1.1.1.1:1"), SIM_NAT_BLOCKED);
    assert_int_equal(try_out("[fd00::1]:5", "[2001:db8::1]:5"), SIM_NAT_BLOCKED);
    assert_int_equal(in("1.1.1.1:1", at("11.0.0.1:5000")), SIM_NAT_BLOCKED);
}

static void forgets_all_mappings(void **state) {
    (void)state;
    start(sim_nat_symmetric(SIM_PORTS_RANDOM, 0));
    struct wrn_endpoint outer = out(a5, "1.1.1.1:1");
    sim_nat_box_forget(box);
    assert_int_equal(sim_nat_box_count(box, now), 0);
    assert_int_equal(in("1.1.1.1:1", outer), SIM_NAT_NO_MAPPING);
    assert_true(out_port(a5, "1.1.1.1:1") != outer.port);
    /* With the mappings go the ways back through them: the next one is another's. */
    start(sim_nat_cone(SIM_ADDRESS_AND_PORT));
    outer = out(a5, "1.1.1.1:1");
    sim_nat_box_forget(box);
    assert_int_equal(out_port(a5, "2.2.2.2:2"), outer.port);
    assert_int_equal(in("1.1.1.1:1", outer), SIM_NAT_FILTERED);
}

static const char six[] = "[2001:db8:1::2]:5000";

/* IPv6: the same filters, but nothing is translated. */
static void ipv6_passes_a_stateful_firewall(void **state) {
    (void)state;
    static const enum sim_dependence all[] = {SIM_INDEPENDENT, SIM_ADDRESS, SIM_ADDRESS_AND_PORT};
    for (size_t f = 0; f < 3; f++) {
        struct sim_nat_options options = sim_nat_symmetric(SIM_PORTS_RANDOM, 0);
        options.filtering = all[f];
        start(options);
        assert_int_equal(in("[2001:db8::1]:1", at(six)), SIM_NAT_NO_MAPPING);
        struct wrn_endpoint outer = out(six, "[2001:db8::1]:1");
        struct wrn_endpoint same = at(six);
        assert_true(wrn_endpoint_equal(&outer, &same));
        assert_true(reaches("[2001:db8::1]:1", outer, six));
        assert_int_equal(in("[2001:db8::1]:2", outer) == SIM_NAT_PASSES, f != 2);
        assert_int_equal(in("[2001:db8::2]:1", outer) == SIM_NAT_PASSES, f == 0);
        (void)out(six, "[2001:db8::3]:3");
        assert_int_equal(sim_nat_box_count(box, now), 1);
        pass(WRN_S(120));
        assert_int_equal(in("[2001:db8::1]:1", outer), SIM_NAT_NO_MAPPING);
    }
}

static void ipv6_may_pass_freely(void **state) {
    (void)state;
    struct sim_nat_options options = sim_nat_linux();
    options.opens_ipv6 = true;
    start(options);
    assert_true(reaches("[2001:db8::1]:1", at(six), six));
    assert_int_equal(in("1.1.1.1:1", at("11.0.0.1:5000")), SIM_NAT_NO_MAPPING);
}

static void make_a_box_that_shares_ports_and_cannot_tell_flows_apart(void) {
    struct sim_nat_options options = sim_nat_cone(SIM_INDEPENDENT);
    options.shares_ports = true;
    start(options);
}

static void refuses_options_that_contradict_each_other(void **state) {
    (void)state;
    check_dies(make_a_box_that_shares_ports_and_cannot_tell_flows_apart);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mapping_and_filtering_depend_on_what_they_should),
        cmocka_unit_test(what_has_no_mapping_is_refused),
        cmocka_unit_test(keeps_ports_and_finds_a_free_one_on_collision),
        cmocka_unit_test(a_port_is_free_again_when_its_mapping_died),
        cmocka_unit_test(well_known_ports_stay_among_themselves),
        cmocka_unit_test(next_ports_step_and_skip_what_is_taken),
        cmocka_unit_test(random_ports_are_spread),
        cmocka_unit_test(refreshes_by_direction),
        cmocka_unit_test(what_is_filtered_refreshes_nothing),
        cmocka_unit_test(filters_time_out_one_by_one),
        cmocka_unit_test(many_filters_are_swept),
        cmocka_unit_test(linux_keeps_answered_streams_longer),
        cmocka_unit_test(linux_keeps_the_port_for_everybody),
        cmocka_unit_test(linux_changes_the_port_only_on_collision),
        cmocka_unit_test(linux_without_a_drop_rule_remembers_strays),
        cmocka_unit_test(pools_of_addresses_are_paired_or_not),
        cmocka_unit_test(a_full_table_refuses_new_flows_and_keeps_the_old),
        cmocka_unit_test(a_full_table_has_room_in_the_moment_that_one_dies),
        cmocka_unit_test(blocks_udp_both_ways),
        cmocka_unit_test(forgets_all_mappings),
        cmocka_unit_test(ipv6_passes_a_stateful_firewall),
        cmocka_unit_test(ipv6_may_pass_freely),
        cmocka_unit_test(refuses_options_that_contradict_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, finish);
}
