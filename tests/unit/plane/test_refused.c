/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what the filter refuses goes nowhere, and the host is told so where that helps; what the
 * host sends to nobody's address comes to the control thread, which may send it later. Method: real
 * devices, sockets and workers in a namespace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "io/clock.h"
#include "port.h"

enum { SMALL = 100, HEADERS = 28, WAIT_MS = 20000 };

/* What the filter answers at the moment, by direction. */
static _Atomic enum wrn_drop verdict_in, verdict_out;
static _Atomic uint32_t asked_in, asked_out;

static enum wrn_drop check(void *ctx, uint32_t lane, wrn_handle peer, bool is_out, wrn_mono now,
                           wrn_span packet) {
    (void)ctx;
    (void)now;
    WRN_ASSERT(lane < WRN_WG_LANES_MAX && peer.generation % 2 == 1 && packet.size >= 20);
    if (packet.data[0] >> 4 != 4) {
        return WRN_DROP_POLICY; /* the kernel's own: router solicitations */
    }
    atomic_fetch_add(is_out ? &asked_out : &asked_in, 1);
    return atomic_load(is_out ? &verdict_out : &verdict_in);
}

static struct port *create(uint32_t workers) {
    if (!port_enter()) {
        print_message("# skipped: needs root and /dev/net/tun, for devices in a namespace\n");
        skip();
    }
    port_filter = (struct wrn_wg_filter){.check = check};
    port_asks_for_unrouted = true;
    atomic_store(&verdict_in, WRN_DROP_NONE);
    atomic_store(&verdict_out, WRN_DROP_NONE);
    atomic_store(&asked_in, 0);
    atomic_store(&asked_out, 0);
    struct port *port = port_create(1, workers);
    port_far_packet(port, 0, SMALL);
    port_settle(port, 0);
    port_near_packet(port, 0, SMALL);
    port_settle(port, 0);
    return port;
}

static uint64_t wanted_drops;
static enum wrn_drop wanted_reason;

static bool has_dropped(struct port *port) {
    return port_drops(port, 0, wanted_reason) >= wanted_drops;
}

/* Waits until so many are counted. There may be more: the kernel sends on its own account, too. */
static void wait_for_drops(struct port *port, enum wrn_drop reason, uint64_t count) {
    wanted_reason = reason;
    wanted_drops = count;
    port_until(port, has_dropped);
}

/* Takes the error that the kernel has for a socket, 0: none. */
static int take_error(int fd) {
    int error = 0;
    socklen_t length = sizeof error;
    assert_return_code(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length), errno);
    return error;
}

static void what_the_host_may_not_send_is_answered(void **state) {
    struct port *port = create(2);
    struct port_network *network = &port->networks[0];
    struct pollfd one = {.fd = network->host_fd, .events = 0};
    uint64_t before = port_drops(port, 0, WRN_DROP_POLICY); /* IPv6 of the kernel */
    (void)state;
    assert_true(atomic_load(&asked_out) >= 1);
    atomic_store(&verdict_out, WRN_DROP_POLICY);
    port_near_packet(port, 0, SMALL);
    network->sent_here--;
    assert_int_equal(poll(&one, 1, WAIT_MS), 1);
    assert_int_equal(take_error(network->host_fd), EHOSTUNREACH); /* ICMP 3/13 */
    assert_true(port_drops(port, 0, WRN_DROP_POLICY) > before);
    atomic_store(&verdict_out, WRN_DROP_CLOSED); /* for now: nothing is said */
    port_near_packet(port, 0, SMALL);
    network->sent_here--;
    wait_for_drops(port, WRN_DROP_CLOSED, 1);
    assert_int_equal(take_error(network->host_fd), 0);
    atomic_store(&verdict_out, WRN_DROP_NONE);
    port_near_packet(port, 0, SMALL);
    port_settle(port, 0);
    port_destroy(port);
}

static void what_may_not_come_in_does_not(void **state) {
    struct port *port = create(2);
    struct port_network *network = &port->networks[0];
    (void)state;
    atomic_store(&verdict_in, WRN_DROP_CLOSED);
    for (int i = 0; i < 10; i++) {
        port_far_packet(port, 0, SMALL);
        network->sent_there--;
    }
    port_far_flush(port);
    wait_for_drops(port, WRN_DROP_CLOSED, 10);
    /* also what comes to the control thread */
    port->by_hand = 0;
    port_far_packet(port, 0, SMALL);
    network->sent_there--;
    port_far_flush(port);
    wait_for_drops(port, WRN_DROP_CLOSED, 11);
    atomic_store(&verdict_in, WRN_DROP_NONE);
    port_far_packet(port, 0, SMALL);
    port_settle(port, 0);
    port_destroy(port);
}

