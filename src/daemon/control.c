/* SPDX-License-Identifier: Apache-2.0 */
/* The connections of the control socket. */
#define _GNU_SOURCE /* accept4 */
#include "daemon/control.h"

#include <jansson.h>
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "daemon/control_socket.h"
#include "daemon/methods.h"
#include "io/clock.h"
#include "io/watch.h"

enum {
    CONNECTIONS_MAX = 64,
    OUTPUT_MAX = 8 << 20,       /* bytes that wait for their reader; then it is cut */
    OUTPUT_PAUSES = 256 << 10,  /* ... from so many on nothing more is read from it */
    READER_PATIENCE_TICKS = 10, /* so many without a byte read, and it is cut */
    TICK_MS = 1000,
    ACCEPT_RETRY_TICKS = 1,
};

struct client {
    struct wrn_control *control; /* NULL: the place is free */
    int fd;
    struct wrn_watch *watch;
    struct wrn_rpc_session *session;
    enum wrn_rpc_level level;
    uint64_t arrival;  /* orders clients by age */
    uint8_t *input;    /* WRN_RPC_LINE_MAX + 1 bytes */
    size_t input_size; /* without the end of a line in them */
    char *output;      /* NULL: nothing waits */
    size_t output_size, output_sent, output_room;
    uint32_t idle_ticks; /* since the reader took something, or had nothing to take */
    bool at_end;         /* the peer has finished sending */
    bool is_cut;         /* of no use any more: dropped at the next opportunity */
    uint64_t events;     /* subscribed to, by kind */
    wrn_handle network;  /* ... of this one; NONE: of all */
};

struct wrn_control {
    struct wrn_daemon *daemon;
    struct wrn_control_socket socket;
    gid_t admins; /* may change things; WRN_CONTROL_NOBODY: root alone */
    struct wrn_rpc_host host;
    struct wrn_methods *methods;
    struct wrn_daemon_listener listener;
    bool is_listening;
    struct wrn_watch *watch; /* of the socket */
    bool is_deaf;            /* no descriptor was left for a new connection */
    uv_timer_t *tick;
    uint64_t arrivals;
    struct client clients[CONNECTIONS_MAX];
};

static int fail(char reterr_why[WRN_DAEMON_WHY_SIZE], const char *path, int error);
static void on_connection(void *ctx, int fd, int events);
static void accept_client(struct wrn_control *control, int fd);
static struct client *free_place(struct wrn_control *control);
static bool gives_way(const struct client *client, const struct client *other);
static void drop(struct client *client);
static void on_client(void *ctx, int fd, int events);
static bool take_input(struct client *client);
static void take_lines(struct client *client, size_t fresh);
static bool put_output(struct client *client);
static void proceed(struct client *client);
static void on_send(void *ctx, const char *line, size_t size);
static bool make_room(struct client *client, size_t size);
static void on_tick(uv_timer_t *handle);
static void on_event(void *ctx, wrn_handle network, const struct wrn_node_event *event);
static void on_tick_closed(uv_handle_t *handle);
static void wipe_and_free(void *memory);

