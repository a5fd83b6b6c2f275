/* SPDX-License-Identifier: Apache-2.0 */
/* A table of paths, each with the interface that the kernel chose for it, looked up again after
 * changes.
 *
 * A source address whose way has moved away from the interface that has it stays out of use even
 * when the peer still sends to it, or two ends that each learn from the other would go on with the
 * old address for ever. An address that lies elsewhere (on lo, say) does not depend on the way. */
#include "io/route.h"

#include <ifaddrs.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netlink/msg.h>
#include <netlink/socket.h>
#include <stdlib.h>

#include "io/cleanup.h"
#include "io/netlink.h"

enum { PATHS = 4096 }; /* power of two. Paths that share a place forget one another: harmless */
#define RENEWAL_NS WRN_MS(100)

struct entry {
    struct wrn_ip local;
    struct wrn_ip remote;
    uint32_t mark;
    uint32_t first_interface; /* 0: the place is free */
    uint32_t interface;       /* by which it leaves now */
    uint32_t epoch;           /* of the routes, when that was looked up */
};

struct wrn_route {
    struct nl_sock *events;
    struct nl_sock *queries;
    wrn_mono renewed;
    uint32_t epoch;
    bool changed; /* since the epoch began */
    struct entry entries[PATHS];
};

static void note_change(void *ctx, struct nlmsghdr *message);
static struct entry *find(struct wrn_route *route, const struct wrn_path *path, uint32_t mark);
static bool owns(uint32_t interface, const struct wrn_ip *address);
static int look_up(const struct wrn_route *route, const struct wrn_path *path, uint32_t mark,
                   uint32_t *ret_interface);

int wrn_route_create(struct wrn_route **ret_route) {
    static const unsigned groups[] = {RTNLGRP_IPV4_ROUTE,  RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_IFADDR,
                                      RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_RULE,  RTNLGRP_IPV6_RULE};
    struct wrn_route *route = calloc(1, sizeof *route);
    if (route == NULL) {
        return -ENOMEM;
    }
    int error = wrn_netlink_subscribe(groups, WRN_COUNT(groups), &route->events);
    error = error != 0 ? error : wrn_netlink_open(&route->queries);
    if (error != 0) {
        wrn_route_destroy(route);
        return error;
    }
    *ret_route = route;
    return 0;
}

void wrn_route_destroy(struct wrn_route *route) {
    if (route == NULL) {
        return;
    }
    if (route->events != NULL) {
        nl_socket_free(route->events);
    }
    if (route->queries != NULL) {
        nl_socket_free(route->queries);
    }
    free(route);
}

int wrn_route_fd(const struct wrn_route *route) {
    return nl_socket_get_fd(route->events);
}

void wrn_route_read_events(struct wrn_route *route) {
    if (!wrn_netlink_read_events(route->events, note_change, route)) {
        route->changed = true;
    }
}

bool wrn_route_holds(struct wrn_route *route, wrn_mono now, const struct wrn_path *path,
                     uint32_t mark) {
    if (path->local.family == WRN_FAMILY_NONE || path->remote.scope_id != 0) {
        return true; /* the kernel chooses anyway; a scope names the interface */
    }
    if (route->changed && wrn_mono_since(now, route->renewed) >= RENEWAL_NS) {
        route->changed = false;
        route->renewed = now;
        route->epoch++;
    }
    struct entry *entry = find(route, path, mark);
    bool is_new = entry->first_interface == 0;
    if (is_new || entry->epoch != route->epoch) {
        uint32_t interface;
        if (look_up(route, path, mark, &interface) != 0) {
            return true; /* no route: the send call will tell */
        }
        uint32_t first = is_new ? interface : entry->first_interface;
        if (interface != first && !owns(first, &path->local)) {
            first = interface; /* the address is no business of the interface that it left by */
        }
        *entry = (struct entry){
            .local = path->local,
            .remote = path->remote.ip,
            .mark = mark,
            .first_interface = first,
            .interface = interface,
            .epoch = route->epoch,
        };
    }
    return entry->interface == entry->first_interface;
}

