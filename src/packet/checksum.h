/* SPDX-License-Identifier: Apache-2.0 */
/* The Internet checksum, alone and while copying, fast on long inputs. Pure. Source: RFC 1071. */
#pragma once
#include "base/base.h"

/* A sum under way: ones-complement, not yet folded. Sums of parts add up if every part but the last
 * has an even size. Zero-initialise. */
typedef struct wrn_sum {
    uint64_t value;
} wrn_sum;

/* Adds 'size' bytes (as if followed by a zero byte if that is odd). */
wrn_sum wrn_sum_add(wrn_sum sum, const uint8_t *bytes, size_t size);

/* The same, and copies them to 'to', which must not overlap. */
wrn_sum wrn_sum_copy(wrn_sum sum, uint8_t *to, const uint8_t *bytes, size_t size);

/* Adds the pseudo header of TCP or UDP for the IP packet (either version) at 'ip': its addresses,
 * 'protocol' and 'l4_size'. Source: RFC 9293, section 3.1; RFC 8200, section 8.1. */
wrn_sum wrn_sum_add_pseudo(wrn_sum sum, const uint8_t *ip, uint8_t protocol, uint32_t l4_size);

/* Folds to the 16 bits to be stored (network byte order in memory via wrn_store_be16): the
 * complement of the sum. 0 when summed over bytes that contain their valid checksum. */
uint16_t wrn_sum_finish(wrn_sum sum);
