/* SPDX-License-Identifier: Apache-2.0 */
/* Ports are followed by looking, not by remembering: each change of any interface has every port
 * looked at, and what is not as it should be is made so. Nothing can be missed that way, and what
 * is as it should be costs one question. */
#include "daemon/attach.h"

#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/attach_internal.h"
#include "daemon/debts.h"

enum { NAMES_MAX = 100 };

/* The interface of a VLAN of an interface; its name is empty as long as none was found. */
struct vlan_search {
    uint32_t lower;
    uint16_t vlan;
    char name[WRN_BRIDGE_NAME_SIZE];
};

static void on_network(void *ctx, wrn_handle network, bool is_there);
static void on_links(void *ctx, int fd, int events);
static void follow_all(struct wrn_attach *attach, wrn_handle network);
static void follow(struct wrn_attach *attach, struct wrn_attach_entry *entry,
                   const struct wrn_daemon_interface *bridge);
static void follow_interface(struct wrn_attach *attach, struct wrn_attach_entry *entry,
                             const struct wrn_daemon_interface *bridge);
static void follow_vtep(struct wrn_attach *attach, struct wrn_attach_entry *entry,
                        const struct wrn_daemon_interface *bridge);
static int start_vtep(struct wrn_attach_entry *entry, const struct wrn_daemon_interface *bridge);
static int find_vlan(struct wrn_attach *attach, struct wrn_attach_entry *entry,
                     const struct wrn_bridge_link *lower, struct wrn_bridge_link *ret_link);
static void say_who_has_vlan(struct wrn_attach *attach, struct wrn_attach_entry *entry,
                             const struct wrn_bridge_link *lower, const char *name);
static void look_at_vlan(void *ctx, const struct wrn_bridge_link *link);
static void join(struct wrn_attach *attach, struct wrn_attach_entry *entry,
                 const struct wrn_bridge_link *lower, struct wrn_bridge_link *link,
                 uint32_t bridge);
static void follow_mtu(struct wrn_attach *attach, wrn_handle network,
                       const struct wrn_daemon_interface *bridge);
static void set_state(struct wrn_attach *attach, struct wrn_attach_entry *entry,
                      enum wrn_attach_state state, const char *format, ...) WRN_PRINTF(4, 5);
static void let_go(struct wrn_attach *attach, struct wrn_attach_entry *entry);
static void give_back(struct wrn_attach *attach, struct wrn_attach_entry *entry);
static bool pass_on_down(struct wrn_attach *attach, const struct wrn_attach_entry *entry);
static struct wrn_attach_entry *find(struct wrn_attach *attach, wrn_handle network,
                                     const struct wrn_attach_wish *wish);
static void describe(const struct wrn_attach_entry *entry, struct wrn_attach_port *ret_port);
static bool is_l2(const struct wrn_attach *attach, wrn_handle network);

int wrn_attach_create(struct wrn_daemon *daemon, struct wrn_attach **ret_attach) {
    struct wrn_attach *attach = calloc(1, sizeof *attach);
    if (attach == NULL) {
        return -ENOMEM;
    }
    attach->daemon = daemon;
    int error = wrn_addresses_open(&attach->addresses);
    error = error != 0
                ? error
                : wrn_watch_open(wrn_daemon_loop(daemon), wrn_addresses_fd(&attach->addresses),
                                 WRN_WATCH_READ, on_links, attach, &attach->watch);
    attach->listener = (struct wrn_daemon_listener){.ctx = attach, .on_network = on_network};
    wrn_daemon_listen(daemon, &attach->listener);
    if (error != 0) {
        wrn_attach_destroy(attach);
        return error;
    }
    *ret_attach = attach;
    return 0;
}

void wrn_attach_destroy(struct wrn_attach *attach) {
    if (attach == NULL) {
        return;
    }
    wrn_daemon_unlisten(attach->daemon, &attach->listener);
    for (size_t i = 0; i < WRN_ATTACH_PORTS_MAX; i++) {
        if (attach->entries[i].is_used) {
            let_go(attach, &attach->entries[i]);
        }
    }
    wrn_watch_close(attach->watch);
    wrn_addresses_close(&attach->addresses);
    free(attach);
}

