/* SPDX-License-Identifier: Apache-2.0 */
/* The state of the members, for its two files. Nobody else includes it. */
#pragma once
#include "base/keymap.h"
#include "network/members.h"

/* Who was judged, and what came out. */
enum wrn_members_kind { WRN_MEMBERS_NODE, WRN_MEMBERS_RECORD, WRN_MEMBERS_REFUSED };

struct wrn_members_entry {
    uint64_t used; /* when it was asked for; 0: free */
    uint8_t key[WRN_SHA256_SIZE];
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
    int64_t from_s, until_s; /* when it holds */
    uint64_t version;        /* of the revocations that it was last compared with */
    enum wrn_reason reason;
    uint8_t kind; /* enum wrn_members_kind */
    bool has_revoked, is_time;
    union {
        struct wrn_rights rights; /* NONE */
        char why[WRN_JUDGE_WHY_SIZE];
    };
};

struct wrn_members {
    struct wrn_judge *judge;
    struct wrn_revoked *revoked;
    struct wrn_primitives primitives;
    uint8_t owner[WRN_SIGN_PUBLIC_SIZE];
    struct wrn_prefix ipv4, ipv6;
    bool is_open;
    struct wrn_members_entry *entries;
    uint32_t entries_max;
    struct wrn_keymap by_key;
    uint64_t uses;
    uint64_t counts[WRN_MEMBERS_COUNTS];
    struct wrn_rights owner_rights, rights;
};

/* Judges from memory, or anew and keeps it. */
struct wrn_members_answer wrn_members_ask(struct wrn_members *members, int64_t now_s,
                                          enum wrn_members_kind kind, const uint8_t *public_key,
                                          wrn_span chain, bool *ret_has_revoked);
