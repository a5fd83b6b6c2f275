/* SPDX-License-Identifier: Apache-2.0 */
/* One run of the program `warren`: where it writes, its memory, how it ends. Commands build on
 * this; it knows none of them. */
#pragma once
#include <stdio.h>
#include "base/base.h"

typedef struct json_t json_t;

/* Exit codes that scripts can rely on. */
enum wrn_cli_code {
    WRN_CLI_DONE = 0,      /* done, or: yes, it is granted */
    WRN_CLI_REFUSED = 1,   /* not done, or: no, it is not granted; the reason was said */
    WRN_CLI_USAGE = 2,     /* the command line makes no sense */
    WRN_CLI_NO_DAEMON = 3, /* a command that needs the daemon did not reach it */
};

struct wrn_cli {
    FILE *out;
    FILE *err;
    int64_t now_s;    /* the one reading of the clock: seconds since 1970 UTC */
    bool json;        /* answers and errors are JSON on 'out' */
    bool has_colours; /* 'out' is a terminal that wants them: paint.h */
    bool has_input;   /* standard input was read: it can be read once only */
    struct wrn_cli_block *blocks;
    struct wrn_cli_mapping *mappings;
};

/* Starts a run that writes to 'out' and 'err' (borrowed). */
void wrn_cli_init(struct wrn_cli *cli, FILE *out, FILE *err, int64_t now_s);

/* Wipes and frees all that was taken, for keys may be among it. */
void wrn_cli_finish(struct wrn_cli *cli);

/* Takes 'count' zeroed elements of 'size' bytes, aligned for anything, that live until finish.
 * Without memory the program says so and ends with WRN_CLI_REFUSED. */
void *wrn_cli_take(struct wrn_cli *cli, size_t count, size_t size);

/* The same for what is large and hardly touched: zeroed, aligned to a page, never wiped. Not for
 * keys. */
void *wrn_cli_map(struct wrn_cli *cli, size_t size);

/* Makes a text as printf would, in memory of the run. */
const char *wrn_cli_text(struct wrn_cli *cli, const char *format, ...) WRN_PRINTF(2, 3);

/* Quotes 'text' for a message: control characters are escaped. In memory of the run. */
const char *wrn_cli_quote(struct wrn_cli *cli, const char *text);

/* Says what went wrong and what to do next, in one line: on 'err' with the program's name before
 * it, with --json also on 'out' as {"error": …}. Returns 'code', for the caller to return. */
int wrn_cli_fail(struct wrn_cli *cli, enum wrn_cli_code code, const char *format, ...)
    WRN_PRINTF(3, 4);

/* Says something that matters but stops nothing, on 'err'. */
void wrn_cli_warn(struct wrn_cli *cli, const char *format, ...) WRN_PRINTF(2, 3);

/* Writes a JSON value and a line's end to 'out', and gives the reference up. */
void wrn_cli_print_json(struct wrn_cli *cli, json_t *json);

/* Makes a JSON text; bytes that are no UTF-8 become question marks. NULL makes null. Never fails
 * but for want of memory, which ends the program. */
json_t *wrn_cli_json_text(struct wrn_cli *cli, const char *text);

/* Sets a member of a JSON object and gives the reference to 'value' up. */
void wrn_cli_json_set(struct wrn_cli *cli, json_t *object, const char *name, json_t *value);

/* Appends to a JSON list and gives the reference to 'value' up. */
void wrn_cli_json_append(struct wrn_cli *cli, json_t *list, json_t *value);

/* Makes empty JSON containers. Never fail but for want of memory, which ends the program. */
json_t *wrn_cli_json_object(struct wrn_cli *cli);
json_t *wrn_cli_json_list(struct wrn_cli *cli);
