/* SPDX-License-Identifier: Apache-2.0 */
/* Locators of nodes that are or were peers: kept to be found again when they, or we, have lost the
 * ring; handed to the caller to be kept on disk. */
#include "overlay/join_internal.h"
#include "overlay/overlay_internal.h"

enum { FAILED_MAX = 8 };

static bool is_bootstrap(const struct wrn_overlay *overlay, const struct wrn_locator *locator);
static struct wrn_cached *cached_of(const struct wrn_overlay *overlay, wrn_id id);
static struct wrn_cached *room_for(struct wrn_overlay *overlay);
static wrn_span locator_of(const struct wrn_cached *cached);
static void forget(struct wrn_overlay *overlay, struct wrn_cached *cached);
static bool store(struct wrn_overlay *overlay, wrn_id id, wrn_span bytes, bool is_good);
static void tell(struct wrn_overlay *overlay, const struct wrn_cached *cached);

enum wrn_reason wrn_join_add_cached(struct wrn_overlay *overlay, wrn_span locator) {
    struct wrn_locator read;
    enum wrn_reason reason =
        wrn_locator_read(locator, overlay->primitives, overlay->ring_hash, &read);
    if (reason == WRN_REASON_NONE && wrn_id_equal(read.id, overlay->id)) {
        reason = WRN_REASON_SELF;
    }
    if (reason == WRN_REASON_NONE && !store(overlay, read.id, locator, true)) {
        reason = WRN_REASON_FULL;
    }
    return reason;
}

/* Its clock was ahead when it signed that: until our own comes there nothing newer would count. */
static bool is_from_the_future(const struct wrn_overlay *overlay,
                               const struct wrn_locator *locator) {
    int64_t latest_s = overlay->now.wall.s + WRN_CLOCK_TOLERANCE_S;
    return latest_s >= 0 && locator->sequence / 1000 > (uint64_t)latest_s;
}

/* One that is among the endpoints that we were given is found there: its room is for others. */
void wrn_join_on_locator(struct wrn_overlay *overlay, const struct wrn_locator *locator,
                         wrn_span bytes) {
    if (is_bootstrap(overlay, locator)) {
        return;
    }
    const struct wrn_cached *cached = cached_of(overlay, locator->id);
    struct wrn_locator old = {.sequence = 0};
    bool is_there = cached && wrn_locator_parse(locator_of(cached), overlay->primitives, &old) ==
                                  WRN_REASON_NONE;
    if (is_there && locator->sequence < old.sequence && !is_from_the_future(overlay, &old)) {
        return; /* where it was once: anybody may say that again */
    }
    bool is_news = is_there && cached->is_good && locator->sequence != old.sequence;
    if (store(overlay, locator->id, bytes, false) && is_news) {
        tell(overlay, cached); /* what is on disk says where it was */
    }
}

void wrn_cache_on_up(struct wrn_overlay *overlay, wrn_id id) {
    struct wrn_cached *cached = cached_of(overlay, id);
    if (cached) {
        cached->failed = 0;
        if (!cached->is_good) {
            cached->is_good = true;
            tell(overlay, cached);
        }
    }
}

/* One that never came up is forgotten; one that did is tried again, for a while. */
void wrn_cache_on_down(struct wrn_overlay *overlay, wrn_id id, bool was_up) {
    struct wrn_cached *cached = cached_of(overlay, id);
    if (cached && was_up) {
        cached->patience = (struct wrn_patience){.silent = 0};
    } else if (cached) {
        cached->failed++;
        if (!cached->is_good || cached->failed > FAILED_MAX) {
            forget(overlay, cached);
        }
    }
}

