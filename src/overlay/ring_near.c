/* SPDX-License-Identifier: Apache-2.0 */
/* The neighbours: who is nearest among the links and among those that others tell of, which of them
 * are to be linked, and whether all agree. Sends nothing but wants.
 *
 *              first link                 both neighbours agree
 *     ALONE ---------------> JOINING ------------------------------> CONNECTED
 *       ^                     |   ^                                   |   |
 *       |    last link went   |   |   they have not agreed for 3 s    |   |
 *       +---------------------+   +-----------------------------------+   |
 *       +-----------------------------------------------------------------+
 *                                last link went
 */
#include "overlay/ring_internal.h"

static struct wrn_ring_known *find_known(const struct wrn_ring *ring, wrn_mono now, wrn_id id);
static struct wrn_ring_known *take_known(struct wrn_ring *ring, wrn_mono now, wrn_id id);
static void gather(struct wrn_ring *ring, wrn_mono now, struct wrn_ring_bests *ret_bests);
static void mark(struct wrn_ring *ring, wrn_mono now, const struct wrn_ring_bests *bests);
static void want_missing(struct wrn_ring *ring, wrn_mono now, const struct wrn_ring_bests *bests);
static void update_state(struct wrn_ring *ring, wrn_mono now, const struct wrn_ring_bests *bests);
static bool is_among_nearest(const struct wrn_ring *ring, wrn_id id);
static struct wrn_link *nth(const struct wrn_ring *ring, enum wrn_ring_side side, uint32_t n);
static void distrust(struct wrn_ring *ring, wrn_mono now, struct wrn_ring_peer *peer, uint8_t lies);
static bool has_between(const struct wrn_ring *ring, wrn_mono now, enum wrn_ring_side side,
                        const struct wrn_ring_bests *bests);
static bool names_us(const struct wrn_ring *ring, wrn_mono now, enum wrn_ring_side side,
                     const struct wrn_link *link);

void wrn_ring_near_update(struct wrn_ring *ring, wrn_mono now) {
    struct wrn_ring_bests bests;
    ring->is_stale = false;
    gather(ring, now, &bests);
    mark(ring, now, &bests);
    want_missing(ring, now, &bests);
    uint32_t wanted = wrn_ring_shortcuts_wanted(ring->size);
    ring->size = wrn_ring_estimate(ring, now);
    if (wrn_ring_shortcuts_wanted(ring->size) != wanted) {
        wrn_ring_shortcut_check(ring, now);
    }
    update_state(ring, now, &bests);
    wrn_ring_status_make_room(ring, now);
}

void wrn_ring_near_heard(struct wrn_ring *ring, wrn_mono now, wrn_id id, wrn_handle teller) {
    if (wrn_id_equal(id, ring->links->self) || wrn_links_at(ring->links, id) != NULL ||
        !is_among_nearest(ring, id)) {
        return;
    }
    struct wrn_ring_known *known = take_known(ring, now, id);
    if (known->fails >= WRN_RING_ABSENT_FAILS && !wrn_tick_is_ahead(now, known->told)) {
        /* Nobody told of it for a while: it may have come back, or we have. */
        known->fails = WRN_RING_DOUBT_FAILS;
        known->next = wrn_tick_of(now);
    }
    known->told = wrn_tick_in(now, WRN_RING_HEARD_NS);
    known->teller = teller;
    if (known->until.count == 0 ||
        wrn_mono_before(wrn_tick_mono(known->until, now), wrn_tick_mono(known->told, now))) {
        known->until = known->told;
    }
    ring->is_stale = true;
}

