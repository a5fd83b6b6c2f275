/* SPDX-License-Identifier: Apache-2.0 */
/* Shortcuts: harmonic in distance, one for each of as many layers of distance as there are to be;
 * now and then a slow one is exchanged for a faster one of the same layer, so that the distribution
 * stays. Knows nothing of near neighbours. */
#include "overlay/ring_internal.h"

enum { DRAWS_MAX = 64, TOGETHER_MAX = 2, LAYERS_MAX = WRN_RING_SHORTCUTS_MAX };

static uint64_t density(const struct wrn_ring *ring);
static uint32_t layer_of(const struct wrn_ring *ring, wrn_id id, uint32_t layers);
static void want_in_layer(struct wrn_ring *ring, wrn_mono now, enum wrn_ring_purpose purpose,
                          uint32_t layer, uint32_t layers);
static uint32_t count_layers(const struct wrn_ring *ring, uint32_t layers,
                             uint32_t ret_counts[LAYERS_MAX]);
static void let_one_go(struct wrn_ring *ring, const uint32_t counts[LAYERS_MAX], uint32_t layers);
static bool is_stuck(const struct wrn_link *link, wrn_mono now);
static void count(struct wrn_ring *ring, wrn_mono now);
static void optimise(struct wrn_ring *ring, wrn_mono now);
static void judge(struct wrn_ring *ring, wrn_mono now);

uint32_t wrn_ring_shortcuts_wanted(uint64_t nodes) {
    if (nodes <= WRN_RING_SMALL) {
        return 0;
    }
    uint32_t wanted = (wrn_ceil_log2(nodes) + 1) / 2 + 1;
    return wanted > WRN_RING_SHORTCUTS_MAX ? WRN_RING_SHORTCUTS_MAX : wanted;
}

uint32_t wrn_ring_shortcuts_here(const struct wrn_ring *ring) {
    uint32_t wanted = wrn_ring_shortcuts_wanted(ring->size);
    uint32_t quarter = ring->links->capacity / 4;
    uint32_t most = quarter > 2 ? quarter - 2 : 0;
    return wanted < most ? wanted : most;
}

void wrn_ring_shortcut_check(struct wrn_ring *ring, wrn_mono now) {
    if (ring->options.wants_shortcuts && ring->state == WRN_RING_STATE_CONNECTED) {
        ring->shortcut =
            wrn_mono_min(ring->shortcut, wrn_ring_soon(ring, now, WRN_MS(500), WRN_MS(1500)));
    }
}

void wrn_ring_shortcut_on_time(struct wrn_ring *ring, wrn_mono now) {
    if (wrn_mono_reached(now, ring->judge)) {
        judge(ring, now);
    }
    if (wrn_mono_reached(now, ring->shortcut)) {
        count(ring, now);
    }
    if (wrn_mono_reached(now, ring->optimise)) {
        ring->optimise =
            wrn_ring_soon(ring, now, ring->optimise_ns, ring->optimise_ns + ring->optimise_ns / 4);
        optimise(ring, now);
    }
}

void wrn_ring_shortcut_done(struct wrn_ring *ring, wrn_mono now, enum wrn_ring_purpose purpose,
                            struct wrn_link *link) {
    bool is_better = purpose == WRN_RING_FOR_BETTER;
    if (link != NULL && is_stuck(link, now)) {
        ring->port.keep(ring->port.ctx, link->peer,
                        link->mine); /* it is there for something else */
        link = NULL;
    }
    if (link == NULL) {
        if (!is_better && ring->state == WRN_RING_STATE_CONNECTED) {
            ring->shortcut =
                wrn_ring_soon(ring, now, ring->shortcut_wait_ns / 2, ring->shortcut_wait_ns);
            uint64_t wait = ring->shortcut_wait_ns * 2;
            ring->shortcut_wait_ns =
                wait > WRN_RING_BACK_OFF_MAX_NS ? WRN_RING_BACK_OFF_MAX_NS : wait;
        }
        return;
    }
    ring->shortcut_wait_ns = WRN_RING_BACK_OFF_MIN_NS;
    bool was_one = (link->mine & WRN_LINK_SHORTCUT) != 0;
    wrn_ring_keep(ring, link, link->mine | WRN_LINK_SHORTCUT);
    struct wrn_ring_peer *peer = wrn_ring_peer(ring, link->peer);
    if (peer != NULL && link->is_relayed) {
        wrn_ring_set_due(ring, &peer->relayed, wrn_mono_add(now, WRN_RING_RELAYED_NS));
    }
    if (is_better && !was_one) {
        ring->judged_new = link->peer;
        ring->judge = wrn_mono_add(now, WRN_RING_JUDGE_NS);
    } else {
        wrn_ring_shortcut_check(ring, now);
    }
}

