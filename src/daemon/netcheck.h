/* SPDX-License-Identifier: Apache-2.0 */
/* How this host reaches others, put together from what the node, its peers and the kernel know.
 * Sends nothing. docs/netcheck.md says what it means. */
#pragma once
#include <jansson.h>

#include "daemon/daemon.h"
#include "daemon/portmap.h"

/* Makes the report: {"summary", "port", "udp", "ipv4", "ipv6", "nat", "port_mapping", "peers",
 * "networks"}. 'portmap' may be NULL: switched off. New object; NULL without memory. */
json_t *wrn_netcheck(const struct wrn_daemon *daemon, const struct wrn_portmap *portmap);

/* What peers say of this host, over all networks: its NAT's class as far as any of them could tell,
 * and how many peers there are on which paths. */
struct wrn_netcheck_view {
    enum wrn_nat_class nat_class;
    uint32_t networks, connected;       /* ... that have found their ring */
    uint32_t unanswered;                /* networks where nobody answers, though asked often */
    uint32_t direct4, direct6, relayed; /* peers by path */
    uint32_t streams, taken;            /* ... by TCP or TLS: that we opened, or they */
    uint32_t seen_count;
    struct wrn_endpoint seen[8]; /* our endpoints as peers see them */
};

/* Tells whether UDP seems not to get through: nobody is reached, and either the node has judged so
 * or nobody has answered in some network for many seconds. */
bool wrn_netcheck_is_blocked(const struct wrn_netcheck_view *view);

/* Tells whether UDP seems not to get through, while peers are reached by streams that we opened. */
bool wrn_netcheck_is_by_streams(const struct wrn_netcheck_view *view);

/* Fills it in. */
void wrn_netcheck_look(const struct wrn_daemon *daemon, struct wrn_netcheck_view *ret_view);
