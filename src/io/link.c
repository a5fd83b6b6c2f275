/* SPDX-License-Identifier: Apache-2.0 */
/* rtnetlink, level-triggered: an event only says "look again", and looking again starts from the
 * TUN descriptor, which always knows its device. Nothing can be missed that way, and a device that
 * another namespace took over is found by asking the descriptor where it is.
 *
 * The other namespace is watched by its id as seen from ours (NETLINK_LISTEN_ALL_NSID). A socket
 * opened inside it would keep it alive after its last process has gone, and the interface with it.
 * */
#define _GNU_SOURCE
#include "io/link.h"

#include <linux/if_tun.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netlink/msg.h>
#include <netlink/socket.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "io/cleanup.h"
#include "io/netlink.h"

enum { QUERY_TRIES = 5 }; /* the interface may be renamed or moved while we ask */

/* What one reading of the events looks for. */
struct search {
    uint32_t index;
    bool found;
};

static void look_for_ours(void *ctx, struct nlmsghdr *message);
static int locate(const struct wrn_link *link, const struct wrn_tun *tun, bool *ret_elsewhere,
                  int32_t *ret_nsid);
static int namespace_id(const struct wrn_link *link, int namespace_fd, int32_t *ret_nsid);
static int set_listening(struct wrn_link *link, bool everywhere);
static int get_link(const struct wrn_link *link, const char *name, bool elsewhere, int32_t nsid,
                    struct wrn_link_state *state, uint32_t *ret_index);

int wrn_link_open(struct wrn_link *ret_link) {
    static const unsigned groups[] = {RTNLGRP_LINK};
    struct wrn_link link = {0};
    int error = wrn_netlink_subscribe(groups, WRN_COUNT(groups), &link.events);
    error = error != 0 ? error : wrn_netlink_open(&link.queries);
    if (error != 0) {
        wrn_link_close(&link);
        return error;
    }
    *ret_link = link;
    return 0;
}

void wrn_link_close(struct wrn_link *link) {
    if (link->events != NULL) {
        nl_socket_free(link->events);
    }
    if (link->queries != NULL) {
        nl_socket_free(link->queries);
    }
    *link = (struct wrn_link){0};
}

int wrn_link_fd(const struct wrn_link *link) {
    return nl_socket_get_fd(link->events);
}

bool wrn_link_read_events(struct wrn_link *link) {
    struct search search = {.index = link->index};
    bool complete = wrn_netlink_read_events(link->events, look_for_ours, &search);
    return search.found || !complete;
}

int wrn_link_query(struct wrn_link *link, const struct wrn_tun *tun,
                   struct wrn_link_state *ret_state) {
    int error = -ENODEV;
    for (int i = 0; i < QUERY_TRIES; i++) {
        struct wrn_link_state state = {0};
        int32_t nsid = 0;
        error = wrn_tun_name(tun, state.name);
        if (error != 0) {
            return error;
        }
        error = locate(link, tun, &state.elsewhere, &nsid);
        if (error == 0) { /* first listen, then look: no change falls in between */
            error = set_listening(link, state.elsewhere);
        }
        if (error == 0) {
            error = get_link(link, state.name, state.elsewhere, nsid, &state, &link->index);
        }
        if (error == -EPERM || error == -EACCES) {
            state.hidden = true;
            error = 0;
        }
        if (error == 0) {
            *ret_state = state;
            return 0;
        }
    }
    return error == -ENODEV ? -EAGAIN : error; /* not deleted: the descriptor had a name just now */
}

/* Notes whether a message is about an interface with our index. In another namespace it may be a
 * different one: then we look once too often. */
static void look_for_ours(void *ctx, struct nlmsghdr *message) {
    struct search *search = ctx;
    struct ifinfomsg info;
    if ((message->nlmsg_type != RTM_NEWLINK && message->nlmsg_type != RTM_DELLINK) ||
        nlmsg_datalen(message) < (int)sizeof info) {
        return;
    }
    memcpy(&info, nlmsg_data(message), sizeof info);
    search->found =
        search->found || search->index == 0 || (uint32_t)info.ifi_index == search->index;
}

/* Finds out in which namespace the device lives. Without the privilege to ask it is taken to be
 * ours. */
