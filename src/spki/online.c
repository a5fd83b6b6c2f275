/* SPDX-License-Identifier: Apache-2.0 */
/* What certificates demand to be looked up, and the answers: lists of what is revoked, and
 * revalidations. */
#include "spki/fields.h"

static int take_issuer(struct wrn_sexp_cursor *fields, struct wrn_sexp whole,
                       struct wrn_spki_principal *ret, struct wrn_spki_error *ret_error);
static bool are_hashes(struct wrn_sexp_cursor list, size_t *ret_count,
                       struct wrn_spki_error *ret_error);

int wrn_spki_read_online(struct wrn_sexp sexp, enum wrn_spki_mode mode, struct wrn_spki_online *ret,
                         struct wrn_spki_error *ret_error) {
    static const char *const kinds[] = {
        [WRN_SPKI_ONLINE_CRL] = "crl",
        [WRN_SPKI_ONLINE_REVAL] = "reval",
        [WRN_SPKI_ONLINE_ONE_TIME] = "one-time",
    };
    struct wrn_sexp_cursor fields, uris;
    struct wrn_sexp principal;
    size_t kind = 0;
    if (!wrn_sexp_enter_named(sexp, "online", &fields)) {
        return wrn_spki_fail(ret_error, WRN_SPKI_NOT_THIS_OBJECT, sexp);
    }
    while (kind < WRN_COUNT(kinds) && !wrn_sexp_take_word(&fields, kinds[kind])) {
        kind++;
    }
    if (kind == WRN_COUNT(kinds)) {
        return wrn_spki_fail(ret_error, WRN_SPKI_BAD_ONLINE, sexp);
    }
    ret->kind = (enum wrn_spki_online_kind)kind;
    (void)wrn_sexp_take_named(&fields, "uri", &uris);
    if (!wrn_sexp_take_any(&fields, &principal)) {
        return wrn_spki_fail(ret_error, WRN_SPKI_BAD_ONLINE, sexp);
    }
    /* What follows the principal goes to whoever is asked, not to us. */
    return wrn_spki_read_party(principal, mode, WRN_SPKI_BAD_ONLINE, &ret->principal, ret_error);
}

int wrn_spki_read_crl(struct wrn_sexp sexp, struct wrn_spki_crl *ret,
                      struct wrn_spki_error *ret_error) {
    struct wrn_sexp_cursor fields, behind;
    struct wrn_sexp list, online;
    *ret = (struct wrn_spki_crl){.sexp = sexp};
    if (!wrn_sexp_enter_named(sexp, "crl", &fields)) {
        return wrn_spki_fail(ret_error, WRN_SPKI_NOT_THIS_OBJECT, sexp);
    }
    if (wrn_spki_take_version(&fields, ret_error) != 0 ||
        take_issuer(&fields, sexp, &ret->issuer, ret_error) != 0) {
        return WRN_ERR_MALFORMED;
    }
    behind = fields;
    if (!wrn_sexp_take_any(&behind, &list)) {
        return wrn_spki_fail(ret_error, WRN_SPKI_MISSING_FIELD, sexp);
    }
    if (!wrn_sexp_enter_named(list, "canceled", &ret->canceled)) {
        return wrn_spki_fail(ret_error, WRN_SPKI_UNKNOWN_FIELD, list);
    }
    if (!are_hashes(ret->canceled, &ret->count, ret_error) ||
        wrn_spki_take_validity(&behind, WRN_SPKI_STRICT, sexp, &ret->validity, &online,
                               ret_error) != 0 ||
        wrn_spki_take_end(&behind, ret_error) != 0) {
        return WRN_ERR_MALFORMED;
    }
    if (ret->validity.not_before.size == 0 || online.bytes.size > 0) {
        return wrn_spki_fail(ret_error, WRN_SPKI_BAD_CRL, sexp);
    }
    return 0;
}

bool wrn_spki_next_canceled(struct wrn_spki_crl *crl, const uint8_t **ret_hash) {
    struct wrn_sexp hash;
    if (!wrn_sexp_take_any(&crl->canceled, &hash)) {
        return false;
    }
    *ret_hash = wrn_spki_hash_bytes(hash);
    WRN_ASSERT(*ret_hash != NULL);
    return true;
}

int wrn_spki_read_reval(struct wrn_sexp sexp, struct wrn_spki_reval *ret,
                        struct wrn_spki_error *ret_error) {
    struct wrn_sexp_cursor fields;
    struct wrn_sexp hash, online;
    *ret = (struct wrn_spki_reval){.sexp = sexp};
    if (!wrn_sexp_enter_named(sexp, "reval", &fields)) {
        return wrn_spki_fail(ret_error, WRN_SPKI_NOT_THIS_OBJECT, sexp);
    }
    if (wrn_spki_take_version(&fields, ret_error) != 0 ||
        take_issuer(&fields, sexp, &ret->issuer, ret_error) != 0 ||
        wrn_spki_take_field(&fields, "cert", sexp, WRN_SPKI_BAD_REVAL, &hash, ret_error) != 0) {
        return WRN_ERR_MALFORMED;
    }
    ret->cert_hash = wrn_spki_hash_bytes(hash);
    if (ret->cert_hash == NULL) {
        return wrn_spki_fail(ret_error, WRN_SPKI_BAD_HASH, hash);
    }
    if (wrn_spki_take_validity(&fields, WRN_SPKI_STRICT, sexp, &ret->validity, &online,
                               ret_error) != 0 ||
        wrn_spki_take_end(&fields, ret_error) != 0) {
        return WRN_ERR_MALFORMED;
    }
    if (ret->validity.not_after.size == 0 || online.bytes.size > 0) {
        return wrn_spki_fail(ret_error, WRN_SPKI_BAD_REVAL, sexp);
    }
    return 0;
}

/* Takes (issuer P). */
static int take_issuer(struct wrn_sexp_cursor *fields, struct wrn_sexp whole,
                       struct wrn_spki_principal *ret, struct wrn_spki_error *ret_error) {
    struct wrn_sexp issuer;
    if (wrn_spki_take_field(fields, "issuer", whole, WRN_SPKI_BAD_ISSUER, &issuer, ret_error) !=
        0) {
        return WRN_ERR_MALFORMED;
    }
    return wrn_spki_read_party(issuer, WRN_SPKI_STRICT, WRN_SPKI_BAD_ISSUER, ret, ret_error);
}

static bool are_hashes(struct wrn_sexp_cursor list, size_t *ret_count,
                       struct wrn_spki_error *ret_error) {
    struct wrn_sexp hash;
    size_t count = 0;
    while (wrn_sexp_take_any(&list, &hash)) {
        if (wrn_spki_hash_bytes(hash) == NULL) {
            return wrn_spki_fail(ret_error, WRN_SPKI_BAD_HASH, hash) == 0;
        }
        count++;
    }
    *ret_count = count;
    return true;
}
