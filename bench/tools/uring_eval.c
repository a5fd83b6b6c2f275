/* SPDX-License-Identifier: Apache-2.0 */
/* A tunnel without a cipher whose system calls can be exchanged: plain calls behind epoll, or
 * io_uring in several ways. It answers one question, which of them moves packets best, and is no
 * tunnel for anything else: it trusts whatever arrives. For private namespaces only.
 *
 *     uring_eval run ENGINE IFNAME LOCAL REMOTE PORT   until SIGTERM, at most 2 minutes
 *     uring_eval costs                                 what entering the kernel costs here
 *
 * ENGINE is 'epoll', or 'poll' (io_uring tells readiness, batches of reads and receives follow) or
 * 'multi' (multishot read and receive into provided buffers), the last two with any of
 *     +defer   SINGLE_ISSUER and DEFER_TASKRUN      +sqpoll  a kernel thread takes the submissions
 *     +zc      zero-copy sends                      +fixed   registered buffers where taken
 *     +link    the sends of a batch one after another, so that none can pass another
 *     +few     8 buffers a direction instead of 64, which stay in the processor's cache
 * All share the work between the calls: TCP (IPv4) from the TUN device is cut up into datagrams of
 * equal size, sent with UDP_SEGMENT; what UDP_GRO hands over is joined and written in one piece.
 * Checksums are declared good, not computed; what is no IPv4 passes unjoined.
 *
 * 'run' prints "ready", and counters as a line of JSON at the end. */
#define _GNU_SOURCE /* recvmmsg, sendmmsg */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <liburing.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "uring_plane.h"

/* Newer than Debian 12's headers; values from the kernel's uapi/linux/io_uring.h. */
#define OP_READ_MULTISHOT 49
#define OP_WRITEV_FIXED   61
#define SEND_ZC_REPORT    (1U << 3)
#define SEND_ZC_COPIED    (1U << 31)
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

enum { SECONDS_MAX = 120, BUFFERS_FEW = 8, SOCKET_BYTES = 7 << 20 };

/* What every engine reads and writes. */
static struct {
    uint8_t *train_bytes, *tun_bytes, *udp_bytes; /* TRAINS or BUFFERS times ROOM */
    int tun, udp, stop;
} ends;

struct options {
    bool uring, multi, defer, sqpoll, zc, fixed, link, few;
};

struct queue {
    struct arrived entries[BUFFERS];
    unsigned first, count;
};

/* One direction's buffers and requests. */
struct input {
    struct queue queue;
    struct io_uring_buf_ring *ring; /* multishot: free buffers, the kernel takes them */
    int free[BUFFERS];              /* else: free buffers, ours to take */
    unsigned free_count;
    unsigned references[BUFFERS];
    unsigned batch, found; /* how many requests at once; how many of them brought something */
    bool is_armed, is_ready;
};

struct uring {
    struct io_uring ring;
    struct plane *plane;
    struct options options;
    unsigned buffers;
    struct input inputs[2]; /* FROM_TUN, FROM_UDP */
    struct msghdr messages[BUFFERS];
    struct iovec parts[BUFFERS];
    struct sockaddr_in sources[BUFFERS];
    union plane_control controls[BUFFERS];
    struct msghdr multishot;
    unsigned inline_count; /* requests queued that complete while they are submitted */
    bool is_stopping;
};

enum { FROM_TUN, FROM_UDP, SEND, WRITE, POLL_TUN, POLL_UDP, POLL_STOP };
enum { FILE_TUN, FILE_UDP, FILE_STOP };
enum { FIXED_TUN, FIXED_UDP, FIXED_TRAINS };

static int run(int argc, char **argv);
static int measure_costs(void);
static bool parse_engine(const char *text, struct options *ret_options);
static void open_ends(struct plane *plane, const char *name, const char *local, const char *remote,
                      const char *port, bool wait);
