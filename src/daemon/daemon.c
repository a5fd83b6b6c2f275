/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's parts put together, and the calls into the node. Each callback takes one input,
 * performs what comes out of it, and leaves nothing behind. */
#define _GNU_SOURCE /* gethostname, HOST_NAME_MAX */
#include "daemon/daemon.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/daemon_internal.h"
#include "io/clock.h"
#include "io/memory.h"
#include "io/path_mtu.h"
#include "io/rcu.h"
#include "wg/uapi.h"

#ifndef WRN_VERSION
#define WRN_VERSION "0.1.0"
#endif

enum { TIMER_ROUNDS = 64, CHORES_MS = 1000, GIVE_BACK_AFTER_S = 30 };

static int create_parts(struct wrn_daemon *daemon, char why[WRN_DAEMON_WHY_SIZE]);
static int create_rooms(struct wrn_daemon *daemon);
static uint16_t mtu_of(const struct wrn_daemon_options *options);
static int create_node(struct wrn_daemon *daemon);
static int create_crew(struct wrn_daemon *daemon);
static int open_port(struct wrn_daemon *daemon, char why[WRN_DAEMON_WHY_SIZE]);
static void open_multicast(struct wrn_daemon *daemon);
static int open_watches(struct wrn_daemon *daemon);
static void follow_sockets(struct wrn_daemon *daemon);
static void finish_call(struct wrn_daemon *daemon);
static void settle(struct wrn_daemon *daemon, wrn_handle network);
static void drain(struct wrn_daemon *daemon);
static void on_timer(void *ctx, int fd, int events);
static void on_route(void *ctx, int fd, int events);
static void on_extra(void *ctx, int fd, int events);
static void on_extra_datagram(void *ctx, uint32_t network, uint16_t socket, uint32_t interface,
                              const struct wrn_endpoint *from, uint8_t *bytes, size_t size);
static void on_chores(uv_timer_t *timer);
static void free_timer(uv_handle_t *handle);
static void wait_for_readers(void *ctx);

int wrn_daemon_create(uv_loop_t *loop, const struct wrn_daemon_options *options,
                      struct wrn_log *log, int folder_fd, const uint8_t seed[WRN_SEED_SIZE],
                      struct wrn_daemon **ret_daemon, char reterr_why[WRN_DAEMON_WHY_SIZE]) {
    struct wrn_daemon *daemon = calloc(1, sizeof *daemon);
    if (daemon == NULL) {
        return wrn_daemon_complain(-ENOMEM, reterr_why, "no memory is left");
    }
    daemon->loop = loop;
    daemon->options = options;
    daemon->log = log;
    daemon->folder = folder_fd;
    memcpy(daemon->seed, seed, sizeof daemon->seed);
    daemon->started = wrn_clock_read();
    daemon->timer_fd = -1;
    daemon->timer_due = WRN_MONO_NEVER;
    daemon->give_back_due = WRN_MONO_NEVER;
    daemon->multicast = WRN_MULTICAST_NONE;
    /* All places for networks are free: WRN_HANDLE_NONE is zeroes, and what is not written to stays
     * without memory. */
    int error = create_parts(daemon, reterr_why);
    if (error != 0) {
        wrn_daemon_destroy(daemon);
        return error;
    }
    wrn_daemon_look_around(daemon, true);
    wrn_daemon_set_timer(daemon);
    *ret_daemon = daemon;
    return 0;
}

