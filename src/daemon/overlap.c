/* SPDX-License-Identifier: Apache-2.0 */
/* Networks of this host whose ranges overlap: the range does not say whose an address is, so each
 * peer has a route of its own through its network's interface. Where two networks gave the same
 * address to different hosts the first one has it; programs reach the other by binding to the
 * interface. */
#include "daemon/daemon_internal.h"

static bool overlaps(struct wrn_daemon *daemon, const struct wrn_daemon_network *network);
static size_t gather(struct wrn_daemon *daemon, const struct wrn_daemon_network *network,
                     struct wrn_ip ret_peers[WRN_DAEMON_PEER_ROUTES_MAX]);
static bool is_among(const struct wrn_ip *list, size_t count, const struct wrn_ip *ip);

void wrn_daemon_follow_overlaps(struct wrn_daemon *daemon) {
    static const struct wrn_ip any = {0};
    for (uint32_t i = 0; i < WRN_NODE_NETWORKS_MAX; i++) {
        struct wrn_daemon_network *network = &daemon->networks[i];
        struct wrn_ip peers[WRN_DAEMON_PEER_ROUTES_MAX];
        if (network->wg == NULL || wrn_handle_equal(network->machine, WRN_HANDLE_NONE)) {
            continue;
        }
        size_t wanted = overlaps(daemon, network) ? gather(daemon, network, peers) : 0;
        uint32_t kept = 0;
        for (uint32_t k = 0; k < network->peer_route_count; k++) {
            struct wrn_prefix route = {network->peer_routes[k], 32};
            if (is_among(peers, wanted, &route.ip) ||
                wrn_addresses_remove_route(&daemon->addresses, network->index, &route) != 0) {
                network->peer_routes[kept++] = route.ip;
            }
        }
        network->peer_route_count = kept;
        for (size_t k = 0; k < wanted && network->peer_route_count < WRN_DAEMON_PEER_ROUTES_MAX;
             k++) {
            struct wrn_prefix route = {peers[k], 32};
            if (!is_among(network->peer_routes, network->peer_route_count, &route.ip) &&
                wrn_addresses_add_route(&daemon->addresses, network->index, &route, &any) == 0) {
                network->peer_routes[network->peer_route_count++] = route.ip;
            }
        }
    }
}

/* Tells whether another network here has addresses of this one's range. */
static bool overlaps(struct wrn_daemon *daemon, const struct wrn_daemon_network *network) {
    const struct wrn_descriptor *ours = wrn_node_descriptor(daemon->node, network->handle);
    for (uint32_t i = 0; i < WRN_NODE_NETWORKS_MAX && ours != NULL; i++) {
        const struct wrn_daemon_network *other = &daemon->networks[i];
        const struct wrn_descriptor *theirs =
            other == network || other->wg == NULL
                ? NULL
                : wrn_node_descriptor(daemon->node, other->handle);
        if (theirs != NULL && wrn_daemon_share(&ours->ipv4, &theirs->ipv4)) {
            return true;
        }
    }
    return false;
}

bool wrn_daemon_share(const struct wrn_prefix *a, const struct wrn_prefix *b) {
    uint8_t bits = a->length_bits < b->length_bits ? a->length_bits : b->length_bits;
    if (a->ip.family != b->ip.family || a->ip.family == WRN_FAMILY_NONE) {
        return false;
    }
    for (uint8_t i = 0; i < bits; i++) {
        if (((a->ip.bytes[i / 8] ^ b->ip.bytes[i / 8]) & (0x80 >> i % 8)) != 0) {
            return false;
        }
    }
    return true;
}

/* Writes the peers' IPv4 addresses. Returns how many. */
static size_t gather(struct wrn_daemon *daemon, const struct wrn_daemon_network *network,
                     struct wrn_ip ret_peers[WRN_DAEMON_PEER_ROUTES_MAX]) {
    struct wrn_node_peer_info peer;
    uint32_t cursor = 0;
    size_t count = 0;
    while (count < WRN_DAEMON_PEER_ROUTES_MAX &&
           wrn_node_next_peer(daemon->node, network->handle, &cursor, &peer)) {
        if (peer.ipv4.family == WRN_FAMILY_IPV4) {
            ret_peers[count++] = peer.ipv4;
        }
    }
    return count;
}

static bool is_among(const struct wrn_ip *list, size_t count, const struct wrn_ip *ip) {
    for (size_t i = 0; i < count; i++) {
        if (wrn_ip_equal(&list[i], ip)) {
            return true;
        }
    }
    return false;
}
