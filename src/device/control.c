/* SPDX-License-Identifier: Apache-2.0 */
/* The connections of the UAPI socket. One request at a time is worked on, whoever sent it: a `get`
 * sees no half-done `set`, and the other way round. */
#define _GNU_SOURCE /* accept4 */
#include "device/control.h"

#include <net/if.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "device/connection.h"
#include "io/clock.h"
#include "io/watch.h"

enum {
    CONNECTIONS_MAX = 64,
    ACCEPT_RETRY_MS = 200,
    READER_PATIENCE_MS = 5000, /* with a client that does not read while others wait for it */
};

struct client {
    struct wrn_connection connection;
    struct wrn_control *control; /* NULL: the place is free */
    struct wrn_watch *watch;
    uint64_t arrival; /* orders clients by age */
};

/* What libuv needs for longer than we live. */
struct handles {
    uv_fs_event_t file;
    uv_idle_t work;
    uv_timer_t patience;
    uv_timer_t accept_retry;
    uint32_t open; /* of the four */
};

struct wrn_control {
    uv_loop_t *loop;
    struct wrn_log *log;
    struct wrn_uapi_socket socket;
    struct wrn_connection_host host;
    struct wrn_watch *listener;
    struct handles *handles;
    struct client *turn; /* whose request is being worked on, NULL: nobody's */
    uint64_t arrivals;
    size_t next; /* place at which the search for the next request starts */
    struct client clients[CONNECTIONS_MAX];
};

static int open_handles(struct wrn_control *control);
static void close_handles(struct handles *handles);
static void on_handle_closed(uv_handle_t *handle);
static void on_file(uv_fs_event_t *handle, const char *name, int events, int status);
static void on_listener(void *ctx, int fd, int events);
static void on_client(void *ctx, int fd, int events);
static void on_work(uv_idle_t *handle);
static void on_patience(uv_timer_t *handle);
static void accept_client(struct wrn_control *control, int fd);
static struct client *free_place(struct wrn_control *control);
static void drop(struct client *client);
static void proceed(struct client *client);
static void schedule(struct wrn_control *control);
static struct client *next_waiting(const struct wrn_control *control);
static void on_accept_retry(uv_timer_t *handle);
static int set_listen_port(void *ctx, uint16_t port);
static int set_fwmark(void *ctx, uint32_t mark);
static int set_workers(void *ctx, uint32_t count);
static int set_offloads(void *ctx, uint32_t offloads);
static int find_interface(void *ctx, const char *name, uint32_t *ret_index);

int wrn_control_create(uv_loop_t *loop, struct wrn_uapi_socket socket, struct wrn_device *device,
                       struct wrn_log *log, struct wrn_control **ret_control) {
    struct wrn_control *control = calloc(1, sizeof *control);
    if (control == NULL) {
        wrn_uapi_socket_close(&socket);
        return -ENOMEM;
    }
    control->loop = loop;
    control->log = log;
    control->socket = socket;
    control->host = (struct wrn_connection_host){
        .device = device,
        .log = log,
        .apply = {.wg = wrn_device_wg(device),
                  .out = wrn_device_out(device),
                  .ctx = device,
                  .set_listen_port = set_listen_port,
                  .set_fwmark = set_fwmark,
                  .set_workers = set_workers,
                  .set_offloads = set_offloads,
                  .find_interface = find_interface},
    };
    int error = open_handles(control);
    error = error != 0 ? error
                       : wrn_watch_open(loop, control->socket.fd, WRN_WATCH_READ, on_listener,
                                        control, &control->listener);
    if (error != 0) {
        wrn_control_destroy(control);
        return error;
    }
    *ret_control = control;
    return 0;
}

void wrn_control_destroy(struct wrn_control *control) {
    if (control == NULL) {
        return;
    }
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        if (control->clients[i].control != NULL) {
            drop(&control->clients[i]);
        }
    }
    wrn_watch_close(control->listener);
    close_handles(control->handles);
    wrn_uapi_socket_close(&control->socket);
    free(control);
}

