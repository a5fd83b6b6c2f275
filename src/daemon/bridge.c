/* SPDX-License-Identifier: Apache-2.0 */
/* The bridges of l2 networks: made with their TAP port, found again after a crash, taken away. What
 * else is a port of them is attach.c's. */
#include "io/bridge.h"

#include <net/if.h>
#include <stdio.h>
#include <unistd.h>

#include "daemon/daemon_internal.h"
#include "daemon/debts.h"
#include "io/cleanup.h"
#include "io/segments.h"

enum {
    NAMES_MAX = 1000,
    LEFT_MAX = 64,
    PATH_SIZE = 80,
    PAYLOAD_MAX = 1440, /* of a tunnel on the usual underlay, without the overhead */
};

/* A bridge that was left, or all of them. */
struct search {
    const char *alias;  /* of the one that is looked for; NULL: all of this identity */
    const char *suffix; /* which all of this identity's have */
    size_t count;
    struct wrn_bridge_link found[LEFT_MAX];
};

static int make_bridge(struct wrn_daemon *daemon, const char *wanted,
                       struct wrn_daemon_network *network);
static bool take_over(struct wrn_daemon *daemon, struct wrn_daemon_network *network);
static int try_name(struct wrn_daemon *daemon, const char *name,
                    struct wrn_daemon_network *network);
static int make_tap(struct wrn_daemon *daemon, struct wrn_daemon_network *network,
                    struct wrn_tun *ret_tun);
static uint8_t value_of(char digit);
static void make_deaf(const char *name);
static void owe_links(const struct wrn_daemon *daemon, const struct wrn_daemon_network *network,
                      bool is_owed);
static void suffix_of(const struct wrn_daemon *daemon, char ret_suffix[WRN_DAEMON_ALIAS_SIZE]);
static void note_left(void *ctx, const struct wrn_bridge_link *link);
static bool is_in_use(struct wrn_daemon *daemon, const char *alias);

void wrn_daemon_alias(const struct wrn_daemon *daemon, const char *what, const char *id,
                      char ret_alias[WRN_DAEMON_ALIAS_SIZE]) {
    char hit[WRN_HIT_TEXT_SIZE];
    wrn_hit_print(wrn_node_hit(daemon->node), hit);
    (void)snprintf(ret_alias, WRN_DAEMON_ALIAS_SIZE, "warren %s %s of %s", what, id, hit);
}

int wrn_daemon_make_bridge(struct wrn_daemon *daemon, const char *wanted,
                           struct wrn_daemon_network *network, struct wrn_tun *ret_tun) {
    struct wrn_tun tun = WRN_TUN_NONE;
    bool was_there = take_over(daemon, network);
    int error = was_there ? 0 : make_bridge(daemon, wanted, network);
    if (error != 0) {
        return error;
    }
    owe_links(daemon, network, true);
    error = make_tap(daemon, network, &tun);
    error = error != 0 ? error : wrn_bridge_set_up(daemon->addresses.queries, network->index, true);
    if (error != 0) {
        wrn_tun_close(&tun);
        wrn_daemon_remove_bridge(daemon, network);
        return error;
    }
    if (was_there) {
        wrn_log_write(daemon->log, WRN_LOG_INFO,
                      "takes over the bridge %s that was left of before, with its ports",
                      network->interface);
    }
    *ret_tun = tun;
    return 0;
}

void wrn_daemon_remove_bridge(struct wrn_daemon *daemon, struct wrn_daemon_network *network) {
    int error =
        network->index == 0 ? 0 : wrn_bridge_remove(daemon->addresses.queries, network->index);
    if (error != 0) {
        wrn_log_write(daemon->log, WRN_LOG_ERROR,
                      "cannot remove the bridge %s: %s; remove it: ip link del %s",
                      network->interface, strerror(-error), network->interface);
    }
    network->index = 0;
    owe_links(daemon, network, false);
}

