/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel's part of a tunnel costs: processor time of one call on a TUN device and on a UDP
 * socket over a veth pair, for small, full and large packets. A call includes what the kernel does
 * at once on behalf of it, up to the receiver's queue. For private namespaces only.
 *
 *     syscall_costs LEFT_NETNS RIGHT_NETNS LEFT_ADDRESS RIGHT_ADDRESS
 *
 * The namespaces are paths; the addresses reach one another. Prints JSON lines, then a table. Times
 * are the median of many runs. */
#define _GNU_SOURCE /* setns, recvmmsg, sendmmsg */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../figures.h"

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20 /* newer than Debian 12's headers */
#define TUN_F_USO6 0x40
#endif
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

enum {
    RUNS = FIGURES_RUNS_MAX,
    CALLS = 32, /* a run; few enough for every queue */
    ROOM = 1 << 16,
    SEGMENTS = 44,
    BATCH = 64,
    IP_UDP = 28, /* headers */
    WAKES = 200, /* a run */
    PORT = 4100,
    BUFFER = 16 << 20,
};

struct result {
    const char *what;
    size_t packets; /* a call */
    size_t size;    /* bytes of each */
    double ns[RUNS];
};

struct wake {
    int there, back;
};

static uint8_t bytes[ROOM + 64];

static void enter(const char *path);
static int open_socket(const char *address, int connected);
static int open_tun(void);
static void measure_udp(int from, int to, size_t size, size_t segments);
static void measure_udp_batch(int from, int to, size_t size);
static void measure_tun(int tun, int socket, size_t size, size_t segments);
static size_t make_packet(uint8_t *packet, size_t size, size_t segments);
static void set_segment(int fd, size_t size);
static void measure_wake(void);
static void *answer(void *wake);
static void report(struct result *result);
static void need(int good, const char *what);

static char table[8192];

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "usage: syscall_costs LEFT_NETNS RIGHT_NETNS LEFT_ADDRESS RIGHT_ADDRESS\n");
        return 2;
    }
    enter(argv[2]);
    int to = open_socket(argv[4], 0);
    enter(argv[1]);
    int from = open_socket(argv[4], 1);
    int tun = open_tun();
    int host = open_socket("10.96.0.1", 0);
    int on = 1;
    need(setsockopt(to, IPPROTO_UDP, UDP_GRO, &on, sizeof on) == 0 &&
             setsockopt(host, IPPROTO_UDP, UDP_GRO, &on, sizeof on) == 0,
         "switch UDP_GRO on");
    measure_udp(from, to, 96, 1);
    measure_udp(from, to, 96, BATCH);
    measure_udp_batch(from, to, 96);
    measure_udp(from, to, 1452, 1);
    measure_udp(from, to, 1452, SEGMENTS);
    measure_tun(tun, host, 64, 1);
    measure_tun(tun, host, 64, BATCH);
    measure_tun(tun, host, 1392, 1);
    measure_tun(tun, host, 1392, SEGMENTS);
    measure_wake();
    printf("\n%-34s %8s %7s %10s %10s\n%s", "call", "packets", "bytes", "ns a call", "ns each",
           table);
    return 0;
}

static void enter(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    need(fd >= 0 && setns(fd, CLONE_NEWNET) == 0, "enter a network namespace");
    close(fd);
}

static int open_socket(const char *address, int connected) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    int size = BUFFER;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    need(fd >= 0 && inet_pton(AF_INET, address, &at.sin_addr) == 1, "make a socket");
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
    need((connected ? connect(fd, (struct sockaddr *)&at, sizeof at)
                    : bind(fd, (struct sockaddr *)&at, sizeof at)) == 0,
         "bind or connect a socket");
    return fd;
}

/* With 10.96.0.1/24, so that 10.96.0.2 is behind it. */
static int open_tun(void) {
    struct ifreq request = {.ifr_name = "costs", .ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR};
    struct sockaddr_in at = {.sin_family = AF_INET};
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    need(fd >= 0 && control >= 0 && ioctl(fd, TUNSETIFF, &request) == 0, "make a TUN device");
    need(ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_USO4 | TUN_F_USO6) ==
             0,
         "switch its offloads on");
    at.sin_addr.s_addr = htonl(0x0a600001);
    memcpy(&request.ifr_addr, &at, sizeof at);
    need(ioctl(control, SIOCSIFADDR, &request) == 0, "give it an address");
    at.sin_addr.s_addr = htonl(0xffffff00);
    memcpy(&request.ifr_addr, &at, sizeof at);
    need(ioctl(control, SIOCSIFNETMASK, &request) == 0, "give it a mask");
    request.ifr_flags = IFF_UP;
    need(ioctl(control, SIOCSIFFLAGS, &request) == 0, "bring it up");
    close(control);
    return fd;
}

