/* SPDX-License-Identifier: Apache-2.0 */
/* Relays: forwards sealed frames between two peers that cannot reach one another, and finds nodes
 * that do so for us. What is forwarded is sealed end to end; a relay reads nothing. Layouts, states
 * and limits are in docs/ring/relay.md. */
#pragma once
#include "base/arena.h"
#include "base/clock.h"
#include "base/pool.h"
#include "base/rand.h"
#include "overlay/links.h"
#include "overlay/paths.h"
#include "overlay/reason.h"

/* What the machine calls; none may call back into it. 'ready', 'lost' and 'none' are called from
 * wrn_relay_on_message, on_want_done and on_time alone (due() is in the past when there is
 * something to tell): all others may be called from a callback of another machine. */
struct wrn_relay_port {
    void *ctx;
    /* Sends a message of kind RELAY to a peer with a link. */
    void (*send)(void *ctx, wrn_handle peer, wrn_span message);
    /* Sends a frame (RELAYED header and what it carries) as it is on the peer's direct way. */
    void (*forward)(void *ctx, wrn_handle peer, wrn_span header, wrn_span inside);
    /* Asks for an overlap link to a node that may relay; answered by wrn_relay_on_want_done. It is
     * kept until keep(false). */
    void (*want)(void *ctx, uint32_t tag, wrn_id relay);
    /* A link is needed as a relay, or not any more. */
    void (*keep)(void *ctx, wrn_handle peer, bool is_needed);
    /* A relay to 'peer' is ready (may be said again), is lost, or a whole round of search found
     * none; the search goes on by itself. */
    void (*ready)(void *ctx, wrn_handle peer, const struct wrn_way *way);
    void (*lost)(void *ctx, wrn_handle peer, const struct wrn_way *way);
    void (*none)(void *ctx, wrn_handle peer, enum wrn_reason reason);
    /* Returns the peer with this place, NONE if there is none; whether it has a direct way. */
    wrn_handle (*find)(void *ctx, wrn_id id, bool *ret_is_direct);
};

struct wrn_relay_options {
    bool relays;           /* forward for others: at first, see wrn_relay_set_relays */
    bool asks_right;       /* none is used before wrn_relay_set_right says that it may */
    uint32_t forwards_max; /* pairs that we forward between */
    uint32_t uses_max;     /* peers that we reach by relays */
    uint32_t bytes_per_s;  /* of one pair, both ways together; 0: no limit */
    uint32_t peers_max;    /* handles of peers have an index below; 1..65535, as uses_max */
};

/* X(NAME, name) */
#define WRN_RELAY_COUNT_LIST(X)                                                                    \
    X(FORWARDED, forwarded)                                                                        \
    X(FORWARDED_BYTES, forwarded_bytes)                                                            \
    X(UNKNOWN_SLOT, unknown_slot)                                                                  \
    X(WRONG_PEER, wrong_peer)         /* a slot that is not the sender's */                        \
    X(STRANGER, stranger)             /* a frame from where no peer is reached */                  \
    X(MALFORMED, malformed)           /* frames and messages */                                    \
    X(NOT_FOR_RELAYS, not_for_relays) /* what is inside is of a kind that relays do not carry */   \
    X(RATE, rate)                     /* frames beyond a pair's bytes, messages too often */       \
    X(REFUSED, refused)               /* asked to relay, and did not */                            \
    X(IGNORED_OFFER, ignored_offer)   /* to somebody who is no peer, or too many */

enum wrn_relay_count {
#define X(upper, lower) WRN_RELAY_COUNT_##upper,
    WRN_RELAY_COUNT_LIST(X)
#undef X
        WRN_RELAY_COUNTS
};

struct wrn_relay;

/* Builds the machine; NULL while the arena measures. */
struct wrn_relay *wrn_relay_init(struct wrn_arena *arena, const struct wrn_relay_options *options,
                                 struct wrn_links *links, struct wrn_relay_port port,
                                 struct wrn_rand rand);

/* Looks for a relay to 'peer', which has the place 'id' and named these relays in its locator
 * (copied; those beyond WRN_LOCATOR_RELAYS_MAX are ignored): a common one first, best latency
 * first, else some of ours that may know the peer, else an overlap link to one of the peer's. Goes
 * on until it is told to forget. Asking again while it looks, or has one, is fine: a relay that is
 * ready is said to be so again. Returns NONE, or FULL: uses_max peers are relayed. */
