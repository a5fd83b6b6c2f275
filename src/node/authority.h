/* SPDX-License-Identifier: Apache-2.0 */
/* What this node may do because of its rights in a network: invite, give and take rights, renew.
 * Roles are capabilities and nothing else. All of it is kept in the network's state (an urgent SAVE
 * comes out) before the caller says that it is done. */
#pragma once
#include "node/node.h"

enum {
    /* How long a membership lasts that somebody who may issues to who came by an invitation, as
     * soon as they meet; or as long as the invitation, if that is longer. */
    WRN_MEMBERSHIP_S = 365 * 86400,
};

struct wrn_node_invite_options {
    uint32_t uses;   /* 1..65535 */
    int64_t until_s; /* Unix time; of the invitation, and of memberships that nobody prolongs */
    bool members_may_invite;
    wrn_span element; /* canonical, of docs/networks.md "What a chain gives", besides (member):
                          * (* set (address ...) (allow ...)); empty: no limits */
};

/* Makes an invitation. If who joins may invite others, its uses are not counted: they could let in
 * as many as they like. NONE; MALFORMED (an option); NOT_ADMITTED: we may not invite (or not that);
 * TOO_LARGE; FULL (WRN_STATE_INVITATIONS_MAX that have not ended). 'ret_why' says what is missing.
 * The caller wipes the invitation. */
enum wrn_reason wrn_node_invite(struct wrn_node *node, struct wrn_now now, wrn_handle network,
                                const struct wrn_node_invite_options *options,
                                struct wrn_node_out *out, struct wrn_invitation *ret_invitation,
                                char ret_why[WRN_JUDGE_WHY_SIZE]);

/* Makes one that this node has made anew, to be shown again, with the addresses of now; 'cert_hash'
 * is the certificate's. NONE, or NOT_FOUND. The caller wipes it. */
enum wrn_reason wrn_node_show_invitation(struct wrn_node *node, struct wrn_now now,
                                         wrn_handle network,
                                         const uint8_t cert_hash[WRN_SHA256_SIZE],
                                         struct wrn_invitation *ret_invitation);

/* Walks the invitations that this node made: start with *cursor = 0; false at the end. */
struct wrn_state_invitation;
bool wrn_node_next_invitation(const struct wrn_node *node, wrn_handle network, uint32_t *cursor,
                              const struct wrn_state_invitation **ret_invitation);

/* Gives a member more rights: issues (* set element...) to its key, valid until 'until_s', to be
 * passed on if 'may_delegate', and sees to it that the member gets it (now or when it comes back).
 * 'ret_hash' is that of the certificate. NONE, or NOT_ADMITTED, TOO_LARGE, FULL. */
enum wrn_reason wrn_node_grant(struct wrn_node *node, struct wrn_now now, wrn_handle network,
                               const uint8_t subject[WRN_SIGN_PUBLIC_SIZE], wrn_span element,
                               bool may_delegate, int64_t until_s, struct wrn_node_out *out,
                               uint8_t ret_hash[WRN_SHA256_SIZE], char ret_why[WRN_JUDGE_WHY_SIZE]);

/* Ends the network for all, which only its owner can: a list says so, floods the ring and lies in
 * the table; who is told sends nothing any more. 'ret_told': how many peers there are to hear it
 * now. wrn_node_leave afterwards goes slowly enough for that. NONE; NOT_ADMITTED: another one owns
 * it. */
enum wrn_reason wrn_node_end(struct wrn_node *node, struct wrn_now now, wrn_handle network,
                             struct wrn_node_out *out, uint32_t *ret_told,
                             char ret_why[WRN_JUDGE_WHY_SIZE]);

/* What to take back of whom. */
enum wrn_node_revoke_what {
    WRN_NODE_REVOKE_MEMBER, /* all certificates of the subject that are known, and the invitation
                             * that made it a member if nobody else can be in by that */
    WRN_NODE_REVOKE_EXTRA,  /* what gives more than (member): demote */
    WRN_NODE_REVOKE_CERT,   /* the certificate with this hash: of an invitation, say */
};

/* Takes rights back: adds to our CRL, which floods the ring. 'chain' is the subject's packed chain
 * as far as the caller knows it (from its records); the node adds what it knows itself. NONE and
 * how many certificates were revoked; NOT_FOUND (nothing is known of it), NOT_ADMITTED (neither
 * issuer nor admin), FULL (256 hashes), SELF (the owner cannot be). */
enum wrn_reason wrn_node_revoke(struct wrn_node *node, struct wrn_now now, wrn_handle network,
                                enum wrn_node_revoke_what what,
                                const uint8_t subject_or_hash[WRN_SIGN_PUBLIC_SIZE], wrn_span chain,
                                struct wrn_node_out *out, uint32_t *ret_count,
                                char ret_why[WRN_JUDGE_WHY_SIZE]);
