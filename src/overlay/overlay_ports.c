/* SPDX-License-Identifier: Apache-2.0 */
/* How the parts of a node speak to one another: the functions that they call, and the notes that
 * most of these leave, taken up when the part that called has returned. */
#include "overlay/overlay_internal.h"

static bool keep_payload(struct wrn_overlay *overlay, struct wrn_overlay_work *work,
                         wrn_span payload);
static enum wrn_reason note_route(struct wrn_overlay *overlay,
                                  const struct wrn_route_header *header, wrn_handle first,
                                  wrn_span payload);
static void work_off_peer(struct wrn_overlay *overlay, const struct wrn_overlay_work *work,
                          struct wrn_overlay_peer *peer);
static void on_undelivered(struct wrn_overlay *overlay, enum wrn_reason reason, wrn_span payload);

/* ---- paths ---- */

/* What proves a peer goes to both of its numbers, as long as it is not known which is right. */
static void paths_send(void *ctx, wrn_handle handle, const struct wrn_way *way, wrn_span message) {
    struct wrn_overlay *overlay = ctx;
    struct wrn_overlay_peer *peer = wrn_peers_get(overlay, handle);
    if (peer && peer->pair.their_receiver != 0) {
        wrn_overlay_send_on(overlay, peer, way, message);
        if (peer->their_other != 0) {
            wrn_overlay_send_to(overlay, peer, way, peer->their_other, message);
        }
    }
}

static void paths_send_around(void *ctx, wrn_handle peer, wrn_span message) {
    struct wrn_overlay *overlay = ctx;
    struct wrn_overlay_work *work = wrn_overlay_note(overlay, WRN_WORK_AROUND, peer);
    if (work) {
        keep_payload(overlay, work, message);
    }
}

static void paths_sockets(void *ctx, uint16_t first, uint16_t count, bool open) {
    struct wrn_overlay_action *action = wrn_overlay_act(ctx, WRN_OVERLAY_SOCKETS, 0, NULL);
    if (action) {
        action->socket = first;
        action->count = count;
        action->is_open = open;
    }
}

static void paths_way(void *ctx, wrn_handle peer, const struct wrn_way *way,
                      enum wrn_reason reason) {
    struct wrn_overlay_work *work = wrn_overlay_note(ctx, WRN_WORK_WAY, peer);
    if (work) {
        work->way = *way;
        work->reason = (uint8_t)reason;
    }
}

static void paths_heard(void *ctx, wrn_handle peer, uint32_t rtt_us, uint32_t epoch) {
    struct wrn_overlay_work *work = wrn_overlay_note(ctx, WRN_WORK_HEARD, peer);
    if (work) {
        work->number = rtt_us;
        work->tag = epoch;
    }
}

/* The pair learns it at once, since what comes next may be sealed so; what follows from a restart,
 * later. */
static void paths_proven(void *ctx, wrn_handle handle, uint64_t incarnation) {
    struct wrn_overlay *overlay = ctx;
    struct wrn_overlay_peer *peer = wrn_peers_get(overlay, handle);
    if (peer) {
        uint64_t before = peer->pair.their_incarnation;
        wrn_pair_prove(&peer->pair, incarnation);
        if (before != 0 && before != peer->pair.their_incarnation) {
            wrn_overlay_note(overlay, WRN_WORK_RESTARTED, handle);
        }
    }
}

static void paths_want_relay(void *ctx, wrn_handle peer) {
    wrn_overlay_note(ctx, WRN_WORK_WANT_RELAY, peer);
}

static void paths_relay_bad(void *ctx, wrn_handle peer, const struct wrn_way *way) {
    struct wrn_overlay_work *work = wrn_overlay_note(ctx, WRN_WORK_RELAY_BAD, peer);
    if (work) {
        work->way = *way;
    }
}

static void paths_locator(void *ctx) {
    struct wrn_overlay *overlay = ctx;
    overlay->locator_dirty = true;
}

struct wrn_paths_port wrn_overlay_paths_port(struct wrn_overlay *overlay) {
    return (struct wrn_paths_port){
        .ctx = overlay,
        .send = paths_send,
        .send_around = paths_send_around,
        .sockets = paths_sockets,
        .way = paths_way,
        .heard = paths_heard,
        .proven = paths_proven,
        .want_relay = paths_want_relay,
        .relay_bad = paths_relay_bad,
        .locator = paths_locator,
    };
}