void wrn_ring_near_failed(struct wrn_ring *ring, wrn_mono now, wrn_id id, wrn_handle teller) {
    struct wrn_ring_known *known = take_known(ring, now, id);
    if (known->fails < UINT8_MAX) {
        known->fails++;
    }
    /* An absent one is tried again as long as it is told of: while a crowd comes, or two rings grow
     * together, a request may end anywhere. */
    uint64_t wait = WRN_RING_BACK_OFF_MAX_NS;
    if (known->fails < 6) {
        wait = WRN_RING_BACK_OFF_MIN_NS << (known->fails - 1);
    }
    known->next = wrn_tick_of(wrn_ring_soon(ring, now, wait / 2, wait));
    known->until = wrn_tick_in(now, WRN_RING_FORGET_NS);
    if (known->fails == WRN_RING_ABSENT_FAILS || wait == WRN_RING_BACK_OFF_MAX_NS) {
        ring->counts[WRN_RING_COUNT_ABSENT]++;
        distrust(ring, now, wrn_ring_peer(ring, teller), 1);
    }
}

void wrn_ring_near_doubt(struct wrn_ring *ring, wrn_mono now) {
    struct wrn_ring_bests bests;
    gather(ring, now, &bests);
    for (enum wrn_ring_side side = 0; side < WRN_RING_SIDES; side++) {
        const struct wrn_link *link = nth(ring, side, 0);
        if (link == NULL || link->view_epoch == 0 || has_between(ring, now, side, &bests)) {
            continue;
        }
        if (!names_us(ring, now, side, link)) {
            distrust(ring, now, wrn_ring_peer(ring, link->peer), 2);
        }
    }
}

void wrn_ring_near_found(struct wrn_ring *ring, wrn_id id, wrn_handle teller) {
    for (size_t i = 0; i < WRN_RING_KNOWN_MAX; i++) {
        if (ring->known[i].is_used && wrn_id_equal(ring->known[i].id, id)) {
            ring->known[i].is_used = false;
        }
    }
    struct wrn_ring_peer *peer = wrn_ring_peer(ring, teller);
    if (peer != NULL) {
        peer->lies = 0;
    }
}

void wrn_ring_near_lost(struct wrn_ring *ring, wrn_mono now, wrn_id id) {
    /* The others need some time to notice that it died; until then they still tell of it. */
    struct wrn_ring_known *known = take_known(ring, now, id);
    known->fails = 1;
    known->told = WRN_TICK_NEVER;
    known->next = wrn_tick_of(wrn_ring_soon(ring, now, WRN_S(4), WRN_S(8)));
    known->until = wrn_tick_in(now, WRN_RING_FORGET_NS);
}

bool wrn_ring_is_doubtful(const struct wrn_ring *ring, wrn_mono now, wrn_id id) {
    const struct wrn_ring_known *known = find_known(ring, now, id);
    return known != NULL && known->fails >= WRN_RING_DOUBT_FAILS;
}

/* Counts what a peer told that is not so; from some number on nothing that it tells is used, for a
 * while. NULL: it has no link any more. */
static void distrust(struct wrn_ring *ring, wrn_mono now, struct wrn_ring_peer *peer,
                     uint8_t lies) {
    if (peer == NULL || peer->distrusted.count != 0) {
        return;
    }
    peer->lies = (uint8_t)(peer->lies + lies);
    if (peer->lies >= WRN_RING_LIES_MAX) {
        ring->counts[WRN_RING_COUNT_DISTRUSTED]++;
        ring->is_stale = true;
        wrn_ring_set_due(ring, &peer->distrusted, wrn_mono_add(now, WRN_RING_DISTRUST_NS));
    }
}

/* ---- what others told ---- */

static struct wrn_ring_known *find_known(const struct wrn_ring *ring, wrn_mono now, wrn_id id) {
    for (size_t i = 0; i < WRN_RING_KNOWN_MAX; i++) {
        const struct wrn_ring_known *known = &ring->known[i];
        if (known->is_used && wrn_id_equal(known->id, id)) {
            bool is_over = !wrn_tick_is_ahead(now, known->until) &&
                           known->fails < WRN_RING_ABSENT_FAILS && !wrn_ring_is_wanted(ring, id);
            return is_over ? NULL : (struct wrn_ring_known *)known;
        }
    }
    return NULL;
}

