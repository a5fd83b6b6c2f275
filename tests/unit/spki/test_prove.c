/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a request is granted exactly when a chain of certificates grants it, as long as the best
 * chain does, and else the first fault of the chain that comes furthest is named. Method: heaps
 * written by hand with real keys, one for each verdict, with culprit and sentence; the chains of
 * HIPerNet; RFC 2693, section 6.3. */
#include <stdio.h>

#include "unit/base/check.h"
#include "unit/spki/heap.h"

#define NOW "2026-11-21_12:00:00"

static void expect(const struct wrn_spki_answer *answer, enum wrn_spki_verdict verdict,
                   const char *sentence) {
    CHECK(answer->verdict == verdict, "verdict %d, \"%s\": ", (int)answer->verdict,
          heap_explain(answer));
    CHECK(strcmp(heap_explain(answer), sentence) == 0, "\"%s\": ", heap_explain(answer));
}

static void expect_until(const char *subjects, const char *request, const char *until) {
    const struct wrn_spki_answer *answer = heap_ask(subjects, request, NOW);
    wrn_spki_date end = answer->validity.not_after;
    CHECK(answer->verdict == WRN_SPKI_GRANTED, "%s, %s: \"%s\": ", subjects, request,
          heap_explain(answer));
    CHECK(end.size == strlen(until) && (end.size == 0 || memcmp(end.data, until, end.size) == 0),
          "%s, %s: until %.*s: ", subjects, request, (int)end.size, (const char *)end.data);
}

static void expect_refusal(const char *subjects, const char *request,
                           enum wrn_spki_verdict verdict) {
    const struct wrn_spki_answer *answer = heap_ask(subjects, request, NOW);
    CHECK(answer->verdict == verdict, "%s, %s: \"%s\": ", subjects, request, heap_explain(answer));
}

/* The verifier trusts R for the network; R made A an administrator of a part, A let B read. */
static void begin_three(void) {
    heap_begin(false);
    heap_add("(acl (entry (subject @R) (propagate) (tag (net (* set read write)))))");
    heap_sign('R',
              "(cert (issuer @R) (subject #A) (propagate) (tag (net (* set read write)))"
              " (valid (not-before '2026-01-01_00:00:00') (not-after '2027-01-01_00:00:00')))");
    heap_sign('A', "(cert (issuer @A) (subject @B) (tag (net read))"
                   " (valid (not-after '2026-12-01_00:00:00')))");
}

static void chain_grants_until_its_first_end(void **state) {
    (void)state;
    begin_three();
    const struct wrn_spki_answer *answer = heap_ask("B", "(net read)", NOW);
    expect(answer, WRN_SPKI_GRANTED,
           "granted until 2026-12-01 00:00:00 UTC by an entry of the ACL and 2 certificates");
    assert_int_equal(answer->chain_count, 3);
    assert_true(answer->chain[0]->is_acl_entry);
    assert_string_equal(heap_letters(text_of(answer->chain[1]->issuer.sexp)), "@R");
    assert_string_equal(heap_letters(text_of(answer->chain[2]->issuer.sexp)), "@A");
    assert_memory_equal(answer->validity.not_before.data, "2026-01-01_00:00:00", 19);
    assert_null(answer->culprit);
    expect_until("A", "(net write)", "2027-01-01_00:00:00");
    expect_until("R", "(net (* set read write))", "");
    expect(heap_ask("R", "(net read)", NOW), WRN_SPKI_GRANTED,
           "granted without end by an entry of the ACL");
}