static void run_epoll(struct plane *plane);
static void run_uring(struct plane *plane, const struct options *options);
static void *map(size_t size);
static int64_t now_ns(void);
static void fail(const char *what, int error);

int main(int argc, char **argv) {
    if (argc == 7 && strcmp(argv[1], "run") == 0) {
        return run(argc, argv);
    }
    if (argc == 2 && strcmp(argv[1], "costs") == 0) {
        return measure_costs();
    }
    fprintf(stderr, "usage: uring_eval run ENGINE IFNAME LOCAL REMOTE PORT\n"
                    "       uring_eval costs\n");
    return 2;
}

static int run(int argc, char **argv) {
    (void)argc;
    struct options options;
    if (!parse_engine(argv[2], &options)) {
        fprintf(stderr,
                "uring_eval: no engine '%s'; epoll, or poll or multi with any of +defer "
                "+sqpoll (with multi and without +defer) +zc +fixed +link +few\n",
                argv[2]);
        return 2;
    }
    struct plane *plane = map(sizeof *plane);
    ends.train_bytes = map((size_t)TRAINS * ROOM);
    ends.tun_bytes = map((size_t)BUFFERS * ROOM);
    ends.udp_bytes = map((size_t)BUFFERS * ROOM);
    plane_init(plane, ends.train_bytes);
    open_ends(plane, argv[3], argv[4], argv[5], argv[6], options.uring);

    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGALRM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    ends.stop = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (ends.stop < 0) {
        fail("signalfd", errno);
    }
    alarm(SECONDS_MAX);
    if (options.uring) {
        run_uring(plane, &options);
    } else {
        run_epoll(plane);
    }
    const struct counters *c = &plane->counters;
    printf("{\"calls\": %" PRIu64 ", \"frames\": %" PRIu64 ", \"trains\": %" PRIu64
           ", \"datagrams\": %" PRIu64 ", \"receives\": %" PRIu64 ", \"writes\": %" PRIu64
           ", \"in_vain\": %" PRIu64 ", \"dropped\": %" PRIu64 ", \"reordered\": %" PRIu64
           ", \"rearmed\": %" PRIu64 ", \"zc_copied\": %" PRIu64 "}\n",
           c->calls, c->frames, c->trains, c->datagrams, c->receives, c->writes, c->in_vain,
           c->dropped, c->reordered, c->rearmed, c->zc_copied);
    return 0;
}

static bool parse_engine(const char *text, struct options *ret_options) {
    struct options options = {0};
    size_t size = strcspn(text, "+");
    if (strcmp(text, "epoll") == 0) {
        *ret_options = options;
        return true;
    }
    options.uring = true;
    options.multi = size == 5 && memcmp(text, "multi", 5) == 0;
    if (!options.multi && !(size == 4 && memcmp(text, "poll", 4) == 0)) {
        return false;
    }
    const struct {
        const char *name;
        bool *value;
    } flags[] = {
        {"defer", &options.defer}, {"sqpoll", &options.sqpoll}, {"zc", &options.zc},
        {"fixed", &options.fixed}, {"link", &options.link},     {"few", &options.few},
    };
    for (text += size; *text == '+'; text += size) {
        size = strcspn(++text, "+");
        size_t i = 0;
        while (i < 6 &&
               !(strlen(flags[i].name) == size && memcmp(text, flags[i].name, size) == 0)) {
            i++;
        }
        if (i == 6) {
            return false;
        }
        *flags[i].value = true;
    }
    *ret_options = options;
    /* The kernel refuses both; and readiness is told by work that must run before a read. */
    return !options.sqpoll || (options.multi && !options.defer);
}

