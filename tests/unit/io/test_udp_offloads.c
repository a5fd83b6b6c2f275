/* SPDX-License-Identifier: Apache-2.0 */
/* Runs of datagrams as one message, and groups of sockets, over the loopback interface: whatever is
 * switched on or refused, each datagram arrives once, in order, with its path and marks. */
#define _GNU_SOURCE /* unshare, struct ifreq */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/rand.h"
#include "io/cleanup.h"
#include "io/udp.h"
#include "unit/base/check.h"

enum {
    ROOM = 65535, /* of a received message */
    MESSAGES = 16,
    SIZE_MAX_HERE = 3000,
    NUMBER = 4, /* each datagram begins with its number */
    WAIT_MS = 5000,
    ROUNDS = 40,
    NO_CHECK6_TX = 101, /* UDP_NO_CHECK6_TX and _RX of <linux/udp.h> */
    NO_CHECK6_RX = 102,
    OTHER_USER = 65534,
};

struct fixture {
    struct wrn_udp a;
    struct wrn_udp b;
    struct wrn_udp_scratch *scratch_a;
    struct wrn_udp_scratch *scratch_b;
    struct wrn_udp_received received[MESSAGES];
    struct wrn_udp_sending sending[WRN_UDP_BATCH_MAX];
    struct wrn_prng prng;
    uint32_t sent; /* datagrams, and the number of the next one */
    uint8_t bytes[WRN_UDP_BATCH_MAX][SIZE_MAX_HERE];
    uint8_t rooms[MESSAGES][ROOM];
};

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->a = f->b = WRN_UDP_NONE;
    wrn_prng_init(&f->prng, check_seed(), 0);
    assert_int_equal(wrn_udp_scratch_create(&f->scratch_a), 0);
    assert_int_equal(wrn_udp_scratch_create(&f->scratch_b), 0);
    assert_int_equal(wrn_udp_open(0, 0, &f->a), 0);
    assert_int_equal(wrn_udp_open(0, 0, &f->b), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    wrn_udp_close(&f->a);
    wrn_udp_close(&f->b);
    free(f->scratch_a);
    free(f->scratch_b);
    free(f);
    return 0;
}

static struct wrn_ip ip(const char *text) {
    struct wrn_prefix prefix;
    assert_int_equal(wrn_prefix_parse((wrn_span){(const uint8_t *)text, strlen(text)}, &prefix), 0);
    return prefix.ip;
}

static uint32_t below(struct fixture *f, uint32_t bound) {
    return wrn_rand_below(wrn_prng_rand(&f->prng), bound);
}

/* The byte at 'at' behind the number of a datagram. */
static uint8_t content(uint32_t number, size_t at) {
    return (uint8_t)((size_t)number * 131 + at * 7);
}

/* Writes the datagram for place 'at' of the batch. */
static void write_datagram(struct fixture *f, size_t at, size_t size, const struct wrn_path *path,
                           uint8_t ds) {
    uint32_t number = f->sent + (uint32_t)at;
    uint8_t *bytes = f->bytes[at];
    wrn_store_le32(bytes, number);
    for (size_t i = NUMBER; i < size; i++) {
        bytes[i] = content(number, i);
    }
    f->sending[at] =
        (struct wrn_udp_sending){.bytes = bytes, .size = size, .path = *path, .ds = ds};
}

/* Checks one datagram that came in with a message. */
static void check_datagram(struct fixture *f, const struct wrn_udp_received *message,
                           const uint8_t *bytes, size_t size, uint32_t number) {
    const struct wrn_udp_sending *sent = &f->sending[number - f->sent];
    assert_int_equal(wrn_load_le32(bytes), number);
    assert_int_equal(size, sent->size);
    for (size_t i = NUMBER; i < size; i++) {
        if (bytes[i] != content(number, i)) {
            fail_msg("datagram %u differs at byte %zu", number, i);
        }
    }
    assert_int_equal(message->ecn, sent->ds & 3);
    assert_true(wrn_ip_equal(&message->path.local, &sent->path.remote.ip));
    assert_int_equal(message->path.remote.port, f->a.port);
    if (sent->path.local.family != WRN_FAMILY_NONE && !sent->source_refused) {
        assert_true(wrn_ip_equal(&message->path.remote.ip, &sent->path.local));
    }
}