enum wrn_reason wrn_relay_search(struct wrn_relay *relay, wrn_mono now, wrn_handle peer, wrn_id id,
                                 const wrn_id *their_relays, size_t count);

/* The peer is reached directly, or is gone: let go of its relays. What is under way is still taken
 * for some seconds, as long as port.find gives the same peer. */
void wrn_relay_forget(struct wrn_relay *relay, wrn_mono now, wrn_handle peer);

/* Pings by this way stay unanswered: the relay grants, but does not forward. It is closed, avoided
 * for this peer for 5 minutes while there are others, and the next one is looked for at once.
 * 'lost' is not called. Searching again while nothing came by a relay for 3 seconds says the
 * same. */
void wrn_relay_on_bad(struct wrn_relay *relay, wrn_mono now, wrn_handle peer,
                      const struct wrn_way *way);

/* A frame was sent by this way (kind RELAY): saves a message that keeps the slot. O(1). */
void wrn_relay_on_sent(struct wrn_relay *relay, wrn_mono now, const struct wrn_way *way);

/* The answer to port.want: NONE and the peer, which has a link, or why there is none. */
void wrn_relay_on_want_done(struct wrn_relay *relay, wrn_mono now, uint32_t tag, wrn_handle peer,
                            enum wrn_reason reason);

/* A message of kind RELAY from a peer with a link. */
void wrn_relay_on_message(struct wrn_relay *relay, wrn_mono now, wrn_handle peer, wrn_span message);

/* A frame RELAYED that came from where 'from' is reached directly (NONE: from an unknown address,
 * dropped and counted). If it is for us, returns the peer whose it is and what is inside, and sets
 * the way that it came by; else forwards it or drops it and returns WRN_HANDLE_NONE. */
wrn_handle wrn_relay_on_frame(struct wrn_relay *relay, wrn_mono now, wrn_handle from,
                              wrn_span frame, wrn_span *ret_inside, struct wrn_way *ret_way);

/* Tells whether this peer and we call something by this slot: then a frame of it is ours to take or
 * to forward. */
bool wrn_relay_has_slot(const struct wrn_relay *relay, wrn_handle from, uint64_t slot);

/* A peer that may be a relay, or may be relayed by us, is gone, or its way is not direct any more:
 * what went through us to it, and through it, is lost. Called before its handle dies. */
void wrn_relay_on_peer_down(struct wrn_relay *relay, wrn_mono now, wrn_handle peer);

/* Writes the places of direct links to nodes that relay, for our locator: those that anybody
 * reaches first, among them best latency first. */
size_t wrn_relay_list(const struct wrn_relay *relay, wrn_id *ret_ids, size_t capacity);

/* Tells whether somebody is reached through the peer, by us, or the peer through us. O(1). */
bool wrn_relay_is_used(const struct wrn_relay *relay, wrn_handle peer);

/* The peer's locator says whether it relays. Nobody does before it is said. */
void wrn_relay_set_willing(struct wrn_relay *relay, wrn_handle peer, bool is_willing);

/* Whether the peer may relay at all, where that is asked (asks_right): nobody may before it is
 * said. When it may no longer, what goes through it is lost, and others are looked for. What is
 * said of a peer that is gone is passed over. */
void wrn_relay_set_right(struct wrn_relay *relay, wrn_mono now, wrn_handle peer, bool may_relay);

/* Whether we forward for others from now on. When not any more, all pairs are closed. */
void wrn_relay_set_relays(struct wrn_relay *relay, bool relays);

/* How hard it is to reach the peer, by its NAT: 0 not at all, 255 hardly. */
void wrn_relay_set_effort(struct wrn_relay *relay, wrn_handle peer, uint8_t effort);

/* Time. */
void wrn_relay_on_time(struct wrn_relay *relay, wrn_mono now);
wrn_mono wrn_relay_due(const struct wrn_relay *relay);

/* Returns a counter. */
uint64_t wrn_relay_count(const struct wrn_relay *relay, enum wrn_relay_count count);
