/* SPDX-License-Identifier: Apache-2.0 */
/* Who a certificate speaks of: reads principals, names and thresholds. */
#include "spki/fields.h"

static int read_key(struct wrn_sexp sexp, struct wrn_sexp_cursor key, enum wrn_spki_mode mode,
                    struct wrn_spki_principal *ret, struct wrn_spki_error *ret_error);
static bool is_study_hash(struct wrn_sexp_cursor hash);
static int read_level(struct wrn_sexp sexp, enum wrn_spki_mode mode, struct wrn_spki_subject *ret,
                      struct wrn_spki_error *ret_error);
static int read_name(struct wrn_sexp sexp, struct wrn_sexp_cursor name, enum wrn_spki_mode mode,
                     struct wrn_spki_subject *ret, struct wrn_spki_error *ret_error);
static int read_threshold(struct wrn_sexp sexp, struct wrn_sexp_cursor threshold,
                          enum wrn_spki_mode mode, struct wrn_spki_subject *ret,
                          struct wrn_spki_error *ret_error);
static bool take_count(struct wrn_sexp_cursor *threshold, enum wrn_spki_mode mode,
                       uint32_t *ret_count);
static int read_parts(const struct wrn_spki_subject *threshold, enum wrn_spki_mode mode,
                      struct wrn_spki_error *ret_error);

int wrn_spki_read_principal(struct wrn_sexp sexp, enum wrn_spki_mode mode,
                            struct wrn_spki_principal *ret, struct wrn_spki_error *ret_error) {
    struct wrn_sexp_cursor inner;
    *ret = (struct wrn_spki_principal){.sexp = sexp};
    if (wrn_sexp_enter_named(sexp, "public-key", &inner)) {
        return read_key(sexp, inner, mode, ret, ret_error);
    }
    if (!wrn_sexp_enter_named(sexp, "hash", &inner)) {
        return wrn_spki_fail(ret_error, WRN_SPKI_NOT_THIS_OBJECT, sexp);
    }
    bool is_hash =
        wrn_spki_hash_bytes(sexp) != NULL || (mode == WRN_SPKI_STUDY && is_study_hash(inner));
    return is_hash ? 0 : wrn_spki_fail(ret_error, WRN_SPKI_BAD_HASH, sexp);
}

int wrn_spki_read_subject(struct wrn_sexp sexp, enum wrn_spki_mode mode,
                          struct wrn_spki_subject *ret, struct wrn_spki_error *ret_error) {
    int result = read_level(sexp, mode, ret, ret_error);
    if (result == 0 && ret->kind == WRN_SPKI_SUBJECT_THRESHOLD) {
        result = read_parts(ret, mode, ret_error);
    }
    return result;
}

/* Reads (ed25519 BYTES32); in STUDY everything is a key, and that one known by its form. */
static int read_key(struct wrn_sexp sexp, struct wrn_sexp_cursor key, enum wrn_spki_mode mode,
                    struct wrn_spki_principal *ret, struct wrn_spki_error *ret_error) {
    struct wrn_sexp_cursor inner;
    wrn_span bytes;
    ret->is_key = true;
    bool is_ours = wrn_sexp_take_named(&key, "ed25519", &inner) && wrn_sexp_at_end(&key) &&
                   wrn_sexp_take_atom(&inner, &bytes) && wrn_sexp_at_end(&inner) &&
                   bytes.size == WRN_SIGN_PUBLIC_SIZE && wrn_sign_public_is_sound(bytes.data);
    if (is_ours) {
        ret->ed25519 = bytes.data;
    }
    return is_ours || mode == WRN_SPKI_STUDY ? 0 : wrn_spki_fail(ret_error, WRN_SPKI_BAD_KEY, sexp);
}

/* md5 and sha1, with which old certificates name keys. */
static bool is_study_hash(struct wrn_sexp_cursor hash) {
    wrn_span bytes;
    size_t size = wrn_sexp_take_word(&hash, "md5")    ? WRN_MD5_SIZE
                  : wrn_sexp_take_word(&hash, "sha1") ? WRN_SHA1_SIZE
                                                      : 0;
    return size > 0 && wrn_sexp_take_atom(&hash, &bytes) && wrn_sexp_at_end(&hash) &&
           bytes.size == size;
}

/* Reads a subject, of a threshold not what its parts are. */
static int read_level(struct wrn_sexp sexp, enum wrn_spki_mode mode, struct wrn_spki_subject *ret,
                      struct wrn_spki_error *ret_error) {
    struct wrn_sexp_cursor inner;
    struct wrn_sexp part;
    *ret = (struct wrn_spki_subject){.kind = WRN_SPKI_SUBJECT_OBJECT, .sexp = sexp};
    if (wrn_sexp_enter_named(sexp, "name", &inner)) {
        return read_name(sexp, inner, mode, ret, ret_error);
    }
    if (wrn_sexp_enter_named(sexp, "k-of-n", &inner)) {
        return read_threshold(sexp, inner, mode, ret, ret_error);
    }
    if (wrn_sexp_enter_named(sexp, "object-hash", &inner)) {
        bool is_hash = wrn_sexp_take_any(&inner, &part) && wrn_sexp_at_end(&inner) &&
                       wrn_spki_hash_bytes(part) != NULL;
        return is_hash ? 0 : wrn_spki_fail(ret_error, WRN_SPKI_BAD_SUBJECT, sexp);
    }
    if (wrn_sexp_enter_named(sexp, "keyholder", &inner)) {
        bool is_one =
            wrn_sexp_take_any(&inner, &part) && wrn_sexp_at_end(&inner) && wrn_sexp_is_list(part);
        return is_one ? 0 : wrn_spki_fail(ret_error, WRN_SPKI_BAD_SUBJECT, sexp);
    }
    ret->kind = WRN_SPKI_SUBJECT_PRINCIPAL;
    return wrn_spki_read_party(sexp, mode, WRN_SPKI_BAD_SUBJECT, &ret->principal, ret_error);
}

