/* SPDX-License-Identifier: Apache-2.0 */
/* The driver of one machine. Each callback takes one input, performs what comes out of it, and
 * leaves nothing behind. Packets are the workers' business; what they report comes in here. */
#include "device/device.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <uv.h>

#include "plane/crew.h"
#include "device/journal.h"
#include "plane/settle.h"
#include "io/clock.h"
#include "io/link.h"
#include "io/memory.h"
#include "io/random.h"
#include "io/rcu.h"
#include "io/segments.h"
#include "io/watch.h"
#include "wg/lane.h"

enum {
    PEERS_MAX = 1 << 17,
    PREFIXES_MAX = 1 << 21, /* of each family */
    STAGED_MAX_BYTES = 16 << 20,
    HANDSHAKES_PER_S = 500,
    REPORTS_PER_WAKE = 256, /* of a kind and worker, before the others get their turn */
    TIMER_ROUNDS = 8,
    RETRY_MS = 1000,
};

struct wrn_device {
    uv_loop_t *loop;
    struct wrn_log *log;
    struct wrn_crypto *crypto;
    struct wrn_random random;
    void *memory; /* of the machine */
    size_t memory_size;
    struct wrn_wg *wg;
    struct wrn_settle settle;
    struct wrn_crew *crew;
    wrn_handle machine; /* our only one, as the crew names it */
    struct wrn_link link;
    struct wrn_link_state link_state;
    int timer_fd;
    wrn_mono timer_due; /* what the timer is set to */
    uint16_t port;      /* wanted, or last used; 0: any */
    uint32_t mark;
    bool link_up;      /* as far as the machine knows, and the sockets */
    bool bind_failed;  /* and we have said so */
    bool link_unknown; /* the last look at the interface failed: another one is due */
    bool ended;
    struct wrn_watch *reports_watch;
    struct wrn_watch *link_watch;
    struct wrn_watch *route_watch;
    struct wrn_watch *timer_watch;
    uv_timer_t *retry; /* lives on the heap: closing it outlives the device */
};

static int create_machine(struct wrn_device *device, enum wrn_crypto_provider provider);
static int create_crew(struct wrn_device *device, struct wrn_tun *tun,
                       const struct wrn_device_options *options);
static int open_watches(struct wrn_device *device);
static void on_reports(void *ctx, int fd, int events);
static bool read_reports(struct wrn_device *device, struct wrn_now now, struct wrn_ring *ring);
static void obey_facts(struct wrn_device *device, struct wrn_now now, uint32_t facts);
static void on_event(void *ctx, const struct wrn_wg *wg, const struct wrn_wg_event *event);
static void on_refused(void *ctx, const struct wrn_path *path, int error);
static void on_link(void *ctx, int fd, int events);
static void on_route(void *ctx, int fd, int events);
static void on_timer(void *ctx, int fd, int events);
static void on_retry(uv_timer_t *timer);
static void end(struct wrn_device *device, const char *why);
static void refresh_link(struct wrn_device *device);
static void follow_link(struct wrn_device *device, const struct wrn_link_state *state);
static void limit_segments(struct wrn_device *device);
static void set_up(struct wrn_device *device, bool up);
static int bind_port(struct wrn_device *device, uint16_t port);
static void follow_sockets(struct wrn_device *device);
static bool is_bound(const struct wrn_device *device);
static void set_timer(struct wrn_device *device);
static void free_timer(uv_handle_t *handle);
static void wait_for_readers(void *ctx);

int wrn_device_create(uv_loop_t *loop, struct wrn_tun tun, struct wrn_log *log,
                      const struct wrn_device_options *options, struct wrn_device **ret_device) {
    struct wrn_device *device = calloc(1, sizeof *device);
    if (device == NULL) {
        wrn_tun_close(&tun);
        return -ENOMEM;
    }
    device->loop = loop;
    device->log = log;
    device->timer_fd = -1;
    device->timer_due = WRN_MONO_NEVER;
    int error = create_machine(device, options->provider);
    error = error != 0 ? error : create_crew(device, &tun, options);
    wrn_tun_close(&tun); /* if nobody has taken it */
    error = error != 0 ? error : wrn_timer_open(&device->timer_fd);
    error = error != 0 ? error : wrn_link_open(&device->link);
    error = error != 0 ? error : open_watches(device);
    struct wrn_link_state state;
    error = error != 0 ? error
                       : wrn_link_query(&device->link, wrn_crew_tun(device->crew, device->machine),
                                        &state);
    if (error != 0) {
        wrn_device_destroy(device);
        return error;
    }
    follow_link(device, &state);
    *ret_device = device;
    return 0;
}

