/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the streams share: the table, and one stream. Nobody else includes it. */
#pragma once
#include "daemon/stream_tls.h"
#include "daemon/streams.h"
#include "io/stream.h"

enum wrn_stream_state { WRN_STREAM_CONNECTS, WRN_STREAM_SHAKES, WRN_STREAM_OPEN };

struct wrn_stream {
    int fd;
    uint32_t index, generation; /* its place in the table, and the how manieth there */
    uint16_t socket;            /* WRN_SOCKET_... */
    uint8_t state;              /* enum wrn_stream_state */
    bool is_proven;             /* a peer is at the other end, as the ring found */
    bool is_dead;               /* to be closed as soon as nobody stands in it, because of: */
    uint8_t why;                /* enum wrn_streams_refusal */
    uint32_t events;            /* that are waited for */
    struct wrn_endpoint remote;
    struct wrn_ip local;
    wrn_mono begun, used, moved; /* 'moved': bytes went out, or nothing waited */
    struct wrn_tls *tls;         /* NULL: TCP alone */
    struct wrn_stream_reader reader;
    struct wrn_stream_queue urgent, user;
    uint32_t out_used, out_sent;
    uint8_t out[WRN_STREAM_GATHER_BYTES];
    uint8_t urgent_bytes[WRN_STREAM_FIRST_BYTES];
    uint8_t user_bytes[WRN_STREAM_QUEUE_BYTES];
};

enum { WRN_STREAM_LISTENERS = 4 }; /* TCP by IPv4, IPv6; TLS by IPv4, IPv6 */

struct wrn_streams {
    int epoll_fd;
    wrn_streams_fn on_datagram;
    wrn_streams_inside_fn is_inside; /* NULL: nothing is */
    void *ctx;
    struct wrn_tls_maker *maker; /* NULL until it is needed */
    struct wrn_stream *table[WRN_STREAMS_MAX];
    uint32_t generations[WRN_STREAMS_MAX];
    uint32_t opened, taken;
    struct wrn_stream *last;             /* that was sent on */
    int listeners[WRN_STREAM_LISTENERS]; /* -1: closed */
    uint16_t ports[2];
    wrn_mono second;    /* the one in which ... */
    uint32_t in_second; /* so many were taken */
    bool is_paused;     /* no descriptors are left: nothing is taken until the next second */
    uint64_t refused[WRN_STREAMS_REFUSALS];
    uint8_t room[WRN_STREAM_GATHER_BYTES];
};

/* ---- streams_one.c ---- */

/* Reads and writes as much as a turn allows. */
void wrn_stream_on_ready(struct wrn_streams *streams, struct wrn_stream *stream);

/* Puts a datagram into the line. */
void wrn_stream_send(struct wrn_streams *streams, struct wrn_stream *stream, wrn_span bytes);

/* Waits for these events (EPOLLIN, EPOLLOUT). */
void wrn_stream_watch(struct wrn_streams *streams, struct wrn_stream *stream, uint32_t events);

/* It is to be closed. */
void wrn_stream_fail(struct wrn_stream *stream, enum wrn_streams_refusal why);

/* Notes what the deadlines say about it. */
void wrn_stream_on_time(struct wrn_stream *stream, wrn_mono now);

/* ---- streams.c ---- */

/* The maker of TLS streams, made when it is first needed; NULL: no memory. */
struct wrn_tls_maker *wrn_streams_maker(struct wrn_streams *streams);
