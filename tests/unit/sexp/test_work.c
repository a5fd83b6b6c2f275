/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what hostile input costs is bounded by its size, for reading and printing linearly, for
 * looking into every level of it by size × depth.
 * Method: the library is compiled into this program with a call at each of its basic blocks, which
 * are counted: the steps that were really taken, on any machine the same. The worst inputs that
 * the limits allow, and the same at a fraction of their size. */
#include "unit/base/check.h"
#include "sexp/sexp.h"

enum { TEXT_MAX = 8 * WRN_SEXP_SIZE_MAX };

static uint64_t steps;

/* The compiler's name for what a basic block calls. */
void __sanitizer_cov_trace_pc(void); /* NOLINT(bugprone-reserved-identifier) */
void __sanitizer_cov_trace_pc(void) {
    steps++;
}

static uint8_t text[TEXT_MAX];
static uint8_t canonical[WRN_SEXP_SIZE_MAX];
static char printed[TEXT_MAX];

/* 'lead' once, 'element' until 'size' is reached, 'trail' once. Returns the size. */
static size_t fill(const char *lead, const char *element, const char *trail, size_t size) {
    size_t used = strlen(lead);
    memcpy(text, lead, used);
    while (used + strlen(element) + strlen(trail) <= size) {
        memcpy(text + used, element, strlen(element));
        used += strlen(element);
    }
    memcpy(text + used, trail, strlen(trail));
    return used + strlen(trail);
}

static uint64_t steps_of_read(size_t size) {
    struct wrn_sexp sexp;
    steps = 0;
    int result = wrn_sexp_read(WRN_SEXP_ANY, (wrn_span){text, size}, canonical, sizeof(canonical),
                               &sexp, NULL, NULL);
    assert_true(result == 0 || result == WRN_ERR_MALFORMED);
    return steps;
}

/* Texts that make as many beginnings, escapes or tries as can be, good ones and broken ones. */
static void reading_is_linear(void **state) {
    (void)state;
    static const struct {
        const char *lead, *element, *trail;
    } cases[] = {
        {"(", "a ", ")"},       {"(", "()", ")"},      {"(", "[a]b", ")"},     {"(", "0:", ")"},
        {"(", "\"\"", ")"},     {"(", "##", ")"},      {"(", "||", ")"},       {"(", " ", ")"},
        {"", "(", ""},          {"", "[", ""},         {"", "9", ""},          {"0", "0", ""},
        {"\"", "\\\n", "\""},   {"\"", "\\x41", "\""}, {"#", "6 1 ", "#"},     {"|", "Y Q ", "|"},
        {"|", "YWJj", "=== |"}, {"{", "YWJj", "}"},    {"{", "MTph", "}"},     {"\"", "a", ""},
        {"#", "6", ""},         {"|", "A", ""},        {"5\"", "\\101", "\""},
    };
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        for (size_t size = 1000; size <= 1000000; size *= 10) {
            size_t used = fill(cases[i].lead, cases[i].element, cases[i].trail, size);
            uint64_t taken = steps_of_read(used);
            CHECK(taken <= 64 * (uint64_t)used, "%s%s…, %zu bytes: %llu steps: ", cases[i].lead,
                  cases[i].element, used, (unsigned long long)taken);
        }
    }
}

static void checking_is_linear(void **state) {
    (void)state;
    static const char *const elements[] = {"0:", "()", "[1:a]0:", "8:(((((((("};
    for (size_t i = 0; i < WRN_COUNT(elements); i++) {
        struct wrn_sexp sexp;
        size_t size = fill("(", elements[i], ")", 100000);
        steps = 0;
        assert_int_equal(wrn_sexp_check((wrn_span){text, size}, &sexp, NULL), 0);
        CHECK(steps <= 20 * size, "%s: %llu steps: ", elements[i], (unsigned long long)steps);
    }
}

/* Every element of every level, as a reader does that has no idea what to expect. Returns how many
 * there were. */
static size_t visit_all(struct wrn_sexp sexp) {
    struct wrn_sexp_cursor open[WRN_SEXP_DEPTH_MAX];
    size_t depth = 0;
    size_t count = 1;
    if (wrn_sexp_enter(sexp, &open[0])) {
        depth = 1;
    }
    while (depth > 0) {
        if (!wrn_sexp_take_any(&open[depth - 1], &sexp)) {
            depth--;
            continue;
        }
        count++;
        if (wrn_sexp_is_list(sexp)) {
            assert_true(wrn_sexp_enter(sexp, &open[depth++]));
        }
    }
    return count;
}

