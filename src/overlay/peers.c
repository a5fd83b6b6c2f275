/* SPDX-License-Identifier: Apache-2.0 */
/* The peers of a node from the first word to the last: their states and deadlines, when a link is
 * up, what it is kept for, who has to go when there is no room. Says nothing itself (greet.c). */
#include "overlay/overlay_internal.h"

enum {
    GIVE_UP_STRANGER_S = 8,
    GIVE_UP_SEARCH_S = 40, /* the ladder of paths takes 20 s; a relay is found meanwhile */
    GIVE_UP_GREETING_S = 10,
    TRIM_LEAST_S = 10,
    TRIM_MORE_S = 20,
    OTHER_NUMBER_S = 15,
    KINDS_RETRY_S = 2,
    KINDS_TRIES_MAX = 6,
    NEAR_PERIOD_S = 60,   /* the ring must notice when a neighbour dies; others need not */
    ADMIT_CHECK_S = 3600, /* so that a wall clock that jumped is noticed */
    ADMIT_LEAD_S = 60,    /* so long before its end an admission is asked for again */
    ADMIT_ASK_AGAIN_S = 2,
    YOUNG_S = 15,     /* so long nobody is turned out for another one, but for a neighbour */
    YOUNG_LEAF_S = 5, /* ... a newcomer: it has found others meanwhile, or tries again elsewhere */
    SHUN_LEAST_S = 60,
    SHUN_MORE_S = 240,
};

/* How much a peer is needed when there is no room for others. */
enum need {
    NEED_NONE,
    NEED_LEAF,     /* a newcomer that had its time, a relay that nobody uses */
    NEED_TRAFFIC,  /* the user has another try */
    NEED_SHORTCUT, /* others do as well */
    NEED_YOUNG,    /* any of these, but it came just now */
    NEED_RELAY,    /* somebody is reached through it */
    NEED_STAYS,
};

static uint32_t limit_for(const struct wrn_overlay *overlay, uint8_t kind);
static bool make_room(struct wrn_overlay *overlay, uint8_t kind);
static enum need need_of(const struct wrn_overlay *overlay, const struct wrn_overlay_peer *peer,
                         const struct wrn_link *link);
static void leave_table(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                        enum wrn_reason reason);
static uint64_t admitted_for_s(const struct wrn_overlay *overlay,
                               const struct wrn_overlay_peer *peer);
static void check_admission(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer);
static bool on_time_up(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer);
static uint8_t effort_of(uint8_t nat_class);
static void act_peer(struct wrn_overlay *overlay, enum wrn_overlay_action_kind kind,
                     const struct wrn_overlay_peer *peer, enum wrn_reason reason);

/* Which state may follow which. */
static const uint8_t arrows[WRN_PEER_STATES] = {
    [WRN_PEER_STATE_NONE] = 1u << WRN_PEER_STATE_STRANGER | 1u << WRN_PEER_STATE_SEARCHING |
                            1u << WRN_PEER_STATE_GREETING,
    [WRN_PEER_STATE_STRANGER] =
        1u << WRN_PEER_STATE_SEARCHING | 1u << WRN_PEER_STATE_GREETING | 1u << WRN_PEER_STATE_NONE,
    [WRN_PEER_STATE_SEARCHING] = 1u << WRN_PEER_STATE_GREETING | 1u << WRN_PEER_STATE_NONE,
    [WRN_PEER_STATE_GREETING] = 1u << WRN_PEER_STATE_UP | 1u << WRN_PEER_STATE_NONE,
    [WRN_PEER_STATE_UP] = 1u << WRN_PEER_STATE_GREETING | 1u << WRN_PEER_STATE_NONE,
};

enum wrn_reason wrn_peers_make_pair(struct wrn_overlay *overlay,
                                    const uint8_t tunnel_key[WRN_KEY_SIZE], uint64_t our_number,
                                    struct wrn_pair *ret_pair) {
    uint64_t number = our_number ? our_number : wrn_peers_draw_number(overlay);
    bool ok = wrn_pair_init(ret_pair, overlay->primitives, overlay->tunnel_private,
                            overlay->tunnel_public, tunnel_key, number, wrn_overlay_draw(overlay));
    return ok ? WRN_REASON_NONE : WRN_REASON_WRONG_KEY;
}

