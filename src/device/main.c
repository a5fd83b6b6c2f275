/* SPDX-License-Identifier: Apache-2.0 */
/* warren-wg: a WireGuard interface in user space, driven by wg(8). Puts the parts together; holds
 * none of their logic. */
#define _GNU_SOURCE /* sched_getaffinity */
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <uv.h>

#include <linux/capability.h>

#include "device/args.h"
#include "device/change.h"
#include "device/client.h"
#include "device/control.h"
#include "device/drops.h"
#include "device/explain.h"
#include "device/show.h"
#include "io/background.h"
#include "io/cleanup.h"
#include "io/loop.h"
#include "io/memory.h"
#include "io/notify.h"
#include "io/privileges.h"
#include "io/steward.h"

#ifndef WRN_VERSION
#define WRN_VERSION "0.1.0"
#endif

enum { WORKERS_AUTO_MAX = 4 };
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* All that runs. Zeroed parts are not there. */
struct program {
    uv_loop_t loop;
    uv_signal_t signals[WRN_LOOP_SIGNALS];
    struct wrn_log log;
    struct wrn_device *device;
    struct wrn_control *control;
    struct wrn_privileges who; /* it becomes */
    struct wrn_notify notify;
};

/* Descriptors that were handed to us, -1: none. */
struct descriptors {
    int tun;
    int uapi;
    int ready; /* of the parent that waits */
};

static int talk(const struct wrn_args *args);
static int run(const struct wrn_args *args);
static int read_fd(const char *variable, int *ret_fd);
static int read_serving(const struct wrn_args *args, struct wrn_device_options *ret_options);
static uint32_t cores(void);
static int serve(const struct descriptors *given, const struct wrn_args *args,
                 const struct wrn_device_options *options);
static int start_steward(const struct program *program, const struct wrn_uapi_socket *socket);
static int renounce(const struct program *program, const struct wrn_uapi_socket *socket);
static int confine(struct program *program);
static int start(struct program *program, const char *interface, const struct descriptors *given,
                 const struct wrn_device_options *options);
static void finish(struct program *program);
static void on_signal(uv_signal_t *handle, int number);
static int fail(enum wrn_start_step step, int error, const char *interface);
static void print_usage(FILE *out);

int main(int argc, char **argv) {
    struct wrn_args args;
    struct wrn_args_error refused;
    wrn_background_occupy();
    if (wrn_args_parse(argc, argv, &args, &refused) != 0) {
        (void)fprintf(stderr, "warren-wg: %s%s%s\n", refused.why,
                      refused.argument != NULL ? " " : "",
                      refused.argument != NULL ? refused.argument : "");
        print_usage(stderr);
        return EXIT_USAGE;
    }
    if (args.action == WRN_ARGS_HELP) {
        print_usage(stdout);
        return EXIT_DONE;
    }
    if (args.action == WRN_ARGS_VERSION) {
        (void)printf("warren-wg %s\n", WRN_VERSION);
        return EXIT_DONE;
    }
    const char *problem = wrn_tun_name_problem(args.interface);
    if (problem != NULL) {
        char quoted[64];
        wrn_log_quote(args.interface, quoted, sizeof quoted);
        (void)fprintf(stderr, "warren-wg: %s cannot name an interface: %s\n", quoted, problem);
        return EXIT_USAGE;
    }
    return args.action == WRN_ARGS_RUN ? run(&args) : talk(&args);
}

/* Asks or changes a running interface. */
static int talk(const struct wrn_args *args) {
    if (args->action == WRN_ARGS_SET) { /* says itself what is wrong */
        return wrn_change(args->interface, args->changes, args->change_count) == 0 ? EXIT_DONE
                                                                                   : EXIT_FAILED;
    }
    int error = args->action == WRN_ARGS_DROPS
                    ? wrn_drops_show(args->interface, args->verbose, stdout)
                    : wrn_show(args->interface, stdout);
    if (error != 0) {
        wrn_client_complain(args->interface, error);
    }
    return error == 0 ? EXIT_DONE : EXIT_FAILED;
}

