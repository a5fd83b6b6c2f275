/* SPDX-License-Identifier: Apache-2.0 */
/* Congestion marks carried through a tunnel: copied to the outer header, merged back into the inner
 * one. Pure functions over packet bytes. Source: RFC 6040. */
#pragma once
#include "base/base.h"

/* The two ECN bits of an IP header. Source: RFC 3168, section 5. */
enum wrn_ecn {
    WRN_ECN_NOT_ECT = 0, /* the transport does not understand marks */
    WRN_ECN_ECT1 = 1,
    WRN_ECN_ECT0 = 2,
    WRN_ECN_CE = 3, /* congestion experienced */
};

/* Returns the ECN bits of an IPv4 or IPv6 packet: what the outer header carries in RFC 6040's
 * normal mode (section 4.1). WRN_ECN_NOT_ECT for anything else and for a packet shorter than its
 * fixed header. */
uint8_t wrn_ecn_of_packet(const uint8_t *packet, size_t size);

/* Merges the ECN bits of the outer header into the packet that came out of the tunnel, in place;
 * the checksum of an IPv4 header follows (RFC 1624).
 * 'packet'    inner packet; anything but complete IPv4 or IPv6 headers is left alone.
 * 'outer_ecn' ECN bits of the outer header; higher bits (DSCP) are ignored.
 * Returns     false if the packet must be dropped: congestion was marked on the way and the inner
 *             transport would not understand it (caller counts WRN_DROP_CONGESTION). It is
 *             unchanged then.
 * Source      RFC 6040, section 4.2, Figure 4. */
WRN_NODISCARD bool wrn_ecn_merge(uint8_t *packet, size_t size, uint8_t outer_ecn);
