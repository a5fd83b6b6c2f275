/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: canonical form, and nothing else, is accepted, up to the limits; every fault has its name
 * and its offset.
 * Method: a table with each fault wherever it can occur, given to the check, to the reader in
 * canonical form, and as base64 in braces; limits at the last good value and one above. */
#include "unit/base/check.h"
#include "sexp/sexp.h"

#define TEXT(literal)                                                                              \
    { (const uint8_t *)(literal), sizeof(literal) - 1 }

static const struct {
    wrn_span bytes;
    enum wrn_sexp_fault fault;
    size_t offset;
} faults[] = {
    {TEXT(""), WRN_SEXP_ENDS_EARLY, 0},
    {TEXT("("), WRN_SEXP_ENDS_EARLY, 1},
    {TEXT("(()"), WRN_SEXP_ENDS_EARLY, 3},
    {TEXT("(1:a"), WRN_SEXP_ENDS_EARLY, 4},
    {TEXT("3"), WRN_SEXP_ENDS_EARLY, 1},
    {TEXT("0"), WRN_SEXP_ENDS_EARLY, 1},
    {TEXT("3:"), WRN_SEXP_ENDS_EARLY, 2},
    {TEXT("3:ab"), WRN_SEXP_ENDS_EARLY, 4},
    {TEXT("(3:abc2:d)"), WRN_SEXP_ENDS_EARLY, 10}, /* the parenthesis belongs to the string */
    {TEXT("1048576:a"), WRN_SEXP_ENDS_EARLY, 9},
    {TEXT("["), WRN_SEXP_ENDS_EARLY, 1},
    {TEXT("[1"), WRN_SEXP_ENDS_EARLY, 2},
    {TEXT("[1:"), WRN_SEXP_ENDS_EARLY, 3},
    {TEXT("[1:a"), WRN_SEXP_ENDS_EARLY, 4},
    {TEXT("[1:a]"), WRN_SEXP_ENDS_EARLY, 5},
    {TEXT("[1:a]1"), WRN_SEXP_ENDS_EARLY, 6},
    {TEXT("[1:a]1:"), WRN_SEXP_ENDS_EARLY, 7},
    {TEXT(")"), WRN_SEXP_STRAY_CLOSE, 0},
    {TEXT("())"), WRN_SEXP_STRAY_CLOSE, 2},
    {TEXT("1:a)"), WRN_SEXP_STRAY_CLOSE, 3},
    {TEXT("a"), WRN_SEXP_BAD_CHARACTER, 0},
    {TEXT("\0"), WRN_SEXP_BAD_CHARACTER, 0},
    {TEXT("\377"), WRN_SEXP_BAD_CHARACTER, 0},
    {TEXT("-1:a"), WRN_SEXP_BAD_CHARACTER, 0},
    {TEXT("+1:a"), WRN_SEXP_BAD_CHARACTER, 0},
    {TEXT(":a"), WRN_SEXP_BAD_CHARACTER, 0},
    {TEXT("(a)"), WRN_SEXP_BAD_CHARACTER, 1},
    {TEXT("( )"), WRN_SEXP_BAD_CHARACTER, 1},
    {TEXT("(1:a 1:b)"), WRN_SEXP_BAD_CHARACTER, 4},
    {TEXT("(1:a\n)"), WRN_SEXP_BAD_CHARACTER, 4},
    {TEXT("(1:a]"), WRN_SEXP_BAD_CHARACTER, 4},
    {TEXT("(1:a}"), WRN_SEXP_BAD_CHARACTER, 4},
    {TEXT("({KCk=})"), WRN_SEXP_BAD_CHARACTER, 1},
    {TEXT("(\"a\")"), WRN_SEXP_BAD_CHARACTER, 1},
    {TEXT("(#61#)"), WRN_SEXP_BAD_CHARACTER, 1},
    {TEXT("(|YQ==|)"), WRN_SEXP_BAD_CHARACTER, 1},
    {TEXT("[a]1:b"), WRN_SEXP_BAD_CHARACTER, 1},
    {TEXT("[ 1:a]1:b"), WRN_SEXP_BAD_CHARACTER, 1},
    {TEXT("[1:a] 1:b"), WRN_SEXP_BAD_CHARACTER, 5},
    {TEXT("[1:a]b"), WRN_SEXP_BAD_CHARACTER, 5},
    {TEXT("(5)"), WRN_SEXP_LENGTH_ALONE, 2},
    {TEXT("3abc"), WRN_SEXP_LENGTH_ALONE, 1},
    {TEXT("3 :abc"), WRN_SEXP_LENGTH_ALONE, 1},
    {TEXT("3\"abc\""), WRN_SEXP_LENGTH_ALONE, 1},
    {TEXT("1#61#"), WRN_SEXP_LENGTH_ALONE, 1},
    {TEXT("1|YQ==|"), WRN_SEXP_LENGTH_ALONE, 1},
    {TEXT("[1]1:a"), WRN_SEXP_LENGTH_ALONE, 2},
    {TEXT("[1:a]1("), WRN_SEXP_LENGTH_ALONE, 6},
    {TEXT("03:abc"), WRN_SEXP_LENGTH_ZERO_LED, 0},
    {TEXT("00:"), WRN_SEXP_LENGTH_ZERO_LED, 0},
    {TEXT("(1:a01:b)"), WRN_SEXP_LENGTH_ZERO_LED, 4},
    {TEXT("[01:a]1:b"), WRN_SEXP_LENGTH_ZERO_LED, 1},
    {TEXT("[1:a]01:b"), WRN_SEXP_LENGTH_ZERO_LED, 5},
    {TEXT("1048577:a"), WRN_SEXP_LENGTH_TOO_BIG, 0},
    {TEXT("(4294967297:a)"), WRN_SEXP_LENGTH_TOO_BIG, 1},
    {TEXT("18446744073709551617:a"), WRN_SEXP_LENGTH_TOO_BIG, 0}, /* 2^64 + 1 */
    {TEXT("[9999999999999999999999999:a]1:b"), WRN_SEXP_LENGTH_TOO_BIG, 1},
    {TEXT("[]1:a"), WRN_SEXP_BAD_HINT, 1},
    {TEXT("[0:]1:a"), WRN_SEXP_BAD_HINT, 1},
    {TEXT("[(1:a)]1:b"), WRN_SEXP_BAD_HINT, 1},
    {TEXT("[)1:b"), WRN_SEXP_BAD_HINT, 1},
    {TEXT("[[1:a]1:b]1:c"), WRN_SEXP_BAD_HINT, 1},
    {TEXT("[1:a1:b]1:c"), WRN_SEXP_BAD_HINT, 4},
    {TEXT("[1:a)1:c"), WRN_SEXP_BAD_HINT, 4},
    {TEXT("[1:a ]1:c"), WRN_SEXP_BAD_HINT, 4},
    {TEXT("[1:a]()"), WRN_SEXP_BAD_HINT, 5},
    {TEXT("([1:a])"), WRN_SEXP_BAD_HINT, 6},
    {TEXT("[1:a][1:b]1:c"), WRN_SEXP_BAD_HINT, 5},
    {TEXT("[1:a]]1:c"), WRN_SEXP_BAD_HINT, 5},
    {TEXT("1:a1:b"), WRN_SEXP_TRAILING, 3},
    {TEXT("()()"), WRN_SEXP_TRAILING, 2},
    {TEXT("(1:a)\0"), WRN_SEXP_TRAILING, 5},
    {TEXT("[1:a]1:b]"), WRN_SEXP_TRAILING, 8},
};

