/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: dates are read and written by the calendar, and only real ones. Method: dates with
 * their seconds as other programs give them; every day of 10,000 years counted one by one;
 * tables of texts that are no dates. */
#include "spki/date.h"

#include <stdio.h>

#include "unit/base/check.h"

static wrn_span span(const char *text) {
    return (wrn_span){(const uint8_t *)text, strlen(text)};
}

static void known_dates(void **state) {
    (void)state;
    static const struct {
        const char *date;
        int64_t s;
    } cases[] = {
        {"1970-01-01_00:00:00", 0},
        {"1969-12-31_23:59:59", -1},
        {"2000-02-29_11:12:00", 951822720},
        {"2001-09-09_01:46:40", 1000000000},
        {"2026-11-21_13:37:00", 1795268220},
        {"2038-01-19_03:14:08", 2147483648},
        {"1600-02-29_00:00:00", -11670998400},
        {"0000-01-01_00:00:00", -62167219200},
        {"9999-12-31_23:59:59", 253402300799},
    };
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        int64_t s = 0;
        char date[WRN_SPKI_DATE_SIZE];
        CHECK(wrn_spki_date_read(span(cases[i].date), &s), "%s: ", cases[i].date);
        CHECK(s == cases[i].s, "%s is %lld: ", cases[i].date, (long long)s);
        CHECK(wrn_spki_date_write(s, date), "%s: ", cases[i].date);
        CHECK(memcmp(date, cases[i].date, sizeof date) == 0, "%s: ", cases[i].date);
        CHECK(wrn_spki_date_is_loose(span(cases[i].date)), "%s: ", cases[i].date);
    }
}

/* Counts the days of 10,000 years up, with a calendar that knows only how long a month is. */
static void every_day(void **state) {
    (void)state;
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t s = -62167219200;
    for (int year = 0; year <= 9999; year++) {
        for (int month = 1; month <= 12; month++) {
            bool is_long = month == 2 && (year % 400 == 0 || (year % 4 == 0 && year % 100 != 0));
            int last = days[month - 1] + is_long;
            for (int day = 1; day <= last + 1; day++) {
                char text[64];
                char date[WRN_SPKI_DATE_SIZE];
                int64_t found = 0;
                snprintf(text, sizeof text, "%04d-%02d-%02d_12:34:56", year, month, day);
                CHECK(wrn_spki_date_read(span(text), &found) == (day <= last), "%s: ", text);
                if (day <= last) {
                    CHECK(found == s + 45296, "%s is %lld: ", text, (long long)found);
                    CHECK(wrn_spki_date_write(found, date) && memcmp(date, text, 19) == 0,
                          "%s: ", text);
                    s += 86400;
                }
            }
        }
    }
}

static void what_is_no_date(void **state) {
    (void)state;
    static const char *const cases[] = {
        "",
        "2026-11-21_13:37:0",
        "2026-11-21_13:37:000",
        "2026-11-21T13:37:00",
        "2026-11-21 13:37:00",
        "2026/11/21_13:37:00",
        "2026-00-21_13:37:00",
        "2026-13-21_13:37:00",
        "2026-11-00_13:37:00",
        "2026-11-31_13:37:00",
        "1900-02-29_13:37:00",
        "2026-11-21_24:00:00",
        "2026-11-21_13:60:00",
        "2026-11-21_13:37:60",
        "+026-11-21_13:37:00",
        "2026-11-21_13:37:0Z",
        "-001-11-21_13:37:00",
    };
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        int64_t s = 42;
        CHECK(!wrn_spki_date_read(span(cases[i]), &s), "%s: ", cases[i]);
        CHECK(s == 42, "%s: ", cases[i]);
        CHECK(!wrn_spki_date_is_loose(span(cases[i])), "%s: ", cases[i]);
    }
    char date[WRN_SPKI_DATE_SIZE];
    assert_false(wrn_spki_date_write(-62167219201, date));
    assert_false(wrn_spki_date_write(253402300800, date));
    assert_false(wrn_spki_date_write(INT64_MIN, date));
    assert_false(wrn_spki_date_write(INT64_MAX, date));
}

