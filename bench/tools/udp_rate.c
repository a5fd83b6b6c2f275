/* SPDX-License-Identifier: Apache-2.0 */
/* Counts how many small UDP packets a second arrive: one end sends as fast as it can (or at a fixed
 * rate), the other counts. Every run is bounded in time. It is for private namespaces only.
 *
 *     udp_rate receive ADDRESS PORT SECONDS
 *     udp_rate send ADDRESS PORT SIZE SECONDS [PACKETS_A_SECOND]
 *
 * The receiver prints "ready", waits for the first packet, lets 0.2 s pass, counts for SECONDS, and
 * prints a line of JSON. */
#define _GNU_SOURCE /* recvmmsg, sendmmsg */
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

enum { BATCH = 64, BYTES_MIN = 8, BYTES_MAX = 1472, SECONDS_MAX = 60, ROOM = 2048 };

#define S_NS       INT64_C(1000000000)
#define WARM_UP_NS (S_NS / 5)
#define PATIENCE_S 10

struct count {
    uint64_t packets;
    uint64_t first, last; /* numbers that the sender gave them */
};

static int run_receive(int argc, char **argv);
static int run_send(int argc, char **argv);
static int open_socket(const char *address, const char *port, int receive);
static int64_t count_until(int fd, int64_t end_ns, struct count *count);
static uint64_t number(const char *text, uint64_t least, uint64_t most);
static int64_t now_ns(void);
static void fail(const char *what);

int main(int argc, char **argv) {
    if (argc >= 2 && strcmp(argv[1], "receive") == 0) {
        return run_receive(argc, argv);
    }
    if (argc >= 2 && strcmp(argv[1], "send") == 0) {
        return run_send(argc, argv);
    }
    fprintf(stderr, "usage: udp_rate receive ADDRESS PORT SECONDS\n"
                    "       udp_rate send ADDRESS PORT SIZE SECONDS [PACKETS_A_SECOND]\n");
    return 2;
}

static int run_receive(int argc, char **argv) {
    struct count count = {0};
    if (argc != 5) {
        fprintf(stderr, "udp_rate receive: address, port and seconds are wanted\n");
        return 2;
    }
    int64_t wanted_ns = (int64_t)(strtod(argv[4], NULL) * (double)S_NS);
    int fd = open_socket(argv[2], argv[3], 1);
    if (wanted_ns <= 0 || wanted_ns > SECONDS_MAX * S_NS) {
        fprintf(stderr, "udp_rate: seconds are more than 0 and at most %d\n", SECONDS_MAX);
        return 2;
    }
    printf("ready\n");
    fflush(stdout);
    int64_t patience = now_ns() + PATIENCE_S * S_NS;
    while (count.packets == 0) {
        if (count_until(fd, 0, &count) > patience) {
            fprintf(stderr, "udp_rate: nothing arrived within %d s\n", PATIENCE_S);
            return 1;
        }
    }
    (void)count_until(fd, now_ns() + WARM_UP_NS, &count);
    count = (struct count){0};
    int64_t start = now_ns();
    int64_t end = count_until(fd, start + wanted_ns, &count);
    double seconds = (double)(end - start) / (double)S_NS;
    uint64_t offered = count.packets > 0 ? count.last - count.first + 1 : 0;
    printf("{\"packets\":%llu,\"offered\":%llu,\"seconds\":%.4f,\"packets_per_s\":%.0f}\n",
           (unsigned long long)count.packets, (unsigned long long)offered, seconds,
           (double)count.packets / seconds);
    close(fd);
    return 0;
}

