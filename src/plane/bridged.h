/* SPDX-License-Identifier: Apache-2.0 */
/* A worker's frame path of a layer-2 network: from the host's TAP device by way of the switch to
 * members, whole or in pieces (bridged_out.c), and back (bridged.c). Decides about no frame: the
 * switch does. Waits for nothing, allocates nothing on the way. */
#pragma once
#include "io/tun.h"
#include "io/udp.h"
#include "plane/deliver.h"
#include "plane/report.h"
#include "switch/pieces.h"
#include "switch/switch.h"
#include "wg/lane.h"

struct wrn_pump;
struct wrn_pair;

/* What one thread needs for a layer-2 machine. */
struct wrn_bridged {
    struct wrn_switch *sw;
    _Atomic uint32_t *next_id; /* of frames in pieces: one for all threads, or two would draw the
                                * same */
    struct wrn_pieces *pieces;
    struct wrn_switch_verdict verdict;    /* of the frame in hand … */
    uint32_t rooms[WRN_SWITCH_PORTS_MAX]; /* … and what fits a packet to each of its peers */
    bool has_flow;                        /* the frame in hand goes on with one: … */
    struct wrn_switch_flow flow;          /* … this one … */
    wrn_handle sender;                    /* … of this member; NONE: of the host */
};

/* Where frames for the host go. */
struct wrn_bridged_host {
    struct wrn_delivery *delivery;
    const struct wrn_tun *tun;
    uint32_t *joinable;             /* see wrn_deliver */
    struct wrn_reports *reports;    /* frames that the switch tells of */
    wrn_handle machine;             /* whom they are about */
    const struct wrn_wg_lane *lane; /* NULL: the control thread, whose datagrams others carry */
};

/* Takes a frame in hand. Tells whether it needs no verdict of its own: that on the frame before
 * holds for it, too, as both are of one flow; counted. A batch begins with 'has_flow' false. */
bool wrn_bridged_repeats(struct wrn_bridged *bridged, uint32_t lane, wrn_handle sender,
                         wrn_span frame);

/* Makes one; 'sw' and 'next_id' must outlive it. Returns 0 or -ENOMEM. */
WRN_NODISCARD int wrn_bridged_create(struct wrn_switch *sw, _Atomic uint32_t *next_id,
                                     struct wrn_bridged **ret_bridged);

/* Frees it; frames that wait for pieces are lost. NULL is fine. */
void wrn_bridged_destroy(struct wrn_bridged *bridged);

/* Returns the bytes of a payload that reach the peer in one packet, padded: what its port says,
 * less where others carry it ('lane' NULL: as if they did). 0: it has no port. In a reading section
 * (io/rcu.h), or on the control thread. */
uint32_t wrn_bridged_room(const struct wrn_bridged *bridged, const struct wrn_wg_lane *lane,
                          wrn_handle peer);

/* Takes the payloads of 'count' (1..WRN_DELIVER_MAX) opened datagrams, asks the switch about each
 * frame and writes those that pass to the host, joined like wrn_deliver. Not in a reading section.
 * Returns 0 or -ENODEV once the device was deleted; 'ret_delivered' is written in either case. */
WRN_NODISCARD int wrn_bridged_deliver(struct wrn_bridged *bridged,
                                      const struct wrn_bridged_host *host, wrn_mono now,
                                      const struct wrn_wg_datagram *batch, size_t count,
                                      struct wrn_delivered *ret_delivered);

/* Lets a frame (WRN_SWITCH_FRAME_MIN..WRN_PAYLOAD_FRAME_MAX bytes) wait for being sent to a peer,
 * past the switch. Control thread. */
void wrn_bridged_queue(struct wrn_bridged *bridged, struct wrn_wg *wg, struct wrn_now now,
                       wrn_handle peer, wrn_span frame, struct wrn_wg_out *out);

enum {
    WRN_BRIDGED_SEALED_MAX =
        WRN_WG_HEADROOM + WRN_PAYLOAD_FRAME_HEAD + WRN_PAYLOAD_FRAME_MAX + WRN_WG_TAILROOM,
};

/* Seals a frame, whole, in 'room', for a peer to whom there is a session and a direct path. Returns
 * false if there is not. Control thread. */
WRN_NODISCARD bool wrn_bridged_seal(struct wrn_wg *wg, struct wrn_now now, wrn_handle peer,
                                    wrn_span frame, uint8_t room[WRN_BRIDGED_SEALED_MAX],
                                    struct wrn_udp_sending *ret_sending, struct wrn_wg_out *out);

/* Adds what became of frames in pieces (switch/pieces.h). Any thread. */
void wrn_bridged_add_counts(const struct wrn_bridged *bridged,
                            uint64_t counts[WRN_PIECES_REFUSAL_COUNT]);

/* ---- bridged_out.c ---- */

/* Does what wrn_pump_outbound does, for a layer-2 machine. */
bool wrn_bridged_outbound(struct wrn_pump *pump, struct wrn_pair *pair, uint32_t machine);
