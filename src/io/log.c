/* SPDX-License-Identifier: Apache-2.0 */
/* Formats and writes log lines. Opens no file: stderr is where the service manager reads. */
#include "io/log.h"

#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/hex.h"
#include "io/clock.h"
#include "io/journal.h"

enum { LINES_BURST = 200, LINES_PER_S = 100 };

static void write_entry(struct wrn_log *log, enum wrn_log_level level,
                        const struct wrn_log_field *fields, const char *format, va_list args)
    WRN_PRINTF(4, 0);
static bool send_entry(struct wrn_log *log, enum wrn_log_level level,
                       const struct wrn_log_field *fields, const char *message);
static bool has_room(void);
static bool take_token(struct wrn_log *log, wrn_mono now);
static void write_line(struct wrn_log *log, enum wrn_log_level level, wrn_wall wall,
                       const char *quoted);

enum wrn_log_level wrn_log_level_parse(const char *text) {
    if (text == NULL) {
        return WRN_LOG_ERROR;
    }
    if (strcmp(text, "verbose") == 0 || strcmp(text, "debug") == 0) {
        return WRN_LOG_VERBOSE;
    }
    if (strcmp(text, "silent") == 0) {
        return WRN_LOG_SILENT;
    }
    return WRN_LOG_ERROR;
}

void wrn_log_init(struct wrn_log *log, enum wrn_log_level level) {
    *log = (struct wrn_log){.level = level, .journal = -1, .tokens = LINES_BURST};
}

void wrn_log_open_journal(struct wrn_log *log, const char *identifier) {
    int fd = wrn_journal_open();
    log->journal = fd >= 0 ? fd : -1;
    log->identifier = identifier;
}

void wrn_log_write(struct wrn_log *log, enum wrn_log_level level, const char *format, ...) {
    va_list args;
    va_start(args, format);
    write_entry(log, level, NULL, format, args);
    va_end(args);
}

void wrn_log_write_with(struct wrn_log *log, enum wrn_log_level level,
                        const struct wrn_log_field *fields, const char *format, ...) {
    va_list args;
    va_start(args, format);
    write_entry(log, level, fields, format, args);
    va_end(args);
}

void wrn_log_quote(const char *text, char *ret_value, size_t size) {
    size_t used = 0;
    ret_value[used++] = '"';
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
        if (used + 6 > size) { /* the longest escape, the closing quote and the zero */
            break;
        }
        if (*c == '"' || *c == '\\') {
            ret_value[used++] = '\\';
            ret_value[used++] = (char)*c;
        } else if (*c < 0x20 || *c == 0x7f) {
            ret_value[used++] = '\\';
            ret_value[used++] = 'x';
            wrn_hex_write(c, 1, ret_value + used);
            used += 2;
        } else {
            ret_value[used++] = (char)*c;
        }
    }
    ret_value[used++] = '"';
    ret_value[used] = '\0';
}

static void write_entry(struct wrn_log *log, enum wrn_log_level level,
                        const struct wrn_log_field *fields, const char *format, va_list args) {
    char message[WRN_LOG_VALUE_MAX];
    char quoted[WRN_LOG_VALUE_MAX * 2];
    if (level > log->level || level == WRN_LOG_SILENT) {
        return;
    }
    struct wrn_now now = wrn_clock_read();
    bool has_journal = log->journal >= 0;
    if ((!has_journal && !has_room()) || !take_token(log, now.mono)) {
        log->suppressed++;
        return;
    }
    if (vsnprintf(message, sizeof message, format, args) < 0 ||
        (has_journal && send_entry(log, level, fields, message))) {
        return;
    }
    if (has_journal && !has_room()) {
        log->suppressed++;
        return;
    }
    wrn_log_quote(message, quoted, sizeof quoted);
    write_line(log, level, now.wall, quoted);
}

/* False: the journal does not take it, as it has ended, say. */
static bool send_entry(struct wrn_log *log, enum wrn_log_level level,
                       const struct wrn_log_field *fields, const char *message) {
    static const char *const priorities[] = {"7", "3", "6", "7"}; /* of syslog(3), by level */
    struct wrn_journal_entry entry;
    char lost[24];
    entry.size = 0;
    wrn_journal_put(&entry, "MESSAGE", message);
    wrn_journal_put(&entry, "PRIORITY", priorities[level]);
    wrn_journal_put(&entry, "SYSLOG_IDENTIFIER", log->identifier);
    wrn_journal_put(&entry, "WARREN_INTERFACE", log->interface[0] != '\0' ? log->interface : NULL);
    (void)snprintf(lost, sizeof lost, "%" PRIu64, log->suppressed);
    wrn_journal_put(&entry, "WARREN_SUPPRESSED", log->suppressed > 0 ? lost : NULL);
    for (; fields != NULL && fields->name != NULL; fields++) {
        wrn_journal_put(&entry, fields->name, fields->value);
    }
    if (wrn_journal_send(log->journal, &entry) != 0) {
        return false;
    }
    log->suppressed = 0;
    return true;
}

/* A reader that stands still must not stop the tunnel: its lines are lost, and counted. */
static bool has_room(void) {
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
    return poll(&out, 1, 0) == 1 && (out.revents & POLLOUT) != 0;
}

static bool take_token(struct wrn_log *log, wrn_mono now) {
    uint64_t earned = wrn_mono_since(now, log->refilled) / (WRN_S(1) / LINES_PER_S);
    if (earned > 0) {
        uint64_t tokens = log->tokens + earned;
        log->tokens = tokens > LINES_BURST ? LINES_BURST : (uint32_t)tokens;
        log->refilled = now;
    }
    if (log->tokens == 0) {
        return false;
    }
    log->tokens--;
    return true;
}

static void write_line(struct wrn_log *log, enum wrn_log_level level, wrn_wall wall,
                       const char *quoted) {
    static const char *const levels[] = {"silent", "error", "info", "verbose"};
    char line[WRN_LOG_VALUE_MAX * 2 + 160];
    char stamp[32] = "";
    char lost[48] = "";
    struct tm utc;
    time_t s = (time_t)wall.s;
    if (gmtime_r(&s, &utc) != NULL) {
        (void)strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
    }
    if (log->suppressed > 0) {
        (void)snprintf(lost, sizeof lost, " suppressed=%" PRIu64, log->suppressed);
        log->suppressed = 0;
    }
    int size =
        snprintf(line, sizeof line, "time=%s.%03uZ level=%s%s%s%s msg=%s\n", stamp,
                 wall.ns / 1000000u, levels[level], log->interface[0] != '\0' ? " interface=" : "",
                 log->interface, lost, quoted);
    if (size > 0) { /* one write, so that lines of several processes do not mix */
        ssize_t written = write(STDERR_FILENO, line, (size_t)size);
        (void)written; /* nowhere to complain */
    }
}
