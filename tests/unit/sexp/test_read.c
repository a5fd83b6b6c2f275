/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: texts of every form are read as RFC 9804 says; every fault has its name and its offset; no
 * capacity is overrun, and the one that is promised suffices.
 * Method: the examples of the text, tables of what is accepted and of each fault wherever it can
 * occur, limits at the last good value and one above. */
#include "unit/base/check.h"
#include "sexp/sexp.h"
#include "vectors/sexp.h"

#define TEXT(literal)                                                                              \
    { (const uint8_t *)(literal), sizeof(literal) - 1 }

static uint8_t out[WRN_SEXP_SIZE_MAX];
static char printed[4 * WRN_SEXP_SIZE_MAX];

static wrn_span span_of(const char *text) {
    return (wrn_span){(const uint8_t *)text, strlen(text)};
}

static void check_reads(enum wrn_sexp_form form, wrn_span text, wrn_span canonical,
                        const char *name) {
    struct wrn_sexp sexp;
    struct wrn_sexp_error error = {0};
    int result = wrn_sexp_read(form, text, out, wrn_sexp_capacity(text.size), &sexp, NULL, &error);
    CHECK(result == 0, "%s, form %d: %d, %s at %zu: ", name, form, result,
          wrn_sexp_fault_text(error.fault), error.offset);
    CHECK(sexp.bytes.size == canonical.size &&
              memcmp(sexp.bytes.data, canonical.data, canonical.size) == 0,
          "%s, form %d: %.*s: ", name, form, (int)sexp.bytes.size, (const char *)out);
}

static void examples_of_the_rfc(void **state) {
    (void)state;
    static const enum wrn_sexp_form forms[] = {WRN_SEXP_CANONICAL, WRN_SEXP_ADVANCED,
                                               WRN_SEXP_TRANSPORT};
    for (size_t i = 0; i < WRN_COUNT(vector_sexp); i++) {
        const char *text = vector_sexp[i].text;
        wrn_span canonical = span_of(vector_sexp[i].canonical);
        struct wrn_sexp sexp;
        check_reads(WRN_SEXP_ANY, span_of(text), canonical, text);
        check_reads(text[0] == '{' ? WRN_SEXP_TRANSPORT : WRN_SEXP_ADVANCED, span_of(text),
                    canonical, text);
        CHECK(wrn_sexp_check(canonical, &sexp, NULL) == 0, "%s: ", text);
        for (size_t f = 0; f < WRN_COUNT(forms); f++) {
            size_t size = wrn_sexp_print(forms[f], sexp, 20, printed, sizeof(printed));
            wrn_span again = {(const uint8_t *)printed, size};
            check_reads(forms[f], again, canonical, text);
            check_reads(WRN_SEXP_ANY, again, canonical, text);
        }
    }
}

