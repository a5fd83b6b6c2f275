/* SPDX-License-Identifier: Apache-2.0 */
/* warrend: connects a host with the networks that it is in. Puts the parts together; holds none of
 * their logic. */
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include <linux/capability.h>
#include <openssl/crypto.h>

#include "daemon/control.h"
#include "daemon/control_socket.h"
#include "daemon/daemon.h"
#include "daemon/debts.h"
#include "daemon/disk.h"
#include "daemon/errands.h"
#include "daemon/metrics.h"
#include "daemon/service.h"
#include "io/background.h"
#include "io/cleanup.h"
#include "io/loop.h"
#include "io/memory.h"
#include "io/notify.h"
#include "io/privileges.h"
#include "io/random.h"
#include "io/steward.h"

#define CONFIG_PATH "/etc/warren/warrend.conf"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };
enum {
    CONFIG_MAX = 64 << 10,
    LOG_MAX = 8 << 20,
    FOLDER_LOOKS = 150,
    LOOK_MS = 20,
    GRACE_MS = 2000, /* for a service manager to start the next one */
    NOTE_SIZE = 64,
    USEC_PER_MS = 1000,
};

/* All that runs. Zeroed parts are not there. */
struct program {
    int argc;
    char *const *argv;
    struct wrn_daemon_options options;
    uv_loop_t loop;
    uv_signal_t signals[WRN_LOOP_SIGNALS];
    uv_timer_t watchdog;
    struct wrn_notify notify;
    struct wrn_log log;
    int folder;
    int complaints; /* where to say why it did not start; -1: to the log alone */
    int ready;      /* of the parent that waits; -1: none */
    struct wrn_daemon *daemon;
    struct wrn_service *service;
    struct wrn_control *control;
};

static int read_options(int argc, char *const *argv, struct wrn_daemon_options *options,
                        char why[WRN_OPTIONS_WHY_SIZE]);
static int read_config(const char *path, bool has_to_be, struct wrn_daemon_options *options,
                       char why[WRN_OPTIONS_WHY_SIZE]);
static int run(struct program *program);
static int serve(struct program *program);
static int prepare(struct program *program);
static int renounce(struct program *program, char why[WRN_DAEMON_WHY_SIZE]);
static void confine(struct program *program);
static void watch_over(struct program *program);
static void on_watchdog(uv_timer_t *timer);
static int start(struct program *program);
static int open_folder(struct program *program, char why[WRN_DAEMON_WHY_SIZE]);
static int start_parts(struct program *program, char why[WRN_DAEMON_WHY_SIZE]);
static void stop_parts(struct program *program);
static void finish(struct program *program);
static void write_log_to_file(struct program *program);
static void allow_many_files(void);
static void on_signal(uv_signal_t *handle, int number);
static void read_level_anew(struct program *program);
static int fail(struct program *program, const char *why);

int main(int argc, char **argv) {
    wrn_background_occupy();
    struct program *program = calloc(1, sizeof *program);
    if (program == NULL) {
        return EXIT_FAILED;
    }
    program->argc = argc;
    program->argv = argv;
    program->folder = -1;
    program->complaints = -1;
    program->ready = -1;
    int code = run(program);
    wrn_close_fd(&program->folder);
    wrn_close_fd(&program->complaints);
    free(program);
    return code;
}

static int run(struct program *program) {
    char why[WRN_OPTIONS_WHY_SIZE];
    if (read_options(program->argc, program->argv, &program->options, why) != 0) {
        (void)fprintf(stderr, "warrend: %s\n", why);
        return EXIT_USAGE;
    }
    if (program->options.action == WRN_OPTIONS_HELP) {
        (void)fputs(wrn_options_usage(), stdout);
        return EXIT_DONE;
    }
    if (program->options.action == WRN_OPTIONS_VERSION) {
        (void)printf("warrend %s\n", wrn_daemon_version());
        return EXIT_DONE;
    }
    if (!program->options.foreground) {
        int error = wrn_background_start(NULL, 0, &program->ready);
        if (error != 0) {
            (void)fprintf(stderr, "warrend: cannot go into the background: %s; try --foreground\n",
                          strerror(-error));
            return EXIT_FAILED;
        }
    }
    return serve(program);
}

