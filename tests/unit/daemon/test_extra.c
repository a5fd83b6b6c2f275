/* SPDX-License-Identifier: Apache-2.0 */
/* The sockets beside the port, over loopback: which datagram came to which, new ports at each
 * opening, and that they may be closed from inside the callback. */
#include "daemon/extra.h"

#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "overlay/limits.h"
#include "unit/base/check.h"

struct heard {
    int count;
    uint32_t network;
    uint16_t socket;
    uint32_t interface;
    struct wrn_endpoint from;
    uint8_t first;
    struct wrn_extra *closes; /* all of the network's sockets, when it hears something */
};

static struct heard heard;
static struct wrn_extra *extra;

static void on_datagram(void *ctx, uint32_t network, uint16_t socket, uint32_t interface,
                        const struct wrn_endpoint *from, uint8_t *bytes, size_t size) {
    struct heard *now = ctx;
    assert_true(size > 0);
    now->count++;
    now->network = network;
    now->socket = socket;
    now->interface = interface;
    now->from = *from;
    now->first = bytes[0];
    if (now->closes != NULL) {
        wrn_extra_close(now->closes, network, 1, WRN_SOCKETS_MAX - 1);
    }
}

static int set_up(void **state) {
    (void)state;
    heard = (struct heard){0};
    return wrn_extra_create(4, on_datagram, &heard, &extra);
}

static int tear_down(void **state) {
    (void)state;
    wrn_extra_destroy(extra);
    return 0;
}

/* Waits until something can be read, at most 5 s, and reads. */
static void listen_once(void) {
    struct pollfd ready = {.fd = wrn_extra_fd(extra), .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 5000), 1);
    wrn_extra_read(extra);
}

static struct wrn_endpoint loopback(uint16_t port) {
    return (struct wrn_endpoint){.ip = {{127, 0, 0, 1}, WRN_FAMILY_IPV4}, .port = port};
}

static int say(uint32_t network, uint16_t socket, uint16_t port, uint8_t what) {
    struct wrn_endpoint to = loopback(port);
    return wrn_extra_send(extra, network, socket, &to, (wrn_span){&what, 1});
}

/* Finds a socket's port by having it send to another one, which has to be open. */
static uint16_t port_of(uint32_t network, uint16_t socket, uint16_t listener_port) {
    int before = heard.count;
    assert_int_equal(say(network, socket, listener_port, 1), 0);
    while (heard.count == before) {
        listen_once();
    }
    return heard.from.port;
}

/* The port of network 0's socket 1, found out by an ordinary socket that it sends to. */
static uint16_t first_port(void) {
    struct wrn_endpoint at = loopback(0);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    uint8_t byte = 9;
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    at.port = ntohs(address.sin_port);
    assert_int_equal(wrn_extra_send(extra, 0, 1, &at, (wrn_span){&byte, 1}), 0);
    assert_int_equal(recvfrom(fd, &byte, 1, 0, (struct sockaddr *)&address, &size), 1);
    (void)close(fd);
    return ntohs(address.sin_port);
}

static void each_datagram_is_told_with_its_socket(void **state) {
    (void)state;
    assert_int_equal(wrn_extra_open(extra, 0, 1, 3), 0);
    assert_int_equal(wrn_extra_open(extra, 3, 256, 1), 0);
    assert_int_equal(wrn_extra_count(extra), 4);
    uint16_t port = first_port();
    assert_int_equal(say(3, 256, port, 0x20), 0);
    listen_once();
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.network, 0);
    assert_int_equal(heard.socket, 1);
    assert_int_equal(heard.interface, if_nametoindex("lo"));
    assert_int_equal(heard.first, 0x20);
    assert_int_equal(say(0, 1, heard.from.port, 0x21), 0);
    listen_once();
    assert_int_equal(heard.network, 3);
    assert_int_equal(heard.socket, 256);
    assert_int_equal(heard.from.port, port);
}

static void each_opening_has_another_port(void **state) {
    uint16_t ports[20];
    (void)state;
    assert_int_equal(wrn_extra_open(extra, 0, 1, 1), 0);
    uint16_t listener = first_port();
    for (size_t i = 0; i < WRN_COUNT(ports); i++) {
        assert_int_equal(wrn_extra_open(extra, 1, 1, 1), 0);
        assert_int_equal(wrn_extra_count(extra), 2); /* also if it was open */
        ports[i] = port_of(1, 1, listener);
        CHECK(i == 0 || ports[i] != ports[i - 1], "opening %zu", i);
    }
}

static void closed_ones_send_nothing(void **state) {
    struct wrn_endpoint six = {.ip = {{0xfd}, WRN_FAMILY_IPV6}, .port = 1};
    (void)state;
    assert_int_equal(say(0, 1, 9, 1), -ENOTCONN);
    assert_int_equal(say(0, 0, 9, 1), -ENOTCONN);
    assert_int_equal(say(0, WRN_SOCKETS_MAX, 9, 1), -ENOTCONN);
    assert_int_equal(wrn_extra_open(extra, 0, 0, 2), 0);
    assert_int_equal(wrn_extra_count(extra), 1); /* number 0 is the port of all */
    assert_int_equal(wrn_extra_send(extra, 0, 1, &six, (wrn_span){(const uint8_t *)"x", 1}),
                     -EAFNOSUPPORT);
    wrn_extra_close(extra, 0, 1, WRN_SOCKETS_MAX - 1);
    wrn_extra_close(extra, 0, 1, WRN_SOCKETS_MAX - 1);
    assert_int_equal(wrn_extra_count(extra), 0);
    assert_int_equal(say(0, 1, 9, 1), -ENOTCONN);
}

static void all_may_be_closed_while_one_is_read(void **state) {
    (void)state;
    assert_int_equal(wrn_extra_open(extra, 0, 1, 8), 0);
    uint16_t port = first_port();
    heard.closes = extra;
    for (uint16_t i = 2; i <= 8; i++) {
        assert_int_equal(say(0, i, port, 1), 0);
    }
    listen_once();
    assert_int_equal(heard.count, 1);
    assert_int_equal(wrn_extra_count(extra), 0);
    wrn_extra_read(extra);
    assert_int_equal(heard.count, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_datagram_is_told_with_its_socket, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_opening_has_another_port, set_up, tear_down),
        cmocka_unit_test_setup_teardown(closed_ones_send_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(all_may_be_closed_while_one_is_read, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