static int open_handles(struct wrn_control *control) {
    struct handles *handles = calloc(1, sizeof *handles);
    if (handles == NULL) {
        return -ENOMEM;
    }
    control->handles = handles;
    handles->open = 4;
    int error = uv_idle_init(control->loop, &handles->work);
    WRN_ASSERT(error == 0); /* none of the four can fail */
    error = uv_timer_init(control->loop, &handles->patience);
    WRN_ASSERT(error == 0);
    error = uv_timer_init(control->loop, &handles->accept_retry);
    WRN_ASSERT(error == 0);
    error = uv_fs_event_init(control->loop, &handles->file);
    WRN_ASSERT(error == 0);
    handles->work.data = control;
    handles->patience.data = control;
    handles->accept_retry.data = control;
    handles->file.data = control;
    if (control->socket.path[0] == '\0') {
        return 0;
    }
    char watched[WRN_UAPI_PATH_MAX];
    wrn_uapi_socket_watched_path(&control->socket, watched);
    error = uv_fs_event_start(&handles->file, on_file, watched, 0);
    if (error != 0) {
        return error;
    }
    /* It may have gone between its making and our watching. */
    return wrn_uapi_socket_is_there(&control->socket) ? 0 : -ENOENT;
}

static void close_handles(struct handles *handles) {
    if (handles == NULL) {
        return;
    }
    uv_handle_t *all[] = {(uv_handle_t *)&handles->work, (uv_handle_t *)&handles->patience,
                          (uv_handle_t *)&handles->accept_retry, (uv_handle_t *)&handles->file};
    for (size_t i = 0; i < WRN_COUNT(all); i++) {
        all[i]->data = handles;
        uv_close(all[i], on_handle_closed);
    }
}

static void on_handle_closed(uv_handle_t *handle) {
    struct handles *handles = handle->data;
    if (--handles->open == 0) {
        free(handles);
    }
}

/* Something happened to the socket's file; that it was removed or replaced is what matters. */
static void on_file(uv_fs_event_t *handle, const char *name, int events, int status) {
    struct wrn_control *control = handle->data;
    (void)name;
    (void)events;
    (void)status;
    if (!wrn_uapi_socket_is_there(&control->socket)) {
        wrn_log_write(control->log, WRN_LOG_VERBOSE, "the socket's file was removed, ending");
        uv_stop(control->loop);
    }
}

static void on_listener(void *ctx, int fd, int events) {
    struct wrn_control *control = ctx;
    (void)events;
    int client_fd = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client_fd >= 0) {
        accept_client(control, client_fd);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
        wrn_log_write(control->log, WRN_LOG_ERROR,
                      "cannot accept a configuration connection: %s; raise the limit (ulimit -n)",
                      strerror(errno));
        wrn_watch_set(control->listener, 0); /* it stays readable: do not spin */
        (void)uv_timer_start(&control->handles->accept_retry, on_accept_retry, ACCEPT_RETRY_MS, 0);
    }
}

static void on_accept_retry(uv_timer_t *handle) {
    struct wrn_control *control = handle->data;
    wrn_watch_set(control->listener, WRN_WATCH_READ);
}

static void on_client(void *ctx, int fd, int events) {
    struct client *client = ctx;
    int error = 0;
    (void)fd;
    if ((events & WRN_WATCH_WRITE) != 0) {
        error = wrn_connection_write(&client->connection);
    }
    if (error == 0 && (events & WRN_WATCH_READ) != 0) {
        error = wrn_connection_read(&client->connection);
    }
    if (error != 0) {
        drop(client);
        return;
    }
    if (client == client->control->turn) { /* it does read */
        (void)uv_timer_stop(&client->control->handles->patience);
    }
    proceed(client);
}

/* Runs in each round of the loop while there is work that nobody else has to make possible. */
static void on_work(uv_idle_t *handle) {
    struct wrn_control *control = handle->data;
    struct client *client = control->turn != NULL ? control->turn : next_waiting(control);
    if (client == NULL || wrn_connection_has_output(&client->connection)) {
        schedule(control);
        return;
    }
    control->turn = client;
    control->next = (size_t)(client - control->clients) + 1;
    int error = wrn_connection_work(&client->connection, &control->host);
    error = error != 0 ? error : wrn_connection_write(&client->connection);
    if (error != 0) {
        drop(client);
        return;
    }
    proceed(client);
}

/* The client whose turn it is has not read for too long, and others cannot go on. */
static void on_patience(uv_timer_t *handle) {
    struct wrn_control *control = handle->data;
    if (control->turn != NULL && next_waiting(control) == NULL) {
        schedule(control); /* nobody waits: it may take its time */
    } else if (control->turn != NULL && wrn_connection_has_output(&control->turn->connection)) {
        wrn_log_write(control->log, WRN_LOG_ERROR,
                      "closing a configuration connection that does not read its answer");
        drop(control->turn);
    }
}

