/* SPDX-License-Identifier: Apache-2.0 */
/* One pass over networks and peers, and a question to the kernel for each direct path. */
#include "daemon/netcheck.h"

#include <stdio.h>

#include "daemon/trouble.h"
#include "io/path_mtu.h"
#include "overlay/nat_class.h"

enum {
    TEXT_SIZE = 400,
    MTU_PEERS_MAX = 64,
    /* Questions to whoever may be on a ring, after which silence means something: there are
     * more and more seconds between them. */
    SILENCE_AFTER = 3,
};

static void look_at(const struct wrn_daemon *daemon, wrn_handle network,
                    struct wrn_netcheck_view *view);
static void add_seen(struct wrn_netcheck_view *view, const struct wrn_endpoint *endpoint);
static bool is_unanswered(const struct wrn_overlay *overlay,
                          const struct wrn_node_network_info *info);
static json_t *family_json(const struct wrn_daemon *daemon, uint8_t family, uint32_t direct);
static json_t *nat_json(const struct wrn_netcheck_view *view);
static json_t *udp_json(const struct wrn_daemon *daemon, const struct wrn_netcheck_view *view);
static json_t *networks_json(const struct wrn_daemon *daemon);
static json_t *network_json(const struct wrn_daemon *daemon, wrn_handle network);
static json_t *summary_json(const struct wrn_daemon *daemon, const struct wrn_portmap *portmap,
                            const struct wrn_netcheck_view *view);
static bool is_known(enum wrn_nat_class nat_class);

json_t *wrn_netcheck(const struct wrn_daemon *daemon, const struct wrn_portmap *portmap) {
    struct wrn_netcheck_view view;
    wrn_netcheck_look(daemon, &view);
    json_t *mapping = portmap != NULL
                          ? wrn_portmap_status(portmap)
                          : json_pack("{ssss}", "state", "off", "text",
                                      "warrend was told not to ask routers (map-ports = no)");
    return json_pack("{sosIsosososososo}", "summary", summary_json(daemon, portmap, &view), "port",
                     (json_int_t)wrn_daemon_port(daemon), "udp", udp_json(daemon, &view), "ipv4",
                     family_json(daemon, WRN_FAMILY_IPV4, view.direct4), "ipv6",
                     family_json(daemon, WRN_FAMILY_IPV6, view.direct6), "nat", nat_json(&view),
                     "port_mapping", mapping, "networks", networks_json(daemon));
}

void wrn_netcheck_look(const struct wrn_daemon *daemon, struct wrn_netcheck_view *ret_view) {
    struct wrn_netcheck_view *view = ret_view;
    uint32_t cursor = 0;
    wrn_handle network;
    *view = (struct wrn_netcheck_view){.nat_class = WRN_NAT_CLASS_UNKNOWN};
    while ((network = wrn_node_next(wrn_daemon_node(daemon), &cursor)).generation != 0) {
        look_at(daemon, network, view);
    }
}

static void look_at(const struct wrn_daemon *daemon, wrn_handle network,
                    struct wrn_netcheck_view *view) {
    const struct wrn_node *node = wrn_daemon_node(daemon);
    const struct wrn_overlay *overlay = wrn_node_overlay(node, network);
    struct wrn_node_network_info info;
    struct wrn_node_peer_info peer;
    uint32_t cursor = 0;
    if (overlay == NULL || !wrn_node_network_info(node, network, &info)) {
        return;
    }
    view->networks++;
    view->connected += info.ring == WRN_RING_STATE_CONNECTED;
    struct wrn_trouble trouble;
    wrn_trouble_find(&info, &trouble);
    if (trouble.is_out) {
        return; /* others do not answer who is no member: that says nothing of the way to them */
    }
    view->unanswered += is_unanswered(overlay, &info);
    if (!is_known(view->nat_class)) {
        view->nat_class = info.nat_class;
    }
    struct wrn_locator locator = {0};
    wrn_paths_describe(wrn_overlay_paths(overlay), &locator);
    for (size_t i = 0; i < locator.endpoint_count && i < WRN_ENDPOINTS_MAX; i++) {
        if (locator.endpoints[i].kind == WRN_ENDPOINT_REFLECTED) {
            add_seen(view, &locator.endpoints[i].at);
        }
    }
    while (wrn_node_next_peer(node, network, &cursor, &peer)) {
        bool is_direct = peer.overlay.path == WRN_PATH_STATE_DIRECT;
        view->direct4 += is_direct && peer.endpoint.ip.family == WRN_FAMILY_IPV4;
        view->direct6 += is_direct && peer.endpoint.ip.family == WRN_FAMILY_IPV6;
        bool is_stream = peer.overlay.path == WRN_PATH_STATE_STREAM;
        bool is_theirs = is_stream && peer.overlay.way.socket == WRN_SOCKET_TAKEN;
        view->streams += is_stream && !is_theirs;
        view->taken += is_theirs;
        view->relayed += peer.overlay.path == WRN_PATH_STATE_RELAYED ||
                         peer.overlay.path == WRN_PATH_STATE_RELAYED_SEARCHING;
    }
}

