/* SPDX-License-Identifier: Apache-2.0 */
/* Encodes and decodes control messages and socket addresses. Keeps no state. */
#define _GNU_SOURCE /* struct in6_pktinfo */
#include "io/cmsg.h"

#include <netinet/in.h>

enum { ECN_MASK = 3 };

static size_t append(union wrn_cmsg_send *control, size_t used, int level, int type,
                     const void *data, size_t size);

size_t wrn_cmsg_write(const struct wrn_path *path, uint8_t ds, sa_family_t family,
                      union wrn_cmsg_send *ret_control) {
    size_t used = 0;
    if (family == AF_INET) {
        if (path->local.family == WRN_FAMILY_IPV4) {
            struct in_pktinfo info = {0};
            memcpy(&info.ipi_spec_dst, path->local.bytes, sizeof info.ipi_spec_dst);
            used = append(ret_control, used, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
        }
        if (ds != 0) {
            int tos = ds;
            used = append(ret_control, used, IPPROTO_IP, IP_TOS, &tos, sizeof tos);
        }
        return used;
    }
    if (path->local.family == WRN_FAMILY_IPV6) {
        struct in6_pktinfo info = {0};
        memcpy(&info.ipi6_addr, path->local.bytes, sizeof info.ipi6_addr);
        used = append(ret_control, used, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
    }
    if (ds != 0) {
        int class = ds;
        used = append(ret_control, used, IPPROTO_IPV6, IPV6_TCLASS, &class, sizeof class);
    }
    return used;
}

void wrn_cmsg_read(const struct msghdr *message, struct wrn_path *path, uint8_t *ret_ecn) {
    struct msghdr copy = *message; /* CMSG_NXTHDR wants it writable */
    uint8_t ecn = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&copy); c != NULL; c = CMSG_NXTHDR(&copy, c)) {
        size_t size = c->cmsg_len - CMSG_LEN(0);
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO &&
            size >= sizeof(struct in_pktinfo)) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            path->local = (struct wrn_ip){.family = WRN_FAMILY_IPV4};
            memcpy(path->local.bytes, &info.ipi_spec_dst, sizeof info.ipi_spec_dst);
            path->interface = (uint32_t)info.ipi_ifindex;
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO &&
                   size >= sizeof(struct in6_pktinfo)) {
            struct in6_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            path->local = (struct wrn_ip){.family = WRN_FAMILY_IPV6};
            memcpy(path->local.bytes, &info.ipi6_addr, sizeof info.ipi6_addr);
            path->interface = (uint32_t)info.ipi6_ifindex;
        } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS && size >= 1) {
            ecn = *CMSG_DATA(c) & ECN_MASK; /* one byte, unlike everywhere else */
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS &&
                   size >= sizeof(int)) {
            int class;
            memcpy(&class, CMSG_DATA(c), sizeof class);
            ecn = (uint8_t)((unsigned)class & ECN_MASK);
        }
    }
    *ret_ecn = ecn;
}

socklen_t wrn_endpoint_to_sockaddr(const struct wrn_endpoint *endpoint,
                                   struct sockaddr_storage *ret_address) {
    if (endpoint->ip.family == WRN_FAMILY_IPV4) {
        struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(endpoint->port)};
        memcpy(&v4.sin_addr, endpoint->ip.bytes, sizeof v4.sin_addr);
        memcpy(ret_address, &v4, sizeof v4);
        return sizeof v4;
    }
    if (endpoint->ip.family == WRN_FAMILY_IPV6) {
        struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
                                  .sin6_port = htons(endpoint->port),
                                  .sin6_scope_id = endpoint->scope_id};
        memcpy(&v6.sin6_addr, endpoint->ip.bytes, sizeof v6.sin6_addr);
        memcpy(ret_address, &v6, sizeof v6);
        return sizeof v6;
    }
    return 0;
}

bool wrn_endpoint_from_sockaddr(const struct sockaddr_storage *address,
                                struct wrn_endpoint *ret_endpoint) {
    if (address->ss_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof v4);
        *ret_endpoint = (struct wrn_endpoint){.port = ntohs(v4.sin_port)};
        ret_endpoint->ip.family = WRN_FAMILY_IPV4;
        memcpy(ret_endpoint->ip.bytes, &v4.sin_addr, sizeof v4.sin_addr);
        return true;
    }
    if (address->ss_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, address, sizeof v6);
        *ret_endpoint =
            (struct wrn_endpoint){.port = ntohs(v6.sin6_port), .scope_id = v6.sin6_scope_id};
        ret_endpoint->ip.family = WRN_FAMILY_IPV6;
        memcpy(ret_endpoint->ip.bytes, &v6.sin6_addr, sizeof v6.sin6_addr);
        return true;
    }
    return false;
}

static size_t append(union wrn_cmsg_send *control, size_t used, int level, int type,
                     const void *data, size_t size) {
    WRN_ASSERT(used + CMSG_SPACE(size) <= sizeof control->bytes);
    struct cmsghdr header = {.cmsg_len = CMSG_LEN(size), .cmsg_level = level, .cmsg_type = type};
    memset(control->bytes + used, 0, CMSG_SPACE(size));
    memcpy(control->bytes + used, &header, sizeof header);
    memcpy(control->bytes + used + CMSG_LEN(0), data, size);
    return used + CMSG_SPACE(size);
}
