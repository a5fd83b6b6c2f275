/* SPDX-License-Identifier: Apache-2.0 */
/* The table of streams: which are there, who may have one, when they end. One epoll set for all:
 * the loop watches that alone. */
#define _GNU_SOURCE /* accept4 */
#include "daemon/streams.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/streams_internal.h"
#include "io/cleanup.h"
#include "io/clock.h"
#include "overlay/limits.h"

enum {
    READY_MAX = 64, /* streams looked at in one turn of the loop */
    ACCEPTS_MAX = 16,
    BACKLOG = 64,
    LISTENER_MARK = 1 << 16, /* in the place of an index */
    USER_TIMEOUT_MS = 8000,  /* what was sent and is not acknowledged by then ends it */
    UNSENT_BYTES = 1 << 15,  /* in the kernel: urgent ones need not wait for more */
    KEEP_S = 30,
    KEEP_EACH_S = 10, /* of the kernel's own, beside the pings of the ring */
};

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static void accept_some(struct wrn_streams *streams, uint32_t listener);
static void pause_listeners(struct wrn_streams *streams, bool is_paused);
static enum wrn_streams_refusal take(struct wrn_streams *streams, bool is_tls, int fd,
                                     const union address *address);
static bool may_take(struct wrn_streams *streams, const struct wrn_ip *ip,
                     enum wrn_streams_refusal *ret_why);
static int open_one(struct wrn_streams *streams, uint16_t socket_number,
                    const struct wrn_endpoint *to, struct wrn_stream **ret_stream);
static bool leads_inside(const struct wrn_streams *streams, int fd);
static struct wrn_stream *add(struct wrn_streams *streams, int fd, uint16_t socket_number,
                              const struct wrn_endpoint *remote, uint32_t events);
static struct wrn_stream *find(struct wrn_streams *streams, uint16_t socket_number,
                               const struct wrn_endpoint *remote);
static void sweep(struct wrn_streams *streams);
static void drop(struct wrn_streams *streams, struct wrn_stream *stream);
static void set_options(int fd);
static int listen_at(struct wrn_streams *streams, uint32_t listener, bool is_ipv6, uint16_t port);
static socklen_t address_of(const struct wrn_endpoint *endpoint, union address *ret_address);
static struct wrn_endpoint endpoint_of(const union address *address);

const char *wrn_streams_refusal_name(enum wrn_streams_refusal refusal) {
    static const char *const names[] = {
#define X(name, text) #text,
        WRN_STREAMS_REFUSAL_LIST(X)
#undef X
    };
    return (uint32_t)refusal < WRN_COUNT(names) ? names[refusal] : "unknown";
}

int wrn_streams_create(wrn_streams_fn on_datagram, wrn_streams_inside_fn is_inside, void *ctx,
                       struct wrn_streams **ret_streams) {
    struct wrn_streams *streams = calloc(1, sizeof *streams);
    if (streams == NULL) {
        return -ENOMEM;
    }
    streams->on_datagram = on_datagram;
    streams->is_inside = is_inside;
    streams->ctx = ctx;
    for (uint32_t i = 0; i < WRN_STREAM_LISTENERS; i++) {
        streams->listeners[i] = -1;
    }
    streams->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (streams->epoll_fd < 0) {
        int error = -errno;
        free(streams);
        return error;
    }
    *ret_streams = streams;
    return 0;
}

void wrn_streams_destroy(struct wrn_streams *streams) {
    if (streams == NULL) {
        return;
    }
    for (uint32_t i = 0; i < WRN_STREAMS_MAX; i++) {
        if (streams->table[i] != NULL) {
            drop(streams, streams->table[i]);
        }
    }
    for (uint32_t i = 0; i < WRN_STREAM_LISTENERS; i++) {
        wrn_close_fd(&streams->listeners[i]);
    }
    wrn_tls_maker_destroy(streams->maker);
    (void)close(streams->epoll_fd);
    free(streams);
}

int wrn_streams_fd(const struct wrn_streams *streams) {
    return streams->epoll_fd;
}

