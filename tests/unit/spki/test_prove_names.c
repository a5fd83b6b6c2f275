/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: names lead to what their certificates say, thresholds need k of their parts. Method: heaps
 * written by hand, after RFC 2693, sections 6.3.3 (thresholds), 6.4 (names, also compound ones and
 * groups) and 6.5 (what certificates of other kinds become). */
#include <stdio.h>

#include "unit/base/check.h"
#include "unit/spki/heap.h"

#define NOW "2026-11-21_12:00:00"

static void expect(const char *subjects, enum wrn_spki_verdict verdict, size_t chain_count) {
    const struct wrn_spki_answer *answer = heap_ask(subjects, "(ftp)", NOW);
    CHECK(answer->verdict == verdict, "%s: \"%s\": ", subjects, heap_explain(answer));
    CHECK(answer->chain_count == chain_count, "%s: a chain of %zu: ", subjects,
          answer->chain_count);
}

static void expect_sentence(const char *subjects, const char *sentence) {
    const char *said = heap_explain(heap_ask(subjects, "(ftp)", NOW));
    CHECK(strcmp(said, sentence) == 0, "%s: \"%s\": ", subjects, said);
}

/* Section 6.4: <Self, (name K F), D, A, V1> and <K, F, S, V2> give <Self, S, D, A, V1 and V2>. */
static void name_of_a_key(void **state) {
    (void)state;
    heap_begin(false);
    heap_add("(acl (entry (subject (name @K fred)) (tag (ftp))"
             " (valid (not-after '2028-01-01_00:00:00'))))");
    heap_sign('K', "(cert (issuer (name @K fred)) (subject @F)"
                   " (valid (not-after '2027-01-01_00:00:00')))");
    const struct wrn_spki_answer *answer = heap_ask("F", "(ftp)", NOW);
    assert_int_equal(answer->verdict, WRN_SPKI_GRANTED);
    assert_int_equal(answer->chain_count, 2);
    assert_memory_equal(answer->validity.not_after.data, "2027-01-01_00:00:00", 19);
    expect("K", WRN_SPKI_NO_ROOT, 0);
    expect("G", WRN_SPKI_NO_ROOT, 0);
}

/* A name certificate is no gift: it needs no (propagate), and the name's owner has no right. */
static void name_may_be_passed_on_as_the_entry_says(void **state) {
    (void)state;
    heap_begin(false);
    heap_add("(acl (entry (subject (name @K fred)) (tag (ftp))))");
    heap_sign('K', "(cert (issuer (name @K fred)) (subject @F))");
    heap_sign('F', "(cert (issuer @F) (subject @G) (tag (ftp)))");
    heap_sign('K', "(cert (issuer @K) (subject @H) (tag (ftp)))");
    expect_sentence("G",
                    "refused: the ACL's entry for the name \"fred\" of @K may not be passed on, "
                    "but @F passed it on to @G");
    expect("H", WRN_SPKI_NO_ROOT, 0);
    heap_add("(acl (entry (subject (name @K fred)) (propagate) (tag (ftp))))");
    expect("G", WRN_SPKI_GRANTED, 3);
}

/* A name of a name: (name K1 A B) with K1's A being K2, K2's B being K3. */
static void compound_name(void **state) {
    (void)state;
    heap_begin(false);
    heap_add("(acl (entry (subject (name #K carl joe sam)) (tag (ftp))))");
    heap_sign('K', "(cert (issuer (name @K carl)) (subject @A))");
    heap_sign('A', "(cert (issuer (name @A joe)) (subject @B))");
    heap_sign('B', "(cert (issuer (name @B sam)) (subject @C)"
                   " (valid (not-after '2027-01-01_00:00:00')))");
    const struct wrn_spki_answer *answer = heap_ask("C", "(ftp)", NOW);
    assert_int_equal(answer->verdict, WRN_SPKI_GRANTED);
    assert_int_equal(answer->chain_count, 4);
    assert_memory_equal(answer->validity.not_after.data, "2027-01-01_00:00:00", 19);
    expect("B", WRN_SPKI_NO_ROOT, 0);
    /* Words in another order, or in somebody else's mouth, are other names. */
    heap_sign('X', "(cert (issuer (name @X sam)) (subject @D))");
    heap_sign('B', "(cert (issuer (name @B joe)) (subject @D))");
    expect("D", WRN_SPKI_NO_ROOT, 0);
}

