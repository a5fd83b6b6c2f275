/* SPDX-License-Identifier: Apache-2.0 */
/* The switch of an l2 network: who may send gets a port, all members stay connected, so that a
 * broadcast reaches each of them, and what the switch wants sent or said is passed on. */
#include <stdio.h>

#include "base/hex.h"
#include "network/dhcp.h"
#include "node/gate.h"
#include "node/network_internal.h"

enum {
    LOOK_FIRST_S = 2,   /* after the ring was found, or a member was lost */
    LOOKS_EARLY = 4,    /* so many looks, not far apart: others come at the same time */
    LOOK_EARLY_S = 15,  /* ... and this long after one another */
    LOOK_LATER_S = 120, /* who comes looks for us, so this finds whom that has missed */
    HOLD_S = 120,       /* links of members are used at least so often, as the ring sees it */
    IP4_UDP = 28,       /* bytes of headers outside of a datagram */
    IP6_UDP = 48,
    UNDERLAY_MTU = 1500,
    FRAME_MTU = 1500, /* of what is in a frame */
};

static enum wrn_drop check(void *ctx, uint32_t lane, wrn_handle peer, bool is_out, wrn_mono now,
                           wrn_span payload);
static bool permits(void *ctx, uint32_t lane, wrn_handle peer, bool is_out, wrn_mono now,
                    wrn_span packet);
static void serve(struct wrn_network *network, wrn_span frame);
static void perform(struct wrn_network *network);
static void say(struct wrn_network *network, const struct wrn_switch_event *event);
static struct wrn_frame_rules frames_of(const struct wrn_rights *rights);
static struct wrn_ip ip_of(const uint64_t number[2], uint8_t family);
static struct wrn_node_event *say_loop(struct wrn_network *network,
                                       const struct wrn_switch_event *event);
static struct wrn_node_event *say_ip(struct wrn_network *network,
                                     const struct wrn_switch_event *event, const char *who,
                                     const char *other);
static uint32_t payload_top(const struct wrn_path *path);
static void look(struct wrn_network *network);
static void look_by(struct wrn_network *network, uint32_t in_s);
static void hold(struct wrn_network *network);
static void write_mac(const uint8_t mac[WRN_MAC_ADDRESS_SIZE], char ret_text[18]);

/* ---- life ---- */

void wrn_network_bridge_init(struct wrn_network *network, struct wrn_arena *arena,
                             const struct wrn_state *state, struct wrn_rand rand) {
    const struct wrn_descriptor *descriptor = &state->descriptor;
    struct wrn_switch_options options;
    struct wrn_now now = {{0}, {0, 0}};
    bool is_measured = network == NULL;
    if (!is_measured && descriptor->kind != WRN_NETWORK_L2) {
        return;
    }
    wrn_switch_defaults(&options);
    options.peers_max = WRN_NETWORK_PEERS_MAX;
    options.lanes_max = WRN_WG_LANES_MAX;
    options.own = 1; /* while measuring */
    if (!is_measured) {
        /* The id goes over wires in the clear, the descriptor's nonce does not: members have it,
         * and who was ever invited. */
        static const char label[] = "warren loop guard";
        const struct wrn_primitives *primitives = network->node->options.primitives;
        uint8_t hash[WRN_HASH_SIZE];
        primitives->hash(primitives->ctx, (wrn_span){(const uint8_t *)label, sizeof(label)},
                         (wrn_span){descriptor->nonce, sizeof(descriptor->nonce)}, hash);
        memcpy(options.secret, hash, sizeof(options.secret));
        options.own = wrn_load_be64(network->node->hit + 8);
        options.permits = permits;
        options.permits_ctx = network;
        options.quiesce = network->node->options.quiesce;
        options.quiesce_ctx = network->node->options.quiesce_ctx;
        now = network->now;
    }
    struct wrn_switch *made = wrn_switch_init(arena, &options, rand, now);
    struct wrn_switch_out *out = wrn_arena_take(arena, 1, sizeof(*out));
    if (!is_measured) {
        network->bridge.made = made;
        network->bridge.out = out;
        network->bridge.is_set = state->has_bridge;
        if (state->has_bridge) {
            wrn_switch_set(made, now, &state->bridge);
        }
        network->bridge.look_due = network->bridge.hold_due = WRN_MONO_NEVER;
        wrn_network_bridge_port(network);
    }
}

