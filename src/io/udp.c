/* SPDX-License-Identifier: Apache-2.0 */
/* UDP sockets with batched calls and control messages, runs of datagrams as one message. Keeps no
 * state but the descriptors and what the scratch room remembers of refusals. */
#define _GNU_SOURCE /* recvmmsg, sendmmsg */
#include "io/udp.h"

#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/uio.h>
#include <time.h>

#include "io/cleanup.h"
#include "io/cmsg.h"

enum {
    BUFFER_BYTES = 7 << 20, /* of each socket, both directions */
    PORT_TRIES = 100,       /* for a port that both families have free */
    ERRORS_MAX = 4,         /* that a socket may report before it is left alone for now */
    SEND_WAIT_MS = 10,      /* for room in a full socket, once a call */
    NARROW_PLACES = 16,     /* addresses whose route is known to be too narrow for runs */
    NARROW_DATAGRAMS = 4096 /* that go singly before the route is tried again */
};

/* Consecutive datagrams of the caller's batch that travel as one message. */
struct run {
    uint8_t first;
    uint8_t count;
    bool without_source; /* the kernel did not take it with the source address */
};
static_assert(WRN_UDP_BATCH_MAX <= UINT8_MAX + 1, "places in a batch are bytes");

/* An address to which runs of datagrams of some size were too large: the kernel fragments single
 * datagrams but not those. */
struct narrow {
    struct wrn_ip remote;
    uint16_t size; /* of the datagrams refused, 0: nothing stands here */
    uint16_t left; /* datagrams until it is tried again */
};

struct receiving {
    struct mmsghdr headers[WRN_UDP_BATCH_MAX];
    struct iovec parts[WRN_UDP_BATCH_MAX];
    union wrn_sockaddr addresses[WRN_UDP_BATCH_MAX];
    union wrn_cmsg_receive control[WRN_UDP_BATCH_MAX];
    size_t used; /* headers into which the kernel may have written since they were prepared */
};

struct sending {
    struct mmsghdr headers[WRN_UDP_BATCH_MAX];
    struct iovec parts[WRN_UDP_BATCH_MAX]; /* in the order of the caller's batch */
    union wrn_sockaddr addresses[WRN_UDP_BATCH_MAX];
    union wrn_cmsg_send control[WRN_UDP_BATCH_MAX + 1]; /* the last: for a second try */
    struct run runs[WRN_UDP_BATCH_MAX];
    struct narrow narrow[NARROW_PLACES];
};

struct wrn_udp_scratch {
    struct receiving in;
    struct sending out;
};

/* The datagrams of one family on their way out. */
struct job {
    struct wrn_udp *udp;
    struct sending *out;
    struct wrn_udp_sending *batch;
    size_t count;
    size_t single_until; /* datagrams before this place go one by one */
    size_t suspect;      /* first of a run that was refused as such, 'count': none */
    int fd;
    sa_family_t family;
    bool may_wait;
};

static int open_pair(uint16_t port, uint32_t mark, struct wrn_udp *ret_udp);
static int open_socket(int family, uint16_t port, uint32_t mark, bool join, int *ret_fd);
static int keep_to_the_first(int fd);
static int join_socket(int first_fd, int family, const struct wrn_udp *first, int *ret_fd);
static int set_options(int fd, int family, uint32_t mark);
static int set_int(int fd, int level, int name, int value);
static void set_buffers(int fd);
static int bound_port(int fd, uint16_t *ret_port);
static bool same_origin(const struct receiving *in, size_t a, size_t b);
static void send_family(struct job *job);
static void settle_run(struct job *job, const struct run *run, int error);
static size_t prepare(struct job *job, size_t from);
static void prepare_message(struct job *job, size_t index, size_t previous);
static size_t run_length(struct job *job, size_t first);
static bool same_way(const struct wrn_udp_sending *a, const struct wrn_udp_sending *b);
static bool drop_source(struct job *job, size_t index, int error);
static bool break_up(struct job *job, const struct run *run, int error);
static struct narrow *narrow_place(struct sending *out, const struct wrn_ip *remote);
static bool is_narrow(struct sending *out, const struct wrn_udp_sending *item);
static bool is_source_error(int error);

