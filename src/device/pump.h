/* SPDX-License-Identifier: Apache-2.0 */
/* Moves packets between TUN, machine and UDP, a batch at a time, and performs what the machine asks
 * for. Waits for nothing: the event loop says when. */
#pragma once
#include "io/log.h"
#include "io/route.h"
#include "io/tun.h"
#include "io/udp.h"
#include "wg/wg.h"

enum { WRN_PUMP_BATCH = WRN_WG_BATCH_MAX };

struct wrn_pump {
    struct wrn_wg *wg;
    const struct wrn_tun *tun;
    struct wrn_udp *udp;
    struct wrn_route *route;
    struct wrn_log *log;
    struct wrn_wg_out *out;
    struct wrn_udp_scratch *scratch;
    uint8_t *buffers; /* for a batch of packets, then for a batch of datagrams */
    struct wrn_wg_packet packets[WRN_PUMP_BATCH];
    struct wrn_wg_datagram datagrams[WRN_PUMP_BATCH];
    struct wrn_udp_received received[WRN_PUMP_BATCH];
    struct wrn_udp_sending sending[WRN_PUMP_BATCH];
    wrn_handle receivers[WRN_PUMP_BATCH]; /* whose packet 'sending' holds */
    wrn_mono answers_refilled;            /* state of the limit on ICMP answers */
    uint32_t answers_left;
};

/* Gets the buffers and connects the ends, which must outlive the pump and may change in place.
 * Returns 0 or -ENOMEM. */
WRN_NODISCARD int wrn_pump_init(struct wrn_pump *pump, struct wrn_wg *wg, const struct wrn_tun *tun,
                                struct wrn_udp *udp, struct wrn_route *route, struct wrn_log *log);

/* Wipes and frees the buffers. A zeroed pump is fine. */
void wrn_pump_finish(struct wrn_pump *pump);

/* Carries one batch from the host to the network. Returns 1 if more may wait, 0 if not, -ENODEV
 * once the interface was deleted. */
WRN_NODISCARD int wrn_pump_from_tun(struct wrn_pump *pump);

/* Carries one batch from the socket 'fd' to the host. Returns likewise. */
WRN_NODISCARD int wrn_pump_from_udp(struct wrn_pump *pump, int fd);

/* Sends the messages that an input left in 'out', logs its events, and lets packets go that waited
 * for a session. To be called after each input that the caller made itself. */
void wrn_pump_settle(struct wrn_pump *pump, struct wrn_now now);
