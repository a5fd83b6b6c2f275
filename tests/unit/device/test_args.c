/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of warren-wg and the descriptors of its environment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "device/args.h"
#include "wg/uapi.h"

enum { ARGUMENTS_MAX = 6 };

static void same_text(const char *text, const char *wanted) {
    assert_true((text == NULL) == (wanted == NULL));
    if (text != NULL) {
        assert_string_equal(text, wanted);
    }
}

static const struct {
    const char *argv[ARGUMENTS_MAX]; /* without the program's name */
    bool fine;
    struct wrn_args args;
} command_cases[] = {
    {{"wg0"}, true, {.interface = "wg0"}},
    {{"-f", "wg0"}, true, {.foreground = true, .interface = "wg0"}},
    {{"wg0", "--foreground"}, true, {.foreground = true, .interface = "wg0"}},
    {{"-f", "--", "-wg"}, true, {.foreground = true, .interface = "-wg"}},
    {{"--drops", "wg0"}, true, {.action = WRN_ARGS_DROPS, .interface = "wg0"}},
    {{"wg0", "-v", "--drops"},
     true,
     {.action = WRN_ARGS_DROPS, .verbose = true, .interface = "wg0"}},
    {{"--show", "wg0"}, true, {.action = WRN_ARGS_SHOW, .interface = "wg0"}},
    {{"--set", "wg0", "workers=2"},
     true,
     {.action = WRN_ARGS_SET, .interface = "wg0", .change_count = 1}},
    {{"--set", "wg0", "peer=x", "cipher=y", "--drops"},
     true,
     {.action = WRN_ARGS_SET, .interface = "wg0", .change_count = 3}},
    {{"--workers", "2", "-f", "wg0"},
     true,
     {.foreground = true, .interface = "wg0", .workers = "2"}},
    {{"--workers=2", "wg0", "--offloads=none", "--aead", "openssl"},
     true,
     {.interface = "wg0", .workers = "2", .offloads = "none", .aead = "openssl"}},
    {{"wg0", "--offloads="}, true, {.interface = "wg0", .offloads = ""}},
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
    {{"-f", "--show", "wg0"}, false, {0}},
    {{"--show", "--drops", "wg0"}, false, {0}},
    {{"--show", "wg0", "workers=2"}, false, {0}},
    {{"--show", "--workers", "2", "wg0"}, false, {0}},
    {{"--set", "wg0"}, false, {0}},
    {{"--set"}, false, {0}},
    {{"wg0", "--workers"}, false, {0}},
    {{"--workersx", "2", "wg0"}, false, {0}},
};

/* Goal: what makes sense is understood, the rest refused with a reason.
 * Method: a table of whole command lines. */
static void command_lines(void **state) {
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(command_cases); i++) {
        char *argv[ARGUMENTS_MAX + 2] = {(char[]){"warren-wg"}};
        int argc = 1;
        for (size_t k = 0; k < ARGUMENTS_MAX && command_cases[i].argv[k] != NULL; k++) {
            argv[argc++] = (char *)(uintptr_t)command_cases[i].argv[k];
        }
        struct wrn_args args = {0};
        struct wrn_args_error refused = {0};
        int error = wrn_args_parse(argc, argv, &args, &refused);
        const struct wrn_args *wanted = &command_cases[i].args;
        if ((error == 0) != command_cases[i].fine) {
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
        same_text(args.workers, wanted->workers);
        same_text(args.offloads, wanted->offloads);
        same_text(args.aead, wanted->aead);
        assert_int_equal(args.change_count, wanted->change_count);
        if (args.change_count > 0) {
            assert_ptr_equal(args.changes + args.change_count, argv + argc);
        }
    }
}

/* Goal: options stand above the environment, and that above what is usual; what makes no sense is
 * refused and named. Method: a table. */
static void serving(void **state) {
    static const struct {
        const char *options[3]; /* workers, offloads, AEAD */
        const char *environment[3];
        struct wrn_args_serving wanted;
        const char *refused; /* NULL: nothing */
    } cases[] = {
        {{0}, {0}, {1, WRN_UAPI_OFFLOADS_ALL, WRN_CRYPTO_AUTO}, NULL},
        {{0}, {"", "", ""}, {1, WRN_UAPI_OFFLOADS_ALL, WRN_CRYPTO_AUTO}, NULL},
        {{"auto", "none", "auto"}, {0}, {0, 0, WRN_CRYPTO_AUTO}, NULL},
        {{0}, {"64", "gro,csum", "ipsec-mb"}, {64, 33, WRN_CRYPTO_IPSEC_MB}, NULL},
        {{"2", "all", "openssl"},
         {"3", "none", "ipsec-mb"},
         {2, WRN_UAPI_OFFLOADS_ALL, WRN_CRYPTO_OPENSSL},
         NULL},
        {{"2", NULL, NULL}, {"x", NULL, NULL}, {2, WRN_UAPI_OFFLOADS_ALL, WRN_CRYPTO_AUTO}, NULL},
        {{0}, {"0", NULL, NULL}, {0}, "0"},
        {{"65", NULL, NULL}, {0}, {0}, "65"},
        {{"", NULL, NULL}, {0}, {0}, ""},
        {{"-1", NULL, NULL}, {0}, {0}, "-1"},
        {{NULL, "tso", NULL}, {0}, {0}, "tso"},
        {{NULL, "", NULL}, {0}, {0}, ""},
        {{NULL, "csum,,gro", NULL}, {0}, {0}, "csum,,gro"},
        {{0}, {NULL, "all,gro", NULL}, {0}, "all,gro"},
        {{NULL, NULL, "AUTO"}, {0}, {0}, "AUTO"},
    };
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        const char *const *o = cases[i].options;
        const char *const *e = cases[i].environment;
        struct wrn_args args = {.workers = o[0], .offloads = o[1], .aead = o[2]};
        struct wrn_args_serving got = {0};
        struct wrn_args_error refused = {0};
        int error = wrn_args_read_serving(&args, e[0], e[1], e[2], &got, &refused);
        assert_int_equal(error, cases[i].refused == NULL ? 0 : -EINVAL);
        same_text(refused.argument, cases[i].refused);
        assert_int_equal(got.workers, cases[i].wanted.workers);
        assert_int_equal(got.offloads, cases[i].wanted.offloads);
        assert_int_equal(got.provider, cases[i].wanted.provider);
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
        cmocka_unit_test(serving),
        cmocka_unit_test(descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
