/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's streams: where they are taken, what comes by them, which of them the node uses. */
#include "daemon/daemon_internal.h"
#include "io/clock.h"
#include "overlay/limits.h"

static void on_ready(void *ctx, int fd, int events);
static void on_datagram(void *ctx, uint16_t socket, const struct wrn_endpoint *from, uint8_t *bytes,
                        size_t size);
static bool is_inside(void *ctx, const struct wrn_ip *local);
static uint16_t take_at(struct wrn_daemon *daemon, bool is_tls, uint16_t port);

void wrn_daemon_open_streams(struct wrn_daemon *daemon) {
    if (!daemon->options->streams) {
        return;
    }
    int error = wrn_streams_create(on_datagram, is_inside, daemon, &daemon->streams);
    if (error == 0) {
        error = wrn_watch_open(daemon->loop, wrn_streams_fd(daemon->streams), WRN_WATCH_READ,
                               on_ready, daemon, &daemon->streams_watch);
    }
    if (error != 0) {
        wrn_streams_destroy(daemon->streams);
        daemon->streams = NULL;
        wrn_log_write(daemon->log, WRN_LOG_ERROR,
                      "cannot use TCP: %s; where UDP is blocked, nobody is reached",
                      strerror(-error));
        return;
    }
    wrn_daemon_listen_streams(daemon);
}

void wrn_daemon_listen_streams(struct wrn_daemon *daemon) {
    const struct wrn_daemon_options *options = daemon->options;
    if (daemon->streams == NULL) {
        return;
    }
    uint16_t tcp_port = options->tcp_port == WRN_OPTIONS_OFF    ? 0
                        : options->tcp_port == WRN_OPTIONS_SAME ? wrn_daemon_port(daemon)
                                                                : (uint16_t)options->tcp_port;
    uint16_t tls_port = options->tls_port == WRN_OPTIONS_OFF ? 0 : (uint16_t)options->tls_port;
    tcp_port = take_at(daemon, false, tcp_port);
    tls_port = take_at(daemon, true, tls_port);
    wrn_node_set_streams(daemon->node, tcp_port, tls_port);
}

void wrn_daemon_keep_streams(struct wrn_daemon *daemon) {
    uint32_t cursor = 0;
    wrn_handle network;
    if (daemon->streams == NULL) {
        return;
    }
    while ((network = wrn_node_next(daemon->node, &cursor)).generation != 0) {
        const struct wrn_overlay *overlay = wrn_node_overlay(daemon->node, network);
        struct wrn_overlay_peer_info info;
        uint32_t at = 0;
        wrn_handle peer;
        while (!wrn_handle_equal(peer = wrn_overlay_peer_next(overlay, &at), WRN_HANDLE_NONE)) {
            if (wrn_overlay_peer_info(overlay, peer, &info) && info.is_admitted &&
                wrn_way_is_stream(&info.way)) {
                wrn_streams_use(daemon->streams, info.way.socket, &info.way.remote);
            }
        }
    }
    wrn_streams_on_time(daemon->streams, wrn_clock_read().mono);
}

void wrn_daemon_send_stream(struct wrn_daemon *daemon, const struct wrn_node_action *action) {
    int error = daemon->streams == NULL
                    ? -ENOTCONN
                    : wrn_streams_send(daemon->streams, action->socket, &action->to, action->bytes);
    if (error != 0 && daemon->log->level >= WRN_LOG_VERBOSE) {
        char to[WRN_ENDPOINT_TEXT_SIZE];
        (void)wrn_endpoint_print(&action->to, to);
        wrn_log_write(daemon->log, WRN_LOG_VERBOSE, "sending to %s by TCP has failed: %s", to,
                      strerror(-error));
    } /* as if it had been lost on its way */
}

static void on_ready(void *ctx, int fd, int events) {
    struct wrn_daemon *daemon = ctx;
    (void)fd;
    (void)events;
    wrn_streams_run(daemon->streams);
}

static void on_datagram(void *ctx, uint16_t socket, const struct wrn_endpoint *from, uint8_t *bytes,
                        size_t size) {
    wrn_daemon_hear(ctx, WRN_HANDLE_NONE, socket, from, bytes, size);
}

static bool is_inside(void *ctx, const struct wrn_ip *local) {
    return wrn_daemon_is_address_inside(ctx, local);
}

/* Returns the port, 0 if none is taken. */
static uint16_t take_at(struct wrn_daemon *daemon, bool is_tls, uint16_t port) {
    int error = wrn_streams_listen(daemon->streams, is_tls, port);
    if (error == 0) {
        return port;
    }
    wrn_log_write(daemon->log, WRN_LOG_ERROR,
                  "cannot take connections at TCP port %u: %s; hosts whose UDP is blocked do not "
                  "reach this one there. Free it, or choose another one with %s (or off)",
                  port, strerror(-error), is_tls ? "--listen-tls" : "--listen-tcp");
    return 0;
}
