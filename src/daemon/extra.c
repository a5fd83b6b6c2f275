/* SPDX-License-Identifier: Apache-2.0 */
/* One epoll set for all sockets: the loop watches that alone. */
#define _GNU_SOURCE /* SOCK_NONBLOCK */
#include "daemon/extra.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/cleanup.h"
#include "io/datagram.h"
#include "overlay/limits.h"

enum {
    READY_MAX = 64,         /* sockets looked at in one turn of the loop */
    READS_MAX = 16,         /* datagrams of one socket in a turn */
    ROOM = 2048,            /* bytes: what is larger is not for us */
    PORT_TRIES = 8,         /* for a port that is not the last one */
    BUFFER_BYTES = 1 << 16, /* of each socket: hundreds of them are open at times */
};

struct place {
    int fd; /* -1: closed */
    uint16_t last_port;
};

struct network {
    struct place *places; /* NULL: it has opened none so far */
};

struct wrn_extra {
    int epoll_fd;
    uint32_t networks;
    uint32_t open_count;
    wrn_extra_fn on_datagram;
    void *ctx;
    struct network by_network[];
};

static struct place *place_of(struct wrn_extra *extra, uint32_t network, uint16_t socket);
static int open_one(struct wrn_extra *extra, uint32_t network, uint16_t number);
static int bind_anew(int fd, uint16_t last_port, uint16_t *ret_port);
static void read_one(struct wrn_extra *extra, uint32_t network, uint16_t number);

int wrn_extra_create(uint32_t networks, wrn_extra_fn on_datagram, void *ctx,
                     struct wrn_extra **ret_extra) {
    struct wrn_extra *extra = calloc(1, sizeof *extra + networks * sizeof(struct network));
    if (extra == NULL) {
        return -ENOMEM;
    }
    extra->networks = networks;
    extra->on_datagram = on_datagram;
    extra->ctx = ctx;
    extra->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (extra->epoll_fd < 0) {
        int error = -errno;
        free(extra);
        return error;
    }
    *ret_extra = extra;
    return 0;
}

void wrn_extra_destroy(struct wrn_extra *extra) {
    if (extra == NULL) {
        return;
    }
    for (uint32_t i = 0; i < extra->networks; i++) {
        wrn_extra_close(extra, i, 1, WRN_SOCKETS_MAX - 1);
        free(extra->by_network[i].places);
    }
    (void)close(extra->epoll_fd);
    free(extra);
}

int wrn_extra_fd(const struct wrn_extra *extra) {
    return extra->epoll_fd;
}

void wrn_extra_read(struct wrn_extra *extra) {
    struct epoll_event ready[READY_MAX];
    int count = epoll_wait(extra->epoll_fd, ready, READY_MAX, 0);
    for (int i = 0; i < count; i++) {
        read_one(extra, ready[i].data.u32 >> 16, (uint16_t)ready[i].data.u32);
    }
}

int wrn_extra_open(struct wrn_extra *extra, uint32_t network, uint16_t first, uint16_t count) {
    int error = 0;
    WRN_ASSERT(network < extra->networks);
    if (extra->by_network[network].places == NULL) {
        extra->by_network[network].places =
            calloc(WRN_SOCKETS_MAX, sizeof *extra->by_network[network].places);
        if (extra->by_network[network].places == NULL) {
            return -ENOMEM;
        }
        for (uint32_t i = 0; i < WRN_SOCKETS_MAX; i++) {
            extra->by_network[network].places[i].fd = -1;
        }
    }
    for (uint32_t i = first; i < (uint32_t)first + count && i < WRN_SOCKETS_MAX; i++) {
        int failed = i > 0 ? open_one(extra, network, (uint16_t)i) : 0;
        error = error != 0 ? error : failed;
    }
    return error;
}