/* ---- relay, and what several parts need ---- */

static void send_to_link(void *ctx, wrn_handle handle, wrn_span message) {
    struct wrn_overlay *overlay = ctx;
    struct wrn_overlay_peer *peer = wrn_peers_get(overlay, handle);
    if (peer && peer->state == WRN_PEER_STATE_UP) {
        wrn_overlay_send_message(overlay, peer, message);
    }
}

static void relay_forward(void *ctx, wrn_handle peer, wrn_span header, wrn_span inside) {
    struct wrn_overlay *overlay = ctx;
    if (wrn_peers_get(overlay, peer)) {
        const struct wrn_way *way = wrn_paths_way(overlay->paths, peer);
        if (way->kind == WRN_WAY_DIRECT) {
            wrn_overlay_send_raw(overlay, way, header, inside);
        } else {
            wrn_overlay_refuse(overlay, WRN_REASON_RELAY_CHAIN);
        }
    }
}

static void relay_want(void *ctx, uint32_t tag, wrn_id relay) {
    struct wrn_overlay_work *work = wrn_overlay_note(ctx, WRN_WORK_RELAY_WANT, WRN_HANDLE_NONE);
    if (work) {
        work->tag = tag;
        work->id = relay;
    }
}

static void relay_keep(void *ctx, wrn_handle handle, bool is_needed) {
    struct wrn_overlay *overlay = ctx;
    struct wrn_overlay_peer *peer = wrn_peers_get(overlay, handle);
    if (peer) {
        wrn_peers_hold(overlay, peer, WRN_LINK_OVERLAP, is_needed);
    }
}

static void relay_ready(void *ctx, wrn_handle peer, const struct wrn_way *way) {
    struct wrn_overlay_work *work = wrn_overlay_note(ctx, WRN_WORK_RELAY_READY, peer);
    if (work) {
        work->way = *way;
    }
}

static void relay_lost(void *ctx, wrn_handle peer, const struct wrn_way *way) {
    struct wrn_overlay_work *work = wrn_overlay_note(ctx, WRN_WORK_RELAY_LOST, peer);
    if (work) {
        work->way = *way;
    }
}

/* Paths asks again when it is time. */
static void relay_none(void *ctx, wrn_handle peer, enum wrn_reason reason) {
    (void)peer;
    wrn_overlay_refuse(ctx, reason);
}

static wrn_handle relay_find(void *ctx, wrn_id id, bool *ret_is_direct) {
    struct wrn_overlay *overlay = ctx;
    struct wrn_overlay_peer *peer = wrn_peers_at(overlay, id);
    *ret_is_direct = false;
    if (!peer) {
        return WRN_HANDLE_NONE;
    }
    *ret_is_direct = wrn_paths_way(overlay->paths, peer->handle)->kind == WRN_WAY_DIRECT;
    return peer->handle;
}

struct wrn_relay_port wrn_overlay_relay_port(struct wrn_overlay *overlay) {
    return (struct wrn_relay_port){
        .ctx = overlay,
        .send = send_to_link,
        .forward = relay_forward,
        .want = relay_want,
        .keep = relay_keep,
        .ready = relay_ready,
        .lost = relay_lost,
        .none = relay_none,
        .find = relay_find,
    };
}

/* ---- route ---- */

static void route_suspect(void *ctx, wrn_handle peer) {
    wrn_overlay_note(ctx, WRN_WORK_SUSPECT, peer);
}

/* Comes last in the input of the route machine, so that ring and DHT may be called; what changes
 * links waits. */
static void route_deliver(void *ctx, const struct wrn_route_header *header, wrn_handle from,
                          wrn_span payload) {
    struct wrn_overlay *overlay = ctx;
    struct wrn_overlay_work *work;
    struct wrn_overlay_action *action;
    switch (payload.size > 0 ? payload.data[0] : 0) {
    case WRN_PAYLOAD_CONNECT:
        work = wrn_overlay_note(overlay, WRN_WORK_CONNECT, from);
        if (work && keep_payload(overlay, work, payload)) {
            work->header = *header;
        }
        break;
    case WRN_PAYLOAD_FIND:
        wrn_ring_on_payload(overlay->ring, overlay->now.mono, header, from, payload);
        break;
    case WRN_PAYLOAD_DHT:
        wrn_dht_on_payload(overlay->dht, overlay->now, header, from, payload);
        break;
    case WRN_PAYLOAD_USER:
        action = wrn_overlay_act_bytes(overlay, WRN_OVERLAY_MESSAGE,
                                       (wrn_span){payload.data + 1, payload.size - 1});
        if (action) {
            action->id = header->source;
            action->number = header->hops;
        }
        break;
    default:
        wrn_overlay_refuse(overlay, WRN_REASON_MALFORMED);
        break;
    }
}