/* A link that was there before and is relayed still: perhaps the very one that was let go for that
 * a moment ago. */
static bool is_stuck(const struct wrn_link *link, wrn_mono now) {
    return link->is_relayed && (link->mine & WRN_LINK_SHORTCUT) == 0 &&
           wrn_mono_since(now, link->since) >= WRN_RING_RELAYED_NS;
}

/* Are there as many as there should be? */
static void count(struct wrn_ring *ring, wrn_mono now) {
    ring->shortcut = WRN_MONO_NEVER;
    if (ring->state != WRN_RING_STATE_CONNECTED) {
        return;
    }
    uint32_t layers = wrn_ring_shortcuts_here(ring);
    uint32_t under_way = wrn_ring_wants_for(ring, WRN_RING_FOR_SHORTCUT);
    uint32_t counts[LAYERS_MAX];
    uint32_t have = count_layers(ring, layers, counts);
    if (have > layers + 1 || (layers == 0 && have > 0)) {
        let_one_go(ring, counts, layers);
        wrn_ring_shortcut_check(ring, now);
    } else if (have + under_way < layers && under_way < TOGETHER_MAX) {
        /* The first empty layer from a random one on; those under way have not arrived yet. */
        uint32_t layer = wrn_rand_below(ring->rand, layers);
        for (uint32_t i = 0; i < layers && counts[layer] != 0; i++) {
            layer = (layer + 1) % layers;
        }
        want_in_layer(ring, now, WRN_RING_FOR_SHORTCUT, layer, layers);
        wrn_ring_shortcut_check(ring, now);
    }
}

/* ---- layers ---- */

/* Near links cover six gaps: shortcuts begin behind them, as in a ring of a third of the nodes. */
static uint64_t density(const struct wrn_ring *ring) {
    return ring->size < 6 ? 2 : ring->size / 3;
}

/* Four times the logarithm of the distance to base 2, rounded down. */
static uint32_t level_of(wrn_id way) {
    uint32_t log2 = wrn_id_log2(way);
    uint64_t top = 0; /* the two bits after the first */
    if (log2 >= 66) {
        top = way.high >> (log2 - 34);
    } else if (log2 >= 34) {
        top = (way.high << 32 | way.low) >> (log2 - 2);
    }
    return 4 * log2 + (uint32_t)(top & 3);
}

static uint32_t layer_of(const struct wrn_ring *ring, wrn_id id, uint32_t layers) {
    uint32_t octaves = wrn_ceil_log2(density(ring));
    octaves = octaves < 2 ? 2 : octaves;
    uint32_t lowest = 4 * (WRN_ID_BITS - octaves);
    uint32_t levels = 4 * (octaves - 1);
    uint32_t level = level_of(wrn_id_distance(ring->links->self, id));
    if (level < lowest) {
        return 0;
    }
    uint32_t layer = (level - lowest) * layers / levels;
    return layer >= layers ? layers - 1 : layer;
}

static void want_in_layer(struct wrn_ring *ring, wrn_mono now, enum wrn_ring_purpose purpose,
                          uint32_t layer, uint32_t layers) {
    static const wrn_id half = {(uint64_t)1 << 63, 0};
    wrn_id at = ring->links->self;
    for (uint32_t i = 0; i < DRAWS_MAX; i++) {
        wrn_id way = wrn_id_harmonic(density(ring), ring->rand);
        bool is_left = wrn_rand_below(ring->rand, 2) == 0;
        /* All that is drawn beyond half of the circle is half of it: that node would be drawn again
         * and again, and the farthest layer would consist of it. */
        if (!wrn_id_less(way, half)) {
            continue;
        }
        at = is_left ? wrn_id_subtract(ring->links->self, way) : wrn_id_add(ring->links->self, way);
        if (layer_of(ring, at, layers) == layer) {
            break;
        }
    }
    wrn_ring_want(ring, now, purpose, WRN_LINK_SHORTCUT, WRN_ROUTE_NEAREST, at, WRN_HANDLE_NONE);
}