void wrn_daemon_destroy(struct wrn_daemon *daemon) {
    if (daemon == NULL) {
        return;
    }
    for (uint32_t i = 0; i < WRN_NODE_NETWORKS_MAX; i++) {
        struct wrn_daemon_network *network = &daemon->networks[i];
        if (!wrn_handle_equal(network->handle, WRN_HANDLE_NONE)) {
            struct wrn_now now;
            int error = wrn_daemon_save_now(daemon, network->handle);
            (void)error; /* logged; what was acknowledged is on the disk already */
            struct wrn_node_out *out = wrn_daemon_begin(daemon, &now);
            wrn_node_leave(daemon->node, now, network->handle, false, out);
            wrn_daemon_perform(daemon);
        }
        if (!wrn_handle_equal(network->handle, WRN_HANDLE_NONE)) {
            wrn_daemon_network_gone(daemon, network); /* it has not said so itself */
        }
    }
    struct wrn_watch *watches[] = {
        daemon->reports_watch,   daemon->route_watch,          daemon->timer_watch,
        daemon->addresses_watch, daemon->multicast_watches[0], daemon->multicast_watches[1],
        daemon->extra_watch,     daemon->streams_watch,
    };
    for (size_t i = 0; i < WRN_COUNT(watches); i++) {
        wrn_watch_close(watches[i]);
    }
    if (daemon->chores != NULL) {
        uv_close((uv_handle_t *)daemon->chores, free_timer);
    }
    wrn_crew_destroy(daemon->crew);
    wrn_extra_destroy(daemon->extra);
    wrn_streams_destroy(daemon->streams);
    wrn_multicast_close(&daemon->multicast);
    wrn_addresses_close(&daemon->addresses);
    if (daemon->timer_fd >= 0) {
        wrn_timer_close(daemon->timer_fd);
    }
    wrn_settle_finish(&daemon->settle);
    wrn_node_finish(daemon->node);
    wrn_memory_unmap(daemon->node_memory, daemon->node_memory_size);
    wrn_memory_unmap(daemon->outs, WRN_DAEMON_DEPTH_MAX * sizeof *daemon->outs);
    wrn_memory_unmap(daemon->overlay_out, sizeof *daemon->overlay_out);
    wrn_memory_unmap(daemon->waiting, WRN_DAEMON_WAITING_BYTES);
    wrn_memory_unmap(daemon->room, WRN_DAEMON_ROOM);
    free(daemon->scratch);
    free(daemon->unserved);
    wrn_crypto_destroy(daemon->crypto);
    wrn_wipe(daemon, sizeof *daemon);
    free(daemon);
}

void wrn_daemon_end(struct wrn_daemon *daemon, const char *why) {
    wrn_log_write(daemon->log, WRN_LOG_INFO, "ending: %s", why);
    uv_stop(daemon->loop);
}

uv_loop_t *wrn_daemon_loop(const struct wrn_daemon *daemon) {
    return daemon->loop;
}

struct wrn_log *wrn_daemon_log(const struct wrn_daemon *daemon) {
    return daemon->log;
}

const struct wrn_daemon_options *wrn_daemon_options(const struct wrn_daemon *daemon) {
    return daemon->options;
}

struct wrn_node *wrn_daemon_node(const struct wrn_daemon *daemon) {
    return daemon->node;
}

int wrn_daemon_folder(const struct wrn_daemon *daemon) {
    return daemon->folder;
}

const char *wrn_daemon_version(void) {
    return WRN_VERSION;
}

const struct wrn_primitives *wrn_daemon_primitives(const struct wrn_daemon *daemon) {
    return &daemon->primitives;
}

const uint8_t *wrn_daemon_seed(const struct wrn_daemon *daemon) {
    return daemon->seed;
}

struct wrn_rand wrn_daemon_rand(struct wrn_daemon *daemon) {
    return wrn_random_source(&daemon->random);
}

struct wrn_now wrn_daemon_started(const struct wrn_daemon *daemon) {
    return daemon->started;
}

struct wrn_node_out *wrn_daemon_begin(struct wrn_daemon *daemon, struct wrn_now *ret_now) {
    WRN_ASSERT(daemon->depth < WRN_DAEMON_DEPTH_MAX);
    struct wrn_node_out *out = &daemon->outs[daemon->depth++];
    out->wg = daemon->settle.out;
    out->overlay = daemon->overlay_out;
    wrn_node_out_reset(out);
    *ret_now = wrn_clock_read();
    return out;
}

void wrn_daemon_perform(struct wrn_daemon *daemon) {
    finish_call(daemon);
    wrn_daemon_follow_up(daemon);
}

