/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what is revoked grants nothing from then on and for ever after, whatever is shown later,
 * and nobody but who may revoke can do it. Method: heaps written by hand with real signatures,
 * after RFC 2693, section 5.2. */
#include <stdio.h>

#include "unit/base/check.h"
#include "unit/spki/heap.h"

#define NOW "2026-11-21_12:00:00"

static const char given[] = "(cert (issuer @R) (subject @A) (propagate) (tag (*)))";
static const char passed[] = "(cert (issuer @A) (subject @B) (tag (*)))";

static void begin(void) {
    heap_begin(false);
    heap_add("(acl (entry (subject @R) (propagate) (tag (*))))");
    heap_sign('R', given);
    heap_sign('A', passed);
}

/* Adds a CRL by 'issuer', signed by 'signer', that cancels these objects. */
static void cancel_as(char signer, char issuer, const char *validity, size_t count,
                      const char *const *objects) {
    char text[2048];
    size_t used = (size_t)snprintf(text, sizeof(text), "(crl (issuer @%c) (canceled", issuer);
    for (size_t i = 0; i < count; i++) {
        uint8_t hash[WRN_SHA256_SIZE];
        wrn_spki_hash(heap_read(objects[i]), hash);
        used += (size_t)snprintf(text + used, sizeof(text) - used, " (hash sha256 #");
        for (size_t j = 0; j < sizeof(hash); j++) {
            used += (size_t)snprintf(text + used, sizeof(text) - used, "%02x", hash[j]);
        }
        used += (size_t)snprintf(text + used, sizeof(text) - used, "#)");
    }
    (void)snprintf(text + used, sizeof(text) - used, ") %s)", validity);
    heap_sign(signer, text);
}

static void cancel(char issuer, const char *validity, const char *object) {
    cancel_as(issuer, issuer, validity, object ? 1 : 0, &object);
}

static void expect_at(const char *date, enum wrn_spki_verdict verdict) {
    const struct wrn_spki_answer *answer = heap_ask("B", "x", date);
    CHECK(answer->verdict == verdict, "%s: \"%s\": ", date, heap_explain(answer));
}

static void expect(enum wrn_spki_verdict verdict) {
    expect_at(NOW, verdict);
}

static void revoked_by_its_issuer(void **state) {
    (void)state;
    begin();
    expect(WRN_SPKI_GRANTED);
    cancel('A', "(valid (not-before '2026-11-01_00:00:00') (not-after '2026-11-02_00:00:00'))",
           passed);
    const struct wrn_spki_answer *answer = heap_ask("B", "x", NOW);
    assert_int_equal(answer->verdict, WRN_SPKI_REVOKED);
    assert_string_equal(heap_explain(answer), "refused: certificate 2 of 2 (by @A for @B) was "
                                              "revoked on 2026-11-01 00:00:00 UTC by @A");
    assert_memory_equal(answer->since.data, "2026-11-01_00:00:00", 19);
    assert_string_equal(heap_letters(text_of(answer->by.sexp)), "@A");
    /* Before it counts nothing is revoked; when it has ended, it still is. */
    expect_at("2026-10-31_23:59:59", WRN_SPKI_GRANTED);
    expect_at("2026-11-01_00:00:00", WRN_SPKI_REVOKED);
    expect_at("2030-01-01_00:00:00", WRN_SPKI_REVOKED);
}

/* A list that begins tomorrow ends what is granted today. */
static void announced_revocation_ends_the_grant(void **state) {
    (void)state;
    begin();
    cancel('A', "(valid (not-before '2027-03-01_00:00:00'))", passed);
    cancel('A', "(valid (not-before '2027-01-01_00:00:00'))", passed);
    const struct wrn_spki_answer *answer = heap_ask("B", "x", NOW);
    assert_int_equal(answer->verdict, WRN_SPKI_GRANTED);
    assert_int_equal(answer->validity.not_after.size, WRN_SPKI_DATE_SIZE);
    assert_memory_equal(answer->validity.not_after.data, "2026-12-31_23:59:59", WRN_SPKI_DATE_SIZE);
    assert_string_equal(heap_reduce("B", "x", NOW),
                        "(acl (entry (subject @B) (tag x) (valid (not-after "
                        "'2026-12-31_23:59:59'))))");
    expect_at("2026-12-31_23:59:59", WRN_SPKI_GRANTED);
    expect_at("2027-01-01_00:00:00", WRN_SPKI_REVOKED);
}

