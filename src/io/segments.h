/* SPDX-License-Identifier: Apache-2.0 */
/* Limits how many packets the host puts into one large packet for an interface. Keeps no state. */
#pragma once
#include "base/base.h"

struct nl_sock;

/* Tells the host to make large packets for the interface 'index' of at most 'segments' (1..65535)
 * packets each. 'queries' is a socket of wrn_netlink_open in the interface's network namespace.
 * Returns 0 or -errno (-EPERM without CAP_NET_ADMIN). */
WRN_NODISCARD int wrn_segments_limit(struct nl_sock *queries, uint32_t index, uint32_t segments);