/* Where the text of the RFC leaves room, or is easily misread. */
static const struct {
    wrn_span text;
    wrn_span canonical;
} accepted[] = {
    {TEXT(" \t\v\r\n\fa \t\v\r\n\f"), TEXT("1:a")},
    {TEXT("( )"), TEXT("()")},
    {TEXT("(a(b)c)"), TEXT("(1:a(1:b)1:c)")},
    {TEXT("(version 0)"), TEXT("(7:version1:0)")},
    {TEXT("(ge 0022)"), TEXT("(2:ge4:0022)")},
    {TEXT("1997"), TEXT("4:1997")},
    {TEXT("3abc"), TEXT("4:3abc")},
    {TEXT("[5]6"), TEXT("[1:5]1:6")},
    {TEXT("(2026-11-21_13:37:00)"), TEXT("(19:2026-11-21_13:37:00)")},
    {TEXT("(99999999999999999999)"), TEXT("(20:99999999999999999999)")},
    {TEXT("(a\"b\"c#64#e|Zg|g)"), TEXT("(1:a1:b1:c1:d1:e1:f1:g)")}, /* nothing to separate */
    {TEXT("(1:ab 1:cd)"), TEXT("(1:a1:b1:c1:d)")},
    {TEXT("(a3:bcd)"), TEXT("(6:a3:bcd)")}, /* one token, digits and colon included */
    {TEXT("(a3\"bcd\")"), TEXT("(2:a33:bcd)")},
    {TEXT("(: = - + * . / _)"), TEXT("(1::1:=1:-1:+1:*1:.1:/1:_)")},
    {TEXT("-5"), TEXT("2:-5")},
    {TEXT("0\"\""), TEXT("0:")},
    {TEXT("0##"), TEXT("0:")},
    {TEXT("0||"), TEXT("0:")},
    {TEXT("\"\\a\\b\\t\\n\\v\\f\\r\\\"\\'\\?\\\\\""), TEXT("11:\a\b\t\n\v\f\r\"'\?\\")},
    {TEXT("\"\\000\\377\\x00\\xfF\""), TEXT("4:\0\377\0\377")},
    {TEXT("\"\\0011\\x111\""), TEXT("4:\0011\0211")}, /* three and two digits, no more */
    {TEXT("\"a\\\rb\\\nc\\\r\nd\\\n\re\""), TEXT("5:abcde")},
    {TEXT("\"\\\n\\\n\""), TEXT("0:")},
    {TEXT("2\"\\\n\\x41\\\r\nb\""), TEXT("2:Ab")}, /* the length counts bytes, not characters */
    {TEXT("# aB\tCd\n#"), TEXT("2:\xab\xcd")},
    {TEXT("|YQ==|"), TEXT("1:a")},
    {TEXT("|YQ=|"), TEXT("1:a")}, /* "one or two equals signs are dropped" */
    {TEXT("|YQ|"), TEXT("1:a")},
    {TEXT("|YWI=|"), TEXT("2:ab")},
    {TEXT("|YWI|"), TEXT("2:ab")},
    {TEXT("| Y\tQ\n=\r=\f|"), TEXT("1:a")},
    {TEXT("1|YQ|"), TEXT("1:a")},
    {TEXT("|+/+/|"), TEXT("3:\xfb\xff\xbf")},
    {TEXT("[ a ] b"), TEXT("[1:a]1:b")},
    {TEXT("[\"a\"]#62#"), TEXT("[1:a]1:b")},
    {TEXT("[#61#]|Yg==|"), TEXT("[1:a]1:b")},
    {TEXT("[|YQ==|]1\"b\""), TEXT("[1:a]1:b")},
    {TEXT("[1:a]1:b"), TEXT("[1:a]1:b")},
    {TEXT("([a]b[c]d)"), TEXT("([1:a]1:b[1:c]1:d)")},
    {TEXT("[a]\"\""), TEXT("[1:a]0:")},
    {TEXT("{MTph}"), TEXT("1:a")},
    {TEXT(" { MT\np h } "), TEXT("1:a")},
    {TEXT("{Mjph\nYg}"), TEXT("2:ab")},
    {TEXT("{MjphYg=}"), TEXT("2:ab")},
    {TEXT("{MjphYg==}"), TEXT("2:ab")},
};

static void what_leaves_room(void **state) {
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(accepted); i++) {
        const char *text = (const char *)accepted[i].text.data;
        check_reads(WRN_SEXP_ANY, accepted[i].text, accepted[i].canonical, text);
    }
    check_reads(WRN_SEXP_CANONICAL, span_of("\n(1:a)\n"), span_of("(1:a)"), "white space outside");
}

/* What canonical form has, see test_check.c; here what only advanced form, or the braces, can have,
 * and the same faults between white space and other notations. */
