/* SPDX-License-Identifier: Apache-2.0 */
/* Connect requests: ours until they are answered, and those of others. Links nobody itself: makes
 * the peer and has its paths searched for. Layouts: docs/ring/linking.md. */
#include "overlay/linker.h"

#include "overlay/overlay_internal.h"

enum {
    TRIES_MAX = 3,
    FIRST_WAIT_MS = 1500, /* then twice as long each time */
};

/* Second byte of a CONNECT payload. */
enum connect_verb {
    CONNECT_REQUEST = 1,
    CONNECT_RESPONSE,
    CONNECT_REFUSAL,
    CONNECT_CALL,
    CONNECT_PROBE,
    CONNECT_PROBE_REPLY,
};

/* The longest request and response: two bytes of kind and verb, two numbers, a locator. */
static_assert(2 + 2 * 8 + (int)WRN_LOCATOR_MAX <= (int)WRN_PAYLOAD_MAX,
              "a CONNECT payload has room for any locator");

static struct wrn_request *take_request(struct wrn_overlay *overlay);
static struct wrn_request *request_of(const struct wrn_overlay *overlay, uint64_t number);
static enum wrn_reason place(struct wrn_overlay *overlay, struct wrn_request *request);
static enum wrn_reason ask(struct wrn_overlay *overlay, struct wrn_request *request);
static void finish(struct wrn_overlay *overlay, struct wrn_request *request, wrn_handle peer,
                   wrn_id id, enum wrn_reason reason);
static void fail_asking(struct wrn_overlay *overlay, struct wrn_request *request, wrn_id id,
                        enum wrn_reason reason);
static void link_to(struct wrn_overlay *overlay, struct wrn_request *request,
                    struct wrn_overlay_peer *peer);
static void set_wanted(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer);
static void on_request(struct wrn_overlay *overlay, const struct wrn_route_header *header,
                       struct wrn_reader *reader);
static enum wrn_reason take_request_from(struct wrn_overlay *overlay, wrn_id source, uint8_t kind,
                                         uint64_t number, wrn_span bytes, uint64_t *ret_ours);
static void answer_around(struct wrn_overlay *overlay, const struct wrn_route_header *header,
                          struct wrn_writer *writer);
static void note_via(struct wrn_overlay *overlay, const struct wrn_route_header *header);
static struct wrn_linker_via *via_of(struct wrn_overlay *overlay, wrn_handle peer);
static void on_response(struct wrn_overlay *overlay, const struct wrn_route_header *header,
                        struct wrn_reader *reader);
static bool is_final(const struct wrn_request *request, enum wrn_reason reason);
static enum wrn_reason take_response(struct wrn_overlay *overlay, struct wrn_request *request,
                                     wrn_id source, uint64_t number, wrn_span bytes);
static void on_refusal(struct wrn_overlay *overlay, const struct wrn_route_header *header,
                       struct wrn_reader *reader);
static void on_call(struct wrn_overlay *overlay, struct wrn_reader *reader);
static void answer(struct wrn_overlay *overlay, const struct wrn_route_header *header,
                   struct wrn_writer *writer);
static struct wrn_writer begin_payload(uint8_t *out, size_t capacity, enum connect_verb verb);
static void set_due(struct wrn_overlay *overlay);

void wrn_linker_want(struct wrn_overlay *overlay, enum wrn_request_owner owner,
                     const struct wrn_want *want) {
    struct wrn_request unplaced = {0};
    struct wrn_request *request = take_request(overlay);
    bool is_full = !request;
    request = is_full ? &unplaced : request;
    *request = (struct wrn_request){.owner = (uint8_t)owner,
                                    .tag = want->tag,
                                    .kind = (uint8_t)want->kind,
                                    .mode = (uint8_t)want->mode,
                                    .steps = want->steps,
                                    .target = want->target,
                                    .first = want->first,
                                    .due = WRN_MONO_NEVER};
    enum wrn_reason reason = is_full ? WRN_REASON_FULL : place(overlay, request);
    if (reason != WRN_REASON_NONE) {
        finish(overlay, request, WRN_HANDLE_NONE, want->target, reason);
    }
    set_due(overlay);
}

