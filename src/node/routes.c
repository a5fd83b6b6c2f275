/* SPDX-License-Identifier: Apache-2.0 */
/* Prefixes that lie behind nodes: which we offer, whose of others we use. What a peer may offer its
 * certificates say; whether we use it is for this host to say. */
#include "node/gate.h"
#include "node/network_internal.h"

enum { LENGTH_MIN_BITS = 8 };

_Static_assert((int)WRN_STATE_ROUTES_MAX <= (int)WRN_GATE_BEHIND_MAX,
               "the gate knows all that is offered");

static bool is_plain(const struct wrn_prefix *prefix);
static bool is_special(const struct wrn_prefix *prefix);
static bool meet(const struct wrn_prefix *a, const struct wrn_prefix *b);
static uint8_t find(const struct wrn_network *network, const struct wrn_prefix *prefix);
static bool is_same(const struct wrn_prefix *a, const struct wrn_prefix *b);

enum wrn_reason wrn_node_offer_route(struct wrn_node *node, struct wrn_now now, wrn_handle handle,
                                     const struct wrn_prefix *prefix, bool is_offered,
                                     struct wrn_node_out *out) {
    struct wrn_network *network = wrn_node_network(node, handle);
    if (!network) {
        return WRN_REASON_NOT_FOUND;
    }
    uint8_t at = find(network, prefix);
    bool is_there = at < network->route_count;
    if (!is_offered && !is_there) {
        return WRN_REASON_NOT_FOUND;
    }
    if (is_offered && is_there) {
        return WRN_REASON_NONE;
    }
    if (is_offered && !is_plain(prefix)) {
        return WRN_REASON_MALFORMED;
    }
    if (is_offered && !wrn_network_may_route(network, prefix)) {
        return WRN_REASON_RULE;
    }
    if (is_offered &&
        (network->standing != WRN_REASON_NONE || !wrn_rights_has_route(&network->rights, prefix))) {
        return WRN_REASON_NOT_ADMITTED;
    }
    if (is_offered && network->route_count == WRN_STATE_ROUTES_MAX) {
        return WRN_REASON_FULL;
    }
    wrn_network_begin(network, now, out);
    if (is_offered) {
        network->routes[network->route_count++] = *prefix;
    } else {
        network->route_count--;
        memmove(&network->routes[at], &network->routes[at + 1],
                (size_t)(network->route_count - at) * sizeof(network->routes[0]));
    }
    wrn_gate_behind(network->gate, network->routes, network->route_count);
    network->notes.tell = true;
    wrn_network_save(network, true);
    wrn_network_end(network);
    return WRN_REASON_NONE;
}

void wrn_node_accept_routes(struct wrn_node *node, struct wrn_now now, wrn_handle handle,
                            bool accepts, struct wrn_node_out *out) {
    struct wrn_network *network = wrn_node_network(node, handle);
    if (!network || network->wants_routes == accepts) {
        return;
    }
    wrn_network_begin(network, now, out);
    network->wants_routes = accepts;
    network->notes.routes = true;
    wrn_network_save(network, true);
    wrn_network_end(network);
}

bool wrn_node_accepts_routes(const struct wrn_node *node, wrn_handle handle) {
    const struct wrn_network *network = wrn_node_network(node, handle);
    return network && network->wants_routes;
}

/* The cursor counts ours, then each peer's places: so many a peer, used or not. */
bool wrn_node_next_route(const struct wrn_node *node, wrn_handle handle, uint32_t *cursor,
                         struct wrn_node_route *ret_route) {
    const struct wrn_network *network = wrn_node_network(node, handle);
    memset(ret_route, 0, sizeof(*ret_route));
    if (!network) {
        return false;
    }
    while (*cursor < WRN_STATE_ROUTES_MAX) {
        uint32_t at = (*cursor)++;
        if (at < network->route_count) {
            ret_route->prefix = network->routes[at];
            ret_route->is_ours = true;
            return true;
        }
    }
    uint32_t end = (network->peers.touched + 1) * WRN_STATE_ROUTES_MAX;
    while (*cursor < end) {
        uint32_t place = (*cursor)++ - WRN_STATE_ROUTES_MAX;
        const struct wrn_network_peer *peer =
            wrn_pool_at(&network->peers, place / WRN_STATE_ROUTES_MAX, NULL);
        uint32_t at = place % WRN_STATE_ROUTES_MAX;
        if (!peer || peer->overlay.generation == 0 || at >= peer->route_count) {
            continue;
        }
        ret_route->prefix = peer->routes[at];
        memcpy(ret_route->hit, peer->hit, sizeof(ret_route->hit));
        memcpy(ret_route->label, peer->label, sizeof(ret_route->label));
        for (uint8_t i = 0; i < peer->allowed_count; i++) {
            ret_route->is_used =
                ret_route->is_used || is_same(&peer->allowed[i], &ret_route->prefix);
        }
        return true;
    }
    return false;
}

