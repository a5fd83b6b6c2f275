/* SPDX-License-Identifier: Apache-2.0 */
/* rtnetlink: each command one message and its confirmation, lists in two questions (addresses,
 * then the interfaces that they are of). */
#include "io/addresses.h"

#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <netlink/socket.h>

#include "io/cleanup.h"
#include "io/netlink.h"

/* A list under way. */
struct listing {
    struct wrn_host_address *list;
    size_t capacity;
    size_t count; /* of all that there are */
};

static void note_change(void *ctx, struct nlmsghdr *message);
static void add_to_list(void *ctx, struct nlmsghdr *message);
static void look_at_link(void *ctx, struct nlmsghdr *message);
static bool is_link_local(const struct wrn_ip *ip);
static int change_address(const struct wrn_addresses *addresses, uint16_t type, int flags,
                          uint32_t index, const struct wrn_prefix *address);
static int change_route(const struct wrn_addresses *addresses, uint16_t type, int flags,
                        uint32_t index, const struct wrn_prefix *network,
                        const struct wrn_ip *source);
static bool has_route(const struct wrn_addresses *addresses, uint32_t index,
                      const struct wrn_prefix *network);
static int bytes_of(const struct wrn_ip *ip);

int wrn_addresses_open(struct wrn_addresses *ret_addresses) {
    static const unsigned groups[] = {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR};
    struct wrn_addresses addresses = {0};
    int error = wrn_netlink_subscribe(groups, WRN_COUNT(groups), &addresses.events);
    error = error != 0 ? error : wrn_netlink_open(&addresses.queries);
    if (error != 0) {
        wrn_addresses_close(&addresses);
        return error;
    }
    *ret_addresses = addresses;
    return 0;
}

void wrn_addresses_close(struct wrn_addresses *addresses) {
    if (addresses->events != NULL) {
        nl_socket_free(addresses->events);
    }
    if (addresses->queries != NULL) {
        nl_socket_free(addresses->queries);
    }
    *addresses = (struct wrn_addresses){0};
}

int wrn_addresses_fd(const struct wrn_addresses *addresses) {
    return nl_socket_get_fd(addresses->events);
}

bool wrn_addresses_read_events(struct wrn_addresses *addresses) {
    bool changed = false;
    bool complete = wrn_netlink_read_events(addresses->events, note_change, &changed);
    return changed || !complete;
}

int wrn_addresses_list(const struct wrn_addresses *addresses, struct wrn_host_address *ret_list,
                       size_t capacity, size_t *ret_count) {
    struct listing listing = {.list = ret_list, .capacity = capacity};
    struct ifaddrmsg address = {.ifa_family = AF_UNSPEC};
    struct ifinfomsg link = {.ifi_family = AF_UNSPEC};
    WRN_CLEANUP(wrn_netlink_free_message)
    struct nl_msg *question = nlmsg_alloc_simple(RTM_GETADDR, NLM_F_DUMP);
    WRN_CLEANUP(wrn_netlink_free_message)
    struct nl_msg *links = nlmsg_alloc_simple(RTM_GETLINK, NLM_F_DUMP);
    if (question == NULL || links == NULL ||
        nlmsg_append(question, &address, sizeof address, NLMSG_ALIGNTO) < 0 ||
        nlmsg_append(links, &link, sizeof link, NLMSG_ALIGNTO) < 0) {
        return -ENOMEM;
    }
    int error = wrn_netlink_list(addresses->queries, question, add_to_list, &listing);
    error =
        error != 0 ? error : wrn_netlink_list(addresses->queries, links, look_at_link, &listing);
    if (error == 0) {
        *ret_count = listing.count;
    }
    return error;
}

int wrn_addresses_add(const struct wrn_addresses *addresses, uint32_t index,
                      const struct wrn_prefix *address) {
    return change_address(addresses, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, index, address);
}

int wrn_addresses_remove(const struct wrn_addresses *addresses, uint32_t index,
                         const struct wrn_prefix *address) {
    int error = change_address(addresses, RTM_DELADDR, 0, index, address);
    return error == -EADDRNOTAVAIL || error == -ENODEV ? 0 : error;
}