bool wrn_linker_has_number(const struct wrn_overlay *overlay, uint64_t number) {
    return request_of(overlay, number) != NULL;
}

void wrn_linker_on_payload(struct wrn_overlay *overlay, const struct wrn_route_header *header,
                           wrn_span payload) {
    uint8_t message[WRN_PAYLOAD_MAX];
    struct wrn_reader reader = wrn_reader(payload);
    (void)wrn_read_u8(&reader);
    uint8_t verb = wrn_read_u8(&reader);
    uint64_t number;
    switch (verb) {
    case CONNECT_REQUEST:
        on_request(overlay, header, &reader);
        break;
    case CONNECT_RESPONSE:
        on_response(overlay, header, &reader);
        break;
    case CONNECT_REFUSAL:
        on_refusal(overlay, header, &reader);
        break;
    case CONNECT_CALL:
        on_call(overlay, &reader);
        break;
    case CONNECT_PROBE:
    case CONNECT_PROBE_REPLY:
        number = wrn_read_u64(&reader);
        if (!wrn_reader_is_done(&reader)) {
            wrn_overlay_refuse(overlay, WRN_REASON_MALFORMED);
        } else if (verb == CONNECT_PROBE_REPLY) {
            wrn_join_on_probe(overlay, number, true);
        } else {
            struct wrn_writer writer = begin_payload(message, sizeof(message), CONNECT_PROBE_REPLY);
            wrn_write_u64(&writer, number);
            answer(overlay, header, &writer);
        }
        break;
    default:
        wrn_overlay_refuse(overlay, WRN_REASON_MALFORMED);
        break;
    }
    set_due(overlay);
}

void wrn_linker_on_undelivered(struct wrn_overlay *overlay, enum wrn_reason reason,
                               wrn_span payload) {
    struct wrn_reader reader = wrn_reader(payload);
    (void)wrn_read_u8(&reader);
    uint8_t verb = wrn_read_u8(&reader);
    if (verb == CONNECT_REQUEST) {
        (void)wrn_read_u16(&reader);
        struct wrn_request *request = request_of(overlay, wrn_read_u64(&reader));
        if (request && request->state == WRN_REQUEST_ASKING) {
            fail_asking(overlay, request, request->target, reason);
        }
    } else if (verb == CONNECT_PROBE) {
        wrn_join_on_probe(overlay, wrn_read_u64(&reader), false);
    }
    set_due(overlay);
}

void wrn_linker_on_up(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer) {
    wrn_handle handle = peer->handle;
    wrn_id id = peer->id;
    for (size_t i = 0; i < WRN_REQUESTS_MAX; i++) {
        struct wrn_request *request = &overlay->linker.requests[i];
        bool is_for_it =
            request->state != WRN_REQUEST_FREE &&
            (request->state == WRN_REQUEST_LINKING
                 ? wrn_handle_equal(request->peer, handle)
                 : request->mode == WRN_ROUTE_EXACT && wrn_id_equal(request->target, id));
        if (is_for_it) {
            finish(overlay, request, handle, id, WRN_REASON_NONE);
        }
    }
    peer->wanted = 0;
    set_due(overlay);
}

void wrn_linker_on_down(struct wrn_overlay *overlay, wrn_handle peer, wrn_id id,
                        enum wrn_reason reason) {
    for (size_t i = 0; i < WRN_REQUESTS_MAX; i++) {
        struct wrn_request *request = &overlay->linker.requests[i];
        bool is_for_it =
            (request->state == WRN_REQUEST_LINKING && wrn_handle_equal(request->peer, peer)) ||
            (request->state == WRN_REQUEST_FOLLOWING && wrn_id_equal(request->target, id));
        if (is_for_it) {
            finish(overlay, request, WRN_HANDLE_NONE, id, reason);
        }
    }
    set_due(overlay);
}