/* The founder, alone in his network, knows nobody whom he could ask. */
static bool is_unanswered(const struct wrn_overlay *overlay,
                          const struct wrn_node_network_info *info) {
    uint64_t count = 0, bytes = 0;
    wrn_overlay_said(overlay, WRN_OVERLAY_SAID_WHO, &count, &bytes);
    return info->ring == WRN_RING_STATE_ALONE && info->peers == 0 && info->links == 0 &&
           count >= SILENCE_AFTER;
}

bool wrn_netcheck_is_by_streams(const struct wrn_netcheck_view *view) {
    return view->streams > 0 && view->direct4 + view->direct6 == 0 &&
           view->nat_class != WRN_NAT_CLASS_NONE &&
           view->nat_class != WRN_NAT_CLASS_ENDPOINT_INDEPENDENT;
}

bool wrn_netcheck_is_blocked(const struct wrn_netcheck_view *view) {
    bool is_reached =
        view->direct4 + view->direct6 + view->relayed + view->streams + view->taken > 0;
    return !is_reached && (view->nat_class == WRN_NAT_CLASS_BLOCKED || view->unanswered > 0);
}

/* BLOCKED in one network may be that network's trouble alone. */
static bool is_known(enum wrn_nat_class nat_class) {
    return nat_class != WRN_NAT_CLASS_UNKNOWN && nat_class != WRN_NAT_CLASS_BLOCKED;
}

static void add_seen(struct wrn_netcheck_view *view, const struct wrn_endpoint *endpoint) {
    for (uint32_t i = 0; i < view->seen_count; i++) {
        if (wrn_endpoint_equal(&view->seen[i], endpoint)) {
            return;
        }
    }
    if (view->seen_count < WRN_COUNT(view->seen)) {
        view->seen[view->seen_count++] = *endpoint;
    }
}

/* {"addresses": [...], "public": bool, "works": true or null}: that nobody is reached by a family
 * proves nothing. */
static json_t *family_json(const struct wrn_daemon *daemon, uint8_t family, uint32_t direct) {
    size_t count;
    const struct wrn_locator_endpoint *local = wrn_daemon_local(daemon, &count);
    json_t *addresses = json_array();
    bool is_public = false;
    for (size_t i = 0; i < count; i++) {
        char text[WRN_ENDPOINT_TEXT_SIZE];
        if (local[i].at.ip.family == family && local[i].kind == WRN_ENDPOINT_LOCAL) {
            (void)wrn_endpoint_print(&local[i].at, text);
            (void)json_array_append_new(addresses, json_string(text));
            is_public = is_public || !wrn_nat_is_private(&local[i].at.ip);
        }
    }
    return json_pack("{sosbso}", "addresses", addresses, "public", is_public, "works",
                     direct > 0 ? json_true() : json_null());
}

static json_t *nat_json(const struct wrn_netcheck_view *view) {
    json_t *seen = json_array();
    for (uint32_t i = 0; i < view->seen_count; i++) {
        char text[WRN_ENDPOINT_TEXT_SIZE];
        (void)wrn_endpoint_print(&view->seen[i], text);
        (void)json_array_append_new(seen, json_string(text));
    }
    return json_pack("{sssoso}", "text", wrn_nat_class_text(view->nat_class), "seen_as", seen,
                     "is_known", json_boolean(is_known(view->nat_class)));
}

/* Whether datagrams leave and come in, from what has come in. */
static json_t *udp_json(const struct wrn_daemon *daemon, const struct wrn_netcheck_view *view) {
    bool works = view->direct4 + view->direct6 > 0;
    bool is_blocked = wrn_netcheck_is_blocked(view);
    bool is_by_streams = wrn_netcheck_is_by_streams(view);
    const char *text = "not known: no peer has been reached yet";
    if (wrn_daemon_port(daemon) == 0) {
        text = "no socket is open; see: warren doctor";
    } else if (works) {
        text = "datagrams leave and come in";
    } else if (is_blocked) {
        text =
            "nobody answers: a firewall here or in the router seems to drop UDP, or all others are "
            "off. Allow outgoing UDP, and see whether it works from another network";
    } else if (is_by_streams) {
        text =
            "nothing comes back by UDP: a firewall here or in the router seems to drop it. Peers "
            "are reached by TCP meanwhile, which is slower; allow outgoing UDP to end that";
    } else if (view->relayed > 0) {
        text = "datagrams reach relays and come back from there; no peer is reached directly";
    }
    bool is_open = works || (view->relayed > 0 && !is_by_streams);
    is_blocked = is_blocked || is_by_streams;
    return json_pack("{sososs}", "out",
                     is_open      ? json_true()
                     : is_blocked ? json_false()
                                  : json_null(),
                     "in",
                     is_open      ? json_true()
                     : is_blocked ? json_false()
                                  : json_null(),
                     "text", text);
}

