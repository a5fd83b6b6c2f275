/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: reducing writes every entry that follows, each once and in order, and a chain reduces in
 * the order that the prover gave. Method: study heaps written by hand, after RFC 2693, sections 6.3
 * and 6.4; bounds; real signatures for chains. */
#include "unit/base/check.h"
#include "unit/spki/heap.h"

#define NOW "2026-11-21_12:00:00"

static void expect(const char *subjects, const char *request, const char *now, const char *acl) {
    const char *got = heap_reduce(subjects, request, now);
    CHECK(strcmp(got, acl) == 0, "\"%s\" \"%s\" \"%s\":\n  %s\n", subjects, request, now, got);
}

/* Section 6.3: <I1,S1,D1,A1,V1> and <I2,S2,D2,A2,V2> give <I1,S2,D2,A1 and A2,V1 and V2>. */
static void rule_of_reduction(void **state) {
    (void)state;
    heap_begin(true);
    heap_add("(acl (entry (subject @K) (propagate) (tag (foo (* set a b)))"
             " (valid (not-after '2001-11-22_13:24:59'))))");
    heap_add("(cert (issuer @K) (subject @L) (tag (foo (* set b c) d))"
             " (valid (not-before '2000-05-05_00:00:00') (not-after '2002-01-01_00:00:00')))");
    expect("", "", "",
           "(acl (entry (subject @K) (propagate) (tag (foo (* set a b)))"
           " (valid (not-after '2001-11-22_13:24:59')))"
           " (entry (subject @L) (tag (foo b d))"
           " (valid (not-before '2000-05-05_00:00:00') (not-after '2001-11-22_13:24:59'))))");
    expect("L", "(foo b d e)", "2000-05-05_00:00:00",
           "(acl (entry (subject @L) (tag (foo b d e))"
           " (valid (not-before '2000-05-05_00:00:00') (not-after '2001-11-22_13:24:59'))))");
    expect("L", "", "1999-01-01_00:00:00", "(acl)");
    expect("L", "(foo a)", "", "(acl)");
    expect("M", "", "", "(acl)");
}

/* Nothing follows without (propagate), and nothing when tags or times do not meet. */
static void nothing_follows(void **state) {
    (void)state;
    heap_begin(true);
    heap_add("(acl (entry (subject @K) (tag (foo))))");
    heap_add("(cert (issuer @K) (subject @L) (propagate) (tag (foo)))");
    expect("", "", "", "(acl (entry (subject @K) (tag (foo))))");
    heap_begin(true);
    heap_add("(acl (entry (subject @K) (propagate) (tag (foo))"
             " (valid (not-after '2001-01-01_00:00:00'))))");
    heap_add("(cert (issuer @K) (subject @L) (tag (bar)))");
    heap_add("(cert (issuer @K) (subject @M) (tag (foo))"
             " (valid (not-before '2001-01-01_00:00:01')))");
    heap_add("(cert (issuer @K) (subject @N) (tag (foo))"
             " (valid (not-before '2001-01-01_00:00:00')))");
    expect("LMN", "", "",
           "(acl (entry (subject @N) (tag (foo)) (valid (not-before '2001-01-01_00:00:00')"
           " (not-after '2001-01-01_00:00:00'))))");
}

/* All that follows is written, also what another entry permits anyway; equal ones once; hashes as
 * keys where the key is known, whatever the algorithm and whenever it became known. */
static void every_entry_once(void **state) {
    (void)state;
    heap_begin(true);
    heap_add("(acl (entry (subject #K) (propagate) (tag (*))) (entry (subject %K) (tag (*))))");
    heap_add("(cert (issuer %K) (subject #L) (tag (a)))");
    heap_add("(cert (issuer #K) (subject #L) (tag (a)) (comment again))");
    heap_add("(cert (issuer @K) (subject #L) (propagate) (tag (a b)))");
    expect("", "", "",
           "(acl (entry (subject @K) (tag (*))) (entry (subject @K) (propagate) (tag (*)))"
           " (entry (subject #L) (tag (a))) (entry (subject #L) (propagate) (tag (a b))))");
    heap_add("@L");
    expect("L", "", "",
           "(acl (entry (subject @L) (tag (a))) (entry (subject @L) (propagate) (tag (a b))))");
}

