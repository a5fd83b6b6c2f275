/* SPDX-License-Identifier: Apache-2.0 */
/* Carries messages over the ring, link by link, each towards the place that it is for; broadcasts
 * that reach each node once; sums over all nodes. Each hop is acknowledged: what is not is sent
 * again, then by another link. Decides by the table of links alone; makes no links. */
#pragma once
#include "base/arena.h"
#include "base/clock.h"
#include "base/rand.h"
#include "overlay/links.h"
#include "overlay/reason.h"

enum wrn_route_mode {
    WRN_ROUTE_EXACT,   /* to the node at 'target', or nobody */
    WRN_ROUTE_NEAREST, /* to the node nearest to 'target' */
    WRN_ROUTE_LEFT,    /* 'steps' neighbours counter-clockwise of the first node */
    WRN_ROUTE_RIGHT,   /* ... clockwise */
};

struct wrn_route_header {
    wrn_id source; /* who began it: a claim, for those who cannot check it */
    wrn_id via;    /* a node with a link to the source, if the ring does not lead there yet; with
                    * 'to_via' one with a link to the target */
    wrn_id target; /* LEFT and RIGHT do not look at it */
    enum wrn_route_mode mode;
    bool has_via;
    bool to_via;       /* EXACT, has_via: goes to via first, which has a link to the target */
    bool not_source;   /* NEAREST: also when the source itself is nearest, somebody else */
    bool wants_trace;  /* undeliverable: tell the source (by an error that is routed back) */
    uint8_t steps;     /* LEFT and RIGHT: how many are left */
    uint8_t hops;      /* links that it took so far */
    uint8_t hop_limit; /* it dies when hops would exceed it; 0 when sending: the default */
};

/* X(NAME, name): what became of messages. */
#define WRN_ROUTE_COUNT_LIST(X)                                                                    \
    X(SENT, sent) /* begun here */                                                                 \
    X(FORWARDED, forwarded)                                                                        \
    X(DELIVERED, delivered)                                                                        \
    X(RETRIED, retried)     /* not acknowledged in time, sent again */                             \
    X(REROUTED, rerouted)   /* ... by another link */                                              \
    X(DUPLICATE, duplicate) /* came a second time */                                               \
    X(LOST, lost)           /* acknowledged by nobody */                                           \
    X(HOP_LIMIT, hop_limit)                                                                        \
    X(NOBODY, nobody)       /* EXACT, and nobody is there */                                       \
    X(UNWATCHED, unwatched) /* no room to keep it until it is acknowledged: sent once */           \
    X(SUM_FULL, sum_full)   /* no room to wait for the branches of a sum: answered for itself */   \
    X(LATE, late)           /* the answer of a branch that nobody waits for (any more) */          \
    X(STRANGER, stranger)   /* from a peer without a link */                                       \
    X(MALFORMED, malformed)

enum wrn_route_count {
#define X(upper, lower) WRN_ROUTE_COUNT_##upper,
    WRN_ROUTE_COUNT_LIST(X)
#undef X
        WRN_ROUTE_COUNTS
};

/* What the machine calls. None may call back into the machine, but 'deliver', 'undelivered' and
 * 'broadcast', which come last in an input and may send. Bytes are valid during the call. */
struct wrn_route_port {
    void *ctx;
    /* Sends a message to a peer that has a link, sealed, as a datagram. */
    void (*send)(void *ctx, wrn_handle peer, wrn_span message);
    /* The peer did not acknowledge twice: find out whether it lives. */
    void (*suspect)(void *ctx, wrn_handle peer);
    /* A message that is for us. 'from' is the link that it came by, NONE: from ourselves. */
    void (*deliver)(void *ctx, const struct wrn_route_header *header, wrn_handle from,
                    wrn_span payload);
    /* One that began here (wants_trace) ended elsewhere than at its target. */
    void (*undelivered)(void *ctx, const struct wrn_route_header *header, enum wrn_reason reason,
                        wrn_span payload);
    /* A broadcast came, once. */
    void (*broadcast)(void *ctx, wrn_id source, wrn_span payload);
    /* What this node adds to a sum that was asked for: up to 4 numbers. */
    void (*contribute)(void *ctx, wrn_span question, uint64_t ret_values[4]);
    /* A sum that was asked for here is complete, or its time is over ('nodes' says how many
     * answered; 'is_complete' that no branch was lost). */
    void (*sum)(void *ctx, uint32_t tag, const uint64_t values[4], uint64_t nodes,
                bool is_complete);
};

struct wrn_route_options {
    uint32_t watched_max;   /* messages that wait for an acknowledgement, 1..1024 */
    uint32_t watched_bytes; /* room for their bytes, all together */
    uint32_t sums_max;      /* sums under way through this node */
};

struct wrn_route; /* the machine; lives in memory from an arena */

/* Builds the machine; returns NULL while the arena measures. 'links' and the port's ctx outlive
 * it. */
struct wrn_route *wrn_route_init(struct wrn_arena *arena, const struct wrn_route_options *options,
                                 struct wrn_links *links, struct wrn_route_port port,
                                 struct wrn_rand rand);

/* Sends 'payload' (1..WRN_PAYLOAD_MAX bytes) on its way. 'source' and 'hops' are filled in; via
 * stays. 'first' is the link to begin with, NONE: the one that leads nearest. It may be delivered
 * to this very node, before the call returns. Returns WRN_REASON_NONE; NO_ROUTE without links;
 * NOBODY_THERE; TOO_LARGE. */
enum wrn_reason wrn_route_send(struct wrn_route *route, wrn_mono now,
                               const struct wrn_route_header *header, wrn_handle first,
                               wrn_span payload);

/* Returns the header of an answer to a message that was delivered with 'header': EXACT, to its
 * source, by the source's via if it has one. */
struct wrn_route_header wrn_route_reply(const struct wrn_route_header *header);

/* Sends to all nodes, once to each if the ring is consistent, not to this one. Same errors. */
enum wrn_reason wrn_route_broadcast(struct wrn_route *route, wrn_mono now, wrn_span payload);

/* Asks all nodes for numbers and adds them up, its own too; ends with port.sum. 'tag' is the
 * caller's. Same errors, and FULL. */
enum wrn_reason wrn_route_sum(struct wrn_route *route, wrn_mono now, uint32_t tag,
                              wrn_span question);

/* Takes a message of kind ROUTED, HOP_ACK, BROADCAST or SUM that 'peer', who has a link, sent. */
void wrn_route_on_message(struct wrn_route *route, wrn_mono now, wrn_handle peer, wrn_span message);

/* Something else came from the peer (a pong): it is not suspect any more. The machine itself sets
 * 'is_suspect', and clears it at an acknowledgement and at any message given to on_message. */
void wrn_route_on_heard(struct wrn_route *route, wrn_handle peer);

/* The link to 'peer' is gone: what waits for it takes another one. Call it after the table has lost
 * the link. */
void wrn_route_on_link_down(struct wrn_route *route, wrn_mono now, wrn_handle peer);

/* Time. */
void wrn_route_on_time(struct wrn_route *route, wrn_mono now);
wrn_mono wrn_route_due(const struct wrn_route *route);

/* Returns a counter. */
uint64_t wrn_route_count(const struct wrn_route *route, enum wrn_route_count count);

/* Returns the first byte of the payload of a ROUTED message that this node made (enum
 * wrn_payload_kind); 0 if it is none. */
uint8_t wrn_route_payload_kind(wrn_span message);