static void open_ends(struct plane *plane, const char *name, const char *local, const char *remote,
                      const char *port, bool wait) {
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR};
    struct sockaddr_in here = {.sin_family = AF_INET};
    int one = 1, bytes = SOCKET_BYTES;
    char *end;
    unsigned long number = strtoul(port, &end, 10);
    if (number == 0 || number > UINT16_MAX || *end != '\0' || strlen(name) >= IFNAMSIZ ||
        inet_pton(AF_INET, local, &here.sin_addr) != 1 ||
        inet_pton(AF_INET, remote, &plane->remote.sin_addr) != 1) {
        fail("IFNAME, two IPv4 addresses and a port are wanted", 0);
    }
    here.sin_port = htons((uint16_t)number);
    plane->remote.sin_family = AF_INET;
    plane->remote.sin_port = here.sin_port;
    memcpy(request.ifr_name, name, strlen(name));
    ends.tun = open("/dev/net/tun", O_RDWR | O_CLOEXEC | (wait ? 0 : O_NONBLOCK));
    if (ends.tun < 0 || ioctl(ends.tun, TUNSETIFF, &request) < 0 ||
        ioctl(ends.tun, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4) < 0) {
        fail("cannot make the TUN device; it needs root and the module tun", errno);
    }
    ends.udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (ends.udp < 0 || bind(ends.udp, (struct sockaddr *)&here, sizeof here) < 0 ||
        setsockopt(ends.udp, IPPROTO_UDP, UDP_GRO, &one, sizeof one) < 0 ||
        setsockopt(ends.udp, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0 ||
        setsockopt(ends.udp, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) < 0) {
        fail("cannot open the UDP socket", errno);
    }
}

static void say_ready(void) {
    printf("ready\n");
    fflush(stdout);
}

/* Returns the size of the datagrams in a received train, 0: it is one. */
static size_t segment_of(struct msghdr *message) {
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
            int segment;
            memcpy(&segment, CMSG_DATA(c), sizeof segment);
            return segment > 0 ? (size_t)segment : 0;
        }
    }
    return 0;
}

/* ---- plain calls ---- */

static void send_trains_plainly(struct plane *plane) {
    struct mmsghdr messages[TRAINS];
    plane_close_train(plane);
    unsigned count = plane->ready_train_count, done = 0;
    for (unsigned i = 0; i < count; i++) {
        messages[i].msg_hdr = plane->trains[plane->ready_trains[i]].message;
    }
    while (done < count) {
        int sent = sendmmsg(ends.udp, messages + done, count - done, 0);
        plane->counters.calls++;
        plane->counters.dropped += sent <= 0;
        done += sent <= 0 ? 1 : (unsigned)sent;
    }
    for (unsigned i = count; i-- > 0;) { /* the first one is on top again: it is in the cache */
        plane->free_trains[plane->free_train_count++] = plane->ready_trains[i];
    }
    plane->ready_train_count = 0;
}

/* One packet after the other into one area, so that small ones lie close together. */
static void leave_plainly(struct plane *plane) {
    size_t at = 0;
    for (unsigned i = 0; i < 2 * BUFFERS && plane_may_leave(plane) && at < 4 * (size_t)ROOM; i++) {
        ssize_t got = read(ends.tun, ends.tun_bytes + at, ROOM);
        plane->counters.calls++;
        if (got < 0) {
            plane->counters.in_vain++;
            break;
        }
        plane_leave(plane, ends.tun_bytes + at, (size_t)got);
        at += ((size_t)got + 63) / 64 * 64;
    }
    send_trains_plainly(plane);
}

