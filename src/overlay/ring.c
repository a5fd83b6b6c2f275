/* SPDX-License-Identifier: Apache-2.0 */
/* The ring: its inputs, deadlines and the links it asks for. Decides nothing about who is near or
 * which shortcuts are good: the other files do. */
#include "overlay/ring.h"
#include "overlay/ring_internal.h"

static void settle(struct wrn_ring *ring, wrn_mono now);
static void find_due(struct wrn_ring *ring, wrn_mono now);
static struct wrn_ring_peer *add_peer(struct wrn_ring *ring, wrn_handle handle);
static void end_want(struct wrn_ring *ring, wrn_mono now, struct wrn_ring_wanted want,
                     struct wrn_link *link);
static void expire_wants(struct wrn_ring *ring, wrn_mono now);
static void join(struct wrn_ring *ring, wrn_mono now);
static void drop_leaves(struct wrn_ring *ring, wrn_mono now);
static void look_after_peers(struct wrn_ring *ring, wrn_mono now);
static bool accepts_traffic(const struct wrn_ring *ring);
static bool accepts_shortcut(const struct wrn_ring *ring);

struct wrn_ring *wrn_ring_init(struct wrn_arena *arena, const struct wrn_ring_options *options,
                               struct wrn_links *links, struct wrn_ring_port port,
                               struct wrn_rand rand, wrn_mono now) {
    struct wrn_ring *ring = wrn_arena_take(arena, 1, sizeof(*ring));
    struct wrn_ring_peer *peers = wrn_arena_take(arena, links->capacity, sizeof(*peers));
    struct wrn_ring_crawl *crawls = wrn_arena_take(arena, options->crawls_max, sizeof(*crawls));
    struct wrn_ring_find *finds =
        wrn_arena_take(arena, WRN_RING_FINDS_MAX + options->crawls_max, sizeof(*finds));
    if (ring == NULL) {
        return NULL;
    }
    ring->options = *options;
    ring->links = links;
    ring->port = port;
    ring->rand = rand;
    ring->peers = peers;
    ring->crawls = crawls;
    ring->finds = finds;
    ring->epoch = 1;
    ring->size = 1;
    ring->changed = now;
    ring->doubted = ring->push = ring->join = ring->audit = ring->retry = WRN_MONO_NEVER;
    ring->leaf = ring->shortcut = ring->judge = ring->optimise = ring->peers_due = WRN_MONO_NEVER;
    ring->due = WRN_MONO_NEVER;
    ring->split = ring->other = ring->shed = now;
    ring->join_wait_ns = ring->shortcut_wait_ns = WRN_RING_BACK_OFF_MIN_NS;
    ring->optimise_ns = WRN_RING_OPTIMISE_MIN_NS;
    wrn_rand_fill(rand, &ring->next_tag, sizeof(ring->next_tag));
    port.epoch(port.ctx, ring->epoch);
    return ring;
}

void wrn_ring_on_link_up(struct wrn_ring *ring, wrn_mono now, wrn_handle peer) {
    struct wrn_link *link = wrn_links_of(ring->links, peer);
    WRN_ASSERT(link != NULL && wrn_ring_peer(ring, peer) == NULL);
    struct wrn_ring_peer *line = add_peer(ring, peer);
    wrn_ring_near_found(ring, link->id, WRN_HANDLE_NONE);
    bool is_first = ring->links->count == 1;
    if (link->mine == 0 && link->theirs == 0 && ring->state != WRN_RING_STATE_CONNECTED &&
        !wrn_ring_is_wanted(ring, link->id)) {
        wrn_ring_keep(ring, link, WRN_LINK_LEAF);
    }
    if (is_first) {
        /* Whoever came to us first may be alone like us: then its status says so before this. */
        ring->join = (link->mine & WRN_LINK_LEAF) != 0 ? now : wrn_mono_add(now, WRN_S(1));
        ring->join_wait_ns = WRN_RING_BACK_OFF_MIN_NS;
    }
    if ((link->mine & WRN_LINK_LEAF) != 0) {
        ring->leaf = wrn_mono_min(ring->leaf, wrn_mono_add(now, WRN_RING_LEAF_NS));
        if (!is_first) {
            wrn_ring_find_look(ring, now, link);
        }
    }
    if ((link->mine & WRN_LINK_ON_DEMAND) != 0) {
        line->traffic = wrn_tick_of(now);
        wrn_ring_set_due(ring, &line->idle,
                         wrn_mono_add(now, WRN_S(ring->options.on_demand_idle_s)));
    }
    line->is_owed = true;
    ring->is_stale = true;
    wrn_ring_near_update(ring, now);
    wrn_ring_status_send(ring, now, line, NULL);
    ring->push = wrn_mono_min(ring->push, wrn_mono_add(now, WRN_RING_ACK_NS));
    settle(ring, now);
}

