/* SPDX-License-Identifier: Apache-2.0 */
/* Points in time as people write them, and durations. Pure: 'now' is handed in. All are seconds
 * since 1970-01-01 00:00:00 UTC without leap seconds, within the years 0000 to 9999. */
#pragma once
#include "base/base.h"

enum { WRN_WHEN_SIZE = 24 }; /* "2026-11-21T13:37:00Z" and a zero byte, with room */

/* Reads a point in time: RFC 3339 with its offset ("2026-12-24T18:00:00+01:00", fractions of a
 * second are cut off, "t" and "z" and a space for "T" are fine), a day ("2026-12-24", its first
 * second in UTC), the form of certificates ("2026-12-24_17:00:00", UTC), "now", or a duration from
 * now ("90d", "-1h"). Returns 0, or WRN_ERR_MALFORMED and a clause that says why in 'reterr_why'
 * (static text). Source: RFC 3339, section 5.6. */
WRN_NODISCARD int wrn_when_read(const char *text, int64_t now_s, int64_t *ret_s,
                                const char **reterr_why);

/* Reads a duration: numbers with y (365 days), w, d, h, m, s in this order, such as "90d" or
 * "1d12h", with or without a sign. Returns as above. */
WRN_NODISCARD int wrn_when_read_duration(const char *text, int64_t *ret_s, const char **reterr_why);

/* Writes a point in time as RFC 3339 in UTC. False if it is outside the years 0000 to 9999. */
WRN_NODISCARD bool wrn_when_print(int64_t s, char ret_text[WRN_WHEN_SIZE]);