/* Both ends belong to a validity: RFC 2693, section 6.3.2. */
static void ends_belong_to_the_validity(void **state) {
    (void)state;
    begin_three();
    static const struct {
        const char *date;
        enum wrn_spki_verdict verdict;
    } rows[] = {
        {"2025-12-31_23:59:59", WRN_SPKI_NOT_YET_VALID},
        {"2026-01-01_00:00:00", WRN_SPKI_GRANTED},
        {"2026-12-01_00:00:00", WRN_SPKI_GRANTED},
        {"2026-12-01_00:00:01", WRN_SPKI_EXPIRED},
    };
    for (size_t i = 0; i < WRN_COUNT(rows); i++) {
        CHECK(heap_ask("B", "(net read)", rows[i].date)->verdict == rows[i].verdict,
              "%s: ", rows[i].date);
    }
}

static void no_root(void **state) {
    (void)state;
    begin_three();
    const struct wrn_spki_answer *answer = heap_ask("C", "(net read)", NOW);
    expect(answer, WRN_SPKI_NO_ROOT,
           "refused: no chain of certificates leads from the ACL to the subject");
    assert_int_equal(answer->chain_count, 0);
    heap_sign('C', "(cert (issuer @C) (subject @C) (propagate) (tag (*)))");
    expect_refusal("C", "(net read)", WRN_SPKI_NO_ROOT);
    heap_begin(false);
    heap_sign('R', "(cert (issuer @R) (subject @R) (propagate) (tag (*)))");
    expect_refusal("R", "(net read)", WRN_SPKI_NO_ROOT);
}

/* Who may say who he is to no purpose: what is no principal, a hash that nobody has. */
static void subject_that_is_nobody(void **state) {
    (void)state;
    begin_three();
    struct wrn_sexp subjects[] = {heap_read("(net read)"), heap_read("#Z"),
                                  heap_read("(name @R a)")};
    struct wrn_spki_answer answer;
    struct wrn_spki_query query = {
        .subjects = subjects, .subject_count = 3, .request = heap_read("(net read)")};
    assert_true(wrn_spki_date_read((wrn_span){(const uint8_t *)NOW, 19}, &query.now_s));
    wrn_spki_ask(heap_current(), &query, &answer);
    expect(&answer, WRN_SPKI_NO_ROOT,
           "refused: no chain of certificates leads from the ACL to the subject");
    query.now_s = INT64_MAX;
    wrn_spki_ask(heap_current(), &query, &answer);
    expect(&answer, WRN_SPKI_TOO_LARGE, "refused: too large to be decided within the limits");
}

static void not_signed(void **state) {
    (void)state;
    heap_begin(false);
    heap_add("(acl (entry (subject @R) (propagate) (tag (*))))");
    heap_add("(cert (issuer @R) (subject @A) (tag (*)))");
    const struct wrn_spki_answer *answer = heap_ask("A", "x", NOW);
    expect(
        answer, WRN_SPKI_NOT_SIGNED,
        "refused: certificate 1 of 1 (by @R for @A) is not signed by its issuer, or the issuer's "
        "key is not known; add the sequence with its signature and key");
    assert_ptr_equal(answer->culprit, answer->chain[1]);
    /* Somebody else's signature is none. */
    heap_put(heap_signature('A', answer->culprit->sexp));
    expect_refusal("A", "x", WRN_SPKI_NOT_SIGNED);
    /* A bare one, later, is. */
    heap_put(heap_signature('R', answer->culprit->sexp));
    expect_until("A", "x", "");
}

/* A certificate of (hash ...) needs the key from somewhere; it may come last. */
static void key_that_becomes_known_late(void **state) {
    (void)state;
    heap_begin(false);
    heap_add("(acl (entry (subject #R) (propagate) (tag (*))))");
    struct wrn_sexp cert = heap_read("(cert (issuer #R) (subject #A) (tag (*)))");
    struct wrn_sexp signature = heap_hash_signature('R', cert);
    heap_put(signature);
    heap_put(cert);
    expect_refusal("A", "x", WRN_SPKI_NOT_SIGNED);
    heap_add("@R");
    expect_until("A", "x", "");
}

