/* SPDX-License-Identifier: Apache-2.0 */
/* What comes to a node from outside: datagrams, packets, time; each is one network's business, and
 * this finds out whose. */
#include "node/authority_internal.h"
#include "node/hold.h"
#include "node/network_internal.h"
#include "wg/receiver.h"

static struct wrn_network *owner_of(const struct wrn_node *node, struct wrn_now now,
                                    const struct wrn_endpoint *from, wrn_span datagram);
static struct wrn_network *machine_of(const struct wrn_node *node, wrn_span datagram);
static void inject(struct wrn_network *network, uint16_t socket, const struct wrn_endpoint *from,
                   wrn_span datagram);
static wrn_mono due_of(const struct wrn_network *network);

void wrn_node_on_datagram(struct wrn_node *node, struct wrn_now now, wrn_handle handle,
                          uint16_t socket, const struct wrn_endpoint *from, uint8_t *bytes,
                          size_t size, struct wrn_node_out *out) {
    wrn_span datagram = {bytes, size};
    bool is_stream = wrn_socket_is_stream(socket);
    bool is_frame = size > 0 && wrn_frame_is_ours(bytes[0]);
    struct wrn_network *network = socket != 0 && !is_stream ? wrn_node_network(node, handle)
                                  : is_frame || !is_stream  ? owner_of(node, now, from, datagram)
                                                            : machine_of(node, datagram);
    node->strays += network == NULL;
    if (!network || network->is_gone || size == 0) {
        return;
    }
    wrn_network_begin(network, now, out);
    if (is_frame) {
        wrn_overlay_on_datagram(network->overlay, now, socket, from, bytes, size, out->overlay);
    } else if (socket != 0) {
        inject(network, socket, from, (wrn_span){bytes, size});
    }
    wrn_network_end(network);
}

/* The first one whose it is. A frame that nobody knows is nobody's, but one that was relayed: that
 * may be of use to any network that knows the relay, and each has its turn. */
static struct wrn_network *owner_of(const struct wrn_node *node, struct wrn_now now,
                                    const struct wrn_endpoint *from, wrn_span datagram) {
    for (uint32_t i = 0; i < WRN_NODE_NETWORKS_MAX; i++) {
        struct wrn_network *network = node->networks[i];
        if (network && wrn_overlay_owns(network->overlay, now, from, datagram)) {
            return network;
        }
    }
    struct wrn_network *candidates[WRN_NODE_NETWORKS_MAX];
    uint64_t count = 0;
    for (uint32_t i = 0; i < WRN_NODE_NETWORKS_MAX; i++) {
        struct wrn_network *network = node->networks[i];
        if (network && wrn_overlay_may_own(network->overlay, from, datagram)) {
            candidates[count++] = network;
        }
    }
    return count > 0 ? candidates[now.mono.ns / WRN_MS(1) % count] : NULL;
}

/* WireGuard's, by a stream that all networks share: told by index or mac1, as the workers do. */
static struct wrn_network *machine_of(const struct wrn_node *node, wrn_span datagram) {
    uint32_t tag = 0;
    enum wrn_wg_receiver receiver =
        wrn_wg_receiver(datagram.data, datagram.size, WRN_NODE_TAG_BITS, &tag);
    for (uint32_t i = 0; i < WRN_NODE_NETWORKS_MAX && receiver != WRN_WG_RECEIVER_NONE; i++) {
        struct wrn_network *network = node->networks[i];
        bool is_it = network && !network->is_gone &&
                     (receiver == WRN_WG_RECEIVER_TAGGED
                          ? i == tag
                          : wrn_wg_is_initiation_for(network->wg, node->options.crypto, datagram));
        if (is_it) {
            return network;
        }
    }
    return NULL;
}

/* WireGuard's, through a socket that was opened for one peer: the path is what the ring says, not
 * where this came from. */