/* 64 lists around as many empty atoms as may be: each of the 64 levels steps over all of them. */
static struct wrn_sexp deepest_and_longest(size_t count) {
    struct wrn_sexp sexp;
    struct wrn_sexp_writer writer = wrn_sexp_writer(text, sizeof(text));
    for (size_t i = 0; i < WRN_SEXP_DEPTH_MAX; i++) {
        wrn_sexp_open(&writer, NULL);
    }
    for (size_t i = WRN_SEXP_DEPTH_MAX; i < count; i++) {
        wrn_sexp_put_word(&writer, "");
    }
    for (size_t i = 0; i < WRN_SEXP_DEPTH_MAX; i++) {
        wrn_sexp_close(&writer);
    }
    assert_int_equal(wrn_sexp_finish(&writer, &sexp), 0);
    return sexp;
}

static void visiting_takes_size_times_depth(void **state) {
    (void)state;
    for (size_t count = WRN_SEXP_COUNT_MAX / 16; count <= WRN_SEXP_COUNT_MAX; count *= 4) {
        struct wrn_sexp sexp = deepest_and_longest(count);
        steps = 0;
        assert_int_equal(visit_all(sexp), count);
        uint64_t bound = 10 * (uint64_t)sexp.bytes.size * WRN_SEXP_DEPTH_MAX;
        CHECK(steps <= bound, "%zu: %llu steps: ", count, (unsigned long long)steps);
        /* It is really that much: the bound is not idle. */
        CHECK(steps >= sexp.bytes.size * WRN_SEXP_DEPTH_MAX, "%zu: %llu steps: ", count,
              (unsigned long long)steps);
    }
}

/* To see whether a list fits: no further, and once in all if everything fits. */
static void printing_looks_no_further_than_a_line(void **state) {
    (void)state;
    static const size_t columns[] = {0, 1, 80, SIZE_MAX};
    struct wrn_sexp sexp = deepest_and_longest(WRN_SEXP_COUNT_MAX);
    for (size_t i = 0; i < WRN_COUNT(columns); i++) {
        steps = 0;
        size_t size = wrn_sexp_print(WRN_SEXP_ADVANCED, sexp, columns[i], printed, sizeof(printed));
        uint64_t bound = 40 * (uint64_t)(size + sexp.bytes.size);
        CHECK(steps <= bound, "%zu columns, %zu bytes: %llu steps: ", columns[i], size,
              (unsigned long long)steps);
    }
    size_t used = fill("(", "()", ")", 100000);
    assert_int_equal(wrn_sexp_check((wrn_span){text, used}, &sexp, NULL), 0);
    for (size_t i = 0; i < WRN_COUNT(columns); i++) {
        steps = 0;
        size_t size = wrn_sexp_print(WRN_SEXP_ADVANCED, sexp, columns[i], printed, sizeof(printed));
        uint64_t bound = 40 * (uint64_t)(size + sexp.bytes.size);
        CHECK(steps <= bound, "%zu columns, %zu bytes: %llu steps: ", columns[i], size,
              (unsigned long long)steps);
    }
}

/* A million bytes in one string under 64 lists. It is measured once, or not at all where it is
 * longer than the line; but at every level where it alone would fit and its parentheses do not. */
static void a_large_atom_is_measured_seldom(void **state) {
    (void)state;
    static uint8_t large[1000000];
    static const size_t columns[] = {80, 999999, SIZE_MAX, 1000100};
    struct wrn_sexp sexp;
    memset(large, 'a', sizeof(large));
    struct wrn_sexp_writer writer = wrn_sexp_writer(text, sizeof(text));
    for (size_t i = 0; i < WRN_SEXP_DEPTH_MAX; i++) {
        wrn_sexp_open(&writer, NULL);
    }
    wrn_sexp_put_bytes(&writer, (wrn_span){large, sizeof(large)});
    for (size_t i = 0; i < WRN_SEXP_DEPTH_MAX; i++) {
        wrn_sexp_close(&writer);
    }
    assert_int_equal(wrn_sexp_finish(&writer, &sexp), 0);
    for (size_t i = 0; i < WRN_COUNT(columns); i++) {
        steps = 0;
        wrn_sexp_print(WRN_SEXP_ADVANCED, sexp, columns[i], printed, sizeof(printed));
        uint64_t bound = 40 * (uint64_t)sexp.bytes.size;
        bound *= columns[i] == 1000100 ? WRN_SEXP_DEPTH_MAX : 1;
        CHECK(steps <= bound, "%zu columns: %llu steps: ", columns[i], (unsigned long long)steps);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_is_linear),
        cmocka_unit_test(checking_is_linear),
        cmocka_unit_test(visiting_takes_size_times_depth),
        cmocka_unit_test(printing_looks_no_further_than_a_line),
        cmocka_unit_test(a_large_atom_is_measured_seldom),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
