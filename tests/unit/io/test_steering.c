/* SPDX-License-Identifier: Apache-2.0 */
/* Which socket of a group flows come to (test_tun_device.c has the queues), over the loopback
 * interface: nobody gets anything before it is his turn, and a change moves what it has to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/cleanup.h"
#include "io/udp.h"

enum { PAIRS = 9, FLOWS = 400 };

struct fixture {
    struct wrn_steering steering;
    struct wrn_udp pairs[PAIRS];
    int flows[2][FLOWS]; /* sockets connected to the group: IPv4, IPv6 */
    size_t families;
    uint32_t owners[2][FLOWS]; /* where the last datagram of each came in */
};

static int tear_down(void **state) {
    struct fixture *f = *state;
    wrn_steering_close(&f->steering);
    for (size_t i = 0; i < PAIRS; i++) {
        wrn_udp_close(&f->pairs[i]);
    }
    for (size_t i = 0; i < 2 * FLOWS; i++) {
        wrn_close_fd(&f->flows[i / FLOWS][i % FLOWS]);
    }
    return 0;
}

static int connect_flow(const struct fixture *f, size_t family) {
    struct sockaddr_in v4 = {.sin_family = AF_INET,
                             .sin_port = htons(f->pairs[0].port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
                              .sin6_port = htons(f->pairs[0].port),
                              .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(family == 0 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_return_code(fd, errno);
    assert_return_code(family == 0 ? connect(fd, (const struct sockaddr *)&v4, sizeof v4)
                                   : connect(fd, (const struct sockaddr *)&v6, sizeof v6),
                       errno);
    return fd;
}

static int set_up(void **state) {
    static struct fixture fixture;
    struct fixture *f = &fixture;
    memset(f->flows, -1, sizeof f->flows);
    f->steering = WRN_STEERING_NONE;
    for (size_t i = 0; i < PAIRS; i++) {
        f->pairs[i] = WRN_UDP_NONE;
    }
    *state = f;
    assert_int_equal(wrn_udp_open(0, 0, &f->pairs[0]), 0);
    f->families = f->pairs[0].fd6 >= 0 ? 2 : 1;
    for (size_t i = 0; i < f->families * FLOWS; i++) {
        f->flows[i / FLOWS][i % FLOWS] = connect_flow(f, i / FLOWS);
    }
    return 0;
}

/* Sends a datagram in each flow and notes where it came in. Loopback delivers before send
 * returns. */
static void look(struct fixture *f) {
    for (size_t family = 0; family < f->families; family++) {
        memset(f->owners[family], 0xff, sizeof f->owners[family]);
        for (uint16_t flow = 0; flow < FLOWS; flow++) {
            assert_int_equal(send(f->flows[family][flow], &flow, sizeof flow, 0), sizeof flow);
        }
        for (uint32_t i = 0; i < PAIRS; i++) {
            int fd = family == 0 ? f->pairs[i].fd4 : f->pairs[i].fd6;
            uint16_t flow;
            while (fd >= 0 && recv(fd, &flow, sizeof flow, MSG_DONTWAIT) == sizeof flow) {
                f->owners[family][flow] = i;
            }
        }
        for (size_t flow = 0; flow < FLOWS; flow++) {
            assert_in_range(f->owners[family][flow], 0, PAIRS - 1);
        }
    }
}

/* Counts the flows of a pair. */
static size_t share_of(const struct fixture *f, uint32_t pair) {
    size_t share = 0;
    for (size_t i = 0; i < f->families * FLOWS; i++) {
        share += f->owners[i / FLOWS][i % FLOWS] == pair;
    }
    return share;
}

/* Goal: who joins gets nothing until flows are spread.
 * Method: join one by one. */
static void joining_moves_nothing(void **state) {
    struct fixture *f = *state;
    for (size_t i = 1; i < PAIRS; i++) {
        assert_int_equal(wrn_udp_join(&f->pairs[0], &f->pairs[i]), 0);
        look(f);
        assert_int_equal(share_of(f, 0), f->families * FLOWS);
    }
}

/* Goal: without programs of ours the kernel spreads, once that is wanted.
 * Method: none. */
static void without_steering(void **state) {
    struct fixture *f = *state;
    struct wrn_steering none = WRN_STEERING_NONE;
    assert_int_equal(wrn_udp_join(&f->pairs[0], &f->pairs[1]), 0);
    wrn_udp_spread(&f->pairs[0], &none);
    look(f);
    assert_in_range(share_of(f, 0), 1, f->families * FLOWS - 1);
}

/* Goal: growing moves flows to new pairs alone, shrinking from those that are left alone, and all
 * shares are about the same. Method: up and down, every flow compared with where it was. */
static void spreading(void **state) {
    static const uint32_t counts[] = {2, 3, 9, 4, 5, 1, 9, 2, 8, 7, 1};
    struct fixture *f = *state;
    if (wrn_steering_open(&f->steering) == -EPERM) {
        print_message("# skipped: needs bpf(2), which root has\n");
        skip();
    }
    for (size_t i = 1; i < PAIRS; i++) {
        assert_int_equal(wrn_udp_join(&f->pairs[0], &f->pairs[i]), 0);
    }
    wrn_udp_spread(&f->pairs[0], &f->steering);
    look(f);
    assert_int_equal(share_of(f, 0), f->families * FLOWS);
    uint32_t before = 1;
    for (size_t i = 0; i < WRN_COUNT(counts); i++) {
        struct fixture old = *f;
        uint32_t count = counts[i];
        assert_int_equal(wrn_steering_spread(&f->steering, count), 0);
        look(f);
        for (size_t k = 0; k < f->families * FLOWS; k++) {
            uint32_t was = old.owners[k / FLOWS][k % FLOWS];
            uint32_t is = f->owners[k / FLOWS][k % FLOWS];
            assert_true(is < count);
            assert_true(is == was || is >= before || was >= count);
        }
        for (uint32_t k = 0; k < count; k++) {
            size_t even = f->families * FLOWS / count;
            assert_in_range(share_of(f, k), even / 3, even * 2 + 1);
        }
        before = count;
    }
    assert_int_equal(wrn_steering_spread(&f->steering, WRN_STEERING_MAX), 0);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(joining_moves_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_steering, set_up, tear_down),
        cmocka_unit_test_setup_teardown(spreading, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
