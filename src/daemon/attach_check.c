/* SPDX-License-Identifier: Apache-2.0 */
/* What must not become a port, and what only on purpose. Changes nothing. */
#include <stdarg.h>
#include <stdio.h>

#include "daemon/attach_internal.h"

enum { LIST_MAX = 256 };

static bool check_place(struct wrn_attach *attach, wrn_handle network,
                        const struct wrn_attach_wish *wish, struct wrn_attach_refusal *ret_refusal);
static bool check_kind(const struct wrn_bridge_link *link, struct wrn_attach_refusal *ret_refusal);
static bool check_free(struct wrn_attach *attach, wrn_handle network,
                       const struct wrn_attach_wish *wish, const struct wrn_bridge_link *link,
                       struct wrn_attach_refusal *ret_refusal);
static bool was_put_there(const struct wrn_attach *attach, wrn_handle network,
                          const struct wrn_bridge_link *link);
static bool check_use(struct wrn_attach *attach, const struct wrn_bridge_link *link,
                      struct wrn_attach_refusal *ret_refusal);

bool wrn_attach_check(struct wrn_attach *attach, wrn_handle network,
                      const struct wrn_attach_wish *wish, const struct wrn_bridge_link *link,
                      struct wrn_attach_refusal *ret_refusal) {
    if (!check_place(attach, network, wish, ret_refusal)) {
        return false;
    }
    if (wish->interface == NULL) {
        return true;
    }
    if (link == NULL) {
        return wish->may_come_later ||
               wrn_attach_refuse(
                   ret_refusal, WRN_RPC_NOT_FOUND, "NO_INTERFACE",
                   "this host has no interface %s: see `ip link`; to have it attached "
                   "when it appears: --later",
                   wish->interface);
    }
    return check_kind(link, ret_refusal) && check_free(attach, network, wish, link, ret_refusal) &&
           (wish->is_forced || wish->vlan != 0 || check_use(attach, link, ret_refusal));
}

bool wrn_attach_refuse(struct wrn_attach_refusal *refusal, enum wrn_rpc_code code,
                       const char *reason, const char *format, ...) {
    va_list args;
    refusal->code = code;
    refusal->reason = reason;
    va_start(args, format);
    (void)vsnprintf(refusal->why, sizeof refusal->why, format, args);
    va_end(args);
    return false;
}

static bool check_place(struct wrn_attach *attach, wrn_handle network,
                        const struct wrn_attach_wish *wish,
                        struct wrn_attach_refusal *ret_refusal) {
    const struct wrn_node *node = wrn_daemon_node(attach->daemon);
    const struct wrn_descriptor *descriptor = wrn_node_descriptor(node, network);
    if (descriptor == NULL || descriptor->kind != WRN_NETWORK_L2) {
        return wrn_attach_refuse(
            ret_refusal, WRN_RPC_REFUSED, "KIND",
            "%s carries IP packets, no Ethernet frames: make another network for that: warren "
            "network create NAME --l2; or offer what is behind the interface: warren route add",
            descriptor != NULL ? descriptor->name : "the network");
    }
    for (size_t i = 0; i < WRN_ATTACH_PORTS_MAX; i++) {
        const struct wrn_attach_entry *entry = &attach->entries[i];
        if (wrn_attach_is(entry, WRN_HANDLE_NONE, wish)) {
            const struct wrn_descriptor *other = wrn_node_descriptor(node, entry->port.network);
            return wrn_attach_refuse(
                ret_refusal, WRN_RPC_REFUSED, "ATTACHED",
                "it is attached to the network %s already; to move it: warren detach %s %s first",
                other != NULL ? other->name : "?", other != NULL ? other->name : "?",
                wish->interface != NULL ? wish->interface : "--vtep …");
        }
    }
    return true;
}

static bool check_kind(const struct wrn_bridge_link *link, struct wrn_attach_refusal *ret_refusal) {
    if (link->is_loopback || !link->is_ethernet) {
        return wrn_attach_refuse(ret_refusal, WRN_RPC_REFUSED, "NO_ETHERNET",
                                 "%s is %s: choose an interface with Ethernet frames", link->name,
                                 link->is_loopback ? "the loopback interface"
                                                   : "a tunnel of packets, not of frames");
    }
    if (strcmp(link->kind, "bridge") == 0) {
        return wrn_attach_refuse(
            ret_refusal, WRN_RPC_REFUSED, "BRIDGE",
            "%s is a bridge, and no bridge can be a port of another: make a pair of interfaces (ip "
            "link add a type veth peer name b; ip link set a master %s up) and attach b",
            link->name, link->name);
    }
    if (wrn_bridge_is_wireless(link->name)) {
        return wrn_attach_refuse(
            ret_refusal, WRN_RPC_REFUSED, "WIRELESS",
            "%s is wireless, and an access point takes no frames of other machines from a station: "
            "use a cable, or a network of IP packets with warren route add",
            link->name);
    }
    return true;
}