void wrn_device_destroy(struct wrn_device *device) {
    if (device == NULL) {
        return;
    }
    wrn_watch_close(device->reports_watch);
    wrn_watch_close(device->link_watch);
    wrn_watch_close(device->route_watch);
    wrn_watch_close(device->timer_watch);
    if (device->retry != NULL) {
        uv_close((uv_handle_t *)device->retry, free_timer);
    }
    wrn_crew_destroy(device->crew);
    wrn_link_close(&device->link);
    if (device->timer_fd >= 0) {
        wrn_timer_close(device->timer_fd);
    }
    wrn_settle_finish(&device->settle);
    wrn_wg_finish(device->wg);
    wrn_memory_unmap(device->memory, device->memory_size);
    wrn_crypto_destroy(device->crypto);
    wrn_wipe(&device->random, sizeof device->random);
    free(device);
}

struct wrn_wg *wrn_device_wg(struct wrn_device *device) {
    return device->wg;
}

struct wrn_wg_out *wrn_device_out(struct wrn_device *device) {
    return device->settle.out;
}

void wrn_device_settle(struct wrn_device *device, struct wrn_now now) {
    wrn_settle_run(&device->settle, device->wg, now);
    set_timer(device);
}

int wrn_device_set_listen_port(struct wrn_device *device, uint16_t port) {
    if (device->link_state.up) {
        if (port != 0 && is_bound(device) && port == wrn_crew_sockets(device->crew)->port) {
            return 0;
        }
        int error = bind_port(device, port);
        if (error == 0) {
            set_up(device, true); /* it may have waited for a port */
        }
        return error;
    }
    if (port != 0) { /* better to refuse it now than to come up deaf later */
        struct wrn_udp trial;
        int error = wrn_udp_open(port, 0, &trial);
        if (error != 0) {
            return error;
        }
        wrn_udp_close(&trial);
    }
    device->port = port;
    return 0;
}

int wrn_device_set_fwmark(struct wrn_device *device, uint32_t mark) {
    if (is_bound(device)) {
        int error = wrn_crew_set_mark(device->crew, mark);
        if (error != 0) {
            return error;
        }
    }
    device->mark = mark;
    follow_sockets(device);
    wrn_wg_forget_sources(device->wg); /* another mark may mean another route */
    return 0;
}

int wrn_device_set_workers(struct wrn_device *device, uint32_t count) {
    int error = wrn_crew_set_workers(device->crew, count);
    if (error == 0) {
        wrn_log_write(device->log, WRN_LOG_VERBOSE, "workers: %u", count);
    }
    return error;
}

void wrn_device_set_offloads(struct wrn_device *device, uint32_t offloads) {
    char names[WRN_UAPI_OFFLOADS_SIZE];
    wrn_crew_set_offloads(device->crew, offloads);
    wrn_uapi_write_offloads(wrn_crew_offloads(device->crew), names);
    wrn_log_write(device->log, WRN_LOG_VERBOSE, "offloads: %s", names);
}

struct wrn_uapi_interface wrn_device_interface(const struct wrn_device *device) {
    return (struct wrn_uapi_interface){
        .listen_port = device->port,
        .fwmark = device->mark,
        .workers = wrn_crew_workers(device->crew),
        .offloads = wrn_crew_offloads(device->crew),
        .aead = wrn_crypto_provider_name(device->crypto),
    };
}

static int create_machine(struct wrn_device *device, enum wrn_crypto_provider provider) {
    static const struct wrn_wg_options options = {
        .peers_max = PEERS_MAX,
        .prefixes_max = PREFIXES_MAX,
        .staged_max_bytes = STAGED_MAX_BYTES,
        .handshakes_per_s = HANDSHAKES_PER_S,
        .quiesce = wait_for_readers,
    };
    int error = wrn_crypto_create(provider, &device->crypto);
    if (error != 0) {
        return error;
    }
    device->memory_size = wrn_wg_memory_size(&options);
    error = wrn_memory_map(device->memory_size, &device->memory);
    if (error != 0) {
        return error;
    }
    device->wg =
        wrn_wg_init(device->memory, &options, device->crypto, wrn_random_source(&device->random));
    return wrn_settle_init(&device->settle, &(struct wrn_settle_port){
                                                .ctx = device,
                                                .event = on_event,
                                                .refused = on_refused,
                                            });
}