int wrn_addresses_add_route(const struct wrn_addresses *addresses, uint32_t index,
                            const struct wrn_prefix *network, const struct wrn_ip *source) {
    int error =
        change_route(addresses, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, index, network, source);
    return error == -EEXIST && has_route(addresses, index, network) ? 0 : error;
}

int wrn_addresses_remove_route(const struct wrn_addresses *addresses, uint32_t index,
                               const struct wrn_prefix *network) {
    int error = change_route(addresses, RTM_DELROUTE, 0, index, network, NULL);
    return error == -ESRCH || error == -ENODEV ? 0 : error;
}

int wrn_addresses_block(const struct wrn_addresses *addresses, const struct wrn_prefix *network,
                        bool is_blocked) {
    enum { LAST = 1 << 30 }; /* metric: DHCP clients and people write thousands at most */
    struct rtmsg header = {.rtm_family = network->ip.family == WRN_FAMILY_IPV4 ? AF_INET : AF_INET6,
                           .rtm_dst_len = network->length_bits,
                           .rtm_table = RT_TABLE_MAIN,
                           .rtm_protocol = RTPROT_STATIC,
                           .rtm_scope = RT_SCOPE_UNIVERSE,
                           .rtm_type = RTN_UNREACHABLE};
    WRN_CLEANUP(wrn_netlink_free_message)
    struct nl_msg *wish =
        nlmsg_alloc_simple(is_blocked ? RTM_NEWROUTE : RTM_DELROUTE,
                           NLM_F_ACK | (is_blocked ? NLM_F_CREATE | NLM_F_EXCL : 0));
    if (wish == NULL || nlmsg_append(wish, &header, sizeof header, NLMSG_ALIGNTO) < 0 ||
        nla_put(wish, RTA_DST, bytes_of(&network->ip), network->ip.bytes) < 0 ||
        nla_put_u32(wish, RTA_PRIORITY, LAST) < 0) {
        return -ENOMEM;
    }
    int error = wrn_netlink_ask(addresses->queries, wish, NLMSG_ERROR, NULL);
    return error == (is_blocked ? -EEXIST : -ESRCH) ? 0 : error;
}

int wrn_addresses_set_link(const struct wrn_addresses *addresses, uint32_t index, bool is_up,
                           uint32_t mtu_bytes) {
    struct ifinfomsg header = {.ifi_family = AF_UNSPEC,
                               .ifi_index = (int)index,
                               .ifi_flags = is_up ? IFF_UP : 0,
                               .ifi_change = IFF_UP};
    WRN_CLEANUP(wrn_netlink_free_message)
    struct nl_msg *wish = nlmsg_alloc_simple(RTM_NEWLINK, NLM_F_ACK);
    if (wish == NULL || nlmsg_append(wish, &header, sizeof header, NLMSG_ALIGNTO) < 0 ||
        (mtu_bytes != 0 && nla_put_u32(wish, IFLA_MTU, mtu_bytes) < 0)) {
        return -ENOMEM;
    }
    return wrn_netlink_ask(addresses->queries, wish, NLMSG_ERROR, NULL);
}

int wrn_addresses_make_quiet(const struct wrn_addresses *addresses, uint32_t index) {
    struct ifinfomsg header = {.ifi_family = AF_UNSPEC, .ifi_index = (int)index};
    WRN_CLEANUP(wrn_netlink_free_message)
    struct nl_msg *wish = nlmsg_alloc_simple(RTM_NEWLINK, NLM_F_ACK);
    if (wish == NULL || nlmsg_append(wish, &header, sizeof header, NLMSG_ALIGNTO) < 0) {
        return -ENOMEM;
    }
    struct nlattr *families = nla_nest_start(wish, IFLA_AF_SPEC);
    struct nlattr *ipv6 = families == NULL ? NULL : nla_nest_start(wish, AF_INET6);
    if (ipv6 == NULL || nla_put_u8(wish, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE) < 0) {
        return -ENOMEM;
    }
    (void)nla_nest_end(wish, ipv6);
    (void)nla_nest_end(wish, families);
    return wrn_netlink_ask(addresses->queries, wish, NLMSG_ERROR, NULL);
}

