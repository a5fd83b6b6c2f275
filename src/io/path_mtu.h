/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel knows of the size of datagrams on a way. Sends nothing. */
#pragma once
#include "base/address.h"

/* Returns the MTU of the way to an endpoint, bytes of IP: the interface's, or what routers told. 0:
 * there is no way. */
uint32_t wrn_path_mtu(const struct wrn_endpoint *remote);

/* Returns the MTU of the way that the default route leads, the wider one of IPv4's and IPv6's. 0:
 * there is none. */
uint32_t wrn_path_mtu_default(void);
