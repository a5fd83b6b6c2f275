/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker tells the control thread, as records in two rings: packets that wait for a session,
 * and everything else, so that neither pushes out the other. Performs nothing. */
#pragma once
#include "io/ring.h"
#include "wg/lane.h"

enum wrn_report_kind {
    WRN_REPORT_ASK,            /* ask */
    WRN_REPORT_PACKET,         /* peer, bytes: a host packet without session */
    WRN_REPORT_DATAGRAM,       /* path, ecn, bytes: not a data message */
    WRN_REPORT_SOURCE_REFUSED, /* peer: its source address is to be forgotten */
    WRN_REPORT_SEND_REFUSED,   /* path, error: for the log */
};

/* What must not be lost, and so needs no room in a ring. Bits, beside WRN_UAPI_OFFLOAD_* of
 * offloads that the kernel has refused and that are off. */
#define WRN_FACT_ASKS_LOST (UINT32_C(1) << 30) /* an ask other than for a packet found no room */
#define WRN_FACT_DELETED   (UINT32_C(1) << 31) /* the interface is no more */

struct wrn_report {
    enum wrn_report_kind kind;
    struct wrn_wg_ask ask;
    wrn_handle peer;
    struct wrn_path path; /* remote family NONE: none */
    int error;
    uint8_t ecn;
    uint8_t bytes[];
};

struct wrn_reports {
    struct wrn_ring *messages;
    struct wrn_ring *packets;
    int event_fd;
    _Atomic uint32_t facts; /* that nobody has taken yet */
};

/* Makes the rings; 'event_fd', which may serve several workers and is not owned, becomes readable
 * when one of them stops being empty. Returns 0 or -ENOMEM. */
WRN_NODISCARD int wrn_reports_init(struct wrn_reports *reports, int event_fd);

/* Frees them. Zeroed ones are fine. */
void wrn_reports_finish(struct wrn_reports *reports);

/* Worker: appends a report and, behind it, 'bytes' (may be empty). Returns false if its ring is
 * full; it is lost then, and an ask's loss becomes a fact. */
WRN_NODISCARD bool wrn_reports_put(struct wrn_reports *reports, const struct wrn_report *report,
                                   wrn_span bytes);

/* Worker: states facts, and wakes the control thread. */
void wrn_reports_state(struct wrn_reports *reports, uint32_t facts);

/* Worker: shows what was put, and wakes the control thread if it may sleep. */
void wrn_reports_flush(struct wrn_reports *reports);

/* Control thread: takes the facts that were stated since the last call. */
uint32_t wrn_reports_take_facts(struct wrn_reports *reports);

/* Control thread: tells whether there is nothing to read. */
bool wrn_reports_are_empty(struct wrn_reports *reports);

/* Control thread: finds the oldest report of 'ring', with the number of its bytes. NULL: none. */
struct wrn_report *wrn_report_first(struct wrn_ring *ring, size_t *ret_size);
