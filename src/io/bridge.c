/* SPDX-License-Identifier: Apache-2.0 */
/* One message of rtnetlink for each function; answers are read whole before they are looked at. */
#include "io/bridge.h"

#include <linux/if_arp.h>
#include <linux/if_bridge.h>
#include <linux/rtnetlink.h>
#include <linux/wireless.h>
#include <netlink/msg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "io/cleanup.h"
#include "io/host_routes.h"
#include "io/netlink.h"

struct walk {
    wrn_bridge_fn on_link;
    void *ctx;
};

struct search {
    uint32_t index;
    bool is_found;
};

static int get(struct nl_sock *queries, const struct ifinfomsg *header, const char *name,
               struct wrn_bridge_link *ret_link);
static bool read_link(struct nlmsghdr *message, struct wrn_bridge_link *ret_link);
static void read_info(struct nlattr *info, struct wrn_bridge_link *link);
static uint32_t read_u32(struct nlmsghdr *message, int type);
static void walk_link(void *ctx, struct nlmsghdr *message);
static struct nl_msg *begin_change(uint16_t type, int flags, const struct ifinfomsg *header);
static int change(struct nl_sock *queries, struct nl_msg *wish);
static int set_number(struct nl_sock *queries, uint32_t index, int type, uint32_t value);
static int make(struct nl_sock *queries, struct nl_msg *wish, const char *name, const char *alias,
                uint32_t *ret_index);
static void look_at_route(void *ctx, const struct wrn_host_route *route);

int wrn_bridge_find(struct nl_sock *queries, const char *name, struct wrn_bridge_link *ret_link) {
    const struct ifinfomsg header = {.ifi_family = AF_UNSPEC};
    size_t size = strlen(name);
    return size == 0 || size >= WRN_BRIDGE_NAME_SIZE ? -ENODEV
                                                     : get(queries, &header, name, ret_link);
}

int wrn_bridge_look(struct nl_sock *queries, uint32_t index, struct wrn_bridge_link *ret_link) {
    const struct ifinfomsg header = {.ifi_family = AF_UNSPEC, .ifi_index = (int)index};
    return index == 0 ? -ENODEV : get(queries, &header, NULL, ret_link);
}

int wrn_bridge_walk(struct nl_sock *queries, wrn_bridge_fn on_link, void *ctx) {
    const struct ifinfomsg header = {.ifi_family = AF_UNSPEC};
    struct walk walk = {on_link, ctx};
    WRN_CLEANUP(wrn_netlink_free_message)
    struct nl_msg *question = begin_change(RTM_GETLINK, NLM_F_DUMP, &header);
    return question == NULL ? -ENOMEM : wrn_netlink_list(queries, question, walk_link, &walk);
}

int wrn_bridge_create(struct nl_sock *queries, const char *name, const char *alias,
                      const uint8_t mac[6], uint32_t *ret_index) {
    const struct ifinfomsg header = {.ifi_family = AF_UNSPEC};
    WRN_CLEANUP(wrn_netlink_free_message)
    struct nl_msg *wish = begin_change(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, &header);
    if (wish == NULL || nla_put_string(wish, IFLA_IFNAME, name) < 0 ||
        nla_put(wish, IFLA_ADDRESS, 6, mac) < 0) {
        return -ENOMEM;
    }
    struct nlattr *info = nla_nest_start(wish, IFLA_LINKINFO);
    if (info == NULL || nla_put_string(wish, IFLA_INFO_KIND, "bridge") < 0) {
        return -ENOMEM;
    }
    struct nlattr *data = nla_nest_start(wish, IFLA_INFO_DATA);
    if (data == NULL || nla_put_u32(wish, IFLA_BR_STP_STATE, 0) < 0 ||
        nla_put_u32(wish, IFLA_BR_FORWARD_DELAY, 0) < 0 ||
        nla_put_u8(wish, IFLA_BR_MCAST_SNOOPING, 0) < 0) {
        return -ENOMEM;
    }
    (void)nla_nest_end(wish, data);
    (void)nla_nest_end(wish, info);
    return make(queries, wish, name, alias, ret_index);
}

