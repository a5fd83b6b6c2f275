/* SPDX-License-Identifier: Apache-2.0 */
/* A worker's packet path: from the host to the network (outbound.c) and back (inbound.c, shared.c),
 * a batch at a time, run to completion: nothing stays in here between two calls. What needs the
 * control thread leaves as reports. Waits for nothing, allocates nothing. */
#pragma once
#include "plane/bridged.h"
#include "plane/deliver.h"
#include "plane/report.h"
#include "plane/sender.h"
#include "plane/stray.h"
#include "io/tun.h"
#include "packet/split.h"
#include "wg/shares.h"

enum {
    WRN_PUMP_BATCH = WRN_WG_BATCH_MAX,
    WRN_PUMP_ROOMS = 64, /* for what one call receives: a datagram, or a train of them */
    WRN_PUMP_MACHINES_MAX = 64,
    WRN_PUMP_NOBODY = UINT8_MAX,

    /* Bytes. The sealing room holds a batch of packets of usual size, or at least one of any size.
     * A landing room holds what the kernel hands over at most; so does a receiving room, which is
     * made of whole pages: a single datagram touches one of them. */
    WRN_OUTBOUND_LINE = 64, /* packets begin on a line of the caches, their headers before it */
    WRN_OUTBOUND_SEALING = 256 << 10,
    WRN_OUTBOUND_LANDING = 68 << 10,
    WRN_OUTBOUND_COPIES = 256 << 10, /* room of a layer-2 network's copies and pieces */
    WRN_INBOUND_ROOM = 68 << 10,
};

/* A pair of sockets and the queue of each machine's TUN device that belongs to it. Used by one
 * thread at a time. */
struct wrn_pair {
    struct wrn_udp udp;
    struct wrn_tun tuns[WRN_PUMP_MACHINES_MAX]; /* WRN_TUN_NONE: no such machine */
};

/* A machine as one worker sees it. */
struct wrn_pump_machine {
    struct wrn_wg_lane *lane; /* NULL: there is none at this place */
    struct wrn_wg *wg;
    struct wrn_bridged *bridged; /* NULL: a routed one */
    wrn_handle handle;           /* its name in reports */
    uint32_t joinable;           /* WRN_COALESCE_*: what the host's device takes joined */
    wrn_mono answers_refilled;   /* state of the limit on ICMP answers */
    uint32_t answers_left;
};

/* Host packets, or frames, on their way out. */
struct wrn_outbound {
    uint8_t *landing;       /* where a large one is cut up */
    uint8_t *sealing;       /* where they are sealed, one close behind the other */
    size_t used;            /* bytes of 'sealing' */
    struct wrn_split split; /* of what is in 'landing' */
    uint32_t next_segment;  /* = split.count: nothing is left of it */
    size_t gathered_count;
    struct wrn_gathered { /* what was read; a frame behind room for its head */
        uint8_t *bytes;
        size_t size;
    } gathered[WRN_PUMP_BATCH];
    size_t count; /* what becomes of that */
    struct wrn_wg_packet packets[WRN_PUMP_BATCH];
    uint8_t *copies; /* layer 2: frames that are not sent from where they were read */
    size_t copied;   /* bytes of 'copies' */
};

/* Datagrams on their way in. */
struct wrn_inbound {
    uint8_t *rooms;
    size_t wanted; /* how many rooms the next call offers */
    wrn_mono now;  /* when the batch was received */
    struct wrn_udp_received received[WRN_PUMP_ROOMS];
    struct wrn_wg_datagram datagrams[WRN_PUMP_BATCH];
    /* Of a batch for several machines: those for one of them, and whose each is. */
    struct wrn_wg_datagram sorted[WRN_PUMP_BATCH];
    uint8_t owners[WRN_PUMP_BATCH];
    struct wrn_delivery delivery;
};

/* What strangers may ask of the control thread through this pump. */
struct wrn_pump_shares {
    struct wrn_shares messages; /* handshakes and cookies, of all machines */
    struct wrn_shares frames;   /* newcomers' frames of the ring */
    void *memory;
};

struct wrn_pump {
    struct wrn_pump_machine machines[WRN_PUMP_MACHINES_MAX];
    uint32_t tag_bits; /* 0: the only machine is at place 0, and all that comes in is for it */
    uint8_t by_tag[1 << WRN_WG_INDEX_TAG_BITS_MAX]; /* place of the machine, or NOBODY */
    uint64_t deleted; /* machines whose interface is no more, a bit each; reported */
    _Atomic uint64_t strays[WRN_STRAY_COUNT]; /* written by the pump's thread alone */
    struct wrn_crypto *crypto;                /* that of the lanes */
    struct wrn_reports *reports;
    bool tells_refusals; /* also those that only a verbose log wants */
    uint8_t *buffers;
    struct wrn_sender sender;
    struct wrn_outbound outbound;
    struct wrn_inbound inbound;
    struct wrn_wg_asks asks;
    struct wrn_pump_shares shares;
};

/* Gets the buffers; 'crypto' and 'reports' must outlive the pump, which is zeroed before.
 * 'tag_bits' as in the machines' options (wg/wg.h). Returns 0 or -errno. */
WRN_NODISCARD int wrn_pump_init(struct wrn_pump *pump, uint32_t tag_bits, struct wrn_crypto *crypto,
                                struct wrn_reports *reports, bool tells_refusals);

/* Frees the buffers. A zeroed pump is fine. */
void wrn_pump_finish(struct wrn_pump *pump);

/* Carries one batch from the host's queue of the machine at this place to the network. Returns
 * whether more may wait. If the interface was deleted, that is reported. */
bool wrn_pump_outbound(struct wrn_pump *pump, struct wrn_pair *pair, uint32_t machine);

/* Carries what one call receives from 'fd', one of the pair's sockets, to the host. Returns
 * likewise. */
bool wrn_pump_inbound(struct wrn_pump *pump, struct wrn_pair *pair, int fd);

/* Seals the packets of the outbound batch and sends them; hands over what the lane asks about. */
void wrn_pump_send(struct wrn_pump *pump, wrn_mono now, struct wrn_pair *pair, uint32_t machine);

/* ---- gather.c ---- */

/* Gathers a batch of what the host sends by the machine at this place: what is left of the last
 * large one, and what waits. Returns 1, 0 if nothing more waits, or -ENODEV; 'outbound.gathered' is
 * written in any case. */
WRN_NODISCARD int wrn_pump_gather(struct wrn_pump *pump, uint32_t place, const struct wrn_tun *tun);

/* Returns where in a room of so many bytes the next packet may begin, behind one of 'size' that
 * begins at 'at' and will be sealed; 'room' if nothing more fits. */
size_t wrn_outbound_next(size_t at, size_t size, size_t room);

/* ---- shared.c: between machines ---- */

/* Sorts the first 'count' datagrams of the inbound batch out: opens and delivers those of each
 * machine in their order, reports frames of the ring, counts the rest as strays. */
void wrn_pump_sort_out(struct wrn_pump *pump, const struct wrn_pair *pair, size_t count);

/* Counts datagrams of no machine. */
void wrn_pump_count_strays(struct wrn_pump *pump, enum wrn_stray reason, uint64_t count);

/* ---- inbound.c ---- */

/* Opens 'count' (1..WRN_PUMP_BATCH) datagrams in the lane of the machine at this place and delivers
 * what is in them to the pair's queue. */
void wrn_pump_open(struct wrn_pump *pump, const struct wrn_pair *pair, uint32_t machine,
                   struct wrn_wg_datagram *batch, size_t count);
