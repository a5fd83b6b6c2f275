/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the kernel takes joined packets, and cuts them into what came in; what it hands over in one
 * piece, we cut the same way. Method: a network namespace of this process forwards from one TUN
 * device to another. Joined packets are written to the first; the second first takes no large
 * packets, so that the kernel cuts, then it takes them, so that we do. Skipped without root. */
#define _GNU_SOURCE /* unshare */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/bytes.h"
#include "packet/coalesce.h"
#include "packet/split.h"
#include "unit/base/check.h"
#include "unit/packet/model.h"

#ifndef TUN_F_USO4 /* Linux 6.2 */
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

enum { WAIT_MS = 10000, PACKETS = 20, ROOM = 2048, TCP4 = 0, TCP6 = 1, UDP4 = 2, UDP6 = 3 };

static bool allowed;
static int in_fd, out_fd;
static bool has_uso;
static struct wrn_coalescer coalescer;
static uint8_t packets[PACKETS][ROOM], expected[PACKETS][ROOM];
static struct iovec list[PACKETS];

static bool write_setting(const char *path, const char *value) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool done = fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value);
    if (fd >= 0) {
        close(fd);
    }
    return done;
}

/* Makes a device with both addresses and switches it on. */
static int make_device(const char *name, const char *v4, uint8_t v6_byte) {
    struct ifreq values = {.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR};
    struct in6_ifreq v6 = {.ifr6_prefixlen = 64};
    struct sockaddr_in *address = (struct sockaddr_in *)(void *)&values.ifr_addr;
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    int v4_socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int v6_socket = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0 && v4_socket >= 0 && v6_socket >= 0);
    snprintf(values.ifr_name, sizeof values.ifr_name, "%s", name);
    assert_return_code(ioctl(fd, TUNSETIFF, &values), errno);
    memset(&values.ifr_addr, 0, sizeof values.ifr_addr);
    address->sin_family = AF_INET;
    assert_int_equal(inet_pton(AF_INET, v4, &address->sin_addr), 1);
    assert_return_code(ioctl(v4_socket, SIOCSIFADDR, &values), errno);
    assert_int_equal(inet_pton(AF_INET, "255.255.255.0", &address->sin_addr), 1);
    assert_return_code(ioctl(v4_socket, SIOCSIFNETMASK, &values), errno);
    values.ifr_flags = IFF_UP;
    assert_return_code(ioctl(v4_socket, SIOCSIFFLAGS, &values), errno);
    memset(&v6.ifr6_addr, v6_byte, sizeof v6.ifr6_addr);
    v6.ifr6_addr.s6_addr[15] = 0xee;
    v6.ifr6_ifindex = (int)if_nametoindex(name);
    assert_return_code(ioctl(v6_socket, SIOCSIFADDR, &v6), errno);
    close(v4_socket);
    close(v6_socket);
    return fd;
}

static int start(void **state) {
    (void)state;
    allowed = geteuid() == 0 && unshare(CLONE_NEWNET) == 0 && access("/dev/net/tun", R_OK) == 0;
    if (!allowed) {
        return 0;
    }
    if (!write_setting("/proc/sys/net/ipv4/ip_forward", "1") ||
        !write_setting("/proc/sys/net/ipv6/conf/all/forwarding", "1")) {
        allowed = false; /* /proc is read-only */
        return 0;
    }
    in_fd = make_device("in", "10.0.0.254", 0x2a);
    out_fd = make_device("out", "192.168.7.1", 0xfd);
    unsigned long uso = TUN_F_CSUM | TUN_F_USO4 | TUN_F_USO6;
    has_uso = ioctl(out_fd, TUNSETOFFLOAD, uso) == 0;
    print_message("# this kernel %s UDP segmentation in TUN\n", has_uso ? "has" : "lacks");
    return 0;
}

static int stop(void **state) {
    (void)state;
    if (in_fd > 0) {
        close(in_fd);
        close(out_fd);
    }
    return 0;
}

/* Makes a train of one kind in 'list', and in 'expected' what it is after one hop. */
static void make_train(unsigned kind) {
    static const uint8_t options[12] = {1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8};
    struct model_packet p = {
        .is_v6 = kind == TCP6 || kind == UDP6,
        .is_udp = kind == UDP4 || kind == UDP6,
        .tos = 2,
        .ttl = 64,
        .flags = MODEL_ACK,
        .id = 0xfff8,
        .fragment = 0x4000,
        .window = 500,
        .label = 0x12345,
        .sequence = 0xffffff00u,
        .acknowledged = 77,
        .options = options,
        .options_size = sizeof options,
        .payload_size = 1001,
    };
    for (unsigned i = 0; i < PACKETS; i++) {
        p.salt = i;
        p.payload_size = i + 1 < PACKETS ? 1001 : 77;
        p.flags = i + 1 < PACKETS ? MODEL_ACK : MODEL_ACK | MODEL_PSH;
        p.ttl = 64;
        list[i] = (struct iovec){packets[i], model_build(&p, packets[i])};
        p.ttl = 63;
        model_build(&p, expected[i]);
        p.sequence += (uint32_t)p.payload_size;
        p.id++;
    }
}

