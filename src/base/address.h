/* SPDX-License-Identifier: Apache-2.0 */
/* IP addresses, prefixes and UDP endpoints as plain values, their text forms. Resolves no name. */
#pragma once
#include "base/base.h"

enum wrn_family { WRN_FAMILY_NONE = 0, WRN_FAMILY_IPV4 = 4, WRN_FAMILY_IPV6 = 6 };

/* An address in network byte order; IPv4 uses the first 4 bytes, the others are 0. */
struct wrn_ip {
    uint8_t bytes[16];
    uint8_t family; /* enum wrn_family */
};

struct wrn_prefix {
    struct wrn_ip ip;
    uint8_t length_bits; /* 0..32 or 0..128 */
};

struct wrn_endpoint {
    struct wrn_ip ip;
    uint16_t port;     /* host byte order */
    uint32_t scope_id; /* interface index of an IPv6 link-local address, else 0 */
};

/* How datagrams travel. */
enum wrn_path_kind {
    WRN_PATH_DIRECT, /* to the endpoint, as they are */
    WRN_PATH_RELAY, /* to the relay at the endpoint, behind a head with the slot (base/relayed.h) */
    WRN_PATH_CONTROL, /* by whoever owns the sockets of this path: handed over, sealed */
};

/* A pair of UDP endpoints as seen from here, and what else it takes to get there. */
struct wrn_path {
    struct wrn_endpoint remote;
    struct wrn_ip local; /* address that the peer sends to; family NONE: let the kernel choose */
    uint8_t kind;        /* enum wrn_path_kind */
    uint32_t interface;  /* index of the interface it came in on, 0: any */
    uint64_t slot;       /* RELAY: of this pair at the relay; CONTROL: the owner's number for it */
};

/* Tells whether a path leads anywhere: one that is all zero does not. */
static inline bool wrn_path_leads(const struct wrn_path *path) {
    return path->remote.ip.family != WRN_FAMILY_NONE || path->kind == WRN_PATH_CONTROL;
}

enum { WRN_PREFIX_TEXT_SIZE = 64, WRN_ENDPOINT_TEXT_SIZE = 80 }; /* with terminating zero */

/* Reads "10.0.0.0/8" or "fd00::/8"; without a length it is a host. Bits behind the length are
 * cleared. 'text' need not be terminated. Returns 0 or WRN_ERR_MALFORMED. */
WRN_NODISCARD int wrn_prefix_parse(wrn_span text, struct wrn_prefix *ret_prefix);

/* Reads "192.0.2.1:51820", "[2001:db8::1]:51820" or "[fe80::1%3]:51820" (numeric scope). Port
 * 0..65535. "[::ffff:192.0.2.1]:7" is read as the IPv4 endpoint that it stands for.
 * Returns 0 or WRN_ERR_MALFORMED. */
WRN_NODISCARD int wrn_endpoint_parse(wrn_span text, struct wrn_endpoint *ret_endpoint);

/* Print the same forms, terminated, and return the length without the zero. */
size_t wrn_prefix_print(const struct wrn_prefix *prefix, char ret_text[WRN_PREFIX_TEXT_SIZE]);
size_t wrn_endpoint_print(const struct wrn_endpoint *endpoint,
                          char ret_text[WRN_ENDPOINT_TEXT_SIZE]);

/* Tell whether two values are the same. */
bool wrn_ip_equal(const struct wrn_ip *a, const struct wrn_ip *b);
bool wrn_endpoint_equal(const struct wrn_endpoint *a, const struct wrn_endpoint *b);
