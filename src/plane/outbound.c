/* SPDX-License-Identifier: Apache-2.0 */
/* From the host to the network: read, cut up, seal, send. A packet of usual size is read to the
 * place at which it is sealed and sent from; a large one lands elsewhere and is cut up into such
 * places. */
#include "base/bytes.h"
#include "plane/ask.h"
#include "plane/pump.h"
#include "io/clock.h"
#include "io/rcu.h"
#include "wg/unreachable.h"

enum {
    LINE = 64,          /* packets begin on a line of the caches, their headers before it */
    SLOT = 2048,        /* room for reading a packet in place */
    ANSWERS_BURST = 50, /* ICMP answers to the host, and how many a second after that */
    ANSWERS_PER_S = 50,
};
static_assert((int)LINE >= (int)WRN_WG_HEADROOM, "the headers fit before the packet");
static_assert((int)WRN_OUTBOUND_SEALING >= LINE + (int)WRN_WG_PACKET_MAX + (int)WRN_WG_TAILROOM,
              "the largest packet fits");
static_assert((int)WRN_OUTBOUND_LANDING >= (int)WRN_WG_PACKET_MAX, "the largest packet lands");
static_assert((int)WRN_PUMP_BATCH <= (int)WRN_UDP_BATCH_MAX, "a batch is sent in one piece");

static int fill(struct wrn_pump *pump, struct wrn_wg_lane *lane, const struct wrn_tun *tun);
static bool take_segments(struct wrn_outbound *out);
static bool has_room(const struct wrn_outbound *out, size_t size);
static void add_packet(struct wrn_outbound *out, uint8_t *bytes, size_t size);
static bool take_packet(struct wrn_outbound *out, const uint8_t *header, size_t size);
static void send_packets(struct wrn_pump *pump, wrn_mono now, struct wrn_pair *pair,
                         uint32_t place);
static bool dress(struct wrn_pump *pump, uint32_t place, struct wrn_wg_packet *packet);
static void look_at_outcome(struct wrn_pump *pump, uint32_t place);
static int answer_unreachable(const struct wrn_outbound *out, wrn_mono now,
                              struct wrn_pump_machine *machine, const struct wrn_tun *tun);
static size_t answer(const struct wrn_wg *wg, const struct wrn_wg_packet *packet,
                     uint8_t ret_text[WRN_UNREACHABLE_SIZE]);

bool wrn_pump_outbound(struct wrn_pump *pump, struct wrn_pair *pair, uint32_t place) {
    struct wrn_outbound *out = &pump->outbound;
    struct wrn_pump_machine *machine = &pump->machines[place];
    const struct wrn_tun *tun = &pair->tuns[place];
    int more;
    if (machine->bridged != NULL) {
        return wrn_bridged_outbound(pump, pair, place);
    }
    do {
        more = fill(pump, machine->lane, tun);
        if (out->count == 0) {
            break;
        }
        wrn_mono now = wrn_clock_read().mono;
        wrn_pump_send(pump, now, pair, place);
        int error = answer_unreachable(out, now, machine, tun);
        more = error != 0 ? error : more;
        wrn_reports_flush(pump->reports);
        /* What is left of a large packet goes at once: the next call may serve another queue. */
    } while (more >= 0 && out->next_segment < out->split.count);
    if (more < 0) {
        wrn_report_deleted(pump, place);
    }
    return more > 0;
}

void wrn_pump_send(struct wrn_pump *pump, wrn_mono now, struct wrn_pair *pair, uint32_t place) {
    struct wrn_outbound *out = &pump->outbound;
    wrn_rcu_enter();
    wrn_wg_lane_packets(pump->machines[place].lane, now, out->packets, out->count, &pump->asks);
    wrn_ask_about_packets(pump, place);
    wrn_rcu_exit();
    send_packets(pump, now, pair, place);
}

/* Gathers a batch: what is left of the last packet, and what waits. Returns 1, 0 if nothing more
 * waits, or -ENODEV. */