void wrn_linker_call(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer, wrn_span message) {
    uint8_t payload[WRN_PAYLOAD_MAX];
    struct wrn_route_header header = {.target = peer->id, .mode = WRN_ROUTE_EXACT};
    const struct wrn_linker_via *via = via_of(overlay, peer->handle);
    struct wrn_writer writer = begin_payload(payload, sizeof(payload), CONNECT_CALL);
    if (via) {
        header.has_via = header.to_via = true;
        header.via = via->via;
    }
    if (peer->pair.their_receiver == 0 || message.size == 0 ||
        message.size + WRN_FRAME_OVERHEAD > sizeof(payload) - writer.size) {
        wrn_overlay_refuse(overlay, WRN_REASON_TOO_LARGE);
        return;
    }
    size_t size = wrn_pair_seal(&peer->pair, overlay->primitives, message, payload + writer.size);
    enum wrn_reason reason =
        wrn_route_send(overlay->route, overlay->now.mono, &header, WRN_HANDLE_NONE,
                       (wrn_span){payload, writer.size + size});
    if (reason != WRN_REASON_NONE) {
        wrn_overlay_refuse(overlay, reason);
    }
}

void wrn_linker_probe(struct wrn_overlay *overlay, wrn_id id, uint64_t number) {
    uint8_t payload[10];
    struct wrn_route_header header = {.target = id, .mode = WRN_ROUTE_EXACT, .wants_trace = true};
    struct wrn_writer writer = begin_payload(payload, sizeof(payload), CONNECT_PROBE);
    wrn_write_u64(&writer, number);
    if (wrn_route_send(overlay->route, overlay->now.mono, &header, WRN_HANDLE_NONE,
                       wrn_written(&writer)) != WRN_REASON_NONE) {
        wrn_join_on_probe(overlay, number, false);
    }
}

void wrn_linker_on_time(struct wrn_overlay *overlay) {
    wrn_mono now = overlay->now.mono;
    if (!wrn_mono_reached(now, overlay->linker.due)) {
        return;
    }
    for (size_t i = 0; i < WRN_REQUESTS_MAX; i++) {
        struct wrn_request *request = &overlay->linker.requests[i];
        if (request->state != WRN_REQUEST_ASKING || !wrn_mono_reached(now, request->due)) {
            continue;
        }
        struct wrn_overlay_peer *peer =
            request->mode == WRN_ROUTE_EXACT ? wrn_peers_at(overlay, request->target) : NULL;
        if (peer && request->tries >= TRIES_MAX) {
            link_to(overlay, request, peer); /* it asked us; its paths may yet be found */
            continue;
        }
        enum wrn_reason reason =
            request->tries < TRIES_MAX ? ask(overlay, request) : WRN_REASON_TIMEOUT;
        if (reason != WRN_REASON_NONE) {
            fail_asking(overlay, request, request->target, reason);
        }
    }
    set_due(overlay);
}

/* ---- our requests ---- */

static struct wrn_request *take_request(struct wrn_overlay *overlay) {
    for (size_t i = 0; i < WRN_REQUESTS_MAX; i++) {
        if (overlay->linker.requests[i].state == WRN_REQUEST_FREE) {
            return &overlay->linker.requests[i];
        }
    }
    return NULL;
}

static struct wrn_request *request_of(const struct wrn_overlay *overlay, uint64_t number) {
    for (size_t i = 0; i < WRN_REQUESTS_MAX; i++) {
        struct wrn_request *request = &overlay->linker.requests[i];
        if (request->state != WRN_REQUEST_FREE && request->number == number && number != 0) {
            return request;
        }
    }
    return NULL;
}

