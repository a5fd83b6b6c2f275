/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates and entries of ACLs: reads them field by field, in the order of the grammar. */
#include "spki/cert.h"
#include "spki/fields.h"
#include "spki/tag.h"
#include "spki/tag_walk.h"

static int read_issuer(struct wrn_sexp sexp, enum wrn_spki_mode mode, struct wrn_spki_cert *ret,
                       struct wrn_spki_error *ret_error);
static int read_rest(struct wrn_sexp_cursor fields, enum wrn_spki_mode mode,
                     struct wrn_spki_cert *ret, struct wrn_spki_error *ret_error);
static void skip_optional(struct wrn_sexp_cursor *fields, const char *name);
static int take_propagate(struct wrn_sexp_cursor *fields, enum wrn_spki_mode mode,
                          struct wrn_spki_cert *ret, struct wrn_spki_error *ret_error);
static bool read_only(struct wrn_sexp_cursor propagate, enum wrn_spki_mode mode,
                      struct wrn_spki_cert *ret);
static int take_tag(struct wrn_sexp_cursor *fields, enum wrn_spki_mode mode,
                    struct wrn_spki_cert *ret, struct wrn_spki_error *ret_error);
static int take_comment(struct wrn_sexp_cursor *fields, wrn_span *ret_comment,
                        struct wrn_spki_error *ret_error);

const char *wrn_spki_fault_text(enum wrn_spki_fault fault) {
    static const char *const texts[] = {
        [WRN_SPKI_OK] = "nothing is wrong",
        [WRN_SPKI_NOT_THIS_OBJECT] = "it is another kind of object",
        [WRN_SPKI_BAD_VERSION] = "the version is not 0",
        [WRN_SPKI_BAD_ISSUER] = "the issuer is neither a principal nor one name of one",
        [WRN_SPKI_BAD_SUBJECT] = "the subject is no principal, name, threshold or object",
        [WRN_SPKI_BAD_THRESHOLD] = "a threshold is (k-of-n K N SUBJECT...), 1 <= K <= N <= 16, "
                                   "with N subjects that can act",
        [WRN_SPKI_BAD_PROPAGATE] = "it is neither (propagate) nor (propagate (only PRINCIPAL...)) "
                                   "with 1 to 16 principals",
        [WRN_SPKI_BAD_TAG] = "it is no tag",
        [WRN_SPKI_BAD_VALIDITY] = "a validity has dates YYYY-MM-DD_hh:mm:ss that exist, the "
                                  "not-before first and not later than the not-after",
        [WRN_SPKI_BAD_KEY] = "a key is (public-key (ed25519 BYTES)) with 32 sound bytes",
        [WRN_SPKI_BAD_HASH] = "a hash is (hash sha256 BYTES) with 32 bytes",
        [WRN_SPKI_BAD_SIGNATURE_OBJECT] =
            "a signature is (signature HASH PRINCIPAL (ed25519 BYTES)) with 64 bytes",
        [WRN_SPKI_BAD_CRL] = "a CRL is valid from a date on, and demands nothing online",
        [WRN_SPKI_UNKNOWN_FIELD] = "a field is unknown, in the wrong place or there twice",
        [WRN_SPKI_MISSING_FIELD] = "a field is missing",
        [WRN_SPKI_BAD_ONLINE] = "it is not (online crl|reval|one-time (uri ...) PRINCIPAL ...)",
        [WRN_SPKI_BAD_REVAL] = "a revalidation is of (cert HASH), valid up to a date, and demands "
                               "nothing online",
    };
    return texts[fault];
}

int wrn_spki_read_cert(struct wrn_sexp sexp, enum wrn_spki_mode mode, struct wrn_spki_cert *ret,
                       struct wrn_spki_error *ret_error) {
    struct wrn_sexp_cursor fields;
    struct wrn_sexp issuer;
    *ret = (struct wrn_spki_cert){.sexp = sexp};
    if (!wrn_sexp_enter_named(sexp, "cert", &fields)) {
        return wrn_spki_fail(ret_error, WRN_SPKI_NOT_THIS_OBJECT, sexp);
    }
    if (wrn_spki_take_version(&fields, ret_error) != 0) {
        return WRN_ERR_MALFORMED;
    }
    skip_optional(&fields, "display");
    if (wrn_spki_take_field(&fields, "issuer", sexp, WRN_SPKI_BAD_ISSUER, &issuer, ret_error) !=
            0 ||
        read_issuer(issuer, mode, ret, ret_error) != 0) {
        return WRN_ERR_MALFORMED;
    }
    skip_optional(&fields, "issuer-info");
    return read_rest(fields, mode, ret, ret_error);
}

int wrn_spki_read_entry(struct wrn_sexp sexp, enum wrn_spki_mode mode, struct wrn_spki_cert *ret,
                        struct wrn_spki_error *ret_error) {
    struct wrn_sexp_cursor fields;
    *ret = (struct wrn_spki_cert){.sexp = sexp, .is_acl_entry = true};
    if (!wrn_sexp_enter_named(sexp, "entry", &fields)) {
        return wrn_spki_fail(ret_error, WRN_SPKI_NOT_THIS_OBJECT, sexp);
    }
    return read_rest(fields, mode, ret, ret_error);
}

/* Reads a principal, or the one name in its namespace that a name certificate defines. */
static int read_issuer(struct wrn_sexp sexp, enum wrn_spki_mode mode, struct wrn_spki_cert *ret,
                       struct wrn_spki_error *ret_error) {
    struct wrn_sexp_cursor name;
    struct wrn_sexp principal = sexp;
    if (wrn_sexp_enter_named(sexp, "name", &name)) {
        if (!wrn_sexp_take_any(&name, &principal) ||
            !wrn_sexp_take_atom(&name, &ret->issuer_name) || ret->issuer_name.size == 0 ||
            !wrn_sexp_at_end(&name)) {
            return wrn_spki_fail(ret_error, WRN_SPKI_BAD_ISSUER, sexp);
        }
    }
    return wrn_spki_read_party(principal, mode, WRN_SPKI_BAD_ISSUER, &ret->issuer, ret_error);
}

