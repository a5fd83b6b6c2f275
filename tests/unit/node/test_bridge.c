/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: hosts of an l2 network are all connected to one another, without addresses; a broadcast of
 * one reaches each other one once; ports follow rights, and who is revoked gets nothing; settings
 * are kept. Method: a few hosts in virtual time, whose frames pass the switch and the machine. */
#include "unit/node/hosts.h"

enum { ALICE, BOB, CAROL, DAVE, FRAME_SIZE = 64 };

static uint32_t count, numbers[HOSTS_MAX];

/* A frame of an ethertype for local experiments, from the station of a host. */
static wrn_span frame_of(uint32_t from, const uint8_t *to, uint8_t serial) {
    static uint8_t bytes[FRAME_SIZE];
    memset(bytes, 0, sizeof(bytes));
    memcpy(bytes, to, WRN_MAC_ADDRESS_SIZE);
    memcpy(bytes + 6, (uint8_t[]){0x52, 0x54, 0, 0, 0, (uint8_t)(from + 1)}, WRN_MAC_ADDRESS_SIZE);
    wrn_store_be16(bytes + 12, 0x88b6);
    bytes[14] = serial;
    return (wrn_span){bytes, sizeof(bytes)};
}

static const uint8_t everybody[WRN_MAC_ADDRESS_SIZE] = {255, 255, 255, 255, 255, 255};

static const uint8_t *station_of(uint32_t host) {
    static uint8_t mac[WRN_MAC_ADDRESS_SIZE] = {0x52, 0x54, 0, 0, 0, 0};
    mac[5] = (uint8_t)(host + 1);
    return mac;
}

static uint32_t got(uint32_t host, uint8_t serial) {
    uint32_t found = 0;
    for (uint32_t i = 0; i < hosts[host].packet_count; i++) {
        const struct host_packet *packet = &hosts[host].packets[i];
        found += packet->size == FRAME_SIZE && packet->bytes[12] == 0x88 &&
                 packet->bytes[13] == 0xb6 && packet->bytes[14] == serial;
    }
    return found;
}

static uint32_t ports(uint32_t host) {
    const struct wrn_switch *sw =
        wrn_node_switch(hosts[host].node, hosts[host].networks[numbers[host]]);
    struct wrn_switch_port_info info;
    uint32_t cursor = 0, found = 0;
    while (wrn_switch_next_port(sw, &cursor, &info)) {
        found += info.peer.generation != 0;
    }
    return found;
}

static bool all_have_ports(void) {
    for (uint32_t i = 0; i < count; i++) {
        if (ports(i) != count - 1) {
            return false;
        }
    }
    return true;
}

static void make(uint32_t wanted) {
    count = wanted;
    hosts_add('a');
    numbers[ALICE] = hosts_create_l2(ALICE, "site");
    hosts_run(2000);
    for (uint32_t i = 1; i < count; i++) {
        hosts_add((char)('a' + i));
        numbers[i] = hosts_join(i, ALICE, numbers[ALICE], "(member)", 0);
    }
    hosts_until(all_have_ports, 90, "each host has a port for each other one");
}

static void test_everybody_gets_a_broadcast_once(void **state) {
    (void)state;
    make(9);
    for (uint32_t from = 0; from < count; from++) {
        uint8_t serial = (uint8_t)(from + 1);
        assert_int_equal(hosts_send_frame(from, numbers[from], frame_of(from, everybody, serial)),
                         0);
        hosts_run(3000);
        for (uint32_t i = 0; i < count; i++) {
            CHECK(got(i, serial) == (i == from ? 0 : 1), "%u of %u: %u ", i, from, got(i, serial));
        }
    }
    for (uint32_t i = 1; i < count; i++) { /* stations are known now */
        hosts_send_frame(i, numbers[i], frame_of(i, station_of(0), 100));
    }
    hosts_run(3000);
    assert_int_equal(got(ALICE, 100), count - 1);
    assert_int_equal(got(BOB, 100) + got(CAROL, 100), 0);
}