void wrn_streams_run(struct wrn_streams *streams) {
    struct epoll_event ready[READY_MAX];
    int count = epoll_wait(streams->epoll_fd, ready, READY_MAX, 0);
    for (int i = 0; i < count; i++) {
        uint32_t index = (uint32_t)ready[i].data.u64;
        uint32_t generation = (uint32_t)(ready[i].data.u64 >> 32);
        if (index >= LISTENER_MARK) {
            accept_some(streams, index - LISTENER_MARK);
        } else if (streams->table[index] != NULL &&
                   streams->table[index]->generation == generation) {
            wrn_stream_on_ready(streams, streams->table[index]);
        }
    }
    sweep(streams);
}

void wrn_streams_on_time(struct wrn_streams *streams, wrn_mono now) {
    pause_listeners(streams, false);
    for (uint32_t i = 0; i < WRN_STREAMS_MAX; i++) {
        if (streams->table[i] != NULL) {
            wrn_stream_on_time(streams->table[i], now);
        }
    }
    sweep(streams);
}

int wrn_streams_listen(struct wrn_streams *streams, bool is_tls, uint16_t port) {
    uint32_t first = is_tls ? 2 : 0;
    wrn_close_fd(&streams->listeners[first]); /* leaves the epoll set with it */
    wrn_close_fd(&streams->listeners[first + 1]);
    streams->ports[is_tls] = 0;
    if (port == 0) {
        return 0;
    }
    if (is_tls && wrn_streams_maker(streams) == NULL) {
        return -ENOMEM;
    }
    int error = listen_at(streams, first, false, port);
    int error6 = listen_at(streams, first + 1, true, port);
    error = error == -EAFNOSUPPORT ? error6 : error;
    error6 = error6 == -EAFNOSUPPORT || error6 == -EADDRNOTAVAIL ? error : error6;
    if (error != 0 || error6 != 0) {
        wrn_close_fd(&streams->listeners[first]);
        wrn_close_fd(&streams->listeners[first + 1]);
        return error != 0 ? error : error6;
    }
    streams->ports[is_tls] = port;
    return 0;
}

int wrn_streams_send(struct wrn_streams *streams, uint16_t socket_number,
                     const struct wrn_endpoint *to, wrn_span bytes) {
    if (bytes.size == 0 || bytes.size > WRN_STREAM_DATAGRAM_MAX) {
        return -EMSGSIZE;
    }
    struct wrn_stream *stream = find(streams, socket_number, to);
    if (stream == NULL && socket_number == WRN_SOCKET_TAKEN) {
        streams->refused[WRN_STREAMS_NO_STREAM]++;
        return -ENOTCONN;
    }
    if (stream == NULL) {
        int error = open_one(streams, socket_number, to, &stream);
        if (error != 0) {
            streams->refused[error == -ENOBUFS ? WRN_STREAMS_FULL
                             : error == -ELOOP ? WRN_STREAMS_INSIDE
                                               : WRN_STREAMS_CONNECT]++;
            return error;
        }
    }
    wrn_stream_send(streams, stream, bytes);
    streams->last = stream;
    return 0;
}

void wrn_streams_use(struct wrn_streams *streams, uint16_t socket_number,
                     const struct wrn_endpoint *at) {
    struct wrn_stream *stream = find(streams, socket_number, at);
    if (stream != NULL) {
        stream->is_proven = true;
        stream->used = wrn_clock_read().mono;
    }
}

void wrn_streams_keep(struct wrn_streams *streams, const struct wrn_ip *ips, size_t count) {
    for (uint32_t i = 0; i < WRN_STREAMS_MAX; i++) {
        struct wrn_stream *stream = streams->table[i];
        bool is_kept = stream == NULL || stream->local.family == WRN_FAMILY_NONE;
        for (size_t j = 0; j < count && !is_kept; j++) {
            is_kept = wrn_ip_equal(&ips[j], &stream->local);
        }
        if (!is_kept) {
            wrn_stream_fail(stream, WRN_STREAMS_MOVED);
        }
    }
    sweep(streams);
}

void wrn_streams_facts(const struct wrn_streams *streams, struct wrn_streams_facts *ret_facts) {
    *ret_facts = (struct wrn_streams_facts){.opened = streams->opened,
                                            .taken = streams->taken,
                                            .tcp_port = streams->ports[0],
                                            .tls_port = streams->ports[1]};
    memcpy(ret_facts->refused, streams->refused, sizeof streams->refused);
}