uint32_t wrn_daemon_tag(struct wrn_daemon *daemon, wrn_daemon_answer_fn on_answer, void *ctx) {
    for (uint32_t i = 0; i < WRN_DAEMON_TAGS_MAX; i++) {
        struct wrn_daemon_asker *asker = &daemon->askers[i];
        if (asker->tag == 0) { /* its lower bits are its place; the others tell the old from it */
            uint32_t turn = daemon->last_tag / WRN_DAEMON_TAGS_MAX + 1;
            turn = turn * WRN_DAEMON_TAGS_MAX >= 1u << 24 ? 1 : turn;
            daemon->last_tag = turn * WRN_DAEMON_TAGS_MAX + i;
            *asker = (struct wrn_daemon_asker){daemon->last_tag, on_answer, ctx};
            return asker->tag;
        }
    }
    return 0;
}

void wrn_daemon_untag(struct wrn_daemon *daemon, uint32_t tag) {
    struct wrn_daemon_asker *asker = &daemon->askers[tag % WRN_DAEMON_TAGS_MAX];
    if (tag != 0 && asker->tag == tag) {
        *asker = (struct wrn_daemon_asker){0};
    }
}

void wrn_daemon_listen(struct wrn_daemon *daemon, struct wrn_daemon_listener *listener) {
    listener->next = daemon->listeners;
    daemon->listeners = listener;
}

void wrn_daemon_unlisten(struct wrn_daemon *daemon, struct wrn_daemon_listener *listener) {
    for (struct wrn_daemon_listener **at = &daemon->listeners; *at != NULL; at = &(*at)->next) {
        if (*at == listener) {
            *at = listener->next;
            break;
        }
    }
    if (daemon->next_listener == listener) {
        daemon->next_listener = listener->next;
    }
}

uint16_t wrn_daemon_port(const struct wrn_daemon *daemon) {
    return daemon->settle.udp.port;
}

const struct wrn_udp *wrn_daemon_sockets(const struct wrn_daemon *daemon) {
    return wrn_crew_sockets(daemon->crew);
}

int wrn_daemon_set_port(struct wrn_daemon *daemon, uint16_t port) {
    if (port != 0 && port == wrn_daemon_port(daemon)) {
        return 0;
    }
    int error = wrn_crew_open_sockets(daemon->crew, port, 0);
    follow_sockets(daemon);
    if (error != 0) {
        return error;
    }
    wrn_disk_note_port(daemon->folder, wrn_daemon_port(daemon));
    wrn_node_set_port(daemon->node, wrn_daemon_port(daemon));
    wrn_daemon_listen_streams(daemon);
    for (uint32_t i = 0; i < WRN_NODE_NETWORKS_MAX; i++) {
        if (daemon->networks[i].wg != NULL) {
            wrn_wg_forget_sources(daemon->networks[i].wg);
        }
    }
    wrn_log_write(daemon->log, WRN_LOG_INFO, "UDP port is %u now", wrn_daemon_port(daemon));
    wrn_daemon_look_around(daemon, true); /* the endpoints of before have the old port */
    return 0;
}

void wrn_daemon_facts(const struct wrn_daemon *daemon, struct wrn_daemon_facts *ret_facts) {
    static_assert(WRN_COUNT(ret_facts->strays) >= (size_t)WRN_STRAY_COUNT, "all reasons fit");
    *ret_facts = (struct wrn_daemon_facts){
        .lost_actions = daemon->waiting_lost,
        .failed_saves = daemon->failed_saves,
        .workers = wrn_crew_workers(daemon->crew),
        .offloads = wrn_crew_offloads(daemon->crew),
        .provider = wrn_crypto_provider_name(daemon->crypto),
        .extra_sockets = wrn_extra_count(daemon->extra),
    };
    ret_facts->has_streams = daemon->streams != NULL;
    if (daemon->streams != NULL) {
        wrn_streams_facts(daemon->streams, &ret_facts->streams);
    }
    wrn_crew_strays(daemon->crew, ret_facts->strays);
    ret_facts->strays[WRN_STRAY_INSIDE] += daemon->inside;
    for (uint32_t i = 0; i < WRN_DAEMON_DEPTH_MAX; i++) {
        ret_facts->lost_actions += daemon->outs[i].lost;
    }
}

void wrn_daemon_set_timer(struct wrn_daemon *daemon) {
    wrn_mono due = wrn_node_due(daemon->node);
    if (wrn_mono_before(due, daemon->timer_due)) {
        daemon->timer_due = due;
        wrn_timer_set(daemon->timer_fd, due);
    }
}