static json_t *networks_json(const struct wrn_daemon *daemon) {
    json_t *networks = json_array();
    uint32_t cursor = 0;
    wrn_handle network;
    while ((network = wrn_node_next(wrn_daemon_node(daemon), &cursor)).generation != 0) {
        (void)json_array_append_new(networks, network_json(daemon, network));
    }
    return networks;
}

static json_t *network_json(const struct wrn_daemon *daemon, wrn_handle network) {
    const struct wrn_node *node = wrn_daemon_node(daemon);
    struct wrn_node_network_info info;
    struct wrn_daemon_interface interface = {0};
    struct wrn_node_peer_info peer;
    uint32_t cursor = 0, direct = 0, relayed = 0, streams = 0, least_mtu = 0, asked = 0;
    json_t *reasons = json_object();
    if (!wrn_node_network_info(node, network, &info)) {
        json_decref(reasons);
        return json_object();
    }
    (void)wrn_daemon_interface(daemon, network, &interface);
    while (wrn_node_next_peer(node, network, &cursor, &peer)) {
        bool is_relayed = peer.overlay.path == WRN_PATH_STATE_RELAYED ||
                          peer.overlay.path == WRN_PATH_STATE_RELAYED_SEARCHING;
        relayed += is_relayed;
        streams += peer.overlay.path == WRN_PATH_STATE_STREAM;
        if (is_relayed) {
            const char *why = wrn_reason_text(peer.overlay.why_relayed);
            json_int_t so_far = json_integer_value(json_object_get(reasons, why));
            (void)json_object_set_new(reasons, why, json_integer(so_far + 1));
        }
        if (peer.overlay.path == WRN_PATH_STATE_DIRECT) {
            direct++;
            uint32_t mtu = asked++ < MTU_PEERS_MAX ? wrn_path_mtu(&peer.endpoint) : 0;
            least_mtu = mtu != 0 && (least_mtu == 0 || mtu < least_mtu) ? mtu : least_mtu;
        }
    }
    return json_pack("{sssssIsIsIsIsIsoso}", "name", info.descriptor->name, "ring",
                     info.ring == WRN_RING_STATE_CONNECTED ? "connected"
                     : info.ring == WRN_RING_STATE_JOINING ? "joining"
                                                           : "alone",
                     "nodes", (json_int_t)info.size, "direct", (json_int_t)direct, "relayed",
                     (json_int_t)relayed, "streams", (json_int_t)streams, "interface_mtu",
                     (json_int_t)interface.mtu_bytes, "least_path_mtu",
                     least_mtu != 0 ? json_integer(least_mtu) : json_null(), "relayed_because",
                     reasons);
}

/* What it comes to, in a sentence or two. */
static json_t *summary_json(const struct wrn_daemon *daemon, const struct wrn_portmap *portmap,
                            const struct wrn_netcheck_view *view) {
    char text[TEXT_SIZE];
    bool is_mapped = portmap != NULL && wrn_portmap_mapping(portmap)->way != WRN_PORTMAP_NONE;
    if (wrn_daemon_port(daemon) == 0) {
        return json_string("No UDP port is open, so nobody is reached; see: warren doctor");
    }
    if (view->networks == 0) {
        return json_string("This node is in no network; peers are what tells how it is reached. "
                           "Next: warren network create, or warren join");
    }
    if (wrn_netcheck_is_blocked(view)) {
        return json_string("Nobody answers: UDP seems to be blocked, or all others are off. Allow "
                           "outgoing UDP, or try from another network");
    }
    uint32_t reached = view->direct4 + view->direct6 + view->relayed + view->streams + view->taken;
    if (view->connected == 0 && reached == 0) {
        return json_string("No network has been found yet. If that stays so, see: warren doctor");
    }
    if (wrn_netcheck_is_by_streams(view)) {
        (void)snprintf(text, sizeof text,
                       "UDP is blocked here: %u peers are reached by TCP, %u through relays. Allow "
                       "outgoing UDP for direct and faster paths",
                       (unsigned)view->streams, (unsigned)view->relayed);
        return json_string(text);
    }
    bool is_hard = view->nat_class == WRN_NAT_CLASS_PORT_RANDOM ||
                   view->nat_class == WRN_NAT_CLASS_PORT_PREDICTABLE ||
                   view->nat_class == WRN_NAT_CLASS_ADDRESS_DEPENDENT;
    (void)snprintf(text, sizeof text, "Peers reached directly: %u, through relays: %u. NAT: %s.%s",
                   (unsigned)(view->direct4 + view->direct6), (unsigned)view->relayed,
                   wrn_nat_class_text(view->nat_class),
                   is_mapped ? " The router has mapped a port, so anybody can reach this node."
                   : is_hard ? " Peers behind a NAT of this kind, too, need a relay; a port that "
                               "the router forwards ends that (see port_mapping)."
                             : "");
    return json_string(text);
}
