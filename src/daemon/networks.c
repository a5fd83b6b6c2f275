/* SPDX-License-Identifier: Apache-2.0 */
/* Networks of this host: their interfaces, addresses and routes, their state on the disk, from
 * joining to leaving. */
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/daemon_internal.h"
#include "io/clock.h"
#include "io/memory.h"
#include "io/segments.h"

enum {
    NAMES_MAX = 1000,   /* wrn0 to wrn999 are tried */
    SAVE_WITHIN_S = 60, /* what is not urgent */
    SAVE_AGAIN_S = 5,   /* after a failure */
    UNSERVED_MAX = WRN_NODE_NETWORKS_MAX,
};

static int start(struct wrn_daemon *daemon, wrn_span state, wrn_handle *ret_network,
                 char why[WRN_DAEMON_WHY_SIZE]);
static int start_with(struct wrn_daemon *daemon, wrn_span state,
                      const struct wrn_descriptor *descriptor, struct wrn_tun tun,
                      const struct wrn_daemon_network *interface, wrn_handle *ret_network,
                      char why[WRN_DAEMON_WHY_SIZE]);
static int enter(struct wrn_daemon *daemon, wrn_span state, void *memory, size_t size,
                 const struct wrn_descriptor *descriptor, struct wrn_tun tun,
                 const struct wrn_daemon_network *interface, wrn_handle *ret_network);
static void drop_interface(struct wrn_daemon *daemon, struct wrn_daemon_network *network,
                           struct wrn_tun *tun);
static bool load_one(void *ctx, const char *id);
static int make_interface(struct wrn_daemon *daemon, const char *wanted,
                          struct wrn_daemon_network *network, struct wrn_tun *ret_tun);
static void note_unserved(struct wrn_daemon *daemon, const char *id, const char *why);
static void forget_unserved(struct wrn_daemon *daemon, const char *id);
static const char *next_step(int error);
static int prepare_interface(struct wrn_daemon *daemon, struct wrn_daemon_network *network);
static void remake_interface(struct wrn_daemon *daemon, struct wrn_daemon_network *network);
static int apply_prefix(struct wrn_daemon *daemon, const struct wrn_daemon_network *network,
                        const struct wrn_prefix *prefix, bool is_route, bool is_there);
static bool note_prefix(struct wrn_daemon_network *network, const struct wrn_prefix *prefix,
                        bool is_route, bool is_there);
static int save(struct wrn_daemon *daemon, struct wrn_daemon_network *network);
static bool is_none(wrn_handle handle);

int wrn_daemon_add_network(struct wrn_daemon *daemon, wrn_span state, wrn_handle *ret_network,
                           char reterr_why[WRN_DAEMON_WHY_SIZE]) {
    char id[WRN_DISK_ID_TEXT_SIZE];
    struct wrn_sexp sexp;
    size_t capacity = wrn_sexp_capacity(state.size);
    uint8_t *canonical = malloc(capacity);
    struct wrn_state *read = malloc(sizeof *read);
    int error = canonical == NULL || read == NULL ? -ENOMEM : 0;
    if (error == 0 &&
        wrn_sexp_read(WRN_SEXP_ANY, state, canonical, capacity, &sexp, NULL, NULL) != 0) {
        error = WRN_ERR_MALFORMED;
    }
    if (error == 0) {
        enum wrn_state_fault fault = wrn_state_read(sexp.bytes, read);
        error = fault == WRN_STATE_OK ? 0 : WRN_ERR_MALFORMED;
        wrn_disk_id(read->descriptor.id, id);
    }
    wrn_disk_free((uint8_t *)read, read == NULL ? 0 : sizeof *read);
    if (error != 0) {
        (void)wrn_daemon_complain(error, reterr_why, "%s",
                                  error == -ENOMEM ? "no memory is left"
                                                   : "that is not the state of a network");
    }
    for (uint32_t i = 0; i < WRN_NODE_NETWORKS_MAX && error == 0; i++) {
        if (!is_none(daemon->networks[i].handle) && strcmp(daemon->networks[i].id, id) == 0) {
            error = wrn_daemon_complain(-EEXIST, reterr_why,
                                        "this machine is in the network %s already; to join it "
                                        "anew, leave it first: warren network leave %s",
                                        daemon->networks[i].name, daemon->networks[i].name);
        }
    }
    if (error == 0) {
        error = wrn_disk_write_state(daemon->folder, id, sexp.bytes);
        if (error != 0) {
            (void)wrn_daemon_complain(error, reterr_why,
                                      "cannot write %s/networks/%s/state: %s; make room there, or "
                                      "look at the disk",
                                      daemon->options->state, id, strerror(-error));
        } else {
            error = start(daemon, sexp.bytes, ret_network, reterr_why);
        }
        if (error == 0) {
            forget_unserved(daemon, id);
        } else {
            int left = wrn_disk_remove(daemon->folder, id);
            (void)left; /* removed at the next start, or started */
        }
    }
    wrn_disk_free(canonical, capacity);
    return error;
}

