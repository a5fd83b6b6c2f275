/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of SPKI as canonical S-expressions: reading them into views, and writing and signing
 * them. Pure; says nothing about whether they may be believed. Source: RFC 2693; the grammar, with
 * our own parts: docs/certificates.md. */
#pragma once
#include "crypto/identity.h"
#include "sexp/sexp.h"
#include "spki/date.h"

/* What readers accept. STUDY is for looking at chains of others, and never for deciding
 * anything: dates that wrn_spki_date_is_loose accepts, not-before and not-after outside of
 * (valid ...), k and n of a threshold as one binary byte, a certificate or entry without a tag
 * (taken as `(*)`), every (public-key ...), hashes by md5 and sha1, a name without its
 * principal (that of the issuer). */
enum wrn_spki_mode { WRN_SPKI_STRICT, WRN_SPKI_STUDY };

/* ---- Principals, names, subjects */

/* (public-key ...) or (hash ALGORITHM BYTES); 'sexp' is the expression itself. A Warren key is
 * (public-key (ed25519 BYTES32)); its hash (hash sha256 H), H over the canonical (public-key
 * ...). */
struct wrn_spki_principal {
    struct wrn_sexp sexp;
    bool is_key;
    const uint8_t *ed25519; /* 32 bytes within 'sexp', NULL if it is a hash or a foreign key */
};

enum { WRN_SPKI_KEY_SEXP_SIZE = 80, WRN_SPKI_THRESHOLD_MAX = 16, WRN_SPKI_NAME_PARTS_MAX = 16 };

/* Writes (public-key (ed25519 ...)) to 'out' and returns it, borrowed from there. */
struct wrn_sexp wrn_spki_key_sexp(const uint8_t public_key[WRN_SIGN_PUBLIC_SIZE],
                                  uint8_t out[WRN_SPKI_KEY_SEXP_SIZE]);

enum wrn_spki_subject_kind {
    WRN_SPKI_SUBJECT_PRINCIPAL,
    WRN_SPKI_SUBJECT_NAME,      /* (name PRINCIPAL WORD...): names of a principal (RFC 2693, 4) */
    WRN_SPKI_SUBJECT_THRESHOLD, /* (k-of-n K N SUBJECT...) */
    WRN_SPKI_SUBJECT_OBJECT, /* (object-hash ...), (keyholder ...): shown, never granted anything */
};

struct wrn_spki_subject {
    enum wrn_spki_subject_kind kind;
    struct wrn_sexp sexp;
    struct wrn_spki_principal principal;     /* PRINCIPAL; NAME: whose namespace */
    wrn_span names[WRN_SPKI_NAME_PARTS_MAX]; /* NAME */
    size_t name_count;
    uint32_t k, n; /* THRESHOLD: 1 <= k <= n <= WRN_SPKI_THRESHOLD_MAX */
    struct wrn_sexp parts[WRN_SPKI_THRESHOLD_MAX];
};

/* ---- Certificates */

enum wrn_spki_delegation {
    WRN_SPKI_NOT_DELEGABLE,
    WRN_SPKI_DELEGABLE,    /* (propagate) */
    WRN_SPKI_DELEGABLE_TO, /* (propagate (only PRINCIPAL...)), ours: the subject may pass it on only
                            * to these, and they may not pass it on. Foreign readers refuse it. */
};

/* A certificate or an entry of an ACL, as views of its bytes. */
struct wrn_spki_cert {
    struct wrn_sexp sexp; /* all of it: what is signed and hashed */
    bool is_acl_entry;    /* the issuer is the verifier himself */
    struct wrn_spki_principal issuer;
    wrn_span issuer_name; /* name certificate: the name it defines. 'data' NULL: none */
    struct wrn_spki_subject subject;
    enum wrn_spki_delegation delegation;
    struct wrn_spki_principal only[WRN_SPKI_THRESHOLD_MAX];
    size_t only_count;
    struct wrn_sexp tag; /* inside `(tag ...)`; an empty span in a name certificate */
    struct wrn_spki_validity validity;
    struct wrn_sexp online; /* (online ...), for wrn_spki_read_online; an empty span if none */
    wrn_span comment;       /* empty if none */
};

