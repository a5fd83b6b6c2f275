/* SPDX-License-Identifier: Apache-2.0 */
/* Looks for a relay to a peer in rounds: common neighbours first, then some nodes that may know the
 * peer, then links to the peer's own relays. Asks few at a time. */
#include "overlay/relay_state.h"

enum { FRESH_COMMON = 1, FRESH_BLIND = 2, MESSAGE_MAX = 32 };

static const struct wrn_link *choose(const struct wrn_relay *relay, wrn_mono now,
                                     const struct use *use, bool *ret_is_common);
static bool may_be_asked(const struct wrn_relay *relay, wrn_mono now, const struct use *use,
                         const struct wrn_link *link);
static uint64_t cost_of(const struct wrn_relay *relay, wrn_mono now, const struct wrn_link *link,
                        bool is_common);
static bool is_theirs(const struct use *use, wrn_id id);
static bool is_avoided(const struct use *use, wrn_mono now, uint32_t relay_id);
static void ask(struct wrn_relay *relay, wrn_mono now, struct use *use, struct edge *edge,
                const struct wrn_link *link);
static bool want(struct wrn_relay *relay, wrn_mono now, struct use *use);
static struct edge *edge_for_asking(struct use *use, uint32_t *ret_asked, uint32_t *ret_fresh,
                                    uint32_t *ret_up);
static void end_round(struct wrn_relay *relay, wrn_mono now, struct use *use);
static uint32_t next_number(struct wrn_relay *relay, const struct use *use);
static void clear_round(struct use *use);

void relay_search_begin(struct wrn_relay *relay, wrn_mono now, struct use *use) {
    clear_round(use);
    use->is_in_round = true;
    use->blind_left = BLIND_ASKS;
    use->why = WRN_REASON_NONE;
    use->is_woken = false;
    use->next_round = WRN_TICK_NEVER;
    use->next_spare = WRN_TICK_NEVER;
    relay_search_step(relay, now, use);
}

void relay_search_step(struct wrn_relay *relay, wrn_mono now, struct use *use) {
    while (use->is_in_round) {
        uint32_t asked, fresh, up;
        bool is_common = false;
        struct edge *edge = edge_for_asking(use, &asked, &fresh, &up);
        if (up > 0) { /* requests under way may still become spares */
            use->is_in_round = false;
            use->spare_pauses = 0;
            use->next_spare = wrn_tick_in(now, SPARE_FIRST);
            return;
        }
        const struct wrn_link *link = choose(relay, now, use, &is_common);
        if (!is_common && use->want_tag == 0 && use->blind_left + FRESH_BLIND <= BLIND_ASKS) {
            (void)want(relay, now, use); /* the first to be asked did not know the peer */
        }
        if (link != NULL) {
            if (edge == NULL || fresh >= (is_common ? FRESH_COMMON : FRESH_BLIND)) {
                return;
            }
            use->blind_left = (uint8_t)(use->blind_left - (is_common ? 0 : 1));
            ask(relay, now, use, edge, link);
        } else if (asked > 0 || use->want_tag != 0 || want(relay, now, use)) {
            return;
        } else {
            end_round(relay, now, use);
        }
    }
}

/* One relay carries us; who would be the next? Known ones cost nothing. If there is none, a link to
 * another of the peer's relays is made and held. */
void relay_search_spare(struct wrn_relay *relay, wrn_mono now, struct use *use) {
    uint32_t asked, fresh, up;
    bool is_common = false;
    (void)edge_for_asking(use, &asked, &fresh, &up);
    if (!use->is_searching || up == 0) {
        use->next_spare = WRN_TICK_NEVER;
        return;
    }
    bool is_known = up > 1 || relay_mate(relay, relay_handle(relay, use->spare)) != NULL ||
                    (choose(relay, now, use, &is_common) != NULL && is_common);
    if (is_known) {
        use->spare_pauses = 0;
        use->next_spare = wrn_tick_in(now, SPARE_LOOK);
        return;
    }
    if (use->want_tag == 0 && !want(relay, now, use)) {
        clear_round(use); /* all were tried: the next time from the beginning */
    }
    uint64_t pause = SPARE_PAUSE_MIN << use->spare_pauses;
    if (pause < SPARE_PAUSE_MAX) {
        use->spare_pauses++;
    }
    use->next_spare = wrn_tick_in(now, pause);
}