static void loose_dates(void **state) {
    (void)state;
    static const struct {
        const char *date;
        bool is_one;
    } cases[] = {
        {"2000", true},
        {"2000-05", true},
        {"2000-05-07", true},
        {"2000-05-07_17", true},
        {"2000-05-07_17:03", true},
        {"2000-05-07_17:03:00.103", true},
        {"2000-05-07_17:03:00.123456789", true},
        {"2000-05-07_17:03:00.", false},
        {"2000-05-07_17:03:00.1234567890", false},
        {"2000-05-07_17:03:00.x", false},
        {"2000-05-07_17:03.5", false},
        {"2000-", false},
        {"200", false},
        {"2000-02-30", false},
        {"2000-05-07_17:", false},
    };
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        int64_t s;
        CHECK(wrn_spki_date_is_loose(span(cases[i].date)) == cases[i].is_one,
              "%s: ", cases[i].date);
        CHECK(!wrn_spki_date_read(span(cases[i].date), &s), "%s: ", cases[i].date);
    }
}

static void order(void **state) {
    (void)state;
    static const char *const in_order[] = {
        "0000-01-01_00:00:00", "1999-12-31_23:59:59",     "2000",
        "2000-01-01",          "2000-01-01_00:00:00",     "2000-01-01_00:00:00.5",
        "2000-01-01_00:00:01", "2000-01-02_00:00:00.103", "9999-12-31_23:59:59",
    };
    for (size_t i = 0; i < WRN_COUNT(in_order); i++) {
        for (size_t j = 0; j < WRN_COUNT(in_order); j++) {
            int order = wrn_spki_date_compare(span(in_order[i]), span(in_order[j]));
            CHECK((order < 0) == (i < j) && (order == 0) == (i == j), "%s, %s: ", in_order[i],
                  in_order[j]);
        }
    }
}

static struct wrn_spki_validity validity(const char *not_before, const char *not_after) {
    return (struct wrn_spki_validity){span(not_before), span(not_after)};
}

static bool is_same(wrn_span a, const char *b) {
    return a.size == strlen(b) && (a.size == 0 || memcmp(a.data, b, a.size) == 0);
}

static void validity_intersects(void **state) {
    (void)state;
    static const struct {
        const char *a[2], *b[2], *both[2];
        bool is_there;
    } cases[] = {
        {{"", ""}, {"", ""}, {"", ""}, true},
        {{"2000", ""}, {"", ""}, {"2000", ""}, true},
        {{"", "2000"}, {"", ""}, {"", "2000"}, true},
        {{"2000", ""}, {"2001", ""}, {"2001", ""}, true},
        {{"", "2000"}, {"", "2001"}, {"", "2000"}, true},
        {{"2000", "2003"}, {"2001", "2002"}, {"2001", "2002"}, true},
        {{"2000", "2002"}, {"2001", "2003"}, {"2001", "2002"}, true},
        {{"2000", "2001"}, {"2001", "2002"}, {"2001", "2001"}, true}, /* both ends belong to it */
        {{"2000", "2001"}, {"2002", "2003"}, {"2002", "2001"}, false},
        {{"", "2001"}, {"2002", ""}, {"2002", "2001"}, false},
    };
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        for (int swapped = 0; swapped < 2; swapped++) {
            struct wrn_spki_validity a = validity(cases[i].a[0], cases[i].a[1]);
            struct wrn_spki_validity b = validity(cases[i].b[0], cases[i].b[1]);
            struct wrn_spki_validity both;
            bool is_there = swapped ? wrn_spki_validity_intersect(&b, &a, &both)
                                    : wrn_spki_validity_intersect(&a, &b, &both);
            CHECK(is_there == cases[i].is_there, "case %zu: ", i);
            CHECK(is_same(both.not_before, cases[i].both[0]), "case %zu: ", i);
            CHECK(is_same(both.not_after, cases[i].both[1]), "case %zu: ", i);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_dates),     cmocka_unit_test(every_day),
        cmocka_unit_test(what_is_no_date), cmocka_unit_test(loose_dates),
        cmocka_unit_test(order),           cmocka_unit_test(validity_intersects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
