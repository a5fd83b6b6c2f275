/* SPDX-License-Identifier: Apache-2.0 */
/* From members to the host: unpack, put together, ask the switch, join, write. */
#include "plane/bridged.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "crypto/crypto.h"
#include "io/memory.h"
#include "io/rcu.h"
#include "packet/frame.h"
#include "plane/ask.h"

enum { MESSAGES_EACH = 3 }; /* that a packet may lead to at most */
static_assert((int)WRN_PIECES_HELD_MAX < (int)WRN_DELIVER_MAX, "what is handed out is delivered");
static_assert((int)WRN_TUN_TAP_MTU + (int)WRN_FRAME_LINK_MAX == (int)WRN_PAYLOAD_FRAME_MAX,
              "what passes the device passes the tunnel");

/* A frame that a member sent. */
struct frame {
    uint8_t *bytes;
    size_t size;
};

/* One call of wrn_bridged_deliver. */
struct work {
    struct wrn_bridged *bridged;
    const struct wrn_bridged_host *host;
    wrn_mono now;
    size_t ready; /* frames in the delivery */
    struct wrn_delivered *delivered;
};

static struct frame unpack(const struct work *work, const struct wrn_wg_datagram *datagram);
static bool passes(const struct work *work, wrn_handle peer, const struct frame *frame);
static int hand_over(struct work *work);

int wrn_bridged_create(struct wrn_switch *sw, _Atomic uint32_t *next_id,
                       struct wrn_bridged **ret_bridged) {
    struct wrn_bridged *bridged = calloc(1, sizeof *bridged);
    void *memory = NULL;
    int error = bridged == NULL ? -ENOMEM : wrn_memory_map(wrn_pieces_memory_size(), &memory);
    if (error != 0) {
        free(bridged);
        return error;
    }
    bridged->sw = sw;
    bridged->next_id = next_id;
    bridged->pieces = wrn_pieces_init(memory);
    *ret_bridged = bridged;
    return 0;
}

void wrn_bridged_destroy(struct wrn_bridged *bridged) {
    if (bridged != NULL) {
        wrn_memory_unmap(bridged->pieces, wrn_pieces_memory_size()); /* it begins there */
        free(bridged);
    }
}

bool wrn_bridged_repeats(struct wrn_bridged *bridged, uint32_t lane, wrn_handle sender,
                         wrn_span frame) {
    struct wrn_switch_flow flow;
    bool may_repeat = bridged->has_flow && bridged->verdict.is_lasting &&
                      wrn_handle_equal(bridged->sender, sender);
    bridged->has_flow = wrn_switch_flow_read(frame, &flow);
    if (bridged->has_flow && may_repeat && wrn_switch_flow_equal(&bridged->flow, &flow)) {
        wrn_switch_repeat(bridged->sw, lane, &bridged->verdict);
        return true;
    }
    bridged->sender = sender;
    if (bridged->has_flow) {
        bridged->flow = flow;
    }
    return false;
}

uint32_t wrn_bridged_room(const struct wrn_bridged *bridged, const struct wrn_wg_lane *lane,
                          wrn_handle peer) {
    uint32_t room = wrn_switch_payload_max(bridged->sw, peer);
    if (room > WRN_WG_RELAYED_PACKET_MAX && (lane == NULL || !wrn_wg_lane_is_direct(lane, peer))) {
        room = WRN_WG_RELAYED_PACKET_MAX;
    }
    /* Smaller packets than this are padded to a multiple, see wrn_wg_options.is_bridged. */
    return room >= WRN_WG_RELAYED_PACKET_MAX ? room : room / WRN_WG_PADDING * WRN_WG_PADDING;
}

int wrn_bridged_deliver(struct wrn_bridged *bridged, const struct wrn_bridged_host *host,
                        wrn_mono now, const struct wrn_wg_datagram *batch, size_t count,
                        struct wrn_delivered *ret_delivered) {
    struct work work = {.bridged = bridged, .host = host, .now = now, .delivered = ret_delivered};
    int error = 0;
    *ret_delivered = (struct wrn_delivered){0};
    bridged->has_flow = false;
    for (size_t i = 0; i < count && error == 0; i++) {
        if (batch[i].packet_size == 0) {
            continue;
        }
        struct frame frame = unpack(&work, &batch[i]);
        if (frame.size > 0 && passes(&work, batch[i].peer, &frame)) {
            host->delivery->packets[work.ready++] = (struct iovec){frame.bytes, frame.size};
        }
        if (work.ready == WRN_DELIVER_MAX ||
            wrn_pieces_held(bridged->pieces) == WRN_PIECES_HELD_MAX) {
            error = hand_over(&work);
        }
    }
    return error != 0 ? error : hand_over(&work);
}

