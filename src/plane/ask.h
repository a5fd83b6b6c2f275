/* SPDX-License-Identifier: Apache-2.0 */
/* Turns what a worker cannot do itself into reports to the control thread. */
#pragma once
#include "plane/pump.h"
#include "wg/uapi.h"

/* Puts what the lane of the machine at 'place' asks about the outbound batch, or about the
 * datagrams in 'batch', into the rings. To be called in the same reading section (io/rcu.h) as the
 * lane; wrn_reports_flush follows when what was ready has left. */
void wrn_ask_about_packets(struct wrn_pump *pump, uint32_t place);
void wrn_ask_about_datagrams(struct wrn_pump *pump, uint32_t place,
                             const struct wrn_wg_datagram *batch);

/* Hands a sealed packet over whose path is the control thread's, or a frame of the ring. Return
 * false if there was no room: it is lost. */
WRN_NODISCARD bool wrn_report_sealed(struct wrn_pump *pump, uint32_t place,
                                     const struct wrn_wg_packet *packet);
WRN_NODISCARD bool wrn_report_frame(struct wrn_pump *pump, const struct wrn_wg_datagram *frame);

/* Hands a copy of an Ethernet frame over that the switch of the machine named 'machine' tells of
 * ('peer' NONE: from the host's side), or what the owner of a peer's machine says. Without
 * room it is lost: the switch tells again. */
void wrn_report_told(struct wrn_reports *reports, wrn_handle machine, wrn_handle peer,
                     wrn_span frame);

/* The kernel has refused an offload (WRN_UAPI_OFFLOAD_*), which is off now; a source address; a
 * datagram, for the log. */
void wrn_report_offloads_lost(struct wrn_pump *pump, uint32_t offloads);
void wrn_report_source_refused(struct wrn_pump *pump, uint32_t place, wrn_handle peer);
void wrn_report_send_refused(struct wrn_pump *pump, uint32_t place,
                             const struct wrn_udp_sending *refused);

/* The interface of the machine at 'place' is no more. Said once. */
void wrn_report_deleted(struct wrn_pump *pump, uint32_t place);
