/* SPDX-License-Identifier: Apache-2.0 */
/* The LAN's announcement group, by IPv4 and IPv6, on all interfaces that have a LAN. Several
 * programs of a host share it. Looks into no datagram. */
#pragma once
#include "io/addresses.h"

enum {
    WRN_MULTICAST_PORT = 22386,        /* 0x5772 */
    WRN_MULTICAST_INTERFACES_MAX = 64, /* others are left out */
};

/* The groups: 239.255.87.114 (RFC 2365: of this site) and ff12::5772 (RFC 4291: of this link, and
 * nobody has assigned it). */

struct wrn_multicast {
    int fd4; /* -1: the machine has no IPv4, or closed */
    int fd6;
    uint32_t interface_count;
    uint32_t interfaces[WRN_MULTICAST_INTERFACES_MAX]; /* indices of those joined */
};

/* Sockets that are not there. */
#define WRN_MULTICAST_NONE ((struct wrn_multicast){.fd4 = -1, .fd6 = -1})

/* Opens the sockets and binds them, with no interface joined. Returns 0, -EADDRINUSE (a program
 * that does not share has the port), -EAFNOSUPPORT (neither family), or another -errno. */
WRN_NODISCARD int wrn_multicast_open(struct wrn_multicast *ret_multicast);

/* Closes them. Closed ones are fine. */
void wrn_multicast_close(struct wrn_multicast *multicast);

/* Joins the groups on all interfaces of 'list' that are up and have a LAN (no loopback, no tunnel),
 * and leaves those on others. To be called again when addresses have changed. Returns how many
 * interfaces there are now. */
size_t wrn_multicast_join(struct wrn_multicast *multicast, const struct wrn_host_address *list,
                          size_t count);

/* Sends to the groups on each interface, one hop far. Returns how many datagrams went. */
size_t wrn_multicast_send(const struct wrn_multicast *multicast, wrn_span datagram);

/* Reads one datagram of 'fd', one of the sockets, and who sent it (a link-local address with its
 * interface). What did not come to the group, or is larger than 'capacity', is passed over. Returns
 * its bytes, or 0 if nothing more waits. Our own come back, too. */
size_t wrn_multicast_receive(const struct wrn_multicast *multicast, int fd, uint8_t *buffer,
                             size_t capacity, struct wrn_endpoint *ret_from);