static void check_fault(wrn_span bytes, enum wrn_sexp_fault fault, size_t offset, size_t index) {
    struct wrn_sexp untouched = {TEXT("x")};
    struct wrn_sexp sexp = untouched;
    struct wrn_sexp_error error;
    static uint8_t out[64];
    assert_true(bytes.size <= sizeof(out));
    CHECK(wrn_sexp_check(bytes, &sexp, &error) == WRN_ERR_MALFORMED, "%zu: ", index);
    CHECK(error.fault == fault && error.offset == offset, "%zu: %s at %zu: ", index,
          wrn_sexp_fault_text(error.fault), error.offset);
    assert_int_equal(wrn_sexp_check(bytes, &sexp, NULL), WRN_ERR_MALFORMED);
    CHECK(wrn_sexp_read(WRN_SEXP_CANONICAL, bytes, out, sizeof(out), &sexp, NULL, &error) ==
              WRN_ERR_MALFORMED,
          "%zu: ", index);
    CHECK(error.fault == fault && error.offset == offset, "%zu, read: %s at %zu: ", index,
          wrn_sexp_fault_text(error.fault), error.offset);
    assert_ptr_equal(sexp.bytes.data, untouched.bytes.data); /* no result without success */
}

/* The same bytes in braces, by the printer's base64: it encodes whatever it is given. The fault is
 * where its byte's first bits are: three bytes are four characters, behind the brace. */
