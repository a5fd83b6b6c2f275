/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the ring share: ring.c holds the inputs and deadlines, ring_near.c neighbours
 * and states, ring_status.c what neighbours tell one another, ring_shortcut.c the other links,
 * ring_find.c questions that are routed. For ring*.c and their tests alone. */
#pragma once
#include "base/tick.h"
#include "overlay/ring.h"

enum {
    WRN_RING_WANTS_MAX = 12,   /* links asked for at the same time */
    WRN_RING_WANTS_OF_ONE = 6, /* ... on the word of one peer */
    WRN_RING_KNOWN_MAX = 32,   /* places heard of, or where nobody answered */
    WRN_RING_FINDS_MAX = 6,    /* questions under way, besides crawls */
    WRN_RING_HINTS_MAX = 6,    /* places near the receiver that a status names */
    WRN_RING_DOUBT_FAILS = 2,  /* so many wants failed: its being told of does not matter */
    WRN_RING_ABSENT_FAILS = 3, /* ... and it is not even wanted, for a while */
    WRN_RING_LIES_MAX = 10,    /* so many absent ones told without a true one between: distrust */
    WRN_RING_ROOM = 8,         /* links that only near neighbours may take */
    WRN_RING_LEAF_ROOM = 4,    /* ... or, some more of them, newcomers */
    WRN_RING_SHORTCUTS_MAX = 24,
    WRN_RING_SILENT_MAX = 8, /* nodes that a crawl found dead */
    WRN_RING_SMALL = 10,     /* up to so many nodes there are no shortcuts */
};

#define WRN_RING_PUSH_NS         WRN_MS(120)
#define WRN_RING_ACK_NS          WRN_MS(1000)
#define WRN_RING_ASK_NS          WRN_S(2)
#define WRN_RING_WANT_NS         WRN_S(45)
#define WRN_RING_FIND_NS         WRN_S(4)
#define WRN_RING_HEARD_NS        WRN_S(30)
#define WRN_RING_TRIM_NS         WRN_S(30)
#define WRN_RING_RELAYED_NS      WRN_S(30)
#define WRN_RING_GRACE_NS        WRN_S(3)
#define WRN_RING_MEMBER_NS       WRN_S(10)
#define WRN_RING_LEAF_NS         WRN_S(5)
#define WRN_RING_FORGET_NS       WRN_S(240)
#define WRN_RING_DISTRUST_NS     WRN_S(600)
#define WRN_RING_SETTLED_NS      WRN_S(60)
#define WRN_RING_BACK_OFF_MIN_NS WRN_S(2)
#define WRN_RING_BACK_OFF_MAX_NS WRN_S(60)
#define WRN_RING_SHED_NS         WRN_S(2)
#define WRN_RING_SPLIT_NS        WRN_S(20)
#define WRN_RING_OPTIMISE_MIN_NS WRN_S(60)
#define WRN_RING_OPTIMISE_NS     WRN_S(300)
#define WRN_RING_OPTIMISE_MAX_NS WRN_S(2400)
#define WRN_RING_JUDGE_NS        WRN_S(10)

enum wrn_ring_side { WRN_RING_RIGHT, WRN_RING_LEFT, WRN_RING_SIDES };

/* What the ring keeps of a link beside the table's line. */
struct wrn_ring_peer {
    wrn_handle handle;
    wrn_tick trim;       /* NEAR is taken back then; NEVER: it is one of the nearest */
    wrn_tick relayed;    /* a shortcut still relayed then is let go; NEVER */
    wrn_tick idle;       /* when on-demand is looked at again; NEVER: it is not */
    wrn_tick traffic;    /* when something flowed last */
    wrn_tick asked;      /* the question for its status is repeated then; NEVER: none */
    wrn_tick distrusted; /* what it tells is not used until then; NEVER: it is */
    uint32_t heard_epoch;
    uint32_t acked_epoch; /* of ours that it holds */
    uint8_t asks;         /* questions without an answer */
    uint8_t pushes;       /* times that our status was sent since it changed */
    uint8_t lies;
    bool is_owed : 1; /* our status goes to it with the next push */
    bool is_best : 1; /* one of the nearest on a side */
};

