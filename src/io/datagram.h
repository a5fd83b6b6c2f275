/* SPDX-License-Identifier: Apache-2.0 */
/* One datagram at a time, for sockets where speed does not matter; the engine's are in udp.h. */
#pragma once
#include <sys/types.h>

#include "io/cmsg.h"

/* Receives one without waiting. Writes where it came from (family NONE: not over IP) and what its
 * control data say. Returns its size, which is more than 'capacity' if it was cut off there, or
 * -errno: -EAGAIN if there is none, or what an ICMP error told of an earlier one. */
WRN_NODISCARD ssize_t wrn_datagram_receive(int fd, uint8_t *buffer, size_t capacity,
                                           struct wrn_endpoint *ret_from,
                                           struct wrn_cmsg_facts *ret_facts);
