/* SPDX-License-Identifier: Apache-2.0 */
/* What things look like in JSON: docs/control.md, "Objects". */
#include <stdio.h>

#include "base/hex.h"
#include "daemon/methods_internal.h"
#include "daemon/trouble.h"
#include "node/gate.h"

enum { HEX_MAX = 2048, US_IN_MS = 1000 };

static json_t *text_or_null(const char *text);
static json_t *address_list(const struct wrn_daemon_interface *interface);
static json_t *route_list(const struct wrn_daemon_interface *interface);
static void set_count(json_t *json, const char *name, uint64_t count);
static json_t *refused(const struct wrn_node *node, wrn_handle network);
static json_t *blocked(const struct wrn_node *node, wrn_handle network);
static json_t *drops(const struct wrn_daemon_interface *interface);
static void set_trouble(json_t *json, const struct wrn_node_network_info *info);
static void set_network_facts(json_t *json, const struct wrn_node_network_info *info);
static void set_interface(json_t *json, struct wrn_methods *methods, wrn_handle network);
static const char *ring_name(enum wrn_ring_state state);
static const char *path_name(enum wrn_path_state state);
static const char *cipher_name(enum wrn_cipher cipher);
static bool is_zero(const uint8_t *bytes, size_t size);

json_t *wrn_json_time(int64_t s) {
    return s <= 0 || s >= WRN_RECORD_TIME_MAX_S ? json_null() : json_integer(s);
}

json_t *wrn_json_ip(const struct wrn_ip *ip) {
    char text[WRN_PREFIX_TEXT_SIZE];
    struct wrn_prefix prefix = {*ip, ip->family == WRN_FAMILY_IPV4 ? 32 : 128};
    if (ip->family == WRN_FAMILY_NONE) {
        return json_null();
    }
    (void)wrn_prefix_print(&prefix, text);
    text[strcspn(text, "/")] = '\0';
    return json_string(text);
}

json_t *wrn_json_prefix(const struct wrn_prefix *prefix) {
    char text[WRN_PREFIX_TEXT_SIZE];
    if (prefix->ip.family == WRN_FAMILY_NONE) {
        return json_null();
    }
    (void)wrn_prefix_print(prefix, text);
    return json_string(text);
}

json_t *wrn_json_endpoint(const struct wrn_endpoint *endpoint) {
    char text[WRN_ENDPOINT_TEXT_SIZE];
    if (endpoint->ip.family == WRN_FAMILY_NONE) {
        return json_null();
    }
    (void)wrn_endpoint_print(endpoint, text);
    return json_string(text);
}

json_t *wrn_json_hit(const uint8_t hit[WRN_HIT_SIZE]) {
    char text[WRN_HIT_TEXT_SIZE];
    if (is_zero(hit, WRN_HIT_SIZE)) {
        return json_null();
    }
    wrn_hit_print(hit, text);
    return json_string(text);
}

json_t *wrn_json_hex(const uint8_t *bytes, size_t size) {
    char text[HEX_MAX];
    size_t shown = size < HEX_MAX / 2 ? size : HEX_MAX / 2;
    wrn_hex_write(bytes, shown, text);
    return json_stringn(text, 2 * shown);
}

json_t *wrn_json_rights(uint8_t rights) {
    static const struct {
        uint8_t bit;
        const char *name;
    } names[] = {{WRN_RIGHT_OWNER, "owner"},   {WRN_RIGHT_MEMBER, "member"},
                 {WRN_RIGHT_INVITE, "invite"}, {WRN_RIGHT_ADMIN, "admin"},
                 {WRN_RIGHT_RELAY, "relay"},   {WRN_RIGHT_GATEWAY, "gateway"}};
    json_t *list = json_array();
    for (size_t i = 0; i < WRN_COUNT(names); i++) {
        if ((rights & names[i].bit) != 0) {
            (void)json_array_append_new(list, json_string(names[i].name));
        }
    }
    return list;
}

json_t *wrn_json_meeting(const struct wrn_node *node, wrn_handle network) {
    struct wrn_node_meeting meeting;
    if (!wrn_node_meeting(node, network, &meeting)) {
        return json_null();
    }
    return json_pack("{s:o, s:o, s:b, s:I}", "through",
                     meeting.name != NULL ? json_string(meeting.name) : json_null(), "id",
                     wrn_json_hex(meeting.through, sizeof meeting.through), "said", meeting.is_said,
                     "known", (json_int_t)meeting.known);
}