/* A place that a peer told of and that has no link; or where wants failed. */
struct wrn_ring_known {
    wrn_id id;
    wrn_handle teller; /* the link that leads there */
    wrn_tick told;     /* it counts as a neighbour to be until then; NEVER: not (a view may) */
    wrn_tick next;     /* not wanted again before */
    wrn_tick until;    /* forgotten then */
    uint8_t fails;
    bool is_used;
};

enum wrn_ring_purpose {
    WRN_RING_FOR_NOTHING,
    WRN_RING_FOR_JOIN,     /* whoever is nearest to us */
    WRN_RING_FOR_NEAR,     /* a place among our nearest */
    WRN_RING_FOR_SHORTCUT, /* one that is missing */
    WRN_RING_FOR_BETTER,   /* one that may be faster than another */
    WRN_RING_FOR_OTHER,    /* a member of another ring */
};

struct wrn_ring_wanted {
    uint8_t purpose; /* enum wrn_ring_purpose */
    uint8_t kind;
    uint32_t tag;
    wrn_id id;
    wrn_handle teller;
    wrn_tick deadline;
};

enum wrn_ring_find_kind {
    WRN_RING_FIND_NOTHING,
    WRN_RING_FIND_AUDIT,
    WRN_RING_FIND_LOOK, /* through a link that may lead to another ring */
    WRN_RING_FIND_CRAWL,
};

struct wrn_ring_find {
    enum wrn_ring_find_kind kind;
    uint32_t tag;
    uint32_t crawl; /* index */
    wrn_handle first;
    wrn_mono deadline;
    uint8_t tries;
};

struct wrn_ring_crawl {
    bool is_used;
    uint32_t tag;  /* the caller's */
    uint32_t left; /* nodes that may still be reported, 'at' included */
    wrn_id at;     /* the last one that answered, not reported yet */
    wrn_id gap;    /* how far behind 'at' we look, when none of those named answers */
    uint8_t next_count;
    uint8_t silent_count;
    uint8_t detours;                /* back from nodes that were reached by looking behind 'at' */
    wrn_id next[WRN_NEAR_PER_SIDE]; /* those behind it, in their order, as it says */
    wrn_id silent[WRN_RING_SILENT_MAX];
};

/* One of the nearest that we know of on a side, linked or not. */
struct wrn_ring_best {
    wrn_id id;
    wrn_handle link;   /* NONE: there is none yet */
    wrn_handle teller; /* who says that it is there */
};

struct wrn_ring_bests {
    struct wrn_ring_best at[WRN_RING_SIDES][WRN_NEAR_PER_SIDE];
    uint32_t count[WRN_RING_SIDES];
    wrn_mono retry; /* an absent one that would belong here is tried again then */
};

struct wrn_ring {
    struct wrn_ring_options options;
    struct wrn_links *links;
    struct wrn_ring_port port;
    struct wrn_rand rand;

    struct wrn_ring_peer *peers; /* one for each link, in no order */
    uint32_t peer_count;
    struct wrn_ring_known known[WRN_RING_KNOWN_MAX];
    struct wrn_ring_wanted wants[WRN_RING_WANTS_MAX];
    struct wrn_ring_find *finds; /* WRN_RING_FINDS_MAX, then one for each crawl */
    struct wrn_ring_crawl *crawls;
    uint32_t next_tag;

    enum wrn_ring_state state;
    bool is_stale;      /* something changed that decides who is near */
    bool is_changed;    /* the set of near neighbours did */
    wrn_mono connected; /* since when */
    wrn_mono member;    /* until when we count as having been connected for a while */
    wrn_mono doubted;   /* not agreed with any more: JOINING then; NEVER */
    wrn_mono changed;   /* when the near set changed last */
    uint32_t epoch;
    wrn_id near[WRN_RING_SIDES][WRN_NEAR_PER_SIDE]; /* the set that 'epoch' stands for */
    uint8_t near_count[WRN_RING_SIDES];
    uint64_t size;

