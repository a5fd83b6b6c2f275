/* SPDX-License-Identifier: Apache-2.0 */
/* Which Ethernet frames a member may send: ethertypes, source MAC addresses and IP addresses.
 * Compiled from the `frame`, `mac` and `address` elements of its rights (network/rights.h). A plain
 * value, pure. */
#pragma once
#include "base/address.h"

enum {
    WRN_MAC_ADDRESS_SIZE = 6, /* bytes */
    WRN_FRAME_TYPES_MAX = 8,
    WRN_FRAME_MACS_MAX = 8,
    WRN_FRAME_RANGES_MAX = 4,
};

/* Ethertypes (IEEE 802.3: 1536..65535) from 'low' to 'high', both included; 0 to 1535 are lengths:
 * LLC frames, spanning tree's among them, are all of type 0 here. A VLAN tag is looked behind. */
struct wrn_frame_types {
    uint16_t low, high;
};

/* MAC addresses that begin with the first 'bits' (1..48) of 'bytes'. */
struct wrn_frame_macs {
    uint8_t bytes[WRN_MAC_ADDRESS_SIZE];
    uint8_t bits;
};

/* Addresses of a family from 'low' to 'high', both included, as in struct wrn_ip. */
struct wrn_frame_range {
    struct wrn_ip low, high;
};

struct wrn_frame_rules {
    bool any_type, any_mac;
    uint8_t type_count, mac_count;
    struct wrn_frame_types types[WRN_FRAME_TYPES_MAX];
    struct wrn_frame_macs macs[WRN_FRAME_MACS_MAX]; /* named ones: they may be taken over, too */
    bool is_bound;                                  /* to these IP addresses; false: to none */
    uint8_t range_count;
    struct wrn_frame_range ranges[WRN_FRAME_RANGES_MAX];
};

/* Tell whether a frame of this ethertype may be sent; whether this may be its source; and whether
 * the rules name that address, so that it is the holder's whoever uses it now. */
bool wrn_frame_rules_type(const struct wrn_frame_rules *rules, uint16_t ethertype);
bool wrn_frame_rules_mac(const struct wrn_frame_rules *rules,
                         const uint8_t mac[WRN_MAC_ADDRESS_SIZE]);
bool wrn_frame_rules_names(const struct wrn_frame_rules *rules,
                           const uint8_t mac[WRN_MAC_ADDRESS_SIZE]);

/* Tells whether this may be the source of an IP packet, or what a host says of itself by ARP and
 * neighbour discovery: one of the ranges, one of the link alone (fe80::/10), or none yet (0.0.0.0,
 * ::). */
bool wrn_frame_rules_ip(const struct wrn_frame_rules *rules, const struct wrn_ip *ip);
