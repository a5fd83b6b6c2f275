/* SPDX-License-Identifier: Apache-2.0 */
/* Whose frame it is, where several rings of one host share a socket. Compares what is in the clear
 * with what we gave out; opens nothing, counts nothing, changes nothing. */
#include "overlay/overlay_internal.h"

static const struct wrn_overlay_peer *sender_of(const struct wrn_overlay *overlay,
                                                const struct wrn_endpoint *from);
static bool owns_relayed(const struct wrn_overlay *overlay, const struct wrn_endpoint *from,
                         wrn_span frame);

bool wrn_overlay_owns(const struct wrn_overlay *overlay, struct wrn_now now,
                      const struct wrn_endpoint *from, wrn_span datagram) {
    uint64_t number;
    uint16_t port;
    wrn_id id;
    uint8_t ring[8];
    if (!overlay->is_started || datagram.size == 0) {
        return false;
    }
    switch (datagram.data[0]) {
    case WRN_FRAME_SEALED:
        number = wrn_frame_receiver(datagram);
        return number != 0 && wrn_peers_of_number(overlay, number) != NULL;
    case WRN_FRAME_STRANGER:
        return wrn_greet_owns_stranger(overlay, now.mono, from, datagram);
    case WRN_FRAME_WHO:
        return wrn_who_read(datagram, overlay->primitives, overlay->ring_hash, &number) ==
               WRN_REASON_NONE;
    case WRN_FRAME_WHO_REPLY:
        return wrn_join_owns_reply(overlay, from, datagram);
    case WRN_FRAME_RELAYED:
        return owns_relayed(overlay, from, datagram);
    case WRN_FRAME_ANNOUNCE:
        return wrn_announce_read(datagram, ring, &id, &port) == WRN_REASON_NONE &&
               memcmp(ring, overlay->ring_hash, sizeof(ring)) == 0;
    default:
        return false;
    }
}

bool wrn_overlay_may_own(const struct wrn_overlay *overlay, const struct wrn_endpoint *from,
                         wrn_span datagram) {
    uint64_t slot;
    wrn_span inside;
    return overlay->is_started && wrn_relayed_read(datagram, &slot, &inside) == WRN_REASON_NONE &&
           sender_of(overlay, from) != NULL;
}

/* One host may be a relay of several rings, at one address. */
static bool owns_relayed(const struct wrn_overlay *overlay, const struct wrn_endpoint *from,
                         wrn_span frame) {
    const struct wrn_overlay_peer *sender = sender_of(overlay, from);
    uint64_t slot;
    wrn_span inside;
    return sender && wrn_relayed_read(frame, &slot, &inside) == WRN_REASON_NONE &&
           wrn_relay_has_slot(overlay->relay, sender->handle, slot);
}

static const struct wrn_overlay_peer *sender_of(const struct wrn_overlay *overlay,
                                                const struct wrn_endpoint *from) {
    const struct wrn_overlay_peer *sender = wrn_peers_look_address(overlay, from);
    return sender && sender->state == WRN_PEER_STATE_UP ? sender : NULL;
}