bool wrn_attach_add(struct wrn_attach *attach, wrn_handle network,
                    const struct wrn_attach_wish *wish, struct wrn_attach_port *ret_port,
                    bool *ret_is_new, struct wrn_attach_refusal *ret_refusal) {
    struct wrn_bridge_link link;
    struct wrn_attach_entry *entry = find(attach, network, wish);
    *ret_is_new = entry == NULL;
    if (entry != NULL) {
        follow_all(attach, network);
        describe(entry, ret_port);
        return true;
    }
    bool is_there = wish->interface != NULL &&
                    wrn_bridge_find(attach->addresses.queries, wish->interface, &link) == 0;
    if (!wrn_attach_check(attach, network, wish, is_there ? &link : NULL, ret_refusal)) {
        return false;
    }
    entry = wrn_attach_free_entry(attach);
    if (entry == NULL) {
        return wrn_attach_refuse(ret_refusal, WRN_RPC_REFUSED, "FULL",
                                 "this host has %d ports already: detach one first",
                                 WRN_ATTACH_PORTS_MAX);
    }
    *entry = (struct wrn_attach_entry){
        .is_used = true,
        .was_down = is_there && !link.is_up,
        .lower = is_there ? link.index : 0,
        .port = {.network = network,
                 .is_vtep = wish->interface == NULL,
                 .is_forced = wish->is_forced,
                 .vlan = wish->vlan,
                 .vtep = wish->vtep},
    };
    if (wish->interface != NULL) {
        (void)snprintf(entry->port.interface, sizeof entry->port.interface, "%s", wish->interface);
    }
    int error = wrn_attach_save(attach, network); /* first: a crash must not lose how it was */
    if (error != 0) {
        entry->is_used = false;
        return wrn_attach_refuse(ret_refusal, WRN_RPC_SYSTEM, "DISK",
                                 "it cannot be written down: %s; make room on the disk",
                                 strerror(-error));
    }
    follow_all(attach, network);
    describe(entry, ret_port);
    if (entry->port.state == WRN_ATTACH_ATTACHED ||
        (entry->port.state == WRN_ATTACH_WAITING && wish->may_come_later)) {
        return true;
    }
    (void)wrn_attach_refuse(ret_refusal, WRN_RPC_SYSTEM, "INTERFACE", "%s", entry->port.why);
    let_go(attach, entry);
    error = wrn_attach_save(attach, network);
    (void)error; /* then it is tried again at the next start, and the log says so */
    return false;
}

bool wrn_attach_remove(struct wrn_attach *attach, wrn_handle network,
                       const struct wrn_attach_wish *wish, struct wrn_attach_port *ret_port,
                       struct wrn_attach_refusal *ret_refusal) {
    struct wrn_attach_entry *entry = find(attach, network, wish);
    if (entry == NULL) {
        return wrn_attach_refuse(
            ret_refusal, WRN_RPC_NOT_FOUND, NULL,
            "%s%s is not attached to this network; what is: warren bridge show",
            wish->interface != NULL ? wish->interface : "such a VTEP",
            wish->vlan != 0 ? " with this VLAN" : "");
    }
    describe(entry, ret_port);
    entry->is_used = false; /* so that it is not written down any more */
    int error = wrn_attach_save(attach, network);
    entry->is_used = true;
    if (error != 0) {
        return wrn_attach_refuse(ret_refusal, WRN_RPC_SYSTEM, "DISK",
                                 "it cannot be written down: %s; make room on the disk",
                                 strerror(-error));
    }
    let_go(attach, entry);
    follow_all(attach, network);
    return true;
}

bool wrn_attach_next(const struct wrn_attach *attach, wrn_handle network, uint32_t *cursor,
                     struct wrn_attach_port *ret_port) {
    while (*cursor < WRN_ATTACH_PORTS_MAX) {
        const struct wrn_attach_entry *entry = &attach->entries[(*cursor)++];
        if (entry->is_used && wrn_handle_equal(entry->port.network, network)) {
            describe(entry, ret_port);
            return true;
        }
    }
    return false;
}

const char *wrn_attach_state_name(enum wrn_attach_state state) {
    static const char *const names[] = {
        [WRN_ATTACH_WAITING] = "waiting",
        [WRN_ATTACH_ATTACHED] = "attached",
        [WRN_ATTACH_TAKEN] = "taken",
        [WRN_ATTACH_FAILED] = "failed",
    };
    return (size_t)state < WRN_COUNT(names) ? names[state] : "unknown";
}