/* Counts our shortcuts, all and by layer. */
static uint32_t count_layers(const struct wrn_ring *ring, uint32_t layers,
                             uint32_t ret_counts[LAYERS_MAX]) {
    uint32_t have = 0;
    memset(ret_counts, 0, LAYERS_MAX * sizeof(ret_counts[0]));
    for (uint32_t i = 0; i < ring->links->count; i++) {
        const struct wrn_link *link = &ring->links->links[i];
        if ((link->mine & WRN_LINK_SHORTCUT) != 0) {
            have++;
            if (layers > 0) {
                ret_counts[layer_of(ring, link->id, layers)]++;
            }
        }
    }
    return have;
}

/* The slowest of the fullest layer; any, where there are to be none. */
static void let_one_go(struct wrn_ring *ring, const uint32_t counts[LAYERS_MAX], uint32_t layers) {
    struct wrn_link *worst = NULL;
    uint32_t worst_count = 0;
    for (uint32_t i = 0; i < ring->links->count; i++) {
        struct wrn_link *link = &ring->links->links[i];
        if ((link->mine & WRN_LINK_SHORTCUT) == 0) {
            continue;
        }
        uint32_t count = layers == 0 ? 1 : counts[layer_of(ring, link->id, layers)];
        if (worst == NULL || count > worst_count ||
            (count == worst_count && link->rtt_us > worst->rtt_us)) {
            worst = link;
            worst_count = count;
        }
    }
    if (worst != NULL) {
        wrn_ring_keep(ring, worst, worst->mine & (uint8_t)~WRN_LINK_SHORTCUT);
    }
}

/* ---- faster ones ---- */

static void optimise(struct wrn_ring *ring, wrn_mono now) {
    uint32_t layers = wrn_ring_shortcuts_here(ring);
    if (layers == 0 || ring->judge.ns != UINT64_MAX ||
        wrn_ring_wants_for(ring, WRN_RING_FOR_BETTER) > 0) {
        return;
    }
    const struct wrn_link *slowest = NULL;
    for (uint32_t i = 0; i < ring->links->count; i++) {
        const struct wrn_link *link = &ring->links->links[i];
        if ((link->mine & WRN_LINK_SHORTCUT) != 0 && link->rtt_us > 0 &&
            wrn_mono_since(now, link->since) > WRN_RING_OPTIMISE_MIN_NS / 2 &&
            (slowest == NULL || link->rtt_us > slowest->rtt_us)) {
            slowest = link;
        }
    }
    if (slowest != NULL) {
        /* A try costs some kilobytes on the way, so each makes the next one later, whatever becomes
         * of it. */
        ring->optimise_ns = ring->optimise_ns * 2 < WRN_RING_OPTIMISE_MAX_NS
                                ? ring->optimise_ns * 2
                                : WRN_RING_OPTIMISE_MAX_NS;
        ring->judged_old = slowest->peer;
        want_in_layer(ring, now, WRN_RING_FOR_BETTER, layer_of(ring, slowest->id, layers), layers);
    }
}

/* Both links have been measured by now: the faster one stays, and the next try is sooner, for there
 * seems to be something to win. */
static void judge(struct wrn_ring *ring, wrn_mono now) {
    ring->judge = WRN_MONO_NEVER;
    struct wrn_link *old = wrn_links_of(ring->links, ring->judged_old);
    struct wrn_link *new = wrn_links_of(ring->links, ring->judged_new);
    if (old == NULL || new == NULL) {
        wrn_ring_shortcut_check(ring, now);
        return;
    }
    bool is_faster = !new->is_relayed &&new->rtt_us > 0 &&
                     (old->is_relayed || (uint64_t) new->rtt_us * 5 < (uint64_t)old->rtt_us * 4);
    if (is_faster) {
        ring->optimise_ns =
            ring->optimise_ns > WRN_RING_OPTIMISE_NS ? WRN_RING_OPTIMISE_NS : ring->optimise_ns;
    }
    struct wrn_link *loser = is_faster ? old : new;
    wrn_ring_keep(ring, loser, loser->mine & (uint8_t)~WRN_LINK_SHORTCUT);
}
