/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams are answered as they come. A connection has one question at a time under way; what it
 * sends meanwhile waits in its socket. */
#define _GNU_SOURCE /* accept4, in6_pktinfo */
#include "daemon/dns_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "io/cleanup.h"
#include "io/watch.h"

enum {
    LENGTH_SIZE = 2, /* before each message in a stream: RFC 1035, section 4.2.2 */
    DATAGRAMS_PER_WAKE = 32,
    BACKLOG = 16,
    LOOPBACK_INDEX = 1, /* of "lo", in every network namespace */
    TICK_MS = 1000,
    CONTROL_SIZE = 128,
};

union address {
    struct sockaddr any;
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
};

struct stream {
    struct wrn_dns_server *server; /* NULL: the place is free */
    struct wrn_watch *watch;
    int fd;
    uint64_t used_ms; /* of the loop's clock, when it last said something */
    bool is_waiting;  /* for an answer */
    size_t size;
    uint8_t bytes[LENGTH_SIZE + WRN_DNS_QUERY_MAX];
};

/* A query that waits. */
struct pending {
    uint32_t token;        /* 0: the place is free */
    struct stream *stream; /* NULL: by UDP, from 'from' */
    union address from;
    socklen_t from_size;
    size_t size;
    uint8_t query[WRN_DNS_QUERY_MAX];
};

/* They outlive the server by a round of the loop. */
struct timers {
    uv_timer_t tick; /* runs while there are streams */
    uv_timer_t
        wake; /* lets streams go on whose answer has come, out of the way of who brought it */
    unsigned open;
};

struct wrn_dns_server {
    struct wrn_dns_server_options options;
    int udp, tcp;
    struct wrn_watch *udp_watch, *tcp_watch;
    struct timers *timers;
    uint32_t last_token;
    uint32_t stream_count;
    struct wrn_dns_server_counts counts;
    struct stream streams[WRN_DNS_STREAMS_MAX];
    struct pending *pending; /* WRN_DNS_PENDING_MAX of them */
};

/* The lookup of one call of wrn_dns_answer: asks, or hands over what was found. */
struct asking {
    const struct wrn_dns_server *server;
    uint32_t token;                        /* 0: no more can wait */
    const struct wrn_names_answer *answer; /* NULL: ask */
};

static int open_socket(const struct wrn_dns_server_options *options, int type, int *ret_fd);
static socklen_t to_sockaddr(const struct wrn_ip *ip, uint16_t port, union address *ret_address);
static void explain(const struct wrn_dns_server_options *options, int error,
                    char ret_why[WRN_DNS_WHY_SIZE]);
static void on_datagram(void *ctx, int fd, int events);
static bool receive(struct wrn_dns_server *server, struct pending *ret_query);
static bool is_welcome(const struct wrn_dns_server *server, uint32_t interface,
                       const union address *from);
static bool is_local(const union address *address);
static bool is_member(const struct wrn_dns_server *server, const union address *address);
static bool is_within(const struct wrn_prefix *range, int family, const uint8_t *bytes);
static void take(struct wrn_dns_server *server, struct pending *query);
static void ask(void *ctx, const struct wrn_names_question *question,
                struct wrn_names_answer *ret_answer);
static enum wrn_dns_outcome answer_query(struct wrn_dns_server *server, const struct asking *asking,
                                         const struct pending *query);
static struct pending *free_pending(struct wrn_dns_server *server);
static struct pending *find_pending(struct wrn_dns_server *server, uint32_t token);
static void on_connection(void *ctx, int fd, int events);
static struct stream *free_stream(struct wrn_dns_server *server);
static void on_stream(void *ctx, int fd, int events);
static void proceed(struct stream *stream);
static bool write_stream(struct stream *stream, const uint8_t *reply, size_t size);
static void drop(struct stream *stream);
static void on_tick(uv_timer_t *timer);
static void on_wake(uv_timer_t *timer);
static void on_timer_closed(uv_handle_t *handle);