/* Takes 'tun' over. */
static int create_crew(struct wrn_device *device, struct wrn_tun *tun,
                       const struct wrn_device_options *options) {
    struct wrn_crew_options crew = {
        .provider = options->provider,
        .tells_refusals = device->log->level >= WRN_LOG_VERBOSE,
    };
    int error = wrn_crew_create(&crew, &device->crew);
    if (error != 0) {
        return error;
    }
    error = wrn_crew_add(device->crew, device->wg, 0, NULL, *tun, &device->machine);
    *tun = WRN_TUN_NONE;
    if (error != 0) {
        return error;
    }
    wrn_device_set_offloads(device, options->offloads);
    error = wrn_crew_set_workers(device->crew, options->workers);
    if (error == -EOPNOTSUPP) {
        wrn_log_write(device->log, WRN_LOG_ERROR,
                      "one worker serves the interface instead of %u: its TUN device has a single "
                      "queue; make it with IFF_MULTI_QUEUE",
                      options->workers);
        return 0;
    }
    return error;
}

static int open_watches(struct wrn_device *device) {
    const struct {
        int fd;
        wrn_watch_fn on_ready;
        struct wrn_watch **watch;
    } all[] = {
        {wrn_crew_event_fd(device->crew), on_reports, &device->reports_watch},
        {wrn_link_fd(&device->link), on_link, &device->link_watch},
        {wrn_route_fd(device->settle.sender.route), on_route, &device->route_watch},
        {device->timer_fd, on_timer, &device->timer_watch},
    };
    for (size_t i = 0; i < WRN_COUNT(all); i++) {
        int error = wrn_watch_open(device->loop, all[i].fd, WRN_WATCH_READ, all[i].on_ready, device,
                                   all[i].watch);
        if (error != 0) {
            return error;
        }
    }
    device->retry = calloc(1, sizeof *device->retry);
    if (device->retry == NULL) {
        return -ENOMEM;
    }
    device->retry->data = device;
    return uv_timer_init(device->loop, device->retry);
}

/* Workers have something to say. Messages of all of them come before packets: a session that they
 * lead to lets the packets go. */
static void on_reports(void *ctx, int fd, int events) {
    struct wrn_device *device = ctx;
    struct wrn_reports *reports;
    struct wrn_now now = wrn_clock_read();
    bool more = false;
    eventfd_t count;
    (void)events;
    (void)eventfd_read(fd, &count);
    for (uint32_t i = 0; (reports = wrn_crew_reports(device->crew, i)) != NULL; i++) {
        obey_facts(device, now, wrn_reports_take_facts(reports));
        more |= read_reports(device, now, reports->messages);
    }
    for (uint32_t i = 0; (reports = wrn_crew_reports(device->crew, i)) != NULL; i++) {
        more |= read_reports(device, now, reports->packets);
    }
    wrn_crew_dismiss(device->crew);
    if (more) { /* the others of the loop get their turn first */
        (void)eventfd_write(fd, 1);
    }
    wrn_device_settle(device, now);
}

/* Reads what a ring holds, within bounds. Returns whether something is left. */
static bool read_reports(struct wrn_device *device, struct wrn_now now, struct wrn_ring *ring) {
    for (int i = 1; i <= REPORTS_PER_WAKE; i++) {
        size_t size;
        struct wrn_report *report = wrn_report_first(ring, &size);
        if (report == NULL) {
            wrn_settle_run(&device->settle, device->wg, now);
            return false;
        }
        wrn_settle_report(&device->settle, device->wg, now, report, size);
        wrn_ring_release(ring);
        if (i % WRN_SETTLE_REPORTS_MAX == 0) {
            wrn_settle_run(&device->settle, device->wg, now);
        }
    }
    return true;
}