/* Sends a packet of the near host from its port 5000 to another address of the network. */
static void send_to(const struct port_network *network, const char *address, uint8_t payload) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(6000)};
    assert_int_equal(inet_pton(AF_INET, address, &to.sin_addr), 1);
    assert_int_equal(sendto(network->host_fd, &payload, 1, 0, (struct sockaddr *)&to, sizeof to),
                     1);
}

static uint32_t wanted_held;

static bool has_held(struct port *port) {
    return port->held_count >= wanted_held;
}

static void nobodys_packets_come_to_the_control_thread(void **state) {
    struct port *port = create(1);
    struct port_network *network = &port->networks[0];
    uint64_t before = port_drops(port, 0, WRN_DROP_NO_ROUTE);
    (void)state;
    for (uint8_t i = 0; i < 5; i++) {
        send_to(network, "10.77.0.9", i);
        send_to(network, "224.1.2.3", i); /* nobody can have that */
    }
    wanted_held = 5;
    port_until(port, has_held);
    assert_int_equal(port->held_count, 5);
    for (uint8_t i = 0; i < 5; i++) {
        const struct port_held *held = &port->held[i];
        assert_int_equal(held->network, 0);
        assert_int_equal(held->size, HEADERS + 1);
        assert_memory_equal(held->bytes + 16, ((uint8_t[]){10, 77, 0, 9}), 4);
        assert_int_equal(held->bytes[HEADERS], i);
    }
    wait_for_drops(port, WRN_DROP_NO_ROUTE, before + 5);
    assert_int_equal(take_error(network->host_fd), 0); /* perhaps somebody is found */

    /* Somebody is: the peer may be reached by that, and what was held goes to it. */
    struct wrn_prefix prefix = {.ip = {{10, 77, 0, 9}, WRN_FAMILY_IPV4}, .length_bits = 32};
    uint64_t sent = 0;
    struct wrn_wg_peer_info info;
    assert_int_equal(wrn_wg_peer_allow(network->near.wg, network->near.peer, &prefix), 0);
    assert_true(wrn_wg_peer_info(network->near.wg, network->near.peer, &info));
    uint64_t sent_before = info.tx_bytes;
    uint32_t asked = atomic_load(&asked_out);
    for (uint32_t i = 0; i < 5; i++) {
        const struct port_held *held = &port->held[i];
        wrn_wg_queue_packet(network->near.wg, wrn_clock_read(), network->near.peer,
                            (wrn_span){held->bytes, held->size}, port->settle.out);
        sent += 32 + wrn_align_up(held->size, 16);
    }
    wrn_settle_run(&port->settle, network->near.wg, wrn_clock_read());
    assert_true(wrn_wg_peer_info(network->near.wg, network->near.peer, &info));
    assert_int_equal(info.tx_bytes - sent_before, sent);
    assert_true(atomic_load(&asked_out) >= asked + 5);
    port_destroy(port);
}

static void a_flood_to_nobody_is_bounded(void **state) {
    enum { FLOOD = 3000 };
    struct port *port = create(1);
    const struct port_network *network = &port->networks[0];
    (void)state;
    wrn_mono begin = wrn_clock_read().mono;
    for (int i = 0; i < FLOOD; i++) {
        send_to(network, "10.77.0.9", 1);
    }
    uint64_t passed = wrn_mono_since(wrn_clock_read().mono, begin) / WRN_S(1) + 1;
    wanted_reason = WRN_DROP_CONTROL_BUSY;
    wanted_drops = FLOOD - WRN_WG_UNROUTED_BURST - (passed + 2) * WRN_WG_UNROUTED_PER_S;
    if (wanted_drops < FLOOD) { /* else this machine is too slow for a flood */
        port_until(port, has_dropped);
    }
    port->held_count = 0;
    port_near_packet(port, 0, SMALL);
    port_settle(port, 0);
    port_destroy(port);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_host_may_not_send_is_answered),
        cmocka_unit_test(what_may_not_come_in_does_not),
        cmocka_unit_test(nobodys_packets_come_to_the_control_thread),
        cmocka_unit_test(a_flood_to_nobody_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
