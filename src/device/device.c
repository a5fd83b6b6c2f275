/* SPDX-License-Identifier: Apache-2.0 */
/* The driver of one machine. Single-threaded: each callback takes one input, performs what comes
 * out of it, and leaves nothing behind. */
#include "device/device.h"

#include <stdlib.h>
#include <uv.h>

#include "crypto/crypto.h"
#include "device/pump.h"
#include "io/clock.h"
#include "io/link.h"
#include "io/memory.h"
#include "io/random.h"
#include "io/route.h"
#include "io/watch.h"

enum {
    PEERS_MAX = 1 << 17,
    PREFIXES_MAX = 1 << 21, /* of each family */
    STAGED_MAX_BYTES = 16 << 20,
    HANDSHAKES_PER_S = 500,
    BATCHES_PER_WAKE = 4, /* of one direction, before the others get their turn */
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
    struct wrn_tun tun;
    struct wrn_udp udp;
    struct wrn_link link;
    struct wrn_route *route;
    struct wrn_link_state link_state;
    int timer_fd;
    wrn_mono timer_due; /* what the timer is set to */
    uint16_t port;      /* wanted, or last used; 0: any */
    uint32_t mark;
    bool link_up;      /* as far as the machine knows, and the sockets */
    bool bind_failed;  /* and we have said so */
    bool link_unknown; /* the last look at the interface failed: another one is due */
    bool ended;
    struct wrn_watch *tun_watch;
    struct wrn_watch *udp4_watch;
    struct wrn_watch *udp6_watch;
    struct wrn_watch *link_watch;
    struct wrn_watch *route_watch;
    struct wrn_watch *timer_watch;
    uv_timer_t *retry; /* lives on the heap: closing it outlives the device */
    struct wrn_pump pump;
};

static int create_machine(struct wrn_device *device);
static int open_watches(struct wrn_device *device);
static void on_tun(void *ctx, int fd, int events);
static void on_udp(void *ctx, int fd, int events);
static void on_link(void *ctx, int fd, int events);
static void on_route(void *ctx, int fd, int events);
static void on_timer(void *ctx, int fd, int events);
static void on_retry(uv_timer_t *timer);
static void end(struct wrn_device *device, const char *why);
static void refresh_link(struct wrn_device *device);
static void follow_link(struct wrn_device *device, const struct wrn_link_state *state);
static void set_up(struct wrn_device *device, bool up);
static int bind_port(struct wrn_device *device, uint16_t port);
static int watch_sockets(struct wrn_device *device, struct wrn_udp *udp);
static void close_sockets(struct wrn_device *device);
static bool is_bound(const struct wrn_device *device);
static void set_timer(struct wrn_device *device);
static void free_timer(uv_handle_t *handle);

int wrn_device_create(uv_loop_t *loop, struct wrn_tun tun, struct wrn_log *log,
                      struct wrn_device **ret_device) {
    struct wrn_device *device = calloc(1, sizeof *device);
    if (device == NULL) {
        wrn_tun_close(&tun);
        return -ENOMEM;
    }
    device->loop = loop;
    device->log = log;
    device->tun = tun;
    device->udp = WRN_UDP_NONE;
    device->timer_fd = -1;
    device->timer_due = WRN_MONO_NEVER;
    int error = wrn_route_create(&device->route);
    error = error != 0 ? error : create_machine(device);
    error = error != 0 ? error : wrn_timer_open(&device->timer_fd);
    error = error != 0 ? error : wrn_link_open(&device->link);
    error = error != 0 ? error : open_watches(device);
    struct wrn_link_state state;
    error = error != 0 ? error : wrn_link_query(&device->link, &device->tun, &state);
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
    close_sockets(device);
    wrn_watch_close(device->tun_watch);
    wrn_watch_close(device->link_watch);
    wrn_watch_close(device->route_watch);
    wrn_watch_close(device->timer_watch);
    if (device->retry != NULL) {
        uv_close((uv_handle_t *)device->retry, free_timer);
    }
    wrn_link_close(&device->link);
    wrn_route_destroy(device->route);
    wrn_tun_close(&device->tun);
    if (device->timer_fd >= 0) {
        wrn_timer_close(device->timer_fd);
    }
    wrn_pump_finish(&device->pump);
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
    return device->pump.out;
}

void wrn_device_settle(struct wrn_device *device, struct wrn_now now) {
    wrn_pump_settle(&device->pump, now);
    set_timer(device);
}

