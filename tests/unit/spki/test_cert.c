/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the objects of SPKI are read exactly as their grammar has them, every fault named and
 * shown; what is written is read back; a signature is good for one object of one kind, and has
 * one form. Method: tables of objects as text, an apostrophe for a double quote; random
 * certificates written and read; every byte of a signed certificate changed. */
#include "spki/cert.h"

#include <stdio.h>

#include "base/rand.h"
#include "unit/base/check.h"
#include "unit/spki/text.h"

/* Public keys of RFC 8032, section 7.1, tests 1 to 3, and a hash. */
#define K1                                                                                         \
    "(public-key (ed25519 #d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a#))"
#define K2                                                                                         \
    "(public-key (ed25519 #3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c#))"
#define K3                                                                                         \
    "(public-key (ed25519 #fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025#))"
#define HASH      "(hash sha256 #000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f#)"
#define MD5       "(hash md5 #000102030405060708090a0b0c0d0e0f#)"
#define SHA1      "(hash sha1 #000102030405060708090a0b0c0d0e0f10111213#)"

#define ISSUER    "(issuer " K1 ")"
#define SUBJECT   "(subject " K2 ")"
#define TAG       "(tag (a b))"
#define VALID     "(valid (not-before '2026-01-01_00:00:00') (not-after '2026-12-31_23:59:59'))"
#define MANY      K1 K2 K1 K2 K1 K2 K1 K2 K1 K2 K1 K2 K1 K2 K1 K2 /* as many as there may be */
#define CERT(...) "(cert " __VA_ARGS__ ")"

static const enum wrn_spki_mode modes[] = {WRN_SPKI_STRICT, WRN_SPKI_STUDY};

static bool is_text(wrn_span bytes, const char *text) {
    return bytes.size == strlen(text) &&
           (bytes.size == 0 || memcmp(bytes.data, text, bytes.size) == 0);
}

static bool is_sexp(struct wrn_sexp sexp, const char *text) {
    return wrn_sexp_equal(sexp, text_read(text));
}

static struct wrn_spki_cert read_cert(const char *text) {
    struct wrn_spki_cert cert;
    struct wrn_spki_error error = {WRN_SPKI_OK, {{NULL, 0}}};
    int result = wrn_spki_read_cert(text_read(text), WRN_SPKI_STRICT, &cert, &error);
    CHECK(result == 0, "%s: %s: ", text, wrn_spki_fault_text(error.fault));
    return cert;
}

static void certificate_with_everything(void **state) {
    (void)state;
    struct wrn_spki_cert cert =
        read_cert(CERT("(version '0') (display (a b))" ISSUER "(issuer-info (uri x))" SUBJECT
                       "(subject-info (uri y)) (propagate)" TAG
                       "(valid (not-before '2026-01-01_00:00:00') (not-after"
                       " '2026-12-31_23:59:59') (online crl (uri 'http://a/') " K3
                       " part))(comment [t]'of a test')"));
    assert_false(cert.is_acl_entry);
    assert_true(is_sexp(cert.issuer.sexp, K1) && cert.issuer.is_key);
    assert_int_equal(cert.issuer.ed25519[0], 0xd7);
    assert_null(cert.issuer_name.data);
    assert_int_equal(cert.subject.kind, WRN_SPKI_SUBJECT_PRINCIPAL);
    assert_true(is_sexp(cert.subject.principal.sexp, K2));
    assert_int_equal(cert.delegation, WRN_SPKI_DELEGABLE);
    assert_true(is_sexp(cert.tag, "(a b)"));
    assert_true(is_text(cert.validity.not_before, "2026-01-01_00:00:00"));
    assert_true(is_text(cert.validity.not_after, "2026-12-31_23:59:59"));
    assert_true(is_text(cert.comment, "of a test"));
    struct wrn_spki_online online;
    assert_int_equal(wrn_spki_read_online(cert.online, WRN_SPKI_STRICT, &online, NULL), 0);
    assert_int_equal(online.kind, WRN_SPKI_ONLINE_CRL);
    assert_true(is_sexp(online.principal.sexp, K3));
    text_forget();
}

static void certificate_with_the_least(void **state) {
    (void)state;
    struct wrn_spki_cert cert = read_cert(CERT(ISSUER SUBJECT TAG));
    assert_int_equal(cert.delegation, WRN_SPKI_NOT_DELEGABLE);
    assert_int_equal(cert.validity.not_before.size + cert.validity.not_after.size, 0);
    assert_int_equal(cert.online.bytes.size + cert.comment.size + cert.only_count, 0);
    struct wrn_spki_cert entry;
    struct wrn_sexp sexp = text_read("(entry " SUBJECT "(propagate)" TAG VALID "(comment x))");
    assert_int_equal(wrn_spki_read_entry(sexp, WRN_SPKI_STRICT, &entry, NULL), 0);
    assert_true(entry.is_acl_entry && entry.issuer.sexp.bytes.size == 0);
    assert_int_equal(entry.delegation, WRN_SPKI_DELEGABLE);
    assert_true(is_text(entry.comment, "x"));
    text_forget();
}

static void delegable_to_named_ones_only(void **state) {
    (void)state;
    struct wrn_spki_cert cert =
        read_cert(CERT(ISSUER SUBJECT "(propagate (only " K3 HASH "))" TAG));
    assert_int_equal(cert.delegation, WRN_SPKI_DELEGABLE_TO);
    assert_int_equal(cert.only_count, 2);
    assert_true(is_sexp(cert.only[0].sexp, K3) && is_sexp(cert.only[1].sexp, HASH));
    assert_true(cert.only[0].is_key && !cert.only[1].is_key && cert.only[1].ed25519 == NULL);
    text_forget();
}

static void name_certificates(void **state) {
    (void)state;
    struct wrn_spki_cert cert = read_cert(
        CERT("(issuer (name " K1 " friends))(subject (name " HASH " a b))" VALID "(comment c)"));
    assert_true(is_sexp(cert.issuer.sexp, K1));
    assert_true(is_text(cert.issuer_name, "friends"));
    assert_int_equal(cert.tag.bytes.size, 0);
    assert_int_equal(cert.subject.kind, WRN_SPKI_SUBJECT_NAME);
    assert_true(is_sexp(cert.subject.principal.sexp, HASH));
    assert_int_equal(cert.subject.name_count, 2);
    assert_true(is_text(cert.subject.names[0], "a") && is_text(cert.subject.names[1], "b"));
    text_forget();
}