void wrn_bridged_queue(struct wrn_bridged *bridged, struct wrn_wg *wg, struct wrn_now now,
                       wrn_handle peer, wrn_span frame, struct wrn_wg_out *out) {
    uint8_t payload[WRN_WG_RELAYED_PACKET_MAX];
    uint32_t room = wrn_bridged_room(bridged, NULL, peer);
    struct wrn_pieces_plan plan = wrn_pieces_plan(frame.size, room);
    uint32_t id = atomic_fetch_add_explicit(bridged->next_id, 1, memory_order_relaxed);
    if (plan.count == 0) {
        wrn_wg_count_drop(wg, WRN_DROP_CLOSED, 1);
    } else if (WRN_WG_MESSAGES_MAX - out->message_count < MESSAGES_EACH * plan.count) {
        wrn_wg_count_drop(wg, WRN_DROP_CONTROL_BUSY, 1);
        return;
    }
    for (uint32_t i = 0; i < plan.count; i++) {
        wrn_pieces_write(&plan, frame, (uint16_t)id, i, payload);
        size_t size = wrn_pieces_payload_size(&plan, frame.size, i);
        wrn_wg_queue_packet(wg, now, peer, (wrn_span){payload, size}, out);
    }
}

bool wrn_bridged_seal(struct wrn_wg *wg, struct wrn_now now, wrn_handle peer, wrn_span frame,
                      uint8_t room[WRN_BRIDGED_SEALED_MAX], struct wrn_udp_sending *ret_sending,
                      struct wrn_wg_out *out) {
    struct wrn_wg_peer_info info;
    struct wrn_wg_packet packet = {.bytes = room + WRN_WG_HEADROOM, .peer = peer};
    bool is_there = wrn_wg_peer_info(wg, peer, &info);
    bool is_direct = is_there && info.path.kind == WRN_PATH_DIRECT;
    wrn_wipe(&info, sizeof info);
    if (!is_direct || !wrn_wg_is_ready(wg, now, peer)) {
        return false;
    }
    wrn_pieces_write_whole(packet.bytes, frame.size);
    memcpy(packet.bytes + WRN_PAYLOAD_FRAME_HEAD, frame.data, frame.size);
    packet.size = WRN_PAYLOAD_FRAME_HEAD + frame.size;
    wrn_wg_on_packets(wg, now, &packet, 1, out);
    if (packet.datagram_size == 0) {
        return false;
    }
    *ret_sending = (struct wrn_udp_sending){
        .bytes = packet.datagram,
        .size = packet.datagram_size,
        .path = packet.path,
    };
    return true;
}

void wrn_bridged_add_counts(const struct wrn_bridged *bridged,
                            uint64_t counts[WRN_PIECES_REFUSAL_COUNT]) {
    wrn_pieces_add_counts(bridged->pieces, counts);
}

/* Returns the frame in a payload, whose type and size the lane has checked; size 0: there is none,
 * or not yet. */
static struct frame unpack(const struct work *work, const struct wrn_wg_datagram *datagram) {
    struct wrn_pieces_frame frame = {0};
    if (datagram->packet[0] == WRN_PAYLOAD_FRAME) {
        return (struct frame){datagram->packet + WRN_PAYLOAD_FRAME_HEAD,
                              datagram->packet_size - WRN_PAYLOAD_FRAME_HEAD};
    }
    (void)wrn_pieces_add(work->bridged->pieces, work->now, datagram->peer,
                         (wrn_span){datagram->packet, datagram->packet_size}, &frame); /* counted */
    return (struct frame){frame.bytes, frame.size};
}

/* Asks the switch. What begins a TCP connection is told how large segments may be that are to reach
 * the peer in one packet each. */
static bool passes(const struct work *work, wrn_handle peer, const struct frame *frame) {
    const struct wrn_bridged_host *host = work->host;
    struct wrn_switch_verdict *verdict = &work->bridged->verdict;
    wrn_span span = {frame->bytes, frame->size};
    uint32_t number = host->lane == NULL ? 0 : wrn_wg_lane_number(host->lane);
    uint32_t room = 0;
    if (wrn_bridged_repeats(work->bridged, number, peer, span)) {
        return true;
    }
    if (host->lane != NULL) {
        wrn_rcu_enter();
    }
    wrn_switch_from_peer(work->bridged->sw, number, work->now, peer, span, verdict);
    bool is_syn =
        verdict->refusal == WRN_SWITCH_NONE && wrn_frame_is_syn(frame->bytes, frame->size);
    if (is_syn) {
        room = wrn_bridged_room(work->bridged, host->lane, peer);
    }
    if (host->lane != NULL) {
        wrn_rcu_exit();
    }
    if (verdict->is_told) {
        wrn_report_told(host->reports, host->machine, peer, span);
    }
    if (is_syn && room > WRN_PAYLOAD_FRAME_HEAD) {
        (void)wrn_frame_clamp_mss(frame->bytes, frame->size, room - WRN_PAYLOAD_FRAME_HEAD);
    }
    return verdict->refusal == WRN_SWITCH_NONE;
}

/* Writes what has been gathered, and gives the frames back. Returns 0 or -ENODEV. */
static int hand_over(struct work *work) {
    const struct wrn_bridged_host *host = work->host;
    struct wrn_delivered delivered;
    int error =
        wrn_deliver_frames(host->delivery, host->tun, host->joinable, work->ready, &delivered);
    work->delivered->refused += delivered.refused;
    work->delivered->lost |= delivered.lost;
    work->ready = 0;
    wrn_pieces_release(work->bridged->pieces);
    return error;
}
