/* SPDX-License-Identifier: Apache-2.0 */
/* Methods about the bridges of l2 networks: what is attached, and what their switch knows. */
#include <stdio.h>

#include "daemon/attach.h"
#include "daemon/methods_internal.h"
#include "io/clock.h"

enum { LIST_MAX = 4096, MAC_TEXT_SIZE = 18, KEY_SIZE = 16 };

static bool find_bridge(struct wrn_methods *methods, struct wrn_rpc_call *call,
                        wrn_handle *ret_network);
static bool read_wish(struct wrn_methods *methods, struct wrn_rpc_call *call, wrn_handle network,
                      struct wrn_attach_wish *ret_wish);
static bool is_l2(const struct wrn_node *node, wrn_handle network);
static json_t *port_json(const struct wrn_attach_port *port);
static json_t *vtep_json(const struct wrn_attach_port *port);
static json_t *bridge_json(struct wrn_methods *methods, wrn_handle network);
static bool may_serve(struct wrn_rpc_call *call, const struct wrn_switch_settings *settings,
                      const struct wrn_descriptor *descriptor);
static json_t *settings_json(const struct wrn_switch_settings *settings);
static json_t *local_ports(struct wrn_methods *methods, wrn_handle network);
static json_t *members(const struct wrn_switch *sw, json_t *bridge);
static json_t *side_json(const struct wrn_switch_port_info *info);
static json_t *macs(const struct wrn_switch *sw, wrn_mono now, json_t *names, json_t *bridge);
static json_t *neighbours(const struct wrn_switch *sw, wrn_mono now, json_t *names);
static json_t *groups(const struct wrn_switch *sw, wrn_mono now, json_t *names);
static json_t *names_of(const struct wrn_switch *sw);
static json_t *owner(const json_t *names, wrn_handle peer);
static json_t *mac_json(const uint8_t mac[WRN_MAC_ADDRESS_SIZE]);
static json_t *vlan_json(uint16_t vlan);
static json_t *number(uint64_t count);

void wrn_method_bridge_attach(void *ctx, struct wrn_rpc_call *call) {
    struct wrn_methods *methods = ctx;
    struct wrn_attach_wish wish;
    struct wrn_attach_port port;
    struct wrn_attach_refusal refusal;
    wrn_handle network;
    bool is_new = false;
    if (!find_bridge(methods, call, &network) || !read_wish(methods, call, network, &wish)) {
        return;
    }
    if (!wrn_attach_add(wrn_service_attach(methods->service), network, &wish, &port, &is_new,
                        &refusal)) {
        wrn_rpc_fail(call, refusal.code, refusal.reason, "%s", refusal.why);
        return;
    }
    json_t *json = port_json(&port);
    wrn_json_set(json, "new", json_boolean(is_new));
    wrn_rpc_reply(call, json);
}

void wrn_method_bridge_detach(void *ctx, struct wrn_rpc_call *call) {
    struct wrn_methods *methods = ctx;
    struct wrn_attach_wish wish;
    struct wrn_attach_port port;
    struct wrn_attach_refusal refusal;
    wrn_handle network;
    if (!find_bridge(methods, call, &network) || !read_wish(methods, call, network, &wish)) {
        return;
    }
    if (wrn_attach_remove(wrn_service_attach(methods->service), network, &wish, &port, &refusal)) {
        wrn_rpc_reply(call, port_json(&port));
    } else {
        wrn_rpc_fail(call, refusal.code, refusal.reason, "%s", refusal.why);
    }
}

void wrn_method_bridge_show(void *ctx, struct wrn_rpc_call *call) {
    struct wrn_methods *methods = ctx;
    const struct wrn_node *node = wrn_daemon_node(methods->daemon);
    bool is_named = wrn_rpc_has(call, "network");
    uint32_t cursor = 0;
    wrn_handle network;
    if (is_named && !find_bridge(methods, call, &network)) {
        return;
    }
    json_t *list = json_array();
    if (is_named) {
        (void)json_array_append_new(list, bridge_json(methods, network));
    }
    while (!is_named && (network = wrn_node_next(node, &cursor)).generation != 0) {
        if (is_l2(node, network)) {
            (void)json_array_append_new(list, bridge_json(methods, network));
        }
    }
    wrn_rpc_reply(call, json_pack("{s:o}", "bridges", list));
}

