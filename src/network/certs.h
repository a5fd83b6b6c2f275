/* SPDX-License-Identifier: Apache-2.0 */
/* Packed chains as lists of certificates: reads them one by one, issues one more, makes one chain
 * of two. Believes no signature and decides nothing: judge.h does. Pure. */
#pragma once
#include "network/pack.h"

/* Views of an expanded chain. */
struct wrn_cert {
    uint8_t hash[WRN_SHA256_SIZE];
    const uint8_t *issuer, *subject; /* WRN_SIGN_PUBLIC_SIZE bytes */
    struct wrn_sexp element;         /* of (warren ID ELEMENT) */
    bool may_pass_on;
    int64_t from_s, until_s;         /* from <= t < until; 0 and INT64_MAX without limits */
    struct wrn_sexp cert, signature; /* as they were signed */
};

struct wrn_certs {
    uint32_t count;
    struct wrn_cert certs[WRN_PACK_CERTS_MAX]; /* each behind that of its issuer */
    uint8_t room[WRN_PACK_EXPANDED_MAX];
};

/* Expands and reads; 'ret_chain' borrows nothing. An empty span is a chain of no certificate, the
 * owner's. False for what is no packed chain. Verifies nothing. */
bool wrn_certs_read(const struct wrn_pack_frame *frame, wrn_span packed,
                    struct wrn_certs *ret_chain);

/* What one more certificate says. */
struct wrn_certs_issue {
    const uint8_t *seed;     /* the issuer's, WRN_SEED_SIZE bytes */
    wrn_span chain;          /* ... packed chain; empty for the owner */
    const uint8_t *subject;  /* WRN_SIGN_PUBLIC_SIZE bytes */
    struct wrn_sexp element; /* what it gives */
    bool may_pass_on;
    int64_t from_s,
        until_s; /* until_s is not part of it; at most WRN_RECORD_TIME_MAX_S: no limit */
};

/* Issues it and packs it with the issuer's chain, for its subject. Returns 0 and the size; -ENOMEM
 * (of signing); -ENOBUFS: more than 'capacity', or certificates; WRN_ERR_MALFORMED: the chain is
 * none, or the dates cannot be. Needs 48 KiB of stack. */
WRN_NODISCARD int wrn_certs_issue(const struct wrn_pack_frame *frame,
                                  const struct wrn_certs_issue *issue, uint8_t *out,
                                  size_t capacity, size_t *ret_size,
                                  uint8_t ret_hash[WRN_SHA256_SIZE]);

/* Packs those certificates of a chain whose bit is set in 'which'. Returns as wrn_certs_issue; the
 * others must not be needed (WRN_ERR_MALFORMED). */
WRN_NODISCARD int wrn_certs_pick(const struct wrn_pack_frame *frame, const struct wrn_certs *certs,
                                 uint32_t which, uint8_t *out, size_t capacity, size_t *ret_size);

/* Returns which certificates lead from the owner, by signatures that are right, and by nobody who
 * has what he has from 'without': bit i for certificate i. Whoever shows a chain may put what he
 * likes beside these. Costs a verification each. */
uint32_t wrn_certs_leading(const struct wrn_pack_frame *frame, const struct wrn_certs *certs,
                           const uint8_t without[WRN_SIGN_PUBLIC_SIZE]);

/* Makes one chain for 'subject' of two: all certificates that lead to it from the owner, without
 * those that have ended at 'now_s', and without those that another one of the same issuer replaces,
 * which says the same and ends later. Returns 0 and the size (0: nothing is left), -ENOBUFS or
 * WRN_ERR_MALFORMED. Needs 80 KiB of stack. */
WRN_NODISCARD int wrn_certs_merge(const struct wrn_pack_frame *frame, int64_t now_s,
                                  const uint8_t subject[WRN_SIGN_PUBLIC_SIZE], wrn_span first,
                                  wrn_span second, uint8_t *out, size_t capacity, size_t *ret_size);
