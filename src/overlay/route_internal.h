/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the routing machine share: its state, its messages as structures, and the parts
 * that it is made of. For route*.c and their tests alone. */
#pragma once
#include "overlay/route.h"

enum {
    WRN_ROUTE_WIRE_MAX = WRN_MESSAGE_MAX - WRN_RELAYED_OVERHEAD, /* so that it fits a relay too */
    WRN_ROUTE_HOP_LIMIT = 40,  /* unless the sender says otherwise */
    WRN_ROUTE_ATTEMPTS = 4,    /* to send one message on, by all links together */
    WRN_ROUTE_PIECE_TRIES = 8, /* to hand on one piece of a broadcast, with what mends it */
    WRN_ROUTE_TRIED = 3,       /* links that one message does not take again */
    WRN_ROUTE_BLOCK = 128,     /* bytes that payloads are kept in */
    WRN_ROUTE_HOPS_SEEN = 128, /* hops and origins: one of 2^32 / so many is taken for another */
    WRN_ROUTE_ORIGINS_SEEN = 64,
    WRN_ROUTE_ASKED = 32,
    WRN_ROUTE_CASTS_SEEN = 48,
    WRN_ROUTE_FANOUT = 48,      /* pieces that a broadcast is split into at one node, at most, */
    WRN_ROUTE_FANOUT_LEAST = 4, /* ... and at least, also if there is no room to watch them all */
    WRN_ROUTE_BRANCHES = 64,    /* of a sum: FANOUT and what mends lost ones */
    WRN_ROUTE_SLOT_BITS = 11,   /* of a hop number: 1 + where the message waits */
    WRN_ROUTE_BUDGET_MS = 50,   /* unit of a sum's time */
    WRN_ROUTE_BUDGET_FIRST = 200,
    WRN_ROUTE_BUDGET_LEAST = 4, /* with less nobody else is asked */
    WRN_ROUTE_NO_BLOB = 0xffff,
};

/* ---- messages (route_message.c) ---- */

/* How a message may go on. docs/ring/route.md says why it never goes in circles. */
enum wrn_route_course {
    WRN_ROUTE_PLAIN,
    WRN_ROUTE_DETOUR, /* the receiver is not nearer than the sender, but knows somebody who is */
    WRN_ROUTE_STRICT, /* each node nearer than the one before, no more detours */
    WRN_ROUTE_RIGHTWARDS, /* an error: each node clockwise of the one before, up to the goal */
    WRN_ROUTE_LEFTWARDS,  /* ... counter-clockwise */
};

struct wrn_routed {
    struct wrn_route_header header;
    uint64_t origin; /* drawn by the source: one message, however often it is sent */
    uint32_t number; /* of this hop, for its acknowledgement; 0: none is wanted */
    enum wrn_route_course course;
    bool is_error; /* the payload says what became of another message */
    wrn_span payload;
};

/* The part of a broadcast that one node is to reach: all places clockwise from 'from' up to 'end',
 * which is not in it. It begins at the receiver itself, or after it, if whoever was to begin it did
 * not answer. */
struct wrn_piece {
    wrn_id source;
    wrn_id from;
    wrn_id end; /* the receiver itself: the whole circle */
    uint64_t origin;
    uint32_t number;
    uint32_t token; /* is_sum: to be repeated in the answer; the low bits are the branch */
    uint8_t hops;
    uint8_t budget; /* is_sum: time for the answer in BUDGET_MS */
    bool is_sum;
    wrn_span payload;
};

/* What the nodes of a piece add up to. */
struct wrn_part {
    uint64_t origin;
    uint32_t number;
    uint32_t token;
    uint64_t nodes;
    uint64_t values[4];
    bool is_complete;
};

/* Why and with what payload a message did not arrive. */
struct wrn_route_error {
    enum wrn_reason reason;
    struct wrn_route_header header; /* as its source knows it */
    wrn_span payload;               /* or as much of it as there was room for */
};

/* A message but for its payload, as it is kept until it is acknowledged. */
struct wrn_route_head {
    uint8_t size;
    uint8_t bytes[WRN_ROUTED_OVERHEAD];
};

/* Write all of a message but its payload. The sum's answer has none. */
struct wrn_route_head wrn_routed_write(const struct wrn_routed *routed);
struct wrn_route_head wrn_piece_write(const struct wrn_piece *piece);
size_t wrn_part_write(const struct wrn_part *part, uint8_t ret_bytes[WRN_ROUTE_BLOCK]);

/* Read messages; false if they are malformed. Payloads lie in 'message'. */
WRN_NODISCARD bool wrn_routed_read(wrn_span message, struct wrn_routed *ret_routed);
WRN_NODISCARD bool wrn_piece_read(wrn_span message, struct wrn_piece *ret_piece);
WRN_NODISCARD bool wrn_part_read(wrn_span message, struct wrn_part *ret_part);
WRN_NODISCARD bool wrn_hop_ack_read(wrn_span message, uint32_t *ret_number);

/* Writes an acknowledgement; returns its size. */
size_t wrn_hop_ack_write(uint32_t number, uint8_t ret_bytes[8]);

