/* SPDX-License-Identifier: Apache-2.0 */
/* UDP sockets with batched calls and control messages. Keeps no state but the descriptors. */
#define _GNU_SOURCE /* recvmmsg, sendmmsg */
#include "io/udp.h"

#include <netinet/in.h>
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
};

struct wrn_udp_scratch {
    struct mmsghdr headers[WRN_UDP_BATCH_MAX];
    struct iovec parts[WRN_UDP_BATCH_MAX];
    struct sockaddr_storage addresses[WRN_UDP_BATCH_MAX];
    union wrn_cmsg_receive control[WRN_UDP_BATCH_MAX];
    uint8_t places[WRN_UDP_BATCH_MAX]; /* of the datagrams of one family, in the caller's batch */
};
static_assert(sizeof(union wrn_cmsg_send) <= sizeof(union wrn_cmsg_receive), "one room for both");
static_assert(WRN_UDP_BATCH_MAX <= UINT8_MAX + 1, "places are bytes");

static int open_pair(uint16_t port, uint32_t mark, struct wrn_udp *ret_udp);
static int open_socket(int family, uint16_t port, uint32_t mark, int *ret_fd);
static int set_options(int fd, int family, uint32_t mark);
static int set_int(int fd, int level, int name, int value);
static void set_buffers(int fd);
static int bound_port(int fd, uint16_t *ret_port);
static void send_family(int fd, sa_family_t family, struct wrn_udp_scratch *scratch,
                        struct wrn_udp_sending *batch, size_t count);
static size_t prepare(sa_family_t family, struct wrn_udp_scratch *scratch,
                      struct wrn_udp_sending *batch, size_t count);
static bool is_source_error(int error);