static const struct {
    enum wrn_sexp_form form;
    wrn_span text;
    enum wrn_sexp_fault fault;
    size_t offset;
} faults[] = {
    {WRN_SEXP_ANY, TEXT(""), WRN_SEXP_ENDS_EARLY, 0},
    {WRN_SEXP_ANY, TEXT(" \n "), WRN_SEXP_ENDS_EARLY, 3},
    {WRN_SEXP_CANONICAL, TEXT(" \n "), WRN_SEXP_ENDS_EARLY, 3},
    {WRN_SEXP_TRANSPORT, TEXT(" \n "), WRN_SEXP_ENDS_EARLY, 3},
    {WRN_SEXP_ANY, TEXT("(a "), WRN_SEXP_ENDS_EARLY, 3},
    {WRN_SEXP_ANY, TEXT("(a (b) "), WRN_SEXP_ENDS_EARLY, 7},
    {WRN_SEXP_ANY, TEXT("5:"), WRN_SEXP_ENDS_EARLY, 2},
    {WRN_SEXP_CANONICAL, TEXT("5"), WRN_SEXP_ENDS_EARLY, 1},
    {WRN_SEXP_ANY, TEXT("3:ab"), WRN_SEXP_ENDS_EARLY, 4},
    {WRN_SEXP_ANY, TEXT("\""), WRN_SEXP_ENDS_EARLY, 1},
    {WRN_SEXP_ANY, TEXT("\"abc"), WRN_SEXP_ENDS_EARLY, 4},
    {WRN_SEXP_ANY, TEXT("\"abc\\"), WRN_SEXP_ENDS_EARLY, 5},
    {WRN_SEXP_ANY, TEXT("\"abc\\\""), WRN_SEXP_ENDS_EARLY, 6},
    {WRN_SEXP_ANY, TEXT("\"\\\r"), WRN_SEXP_ENDS_EARLY, 3},
    {WRN_SEXP_ANY, TEXT("\"\\1"), WRN_SEXP_ENDS_EARLY, 3},
    {WRN_SEXP_ANY, TEXT("\"\\12"), WRN_SEXP_ENDS_EARLY, 4},
    {WRN_SEXP_ANY, TEXT("\"\\x"), WRN_SEXP_ENDS_EARLY, 3},
    {WRN_SEXP_ANY, TEXT("\"\\xf"), WRN_SEXP_ENDS_EARLY, 4},
    {WRN_SEXP_ANY, TEXT("#"), WRN_SEXP_ENDS_EARLY, 1},
    {WRN_SEXP_ANY, TEXT("#6"), WRN_SEXP_ENDS_EARLY, 2},
    {WRN_SEXP_ANY, TEXT("#61 "), WRN_SEXP_ENDS_EARLY, 4},
    {WRN_SEXP_ANY, TEXT("|"), WRN_SEXP_ENDS_EARLY, 1},
    {WRN_SEXP_ANY, TEXT("|Y"), WRN_SEXP_ENDS_EARLY, 2},
    {WRN_SEXP_ANY, TEXT("|YQ="), WRN_SEXP_ENDS_EARLY, 4},
    {WRN_SEXP_ANY, TEXT("|YQ== "), WRN_SEXP_ENDS_EARLY, 6},
    {WRN_SEXP_ANY, TEXT("[ "), WRN_SEXP_ENDS_EARLY, 2},
    {WRN_SEXP_ANY, TEXT("[a"), WRN_SEXP_ENDS_EARLY, 2},
    {WRN_SEXP_ANY, TEXT("[a "), WRN_SEXP_ENDS_EARLY, 3},
    {WRN_SEXP_ANY, TEXT("[a] "), WRN_SEXP_ENDS_EARLY, 4},
    {WRN_SEXP_ANY, TEXT("{"), WRN_SEXP_ENDS_EARLY, 1},
    {WRN_SEXP_ANY, TEXT("{MTph"), WRN_SEXP_ENDS_EARLY, 5},
    {WRN_SEXP_ANY, TEXT("{}"), WRN_SEXP_ENDS_EARLY, 1}, /* no expression in it */
    {WRN_SEXP_ANY, TEXT("{ }"), WRN_SEXP_ENDS_EARLY, 2},
    {WRN_SEXP_ANY, TEXT("{KDE6YQ== }"), WRN_SEXP_ENDS_EARLY, 10}, /* (1:a */
    {WRN_SEXP_ANY, TEXT(" )"), WRN_SEXP_STRAY_CLOSE, 1},
    {WRN_SEXP_ANY, TEXT("a )"), WRN_SEXP_STRAY_CLOSE, 2},
    {WRN_SEXP_ANY, TEXT("(a))"), WRN_SEXP_STRAY_CLOSE, 3},
    {WRN_SEXP_ANY, TEXT("{MTph})"), WRN_SEXP_STRAY_CLOSE, 6},
    {WRN_SEXP_ANY, TEXT("{ KDE 6YT E6YjE 6Yykp }"), WRN_SEXP_STRAY_CLOSE, 19},
    {WRN_SEXP_ANY, TEXT("!"), WRN_SEXP_BAD_CHARACTER, 0},
    {WRN_SEXP_ANY, TEXT("(a ; comment\n)"), WRN_SEXP_BAD_CHARACTER, 3},
    {WRN_SEXP_ANY, TEXT("(a & b)"), WRN_SEXP_BAD_CHARACTER, 3},
    {WRN_SEXP_ANY, TEXT("(a\\ b)"), WRN_SEXP_BAD_CHARACTER, 2},
    {WRN_SEXP_ANY, TEXT("(a {MTph})"), WRN_SEXP_BAD_CHARACTER, 3},
    {WRN_SEXP_ANY, TEXT("(a })"), WRN_SEXP_BAD_CHARACTER, 3},
    {WRN_SEXP_ANY, TEXT("(a ])"), WRN_SEXP_BAD_CHARACTER, 3},
    {WRN_SEXP_ANY, TEXT("(b\303\266b)"), WRN_SEXP_BAD_CHARACTER, 2},
    {WRN_SEXP_ANY, TEXT("\"b\303\266b\""), WRN_SEXP_BAD_QUOTED, 2},
    {WRN_SEXP_ANY, TEXT("\"two\nlines\""), WRN_SEXP_BAD_QUOTED, 4},
    {WRN_SEXP_ANY, TEXT("\"tab\there\""), WRN_SEXP_BAD_QUOTED, 4},
    {WRN_SEXP_ANY, TEXT("\"zero\0\""), WRN_SEXP_BAD_QUOTED, 5},
    {WRN_SEXP_ANY, TEXT("\"\177\""), WRN_SEXP_BAD_QUOTED, 1},
    {WRN_SEXP_ANY, TEXT("[\"\377\"]a"), WRN_SEXP_BAD_QUOTED, 2},
    {WRN_SEXP_ANY, TEXT("[ !]a"), WRN_SEXP_BAD_CHARACTER, 2},
    {WRN_SEXP_ANY, TEXT("[a] !"), WRN_SEXP_BAD_CHARACTER, 4},
    {WRN_SEXP_TRANSPORT, TEXT(" (1:a)"), WRN_SEXP_BAD_CHARACTER, 1},
    {WRN_SEXP_ADVANCED, TEXT("{MTph}"), WRN_SEXP_BAD_CHARACTER, 0},
    {WRN_SEXP_CANONICAL, TEXT("{MTph}"), WRN_SEXP_BAD_CHARACTER, 0},
    {WRN_SEXP_ANY, TEXT("{MSBh}"), WRN_SEXP_LENGTH_ALONE, 2},  /* 1 a */
    {WRN_SEXP_ANY, TEXT("{KGEp}"), WRN_SEXP_BAD_CHARACTER, 2}, /* (a): canonical form only */
    {WRN_SEXP_ANY, TEXT("{IDE6YQ}"), WRN_SEXP_BAD_CHARACTER, 1},
    {WRN_SEXP_ANY, TEXT("(version 0!)"), WRN_SEXP_LENGTH_ALONE, 10},
    {WRN_SEXP_ANY, TEXT("(12{)"), WRN_SEXP_LENGTH_ALONE, 3},
    {WRN_SEXP_ANY, TEXT("3 \"abc\""), WRN_SEXP_TRAILING, 2},
    {WRN_SEXP_CANONICAL, TEXT("(7:version0)"), WRN_SEXP_LENGTH_ALONE, 11},
    {WRN_SEXP_ANY, TEXT("(7:version0:)0"), WRN_SEXP_TRAILING, 13},
    {WRN_SEXP_ANY, TEXT("[a]5)"), WRN_SEXP_STRAY_CLOSE, 4},
    {WRN_SEXP_ANY, TEXT("(12:00)"), WRN_SEXP_ENDS_EARLY, 7},
    {WRN_SEXP_ANY, TEXT("03\"abc\""), WRN_SEXP_LENGTH_ZERO_LED, 0},
    {WRN_SEXP_ANY, TEXT("(01#61#)"), WRN_SEXP_LENGTH_ZERO_LED, 1},
    {WRN_SEXP_ANY, TEXT("01|YQ==|"), WRN_SEXP_LENGTH_ZERO_LED, 0},
    {WRN_SEXP_ANY, TEXT(" 03:abc"), WRN_SEXP_LENGTH_ZERO_LED, 1},
    {WRN_SEXP_ANY, TEXT("1048577\"a\""), WRN_SEXP_LENGTH_TOO_BIG, 0},
    {WRN_SEXP_ANY, TEXT("99999999999999999999#61#"), WRN_SEXP_LENGTH_TOO_BIG, 0},
    {WRN_SEXP_ANY, TEXT("( 1048577|YQ|)"), WRN_SEXP_LENGTH_TOO_BIG, 2},
    {WRN_SEXP_ANY, TEXT("4\"abc\""), WRN_SEXP_LENGTH_WRONG, 0},
    {WRN_SEXP_ANY, TEXT("2\"abc\""), WRN_SEXP_LENGTH_WRONG, 0},
    {WRN_SEXP_ANY, TEXT("(a 4\"\\x41\")"), WRN_SEXP_LENGTH_WRONG, 3},
    {WRN_SEXP_ANY, TEXT("4#616263#"), WRN_SEXP_LENGTH_WRONG, 0},
    {WRN_SEXP_ANY, TEXT("6#616263#"), WRN_SEXP_LENGTH_WRONG, 0},
    {WRN_SEXP_ANY, TEXT("4|YWJj|"), WRN_SEXP_LENGTH_WRONG, 0},
    {WRN_SEXP_ANY, TEXT("[2\"a\"]b"), WRN_SEXP_LENGTH_WRONG, 1},
    {WRN_SEXP_ANY, TEXT("#6#"), WRN_SEXP_BAD_HEX, 2},
    {WRN_SEXP_ANY, TEXT("#616 #"), WRN_SEXP_BAD_HEX, 5},
    {WRN_SEXP_ANY, TEXT("#6g#"), WRN_SEXP_BAD_HEX, 2},
    {WRN_SEXP_ANY, TEXT("#61,62#"), WRN_SEXP_BAD_HEX, 3},
    {WRN_SEXP_ANY, TEXT("(#61)"), WRN_SEXP_BAD_HEX, 4},
    {WRN_SEXP_ANY, TEXT("[#6#]a"), WRN_SEXP_BAD_HEX, 3},
    {WRN_SEXP_ANY, TEXT("|Y|"), WRN_SEXP_BAD_BASE64, 2},
    {WRN_SEXP_ANY, TEXT("|YWJjY|"), WRN_SEXP_BAD_BASE64, 6},
    {WRN_SEXP_ANY, TEXT("|Y===|"), WRN_SEXP_BAD_BASE64, 2},
    {WRN_SEXP_ANY, TEXT("|=|"), WRN_SEXP_BAD_BASE64, 1},
    {WRN_SEXP_ANY, TEXT("|YWJj=|"), WRN_SEXP_BAD_BASE64, 5},
    {WRN_SEXP_ANY, TEXT("|YQ===|"), WRN_SEXP_BAD_BASE64, 5},
    {WRN_SEXP_ANY, TEXT("|YWI==|"), WRN_SEXP_BAD_BASE64, 5},
    {WRN_SEXP_ANY, TEXT("|YQ=Q|"), WRN_SEXP_BAD_BASE64, 4},
    {WRN_SEXP_ANY, TEXT("|YQ==YQ==|"), WRN_SEXP_BAD_BASE64, 5},
    {WRN_SEXP_ANY, TEXT("|YR==|"), WRN_SEXP_BAD_BASE64, 2}, /* a bit behind the byte */
    {WRN_SEXP_ANY, TEXT("|Y Z\n|"), WRN_SEXP_BAD_BASE64, 3},
    {WRN_SEXP_ANY, TEXT("|YWJ|"), WRN_SEXP_BAD_BASE64, 3},
    {WRN_SEXP_ANY, TEXT("|Y-_Z|"), WRN_SEXP_BAD_BASE64, 2}, /* the alphabet for file names */
    {WRN_SEXP_ANY, TEXT("|YWJj}"), WRN_SEXP_BAD_BASE64, 5},
    {WRN_SEXP_ANY, TEXT("{M}"), WRN_SEXP_BAD_BASE64, 2},
    {WRN_SEXP_ANY, TEXT("{MTph|"), WRN_SEXP_BAD_BASE64, 5},
    {WRN_SEXP_ANY, TEXT("{MTph=}"), WRN_SEXP_BAD_BASE64, 5},
    {WRN_SEXP_ANY, TEXT("{MjphYh==}"), WRN_SEXP_BAD_BASE64, 6},
    {WRN_SEXP_ANY, TEXT("{MT:ph}"), WRN_SEXP_BAD_BASE64, 3},
    {WRN_SEXP_ANY, TEXT("\"\\\""), WRN_SEXP_ENDS_EARLY, 3},
    {WRN_SEXP_ANY, TEXT("\"\\z\""), WRN_SEXP_BAD_ESCAPE, 1},
    {WRN_SEXP_ANY, TEXT("\"ab\\ c\""), WRN_SEXP_BAD_ESCAPE, 3},
    {WRN_SEXP_ANY, TEXT("\"\\0\""), WRN_SEXP_BAD_ESCAPE, 1}, /* all three digits */
    {WRN_SEXP_ANY, TEXT("\"\\08\""), WRN_SEXP_BAD_ESCAPE, 1},
    {WRN_SEXP_ANY, TEXT("\"\\018\""), WRN_SEXP_BAD_ESCAPE, 1},
    {WRN_SEXP_ANY, TEXT("\"\\400\""), WRN_SEXP_BAD_ESCAPE, 1}, /* is no byte */
    {WRN_SEXP_ANY, TEXT("\"\\777\""), WRN_SEXP_BAD_ESCAPE, 1},
    {WRN_SEXP_ANY, TEXT("\"\\800\""), WRN_SEXP_BAD_ESCAPE, 1},
    {WRN_SEXP_ANY, TEXT("\"\\xf\""), WRN_SEXP_BAD_ESCAPE, 1}, /* both digits */
    {WRN_SEXP_ANY, TEXT("\"\\xfg\""), WRN_SEXP_BAD_ESCAPE, 1},
    {WRN_SEXP_ANY, TEXT("\"\\X41\""), WRN_SEXP_BAD_ESCAPE, 1},
    {WRN_SEXP_ANY, TEXT("\"\\\0\""), WRN_SEXP_BAD_ESCAPE, 1},
    {WRN_SEXP_ANY, TEXT("[ ]a"), WRN_SEXP_BAD_HINT, 2},
    {WRN_SEXP_ANY, TEXT("[\"\"]a"), WRN_SEXP_BAD_HINT, 1},
    {WRN_SEXP_ANY, TEXT("[ ##]a"), WRN_SEXP_BAD_HINT, 2},
    {WRN_SEXP_ANY, TEXT("[||]a"), WRN_SEXP_BAD_HINT, 1},
    {WRN_SEXP_ANY, TEXT("[0:]a"), WRN_SEXP_BAD_HINT, 1},
    {WRN_SEXP_ANY, TEXT("[(a)]b"), WRN_SEXP_BAD_HINT, 1},
    {WRN_SEXP_ANY, TEXT("[[a]b]c"), WRN_SEXP_BAD_HINT, 1},
    {WRN_SEXP_ANY, TEXT("[a b]c"), WRN_SEXP_BAD_HINT, 3},
    {WRN_SEXP_ANY, TEXT("[a)b"), WRN_SEXP_BAD_HINT, 2},
    {WRN_SEXP_ANY, TEXT("[a](b)"), WRN_SEXP_BAD_HINT, 3},
    {WRN_SEXP_ANY, TEXT("([a] )"), WRN_SEXP_BAD_HINT, 5},
    {WRN_SEXP_ANY, TEXT("[a] [b]c"), WRN_SEXP_BAD_HINT, 4},
    {WRN_SEXP_ANY, TEXT("[a]]"), WRN_SEXP_BAD_HINT, 3},
    {WRN_SEXP_ANY, TEXT("a b"), WRN_SEXP_TRAILING, 2},
    {WRN_SEXP_ANY, TEXT("(a) \n(b)"), WRN_SEXP_TRAILING, 5},
    {WRN_SEXP_ANY, TEXT("a\0"), WRN_SEXP_TRAILING, 1},
    {WRN_SEXP_ANY, TEXT("b\303\266b"), WRN_SEXP_TRAILING, 1},
    {WRN_SEXP_ANY, TEXT("{MTph} a"), WRN_SEXP_TRAILING, 7},
    {WRN_SEXP_ANY, TEXT("{MTphMTpi}"), WRN_SEXP_TRAILING, 5},
    {WRN_SEXP_CANONICAL, TEXT("1:a 1:b"), WRN_SEXP_TRAILING, 4},
};

