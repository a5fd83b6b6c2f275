/* SPDX-License-Identifier: Apache-2.0 */
/* Records of one layout in all rings. */
#include "plane/report.h"

#include <stdatomic.h>
#include <sys/eventfd.h>

/* A staged peer holds 128 packets at most, so more room for packets helps nobody; a burst of
 * handshakes is worth more. */
enum {
    MESSAGES_SIZE = 256 << 10,
    PACKETS_SIZE = 512 << 10,
    FRAMES_SIZE = 512 << 10,
    TOLD_SIZE = 256 << 10,
};
static_assert(PACKETS_SIZE / 4 >= WRN_WG_PACKET_MAX + (int)sizeof(struct wrn_report),
              "the largest packet fits");

static struct wrn_ring *ring_of(const struct wrn_reports *reports, enum wrn_report_kind kind);
static void state_once(struct wrn_reports *reports, uint32_t facts);

int wrn_reports_init(struct wrn_reports *reports, bool are_frames, int event_fd) {
    *reports = (struct wrn_reports){.event_fd = event_fd};
    int error = wrn_ring_create(MESSAGES_SIZE, &reports->messages);
    error = error != 0 ? error : wrn_ring_create(PACKETS_SIZE, &reports->packets);
    if (error == 0 && are_frames) {
        error = wrn_ring_create(FRAMES_SIZE, &reports->frames);
        error = error != 0 ? error : wrn_ring_create(TOLD_SIZE, &reports->told);
    }
    if (error != 0) {
        wrn_reports_finish(reports);
    }
    return error;
}

void wrn_reports_finish(struct wrn_reports *reports) {
    wrn_ring_destroy(reports->messages);
    wrn_ring_destroy(reports->packets);
    wrn_ring_destroy(reports->frames);
    wrn_ring_destroy(reports->told);
    *reports = (struct wrn_reports){.event_fd = -1};
}

bool wrn_reports_put(struct wrn_reports *reports, const struct wrn_report *report, wrn_span bytes) {
    struct wrn_report *record =
        wrn_ring_reserve(ring_of(reports, report->kind), sizeof *record + bytes.size);
    if (record == NULL) {
        if (report->kind == WRN_REPORT_ASK) {
            state_once(reports, WRN_FACT_ASKS_LOST);
        }
        return false;
    }
    *record = *report;
    if (bytes.size > 0) {
        memcpy(record->bytes, bytes.data, bytes.size);
    }
    return true;
}

void wrn_reports_state(struct wrn_reports *reports, uint32_t facts) {
    atomic_fetch_or_explicit(&reports->facts, facts, memory_order_release);
    (void)eventfd_write(reports->event_fd, 1); /* full: it is awake anyway */
}

void wrn_reports_state_deleted(struct wrn_reports *reports, uint32_t machine) {
    atomic_fetch_or_explicit(&reports->deleted, UINT64_C(1) << machine, memory_order_relaxed);
    wrn_reports_state(reports, WRN_FACT_DELETED);
}

void wrn_reports_flush(struct wrn_reports *reports) {
    bool messages = wrn_ring_publish(reports->messages);
    bool packets = wrn_ring_publish(reports->packets);
    bool frames = reports->frames != NULL && wrn_ring_publish(reports->frames);
    bool told = reports->told != NULL && wrn_ring_publish(reports->told);
    if (messages || packets || frames || told) {
        (void)eventfd_write(reports->event_fd, 1); /* full: it is awake anyway */
    }
}

uint32_t wrn_reports_take_facts(struct wrn_reports *reports) {
    return atomic_load_explicit(&reports->facts, memory_order_relaxed) == 0
               ? 0
               : atomic_exchange_explicit(&reports->facts, 0, memory_order_acquire);
}

uint64_t wrn_reports_take_deleted(struct wrn_reports *reports) {
    return atomic_exchange_explicit(&reports->deleted, 0, memory_order_relaxed);
}

bool wrn_reports_are_empty(struct wrn_reports *reports) {
    size_t size;
    return wrn_ring_first(reports->messages, &size) == NULL &&
           wrn_ring_first(reports->packets, &size) == NULL &&
           (reports->frames == NULL || wrn_ring_first(reports->frames, &size) == NULL) &&
           (reports->told == NULL || wrn_ring_first(reports->told, &size) == NULL) &&
           atomic_load_explicit(&reports->facts, memory_order_relaxed) == 0;
}

struct wrn_report *wrn_report_first(struct wrn_ring *ring, size_t *ret_size) {
    size_t size = 0;
    struct wrn_report *report = ring == NULL ? NULL : wrn_ring_first(ring, &size);
    if (report != NULL) {
        *ret_size = size - sizeof *report;
    }
    return report;
}

static struct wrn_ring *ring_of(const struct wrn_reports *reports, enum wrn_report_kind kind) {
    switch (kind) {
    case WRN_REPORT_PACKET:
    case WRN_REPORT_SEALED:
        return reports->packets;
    case WRN_REPORT_FRAME:
        return reports->frames;
    case WRN_REPORT_TOLD:
        return reports->told;
    case WRN_REPORT_ASK:
    case WRN_REPORT_DATAGRAM:
    case WRN_REPORT_SOURCE_REFUSED:
    case WRN_REPORT_SEND_REFUSED:
        break;
    }
    return reports->messages;
}

/* Wakes whoever takes facts, if he has not been woken for these yet. Though the ring was full, he
 * may have read all of it, and looked at the facts, before they were stated. */
static void state_once(struct wrn_reports *reports, uint32_t facts) {
    uint32_t before = atomic_fetch_or_explicit(&reports->facts, facts, memory_order_relaxed);
    if ((before & facts) != facts) {
        (void)eventfd_write(reports->event_fd, 1); /* full: it is awake anyway */
    }
}
