/* SPDX-License-Identifier: Apache-2.0 */
/* Brings many gateways up from one place: a site file for each, with its own variables, by ssh,
 * several at once. ssh is a program that is called: keys, hosts and jumps are its settings. */
#define _GNU_SOURCE /* memfd_create */
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/remote.h"
#include "cli/site.h"
#include "io/cleanup.h"

extern char **environ;

enum { HOSTS_MAX = 256, VARIABLES_MAX = 64, AT_ONCE = 8, OUTPUT_MAX = 16 << 10, WORDS_MAX = 16 };

struct host {
    struct wrn_ini_line line; /* of its title */
    const char *target, *port, *command;
    size_t variable_count;
    struct wrn_ini_variable variables[VARIABLES_MAX];
    const char *text; /* the site file, as it is sent */
    pid_t pid;        /* 0: does not run */
    int output;       /* a file without a name */
    int code;         /* of ssh; -1: not run */
    const char *said;
};

struct hosts {
    const char *site; /* the file */
    size_t count;
    struct host *list;
    struct host all; /* what stands in [all] */
};

/* A file being written. */
struct emission {
    const char *text;
    size_t number; /* of lines */
};

static int run_apply(struct wrn_cli *cli, const struct wrn_args *args);
static int choose(struct wrn_cli *cli, const struct wrn_args *args, struct hosts *hosts);
static size_t run_all(struct wrn_cli *cli, struct hosts *hosts);
static int on_line(struct wrn_cli *cli, void *ctx, const struct wrn_ini_line *line);
static int begin_host(struct wrn_cli *cli, struct hosts *hosts, const struct wrn_ini_line *line);
static int prepare(struct wrn_cli *cli, const struct hosts *hosts, wrn_span site,
                   struct host *host);
static int emit(struct wrn_cli *cli, void *ctx, const struct wrn_ini_line *line);
static int start(struct wrn_cli *cli, const struct hosts *hosts, struct host *host);
static struct host *wait_for_one(struct hosts *hosts);
static void finish(struct wrn_cli *cli, struct host *host);
static void report(struct wrn_cli *cli, const struct hosts *hosts, const struct host *host,
                   size_t done);
static int print_json(struct wrn_cli *cli, const struct hosts *hosts, size_t failed);

static const struct wrn_option apply_options[] = {
    {"host", WRN_OPTION_VALUE, WRN_OPTION_REPEATS, "NAME", "only this one of the file's hosts"},
};

const struct wrn_command wrn_site_apply = {
    .name = "site apply",
    .summary = "bring many gateways up by ssh, each with its own variables",
    .operand = "HOSTS",
    .operands_min = 1,
    .operands_max = 1,
    .options = apply_options,
    .option_count = WRN_COUNT(apply_options),
    .details = "HOSTS is a file with a section for each host:\n\n"
               "  [all]\n"
               "  site = site.conf          # what all of them are to have\n"
               "  uplink = eth0             # any other word is a variable of the site file\n"
               "  [host gw1]\n"
               "  ssh = root@192.0.2.7      # if not the host's name; port = 22\n"
               "  inside = eth1             # ${inside} in site.conf\n\n"
               "Each host gets `warren up --file -` with its site file as input, eight at once.\n"
               "All files are checked first. ssh must not need to ask for anything.\n",
    .example = "  warren site apply hosts.conf\n",
    .run = run_apply,
};

static int run_apply(struct wrn_cli *cli, const struct wrn_args *args) {
    struct hosts hosts = {.list = wrn_cli_take(cli, HOSTS_MAX, sizeof(struct host))};
    wrn_span text = {0};
    int code = wrn_ini_load(cli, args->operands[0], WRN_SITE_FILE_MAX, &text);
    code = code != WRN_CLI_DONE
               ? code
               : wrn_ini_read(cli, args->operands[0], text, NULL, 0, on_line, &hosts);
    if (code == WRN_CLI_DONE && (hosts.site == NULL || hosts.count == 0)) {
        code = wrn_cli_fail(cli, WRN_CLI_REFUSED, "%s has no %s", args->operands[0],
                            hosts.count == 0 ? "[host NAME]" : "site = FILE in [all]");
    }
    code = code != WRN_CLI_DONE ? code : choose(cli, args, &hosts);
    if (code != WRN_CLI_DONE) {
        return code;
    }
    size_t failed = run_all(cli, &hosts);
    if (cli->json) {
        return print_json(cli, &hosts, failed);
    }
    (void)fprintf(cli->out, "%zu of %zu hosts are as the site says\n", hosts.count - failed,
                  hosts.count);
    return failed == 0 ? WRN_CLI_DONE : WRN_CLI_REFUSED;
}

