/* SPDX-License-Identifier: Apache-2.0 */
/* Sends prepared datagrams to one UDP port at a steady pace, from many sockets, for a bounded time,
 * and counts the answers by WireGuard message type. Part of the load tests; it makes no datagram
 * itself.
 *
 *   flood TARGET PORT FILE SIZE PACE_PER_S COUNT_MAX SOURCE...
 *
 * FILE holds datagrams of SIZE bytes one behind another, sent in turn. Each SOURCE is a local
 * address. SIGTERM ends it early. At the end it prints: sent=N refused=N answers1=N ... answers4=N
 * seconds=S */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BURST = 32, SOURCES_MAX = 256 };

static volatile sig_atomic_t over;

static void on_signal(int number) {
    (void)number;
    over = 1;
}

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void fail(const char *what) {
    fprintf(stderr, "flood: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int open_socket(const char *source, const struct sockaddr_in *target) {
    struct sockaddr_in from = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    int small = 65536;
    if (fd < 0 || inet_pton(AF_INET, source, &from.sin_addr) != 1 ||
        bind(fd, (struct sockaddr *)&from, sizeof from) != 0 ||
        connect(fd, (const struct sockaddr *)target, sizeof *target) != 0) {
        fail(source);
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    return fd;
}

static char *load(const char *path, size_t size, size_t *ret_count) {
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END) != 0) {
        fail(path);
    }
    size_t bytes = (size_t)ftell(f);
    char *data = malloc(bytes);
    rewind(f);
    if (!data || bytes < size || fread(data, 1, bytes, f) != bytes) {
        fail(path);
    }
    fclose(f);
    *ret_count = bytes / size;
    return data;
}

/* Reads what has come back on one socket. */
static void count_answers(int fd, uint64_t answers[5]) {
    unsigned char text[256];
    ssize_t n;
    while ((n = recv(fd, text, sizeof text, MSG_DONTWAIT)) != -1) {
        answers[n > 0 && text[0] <= 4 ? text[0] : 0]++;
    }
}

int main(int argc, char **argv) {
    if (argc < 8 || argc - 7 > SOURCES_MAX) {
        fprintf(stderr, "usage: flood TARGET PORT FILE SIZE PACE_PER_S COUNT_MAX SOURCE...\n");
        return 2;
    }
    struct sockaddr_in target = {.sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10))};
    if (inet_pton(AF_INET, argv[1], &target.sin_addr) != 1) {
        fail(argv[1]);
    }
    size_t size = (size_t)strtoul(argv[4], NULL, 10), count = 0;
    char *data = load(argv[3], size, &count);
    uint64_t pace = (uint64_t)strtoull(argv[5], NULL, 10),
             limit = (uint64_t)strtoull(argv[6], NULL, 10);
    int sources = argc - 7, fds[SOURCES_MAX];
    for (int i = 0; i < sources; i++) {
        fds[i] = open_socket(argv[7 + i], &target);
    }
    signal(SIGTERM, on_signal);

    struct mmsghdr burst[BURST];
    struct iovec piece[BURST];
    uint64_t sent = 0, refused = 0, answers[5] = {0}, start = now_ns();
    memset(burst, 0, sizeof burst);
    for (uint64_t turn = 0; !over && sent + refused < limit; turn++) {
        uint64_t due = start + (sent + refused) * 1000000000u / pace;
        if (due > now_ns()) {
            struct timespec t = {.tv_sec = (time_t)(due / 1000000000u),
                                 .tv_nsec = (long)(due % 1000000000u)};
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
        }
        for (int i = 0; i < BURST; i++) {
            piece[i] = (struct iovec){data + (sent + refused + (uint64_t)i) % count * size, size};
            burst[i].msg_hdr.msg_iov = &piece[i];
            burst[i].msg_hdr.msg_iovlen = 1;
        }
        int fd = fds[turn % (uint64_t)sources];
        int done = sendmmsg(fd, burst, BURST, 0);
        sent += done > 0 ? (uint64_t)done : 0;
        refused += done > 0 ? 0 : 1;
        count_answers(fd, answers);
    }
    double seconds = (double)(now_ns() - start) / 1e9;
    for (int i = 0; i < sources; i++) {
        count_answers(fds[i], answers);
    }
    printf("sent=%llu refused=%llu", (unsigned long long)sent, (unsigned long long)refused);
    for (int i = 1; i <= 4; i++) {
        printf(" answers%d=%llu", i, (unsigned long long)answers[i]);
    }
    printf(" seconds=%.3f\n", seconds);
    return 0;
}