/* Receives the next 'count' datagrams of those that were sent, in order, and no more. Returns
 * in how many messages they came. */
static size_t receive(struct fixture *f, int fd, size_t count) {
    uint32_t next = f->sent;
    size_t messages = 0;
    while (next < f->sent + count) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        assert_int_equal(poll(&ready, 1, WAIT_MS), 1);
        for (size_t i = 0; i < MESSAGES; i++) {
            f->received[i].bytes = f->rooms[i];
            f->received[i].size = ROOM;
        }
        size_t got = wrn_udp_receive(fd, f->scratch_b, f->received, MESSAGES);
        for (size_t i = 0; i < got; i++) {
            const struct wrn_udp_received *message = &f->received[i];
            assert_false(message->truncated);
            for (size_t at = 0; at < message->size; at += message->segment_size) {
                size_t left = message->size - at;
                assert_true(next < f->sent + count);
                check_datagram(f, message, message->bytes + at,
                               left < message->segment_size ? left : message->segment_size, next++);
            }
        }
        messages += got;
    }
    assert_int_equal(wrn_udp_receive(fd, f->scratch_b, f->received, 1), 0);
    f->sent += (uint32_t)count;
    return messages;
}

/* Sends the first 'count' of the batch, all of which must go. */
static void send_all(struct fixture *f, size_t count) {
    wrn_udp_send(&f->a, f->scratch_a, f->sending, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(f->sending[i].error, 0);
    }
}

/* Fills the batch with runs of random length, size, path and marks. */
static size_t random_batch(struct fixture *f, bool v6) {
    size_t count = 1 + below(f, WRN_UDP_BATCH_MAX);
    size_t at = 0;
    while (at < count) {
        struct wrn_path path = {.remote.port = f->b.port};
        size_t length = below(f, 3) == 0 ? 1 : 1 + below(f, 90);
        size_t size = NUMBER + below(f, below(f, 2) == 0 ? 60 : 1400);
        uint8_t ds = (uint8_t)(below(f, 2) == 0 ? 0 : 0x88 | below(f, 4));
        path.remote.ip = ip(v6 ? "::1" : below(f, 2) == 0 ? "127.0.0.1" : "127.0.0.2");
        if (below(f, 2) == 0) {
            path.local = ip(v6 ? "::1" : "127.1.2.3");
        }
        for (size_t i = 0; i < length && at < count; i++) {
            bool is_last = i + 1 == length;
            size_t last_size = is_last ? NUMBER + below(f, (uint32_t)(size - NUMBER + 1)) : size;
            write_datagram(f, at++, last_size, &path, ds);
        }
    }
    return count;
}

/* Goal: with and without GSO and GRO, over both families, everything arrives once, in order,
 * with path and marks; with both on it arrives in fewer messages. Method: all combinations,
 * switched live on the same sockets, with random batches. */
static void all_combinations(void **state) {
    struct fixture *f = *state;
    for (unsigned n = 0; n < 8; n++) {
        bool v6 = (n & 4) != 0;
        if (v6 && (f->a.fd6 < 0 || f->b.fd6 < 0)) {
            print_message("# no IPv6 here: half of the combinations are left out\n");
            return;
        }
        uint32_t gso = (n & 1) != 0 ? WRN_UDP_GSO : 0;
        uint32_t gro = (n & 2) != 0 ? WRN_UDP_GRO : 0;
        assert_int_equal(wrn_udp_set_offloads(&f->a, gso), gso);
        assert_int_equal(wrn_udp_set_offloads(&f->b, gro), gro);
        size_t datagrams = 0;
        size_t messages = 0;
        for (int round = 0; round < ROUNDS; round++) {
            size_t count = random_batch(f, v6);
            send_all(f, count);
            messages += receive(f, v6 ? f->b.fd6 : f->b.fd4, count);
            datagrams += count;
        }
        if (gso != 0 && gro != 0) {
            assert_true(messages < datagrams / 5);
        } else {
            assert_int_equal(messages, datagrams);
        }
        assert_int_equal(f->a.offloads, gso);
    }
}

/* Fills a batch: a single datagram, a run, another run of other size with a source address, another
 * single one. */
