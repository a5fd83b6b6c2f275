/* SPDX-License-Identifier: Apache-2.0 */
/* Goes through every table of every machine of a node. */
#include "unit/overlay/quiet.h"

#include "overlay/dht_internal.h"
#include "overlay/overlay_internal.h"
#include "overlay/paths_internal.h"
#include "overlay/relay_state.h"
#include "overlay/ring_internal.h"
#include "overlay/route_internal.h"

enum { SOON_S = 20 }; /* the longest deadline of what a lone node begins by itself */

static bool is_soon(struct wrn_now now, wrn_mono due) {
    return due.ns <= wrn_mono_add(now.mono, WRN_S(SOON_S)).ns;
}

static const char *left_of_peers(const struct wrn_overlay *overlay, struct wrn_now now) {
    if (overlay->pool.live != 0 || overlay->pending != 0 ||
        wrn_dues_first(&overlay->dues).ns != UINT64_MAX) {
        return "peers";
    }
    if (overlay->links.count != 0) {
        return "links";
    }
    for (uint32_t i = 0; i < WRN_REQUESTS_MAX; i++) {
        if (overlay->linker.requests[i].state != WRN_REQUEST_FREE) {
            return "requests of the linker";
        }
    }
    for (uint32_t i = 0; i < WRN_STRANGERS_MAX; i++) {
        if (overlay->join.strangers[i].peer.generation != 0) {
            return "strangers";
        }
    }
    for (uint32_t i = 0; i < WRN_WHO_MAX; i++) {
        const struct wrn_who *who = &overlay->join.whos[i];
        if (who->nonce != 0 && !is_soon(now, wrn_tick_mono(who->due, now.mono))) {
            return "WHO without a deadline";
        }
    }
    return overlay->join.probe != 0 ? "a probe over the ring" : NULL;
}

static const char *left_of_paths(const struct wrn_paths *paths) {
    for (uint32_t i = 0; i < paths->options.peers_max; i++) {
        if (paths->peers[i].handle.generation % 2 != 0) {
            return "peers of paths";
        }
    }
    for (uint32_t i = 0; i < paths->options.searches_max; i++) {
        if (paths->searches[i].is_used) {
            return "searches";
        }
    }
    for (size_t i = 0; i < WRN_COUNT(paths->sockets_used); i++) {
        if (paths->sockets_used[i] != 0) {
            return "sockets";
        }
    }
    return wrn_dues_first(&paths->dues).ns != UINT64_MAX ? "timers of paths"
           : paths->guess.phase != PHASE_NONE            ? "guesses at ports"
           : paths->measure.is_active                    ? "a measurement of ports"
           : paths->period.peer != PATHS_NOBODY          ? "a test of the period"
                                                         : NULL;
}

static const char *left_of_relay(const struct wrn_relay *relay) {
    return relay->forwards.live != 0 ? "pairs that are forwarded between"
           : relay->uses.live != 0   ? "uses of relays"
           : relay->slots.count != 0 ? "slots"
                                     : NULL;
}

static const char *left_of_route(const struct wrn_route *route) {
    uint32_t free = route->watches.block_count - route->watches.fresh_block; /* never used */
    for (uint32_t at = route->watches.free_block; at != WRN_ROUTE_NO_BLOB;
         at = route->watches.blocks[at].next) {
        free++;
    }
    for (uint32_t i = 0; i < route->sums_max; i++) {
        if (route->sums[i].is_used) {
            return "sums";
        }
    }
    return wrn_route_watches_free(&route->watches) != route->watches.capacity
               ? "messages that wait for an acknowledgement"
           : free != route->watches.block_count ? "payloads"
                                                : NULL;
}

static const char *left_of_ring(const struct wrn_ring *ring, struct wrn_now now) {
    for (uint32_t i = 0; i < WRN_RING_WANTS_MAX; i++) {
        if (ring->wants[i].purpose != WRN_RING_FOR_NOTHING) {
            return "wants";
        }
    }
    for (uint32_t i = 0; i < WRN_RING_FINDS_MAX + ring->options.crawls_max; i++) {
        if (ring->finds[i].kind != WRN_RING_FIND_NOTHING) {
            return "finds";
        }
    }
    for (uint32_t i = 0; i < ring->options.crawls_max; i++) {
        if (ring->crawls[i].is_used) {
            return "crawls";
        }
    }
    for (uint32_t i = 0; i < WRN_RING_KNOWN_MAX; i++) {
        if (ring->known[i].is_used && wrn_tick_is_ahead(now.mono, ring->known[i].told) &&
            wrn_tick_is_ahead(now.mono, ring->known[i].until)) {
            return "places that were told of";
        }
    }
    return ring->peer_count != 0                 ? "peers of the ring"
           : ring->state != WRN_RING_STATE_ALONE ? "a state that is not ALONE"
                                                 : NULL;
}

static const char *left_of_dht(const struct wrn_dht *dht, struct wrn_now now) {
    for (uint32_t i = 0; i < dht->options.requests_max + 2; i++) {
        const struct wrn_dht_request *request = &dht->requests[i];
        if (request->is_used &&
            (request->kind == WRN_DHT_OF_USER || !is_soon(now, request->deadline))) {
            return "requests for records";
        }
    }
    for (uint32_t i = 0; i < WRN_DHT_WRITES; i++) {
        if (dht->writes[i].number != 0) {
            return "stores that wait for copies";
        }
    }
    for (uint32_t i = 0; i < WRN_DHT_PARTNERS; i++) {
        if (dht->partners[i].peer.generation != 0) {
            return "partners";
        }
    }
    return NULL;
}

const char *quiet_what_is_left(const struct wrn_overlay *overlay, struct wrn_now now) {
    const char *left = left_of_peers(overlay, now);
    left = left ? left : left_of_paths(overlay->paths);
    left = left ? left : left_of_relay(overlay->relay);
    left = left ? left : left_of_route(overlay->route);
    left = left ? left : left_of_ring(overlay->ring, now);
    return left ? left : left_of_dht(overlay->dht, now);
}
