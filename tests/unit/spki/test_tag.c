/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: two tags permit together exactly what both permit, in one normal form, and never more,
 * also if they were made to hurt. Method: tables of tags as text, an apostrophe for a double
 * quote; the laws of the algebra on all pairs and triples of a collection; inputs of the
 * greatest size. */
#include "spki/tag.h"

#include <stdio.h>

#include "unit/base/check.h"
#include "unit/spki/text.h"

static uint8_t scratch[WRN_TAG_SIZE_MAX];

/* What two tags permit together; an empty expression for nothing. */
static struct wrn_sexp meet(struct wrn_sexp a, struct wrn_sexp b) {
    struct wrn_sexp both = {{NULL, 0}};
    struct wrn_sexp_writer out = wrn_sexp_writer(text_room(WRN_TAG_SIZE_MAX), WRN_TAG_SIZE_MAX);
    int result = wrn_tag_intersect(a, b, &out);
    CHECK(result == 0 || result == 1, "%s, %s: %d: ", text_of(a), text_of(b), result);
    CHECK(result == 1 || out.size == 0, "%s, %s: %zu: ", text_of(a), text_of(b), out.size);
    if (result == 1) {
        assert_int_equal(wrn_sexp_finish(&out, &both), 0);
        CHECK(wrn_tag_check(both, NULL) == WRN_TAG_OK, "%s: ", text_of(both));
    }
    return both;
}

static struct wrn_sexp normal(struct wrn_sexp tag) {
    return meet(tag, text_read("(*)"));
}

static bool covers(struct wrn_sexp tag, struct wrn_sexp request) {
    int result = wrn_tag_covers(tag, request, scratch, sizeof scratch);
    CHECK(result == 0 || result == 1, "%s, %s: %d: ", text_of(tag), text_of(request), result);
    return result == 1;
}

struct pair {
    const char *a, *b;
    const char *both; /* in the normal form; NULL: nothing */
};

/* Either way round gives the same, and covering agrees with it. */
static void assert_pairs(const struct pair *pairs, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct wrn_sexp a = text_read(pairs[i].a), b = text_read(pairs[i].b);
        for (int swapped = 0; swapped < 2; swapped++) {
            struct wrn_sexp both = swapped ? meet(b, a) : meet(a, b);
            const char *text = both.bytes.size > 0 ? text_of(both) : "nothing";
            const char *right = pairs[i].both != NULL ? pairs[i].both : "nothing";
            CHECK(strcmp(text, right) == 0, "%s and %s are %s, not %s: ", text_of(a), text_of(b),
                  text, right);
            if (both.bytes.size > 0) {
                CHECK(covers(a, both) && covers(b, both), "%s and %s: ", text_of(a), text_of(b));
            }
        }
        text_forget();
    }
}

#define ASSERT_PAIRS(...)                                                                          \
    do {                                                                                           \
        static const struct pair pairs[] = {__VA_ARGS__};                                          \
        assert_pairs(pairs, WRN_COUNT(pairs));                                                     \
    } while (0)

static void everything_and_anything(void **state) {
    (void)state;
    ASSERT_PAIRS({"(*)", "(*)", "(*)"}, {"(*)", "a", "a"}, {"(*)", "[text]a", "[text]a"},
                 {"(*)", "()", "()"}, {"(*)", "(a b)", "(a b)"},
                 {"(*)", "(* prefix ab)", "(* prefix ab)"}, {"(*)", "(* set a b)", "(* set a b)"},
                 {"(*)", "(* range numeric (ge '5'))", "(* range numeric (ge '5'))"},
                 {"(a (*))", "(a b)", "(a b)"}, {"((*) b)", "(a b)", "(a b)"});
}

static void atoms_are_equal_with_equal_hints(void **state) {
    (void)state;
    ASSERT_PAIRS({"a", "a", "a"}, {"a", "b", NULL}, {"a", "ab", NULL}, {"a", "''", NULL},
                 {"''", "''", "''"}, {"[t]a", "[t]a", "[t]a"}, {"[t]a", "a", NULL},
                 {"[t]a", "[u]a", NULL}, {"[t]a", "[t]b", NULL}, {"a", "(a)", NULL},
                 {"[t]a", "(* prefix '')", NULL}, {"[t]a", "(* range alpha)", NULL},
                 {"[t]a", "(* set a [t]a [u]a)", "[t]a"}, {"[t]'5'", "(* range numeric)", NULL});
}

static void longer_list_permits_less(void **state) {
    (void)state;
    ASSERT_PAIRS({"(a)", "(a b)", "(a b)"}, {"(a b)", "(a b c)", "(a b c)"}, {"()", "(a)", "(a)"},
                 {"()", "()", "()"}, {"(a)", "(a (*))", "(a (*))"},
                 {"(a (b))", "(a (b c) d)", "(a (b c) d)"},
                 {"(a (b c))", "(a (b) d)", "(a (b c) d)"},
                 /* what the longer one has more is put into the normal form too */
                 {"(a)", "(a (* set c b c))", "(a (* set b c))"}, {"(a)", "(a (* set))", NULL});
}

static void failing_element_fails_the_whole_list(void **state) {
    (void)state;
    ASSERT_PAIRS({"(a b c)", "(a x c)", NULL}, {"(a b c)", "(x b c)", NULL},
                 {"(a b c)", "(a b x)", NULL}, {"(a (b c) d)", "(a (b x) d)", NULL},
                 {"(a b c d)", "(a x)", NULL}, {"(a (* prefix b))", "(a c d)", NULL},
                 {"(a (* set b c) d)", "(a (* set x y) d)", NULL},
                 {"(a ((* set) b) c)", "(a)", NULL});
}