struct wrn_overlay_peer *wrn_peers_add(struct wrn_overlay *overlay,
                                       const struct wrn_locator *locator,
                                       const struct wrn_pair *pair, uint64_t our_number,
                                       uint8_t kind, enum wrn_reason *reterr_reason) {
    wrn_handle handle;
    struct wrn_pair made;
    if (wrn_id_equal(locator->id, overlay->id)) {
        *reterr_reason = WRN_REASON_SELF;
        return NULL;
    }
    if (wrn_peers_at(overlay, locator->id) || overlay->pending > overlay->peers_max / 2 ||
        (overlay->pool.live >= limit_for(overlay, kind) && !make_room(overlay, kind))) {
        *reterr_reason = WRN_REASON_FULL;
        return NULL;
    }
    if (!pair) {
        *reterr_reason = wrn_peers_make_pair(overlay, locator->tunnel_key, our_number, &made);
        if (*reterr_reason != WRN_REASON_NONE) {
            return NULL;
        }
    }
    struct wrn_overlay_peer *peer = wrn_pool_take(&overlay->pool, &handle);
    WRN_ASSERT(peer);
    peer->pair = pair ? *pair : made;
    wrn_pair_finish(&made);
    peer->handle = handle;
    peer->id = locator->id;
    memcpy(peer->public_key, locator->public_key, sizeof(peer->public_key));
    memcpy(peer->tunnel_key, locator->tunnel_key, sizeof(peer->tunnel_key));
    wrn_peers_learn(overlay, peer, locator);
    wrn_peers_enter(overlay, peer);
    overlay->pending++;
    return peer;
}

void wrn_peers_learn(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                     const struct wrn_locator *locator) {
    (void)overlay;
    if (locator->sequence < peer->locator_sequence) {
        return;
    }
    peer->locator_sequence = locator->sequence;
    peer->nat_class = locator->nat_class & 15u;
    peer->relays_for_others = locator->relays;
    peer->speaks_aes = locator->speaks_aes;
    peer->relay_count =
        (locator->relay_count < WRN_PEER_RELAYS ? locator->relay_count : WRN_PEER_RELAYS) & 15u;
    for (size_t i = 0; i < peer->relay_count; i++) {
        peer->relays[i] = locator->relay_ids[i];
    }
}

/* A message over the ring, or from a stranger, says by which number the peer goes. Nobody has
 * proven that yet; so a number that works is not given up for it: until the peer has proven itself,
 * what proves it is sent to both. Before the link is up the newer number is the likelier one: the
 * older may be of a request that we answered and that somebody else answered first. */
void wrn_peers_hear_number(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                           uint64_t number) {
    if (peer->pair.their_receiver == number) {
        return;
    }
    if (peer->state == WRN_PEER_STATE_UP) {
        peer->their_other = number;
        peer->state_due = wrn_tick_in(overlay->now.mono, WRN_S(OTHER_NUMBER_S));
        wrn_peers_arm(overlay, peer);
    } else {
        peer->their_other = peer->pair.their_receiver;
        peer->pair.their_receiver = number;
    }
}

void wrn_peers_set_state(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                         enum wrn_peer_state state) {
    static const uint32_t limits_s[WRN_PEER_STATES] = {
        [WRN_PEER_STATE_STRANGER] = GIVE_UP_STRANGER_S,
        [WRN_PEER_STATE_SEARCHING] = GIVE_UP_SEARCH_S,
        [WRN_PEER_STATE_GREETING] = GIVE_UP_GREETING_S,
    };
    WRN_ASSERT(arrows[peer->state] >> state & 1u);
    if (peer->state == WRN_PEER_STATE_UP || state == WRN_PEER_STATE_UP) {
        overlay->pending += state == WRN_PEER_STATE_UP ? UINT32_MAX : 1;
    }
    peer->state = (uint8_t)state & 15u;
    peer->state_due = WRN_TICK_NEVER;
    peer->give_up =
        limits_s[state] ? wrn_tick_in(overlay->now.mono, WRN_S(limits_s[state])) : WRN_TICK_NEVER;
    peer->tries = 0;
    wrn_peers_arm(overlay, peer);
}