void relay_search_avoid(struct use *use, wrn_mono now, uint32_t relay_id, uint32_t for_s) {
    uint32_t until_s = for_s == AVOID_ROUND ? AVOID_ROUND : relay_seconds(now) + for_s;
    struct avoided *at = &use->avoided[0], *same = NULL;
    for (uint32_t i = 0; i < AVOIDED; i++) {
        struct avoided *entry = &use->avoided[i];
        same = entry->id == relay_id && entry->until_s != 0 ? entry : same;
        at = entry->until_s < at->until_s ? entry : at; /* free, or the one that ends first */
    }
    if (same != NULL) {
        same->until_s = for_s == 0 ? 0 : until_s;
    } else if (for_s != 0) {
        *at = (struct avoided){.id = relay_id, .until_s = until_s};
    }
}

/* The best node to ask that was not asked yet; NULL: none. Those that the peer named come before
 * others, of which 'blind_left' may be asked. */
static const struct wrn_link *choose(const struct wrn_relay *relay, wrn_mono now,
                                     const struct use *use, bool *ret_is_common) {
    const struct wrn_link *best = NULL;
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < relay->links->count; i++) {
        const struct wrn_link *link = &relay->links->links[i];
        bool is_common = is_theirs(use, link->id);
        if ((!is_common && use->blind_left == 0) || !may_be_asked(relay, now, use, link)) {
            continue;
        }
        uint64_t cost = cost_of(relay, now, link, is_common);
        if (cost < least) {
            least = cost;
            best = link;
            *ret_is_common = is_common;
        }
    }
    return best;
}

static bool may_be_asked(const struct wrn_relay *relay, wrn_mono now, const struct use *use,
                         const struct wrn_link *link) {
    const struct mate *mate = relay_mate(relay, link->peer);
    if (link->is_relayed || mate == NULL || !relay_is_usable(relay, mate) ||
        wrn_id_equal(link->id, use->id) || is_avoided(use, now, link->id.low)) {
        return false;
    }
    for (uint32_t i = 0; i < EDGES; i++) {
        const struct edge *edge = &use->edges[i];
        if ((edge->state == EDGE_ASKED || edge->state == EDGE_UP) &&
            relay_is(edge->relay, link->peer)) {
            return false;
        }
    }
    return true;
}

/* What did not forward for somebody else comes last, then what nobody named, then what does not
 * answer, then by latency. */
static uint64_t cost_of(const struct wrn_relay *relay, wrn_mono now, const struct wrn_link *link,
                        bool is_common) {
    uint64_t is_bad = relay_mate(relay, link->peer)->bad_until_s > relay_seconds(now) ? 1 : 0;
    uint64_t is_blind = is_common ? 0 : 1, is_suspect = link->is_suspect ? 1 : 0;
    uint64_t rtt_us = link->rtt_us == 0 ? UINT32_MAX : link->rtt_us;
    return is_bad << 40 | is_blind << 39 | is_suspect << 38 | rtt_us;
}

static bool is_theirs(const struct use *use, wrn_id id) {
    bool found = false;
    for (uint32_t i = 0; i < use->their_count; i++) {
        found = found || wrn_id_equal(use->theirs[i], id);
    }
    return found;
}

static bool is_avoided(const struct use *use, wrn_mono now, uint32_t relay_id) {
    uint32_t now_s = relay_seconds(now);
    bool found = false;
    for (uint32_t i = 0; i < AVOIDED; i++) {
        found = found || (use->avoided[i].id == relay_id && use->avoided[i].until_s > now_s);
    }
    return found;
}

