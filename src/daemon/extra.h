/* SPDX-License-Identifier: Apache-2.0 */
/* UDP sockets beside the port of all networks: ways through NATs that give each destination another
 * port are found by trying many of them. IPv4 alone, for only there are such NATs. Numbers 1 to
 * WRN_SOCKETS_MAX - 1 of each network are its own. Looks into no datagram. */
#pragma once
#include "base/address.h"

struct wrn_extra;

/* Called with each datagram that came by the host's interface of that index (0: not known); 'bytes'
 * may be changed. May open and close sockets. */
typedef void (*wrn_extra_fn)(void *ctx, uint32_t network, uint16_t socket, uint32_t interface,
                             const struct wrn_endpoint *from, uint8_t *bytes, size_t size);

/* Makes an empty set for networks 0 to 'networks' - 1. Returns 0 or -errno. */
WRN_NODISCARD int wrn_extra_create(uint32_t networks, wrn_extra_fn on_datagram, void *ctx,
                                   struct wrn_extra **ret_extra);

/* Closes all. NULL is fine. */
void wrn_extra_destroy(struct wrn_extra *extra);

/* The descriptor that is readable when datagrams wait; read some of them then. */
int wrn_extra_fd(const struct wrn_extra *extra);
void wrn_extra_read(struct wrn_extra *extra);

/* Opens the sockets 'first' to 'first' + 'count' - 1 of a network, each on another port than it had
 * before, also if it is open. Returns 0, or -errno of the first one that could not be opened; the
 * others are. */
WRN_NODISCARD int wrn_extra_open(struct wrn_extra *extra, uint32_t network, uint16_t first,
                                 uint16_t count);

/* Closes them; those that are closed are fine. */
void wrn_extra_close(struct wrn_extra *extra, uint32_t network, uint16_t first, uint16_t count);

/* Sends a datagram by a socket. Returns 0, -ENOTCONN (it is closed), -EAFNOSUPPORT (not IPv4) or
 * another -errno. */
WRN_NODISCARD int wrn_extra_send(struct wrn_extra *extra, uint32_t network, uint16_t socket,
                                 const struct wrn_endpoint *to, wrn_span bytes);

/* How many are open. */
uint32_t wrn_extra_count(const struct wrn_extra *extra);