/* Names defined by names, groups with several members, some of them compound. */
static void groups(void **state) {
    (void)state;
    heap_begin(false);
    heap_add("(acl (entry (subject (name @K carl friends)) (tag (ftp))))");
    heap_sign('K', "(cert (issuer (name @K carl)) (subject @A))");
    heap_sign('A', "(cert (issuer (name @A friends)) (subject (name @B joe sam)))");
    heap_sign('A', "(cert (issuer (name @A friends)) (subject (name @A leanna)))");
    heap_sign('A', "(cert (issuer (name @A friends)) (subject @M))");
    heap_sign('A', "(cert (issuer (name @A leanna)) (subject @L))");
    heap_sign('B', "(cert (issuer (name @B joe)) (subject @C))");
    heap_sign('C', "(cert (issuer (name @C sam)) (subject @S))");
    expect("L", WRN_SPKI_GRANTED, 4);
    expect("M", WRN_SPKI_GRANTED, 3);
    expect("S", WRN_SPKI_GRANTED, 5);
    expect("C", WRN_SPKI_NO_ROOT, 0);
}

/* Groups within groups within compound names: what the first words stand for has names itself. */
static void compound_name_of_a_group(void **state) {
    (void)state;
    heap_begin(false);
    heap_add("(acl (entry (subject (name @K friends phone)) (tag (ftp))))");
    heap_sign('K', "(cert (issuer (name @K friends)) (subject (name @A all close)))");
    heap_sign('A', "(cert (issuer (name @A all)) (subject @B))");
    heap_sign('A', "(cert (issuer (name @A all)) (subject @C))");
    heap_sign('B', "(cert (issuer (name @B close)) (subject @D))");
    heap_sign('C', "(cert (issuer (name @C close)) (subject (name @A all)))");
    heap_sign('D', "(cert (issuer (name @D phone)) (subject @P))");
    heap_sign('B', "(cert (issuer (name @B phone)) (subject @Q))");
    heap_sign('A', "(cert (issuer (name @A phone)) (subject @R))");
    expect("P", WRN_SPKI_GRANTED, 5);
    expect("Q", WRN_SPKI_GRANTED, 6);
    expect("R", WRN_SPKI_NO_ROOT, 0);
}

/* Names that are defined by themselves, also by longer ones that begin with themselves. */
static void circles_of_names_end(void **state) {
    (void)state;
    heap_begin(false);
    heap_add("(acl (entry (subject (name @K a b)) (propagate) (tag (ftp))))");
    heap_sign('K', "(cert (issuer (name @K a)) (subject (name @K a)))");
    heap_sign('K', "(cert (issuer (name @K a)) (subject (name @K a a)))");
    heap_sign('K', "(cert (issuer (name @K a)) (subject (name @K b a)))");
    heap_sign('K', "(cert (issuer (name @K b)) (subject (name @K a b)))");
    expect("A", WRN_SPKI_NO_ROOT, 0);
    heap_sign('K', "(cert (issuer (name @K a)) (subject @K))");
    heap_sign('K', "(cert (issuer (name @K b)) (subject @A))");
    expect("A", WRN_SPKI_GRANTED, 3);
    heap_sign('A', "(cert (issuer (name @A a)) (subject @B))");
    expect("B", WRN_SPKI_NO_ROOT, 0);
}

/* The faults of name certificates are named like those of others. */
static void faults_of_name_certificates(void **state) {
    (void)state;
    heap_begin(false);
    heap_add("(acl (entry (subject (name @K carl joe)) (tag (ftp))))");
    heap_sign('K', "(cert (issuer (name @K carl)) (subject @A)"
                   " (valid (not-after '2020-01-01_00:00:00')))");
    heap_sign('A', "(cert (issuer (name @A joe)) (subject @B))");
    expect_sentence("B",
                    "refused: certificate 1 of 2 (by @K, whose name \"carl\" is @A) expired on "
                    "2020-01-01 00:00:00 UTC");
    heap_sign('K', "(cert (issuer (name @K carl)) (subject @C))");
    heap_add("(cert (issuer (name @C joe)) (subject @D))");
    expect("D", WRN_SPKI_NOT_SIGNED, 3);
}

/* Section 6.5: a certificate that binds a name to a key, as those of X.509, PGP and SDSI do,
 * becomes a name certificate of its issuer; what the name may do, the ACL says. */
