/* SPDX-License-Identifier: Apache-2.0 */
/* Numbered UDP datagrams at a steady pace, and the count of those that arrive. It measures a path
 * for minutes beside other tests and takes little time itself; it knows nothing of tunnels.
 *
 *   stream send ADDRESS PORT PACE_PER_S SIZE      until SIGTERM, then prints sent=N refused=N
 *   stream receive ADDRESS PORT                   until SIGTERM, then prints
 *                                                 received=N highest=N repeated=N damaged=N
 *                                                 missing=A,B,...
 * 'missing' names at most 20 numbers below 'highest'; missing_count=N counts all. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { NUMBERS_MAX = 1 << 22, SIZE_MAX_BYTES = 65000 };

static volatile sig_atomic_t over;
static uint8_t seen[NUMBERS_MAX];
static uint8_t text[1 << 16];

static void on_signal(int number) {
    (void)number;
    over = 1;
}

static void fail(const char *what) {
    fprintf(stderr, "stream: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint8_t filler(uint64_t number, size_t at) {
    return (uint8_t)(number * 31 + at * 7);
}

static socklen_t parse(const char *address, const char *port, struct sockaddr_storage *ret) {
    struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
    memset(ret, 0, sizeof *ret);
    if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)strtoul(port, NULL, 10));
        return sizeof *v4;
    }
    if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)strtoul(port, NULL, 10));
        return sizeof *v6;
    }
    errno = EINVAL;
    fail(address);
    return 0;
}

static int send_all(int fd, uint64_t pace, size_t size) {
    struct timespec next;
    uint64_t sent = 0, refused = 0;
    clock_gettime(CLOCK_MONOTONIC, &next);
    while (!over && sent < NUMBERS_MAX) {
        memcpy(text, &sent, sizeof sent);
        for (size_t i = sizeof sent; i < size; i++) {
            text[i] = filler(sent, i);
        }
        if (send(fd, text, size, 0) < 0) {
            refused++;
        }
        sent++;
        next.tv_nsec += (long)(1000000000u / pace);
        if (next.tv_nsec >= 1000000000) {
            next.tv_nsec -= 1000000000;
            next.tv_sec++;
        }
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    }
    printf("sent=%llu refused=%llu\n", (unsigned long long)sent, (unsigned long long)refused);
    return 0;
}

static int receive_all(int fd) {
    uint64_t received = 0, highest = 0, repeated = 0, damaged = 0, missing = 0;
    while (!over) {
        ssize_t n = recv(fd, text, sizeof text, 0);
        uint64_t number = NUMBERS_MAX;
        if (n < 8) {
            continue;
        }
        memcpy(&number, text, sizeof number);
        for (size_t i = 8; i < (size_t)n; i++) {
            if (text[i] != filler(number, i)) {
                damaged++;
                break;
            }
        }
        if (number >= NUMBERS_MAX) {
            continue;
        }
        repeated += seen[number];
        received += !seen[number];
        seen[number] = 1;
        highest = number > highest ? number : highest;
    }
    printf("received=%llu highest=%llu repeated=%llu damaged=%llu", (unsigned long long)received,
           (unsigned long long)highest, (unsigned long long)repeated, (unsigned long long)damaged);
    printf(" missing=");
    for (uint64_t i = 0; i < highest; i++) {
        if (!seen[i] && missing++ < 20) {
            printf("%s%llu", missing > 1 ? "," : "", (unsigned long long)i);
        }
    }
    printf(" missing_count=%llu\n", (unsigned long long)missing);
    return 0;
}

int main(int argc, char **argv) {
    struct sigaction action = {.sa_handler = on_signal}; /* without SA_RESTART: recv must return */
    struct sockaddr_storage address;
    struct timeval often = {.tv_usec = 200000};
    int large = 8 << 20;
    sigaction(SIGTERM, &action, NULL);
    if (argc == 6 && strcmp(argv[1], "send") == 0) {
        socklen_t length = parse(argv[2], argv[3], &address);
        uint64_t pace = (uint64_t)strtoull(argv[4], NULL, 10);
        size_t size = (size_t)strtoull(argv[5], NULL, 10);
        int fd = socket(address.ss_family, SOCK_DGRAM, 0);
        if (pace < 2 || size < 8 || size > SIZE_MAX_BYTES) {
            errno = EINVAL;
            fail("PACE_PER_S from 2, SIZE from 8 to 65000");
        }
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, length) != 0) {
            fail("connect");
        }
        return send_all(fd, pace, size);
    }
    if (argc == 4 && strcmp(argv[1], "receive") == 0) {
        socklen_t length = parse(argv[2], argv[3], &address);
        int fd = socket(address.ss_family, SOCK_DGRAM, 0);
        if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) != 0) {
            fail("bind");
        }
        setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &large, sizeof large);
        /* a signal may come just before recv */
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &often, sizeof often);
        return receive_all(fd);
    }
    fprintf(stderr,
            "usage: stream send ADDRESS PORT PACE_PER_S SIZE | stream receive ADDRESS PORT\n");
    return 2;
}