json_t *wrn_json_network(struct wrn_methods *methods, wrn_handle network) {
    struct wrn_node *node = wrn_daemon_node(methods->daemon);
    struct wrn_node_network_info info;
    uint8_t own[WRN_HIT_SIZE];
    if (!wrn_node_network_info(node, network, &info)) {
        return json_null();
    }
    const struct wrn_descriptor *descriptor = info.descriptor;
    json_t *json = json_object();
    memcpy(own, wrn_node_hit(node), sizeof own);
    wrn_json_set(json, "name", json_string(descriptor->name));
    wrn_json_set(json, "id", wrn_json_hex(descriptor->id, sizeof descriptor->id));
    wrn_json_set(json, "kind", json_string(descriptor->kind == WRN_NETWORK_L2 ? "l2" : "l3"));
    wrn_json_set(json, "open", json_boolean(descriptor->is_open));
    wrn_json_set(json, "ranges",
                 json_pack("{s:o, s:o}", "ipv4", wrn_json_prefix(&descriptor->ipv4), "ipv6",
                           wrn_json_prefix(&descriptor->ipv6)));
    wrn_json_set(json, "owner", wrn_json_hex(descriptor->owner, sizeof descriptor->owner));
    wrn_json_set(json, "created_s", json_integer(descriptor->created_s));
    wrn_json_set(json, "hit", wrn_json_hit(own));
    wrn_json_set(json, "ended_s", info.ended_s > 0 ? json_integer(info.ended_s) : json_null());
    wrn_json_set(json, "meeting", wrn_json_meeting(node, network));
    set_network_facts(json, &info);
    wrn_json_set(json, "refused", refused(node, network));
    wrn_json_set(json, "blocked", blocked(node, network));
    set_interface(json, methods, network);
    return json;
}

json_t *wrn_json_unserved(const struct wrn_methods *methods) {
    json_t *list = json_array();
    const struct wrn_daemon_unserved *unserved;
    for (size_t i = 0; (unserved = wrn_daemon_unserved(methods->daemon, i)) != NULL; i++) {
        (void)json_array_append_new(list, json_pack("{s:s, s:o}", "id", unserved->id, "trouble",
                                                    wrn_rpc_json_text(unserved->why)));
    }
    return list;
}

json_t *wrn_json_peer(const struct wrn_node_peer_info *info) {
    const struct wrn_overlay_peer_info *overlay = &info->overlay;
    bool is_relayed = overlay->path == WRN_PATH_STATE_RELAYED ||
                      overlay->path == WRN_PATH_STATE_RELAYED_SEARCHING;
    json_t *json = json_object();
    wrn_json_set(json, "hit", wrn_json_hit(info->hit));
    wrn_json_set(json, "name", text_or_null(info->label));
    wrn_json_set(json, "public_key", wrn_json_hex(overlay->public_key, sizeof overlay->public_key));
    wrn_json_set(json, "ipv4", wrn_json_ip(&info->ipv4));
    wrn_json_set(json, "ipv6", wrn_json_ip(&info->ipv6));
    wrn_json_set(json, "path", json_string(path_name(overlay->path)));
    wrn_json_set(json, "endpoint", wrn_json_endpoint(&info->endpoint));
    wrn_json_set(json, "relay", is_relayed ? wrn_json_hit(info->relay) : json_null());
    wrn_json_set(json, "relay_name", is_relayed ? text_or_null(info->relay_label) : json_null());
    wrn_json_set(json, "why_relayed",
                 is_relayed && overlay->why_relayed != WRN_REASON_NONE
                     ? json_string(wrn_reason_text(overlay->why_relayed))
                     : json_null());
    bool is_stream = overlay->path == WRN_PATH_STATE_STREAM;
    bool is_tls = is_stream && overlay->way.socket == WRN_SOCKET_TLS;
    wrn_json_set(json, "stream", is_stream ? json_string(is_tls ? "tls" : "tcp") : json_null());
    wrn_json_set(json, "why_stream",
                 is_stream ? json_string(wrn_reason_text(overlay->why_relayed)) : json_null());
    wrn_json_set(json, "nat", json_string(wrn_nat_class_text(overlay->nat_class)));
    wrn_json_set(json, "rtt_ms",
                 overlay->rtt_us == 0 ? json_null()
                                      : json_real((double)overlay->rtt_us / US_IN_MS));
    wrn_json_set(json, "tx_bytes", json_integer((json_int_t)info->tx_bytes));
    wrn_json_set(json, "rx_bytes", json_integer((json_int_t)info->rx_bytes));
    wrn_json_set(json, "handshake_s",
                 info->last_handshake.s == 0 ? json_null() : json_integer(info->last_handshake.s));
    wrn_json_set(json, "cipher", json_string(cipher_name(info->cipher)));
    wrn_json_set(json, "mtu", json_integer(info->mtu));
    wrn_json_set(json, "rights", wrn_json_rights(info->rights));
    wrn_json_set(json, "until_s", wrn_json_time(info->until_s));
    wrn_json_set(json, "unlimited", json_boolean(info->is_open));
    wrn_json_set(json, "waiting", json_boolean(info->is_waiting));
    return json;
}