void wrn_daemon_follow_up(struct wrn_daemon *daemon) {
    if (daemon->depth == 0 && !daemon->is_draining) {
        drain(daemon);
        wrn_daemon_set_timer(daemon);
    }
}

struct wrn_daemon_network *wrn_daemon_find(struct wrn_daemon *daemon, wrn_handle network) {
    bool is_there = !wrn_handle_equal(network, WRN_HANDLE_NONE) &&
                    network.index < WRN_NODE_NETWORKS_MAX &&
                    wrn_handle_equal(daemon->networks[network.index].handle, network);
    return is_there ? &daemon->networks[network.index] : NULL;
}

struct wrn_daemon_network *wrn_daemon_find_wg(struct wrn_daemon *daemon, const struct wrn_wg *wg) {
    for (uint32_t i = 0; i < WRN_NODE_NETWORKS_MAX; i++) {
        if (wg != NULL && daemon->networks[i].wg == wg) {
            return &daemon->networks[i];
        }
    }
    return NULL;
}

void wrn_daemon_hear(struct wrn_daemon *daemon, wrn_handle network, uint16_t socket,
                     const struct wrn_endpoint *from, uint8_t *bytes, size_t size) {
    struct wrn_now now;
    struct wrn_node_out *out = wrn_daemon_begin(daemon, &now);
    wrn_node_on_datagram(daemon->node, now, network, socket, from, bytes, size, out);
    wrn_daemon_perform(daemon);
}

int wrn_daemon_complain(int error, char why[WRN_DAEMON_WHY_SIZE], const char *format, ...) {
    va_list args;
    va_start(args, format);
    (void)vsnprintf(why, WRN_DAEMON_WHY_SIZE, format, args);
    va_end(args);
    return error;
}

void wrn_daemon_tell_event(struct wrn_daemon *daemon, wrn_handle network,
                           const struct wrn_node_event *event) {
    if (daemon->give_back_due.ns == WRN_MONO_NEVER.ns) {
        daemon->give_back_due = wrn_mono_add(wrn_clock_read().mono, WRN_S(GIVE_BACK_AFTER_S));
    }
    for (struct wrn_daemon_listener *at = daemon->listeners; at != NULL;
         at = daemon->next_listener) {
        daemon->next_listener = at->next;
        if (at->on_event != NULL) {
            at->on_event(at->ctx, network, event);
        }
    }
}

void wrn_daemon_tell_network(struct wrn_daemon *daemon, wrn_handle network, bool is_there) {
    for (struct wrn_daemon_listener *at = daemon->listeners; at != NULL;
         at = daemon->next_listener) {
        daemon->next_listener = at->next;
        if (at->on_network != NULL) {
            at->on_network(at->ctx, network, is_there);
        }
    }
}

void wrn_daemon_tell_prefix(struct wrn_daemon *daemon, wrn_handle network,
                            const struct wrn_prefix *prefix, bool is_route, bool is_there) {
    for (struct wrn_daemon_listener *at = daemon->listeners; at != NULL;
         at = daemon->next_listener) {
        daemon->next_listener = at->next;
        if (at->on_prefix != NULL) {
            at->on_prefix(at->ctx, network, prefix, is_route, is_there);
        }
    }
}

void wrn_daemon_tell_local(struct wrn_daemon *daemon) {
    for (struct wrn_daemon_listener *at = daemon->listeners; at != NULL;
         at = daemon->next_listener) {
        daemon->next_listener = at->next;
        if (at->on_local != NULL) {
            at->on_local(at->ctx);
        }
    }
}

