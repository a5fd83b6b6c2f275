/* SPDX-License-Identifier: Apache-2.0 */
/* Routes that the host has, as rtnetlink(7) lists them. Of the caller's network namespace. */
#pragma once
#include "base/address.h"

struct nl_sock;

/* One route to hosts: no local, broadcast or unreachable one, nor what the kernel remembers of
 * single addresses that another route leads to. */
struct wrn_host_route {
    struct wrn_prefix prefix; /* where to; a default route has 0 bits */
    uint32_t interface;       /* index; 0: there is none, or several */
};

/* Called for each route. */
typedef void (*wrn_host_route_fn)(void *ctx, const struct wrn_host_route *route);

/* Walks the routes of a family in all tables. 'queries' is a socket of wrn_netlink_open. Returns 0
 * or -errno, also where the host does not have that family. */
WRN_NODISCARD int wrn_host_routes_walk(struct nl_sock *queries, enum wrn_family family,
                                       wrn_host_route_fn on_route, void *ctx);