json_t *wrn_json_peers(struct wrn_methods *methods, wrn_handle network) {
    struct wrn_node_peer_info info;
    uint32_t cursor = 0;
    json_t *list = json_array();
    while (wrn_node_next_peer(wrn_daemon_node(methods->daemon), network, &cursor, &info)) {
        (void)json_array_append_new(list, wrn_json_peer(&info));
    }
    return list;
}

json_t *wrn_methods_event_json(struct wrn_daemon *daemon, wrn_handle network,
                               const struct wrn_node_event *event, int64_t now_s) {
    const struct wrn_descriptor *descriptor = wrn_node_descriptor(wrn_daemon_node(daemon), network);
    json_t *json = json_object();
    wrn_json_set(json, "event", json_string(wrn_node_event_name(event->kind)));
    wrn_json_set(json, "time_s", json_integer(now_s));
    wrn_json_set(json, "network", descriptor != NULL ? json_string(descriptor->name) : json_null());
    wrn_json_set(json, "network_id",
                 descriptor != NULL ? wrn_json_hex(descriptor->id, sizeof descriptor->id)
                                    : json_null());
    wrn_json_set(json, "hit", wrn_json_hit(event->hit));
    wrn_json_set(json, "by", wrn_json_hit(event->by));
    wrn_json_set(json, "name", text_or_null(event->label));
    wrn_json_set(json, "ip", wrn_json_ip(&event->ip));
    wrn_json_set(json, "direct", json_boolean(event->is_direct));
    wrn_json_set(json, "until_s", wrn_json_time(event->until_s));
    wrn_json_set(json, "reason",
                 event->reason == WRN_REASON_NONE ? json_null()
                                                  : json_string(wrn_reason_name(event->reason)));
    wrn_json_set(json, "text", text_or_null(event->text));
    return json;
}

void wrn_json_set(json_t *object, const char *name, json_t *value) {
    (void)json_object_set_new(object, name, value); /* no memory: the member is missing */
}

static void set_trouble(json_t *json, const struct wrn_node_network_info *info) {
    struct wrn_trouble trouble;
    char both[2 * WRN_TROUBLE_SIZE + 2];
    wrn_trouble_find(info, &trouble);
    (void)snprintf(both, sizeof both, "%s%s%s", trouble.text, trouble.fix[0] != '\0' ? "; " : "",
                   trouble.fix);
    wrn_json_set(json, "trouble", text_or_null(both));
}

static void set_network_facts(json_t *json, const struct wrn_node_network_info *info) {
    wrn_json_set(json, "state", json_string(info->ended_s > 0 ? "ended" : ring_name(info->ring)));
    wrn_json_set(json, "nodes", json_integer((json_int_t)info->size));
    wrn_json_set(json, "peer_count", json_integer(info->peers));
    wrn_json_set(json, "links", json_integer(info->links));
    wrn_json_set(json, "nat", json_string(wrn_nat_class_text(info->nat_class)));
    wrn_json_set(json, "ipv4", wrn_json_ip(&info->ipv4));
    wrn_json_set(json, "ipv6", wrn_json_ip(&info->ipv6));
    wrn_json_set(json, "resolver", wrn_json_ip(&info->resolver));
    wrn_json_set(json, "host_name", text_or_null(info->label));
    wrn_json_set(json, "address_state", json_string(wrn_claim_state_name(info->lease)));
    wrn_json_set(json, "name_state", json_string(wrn_claim_state_name(info->name)));
    wrn_json_set(json, "rights", wrn_json_rights(info->rights));
    wrn_json_set(json, "until_s", wrn_json_time(info->until_s));
    wrn_json_set(json, "spent", json_boolean(info->is_spent));
    set_trouble(json, info);
    wrn_json_set(json, "revocation_lists", json_integer(info->revoked_lists));
    wrn_json_set(json, "held_packets", json_integer((json_int_t)info->held_packets));
    wrn_json_set(json, "held_lost", json_integer((json_int_t)info->held_lost));
}

