/* SPDX-License-Identifier: Apache-2.0 */
/* Decides who may do what: from ACLs and a heap of certificates in any order, all five-tuples that
 * follow, and whether one grants a request, until when and by what, or why not. Pure and bounded:
 * memory is the caller's, time grows with the certificates, never with the number of paths.
 * Source: RFC 2693, section 6. */
#pragma once
#include "spki/cert.h"
#include "spki/tag.h"

struct wrn_spki_limits {
    uint32_t certs_max;  /* certificates, name certificates and ACL entries together; 1..65,536 */
    uint32_t keys_max;   /* distinct principals; 1..1,048,576 */
    uint32_t crls_max;   /* CRLs and revalidations together; 0..65,536 */
    uint32_t bytes_max;  /* for what wrn_spki_reduce makes; less than 1 GiB */
    uint32_t tuples_max; /* the same, tuples; at most 1,048,576 */
    uint64_t seed[2];    /* of hash tables: secret and random where others choose what is added */
};

struct wrn_spki; /* a heap of certificates */

/* Tells how many bytes a heap needs. */
size_t wrn_spki_size(const struct wrn_spki_limits *limits);

/* Makes an empty heap in 'memory': wrn_spki_size bytes, 64-byte aligned, zeroed, the caller's. */
struct wrn_spki *wrn_spki_init(void *memory, const struct wrn_spki_limits *limits);

/* For studying chains: WRN_SPKI_STUDY for all that is read, and an object without a signature
 * counts as signed. Never for deciding anything. Before the first add. */
void wrn_spki_assume_signed(struct wrn_spki *spki);

/* Adds an (acl ...), (sequence ...), (cert ...), (signature ...), (public-key ...), (crl ...) or
 * (reval ...). Inside a sequence a signature belongs to the object before it (or before the
 * signatures and keys before it), a bare one to any object with its hash. The bytes stay the
 * caller's and must stay. Signatures are verified when a query needs them, once each. ACLs are the
 * verifier's own: never add one that came from the subject. Returns 0, WRN_ERR_MALFORMED with why
 * ('ret_error' may be NULL), or WRN_ERR_FULL; what stood before the part that was refused has been
 * added then. */
WRN_NODISCARD int wrn_spki_add(struct wrn_spki *spki, struct wrn_sexp object,
                               struct wrn_spki_error *ret_error);

/* The same for what is not the verifier's: refuses an ACL with WRN_SPKI_NOT_THIS_OBJECT. */
WRN_NODISCARD int wrn_spki_add_foreign(struct wrn_spki *spki, struct wrn_sexp object,
                                       struct wrn_spki_error *ret_error);

struct wrn_spki_query {
    const struct wrn_sexp *subjects; /* the principals that ask together; several for thresholds */
    size_t subject_count;            /* 1..WRN_SPKI_THRESHOLD_MAX */
    struct wrn_sexp request;         /* a tag: what is asked for; all of it must be granted */
    int64_t now_s;                   /* Unix time */
};

enum wrn_spki_verdict {
    WRN_SPKI_GRANTED,
    /* The first reason, in the order of the chain from the root, of the chain that comes furthest
     * (see wrn_spki_ask); of several in one certificate the first of this list: */
    WRN_SPKI_NO_ROOT,    /* no chain at all leads from the ACL to the subject */
    WRN_SPKI_NOT_SIGNED, /* no signature of its issuer, or his key is not known */
    WRN_SPKI_BAD_SIGNATURE,
    WRN_SPKI_NOT_YET_VALID,
    WRN_SPKI_EXPIRED,
    WRN_SPKI_REVOKED,
    WRN_SPKI_NO_FRESH_CRL,   /* it demands one (online crl), or a revalidation (online reval), and
                              * none is there that is valid now; or (online one-time) */
    WRN_SPKI_NO_DELEGATION,  /* it may not be passed on, and is */
    WRN_SPKI_WRONG_DELEGATE, /* it may be passed on to others than this one */
    WRN_SPKI_TAG,            /* permits less than the request */
    WRN_SPKI_TOO_FEW,        /* of a threshold */
    WRN_SPKI_TOO_LARGE,      /* a bound of this module was reached: not decided, so not granted */
};

/* Says what a verdict means, as a clause without a full stop. Static text. */
const char *wrn_spki_verdict_text(enum wrn_spki_verdict verdict);

enum { WRN_SPKI_CHAIN_MAX = 64 };

