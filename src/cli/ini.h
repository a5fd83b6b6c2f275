/* SPDX-License-Identifier: Apache-2.0 */
/* Files of sections and settings, as people write them:
 *
 *     # a comment, on a line of its own
 *     [kind name]
 *     setting = value, to the end of the line; ${variable} stands for its value
 *
 * Says in which line what is wrong. Knows no setting. */
#pragma once
#include "cli/cli.h"

struct wrn_ini_variable {
    const char *name, *value;
};

/* A line with a setting, or with a section's title ('key' NULL). Texts are in memory of the run. */
struct wrn_ini_line {
    const char *file;
    size_t number;
    const char *kind, *name; /* of the section; name "" if it has none */
    const char *key, *value;
};

/* Called for each line, in order; what it returns but WRN_CLI_DONE ends the reading. */
typedef int (*wrn_ini_fn)(struct wrn_cli *cli, void *ctx, const struct wrn_ini_line *line);

/* Reads a text that came from 'file'. With 'variables' NULL a ${...} is an ordinary text. Returns
 * WRN_CLI_DONE, or what wrn_cli_fail or 'on_line' returned. */
WRN_NODISCARD int wrn_ini_read(struct wrn_cli *cli, const char *file, wrn_span text,
                               const struct wrn_ini_variable *variables, size_t variable_count,
                               wrn_ini_fn on_line, void *ctx);

/* Reads a file ("-": standard input) of at most 'max' bytes as a text. Returns as above. */
WRN_NODISCARD int wrn_ini_load(struct wrn_cli *cli, const char *file, size_t max,
                               wrn_span *ret_text);

/* Says what is wrong with a line; returns WRN_CLI_REFUSED. */
int wrn_ini_fail(struct wrn_cli *cli, const struct wrn_ini_line *line, const char *format, ...)
    WRN_PRINTF(3, 4);
