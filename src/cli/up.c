/* SPDX-License-Identifier: Apache-2.0 */
/* Starts and ends the daemon. */
#define _GNU_SOURCE /* memfd_create, pidfd_open */
#include <poll.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/remote.h"
#include "cli/site.h"
#include "io/cleanup.h"
#include "io/steward.h"

extern char **environ;

/* What a service manager knows the daemon by, and where its folder is if it runs: sd_booted(3). */
#define UNIT           "warrend.service"
#define SYSTEMD_FOLDER "/run/systemd/system"

/* What is in the daemon's place where the options do not say otherwise. */
static const char *const passed_on[] = {"state", "config", "listen"};

enum {
    COMPLAINTS_MAX = 4096,
    PATH_MAX_BYTES = 4096,
    ARGUMENTS_MAX = 24,
    END_MS = 30000,
    LOOK_MS = 50
};

static int run_up(struct wrn_cli *cli, const struct wrn_args *args);
static int run_down(struct wrn_cli *cli, const struct wrn_args *args);
static int start_and_show(struct wrn_cli *cli, const struct wrn_args *args);
static int start_and_bring(struct wrn_cli *cli, const struct wrn_args *args,
                           const struct wrn_site *site);
static int start_daemon(struct wrn_cli *cli, const struct wrn_args *args, const char *path,
                        bool *ret_is_new);
static bool is_service(struct wrn_cli *cli, const struct wrn_args *args, const char *path);
static const char *read_shown(struct wrn_cli *cli, int shown, const char *name);
static int start_service(struct wrn_cli *cli);
static int run_program(struct wrn_cli *cli, const char *const *argv, int out, int complaints,
                       int *ret_status);
static void show_complaints(struct wrn_cli *cli, int complaints);
static const char *find_program(struct wrn_cli *cli);
static int show_up(struct wrn_cli *cli, const struct wrn_args *args, bool is_new);
static int wait_for_end(struct wrn_cli *cli, pid_t pid, int pid_fd, const char *path);

static const struct wrn_option up_options[] = {
    WRN_CALL_SOCKET,
    {"state", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "DIR",
     "where the daemon keeps its identity and networks, if not in /var/lib/warren"},
    {"config", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "FILE",
     "the daemon's configuration, if not /etc/warren/warrend.conf"},
    {"listen", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "PORT",
     "its UDP port, if not the one of last time"},
    {"file", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "SITE",
     "bring this host to what a site file says, too (-f; - is standard input)"},
};

const struct wrn_command wrn_up = {
    .name = "up",
    .summary = "start the daemon, and show who this machine is",
    .options = up_options,
    .option_count = WRN_COUNT(up_options),
    .details = "Starts warrend in the background if it does not run yet, and returns when it is\n"
               "ready: the networks that this machine is in come up by themselves. It needs to\n"
               "be root. Where systemd runs and has the unit of the package (" UNIT "),\n"
               "it is started as that, unless an option says which daemon is meant.\n\n"
               "With a site file this host is then in the networks that it describes, with\n"
               "what it says attached; only what differs is changed, so that it can be called\n"
               "at each boot. A file with a fault changes nothing.\n",
    .example = "  sudo warren up\n"
               "  sudo warren up -f site.conf\n",
    .run = run_up,
};

static const struct wrn_option down_options[] = {WRN_CALL_SOCKET};

const struct wrn_command wrn_down = {
    .name = "down",
    .summary = "end the daemon",
    .options = down_options,
    .option_count = WRN_COUNT(down_options),
    .details = "Ends warrend and returns when it has ended. Interfaces, addresses and routes go\n"
               "with it; networks, identity and address leases are kept for the next time. To\n"
               "leave a network for good: warren network leave.\n",
    .example = "  sudo warren down\n",
    .run = run_down,
};

static int run_up(struct wrn_cli *cli, const struct wrn_args *args) {
    const char *file = wrn_args_value(args, "file");
    struct wrn_site *site = NULL;
    wrn_span text;
    int code = file == NULL ? WRN_CLI_DONE : wrn_ini_load(cli, file, WRN_SITE_FILE_MAX, &text);
    if (file != NULL && code == WRN_CLI_DONE) {
        code = wrn_site_read(cli, file, text, NULL, 0, &site);
    }
    if (code != WRN_CLI_DONE) {
        return code;
    }
    return site == NULL ? start_and_show(cli, args) : start_and_bring(cli, args, site);
}

