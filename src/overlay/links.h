/* SPDX-License-Identifier: Apache-2.0 */
/* The links of this node, in the order of the ring, with what their other ends say of their own
 * neighbours. Only peers that were admitted and answer are in it. A data structure: decides nothing
 * and sends nothing. */
#pragma once
#include "base/arena.h"
#include "base/clock.h"
#include "base/pool.h"
#include "overlay/id.h"
#include "overlay/limits.h"

struct wrn_link {
    wrn_handle peer;
    wrn_id id;
    uint32_t rtt_us;     /* smoothed, 0: not measured */
    uint32_t view_epoch; /* number of the status that the view is from, 0: none yet */
    uint8_t mine;        /* enum wrn_link_kind bits: what we want the link for */
    uint8_t theirs;      /* ... what they want it for */
    bool is_relayed;
    bool is_suspect;    /* did not acknowledge lately: not the first choice; see route.h */
    uint8_t view_left;  /* places below: near ones counter-clockwise of the peer, nearest first */
    uint8_t view_right; /* ... and clockwise */
    wrn_id left[WRN_NEAR_PER_SIDE];
    wrn_id right[WRN_NEAR_PER_SIDE];
    wrn_mono since; /* when it came up */
};

struct wrn_links {
    wrn_id self;
    struct wrn_link *links; /* sorted by the way clockwise from 'self' */
    uint32_t count;
    uint32_t capacity;
};

/* Tells whether the link is part of the ring. One that is only a LEAF is not: one of its ends may
 * not have joined yet, so nothing but what is for that end goes by it. (A link without any kind
 * counts: its kinds are not known yet.) */
static inline bool wrn_link_is_of_ring(const struct wrn_link *link) {
    return (link->mine | link->theirs) != WRN_LINK_LEAF;
}

/* Takes room for 'capacity' links from 'arena'. */
void wrn_links_init(struct wrn_links *links, struct wrn_arena *arena, wrn_id self,
                    uint32_t capacity);

/* Adds a link, all zero but 'peer' and 'id', neither of which is there yet. Returns it, valid until
 * the next add or remove; NULL if there is no room. O(n). */
struct wrn_link *wrn_links_add(struct wrn_links *links, wrn_handle peer, wrn_id id);

/* Removes a link; nothing happens if it is not there. O(n). */
void wrn_links_remove(struct wrn_links *links, wrn_handle peer);

/* Find a link by its peer, O(n), or by its place, O(log n). NULL: none. */
struct wrn_link *wrn_links_of(const struct wrn_links *links, wrn_handle peer);
struct wrn_link *wrn_links_at(const struct wrn_links *links, wrn_id id);

/* Returns the index in 'links' of the first link that does not lie before 'id', clockwise of us;
 * 'count' if there is none. O(log n). */
uint32_t wrn_links_place(const struct wrn_links *links, wrn_id id);

/* Returns the n-th link (from 0) clockwise, or counter-clockwise, of us; NULL if there are not so
 * many. Each link is on both sides in a small ring. */
struct wrn_link *wrn_links_right(const struct wrn_links *links, uint32_t n);
struct wrn_link *wrn_links_left(const struct wrn_links *links, uint32_t n);

/* Tells whether we are nearer to 'target' than every link of the ring (or as near as
 * wrn_id_is_nearer breaks ties). 'except' is not counted, WRN_HANDLE_NONE: nobody. */
bool wrn_links_is_nearest(const struct wrn_links *links, wrn_id target, wrn_handle except);

/* Returns how many of the links of the ring, us among them, are nearer to 'target' than 'id': 0
 * means that we know of nobody nearer. For holders of keys: id is one of the k nearest that we know
 * iff < k. */
uint32_t wrn_links_rank(const struct wrn_links *links, wrn_id target, wrn_id id);