struct wrn_wg_filter wrn_network_bridge_filter(struct wrn_network *network) {
    return (struct wrn_wg_filter){.check = check, .ctx = network};
}

/* What the machine asks of a payload: the frame in it is the switch's business. */
static enum wrn_drop check(void *ctx, uint32_t lane, wrn_handle peer, bool is_out, wrn_mono now,
                           wrn_span payload) {
    const struct wrn_network *network = ctx;
    (void)lane;
    (void)is_out;
    (void)payload;
    return wrn_gate_is_believed(network->gate, now) &&
                   wrn_switch_is_open(network->bridge.made, peer)
               ? WRN_DROP_NONE
               : WRN_DROP_CLOSED;
}

static bool permits(void *ctx, uint32_t lane, wrn_handle peer, bool is_out, wrn_mono now,
                    wrn_span packet) {
    const struct wrn_network *network = ctx;
    return wrn_gate_permits(network->gate, lane, peer, is_out, now, packet);
}

/* ---- ports ---- */

void wrn_network_bridge_follow(struct wrn_network *network, const struct wrn_network_peer *peer,
                               bool is_open) {
    struct wrn_members_answer theirs =
        wrn_members_judge(network->members, network->now.wall, peer->public_key,
                          (wrn_span){peer->chain, peer->chain_size});
    struct wrn_ip hit = wrn_network_ip_of_hit(peer->hit);
    struct wrn_path path;
    char text[WRN_PREFIX_TEXT_SIZE];
    if (!is_open || wrn_gate_pair(network->gate, peer->wg) == NULL ||
        theirs.reason != WRN_REASON_NONE) {
        wrn_network_bridge_close(network, peer);
        return;
    }
    struct wrn_switch_port port = {
        .peer = peer->wg,
        .member = wrn_load_be64(peer->hit + 8),
        .theirs = frames_of(theirs.rights),
        .payload_max = WRN_WG_RELAYED_PACKET_MAX,
    };
    if (wrn_overlay_path(network->overlay, peer->overlay, &path)) {
        port.payload_top = payload_top(&path);
    }
    const char *name = peer->label[0] ? peer->label : wrn_network_ip_text(&hit, text);
    memcpy(port.name, name, strnlen(name, sizeof(port.name) - 1));
    (void)wrn_switch_open(network->bridge.made, network->now, &port); /* full: it is not reached */
    if (network->bridge.hold_due.ns == WRN_MONO_NEVER.ns) {
        network->bridge.hold_due = wrn_mono_add(network->now.mono, WRN_S(HOLD_S));
    }
}

void wrn_network_bridge_close(struct wrn_network *network, const struct wrn_network_peer *peer) {
    if (network->bridge.made != NULL && peer->wg.generation != 0) {
        wrn_switch_close(network->bridge.made, network->now, peer->wg);
    }
}

void wrn_network_bridge_path(struct wrn_network *network, const struct wrn_network_peer *peer,
                             const struct wrn_path *path) {
    if (network->bridge.made != NULL) {
        wrn_switch_set_path(network->bridge.made, network->now, peer->wg, WRN_WG_RELAYED_PACKET_MAX,
                            payload_top(path));
    }
}

void wrn_network_bridge_ours(struct wrn_network *network) {
    if (network->bridge.made != NULL) {
        struct wrn_frame_rules ours = frames_of(&network->rights);
        wrn_switch_set_ours(network->bridge.made, &ours);
    }
}

/* The UDP port of the tunnels is the node's, or another one than before. */
void wrn_network_bridge_port(struct wrn_network *network) {
    if (network->bridge.made != NULL) {
        uint8_t mac[WRN_MAC_ADDRESS_SIZE];
        wrn_node_bridge_mac(network->node, network->descriptor.id, mac);
        wrn_switch_set_tunnel(network->bridge.made, mac, network->node->options.port);
    }
}