/* The line names the file, and stands above it. */
static int read_options(int argc, char *const *argv, struct wrn_daemon_options *options,
                        char why[WRN_OPTIONS_WHY_SIZE]) {
    wrn_options_default(options);
    int error = wrn_options_parse(argc, argv, true, options, why);
    if (error == 0 && options->action == WRN_OPTIONS_RUN) {
        bool is_named = options->config[0] != '\0';
        error = read_config(is_named ? options->config : CONFIG_PATH, is_named, options, why);
        error = error != 0 ? error : wrn_options_parse(argc, argv, false, options, why);
    }
    return error;
}

static int read_config(const char *path, bool has_to_be, struct wrn_daemon_options *options,
                       char why[WRN_OPTIONS_WHY_SIZE]) {
    WRN_CLEANUP(wrn_close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && !has_to_be) {
        return 0;
    }
    char *text = malloc(CONFIG_MAX); /* the stack would keep what it once took */
    size_t used = 0;
    ssize_t got = fd < 0 || text == NULL ? -1 : 1;
    while (got > 0 && used < CONFIG_MAX) {
        got = read(fd, text + used, CONFIG_MAX - used);
        used += got > 0 ? (size_t)got : 0;
    }
    if (got != 0) {
        (void)snprintf(why, WRN_OPTIONS_WHY_SIZE, "cannot read the configuration file %.300s: %s",
                       path, got < 0 ? strerror(errno) : "it is larger than 64 KiB");
        free(text);
        return -EINVAL;
    }
    int error = wrn_options_read((wrn_span){(const uint8_t *)text, used}, path, options, why);
    free(text);
    return error;
}

/* Runs until it is told to end. */
static int serve(struct program *program) {
    (void)umask(077);
    (void)mallopt(M_ARENA_MAX, 1); /* workers hardly allocate: they need no heap of their own */
    /* Large blocks stay mappings of their own also after the first one was freed: what is zeroed
     * and not used costs nothing then, and what is freed is given back. 0.7 MiB of a quiet
     * daemon. */
    (void)mallopt(M_MMAP_THRESHOLD, 32 << 10);
    /* Left out, as they cost 0.4 MiB: texts of errors, which nobody prints, and the file of
     * settings, none of which is about what is used here. An error is no obstacle. */
    (void)OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS | OPENSSL_INIT_NO_LOAD_CONFIG,
                              NULL);
    wrn_log_init(&program->log, program->options.log_level);
    wrn_log_open_journal(&program->log, "warrend");
    wrn_memory_forbid_core_dumps();
    wrn_notify_open(&program->notify);
    allow_many_files();
    int code = prepare(program);
    if (code != EXIT_DONE) {
        return code;
    }
    wrn_loop_open(&program->loop, program->signals, on_signal);
    code = start(program);
    if (code == EXIT_DONE) {
        confine(program);
        watch_over(program);
        if (program->ready >= 0) {
            wrn_background_ready(program->ready, true);
        }
        wrn_close_fd(&program->complaints);
        wrn_log_write(&program->log, WRN_LOG_INFO, "warrend %s serves UDP port %u",
                      wrn_daemon_version(), wrn_daemon_port(program->daemon));
        wrn_memory_give_back();
        (void)uv_run(&program->loop, UV_RUN_DEFAULT);
        (void)wrn_notify_tell(&program->notify, "STOPPING=1\nSTATUS=ending");
    }
    finish(program);
    return code;
}

/* What takes root: folder, log and the socket's place are made and given to the user that we become
 * then. The steward stays. */
static int prepare(struct program *program) {
    char why[WRN_DAEMON_WHY_SIZE];
    int error = open_folder(program, why);
    if (error == 0 && program->ready >= 0) {
        write_log_to_file(program);
    }
    error = error != 0 ? error : renounce(program, why);
    if (error != 0) {
        wrn_steward_stop();
        return fail(program, why);
    }
    return EXIT_DONE;
}