void wrn_method_bridge_set(void *ctx, struct wrn_rpc_call *call) {
    struct wrn_methods *methods = ctx;
    struct wrn_node *node = wrn_daemon_node(methods->daemon);
    struct wrn_switch_settings settings;
    struct wrn_now now;
    wrn_handle network;
    if (!find_bridge(methods, call, &network)) {
        return;
    }
    wrn_switch_settings(wrn_node_switch(node, network), &settings);
    const struct {
        const char *name;
        bool *flag;
    } flags[] = {{"dhcp", &settings.allows_dhcp},
                 {"arp", &settings.answers_neighbours},
                 {"loop_guard", &settings.guards_loops},
                 {"dhcp_server", &settings.serves_dhcp}};
    for (size_t i = 0; i < WRN_COUNT(flags); i++) {
        if (wrn_rpc_has(call, flags[i].name)) {
            *flags[i].flag = wrn_rpc_flag(call, flags[i].name);
        }
    }
    if (settings.serves_dhcp && !may_serve(call, &settings, wrn_node_descriptor(node, network))) {
        return;
    }
    settings.floods_per_s = (uint32_t)wrn_rpc_number(call, "storm_per_s", settings.floods_per_s);
    settings.age_s = (uint32_t)wrn_rpc_number(call, "age_s", settings.age_s);
    struct wrn_node_out *out = wrn_daemon_begin(methods->daemon, &now);
    bool is_set = wrn_node_set_bridge(node, now, network, &settings, out);
    if (!wrn_job_perform(methods)) {
        wrn_rpc_fail(call, WRN_RPC_SYSTEM, "DISK", "%s", WRN_JOB_NOT_SAVED);
    } else if (!is_set) {
        wrn_rpc_fail(call, WRN_RPC_REFUSED, "KIND", "the network is gone: see warren network list");
    } else {
        wrn_rpc_reply(call, settings_json(&settings));
    }
}

/* The own DHCP client can be answered with a leased address only, and by one server only. */
static bool may_serve(struct wrn_rpc_call *call, const struct wrn_switch_settings *settings,
                      const struct wrn_descriptor *descriptor) {
    if (descriptor->ipv4.ip.family != WRN_FAMILY_IPV4) {
        wrn_rpc_fail(call, WRN_RPC_REFUSED, "NO_RANGE",
                     "%s has no range of addresses to lease from, and it cannot be changed: a "
                     "network with one is made by warren network create NAME --l2 --ipv4 RANGE",
                     descriptor->name);
        return false;
    }
    if (settings->allows_dhcp) {
        wrn_rpc_fail(call, WRN_RPC_REFUSED, "DHCP",
                     "DHCP crosses between the sides, so other servers answer, too: either "
                     "dhcp=allow or dhcp-server=on");
        return false;
    }
    return true;
}

/* The l2 network that is meant; if none is named, the only one. */
static bool find_bridge(struct wrn_methods *methods, struct wrn_rpc_call *call,
                        wrn_handle *ret_network) {
    const struct wrn_node *node = wrn_daemon_node(methods->daemon);
    wrn_handle network;
    wrn_handle found = WRN_HANDLE_NONE;
    uint32_t cursor = 0;
    uint32_t count = 0;
    while (!wrn_rpc_has(call, "network") &&
           (network = wrn_node_next(node, &cursor)).generation != 0) {
        if (is_l2(node, network)) {
            found = network;
            count++;
        }
    }
    if (count == 1) {
        *ret_network = found;
        return true;
    }
    if (!wrn_find_network(methods, call, &found)) {
        return false;
    }
    if (!is_l2(node, found)) {
        wrn_rpc_fail(call, WRN_RPC_REFUSED, "KIND",
                     "%s carries IP packets and has no bridge: only networks made by warren "
                     "network create NAME --l2 have one; to lead others to what is behind this "
                     "machine: warren route add",
                     wrn_node_descriptor(node, found)->name);
        return false;
    }
    *ret_network = found;
    return true;
}