/* Sets the hop number of a head, or of a part as written. */
void wrn_route_set_number(uint8_t *bytes, uint32_t number);

/* Write and read the payload of an error. 'ret_bytes' has room for WRN_PAYLOAD_MAX; the lost
 * payload is cut to what fits. Returns its size. */
size_t wrn_route_error_write(const struct wrn_route_error *error, uint8_t *ret_bytes);
WRN_NODISCARD bool wrn_route_error_read(wrn_span payload, struct wrn_route_error *ret_error);

/* ---- where to (route_choose.c) ---- */

enum wrn_route_verdict {
    WRN_ROUTE_FORWARD,
    WRN_ROUTE_DELIVER,
    WRN_ROUTE_NOBODY, /* EXACT: we are nearest, and it is not us */
    WRN_ROUTE_NONE,   /* no link leads on */
};

/* Links that failed to acknowledge a message. */
struct wrn_route_tried {
    uint32_t count;
    wrn_handle peers[WRN_ROUTE_TRIED];
};

/* Decides what becomes of 'routed' at this node. 'from' is the link that it came by, NULL: it began
 * here. FORWARD: 'ret_link' is the next, and 'routed' has the course, the steps and the via with
 * which to send it. Pure; O(links). */
enum wrn_route_verdict wrn_route_decide(const struct wrn_links *links, struct wrn_routed *routed,
                                        const struct wrn_link *from,
                                        const struct wrn_route_tried *tried,
                                        const struct wrn_link **ret_link);

/* ---- what was seen (route_seen.c) ---- */

/* The hashes of the last few things, the oldest is forgotten first. */
struct wrn_route_seen {
    uint32_t *hashes; /* 0: none yet */
    uint32_t size;
    uint32_t next;
};

/* Takes room for 'size' hashes. */
void wrn_route_seen_init(struct wrn_route_seen *seen, struct wrn_arena *arena, uint32_t size);

/* Adds a hash; returns false if it was there. O(size). */
bool wrn_route_seen_add(struct wrn_route_seen *seen, uint64_t hash);

/* Forgets a hash; returns false if it was not there. O(size). */
bool wrn_route_seen_take(struct wrn_route_seen *seen, uint64_t hash);

/* ---- what waits for an acknowledgement (route_watch.c) ---- */

struct wrn_route_block {
    uint16_t next;
    uint16_t references; /* in the first block of a payload */
    uint16_t size;       /* ... */
    uint8_t bytes[WRN_ROUTE_BLOCK - 6];
};

struct wrn_watch {
    wrn_handle peer; /* to whom it was sent last; NONE: free */
    struct wrn_route_tried tried;
    uint32_t number;
    uint16_t blob;
    uint8_t attempts; /* in all */
    uint8_t here;     /* ... by this link */
    uint8_t course;   /* ROUTED: enum wrn_route_course with which another link may be chosen */
    bool is_pinned;   /* no other link will do */
    struct wrn_route_head head;
};

struct wrn_route_watches {
    struct wrn_watch *watches;
    uint32_t capacity;
    uint32_t free_hint; /* where to begin to look for a free one */
    struct wrn_route_block *blocks;
    uint32_t block_count;
    uint16_t free_block;  /* that was used before; NO_BLOB: none */
    uint16_t fresh_block; /* from here on none was ever used, nor its memory touched */
    uint32_t next_number; /* upper bits of hop numbers */
};

/* What is to be sent. */
struct wrn_parcel {
    struct wrn_route_head head;
    wrn_span payload;
    uint16_t blob; /* the same, kept already; NO_BLOB */
    uint8_t attempts;
    enum wrn_route_course course;
    bool is_pinned;
};

/* Takes room from 'arena' as 'options' say. */
void wrn_route_watches_init(struct wrn_route_watches *watches, struct wrn_arena *arena,
                            const struct wrn_route_options *options);

/* Sends a parcel by a link, and again until it is acknowledged, if there is room to keep it. Calls
 * port.send alone. O(watches). */
void wrn_route_post(struct wrn_route *route, wrn_mono now, const struct wrn_link *link,
                    const struct wrn_parcel *parcel);

/* Keeps a payload for several parcels; NO_BLOB: no room. Released by wrn_route_blob_drop. */
uint16_t wrn_route_blob_keep(struct wrn_route *route, wrn_span payload);
void wrn_route_blob_drop(struct wrn_route *route, uint16_t blob);

/* Returns how many more may wait, by number. O(watches). */
uint32_t wrn_route_watches_free(const struct wrn_route_watches *watches);

/* An acknowledgement came. */
void wrn_route_on_hop_ack(struct wrn_route *route, wrn_handle peer, uint32_t number);

/* The time of the watch at 'slot' is over, or its link is gone: sends it again, by the same or by
 * another link, or gives it up. May end in a callback. */
void wrn_route_watch_failed(struct wrn_route *route, wrn_mono now, uint32_t slot, bool is_gone);

/* ---- broadcasts and sums (route_broadcast.c, route_sum.c) ---- */

/* A broadcast that came: how far clockwise of us it has been handed on. */
struct __attribute__((packed, aligned(4))) wrn_route_cast {
    uint64_t hash; /* 0: none */
    wrn_id covered;
};