static void bad_signature(void **state) {
    (void)state;
    begin_three();
    /* A changes what he gave, and shows it with the signature of what he had. */
    struct wrn_sexp cert = heap_read("(cert (issuer @A) (subject @C) (tag (net read)))");
    heap_forge(heap_read("(cert (issuer @A) (subject @C) (tag (net write)))"),
               heap_signature('A', cert));
    expect(
        heap_ask("C", "(net write)", NOW), WRN_SPKI_BAD_SIGNATURE,
        "refused: certificate 2 of 2 (by @A for @C) has a signature that does not verify: it was "
        "changed since, or forged; get it again from its issuer");
    expect_refusal("C", "(net read)", WRN_SPKI_BAD_SIGNATURE);
}

/* Every bit of a signed certificate counts, and every bit of its signature. */
static void one_bit_changes_everything(void **state) {
    (void)state;
    size_t read = 0;
    for (size_t bit = 0;; bit += 3) {
        heap_begin(false);
        heap_add("(acl (entry (subject @R) (propagate) (tag (*))))");
        struct wrn_sexp cert = heap_read("(cert (issuer @R) (subject @A) (tag (net read)))");
        struct wrn_sexp signature = heap_signature('R', cert), sexp;
        bool is_cert = bit < cert.bytes.size * 8;
        size_t at = is_cert ? bit : bit - cert.bytes.size * 8;
        wrn_span changed = is_cert ? cert.bytes : signature.bytes;
        if (at >= changed.size * 8) {
            break;
        }
        uint8_t *copy = text_room(changed.size);
        memcpy(copy, changed.data, changed.size);
        copy[at / 8] ^= (uint8_t)(1U << (at % 8));
        if (wrn_sexp_check((wrn_span){copy, changed.size}, &sexp, NULL) ||
            wrn_spki_add(heap_current(), is_cert ? sexp : cert, NULL) ||
            wrn_spki_add(heap_current(), is_cert ? signature : sexp, NULL)) {
            continue;
        }
        read++;
        CHECK(heap_ask("A", "(net read)", NOW)->verdict != WRN_SPKI_GRANTED, "bit %zu: ", bit);
    }
    assert_true(read > 300); /* the others were not even read */
}

static void not_yet_valid_and_expired(void **state) {
    (void)state;
    begin_three();
    expect(
        heap_ask("B", "(net read)", "2025-06-01_00:00:00"), WRN_SPKI_NOT_YET_VALID,
        "refused: certificate 1 of 2 (by @R for #A) is not valid before 2026-01-01 00:00:00 UTC");
    const struct wrn_spki_answer *answer = heap_ask("B", "(net read)", "2026-12-24_18:00:00");
    expect(answer, WRN_SPKI_EXPIRED,
           "refused: certificate 2 of 2 (by @A for @B) expired on 2026-12-01 00:00:00 UTC");
    assert_int_equal(answer->culprit_index, 2);
    assert_memory_equal(answer->since.data, "2026-12-01_00:00:00", 19);
    /* Both have ended: the first from the root is named. */
    expect(heap_ask("B", "(net read)", "2028-01-01_00:00:00"), WRN_SPKI_EXPIRED,
           "refused: certificate 1 of 2 (by @R for #A) expired on 2027-01-01 00:00:00 UTC");
}

static void entry_of_the_acl_that_fails(void **state) {
    (void)state;
    heap_begin(false);
    heap_add(
        "(acl (entry (subject @A) (tag (net read)) (valid (not-after '2020-01-01_00:00:00'))))");
    expect(heap_ask("A", "(net read)", NOW), WRN_SPKI_EXPIRED,
           "refused: the ACL's entry for @A expired on 2020-01-01 00:00:00 UTC");
}

