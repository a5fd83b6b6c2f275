/* SPDX-License-Identifier: Apache-2.0 */
/* Answers the DHCP client of this very host in a network of layer 2: with the address that the host
 * has leased as a member, and nothing else. Frames go in and come out; it keeps nothing, because
 * there is one client and one address. Nobody else's questions are answered. Pure. Source: RFC
 * 2131, RFC 2132, RFC 3397, RFC 6842, RFC 826. */
#pragma once
#include "base/address.h"
#include "base/bytes.h"
#include "switch/rules.h"

enum {
    WRN_DHCP_FRAME_MAX = 720, /* bytes of what is answered */
    WRN_DHCP_LEASE_S = 1800,  /* asked for again after half of it, of all after seven eighths */
    WRN_DHCP_DOMAIN_MAX = 80,
};

/* What is known when a frame comes. */
struct wrn_dhcp {
    uint8_t mac[WRN_MAC_ADDRESS_SIZE]; /* of the host's own interface, the only client */
    uint8_t server_mac[WRN_MAC_ADDRESS_SIZE];
    struct wrn_prefix range;          /* of the network, IPv4 */
    struct wrn_ip address;            /* leased by this host; family NONE: none (yet) */
    struct wrn_ip server;             /* an address of the range that nobody leases */
    struct wrn_ip resolver;           /* IPv4; family NONE: none */
    char domain[WRN_DHCP_DOMAIN_MAX]; /* to search in: "site.warren"; "": none */
    uint16_t mtu;
};

/* X(NAME): what a frame was, and what is answered. */
#define WRN_DHCP_SAID_LIST(X)                                                                      \
    X(NOTHING)   /* no business of ours: no DHCP, another client, another server is meant */       \
    X(WAITING)   /* the host has no address yet: silence, the client asks again */                 \
    X(NEIGHBOUR) /* who has the server's address: answered */                                      \
    X(OFFERED)                                                                                     \
    X(GIVEN)    /* asked for, or again: acknowledged */                                            \
    X(REFUSED)  /* another address was asked for: it is told so (NAK) */                           \
    X(INFORMED) /* it has an address and wants the rest */                                         \
    X(DECLINED) /* the client says that another machine has the address; no answer */              \
    X(RELEASED) /* no answer */

enum wrn_dhcp_said {
#define WRN_DHCP_SAID_ENUM(name) WRN_DHCP_##name,
    WRN_DHCP_SAID_LIST(WRN_DHCP_SAID_ENUM)
#undef WRN_DHCP_SAID_ENUM
};

/* Looks at a frame that the host's side has sent. 'out' has room for WRN_DHCP_FRAME_MAX bytes.
 * Returns the size of the answer, a frame for the host's side; 0: none. Bounded by the frame. */
size_t wrn_dhcp_on_frame(const struct wrn_dhcp *dhcp, wrn_span frame, uint8_t *out,
                         enum wrn_dhcp_said *ret_said);
