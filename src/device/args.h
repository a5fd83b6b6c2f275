/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of warren-wg. Pure: reads strings, prints nothing. */
#pragma once
#include "base/base.h"

enum wrn_args_action { WRN_ARGS_RUN, WRN_ARGS_DROPS, WRN_ARGS_HELP, WRN_ARGS_VERSION };

struct wrn_args {
    enum wrn_args_action action;
    bool foreground;
    bool verbose;
    const char *interface; /* one of argv; set for RUN and DROPS */
};

/* What is wrong with a command line: a sentence and the argument that it is about (may be NULL). */
struct wrn_args_error {
    const char *why;
    const char *argument;
};

/* Reads 'argv'. Returns 0, or -EINVAL with 'reterr_error'. */
WRN_NODISCARD int wrn_args_parse(int argc, char *const *argv, struct wrn_args *ret_args,
                                 struct wrn_args_error *reterr_error);

/* Reads a descriptor number from the environment's 'text': decimal, 0..INT_MAX. Returns 0 or
 * -EINVAL. */
WRN_NODISCARD int wrn_args_parse_fd(const char *text, int *ret_fd);
