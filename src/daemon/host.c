/* SPDX-License-Identifier: Apache-2.0 */
/* The host's own addresses, those that routers mapped for it, and others on its LAN. */
#include "daemon/daemon_internal.h"

enum {
    LIST_MAX = 256, /* addresses of the host that are looked at */
    HEARD_MAX = 16, /* announcements in one turn of the loop */
    ROOM = 512,     /* bytes: an announcement is small */
    RANKS = 4,
};

static size_t gather(struct wrn_daemon *daemon, const struct wrn_host_address *list, size_t count,
                     struct wrn_locator_endpoint *ret_local, size_t capacity);
static uint32_t rank_of(const struct wrn_host_address *address);
static size_t leave_out_ours(const struct wrn_daemon *daemon, struct wrn_host_address *list,
                             size_t count);
static void keep_streams(struct wrn_daemon *daemon, const struct wrn_host_address *list,
                         size_t count);
static void tell_node(struct wrn_daemon *daemon);

void wrn_daemon_look_around(struct wrn_daemon *daemon, bool is_forced) {
    struct wrn_host_address list[LIST_MAX];
    struct wrn_locator_endpoint local[WRN_ENDPOINTS_MAX] = {0};
    size_t count = 0;
    int error = wrn_addresses_list(&daemon->addresses, list, LIST_MAX, &count);
    if (error != 0) {
        wrn_log_write(daemon->log, WRN_LOG_ERROR,
                      "cannot ask the kernel for this machine's addresses: %s", strerror(-error));
        return;
    }
    count = count < LIST_MAX ? count : LIST_MAX;
    count = leave_out_ours(daemon, list, count);
    (void)wrn_multicast_join(&daemon->multicast, list, count);
    size_t used = 0;
    for (size_t i = 0; i < daemon->mapped_count; i++) {
        local[used++] = (struct wrn_locator_endpoint){daemon->mapped[i], WRN_ENDPOINT_MAPPED};
    }
    size_t own = gather(daemon, list, count, local + used, WRN_ENDPOINTS_MAX - used);
    used += own;
    bool is_same = used == daemon->local_count && own == daemon->own_count;
    for (size_t i = 0; i < used && is_same; i++) {
        is_same = wrn_endpoint_equal(&local[i].at, &daemon->local[i].at) &&
                  local[i].kind == daemon->local[i].kind;
    }
    if (is_same && !is_forced) {
        return;
    }
    keep_streams(daemon, list, count);
    memcpy(daemon->local, local, sizeof local);
    daemon->local_count = used;
    daemon->own_count = own;
    tell_node(daemon);
    if (!is_same) {
        wrn_daemon_tell_local(daemon);
    }
}

void wrn_daemon_on_addresses(void *ctx, int fd, int events) {
    struct wrn_daemon *daemon = ctx;
    (void)fd;
    (void)events;
    if (wrn_addresses_read_events(&daemon->addresses)) {
        wrn_daemon_look_around(daemon, false);
    }
}

void wrn_daemon_on_multicast(void *ctx, int fd, int events) {
    struct wrn_daemon *daemon = ctx;
    uint8_t room[ROOM];
    (void)events;
    for (int i = 0; i < HEARD_MAX; i++) {
        struct wrn_endpoint from;
        size_t size = wrn_multicast_receive(&daemon->multicast, fd, room, sizeof room, &from);
        if (size == 0) {
            return;
        }
        wrn_daemon_hear(daemon, WRN_HANDLE_NONE, 0, &from, room, size);
    }
}

bool wrn_daemon_is_inside(const struct wrn_daemon *daemon, uint32_t interface) {
    for (uint32_t i = 0; i < WRN_NODE_NETWORKS_MAX; i++) {
        const struct wrn_daemon_network *network = &daemon->networks[i];
        if (network->wg != NULL && interface != 0 && network->index == interface) {
            return true;
        }
    }
    return false;
}

bool wrn_daemon_is_address_inside(const struct wrn_daemon *daemon, const struct wrn_ip *ip) {
    struct wrn_host_address list[LIST_MAX];
    size_t count = 0;
    bool is_inside = false;
    if (wrn_addresses_list(&daemon->addresses, list, LIST_MAX, &count) != 0) {
        return false;
    }
    for (size_t i = 0; i < count && i < LIST_MAX; i++) {
        if (!wrn_ip_equal(&list[i].prefix.ip, ip)) {
            continue;
        }
        if (!wrn_daemon_is_inside(daemon, list[i].interface)) {
            return false; /* it is elsewhere, too */
        }
        is_inside = true;
    }
    return is_inside;
}

const struct wrn_locator_endpoint *wrn_daemon_local(const struct wrn_daemon *daemon,
                                                    size_t *ret_count) {
    *ret_count = daemon->local_count;
    return daemon->local;
}

void wrn_daemon_set_mapped(struct wrn_daemon *daemon, const struct wrn_endpoint *endpoints,
                           size_t count) {
    daemon->mapped_count = count < WRN_DAEMON_MAPPED_MAX ? count : WRN_DAEMON_MAPPED_MAX;
    memcpy(daemon->mapped, endpoints, daemon->mapped_count * sizeof *endpoints);
    wrn_daemon_look_around(daemon, false);
}

/* Writes the host's endpoints: those that others are most likely to reach come first, loopback only
 * if there is nothing else. Returns how many. */
static size_t gather(struct wrn_daemon *daemon, const struct wrn_host_address *list, size_t count,
                     struct wrn_locator_endpoint *ret_local, size_t capacity) {
    size_t used = 0;
    for (uint32_t rank = 0; rank < RANKS && (rank < RANKS - 1 || used == 0); rank++) {
        for (size_t i = 0; i < count && used < capacity; i++) {
            if (rank_of(&list[i]) == rank) {
                ret_local[used++] = (struct wrn_locator_endpoint){
                    .at = {.ip = list[i].prefix.ip, .port = wrn_daemon_port(daemon)},
                    .kind = WRN_ENDPOINT_LOCAL,
                };
            }
        }
    }
    return used;
}

/* 0 is best; RANKS: no address to name to others. */
static uint32_t rank_of(const struct wrn_host_address *address) {
    if (!address->is_up || !address->is_usable || address->is_link_local) {
        return RANKS;
    }
    return address->is_loopback         ? RANKS - 1
           : address->is_point_to_point ? 2
           : address->is_temporary      ? 1
                                        : 0;
}

/* What comes out of a network does not lead to it: neither are its addresses named to others, nor
 * is anybody called there. Returns how many are left. */
static size_t leave_out_ours(const struct wrn_daemon *daemon, struct wrn_host_address *list,
                             size_t count) {
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
        if (!wrn_daemon_is_inside(daemon, list[i].interface)) {
            list[left++] = list[i];
        }
    }
    return left;
}

static void tell_node(struct wrn_daemon *daemon) {
    uint32_t cursor = 0;
    bool more = true;
    while (more) {
        struct wrn_now now;
        struct wrn_node_out *out = wrn_daemon_begin(daemon, &now);
        more =
            wrn_node_set_local(daemon->node, now, daemon->local, daemon->local_count, &cursor, out);
        wrn_daemon_perform(daemon);
    }
}

/* What left from an address that has gone will not come back. */
static void keep_streams(struct wrn_daemon *daemon, const struct wrn_host_address *list,
                         size_t count) {
    struct wrn_ip ips[LIST_MAX];
    for (size_t i = 0; i < count; i++) {
        ips[i] = list[i].prefix.ip;
    }
    if (daemon->streams != NULL && count < LIST_MAX) { /* else some may be missing here */
        wrn_streams_keep(daemon->streams, ips, count);
    }
}