static void each_fault_has_its_name_and_offset(void **state) {
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(faults); i++) {
        struct wrn_sexp untouched = {TEXT("x")};
        struct wrn_sexp sexp = untouched;
        struct wrn_sexp_error error = {0};
        wrn_span text = faults[i].text;
        const char *name = (const char *)text.data;
        int result = wrn_sexp_read(faults[i].form, text, out, wrn_sexp_capacity(text.size), &sexp,
                                   NULL, &error);
        CHECK(result == WRN_ERR_MALFORMED, "%s: %d: ", name, result);
        CHECK(error.fault == faults[i].fault && error.offset == faults[i].offset,
              "%s: %s at %zu: ", name, wrn_sexp_fault_text(error.fault), error.offset);
        assert_ptr_equal(sexp.bytes.data, untouched.bytes.data);
        assert_int_equal(wrn_sexp_read(faults[i].form, text, out, wrn_sexp_capacity(text.size),
                                       &sexp, NULL, NULL),
                         WRN_ERR_MALFORMED);
    }
}

/* A file of several, in several forms: the loop that the header speaks of. */
static void several_are_read_one_by_one(void **state) {
    (void)state;
    static const char *const expected[] = {"1:a", "(1:b)", "1:c", "1:d", "2:ef"};
    wrn_span text = span_of(" a(b)\n{MTpj}1:d\t\"ef\" \n");
    size_t count = 0;
    while (text.size > 0) {
        struct wrn_sexp sexp;
        size_t used = 0;
        assert_true(count < WRN_COUNT(expected));
        assert_int_equal(wrn_sexp_read(WRN_SEXP_ANY, text, out, sizeof(out), &sexp, &used, NULL),
                         0);
        CHECK(sexp.bytes.size == strlen(expected[count]) &&
                  memcmp(out, expected[count], sexp.bytes.size) == 0,
              "%zu: ", count);
        assert_true(used > 0 && used <= text.size);
        text = (wrn_span){text.data + used, text.size - used};
        count++;
    }
    assert_int_equal(count, WRN_COUNT(expected));
    struct wrn_sexp sexp;
    struct wrn_sexp_error error;
    size_t used = 4711;
    assert_int_equal(
        wrn_sexp_read(WRN_SEXP_ANY, span_of(") a"), out, sizeof(out), &sexp, &used, &error),
        WRN_ERR_MALFORMED);
    assert_true(error.fault == WRN_SEXP_STRAY_CLOSE && used == 4711);
}

