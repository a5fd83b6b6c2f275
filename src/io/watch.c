/* SPDX-License-Identifier: Apache-2.0 */
/* Poll handles with an owner. Keeps no global state. */
#include "io/watch.h"

#include <stdlib.h>
#include <uv.h>

static_assert((int)WRN_WATCH_READ == (int)UV_READABLE, "handed through");
static_assert((int)WRN_WATCH_WRITE == (int)UV_WRITABLE, "handed through");

struct wrn_watch {
    uv_poll_t poll;
    int fd;
    int events;
    wrn_watch_fn on_ready;
    void *ctx;
    bool closed;
};

static void on_poll(uv_poll_t *poll, int status, int events);
static void on_closed(uv_handle_t *handle);

int wrn_watch_open(uv_loop_t *loop, int fd, int events, wrn_watch_fn on_ready, void *ctx,
                   struct wrn_watch **ret_watch) {
    struct wrn_watch *watch = calloc(1, sizeof *watch);
    if (watch == NULL) {
        return -ENOMEM;
    }
    watch->fd = fd;
    watch->on_ready = on_ready;
    watch->ctx = ctx;
    int error = uv_poll_init(loop, &watch->poll, fd); /* libuv's errors are -errno */
    if (error != 0) {
        free(watch);
        return error;
    }
    wrn_watch_set(watch, events);
    *ret_watch = watch;
    return 0;
}

void wrn_watch_set(struct wrn_watch *watch, int events) {
    if (events == watch->events) {
        return;
    }
    watch->events = events;
    int error =
        events == 0 ? uv_poll_stop(&watch->poll) : uv_poll_start(&watch->poll, events, on_poll);
    WRN_ASSERT(error == 0);
}

void wrn_watch_close(struct wrn_watch *watch) {
    if (watch != NULL && !watch->closed) {
        watch->closed = true;
        uv_close((uv_handle_t *)&watch->poll, on_closed);
    }
}

static void on_poll(uv_poll_t *poll, int status, int events) {
    struct wrn_watch *watch = WRN_CONTAINER(poll, struct wrn_watch, poll);
    if (status == 0) {
        watch->on_ready(watch->ctx, watch->fd, events);
        return;
    }
    /* An error waits in the descriptor and libuv has stopped watching. Whoever reads or writes next
     * learns of it and clears it; then watching goes on. */
    int wanted = watch->events;
    watch->events = 0;
    watch->on_ready(watch->ctx, watch->fd, wanted);
    if (!watch->closed && watch->events == 0) {
        wrn_watch_set(watch, wanted);
    }
}

static void on_closed(uv_handle_t *handle) {
    free(WRN_CONTAINER(handle, struct wrn_watch, poll));
}