/* Decides what a request waits for. A link that is there already answers it at once. */
static enum wrn_reason place(struct wrn_overlay *overlay, struct wrn_request *request) {
    struct wrn_overlay_peer *peer = NULL;
    if (request->mode == WRN_ROUTE_EXACT) {
        peer = wrn_peers_at(overlay, request->target);
        if (wrn_id_equal(request->target, overlay->id)) {
            return WRN_REASON_SELF;
        }
        /* One that asked us may never have had our answer: while no way is proven it is asked. */
        if (peer && peer->state != WRN_PEER_STATE_SEARCHING) {
            link_to(overlay, request, peer);
            return WRN_REASON_NONE;
        }
        enum wrn_reason reason = wrn_peers_shunned(overlay, request->target);
        if (reason != WRN_REASON_NONE) {
            return reason;
        }
        for (size_t i = 0; i < WRN_REQUESTS_MAX; i++) {
            const struct wrn_request *other = &overlay->linker.requests[i];
            if (other->state == WRN_REQUEST_ASKING && other->mode == WRN_ROUTE_EXACT &&
                wrn_id_equal(other->target, request->target)) {
                request->state = WRN_REQUEST_FOLLOWING;
                return WRN_REASON_NONE;
            }
        }
    }
    request->number = wrn_peers_draw_number(overlay);
    request->state = WRN_REQUEST_ASKING;
    if (peer) {
        set_wanted(overlay, peer);
    }
    return ask(overlay, request);
}

static enum wrn_reason ask(struct wrn_overlay *overlay, struct wrn_request *request) {
    uint8_t payload[WRN_PAYLOAD_MAX];
    const struct wrn_link *first = wrn_links_of(&overlay->links, request->first);
    struct wrn_route_header header = {.target = request->target,
                                      .mode = request->mode,
                                      .steps = request->steps,
                                      .not_source = request->mode == WRN_ROUTE_NEAREST,
                                      .wants_trace = true};
    if (overlay->links.count == 0) {
        return WRN_REASON_NO_ROUTE;
    }
    if (wrn_ring_state(overlay->ring) != WRN_RING_STATE_CONNECTED) {
        /* The ring does not lead to us yet: the answer comes by somebody who has a link to us. */
        const struct wrn_link *via = first ? first : &overlay->links.links[0];
        for (uint32_t i = 0; i < overlay->links.count && !first; i++) {
            if ((overlay->links.links[i].mine & WRN_LINK_LEAF) != 0) {
                via = &overlay->links.links[i];
            }
        }
        header.has_via = true;
        header.via = via->id;
    }
    struct wrn_writer writer = begin_payload(payload, sizeof(payload), CONNECT_REQUEST);
    wrn_write_u8(&writer, request->kind);
    wrn_write_u8(&writer, 0);
    wrn_write_u64(&writer, request->number);
    wrn_write_span(&writer, wrn_overlay_own_locator(overlay));
    uint64_t wait_ns = WRN_MS(FIRST_WAIT_MS) << request->tries;
    request->due = wrn_mono_add(overlay->now.mono, wrn_overlay_jitter(overlay, wait_ns));
    request->tries++;
    return wrn_route_send(overlay->route, overlay->now.mono, &header,
                          first ? request->first : WRN_HANDLE_NONE, wrn_written(&writer));
}

/* Tells whoever asked. The request is free before, so that they may ask for more. */
static void finish(struct wrn_overlay *overlay, struct wrn_request *request, wrn_handle peer,
                   wrn_id id, enum wrn_reason reason) {
    struct wrn_request done = *request;
    wrn_mono now = overlay->now.mono;
    memset(request, 0, sizeof(*request));
    struct wrn_overlay_action *action;
    struct wrn_overlay_peer *up;
    switch (done.owner) {
    case WRN_REQUEST_OF_RING:
        wrn_ring_on_want_done(overlay->ring, now, done.tag, peer, id, reason);
        break;
    case WRN_REQUEST_OF_RELAY:
        up = wrn_peers_get(overlay, peer);
        if (up) { /* until the relay machine says that it is needed no more */
            wrn_peers_hold(overlay, up, WRN_LINK_OVERLAP, true);
        }
        wrn_relay_on_want_done(overlay->relay, now, done.tag, peer, reason);
        break;
    default:
        if (reason == WRN_REASON_NONE) {
            wrn_ring_on_traffic(overlay->ring, now, peer);
            break;
        }
        action = wrn_overlay_act(overlay, WRN_OVERLAY_CONNECT_FAILED, 0, NULL);
        if (action) {
            action->id = done.target;
            action->reason = reason;
        }
        break;
    }
}