/* Goal: too little room is said, never overrun, and never taken for a fault of the text.
 * Method: every capacity up to the size, in a block of exactly that many bytes. */
static void room_is_never_overrun(void **state) {
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(vector_sexp); i++) {
        size_t size = strlen(vector_sexp[i].canonical);
        for (size_t capacity = 0; capacity <= size; capacity++) {
            struct wrn_sexp sexp;
            uint8_t *block = malloc(capacity > 0 ? capacity : 1);
            assert_non_null(block);
            int result = wrn_sexp_read(WRN_SEXP_ANY, span_of(vector_sexp[i].text), block, capacity,
                                       &sexp, NULL, NULL);
            CHECK(result == (capacity < size ? -ENOBUFS : 0),
                  "%s in %zu: %d: ", vector_sexp[i].text, capacity, result);
            free(block);
        }
    }
    struct wrn_sexp sexp;
    struct wrn_sexp_error error;
    assert_int_equal(wrn_sexp_read(WRN_SEXP_ANY, span_of("(abc !)"), out, 2, &sexp, NULL, &error),
                     WRN_ERR_MALFORMED);
    assert_true(error.fault == WRN_SEXP_BAD_CHARACTER && error.offset == 5);
}

/* Goal: the promised capacity suffices, and is no larger than it must be.
 * Method: all texts of up to seven characters of those that grow most, and the worst one. */