void wrn_daemon_leave(struct wrn_daemon *daemon, wrn_handle handle, wrn_daemon_gone_fn on_gone,
                      void *ctx) {
    struct wrn_daemon_network *network = wrn_daemon_find(daemon, handle);
    struct wrn_now now;
    if (network == NULL) {
        if (on_gone != NULL) {
            on_gone(ctx, handle);
        }
        return;
    }
    network->is_forgotten = true;
    network->on_gone = on_gone;
    network->gone_ctx = ctx;
    struct wrn_node_out *out = wrn_daemon_begin(daemon, &now);
    wrn_node_leave(daemon->node, now, handle, true, out);
    wrn_daemon_perform(daemon);
}

int wrn_daemon_save_now(struct wrn_daemon *daemon, wrn_handle handle) {
    struct wrn_daemon_network *network = wrn_daemon_find(daemon, handle);
    return network == NULL ? -ENOENT : save(daemon, network);
}

bool wrn_daemon_interface(const struct wrn_daemon *daemon, wrn_handle handle,
                          struct wrn_daemon_interface *ret_interface) {
    const struct wrn_daemon_network *network =
        wrn_daemon_find((struct wrn_daemon *)(uintptr_t)daemon, handle);
    if (network == NULL) {
        return false;
    }
    struct wrn_daemon_interface interface = {
        .index = network->index,
        .is_bridge = network->is_bridged,
        .tap_index = network->tap_index,
        .mtu_bytes = network->is_bridged ? WRN_DAEMON_FRAME_MTU : wrn_node_mtu(daemon->node),
        .address_count = network->address_count,
        .route_count = network->route_count,
    };
    memcpy(interface.name, network->interface, sizeof interface.name);
    memcpy(interface.tap, network->tap, sizeof interface.tap);
    memcpy(interface.addresses, network->addresses, sizeof interface.addresses);
    memcpy(interface.routes, network->routes, sizeof interface.routes);
    wrn_wg_drops(network->wg, interface.drops);
    memcpy(interface.events, network->events, sizeof interface.events);
    *ret_interface = interface;
    return true;
}

void wrn_daemon_load_networks(struct wrn_daemon *daemon) {
    int error = wrn_disk_walk(daemon->folder, load_one, daemon);
    if (error != 0) {
        wrn_log_write(daemon->log, WRN_LOG_ERROR, "cannot list %s/networks: %s",
                      daemon->options->state, strerror(-error));
    }
    wrn_daemon_sweep_bridges(daemon);
}

const struct wrn_daemon_unserved *wrn_daemon_unserved(const struct wrn_daemon *daemon,
                                                      size_t index) {
    return index < daemon->unserved_count ? &daemon->unserved[index] : NULL;
}

void wrn_daemon_network_gone(struct wrn_daemon *daemon, struct wrn_daemon_network *network) {
    struct wrn_daemon_network gone = *network;
    wrn_daemon_tell_network(daemon, gone.handle, false);
    wrn_daemon_let_ranges_go(daemon, network);
    if (!is_none(gone.machine)) {
        wrn_crew_remove(daemon->crew, gone.machine); /* and with it interface and addresses */
    }
    if (gone.is_bridged) {
        wrn_daemon_remove_bridge(daemon, &gone);
    }
    wrn_extra_close(daemon->extra, gone.handle.index, 1, WRN_SOCKETS_MAX - 1);
    wrn_node_remove(daemon->node, gone.handle);
    wrn_memory_unmap(gone.memory, gone.memory_size);
    *network = (struct wrn_daemon_network){.handle = WRN_HANDLE_NONE};
    if (gone.is_forgotten) {
        int error = wrn_disk_remove(daemon->folder, gone.id);
        if (error != 0) {
            wrn_log_write(daemon->log, WRN_LOG_ERROR,
                          "cannot remove %s/networks/%s: %s; remove it, or warrend will join the "
                          "network again when it starts",
                          daemon->options->state, gone.id, strerror(-error));
        }
    }
    wrn_log_write(daemon->log, WRN_LOG_INFO, "%s the network %s",
                  gone.is_forgotten ? "has left" : "stops serving", gone.name);
    if (gone.on_gone != NULL) {
        gone.on_gone(gone.gone_ctx, gone.handle);
    }
}