int wrn_udp_scratch_create(struct wrn_udp_scratch **ret_scratch) {
    struct wrn_udp_scratch *scratch = calloc(1, sizeof *scratch);
    if (scratch == NULL) {
        return -ENOMEM;
    }
    scratch->in.used = WRN_UDP_BATCH_MAX;
    for (size_t i = 0; i < WRN_UDP_BATCH_MAX; i++) {
        struct msghdr *header = &scratch->in.headers[i].msg_hdr;
        header->msg_name = &scratch->in.addresses[i];
        header->msg_iov = &scratch->in.parts[i];
        header->msg_iovlen = 1;
        header->msg_control = scratch->in.control[i].bytes;
    }
    *ret_scratch = scratch;
    return 0;
}

int wrn_udp_open(uint16_t port, uint32_t mark, struct wrn_udp *ret_udp) {
    int error = open_pair(port, mark, ret_udp);
    /* The kernel chose a free port for IPv4 that happens to be taken for IPv6: draw another. */
    for (int i = 1; error == -EADDRINUSE && port == 0 && i < PORT_TRIES; i++) {
        error = open_pair(port, mark, ret_udp);
    }
    return error;
}

int wrn_udp_join(const struct wrn_udp *first, struct wrn_udp *ret_udp) {
    WRN_CLEANUP(wrn_close_fd) int fd4 = -1;
    WRN_CLEANUP(wrn_close_fd) int fd6 = -1;
    int error = 0;
    if (first->fd4 >= 0) {
        error = join_socket(first->fd4, AF_INET, first, &fd4);
    }
    if (error == 0 && first->fd6 >= 0) {
        error = join_socket(first->fd6, AF_INET6, first, &fd6);
    }
    if (error != 0) {
        return error;
    }
    *ret_udp = (struct wrn_udp){.fd4 = wrn_take_fd(&fd4),
                                .fd6 = wrn_take_fd(&fd6),
                                .port = first->port,
                                .mark = first->mark};
    (void)wrn_udp_set_offloads(ret_udp, first->offloads);
    return 0;
}

void wrn_udp_spread(const struct wrn_udp *first, const struct wrn_steering *steering) {
    int fds[2] = {first->fd4, first->fd6};
    for (size_t i = 0; i < WRN_COUNT(fds); i++) {
        int nothing = 0;
        if (fds[i] >= 0 && wrn_steering_lead_group(steering, fds[i]) != 0) {
            (void)setsockopt(fds[i], SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, &nothing, sizeof nothing);
        }
    }
}

void wrn_udp_close(struct wrn_udp *udp) {
    wrn_close_fd(&udp->fd4);
    wrn_close_fd(&udp->fd6);
}

int wrn_udp_set_mark(struct wrn_udp *udp, uint32_t mark) {
    int fds[2] = {udp->fd4, udp->fd6};
    for (size_t i = 0; i < WRN_COUNT(fds); i++) {
        if (fds[i] >= 0 && setsockopt(fds[i], SOL_SOCKET, SO_MARK, &mark, sizeof mark) < 0) {
            return -errno; /* the first one refuses if any does: both ask for the same privilege */
        }
    }
    udp->mark = mark;
    return 0;
}

uint32_t wrn_udp_set_offloads(struct wrn_udp *udp, uint32_t wanted) {
    int fds[2] = {udp->fd4, udp->fd6};
    uint32_t set = wanted & WRN_UDP_OFFLOADS_ALL;
    for (size_t i = 0; i < WRN_COUNT(fds); i++) {
        int size = 0;
        socklen_t length = sizeof size;
        if (fds[i] < 0) {
            continue;
        }
        /* a kernel that does not know it would send a whole run as one datagram: ask first */
        if (getsockopt(fds[i], SOL_UDP, UDP_SEGMENT, &size, &length) < 0) {
            set &= ~(uint32_t)WRN_UDP_GSO;
        }
        if (set_int(fds[i], SOL_UDP, UDP_GRO, (wanted & WRN_UDP_GRO) != 0) != 0) {
            set &= ~(uint32_t)WRN_UDP_GRO;
        }
    }
    bool had_gro = (udp->offloads & WRN_UDP_GRO) != 0;
    udp->untold = (set & WRN_UDP_GRO) == 0 && (udp->untold || had_gro);
    udp->offloads = set;
    return set;
}