static void note_change(void *ctx, struct nlmsghdr *message) {
    bool *changed = ctx;
    (void)message; /* whatever it says: looking costs little */
    *changed = true;
}

static void add_to_list(void *ctx, struct nlmsghdr *message) {
    struct listing *listing = ctx;
    struct ifaddrmsg header;
    if (message->nlmsg_type != RTM_NEWADDR || nlmsg_datalen(message) < (int)sizeof header) {
        return;
    }
    memcpy(&header, nlmsg_data(message), sizeof header);
    bool is_v4 = header.ifa_family == AF_INET;
    int size = is_v4 ? 4 : 16;
    /* Of a tunnel's two addresses IFA_LOCAL is ours; where there is one, it may stand alone. */
    struct nlattr *ip = nlmsg_find_attr(message, sizeof header, IFA_LOCAL);
    ip = ip != NULL ? ip : nlmsg_find_attr(message, sizeof header, IFA_ADDRESS);
    if ((!is_v4 && header.ifa_family != AF_INET6) || ip == NULL || nla_len(ip) < size) {
        return;
    }
    if (listing->count++ >= listing->capacity) {
        return;
    }
    struct nlattr *wide = nlmsg_find_attr(message, sizeof header, IFA_FLAGS);
    uint32_t flags = wide != NULL && nla_len(wide) >= (int)sizeof(uint32_t) ? nla_get_u32(wide)
                                                                            : header.ifa_flags;
    struct wrn_host_address *address = &listing->list[listing->count - 1];
    *address = (struct wrn_host_address){
        .prefix = {.ip = {.family = is_v4 ? WRN_FAMILY_IPV4 : WRN_FAMILY_IPV6},
                   .length_bits = header.ifa_prefixlen},
        .interface = header.ifa_index,
        .is_temporary = !is_v4 && (flags & IFA_F_TEMPORARY) != 0,
        .is_usable = (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_DEPRECATED)) == 0,
    };
    memcpy(address->prefix.ip.bytes, nla_data(ip), (size_t)size);
    address->is_link_local = is_link_local(&address->prefix.ip);
}

/* Adds to the addresses of an interface what it is. */
static void look_at_link(void *ctx, struct nlmsghdr *message) {
    struct listing *listing = ctx;
    struct ifinfomsg header;
    if (message->nlmsg_type != RTM_NEWLINK || nlmsg_datalen(message) < (int)sizeof header) {
        return;
    }
    memcpy(&header, nlmsg_data(message), sizeof header);
    struct nlattr *name = nlmsg_find_attr(message, sizeof header, IFLA_IFNAME);
    for (size_t i = 0; i < listing->count && i < listing->capacity; i++) {
        struct wrn_host_address *address = &listing->list[i];
        if (address->interface != (uint32_t)header.ifi_index) {
            continue;
        }
        address->is_up = (header.ifi_flags & IFF_UP) != 0 && (header.ifi_flags & IFF_RUNNING) != 0;
        address->is_loopback = (header.ifi_flags & IFF_LOOPBACK) != 0;
        address->is_point_to_point = (header.ifi_flags & IFF_POINTOPOINT) != 0;
        if (name != NULL) {
            (void)nla_strlcpy(address->name, name, sizeof address->name);
        }
    }
}

static bool is_link_local(const struct wrn_ip *ip) {
    return ip->family == WRN_FAMILY_IPV4 ? ip->bytes[0] == 169 && ip->bytes[1] == 254
                                         : ip->bytes[0] == 0xfe && (ip->bytes[1] & 0xc0) == 0x80;
}

