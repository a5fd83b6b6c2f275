/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: frames of any size, type and tags come out at the other sites as they went in, directly, by
 * a relay and by the control threads, whole or in pieces; a broadcast comes once to each; TCP is
 * told of a segment size that needs no pieces, whatever the interfaces' MTUs. Method: sites with
 * real devices, sockets, workers and switches; packet sockets as hosts, and the kernel's TCP. */
#define _GNU_SOURCE /* accept4 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "io/clock.h"
#include "sites.h"
#include "unit/base/check.h"

enum { TYPE = 0x88b5, STREAM = 6 << 20 };

static uint8_t expected[SITES_FRAME_ROOM], got[SITES_FRAME_ROOM];

static void need_root(void) {
    if (!sites_allowed()) {
        print_message("# skipped: needs root and /dev/net/tun, for devices in a namespace\n");
        skip();
    }
}

/* Writes a frame of our type from a host of one site to one of another; to all: SITES_MAX. */
static void make_frame(uint8_t *frame, uint32_t from, uint32_t to, uint32_t tags, size_t size,
                       uint32_t salt) {
    size_t at = 12;
    memset(frame, to == SITES_MAX ? 0xff : 0, 6);
    if (to < SITES_MAX) {
        frame[0] = 2;
        frame[5] = (uint8_t)(to + 1);
    }
    memset(frame + 6, 0, 6);
    frame[6] = 2;
    frame[11] = (uint8_t)(from + 1);
    for (uint32_t i = 0; i < tags; i++, at += 4) {
        wrn_store_be16(frame + at, i + 1 < tags ? 0x88a8 : 0x8100);
        wrn_store_be16(frame + at + 2, (uint16_t)(0x2000 + 100 + i)); /* with a priority */
    }
    wrn_store_be16(frame + at, TYPE);
    for (at += 2; at < size; at++) {
        frame[at] = (uint8_t)(at * 7 + (at >> 8) * 5 + salt);
    }
}

/* The frame that is waited for, at 'site'. */
static bool has_come(struct sites *sites, void *ctx) {
    const size_t *wanted = ctx; /* site, size */
    size_t size;
    while ((size = sites_receive(sites, (uint32_t)wanted[0], got)) > 0) {
        if (size != wanted[1] || memcmp(got, expected, size) != 0) {
            uint16_t type = wrn_load_be16(got + 12);
            CHECK(type != TYPE && type != 0x8100 && type != 0x88a8,
                  "another frame: %zu bytes instead of %zu\n", size, wanted[1]);
            continue; /* the host's own */
        }
        return true;
    }
    return false;
}

/* The next frame of our type at 'site', but for the beginning of one for which there was no
 * session: a switch takes that for nothing. */
static bool has_come_any(struct sites *sites, void *ctx) {
    const size_t *wanted = ctx; /* site, size */
    size_t size;
    while ((size = sites_receive(sites, (uint32_t)wanted[0], got)) > 0) {
        if (wrn_load_be16(got + 12) == TYPE && size > WRN_SWITCH_FRAME_MIN) {
            assert_int_equal(size, wanted[1]);
            return true;
        }
    }
    return false;
}

static void pass(struct sites *sites, uint32_t from, uint32_t to, uint32_t tags, size_t size) {
    size_t wanted[2] = {to, size};
    make_frame(expected, from, to, tags, size, (uint32_t)size + tags);
    sites_send(sites, from, expected, size);
    sites_until(sites, has_come, wanted);
}

/* 60 bytes are the least that an Ethernet has, and 1,518 the most with the checksum that we do not
 * see: 1,514, and 1,518 and 1,522 with tags. */