static void obey_facts(struct wrn_device *device, struct wrn_now now, uint32_t facts) {
    char names[WRN_UAPI_OFFLOADS_SIZE];
    if ((facts & WRN_FACT_ASKS_LOST) != 0) {
        wrn_wg_asks_lost(device->wg, now);
    }
    if ((facts & WRN_FACT_DELETED) != 0) {
        end(device, "the interface was deleted");
    }
    uint32_t lost = facts & ~(WRN_FACT_ASKS_LOST | WRN_FACT_DELETED);
    lost = lost != 0 ? wrn_crew_lose_offloads(device->crew, lost) : 0;
    if (lost != 0) { /* the first worker that has seen it */
        wrn_uapi_write_offloads(lost, names);
        wrn_log_write(device->log, WRN_LOG_ERROR,
                      "the kernel has refused an offload in mid-stream, it is off from now on: %s; "
                      "`warren-wg --set %s offloads=all` tries again",
                      names, device->log->interface);
    }
}

static void on_event(void *ctx, const struct wrn_wg *wg, const struct wrn_wg_event *event) {
    struct wrn_device *device = ctx;
    wrn_journal_event(device->log, wg, event);
}

static void on_refused(void *ctx, const struct wrn_path *path, int error) {
    struct wrn_device *device = ctx;
    wrn_journal_refusal(device->log, path, error);
}

static void on_link(void *ctx, int fd, int events) {
    struct wrn_device *device = ctx;
    (void)fd;
    (void)events;
    if (wrn_link_read_events(&device->link)) {
        refresh_link(device);
    }
}

static void on_route(void *ctx, int fd, int events) {
    struct wrn_device *device = ctx;
    (void)fd;
    (void)events;
    wrn_route_read_events(device->settle.sender.route);
}

static void on_timer(void *ctx, int fd, int events) {
    struct wrn_device *device = ctx;
    (void)events;
    wrn_timer_clear(fd);
    device->timer_due = WRN_MONO_NEVER;
    for (int i = 0; i < TIMER_ROUNDS; i++) {
        struct wrn_now now = wrn_clock_read();
        if (!wrn_mono_reached(now.mono, wrn_wg_due(device->wg))) {
            break;
        }
        wrn_wg_on_time(device->wg, now, device->settle.out);
        wrn_settle_run(&device->settle, device->wg, now);
    }
    set_timer(device); /* at once if there was more to do than the rounds allow */
}

static void on_retry(uv_timer_t *timer) {
    struct wrn_device *device = timer->data;
    if (device->link_unknown) {
        refresh_link(device);
    } else if (device->link_state.up && !is_bound(device)) {
        set_up(device, true);
    }
}

static void end(struct wrn_device *device, const char *why) {
    if (!device->ended) {
        device->ended = true;
        wrn_log_write(device->log, WRN_LOG_VERBOSE, "%s, ending", why);
        uv_stop(device->loop);
    }
}

/* Looks how our interface is now. */
static void refresh_link(struct wrn_device *device) {
    struct wrn_link_state state;
    int error = wrn_link_query(&device->link, wrn_crew_tun(device->crew, device->machine), &state);
    if (error == -ENODEV) {
        end(device, "the interface was deleted");
    } else if (error != 0) {
        if (!device->link_unknown) { /* said once, not each second */
            wrn_log_write(device->log, WRN_LOG_ERROR,
                          "asking for the state of the interface failed: %s; trying again each "
                          "second",
                          strerror(-error));
        }
        device->link_unknown = true;
        (void)uv_timer_start(device->retry, on_retry, RETRY_MS, 0);
    } else {
        device->link_unknown = false;
        follow_link(device, &state);
    }
}

static void follow_link(struct wrn_device *device, const struct wrn_link_state *state) {
    struct wrn_link_state before = device->link_state;
    device->link_state = *state;
    if (state->elsewhere != before.elsewhere) {
        wrn_log_write(device->log, WRN_LOG_VERBOSE, "the interface lives in %s network namespace",
                      state->elsewhere ? "another" : "this");
    }
    if (state->hidden) {
        /* We may not look where it lives now. Its owner has moved it there to use it. */
        device->link_state.up = true;
        device->link_state.mtu_bytes = before.mtu_bytes;
        if (!before.hidden) {
            wrn_log_write(device->log, WRN_LOG_ERROR,
                          "the interface lives in another network namespace and following it there "
                          "needs CAP_NET_ADMIN and CAP_NET_BROADCAST: it is taken to be up, with "
                          "the MTU it had");
        }
    }
    if (device->link_state.mtu_bytes != before.mtu_bytes) {
        wrn_log_write(device->log, WRN_LOG_VERBOSE, "MTU is %u", device->link_state.mtu_bytes);
        wrn_wg_set_mtu(device->wg, device->link_state.mtu_bytes);
        limit_segments(device);
    }
    if (device->link_state.up != before.up) {
        set_up(device, device->link_state.up);
    }
}