static void test_no_addresses_without_a_range(void **state) {
    (void)state;
    make(2);
    hosts_run(60000);
    for (uint32_t i = 0; i < count; i++) {
        struct wrn_node_network_info info = hosts_info(i, numbers[i]);
        assert_int_equal(info.ipv4.family, WRN_FAMILY_NONE);
        assert_int_equal(info.ipv6.family, WRN_FAMILY_NONE);
        assert_int_equal(hosts[i].address_count, 0);
        assert_int_equal(hosts[i].route_count, 0);
        CHECK(info.trouble[0] == '\0', "%s ", info.trouble);
        assert_int_equal(info.name, WRN_CLAIM_HELD);
    }
}

static bool carol_has_no_port(void) {
    return ports(ALICE) == count - 2 && ports(BOB) == count - 2;
}

static void test_who_is_gone_has_no_port_and_comes_back(void **state) {
    (void)state;
    make(4);
    hosts_stop(CAROL);
    hosts_until(carol_has_no_port, 60, "its port is closed");
    assert_int_equal(hosts_send_frame(ALICE, numbers[ALICE], frame_of(ALICE, everybody, 7)), 0);
    hosts_run(3000);
    assert_int_equal(got(BOB, 7), 1);
    assert_int_equal(got(DAVE, 7), 1);
}

static void test_frames_follow_rights(void **state) {
    (void)state;
    count = 2;
    hosts_add('a');
    numbers[ALICE] = hosts_create_l2(ALICE, "site");
    hosts_run(2000);
    hosts_add('b');
    numbers[BOB] = hosts_join(BOB, ALICE, numbers[ALICE], "(* set (member) (frame \"2054\"))", 0);
    hosts_until(all_have_ports, 90, "both have ports");
    assert_int_equal(hosts_send_frame(BOB, numbers[BOB], frame_of(BOB, everybody, 1)),
                     WRN_SWITCH_TYPE);
    assert_int_equal(hosts_send_frame(ALICE, numbers[ALICE], frame_of(ALICE, everybody, 2)), 0);
    hosts_run(3000);
    assert_int_equal(got(BOB, 2), 1);
    assert_int_equal(got(ALICE, 1), 0);
}

static void test_settings_are_kept(void **state) {
    (void)state;
    static uint8_t saved[WRN_STATE_MAX];
    struct wrn_switch_settings settings;
    make(1);
    wrn_handle network = hosts[ALICE].networks[numbers[ALICE]];
    wrn_switch_settings(wrn_node_switch(hosts[ALICE].node, network), &settings);
    assert_false(settings.allows_dhcp);
    settings.allows_dhcp = true;
    settings.answers_neighbours = false;
    settings.floods_per_s = 77;
    settings.age_s = 60;
    hosts_before();
    assert_true(wrn_node_set_bridge(hosts[ALICE].node, hosts_now, network, &settings, hosts_out));
    hosts_perform(ALICE);
    size_t size = wrn_node_save(hosts[ALICE].node, network, saved, sizeof(saved));
    hosts_stop(ALICE);
    hosts_start_again(ALICE);
    numbers[ALICE] = hosts_load(ALICE, (wrn_span){saved, size});
    memset(&settings, 0, sizeof(settings));
    network = hosts[ALICE].networks[numbers[ALICE]];
    wrn_switch_settings(wrn_node_switch(hosts[ALICE].node, network), &settings);
    assert_true(settings.allows_dhcp);
    assert_false(settings.answers_neighbours);
    assert_true(settings.guards_loops);
    assert_int_equal(settings.floods_per_s, 77);
    assert_int_equal(settings.age_s, 60);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_everybody_gets_a_broadcast_once, hosts_begin,
                                        hosts_end),
        cmocka_unit_test_setup_teardown(test_no_addresses_without_a_range, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(test_who_is_gone_has_no_port_and_comes_back, hosts_begin,
                                        hosts_end),
        cmocka_unit_test_setup_teardown(test_frames_follow_rights, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(test_settings_are_kept, hosts_begin, hosts_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