void wrn_ring_on_link_down(struct wrn_ring *ring, wrn_mono now, wrn_handle peer, wrn_id id) {
    struct wrn_ring_peer *line = wrn_ring_peer(ring, peer);
    if (line == NULL) {
        return;
    }
    bool was_best = line->is_best;
    if (was_best) {
        wrn_ring_near_lost(ring, now, id);
    }
    *line = ring->peers[--ring->peer_count];
    ring->is_stale = true;
    if (ring->links->count > 0) {
        if (was_best) {
            wrn_ring_find_hurry(ring, now);
        }
        wrn_ring_shortcut_check(ring, now);
    }
    settle(ring, now);
}

void wrn_ring_on_link_change(struct wrn_ring *ring, wrn_mono now, wrn_handle peer) {
    struct wrn_link *link = wrn_links_of(ring->links, peer);
    struct wrn_ring_peer *line = wrn_ring_peer(ring, peer);
    if (link == NULL || line == NULL) {
        return;
    }
    if (!link->is_relayed) {
        line->relayed = WRN_TICK_NEVER;
    } else if ((link->mine & WRN_LINK_SHORTCUT) != 0 && line->relayed.count == 0) {
        wrn_ring_set_due(ring, &line->relayed, wrn_mono_add(now, WRN_RING_RELAYED_NS));
    }
    settle(ring, now);
}

void wrn_ring_on_epoch(struct wrn_ring *ring, wrn_mono now, wrn_handle peer, uint32_t epoch) {
    struct wrn_link *link = wrn_links_of(ring->links, peer);
    struct wrn_ring_peer *line = wrn_ring_peer(ring, peer);
    if (link == NULL || line == NULL || epoch == link->view_epoch) {
        return;
    }
    /* A peer that changes it all the time is asked no more often than an unanswered one. */
    bool is_asked = line->asked.count != 0;
    line->heard_epoch = epoch;
    if (!is_asked) {
        wrn_ring_status_ask(ring, now, line);
        settle(ring, now);
    }
}

void wrn_ring_on_want_done(struct wrn_ring *ring, wrn_mono now, uint32_t tag, wrn_handle peer,
                           wrn_id id, enum wrn_reason reason) {
    (void)id;
    (void)reason;
    struct wrn_ring_wanted *want = NULL;
    for (size_t i = 0; i < WRN_RING_WANTS_MAX; i++) {
        if (ring->wants[i].purpose != WRN_RING_FOR_NOTHING && ring->wants[i].tag == tag) {
            want = &ring->wants[i];
        }
    }
    struct wrn_link *link =
        peer.generation != 0 ? wrn_links_of(ring->links, peer) : (struct wrn_link *)NULL;
    if (want == NULL) {
        if (link != NULL) {
            /* Its time was over: the link is not for anything, unless the neighbours need it. */
            ring->port.keep(ring->port.ctx, peer, link->mine);
        }
        return;
    }
    struct wrn_ring_wanted copy = *want;
    want->purpose = WRN_RING_FOR_NOTHING;
    end_want(ring, now, copy, link);
    settle(ring, now);
}

void wrn_ring_on_message(struct wrn_ring *ring, wrn_mono now, wrn_handle peer, wrn_span message) {
    if (wrn_ring_peer(ring, peer) == NULL) {
        return; /* a late one, of a link that went */
    }
    wrn_ring_status_on_message(ring, now, peer, message);
    settle(ring, now);
}

void wrn_ring_on_traffic(struct wrn_ring *ring, wrn_mono now, wrn_handle peer) {
    struct wrn_ring_peer *line = wrn_ring_peer(ring, peer);
    if (line == NULL) {
        return;
    }
    line->traffic = wrn_tick_of(now);
    if (line->idle.count == 0) {
        struct wrn_link *link = wrn_links_of(ring->links, peer);
        if (link == NULL) {
            return;
        }
        wrn_ring_set_due(ring, &line->idle,
                         wrn_mono_add(now, WRN_S(ring->options.on_demand_idle_s)));
        wrn_ring_keep(ring, link, link->mine | WRN_LINK_ON_DEMAND);
        settle(ring, now);
    }
}