bool wrn_attach_id(const struct wrn_attach *attach, wrn_handle network,
                   char ret_id[WRN_DISK_ID_TEXT_SIZE]) {
    const struct wrn_descriptor *descriptor =
        wrn_node_descriptor(wrn_daemon_node(attach->daemon), network);
    if (descriptor != NULL) {
        wrn_disk_id(descriptor->id, ret_id);
    }
    return descriptor != NULL;
}

bool wrn_attach_is(const struct wrn_attach_entry *entry, wrn_handle network,
                   const struct wrn_attach_wish *wish) {
    const struct wrn_attach_port *port = &entry->port;
    if (!entry->is_used || port->is_vtep != (wish->interface == NULL) ||
        (!wrn_handle_equal(network, WRN_HANDLE_NONE) &&
         !wrn_handle_equal(network, port->network))) {
        return false;
    }
    return port->is_vtep
               ? wrn_endpoint_equal(&port->vtep.listen, &wish->vtep.listen)
               : strcmp(port->interface, wish->interface) == 0 && port->vlan == wish->vlan;
}

static void on_network(void *ctx, wrn_handle network, bool is_there) {
    struct wrn_attach *attach = ctx;
    if (is_there && is_l2(attach, network)) {
        wrn_attach_load(attach, network);
        follow_all(attach, network);
        return;
    }
    for (size_t i = 0; i < WRN_ATTACH_PORTS_MAX && !is_there; i++) {
        struct wrn_attach_entry *entry = &attach->entries[i];
        if (entry->is_used && wrn_handle_equal(entry->port.network, network)) {
            let_go(attach, entry);
        }
    }
}

static void on_links(void *ctx, int fd, int events) {
    struct wrn_attach *attach = ctx;
    const struct wrn_node *node = wrn_daemon_node(attach->daemon);
    uint32_t cursor = 0;
    wrn_handle network;
    (void)fd;
    (void)events;
    if (!wrn_addresses_read_events(&attach->addresses)) {
        return;
    }
    wrn_daemon_follow_bridges(attach->daemon);
    while ((network = wrn_node_next(node, &cursor)).generation != 0) {
        if (is_l2(attach, network)) {
            follow_all(attach, network);
        }
    }
}

static void follow_all(struct wrn_attach *attach, wrn_handle network) {
    struct wrn_daemon_interface bridge;
    if (!wrn_daemon_interface(attach->daemon, network, &bridge) || !bridge.is_bridge) {
        return;
    }
    for (size_t i = 0; i < WRN_ATTACH_PORTS_MAX; i++) {
        struct wrn_attach_entry *entry = &attach->entries[i];
        if (entry->is_used && wrn_handle_equal(entry->port.network, network)) {
            follow(attach, entry, &bridge);
        }
    }
    follow_mtu(attach, network, &bridge);
}

static void follow(struct wrn_attach *attach, struct wrn_attach_entry *entry,
                   const struct wrn_daemon_interface *bridge) {
    if (entry->port.is_vtep) {
        follow_vtep(attach, entry, bridge);
    } else {
        follow_interface(attach, entry, bridge);
    }
}

static void follow_interface(struct wrn_attach *attach, struct wrn_attach_entry *entry,
                             const struct wrn_daemon_interface *bridge) {
    struct wrn_attach_port *port = &entry->port;
    struct wrn_bridge_link lower;
    struct wrn_bridge_link link;
    int error = wrn_bridge_find(attach->addresses.queries, port->interface, &lower);
    if (error == -ENODEV) {
        if (port->index != 0) {
            give_back(attach, entry); /* if it is there by another name: nobody asked for that */
        }
        port->index = 0;
        entry->lower = 0;
        set_state(attach, entry, WRN_ATTACH_WAITING,
                  "there is no interface %s; it is attached when it appears", port->interface);
        return;
    }
    link = lower;
    if (error == 0 && port->vlan != 0) {
        error = find_vlan(attach, entry, &lower, &link);
    }
    if (error != 0) {
        port->index = 0;
        if (error != -EEXIST) {
            set_state(attach, entry, WRN_ATTACH_FAILED, "%s: %s%s", port->interface,
                      strerror(-error),
                      error == -EOPNOTSUPP ? "; this kernel has no VLANs: load the driver with "
                                             "`modprobe 8021q`"
                                           : "");
        }
        return;
    }
    port->index = link.index;
    port->mtu_bytes = link.mtu_bytes;
    port->has_carrier = link.has_carrier;
    memcpy(port->port, link.name, sizeof port->port);
    bool is_in = link.master == bridge->index;
    if (is_in && (link.is_up || port->state == WRN_ATTACH_ATTACHED)) {
        set_state(attach, entry, WRN_ATTACH_ATTACHED, "%s", ""); /* who sets it down may do so */
    } else if (!is_in && link.master != 0) {
        set_state(attach, entry, WRN_ATTACH_TAKEN,
                  "%s is a port of something else now; to have it back: ip link set %s nomaster",
                  link.name, link.name);
    } else {
        join(attach, entry, &lower, &link, bridge->index);
    }
    entry->lower = lower.index;
}

