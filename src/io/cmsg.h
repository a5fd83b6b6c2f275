/* SPDX-License-Identifier: Apache-2.0 */
/* The control messages that travel with datagrams: our own address, the interface, the DS
 * field, the size of each datagram where several travel as one message, as Linux lays them out.
 * Pure: makes no system call. */
#pragma once
#include <netinet/in.h>
#include <sys/socket.h>
#include "base/address.h"

enum {
    WRN_CMSG_SEND_MAX = 88,    /* bytes of control data that wrn_cmsg_write needs at most */
    WRN_CMSG_RECEIVE_MAX = 96, /* room in which what we ask for arrives whole */
};

/* Control data with the alignment that the CMSG macros want. */
union wrn_cmsg_send {
    struct cmsghdr align;
    uint8_t bytes[WRN_CMSG_SEND_MAX];
};
union wrn_cmsg_receive {
    struct cmsghdr align;
    uint8_t bytes[WRN_CMSG_RECEIVE_MAX];
};

/* A socket address of either family. */
union wrn_sockaddr {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* What the control data of a received message says. */
struct wrn_cmsg_facts {
    struct wrn_ip local; /* to which address it came; family NONE: not said */
    uint32_t interface;  /* index of the interface it came in on, 0: not said */
    uint8_t ecn;         /* bits of the outer header, 0 if not said */
    size_t segment_size; /* bytes of each datagram in it but the last, 0: it is a single one */
};

/* Writes what the kernel must know to send along 'path': the source address (left out if its
 * family is NONE), the DS field (left out if 0), and the size of each datagram if the message
 * holds several (left out if 0). The interface is not written: the source address alone is
 * held, routing chooses the way, as the kernel's WireGuard does. 'family' is that of the
 * socket. Returns the bytes used, 0 if there is nothing to say. Source: Linux, ip(7), ipv6(7),
 * udp(7). */
size_t wrn_cmsg_write(const struct wrn_path *path, uint8_t ds, uint16_t segment_size,
                      sa_family_t family, union wrn_cmsg_send *ret_control);

/* Reads the control data of a received message. What it does not say, or says in too few bytes,
 * is 0 in 'ret_facts'. */
void wrn_cmsg_read(const struct msghdr *message, struct wrn_cmsg_facts *ret_facts);

/* Converts an endpoint to a socket address and back. Returns the address' size, 0 if the endpoint
 * has no family; false if the socket address is neither IPv4 nor IPv6. */
socklen_t wrn_endpoint_to_sockaddr(const struct wrn_endpoint *endpoint,
                                   union wrn_sockaddr *ret_address);
bool wrn_endpoint_from_sockaddr(const union wrn_sockaddr *address,
                                struct wrn_endpoint *ret_endpoint);
