/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: each scenario finds nothing wrong, does the same again from one seed and something else
 * from another; a report keeps what it was told. Method: all of them, small. */
#include "sim/scenario.h"
#include "unit/base/check.h"

static struct sim_outcome play(const struct sim_scenario *scenario, uint64_t seed) {
    struct sim_outcome outcome;
    struct sim_options options = {.seed = seed, .nodes = 3, .minutes = 1};
    sim_play(scenario, options, NULL, NULL, &outcome);
    return outcome;
}

static void each_scenario_ends_well_and_follows_its_seed(void **state) {
    (void)state;
    size_t count = 0;
    for (const struct sim_scenario *const *s = sim_scenarios; *s != NULL; s++) {
        struct sim_outcome first = play(*s, 11);
        struct sim_outcome again = play(*s, 11);
        struct sim_outcome other = play(*s, 12);
        CHECK(first.report.failure_count == 0, "%s: %s: ", (*s)->name, first.report.failures[0]);
        CHECK(first.hash == again.hash && first.events == again.events, "%s: ", (*s)->name);
        CHECK(first.hash != other.hash, "%s: ", (*s)->name);
        CHECK(first.events > 100 && first.passed_ns >= WRN_S(60), "%s: ", (*s)->name);
        CHECK(first.report.line_count + first.report.figure_count > 0, "%s: ", (*s)->name);
        CHECK(sim_scenario_find((*s)->name) == *s, "%s: ", (*s)->name);
        sim_report_finish(&first.report);
        sim_report_finish(&again.report);
        sim_report_finish(&other.report);
        count++;
    }
    assert_true(count >= 5);
    assert_null(sim_scenario_find("no such"));
}

struct seen {
    uint64_t records;
    uint64_t last_ns;
};

static void see(void *ctx, wrn_mono now, const char *what, const uint64_t numbers[3],
                wrn_span bytes) {
    struct seen *seen = ctx;
    (void)numbers;
    (void)bytes;
    assert_true(what[0] != '\0' && now.ns >= seen->last_ns);
    seen->last_ns = now.ns;
    seen->records++;
}

static void watching_changes_nothing(void **state) {
    (void)state;
    struct sim_outcome watched;
    struct seen seen = {0};
    struct sim_options options = {.seed = 11, .nodes = 3, .minutes = 1};
    const struct sim_scenario *scenario = sim_scenario_find("split");
    struct sim_outcome alone = play(scenario, 11);
    sim_play(scenario, options, see, &seen, &watched);
    assert_true(watched.hash == alone.hash);
    assert_true(seen.records > watched.events);
    sim_report_finish(&alone.report);
    sim_report_finish(&watched.report);
}

static void a_report_keeps_what_failed_only(void **state) {
    (void)state;
    struct sim_report report = {0};
    char long_text[2 * SIM_REPORT_LINE_SIZE];
    memset(long_text, 'x', sizeof long_text);
    long_text[sizeof long_text - 1] = '\0';
    sim_report_expect(&report, true, "nothing");
    assert_int_equal(report.failure_count, 0);
    for (int i = 0; i < 20; i++) {
        sim_report_expect(&report, false, "number %d", i);
        sim_report_line(&report, "%s", long_text);
        sim_report_figure(&report, "figure", (uint64_t)i);
    }
    assert_int_equal(report.failure_count, 20);
    assert_string_equal(report.failures[19], "number 19");
    assert_int_equal(strlen(report.lines[3]), SIM_REPORT_LINE_SIZE - 1);
    assert_int_equal(report.figures[7].value, 7);
    sim_report_finish(&report);
    assert_int_equal(report.line_count + report.figure_count + report.failure_count, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_scenario_ends_well_and_follows_its_seed),
        cmocka_unit_test(watching_changes_nothing),
        cmocka_unit_test(a_report_keeps_what_failed_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