static size_t mixed_batch(struct fixture *f, const char *address, const char *local) {
    struct wrn_path path = {.remote = {.ip = ip(address), .port = f->b.port}};
    size_t at = 0;
    write_datagram(f, at++, 77, &path, 0);
    for (size_t i = 0; i < 20; i++) {
        write_datagram(f, at++, 500, &path, 2);
    }
    path.local = ip(local);
    for (size_t i = 0; i < 10; i++) {
        write_datagram(f, at++, 700, &path, 0);
    }
    write_datagram(f, at++, 900, &path, 0);
    return at;
}

/* Goal: when the kernel refuses GSO in mid-stream, nothing is lost or doubled, and GSO goes off.
 * Method: a socket that leaves the checksum out, which does not go together with GSO (EINVAL). */
static void refused_in_mid_stream(void **state) {
    static const char *const addresses[][2] = {{"127.0.0.1", "127.1.2.3"}, {"::1", "::1"}};
    struct fixture *f = *state;
    assert_int_equal(wrn_udp_set_offloads(&f->b, WRN_UDP_GRO), WRN_UDP_GRO);
    for (size_t family = 0; family < 2; family++) {
        int on = 1;
        int to = family == 0 ? f->b.fd4 : f->b.fd6;
        if (to < 0 || (family == 1 && f->a.fd6 < 0)) {
            print_message("# no IPv6 here: left out\n");
            return;
        }
        assert_int_equal(wrn_udp_set_offloads(&f->a, WRN_UDP_GSO), WRN_UDP_GSO);
        size_t count = mixed_batch(f, addresses[family][0], addresses[family][1]);
        send_all(f, count);
        assert_int_equal(receive(f, to, count), 4);
        assert_int_equal(f->a.offloads, WRN_UDP_GSO);
        if (family == 0) {
            assert_return_code(setsockopt(f->a.fd4, SOL_SOCKET, SO_NO_CHECK, &on, sizeof on), 0);
        } else {
            assert_return_code(setsockopt(f->a.fd6, SOL_UDP, NO_CHECK6_TX, &on, sizeof on), 0);
            assert_return_code(setsockopt(f->b.fd6, SOL_UDP, NO_CHECK6_RX, &on, sizeof on), 0);
        }
        for (int i = 0; i < 2; i++) {
            count = mixed_batch(f, addresses[family][0], addresses[family][1]);
            send_all(f, count);
            assert_int_equal(receive(f, to, count), count);
            assert_int_equal(f->a.offloads, 0);
            for (size_t at = 0; at < count; at++) {
                assert_false(f->sending[at].source_refused);
            }
        }
    }
}

/* Goal: a run that is refused for its own sake does not cost the others their GSO.
 * Method: a run to port 0 (EINVAL, singly too) and one from an address that is not ours, which goes
 * without. */
static void refused_for_their_own_sake(void **state) {
    struct fixture *f = *state;
    assert_int_equal(wrn_udp_set_offloads(&f->a, WRN_UDP_GSO), WRN_UDP_GSO);
    assert_int_equal(wrn_udp_set_offloads(&f->b, WRN_UDP_GRO), WRN_UDP_GRO);
    struct wrn_path path = {.remote.ip = ip("127.0.0.1")};
    for (size_t i = 0; i < 20; i++) {
        write_datagram(f, i, 100, &path, 0);
    }
    wrn_udp_send(&f->a, f->scratch_a, f->sending, 20);
    for (size_t i = 0; i < 20; i++) {
        assert_int_equal(f->sending[i].error, -EINVAL);
    }
    assert_int_equal(f->a.offloads, WRN_UDP_GSO);

    path.remote.port = f->b.port;
    path.local = ip("192.0.2.77");
    for (size_t i = 0; i < 20; i++) {
        write_datagram(f, i, 100, &path, 1);
    }
    send_all(f, 20);
    for (size_t i = 0; i < 20; i++) {
        assert_true(f->sending[i].source_refused);
    }
    assert_int_equal(receive(f, f->b.fd4, 20), 1);
    assert_int_equal(f->a.offloads, WRN_UDP_GSO);
}

/* Sets the loopback's MTU, in a namespace of our own. */
static void set_loopback(int mtu_bytes) {
    struct ifreq request = {.ifr_name = "lo", .ifr_mtu = mtu_bytes};
    WRN_CLEANUP(wrn_close_fd) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_return_code(ioctl(fd, SIOCSIFMTU, &request), errno);
    request.ifr_flags = IFF_UP;
    assert_return_code(ioctl(fd, SIOCSIFFLAGS, &request), errno);
}