struct wrn_tls_maker *wrn_streams_maker(struct wrn_streams *streams) {
    if (streams->maker == NULL && wrn_tls_maker_create(&streams->maker) != 0) {
        streams->maker = NULL;
    }
    return streams->maker;
}

static void accept_some(struct wrn_streams *streams, uint32_t listener) {
    for (int i = 0; i < ACCEPTS_MAX; i++) {
        union address address = {0};
        socklen_t size = sizeof address;
        WRN_CLEANUP(wrn_close_fd)
        int fd = accept4(streams->listeners[listener], &address.any, &size,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno != EAGAIN && errno != EWOULDBLOCK && errno != ECONNABORTED) {
                pause_listeners(streams, true); /* no descriptors are left: the backlog fills */
            }
            return;
        }
        enum wrn_streams_refusal why = take(streams, listener >= 2, fd, &address);
        if (why == WRN_STREAMS_REFUSALS) {
            (void)wrn_take_fd(&fd);
        } else {
            streams->refused[why]++;
        }
    }
}

/* Else the loop would spin. */
static void pause_listeners(struct wrn_streams *streams, bool is_paused) {
    for (uint32_t i = 0; i < WRN_STREAM_LISTENERS && is_paused != streams->is_paused; i++) {
        struct epoll_event wanted = {.events = is_paused ? 0 : EPOLLIN,
                                     .data.u64 = LISTENER_MARK + i};
        if (streams->listeners[i] >= 0) {
            (void)epoll_ctl(streams->epoll_fd, EPOLL_CTL_MOD, streams->listeners[i], &wanted);
        }
    }
    streams->is_paused = is_paused;
}

/* Returns WRN_STREAMS_REFUSALS if it was taken. */
static enum wrn_streams_refusal take(struct wrn_streams *streams, bool is_tls, int fd,
                                     const union address *address) {
    struct wrn_endpoint remote = endpoint_of(address);
    enum wrn_streams_refusal why;
    if (!may_take(streams, &remote.ip, &why)) {
        return why;
    }
    if (leads_inside(streams, fd)) {
        return WRN_STREAMS_INSIDE;
    }
    struct wrn_stream *stream = add(streams, fd, WRN_SOCKET_TAKEN, &remote, EPOLLIN);
    if (stream == NULL) {
        return WRN_STREAMS_FULL;
    }
    stream->state = WRN_STREAM_OPEN;
    if (is_tls) {
        stream->state = WRN_STREAM_SHAKES;
        if (wrn_tls_create(streams->maker, fd, true, &stream->tls) != 0) {
            wrn_stream_fail(stream, WRN_STREAMS_BROKEN); /* which closes the socket */
        }
    }
    return WRN_STREAMS_REFUSALS;
}

/* Whoever floods takes places of those that are as unknown as it is, never of peers. */
static bool may_take(struct wrn_streams *streams, const struct wrn_ip *ip,
                     enum wrn_streams_refusal *ret_why) {
    struct wrn_stream *oldest = NULL;
    uint32_t unproven = 0, of_address = 0, unproven_of_address = 0;
    wrn_mono now = wrn_clock_read().mono;
    if (wrn_mono_since(now, streams->second) >= WRN_S(1)) {
        streams->second = now;
        streams->in_second = 0;
    }
    if (++streams->in_second > WRN_STREAMS_PER_S) {
        *ret_why = WRN_STREAMS_RATE;
        return false;
    }
    for (uint32_t i = 0; i < WRN_STREAMS_MAX; i++) {
        struct wrn_stream *stream = streams->table[i];
        if (stream == NULL || stream->socket != WRN_SOCKET_TAKEN || stream->is_dead) {
            continue;
        }
        bool is_same = wrn_ip_equal(&stream->remote.ip, ip);
        of_address += is_same;
        unproven += !stream->is_proven;
        unproven_of_address += is_same && !stream->is_proven;
        if (!stream->is_proven &&
            (oldest == NULL || wrn_mono_before(stream->begun, oldest->begun))) {
            oldest = stream;
        }
    }
    *ret_why = WRN_STREAMS_ADDRESS_FULL;
    if (of_address >= WRN_STREAMS_ADDRESS_MAX ||
        unproven_of_address >= WRN_STREAMS_UNPROVEN_ADDRESS) {
        return false;
    }
    bool is_full = streams->opened + streams->taken >= WRN_STREAMS_MAX;
    if ((is_full || unproven >= WRN_STREAMS_UNPROVEN_MAX) && oldest != NULL) {
        wrn_stream_fail(oldest, WRN_STREAMS_UNPROVEN);
        sweep(streams);
        return true;
    }
    *ret_why = WRN_STREAMS_FULL;
    return !is_full;
}