static void arrive_plainly(struct plane *plane) {
    enum { BATCH = BUFFERS }; /* as many as io_uring has: the more at once, the more is joined */
    struct mmsghdr messages[BATCH];
    struct iovec parts[BATCH];
    struct sockaddr_in sources[BATCH];
    union plane_control controls[BATCH];
    for (int i = 0; i < BATCH; i++) {
        parts[i] = (struct iovec){ends.udp_bytes + (size_t)i * ROOM, ROOM};
        messages[i].msg_hdr = (struct msghdr){.msg_name = &sources[i],
                                              .msg_namelen = sizeof sources[i],
                                              .msg_iov = &parts[i],
                                              .msg_iovlen = 1,
                                              .msg_control = controls[i].bytes,
                                              .msg_controllen = CONTROL};
    }
    int count = recvmmsg(ends.udp, messages, BATCH, MSG_DONTWAIT, NULL);
    plane->counters.calls++;
    plane->counters.in_vain += count < 0;
    for (int i = 0; i < count; i++) {
        plane_arrive(plane, &(struct arrived){.buffer = i,
                                              .bytes = parts[i].iov_base,
                                              .size = messages[i].msg_len,
                                              .segment = segment_of(&messages[i].msg_hdr)});
        if (!plane_may_arrive(plane) || i == count - 1) {
            plane_close_write(plane);
            for (unsigned k = 0; k < plane->ready_write_count; k++) {
                struct write *write = &plane->writes[plane->ready_writes[k]];
                ssize_t put = writev(ends.tun, write->parts, (int)write->part_count);
                plane->counters.calls++;
                plane->counters.dropped += put < 0;
                plane->free_writes[plane->free_write_count++] = plane->ready_writes[k];
            }
            plane->ready_write_count = 0;
        }
    }
}

static void run_epoll(struct plane *plane) {
    struct epoll_event events[3];
    int fds[3] = {ends.tun, ends.udp, ends.stop}, epoll = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < 3; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fds[i]};
        if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event) < 0) {
            fail("epoll", errno);
        }
    }
    say_ready();
    for (;;) {
        int count = epoll_wait(epoll, events, 3, -1);
        plane->counters.calls++;
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == ends.stop) {
                close(epoll);
                return;
            }
            if (events[i].data.fd == ends.tun) {
                leave_plainly(plane);
            } else {
                arrive_plainly(plane);
            }
        }
    }
}

/* ---- io_uring ---- */

static uint8_t *buffer_bytes(int kind, int buffer) {
    return (kind == FROM_TUN ? ends.tun_bytes : ends.udp_bytes) + (size_t)buffer * ROOM;
}

static struct io_uring_sqe *next_request(struct uring *u) {
    struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);
    if (sqe == NULL) { /* the kernel thread has not taken them yet, or there are very many */
        io_uring_submit(&u->ring);
        u->plane->counters.calls++;
        if (u->options.sqpoll) {
            io_uring_sqring_wait(&u->ring);
        }
        sqe = io_uring_get_sqe(&u->ring);
        if (sqe == NULL) {
            fail("no room for a request", 0);
        }
    }
    return sqe;
}

/* To be called after the preparation, which clears both. */
static void finish_request(struct io_uring_sqe *sqe, unsigned kind, unsigned index,
                           unsigned flags) {
    sqe->user_data = (uint64_t)kind << 32 | index;
    sqe->flags |= (uint8_t)(flags | IOSQE_FIXED_FILE);
}

static void give_back(struct uring *u, int kind, int buffer) {
    struct input *input = &u->inputs[kind];
    if (--input->references[buffer] > 0) {
        return;
    }
    input->free_count++;
    if (u->options.multi) {
        io_uring_buf_ring_add(input->ring, buffer_bytes(kind, buffer), ROOM, (unsigned short)buffer,
                              io_uring_buf_ring_mask(u->buffers), 0);
        io_uring_buf_ring_advance(input->ring, 1);
    } else {
        input->free[input->free_count - 1] = buffer;
    }
}

