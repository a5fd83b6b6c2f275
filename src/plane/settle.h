/* SPDX-License-Identifier: Apache-2.0 */
/* The control thread's own packets: performs what the machine asks for besides a worker's batches,
 * and hands the machine what workers report. Waits for nothing. */
#pragma once
#include "plane/report.h"
#include "plane/sender.h"

enum { WRN_SETTLE_REPORTS_MAX = 64 }; /* reports between two settlements: there is room for that */

/* What the owner hears: an event of a machine; that the kernel refused a datagram; datagrams whose
 * path is its own (CONTROL; NULL: there are none), of messages, of packets that waited, and from a
 * worker's hands; and packets of the host to an address that no peer has (NULL: they are refused),
 * if the machine was made to ask for these; and Ethernet frames of which a switch has told (peer
 * NONE: from the host's side; NULL: there are no switches). Called back during the calls below; may
 * not call any of them. 'unrouted' and 'told' come from wrn_settle_report alone, and may give the
 * machine inputs whose outcome is in settle->out. */
struct wrn_settle_port {
    void *ctx;
    void (*event)(void *ctx, const struct wrn_wg *wg, const struct wrn_wg_event *event);
    void (*refused)(void *ctx, const struct wrn_path *path, int error);
    void (*carry)(void *ctx, const struct wrn_wg *wg, wrn_handle peer, const struct wrn_path *path,
                  uint8_t ds, wrn_span datagram);
    void (*unrouted)(void *ctx, const struct wrn_wg *wg, wrn_span packet);
    void (*told)(void *ctx, const struct wrn_wg *wg, wrn_handle peer, wrn_span frame);
};

struct wrn_settle {
    struct wrn_settle_port port;
    struct wrn_wg_out *out; /* of one machine at a time: empty before another's input */
    struct wrn_udp udp;     /* by which to send; the owner sets it, and the sockets are not ours */
    struct wrn_sender sender;
    uint8_t *buffers; /* for packets that waited for a session */
    /* Messages behind a relay's head, by their place in the sender's batch. */
    uint8_t relayed[WRN_UDP_BATCH_MAX][WRN_RELAYED_OVERHEAD + WRN_WG_INITIATION_SIZE];
    struct wrn_wg_packet *packets;
};

/* Gets the buffers. Returns 0, -ENOMEM or another -errno. */
WRN_NODISCARD int wrn_settle_init(struct wrn_settle *settle, const struct wrn_settle_port *port);

/* Wipes and frees them. A zeroed one is fine. */
void wrn_settle_finish(struct wrn_settle *settle);

/* Sends the messages that inputs of 'wg' left in 'out', tells of their events, lets packets go that
 * waited for a session, and gives the machine's old memory back. To be called after each input, at
 * the latest after WRN_SETTLE_REPORTS_MAX reports. */
void wrn_settle_run(struct wrn_settle *settle, struct wrn_wg *wg, struct wrn_now now);

/* Performs one report about 'wg', no FRAME, with the 'size' bytes behind it. */
void wrn_settle_report(struct wrn_settle *settle, struct wrn_wg *wg, struct wrn_now now,
                       struct wrn_report *report, size_t size);
