/* SPDX-License-Identifier: Apache-2.0 */
/* Numbered UDP datagrams in one or many flows (a source port each), and what became of them: lost,
 * late, repeated, damaged. It finds reordering within a flow; it knows nothing of tunnels.
 *
 *   flows send ADDRESS PORT FLOWS PACE_PER_S SIZE_MIN SIZE_MAX TRAIN
 *       until SIGTERM, then prints sent=N answers=N refused=N. PACE_PER_S counts all flows and is
 *       an upper bound: what was missed is not made up for. TRAIN > 1: that many datagrams of
 *       SIZE_MAX bytes leave in one call with UDP_SEGMENT. What finds its socket full is sent
 *       later; 'refused' counts what the host did not take for another reason, also sent later
 *   flows receive ADDRESS PORT ANSWER_EACH [COUNT_FILE]
 *       until SIGTERM, then prints received=N expected=N late=N repeated=N damaged=N flows=N.
 *       Each ANSWER_EACH'th datagram of a flow is answered with an empty one; 0: none is.
 *       COUNT_FILE is made, and always holds how many have come (8 bytes, little-endian)
 *
 * 'expected' counts the numbers up to each flow's highest. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum {
    FLOWS_MAX = 256,
    NUMBERS_MAX = 1 << 20, /* of a flow */
    SIZE_MIN_BYTES = 16,
    SIZE_MAX_BYTES = 65000,
    TRAIN_MAX = 64,
    SOL_UDP_LEVEL = 17,
    UDP_SEGMENT_OPTION = 103,
};

struct head {
    uint32_t flow;
    uint32_t size;
    uint64_t number;
};

static volatile sig_atomic_t over;
static uint8_t text[1 << 17];

static void on_signal(int number) {
    (void)number;
    over = 1;
}