/* Section 6.4: names are what they reduce to, at the times of all certificates on the way. */
static void names(void **state) {
    (void)state;
    heap_begin(true);
    heap_add("(acl (entry (subject (name @K carl friends)) (propagate) (tag (foo))"
             " (valid (not-before '2000-01-01_00:00:00') (not-after '2001-01-01_00:00:00'))))");
    heap_add("(cert (issuer (name @K carl)) (subject @A))");
    heap_add("(cert (issuer (name @A friends)) (subject (name @A leanna)))");
    heap_add("(cert (issuer (name @A friends)) (subject (name @B joe sam)))");
    heap_add("(cert (issuer (name @A leanna)) (subject @L)"
             " (valid (not-after '2000-12-31_10:15:00')))");
    heap_add("(cert (issuer (name @B joe)) (subject @B))");
    heap_add("(cert (issuer (name @B sam)) (subject @S))");
    heap_add("(cert (issuer @L) (subject (name @L freddy)) (tag (foo bar)))");
    heap_add("(cert (issuer (name @L freddy)) (subject @F))");
    heap_add("(cert (issuer (name @L freddy)) (subject (name @L freddy freddy)))");
    expect("", "", "",
           "(acl (entry (subject @F) (tag (foo bar)) (valid (not-before '2000-01-01_00:00:00')"
           " (not-after '2000-12-31_10:15:00')))"
           " (entry (subject @L) (propagate) (tag (foo)) (valid (not-before '2000-01-01_00:00:00')"
           " (not-after '2000-12-31_10:15:00')))"
           " (entry (subject @S) (propagate) (tag (foo)) (valid (not-before '2000-01-01_00:00:00')"
           " (not-after '2001-01-01_00:00:00'))))");
}

/* Section 6.3.3: k parts that lead to one subject give it what they have in common. */
static void thresholds(void **state) {
    (void)state;
    heap_begin(true);
    heap_add("(acl (entry (subject (k-of-n '2' '3' @K @L @M)) (propagate) (tag (foo))))");
    heap_add("(cert (issuer @K) (subject @A) (propagate) (tag (foo (* set a b))))");
    expect("", "", "", "(acl)");
    heap_add("(cert (issuer @L) (subject @A) (propagate) (tag (foo (* set b c))))");
    expect("", "", "", "(acl (entry (subject @A) (propagate) (tag (foo b))))");
    heap_add("(cert (issuer @M) (subject @A) (tag (foo (* set a c))))");
    heap_add("(cert (issuer @A) (subject @B) (tag (foo)))");
    expect("", "", "",
           "(acl (entry (subject @A) (tag (foo a))) (entry (subject @A) (tag (foo c)))"
           " (entry (subject @A) (propagate) (tag (foo b))) (entry (subject @B) (tag (foo b))))");
    /* Two certificates of one part are not two parts. */
    heap_begin(true);
    heap_add("(acl (entry (subject (k-of-n '2' '2' @K @L)) (propagate) (tag (foo))))");
    heap_add("(cert (issuer @K) (subject @A) (tag (foo a)))");
    heap_add("(cert (issuer @K) (subject @A) (propagate) (tag (foo)))");
    expect("", "", "", "(acl)");
    /* Whichever of the two permits less, in rights, passing on or time. */
    heap_add("(cert (issuer @L) (subject @A) (tag (foo))"
             " (valid (not-before '2000-01-01_00:00:00') (not-after '2001-01-01_00:00:00')))");
    expect("", "", "",
           "(acl (entry (subject @A) (tag (foo)) (valid (not-before '2000-01-01_00:00:00')"
           " (not-after '2001-01-01_00:00:00')))"
           " (entry (subject @A) (tag (foo a)) (valid (not-before '2000-01-01_00:00:00')"
           " (not-after '2001-01-01_00:00:00'))))");
    heap_begin(true);
    heap_add("(acl (entry (subject (k-of-n '2' '2' @K @L)) (propagate) (tag (foo))))");
    heap_add(
        "(cert (issuer @K) (subject @A) (tag (foo)) (valid (not-after '2000-01-01_00:00:00')))");
    heap_add("(cert (issuer @L) (subject @A) (propagate) (tag (foo))"
             " (valid (not-before '2000-01-01_00:00:01')))");
    expect("", "", "", "(acl)");
    heap_add("(cert (issuer @L) (subject @A) (propagate) (tag (foo)))");
    expect("", "", "",
           "(acl (entry (subject @A) (tag (foo)) (valid (not-after '2000-01-01_00:00:00'))))");
    /* One that leads to the same through different parts of its own. */
    heap_begin(true);
    heap_add("(acl (entry (subject (k-of-n '1' '2' @K @L)) (propagate) (tag (foo))))");
    heap_add("(cert (issuer @K) (subject (k-of-n '2' '2' @L @M)) (propagate) (tag (foo)))");
    heap_add("(cert (issuer @M) (subject @L) (tag (foo x)))");
    expect("L", "", "",
           "(acl (entry (subject @L) (tag (foo x))) (entry (subject @L) (propagate) (tag (foo))))");
}