static void set_up_ring(struct uring *u) {
    struct io_uring_params params = {.flags = IORING_SETUP_CQSIZE, .cq_entries = 4096};
    params.flags |= u->options.defer ? IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN : 0;
    params.flags |= u->options.sqpoll ? IORING_SETUP_SQPOLL : 0;
    params.sq_thread_idle = 1; /* milliseconds */
    int error = io_uring_queue_init_params(1024, &u->ring, &params);
    if (error < 0) {
        fail("io_uring is refused (see sysctl kernel.io_uring_disabled, seccomp)", -error);
    }
    int files[] = {ends.tun, ends.udp, ends.stop};
    error = io_uring_register_files(&u->ring, files, 3);
    if (error < 0) {
        fail("cannot register files", -error);
    }
    io_uring_register_ring_fd(&u->ring); /* one look-up less a call; older kernels go without */
    const struct iovec areas[] = {{ends.tun_bytes, (size_t)BUFFERS * ROOM},
                                  {ends.udp_bytes, (size_t)BUFFERS * ROOM},
                                  {ends.train_bytes, (size_t)TRAINS * ROOM}};
    error = u->options.fixed ? io_uring_register_buffers(&u->ring, areas, 3) : 0;
    if (error < 0) {
        fail("cannot register buffers (see ulimit -l)", -error);
    }
}

static void set_up_buffers(struct uring *u) {
    for (int kind = FROM_TUN; kind <= FROM_UDP; kind++) {
        struct input *input = &u->inputs[kind];
        if (u->options.multi) {
            input->ring = map(u->buffers * sizeof(struct io_uring_buf));
            struct io_uring_buf_reg registration = {.ring_addr = (uintptr_t)input->ring,
                                                    .ring_entries = u->buffers,
                                                    .bgid = (uint16_t)kind};
            int error = io_uring_register_buf_ring(&u->ring, &registration, 0);
            if (error < 0) {
                fail("cannot register a ring of buffers", -error);
            }
            io_uring_buf_ring_init(input->ring);
        }
        input->batch = 4;
        for (int i = (int)u->buffers - 1; i >= 0; i--) {
            input->references[i] = 1;
            give_back(u, kind, i);
        }
    }
    u->multishot =
        (struct msghdr){.msg_namelen = sizeof(struct sockaddr_in), .msg_controllen = CONTROL};
}

static void arm_poll(struct uring *u, unsigned kind, int file) {
    struct io_uring_sqe *sqe = next_request(u);
    io_uring_prep_poll_multishot(sqe, file, POLLIN);
    finish_request(sqe, kind, 0, 0);
}

/* One request that goes on by itself, taking buffers as it needs them. */
static void arm_multishot(struct uring *u, unsigned kind) {
    struct io_uring_sqe *sqe = next_request(u);
    if (kind == FROM_TUN) {
        io_uring_prep_rw(OP_READ_MULTISHOT, sqe, FILE_TUN, NULL, 0, 0);
    } else {
        io_uring_prep_recvmsg_multishot(sqe, FILE_UDP, &u->multishot, 0);
    }
    sqe->buf_group = (uint16_t)kind;
    finish_request(sqe, kind, 0, IOSQE_BUFFER_SELECT);
    u->inputs[kind].is_armed = true;
    u->plane->counters.rearmed++;
}

/* A batch of requests, each with its buffer, on an end that is ready. It grows while all of them
 * bring something. */
static void arm_batch(struct uring *u, unsigned kind) {
    struct input *input = &u->inputs[kind];
    unsigned wanted = input->found == input->batch ? 2 * input->batch : input->found + 1;
    input->batch = wanted < 2 ? 2 : wanted > u->buffers / 2 ? u->buffers / 2 : wanted;
    if (input->batch > input->free_count) {
        input->batch = input->free_count;
    }
    input->found = 0;
    for (unsigned i = 0; i < input->batch; i++) {
        int buffer = input->free[--input->free_count];
        uint8_t *bytes = buffer_bytes((int)kind, buffer);
        struct io_uring_sqe *sqe = next_request(u);
        input->references[buffer] = 1;
        if (kind == FROM_UDP) {
            u->parts[buffer] = (struct iovec){bytes, ROOM};
            u->messages[buffer] = (struct msghdr){.msg_name = &u->sources[buffer],
                                                  .msg_namelen = sizeof u->sources[buffer],
                                                  .msg_iov = &u->parts[buffer],
                                                  .msg_iovlen = 1,
                                                  .msg_control = u->controls[buffer].bytes,
                                                  .msg_controllen = CONTROL};
            io_uring_prep_recvmsg(sqe, FILE_UDP, &u->messages[buffer], MSG_DONTWAIT);
        } else if (u->options.fixed) {
            io_uring_prep_read_fixed(sqe, FILE_TUN, bytes, ROOM, 0, FIXED_TUN);
        } else {
            io_uring_prep_read(sqe, FILE_TUN, bytes, ROOM, 0);
        }
        if (kind == FROM_TUN) {
            sqe->rw_flags = RWF_NOWAIT; /* else it would wait: O_NONBLOCK does not keep it */
        }
        finish_request(sqe, kind, (unsigned)buffer, 0);
    }
    u->inline_count += input->batch;
}