int wrn_device_set_listen_port(struct wrn_device *device, uint16_t port) {
    if (device->link_state.up) {
        if (port != 0 && is_bound(device) && port == device->udp.port) {
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
        int error = wrn_udp_set_mark(&device->udp, mark);
        if (error != 0) {
            return error;
        }
    }
    device->mark = mark;
    wrn_wg_forget_sources(device->wg); /* another mark may mean another route */
    return 0;
}

struct wrn_uapi_interface wrn_device_interface(const struct wrn_device *device) {
    return (struct wrn_uapi_interface){.listen_port = device->port, .fwmark = device->mark};
}

static int create_machine(struct wrn_device *device) {
    static const struct wrn_wg_options options = {
        .peers_max = PEERS_MAX,
        .prefixes_max = PREFIXES_MAX,
        .staged_max_bytes = STAGED_MAX_BYTES,
        .handshakes_per_s = HANDSHAKES_PER_S,
    };
    int error = wrn_crypto_create(WRN_CRYPTO_AUTO, &device->crypto);
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
    return wrn_pump_init(&device->pump, device->wg, &device->tun, &device->udp, device->route,
                         device->log);
}

static int open_watches(struct wrn_device *device) {
    int error = wrn_watch_open(device->loop, device->tun.fd, WRN_WATCH_READ, on_tun, device,
                               &device->tun_watch);
    error = error != 0 ? error
                       : wrn_watch_open(device->loop, wrn_link_fd(&device->link), WRN_WATCH_READ,
                                        on_link, device, &device->link_watch);
    error = error != 0 ? error
                       : wrn_watch_open(device->loop, wrn_route_fd(device->route), WRN_WATCH_READ,
                                        on_route, device, &device->route_watch);
    error = error != 0 ? error
                       : wrn_watch_open(device->loop, device->timer_fd, WRN_WATCH_READ, on_timer,
                                        device, &device->timer_watch);
    if (error != 0) {
        return error;
    }
    device->retry = calloc(1, sizeof *device->retry);
    if (device->retry == NULL) {
        return -ENOMEM;
    }
    device->retry->data = device;
    return uv_timer_init(device->loop, device->retry);
}

static void on_tun(void *ctx, int fd, int events) {
    struct wrn_device *device = ctx;
    (void)fd;
    (void)events;
    int more = 1;
    for (int i = 0; more > 0 && i < BATCHES_PER_WAKE; i++) {
        more = wrn_pump_from_tun(&device->pump);
    }
    if (more < 0) {
        end(device, "the interface was deleted");
        return;
    }
    set_timer(device);
}

static void on_udp(void *ctx, int fd, int events) {
    struct wrn_device *device = ctx;
    (void)events;
    int more = 1;
    for (int i = 0; more > 0 && i < BATCHES_PER_WAKE; i++) {
        more = wrn_pump_from_udp(&device->pump, fd);
    }
    if (more < 0) {
        end(device, "the interface was deleted");
        return;
    }
    set_timer(device);
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
    wrn_route_read_events(device->route);
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
        wrn_wg_on_time(device->wg, now, device->pump.out);
        wrn_pump_settle(&device->pump, now);
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
    wrn_watch_set(device->tun_watch, 0);
}

/* Looks how our interface is now. */
static void refresh_link(struct wrn_device *device) {
    struct wrn_link_state state;
    int error = wrn_link_query(&device->link, &device->tun, &state);
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
    }
    if (device->link_state.up != before.up) {
        set_up(device, device->link_state.up);
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
        wrn_wg_set_up(device->wg, now, up, device->pump.out);
        wrn_device_settle(device, now);
    }
    if (!up) {
        (void)uv_timer_stop(device->retry);
        close_sockets(device); /* others may have the port while we are down */
    }
}

/* Opens new sockets and only then lets go of the old ones. */
static int bind_port(struct wrn_device *device, uint16_t port) {
    struct wrn_udp udp;
    int error = wrn_udp_open(port, device->mark, &udp);
    if (error != 0) {
        return error;
    }
    error = watch_sockets(device, &udp);
    if (error != 0) {
        wrn_udp_close(&udp);
        return error;
    }
    device->port = device->udp.port;
    device->bind_failed = false;
    wrn_wg_forget_sources(device->wg);
    wrn_log_write(device->log, WRN_LOG_VERBOSE, "UDP port is %u%s", device->port,
                  device->udp.fd6 < 0   ? ", IPv4 only"
                  : device->udp.fd4 < 0 ? ", IPv6 only"
                                        : "");
    return 0;
}

/* Puts 'udp' in the place of the device's sockets. */
static int watch_sockets(struct wrn_device *device, struct wrn_udp *udp) {
    struct wrn_watch *watch4 = NULL;
    struct wrn_watch *watch6 = NULL;
    int error = 0;
    if (udp->fd4 >= 0) {
        error = wrn_watch_open(device->loop, udp->fd4, WRN_WATCH_READ, on_udp, device, &watch4);
    }
    if (error == 0 && udp->fd6 >= 0) {
        error = wrn_watch_open(device->loop, udp->fd6, WRN_WATCH_READ, on_udp, device, &watch6);
    }
    if (error != 0) {
        wrn_watch_close(watch4);
        return error;
    }
    close_sockets(device);
    device->udp = *udp;
    device->udp4_watch = watch4;
    device->udp6_watch = watch6;
    return 0;
}

static void close_sockets(struct wrn_device *device) {
    wrn_watch_close(device->udp4_watch);
    wrn_watch_close(device->udp6_watch);
    device->udp4_watch = NULL;
    device->udp6_watch = NULL;
    wrn_udp_close(&device->udp);
}

static bool is_bound(const struct wrn_device *device) {
    return device->udp.fd4 >= 0 || device->udp.fd6 >= 0;
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
