/* SPDX-License-Identifier: Apache-2.0 */
/* Encodes and decodes control messages and socket addresses. Keeps no state. */
#define _GNU_SOURCE /* struct in6_pktinfo */
#include "io/cmsg.h"

#include <netinet/udp.h>

enum { ECN_MASK = 3 };

static size_t append(union wrn_cmsg_send *control, size_t used, int level, int type,
                     const void *data, size_t size);
static void read_v4(const struct cmsghdr *message, size_t size, struct wrn_cmsg_facts *facts);
static void read_v6(const struct cmsghdr *message, size_t size, struct wrn_cmsg_facts *facts);

size_t wrn_cmsg_write(const struct wrn_path *path, uint8_t ds, uint16_t segment_size,
                      sa_family_t family, union wrn_cmsg_send *ret_control) {
    bool v4 = family == AF_INET;
    size_t used = 0;
    if (v4 && path->local.family == WRN_FAMILY_IPV4) {
        struct in_pktinfo info = {0};
        memcpy(&info.ipi_spec_dst, path->local.bytes, sizeof info.ipi_spec_dst);
        used = append(ret_control, used, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
    } else if (!v4 && path->local.family == WRN_FAMILY_IPV6) {
        struct in6_pktinfo info = {0};
        memcpy(&info.ipi6_addr, path->local.bytes, sizeof info.ipi6_addr);
        used = append(ret_control, used, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
    }
    if (ds != 0) {
        int field = ds;
        used = append(ret_control, used, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TOS : IPV6_TCLASS,
                      &field, sizeof field);
    }
    if (segment_size != 0) {
        used = append(ret_control, used, SOL_UDP, UDP_SEGMENT, &segment_size, sizeof segment_size);
    }
    return used;
}

void wrn_cmsg_read(const struct msghdr *message, struct wrn_cmsg_facts *ret_facts) {
    struct msghdr copy = *message; /* CMSG_NXTHDR wants it writable */
    *ret_facts = (struct wrn_cmsg_facts){0};
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&copy); c != NULL; c = CMSG_NXTHDR(&copy, c)) {
        size_t size = c->cmsg_len - CMSG_LEN(0);
        if (c->cmsg_level == IPPROTO_IP) {
            read_v4(c, size, ret_facts);
        } else if (c->cmsg_level == IPPROTO_IPV6) {
            read_v6(c, size, ret_facts);
        } else if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO && size >= sizeof(int)) {
            int segment;
            memcpy(&segment, CMSG_DATA(c), sizeof segment);
            ret_facts->segment_size = segment > 0 ? (size_t)segment : 0;
        }
    }
}

socklen_t wrn_endpoint_to_sockaddr(const struct wrn_endpoint *endpoint,
                                   union wrn_sockaddr *ret_address) {
    if (endpoint->ip.family == WRN_FAMILY_IPV4) {
        struct sockaddr_in *v4 = &ret_address->v4;
        *v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(endpoint->port)};
        memcpy(&v4->sin_addr, endpoint->ip.bytes, sizeof v4->sin_addr);
        return sizeof *v4;
    }
    if (endpoint->ip.family == WRN_FAMILY_IPV6) {
        struct sockaddr_in6 *v6 = &ret_address->v6;
        *v6 = (struct sockaddr_in6){.sin6_family = AF_INET6,
                                    .sin6_port = htons(endpoint->port),
                                    .sin6_scope_id = endpoint->scope_id};
        memcpy(&v6->sin6_addr, endpoint->ip.bytes, sizeof v6->sin6_addr);
        return sizeof *v6;
    }
    return 0;
}

bool wrn_endpoint_from_sockaddr(const union wrn_sockaddr *address,
                                struct wrn_endpoint *ret_endpoint) {
    if (address->any.sa_family == AF_INET) {
        const struct sockaddr_in *v4 = &address->v4;
        *ret_endpoint = (struct wrn_endpoint){.port = ntohs(v4->sin_port)};
        ret_endpoint->ip.family = WRN_FAMILY_IPV4;
        memcpy(ret_endpoint->ip.bytes, &v4->sin_addr, sizeof v4->sin_addr);
        return true;
    }
    if (address->any.sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = &address->v6;
        *ret_endpoint =
            (struct wrn_endpoint){.port = ntohs(v6->sin6_port), .scope_id = v6->sin6_scope_id};
        ret_endpoint->ip.family = WRN_FAMILY_IPV6;
        memcpy(ret_endpoint->ip.bytes, &v6->sin6_addr, sizeof v6->sin6_addr);
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

static void read_v4(const struct cmsghdr *message, size_t size, struct wrn_cmsg_facts *facts) {
    if (message->cmsg_type == IP_PKTINFO && size >= sizeof(struct in_pktinfo)) {
        struct in_pktinfo info;
        memcpy(&info, CMSG_DATA(message), sizeof info);
        facts->local.family = WRN_FAMILY_IPV4;
        memcpy(facts->local.bytes, &info.ipi_spec_dst, sizeof info.ipi_spec_dst);
        facts->interface = (uint32_t)info.ipi_ifindex;
    } else if (message->cmsg_type == IP_TOS && size >= 1) {
        facts->ecn = *CMSG_DATA(message) & ECN_MASK; /* one byte, unlike everywhere else */
    }
}

static void read_v6(const struct cmsghdr *message, size_t size, struct wrn_cmsg_facts *facts) {
    if (message->cmsg_type == IPV6_PKTINFO && size >= sizeof(struct in6_pktinfo)) {
        struct in6_pktinfo info;
        memcpy(&info, CMSG_DATA(message), sizeof info);
        facts->local.family = WRN_FAMILY_IPV6;
        memcpy(facts->local.bytes, &info.ipi6_addr, sizeof info.ipi6_addr);
        facts->interface = (uint32_t)info.ipi6_ifindex;
    } else if (message->cmsg_type == IPV6_TCLASS && size >= sizeof(int)) {
        int class;
        memcpy(&class, CMSG_DATA(message), sizeof class);
        facts->ecn = (uint8_t)((unsigned)class & ECN_MASK);
    }
}