/* Any certificate of the chain counts. */
static void revoked_above(void **state) {
    (void)state;
    begin();
    cancel('R', "(valid (not-before '2026-11-01_00:00:00'))", given);
    assert_string_equal(heap_explain(heap_ask("B", "x", NOW)),
                        "refused: certificate 1 of 2 (by @R for @A) was revoked on "
                        "2026-11-01 00:00:00 UTC by @R");
}

static void others_may_not_revoke(void **state) {
    (void)state;
    static const char from[] = "(valid (not-before '2026-11-01_00:00:00'))";
    const char *object = passed;
    begin();
    cancel('R', from, passed); /* who gave A the right has not issued it */
    cancel('B', from, passed);
    cancel_as('B', 'A', from, 1, &object); /* in A's name, signed by B */
    expect(WRN_SPKI_GRANTED);
    cancel('A', from, passed);
    expect(WRN_SPKI_REVOKED);
}

/* An old list under a new date, or a shorter one, does not bring anything back. */
static void revocation_is_never_taken_back(void **state) {
    (void)state;
    const char *both[] = {passed, given};
    begin();
    cancel('A', "(valid (not-before '2026-11-05_00:00:00'))", NULL);
    cancel_as('A', 'A', "(valid (not-before '2026-11-01_00:00:00'))", 2, both);
    cancel('A', "(valid (not-before '2026-11-10_00:00:00'))", given);
    expect(WRN_SPKI_REVOKED);
    expect_at("2026-10-01_00:00:00", WRN_SPKI_GRANTED);
}

/* The first list that names it says since when. */
static void since_the_first_list(void **state) {
    (void)state;
    begin();
    cancel('A', "(valid (not-before '2026-11-10_00:00:00'))", passed);
    cancel('A', "(valid (not-before '2026-11-02_00:00:00'))", passed);
    cancel('A', "(valid (not-before '2026-11-05_00:00:00'))", passed);
    const struct wrn_spki_answer *answer = heap_ask("B", "x", NOW);
    assert_memory_equal(answer->since.data, "2026-11-02_00:00:00", 19);
}

/* A certificate renewed is another one. */
static void another_chain_goes_on(void **state) {
    (void)state;
    begin();
    cancel('A', "(valid (not-before '2026-11-01_00:00:00'))", passed);
    expect(WRN_SPKI_REVOKED);
    heap_sign('A', "(cert (issuer @A) (subject @B) (tag (*)) (comment again))");
    expect(WRN_SPKI_GRANTED);
}

