/* SPDX-License-Identifier: Apache-2.0 */
/* The host's packets to addresses that no peer has: kept, bounded, until whoever has the address is
 * found and is a peer, then sent; or answered with an ICMP error. For this folder alone; all but
 * init, due and count are called in an input. */
#pragma once
#include "network/names.h"
#include "node/node.h"

struct wrn_hold;
struct wrn_network;

/* Takes room from the arena; NULL while it measures. */
struct wrn_hold *wrn_hold_init(struct wrn_arena *arena);

/* Takes a packet of the host. */
void wrn_hold_on_packet(struct wrn_network *network, wrn_span packet);

/* An answer of the table, whose an address is. As all that follows but go_on it only notes what has
 * happened. */
void wrn_hold_on_answer(struct wrn_network *network, const struct wrn_dht_answer *answer);

/* A node was reached, or not. */
void wrn_hold_on_reached(struct wrn_network *network, wrn_id id, enum wrn_reason reason);

/* A peer may be sent to at more addresses; the ring was found; something was noted: looks what can
 * be sent, asked or given up now. */
void wrn_hold_go_on(struct wrn_network *network);

/* Time. */
void wrn_hold_on_time(struct wrn_network *network);
wrn_mono wrn_hold_due(const struct wrn_hold *hold);

/* How many packets wait; how many were not sent, since the beginning. */
uint32_t wrn_hold_count(const struct wrn_hold *hold, uint64_t *ret_lost);
