/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: people see each string in the plainest notation that it allows, and lists broken where a
 * line would be too long and nowhere else.
 * Method: tables; each capacity; that all of it is read back is in test_properties.c. */
#include "unit/base/check.h"
#include "sexp/sexp.h"

static struct wrn_sexp parse(wrn_span bytes) {
    struct wrn_sexp sexp;
    struct wrn_sexp_error error = {0};
    CHECK(wrn_sexp_check(bytes, &sexp, &error) == 0,
          "%s at %zu: ", wrn_sexp_fault_text(error.fault), error.offset);
    return sexp;
}

static void check_print(enum wrn_sexp_form form, struct wrn_sexp sexp, size_t columns,
                        const char *expected) {
    char text[1024];
    size_t size = wrn_sexp_print(form, sexp, columns, text, sizeof(text));
    CHECK(size == strlen(expected) && memcmp(text, expected, size) == 0,
          "in %zu columns:\n%.*s\nnot\n%s\n: ", columns, (int)size, text, expected);
}

#define TEXT(literal)                                                                              \
    { (const uint8_t *)(literal), sizeof(literal) - 1 }
#define X32 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static void each_string_in_its_plainest_notation(void **state) {
    (void)state;
    static const struct {
        wrn_span canonical;
        const char *text;
    } cases[] = {
        {TEXT("3:abc"), "abc"},
        {TEXT("8:-./_:*+="), "-./_:*+="},
        {TEXT("2:a1"), "a1"},
        {TEXT("2:1a"), "\"1a\""}, /* would begin a length */
        {TEXT("1:5"), "\"5\""},
        {TEXT("0:"), "\"\""},
        {TEXT("1: "), "\" \""},
        {TEXT("3:a b"), "\"a b\""},
        {TEXT("4:\"a\\b"), "\"\\\"a\\\\b\""},
        {TEXT("5:{()};"), "\"{()};\""},
        {TEXT("1:~"), "\"~\""},
        {TEXT("1:\177"), "#7f#"},
        {TEXT("3:a\nb"), "#610a62#"},
        {TEXT("1:\0"), "#00#"},
        {TEXT("2:\303\266"), "#c3b6#"},
        {TEXT("32:\n1234567890123456789012345678901"),
         "#0a31323334353637383930313233343536373839303132333435363738393031#"},
        {TEXT("33:\n12345678901234567890123456789012"),
         "|CjEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEy|"},
        {TEXT("34:\n123456789012345678901234567890123"),
         "|CjEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMw==|"},
        {TEXT("35:\n1234567890123456789012345678901234"),
         "|CjEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ=|"},
        {TEXT("[1:a]1:b"), "[a]b"},
        {TEXT("[3:a b]1:\0"), "[\"a b\"]#00#"},
        {TEXT("()"), "()"},
        {TEXT("(())"), "(())"},
        {TEXT("(1:a()(1:b)[1:c]1:d1:e)"), "(a () (b) [c]d e)"},
    };
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        check_print(WRN_SEXP_ADVANCED, parse(cases[i].canonical), 0, cases[i].text);
        check_print(WRN_SEXP_ANY, parse(cases[i].canonical), 1000, cases[i].text);
    }
}

static void the_other_forms(void **state) {
    (void)state;
    wrn_span canonical = TEXT("(1:a1:b1:c)");
    check_print(WRN_SEXP_CANONICAL, parse(canonical), 1, "(1:a1:b1:c)");
    check_print(WRN_SEXP_TRANSPORT, parse(canonical), 1, "{KDE6YTE6YjE6Yyk=}");
}

static void lines_are_broken_where_they_must(void **state) {
    (void)state;
    static const struct {
        size_t columns;
        const char *text;
    } cases[] = {
        {0, "(cert (issuer (hash sha256 abc)) (subject bob) (tag ()))"},
        {56, "(cert (issuer (hash sha256 abc)) (subject bob) (tag ()))"},
        {55, "(cert\n  (issuer (hash sha256 abc))\n  (subject bob)\n  (tag ()))"},
        {28, "(cert\n  (issuer (hash sha256 abc))\n  (subject bob)\n  (tag ()))"},
        {27, "(cert\n  (issuer\n    (hash sha256 abc))\n  (subject bob)\n  (tag ()))"},
        {15,
         "(cert\n  (issuer\n    (hash\n      sha256\n      abc))\n  (subject bob)\n  (tag ()))"},
        {14, "(cert\n  (issuer\n    (hash\n      sha256\n      abc))\n"
             "  (subject\n    bob)\n  (tag ()))"},
        {11, "(cert\n  (issuer\n    (hash\n      sha256\n      abc))\n"
             "  (subject\n    bob)\n  (tag ()))"},
        {10, "(cert\n  (issuer\n    (hash\n      sha256\n      abc))\n"
             "  (subject\n    bob)\n  (tag\n    ()))"},
        {1, "(cert\n  (issuer\n    (hash\n      sha256\n      abc))\n"
            "  (subject\n    bob)\n  (tag\n    ()))"},
    };
    wrn_span canonical = TEXT("(4:cert(6:issuer(4:hash6:sha2563:abc))(7:subject3:bob)(3:tag()))");
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        check_print(WRN_SEXP_ADVANCED, parse(canonical), cases[i].columns, cases[i].text);
    }
    wrn_span first_is_a_list = TEXT("((1:a1:b)1:c)");
    check_print(WRN_SEXP_ADVANCED, parse(first_is_a_list), 6, "((a b)\n  c)");
    check_print(WRN_SEXP_ADVANCED, parse(first_is_a_list), 5, "((a\n    b)\n  c)");
    wrn_span one_long_atom = TEXT("32:" X32);
    check_print(WRN_SEXP_ADVANCED, parse(one_long_atom), 10, X32);
}

/* Goal: 'out' is never overrun, and the size is that of the whole text whatever the room.
 * Method: each capacity, in a block of exactly that many bytes, which keeps what fits. */
static void every_capacity_is_kept(void **state) {
    (void)state;
    static const enum wrn_sexp_form forms[] = {WRN_SEXP_CANONICAL, WRN_SEXP_ADVANCED,
                                               WRN_SEXP_TRANSPORT};
    wrn_span canonical = TEXT("(4:cert(6:issuer[1:h]2:\0\377)3:a b)");
    for (size_t f = 0; f < WRN_COUNT(forms); f++) {
        char whole[128];
        size_t size = wrn_sexp_print(forms[f], parse(canonical), 12, whole, sizeof(whole));
        assert_int_equal(wrn_sexp_print(forms[f], parse(canonical), 12, NULL, 0), size);
        for (size_t capacity = 0; capacity <= size; capacity++) {
            char *block = malloc(capacity > 0 ? capacity : 1);
            assert_non_null(block);
            assert_int_equal(wrn_sexp_print(forms[f], parse(canonical), 12, block, capacity), size);
            CHECK(capacity < size || memcmp(block, whole, size) == 0, "form %zu: ", f);
            free(block);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_string_in_its_plainest_notation),
        cmocka_unit_test(the_other_forms),
        cmocka_unit_test(lines_are_broken_where_they_must),
        cmocka_unit_test(every_capacity_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