static int create_parts(struct wrn_daemon *daemon, char why[WRN_DAEMON_WHY_SIZE]) {
    int error = wrn_crypto_create(WRN_CRYPTO_AUTO, &daemon->crypto);
    error = error != 0 ? error : create_rooms(daemon);
    error = error != 0 ? error : create_crew(daemon);
    error = error != 0 ? error : wrn_timer_open(&daemon->timer_fd);
    error = error != 0 ? error : wrn_addresses_open(&daemon->addresses);
    if (error != 0) {
        return wrn_daemon_complain(error, why, "cannot start: %s", strerror(-error));
    }
    error = open_port(daemon, why);
    if (error != 0) {
        return error;
    }
    open_multicast(daemon);
    error = create_node(daemon);
    error = error != 0 ? error
                       : wrn_extra_create(WRN_NODE_NETWORKS_MAX, on_extra_datagram, daemon,
                                          &daemon->extra);
    error = error != 0 ? error : open_watches(daemon);
    if (error != 0) {
        return wrn_daemon_complain(error, why, "cannot start: %s", strerror(-error));
    }
    wrn_daemon_open_streams(daemon);
    return 0;
}

/* Memory that maps lazily: most of it is never touched. */
static int create_rooms(struct wrn_daemon *daemon) {
    const struct {
        size_t size;
        void **room;
    } rooms[] = {
        {WRN_DAEMON_DEPTH_MAX * sizeof *daemon->outs, (void **)&daemon->outs},
        {sizeof *daemon->overlay_out, (void **)&daemon->overlay_out},
        {WRN_DAEMON_WAITING_BYTES, (void **)&daemon->waiting},
        {WRN_DAEMON_ROOM, (void **)&daemon->room},
    };
    for (size_t i = 0; i < WRN_COUNT(rooms); i++) {
        int error = wrn_memory_map(rooms[i].size, rooms[i].room);
        if (error != 0) {
            return error;
        }
    }
    return wrn_udp_scratch_create(&daemon->scratch);
}

static int create_crew(struct wrn_daemon *daemon) {
    struct wrn_crew_options options = {
        .tag_bits = WRN_NODE_TAG_BITS,
        .provider = WRN_CRYPTO_AUTO,
        .tells_refusals = daemon->log->level >= WRN_LOG_VERBOSE,
    };
    int error = wrn_settle_init(&daemon->settle, &(struct wrn_settle_port){
                                                     .ctx = daemon,
                                                     .event = wrn_daemon_on_wg_event,
                                                     .refused = wrn_daemon_on_refused,
                                                     .carry = wrn_daemon_on_carry,
                                                     .unrouted = wrn_daemon_on_unrouted,
                                                     .told = wrn_daemon_on_told,
                                                 });
    error = error != 0 ? error : wrn_crew_create(&options, &daemon->crew);
    if (error != 0) {
        return error;
    }
    uint32_t workers = daemon->options->workers;
    if (workers == 0) {
        long cores = sysconf(_SC_NPROCESSORS_ONLN);
        workers = cores < 1 ? 1 : cores > 4 ? 4 : (uint32_t)cores;
    }
    wrn_crew_set_offloads(daemon->crew, daemon->options->offloads);
    return wrn_crew_set_workers(daemon->crew, workers);
}

/* The port that was asked for, or that of last time, or any. */
static int open_port(struct wrn_daemon *daemon, char why[WRN_DAEMON_WHY_SIZE]) {
    uint16_t wanted = daemon->options->port;
    uint16_t port = wanted != 0 ? wanted : wrn_disk_port(daemon->folder);
    int error = wrn_crew_open_sockets(daemon->crew, port, 0);
    if (error != 0 && wanted == 0 && port != 0) {
        error = wrn_crew_open_sockets(daemon->crew, 0, 0);
    }
    follow_sockets(daemon);
    if (error != 0) {
        return wrn_daemon_complain(error, why, "cannot open UDP port %u: %s; %s", port,
                                   strerror(-error),
                                   wanted != 0 ? "free it, or choose another one with --listen"
                                               : "look at the network of this machine");
    }
    wrn_disk_note_port(daemon->folder, wrn_daemon_port(daemon));
    return 0;
}

/* Without it others of the LAN are found by other ways. */
static void open_multicast(struct wrn_daemon *daemon) {
    if (!daemon->options->announces) {
        return;
    }
    int error = wrn_multicast_open(&daemon->multicast);
    if (error != 0) {
        wrn_log_write(daemon->log, WRN_LOG_ERROR,
                      "cannot listen for others on the LAN (UDP port %d): %s; they are found by "
                      "other ways",
                      WRN_MULTICAST_PORT, strerror(-error));
    }
}