/* Makes it a port. What it was like is on the disk before it is changed. */
static void join(struct wrn_attach *attach, struct wrn_attach_entry *entry,
                 const struct wrn_bridge_link *lower, struct wrn_bridge_link *link,
                 uint32_t bridge) {
    struct nl_sock *queries = attach->addresses.queries;
    bool was_down = !lower->is_up;
    int error = 0;
    bool is_in = link->master == bridge; /* and could not be set up */
    if (!is_in && was_down != entry->was_down &&
        entry->lower != lower->index) { /* not the one of before */
        entry->was_down = was_down;
        error = wrn_attach_save(attach, entry->port.network);
    }
    if (error == 0 && !is_in) {
        error = wrn_bridge_set_master(queries, link->index, bridge);
    }
    if (error == 0 && !lower->is_up) {
        error = wrn_bridge_set_up(queries, lower->index, true);
    }
    if (error == 0 && link->index != lower->index && !link->is_up) {
        error = wrn_bridge_set_up(queries, link->index, true);
    }
    if (error == 0) {
        set_state(attach, entry, WRN_ATTACH_ATTACHED, "%s", "");
    } else {
        set_state(attach, entry, WRN_ATTACH_FAILED, "cannot make %s a port of the bridge: %s%s",
                  link->name, strerror(-error),
                  error == -ENETDOWN ? "; what it is made upon has to be up first (ip link set "
                                       "INTERFACE up)"
                                     : "");
    }
}

/* The interface of the VLAN: ours of before, or a new one. -EEXIST: the state says why not. */
static int find_vlan(struct wrn_attach *attach, struct wrn_attach_entry *entry,
                     const struct wrn_bridge_link *lower, struct wrn_bridge_link *ret_link) {
    struct wrn_attach_port *port = &entry->port;
    char id[WRN_DISK_ID_TEXT_SIZE];
    char alias[WRN_DAEMON_ALIAS_SIZE];
    char name[2 * WRN_ATTACH_NAME_SIZE];
    (void)snprintf(name, sizeof name, "%s.%u", port->interface, port->vlan);
    if (strlen(name) >= WRN_ATTACH_NAME_SIZE) {
        (void)snprintf(name, sizeof name, "w%u.%u", lower->index % 100000, port->vlan);
    }
    if (!wrn_attach_id(attach, port->network, id)) {
        return -ENOENT;
    }
    wrn_daemon_alias(attach->daemon, "vlan", id, alias);
    int error = wrn_bridge_find(attach->addresses.queries, name, ret_link);
    if (error == -ENODEV) {
        uint32_t index = 0;
        error = wrn_bridge_create_vlan(attach->addresses.queries, name, alias, lower->index,
                                       port->vlan, &index);
        error = error != 0 ? error : wrn_bridge_look(attach->addresses.queries, index, ret_link);
        if (error == 0) {
            int loud = wrn_addresses_make_quiet(&attach->addresses, index);
            (void)loud; /* it has an address more */
        }
    } else if (error == 0 && strcmp(ret_link->alias, alias) != 0) {
        error = -EEXIST;
    }
    if (error == -EEXIST) {
        say_who_has_vlan(attach, entry, lower, name);
    }
    return error;
}

/* Why there is no interface of ours for a VLAN: somebody else's is it, or only has its name. */
static void say_who_has_vlan(struct wrn_attach *attach, struct wrn_attach_entry *entry,
                             const struct wrn_bridge_link *lower, const char *name) {
    const struct wrn_attach_port *port = &entry->port;
    struct vlan_search search = {.lower = lower->index, .vlan = port->vlan};
    int error = wrn_bridge_walk(attach->addresses.queries, look_at_vlan, &search);
    if (error == 0 && search.name[0] == '\0') {
        set_state(
            attach, entry, WRN_ATTACH_FAILED,
            "another interface has the name %s, which VLAN %u of %s would have: rename it (ip "
            "link set %s name OTHER)",
            name, port->vlan, port->interface, name);
        return;
    }
    set_state(attach, entry, WRN_ATTACH_FAILED,
              "VLAN %u of %s has an interface already, which was not made here: attach that one "
              "itself: warren attach NETWORK %s",
              port->vlan, port->interface, search.name);
}

