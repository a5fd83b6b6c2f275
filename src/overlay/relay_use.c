/* SPDX-License-Identifier: Apache-2.0 */
/* The relays that we use: slots that were granted or offered to us, from their coming to their end.
 * Which node to ask is decided in relay_search.c. */
#include "overlay/relay_state.h"

enum { OFFERED_MIN = 4, OFFERED_SHARE = 2, LINGERS_MAX = 12 };

static struct use *take_use(struct wrn_relay *relay, wrn_handle peer, wrn_id id);
static void give_use(struct wrn_relay *relay, wrn_mono now, struct use *use);
static bool make_room(struct wrn_relay *relay, wrn_mono now);
static uint32_t index_of(const struct wrn_relay *relay, const struct use *use);
static struct edge *asked_edge(const struct wrn_relay *relay, wrn_handle peer, uint32_t number,
                               struct use **ret_use);
static struct edge *free_edge(struct use *use, bool is_ours);
static void bring_up(struct wrn_relay *relay, wrn_mono now, struct use *use, struct edge *edge,
                     wrn_handle peer, uint64_t slot);
static void take_down(struct wrn_relay *relay, wrn_mono now, struct use *use, struct edge *edge);
static void close_edge(struct wrn_relay *relay, wrn_mono now, struct use *use, struct edge *edge,
                       enum wrn_reason reason);
static void lose(struct wrn_relay *relay, wrn_mono now, struct use *use, struct edge *edge);
static void call_bad(struct wrn_relay *relay, wrn_mono now, struct use *use, struct edge *edge);
static bool tell_again(struct wrn_relay *relay, wrn_mono now, struct use *use, struct edge *edge,
                       bool was_searching);
static bool has_up(const struct use *use);
static bool has_fresh(const struct use *use, wrn_mono now);
static bool is_spare(const struct use *use, wrn_mono now, const struct edge *edge);
static void tell(struct wrn_relay *relay, struct use *use);
static void refresh(struct wrn_relay *relay, wrn_mono now, struct use *use);
static wrn_mono edge_due(const struct edge *edge, wrn_mono now, bool is_forgotten);
static wrn_mono after(wrn_tick tick, wrn_mono now, uint64_t ns);
static void on_use_time(struct wrn_relay *relay, wrn_mono now, struct use *use);
static void on_edge_time(struct wrn_relay *relay, wrn_mono now, struct use *use, struct edge *edge);
static bool still_lingers(struct use *use, wrn_mono now);

enum wrn_reason wrn_relay_search(struct wrn_relay *relay, wrn_mono now, wrn_handle peer, wrn_id id,
                                 const wrn_id *their_relays, size_t count) {
    uint8_t kept = (uint8_t)(count < WRN_LOCATOR_RELAYS_MAX ? count : WRN_LOCATOR_RELAYS_MAX);
    struct use *use = relay_use_of(relay, peer);
    if (use == NULL && make_room(relay, now)) {
        use = take_use(relay, peer, id);
    }
    if (use == NULL) {
        return WRN_REASON_FULL;
    }
    bool was_searching = use->is_searching;
    bool is_news = !was_searching || kept != use->their_count;
    for (uint32_t i = 0; i < kept; i++) {
        is_news = is_news || !wrn_id_equal(use->theirs[i], their_relays[i]);
        use->theirs[i] = their_relays[i];
    }
    use->their_count = kept;
    use->is_searching = true;
    use->linger = WRN_TICK_NEVER;
    use->lingers = 0;
    for (uint32_t i = 0; i < EDGES; i++) {
        is_news = tell_again(relay, now, use, &use->edges[i], was_searching) || is_news;
    }
    if (has_up(use)) {
        wrn_mono spare = wrn_tick_mono(use->next_spare, now);
        use->next_spare = wrn_tick_of(wrn_mono_min(spare, wrn_mono_add(now, SPARE_FIRST)));
    } else if (is_news && !use->is_in_round) {
        relay_search_begin(relay, now, use);
    }
    refresh(relay, now, use);
    return WRN_REASON_NONE;
}

