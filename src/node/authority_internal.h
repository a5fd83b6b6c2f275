/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder tell the part of a network that handles rights: revocations are the
 * same everywhere, certificates reach whom they are for, memberships are renewed, invitations are
 * not used more often than they may be. For this folder alone. All but init, finish, fill, due and
 * admit are called in an input (between wrn_network_begin and _end). */
#pragma once
#include "node/authority.h"
#include "node/state.h"

struct wrn_authority;
struct wrn_network;
struct wrn_network_peer;

/* Builds it in zeroed memory of the arena; NULL while the arena measures. Takes the invitations and
 * grants over from the state, which need not stay. network->judge, ->revoked, ->members exist, the
 * lists of the state have been restored into 'revoked'; nothing of the network is called. */
struct wrn_authority *wrn_authority_init(struct wrn_arena *arena, struct wrn_network *network,
                                         const struct wrn_state *state, struct wrn_now now);

/* Wipes the keys of invitations. NULL is fine. */
void wrn_authority_finish(struct wrn_authority *authority);

/* Fills in what is to be kept on disk: invitations, grants, lists. Spans are valid until the next
 * call of anything here. */
void wrn_authority_fill(struct wrn_authority *authority, struct wrn_state *state);

/* A peer is up, also after RESTARTED: 'is_waiting' is set here, until its revocations have been
 * compared with ours; then wrn_network_peer_permit is called. It is gone. */
void wrn_authority_on_peer_up(struct wrn_network *network, struct wrn_network_peer *peer);
void wrn_authority_on_peer_down(struct wrn_network *network, struct wrn_network_peer *peer);

/* A message 0x02 to 0x07 or 0x0a came: from a peer, or routed (then 'from' is NULL: who sent it is
 * not certain) from a place; or as a broadcast. What is malformed is dropped and counted. */
void wrn_authority_on_message(struct wrn_network *network, struct wrn_network_peer *from,
                              wrn_id source, wrn_span message);
void wrn_authority_on_broadcast(struct wrn_network *network, wrn_id source, wrn_span message);

/* An answer of the table to a request whose tag has WRN_NETWORK_TAGS_AUTHORITY in its upper 16
 * bits; a record that was kept is lost (called for each: others' are passed over). */
void wrn_authority_on_answer(struct wrn_network *network, const struct wrn_dht_answer *answer);
void wrn_authority_on_lost(struct wrn_network *network, wrn_span record, wrn_span winner,
                           enum wrn_reason reason);

/* The ring was found, or lost; our own rights were judged anew (network->rights, ->standing); the
 * clock has jumped: this host was asleep, so revocations have to be compared anew with everybody
 * before anything passes. */
void wrn_authority_on_ring(struct wrn_network *network, bool is_connected);
void wrn_authority_on_rights(struct wrn_network *network);
void wrn_authority_on_woken(struct wrn_network *network);

/* Time. Never due in the past after on_time. */
void wrn_authority_on_time(struct wrn_network *network);
wrn_mono wrn_authority_due(const struct wrn_authority *authority);

/* Decides about a node besides wrn_members_admit, which has said NONE to this chain (not empty) or
 * key (empty chain). Notes of one that came in by a counted invitation that it has to be looked up
 * whose the use is: it may be on the ring, but if it has none, nothing passes between it and us
 * ('is_waiting'). Calls nothing back. */
enum wrn_reason wrn_authority_admit(struct wrn_authority *authority,
                                    const uint8_t public_key[WRN_SIGN_PUBLIC_SIZE], wrn_span chain,
                                    wrn_wall now);

/* Whether addresses and names may be claimed: not while the use of the invitation by which we came
 * is not ours. When that changes, wrn_network_judge_self is called. */
bool wrn_authority_may_claim(const struct wrn_authority *authority);

/* How often a later end of our membership was asked for in vain since we were on the ring. */
uint32_t wrn_authority_renewals(const struct wrn_authority *authority);

/* Whether others have all uses of that invitation. */
bool wrn_authority_is_spent(const struct wrn_authority *authority);
