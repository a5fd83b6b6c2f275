/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the relay machine share: its state and its messages. Private to them. */
#pragma once
#include "base/dues.h"
#include "base/tick.h"
#include "overlay/relay.h"

/* Second byte of a message of kind RELAY. */
enum relay_op {
    RELAY_ASK = 1,     /* number, target: forward between us and the target */
    RELAY_OFFER = 2,   /* slot, asker: I forward between you and the asker */
    RELAY_GRANT = 3,   /* number, slot */
    RELAY_REFUSE = 4,  /* number, reason */
    RELAY_CLOSE = 5,   /* slot, reason */
    RELAY_KEEP = 6,    /* slot */
    RELAY_UNKNOWN = 7, /* slot: say again what it is, or that it is none */
};

enum {
    EDGES = 4,                         /* relays between us and one peer: */
    EDGES_OURS = 2,                    /* ... those that we asked for, */
    EDGES_THEIRS = EDGES - EDGES_OURS, /* ... that were offered to us */
    AVOIDED = 8,                       /* relays that are not asked now, for one peer */
    BLIND_ASKS = 4, /* nodes a round that are asked though the peer did not name them */
};

#define ASK_DEADLINE     WRN_S(1)     /* then another one is asked instead */
#define ASK_PATIENCE_MIN WRN_MS(200)  /* then another one is asked as well, if 3 RTT are over */
#define WANT_DEADLINE    WRN_S(5)     /* for an overlap link to come up */
#define ROUND_PAUSE_MIN  WRN_S(2)     /* between rounds that found nothing, doubled each time */
#define ROUND_PAUSE_MAX  WRN_S(60)    /* ... up to this */
#define KEEP_AFTER       WRN_S(25)    /* a slot that nothing was sent on */
#define PAIR_IDLE        WRN_S(90)    /* an end that says nothing for so long is gone */
#define UNUSED_OFFER     WRN_S(60)    /* an offered slot on which no frame ever came */
#define UNUSED_S         150u         /* any slot by which nothing comes, while another one works */
#define LINGER           WRN_S(5)     /* a forgotten peer's frames are still taken */
#define HASTY            WRN_S(10)    /* a relay that closes sooner is avoided for longer */
#define LINK_IDLE        WRN_S(60)    /* a link that no relay needs any more is kept */
#define SPARE_FIRST      WRN_S(15)    /* from a relay's coming to the search for a spare */
#define SPARE_LOOK       WRN_S(300)   /* ... which is looked after so often */
#define SPARE_PAUSE_MIN  WRN_S(60)    /* between attempts to find a second relay */
#define SPARE_PAUSE_MAX  WRN_S(960)   /* ... doubled up to this */
#define AVOID_LOST_S     3u           /* how long a relay is avoided that was lost, */
#define AVOID_HASTY_S    30u          /* ... that closed at once, */
#define AVOID_BAD_S      300u         /* ... that does not forward, as long as there are others */
#define QUIET_BAD_S      3u           /* asked for another one after so long: it does not forward */
#define AVOID_ROUND      (UINT32_MAX) /* ... that was asked in this round */

/* A token bucket, as the moment at which it is full again; zeroed it is full. */
struct bucket {
    wrn_mono full_at;
};

/* The handle of a peer in half the room; what is known of the peer (struct mate) has all of it. */
struct mate_ref {
    uint16_t index;
    uint16_t generation; /* low bits; 0: nobody */
};

/* What is known of a peer as an end or as a relay, by the index of its handle. */
struct mate {
    uint32_t generation; /* of the handle; 0: nobody */
    uint16_t use;        /* index + 1 of the use to reach it, 0: none */
    uint16_t holds;      /* slots and spares that need the link to it */
    uint16_t ends;       /* pairs that we forward with it at one end */
    uint16_t asked;      /* ... that it asked for */
    uint16_t offered;    /* slots that it offered and we took */
    uint8_t effort;      /* see wrn_relay_set_effort */
    bool is_willing : 1;
    bool has_right : 1;   /* asked only if options.asks_right */
    bool was_denied : 1;  /* it was said that it has not */
    bool is_kept : 1;     /* port.keep said so */
    uint32_t bad_until_s; /* did not forward for somebody lately: asked last */
    uint32_t idle_at_s;   /* when 'holds' became 0 */
    struct wrn_drip asks;
    struct wrn_drip unknowns;
};

/* Two peers that we forward between. */
struct forward {
    uint64_t slots[2];
    struct bucket bytes;
    struct mate_ref ends[2]; /* 0 asked */
    wrn_tick heard[2];
};

enum edge_state {
    EDGE_FREE,
    EDGE_ASKED, /* waits for an answer */
    EDGE_UP,
    EDGE_GONE, /* to be told, then free */
};