void wrn_relay_forget(struct wrn_relay *relay, wrn_mono now, wrn_handle peer) {
    struct use *use = relay_use_of(relay, peer);
    if (use == NULL || use->linger.count != 0) {
        return;
    }
    use->is_searching = false;
    use->is_in_round = false;
    use->tells_none = false;
    use->want_tag = 0;
    use->is_woken = false;
    use->next_round = WRN_TICK_NEVER;
    use->next_spare = WRN_TICK_NEVER;
    use->linger = wrn_tick_in(now, LINGER);
    use->lingers = 0;
    relay_release(relay, now, relay_handle(relay, use->spare));
    use->spare = (struct mate_ref){0};
    for (uint32_t i = 0; i < EDGES; i++) {
        use->edges[i].is_heard = false; /* from now on: does the peer still use it? */
        use->edges[i].is_new = false;
        if (use->edges[i].state != EDGE_UP) {
            use->edges[i] = (struct edge){0};
        }
    }
    refresh(relay, now, use);
}

void wrn_relay_on_bad(struct wrn_relay *relay, wrn_mono now, wrn_handle peer,
                      const struct wrn_way *way) {
    struct use *use;
    struct edge *edge =
        way->kind == WRN_WAY_RELAY ? relay_slot_edge(relay, way->relay, way->slot, &use) : NULL;
    if (edge == NULL || !relay_is(use->peer, peer)) {
        return;
    }
    call_bad(relay, now, use, edge);
    if (use->is_searching && !has_up(use)) {
        relay_search_begin(relay, now, use);
    }
    refresh(relay, now, use);
}

void wrn_relay_on_sent(struct wrn_relay *relay, wrn_mono now, const struct wrn_way *way) {
    struct use *use;
    struct edge *edge =
        way->kind == WRN_WAY_RELAY ? relay_slot_edge(relay, way->relay, way->slot, &use) : NULL;
    if (edge != NULL) {
        edge->when = wrn_tick_of(now);
    }
}

void wrn_relay_on_want_done(struct wrn_relay *relay, wrn_mono now, uint32_t tag, wrn_handle peer,
                            enum wrn_reason reason) {
    struct use *use = wrn_pool_at(&relay->uses, tag & UINT16_MAX, NULL);
    struct mate *mate = NULL;
    if (reason == WRN_REASON_NONE) { /* the link is there for us, whatever became of the search */
        mate = relay_mate_make(relay, peer);
        mate->is_kept = true;
        mate->is_willing = true; /* its neighbour says so; if not, it will refuse */
        mate->idle_at_s = relay_seconds(now);
        relay->idle_due = wrn_mono_min(relay->idle_due, wrn_mono_add(now, LINK_IDLE));
    }
    if (use == NULL || tag == 0 || use->want_tag != tag) {
        return;
    }
    use->want_tag = 0;
    if (mate == NULL) {
        use->why = use->why == WRN_REASON_NONE ? (uint8_t)reason : use->why;
    } else if (has_up(use) && relay_mate(relay, relay_handle(relay, use->spare)) == NULL) {
        use->spare = relay_ref(peer);
        relay_hold(relay, peer);
    } else {
        relay_search_avoid(use, now, use->want_id, 0);
    }
    relay_use_settle(relay, now, use);
}

struct use *relay_use_of(const struct wrn_relay *relay, wrn_handle peer) {
    const struct mate *mate = relay_mate(relay, peer);
    if (mate == NULL || mate->use == 0) {
        return NULL;
    }
    struct use *use = wrn_pool_at(&relay->uses, mate->use - 1u, NULL);
    return use != NULL && relay_is(use->peer, peer) ? use : NULL;
}

/* An offer is taken for peers that we have. One that comes before its peer is known is ignored: the
 * first frame by it makes us ask for it again. */