static int renounce(struct program *program, char why[WRN_DAEMON_WHY_SIZE]) {
    const struct wrn_daemon_options *options = &program->options;
    struct wrn_steward_options wishes = {.judge = wrn_errands_judge,
                                         .ctx = program->options.hooks,
                                         .take_back = wrn_debts_take_back,
                                         .lock_folder = program->folder,
                                         .grace_ms = GRACE_MS};
    gid_t group = WRN_CONTROL_NOBODY;
    struct wrn_privileges who;
    /* BPF: flows are led to workers by a program of ours; with one worker there is none. IPC_LOCK:
     * memory with keys stays out of swap space. */
    const unsigned needed[] = {CAP_NET_ADMIN, CAP_NET_BIND_SERVICE, CAP_IPC_LOCK, CAP_BPF};
    size_t count = WRN_COUNT(needed) - (options->workers == 1);
    static_assert((int)WRN_PRIVILEGES_WHY_SIZE == (int)WRN_DAEMON_WHY_SIZE, "the same room");
    int error = wrn_privileges_find(options->user, &who, why);
    if (error != 0) {
        return error;
    }
    if (who.is_root) {
        gid_t admins = WRN_CONTROL_NOBODY;
        bool is_there =
            options->admins[0] != '\0' && wrn_control_socket_group(options->admins, &admins);
        wrn_control_socket_prepare(options->socket, is_there ? admins : WRN_CONTROL_NOBODY, who.uid,
                                   &group);
        wrn_metrics_prepare(options->metrics, who.uid);
        error = wrn_disk_give(program->folder, options->state, who.uid, who.gid, why);
    }
    if (error != 0) {
        return error;
    }
    wishes.uid = who.uid;
    wishes.gid = who.gid;
    error = wrn_steward_start(&wishes);
    if (error != 0) {
        (void)snprintf(why, WRN_DAEMON_WHY_SIZE, "cannot start: %s", strerror(-error));
        return error;
    }
    error = wrn_privileges_drop(&who, group, needed, count, why);
    int unlocked = error != 0 ? error : wrn_memory_lock_all();
    (void)unlocked; /* `warren doctor` tells what is not */
    return error;
}

/* All that is needed is open, and threads run. */
static void confine(struct program *program) {
    char text[WRN_PRIVILEGES_TEXT_SIZE];
    struct wrn_privileges_state state;
    int error = wrn_privileges_filter();
    wrn_privileges_look(&state);
    wrn_privileges_print(&state, text);
    wrn_log_write(&program->log, WRN_LOG_INFO, "runs as %s", text);
    if (error != 0) {
        wrn_log_write(&program->log, WRN_LOG_INFO, "system calls are not filtered: %s",
                      error == -EOPNOTSUPP ? "this build or kernel has no filters"
                                           : strerror(-error));
    }
    if (state.uid == 0 && program->options.user[0] == '\0') {
        wrn_log_write(&program->log, WRN_LOG_INFO,
                      "there is no user " WRN_PRIVILEGES_USER
                      " (useradd --system --user-group " WRN_PRIVILEGES_USER "): stays root");
    }
}

/* Tells a service manager that we are ready, and then that the loop turns. */
static void watch_over(struct program *program) {
    char text[NOTE_SIZE];
    uint64_t every_ms = program->notify.watchdog_usec / USEC_PER_MS / 2;
    (void)snprintf(text, sizeof text, "READY=1\nSTATUS=serves UDP port %u",
                   wrn_daemon_port(program->daemon));
    (void)wrn_notify_tell(&program->notify, text);
    if (every_ms > 0) {
        program->watchdog.data = program;
        int error = uv_timer_init(&program->loop, &program->watchdog);
        error = error != 0 ? error
                           : uv_timer_start(&program->watchdog, on_watchdog, every_ms, every_ms);
        WRN_ASSERT(error == 0); /* neither can fail */
    }
}

static void on_watchdog(uv_timer_t *timer) {
    const struct program *program = timer->data;
    (void)wrn_notify_tell(&program->notify, "WATCHDOG=1");
}

/* Identity, node, parts. What was made before a failure is closed by 'finish'. */
static int start(struct program *program) {
    char why[WRN_DAEMON_WHY_SIZE];
    char hit[WRN_HIT_TEXT_SIZE];
    struct wrn_key_pair pair;
    struct wrn_random random = {0};
    bool is_new = false;
    const char *state = program->options.state;
    static_assert((int)WRN_DISK_WHY_SIZE == (int)WRN_DAEMON_WHY_SIZE, "the same room");
    int error =
        wrn_disk_identity(program->folder, state, wrn_random_source(&random), &pair, &is_new, why);
    if (error != 0) {
        return fail(program, why);
    }
    uint8_t address[WRN_HIT_SIZE];
    wrn_hit(pair.public_key, address);
    wrn_hit_print(address, hit);
    wrn_log_write(&program->log, WRN_LOG_INFO, "%s %s", is_new ? "made the identity" : "this is",
                  hit);
    error = wrn_daemon_create(&program->loop, &program->options, &program->log, program->folder,
                              pair.seed, &program->daemon, why);
    wrn_wipe(&pair, sizeof pair);
    wrn_wipe(&random, sizeof random);
    error = error != 0 ? error : start_parts(program, why);
    if (error != 0) {
        return fail(program, why);
    }
    wrn_daemon_load_networks(program->daemon);
    return EXIT_DONE;
}