/* Keeps the hosts that are meant, and prepares all of them before anything is done. */
static int choose(struct wrn_cli *cli, const struct wrn_args *args, struct hosts *hosts) {
    const char *const *only = NULL;
    size_t only_count = wrn_args_values(args, "host", &only);
    wrn_span site = {0};
    size_t kept = 0;
    int code = wrn_ini_load(cli, hosts->site, WRN_SITE_FILE_MAX, &site);
    for (size_t i = 0; i < hosts->count && code == WRN_CLI_DONE; i++) {
        bool is_meant = only_count == 0;
        for (size_t k = 0; k < only_count; k++) {
            is_meant |= strcmp(only[k], hosts->list[i].line.name) == 0;
        }
        if (is_meant) {
            hosts->list[kept] = hosts->list[i];
            code = prepare(cli, hosts, site, &hosts->list[kept++]);
        }
    }
    hosts->count = kept;
    return code;
}

/* Returns how many failed. */
static size_t run_all(struct wrn_cli *cli, struct hosts *hosts) {
    size_t next = 0;
    size_t running = 0;
    size_t done = 0;
    size_t failed = 0;
    while (done < hosts->count) {
        while (running < AT_ONCE && next < hosts->count) {
            struct host *host = &hosts->list[next++];
            if (start(cli, hosts, host) == WRN_CLI_DONE) {
                running++;
            } else {
                failed++;
                report(cli, hosts, host, ++done);
            }
        }
        struct host *host = running > 0 ? wait_for_one(hosts) : NULL;
        if (host != NULL) {
            running--;
            finish(cli, host);
            failed += host->code != 0;
            report(cli, hosts, host, ++done);
        }
    }
    return failed;
}

static int on_line(struct wrn_cli *cli, void *ctx, const struct wrn_ini_line *line) {
    struct hosts *hosts = ctx;
    if (line->key == NULL) {
        return begin_host(cli, hosts, line);
    }
    bool is_all = strcmp(line->kind, "all") == 0;
    struct host *host = is_all ? &hosts->all : &hosts->list[hosts->count - 1];
    if (is_all && strcmp(line->key, "site") == 0) {
        hosts->site = line->value;
    } else if (strcmp(line->key, "command") == 0) {
        host->command = line->value;
    } else if (strcmp(line->key, "ssh") == 0) {
        if (*line->value == '-' || *line->value == '\0') {
            return wrn_ini_fail(cli, line, "ssh is a host, or user@host");
        }
        host->target = line->value;
    } else if (strcmp(line->key, "port") == 0) {
        host->port = line->value;
    } else if (host->variable_count == VARIABLES_MAX) {
        return wrn_ini_fail(cli, line, "a host has at most %d variables", VARIABLES_MAX);
    } else {
        host->variables[host->variable_count++] = (struct wrn_ini_variable){line->key, line->value};
    }
    return WRN_CLI_DONE;
}

static int begin_host(struct wrn_cli *cli, struct hosts *hosts, const struct wrn_ini_line *line) {
    if (strcmp(line->kind, "all") == 0 && *line->name == '\0') {
        return WRN_CLI_DONE;
    }
    if (strcmp(line->kind, "host") != 0 || *line->name == '\0' || *line->name == '-') {
        return wrn_ini_fail(cli, line, "the sections are [all] and [host NAME]");
    }
    if (hosts->count == HOSTS_MAX) {
        return wrn_ini_fail(cli, line, "there are more than %d hosts", HOSTS_MAX);
    }
    for (size_t i = 0; i < hosts->count; i++) {
        if (strcmp(hosts->list[i].line.name, line->name) == 0) {
            return wrn_ini_fail(cli, line, "the host %s stands in line %zu already", line->name,
                                hosts->list[i].line.number);
        }
    }
    hosts->list[hosts->count++] = (struct host){.line = *line, .output = -1, .code = -1};
    return WRN_CLI_DONE;
}

/* Puts its variables together, those of its own last, for they win, and checks what it will get. */
static int prepare(struct wrn_cli *cli, const struct hosts *hosts, wrn_span site,
                   struct host *host) {
    struct wrn_ini_variable variables[2 * VARIABLES_MAX + 1];
    struct wrn_site *checked = NULL;
    struct emission emission = {.text = ""};
    size_t count = 0;
    variables[count++] = (struct wrn_ini_variable){"host", host->line.name};
    for (size_t i = 0; i < hosts->all.variable_count; i++) {
        variables[count++] = hosts->all.variables[i];
    }
    for (size_t i = 0; i < host->variable_count; i++) {
        variables[count++] = host->variables[i];
    }
    int code = wrn_site_read(cli, hosts->site, site, variables, count, &checked);
    code = code != WRN_CLI_DONE
               ? code
               : wrn_ini_read(cli, hosts->site, site, variables, count, emit, &emission);
    if (code != WRN_CLI_DONE) {
        wrn_cli_warn(cli, "that was for the host %s (%s, line %zu); nothing was done anywhere",
                     host->line.name, host->line.file, host->line.number);
    }
    host->text = emission.text;
    return code;
}

/* Writes the file again with the values of variables, each line where it was, so that the other
 * side's messages name the right one. */
static int emit(struct wrn_cli *cli, void *ctx, const struct wrn_ini_line *line) {
    struct emission *emission = ctx;
    while (emission->number + 1 < line->number) {
        emission->text = wrn_cli_text(cli, "%s\n", emission->text);
        emission->number++;
    }
    emission->text = line->key == NULL
                         ? wrn_cli_text(cli, "%s[%s %s]\n", emission->text, line->kind, line->name)
                         : wrn_cli_text(cli, "%s%s = %s\n", emission->text, line->key, line->value);
    emission->number = line->number;
    return WRN_CLI_DONE;
}