/* Finds the line of a place, or makes one: instead of the one that would be forgotten first. */
static struct wrn_ring_known *take_known(struct wrn_ring *ring, wrn_mono now, wrn_id id) {
    struct wrn_ring_known *known = find_known(ring, now, id);
    if (known != NULL) {
        return known;
    }
    known = &ring->known[0];
    for (size_t i = 0; i < WRN_RING_KNOWN_MAX; i++) {
        struct wrn_ring_known *other = &ring->known[i];
        if (!other->is_used || wrn_id_equal(other->id, id)) {
            known = other;
            break;
        }
        if (wrn_mono_before(wrn_tick_mono(other->until, now), wrn_tick_mono(known->until, now))) {
            known = other;
        }
    }
    *known = (struct wrn_ring_known){.id = id, .is_used = true};
    return known;
}

/* ---- who is nearest ---- */

static wrn_id way_to(const struct wrn_ring *ring, enum wrn_ring_side side, wrn_id id) {
    wrn_id self = ring->links->self;
    return side == WRN_RING_RIGHT ? wrn_id_subtract(id, self) : wrn_id_subtract(self, id);
}

static struct wrn_link *nth(const struct wrn_ring *ring, enum wrn_ring_side side, uint32_t n) {
    return side == WRN_RING_RIGHT ? wrn_links_right(ring->links, n)
                                  : wrn_links_left(ring->links, n);
}

static bool is_among_nearest(const struct wrn_ring *ring, wrn_id id) {
    for (enum wrn_ring_side side = 0; side < WRN_RING_SIDES; side++) {
        const struct wrn_link *last = nth(ring, side, WRN_NEAR_PER_SIDE - 1);
        if (last == NULL || wrn_id_less(way_to(ring, side, id), way_to(ring, side, last->id))) {
            return true;
        }
    }
    return false;
}

/* Adds a place to a side's nearest if it belongs there. */
static void add_best(const struct wrn_ring *ring, struct wrn_ring_bests *bests,
                     enum wrn_ring_side side, struct wrn_ring_best best) {
    struct wrn_ring_best *at = bests->at[side];
    uint32_t count = bests->count[side];
    wrn_id way = way_to(ring, side, best.id);
    uint32_t place = count;
    while (place > 0 && wrn_id_less(way, way_to(ring, side, at[place - 1].id))) {
        place--;
    }
    if (place == WRN_NEAR_PER_SIDE || (place > 0 && wrn_id_equal(at[place - 1].id, best.id))) {
        return;
    }
    count = count < WRN_NEAR_PER_SIDE ? count + 1 : count;
    for (uint32_t i = count - 1; i > place; i--) {
        at[i] = at[i - 1];
    }
    at[place] = best;
    bests->count[side] = count;
}

/* Considers a place that a peer tells of. */
static void consider(const struct wrn_ring *ring, wrn_mono now, struct wrn_ring_bests *bests,
                     wrn_id id, wrn_handle teller) {
    if (wrn_id_equal(id, ring->links->self)) {
        return;
    }
    bool is_near = false;
    for (enum wrn_ring_side side = 0; side < WRN_RING_SIDES; side++) {
        uint32_t count = bests->count[side];
        is_near =
            is_near || count < WRN_NEAR_PER_SIDE ||
            wrn_id_less(way_to(ring, side, id), way_to(ring, side, bests->at[side][count - 1].id));
    }
    if (!is_near || wrn_links_at(ring->links, id) != NULL) {
        return;
    }
    const struct wrn_ring_known *known = find_known(ring, now, id);
    if (known != NULL && known->fails >= WRN_RING_ABSENT_FAILS &&
        wrn_tick_is_ahead(now, known->next)) {
        bests->retry = wrn_mono_min(bests->retry, wrn_tick_mono(known->next, now));
        return;
    }
    struct wrn_ring_best best = {.id = id, .link = WRN_HANDLE_NONE, .teller = teller};
    add_best(ring, bests, WRN_RING_RIGHT, best);
    add_best(ring, bests, WRN_RING_LEFT, best);
}