/* Whose rights name addresses is bound to them. */
static struct wrn_frame_rules frames_of(const struct wrn_rights *rights) {
    struct wrn_frame_rules frames = rights->frames;
    static_assert((int)WRN_RIGHTS_RANGES_MAX <= (int)WRN_FRAME_RANGES_MAX, "all ranges fit");
    frames.is_bound = !rights->any_address;
    frames.range_count = 0;
    for (size_t i = 0; i < rights->address_count && frames.is_bound; i++) {
        const struct wrn_rights_range *range = &rights->addresses[i];
        frames.ranges[frames.range_count++] = (struct wrn_frame_range){
            ip_of(range->low, range->family), ip_of(range->high, range->family)};
    }
    return frames;
}

static struct wrn_ip ip_of(const uint64_t number[2], uint8_t family) {
    struct wrn_ip ip = {.family = family};
    if (family == WRN_FAMILY_IPV4) {
        wrn_store_be32(ip.bytes, (uint32_t)number[1]);
    } else {
        wrn_store_be64(ip.bytes, number[0]);
        wrn_store_be64(ip.bytes + 8, number[1]);
    }
    return ip;
}

/* What would fit into one datagram of the underlay's usual size: whether it does the switch finds
 * out. What passes a relay fits everywhere. */
static uint32_t payload_top(const struct wrn_path *path) {
    uint32_t head = path->remote.ip.family == WRN_FAMILY_IPV4 ? IP4_UDP : IP6_UDP;
    if (path->kind != WRN_PATH_DIRECT) {
        return WRN_WG_RELAYED_PACKET_MAX;
    }
    return UNDERLAY_MTU - head - WRN_WG_DATA_HEADER_SIZE - WRN_WG_TAG_SIZE;
}

/* ---- everybody is connected to everybody ---- */

void wrn_network_bridge_on_connected(struct wrn_network *network) {
    network->bridge.looks = 0;
    look_by(network, LOOK_FIRST_S);
}

void wrn_network_bridge_on_lost(struct wrn_network *network) {
    look_by(network, LOOK_FIRST_S);
}

void wrn_network_bridge_on_found(struct wrn_network *network, wrn_id id) {
    bool is_us = wrn_id_equal(id, wrn_overlay_id(network->overlay));
    if (network->bridge.made != NULL && !is_us && !network->is_gone &&
        wrn_overlay_find(network->overlay, id).generation == 0) {
        wrn_network_connect(network, id);
    }
}

static void look_by(struct wrn_network *network, uint32_t in_s) {
    if (network->bridge.made != NULL && !network->is_leaving) {
        network->bridge.look_due =
            wrn_mono_min(network->bridge.look_due, wrn_mono_add(network->now.mono, WRN_S(in_s)));
    }
}

/* Walks the ring: FOUND follows for each node. */
static void look(struct wrn_network *network) {
    uint32_t looks = network->bridge.looks++;
    uint32_t wait_s = looks < LOOKS_EARLY ? LOOK_EARLY_S : LOOK_LATER_S;
    uint64_t spread_ms = wrn_rand_below(network->node->options.rand, wait_s * 500);
    network->bridge.look_due = wrn_mono_add(network->now.mono, WRN_S(wait_s) + WRN_MS(spread_ms));
    /* refused: there is no ring, or it is being walked enough; the next look comes */
    (void)wrn_overlay_crawl(network->overlay, network->now, WRN_NETWORK_TAGS_LOOK << 16,
                            WRN_SWITCH_PORTS_MAX + 1, network->out->overlay);
}

static void hold(struct wrn_network *network) {
    uint32_t cursor = 0;
    for (struct wrn_network_peer *peer = wrn_network_peer_next(network, &cursor); peer != NULL;
         peer = wrn_network_peer_next(network, &cursor)) {
        if (peer->wg.generation != 0) {
            wrn_overlay_on_traffic(network->overlay, network->now, peer->overlay,
                                   network->out->overlay);
        }
    }
    network->bridge.hold_due = wrn_mono_add(network->now.mono, WRN_S(HOLD_S));
}