static void arm_inputs(struct uring *u) {
    for (unsigned kind = FROM_TUN; kind <= FROM_UDP; kind++) {
        struct input *input = &u->inputs[kind];
        if (u->options.multi && !input->is_armed && input->free_count > 0) {
            arm_multishot(u, kind);
        }
        if (!u->options.multi && input->is_ready && input->free_count > 0) {
            arm_batch(u, kind);
        }
    }
}

static void queue_sends(struct uring *u) {
    struct plane *plane = u->plane;
    plane_close_train(plane);
    for (unsigned i = 0; i < plane->ready_train_count; i++) {
        unsigned index = plane->ready_trains[i];
        struct io_uring_sqe *sqe = next_request(u);
        if (u->options.zc) {
            io_uring_prep_sendmsg_zc(sqe, FILE_UDP, &plane->trains[index].message, 0);
            sqe->ioprio |= SEND_ZC_REPORT;
            if (u->options.fixed) {
                sqe->ioprio |= IORING_RECVSEND_FIXED_BUF;
                sqe->buf_index = FIXED_TRAINS;
            }
        } else {
            io_uring_prep_sendmsg(sqe, FILE_UDP, &plane->trains[index].message, 0);
        }
        bool is_linked = u->options.link && i + 1 < plane->ready_train_count;
        finish_request(sqe, SEND, index, is_linked ? IOSQE_IO_HARDLINK : 0);
    }
    u->inline_count += plane->ready_train_count;
    plane->ready_train_count = 0;
}

static void queue_writes(struct uring *u) {
    struct plane *plane = u->plane;
    plane_close_write(plane);
    for (unsigned i = 0; i < plane->ready_write_count; i++) {
        unsigned index = plane->ready_writes[i];
        struct write *write = &plane->writes[index];
        struct io_uring_sqe *sqe = next_request(u);
        for (unsigned k = 0; k < write->buffer_count; k++) {
            u->inputs[FROM_UDP].references[write->buffers[k]]++;
        }
        io_uring_prep_writev(sqe, FILE_TUN, write->parts, write->part_count, 0);
        if (u->options.fixed) {
            sqe->opcode = OP_WRITEV_FIXED;
            sqe->buf_index = FIXED_UDP;
        }
        finish_request(sqe, WRITE, index, 0);
    }
    u->inline_count += plane->ready_write_count;
    plane->ready_write_count = 0;
}

/* Works on what came in, as far as there is room, and queues what follows from it. */
static void work(struct uring *u) {
    struct queue *queue = &u->inputs[FROM_TUN].queue;
    for (; queue->count > 0 && plane_may_leave(u->plane); queue->count--) {
        struct arrived *arrived = &queue->entries[queue->first++ % BUFFERS];
        plane_leave(u->plane, arrived->bytes, arrived->size);
        give_back(u, FROM_TUN, arrived->buffer); /* it was copied */
    }
    queue_sends(u);
    queue = &u->inputs[FROM_UDP].queue;
    unsigned first = queue->first;
    for (; queue->count > 0 && plane_may_arrive(u->plane); queue->count--) {
        plane_arrive(u->plane, &queue->entries[queue->first++ % BUFFERS]);
    }
    queue_writes(u); /* each holds its buffers from here on */
    for (; first != queue->first; first++) {
        give_back(u, FROM_UDP, queue->entries[first % BUFFERS].buffer);
    }
}