static void route_undelivered(void *ctx, const struct wrn_route_header *header,
                              enum wrn_reason reason, wrn_span payload) {
    (void)header;
    on_undelivered(ctx, reason, payload);
}

static void route_broadcast(void *ctx, wrn_id source, wrn_span payload) {
    struct wrn_overlay_action *action = wrn_overlay_act_bytes(ctx, WRN_OVERLAY_BROADCAST, payload);
    if (action) {
        action->id = source;
    }
}

static void route_contribute(void *ctx, wrn_span question, uint64_t ret_values[4]) {
    struct wrn_overlay *overlay = ctx;
    (void)question;
    ret_values[0] = 1;
    ret_values[1] = overlay->links.count;
    ret_values[2] = 0;
    uint32_t cursor = 0;
    for (wrn_span held = wrn_dht_next_held(overlay->dht, &cursor); held.size > 0;
         held = wrn_dht_next_held(overlay->dht, &cursor)) {
        ret_values[2] += held.size;
    }
    ret_values[3] = overlay->number;
}

static void route_sum(void *ctx, uint32_t tag, const uint64_t values[4], uint64_t nodes,
                      bool is_complete) {
    struct wrn_overlay_action *action = wrn_overlay_act(ctx, WRN_OVERLAY_SUM, 0, NULL);
    if (action) {
        action->tag = tag;
        action->number = nodes;
        action->is_last = is_complete;
        memcpy(action->values, values, sizeof(action->values));
    }
}

struct wrn_route_port wrn_overlay_route_port(struct wrn_overlay *overlay) {
    return (struct wrn_route_port){
        .ctx = overlay,
        .send = send_to_link,
        .suspect = route_suspect,
        .deliver = route_deliver,
        .undelivered = route_undelivered,
        .broadcast = route_broadcast,
        .contribute = route_contribute,
        .sum = route_sum,
    };
}

/* ---- ring ---- */

static void ring_want(void *ctx, const struct wrn_want *want) {
    struct wrn_overlay_work *work = wrn_overlay_note(ctx, WRN_WORK_WANT, WRN_HANDLE_NONE);
    if (work) {
        work->want = *want;
    }
}

static void ring_keep(void *ctx, wrn_handle handle, uint8_t kinds) {
    struct wrn_overlay *overlay = ctx;
    struct wrn_overlay_peer *peer = wrn_peers_get(overlay, handle);
    (void)kinds; /* the table says it */
    if (peer) {
        wrn_peers_on_kinds(overlay, peer);
    }
}

static enum wrn_reason ring_route(void *ctx, const struct wrn_route_header *header,
                                  wrn_handle first, wrn_span payload) {
    return note_route(ctx, header, first, payload);
}

static void ring_epoch(void *ctx, uint32_t epoch) {
    struct wrn_overlay *overlay = ctx;
    wrn_paths_set_epoch(overlay->paths, epoch);
}

static void ring_state(void *ctx, enum wrn_ring_state state) {
    struct wrn_overlay_work *work = wrn_overlay_note(ctx, WRN_WORK_STATE, WRN_HANDLE_NONE);
    if (work) {
        work->number = state;
    }
}

static void ring_neighbours(void *ctx) {
    wrn_overlay_note(ctx, WRN_WORK_NEIGHBOURS, WRN_HANDLE_NONE);
}

static void ring_found(void *ctx, uint32_t tag, wrn_id id, bool is_last, enum wrn_reason reason) {
    struct wrn_overlay_action *action = wrn_overlay_act(ctx, WRN_OVERLAY_FOUND, 0, NULL);
    if (action) {
        action->tag = tag;
        action->id = id;
        action->is_last = is_last;
        action->reason = reason;
    }
}

