/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes the ring: which links this node wants, which it lets go, whether it is connected, how many
 * nodes there are. Finds neighbours, chooses shortcuts, mends and merges. Makes no links itself: it
 * asks for them. */
#pragma once
#include "base/arena.h"
#include "base/clock.h"
#include "base/rand.h"
#include "overlay/links.h"
#include "overlay/reason.h"
#include "overlay/route.h"

/* A link that the ring asks for. It is answered once by wrn_ring_on_want_done. */
struct wrn_want {
    uint32_t tag; /* the ring's */
    enum wrn_link_kind kind;
    enum wrn_route_mode mode; /* to whom: EXACT, or NEAREST (with not_source), LEFT, RIGHT */
    wrn_id target;
    uint8_t steps;
    wrn_handle first; /* the link that the request must begin with; NONE: any */
};

/* X(NAME, "text"). ALONE has no deadline: whoever owns the ring looks for a first link. JOINING
 * looks again every 20 s at the latest; CONNECTED every 5 minutes. */
#define WRN_RING_STATE_LIST(X)                                                                     \
    X(ALONE, "no link")                                                                            \
    X(JOINING, "looking for its neighbours")                                                       \
    X(CONNECTED, "its neighbours agree that nobody lies between")

enum wrn_ring_state {
#define X(name, text) WRN_RING_STATE_##name,
    WRN_RING_STATE_LIST(X)
#undef X
};

/* X(NAME, name): what the ring did and met. */
#define WRN_RING_COUNT_LIST(X)                                                                     \
    X(WANTS, wants)         /* links that were asked for */                                        \
    X(WANTS_FAILED, failed) /* ... and not had */                                                  \
    X(STATUS_SENT, status_sent)                                                                    \
    X(ASKS_SENT, asks_sent)                                                                        \
    X(AUDITS, audits)         /* looks whether somebody nearer is about */                         \
    X(SPLITS, splits)         /* met a member of another ring between settled neighbours */        \
    X(ABSENT, absent)         /* places that were told of, where nobody answers */                 \
    X(DISTRUSTED, distrusted) /* peers that told of too many of those */                           \
    X(MALFORMED, malformed)   /* messages that do not follow their format */                       \
    X(UNASKED, unasked)       /* answers to nothing that was asked, or too late */

enum wrn_ring_count {
#define X(upper, lower) WRN_RING_COUNT_##upper,
    WRN_RING_COUNT_LIST(X)
#undef X
        WRN_RING_COUNTS
};

/* What the machine calls; none may call back into it, but 'found', which comes last. */
struct wrn_ring_port {
    void *ctx;
    void (*want)(void *ctx, const struct wrn_want *want);
    /* What we want the link to 'peer' for has changed; 0: nothing any more. The table says it
     * already ('mine'). */
    void (*keep)(void *ctx, wrn_handle peer, uint8_t kinds);
    void (*send)(void *ctx, wrn_handle peer, wrn_span message);
    /* Routes a payload of kind FIND. */
    enum wrn_reason (*route)(void *ctx, const struct wrn_route_header *header, wrn_handle first,
                             wrn_span payload);
    /* Our near neighbours changed: the number goes with every ping, so that others ask. */
    void (*epoch)(void *ctx, uint32_t epoch);
    void (*state)(void *ctx, enum wrn_ring_state state);
    /* A near neighbour came or went: who holds what may have changed. */
    void (*neighbours)(void *ctx);
    /* One more node of a crawl, in the order of the ring, ourselves first; is_last: the crawl ended
     * with it. Reason NONE: the circle is closed; FULL: 'limit' nodes; else what stopped it. */
    void (*found)(void *ctx, uint32_t tag, wrn_id id, bool is_last, enum wrn_reason reason);
};

struct wrn_ring_options {
    bool wants_shortcuts;      /* false for tests without them */
    uint32_t on_demand_idle_s; /* an on-demand link without traffic for so long is let go */
    uint32_t crawls_max;
};

struct wrn_ring;

/* Builds the machine; NULL while the arena measures. The ring writes 'mine', views and epochs of
 * links; nobody else does. */
