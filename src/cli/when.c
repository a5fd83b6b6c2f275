/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and writes points in time. Reads no clock. */
#include "cli/when.h"

#include <stdio.h>

#include "spki/cert.h"

enum { MINUTE_S = 60, HOUR_S = 3600, DAY_S = 86400, YEAR_DAYS = 365, DIGITS_MAX = 11 };

static int read_date_time(const char *text, int64_t *ret_s, const char **why);
static int read_offset(const char *text, int64_t *ret_s, const char **why);
static bool looks_like_date(const char *text);
static bool take_digits(const char **next, size_t count, int64_t *ret_number);
static int refuse(const char **reterr_why, const char *why);

int wrn_when_read(const char *text, int64_t now_s, int64_t *ret_s, const char **reterr_why) {
    int64_t s = 0;
    char ignored[WRN_WHEN_SIZE];
    if (strcmp(text, "now") == 0) {
        *ret_s = now_s;
        return 0;
    }
    int error = looks_like_date(text) ? read_date_time(text, &s, reterr_why)
                                      : wrn_when_read_duration(text, &s, reterr_why);
    if (error != 0) {
        return error;
    }
    if (!looks_like_date(text)) {
        s += now_s;
    }
    if (!wrn_when_print(s, ignored)) {
        return refuse(reterr_why, "it is not within the years 0000 to 9999");
    }
    *ret_s = s;
    return 0;
}

int wrn_when_read_duration(const char *text, int64_t *ret_s, const char **reterr_why) {
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'y', (int64_t)YEAR_DAYS * DAY_S},
                 {'w', (int64_t)7 * DAY_S},
                 {'d', DAY_S},
                 {'h', HOUR_S},
                 {'m', MINUTE_S},
                 {'s', 1}};
    static const char how[] = "write RFC 3339 as 2026-12-24T18:00:00Z, or a duration as 90d, 12h, "
                              "30m or 1y";
    const char *next = text + (*text == '-' || *text == '+' ? 1 : 0);
    int64_t total = 0;
    size_t unit = 0;
    if (*next == '\0') {
        return refuse(reterr_why, how);
    }
    while (*next != '\0') {
        int64_t number = 0;
        size_t digits = strspn(next, "0123456789");
        if (digits == 0 || digits > DIGITS_MAX || !take_digits(&next, digits, &number)) {
            return refuse(reterr_why, digits > DIGITS_MAX ? "the number is too large" : how);
        }
        while (unit < WRN_COUNT(units) && units[unit].unit != *next) {
            unit++; /* each unit once, the large ones first */
        }
        if (unit == WRN_COUNT(units)) {
            return refuse(reterr_why, how);
        }
        total += number * units[unit++].seconds;
        next++;
    }
    *ret_s = *text == '-' ? -total : total;
    return 0;
}

bool wrn_when_print(int64_t s, char ret_text[WRN_WHEN_SIZE]) {
    char date[WRN_SPKI_DATE_SIZE];
    if (!wrn_spki_date_write(s, date)) {
        return false;
    }
    date[10] = 'T'; /* the rest is the same in both forms */
    (void)snprintf(ret_text, WRN_WHEN_SIZE, "%.*sZ", (int)sizeof date, date);
    return true;
}

/* Reads what begins with "YYYY-MM-DD". */
static int read_date_time(const char *text, int64_t *ret_s, const char **why) {
    char date[WRN_SPKI_DATE_SIZE + 1] = "0000-00-00_00:00:00";
    int64_t offset = 0;
    int64_t leap = 0;
    size_t length = strlen(text);
    memcpy(date, text, 10);
    if (length > 10) {
        if (length < WRN_SPKI_DATE_SIZE || strchr("Tt _", text[10]) == NULL) {
            return refuse(why, "behind the day hh:mm:ss is missing; write 2026-12-24T18:00:00Z");
        }
        memcpy(date + 11, text + 11, 8);
        const char *rest = text + WRN_SPKI_DATE_SIZE;
        if (text[10] != '_' || *rest != '\0') {
            int error = read_offset(rest, &offset, why);
            if (error != 0) {
                return error;
            }
        }
        if (memcmp(date + 14, "59:60", 5) == 0) { /* a leap second: here the first one after it */
            date[17] = '5';
            date[18] = '9';
            leap = 1;
        }
    }
    int64_t s = 0;
    if (!wrn_spki_date_read((wrn_span){(const uint8_t *)date, WRN_SPKI_DATE_SIZE}, &s)) {
        return refuse(why, "there is no such day or time");
    }
    *ret_s = s + leap - offset;
    return 0;
}

/* Reads what follows the seconds: a fraction, and "Z" or "+hh:mm". */
static int read_offset(const char *text, int64_t *ret_s, const char **why) {
    const char *next = text;
    int64_t hours = 0;
    int64_t minutes = 0;
    if (*next == '.') {
        size_t digits = strspn(next + 1, "0123456789");
        if (digits == 0) {
            return refuse(why, "digits are missing behind the decimal point");
        }
        next += 1 + digits;
    }
    if ((*next == 'Z' || *next == 'z') && next[1] == '\0') {
        *ret_s = 0;
        return 0;
    }
    char sign = *next;
    if (sign == '\0') {
        return refuse(why, "its offset is missing: Z for UTC, or such as +01:00");
    }
    next++;
    bool fine = (sign == '+' || sign == '-') && take_digits(&next, 2, &hours) && *next++ == ':' &&
                take_digits(&next, 2, &minutes) && *next == '\0' && hours < 24 && minutes < 60;
    if (!fine) {
        return refuse(why, "its offset is not Z or such as +01:00");
    }
    *ret_s = (sign == '-' ? -1 : 1) * (hours * HOUR_S + minutes * MINUTE_S);
    return 0;
}

static bool looks_like_date(const char *text) {
    static const char form[] = "0000-00-00";
    for (size_t i = 0; i < sizeof form - 1; i++) {
        bool fits = form[i] == '0' ? text[i] >= '0' && text[i] <= '9' : text[i] == form[i];
        if (!fits) {
            return false;
        }
    }
    return true;
}

static bool take_digits(const char **next, size_t count, int64_t *ret_number) {
    int64_t number = 0;
    for (size_t i = 0; i < count; i++, (*next)++) {
        if (**next < '0' || **next > '9') {
            return false;
        }
        number = number * 10 + (**next - '0');
    }
    *ret_number = number;
    return true;
}

static int refuse(const char **reterr_why, const char *why) {
    *reterr_why = why;
    return WRN_ERR_MALFORMED;
}