void relay_use_on_offer(struct wrn_relay *relay, wrn_mono now, wrn_handle peer, uint64_t slot,
                        wrn_id asker) {
    bool is_direct;
    uint32_t side, share = relay->options.uses_max / OFFERED_SHARE;
    struct use *use;
    struct edge *edge = relay_slot_edge(relay, peer, slot, &use);
    const struct wrn_link *link = wrn_links_of(relay->links, peer);
    wrn_handle other = relay->port.find(relay->port.ctx, asker, &is_direct);
    if (edge != NULL && wrn_id_equal(use->id, asker)) {
        return; /* said again */
    }
    const struct mate *giver = relay_mate(relay, peer);
    bool may_relay = !relay->options.asks_right || (giver != NULL && giver->has_right);
    if (!may_relay) {
        relay->counts[WRN_RELAY_COUNT_IGNORED_OFFER]++;
        relay_send_close(relay, peer, slot, WRN_REASON_RELAY_REFUSED);
        return;
    }
    if (edge != NULL || link == NULL || link->is_relayed ||
        relay_slot_forward(relay, peer, slot, &side) != NULL ||
        wrn_handle_equal(other, WRN_HANDLE_NONE) || wrn_handle_equal(other, peer)) {
        relay->counts[WRN_RELAY_COUNT_IGNORED_OFFER]++;
        return;
    }
    struct mate *mate = relay_mate_make(relay, peer);
    use = relay_use_of(relay, other);
    bool has_room = mate->offered < (share > OFFERED_MIN ? share : OFFERED_MIN) &&
                    (use != NULL || relay->uses.live < relay->uses.capacity);
    if (has_room && use == NULL) {
        use = take_use(relay, other, asker);
    }
    edge = has_room ? free_edge(use, false) : NULL;
    if (edge == NULL) {
        relay->counts[WRN_RELAY_COUNT_IGNORED_OFFER]++;
        relay_send_close(relay, peer, slot, WRN_REASON_FULL);
        return;
    }
    *edge = (struct edge){.relay_id = link->id.low};
    mate->offered++;
    use->linger = WRN_TICK_NEVER; /* the peer needs it */
    bring_up(relay, now, use, edge, peer, slot);
    relay_use_settle(relay, now, use);
}

void relay_use_on_grant(struct wrn_relay *relay, wrn_mono now, wrn_handle peer, uint32_t number,
                        uint64_t slot) {
    struct use *use, *other;
    uint32_t side;
    struct edge *edge = asked_edge(relay, peer, number, &use);
    struct edge *there = relay_slot_edge(relay, peer, slot, &other);
    if (edge == NULL) {
        if (there == NULL) { /* too late: we have no use for it any more */
            relay_send_close(relay, peer, slot, WRN_REASON_NOT_NEEDED);
        }
        return;
    }
    if (there != NULL || relay_slot_forward(relay, peer, slot, &side) != NULL) {
        if (there != NULL && other == use) {
            there->is_new = true; /* the peer asked for the same pair before, we were offered it */
        }
        *edge = (struct edge){0};
    } else if (has_fresh(use, now)) { /* two were asked at the same time: one will do */
        relay_send_close(relay, peer, slot, WRN_REASON_NOT_NEEDED);
        *edge = (struct edge){0};
    } else {
        bring_up(relay, now, use, edge, peer, slot);
    }
    relay_use_settle(relay, now, use);
}

void relay_use_on_refuse(struct wrn_relay *relay, wrn_mono now, wrn_handle peer, uint32_t number,
                         enum wrn_reason reason) {
    struct use *use;
    struct edge *edge = asked_edge(relay, peer, number, &use);
    if (edge == NULL) {
        return;
    }
    *edge = (struct edge){0};
    if (reason == WRN_REASON_RELAY_REFUSED) {
        relay_mate_make(relay, peer)->is_willing = false;
    }
    if (reason == WRN_REASON_FULL || reason == WRN_REASON_RATE || use->why == WRN_REASON_NONE) {
        use->why = (uint8_t)reason;
    }
    relay_use_settle(relay, now, use);
}

void relay_use_on_close(struct wrn_relay *relay, wrn_mono now, struct use *use, struct edge *edge) {
    lose(relay, now, use, edge);
    relay_use_settle(relay, now, use);
}