int wrn_dns_server_create(const struct wrn_dns_server_options *options,
                          struct wrn_dns_server **ret_server, char reterr_why[WRN_DNS_WHY_SIZE]) {
    struct wrn_dns_server *server = calloc(1, sizeof *server);
    struct pending *pending = calloc(WRN_DNS_PENDING_MAX, sizeof *pending);
    struct timers *timers = calloc(1, sizeof *timers);
    if (server == NULL || pending == NULL || timers == NULL) {
        free(server);
        free(pending);
        free(timers);
        explain(options, -ENOMEM, reterr_why);
        return -ENOMEM;
    }
    *server = (struct wrn_dns_server){
        .options = *options, .pending = pending, .timers = timers, .udp = -1, .tcp = -1};
    int error = uv_timer_init(options->loop, &timers->tick);
    WRN_ASSERT(error == 0);
    error = uv_timer_init(options->loop, &timers->wake);
    WRN_ASSERT(error == 0); /* neither can fail */
    timers->tick.data = server;
    timers->wake.data = server;
    timers->open = 2;
    error = open_socket(options, SOCK_DGRAM, &server->udp);
    error = error != 0 ? error : open_socket(options, SOCK_STREAM, &server->tcp);
    error = error != 0 ? error
                       : wrn_watch_open(options->loop, server->udp, WRN_WATCH_READ, on_datagram,
                                        server, &server->udp_watch);
    error = error != 0 ? error
                       : wrn_watch_open(options->loop, server->tcp, WRN_WATCH_READ, on_connection,
                                        server, &server->tcp_watch);
    if (error != 0) {
        explain(options, error, reterr_why);
        wrn_dns_server_destroy(server);
        return error;
    }
    *ret_server = server;
    return 0;
}

void wrn_dns_server_destroy(struct wrn_dns_server *server) {
    if (server == NULL) {
        return;
    }
    for (size_t i = 0; i < WRN_DNS_STREAMS_MAX; i++) {
        if (server->streams[i].server != NULL) {
            drop(&server->streams[i]);
        }
    }
    wrn_watch_close(server->udp_watch);
    wrn_watch_close(server->tcp_watch);
    wrn_close_fd(&server->udp);
    wrn_close_fd(&server->tcp);
    server->timers->tick.data = server->timers;
    server->timers->wake.data = server->timers;
    uv_close((uv_handle_t *)&server->timers->tick, on_timer_closed);
    uv_close((uv_handle_t *)&server->timers->wake, on_timer_closed);
    free(server->pending);
    free(server);
}

void wrn_dns_server_on_answer(struct wrn_dns_server *server, uint32_t token,
                              const struct wrn_names_answer *answer) {
    struct pending *query = find_pending(server, token);
    if (query == NULL || answer->found == WRN_NAMES_PENDING) {
        return;
    }
    struct stream *stream = query->stream;
    enum wrn_dns_outcome outcome =
        answer_query(server, &(struct asking){.server = server, .answer = answer}, query);
    query->token = 0;
    if (stream != NULL && stream->server != NULL) {
        stream->is_waiting = false;
        if (outcome == WRN_DNS_REPLY) {
            (void)uv_timer_start(&server->timers->wake, on_wake, 0, 0);
        } else {
            drop(stream);
        }
    }
}

struct wrn_dns_server_counts wrn_dns_server_counts(const struct wrn_dns_server *server) {
    return server->counts;
}

