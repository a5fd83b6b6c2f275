/* SPDX-License-Identifier: Apache-2.0 */
/* Measures round trips by UDP, one packet under way at a time. Every run is bounded in time. It is
 * for private namespaces only.
 *
 *     udp_ping serve ADDRESS PORT                     echoes, until killed or idle for a minute
 *     udp_ping first ADDRESS PORT SECONDS             waits until the first echo comes back
 *     udp_ping run ADDRESS PORT SECONDS INTERVAL_US   an exchange each interval, then percentiles
 *
 * 'serve' prints "ready"; the others print a line of JSON. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SIZE = 64, SAMPLES_MAX = 1000000, IDLE_S = 60, SECONDS_MAX = 60 };

#define S_NS    INT64_C(1000000000)
#define TRY_NS  INT64_C(2000000)
#define LOST_NS S_NS /* an echo that takes longer is lost */

static int run_serve(const char *address, const char *port);
static int run_first(const char *address, const char *port, double seconds);
static int run_series(const char *address, const char *port, double seconds, double interval_us);
static int open_socket(const char *address, const char *port, int serve);
static void set_patience(int fd, int64_t ns);
static int64_t exchange(int fd, uint64_t number);
static double percentile_us(const int64_t *sorted, size_t count, size_t per_cent);
static int compare(const void *a, const void *b);
static int64_t now_ns(void);
static void fail(const char *what);

int main(int argc, char **argv) {
    double seconds = argc >= 5 ? strtod(argv[4], NULL) : 1;
    double interval_us = argc >= 6 ? strtod(argv[5], NULL) : 1;
    if (seconds > 0 && seconds <= SECONDS_MAX && interval_us > 0 && interval_us <= 1e6) {
        if (argc == 4 && strcmp(argv[1], "serve") == 0) {
            return run_serve(argv[2], argv[3]);
        }
        if (argc == 5 && strcmp(argv[1], "first") == 0) {
            return run_first(argv[2], argv[3], seconds);
        }
        if (argc == 6 && strcmp(argv[1], "run") == 0) {
            return run_series(argv[2], argv[3], seconds, interval_us);
        }
    }
    fprintf(stderr, "usage: udp_ping serve ADDRESS PORT\n"
                    "       udp_ping first ADDRESS PORT SECONDS\n"
                    "       udp_ping run ADDRESS PORT SECONDS INTERVAL_US\n");
    return 2;
}

static int run_serve(const char *address, const char *port) {
    uint8_t bytes[2048];
    int fd = open_socket(address, port, 1);
    set_patience(fd, IDLE_S * S_NS);
    printf("ready\n");
    fflush(stdout);
    for (;;) {
        struct sockaddr_storage from;
        socklen_t from_size = sizeof from;
        ssize_t got = recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &from_size);
        if (got < 0 && errno == EAGAIN) {
            return 0;
        }
        if (got >= 0) {
            (void)sendto(fd, bytes, (size_t)got, 0, (struct sockaddr *)&from, from_size);
        }
    }
}

/* The network may not be there yet: every error means trying again. */
static int run_first(const char *address, const char *port, double seconds) {
    int64_t start = now_ns();
    int64_t end = start + (int64_t)(seconds * (double)S_NS);
    int fd = -1;
    for (uint64_t i = 0; now_ns() < end; i++) {
        uint8_t bytes[SIZE] = {0};
        fd = fd >= 0 ? fd : open_socket(address, port, 0);
        set_patience(fd, TRY_NS);
        memcpy(bytes, &i, sizeof i);
        if (send(fd, bytes, sizeof bytes, 0) != sizeof bytes) {
            (void)nanosleep(&(struct timespec){.tv_nsec = TRY_NS}, NULL);
        } else if (recv(fd, bytes, sizeof bytes, 0) == sizeof bytes) {
            printf("{\"tries\":%llu,\"seconds\":%.6f}\n", (unsigned long long)i + 1,
                   (double)(now_ns() - start) / (double)S_NS);
            return 0;
        }
    }
    fprintf(stderr, "udp_ping: no echo from %s within %g s\n", address, seconds);
    return 1;
}

static int run_series(const char *address, const char *port, double seconds, double interval_us) {
    static int64_t taken[SAMPLES_MAX];
    int fd = open_socket(address, port, 0);
    size_t count = 0;
    uint64_t number = 0;
    int64_t next = now_ns();
    int64_t end = next + (int64_t)(seconds * (double)S_NS);
    set_patience(fd, LOST_NS);
    while (next < end && count < SAMPLES_MAX) {
        struct timespec at = {next / S_NS, next % S_NS};
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR) {
        }
        int64_t ns = exchange(fd, ++number);
        if (ns >= 0) {
            taken[count++] = ns;
        }
        next += (int64_t)(interval_us * 1000);
        next = next < now_ns() ? now_ns() : next;
    }
    if (count == 0) {
        fprintf(stderr, "udp_ping: none of %llu packets came back from %s\n",
                (unsigned long long)number, address);
        return 1;
    }
    qsort(taken, count, sizeof taken[0], compare);
    printf("{\"count\":%zu,\"lost\":%llu,\"min_us\":%.1f,\"p50_us\":%.1f,\"p99_us\":%.1f,"
           "\"max_us\":%.1f}\n",
           count, (unsigned long long)(number - count), percentile_us(taken, count, 0),
           percentile_us(taken, count, 50), percentile_us(taken, count, 99),
           percentile_us(taken, count, 100));
    close(fd);
    return 0;
}

/* Returns the nanoseconds of one round trip, -1 if the echo was lost. */
static int64_t exchange(int fd, uint64_t number) {
    uint8_t bytes[SIZE] = {0};
    uint64_t echoed;
    memcpy(bytes, &number, sizeof number);
    int64_t start = now_ns();
    if (send(fd, bytes, sizeof bytes, 0) != sizeof bytes) {
        return -1;
    }
    do {
        if (recv(fd, bytes, sizeof bytes, 0) != sizeof bytes) {
            return -1;
        }
        memcpy(&echoed, bytes, sizeof echoed);
    } while (echoed != number); /* a late one */
    return now_ns() - start;
}

static int open_socket(const char *address, const char *port, int serve) {
    struct sockaddr_in at = {.sin_family = AF_INET};
    char *end;
    unsigned long value = strtoul(port, &end, 10);
    if (inet_pton(AF_INET, address, &at.sin_addr) != 1 || *end != 0 || value < 1 || value > 65535) {
        fprintf(stderr, "udp_ping: %s port %s is no IPv4 address and port\n", address, port);
        exit(2);
    }
    at.sin_port = htons((uint16_t)value);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        fail("make a socket");
    }
    if ((serve ? bind(fd, (struct sockaddr *)&at, sizeof at)
               : connect(fd, (struct sockaddr *)&at, sizeof at)) != 0) {
        fail(serve ? "bind" : "connect");
    }
    return fd;
}

static void set_patience(int fd, int64_t ns) {
    struct timeval patience = {.tv_sec = ns / S_NS, .tv_usec = ns % S_NS / 1000};
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0) {
        fail("set a time-out");
    }
}

static double percentile_us(const int64_t *sorted, size_t count, size_t per_cent) {
    size_t index = (count - 1) * per_cent / 100;
    return (double)sorted[index] / 1e3;
}

static int compare(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * S_NS + now.tv_nsec;
}

static void fail(const char *what) {
    fprintf(stderr, "udp_ping: cannot %s: %s\n", what, strerror(errno));
    exit(1);
}