static void tag_that_permits_less(void **state) {
    (void)state;
    begin_three();
    const struct wrn_spki_answer *answer = heap_ask("B", "(net write)", NOW);
    expect(answer, WRN_SPKI_TAG,
           "refused: certificate 2 of 2 (by @A for @B) permits read where write is asked for");
    assert_string_equal(text_of(answer->wanted), "write");
    assert_string_equal(text_of(answer->permitted), "read");
    expect_refusal("B", "(*)", WRN_SPKI_TAG);
    expect_refusal("B", "(net (* set read write))", WRN_SPKI_TAG);
    expect_refusal("B", "(* set)", WRN_SPKI_TAG);
    expect_refusal("B", "(net)", WRN_SPKI_TAG);
    expect_until("B", "(net read now)", "2026-12-01_00:00:00");
}

/* No chain grants what a link of it does not have; two halves do not make a whole. */
static void tags_of_two_chains_are_not_added(void **state) {
    (void)state;
    begin_three();
    heap_sign('A', "(cert (issuer @A) (subject @B) (tag (net write)))");
    expect_until("B", "(net read)", "2026-12-01_00:00:00");
    expect_until("B", "(net write)", "2027-01-01_00:00:00");
    expect_refusal("B", "(net (* set read write))", WRN_SPKI_TAG);
}

static void not_delegable(void **state) {
    (void)state;
    begin_three();
    heap_sign('B', "(cert (issuer @B) (subject @C) (propagate) (tag (net read)))");
    const struct wrn_spki_answer *answer = heap_ask("C", "(net read)", NOW);
    expect(answer, WRN_SPKI_NO_DELEGATION,
           "refused: certificate 2 of 3 (by @A for @B) may not be passed on, but @B passed it on "
           "to @C");
    assert_ptr_equal(answer->passed_on, answer->chain[3]);
    heap_begin(false);
    heap_add("(acl (entry (subject @R) (tag (*))))");
    heap_sign('R', "(cert (issuer @R) (subject @A) (tag (*)))");
    expect(heap_ask("A", "x", NOW), WRN_SPKI_NO_DELEGATION,
           "refused: the ACL's entry for @R may not be passed on, but @R passed it on to @A");
}

/* The reason is taken from the chain that needs the least forgiveness, in a fixed order. */
static void reason_of_the_chain_that_comes_furthest(void **state) {
    (void)state;
    static const struct {
        const char *far; /* certificate by R for A, with a fault that is forgiven first */
        const char *near;
        enum wrn_spki_verdict verdict;
    } rows[] = {
        {"(cert (issuer @R) (subject @A) (tag (net)) (valid (not-after '2020-01-01_00:00:00')))",
         "(cert (issuer @R) (subject @A) (tag (other)))", WRN_SPKI_EXPIRED},
        {"(cert (issuer @R) (subject @A) (tag (other)))",
         "(cert (issuer @R) (subject @A) (tag (net)) (valid (not-after '2020-01-01_00:00:00')))",
         WRN_SPKI_EXPIRED},
        {"(cert (issuer @R) (subject @A) (tag (net)) (valid (online crl @R)))",
         "(cert (issuer @R) (subject @A) (tag (other)) (comment 'x'))", WRN_SPKI_NO_FRESH_CRL},
    };
    for (size_t i = 0; i < WRN_COUNT(rows); i++) {
        heap_begin(false);
        heap_add("(acl (entry (subject @R) (propagate) (tag (*))))");
        heap_sign('R', rows[i].far);
        heap_sign('R', rows[i].near);
        CHECK(heap_ask("A", "(net read)", NOW)->verdict == rows[i].verdict, "row %zu: ", i);
    }
    /* Of equal ones the one with fewer faults. */
    heap_begin(false);
    heap_add("(acl (entry (subject @R) (propagate) (tag (*))))");
    heap_sign('R', "(cert (issuer @R) (subject @A) (propagate) (tag (*))"
                   " (valid (not-after '2020-01-01_00:00:00')))");
    heap_sign('A', "(cert (issuer @A) (subject @B) (tag (*))"
                   " (valid (not-after '2021-01-01_00:00:00')))");
    heap_sign('R', "(cert (issuer @R) (subject @C) (propagate) (tag (*)))");
    heap_sign('C', "(cert (issuer @C) (subject @D) (propagate) (tag (*)))");
    heap_sign('D', "(cert (issuer @D) (subject @B) (tag (*))"
                   " (valid (not-after '2022-01-01_00:00:00')))");
    expect(heap_ask("B", "x", NOW), WRN_SPKI_EXPIRED,
           "refused: certificate 3 of 3 (by @D for @B) expired on 2022-01-01 00:00:00 UTC");
}