static int start_and_bring(struct wrn_cli *cli, const struct wrn_args *args,
                           const struct wrn_site *site) {
    const char *path = wrn_call_path(args);
    json_t *changes = NULL;
    bool is_new = false;
    WRN_CLEANUP(wrn_close_fd) int fd = wrn_call_connect(path);
    bool is_absent = fd == -ENOENT || fd == -ECONNREFUSED || fd == -ENOTDIR;
    int code = is_absent ? start_daemon(cli, args, path, &is_new)
               : fd < 0  ? wrn_call_complain(cli, path, fd)
                         : WRN_CLI_DONE;
    if (code != WRN_CLI_DONE) {
        return code;
    }
    code = wrn_site_bring_up(cli, args, site, &changes);
    if (code == WRN_CLI_DONE && !cli->json && json_array_size(changes) == 0) {
        (void)fputs("all is as the site says\n", cli->out);
    }
    if (code == WRN_CLI_DONE && cli->json) {
        json_t *json = wrn_cli_json_object(cli);
        wrn_cli_json_set(cli, json, "started", json_boolean(is_absent));
        wrn_cli_json_set(cli, json, "changes", json_incref(changes));
        wrn_cli_print_json(cli, json);
    }
    json_decref(changes);
    return code;
}

static int start_and_show(struct wrn_cli *cli, const struct wrn_args *args) {
    const char *path = wrn_call_path(args);
    WRN_CLEANUP(wrn_close_fd) int fd = wrn_call_connect(path);
    if (fd >= 0) {
        return show_up(cli, args, false);
    }
    if (fd != -ENOENT && fd != -ECONNREFUSED && fd != -ENOTDIR) {
        return wrn_call_complain(cli, path, fd);
    }
    bool is_new = true;
    int code = start_daemon(cli, args, path, &is_new);
    return code != WRN_CLI_DONE ? code : show_up(cli, args, is_new);
}

static int run_down(struct wrn_cli *cli, const struct wrn_args *args) {
    const char *path = wrn_call_path(args);
    json_t *result = NULL;
    int code = wrn_call(cli, args, "version", wrn_cli_json_object(cli), &result);
    json_decref(result);
    result = NULL;
    code = code != WRN_CLI_DONE
               ? code
               : wrn_call(cli, args, "shutdown", wrn_cli_json_object(cli), &result);
    if (code != WRN_CLI_DONE) {
        return code;
    }
    pid_t pid = (pid_t)json_integer_value(json_object_get(result, "pid"));
    WRN_CLEANUP(wrn_close_fd) int pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
    code = wait_for_end(cli, pid, pid_fd, path);
    if (code == WRN_CLI_DONE && !cli->json) {
        (void)fputs("warrend has ended\n", cli->out);
    }
    if (code != WRN_CLI_DONE || !wrn_call_prints_json(cli, result)) {
        json_decref(result);
    }
    return code;
}

/* Runs warrend, which goes into the background by itself: its parent ends when it is ready, or has
 * said why it cannot be. Somebody else may have started one in the same moment: then it is up all
 * the same, and that ours could not start is nothing to tell. */