static void check_fault_in_braces(wrn_span bytes, enum wrn_sexp_fault fault, size_t offset,
                                  size_t index) {
    char text[128];
    static uint8_t out[64];
    struct wrn_sexp sexp;
    struct wrn_sexp_error error;
    size_t size =
        wrn_sexp_print(WRN_SEXP_TRANSPORT, (struct wrn_sexp){bytes}, 0, text, sizeof(text));
    assert_true(size <= sizeof(text));
    size_t expected = offset == bytes.size ? size - 1 : 1 + offset / 3 * 4 + offset % 3;
    CHECK(wrn_sexp_read(WRN_SEXP_TRANSPORT, (wrn_span){(const uint8_t *)text, size}, out,
                        sizeof(out), &sexp, NULL, &error) == WRN_ERR_MALFORMED,
          "%zu: ", index);
    CHECK(error.fault == fault && error.offset == expected,
          "%zu, in braces: %s at %zu, not %zu: ", index, wrn_sexp_fault_text(error.fault),
          error.offset, expected);
}

static void each_fault_has_its_name_and_offset(void **state) {
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(faults); i++) {
        check_fault(faults[i].bytes, faults[i].fault, faults[i].offset, i);
        check_fault_in_braces(faults[i].bytes, faults[i].fault, faults[i].offset, i);
    }
}

/* Leading zeros, white space, another notation: no two texts are one expression. */
static void what_is_canonical_is_accepted(void **state) {
    (void)state;
    static const wrn_span cases[] = {
        TEXT("()"),        TEXT("0:"),      TEXT("1:a"),      TEXT("10:0123456789"),
        TEXT("(())"),      TEXT("(()())"),  TEXT("(0:0:)"),   TEXT("3:)(["),
        TEXT("2:\0\377"),  TEXT("[1:a]0:"), TEXT("[1:a]1:b"), TEXT("([1:a]1:b[1:c]1:d)"),
        TEXT("[2:a]]1:]"),
    };
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        struct wrn_sexp sexp;
        struct wrn_sexp_error error = {WRN_SEXP_OK, 4711};
        CHECK(wrn_sexp_check(cases[i], &sexp, &error) == 0, "%zu: ", i);
        assert_ptr_equal(sexp.bytes.data, cases[i].data);
        assert_int_equal(sexp.bytes.size, cases[i].size);
        assert_int_equal(error.offset, 4711); /* no error without a fault */
    }
}

static uint8_t large[WRN_SEXP_SIZE_MAX + 64];