static bool read_wish(struct wrn_methods *methods, struct wrn_rpc_call *call, wrn_handle network,
                      struct wrn_attach_wish *ret_wish) {
    const char *vtep = wrn_rpc_text(call, "vtep");
    struct wrn_attach_wish wish = {
        .interface = wrn_rpc_text(call, "interface"),
        .vlan = (uint16_t)wrn_rpc_number(call, "vlan", 0),
        .is_forced = wrn_rpc_flag(call, "force"),
        .may_come_later = wrn_rpc_flag(call, "later"),
    };
    if ((vtep == NULL) == (wish.interface == NULL)) {
        wrn_rpc_fail(call, WRN_RPC_PARAMS, NULL,
                     "say what is meant: an interface, or a VTEP (\"vtep\", --vtep ADDRESS:PORT)");
        return false;
    }
    if (vtep != NULL) {
        uint32_t vni = wrn_node_descriptor(wrn_daemon_node(methods->daemon), network)->vni;
        const char *problem =
            wrn_vtep_parse((wrn_span){(const uint8_t *)vtep, strlen(vtep)}, vni, &wish.vtep);
        if (problem != NULL) {
            wrn_rpc_fail(call, WRN_RPC_PARAMS, NULL, "\"vtep\": %s", problem);
            return false;
        }
    }
    *ret_wish = wish;
    return true;
}

static bool is_l2(const struct wrn_node *node, wrn_handle network) {
    const struct wrn_descriptor *descriptor = wrn_node_descriptor(node, network);
    return descriptor != NULL && descriptor->kind == WRN_NETWORK_L2;
}

static json_t *port_json(const struct wrn_attach_port *port) {
    json_t *json = json_object();
    wrn_json_set(json, "interface",
                 port->is_vtep ? json_null() : wrn_rpc_json_text(port->interface));
    wrn_json_set(json, "vlan", vlan_json(port->vlan));
    wrn_json_set(json, "port", port->index != 0 ? wrn_rpc_json_text(port->port) : json_null());
    wrn_json_set(json, "state", json_string(wrn_attach_state_name(port->state)));
    wrn_json_set(json, "why", port->why[0] != '\0' ? wrn_rpc_json_text(port->why) : json_null());
    wrn_json_set(json, "mtu", port->mtu_bytes != 0 ? json_integer(port->mtu_bytes) : json_null());
    wrn_json_set(json, "carrier", json_boolean(port->has_carrier));
    wrn_json_set(json, "forced", json_boolean(port->is_forced));
    wrn_json_set(json, "vtep", port->is_vtep ? vtep_json(port) : json_null());
    return json;
}

static json_t *vtep_json(const struct wrn_attach_port *port) {
    const struct wrn_vtep_counters *counters = &port->counters;
    const struct {
        const char *name;
        uint64_t count;
    } passed[] = {{"frames_in", counters->frames_in},
                  {"bytes_in", counters->bytes_in},
                  {"frames_out", counters->frames_out},
                  {"bytes_out", counters->bytes_out}},
      lost[] = {{"head", counters->refused_head},     {"vni", counters->refused_vni},
                {"sender", counters->refused_sender}, {"no_remote", counters->lost_no_remote},
                {"send", counters->lost_send},        {"host", counters->lost_host}};
    char text[WRN_VTEP_TEXT_SIZE];
    json_t *json = json_object();
    json_t *refused = json_object();
    wrn_vtep_print(&port->vtep, text);
    wrn_json_set(json, "text", json_string(text));
    wrn_json_set(json, "listen", wrn_json_endpoint(&port->vtep.listen));
    wrn_json_set(json, "remote", wrn_json_endpoint(&port->remote));
    wrn_json_set(json, "vni", json_integer(port->vtep.vni));
    for (size_t i = 0; i < WRN_COUNT(passed); i++) {
        wrn_json_set(json, passed[i].name, number(passed[i].count));
    }
    for (size_t i = 0; i < WRN_COUNT(lost); i++) {
        if (lost[i].count != 0) {
            wrn_json_set(refused, lost[i].name, number(lost[i].count));
        }
    }
    wrn_json_set(json, "refused", refused);
    return json;
}

