/* SPDX-License-Identifier: Apache-2.0 */
/* The property that joining must have on any packets, checked against slow rules. For the property
 * test and the fuzz target. */
#pragma once
#include <sys/uio.h>

#include "base/base.h"

/* Joins copies of 'count' (0..WRN_COALESCE_MAX) packets, and checks that
 * - exactly those packets went together of which cutting up makes themselves again, by the slow
 *   version and by wrn_split;
 * - no packet overtook one of its flow, and outs are in the order of their first packets;
 * - what stayed alone is untouched, and undoing restores the rest.
 * Returns what does not hold, or NULL; and, if 'ret_joined' is not NULL, how many packets were
 * appended to others. */
const char *identity_check(const struct iovec *packets, size_t count, uint32_t allowed,
                           size_t *ret_joined);
