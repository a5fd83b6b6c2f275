/* SPDX-License-Identifier: Apache-2.0 */
/* The state of the part of a network that handles rights, for its own files (authority*.c). */
#pragma once
#include "network/certs.h"
#include "node/authority_internal.h"
#include "node/network_internal.h"
#include "node/sync.h"

enum {
    /* Lower halves of tags of the table's requests, with WRN_NETWORK_TAGS_USES: lists; below are
     * those of uses. */
    WRN_AUTHORITY_TAG_LISTS = 0xff00,
    WRN_AUTHORITY_TAG_PUBLISH = 0xffff,
    /* The form on disk of all lists: what 'revoked' has room for must fit, with 6 bytes a list. */
    WRN_AUTHORITY_LISTS_MAX = 300 << 10,
};

/* Stands in the certificate of an invitation's key, and gives nothing. */
#define WRN_AUTHORITY_INVITATION "invitation"

/* An invitation by which somebody is a member, and the uses that it has. */
struct wrn_authority_use {
    uint8_t key[WRN_SIGN_PUBLIC_SIZE];
    uint32_t low, high; /* 0: none */
};

enum wrn_authority_use_state {
    WRN_AUTHORITY_USE_OPEN, /* not looked up yet, or not found */
    WRN_AUTHORITY_USE_GOOD,
    WRN_AUTHORITY_USE_BAD, /* refused for a while */
};

/* A member whose use is to be looked up, or has been. */
struct wrn_authority_check {
    uint64_t used; /* a running number; 0: free */
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
    struct wrn_authority_use use;
    uint32_t k; /* which one it says that it has; 0: not said */
    uint8_t state, looks, taken, changes, asks;
    bool was_refused;
    uint32_t tag; /* of the question under way; 0: none */
    wrn_mono due;
};

enum { WRN_AUTHORITY_CHECKS_MAX = 512 };