static json_t *bridge_json(struct wrn_methods *methods, wrn_handle network) {
    const struct wrn_node *node = wrn_daemon_node(methods->daemon);
    const struct wrn_descriptor *descriptor = wrn_node_descriptor(node, network);
    const struct wrn_switch *sw = wrn_node_switch(node, network);
    struct wrn_daemon_interface interface = {0};
    struct wrn_switch_settings settings;
    wrn_mono now = wrn_clock_read().mono;
    json_t *json = json_object();
    bool is_there = wrn_daemon_interface(methods->daemon, network, &interface);
    wrn_switch_settings(sw, &settings);
    wrn_json_set(json, "network", json_string(descriptor->name));
    wrn_json_set(json, "id", wrn_json_hex(descriptor->id, sizeof descriptor->id));
    wrn_json_set(json, "vni", json_integer(descriptor->vni));
    wrn_json_set(json, "interface", is_there ? wrn_rpc_json_text(interface.name) : json_null());
    wrn_json_set(json, "tap", is_there ? wrn_rpc_json_text(interface.tap) : json_null());
    wrn_json_set(json, "settings", settings_json(&settings));
    wrn_json_set(json, "ports", local_ports(methods, network));
    wrn_json_set(json, "members", members(sw, json));
    json_t *names = names_of(sw);
    wrn_json_set(json, "macs", macs(sw, now, names, json));
    wrn_json_set(json, "neighbours", neighbours(sw, now, names));
    wrn_json_set(json, "groups", groups(sw, now, names));
    json_decref(names);
    return json;
}

static json_t *settings_json(const struct wrn_switch_settings *settings) {
    return json_pack("{s:b, s:b, s:b, s:b, s:I, s:I}", "dhcp", settings->allows_dhcp, "arp",
                     settings->answers_neighbours, "loop_guard", settings->guards_loops,
                     "dhcp_server", settings->serves_dhcp, "storm_per_s",
                     (json_int_t)settings->floods_per_s, "age_s", (json_int_t)settings->age_s);
}

static json_t *local_ports(struct wrn_methods *methods, wrn_handle network) {
    json_t *list = json_array();
    struct wrn_attach_port port;
    uint32_t cursor = 0;
    while (wrn_attach_next(wrn_service_attach(methods->service), network, &cursor, &port)) {
        (void)json_array_append_new(list, port_json(&port));
    }
    return list;
}

/* The members' ports; this side's counters go to the bridge itself. */
static json_t *members(const struct wrn_switch *sw, json_t *bridge) {
    struct wrn_switch_port_info info;
    uint32_t cursor = 0;
    json_t *list = json_array();
    while (wrn_switch_next_port(sw, &cursor, &info)) {
        json_t *json = side_json(&info);
        if (wrn_handle_equal(info.peer, WRN_HANDLE_NONE)) {
            wrn_json_set(bridge, "stands_by", json_boolean(info.stands_by));
            wrn_json_set(bridge, "side", json);
            continue;
        }
        wrn_json_set(json, "name", wrn_rpc_json_text(info.name));
        wrn_json_set(json, "payload_max", json_integer(info.payload_max));
        (void)json_array_append_new(list, json);
    }
    return list;
}

static json_t *side_json(const struct wrn_switch_port_info *info) {
    json_t *json = json_object();
    json_t *refused = json_object();
    wrn_json_set(json, "mac_count", json_integer(info->macs));
    wrn_json_set(json, "frames_in", number(info->frames_in));
    wrn_json_set(json, "frames_out", number(info->frames_out));
    wrn_json_set(json, "floods_in", number(info->floods_in));
    for (int i = 1; i < WRN_SWITCH_REFUSAL_COUNT; i++) {
        if (info->refused[i] != 0) {
            wrn_json_set(refused, wrn_switch_refusal_name((enum wrn_switch_refusal)i),
                         number(info->refused[i]));
        }
    }
    wrn_json_set(json, "refused", refused);
    return json;
}