void wrn_peers_arm(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer) {
    wrn_mono now = overlay->now.mono;
    wrn_mono due = wrn_mono_min(wrn_tick_mono(peer->state_due, now),
                                wrn_tick_mono(peer->give_up, now)); /* or to trim it */
    if (peer->state == WRN_PEER_STATE_UP) {
        due = wrn_mono_min(due, wrn_tick_mono(peer->admit_due, now));
        due = wrn_mono_min(due, wrn_tick_mono(peer->kinds_due, now));
    }
    wrn_dues_set(&overlay->dues, peer->handle.index, due);
}

void wrn_peers_up(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer) {
    wrn_mono now = overlay->now.mono;
    enum wrn_reason why = WRN_REASON_NONE;
    uint32_t rtt_us = 0;
    struct wrn_link *link = wrn_links_add(&overlay->links, peer->handle, peer->id);
    if (!link) {
        wrn_peers_remove(overlay, peer, WRN_REASON_FULL, true);
        return;
    }
    wrn_peers_set_state(overlay, peer, WRN_PEER_STATE_UP);
    (void)wrn_paths_state(overlay->paths, peer->handle, &why, &rtt_us);
    peer->is_relayed = wrn_paths_way(overlay->paths, peer->handle)->kind == WRN_WAY_RELAY;
    link->mine = peer->held & WRN_LINK_LEAF; /* the ring's from now on */
    peer->held &= (uint8_t)~WRN_LINK_LEAF;
    link->theirs = peer->theirs;
    link->rtt_us = rtt_us;
    link->is_relayed = peer->is_relayed;
    link->since = now;
    peer->is_back = false;
    if (peer->their_other != 0) {
        peer->state_due = wrn_tick_in(now, WRN_S(OTHER_NUMBER_S));
    }
    peer->asked_again = peer->is_hurried = false;
    wrn_peers_admission(overlay, peer);
    act_peer(overlay, WRN_OVERLAY_PEER_UP, peer, WRN_REASON_NONE);
    wrn_relay_set_willing(overlay->relay, peer->handle, peer->relays_for_others);
    wrn_relay_set_effort(overlay->relay, peer->handle, effort_of(peer->nat_class));
    wrn_ring_on_link_up(overlay->ring, now, peer->handle);
    wrn_linker_on_up(overlay, peer);
    wrn_join_on_up(overlay, peer);
    wrn_peers_on_kinds(overlay, peer);
}

void wrn_peers_cut(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                   enum wrn_reason reason) {
    WRN_ASSERT(reason == WRN_REASON_RESTARTED && peer->state == WRN_PEER_STATE_UP);
    leave_table(overlay, peer, reason);
    peer->admitted = peer->welcomed = peer->knows_kinds = false;
    peer->theirs = 0;
    peer->their_kinds_number = 0;
    peer->random = 0;
    peer->trim_due = peer->admit_due = peer->kinds_due = WRN_TICK_NEVER;
    peer->is_back = true;
    wrn_peers_set_state(overlay, peer, WRN_PEER_STATE_GREETING);
    wrn_join_on_down(overlay, peer, reason);
}

void wrn_peers_remove(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                      enum wrn_reason reason, bool tell) {
    wrn_handle handle = peer->handle;
    wrn_id id = peer->id;
    bool was_up = peer->state == WRN_PEER_STATE_UP;
    if (tell) {
        wrn_greet_bye(overlay, peer, reason);
    }
    if (was_up) {
        leave_table(overlay, peer, reason);
    } else {
        if (peer->is_back) {
            act_peer(overlay, WRN_OVERLAY_PEER_DOWN, peer, reason);
        }
        wrn_relay_on_peer_down(overlay->relay, overlay->now.mono, handle);
    }
    wrn_join_on_down(overlay, peer, reason);
    wrn_relay_forget(overlay->relay, overlay->now.mono, handle);
    wrn_paths_forget(overlay->paths, handle);
    wrn_join_forget_stranger(overlay, handle);
    wrn_peers_set_state(overlay, peer, WRN_PEER_STATE_NONE);
    overlay->pending--;
    wrn_dues_set(&overlay->dues, handle.index, WRN_MONO_NEVER);
    wrn_pair_finish(&peer->pair);
    wrn_pool_give(&overlay->pool, handle);
    wrn_peers_leave(overlay);
    wrn_linker_on_down(overlay, handle, id, reason);
}

uint8_t wrn_peers_kinds(const struct wrn_overlay *overlay, const struct wrn_overlay_peer *peer) {
    const struct wrn_link *link =
        peer->state == WRN_PEER_STATE_UP ? wrn_links_of(&overlay->links, peer->handle) : NULL;
    return (uint8_t)(peer->held | peer->wanted | (link ? link->mine : 0));
}

