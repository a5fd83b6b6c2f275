/* SPDX-License-Identifier: Apache-2.0 */
/* The control messages that travel with a datagram: our own address, the interface, the DS field,
 * as Linux lays them out. Pure: makes no system call. */
#pragma once
#include <sys/socket.h>
#include "base/address.h"

enum {
    WRN_CMSG_SEND_MAX = 64,     /* bytes of control data that wrn_cmsg_write needs at most */
    WRN_CMSG_RECEIVE_MAX = 128, /* room in which what we ask for arrives whole */
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

/* Writes what the kernel must know to send along 'path': the source address (left out if its family
 * is NONE) and the DS field (left out if 0). The interface is not written: the source address alone
 * is held, routing chooses the way, as the kernel's WireGuard does. 'family' is that of the socket.
 * Returns the bytes used, 0 if there is nothing to say. */
size_t wrn_cmsg_write(const struct wrn_path *path, uint8_t ds, sa_family_t family,
                      union wrn_cmsg_send *ret_control);

/* Reads the control data of a received message into 'path' (local address and interface, left alone
 * if they are missing) and 'ret_ecn' (bits of the outer header, 0 if missing). */
void wrn_cmsg_read(const struct msghdr *message, struct wrn_path *path, uint8_t *ret_ecn);

/* Converts an endpoint to a socket address and back. Returns the address' size, 0 if the endpoint
 * has no family; false if the socket address is neither IPv4 nor IPv6. */
socklen_t wrn_endpoint_to_sockaddr(const struct wrn_endpoint *endpoint,
                                   struct sockaddr_storage *ret_address);
bool wrn_endpoint_from_sockaddr(const struct sockaddr_storage *address,
                                struct wrn_endpoint *ret_endpoint);