size_t wrn_udp_receive(int fd, struct wrn_udp_scratch *scratch, struct wrn_udp_received *batch,
                       size_t count) {
    struct receiving *in = &scratch->in;
    for (size_t i = 0; i < in->used; i++) {
        in->headers[i].msg_hdr.msg_namelen = sizeof in->addresses[i];
        in->headers[i].msg_hdr.msg_controllen = sizeof in->control[i].bytes;
    }
    in->used = 0;
    for (size_t i = 0; i < count; i++) {
        in->parts[i] = (struct iovec){batch[i].bytes, batch[i].size};
    }
    int got = -1;
    for (int i = 0; got < 0 && i < ERRORS_MAX; i++) {
        /* an error that waits in the socket is reported once; behind it may be datagrams */
        got = recvmmsg(fd, in->headers, (unsigned)count, MSG_DONTWAIT, NULL);
        if (got < 0 && errno == EAGAIN) {
            return 0;
        }
    }
    if (got <= 0) {
        return 0;
    }
    struct wrn_cmsg_facts facts = {0};
    struct wrn_endpoint remote = {0};
    in->used = (size_t)got;
    for (size_t i = 0; i < in->used; i++) {
        const struct msghdr *header = &in->headers[i].msg_hdr;
        if (i == 0 || !same_origin(in, i - 1, i)) {
            wrn_cmsg_read(header, &facts);
            remote = (struct wrn_endpoint){0};
            (void)wrn_endpoint_from_sockaddr(&in->addresses[i], &remote);
        }
        size_t size = in->headers[i].msg_len;
        batch[i].size = size;
        batch[i].segment_size =
            facts.segment_size == 0 || facts.segment_size > size ? size : facts.segment_size;
        batch[i].truncated = (header->msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
        batch[i].path =
            (struct wrn_path){.remote = remote, .local = facts.local, .interface = facts.interface};
        batch[i].ecn = facts.ecn;
    }
    return in->used;
}

void wrn_udp_set_whole(const struct wrn_udp *udp, bool is_whole) {
    if (udp->fd4 >= 0) {
        int error = set_int(udp->fd4, IPPROTO_IP, IP_MTU_DISCOVER,
                            is_whole ? IP_PMTUDISC_PROBE : IP_PMTUDISC_DONT);
        WRN_ASSERT(error == 0);
    }
    if (udp->fd6 >= 0) {
        int error = set_int(udp->fd6, IPPROTO_IPV6, IPV6_MTU_DISCOVER,
                            is_whole ? IPV6_PMTUDISC_PROBE : IPV6_PMTUDISC_DONT);
        WRN_ASSERT(error == 0);
    }
}

void wrn_udp_send(struct wrn_udp *udp, struct wrn_udp_scratch *scratch,
                  struct wrn_udp_sending *batch, size_t count) {
    bool v4 = false;
    bool v6 = false;
    for (size_t i = 0; i < count; i++) {
        v4 = v4 || batch[i].path.remote.ip.family == WRN_FAMILY_IPV4;
        v6 = v6 || batch[i].path.remote.ip.family == WRN_FAMILY_IPV6;
        batch[i].source_refused = false;
        batch[i].error = -EAFNOSUPPORT; /* until its family has been served */
    }
    struct job job = {.udp = udp, .out = &scratch->out, .batch = batch, .count = count};
    if (v4 && udp->fd4 >= 0) {
        job.fd = udp->fd4;
        job.family = AF_INET;
        send_family(&job);
    }
    if (v6 && udp->fd6 >= 0) {
        job.fd = udp->fd6;
        job.family = AF_INET6;
        send_family(&job);
    }
}

/* Opens IPv4 on 'port' and IPv6 on the port that IPv4 got. */
static int open_pair(uint16_t port, uint32_t mark, struct wrn_udp *ret_udp) {
    WRN_CLEANUP(wrn_close_fd) int fd4 = -1;
    WRN_CLEANUP(wrn_close_fd) int fd6 = -1;
    int error = open_socket(AF_INET, port, mark, false, &fd4);
    if (error != 0 && error != -EAFNOSUPPORT) {
        return error;
    }
    if (fd4 >= 0) {
        error = bound_port(fd4, &port);
        if (error != 0) {
            return error;
        }
    }
    error = open_socket(AF_INET6, port, mark, false, &fd6);
    if (error == 0) {
        error = bound_port(fd6, &port);
    } else if (error == -EAFNOSUPPORT && fd4 >= 0) {
        error = 0;
    }
    if (error != 0) {
        return error;
    }
    *ret_udp = (struct wrn_udp){
        .fd4 = wrn_take_fd(&fd4), .fd6 = wrn_take_fd(&fd6), .port = port, .mark = mark};
    return 0;
}

static int open_socket(int family, uint16_t port, uint32_t mark, bool join, int *ret_fd) {
    union wrn_sockaddr address;
    struct wrn_endpoint any = {.port = port};
    any.ip.family = family == AF_INET ? WRN_FAMILY_IPV4 : WRN_FAMILY_IPV6;
    socklen_t size = wrn_endpoint_to_sockaddr(&any, &address);
    WRN_CLEANUP(wrn_close_fd) int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    int error = set_options(fd, family, mark);
    if (error != 0) {
        return error;
    }
    error = join ? set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1) : keep_to_the_first(fd);
    if (error != 0) {
        return error;
    }
    if (bind(fd, &address.any, size) < 0) {
        /* EADDRNOTAVAIL: the family is compiled in but switched off here */
        return errno == EADDRNOTAVAIL ? -EAFNOSUPPORT : -errno;
    }
    *ret_fd = wrn_take_fd(&fd);
    return 0;
}

