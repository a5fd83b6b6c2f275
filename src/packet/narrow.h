/* SPDX-License-Identifier: Apache-2.0 */
/* What is done to IP packets whose way is narrower than the host's interface: the segment size of a
 * TCP connection that begins is made smaller, and what may be fragmented is. Pure; reads nothing
 * outside of the packet. */
#pragma once
#include "base/base.h"

enum {
    WRN_NARROW_FRAGMENTS_MAX = 8, /* more are not made of one packet */
    WRN_NARROW_MAX_MIN = 576,     /* the narrowest way: RFC 791's smallest that all hosts take */
};

/* Tells whether this is the first packet of a TCP connection, of either side (SYN), whole and in
 * IPv4 or IPv6 without extensions. */
bool wrn_narrow_is_syn(const uint8_t *packet, size_t size);

/* Makes the maximum segment size in such a packet so small that no segment makes a packet larger
 * than 'packet_max' bytes; the checksum follows. One that is smaller, or is not there, stays:
 * nothing is added. Any other packet stays as well. Returns whether it was changed. Source: RFC
 * 9293, section 3.7.1; RFC 6691; RFC 1624. */
bool wrn_narrow_mss(uint8_t *packet, size_t size, size_t packet_max);

/* Tells whether routers may fragment this packet: IPv4 without DF. */
bool wrn_narrow_may_fragment(const uint8_t *packet, size_t size);

/* How a packet is fragmented, which it keeps pointing to. */
struct wrn_narrow_plan {
    const uint8_t *packet;
    uint32_t size;       /* of the packet */
    uint32_t head_size;  /* its header, and so that of the first fragment */
    uint32_t later_size; /* the header of the others: options that are not copied are left out */
    uint32_t each;       /* bytes of payload in all but the last */
    uint32_t count;      /* 1..WRN_NARROW_FRAGMENTS_MAX */
    uint8_t later[60];   /* that header */
};

/* Plans how to fragment a packet into ones of at most 'packet_max' (WRN_NARROW_MAX_MIN or more)
 * bytes. Returns false if that may not or cannot be: wrn_narrow_may_fragment, a header that makes
 * no sense, too many of them. Source: RFC 791, section 3.2. */
bool wrn_narrow_plan(const uint8_t *packet, size_t size, size_t packet_max,
                     struct wrn_narrow_plan *ret_plan);

/* Writes fragment 'index' to 'out', which has room for 'packet_max' bytes and is not the packet.
 * Returns its size. */
size_t wrn_narrow_write(const struct wrn_narrow_plan *plan, uint32_t index, uint8_t *out);
