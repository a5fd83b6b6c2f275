/* SPDX-License-Identifier: Apache-2.0 */
/* The state of the part of a network that handles rights, for its own files (authority*.c). */
#pragma once
#include "network/certs.h"
#include "node/authority_internal.h"
#include "node/network_internal.h"
#include "node/sync.h"

enum {
    WRN_AUTHORITY_CLOCK_SLACK_S = 300, /* certificates begin so long ago: clocks differ */
    /* The form on disk of all lists: what 'revoked' has room for must fit, with 6 bytes a list. */
    WRN_AUTHORITY_LISTS_MAX = 300 << 10,
};

/* A certificate for somebody else, until he has it. */
struct wrn_authority_grant {
    struct wrn_state_grant kept; /* its chain is in 'chain' */
    int64_t until_s;             /* when the certificate ends */
    wrn_mono due;                /* when it is sent again; NEVER: it has been delivered */
    uint32_t tries;              /* since the subject was there last */
    uint8_t chain[WRN_CREDENTIAL_MAX];
};

struct wrn_authority {
    struct wrn_network *network;
    struct wrn_sync *sync;
    uint32_t invitation_count, grant_count;
    struct wrn_state_invitation invitations[WRN_STATE_INVITATIONS_MAX]; /* chains are in 'chains' */
    uint8_t (*chains)[WRN_INVITATION_CHAIN_MAX];
    struct wrn_authority_grant *grants; /* WRN_STATE_GRANTS_MAX */
    uint8_t *lists;                     /* what wrn_authority_fill gives, WRN_AUTHORITY_LISTS_MAX */
    /* What was said of our own rights last. */
    bool was_judged, was_excluded;
    uint8_t last_flags;
    int64_t last_until_s;
    struct wrn_rights rights; /* of whomever is in question */
};

/* What is to be issued, by us. */
struct wrn_authority_wish {
    const uint8_t *subject;
    struct wrn_sexp element;
    bool may_pass_on;
    int64_t until_s;
    uint8_t flags; /* enum wrn_right: what the subject must have by it, else it is not issued */
};

/* Issues by whichever of the ways from the owner to us allows it, and judges what comes out
 * (authority->rights). NONE and the size; NOT_ADMITTED, TOO_LARGE, MALFORMED, and why. */
enum wrn_reason wrn_authority_issue(struct wrn_authority *authority,
                                    const struct wrn_authority_wish *wish, uint8_t *out,
                                    size_t capacity, size_t *ret_size,
                                    uint8_t ret_hash[WRN_SHA256_SIZE],
                                    char ret_why[WRN_JUDGE_WHY_SIZE]);

/* Writes (* set parts of both...) into 'out', without what stands in 'without' (names of elements,
 * the last one NULL). False if it does not fit. */
bool wrn_authority_write_set(const char *const *words, struct wrn_sexp element,
                             const char *const *without, uint8_t *out, size_t capacity,
                             struct wrn_sexp *ret_sexp);

/* Which rights an element names by itself: enum wrn_right; 'ret_has_route' may be NULL. */
uint8_t wrn_authority_flags_of(struct wrn_authority *authority, struct wrn_sexp element,
                               bool *ret_has_route);

/* Notes a certificate for somebody, in the place of what was issued to him with the same element,
 * to be delivered from now on. FULL: none of the others has been delivered or has ended. */
enum wrn_reason wrn_authority_add_grant(struct wrn_authority *authority,
                                        const uint8_t subject[WRN_SIGN_PUBLIC_SIZE],
                                        wrn_span chain);

/* The commands of authority.h, in an input. */
enum wrn_reason wrn_authority_invite(struct wrn_authority *authority,
                                     const struct wrn_node_invite_options *options,
                                     struct wrn_invitation *ret_invitation,
                                     char ret_why[WRN_JUDGE_WHY_SIZE]);
enum wrn_reason wrn_authority_grant(struct wrn_authority *authority,
                                    const struct wrn_authority_wish *wish,
                                    char ret_why[WRN_JUDGE_WHY_SIZE]);
enum wrn_reason wrn_authority_revoke(struct wrn_authority *authority,
                                     enum wrn_node_revoke_what what,
                                     const uint8_t subject_or_hash[WRN_SIGN_PUBLIC_SIZE],
                                     wrn_span chain, uint32_t *ret_count,
                                     char ret_why[WRN_JUDGE_WHY_SIZE]);

/* Certificates for others are sent again when they come back, and when it is time. */
void wrn_authority_send_grants(struct wrn_authority *authority,
                               const uint8_t subject[WRN_SIGN_PUBLIC_SIZE]);
void wrn_authority_grants_on_time(struct wrn_authority *authority);
wrn_mono wrn_authority_grants_due(const struct wrn_authority *authority);

/* A chain came, for us; somebody says that he has the one for him. Behind the first byte. */
void wrn_authority_on_cert(struct wrn_authority *authority, const struct wrn_network_peer *from,
                           wrn_id source, wrn_span chain);
void wrn_authority_on_cert_ack(struct wrn_authority *authority, wrn_span message);

/* Takes a list, ours or another's ('from': who gave it, NULL: we): what it revokes is revoked, and
 * it goes to all others at once. Returns as wrn_revoked_add. */
enum wrn_reason wrn_authority_add_list(struct wrn_authority *authority, wrn_span list,
                                       const struct wrn_network_peer *from);

/* Writes why a command is refused. */
void wrn_authority_say(char why[WRN_JUDGE_WHY_SIZE], const char *format, ...) WRN_PRINTF(2, 3);