/* Counts what arrives until 'end_ns' has passed, at least one call. Returns the time at the end. */
static int64_t count_until(int fd, int64_t end_ns, struct count *count) {
    static uint8_t bytes[BATCH][ROOM];
    struct iovec parts[BATCH];
    struct mmsghdr messages[BATCH];
    int64_t now;
    do {
        for (int i = 0; i < BATCH; i++) {
            parts[i] = (struct iovec){bytes[i], ROOM};
            messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &parts[i], .msg_iovlen = 1}};
        }
        int got = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
        if (got < 0 && errno != EAGAIN && errno != EINTR) {
            fail("receive");
        }
        for (int i = 0; i < got; i++) {
            uint64_t sequence;
            memcpy(&sequence, bytes[i], sizeof sequence);
            count->first = count->packets == 0 || sequence < count->first ? sequence : count->first;
            count->last = sequence > count->last ? sequence : count->last;
            count->packets++;
        }
        now = now_ns();
    } while (now < end_ns);
    return now;
}

static int run_send(int argc, char **argv) {
    static uint8_t bytes[BATCH][BYTES_MAX];
    struct iovec parts[BATCH];
    struct mmsghdr messages[BATCH];
    if (argc != 6 && argc != 7) {
        fprintf(stderr, "udp_rate send: address, port, size and seconds are wanted\n");
        return 2;
    }
    size_t size = number(argv[4], BYTES_MIN, BYTES_MAX);
    uint64_t rate = argc == 7 ? number(argv[6], 1, 100000000) : 0;
    int fd = open_socket(argv[2], argv[3], 0);
    int64_t start = now_ns();
    int64_t end = start + (int64_t)(strtod(argv[5], NULL) * (double)S_NS);
    end = end > start + SECONDS_MAX * S_NS ? start + SECONDS_MAX * S_NS : end;
    uint64_t sent = 0;
    int64_t now = start;
    while (now < end) {
        uint64_t due = rate == 0 ? BATCH : rate * (uint64_t)(now - start) / S_NS - sent;
        unsigned int count = due < BATCH ? (unsigned int)due : BATCH;
        for (unsigned int i = 0; i < count; i++) {
            uint64_t sequence = sent + i;
            memcpy(bytes[i], &sequence, sizeof sequence);
            parts[i] = (struct iovec){bytes[i], size};
            messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &parts[i], .msg_iovlen = 1}};
        }
        int done = count > 0 ? sendmmsg(fd, messages, count, 0) : 0;
        sent += done > 0 ? (uint64_t)done : 0;
        if (done < 0 && errno != ENOBUFS && errno != ECONNREFUSED && errno != EINTR) {
            fail("send");
        }
        if (rate > 0 && count < BATCH) {
            (void)nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
        }
        now = now_ns();
    }
    printf("{\"packets\":%llu,\"seconds\":%.4f}\n", (unsigned long long)sent,
           (double)(now - start) / (double)S_NS);
    close(fd);
    return 0;
}

/* Binds to the address to receive there, or connects to it. A large receive buffer keeps the
 * counter itself from being what is measured. */
static int open_socket(const char *address, const char *port, int receive) {
    struct sockaddr_in at = {.sin_family = AF_INET};
    struct timeval patience = {.tv_usec = 100000};
    int buffer = 4 << 20;
    at.sin_port = htons((uint16_t)number(port, 1, 65535));
    if (inet_pton(AF_INET, address, &at.sin_addr) != 1) {
        fprintf(stderr, "udp_rate: %s is not an IPv4 address\n", address);
        exit(2);
    }
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        fail("make a socket");
    }
    if (receive) {
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    }
    if ((receive ? bind(fd, (struct sockaddr *)&at, sizeof at)
                 : connect(fd, (struct sockaddr *)&at, sizeof at)) != 0) {
        fail(receive ? "bind" : "connect");
    }
    return fd;
}

static uint64_t number(const char *text, uint64_t least, uint64_t most) {
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    if (*text == 0 || *end != 0 || value < least || value > most) {
        fprintf(stderr, "udp_rate: %s is not a number from %llu to %llu\n", text,
                (unsigned long long)least, (unsigned long long)most);
        exit(2);
    }
    return value;
}

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * S_NS + now.tv_nsec;
}

static void fail(const char *what) {
    fprintf(stderr, "udp_rate: cannot %s: %s\n", what, strerror(errno));
    exit(1);
}