static int set_up_alone(void **state) {
    *state = NULL;
    if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0) {
        return 0; /* the test says that it is skipped */
    }
    set_loopback(1500);
    return set_up(state);
}

static int tear_down_alone(void **state) {
    return *state == NULL ? 0 : tear_down(state);
}

/* Goal: datagrams larger than the route's MTU, which may travel in fragments but not in runs,
 * arrive all the same; smaller ones still go in runs, and larger ones again once the route
 * allows. Method: a loopback interface with an MTU of 1500, later raised. Needs root. */
static void narrow_route(void **state) {
    struct fixture *f = *state;
    if (f == NULL) {
        print_message("# skipped: needs root, for a network namespace\n");
        skip();
        return;
    }
    for (size_t family = 0; family < 2; family++) {
        const struct wrn_path path = {
            .remote = {.ip = ip(family == 0 ? "127.0.0.1" : "::1"), .port = f->b.port}};
        int to = family == 0 ? f->b.fd4 : f->b.fd6;
        if (to < 0) {
            continue;
        }
        set_loopback(1500);
        assert_int_equal(wrn_udp_set_offloads(&f->a, WRN_UDP_GSO), WRN_UDP_GSO);
        assert_int_equal(wrn_udp_set_offloads(&f->b, WRN_UDP_GRO), WRN_UDP_GRO);
        for (int round = 0; round < 3; round++) {
            for (size_t i = 0; i < 48; i++) { /* run of small, of large, of small ones */
                write_datagram(f, i, i / 16 == 1 ? 2000 : 1000, &path, 0);
            }
            send_all(f, 48);
            /* the first time, the run of large ones ends with a small one, which goes singly too */
            assert_int_equal(receive(f, to, 48), round == 0 ? 19 : 18);
            assert_int_equal(f->a.offloads, WRN_UDP_GSO);
        }
        set_loopback(65536);
        size_t rounds = 0;
        size_t messages;
        do {
            for (size_t i = 0; i < 32; i++) {
                write_datagram(f, i, 2000, &path, 0);
            }
            send_all(f, 32);
            messages = receive(f, to, 32);
            assert_true(messages == 32 || messages == 1);
            rounds++;
        } while (messages != 1 && rounds < 200);
        assert_in_range(rounds, 2, 140); /* remembered, but not for ever */
    }
}

/* A program that wants the port too. Returns whether it could bind. */
static bool other_program(int family, uint16_t port, bool reuse) {
    WRN_CLEANUP(wrn_close_fd) int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int on = 1;
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    assert_true(fd >= 0);
    if (reuse) {
        assert_return_code(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on), errno);
    }
    if (family == AF_INET6) {
        assert_return_code(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on), errno);
    }
    int bound = family == AF_INET ? bind(fd, (const struct sockaddr *)&v4, sizeof v4)
                                  : bind(fd, (const struct sockaddr *)&v6, sizeof v6);
    assert_true(bound == 0 || errno == EADDRINUSE);
    return bound == 0;
}

/* The same as another user, in another process. */
static bool other_user(int family, uint16_t port) {
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(setuid(OTHER_USER) == 0 && !other_program(family, port, true) ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status != 0;
}

/* Goal: nobody else gets the port: not while one pair has it, whatever he sets; not beside a group
 * either, unless he is the same user and sets SO_REUSEPORT before he binds.
 * Method: be that other program. */
static void the_port_is_ours(void **state) {
    struct fixture *f = *state;
    struct wrn_udp second = WRN_UDP_NONE;
    struct wrn_udp strange = WRN_UDP_NONE;
    for (int joined = 0; joined < 2; joined++) {
        for (size_t i = 0; i < 2; i++) {
            int family = i == 0 ? AF_INET : AF_INET6;
            if ((i == 0 ? f->a.fd4 : f->a.fd6) < 0) {
                continue;
            }
            assert_false(other_program(family, f->a.port, false));
            assert_int_equal(other_program(family, f->a.port, true), joined == 1);
            if (geteuid() == 0) {
                assert_false(other_user(family, f->a.port));
            }
        }
        assert_int_equal(wrn_udp_open(f->a.port, 0, &strange), -EADDRINUSE);
        if (joined == 0) {
            assert_int_equal(wrn_udp_join(&f->a, &second), 0);
        }
    }
    wrn_udp_close(&second);

    int taken = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0); /* one that has SO_REUSEPORT */
    int on = 1;
    struct sockaddr_in any = {.sin_family = AF_INET};
    socklen_t size = sizeof any;
    assert_return_code(setsockopt(taken, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on), errno);
    assert_return_code(bind(taken, (const struct sockaddr *)&any, sizeof any), errno);
    assert_return_code(getsockname(taken, (struct sockaddr *)&any, &size), errno);
    assert_int_equal(wrn_udp_open(ntohs(any.sin_port), 0, &strange), -EADDRINUSE);
    (void)close(taken);
}