int wrn_control_start(struct wrn_daemon *daemon, struct wrn_service *service,
                      const struct wrn_daemon_options *options, struct wrn_control **ret_control,
                      char reterr_why[WRN_DAEMON_WHY_SIZE]) {
    const char *path = options->socket;
    gid_t admins = WRN_CONTROL_NOBODY;
    if (options->admins[0] != '\0' && !wrn_control_socket_group(options->admins, &admins)) {
        (void)snprintf(reterr_why, WRN_DAEMON_WHY_SIZE,
                       "there is no group %s: make it (groupadd %s), or name another one with "
                       "--admin-group",
                       options->admins, options->admins);
        return -ENOENT;
    }
    struct wrn_control *control = calloc(1, sizeof *control);
    if (control == NULL) {
        return fail(reterr_why, path, -ENOMEM);
    }
    control->daemon = daemon;
    control->socket.fd = -1;
    control->socket.lock = -1;
    control->admins = admins;
    json_set_alloc_funcs(malloc, wipe_and_free);
    control->tick = calloc(1, sizeof *control->tick);
    control->methods = wrn_methods_create(daemon, service, control, &control->host);
    int error = control->tick == NULL || control->methods == NULL ? -ENOMEM : 0;
    if (control->tick != NULL) {
        int failed = uv_timer_init(wrn_daemon_loop(daemon), control->tick);
        WRN_ASSERT(failed == 0); /* it cannot */
        control->tick->data = control;
    }
    error = error != 0 ? error : wrn_control_socket_open(path, admins, &control->socket);
    error = error != 0 ? error
                       : wrn_watch_open(wrn_daemon_loop(daemon), control->socket.fd, WRN_WATCH_READ,
                                        on_connection, control, &control->watch);
    if (error != 0) {
        wrn_control_stop(control);
        return fail(reterr_why, path, error);
    }
    (void)uv_timer_start(control->tick, on_tick, TICK_MS, TICK_MS);
    uv_unref((uv_handle_t *)control->tick);
    control->listener = (struct wrn_daemon_listener){.ctx = control, .on_event = on_event};
    wrn_daemon_listen(daemon, &control->listener);
    control->is_listening = true;
    *ret_control = control;
    return 0;
}

void wrn_control_stop(struct wrn_control *control) {
    if (control == NULL) {
        return;
    }
    if (control->is_listening) {
        wrn_daemon_unlisten(control->daemon, &control->listener);
    }
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        if (control->clients[i].control != NULL) {
            (void)put_output(&control->clients[i]); /* the answer to `shutdown` */
            drop(&control->clients[i]);
        }
    }
    wrn_methods_destroy(control->methods);
    wrn_watch_close(control->watch);
    wrn_control_socket_close(&control->socket);
    if (control->tick != NULL) {
        uv_close((uv_handle_t *)control->tick, on_tick_closed);
    }
    free(control);
}

void wrn_control_subscribe(struct wrn_control *control, const struct wrn_rpc_session *session,
                           uint64_t kinds, wrn_handle network) {
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        struct client *client = &control->clients[i];
        if (client->control != NULL && client->session == session) {
            client->events = kinds;
            client->network = network;
        }
    }
}

static int fail(char reterr_why[WRN_DAEMON_WHY_SIZE], const char *path, int error) {
    const char *next =
        error == -EADDRINUSE ? "another warrend serves it: use that one, or end it with warren down"
        : error == -EACCES || error == -EPERM || error == -EROFS
            ? "start warrend as root, with a --user who may write to its folder, or choose another "
              "place with --socket"
        : error == -ENOENT || error == -ENOTDIR ? "make its folder, or choose another place with "
                                                  "--socket"
        : error == -EEXIST       ? "a file that is no socket stands there: remove it, or choose "
                                   "another place with --socket"
        : error == -ENAMETOOLONG ? "the path may have 107 bytes: choose a shorter one with --socket"
                                 : "choose another place with --socket";
    (void)snprintf(reterr_why, WRN_DAEMON_WHY_SIZE,
                   "cannot serve the control socket %.300s: %s; %s", path, strerror(-error), next);
    return error;
}

static void on_connection(void *ctx, int fd, int events) {
    struct wrn_control *control = ctx;
    (void)events;
    int client_fd = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client_fd >= 0) {
        accept_client(control, client_fd);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
        wrn_log_write(wrn_daemon_log(control->daemon), WRN_LOG_ERROR,
                      "cannot accept a control connection: %s; raise the limit (ulimit -n)",
                      strerror(errno));
        wrn_watch_set(control->watch, 0); /* it stays readable: do not spin; see on_tick */
        control->is_deaf = true;
    }
}

static void accept_client(struct wrn_control *control, int fd) {
    struct client *client = free_place(control);
    *client = (struct client){.control = control, .fd = fd, .arrival = control->arrivals++};
    bool is_admin = wrn_control_socket_is_admin(fd, control->admins);
    client->level = is_admin ? WRN_RPC_ADMIN : WRN_RPC_READ;
    client->input = malloc(WRN_RPC_LINE_MAX + 1);
    client->session = wrn_rpc_session_create(&control->host, client->level, on_send, client);
    if (client->session != NULL) {
        struct ucred peer = wrn_control_socket_peer(fd);
        wrn_rpc_session_caller(client->session, peer.uid, peer.pid);
    }
    if (client->input == NULL || client->session == NULL ||
        wrn_watch_open(wrn_daemon_loop(control->daemon), fd, WRN_WATCH_READ, on_client, client,
                       &client->watch) != 0) {
        drop(client);
    }
}