void wrn_peers_on_kinds(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer) {
    if (peer->state != WRN_PEER_STATE_UP) {
        return;
    }
    wrn_mono now = overlay->now.mono;
    uint8_t kinds = wrn_peers_kinds(overlay, peer);
    wrn_peers_set_eager(overlay, peer);
    if (kinds != peer->told) {
        peer->told = kinds;
        peer->kinds_number++;
        peer->knows_kinds = false;
        peer->tries = 0;
        peer->kinds_due = wrn_tick_in(now, WRN_S(KINDS_RETRY_S));
        wrn_greet_kinds(overlay, peer, true);
    }
    bool is_near = ((kinds | peer->theirs) & WRN_LINK_NEAR) != 0;
    wrn_paths_set_period(overlay->paths, now, peer->handle, is_near ? NEAR_PERIOD_S : 0);
    if ((kinds | peer->theirs) != 0) {
        peer->trim_due = WRN_TICK_NEVER;
    } else if (peer->trim_due.count == 0) {
        uint32_t more_s = wrn_rand_below(overlay->rand, TRIM_MORE_S + 1);
        peer->trim_due = wrn_tick_in(now, WRN_S(TRIM_LEAST_S + more_s));
    }
    wrn_peers_arm(overlay, peer);
}

void wrn_peers_take_theirs(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                           uint8_t kinds) {
    struct wrn_link *link = wrn_links_of(&overlay->links, peer->handle);
    peer->theirs = kinds;
    if (link && link->theirs != kinds) {
        link->theirs = kinds;
        wrn_ring_on_link_change(overlay->ring, overlay->now.mono, peer->handle);
    }
    wrn_peers_on_kinds(overlay, peer);
}

void wrn_peers_prove(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                     uint64_t incarnation) {
    uint64_t before = peer->pair.their_incarnation;
    wrn_pair_prove(&peer->pair, incarnation);
    if (before != 0 && before != peer->pair.their_incarnation && peer->state == WRN_PEER_STATE_UP) {
        wrn_peers_cut(overlay, peer, WRN_REASON_RESTARTED);
    }
}

void wrn_peers_hold(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer, uint8_t kind,
                    bool is_needed) {
    peer->held = (uint8_t)(is_needed ? peer->held | kind : peer->held & ~kind);
    wrn_peers_on_kinds(overlay, peer);
}

void wrn_peers_set_eager(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer) {
    uint8_t kinds = (uint8_t)(wrn_peers_kinds(overlay, peer) | peer->theirs);
    wrn_paths_set_eager(overlay->paths, overlay->now.mono, peer->handle,
                        (kinds & WRN_LINK_ON_DEMAND) != 0);
}

bool wrn_peers_may_be_relayed(const struct wrn_overlay *overlay,
                              const struct wrn_overlay_peer *peer) {
    uint8_t kinds = (uint8_t)(wrn_peers_kinds(overlay, peer) | peer->theirs);
    return (kinds & (WRN_LINK_NEAR | WRN_LINK_LEAF | WRN_LINK_ON_DEMAND)) != 0;
}

enum wrn_reason wrn_peers_search(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                                 const struct wrn_locator *locator, bool we_asked) {
    if (peer->state == WRN_PEER_STATE_NONE || peer->state == WRN_PEER_STATE_STRANGER) {
        wrn_join_forget_stranger(overlay, peer->handle);
        wrn_peers_set_state(overlay, peer, WRN_PEER_STATE_SEARCHING);
    } else if (peer->state == WRN_PEER_STATE_SEARCHING) { /* for somebody else; its time begins */
        peer->give_up = wrn_tick_in(overlay->now.mono, WRN_S(GIVE_UP_SEARCH_S));
        wrn_peers_arm(overlay, peer);
    }
    enum wrn_reason reason =
        wrn_paths_search(overlay->paths, overlay->now.mono, peer->handle, locator, we_asked);
    wrn_peers_set_eager(overlay, peer);
    return reason;
}

