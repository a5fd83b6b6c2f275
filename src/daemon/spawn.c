/* SPDX-License-Identifier: Apache-2.0 */
/* Each program leads a session of its own, so that what it began can be killed with it. */
#define _GNU_SOURCE /* memfd_create, pipe2 */
#include "daemon/spawn.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "io/cleanup.h"
#include "io/steward.h"

enum { PIECE = 4096, NOT_ENDED = INT32_MIN, HANDLES = 3 };

static_assert((int)WRN_SPAWN_ARGS_MAX == (int)WRN_STEWARD_ARGS_MAX, "the same bound");

struct wrn_spawn {
    uv_pipe_t channel; /* to who minds it */
    uv_pipe_t pipe;    /* its output */
    uv_timer_t timer;
    unsigned open; /* handles whose closing is not confirmed */
    bool is_over;  /* on_end was called, or must not be */
    bool has_pipe, has_timed_out;
    int32_t status; /* NOT_ENDED: it runs */
    void *ctx;
    void (*on_end)(void *ctx, int status, wrn_span output);
    size_t output_max, size;
    uint8_t *output;
    size_t told_size; /* bytes of the status that are here */
    char told[sizeof(int32_t)];
    char piece[PIECE];
};

static int open_input(wrn_span input);
static int start(uv_loop_t *loop, struct wrn_spawn *spawn, const struct wrn_spawn_options *options);
static void watch(struct wrn_spawn *spawn, int channel, int output);
static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer);
static void on_output(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer);
static void on_told_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer);
static void on_told(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer);
static void on_timeout(uv_timer_t *timer);
static void have_killed(const struct wrn_spawn *spawn);
static void end_if_done(struct wrn_spawn *spawn, bool has_all);
static void close_all(struct wrn_spawn *spawn);
static void on_closed(uv_handle_t *handle);

int wrn_spawn_start(uv_loop_t *loop, const struct wrn_spawn_options *options,
                    struct wrn_spawn **ret_spawn) {
    struct wrn_spawn *spawn = calloc(1, sizeof *spawn);
    WRN_ASSERT(options->output_max <= WRN_SPAWN_OUTPUT_MAX);
    if (spawn == NULL) {
        return -ENOMEM;
    }
    spawn->status = NOT_ENDED;
    spawn->ctx = options->ctx;
    spawn->on_end = options->on_end;
    spawn->output_max = options->output_max;
    spawn->has_pipe = options->output_max > 0;
    spawn->output = malloc(options->output_max + 1);
    int error = spawn->output == NULL ? -ENOMEM : start(loop, spawn, options);
    if (error != 0) {
        free(spawn->output);
        free(spawn);
        return error;
    }
    *ret_spawn = spawn;
    return 0;
}

/* Nothing is left in the loop if it fails. */
static int start(uv_loop_t *loop, struct wrn_spawn *spawn,
                 const struct wrn_spawn_options *options) {
    char path[WRN_STEWARD_PATH_SIZE];
    int ends[2] = {-1, -1}, channel = -1;
    if (!wrn_steward_find(options->args[0], path)) {
        return -ENOENT;
    }
    WRN_CLEANUP(wrn_close_fd) int input = open_input(options->input);
    if (input < 0) {
        return input;
    }
    if (spawn->has_pipe && pipe2(ends, O_CLOEXEC) != 0) {
        return -errno;
    }
    WRN_CLEANUP(wrn_close_fd) int ours = ends[0];
    WRN_CLEANUP(wrn_close_fd) int theirs = ends[1];
    int error = wrn_steward_run(options->args, input, theirs, &channel);
    if (error != 0) {
        return error;
    }
    error = uv_timer_init(loop, &spawn->timer);
    WRN_ASSERT(error == 0);
    error = uv_pipe_init(loop, &spawn->pipe, 0);
    WRN_ASSERT(error == 0);
    error = uv_pipe_init(loop, &spawn->channel, 0);
    WRN_ASSERT(error == 0); /* none of them can fail */
    spawn->open = HANDLES;
    watch(spawn, channel, wrn_take_fd(&ours));
    (void)uv_timer_start(&spawn->timer, on_timeout, options->timeout_ms, 0);
    return 0;
}

static void watch(struct wrn_spawn *spawn, int channel, int output) {
    spawn->timer.data = spawn;
    spawn->pipe.data = spawn;
    spawn->channel.data = spawn;
    int error = uv_pipe_open(&spawn->channel, channel);
    error =
        error != 0 ? error : uv_read_start((uv_stream_t *)&spawn->channel, on_told_room, on_told);
    if (error == 0 && spawn->has_pipe) {
        error = uv_pipe_open(&spawn->pipe, output);
        error = error != 0 ? error : uv_read_start((uv_stream_t *)&spawn->pipe, on_room, on_output);
    }
    WRN_ASSERT(error == 0); /* they have just been made */
}

