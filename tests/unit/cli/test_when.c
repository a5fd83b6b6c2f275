/* SPDX-License-Identifier: Apache-2.0 */
/* Points in time and durations as people write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/when.h"

enum { NOW = 1795268220 /* 2026-11-21T13:37:00Z */ };

/* Goal: each way of writing a time gives the moment that it says, and is written back as RFC 3339.
 * Method: a table; what RFC 3339 forbids, or leaves out its offset, is refused. */
static const struct {
    const char *text;
    const char *moment; /* as it is written back; NULL: refused */
} time_cases[] = {
    {"now", "2026-11-21T13:37:00Z"},
    {"1985-04-12T23:20:50.52Z", "1985-04-12T23:20:50Z"},      /* RFC 3339, section 5.8 */
    {"1996-12-19T16:39:57-08:00", "1996-12-20T00:39:57Z"},    /* the same */
    {"1990-12-31T23:59:60Z", "1991-01-01T00:00:00Z"},         /* the same: a leap second */
    {"1990-12-31T15:59:60-08:00", "1991-01-01T00:00:00Z"},    /* the same */
    {"1937-01-01T12:00:27.87+00:20", "1937-01-01T11:40:27Z"}, /* the same */
    {"2026-12-24t18:00:00z", "2026-12-24T18:00:00Z"},
    {"2026-12-24 18:00:00+01:00", "2026-12-24T17:00:00Z"},
    {"2026-12-24T23:30:00-01:30", "2026-12-25T01:00:00Z"},
    {"2026-12-24", "2026-12-24T00:00:00Z"},
    {"2026-12-24_17:00:00", "2026-12-24T17:00:00Z"},
    {"2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"},
    {"0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"},
    {"9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"},
    {"90d", "2027-02-19T13:37:00Z"},
    {"+12h", "2026-11-22T01:37:00Z"},
    {"-30m", "2026-11-21T13:07:00Z"},
    {"1y", "2027-11-21T13:37:00Z"},
    {"2w1d6h", "2026-12-06T19:37:00Z"},
    {"0s", "2026-11-21T13:37:00Z"},
    {"", NULL},
    {"-", NULL},
    {"90", NULL},
    {"d", NULL},
    {"1h1d", NULL},
    {"1d1d", NULL},
    {"1.5h", NULL},
    {"90D", NULL},
    {"tomorrow", NULL},
    {"999999999999s", NULL},
    {"99999999999y", NULL},
    {"-99999999999y", NULL},
    {"2026-12-24T18:00:00", NULL},
    {"2026-12-24T18:00Z", NULL},
    {"2026-12-24T", NULL},
    {"2026-12-24X18:00:00Z", NULL},
    {"2026-12-24T18:00:00+1:00", NULL},
    {"2026-12-24T18:00:00+01", NULL},
    {"2026-12-24T18:00:00+24:00", NULL},
    {"2026-12-24T18:00:00+01:60", NULL},
    {"2026-12-24T18:00:00.Z", NULL},
    {"2026-12-24T18:00:00Zulu", NULL},
    {"2026-12-24T24:00:00Z", NULL},
    {"2026-12-24T18:60:00Z", NULL},
    {"2026-12-24T18:00:60Z", NULL},
    {"2026-02-29T18:00:00Z", NULL},
    {"2026-13-01T18:00:00Z", NULL},
    {"0000-01-01T00:00:00+01:00", NULL},
    {"9999-12-31T23:59:59-01:00", NULL},
};

static void times_mean_what_they_say(void **state) {
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(time_cases); i++) {
        int64_t s = 0;
        const char *why = NULL;
        char text[WRN_WHEN_SIZE];
        print_message("# %s\n", time_cases[i].text);
        int error = wrn_when_read(time_cases[i].text, NOW, &s, &why);
        if (time_cases[i].moment == NULL) {
            assert_int_equal(error, WRN_ERR_MALFORMED);
            assert_non_null(why);
            continue;
        }
        assert_int_equal(error, 0);
        assert_true(wrn_when_print(s, text));
        assert_string_equal(text, time_cases[i].moment);
    }
}

static void durations_are_seconds(void **state) {
    static const struct {
        const char *text;
        int64_t s;
    } cases[] = {{"90d", 7776000},
                 {"-1h", -3600},
                 {"1y1w1d1h1m1s", 31536000 + 604800 + 86400 + 3600 + 60 + 1},
                 {"0d", 0}};
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        int64_t s = -1;
        const char *why = NULL;
        assert_int_equal(wrn_when_read_duration(cases[i].text, &s, &why), 0);
        assert_true(s == cases[i].s);
    }
    int64_t s = 0;
    const char *why = NULL;
    assert_int_equal(wrn_when_read_duration("2026-12-24", &s, &why), WRN_ERR_MALFORMED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_mean_what_they_say),
        cmocka_unit_test(durations_are_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
