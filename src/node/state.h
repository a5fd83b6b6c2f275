/* SPDX-License-Identifier: Apache-2.0 */
/* All that a node keeps of one network over a restart, as one S-expression: what creating or
 * joining one makes, what lies on disk, and what a network is started from. So whatever is started
 * could have come from the disk. Holds secrets (keys of invitations). Pure. Grammar:
 * docs/networks.md, "State". */
#pragma once
#include "network/invitation.h"
#include "network/revoked.h"
#include "overlay/record.h"
#include "switch/switch.h"

enum {
    WRN_STATE_MAX = 512 << 10, /* bytes, canonical */
    WRN_STATE_LOCATORS_MAX = 16,
    WRN_STATE_INVITATIONS_MAX = 64, /* that this node made and that have not ended */
    WRN_STATE_GRANTS_MAX = 64,      /* chains that this node has issued, or knows of */
    WRN_STATE_ROUTES_MAX = 8,
    WRN_STATE_KEPT_MAX = 32, /* records of the table that this node keeps alive */
};

/* An invitation that this node has made. */
struct wrn_state_invitation {
    uint8_t seed[WRN_SEED_SIZE];        /* secret, so that it can be shown again */
    uint8_t cert_hash[WRN_SHA256_SIZE]; /* of the certificate that makes it good */
    int64_t made_s, until_s;
    uint32_t uses; /* 0: not counted */
    uint32_t used; /* of them, as far as is known; never fewer than before */
    bool is_revoked;
    wrn_span chain; /* packed, from the owner to its key */
};

/* A certificate that this node has issued to a member, until the member has it. */
struct wrn_state_grant {
    uint8_t subject[WRN_SIGN_PUBLIC_SIZE];
    bool is_delivered;
    wrn_span chain; /* packed, from the owner to the subject */
};

/* A record that this node is to store, and to renew until it is deleted. */
struct wrn_state_kept {
    enum wrn_record_kind kind; /* PUT or CREATE */
    wrn_span key;              /* 1..WRN_RECORD_KEY_MAX bytes */
    wrn_span value;            /* at most WRN_RECORD_VALUE_MAX */
    uint32_t ttl_s;            /* 1..WRN_RECORD_TTL_MAX_S */
    int64_t claimed_s;         /* CREATE: since when the key is claimed */
};

/* Spans are the caller's when it is written, in the expression when it was read. */
struct wrn_state {
    struct wrn_descriptor descriptor;
    uint8_t signature[WRN_SIGNATURE_SIZE]; /* of the descriptor */
    wrn_span chain;                        /* ours, packed; empty: the owner's */
    wrn_span invitation_chain;             /* by which we joined; empty: none */
    uint32_t use;                          /* which of the invitation's uses is ours; 0: none yet */
    bool wants_address, wants_name;        /* false: a relay only, or without a name */
    bool wants_routes;                     /* what members offer becomes a route of this host */
    char label[WRN_LABEL_SIZE];            /* that was ours, or that is wanted; "": the host's */
    struct wrn_ip lease;                   /* that was ours; family NONE: none */
    uint8_t endpoint_count;
    struct wrn_endpoint endpoints[16]; /* where to look for the ring */
    uint8_t locator_count;
    wrn_span locators[WRN_STATE_LOCATORS_MAX]; /* of peers */
    wrn_span lists;                            /* wrn_revoked_save; empty: none */
    uint8_t route_count;
    struct wrn_prefix routes[WRN_STATE_ROUTES_MAX]; /* that we offer to members */
    bool has_meeting;                     /* members are looked for through an open network: */
    uint8_t meeting[WRN_NETWORK_ID_SIZE]; /* ... with this id */
    bool has_bridge;                      /* l2: somebody has set how it switches */
    struct wrn_switch_settings bridge;
    uint8_t kept_count;
    struct wrn_state_kept kept[WRN_STATE_KEPT_MAX];
    uint8_t invitation_count;
    struct wrn_state_invitation invitations[WRN_STATE_INVITATIONS_MAX];
    uint8_t grant_count;
    struct wrn_state_grant grants[WRN_STATE_GRANTS_MAX];
};

/* X(NAME, "what is wrong, and the next step") */
#define WRN_STATE_FAULT_LIST(X)                                                                    \
    X(OK, "nothing is wrong")                                                                      \
    X(NOT_STATE, "it is not the state of a network")                                               \
    X(VERSION, "it was written by a later Warren: update this one")                                \
    X(DESCRIPTOR, "it does not describe a network that its owner signed")                          \
    X(FIELD, "a field is missing, twice there, or not as it should be")

enum wrn_state_fault {
#define WRN_STATE_FAULT_ENUM(name, text) WRN_STATE_##name,
    WRN_STATE_FAULT_LIST(WRN_STATE_FAULT_ENUM)
#undef WRN_STATE_FAULT_ENUM
        WRN_STATE_FAULTS
};

/* Says what a fault is and what to do, as a clause without a full stop. Static text. */
const char *wrn_state_fault_text(enum wrn_state_fault fault);

/* Writes it, canonical. Returns the size; 0: it does not fit, which WRN_STATE_MAX rules out. */
size_t wrn_state_write(const struct wrn_state *state, uint8_t *out, size_t capacity);

/* Reads what wrn_state_write wrote, after wrn_sexp has brought it into the canonical form. Verifies
 * the descriptor; a node judges the rest. 'expression' must stay as long as 'ret_state'. */
WRN_NODISCARD enum wrn_state_fault wrn_state_read(wrn_span expression, struct wrn_state *ret_state);

/* Makes a network: fills in what is not set ('name' and 'kind' are; ranges with the family NONE
 * are drawn: a /16 of 10/8 that is in none of 'used', and a /64 of fd00::/8), signs, and makes the
 * state of its owner. OK, or what is wrong with the descriptor. */
WRN_NODISCARD enum wrn_descriptor_fault
wrn_state_create(struct wrn_descriptor *descriptor, const uint8_t seed[WRN_SEED_SIZE],
                 struct wrn_rand rand, int64_t now_s, const struct wrn_prefix *used,
                 size_t used_count, struct wrn_state *ret_state);

/* Joins: the state of a member, with a chain that the invitation's key has issued. 'chain' has room
 * for WRN_CREDENTIAL_MAX bytes and stays as long as the state. 'until_s': see
 * wrn_invitation_accept. OK, or its fault. */
WRN_NODISCARD enum wrn_invitation_fault wrn_state_join(const struct wrn_invitation *invitation,
                                                       const uint8_t member[WRN_SIGN_PUBLIC_SIZE],
                                                       int64_t now_s, int64_t until_s,
                                                       uint8_t *chain, struct wrn_state *ret_state);
