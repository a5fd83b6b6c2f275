/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the readers of certificates, entries, signatures, CRLs and revalidations: the input is a
 * text with expressions in any form. Views must lie within what was read; what is read strictly is
 * read the same for study; a certificate written from its views has the same views. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#include "spki/cert.h"

/* What must hold for any input, in every build. */
#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static void check_object(struct wrn_sexp sexp);
static void check_certificate(struct wrn_sexp sexp, bool is_entry);
static void check_views(const struct wrn_spki_cert *cert);
static void check_subject(const struct wrn_spki_subject *subject, struct wrn_sexp whole);
static void check_written(const struct wrn_spki_cert *cert);
static void check_dates(const struct wrn_spki_validity *validity);
static void check_answers(struct wrn_sexp sexp);
static void check_signature(struct wrn_sexp sexp);
static bool is_within(wrn_span part, struct wrn_sexp whole);
static bool is_same(wrn_span a, wrn_span b);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    wrn_span text = {data, size};
    size_t capacity = wrn_sexp_capacity(size), used = 0;
    uint8_t *out = malloc(capacity);
    struct wrn_sexp sexp;
    HOLDS(out != NULL);
    while (wrn_sexp_read(WRN_SEXP_ANY, text, out, capacity, &sexp, &used, NULL) == 0) {
        uint8_t *copy = malloc(sexp.bytes.size); /* of its own size: a read beyond is seen */
        HOLDS(copy != NULL);
        memcpy(copy, sexp.bytes.data, sexp.bytes.size);
        check_object((struct wrn_sexp){{copy, sexp.bytes.size}});
        free(copy);
        text = (wrn_span){text.data + used, text.size - used};
    }
    free(out);
    return 0;
}

static void check_object(struct wrn_sexp sexp) {
    struct wrn_spki_error error = {WRN_SPKI_OK, sexp};
    struct wrn_spki_online online;
    struct wrn_spki_subject subject;
    check_certificate(sexp, false);
    check_certificate(sexp, true);
    check_answers(sexp);
    check_signature(sexp);
    if (wrn_spki_read_subject(sexp, WRN_SPKI_STUDY, &subject, &error) == 0) {
        check_subject(&subject, sexp);
    }
    HOLDS(is_within(error.at.bytes, sexp));
    if (wrn_spki_read_online(sexp, WRN_SPKI_STUDY, &online, &error) == 0) {
        HOLDS(is_within(online.principal.sexp.bytes, sexp));
    }
    HOLDS(is_within(error.at.bytes, sexp));
}

static int read_any(struct wrn_sexp sexp, bool is_entry, enum wrn_spki_mode mode,
                    struct wrn_spki_cert *cert) {
    struct wrn_spki_error error = {WRN_SPKI_OK, sexp};
    int result = is_entry ? wrn_spki_read_entry(sexp, mode, cert, &error)
                          : wrn_spki_read_cert(sexp, mode, cert, &error);
    HOLDS((result == 0) == (error.fault == WRN_SPKI_OK));
    HOLDS(is_within(error.at.bytes, sexp) && error.at.bytes.size > 0);
    HOLDS(wrn_spki_fault_text(error.fault)[0] != '\0');
    return result;
}

static void check_certificate(struct wrn_sexp sexp, bool is_entry) {
    struct wrn_spki_cert strict, study;
    int of_study = read_any(sexp, is_entry, WRN_SPKI_STUDY, &study);
    int of_strict = read_any(sexp, is_entry, WRN_SPKI_STRICT, &strict);
    HOLDS(of_strict != 0 || of_study == 0);
    if (of_study == 0) {
        check_views(&study);
    }
    if (of_strict == 0) {
        HOLDS(wrn_sexp_equal(strict.tag, study.tag));
        HOLDS(wrn_sexp_equal(strict.subject.sexp, study.subject.sexp));
        HOLDS(strict.subject.k == study.subject.k && strict.delegation == study.delegation);
        HOLDS(is_same(strict.validity.not_after, study.validity.not_after));
        check_views(&strict);
        check_dates(&strict.validity);
        check_written(&strict);
    }
}

static void check_views(const struct wrn_spki_cert *cert) {
    HOLDS(is_within(cert->issuer.sexp.bytes, cert->sexp));
    HOLDS(is_within(cert->issuer_name, cert->sexp));
    HOLDS(is_within(cert->online.bytes, cert->sexp));
    HOLDS(is_within(cert->comment, cert->sexp));
    HOLDS(is_within(cert->validity.not_before, cert->sexp));
    HOLDS(is_within(cert->validity.not_after, cert->sexp));
    HOLDS(cert->only_count <= WRN_SPKI_THRESHOLD_MAX);
    HOLDS((cert->only_count > 0) == (cert->delegation == WRN_SPKI_DELEGABLE_TO));
    HOLDS(cert->is_acl_entry == (cert->issuer.sexp.bytes.size == 0));
    HOLDS((cert->tag.bytes.size == 0) == (cert->issuer_name.data != NULL));
    check_subject(&cert->subject, cert->sexp);
}