static void set_interface(json_t *json, struct wrn_methods *methods, wrn_handle network) {
    struct wrn_daemon_interface interface = {0};
    if (!wrn_daemon_interface(methods->daemon, network, &interface)) {
        wrn_json_set(json, "interface", json_null());
        return;
    }
    wrn_json_set(json, "interface", json_string(interface.name));
    wrn_json_set(json, "mtu", json_integer(interface.mtu_bytes));
    wrn_json_set(json, "addresses", address_list(&interface));
    wrn_json_set(json, "routes", route_list(&interface));
    wrn_json_set(json, "drops", drops(&interface));
}

static json_t *address_list(const struct wrn_daemon_interface *interface) {
    json_t *list = json_array();
    for (uint32_t i = 0; i < interface->address_count && i < WRN_COUNT(interface->addresses); i++) {
        (void)json_array_append_new(list, wrn_json_prefix(&interface->addresses[i]));
    }
    return list;
}

static json_t *route_list(const struct wrn_daemon_interface *interface) {
    json_t *list = json_array();
    for (uint32_t i = 0; i < interface->route_count && i < WRN_COUNT(interface->routes); i++) {
        (void)json_array_append_new(list, wrn_json_prefix(&interface->routes[i]));
    }
    return list;
}

static void set_count(json_t *json, const char *name, uint64_t count) {
    if (count != 0) { /* only what happened */
        wrn_json_set(json, name, json_integer((json_int_t)count));
    }
}

static json_t *refused(const struct wrn_node *node, wrn_handle network) {
    json_t *json = json_object();
    for (int i = 0; i < WRN_REASON_COUNT; i++) {
        enum wrn_reason reason = (enum wrn_reason)i;
        set_count(json, wrn_reason_name(reason), wrn_node_refused(node, network, reason));
    }
    return json;
}

static json_t *blocked(const struct wrn_node *node, wrn_handle network) {
    struct wrn_gate_counts counts;
    json_t *json = json_object();
    wrn_node_blocked(node, network, &counts);
    set_count(json, "closed", counts.closed);
    set_count(json, "not_ours", counts.not_ours);
    for (int i = WRN_POLICY_NONE + 1; i < WRN_POLICY_REFUSAL_COUNT; i++) {
        set_count(json, wrn_policy_refusal_name((enum wrn_policy_refusal)i), counts.refused[i]);
    }
    return json;
}

static json_t *drops(const struct wrn_daemon_interface *interface) {
    json_t *json = json_object();
    for (size_t i = 0; i < WRN_COUNT(interface->drops); i++) {
        set_count(json, wrn_drop_name((enum wrn_drop)i), interface->drops[i]);
    }
    return json;
}

static json_t *text_or_null(const char *text) {
    return text == NULL || *text == '\0' ? json_null() : wrn_rpc_json_text(text);
}

static const char *ring_name(enum wrn_ring_state state) {
    static const char *const names[] = {[WRN_RING_STATE_ALONE] = "alone",
                                        [WRN_RING_STATE_JOINING] = "joining",
                                        [WRN_RING_STATE_CONNECTED] = "connected"};
    return (size_t)state < WRN_COUNT(names) ? names[state] : "unknown";
}

static const char *path_name(enum wrn_path_state state) {
    static const char *const names[] = {[WRN_PATH_STATE_SEARCHING] = "searching",
                                        [WRN_PATH_STATE_DIRECT] = "direct",
                                        [WRN_PATH_STATE_STREAM] = "stream",
                                        [WRN_PATH_STATE_RELAYED] = "relayed",
                                        [WRN_PATH_STATE_RELAYED_SEARCHING] = "relayed",
                                        [WRN_PATH_STATE_LOST] = "lost"};
    return (size_t)state < WRN_COUNT(names) ? names[state] : "unknown";
}

static const char *cipher_name(enum wrn_cipher cipher) {
    return cipher == WRN_CIPHER_AES_256_GCM ? "aes-256-gcm" : "chacha20-poly1305";
}

static bool is_zero(const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}