static void write_joined(const char *name) {
    wrn_coalesce(&coalescer, list, PACKETS, WRN_COALESCE_ALL);
    CHECK(coalescer.count == 1, "%s: %u outs: ", name, coalescer.count);
    struct wrn_coalesced *out = &coalescer.out[0];
    struct iovec *parts = &coalescer.parts[out->first_part - 1];
    size_t size = 0;
    parts[0] = (struct iovec){out->header, WRN_VIRTIO_SIZE};
    for (size_t i = 0; i <= out->part_count; i++) {
        size += parts[i].iov_len;
    }
    ssize_t written = writev(in_fd, parts, out->part_count + 1);
    CHECK(written == (ssize_t)size, "%s: %zd of %zu bytes: %s: ", name, written, size,
          strerror(errno));
}

/* Waits for a packet that the namespace forwarded, not one of its own. Returns its size. */
static size_t read_forwarded(struct wrn_virtio *ret_header, uint8_t *packet, size_t room,
                             const char *name) {
    for (;;) {
        struct pollfd ready = {.fd = out_fd, .events = POLLIN};
        CHECK(poll(&ready, 1, WAIT_MS) == 1, "%s: nothing arrives: ", name);
        uint8_t header[WRN_VIRTIO_SIZE];
        struct iovec parts[2] = {{header, sizeof header}, {packet, room}};
        ssize_t size = readv(out_fd, parts, 2);
        CHECK(size > WRN_VIRTIO_SIZE, "%s: %s: ", name, strerror(errno));
        uint8_t protocol = packet[packet[0] >> 4 == 6 ? 6 : 9];
        if (protocol == 6 || protocol == 17) {
            wrn_virtio_read(header, ret_header);
            return (size_t)size - WRN_VIRTIO_SIZE;
        }
    }
}

static void check_segment(const uint8_t *segment, size_t size, size_t index, const char *name) {
    CHECK(index < PACKETS && size == list[index].iov_len, "%s: segment %zu has %zu bytes: ", name,
          index, size);
    for (size_t at = 0; at < size; at++) {
        CHECK(segment[at] == expected[index][at],
              "%s: segment %zu, byte %zu is %02x, not %02x: ", name, index, at, segment[at],
              expected[index][at]);
    }
}

static void the_kernel_cuts(void **state) {
    (void)state;
    static const char *names[] = {"TCP4", "TCP6", "UDP4", "UDP6"};
    static uint8_t packet[MODEL_SIZE_MAX];
    if (!allowed) {
        print_message("# skipped: needs root and /dev/net/tun, for devices in a namespace\n");
        skip();
    }
    assert_return_code(ioctl(out_fd, TUNSETOFFLOAD, 0), errno);
    for (unsigned kind = TCP4; kind <= (has_uso ? UDP6 : TCP6); kind++) {
        make_train(kind);
        write_joined(names[kind]);
        for (size_t i = 0; i < PACKETS; i++) {
            struct wrn_virtio header;
            size_t size = read_forwarded(&header, packet, sizeof packet, names[kind]);
            check_segment(packet, size, i, names[kind]);
        }
    }
}

static void we_cut(void **state) {
    (void)state;
    static const char *names[] = {"TCP4", "TCP6", "UDP4", "UDP6"};
    static uint8_t packet[MODEL_SIZE_MAX], segment[MODEL_SIZE_MAX];
    if (!allowed) {
        print_message("# skipped: needs root and /dev/net/tun, for devices in a namespace\n");
        skip();
    }
    unsigned long offloads = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
    offloads |= has_uso ? TUN_F_USO4 | TUN_F_USO6 : 0;
    assert_return_code(ioctl(out_fd, TUNSETOFFLOAD, offloads), errno);
    for (unsigned kind = TCP4; kind <= (has_uso ? UDP6 : TCP6); kind++) {
        make_train(kind);
        write_joined(names[kind]);
        struct wrn_virtio header;
        struct wrn_split split;
        size_t size = read_forwarded(&header, packet, sizeof packet, names[kind]);
        CHECK(wrn_split_begin(&split, &header, packet, size) == 0, "%s: ", names[kind]);
        CHECK(split.count == PACKETS, "%s: %u segments: ", names[kind], split.count);
        for (uint32_t i = 0; i < split.count; i++) {
            wrn_split_write(&split, i, segment);
            check_segment(segment, wrn_split_size(&split, i), i, names[kind]);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_kernel_cuts),
        cmocka_unit_test(we_cut),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
