/* SPDX-License-Identifier: Apache-2.0 */
/* Dates as certificates have them, and spans of time between two of them. Reads no clock. */
#pragma once
#include "base/base.h"

/* A date as RFC 2693 writes it, "2026-11-21_13:37:00", UTC. Dates compare as strings; that is how
 * they are kept, so that nothing changes on the way. */
typedef wrn_span wrn_spki_date;

enum { WRN_SPKI_DATE_SIZE = 19 };

/* Both ends belong to it; an empty span is no limit. */
struct wrn_spki_validity {
    wrn_spki_date not_before;
    wrn_spki_date not_after;
};

/* Turns a date into the seconds since 1970-01-01 00:00:00 UTC, without leap seconds. It must have
 * all 19 characters and be a moment that exists, in the years 0000 to 9999. */
WRN_NODISCARD bool wrn_spki_date_read(wrn_spki_date date, int64_t *ret_s);

/* The reverse. Writes 19 characters without a zero byte. False before the year 0000 and after the
 * year 9999. */
WRN_NODISCARD bool wrn_spki_date_write(int64_t s, char ret_date[WRN_SPKI_DATE_SIZE]);

/* Tells whether it is a date that was cut short after any of its parts ("2000",
 * "2000-05-07_17:03") or continues after the seconds with a fraction
 * ("2000-05-07_17:03:00.103"), or a whole one, of a moment that exists. Only for studying
 * chains of others. */
bool wrn_spki_date_is_loose(wrn_spki_date date);

/* Returns <0, 0 or >0, as 'a' lies before, is, or lies after 'b'. One that was cut short lies
 * before all that it is the beginning of. Neither may be the empty one that means "no limit". */
int wrn_spki_date_compare(wrn_spki_date a, wrn_spki_date b);

/* Sets 'ret_both' to what lies in both, and returns whether anything does: the later
 * not-before and the earlier not-after. Source: RFC 2693, section 6.3.2. */
bool wrn_spki_validity_intersect(const struct wrn_spki_validity *a,
                                 const struct wrn_spki_validity *b,
                                 struct wrn_spki_validity *ret_both);
