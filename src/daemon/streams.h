/* SPDX-License-Identifier: Apache-2.0 */
/* Streams that carry datagrams where UDP does not get through: TCP, or what looks like TLS. Opens
 * and takes them, queues within bounds, closes what is silent, slow or none of ours. Sees first
 * bytes only; all that is inside is sealed by others. docs/protocol.md, Streams. */
#pragma once
#include "base/address.h"
#include "base/clock.h"

struct wrn_streams;

/* Called with each datagram that came; 'bytes' may be changed. May send. */
typedef void (*wrn_streams_fn)(void *ctx, uint16_t socket, const struct wrn_endpoint *from,
                               uint8_t *bytes, size_t size);

/* Whether this address of ours is in a network of ours: no stream goes by it. */
typedef bool (*wrn_streams_inside_fn)(void *ctx, const struct wrn_ip *local);

/* X(NAME, name): why a stream was refused or closed, or a datagram dropped. */
#define WRN_STREAMS_REFUSAL_LIST(X)                                                                \
    X(FULL, full)                 /* no more streams */                                            \
    X(ADDRESS_FULL, address_full) /* ... with that address */                                      \
    X(RATE, rate)                 /* too many in one second */                                     \
    X(UNPROVEN, unproven)         /* taken, and nobody proved to be a node in time */              \
    X(CONNECT, connect)           /* it could not be opened */                                     \
    X(MALFORMED, malformed)       /* what came was no datagrams, or no TLS */                      \
    X(UNUSED, unused)             /* no peer was reached by it for a while */                      \
    X(SLOW, slow)                 /* it took nothing for long, though something waited */          \
    X(BROKEN, broken)             /* the other end or the network ended it */                      \
    X(MOVED, moved)               /* our address is another one now */                             \
    X(INSIDE, inside)             /* it would go by a network of ours: tunnels do not */           \
    X(PACKET, packet)             /* an old user packet, for want of room */                       \
    X(MESSAGE, message)           /* an old message of the ring, for want of room */               \
    X(NO_STREAM, no_stream)       /* a datagram for a stream that is gone */

enum wrn_streams_refusal {
#define X(name, text) WRN_STREAMS_##name,
    WRN_STREAMS_REFUSAL_LIST(X)
#undef X
        WRN_STREAMS_REFUSALS
};

/* Returns the name of a counter; static text. */
const char *wrn_streams_refusal_name(enum wrn_streams_refusal refusal);

enum {
    WRN_STREAMS_MAX = 256,             /* all together */
    WRN_STREAMS_OPENED_MAX = 128,      /* ... that we opened */
    WRN_STREAMS_ADDRESS_MAX = 32,      /* ... that one address opened: many sit behind one NAT */
    WRN_STREAMS_UNPROVEN_MAX = 64,     /* ... of whom nobody knows yet who it is */
    WRN_STREAMS_UNPROVEN_ADDRESS = 16, /* ... from one address */
    WRN_STREAMS_PER_S = 64,            /* new ones that are taken in a second */
    WRN_STREAMS_PROVE_S = 10,          /* until a peer has to be known to be there */
    WRN_STREAMS_UNUSED_S = 30,         /* after it is no peer's way any more */
};

/* Makes an empty set. 'is_inside' NULL: no address is. Returns 0 or -errno. */
WRN_NODISCARD int wrn_streams_create(wrn_streams_fn on_datagram, wrn_streams_inside_fn is_inside,
                                     void *ctx, struct wrn_streams **ret_streams);
void wrn_streams_destroy(struct wrn_streams *streams); /* closes all; NULL is fine */

/* The descriptor that is readable when there is something to do; do some of it then. */
int wrn_streams_fd(const struct wrn_streams *streams);
void wrn_streams_run(struct wrn_streams *streams);

/* Looks for deadlines that have come by the clock: once a second or so. */
void wrn_streams_on_time(struct wrn_streams *streams, wrn_mono now);

/* Takes streams at a port of all addresses from now on, of TCP or of TLS, instead of the one of
 * before; 0: no more. Streams that there are stay. Returns 0, -EADDRINUSE, -EACCES, -ENOMEM or
 * another -errno; then none is taken. */
WRN_NODISCARD int wrn_streams_listen(struct wrn_streams *streams, bool is_tls, uint16_t port);

/* Sends a datagram (1..WRN_STREAM_DATAGRAM_MAX bytes), which waits for its turn. 'socket' is
 * WRN_SOCKET_TCP or _TLS (opened if it is not there yet) or _TAKEN. Returns 0, -ENOTCONN (_TAKEN,
 * and gone), -EMSGSIZE, -ENOBUFS (no more streams) or another -errno of opening one; all are
 * counted. */
WRN_NODISCARD int wrn_streams_send(struct wrn_streams *streams, uint16_t socket,
                                   const struct wrn_endpoint *to, wrn_span bytes);

/* A peer is reached by this stream: to be said once in WRN_STREAMS_UNUSED_S at least, else it ends.
 * One that is not there is fine. */
void wrn_streams_use(struct wrn_streams *streams, uint16_t socket, const struct wrn_endpoint *at);

/* The host has these addresses now: streams from others are closed. */
void wrn_streams_keep(struct wrn_streams *streams, const struct wrn_ip *ips, size_t count);

struct wrn_streams_facts {
    uint32_t opened, taken;                 /* that there are now */
    uint16_t tcp_port, tls_port;            /* where they are taken; 0: nowhere */
    uint64_t refused[WRN_STREAMS_REFUSALS]; /* since the start */
};

/* Writes what there is now. */
void wrn_streams_facts(const struct wrn_streams *streams, struct wrn_streams_facts *ret_facts);