static void gather(struct wrn_ring *ring, wrn_mono now, struct wrn_ring_bests *ret_bests) {
    *ret_bests = (struct wrn_ring_bests){.retry = WRN_MONO_NEVER};
    for (enum wrn_ring_side side = 0; side < WRN_RING_SIDES; side++) {
        for (uint32_t n = 0; n < WRN_NEAR_PER_SIDE && nth(ring, side, n) != NULL; n++) {
            const struct wrn_link *link = nth(ring, side, n);
            ret_bests->at[side][n] = (struct wrn_ring_best){.id = link->id, .link = link->peer};
            ret_bests->count[side] = n + 1;
        }
    }
    for (uint32_t i = 0; i < ring->links->count; i++) {
        const struct wrn_link *link = &ring->links->links[i];
        if (!wrn_ring_trusts(ring, now, link->peer)) {
            continue;
        }
        for (uint32_t n = 0; n < link->view_left; n++) {
            consider(ring, now, ret_bests, link->left[n], link->peer);
        }
        for (uint32_t n = 0; n < link->view_right; n++) {
            consider(ring, now, ret_bests, link->right[n], link->peer);
        }
    }
    for (size_t i = 0; i < WRN_RING_KNOWN_MAX; i++) {
        struct wrn_ring_known *known = &ring->known[i];
        if (!wrn_tick_is_ahead(now, known->told)) {
            known->told = WRN_TICK_NEVER; /* that is over, and stays so when ticks wrap */
        }
        if (!wrn_tick_is_ahead(now, known->next)) {
            known->next = WRN_TICK_NEVER;
        }
        if (known->is_used && known->told.count != 0 && wrn_ring_trusts(ring, now, known->teller)) {
            consider(ring, now, ret_bests, known->id, known->teller);
        }
    }
}

/* ---- near links ---- */

/* Notes the set of nearest links, and whether it is another one than before. */
static void note_set(struct wrn_ring *ring, wrn_mono now) {
    bool is_changed = false;
    for (enum wrn_ring_side side = 0; side < WRN_RING_SIDES; side++) {
        uint8_t count = 0;
        for (; count < WRN_NEAR_PER_SIDE && nth(ring, side, count) != NULL; count++) {
            wrn_id id = nth(ring, side, count)->id;
            is_changed = is_changed || count >= ring->near_count[side] ||
                         !wrn_id_equal(ring->near[side][count], id);
            ring->near[side][count] = id;
        }
        is_changed = is_changed || count != ring->near_count[side];
        ring->near_count[side] = count;
    }
    ring->is_changed = is_changed;
    if (is_changed) {
        ring->changed = now;
        ring->epoch = ring->epoch == UINT32_MAX ? 1 : ring->epoch + 1;
        ring->port.epoch(ring->port.ctx, ring->epoch);
        ring->push = wrn_mono_min(ring->push,
                                  wrn_ring_soon(ring, now, WRN_RING_PUSH_NS, 2 * WRN_RING_PUSH_NS));
        wrn_ring_find_hurry(ring, now);
    }
}

/* Tells whether a link is one of the nearest on a side. One that is but a leaf so far is not part
 * of the ring, and not made so before its other end said whom it knows: we, or it, may belong
 * somewhere else altogether. */
static bool is_best(const struct wrn_ring *ring, const struct wrn_link *link,
                    const struct wrn_ring_bests *bests) {
    for (enum wrn_ring_side side = 0; side < WRN_RING_SIDES; side++) {
        for (uint32_t n = 0; n < WRN_NEAR_PER_SIDE; n++) {
            bool is_there = wrn_link_is_of_ring(link)
                                ? nth(ring, side, n) == link
                                : n < bests->count[side] &&
                                      wrn_handle_equal(bests->at[side][n].link, link->peer);
            if (is_there && (wrn_link_is_of_ring(link) || link->view_epoch != 0)) {
                return true;
            }
        }
    }
    return false;
}

