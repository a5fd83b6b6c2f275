/* SPDX-License-Identifier: Apache-2.0 */
/* Each program leads a session of its own, so that what it began can be killed with it. */
#define _GNU_SOURCE /* memfd_create, close_range */
#include "daemon/spawn.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "io/cleanup.h"

enum { PIECE = 4096, SIGNAL_BASE = 128, NOT_ENDED = -1, HANDLES = 3, PATH_SIZE = 256 };

static char search_path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
static char language[] = "LC_ALL=C.UTF-8";
static char *environment_of_all[] = {search_path, language, NULL};
static const char *const folders[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
                                      "/usr/bin",        "/sbin",          "/bin"};

struct wrn_spawn {
    uv_process_t process;
    uv_pipe_t pipe; /* its output */
    uv_timer_t timer;
    unsigned open; /* handles whose closing is not confirmed */
    bool is_over;  /* on_end was called, or must not be */
    bool has_pipe, has_timed_out;
    int status; /* NOT_ENDED: it runs */
    void *ctx;
    void (*on_end)(void *ctx, int status, wrn_span output);
    size_t output_max, size;
    uint8_t *output;
    char piece[PIECE];
};

static int open_input(wrn_span input);
static void keep_files(void);
static int start(uv_loop_t *loop, struct wrn_spawn *spawn, const struct wrn_spawn_options *options);
static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer);
static void on_output(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer);
static void on_exit_of(uv_process_t *process, int64_t status, int signal);
static void on_timeout(uv_timer_t *timer);
static void end_if_done(struct wrn_spawn *spawn, bool has_all);
static void close_all(struct wrn_spawn *spawn);
static void on_closed(uv_handle_t *handle);
static bool find_program(const char *name, char ret_path[PATH_SIZE]);
static int wait_for(pid_t child, uint32_t timeout_ms);

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
    if (spawn->output == NULL) {
        free(spawn);
        return -ENOMEM;
    }
    int error = start(loop, spawn, options);
    if (error == 0) {
        *ret_spawn = spawn;
    }
    return error;
}

static int start(uv_loop_t *loop, struct wrn_spawn *spawn,
                 const struct wrn_spawn_options *options) {
    char *args[WRN_SPAWN_ARGS_MAX + 1] = {NULL};
    char path[PATH_SIZE];
    size_t count = 0;
    for (; options->args[count] != NULL; count++) {
        WRN_ASSERT(count < WRN_SPAWN_ARGS_MAX);
        args[count] = (char *)(uintptr_t)options->args[count]; /* libuv does not write there */
    }
    keep_files();
    WRN_CLEANUP(wrn_close_fd) int input = open_input(options->input);
    WRN_CLEANUP(wrn_close_fd) int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    int error = uv_timer_init(loop, &spawn->timer);
    WRN_ASSERT(error == 0);
    error = uv_pipe_init(loop, &spawn->pipe, 0);
    WRN_ASSERT(error == 0); /* neither can fail */
    spawn->timer.data = spawn;
    spawn->pipe.data = spawn;
    spawn->process.data = spawn;
    uv_stdio_container_t stdio[] = {
        {.flags = UV_INHERIT_FD, .data.fd = input},
        {.flags = UV_INHERIT_FD, .data.fd = null},
        {.flags = UV_INHERIT_FD, .data.fd = null},
    };
    if (spawn->has_pipe) {
        stdio[1] = (uv_stdio_container_t){.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE,
                                          .data.stream = (uv_stream_t *)&spawn->pipe};
    }
    uv_process_options_t process = {.exit_cb = on_exit_of,
                                    .file = path,
                                    .args = args,
                                    .env = environment_of_all,
                                    .cwd = "/",
                                    .flags = UV_PROCESS_DETACHED,
                                    .stdio_count = (int)WRN_COUNT(stdio),
                                    .stdio = stdio};
    error = input < 0 || null < 0 ? -EMFILE : 0;
    error = error == 0 && !find_program(args[0], path) ? -ENOENT : error;
    /* A process handle must be closed also if it could not be started, but not if it never was. */
    int tried = error == 0 ? uv_spawn(loop, &spawn->process, &process) : 0;
    spawn->open = error == 0 ? HANDLES : HANDLES - 1;
    error = error != 0 ? error : tried;
    if (error == 0 && spawn->has_pipe) {
        error = uv_read_start((uv_stream_t *)&spawn->pipe, on_room, on_output);
        WRN_ASSERT(error == 0); /* the pipe has just been made */
    }
    if (error != 0) {
        close_all(spawn);
        return error;
    }
    (void)uv_timer_start(&spawn->timer, on_timeout, options->timeout_ms, 0);
    return 0;
}

