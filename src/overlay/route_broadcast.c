/* SPDX-License-Identifier: Apache-2.0 */
/* Broadcasts: each node gets a part of the circle, and splits it among its links that lie in it.
 * Adds nothing up. */
#include "overlay/route_internal.h"

static const wrn_id whole = {UINT64_MAX, UINT32_MAX};

/* A piece while it is split. */
struct split {
    struct wrn_route *route;
    wrn_mono now;
    const struct wrn_piece *piece;
    wrn_handle except;
    struct wrn_route_sum *sum;
    uint8_t attempts;
    uint16_t blob;
};

static void hand(const struct split *split, const struct wrn_link *link, wrn_id from, wrn_id end);
static uint32_t fanout(const struct wrn_route *route);
static void close_gap(const struct split *split, wrn_id end);
static const struct wrn_link *next_within(const struct split *split, uint32_t *cursor,
                                          bool is_first);
static wrn_id way_to_end(wrn_id self, wrn_id end);

enum wrn_reason wrn_route_broadcast(struct wrn_route *route, wrn_mono now, wrn_span payload) {
    WRN_ASSERT(payload.size >= 1);
    if (payload.size > WRN_PAYLOAD_MAX) {
        return WRN_REASON_TOO_LARGE;
    }
    wrn_id self = route->links->self;
    struct wrn_piece piece = {
        .source = self,
        .from = self,
        .end = self,
        .origin = wrn_route_draw(route),
        .payload = payload,
    };
    struct split probe = {.route = route, .piece = &piece, .except = WRN_HANDLE_NONE};
    uint32_t cursor = 0;
    if (next_within(&probe, &cursor, true) == NULL) {
        return WRN_REASON_NO_ROUTE;
    }
    bool is_new;
    wrn_route_cast_of(route, piece.origin, self, &is_new)->covered = whole;
    route->counts[WRN_ROUTE_COUNT_SENT]++;
    wrn_route_split(route, now, &piece, WRN_HANDLE_NONE, NULL, 0);
    return WRN_REASON_NONE;
}

void wrn_route_on_piece(struct wrn_route *route, wrn_mono now, const struct wrn_link *link,
                        const struct wrn_piece *piece) {
    wrn_id self = route->links->self;
    bool is_new;
    struct wrn_route_cast *cast = wrn_route_cast_of(route, piece->origin, piece->source, &is_new);
    is_new = is_new && !wrn_id_equal(piece->source, self);
    struct wrn_piece rest = *piece;
    bool is_covered = false;
    if (wrn_id_equal(piece->from, self)) {
        /* It comes again, maybe with more, where nodes do not agree on who lies between them. */
        wrn_id way = way_to_end(self, piece->end);
        is_covered = !wrn_id_less(cast->covered, way);
        if (!is_covered) {
            rest.from = wrn_id_add(self, cast->covered);
            cast->covered = way;
        }
    }
    if (piece->hops == UINT8_MAX && !is_covered) {
        route->counts[WRN_ROUTE_COUNT_HOP_LIMIT]++;
        is_covered = true;
    }
    if (!is_new && is_covered) {
        route->counts[WRN_ROUTE_COUNT_DUPLICATE]++;
    }
    if (piece->is_sum) {
        wrn_route_on_sum_piece(route, now, link, &rest, is_covered, is_new);
        return;
    }
    if (!is_covered) {
        wrn_route_split(route, now, &rest, WRN_HANDLE_NONE, NULL, 0);
    }
    if (is_new) {
        route->counts[WRN_ROUTE_COUNT_DELIVERED]++;
        route->port.broadcast(route->port.ctx, piece->source, piece->payload);
    }
}

/* The links in [from, end), in order: each gets the way up to the next, the last up to the end.
 * What lies before the first is known to be empty only if it begins at ourselves. */
void wrn_route_split(struct wrn_route *route, wrn_mono now, const struct wrn_piece *piece,
                     wrn_handle except, struct wrn_route_sum *sum, uint8_t attempts) {
    struct split split = {route, now, piece, except, sum, attempts, WRN_ROUTE_NO_BLOB};
    wrn_id self = route->links->self;
    wrn_id start = wrn_id_subtract(piece->from, self);
    if (!wrn_id_less(start, way_to_end(self, piece->end))) {
        return; /* nothing lies in it */
    }
    uint32_t count = 0;
    uint32_t cursor = 0;
    const struct wrn_link *first = NULL;
    for (const struct wrn_link *link = next_within(&split, &cursor, true); link != NULL;
         link = next_within(&split, &cursor, false)) {
        first = count == 0 ? link : first;
        count++;
    }
    split.blob = wrn_route_blob_keep(route, piece->payload);
    if (!wrn_id_equal(piece->from, self) &&
        (first == NULL || !wrn_id_equal(first->id, piece->from))) {
        close_gap(&split, first == NULL ? piece->end : first->id);
    }
    const struct wrn_link *pending = NULL;
    uint32_t most = fanout(route);
    cursor = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct wrn_link *link = next_within(&split, &cursor, i == 0);
        /* With very many links only some get a piece; they reach the others. */
        bool is_chosen = count <= most || i == 0 ||
                         (uint64_t)i * most / count != (uint64_t)(i - 1) * most / count;
        if (is_chosen && pending != NULL) {
            hand(&split, pending, pending->id, link->id);
        }
        pending = is_chosen ? link : pending;
    }
    if (pending != NULL) {
        hand(&split, pending, pending->id, piece->end);
    }
    wrn_route_blob_drop(route, split.blob);
}