/* Wants the nearest links as such, and lets others go after a while. */
static void mark(struct wrn_ring *ring, wrn_mono now, const struct wrn_ring_bests *bests) {
    note_set(ring, now);
    for (uint32_t i = 0; i < ring->peer_count; i++) {
        struct wrn_ring_peer *peer = &ring->peers[i];
        struct wrn_link *link = wrn_links_of(ring->links, peer->handle);
        if (link == NULL) {
            continue; /* its end is on the way to us */
        }
        bool was_best = peer->is_best;
        peer->is_best = is_best(ring, link, bests);
        if (peer->is_best) {
            peer->trim = WRN_TICK_NEVER;
            wrn_ring_keep(ring, link, link->mine | WRN_LINK_NEAR);
        } else if ((link->mine & WRN_LINK_NEAR) != 0 && peer->trim.count == 0) {
            wrn_ring_set_due(ring, &peer->trim, wrn_mono_add(now, WRN_RING_TRIM_NS));
        }
        if (ring->is_changed && (peer->is_best || was_best)) {
            peer->is_owed = true;
        }
        if (ring->is_changed) {
            peer->pushes = 0;
        }
    }
    if (ring->is_changed) {
        ring->is_changed = false;
        ring->port.neighbours(ring->port.ctx);
    }
}

static void want_missing(struct wrn_ring *ring, wrn_mono now, const struct wrn_ring_bests *bests) {
    ring->retry = bests->retry;
    for (uint32_t n = 0; n < WRN_NEAR_PER_SIDE; n++) {
        for (enum wrn_ring_side side = 0; side < WRN_RING_SIDES; side++) {
            const struct wrn_ring_best *best = &bests->at[side][n];
            if (n >= bests->count[side] || best->link.generation != 0) {
                continue;
            }
            const struct wrn_ring_known *known = find_known(ring, now, best->id);
            if (known != NULL && wrn_tick_is_ahead(now, known->told)) {
                ring->retry = wrn_mono_min(ring->retry, wrn_tick_mono(known->told, now));
            }
            if (known != NULL && wrn_tick_is_ahead(now, known->next)) {
                ring->retry = wrn_mono_min(ring->retry, wrn_tick_mono(known->next, now));
            } else {
                wrn_ring_want(ring, now, WRN_RING_FOR_NEAR, WRN_LINK_NEAR, WRN_ROUTE_EXACT,
                              best->id, best->teller);
            }
        }
    }
}

/* ---- are we connected? ---- */

/* Tells whether somebody without a link to us is known to lie before the nearest link. */
static bool has_between(const struct wrn_ring *ring, wrn_mono now, enum wrn_ring_side side,
                        const struct wrn_ring_bests *bests) {
    for (uint32_t n = 0; n < bests->count[side] && bests->at[side][n].link.generation == 0; n++) {
        if (!wrn_ring_is_doubtful(ring, now, bests->at[side][n].id)) {
            return true;
        }
    }
    return false;
}

/* Tells whether a neighbour on a side says that we are its nearest on the other. */
static bool names_us(const struct wrn_ring *ring, wrn_mono now, enum wrn_ring_side side,
                     const struct wrn_link *link) {
    const wrn_id *view = side == WRN_RING_RIGHT ? link->left : link->right;
    uint8_t count = side == WRN_RING_RIGHT ? link->view_left : link->view_right;
    for (uint8_t n = 0; n < count; n++) {
        if (wrn_id_equal(view[n], ring->links->self)) {
            return true;
        }
        if (!wrn_ring_is_doubtful(ring, now, view[n])) {
            return false;
        }
    }
    return count == WRN_NEAR_PER_SIDE; /* nothing but inventions */
}