bool wrn_cache_source(const struct wrn_overlay *overlay, uint32_t index, struct wrn_source *ret) {
    const struct wrn_join *join = &overlay->join;
    struct wrn_cached *cached = &join->cached[index];
    struct wrn_locator locator;
    if (!cached->bytes || !cached->is_good || wrn_peers_at(overlay, cached->id) ||
        !wrn_patience_is_over(&cached->patience, overlay->now.mono) ||
        wrn_locator_read(locator_of(cached), overlay->primitives, overlay->ring_hash, &locator) !=
            WRN_REASON_NONE ||
        locator.endpoint_count == 0) {
        return false;
    }
    ret->cached = (int8_t)index;
    ret->id = cached->id;
    ret->has_id = true;
    ret->choices = locator.endpoint_count;
    ret->tcp_port = locator.tcp_port;
    ret->tls_port = locator.tls_port;
    ret->to = locator.endpoints[cached->patience.silent % locator.endpoint_count].at;
    return true;
}

/* False if there is no room: all that are kept are worth more. */
static bool store(struct wrn_overlay *overlay, wrn_id id, wrn_span bytes, bool is_good) {
    struct wrn_cached *cached = cached_of(overlay, id);
    cached = cached ? cached : room_for(overlay);
    uint8_t *place = cached && bytes.size <= WRN_LOCATOR_MAX
                         ? wrn_room_change(&overlay->join.room, cached->bytes, cached->size,
                                           (uint32_t)bytes.size)
                         : NULL;
    if (place) {
        memmove(place, bytes.data, bytes.size);
        cached->is_good = is_good || (wrn_id_equal(cached->id, id) && cached->is_good);
        cached->patience = (struct wrn_patience){.silent = 0};
        cached->id = id;
        cached->bytes = place;
        cached->size = (uint16_t)bytes.size;
        cached->failed = 0;
    }
    return place != NULL;
}

static void tell(struct wrn_overlay *overlay, const struct wrn_cached *cached) {
    struct wrn_overlay_action *action =
        wrn_overlay_act_bytes(overlay, WRN_OVERLAY_CACHE, locator_of(cached));
    if (action) {
        action->id = cached->id;
    }
}

static bool is_bootstrap(const struct wrn_overlay *overlay, const struct wrn_locator *locator) {
    const struct wrn_join *join = &overlay->join;
    for (uint32_t i = 0; i < join->given_count; i++) {
        for (uint32_t k = 0; k < locator->endpoint_count; k++) {
            if (wrn_endpoint_equal(&join->bootstraps[i].endpoint, &locator->endpoints[k].at)) {
                return true;
            }
        }
    }
    return false;
}

static struct wrn_cached *cached_of(const struct wrn_overlay *overlay, wrn_id id) {
    for (uint32_t i = 0; i < overlay->join.cached_max; i++) {
        struct wrn_cached *cached = &overlay->join.cached[i];
        if (cached->bytes && wrn_id_equal(cached->id, id)) {
            return cached;
        }
    }
    return NULL;
}

/* A free place; else one that proved worth nothing; else, one time in four, that of a peer that we
 * have a link to (so that the cache follows the ring): one that was lost stays. */
static struct wrn_cached *room_for(struct wrn_overlay *overlay) {
    struct wrn_join *join = &overlay->join;
    struct wrn_cached *failed = NULL;
    for (uint32_t i = 0; i < join->cached_max; i++) {
        if (!join->cached[i].bytes) {
            return &join->cached[i];
        }
        if (join->cached[i].failed > 0 && (!failed || join->cached[i].failed > failed->failed)) {
            failed = &join->cached[i];
        }
    }
    if (failed || join->cached_max == 0 || wrn_rand_below(overlay->rand, 4) != 0) {
        return failed;
    }
    struct wrn_cached *chosen = &join->cached[wrn_rand_below(overlay->rand, join->cached_max)];
    return wrn_peers_at(overlay, chosen->id) ? chosen : NULL;
}

static wrn_span locator_of(const struct wrn_cached *cached) {
    return (wrn_span){cached->bytes, cached->size};
}

static void forget(struct wrn_overlay *overlay, struct wrn_cached *cached) {
    wrn_room_give(&overlay->join.room, cached->bytes, cached->size);
    *cached = (struct wrn_cached){0};
}