static void certificates_of_other_kinds(void **state) {
    (void)state;
    heap_begin(false);
    /* Two levels of X.509: the root's name for an authority, the authority's for a server. */
    heap_add("(acl (entry (subject (name @R 'Example CA' 'www.example.org')) (tag (ftp))))");
    heap_sign('R', "(cert (issuer (name @R 'Example CA')) (subject @C))");
    heap_sign('C', "(cert (issuer (name @C 'www.example.org')) (subject @S))");
    expect("S", WRN_SPKI_GRANTED, 3);
    expect("C", WRN_SPKI_NO_ROOT, 0);
    /* PGP: two of three friends who are trusted a little call the same key Alice. */
    heap_add(
        "(acl (entry (subject (k-of-n '2' '3' (name @F Alice) (name @G Alice) (name @H Alice)))"
        " (tag (ftp))))");
    heap_sign('F', "(cert (issuer (name @F Alice)) (subject @A))");
    expect("A", WRN_SPKI_TOO_FEW, 2);
    heap_sign('H', "(cert (issuer (name @H Alice)) (subject @A))");
    expect("A", WRN_SPKI_GRANTED, 3);
}

/* Section 6.3.3: k of the parts must lead to the subject, each by its own certificates. */
static void threshold(void **state) {
    (void)state;
    heap_begin(false);
    heap_add("(acl (entry (subject (k-of-n '2' '3' @K @L @M)) (propagate) (tag (ftp))))");
    heap_sign('K', "(cert (issuer @K) (subject @A) (tag (ftp))"
                   " (valid (not-after '2027-01-01_00:00:00')))");
    expect_sentence("A",
                    "refused: the ACL's entry for 2 of 3 subjects needs 2 of the subjects that "
                    "it names, and only 1 of them agrees");
    heap_sign('M', "(cert (issuer @M) (subject @A) (tag (ftp)))");
    const struct wrn_spki_answer *answer = heap_ask("A", "(ftp)", NOW);
    assert_int_equal(answer->verdict, WRN_SPKI_GRANTED);
    assert_int_equal(answer->chain_count, 3);
    assert_memory_equal(answer->validity.not_after.data, "2027-01-01_00:00:00", 19);
    /* The two that last longest are taken. */
    heap_sign('L', "(cert (issuer @L) (subject @A) (tag (ftp))"
                   " (valid (not-after '2026-12-01_00:00:00')))");
    answer = heap_ask("A", "(ftp)", NOW);
    assert_memory_equal(answer->validity.not_after.data, "2027-01-01_00:00:00", 19);
    /* One alone is none of the two; asking together they are. */
    expect("K", WRN_SPKI_TOO_FEW, 1);
    expect("KL", WRN_SPKI_GRANTED, 1);
    expect("KA", WRN_SPKI_GRANTED, 2);
    expect("KZ", WRN_SPKI_TOO_FEW, 1);
}

/* A key that is named twice, or by its hash too, does not stand together with itself; nor does one
 * that becomes known last. */
static void one_key_twice_is_not_two(void **state) {
    static const char *const subjects[] = {
        "(k-of-n '2' '2' @K @K)",
        "(k-of-n '2' '2' @K #K)",
        "(k-of-n '2' '3' #K @L @K)",
        "(k-of-n '2' '2' #K #K)",
        "(k-of-n '2' '2' (name @P a) (name #P a))",
    };
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(subjects); i++) {
        char acl[200];
        heap_begin(false);
        (void)snprintf(acl, sizeof acl, "(acl (entry (subject %s) (propagate) (tag (ftp))))",
                       subjects[i]);
        heap_add(acl);
        heap_add("@K");
        heap_sign('P', "(cert (issuer (name @P a)) (subject @K))");
        heap_sign('K', "(cert (issuer @K) (subject @A) (tag (ftp)))");
        CHECK(heap_ask("K", "(ftp)", NOW)->verdict == WRN_SPKI_TOO_FEW, "%s, K: ", subjects[i]);
        CHECK(heap_ask("A", "(ftp)", NOW)->verdict == WRN_SPKI_TOO_FEW, "%s, A: ", subjects[i]);
        CHECK(strcmp(heap_reduce("", "", ""), "(acl)") == 0, "%s: %s: ", subjects[i],
              heap_reduce("", "", ""));
    }
    heap_begin(false);
    heap_add("(acl (entry (subject (k-of-n '2' '3' @K #K @L)) (tag (ftp))))");
    expect("KL", WRN_SPKI_GRANTED, 1);
}