/* Has the group of a socket that is not bound yet, which others may join later, leave everything to
 * this one. A program can be given to an unbound socket that has SO_REUSEPORT, or to one with
 * others beside it: were it given then, those would have had their share for a moment. */
static int keep_to_the_first(int fd) {
    static struct sock_filter number_0[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
    static const struct sock_fprog program = {.len = 1, .filter = number_0};
    int error = set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (error == 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program);
        error = set_int(fd, SOL_SOCKET, SO_REUSEPORT, 0);
    }
    return error;
}

/* The first socket was bound without SO_REUSEPORT, so that nobody could be there already; only now
 * does it let others in. */
static int join_socket(int first_fd, int family, const struct wrn_udp *first, int *ret_fd) {
    int error = set_int(first_fd, SOL_SOCKET, SO_REUSEPORT, 1);
    return error != 0 ? error : open_socket(family, first->port, first->mark, true, ret_fd);
}

static int set_options(int fd, int family, uint32_t mark) {
    int error;
    if (family == AF_INET) {
        error = set_int(fd, IPPROTO_IP, IP_PKTINFO, 1);
        error = error != 0 ? error : set_int(fd, IPPROTO_IP, IP_RECVTOS, 1);
        /* No DF bit: a datagram too large for the path is fragmented, as the kernel's WireGuard has
         * it. */
        error = error != 0 ? error : set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
    } else {
        error = set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
        error = error != 0 ? error : set_int(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
        error = error != 0 ? error : set_int(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
        error =
            error != 0 ? error : set_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
    }
    if (error != 0) {
        return error;
    }
    if (mark != 0 && setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark) < 0) {
        return -errno;
    }
    set_buffers(fd);
    return 0;
}

static int set_int(int fd, int level, int name, int value) {
    return setsockopt(fd, level, name, &value, sizeof value) < 0 ? -errno : 0;
}

/* Asks for large buffers beyond the system's limit, else for what the limit allows. */
static void set_buffers(int fd) {
    if (set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES) != 0) {
        (void)set_int(fd, SOL_SOCKET, SO_RCVBUF, BUFFER_BYTES);
    }
    if (set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, BUFFER_BYTES) != 0) {
        (void)set_int(fd, SOL_SOCKET, SO_SNDBUF, BUFFER_BYTES);
    }
}

static int bound_port(int fd, uint16_t *ret_port) {
    union wrn_sockaddr address;
    struct wrn_endpoint endpoint;
    socklen_t size = sizeof address;
    if (getsockname(fd, &address.any, &size) < 0) {
        return -errno;
    }
    if (!wrn_endpoint_from_sockaddr(&address, &endpoint)) {
        return -EAFNOSUPPORT;
    }
    *ret_port = endpoint.port;
    return 0;
}

/* Tells whether two received messages came the same way and say the same, so that one reading does
 * for both. Not seeing it is harmless. */
static bool same_origin(const struct receiving *in, size_t a, size_t b) {
    const struct msghdr *x = &in->headers[a].msg_hdr;
    const struct msghdr *y = &in->headers[b].msg_hdr;
    return x->msg_namelen == y->msg_namelen && x->msg_controllen == y->msg_controllen &&
           memcmp(x->msg_control, y->msg_control, y->msg_controllen) == 0 &&
           memcmp(x->msg_name, y->msg_name, y->msg_namelen) == 0;
}