void wrn_extra_close(struct wrn_extra *extra, uint32_t network, uint16_t first, uint16_t count) {
    for (uint32_t i = first; i < (uint32_t)first + count && i < WRN_SOCKETS_MAX; i++) {
        struct place *place = place_of(extra, network, (uint16_t)i);
        if (place != NULL) {
            wrn_close_fd(&place->fd); /* leaves the epoll set with it */
            extra->open_count--;
        }
    }
}

int wrn_extra_send(struct wrn_extra *extra, uint32_t network, uint16_t socket,
                   const struct wrn_endpoint *to, wrn_span bytes) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(to->port)};
    const struct place *place = place_of(extra, network, socket);
    if (place == NULL) {
        return -ENOTCONN;
    }
    if (to->ip.family != WRN_FAMILY_IPV4) {
        return -EAFNOSUPPORT;
    }
    memcpy(&address.sin_addr, to->ip.bytes, sizeof address.sin_addr);
    ssize_t sent = sendto(place->fd, bytes.data, bytes.size, MSG_NOSIGNAL,
                          (const struct sockaddr *)&address, sizeof address);
    return sent < 0 ? -errno : 0;
}

uint32_t wrn_extra_count(const struct wrn_extra *extra) {
    return extra->open_count;
}

/* An open socket, or NULL. */
static struct place *place_of(struct wrn_extra *extra, uint32_t network, uint16_t socket) {
    bool is_there = network < extra->networks && extra->by_network[network].places != NULL &&
                    socket < WRN_SOCKETS_MAX && extra->by_network[network].places[socket].fd >= 0;
    return is_there ? &extra->by_network[network].places[socket] : NULL;
}

static int open_one(struct wrn_extra *extra, uint32_t network, uint16_t number) {
    struct place *place = &extra->by_network[network].places[number];
    struct epoll_event wanted = {.events = EPOLLIN, .data.u32 = network << 16 | number};
    int size = BUFFER_BYTES;
    uint16_t port = 0;
    WRN_CLEANUP(wrn_close_fd) int fd = -1;
    int error = -EADDRINUSE;
    for (int i = 0; i < PORT_TRIES && error == -EADDRINUSE; i++) {
        wrn_close_fd(&fd);
        fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        error = fd < 0 ? -errno : bind_anew(fd, place->last_port, &port);
    }
    if (error != 0) {
        return error;
    }
    int wanted_facts = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    if (setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &wanted_facts, sizeof wanted_facts) != 0) {
        return -errno;
    }
    if (epoll_ctl(extra->epoll_fd, EPOLL_CTL_ADD, fd, &wanted) != 0) {
        return -errno;
    }
    wrn_extra_close(extra, network, number, 1);
    place->fd = wrn_take_fd(&fd);
    place->last_port = port;
    extra->open_count++;
    return 0;
}

/* Binds to a port that the kernel draws. Returns -EADDRINUSE if it is the last one again. */
static int bind_anew(int fd, uint16_t last_port, uint16_t *ret_port) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        return -errno;
    }
    *ret_port = ntohs(address.sin_port);
    return *ret_port == last_port ? -EADDRINUSE : 0;
}

/* The socket may be closed, or another one, after each datagram. */
static void read_one(struct wrn_extra *extra, uint32_t network, uint16_t number) {
    uint8_t room[ROOM];
    for (int i = 0; i < READS_MAX; i++) {
        struct wrn_endpoint from;
        struct wrn_cmsg_facts facts;
        const struct place *place = place_of(extra, network, number);
        if (place == NULL) {
            return;
        }
        ssize_t got = wrn_datagram_receive(place->fd, room, sizeof room, &from, &facts);
        if (got == -EAGAIN) {
            return;
        }
        if (got <= 0 || (size_t)got > sizeof room || from.ip.family == WRN_FAMILY_NONE) {
            continue; /* an ICMP error, or nothing for us */
        }
        extra->on_datagram(extra->ctx, network, number, facts.interface, &from, room, (size_t)got);
    }
}
