/* SPDX-License-Identifier: Apache-2.0 */
/* One stream: connecting, reading, writing, its deadlines. Never blocks, and does a bounded amount
 * in a turn. */
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/relayed.h"
#include "daemon/streams_internal.h"
#include "io/clock.h"
#include "overlay/limits.h"

enum {
    READS_MAX = 4, /* of a turn: 64 KiB */
    WRITES_MAX = 8,
    CONNECT_S = 5, /* until it is open, without TLS */
    SHAKE_S = 10,  /* ... with it */
    SLOW_S = 20,
    WG_DATA = 4,
};

static void advance(struct wrn_streams *streams, struct wrn_stream *stream);
static void finish_connect(struct wrn_streams *streams, struct wrn_stream *stream);
static void read_some(struct wrn_streams *streams, struct wrn_stream *stream);
static void hand_out(struct wrn_streams *streams, struct wrn_stream *stream, wrn_span input);
static void write_some(struct wrn_streams *streams, struct wrn_stream *stream);
static int read_once(struct wrn_streams *streams, struct wrn_stream *stream);
static int write_once(struct wrn_streams *streams, struct wrn_stream *stream);
static bool waits(const struct wrn_stream *stream);
static bool is_user_packet(wrn_span bytes);

void wrn_stream_on_ready(struct wrn_streams *streams, struct wrn_stream *stream) {
    if (stream->state != WRN_STREAM_OPEN) {
        advance(streams, stream);
    }
    if (stream->state == WRN_STREAM_OPEN && !stream->is_dead) {
        read_some(streams, stream);
    }
    if (stream->state == WRN_STREAM_OPEN && !stream->is_dead) {
        write_some(streams, stream);
    }
}

void wrn_stream_send(struct wrn_streams *streams, struct wrn_stream *stream, wrn_span bytes) {
    bool is_user = is_user_packet(bytes);
    struct wrn_stream_queue *queue = is_user ? &stream->user : &stream->urgent;
    if (!waits(stream)) {
        stream->moved = wrn_clock_read().mono;
    }
    streams->refused[is_user ? WRN_STREAMS_PACKET : WRN_STREAMS_MESSAGE] +=
        wrn_stream_put(queue, bytes);
    if (stream->state == WRN_STREAM_OPEN) {
        wrn_stream_watch(streams, stream, EPOLLIN | EPOLLOUT);
    }
}

void wrn_stream_watch(struct wrn_streams *streams, struct wrn_stream *stream, uint32_t events) {
    struct epoll_event wanted = {.events = events,
                                 .data.u64 = (uint64_t)stream->generation << 32 | stream->index};
    if (events != stream->events) {
        stream->events = events;
        if (epoll_ctl(streams->epoll_fd, EPOLL_CTL_MOD, stream->fd, &wanted) != 0) {
            wrn_stream_fail(stream, WRN_STREAMS_BROKEN);
        }
    }
}

void wrn_stream_fail(struct wrn_stream *stream, enum wrn_streams_refusal why) {
    if (!stream->is_dead) {
        stream->is_dead = true;
        stream->why = (uint8_t)why;
    }
}

void wrn_stream_on_time(struct wrn_stream *stream, wrn_mono now) {
    bool is_taken = stream->socket == WRN_SOCKET_TAKEN;
    uint64_t age_ns = wrn_mono_since(now, stream->begun);
    uint64_t open_ns = stream->tls != NULL ? WRN_S(SHAKE_S) : WRN_S(CONNECT_S);
    if (stream->state != WRN_STREAM_OPEN && age_ns > open_ns) {
        wrn_stream_fail(stream, is_taken ? WRN_STREAMS_UNPROVEN : WRN_STREAMS_CONNECT);
    } else if (is_taken && !stream->is_proven && age_ns > WRN_S(WRN_STREAMS_PROVE_S)) {
        wrn_stream_fail(stream, WRN_STREAMS_UNPROVEN);
    } else if (wrn_mono_since(now, stream->used) > WRN_S(WRN_STREAMS_UNUSED_S)) {
        wrn_stream_fail(stream, WRN_STREAMS_UNUSED);
    } else if (waits(stream) && wrn_mono_since(now, stream->moved) > WRN_S(SLOW_S)) {
        wrn_stream_fail(stream, WRN_STREAMS_SLOW);
    }
}

/* Goes on with what comes before the first datagram. */
static void advance(struct wrn_streams *streams, struct wrn_stream *stream) {
    bool wants_write = false;
    if (stream->state == WRN_STREAM_CONNECTS) {
        finish_connect(streams, stream);
    }
    if (stream->state == WRN_STREAM_SHAKES && !stream->is_dead) {
        int error = wrn_tls_shake(stream->tls, &wants_write);
        if (error == -EAGAIN) {
            wrn_stream_watch(streams, stream, wants_write ? EPOLLOUT : EPOLLIN);
        } else if (error != 0) {
            wrn_stream_fail(stream, stream->socket == WRN_SOCKET_TAKEN ? WRN_STREAMS_MALFORMED
                                                                       : WRN_STREAMS_CONNECT);
        } else {
            stream->state = WRN_STREAM_OPEN;
            stream->moved = wrn_clock_read().mono;
        }
    }
}

