/* SPDX-License-Identifier: Apache-2.0 */
/* From the host to members: gather (gather.c), ask the switch, put into packets, send. A frame that
 * goes to one member in one packet is sent from where it was read; copies and pieces are written
 * elsewhere, in the order of the frames. */
#include <stdatomic.h>

#include "io/clock.h"
#include "io/rcu.h"
#include "packet/frame.h"
#include "plane/ask.h"
#include "plane/bridged.h"
#include "plane/pump.h"

enum { HEAD = WRN_PAYLOAD_FRAME_HEAD };

/* One batch. */
struct work {
    struct wrn_pump *pump;
    struct wrn_pair *pair;
    const struct wrn_pump_machine *machine;
    uint32_t place;
    wrn_mono now;
};

static void forward(const struct work *work, const struct wrn_gathered *frame);
static void send_to(const struct work *work, const struct wrn_gathered *frame, uint32_t to);
static void add_payload(const struct work *work, uint8_t *bytes, size_t size, wrn_handle peer);
static uint8_t *take_copy(const struct work *work, size_t size);
static void flush(const struct work *work);

bool wrn_bridged_outbound(struct wrn_pump *pump, struct wrn_pair *pair, uint32_t place) {
    struct wrn_outbound *out = &pump->outbound;
    struct work work = {pump, pair, &pump->machines[place], place, {0}};
    int more;
    do {
        more = wrn_pump_gather(pump, place, &pair->tuns[place]);
        if (out->gathered_count == 0) {
            break;
        }
        work.now = wrn_clock_read().mono;
        out->count = 0;
        out->copied = WRN_OUTBOUND_LINE;
        work.machine->bridged->has_flow = false;
        for (size_t i = 0; i < out->gathered_count; i++) {
            forward(&work, &out->gathered[i]);
        }
        flush(&work);
        wrn_reports_flush(pump->reports);
        /* What is left of a large frame goes at once: the next call may serve another queue. */
    } while (more >= 0 && out->next_segment < out->split.count);
    if (more < 0) {
        wrn_report_deleted(pump, place);
    }
    return more > 0;
}

/* Asks the switch about a frame and puts it into packets. */
static void forward(const struct work *work, const struct wrn_gathered *frame) {
    struct wrn_bridged *bridged = work->machine->bridged;
    struct wrn_switch_verdict *verdict = &bridged->verdict;
    const struct wrn_wg_lane *lane = work->machine->lane;
    wrn_span span = {frame->bytes, frame->size};
    uint32_t number = wrn_wg_lane_number(lane);
    if (wrn_bridged_repeats(bridged, number, WRN_HANDLE_NONE, span)) {
        send_to(work, frame, 0);
        return;
    }
    wrn_rcu_enter();
    wrn_switch_from_host(bridged->sw, number, work->now, span, verdict);
    uint32_t count = verdict->refusal == WRN_SWITCH_NONE ? verdict->count : 0;
    for (uint32_t i = 0; i < count; i++) {
        bridged->rooms[i] = wrn_bridged_room(bridged, lane, verdict->peers[i]);
    }
    wrn_rcu_exit();
    if (verdict->is_told) {
        wrn_report_told(work->pump->reports, work->machine->handle, WRN_HANDLE_NONE, span);
    }
    for (uint32_t i = 0; i < count; i++) {
        send_to(work, frame, i);
    }
}

/* Puts a frame into packets for the peer at this place of the verdict. */
static void send_to(const struct work *work, const struct wrn_gathered *frame, uint32_t to) {
    struct wrn_bridged *bridged = work->machine->bridged;
    wrn_handle peer = bridged->verdict.peers[to];
    uint32_t room = bridged->rooms[to];
    struct wrn_pieces_plan plan = wrn_pieces_plan(frame->size, room);
    if (plan.count == 0) {
        wrn_wg_lane_count_drop(work->machine->lane,
                               room == 0 ? WRN_DROP_CLOSED : WRN_DROP_BAD_HOST_PACKET, 1);
        return;
    }
    if (plan.count == 1 && bridged->verdict.count == 1) {
        if (!bridged->has_flow) { /* what goes on begins no connection */
            (void)wrn_frame_clamp_mss(frame->bytes, frame->size, room - HEAD);
        }
        wrn_pieces_write_whole(frame->bytes - HEAD, frame->size);
        add_payload(work, frame->bytes - HEAD, HEAD + frame->size, peer);
        return;
    }
    uint16_t id = 0;
    if (plan.count > 1) {
        id = (uint16_t)atomic_fetch_add_explicit(bridged->next_id, 1, memory_order_relaxed);
    }
    for (uint32_t i = 0; i < plan.count; i++) {
        size_t size = wrn_pieces_payload_size(&plan, frame->size, i);
        uint8_t *copy = take_copy(work, size);
        wrn_pieces_write(&plan, (wrn_span){frame->bytes, frame->size}, id, i, copy);
        if (plan.count == 1) {
            (void)wrn_frame_clamp_mss(copy + HEAD, frame->size, room - HEAD);
        }
        add_payload(work, copy, size, peer);
    }
}

static void add_payload(const struct work *work, uint8_t *bytes, size_t size, wrn_handle peer) {
    struct wrn_outbound *out = &work->pump->outbound;
    if (out->count == WRN_PUMP_BATCH) {
        flush(work);
    }
    struct wrn_wg_packet *packet = &out->packets[out->count++];
    packet->bytes = bytes; /* the rest is the lane's to fill in */
    packet->size = size;
    packet->peer = peer;
}

/* Returns room for a payload; the batch may be sent before. */
static uint8_t *take_copy(const struct work *work, size_t size) {
    struct wrn_outbound *out = &work->pump->outbound;
    if (out->count == WRN_PUMP_BATCH ||
        WRN_OUTBOUND_COPIES - out->copied < size + WRN_WG_TAILROOM) {
        flush(work);
    }
    uint8_t *copy = out->copies + out->copied;
    out->copied = wrn_outbound_next(out->copied, size, WRN_OUTBOUND_COPIES);
    return copy;
}

static void flush(const struct work *work) {
    struct wrn_outbound *out = &work->pump->outbound;
    if (out->count > 0) {
        wrn_pump_send(work->pump, work->now, work->pair, work->place);
    }
    out->count = 0;
    out->copied = WRN_OUTBOUND_LINE;
}