static int open_one(struct wrn_streams *streams, uint16_t socket_number,
                    const struct wrn_endpoint *to, struct wrn_stream **ret_stream) {
    union address address;
    socklen_t size = address_of(to, &address);
    if (size == 0 || to->port == 0) {
        return -EAFNOSUPPORT;
    }
    if (streams->opened >= WRN_STREAMS_OPENED_MAX ||
        streams->opened + streams->taken >= WRN_STREAMS_MAX) {
        return -ENOBUFS;
    }
    WRN_CLEANUP(wrn_close_fd)
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    if (connect(fd, &address.any, size) != 0 && errno != EINPROGRESS) {
        return -errno;
    }
    if (leads_inside(streams, fd)) {
        return -ELOOP;
    }
    *ret_stream = add(streams, fd, socket_number, to, EPOLLOUT);
    if (*ret_stream == NULL) {
        return -ENOMEM;
    }
    (void)wrn_take_fd(&fd);
    (*ret_stream)->state = WRN_STREAM_CONNECTS;
    return 0;
}

/* Whether a connection, or one that is being made, is by an address that is in a network. */
static bool leads_inside(const struct wrn_streams *streams, int fd) {
    union address local = {0};
    socklen_t size = sizeof local;
    if (streams->is_inside == NULL || getsockname(fd, &local.any, &size) != 0) {
        return false;
    }
    struct wrn_ip ip = endpoint_of(&local).ip;
    return streams->is_inside(streams->ctx, &ip);
}

/* The socket is the stream's from here on, unless this returns NULL. */
static struct wrn_stream *add(struct wrn_streams *streams, int fd, uint16_t socket_number,
                              const struct wrn_endpoint *remote, uint32_t events) {
    uint32_t index = 0;
    union address local = {0};
    socklen_t size = sizeof local;
    while (index < WRN_STREAMS_MAX && streams->table[index] != NULL) {
        index++;
    }
    struct wrn_stream *stream =
        index < WRN_STREAMS_MAX ? calloc(1, sizeof *stream) : NULL; /* mapped as it is used */
    if (stream == NULL) {
        return NULL;
    }
    struct epoll_event wanted = {.events = events,
                                 .data.u64 = (uint64_t)++streams->generations[index] << 32 | index};
    if (epoll_ctl(streams->epoll_fd, EPOLL_CTL_ADD, fd, &wanted) != 0) {
        free(stream);
        return NULL;
    }
    set_options(fd);
    stream->fd = fd;
    stream->index = index;
    stream->generation = streams->generations[index];
    stream->socket = socket_number;
    stream->events = events;
    stream->remote = *remote;
    stream->begun = stream->used = stream->moved = wrn_clock_read().mono;
    stream->urgent = (struct wrn_stream_queue){.bytes = stream->urgent_bytes,
                                               .size = sizeof stream->urgent_bytes};
    stream->user =
        (struct wrn_stream_queue){.bytes = stream->user_bytes, .size = sizeof stream->user_bytes};
    if (getsockname(fd, &local.any, &size) == 0) {
        stream->local = endpoint_of(&local).ip;
    }
    streams->table[index] = stream;
    *(socket_number == WRN_SOCKET_TAKEN ? &streams->taken : &streams->opened) += 1;
    return stream;
}

static struct wrn_stream *find(struct wrn_streams *streams, uint16_t socket_number,
                               const struct wrn_endpoint *remote) {
    struct wrn_stream *last = streams->last;
    if (last != NULL && !last->is_dead && last->socket == socket_number &&
        wrn_endpoint_equal(&last->remote, remote)) {
        return last;
    }
    for (uint32_t i = 0; i < WRN_STREAMS_MAX; i++) {
        struct wrn_stream *stream = streams->table[i];
        if (stream != NULL && !stream->is_dead && stream->socket == socket_number &&
            wrn_endpoint_equal(&stream->remote, remote)) {
            return stream;
        }
    }
    return NULL;
}