static void thresholds(void **state) {
    (void)state;
    struct wrn_spki_cert cert = read_cert(
        CERT(ISSUER "(subject (k-of-n '2' '3' " K2 "(name " K1 " x)(k-of-n '1' '1' " K3 ")))" TAG));
    assert_int_equal(cert.subject.kind, WRN_SPKI_SUBJECT_THRESHOLD);
    assert_int_equal(cert.subject.k, 2);
    assert_int_equal(cert.subject.n, 3);
    assert_true(is_sexp(cert.subject.parts[0], K2));
    assert_true(is_sexp(cert.subject.parts[2], "(k-of-n '1' '1' " K3 ")"));
    text_forget();
}

/* An object, what each mode says of it, and the part that is shown. */
struct fault_case {
    const char *text;
    enum wrn_spki_fault faults[2]; /* in the order of 'modes' */
    const char *at;                /* NULL: all of it */
    const char *at_study;          /* where the modes differ */
};

typedef int reads(struct wrn_sexp sexp, enum wrn_spki_mode mode, struct wrn_spki_error *error);

static void assert_faults(reads *read, const struct fault_case *cases, size_t count) {
    for (size_t i = 0; i < count; i++) {
        for (size_t m = 0; m < WRN_COUNT(modes); m++) {
            struct wrn_sexp sexp = text_read(cases[i].text);
            struct wrn_spki_error error = {WRN_SPKI_OK, {{NULL, 0}}};
            int result = read(sexp, modes[m], &error);
            CHECK(error.fault == cases[i].faults[m], "%s, mode %zu: %s: ", cases[i].text, m,
                  wrn_spki_fault_text(error.fault));
            CHECK(result == (error.fault == WRN_SPKI_OK ? 0 : WRN_ERR_MALFORMED),
                  "%s: %d: ", cases[i].text, result);
            if (result != 0) {
                const char *at = cases[i].at != NULL ? cases[i].at : cases[i].text;
                at = modes[m] == WRN_SPKI_STUDY && cases[i].at_study != NULL ? cases[i].at_study
                                                                             : at;
                CHECK(is_sexp(error.at, at), "%s: at %s: ", cases[i].text, text_of(error.at));
                CHECK(wrn_spki_fault_text(error.fault)[0] != '\0', "%d: ", error.fault);
            }
            assert_int_equal(read(sexp, modes[m], NULL), result);
        }
        text_forget();
    }
}

static int reads_cert(struct wrn_sexp sexp, enum wrn_spki_mode mode, struct wrn_spki_error *error) {
    struct wrn_spki_cert cert;
    return wrn_spki_read_cert(sexp, mode, &cert, error);
}

static int reads_entry(struct wrn_sexp sexp, enum wrn_spki_mode mode,
                       struct wrn_spki_error *error) {
    struct wrn_spki_cert cert;
    return wrn_spki_read_entry(sexp, mode, &cert, error);
}

static int reads_subject(struct wrn_sexp sexp, enum wrn_spki_mode mode,
                         struct wrn_spki_error *error) {
    struct wrn_spki_subject subject;
    return wrn_spki_read_subject(sexp, mode, &subject, error);
}

static int reads_principal(struct wrn_sexp sexp, enum wrn_spki_mode mode,
                           struct wrn_spki_error *error) {
    struct wrn_spki_principal principal;
    return wrn_spki_read_principal(sexp, mode, &principal, error);
}

static int reads_online(struct wrn_sexp sexp, enum wrn_spki_mode mode,
                        struct wrn_spki_error *error) {
    struct wrn_spki_online online;
    return wrn_spki_read_online(sexp, mode, &online, error);
}

/* These have no modes: always strict. */
static int reads_signature(struct wrn_sexp sexp, enum wrn_spki_mode mode,
                           struct wrn_spki_error *error) {
    (void)mode;
    struct wrn_spki_signature signature;
    return wrn_spki_read_signature(sexp, &signature, error);
}

static int reads_crl(struct wrn_sexp sexp, enum wrn_spki_mode mode, struct wrn_spki_error *error) {
    (void)mode;
    struct wrn_spki_crl crl;
    return wrn_spki_read_crl(sexp, &crl, error);
}

static int reads_reval(struct wrn_sexp sexp, enum wrn_spki_mode mode,
                       struct wrn_spki_error *error) {
    (void)mode;
    struct wrn_spki_reval reval;
    return wrn_spki_read_reval(sexp, &reval, error);
}