/* Input and output are files without a name: nobody has to read while it runs, and a secret does
 * not stand among the arguments. */
static int start(struct wrn_cli *cli, const struct hosts *hosts, struct host *host) {
    const char *target = host->target != NULL ? host->target : host->line.name;
    const char *port = host->port != NULL ? host->port : hosts->all.port;
    const char *command = host->command != NULL        ? host->command
                          : hosts->all.command != NULL ? hosts->all.command
                                                       : "warren up --file -";
    const char *argv[WORDS_MAX] = {"ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=20"};
    size_t count = 5;
    posix_spawn_file_actions_t actions;
    if (port != NULL) {
        argv[count++] = "-p";
        argv[count++] = port;
    }
    argv[count++] = "--";
    argv[count++] = target;
    argv[count++] = command;
    WRN_CLEANUP(wrn_close_fd) int input = memfd_create("site", MFD_CLOEXEC);
    host->output = memfd_create("output", MFD_CLOEXEC);
    size_t size = strlen(host->text);
    if (input < 0 || host->output < 0 || write(input, host->text, size) != (ssize_t)size ||
        lseek(input, 0, SEEK_SET) != 0) {
        host->said = strerror(errno);
        return WRN_CLI_REFUSED;
    }
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    (void)posix_spawn_file_actions_adddup2(&actions, host->output, STDOUT_FILENO);
    (void)posix_spawn_file_actions_adddup2(&actions, host->output, STDERR_FILENO);
    int error =
        posix_spawnp(&host->pid, "ssh", &actions, NULL, (char *const *)(uintptr_t)argv, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    if (error != 0) {
        host->pid = 0;
        host->said = wrn_cli_text(cli, "cannot run ssh: %s", strerror(error));
        wrn_close_fd(&host->output);
        return WRN_CLI_REFUSED;
    }
    return WRN_CLI_DONE;
}

/* Waits until one of those that run has ended; NULL: there is none. */
static struct host *wait_for_one(struct hosts *hosts) {
    int status = 0;
    pid_t pid;
    do {
        pid = waitpid(-1, &status, 0);
    } while (pid < 0 && errno == EINTR);
    for (size_t i = 0; i < hosts->count; i++) {
        struct host *host = &hosts->list[i];
        if (pid > 0 && host->pid == pid) {
            host->pid = 0;
            host->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            return host;
        }
    }
    return NULL;
}

static void finish(struct wrn_cli *cli, struct host *host) {
    char *said = wrn_cli_take(cli, OUTPUT_MAX + 1, 1);
    ssize_t got = pread(host->output, said, OUTPUT_MAX, 0);
    size_t size = got > 0 ? (size_t)got : 0;
    while (size > 0 && said[size - 1] == '\n') {
        size--;
    }
    for (size_t i = 0; i < size; i++) { /* what another host says does not steer this terminal */
        unsigned char c = (unsigned char)said[i];
        said[i] = c >= ' ' || c == '\n' ? said[i] : '?';
    }
    said[size] = '\0';
    host->said = said;
    wrn_close_fd(&host->output);
}

static void report(struct wrn_cli *cli, const struct hosts *hosts, const struct host *host,
                   size_t done) {
    if (cli->json) {
        return;
    }
    const char *said = host->said != NULL ? host->said : "";
    (void)fprintf(cli->out, "[%zu/%zu] %s: %s\n", done, hosts->count, host->line.name,
                  host->code == 0     ? "done"
                  : host->code == 255 ? "cannot be reached"
                                      : "failed");
    while (*said != '\0') {
        size_t size = strcspn(said, "\n");
        (void)fprintf(cli->out, "    %.*s\n", (int)size, said);
        said += size + (said[size] == '\n');
    }
    (void)fflush(cli->out);
}

static int print_json(struct wrn_cli *cli, const struct hosts *hosts, size_t failed) {
    json_t *json = wrn_cli_json_object(cli);
    json_t *list = wrn_cli_json_list(cli);
    for (size_t i = 0; i < hosts->count; i++) {
        const struct host *host = &hosts->list[i];
        json_t *one = wrn_cli_json_object(cli);
        wrn_cli_json_set(cli, one, "host", wrn_cli_json_text(cli, host->line.name));
        wrn_cli_json_set(cli, one, "done", json_boolean(host->code == 0));
        wrn_cli_json_set(cli, one, "code", json_integer(host->code));
        wrn_cli_json_set(cli, one, "said", wrn_cli_json_text(cli, host->said));
        wrn_cli_json_append(cli, list, one);
    }
    wrn_cli_json_set(cli, json, "hosts", list);
    wrn_cli_json_set(cli, json, "failed", json_integer((json_int_t)failed));
    wrn_cli_print_json(cli, json);
    return failed == 0 ? WRN_CLI_DONE : WRN_CLI_REFUSED;
}