/* (propagate (only ...)): those in the list, no further, and written back; what two parts of a
 * threshold permit together is who is in both lists. */
static void named_delegates(void **state) {
    (void)state;
    heap_begin(true);
    heap_add("(acl (entry (subject @H) (propagate) (tag (r))))");
    heap_add("(cert (issuer @H) (subject @U) (propagate (only @V @W)) (tag (r)))");
    heap_add("(cert (issuer @U) (subject @V) (propagate) (tag (r run)))");
    heap_add("(cert (issuer @U) (subject @X) (propagate) (tag (r run)))");
    heap_add("(cert (issuer @V) (subject @W) (propagate) (tag (r run)))");
    heap_add("(cert (issuer @U) (subject (name @U w)) (tag (r stop)))");
    heap_add("(cert (issuer (name @U w)) (subject @W))");
    heap_add("(cert (issuer (name @U w)) (subject @X))");
    expect("UVWX", "", "",
           "(acl (entry (subject @U) (propagate (only @V @W)) (tag (r)))"
           " (entry (subject @V) (tag (r run))) (entry (subject @W) (tag (r stop))))");
    heap_begin(true);
    heap_add("(acl (entry (subject (k-of-n '2' '2' @K @L)) (propagate) (tag (r))))");
    heap_add("(cert (issuer @K) (subject @U) (propagate (only @V @W)) (tag (r)))");
    heap_add("(cert (issuer @L) (subject @U) (propagate (only @W @X)) (tag (r)))");
    heap_add("(cert (issuer @U) (subject @V) (tag (r)))");
    heap_add("(cert (issuer @U) (subject @W) (tag (r)))");
    expect("", "", "",
           "(acl (entry (subject @U) (propagate (only @W)) (tag (r)))"
           " (entry (subject @W) (tag (r))))");
}

/* What is revoked, unsigned or stale gives nothing in a strict heap. */
static void certificates_that_count(void **state) {
    (void)state;
    heap_begin(false);
    heap_add("(acl (entry (subject @K) (propagate) (tag (*))))");
    heap_add("(cert (issuer @K) (subject @A) (tag (a)))");
    heap_sign('L', "(cert (issuer @K) (subject @B) (tag (b)))");
    heap_sign('K', "(cert (issuer @K) (subject @C) (tag (c)) (valid (online crl @P)))");
    heap_sign('K', "(cert (issuer @K) (subject @D) (tag (d)))");
    expect("ABCD", "", "", "(acl (entry (subject @D) (tag (d))))");
    heap_sign('P', "(crl (issuer @P) (canceled) (valid (not-before '2026-11-01_00:00:00')"
                   " (not-after '2026-12-01_00:00:00')))");
    expect("C", "", NOW,
           "(acl (entry (subject @C) (tag (c)) (valid (not-before '2026-11-01_00:00:00')"
           " (not-after '2026-12-01_00:00:00'))))");
    expect("C", "", "2027-01-01_00:00:00", "(acl)");
}