/* ---- inputs ---- */

void wrn_network_bridge_on_time(struct wrn_network *network) {
    struct wrn_network_bridge *bridge = &network->bridge;
    wrn_mono now = network->now.mono;
    if (bridge->made == NULL) {
        return;
    }
    if (wrn_mono_reached(now, wrn_switch_due(bridge->made))) {
        bridge->out->frame_count = bridge->out->event_count = 0;
        wrn_switch_on_time(bridge->made, network->now, bridge->out);
        perform(network);
    }
    if (wrn_mono_reached(now, bridge->look_due)) {
        look(network);
    }
    if (wrn_mono_reached(now, bridge->hold_due)) {
        hold(network);
    }
}

wrn_mono wrn_network_bridge_due(const struct wrn_network *network) {
    const struct wrn_network_bridge *bridge = &network->bridge;
    if (bridge->made == NULL || network->is_leaving) {
        return WRN_MONO_NEVER;
    }
    return wrn_mono_min(wrn_switch_due(bridge->made),
                        wrn_mono_min(bridge->look_due, bridge->hold_due));
}

void wrn_node_on_frame(struct wrn_node *node, struct wrn_now now, wrn_handle handle,
                       wrn_handle peer, wrn_span frame, struct wrn_node_out *out) {
    struct wrn_network *network = wrn_node_network(node, handle);
    if (network == NULL || network->is_gone) {
        return;
    }
    wrn_network_begin(network, now, out);
    if (network->bridge.made == NULL) {
        wrn_network_size_on_probe(network, peer, frame);
        wrn_network_end(network);
        return;
    }
    network->bridge.out->frame_count = network->bridge.out->event_count = 0;
    wrn_switch_on_frame(network->bridge.made, now, peer, frame, network->bridge.out);
    perform(network);
    if (wrn_handle_equal(peer, WRN_HANDLE_NONE)) {
        serve(network, frame);
    }
    wrn_network_end(network);
}

struct wrn_switch *wrn_node_switch(const struct wrn_node *node, wrn_handle handle) {
    const struct wrn_network *network = wrn_node_network(node, handle);
    return network != NULL ? network->bridge.made : NULL;
}

bool wrn_node_set_bridge(struct wrn_node *node, struct wrn_now now, wrn_handle handle,
                         const struct wrn_switch_settings *settings, struct wrn_node_out *out) {
    struct wrn_network *network = wrn_node_network(node, handle);
    if (network == NULL || network->bridge.made == NULL) {
        return false;
    }
    wrn_network_begin(network, now, out);
    wrn_switch_set(network->bridge.made, now, settings);
    network->bridge.is_set = true;
    network->notes.tell = true; /* whether there is a resolver follows from it */
    wrn_network_save(network, true);
    wrn_network_end(network);
    return true;
}

void wrn_node_bridge_mac(const struct wrn_node *node, const uint8_t *network_id,
                         uint8_t ret_mac[WRN_MAC_ADDRESS_SIZE]) {
    enum { LOCAL = 0x02, TAIL = 10 };
    ret_mac[0] = LOCAL;
    for (size_t i = 1; i < WRN_MAC_ADDRESS_SIZE; i++) {
        ret_mac[i] = node->hit[TAIL + i] ^ network_id[i];
    }
}

/* ---- the host's own DHCP client ---- */

bool wrn_network_serves_dhcp(const struct wrn_network *network) {
    struct wrn_switch_settings settings = {.serves_dhcp = false};
    if (network->bridge.made != NULL) {
        wrn_switch_settings(network->bridge.made, &settings);
    }
    return settings.serves_dhcp && !settings.allows_dhcp &&
           network->descriptor.ipv4.ip.family == WRN_FAMILY_IPV4;
}

