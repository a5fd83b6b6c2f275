/* SPDX-License-Identifier: Apache-2.0 */
/* What the destination of an inner packet is, by its address alone. Pure function. */
#pragma once
#include "base/base.h"

/* Tells whether a packet is addressed to what can be a single host in a network behind routes: not
 * multicast, limited broadcast, link-local, loopback, "this network", unspecified, or an IPv4
 * address that is mapped into IPv6. What is no IP packet is not.
 * Source: RFC 6890, RFC 1112, RFC 4291. */
bool wrn_is_for_one_host(wrn_span packet);