static void all_sizes(enum sites_way way) {
    static const size_t sizes[] = {60,   61,   64,   65,   127,  128,  576,   1280, 1340,
                                   1341, 1351, 1352, 1353, 1404, 1415, 1416,  1417, 1418,
                                   1499, 1500, 1513, 1514, 1515, 1518, 1522,  2047, 2048,
                                   2049, 4018, 9014, 9018, 9022, 9216, 16375, 16376};
    need_root();
    struct sites *sites = sites_create(2, way, 1);
    for (size_t i = 0; i < WRN_COUNT(sizes); i++) {
        for (uint32_t tags = 0; tags < 3; tags++) {
            pass(sites, i % 2, 1 - i % 2, tags, sizes[i]);
            pass(sites, 1 - i % 2, i % 2, tags, sizes[i]);
        }
    }
    uint64_t pieces = sites_pieces(sites, 0, WRN_PIECES_NONE);
    assert_true(pieces > 3 * 15);
    for (int i = 1; i < WRN_PIECES_REFUSAL_COUNT; i++) {
        assert_int_equal(sites_pieces(sites, 0, (enum wrn_pieces_refusal)i), 0);
        assert_int_equal(sites_pieces(sites, 1, (enum wrn_pieces_refusal)i), 0);
    }
    assert_int_equal(sites->relayed > 0, way == SITES_RELAYED);
    assert_int_equal(sites->carried > 0, way == SITES_CARRIED);
    assert_int_equal(sites_drops(sites, 0, WRN_DROP_PATH_TOO_SMALL), 0);
    assert_int_equal(sites_drops(sites, 0, WRN_DROP_BAD_INNER_PACKET), 0);
    sites_destroy(sites);
}

static void frames_of_all_sizes_directly(void **state) {
    (void)state;
    all_sizes(SITES_DIRECT);
}

static void frames_of_all_sizes_by_a_relay(void **state) {
    (void)state;
    all_sizes(SITES_RELAYED);
}

static void frames_of_all_sizes_by_the_control_threads(void **state) {
    (void)state;
    all_sizes(SITES_CARRIED);
}

/* How often a broadcast came to the other sites, up to the last of them. */
static struct {
    uint32_t from, last;
    uint32_t came[SITES_MAX][64];
} flood;

static bool has_flooded(struct sites *sites, void *ctx) {
    bool all = true;
    (void)ctx;
    for (uint32_t i = 0; i < sites->count; i++) {
        size_t size;
        while (i != flood.from && (size = sites_receive(sites, i, got)) > 0) {
            if (wrn_load_be16(got + 12) == TYPE) {
                assert_true(got[14] < 64);
                make_frame(expected, flood.from, SITES_MAX, 0, size, 0);
                expected[14] = got[14];
                assert_memory_equal(got, expected, size);
                flood.came[i][got[14]]++;
            }
        }
        all &= i == flood.from || flood.came[i][flood.last] > 0;
    }
    return all;
}

/* Each broadcast comes to each site once, small, large and very large; not back. */
static void a_broadcast_comes_once_to_each(void **state) {
    (void)state;
    need_root();
    struct sites *sites = sites_create(3, SITES_DIRECT, 1);
    for (flood.from = 0; flood.from < 3; flood.from++) {
        memset(flood.came, 0, sizeof flood.came);
        for (uint32_t i = 0; i < 48; i++) {
            static const size_t sizes[] = {60, 1400, 1514, 9000};
            uint8_t frame[9000];
            make_frame(frame, flood.from, SITES_MAX, 0, sizes[i % 4], 0);
            frame[14] = (uint8_t)i;
            flood.last = i;
            sites_send(sites, flood.from, frame, sizes[i % 4]);
            if (i % 8 == 0) { /* the first of all waits for a session */
                sites_until(sites, has_flooded, NULL);
            }
        }
        sites_until(sites, has_flooded, NULL);
        for (uint32_t i = 0; i < 3; i++) {
            for (uint32_t k = 0; k < 48; k++) {
                assert_int_equal(flood.came[i][k], i != flood.from);
            }
        }
        assert_int_equal(sites_receive(sites, flood.from, got), 0);
    }
    sites_destroy(sites);
}

/* Sends a frame that may not be fragmented past the switch, and behind it one that may. Returns
 * whether the first came, too. */