/* Finds a place for a new connection; if there is none, somebody gives way: clients that connect
 * and do not go on must not lock others out. */
static struct client *free_place(struct wrn_control *control) {
    struct client *first = NULL;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        struct client *client = &control->clients[i];
        if (client->control == NULL) {
            return client;
        }
        if (first == NULL || gives_way(client, first)) {
            first = client;
        }
    }
    drop(first);
    return first;
}

/* Whether a client gives way before another: those who may only read first, then those who wait for
 * no answer and for no events, then the oldest. */
static bool gives_way(const struct client *client, const struct client *other) {
    bool idle = client->events == 0 && wrn_rpc_calls(client->session) == 0;
    bool other_idle = other->events == 0 && wrn_rpc_calls(other->session) == 0;
    if (client->level != other->level) {
        return client->level == WRN_RPC_READ;
    }
    return idle != other_idle ? idle : client->arrival < other->arrival;
}

static void drop(struct client *client) {
    wrn_watch_close(client->watch);
    wrn_rpc_session_destroy(client->session);
    wrn_methods_on_gone(client->control->methods);
    (void)close(client->fd);
    wipe_and_free(client->input);
    wipe_and_free(client->output);
    *client = (struct client){0};
}

static void on_client(void *ctx, int fd, int events) {
    struct client *client = ctx;
    (void)fd;
    bool is_good = !client->is_cut;
    if (is_good && (events & WRN_WATCH_WRITE) != 0) {
        is_good = put_output(client);
    }
    if (is_good && (events & WRN_WATCH_READ) != 0) {
        is_good = take_input(client);
    }
    if (is_good) {
        proceed(client);
    } else {
        drop(client);
    }
}

/* Reads once, and does what whole lines ask for. False: the connection is of no use any more. */
static bool take_input(struct client *client) {
    if (client->at_end) {
        return true;
    }
    ssize_t got = recv(client->fd, client->input + client->input_size,
                       WRN_RPC_LINE_MAX + 1 - client->input_size, 0);
    if (got < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    if (got == 0) { /* a last line without its end counts */
        client->at_end = true;
        wrn_rpc_line(client->session, (wrn_span){client->input, client->input_size});
        client->input_size = 0;
        return true;
    }
    take_lines(client, (size_t)got);
    return true;
}

/* 'fresh' bytes have come behind those that are known to hold no end of a line. */
static void take_lines(struct client *client, size_t fresh) {
    size_t size = client->input_size + fresh;
    size_t searched = client->input_size;
    size_t start = 0;
    for (;;) {
        const uint8_t *end = memchr(client->input + searched, '\n', size - searched);
        if (end == NULL) {
            break;
        }
        size_t length = (size_t)(end - client->input) - start;
        wrn_rpc_line(client->session, (wrn_span){client->input + start, length});
        start += length + 1;
        searched = start;
    }
    memmove(client->input, client->input + start, size - start);
    client->input_size = size - start;
    wrn_wipe(client->input + client->input_size, start); /* what was asked may be an invitation */
    if (client->input_size > WRN_RPC_LINE_MAX) {         /* where it ends cannot be known */
        wrn_rpc_too_long(client->session);
        client->input_size = 0;
        client->at_end = true;
    }
}

/* Writes what the peer takes. False: it is gone. */
static bool put_output(struct client *client) {
    while (client->output_sent < client->output_size) {
        ssize_t put = send(client->fd, client->output + client->output_sent,
                           client->output_size - client->output_sent, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0) {
            return errno == EAGAIN;
        }
        client->output_sent += (size_t)put;
        client->idle_ticks = 0;
    }
    wipe_and_free(client->output);
    client->output = NULL;
    client->output_size = client->output_sent = client->output_room = 0;
    return true;
}

/* Who will ask no more may still listen, or have closed the socket. */
static bool has_gone(const struct client *client) {
    struct pollfd poll_fd = {.fd = client->fd};
    return poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & (POLLHUP | POLLERR)) != 0;
}