static void look_at_vlan(void *ctx, const struct wrn_bridge_link *link) {
    struct vlan_search *search = ctx;
    if (strcmp(link->kind, "vlan") == 0 && link->lower == search->lower &&
        link->vlan == search->vlan) {
        memcpy(search->name, link->name, sizeof search->name);
    }
}

static void follow_vtep(struct wrn_attach *attach, struct wrn_attach_entry *entry,
                        const struct wrn_daemon_interface *bridge) {
    struct wrn_attach_port *port = &entry->port;
    struct nl_sock *queries = attach->addresses.queries;
    struct wrn_bridge_link link;
    if (entry->vtep != NULL && wrn_bridge_look(queries, port->index, &link) == -ENODEV) {
        wrn_vtep_stop(entry->vtep); /* somebody deleted its device */
        entry->vtep = NULL;
    }
    int error = entry->vtep != NULL ? 0 : start_vtep(entry, bridge);
    error = error != 0 ? error : wrn_bridge_look(queries, port->index, &link);
    if (error == 0 && link.master != bridge->index) {
        error = wrn_bridge_set_master(queries, port->index, bridge->index);
    }
    if (error == 0 && !link.is_up) {
        error = wrn_bridge_set_up(queries, port->index, true);
    }
    if (error != 0) {
        set_state(attach, entry, WRN_ATTACH_FAILED, "cannot open the VTEP: %s%s", strerror(-error),
                  error == -EADDRINUSE ? ": another program has the port, a VXLAN device of this "
                                         "host perhaps: choose another one"
                  : error == -EADDRNOTAVAIL ? ": this host has no such address (yet)"
                                            : "");
        return;
    }
    port->mtu_bytes = 0;
    port->has_carrier = true;
    set_state(attach, entry, WRN_ATTACH_ATTACHED, "%s", "");
}

static int start_vtep(struct wrn_attach_entry *entry, const struct wrn_daemon_interface *bridge) {
    struct wrn_attach_port *port = &entry->port;
    int error = -EEXIST;
    for (int i = 0; i < NAMES_MAX && error == -EEXIST; i++) {
        (void)snprintf(port->port, sizeof port->port, "%.12sv%d", bridge->name, i);
        error = if_nametoindex(port->port) != 0
                    ? -EEXIST
                    : wrn_vtep_start(&port->vtep, port->port, &entry->vtep);
    }
    port->index = error == 0 ? if_nametoindex(port->port) : 0;
    return error;
}

/* What the host sends by the bridge has to fit all of its ports. */
static void follow_mtu(struct wrn_attach *attach, wrn_handle network,
                       const struct wrn_daemon_interface *bridge) {
    uint32_t mtu = 0;
    struct wrn_bridge_link link;
    for (size_t i = 0; i < WRN_ATTACH_PORTS_MAX; i++) {
        const struct wrn_attach_port *port = &attach->entries[i].port;
        if (attach->entries[i].is_used && wrn_handle_equal(port->network, network) &&
            port->state == WRN_ATTACH_ATTACHED && port->mtu_bytes != 0 &&
            (mtu == 0 || port->mtu_bytes < mtu)) {
            mtu = port->mtu_bytes;
        }
    }
    mtu = mtu == 0 ? bridge->mtu_bytes : mtu;
    if (wrn_bridge_look(attach->addresses.queries, bridge->index, &link) == 0 &&
        link.mtu_bytes != mtu) {
        int error = wrn_bridge_set_mtu(attach->addresses.queries, bridge->index, mtu);
        (void)error; /* tried again with the next change */
    }
}

