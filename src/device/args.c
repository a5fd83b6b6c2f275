/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the command line. Keeps no state. */
#include "device/args.h"

#include <limits.h>

static bool is_one_of(const char *argument, const char *short_form, const char *long_form);
static int refuse(const char *why, const char *argument, struct wrn_args_error *error);

int wrn_args_parse(int argc, char *const *argv, struct wrn_args *ret_args,
                   struct wrn_args_error *reterr_error) {
    struct wrn_args args = {.action = WRN_ARGS_RUN};
    bool options_end = false;
    for (int i = 1; i < argc; i++) {
        const char *argument = argv[i];
        if (options_end || argument[0] != '-') {
            if (args.interface != NULL) {
                return refuse("only one interface can be named; more than that is", argument,
                              reterr_error);
            }
            args.interface = argument;
        } else if (strcmp(argument, "--") == 0) {
            options_end = true;
        } else if (is_one_of(argument, "-h", "--help")) {
            *ret_args = (struct wrn_args){.action = WRN_ARGS_HELP};
            return 0;
        } else if (is_one_of(argument, "-V", "--version")) {
            *ret_args = (struct wrn_args){.action = WRN_ARGS_VERSION};
            return 0;
        } else if (is_one_of(argument, "-f", "--foreground")) {
            args.foreground = true;
        } else if (is_one_of(argument, "-v", "--verbose")) {
            args.verbose = true;
        } else if (strcmp(argument, "--drops") == 0) {
            args.action = WRN_ARGS_DROPS;
        } else {
            return refuse("there is no option", argument, reterr_error);
        }
    }
    if (args.interface == NULL) {
        return refuse("the name of the interface is missing", NULL, reterr_error);
    }
    if (args.verbose && args.action != WRN_ARGS_DROPS) {
        return refuse("-v belongs to --drops; for a verbose log set LOG_LEVEL=verbose", NULL,
                      reterr_error);
    }
    if (args.foreground && args.action == WRN_ARGS_DROPS) {
        return refuse("-f and --drops exclude each other", NULL, reterr_error);
    }
    *ret_args = args;
    return 0;
}

int wrn_args_parse_fd(const char *text, int *ret_fd) {
    long fd = 0;
    if (*text == '\0') {
        return -EINVAL;
    }
    for (const char *c = text; *c != '\0'; c++) {
        if (*c < '0' || *c > '9') {
            return -EINVAL;
        }
        fd = fd * 10 + (*c - '0');
        if (fd > INT_MAX) {
            return -EINVAL;
        }
    }
    *ret_fd = (int)fd;
    return 0;
}

static bool is_one_of(const char *argument, const char *short_form, const char *long_form) {
    return strcmp(argument, short_form) == 0 || strcmp(argument, long_form) == 0;
}

static int refuse(const char *why, const char *argument, struct wrn_args_error *error) {
    *error = (struct wrn_args_error){.why = why, .argument = argument};
    return -EINVAL;
}
