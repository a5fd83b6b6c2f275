/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: looking into an expression gives its parts, takes only what is wanted, and leaves the
 * cursor where it was otherwise.
 * Method: one expression with every kind of element, and each function on each kind. */
#include <stdio.h>

#include "unit/base/check.h"
#include "sexp/sexp.h"

static struct wrn_sexp parse(const char *canonical) {
    struct wrn_sexp sexp;
    CHECK(wrn_sexp_check((wrn_span){(const uint8_t *)canonical, strlen(canonical)}, &sexp, NULL) ==
              0,
          "%s: ", canonical);
    return sexp;
}

static void check_span(wrn_span span, const char *expected) {
    CHECK(span.size == strlen(expected) &&
              (span.size == 0 || memcmp(span.data, expected, span.size) == 0),
          "'%.*s', not '%s': ", (int)span.size, (const char *)span.data, expected);
}

static void parts_of_an_atom(void **state) {
    (void)state;
    static const struct {
        const char *canonical, *hint, *bytes;
    } cases[] = {
        {"1:a", NULL, "a"},
        {"0:", NULL, ""},
        {"12:(hint)[1:a]b", NULL, "(hint)[1:a]b"},
        {"[4:text]3:abc", "text", "abc"},
        {"[1:]]0:", "]", ""},
    };
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        struct wrn_sexp atom = parse(cases[i].canonical);
        assert_false(wrn_sexp_is_list(atom));
        check_span(wrn_sexp_atom(atom), cases[i].bytes);
        assert_true((wrn_sexp_hint(atom).data == NULL) == (cases[i].hint == NULL));
        check_span(wrn_sexp_hint(atom), cases[i].hint == NULL ? "" : cases[i].hint);
    }
}

static void words_have_no_hint(void **state) {
    (void)state;
    assert_true(wrn_sexp_is_word(parse("3:tag"), "tag"));
    assert_false(wrn_sexp_is_word(parse("3:tag"), "ta"));
    assert_false(wrn_sexp_is_word(parse("3:tag"), "tags"));
    assert_false(wrn_sexp_is_word(parse("3:tag"), "Tag"));
    assert_false(wrn_sexp_is_word(parse("[1:a]3:tag"), "tag"));
    assert_false(wrn_sexp_is_word(parse("(3:tag)"), "tag"));
    assert_true(wrn_sexp_is_word(parse("0:"), ""));
    struct wrn_sexp with_zero = {{(const uint8_t *)"4:tag", 6}}; /* its fourth byte is zero */
    assert_false(wrn_sexp_is_word(with_zero, "tag"));

    assert_true(wrn_sexp_is_named(parse("(3:tag)"), "tag"));
    assert_true(wrn_sexp_is_named(parse("(3:tag(1:*))"), "tag"));
    assert_false(wrn_sexp_is_named(parse("(4:tags)"), "tag"));
    assert_false(wrn_sexp_is_named(parse("([1:a]3:tag)"), "tag"));
    assert_false(wrn_sexp_is_named(parse("((3:tag))"), "tag"));
    assert_false(wrn_sexp_is_named(parse("()"), "tag"));
    assert_false(wrn_sexp_is_named(parse("3:tag"), "tag"));
}

static void equal_are_the_same_bytes(void **state) {
    (void)state;
    static const char *const all[] = {"1:a", "1:b", "[1:a]1:a", "(1:a)", "2:aa", "()", "0:"};
    for (size_t i = 0; i < WRN_COUNT(all); i++) {
        for (size_t k = 0; k < WRN_COUNT(all); k++) {
            assert_true(wrn_sexp_equal(parse(all[i]), parse(all[k])) == (i == k));
        }
    }
}

/* "None" is written as an empty span by those who need it: no list, no word, no hint. */
static void none_is_nothing(void **state) {
    (void)state;
    struct wrn_sexp none = {{NULL, 0}};
    struct wrn_sexp_cursor cursor;
    assert_false(wrn_sexp_is_list(none));
    assert_false(wrn_sexp_is_word(none, ""));
    assert_false(wrn_sexp_is_named(none, ""));
    assert_null(wrn_sexp_hint(none).data);
    assert_false(wrn_sexp_enter(none, &cursor));
    assert_true(wrn_sexp_at_end(&cursor));
    assert_true(wrn_sexp_equal(none, none));
    assert_false(wrn_sexp_equal(none, parse("0:")));
}

static void a_cursor_takes_all_elements(void **state) {
    (void)state;
    static const char *const elements[] = {"1:a", "[1:h]1:b", "()", "(1:c(1:d)3:)))0:)", "0:"};
    char list[128] = "(";
    size_t size = 1;
    for (size_t i = 0; i < WRN_COUNT(elements); i++) {
        size += (size_t)snprintf(list + size, sizeof(list) - size, "%s", elements[i]);
    }
    snprintf(list + size, sizeof(list) - size, ")");

    struct wrn_sexp_cursor cursor;
    struct wrn_sexp element;
    assert_true(wrn_sexp_enter(parse(list), &cursor));
    for (size_t i = 0; i < WRN_COUNT(elements); i++) {
        assert_false(wrn_sexp_at_end(&cursor));
        assert_true(wrn_sexp_take_any(&cursor, &element));
        check_span(element.bytes, elements[i]);
    }
    assert_true(wrn_sexp_at_end(&cursor));
    struct wrn_sexp_cursor inner;
    wrn_span bytes;
    assert_false(wrn_sexp_take_any(&cursor, &element));
    assert_false(wrn_sexp_take_list(&cursor, &inner));
    assert_false(wrn_sexp_take_named(&cursor, "a", &inner));
    assert_false(wrn_sexp_take_atom(&cursor, &bytes));
    assert_false(wrn_sexp_take_word(&cursor, "a"));
}