static void check_subject(const struct wrn_spki_subject *subject, struct wrn_sexp whole) {
    HOLDS(is_within(subject->sexp.bytes, whole));
    HOLDS(is_within(subject->principal.sexp.bytes, whole));
    HOLDS((subject->name_count > 0) == (subject->kind == WRN_SPKI_SUBJECT_NAME));
    HOLDS(subject->name_count <= WRN_SPKI_NAME_PARTS_MAX);
    for (size_t i = 0; i < subject->name_count; i++) {
        HOLDS(is_within(subject->names[i], whole) && subject->names[i].size > 0);
    }
    if (subject->kind == WRN_SPKI_SUBJECT_THRESHOLD) {
        HOLDS(subject->k >= 1 && subject->k <= subject->n);
        HOLDS(subject->n <= WRN_SPKI_THRESHOLD_MAX);
        for (size_t i = 0; i < subject->n; i++) {
            struct wrn_spki_subject part;
            HOLDS(is_within(subject->parts[i].bytes, whole));
            HOLDS(wrn_spki_read_subject(subject->parts[i], WRN_SPKI_STUDY, &part, NULL) == 0);
            HOLDS(part.kind != WRN_SPKI_SUBJECT_OBJECT);
        }
    }
}

static void check_written(const struct wrn_spki_cert *cert) {
    struct wrn_sexp only[WRN_SPKI_THRESHOLD_MAX], sexp;
    for (size_t i = 0; i < cert->only_count; i++) {
        only[i] = cert->only[i].sexp;
    }
    struct wrn_spki_issue issue = {
        .issuer = cert->issuer.sexp,
        .issuer_name = cert->issuer_name,
        .subject = cert->subject.sexp,
        .delegation = cert->delegation,
        .only = only,
        .only_count = cert->only_count,
        .tag = cert->tag,
        .validity = cert->validity,
        .online = cert->online,
        .comment = cert->comment,
    };
    uint8_t *room = malloc(cert->sexp.bytes.size);
    HOLDS(room != NULL);
    struct wrn_sexp_writer out = wrn_sexp_writer(room, cert->sexp.bytes.size);
    wrn_spki_write_cert(&out, &issue, cert->is_acl_entry);
    HOLDS(wrn_sexp_finish(&out, &sexp) == 0); /* never larger: what says nothing is left out */
    struct wrn_spki_cert again;
    HOLDS(read_any(sexp, cert->is_acl_entry, WRN_SPKI_STRICT, &again) == 0);
    HOLDS(wrn_sexp_equal(again.issuer.sexp, cert->issuer.sexp));
    HOLDS(is_same(again.issuer_name, cert->issuer_name));
    HOLDS(wrn_sexp_equal(again.subject.sexp, cert->subject.sexp));
    HOLDS(wrn_sexp_equal(again.tag, cert->tag));
    HOLDS(wrn_sexp_equal(again.online, cert->online));
    HOLDS(again.delegation == cert->delegation && again.only_count == cert->only_count);
    HOLDS(is_same(again.validity.not_before, cert->validity.not_before));
    HOLDS(is_same(again.validity.not_after, cert->validity.not_after));
    HOLDS(is_same(again.comment, cert->comment));
    free(room);
}

/* Strict dates are moments, in the same order. */
static void check_dates(const struct wrn_spki_validity *validity) {
    int64_t before = INT64_MIN, after = INT64_MAX;
    char date[WRN_SPKI_DATE_SIZE];
    if (validity->not_before.size > 0) {
        HOLDS(wrn_spki_date_read(validity->not_before, &before));
        HOLDS(wrn_spki_date_write(before, date));
        HOLDS(memcmp(date, validity->not_before.data, sizeof date) == 0);
    }
    if (validity->not_after.size > 0) {
        HOLDS(wrn_spki_date_read(validity->not_after, &after));
    }
    HOLDS(before <= after);
}

static void check_answers(struct wrn_sexp sexp) {
    struct wrn_spki_error error = {WRN_SPKI_OK, sexp};
    struct wrn_spki_crl crl;
    struct wrn_spki_reval reval;
    if (wrn_spki_read_crl(sexp, &crl, &error) == 0) {
        const uint8_t *hash;
        size_t count = 0;
        while (wrn_spki_next_canceled(&crl, &hash)) {
            HOLDS(is_within((wrn_span){hash, WRN_SHA256_SIZE}, sexp));
            count++;
        }
        HOLDS(count == crl.count);
        check_dates(&crl.validity);
    }
    HOLDS(is_within(error.at.bytes, sexp));
    if (wrn_spki_read_reval(sexp, &reval, &error) == 0) {
        HOLDS(is_within((wrn_span){reval.cert_hash, WRN_SHA256_SIZE}, sexp));
        check_dates(&reval.validity);
    }
    HOLDS(is_within(error.at.bytes, sexp));
}

/* No signature that the fuzzer finds is good, and none is over itself. */
static void check_signature(struct wrn_sexp sexp) {
    struct wrn_spki_error error = {WRN_SPKI_OK, sexp};
    struct wrn_spki_signature signature;
    if (wrn_spki_read_signature(sexp, &signature, &error) == 0) {
        HOLDS(is_within((wrn_span){signature.value, WRN_SIGNATURE_SIZE}, sexp));
        HOLDS(is_within((wrn_span){signature.object_hash, WRN_SHA256_SIZE}, sexp));
        HOLDS(signature.signer.ed25519 == NULL ||
              !wrn_spki_verify(&signature, sexp, signature.signer.ed25519));
    }
    HOLDS(is_within(error.at.bytes, sexp));
}

/* No span at all lies everywhere. */
static bool is_within(wrn_span part, struct wrn_sexp whole) {
    static const char any[] = "(1:*)"; /* what a certificate without a tag permits for study */
    if (part.data == NULL) {
        return part.size == 0;
    }
    return (part.data >= whole.bytes.data &&
            part.data + part.size <= whole.bytes.data + whole.bytes.size) ||
           (part.size == sizeof any - 1 && memcmp(part.data, any, part.size) == 0);
}

static bool is_same(wrn_span a, wrn_span b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}