void wrn_daemon_note_save(struct wrn_daemon *daemon, struct wrn_daemon_network *network,
                          bool is_urgent) {
    if (is_urgent) {
        int error = save(daemon, network);
        (void)error; /* logged, and tried again */
    } else {
        network->save_due = wrn_mono_min(network->save_due,
                                         wrn_mono_add(wrn_clock_read().mono, WRN_S(SAVE_WITHIN_S)));
    }
}

void wrn_daemon_do_chores(struct wrn_daemon *daemon) {
    wrn_mono now = wrn_clock_read().mono;
    for (uint32_t i = 0; i < WRN_NODE_NETWORKS_MAX; i++) {
        struct wrn_daemon_network *network = &daemon->networks[i];
        if (is_none(network->handle)) {
            continue;
        }
        if (wrn_mono_reached(now, network->save_due)) {
            int error = save(daemon, network);
            (void)error;
        }
        if (is_none(network->machine)) {
            remake_interface(daemon, network);
        }
    }
    wrn_daemon_follow_overlaps(daemon);
}

void wrn_daemon_set_prefix(struct wrn_daemon *daemon, struct wrn_daemon_network *network,
                           const struct wrn_prefix *prefix, bool is_route, bool is_there) {
    char text[WRN_PREFIX_TEXT_SIZE];
    if (!note_prefix(network, prefix, is_route, is_there)) {
        return; /* it is so already */
    }
    int error = apply_prefix(daemon, network, prefix, is_route, is_there);
    (void)wrn_prefix_print(prefix, text);
    if (error != 0) {
        wrn_log_write(
            daemon->log, WRN_LOG_ERROR, "%s: cannot %s the %s %s: %s%s", network->interface,
            is_there ? "set" : "take away", is_route ? "route" : "address", text, strerror(-error),
            prefix->ip.family == WRN_FAMILY_IPV6 &&
                    (error == -EACCES || error == -EOPNOTSUPP || error == -EPERM)
                ? "; IPv6 may be switched off (net.ipv6.conf.all.disable_ipv6)"
            : is_route && error == -EEXIST ? "; another route to it is there already, which stays"
                                           : "");
    }
    wrn_daemon_tell_prefix(daemon, network->handle, prefix, is_route, is_there);
}

void wrn_daemon_interface_deleted(struct wrn_daemon *daemon, wrn_handle machine) {
    for (uint32_t i = 0; i < WRN_NODE_NETWORKS_MAX; i++) {
        struct wrn_daemon_network *network = &daemon->networks[i];
        if (!is_none(network->handle) && wrn_handle_equal(network->machine, machine)) {
            wrn_log_write(daemon->log, WRN_LOG_ERROR,
                          "the interface %s was deleted by somebody: making it anew (to leave the "
                          "network: `warren network leave %s`)",
                          network->interface, network->name);
            wrn_crew_remove(daemon->crew, machine);
            network->machine = WRN_HANDLE_NONE;
            network->peer_route_count = 0;
            remake_interface(daemon, network);
        }
    }
}

/* Starts a network from its canonical state. */
static int start(struct wrn_daemon *daemon, wrn_span state, wrn_handle *ret_network,
                 char why[WRN_DAEMON_WHY_SIZE]) {
    struct wrn_daemon_network interface = {.handle = WRN_HANDLE_NONE};
    struct wrn_tun tun = WRN_TUN_NONE;
    struct wrn_descriptor descriptor;
    struct wrn_state *read = malloc(sizeof *read);
    if (read == NULL) {
        return wrn_daemon_complain(-ENOMEM, why, "no memory is left");
    }
    enum wrn_state_fault fault = wrn_state_read(state, read);
    descriptor = read->descriptor;
    wrn_disk_free((uint8_t *)read, sizeof *read);
    if (fault != WRN_STATE_OK) {
        return wrn_daemon_complain(WRN_ERR_MALFORMED, why, "%s", wrn_state_fault_text(fault));
    }
    interface.is_bridged = descriptor.kind == WRN_NETWORK_L2;
    wrn_disk_id(descriptor.id, interface.id);
    int error = make_interface(daemon, descriptor.name, &interface, &tun);
    if (error != 0) {
        return wrn_daemon_complain(error, why,
                                   "cannot make an interface for the network %s: %s; %s",
                                   descriptor.name, strerror(-error), next_step(error));
    }
    return start_with(daemon, state, &descriptor, tun, &interface, ret_network, why);
}