static int fill(struct wrn_pump *pump, struct wrn_wg_lane *lane, const struct wrn_tun *tun) {
    struct wrn_outbound *out = &pump->outbound;
    struct iovec parts[3];
    uint8_t header[WRN_VIRTIO_SIZE];
    size_t segments = 1; /* of the packet before: the next may have as many */
    out->used = LINE;
    out->count = 0;
    while (take_segments(out) && out->count + segments <= WRN_PUMP_BATCH && has_room(out, SLOT)) {
        parts[1] = (struct iovec){out->sealing + out->used, SLOT};
        parts[2] = (struct iovec){out->landing + SLOT, WRN_WG_PACKET_MAX - SLOT};
        ssize_t size = wrn_tun_read(tun, parts, WRN_COUNT(parts), header);
        if (size <= 0) {
            return (int)size;
        }
        if (!take_packet(out, header, (size_t)size)) {
            wrn_wg_lane_count_drop(lane, WRN_DROP_BAD_HOST_PACKET, 1);
        }
        segments = out->next_segment < out->split.count ? out->split.count : 1;
    }
    return 1;
}

/* Moves segments of the landed packet to the batch. Returns whether all of them found room. */
static bool take_segments(struct wrn_outbound *out) {
    while (out->next_segment < out->split.count) {
        size_t size = wrn_split_size(&out->split, out->next_segment);
        if (out->count == WRN_PUMP_BATCH || !has_room(out, size)) {
            return false;
        }
        uint8_t *bytes = out->sealing + out->used;
        if (out->split.count > 1) {
            wrn_split_write(&out->split, out->next_segment, bytes);
        } else {
            memcpy(bytes, out->landing, size);
        }
        add_packet(out, bytes, size);
        out->next_segment++;
    }
    return true;
}

static bool has_room(const struct wrn_outbound *out, size_t size) {
    return WRN_OUTBOUND_SEALING - out->used >= size + WRN_WG_TAILROOM;
}

static void add_packet(struct wrn_outbound *out, uint8_t *bytes, size_t size) {
    struct wrn_wg_packet *packet = &out->packets[out->count++];
    packet->bytes = bytes; /* the rest is the lane's to fill in */
    packet->size = size;
    /* Not the whole tailroom, of which each packet fills a part that its size says: so those of the
     * usual size lie an odd number of lines apart, and not on the same sets of the caches. */
    size_t sealed = wrn_align_up(size, WRN_WG_PADDING) + WRN_WG_TAG_SIZE;
    out->used = wrn_align_up(out->used + sealed + WRN_WG_HEADROOM, LINE);
    out->used = out->used < WRN_OUTBOUND_SEALING ? out->used : WRN_OUTBOUND_SEALING;
}

/* Takes what was read, its first SLOT bytes to the next place in the sealing room and the others to
 * the landing room. Returns false if the packet and its header make no sense. */
static bool take_packet(struct wrn_outbound *out, const uint8_t *header, size_t size) {
    uint8_t *bytes = out->sealing + out->used;
    struct wrn_virtio virtio;
    struct wrn_split split;
    wrn_virtio_read(header, &virtio);
    bool is_whole = size <= SLOT && (virtio.gso_type & ~WRN_VIRTIO_GSO_ECN) == WRN_VIRTIO_GSO_NONE;
    if (!is_whole) {
        memcpy(out->landing, bytes, size < SLOT ? size : SLOT);
        bytes = out->landing;
    }
    if (wrn_split_begin(&split, &virtio, bytes, size) != 0) {
        return false;
    }
    if (is_whole) {
        add_packet(out, bytes, size);
    } else {
        out->split = split;
        out->next_segment = 0;
    }
    return true;
}

static void send_packets(struct wrn_pump *pump, wrn_mono now, struct wrn_pair *pair,
                         uint32_t place) {
    struct wrn_outbound *out = &pump->outbound;
    for (size_t i = 0; i < out->count; i++) {
        struct wrn_wg_packet *packet = &out->packets[i];
        if (packet->datagram_size > 0 &&
            (packet->path.kind == WRN_PATH_DIRECT || dress(pump, place, packet))) {
            struct wrn_udp_sending *datagram = wrn_sender_add(&pump->sender, packet->peer);
            datagram->bytes = packet->datagram;
            datagram->size = packet->datagram_size;
            datagram->path = packet->path;
            datagram->ds = packet->outer_ecn;
        }
    }
    uint32_t offloads = pair->udp.offloads;
    wrn_sender_send(&pump->sender, now, &pair->udp);
    if (pair->udp.offloads != offloads) {
        wrn_report_offloads_lost(pump, (offloads & ~pair->udp.offloads) * WRN_UAPI_OFFLOAD_GSO);
    }
    look_at_outcome(pump, place);
}