enum wrn_spki_fault {
    WRN_SPKI_OK,
    WRN_SPKI_NOT_THIS_OBJECT, /* the list has another name */
    WRN_SPKI_BAD_VERSION,
    WRN_SPKI_BAD_ISSUER,
    WRN_SPKI_BAD_SUBJECT,
    WRN_SPKI_BAD_THRESHOLD,
    WRN_SPKI_BAD_PROPAGATE,
    WRN_SPKI_BAD_TAG,
    WRN_SPKI_BAD_VALIDITY, /* no such date, or nothing between the two */
    WRN_SPKI_BAD_KEY,      /* not 32 bytes, or not sound (wrn_sign_public_is_sound) */
    WRN_SPKI_BAD_HASH,
    WRN_SPKI_BAD_SIGNATURE_OBJECT,
    WRN_SPKI_BAD_CRL,
    WRN_SPKI_UNKNOWN_FIELD, /* or one that is in the wrong place or there twice */
    WRN_SPKI_MISSING_FIELD,
    WRN_SPKI_BAD_ONLINE,
    WRN_SPKI_BAD_REVAL,
};

/* Says what a fault is, as a clause without a full stop. Static text. */
const char *wrn_spki_fault_text(enum wrn_spki_fault fault);

struct wrn_spki_error {
    enum wrn_spki_fault fault;
    struct wrn_sexp at; /* the offending part, borrowed; the whole object if something is missing */
};

/* Each reads one object; views borrow its bytes. 'ret_error' may be NULL. Return 0 or
 * WRN_ERR_MALFORMED and why. A subject is read without `(subject ...)`; the parts of a
 * threshold are checked too, thresholds within thresholds included. In STUDY a name may have
 * no principal: 'sexp' of its principal is empty then, and in a certificate that of the
 * issuer. */
WRN_NODISCARD int wrn_spki_read_principal(struct wrn_sexp sexp, enum wrn_spki_mode mode,
                                          struct wrn_spki_principal *ret,
                                          struct wrn_spki_error *ret_error);
WRN_NODISCARD int wrn_spki_read_subject(struct wrn_sexp sexp, enum wrn_spki_mode mode,
                                        struct wrn_spki_subject *ret,
                                        struct wrn_spki_error *ret_error);
WRN_NODISCARD int wrn_spki_read_cert(struct wrn_sexp sexp, enum wrn_spki_mode mode,
                                     struct wrn_spki_cert *ret, struct wrn_spki_error *ret_error);

/* The same for an (entry ...) of an ACL. */
WRN_NODISCARD int wrn_spki_read_entry(struct wrn_sexp sexp, enum wrn_spki_mode mode,
                                      struct wrn_spki_cert *ret, struct wrn_spki_error *ret_error);

/* What a certificate demands to be looked up: (online crl|reval|one-time (uri ...) PRINCIPAL
 * ...). */
enum wrn_spki_online_kind {
    WRN_SPKI_ONLINE_CRL,
    WRN_SPKI_ONLINE_REVAL,
    WRN_SPKI_ONLINE_ONE_TIME,
};

struct wrn_spki_online {
    enum wrn_spki_online_kind kind;
    struct wrn_spki_principal principal; /* who signs the answer */
};

/* Reads the 'online' of a certificate. Returns as above. Source: RFC 2693, section 5.2. */
WRN_NODISCARD int wrn_spki_read_online(struct wrn_sexp sexp, enum wrn_spki_mode mode,
                                       struct wrn_spki_online *ret,
                                       struct wrn_spki_error *ret_error);

/* (signature (hash sha256 H) PRINCIPAL (ed25519 BYTES64)): H is of the signed object's canonical
 * bytes. */
struct wrn_spki_signature {
    struct wrn_sexp sexp;
    const uint8_t *object_hash; /* 32 bytes */
    struct wrn_spki_principal signer;
    const uint8_t *value; /* WRN_SIGNATURE_SIZE bytes */
};

/* Reads a signature. Returns as above. Does not verify it. */
WRN_NODISCARD int wrn_spki_read_signature(struct wrn_sexp sexp, struct wrn_spki_signature *ret,
                                          struct wrn_spki_error *ret_error);

/* (crl (version 0)? (issuer P) (canceled (hash sha256 H)...) (valid ...)), signed by P like a
 * certificate. RFC 2693 (section 5.2) leaves out the issuer; we demand it, so that a list says
 * whose it is. Cumulative: a later one (greater not-before, which it must have) of one issuer
 * replaces an earlier one, and must not name less. */