void wrn_peers_on_way(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                      const struct wrn_way *way, enum wrn_reason reason) {
    wrn_mono now = overlay->now.mono;
    if (way->kind == WRN_WAY_NONE) {
        wrn_peers_remove(overlay, peer, reason ? reason : WRN_REASON_UNREACHABLE, false);
        return;
    }
    bool was_relayed = peer->is_relayed;
    peer->is_relayed = way->kind == WRN_WAY_RELAY;
    if (!peer->is_relayed) {
        wrn_relay_forget(overlay->relay, now, peer->handle);
    } else if (!was_relayed) {
        wrn_relay_on_peer_down(overlay->relay, now, peer->handle);
    }
    if (peer->state == WRN_PEER_STATE_SEARCHING) {
        wrn_peers_set_state(overlay, peer, WRN_PEER_STATE_GREETING);
        wrn_greet_begin(overlay, peer);
        return;
    }
    struct wrn_link *link = wrn_links_of(&overlay->links, peer->handle);
    if (link) {
        act_peer(overlay, WRN_OVERLAY_PEER_WAY, peer, reason);
        if (link->is_relayed != peer->is_relayed) {
            link->is_relayed = peer->is_relayed;
            wrn_ring_on_link_change(overlay->ring, now, peer->handle);
        }
    }
}

void wrn_peers_on_heard(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer, uint32_t rtt_us,
                        uint32_t epoch) {
    wrn_mono now = overlay->now.mono;
    struct wrn_link *link = wrn_links_of(&overlay->links, peer->handle);
    if (!link) {
        return;
    }
    wrn_route_on_heard(overlay->route, peer->handle);
    uint32_t change = rtt_us > link->rtt_us ? rtt_us - link->rtt_us : link->rtt_us - rtt_us;
    bool is_news = change > link->rtt_us / 4;
    if (is_news) { /* the ring's choices need no more than that */
        link->rtt_us = rtt_us;
        wrn_ring_on_link_change(overlay->ring, now, peer->handle);
    }
    wrn_ring_on_epoch(overlay->ring, now, peer->handle, epoch);
}

void wrn_peers_on_time(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer) {
    wrn_mono now = overlay->now.mono;
    if (peer->state == WRN_PEER_STATE_UP) {
        if (on_time_up(overlay, peer)) {
            wrn_peers_arm(overlay, peer);
        }
    } else if (wrn_tick_reached(now, peer->give_up)) {
        enum wrn_reason reason =
            peer->state == WRN_PEER_STATE_SEARCHING ? WRN_REASON_UNREACHABLE : WRN_REASON_TIMEOUT;
        wrn_peers_remove(overlay, peer, reason, false);
    } else {
        if (peer->state == WRN_PEER_STATE_GREETING && wrn_tick_reached(now, peer->state_due)) {
            wrn_greet_hello(overlay, peer, NULL, 0);
        }
        wrn_peers_arm(overlay, peer);
    }
}

/* Sets when the admission is looked at again. */
void wrn_peers_admission(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer) {
    peer->admit_due = WRN_TICK_NEVER;
    if (overlay->admit && peer->state == WRN_PEER_STATE_UP) {
        uint64_t left_s = admitted_for_s(overlay, peer);
        uint64_t lead_s = left_s / 4 < ADMIT_LEAD_S ? left_s / 4 : ADMIT_LEAD_S;
        uint64_t wait_s = left_s - lead_s < ADMIT_CHECK_S ? left_s - lead_s : ADMIT_CHECK_S;
        if (peer->asked_again) {
            wait_s = left_s < ADMIT_ASK_AGAIN_S ? left_s : ADMIT_ASK_AGAIN_S;
        }
        peer->admit_due = wrn_tick_in(overlay->now.mono, WRN_S(wait_s));
        wrn_peers_arm(overlay, peer);
    }
}

void wrn_peers_shun(struct wrn_overlay *overlay, wrn_id id, enum wrn_reason reason, bool by_them) {
    struct wrn_shunned *oldest = &overlay->shunned[0];
    for (size_t i = 0; i < WRN_SHUNNED_MAX; i++) {
        struct wrn_shunned *entry = &overlay->shunned[i];
        if (wrn_id_equal(entry->id, id)) {
            oldest = entry;
            break;
        }
        if (entry->until_s < oldest->until_s) {
            oldest = entry;
        }
    }
    uint32_t more_s = wrn_rand_below(overlay->rand, SHUN_MORE_S);
    oldest->id = id;
    oldest->reason = (uint8_t)reason;
    oldest->by_them = by_them;
    oldest->until_s = (uint32_t)(overlay->now.mono.ns / WRN_S(1)) + SHUN_LEAST_S + more_s;
}