static int open_socket(const struct wrn_dns_server_options *options, int type, int *ret_fd) {
    const struct wrn_ip *ip = &options->zone.resolver;
    bool is_ipv4 = ip->family == WRN_FAMILY_IPV4;
    union address address;
    int on = 1;
    WRN_CLEANUP(wrn_close_fd)
    int fd = socket(is_ipv4 ? AF_INET : AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    socklen_t size = to_sockaddr(ip, options->port, &address);
    bool is_stream = type == SOCK_STREAM;
    int failed = 0;
    if (is_stream) { /* else connections that have just ended would keep us from it */
        failed = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    } else if (is_ipv4) {
        failed = setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
    } else {
        failed = setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
    }
    if (failed < 0 || bind(fd, &address.any, size) < 0 || (is_stream && listen(fd, BACKLOG) < 0)) {
        return -errno;
    }
    *ret_fd = wrn_take_fd(&fd);
    return 0;
}

static socklen_t to_sockaddr(const struct wrn_ip *ip, uint16_t port, union address *ret_address) {
    memset(ret_address, 0, sizeof *ret_address);
    if (ip->family == WRN_FAMILY_IPV4) {
        ret_address->ipv4.sin_family = AF_INET;
        ret_address->ipv4.sin_port = htons(port);
        memcpy(&ret_address->ipv4.sin_addr, ip->bytes, 4);
        return sizeof ret_address->ipv4;
    }
    ret_address->ipv6.sin6_family = AF_INET6;
    ret_address->ipv6.sin6_port = htons(port);
    memcpy(&ret_address->ipv6.sin6_addr, ip->bytes, 16);
    return sizeof ret_address->ipv6;
}

static void explain(const struct wrn_dns_server_options *options, int error,
                    char ret_why[WRN_DNS_WHY_SIZE]) {
    char address[INET6_ADDRSTRLEN] = "?";
    const struct wrn_ip *ip = &options->zone.resolver;
    (void)inet_ntop(ip->family == WRN_FAMILY_IPV4 ? AF_INET : AF_INET6, ip->bytes, address,
                    sizeof address);
    const char *step = "names of this network cannot be looked up by DNS until that is mended";
    if (error == -EADDRINUSE) {
        step = "another DNS server listens on all addresses: have it listen on its own alone "
               "(dnsmasq: bind-dynamic; unbound: interface:; bind9: listen-on)";
    } else if (error == -EACCES) {
        step = "start warrend as root, or give it the capability CAP_NET_BIND_SERVICE";
    } else if (error == -EADDRNOTAVAIL) {
        step = "the address is not on the interface (yet)";
    }
    (void)snprintf(ret_why, WRN_DNS_WHY_SIZE, "cannot answer DNS questions at %s port %u: %s; %s",
                   address, (unsigned)options->port, strerror(-error), step);
}

static void on_datagram(void *ctx, int fd, int events) {
    struct wrn_dns_server *server = ctx;
    (void)fd;
    (void)events;
    for (int i = 0; i < DATAGRAMS_PER_WAKE; i++) {
        struct pending query = {0};
        if (!receive(server, &query)) {
            return;
        }
        if (query.size > 0) {
            take(server, &query);
        }
    }
}

/* Reads one; its size is 0 if it is not to be answered. False: none is there. */
static bool receive(struct wrn_dns_server *server, struct pending *ret_query) {
    struct pending *query = ret_query;
    _Alignas(struct cmsghdr) uint8_t control[CONTROL_SIZE];
    struct iovec piece = {.iov_base = query->query, .iov_len = sizeof query->query};
    struct msghdr message = {.msg_name = &query->from,
                             .msg_namelen = sizeof query->from,
                             .msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    ssize_t size = recvmsg(server->udp, &message, 0);
    if (size < 0) {
        return false;
    }
    uint32_t interface = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            interface = (uint32_t)info.ipi_ifindex;
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            interface = info.ipi6_ifindex;
        }
    }
    server->counts.queries++;
    query->from_size = message.msg_namelen;
    if (!is_welcome(server, interface, &query->from)) {
        server->counts.refused++;
    } else if ((message.msg_flags & MSG_TRUNC) == 0) {
        query->size = (size_t)size;
    }
    return true;
}

/* Whoever is on this host, and who comes through the tunnel. An address of ours is reached from the
 * LAN as well, by who knows it; that host has nothing to ask here. */
static bool is_welcome(const struct wrn_dns_server *server, uint32_t interface,
                       const union address *from) {
    return interface == LOOPBACK_INDEX || interface == server->options.interface || is_local(from);
}

