/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines of the form key=value on stderr, with a level and a limit on their rate. Never hand it
 * a key: only the code at the very top logs, and it names peers by a short form of their public
 * key. */
#pragma once
#include "base/clock.h"

enum wrn_log_level { WRN_LOG_SILENT, WRN_LOG_ERROR, WRN_LOG_INFO, WRN_LOG_VERBOSE };

enum { WRN_LOG_VALUE_MAX = 512 }; /* bytes of one message, longer ones are cut */

struct wrn_log {
    enum wrn_log_level level; /* lines above it are not written */
    char interface[16];       /* goes into each line; empty: left out */
    int journal;              /* where entries go instead of lines; -1: there is none */
    wrn_mono refilled;        /* state of the rate limit */
    uint32_t tokens;
    uint64_t suppressed;
    const char *identifier;
};

/* Reads the value of LOG_LEVEL: "verbose" or "debug", "error", "silent"; NULL and anything else
 * mean "error", as scripts written for other implementations expect. */
enum wrn_log_level wrn_log_level_parse(const char *text);

/* Starts a log at 'level'. */
void wrn_log_init(struct wrn_log *log, enum wrn_log_level level);

/* Writes one line if 'level' is wanted and the rate allows it (bursts of 200 lines, 100 a second
 * after that; what was left out is counted in the next line). 'format' makes the message. */
void wrn_log_write(struct wrn_log *log, enum wrn_log_level level, const char *format, ...)
    WRN_PRINTF(3, 4);

/* Has entries go to systemd's journal if standard error leads there, with 'identifier' (static) as
 * the program's name. What the journal does not take goes to standard error. Once. */
void wrn_log_open_journal(struct wrn_log *log, const char *identifier);

/* A field of an entry in the journal: "WARREN_" and more in A-Z, 0-9 and '_'. */
struct wrn_log_field {
    const char *name;
    const char *value; /* NULL: it is left out */
};

/* The same as wrn_log_write; the journal gets the fields, too. They end with one without a name. */
void wrn_log_write_with(struct wrn_log *log, enum wrn_log_level level,
                        const struct wrn_log_field *fields, const char *format, ...)
    WRN_PRINTF(4, 5);

/* Copies 'text' into 'ret_value' as a value of key=value: in quotes, control characters, quotes and
 * backslashes escaped, cut to 'size' bytes with the terminating zero. 'size' ≥ 8. */
void wrn_log_quote(const char *text, char *ret_value, size_t size);
