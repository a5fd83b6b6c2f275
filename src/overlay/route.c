/* SPDX-License-Identifier: Apache-2.0 */
/* The routing machine: takes messages in, sends them on, hands them over. Makes no links. */
#include "overlay/route.h"

#include "base/bytes.h"
#include "base/keymap.h"
#include "overlay/route_internal.h"

static void on_routed(struct wrn_route *route, wrn_mono now, const struct wrn_link *link,
                      wrn_span message);
static bool accept(struct wrn_route *route, wrn_handle peer, uint32_t number);
static void forward(struct wrn_route *route, wrn_mono now, const struct wrn_routed *routed,
                    const struct wrn_link *link, enum wrn_route_course arrived, bool is_pinned);
static void on_error(struct wrn_route *route, const struct wrn_routed *routed);
static void send_error(struct wrn_route *route, wrn_mono now, const struct wrn_routed *routed,
                       enum wrn_reason reason);
static bool go_round(struct wrn_route *route, wrn_mono now, const struct wrn_routed *routed);
static void malformed(struct wrn_route *route);

static const struct wrn_route_tried nobody = {0};

struct wrn_route *wrn_route_init(struct wrn_arena *arena, const struct wrn_route_options *options,
                                 struct wrn_links *links, struct wrn_route_port port,
                                 struct wrn_rand rand) {
    WRN_ASSERT(options->watched_max >= 1 && options->watched_max <= 1024);
    struct wrn_route measured;
    struct wrn_route *taken = wrn_arena_take(arena, 1, sizeof(struct wrn_route));
    struct wrn_route *route = taken != NULL ? taken : &measured;
    *route = (struct wrn_route){.links = links, .port = port, .rand = rand};
    wrn_route_watches_init(&route->watches, arena, options);
    route->sums_max = options->sums_max;
    route->sums = wrn_arena_take(arena, route->sums_max, sizeof(*route->sums));
    route->due_count = options->watched_max + options->sums_max;
    route->dues = wrn_arena_take(arena, route->due_count, sizeof(*route->dues));
    wrn_route_seen_init(&route->hops, arena, WRN_ROUTE_HOPS_SEEN);
    wrn_route_seen_init(&route->origins, arena, WRN_ROUTE_ORIGINS_SEEN);
    wrn_route_seen_init(&route->asked, arena, WRN_ROUTE_ASKED);
    route->casts = wrn_arena_take(arena, WRN_ROUTE_CASTS_SEEN, sizeof(*route->casts));
    if (taken == NULL) {
        return NULL;
    }
    for (uint32_t i = 0; i < route->due_count; i++) {
        route->dues[i] = WRN_MONO_NEVER;
    }
    wrn_rand_fill(rand, route->key, sizeof(route->key));
    /* A node that starts anew must not repeat the numbers that its peers have seen. */
    route->watches.next_number = (uint32_t)wrn_route_draw(route);
    return taken;
}

enum wrn_reason wrn_route_send(struct wrn_route *route, wrn_mono now,
                               const struct wrn_route_header *header, wrn_handle first,
                               wrn_span payload) {
    WRN_ASSERT(payload.size >= 1);
    WRN_ASSERT(!header->to_via || (header->has_via && header->mode == WRN_ROUTE_EXACT));
    if (payload.size > WRN_PAYLOAD_MAX) {
        return WRN_REASON_TOO_LARGE;
    }
    struct wrn_routed routed = {
        .header = *header,
        .origin = wrn_route_draw(route),
        .payload = payload,
    };
    routed.header.source = route->links->self;
    routed.header.hops = 0;
    if (header->hop_limit == 0) {
        routed.header.hop_limit = WRN_ROUTE_HOP_LIMIT;
    }
    const struct wrn_link *link = NULL;
    enum wrn_route_verdict verdict = WRN_ROUTE_FORWARD;
    bool is_pinned = first.generation != 0;
    if (is_pinned) {
        link = wrn_links_of(route->links, first);
        verdict = link != NULL ? WRN_ROUTE_FORWARD : WRN_ROUTE_NONE;
    } else {
        verdict = wrn_route_decide(route->links, &routed, NULL, &nobody, &link);
    }
    if (verdict == WRN_ROUTE_NOBODY && route->links->count > 0) {
        route->counts[WRN_ROUTE_COUNT_NOBODY]++;
        return WRN_REASON_NOBODY_THERE;
    }
    if (verdict == WRN_ROUTE_NOBODY || verdict == WRN_ROUTE_NONE) {
        return WRN_REASON_NO_ROUTE;
    }
    route->counts[WRN_ROUTE_COUNT_SENT]++;
    if (verdict == WRN_ROUTE_DELIVER) {
        wrn_route_deliver(route, &routed, WRN_HANDLE_NONE);
        return WRN_REASON_NONE;
    }
    if (header->wants_trace) {
        wrn_route_seen_add(&route->asked,
                           wrn_route_hash(route, routed.origin, 0, routed.header.target));
    }
    forward(route, now, &routed, link, WRN_ROUTE_PLAIN, is_pinned);
    return WRN_REASON_NONE;
}