/* What is missing for k is named, if all parts that are needed have certificates. */
static void fault_within_a_threshold(void **state) {
    (void)state;
    heap_begin(false);
    heap_add("(acl (entry (subject (k-of-n '2' '2' @K @L)) (propagate) (tag (ftp))))");
    heap_sign('K', "(cert (issuer @K) (subject @A) (tag (ftp)))");
    heap_sign('L', "(cert (issuer @L) (subject @A) (tag (http)))");
    expect_sentence("A", "refused: certificate 2 of 2 (by @L for @A) permits http where ftp is "
                         "asked for");
    heap_sign('L', "(cert (issuer @L) (subject @A) (tag (ftp))"
                   " (valid (not-after '2020-01-01_00:00:00')))");
    expect("A", WRN_SPKI_EXPIRED, 3);
}

/* Without (propagate) the parts themselves must ask. */
static void threshold_that_may_not_be_passed_on(void **state) {
    (void)state;
    heap_begin(false);
    heap_add("(acl (entry (subject (k-of-n '2' '2' @K @L)) (tag (ftp))))");
    heap_sign('K', "(cert (issuer @K) (subject @A) (tag (ftp)))");
    heap_sign('L', "(cert (issuer @L) (subject @A) (tag (ftp)))");
    expect("A", WRN_SPKI_NO_DELEGATION, 3);
    expect("KL", WRN_SPKI_GRANTED, 1);
}

/* Thresholds within thresholds, names within thresholds, thresholds behind names. */
static void nested_thresholds(void **state) {
    (void)state;
    heap_begin(false);
    heap_add("(acl (entry (subject (k-of-n '2' '2' @K (k-of-n '1' '2' (name @L group) @M)))"
             " (propagate) (tag (ftp))))");
    heap_sign('L', "(cert (issuer (name @L group)) (subject (k-of-n '2' '2' @P @Q)))");
    heap_sign('K', "(cert (issuer @K) (subject @A) (tag (ftp)))");
    expect("A", WRN_SPKI_TOO_FEW, 2);
    heap_sign('P', "(cert (issuer @P) (subject @A) (tag (ftp)))");
    expect("A", WRN_SPKI_TOO_FEW, 2); /* the outer one is nearer to the root */
    heap_sign('Q', "(cert (issuer @Q) (subject @A) (tag (ftp)))");
    expect("A", WRN_SPKI_GRANTED, 5);
    expect("KM", WRN_SPKI_GRANTED, 1);
    expect("KPQ", WRN_SPKI_GRANTED, 2);
    expect("KP", WRN_SPKI_TOO_FEW, 1);
}

/* A list of whom it may be passed on to holds for parts of thresholds too, and behind names. */
static void only_some_of_those_that_ask(void **state) {
    (void)state;
    heap_begin(false);
    heap_add("(acl (entry (subject @R) (propagate (only @A @B)) (tag (ftp))))");
    heap_sign('R', "(cert (issuer @R) (subject (k-of-n '2' '3' @A (name @R bob) @C)) (tag (ftp)))");
    heap_sign('R', "(cert (issuer (name @R bob)) (subject @B))");
    heap_sign('R', "(cert (issuer (name @R carol)) (subject @C))");
    heap_sign('R', "(cert (issuer @R) (subject (name @R carol)) (tag (ftp)))");
    expect("AB", WRN_SPKI_GRANTED, 3);
    expect("ABC", WRN_SPKI_GRANTED, 3);
    expect("AC", WRN_SPKI_WRONG_DELEGATE, 2);
    expect("A", WRN_SPKI_TOO_FEW, 2);
    expect("C", WRN_SPKI_WRONG_DELEGATE, 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(name_of_a_key),
        cmocka_unit_test(name_may_be_passed_on_as_the_entry_says),
        cmocka_unit_test(compound_name),
        cmocka_unit_test(groups),
        cmocka_unit_test(compound_name_of_a_group),
        cmocka_unit_test(circles_of_names_end),
        cmocka_unit_test(faults_of_name_certificates),
        cmocka_unit_test(certificates_of_other_kinds),
        cmocka_unit_test(threshold),
        cmocka_unit_test(one_key_twice_is_not_two),
        cmocka_unit_test(fault_within_a_threshold),
        cmocka_unit_test(threshold_that_may_not_be_passed_on),
        cmocka_unit_test(nested_thresholds),
        cmocka_unit_test(only_some_of_those_that_ask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
