/* SPDX-License-Identifier: Apache-2.0 */
/* How a network and its peers are: for people and programs that ask. Changes nothing. */
#include "node/authority_internal.h"
#include "node/gate.h"
#include "node/hold.h"
#include "node/network_internal.h"

static const char *turned_away(const struct wrn_network *network);
static const char *trouble_of(const struct wrn_network *network);
static void describe(const struct wrn_network *network, const struct wrn_network_peer *peer,
                     struct wrn_node_peer_info *info);
static void describe_way(const struct wrn_network *network, struct wrn_node_peer_info *info);
static uint32_t links_of(const struct wrn_network *network);

const struct wrn_policy *wrn_node_policy(const struct wrn_node *node, wrn_handle handle) {
    const struct wrn_network *network = wrn_node_network(node, handle);
    return network ? wrn_gate_policy(network->gate) : NULL;
}

bool wrn_node_network_info(const struct wrn_node *node, wrn_handle handle,
                           struct wrn_node_network_info *ret_info) {
    const struct wrn_network *network = wrn_node_network(node, handle);
    uint32_t cursor = 0;
    if (!network) {
        return false;
    }
    memset(ret_info, 0, sizeof(*ret_info));
    ret_info->descriptor = &network->descriptor;
    ret_info->ring = wrn_overlay_state(network->overlay);
    ret_info->size = wrn_overlay_size(network->overlay);
    ret_info->nat_class = wrn_overlay_nat_class(network->overlay);
    ret_info->peers = network->up_count;
    ret_info->links = links_of(network);
    if (network->is_addressed) {
        ret_info->ipv4 = network->address;
        ret_info->ipv6 = network->ipv6;
        ret_info->resolver = wrn_network_resolver(network);
    }
    ret_info->lease = wrn_lease_state(&network->lease);
    ret_info->name = wrn_names_state(network->names);
    ret_info->wants_address =
        network->wants_address && (network->descriptor.ipv4.ip.family != WRN_FAMILY_NONE ||
                                   network->descriptor.ipv6.ip.family != WRN_FAMILY_NONE);
    ret_info->wants_name = network->wants_name;
    ret_info->label = wrn_names_own(network->names);
    ret_info->rights = network->rights.flags;
    ret_info->until_s = network->rights.until_s;
    ret_info->renewals = wrn_authority_renewals(network->authority);
    ret_info->standing = network->standing;
    ret_info->ended_s = network->ended_s;
    ret_info->is_spent = wrn_authority_is_spent(network->authority);
    ret_info->trouble = trouble_of(network);
    while (wrn_revoked_next(network->revoked, &cursor).size > 0) {
        ret_info->revoked_lists++;
    }
    ret_info->held_packets = wrn_hold_count(network->hold, &ret_info->held_lost);
    return true;
}

uint64_t wrn_node_refused(const struct wrn_node *node, wrn_handle handle, enum wrn_reason reason) {
    const struct wrn_network *network = wrn_node_network(node, handle);
    return network ? wrn_overlay_refused(network->overlay, reason) : 0;
}

uint64_t wrn_node_strays(const struct wrn_node *node) {
    return node->strays;
}

void wrn_node_blocked(const struct wrn_node *node, wrn_handle handle,
                      struct wrn_gate_counts *ret_counts) {
    const struct wrn_network *network = wrn_node_network(node, handle);
    *ret_counts = (struct wrn_gate_counts){0};
    if (network) {
        wrn_gate_counts(network->gate, ret_counts);
    }
}

static uint32_t links_of(const struct wrn_network *network) {
    return wrn_overlay_links(network->overlay)->count;
}

/* What those say who were asked and do not admit us, though we think that we are a member; NULL:
 * nobody has said so. */
static const char *turned_away(const struct wrn_network *network) {
    wrn_id by;
    switch (wrn_overlay_turned_away(network->overlay, &by)) {
    case WRN_REASON_NONE:
        return NULL;
    case WRN_REASON_EXPIRED:
        return "the other hosts do not let this one in: by their clocks its membership has ended; "
               "set the clock here if it is wrong, else ask for another invitation";
    case WRN_REASON_EXCLUDED:
        return "the other hosts do not let this one in: it was revoked; if that was a mistake, ask "
               "for another invitation";
    default:
        return "the other hosts do not let this one in: what it shows makes it no member, or not "
               "yet by their clocks; set the clock here if it is wrong, else ask for another "
               "invitation";
    }
}

static const char *trouble_of(const struct wrn_network *network) {
    if (network->standing != WRN_REASON_NONE) {
        return network->why[0] ? network->why : wrn_reason_text(network->standing);
    }
    if (wrn_authority_is_spent(network->authority)) {
        return "the invitation by which this machine came has been used up by others, so it gets "
               "no address, and members refuse its packets";
    }
    if (network->ring_state == WRN_RING_STATE_ALONE && turned_away(network)) {
        return turned_away(network);
    }
    if (network->ring_state == WRN_RING_STATE_ALONE &&
        (network->endpoint_count > 0 || network->locator_count > 0)) {
        return "no other host of the network answers; is UDP blocked, or are all of them off?";
    }
    return network->address_trouble[0] ? network->address_trouble : network->name_trouble;
}

bool wrn_node_next_peer(const struct wrn_node *node, wrn_handle handle, uint32_t *cursor,
                        struct wrn_node_peer_info *ret_info) {
    const struct wrn_network *network = wrn_node_network(node, handle);
    const struct wrn_network_peer *peer = network ? wrn_network_peer_next(network, cursor) : NULL;
    if (!peer) {
        return false;
    }
    memset(ret_info, 0, sizeof(*ret_info));
    describe(network, peer, ret_info);
    return true;
}

static void describe(const struct wrn_network *network, const struct wrn_network_peer *peer,
                     struct wrn_node_peer_info *info) {
    struct wrn_wg_peer_info tunnel;
    (void)wrn_overlay_peer_info(network->overlay, peer->overlay, &info->overlay);
    memcpy(info->hit, peer->hit, sizeof(info->hit));
    memcpy(info->label, peer->label, sizeof(info->label));
    info->ipv4 = peer->ipv4;
    info->ipv6 = peer->ipv6;
    info->rights = peer->rights;
    info->until_s = peer->until_s;
    info->is_waiting = peer->is_waiting || !wrn_network_is_known_to(network, peer);
    info->cert = peer->cert;
    info->is_waiting = peer->is_waiting;
    info->mtu = wrn_network_size_of(network, peer);
    describe_way(network, info);
    if (wrn_wg_peer_info(network->wg, peer->wg, &tunnel)) {
        const struct wrn_policy_pair *pair = wrn_gate_pair(network->gate, peer->wg);
        info->is_open = pair && wrn_policy_is_open(pair);
        info->tx_bytes = tunnel.tx_bytes;
        info->rx_bytes = tunnel.rx_bytes;
        info->last_handshake = tunnel.last_handshake;
        info->cipher = tunnel.cipher;
        wrn_wipe(tunnel.psk, sizeof(tunnel.psk));
    }
}

static void describe_way(const struct wrn_network *network, struct wrn_node_peer_info *info) {
    const struct wrn_way *way = &info->overlay.way;
    if (way->kind == WRN_WAY_DIRECT) {
        info->endpoint = way->remote;
    } else if (way->kind == WRN_WAY_RELAY) {
        const struct wrn_network_peer *relay = wrn_network_peer_of(network, way->relay);
        if (relay) {
            memcpy(info->relay, relay->hit, sizeof(info->relay));
            memcpy(info->relay_label, relay->label, sizeof(info->relay_label));
        }
    }
}
