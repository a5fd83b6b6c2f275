/* SPDX-License-Identifier: Apache-2.0 */
/* Rights in action: what callers ask for, and what the other files of this folder tell. Not there
 * yet: it refuses. */
#include "node/authority.h"

#include <stdio.h>

#include "node/authority_internal.h"
#include "node/network_internal.h"

struct wrn_authority {
    struct wrn_network *network;
};

struct wrn_authority *wrn_authority_init(struct wrn_arena *arena, struct wrn_network *network,
                                         const struct wrn_state *state, struct wrn_now now) {
    struct wrn_authority *authority = wrn_arena_take(arena, 1, sizeof *authority);
    (void)state;
    (void)now;
    if (authority != NULL) {
        authority->network = network;
    }
    return authority;
}

void wrn_authority_finish(struct wrn_authority *authority) {
    (void)authority;
}

void wrn_authority_fill(struct wrn_authority *authority, struct wrn_state *state) {
    (void)authority;
    (void)state;
}

void wrn_authority_on_peer_up(struct wrn_network *network, struct wrn_network_peer *peer) {
    (void)network;
    peer->is_waiting = false;
}

void wrn_authority_on_peer_down(struct wrn_network *network, struct wrn_network_peer *peer) {
    (void)network;
    (void)peer;
}

void wrn_authority_on_message(struct wrn_network *network, struct wrn_network_peer *from,
                              wrn_id source, wrn_span message) {
    (void)network;
    (void)from;
    (void)source;
    (void)message;
}

void wrn_authority_on_broadcast(struct wrn_network *network, wrn_id source, wrn_span message) {
    (void)network;
    (void)source;
    (void)message;
}

void wrn_authority_on_answer(struct wrn_network *network, const struct wrn_dht_answer *answer) {
    (void)network;
    (void)answer;
}

void wrn_authority_on_lost(struct wrn_network *network, wrn_span record, wrn_span winner,
                           enum wrn_reason reason) {
    (void)network;
    (void)record;
    (void)winner;
    (void)reason;
}

void wrn_authority_on_ring(struct wrn_network *network, bool is_connected) {
    (void)network;
    (void)is_connected;
}

void wrn_authority_on_rights(struct wrn_network *network) {
    (void)network;
}

void wrn_authority_on_woken(struct wrn_network *network) {
    (void)network;
}

void wrn_authority_on_time(struct wrn_network *network) {
    (void)network;
}

wrn_mono wrn_authority_due(const struct wrn_authority *authority) {
    (void)authority;
    return WRN_MONO_NEVER;
}

enum wrn_reason wrn_authority_admit(struct wrn_authority *authority,
                                    const uint8_t public_key[WRN_SIGN_PUBLIC_SIZE], wrn_span chain,
                                    wrn_wall now) {
    (void)authority;
    (void)public_key;
    (void)chain;
    (void)now;
    return WRN_REASON_NONE;
}

bool wrn_authority_may_claim(const struct wrn_authority *authority) {
    (void)authority;
    return true;
}

/* ---- commands ---- */

enum wrn_reason wrn_node_invite(struct wrn_node *node, struct wrn_now now, wrn_handle network,
                                const struct wrn_node_invite_options *options,
                                struct wrn_node_out *out, struct wrn_invitation *ret_invitation,
                                char ret_why[WRN_JUDGE_WHY_SIZE]) {
    (void)node;
    (void)now;
    (void)network;
    (void)options;
    (void)out;
    *ret_invitation = (struct wrn_invitation){.chain_size = 0};
    (void)snprintf(ret_why, WRN_JUDGE_WHY_SIZE, "Invitations cannot be made yet.");
    return WRN_REASON_NOT_ADMITTED;
}

bool wrn_node_next_invitation(const struct wrn_node *node, wrn_handle network, uint32_t *cursor,
                              const struct wrn_state_invitation **ret_invitation) {
    (void)node;
    (void)network;
    (void)cursor;
    *ret_invitation = NULL;
    return false;
}

enum wrn_reason wrn_node_grant(struct wrn_node *node, struct wrn_now now, wrn_handle network,
                               const uint8_t subject[WRN_SIGN_PUBLIC_SIZE], wrn_span element,
                               bool may_delegate, int64_t until_s, struct wrn_node_out *out,
                               char ret_why[WRN_JUDGE_WHY_SIZE]) {
    (void)node;
    (void)now;
    (void)network;
    (void)subject;
    (void)element;
    (void)may_delegate;
    (void)until_s;
    (void)out;
    (void)snprintf(ret_why, WRN_JUDGE_WHY_SIZE, "Rights cannot be given yet.");
    return WRN_REASON_NOT_ADMITTED;
}

enum wrn_reason wrn_node_revoke(struct wrn_node *node, struct wrn_now now, wrn_handle network,
                                enum wrn_node_revoke_what what,
                                const uint8_t subject_or_hash[WRN_SIGN_PUBLIC_SIZE], wrn_span chain,
                                struct wrn_node_out *out, uint32_t *ret_count,
                                char ret_why[WRN_JUDGE_WHY_SIZE]) {
    (void)node;
    (void)now;
    (void)network;
    (void)what;
    (void)subject_or_hash;
    (void)chain;
    (void)out;
    *ret_count = 0;
    (void)snprintf(ret_why, WRN_JUDGE_WHY_SIZE, "Rights cannot be taken back yet.");
    return WRN_REASON_NOT_ADMITTED;
}