/* A request was not answered, or was refused; those that follow it share its fate. */
static void fail_asking(struct wrn_overlay *overlay, struct wrn_request *request, wrn_id id,
                        enum wrn_reason reason) {
    bool is_exact = request->mode == WRN_ROUTE_EXACT;
    wrn_id target = request->target;
    finish(overlay, request, WRN_HANDLE_NONE, id, reason);
    for (size_t i = 0; i < WRN_REQUESTS_MAX && is_exact; i++) {
        struct wrn_request *other = &overlay->linker.requests[i];
        if (other->state == WRN_REQUEST_FOLLOWING && wrn_id_equal(other->target, target)) {
            finish(overlay, other, WRN_HANDLE_NONE, id, reason);
        }
    }
}

/* From here on the request waits for a peer; not at all if that is up. */
static void link_to(struct wrn_overlay *overlay, struct wrn_request *request,
                    struct wrn_overlay_peer *peer) {
    if (peer->state == WRN_PEER_STATE_UP) {
        finish(overlay, request, peer->handle, peer->id, WRN_REASON_NONE);
        return;
    }
    request->state = WRN_REQUEST_LINKING;
    request->peer = peer->handle;
    request->due = WRN_MONO_NEVER; /* the peer has a deadline */
    set_wanted(overlay, peer);
}

static void set_wanted(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer) {
    peer->wanted = 0;
    for (size_t i = 0; i < WRN_REQUESTS_MAX; i++) {
        const struct wrn_request *request = &overlay->linker.requests[i];
        bool is_for_it = request->state == WRN_REQUEST_LINKING
                             ? wrn_handle_equal(request->peer, peer->handle)
                             : request->state != WRN_REQUEST_FREE &&
                                   request->mode == WRN_ROUTE_EXACT &&
                                   wrn_id_equal(request->target, peer->id);
        if (is_for_it) {
            peer->wanted |= request->kind;
        }
    }
    wrn_peers_set_eager(overlay, peer);
}

/* ---- what comes over the ring ---- */

static void on_request(struct wrn_overlay *overlay, const struct wrn_route_header *header,
                       struct wrn_reader *reader) {
    uint8_t payload[WRN_PAYLOAD_MAX];
    uint8_t kind = wrn_read_u8(reader);
    uint8_t zero = wrn_read_u8(reader);
    uint64_t number = wrn_read_u64(reader);
    wrn_span locator = wrn_read_rest(reader);
    uint64_t ours = 0;
    bool is_one_kind = kind != 0 && kind <= WRN_LINK_OVERLAP && (kind & (kind - 1)) == 0;
    if (reader->failed || zero != 0 || number == 0 || !is_one_kind ||
        locator.size > WRN_LOCATOR_MAX) {
        wrn_overlay_refuse(overlay, WRN_REASON_MALFORMED);
        return;
    }
    enum wrn_reason reason =
        take_request_from(overlay, header->source, kind, number, locator, &ours);
    if (reason != WRN_REASON_NONE) {
        wrn_overlay_refuse(overlay, reason);
        struct wrn_writer writer = begin_payload(payload, sizeof(payload), CONNECT_REFUSAL);
        wrn_write_u8(&writer, (uint8_t)reason);
        wrn_write_u64(&writer, number);
        answer(overlay, header, &writer);
        return;
    }
    note_via(overlay, header);
    struct wrn_writer writer = begin_payload(payload, sizeof(payload), CONNECT_RESPONSE);
    wrn_write_u64(&writer, number);
    wrn_write_u64(&writer, ours);
    wrn_write_span(&writer, wrn_overlay_own_locator(overlay));
    answer_around(overlay, header, &writer);
}