enum wrn_reason wrn_peers_shunned(const struct wrn_overlay *overlay, wrn_id id) {
    uint32_t now_s = (uint32_t)(overlay->now.mono.ns / WRN_S(1));
    for (size_t i = 0; i < WRN_SHUNNED_MAX; i++) {
        const struct wrn_shunned *entry = &overlay->shunned[i];
        if (wrn_id_equal(entry->id, id) && now_s < entry->until_s) {
            return entry->reason;
        }
    }
    return WRN_REASON_NONE;
}

/* ---- helpers ---- */

/* Deadlines of a peer that is UP. False if the peer is gone. */
static bool on_time_up(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer) {
    wrn_mono now = overlay->now.mono;
    if (wrn_tick_reached(now, peer->trim_due)) {
        wrn_peers_remove(overlay, peer, WRN_REASON_NOT_NEEDED, true);
        return false;
    }
    if (wrn_tick_reached(now, peer->state_due)) {
        peer->state_due = WRN_TICK_NEVER;
        peer->their_other = 0;
    }
    if (wrn_tick_reached(now, peer->kinds_due)) {
        peer->kinds_due = WRN_TICK_NEVER;
        peer->tries++;
        if (!peer->knows_kinds && peer->tries >= KINDS_TRIES_MAX) {
            wrn_paths_check(overlay->paths, now, peer->handle);
        } else if (!peer->knows_kinds) {
            peer->kinds_due =
                wrn_tick_in(now, wrn_overlay_jitter(overlay, WRN_S(KINDS_RETRY_S) << peer->tries));
            wrn_greet_kinds(overlay, peer, true);
        }
    }
    if (wrn_tick_reached(now, peer->admit_due)) {
        if (overlay->now.wall.s >= peer->until_s) {
            /* One that did not answer in time may be asleep: it is not told to stay away. */
            wrn_greet_bye(overlay, peer,
                          peer->is_hurried ? WRN_REASON_TIMEOUT : WRN_REASON_EXPIRED);
            wrn_peers_remove(overlay, peer, WRN_REASON_EXPIRED, false);
            return false;
        }
        check_admission(overlay, peer);
    }
    return true;
}

/* Whatever the clock says: the wall clock may jump, the end may be never. */
static uint64_t admitted_for_s(const struct wrn_overlay *overlay,
                               const struct wrn_overlay_peer *peer) {
    int64_t now_s = overlay->now.wall.s;
    return peer->until_s > now_s ? (uint64_t)peer->until_s - (uint64_t)now_s : 0;
}

/* The admission ends soon, unless this is but the hourly look. */
static void check_admission(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer) {
    if (peer->asked_again || admitted_for_s(overlay, peer) <= ADMIT_LEAD_S) {
        if (!peer->asked_again) {
            peer->random = 0; /* an answer that is under way shows nothing */
        }
        peer->asked_again = true;
        wrn_greet_hello(overlay, peer, NULL, 0);
    }
    wrn_peers_admission(overlay, peer);
}

/* The link of a peer that was UP is gone: all who knew of it are told. */
static void leave_table(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                        enum wrn_reason reason) {
    wrn_mono now = overlay->now.mono;
    wrn_links_remove(&overlay->links, peer->handle);
    /* Who looks for a relay to us must not be sent to one that has no link to us any more. */
    overlay->locator_dirty = overlay->locator_dirty || peer->relays_for_others;
    wrn_relay_on_peer_down(overlay->relay, now, peer->handle);
    wrn_route_on_link_down(overlay->route, now, peer->handle);
    wrn_ring_on_link_down(overlay->ring, now, peer->handle, peer->id);
    act_peer(overlay, WRN_OVERLAY_PEER_DOWN, peer, reason);
}

/* Returns how many peers there may be before one of this kind. Those that the ring can do without
 * leave some room for neighbours, and for newcomers that want to be let in. */
static uint32_t limit_for(const struct wrn_overlay *overlay, uint8_t kind) {
    bool may_fill = (kind & (WRN_LINK_NEAR | WRN_LINK_LEAF)) != 0;
    uint32_t parts = may_fill ? 0 : kind == WRN_LINK_OVERLAP ? 2 : 1; /* its own users come first */
    return overlay->peers_max - parts * (overlay->peers_max / 8 + 1);
}