/* Of several chains the one that lasts longest, of these the one that begins first, of these the
 * shortest. */
static void longest_validity_wins(void **state) {
    (void)state;
    heap_begin(false);
    heap_add("(acl (entry (subject @R) (propagate) (tag (*))))");
    heap_sign('R', "(cert (issuer @R) (subject @B) (tag (*))"
                   " (valid (not-after '2026-12-01_00:00:00')))");
    expect_until("B", "x", "2026-12-01_00:00:00");
    heap_sign('R',
              "(cert (issuer @R) (subject @A) (propagate) (tag (*))"
              " (valid (not-before '2026-02-01_00:00:00') (not-after '2030-01-01_00:00:00')))");
    heap_sign('A', "(cert (issuer @A) (subject @B) (tag (*))"
                   " (valid (not-after '2029-01-01_00:00:00')))");
    expect_until("B", "x", "2029-01-01_00:00:00");
    heap_sign('R', "(cert (issuer @R) (subject @C) (propagate) (tag (*))"
                   " (valid (not-before '2026-01-01_00:00:00')))");
    heap_sign('C', "(cert (issuer @C) (subject @D) (propagate) (tag (*)))");
    heap_sign('D', "(cert (issuer @D) (subject @B) (tag (*))"
                   " (valid (not-after '2029-01-01_00:00:00')))");
    const struct wrn_spki_answer *answer = heap_ask("B", "x", NOW);
    assert_memory_equal(answer->validity.not_after.data, "2029-01-01_00:00:00", 19);
    assert_memory_equal(answer->validity.not_before.data, "2026-01-01_00:00:00", 19);
    assert_int_equal(answer->chain_count, 4);
    heap_sign('C', "(cert (issuer @C) (subject @B) (tag (*))"
                   " (valid (not-after '2029-01-01_00:00:00')))");
    answer = heap_ask("B", "x", NOW);
    assert_memory_equal(answer->validity.not_before.data, "2026-01-01_00:00:00", 19);
    assert_int_equal(answer->chain_count, 3);
}

/* Forged certificates that promise more do not hide the one that is good, however many. */
static void bad_signatures_are_passed_over(void **state) {
    (void)state;
    heap_begin(false);
    heap_add("(acl (entry (subject @R) (propagate) (tag (*))))");
    struct wrn_sexp other = heap_read("(cert (issuer @R) (subject @Z) (tag (*)))");
    for (size_t i = 0; i < 20; i++) {
        char text[200];
        (void)snprintf(text, sizeof(text),
                       "(cert (issuer @R) (subject @A) (tag (*))"
                       " (valid (not-after '2050-01-01_00:00:%02zu')))",
                       i);
        heap_forge_hash(heap_read(text), heap_signature('R', other));
    }
    expect_refusal("A", "x", WRN_SPKI_BAD_SIGNATURE);
    heap_sign('R', "(cert (issuer @R) (subject @A) (tag (*))"
                   " (valid (not-after '2027-01-01_00:00:00')))");
    expect_until("A", "x", "2027-01-01_00:00:00");
}