static void note_change(void *ctx, struct nlmsghdr *message) {
    struct wrn_route *route = ctx;
    (void)message;
    route->changed = true;
}

/* Returns the entry of a path; an empty one if it has none yet. */
static struct entry *find(struct wrn_route *route, const struct wrn_path *path, uint32_t mark) {
    uint64_t hash = mark;
    const struct wrn_ip *ips[] = {&path->local, &path->remote.ip};
    for (size_t i = 0; i < WRN_COUNT(ips); i++) {
        uint64_t halves[2];
        memcpy(halves, ips[i]->bytes, sizeof halves);
        /* Odd constants spread the bits. Who finds paths that collide gains a few system calls. */
        hash = (hash ^ halves[0]) * UINT64_C(0x9e3779b97f4a7c15);
        hash = (hash ^ hash >> 29 ^ halves[1]) * UINT64_C(0xbf58476d1ce4e5b9);
        hash ^= hash >> 32;
    }
    struct entry *entry = &route->entries[hash & (PATHS - 1)];
    if (entry->mark != mark || !wrn_ip_equal(&entry->local, &path->local) ||
        !wrn_ip_equal(&entry->remote, &path->remote.ip)) {
        *entry = (struct entry){0};
    }
    return entry;
}

/* Tells whether an interface has an address. One that is gone, or made anew, has none. */
static bool owns(uint32_t interface, const struct wrn_ip *address) {
    struct ifaddrs *all = NULL;
    bool found = false;
    if (getifaddrs(&all) != 0) {
        return true; /* not known: nothing changes */
    }
    for (const struct ifaddrs *one = all; one != NULL && !found; one = one->ifa_next) {
        const struct sockaddr *at = one->ifa_addr;
        if (at == NULL || if_nametoindex(one->ifa_name) != interface) {
            continue;
        }
        if (at->sa_family == AF_INET && address->family == WRN_FAMILY_IPV4) {
            const struct sockaddr_in *v4 = (const void *)at;
            found = memcmp(&v4->sin_addr, address->bytes, 4) == 0;
        } else if (at->sa_family == AF_INET6 && address->family == WRN_FAMILY_IPV6) {
            const struct sockaddr_in6 *v6 = (const void *)at;
            found = memcmp(&v6->sin6_addr, address->bytes, 16) == 0;
        }
    }
    freeifaddrs(all);
    return found;
}

/* Asks the kernel by which interface a datagram along 'path' would leave. */
static int look_up(const struct wrn_route *route, const struct wrn_path *path, uint32_t mark,
                   uint32_t *ret_interface) {
    bool is_v4 = path->remote.ip.family == WRN_FAMILY_IPV4;
    int size = is_v4 ? 4 : 16;
    struct rtmsg header = {.rtm_family = is_v4 ? AF_INET : AF_INET6,
                           .rtm_dst_len = (unsigned char)(size * 8),
                           .rtm_src_len = (unsigned char)(size * 8)};
    WRN_CLEANUP(wrn_netlink_free_answer) struct nlmsghdr *answer = NULL;
    WRN_CLEANUP(wrn_netlink_free_message)
    struct nl_msg *question = nlmsg_alloc_simple(RTM_GETROUTE, 0);
    if (question == NULL || nlmsg_append(question, &header, sizeof header, NLMSG_ALIGNTO) < 0 ||
        nla_put(question, RTA_DST, size, path->remote.ip.bytes) < 0 ||
        nla_put(question, RTA_SRC, size, path->local.bytes) < 0 ||
        (mark != 0 && nla_put_u32(question, RTA_MARK, mark) < 0)) {
        return -ENOMEM;
    }
    int error = wrn_netlink_ask(route->queries, question, RTM_NEWROUTE, &answer);
    if (error != 0) {
        return error;
    }
    struct nlattr *interface = nlmsg_find_attr(answer, sizeof header, RTA_OIF);
    if (interface == NULL || nla_len(interface) < (int)sizeof(uint32_t)) {
        return -ENETUNREACH;
    }
    *ret_interface = nla_get_u32(interface);
    return 0;
}