static void the_promised_capacity_suffices(void **state) {
    (void)state;
    static const char set[] = "a ()[]\"1:#";
    char text[8] = {0};
    size_t read = 0;
    size_t count = 1;
    for (size_t size = 1; size <= 7; size++) {
        count *= WRN_COUNT(set) - 1;
        for (size_t number = 0; number < count; number++) {
            size_t rest = number;
            for (size_t i = 0; i < size; i++) {
                text[i] = set[rest % (WRN_COUNT(set) - 1)];
                rest /= WRN_COUNT(set) - 1;
            }
            struct wrn_sexp sexp;
            int result = wrn_sexp_read(WRN_SEXP_ADVANCED, (wrn_span){(const uint8_t *)text, size},
                                       out, wrn_sexp_capacity(size), &sexp, NULL, NULL);
            CHECK(result == 0 || result == WRN_ERR_MALFORMED, "%.*s: %d: ", (int)size, text,
                  result);
            read += result == 0;
        }
    }
    assert_true(read > 1000);
    struct wrn_sexp sexp;
    assert_int_equal(wrn_sexp_read(WRN_SEXP_ANY, span_of("a"), out, 2, &sexp, NULL, NULL),
                     -ENOBUFS);
    assert_int_equal(wrn_sexp_capacity(1), 3);
    assert_int_equal(wrn_sexp_capacity(SIZE_MAX), WRN_SEXP_SIZE_MAX);
}