/* A node that has a link to us, and asks by way of others, may have it no more: it has restarted,
 * or nothing gets through. This one answer goes by others, too. The link is as good as it was for
 * all else, since anybody can ask in anybody's name. */
static void answer_around(struct wrn_overlay *overlay, const struct wrn_route_header *header,
                          struct wrn_writer *writer) {
    struct wrn_link *link = wrn_links_at(&overlay->links, header->source);
    bool was_suspect = link != NULL && link->is_suspect;
    if (link != NULL) {
        link->is_suspect = was_suspect || header->hops > 1;
    }
    answer(overlay, header, writer);
    link = wrn_links_at(&overlay->links, header->source);
    if (link != NULL) {
        link->is_suspect = was_suspect;
    }
}

/* Remembers by whom the source of a request is reached while the ring does not lead there: calls
 * go the way that the answer goes. One that asks without is on the ring by now. */
static void note_via(struct wrn_overlay *overlay, const struct wrn_route_header *header) {
    const struct wrn_overlay_peer *peer = wrn_peers_at(overlay, header->source);
    struct wrn_linker *linker = &overlay->linker;
    if (!peer) {
        return;
    }
    struct wrn_linker_via *via = via_of(overlay, peer->handle);
    if (via) {
        *via = (struct wrn_linker_via){0};
    }
    if (header->has_via && !header->to_via) {
        if (!via) {
            via = &linker->vias[linker->via_next];
            linker->via_next = (linker->via_next + 1) % WRN_LINKER_VIAS;
        }
        *via = (struct wrn_linker_via){.peer = peer->handle, .via = header->via};
    }
}

/* Many may join at once: each of the last ones has its own. */
static struct wrn_linker_via *via_of(struct wrn_overlay *overlay, wrn_handle peer) {
    for (size_t i = 0; i < WRN_LINKER_VIAS; i++) {
        if (wrn_handle_equal(overlay->linker.vias[i].peer, peer)) {
            return &overlay->linker.vias[i];
        }
    }
    return NULL;
}