static json_t *macs(const struct wrn_switch *sw, wrn_mono now, json_t *names, json_t *bridge) {
    struct wrn_switch_mac mac;
    uint32_t cursor = 0;
    json_int_t total = 0;
    json_t *list = json_array();
    while (wrn_switch_next_mac(sw, now, &cursor, &mac)) {
        if (total++ < LIST_MAX) {
            (void)json_array_append_new(
                list, json_pack("{s:o, s:o, s:o, s:I, s:b}", "mac", mac_json(mac.mac), "vlan",
                                vlan_json(mac.vlan), "owner", owner(names, mac.peer), "age_s",
                                (json_int_t)mac.age_s, "named", mac.is_named));
        }
    }
    wrn_json_set(bridge, "mac_count", json_integer(total));
    return list;
}

static json_t *neighbours(const struct wrn_switch *sw, wrn_mono now, json_t *names) {
    struct wrn_switch_neighbour neighbour;
    uint32_t cursor = 0;
    json_t *list = json_array();
    while (json_array_size(list) < LIST_MAX &&
           wrn_switch_next_neighbour(sw, now, &cursor, &neighbour)) {
        (void)json_array_append_new(
            list, json_pack("{s:o, s:o, s:o, s:o, s:I}", "ip", wrn_json_ip(&neighbour.ip), "mac",
                            mac_json(neighbour.mac), "vlan", vlan_json(neighbour.vlan), "owner",
                            owner(names, neighbour.peer), "age_s", (json_int_t)neighbour.age_s));
    }
    return list;
}

static json_t *groups(const struct wrn_switch *sw, wrn_mono now, json_t *names) {
    struct wrn_switch_group group;
    uint32_t cursor = 0;
    json_t *list = json_array();
    while (json_array_size(list) < LIST_MAX && wrn_switch_next_group(sw, now, &cursor, &group)) {
        (void)json_array_append_new(
            list, json_pack("{s:o, s:o, s:o, s:I}", "group", wrn_json_ip(&group.group), "vlan",
                            vlan_json(group.vlan), "owner", owner(names, group.peer), "age_s",
                            (json_int_t)group.age_s));
    }
    return list;
}

/* The members' names by the index of their handles, so that each is looked for once. */
static json_t *names_of(const struct wrn_switch *sw) {
    struct wrn_switch_port_info info;
    uint32_t cursor = 0;
    char key[KEY_SIZE];
    json_t *names = json_object();
    while (wrn_switch_next_port(sw, &cursor, &info)) {
        if (!wrn_handle_equal(info.peer, WRN_HANDLE_NONE)) {
            (void)snprintf(key, sizeof key, "%u", info.peer.index);
            wrn_json_set(names, key, wrn_rpc_json_text(info.name));
        }
    }
    return names;
}

/* null: this side. */
static json_t *owner(const json_t *names, wrn_handle peer) {
    char key[KEY_SIZE];
    if (wrn_handle_equal(peer, WRN_HANDLE_NONE)) {
        return json_null();
    }
    (void)snprintf(key, sizeof key, "%u", peer.index);
    json_t *name = json_object_get(names, key);
    return name != NULL ? json_incref(name) : json_string("?");
}

static json_t *mac_json(const uint8_t mac[WRN_MAC_ADDRESS_SIZE]) {
    char text[MAC_TEXT_SIZE];
    (void)snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
                   mac[3], mac[4], mac[5]);
    return json_string(text);
}

static json_t *vlan_json(uint16_t vlan) {
    return vlan == 0 ? json_null() : json_integer(vlan);
}

static json_t *number(uint64_t count) {
    return json_integer((json_int_t)count);
}