static uint8_t large[4 * WRN_SEXP_SIZE_MAX];

static void check_limit(size_t size, enum wrn_sexp_fault fault, size_t offset, const char *name) {
    struct wrn_sexp sexp;
    struct wrn_sexp_error error = {0};
    int result =
        wrn_sexp_read(WRN_SEXP_ANY, (wrn_span){large, size}, out, sizeof(out), &sexp, NULL, &error);
    CHECK(result == (fault == WRN_SEXP_OK ? 0 : WRN_ERR_MALFORMED) && error.fault == fault &&
              error.offset == offset,
          "%s: %d, %s at %zu: ", name, result, wrn_sexp_fault_text(error.fault), error.offset);
}

/* 'lead', 'count' times 'element', 'trail'. Returns the size. */
static size_t repeat(const char *lead, const char *element, size_t count, const char *trail) {
    size_t size = strlen(lead);
    memcpy(large, lead, size);
    for (size_t i = 0; i < count; i++) {
        memcpy(large + size, element, strlen(element));
        size += strlen(element);
    }
    memcpy(large + size, trail, strlen(trail));
    return size + strlen(trail);
}

static void limits_of_the_advanced_form(void **state) {
    (void)state;
    char lists[2 * (WRN_SEXP_DEPTH_MAX + 1) + 1] = {0};
    memset(lists, ')', 2 * WRN_SEXP_DEPTH_MAX);
    memset(lists, '(', WRN_SEXP_DEPTH_MAX);
    check_limit(repeat(lists, "", 0, ""), WRN_SEXP_OK, 0, "64 lists");
    memset(lists, '(', WRN_SEXP_DEPTH_MAX + 1);
    check_limit(repeat(lists, "", 0, ""), WRN_SEXP_TOO_DEEP, WRN_SEXP_DEPTH_MAX, "65 lists");

    size_t size = repeat("(", "a ", WRN_SEXP_COUNT_MAX - 1, ")");
    check_limit(size, WRN_SEXP_OK, 0, "65535 tokens in a list");
    size = repeat("(", "a ", WRN_SEXP_COUNT_MAX, ")");
    check_limit(size, WRN_SEXP_TOO_MANY, size - 3, "65536 tokens in a list");

    /* 1048576 bytes with their length and colon: 1048568 characters. */
    size = repeat("", "a", 1048568, "");
    check_limit(size, WRN_SEXP_OK, 0, "the longest token");
    size = repeat("(", "a", 1048566, " )");
    check_limit(size, WRN_SEXP_OK, 0, "the longest token in a list");
    size = repeat("(", "a", 1048567, " )");
    check_limit(size, WRN_SEXP_TOO_LARGE, size - 1, "a parenthesis too much");
    size = repeat(" ", "a", 1048569, "");
    check_limit(size, WRN_SEXP_TOO_LARGE, 1, "a token too long");
    size = repeat("#", "61", 1048568, "#");
    check_limit(size, WRN_SEXP_OK, 0, "the longest hexadecimal string");
    size = repeat("#", "61", 1048569, "#");
    check_limit(size, WRN_SEXP_TOO_LARGE, 0, "a hexadecimal string too long");
    size = repeat("(a", " ", 3000000, "b)");
    check_limit(size, WRN_SEXP_OK, 0, "white space is free");
}