void wrn_network_routes_follow(struct wrn_network *network) {
    uint32_t cursor = 0;
    for (struct wrn_network_peer *peer = wrn_network_peer_next(network, &cursor); peer;
         peer = wrn_network_peer_next(network, &cursor)) {
        if (peer->route_count > 0) {
            wrn_network_peer_allow(network, peer);
        }
    }
}

bool wrn_network_may_route(const struct wrn_network *network, const struct wrn_prefix *prefix) {
    static const struct wrn_prefix hits = {
        .ip = {.bytes = {0x20, 0x01, 0x00, 0x20}, .family = WRN_FAMILY_IPV6}, .length_bits = 28};
    return prefix->length_bits >= LENGTH_MIN_BITS && !is_special(prefix) &&
           !meet(prefix, &network->descriptor.ipv4) && !meet(prefix, &network->descriptor.ipv6) &&
           !meet(prefix, &hits);
}

bool wrn_network_is_underneath(const struct wrn_network *network, const struct wrn_prefix *prefix) {
    uint32_t cursor = 0;
    wrn_handle peer;
    while ((peer = wrn_overlay_peer_next(network->overlay, &cursor)).generation != 0) {
        struct wrn_path path;
        if (wrn_overlay_path(network->overlay, peer, &path) && wrn_path_leads(&path) &&
            wrn_network_is_in(prefix, &path.remote.ip)) {
            return true;
        }
    }
    return false;
}

/* Addresses of the host itself, of its links, of groups: nothing of that lies behind anybody. */
static bool is_special(const struct wrn_prefix *prefix) {
    const uint8_t *b = prefix->ip.bytes;
    if (prefix->ip.family == WRN_FAMILY_IPV4) {
        return b[0] == 0 || b[0] == 127 || (b[0] == 169 && b[1] == 254) || b[0] >= 224;
    }
    return b[0] == 0 || b[0] == 0xff || (b[0] == 0xfe && (b[1] & 0xc0) == 0x80);
}

/* One of them lies in the other. */
static bool meet(const struct wrn_prefix *a, const struct wrn_prefix *b) {
    const struct wrn_prefix *wide = a->length_bits < b->length_bits ? a : b;
    return wrn_network_is_in(wide, wide == a ? &b->ip : &a->ip);
}

/* No bits stand behind the length, which there can be. */
static bool is_plain(const struct wrn_prefix *prefix) {
    uint32_t size_bits = prefix->ip.family == WRN_FAMILY_IPV4   ? 32
                         : prefix->ip.family == WRN_FAMILY_IPV6 ? 128
                                                                : 0;
    bool is_clear = true;
    for (uint32_t bit = prefix->length_bits; bit < size_bits; bit++) {
        is_clear = is_clear && (prefix->ip.bytes[bit / 8] & 0x80u >> bit % 8) == 0;
    }
    return size_bits > 0 && prefix->length_bits <= size_bits && is_clear;
}

static uint8_t find(const struct wrn_network *network, const struct wrn_prefix *prefix) {
    uint8_t at = 0;
    while (at < network->route_count && !is_same(&network->routes[at], prefix)) {
        at++;
    }
    return at;
}

static bool is_same(const struct wrn_prefix *a, const struct wrn_prefix *b) {
    return a->length_bits == b->length_bits && wrn_ip_equal(&a->ip, &b->ip);
}