void wrn_daemon_follow_bridges(struct wrn_daemon *daemon) {
    for (uint32_t i = 0; i < WRN_NODE_NETWORKS_MAX; i++) {
        struct wrn_daemon_network *network = &daemon->networks[i];
        struct wrn_bridge_link tap;
        struct wrn_bridge_link bridge;
        struct nl_sock *queries = daemon->addresses.queries;
        if (wrn_handle_equal(network->handle, WRN_HANDLE_NONE) || !network->is_bridged ||
            wrn_handle_equal(network->machine, WRN_HANDLE_NONE) ||
            wrn_bridge_look(queries, network->tap_index, &tap) != 0) {
            continue; /* a TAP device that has gone is reported by whoever reads it */
        }
        int error = wrn_bridge_look(queries, network->index, &bridge);
        if (error == -ENODEV) {
            wrn_daemon_interface_deleted(daemon, network->machine);
        } else if (error == 0 && tap.master != network->index) {
            error = wrn_bridge_set_master(queries, network->tap_index, network->index);
            wrn_log_write(daemon->log, WRN_LOG_ERROR, "somebody took %s out of the bridge %s: %s",
                          network->tap, network->interface,
                          error == 0 ? "put back" : strerror(-error));
        }
    }
}

void wrn_daemon_sweep_bridges(struct wrn_daemon *daemon) {
    char suffix[WRN_DAEMON_ALIAS_SIZE];
    suffix_of(daemon, suffix);
    struct search search = {.suffix = suffix};
    int error = wrn_bridge_walk(daemon->addresses.queries, note_left, &search);
    for (size_t i = 0; i < search.count && error == 0; i++) {
        const struct wrn_bridge_link *link = &search.found[i];
        if (is_in_use(daemon, link->alias)) {
            continue;
        }
        int left = wrn_bridge_remove(daemon->addresses.queries, link->index);
        wrn_log_write(daemon->log, left == 0 ? WRN_LOG_INFO : WRN_LOG_ERROR,
                      "%s %s, which was left of a network that this host is in no more%s%s",
                      left == 0 ? "removed" : "cannot remove", link->name, left == 0 ? "" : ": ",
                      left == 0 ? "" : strerror(-left));
    }
}

/* The bridge of this network that a daemon of this identity left. */
static bool take_over(struct wrn_daemon *daemon, struct wrn_daemon_network *network) {
    char alias[WRN_DAEMON_ALIAS_SIZE];
    wrn_daemon_alias(daemon, "bridge", network->id, alias);
    struct search search = {.alias = alias};
    if (wrn_bridge_walk(daemon->addresses.queries, note_left, &search) != 0 || search.count == 0 ||
        strlen(search.found[0].name) + 1 >= sizeof network->tap) {
        return false;
    }
    network->index = search.found[0].index;
    memcpy(network->interface, search.found[0].name, sizeof network->interface);
    return true;
}

static int make_bridge(struct wrn_daemon *daemon, const char *wanted,
                       struct wrn_daemon_network *network) {
    char name[WRN_TUN_NAME_SIZE];
    int error = -EEXIST;
    if (wrn_tun_name_problem(wanted) == NULL && strlen(wanted) + 1 < sizeof network->tap) {
        error = try_name(daemon, wanted, network);
    }
    for (int i = 0; i < NAMES_MAX && error == -EEXIST; i++) {
        (void)snprintf(name, sizeof name, "wrn%d", i);
        error = try_name(daemon, name, network);
    }
    return error;
}

/* The bridge's address is always the same, whatever becomes a port of it: else the host would have
 * another address on the LAN each time. */
static int try_name(struct wrn_daemon *daemon, const char *name,
                    struct wrn_daemon_network *network) {
    char alias[WRN_DAEMON_ALIAS_SIZE];
    char tap[WRN_TUN_NAME_SIZE + 1];
    uint8_t mac[WRN_MAC_ADDRESS_SIZE], id[WRN_MAC_ADDRESS_SIZE];
    (void)snprintf(tap, sizeof tap, "%st", name);
    if (if_nametoindex(name) != 0 || if_nametoindex(tap) != 0) {
        return -EEXIST;
    }
    for (size_t i = 0; i < sizeof id; i++) {
        id[i] = (uint8_t)(value_of(network->id[2 * i]) << 4 | value_of(network->id[2 * i + 1]));
    }
    wrn_node_bridge_mac(daemon->node, id, mac);
    wrn_daemon_alias(daemon, "bridge", network->id, alias);
    int error = wrn_bridge_create(daemon->addresses.queries, name, alias, mac, &network->index);
    if (error == 0) {
        (void)snprintf(network->interface, sizeof network->interface, "%s", name);
        int refused = wrn_addresses_make_quiet(&daemon->addresses, network->index);
        (void)refused; /* it has an address more */
        make_deaf(name);
    }
    return error;
}

