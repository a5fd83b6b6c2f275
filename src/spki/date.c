/* SPDX-License-Identifier: Apache-2.0 */
/* Dates of certificates, by the rules of the Gregorian calendar and without leap seconds. */
#include "spki/date.h"

enum { DAYS_TO_1970 = 719528, DAY_S = 86400, YEAR_MAX = 9999 }; /* days since 0000-01-01 */

/* The parts of a date, as many as there are. */
struct parts {
    int year, month, day, hour, minute, second;
};

static bool parse(wrn_spki_date date, bool is_loose, struct parts *ret_parts);
static bool take_number(wrn_span *text, size_t digits, int least, int most, int *ret_value);
static bool is_fraction(wrn_span text);
static int days_of_month(int year, int month);
static int64_t days_before_year(int year);
static int days_before_month(int year, int month);
static void put_number(char *out, size_t digits, int value);

bool wrn_spki_date_read(wrn_spki_date date, int64_t *ret_s) {
    struct parts p;
    if (date.size != WRN_SPKI_DATE_SIZE || !parse(date, false, &p)) {
        return false;
    }
    int64_t days = days_before_year(p.year) + days_before_month(p.year, p.month) + p.day - 1;
    *ret_s = (days - DAYS_TO_1970) * DAY_S + ((int64_t)p.hour * 60 + p.minute) * 60 + p.second;
    return true;
}

bool wrn_spki_date_write(int64_t s, char ret_date[WRN_SPKI_DATE_SIZE]) {
    const int64_t first_s = -(int64_t)DAYS_TO_1970 * DAY_S;
    const int64_t end_s = (days_before_year(YEAR_MAX + 1) - DAYS_TO_1970) * DAY_S;
    if (s < first_s || s >= end_s) {
        return false;
    }
    int64_t days = (s - first_s) / DAY_S;
    int of_day = (int)((s - first_s) % DAY_S);
    int year = (int)(days / 366); /* never too late; at most a few years too early */
    while (days_before_year(year + 1) <= days) {
        year++;
    }
    days -= days_before_year(year);
    int month = 1;
    while (month < 12 && days_before_month(year, month + 1) <= days) {
        month++;
    }
    memcpy(ret_date, "0000-00-00_00:00:00", WRN_SPKI_DATE_SIZE);
    put_number(ret_date, 4, year);
    put_number(ret_date + 5, 2, month);
    put_number(ret_date + 8, 2, (int)days - days_before_month(year, month) + 1);
    put_number(ret_date + 11, 2, of_day / 3600);
    put_number(ret_date + 14, 2, of_day / 60 % 60);
    put_number(ret_date + 17, 2, of_day % 60);
    return true;
}

bool wrn_spki_date_is_loose(wrn_spki_date date) {
    struct parts p;
    return parse(date, true, &p);
}

int wrn_spki_date_compare(wrn_spki_date a, wrn_spki_date b) {
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common > 0 ? memcmp(a.data, b.data, common) : 0;
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

bool wrn_spki_validity_intersect(const struct wrn_spki_validity *a,
                                 const struct wrn_spki_validity *b,
                                 struct wrn_spki_validity *ret_both) {
    struct wrn_spki_validity both = *a;
    /* The empty date compares as the earliest of all: right for a not-before. */
    if (wrn_spki_date_compare(b->not_before, both.not_before) > 0) {
        both.not_before = b->not_before;
    }
    if (both.not_after.size == 0 ||
        (b->not_after.size > 0 && wrn_spki_date_compare(b->not_after, both.not_after) < 0)) {
        both.not_after = b->not_after;
    }
    *ret_both = both;
    return both.not_before.size == 0 || both.not_after.size == 0 ||
           wrn_spki_date_compare(both.not_before, both.not_after) <= 0;
}

/* Reads "YYYY-MM-DD_hh:mm:ss"; a loose one may end after any part, or go on with a fraction. */
static bool parse(wrn_spki_date date, bool is_loose, struct parts *ret_parts) {
    struct parts p = {.month = 1, .day = 1};
    if (!take_number(&date, 4, 0, YEAR_MAX, &p.year)) {
        return false;
    }
    const struct {
        uint8_t before;
        int least, most;
        int *value;
    } rest[] = {{'-', 1, 12, &p.month},
                {'-', 1, 31, &p.day},
                {'_', 0, 23, &p.hour},
                {':', 0, 59, &p.minute},
                {':', 0, 59, &p.second}};
    for (size_t i = 0; i < WRN_COUNT(rest); i++) {
        if (date.size == 0 && is_loose) {
            break;
        }
        if (date.size == 0 || date.data[0] != rest[i].before) {
            return false;
        }
        date = (wrn_span){date.data + 1, date.size - 1};
        if (!take_number(&date, 2, rest[i].least, rest[i].most, rest[i].value)) {
            return false;
        }
    }
    if (p.day > days_of_month(p.year, p.month)) {
        return false;
    }
    *ret_parts = p;
    return date.size == 0 || (is_loose && is_fraction(date));
}

static bool take_number(wrn_span *text, size_t digits, int least, int most, int *ret_value) {
    if (text->size < digits) {
        return false;
    }
    int value = 0;
    for (size_t i = 0; i < digits; i++) {
        uint8_t c = text->data[i];
        if (c < '0' || c > '9') {
            return false;
        }
        value = value * 10 + (c - '0');
    }
    *text = (wrn_span){text->data + digits, text->size - digits};
    *ret_value = value;
    return value >= least && value <= most;
}

/* A point and digits, at most nine. */
static bool is_fraction(wrn_span text) {
    if (text.size < 2 || text.size > 10 || text.data[0] != '.') {
        return false;
    }
    for (size_t i = 1; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
    }
    return true;
}

static bool is_leap(int year) {
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_of_month(int year, int month) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days from 0000-01-01 to the first of the year. The year 0 is a leap year. */
static int64_t days_before_year(int year) {
    int before = year - 1;
    return year == 0 ? 0 : (int64_t)year * 365 + before / 4 - before / 100 + before / 400 + 1;
}

static int days_before_month(int year, int month) {
    int days = 0;
    for (int m = 1; m < month; m++) {
        days += days_of_month(year, m);
    }
    return days;
}

static void put_number(char *out, size_t digits, int value) {
    for (size_t i = digits; i > 0; i--) {
        out[i - 1] = (char)('0' + value % 10);
        value /= 10;
    }
}