struct wrn_route_header wrn_route_reply(const struct wrn_route_header *header) {
    bool has_via = header->has_via && !header->to_via;
    return (struct wrn_route_header){
        .mode = WRN_ROUTE_EXACT,
        .target = header->source,
        .via = has_via ? header->via : (wrn_id){0},
        .has_via = has_via,
        .to_via = has_via,
    };
}

void wrn_route_on_message(struct wrn_route *route, wrn_mono now, wrn_handle peer,
                          wrn_span message) {
    struct wrn_link *link = wrn_links_of(route->links, peer);
    if (link == NULL) {
        route->counts[WRN_ROUTE_COUNT_STRANGER]++;
        return;
    }
    link->is_suspect = false;
    struct wrn_piece piece;
    struct wrn_part part;
    uint32_t number;
    switch (message.size > 0 ? message.data[0] : 0) {
    case WRN_MESSAGE_ROUTED:
        on_routed(route, now, link, message);
        return;
    case WRN_MESSAGE_HOP_ACK:
        if (wrn_hop_ack_read(message, &number)) {
            wrn_route_on_hop_ack(route, peer, number);
            return;
        }
        break;
    case WRN_MESSAGE_BROADCAST:
        if (wrn_piece_read(message, &piece)) {
            if (accept(route, peer, piece.number)) {
                wrn_route_on_piece(route, now, link, &piece);
            }
            return;
        }
        break;
    case WRN_MESSAGE_SUM:
        if (wrn_part_read(message, &part)) {
            if (accept(route, peer, part.number)) {
                wrn_route_on_part(route, now, link, &part);
            }
            return;
        }
        break;
    default:
        break;
    }
    malformed(route);
}

void wrn_route_on_heard(struct wrn_route *route, wrn_handle peer) {
    struct wrn_link *link = wrn_links_of(route->links, peer);
    if (link != NULL) {
        link->is_suspect = false;
    }
}

void wrn_route_on_link_down(struct wrn_route *route, wrn_mono now, wrn_handle peer) {
    for (uint32_t i = 0; i < route->sums_max; i++) {
        struct wrn_route_sum *sum = &route->sums[i];
        if (sum->is_used && wrn_handle_equal(sum->parent, peer)) {
            wrn_route_sum_end(route, now, sum, true); /* nobody is told */
        }
    }
    for (uint32_t slot = 0; slot < route->watches.capacity; slot++) {
        const struct wrn_watch *watch = &route->watches.watches[slot];
        if (watch->number != 0 && wrn_handle_equal(watch->peer, peer)) {
            wrn_route_watch_failed(route, now, slot, true);
        }
    }
}

void wrn_route_on_time(struct wrn_route *route, wrn_mono now) {
    /* Whatever was due is later or gone afterwards, so this ends. */
    while (wrn_mono_reached(now, wrn_route_due(route))) {
        uint32_t index = route->earliest;
        if (index < route->watches.capacity) {
            wrn_route_watch_failed(route, now, index, false);
        } else {
            wrn_route_sum_end(route, now, &route->sums[index - route->watches.capacity], true);
        }
    }
}

wrn_mono wrn_route_due(const struct wrn_route *route) {
    return route->dues[route->earliest];
}

uint64_t wrn_route_count(const struct wrn_route *route, enum wrn_route_count count) {
    return (uint32_t)count < WRN_ROUTE_COUNTS ? route->counts[count] : 0;
}