/* A sum whose branches have not all answered. */
struct wrn_route_sum {
    uint64_t origin;
    uint64_t open; /* bits: branches without an answer */
    uint64_t nodes;
    uint64_t values[4];
    wrn_handle parent; /* NONE: it was asked for here */
    uint32_t tag;      /* ... the caller's; else the parent's token */
    uint32_t salt;     /* in the tokens of its branches */
    uint8_t branches;  /* given away so far */
    uint8_t budget;    /* time for all of it, in BUDGET_MS */
    bool is_complete;
    bool is_used;
};

/* Takes a piece, or a part, that 'link' sent. */
void wrn_route_on_piece(struct wrn_route *route, wrn_mono now, const struct wrn_link *link,
                        const struct wrn_piece *piece);
void wrn_route_on_part(struct wrn_route *route, wrn_mono now, const struct wrn_link *link,
                       const struct wrn_part *part);

/* Hands a piece on to the links that lie in it. 'except' is not asked (WRN_HANDLE_NONE: nobody).
 * 'sum' is NULL, or gets a branch for each. 'attempts' is how often it was tried before. No more
 * pieces are made than can wait for their acknowledgement, FANOUT_LEAST apart: what would not be
 * noticed to be lost goes to others, a link farther. O(links), and sends to FANOUT + 1 of them at
 * most. */
void wrn_route_split(struct wrn_route *route, wrn_mono now, const struct wrn_piece *piece,
                     wrn_handle except, struct wrn_route_sum *sum, uint8_t attempts);

/* The piece, which 'peer' did not take, is handed on otherwise. 'payload' is valid during the
 * call. */
void wrn_route_mend(struct wrn_route *route, wrn_mono now, const struct wrn_piece *piece,
                    wrn_handle peer, uint8_t attempts);

/* Remembers a broadcast. Returns what it knows of it, new ones with nothing covered. */
struct wrn_route_cast *wrn_route_cast_of(struct wrn_route *route, uint64_t origin, wrn_id source,
                                         bool *ret_is_new);

/* Opens a branch of a sum to 'peer'. False: no more. */
bool wrn_route_sum_branch(struct wrn_route *route, struct wrn_route_sum *sum, wrn_handle peer,
                          uint32_t *ret_token);

/* Finds the sum that a branch to 'peer' belongs to, and closes the branch. NULL: nobody waits for
 * it. O(sums). */
struct wrn_route_sum *wrn_route_sum_of(struct wrn_route *route, uint64_t origin, wrn_handle peer,
                                       uint32_t token);

/* Begins to wait for branches, as 'start' says (whose other members are 0). NULL: no room, or the
 * parent has as many as one may have. O(sums). */
struct wrn_route_sum *wrn_route_sum_begin(struct wrn_route *route, wrn_mono now,
                                          const struct wrn_route_sum *start);

/* Takes a piece of a sum: 'rest' is what of it is to be handed on, unless 'is_covered'; 'is_new':
 * we have not been counted. */
void wrn_route_on_sum_piece(struct wrn_route *route, wrn_mono now, const struct wrn_link *link,
                            const struct wrn_piece *rest, bool is_covered, bool is_new);

/* Answers if no branch is open any more, or its time 'is_over'. May end in a callback. */
void wrn_route_sum_end(struct wrn_route *route, wrn_mono now, struct wrn_route_sum *sum,
                       bool is_over);

/* ---- the machine (route.c) ---- */

struct wrn_route {
    struct wrn_links *links;
    struct wrn_route_port port;
    struct wrn_rand rand;
    uint64_t key[2]; /* of the hashes in the tables below */
    struct wrn_route_watches watches;
    struct wrn_route_sum *sums;
    uint32_t sums_max;
    /* Deadlines of watches, then of sums; searched when the earliest goes. */
    wrn_mono *dues;
    uint32_t due_count;
    uint32_t earliest;
    struct wrn_route_seen hops;    /* (peer, hop number) that came */
    struct wrn_route_seen origins; /* routed messages that were delivered here */
    struct wrn_route_seen asked;   /* ... that began here and want a trace */
    struct wrn_route_cast *casts;
    uint32_t next_cast;
    uint64_t counts[WRN_ROUTE_COUNTS];
};

/* Sets a deadline: of a watch by its slot, of a sum by watches.capacity + its index. */
void wrn_route_set_due(struct wrn_route *route, uint32_t index, wrn_mono due);

/* Draws a number. */
uint64_t wrn_route_draw(struct wrn_route *route);

/* Hashes two numbers and some bytes under the machine's key; never 0. */
uint64_t wrn_route_hash(const struct wrn_route *route, uint64_t a, uint64_t b, wrn_id c);

/* Hands a routed message to its receiver here, unless it came before. Ends in a callback. */
void wrn_route_deliver(struct wrn_route *route, const struct wrn_routed *routed, wrn_handle from);

/* Ends a message that cannot go on, and tells its source if that wants it. May end in a callback.
 */
void wrn_route_fail(struct wrn_route *route, wrn_mono now, const struct wrn_routed *routed,
                    enum wrn_reason reason);
