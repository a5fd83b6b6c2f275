/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of warren-wg and the descriptors of its environment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "device/args.h"

enum { ARGUMENTS_MAX = 5 };

/* Goal: what makes sense is understood, the rest refused with a reason.
 * Method: a table of whole command lines. */
static void command_lines(void **state) {
    static const struct {
        const char *argv[ARGUMENTS_MAX]; /* without the program's name */
        bool fine;
        struct wrn_args args;
    } cases[] = {
        {{"wg0"}, true, {.interface = "wg0"}},
        {{"-f", "wg0"}, true, {.foreground = true, .interface = "wg0"}},
        {{"wg0", "--foreground"}, true, {.foreground = true, .interface = "wg0"}},
        {{"-f", "--", "-wg"}, true, {.foreground = true, .interface = "-wg"}},
        {{"--drops", "wg0"}, true, {.action = WRN_ARGS_DROPS, .interface = "wg0"}},
        {{"wg0", "-v", "--drops"},
         true,
         {.action = WRN_ARGS_DROPS, .verbose = true, .interface = "wg0"}},
        {{"--help"}, true, {.action = WRN_ARGS_HELP}},
        {{"-h", "a", "b"}, true, {.action = WRN_ARGS_HELP}},
        {{"--version"}, true, {.action = WRN_ARGS_VERSION}},
        {{NULL}, false, {0}},
        {{"-f"}, false, {0}},
        {{"wg0", "wg1"}, false, {0}},
        {{"--no-such-thing", "wg0"}, false, {0}},
        {{"-x"}, false, {0}},
        {{"-", "wg0"}, false, {0}},
        {{"-fv", "wg0"}, false, {0}},
        {{"-v", "wg0"}, false, {0}},
        {{"--drops"}, false, {0}},
        {{"-f", "--drops", "wg0"}, false, {0}},
    };
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        char *argv[ARGUMENTS_MAX + 2] = {(char[]){"warren-wg"}};
        int argc = 1;
        for (size_t k = 0; k < ARGUMENTS_MAX && cases[i].argv[k] != NULL; k++) {
            argv[argc++] = (char *)(uintptr_t)cases[i].argv[k];
        }
        struct wrn_args args = {0};
        struct wrn_args_error refused = {0};
        int error = wrn_args_parse(argc, argv, &args, &refused);
        const struct wrn_args *wanted = &cases[i].args;
        if ((error == 0) != cases[i].fine) {
            fail_msg("case %zu: %d, %s", i, error, refused.why != NULL ? refused.why : "-");
        }
        if (error != 0) {
            assert_non_null(refused.why);
            continue;
        }
        assert_int_equal(args.action, wanted->action);
        assert_int_equal(args.foreground, wanted->foreground);
        assert_int_equal(args.verbose, wanted->verbose);
        assert_true((args.interface == NULL) == (wanted->interface == NULL));
        if (args.interface != NULL) {
            assert_string_equal(args.interface, wanted->interface);
        }
    }
}

/* Goal: only plain decimal numbers that an int holds are descriptors.
 * Method: a table. */
static void descriptors(void **state) {
    static const struct {
        const char *text;
        int fd; /* -1: refused */
    } cases[] = {
        {"0", 0},           {"3", 3},
        {"007", 7},         {"2147483647", 2147483647},
        {"2147483648", -1}, {"", -1},
        {"-1", -1},         {"+3", -1},
        {"3 ", -1},         {"0x3", -1},
        {"x", -1},          {" 3", -1},
        {"3.0", -1},        {"99999999999999999999999999", -1},
    };
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        int fd = -1;
        int error = wrn_args_parse_fd(cases[i].text, &fd);
        assert_int_equal(error, cases[i].fd >= 0 ? 0 : -EINVAL);
        assert_int_equal(fd, cases[i].fd);
    }
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(command_lines),
        cmocka_unit_test(descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