/* A relay between us and a peer. */
struct edge {
    union {
        uint64_t slot;   /* UP, GONE */
        uint32_t number; /* ASKED: of our request */
    };
    struct mate_ref relay;
    wrn_tick when;       /* ASKED: asked; UP: last sent */
    wrn_tick since;      /* ASKED: when patience ends; UP: when it came up */
    uint32_t relay_id;   /* low bits of its place, for 'avoided' */
    uint32_t quiet_s;    /* UP: since when nothing came by it, in seconds */
    uint8_t state;       /* enum edge_state */
    bool is_ours : 1;    /* else it was offered */
    bool is_heard : 1;   /* a frame came by it */
    bool is_new : 1;     /* UP: to be told */
    bool is_patient : 1; /* ASKED: no other one is asked yet */
};

struct avoided {
    uint32_t id;      /* low bits of a place */
    uint32_t until_s; /* of the monotonic clock; 0: free */
};

/* A peer that we reach by relays, or that reaches us so. */
struct use {
    struct edge edges[EDGES];
    struct avoided avoided[AVOIDED];
    wrn_id id;
    wrn_id theirs[WRN_LOCATOR_RELAYS_MAX];
    struct mate_ref peer;
    struct mate_ref spare; /* the link to it is held; nobody: none */
    wrn_tick want_deadline;
    wrn_tick next_round; /* while searching, with nothing under way */
    wrn_tick next_spare; /* when to look for a second relay */
    wrn_tick linger;     /* NEVER: not forgotten */
    uint32_t want_tag;   /* 0: none asked for */
    uint32_t want_id;
    uint8_t their_count;
    uint8_t blind_left;
    uint8_t pauses;       /* rounds that found nothing, one after the other */
    uint8_t spare_pauses; /* ... attempts for a spare */
    uint8_t lingers;      /* times that 'linger' was put off */
    uint8_t why;          /* enum wrn_reason: the most telling refusal of this round */
    bool is_searching : 1;
    bool is_in_round : 1;
    bool tells_none : 1;
    bool is_woken : 1; /* the next round begins at once */
};

/* Finds whom slots of both kinds belong to; the owners have them. Slots of different peers may be
 * equal. */
struct slots {
    uint16_t *owners; /* and 1; 0: free */
    uint64_t seed[2];
    uint32_t mask;
    uint32_t count;
};

struct wrn_relay {
    struct wrn_relay_options options;
    struct wrn_links *links;
    struct wrn_relay_port port;
    struct wrn_rand rand;
    struct mate *mates;
    struct wrn_pool forwards;
    struct wrn_pool uses;
    wrn_mono forward_due; /* no later than the earliest end of a forward */
    struct wrn_dues use_dues;
    struct slots slots;
    wrn_mono idle_due; /* earliest moment at which a mate's link may be let go */
    uint16_t serial;   /* of requests */
    uint64_t counts[WRN_RELAY_COUNTS];
};

/* ---- relay.c: what both sides need ---- */

/* Seconds of the monotonic clock. */
static inline uint32_t relay_seconds(wrn_mono now) {
    return (uint32_t)(now.ns / WRN_S(1));
}

/* Returns what is known of a peer; NULL if nothing is, or makes it. */
struct mate *relay_mate(const struct wrn_relay *relay, wrn_handle peer);
struct mate *relay_mate_make(struct wrn_relay *relay, wrn_handle peer);

/* Whether it may be asked to forward for us, if it has a direct link. */
bool relay_is_usable(const struct wrn_relay *relay, const struct mate *mate);

/* Shortens the handle of a peer that was given to relay_mate_make. */
static inline struct mate_ref relay_ref(wrn_handle peer) {
    return (struct mate_ref){(uint16_t)peer.index, (uint16_t)peer.generation};
}

/* Tells whether it is this peer's. */
static inline bool relay_is(struct mate_ref ref, wrn_handle peer) {
    return ref.index == peer.index && ref.generation == (uint16_t)peer.generation;
}

/* Makes it whole again. */
static inline wrn_handle relay_handle(const struct wrn_relay *relay, struct mate_ref ref) {
    uint32_t generation = relay->mates[ref.index].generation;
    bool is_there = (uint16_t)generation == ref.generation;
    return (wrn_handle){ref.index, is_there ? generation : ref.generation};
}

/* Takes 'cost_ns' from a bucket that holds 'burst_ns'; false if it is not there. */
WRN_NODISCARD bool relay_bucket_take(struct bucket *bucket, wrn_mono now, uint64_t cost_ns,
                                     uint64_t burst_ns);

