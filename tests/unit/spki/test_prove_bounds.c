/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: whatever is added, nothing is overrun, nothing is granted that should not be, and queries
 * end. Method: each table filled to its end; objects that are none; long chains, wide thresholds,
 * names and tags that are made to cost as much as they can. */
#include <stdio.h>

#include "unit/base/check.h"
#include "unit/spki/heap.h"

#define NOW "2026-11-21_12:00:00"

/* (public-key kN): study heaps take any. */
static const char *key(size_t number) {
    static char text[8][32];
    static size_t next;
    char *out = text[next++ % WRN_COUNT(text)];
    (void)snprintf(out, sizeof(text[0]), "(public-key k%zu)", number);
    return out;
}

static int try_add(const char *text, enum wrn_spki_fault *ret_fault) {
    struct wrn_spki_error error = {WRN_SPKI_OK, {{NULL, 0}}};
    int result = wrn_spki_add(heap_current(), heap_read(text), &error);
    *ret_fault = error.fault;
    return result;
}

static enum wrn_spki_verdict ask_for(size_t number, const char *request) {
    struct wrn_sexp subject = heap_read(key(number));
    static struct wrn_spki_answer answer;
    struct wrn_spki_query query = {
        .subjects = &subject, .subject_count = 1, .request = heap_read(request)};
    assert_true(wrn_spki_date_read((wrn_span){(const uint8_t *)NOW, 19}, &query.now_s));
    wrn_spki_ask(heap_current(), &query, &answer);
    return answer.verdict;
}

static void begin(uint32_t certs, uint32_t keys) {
    heap_begin(true);
    heap_begin_with(&(struct wrn_spki_limits){.certs_max = certs,
                                              .keys_max = keys,
                                              .crls_max = 2,
                                              .bytes_max = 1 << 16,
                                              .tuples_max = 1024});
}

/* A full table refuses what is new, keeps what is there, and still knows it. */
static void full_tables(void **state) {
    (void)state;
    enum wrn_spki_fault fault;
    begin(3, 16);
    heap_add("(acl (entry (subject @A) (propagate) (tag (*))))");
    heap_add("(cert (issuer @A) (subject @B) (tag (*)))");
    heap_add("(cert (issuer @A) (subject @C) (tag (*)))");
    assert_int_equal(try_add("(cert (issuer @A) (subject @D) (tag (*)))", &fault), WRN_ERR_FULL);
    heap_add("(cert (issuer @A) (subject @B) (tag (*)))"); /* again: nothing is added */
    assert_int_equal(wrn_spki_count(heap_current()), 3);
    assert_int_equal(heap_ask("C", "x", NOW)->verdict, WRN_SPKI_GRANTED);
    assert_int_equal(heap_ask("D", "x", NOW)->verdict, WRN_SPKI_NO_ROOT);
    begin(64, 3);
    heap_add("(acl (entry (subject @A) (propagate) (tag (*))))");
    heap_add("(cert (issuer @A) (subject @B) (tag (*)))");
    heap_add("@C");
    assert_int_equal(try_add("(cert (issuer @A) (subject @D) (tag (*)))", &fault), WRN_ERR_FULL);
    assert_int_equal(try_add("@D", &fault), WRN_ERR_FULL);
    assert_int_equal(heap_ask("B", "x", NOW)->verdict, WRN_SPKI_GRANTED);
    heap_begin(false);
    heap_begin_with(&(struct wrn_spki_limits){.certs_max = 4, .keys_max = 16, .crls_max = 2});
    for (size_t i = 0; i < 3; i++) {
        char text[200];
        (void)snprintf(text, sizeof(text),
                       "(crl (issuer @A) (canceled) (valid (not-before '2026-01-0%zu_00:00:00')))",
                       i + 1);
        assert_int_equal(try_add(text, &fault), i < 2 ? 0 : WRN_ERR_FULL);
    }
    /* Signatures: twice as many as what they can sign. */
    heap_begin_with(&(struct wrn_spki_limits){.certs_max = 2, .keys_max = 16});
    struct wrn_sexp other = heap_read("(cert (issuer @A) (subject @B) (tag (*)))");
    for (size_t i = 0; i < 5; i++) {
        int result = wrn_spki_add(heap_current(), heap_signature((char)('A' + i), other), NULL);
        assert_int_equal(result, i < 4 ? 0 : WRN_ERR_FULL);
    }
}

