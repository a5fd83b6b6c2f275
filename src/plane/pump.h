/* SPDX-License-Identifier: Apache-2.0 */
/* A worker's packet path: from the host to the network (outbound.c) and back (inbound.c), a batch
 * at a time, run to completion: nothing stays in here between two calls. What needs the control
 * thread leaves as reports. Waits for nothing, allocates nothing. */
#pragma once
#include "plane/report.h"
#include "plane/sender.h"
#include "io/tun.h"
#include "packet/coalesce.h"
#include "packet/split.h"

enum {
    WRN_PUMP_BATCH = WRN_WG_BATCH_MAX,
    WRN_PUMP_ROOMS = 64, /* for what one call receives: a datagram, or a train of them */

    /* Bytes. The sealing room holds a batch of packets of usual size, or at least one of any size.
     * A landing room holds what the kernel hands over at most; so does a receiving room, which is
     * made of whole pages: a single datagram touches one of them. */
    WRN_OUTBOUND_SEALING = 256 << 10,
    WRN_OUTBOUND_LANDING = 64 << 10,
    WRN_INBOUND_ROOM = 68 << 10,
};

/* A queue of the TUN device and the sockets that belong to it. Used by one thread at a time. */
struct wrn_pair {
    struct wrn_tun tun;
    struct wrn_udp udp;
};

/* Host packets on their way out. */
struct wrn_outbound {
    uint8_t *landing; /* where a packet is cut up */
    uint8_t *sealing; /* where packets are sealed, one close behind the other */
    size_t used;      /* bytes of 'sealing' */
    size_t count;
    struct wrn_wg_packet packets[WRN_PUMP_BATCH];
    struct wrn_split split;    /* of the packet in 'landing' */
    uint32_t next_segment;     /* = split.count: nothing is left of it */
    wrn_mono answers_refilled; /* state of the limit on ICMP answers */
    uint32_t answers_left;
};

/* Datagrams on their way in. */
struct wrn_inbound {
    uint8_t *rooms;
    size_t wanted; /* how many rooms the next call offers */
    struct wrn_udp_received received[WRN_PUMP_ROOMS];
    struct wrn_wg_datagram datagrams[WRN_PUMP_BATCH];
    struct iovec packets[WRN_PUMP_BATCH];
    struct wrn_coalescer coalescer;
    uint32_t joinable; /* WRN_COALESCE_*: what the host's device takes joined */
};

struct wrn_pump {
    struct wrn_wg_lane *lane;
    struct wrn_reports *reports;
    bool tells_refusals; /* also those that only a verbose log wants */
    uint8_t *buffers;
    struct wrn_sender sender;
    struct wrn_outbound outbound;
    struct wrn_inbound inbound;
    struct wrn_wg_asks asks;
};

/* Gets the buffers; 'lane' and 'reports' must outlive the pump, which is zeroed before. Returns 0
 * or -errno. */
WRN_NODISCARD int wrn_pump_init(struct wrn_pump *pump, struct wrn_wg_lane *lane,
                                struct wrn_reports *reports, bool tells_refusals);

/* Frees the buffers. A zeroed pump is fine. */
void wrn_pump_finish(struct wrn_pump *pump);

/* Carries one batch from the host to the network. Returns 1 if more may wait, 0 if not, -ENODEV
 * once the interface was deleted. */
WRN_NODISCARD int wrn_pump_outbound(struct wrn_pump *pump, struct wrn_pair *pair);

/* Carries what one call receives from 'fd', one of the pair's sockets, to the host. Returns
 * likewise. */
WRN_NODISCARD int wrn_pump_inbound(struct wrn_pump *pump, struct wrn_pair *pair, int fd);