void wrn_spawn_cancel(struct wrn_spawn *spawn) {
    if (spawn == NULL) {
        return;
    }
    WRN_ASSERT(!spawn->is_over);
    close_all(spawn); /* a channel that is closed before the end kills */
}

int wrn_spawn_wait(const char *const *args, wrn_span input, uint32_t timeout_ms) {
    char path[WRN_STEWARD_PATH_SIZE];
    int channel = -1;
    int32_t status = 0;
    if (!wrn_steward_find(args[0], path)) {
        return -ENOENT;
    }
    WRN_CLEANUP(wrn_close_fd) int fd = open_input(input);
    int error = fd < 0 ? fd : wrn_steward_run(args, fd, -1, &channel);
    if (error != 0) {
        return error;
    }
    WRN_CLEANUP(wrn_close_fd) int told = channel;
    struct pollfd wanted = {.fd = told, .events = POLLIN};
    if (poll(&wanted, 1, (int)timeout_ms) != 1) {
        return -ETIMEDOUT; /* closing kills */
    }
    return recv(told, &status, sizeof status, MSG_WAITALL) == sizeof status ? status : -EPIPE;
}

bool wrn_spawn_exists(const char *name) {
    char path[WRN_STEWARD_PATH_SIZE];
    return wrn_steward_find(name, path);
}

/* A file in memory: it never blocks us, however slowly it is read. */
static int open_input(wrn_span input) {
    WRN_CLEANUP(wrn_close_fd) int fd = memfd_create("input", MFD_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    for (size_t done = 0; done < input.size;) {
        ssize_t size = write(fd, input.data + done, input.size - done);
        if (size <= 0) {
            return size < 0 ? -errno : -EIO;
        }
        done += (size_t)size;
    }
    if (lseek(fd, 0, SEEK_SET) < 0) {
        return -errno;
    }
    return wrn_take_fd(&fd);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer) {
    struct wrn_spawn *spawn = handle->data;
    (void)suggested;
    *ret_buffer = uv_buf_init(spawn->piece, sizeof spawn->piece);
}

static void on_output(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer) {
    struct wrn_spawn *spawn = stream->data;
    if (size < 0) {
        end_if_done(spawn, true);
    } else {
        size_t room = spawn->output_max - spawn->size;
        size_t taken = (size_t)size < room ? (size_t)size : room;
        memcpy(spawn->output + spawn->size, buffer->base, taken);
        spawn->size += taken;
    }
}

static void on_told_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer) {
    struct wrn_spawn *spawn = handle->data;
    (void)suggested;
    *ret_buffer = uv_buf_init(spawn->told + spawn->told_size,
                              (unsigned)(sizeof spawn->told - spawn->told_size));
}

/* How it ended; who minds it has nothing else to say. */
static void on_told(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer) {
    struct wrn_spawn *spawn = stream->data;
    (void)buffer;
    spawn->told_size += size > 0 ? (size_t)size : 0;
    if (size < 0) {
        spawn->status = -EPIPE; /* nobody minds it any more */
    } else if (spawn->told_size == sizeof spawn->told) {
        memcpy(&spawn->status, spawn->told, sizeof spawn->status);
    } else {
        return;
    }
    (void)uv_read_stop(stream);
    end_if_done(spawn, !spawn->has_pipe || spawn->has_timed_out || spawn->status < 0);
}

/* Also kills what a program that has ended left behind with its output open. */
static void on_timeout(uv_timer_t *timer) {
    struct wrn_spawn *spawn = timer->data;
    spawn->has_timed_out = true;
    have_killed(spawn);
    end_if_done(spawn, true);
}

static void have_killed(const struct wrn_spawn *spawn) {
    int fd = -1;
    if (uv_fileno((const uv_handle_t *)&spawn->channel, &fd) == 0) {
        ssize_t sent = send(fd, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        (void)sent; /* if nobody minds it, that is told by the channel */
    }
}

/* It is over when the process has ended and all of its output is here. */
static void end_if_done(struct wrn_spawn *spawn, bool has_all) {
    if (has_all && spawn->has_pipe) {
        spawn->has_pipe = false;
        (void)uv_read_stop((uv_stream_t *)&spawn->pipe);
    }
    if (spawn->status == NOT_ENDED || spawn->has_pipe || spawn->is_over) {
        return;
    }
    spawn->is_over = true;
    if (spawn->on_end != NULL) {
        spawn->on_end(spawn->ctx, spawn->has_timed_out ? -ETIMEDOUT : spawn->status,
                      (wrn_span){spawn->output, spawn->size});
    }
    close_all(spawn);
}

static void close_all(struct wrn_spawn *spawn) {
    spawn->is_over = true;
    uv_close((uv_handle_t *)&spawn->timer, on_closed);
    uv_close((uv_handle_t *)&spawn->pipe, on_closed);
    uv_close((uv_handle_t *)&spawn->channel, on_closed);
}

static void on_closed(uv_handle_t *handle) {
    struct wrn_spawn *spawn = handle->data;
    if (--spawn->open == 0) {
        free(spawn->output);
        free(spawn);
    }
}