/* Sends the datagrams of the batch that belong to the job's family. */
static void send_family(struct job *job) {
    struct sending *out = job->out;
    job->single_until = 0;
    job->suspect = job->count;
    job->may_wait = true;
    size_t prepared = prepare(job, 0);
    size_t done = 0;
    while (done < prepared) {
        int sent =
            sendmmsg(job->fd, out->headers + done, (unsigned)(prepared - done), MSG_DONTWAIT);
        if (sent > 0) {
            for (size_t end = done + (size_t)sent; done < end; done++) {
                settle_run(job, &out->runs[done], 0);
            }
            continue;
        }
        int error = sent == 0 ? EAGAIN : errno;
        if (error == EINTR) {
            continue;
        }
        if (error == EAGAIN && job->may_wait) {
            /* The link is slower than the host. A short wait holds the TUN's queue back, where TCP
             * notices; but other peers may be on faster links, so it stays short and happens once.
             * */
            struct pollfd room = {.fd = job->fd, .events = POLLOUT};
            job->may_wait = poll(&room, 1, SEND_WAIT_MS) > 0;
            continue;
        }
        if (drop_source(job, done, error)) {
            continue;
        }
        if (break_up(job, &out->runs[done], error)) {
            prepared = prepare(job, out->runs[done].first);
            done = 0;
            continue;
        }
        settle_run(job, &out->runs[done++], -error);
    }
}

/* Notes the outcome of a message for all of its datagrams. */
static void settle_run(struct job *job, const struct run *run, int error) {
    for (size_t i = 0; i < run->count; i++) {
        job->batch[run->first + i].error = error;
        job->batch[run->first + i].source_refused = run->without_source;
    }
    if (error == 0 && run->first == job->suspect) {
        /* alone it passed: it was the offload that the kernel did not take */
        job->udp->offloads &= ~(uint32_t)WRN_UDP_GSO;
    }
}

/* Fills the scratch room with the messages of one family, beginning with the datagram 'from'.
 * Returns how many messages there are. */
static size_t prepare(struct job *job, size_t from) {
    enum wrn_family wanted = job->family == AF_INET ? WRN_FAMILY_IPV4 : WRN_FAMILY_IPV6;
    struct sending *out = job->out;
    size_t prepared = 0;
    size_t first = from;
    while (first < job->count) {
        if (job->batch[first].path.remote.ip.family != wanted) {
            first++;
            continue;
        }
        size_t length = run_length(job, first);
        for (size_t i = first; i < first + length; i++) {
            /* sendmmsg only reads, its structures just do not say so */
            out->parts[i] =
                (struct iovec){(void *)(uintptr_t)job->batch[i].bytes, job->batch[i].size};
        }
        out->runs[prepared] = (struct run){.first = (uint8_t)first, .count = (uint8_t)length};
        prepare_message(job, prepared, prepared > 0 ? prepared - 1 : 0);
        prepared++;
        first += length;
    }
    return prepared;
}

/* Fills in the header of the message 'index'. If the message 'previous' before it goes the same
 * way, they share address and control data. */
static void prepare_message(struct job *job, size_t index, size_t previous) {
    struct sending *out = job->out;
    const struct run *run = &out->runs[index];
    const struct wrn_udp_sending *item = &job->batch[run->first];
    const struct wrn_udp_sending *last = &job->batch[out->runs[previous].first];
    struct msghdr *header = &out->headers[index].msg_hdr;
    if (previous != index && same_way(last, item)) {
        *header = out->headers[previous].msg_hdr;
    } else {
        header->msg_name = &out->addresses[index];
        header->msg_namelen = wrn_endpoint_to_sockaddr(&item->path.remote, &out->addresses[index]);
        header->msg_control = NULL;
        header->msg_flags = 0;
    }
    bool control_fits =
        header->msg_control != NULL && run->count == 1 && out->runs[previous].count == 1;
    if (!control_fits) {
        uint16_t segment_size = run->count > 1 ? (uint16_t)item->size : 0;
        header->msg_control = out->control[index].bytes;
        header->msg_controllen =
            wrn_cmsg_write(&item->path, item->ds, segment_size, job->family, &out->control[index]);
    }
    header->msg_iov = &out->parts[run->first];
    header->msg_iovlen = run->count;
}