    wrn_mono shed;  /* nobody is asked to let a shortcut go before */
    wrn_mono retry; /* a missing neighbour is wanted again; NEVER */
    wrn_mono push;  /* status to those that are owed it */
    wrn_mono join;  /* look for whoever is nearest to us; NEVER: did */
    wrn_mono audit;
    wrn_mono leaf;
    wrn_mono shortcut;  /* count them */
    wrn_mono optimise;  /* look for a faster one */
    wrn_mono judge;     /* compare the two links below */
    wrn_mono split;     /* other rings are told of again then, not before */
    wrn_mono other;     /* ... and looked at */
    wrn_mono peers_due; /* no later than the earliest of the peers */
    wrn_mono due;
    uint64_t join_wait_ns;
    uint64_t shortcut_wait_ns;
    uint64_t optimise_ns;
    uint32_t audits_fast; /* since the last change */
    wrn_handle judged_old;
    wrn_handle judged_new;
    uint64_t counts[WRN_RING_COUNTS];
};

/* ---- ring.c ---- */

/* Returns what is kept of a peer's link; NULL: it has none. O(n). */
struct wrn_ring_peer *wrn_ring_peer(const struct wrn_ring *ring, wrn_handle handle);

/* Sets a deadline of a peer, so that the machine wakes up for it. */
void wrn_ring_set_due(struct wrn_ring *ring, wrn_tick *deadline, wrn_mono at);

/* Changes what we want a link for, and says so if it is news. */
void wrn_ring_keep(struct wrn_ring *ring, struct wrn_link *link, uint8_t kinds);

/* Returns a time from 'least' to 'most' after now, drawn evenly, in ms steps. */
wrn_mono wrn_ring_soon(struct wrn_ring *ring, wrn_mono now, uint64_t least_ns, uint64_t most_ns);

/* Asks for a link. False if too many are under way, or one to this place is. */
bool wrn_ring_want(struct wrn_ring *ring, wrn_mono now, enum wrn_ring_purpose purpose,
                   enum wrn_link_kind kind, enum wrn_route_mode mode, wrn_id id, wrn_handle teller);

/* Tells whether a link to exactly this place was asked for. */
bool wrn_ring_is_wanted(const struct wrn_ring *ring, wrn_id id);
uint32_t wrn_ring_wants_for(const struct wrn_ring *ring, enum wrn_ring_purpose purpose);

/* Draws one of the links, rather one that is not among the nearest; NULL: there are none. */
struct wrn_link *wrn_ring_some_link(struct wrn_ring *ring);

/* Tells whether the peer's word counts. */
bool wrn_ring_trusts(const struct wrn_ring *ring, wrn_mono now, wrn_handle handle);

/* ---- ring_near.c ---- */

/* Brings everything in line with the links, views and places that we know: who is near, which links
 * are missing, whether we are connected, how many nodes there are. O(links). */
void wrn_ring_near_update(struct wrn_ring *ring, wrn_mono now);

/* Somebody told of a place: remembers it if it would be one of our nearest. */
void wrn_ring_near_heard(struct wrn_ring *ring, wrn_mono now, wrn_id id, wrn_handle teller);

/* A want for a near place failed; a link to it is there. */
void wrn_ring_near_failed(struct wrn_ring *ring, wrn_mono now, wrn_id id, wrn_handle teller);
void wrn_ring_near_found(struct wrn_ring *ring, wrn_id id, wrn_handle teller);

/* Our nearest neighbours are looked at while they do not agree: one that leaves us out again and
 * again, though nobody lies between, is not believed any more. */
void wrn_ring_near_doubt(struct wrn_ring *ring, wrn_mono now);