/* (online crl P): without a list of P that is valid now it grants nothing, nor longer than it. */
static void demands_a_fresh_list(void **state) {
    (void)state;
    static const char demanding[] =
        "(cert (issuer @A) (subject @B) (tag (*)) (valid (not-before '2026-01-01_00:00:00')"
        " (not-after '2027-01-01_00:00:00') (online crl (uri http://x) #P)))";
    heap_begin(false);
    heap_add("(acl (entry (subject @A) (propagate) (tag (*))))");
    heap_add("@P");
    heap_sign('A', demanding);
    assert_string_equal(heap_explain(heap_ask("B", "x", NOW)),
                        "refused: certificate 1 of 1 (by @A for @B) demands a CRL by @P that is "
                        "valid now, and there is none; fetch a newer one");
    cancel('A', "(valid (not-before '2026-11-01_00:00:00'))", NULL); /* A's is not P's */
    cancel('P', "(valid (not-before '2026-10-01_00:00:00') (not-after '2026-10-31_00:00:00'))",
           NULL);
    expect(WRN_SPKI_NO_FRESH_CRL);
    cancel('P', "(valid (not-before '2026-11-20_00:00:00') (not-after '2026-11-22_00:00:00'))",
           NULL);
    const struct wrn_spki_answer *answer = heap_ask("B", "x", NOW);
    assert_int_equal(answer->verdict, WRN_SPKI_GRANTED);
    assert_memory_equal(answer->validity.not_before.data, "2026-11-20_00:00:00", 19);
    assert_memory_equal(answer->validity.not_after.data, "2026-11-22_00:00:00", 19);
    expect_at("2026-11-22_00:00:01", WRN_SPKI_NO_FRESH_CRL);
    /* P may revoke it too, and the earlier of the two counts. */
    cancel('A', "(valid (not-before '2026-11-21_06:00:00'))", demanding);
    answer = heap_ask("B", "x", NOW);
    assert_memory_equal(answer->since.data, "2026-11-21_06:00:00", 19);
    cancel('P', "(valid (not-before '2026-11-21_00:00:00') (not-after '2026-11-22_00:00:00'))",
           demanding);
    answer = heap_ask("B", "x", NOW);
    assert_int_equal(answer->verdict, WRN_SPKI_REVOKED);
    assert_memory_equal(answer->since.data, "2026-11-21_00:00:00", 19);
    assert_string_equal(heap_letters(text_of(answer->by.sexp)), "@P");
}

/* A list that names less than one before it is not the state of today. */
static void rollback_is_not_fresh(void **state) {
    (void)state;
    const char *one[] = {given}, *two[] = {passed, given};
    heap_begin(false);
    heap_add("(acl (entry (subject @A) (propagate) (tag (*))))");
    heap_sign('A', "(cert (issuer @A) (subject @B) (tag (*)) (valid (online crl @P)))");
    heap_add("@P");
    cancel_as('P', 'P',
              "(valid (not-before '2026-10-01_00:00:00') (not-after '2026-10-31_00:00:00'))", 1,
              one);
    cancel_as('P', 'P',
              "(valid (not-before '2026-11-01_00:00:00') (not-after '2026-12-01_00:00:00'))", 0,
              one);
    expect(WRN_SPKI_NO_FRESH_CRL);
    cancel_as('P', 'P',
              "(valid (not-before '2026-11-02_00:00:00') (not-after '2026-12-02_00:00:00'))", 2,
              two);
    expect(WRN_SPKI_GRANTED);
}

/* Adds a CRL by P with 'count' hashes, every 'step'-th of a long row, from its end if 'is_back'. */
static void cancel_row(size_t day, size_t count, size_t step, bool is_back) {
    static char text[1 << 17];
    size_t used = (size_t)snprintf(text, sizeof(text), "(crl (issuer @P) (canceled");
    for (size_t i = 0; i < count; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, " (hash sha256 #%064zx#)",
                                 (is_back ? count - 1 - i : i) * step);
    }
    (void)snprintf(text + used, sizeof(text) - used,
                   ") (valid (not-before '2026-11-%02zu_00:00:00') (not-after "
                   "'2026-11-%02zu_23:00:00')))",
                   day, day);
    heap_sign('P', text);
}

/* Long lists that keep their order are compared in one pass; for others there are only so many
 * looks as 256 entries need, or somebody's lists could keep a verifier busy. */
static void long_lists(void **state) {
    static const struct {
        size_t before, step, count;
        bool is_back;
        enum wrn_spki_verdict verdict;
    } cases[] = {
        {600, 2, 1200, false, WRN_SPKI_GRANTED},
        {600, 2, 1198, false, WRN_SPKI_NO_FRESH_CRL}, /* the last is left out */
        {250, 1, 250, true, WRN_SPKI_GRANTED},
        {1200, 1, 1200, true, WRN_SPKI_NO_FRESH_CRL},
    };
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        heap_begin(false);
        heap_add("(acl (entry (subject @A) (propagate) (tag (*))))");
        heap_sign('A', "(cert (issuer @A) (subject @B) (tag (*)) (valid (online crl @P)))");
        cancel_row(1, cases[i].before, cases[i].step, false);
        cancel_row(21, cases[i].count, 1, cases[i].is_back);
        const struct wrn_spki_answer *answer = heap_ask("B", "x", NOW);
        CHECK(answer->verdict == cases[i].verdict, "case %zu: %s: ", i, heap_explain(answer));
    }
}

