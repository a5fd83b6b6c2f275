/* SPDX-License-Identifier: Apache-2.0 */
/* From the host to the network: gather (gather.c), seal, send. */
#include "plane/ask.h"
#include "plane/pump.h"
#include "io/clock.h"
#include "io/rcu.h"
#include "packet/narrow.h"
#include "wg/unreachable.h"

enum {
    ANSWERS_BURST = 50, /* ICMP answers to the host, and how many a second after that */
    ANSWERS_PER_S = 50,
    FRAGMENT_MAX = 9 << 10, /* ways that are wider need none: so all of a packet find room */
};
static_assert((int)WRN_NARROW_FRAGMENTS_MAX *
                      ((int)FRAGMENT_MAX + 2 * (int)WRN_OUTBOUND_LINE + (int)WRN_WG_TAILROOM) <
                  (int)WRN_OUTBOUND_COPIES,
              "the fragments of a packet fit");
static_assert((int)WRN_PUMP_BATCH <= (int)WRN_UDP_BATCH_MAX, "a batch is sent in one piece");

static void make_packets(struct wrn_outbound *out);
static void send_packets(struct wrn_pump *pump, wrn_mono now, struct wrn_pair *pair,
                         uint32_t place);
static bool dress(struct wrn_pump *pump, uint32_t place, struct wrn_wg_packet *packet);
static void send_fragments(struct wrn_pump *pump, wrn_mono now, struct wrn_pair *pair,
                           uint32_t place);
static void look_at_outcome(struct wrn_pump *pump, uint32_t place);
static int answer_unreachable(const struct wrn_outbound *out, wrn_mono now,
                              struct wrn_pump_machine *machine, const struct wrn_tun *tun);
static size_t answer(const struct wrn_wg_packet *packet, uint8_t ret_text[WRN_UNREACHABLE_SIZE]);

bool wrn_pump_outbound(struct wrn_pump *pump, struct wrn_pair *pair, uint32_t place) {
    struct wrn_outbound *out = &pump->outbound;
    struct wrn_pump_machine *machine = &pump->machines[place];
    const struct wrn_tun *tun = &pair->tuns[place];
    int more;
    if (machine->bridged != NULL) {
        return wrn_bridged_outbound(pump, pair, place);
    }
    do {
        more = wrn_pump_gather(pump, place, tun);
        if (out->gathered_count == 0) {
            break;
        }
        make_packets(out);
        wrn_mono now = wrn_clock_read().mono;
        wrn_pump_send(pump, now, pair, place);
        int error = answer_unreachable(out, now, machine, tun);
        more = error != 0 ? error : more;
        send_fragments(pump, now, pair, place);
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

static void make_packets(struct wrn_outbound *out) {
    for (size_t i = 0; i < out->gathered_count; i++) {
        out->packets[i].bytes = out->gathered[i].bytes; /* the rest is the lane's to fill in */
        out->packets[i].size = out->gathered[i].size;
    }
    out->count = out->gathered_count;
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
        wrn_wg_lane_count_drop(lane, WRN_DROP_PATH_TOO_SMALL, 1);
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

/* Fragments what its path was too small for, as routers do, where that is permitted. */
static void send_fragments(struct wrn_pump *pump, wrn_mono now, struct wrn_pair *pair,
                           uint32_t place) {
    struct wrn_outbound *out = &pump->outbound;
    struct large {
        const uint8_t *bytes;
        size_t size, max;
    } larges[WRN_PUMP_BATCH];
    size_t larges_count = 0;
    for (size_t i = 0; i < out->count; i++) {
        const struct wrn_wg_packet *packet = &out->packets[i];
        if (packet->drop == WRN_DROP_PATH_TOO_SMALL &&
            wrn_narrow_may_fragment(packet->bytes, packet->size)) {
            larges[larges_count++] =
                (struct large){packet->bytes, packet->size, packet->packet_max};
        }
    }
    for (size_t i = 0; i < larges_count; i++) {
        struct wrn_narrow_plan plan;
        size_t used = WRN_OUTBOUND_LINE;
        out->count = 0;
        if (larges[i].max < WRN_NARROW_MAX_MIN || larges[i].max > FRAGMENT_MAX ||
            !wrn_narrow_plan(larges[i].bytes, larges[i].size, larges[i].max, &plan)) {
            wrn_wg_lane_count_drop(pump->machines[place].lane, WRN_DROP_PATH_TOO_SMALL, 1);
            continue;
        }
        for (uint32_t f = 0; f < plan.count; f++) {
            uint8_t *bytes = out->copies + used;
            size_t size = wrn_narrow_write(&plan, f, bytes);
            out->packets[out->count++] = (struct wrn_wg_packet){.bytes = bytes, .size = size};
            used = wrn_outbound_next(used, size, WRN_OUTBOUND_COPIES);
        }
        wrn_pump_send(pump, now, pair, place);
    }
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
            parts[1].iov_len = answer(packet, text);
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
static size_t answer(const struct wrn_wg_packet *packet, uint8_t ret_text[WRN_UNREACHABLE_SIZE]) {
    switch (packet->drop) {
    case WRN_DROP_NO_ROUTE:
    case WRN_DROP_NO_ENDPOINT:
        return wrn_unreachable(packet->bytes, packet->size, ret_text);
    case WRN_DROP_POLICY:
        return wrn_prohibited(packet->bytes, packet->size, ret_text);
    case WRN_DROP_PATH_TOO_SMALL:
        return wrn_narrow_may_fragment(packet->bytes, packet->size)
                   ? 0
                   : wrn_too_big(packet->bytes, packet->size, packet->packet_max, ret_text);
    default:
        return 0; /* not for long, or nothing that it could do better */
    }
}
