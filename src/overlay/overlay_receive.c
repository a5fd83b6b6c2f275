/* SPDX-License-Identifier: Apache-2.0 */
/* What comes to a node: from the datagram to the machine that its message is for. Refuses what the
 * sender may not say in its state; decides nothing else. */
#include "overlay/overlay_internal.h"

static void on_relayed(struct wrn_overlay *overlay, uint16_t socket,
                       const struct wrn_endpoint *from, uint8_t *bytes, size_t size);
static enum wrn_reason open_frame(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                                  uint64_t number, uint8_t *frame, size_t size,
                                  wrn_span *ret_message, uint64_t *ret_incarnation,
                                  bool *ret_is_fresh);
static void dispatch(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer, wrn_span message);

void wrn_overlay_on_datagram(struct wrn_overlay *overlay, struct wrn_now now, uint16_t socket,
                             const struct wrn_endpoint *from, uint8_t *bytes, size_t size,
                             struct wrn_overlay_out *out) {
    struct wrn_way way = {.kind = WRN_WAY_DIRECT, .socket = socket, .remote = *from};
    wrn_overlay_begin(overlay, now, out);
    if (!overlay->is_started || size == 0) {
        wrn_overlay_refuse(overlay, size == 0 ? WRN_REASON_MALFORMED : WRN_REASON_NOT_CONNECTED);
    } else if (!wrn_paths_has_socket(overlay->paths, socket)) {
        wrn_overlay_refuse(overlay, WRN_REASON_STALE); /* it was on its way when we closed it */
    } else if (bytes[0] == WRN_FRAME_SEALED) {
        wrn_overlay_on_sealed(overlay, &way, bytes, size);
    } else if (bytes[0] == WRN_FRAME_RELAYED) {
        on_relayed(overlay, socket, from, bytes, size);
    } else if (bytes[0] == WRN_FRAME_STRANGER) {
        wrn_greet_on_stranger(overlay, socket, from, bytes, size);
    } else if (bytes[0] == WRN_FRAME_WHO || bytes[0] == WRN_FRAME_WHO_REPLY ||
               bytes[0] == WRN_FRAME_ANNOUNCE) {
        wrn_join_on_frame(overlay, socket, from, (wrn_span){bytes, size});
    } else {
        wrn_overlay_refuse(overlay, WRN_REASON_MALFORMED);
    }
    wrn_overlay_end(overlay);
}

void wrn_overlay_on_sealed(struct wrn_overlay *overlay, const struct wrn_way *way, uint8_t *frame,
                           size_t size) {
    uint64_t number = wrn_frame_receiver((wrn_span){frame, size});
    struct wrn_overlay_peer *peer = number ? wrn_peers_of_number(overlay, number) : NULL;
    wrn_span message = {0};
    uint64_t incarnation = 0;
    bool is_fresh = false;
    if (!peer) {
        wrn_overlay_refuse(overlay, number ? WRN_REASON_UNKNOWN_SENDER : WRN_REASON_MALFORMED);
        return;
    }
    enum wrn_reason reason =
        open_frame(overlay, peer, number, frame, size, &message, &incarnation, &is_fresh);
    if (reason != WRN_REASON_NONE || message.size == 0) {
        wrn_overlay_refuse(overlay, reason ? reason : WRN_REASON_MALFORMED);
        return;
    }
    if (is_fresh && way->kind == WRN_WAY_DIRECT) {
        peer->from = wrn_peers_address_hash(overlay, &way->remote);
    }
    switch (message.data[0]) {
    case WRN_MESSAGE_PING:
    case WRN_MESSAGE_PONG:
    case WRN_MESSAGE_CALL:
        if (peer->state == WRN_PEER_STATE_STRANGER ||
            (!is_fresh && message.data[0] == WRN_MESSAGE_CALL)) {
            wrn_overlay_refuse(overlay, WRN_REASON_NOT_ADMITTED);
            return;
        }
        wrn_paths_on_message(overlay->paths, overlay->now.mono, peer->handle, way, incarnation,
                             message);
        return;
    case WRN_MESSAGE_HELLO:
    case WRN_MESSAGE_WELCOME:
    case WRN_MESSAGE_BYE:
    case WRN_MESSAGE_KINDS:
        wrn_greet_on_message(overlay, peer, way, incarnation, is_fresh, message);
        return;
    default:
        break;
    }
    if (!is_fresh) {
        wrn_overlay_refuse(overlay, WRN_REASON_STALE);
        return;
    }
    if (peer->state == WRN_PEER_STATE_GREETING && peer->admitted) {
        peer->welcomed = true; /* they say this to peers that they have admitted only */
        wrn_peers_up(overlay, peer);
    }
    if (peer->state != WRN_PEER_STATE_UP) {
        wrn_overlay_refuse(overlay, WRN_REASON_NOT_ADMITTED);
        return;
    }
    wrn_paths_on_heard(overlay->paths, overlay->now.mono, peer->handle, way);
    dispatch(overlay, peer, message);
}