/* Reads what certificates and entries have in common: from the subject to the end. */
static int read_rest(struct wrn_sexp_cursor fields, enum wrn_spki_mode mode,
                     struct wrn_spki_cert *ret, struct wrn_spki_error *ret_error) {
    struct wrn_sexp subject;
    bool is_name_cert = ret->issuer_name.data != NULL;
    if (wrn_spki_take_field(&fields, "subject", ret->sexp, WRN_SPKI_BAD_SUBJECT, &subject,
                            ret_error) != 0 ||
        wrn_spki_read_subject(subject, mode, &ret->subject, ret_error) != 0) {
        return WRN_ERR_MALFORMED;
    }
    if (ret->subject.kind == WRN_SPKI_SUBJECT_NAME && ret->subject.principal.sexp.bytes.size == 0) {
        ret->subject.principal = ret->issuer;
    }
    if (!ret->is_acl_entry) {
        skip_optional(&fields, "subject-info");
    }
    /* A name certificate permits nothing of itself. */
    if (!is_name_cert && (take_propagate(&fields, mode, ret, ret_error) != 0 ||
                          take_tag(&fields, mode, ret, ret_error) != 0)) {
        return WRN_ERR_MALFORMED;
    }
    if (wrn_spki_take_validity(&fields, mode, ret->sexp, &ret->validity, &ret->online, ret_error) !=
        0) {
        return WRN_ERR_MALFORMED;
    }
    struct wrn_spki_online online;
    if (ret->online.bytes.size > 0 &&
        wrn_spki_read_online(ret->online, mode, &online, ret_error) != 0) {
        return WRN_ERR_MALFORMED;
    }
    int result = take_comment(&fields, &ret->comment, ret_error);
    return result == 0 ? wrn_spki_take_end(&fields, ret_error) : result;
}

/* Passes over a field that says nothing about what is permitted. */
static void skip_optional(struct wrn_sexp_cursor *fields, const char *name) {
    struct wrn_sexp_cursor inner;
    (void)wrn_sexp_take_named(fields, name, &inner);
}

static int take_propagate(struct wrn_sexp_cursor *fields, enum wrn_spki_mode mode,
                          struct wrn_spki_cert *ret, struct wrn_spki_error *ret_error) {
    struct wrn_sexp_cursor behind = *fields, inner;
    struct wrn_sexp field;
    if (!wrn_sexp_take_any(&behind, &field) || !wrn_sexp_enter_named(field, "propagate", &inner)) {
        return 0;
    }
    ret->delegation = WRN_SPKI_DELEGABLE;
    if (!wrn_sexp_at_end(&inner)) {
        ret->delegation = WRN_SPKI_DELEGABLE_TO;
        if (!read_only(inner, mode, ret)) {
            return wrn_spki_fail(ret_error, WRN_SPKI_BAD_PROPAGATE, field);
        }
    }
    *fields = behind;
    return 0;
}

/* Reads (only PRINCIPAL...), and nothing else. */
static bool read_only(struct wrn_sexp_cursor propagate, enum wrn_spki_mode mode,
                      struct wrn_spki_cert *ret) {
    struct wrn_sexp_cursor only;
    struct wrn_sexp principal;
    if (!wrn_sexp_take_named(&propagate, "only", &only) || !wrn_sexp_at_end(&propagate)) {
        return false;
    }
    while (ret->only_count < WRN_SPKI_THRESHOLD_MAX && wrn_sexp_take_any(&only, &principal)) {
        if (wrn_spki_read_principal(principal, mode, &ret->only[ret->only_count], NULL) != 0) {
            return false;
        }
        ret->only_count++;
    }
    return ret->only_count > 0 && wrn_sexp_at_end(&only);
}

static int take_tag(struct wrn_sexp_cursor *fields, enum wrn_spki_mode mode,
                    struct wrn_spki_cert *ret, struct wrn_spki_error *ret_error) {
    struct wrn_sexp_cursor next = *fields, inner;
    if (mode == WRN_SPKI_STUDY && !wrn_sexp_take_named(&next, "tag", &inner)) {
        ret->tag = wrn_tag_any();
        return 0;
    }
    struct wrn_sexp at;
    if (wrn_spki_take_field(fields, "tag", ret->sexp, WRN_SPKI_BAD_TAG, &ret->tag, ret_error) !=
        0) {
        return WRN_ERR_MALFORMED;
    }
    return wrn_tag_check(ret->tag, &at) == WRN_TAG_OK
               ? 0
               : wrn_spki_fail(ret_error, WRN_SPKI_BAD_TAG, at);
}

static int take_comment(struct wrn_sexp_cursor *fields, wrn_span *ret_comment,
                        struct wrn_spki_error *ret_error) {
    struct wrn_sexp_cursor behind = *fields, inner;
    struct wrn_sexp field, text;
    if (!wrn_sexp_take_any(&behind, &field) || !wrn_sexp_enter_named(field, "comment", &inner)) {
        return 0;
    }
    if (!wrn_sexp_take_any(&inner, &text) || wrn_sexp_is_list(text) || !wrn_sexp_at_end(&inner)) {
        return wrn_spki_fail(ret_error, WRN_SPKI_UNKNOWN_FIELD, field);
    }
    *ret_comment = wrn_sexp_atom(text);
    *fields = behind;
    return 0;
}