static int change_address(const struct wrn_addresses *addresses, uint16_t type, int flags,
                          uint32_t index, const struct wrn_prefix *address) {
    bool is_v4 = address->ip.family == WRN_FAMILY_IPV4;
    int size = bytes_of(&address->ip);
    struct ifaddrmsg header = {.ifa_family = is_v4 ? AF_INET : AF_INET6,
                               .ifa_prefixlen = address->length_bits,
                               /* one that nobody else is near to is no source for others */
                               .ifa_scope = is_v4 && address->length_bits == 32 ? RT_SCOPE_HOST
                                                                                : RT_SCOPE_UNIVERSE,
                               .ifa_index = index};
    WRN_CLEANUP(wrn_netlink_free_message)
    struct nl_msg *wish = nlmsg_alloc_simple(type, flags | NLM_F_ACK);
    if (wish == NULL || nlmsg_append(wish, &header, sizeof header, NLMSG_ALIGNTO) < 0 ||
        nla_put(wish, IFA_LOCAL, size, address->ip.bytes) < 0 ||
        nla_put(wish, IFA_ADDRESS, size, address->ip.bytes) < 0 ||
        /* nobody else on a tunnel can have it: no need to wait and see */
        (!is_v4 && nla_put_u32(wish, IFA_FLAGS, IFA_F_NODAD) < 0)) {
        return -ENOMEM;
    }
    return wrn_netlink_ask(addresses->queries, wish, NLMSG_ERROR, NULL);
}

static int change_route(const struct wrn_addresses *addresses, uint16_t type, int flags,
                        uint32_t index, const struct wrn_prefix *network,
                        const struct wrn_ip *source) {
    bool is_v4 = network->ip.family == WRN_FAMILY_IPV4;
    struct rtmsg header = {.rtm_family = is_v4 ? AF_INET : AF_INET6,
                           .rtm_dst_len = network->length_bits,
                           .rtm_table = RT_TABLE_MAIN,
                           .rtm_protocol = RTPROT_STATIC,
                           .rtm_scope = is_v4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
                           .rtm_type = RTN_UNICAST};
    bool has_source = source != NULL && source->family == network->ip.family;
    WRN_CLEANUP(wrn_netlink_free_message)
    struct nl_msg *wish = nlmsg_alloc_simple(type, flags | NLM_F_ACK);
    if (wish == NULL || nlmsg_append(wish, &header, sizeof header, NLMSG_ALIGNTO) < 0 ||
        nla_put(wish, RTA_DST, bytes_of(&network->ip), network->ip.bytes) < 0 ||
        nla_put_u32(wish, RTA_OIF, index) < 0 ||
        (has_source && nla_put(wish, RTA_PREFSRC, bytes_of(source), source->bytes) < 0)) {
        return -ENOMEM;
    }
    return wrn_netlink_ask(addresses->queries, wish, NLMSG_ERROR, NULL);
}

/* Tells whether just this network is reached by the interface, as the kernel would choose. */
static bool has_route(const struct wrn_addresses *addresses, uint32_t index,
                      const struct wrn_prefix *network) {
    bool is_v4 = network->ip.family == WRN_FAMILY_IPV4;
    int size = bytes_of(&network->ip);
    struct rtmsg header = {.rtm_family = is_v4 ? AF_INET : AF_INET6,
                           .rtm_dst_len = (unsigned char)(size * 8),
                           .rtm_flags = RTM_F_FIB_MATCH};
    WRN_CLEANUP(wrn_netlink_free_answer) struct nlmsghdr *answer = NULL;
    WRN_CLEANUP(wrn_netlink_free_message)
    struct nl_msg *question = nlmsg_alloc_simple(RTM_GETROUTE, 0);
    if (question == NULL || nlmsg_append(question, &header, sizeof header, NLMSG_ALIGNTO) < 0 ||
        nla_put(question, RTA_DST, size, network->ip.bytes) < 0 ||
        wrn_netlink_ask(addresses->queries, question, RTM_NEWROUTE, &answer) != 0 ||
        nlmsg_datalen(answer) < (int)sizeof header) {
        return false;
    }
    memcpy(&header, nlmsg_data(answer), sizeof header);
    struct nlattr *interface = nlmsg_find_attr(answer, sizeof header, RTA_OIF);
    return header.rtm_dst_len == network->length_bits && interface != NULL &&
           nla_len(interface) >= (int)sizeof(uint32_t) && nla_get_u32(interface) == index;
}

static int bytes_of(const struct wrn_ip *ip) {
    return ip->family == WRN_FAMILY_IPV4 ? 4 : 16;
}