/* Certificates may lead in circles. */
static void circles_end(void **state) {
    (void)state;
    heap_begin(false);
    heap_add("(acl (entry (subject @A) (propagate) (tag (*))))");
    heap_sign('A', "(cert (issuer @A) (subject @B) (propagate) (tag (*)))");
    heap_sign('B', "(cert (issuer @B) (subject @A) (propagate) (tag (*)))");
    heap_sign('B', "(cert (issuer @B) (subject @B) (propagate) (tag (*)))");
    heap_sign('B', "(cert (issuer @B) (subject @C) (tag (*)))");
    const struct wrn_spki_answer *answer = heap_ask("C", "x", NOW);
    assert_int_equal(answer->verdict, WRN_SPKI_GRANTED);
    assert_int_equal(answer->chain_count, 3);
    expect_refusal("D", "x", WRN_SPKI_NO_ROOT);
}

/* ---- HIPerNet: R a resource, H and I registrars, U and V users, X somebody else. Tags name what
 * may be done with the resource. */

static void begin_hipernet(void) {
    heap_begin(false);
    /* What the resource keeps of what it granted: the registrar may pass it on. */
    heap_add("(acl (entry (subject @H) (propagate) (tag (resource r1 (* set run store)))))");
}

/* Resource to registrar, with delegation; a user outside the community gets nothing. */
static void registrar_may_delegate(void **state) {
    (void)state;
    begin_hipernet();
    heap_sign('H', "(cert (issuer @H) (subject @U) (tag (resource r1 run)))");
    expect_until("U", "(resource r1 run)", "");
    expect_refusal("X", "(resource r1 run)", WRN_SPKI_NO_ROOT);
}

/* Registrar to user, without: the user cannot pass it on. */
static void user_may_not_delegate(void **state) {
    (void)state;
    begin_hipernet();
    heap_sign('H', "(cert (issuer @H) (subject @U) (tag (resource r1 run)))");
    heap_sign('U', "(cert (issuer @U) (subject @V) (tag (resource r1 run)))");
    expect(heap_ask("V", "(resource r1 run)", NOW), WRN_SPKI_NO_DELEGATION,
           "refused: certificate 1 of 2 (by @H for @U) may not be passed on, but @U passed it on "
           "to @V");
}

/* The registrar cannot give what the resource did not. */
static void registrar_gives_what_he_was_not_granted(void **state) {
    (void)state;
    begin_hipernet();
    heap_sign('H', "(cert (issuer @H) (subject @U) (tag (resource r1 (* set run own))))");
    expect_until("U", "(resource r1 run)", "");
    expect(heap_ask("U", "(resource r1 own)", NOW), WRN_SPKI_TAG,
           "refused: the ACL's entry for @H permits (* set run store) where own is asked for");
}

/* Two registrars: the first certifies the second. */
static void second_registrar(void **state) {
    (void)state;
    begin_hipernet();
    heap_sign('H', "(cert (issuer @H) (subject @I) (propagate) (tag (resource r1)))");
    heap_sign('I', "(cert (issuer @I) (subject @U) (tag (resource r1 run)))");
    expect_until("U", "(resource r1 run)", "");
}

/* The second user: he asks the first (who may deny), that one the registrar (who may deny), who
 * permits him to pass it on to the second alone. */
static void second_user(void **state) {
    (void)state;
    static const char limited[] = "(cert (issuer @H) (subject @U) (propagate (only @V))"
                                  " (tag (resource r1 run)))";
    static const char passed[] = "(cert (issuer @U) (subject @V) (tag (resource r1 run)))";
    /* The first user denies. */
    begin_hipernet();
    heap_sign('H', limited);
    expect_refusal("V", "(resource r1 run)", WRN_SPKI_NO_ROOT);
    /* The registrar denies. */
    begin_hipernet();
    heap_sign('U', passed);
    expect_refusal("V", "(resource r1 run)", WRN_SPKI_NO_ROOT);
    /* Both agree. */
    begin_hipernet();
    heap_sign('H', limited);
    heap_sign('U', passed);
    expect_until("V", "(resource r1 run)", "");
    expect_until("U", "(resource r1 run)", "");
    expect_refusal("V", "(resource r1 store)", WRN_SPKI_TAG);
    /* Somebody else in his place. */
    heap_sign('U', "(cert (issuer @U) (subject @X) (propagate) (tag (resource r1 run)))");
    const struct wrn_spki_answer *answer = heap_ask("X", "(resource r1 run)", NOW);
    expect(answer, WRN_SPKI_WRONG_DELEGATE,
           "refused: certificate 1 of 2 (by @H for @U) may be passed on to @V alone, but @U passed "
           "it on to @X");
    assert_ptr_equal(answer->passed_on, answer->chain[2]);
}

