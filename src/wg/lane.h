/* SPDX-License-Identifier: Apache-2.0 */
/* The packet path of a machine: what several threads may do at once while one thread, the control
 * thread, owns the machine itself. A lane seals and opens against the machine's tables, which it
 * only reads but for counters, windows, deadlines, a session's confirmation and a peer's path;
 * whatever needs more (a handshake, a packet without session) comes out as an ask for the control
 * thread. What the answer to a packet depends on (which session, which path) the lane has done
 * itself when the call returns. No I/O, no clock, no locks, no allocation.
 *
 * Memory that the machine lets go of is used again only after wrn_wg_options.quiesce has returned,
 * which must wait until every lane call that was running has ended (RCU's grace period). */
#pragma once
#include "wg/wg.h"

/* One thread's state. */
struct wrn_wg_lane;

/* What a lane asks for. 'index' is a place in the batch of the call. */
enum wrn_wg_ask_kind {
    WRN_WG_ASK_PACKET,    /* no session for this host packet: keep it, start a handshake. 'index';
                           * peer NONE: nobody has its address (asks_for_unrouted) */
    WRN_WG_ASK_DATAGRAM,  /* a handshake message to us, as far as mac1 tells. 'index' */
    WRN_WG_ASK_ROAMED,    /* the peer was followed to another place (for the log) */
    WRN_WG_ASK_CONFIRMED, /* first packet on a responder's session, which is in use now */
    WRN_WG_ASK_RENEW,     /* the sending session is due for renewal */
    WRN_WG_ASK_RENEW_RECEIVING,
    WRN_WG_ASK_TIMER,     /* a deadline earlier than the one planned was set */
    WRN_WG_ASK_KEEPALIVE, /* one was received (for the log) */
    WRN_WG_ASK_OWN,       /* WRN_WG_OWN was received: for the owner, not wrn_wg_take_ask. 'index':
                           * opened behind the datagram's header, WRN_WG_OWN_SIZE bytes at least */
};

struct wrn_wg_ask {
    enum wrn_wg_ask_kind kind;
    uint32_t index;  /* in the batch of the call, where the kind says so */
    wrn_handle peer; /* WRN_HANDLE_NONE for DATAGRAM, and maybe PACKET */
};

enum { WRN_WG_ASKS_MAX = 5 * WRN_WG_BATCH_MAX };

struct wrn_wg_asks {
    uint32_t count;
    struct wrn_wg_ask items[WRN_WG_ASKS_MAX];
};

/* Bytes of a lane, and making one in zeroed, 64-byte aligned memory, with the lowest number that is
 * free (1..WRN_WG_LANES_MAX-1). The machine adds the lane's counters to its own from then on, until
 * wrn_wg_lane_finish, which keeps the counts. 'crypto' is
 * the lane's own, of the same provider as the machine's. Control thread, while the lane is idle. */
size_t wrn_wg_lane_size(void);
struct wrn_wg_lane *wrn_wg_lane_init(void *memory, struct wrn_wg *wg, struct wrn_crypto *crypto);
void wrn_wg_lane_finish(struct wrn_wg_lane *lane);

/* Seals 1..WRN_WG_BATCH_MAX host packets in place, as wrn_wg_on_packets does. A packet with an ask
 * has datagram_size 0 and drop NONE; its bytes are as they were. 'ret_asks' is overwritten. */
void wrn_wg_lane_packets(struct wrn_wg_lane *lane, wrn_mono now, struct wrn_wg_packet *batch,
                         size_t count, struct wrn_wg_asks *ret_asks);

/* Opens 1..WRN_WG_BATCH_MAX datagrams in place, as wrn_wg_on_datagrams does. */
void wrn_wg_lane_datagrams(struct wrn_wg_lane *lane, wrn_mono now, struct wrn_wg_datagram *batch,
                           size_t count, struct wrn_wg_asks *ret_asks);

/* Returns the lane's number, the 'lane' of struct wrn_wg_filter. Any thread. */
uint32_t wrn_wg_lane_number(const struct wrn_wg_lane *lane);

/* Tells whether a packet to the peer would go straight to it now: those that others carry may not
 * be larger than WRN_WG_RELAYED_PACKET_MAX. One who is not there: true. Where the lane's calls are
 * made. */
bool wrn_wg_lane_is_direct(const struct wrn_wg_lane *lane, wrn_handle peer);

/* Counts a refusal that the lane's driver saw (thread of the lane). */
void wrn_wg_lane_count_drop(struct wrn_wg_lane *lane, enum wrn_drop reason, uint64_t count);

/* ---- control thread: performing asks, possibly later and in any order between lanes. Packets of
 * one lane must be handed over in their order, none left out but through wrn_wg_lane_lost. ---- */

/* ASK_PACKET with a peer: 'packet' is a copy of the host packet. */
void wrn_wg_take_packet(struct wrn_wg *wg, struct wrn_now now, wrn_handle peer, wrn_span packet,
                        struct wrn_wg_out *out);

/* ASK_DATAGRAM: a copy of the datagram, with path and ECN; returns why it was refused, counted. */
enum wrn_drop wrn_wg_take_datagram(struct wrn_wg *wg, struct wrn_now now,
                                   const struct wrn_wg_datagram *datagram, struct wrn_wg_out *out);

/* All other asks. */
void wrn_wg_take_ask(struct wrn_wg *wg, struct wrn_now now, const struct wrn_wg_ask *ask,
                     struct wrn_wg_out *out);

/* An ASK_PACKET of 'peer' could not be handed over (ring full); counts WRN_DROP_QUEUE_FULL, or
 * WRN_DROP_CONTROL_BUSY where there is no peer. Lane's thread, before its next call, and before
 * 'quiesce' may take the call that asked for ended: the peer's slot must not be another's by then.
 */
void wrn_wg_lane_lost(struct wrn_wg_lane *lane, wrn_handle peer);

/* Asks of the other kinds could not be handed over. Those that may not come again are made up for:
 * wrn_wg_on_time, which is due by that, looks for deadlines that it has not heard of and at peers
 * with a session just confirmed. Twice a second at most: a flood must not make it look at a hundred
 * thousand peers (10 ms) again and again. Control thread. */
void wrn_wg_asks_lost(struct wrn_wg *wg, struct wrn_now now);