/* A frame that a relay forwarded to us, or that we are to forward. */
static void on_relayed(struct wrn_overlay *overlay, uint16_t socket,
                       const struct wrn_endpoint *from, uint8_t *bytes, size_t size) {
    struct wrn_overlay_peer *sender = wrn_peers_of_address(overlay, from);
    wrn_span inside = {0};
    struct wrn_way way = {0};
    (void)socket;
    wrn_handle whose = wrn_relay_on_frame(
        overlay->relay, overlay->now.mono,
        sender && sender->state == WRN_PEER_STATE_UP ? sender->handle : WRN_HANDLE_NONE,
        (wrn_span){bytes, size}, &inside, &way);
    struct wrn_overlay_peer *peer = wrn_peers_get(overlay, whose);
    if (!peer || inside.size == 0) {
        return; /* forwarded, or counted by the relay machine */
    }
    if (inside.data[0] == WRN_FRAME_SEALED) {
        /* Who sealed it must be whom the relay made the slot for: else the way would be credited to
         * somebody who does not use it, and a relay that mixes them is none. */
        struct wrn_overlay_peer *other = wrn_peers_of_number(overlay, wrn_frame_receiver(inside));
        if (other && other != peer) {
            wrn_overlay_refuse(overlay, WRN_REASON_RELAY_MIXED);
            wrn_relay_on_bad(overlay->relay, overlay->now.mono, whose, &way);
            wrn_paths_on_relay_lost(overlay->paths, overlay->now.mono, whose, &way);
            return;
        }
        wrn_overlay_on_sealed(overlay, &way, bytes + (inside.data - bytes), inside.size);
    } else if (peer->state == WRN_PEER_STATE_UP) { /* WireGuard's: relays carry nothing else */
        struct wrn_overlay_action *action =
            wrn_overlay_act_bytes(overlay, WRN_OVERLAY_CARRIED, inside);
        if (action) {
            action->peer = peer->handle;
            action->id = peer->id;
        }
    } else {
        wrn_overlay_refuse(overlay, WRN_REASON_NOT_ADMITTED);
    }
}

/* Opens a frame to either of the numbers that the peer knows us by. */
static enum wrn_reason open_frame(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                                  uint64_t number, uint8_t *frame, size_t size,
                                  wrn_span *ret_message, uint64_t *ret_incarnation,
                                  bool *ret_is_fresh) {
    uint64_t own = peer->pair.our_receiver;
    peer->pair.our_receiver = number;
    enum wrn_reason reason = wrn_pair_open(&peer->pair, overlay->primitives, frame, size,
                                           ret_message, ret_incarnation, ret_is_fresh);
    peer->pair.our_receiver = own;
    return reason;
}

/* Messages of a peer that is UP. */
static void dispatch(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer, wrn_span message) {
    wrn_mono now = overlay->now.mono;
    struct wrn_overlay_action *action;
    switch (message.data[0]) {
    case WRN_MESSAGE_ROUTED:
    case WRN_MESSAGE_HOP_ACK:
    case WRN_MESSAGE_BROADCAST:
    case WRN_MESSAGE_SUM:
        wrn_route_on_message(overlay->route, now, peer->handle, message);
        break;
    case WRN_MESSAGE_STATUS:
    case WRN_MESSAGE_STATUS_ASK:
        wrn_ring_on_message(overlay->ring, now, peer->handle, message);
        break;
    case WRN_MESSAGE_RELAY:
        wrn_relay_on_message(overlay->relay, now, peer->handle, message);
        break;
    case WRN_MESSAGE_DHT:
        wrn_dht_on_message(overlay->dht, overlay->now, peer->handle, message);
        break;
    case WRN_MESSAGE_USER:
        action = wrn_overlay_act_bytes(overlay, WRN_OVERLAY_MESSAGE,
                                       (wrn_span){message.data + 1, message.size - 1});
        if (action) {
            action->peer = peer->handle;
            action->id = peer->id;
        }
        break;
    default:
        wrn_overlay_refuse(overlay, WRN_REASON_MALFORMED);
        break;
    }
}