void relay_use_on_peer_down(struct wrn_relay *relay, wrn_mono now, wrn_handle peer) {
    for (uint32_t i = 0; i < relay->uses.touched; i++) {
        struct use *use = wrn_pool_at(&relay->uses, i, NULL);
        bool is_hit = false;
        if (use == NULL) {
            continue;
        }
        if (relay_is(use->spare, peer)) {
            relay_release(relay, now, peer);
            use->spare = (struct mate_ref){0};
            use->next_spare = wrn_tick_in(now, SPARE_PAUSE_MIN);
            is_hit = true;
        }
        for (uint32_t k = 0; k < EDGES; k++) {
            struct edge *edge = &use->edges[k];
            if (edge->state == EDGE_FREE || !relay_is(edge->relay, peer)) {
                continue;
            }
            is_hit = true;
            if (edge->state == EDGE_UP) {
                lose(relay, now, use, edge);
            } else if (edge->state == EDGE_ASKED) {
                *edge = (struct edge){0};
            }
        }
        if (is_hit) {
            relay_search_step(relay, now, use);
            refresh(relay, now, use);
        }
    }
}

void relay_use_on_time(struct wrn_relay *relay, wrn_mono now) {
    while (wrn_mono_reached(now, wrn_dues_first(&relay->use_dues))) {
        on_use_time(relay, now, wrn_pool_slot(&relay->uses, relay->use_dues.first));
    }
}

void relay_use_settle(struct wrn_relay *relay, wrn_mono now, struct use *use) {
    bool is_used = use->is_searching;
    tell(relay, use);
    relay_search_step(relay, now, use);
    for (uint32_t i = 0; i < EDGES; i++) {
        is_used = is_used || use->edges[i].state != EDGE_FREE;
    }
    if (is_used) {
        refresh(relay, now, use);
    } else {
        give_use(relay, now, use);
    }
}

void relay_hold(struct wrn_relay *relay, wrn_handle peer) {
    struct mate *mate = relay_mate_make(relay, peer);
    mate->holds++;
    if (!mate->is_kept) {
        mate->is_kept = true;
        relay->port.keep(relay->port.ctx, peer, true);
    }
}

void relay_release(struct wrn_relay *relay, wrn_mono now, wrn_handle peer) {
    struct mate *mate = relay_mate(relay, peer);
    if (mate == NULL || mate->holds == 0) {
        return; /* the peer is gone */
    }
    mate->holds--;
    if (mate->holds == 0) {
        mate->idle_at_s = relay_seconds(now);
        relay->idle_due = wrn_mono_min(relay->idle_due, wrn_mono_add(now, LINK_IDLE));
    }
}

static struct use *take_use(struct wrn_relay *relay, wrn_handle peer, wrn_id id) {
    wrn_handle handle;
    struct use *use = wrn_pool_take(&relay->uses, &handle);
    if (use != NULL) {
        use->peer = relay_ref(peer);
        use->id = id;
        relay_mate_make(relay, peer)->use = (uint16_t)(handle.index + 1);
    }
    return use;
}

/* Closes what it still has. */
static void give_use(struct wrn_relay *relay, wrn_mono now, struct use *use) {
    uint32_t index = index_of(relay, use);
    struct mate *mate = relay_mate(relay, relay_handle(relay, use->peer));
    wrn_handle handle;
    for (uint32_t i = 0; i < EDGES; i++) {
        if (use->edges[i].state == EDGE_UP) {
            close_edge(relay, now, use, &use->edges[i], WRN_REASON_NOT_NEEDED);
        }
    }
    relay_release(relay, now, relay_handle(relay, use->spare));
    if (mate != NULL) {
        mate->use = 0;
    }
    wrn_dues_set(&relay->use_dues, index, WRN_MONO_NEVER);
    WRN_ASSERT(wrn_pool_at(&relay->uses, index, &handle) == use);
    wrn_pool_give(&relay->uses, handle);
}

/* Our own searches go before what others offered and did not use, what is forgotten, and peers
 * whose links nobody wants any more. */
