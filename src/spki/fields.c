/* SPDX-License-Identifier: Apache-2.0 */
/* Fields that several of the objects have: version, validity, hashes, and those with one part. */
#include "spki/fields.h"

static bool is_later(struct wrn_sexp_cursor object, const char *name);
static int take_date(struct wrn_sexp_cursor *fields, const char *name, enum wrn_spki_mode mode,
                     wrn_spki_date *ret_date, struct wrn_spki_error *ret_error);

int wrn_spki_fail(struct wrn_spki_error *ret_error, enum wrn_spki_fault fault, struct wrn_sexp at) {
    if (ret_error != NULL) {
        *ret_error = (struct wrn_spki_error){fault, at};
    }
    return WRN_ERR_MALFORMED;
}

int wrn_spki_take_version(struct wrn_sexp_cursor *object, struct wrn_spki_error *ret_error) {
    struct wrn_sexp_cursor behind = *object, inner;
    struct wrn_sexp version;
    if (!wrn_sexp_take_any(&behind, &version) ||
        !wrn_sexp_enter_named(version, "version", &inner)) {
        return 0;
    }
    if (!wrn_sexp_take_word(&inner, "0") || !wrn_sexp_at_end(&inner)) {
        return wrn_spki_fail(ret_error, WRN_SPKI_BAD_VERSION, version);
    }
    *object = behind;
    return 0;
}

int wrn_spki_take_field(struct wrn_sexp_cursor *object, const char *name, struct wrn_sexp whole,
                        enum wrn_spki_fault fault, struct wrn_sexp *ret_part,
                        struct wrn_spki_error *ret_error) {
    struct wrn_sexp_cursor behind = *object, inner;
    struct wrn_sexp field = {{NULL, 0}};
    bool is_there = wrn_sexp_take_any(&behind, &field);
    if (!is_there || !wrn_sexp_enter_named(field, name, &inner)) {
        return is_there && is_later(behind, name)
                   ? wrn_spki_fail(ret_error, WRN_SPKI_UNKNOWN_FIELD, field)
                   : wrn_spki_fail(ret_error, WRN_SPKI_MISSING_FIELD, whole);
    }
    if (!wrn_sexp_take_any(&inner, ret_part) || !wrn_sexp_at_end(&inner)) {
        return wrn_spki_fail(ret_error, fault, field);
    }
    *object = behind;
    return 0;
}

int wrn_spki_take_validity(struct wrn_sexp_cursor *object, enum wrn_spki_mode mode,
                           struct wrn_sexp whole, struct wrn_spki_validity *ret_validity,
                           struct wrn_sexp *ret_online, struct wrn_spki_error *ret_error) {
    struct wrn_sexp_cursor behind = *object, inner, online;
    struct wrn_sexp valid = {{NULL, 0}};
    struct wrn_spki_validity validity = {{NULL, 0}, {NULL, 0}};
    bool is_list =
        wrn_sexp_take_any(&behind, &valid) && wrn_sexp_enter_named(valid, "valid", &inner);
    struct wrn_sexp_cursor *dates = is_list ? &inner : object;
    *ret_online = (struct wrn_sexp){{NULL, 0}};
    if (is_list || mode == WRN_SPKI_STUDY) {
        if (take_date(dates, "not-before", mode, &validity.not_before, ret_error) != 0 ||
            take_date(dates, "not-after", mode, &validity.not_after, ret_error) != 0) {
            return WRN_ERR_MALFORMED;
        }
    }
    if (is_list) {
        struct wrn_sexp_cursor at_online = inner;
        if (wrn_sexp_take_named(&inner, "online", &online)) {
            bool is_there = wrn_sexp_take_any(&at_online, ret_online);
            WRN_ASSERT(is_there);
        }
        if (!wrn_sexp_at_end(&inner)) {
            return wrn_spki_fail(ret_error, WRN_SPKI_BAD_VALIDITY, valid);
        }
        *object = behind;
    }
    if (validity.not_before.size > 0 && validity.not_after.size > 0 &&
        wrn_spki_date_compare(validity.not_before, validity.not_after) > 0) {
        return wrn_spki_fail(ret_error, WRN_SPKI_BAD_VALIDITY, is_list ? valid : whole);
    }
    *ret_validity = validity;
    return 0;
}

int wrn_spki_take_end(struct wrn_sexp_cursor *object, struct wrn_spki_error *ret_error) {
    struct wrn_sexp unknown;
    return wrn_sexp_take_any(object, &unknown)
               ? wrn_spki_fail(ret_error, WRN_SPKI_UNKNOWN_FIELD, unknown)
               : 0;
}

int wrn_spki_read_party(struct wrn_sexp sexp, enum wrn_spki_mode mode, enum wrn_spki_fault fault,
                        struct wrn_spki_principal *ret, struct wrn_spki_error *ret_error) {
    struct wrn_spki_error error = {WRN_SPKI_OK, sexp};
    if (wrn_spki_read_principal(sexp, mode, ret, &error) == 0) {
        return 0;
    }
    bool is_other = error.fault == WRN_SPKI_NOT_THIS_OBJECT;
    return wrn_spki_fail(ret_error, is_other ? fault : error.fault, error.at);
}

const uint8_t *wrn_spki_hash_bytes(struct wrn_sexp hash) {
    struct wrn_sexp_cursor inner;
    wrn_span bytes;
    bool is_one = wrn_sexp_enter_named(hash, "hash", &inner) &&
                  wrn_sexp_take_word(&inner, "sha256") && wrn_sexp_take_atom(&inner, &bytes) &&
                  wrn_sexp_at_end(&inner) && bytes.size == WRN_SHA256_SIZE;
    return is_one ? bytes.data : NULL;
}

/* Tells whether a field of this name still comes. */
static bool is_later(struct wrn_sexp_cursor object, const char *name) {
    struct wrn_sexp field;
    while (wrn_sexp_take_any(&object, &field)) {
        if (wrn_sexp_is_named(field, name)) {
            return true;
        }
    }
    return false;
}

/* Takes an optional (NAME DATE). */
static int take_date(struct wrn_sexp_cursor *fields, const char *name, enum wrn_spki_mode mode,
                     wrn_spki_date *ret_date, struct wrn_spki_error *ret_error) {
    struct wrn_sexp_cursor behind = *fields, inner;
    struct wrn_sexp field;
    wrn_spki_date date;
    int64_t s;
    if (!wrn_sexp_take_any(&behind, &field) || !wrn_sexp_enter_named(field, name, &inner)) {
        return 0;
    }
    if (!wrn_sexp_take_atom(&inner, &date) || !wrn_sexp_at_end(&inner) ||
        !(mode == WRN_SPKI_STUDY ? wrn_spki_date_is_loose(date) : wrn_spki_date_read(date, &s))) {
        return wrn_spki_fail(ret_error, WRN_SPKI_BAD_VALIDITY, field);
    }
    *ret_date = date;
    *fields = behind;
    return 0;
}
