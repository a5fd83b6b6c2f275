/* SPDX-License-Identifier: Apache-2.0 */
/* Measures round trips, one packet under way at a time. Every run is bounded in time. It is for
 * private namespaces only.
 *
 *     round_trip serve ADDRESS PORT                          echoes, until killed or idle a minute
 *     round_trip first ADDRESS PORT SECONDS                  waits until the first echo comes back
 *     round_trip run ADDRESS PORT|icmp SECONDS INTERVAL_US   an exchange an interval: percentiles
 *
 * By UDP, where a program answers that has to be woken up; with "icmp" by echo requests (RFC 792),
 * which the kernel answers by itself; that needs root. 'serve' prints "ready"; the others print a
 * line of JSON. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    SIZE = 64,
    NUMBER_AT = sizeof(struct icmphdr), /* in the packet; by UDP too, so that both are alike */
    SAMPLES_MAX = 1000000,
    IDLE_S = 60,
    SECONDS_MAX = 60,
};

#define S_NS    INT64_C(1000000000)
#define TRY_NS  INT64_C(2000000)
#define LOST_NS S_NS /* an echo that takes longer is lost */

static int run_serve(const char *address, const char *port);
static int run_first(const char *address, const char *port, double seconds);
static int run_series(const char *address, const char *port, double seconds, double interval_us);
static int open_socket(const char *address, const char *port, int serve);
static void set_patience(int fd, int64_t ns);
static int64_t exchange(int fd, bool is_icmp, uint64_t number);
static void make_icmp(uint8_t bytes[SIZE]);
static ssize_t receive_echo(int fd, bool is_icmp, uint8_t bytes[SIZE]);
static int open_icmp(const char *address);
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
    fprintf(stderr, "usage: round_trip serve ADDRESS PORT\n"
                    "       round_trip first ADDRESS PORT SECONDS\n"
                    "       round_trip run ADDRESS PORT|icmp SECONDS INTERVAL_US\n");
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
    fprintf(stderr, "round_trip: no echo from %s within %g s\n", address, seconds);
    return 1;
}

static int run_series(const char *address, const char *port, double seconds, double interval_us) {
    static int64_t taken[SAMPLES_MAX];
    bool is_icmp = strcmp(port, "icmp") == 0;
    int fd = is_icmp ? open_icmp(address) : open_socket(address, port, 0);
    size_t count = 0;
    uint64_t number = 0;
    int64_t next = now_ns();
    int64_t end = next + (int64_t)(seconds * (double)S_NS);
    set_patience(fd, LOST_NS);
    while (next < end && count < SAMPLES_MAX) {
        struct timespec at = {next / S_NS, next % S_NS};
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR) {
        }
        int64_t ns = exchange(fd, is_icmp, ++number);
        if (ns >= 0) {
            taken[count++] = ns;
        }
        next += (int64_t)(interval_us * 1000);
        next = next < now_ns() ? now_ns() : next;
    }
    if (count == 0) {
        fprintf(stderr, "round_trip: none of %llu packets came back from %s\n",
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
static int64_t exchange(int fd, bool is_icmp, uint64_t number) {
    uint8_t bytes[SIZE] = {0};
    uint64_t echoed;
    memcpy(bytes + NUMBER_AT, &number, sizeof number);
    if (is_icmp) {
        make_icmp(bytes);
    }
    int64_t start = now_ns();
    if (send(fd, bytes, sizeof bytes, 0) != sizeof bytes) {
        return -1;
    }
    do {
        if (receive_echo(fd, is_icmp, bytes) != sizeof bytes) {
            return -1;
        }
        memcpy(&echoed, bytes + NUMBER_AT, sizeof echoed);
    } while (echoed != number); /* a late one */
    return now_ns() - start;
}

/* Makes an echo request of the bytes, of which all but the header are there. */
static void make_icmp(uint8_t bytes[SIZE]) {
    struct icmphdr header = {.type = ICMP_ECHO, .un.echo.id = htons((uint16_t)getpid())};
    uint32_t sum = 0;
    memcpy(bytes, &header, sizeof header);
    for (size_t i = 0; i < SIZE; i += 2) {
        uint16_t word;
        memcpy(&word, bytes + i, sizeof word);
        sum += word;
    }
    sum = (sum & 0xffff) + (sum >> 16);
    header.checksum = (uint16_t) ~(sum + (sum >> 16));
    memcpy(bytes, &header, sizeof header);
}

/* Receives an echo, without what comes before it, into 'bytes'. A raw socket gets every ICMP
 * message of its namespace, with the IP header. Returns its size, or -1 when patience ended. */
static ssize_t receive_echo(int fd, bool is_icmp, uint8_t bytes[SIZE]) {
    uint8_t packet[SIZE + 60];
    struct iphdr ip;
    struct icmphdr header;
    for (;;) {
        ssize_t got = recv(fd, packet, sizeof packet, 0);
        size_t skipped = 0;
        if (got < 0) {
            return -1;
        }
        if (is_icmp) {
            memcpy(&ip, packet, sizeof ip);
            skipped = ip.ihl * UINT64_C(4);
            memcpy(&header, packet + skipped, sizeof header);
        }
        if ((size_t)got == skipped + SIZE &&
            (!is_icmp ||
             (header.type == ICMP_ECHOREPLY && header.un.echo.id == htons((uint16_t)getpid())))) {
            memcpy(bytes, packet + skipped, SIZE);
            return SIZE;
        }
    }
}

static int open_icmp(const char *address) {
    struct sockaddr_in at = {.sin_family = AF_INET};
    if (inet_pton(AF_INET, address, &at.sin_addr) != 1) {
        fprintf(stderr, "round_trip: %s is no IPv4 address\n", address);
        exit(2);
    }
    int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
    if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof at) != 0) {
        fail("make a raw socket");
    }
    return fd;
}

static int open_socket(const char *address, const char *port, int serve) {
    struct sockaddr_in at = {.sin_family = AF_INET};
    char *end;
    unsigned long value = strtoul(port, &end, 10);
    if (inet_pton(AF_INET, address, &at.sin_addr) != 1 || *end != 0 || value < 1 || value > 65535) {
        fprintf(stderr, "round_trip: %s port %s is no IPv4 address and port\n", address, port);
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
    fprintf(stderr, "round_trip: cannot %s: %s\n", what, strerror(errno));
    exit(1);
}