/* (online reval P): the same with a statement for this certificate alone. */
static void demands_a_revalidation(void **state) {
    (void)state;
    heap_begin(false);
    heap_add("(acl (entry (subject @A) (propagate) (tag (*))))");
    heap_add("@P");
    struct wrn_sexp cert =
        heap_sign('A', "(cert (issuer @A) (subject @B) (tag (*)) (valid (online reval @P)))");
    assert_string_equal(heap_explain(heap_ask("B", "x", NOW)),
                        "refused: certificate 1 of 1 (by @A for @B) demands a revalidation by @P "
                        "that is valid now, and there is none; fetch a newer one");
    cancel('P', "(valid (not-before '2026-11-20_00:00:00'))", NULL); /* a list is none */
    expect(WRN_SPKI_NO_FRESH_CRL);
    uint8_t hash[WRN_SHA256_SIZE];
    struct wrn_sexp reval;
    const char *const signers = "AP";
    for (size_t i = 0; i < 2; i++) {
        struct wrn_sexp_writer writer = wrn_sexp_writer(text_room(1024), 1024);
        struct wrn_spki_validity validity = {
            .not_before = {(const uint8_t *)"2026-11-20_00:00:00", 19},
            .not_after = {(const uint8_t *)"2026-11-22_00:00:00", 19},
        };
        wrn_spki_hash(cert, hash);
        wrn_spki_write_reval(&writer, heap_read("@P"), hash, &validity);
        assert_int_equal(wrn_sexp_finish(&writer, &reval), 0);
        /* Signed by A it is not P's; by P it is. */
        heap_put(reval);
        heap_put(heap_signature(signers[i], reval));
        expect(i == 0 ? WRN_SPKI_NO_FRESH_CRL : WRN_SPKI_GRANTED);
    }
    expect_at("2026-11-22_00:00:01", WRN_SPKI_NO_FRESH_CRL);
}

static void one_time_is_refused(void **state) {
    (void)state;
    heap_begin(false);
    heap_add("(acl (entry (subject @A) (propagate) (tag (*))))");
    heap_sign('A', "(cert (issuer @A) (subject @B) (tag (*)) (valid (online one-time @P)))");
    assert_string_equal(heap_explain(heap_ask("B", "x", NOW)),
                        "refused: certificate 1 of 1 (by @A for @B) demands a one-time "
                        "revalidation, which is not supported");
}

/* Names can be revoked like rights. */
static void revoked_name(void **state) {
    (void)state;
    static const char named[] = "(cert (issuer (name @A bob)) (subject @B))";
    heap_begin(false);
    heap_add("(acl (entry (subject (name @A bob)) (tag (*))))");
    heap_sign('A', named);
    expect(WRN_SPKI_GRANTED);
    cancel('A', "(valid (not-before '2026-11-01_00:00:00'))", named);
    expect(WRN_SPKI_REVOKED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(announced_revocation_ends_the_grant),
        cmocka_unit_test(revoked_by_its_issuer),
        cmocka_unit_test(revoked_above),
        cmocka_unit_test(others_may_not_revoke),
        cmocka_unit_test(revocation_is_never_taken_back),
        cmocka_unit_test(since_the_first_list),
        cmocka_unit_test(another_chain_goes_on),
        cmocka_unit_test(demands_a_fresh_list),
        cmocka_unit_test(rollback_is_not_fresh),
        cmocka_unit_test(demands_a_revalidation),
        cmocka_unit_test(one_time_is_refused),
        cmocka_unit_test(revoked_name),
        cmocka_unit_test(long_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