/* The MTU of networks' interfaces: what was set, or what the way out of this host leaves. Less than
 * relays carry makes nothing better: there datagrams are fragmented. */
static uint16_t mtu_of(const struct wrn_daemon_options *options) {
    enum { HEADS = 40 + 8 + WRN_WG_DATA_HEADER_SIZE + WRN_WG_TAG_SIZE }; /* by IPv6 */
    uint32_t least = WRN_WG_RELAYED_PACKET_MAX;
    uint32_t underlay = wrn_path_mtu_default();
    if (options->mtu != 0) {
        return options->mtu;
    }
    if (underlay == 0 || underlay >= WRN_NODE_MTU_MAX + HEADS) {
        return WRN_NODE_MTU_MAX; /* no default route: there may be one later */
    }
    return (uint16_t)(underlay > least + HEADS ? underlay - HEADS : least);
}

static int create_node(struct wrn_daemon *daemon) {
    char host[HOST_NAME_MAX + 1] = "";
    (void)gethostname(host, sizeof host - 1);
    daemon->primitives = wrn_primitives(daemon->crypto);
    struct wrn_node_options options = {
        .host = {(const uint8_t *)host, strlen(host)},
        .port = wrn_daemon_port(daemon),
        .speaks_aes = daemon->options->speaks_aes && wrn_crypto_has_fast_aes(daemon->crypto),
        .has_streams = daemon->options->streams,
        .mtu_bytes = mtu_of(daemon->options),
        .announces = daemon->multicast.fd4 >= 0 || daemon->multicast.fd6 >= 0,
        .crypto = daemon->crypto,
        .primitives = &daemon->primitives,
        .rand = wrn_random_source(&daemon->random),
        .quiesce = wait_for_readers,
    };
    memcpy(options.seed, daemon->seed, sizeof options.seed);
    daemon->node_memory_size = wrn_node_memory_size(&options);
    int error = wrn_memory_map(daemon->node_memory_size, &daemon->node_memory);
    if (error == 0) {
        daemon->node = wrn_node_init(daemon->node_memory, &options, wrn_clock_read());
        error = daemon->node == NULL ? -ENOMEM : 0;
    }
    wrn_wipe(&options, sizeof options);
    return error;
}

static int open_watches(struct wrn_daemon *daemon) {
    const struct {
        int fd;
        wrn_watch_fn on_ready;
        struct wrn_watch **watch;
    } all[] = {
        {wrn_crew_event_fd(daemon->crew), wrn_daemon_on_reports, &daemon->reports_watch},
        {wrn_route_fd(daemon->settle.sender.route), on_route, &daemon->route_watch},
        {daemon->timer_fd, on_timer, &daemon->timer_watch},
        {wrn_addresses_fd(&daemon->addresses), wrn_daemon_on_addresses, &daemon->addresses_watch},
        {wrn_extra_fd(daemon->extra), on_extra, &daemon->extra_watch},
        {daemon->multicast.fd4, wrn_daemon_on_multicast, &daemon->multicast_watches[0]},
        {daemon->multicast.fd6, wrn_daemon_on_multicast, &daemon->multicast_watches[1]},
    };
    for (size_t i = 0; i < WRN_COUNT(all); i++) {
        int error = all[i].fd < 0 ? 0
                                  : wrn_watch_open(daemon->loop, all[i].fd, WRN_WATCH_READ,
                                                   all[i].on_ready, daemon, all[i].watch);
        if (error != 0) {
            return error;
        }
    }
    daemon->chores = calloc(1, sizeof *daemon->chores);
    if (daemon->chores == NULL) {
        return -ENOMEM;
    }
    daemon->chores->data = daemon;
    int error = uv_timer_init(daemon->loop, daemon->chores);
    return error != 0 ? error : uv_timer_start(daemon->chores, on_chores, CHORES_MS, CHORES_MS);
}

/* We send by the first pair's sockets, with settings of our own: they are changed while sending. */
static void follow_sockets(struct wrn_daemon *daemon) {
    const struct wrn_udp *udp = wrn_crew_sockets(daemon->crew);
    daemon->settle.udp = (struct wrn_udp){.fd4 = udp->fd4, .fd6 = udp->fd6, .port = udp->port};
}