/* Notes what a read or receive brought. */
static void on_input(struct uring *u, int kind, const struct io_uring_cqe *cqe) {
    struct input *input = &u->inputs[kind];
    struct arrived arrived = {.buffer = (int)(cqe->user_data & UINT32_MAX)};
    if (u->options.multi) {
        input->is_armed = (cqe->flags & IORING_CQE_F_MORE) != 0;
        arrived.buffer = (int)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);
    }
    if (cqe->res < 0) {
        u->plane->counters.in_vain++;
        if (cqe->res != -EAGAIN && cqe->res != -ENOBUFS) {
            fail("a read or receive is refused", -cqe->res);
        }
        if (!u->options.multi) {
            input->is_ready = false;
            give_back(u, kind, arrived.buffer);
        }
        return;
    }
    arrived.bytes = buffer_bytes(kind, arrived.buffer);
    arrived.size = (size_t)cqe->res;
    input->found++;
    if (u->options.multi) {
        input->references[arrived.buffer] = 1;
        input->free_count--;
    }
    if (kind == FROM_UDP && u->options.multi) {
        struct io_uring_recvmsg_out *out =
            io_uring_recvmsg_validate(arrived.bytes, cqe->res, &u->multishot);
        if (out == NULL) {
            fail("a receive without its header", 0);
        }
        struct msghdr message = {.msg_control = (uint8_t *)(out + 1) + u->multishot.msg_namelen,
                                 .msg_controllen = out->controllen};
        arrived.segment = segment_of(&message);
        arrived.bytes = io_uring_recvmsg_payload(out, &u->multishot);
        arrived.size = out->payloadlen;
    } else if (kind == FROM_UDP) {
        arrived.segment = segment_of(&u->messages[arrived.buffer]);
    }
    struct queue *queue = &input->queue;
    queue->entries[(queue->first + queue->count++) % BUFFERS] = arrived;
}

static void on_sent(struct uring *u, unsigned index, const struct io_uring_cqe *cqe) {
    struct plane *plane = u->plane;
    if ((cqe->flags & IORING_CQE_F_NOTIF) != 0) {
        plane->counters.zc_copied += ((unsigned)cqe->res & SEND_ZC_COPIED) != 0;
    } else if (cqe->res < 0) {
        if (cqe->res == -EINVAL || cqe->res == -EOPNOTSUPP) {
            fail("this kind of send is refused", -cqe->res);
        }
        plane->counters.dropped++;
    }
    if ((cqe->flags & IORING_CQE_F_MORE) == 0) { /* else the kernel still reads the bytes */
        plane->free_trains[plane->free_train_count++] = index;
    }
}

static void on_completion(struct uring *u, const struct io_uring_cqe *cqe) {
    struct plane *plane = u->plane;
    unsigned kind = (unsigned)(cqe->user_data >> 32), index = (unsigned)cqe->user_data;
    switch (kind) {
    case FROM_TUN:
    case FROM_UDP:
        on_input(u, (int)kind, cqe);
        break;
    case SEND:
        on_sent(u, index, cqe);
        break;
    case WRITE:
        if (cqe->res == -EINVAL || cqe->res == -EOPNOTSUPP) {
            fail("this kind of write is refused", -cqe->res);
        }
        plane->counters.dropped += cqe->res < 0;
        for (unsigned i = 0; i < plane->writes[index].buffer_count; i++) {
            give_back(u, FROM_UDP, plane->writes[index].buffers[i]);
        }
        plane->free_writes[plane->free_write_count++] = index;
        break;
    case POLL_TUN:
    case POLL_UDP:
        u->inputs[kind - POLL_TUN].is_ready = true;
        if ((cqe->flags & IORING_CQE_F_MORE) == 0) {
            arm_poll(u, kind, kind == POLL_TUN ? FILE_TUN : FILE_UDP);
        }
        break;
    default:
        u->is_stopping = true;
    }
}

