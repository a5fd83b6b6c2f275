/* SPDX-License-Identifier: Apache-2.0 */
/* The answer to a host whose packet has no way through the tunnel: an ICMP error, so that programs
 * fail at once with a reason instead of waiting. Pure functions over packet bytes.
 * Source: RFC 792, RFC 1122 section 3.2.2, RFC 1191 section 4, RFC 1812 sections 4.3.2 and 5.2.7.1,
 * RFC 4443 sections 2.4, 3.1 and 3.2. */
#pragma once
#include "base/base.h"

enum { WRN_UNREACHABLE_SIZE = 1280 }; /* largest answer, bytes */

/* Writes "host unreachable" (ICMP 3/1) or "address unreachable" (ICMPv6 1/3) about 'packet' to the
 * host that sent it. The answer comes from the address that could not be reached, since the tunnel
 * has none.
 * 'packet'    as the host sent it, 'size' bytes.
 * Returns the bytes written, or 0 where the RFCs forbid an answer: to ICMP errors, to later
 * fragments, to packets to or from multicast, broadcast or unspecified addresses, and to anything
 * malformed. */
size_t wrn_unreachable(const uint8_t *packet, size_t size,
                       uint8_t ret_answer[WRN_UNREACHABLE_SIZE]);

/* Write "communication administratively prohibited" (ICMP 3/13, ICMPv6 1/1), and "fragmentation
 * needed" or "packet too big" (ICMP 3/4, ICMPv6 2/0) with the MTU in bytes of the way on, likewise.
 * The latter for packets that may not be fragmented. */
size_t wrn_prohibited(const uint8_t *packet, size_t size, uint8_t ret_answer[WRN_UNREACHABLE_SIZE]);
size_t wrn_too_big(const uint8_t *packet, size_t size, uint16_t mtu_bytes,
                   uint8_t ret_answer[WRN_UNREACHABLE_SIZE]);
