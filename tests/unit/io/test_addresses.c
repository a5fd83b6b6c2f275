/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses, routes and the LAN's group, as the kernel has them, on TUN and TAP devices in network
 * namespaces of our own, which need root. */
#define _GNU_SOURCE /* unshare */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netlink/msg.h>
#include <netlink/socket.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "io/addresses.h"
#include "io/cleanup.h"
#include "io/cmsg.h"
#include "io/link.h"
#include "io/multicast.h"
#include "io/netlink.h"

enum { LIST_MAX = 32, WAIT_MS = 5000 };

struct host {
    struct wrn_addresses addresses;
    struct wrn_tun tun;
    uint32_t index; /* of the TUN device */
    int tap_fd;     /* of the LAN, -1: there is none */
};

static bool is_allowed;

/* Each test begins in an empty namespace, with a TUN device that is down. */
static int set_up(void **state) {
    is_allowed = geteuid() == 0 && unshare(CLONE_NEWNET) == 0 && access("/dev/net/tun", R_OK) == 0;
    *state = NULL;
    if (is_allowed) {
        struct host *host = calloc(1, sizeof *host);
        assert_non_null(host);
        host->tap_fd = -1;
        assert_int_equal(wrn_tun_create("wrn0", &host->tun), 0);
        assert_int_equal(wrn_addresses_open(&host->addresses), 0);
        host->index = if_nametoindex("wrn0");
        assert_int_not_equal(host->index, 0);
        *state = host;
    }
    return 0;
}

static int tear_down(void **state) {
    struct host *host = *state;
    if (host != NULL) {
        wrn_addresses_close(&host->addresses);
        wrn_tun_close(&host->tun);
        wrn_close_fd(&host->tap_fd);
        free(host);
    }
    return 0;
}

static struct host *need_root(void **state) {
    if (!is_allowed) {
        print_message("# skipped: needs root and /dev/net/tun, for devices in a namespace\n");
        skip();
    }
    return *state;
}

/* Reads "10.1.0.5/16" with all its bits. */
static struct wrn_prefix prefix(const char *text) {
    struct wrn_prefix all;
    struct wrn_prefix network;
    const char *slash = strchr(text, '/');
    assert_int_equal(
        wrn_prefix_parse((wrn_span){(const uint8_t *)text, (size_t)(slash - text)}, &all), 0);
    assert_int_equal(wrn_prefix_parse((wrn_span){(const uint8_t *)text, strlen(text)}, &network),
                     0);
    all.length_bits = network.length_bits;
    return all;
}

static size_t list(const struct host *host, struct wrn_host_address ret_list[LIST_MAX]) {
    size_t count = 0;
    assert_int_equal(wrn_addresses_list(&host->addresses, ret_list, LIST_MAX, &count), 0);
    assert_true(count <= LIST_MAX);
    return count;
}

/* Finds an address; NULL if nobody has it. */
static const struct wrn_host_address *find(const struct host *host, const char *text) {
    static struct wrn_host_address all[LIST_MAX];
    struct wrn_prefix wanted = prefix(text);
    size_t count = list(host, all);
    for (size_t i = 0; i < count; i++) {
        if (wrn_ip_equal(&all[i].prefix.ip, &wanted.ip) &&
            all[i].prefix.length_bits == wanted.length_bits) {
            return &all[i];
        }
    }
    return NULL;
}

/* Asks the kernel by which interface it would send there; 0: by none. */
static uint32_t way_to(const struct host *host, const char *text) {
    struct wrn_prefix to = prefix(text);
    bool is_v4 = to.ip.family == WRN_FAMILY_IPV4;
    struct rtmsg header = {.rtm_family = is_v4 ? AF_INET : AF_INET6,
                           .rtm_dst_len = is_v4 ? 32 : 128};
    WRN_CLEANUP(wrn_netlink_free_answer) struct nlmsghdr *answer = NULL;
    WRN_CLEANUP(wrn_netlink_free_message)
    struct nl_msg *question = nlmsg_alloc_simple(RTM_GETROUTE, 0);
    assert_non_null(question);
    assert_int_equal(nlmsg_append(question, &header, sizeof header, NLMSG_ALIGNTO), 0);
    assert_int_equal(nla_put(question, RTA_DST, is_v4 ? 4 : 16, to.ip.bytes), 0);
    int error = wrn_netlink_ask(host->addresses.queries, question, RTM_NEWROUTE, &answer);
    if (error != 0) {
        return 0;
    }
    struct nlattr *interface = nlmsg_find_attr(answer, sizeof header, RTA_OIF);
    return interface == NULL ? 0 : nla_get_u32(interface);
}

