/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the attributes of one link. Keeps no state. */
#include "io/tun_info.h"

#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <netlink/socket.h>

#include "io/cleanup.h"
#include "io/netlink.h"

static void read_details(struct nlattr *details, struct wrn_tun_info *info);
static void free_socket(struct nl_sock **socket);

int wrn_tun_info_read(const char *name, struct wrn_tun_info *ret_info) {
    struct ifinfomsg header = {.ifi_family = AF_UNSPEC};
    WRN_CLEANUP(free_socket) struct nl_sock *socket = NULL;
    WRN_CLEANUP(wrn_netlink_free_answer) struct nlmsghdr *answer = NULL;
    int error = wrn_netlink_open(&socket);
    if (error != 0) {
        return error;
    }
    WRN_CLEANUP(wrn_netlink_free_message)
    struct nl_msg *question = nlmsg_alloc_simple(RTM_GETLINK, 0);
    if (question == NULL || nlmsg_append(question, &header, sizeof header, NLMSG_ALIGNTO) < 0 ||
        nla_put_string(question, IFLA_IFNAME, name) < 0) {
        return -ENOMEM;
    }
    error = wrn_netlink_ask(socket, question, RTM_NEWLINK, &answer);
    if (error != 0) {
        return error;
    }
    *ret_info = (struct wrn_tun_info){0};
    struct nlattr *link = nlmsg_find_attr(answer, sizeof header, IFLA_LINKINFO);
    struct nlattr *parts[IFLA_INFO_MAX + 1];
    if (link == NULL || nla_parse_nested(parts, IFLA_INFO_MAX, link, NULL) < 0 ||
        parts[IFLA_INFO_KIND] == NULL || nla_strcmp(parts[IFLA_INFO_KIND], "tun") != 0) {
        return 0;
    }
    ret_info->is_tun = true;
    if (parts[IFLA_INFO_DATA] != NULL) {
        read_details(parts[IFLA_INFO_DATA], ret_info);
    }
    return 0;
}

static void read_details(struct nlattr *details, struct wrn_tun_info *info) {
    struct nlattr *parts[IFLA_TUN_MAX + 1];
    if (nla_parse_nested(parts, IFLA_TUN_MAX, details, NULL) < 0) {
        return;
    }
    if (parts[IFLA_TUN_TYPE] != NULL && nla_len(parts[IFLA_TUN_TYPE]) >= 1) {
        info->is_tun = nla_get_u8(parts[IFLA_TUN_TYPE]) == IFF_TUN;
        info->is_tap = nla_get_u8(parts[IFLA_TUN_TYPE]) == IFF_TAP;
    }
    if (parts[IFLA_TUN_PI] != NULL && nla_len(parts[IFLA_TUN_PI]) >= 1) {
        info->has_packet_information = nla_get_u8(parts[IFLA_TUN_PI]) != 0;
    }
    if (parts[IFLA_TUN_MULTI_QUEUE] != NULL && nla_len(parts[IFLA_TUN_MULTI_QUEUE]) >= 1) {
        info->multi_queue = nla_get_u8(parts[IFLA_TUN_MULTI_QUEUE]) != 0;
    }
    static const int counts[] = {IFLA_TUN_NUM_QUEUES, IFLA_TUN_NUM_DISABLED_QUEUES};
    for (size_t i = 0; i < WRN_COUNT(counts); i++) {
        const struct nlattr *number = parts[counts[i]];
        if (number != NULL && nla_len(number) >= (int)sizeof(uint32_t)) {
            info->queues += nla_get_u32(number);
        }
    }
}

static void free_socket(struct nl_sock **socket) {
    if (*socket != NULL) {
        nl_socket_free(*socket);
    }
}