static void set_and_non_set(void **state) {
    (void)state;
    ASSERT_PAIRS({"(* set a b c)", "b", "b"}, {"(* set a b c)", "d", NULL},
                 {"(* set (a) (b))", "(a x)", "(a x)"}, {"(* set a (a))", "(a x)", "(a x)"},
                 {"(* set a (b c) (* prefix d))", "dog", "dog"},
                 {"(* set abc xyz)", "(* prefix a)", "abc"},
                 {"(* set abc abd xyz)", "(* prefix a)", "(* set abc abd)"},
                 {"(* set '4' '5' '6' x)", "(* range numeric (g '4'))", "(* set '5' '6')"},
                 {"(ftp (* set read write))", "(ftp write)", "(ftp write)"},
                 {"(* set (a (* set b c)) (a d))", "(a)", "(* set (a (* set b c)) (a d))"});
}

static void set_and_set(void **state) {
    (void)state;
    ASSERT_PAIRS({"(* set a b c)", "(* set b c d)", "(* set b c)"},
                 {"(* set a b)", "(* set c d)", NULL}, {"(* set a b)", "(* set b c)", "b"},
                 {"(* set)", "(* set a)", NULL}, {"(* set)", "(*)", NULL},
                 {"(* set b a)", "(* set a b)", "(* set a b)"},
                 {"(* set (* set a (* set b)) c)", "(* set c (* set b))", "(* set b c)"},
                 {"(* set (a) (b))", "(* set (a x) (a y) (b z) (c))", "(* set (a x) (a y) (b z))"},
                 {"(* set (* prefix a) (* prefix b))", "(* set abc (* prefix bc) c)",
                  "(* set (* prefix bc) abc)"},
                 {"(* set a (*))", "(* set x (y))", "(* set (y) x)"});
}

static void normal_form_of_sets(void **state) {
    (void)state;
    ASSERT_PAIRS({"(*)", "(* set a)", "a"}, {"(*)", "(* set a a a)", "a"},
                 {"(*)", "(* set a (*) b)", "(*)"}, {"(*)", "(* set)", NULL},
                 {"(*)", "(* set (* set) (* set (* set)))", NULL},
                 {"(*)", "(* set c bb a)", "(* set a c bb)"}, /* canonical: 1:a 1:c 2:bb */
                 {"(*)", "(* set abc (* prefix a) abd b)", "(* set (* prefix a) b)"},
                 {"(*)", "(* set (a b) (a) (a b c))", "(a)"},
                 {"(*)", "(* set (a b) (a c) (a (* set b c)))", "(a (* set b c))"},
                 {"(*)", "(x (* set (* set b a)))", "(x (* set a b))"},
                 {"(*)", "(* set (* range numeric (g '5')) (* range numeric (ge '7')))",
                  "(* range numeric (g '5'))"});
}

static void prefix_and_prefix(void **state) {
    (void)state;
    ASSERT_PAIRS({"(* prefix ab)", "(* prefix abc)", "(* prefix abc)"},
                 {"(* prefix ab)", "(* prefix ab)", "(* prefix ab)"},
                 {"(* prefix ab)", "(* prefix ac)", NULL},
                 {"(* prefix '')", "(* prefix ab)", "(* prefix ab)"},
                 {"(* prefix #ff#)", "(* prefix #ffff#)", "(* prefix #ffff#)"},
                 {"(* prefix #ff#)", "(* prefix #fe#)", NULL},
                 {"(* prefix #61ff#)", "(* prefix b)", NULL},
                 {"(* prefix #61ff#)", "(* prefix a)", "(* prefix #61ff#)"},
                 {"(* prefix a)", "abc", "abc"}, {"(* prefix abc)", "ab", NULL},
                 {"(* prefix abc)", "abc", "abc"}, {"(* prefix a)", "(abc)", NULL},
                 {"(* prefix #ff#)", "#ffff00#", "#ffff00#"}, {"(* prefix #ff#)", "#fe#", NULL});
}

/* A prefix is one of bytes: whoever means a directory writes the last '/'. */
static void prefix_knows_no_paths(void **state) {
    (void)state;
    ASSERT_PAIRS({"(* prefix /pub)", "/public", "/public"}, {"(* prefix /pub/)", "/public", NULL},
                 {"(* prefix /pub/)", "/pub/../etc", "/pub/../etc"});
}

static void prefix_and_range(void **state) {
    (void)state;
    ASSERT_PAIRS({"(* prefix ab)", "(* range alpha (ge a) (l b))", "(* prefix ab)"},
                 {"(* prefix ab)", "(* range alpha (ge abc))", "(* range alpha (ge abc) (l ac))"},
                 {"(* prefix ab)", "(* range alpha (l abc))", "(* range alpha (ge ab) (l abc))"},
                 {"(* prefix ab)", "(* range alpha (le ab))", "ab"},
                 {"(* prefix ab)", "(* range alpha (l ab))", NULL},
                 {"(* prefix ab)", "(* range alpha (g b))", NULL},
                 {"(* prefix #ff#)", "(* range alpha (g #ff#))", "(* range alpha (g #ff#))"},
                 {"(*)", "(* range alpha (ge ab) (l ac))", "(* prefix ab)"},
                 {"(*)", "(* range alpha (ge ab) (l abd))", "(* range alpha (ge ab) (l abd))"},
                 {"(*)", "(* range alpha (ge ab) (le ac))", "(* range alpha (ge ab) (le ac))"},
                 {"(*)", "(* range alpha)", "(* prefix '')"},
                 {"(*)", "(* range binary)", "(* prefix '')"},
                 /* every atom, then only those of the range */
                 {"(* prefix '')", "(* range numeric (g '5'))", "(* range numeric (g '5'))"},
                 /* no tag says what both permit */
                 {"(* prefix '1')", "(* range numeric (g '5'))", NULL},
                 {"(* prefix '1')", "(* range time)", NULL});
}

static void ranges_of_different_orderings(void **state) {
    (void)state;
    ASSERT_PAIRS({"(* range alpha (g a))", "(* range numeric)", NULL},
                 {"(* range numeric)", "(* range date)", NULL},
                 {"(* range numeric)", "(* range binary (g '5'))", NULL},
                 {"(* range time)", "(* range date)", NULL},
                 {"(* range alpha (ge '5') (le '5'))", "(* range numeric)", "'5'"},
                 {"(* range binary)", "(* range numeric)", "(* range numeric)"});
}

