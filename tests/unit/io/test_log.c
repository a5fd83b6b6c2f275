/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines: levels, quoting, and the limit on their rate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "io/clock.h"
#include "io/log.h"

/* Goal: the values that scripts use are understood; what is not understood is "error".
 * Method: a table. */
static void levels(void **state) {
    static const struct {
        const char *text;
        enum wrn_log_level level;
    } cases[] = {
        {NULL, WRN_LOG_ERROR},      {"", WRN_LOG_ERROR},          {"error", WRN_LOG_ERROR},
        {"info", WRN_LOG_ERROR},    {"verbose", WRN_LOG_VERBOSE}, {"debug", WRN_LOG_VERBOSE},
        {"silent", WRN_LOG_SILENT}, {"SILENT", WRN_LOG_ERROR},    {"verbosest", WRN_LOG_ERROR},
    };
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        assert_int_equal(wrn_log_level_parse(cases[i].text), cases[i].level);
    }
}

/* Goal: no value can end its quotes or its line, and none overruns its room.
 * Method: a table of texts and rooms. */
static void quoting(void **state) {
    static const struct {
        const char *text;
        size_t size;
        const char *quoted;
    } cases[] = {
        {"", 8, "\"\""},
        {"plain", 16, "\"plain\""},
        {"a\"b\\c", 16, "\"a\\\"b\\\\c\""},
        {"a\nb\x7f", 32, "\"a\\x0ab\\x7f\""},
        {"abcdefgh", 8, "\"ab\""}, /* an escape and the quote must always fit */
        {"\xc3\xa4", 16, "\"\xc3\xa4\""},
    };
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        char room[64];
        memset(room, '#', sizeof room);
        wrn_log_quote(cases[i].text, room, cases[i].size);
        assert_string_equal(room, cases[i].quoted);
        for (size_t k = cases[i].size; k < sizeof room; k++) {
            assert_int_equal(room[k], '#');
        }
    }
}

/* Reads what 'write_lines' puts on stderr. */
static void capture(void (*write_lines)(struct wrn_log *log), struct wrn_log *log, char *text,
                    size_t size) {
    FILE *file = tmpfile();
    assert_non_null(file);
    int saved = dup(STDERR_FILENO);
    assert_true(saved >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
    write_lines(log);
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    (void)close(saved);
    rewind(file);
    size_t got = fread(text, 1, size - 1, file);
    text[got] = '\0';
    (void)fclose(file);
}

static size_t count(const char *text, const char *part) {
    size_t found = 0;
    for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part)) {
        found++;
    }
    return found;
}

static void one_of_each(struct wrn_log *log) {
    wrn_log_write(log, WRN_LOG_ERROR, "bad %d", 7);
    wrn_log_write(log, WRN_LOG_VERBOSE, "note");
}

/* Goal: lines up to the level are written, in the form key=value, others are not.
 * Method: one line of each level at each level. */
static void lines(void **state) {
    char text[2048];
    struct wrn_log log;
    (void)state;
    wrn_log_init(&log, WRN_LOG_SILENT);
    capture(one_of_each, &log, text, sizeof text);
    assert_string_equal(text, "");
    wrn_log_init(&log, WRN_LOG_ERROR);
    capture(one_of_each, &log, text, sizeof text);
    assert_int_equal(count(text, "\n"), 1);
    assert_non_null(strstr(text, "Z level=error msg=\"bad 7\"\n"));
    wrn_log_init(&log, WRN_LOG_VERBOSE);
    memcpy(log.interface, "wg0", 4);
    capture(one_of_each, &log, text, sizeof text);
    assert_non_null(strstr(text, " level=error interface=wg0 msg=\"bad 7\"\n"));
    assert_non_null(strstr(text, " level=verbose interface=wg0 msg=\"note\"\n"));
}

enum { FLOOD = 5000 };

static void flood(struct wrn_log *log) {
    for (int i = 0; i < FLOOD; i++) {
        wrn_log_write(log, WRN_LOG_ERROR, "again");
    }
    /* As if a second had passed. */
    log->refilled.ns -= log->refilled.ns < WRN_S(1) ? log->refilled.ns : WRN_S(1);
    wrn_log_write(log, WRN_LOG_ERROR, "after");
}

/* Adds up what the lines say was left out before them. */
static size_t suppressed(const char *text) {
    static const char word[] = " suppressed=";
    size_t sum = 0;
    for (const char *at = strstr(text, word); at; at = strstr(at, word)) {
        at += sizeof word - 1;
        sum += strtoul(at, NULL, 10);
    }
    return sum;
}

/* Goal: a flood is cut off, and each line tells how many are missing before it.
 * Method: far more lines than the burst at once, then one a second later by the log's clock. A
 * machine that stalls earns lines meanwhile: they are counted by the clock, too. */
static void rate(void **state) {
    static char text[FLOOD * 100];
    struct wrn_log log;
    (void)state;
    wrn_log_init(&log, WRN_LOG_ERROR);
    wrn_mono begun = wrn_clock_read().mono;
    capture(flood, &log, text, sizeof text);
    uint64_t earned = wrn_mono_since(wrn_clock_read().mono, begun) / (WRN_S(1) / 100) + 1;
    size_t written = count(text, "again");
    assert_true(written >= 200 && written <= 200 + earned);
    assert_int_equal(suppressed(text), FLOOD - written);
    assert_non_null(strstr(text, "msg=\"after\""));
    assert_int_equal(log.suppressed, 0);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels),
        cmocka_unit_test(quoting),
        cmocka_unit_test(lines),
        cmocka_unit_test(rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