int wrn_bridge_create_vlan(struct nl_sock *queries, const char *name, const char *alias,
                           uint32_t lower, uint16_t vlan, uint32_t *ret_index) {
    const struct ifinfomsg header = {.ifi_family = AF_UNSPEC};
    WRN_CLEANUP(wrn_netlink_free_message)
    struct nl_msg *wish = begin_change(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, &header);
    if (wish == NULL || nla_put_string(wish, IFLA_IFNAME, name) < 0 ||
        nla_put_u32(wish, IFLA_LINK, lower) < 0) {
        return -ENOMEM;
    }
    struct nlattr *info = nla_nest_start(wish, IFLA_LINKINFO);
    if (info == NULL || nla_put_string(wish, IFLA_INFO_KIND, "vlan") < 0) {
        return -ENOMEM;
    }
    struct nlattr *data = nla_nest_start(wish, IFLA_INFO_DATA);
    if (data == NULL || nla_put_u16(wish, IFLA_VLAN_ID, vlan) < 0) {
        return -ENOMEM;
    }
    (void)nla_nest_end(wish, data);
    (void)nla_nest_end(wish, info);
    return make(queries, wish, name, alias, ret_index);
}

int wrn_bridge_remove(struct nl_sock *queries, uint32_t index) {
    const struct ifinfomsg header = {.ifi_family = AF_UNSPEC, .ifi_index = (int)index};
    WRN_CLEANUP(wrn_netlink_free_message)
    struct nl_msg *wish = begin_change(RTM_DELLINK, NLM_F_ACK, &header);
    int error = wish == NULL ? -ENOMEM : change(queries, wish);
    return error == -ENODEV ? 0 : error;
}

int wrn_bridge_set_master(struct nl_sock *queries, uint32_t index, uint32_t master) {
    return set_number(queries, index, IFLA_MASTER, master);
}

int wrn_bridge_set_up(struct nl_sock *queries, uint32_t index, bool is_up) {
    const struct ifinfomsg header = {.ifi_family = AF_UNSPEC,
                                     .ifi_index = (int)index,
                                     .ifi_flags = is_up ? IFF_UP : 0,
                                     .ifi_change = IFF_UP};
    WRN_CLEANUP(wrn_netlink_free_message)
    struct nl_msg *wish = begin_change(RTM_NEWLINK, NLM_F_ACK, &header);
    return wish == NULL ? -ENOMEM : change(queries, wish);
}

int wrn_bridge_set_mtu(struct nl_sock *queries, uint32_t index, uint32_t mtu_bytes) {
    return set_number(queries, index, IFLA_MTU, mtu_bytes);
}

int wrn_bridge_set_alias(struct nl_sock *queries, uint32_t index, const char *alias) {
    const struct ifinfomsg header = {.ifi_family = AF_UNSPEC, .ifi_index = (int)index};
    WRN_CLEANUP(wrn_netlink_free_message)
    struct nl_msg *wish = begin_change(RTM_NEWLINK, NLM_F_ACK, &header);
    if (wish == NULL || nla_put(wish, IFLA_IFALIAS, (int)strlen(alias), alias) < 0) {
        return -ENOMEM;
    }
    return change(queries, wish);
}

bool wrn_bridge_is_default_route(struct nl_sock *queries, uint32_t index) {
    static const enum wrn_family families[] = {WRN_FAMILY_IPV4, WRN_FAMILY_IPV6};
    struct search search = {.index = index};
    for (size_t i = 0; i < WRN_COUNT(families) && !search.is_found; i++) {
        int error = wrn_host_routes_walk(queries, families[i], look_at_route, &search);
        (void)error; /* without a family there is no route of it */
    }
    return search.is_found;
}

bool wrn_bridge_is_wireless(const char *name) {
    struct iwreq request = {0};
    char path[64];
    WRN_CLEANUP(wrn_close_fd) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    (void)snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    (void)snprintf(path, sizeof path, "/sys/class/net/%.15s/phy80211", name);
    return (fd >= 0 && ioctl(fd, SIOCGIWNAME, &request) == 0) || access(path, F_OK) == 0;
}

static int get(struct nl_sock *queries, const struct ifinfomsg *header, const char *name,
               struct wrn_bridge_link *ret_link) {
    WRN_CLEANUP(wrn_netlink_free_answer) struct nlmsghdr *answer = NULL;
    WRN_CLEANUP(wrn_netlink_free_message)
    struct nl_msg *question = begin_change(RTM_GETLINK, 0, header);
    if (question == NULL || (name != NULL && nla_put_string(question, IFLA_IFNAME, name) < 0)) {
        return -ENOMEM;
    }
    int error = wrn_netlink_ask(queries, question, RTM_NEWLINK, &answer);
    return error != 0 ? error : read_link(answer, ret_link) ? 0 : -EPROTO;
}