/* Tells whether the nearest neighbour on a side holds us for its nearest on the other, and nobody
 * is known to lie between. Places where nobody answers do not count: whoever invents them must not
 * keep us from being connected. */
static bool agrees(const struct wrn_ring *ring, wrn_mono now, enum wrn_ring_side side,
                   const struct wrn_ring_bests *bests) {
    const struct wrn_link *link = nth(ring, side, 0);
    return link->view_epoch != 0 && !has_between(ring, now, side, bests) &&
           (!wrn_ring_trusts(ring, now, link->peer) || names_us(ring, now, side, link));
}

static void set_state(struct wrn_ring *ring, wrn_mono now, enum wrn_ring_state state) {
    static const bool may[3][3] = {
        [WRN_RING_STATE_ALONE] = {[WRN_RING_STATE_JOINING] = true},
        [WRN_RING_STATE_JOINING] =
            {[WRN_RING_STATE_ALONE] = true, [WRN_RING_STATE_CONNECTED] = true},
        [WRN_RING_STATE_CONNECTED] =
            {[WRN_RING_STATE_ALONE] = true, [WRN_RING_STATE_JOINING] = true},
    };
    WRN_ASSERT(may[ring->state][state]);
    if (ring->state == WRN_RING_STATE_CONNECTED &&
        wrn_mono_since(now, ring->connected) >= WRN_RING_MEMBER_NS) {
        ring->member = wrn_mono_add(now, WRN_RING_MEMBER_NS);
    }
    ring->state = state;
    ring->doubted = WRN_MONO_NEVER;
    switch (state) {
    case WRN_RING_STATE_ALONE:
        ring->join = ring->audit = ring->shortcut = ring->judge = ring->leaf = WRN_MONO_NEVER;
        ring->push = ring->optimise = WRN_MONO_NEVER;
        break;
    case WRN_RING_STATE_JOINING:
        ring->shortcut = ring->optimise = WRN_MONO_NEVER;
        wrn_ring_find_hurry(ring, now);
        break;
    case WRN_RING_STATE_CONNECTED:
        ring->connected = now;
        ring->join = WRN_MONO_NEVER;
        ring->join_wait_ns = WRN_RING_BACK_OFF_MIN_NS;
        ring->leaf = wrn_mono_min(ring->leaf, wrn_mono_add(now, WRN_RING_LEAF_NS));
        wrn_ring_find_hurry(ring, now);
        ring->optimise =
            wrn_ring_soon(ring, now, ring->optimise_ns, ring->optimise_ns + ring->optimise_ns / 4);
        wrn_ring_shortcut_check(ring, now);
        break;
    }
    ring->port.state(ring->port.ctx, state);
}

static void update_state(struct wrn_ring *ring, wrn_mono now, const struct wrn_ring_bests *bests) {
    if (ring->links->count == 0) {
        if (ring->state != WRN_RING_STATE_ALONE) {
            set_state(ring, now, WRN_RING_STATE_ALONE);
        }
        return;
    }
    if (ring->state == WRN_RING_STATE_ALONE) {
        set_state(ring, now, WRN_RING_STATE_JOINING);
    }
    bool is_agreed =
        agrees(ring, now, WRN_RING_RIGHT, bests) && agrees(ring, now, WRN_RING_LEFT, bests);
    if (ring->state == WRN_RING_STATE_JOINING) {
        if (is_agreed) {
            set_state(ring, now, WRN_RING_STATE_CONNECTED);
        }
    } else if (is_agreed) {
        ring->doubted = WRN_MONO_NEVER;
    } else if (ring->doubted.ns == UINT64_MAX) {
        /* Each join beside us looks like this for a moment. */
        ring->doubted = wrn_mono_add(now, WRN_RING_GRACE_NS);
    } else if (wrn_mono_reached(now, ring->doubted)) {
        set_state(ring, now, WRN_RING_STATE_JOINING);
    }
}
