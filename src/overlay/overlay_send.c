/* SPDX-License-Identifier: Apache-2.0 */
/* What leaves a node: actions, datagrams, sealed messages on the way to a peer. Decides nothing. */
#include "overlay/overlay_internal.h"

static bool reserve(struct wrn_overlay *overlay, size_t size);
static void count(struct wrn_overlay *overlay, enum wrn_overlay_said kind, size_t size);
static enum wrn_overlay_said kind_of_message(wrn_span message);
static enum wrn_overlay_said kind_of_frame(wrn_span frame);

struct wrn_overlay_action *wrn_overlay_act(struct wrn_overlay *overlay,
                                           enum wrn_overlay_action_kind kind, size_t size,
                                           uint8_t **ret_bytes) {
    struct wrn_overlay_out *out = overlay->out;
    WRN_ASSERT(out);
    if (out->count == WRN_OVERLAY_ACTIONS_MAX || !reserve(overlay, size)) {
        out->lost++;
        return NULL;
    }
    struct wrn_overlay_action *action = &out->actions[out->count++];
    memset(action, 0, sizeof(*action));
    action->kind = kind;
    action->bytes = (wrn_span){out->bytes + out->used, size};
    if (ret_bytes) {
        *ret_bytes = out->bytes + out->used;
    }
    out->used += (uint32_t)size;
    return action;
}

struct wrn_overlay_action *wrn_overlay_act_bytes(struct wrn_overlay *overlay,
                                                 enum wrn_overlay_action_kind kind,
                                                 wrn_span bytes) {
    uint8_t *room = NULL;
    struct wrn_overlay_action *action = wrn_overlay_act(overlay, kind, bytes.size, &room);
    if (action && bytes.size > 0) {
        memcpy(room, bytes.data, bytes.size);
    }
    if (action && (kind == WRN_OVERLAY_DATAGRAM || kind == WRN_OVERLAY_MULTICAST)) {
        count(overlay, kind_of_frame(bytes), bytes.size);
    }
    return action;
}

uint8_t *wrn_overlay_keep_bytes(struct wrn_overlay *overlay, size_t size) {
    if (!reserve(overlay, size)) {
        return NULL;
    }
    uint8_t *bytes = overlay->out->bytes + overlay->out->used;
    overlay->out->used += (uint32_t)size;
    return bytes;
}

void wrn_overlay_send_datagram(struct wrn_overlay *overlay, uint16_t socket,
                               const struct wrn_endpoint *to, wrn_span bytes) {
    struct wrn_overlay_action *action = wrn_overlay_act_bytes(overlay, WRN_OVERLAY_DATAGRAM, bytes);
    if (action) {
        action->socket = socket;
        action->to = *to;
    }
}

bool wrn_overlay_send_message(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                              wrn_span message) {
    return wrn_overlay_send_on(overlay, peer, wrn_paths_way(overlay->paths, peer->handle), message);
}

bool wrn_overlay_send_on(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                         const struct wrn_way *way, wrn_span message) {
    return wrn_overlay_send_to(overlay, peer, way, peer->pair.their_receiver, message);
}

/* Seals where the datagram will lie, behind the header of a relay if it takes one. */
bool wrn_overlay_send_to(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                         const struct wrn_way *way, uint64_t to, wrn_span message) {
    const struct wrn_way *direct = wrn_overlay_direct(overlay, way);
    if (!direct || to == 0 || message.size == 0 || message.size > WRN_MESSAGE_MAX) {
        wrn_overlay_refuse(overlay, to == 0 ? WRN_REASON_UNKNOWN_SENDER : WRN_REASON_UNREACHABLE);
        return false;
    }
    size_t head = way->kind == WRN_WAY_RELAY ? WRN_RELAYED_OVERHEAD : 0;
    uint8_t *room = NULL;
    struct wrn_overlay_action *action = wrn_overlay_act(
        overlay, WRN_OVERLAY_DATAGRAM, head + message.size + WRN_FRAME_OVERHEAD, &room);
    if (!action) {
        return false;
    }
    if (head > 0) {
        wrn_relayed_write(way->slot, room);
    }
    uint64_t known = peer->pair.their_receiver;
    peer->pair.their_receiver = to;
    count(overlay, kind_of_message(message), action->bytes.size);
    wrn_pair_seal(&peer->pair, overlay->primitives, message, room + head);
    peer->pair.their_receiver = known;
    action->socket = direct->socket;
    action->to = direct->remote;
    return true;
}