/* Reads (name PRINCIPAL WORD...). */
static int read_name(struct wrn_sexp sexp, struct wrn_sexp_cursor name, enum wrn_spki_mode mode,
                     struct wrn_spki_subject *ret, struct wrn_spki_error *ret_error) {
    struct wrn_sexp_cursor behind = name;
    struct wrn_sexp principal = {{NULL, 0}};
    ret->kind = WRN_SPKI_SUBJECT_NAME;
    if (wrn_sexp_take_any(&behind, &principal) && wrn_sexp_is_list(principal)) {
        name = behind;
        if (wrn_spki_read_party(principal, mode, WRN_SPKI_BAD_SUBJECT, &ret->principal,
                                ret_error) != 0) {
            return WRN_ERR_MALFORMED;
        }
    } else if (mode == WRN_SPKI_STRICT) {
        return wrn_spki_fail(ret_error, WRN_SPKI_BAD_SUBJECT, sexp);
    }
    while (ret->name_count < WRN_SPKI_NAME_PARTS_MAX &&
           wrn_sexp_take_atom(&name, &ret->names[ret->name_count]) &&
           ret->names[ret->name_count].size > 0) {
        ret->name_count++;
    }
    return ret->name_count > 0 && wrn_sexp_at_end(&name)
               ? 0
               : wrn_spki_fail(ret_error, WRN_SPKI_BAD_SUBJECT, sexp);
}

/* Reads (k-of-n K N SUBJECT...). */
static int read_threshold(struct wrn_sexp sexp, struct wrn_sexp_cursor threshold,
                          enum wrn_spki_mode mode, struct wrn_spki_subject *ret,
                          struct wrn_spki_error *ret_error) {
    ret->kind = WRN_SPKI_SUBJECT_THRESHOLD;
    if (!take_count(&threshold, mode, &ret->k) || !take_count(&threshold, mode, &ret->n) ||
        ret->k > ret->n) {
        return wrn_spki_fail(ret_error, WRN_SPKI_BAD_THRESHOLD, sexp);
    }
    uint32_t count = 0;
    while (count < ret->n && wrn_sexp_take_any(&threshold, &ret->parts[count])) {
        count++;
    }
    return count == ret->n && wrn_sexp_at_end(&threshold)
               ? 0
               : wrn_spki_fail(ret_error, WRN_SPKI_BAD_THRESHOLD, sexp);
}

/* Takes a number from 1 to WRN_SPKI_THRESHOLD_MAX: decimal without leading zeros, in STUDY also as
 * one byte. No digit is a byte in this range. */
static bool take_count(struct wrn_sexp_cursor *threshold, enum wrn_spki_mode mode,
                       uint32_t *ret_count) {
    wrn_span bytes;
    if (!wrn_sexp_take_atom(threshold, &bytes) || bytes.size == 0 || bytes.size > 2) {
        return false;
    }
    uint32_t value = 0;
    if (mode == WRN_SPKI_STUDY && bytes.size == 1 && bytes.data[0] <= WRN_SPKI_THRESHOLD_MAX) {
        value = bytes.data[0];
    } else {
        for (size_t i = 0; i < bytes.size; i++) {
            if (bytes.data[i] < '0' || bytes.data[i] > '9' || bytes.data[0] == '0') {
                return false;
            }
            value = value * 10 + (bytes.data[i] - '0');
        }
    }
    *ret_count = value;
    return value >= 1 && value <= WRN_SPKI_THRESHOLD_MAX;
}

/* Checks the parts of a threshold, which may be thresholds again. */
static int read_parts(const struct wrn_spki_subject *threshold, enum wrn_spki_mode mode,
                      struct wrn_spki_error *ret_error) {
    struct wrn_sexp_cursor open[WRN_SEXP_DEPTH_MAX];
    struct wrn_spki_subject subject;
    struct wrn_sexp sexp = threshold->sexp;
    size_t depth = 0;
    do {
        if (read_level(sexp, mode, &subject, ret_error) != 0) {
            return WRN_ERR_MALFORMED;
        }
        if (subject.kind == WRN_SPKI_SUBJECT_OBJECT) {
            return wrn_spki_fail(ret_error, WRN_SPKI_BAD_THRESHOLD, sexp);
        }
        if (subject.kind == WRN_SPKI_SUBJECT_THRESHOLD) {
            WRN_ASSERT(depth < WRN_SEXP_DEPTH_MAX); /* no expression is deeper */
            bool is_open = wrn_sexp_enter_named(sexp, "k-of-n", &open[depth]) &&
                           wrn_sexp_take_any(&open[depth], &sexp) &&
                           wrn_sexp_take_any(&open[depth], &sexp); /* k and n */
            WRN_ASSERT(is_open);
            depth++;
        }
        while (depth > 0 && !wrn_sexp_take_any(&open[depth - 1], &sexp)) {
            depth--;
        }
    } while (depth > 0);
    return 0;
}