static int start_daemon(struct wrn_cli *cli, const struct wrn_args *args, const char *path,
                        bool *ret_is_new) {
    if (is_service(cli, args, path)) {
        *ret_is_new = true;
        return start_service(cli);
    }
    const char *argv[ARGUMENTS_MAX] = {find_program(cli), "--socket", path};
    size_t count = 3;
    int status = 0;
    for (size_t i = 0; i < WRN_COUNT(passed_on); i++) {
        const char *value = wrn_args_value(args, passed_on[i]);
        if (value != NULL) {
            argv[count++] = wrn_cli_text(cli, "--%s", passed_on[i]);
            argv[count++] = value;
        }
    }
    WRN_CLEANUP(wrn_close_fd) int complaints = memfd_create("warrend's complaints", MFD_CLOEXEC);
    int code = run_program(cli, argv, -1, complaints, &status);
    if (code != WRN_CLI_DONE) {
        return code;
    }
    *ret_is_new = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    WRN_CLEANUP(wrn_close_fd) int other = *ret_is_new ? -1 : wrn_call_connect(path);
    if (*ret_is_new || other < 0) {
        show_complaints(cli, complaints); /* there may be some about what it could do without */
    }
    if (*ret_is_new || other >= 0) {
        return WRN_CLI_DONE;
    }
    return wrn_cli_fail(cli, WRN_CLI_REFUSED, "warrend did not start%s",
                        geteuid() != 0 ? "; it needs to be root: sudo warren up"
                                       : ": what it said stands above");
}

/* Whether systemd is to start it: it has a unit that runs the same program as we would. Somebody
 * with a checkout beside an installed package gets the daemon of the checkout. */
static bool is_service(struct wrn_cli *cli, const struct wrn_args *args, const char *path) {
    char ours[PATH_MAX_BYTES], theirs[PATH_MAX_BYTES], systemctl[WRN_STEWARD_PATH_SIZE];
    const char *const question[] = {systemctl, "show", "--property=LoadState,ExecStart", UNIT,
                                    NULL};
    int status = 0;
    bool is_default = strcmp(path, WRN_CALL_SOCKET_PATH) == 0 && geteuid() == 0;
    for (size_t i = 0; i < WRN_COUNT(passed_on); i++) {
        is_default = is_default && wrn_args_value(args, passed_on[i]) == NULL;
    }
    if (!is_default || access(SYSTEMD_FOLDER, F_OK) != 0 ||
        !wrn_steward_find("systemctl", systemctl) || realpath(find_program(cli), ours) == NULL) {
        return false;
    }
    WRN_CLEANUP(wrn_close_fd) int shown = memfd_create("what systemd knows", MFD_CLOEXEC);
    if (shown < 0 || run_program(cli, question, shown, -1, &status) != WRN_CLI_DONE ||
        status != 0 || strcmp(read_shown(cli, shown, "LoadState="), "loaded") != 0) {
        return false;
    }
    const char *program = read_shown(cli, shown, "path=");
    return *program != '\0' && realpath(program, theirs) != NULL && strcmp(ours, theirs) == 0;
}

/* The word that follows 'name' in what a program has printed; "": there is none. */
static const char *read_shown(struct wrn_cli *cli, int shown, const char *name) {
    char text[COMPLAINTS_MAX];
    ssize_t size = pread(shown, text, sizeof text - 1, 0);
    text[size > 0 ? size : 0] = '\0';
    const char *word = strstr(text, name);
    word = word == NULL ? "" : word + strlen(name);
    return wrn_cli_text(cli, "%.*s", (int)strcspn(word, " \n"), word);
}

/* Returns when it is ready: the unit says when. */
static int start_service(struct wrn_cli *cli) {
    char systemctl[WRN_STEWARD_PATH_SIZE];
    const char *const command[] = {systemctl, "start", UNIT, NULL};
    int status = 0;
    if (!wrn_steward_find("systemctl", systemctl)) {
        return wrn_cli_fail(cli, WRN_CLI_REFUSED, "systemctl has gone");
    }
    int code = run_program(cli, command, -1, -1, &status);
    if (code == WRN_CLI_DONE && status != 0) {
        return wrn_cli_fail(cli, WRN_CLI_REFUSED,
                            "systemd could not start " UNIT ": journalctl -u " UNIT " -e says why");
    }
    return code;
}