void wrn_route_set_due(struct wrn_route *route, uint32_t index, wrn_mono due) {
    route->dues[index] = due;
    if (wrn_mono_before(due, route->dues[route->earliest])) {
        route->earliest = index;
        return;
    }
    if (index != route->earliest) {
        return;
    }
    for (uint32_t i = 0; i < route->due_count; i++) {
        if (wrn_mono_before(route->dues[i], route->dues[route->earliest])) {
            route->earliest = i;
        }
    }
}

uint64_t wrn_route_draw(struct wrn_route *route) {
    uint8_t bytes[8];
    wrn_rand_fill(route->rand, bytes, sizeof(bytes));
    return wrn_load_be64(bytes);
}

uint64_t wrn_route_hash(const struct wrn_route *route, uint64_t a, uint64_t b, wrn_id c) {
    uint8_t bytes[16 + WRN_ID_SIZE];
    wrn_store_be64(bytes, a);
    wrn_store_be64(bytes + 8, b);
    wrn_id_store(c, bytes + 16);
    uint64_t hash = wrn_siphash(route->key, bytes, sizeof(bytes));
    return hash != 0 ? hash : 1;
}

void wrn_route_deliver(struct wrn_route *route, const struct wrn_routed *routed, wrn_handle from) {
    uint64_t hash =
        wrn_route_hash(route, routed->origin, routed->is_error ? 1 : 0, routed->header.source);
    if (!wrn_route_seen_add(&route->origins, hash)) {
        route->counts[WRN_ROUTE_COUNT_DUPLICATE]++;
        return;
    }
    if (routed->is_error) {
        on_error(route, routed);
        return;
    }
    route->counts[WRN_ROUTE_COUNT_DELIVERED]++;
    route->port.deliver(route->port.ctx, &routed->header, from, routed->payload);
}

void wrn_route_fail(struct wrn_route *route, wrn_mono now, const struct wrn_routed *routed,
                    enum wrn_reason reason) {
    enum wrn_route_count count = WRN_ROUTE_COUNT_LOST;
    if (reason == WRN_REASON_HOP_LIMIT) {
        count = WRN_ROUTE_COUNT_HOP_LIMIT;
    } else if (reason == WRN_REASON_NOBODY_THERE) {
        count = WRN_ROUTE_COUNT_NOBODY;
    }
    route->counts[count]++;
    const struct wrn_route_header *header = &routed->header;
    if (routed->is_error) {
        (void)go_round(route, now, routed);
        return;
    }
    if (!header->wants_trace) {
        return;
    }
    if (!wrn_id_equal(header->source, route->links->self)) {
        send_error(route, now, routed, reason);
    } else if (wrn_route_seen_take(&route->asked,
                                   wrn_route_hash(route, routed->origin, 0, header->target))) {
        route->port.undelivered(route->port.ctx, header, reason, routed->payload);
    }
}

static void on_routed(struct wrn_route *route, wrn_mono now, const struct wrn_link *link,
                      wrn_span message) {
    struct wrn_routed routed;
    if (!wrn_routed_read(message, &routed)) {
        malformed(route);
        return;
    }
    if (!accept(route, link->peer, routed.number)) {
        return;
    }
    if (routed.header.hops > routed.header.hop_limit) {
        wrn_route_fail(route, now, &routed, WRN_REASON_HOP_LIMIT);
        return;
    }
    enum wrn_route_course arrived = routed.course;
    const struct wrn_link *next = NULL;
    switch (wrn_route_decide(route->links, &routed, link, &nobody, &next)) {
    case WRN_ROUTE_FORWARD:
        if (routed.header.hops == routed.header.hop_limit) {
            wrn_route_fail(route, now, &routed, WRN_REASON_HOP_LIMIT);
            return;
        }
        route->counts[WRN_ROUTE_COUNT_FORWARDED]++;
        forward(route, now, &routed, next, arrived, false);
        return;
    case WRN_ROUTE_DELIVER:
        wrn_route_deliver(route, &routed, link->peer);
        return;
    case WRN_ROUTE_NOBODY:
    case WRN_ROUTE_NONE:
        wrn_route_fail(route, now, &routed, WRN_REASON_NOBODY_THERE);
        return;
    }
}