struct wrn_ring_port wrn_overlay_ring_port(struct wrn_overlay *overlay) {
    return (struct wrn_ring_port){
        .ctx = overlay,
        .want = ring_want,
        .keep = ring_keep,
        .send = send_to_link,
        .route = ring_route,
        .epoch = ring_epoch,
        .state = ring_state,
        .neighbours = ring_neighbours,
        .found = ring_found,
    };
}

/* ---- DHT ---- */

static enum wrn_reason dht_route(void *ctx, const struct wrn_route_header *header,
                                 wrn_span payload) {
    return note_route(ctx, header, WRN_HANDLE_NONE, payload);
}

/* A holder has shown a newer record of ours: it is from a former life, whose clock was ahead. What
 * we sign next is newer than that. */
static void learn_sequence(struct wrn_overlay *overlay, enum wrn_reason reason, wrn_span bytes) {
    struct wrn_record record;
    if (reason == WRN_REASON_STALE &&
        wrn_record_read(bytes, overlay->primitives, &record) == WRN_REASON_NONE &&
        memcmp(record.owner, overlay->public_key, sizeof record.owner) == 0 &&
        record.sequence > overlay->sequence && record.sequence < UINT64_MAX / 2 &&
        wrn_record_verify(bytes, overlay->primitives) == WRN_REASON_NONE) {
        overlay->sequence = record.sequence;
    }
}

static void dht_answer(void *ctx, const struct wrn_dht_answer *answer) {
    learn_sequence(ctx, answer->reason, answer->record);
    struct wrn_overlay_action *action =
        answer->tag == WRN_OVERLAY_TAG_OWN
            ? NULL
            : wrn_overlay_act_bytes(ctx, WRN_OVERLAY_ANSWER, answer->record);
    if (action) {
        action->answer = *answer;
        action->answer.record = action->bytes;
        action->tag = answer->tag;
        action->reason = answer->reason;
        action->is_last = answer->is_last;
    }
}

static void dht_lost(void *ctx, wrn_span record, wrn_span winner, enum wrn_reason reason) {
    uint8_t *room = NULL;
    learn_sequence(ctx, reason, winner);
    struct wrn_overlay_action *action =
        wrn_overlay_act(ctx, WRN_OVERLAY_RECORD_LOST, record.size + winner.size, &room);
    if (action) {
        memcpy(room, record.data, record.size);
        if (winner.size > 0) {
            memcpy(room + record.size, winner.data, winner.size);
        }
        action->bytes = (wrn_span){room, record.size};
        action->answer.record =
            (wrn_span){winner.size > 0 ? room + record.size : NULL, winner.size};
        action->reason = reason;
    }
}

struct wrn_dht_port wrn_overlay_dht_port(struct wrn_overlay *overlay) {
    return (struct wrn_dht_port){
        .ctx = overlay,
        .route = dht_route,
        .send = send_to_link,
        .answer = dht_answer,
        .lost = dht_lost,
    };
}

/* ---- notes ---- */

void wrn_overlay_work_off(struct wrn_overlay *overlay, const struct wrn_overlay_work *work) {
    struct wrn_want want = {
        .tag = work->tag, .kind = WRN_LINK_OVERLAP, .mode = WRN_ROUTE_EXACT, .target = work->id};
    enum wrn_reason reason;
    struct wrn_overlay_action *action;
    struct wrn_overlay_peer *peer;
    switch ((enum wrn_work_kind)work->kind) {
    case WRN_WORK_WANT:
        wrn_linker_want(overlay, WRN_REQUEST_OF_RING, &work->want);
        break;
    case WRN_WORK_RELAY_WANT:
        wrn_linker_want(overlay, WRN_REQUEST_OF_RELAY, &want);
        break;
    case WRN_WORK_ROUTE:
        reason = wrn_route_send(overlay->route, overlay->now.mono, &work->header, work->peer,
                                work->bytes);
        if (reason != WRN_REASON_NONE) {
            on_undelivered(overlay, reason, work->bytes);
        }
        break;
    case WRN_WORK_CONNECT:
        if (work->bytes.size > 0) {
            wrn_linker_on_payload(overlay, &work->header, work->bytes);
        }
        break;
    case WRN_WORK_STATE:
        action = wrn_overlay_act(overlay, WRN_OVERLAY_STATE, 0, NULL);
        if (action) {
            action->number = work->number;
        }
        wrn_join_on_state(overlay, work->number);
        break;
    case WRN_WORK_NEIGHBOURS:
        wrn_dht_on_neighbours(overlay->dht, overlay->now);
        break;
    default:
        peer = wrn_peers_get(overlay, work->peer);
        if (peer) {
            work_off_peer(overlay, work, peer);
        }
        break;
    }
}

