/* SPDX-License-Identifier: Apache-2.0 */
/* From the host to members: read, cut up, ask the switch, put into packets, send. A frame that goes
 * to one member in one packet is sent from where it was read; copies and pieces are written
 * elsewhere, in the order of the frames. */
#include <stdatomic.h>

#include "base/bytes.h"
#include "io/clock.h"
#include "io/rcu.h"
#include "packet/frame.h"
#include "plane/ask.h"
#include "plane/bridged.h"
#include "plane/pump.h"

enum {
    LINE = 64,   /* payloads begin on a line of the caches, their headers before it */
    SLOT = 2048, /* room for reading a frame in place */
    HEAD = WRN_PAYLOAD_FRAME_HEAD,
};
static_assert((int)LINE >= (int)WRN_WG_HEADROOM, "the headers fit before the packet");
static_assert((int)WRN_OUTBOUND_LANDING >= (int)WRN_TUN_FRAME_MAX, "the largest frame lands");
static_assert((int)WRN_OUTBOUND_SEALING >=
                  LINE + HEAD + (int)WRN_PAYLOAD_FRAME_MAX + (int)WRN_WG_TAILROOM,
              "the largest segment fits");

/* One batch. */
struct work {
    struct wrn_pump *pump;
    struct wrn_pair *pair;
    const struct wrn_pump_machine *machine;
    uint32_t place;
    wrn_mono now;
};

static int fill(struct wrn_pump *pump, struct wrn_wg_lane *lane, const struct wrn_tun *tun);
static bool take_segments(struct wrn_outbound *out, struct wrn_wg_lane *lane);
static bool has_room(const struct wrn_outbound *out, size_t size);
static void add_frame(struct wrn_outbound *out, uint8_t *bytes, size_t size);
static bool take_frame(struct wrn_outbound *out, const uint8_t *header, size_t size);
static void forward(const struct work *work, const struct wrn_bridged_frame *frame);
static void send_to(const struct work *work, const struct wrn_bridged_frame *frame, uint32_t to);
static void add_payload(const struct work *work, uint8_t *bytes, size_t size, wrn_handle peer);
static uint8_t *take_copy(const struct work *work, size_t size);
static void flush(const struct work *work);