static void what_cannot_be_reduced(void **state) {
    (void)state;
    heap_begin(false);
    heap_add("(acl (entry (subject @K) (propagate) (tag (*))))");
    expect("K", "(* prefix)", "", "malformed");
    expect("K", "", "2026", "malformed");
    expect("K", "", "2026-02-30_00:00:00", "malformed");
    struct wrn_sexp nobody = heap_read("(name @K a)"), empty = {{NULL, 0}};
    uint8_t out[100];
    struct wrn_sexp_writer writer = wrn_sexp_writer(out, sizeof(out));
    assert_int_equal(
        wrn_spki_reduce(heap_current(), &nobody, 1, empty, (wrn_span){NULL, 0}, &writer),
        WRN_ERR_MALFORMED);
    /* An entry is larger than this. */
    assert_int_equal(wrn_spki_reduce(heap_current(), NULL, 0, empty, (wrn_span){NULL, 0}, &writer),
                     -ENOBUFS);
}

/* Each bound is an error, not a smaller result. */
static void bounds(void **state) {
    (void)state;
    struct wrn_spki_limits limits = {.certs_max = 16, .keys_max = 16};
    static const struct {
        uint32_t bytes_max, tuples_max;
    } rows[] = {{0, 100}, {8, 100}, {100, 100}, {1 << 12, 0}, {1 << 12, 3}, {1 << 12, 100}};
    heap_begin(true);
    for (size_t i = 0; i < WRN_COUNT(rows); i++) {
        limits.bytes_max = rows[i].bytes_max;
        limits.tuples_max = rows[i].tuples_max;
        heap_begin_with(&limits);
        heap_add("(acl (entry (subject @K) (propagate) (tag (foo))))");
        heap_add("(cert (issuer @K) (subject @A) (tag (foo a)))");
        heap_add("(cert (issuer @K) (subject @B) (tag (foo b)))");
        heap_add("(cert (issuer @K) (subject @C) (tag (foo c)))");
        const char *got = heap_reduce("", "", "");
        CHECK((strcmp(got, "full") == 0) == (i + 1 < WRN_COUNT(rows)), "row %zu: %s: ", i, got);
    }
}

/* ---- Chains (section 6.3.4) */

static const struct wrn_spki_cert *chain[8];

/* Reduces the certificates with these numbers in the order of adding. */
static void expect_chain(const char *numbers, const char *now, const char *expected) {
    static uint8_t out[4096];
    struct wrn_sexp_writer writer = wrn_sexp_writer(out, sizeof(out));
    struct wrn_spki_answer answer;
    struct wrn_sexp entry;
    size_t count = strlen(numbers);
    for (size_t i = 0; i < count; i++) {
        chain[i] = wrn_spki_at(heap_current(), (size_t)(numbers[i] - '0'));
    }
    int result =
        wrn_spki_reduce_chain(heap_current(), chain, count,
                              (wrn_span){(const uint8_t *)now, strlen(now)}, &writer, &answer);
    CHECK(result == (answer.verdict == WRN_SPKI_GRANTED), "%s: %d: ", numbers, result);
    const char *got = result ? (assert_int_equal(wrn_sexp_finish(&writer, &entry), 0),
                                heap_letters(text_of(entry)))
                             : heap_explain(&answer);
    CHECK(strcmp(got, expected) == 0, "%s %s: \"%s\": ", numbers, now, got);
}