void wrn_route_mend(struct wrn_route *route, wrn_mono now, const struct wrn_piece *piece,
                    wrn_handle peer, uint8_t attempts) {
    struct wrn_route_sum *sum = NULL;
    if (piece->is_sum) {
        sum = wrn_route_sum_of(route, piece->origin, peer, piece->token);
        if (sum == NULL) {
            return; /* its time is over */
        }
    }
    if (attempts < WRN_ROUTE_PIECE_TRIES) {
        struct wrn_piece rest = *piece;
        rest.hops--;
        route->counts[WRN_ROUTE_COUNT_REROUTED]++;
        wrn_route_split(route, now, &rest, peer, sum, attempts);
    } else {
        route->counts[WRN_ROUTE_COUNT_LOST]++;
        if (sum != NULL) {
            sum->is_complete = false;
        }
    }
    if (sum != NULL) {
        wrn_route_sum_end(route, now, sum, false);
    }
}

struct wrn_route_cast *wrn_route_cast_of(struct wrn_route *route, uint64_t origin, wrn_id source,
                                         bool *ret_is_new) {
    uint64_t hash = wrn_route_hash(route, origin, WRN_MESSAGE_BROADCAST, source);
    for (uint32_t i = 0; i < WRN_ROUTE_CASTS_SEEN; i++) {
        if (route->casts[i].hash == hash) {
            *ret_is_new = false;
            return &route->casts[i];
        }
    }
    struct wrn_route_cast *cast = &route->casts[route->next_cast];
    route->next_cast = (route->next_cast + 1) % WRN_ROUTE_CASTS_SEEN;
    *cast = (struct wrn_route_cast){.hash = hash};
    *ret_is_new = true;
    return cast;
}

/* Into how many pieces something is split now. */
static uint32_t fanout(const struct wrn_route *route) {
    uint32_t most = wrn_route_watches_free(&route->watches);
    most = most < WRN_ROUTE_FANOUT_LEAST ? WRN_ROUTE_FANOUT_LEAST : most;
    return most < WRN_ROUTE_FANOUT ? most : WRN_ROUTE_FANOUT;
}

/* Gives a link the way from 'from' to 'end'. */
static void hand(const struct split *split, const struct wrn_link *link, wrn_id from, wrn_id end) {
    struct wrn_route *route = split->route;
    struct wrn_piece piece = *split->piece;
    piece.from = from;
    piece.end = end;
    piece.hops++;
    if (split->sum != NULL) {
        if (!wrn_route_sum_branch(route, split->sum, link->peer, &piece.token)) {
            return;
        }
        piece.budget = split->sum->budget;
    }
    if (piece.hops > 1) {
        route->counts[WRN_ROUTE_COUNT_FORWARDED]++;
    }
    struct wrn_parcel parcel = {
        .head = wrn_piece_write(&piece),
        .payload = piece.payload,
        .blob = split->blob,
        .attempts = split->attempts,
    };
    wrn_route_post(route, split->now, link, &parcel);
}

/* Gives the way from 'from', where nobody answers us, to 'end' to the link nearest before it: its
 * own neighbours lie there, or those of the next. It comes nearer with each such step. Without such
 * a link it is for our next neighbour, who is asked again. */
static void close_gap(const struct split *split, wrn_id end) {
    const struct wrn_links *links = split->route->links;
    wrn_id start = wrn_id_subtract(split->piece->from, links->self);
    const struct wrn_link *best = NULL;
    for (uint32_t i = 0; i < links->count; i++) {
        const struct wrn_link *link = &links->links[i];
        if (!wrn_id_less(wrn_id_subtract(link->id, links->self), start)) {
            break;
        }
        if (wrn_link_is_of_ring(link) && !wrn_handle_equal(link->peer, split->except) &&
            (!link->is_suspect || best == NULL || best->is_suspect)) {
            best = link;
        }
    }
    if (best == NULL) {
        best = wrn_links_of(links, split->except);
    }
    if (best != NULL) {
        hand(split, best, split->piece->from, end);
    } else if (split->sum != NULL && split->except.generation != 0) {
        split->sum->is_complete = false; /* our next neighbour is gone, but may live */
    }
}

/* Returns the next link in the piece from *cursor on; NULL if there is none. A suspect one is left
 * out, unless it is the first: the one before it gets the way beyond it too. */
static const struct wrn_link *next_within(const struct split *split, uint32_t *cursor,
                                          bool is_first) {
    const struct wrn_links *links = split->route->links;
    wrn_id start = wrn_id_subtract(split->piece->from, links->self);
    wrn_id end = way_to_end(links->self, split->piece->end);
    while (*cursor < links->count) {
        const struct wrn_link *link = &links->links[(*cursor)++];
        wrn_id way = wrn_id_subtract(link->id, links->self);
        if (wrn_link_is_of_ring(link) && !wrn_handle_equal(link->peer, split->except) &&
            !wrn_id_less(way, start) && wrn_id_less(way, end) && (!link->is_suspect || is_first)) {
            return link;
        }
    }
    return NULL;
}

/* Returns the way clockwise to the end of a piece; to ourselves it is the whole circle. */
static wrn_id way_to_end(wrn_id self, wrn_id end) {
    return wrn_id_equal(self, end) ? whole : wrn_id_subtract(end, self);
}