/* The same sequence, shown for ever, fills nothing. */
static void shown_again(void **state) {
    (void)state;
    heap_begin(false);
    heap_begin_with(&(struct wrn_spki_limits){.certs_max = 2, .keys_max = 4});
    heap_add("(acl (entry (subject @A) (propagate) (tag (*))))");
    for (size_t i = 0; i < 20; i++) {
        heap_sign('A', "(cert (issuer @A) (subject @B) (tag (*)))");
    }
    assert_int_equal(wrn_spki_count(heap_current()), 2);
    assert_int_equal(heap_ask("B", "x", NOW)->verdict, WRN_SPKI_GRANTED);
}

static void what_is_no_object(void **state) {
    (void)state;
    static const struct {
        const char *text;
        enum wrn_spki_fault fault;
    } rows[] = {
        {"(certificate)", WRN_SPKI_NOT_THIS_OBJECT},
        {"cert", WRN_SPKI_NOT_THIS_OBJECT},
        {"(sequence (sequence))", WRN_SPKI_NOT_THIS_OBJECT},
        {"(sequence (acl))", WRN_SPKI_NOT_THIS_OBJECT},
        {"(acl (cert (issuer @A) (subject @B) (tag (*))))", WRN_SPKI_NOT_THIS_OBJECT},
        {"(acl (version '1'))", WRN_SPKI_BAD_VERSION},
        {"(acl (entry (subject @A)))", WRN_SPKI_MISSING_FIELD},
        {"(cert (issuer @A) (subject @B))", WRN_SPKI_MISSING_FIELD},
        {"(public-key k1)", WRN_SPKI_BAD_KEY},
    };
    heap_begin(false);
    for (size_t i = 0; i < WRN_COUNT(rows); i++) {
        enum wrn_spki_fault fault;
        CHECK(try_add(rows[i].text, &fault) == WRN_ERR_MALFORMED && fault == rows[i].fault,
              "%s: %s: ", rows[i].text, wrn_spki_fault_text(fault));
    }
    heap_add("(acl (version '0'))");
    assert_int_equal(wrn_spki_count(heap_current()), 0);
}

/* What came from elsewhere cannot bring its own ACL. */
static void foreign_acl(void **state) {
    (void)state;
    struct wrn_spki_error error;
    heap_begin(false);
    struct wrn_sexp acl = heap_read("(acl (entry (subject @A) (tag (*))))");
    assert_int_equal(wrn_spki_add_foreign(heap_current(), acl, &error), WRN_ERR_MALFORMED);
    assert_int_equal(error.fault, WRN_SPKI_NOT_THIS_OBJECT);
    acl = heap_read("(sequence (acl (entry (subject @A) (tag (*)))))");
    assert_int_equal(wrn_spki_add_foreign(heap_current(), acl, &error), WRN_ERR_MALFORMED);
    acl = heap_read("(entry (subject @A) (tag (*)))");
    assert_int_equal(wrn_spki_add_foreign(heap_current(), acl, &error), WRN_ERR_MALFORMED);
    assert_int_equal(heap_ask("A", "x", NOW)->verdict, WRN_SPKI_NO_ROOT);
    assert_int_equal(wrn_spki_add_foreign(heap_current(), heap_read("(sequence @A)"), &error), 0);
}

/* A chain of as many certificates as fit, and of one more. */
static void long_chains(void **state) {
    (void)state;
    char text[200];
    begin(200, 200);
    (void)snprintf(text, sizeof(text), "(acl (entry (subject %s) (propagate) (tag (*))))", key(0));
    heap_add(text);
    for (size_t i = 0; i < 150; i++) {
        (void)snprintf(text, sizeof(text), "(cert (issuer %s) (subject %s) (propagate) (tag (*)))",
                       key(i), key(i + 1));
        heap_add(text);
    }
    assert_int_equal(ask_for(WRN_SPKI_CHAIN_MAX - 1, "x"), WRN_SPKI_GRANTED);
    assert_int_equal(ask_for(WRN_SPKI_CHAIN_MAX, "x"), WRN_SPKI_TOO_LARGE);
    /* A shorter one that does not last so long is still one. */
    (void)snprintf(text, sizeof(text),
                   "(cert (issuer %s) (subject %s) (tag (*)) (valid (not-after "
                   "'2027-01-01_00:00:00')))",
                   key(0), key(100));
    heap_add(text);
    assert_int_equal(ask_for(100, "x"), WRN_SPKI_GRANTED);
}