/* Notes about a peer, which is still there. */
static void work_off_peer(struct wrn_overlay *overlay, const struct wrn_overlay_work *work,
                          struct wrn_overlay_peer *peer) {
    wrn_mono now = overlay->now.mono;
    wrn_id relays[WRN_LOCATOR_RELAYS_MAX];
    switch ((enum wrn_work_kind)work->kind) {
    case WRN_WORK_AROUND:
        wrn_linker_call(overlay, peer, work->bytes);
        break;
    case WRN_WORK_WAY:
        wrn_peers_on_way(overlay, peer, &work->way, work->reason);
        break;
    case WRN_WORK_HEARD:
        wrn_peers_on_heard(overlay, peer, work->number, work->tag);
        break;
    case WRN_WORK_RESTARTED:
        if (peer->state == WRN_PEER_STATE_UP) {
            wrn_peers_cut(overlay, peer, WRN_REASON_RESTARTED);
            wrn_greet_begin(overlay, peer);
        }
        break;
    case WRN_WORK_WANT_RELAY:
        if (!wrn_peers_may_be_relayed(overlay, peer)) {
            break;
        }
        for (size_t i = 0; i < peer->relay_count; i++) {
            relays[i] = peer->relays[i];
        }
        wrn_relay_search(overlay->relay, now, peer->handle, peer->id, relays, peer->relay_count);
        break;
    case WRN_WORK_RELAY_BAD:
        wrn_relay_on_bad(overlay->relay, now, peer->handle, &work->way);
        break;
    case WRN_WORK_SUSPECT:
        wrn_paths_check(overlay->paths, now, peer->handle);
        break;
    case WRN_WORK_RELAY_READY:
        wrn_paths_on_relay(overlay->paths, now, peer->handle, &work->way);
        break;
    case WRN_WORK_RELAY_LOST:
        wrn_paths_on_relay_lost(overlay->paths, now, peer->handle, &work->way);
        break;
    default:
        break;
    }
}

static void on_undelivered(struct wrn_overlay *overlay, enum wrn_reason reason, wrn_span payload) {
    switch (payload.size > 0 ? payload.data[0] : 0) {
    case WRN_PAYLOAD_CONNECT:
        wrn_linker_on_undelivered(overlay, reason, payload);
        break;
    case WRN_PAYLOAD_FIND:
        wrn_ring_on_undelivered(overlay->ring, overlay->now.mono, reason, payload);
        break;
    case WRN_PAYLOAD_DHT:
        wrn_dht_on_undelivered(overlay->dht, overlay->now, reason, payload);
        break;
    default:
        wrn_overlay_refuse(overlay, reason);
        break;
    }
}

/* A payload of ring or DHT is sent when they have returned: it may be delivered to this very
 * node. */
static enum wrn_reason note_route(struct wrn_overlay *overlay,
                                  const struct wrn_route_header *header, wrn_handle first,
                                  wrn_span payload) {
    if (payload.size == 0 || payload.size > WRN_PAYLOAD_MAX) {
        return WRN_REASON_TOO_LARGE;
    }
    struct wrn_overlay_work *work = wrn_overlay_note(overlay, WRN_WORK_ROUTE, first);
    if (!work) {
        return WRN_REASON_FULL;
    }
    work->header = *header;
    return keep_payload(overlay, work, payload) ? WRN_REASON_NONE : WRN_REASON_FULL;
}

/* Keeps a copy until the note is taken up. */
static bool keep_payload(struct wrn_overlay *overlay, struct wrn_overlay_work *work,
                         wrn_span payload) {
    uint8_t *copy = wrn_overlay_keep_bytes(overlay, payload.size);
    if (!copy) {
        overlay->lost_notes++;
        return false;
    }
    memcpy(copy, payload.data, payload.size);
    work->bytes = (wrn_span){copy, payload.size};
    return true;
}