static int run(const struct wrn_args *args) {
    struct descriptors given = {-1, -1, -1};
    struct wrn_device_options options;
    const char *wish = getenv("WG_PROCESS_FOREGROUND");
    bool foreground = args->foreground || (wish != NULL && strcmp(wish, "1") == 0);
    if (read_serving(args, &options) != 0) {
        return EXIT_USAGE;
    }
    if (read_fd("WG_TUN_FD", &given.tun) != 0 || read_fd("WG_UAPI_FD", &given.uapi) != 0) {
        return EXIT_FAILED;
    }
    if (!foreground) {
        int keep[] = {given.tun, given.uapi};
        int error = wrn_background_start(keep, WRN_COUNT(keep), &given.ready);
        if (error != 0) {
            (void)fprintf(stderr, "warren-wg: cannot go into the background: %s; try -f\n",
                          strerror(-error));
            return EXIT_FAILED;
        }
    }
    return serve(&given, args, &options);
}

/* Options stand above the environment, which serves where nobody can give options (wg-quick). */
static int read_serving(const struct wrn_args *args, struct wrn_device_options *ret_options) {
    struct wrn_args_serving serving;
    struct wrn_args_error refused;
    int error =
        wrn_args_read_serving(args, getenv("WARREN_WG_WORKERS"), getenv("WARREN_WG_OFFLOADS"),
                              getenv("WARREN_WG_AEAD"), &serving, &refused);
    if (error != 0) {
        char quoted[64];
        wrn_log_quote(refused.argument, quoted, sizeof quoted);
        (void)fprintf(stderr, "warren-wg: %s %s\n", refused.why, quoted);
        return error;
    }
    *ret_options = (struct wrn_device_options){
        .workers = serving.workers != 0 ? serving.workers : cores(),
        .offloads = serving.offloads,
        .provider = serving.provider,
    };
    return 0;
}

/* How many workers pay: one a core that we may use, up to a bound. */
static uint32_t cores(void) {
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return count < 1 ? 1 : count > WORKERS_AUTO_MAX ? WORKERS_AUTO_MAX : (uint32_t)count;
}

/* Reads a descriptor from the environment; leaves 'ret_fd' alone if there is none. */
static int read_fd(const char *variable, int *ret_fd) {
    const char *text = getenv(variable);
    if (text == NULL || *text == '\0') {
        return 0;
    }
    if (wrn_args_parse_fd(text, ret_fd) != 0) {
        char quoted[64];
        wrn_log_quote(text, quoted, sizeof quoted);
        (void)fprintf(stderr, "warren-wg: %s=%s is not the number of a descriptor\n", variable,
                      quoted);
        return -EINVAL;
    }
    return 0;
}

/* Runs the interface until it ends. */
static int serve(const struct descriptors *given, const struct wrn_args *args,
                 const struct wrn_device_options *options) {
    const char *level = getenv("LOG_LEVEL"), *user = getenv("WARREN_WG_USER");
    const char *interface = args->interface;
    char why[WRN_PRIVILEGES_WHY_SIZE];
    struct program *program = calloc(1, sizeof *program);
    if (program == NULL) {
        return fail(WRN_START_ENGINE, -ENOMEM, interface);
    }
    user = args->user != NULL ? args->user : user != NULL ? user : "";
    if (wrn_privileges_find(user, &program->who, why) != 0) {
        (void)fprintf(stderr, "warren-wg: %s\n", why);
        free(program);
        return EXIT_FAILED;
    }
    (void)mallopt(M_ARENA_MAX, 1); /* workers hardly allocate: they need no heap of their own */
    wrn_log_init(&program->log, wrn_log_level_parse(level));
    wrn_log_open_journal(&program->log, "warren-wg");
    wrn_memory_forbid_core_dumps();
    wrn_notify_open(&program->notify);
    wrn_loop_open(&program->loop, program->signals, on_signal);
    int code = start(program, interface, given, options);
    if (code == EXIT_DONE) {
        if (given->ready >= 0) { /* as elsewhere: a log is written only if one was asked for */
            wrn_background_ready(given->ready,
                                 level != NULL && program->log.level != WRN_LOG_SILENT);
        }
        (void)wrn_notify_tell(&program->notify, "READY=1");
        wrn_log_write(&program->log, WRN_LOG_VERBOSE, "warren-wg %s serves the interface",
                      WRN_VERSION);
        wrn_memory_give_back();
        (void)uv_run(&program->loop, UV_RUN_DEFAULT);
    }
    finish(program);
    return code;
}