/* The host is asked for large packets that one message can carry. Where it does not obey, or the
 * interface lives elsewhere, everything still works. */
static void limit_segments(struct wrn_device *device) {
    uint32_t segments = wrn_segments_of(device->link_state.mtu_bytes, false);
    if (!device->link_state.elsewhere && segments > 0) {
        int error = wrn_segments_limit(device->link.queries, device->link.index, segments);
        if (error != 0) {
            wrn_log_write(device->log, WRN_LOG_VERBOSE,
                          "the host's large packets keep their size: %s", strerror(-error));
        }
    }
}

/* Brings machine and sockets up or down. Without a port the machine stays down, and tries again. */
static void set_up(struct wrn_device *device, bool up) {
    struct wrn_now now = wrn_clock_read();
    if (up && !is_bound(device)) {
        int error = bind_port(device, device->port);
        if (error != 0) {
            if (!device->bind_failed) { /* said once, not each second */
                wrn_log_write(device->log, WRN_LOG_ERROR,
                              "cannot open UDP port %u: %s; trying again each second%s",
                              device->port, strerror(-error),
                              error == -EADDRINUSE || error == -EACCES
                                  ? ": free it, or choose another one with `wg set`"
                                  : "");
            }
            device->bind_failed = true;
            (void)uv_timer_start(device->retry, on_retry, RETRY_MS, 0);
            return;
        }
    }
    if (up != device->link_up) {
        device->link_up = up;
        wrn_log_write(device->log, WRN_LOG_VERBOSE, "the interface is %s", up ? "up" : "down");
        wrn_wg_set_up(device->wg, now, up, device->settle.out);
        wrn_device_settle(device, now);
    }
    if (!up) {
        (void)uv_timer_stop(device->retry);
        wrn_crew_close_sockets(device->crew); /* others may have the port while we are down */
        follow_sockets(device);
    }
}

/* Opens new sockets and only then lets go of the old ones. */
static int bind_port(struct wrn_device *device, uint16_t port) {
    int error = wrn_crew_open_sockets(device->crew, port, device->mark);
    follow_sockets(device);
    if (error != 0) {
        return error;
    }
    device->port = device->settle.udp.port;
    device->bind_failed = false;
    wrn_wg_forget_sources(device->wg);
    wrn_log_write(device->log, WRN_LOG_VERBOSE, "UDP port is %u%s", device->port,
                  device->settle.udp.fd6 < 0   ? ", IPv4 only"
                  : device->settle.udp.fd4 < 0 ? ", IPv6 only"
                                               : "");
    return 0;
}

/* We send by the first pair's sockets, with settings of our own: they are changed while sending. */
static void follow_sockets(struct wrn_device *device) {
    const struct wrn_udp *udp = wrn_crew_sockets(device->crew);
    device->settle.udp =
        (struct wrn_udp){.fd4 = udp->fd4, .fd6 = udp->fd6, .port = udp->port, .mark = device->mark};
}

static bool is_bound(const struct wrn_device *device) {
    return device->settle.udp.fd4 >= 0 || device->settle.udp.fd6 >= 0;
}

/* Sets the timer if something is due earlier than it is set to. A later deadline waits for the
 * timer, which then finds nothing to do: that is cheaper than a system call for each packet. */
static void set_timer(struct wrn_device *device) {
    wrn_mono due = wrn_wg_due(device->wg);
    if (wrn_mono_before(due, device->timer_due)) {
        device->timer_due = due;
        wrn_timer_set(device->timer_fd, due);
    }
}

static void free_timer(uv_handle_t *handle) {
    free(handle);
}

static void wait_for_readers(void *ctx) {
    (void)ctx;
    wrn_rcu_wait();
}