/* Lets go of the peer that is needed least, and of these the one that is there longest, if that is
 * less than a link of 'kind'. The ring needs neighbours more than anybody needs anything else; and
 * who forwards for many is often the one that lets others in: half of its places are theirs. */
static bool make_room(struct wrn_overlay *overlay, uint8_t kind) {
    bool is_for_users = kind == WRN_LINK_ON_DEMAND || kind == WRN_LINK_OVERLAP;
    enum need limit = (kind & WRN_LINK_NEAR) != 0                   ? NEED_STAYS
                      : (kind & WRN_LINK_LEAF) != 0 || is_for_users ? NEED_YOUNG
                                                                    : NEED_TRAFFIC;
    struct wrn_overlay_peer *least = NULL, *relayed = NULL;
    wrn_mono since = WRN_MONO_NEVER, relayed_since = WRN_MONO_NEVER;
    uint32_t cursor = 0, relays = 0;
    for (struct wrn_overlay_peer *peer = wrn_peers_next(overlay, &cursor); peer;
         peer = wrn_peers_next(overlay, &cursor)) {
        const struct wrn_link *link = wrn_links_of(&overlay->links, peer->handle);
        enum need need = link ? need_of(overlay, peer, link) : NEED_STAYS;
        if (need == NEED_RELAY) {
            relays++;
            bool is_oldest = wrn_mono_before(link->since, relayed_since);
            if (is_oldest && wrn_peers_kinds(overlay, peer) == 0) {
                relayed = peer;
                relayed_since = link->since;
            }
        }
        if (is_for_users && need == NEED_TRAFFIC) {
            continue; /* not one user for another */
        }
        if (need < limit || (least && need == limit && wrn_mono_before(link->since, since))) {
            limit = need;
            least = peer;
            since = link->since;
        }
    }
    if (kind == WRN_LINK_OVERLAP && relays >= overlay->peers_max / 8 * 5) {
        return false; /* a node is there for its own users, too */
    }
    if (!least && (kind & (WRN_LINK_NEAR | WRN_LINK_LEAF)) != 0 &&
        relays >= overlay->peers_max / 2) {
        least = relayed;
    }
    if (least) {
        wrn_peers_remove(overlay, least, WRN_REASON_FULL, true);
    }
    return least != NULL;
}

static enum need need_of(const struct wrn_overlay *overlay, const struct wrn_overlay_peer *peer,
                         const struct wrn_link *link) {
    uint8_t kinds = (uint8_t)(wrn_peers_kinds(overlay, peer) | peer->theirs);
    uint64_t age_ns = wrn_mono_since(overlay->now.mono, link->since);
    if ((kinds & WRN_LINK_NEAR) != 0) {
        return NEED_STAYS;
    }
    if (wrn_relay_is_used(overlay->relay, peer->handle)) {
        return NEED_RELAY;
    }
    if (kinds == 0) {
        return NEED_NONE;
    }
    bool is_ours = wrn_peers_kinds(overlay, peer) != 0;
    if ((kinds & ~(WRN_LINK_LEAF | WRN_LINK_OVERLAP)) == 0 && !is_ours) {
        return age_ns < WRN_S(YOUNG_LEAF_S) ? NEED_YOUNG : NEED_LEAF;
    }
    if (age_ns < WRN_S(YOUNG_S)) {
        return NEED_YOUNG;
    }
    return (kinds & WRN_LINK_SHORTCUT) != 0 ? NEED_SHORTCUT : NEED_TRAFFIC;
}

/* How hard others find it to reach a node behind such a NAT. */
static uint8_t effort_of(uint8_t nat_class) {
    switch (nat_class) {
    case WRN_NAT_CLASS_NONE:
        return 0;
    case WRN_NAT_CLASS_ENDPOINT_INDEPENDENT:
        return 1;
    default:
        return 2;
    }
}

static void act_peer(struct wrn_overlay *overlay, enum wrn_overlay_action_kind kind,
                     const struct wrn_overlay_peer *peer, enum wrn_reason reason) {
    struct wrn_overlay_action *action = wrn_overlay_act(overlay, kind, 0, NULL);
    if (action) {
        action->peer = peer->handle;
        action->id = peer->id;
        action->reason = reason;
    }
}