/* Each function that takes, on each kind of element. */
static void each_takes_only_what_it_wants(void **state) {
    (void)state;
    static const struct {
        const char *list; /* with one element */
        bool is_list, is_named_a, is_atom, is_word_a;
    } cases[] = {
        {"(1:a)", false, false, true, true},         {"(1:b)", false, false, true, false},
        {"(2:aa)", false, false, true, false},       {"(0:)", false, false, true, false},
        {"([1:h]1:a)", false, false, false, false},  {"((1:a))", true, true, false, false},
        {"((1:a1:b))", true, true, false, false},    {"((1:b1:a))", true, false, false, false},
        {"(([1:h]1:a))", true, false, false, false}, {"(((1:a)))", true, false, false, false},
        {"(())", true, false, false, false},
    };
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        struct wrn_sexp_cursor start;
        assert_true(wrn_sexp_enter(parse(cases[i].list), &start));
        const bool wanted[] = {cases[i].is_list, cases[i].is_named_a, cases[i].is_atom,
                               cases[i].is_word_a};
        for (size_t f = 0; f < WRN_COUNT(wanted); f++) {
            struct wrn_sexp_cursor cursor = start;
            struct wrn_sexp_cursor inner;
            wrn_span bytes;
            bool is_taken = f == 0   ? wrn_sexp_take_list(&cursor, &inner)
                            : f == 1 ? wrn_sexp_take_named(&cursor, "a", &inner)
                            : f == 2 ? wrn_sexp_take_atom(&cursor, &bytes)
                                     : wrn_sexp_take_word(&cursor, "a");
            CHECK(is_taken == wanted[f], "%s, function %zu: ", cases[i].list, f);
            CHECK(cursor.next == (is_taken ? cursor.end : start.next),
                  "%s, function %zu: ", cases[i].list, f);
        }
    }
}

static void entering_what_is_no_such_list_gives_nothing(void **state) {
    (void)state;
    struct wrn_sexp_cursor cursor;
    struct wrn_sexp element;
    assert_false(wrn_sexp_enter(parse("1:a"), &cursor));
    assert_true(wrn_sexp_at_end(&cursor));
    assert_false(wrn_sexp_enter_named(parse("(1:b1:c)"), "a", &cursor));
    assert_true(wrn_sexp_at_end(&cursor));
    assert_false(wrn_sexp_take_any(&cursor, &element));
    assert_true(wrn_sexp_enter_named(parse("(1:b)"), "b", &cursor));
    assert_true(wrn_sexp_at_end(&cursor));
    assert_true(wrn_sexp_enter(parse("()"), &cursor));
    assert_true(wrn_sexp_at_end(&cursor));
}

/* As the header says that using code looks. */
static void reading_looks_like_the_grammar(void **state) {
    (void)state;
    struct wrn_sexp_cursor cert;
    struct wrn_sexp_cursor part;
    struct wrn_sexp principal;
    wrn_span date;
    struct wrn_sexp sexp = parse("(4:cert(6:issuer(4:hash6:sha2563:abc))(7:subject3:bob)"
                                 "(9:propagate)(5:valid(9:not-after19:2026-11-21_00:00:00)))");
    assert_true(wrn_sexp_enter_named(sexp, "cert", &cert));
    assert_false(wrn_sexp_take_named(&cert, "version", &part)); /* is optional */
    assert_true(wrn_sexp_take_named(&cert, "issuer", &part));
    assert_true(wrn_sexp_take_any(&part, &principal) && wrn_sexp_at_end(&part));
    check_span(principal.bytes, "(4:hash6:sha2563:abc)");
    assert_true(wrn_sexp_take_named(&cert, "subject", &part));
    assert_true(wrn_sexp_take_word(&part, "bob") && wrn_sexp_at_end(&part));
    assert_true(wrn_sexp_take_named(&cert, "propagate", &part) && wrn_sexp_at_end(&part));
    assert_true(wrn_sexp_take_named(&cert, "valid", &part));
    assert_true(wrn_sexp_take_named(&part, "not-after", &part));
    assert_true(wrn_sexp_take_atom(&part, &date));
    check_span(date, "2026-11-21_00:00:00");
    assert_true(wrn_sexp_at_end(&cert));
}

static void atom_of_a_list(void) {
    (void)wrn_sexp_atom((struct wrn_sexp){{(const uint8_t *)"()", 2}});
}

static void list_without_end(void) {
    struct wrn_sexp_cursor cursor = {(const uint8_t *)"(1:a", NULL};
    struct wrn_sexp sexp;
    cursor.end = cursor.next + 4;
    wrn_sexp_take_any(&cursor, &sexp);
}

static void atom_beyond_the_end(void) {
    struct wrn_sexp_cursor cursor = {(const uint8_t *)"9:abc", NULL};
    wrn_span bytes;
    cursor.end = cursor.next + 5;
    wrn_sexp_take_atom(&cursor, &bytes);
}

/* What nobody has checked meets an assertion, not other memory. */
static void unchecked_bytes_are_caught(void **state) {
    (void)state;
    check_dies(atom_of_a_list);
    check_dies(list_without_end);
    check_dies(atom_beyond_the_end);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_of_an_atom),
        cmocka_unit_test(words_have_no_hint),
        cmocka_unit_test(equal_are_the_same_bytes),
        cmocka_unit_test(none_is_nothing),
        cmocka_unit_test(a_cursor_takes_all_elements),
        cmocka_unit_test(each_takes_only_what_it_wants),
        cmocka_unit_test(entering_what_is_no_such_list_gives_nothing),
        cmocka_unit_test(reading_looks_like_the_grammar),
        cmocka_unit_test(unchecked_bytes_are_caught),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