static void alpha_ranges(void **state) {
    (void)state;
    ASSERT_PAIRS({"(* range alpha (ge bar) (l c))", "bar", "bar"},
                 {"(* range alpha (g bar) (l c))", "bar", NULL},
                 {"(* range alpha (g bar) (l c))", "bars", "bars"},
                 {"(* range alpha (g bar) (le c))", "c", "c"},
                 {"(* range alpha (g bar) (l c))", "c", NULL},
                 {"(* range alpha (g '199'))", "'1900'", NULL},
                 {"(* range alpha (g a) (l d))", "(* range alpha (ge b) (le e))",
                  "(* range alpha (ge b) (l d))"},
                 {"(* range alpha (g a))", "(* range alpha (ge a))", "(* range alpha (g a))"},
                 {"(* range alpha (l b))", "(* range alpha (le b))", "(* range alpha (l b))"},
                 {"(* range alpha (l b))", "(* range alpha (ge b))", NULL},
                 {"(* range alpha (le b))", "(* range alpha (ge b))", "b"},
                 {"(* range alpha (le b))", "(* range alpha (g b))", NULL},
                 {"(* range alpha (l #80#))", "#7f#", "#7f#"},
                 {"(* range alpha (l #80#))", "#81#", NULL}, /* bytes have no sign */
                 {"(* range alpha (le ''))", "(*)", "''"}, {"(* range alpha (l ''))", "(*)", NULL});
}

static void numeric_ranges(void **state) {
    (void)state;
    ASSERT_PAIRS(
        {"(* range numeric (g '199'))", "'1900'", "'1900'"},
        {"(* range numeric (le +52) (g -199))", "+52", "+52"},
        {"(* range numeric (le +52) (g -199))", "'053'", NULL},
        {"(* range numeric (le +52) (g -199))", "'0052'", "'0052'"},
        {"(* range numeric (le +52) (g -199))", "-1.3", NULL}, {"(* range numeric)", "'1e3'", NULL},
        {"(* range numeric)", "+", NULL}, {"(* range numeric)", "''", NULL},
        {"(* range numeric)", "' 1'", NULL}, {"(* range numeric)", "+-1", NULL},
        {"(* range numeric)", "-0", "-0"}, {"(* range numeric (ge '0') (le '0'))", "-0", "-0"},
        {"(* range numeric (ge '0') (le '0'))", "'000'", "'000'"},
        {"(* range numeric (l '0'))", "-0", NULL}, {"(* range numeric (l '0'))", "-1", "-1"},
        {"(* range numeric (ge -10))", "-9", "-9"}, {"(* range numeric (ge -10))", "-11", NULL},
        {"(* range numeric (l '100000000000000000000000000000000000000001'))",
         "'100000000000000000000000000000000000000000'",
         "'100000000000000000000000000000000000000000'"},
        {"(* range numeric (g '100000000000000000000000000000000000000000'))",
         "'100000000000000000000000000000000000000000'", NULL},
        {"(* range numeric (ge '5'))", "(* range numeric (le '7'))",
         "(* range numeric (ge '5') (le '7'))"},
        {"(* range numeric (ge '7'))", "(* range numeric (le '5'))", NULL},
        {"(* range numeric (ge '5'))", "(* range numeric (le '05'))",
         "(* range numeric (ge '5') (le '5'))"},
        {"(* range numeric (g '5'))", "(* range numeric (le '5'))", NULL},
        {"(* range numeric (ge -7))", "(* range numeric (g -9))", "(* range numeric (ge -7))"},
        {"(*)", "(* range numeric (ge +0007) (le '0100'))",
         "(* range numeric (ge '7') (le '100'))"},
        {"(*)", "(* range numeric (ge -000) (g +1))", NULL});
}

/* Behind a string the next one is that with a zero byte: limits of both kinds can hold one string,
 * which then meets ranges of other orderings, as the string itself does. */
static void ranges_of_one_string(void **state) {
    (void)state;
    ASSERT_PAIRS({"(* range alpha (l #00#))", "(*)", "''"},
                 {"(* range alpha (ge a) (l #6100#))", "(*)", "a"},
                 {"(* range alpha (g a) (le #6100#))", "(*)", "#6100#"},
                 {"(* range alpha (g a) (l #610000#))", "(*)", "#6100#"},
                 {"(* range alpha (ge a))", "(* range alpha (l #6100#))", "a"},
                 {"(* range alpha (ge a) (l #6101#))", "(*)", "(* range alpha (ge a) (l #6101#))"},
                 {"(* range alpha (g a) (le #6200#))", "(*)", "(* range alpha (g a) (le #6200#))"},
                 {"(* range alpha (l #00#))", "(* range binary (l #01#))", "''"},
                 {"(* range alpha (g #01#) (le #0100#))", "(* range binary (ge #0100#))", "#0100#"},
                 {"(* range alpha (l #00#))", "(* range numeric)", NULL});
}

static void binary_ranges(void **state) {
    (void)state;
    ASSERT_PAIRS({"(* range binary (ge bar) (l c))", "bar", NULL}, /* c is the shorter number */
                 {"(* range binary (ge c) (l bar))", "xy", "xy"},
                 {"(* range binary (le #0100#))", "#ff#", "#ff#"},
                 {"(* range binary (le #0100#))", "#000100#", "#000100#"},
                 {"(* range binary (le #0100#))", "#0101#", NULL},
                 {"(* range binary (g ''))", "#0000#", NULL},
                 {"(* range binary (g ''))", "#0001#", "#0001#"},
                 {"(* range binary (le #00#))", "''", "''"},
                 {"(* range binary (ge #02#))", "(* range binary (l #0010#))",
                  "(* range binary (ge #02#) (l #10#))"},
                 {"(* range binary (ge #0000#) (le #05#))", "(*)", "(* range binary (le #05#))"},
                 {"(* range binary (ge #00#))", "(*)", "(* prefix '')"},
                 {"(* range binary (l #00#))", "(*)", NULL});
}