/* Makes, or finds, the peer that asks, and begins to search for paths to it. */
static enum wrn_reason take_request_from(struct wrn_overlay *overlay, wrn_id source, uint8_t kind,
                                         uint64_t number, wrn_span bytes, uint64_t *ret_ours) {
    struct wrn_locator locator;
    enum wrn_reason reason = wrn_peers_shunned(overlay, source);
    struct wrn_overlay_peer *peer = wrn_peers_at(overlay, source);
    if (wrn_id_equal(source, overlay->id)) {
        return WRN_REASON_SELF;
    }
    if (peer && (peer->pair.their_receiver == number || peer->their_other == number)) {
        *ret_ours = peer->pair.our_receiver; /* our answer was lost, or the link is up */
        return WRN_REASON_NONE;
    }
    if (reason == WRN_REASON_NONE && !wrn_overlay_may_verify(overlay)) {
        reason = WRN_REASON_RATE;
    }
    if (reason == WRN_REASON_NONE) {
        reason = wrn_locator_read(bytes, overlay->primitives, overlay->ring_hash, &locator);
    }
    if (reason == WRN_REASON_NONE && !wrn_id_equal(locator.id, source)) {
        reason = WRN_REASON_WRONG_KEY;
    }
    if (reason == WRN_REASON_NONE && !peer &&
        !wrn_ring_accepts(overlay->ring, (enum wrn_link_kind)kind, source)) {
        reason = WRN_REASON_FULL;
    }
    if (reason == WRN_REASON_NONE && !peer && kind == WRN_LINK_SHORTCUT) {
        /* Others do as well, without burdening a relay. */
        reason =
            wrn_paths_hopeless((uint8_t)wrn_paths_nat_class(overlay->paths), locator.nat_class);
    }
    if (reason == WRN_REASON_NONE && !peer) {
        peer = wrn_peers_add(overlay, &locator, NULL, 0, kind, &reason);
    }
    if (!peer || reason != WRN_REASON_NONE) {
        return reason;
    }
    if (memcmp(peer->tunnel_key, locator.tunnel_key, WRN_KEY_SIZE) != 0) {
        return WRN_REASON_WRONG_KEY;
    }
    bool is_crossing = peer->wanted != 0;
    wrn_peers_learn(overlay, peer, &locator);
    wrn_peers_hear_number(overlay, peer, number);
    if (peer->state != WRN_PEER_STATE_UP) {
        peer->theirs = (uint8_t)(peer->theirs | kind);
    }
    wrn_join_on_locator(overlay, &locator, bytes);
    *ret_ours = peer->pair.our_receiver;
    reason =
        wrn_peers_search(overlay, peer, &locator, is_crossing && wrn_id_less(overlay->id, source));
    if (reason != WRN_REASON_NONE && peer->state == WRN_PEER_STATE_SEARCHING) {
        wrn_peers_remove(overlay, peer, reason, false);
        return reason;
    }
    if (peer->state == WRN_PEER_STATE_UP) {
        /* Did it restart? Then it answers at the number that it told now, and at no other. */
        wrn_paths_check(overlay->paths, overlay->now.mono, peer->handle);
    }
    return WRN_REASON_NONE;
}

static void on_response(struct wrn_overlay *overlay, const struct wrn_route_header *header,
                        struct wrn_reader *reader) {
    struct wrn_request *request = request_of(overlay, wrn_read_u64(reader));
    uint64_t number = wrn_read_u64(reader);
    wrn_span locator = wrn_read_rest(reader);
    if (reader->failed || number == 0 || locator.size > WRN_LOCATOR_MAX) {
        wrn_overlay_refuse(overlay, WRN_REASON_MALFORMED);
        return;
    }
    if (!request || request->state != WRN_REQUEST_ASKING ||
        (request->mode == WRN_ROUTE_EXACT && !wrn_id_equal(request->target, header->source))) {
        wrn_overlay_refuse(overlay, WRN_REASON_STALE);
        return;
    }
    enum wrn_reason reason = take_response(overlay, request, header->source, number, locator);
    if (reason != WRN_REASON_NONE) {
        wrn_overlay_refuse(overlay, reason);
        if (is_final(request, reason)) {
            fail_asking(overlay, request, header->source, reason);
        }
    }
}

/* Whether it is asked again, when it is time: for a user also where there is no room, here or
 * there; that may be over in a moment. */
static bool is_final(const struct wrn_request *request, enum wrn_reason reason) {
    bool is_passing = reason == WRN_REASON_FULL && request->owner == WRN_REQUEST_OF_USER;
    return reason != WRN_REASON_RATE && (!is_passing || request->tries >= TRIES_MAX);
}