/* Adds a LAN of its own: a TAP device, up, with an address. */
static uint32_t add_lan(struct host *host, const char *name, const char *address) {
    struct ifreq values = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    struct wrn_prefix ours = prefix(address);
    host->tap_fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    assert_true(host->tap_fd >= 0);
    memcpy(values.ifr_name, name, strlen(name) + 1);
    assert_return_code(ioctl(host->tap_fd, TUNSETIFF, &values), errno);
    uint32_t index = if_nametoindex(name);
    assert_int_equal(wrn_addresses_set_link(&host->addresses, index, true, 0), 0);
    assert_int_equal(wrn_addresses_add(&host->addresses, index, &ours), 0);
    return index;
}

static void sets_up_an_interface(void **state) {
    struct host *host = need_root(state);
    struct wrn_link link = {0};
    struct wrn_link_state link_state;
    assert_int_equal(wrn_addresses_set_link(&host->addresses, host->index, true, 1356), 0);
    assert_int_equal(wrn_link_open(&link), 0);
    assert_int_equal(wrn_link_query(&link, &host->tun, &link_state), 0);
    assert_true(link_state.up);
    assert_int_equal(link_state.mtu_bytes, 1356);
    assert_int_equal(wrn_addresses_set_link(&host->addresses, host->index, false, 0), 0);
    assert_int_equal(wrn_link_query(&link, &host->tun, &link_state), 0);
    assert_false(link_state.up);
    assert_int_equal(link_state.mtu_bytes, 1356);
    wrn_link_close(&link);
    assert_int_equal(wrn_addresses_set_link(&host->addresses, 12345, true, 0), -ENODEV);
}

static void addresses_come_and_go(void **state) {
    struct host *host = need_root(state);
    static const char *const texts[] = {"10.1.0.5/16", "fd00:1::5/64", "2001:20::7/28"};
    assert_int_equal(wrn_addresses_set_link(&host->addresses, host->index, true, 0), 0);
    for (size_t i = 0; i < WRN_COUNT(texts); i++) {
        struct wrn_prefix address = prefix(texts[i]);
        assert_int_equal(wrn_addresses_remove(&host->addresses, host->index, &address), 0);
        assert_null(find(host, texts[i]));
        for (int k = 0; k < 2; k++) { /* the second time it is there */
            assert_int_equal(wrn_addresses_add(&host->addresses, host->index, &address), 0);
        }
        const struct wrn_host_address *found = find(host, texts[i]);
        for (int k = 0; found != NULL && !found->is_usable && k < WAIT_MS; k++) {
            (void)poll(NULL, 0, 1); /* the kernel is not done with it */
            found = find(host, texts[i]);
        }
        assert_non_null(found);
        WRN_ASSERT(found != NULL); /* for those who do not know what came before */
        assert_int_equal(found->interface, host->index);
        assert_string_equal(found->name, "wrn0");
        assert_true(found->is_up);
        assert_true(found->is_point_to_point);
        assert_true(found->is_usable);
        assert_false(found->is_loopback || found->is_link_local || found->is_temporary);
    }
    assert_int_equal(way_to(host, "10.1.200.1/32"), host->index); /* the kernel's own route */
    assert_int_equal(way_to(host, "fd00:1::77/128"), host->index);
    for (size_t i = 0; i < WRN_COUNT(texts); i++) {
        struct wrn_prefix address = prefix(texts[i]);
        assert_int_equal(wrn_addresses_remove(&host->addresses, host->index, &address), 0);
        assert_null(find(host, texts[i]));
    }
    assert_int_equal(way_to(host, "10.1.200.1/32"), 0);
    struct wrn_prefix address = prefix(texts[0]);
    assert_int_equal(wrn_addresses_add(&host->addresses, 12345, &address), -ENODEV);
    assert_int_equal(wrn_addresses_remove(&host->addresses, 12345, &address), 0);
}

static void routes_come_and_go(void **state) {
    struct host *host = need_root(state);
    static const char *const texts[] = {"10.9.0.0/16", "fd09::/48"};
    static const char *const within[] = {"10.9.3.4/32", "fd09::3/128"};
    struct wrn_prefix ours = prefix("10.1.0.5/32");
    assert_int_equal(wrn_addresses_set_link(&host->addresses, host->index, true, 0), 0);
    assert_int_equal(wrn_addresses_add(&host->addresses, host->index, &ours), 0);
    for (size_t i = 0; i < WRN_COUNT(texts); i++) {
        struct wrn_prefix network = prefix(texts[i]);
        assert_int_equal(wrn_addresses_remove_route(&host->addresses, host->index, &network), 0);
        assert_int_equal(way_to(host, within[i]), 0);
        for (int k = 0; k < 2; k++) {
            assert_int_equal(
                wrn_addresses_add_route(&host->addresses, host->index, &network, &ours.ip), 0);
        }
        assert_int_equal(way_to(host, within[i]), host->index);
    }
    uint32_t other = add_lan(host, "lan0", "192.0.2.1/24");
    struct wrn_prefix network = prefix(texts[0]);
    assert_int_equal(wrn_addresses_add_route(&host->addresses, other, &network, NULL), -EEXIST);
    assert_int_equal(wrn_addresses_remove_route(&host->addresses, other, &network), 0);
    assert_int_equal(way_to(host, within[0]), host->index); /* that of others stays */
    for (size_t i = 0; i < WRN_COUNT(texts); i++) {
        network = prefix(texts[i]);
        assert_int_equal(wrn_addresses_remove_route(&host->addresses, host->index, &network), 0);
        assert_int_equal(way_to(host, within[i]), 0);
    }
    assert_int_equal(wrn_addresses_set_link(&host->addresses, host->index, false, 0), 0);
    assert_int_equal(wrn_addresses_add_route(&host->addresses, host->index, &network, NULL),
                     -ENETDOWN);
}