static void time_ranges(void **state) {
    (void)state;
    ASSERT_PAIRS({"(* range time (ge '10:15:32') (le '20'))", "'12'", "'12'"},
                 {"(* range time (ge '10:15:32') (le '20'))", "'12:00'", "'12:00'"},
                 {"(* range time (ge '10:15:32') (le '20'))", "'20:00:00'", "'20:00:00'"},
                 {"(* range time (ge '10:15:32') (le '20'))", "'20:00:01'", NULL},
                 {"(* range time (ge '10:15:32') (le '20'))", "'10:15'", NULL},
                 {"(* range time)", "'24'", NULL}, {"(* range time)", "'23:59:59'", "'23:59:59'"},
                 {"(* range time)", "'12:60:00'", NULL}, {"(* range time)", "'12:00:60'", NULL},
                 {"(* range time)", "'12:0:00'", NULL}, {"(* range time)", "'12:00:000'", NULL},
                 {"(* range time)", "'1'", NULL}, {"(* range time)", "'12:'", NULL},
                 {"(* range time)", "''", NULL}, {"(* range time)", "'1a:00'", NULL},
                 {"(* range time (ge '08'))", "(* range time (l '17:30'))",
                  "(* range time (ge '08:00:00') (l '17:30:00'))"},
                 {"(* range time (g '08'))", "(* range time (le '08:00:00'))", NULL});
}

static void limits_in_lists_or_not(void **state) {
    (void)state;
    ASSERT_PAIRS(
        {"(* range numeric ge 5 l 9)", "'7'", "'7'"}, {"(* range numeric ge 5 l 9)", "'9'", NULL},
        {"(* range numeric l 9 ge 5)", "'4'", NULL}, {"(* range alpha g a (le c))", "b", "b"},
        {"(* range numeric ge 5)", "(* range numeric (l '9'))",
         "(* range numeric (ge '5') (l '9'))"});
}

static void date_ranges(void **state) {
    (void)state;
    ASSERT_PAIRS({"(* range date (g '1600'))", "'2000-02-29_11:12:00'", "'2000-02-29_11:12:00'"},
                 {"(* range date (g '1600'))", "'1900-02-29_11:12:00'", NULL},
                 {"(* range date (g '1600'))", "'1600-01-01_00:00:00'", NULL},
                 {"(* range date (ge '1600'))", "'1600-01-01_00:00:00'", "'1600-01-01_00:00:00'"},
                 {"(* range date (ge '1600'))", "'1600'", "'1600'"},
                 {"(* range date (le '2000'))", "'2000-01-01'", "'2000-01-01'"},
                 {"(* range date (le '2000'))", "'2000-01-02'", NULL},
                 {"(* range date)", "'2000-01-01_00:00:00.5'", NULL},
                 {"(* range date)", "'2000-1'", NULL}, {"(* range date)", "'200'", NULL},
                 {"(* range date)", "'2000-00'", NULL}, {"(* range date)", "'2001-02-29'", NULL},
                 {"(* range date (ge '2000'))", "(* range date (l '2001-06'))",
                  "(* range date (ge '2000-01-01_00:00:00') (l '2001-06-01_00:00:00'))"},
                 {"(* range date (g '2002'))", "(* range date (l '2001'))", NULL});
}

/* "(* set x)" as the fields of a request would grant more than they were given for. */
static void no_list_comes_to_begin_with_a_star(void **state) {
    (void)state;
    ASSERT_PAIRS({"((* set * a) set x y)", "((* set * b) set x y)", NULL},
                 {"((* set *) set x y)", "(*)", NULL}, {"((* set *))", "(*)", NULL},
                 {"((* range alpha (ge *) (le *)) set x)", "(*)", NULL},
                 {"((* set * a) set x)", "((* prefix *))", NULL},
                 {"((* set * a) x)", "(a)", "(a x)"}, {"(x (* set * a))", "(x *)", "(x *)"},
                 {"* ", "(* set * a)", "*"}, {"([t]* set x)", "([t]* set)", "([t]* set x)"});
}

/* Source: the cases 11 to 56 of the tests that Intel's CDSA had for SPKI, as they stand in lsh's
 * spki/testsuite/cdsa-cases. 11 to 17 and 22 to 56 are a tag and a request. */