static void chains(void **state) {
    (void)state;
    heap_begin(false);
    heap_add("(acl (entry (subject (name @K carl joe)) (propagate) (tag (foo))))"); /* 0 */
    heap_sign('K', "(cert (issuer (name @K carl)) (subject (name @A me)))");        /* 1 */
    heap_sign('A', "(cert (issuer (name @A me)) (subject @A))");                    /* 2 */
    heap_sign('A', "(cert (issuer (name @A joe)) (subject @B)"
                   " (valid (not-after '2027-01-01_00:00:00')))");                         /* 3 */
    heap_sign('B', "(cert (issuer @B) (subject @C) (propagate (only @D)) (tag (foo a)))"); /* 4 */
    heap_sign('C', "(cert (issuer @C) (subject @D) (tag (foo a)))");                       /* 5 */
    heap_sign('C', "(cert (issuer @C) (subject @E) (tag (foo a)))");                       /* 6 */
    heap_sign('D', "(cert (issuer @D) (subject @E) (tag (foo a)))");                       /* 7 */
    heap_sign('B', "(cert (issuer @B) (subject @C) (tag (bar)))");                         /* 8 */
    heap_sign('B', "(cert (issuer @B) (subject @C) (tag (foo))"
                   " (valid (not-before '2028-01-01_00:00:00')))"); /* 9 */
    expect_chain("0123", "",
                 "(entry (subject @B) (propagate) (tag (foo))"
                 " (valid (not-after '2027-01-01_00:00:00')))");
    expect_chain("012345", NOW,
                 "(entry (subject @D) (tag (foo a))"
                 " (valid (not-after '2027-01-01_00:00:00')))");
    expect_chain("012345", "2027-01-01_00:00:01",
                 "refused: certificate 3 of 5 (by @A, whose name \"joe\" is @B) expired on "
                 "2027-01-01 00:00:00 UTC");
    expect_chain("012346", "",
                 "refused: certificate 4 of 5 (by @B for @C) may be passed on to @D "
                 "alone, but @C passed it on to @E");
    expect_chain("0123457", "",
                 "refused: certificate 4 of 6 (by @B for @C) may be passed on to @D "
                 "alone, but @D passed it on to @E");
    expect_chain(
        "01235", "",
        "refused: certificate 4 of 4 (by @C for @D) does not continue what comes before it");
    expect_chain("01238", "",
                 "refused: certificate 4 of 4 (by @B for @C) permits bar where foo is "
                 "asked for");
    expect_chain("01239", "",
                 "refused: certificate 4 of 4 (by @B for @C) is not valid before "
                 "2028-01-01 00:00:00 UTC");
    /* Another order, or a part of it, is no chain. */
    expect_chain("012", "", "refused: no chain of certificates leads from the ACL to the subject");
    expect_chain("1", "",
                 "refused: certificate 1 of 1 (by @K, whose name \"carl\" is the name \"me\" of "
                 "@A) does not "
                 "continue what comes before it");
    expect_chain(
        "0213", "",
        "refused: certificate 1 of 3 (by @A, whose name \"me\" is @A) does not continue what "
        "comes before it");
}

/* A chain is one line; that several agree is a matter for the search. */
static void threshold_in_a_chain(void **state) {
    (void)state;
    heap_begin(false);
    heap_add("(acl (entry (subject (k-of-n '1' '2' @K @L)) (propagate) (tag (foo))))");
    heap_sign('K', "(cert (issuer @K) (subject @A) (tag (foo)))");
    expect_chain("0", "",
                 "refused: the ACL's entry for 1 of 2 subjects needs 1 of the subjects that "
                 "it names, and none of them is known to agree");
    expect_chain("01", "",
                 "refused: certificate 1 of 1 (by @K for @A) does not continue what comes "
                 "before it");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rule_of_reduction),
        cmocka_unit_test(nothing_follows),
        cmocka_unit_test(every_entry_once),
        cmocka_unit_test(names),
        cmocka_unit_test(thresholds),
        cmocka_unit_test(named_delegates),
        cmocka_unit_test(certificates_that_count),
        cmocka_unit_test(what_cannot_be_reduced),
        cmocka_unit_test(bounds),
        cmocka_unit_test(chains),
        cmocka_unit_test(threshold_in_a_chain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