/* Takes 'tun' over. */
static int start_with(struct wrn_daemon *daemon, wrn_span state,
                      const struct wrn_descriptor *descriptor, struct wrn_tun tun,
                      const struct wrn_daemon_network *interface, wrn_handle *ret_network,
                      char why[WRN_DAEMON_WHY_SIZE]) {
    struct wrn_daemon_network made = *interface;
    void *memory = NULL;
    size_t size = wrn_node_network_size(daemon->node);
    int error = wrn_memory_map(size, &memory);
    if (error != 0) {
        drop_interface(daemon, &made, &tun);
        return wrn_daemon_complain(error, why, "no memory is left");
    }
    error = enter(daemon, state, memory, size, descriptor, tun, interface, ret_network);
    if (error != 0) {
        wrn_memory_unmap(memory, size);
        drop_interface(daemon, &made, NULL);
        return wrn_daemon_complain(
            error, why, "cannot start the network %s: %s", descriptor->name,
            error == WRN_ERR_FULL ? "this machine is in as many networks as it can be: leave "
                                    "one"
            : error == -EEXIST    ? "this machine is in it already"
            : error == WRN_ERR_MALFORMED ? "its state cannot be used by this machine"
                                         : strerror(-error));
    }
    wrn_daemon_look_around(daemon, true); /* the new one does not know yet */
    wrn_log_write(daemon->log, WRN_LOG_INFO, "serves the network %s by the interface %s",
                  descriptor->name, interface->interface);
    return 0;
}

/* Takes 'tun' over, and 'memory' if it returns 0. */
static int enter(struct wrn_daemon *daemon, wrn_span state, void *memory, size_t size,
                 const struct wrn_descriptor *descriptor, struct wrn_tun tun,
                 const struct wrn_daemon_network *interface, wrn_handle *ret_network) {
    wrn_handle handle = WRN_HANDLE_NONE;
    struct wrn_now now;
    struct wrn_node_out *out = wrn_daemon_begin(daemon, &now);
    enum wrn_reason reason = wrn_node_add(daemon->node, now, memory, state, out, &handle);
    int error = reason == WRN_REASON_NONE       ? 0
                : reason == WRN_REASON_FULL     ? WRN_ERR_FULL
                : reason == WRN_REASON_REPLAYED ? -EEXIST
                                                : WRN_ERR_MALFORMED;
    if (error != 0) {
        wrn_tun_close(&tun);
        wrn_node_out_reset(out);
        wrn_daemon_perform(daemon);
        return error;
    }
    struct wrn_daemon_network *network = &daemon->networks[handle.index];
    *network = (struct wrn_daemon_network){
        .handle = handle,
        .wg = wrn_node_wg(daemon->node, handle),
        .memory = memory,
        .memory_size = size,
        .save_due = WRN_MONO_NEVER,
        .is_bridged = interface->is_bridged,
        .index = interface->index,
        .tap_index = interface->tap_index,
    };
    wrn_disk_id(descriptor->id, network->id);
    memcpy(network->name, descriptor->name, sizeof network->name);
    memcpy(network->interface, interface->interface, sizeof network->interface);
    memcpy(network->tap, interface->tap, sizeof network->tap);
    error = wrn_crew_add(daemon->crew, network->wg, wrn_node_tag(daemon->node, handle),
                         wrn_node_switch(daemon->node, handle), tun, &network->machine);
    error = error != 0 ? error : prepare_interface(daemon, network);
    if (error != 0) {
        if (!is_none(network->machine)) {
            wrn_crew_remove(daemon->crew, network->machine);
        }
        *network = (struct wrn_daemon_network){.handle = WRN_HANDLE_NONE};
        out->wg->message_count = 0;
        out->wg->event_count = 0;
        wrn_node_out_reset(out);
        wrn_node_remove(daemon->node, handle);
        wrn_daemon_perform(daemon);
        return error;
    }
    wrn_daemon_keep_ranges(daemon, network);
    wrn_settle_run(&daemon->settle, network->wg, now);
    wrn_daemon_tell_network(daemon, handle, true);
    wrn_daemon_perform(daemon);
    *ret_network = handle;
    return 0;
}