/* The link to a place went: it is not wanted again at once. */
void wrn_ring_near_lost(struct wrn_ring *ring, wrn_mono now, wrn_id id);

/* Tells whether it is doubtful that somebody is at a place: wants failed again and again. */
bool wrn_ring_is_doubtful(const struct wrn_ring *ring, wrn_mono now, wrn_id id);

/* ---- ring_size.c ---- */

/* The estimate of how many nodes there are, from the links and views. O(links). */
uint64_t wrn_ring_estimate(const struct wrn_ring *ring, wrn_mono now);

/* ---- ring_status.c ---- */

/* Sends our status to a peer; with the place of a member of another ring if 'other' is not NULL. */
void wrn_ring_status_send(struct wrn_ring *ring, wrn_mono now, struct wrn_ring_peer *peer,
                          const wrn_id *other);

/* While the table is nearly full: asks one of those who have a shortcut to us, now and then, to let
 * it go. */
void wrn_ring_status_make_room(struct wrn_ring *ring, wrn_mono now);

/* Sends our status to those that are owed it, again to those that did not confirm it. */
void wrn_ring_status_push(struct wrn_ring *ring, wrn_mono now);

/* Asks a peer for its status. */
void wrn_ring_status_ask(struct wrn_ring *ring, wrn_mono now, struct wrn_ring_peer *peer);

/* Takes STATUS and STATUS_ASK. */
void wrn_ring_status_on_message(struct wrn_ring *ring, wrn_mono now, wrn_handle handle,
                                wrn_span message);

/* What a node says of its neighbourhood, in STATUS and in answers to FIND. */
struct wrn_ring_view {
    bool is_connected;
    bool is_member;
    bool has_other;
    bool is_full;
    uint8_t left_count;
    uint8_t right_count;
    uint8_t hint_count;
    wrn_id left[WRN_NEAR_PER_SIDE];
    wrn_id right[WRN_NEAR_PER_SIDE];
    wrn_id hints[WRN_RING_HINTS_MAX];
    wrn_id other;
};

/* Makes ours, for the node at 'reader'; writes one; reads one, with what it must be. */
void wrn_ring_view_make(const struct wrn_ring *ring, wrn_mono now, wrn_id reader,
                        struct wrn_ring_view *ret_view);
void wrn_ring_view_write(struct wrn_writer *writer, const struct wrn_ring_view *view);
bool wrn_ring_view_read(struct wrn_reader *reader, wrn_id of, struct wrn_ring_view *ret_view);

/* ---- ring_shortcut.c ---- */

/* Makes missing shortcuts, lets too many go, tries for faster ones. */
void wrn_ring_shortcut_on_time(struct wrn_ring *ring, wrn_mono now);

/* A want for a shortcut ended. */
void wrn_ring_shortcut_done(struct wrn_ring *ring, wrn_mono now, enum wrn_ring_purpose purpose,
                            struct wrn_link *link);

/* A link went, or the size changed: look whether shortcuts are missing. */
void wrn_ring_shortcut_check(struct wrn_ring *ring, wrn_mono now);

/* Returns how many shortcuts a node makes in a ring of 'nodes'; and this one, whose table may be
 * small. */
uint32_t wrn_ring_shortcuts_wanted(uint64_t nodes);
uint32_t wrn_ring_shortcuts_here(const struct wrn_ring *ring);

/* ---- ring_find.c ---- */

/* Begins an audit: does somebody know a nearer neighbour? */
void wrn_ring_find_audit(struct wrn_ring *ring, wrn_mono now);
/* ... through one link. */
void wrn_ring_find_look(struct wrn_ring *ring, wrn_mono now, const struct wrn_link *link);
/* When the next audit is due after a change. */
void wrn_ring_find_hurry(struct wrn_ring *ring, wrn_mono now);
void wrn_ring_find_on_time(struct wrn_ring *ring, wrn_mono now);
wrn_mono wrn_ring_find_due(const struct wrn_ring *ring);
