/* SPDX-License-Identifier: Apache-2.0 */
/* How large packets to each peer of an l3 network may be. What relays carry is taken for granted;
 * on a direct path more is looked for (base/path_size.h): by a probe in the tunnel, in a datagram
 * that nobody may fragment, which the other node answers by the ring. Layouts:
 * docs/network/node.md, "How large packets may be". */
#include "node/network_internal.h"

enum {
    CONFIRM_S = 15,
    PROBE_HEAD = 8, /* kind, zero, size, number */
    ANSWER_SIZE = 7,
    IP4_UDP = 20 + 8, /* bytes of headers before a datagram */
    IP6_UDP = 40 + 8,
    UNDERLAY_MTU = 1500,
};
static_assert((int)PROBE_HEAD <= (int)WRN_WG_OWN_SIZE, "a probe's head is handed over");

static uint32_t base_of(const struct wrn_network *network);
static uint32_t top_of(const struct wrn_network *network, const struct wrn_path *path);
static void publish(struct wrn_network *network, const struct wrn_network_peer *peer);
static bool has_sent(struct wrn_network *network, struct wrn_network_peer *peer);
static void probe(struct wrn_network *network, struct wrn_network_peer *peer);

uint32_t wrn_node_mtu(const struct wrn_node *node) {
    uint32_t mtu = node->options.mtu_bytes;
    return mtu != 0 ? mtu : WRN_WG_RELAYED_PACKET_MAX;
}

void wrn_network_size_follow(struct wrn_network *network, struct wrn_network_peer *peer,
                             const struct wrn_path *path) {
    if (network->bridge.made != NULL) {
        return;
    }
    wrn_path_size_set(&peer->size, network->now.mono, base_of(network), top_of(network, path),
                      CONFIRM_S);
    peer->size_tx_bytes = 0;
    publish(network, peer);
    wrn_network_peer_due(network, peer);
}

void wrn_network_size_on_traffic(struct wrn_network *network, struct wrn_network_peer *peer) {
    struct wrn_path_size *size = &peer->size;
    bool is_waiting_for_it = size->due.ns == WRN_MONO_NEVER.ns && size->top > size->base;
    if (is_waiting_for_it && wrn_wg_is_ready(network->wg, network->now, peer->wg)) {
        wrn_path_size_put_off(size, network->now.mono);
        wrn_network_peer_due(network, peer);
    }
}

void wrn_network_size_on_time(struct wrn_network *network, struct wrn_network_peer *peer) {
    struct wrn_path_size *size = &peer->size;
    bool is_probing = wrn_path_size_on_time(size, network->now.mono);
    publish(network, peer);
    if (!is_probing) {
        return;
    }
    if (peer->wg.generation == 0 || !wrn_wg_is_ready(network->wg, network->now, peer->wg) ||
        (size->is_confirming && size->tries == 0 && !has_sent(network, peer))) {
        wrn_path_size_put_off(size, WRN_MONO_NEVER); /* no session is made for it: with traffic */
        return;
    }
    probe(network, peer);
}

void wrn_network_size_on_probe(struct wrn_network *network, wrn_handle wg, wrn_span bytes) {
    uint8_t answer[ANSWER_SIZE] = {WRN_NETWORK_SIZE};
    uint32_t cursor = 0;
    if (bytes.size < PROBE_HEAD || bytes.data[0] != WRN_WG_OWN || bytes.data[1] != 0) {
        return;
    }
    memcpy(answer + 1, bytes.data + 2, ANSWER_SIZE - 1);
    for (struct wrn_network_peer *peer = wrn_network_peer_next(network, &cursor); peer != NULL;
         peer = wrn_network_peer_next(network, &cursor)) {
        if (wrn_handle_equal(peer->wg, wg)) {
            (void)wrn_network_send(network, peer->overlay, (wrn_span){answer, sizeof(answer)});
            return;
        }
    }
}

void wrn_network_size_on_answer(struct wrn_network *network, struct wrn_network_peer *peer,
                                wrn_span message) {
    if (message.size == ANSWER_SIZE && peer->wg.generation != 0 &&
        wrn_path_size_on_answer(&peer->size, network->now.mono, wrn_load_be16(message.data + 1),
                                wrn_load_be32(message.data + 3))) {
        publish(network, peer);
        wrn_network_peer_due(network, peer);
    }
}

uint32_t wrn_network_size_of(const struct wrn_network *network,
                             const struct wrn_network_peer *peer) {
    return network->bridge.made != NULL || peer->size.current == 0 ? base_of(network)
                                                                   : peer->size.current;
}

static uint32_t base_of(const struct wrn_network *network) {
    uint32_t mtu = wrn_node_mtu(network->node);
    return mtu < WRN_WG_RELAYED_PACKET_MAX ? mtu : WRN_WG_RELAYED_PACKET_MAX;
}

/* What would fit into one datagram of the underlay's usual size. */
static uint32_t top_of(const struct wrn_network *network, const struct wrn_path *path) {
    uint32_t head = path->remote.ip.family == WRN_FAMILY_IPV4 ? IP4_UDP : IP6_UDP;
    uint32_t fits = UNDERLAY_MTU - head - WRN_WG_DATA_HEADER_SIZE - WRN_WG_TAG_SIZE;
    uint32_t mtu = wrn_node_mtu(network->node);
    if (path->kind != WRN_PATH_DIRECT) {
        return base_of(network);
    }
    return fits < mtu ? fits : mtu;
}

static void publish(struct wrn_network *network, const struct wrn_network_peer *peer) {
    wrn_wg_peer_set_packet_max(network->wg, peer->wg, (uint16_t)peer->size.current);
}

/* Whether enough has gone to the peer since the last time to make asking worth while: keepalives
 * and handshakes, to which probes lead, are less. */
static bool has_sent(struct wrn_network *network, struct wrn_network_peer *peer) {
    struct wrn_wg_peer_info info;
    bool is_there = wrn_wg_peer_info(network->wg, peer->wg, &info);
    wrn_wipe(info.psk, is_there ? sizeof(info.psk) : 0);
    if (!is_there || info.tx_bytes - peer->size_tx_bytes < peer->size.current) {
        return false;
    }
    peer->size_tx_bytes = info.tx_bytes;
    return true;
}

/* kind(1) zero(1) size(2) number(4) zeros */
static void probe(struct wrn_network *network, struct wrn_network_peer *peer) {
    uint8_t bytes[WRN_NODE_MTU_MAX] = {WRN_WG_OWN};
    wrn_path_size_sent(&peer->size, network->now.mono);
    wrn_store_be16(bytes + 2, (uint16_t)peer->size.probed);
    wrn_store_be32(bytes + 4, peer->size.nonce);
    wrn_span kept = wrn_network_keep(network, (wrn_span){bytes, peer->size.probed});
    wrn_span members =
        wrn_network_keep(network, (wrn_span){(const uint8_t *)&peer->wg, sizeof(peer->wg)});
    if (kept.size > 0 && members.size > 0) {
        struct wrn_node_action *action = wrn_network_emit(network, WRN_NODE_FRAME);
        action->is_whole = true;
        action->bytes = kept;
        action->members = members;
    }
}