/* Makes TUN, socket, engine, in the order in which names are claimed. What was made before a
 * failure is closed by 'finish' or by whom it was handed to. */
static int start(struct program *program, const char *interface, const struct descriptors *given,
                 const struct wrn_device_options *options) {
    struct wrn_tun tun = WRN_TUN_NONE;
    struct wrn_uapi_socket socket = WRN_UAPI_SOCKET_NONE;
    char name[WRN_TUN_NAME_SIZE];
    bool adopts = given->tun >= 0;
    int error = adopts ? wrn_tun_adopt(given->tun, &tun) : wrn_tun_create(interface, &tun);
    if (error != 0) {
        return fail(adopts ? WRN_START_TUN_ADOPT : WRN_START_TUN_CREATE, error, interface);
    }
    if (wrn_tun_name(&tun, name) == 0) { /* an adopted one may have another name */
        interface = name;
        memcpy(program->log.interface, name, sizeof program->log.interface);
    }
    error = given->uapi >= 0 ? wrn_uapi_socket_adopt(given->uapi, &socket)
                             : wrn_uapi_socket_open(interface, &socket);
    if (error != 0) {
        wrn_tun_close(&tun);
        return fail(given->uapi >= 0 ? WRN_START_SOCKET_ADOPT : WRN_START_SOCKET_OPEN, error,
                    interface);
    }
    if (renounce(program, &socket) != 0) {
        wrn_tun_close(&tun);
        wrn_uapi_socket_close(&socket);
        return EXIT_FAILED;
    }
    error = wrn_device_create(&program->loop, tun, &program->log, options, &program->device);
    if (error != 0) {
        wrn_uapi_socket_close(&socket);
        bool forced = options->provider != WRN_CRYPTO_AUTO && error == -ENOTSUP;
        return fail(forced ? WRN_START_AEAD : WRN_START_ENGINE, error, interface);
    }
    error = wrn_control_create(&program->loop, socket, program->device, &program->log,
                               &program->control);
    return error != 0 ? fail(WRN_START_WATCH, error, interface) : confine(program);
}

/* What it looks after stands in a folder that is closed to all but root. */
static int start_steward(const struct program *program, const struct wrn_uapi_socket *socket) {
    struct wrn_steward_options wishes = {
        .uid = program->who.uid,
        .gid = program->who.gid,
        .enters_namespaces = true,
        .socket_device = socket->device,
        .socket_inode = socket->inode,
    };
    static_assert(sizeof wishes.socket == sizeof socket->path, "paths fit");
    memcpy(wishes.socket, socket->path, sizeof wishes.socket);
    return wrn_steward_start(&wishes);
}

/* Before the first thread. NET_BROADCAST: an interface that was moved to another network namespace
 * is watched from here. BPF: flows are led to workers by a program of ours. IPC_LOCK: memory with
 * keys stays out of swap space. */