void wrn_ring_on_time(struct wrn_ring *ring, wrn_mono now) {
    if (!wrn_mono_reached(now, ring->due)) {
        return;
    }
    expire_wants(ring, now);
    wrn_ring_find_on_time(ring, now);
    if (wrn_mono_reached(now, ring->peers_due)) {
        look_after_peers(ring, now);
    }
    if (wrn_mono_reached(now, ring->doubted) || wrn_mono_reached(now, ring->retry)) {
        ring->is_stale = true;
    }
    if (wrn_mono_reached(now, ring->leaf)) {
        drop_leaves(ring, now);
    }
    if (wrn_mono_reached(now, ring->join)) {
        join(ring, now);
    }
    if (wrn_mono_reached(now, ring->audit)) {
        wrn_ring_find_audit(ring, now);
    }
    if (ring->is_stale) {
        wrn_ring_near_update(ring, now);
    }
    if (wrn_mono_reached(now, ring->push)) {
        wrn_ring_status_push(ring, now);
    }
    wrn_ring_shortcut_on_time(ring, now);
    settle(ring, now);
}

wrn_mono wrn_ring_due(const struct wrn_ring *ring) {
    return ring->due;
}

enum wrn_ring_state wrn_ring_state(const struct wrn_ring *ring) {
    return ring->state;
}

uint64_t wrn_ring_size(const struct wrn_ring *ring) {
    return ring->size;
}

bool wrn_ring_accepts(const struct wrn_ring *ring, enum wrn_link_kind kind, wrn_id id) {
    const struct wrn_links *links = ring->links;
    if (wrn_id_equal(id, links->self) || wrn_links_at(links, id) != NULL) {
        return !wrn_id_equal(id, links->self);
    }
    if (kind == WRN_LINK_OVERLAP) {
        return true; /* who makes room for it knows which relays are idle, and lets these go */
    }
    if (kind == WRN_LINK_ON_DEMAND) {
        return accepts_traffic(ring);
    }
    if (links->count >= links->capacity) {
        return false;
    }
    uint32_t room = links->capacity - links->count;
    if (kind == WRN_LINK_LEAF || kind == WRN_LINK_NEAR) {
        if (room > (kind == WRN_LINK_LEAF ? WRN_RING_LEAF_ROOM : WRN_RING_ROOM)) {
            return true;
        }
    } else if (room > WRN_RING_ROOM) {
        return accepts_shortcut(ring);
    }
    if (kind != WRN_LINK_NEAR) {
        return false;
    }
    const struct wrn_link *right = wrn_links_right(links, WRN_NEAR_PER_SIDE - 1);
    const struct wrn_link *left = wrn_links_left(links, WRN_NEAR_PER_SIDE - 1);
    return right == NULL || left == NULL || wrn_id_is_between(links->self, id, right->id) ||
           wrn_id_is_between(left->id, id, links->self);
}

uint64_t wrn_ring_count(const struct wrn_ring *ring, enum wrn_ring_count count) {
    return ring->counts[count];
}

/* ---- for the other files ---- */

struct wrn_ring_peer *wrn_ring_peer(const struct wrn_ring *ring, wrn_handle handle) {
    for (uint32_t i = 0; i < ring->peer_count; i++) {
        if (wrn_handle_equal(ring->peers[i].handle, handle)) {
            return &ring->peers[i];
        }
    }
    return NULL;
}

void wrn_ring_set_due(struct wrn_ring *ring, wrn_tick *deadline, wrn_mono at) {
    *deadline = wrn_tick_of(at);
    ring->peers_due = wrn_mono_min(ring->peers_due, at);
}

void wrn_ring_keep(struct wrn_ring *ring, struct wrn_link *link, uint8_t kinds) {
    if (link->mine != kinds) {
        link->mine = kinds;
        ring->port.keep(ring->port.ctx, link->peer, kinds);
    }
}

