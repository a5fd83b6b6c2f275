/* SPDX-License-Identifier: Apache-2.0 */
/* How `warren-wg --drops` prints the counters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "device/drops.h"

/* Goal: counters that are not zero are printed, all of them on demand, and nothing is made up
 * from an answer that is not one. Method: a table of answers. */
static void printing(void **state) {
    static const struct {
        const char *answer;
        bool all;
        int error;
        const char *printed;
    } cases[] = {
        {"drop_replay=0\ndrop_bad_tag=12\nerrno=0\n\n", false, 0, "bad_tag              12\n"},
        {"drop_replay=0\ndrop_bad_tag=12\nerrno=0\n\n", true, 0,
         "replay               0\nbad_tag              12\n"},
        {"drop_replay=0\nerrno=0\n\n", false, 0, "no packet was refused\n"},
        {"drop_a=10\ndrop_b=01\nnoise\nother=3\nerrno=0\n\n", false, 0,
         "a                    10\nb                    01\n"},
        {"errno=-22\n\n", false, -EPROTO, ""},
        {"", true, -EPROTO, ""},
    };
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        char printed[512] = "";
        FILE *out = fmemopen(printed, sizeof printed, "w");
        assert_non_null(out);
        assert_int_equal(wrn_drops_print(cases[i].answer, cases[i].all, out), cases[i].error);
        (void)fclose(out);
        assert_string_equal(printed, cases[i].printed);
    }
}

int main(void) {
    static const struct CMUnitTest tests[] = {cmocka_unit_test(printing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