enum { PAIRS = 3, FLOWS = 60, EACH = 5 };

/* Counts for each flow what the sockets of one family of the group received, and checks that all of
 * it came to one of them. */
static void collect_flows(struct fixture *f, const int fds[PAIRS]) {
    size_t owner[FLOWS];
    size_t seen[FLOWS] = {0};
    size_t shares[PAIRS] = {0};
    for (size_t pair = 0; pair < PAIRS; pair++) {
        size_t got;
        do {
            for (size_t i = 0; i < MESSAGES; i++) {
                f->received[i] = (struct wrn_udp_received){.bytes = f->rooms[i], .size = ROOM};
            }
            got = wrn_udp_receive(fds[pair], f->scratch_b, f->received, MESSAGES);
            for (size_t i = 0; i < got; i++) {
                size_t flow = f->received[i].bytes[0];
                assert_true(f->received[i].size == 2 && flow < FLOWS);
                assert_int_equal(f->received[i].bytes[1], seen[flow]);
                assert_true(seen[flow]++ == 0 || owner[flow] == pair);
                owner[flow] = pair;
                shares[pair]++;
            }
        } while (got > 0);
    }
    for (size_t flow = 0; flow < FLOWS; flow++) {
        assert_int_equal(seen[flow], EACH);
    }
    for (size_t pair = 0; pair < PAIRS; pair++) {
        assert_true(shares[pair] > 0);
    }
}

/* Goal: a group of three pairs shares the flows, and each flow sticks to its pair.
 * Method: sixty sockets send some datagrams each; loopback delivers before the call returns. */