wrn_mono wrn_ring_soon(struct wrn_ring *ring, wrn_mono now, uint64_t least_ns, uint64_t most_ns) {
    uint32_t span_ms = (uint32_t)((most_ns - least_ns) / WRN_MS(1));
    return wrn_mono_add(now, least_ns + WRN_MS(wrn_rand_below(ring->rand, span_ms + 1)));
}

bool wrn_ring_want(struct wrn_ring *ring, wrn_mono now, enum wrn_ring_purpose purpose,
                   enum wrn_link_kind kind, enum wrn_route_mode mode, wrn_id id,
                   wrn_handle teller) {
    struct wrn_ring_wanted *place = NULL;
    uint32_t same_teller = 0;
    for (size_t i = 0; i < WRN_RING_WANTS_MAX; i++) {
        struct wrn_ring_wanted *want = &ring->wants[i];
        if (want->purpose == WRN_RING_FOR_NOTHING) {
            place = place == NULL ? want : place;
        } else if (wrn_id_equal(want->id, id)) {
            return false;
        } else {
            same_teller += wrn_handle_equal(want->teller, teller);
        }
    }
    /* One that tells of ever new places must not use up all that there is. */
    if (place == NULL || (teller.generation != 0 && same_teller >= WRN_RING_WANTS_OF_ONE)) {
        return false;
    }
    /* The link that leads there may be gone since: then any. */
    wrn_handle first = wrn_ring_peer(ring, teller) != NULL ? teller : WRN_HANDLE_NONE;
    *place = (struct wrn_ring_wanted){.purpose = (uint8_t)purpose,
                                      .tag = ++ring->next_tag,
                                      .id = id,
                                      .teller = first,
                                      .deadline = wrn_tick_in(now, WRN_RING_WANT_NS),
                                      .kind = (uint8_t)kind};
    struct wrn_want want = {
        .tag = place->tag, .kind = kind, .mode = mode, .target = id, .steps = 0, .first = first};
    ring->counts[WRN_RING_COUNT_WANTS]++;
    ring->port.want(ring->port.ctx, &want);
    return true;
}

bool wrn_ring_is_wanted(const struct wrn_ring *ring, wrn_id id) {
    for (size_t i = 0; i < WRN_RING_WANTS_MAX; i++) {
        if (ring->wants[i].purpose != WRN_RING_FOR_NOTHING && wrn_id_equal(ring->wants[i].id, id)) {
            return true;
        }
    }
    return false;
}

uint32_t wrn_ring_wants_for(const struct wrn_ring *ring, enum wrn_ring_purpose purpose) {
    uint32_t count = 0;
    for (size_t i = 0; i < WRN_RING_WANTS_MAX; i++) {
        count += ring->wants[i].purpose == purpose;
    }
    return count;
}

struct wrn_link *wrn_ring_some_link(struct wrn_ring *ring) {
    struct wrn_links *links = ring->links;
    uint32_t others = 0;
    for (uint32_t i = 0; i < ring->peer_count; i++) {
        others += !ring->peers[i].is_best;
    }
    if (others == 0) {
        return links->count == 0 ? NULL : &links->links[wrn_rand_below(ring->rand, links->count)];
    }
    uint32_t chosen = wrn_rand_below(ring->rand, others);
    for (uint32_t i = 0; i < ring->peer_count; i++) {
        if (!ring->peers[i].is_best && chosen-- == 0) {
            return wrn_links_of(links, ring->peers[i].handle);
        }
    }
    return NULL;
}

bool wrn_ring_trusts(const struct wrn_ring *ring, wrn_mono now, wrn_handle handle) {
    const struct wrn_ring_peer *peer = wrn_ring_peer(ring, handle);
    return peer == NULL || !wrn_tick_is_ahead(now, peer->distrusted);
}

/* ---- helpers ---- */

/* Users come before shortcuts and idle relays, whoever makes room for them; but not before all. */
static bool accepts_traffic(const struct wrn_ring *ring) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < ring->links->count; i++) {
        const struct wrn_link *link = &ring->links->links[i];
        count += ((link->mine | link->theirs) & (WRN_LINK_ON_DEMAND | WRN_LINK_NEAR)) ==
                 WRN_LINK_ON_DEMAND;
    }
    return count < ring->links->capacity / 2;
}

