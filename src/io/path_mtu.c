/* SPDX-License-Identifier: Apache-2.0 */
/* A socket that is connected and asked. */
#define _GNU_SOURCE /* IP_MTU */
#include "io/path_mtu.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "io/cleanup.h"

uint32_t wrn_path_mtu(const struct wrn_endpoint *remote) {
    bool is_ipv4 = remote->ip.family == WRN_FAMILY_IPV4;
    struct sockaddr_in to4 = {.sin_family = AF_INET, .sin_port = htons(remote->port)};
    struct sockaddr_in6 to6 = {.sin6_family = AF_INET6,
                               .sin6_port = htons(remote->port),
                               .sin6_scope_id = remote->scope_id};
    memcpy(&to4.sin_addr, remote->ip.bytes, sizeof to4.sin_addr);
    memcpy(&to6.sin6_addr, remote->ip.bytes, sizeof to6.sin6_addr);
    const struct sockaddr *to =
        is_ipv4 ? (const struct sockaddr *)&to4 : (const struct sockaddr *)&to6;
    socklen_t to_size = is_ipv4 ? sizeof to4 : sizeof to6;
    int mtu = 0;
    socklen_t size = sizeof mtu;
    WRN_CLEANUP(wrn_close_fd)
    int fd = socket(is_ipv4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, to, to_size) < 0 ||
        getsockopt(fd, is_ipv4 ? IPPROTO_IP : IPPROTO_IPV6, is_ipv4 ? IP_MTU : IPV6_MTU, &mtu,
                   &size) < 0) {
        return 0;
    }
    return (uint32_t)mtu;
}

uint32_t wrn_path_mtu_default(void) {
    /* Addresses that nobody has: only the default route leads there. RFC 5737, RFC 3849. */
    static const struct wrn_endpoint far[] = {
        {.ip = {.bytes = {198, 51, 100, 1}, .family = WRN_FAMILY_IPV4}, .port = 9},
        {.ip = {.bytes = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}, .family = WRN_FAMILY_IPV6}, .port = 9},
    };
    uint32_t widest = 0;
    for (size_t i = 0; i < WRN_COUNT(far); i++) {
        uint32_t mtu = wrn_path_mtu(&far[i]);
        widest = mtu > widest ? mtu : widest;
    }
    return widest;
}
