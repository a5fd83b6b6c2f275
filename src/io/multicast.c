/* SPDX-License-Identifier: Apache-2.0 */
/* One socket a family, shared with other programs by SO_REUSEADDR: each of them gets each
 * datagram to the group. */
#define _GNU_SOURCE /* struct in6_pktinfo */
#include "io/multicast.h"

#include "io/cleanup.h"
#include "io/datagram.h"

#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29 /* Linux 4.20 */
#endif

static const uint8_t group4[4] = {239, 255, 87, 114};
static const struct wrn_ip group6 = {{0xff, 0x12, [14] = 0x57, 0x72}, WRN_FAMILY_IPV6};

static int open_socket(sa_family_t family, int *ret_fd);
static int set_options(int fd, sa_family_t family);
static int set_int(int fd, int level, int name, int value);
static struct wrn_endpoint group_endpoint(sa_family_t family, uint32_t interface);
static bool has_lan(const struct wrn_host_address *address);
static bool contains(const uint32_t *list, size_t count, uint32_t interface);
static bool change(const struct wrn_multicast *multicast, uint32_t interface, bool joins);

int wrn_multicast_open(struct wrn_multicast *ret_multicast) {
    WRN_CLEANUP(wrn_close_fd) int fd4 = -1;
    WRN_CLEANUP(wrn_close_fd) int fd6 = -1;
    int error4 = open_socket(AF_INET, &fd4);
    int error6 = open_socket(AF_INET6, &fd6);
    if ((error4 != 0 && error4 != -EAFNOSUPPORT) || (error4 != 0 && error6 != 0)) {
        return error4;
    }
    if (error6 != 0 && error6 != -EAFNOSUPPORT) {
        return error6;
    }
    *ret_multicast = (struct wrn_multicast){.fd4 = wrn_take_fd(&fd4), .fd6 = wrn_take_fd(&fd6)};
    return 0;
}

void wrn_multicast_close(struct wrn_multicast *multicast) {
    wrn_close_fd(&multicast->fd4);
    wrn_close_fd(&multicast->fd6);
    multicast->interface_count = 0;
}

size_t wrn_multicast_join(struct wrn_multicast *multicast, const struct wrn_host_address *list,
                          size_t count) {
    uint32_t wanted[WRN_MULTICAST_INTERFACES_MAX];
    size_t wanted_count = 0;
    for (size_t i = 0; i < count && wanted_count < WRN_COUNT(wanted); i++) {
        if (has_lan(&list[i]) && !contains(wanted, wanted_count, list[i].interface)) {
            wanted[wanted_count++] = list[i].interface;
        }
    }
    for (size_t i = 0; i < multicast->interface_count; i++) {
        if (!contains(wanted, wanted_count, multicast->interfaces[i])) {
            (void)change(multicast, multicast->interfaces[i], false);
        }
    }
    /* Those of before, too: one may have lost its membership while it was down. */
    multicast->interface_count = 0;
    for (size_t i = 0; i < wanted_count; i++) {
        if (change(multicast, wanted[i], true)) {
            multicast->interfaces[multicast->interface_count++] = wanted[i];
        }
    }
    return multicast->interface_count;
}

size_t wrn_multicast_send(const struct wrn_multicast *multicast, wrn_span datagram) {
    size_t sent = 0;
    for (size_t i = 0; i < multicast->interface_count; i++) {
        uint32_t interface = multicast->interfaces[i];
        struct ip_mreqn by = {.imr_ifindex = (int)interface};
        const struct {
            int fd;
            sa_family_t family;
        } ways[] = {{multicast->fd4, AF_INET}, {multicast->fd6, AF_INET6}};
        if (multicast->fd4 >= 0) {
            (void)setsockopt(multicast->fd4, IPPROTO_IP, IP_MULTICAST_IF, &by, sizeof by);
        }
        for (size_t k = 0; k < WRN_COUNT(ways); k++) {
            union wrn_sockaddr address;
            struct wrn_endpoint to = group_endpoint(ways[k].family, interface);
            socklen_t size = wrn_endpoint_to_sockaddr(&to, &address);
            /* an interface without addresses of a family refuses: never mind */
            sent += ways[k].fd >= 0 && sendto(ways[k].fd, datagram.data, datagram.size,
                                              MSG_DONTWAIT, &address.any, size) >= 0;
        }
    }
    return sent;
}

