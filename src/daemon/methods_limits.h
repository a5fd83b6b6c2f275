/* SPDX-License-Identifier: Apache-2.0 */
/* Rights as people write them, made into elements of tags (docs/networks.md, "What a chain gives").
 * Pure. */
#pragma once
#include "base/address.h"
#include "sexp/sexp.h"

enum { WRN_LIMITS_WHY_SIZE = 256 };

/* Writes one right, the word before the first colon saying which:
 *
 *     all  member  invite  admin  relay  gateway          as they are
 *     address:WHERE  route:WHERE                          10.7.0.5, 10.7.0.0/24, 10.7.0.5-10.7.0.9
 *     name:LABEL  name:PREFIX*
 *     allow:PROTOCOL[/PORT][@WHERE]                       PROTOCOL: any, tcp, udp, icmp, 0..255
 *                                                         PORT: any, none, 0..65535, 8000-8080
 *
 * False, and a sentence with the next step, for all else. What does not fit sticks in 'writer'. */
bool wrn_limits_put(struct wrn_sexp_writer *writer, const char *text,
                    char reterr_why[WRN_LIMITS_WHY_SIZE]);

/* Whether any of the IPv4 addresses WHERE is in a network's range, so that a member limited to them
 * can have one. True as well for what is no IPv4 address, and for a network without a range. */
bool wrn_limits_meets(const char *where, const struct wrn_prefix *range);

/* Writes the same of which the word is known already: "address" and "10.7.0.5". */
bool wrn_limits_put_one(struct wrn_sexp_writer *writer, const char *word, const char *text,
                        char reterr_why[WRN_LIMITS_WHY_SIZE]);