/* Behind all others: where nothing leads to a network any more, nothing goes by the default. */
static void what_is_blocked_goes_nowhere(void **state) {
    struct host *host = need_root(state);
    struct wrn_prefix every = prefix("0.0.0.0/0"), ours = prefix("10.9.0.5/16");
    struct wrn_prefix blocked = prefix("10.9.0.0/16"), blocked6 = prefix("fd09::/64");
    uint32_t lan = add_lan(host, "lan0", "192.0.2.1/24");
    assert_int_equal(wrn_addresses_set_link(&host->addresses, host->index, true, 0), 0);
    assert_int_equal(wrn_addresses_add_route(&host->addresses, lan, &every, NULL), 0);
    assert_int_equal(way_to(host, "10.9.3.4/32"), lan);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(wrn_addresses_block(&host->addresses, &blocked, true), 0);
        assert_int_equal(wrn_addresses_block(&host->addresses, &blocked6, true), 0);
    }
    assert_int_equal(way_to(host, "10.9.3.4/32"), 0);
    assert_int_equal(way_to(host, "10.8.3.4/32"), lan);
    assert_int_equal(wrn_addresses_add(&host->addresses, host->index, &ours), 0);
    assert_int_equal(way_to(host, "10.9.3.4/32"), host->index);
    assert_int_equal(wrn_addresses_remove(&host->addresses, host->index, &ours), 0);
    assert_int_equal(way_to(host, "10.9.3.4/32"), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(wrn_addresses_block(&host->addresses, &blocked, false), 0);
        assert_int_equal(wrn_addresses_block(&host->addresses, &blocked6, false), 0);
    }
    assert_int_equal(way_to(host, "10.9.3.4/32"), lan);
}

static void lists_within_its_room(void **state) {
    struct host *host = need_root(state);
    struct wrn_host_address all[3];
    size_t count = 0;
    for (int i = 1; i <= 5; i++) {
        char text[32];
        (void)snprintf(text, sizeof text, "10.1.%d.1/24", i);
        struct wrn_prefix address = prefix(text);
        assert_int_equal(wrn_addresses_add(&host->addresses, host->index, &address), 0);
    }
    memset(&all[2], 0xee, sizeof all[2]);
    assert_int_equal(wrn_addresses_list(&host->addresses, all, 2, &count), 0);
    assert_int_equal(count, 5);
    assert_int_equal(all[1].interface, host->index);
    assert_int_equal(all[2].interface, 0xeeeeeeee);
}

static bool is_readable(int fd, int wait_ms) {
    struct pollfd one = {.fd = fd, .events = POLLIN};
    return poll(&one, 1, wait_ms) == 1;
}

static void hears_of_changes(void **state) {
    struct host *host = need_root(state);
    struct wrn_prefix address = prefix("10.1.0.5/16");
    int fd = wrn_addresses_fd(&host->addresses);
    (void)wrn_addresses_read_events(&host->addresses);
    assert_false(wrn_addresses_read_events(&host->addresses));
    assert_int_equal(wrn_addresses_add(&host->addresses, host->index, &address), 0);
    assert_true(is_readable(fd, WAIT_MS));
    assert_true(wrn_addresses_read_events(&host->addresses));
    assert_int_equal(wrn_addresses_set_link(&host->addresses, host->index, true, 0), 0);
    assert_true(is_readable(fd, WAIT_MS));
    assert_true(wrn_addresses_read_events(&host->addresses));
}

/* Finds what came to a socket of the group; 0: nothing within the time. */
static size_t receive(const struct wrn_multicast *multicast, int fd, uint8_t bytes[64],
                      struct wrn_endpoint *ret_from) {
    size_t size = 0;
    while (size == 0 && is_readable(fd, WAIT_MS)) {
        size = wrn_multicast_receive(multicast, fd, bytes, 64, ret_from);
    }
    return size;
}