/* Who was killed holds the folder for some moments more, while the system takes its interfaces
 * down: that is waited for, up to three seconds, as long as nobody answers at our socket. */
static int open_folder(struct program *program, char why[WRN_DAEMON_WHY_SIZE]) {
    int error = wrn_disk_open(program->options.state, &program->folder, why);
    for (int look = 0; error == -EWOULDBLOCK && look < FOLDER_LOOKS &&
                       !wrn_control_socket_is_served(program->options.socket);
         look++) {
        (void)poll(NULL, 0, LOOK_MS);
        error = wrn_disk_open(program->options.state, &program->folder, why);
    }
    return error;
}

/* What builds on the daemon. */
static int start_parts(struct program *program, char why[WRN_DAEMON_WHY_SIZE]) {
    int error = wrn_service_create(program->daemon, &program->service);
    if (error != 0) {
        (void)snprintf(why, WRN_DAEMON_WHY_SIZE, "cannot start: %s", strerror(-error));
        return error;
    }
    return wrn_control_start(program->daemon, program->service, &program->options,
                             &program->control, why);
}

static void stop_parts(struct program *program) {
    wrn_control_stop(program->control);
    wrn_service_destroy(program->service);
}

static void finish(struct program *program) {
    stop_parts(program);
    wrn_daemon_destroy(program->daemon);
    wrn_loop_close(&program->loop);
    wrn_steward_stop();
}

/* In the background the log goes to a file; what went wrong at the start is said where we were
 * started, too. */
static void write_log_to_file(struct program *program) {
    const char *named = program->options.log;
    struct stat old;
    if (*named == '\0' && fstatat(program->folder, "log", &old, 0) == 0 && old.st_size > LOG_MAX) {
        (void)renameat(program->folder, "log", program->folder, "log.old");
    }
    WRN_CLEANUP(wrn_close_fd)
    int fd = *named != '\0'
                 ? open(named, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)
                 : openat(program->folder, "log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) {
        (void)fprintf(stderr, "warrend: cannot write the log to %s%s: %s\n",
                      *named != '\0' ? named : program->options.state, *named != '\0' ? "" : "/log",
                      strerror(errno));
        return;
    }
    program->complaints = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    (void)dup2(fd, STDERR_FILENO);
}

/* Paths through hard NATs take some hundred sockets. */
static void allow_many_files(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void on_signal(uv_signal_t *handle, int number) {
    struct program *program = WRN_CONTAINER(handle->loop, struct program, loop);
    if (number == SIGHUP) {
        read_level_anew(program);
    } else if (program->daemon != NULL) {
        wrn_daemon_end(program->daemon, number == SIGTERM ? "got SIGTERM" : "got SIGINT");
    } else {
        uv_stop(handle->loop);
    }
}

static void read_level_anew(struct program *program) {
    char why[WRN_OPTIONS_WHY_SIZE];
    struct wrn_daemon_options options;
    if (read_options(program->argc, program->argv, &options, why) != 0) {
        wrn_log_write(&program->log, WRN_LOG_ERROR, "the options stay as they are: %s", why);
        return;
    }
    program->options.log_level = options.log_level;
    program->log.level = options.log_level;
    wrn_log_write(&program->log, WRN_LOG_INFO, "read the log level anew");
}

/* Says why it does not start: where it was started, and in the log. */
static int fail(struct program *program, const char *why) {
    if (program->complaints >= 0) {
        (void)dprintf(program->complaints, "warrend: %s\n", why);
        wrn_log_write(&program->log, WRN_LOG_ERROR, "%s", why);
    } else {
        (void)fprintf(stderr, "warrend: %s\n", why);
    }
    return EXIT_FAILED;
}
