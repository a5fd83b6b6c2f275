/* SPDX-License-Identifier: Apache-2.0 */
/* UDP sockets over the loopback interface: ports, batches, paths, refusals. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/cleanup.h"
#include "io/udp.h"

enum { ROOM = 2048, WAIT_MS = 5000 };

struct fixture {
    struct wrn_udp a;
    struct wrn_udp b;
    struct wrn_udp_scratch *scratch;
    struct wrn_udp_received received[WRN_UDP_BATCH_MAX];
    struct wrn_udp_sending sending[WRN_UDP_BATCH_MAX];
    uint8_t bytes[WRN_UDP_BATCH_MAX][ROOM];
};

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->a = f->b = WRN_UDP_NONE;
    assert_int_equal(wrn_udp_scratch_create(&f->scratch), 0);
    assert_int_equal(wrn_udp_open(0, 0, &f->a), 0);
    assert_int_equal(wrn_udp_open(0, 0, &f->b), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    wrn_udp_close(&f->a);
    wrn_udp_close(&f->b);
    free(f->scratch);
    free(f);
    return 0;
}

static struct wrn_endpoint endpoint(const char *address, uint16_t port) {
    struct wrn_prefix prefix;
    wrn_span span = {(const uint8_t *)address, strlen(address)};
    assert_int_equal(wrn_prefix_parse(span, &prefix), 0);
    return (struct wrn_endpoint){.ip = prefix.ip, .port = port};
}

/* Receives exactly 'count' datagrams. */
static void receive(struct fixture *f, int fd, size_t count) {
    size_t got = 0;
    while (got < count) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&ready, 1, WAIT_MS), 1);
        for (size_t i = got; i < WRN_UDP_BATCH_MAX; i++) {
            f->received[i].bytes = f->bytes[i];
            f->received[i].size = ROOM;
        }
        got += wrn_udp_receive(fd, f->scratch, f->received + got, WRN_UDP_BATCH_MAX - got);
    }
    assert_int_equal(got, count);
    assert_int_equal(wrn_udp_receive(fd, f->scratch, f->received, 1), 0);
}

/* Goal: one port for both families, also when any will do; a port in use is refused and leaves
 * nothing. Method: open, ask the system, open the same again. */
static void ports(void **state) {
    struct fixture *f = *state;
    struct wrn_udp again = WRN_UDP_NONE;
    assert_true(f->a.port != 0 && f->a.port != f->b.port);
    assert_true(f->a.fd4 >= 0);
    int before = dup(0);
    (void)close(before);
    assert_int_equal(wrn_udp_open(f->a.port, 0, &again), -EADDRINUSE);
    assert_int_equal(again.fd4, -1);
    int after = dup(0);
    (void)close(after);
    assert_int_equal(before, after); /* no descriptor is left open */
    uint16_t port = f->a.port;
    wrn_udp_close(&f->a);
    assert_int_equal(wrn_udp_open(port, 0, &f->a), 0);
    assert_int_equal(f->a.port, port);
}

/* Goal: a batch of both families arrives whole, in order, with path and ECN marks of each datagram.
 * Method: alternate the families where IPv6 is there; every DS value's lower bits in turn. */
static void batch(void **state) {
    static const char *const addresses[] = {"127.0.0.2", "::1"};
    struct fixture *f = *state;
    size_t families = f->a.fd6 >= 0 && f->b.fd6 >= 0 ? 2 : 1;
    static uint8_t text[WRN_UDP_BATCH_MAX];
    for (size_t i = 0; i < WRN_UDP_BATCH_MAX; i++) {
        text[i] = (uint8_t)i;
        f->sending[i] =
            (struct wrn_udp_sending){.bytes = &text[i], .size = 1, .ds = (uint8_t)(0x88 | (i & 3))};
        f->sending[i].path.remote = endpoint(addresses[i % families], f->b.port);
    }
    wrn_udp_send(&f->a, f->scratch, f->sending, WRN_UDP_BATCH_MAX);
    for (size_t i = 0; i < WRN_UDP_BATCH_MAX; i++) {
        assert_int_equal(f->sending[i].error, 0);
        assert_false(f->sending[i].source_refused);
    }
    for (size_t family = 0; family < families; family++) {
        size_t count = WRN_UDP_BATCH_MAX / families;
        receive(f, family == 0 ? f->b.fd4 : f->b.fd6, count);
        struct wrn_endpoint us = endpoint(addresses[family], 0);
        for (size_t i = 0; i < count; i++) {
            uint8_t number = (uint8_t)(i * families + family);
            assert_int_equal(f->received[i].size, 1);
            assert_int_equal(f->bytes[i][0], number);
            assert_false(f->received[i].truncated);
            assert_int_equal(f->received[i].ecn, number & 3);
            assert_int_equal(f->received[i].path.remote.port, f->a.port);
            assert_true(wrn_ip_equal(&f->received[i].path.local, &us.ip));
            assert_true(f->received[i].path.interface != 0);
        }
    }
}