/* 'segments' datagrams of 'size' bytes a call, by UDP_SEGMENT and UDP_GRO if there are several. */
static void measure_udp(int from, int to, size_t size, size_t segments) {
    struct result sent = {"UDP send", segments, size, {0}};
    struct result received = {"UDP receive", segments, size, {0}};
    set_segment(from, segments > 1 ? size : 0);
    for (size_t run = 0; run < RUNS; run++) {
        double start = figures_ns(CLOCK_THREAD_CPUTIME_ID);
        for (size_t i = 0; i < CALLS; i++) {
            need(send(from, bytes, size * segments, 0) > 0, "send");
        }
        sent.ns[run] = (figures_ns(CLOCK_THREAD_CPUTIME_ID) - start) / CALLS;
        start = figures_ns(CLOCK_THREAD_CPUTIME_ID);
        for (size_t i = 0; i < CALLS; i++) {
            need(recv(to, bytes, ROOM, 0) == (ssize_t)(size * segments), "receive as one");
        }
        received.ns[run] = (figures_ns(CLOCK_THREAD_CPUTIME_ID) - start) / CALLS;
    }
    set_segment(from, 0);
    report(&sent);
    report(&received);
}

/* BATCH datagrams a call by sendmmsg and recvmmsg. */
static void measure_udp_batch(int from, int to, size_t size) {
    struct result sent = {"UDP sendmmsg", BATCH, size, {0}};
    struct result received = {"UDP recvmmsg", BATCH, size, {0}};
    struct iovec parts[BATCH];
    struct mmsghdr messages[BATCH];
    for (size_t i = 0; i < BATCH; i++) {
        parts[i] = (struct iovec){bytes + i * size, size};
        messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &parts[i], .msg_iovlen = 1}};
    }
    for (size_t run = 0; run < RUNS; run++) {
        double start = figures_ns(CLOCK_THREAD_CPUTIME_ID);
        need(sendmmsg(from, messages, BATCH, 0) == BATCH, "send a batch");
        sent.ns[run] = figures_ns(CLOCK_THREAD_CPUTIME_ID) - start;
        start = figures_ns(CLOCK_THREAD_CPUTIME_ID);
        need(recvmmsg(to, messages, BATCH, 0, NULL) == BATCH, "receive a batch");
        received.ns[run] = figures_ns(CLOCK_THREAD_CPUTIME_ID) - start;
    }
    report(&sent);
    report(&received);
}

/* From the host's socket out of the device, and into the device to the socket. The calls on the
 * socket are not counted. */
static void measure_tun(int tun, int socket, size_t size, size_t segments) {
    static uint8_t packet[ROOM + 64];
    struct result read_ = {"TUN read", segments, size + IP_UDP, {0}};
    struct result written = {"TUN write", segments, size + IP_UDP, {0}};
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    there.sin_addr.s_addr = htonl(0x0a600002);
    size_t whole = make_packet(packet, size, segments);
    for (size_t run = 0; run < RUNS; run++) {
        set_segment(socket, segments > 1 ? size : 0);
        for (size_t i = 0; i < CALLS; i++) {
            need(sendto(socket, bytes, size * segments, 0, (struct sockaddr *)&there,
                        sizeof there) > 0,
                 "send into the TUN device");
        }
        double start = figures_ns(CLOCK_THREAD_CPUTIME_ID);
        for (size_t i = 0; i < CALLS; i++) {
            need(read(tun, bytes, sizeof bytes) == (ssize_t)whole, "read a whole packet");
        }
        read_.ns[run] = (figures_ns(CLOCK_THREAD_CPUTIME_ID) - start) / CALLS;
        start = figures_ns(CLOCK_THREAD_CPUTIME_ID);
        for (size_t i = 0; i < CALLS; i++) {
            need(write(tun, packet, whole) == (ssize_t)whole, "write a packet");
        }
        written.ns[run] = (figures_ns(CLOCK_THREAD_CPUTIME_ID) - start) / CALLS;
        for (size_t i = 0; i < CALLS; i++) {
            need(recv(socket, bytes, ROOM, 0) == (ssize_t)(size * segments), "get it as one");
        }
    }
    set_segment(socket, 0);
    report(&read_);
    report(&written);
}