static bool comes_whole(struct sites *sites, size_t size) {
    struct site *site = &sites->site[0];
    static uint8_t frame[SITES_FRAME_ROOM];
    uint32_t came = 0;
    make_frame(frame, 0, 1, 0, size, 1);
    assert_int_equal(wrn_crew_send_frame(site->crew, wrn_clock_read(), site->machine, false, true,
                                         &site->peers[1], 1, (wrn_span){frame, size},
                                         site->settle.out),
                     0);
    wrn_settle_run(&site->settle, site->wg, wrn_clock_read());
    size_t wanted[2] = {1, size};
    make_frame(expected, 0, 1, 0, size, 2);
    assert_int_equal(wrn_crew_send_frame(site->crew, wrn_clock_read(), site->machine, false, false,
                                         &site->peers[1], 1, (wrn_span){expected, size},
                                         site->settle.out),
                     0);
    for (;;) {
        sites_until(sites, has_come_any, wanted);
        if (memcmp(got, expected, size) == 0) {
            return came > 0;
        }
        assert_memory_equal(got, frame, size);
        came++;
    }
}

/* Only those that fit the way come, whatever waits and was known of it; the others may be
 * fragmented before and after. */
static void what_may_not_be_fragmented(void **state) {
    (void)state;
    need_root();
    struct sites *sites = sites_create(2, SITES_DIRECT, 2);
    struct ifreq values = {.ifr_mtu = 1450};
    assert_false(comes_whole(sites, 100)); /* there is no session */
    assert_true(comes_whole(sites, 100));
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    memcpy(values.ifr_name, "lo", 3);
    assert_return_code(ioctl(fd, SIOCSIFMTU, &values), errno);
    close(fd);
    assert_true(comes_whole(sites, 1450 - 28 - 32 - 4)); /* IP, UDP; the tunnel; the head */
    assert_false(comes_whole(sites, 1450 - 28 - 32 - 4 + 1));
    assert_false(comes_whole(sites, 9000));
    assert_true(comes_whole(sites, 1300));
    for (size_t size = 1300; size < 1416; size += 5) {
        pass(sites, 0, 1, 0, size);
        pass(sites, 1, 0, 0, size);
    }
    sites_destroy(sites);
}

/* A TCP connection between two hosts. */
struct stream {
    int listener, client, server;
    size_t sent, received;
    int mss[2]; /* what each end uses for sending */
};

static void give_address(uint8_t last, int mtu) {
    struct ifreq values = {.ifr_mtu = mtu};
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    memcpy(values.ifr_name, "tap0", 5);
    assert_return_code(ioctl(fd, SIOCSIFMTU, &values), errno);
    v4.sin_addr.s_addr = htonl(0x0a090000u + last);
    memcpy(&values.ifr_addr, &v4, sizeof v4);
    assert_return_code(ioctl(fd, SIOCSIFADDR, &values), errno);
    v4.sin_addr.s_addr = htonl(0xffffff00);
    memcpy(&values.ifr_netmask, &v4, sizeof v4);
    assert_return_code(ioctl(fd, SIOCSIFNETMASK, &values), errno);
    values.ifr_flags = IFF_UP;
    assert_return_code(ioctl(fd, SIOCSIFFLAGS, &values), errno);
    close(fd);
}

static uint8_t stream_byte(size_t at) {
    return (uint8_t)(at * 31 + (at >> 8) * 7 + (at >> 16));
}