static void finish_connect(struct wrn_streams *streams, struct wrn_stream *stream) {
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
        wrn_stream_fail(stream, WRN_STREAMS_CONNECT);
        return;
    }
    stream->moved = wrn_clock_read().mono;
    stream->state = WRN_STREAM_OPEN;
    if (stream->socket == WRN_SOCKET_TLS) {
        stream->state = WRN_STREAM_SHAKES;
        if (wrn_streams_maker(streams) == NULL ||
            wrn_tls_create(streams->maker, stream->fd, false, &stream->tls) != 0) {
            wrn_stream_fail(stream, WRN_STREAMS_CONNECT);
        }
    }
}

static void read_some(struct wrn_streams *streams, struct wrn_stream *stream) {
    for (int i = 0; i < READS_MAX && !stream->is_dead; i++) {
        int got = read_once(streams, stream);
        if (got == -EAGAIN) {
            return;
        }
        if (got <= 0) {
            wrn_stream_fail(stream, got == -EPROTO ? WRN_STREAMS_MALFORMED : WRN_STREAMS_BROKEN);
            return;
        }
        hand_out(streams, stream, (wrn_span){streams->room, (size_t)got});
    }
}

/* Whoever is handed a datagram may send, which fails no other stream and frees none. */
static void hand_out(struct wrn_streams *streams, struct wrn_stream *stream, wrn_span input) {
    while (!stream->is_dead) {
        uint8_t *datagram = NULL;
        int size = wrn_stream_read(&stream->reader, &input, &datagram);
        if (size < 0) {
            wrn_stream_fail(stream, WRN_STREAMS_MALFORMED);
        }
        if (size <= 0) {
            return;
        }
        streams->on_datagram(streams->ctx, stream->socket, &stream->remote, datagram, (size_t)size);
    }
}

static void write_some(struct wrn_streams *streams, struct wrn_stream *stream) {
    for (int i = 0; i < WRITES_MAX; i++) {
        if (stream->out_sent == stream->out_used) {
            size_t size = wrn_stream_take(&stream->urgent, stream->out, sizeof stream->out);
            size += wrn_stream_take(&stream->user, stream->out + size, sizeof stream->out - size);
            stream->out_used = (uint32_t)size;
            stream->out_sent = 0;
        }
        if (stream->out_used == 0) {
            wrn_stream_watch(streams, stream, EPOLLIN);
            return;
        }
        int sent = write_once(streams, stream);
        if (sent == -EAGAIN) {
            break;
        }
        if (sent <= 0) {
            wrn_stream_fail(stream, WRN_STREAMS_BROKEN);
            return;
        }
        stream->out_sent += (uint32_t)sent;
        stream->moved = wrn_clock_read().mono;
    }
    wrn_stream_watch(streams, stream, EPOLLIN | EPOLLOUT);
}

/* Reads into the room that all share. */
static int read_once(struct wrn_streams *streams, struct wrn_stream *stream) {
    bool wants_write = false; /* without renegotiation it never does */
    if (stream->tls != NULL) {
        return wrn_tls_read(stream->tls, streams->room, sizeof streams->room, &wants_write);
    }
    ssize_t got = recv(stream->fd, streams->room, sizeof streams->room, 0);
    bool is_empty = got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
    return is_empty ? -EAGAIN : got <= 0 ? -EPIPE : (int)got;
}

static int write_once(struct wrn_streams *streams, struct wrn_stream *stream) {
    const uint8_t *bytes = stream->out + stream->out_sent;
    size_t size = stream->out_used - stream->out_sent;
    bool wants_write = true;
    (void)streams;
    if (stream->tls != NULL) {
        return wrn_tls_write(stream->tls, bytes, size, &wants_write);
    }
    ssize_t sent = send(stream->fd, bytes, size, MSG_NOSIGNAL);
    bool is_full = sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
    return is_full ? -EAGAIN : sent <= 0 ? -EPIPE : (int)sent;
}

static bool waits(const struct wrn_stream *stream) {
    return stream->out_sent < stream->out_used || stream->urgent.count > 0 ||
           stream->user.count > 0;
}

/* WireGuard's data, as it is or behind the head for a relay: the rest keeps the ways alive. */
static bool is_user_packet(wrn_span bytes) {
    bool is_relayed =
        bytes.data[0] == WRN_RELAYED_KIND && bytes.size > (size_t)WRN_RELAYED_OVERHEAD;
    return bytes.data[is_relayed ? WRN_RELAYED_OVERHEAD : 0] == WG_DATA;
}