/* Runs it to its end, with standard output and standard error where these lead; -1: as ours. */
static int run_program(struct wrn_cli *cli, const char *const *argv, int out, int complaints,
                       int *ret_status) {
    posix_spawn_file_actions_t actions;
    pid_t pid = 0;
    (void)fflush(cli->out);
    int error = posix_spawn_file_actions_init(&actions);
    if (error == 0) {
        error = out < 0 ? 0 : posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
        error = error != 0 || complaints < 0
                    ? error
                    : posix_spawn_file_actions_adddup2(&actions, complaints, STDERR_FILENO);
        error = error != 0 ? error
                           : posix_spawnp(&pid, argv[0], &actions, NULL,
                                          (char *const *)(uintptr_t)argv, environ);
        (void)posix_spawn_file_actions_destroy(&actions);
    }
    if (error != 0) {
        return wrn_cli_fail(cli, WRN_CLI_REFUSED,
                            "cannot run %s: %s; install it beside warren, or in a folder of PATH",
                            argv[0], strerror(error));
    }
    while (waitpid(pid, ret_status, 0) < 0) {
        if (errno != EINTR) {
            return wrn_cli_fail(cli, WRN_CLI_REFUSED, "lost sight of %s: %s", argv[0],
                                strerror(errno));
        }
    }
    return WRN_CLI_DONE;
}

static void show_complaints(struct wrn_cli *cli, int complaints) {
    char bytes[COMPLAINTS_MAX];
    ssize_t size = complaints < 0 ? 0 : pread(complaints, bytes, sizeof bytes, 0);
    if (size > 0) {
        (void)fwrite(bytes, 1, (size_t)size, cli->err);
    }
}

/* The one that was built or installed with this program comes first. */
static const char *find_program(struct wrn_cli *cli) {
    static const char *const places[] = {"warrend", "../sbin/warrend"};
    char own[PATH_MAX_BYTES];
    ssize_t size = readlink("/proc/self/exe", own, sizeof own - 1);
    if (size > 0) {
        own[size] = '\0';
        char *slash = strrchr(own, '/');
        slash[1] = '\0';
        for (size_t i = 0; i < WRN_COUNT(places); i++) {
            const char *program = wrn_cli_text(cli, "%s%s", own, places[i]);
            if (access(program, X_OK) == 0) {
                return program;
            }
        }
    }
    return "warrend";
}

static int show_up(struct wrn_cli *cli, const struct wrn_args *args, bool is_new) {
    json_t *status = NULL;
    int code = wrn_call(cli, args, "status", wrn_cli_json_object(cli), &status);
    if (code != WRN_CLI_DONE) {
        return code;
    }
    if (cli->json) {
        wrn_cli_json_set(cli, status, "started", json_boolean(is_new));
        wrn_cli_print_json(cli, status);
        return code;
    }
    const json_t *identity = json_object_get(status, "identity");
    const json_t *networks = json_object_get(status, "networks");
    (void)fprintf(cli->out, "%s\nidentity: %s\nfingerprint: %s\n",
                  is_new ? "warrend is up" : "warrend was up already",
                  wrn_call_text(cli, identity, "hit"), wrn_call_text(cli, identity, "fingerprint"));
    for (size_t i = 0; i < json_array_size(networks); i++) {
        (void)fputc('\n', cli->out);
        wrn_status_print_network(cli, json_array_get(networks, i));
    }
    if (wrn_status_print_unserved(cli, status) && json_array_size(networks) == 0) {
        (void)fputs("\nThis machine is in no network yet. Make one:  warren network create NAME\n"
                    "or join one that you were invited to:        warren join INVITATION\n",
                    cli->out);
    }
    json_decref(status);
    return code;
}

static int wait_for_end(struct wrn_cli *cli, pid_t pid, int pid_fd, const char *path) {
    struct pollfd ended = {.fd = pid_fd, .events = POLLIN};
    if (pid_fd >= 0 && poll(&ended, 1, END_MS) > 0) {
        return WRN_CLI_DONE;
    }
    for (int passed_ms = 0; pid_fd < 0 && passed_ms < END_MS; passed_ms += LOOK_MS) {
        WRN_CLEANUP(wrn_close_fd) int fd = wrn_call_connect(path);
        if (fd == -ENOENT || fd == -ECONNREFUSED) { /* it is another host's process, or gone */
            return WRN_CLI_DONE;
        }
        (void)poll(NULL, 0, LOOK_MS);
    }
    return wrn_cli_fail(cli, WRN_CLI_REFUSED,
                        "warrend (process %d) was told to end and has not yet: see its log",
                        (int)pid);
}
