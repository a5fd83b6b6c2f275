/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of warren-wg, and what of it the environment may say instead. Pure: reads
 * strings, prints nothing. */
#pragma once
#include "crypto/crypto.h"

enum wrn_args_action {
    WRN_ARGS_RUN,
    WRN_ARGS_DROPS,
    WRN_ARGS_SHOW,
    WRN_ARGS_SET,
    WRN_ARGS_HELP,
    WRN_ARGS_VERSION
};

struct wrn_args {
    enum wrn_args_action action;
    bool foreground;
    bool verbose;
    const char *interface; /* one of argv; set for RUN, DROPS, SHOW and SET */
    const char *workers;   /* for RUN, one of argv each; NULL: not given */
    const char *offloads;
    const char *aead;
    const char *user;     /* who it becomes */
    char *const *changes; /* SET: KEY=VALUE texts, at the end of argv, */
    size_t change_count;  /* at least one */
};

/* How the interface is to be served. */
struct wrn_args_serving {
    uint32_t workers;  /* 0: as many as pay */
    uint32_t offloads; /* WRN_UAPI_OFFLOAD_* */
    enum wrn_crypto_provider provider;
};

/* What is wrong with a command line: a sentence and the argument that it is about (may be NULL). */
struct wrn_args_error {
    const char *why;
    const char *argument;
};

/* Reads 'argv'. Returns 0, or -EINVAL with 'reterr_error'. */
WRN_NODISCARD int wrn_args_parse(int argc, char *const *argv, struct wrn_args *ret_args,
                                 struct wrn_args_error *reterr_error);

/* Reads how to serve: from 'args', else from 'workers', 'offloads' and 'aead' of the environment
 * (NULL or empty: not there), else one worker, all offloads and the fastest AEAD. Returns 0, or
 * -EINVAL with 'reterr_error'. */
WRN_NODISCARD int wrn_args_read_serving(const struct wrn_args *args, const char *workers,
                                        const char *offloads, const char *aead,
                                        struct wrn_args_serving *ret_serving,
                                        struct wrn_args_error *reterr_error);

/* Reads a descriptor number from the environment's 'text': decimal, 0..INT_MAX. Returns 0 or
 * -EINVAL. */
WRN_NODISCARD int wrn_args_parse_fd(const char *text, int *ret_fd);