/* Base64 of 1048576 bytes and of one more. The expression in it begins "1048568:" or "1048569:". */
static void limits_of_the_transport_form(void **state) {
    (void)state;
    static uint8_t inside[WRN_SEXP_SIZE_MAX + 1];
    for (size_t extra = 0; extra <= 1; extra++) {
        memset(inside, 'x', sizeof(inside));
        memcpy(inside, extra == 0 ? "1048568:" : "1048569:", 8);
        struct wrn_sexp whole = {{inside, WRN_SEXP_SIZE_MAX + extra}};
        size_t size = wrn_sexp_print(WRN_SEXP_TRANSPORT, whole, 0, (char *)large, sizeof(large));
        assert_true(size <= sizeof(large));
        /* Byte 1048576 has its first bits in digit 1048576 / 3 * 4 + 1, behind the brace. */
        check_limit(size, extra == 0 ? WRN_SEXP_OK : WRN_SEXP_TOO_LARGE,
                    extra == 0 ? 0 : 1 + 349525 * 4 + 1, "base64");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples_of_the_rfc),
        cmocka_unit_test(what_leaves_room),
        cmocka_unit_test(each_fault_has_its_name_and_offset),
        cmocka_unit_test(several_are_read_one_by_one),
        cmocka_unit_test(room_is_never_overrun),
        cmocka_unit_test(the_promised_capacity_suffices),
        cmocka_unit_test(limits_of_the_advanced_form),
        cmocka_unit_test(limits_of_the_transport_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