/* A certificate for somebody else, until he has it. */
struct wrn_authority_grant {
    struct wrn_state_grant kept; /* its chain is in 'chain' */
    int64_t until_s;             /* when the certificate ends */
    wrn_mono due;                /* when it is sent again; NEVER: it has been delivered */
    uint32_t tries;              /* since the subject was there last */
    bool is_renewal;             /* what the subject has, for longer */
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
    /* Renewal of ours, and of others'. */
    wrn_mono renew_due;
    int64_t renew_until_s; /* the end that is to be put off */
    uint32_t renew_tries;
    uint32_t renew_first;   /* which of the peers that may is asked next */
    bool by_invitation;     /* we are a member by nothing else: asked for at once */
    bool has_told_expiring; /* ... of that end */
    wrn_mono paid;          /* what was looked at for others has been paid for until then */
    /* Uses of invitations: ours, and others'. */
    struct wrn_claim claim;
    struct wrn_authority_use use;
    uint32_t proof_size;
    uint8_t proof[WRN_CREDENTIAL_MAX]; /* the part of our chain by which we may claim it */
    bool is_counted;                   /* one of the ways to our membership is: its use is kept */
    bool needs_use;                    /* ... all of them: without a use we are nothing */
    bool has_use, is_spent, stop_claim;
    uint16_t serial;
    uint64_t checks_noted;
    wrn_mono checks_due;
    struct wrn_authority_check *checks; /* WRN_AUTHORITY_CHECKS_MAX */
    /* How often our invitations were used: what is being looked up. */
    wrn_mono used_due;
    uint32_t used_turn, used_left; /* whose turn is next; how many are left in this round */
    uint32_t used_tag, used_k;     /* of the question under way; 0: none is */
    uint8_t used_key[WRN_SIGN_PUBLIC_SIZE];
    /* Our chain, as peers were shown it. */
    uint8_t shown[WRN_SHA256_SIZE];
    bool has_shown;
    uint32_t show_again; /* times */
    wrn_mono show_due;
    /* What was said of our own rights last. */
    bool was_judged, was_excluded, has_told_end;
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

/* Tells whether what somebody sent may cost a look at its certificates now; who is refused sends it
 * again. */
bool wrn_authority_pay(struct wrn_authority *authority);

/* Tells whether an element says that its certificate is an invitation's. */
bool wrn_authority_is_invitation(struct wrn_sexp element);

/* Writes (* set parts of both...) into 'out', without what stands in 'without' (names of elements,
 * the last one NULL). False if it does not fit. */
bool wrn_authority_write_set(const char *const *words, struct wrn_sexp element,
                             const char *const *without, uint8_t *out, size_t capacity,
                             struct wrn_sexp *ret_sexp);

/* Which rights an element names by itself: enum wrn_right; 'ret_has_route' may be NULL. */
uint8_t wrn_authority_flags_of(struct wrn_authority *authority, struct wrn_sexp element,
                               bool *ret_has_route);

/* Notes a certificate for somebody, to be delivered from now on. What was 'known' that he has
 * besides (a chain, may be empty) is kept behind it, or, where it does not fit, in a place of its
 * own, so that all of it can be revoked while he is away. FULL: all WRN_STATE_GRANTS_MAX places are
 * taken, and none of them by what has been delivered or has ended. */
enum wrn_reason wrn_authority_add_grant(struct wrn_authority *authority,
                                        const uint8_t subject[WRN_SIGN_PUBLIC_SIZE], wrn_span chain,
                                        wrn_span known, bool is_renewal);

/* The first certificate of an issuer for somebody in a chain: of a grant's, what was issued. NULL:
 * none. */
const struct wrn_cert *wrn_authority_cert_for(const struct wrn_certs *certs,
                                              const uint8_t issuer[WRN_SIGN_PUBLIC_SIZE],
                                              const uint8_t subject[WRN_SIGN_PUBLIC_SIZE]);

/* Until when a chain is kept: until what we issued to its subject ends; else the last one of it
 * that others issued, at most WRN_MEMBERSHIP_S from now. */
int64_t wrn_authority_kept_until(const struct wrn_authority *authority, int64_t now_s,
                                 const struct wrn_certs *certs,
                                 const uint8_t subject[WRN_SIGN_PUBLIC_SIZE]);

/* The commands of authority.h, in an input. */
enum wrn_reason wrn_authority_invite(struct wrn_authority *authority,
                                     const struct wrn_node_invite_options *options,
                                     struct wrn_invitation *ret_invitation,
                                     char ret_why[WRN_JUDGE_WHY_SIZE]);
enum wrn_reason wrn_authority_grant(struct wrn_authority *authority,
                                    const struct wrn_authority_wish *wish,
                                    uint8_t ret_hash[WRN_SHA256_SIZE],
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

/* Renewal: our rights were judged; the ring was found; time; a member asks. */
void wrn_authority_renew_on_rights(struct wrn_authority *authority);
void wrn_authority_renew_on_connected(struct wrn_authority *authority);
void wrn_authority_renew_on_time(struct wrn_authority *authority);
void wrn_authority_on_renew(struct wrn_authority *authority, wrn_span message);

/* A peer shows its chain, which is another one than before. */
void wrn_authority_on_show(struct wrn_authority *authority, struct wrn_network_peer *from,
                           wrn_span chain);

/* Uses: our rights were judged; a peer says which is its own, and is told which is ours; answers of
 * the table; time. */
void wrn_authority_uses_init(struct wrn_authority *authority);
void wrn_authority_uses_on_rights(struct wrn_authority *authority);
void wrn_authority_uses_on_lost(struct wrn_authority *authority, wrn_span record, wrn_span winner,
                                enum wrn_reason reason);
void wrn_authority_say_use(struct wrn_authority *authority, const struct wrn_network_peer *peer);
void wrn_authority_on_use(struct wrn_authority *authority, const uint8_t *public_key,
                          wrn_span message);
void wrn_authority_uses_on_answer(struct wrn_authority *authority,
                                  const struct wrn_dht_answer *answer);
void wrn_authority_uses_on_time(struct wrn_authority *authority);
wrn_mono wrn_authority_uses_due(const struct wrn_authority *authority);

/* Writes the key of the record of an invitation's k-th use; returns its size. */
size_t wrn_authority_use_key(const struct wrn_authority_use *use, uint32_t k,
                             char out[WRN_RECORD_KEY_MAX]);

/* The invitation with this key, if it is ours, is known to have been used k times. The uses of ours
 * are looked up soon (the ring was found, or there is a new one); time; an answer of the table. */
void wrn_authority_used(struct wrn_authority *authority, const uint8_t key[WRN_SIGN_PUBLIC_SIZE],
                        uint32_t k);
void wrn_authority_used_soon(struct wrn_authority *authority);
void wrn_authority_used_on_time(struct wrn_authority *authority);
void wrn_authority_used_on_answer(struct wrn_authority *authority,
                                  const struct wrn_dht_answer *answer);

/* Whether a member has no use of the invitation by which it came, as far as is known; whether it
 * has one, or needs none (else that is looked up now: ask again). */
bool wrn_authority_is_use_bad(const struct wrn_authority *authority, const uint8_t *public_key);
bool wrn_authority_is_use_good(struct wrn_authority *authority, const uint8_t *public_key,
                               wrn_span chain, uint32_t k);

/* Takes a list, ours or another's ('from': who gave it, NULL: we): what it revokes is revoked, and
 * it goes to all others at once. Returns as wrn_revoked_add. */
enum wrn_reason wrn_authority_add_list(struct wrn_authority *authority, wrn_span list,
                                       const struct wrn_network_peer *from);

/* Lists in the table, for who comes when nobody is there who knows them: ours is put there, those
 * of our own issuers are looked up. What is too long for a record travels between peers alone. */
void wrn_authority_publish(struct wrn_authority *authority);
void wrn_authority_look_for_lists(struct wrn_authority *authority);
void wrn_authority_lists_on_answer(struct wrn_authority *authority,
                                   const struct wrn_dht_answer *answer);

/* Writes why a command is refused. */
void wrn_authority_say(char why[WRN_JUDGE_WHY_SIZE], const char *format, ...) WRN_PRINTF(2, 3);
