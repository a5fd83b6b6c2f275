/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics as text. Goal: what is written is what the format wants, whatever stands in a label; what
 * grows beyond all bounds is given up. Method: texts compared byte by byte. */
#include "daemon/metrics_text.h"

#include <stdlib.h>

#include "unit/base/check.h"

static void families_and_samples(void **state) {
    struct wrn_metrics_text text = {0};
    const struct wrn_metrics_label labels[] = {
        {"network", "lab"}, {"reason", "replay"}, {NULL, NULL}};
    (void)state;
    wrn_metrics_family(&text, "warren_x_total", "counter", "What it is.");
    wrn_metrics_sample(&text, "warren_x_total", labels, UINT64_MAX);
    wrn_metrics_sample(&text, "warren_x_total", NULL, 0);
    wrn_metrics_sample_micro(&text, "warren_x_total", labels + 1, 1000001);
    assert_string_equal(text.bytes, "# HELP warren_x_total What it is.\n"
                                    "# TYPE warren_x_total counter\n"
                                    "warren_x_total{network=\"lab\",reason=\"replay\"} "
                                    "18446744073709551615\n"
                                    "warren_x_total 0\n"
                                    "warren_x_total{reason=\"replay\"} 1.000001\n");
    assert_int_equal(text.size, strlen(text.bytes));
    assert_false(text.is_lost);
    free(text.bytes);
}

static void a_label_cannot_end_itself(void **state) {
    struct wrn_metrics_text text = {0};
    const struct wrn_metrics_label labels[] = {{"name", "a\"} 1\n\\b\x1b\xff"}, {NULL, NULL}};
    (void)state;
    wrn_metrics_sample(&text, "x", labels, 7);
    assert_string_equal(text.bytes, "x{name=\"a\\\"} 1\\n\\\\b??\"} 7\n");
    free(text.bytes);
}

static void what_grows_too_large_is_given_up(void **state) {
    struct wrn_metrics_text text = {0};
    char *help = malloc(1 << 20);
    (void)state;
    assert_non_null(help);
    memset(help, 'h', (1 << 20) - 1);
    help[(1 << 20) - 1] = '\0';
    for (int i = 0; i < 20; i++) {
        wrn_metrics_family(&text, "x", "gauge", help);
    }
    assert_true(text.is_lost);
    assert_true(text.size <= WRN_METRICS_SIZE_MAX);
    free(help);
    free(text.bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families_and_samples),
        cmocka_unit_test(a_label_cannot_end_itself),
        cmocka_unit_test(what_grows_too_large_is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