static void check_limit(size_t size, enum wrn_sexp_fault fault, size_t offset) {
    struct wrn_sexp sexp;
    struct wrn_sexp_error error = {0};
    int result = wrn_sexp_check((wrn_span){large, size}, &sexp, &error);
    CHECK(result == (fault == WRN_SEXP_OK ? 0 : WRN_ERR_MALFORMED) && error.fault == fault &&
              error.offset == offset,
          "%zu bytes: %d, %s at %zu: ", size, result, wrn_sexp_fault_text(error.fault),
          error.offset);
}

static void depth_has_a_limit(void **state) {
    (void)state;
    for (size_t depth = WRN_SEXP_DEPTH_MAX; depth <= WRN_SEXP_DEPTH_MAX + 1; depth++) {
        bool is_good = depth == WRN_SEXP_DEPTH_MAX;
        memset(large, '(', depth);
        memset(large + depth, ')', depth);
        check_limit(2 * depth, is_good ? WRN_SEXP_OK : WRN_SEXP_TOO_DEEP,
                    is_good ? 0 : WRN_SEXP_DEPTH_MAX);
    }
    memset(large, '(', 1 << 20);
    check_limit(1 << 20, WRN_SEXP_TOO_DEEP, WRN_SEXP_DEPTH_MAX);
}

/* A list of empty atoms, and one of empty lists; the outer list counts too, and hints do not. */
static void count_has_a_limit(void **state) {
    (void)state;
    static const char *const elements[] = {"0:", "()", "[1:h]1:a"};
    for (size_t i = 0; i < WRN_COUNT(elements); i++) {
        size_t element = strlen(elements[i]);
        for (size_t count = WRN_SEXP_COUNT_MAX; count <= WRN_SEXP_COUNT_MAX + 1; count++) {
            bool is_good = count == WRN_SEXP_COUNT_MAX;
            size_t size = 1;
            large[0] = '(';
            for (size_t k = 1; k < count; k++) {
                memcpy(large + size, elements[i], element);
                size += element;
            }
            large[size++] = ')';
            check_limit(size, is_good ? WRN_SEXP_OK : WRN_SEXP_TOO_MANY,
                        is_good ? 0 : size - 1 - element);
        }
    }
}

/* "(1048567:…)" is as large as may be; the fault is at the byte of the parenthesis or atom that
 * crosses the limit. */
static void size_has_a_limit(void **state) {
    (void)state;
    memset(large, 'x', sizeof(large));
    memcpy(large, "(1048566:", 9);
    memcpy(large + 9 + 1048566, ")", 1);
    check_limit(1048576, WRN_SEXP_OK, 0);
    memcpy(large, "(1048567:", 9);
    memcpy(large + 9 + 1048567, ")", 1);
    check_limit(1048577, WRN_SEXP_TOO_LARGE, 1048576);
    memcpy(large, "1048568:", 8);
    check_limit(1048576, WRN_SEXP_OK, 0);
    memcpy(large, "1048569:", 8);
    check_limit(1048577, WRN_SEXP_TOO_LARGE, 0);
    memcpy(large, "(1:a1048576:", 12);
    check_limit(12 + 1048576, WRN_SEXP_TOO_LARGE, 4);
}

static void every_fault_has_a_text_of_its_own(void **state) {
    (void)state;
    for (int fault = 0; fault < WRN_SEXP_FAULTS; fault++) {
        const char *text = wrn_sexp_fault_text((enum wrn_sexp_fault)fault);
        CHECK(strlen(text) > 10 && text[strlen(text) - 1] != '.', "%d: ", fault);
        for (int other = 0; other < fault; other++) {
            assert_string_not_equal(text, wrn_sexp_fault_text((enum wrn_sexp_fault)other));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fault_has_its_name_and_offset),
        cmocka_unit_test(what_is_canonical_is_accepted),
        cmocka_unit_test(depth_has_a_limit),
        cmocka_unit_test(count_has_a_limit),
        cmocka_unit_test(size_has_a_limit),
        cmocka_unit_test(every_fault_has_a_text_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