void wrn_spawn_cancel(struct wrn_spawn *spawn) {
    if (spawn == NULL) {
        return;
    }
    WRN_ASSERT(!spawn->is_over);
    pid_t child = spawn->process.pid;
    bool runs = spawn->status == NOT_ENDED;
    spawn->is_over = true;
    close_all(spawn);
    if (runs) {
        (void)kill(-child, SIGKILL);
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR) { /* libuv asks for it no more */
        }
    }
}

int wrn_spawn_wait(const char *const *args, wrn_span input, uint32_t timeout_ms) {
    char *copies[WRN_SPAWN_ARGS_MAX + 1] = {NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    char path[PATH_SIZE];
    pid_t child = 0;
    for (size_t i = 0; args[i] != NULL; i++) {
        WRN_ASSERT(i < WRN_SPAWN_ARGS_MAX);
        copies[i] = (char *)(uintptr_t)args[i]; /* posix_spawn does not write there */
    }
    keep_files();
    WRN_CLEANUP(wrn_close_fd) int fd = open_input(input);
    if (fd < 0 || !find_program(args[0], path)) {
        return fd < 0 ? fd : -ENOENT;
    }
    if (posix_spawn_file_actions_init(&actions) != 0) {
        return -ENOMEM;
    }
    if (posix_spawnattr_init(&attributes) != 0) {
        (void)posix_spawn_file_actions_destroy(&actions);
        return -ENOMEM;
    }
    int error = posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO);
    error |= posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    error |= posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    error |= posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
    error = error != 0
                ? ENOMEM
                : posix_spawn(&child, path, &actions, &attributes, copies, environment_of_all);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attributes);
    return error != 0 ? -error : wait_for(child, timeout_ms);
}

bool wrn_spawn_exists(const char *name) {
    char path[PATH_SIZE];
    return find_program(name, path);
}

/* What we have open is ours alone, also what our caller had left open: no program that is run gets
 * more than its own three. */
static void keep_files(void) {
    (void)close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC);
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

static void on_exit_of(uv_process_t *process, int64_t status, int signal) {
    struct wrn_spawn *spawn = process->data;
    spawn->status = signal != 0 ? SIGNAL_BASE + signal : (int)status;
    end_if_done(spawn, !spawn->has_pipe || spawn->has_timed_out);
}

/* Also kills what a program that has ended left behind with its output open. */
static void on_timeout(uv_timer_t *timer) {
    struct wrn_spawn *spawn = timer->data;
    spawn->has_timed_out = true;
    (void)kill(-spawn->process.pid, SIGKILL);
    end_if_done(spawn, true);
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
    bool has_process = spawn->open == HANDLES;
    spawn->is_over = true;
    uv_close((uv_handle_t *)&spawn->timer, on_closed);
    uv_close((uv_handle_t *)&spawn->pipe, on_closed);
    if (has_process) {
        uv_close((uv_handle_t *)&spawn->process, on_closed);
    }
}

static void on_closed(uv_handle_t *handle) {
    struct wrn_spawn *spawn = handle->data;
    if (--spawn->open == 0) {
        free(spawn->output);
        free(spawn);
    }
}

static bool find_program(const char *name, char ret_path[PATH_SIZE]) {
    if (name[0] == '/') {
        int size = snprintf(ret_path, PATH_SIZE, "%s", name);
        return size < PATH_SIZE && access(ret_path, X_OK) == 0;
    }
    for (size_t i = 0; i < WRN_COUNT(folders); i++) {
        int size = snprintf(ret_path, PATH_SIZE, "%s/%s", folders[i], name);
        if (size < PATH_SIZE && access(ret_path, X_OK) == 0) {
            return true;
        }
    }
    return false;
}

static int wait_for(pid_t child, uint32_t timeout_ms) {
    int status = 0;
    WRN_CLEANUP(wrn_close_fd) int fd = (int)syscall(SYS_pidfd_open, child, 0);
    struct pollfd wanted = {.fd = fd, .events = POLLIN};
    bool is_late = fd < 0 || poll(&wanted, 1, (int)timeout_ms) != 1;
    if (is_late) {
        (void)kill(-child, SIGKILL);
        (void)kill(child, SIGKILL); /* if it leads no session yet */
    }
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            return -errno; /* the loop took its end for one of its own processes */
        }
    }
    if (is_late) {
        return -ETIMEDOUT;
    }
    return WIFSIGNALED(status) ? SIGNAL_BASE + WTERMSIG(status) : WEXITSTATUS(status);
}