static bool load_one(void *ctx, const char *id) {
    struct wrn_daemon *daemon = ctx;
    char why[WRN_DISK_WHY_SIZE];
    static_assert((int)WRN_DISK_WHY_SIZE == (int)WRN_DAEMON_WHY_SIZE, "the same room");
    uint8_t *canonical = NULL;
    size_t capacity = 0;
    wrn_span state;
    wrn_handle network;
    int error = wrn_disk_read_state(daemon->folder, daemon->options->state, id, &canonical,
                                    &capacity, &state, why);
    if (error == 0) {
        error = start(daemon, state, &network, why);
    }
    if (error != 0) {
        wrn_log_write(daemon->log, WRN_LOG_ERROR, "network %.16s is not served: %s", id, why);
        note_unserved(daemon, id, why);
    }
    wrn_disk_free(canonical, capacity);
    return true;
}

/* No room for it, and the log alone knows. */
static void note_unserved(struct wrn_daemon *daemon, const char *id, const char *why) {
    if (daemon->unserved == NULL) {
        daemon->unserved = calloc(UNSERVED_MAX, sizeof *daemon->unserved);
    }
    if (daemon->unserved != NULL && daemon->unserved_count < UNSERVED_MAX) {
        struct wrn_daemon_unserved *unserved = &daemon->unserved[daemon->unserved_count++];
        (void)snprintf(unserved->id, sizeof unserved->id, "%s", id);
        (void)snprintf(unserved->why, sizeof unserved->why, "%s", why);
    }
}

static void forget_unserved(struct wrn_daemon *daemon, const char *id) {
    for (size_t i = 0; i < daemon->unserved_count; i++) {
        if (strcmp(daemon->unserved[i].id, id) == 0) {
            daemon->unserved[i] = daemon->unserved[--daemon->unserved_count];
            return;
        }
    }
}

/* Makes what a network has of interfaces: a TUN device, called as is wanted if that is a name that
 * is free, else wrn0, wrn1, …; or a bridge. */
static int make_interface(struct wrn_daemon *daemon, const char *wanted,
                          struct wrn_daemon_network *network, struct wrn_tun *ret_tun) {
    char *ret_name = network->interface;
    int error = -EEXIST;
    if (network->is_bridged) {
        return wrn_daemon_make_bridge(daemon, wanted, network, ret_tun);
    }
    if (wrn_tun_name_problem(wanted) == NULL && if_nametoindex(wanted) == 0) {
        (void)snprintf(ret_name, WRN_TUN_NAME_SIZE, "%s", wanted);
        error = wrn_tun_create(ret_name, ret_tun);
        error = error == -EINVAL ? -EEXIST : error; /* the kernel's own words: all, default */
    }
    for (int i = 0; i < NAMES_MAX && (error == -EEXIST || error == -EBUSY); i++) {
        (void)snprintf(ret_name, WRN_TUN_NAME_SIZE, "wrn%d", i);
        error = if_nametoindex(ret_name) != 0 ? -EEXIST : wrn_tun_create(ret_name, ret_tun);
    }
    return error;
}

/* Takes away what make_interface made; 'tun' is NULL if the crew has it. */
static void drop_interface(struct wrn_daemon *daemon, struct wrn_daemon_network *network,
                           struct wrn_tun *tun) {
    if (tun != NULL) {
        wrn_tun_close(tun);
    }
    if (network->is_bridged) {
        wrn_daemon_remove_bridge(daemon, network);
    }
}

static const char *next_step(int error) {
    switch (error) {
    case -ENOENT:
    case -ENODEV:
    case -ENXIO:
        return "load the driver with `modprobe tun`; in a container, hand /dev/net/tun in";
    case -EPERM:
    case -EACCES:
        return "start warrend as root, or with the capability CAP_NET_ADMIN";
    case -ENOTTY:
    case -EBADFD:
        return "/dev/net/tun is not the device: remove it, and `modprobe tun`; in a container, "
               "hand the host's in";
    default:
        return "look at `ip link`";
    }
}

/* Brings the interface up; addresses come from the node. What is refused but for that is no matter:
 * the host's large packets keep their size, the interface has an address more. */