static void fail(const char *what) {
    fprintf(stderr, "flows: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void pause_until(uint64_t due_ns) {
    struct timespec t = {.tv_sec = (time_t)(due_ns / 1000000000u),
                         .tv_nsec = (long)(due_ns % 1000000000u)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static uint64_t mix(uint64_t x) {
    x ^= x >> 31;
    x *= UINT64_C(0x7fb5d329728ea185);
    x ^= x >> 27;
    x *= UINT64_C(0x81dadef4bc2dd44d);
    return x ^ x >> 33;
}

static uint64_t seed_of(const struct head *head) {
    return mix((uint64_t)head->flow << 40 ^ head->number);
}

/* The content behind the head: the same numbers for the same flow and number, for ever. */
static void fill(uint8_t *bytes, const struct head *head) {
    uint64_t seed = seed_of(head), word;
    memcpy(bytes, head, sizeof *head);
    for (size_t at = sizeof *head; at < head->size; at += sizeof word) {
        size_t left = head->size - at;
        word = seed += UINT64_C(0x9e3779b97f4a7c15);
        memcpy(bytes + at, &word, left < sizeof word ? left : sizeof word);
    }
}

static int is_whole(const uint8_t *bytes, size_t size, const struct head *head) {
    uint64_t seed = seed_of(head), word;
    if (size != head->size) {
        return 0;
    }
    for (size_t at = sizeof *head; at < size; at += sizeof word) {
        size_t left = size - at;
        word = seed += UINT64_C(0x9e3779b97f4a7c15);
        if (memcmp(bytes + at, &word, left < sizeof word ? left : sizeof word) != 0) {
            return 0;
        }
    }
    return 1;
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

struct sender {
    uint32_t flows, train;
    uint64_t pace;
    size_t size_min, size_max;
    int fds[FLOWS_MAX];
    uint64_t numbers[FLOWS_MAX];
    uint64_t sent, answers, refused;
};

static void open_flows(struct sender *s, const struct sockaddr_storage *target, socklen_t length) {
    int large = 4 << 20, segment = (int)s->size_max;
    for (uint32_t i = 0; i < s->flows; i++) {
        int fd = s->fds[i] = socket(target->ss_family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        if (fd < 0 || connect(fd, (const struct sockaddr *)target, length) != 0) {
            fail("connect");
        }
        setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &large, sizeof large);
        if (s->train > 1 &&
            setsockopt(fd, SOL_UDP_LEVEL, UDP_SEGMENT_OPTION, &segment, sizeof segment) != 0) {
            fail("UDP_SEGMENT");
        }
    }
}

static size_t size_of(const struct sender *s, uint32_t flow, uint64_t number) {
    uint64_t choice = mix(number * FLOWS_MAX + flow);
    return s->train > 1 ? s->size_max : s->size_min + choice % (s->size_max - s->size_min + 1);
}

/* Sends the next datagrams of a flow in one call. A full socket keeps their numbers for later. */
static void send_some(struct sender *s, uint32_t flow) {
    size_t size = 0;
    char answer[16];
    for (uint32_t i = 0; i < s->train; i++) {
        struct head head = {.flow = flow, .number = s->numbers[flow] + i};
        head.size = (uint32_t)size_of(s, flow, head.number);
        fill(text + size, &head);
        size += head.size;
    }
    if (send(s->fds[flow], text, size, 0) == (ssize_t)size) {
        s->numbers[flow] += s->train;
        s->sent += s->train;
    } else if (errno != EAGAIN && errno != ENOBUFS) {
        s->refused++;
    }
    while (recv(s->fds[flow], answer, sizeof answer, MSG_DONTWAIT) >= 0) {
        s->answers++;
    }
}

static int send_all(struct sender *s) {
    uint64_t due = now_ns(), step = UINT64_C(1000000000) * s->train / s->pace;
    for (uint32_t flow = 0; !over; flow = (flow + 1) % s->flows) {
        if (s->numbers[flow] + s->train >= NUMBERS_MAX) {
            errno = E2BIG;
            fail("too many numbers: a slower pace or more flows");
        }
        send_some(s, flow);
        uint64_t now = now_ns();
        due = due + 1000000 < now ? now : due + step; /* at most 1 ms is made up for */
        if (due > now) {
            pause_until(due);
        }
    }
    struct timespec last = {.tv_nsec = 100000000};
    nanosleep(&last, NULL); /* the last answers are on their way */
    for (uint32_t i = 0; i < s->flows; i++) {
        char answer[16];
        while (recv(s->fds[i], answer, sizeof answer, MSG_DONTWAIT) >= 0) {
            s->answers++;
        }
    }
    printf("sent=%llu answers=%llu refused=%llu\n", (unsigned long long)s->sent,
           (unsigned long long)s->answers, (unsigned long long)s->refused);
    return 0;
}

struct flow {
    uint8_t *seen; /* of each number, NULL before the first */
    uint64_t next; /* one more than the highest */
};

struct receiver {
    struct flow flows[FLOWS_MAX];
    uint64_t received, late, repeated, damaged;
};

static void take(struct receiver *r, const uint8_t *bytes, size_t size, struct head *ret_head) {
    struct head head = {.flow = FLOWS_MAX};
    if (size >= sizeof head) {
        memcpy(&head, bytes, sizeof head);
    }
    *ret_head = head;
    if (head.flow >= FLOWS_MAX || head.number >= NUMBERS_MAX || !is_whole(bytes, size, &head)) {
        r->damaged++;
        ret_head->flow = FLOWS_MAX;
        return;
    }
    struct flow *flow = &r->flows[head.flow];
    if (!flow->seen && !(flow->seen = calloc(NUMBERS_MAX, 1))) {
        fail("memory");
    }
    if (flow->seen[head.number]) {
        r->repeated++;
        return;
    }
    flow->seen[head.number] = 1;
    r->received++;
    if (head.number < flow->next) {
        r->late++;
        if (r->late <= 5) {
            fprintf(stderr, "flow %u: %llu came after %llu\n", head.flow,
                    (unsigned long long)head.number, (unsigned long long)flow->next - 1);
        }
    } else {
        flow->next = head.number + 1;
    }
}

static int receive_all(struct receiver *r, int fd, uint64_t answer_each, uint64_t *ret_count) {
    for (; !over; *ret_count = r->received) {
        struct sockaddr_storage from;
        socklen_t length = sizeof from;
        ssize_t n = recvfrom(fd, text, sizeof text, 0, (struct sockaddr *)&from, &length);
        struct head head;
        if (n < 0) {
            continue;
        }
        take(r, text, (size_t)n, &head);
        if (head.flow < FLOWS_MAX && answer_each != 0 && head.number % answer_each == 0) {
            (void)!sendto(fd, "", 0, MSG_DONTWAIT, (struct sockaddr *)&from, length);
        }
    }
    uint64_t expected = 0, flows = 0;
    for (size_t i = 0; i < FLOWS_MAX; i++) {
        expected += r->flows[i].next;
        flows += r->flows[i].next != 0;
    }
    printf("received=%llu expected=%llu late=%llu repeated=%llu damaged=%llu flows=%llu\n",
           (unsigned long long)r->received, (unsigned long long)expected,
           (unsigned long long)r->late, (unsigned long long)r->repeated,
           (unsigned long long)r->damaged, (unsigned long long)flows);
    return 0;
}

/* Returns where to count so that others see it. */
static uint64_t *open_count(const char *path) {
    static uint64_t nobody_looks;
    if (path == NULL) {
        return &nobody_looks;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd < 0 || ftruncate(fd, sizeof nobody_looks) != 0) {
        fail(path);
    }
    void *count = mmap(NULL, sizeof nobody_looks, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (count == MAP_FAILED) {
        fail(path);
    }
    return count;
}

static int start_receiver(char **argv) {
    static struct receiver receiver;
    uint64_t *count = open_count(argv[5]);
    struct sockaddr_storage address;
    struct timeval often = {.tv_usec = 200000};
    int large = 32 << 20;
    socklen_t length = parse(argv[2], argv[3], &address);
    int fd = socket(address.ss_family, SOCK_DGRAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &large, sizeof large);
    /* a signal may come just before recvfrom */
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &often, sizeof often);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) != 0) {
        fail("bind");
    }
    return receive_all(&receiver, fd, strtoull(argv[4], NULL, 10), count);
}

static int start_sender(char **argv) {
    static struct sender s;
    struct sockaddr_storage target;
    socklen_t length = parse(argv[2], argv[3], &target);
    s.flows = (uint32_t)strtoul(argv[4], NULL, 10);
    s.pace = strtoull(argv[5], NULL, 10);
    s.size_min = strtoul(argv[6], NULL, 10);
    s.size_max = strtoul(argv[7], NULL, 10);
    s.train = (uint32_t)strtoul(argv[8], NULL, 10);
    if (s.flows < 1 || s.flows > FLOWS_MAX || s.pace < 1 || s.size_min < SIZE_MIN_BYTES ||
        s.size_max < s.size_min || s.size_max > SIZE_MAX_BYTES || s.train < 1 ||
        s.train > TRAIN_MAX || (s.train > 1 && s.train * s.size_max > SIZE_MAX_BYTES)) {
        errno = EINVAL;
        fail("1..256 flows, sizes 16..65000, trains of up to 64 datagrams and 65000 bytes");
    }
    open_flows(&s, &target, length);
    return send_all(&s);
}

int main(int argc, char **argv) {
    struct sigaction action = {.sa_handler = on_signal}; /* without SA_RESTART: recv must return */
    sigaction(SIGTERM, &action, NULL);
    if (argc == 9 && strcmp(argv[1], "send") == 0) {
        return start_sender(argv);
    }
    if ((argc == 5 || argc == 6) && strcmp(argv[1], "receive") == 0) {
        return start_receiver(argv);
    }
    fprintf(stderr, "usage: flows send ADDRESS PORT FLOWS PACE_PER_S SIZE_MIN SIZE_MAX TRAIN\n"
                    "       flows receive ADDRESS PORT ANSWER_EACH [COUNT_FILE]\n");
    return 2;
}
