/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker tells the control thread, as records in rings: packets on their way out that it
 * cannot send, frames of the ring, frames for a switch, and everything else, so that none pushes
 * out another. Performs nothing. */
#pragma once
#include "io/ring.h"
#include "wg/lane.h"

enum wrn_report_kind {
    WRN_REPORT_ASK,      /* ask */
    WRN_REPORT_PACKET,   /* peer, bytes: a host packet without session */
    WRN_REPORT_SEALED,   /* peer, path (CONTROL), ds, bytes: a datagram for others to send */
    WRN_REPORT_FRAME,    /* path, bytes: a frame of the ring, of no machine. Behind a tag only */
    WRN_REPORT_TOLD,     /* peer (NONE: the host's side), bytes: a copy of an Ethernet frame that a
                          * switch wants to be told of. Behind a tag only */
    WRN_REPORT_DATAGRAM, /* path, ecn, bytes: not a data message */
    WRN_REPORT_SOURCE_REFUSED, /* peer: its source address is to be forgotten */
    WRN_REPORT_SEND_REFUSED,   /* path, error: for the log */
};

/* What must not be lost, and so needs no room in a ring. Bits, beside WRN_UAPI_OFFLOAD_* of
 * offloads that the kernel has refused and that are off. */
#define WRN_FACT_ASKS_LOST (UINT32_C(1) << 30) /* an ask other than for a packet found no room */
#define WRN_FACT_DELETED   (UINT32_C(1) << 31) /* the interface is no more */

struct wrn_report {
    enum wrn_report_kind kind;
    wrn_handle machine; /* whom it is about, as the crew names it */
    struct wrn_wg_ask ask;
    wrn_handle peer;
    struct wrn_path path; /* leads nowhere: none */
    int error;
    uint8_t ecn; /* or the whole DS field */
    uint8_t bytes[];
};

struct wrn_reports {
    struct wrn_ring *messages;
    struct wrn_ring *packets; /* PACKET and SEALED, so that none of a peer overtakes another */
    struct wrn_ring *frames;  /* NULL: none are expected */
    struct wrn_ring *told;    /* ditto. TOLD, which a flood may fill */
    int event_fd;
    _Atomic uint32_t facts;   /* that nobody has taken yet */
    _Atomic uint64_t deleted; /* WRN_FACT_DELETED: interfaces of these machines, a bit each */
};

/* Makes the rings, those of frames only if there 'are_frames'; 'event_fd', which may serve several
 * workers and is not owned, becomes readable when one of them stops being empty. Returns 0 or
 * -ENOMEM. */
WRN_NODISCARD int wrn_reports_init(struct wrn_reports *reports, bool are_frames, int event_fd);

/* Frees them. Zeroed ones are fine. */
void wrn_reports_finish(struct wrn_reports *reports);

/* Worker: appends a report and, behind it, 'bytes' (may be empty). Returns false if its ring is
 * full; it is lost then, and an ask's loss becomes a fact. */
WRN_NODISCARD bool wrn_reports_put(struct wrn_reports *reports, const struct wrn_report *report,
                                   wrn_span bytes);

/* Worker: states facts, and wakes the control thread. */
void wrn_reports_state(struct wrn_reports *reports, uint32_t facts);

/* Worker: states that the interface of the machine at this place (0..63) is no more. */
void wrn_reports_state_deleted(struct wrn_reports *reports, uint32_t machine);

/* Worker: shows what was put, and wakes the control thread if it may sleep. */
void wrn_reports_flush(struct wrn_reports *reports);

/* Control thread: takes the facts that were stated since the last call. */
uint32_t wrn_reports_take_facts(struct wrn_reports *reports);

/* Control thread: takes which interfaces were deleted, a bit each machine's place. */
uint64_t wrn_reports_take_deleted(struct wrn_reports *reports);

/* Control thread: tells whether there is nothing to read. */
bool wrn_reports_are_empty(struct wrn_reports *reports);

/* Control thread: finds the oldest report of 'ring' (NULL: none are there), with the number of its
 * bytes. NULL: none. */
struct wrn_report *wrn_report_first(struct wrn_ring *ring, size_t *ret_size);
