/* SPDX-License-Identifier: Apache-2.0 */
/* Bridges, ports and VLANs, as the kernel has them, on TAP devices in network namespaces of our
 * own, which need root. */
#define _GNU_SOURCE /* unshare */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netlink/socket.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "io/addresses.h"
#include "io/bridge.h"
#include "io/netlink.h"
#include "io/tun.h"

enum { MTU = 1500, JUMBO = 9000 };

static const uint8_t mac[6] = {0x02, 1, 2, 3, 4, 5};
static bool is_allowed;
static struct nl_sock *queries;

/* Each test begins in an empty namespace. */
static int set_up(void **state) {
    (void)state;
    is_allowed = geteuid() == 0 && unshare(CLONE_NEWNET) == 0 && access("/dev/net/tun", R_OK) == 0;
    return is_allowed ? wrn_netlink_open(&queries) : 0;
}

static int tear_down(void **state) {
    (void)state;
    if (is_allowed) {
        nl_socket_free(queries);
    }
    return 0;
}

static void need_root(void) {
    if (!is_allowed) {
        print_message("# skipped: needs root and /dev/net/tun, for devices in a namespace\n");
        skip();
    }
}

static struct wrn_bridge_link find(const char *name) {
    struct wrn_bridge_link link;
    assert_int_equal(wrn_bridge_find(queries, name, &link), 0);
    return link;
}

/* A bridge has address and alias, a port comes and goes, and its MTU and alias can be set. */
static void ports(void **state) {
    uint32_t index = 0;
    struct wrn_tun tap;
    struct wrn_bridge_link link;
    (void)state;
    need_root();
    assert_int_equal(wrn_bridge_find(queries, "b0", &link), -ENODEV);
    assert_int_equal(wrn_bridge_find(queries, "", &link), -ENODEV);
    assert_int_equal(wrn_bridge_find(queries, "a-name-too-long-for-it", &link), -ENODEV);
    assert_int_equal(wrn_bridge_create(queries, "b0", "of a test", mac, &index), 0);
    assert_int_equal(wrn_bridge_create(queries, "b0", "another", mac, &index), -EEXIST);
    link = find("b0");
    assert_int_equal(link.index, index);
    assert_string_equal(link.kind, "bridge");
    assert_string_equal(link.alias, "of a test");
    assert_memory_equal(link.mac, mac, sizeof mac);
    assert_false(link.is_up || link.is_loopback);
    assert_true(link.is_ethernet);

    assert_int_equal(wrn_tun_create_tap("t0", &tap), 0);
    link = find("t0");
    assert_int_equal(wrn_bridge_set_mtu(queries, link.index, MTU), 0);
    assert_string_equal(link.kind, "tun");
    assert_int_equal(link.master, 0);
    assert_int_equal(wrn_bridge_set_master(queries, link.index, index), 0);
    assert_int_equal(wrn_bridge_set_mtu(queries, link.index, JUMBO), 0);
    assert_int_equal(wrn_bridge_set_up(queries, link.index, true), 0);
    assert_int_equal(wrn_bridge_set_alias(queries, link.index, "a port"), 0);
    assert_int_equal(wrn_bridge_look(queries, link.index, &link), 0);
    assert_int_equal(link.master, index);
    assert_int_equal(link.mtu_bytes, JUMBO);
    assert_true(link.is_up);
    assert_string_equal(link.alias, "a port");
    assert_int_equal(wrn_bridge_set_alias(queries, link.index, ""), 0);
    assert_int_equal(wrn_bridge_set_master(queries, link.index, 0), 0);
    link = find("t0");
    assert_int_equal(link.master, 0);
    assert_string_equal(link.alias, "");
    assert_int_equal(wrn_bridge_remove(queries, index), 0);
    assert_int_equal(wrn_bridge_remove(queries, index), 0);
    assert_int_equal(wrn_bridge_find(queries, "b0", &link), -ENODEV);
    assert_int_not_equal(wrn_bridge_set_master(queries, find("t0").index, index), 0);
    wrn_tun_close(&tap);
    assert_int_equal(wrn_bridge_look(queries, 0, &link), -ENODEV);
}

/* A VLAN's interface says upon what it is and which VLAN; one VLAN has one interface. */
static void vlans(void **state) {
    uint32_t index = 0;
    struct wrn_tun tap;
    (void)state;
    need_root();
    assert_int_equal(wrn_tun_create_tap("t0", &tap), 0);
    uint32_t lower = find("t0").index;
    int error = wrn_bridge_create_vlan(queries, "t0.12", "ours", lower, 12, &index);
    if (error == -EOPNOTSUPP) {
        print_message("# skipped: this kernel has no VLANs\n");
        wrn_tun_close(&tap);
        return;
    }
    assert_int_equal(error, 0);
    struct wrn_bridge_link link = find("t0.12");
    assert_int_equal(link.index, index);
    assert_int_equal(link.lower, lower);
    assert_int_equal(link.vlan, 12);
    assert_string_equal(link.kind, "vlan");
    assert_string_equal(link.alias, "ours");
    assert_int_equal(wrn_bridge_create_vlan(queries, "other", "", lower, 12, &index), -EEXIST);
    assert_int_equal(wrn_bridge_find(queries, "other", &link), -ENODEV);
    wrn_tun_close(&tap);
    assert_int_equal(wrn_bridge_find(queries, "t0.12", &link), -ENODEV);
}

static void count(void *ctx, const struct wrn_bridge_link *link) {
    uint32_t *found = ctx;
    assert_int_not_equal(link->index, 0);
    found[0]++;
    found[1] += link->is_loopback;
}

/* All interfaces are walked; which one leads to the default route is known for both families. */
static void walks(void **state) {
    uint32_t index = 0;
    uint32_t found[2] = {0};
    const struct wrn_prefix own = {{{10, 1, 2, 3}, WRN_FAMILY_IPV4}, 24};
    const struct wrn_prefix every = {{{0}, WRN_FAMILY_IPV4}, 0};
    struct wrn_addresses addresses;
    (void)state;
    need_root();
    assert_int_equal(wrn_bridge_create(queries, "b0", "x", mac, &index), 0);
    assert_int_equal(wrn_bridge_walk(queries, count, found), 0);
    assert_true(found[0] >= 2);
    assert_int_equal(found[1], 1);
    assert_false(wrn_bridge_is_default_route(queries, index));
    assert_false(wrn_bridge_is_wireless("b0"));
    assert_int_equal(wrn_addresses_open(&addresses), 0);
    assert_int_equal(wrn_bridge_set_up(queries, index, true), 0);
    assert_int_equal(wrn_addresses_add(&addresses, index, &own), 0);
    assert_int_equal(wrn_addresses_add_route(&addresses, index, &every, &own.ip), 0);
    assert_true(wrn_bridge_is_default_route(queries, index));
    assert_false(wrn_bridge_is_default_route(queries, index + 1));
    wrn_addresses_close(&addresses);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ports, set_up, tear_down),
        cmocka_unit_test_setup_teardown(vlans, set_up, tear_down),
        cmocka_unit_test_setup_teardown(walks, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
