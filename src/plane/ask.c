/* SPDX-License-Identifier: Apache-2.0 */
/* A report that finds no room is lost: the packets that led to it come again, or count as
 * dropped. */
#include "plane/ask.h"

/* Bytes of a datagram that is no data message: the longest has 148. Of a larger one the size is all
 * that matters, so it may as well be this. */
enum { DATAGRAM_MAX = 192 };
static_assert((int)DATAGRAM_MAX > (int)WRN_WG_INITIATION_SIZE, "a cut one is still too large");

static void put(struct wrn_pump *pump, const struct wrn_report *report);
static void put_packet(struct wrn_pump *pump, const struct wrn_pump_machine *machine,
                       const struct wrn_wg_ask *ask);
static void put_datagram(struct wrn_pump *pump, const struct wrn_pump_machine *machine,
                         const struct wrn_wg_datagram *datagram);
static void put_ask(struct wrn_pump *pump, const struct wrn_pump_machine *machine,
                    const struct wrn_wg_ask *ask);

void wrn_ask_about_packets(struct wrn_pump *pump, uint32_t place) {
    const struct wrn_pump_machine *machine = &pump->machines[place];
    for (uint32_t i = 0; i < pump->asks.count; i++) {
        const struct wrn_wg_ask *ask = &pump->asks.items[i];
        if (ask->kind == WRN_WG_ASK_PACKET) {
            put_packet(pump, machine, ask);
        } else {
            put_ask(pump, machine, ask);
        }
    }
}

void wrn_ask_about_datagrams(struct wrn_pump *pump, uint32_t place,
                             const struct wrn_wg_datagram *batch) {
    const struct wrn_pump_machine *machine = &pump->machines[place];
    for (uint32_t i = 0; i < pump->asks.count; i++) {
        const struct wrn_wg_ask *ask = &pump->asks.items[i];
        if (ask->kind == WRN_WG_ASK_DATAGRAM) {
            put_datagram(pump, machine, &batch[ask->index]);
        } else if (ask->kind == WRN_WG_ASK_OWN) {
            const uint8_t *own = batch[ask->index].bytes + WRN_WG_DATA_HEADER_SIZE;
            wrn_report_told(pump->reports, machine->handle, ask->peer,
                            (wrn_span){own, WRN_WG_OWN_SIZE});
        } else {
            put_ask(pump, machine, ask);
        }
    }
}

bool wrn_report_sealed(struct wrn_pump *pump, uint32_t place, const struct wrn_wg_packet *packet) {
    struct wrn_report report = {
        .kind = WRN_REPORT_SEALED,
        .machine = pump->machines[place].handle,
        .peer = packet->peer,
        .path = packet->path,
        .ecn = packet->outer_ecn,
    };
    return wrn_reports_put(pump->reports, &report,
                           (wrn_span){packet->datagram, packet->datagram_size});
}

bool wrn_report_frame(struct wrn_pump *pump, const struct wrn_wg_datagram *frame) {
    struct wrn_report report = {
        .kind = WRN_REPORT_FRAME, .path = frame->path, .ecn = frame->outer_ecn};
    return wrn_reports_put(pump->reports, &report, (wrn_span){frame->bytes, frame->size});
}

void wrn_report_told(struct wrn_reports *reports, wrn_handle machine, wrn_handle peer,
                     wrn_span frame) {
    struct wrn_report report = {.kind = WRN_REPORT_TOLD, .machine = machine, .peer = peer};
    bool taken = wrn_reports_put(reports, &report, frame);
    (void)taken;
}

void wrn_report_offloads_lost(struct wrn_pump *pump, uint32_t offloads) {
    wrn_reports_state(pump->reports, offloads);
}

void wrn_report_source_refused(struct wrn_pump *pump, uint32_t place, wrn_handle peer) {
    put(pump, &(struct wrn_report){.kind = WRN_REPORT_SOURCE_REFUSED,
                                   .machine = pump->machines[place].handle,
                                   .peer = peer});
}

void wrn_report_send_refused(struct wrn_pump *pump, uint32_t place,
                             const struct wrn_udp_sending *refused) {
    if (pump->tells_refusals) {
        put(pump, &(struct wrn_report){.kind = WRN_REPORT_SEND_REFUSED,
                                       .machine = pump->machines[place].handle,
                                       .path = refused->path,
                                       .error = refused->error});
    }
}

void wrn_report_deleted(struct wrn_pump *pump, uint32_t place) {
    uint64_t bit = UINT64_C(1) << place;
    if ((pump->deleted & bit) == 0) {
        pump->deleted |= bit;
        wrn_reports_state_deleted(pump->reports, place);
    }
}

static void put(struct wrn_pump *pump, const struct wrn_report *report) {
    bool taken = wrn_reports_put(pump->reports, report, (wrn_span){NULL, 0});
    (void)taken; /* later packets ask again */
}

static void put_ask(struct wrn_pump *pump, const struct wrn_pump_machine *machine,
                    const struct wrn_wg_ask *ask) {
    put(pump,
        &(struct wrn_report){.kind = WRN_REPORT_ASK, .machine = machine->handle, .ask = *ask});
}

static void put_packet(struct wrn_pump *pump, const struct wrn_pump_machine *machine,
                       const struct wrn_wg_ask *ask) {
    const struct wrn_wg_packet *packet = &pump->outbound.packets[ask->index];
    struct wrn_report report = {
        .kind = WRN_REPORT_PACKET, .machine = machine->handle, .peer = ask->peer};
    if (!wrn_reports_put(pump->reports, &report, (wrn_span){packet->bytes, packet->size})) {
        wrn_wg_lane_lost(machine->lane, ask->peer);
    }
}

static void put_datagram(struct wrn_pump *pump, const struct wrn_pump_machine *machine,
                         const struct wrn_wg_datagram *datagram) {
    struct wrn_report report = {.kind = WRN_REPORT_DATAGRAM,
                                .machine = machine->handle,
                                .path = datagram->path,
                                .ecn = datagram->outer_ecn};
    switch (wrn_shares_take(&pump->shares.messages, pump->inbound.now, &datagram->path.remote.ip)) {
    case WRN_RATE_PASS:
        break;
    case WRN_RATE_LIMITED:
        wrn_wg_lane_count_drop(machine->lane, WRN_DROP_RATE_LIMITED, 1);
        return;
    case WRN_RATE_TABLE_FULL:
        wrn_wg_lane_count_drop(machine->lane, WRN_DROP_RATE_TABLE_FULL, 1);
        return;
    }
    size_t size = datagram->size < DATAGRAM_MAX ? datagram->size : DATAGRAM_MAX;
    if (!wrn_reports_put(pump->reports, &report, (wrn_span){datagram->bytes, size})) {
        wrn_wg_lane_count_drop(machine->lane, WRN_DROP_CONTROL_BUSY, 1);
    }
}