static void cases_of_cdsa(void **state) {
    (void)state;
    ASSERT_PAIRS(
        {"(foo)", "(foo bla)", "(foo bla)"},                                 /* 11 */
        {"(foo bar)", "(foo bla)", NULL},                                    /* 12, 14 */
        {"(*)", "(foo bla)", "(foo bla)"},                                   /* 13 */
        {"(foo bar)", "(foo)", "(foo bar)"},                                 /* 15 */
        {"(foo bar)", "(foo (* prefix ba))", "(foo bar)"},                   /* 16 */
        {"(foo)", "(foo (* prefix ba))", "(foo (* prefix ba))"},             /* 17 */
        {"(foo (*))", "(foo (* prefix ba))", "(foo (* prefix ba))"},         /* 22 */
        {"(foo (*))", "(foo bar)", "(foo bar)"},                             /* 23 */
        {"(foo (* set b1 b2 b3 bar more stuff))", "(foo bar)", "(foo bar)"}, /* 24: its lengths
                                                                                     put right */
        {"(foo bar)", "(foo (* prefix bar))", "(foo bar)"},                  /* 25 */
        {"(foo bar)", "(foo (* prefix barmore))", NULL},                     /* 26 */
        {"(foo bar)", "(foo (* range alpha (g bar) (l c)))", NULL},          /* 27 */
        {"(foo bar)", "(foo (* range alpha (ge bar) (l c)))", "(foo bar)"},  /* 28 */
        {"(foo bar)", "(foo (* range binary (ge bar) (l c)))", NULL},        /* 29 */
        {"(foo '2000-02-29_11:12:00')", "(foo (* range date (g '2000')))",
         "(foo '2000-02-29_11:12:00')"}, /* 30 */
        {"(foo '1600-02-29_11:12:00')", "(foo (* range date (g '1600')))",
         "(foo '1600-02-29_11:12:00')"},                                           /* 31 */
        {"(foo '1900-02-29_11:12:00')", "(foo (* range date (g '1600')))", NULL},  /* 32 */
        {"(foo '1900')", "(foo (* range numeric (g '1600')))", "(foo '1900')"},    /* 33 */
        {"(foo '1900')", "(foo (* range numeric (g '199')))", "(foo '1900')"},     /* 34 */
        {"(foo '1900')", "(foo (* range alpha (g '199')))", NULL},                 /* 35 */
        {"(foo '1900')", "(foo (* range numeric (l +52) (g -199)))", NULL},        /* 36 */
        {"(foo +52)", "(foo (* range numeric (l +52) (g -199)))", NULL},           /* 37 */
        {"(foo +52)", "(foo (* range numeric (le +52) (g -199)))", "(foo +52)"},   /* 38 */
        {"(foo -20)", "(foo (* range numeric (le +52) (g -199)))", "(foo -20)"},   /* 39 */
        {"(foo -198)", "(foo (* range numeric (le +52) (g -199)))", "(foo -198)"}, /* 40 */
        {"(foo -199)", "(foo (* range numeric (le +52) (g -199)))", NULL},         /* 41 */
        {"(foo -1099)", "(foo (* range numeric (le +52) (g -199)))", NULL},        /* 42 */
        {"(foo -1.3)", "(foo (* range numeric (le +52) (g -199)))", NULL},         /* 43 */
        {"(foo '12')", "(foo (* range time (le '20:00:00') (g '10:15:32')))",
         "(foo '12')"},                                                                     /* 44 */
        {"(foo '12:00:000')", "(foo (* range time (le '20:00:00') (g '10:15:32')))", NULL}, /* 45 */
        {"(foo '12:00:00')", "(foo (* range time (le '20:00:00') (g '10:15:32')))",
         "(foo '12:00:00')"},                                                              /* 46 */
        {"(foo '12:60:00')", "(foo (* range time (le '20:00:00') (g '10:15:32')))", NULL}, /* 47 */
        {"(foo '12:0:00')", "(foo (* range time (le '20:00:00') (g '10:15:32')))", NULL},  /* 48 */
        {"(foo '12:00:60')", "(foo (* range time (le '20:00:00') (g '10:15:32')))", NULL}, /* 49 */
        {"(foo '12:00')", "(foo (* range time (le '20:00:00') (g '10:15:32')))",
         "(foo '12:00')"}, /* 50 */
        {"(foo '12:00')", "(foo (* range time (le '20') (g '10:15:32')))",
         "(foo '12:00')"}, /* 51 */
        {"(foo bla (short) (long abc))", "(foo bla (short not) (long))",
         "(foo bla (short not) (long abc))"}, /* 52 */
        {"(foo bla (short) (long abc) and more)", "(foo bla (short not) (long))",
         "(foo bla (short not) (long abc) and more)"}, /* 53 */
        {"(foo bla (short) (long abc) and more)", "(foo bla (short not) (long) will fail)",
         NULL},                                                           /* 54 */
        {"(foo bla)", "(foo (* set a b c bla))", "(foo bla)"},            /* 55 */
        {"(foo bla)", "(foo (* set a b c (* prefix bl)))", "(foo bla)"}); /* 56 */
}

/* Tags of every kind at several places, for the laws. */
static const char *const collection[] = {
    "(*)",
    "()",
    "a",
    "ab",
    "[t]a",
    "(a)",
    "(a b)",
    "(a (*))",
    "(a (*) c)",
    "((*) b)",
    "(* prefix a)",
    "(* prefix ab)",
    "(* range alpha (g a) (l b))",
    "(* range alpha (ge ab))",
    "(* range alpha (le ab))",
    "(* set a ab b)",
    "(* set a (a) (b))",
    "(* set (a b) (a c) (b))",
    "(* set (* prefix a) [t]a (a))",
    "(* set (a (* set b c)) (* range alpha (l b)))",
    "(a (* set b c (* prefix d)))",
    "(a (* range alpha (g b) (l d)))",
    "(a (* set b (d)) (* set x y))",
    "(a b (* prefix x))",
    "(* set)",
};

/* The same numbers in one ordering each; orderings are not mixed, which no tag can say. */
static const char *const numbers[] = {
    "(* range numeric)",
    "(* range numeric (ge '5'))",
    "(* range numeric (g '05') (le '9'))",
    "(* range numeric (l +7))",
    "(* set '5' '7' -3 x)",
    "'05'",
    "(* set (* range numeric (l '3')) (* range numeric (g '6')))",
    "(* prefix '')",
    "(*)",
};

static void assert_laws(const char *const *texts, size_t count) {
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            text_forget();
            struct wrn_sexp a = text_read(texts[i]), b = text_read(texts[j]);
            struct wrn_sexp both = meet(a, b), same = meet(b, a);
            CHECK(wrn_sexp_equal(both, same), "%s, %s: ", texts[i], texts[j]);
            if (both.bytes.size > 0) {
                CHECK(wrn_sexp_equal(normal(both), both), "%s, %s: ", texts[i], texts[j]);
                CHECK(wrn_sexp_equal(meet(both, a), both), "%s, %s: ", texts[i], texts[j]);
                CHECK(covers(a, both) && covers(b, both), "%s, %s: ", texts[i], texts[j]);
            }
            struct wrn_sexp of_b = normal(b);
            bool is_covered = of_b.bytes.size > 0 && wrn_sexp_equal(both, of_b);
            CHECK(covers(a, b) == is_covered, "%s, %s: ", texts[i], texts[j]);
            for (size_t k = 0; k < count && both.bytes.size > 0; k++) {
                struct wrn_sexp c = text_read(texts[k]), right = meet(b, c);
                struct wrn_sexp left = meet(both, c);
                right = right.bytes.size > 0 ? meet(a, right) : right;
                CHECK(wrn_sexp_equal(left, right), "%s, %s, %s: ", texts[i], texts[j], texts[k]);
            }
        }
    }
    text_forget();
}

