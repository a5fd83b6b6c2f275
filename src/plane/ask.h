/* SPDX-License-Identifier: Apache-2.0 */
/* Turns what a worker cannot do itself into reports to the control thread. */
#pragma once
#include "plane/pump.h"
#include "wg/uapi.h"

/* Puts what the lane asks about the outbound batch, or about the inbound one, into the rings. To be
 * called in the same reading section (io/rcu.h) as the lane; wrn_reports_flush follows when what
 * was ready has left. */
void wrn_ask_about_packets(struct wrn_pump *pump);
void wrn_ask_about_datagrams(struct wrn_pump *pump);

/* The kernel has refused an offload (WRN_UAPI_OFFLOAD_*), which is off now; a source address; a
 * datagram, for the log. */
void wrn_report_offloads_lost(struct wrn_pump *pump, uint32_t offloads);
void wrn_report_source_refused(struct wrn_pump *pump, wrn_handle peer);
void wrn_report_send_refused(struct wrn_pump *pump, const struct wrn_udp_sending *refused);

/* The interface is no more. */
void wrn_report_deleted(struct wrn_pump *pump);