/* Answers a frame of the host's side, if it is one of its own DHCP client's. */
static void serve(struct wrn_network *network, wrn_span frame) {
    uint8_t room[WRN_DHCP_FRAME_MAX];
    enum wrn_dhcp_said said;
    char text[WRN_PREFIX_TEXT_SIZE];
    struct wrn_dhcp dhcp = {.range = network->descriptor.ipv4,
                            .address = network->address,
                            .server = network->descriptor.ipv4.ip,
                            .resolver = wrn_network_resolver(network),
                            .mtu = FRAME_MTU};
    if (!wrn_network_serves_dhcp(network)) {
        return;
    }
    wrn_node_bridge_mac(network->node, network->descriptor.id, dhcp.mac);
    memcpy(dhcp.server_mac, dhcp.mac, sizeof(dhcp.mac));
    dhcp.server_mac[WRN_MAC_ADDRESS_SIZE - 1] ^= 1;
    dhcp.server.bytes[3] |= 1; /* nobody leases it; a range is a /30 at least */
    (void)snprintf(dhcp.domain, sizeof(dhcp.domain), "%s.warren", network->descriptor.name);
    size_t size = wrn_dhcp_on_frame(&dhcp, frame, room, &said);
    wrn_span bytes = wrn_network_keep(network, (wrn_span){room, size});
    if (size > 0 && bytes.size == size) {
        struct wrn_node_action *action = wrn_network_emit(network, WRN_NODE_FRAME);
        action->is_open = true;
        action->bytes = bytes;
    }
    if (said == WRN_DHCP_DECLINED) {
        struct wrn_node_event *event = wrn_network_event(
            network, WRN_NODE_EVENT_IP_DUPLICATE_KIND,
            "this host's DHCP client says that another machine has %s, which this host has leased; "
            "give that machine another address",
            wrn_network_ip_text(&network->address, text));
        event->ip = network->address;
    }
}

/* ---- what the switch wants ---- */

static void perform(struct wrn_network *network) {
    const struct wrn_switch_out *out = network->bridge.out;
    for (uint32_t i = 0; i < out->frame_count; i++) {
        const struct wrn_switch_frame *frame = &out->frames[i];
        wrn_span bytes = wrn_network_keep(network, (wrn_span){frame->bytes, frame->size});
        wrn_span members = wrn_network_keep(
            network, (wrn_span){(const uint8_t *)frame->peers, frame->count * sizeof(wrn_handle)});
        if (bytes.size == frame->size && members.size == frame->count * sizeof(wrn_handle)) {
            struct wrn_node_action *action = wrn_network_emit(network, WRN_NODE_FRAME);
            action->is_open = frame->to_host;
            action->is_whole = frame->is_whole;
            action->bytes = bytes;
            action->members = members;
        }
    }
    for (uint32_t i = 0; i < out->event_count; i++) {
        say(network, &out->events[i]);
    }
}