static void accept_client(struct wrn_control *control, int fd) {
    struct client *client = free_place(control);
    *client = (struct client){.control = control, .arrival = control->arrivals++};
    wrn_connection_init(&client->connection, fd);
    int error =
        wrn_watch_open(control->loop, fd, WRN_WATCH_READ, on_client, client, &client->watch);
    if (error != 0) {
        drop(client);
    }
}

/* Finds a place for a new connection; if there is none, the oldest that has said nothing gives way,
 * or else the oldest that has no request under way: clients that connect and do not go on must not
 * lock others out. */
static struct client *free_place(struct wrn_control *control) {
    struct client *oldest = NULL;
    bool oldest_idle = false;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        struct client *client = &control->clients[i];
        if (client->control == NULL) {
            return client;
        }
        if (client == control->turn) {
            continue;
        }
        bool idle = wrn_connection_is_idle(&client->connection);
        if (oldest == NULL || (idle && !oldest_idle) ||
            (idle == oldest_idle && client->arrival < oldest->arrival)) {
            oldest_idle = idle;
            oldest = client;
        }
    }
    WRN_ASSERT(oldest != NULL); /* only one of many can have the turn */
    drop(oldest);
    return oldest;
}

static void drop(struct client *client) {
    struct wrn_control *control = client->control;
    if (control->turn == client) {
        control->turn = NULL;
        (void)uv_timer_stop(&control->handles->patience);
    }
    wrn_watch_close(client->watch);
    wrn_connection_finish(&client->connection, &control->host);
    *client = (struct client){0};
    schedule(control);
}

/* Waits for what the client needs next, gives the turn back if its request is done, and closes the
 * connection if all is said. */
static void proceed(struct client *client) {
    struct wrn_control *control = client->control;
    struct wrn_connection *connection = &client->connection;
    bool has_output = wrn_connection_has_output(connection);
    if (client == control->turn && !wrn_connection_is_busy(connection)) {
        control->turn = NULL;
    }
    if (connection->state == WRN_CONNECTION_CLOSING && !has_output) {
        drop(client);
        return;
    }
    int events = connection->state == WRN_CONNECTION_READING && !has_output ? WRN_WATCH_READ : 0;
    wrn_watch_set(client->watch, events | (has_output ? WRN_WATCH_WRITE : 0));
    schedule(control);
}

/* Lets work go on if there is any to do now; else the loop may sleep. */
static void schedule(struct wrn_control *control) {
    struct handles *handles = control->handles;
    struct client *turn = control->turn;
    bool blocked = turn != NULL && wrn_connection_has_output(&turn->connection);
    if (blocked && !uv_is_active((uv_handle_t *)&handles->patience)) {
        (void)uv_timer_start(&handles->patience, on_patience, READER_PATIENCE_MS, 0);
    }
    if (!blocked && (turn != NULL || next_waiting(control) != NULL)) {
        (void)uv_idle_start(&handles->work, on_work);
    } else {
        (void)uv_idle_stop(&handles->work);
    }
}

/* Finds a client whose request can be begun, each in its turn. */
static struct client *next_waiting(const struct wrn_control *control) {
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        size_t place = (control->next + i) % CONNECTIONS_MAX;
        const struct client *client = &control->clients[place];
        if (client->control != NULL && client->connection.state == WRN_CONNECTION_WAITING &&
            !wrn_connection_has_output(&client->connection)) {
            return client->control->clients + place;
        }
    }
    return NULL;
}

static int set_listen_port(void *ctx, uint16_t port) {
    return wrn_device_set_listen_port(ctx, port);
}

static int set_fwmark(void *ctx, uint32_t mark) {
    return wrn_device_set_fwmark(ctx, mark);
}

static int set_workers(void *ctx, uint32_t count) {
    return wrn_device_set_workers(ctx, count);
}

static int set_offloads(void *ctx, uint32_t offloads) {
    wrn_device_set_offloads(ctx, offloads);
    return 0;
}

static int find_interface(void *ctx, const char *name, uint32_t *ret_index) {
    (void)ctx;
    unsigned index = if_nametoindex(name);
    if (index == 0) {
        return -ENODEV;
    }
    *ret_index = index;
    return 0;
}
