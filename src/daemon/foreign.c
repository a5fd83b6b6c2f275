/* SPDX-License-Identifier: Apache-2.0 */
/* Routes of the host that are not ours, where they and a network's ranges have addresses in
 * common: the longest prefix decides, so members would not be reached, or hosts of the LAN not. */
#include <net/if.h>
#include <stdio.h>

#include "daemon/daemon_internal.h"
#include "io/host_routes.h"

/* Shorter ones lead to the rest of the world: from a network's range nobody expects that. */
enum { BITS_MIN = 8 };

struct search {
    const struct wrn_daemon *daemon;
    const struct wrn_prefix *range; /* NULL: what private ranges are used is gathered */
    struct wrn_host_route found;    /* the first one; family NONE: none */
    struct wrn_prefix *ret_list;
    size_t capacity, count;
};

static void look(void *ctx, const struct wrn_host_route *route);

bool wrn_daemon_foreign_route(const struct wrn_daemon *daemon, const struct wrn_prefix *range,
                              struct wrn_daemon_foreign *ret_foreign) {
    struct search search = {.daemon = daemon, .range = range};
    if (range->ip.family == WRN_FAMILY_NONE ||
        wrn_host_routes_walk(daemon->addresses.queries, range->ip.family, look, &search) != 0 ||
        search.found.prefix.ip.family == WRN_FAMILY_NONE) {
        return false; /* what the kernel does not tell is no reason to refuse anything */
    }
    (void)wrn_prefix_print(&search.found.prefix, ret_foreign->route);
    if (search.found.interface == 0 ||
        if_indextoname(search.found.interface, ret_foreign->interface) == NULL) {
        (void)snprintf(ret_foreign->interface, sizeof ret_foreign->interface, "?");
    }
    return true;
}

size_t wrn_daemon_foreign_ranges(const struct wrn_daemon *daemon, struct wrn_prefix *ret_list,
                                 size_t capacity) {
    struct search search = {.daemon = daemon, .ret_list = ret_list, .capacity = capacity};
    int error = wrn_host_routes_walk(daemon->addresses.queries, WRN_FAMILY_IPV4, look, &search);
    (void)error; /* what is known of is kept away from */
    return search.count;
}

static void look(void *ctx, const struct wrn_host_route *route) {
    struct search *search = ctx;
    if (route->prefix.length_bits < BITS_MIN ||
        wrn_daemon_is_inside(search->daemon, route->interface)) {
        return;
    }
    if (search->range == NULL && search->count < search->capacity) {
        search->ret_list[search->count++] = route->prefix;
    } else if (search->range != NULL && search->found.prefix.ip.family == WRN_FAMILY_NONE &&
               wrn_daemon_share(search->range, &route->prefix)) {
        search->found = *route;
    }
}