/* The kernel lets nobody bind an address that is not the host's. */
static bool is_local(const union address *address) {
    union address bound = *address;
    bool is_ipv4 = address->any.sa_family == AF_INET;
    WRN_CLEANUP(wrn_close_fd)
    int fd = socket(address->any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (is_ipv4) {
        bound.ipv4.sin_port = 0;
    } else {
        bound.ipv6.sin6_port = 0;
    }
    return fd >= 0 && bind(fd, &bound.any, is_ipv4 ? sizeof bound.ipv4 : sizeof bound.ipv6) == 0;
}

/* Answers to an address of the network leave through the tunnel: who only says that he is there
 * gets none, and so has no connection. */
static bool is_member(const struct wrn_dns_server *server, const union address *address) {
    const struct wrn_dns_zone *zone = &server->options.zone;
    if (address->any.sa_family == AF_INET) {
        return is_within(&zone->ipv4, WRN_FAMILY_IPV4, (const uint8_t *)&address->ipv4.sin_addr);
    }
    const uint8_t *bytes = address->ipv6.sin6_addr.s6_addr;
    return is_within(&zone->ipv6, WRN_FAMILY_IPV6, bytes) || wrn_hit_is_eddsa(bytes);
}

static bool is_within(const struct wrn_prefix *range, int family, const uint8_t *bytes) {
    bool is_in = range->ip.family == family;
    for (size_t bit = 0; is_in && bit < range->length_bits; bit++) {
        is_in = ((range->ip.bytes[bit / 8] ^ bytes[bit / 8]) & 0x80 >> bit % 8) == 0;
    }
    return is_in;
}

/* Answers a query, or keeps it until its answer comes. */
static void take(struct wrn_dns_server *server, struct pending *query) {
    struct asking asking = {.server = server};
    struct pending *place = free_pending(server);
    if (place != NULL) {
        server->last_token = server->last_token % UINT32_MAX + 1; /* never 0 */
        asking.token = server->last_token;
    } else {
        server->counts.overloads++;
    }
    enum wrn_dns_outcome outcome = answer_query(server, &asking, query);
    if (outcome == WRN_DNS_PENDING) {
        WRN_ASSERT(place != NULL); /* without, the lookup says BUSY */
        *place = *query;
        place->token = asking.token;
        if (query->stream != NULL) {
            query->stream->is_waiting = true;
        }
    } else if (query->stream != NULL && outcome == WRN_DNS_SILENCE) {
        drop(query->stream);
    }
}

static void ask(void *ctx, const struct wrn_names_question *question,
                struct wrn_names_answer *ret_answer) {
    const struct asking *asking = ctx;
    const struct wrn_dns_server_options *options = &asking->server->options;
    if (asking->answer != NULL) {
        *ret_answer = *asking->answer;
    } else if (asking->token == 0) {
        *ret_answer = (struct wrn_names_answer){.found = WRN_NAMES_BUSY};
    } else {
        options->ask(options->ctx, question, asking->token, ret_answer);
    }
}

/* Sends the reply if there is one. SILENCE: for a stream, also that it could not be sent. */
static enum wrn_dns_outcome answer_query(struct wrn_dns_server *server, const struct asking *asking,
                                         const struct pending *query) {
    uint8_t reply[LENGTH_SIZE + WRN_DNS_REPLY_MAX];
    size_t size = 0;
    struct asking copy = *asking;
    const struct wrn_dns_lookup lookup = {.ctx = &copy, .ask = ask};
    struct stream *stream = query->stream;
    enum wrn_dns_outcome outcome =
        wrn_dns_answer(&server->options.zone, &lookup, (wrn_span){query->query, query->size},
                       stream != NULL, reply + LENGTH_SIZE, WRN_DNS_REPLY_MAX, &size);
    if (outcome != WRN_DNS_REPLY) {
        return outcome;
    }
    server->counts.replies++;
    if (stream == NULL) { /* what is lost is asked again */
        (void)sendto(server->udp, reply + LENGTH_SIZE, size, MSG_DONTWAIT | MSG_NOSIGNAL,
                     &query->from.any, query->from_size);
        return outcome;
    }
    reply[0] = (uint8_t)(size >> 8);
    reply[1] = (uint8_t)size;
    bool is_sent = stream->server != NULL && write_stream(stream, reply, LENGTH_SIZE + size);
    return is_sent ? outcome : WRN_DNS_SILENCE;
}

static struct pending *free_pending(struct wrn_dns_server *server) {
    return find_pending(server, 0);
}

static struct pending *find_pending(struct wrn_dns_server *server, uint32_t token) {
    for (size_t i = 0; i < WRN_DNS_PENDING_MAX; i++) {
        if (server->pending[i].token == token) {
            return &server->pending[i];
        }
    }
    return NULL;
}

/* ---- Streams ---- */

static void on_connection(void *ctx, int fd, int events) {
    struct wrn_dns_server *server = ctx;
    union address from = {.any = {.sa_family = AF_UNSPEC}};
    socklen_t size = sizeof from;
    (void)events;
    WRN_CLEANUP(wrn_close_fd)
    int client = accept4(fd, &from.any, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client < 0) {
        return;
    }
    if (!is_local(&from) && !is_member(server, &from)) {
        server->counts.refused++;
        return;
    }
    struct stream *stream = free_stream(server);
    *stream = (struct stream){
        .server = server, .fd = wrn_take_fd(&client), .used_ms = uv_now(server->options.loop)};
    server->stream_count++;
    int error = wrn_watch_open(server->options.loop, stream->fd, WRN_WATCH_READ, on_stream, stream,
                               &stream->watch);
    if (error != 0) {
        drop(stream);
        return;
    }
    (void)uv_timer_start(&server->timers->tick, on_tick, TICK_MS, TICK_MS);
}

/* The one that has been idle for longest gives way. */
static struct stream *free_stream(struct wrn_dns_server *server) {
    struct stream *oldest = &server->streams[0];
    for (size_t i = 0; i < WRN_DNS_STREAMS_MAX; i++) {
        struct stream *stream = &server->streams[i];
        if (stream->server == NULL) {
            return stream;
        }
        oldest = stream->used_ms < oldest->used_ms ? stream : oldest;
    }
    drop(oldest);
    return oldest;
}

static void on_stream(void *ctx, int fd, int events) {
    struct stream *stream = ctx;
    (void)events;
    ssize_t got = recv(fd, stream->bytes + stream->size, sizeof stream->bytes - stream->size, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got <= 0) {
        drop(stream);
        return;
    }
    stream->size += (size_t)got;
    stream->used_ms = uv_now(stream->server->options.loop);
    proceed(stream);
}

/* Takes in the next query if it is whole and none is under way. */
static void proceed(struct stream *stream) {
    struct wrn_dns_server *server = stream->server;
    while (stream->server != NULL && !stream->is_waiting && stream->size >= LENGTH_SIZE) {
        size_t size = (size_t)stream->bytes[0] << 8 | stream->bytes[1];
        if (size > WRN_DNS_QUERY_MAX || size == 0) {
            drop(stream);
            return;
        }
        if (stream->size < LENGTH_SIZE + size) {
            break;
        }
        struct pending query = {.stream = stream, .size = size};
        memcpy(query.query, stream->bytes + LENGTH_SIZE, size);
        stream->size -= LENGTH_SIZE + size;
        memmove(stream->bytes, stream->bytes + LENGTH_SIZE + size, stream->size);
        server->counts.queries++;
        take(server, &query);
    }
    if (stream->server != NULL) {
        wrn_watch_set(stream->watch, stream->is_waiting ? 0 : WRN_WATCH_READ);
    }
}

/* A socket that does not even take one reply has a reader who does not read. */
static bool write_stream(struct stream *stream, const uint8_t *reply, size_t size) {
    stream->used_ms = uv_now(stream->server->options.loop);
    return send(stream->fd, reply, size, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)size;
}

static void drop(struct stream *stream) {
    struct wrn_dns_server *server = stream->server;
    for (size_t i = 0; i < WRN_DNS_PENDING_MAX; i++) {
        if (server->pending[i].stream == stream) {
            server->pending[i].token = 0;
            server->pending[i].stream = NULL;
        }
    }
    wrn_watch_close(stream->watch);
    wrn_close_fd(&stream->fd);
    *stream = (struct stream){.fd = -1};
    if (--server->stream_count == 0) {
        (void)uv_timer_stop(&server->timers->tick);
    }
}

static void on_tick(uv_timer_t *timer) {
    struct wrn_dns_server *server = timer->data;
    uint64_t now_ms = uv_now(server->options.loop);
    for (size_t i = 0; i < WRN_DNS_STREAMS_MAX; i++) {
        struct stream *stream = &server->streams[i];
        bool is_idle = now_ms - stream->used_ms >= (uint64_t)WRN_DNS_STREAM_IDLE_S * 1000;
        if (stream->server != NULL && !stream->is_waiting && is_idle) {
            drop(stream);
        }
    }
}

static void on_wake(uv_timer_t *timer) {
    struct wrn_dns_server *server = timer->data;
    for (size_t i = 0; i < WRN_DNS_STREAMS_MAX; i++) {
        struct stream *stream = &server->streams[i];
        if (stream->server != NULL && !stream->is_waiting) {
            proceed(stream);
        }
    }
}

static void on_timer_closed(uv_handle_t *handle) {
    struct timers *timers = handle->data;
    if (--timers->open == 0) {
        free(timers);
    }
}