static bool make_room(struct wrn_relay *relay, wrn_mono now) {
    if (relay->uses.live < relay->uses.capacity) {
        return true;
    }
    for (uint32_t i = 0; i < relay->uses.touched; i++) {
        struct use *use = wrn_pool_at(&relay->uses, i, NULL);
        bool is_needed = use->is_searching;
        for (uint32_t k = 0; k < EDGES; k++) {
            is_needed = is_needed || (use->edges[k].state == EDGE_UP && use->edges[k].is_heard);
        }
        const struct wrn_link *link = wrn_links_at(relay->links, use->id);
        if (!is_needed || (link != NULL && link->is_relayed && (link->mine | link->theirs) == 0)) {
            give_use(relay, now, use);
            return true;
        }
    }
    return false;
}

static uint32_t index_of(const struct wrn_relay *relay, const struct use *use) {
    size_t at = (size_t)((const uint8_t *)use - relay->uses.slots);
    return (uint32_t)(at / relay->uses.slot_size);
}

/* The edge that a request of ours is to fill; NULL: none, or somebody else was asked. */
static struct edge *asked_edge(const struct wrn_relay *relay, wrn_handle peer, uint32_t number,
                               struct use **ret_use) {
    struct use *use = wrn_pool_at(&relay->uses, number & UINT16_MAX, NULL);
    for (uint32_t i = 0; use != NULL && i < EDGES; i++) {
        struct edge *edge = &use->edges[i];
        if (edge->state == EDGE_ASKED && edge->number == number && relay_is(edge->relay, peer)) {
            *ret_use = use;
            return edge;
        }
    }
    return NULL;
}

static struct edge *free_edge(struct use *use, bool is_ours) {
    struct edge *found = NULL;
    uint32_t count = 0;
    for (uint32_t i = 0; i < EDGES; i++) {
        if (use->edges[i].state == EDGE_FREE) {
            found = &use->edges[i];
        } else if (use->edges[i].is_ours == is_ours) {
            count++;
        }
    }
    return count < (is_ours ? EDGES_OURS : EDGES_THEIRS) ? found : NULL;
}

static void bring_up(struct wrn_relay *relay, wrn_mono now, struct use *use, struct edge *edge,
                     wrn_handle peer, uint64_t slot) {
    edge->relay = relay_ref(peer);
    edge->slot = slot;
    edge->state = EDGE_UP;
    edge->when = wrn_tick_of(now);
    edge->since = wrn_tick_of(now);
    edge->quiet_s = relay_seconds(now);
    edge->is_heard = false;
    edge->is_new = true;
    relay_hold(relay, peer);
    relay_slot_add(relay, slot,
                   relay_owner_edge(relay, index_of(relay, use), (uint32_t)(edge - use->edges)));
}

/* What stays is the way, for telling. */
static void take_down(struct wrn_relay *relay, wrn_mono now, struct use *use, struct edge *edge) {
    struct mate *mate = relay_mate(relay, relay_handle(relay, edge->relay));
    if (mate != NULL && !edge->is_ours && mate->offered > 0) {
        mate->offered--;
    }
    relay_slot_remove(relay, edge->slot,
                      relay_owner_edge(relay, index_of(relay, use), (uint32_t)(edge - use->edges)));
    relay_release(relay, now, relay_handle(relay, edge->relay));
}

static void close_edge(struct wrn_relay *relay, wrn_mono now, struct use *use, struct edge *edge,
                       enum wrn_reason reason) {
    relay_send_close(relay, relay_handle(relay, edge->relay), edge->slot, reason);
    take_down(relay, now, use, edge);
    *edge = (struct edge){0};
}

/* The relay ended it, or is gone. The next one is asked at once; this one not for a while. */
static void lose(struct wrn_relay *relay, wrn_mono now, struct use *use, struct edge *edge) {
    bool is_hasty = wrn_mono_since(now, wrn_tick_mono(edge->since, now)) < HASTY;
    relay_search_avoid(use, now, edge->relay_id, is_hasty ? AVOID_HASTY_S : AVOID_LOST_S);
    take_down(relay, now, use, edge);
    edge->state = EDGE_GONE;
    if (use->is_searching && !has_up(use)) {
        relay_search_begin(relay, now, use);
    }
}