/* UDP from 10.96.0.2 to 10.96.0.1 behind an offload header. Returns the bytes of both. */
static size_t make_packet(uint8_t *packet, size_t size, size_t segments) {
    struct virtio_net_hdr header = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                    .hdr_len = IP_UDP,
                                    .csum_start = 20,
                                    .csum_offset = 6};
    uint8_t *ip = packet + sizeof header;
    size_t payload = size * segments;
    if (segments > 1) {
        header.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4;
        header.gso_size = (uint16_t)size;
    }
    memcpy(packet, &header, sizeof header);
    memcpy(ip,
           (uint8_t[]){0x45,
                       0,
                       (uint8_t)((payload + IP_UDP) >> 8),
                       (uint8_t)(payload + IP_UDP),
                       0,
                       0,
                       0,
                       0,
                       64,
                       IPPROTO_UDP,
                       0,
                       0,
                       10,
                       96,
                       0,
                       2,
                       10,
                       96,
                       0,
                       1,
                       PORT >> 8,
                       PORT & 255,
                       PORT >> 8,
                       PORT & 255,
                       (uint8_t)((payload + 8) >> 8),
                       (uint8_t)(payload + 8),
                       0,
                       0},
           IP_UDP);
    uint32_t sum = 0;
    for (size_t i = 0; i < 20; i += 2) {
        sum += (uint32_t)(ip[i] << 8 | ip[i + 1]);
    }
    sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
    ip[10] = (uint8_t)(sum >> 8);
    ip[11] = (uint8_t)sum;
    sum = 2 * 0x0a60 + 1 + 2 + IPPROTO_UDP + (uint32_t)payload + 8; /* the pseudo header's */
    sum = (sum & 0xffff) + (sum >> 16);
    ip[26] = (uint8_t)(sum >> 8);
    ip[27] = (uint8_t)sum;
    return sizeof header + IP_UDP + payload;
}

static void set_segment(int fd, size_t size) {
    int value = (int)size;
    need(setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &value, sizeof value) == 0, "set UDP_SEGMENT");
}

/* Half of the time that two sleeping threads need to wake one another in turn; elapsed time. */
static void measure_wake(void) {
    struct wake wake = {eventfd(0, EFD_CLOEXEC), eventfd(0, EFD_CLOEXEC)};
    struct result result = {"wake a sleeping thread", 1, 8, {0}};
    pthread_t thread;
    uint64_t one = 1;
    need(wake.there >= 0 && wake.back >= 0 && pthread_create(&thread, NULL, answer, &wake) == 0,
         "start a thread");
    for (size_t run = 0; run < RUNS; run++) {
        double start = figures_ns(CLOCK_MONOTONIC);
        for (size_t i = 0; i < WAKES; i++) {
            need(write(wake.there, &one, sizeof one) == sizeof one &&
                     read(wake.back, &one, sizeof one) == sizeof one,
                 "wake a thread");
            one = 1;
        }
        result.ns[run] = (figures_ns(CLOCK_MONOTONIC) - start) / (2.0 * WAKES);
    }
    report(&result);
}

/* Until the program ends. */
static void *answer(void *wake) {
    const struct wake *fds = wake;
    uint64_t value;
    while (read(fds->there, &value, sizeof value) == sizeof value) {
        value = 1;
        if (write(fds->back, &value, sizeof value) != sizeof value) {
            break;
        }
    }
    return NULL;
}

static void report(struct result *result) {
    size_t used = strlen(table);
    double ns = figures_median(result->ns, RUNS);
    printf(
        "{\"bench\":\"syscall_costs\",\"call\":\"%s\",\"packets\":%zu,\"size\":%zu,\"ns\":%.0f}\n",
        result->what, result->packets, result->size, ns);
    (void)snprintf(table + used, sizeof table - used, "%-34s %8zu %7zu %10.0f %10.1f\n",
                   result->what, result->packets, result->size, ns, ns / (double)result->packets);
}

static void need(int good, const char *what) {
    if (!good) {
        fprintf(stderr, "syscall_costs: cannot %s: %s\n", what, strerror(errno));
        exit(1);
    }
}