/* Goal: the answer leaves from the address that was asked; an address that is not ours is
 * refused once and the datagram goes without it. Method: two source addresses of the loopback's,
 * one of the documentation's. */
static void sources(void **state) {
    static const struct {
        const char *local;
        const char *arrives_from;
        bool refused;
    } cases[] = {{"127.0.0.9", "127.0.0.9", false},
                 {"127.3.2.1", "127.3.2.1", false},
                 {"192.0.2.77", "127.0.0.1", true}};
    struct fixture *f = *state;
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        f->sending[0] = (struct wrn_udp_sending){.bytes = (const uint8_t *)"x", .size = 1, .ds = 2};
        f->sending[0].path.remote = endpoint("127.0.0.1", f->b.port);
        f->sending[0].path.local = endpoint(cases[i].local, 0).ip;
        wrn_udp_send(&f->a, f->scratch, f->sending, 1);
        assert_int_equal(f->sending[0].error, 0);
        assert_int_equal(f->sending[0].source_refused, cases[i].refused);
        receive(f, f->b.fd4, 1);
        struct wrn_endpoint from = endpoint(cases[i].arrives_from, f->a.port);
        assert_true(wrn_endpoint_equal(&f->received[0].path.remote, &from));
        assert_int_equal(f->received[0].ecn, 2);
    }
}

/* Goal: one datagram that the kernel refuses does not keep the others back, and is reported.
 * Method: one too large for UDP and one to port 0 among good ones; one of no family. */
static void refusals(void **state) {
    struct fixture *f = *state;
    static uint8_t large[70000];
    for (size_t i = 0; i < 5; i++) {
        f->sending[i] = (struct wrn_udp_sending){.bytes = large, .size = 10 + i};
        f->sending[i].path.remote = endpoint("127.0.0.1", f->b.port);
    }
    f->sending[1].size = sizeof large;
    f->sending[2].path.remote.port = 0;
    f->sending[3].path.remote.ip.family = WRN_FAMILY_NONE;
    wrn_udp_send(&f->a, f->scratch, f->sending, 5);
    assert_int_equal(f->sending[0].error, 0);
    assert_int_equal(f->sending[1].error, -EMSGSIZE);
    assert_int_equal(f->sending[2].error, -EINVAL);
    assert_int_equal(f->sending[3].error, -EAFNOSUPPORT);
    assert_int_equal(f->sending[4].error, 0);
    receive(f, f->b.fd4, 2);
    assert_int_equal(f->received[0].size, 10);
    assert_int_equal(f->received[1].size, 14);
}

/* Goal: a datagram larger than its room is marked as useless.
 * Method: send one byte more than there is room for. */
static void truncation(void **state) {
    struct fixture *f = *state;
    static uint8_t text[ROOM + 1];
    f->sending[0] = (struct wrn_udp_sending){.bytes = text, .size = sizeof text};
    f->sending[0].path.remote = endpoint("127.0.0.1", f->b.port);
    wrn_udp_send(&f->a, f->scratch, f->sending, 1);
    receive(f, f->b.fd4, 1);
    assert_true(f->received[0].truncated);
}

/* Goal: nobody listening where we send does not disturb the socket: no error waits for the next
 * call. Method: send to a port that has just been closed, then to one that is open. */
static void nobody_there(void **state) {
    struct fixture *f = *state;
    struct wrn_udp gone;
    assert_int_equal(wrn_udp_open(0, 0, &gone), 0);
    uint16_t closed = gone.port;
    wrn_udp_close(&gone);
    for (size_t i = 0; i < 3; i++) {
        f->sending[i] = (struct wrn_udp_sending){.bytes = (const uint8_t *)"x", .size = 1};
        f->sending[i].path.remote = endpoint("127.0.0.1", i < 2 ? closed : f->b.port);
    }
    for (size_t i = 0; i < 3; i++) {
        wrn_udp_send(&f->a, f->scratch, f->sending + i, 1);
        assert_int_equal(f->sending[i].error, 0);
    }
    receive(f, f->b.fd4, 1);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ports, set_up, tear_down),
        cmocka_unit_test_setup_teardown(batch, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sources, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refusals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(truncation, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_there, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