static bool has_streamed(struct sites *sites, void *ctx) {
    static uint8_t bytes[256 << 10];
    struct stream *stream = ctx;
    ssize_t size;
    for (uint32_t i = 0; i < sites->count; i++) { /* nobody looks at them, but they fill up */
        while (sites_receive(sites, i, got) > 0) {
        }
    }
    if (stream->server < 0) {
        stream->server = accept4(stream->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        return false;
    }
    while (stream->sent < STREAM) {
        size_t part = STREAM - stream->sent < sizeof bytes ? STREAM - stream->sent : sizeof bytes;
        for (size_t i = 0; i < part; i++) {
            bytes[i] = stream_byte(stream->sent + i);
        }
        size = send(stream->client, bytes, part, 0);
        if (size < 0) {
            break;
        }
        stream->sent += (size_t)size;
    }
    while ((size = recv(stream->server, bytes, sizeof bytes, 0)) > 0) {
        for (ssize_t i = 0; i < size; i++) {
            assert_int_equal(bytes[i], stream_byte(stream->received + (size_t)i));
        }
        stream->received += (size_t)size;
    }
    return stream->received == STREAM;
}

static void run_stream(struct sites *sites, uint32_t from, struct stream *stream) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(7000)};
    socklen_t size = sizeof(int);
    int one = 1;
    *stream = (struct stream){.server = -1};
    sites_enter(sites, 1 - from);
    at.sin_addr.s_addr = htonl(0x0a090000u + 2 - from);
    stream->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    (void)setsockopt(stream->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    assert_return_code(bind(stream->listener, (struct sockaddr *)&at, sizeof at), errno);
    assert_return_code(listen(stream->listener, 1), errno);
    sites_enter(sites, from);
    stream->client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(stream->client, (struct sockaddr *)&at, sizeof at), -1);
    assert_int_equal(errno, EINPROGRESS);
    sites_enter(sites, SITES_MAX);
    sites_until(sites, has_streamed, stream);
    struct tcp_info info;
    size = sizeof info;
    assert_return_code(getsockopt(stream->client, IPPROTO_TCP, TCP_INFO, &info, &size), errno);
    stream->mss[0] = (int)info.tcpi_snd_mss;
    size = sizeof info;
    assert_return_code(getsockopt(stream->server, IPPROTO_TCP, TCP_INFO, &info, &size), errno);
    stream->mss[1] = (int)info.tcpi_snd_mss;
    close(stream->client);
    close(stream->server);
    close(stream->listener);
}

/* With the usual options a segment has 12 bytes less. */
static void streams(enum sites_way way, int mtu, uint32_t workers, int mss) {
    struct stream stream;
    need_root();
    struct sites *sites = sites_create(2, way, workers);
    for (uint32_t i = 0; i < 2; i++) {
        sites_enter(sites, i);
        give_address((uint8_t)(i + 1), mtu);
        sites_enter(sites, SITES_MAX);
    }
    for (uint32_t from = 0; from < 2; from++) {
        run_stream(sites, from, &stream);
        assert_in_range(stream.mss[0], mss - 12, mss);
        assert_in_range(stream.mss[1], mss - 12, mss);
    }
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(sites_pieces(sites, i, WRN_PIECES_NONE), 0); /* none were needed */
        assert_int_equal(sites_drops(sites, i, WRN_DROP_TUN_REFUSED), 0);
        uint32_t all = wrn_crew_offloads(sites->site[i].crew);
        assert_true((all & WRN_TUN_TSO4) != 0); /* none was lost on the way */
    }
    sites_destroy(sites);
}

/* 1,420 bytes of payload: less 4 of the frame's head, 14, 20 and 20. */
static void tcp_needs_no_pieces(void **state) {
    (void)state;
    streams(SITES_DIRECT, 1500, 1, 1362);
}

static void tcp_of_jumbo_hosts_needs_no_pieces(void **state) {
    (void)state;
    streams(SITES_DIRECT, 9000, 2, 1362);
}

static void tcp_by_a_relay_needs_no_pieces(void **state) {
    (void)state;
    streams(SITES_RELAYED, 1500, 1, 1298); /* 1,356 of payload */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_of_all_sizes_directly),
        cmocka_unit_test(frames_of_all_sizes_by_a_relay),
        cmocka_unit_test(frames_of_all_sizes_by_the_control_threads),
        cmocka_unit_test(a_broadcast_comes_once_to_each),
        cmocka_unit_test(what_may_not_be_fragmented),
        cmocka_unit_test(tcp_needs_no_pieces),
        cmocka_unit_test(tcp_of_jumbo_hosts_needs_no_pieces),
        cmocka_unit_test(tcp_by_a_relay_needs_no_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