static void group(void **state) {
    struct fixture *f = *state;
    struct wrn_udp pairs[PAIRS] = {f->b, WRN_UDP_NONE, WRN_UDP_NONE};
    (void)wrn_udp_set_offloads(&pairs[0], WRN_UDP_GSO);
    for (size_t i = 1; i < PAIRS; i++) {
        assert_int_equal(wrn_udp_join(&pairs[0], &pairs[i]), 0);
        assert_int_equal(pairs[i].port, f->b.port);
        assert_int_equal(pairs[i].offloads, pairs[0].offloads);
        assert_int_equal(pairs[i].fd6 >= 0, f->b.fd6 >= 0);
    }
    wrn_udp_spread(&pairs[0], &WRN_STEERING_NONE);
    for (size_t family = 0; family < (f->b.fd6 >= 0 ? 2 : 1); family++) {
        struct sockaddr_in v4 = {.sin_family = AF_INET,
                                 .sin_port = htons(f->b.port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
                                  .sin6_port = htons(f->b.port),
                                  .sin6_addr = IN6ADDR_LOOPBACK_INIT};
        int fds[PAIRS];
        for (size_t i = 0; i < FLOWS; i++) {
            WRN_CLEANUP(wrn_close_fd)
            int fd = socket(family == 0 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
            for (size_t n = 0; n < EACH; n++) {
                uint8_t text[2] = {(uint8_t)i, (uint8_t)n};
                ssize_t put = family == 0
                                  ? sendto(fd, text, 2, 0, (const struct sockaddr *)&v4, sizeof v4)
                                  : sendto(fd, text, 2, 0, (const struct sockaddr *)&v6, sizeof v6);
                assert_int_equal(put, 2);
            }
        }
        for (size_t i = 0; i < PAIRS; i++) {
            fds[i] = family == 0 ? pairs[i].fd4 : pairs[i].fd6;
        }
        collect_flows(f, fds);
    }
    wrn_udp_close(&pairs[1]);
    wrn_udp_close(&pairs[2]);
}

/* Goal: a family that the first pair lacks is lacking in those that join.
 * Method: a pair without IPv6. */
static void join_one_family(void **state) {
    struct fixture *f = *state;
    struct wrn_udp half = f->a;
    struct wrn_udp joined = WRN_UDP_NONE;
    half.fd6 = -1;
    assert_int_equal(wrn_udp_join(&half, &joined), 0);
    assert_true(joined.fd4 >= 0);
    assert_int_equal(joined.fd6, -1);
    wrn_udp_close(&joined);
}

/* Goal: a message larger than its room is marked as useless, and the next one is right.
 * Method: a run of 20 kB into a room of 10, then a small one. */
static void train_larger_than_its_room(void **state) {
    struct fixture *f = *state;
    struct wrn_path path = {.remote = {.ip = ip("127.0.0.1"), .port = f->b.port}};
    assert_int_equal(wrn_udp_set_offloads(&f->a, WRN_UDP_GSO), WRN_UDP_GSO);
    assert_int_equal(wrn_udp_set_offloads(&f->b, WRN_UDP_GRO), WRN_UDP_GRO);
    for (size_t i = 0; i < 21; i++) {
        write_datagram(f, i, i < 20 ? 1000 : 1001, &path, 0);
    }
    send_all(f, 21);
    for (size_t i = 0; i < 2; i++) {
        f->received[i].bytes = f->rooms[i];
        f->received[i].size = 10000;
    }
    assert_int_equal(wrn_udp_receive(f->b.fd4, f->scratch_b, f->received, 2), 2);
    assert_true(f->received[0].truncated);
    assert_false(f->received[1].truncated);
    assert_int_equal(f->received[1].size, 1001);
    assert_int_equal(f->received[1].segment_size, 1001);
}

/* Goal: when GRO goes off, what waits comes out whole but without the size of its datagrams, and
 * the caller is told that this may happen, until GRO is on again.
 * Method: trains around the change. */
static void trains_that_wait_when_gro_goes_off(void **state) {
    struct fixture *f = *state;
    struct wrn_path path = {.remote = {.ip = ip("127.0.0.1"), .port = f->b.port}};
    assert_int_equal(wrn_udp_set_offloads(&f->a, WRN_UDP_GSO), WRN_UDP_GSO);
    assert_int_equal(wrn_udp_set_offloads(&f->b, 0), 0);
    assert_false(f->b.untold); /* it never was on */
    for (int round = 0; round < 4; round++) {
        bool is_on = round % 2 == 0;
        for (size_t i = 0; i < 20; i++) {
            write_datagram(f, i, 1000, &path, 0);
        }
        assert_int_equal(wrn_udp_set_offloads(&f->b, is_on ? WRN_UDP_GRO : 0),
                         is_on ? WRN_UDP_GRO : 0);
        assert_int_equal(f->b.untold, !is_on);
        send_all(f, 20);
        if (is_on) {
            assert_int_equal(wrn_udp_set_offloads(&f->b, 0), 0);
            assert_int_equal(wrn_udp_set_offloads(&f->b, 0), 0);
            assert_true(f->b.untold);
        }
        for (size_t got = 0; got < 20 * 1000;) {
            f->received[0].bytes = f->rooms[0];
            f->received[0].size = ROOM;
            assert_int_equal(wrn_udp_receive(f->b.fd4, f->scratch_b, f->received, 1), 1);
            assert_int_equal(f->received[0].size, is_on ? 20 * 1000 : 1000);
            assert_int_equal(f->received[0].segment_size, f->received[0].size);
            got += f->received[0].size;
        }
    }
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_combinations, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refused_in_mid_stream, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refused_for_their_own_sake, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_port_is_ours, set_up, tear_down),
        cmocka_unit_test_setup_teardown(group, set_up, tear_down),
        cmocka_unit_test_setup_teardown(join_one_family, set_up, tear_down),
        cmocka_unit_test_setup_teardown(train_larger_than_its_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(trains_that_wait_when_gro_goes_off, set_up, tear_down),
        /* last: it leaves the process in another network namespace */
        cmocka_unit_test_setup_teardown(narrow_route, set_up_alone, tear_down_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
