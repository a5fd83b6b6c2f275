/* SPDX-License-Identifier: Apache-2.0 */
/* A dump of the kernel's tables, message by message. */
#include "io/host_routes.h"

#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <sys/socket.h>

#include "io/cleanup.h"
#include "io/netlink.h"

struct walk {
    enum wrn_family family;
    wrn_host_route_fn on_route;
    void *ctx;
};

static void take(void *ctx, struct nlmsghdr *message);

int wrn_host_routes_walk(struct nl_sock *queries, enum wrn_family family,
                         wrn_host_route_fn on_route, void *ctx) {
    struct walk walk = {.family = family, .on_route = on_route, .ctx = ctx};
    struct rtmsg header = {.rtm_family = family == WRN_FAMILY_IPV4 ? AF_INET : AF_INET6};
    WRN_CLEANUP(wrn_netlink_free_message)
    struct nl_msg *question = nlmsg_alloc_simple(RTM_GETROUTE, NLM_F_DUMP);
    if (question == NULL || nlmsg_append(question, &header, sizeof header, NLMSG_ALIGNTO) < 0) {
        return -ENOMEM;
    }
    return wrn_netlink_list(queries, question, take, &walk);
}

static void take(void *ctx, struct nlmsghdr *message) {
    const struct walk *walk = ctx;
    struct rtmsg header;
    struct wrn_host_route route = {.prefix.ip.family = (uint8_t)walk->family};
    if (message->nlmsg_type != RTM_NEWROUTE || nlmsg_datalen(message) < (int)sizeof header) {
        return;
    }
    memcpy(&header, nlmsg_data(message), sizeof header);
    int bytes = walk->family == WRN_FAMILY_IPV4 ? 4 : 16;
    /* cloned: what is remembered of one address, such as its path's size, is dumped beside them */
    if (header.rtm_type != RTN_UNICAST || (header.rtm_flags & RTM_F_CLONED) != 0 ||
        header.rtm_dst_len > bytes * 8) {
        return;
    }
    struct nlattr *to = nlmsg_find_attr(message, sizeof header, RTA_DST);
    struct nlattr *by = nlmsg_find_attr(message, sizeof header, RTA_OIF);
    if (header.rtm_dst_len > 0) {
        if (to == NULL || nla_len(to) < bytes) {
            return;
        }
        memcpy(route.prefix.ip.bytes, nla_data(to), (size_t)bytes);
    }
    route.prefix.length_bits = header.rtm_dst_len;
    if (by != NULL && nla_len(by) >= (int)sizeof route.interface) {
        route.interface = nla_get_u32(by);
    }
    walk->on_route(walk->ctx, &route);
}