static void laws(void **state) {
    (void)state;
    assert_laws(collection, WRN_COUNT(collection));
    assert_laws(numbers, WRN_COUNT(numbers));
}

static void check_names_the_fault(void **state) {
    (void)state;
    static const struct {
        const char *tag;
        enum wrn_tag_fault fault;
        const char *at;
    } cases[] = {
        {"(*)", WRN_TAG_OK, NULL},
        {"(a (* set) (* prefix '') (* range date) ())", WRN_TAG_OK, NULL},
        {"(* range alpha (g b) (l a))", WRN_TAG_OK, NULL},
        {"[t]*", WRN_TAG_OK, NULL},
        {"([t]* x)", WRN_TAG_OK, NULL},
        {"(* x)", WRN_TAG_BAD_STAR, "(* x)"},
        {"(* (set))", WRN_TAG_BAD_STAR, "(* (set))"},
        {"(* [t]set)", WRN_TAG_BAD_STAR, "(* [t]set)"},
        {"(a (b (* and c)))", WRN_TAG_BAD_STAR, "(* and c)"},
        {"(* set a (* x) b)", WRN_TAG_BAD_STAR, "(* x)"},
        {"(* prefix)", WRN_TAG_BAD_PREFIX, "(* prefix)"},
        {"(* prefix a b)", WRN_TAG_BAD_PREFIX, "(* prefix a b)"},
        {"(* prefix (a))", WRN_TAG_BAD_PREFIX, "(* prefix (a))"},
        {"(* prefix [t]a)", WRN_TAG_BAD_PREFIX, "(* prefix [t]a)"},
        {"(* range)", WRN_TAG_BAD_ORDERING, "(* range)"},
        {"(* range decimal)", WRN_TAG_BAD_ORDERING, "(* range decimal)"},
        {"(* range alpha g)", WRN_TAG_BAD_LIMIT, "g"},
        {"(* range alpha a)", WRN_TAG_BAD_LIMIT, "a"},
        {"(* range alpha g a ge b)", WRN_TAG_BAD_LIMIT, "ge"},
        {"(* range numeric ge -1.3)", WRN_TAG_BAD_LIMIT, "ge"},
        {"(* range alpha g (a))", WRN_TAG_BAD_LIMIT, "g"},
        {"(* range alpha (gt a))", WRN_TAG_BAD_LIMIT, "(gt a)"},
        {"(* range alpha (g))", WRN_TAG_BAD_LIMIT, "(g)"},
        {"(* range alpha (g a b))", WRN_TAG_BAD_LIMIT, "(g a b)"},
        {"(* range alpha (g [t]a))", WRN_TAG_BAD_LIMIT, "(g [t]a)"},
        {"(* range alpha (g a) (ge b))", WRN_TAG_BAD_LIMIT, "(ge b)"},
        {"(* range alpha (l a) (g a) (le b))", WRN_TAG_BAD_LIMIT, "(le b)"},
        {"(* range numeric (g -1.3))", WRN_TAG_BAD_LIMIT, "(g -1.3)"},
        {"(* range time (g '25'))", WRN_TAG_BAD_LIMIT, "(g '25')"},
        {"(x (* range date (le '1900-02-29')))", WRN_TAG_BAD_LIMIT, "(le '1900-02-29')"},
    };
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        struct wrn_sexp tag = text_read(cases[i].tag), at = {{NULL, 0}};
        enum wrn_tag_fault fault = wrn_tag_check(tag, &at);
        CHECK(fault == cases[i].fault, "%s: %s: ", cases[i].tag, wrn_tag_fault_text(fault));
        CHECK((at.bytes.data == NULL) == (cases[i].at == NULL), "%s: ", cases[i].tag);
        if (cases[i].at != NULL) {
            CHECK(strcmp(text_of(at), cases[i].at) == 0, "%s: %s: ", cases[i].tag, text_of(at));
            /* what is no tag permits nothing */
            CHECK(meet(tag, text_read("(*)")).bytes.size == 0 || wrn_sexp_is_named(tag, "*"),
                  "%s: ", cases[i].tag);
            CHECK(!covers(tag, text_read("x")), "%s: ", cases[i].tag);
        }
        assert_int_equal(wrn_tag_check(tag, NULL), fault);
    }
    text_forget();
}

static void request_for_nothing_is_not_covered(void **state) {
    (void)state;
    assert_false(covers(text_read("(*)"), text_read("(* set)")));
    assert_false(covers(text_read("(* set)"), text_read("(* set)")));
    assert_false(covers(text_read("(*)"), text_read("(a (* range alpha (g b) (l a)))")));
    assert_true(covers(text_read("(*)"), text_read("(* set a (* set))")));
    assert_false(covers(text_read("(* set)"), text_read("(*)")));
    text_forget();
}

static void part_that_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *tag, *request;
        const char *wanted, *permitted; /* NULL: all is permitted */
    } cases[] = {
        {"(ftp (* prefix /pub/))", "(ftp /pub/a)", NULL, NULL},
        {"(ftp host (* prefix /pub/))", "(ftp host /etc/passwd)", "/etc/passwd",
         "(* prefix /pub/)"},
        {"(a (b (* set c d)) e)", "(a (b x) e)", "x", "(* set c d)"},
        {"(a b)", "(a)", "(a)", "(a b)"},
        {"(a (b c))", "(a (b) d)", "(b)", "(b c)"},
        {"(a (* set r w))", "(a (* set r w x))", "x", "(* set r w)"},
        {"(a)", "b", "b", "(a)"},
        {"(a (* range numeric (le '5')))", "(a (* range numeric (le '6')))",
         "(* range numeric (le '6'))", "(* range numeric (le '5'))"},
        {"(a)", "(*)", "(*)", "(a)"},
        {"(a)", "(* set)", "(* set)", "(a)"},
        {"(a x y)", "(* set (a x y) (a x z))", "z", "y"},
    };
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        struct wrn_sexp tag = text_read(cases[i].tag), request = text_read(cases[i].request);
        struct wrn_sexp wanted, permitted;
        bool is_refused =
            wrn_tag_find_refused(tag, request, scratch, sizeof scratch, &wanted, &permitted);
        CHECK(is_refused == (cases[i].wanted != NULL), "%s, %s: ", cases[i].tag, cases[i].request);
        if (is_refused) {
            CHECK(strcmp(text_of(wanted), cases[i].wanted) == 0, "%s: ", text_of(wanted));
            CHECK(strcmp(text_of(permitted), cases[i].permitted) == 0, "%s: ", text_of(permitted));
        }
    }
    text_forget();
}