/* Of a small hexadecimal digit. */
static uint8_t value_of(char digit) {
    return (uint8_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

static int make_tap(struct wrn_daemon *daemon, struct wrn_daemon_network *network,
                    struct wrn_tun *ret_tun) {
    struct nl_sock *queries = daemon->addresses.queries;
    struct wrn_tun tun = WRN_TUN_NONE;
    (void)snprintf(network->tap, sizeof network->tap, "%.14st", network->interface);
    int error = wrn_tun_create_tap(network->tap, &tun);
    if (error != 0) {
        return error;
    }
    network->tap_index = if_nametoindex(network->tap);
    int loud = wrn_addresses_make_quiet(&daemon->addresses, network->tap_index);
    /* The bridge, from which the host's own connections go; to the port others hand over what they
     * have joined, which the kernel would cut up before it comes to us if there were more in it. */
    int refused = wrn_segments_limit(queries, network->index, wrn_segments_of(PAYLOAD_MAX, true));
    (void)loud;
    (void)refused; /* an address more; large packets of another size */
    error = wrn_bridge_set_master(queries, network->tap_index, network->index);
    /* The port carries all; what the host itself sends has to fit the others. */
    error = error != 0 ? error : wrn_bridge_set_mtu(queries, network->index, WRN_DAEMON_FRAME_MTU);
    error = error != 0 ? error : wrn_bridge_set_up(queries, network->tap_index, true);
    if (error != 0) {
        wrn_tun_close(&tun);
        return error;
    }
    *ret_tun = tun;
    return 0;
}

/* Routers of other sites do not become this host's, and this host does not answer for addresses
 * that it has elsewhere: the same ranges are in use at many sites. Its administrator may want it
 * otherwise, and can say so later. */
static void make_deaf(const char *name) {
    static const struct {
        const char *family, *setting, *value;
    } settings[] = {
        {"ipv6", "accept_ra", "0"}, {"ipv4", "arp_ignore", "1"}, {"ipv4", "arp_announce", "2"}};
    for (size_t i = 0; i < WRN_COUNT(settings); i++) {
        char path[PATH_SIZE];
        (void)snprintf(path, sizeof path, "/proc/sys/net/%s/conf/%s/%s", settings[i].family, name,
                       settings[i].setting);
        WRN_CLEANUP(wrn_close_fd) int fd = open(path, O_WRONLY | O_CLOEXEC);
        ssize_t put = fd < 0 ? 0 : write(fd, settings[i].value, 1);
        (void)put; /* without IPv6 there is none */
    }
}

/* Its bridge, and VLAN interfaces that are made for its ports. */
static void owe_links(const struct wrn_daemon *daemon, const struct wrn_daemon_network *network,
                      bool is_owed) {
    static const char *const kinds[] = {"bridge", "vlan"};
    for (size_t i = 0; i < WRN_COUNT(kinds); i++) {
        char alias[WRN_DAEMON_ALIAS_SIZE];
        wrn_daemon_alias(daemon, kinds[i], network->id, alias);
        wrn_debts_owe_links(alias, is_owed);
    }
}

static void suffix_of(const struct wrn_daemon *daemon, char ret_suffix[WRN_DAEMON_ALIAS_SIZE]) {
    char hit[WRN_HIT_TEXT_SIZE];
    wrn_hit_print(wrn_node_hit(daemon->node), hit);
    (void)snprintf(ret_suffix, WRN_DAEMON_ALIAS_SIZE, " of %s", hit);
}

static void note_left(void *ctx, const struct wrn_bridge_link *link) {
    struct search *search = ctx;
    if (search->count >= LEFT_MAX) {
        return;
    }
    bool is_it = false;
    if (search->alias != NULL) {
        is_it = strcmp(link->kind, "bridge") == 0 && strcmp(link->alias, search->alias) == 0;
    } else {
        size_t size = strlen(link->alias);
        size_t tail = strlen(search->suffix);
        is_it = strncmp(link->alias, "warren ", 7) == 0 && size > tail &&
                strcmp(link->alias + size - tail, search->suffix) == 0 &&
                (strcmp(link->kind, "bridge") == 0 || strcmp(link->kind, "vlan") == 0);
    }
    if (is_it) {
        search->found[search->count++] = *link;
    }
}

static bool is_in_use(struct wrn_daemon *daemon, const char *alias) {
    for (uint32_t i = 0; i < WRN_NODE_NETWORKS_MAX; i++) {
        if (!wrn_handle_equal(daemon->networks[i].handle, WRN_HANDLE_NONE) &&
            strstr(alias, daemon->networks[i].id) != NULL) {
            return true;
        }
    }
    return false;
}