/* All lead to all: the paths are beyond counting, the certificates are not. */
static void complete_graph(void **state) {
    (void)state;
    enum { COUNT = 24 };
    char text[200];
    begin(COUNT * COUNT + 1, COUNT + 1);
    (void)snprintf(text, sizeof(text), "(acl (entry (subject %s) (propagate) (tag (*))))", key(0));
    heap_add(text);
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t j = 0; j < COUNT; j++) {
            (void)snprintf(text, sizeof(text), "(cert (issuer %s) (subject %s) %s (tag (*)))",
                           key(i), key(j), (i + j) % 2 ? "(propagate)" : "");
            heap_add(text);
        }
    }
    assert_int_equal(ask_for(COUNT - 1, "x"), WRN_SPKI_GRANTED);
    assert_int_equal(ask_for(COUNT, "x"), WRN_SPKI_NO_ROOT);
    assert_int_equal(strcmp(heap_reduce("", "", ""), "full") != 0, 1);
}

/* Thresholds in thresholds whose parts all rest on the same: what they share costs once. */
static void nested_thresholds(void **state) {
    (void)state;
    static char inner[1 << 14], outer[1 << 14];
    begin(64, 64);
    (void)snprintf(inner, sizeof(inner), "@A");
    for (size_t i = 0; i < 7; i++) {
        size_t used = (size_t)snprintf(outer, sizeof(outer),
                                       "(k-of-n '2' '2' %s (k-of-n '1' '1' %s))", inner, inner);
        assert_true(used < sizeof(outer));
        memcpy(inner, outer, used + 1);
    }
    static char acl[sizeof(inner) + 100];
    (void)snprintf(acl, sizeof(acl), "(acl (entry (subject %s) (propagate) (tag (*))))", inner);
    heap_add(acl);
    heap_add("(cert (issuer @A) (subject @B) (tag (*)))");
    assert_int_equal(heap_ask("B", "x", NOW)->verdict, WRN_SPKI_GRANTED);
    assert_int_equal(heap_ask("C", "x", NOW)->verdict, WRN_SPKI_NO_ROOT);
}

/* Joining all halves of 16 parts is exponential: it ends with an error. */
static void wide_threshold(void **state) {
    (void)state;
    char text[1024] = "(acl (entry (subject (k-of-n '8' '16'";
    begin(64, 64);
    for (size_t i = 0; i < 16; i++) {
        char part[16];
        (void)snprintf(part, sizeof(part), " @%c", (char)('A' + i));
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s", part);
    }
    (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), ")) (propagate) (tag (*))))");
    heap_add(text);
    for (size_t i = 0; i < 16; i++) {
        (void)snprintf(text, sizeof(text), "(cert (issuer @%c) (subject @Z) (tag (t)))",
                       (char)('A' + i));
        heap_add(text);
    }
    assert_string_equal(heap_reduce("Z", "", ""), "full");
    assert_int_equal(heap_ask("Z", "(t)", NOW)->verdict, WRN_SPKI_GRANTED);
    assert_int_equal(heap_ask("Z", "(u)", NOW)->verdict, WRN_SPKI_TAG);
}

/* A name for everybody, of everybody's name for everybody: as many pairs as there may be. */
static void dense_names(void **state) {
    (void)state;
    enum { COUNT = 40 };
    char text[200];
    begin(2 * COUNT * COUNT, COUNT + 2);
    (void)snprintf(text, sizeof(text), "(acl (entry (subject (name %s a a a b)) (tag (*))))",
                   key(0));
    heap_add(text);
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t j = 0; j < COUNT; j++) {
            (void)snprintf(text, sizeof(text), "(cert (issuer (name %s a)) (subject %s))", key(i),
                           key(j));
            heap_add(text);
        }
    }
    (void)snprintf(text, sizeof(text), "(cert (issuer (name %s b)) (subject %s))", key(COUNT - 1),
                   key(COUNT));
    heap_add(text);
    assert_int_equal(ask_for(COUNT, "x"), WRN_SPKI_GRANTED);
    assert_int_equal(ask_for(COUNT + 1, "x"), WRN_SPKI_NO_ROOT);
    assert_int_equal(ask_for(1, "x"), WRN_SPKI_NO_ROOT);
}