/* ---- Hostile tags. They are written as canonical bytes; an expression may have more lists and
 * bytes than a tag. */

struct canonical {
    uint8_t *bytes;
    size_t size;
};

static void append(struct canonical *text, const char *bytes, size_t times) {
    for (size_t i = 0; i < times; i++) {
        memcpy(text->bytes + text->size, bytes, strlen(bytes));
        text->size += strlen(bytes);
    }
}

static struct wrn_sexp checked(const struct canonical *text) {
    struct wrn_sexp sexp = {{NULL, 0}};
    assert_int_equal(wrn_sexp_check((wrn_span){text->bytes, text->size}, &sexp, NULL), 0);
    return sexp;
}

static int intersect(struct wrn_sexp a, struct wrn_sexp b) {
    struct wrn_sexp_writer out = wrn_sexp_writer(text_room(WRN_TAG_SIZE_MAX), WRN_TAG_SIZE_MAX);
    int result = wrn_tag_intersect(a, b, &out);
    assert_true(result == 1 || out.size == 0);
    return result;
}

static void very_many_empty_atoms(void **state) {
    (void)state;
    struct canonical text = {text_room(WRN_SEXP_SIZE_MAX), 0};
    append(&text, "(1:*3:set", 1);
    append(&text, "0:", (WRN_TAG_SIZE_MAX - 10) / 2);
    append(&text, ")", 1);
    struct wrn_sexp full = checked(&text);
    assert_string_equal(text_of(normal(full)), "''");
    assert_int_equal(intersect(full, full), -E2BIG); /* 67 million pairs */
    assert_false(covers(text_read("a"), full));
    assert_true(covers(full, full)); /* its normal form is one atom */
    text.size--;
    append(&text, "0:)", 1);
    struct wrn_sexp above = checked(&text);
    assert_true(above.bytes.size > WRN_TAG_SIZE_MAX);
    assert_int_equal(wrn_tag_check(above, NULL), WRN_TAG_TOO_LARGE);
    assert_int_equal(intersect(above, text_read("a")), -E2BIG);
    assert_int_equal(intersect(text_read("a"), above), -E2BIG);
    assert_int_equal(wrn_tag_covers(above, text_read("a"), scratch, sizeof scratch), -E2BIG);
    assert_int_equal(wrn_tag_covers(text_read("a"), above, scratch, sizeof scratch), -E2BIG);
    text.size = 0;
    append(&text, "(", 1);
    append(&text, "0:", WRN_SEXP_COUNT_MAX - 1);
    append(&text, ")", 1);
    assert_int_equal(wrn_tag_check(checked(&text), NULL), WRN_TAG_TOO_LARGE);
    text_forget();
}

static void deep_sets_of_sets(void **state) {
    (void)state;
    struct canonical text = {text_room(WRN_SEXP_SIZE_MAX), 0};
    append(&text, "(1:*3:set1:b", WRN_SEXP_DEPTH_MAX);
    append(&text, "1:a)", 1);
    append(&text, ")", WRN_SEXP_DEPTH_MAX - 1);
    struct wrn_sexp sets = checked(&text);
    assert_int_equal(wrn_tag_check(sets, NULL), WRN_TAG_OK);
    assert_string_equal(text_of(normal(sets)), "(* set a b)");
    assert_string_equal(text_of(meet(sets, sets)), "(* set a b)");
    assert_true(covers(sets, sets) && covers(sets, text_read("a")));
    assert_false(covers(sets, text_read("c")));
    struct canonical lists = {text_room(WRN_SEXP_SIZE_MAX), 0};
    append(&lists, "(", WRN_SEXP_DEPTH_MAX);
    append(&lists, ")", WRN_SEXP_DEPTH_MAX);
    struct wrn_sexp deep = checked(&lists);
    assert_int_equal(wrn_tag_check(deep, NULL), WRN_TAG_OK);
    assert_true(wrn_sexp_equal(meet(deep, deep), deep));
    assert_true(covers(deep, deep) && covers(text_read("(())"), deep));
    assert_false(covers(deep, text_read("(())")));
    text_forget();
}

/* A set in a list at the greatest depth, met by two lists in a set: the result would be deeper. */
static void result_that_would_be_too_deep(void **state) {
    (void)state;
    struct canonical deep = {text_room(WRN_SEXP_SIZE_MAX), 0};
    struct canonical wide = {text_room(WRN_SEXP_SIZE_MAX), 0};
    append(&deep, "((", 1);
    append(&deep, "(", WRN_SEXP_DEPTH_MAX - 2);
    append(&deep, ")", WRN_SEXP_DEPTH_MAX);
    append(&wide, "(1:*3:set(()1:a)(()1:b))", 1);
    assert_int_equal(intersect(checked(&deep), checked(&wide)), -E2BIG);
    assert_int_equal(intersect(checked(&wide), checked(&deep)), -E2BIG);
    deep.size = 0;
    append(&deep, "((", 1);
    append(&deep, "(", WRN_SEXP_DEPTH_MAX - 3);
    append(&deep, ")", WRN_SEXP_DEPTH_MAX - 1);
    assert_int_equal(intersect(checked(&deep), checked(&wide)), 1);
    text_forget();
}

