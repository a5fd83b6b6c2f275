/* SPDX-License-Identifier: Apache-2.0 */
/* How many nodes there are, from how close together neighbours are: ours and those of every peer
 * that tells of its own. Exact in small rings. Pure: changes nothing. */
#include "overlay/ring_internal.h"

enum { SAMPLES_MAX = 32, NAMED_MAX = 2 * 2 * WRN_NEAR_PER_SIDE };

/* A few distinct places. */
struct places {
    wrn_id ids[NAMED_MAX];
    uint32_t count;
};

static uint64_t count_closed(const struct wrn_ring *ring);
static uint64_t median(uint64_t *samples, uint32_t count);

/* Adds what a node with so many neighbours on both sides says about the density. */
static void sample(wrn_id self, const wrn_id *left, uint32_t lefts, const wrn_id *right,
                   uint32_t rights, uint64_t *samples, uint32_t *count) {
    if (lefts != WRN_NEAR_PER_SIDE || rights != WRN_NEAR_PER_SIDE || *count == SAMPLES_MAX) {
        return;
    }
    wrn_id to_right = wrn_id_subtract(right[rights - 1], self);
    wrn_id to_left = wrn_id_subtract(self, left[lefts - 1]);
    wrn_id span = wrn_id_add(to_right, to_left);
    if (wrn_id_less(span, to_right)) {
        return; /* once round: a small ring */
    }
    samples[(*count)++] = wrn_id_estimate(span, lefts + rights);
}

uint64_t wrn_ring_estimate(const struct wrn_ring *ring, wrn_mono now) {
    const struct wrn_links *links = ring->links;
    uint64_t least = (uint64_t)links->count + 1;
    uint64_t closed = count_closed(ring);
    if (closed != 0) {
        return closed > least ? closed : least;
    }
    uint64_t samples[SAMPLES_MAX];
    uint32_t count = 0;
    sample(links->self, ring->near[WRN_RING_LEFT], ring->near_count[WRN_RING_LEFT],
           ring->near[WRN_RING_RIGHT], ring->near_count[WRN_RING_RIGHT], samples, &count);
    for (uint32_t i = 0; i < links->count; i++) {
        const struct wrn_link *link = &links->links[i];
        if (wrn_ring_trusts(ring, now, link->peer)) {
            sample(link->id, link->left, link->view_left, link->right, link->view_right, samples,
                   &count);
        }
    }
    uint64_t estimate = count == 0 ? 0 : median(samples, count);
    return estimate > least ? estimate : least;
}

/* Adds a place unless it is there. */
static void name(struct places *places, wrn_id id) {
    for (uint32_t i = 0; i < places->count; i++) {
        if (wrn_id_equal(places->ids[i], id)) {
            return;
        }
    }
    if (places->count < NAMED_MAX) {
        places->ids[places->count++] = id;
    }
}

/* Tells whether all links know only of one another and us. */
static bool is_clique(const struct wrn_ring *ring) {
    const struct wrn_links *links = ring->links;
    for (uint32_t i = 0; i < links->count; i++) {
        const struct wrn_link *link = &links->links[i];
        for (uint32_t n = 0; n < link->view_left + link->view_right; n++) {
            wrn_id id = n < link->view_left ? link->left[n] : link->right[n - link->view_left];
            if (!wrn_id_equal(id, links->self) && wrn_links_at(links, id) == NULL) {
                return false;
            }
        }
    }
    return true;
}

/* Names the neighbours on a side, and those that the farthest of them sees behind itself, up to us.
 * Returns the way to the last one. There are three. */
static wrn_id follow(const struct wrn_ring *ring, bool is_right, struct places *places) {
    const struct wrn_links *links = ring->links;
    wrn_id self = links->self;
    const struct wrn_link *last = NULL;
    for (uint32_t n = 0; n < WRN_NEAR_PER_SIDE; n++) {
        last = is_right ? wrn_links_right(links, n) : wrn_links_left(links, n);
        name(places, last->id);
    }
    wrn_id reach = is_right ? wrn_id_subtract(last->id, self) : wrn_id_subtract(self, last->id);
    uint32_t count = is_right ? last->view_right : last->view_left;
    for (uint32_t n = 0; n < count; n++) {
        wrn_id id = is_right ? last->right[n] : last->left[n];
        wrn_id way = is_right ? wrn_id_subtract(id, self) : wrn_id_subtract(self, id);
        if (wrn_id_less(way, reach) || wrn_id_equal(id, self)) {
            break; /* once round */
        }
        reach = way;
        name(places, id);
    }
    return reach;
}

/* Follows both sides until they meet. Returns how many nodes lie on the circle then, 0 if they do
 * not meet. */
static uint64_t count_closed(const struct wrn_ring *ring) {
    if (ring->links->count < 2 * WRN_NEAR_PER_SIDE) {
        return is_clique(ring) ? (uint64_t)ring->links->count + 1 : 0;
    }
    struct places places = {.count = 0};
    wrn_id right = follow(ring, true, &places);
    wrn_id left = follow(ring, false, &places);
    wrn_id both = wrn_id_add(right, left);
    bool is_closed = wrn_id_less(both, right) || wrn_id_equal(both, (wrn_id){0, 0});
    return is_closed ? (uint64_t)places.count + 1 : 0;
}

static uint64_t median(uint64_t *samples, uint32_t count) {
    for (uint32_t i = 1; i < count; i++) {
        uint64_t moved = samples[i];
        uint32_t place = i;
        for (; place > 0 && samples[place - 1] > moved; place--) {
            samples[place] = samples[place - 1];
        }
        samples[place] = moved;
    }
    return samples[count / 2];
}