/* Finds how many datagrams, beginning with 'first', may travel as one message. */
static size_t run_length(struct job *job, size_t first) {
    const struct wrn_udp_sending *item = &job->batch[first];
    size_t length = 1;
    if (first < job->single_until || (job->udp->offloads & WRN_UDP_GSO) == 0 || item->size == 0 ||
        is_narrow(job->out, item)) {
        return 1;
    }
    size_t most = WRN_UDP_MESSAGE_MAX / item->size;
    most = most < WRN_UDP_SEGMENTS_MAX ? most : WRN_UDP_SEGMENTS_MAX;
    most = most < job->count - first ? most : job->count - first;
    while (length < most) {
        const struct wrn_udp_sending *next = &job->batch[first + length];
        if (next->size > item->size || next->size == 0 || !same_way(item, next)) {
            break;
        }
        length++;
        if (next->size < item->size) {
            break; /* a smaller one ends the message */
        }
    }
    return length;
}

/* Tells whether two datagrams need the same address and control data. */
static bool same_way(const struct wrn_udp_sending *a, const struct wrn_udp_sending *b) {
    const struct wrn_endpoint *to = &a->path.remote;
    const struct wrn_endpoint *too = &b->path.remote;
    return a->ds == b->ds && to->port == too->port && to->scope_id == too->scope_id &&
           memcmp(&to->ip, &too->ip, sizeof to->ip) == 0 &&
           memcmp(&a->path.local, &b->path.local, sizeof a->path.local) == 0;
}

/* Takes the source address out of a message that may have been refused for its sake. Returns
 * whether it is worth another try. */
static bool drop_source(struct job *job, size_t index, int error) {
    struct sending *out = job->out;
    struct run *run = &out->runs[index];
    const struct wrn_udp_sending *item = &job->batch[run->first];
    if (run->without_source || item->path.local.family == WRN_FAMILY_NONE ||
        !is_source_error(error)) {
        return false;
    }
    struct wrn_path any = {.remote = item->path.remote};
    uint16_t segment_size = run->count > 1 ? (uint16_t)item->size : 0;
    struct msghdr *header = &out->headers[index].msg_hdr;
    run->without_source = true;
    /* not in its own place, which messages behind it may share */
    union wrn_cmsg_send *control = &out->control[WRN_UDP_BATCH_MAX];
    header->msg_control = control->bytes;
    header->msg_controllen = wrn_cmsg_write(&any, item->ds, segment_size, job->family, control);
    return true;
}

/* Decides whether the datagrams of a refused message are to be sent one by one, and what to
 * remember of it. A single datagram has nothing left to try. */
static bool break_up(struct job *job, const struct run *run, int error) {
    if (run->count == 1) {
        return false;
    }
    if (error == EMSGSIZE) { /* the route is too narrow; single ones are fragmented */
        const struct wrn_udp_sending *item = &job->batch[run->first];
        *narrow_place(job->out, &item->path.remote.ip) = (struct narrow){
            .remote = item->path.remote.ip, .size = (uint16_t)item->size, .left = NARROW_DATAGRAMS};
        job->single_until = (size_t)run->first + run->count;
        return true;
    }
    if (error == EIO || error == EINVAL || error == EOPNOTSUPP) {
        /* no checksum offload on the way, IPsec, or something that nobody has met yet */
        job->suspect = run->first;
        job->single_until = job->count;
        return true;
    }
    return false;
}

/* Finds where a narrow route to 'remote' is remembered; another address may stand there. */
static struct narrow *narrow_place(struct sending *out, const struct wrn_ip *remote) {
    unsigned sum = 0;
    for (size_t i = 0; i < sizeof remote->bytes; i++) {
        sum += remote->bytes[i];
    }
    return &out->narrow[sum % NARROW_PLACES];
}

/* Tells whether the route was too narrow for datagrams of this size the last time. */
static bool is_narrow(struct sending *out, const struct wrn_udp_sending *item) {
    struct narrow *place = narrow_place(out, &item->path.remote.ip);
    if (place->size == 0 || item->size < place->size ||
        !wrn_ip_equal(&place->remote, &item->path.remote.ip)) {
        return false;
    }
    if (--place->left == 0) {
        place->size = 0;
    }
    return true;
}

/* Tells whether the kernel may have refused a datagram because its source address is no longer
 * ours, or no longer fits the route. */
static bool is_source_error(int error) {
    return error == EINVAL || error == EADDRNOTAVAIL || error == ENETUNREACH ||
           error == EHOSTUNREACH || error == ENODEV;
}