static enum wrn_reason take_response(struct wrn_overlay *overlay, struct wrn_request *request,
                                     wrn_id source, uint64_t number, wrn_span bytes) {
    struct wrn_locator locator;
    struct wrn_overlay_peer *peer = wrn_peers_at(overlay, source);
    if (wrn_id_equal(source, overlay->id)) {
        return WRN_REASON_SELF;
    }
    if (peer && peer->state == WRN_PEER_STATE_UP) {
        wrn_peers_add_number(overlay, peer, request->number);
        link_to(overlay, request, peer);
        return WRN_REASON_NONE;
    }
    enum wrn_reason reason = wrn_peers_shunned(overlay, source);
    if (reason == WRN_REASON_NONE) {
        reason = wrn_locator_read(bytes, overlay->primitives, overlay->ring_hash, &locator);
    }
    if (reason == WRN_REASON_NONE &&
        (!wrn_id_equal(locator.id, source) ||
         (peer && memcmp(peer->tunnel_key, locator.tunnel_key, WRN_KEY_SIZE) != 0))) {
        reason = WRN_REASON_WRONG_KEY;
    }
    if (reason != WRN_REASON_NONE) {
        return reason;
    }
    bool is_crossing = peer != NULL;
    if (peer) {
        wrn_peers_add_number(overlay, peer, request->number);
        wrn_peers_learn(overlay, peer, &locator);
    } else {
        peer = wrn_peers_add(overlay, &locator, NULL, request->number, request->kind, &reason);
    }
    if (!peer) {
        return reason;
    }
    wrn_peers_hear_number(overlay, peer, number);
    wrn_join_on_locator(overlay, &locator, bytes);
    reason =
        wrn_peers_search(overlay, peer, &locator, !is_crossing || wrn_id_less(overlay->id, source));
    if (reason != WRN_REASON_NONE && peer->state == WRN_PEER_STATE_SEARCHING) {
        wrn_peers_remove(overlay, peer, reason, false);
        return reason;
    }
    link_to(overlay, request, peer);
    return WRN_REASON_NONE;
}

static void on_refusal(struct wrn_overlay *overlay, const struct wrn_route_header *header,
                       struct wrn_reader *reader) {
    uint8_t reason = wrn_read_u8(reader);
    struct wrn_request *request = request_of(overlay, wrn_read_u64(reader));
    if (!wrn_reader_is_done(reader) || reason == 0 || reason >= WRN_REASON_COUNT) {
        wrn_overlay_refuse(overlay, WRN_REASON_MALFORMED);
    } else if (!request || request->state != WRN_REQUEST_ASKING) {
        wrn_overlay_refuse(overlay, WRN_REASON_STALE);
    } else if (is_final(request, reason)) {
        fail_asking(overlay, request, header->source, reason);
    }
}

/* A sealed frame that came over the ring, since no way is proven. */
static void on_call(struct wrn_overlay *overlay, struct wrn_reader *reader) {
    uint8_t frame[WRN_PAYLOAD_MAX];
    struct wrn_way none = {.kind = WRN_WAY_NONE};
    wrn_span sealed = wrn_read_rest(reader);
    if (sealed.size == 0 || sealed.size > sizeof(frame)) {
        wrn_overlay_refuse(overlay, WRN_REASON_MALFORMED);
        return;
    }
    memcpy(frame, sealed.data, sealed.size);
    wrn_overlay_on_sealed(overlay, &none, frame, sealed.size);
}

/* Sends an answer back to the source of what came. */
static void answer(struct wrn_overlay *overlay, const struct wrn_route_header *header,
                   struct wrn_writer *writer) {
    struct wrn_route_header back = wrn_route_reply(header);
    enum wrn_reason reason = wrn_route_send(overlay->route, overlay->now.mono, &back,
                                            WRN_HANDLE_NONE, wrn_written(writer));
    if (reason != WRN_REASON_NONE) {
        wrn_overlay_refuse(overlay, reason);
    }
}

static struct wrn_writer begin_payload(uint8_t *out, size_t capacity, enum connect_verb verb) {
    struct wrn_writer writer = wrn_writer(out, capacity);
    wrn_write_u8(&writer, WRN_PAYLOAD_CONNECT);
    wrn_write_u8(&writer, (uint8_t)verb);
    return writer;
}

static void set_due(struct wrn_overlay *overlay) {
    overlay->linker.due = WRN_MONO_NEVER;
    for (size_t i = 0; i < WRN_REQUESTS_MAX; i++) {
        const struct wrn_request *request = &overlay->linker.requests[i];
        if (request->state == WRN_REQUEST_ASKING) {
            overlay->linker.due = wrn_mono_min(overlay->linker.due, request->due);
        }
    }
}