/* Far links must not fill the table for good: those that are near, and newcomers, come later. */
static bool accepts_shortcut(const struct wrn_ring *ring) {
    uint32_t far = 0, shortcuts = 0;
    for (uint32_t i = 0; i < ring->links->count; i++) {
        const struct wrn_link *link = &ring->links->links[i];
        uint8_t kinds = link->mine | link->theirs;
        far += (kinds & (WRN_LINK_NEAR | WRN_LINK_LEAF)) == 0;
        shortcuts += (link->theirs & WRN_LINK_SHORTCUT) != 0;
    }
    if (far + 2 * WRN_NEAR_PER_SIDE + WRN_RING_ROOM >= ring->links->capacity) {
        return false;
    }
    return shortcuts < 8 + 4 * wrn_ring_shortcuts_here(ring);
}

/* Ends each input. */
static void settle(struct wrn_ring *ring, wrn_mono now) {
    if (ring->is_stale) {
        wrn_ring_near_update(ring, now);
    }
    find_due(ring, now);
}

static void find_due(struct wrn_ring *ring, wrn_mono now) {
    wrn_mono due = wrn_mono_min(ring->push, ring->join);
    due = wrn_mono_min(due, wrn_mono_min(ring->audit, ring->leaf));
    due = wrn_mono_min(due, wrn_mono_min(ring->shortcut, ring->judge));
    due = wrn_mono_min(due, ring->optimise);
    due = wrn_mono_min(due, wrn_mono_min(ring->peers_due, ring->doubted));
    due = wrn_mono_min(due, wrn_ring_find_due(ring));
    due = wrn_mono_min(due, ring->retry);
    for (size_t i = 0; i < WRN_RING_WANTS_MAX; i++) {
        if (ring->wants[i].purpose != WRN_RING_FOR_NOTHING) {
            due = wrn_mono_min(due, wrn_tick_mono(ring->wants[i].deadline, now));
        }
    }
    ring->due = due;
}

static struct wrn_ring_peer *add_peer(struct wrn_ring *ring, wrn_handle handle) {
    WRN_ASSERT(ring->peer_count < ring->links->capacity);
    struct wrn_ring_peer *peer = &ring->peers[ring->peer_count++];
    *peer = (struct wrn_ring_peer){.handle = handle};
    return peer;
}

/* 'link' is NULL if there is none. */
static void end_want(struct wrn_ring *ring, wrn_mono now, struct wrn_ring_wanted want,
                     struct wrn_link *link) {
    ring->is_stale = true;
    if (link == NULL) {
        ring->counts[WRN_RING_COUNT_WANTS_FAILED]++;
    }
    switch (want.purpose) {
    case WRN_RING_FOR_JOIN:
        if (link == NULL) {
            ring->join = wrn_ring_soon(ring, now, ring->join_wait_ns / 2, ring->join_wait_ns);
            ring->join_wait_ns = ring->join_wait_ns * 2 > WRN_RING_BACK_OFF_MAX_NS
                                     ? WRN_RING_BACK_OFF_MAX_NS
                                     : ring->join_wait_ns * 2;
        } else {
            ring->join_wait_ns = WRN_RING_BACK_OFF_MIN_NS;
            wrn_ring_keep(ring, link, link->mine | WRN_LINK_NEAR);
        }
        break;
    case WRN_RING_FOR_NEAR:
        if (link == NULL) {
            wrn_ring_near_failed(ring, now, want.id, want.teller);
        } else {
            wrn_ring_near_found(ring, want.id, want.teller);
            wrn_ring_keep(ring, link, link->mine | WRN_LINK_NEAR);
        }
        break;
    case WRN_RING_FOR_OTHER:
        if (link != NULL) {
            wrn_ring_keep(ring, link, link->mine | WRN_LINK_LEAF);
            ring->leaf = wrn_mono_min(ring->leaf, wrn_mono_add(now, WRN_RING_LEAF_NS));
            wrn_ring_find_look(ring, now, link);
        }
        break;
    default:
        wrn_ring_shortcut_done(ring, now, want.purpose, link);
        break;
    }
}

static void expire_wants(struct wrn_ring *ring, wrn_mono now) {
    for (size_t i = 0; i < WRN_RING_WANTS_MAX; i++) {
        struct wrn_ring_wanted want = ring->wants[i];
        if (want.purpose != WRN_RING_FOR_NOTHING && wrn_tick_reached(now, want.deadline)) {
            ring->wants[i].purpose = WRN_RING_FOR_NOTHING;
            end_want(ring, now, want, NULL);
        }
    }
}