/* And the second user cannot pass it on, whatever the first writes. */
static void second_user_may_not_delegate(void **state) {
    (void)state;
    begin_hipernet();
    heap_sign('H', "(cert (issuer @H) (subject @U) (propagate (only @V #W))"
                   " (tag (resource r1)))");
    heap_sign('U', "(cert (issuer @U) (subject @V) (propagate) (tag (resource r1)))");
    heap_sign('V', "(cert (issuer @V) (subject @X) (propagate) (tag (resource r1)))");
    heap_sign('V', "(cert (issuer @V) (subject @W) (propagate) (tag (resource r1)))");
    expect_until("V", "(resource r1 run)", "");
    expect(heap_ask("X", "(resource r1 run)", NOW), WRN_SPKI_WRONG_DELEGATE,
           "refused: certificate 1 of 3 (by @H for @U) may be passed on to @V or #W alone, but @V "
           "passed it on to @X");
    /* W may have it from U, not from V. */
    expect_refusal("W", "(resource r1 run)", WRN_SPKI_WRONG_DELEGATE);
    heap_sign('U', "(cert (issuer @U) (subject @W) (tag (resource r1)))");
    expect_until("W", "(resource r1 run)", "");
}

/* The detour over one who is not on the list is the fault, though it ends with one who is. */
static void second_user_by_a_stranger(void **state) {
    (void)state;
    begin_hipernet();
    heap_sign('H', "(cert (issuer @H) (subject @U) (propagate (only @V)) (tag (resource r1)))");
    heap_sign('U', "(cert (issuer @U) (subject @X) (propagate) (tag (resource r1)))");
    heap_sign('X', "(cert (issuer @X) (subject @V) (tag (resource r1)))");
    expect(heap_ask("V", "(resource r1 run)", NOW), WRN_SPKI_WRONG_DELEGATE,
           "refused: certificate 1 of 3 (by @H for @U) may be passed on to @V alone, but @U passed "
           "it on to @X");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chain_grants_until_its_first_end),
        cmocka_unit_test(ends_belong_to_the_validity),
        cmocka_unit_test(no_root),
        cmocka_unit_test(subject_that_is_nobody),
        cmocka_unit_test(not_signed),
        cmocka_unit_test(key_that_becomes_known_late),
        cmocka_unit_test(bad_signature),
        cmocka_unit_test(one_bit_changes_everything),
        cmocka_unit_test(not_yet_valid_and_expired),
        cmocka_unit_test(entry_of_the_acl_that_fails),
        cmocka_unit_test(tag_that_permits_less),
        cmocka_unit_test(tags_of_two_chains_are_not_added),
        cmocka_unit_test(not_delegable),
        cmocka_unit_test(reason_of_the_chain_that_comes_furthest),
        cmocka_unit_test(longest_validity_wins),
        cmocka_unit_test(bad_signatures_are_passed_over),
        cmocka_unit_test(circles_end),
        cmocka_unit_test(registrar_may_delegate),
        cmocka_unit_test(user_may_not_delegate),
        cmocka_unit_test(registrar_gives_what_he_was_not_granted),
        cmocka_unit_test(second_registrar),
        cmocka_unit_test(second_user),
        cmocka_unit_test(second_user_may_not_delegate),
        cmocka_unit_test(second_user_by_a_stranger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