static int renounce(const struct program *program, const struct wrn_uapi_socket *socket) {
    static const unsigned needed[] = {CAP_NET_ADMIN, CAP_NET_BIND_SERVICE, CAP_NET_BROADCAST,
                                      CAP_IPC_LOCK, CAP_BPF};
    char why[WRN_PRIVILEGES_WHY_SIZE];
    int error = start_steward(program, socket);
    if (error != 0) {
        (void)snprintf(why, sizeof why, "cannot start: %s", strerror(-error));
    } else {
        wrn_uapi_socket_give(socket, program->who.uid);
        error = wrn_privileges_drop(&program->who, (gid_t)-1, needed, WRN_COUNT(needed), why);
        int unlocked = error != 0 ? error : wrn_memory_lock_all();
        (void)unlocked; /* then the blocks with keys are, as far as the limit goes */
    }
    if (error != 0) {
        (void)fprintf(stderr, "warren-wg: %s\n", why);
    }
    return error;
}

/* Everything is open, and threads run. */
static int confine(struct program *program) {
    char text[WRN_PRIVILEGES_TEXT_SIZE];
    struct wrn_privileges_state state;
    int error = wrn_privileges_filter();
    if (error != 0 && error != -EOPNOTSUPP) {
        (void)fprintf(stderr, "warren-wg: cannot have system calls filtered: %s\n",
                      strerror(-error));
        return EXIT_FAILED;
    }
    wrn_privileges_look(&state);
    wrn_privileges_print(&state, text);
    wrn_log_write(&program->log, WRN_LOG_VERBOSE, "runs as %s%s", text,
                  program->who.is_missing && state.uid == 0
                      ? "; there is no user " WRN_PRIVILEGES_USER " to become"
                      : "");
    return EXIT_DONE;
}

static void finish(struct program *program) {
    wrn_control_destroy(program->control);
    wrn_device_destroy(program->device);
    wrn_loop_close(&program->loop);
    wrn_steward_stop();
    free(program);
}

static void on_signal(uv_signal_t *handle, int number) {
    struct program *program = WRN_CONTAINER(handle->loop, struct program, loop);
    wrn_log_write(&program->log, WRN_LOG_VERBOSE, "got signal %d, ending", number);
    uv_stop(handle->loop);
}

/* Says what went wrong. */
static int fail(enum wrn_start_step step, int error, const char *interface) {
    char text[WRN_EXPLAIN_SIZE];
    wrn_explain_start(step, error, interface, text);
    (void)fprintf(stderr, "warren-wg: %s\n", text);
    return EXIT_FAILED;
}

static void print_usage(FILE *out) {
    (void)fprintf(
        out,
        "usage: warren-wg [OPTION]... INTERFACE\n"
        "                                      make the interface and serve it\n"
        "       warren-wg --show INTERFACE     tell how it is served\n"
        "       warren-wg --set INTERFACE KEY=VALUE...\n"
        "                                      change it live: workers=N, offloads=LIST,\n"
        "                                      peer=PUBLIC_KEY cipher=NAME\n"
        "       warren-wg --drops [-v] INTERFACE\n"
        "                                      tell why it refused packets (-v: every reason)\n"
        "       warren-wg --version | --help\n"
        "\n"
        "  -f, --foreground   do not go into the background\n"
        "  --workers N        threads that carry packets, 1 to 64, or auto (1)\n"
        "  --offloads LIST    all, none, or of csum,tso4,tso6,uso,gso,gro (all)\n"
        "  --aead NAME        auto, openssl or ipsec-mb (auto)\n"
        "  --user NAME        who it becomes once it runs (warren, if there is such a user)\n"
        "\n"
        "Configure the interface with wg(8) and ip(8). It ends with `ip link del INTERFACE`,\n"
        "with SIGTERM, or when /var/run/wireguard/INTERFACE.sock is removed.\n"
        "Environment: LOG_LEVEL=verbose|error|silent, WG_PROCESS_FOREGROUND=1, WG_TUN_FD,\n"
        "WG_UAPI_FD; WARREN_WG_WORKERS, WARREN_WG_OFFLOADS, WARREN_WG_AEAD, WARREN_WG_USER for "
        "the\n"
        "options\n"
        "\n"
        "Example: warren-wg wg0 && wg setconf wg0 wg0.conf && ip link set wg0 up\n");
}