/* Compound names of groups: beyond the bound the answer is that it is one. */
static void more_names_than_there_is_room_for(void **state) {
    (void)state;
    enum { COUNT = 60 };
    char text[200];
    begin(3 * COUNT + 2, COUNT + 2);
    (void)snprintf(text, sizeof(text), "(acl (entry (subject (name %s x b)) (tag (*))))", key(0));
    heap_add(text);
    for (size_t i = 0; i < COUNT; i++) {
        /* x is one of COUNT names, each of which is everybody's a. */
        (void)snprintf(text, sizeof(text), "(cert (issuer (name %s x)) (subject (name %s a a)))",
                       key(0), key(i));
        heap_add(text);
        (void)snprintf(text, sizeof(text), "(cert (issuer (name %s a)) (subject %s))", key(i),
                       key((i + 1) % COUNT));
        heap_add(text);
        (void)snprintf(text, sizeof(text), "(cert (issuer (name %s a)) (subject (name %s a a)))",
                       key(i), key((i + 1) % COUNT));
        heap_add(text);
    }
    (void)snprintf(text, sizeof(text), "(cert (issuer (name %s b)) (subject %s))", key(COUNT - 1),
                   key(COUNT));
    heap_add(text);
    assert_int_equal(ask_for(COUNT, "x"), WRN_SPKI_TOO_LARGE);
    assert_string_equal(heap_reduce("", "", ""), "full");
}

/* Sets of sets that cost more steps than there may be: not decided, not granted. */
static void tags_that_are_too_costly(void **state) {
    (void)state;
    static char text[1 << 16], request[1 << 16];
    size_t used = 0, asked = 0;
    begin(8, 8);
    used += (size_t)snprintf(text, sizeof(text), "(acl (entry (subject @A) (tag (* set");
    asked += (size_t)snprintf(request, sizeof(request), "(* set");
    for (size_t i = 0; i < 1500; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, " (a%zu)", i);
        asked += (size_t)snprintf(request + asked, sizeof(request) - asked, " (a%zu b)", i);
    }
    (void)snprintf(text + used, sizeof(text) - used, "))))");
    (void)snprintf(request + asked, sizeof(request) - asked, ")");
    heap_add(text);
    assert_int_equal(heap_ask("A", request, NOW)->verdict, WRN_SPKI_TOO_LARGE);
    assert_int_equal(heap_ask("A", "(a7 b)", NOW)->verdict, WRN_SPKI_GRANTED);
    assert_int_equal(heap_ask("A", "(b)", NOW)->verdict, WRN_SPKI_TAG);
}

/* A sentence of any length fits, cut, into any room. */
static void sentences_are_cut(void **state) {
    (void)state;
    char out[200];
    heap_begin(false);
    heap_add("(acl (entry (subject (name @A 'a word that is long' '\\x1b[31m')) (tag (*))))");
    heap_sign('A', "(cert (issuer (name @A 'a word that is long')) (subject @A)"
                   " (valid (not-after '2020-01-01_00:00:00')))");
    heap_sign('A', "(cert (issuer (name @A '\\x1b[31m')) (subject @B))");
    const struct wrn_spki_answer *answer = heap_ask("B", "x", NOW);
    assert_int_equal(answer->verdict, WRN_SPKI_EXPIRED);
    size_t full = wrn_spki_explain(answer, NULL, out, sizeof(out));
    for (size_t i = 1; i < sizeof(out); i++) {
        char cut[200];
        memset(cut, 'x', sizeof(cut));
        size_t size = wrn_spki_explain(answer, NULL, cut, i);
        assert_int_equal(size, full < i - 1 ? full : i - 1);
        assert_int_equal(cut[size], '\0');
        assert_memory_equal(cut, out, size);
    }
    /* Nothing that a terminal would obey. */
    for (size_t i = 0; i < full; i++) {
        assert_true(out[i] >= ' ' && out[i] <= '~');
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_tables),
        cmocka_unit_test(shown_again),
        cmocka_unit_test(what_is_no_object),
        cmocka_unit_test(foreign_acl),
        cmocka_unit_test(long_chains),
        cmocka_unit_test(complete_graph),
        cmocka_unit_test(nested_thresholds),
        cmocka_unit_test(wide_threshold),
        cmocka_unit_test(dense_names),
        cmocka_unit_test(more_names_than_there_is_room_for),
        cmocka_unit_test(tags_that_are_too_costly),
        cmocka_unit_test(sentences_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