/* Tells whether the next packet of this input will wake us. Not while all its buffers are taken. */
static bool may_sleep(const struct input *input, const struct options *options) {
    return options->multi ? input->is_armed : !input->is_ready;
}

static void run_uring(struct plane *plane, const struct options *options) {
    struct uring *u = map(sizeof *u);
    u->plane = plane;
    u->options = *options;
    u->buffers = options->few ? BUFFERS_FEW : BUFFERS;
    set_up_ring(u);
    set_up_buffers(u);
    arm_poll(u, POLL_STOP, FILE_STOP);
    if (!options->multi) {
        arm_poll(u, POLL_TUN, FILE_TUN);
        arm_poll(u, POLL_UDP, FILE_UDP);
    }
    say_ready();
    while (!u->is_stopping) {
        struct io_uring_cqe *cqe;
        unsigned head, count = 0;
        arm_inputs(u);
        /* What completes while it is submitted must not end the wait: one event more is wanted,
         * unless there is work at hand. */
        bool sleeps =
            may_sleep(&u->inputs[FROM_TUN], options) && may_sleep(&u->inputs[FROM_UDP], options);
        int error = io_uring_submit_and_wait(&u->ring, u->inline_count + sleeps);
        plane->counters.calls++;
        u->inline_count = 0;
        if (error < 0 && error != -EINTR && error != -EBUSY && error != -EAGAIN) {
            fail("io_uring_enter", -error);
        }
        io_uring_for_each_cqe(&u->ring, head, cqe) {
            on_completion(u, cqe);
            count++;
        }
        io_uring_cq_advance(&u->ring, count);
        work(u);
    }
    io_uring_queue_exit(&u->ring);
}

/* ---- what entering the kernel costs ---- */

/* Nanoseconds a request of doing nothing, 'batch' of them a call. */
static double nop_ns(unsigned batch, unsigned flags) {
    enum { CALLS = 100000 };
    struct io_uring ring;
    int error = io_uring_queue_init(256, &ring, flags);
    if (error < 0) {
        fail("io_uring is refused (see sysctl kernel.io_uring_disabled, seccomp)", -error);
    }
    io_uring_register_ring_fd(&ring);
    int64_t start = now_ns();
    for (int i = 0; i < CALLS; i++) {
        for (unsigned k = 0; k < batch; k++) {
            io_uring_prep_nop(io_uring_get_sqe(&ring));
        }
        io_uring_submit_and_wait(&ring, batch);
        io_uring_cq_advance(&ring, batch);
    }
    double ns = (double)(now_ns() - start) / CALLS / batch;
    io_uring_queue_exit(&ring);
    return ns;
}

static int measure_costs(void) {
    enum { CALLS = 1000000 };
    const unsigned defer = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    int64_t start = now_ns();
    for (int i = 0; i < CALLS; i++) {
        syscall(SYS_getppid);
    }
    double call_ns = (double)(now_ns() - start) / CALLS;
    printf("{\"system_call_ns\": %.1f, \"nop_alone_ns\": %.1f, \"nop_of_32_ns\": %.1f, "
           "\"nop_alone_defer_ns\": %.1f, \"nop_of_32_defer_ns\": %.1f}\n",
           call_ns, nop_ns(1, 0), nop_ns(32, 0), nop_ns(1, defer), nop_ns(32, defer));
    return 0;
}

static void *map(size_t size) {
    void *memory =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) {
        fail("no memory", errno);
    }
    return memory;
}

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void fail(const char *what, int error) {
    fprintf(stderr, "uring_eval: %s%s%s\n", what, error == 0 ? "" : ": ",
            error == 0 ? "" : strerror(error));
    exit(1);
}
