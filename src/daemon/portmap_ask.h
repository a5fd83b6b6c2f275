/* SPDX-License-Identifier: Apache-2.0 */
/* Asks the router for a UDP port, in the ways that routers know: PCP, NAT-PMP, UPnP. Blocks, for up
 * to half a minute: never to be called by the control thread. */
#pragma once
#include "base/address.h"

enum { WRN_PORTMAP_TEXT_SIZE = 320, WRN_PORTMAP_URL_SIZE = 256, WRN_PORTMAP_NONCE_SIZE = 12 };

enum wrn_portmap_way { WRN_PORTMAP_NONE, WRN_PORTMAP_PCP, WRN_PORTMAP_NATPMP, WRN_PORTMAP_UPNP };

/* A mapping, or why there is none. Zeroed: nothing was asked yet. */
struct wrn_portmap_mapping {
    enum wrn_portmap_way way;              /* NONE: there is none */
    uint16_t port;                         /* ours */
    struct wrn_endpoint external;          /* where others reach it */
    uint32_t lifetime_s;                   /* 0: until the router starts anew */
    struct wrn_endpoint router;            /* PCP and NAT-PMP: who gave it */
    char url[WRN_PORTMAP_URL_SIZE];        /* UPnP: the router's description */
    uint8_t nonce[WRN_PORTMAP_NONCE_SIZE]; /* PCP: whose mapping it is */
    char text[WRN_PORTMAP_TEXT_SIZE];      /* in words, with the next step if there is none */
};

/* Asks for 'port', or again for the mapping 'before' of the same port (NULL: there is none).
 * 'nonce' are random bytes. */
void wrn_portmap_ask(uint16_t port, const struct wrn_portmap_mapping *before,
                     const uint8_t nonce[WRN_PORTMAP_NONCE_SIZE],
                     struct wrn_portmap_mapping *ret_mapping);

/* Gives a mapping back. PCP and NAT-PMP: says so and waits for nothing. */
void wrn_portmap_release(const struct wrn_portmap_mapping *mapping);

/* Returns "PCP" and so on; static. */
const char *wrn_portmap_way_name(enum wrn_portmap_way way);

enum { WRN_PORTMAP_PCP_SIZE = 60 }; /* of a MAP request and of its answer, without options */

/* Writes a PCP MAP request for 'lifetime_s' (0: gives it back) from a host whose address is
 * 'client'. Pure. Source: RFC 6887, sections 7.1 and 11.1. */
void wrn_portmap_pcp_write(uint8_t ret_request[WRN_PORTMAP_PCP_SIZE], const struct wrn_ip *client,
                           const uint8_t nonce[WRN_PORTMAP_NONCE_SIZE], uint16_t port,
                           const struct wrn_endpoint *suggested, uint32_t lifetime_s);

/* Reads an answer to it. Returns 0 and fills in external endpoint and lifetime; the router's result
 * code, 1 to 255 (1: it does not know this version); or WRN_ERR_MALFORMED: it is no answer to that.
 * Pure. Source: RFC 6887, sections 7.2, 7.4 and 11.1. */
int wrn_portmap_pcp_read(wrn_span answer, const uint8_t nonce[WRN_PORTMAP_NONCE_SIZE],
                         uint16_t port, struct wrn_portmap_mapping *mapping);