/* It granted, but nothing comes through. */
static void call_bad(struct wrn_relay *relay, wrn_mono now, struct use *use, struct edge *edge) {
    struct mate *mate = relay_mate(relay, relay_handle(relay, edge->relay));
    if (mate != NULL) {
        mate->bad_until_s = relay_seconds(now) + AVOID_BAD_S;
    }
    relay_search_avoid(use, now, edge->relay_id, AVOID_BAD_S);
    close_edge(relay, now, use, edge, WRN_REASON_UNREACHABLE);
}

/* Who asks for a relay does not know of this one, or has pinged by it for long enough in vain.
 * Tells whether it was let go. */
static bool tell_again(struct wrn_relay *relay, wrn_mono now, struct use *use, struct edge *edge,
                       bool was_searching) {
    uint32_t now_s = relay_seconds(now);
    if (edge->state != EDGE_UP) {
        return false;
    }
    if (!was_searching) {
        edge->quiet_s = now_s; /* nobody tried it until now */
    } else if (!edge->is_new && now_s - edge->quiet_s >= QUIET_BAD_S) {
        call_bad(relay, now, use, edge);
        return true;
    }
    edge->is_new = true;
    return false;
}

static bool has_up(const struct use *use) {
    bool found = false;
    for (uint32_t i = 0; i < EDGES; i++) {
        found = found || use->edges[i].state == EDGE_UP;
    }
    return found;
}

/* One that we asked for came up a moment ago. (Not one that was offered: its asker may think the
 * same of what we asked for.) */
static bool has_fresh(const struct use *use, wrn_mono now) {
    bool found = false;
    for (uint32_t i = 0; i < EDGES; i++) {
        const struct edge *edge = &use->edges[i];
        found = found || (edge->state == EDGE_UP && edge->is_ours &&
                          wrn_mono_since(now, wrn_tick_mono(edge->since, now)) < ASK_DEADLINE);
    }
    return found;
}

/* Nobody uses it, and another one works. */
static bool is_spare(const struct use *use, wrn_mono now, const struct edge *edge) {
    uint32_t now_s = relay_seconds(now);
    bool found = false;
    for (uint32_t i = 0; i < EDGES; i++) {
        const struct edge *other = &use->edges[i];
        found = found || (other != edge && other->state == EDGE_UP && other->is_heard &&
                          now_s - other->quiet_s < UNUSED_S);
    }
    return found && now_s - edge->quiet_s >= UNUSED_S;
}

/* A forgotten peer's owner wants to hear nothing. */
static void tell(struct wrn_relay *relay, struct use *use) {
    bool is_silent = use->linger.count != 0;
    for (uint32_t i = 0; i < EDGES; i++) {
        struct edge *edge = &use->edges[i];
        struct wrn_way way = {
            .kind = WRN_WAY_RELAY, .relay = relay_handle(relay, edge->relay), .slot = edge->slot};
        if (edge->state == EDGE_UP && edge->is_new) {
            edge->is_new = false;
            relay->port.ready(relay->port.ctx, relay_handle(relay, use->peer), &way);
        } else if (edge->state == EDGE_GONE) {
            *edge = (struct edge){0};
            if (!is_silent) {
                relay->port.lost(relay->port.ctx, relay_handle(relay, use->peer), &way);
            }
        }
    }
    if (use->tells_none) {
        use->tells_none = false;
        relay->port.none(relay->port.ctx, relay_handle(relay, use->peer), use->why);
    }
}

static void refresh(struct wrn_relay *relay, wrn_mono now, struct use *use) {
    bool is_forgotten = use->linger.count != 0;
    wrn_mono due = wrn_mono_min(
        wrn_tick_mono(use->linger, now),
        wrn_mono_min(wrn_tick_mono(use->next_round, now), wrn_tick_mono(use->next_spare, now)));
    for (uint32_t i = 0; i < EDGES; i++) {
        due = wrn_mono_min(due, edge_due(&use->edges[i], now, is_forgotten));
    }
    if (use->want_tag != 0) {
        due = wrn_mono_min(due, wrn_tick_mono(use->want_deadline, now));
    }
    if (use->tells_none || use->is_woken) {
        due = (wrn_mono){0};
    }
    wrn_dues_set(&relay->use_dues, index_of(relay, use), due);
}