/* Performs what the call under way led to. */
static void finish_call(struct wrn_daemon *daemon) {
    WRN_ASSERT(daemon->depth > 0);
    struct wrn_node_out *out = &daemon->outs[daemon->depth - 1];
    settle(daemon, out->network);
    wrn_daemon_act(daemon, out);
    daemon->depth--;
}

/* Performs what a call has left in the machine's out. */
static void settle(struct wrn_daemon *daemon, wrn_handle network) {
    struct wrn_wg *wg = wrn_node_wg(daemon->node, network);
    if (wg != NULL) {
        wrn_settle_run(&daemon->settle, wg, wrn_clock_read());
    }
}

/* Hands the node what machines had for it. That may lead to more. */
static void drain(struct wrn_daemon *daemon) {
    daemon->is_draining = true;
    size_t at = 0;
    while (at < daemon->waiting_size) {
        const struct wrn_daemon_waiting *waiting =
            (const struct wrn_daemon_waiting *)(void *)(daemon->waiting + at);
        wrn_span bytes = {waiting->bytes, waiting->size};
        struct wrn_now now;
        struct wrn_node_out *out = wrn_daemon_begin(daemon, &now);
        if (waiting->is_frame) {
            wrn_node_on_frame(daemon->node, now, waiting->network, waiting->peer, bytes, out);
        } else if (wrn_path_leads(&waiting->path)) {
            wrn_node_on_carry(daemon->node, now, waiting->network, &waiting->path, bytes, out);
        } else {
            wrn_node_on_packet(daemon->node, now, waiting->network, bytes, out);
        }
        finish_call(daemon);
        at += wrn_daemon_waiting_size(waiting->size);
    }
    daemon->waiting_size = 0;
    daemon->is_draining = false;
}

static void on_timer(void *ctx, int fd, int events) {
    struct wrn_daemon *daemon = ctx;
    (void)events;
    wrn_timer_clear(fd);
    daemon->timer_due = WRN_MONO_NEVER;
    for (int i = 0; i < TIMER_ROUNDS; i++) {
        struct wrn_now now = wrn_clock_read();
        if (!wrn_mono_reached(now.mono, wrn_node_due(daemon->node))) {
            break;
        }
        struct wrn_node_out *out = wrn_daemon_begin(daemon, &now);
        wrn_node_on_time(daemon->node, now, out);
        wrn_daemon_perform(daemon);
    }
    wrn_daemon_set_timer(daemon); /* at once if there was more to do than the rounds allow */
}

static void on_route(void *ctx, int fd, int events) {
    struct wrn_daemon *daemon = ctx;
    (void)fd;
    (void)events;
    wrn_route_read_events(daemon->settle.sender.route);
}

static void on_extra(void *ctx, int fd, int events) {
    struct wrn_daemon *daemon = ctx;
    (void)fd;
    (void)events;
    wrn_extra_read(daemon->extra);
}

static void on_extra_datagram(void *ctx, uint32_t network, uint16_t socket, uint32_t interface,
                              const struct wrn_endpoint *from, uint8_t *bytes, size_t size) {
    struct wrn_daemon *daemon = ctx;
    if (wrn_daemon_is_inside(daemon, interface)) {
        daemon->inside++; /* as on the port of all networks */
        return;
    }
    wrn_daemon_hear(daemon, daemon->networks[network].handle, socket, from, bytes, size);
}

/* What joins, links and leaves takes memory and code that a quiet daemon does without. */
static void on_chores(uv_timer_t *timer) {
    struct wrn_daemon *daemon = timer->data;
    wrn_daemon_do_chores(daemon);
    wrn_daemon_keep_streams(daemon);
    if (wrn_mono_reached(wrn_clock_read().mono, daemon->give_back_due)) {
        daemon->give_back_due = WRN_MONO_NEVER;
        wrn_memory_give_back();
    }
}

static void free_timer(uv_handle_t *handle) {
    free(handle);
}

static void wait_for_readers(void *ctx) {
    (void)ctx;
    wrn_rcu_wait();
}