static void the_group_is_shared_and_on_lans_alone(void **state) {
    struct host *host = need_root(state);
    struct wrn_host_address all[LIST_MAX];
    struct wrn_multicast one = WRN_MULTICAST_NONE;
    struct wrn_multicast other = WRN_MULTICAST_NONE;
    struct wrn_endpoint from = {0};
    uint8_t bytes[64];
    struct wrn_prefix address = prefix("10.1.0.5/16");
    assert_int_equal(wrn_addresses_set_link(&host->addresses, host->index, true, 0), 0);
    assert_int_equal(wrn_addresses_add(&host->addresses, host->index, &address), 0);
    uint32_t lan = add_lan(host, "lan0", "192.0.2.1/24");
    struct wrn_prefix link_local = prefix("fe80::1/64");
    assert_int_equal(wrn_addresses_add(&host->addresses, lan, &link_local), 0);

    assert_int_equal(wrn_multicast_open(&one), 0);
    assert_int_equal(wrn_multicast_open(&other), 0);
    size_t count = list(host, all);
    assert_int_equal(wrn_multicast_join(&one, all, count), 1);
    assert_int_equal(one.interfaces[0], lan);
    assert_int_equal(wrn_multicast_join(&one, all, count), 1); /* once more changes nothing */
    assert_int_equal(wrn_multicast_join(&other, all, count), 1);

    assert_int_equal(wrn_multicast_send(&one, (wrn_span){(const uint8_t *)"hello", 5}), 2);
    const struct wrn_multicast *both[] = {&one, &other};
    for (size_t i = 0; i < WRN_COUNT(both); i++) {
        assert_int_equal(receive(both[i], both[i]->fd4, bytes, &from), 5);
        assert_memory_equal(bytes, "hello", 5);
        struct wrn_prefix sender = prefix("192.0.2.1/24");
        assert_true(wrn_ip_equal(&from.ip, &sender.ip));
        assert_int_equal(receive(both[i], both[i]->fd6, bytes, &from), 5);
        assert_int_equal(from.ip.family, WRN_FAMILY_IPV6);
        assert_int_equal(from.scope_id, lan); /* else nobody could be asked there */
    }

    assert_int_equal(wrn_multicast_join(&one, all, 0), 0);
    assert_int_equal(wrn_multicast_send(&one, (wrn_span){(const uint8_t *)"x", 1}), 0);
    assert_int_equal(wrn_multicast_send(&other, (wrn_span){(const uint8_t *)"again", 5}), 2);
    assert_int_equal(receive(&other, other.fd4, bytes, &from), 5);
    assert_false(is_readable(one.fd4, 0)); /* the other one has it already */
    wrn_multicast_close(&one);
    wrn_multicast_close(&other);
}

/* What is sent to the port alone is not the LAN's. */
static void the_group_hears_nothing_else(void **state) {
    struct host *host = need_root(state);
    struct wrn_host_address all[LIST_MAX];
    struct wrn_multicast multicast = WRN_MULTICAST_NONE;
    struct wrn_endpoint from = {0};
    uint8_t bytes[64];
    assert_int_equal(wrn_addresses_set_link(&host->addresses, if_nametoindex("lo"), true, 0), 0);
    uint32_t lan = add_lan(host, "lan0", "192.0.2.1/24");
    struct wrn_prefix ours = prefix("fd00::1/64");
    struct wrn_prefix link_local = prefix("fe80::1/64");
    assert_int_equal(wrn_addresses_add(&host->addresses, lan, &ours), 0);
    assert_int_equal(wrn_addresses_add(&host->addresses, lan, &link_local), 0);
    assert_int_equal(wrn_multicast_open(&multicast), 0);
    assert_int_equal(wrn_multicast_join(&multicast, all, list(host, all)), 1);

    WRN_CLEANUP(wrn_close_fd) int stranger = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    union wrn_sockaddr address;
    struct wrn_endpoint to = {.ip = ours.ip, .port = WRN_MULTICAST_PORT};
    socklen_t size = wrn_endpoint_to_sockaddr(&to, &address);
    int tries = 0;
    do { /* the kernel makes the way to a new address of ours a moment later */
        assert_true(tries++ < WAIT_MS / 10);
        assert_int_equal(sendto(stranger, "spam", 4, 0, &address.any, size), 4);
    } while (!is_readable(multicast.fd6, 10));
    assert_int_equal(wrn_multicast_receive(&multicast, multicast.fd6, bytes, sizeof bytes, &from),
                     0);
    wrn_multicast_close(&multicast);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sets_up_an_interface, set_up, tear_down),
        cmocka_unit_test_setup_teardown(addresses_come_and_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(routes_come_and_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_blocked_goes_nowhere, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lists_within_its_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hears_of_changes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_group_is_shared_and_on_lans_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_group_hears_nothing_else, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