static int prepare_interface(struct wrn_daemon *daemon, struct wrn_daemon_network *network) {
    if (network->is_bridged) {
        return 0; /* it is up since it was made */
    }
    network->index = if_nametoindex(network->interface);
    if (network->index == 0) {
        return -ENODEV;
    }
    int refused = wrn_addresses_make_quiet(&daemon->addresses, network->index);
    uint32_t mtu = wrn_node_mtu(daemon->node);
    int error = wrn_addresses_set_link(&daemon->addresses, network->index, true, mtu);
    if (error == 0) {
        refused = wrn_segments_limit(daemon->addresses.queries, network->index,
                                     wrn_segments_of(mtu, true));
    }
    (void)refused;
    return error;
}

/* Makes an interface anew that somebody deleted, with all that was on it. */
static void remake_interface(struct wrn_daemon *daemon, struct wrn_daemon_network *network) {
    struct wrn_tun tun = WRN_TUN_NONE;
    char wanted[WRN_TUN_NAME_SIZE];
    memcpy(wanted, network->interface, sizeof wanted);
    int error = make_interface(daemon, wanted, network, &tun);
    error =
        error != 0
            ? error
            : wrn_crew_add(daemon->crew, network->wg, wrn_node_tag(daemon->node, network->handle),
                           wrn_node_switch(daemon->node, network->handle), tun, &network->machine);
    error = error != 0 ? error : prepare_interface(daemon, network);
    for (uint32_t i = 0; i < network->address_count && error == 0; i++) {
        error = apply_prefix(daemon, network, &network->addresses[i], false, true);
    }
    for (uint32_t i = 0; i < network->route_count && error == 0; i++) {
        error = apply_prefix(daemon, network, &network->routes[i], true, true);
    }
    if (error != 0) {
        wrn_log_write(daemon->log, WRN_LOG_ERROR,
                      "cannot make the interface of the network %s anew: %s; %s", network->name,
                      strerror(-error), next_step(error));
    }
}

static int apply_prefix(struct wrn_daemon *daemon, const struct wrn_daemon_network *network,
                        const struct wrn_prefix *prefix, bool is_route, bool is_there) {
    static const struct wrn_ip any = {0};
    const struct wrn_addresses *addresses = &daemon->addresses;
    if (is_none(network->machine)) {
        return 0; /* it comes with the interface */
    }
    if (is_route) {
        return is_there ? wrn_addresses_add_route(addresses, network->index, prefix, &any)
                        : wrn_addresses_remove_route(addresses, network->index, prefix);
    }
    return is_there ? wrn_addresses_add(addresses, network->index, prefix)
                    : wrn_addresses_remove(addresses, network->index, prefix);
}

/* Notes what is on the interface. Returns whether that is news. */
static bool note_prefix(struct wrn_daemon_network *network, const struct wrn_prefix *prefix,
                        bool is_route, bool is_there) {
    struct wrn_prefix *list = is_route ? network->routes : network->addresses;
    uint32_t *count = is_route ? &network->route_count : &network->address_count;
    uint32_t max = is_route ? WRN_DAEMON_ROUTES_MAX : WRN_DAEMON_ADDRESSES_MAX;
    uint32_t at = 0;
    while (at < *count && (!wrn_ip_equal(&list[at].ip, &prefix->ip) ||
                           list[at].length_bits != prefix->length_bits)) {
        at++;
    }
    bool was_there = at < *count;
    if (is_there && !was_there && *count < max) {
        list[(*count)++] = *prefix;
    } else if (!is_there && was_there) {
        list[at] = list[--*count];
    }
    return is_there != was_there;
}

static int save(struct wrn_daemon *daemon, struct wrn_daemon_network *network) {
    uint8_t *bytes = malloc(WRN_STATE_MAX);
    size_t size =
        bytes == NULL ? 0 : wrn_node_save(daemon->node, network->handle, bytes, WRN_STATE_MAX);
    int error = size == 0
                    ? -ENOMEM
                    : wrn_disk_write_state(daemon->folder, network->id, (wrn_span){bytes, size});
    wrn_disk_free(bytes, WRN_STATE_MAX);
    network->save_due = WRN_MONO_NEVER;
    if (error != 0) {
        daemon->failed_saves++;
        network->save_due = wrn_mono_add(wrn_clock_read().mono, WRN_S(SAVE_AGAIN_S));
        wrn_log_write(daemon->log, WRN_LOG_ERROR,
                      "cannot write %s/networks/%s/state: %s; trying again in %d s",
                      daemon->options->state, network->id, strerror(-error), SAVE_AGAIN_S);
    }
    return error;
}

static bool is_none(wrn_handle handle) {
    return wrn_handle_equal(handle, WRN_HANDLE_NONE);
}
