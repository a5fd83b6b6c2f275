/* SPDX-License-Identifier: Apache-2.0 */
/* Where in an Ethernet frame the packet begins, and the one thing that a bridge between links of
 * different sizes changes in a packet: the segment size that a TCP connection begins with. Pure. */
#pragma once
#include "base/base.h"

enum {
    WRN_FRAME_HEADER_SIZE = 14, /* bytes: two addresses and a type */
    WRN_FRAME_TAG_SIZE = 4,     /* IEEE 802.1Q, 802.1ad */
    WRN_FRAME_LINK_MAX = 22,    /* header and two tags: more are not looked behind */
    WRN_FRAME_TYPE_IPV4 = 0x0800,
    WRN_FRAME_TYPE_IPV6 = 0x86dd,
};

/* Returns the bytes before what a frame carries: 14, 18 or 22; 0: it ends before that. 'ret_type'
 * is the type that stands there, or a length. */
uint32_t wrn_frame_link_size(const uint8_t *frame, size_t size, uint16_t *ret_type);

/* Tells whether a frame holds the first packet of a TCP connection, of either side (SYN), whole and
 * in IPv4 or IPv6 without extensions. */
bool wrn_frame_is_syn(const uint8_t *frame, size_t size);

/* Makes the maximum segment size in such a packet so small that no segment makes a frame larger
 * than 'frame_max' bytes; the checksum follows. One that is smaller, or is not there, stays:
 * nothing is added. Returns whether it was changed. Source: RFC 9293, section 3.7.1; RFC 6691; RFC
 * 1624. */
bool wrn_frame_clamp_mss(uint8_t *frame, size_t size, uint32_t frame_max);