/* Closes what has failed. Not while somebody stands in a stream. */
static void sweep(struct wrn_streams *streams) {
    for (uint32_t i = 0; i < WRN_STREAMS_MAX; i++) {
        struct wrn_stream *stream = streams->table[i];
        if (stream != NULL && stream->is_dead) {
            streams->refused[stream->why]++;
            drop(streams, stream);
        }
    }
}

static void drop(struct wrn_streams *streams, struct wrn_stream *stream) {
    if (streams->last == stream) {
        streams->last = NULL;
    }
    WRN_ASSERT(stream != NULL);
    *(stream->socket == WRN_SOCKET_TAKEN ? &streams->taken : &streams->opened) -= 1;
    streams->table[stream->index] = NULL;
    wrn_tls_destroy(stream->tls);
    wrn_close_fd(&stream->fd); /* leaves the epoll set with it */
    free(stream);
}

/* Small ones go at once; a way that died is noticed soon. Where the kernel has one of them not, the
 * stream is a little worse. */
static void set_options(int fd) {
    const struct {
        int level, name, value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS},
        {IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_BYTES},
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, KEEP_S},
        {IPPROTO_TCP, TCP_KEEPINTVL, KEEP_EACH_S},
    };
    for (size_t i = 0; i < WRN_COUNT(options); i++) {
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value,
                         sizeof options[i].value);
    }
}

static int listen_at(struct wrn_streams *streams, uint32_t listener, bool is_ipv6, uint16_t port) {
    struct epoll_event wanted = {.events = EPOLLIN, .data.u64 = LISTENER_MARK + listener};
    struct wrn_endpoint any = {.ip.family = is_ipv6 ? WRN_FAMILY_IPV6 : WRN_FAMILY_IPV4,
                               .port = port};
    union address address;
    socklen_t size = address_of(&any, &address);
    int on = 1;
    WRN_CLEANUP(wrn_close_fd)
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if ((is_ipv6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0) ||
        bind(fd, &address.any, size) != 0 || listen(fd, BACKLOG) != 0 ||
        epoll_ctl(streams->epoll_fd, EPOLL_CTL_ADD, fd, &wanted) != 0) {
        return -errno;
    }
    streams->listeners[listener] = wrn_take_fd(&fd);
    return 0;
}

/* Returns its size, 0 if it is none. */
static socklen_t address_of(const struct wrn_endpoint *endpoint, union address *ret_address) {
    *ret_address = (union address){0};
    if (endpoint->ip.family == WRN_FAMILY_IPV4) {
        ret_address->v4.sin_family = AF_INET;
        ret_address->v4.sin_port = htons(endpoint->port);
        memcpy(&ret_address->v4.sin_addr, endpoint->ip.bytes, sizeof ret_address->v4.sin_addr);
        return sizeof ret_address->v4;
    }
    if (endpoint->ip.family == WRN_FAMILY_IPV6) {
        ret_address->v6.sin6_family = AF_INET6;
        ret_address->v6.sin6_port = htons(endpoint->port);
        ret_address->v6.sin6_scope_id = endpoint->scope_id;
        memcpy(&ret_address->v6.sin6_addr, endpoint->ip.bytes, sizeof ret_address->v6.sin6_addr);
        return sizeof ret_address->v6;
    }
    return 0;
}

static struct wrn_endpoint endpoint_of(const union address *address) {
    struct wrn_endpoint endpoint = {0};
    if (address->any.sa_family == AF_INET) {
        endpoint.ip.family = WRN_FAMILY_IPV4;
        endpoint.port = ntohs(address->v4.sin_port);
        memcpy(endpoint.ip.bytes, &address->v4.sin_addr, sizeof address->v4.sin_addr);
    } else if (address->any.sa_family == AF_INET6) {
        endpoint.ip.family = WRN_FAMILY_IPV6;
        endpoint.port = ntohs(address->v6.sin6_port);
        endpoint.scope_id = address->v6.sin6_scope_id;
        memcpy(endpoint.ip.bytes, &address->v6.sin6_addr, sizeof address->v6.sin6_addr);
    }
    return endpoint;
}