/* Puts a relay's head before a sealed packet, or hands it over if its path is the control thread's.
 * Returns whether it is to be sent here; if not, that is counted where it is a loss. */
static bool dress(struct wrn_pump *pump, uint32_t place, struct wrn_wg_packet *packet) {
    struct wrn_wg_lane *lane = pump->machines[place].lane;
    if (packet->path.kind == WRN_PATH_CONTROL) {
        if (!wrn_report_sealed(pump, place, packet)) {
            wrn_wg_lane_count_drop(lane, WRN_DROP_CONTROL_BUSY, 1);
        }
        return false;
    }
    if (packet->datagram_size > WRN_RELAYED_INSIDE_MAX) {
        wrn_wg_lane_count_drop(lane, WRN_DROP_RELAY_TOO_SMALL, 1);
        return false;
    }
    packet->datagram -= WRN_RELAYED_OVERHEAD;
    packet->datagram_size += WRN_RELAYED_OVERHEAD;
    wrn_relayed_write(packet->path.slot, packet->datagram);
    return true;
}

static void look_at_outcome(struct wrn_pump *pump, uint32_t place) {
    struct wrn_sender *sender = &pump->sender;
    uint64_t refused = 0;
    for (size_t i = 0; i < sender->count; i++) {
        const struct wrn_udp_sending *sent = &sender->batch[i];
        /* once for a run of packets to one peer */
        bool is_known = i > 0 && sender->batch[i - 1].source_refused &&
                        wrn_handle_equal(sender->receivers[i - 1], sender->receivers[i]);
        if (sent->source_refused && !is_known) {
            wrn_report_source_refused(pump, place, sender->receivers[i]);
        }
        if (sent->error != 0) {
            refused++;
            wrn_report_send_refused(pump, place, sent);
        }
    }
    if (refused > 0) {
        wrn_wg_lane_count_drop(pump->machines[place].lane, WRN_DROP_SEND_REFUSED, refused);
    }
    sender->count = 0;
}

/* Tells the host about packets that have no way through the tunnel, as the kernel's WireGuard
 * does, so that programs fail at once instead of waiting. Returns 0 or -ENODEV. */
static int answer_unreachable(const struct wrn_outbound *out, wrn_mono now,
                              struct wrn_pump_machine *machine, const struct wrn_tun *tun) {
    uint64_t earned = wrn_mono_since(now, machine->answers_refilled) / (WRN_S(1) / ANSWERS_PER_S);
    if (earned > 0) {
        uint64_t left = machine->answers_left + earned;
        machine->answers_left = left > ANSWERS_BURST ? ANSWERS_BURST : (uint32_t)left;
        machine->answers_refilled = now;
    }
    for (size_t i = 0; i < out->count && machine->answers_left > 0; i++) {
        const struct wrn_wg_packet *packet = &out->packets[i];
        uint8_t text[WRN_UNREACHABLE_SIZE];
        struct iovec parts[] = {{NULL, 0}, {text, 0}};
        if (packet->drop != WRN_DROP_NONE) {
            parts[1].iov_len = answer(machine->wg, packet, text);
        }
        if (parts[1].iov_len == 0) {
            continue;
        }
        machine->answers_left--;
        if (wrn_tun_write(tun, parts, WRN_COUNT(parts), NULL) == -ENODEV) {
            return -ENODEV; /* any other refusal: never mind */
        }
    }
    return 0;
}

/* Writes what the host is told about a packet that was refused. Returns its size; 0: nothing. */
static size_t answer(const struct wrn_wg *wg, const struct wrn_wg_packet *packet,
                     uint8_t ret_text[WRN_UNREACHABLE_SIZE]) {
    switch (packet->drop) {
    case WRN_DROP_NO_ROUTE:
    case WRN_DROP_NO_ENDPOINT:
        return wrn_unreachable(packet->bytes, packet->size, ret_text);
    case WRN_DROP_POLICY:
        return wrn_prohibited(packet->bytes, packet->size, ret_text);
    case WRN_DROP_RELAY_TOO_SMALL:
        return wrn_too_big(packet->bytes, packet->size, (uint16_t)wrn_wg_relayed_mtu(wg), ret_text);
    default:
        return 0; /* not for long, or nothing that it could do better */
    }
}