bool wrn_bridged_outbound(struct wrn_pump *pump, struct wrn_pair *pair, uint32_t place) {
    struct wrn_outbound *out = &pump->outbound;
    struct work work = {pump, pair, &pump->machines[place], place, {0}};
    int more;
    do {
        more = fill(pump, work.machine->lane, &pair->tuns[place]);
        if (out->frame_count == 0) {
            break;
        }
        work.now = wrn_clock_read().mono;
        out->count = 0;
        out->copied = LINE;
        for (size_t i = 0; i < out->frame_count; i++) {
            forward(&work, &out->frames[i]);
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

/* Gathers frames: what is left of the last one, and what waits. Returns 1, 0 if nothing more waits,
 * or -ENODEV. */
static int fill(struct wrn_pump *pump, struct wrn_wg_lane *lane, const struct wrn_tun *tun) {
    struct wrn_outbound *out = &pump->outbound;
    struct iovec parts[3];
    uint8_t header[WRN_VIRTIO_SIZE];
    size_t segments = 1; /* of the frame before: the next may have as many */
    out->used = LINE;
    out->frame_count = 0;
    while (take_segments(out, lane) && out->frame_count + segments <= WRN_PUMP_BATCH &&
           has_room(out, SLOT)) {
        parts[1] = (struct iovec){out->sealing + out->used + HEAD, SLOT};
        parts[2] = (struct iovec){out->landing + SLOT, WRN_TUN_FRAME_MAX - SLOT};
        ssize_t size = wrn_tun_read(tun, parts, WRN_COUNT(parts), header);
        if (size <= 0) {
            return (int)size;
        }
        if (!take_frame(out, header, (size_t)size)) {
            wrn_wg_lane_count_drop(lane, WRN_DROP_BAD_HOST_PACKET, 1);
        }
        segments = out->next_segment < out->split.count ? out->split.count : 1;
    }
    return 1;
}

/* Moves segments of the landed frame to the batch. Returns whether all of them found room. */
static bool take_segments(struct wrn_outbound *out, struct wrn_wg_lane *lane) {
    while (out->next_segment < out->split.count) {
        size_t size = wrn_split_frame_size(&out->split, out->next_segment);
        if (size > WRN_PAYLOAD_FRAME_MAX) {
            wrn_wg_lane_count_drop(lane, WRN_DROP_BAD_HOST_PACKET, 1);
            out->next_segment++;
            continue;
        }
        if (out->frame_count == WRN_PUMP_BATCH || !has_room(out, size)) {
            return false;
        }
        uint8_t *bytes = out->sealing + out->used + HEAD;
        if (out->split.count > 1) {
            wrn_split_write_frame(&out->split, out->next_segment, bytes);
        } else {
            memcpy(bytes, out->landing, size);
        }
        add_frame(out, bytes, size);
        out->next_segment++;
    }
    return true;
}

static bool has_room(const struct wrn_outbound *out, size_t size) {
    return WRN_OUTBOUND_SEALING - out->used >= HEAD + size + WRN_WG_TAILROOM;
}

static void add_frame(struct wrn_outbound *out, uint8_t *bytes, size_t size) {
    out->frames[out->frame_count++] = (struct wrn_bridged_frame){bytes, size};
    size_t sealed = wrn_align_up(HEAD + size, WRN_WG_PADDING) + WRN_WG_TAG_SIZE;
    out->used = wrn_align_up(out->used + sealed + WRN_WG_HEADROOM, LINE);
    out->used = out->used < WRN_OUTBOUND_SEALING ? out->used : WRN_OUTBOUND_SEALING;
}

/* Takes what was read, its first SLOT bytes to the next place in the sealing room and the others to
 * the landing room. Returns false if the frame and its header make no sense. */
static bool take_frame(struct wrn_outbound *out, const uint8_t *header, size_t size) {
    uint8_t *bytes = out->sealing + out->used + HEAD;
    struct wrn_virtio virtio;
    struct wrn_split split;
    wrn_virtio_read(header, &virtio);
    bool is_whole = size <= SLOT && (virtio.gso_type & ~WRN_VIRTIO_GSO_ECN) == WRN_VIRTIO_GSO_NONE;
    if (!is_whole) {
        memcpy(out->landing, bytes, size < SLOT ? size : SLOT);
        bytes = out->landing;
    }
    if (wrn_split_begin_frame(&split, &virtio, bytes, size) != 0) {
        return false;
    }
    if (is_whole) {
        add_frame(out, bytes, size);
    } else {
        out->split = split;
        out->next_segment = 0;
    }
    return true;
}

/* Asks the switch about a frame and puts it into packets. */
static void forward(const struct work *work, const struct wrn_bridged_frame *frame) {
    struct wrn_bridged *bridged = work->machine->bridged;
    struct wrn_switch_verdict *verdict = &bridged->verdict;
    const struct wrn_wg_lane *lane = work->machine->lane;
    wrn_span span = {frame->bytes, frame->size};
    wrn_rcu_enter();
    wrn_switch_from_host(bridged->sw, wrn_wg_lane_number(lane), work->now, span, verdict);
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
static void send_to(const struct work *work, const struct wrn_bridged_frame *frame, uint32_t to) {
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
        (void)wrn_frame_clamp_mss(frame->bytes, frame->size, room - HEAD);
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
    size_t sealed = wrn_align_up(size, WRN_WG_PADDING) + WRN_WG_TAG_SIZE;
    out->copied = wrn_align_up(out->copied + sealed + WRN_WG_HEADROOM, LINE);
    out->copied = out->copied < WRN_OUTBOUND_COPIES ? out->copied : WRN_OUTBOUND_COPIES;
    return copy;
}

static void flush(const struct work *work) {
    struct wrn_outbound *out = &work->pump->outbound;
    if (out->count > 0) {
        wrn_pump_send(work->pump, work->now, work->pair, work->place);
    }
    out->count = 0;
    out->copied = LINE;
}