static wrn_mono edge_due(const struct edge *edge, wrn_mono now, bool is_forgotten) {
    switch ((enum edge_state)edge->state) {
    case EDGE_ASKED: {
        wrn_mono deadline = after(edge->when, now, ASK_DEADLINE);
        return edge->is_patient ? wrn_mono_min(wrn_tick_mono(edge->since, now), deadline)
                                : deadline;
    }
    case EDGE_UP:
        if (edge->is_new) {
            return (wrn_mono){0};
        }
        if (is_forgotten) {
            return WRN_MONO_NEVER;
        }
        return wrn_mono_min(after(edge->when, now, KEEP_AFTER),
                            edge->is_ours || edge->is_heard
                                ? WRN_MONO_NEVER
                                : after(edge->since, now, UNUSED_OFFER));
    case EDGE_GONE:
        return (wrn_mono){0};
    case EDGE_FREE:
        break;
    }
    return WRN_MONO_NEVER;
}

static wrn_mono after(wrn_tick tick, wrn_mono now, uint64_t ns) {
    return wrn_mono_add(wrn_tick_mono(tick, now), ns);
}

static void on_use_time(struct wrn_relay *relay, wrn_mono now, struct use *use) {
    if (wrn_tick_reached(now, use->linger) && !still_lingers(use, now)) {
        give_use(relay, now, use);
        return;
    }
    for (uint32_t i = 0; i < EDGES; i++) {
        on_edge_time(relay, now, use, &use->edges[i]);
    }
    if (use->want_tag != 0 && wrn_tick_reached(now, use->want_deadline)) {
        use->want_tag = 0;
        use->why = use->why == WRN_REASON_NONE ? WRN_REASON_TIMEOUT : use->why;
    }
    if (use->is_woken || wrn_tick_reached(now, use->next_round)) {
        relay_search_begin(relay, now, use);
    }
    if (wrn_tick_reached(now, use->next_spare)) {
        relay_search_spare(relay, now, use);
    }
    relay_use_settle(relay, now, use);
}

static void on_edge_time(struct wrn_relay *relay, wrn_mono now, struct use *use,
                         struct edge *edge) {
    if (edge->state == EDGE_ASKED) {
        if (wrn_tick_reached(now, edge->since)) {
            edge->is_patient = false;
        }
        if (wrn_mono_reached(now, after(edge->when, now, ASK_DEADLINE))) {
            *edge = (struct edge){0};
            use->why = use->why == WRN_REASON_NONE ? WRN_REASON_TIMEOUT : use->why;
        }
    } else if (edge->state == EDGE_UP && use->linger.count == 0) {
        bool is_unused = !edge->is_ours && !edge->is_heard &&
                         wrn_mono_reached(now, after(edge->since, now, UNUSED_OFFER));
        if (is_unused || is_spare(use, now, edge)) {
            relay_send_close(relay, relay_handle(relay, edge->relay), edge->slot,
                             WRN_REASON_NOT_NEEDED);
            lose(relay, now, use, edge);
        } else if (wrn_mono_reached(now, after(edge->when, now, KEEP_AFTER))) {
            edge->when = wrn_tick_of(now);
            relay_send_slot(relay, relay_handle(relay, edge->relay), RELAY_KEEP, edge->slot);
        }
    }
}

/* A peer that still sends by a forgotten relay has found no other way yet: wait, but not long. */
static bool still_lingers(struct use *use, wrn_mono now) {
    bool is_heard = false;
    for (uint32_t i = 0; i < EDGES; i++) {
        is_heard = is_heard || use->edges[i].is_heard;
        use->edges[i].is_heard = false;
    }
    if (!is_heard || use->lingers == LINGERS_MAX) {
        return false;
    }
    use->lingers++;
    use->linger = wrn_tick_in(now, LINGER);
    return true;
}
