/* SPDX-License-Identifier: Apache-2.0 */
/* Judges one packed chain: expands it, proves it from the network's owner with src/spki, compiles
 * what its subject may do, or says why it may nothing. Keeps the last chain that it saw, so that
 * several questions about one cost its signatures once; wrn_members has the cache of many. Pure. */
#pragma once
#include "base/arena.h"
#include "network/rights.h"
#include "overlay/reason.h"

struct wrn_judge; /* about 440 KiB; one for all of a network's machines, of one thread */

enum { WRN_JUDGE_WHY_SIZE = 200 };

/* Tells whether a certificate has been cancelled, by a list of somebody who may; 'ret_by' is set
 * then. Must be a function of its arguments while 'version' stays. */
struct wrn_judge_cancelled {
    bool (*is_cancelled)(void *ctx, const uint8_t hash[WRN_SHA256_SIZE],
                         const uint8_t issuer[WRN_SIGN_PUBLIC_SIZE],
                         uint8_t ret_by[WRN_SIGN_PUBLIC_SIZE]);
    void *ctx;
    uint64_t version; /* another number: answers may be others. 0: do not keep the chain */
};

struct wrn_judge_question {
    wrn_span chain; /* packed; may be empty for the owner */
    const uint8_t *public_key;
    int64_t now_s;
    struct wrn_judge_cancelled cancelled; /* 'is_cancelled' NULL: nothing is */
};

/* What came out. */
struct wrn_judge_verdict {
    /* NONE: it has some right; look which. EXPIRED: it had. EXCLUDED: it has none, and a
     * certificate of the chain has been revoked. NOT_ADMITTED: all else. */
    enum wrn_reason reason;
    bool has_revoked;             /* a certificate of the chain has been revoked; others may do */
    bool is_time;                 /* unless NONE: with another date it would not have been so */
    int64_t from_s, until_s;      /* the same comes out as long as from_s <= now < until_s */
    char why[WRN_JUDGE_WHY_SIZE]; /* unless NONE: a sentence for people, with a zero byte */
};

/* Builds the machine; NULL while the arena measures. 'seed' is secret and random. */
struct wrn_judge *wrn_judge_init(struct wrn_arena *arena, const struct wrn_pack_frame *frame,
                                 const uint64_t seed[2]);

/* The network. */
const struct wrn_pack_frame *wrn_judge_frame(const struct wrn_judge *judge);

/* Judges. 'ret_rights' has something only with NONE. A chain costs at most one verification for
 * each of its certificates, unless the next question is about the same one: then nothing. */
void wrn_judge(struct wrn_judge *judge, const struct wrn_judge_question *question,
               struct wrn_rights *ret_rights, struct wrn_judge_verdict *ret_verdict);

/* How many signatures have been verified at most, since the beginning. */
uint64_t wrn_judge_verified(const struct wrn_judge *judge);

/* Room for a canonical expression while no chain is in use: WRN_PACK_EXPANDED_MAX bytes. What was
 * kept of the last chain is forgotten. */
uint8_t *wrn_judge_room(struct wrn_judge *judge);
