/* SPDX-License-Identifier: Apache-2.0 */
/* Who may do what in one network, now: judges nodes by the key and chain that they show, and
 * records by their owner's, and remembers what was found out, so that asking again costs a hash.
 * Decides; sends and cuts nothing. Pure. */
#pragma once
#include "network/revoked.h"
#include "overlay/overlay.h"

enum {
    WRN_MEETING_TTL_MAX_S = 3600, /* of records meet/... */
    WRN_MEETING_VALUE_MAX = 320,  /* bytes of their values */
};

struct wrn_members_options {
    const struct wrn_descriptor *descriptor; /* copied as far as it is needed */
    /* Judgements that are kept, about 3.5 KiB each: a half of them of nodes, a quarter of owners of
     * records, a quarter of what was refused. At least twice the peers, so that a revoked one is
     * known by its key alone. 8..4096 */
    uint32_t entries_max;
    uint64_t seed[2]; /* secret and random */
};

struct wrn_members;

/* Builds the machine; NULL while the arena measures. All others stay; 'primitives' are for HITs and
 * locators. */
struct wrn_members *wrn_members_init(struct wrn_arena *arena,
                                     const struct wrn_members_options *options,
                                     struct wrn_judge *judge, struct wrn_revoked *revoked,
                                     const struct wrn_primitives *primitives);

struct wrn_members_answer {
    /* NONE: it has some right (look which); EXPIRED, EXCLUDED, NOT_ADMITTED. */
    enum wrn_reason reason;
    const struct wrn_rights *rights; /* NONE; until the next call, and rights->changes_s */
    const char *why;                 /* else a sentence for people; until the next call */
    bool is_time;                    /* ... and with another date it would not have been so */
};

/* Judges a node by its key and packed chain. The owner needs none. A chain that is not kept costs
 * at most WRN_PACK_CERTS_MAX verifications; one that was refused is kept too, as long as nothing
 * changes. */
struct wrn_members_answer wrn_members_judge(struct wrn_members *members, wrn_wall now,
                                            const uint8_t public_key[WRN_SIGN_PUBLIC_SIZE],
                                            wrn_span chain);

/* A wrn_overlay_admit; 'ctx' is the machine. Who is a member may be on the ring, everybody may be
 * on that of an open network who is not EXCLUDED. Without a chain it answers by what is kept of the
 * key: EXCLUDED if all that it showed has been revoked. */
enum wrn_reason wrn_members_admit(void *ctx, wrn_wall now,
                                  const uint8_t public_key[WRN_SIGN_PUBLIC_SIZE],
                                  wrn_span credential, wrn_wall *ret_until);

/* A wrn_dht_rule; 'ctx' is the machine. The proof is the packed chain of the record's owner, a
 * member; the network's owner needs none. docs/networks.md has the families:
 *     addr/IP  name/LABEL  node/HIT  use/KEY/K  create
 *     svc/NAME             put
 *     crl/HASH             put, create; by who may invite or administer
 *     meet/PLACE           put; in an open network, by anybody
 * and their owners' deletes. NONE; RULE for all that is no such record, NOT_ADMITTED, EXPIRED or
 * EXCLUDED for its owner; a list in crl/ also as wrn_revoked_add. */
enum wrn_reason wrn_members_rule(void *ctx, const struct wrn_record *record, wrn_wall now);

/* Tells whether an address may be leased to nodes at all: in the range of the network, and neither
 * its first (the network's), nor the one after that (this node's resolver), nor, of IPv4, the
 * last (broadcast). */
bool wrn_members_is_lease(const struct wrn_members *members, const struct wrn_ip *ip);

/* X(NAME, name) */
#define WRN_MEMBERS_COUNT_LIST(X)                                                                  \
    X(KEPT, kept)     /* answered from memory */                                                   \
    X(JUDGED, judged) /* chains that had to be proved */                                           \
    X(REFUSED, refused)                                                                            \
    X(EVICTED, evicted) /* judgements that gave way to others */

enum wrn_members_count {
#define X(upper, lower) WRN_MEMBERS_COUNT_##upper,
    WRN_MEMBERS_COUNT_LIST(X)
#undef X
        WRN_MEMBERS_COUNTS
};

/* Returns a counter; its name, for metrics (static text). */
uint64_t wrn_members_count(const struct wrn_members *members, enum wrn_members_count count);
const char *wrn_members_count_name(enum wrn_members_count count);