#define BOTH(fault)                                                                                \
    { WRN_SPKI_##fault, WRN_SPKI_##fault }
#define STRICT(fault)                                                                              \
    { WRN_SPKI_##fault, WRN_SPKI_OK }

static void faults_of_principals(void **state) {
    (void)state;
    static const struct fault_case cases[] = {
        {K1, BOTH(OK), NULL, NULL},
        {HASH, BOTH(OK), NULL, NULL},
        {MD5, STRICT(BAD_HASH), NULL, NULL},
        {SHA1, STRICT(BAD_HASH), NULL, NULL},
        {"(hash sha256 short)", BOTH(BAD_HASH), NULL, NULL},
        {"(hash md5 short)", BOTH(BAD_HASH), NULL, NULL},
        {"(hash sha512 abc)", BOTH(BAD_HASH), NULL, NULL},
        {"(hash sha256)", BOTH(BAD_HASH), NULL, NULL},
        {"(hash sha256 [t]'01234567890123456789012345678901')", BOTH(BAD_HASH), NULL, NULL},
        {"(hash sha256 '01234567890123456789012345678901' (uri x))", BOTH(BAD_HASH), NULL, NULL},
        {"(public-key k1)", STRICT(BAD_KEY), NULL, NULL},
        {"(public-key (rsa-pkcs1-sha1 (e #03#) (n #11#)))", STRICT(BAD_KEY), NULL, NULL},
        {"(public-key)", STRICT(BAD_KEY), NULL, NULL},
        {"(public-key (ed25519 '0123456789012345678901234567890'))", STRICT(BAD_KEY), NULL, NULL},
        {"(public-key (ed25519 '01234567890123456789012345678901' x))", STRICT(BAD_KEY), NULL,
         NULL},
        {"(public-key (ed25519 '01234567890123456789012345678901') x)", STRICT(BAD_KEY), NULL,
         NULL},
        /* of small order, and y = p, which is a second encoding of y = 0 */
        {"(public-key (ed25519 "
         "#0100000000000000000000000000000000000000000000000000000000000000#))",
         STRICT(BAD_KEY), NULL, NULL},
        {"(public-key (ed25519 "
         "#edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f#))",
         STRICT(BAD_KEY), NULL, NULL},
        {"key", BOTH(NOT_THIS_OBJECT), NULL, NULL},
        {"()", BOTH(NOT_THIS_OBJECT), NULL, NULL},
        {"(private-key x)", BOTH(NOT_THIS_OBJECT), NULL, NULL},
    };
    assert_faults(reads_principal, cases, WRN_COUNT(cases));
}

static void faults_of_subjects(void **state) {
    (void)state;
    static const struct fault_case cases[] = {
        {"(name " K1 " a)", BOTH(OK), NULL, NULL},
        {"(name a b)", STRICT(BAD_SUBJECT), NULL, NULL},
        {"(name " K1 ")", BOTH(BAD_SUBJECT), NULL, NULL},
        {"(name)", BOTH(BAD_SUBJECT), NULL, NULL},
        {"(name " K1 " [t]a)", BOTH(BAD_SUBJECT), NULL, NULL},
        {"(name " K1 " '')", BOTH(BAD_SUBJECT), NULL, NULL},
        {"(name " K1 " a (b))", BOTH(BAD_SUBJECT), NULL, NULL},
        {"(name (key) a)", BOTH(BAD_SUBJECT), "(key)", NULL},
        {"(name " K1 " a b c d e f g h i j k l m n o p)", BOTH(OK), NULL, NULL},
        {"(name " K1 " a b c d e f g h i j k l m n o p q)", BOTH(BAD_SUBJECT), NULL, NULL},
        {"(object-hash " HASH ")", BOTH(OK), NULL, NULL},
        {"(object-hash " MD5 ")", BOTH(BAD_SUBJECT), NULL, NULL},
        {"(object-hash)", BOTH(BAD_SUBJECT), NULL, NULL},
        {"(keyholder " K1 ")", BOTH(OK), NULL, NULL},
        {"(keyholder me)", BOTH(BAD_SUBJECT), NULL, NULL},
        {"(keyholder " K1 K2 ")", BOTH(BAD_SUBJECT), NULL, NULL},
        {"(subject " K1 ")", BOTH(BAD_SUBJECT), NULL, NULL},
        {"me", BOTH(BAD_SUBJECT), NULL, NULL},
        {"(public-key k1)", STRICT(BAD_KEY), NULL, NULL},
        {"(k-of-n '1' '1' " K1 ")", BOTH(OK), NULL, NULL},
        {"(k-of-n #01# #01# " K1 ")", STRICT(BAD_THRESHOLD), NULL, NULL},
        {"(k-of-n '0' '1' " K1 ")", BOTH(BAD_THRESHOLD), NULL, NULL},
        {"(k-of-n #00# '1' " K1 ")", BOTH(BAD_THRESHOLD), NULL, NULL},
        {"(k-of-n '2' '1' " K1 ")", BOTH(BAD_THRESHOLD), NULL, NULL},
        {"(k-of-n '1' '2' " K1 ")", BOTH(BAD_THRESHOLD), NULL, NULL},
        {"(k-of-n '1' '1' " K1 K2 ")", BOTH(BAD_THRESHOLD), NULL, NULL},
        {"(k-of-n '01' '1' " K1 ")", BOTH(BAD_THRESHOLD), NULL, NULL},
        {"(k-of-n '1' '17' " K1 ")", BOTH(BAD_THRESHOLD), NULL, NULL},
        {"(k-of-n '1' '-1' " K1 ")", BOTH(BAD_THRESHOLD), NULL, NULL},
        {"(k-of-n '1' '100' " K1 ")", BOTH(BAD_THRESHOLD), NULL, NULL},
        {"(k-of-n '1')", BOTH(BAD_THRESHOLD), NULL, NULL},
        {"(k-of-n '1' '16' " K1 K2 K1 K2 K1 K2 K1 K2 K1 K2 K1 K2 K1 K2 K1 K2 ")", BOTH(OK), NULL,
         NULL},
        {"(k-of-n '1' '2' " K1 "(k-of-n '2' '2' " K2 " (public-key x)))", STRICT(BAD_KEY),
         "(public-key x)", NULL},
        {"(k-of-n '1' '2' (k-of-n '1' '1' " K1 ") (k-of-n '1' '2' " K2 "))", BOTH(BAD_THRESHOLD),
         "(k-of-n '1' '2' " K2 ")", NULL},
        {"(k-of-n '1' '1' (keyholder " K1 "))", BOTH(BAD_THRESHOLD), "(keyholder " K1 ")", NULL},
        {"(k-of-n '1' '1' (x))", BOTH(BAD_SUBJECT), "(x)", NULL},
    };
    assert_faults(reads_subject, cases, WRN_COUNT(cases));
}

static void faults_of_certificates(void **state) {
    (void)state;
    static const struct fault_case cases[] = {
        {"cert", BOTH(NOT_THIS_OBJECT), NULL, NULL},
        {"(entry)", BOTH(NOT_THIS_OBJECT), NULL, NULL},
        {"([t]cert " ISSUER SUBJECT TAG ")", BOTH(NOT_THIS_OBJECT), NULL, NULL},
        {"(cert)", BOTH(MISSING_FIELD), NULL, NULL},
        {CERT(ISSUER), BOTH(MISSING_FIELD), NULL, NULL},
        {CERT(SUBJECT TAG), BOTH(MISSING_FIELD), NULL, NULL},
        {CERT(ISSUER TAG), BOTH(MISSING_FIELD), NULL, NULL},
        {CERT(ISSUER SUBJECT), STRICT(MISSING_FIELD), NULL, NULL},
        {CERT(ISSUER SUBJECT VALID), STRICT(MISSING_FIELD), NULL, NULL},
        {CERT("(version '1')" ISSUER SUBJECT TAG), BOTH(BAD_VERSION), "(version '1')", NULL},
        {CERT("(version)" ISSUER SUBJECT TAG), BOTH(BAD_VERSION), "(version)", NULL},
        {CERT("(version '0' x)" ISSUER SUBJECT TAG), BOTH(BAD_VERSION), "(version '0' x)", NULL},
        {CERT("(version '0')(version '0')" ISSUER SUBJECT TAG), BOTH(UNKNOWN_FIELD),
         "(version '0')", NULL},
        {CERT("(issuer)" SUBJECT TAG), BOTH(BAD_ISSUER), "(issuer)", NULL},
        {CERT("(issuer " K1 K2 ")" SUBJECT TAG), BOTH(BAD_ISSUER), "(issuer " K1 K2 ")", NULL},
        {CERT("(issuer me)" SUBJECT TAG), BOTH(BAD_ISSUER), "me", NULL},
        {CERT("(issuer (name " K1 "))" SUBJECT), BOTH(BAD_ISSUER), "(name " K1 ")", NULL},
        {CERT("(issuer (name " K1 " a b))" SUBJECT), BOTH(BAD_ISSUER), "(name " K1 " a b)", NULL},
        {CERT("(issuer (name " K1 " ''))" SUBJECT), BOTH(BAD_ISSUER), "(name " K1 " '')", NULL},
        {CERT("(issuer (name a))" SUBJECT), BOTH(BAD_ISSUER), "(name a)", NULL},
        {CERT("(issuer (name x a))" SUBJECT), BOTH(BAD_ISSUER), "x", NULL},
        {CERT("(issuer " MD5 ")" SUBJECT TAG), STRICT(BAD_HASH), MD5, NULL},
        {CERT("(issuer (public-key k1))" SUBJECT TAG), STRICT(BAD_KEY), "(public-key k1)", NULL},
        {CERT(SUBJECT ISSUER TAG), BOTH(UNKNOWN_FIELD), SUBJECT, NULL},
        {CERT(ISSUER ISSUER SUBJECT TAG), BOTH(UNKNOWN_FIELD), ISSUER, NULL},
        {CERT("x" ISSUER SUBJECT TAG), BOTH(UNKNOWN_FIELD), "x", NULL},
        {CERT(ISSUER "(subject)" TAG), BOTH(BAD_SUBJECT), "(subject)", NULL},
        {CERT(ISSUER "(subject x)" TAG), BOTH(BAD_SUBJECT), "x", NULL},
        {CERT(ISSUER SUBJECT SUBJECT TAG), BOTH(UNKNOWN_FIELD), SUBJECT, NULL},
    };
    assert_faults(reads_cert, cases, WRN_COUNT(cases));
}

static void faults_behind_the_subject(void **state) {
    (void)state;
    static const struct fault_case cases[] = {
        {CERT(ISSUER SUBJECT "(propagate x)" TAG), BOTH(BAD_PROPAGATE), "(propagate x)", NULL},
        {CERT(ISSUER SUBJECT "(propagate (only))" TAG), BOTH(BAD_PROPAGATE), "(propagate (only))",
         NULL},
        {CERT(ISSUER SUBJECT "(propagate (only x))" TAG), BOTH(BAD_PROPAGATE),
         "(propagate (only x))", NULL},
        {CERT(ISSUER SUBJECT "(propagate (only " K1 ") x)" TAG), BOTH(BAD_PROPAGATE),
         "(propagate (only " K1 ") x)", NULL},
        {CERT(ISSUER SUBJECT "(propagate (only " MANY "))" TAG), BOTH(OK), NULL, NULL},
        {CERT(ISSUER SUBJECT "(propagate (only " MANY K1 "))" TAG), BOTH(BAD_PROPAGATE),
         "(propagate (only " MANY K1 "))", NULL},
        {CERT(ISSUER SUBJECT "(propagate)(propagate)" TAG), BOTH(UNKNOWN_FIELD), "(propagate)",
         NULL},
        {CERT(ISSUER SUBJECT TAG "(propagate)"), BOTH(UNKNOWN_FIELD), "(propagate)", NULL},
        {CERT(ISSUER SUBJECT "(tag)"), BOTH(BAD_TAG), "(tag)", NULL},
        {CERT(ISSUER SUBJECT "(tag a b)"), BOTH(BAD_TAG), "(tag a b)", NULL},
        {CERT(ISSUER SUBJECT "(tag (a (* x)))"), BOTH(BAD_TAG), "(* x)", NULL},
        {CERT(ISSUER SUBJECT TAG TAG), BOTH(UNKNOWN_FIELD), TAG, NULL},
        {CERT(ISSUER SUBJECT VALID TAG), BOTH(UNKNOWN_FIELD), VALID, TAG},
        {CERT(ISSUER SUBJECT TAG "(valid)"), BOTH(OK), NULL, NULL},
        {CERT(ISSUER SUBJECT TAG VALID VALID), BOTH(UNKNOWN_FIELD), VALID, NULL},
        {CERT(ISSUER SUBJECT TAG "(valid (not-before '2026'))"), STRICT(BAD_VALIDITY),
         "(not-before '2026')", NULL},
        {CERT(ISSUER SUBJECT TAG "(valid (not-after '2026-02-29_00:00:00'))"), BOTH(BAD_VALIDITY),
         "(not-after '2026-02-29_00:00:00')", NULL},
        {CERT(ISSUER SUBJECT TAG "(valid (not-before))"), BOTH(BAD_VALIDITY), "(not-before)", NULL},
        {CERT(ISSUER SUBJECT TAG "(valid (not-after '2026-01-01_00:00:00')"
                                 " (not-before '2025-01-01_00:00:00'))"),
         BOTH(BAD_VALIDITY),
         "(valid (not-after '2026-01-01_00:00:00') (not-before '2025-01-01_00:00:00'))", NULL},
        {CERT(ISSUER SUBJECT TAG "(valid (not-before '2026-01-02_00:00:00')"
                                 " (not-after '2026-01-01_00:00:00'))"),
         BOTH(BAD_VALIDITY),
         "(valid (not-before '2026-01-02_00:00:00') (not-after '2026-01-01_00:00:00'))", NULL},
        {CERT(ISSUER SUBJECT TAG "(valid (not-before '2026-01-01_00:00:00')"
                                 " (not-after '2026-01-01_00:00:00'))"),
         BOTH(OK), NULL, NULL},
        {CERT(ISSUER SUBJECT TAG "(valid (x))"), BOTH(BAD_VALIDITY), "(valid (x))", NULL},
        {CERT(ISSUER SUBJECT TAG "(valid (online crl x))"), BOTH(BAD_ONLINE), "x", NULL},
        {CERT(ISSUER SUBJECT TAG "(online crl " K1 ")"), BOTH(UNKNOWN_FIELD), "(online crl " K1 ")",
         NULL},
        {CERT(ISSUER SUBJECT TAG "(not-before '1999-01-01')(not-after '2000-12-31_10:15:00')"),
         STRICT(UNKNOWN_FIELD), "(not-before '1999-01-01')", NULL},
        {CERT(ISSUER SUBJECT TAG "(not-before '2001')(not-after '2000')"),
         {WRN_SPKI_UNKNOWN_FIELD, WRN_SPKI_BAD_VALIDITY},
         "(not-before '2001')",
         CERT(ISSUER SUBJECT TAG "(not-before '2001')(not-after '2000')")},
        {CERT(ISSUER SUBJECT TAG "(comment)"), BOTH(UNKNOWN_FIELD), "(comment)", NULL},
        {CERT(ISSUER SUBJECT TAG "(comment (a))"), BOTH(UNKNOWN_FIELD), "(comment (a))", NULL},
        {CERT(ISSUER SUBJECT TAG "(comment a)(comment b)"), BOTH(UNKNOWN_FIELD), "(comment b)",
         NULL},
        {CERT(ISSUER SUBJECT TAG "(comment a)" VALID), BOTH(UNKNOWN_FIELD), VALID, NULL},
        {CERT(ISSUER SUBJECT TAG "x"), BOTH(UNKNOWN_FIELD), "x", NULL},
        {CERT("(issuer (name " K1 " a))" SUBJECT TAG), BOTH(UNKNOWN_FIELD), TAG, NULL},
        {CERT("(issuer (name " K1 " a))" SUBJECT "(propagate)"), BOTH(UNKNOWN_FIELD), "(propagate)",
         NULL},
        {CERT("(issuer (name (public-key k1) a))(subject (name b))"), STRICT(BAD_KEY),
         "(public-key k1)", NULL},
    };
    assert_faults(reads_cert, cases, WRN_COUNT(cases));
}

static void faults_of_entries(void **state) {
    (void)state;
    static const struct fault_case cases[] = {
        {"(entry " SUBJECT TAG ")", BOTH(OK), NULL, NULL},
        {"(entry " SUBJECT ")", STRICT(MISSING_FIELD), NULL, NULL},
        {"(entry (subject (name carl)) (tag x))", STRICT(BAD_SUBJECT), "(name carl)", NULL},
        {"(entry " ISSUER SUBJECT TAG ")", BOTH(UNKNOWN_FIELD), ISSUER, NULL},
        {"(entry (version '0')" SUBJECT TAG ")", BOTH(UNKNOWN_FIELD), "(version '0')", NULL},
        {"(entry " SUBJECT "(subject-info (uri))" TAG ")", BOTH(UNKNOWN_FIELD),
         "(subject-info (uri))", NULL},
        {CERT(ISSUER SUBJECT TAG), BOTH(NOT_THIS_OBJECT), NULL, NULL},
    };
    assert_faults(reads_entry, cases, WRN_COUNT(cases));
}

static void faults_of_online(void **state) {
    (void)state;
    static const struct fault_case cases[] = {
        {"(online crl " K1 ")", BOTH(OK), NULL, NULL},
        {"(online reval (uri a b) " HASH " more (parts))", BOTH(OK), NULL, NULL},
        {"(online one-time " K1 ")", BOTH(OK), NULL, NULL},
        {"(online crl " MD5 ")", STRICT(BAD_HASH), MD5, NULL},
        {"(online)", BOTH(BAD_ONLINE), NULL, NULL},
        {"(online ocsp " K1 ")", BOTH(BAD_ONLINE), NULL, NULL},
        {"(online crl)", BOTH(BAD_ONLINE), NULL, NULL},
        {"(online crl (uri a))", BOTH(BAD_ONLINE), NULL, NULL},
        {"(online crl (uri a) (uri b) " K1 ")", BOTH(BAD_ONLINE), "(uri b)", NULL},
        {"(offline crl " K1 ")", BOTH(NOT_THIS_OBJECT), NULL, NULL},
    };
    assert_faults(reads_online, cases, WRN_COUNT(cases));
}

#define VALUE                                                                                      \
    "(ed25519 #00000000000000000000000000000000000000000000000000000000000000000000000000000000"   \
    "000000000000000000000000000000000000000000000000#)"

static void faults_of_signatures(void **state) {
    (void)state;
    static const struct fault_case cases[] = {
        {"(signature " HASH K1 VALUE ")", BOTH(OK), NULL, NULL},
        {"(signature " HASH HASH VALUE ")", BOTH(OK), NULL, NULL},
        {"(signature " MD5 K1 VALUE ")", BOTH(BAD_HASH), MD5, NULL},
        {"(signature " HASH MD5 VALUE ")", BOTH(BAD_HASH), MD5, NULL},
        {"(signature " HASH "(public-key x)" VALUE ")", BOTH(BAD_KEY), "(public-key x)", NULL},
        {"(signature " HASH "x" VALUE ")", BOTH(BAD_SIGNATURE_OBJECT), "x", NULL},
        {"(signature " HASH VALUE ")", BOTH(BAD_SIGNATURE_OBJECT), NULL, NULL},
        {"(signature " HASH K1 "(ed25519 x))", BOTH(BAD_SIGNATURE_OBJECT), NULL, NULL},
        {"(signature " HASH K1 "(rsa x))", BOTH(BAD_SIGNATURE_OBJECT), NULL, NULL},
        {"(signature " HASH K1 VALUE "x)", BOTH(BAD_SIGNATURE_OBJECT), NULL, NULL},
        {"(signature)", BOTH(BAD_SIGNATURE_OBJECT), NULL, NULL},
        {"(signatures)", BOTH(NOT_THIS_OBJECT), NULL, NULL},
    };
    assert_faults(reads_signature, cases, WRN_COUNT(cases));
}

static void faults_of_crls(void **state) {
    (void)state;
    static const struct fault_case cases[] = {
        {"(crl " ISSUER "(canceled)" VALID ")", BOTH(OK), NULL, NULL},
        {"(crl (version '0')" ISSUER "(canceled " HASH HASH ")" VALID ")", BOTH(OK), NULL, NULL},
        {"(crl (version '2')" ISSUER "(canceled)" VALID ")", BOTH(BAD_VERSION), "(version '2')",
         NULL},
        {"(crl (canceled " HASH ")" VALID ")", BOTH(MISSING_FIELD), NULL, NULL},
        {"(crl (issuer x) (canceled)" VALID ")", BOTH(BAD_ISSUER), "x", NULL},
        {"(crl " ISSUER ")", BOTH(MISSING_FIELD), NULL, NULL},
        {"(crl " ISSUER VALID "(canceled))", BOTH(UNKNOWN_FIELD), VALID, NULL},
        {"(crl " ISSUER "(canceled " HASH " x)" VALID ")", BOTH(BAD_HASH), "x", NULL},
        {"(crl " ISSUER "(canceled " MD5 ")" VALID ")", BOTH(BAD_HASH), MD5, NULL},
        {"(crl " ISSUER "(canceled))", BOTH(BAD_CRL), NULL, NULL},
        {"(crl " ISSUER "(canceled)(valid (not-after '2026-01-01_00:00:00')))", BOTH(BAD_CRL), NULL,
         NULL},
        {"(crl " ISSUER "(canceled)(valid (not-before '2026-01-01_00:00:00') (online crl " K1 ")))",
         BOTH(BAD_CRL), NULL, NULL},
        {"(crl " ISSUER "(canceled)(valid (not-before '2026')))", BOTH(BAD_VALIDITY),
         "(not-before '2026')", NULL},
        {"(crl " ISSUER "(canceled)" VALID "x)", BOTH(UNKNOWN_FIELD), "x", NULL},
        {"(delta-crl)", BOTH(NOT_THIS_OBJECT), NULL, NULL},
    };
    assert_faults(reads_crl, cases, WRN_COUNT(cases));
}

static void faults_of_revalidations(void **state) {
    (void)state;
    static const struct fault_case cases[] = {
        {"(reval " ISSUER "(cert " HASH ")" VALID ")", BOTH(OK), NULL, NULL},
        {"(reval (version '0')" ISSUER "(cert " HASH ")" VALID ")", BOTH(OK), NULL, NULL},
        {"(reval (version x)" ISSUER "(cert " HASH ")" VALID ")", BOTH(BAD_VERSION), "(version x)",
         NULL},
        {"(reval (cert " HASH ")" VALID ")", BOTH(MISSING_FIELD), NULL, NULL},
        {"(reval " ISSUER VALID ")", BOTH(MISSING_FIELD), NULL, NULL},
        {"(reval " ISSUER "(cert)" VALID ")", BOTH(BAD_REVAL), "(cert)", NULL},
        {"(reval " ISSUER "(cert " MD5 ")" VALID ")", BOTH(BAD_HASH), MD5, NULL},
        {"(reval " ISSUER "(cert " HASH "))", BOTH(BAD_REVAL), NULL, NULL},
        {"(reval " ISSUER "(cert " HASH ")(valid (not-before '2026-01-01_00:00:00')))",
         BOTH(BAD_REVAL), NULL, NULL},
        {"(reval " ISSUER "(cert " HASH ")(one-time x))", BOTH(UNKNOWN_FIELD), "(one-time x)",
         NULL},
        {"(crl)", BOTH(NOT_THIS_OBJECT), NULL, NULL},
    };
    assert_faults(reads_reval, cases, WRN_COUNT(cases));
}

/* What study reads is never taken for more than it is. */
static void study_mode(void **state) {
    (void)state;
    struct wrn_spki_cert cert;
    const char *text = CERT("(issuer (public-key k1))(subject (name a b))"
                            "(not-before '1999-01-01')(not-after '2000-12-31_10:15:00')");
    assert_int_equal(wrn_spki_read_cert(text_read(text), WRN_SPKI_STUDY, &cert, NULL), 0);
    assert_true(cert.issuer.is_key && cert.issuer.ed25519 == NULL);
    assert_true(is_sexp(cert.subject.principal.sexp, "(public-key k1)"));
    assert_true(is_sexp(cert.tag, "(*)"));
    assert_true(is_text(cert.validity.not_before, "1999-01-01"));
    assert_true(is_text(cert.validity.not_after, "2000-12-31_10:15:00"));
    text = "(entry (subject (k-of-n #02# #03# (public-key a) (public-key b) (name c))))";
    assert_int_equal(wrn_spki_read_entry(text_read(text), WRN_SPKI_STUDY, &cert, NULL), 0);
    assert_true(cert.subject.k == 2 && cert.subject.n == 3);
    text_forget();
}

/* ---- Writing and signing */

static const uint8_t seed[WRN_SEED_SIZE] = {1, 2, 3};

static struct wrn_sexp written(void (*write)(struct wrn_sexp_writer *out)) {
    struct wrn_sexp sexp = {{NULL, 0}};
    struct wrn_sexp_writer out = wrn_sexp_writer(text_room(4096), 4096);
    write(&out);
    assert_int_equal(wrn_sexp_finish(&out, &sexp), 0);
    return sexp;
}

static struct wrn_sexp signed_by(const uint8_t key[WRN_SEED_SIZE], struct wrn_sexp object) {
    struct wrn_sexp sexp = {{NULL, 0}};
    struct wrn_sexp_writer out = wrn_sexp_writer(text_room(1024), 1024);
    assert_true(wrn_spki_sign(&out, object, key));
    assert_int_equal(wrn_sexp_finish(&out, &sexp), 0);
    return sexp;
}

static bool verifies(struct wrn_sexp signature, struct wrn_sexp object, const uint8_t key[32]) {
    struct wrn_spki_signature view;
    return wrn_spki_read_signature(signature, &view, NULL) == 0 &&
           wrn_spki_verify(&view, object, key);
}

static void write_crl(struct wrn_sexp_writer *out) {
    uint8_t hashes[3 * WRN_SHA256_SIZE];
    memset(hashes, 'a', WRN_SHA256_SIZE);
    memset(hashes + WRN_SHA256_SIZE, 'b', WRN_SHA256_SIZE);
    memset(hashes + 2 * (size_t)WRN_SHA256_SIZE, 'c', WRN_SHA256_SIZE);
    const uint8_t *date = (const uint8_t *)"2026-11-21_13:37:00";
    wrn_spki_write_crl(out, text_read(K1), hashes, 3,
                       &(struct wrn_spki_validity){.not_before = {date, 19}});
}

static void write_reval(struct wrn_sexp_writer *out) {
    uint8_t hash[WRN_SHA256_SIZE];
    memset(hash, 'h', sizeof hash);
    const uint8_t *date = (const uint8_t *)"2026-11-21_13:37:00";
    wrn_spki_write_reval(out, text_read(HASH), hash,
                         &(struct wrn_spki_validity){.not_after = {date, 19}});
}

static void crl_is_written_and_read(void **state) {
    (void)state;
    struct wrn_spki_crl crl;
    assert_int_equal(wrn_spki_read_crl(written(write_crl), &crl, NULL), 0);
    assert_int_equal(crl.count, 3);
    assert_true(is_sexp(crl.issuer.sexp, K1));
    assert_true(is_text(crl.validity.not_before, "2026-11-21_13:37:00"));
    struct wrn_spki_crl again = crl;
    const uint8_t *hash = NULL;
    for (int i = 0; i < 3; i++) {
        assert_true(wrn_spki_next_canceled(&crl, &hash));
        assert_true(check_filled(hash, WRN_SHA256_SIZE, (uint8_t)('a' + i)));
    }
    assert_false(wrn_spki_next_canceled(&crl, &hash));
    assert_true(wrn_spki_next_canceled(&again, &hash) && hash[0] == 'a');
    text_forget();
}

static void revalidation_is_written_and_read(void **state) {
    (void)state;
    struct wrn_spki_reval reval;
    assert_int_equal(wrn_spki_read_reval(written(write_reval), &reval, NULL), 0);
    assert_true(is_sexp(reval.issuer.sexp, HASH));
    assert_true(check_filled(reval.cert_hash, WRN_SHA256_SIZE, 'h'));
    assert_true(is_text(reval.validity.not_after, "2026-11-21_13:37:00"));
    text_forget();
}

static wrn_span any_of(struct wrn_rand rand, const char *const *texts, size_t count) {
    const char *text = texts[wrn_rand_below(rand, (uint32_t)count)];
    return (wrn_span){(const uint8_t *)text, strlen(text)};
}

static struct wrn_spki_issue random_issue(struct wrn_rand rand) {
    static const char *const principals[] = {K1, K2, K3, HASH};
    static const char *const subjects[] = {K1,
                                           HASH,
                                           "(name " K2 " a b)",
                                           "(k-of-n '1' '2' " K2 K3 ")",
                                           "(keyholder " K2 ")",
                                           "(object-hash " HASH ")"};
    static const char *const tags[] = {"(*)", "x", "(a (* set b c))", "(a (* range time))"};
    static const char *const onlines[] = {"", "(online crl " K1 ")",
                                          "(online reval (uri u) " K2 ")"};
    static const char *const early[] = {"", "0000-01-01_00:00:00", "2026-11-21_13:37:00"};
    static const char *const late[] = {"", "2026-11-21_13:37:00", "9999-12-31_23:59:59"};
    static const char *const words[] = {"", "x", "some words", "\x01\xff()"};
#define ANY(texts)      any_of(rand, texts, WRN_COUNT(texts))
#define ANY_SEXP(texts) text_read((const char *)ANY(texts).data)
    static struct wrn_sexp only[3];
    for (size_t i = 0; i < WRN_COUNT(only); i++) {
        only[i] = ANY_SEXP(principals);
    }
    struct wrn_spki_issue issue = {
        .issuer = ANY_SEXP(principals),
        .issuer_name = ANY(words),
        .subject = ANY_SEXP(subjects),
        .delegation = (enum wrn_spki_delegation)wrn_rand_below(rand, 3),
        .only = only,
        .only_count = 1 + wrn_rand_below(rand, WRN_COUNT(only)),
        .tag = ANY_SEXP(tags),
        .validity = {ANY(early), ANY(late)},
        .comment = ANY(words),
    };
    wrn_span online = ANY(onlines);
    if (online.size > 0) {
        issue.online = text_read((const char *)online.data);
    }
#undef ANY
#undef ANY_SEXP
    return issue;
}

static void assert_same_span(wrn_span a, wrn_span b) {
    assert_int_equal(a.size, b.size);
    if (a.size > 0) {
        assert_memory_equal(a.data, b.data, a.size);
    }
}

static void assert_same(const struct wrn_spki_issue *issue, const struct wrn_spki_cert *cert) {
    assert_true(wrn_sexp_equal(issue->subject, cert->subject.sexp));
    assert_true(wrn_sexp_equal(issue->tag, cert->tag));
    assert_true(wrn_sexp_equal(issue->online, cert->online));
    assert_int_equal(issue->delegation, cert->delegation);
    assert_same_span(issue->validity.not_before, cert->validity.not_before);
    assert_same_span(issue->validity.not_after, cert->validity.not_after);
    assert_same_span(issue->comment, cert->comment);
    if (!cert->is_acl_entry) {
        assert_true(wrn_sexp_equal(issue->issuer, cert->issuer.sexp));
        assert_same_span(issue->issuer_name, cert->issuer_name);
    }
    size_t only_count = issue->delegation == WRN_SPKI_DELEGABLE_TO ? issue->only_count : 0;
    assert_int_equal(cert->only_count, only_count);
    for (size_t i = 0; i < only_count; i++) {
        assert_true(wrn_sexp_equal(issue->only[i], cert->only[i].sexp));
    }
}

static void what_is_written_is_read_back(void **state) {
    (void)state;
    uint64_t number = check_seed();
    struct wrn_prng generator;
    wrn_prng_init(&generator, number, 0);
    struct wrn_rand rand = wrn_prng_rand(&generator);
    for (int i = 0; i < 20000; i++) {
        text_forget();
        struct wrn_spki_issue issue = random_issue(rand);
        bool is_entry = wrn_rand_below(rand, 2) == 1;
        if (issue.issuer_name.size > 0 && !is_entry) { /* a name certificate */
            issue.tag = (struct wrn_sexp){{NULL, 0}};
            issue.delegation = WRN_SPKI_NOT_DELEGABLE;
        }
        struct wrn_sexp sexp = {{NULL, 0}};
        struct wrn_sexp_writer out = wrn_sexp_writer(text_room(8192), 8192);
        wrn_spki_write_cert(&out, &issue, is_entry);
        assert_int_equal(wrn_sexp_finish(&out, &sexp), 0);
        struct wrn_spki_cert cert;
        struct wrn_spki_error error = {WRN_SPKI_OK, sexp};
        int result = is_entry ? wrn_spki_read_entry(sexp, WRN_SPKI_STRICT, &cert, &error)
                              : wrn_spki_read_cert(sexp, WRN_SPKI_STRICT, &cert, &error);
        CHECK(result == 0, "%s: %s: %s: ", text_of(sexp), wrn_spki_fault_text(error.fault),
              text_of(error.at));
        assert_same(&issue, &cert);
    }
    text_forget();
}

static void key_has_one_form(void **state) {
    (void)state;
    uint8_t room[WRN_SPKI_KEY_SEXP_SIZE], key[32];
    assert_int_equal(check_hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
                               key, sizeof key),
                     32);
    struct wrn_sexp sexp = wrn_spki_key_sexp(key, room);
    assert_true(is_sexp(sexp, K1));
    uint8_t hash[WRN_SHA256_SIZE], right[WRN_SHA256_SIZE];
    /* sha256sum of "(10:public-key(7:ed2551932:" key "))" */
    check_hex("7e5aac90dca801bde39dfebc3fa026788fcb0f3d12feeaa6f3cb958eb739aabf", right,
              sizeof right);
    wrn_spki_hash(sexp, hash);
    assert_memory_equal(hash, right, sizeof hash);
    text_forget();
}

static void signs_and_verifies(void **state) {
    (void)state;
    static const uint8_t other_seed[WRN_SEED_SIZE] = {9};
    uint8_t key[WRN_SIGN_PUBLIC_SIZE], other[WRN_SIGN_PUBLIC_SIZE];
    assert_true(wrn_sign_public(seed, key) && wrn_sign_public(other_seed, other));
    struct wrn_sexp cert = text_read(CERT(ISSUER SUBJECT TAG));
    const struct wrn_sexp objects[] = {cert, written(write_crl), written(write_reval)};
    for (size_t i = 0; i < WRN_COUNT(objects); i++) {
        struct wrn_sexp signature = signed_by(seed, objects[i]);
        assert_true(verifies(signature, objects[i], key));
        assert_false(verifies(signature, objects[i], other));
        assert_false(verifies(signature, objects[(i + 1) % 3], key));
        assert_true(wrn_sexp_equal(signature, signed_by(seed, objects[i])));
        assert_false(wrn_sexp_equal(signature, signed_by(other_seed, objects[i])));
    }
    struct wrn_sexp_writer out = wrn_sexp_writer(text_room(1024), 1024);
    static const char *const unsigned_ones[] = {"(acl)", "(entry)", "(sequence)", "(tag (*))",
                                                K1,      "cert",    "()",         "([t]cert)"};
    for (size_t i = 0; i < WRN_COUNT(unsigned_ones); i++) {
        CHECK(!wrn_spki_sign(&out, text_read(unsigned_ones[i]), seed), "%s: ", unsigned_ones[i]);
        assert_int_equal(out.size, 0);
        CHECK(!verifies(signed_by(seed, cert), text_read(unsigned_ones[i]), key),
              "%s: ", unsigned_ones[i]);
    }
    text_forget();
}

/* Neither the bytes alone nor another kind of object with the same bytes behind its name. */
static void signature_is_for_one_domain(void **state) {
    (void)state;
    uint8_t key[WRN_SIGN_PUBLIC_SIZE], value[WRN_SIGNATURE_SIZE];
    assert_true(wrn_sign_public(seed, key));
    struct wrn_sexp cert = text_read(CERT(ISSUER SUBJECT TAG));
    struct wrn_spki_signature view;
    assert_int_equal(wrn_spki_read_signature(signed_by(seed, cert), &view, NULL), 0);
    assert_true(wrn_sign_verify(key, "warren certificate 1", cert.bytes, view.value));
    assert_true(wrn_sign_pure(seed, cert.bytes, value));
    view.value = value;
    assert_false(wrn_spki_verify(&view, cert, key));
    assert_true(wrn_sign(seed, "warren crl 1", cert.bytes, value));
    assert_false(wrn_spki_verify(&view, cert, key));
    assert_true(wrn_sign(seed, "warren certificate 1", cert.bytes, value));
    assert_true(wrn_spki_verify(&view, cert, key));
    text_forget();
}

/* The signer may be named by his hash, and by nothing else than his own. */
static void signer_is_a_key_or_its_hash(void **state) {
    (void)state;
    uint8_t key[WRN_SIGN_PUBLIC_SIZE], room[WRN_SPKI_KEY_SEXP_SIZE], hash[WRN_SHA256_SIZE];
    assert_true(wrn_sign_public(seed, key));
    struct wrn_sexp cert = text_read(CERT(ISSUER SUBJECT TAG));
    struct wrn_spki_signature view;
    assert_int_equal(wrn_spki_read_signature(signed_by(seed, cert), &view, NULL), 0);
    wrn_spki_hash(wrn_spki_key_sexp(key, room), hash);
    for (int is_right = 0; is_right < 2; is_right++) {
        hash[0] ^= 1; /* wrong, then right again */
        struct wrn_sexp sexp = {{NULL, 0}};
        struct wrn_sexp_writer out = wrn_sexp_writer(text_room(128), 128);
        wrn_sexp_open(&out, "hash");
        wrn_sexp_put_word(&out, "sha256");
        wrn_sexp_put_bytes(&out, (wrn_span){hash, sizeof hash});
        wrn_sexp_close(&out);
        assert_int_equal(wrn_sexp_finish(&out, &sexp), 0);
        assert_int_equal(wrn_spki_read_principal(sexp, WRN_SPKI_STRICT, &view.signer, NULL), 0);
        assert_int_equal(wrn_spki_verify(&view, cert, key), is_right);
    }
    text_forget();
}

/* A certificate that was changed anywhere, or its signature, verifies no more: so its fingerprint,
 * the hash of its bytes, cannot be changed by anybody but the issuer. */
static void fingerprint_malleability(void **state) {
    (void)state;
    uint8_t key[WRN_SIGN_PUBLIC_SIZE];
    assert_true(wrn_sign_public(seed, key));
    struct wrn_sexp cert = text_read(CERT(ISSUER SUBJECT TAG));
    struct wrn_sexp signature = signed_by(seed, cert);
    const struct wrn_sexp both[] = {cert, signature};
    for (size_t which = 0; which < 2; which++) {
        uint8_t *bytes = (uint8_t *)both[which].bytes.data;
        for (size_t i = 0; i < both[which].bytes.size; i++) {
            for (int bit = 0; bit < 8; bit++) {
                struct wrn_sexp sexp;
                bytes[i] ^= (uint8_t)(1 << bit);
                if (wrn_sexp_check(both[which].bytes, &sexp, NULL) == 0) {
                    CHECK(!verifies(signature, cert, key), "byte %zu of %zu: ", i, which);
                }
                bytes[i] ^= (uint8_t)(1 << bit);
            }
        }
    }
    assert_true(verifies(signature, cert, key));
    text_forget();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certificate_with_everything),
        cmocka_unit_test(certificate_with_the_least),
        cmocka_unit_test(delegable_to_named_ones_only),
        cmocka_unit_test(name_certificates),
        cmocka_unit_test(thresholds),
        cmocka_unit_test(faults_of_principals),
        cmocka_unit_test(faults_of_subjects),
        cmocka_unit_test(faults_of_certificates),
        cmocka_unit_test(faults_behind_the_subject),
        cmocka_unit_test(faults_of_entries),
        cmocka_unit_test(faults_of_online),
        cmocka_unit_test(faults_of_signatures),
        cmocka_unit_test(faults_of_crls),
        cmocka_unit_test(faults_of_revalidations),
        cmocka_unit_test(study_mode),
        cmocka_unit_test(crl_is_written_and_read),
        cmocka_unit_test(revalidation_is_written_and_read),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(key_has_one_form),
        cmocka_unit_test(signs_and_verifies),
        cmocka_unit_test(signature_is_for_one_domain),
        cmocka_unit_test(signer_is_a_key_or_its_hash),
        cmocka_unit_test(fingerprint_malleability),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