struct wrn_ring *wrn_ring_init(struct wrn_arena *arena, const struct wrn_ring_options *options,
                               struct wrn_links *links, struct wrn_ring_port port,
                               struct wrn_rand rand, wrn_mono now);

/* A link came up and is in the table ('theirs', 'rtt_us', 'is_relayed' are set, 'since' by now);
 * went, and is not in the table any more; or its rtt, is_relayed or theirs changed. One that we
 * made without the ring's asking (to a bootstrap node) has LEAF in 'mine', or nothing in both. Link
 * up tells the peer at once how our neighbourhood looks. */
void wrn_ring_on_link_up(struct wrn_ring *ring, wrn_mono now, wrn_handle peer);
void wrn_ring_on_link_down(struct wrn_ring *ring, wrn_mono now, wrn_handle peer, wrn_id id);
void wrn_ring_on_link_change(struct wrn_ring *ring, wrn_mono now, wrn_handle peer);

/* A ping or pong of the peer carried its epoch: if it is news, its status is asked for. */
void wrn_ring_on_epoch(struct wrn_ring *ring, wrn_mono now, wrn_handle peer, uint32_t epoch);

/* The answer to a want: a peer with a link (the table has it; it may have been there before), or
 * WRN_HANDLE_NONE and why. 'id' is who answered, if anybody did. */
void wrn_ring_on_want_done(struct wrn_ring *ring, wrn_mono now, uint32_t tag, wrn_handle peer,
                           wrn_id id, enum wrn_reason reason);

/* A STATUS or STATUS_ASK of a peer with a link. */
void wrn_ring_on_message(struct wrn_ring *ring, wrn_mono now, wrn_handle peer, wrn_span message);

/* A routed payload of kind FIND that was delivered here. */
void wrn_ring_on_payload(struct wrn_ring *ring, wrn_mono now, const struct wrn_route_header *header,
                         wrn_handle from, wrn_span payload);

/* A FIND payload that began here did not reach its target. */
void wrn_ring_on_undelivered(struct wrn_ring *ring, wrn_mono now, enum wrn_reason reason,
                             wrn_span payload);

/* A node that may belong to another part of the ring was met again by this link: look whether it
 * knows better neighbours. (On LEAF links the ring does so by itself.) */
void wrn_ring_look_through(struct wrn_ring *ring, wrn_mono now, wrn_handle peer);

/* User traffic flowed to or from the peer: keeps, or makes, it an on-demand link. */
void wrn_ring_on_traffic(struct wrn_ring *ring, wrn_mono now, wrn_handle peer);

/* Walks the ring in the order of ids, from this node on, at most 'limit' nodes (>= 1), ourselves
 * first: each is asked for its neighbours, so those that are reported answer. One question is under
 * way at a time; who is silent five times is stepped over. Ends with port.found(is_last). Returns
 * NONE, FULL, or NOT_CONNECTED. */
enum wrn_reason wrn_ring_crawl(struct wrn_ring *ring, wrn_mono now, uint32_t tag, uint32_t limit);

/* Gives up the crawls with this tag, if there are any: 'found' is not called for them any more. Who
 * calls it in 'found' begins no other one there. */
void wrn_ring_crawl_stop(struct wrn_ring *ring, uint32_t tag);

/* Time. */
void wrn_ring_on_time(struct wrn_ring *ring, wrn_mono now);
wrn_mono wrn_ring_due(const struct wrn_ring *ring);

/* Questions. */
enum wrn_ring_state wrn_ring_state(const struct wrn_ring *ring);
uint64_t wrn_ring_size(const struct wrn_ring *ring); /* estimate of the nodes, itself included */

/* Tells whether a link that a node with place 'id' wants for 'kind' may be made: near ones as long
 * as there is any room, shortcuts and newcomers leave some for these; shortcuts to us have a bound.
 * Links for users and to relays are not refused for want of room: who asks makes some. */
bool wrn_ring_accepts(const struct wrn_ring *ring, enum wrn_link_kind kind, wrn_id id);

/* Returns a counter. */
uint64_t wrn_ring_count(const struct wrn_ring *ring, enum wrn_ring_count count);