/* Owners of slots: side 'side' of a forward, or an edge of a use. */
uint32_t relay_owner_forward(uint32_t index, uint32_t side);
uint32_t relay_owner_edge(const struct wrn_relay *relay, uint32_t index, uint32_t edge);

/* Find the forward, or the edge, that the peer's slot belongs to; NULL: none of that kind.
 * 'ret_is_known' tells whether anybody has such a slot. */
struct forward *relay_slot_forward(const struct wrn_relay *relay, wrn_handle peer, uint64_t slot,
                                   uint32_t *ret_side);
struct edge *relay_slot_edge(const struct wrn_relay *relay, wrn_handle peer, uint64_t slot,
                             struct use **ret_use);
bool relay_slot_is_known(const struct wrn_relay *relay, uint64_t slot);
/* While it is in the table, the owner has the slot. */
void relay_slot_add(struct wrn_relay *relay, uint64_t slot, uint32_t owner);
void relay_slot_remove(struct wrn_relay *relay, uint64_t slot, uint32_t owner);

/* Send a message with one slot: CLOSE (with the reason), KEEP or UNKNOWN. */
void relay_send_close(const struct wrn_relay *relay, wrn_handle peer, uint64_t slot,
                      enum wrn_reason reason);
void relay_send_slot(const struct wrn_relay *relay, wrn_handle peer, enum relay_op op,
                     uint64_t slot);

/* Asks what a slot is, if it was not asked too often. */
void relay_ask_unknown(struct wrn_relay *relay, wrn_mono now, wrn_handle peer, uint64_t slot);

/* ---- relay_forward.c: for others ---- */

/* A peer asks us to forward between it and 'target': answers, and tells the target. */
void relay_forward_on_ask(struct wrn_relay *relay, wrn_mono now, wrn_handle peer, uint32_t number,
                          wrn_id target);
/* A frame came from the end at 'side': goes to the other one, if the pair may still. */
void relay_forward_on_frame(struct wrn_relay *relay, wrn_mono now, struct forward *forward,
                            uint32_t side, wrn_span inside);

/* The end at 'side' closed it; or asks what it is. */
void relay_forward_on_close(struct wrn_relay *relay, struct forward *forward, uint32_t side,
                            enum wrn_reason reason);
void relay_forward_on_unknown(struct wrn_relay *relay, struct forward *forward, uint32_t side);

/* An end is gone; time. */
void relay_forward_on_peer_down(struct wrn_relay *relay, wrn_handle peer);
void relay_forward_end(struct wrn_relay *relay);
void relay_forward_on_time(struct wrn_relay *relay, wrn_mono now);

/* ---- relay_use.c: for us ---- */

/* Returns the use to reach a peer, NULL: none. */
struct use *relay_use_of(const struct wrn_relay *relay, wrn_handle peer);

/* A relay made a slot for us, because 'asker' asked, or because we said that we do not know it. */
void relay_use_on_offer(struct wrn_relay *relay, wrn_mono now, wrn_handle peer, uint64_t slot,
                        wrn_id asker);
/* A relay answers a request of ours. */
void relay_use_on_grant(struct wrn_relay *relay, wrn_mono now, wrn_handle peer, uint32_t number,
                        uint64_t slot);
void relay_use_on_refuse(struct wrn_relay *relay, wrn_mono now, wrn_handle peer, uint32_t number,
                         enum wrn_reason reason);

/* The relay closed an edge, or does not know its slot; a peer is gone; time. */
void relay_use_on_close(struct wrn_relay *relay, wrn_mono now, struct use *use, struct edge *edge);
void relay_use_on_peer_down(struct wrn_relay *relay, wrn_mono now, wrn_handle peer);
void relay_use_on_time(struct wrn_relay *relay, wrn_mono now);

/* Tells what is to be told, lets go of a use without a purpose, sets its next deadline. Last thing
 * that is done with a use in an input that may tell. */
void relay_use_settle(struct wrn_relay *relay, wrn_mono now, struct use *use);

/* ---- relay_search.c: which node to ask next ---- */

/* Begins a round; goes on with it; the same for a spare. */
void relay_search_begin(struct wrn_relay *relay, wrn_mono now, struct use *use);
void relay_search_step(struct wrn_relay *relay, wrn_mono now, struct use *use);
void relay_search_spare(struct wrn_relay *relay, wrn_mono now, struct use *use);

/* Does not ask this relay for a while: AVOID_ROUND, or a number of seconds. */
void relay_search_avoid(struct use *use, wrn_mono now, uint32_t relay_id, uint32_t for_s);

/* A link is needed by one more slot or spare, or by one less. */
void relay_hold(struct wrn_relay *relay, wrn_handle peer);
void relay_release(struct wrn_relay *relay, wrn_mono now, wrn_handle peer);