/* Certificates are the heap's, spans are those of what was added or asked. */
struct wrn_spki_answer {
    enum wrn_spki_verdict verdict;
    /* GRANTED: the longest that some chain gives: the latest end, and with that the earliest
     * beginning. The answer of a CRL or revalidation that is demanded counts too. */
    struct wrn_spki_validity validity;
    /* From the ACL entry to the subject; with names and thresholds all certificates that were
     * needed, each once. If refused: the chain that comes furthest, empty for NO_ROOT. */
    const struct wrn_spki_cert *chain[WRN_SPKI_CHAIN_MAX];
    size_t chain_count;
    const struct wrn_spki_cert *culprit;   /* the certificate or entry that fails; else NULL */
    size_t culprit_index;                  /* in 'chain' */
    const struct wrn_spki_cert *passed_on; /* NO_DELEGATION, WRONG_DELEGATE: the one that passes the
                                            * culprit on against its will; may be NULL */
    wrn_spki_date since;                   /* EXPIRED, NOT_YET_VALID, REVOKED: when */
    struct wrn_spki_principal by;          /* REVOKED: who; NO_FRESH_CRL: whose is wanted */
    struct wrn_sexp wanted, permitted;     /* TAG: the part of the request, what stands there */
    uint32_t have, need;                   /* TOO_FEW: parts that lead to the subjects, and k */
};

/* Answers a query. Time: O(certificates x log) beside the signatures on the way, which are
 * verified last and only where they decide; compound names may cost the number of pairs (name,
 * principal) that they stand for, within a bound that grows with certs_max.
 *
 * A refusal is explained by the chain that comes furthest. It is found by forgiving one kind of
 * fault after the other, until a chain leads to the subject: times, then CRLs and revocation, then
 * delegation, then signatures, then tags, then thresholds; of several such chains the one with the
 * fewest faults, then the fewest certificates, then of what was added first. */
void wrn_spki_ask(struct wrn_spki *spki, const struct wrn_spki_query *query,
                  struct wrn_spki_answer *ret_answer);

/* How principals are called in sentences: writes at most 'capacity' bytes and a zero byte. */
struct wrn_spki_speaker {
    void (*name)(void *context, const struct wrn_spki_principal *principal, char *out,
                 size_t capacity);
    void *context;
};

/* Writes an answer as an English sentence that ends with a zero byte, cut if 'capacity' (> 0) is
 * too small. 'speaker' NULL: principals are called by the first 8 hexadecimal digits of their hash.
 * Returns the length without the zero byte. */
size_t wrn_spki_explain(const struct wrn_spki_answer *answer,
                        const struct wrn_spki_speaker *speaker, char *out, size_t capacity);

/* Writes `(acl ...)` with every entry that follows, for these subjects ('count' 0: for all) and
 * this request (empty: everything), at the date 'now' (empty: at any time) in ascending order of
 * their canonical bytes, each once. The tag of each entry is what follows, intersected with the
 * request; of equal ones one is left, but none is left out because another permits more (one that
 * may be passed on, say). Only entries whose subject is a principal are written: names and
 * thresholds are what they reduce to; a hash is written as its key where the key is known. Each
 * has the validity that follows (not cut to 'now'). Of several CRLs that a certificate demands, the
 * one that lasts longest counts. Without 'now' a certificate that was ever revoked gives nothing.
 * Returns 0, WRN_ERR_FULL (tuples_max or bytes_max do not suffice; the number of tuples can
 * grow exponentially), WRN_ERR_MALFORMED (a subject that is none, a request that is no tag) or
 * -ENOBUFS. */
WRN_NODISCARD int wrn_spki_reduce(struct wrn_spki *spki, const struct wrn_sexp *subjects,
                                  size_t count, struct wrn_sexp request, wrn_spki_date now,
                                  struct wrn_sexp_writer *out);

/* Reduces a chain in the order that the prover gave (RFC 2693, section 6.3.4): entry, then
 * certificates of this heap, each against what the ones before gave; 'count' up to
 * WRN_SPKI_CHAIN_MAX. A threshold does not reduce so. Writes the entry that follows; returns 1, 0
 * if nothing does and why (NO_ROOT: the culprit does not continue what comes before it, or, without
 * a culprit, a name is left that nothing resolves), or an error as above. */
WRN_NODISCARD int wrn_spki_reduce_chain(struct wrn_spki *spki,
                                        const struct wrn_spki_cert *const *chain, size_t count,
                                        wrn_spki_date now, struct wrn_sexp_writer *out,
                                        struct wrn_spki_answer *ret_answer);

/* How many certificates and entries were added. */
size_t wrn_spki_count(const struct wrn_spki *spki);

/* One of them, in the order of adding; 'index' less than wrn_spki_count. */
const struct wrn_spki_cert *wrn_spki_at(const struct wrn_spki *spki, size_t index);