struct wrn_spki_crl {
    struct wrn_sexp sexp;
    struct wrn_spki_principal issuer;
    struct wrn_sexp_cursor canceled; /* its hashes, checked: take with wrn_spki_next_canceled */
    size_t count;
    struct wrn_spki_validity validity;
};

/* Reads a CRL. Returns as above. */
WRN_NODISCARD int wrn_spki_read_crl(struct wrn_sexp sexp, struct wrn_spki_crl *ret,
                                    struct wrn_spki_error *ret_error);

/* Takes the next canceled hash, 32 bytes borrowed from the list; false at the end. Changes only
 * 'canceled': copy the structure to begin again. */
bool wrn_spki_next_canceled(struct wrn_spki_crl *crl, const uint8_t **ret_hash);

/* (reval (version 0)? (issuer P) (cert (hash sha256 H)) (valid ...)), signed by P: he says
 * that the certificate with this hash is good within this time. Source: RFC 2693, section 5.2;
 * the issuer as for a CRL. */
struct wrn_spki_reval {
    struct wrn_sexp sexp;
    struct wrn_spki_principal issuer;
    const uint8_t *cert_hash; /* 32 bytes */
    struct wrn_spki_validity validity;
};

/* Reads a revalidation. Returns as above. */
WRN_NODISCARD int wrn_spki_read_reval(struct wrn_sexp sexp, struct wrn_spki_reval *ret,
                                      struct wrn_spki_error *ret_error);

/* Makes the hash by which an object is signed and revoked: SHA-256 of its canonical bytes. */
void wrn_spki_hash(struct wrn_sexp object, uint8_t ret_hash[WRN_SHA256_SIZE]);

/* Verifies that 'signature' is over 'object' (its hash too) and was made with 'key', which is the
 * signature's signer or has its hash: the caller knows. The label of Ed25519 follows from the
 * object's name (docs/certificates.md); false for an object that nobody signs. Costs one
 * verification. */
WRN_NODISCARD bool wrn_spki_verify(const struct wrn_spki_signature *signature,
                                   struct wrn_sexp object, const uint8_t key[WRN_SIGN_PUBLIC_SIZE]);

/* ---- Writing. What these write, the readers above read, in strict mode. */

struct wrn_spki_issue {
    struct wrn_sexp issuer;  /* a principal; not looked at for an entry */
    wrn_span issuer_name;    /* or empty */
    struct wrn_sexp subject; /* without `(subject ...)` */
    enum wrn_spki_delegation delegation;
    const struct wrn_sexp *only; /* DELEGABLE_TO: principals, 1..WRN_SPKI_THRESHOLD_MAX */
    size_t only_count;
    struct wrn_sexp tag; /* without `(tag ...)`; empty in a name certificate */
    struct wrn_spki_validity validity;
    struct wrn_sexp online; /* or empty */
    wrn_span comment;       /* or empty */
};

/* Writes (cert ...), or an ACL's (entry ...) if 'is_entry'. The parts must be what they are
 * called: read them before, or read the result. */
void wrn_spki_write_cert(struct wrn_sexp_writer *out, const struct wrn_spki_issue *issue,
                         bool is_entry);

/* Writes (crl ...) of 'count' hashes of WRN_SHA256_SIZE bytes each, one after the other. The
 * validity must have a not-before. */
void wrn_spki_write_crl(struct wrn_sexp_writer *out, struct wrn_sexp issuer, const uint8_t *hashes,
                        size_t count, const struct wrn_spki_validity *validity);

/* Writes (reval ...) for the certificate with this hash. */
void wrn_spki_write_reval(struct wrn_sexp_writer *out, struct wrn_sexp issuer,
                          const uint8_t cert_hash[WRN_SHA256_SIZE],
                          const struct wrn_spki_validity *validity);

/* Writes the (signature ...) of an object with this hash, whose value is known already. */
void wrn_spki_write_signature(struct wrn_sexp_writer *out, const uint8_t hash[WRN_SHA256_SIZE],
                              const uint8_t key[WRN_SIGN_PUBLIC_SIZE],
                              const uint8_t value[WRN_SIGNATURE_SIZE]);

/* Signs an object: writes (signature ...) with the key as its signer. False for an object that
 * nobody signs, and for want of memory; nothing is written then. */
WRN_NODISCARD bool wrn_spki_sign(struct wrn_sexp_writer *out, struct wrn_sexp object,
                                 const uint8_t seed[WRN_SEED_SIZE]);