int wrn_udp_scratch_create(struct wrn_udp_scratch **ret_scratch) {
    struct wrn_udp_scratch *scratch = calloc(1, sizeof *scratch);
    if (scratch == NULL) {
        return -ENOMEM;
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

size_t wrn_udp_receive(int fd, struct wrn_udp_scratch *scratch, struct wrn_udp_received *batch,
                       size_t count) {
    for (size_t i = 0; i < count; i++) {
        scratch->parts[i] = (struct iovec){batch[i].bytes, batch[i].size};
        scratch->headers[i].msg_hdr = (struct msghdr){
            .msg_name = &scratch->addresses[i],
            .msg_namelen = sizeof scratch->addresses[i],
            .msg_iov = &scratch->parts[i],
            .msg_iovlen = 1,
            .msg_control = scratch->control[i].bytes,
            .msg_controllen = sizeof scratch->control[i].bytes,
        };
    }
    int got = -1;
    for (int i = 0; got < 0 && i < ERRORS_MAX; i++) {
        /* an error that waits in the socket is reported once; behind it may be datagrams */
        got = recvmmsg(fd, scratch->headers, (unsigned)count, MSG_DONTWAIT, NULL);
        if (got < 0 && errno == EAGAIN) {
            return 0;
        }
    }
    if (got <= 0) {
        return 0;
    }
    for (size_t i = 0; i < (size_t)got; i++) {
        struct msghdr *header = &scratch->headers[i].msg_hdr;
        batch[i].size = scratch->headers[i].msg_len;
        batch[i].truncated = (header->msg_flags & MSG_TRUNC) != 0;
        batch[i].path = (struct wrn_path){0};
        (void)wrn_endpoint_from_sockaddr(&scratch->addresses[i], &batch[i].path.remote);
        wrn_cmsg_read(header, &batch[i].path, &batch[i].ecn);
    }
    return (size_t)got;
}

void wrn_udp_send(const struct wrn_udp *udp, struct wrn_udp_scratch *scratch,
                  struct wrn_udp_sending *batch, size_t count) {
    for (size_t i = 0; i < count; i++) {
        batch[i].source_refused = false;
        batch[i].error = -EAFNOSUPPORT; /* until its family has been served */
    }
    if (udp->fd4 >= 0) {
        send_family(udp->fd4, AF_INET, scratch, batch, count);
    }
    if (udp->fd6 >= 0) {
        send_family(udp->fd6, AF_INET6, scratch, batch, count);
    }
}

/* Opens IPv4 on 'port' and IPv6 on the port that IPv4 got. */
static int open_pair(uint16_t port, uint32_t mark, struct wrn_udp *ret_udp) {
    WRN_CLEANUP(wrn_close_fd) int fd4 = -1;
    WRN_CLEANUP(wrn_close_fd) int fd6 = -1;
    int error = open_socket(AF_INET, port, mark, &fd4);
    if (error != 0 && error != -EAFNOSUPPORT) {
        return error;
    }
    if (fd4 >= 0) {
        error = bound_port(fd4, &port);
        if (error != 0) {
            return error;
        }
    }
    error = open_socket(AF_INET6, port, mark, &fd6);
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

static int open_socket(int family, uint16_t port, uint32_t mark, int *ret_fd) {
    struct sockaddr_storage address;
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
    if (bind(fd, (const struct sockaddr *)&address, size) < 0) {
        /* EADDRNOTAVAIL: the family is compiled in but switched off here */
        return errno == EADDRNOTAVAIL ? -EAFNOSUPPORT : -errno;
    }
    *ret_fd = wrn_take_fd(&fd);
    return 0;
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
    struct sockaddr_storage address;
    struct wrn_endpoint endpoint;
    socklen_t size = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &size) < 0) {
        return -errno;
    }
    if (!wrn_endpoint_from_sockaddr(&address, &endpoint)) {
        return -EAFNOSUPPORT;
    }
    *ret_port = endpoint.port;
    return 0;
}

/* Sends the datagrams of 'batch' that belong to 'family'. */
static void send_family(int fd, sa_family_t family, struct wrn_udp_scratch *scratch,
                        struct wrn_udp_sending *batch, size_t count) {
    size_t prepared = prepare(family, scratch, batch, count);
    size_t done = 0;
    bool may_wait = true;
    while (done < prepared) {
        int sent = sendmmsg(fd, scratch->headers + done, (unsigned)(prepared - done), MSG_DONTWAIT);
        if (sent > 0) {
            for (int i = 0; i < sent; i++) {
                batch[scratch->places[done++]].error = 0;
            }
            continue;
        }
        int error = sent == 0 ? EAGAIN : errno;
        if (error == EINTR) {
            continue;
        }
        if (error == EAGAIN && may_wait) {
            /* The link is slower than the host. A short wait holds the TUN's queue back, where TCP
             * notices; but other peers may be on faster links, so it stays short and happens once.
             * */
            struct pollfd room = {.fd = fd, .events = POLLOUT};
            may_wait = poll(&room, 1, SEND_WAIT_MS) > 0;
            continue;
        }
        struct wrn_udp_sending *refused = &batch[scratch->places[done]];
        struct msghdr *header = &scratch->headers[done].msg_hdr;
        if (is_source_error(error) && refused->path.local.family != WRN_FAMILY_NONE &&
            !refused->source_refused) {
            struct wrn_path any = {.remote = refused->path.remote};
            union wrn_cmsg_send control;
            refused->source_refused = true;
            header->msg_controllen = wrn_cmsg_write(&any, refused->ds, family, &control);
            memcpy(header->msg_control, control.bytes, header->msg_controllen);
            continue;
        }
        refused->error = -error;
        done++;
    }
}

/* Fills the scratch room with the datagrams of one family. Returns how many there are. */
static size_t prepare(sa_family_t family, struct wrn_udp_scratch *scratch,
                      struct wrn_udp_sending *batch, size_t count) {
    enum wrn_family wanted = family == AF_INET ? WRN_FAMILY_IPV4 : WRN_FAMILY_IPV6;
    size_t prepared = 0;
    for (size_t i = 0; i < count; i++) {
        struct wrn_udp_sending *item = &batch[i];
        if (item->path.remote.ip.family != wanted) {
            continue;
        }
        union wrn_cmsg_send *control = (union wrn_cmsg_send *)&scratch->control[prepared];
        size_t control_size = wrn_cmsg_write(&item->path, item->ds, family, control);
        /* sendmmsg only reads, its structures just do not say so */
        scratch->parts[prepared] = (struct iovec){(void *)(uintptr_t)item->bytes, item->size};
        scratch->headers[prepared].msg_hdr = (struct msghdr){
            .msg_name = &scratch->addresses[prepared],
            .msg_namelen =
                wrn_endpoint_to_sockaddr(&item->path.remote, &scratch->addresses[prepared]),
            .msg_iov = &scratch->parts[prepared],
            .msg_iovlen = 1,
            .msg_control = scratch->control[prepared].bytes,
            .msg_controllen = control_size,
        };
        scratch->places[prepared++] = (uint8_t)i;
    }
    return prepared;
}

/* Tells whether the kernel may have refused a datagram because its source address is no longer
 * ours, or no longer fits the route. */
static bool is_source_error(int error) {
    return error == EINVAL || error == EADDRNOTAVAIL || error == ENETUNREACH ||
           error == EHOSTUNREACH || error == ENODEV;
}