static bool check_free(struct wrn_attach *attach, wrn_handle network,
                       const struct wrn_attach_wish *wish, const struct wrn_bridge_link *link,
                       struct wrn_attach_refusal *ret_refusal) {
    struct wrn_bridge_link master = {.name = "another one"};
    if (strncmp(link->alias, "warren ", 7) == 0 && wish->vlan == 0) {
        return wrn_attach_refuse(ret_refusal, WRN_RPC_REFUSED, "OURS",
                                 "%s was made by Warren itself, as part of a network: attach the "
                                 "interface that it is made upon, or another one",
                                 link->name);
    }
    if (wish->vlan != 0 || link->master == 0 || was_put_there(attach, network, link)) {
        return true;
    }
    int error = wrn_bridge_look(attach->addresses.queries, link->master, &master);
    (void)error; /* it has gone meanwhile */
    if (strncmp(master.alias, "warren bridge ", 14) == 0) {
        return wrn_attach_refuse(ret_refusal, WRN_RPC_REFUSED, "OURS",
                                 "%s is a port of %s, a network's bridge, already", link->name,
                                 master.name);
    }
    return wrn_attach_refuse(
        ret_refusal, WRN_RPC_REFUSED, "ENSLAVED",
        "%s is a port of %s: take it out first (ip link set %s nomaster)%s%s%s", link->name,
        master.name, link->name,
        strcmp(master.kind, "bridge") == 0
            ? ", or join both by a pair of interfaces (ip link add a type veth "
              "peer name b; ip link set a master "
            : "",
        strcmp(master.kind, "bridge") == 0 ? master.name : "",
        strcmp(master.kind, "bridge") == 0 ? " up) and attach b" : "");
}

/* Whether somebody made it a port of this network's bridge by hand: then it only is to be known. */
static bool was_put_there(const struct wrn_attach *attach, wrn_handle network,
                          const struct wrn_bridge_link *link) {
    struct wrn_daemon_interface bridge;
    bool is_ours = !wrn_daemon_interface(attach->daemon, network, &bridge) || !bridge.is_bridge ||
                   link->master != bridge.index || link->index == bridge.tap_index;
    for (size_t i = 0; i < WRN_ATTACH_PORTS_MAX && !is_ours; i++) {
        const struct wrn_attach_entry *entry = &attach->entries[i];
        is_ours = entry->is_used && entry->port.index == link->index; /* a VTEP's */
    }
    return !is_ours;
}

/* Whether the host itself lives on it: as a port it would be deaf there. */
static bool check_use(struct wrn_attach *attach, const struct wrn_bridge_link *link,
                      struct wrn_attach_refusal *ret_refusal) {
    struct wrn_host_address list[LIST_MAX];
    size_t count = 0;
    if (wrn_bridge_is_default_route(attach->addresses.queries, link->index)) {
        return wrn_attach_refuse(
            ret_refusal, WRN_RPC_REFUSED, "DEFAULT_ROUTE",
            "this host's default route leads through %s: as a port of a bridge it would carry it "
            "no "
            "more, and this host would be cut off. Attach another interface, a VLAN of this one "
            "(--vlan ID), or move its addresses and route to the bridge and use --force",
            link->name);
    }
    int error = wrn_addresses_list(&attach->addresses, list, LIST_MAX, &count);
    for (size_t i = 0; i < count && i < LIST_MAX && error == 0; i++) {
        char text[WRN_PREFIX_TEXT_SIZE];
        if (list[i].interface != link->index || list[i].is_link_local) {
            continue;
        }
        (void)wrn_prefix_print(&list[i].prefix, text);
        return wrn_attach_refuse(
            ret_refusal, WRN_RPC_REFUSED, "ADDRESSES",
            "%s has the address %s, at which this host would be deaf once it is a port: take it "
            "away "
            "(ip addr del %s dev %s) and give it to the bridge, or use --force",
            link->name, text, text, link->name);
    }
    return true;
}