static bool read_link(struct nlmsghdr *message, struct wrn_bridge_link *ret_link) {
    struct ifinfomsg header;
    if (message->nlmsg_type != RTM_NEWLINK || nlmsg_datalen(message) < (int)sizeof header) {
        return false;
    }
    memcpy(&header, nlmsg_data(message), sizeof header);
    struct wrn_bridge_link link = {
        .index = (uint32_t)header.ifi_index,
        .master = read_u32(message, IFLA_MASTER),
        .lower = read_u32(message, IFLA_LINK),
        .mtu_bytes = read_u32(message, IFLA_MTU),
        .is_up = (header.ifi_flags & IFF_UP) != 0,
        .has_carrier = (header.ifi_flags & IFF_RUNNING) != 0,
        .is_loopback = (header.ifi_flags & IFF_LOOPBACK) != 0,
        .is_ethernet = header.ifi_type == ARPHRD_ETHER,
    };
    struct nlattr *name = nlmsg_find_attr(message, sizeof header, IFLA_IFNAME);
    struct nlattr *alias = nlmsg_find_attr(message, sizeof header, IFLA_IFALIAS);
    struct nlattr *mac = nlmsg_find_attr(message, sizeof header, IFLA_ADDRESS);
    struct nlattr *info = nlmsg_find_attr(message, sizeof header, IFLA_LINKINFO);
    if (name != NULL) {
        (void)nla_strlcpy(link.name, name, sizeof link.name);
    }
    if (alias != NULL) {
        (void)nla_strlcpy(link.alias, alias, sizeof link.alias);
    }
    if (mac != NULL && nla_len(mac) == (int)sizeof link.mac) {
        memcpy(link.mac, nla_data(mac), sizeof link.mac);
    }
    if (info != NULL) {
        read_info(info, &link);
    }
    *ret_link = link;
    return name != NULL;
}

static void read_info(struct nlattr *info, struct wrn_bridge_link *link) {
    struct nlattr *kind = nla_find(nla_data(info), nla_len(info), IFLA_INFO_KIND);
    struct nlattr *data = nla_find(nla_data(info), nla_len(info), IFLA_INFO_DATA);
    if (kind != NULL) {
        (void)nla_strlcpy(link->kind, kind, sizeof link->kind);
    }
    if (data != NULL && strcmp(link->kind, "vlan") == 0) {
        struct nlattr *vlan = nla_find(nla_data(data), nla_len(data), IFLA_VLAN_ID);
        link->vlan = vlan != NULL && nla_len(vlan) >= (int)sizeof(uint16_t) ? nla_get_u16(vlan) : 0;
    }
}

static uint32_t read_u32(struct nlmsghdr *message, int type) {
    struct nlattr *number = nlmsg_find_attr(message, sizeof(struct ifinfomsg), type);
    return number != NULL && nla_len(number) >= (int)sizeof(uint32_t) ? nla_get_u32(number) : 0;
}

static void walk_link(void *ctx, struct nlmsghdr *message) {
    const struct walk *walk = ctx;
    struct wrn_bridge_link link;
    if (read_link(message, &link)) {
        walk->on_link(walk->ctx, &link);
    }
}

static struct nl_msg *begin_change(uint16_t type, int flags, const struct ifinfomsg *header) {
    struct nl_msg *wish = nlmsg_alloc_simple(type, flags);
    if (wish != NULL &&
        nlmsg_append(wish, (void *)(uintptr_t)header, sizeof *header, NLMSG_ALIGNTO) < 0) {
        nlmsg_free(wish);
        wish = NULL;
    }
    return wish;
}

static int change(struct nl_sock *queries, struct nl_msg *wish) {
    return wrn_netlink_ask(queries, wish, NLMSG_ERROR, NULL);
}

static int set_number(struct nl_sock *queries, uint32_t index, int type, uint32_t value) {
    const struct ifinfomsg header = {.ifi_family = AF_UNSPEC, .ifi_index = (int)index};
    WRN_CLEANUP(wrn_netlink_free_message)
    struct nl_msg *wish = begin_change(RTM_NEWLINK, NLM_F_ACK, &header);
    return wish == NULL || nla_put_u32(wish, type, value) < 0 ? -ENOMEM : change(queries, wish);
}

/* Makes what 'wish' says, and names it: what has no alias would not be known again, so better none
 * than such a one. */
static int make(struct nl_sock *queries, struct nl_msg *wish, const char *name, const char *alias,
                uint32_t *ret_index) {
    struct wrn_bridge_link link;
    int error = change(queries, wish);
    error = error != 0 ? error : wrn_bridge_find(queries, name, &link);
    if (error != 0) {
        return error;
    }
    error = wrn_bridge_set_alias(queries, link.index, alias);
    if (error != 0) {
        int left = wrn_bridge_remove(queries, link.index);
        (void)left;
        return error;
    }
    *ret_index = link.index;
    return 0;
}

static void look_at_route(void *ctx, const struct wrn_host_route *route) {
    struct search *search = ctx;
    search->is_found =
        search->is_found || (route->prefix.length_bits == 0 && route->interface == search->index);
}