size_t wrn_multicast_receive(const struct wrn_multicast *multicast, int fd, uint8_t *buffer,
                             size_t capacity, struct wrn_endpoint *ret_from) {
    for (;;) {
        struct wrn_cmsg_facts facts;
        ssize_t got = wrn_datagram_receive(fd, buffer, capacity, ret_from, &facts);
        if (got == -EINTR || got == -ECONNREFUSED) {
            continue;
        }
        if (got < 0) {
            return 0;
        }
        /* The IPv6 socket hears what is sent to us alone, too: whoever does that is not asked for.
         * The other one is bound to the group. */
        bool is_to_group = fd != multicast->fd6 || wrn_ip_equal(&facts.local, &group6);
        bool is_whole = got > 0 && (size_t)got <= capacity;
        if (is_whole && is_to_group && ret_from->ip.family != WRN_FAMILY_NONE) {
            return (size_t)got;
        }
    }
}

static int open_socket(sa_family_t family, int *ret_fd) {
    union wrn_sockaddr address;
    struct wrn_endpoint at = group_endpoint(family, 0);
    if (family == AF_INET6) {
        memset(at.ip.bytes, 0, sizeof at.ip.bytes); /* a group of the link is many, one a link */
    }
    socklen_t size = wrn_endpoint_to_sockaddr(&at, &address);
    WRN_CLEANUP(wrn_close_fd) int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    int error = set_options(fd, family);
    if (error != 0) {
        return error;
    }
    if (bind(fd, &address.any, size) < 0) {
        /* EADDRNOTAVAIL: the family is compiled in but switched off here */
        return errno == EADDRNOTAVAIL ? -EAFNOSUPPORT : -errno;
    }
    *ret_fd = wrn_take_fd(&fd);
    return 0;
}

static int set_options(int fd, sa_family_t family) {
    int error = set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (error != 0) {
        return error;
    }
    if (family == AF_INET) {
        error = set_int(fd, IPPROTO_IP, IP_MULTICAST_ALL, 0);
        error = error != 0 ? error : set_int(fd, IPPROTO_IP, IP_MULTICAST_TTL, 1);
        return error != 0 ? error : set_int(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 1);
    }
    error = set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    error = error != 0 ? error : set_int(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    error = error != 0 ? error : set_int(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 1);
    error = error != 0 ? error : set_int(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 1);
    (void)set_int(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0); /* else we hear a little more */
    return error;
}

static int set_int(int fd, int level, int name, int value) {
    return setsockopt(fd, level, name, &value, sizeof value) < 0 ? -errno : 0;
}

static struct wrn_endpoint group_endpoint(sa_family_t family, uint32_t interface) {
    struct wrn_endpoint endpoint = {.port = WRN_MULTICAST_PORT};
    if (family == AF_INET) {
        endpoint.ip.family = WRN_FAMILY_IPV4;
        memcpy(endpoint.ip.bytes, group4, sizeof group4);
    } else {
        endpoint.ip = group6;
        endpoint.scope_id = interface;
    }
    return endpoint;
}

static bool has_lan(const struct wrn_host_address *address) {
    return address->is_up && !address->is_loopback && !address->is_point_to_point;
}

static bool contains(const uint32_t *list, size_t count, uint32_t interface) {
    for (size_t i = 0; i < count; i++) {
        if (list[i] == interface) {
            return true;
        }
    }
    return false;
}

/* Joins the groups on an interface, or leaves them. Returns whether one of them is joined now. */
static bool change(const struct wrn_multicast *multicast, uint32_t interface, bool joins) {
    struct ip_mreqn request4 = {.imr_ifindex = (int)interface};
    struct ipv6_mreq request6 = {.ipv6mr_interface = interface};
    bool is_joined = false;
    memcpy(&request4.imr_multiaddr, group4, sizeof group4);
    memcpy(&request6.ipv6mr_multiaddr, group6.bytes, sizeof group6.bytes);
    if (multicast->fd4 >= 0) {
        is_joined =
            setsockopt(multicast->fd4, IPPROTO_IP, joins ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP,
                       &request4, sizeof request4) == 0 ||
            errno == EADDRINUSE; /* it was */
    }
    if (multicast->fd6 >= 0) {
        is_joined |=
            setsockopt(multicast->fd6, IPPROTO_IPV6, joins ? IPV6_JOIN_GROUP : IPV6_LEAVE_GROUP,
                       &request6, sizeof request6) == 0 ||
            errno == EADDRINUSE;
    }
    return is_joined;
}