static void set_of_words(struct canonical *text, size_t count, const char *before) {
    append(text, "(1:*3:set", 1);
    for (size_t i = 0; i < count; i++) {
        char word[32];
        snprintf(word, sizeof word, "%s4:%04zu%s", before[0] == '(' ? "(" : "", count - 1 - i,
                 before[0] == '(' ? ")" : "");
        append(text, word, 1);
    }
    append(text, ")", 1);
}

/* Sets as large as somebody may want them work; what would take too long or grow too large
 * says so, and gives nothing. */
static void large_sets(void **state) {
    (void)state;
    struct canonical words = {text_room(WRN_SEXP_SIZE_MAX), 0};
    struct canonical lists = {text_room(WRN_SEXP_SIZE_MAX), 0};
    set_of_words(&words, 350, "");
    set_of_words(&lists, 200, "(");
    struct wrn_sexp met = meet(checked(&words), checked(&words));
    assert_int_equal(met.bytes.size, words.size);
    assert_true(memcmp(met.bytes.data, "(1:*3:set4:00004:0001", 21) == 0);
    assert_int_equal(normal(checked(&lists)).bytes.size, lists.size);
    words.size = 0;
    set_of_words(&words, 600, "");
    assert_int_equal(intersect(checked(&words), checked(&words)), -E2BIG);
    /* 200 lists of the first word and 200 of the second are 40,000 */
    struct canonical second = {text_room(WRN_SEXP_SIZE_MAX), 0};
    append(&second, "(1:*3:set", 1);
    for (size_t i = 0; i < 200; i++) {
        char word[32];
        snprintf(word, sizeof word, "((1:*)4:%04zu)", i);
        append(&second, word, 1);
    }
    append(&second, ")", 1);
    assert_int_equal(intersect(checked(&lists), checked(&second)), -E2BIG);
    text_forget();
}

/* Twelve times twelve lists of two long words: larger than a tag may be, although all fits into the
 * work. Ten times ten are a tag. */
static void result_that_would_be_too_large(void **state) {
    (void)state;
    static const struct {
        size_t count;
        int result;
    } cases[] = {
        {12, -E2BIG},
        {10, 1},
    };
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        struct canonical text[2];
        for (size_t side = 0; side < 2; side++) {
            text[side] = (struct canonical){text_room(WRN_SEXP_SIZE_MAX), 0};
            append(&text[side], "(1:*3:set", 1);
            for (size_t n = 0; n < cases[i].count; n++) {
                char list[128];
                snprintf(list, sizeof list, side == 0 ? "(62:%062zu)" : "((1:*)62:%062zu)", n);
                append(&text[side], list, 1);
            }
            append(&text[side], ")", 1);
        }
        assert_int_equal(intersect(checked(&text[0]), checked(&text[1])), cases[i].result);
        text_forget();
    }
}

static void small_room(void **state) {
    (void)state;
    uint8_t room[16];
    struct wrn_sexp tag = text_read("(abc def)"); /* 12 bytes */
    for (size_t size = 0; size <= sizeof room; size++) {
        struct wrn_sexp_writer out = wrn_sexp_writer(room, size);
        int result = wrn_tag_normalise(tag, &out);
        CHECK(result == (size < 12 ? -ENOBUFS : 1), "%zu: %d: ", size, result);
        CHECK(out.size == (size < 12 ? 0 : 12), "%zu: %zu: ", size, out.size);
        result = wrn_tag_covers(tag, tag, room, size);
        CHECK(result == (size < 12 ? -ENOBUFS : 1), "%zu: %d: ", size, result);
    }
    text_forget();
}

/* What is written goes into an open list, and what fails leaves it as it was. */
static void writes_into_an_object(void **state) {
    (void)state;
    uint8_t room[64];
    struct wrn_sexp object;
    struct wrn_sexp_writer out = wrn_sexp_writer(room, sizeof room);
    wrn_sexp_open(&out, "tag");
    assert_int_equal(wrn_tag_intersect(text_read("(a b)"), text_read("(a c)"), &out), 0);
    assert_int_equal(wrn_tag_intersect(text_read("(a)"), text_read("(a c)"), &out), 1);
    wrn_sexp_close(&out);
    assert_int_equal(wrn_sexp_finish(&out, &object), 0);
    assert_string_equal(text_of(object), "(tag (a c))");
    text_forget();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_and_anything),
        cmocka_unit_test(atoms_are_equal_with_equal_hints),
        cmocka_unit_test(longer_list_permits_less),
        cmocka_unit_test(failing_element_fails_the_whole_list),
        cmocka_unit_test(set_and_non_set),
        cmocka_unit_test(set_and_set),
        cmocka_unit_test(normal_form_of_sets),
        cmocka_unit_test(prefix_and_prefix),
        cmocka_unit_test(prefix_knows_no_paths),
        cmocka_unit_test(prefix_and_range),
        cmocka_unit_test(ranges_of_different_orderings),
        cmocka_unit_test(alpha_ranges),
        cmocka_unit_test(numeric_ranges),
        cmocka_unit_test(ranges_of_one_string),
        cmocka_unit_test(binary_ranges),
        cmocka_unit_test(time_ranges),
        cmocka_unit_test(limits_in_lists_or_not),
        cmocka_unit_test(date_ranges),
        cmocka_unit_test(no_list_comes_to_begin_with_a_star),
        cmocka_unit_test(cases_of_cdsa),
        cmocka_unit_test(laws),
        cmocka_unit_test(check_names_the_fault),
        cmocka_unit_test(request_for_nothing_is_not_covered),
        cmocka_unit_test(part_that_is_refused),
        cmocka_unit_test(very_many_empty_atoms),
        cmocka_unit_test(deep_sets_of_sets),
        cmocka_unit_test(result_that_would_be_too_deep),
        cmocka_unit_test(large_sets),
        cmocka_unit_test(result_that_would_be_too_large),
        cmocka_unit_test(small_room),
        cmocka_unit_test(writes_into_an_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
