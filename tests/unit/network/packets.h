/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the policy make: packets, header by header, and rules from text. */
#pragma once
#include "network/policy.h"
#include "unit/base/check.h"

enum { PACKET_ROOM = 2048 };

struct packet {
    uint8_t bytes[PACKET_ROOM];
    size_t size;
    size_t next_at; /* where the number of the next header goes */
};

/* Begins a packet with an IP header and nothing else; both addresses as text, of one family. */
struct packet packet_start(const char *from, const char *to);

/* Appends a header or a payload, and says in the header before it what it is. The length in the IP
 * header follows. An extension header of IPv6 begins with its next header. */
void packet_put(struct packet *packet, uint8_t protocol, const void *bytes, size_t size);

/* Whole packets. ICMP is that of the family. */
struct packet packet_tcp(const char *from, unsigned source_port, const char *to,
                         unsigned destination_port, uint8_t flags);
struct packet packet_udp(const char *from, unsigned source_port, const char *to,
                         unsigned destination_port);
struct packet packet_icmp(const char *from, const char *to, uint8_t type, unsigned id);

/* An ICMP error about a packet, of which it quotes at most 'quoted' bytes. */
struct packet packet_error(const char *from, const char *to, uint8_t type,
                           const struct packet *about, size_t quoted);

/* Cuts a piece out of a packet without IPv4 options or extension headers: 'size' bytes (all: to
 * the end) from 'offset' of what follows the IP header. */
enum { PACKET_ALL = PACKET_ROOM };
struct packet packet_fragment(const struct packet *whole, size_t offset, size_t size, uint32_t id);

wrn_span packet_span(const struct packet *packet);

/* Reads expressions, one after the other, into memory that stays until the next call but seven; an
 * apostrophe is a double quote. Returns how many. */
size_t packet_elements(const char *text, struct wrn_sexp *ret_elements, size_t room);

/* Compiles elements that must be understood. */
struct wrn_policy_rules packet_rules(const char *text);
