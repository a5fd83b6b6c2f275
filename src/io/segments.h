/* SPDX-License-Identifier: Apache-2.0 */
/* Limits how many packets the host puts into one large packet for an interface. Keeps no state. */
#pragma once
#include "base/base.h"

struct nl_sock;

/* Tells the host to make large packets for the interface 'index' of at most 'segments' (1..65535)
 * packets each. 'queries' is a socket of wrn_netlink_open in the interface's network namespace.
 * Returns 0 or -errno (-EPERM without CAP_NET_ADMIN). */
WRN_NODISCARD int wrn_segments_limit(struct nl_sock *queries, uint32_t index, uint32_t segments);

/* Returns how many packets of 'mtu_bytes', sealed, fit one message of a socket (io/udp.h); with
 * 'is_relayed' behind a relay's head each. A large packet of the host becomes a train of datagrams,
 * and one a little longer than a message would cost a second message for the rest. 0: none fits. */
uint32_t wrn_segments_of(uint32_t mtu_bytes, bool is_relayed);
