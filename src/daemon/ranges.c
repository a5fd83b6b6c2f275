/* SPDX-License-Identifier: Apache-2.0 */
/* The ranges of this host's networks never leave it in the clear: while it serves a network there
 * is an "unreachable" route behind all others, for the time when the interface has no address in
 * the range: before there is a lease, and when the membership has ended or was revoked. Without it
 * such packets would go where the default route leads. */
#include "daemon/daemon_internal.h"
#include "daemon/debts.h"

enum { RANGES = 3 };

/* All HITs: each network reaches hosts by them. */
static const struct wrn_prefix hits = {
    .ip = {.bytes = {0x20, 0x01, 0x00, 0x20}, .family = WRN_FAMILY_IPV6}, .length_bits = 28};

static size_t ranges_of(const struct wrn_daemon *daemon, const struct wrn_daemon_network *network,
                        struct wrn_prefix ret_ranges[RANGES]);

void wrn_daemon_keep_ranges(struct wrn_daemon *daemon, const struct wrn_daemon_network *network) {
    struct wrn_prefix ranges[RANGES];
    size_t count = ranges_of(daemon, network, ranges);
    for (size_t i = 0; i < count; i++) {
        char text[WRN_PREFIX_TEXT_SIZE];
        int error = wrn_addresses_block(&daemon->addresses, &ranges[i], true);
        if (error == 0) {
            wrn_debts_owe_route(&ranges[i], true);
        }
        if (error != 0 && ranges[i].ip.family == WRN_FAMILY_IPV4) { /* IPv6 may be switched off */
            (void)wrn_prefix_print(&ranges[i], text);
            wrn_log_write(daemon->log, WRN_LOG_ERROR,
                          "%s: cannot keep %s from leaving this machine while there is no address: "
                          "%s",
                          network->interface, text, strerror(-error));
        }
    }
}

void wrn_daemon_let_ranges_go(struct wrn_daemon *daemon, const struct wrn_daemon_network *network) {
    struct wrn_prefix ranges[RANGES];
    size_t count = ranges_of(daemon, network, ranges);
    for (size_t i = 0; i < count; i++) {
        int error = wrn_addresses_block(&daemon->addresses, &ranges[i], false);
        (void)error; /* somebody took it away */
        wrn_debts_owe_route(&ranges[i], false);
    }
    for (uint32_t i = 0; i < WRN_NODE_NETWORKS_MAX; i++) { /* others have the same ones */
        const struct wrn_daemon_network *other = &daemon->networks[i];
        if (other != network && !wrn_handle_equal(other->handle, WRN_HANDLE_NONE)) {
            wrn_daemon_keep_ranges(daemon, other);
        }
    }
}

/* None of a network of level 2, whose bridge has the addresses that its owner gives it, or of one
 * that is served for others only. */
static size_t ranges_of(const struct wrn_daemon *daemon, const struct wrn_daemon_network *network,
                        struct wrn_prefix ret_ranges[RANGES]) {
    struct wrn_node_network_info info;
    size_t count = 0;
    if (network->is_bridged || !wrn_node_network_info(daemon->node, network->handle, &info) ||
        !info.wants_address) {
        return 0;
    }
    if (info.descriptor->ipv4.ip.family != WRN_FAMILY_NONE) {
        ret_ranges[count++] = info.descriptor->ipv4;
    }
    if (info.descriptor->ipv6.ip.family != WRN_FAMILY_NONE) {
        ret_ranges[count++] = info.descriptor->ipv6;
    }
    ret_ranges[count++] = hits;
    return count;
}