/* Waits for what comes next; closes the connection if nothing can come, or nobody reads it. */
static void proceed(struct client *client) {
    bool has_output = client->output_size > 0;
    bool is_done = !has_output && wrn_rpc_calls(client->session) == 0 && client->events == 0;
    if (client->at_end && (is_done || has_gone(client))) {
        drop(client);
        return;
    }
    bool reads = !client->at_end && client->output_size - client->output_sent < OUTPUT_PAUSES;
    wrn_watch_set(client->watch, (reads ? WRN_WATCH_READ : 0) | (has_output ? WRN_WATCH_WRITE : 0));
}

/* Keeps a line for the client; it is written when the loop comes round, so that nobody loses his
 * connection in the middle of a call. */
static void on_send(void *ctx, const char *line, size_t size) {
    struct client *client = ctx;
    if (client->is_cut) {
        return;
    }
    if (!make_room(client, size)) {
        wrn_log_write(wrn_daemon_log(client->control->daemon), WRN_LOG_ERROR,
                      "cutting a control connection that does not read its answers");
        client->is_cut = true;
        return;
    }
    memcpy(client->output + client->output_size, line, size);
    client->output_size += size;
    bool reads = !client->at_end && client->output_size - client->output_sent < OUTPUT_PAUSES;
    if (client->watch != NULL) {
        wrn_watch_set(client->watch, (reads ? WRN_WATCH_READ : 0) | WRN_WATCH_WRITE);
    }
}

/* What moves leaves no copy behind: it may be an invitation. */
static bool make_room(struct client *client, size_t size) {
    size_t wanted = client->output_size + size;
    if (wanted - client->output_sent > OUTPUT_MAX) {
        return false;
    }
    if (wanted <= client->output_room) {
        return true;
    }
    size_t waiting = client->output_size - client->output_sent;
    size_t room = 2 * (waiting + size);
    char *larger = malloc(room);
    if (larger == NULL) {
        return false;
    }
    if (waiting > 0) {
        memcpy(larger, client->output + client->output_sent, waiting);
    }
    wipe_and_free(client->output);
    client->output = larger;
    client->output_room = room;
    client->output_size = waiting;
    client->output_sent = 0;
    return true;
}

/* Once a second: cuts those who do not read, and listens again. */
static void on_tick(uv_timer_t *handle) {
    struct wrn_control *control = handle->data;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        struct client *client = &control->clients[i];
        if (client->control == NULL) {
            continue;
        }
        client->idle_ticks = client->output_size > 0 ? client->idle_ticks + 1 : 0;
        if (client->is_cut || client->idle_ticks > READER_PATIENCE_TICKS) {
            drop(client);
        } else {
            proceed(client); /* its last notification may be done */
        }
    }
    if (control->is_deaf) {
        control->is_deaf = false;
        wrn_watch_set(control->watch, WRN_WATCH_READ);
    }
}

static void on_event(void *ctx, wrn_handle network, const struct wrn_node_event *event) {
    struct wrn_control *control = ctx;
    json_t *json = NULL;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        struct client *client = &control->clients[i];
        bool is_wanted =
            client->control != NULL && (client->events >> event->kind & 1) != 0 &&
            (client->network.generation == 0 || (client->network.index == network.index &&
                                                 client->network.generation == network.generation));
        if (!is_wanted) {
            continue;
        }
        if (json == NULL) {
            json = wrn_methods_event_json(control->daemon, network, event, wrn_clock_read().wall.s);
        }
        wrn_rpc_notify(client->session, "event", json_incref(json));
    }
    json_decref(json);
}

static void on_tick_closed(uv_handle_t *handle) {
    free(handle);
}

/* JSON holds invitations. */
static void wipe_and_free(void *memory) {
    if (memory != NULL) {
        wrn_wipe(memory, malloc_usable_size(memory));
        free(memory);
    }
}