static void set_state(struct wrn_attach *attach, struct wrn_attach_entry *entry,
                      enum wrn_attach_state state, const char *format, ...) {
    struct wrn_attach_port *port = &entry->port;
    char why[WRN_DAEMON_WHY_SIZE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(why, sizeof why, format, args);
    va_end(args);
    if (state == port->state && strcmp(why, port->why) == 0) {
        return;
    }
    if (state == WRN_ATTACH_ATTACHED && entry->was_down) {
        wrn_debts_owe_down(port->interface, true);
    }
    port->state = state;
    memcpy(port->why, why, sizeof port->why);
    char vtep[WRN_VTEP_TEXT_SIZE] = "";
    char vlan[sizeof ", VLAN 65535"] = "";
    if (port->is_vtep) {
        wrn_vtep_print(&port->vtep, vtep);
    } else if (port->vlan != 0) {
        (void)snprintf(vlan, sizeof vlan, ", VLAN %u", port->vlan);
    }
    wrn_log_write(wrn_daemon_log(attach->daemon),
                  state == WRN_ATTACH_FAILED ? WRN_LOG_ERROR : WRN_LOG_INFO, "port %s%s: %s%s%s",
                  port->is_vtep ? vtep : port->interface, vlan, wrn_attach_state_name(state),
                  why[0] != '\0' ? ": " : "", why);
}

static void let_go(struct wrn_attach *attach, struct wrn_attach_entry *entry) {
    if (entry->port.is_vtep) {
        wrn_vtep_stop(entry->vtep);
    } else if (entry->port.index != 0) {
        give_back(attach, entry);
    }
    *entry = (struct wrn_attach_entry){0};
}

/* As it was: no port of ours, no VLAN of ours on it, and down if it was down. The kernel takes
 * back what else a bridge does to its ports. */
static void give_back(struct wrn_attach *attach, struct wrn_attach_entry *entry) {
    struct nl_sock *queries = attach->addresses.queries;
    const struct wrn_attach_port *port = &entry->port;
    struct wrn_daemon_interface bridge = {0};
    struct wrn_bridge_link link;
    struct wrn_bridge_link lower;
    bool is_known = wrn_daemon_interface(attach->daemon, port->network, &bridge);
    int error = wrn_bridge_look(queries, port->index, &link);
    if (error == 0 && port->vlan != 0) {
        error = wrn_bridge_remove(queries, port->index);
    } else if (error == 0 && is_known && link.master == bridge.index) {
        error = wrn_bridge_set_master(queries, port->index, 0);
    }
    if (pass_on_down(attach, entry) && port->state == WRN_ATTACH_ATTACHED &&
        wrn_bridge_look(queries, entry->lower, &lower) == 0) {
        error = error != 0 ? error : wrn_bridge_set_up(queries, lower.index, false);
        wrn_debts_owe_down(port->interface, false);
    }
    if (error != 0 && error != -ENODEV) {
        wrn_log_write(wrn_daemon_log(attach->daemon), WRN_LOG_ERROR, "cannot give %s back: %s",
                      port->interface, strerror(-error));
    }
}

/* Whether the interface is to go down; not while another port needs it, which then has to know. */
static bool pass_on_down(struct wrn_attach *attach, const struct wrn_attach_entry *entry) {
    for (size_t i = 0; i < WRN_ATTACH_PORTS_MAX && entry->was_down; i++) {
        struct wrn_attach_entry *other = &attach->entries[i];
        if (other != entry && other->is_used && !other->port.is_vtep &&
            strcmp(other->port.interface, entry->port.interface) == 0) {
            other->was_down = true;
            int error = wrn_attach_save(attach, other->port.network);
            (void)error; /* then it stays up */
            return false;
        }
    }
    return entry->was_down;
}

static struct wrn_attach_entry *find(struct wrn_attach *attach, wrn_handle network,
                                     const struct wrn_attach_wish *wish) {
    for (size_t i = 0; i < WRN_ATTACH_PORTS_MAX; i++) {
        if (wrn_attach_is(&attach->entries[i], network, wish)) {
            return &attach->entries[i];
        }
    }
    return NULL;
}

struct wrn_attach_entry *wrn_attach_free_entry(struct wrn_attach *attach) {
    for (size_t i = 0; i < WRN_ATTACH_PORTS_MAX; i++) {
        if (!attach->entries[i].is_used) {
            return &attach->entries[i];
        }
    }
    return NULL;
}

static void describe(const struct wrn_attach_entry *entry, struct wrn_attach_port *ret_port) {
    *ret_port = entry->port;
    if (entry->vtep != NULL) {
        wrn_vtep_counters(entry->vtep, &ret_port->counters);
        ret_port->remote = wrn_vtep_remote(entry->vtep);
    }
}

static bool is_l2(const struct wrn_attach *attach, wrn_handle network) {
    const struct wrn_descriptor *descriptor =
        wrn_node_descriptor(wrn_daemon_node(attach->daemon), network);
    return descriptor != NULL && descriptor->kind == WRN_NETWORK_L2;
}