static void ask(struct wrn_relay *relay, wrn_mono now, struct use *use, struct edge *edge,
                const struct wrn_link *link) {
    uint8_t bytes[MESSAGE_MAX];
    uint64_t patience = link->rtt_us == 0 ? ASK_DEADLINE : link->rtt_us * UINT64_C(3000);
    patience = patience < ASK_PATIENCE_MIN ? ASK_PATIENCE_MIN : patience;
    *edge = (struct edge){
        .relay = relay_ref(link->peer),
        .relay_id = link->id.low,
        .state = EDGE_ASKED,
        .is_ours = true,
        .is_patient = true,
        .number = next_number(relay, use),
        .when = wrn_tick_of(now),
        .since = wrn_tick_in(now, patience),
    };
    relay_search_avoid(use, now, edge->relay_id, AVOID_ROUND);
    struct wrn_writer writer = wrn_writer(bytes, sizeof bytes);
    wrn_write_u8(&writer, WRN_MESSAGE_RELAY);
    wrn_write_u8(&writer, RELAY_ASK);
    wrn_write_u32(&writer, edge->number);
    wrn_write_id(&writer, use->id);
    relay->port.send(relay->port.ctx, link->peer, wrn_written(&writer));
}

/* Asks for a link to the next of the peer's relays that we have none to. False: there is none. */
static bool want(struct wrn_relay *relay, wrn_mono now, struct use *use) {
    for (uint32_t i = 0; i < use->their_count; i++) {
        wrn_id id = use->theirs[i];
        if (wrn_id_equal(id, relay->links->self) || wrn_id_equal(id, use->id) ||
            is_avoided(use, now, id.low) || wrn_links_at(relay->links, id) != NULL) {
            continue;
        }
        relay_search_avoid(use, now, id.low, AVOID_ROUND);
        use->want_tag = next_number(relay, use);
        use->want_id = id.low;
        use->want_deadline = wrn_tick_in(now, WANT_DEADLINE);
        relay->port.want(relay->port.ctx, use->want_tag, id);
        return true;
    }
    return false;
}

/* Returns an edge that a request may take, NULL if there is none; how many requests wait, how many
 * of them are so young that the answer may be under way, how many relays there are. */
static struct edge *edge_for_asking(struct use *use, uint32_t *ret_asked, uint32_t *ret_fresh,
                                    uint32_t *ret_up) {
    struct edge *found = NULL;
    uint32_t asked = 0, fresh = 0, up = 0;
    for (uint32_t i = 0; i < EDGES; i++) {
        struct edge *edge = &use->edges[i];
        if (edge->state == EDGE_FREE) {
            found = edge;
        }
        asked += edge->state == EDGE_ASKED ? 1 : 0;
        fresh += edge->state == EDGE_ASKED && edge->is_patient ? 1 : 0;
        up += edge->state == EDGE_UP ? 1 : 0;
    }
    *ret_asked = asked;
    *ret_fresh = fresh;
    *ret_up = up;
    return asked < EDGES_OURS ? found : NULL;
}

static void end_round(struct wrn_relay *relay, wrn_mono now, struct use *use) {
    uint64_t pause = ROUND_PAUSE_MIN << use->pauses;
    if (pause < ROUND_PAUSE_MAX) {
        use->pauses++;
    } else {
        pause = ROUND_PAUSE_MAX;
    }
    pause += wrn_rand_below(relay->rand, (uint32_t)(pause / WRN_MS(4))) * WRN_MS(1);
    use->is_in_round = false;
    use->next_round = wrn_tick_in(now, pause);
    use->tells_none = true;
    memset(use->avoided, 0, sizeof use->avoided); /* a bad one is better than none: perhaps the peer
                                                   * was away */
    if (use->why != WRN_REASON_FULL && use->why != WRN_REASON_RATE) {
        use->why = WRN_REASON_NO_RELAY;
    }
}

/* Names the use by its low half, and is never 0. */
static uint32_t next_number(struct wrn_relay *relay, const struct use *use) {
    relay->serial = relay->serial == UINT16_MAX ? 1 : (uint16_t)(relay->serial + 1);
    size_t index = (size_t)((const uint8_t *)use - relay->uses.slots) / relay->uses.slot_size;
    return (uint32_t)relay->serial << 16 | (uint32_t)index;
}

static void clear_round(struct use *use) {
    for (uint32_t i = 0; i < AVOIDED; i++) {
        if (use->avoided[i].until_s == AVOID_ROUND) {
            use->avoided[i].until_s = 0;
        }
    }
}