/* Looks for whoever is nearest to us: what it says of its neighbours leads to the rest. */
static void join(struct wrn_ring *ring, wrn_mono now) {
    ring->join = WRN_MONO_NEVER;
    struct wrn_link *link = wrn_ring_some_link(ring);
    if (link == NULL || ring->state == WRN_RING_STATE_CONNECTED) {
        return;
    }
    if (!wrn_ring_want(ring, now, WRN_RING_FOR_JOIN, WRN_LINK_NEAR, WRN_ROUTE_NEAREST,
                       ring->links->self, link->peer)) {
        ring->join = wrn_ring_soon(ring, now, ring->join_wait_ns / 2, ring->join_wait_ns);
    }
}

/* The ring carries us: those who let us in are not needed any more. */
static void drop_leaves(struct wrn_ring *ring, wrn_mono now) {
    ring->leaf = WRN_MONO_NEVER;
    if (ring->state != WRN_RING_STATE_CONNECTED) {
        return; /* set anew when it is */
    }
    struct wrn_links *links = ring->links;
    for (uint32_t i = 0; i < links->count; i++) {
        struct wrn_link *link = &links->links[i];
        if ((link->mine & WRN_LINK_LEAF) == 0) {
            continue;
        }
        wrn_mono since = link->since.ns > ring->connected.ns ? link->since : ring->connected;
        wrn_mono until = wrn_mono_add(since, WRN_RING_LEAF_NS);
        if (wrn_mono_reached(now, until)) {
            wrn_ring_keep(ring, link, link->mine & (uint8_t)~WRN_LINK_LEAF);
        } else {
            ring->leaf = wrn_mono_min(ring->leaf, until);
        }
    }
}

/* One peer's deadlines. */
static void look_after(struct wrn_ring *ring, wrn_mono now, struct wrn_ring_peer *peer,
                       struct wrn_link *link) {
    if (wrn_tick_reached(now, peer->trim)) {
        peer->trim = WRN_TICK_NEVER;
        wrn_ring_keep(ring, link, link->mine & (uint8_t)~WRN_LINK_NEAR);
    }
    if (wrn_tick_reached(now, peer->relayed)) {
        peer->relayed = WRN_TICK_NEVER;
        if (link->is_relayed) {
            wrn_ring_keep(ring, link, link->mine & (uint8_t)~WRN_LINK_SHORTCUT);
            wrn_ring_shortcut_check(ring, now);
        }
    }
    if (wrn_tick_reached(now, peer->idle)) {
        wrn_mono until =
            wrn_mono_add(wrn_tick_mono(peer->traffic, now), WRN_S(ring->options.on_demand_idle_s));
        peer->idle = wrn_tick_of(until);
        if (wrn_mono_reached(now, until)) {
            peer->idle = WRN_TICK_NEVER;
            wrn_ring_keep(ring, link, link->mine & (uint8_t)~WRN_LINK_ON_DEMAND);
        }
    }
    if (wrn_tick_reached(now, peer->asked)) {
        peer->asked = WRN_TICK_NEVER;
        if (peer->heard_epoch != link->view_epoch && peer->asks < 3) {
            wrn_ring_status_ask(ring, now, peer);
        } else {
            peer->asks = 0; /* the next ping reminds us */
        }
    }
    if (wrn_tick_reached(now, peer->distrusted)) {
        peer->distrusted = WRN_TICK_NEVER;
        peer->lies = 0;
        ring->is_stale = true;
    }
}

static void look_after_peers(struct wrn_ring *ring, wrn_mono now) {
    ring->peers_due = WRN_MONO_NEVER;
    for (uint32_t i = 0; i < ring->peer_count; i++) {
        struct wrn_ring_peer *peer = &ring->peers[i];
        struct wrn_link *link = wrn_links_of(ring->links, peer->handle);
        if (link == NULL) {
            continue; /* its end is on the way to us */
        }
        look_after(ring, now, peer, link);
        const wrn_tick dues[] = {peer->trim, peer->relayed, peer->idle, peer->asked,
                                 peer->distrusted};
        for (size_t k = 0; k < WRN_COUNT(dues); k++) {
            ring->peers_due = wrn_mono_min(ring->peers_due, wrn_tick_mono(dues[k], now));
        }
    }
}