static void inject(struct wrn_network *network, uint16_t socket, const struct wrn_endpoint *from,
                   wrn_span datagram) {
    wrn_span bytes = wrn_network_keep(network, datagram);
    if (bytes.size == 0) {
        return;
    }
    struct wrn_node_action *action = wrn_network_emit(network, WRN_NODE_INJECT);
    action->bytes = bytes;
    action->socket = socket;
    action->path.kind = WRN_PATH_CONTROL;
    action->path.remote = *from;
}

void wrn_node_on_carry(struct wrn_node *node, struct wrn_now now, wrn_handle handle,
                       const struct wrn_path *path, wrn_span datagram, struct wrn_node_out *out) {
    struct wrn_network *network = wrn_node_network(node, handle);
    if (!network || network->is_gone || path->kind != WRN_PATH_CONTROL) {
        return;
    }
    wrn_network_begin(network, now, out);
    (void)wrn_overlay_carry(network->overlay, now, wrn_overlay_of_slot(path->slot), datagram,
                            out->overlay);
    wrn_network_end(network);
}

void wrn_node_on_packet(struct wrn_node *node, struct wrn_now now, wrn_handle handle,
                        wrn_span packet, struct wrn_node_out *out) {
    struct wrn_network *network = wrn_node_network(node, handle);
    if (!network) {
        return;
    }
    wrn_network_begin(network, now, out);
    wrn_hold_on_packet(network, packet);
    wrn_network_end(network);
}

void wrn_node_on_time(struct wrn_node *node, struct wrn_now now, struct wrn_node_out *out) {
    struct wrn_network *network = NULL;
    for (uint32_t i = 0; i < WRN_NODE_NETWORKS_MAX; i++) {
        struct wrn_network *other = node->networks[i];
        if (other && (!network || wrn_mono_before(due_of(other), due_of(network)))) {
            network = other;
        }
    }
    if (!network || !wrn_mono_reached(now.mono, due_of(network))) {
        return;
    }
    wrn_network_begin(network, now, out);
    if (wrn_mono_reached(now.mono, wrn_wg_due(network->wg))) {
        wrn_wg_on_time(network->wg, now, out->wg);
    }
    if (wrn_mono_reached(now.mono, wrn_overlay_due(network->overlay))) {
        wrn_overlay_on_time(network->overlay, now, out->overlay);
    }
    wrn_network_peers_on_time(network);
    wrn_network_addresses_on_time(network);
    wrn_network_questions_on_time(network);
    wrn_hold_on_time(network);
    wrn_network_bridge_on_time(network);
    wrn_keeper_on_time(network);
    wrn_meet_on_time(network);
    if (wrn_mono_reached(now.mono, wrn_authority_due(network->authority))) {
        wrn_authority_on_time(network);
    }
    if (wrn_mono_reached(now.mono, network->rights_due)) {
        network->rights_due = WRN_MONO_NEVER;
        wrn_network_judge_self(network);
    }
    wrn_network_leave_on_time(network);
    wrn_network_end(network);
}

wrn_mono wrn_node_due(const struct wrn_node *node) {
    wrn_mono due = WRN_MONO_NEVER;
    for (uint32_t i = 0; i < WRN_NODE_NETWORKS_MAX; i++) {
        due = node->networks[i] ? wrn_mono_min(due, due_of(node->networks[i])) : due;
    }
    return due;
}

static wrn_mono due_of(const struct wrn_network *network) {
    return network->is_gone ? WRN_MONO_NEVER : wrn_mono_min(network->due, wrn_wg_due(network->wg));
}

bool wrn_node_set_local(struct wrn_node *node, struct wrn_now now,
                        const struct wrn_locator_endpoint *endpoints, size_t count,
                        uint32_t *cursor, struct wrn_node_out *out) {
    wrn_handle handle = wrn_node_next(node, cursor);
    struct wrn_network *network = wrn_node_network(node, handle);
    uint32_t more = *cursor;
    if (!network) {
        return false;
    }
    wrn_network_begin(network, now, out);
    wrn_overlay_set_local(network->overlay, now, endpoints, count, out->overlay);
    wrn_network_end(network);
    return wrn_node_next(node, &more).generation != 0;
}