bool wrn_overlay_send_raw(struct wrn_overlay *overlay, const struct wrn_way *way, wrn_span header,
                          wrn_span bytes) {
    const struct wrn_way *direct = wrn_overlay_direct(overlay, way);
    uint8_t *room = NULL;
    struct wrn_overlay_action *action =
        direct ? wrn_overlay_act(overlay, WRN_OVERLAY_DATAGRAM, header.size + bytes.size, &room)
               : NULL;
    if (!action) {
        return false;
    }
    if (header.size > 0) {
        memcpy(room, header.data, header.size);
    }
    memcpy(room + header.size, bytes.data, bytes.size);
    count(overlay, WRN_OVERLAY_SAID_FORWARDED, action->bytes.size);
    action->socket = direct->socket;
    action->to = direct->remote;
    return true;
}

const struct wrn_way *wrn_overlay_direct(const struct wrn_overlay *overlay,
                                         const struct wrn_way *way) {
    if (way->kind == WRN_WAY_RELAY) {
        way = wrn_peers_get(overlay, way->relay) ? wrn_paths_way(overlay->paths, way->relay) : NULL;
    }
    return way && way->kind == WRN_WAY_DIRECT ? way : NULL;
}

void wrn_overlay_said(const struct wrn_overlay *overlay, enum wrn_overlay_said kind,
                      uint64_t *ret_count, uint64_t *ret_bytes) {
    WRN_ASSERT(kind < WRN_OVERLAY_SAID_KINDS);
    *ret_count = overlay->said[kind];
    *ret_bytes = overlay->said_bytes[kind];
}

static void count(struct wrn_overlay *overlay, enum wrn_overlay_said kind, size_t size) {
    overlay->said[kind]++;
    overlay->said_bytes[kind] += size;
}

/* What we send ourselves is well formed. */
static enum wrn_overlay_said kind_of_message(wrn_span message) {
    static const uint8_t kinds[] = {
        [WRN_MESSAGE_PING] = WRN_OVERLAY_SAID_PING,
        [WRN_MESSAGE_PONG] = WRN_OVERLAY_SAID_PONG,
        [WRN_MESSAGE_CALL] = WRN_OVERLAY_SAID_CALL,
        [WRN_MESSAGE_HELLO] = WRN_OVERLAY_SAID_GREETING,
        [WRN_MESSAGE_WELCOME] = WRN_OVERLAY_SAID_GREETING,
        [WRN_MESSAGE_KINDS] = WRN_OVERLAY_SAID_WANTS,
        [WRN_MESSAGE_BYE] = WRN_OVERLAY_SAID_GREETING,
        [WRN_MESSAGE_HOP_ACK] = WRN_OVERLAY_SAID_HOP_ACK,
        [WRN_MESSAGE_BROADCAST] = WRN_OVERLAY_SAID_BROADCAST,
        [WRN_MESSAGE_SUM] = WRN_OVERLAY_SAID_BROADCAST,
        [WRN_MESSAGE_STATUS] = WRN_OVERLAY_SAID_STATUS,
        [WRN_MESSAGE_STATUS_ASK] = WRN_OVERLAY_SAID_STATUS_ASK,
        [WRN_MESSAGE_RELAY] = WRN_OVERLAY_SAID_RELAY,
        [WRN_MESSAGE_USER] = WRN_OVERLAY_SAID_USER,
        [WRN_MESSAGE_DHT] = WRN_OVERLAY_SAID_COPIES,
    };
    uint8_t kind = message.data[0];
    if (kind == WRN_MESSAGE_ROUTED) {
        switch (wrn_route_payload_kind(message)) {
        case WRN_PAYLOAD_CONNECT:
            return WRN_OVERLAY_SAID_CONNECT;
        case WRN_PAYLOAD_FIND:
            return WRN_OVERLAY_SAID_FIND;
        case WRN_PAYLOAD_DHT:
            return WRN_OVERLAY_SAID_RECORDS;
        default:
            return WRN_OVERLAY_SAID_ROUTED_USER;
        }
    }
    return kind < WRN_COUNT(kinds) ? (enum wrn_overlay_said)kinds[kind] : WRN_OVERLAY_SAID_USER;
}

static enum wrn_overlay_said kind_of_frame(wrn_span frame) {
    switch (frame.data[0]) {
    case WRN_FRAME_WHO:
    case WRN_FRAME_WHO_REPLY:
        return WRN_OVERLAY_SAID_WHO;
    case WRN_FRAME_ANNOUNCE:
        return WRN_OVERLAY_SAID_ANNOUNCE;
    default:
        return WRN_OVERLAY_SAID_GREETING;
    }
}

static bool reserve(struct wrn_overlay *overlay, size_t size) {
    return size <= WRN_OVERLAY_BYTES_MAX - overlay->out->used;
}
