/* SPDX-License-Identifier: Apache-2.0 */
/* The locator record: where a node is and what it can, signed by it. A canonical S-expression; its
 * place in the DHT is node/<hit>. Pure: reads and writes, knows nothing of networks. */
#pragma once
#include "base/address.h"
#include "overlay/id.h"
#include "overlay/limits.h"
#include "overlay/primitives.h"
#include "overlay/reason.h"

/* X(NAME, "text"): how a node's NAT behaves towards the outside. Source: RFC 4787, section 4.1. */
#define WRN_NAT_CLASS_LIST(X)                                                                      \
    X(UNKNOWN, "not known yet")                                                                    \
    X(NONE, "no NAT")                                                                              \
    X(ENDPOINT_INDEPENDENT, "one outer port for all destinations")                                 \
    X(ADDRESS_DEPENDENT, "another outer port for each address")                                    \
    X(PORT_PREDICTABLE, "another outer port for each destination, in steps that can be guessed")   \
    X(PORT_RANDOM, "another outer port for each destination, at random")                           \
    X(BLOCKED, "UDP does not get through")

enum wrn_nat_class {
#define X(name, text) WRN_NAT_CLASS_##name,
    WRN_NAT_CLASS_LIST(X)
#undef X
        WRN_NAT_CLASSES
};

enum wrn_endpoint_kind {
    WRN_ENDPOINT_LOCAL,     /* of an interface */
    WRN_ENDPOINT_REFLECTED, /* as peers see it */
    WRN_ENDPOINT_MAPPED,    /* by PCP, NAT-PMP or UPnP */
};

enum { WRN_LOCATOR_STEP_MAX = 65535 };

struct wrn_locator_endpoint {
    struct wrn_endpoint at;
    uint8_t kind; /* enum wrn_endpoint_kind */
};

struct wrn_locator {
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE]; /* Ed25519 */
    uint8_t tunnel_key[WRN_KEY_SIZE];         /* X25519 */
    wrn_id id;                                /* of the HIT of public_key */
    uint64_t sequence;  /* greater ones are newer: milliseconds of the wall clock, and one more
                         * than the last in any case */
    uint8_t nat_class;  /* enum wrn_nat_class */
    bool relays;        /* willing to forward for others */
    bool speaks_aes;    /* WireGuard's second suite, docs/protocol.md */
    int32_t port_step;  /* PORT_PREDICTABLE: from one new mapping to the next, at most
                         * WRN_LOCATOR_STEP_MAX either way; else 0 */
    uint16_t port_last; /* ... the outer port that was seen last, 0: not known; else 0 */
    uint16_t tcp_port;  /* where it takes streams at any of its addresses, 0: nowhere */
    uint16_t tls_port;  /* ... that look like TLS */
    uint8_t endpoint_count;
    uint8_t relay_count;
    struct wrn_locator_endpoint endpoints[WRN_ENDPOINTS_MAX]; /* best first */
    wrn_id relay_ids[WRN_LOCATOR_RELAYS_MAX]; /* nodes that this one has direct links to and that
                                               * relay, best first */
};

/* Returns the sentence of a class, static text. Any number is fine. */
const char *wrn_nat_class_text(enum wrn_nat_class nat_class);

/* Writes and signs a locator with the identity's seed, for the ring with this hash of WRN_RING_SIZE
 * bytes and for no other (NULL: for none); 'id' and 'public_key' are filled in. Endpoints that
 * reading would leave out are not written, scopes neither, nor the ports of a class that has none;
 * with a port for streams the last of WRN_ENDPOINTS_MAX endpoints makes room for it.
 * Returns its size, at most WRN_LOCATOR_MAX, which is enough for any; 0 if it does not fit
 * 'capacity', or for want of memory in signing. docs/ring/records.md has the grammar. */
size_t wrn_locator_write(struct wrn_locator *locator, const struct wrn_primitives *primitives,
                         const uint8_t seed[WRN_SEED_SIZE], const uint8_t *ring, uint8_t *out,
                         size_t capacity);

/* Reads a locator and checks its signature for 'ring'. NONE, MALFORMED, BAD_SIGNATURE, TOO_LARGE;
 * 'ret_locator' is zeroed unless it is NONE. Endpoints that cannot be anybody's (port 0, multicast
 * and broadcast, unspecified, loopback, IPv4 in IPv6 form) are left out, and so are lists behind
 * the last one that is known, which newer nodes write. O(bytes), and one verification if the form
 * is right. */
enum wrn_reason wrn_locator_read(wrn_span bytes, const struct wrn_primitives *primitives,
                                 const uint8_t *ring, struct wrn_locator *ret_locator);

/* The same without its signature, for who has verified otherwise that its owner said it. */
enum wrn_reason wrn_locator_parse(wrn_span bytes, const struct wrn_primitives *primitives,
                                  struct wrn_locator *ret_locator);