static int locate(const struct wrn_link *link, const struct wrn_tun *tun, bool *ret_elsewhere,
                  int32_t *ret_nsid) {
    struct stat theirs_stat;
    struct stat ours_stat;
    WRN_CLEANUP(wrn_close_fd) int theirs = ioctl(tun->fd, TUNGETDEVNETNS);
    WRN_CLEANUP(wrn_close_fd) int ours = ioctl(nl_socket_get_fd(link->queries), SIOCGSKNS);
    *ret_elsewhere = false;
    *ret_nsid = NETNSA_NSID_NOT_ASSIGNED;
    if (theirs < 0 || ours < 0 || fstat(theirs, &theirs_stat) < 0 || fstat(ours, &ours_stat) < 0) {
        bool for_now = errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == EINTR;
        return for_now ? -errno : 0;
    }
    if (theirs_stat.st_ino == ours_stat.st_ino && theirs_stat.st_dev == ours_stat.st_dev) {
        return 0;
    }
    *ret_elsewhere = true;
    return namespace_id(link, theirs, ret_nsid);
}

/* Finds the number by which our namespace knows another one; makes one if there is none. */
static int namespace_id(const struct wrn_link *link, int namespace_fd, int32_t *ret_nsid) {
    struct rtgenmsg header = {.rtgen_family = AF_UNSPEC};
    for (int i = 0; i < 2; i++) {
        WRN_CLEANUP(wrn_netlink_free_answer) struct nlmsghdr *answer = NULL;
        WRN_CLEANUP(wrn_netlink_free_message)
        struct nl_msg *question = nlmsg_alloc_simple(RTM_GETNSID, 0);
        if (question == NULL || nlmsg_append(question, &header, sizeof header, NLMSG_ALIGNTO) < 0 ||
            nla_put_s32(question, NETNSA_FD, namespace_fd) < 0) {
            return -ENOMEM;
        }
        int error = wrn_netlink_ask(link->queries, question, RTM_NEWNSID, &answer);
        if (error != 0) {
            return error;
        }
        struct nlattr *id = nlmsg_find_attr(answer, sizeof header, NETNSA_NSID);
        if (id != NULL && nla_get_s32(id) >= 0) {
            *ret_nsid = nla_get_s32(id);
            return 0;
        }
        WRN_CLEANUP(wrn_netlink_free_message)
        struct nl_msg *wish = nlmsg_alloc_simple(RTM_NEWNSID, NLM_F_REQUEST | NLM_F_ACK);
        if (wish == NULL || nlmsg_append(wish, &header, sizeof header, NLMSG_ALIGNTO) < 0 ||
            nla_put_s32(wish, NETNSA_FD, namespace_fd) < 0 ||
            nla_put_s32(wish, NETNSA_NSID, NETNSA_NSID_NOT_ASSIGNED) < 0) {
            return -ENOMEM;
        }
        error = wrn_netlink_ask(link->queries, wish, NLMSG_ERROR, NULL);
        if (error != 0 && error != -EEXIST) {
            return error;
        }
    }
    return -EAGAIN;
}

/* Makes the events cover all namespaces that ours has a number for, or only ours: on a host with
 * many containers the others are noise. */
static int set_listening(struct wrn_link *link, bool everywhere) {
    if (link->listens_everywhere == everywhere) {
        return 0;
    }
    int wanted = everywhere;
    if (setsockopt(wrn_link_fd(link), SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, &wanted,
                   sizeof wanted) < 0) {
        return -errno;
    }
    link->listens_everywhere = everywhere;
    return 0;
}

/* Asks for one interface by name. Returns 0 and fills in 'state', or -errno. */
static int get_link(const struct wrn_link *link, const char *name, bool elsewhere, int32_t nsid,
                    struct wrn_link_state *state, uint32_t *ret_index) {
    struct ifinfomsg info = {.ifi_family = AF_UNSPEC};
    WRN_CLEANUP(wrn_netlink_free_answer) struct nlmsghdr *answer = NULL;
    WRN_CLEANUP(wrn_netlink_free_message)
    struct nl_msg *question = nlmsg_alloc_simple(RTM_GETLINK, 0);
    if (question == NULL || nlmsg_append(question, &info, sizeof info, NLMSG_ALIGNTO) < 0 ||
        nla_put_string(question, IFLA_IFNAME, name) < 0 ||
        (elsewhere && nla_put_s32(question, IFLA_TARGET_NETNSID, nsid) < 0)) {
        return -ENOMEM;
    }
    int error = wrn_netlink_ask(link->queries, question, RTM_NEWLINK, &answer);
    if (error != 0) {
        return error;
    }
    if (nlmsg_datalen(answer) < (int)sizeof info) {
        return -EPROTO;
    }
    memcpy(&info, nlmsg_data(answer), sizeof info);
    struct nlattr *mtu = nlmsg_find_attr(answer, sizeof info, IFLA_MTU);
    if (mtu == NULL || nla_len(mtu) < (int)sizeof(uint32_t)) {
        return -EPROTO;
    }
    state->mtu_bytes = nla_get_u32(mtu);
    state->up = (info.ifi_flags & IFF_UP) != 0;
    *ret_index = (uint32_t)info.ifi_index;
    return 0;
}