/* Acknowledges a message; false if it came before, when it must not be handled again. */
static bool accept(struct wrn_route *route, wrn_handle peer, uint32_t number) {
    if (number == 0) {
        return true;
    }
    uint8_t bytes[8];
    size_t size = wrn_hop_ack_write(number, bytes);
    route->port.send(route->port.ctx, peer, (wrn_span){bytes, size});
    uint64_t who = (uint64_t)peer.index << 32 | peer.generation;
    if (wrn_route_seen_add(&route->hops, wrn_route_hash(route, who, number, (wrn_id){0}))) {
        return true;
    }
    route->counts[WRN_ROUTE_COUNT_DUPLICATE]++;
    return false;
}

/* Sends a message, which may go further, by 'link', with the course that was decided; 'arrived' is
 * the one with which it came. */
static void forward(struct wrn_route *route, wrn_mono now, const struct wrn_routed *routed,
                    const struct wrn_link *link, enum wrn_route_course arrived, bool is_pinned) {
    struct wrn_routed next = *routed;
    next.header.hops++;
    struct wrn_parcel parcel = {
        .head = wrn_routed_write(&next),
        .payload = routed->payload,
        .blob = WRN_ROUTE_NO_BLOB,
        .course = arrived == WRN_ROUTE_DETOUR ? WRN_ROUTE_STRICT : arrived,
        .is_pinned = is_pinned,
    };
    wrn_route_post(route, now, link, &parcel);
}

/* An error came for a message of ours. Only who has seen that message knows its number. */
static void on_error(struct wrn_route *route, const struct wrn_routed *routed) {
    struct wrn_route_error error;
    if (!wrn_route_error_read(routed->payload, &error)) {
        malformed(route);
        return;
    }
    if (!wrn_route_seen_take(&route->asked,
                             wrn_route_hash(route, routed->origin, 0, error.header.target))) {
        route->counts[WRN_ROUTE_COUNT_LATE]++;
        return;
    }
    error.header.source = route->links->self;
    route->port.undelivered(route->port.ctx, &error.header, error.reason, error.payload);
}

/* Tells the source what became of its message. */
static void send_error(struct wrn_route *route, wrn_mono now, const struct wrn_routed *routed,
                       enum wrn_reason reason) {
    uint8_t payload[WRN_PAYLOAD_MAX];
    struct wrn_route_error error = {
        .reason = reason,
        .header = routed->header,
        .payload = routed->payload,
    };
    struct wrn_routed message = {
        .header = wrn_route_reply(&routed->header),
        .origin = routed->origin,
        .is_error = true,
        .payload = {payload, wrn_route_error_write(&error, payload)},
    };
    message.header.source = route->links->self;
    message.header.hop_limit = WRN_ROUTE_HOP_LIMIT;
    const struct wrn_link *link = NULL;
    if (wrn_route_decide(route->links, &message, NULL, &nobody, &link) == WRN_ROUTE_FORWARD) {
        forward(route, now, &message, link, WRN_ROUTE_PLAIN, false);
    } else if (!go_round(route, now, &message)) {
        route->counts[WRN_ROUTE_COUNT_NOBODY]++;
    }
}

/* An error found no way. Where a message ends beside a gap of the dead, its source is often just
 * behind the gap, and nobody nearer to it lives on this side. So it goes the other way, all round
 * the circle, and never past its goal; if it ends at another gap there, it turns again. Each turn
 * counts as a link taken: so they end, also where a node turns the same error again and again. */
static bool go_round(struct wrn_route *route, wrn_mono now, const struct wrn_routed *routed) {
    struct wrn_routed message = *routed;
    struct wrn_route_header *header = &message.header;
    const struct wrn_link *link = NULL;
    wrn_id goal = header->to_via ? header->via : header->target, self = route->links->self;
    bool is_right = wrn_id_less(wrn_id_subtract(self, goal), wrn_id_subtract(goal, self));
    if (routed->course >= WRN_ROUTE_RIGHTWARDS) {
        is_right = routed->course == WRN_ROUTE_LEFTWARDS;
    }
    if (header->hops + 2 > header->hop_limit) {
        return false;
    }
    header->hops++;
    message.course = is_right ? WRN_ROUTE_RIGHTWARDS : WRN_ROUTE_LEFTWARDS;
    if (wrn_route_decide(route->links, &message, NULL, &nobody, &link) != WRN_ROUTE_FORWARD) {
        return false;
    }
    forward(route, now, &message, link, message.course, false);
    return true;
}

static void malformed(struct wrn_route *route) {
    route->counts[WRN_ROUTE_COUNT_MALFORMED]++;
}