static void say(struct wrn_network *network, const struct wrn_switch_event *event) {
    static const enum wrn_node_event_kind kinds[WRN_SWITCH_EVENT_KINDS] = {
        [WRN_SWITCH_EVENT_STOLEN] = WRN_NODE_EVENT_MAC_REFUSED_KIND,
        [WRN_SWITCH_EVENT_MOVED] = WRN_NODE_EVENT_MAC_MOVED_KIND,
        [WRN_SWITCH_EVENT_QUOTA] = WRN_NODE_EVENT_MAC_QUOTA_KIND,
        [WRN_SWITCH_EVENT_STORM] = WRN_NODE_EVENT_STORM_KIND,
        [WRN_SWITCH_EVENT_DUPLICATE] = WRN_NODE_EVENT_IP_DUPLICATE_KIND,
        [WRN_SWITCH_EVENT_ADDRESS] = WRN_NODE_EVENT_IP_REFUSED_KIND,
        [WRN_SWITCH_EVENT_DHCP] = WRN_NODE_EVENT_DHCP_REFUSED_KIND,
        [WRN_SWITCH_EVENT_LOOP] = WRN_NODE_EVENT_LOOP_KIND,
        [WRN_SWITCH_EVENT_LOOP_ENDED] = WRN_NODE_EVENT_LOOP_ENDED_KIND,
    };
    enum wrn_node_event_kind kind = kinds[event->kind];
    const char *who = event->name[0] ? event->name : "this side";
    const char *other = event->other[0] ? event->other : "this side";
    char mac[18];
    struct wrn_node_event *said = NULL;
    write_mac(event->mac, mac);
    switch (event->kind) {
    case WRN_SWITCH_EVENT_STOLEN:
        said = wrn_network_event(network, kind,
                                 "%s uses the MAC address %s, which %s uses: refused; look which "
                                 "machine has a copied address, or give that member (mac #...#)",
                                 who, mac, other);
        break;
    case WRN_SWITCH_EVENT_MOVED:
        said = wrn_network_event(network, kind, "the MAC address %s is at %s now, no longer at %s",
                                 mac, who, other);
        break;
    case WRN_SWITCH_EVENT_QUOTA:
        said = wrn_network_event(network, kind,
                                 "%s uses as many MAC addresses as a member may; %s and further "
                                 "ones are refused until others have been silent",
                                 who, mac);
        break;
    case WRN_SWITCH_EVENT_STORM:
        said = wrn_network_event(network, kind,
                                 "%s floods: what is beyond the limit is refused (`warren bridge "
                                 "set %s storm=N` changes it)",
                                 who, network->descriptor.name);
        break;
    case WRN_SWITCH_EVENT_DUPLICATE:
    case WRN_SWITCH_EVENT_ADDRESS:
        said = say_ip(network, event, who, other);
        break;
    case WRN_SWITCH_EVENT_DHCP:
        said = wrn_network_event(network, kind,
                                 "a DHCP server or router %s at %s is kept from the other sides "
                                 "(`warren bridge set %s dhcp=allow` lets it through)",
                                 mac, who, network->descriptor.name);
        break;
    case WRN_SWITCH_EVENT_LOOP:
        said = say_loop(network, event);
        break;
    default:
        said = wrn_network_event(network, kind, "this host is the only gateway of its wire again");
        break;
    }
    said->ip = event->ip;
    memcpy(said->label, event->name, sizeof(said->label));
}

static struct wrn_node_event *say_loop(struct wrn_network *network,
                                       const struct wrn_switch_event *event) {
    if (event->name[0] == '\0') { /* what we said came back to us */
        return wrn_network_event(network, WRN_NODE_EVENT_LOOP_KIND,
                                 "two ports of this host are one wire, and what is for all goes in "
                                 "a circle there: detach one of them (warren bridge show %s)",
                                 network->descriptor.name);
    }
    return wrn_network_event(network, WRN_NODE_EVENT_LOOP_KIND,
                             "%s is attached to the same wire: this host stands by until that "
                             "ends, so that nothing goes in a circle",
                             event->name);
}

static struct wrn_node_event *say_ip(struct wrn_network *network,
                                     const struct wrn_switch_event *event, const char *who,
                                     const char *other) {
    char mac[18], other_mac[18], ip[WRN_PREFIX_TEXT_SIZE] = "an address of others";
    write_mac(event->mac, mac);
    write_mac(event->other_mac, other_mac);
    if (event->ip.family != WRN_FAMILY_NONE) {
        (void)wrn_network_ip_text(&event->ip, ip);
    }
    if (event->kind == WRN_SWITCH_EVENT_DUPLICATE) {
        return wrn_network_event(network, WRN_NODE_EVENT_IP_DUPLICATE_KIND,
                                 "two machines have the address %s: %s at %s and %s at %s", ip, mac,
                                 who, other_mac, other);
    }
    return wrn_network_event(network, WRN_NODE_EVENT_IP_REFUSED_KIND,
                             "%s at %s uses %s, which its capability does not give it: refused; "
                             "look what that machine does, or give the member (address ...)",
                             mac, who, ip);
}

static void write_mac(const uint8_t mac[WRN_MAC_ADDRESS_SIZE], char ret_text[18]) {
    for (size_t i = 0; i < WRN_MAC_ADDRESS_SIZE; i++) {
        wrn_hex_write(&mac[i], 1, ret_text + 3 * i);
        ret_text[3 * i + 2] = ':';
    }
    ret_text[17] = '\0';
}
