/* SPDX-License-Identifier: Apache-2.0 */
/* Each kind of event has a line in which its events wait. The folder is read anew for each event:
 * whoever puts a program there need tell nobody. */
#define _GNU_SOURCE /* O_PATH */
#include "daemon/hooks.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "daemon/errands.h"
#include "daemon/spawn.h"
#include "io/cleanup.h"

enum { NAME_SIZE = 64, OUTPUT_MAX = 512 };

struct waiting {
    struct waiting *next;
    size_t size;
    uint8_t json[];
};

/* The line of one kind of event. */
struct kind {
    struct wrn_hooks *hooks;
    char event[NAME_SIZE]; /* "": the place is free */
    struct waiting *first; /* the one that programs are run for */
    uint32_t count;
    struct wrn_spawn *running;
    size_t program, program_count; /* those of the first event; the one whose turn it is */
    char *programs[WRN_HOOKS_PROGRAMS_MAX];
};

struct wrn_hooks {
    uv_loop_t *loop;
    struct wrn_log *log;
    const char *folder;
    uint32_t timeout_ms;
    uint64_t runs, failures, left_out;
    struct kind kinds[WRN_HOOKS_KINDS_MAX];
};

static struct kind *find(struct wrn_hooks *hooks, const char *event);
static void proceed(struct kind *kind);
static void start_event(struct kind *kind);
static void end_event(struct kind *kind);
static void read_folder(struct kind *kind);
static bool is_trusted(struct wrn_hooks *hooks, const char *path, bool is_folder);
static void sort(char **names, size_t count);
static void on_end(void *ctx, int status, wrn_span output);
static void note(struct kind *kind, int status, wrn_span output);
static void close_folder(DIR **folder);

int wrn_hooks_create(uv_loop_t *loop, struct wrn_log *log, const char *folder, uint32_t timeout_s,
                     struct wrn_hooks **ret_hooks) {
    struct wrn_hooks *hooks = calloc(1, sizeof *hooks);
    if (hooks == NULL) {
        return -ENOMEM;
    }
    hooks->loop = loop;
    hooks->log = log;
    hooks->folder = folder;
    hooks->timeout_ms = (timeout_s != 0 ? timeout_s : WRN_HOOKS_TIMEOUT_S) * 1000;
    *ret_hooks = hooks;
    return 0;
}

void wrn_hooks_destroy(struct wrn_hooks *hooks) {
    if (hooks == NULL) {
        return;
    }
    for (size_t i = 0; i < WRN_HOOKS_KINDS_MAX; i++) {
        struct kind *kind = &hooks->kinds[i];
        wrn_spawn_cancel(kind->running);
        while (kind->first != NULL) {
            end_event(kind);
        }
    }
    free(hooks);
}

void wrn_hooks_run(struct wrn_hooks *hooks, const char *event, const char *json) {
    size_t size = strlen(json);
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s/%s.d", hooks->folder, event);
    if (length < 0 || (size_t)length >= sizeof path || access(path, F_OK) != 0) {
        return; /* as it is for most events on most hosts */
    }
    struct kind *kind = find(hooks, event);
    struct waiting *waiting = malloc(sizeof *waiting + size + 2);
    if (kind == NULL || waiting == NULL || kind->count >= WRN_HOOKS_WAITING_MAX) {
        free(waiting);
        if (hooks->left_out++ % WRN_HOOKS_WAITING_MAX == 0) {
            wrn_log_write(hooks->log, WRN_LOG_ERROR,
                          "hooks of %s are too slow: %llu events left out", event,
                          (unsigned long long)hooks->left_out);
        }
        return;
    }
    *waiting = (struct waiting){.size = size + 1};
    (void)snprintf((char *)waiting->json, size + 2, "%s\n", json);
    struct waiting **end = &kind->first;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = waiting;
    if (kind->count++ == 0) {
        start_event(kind);
        proceed(kind);
    }
}

json_t *wrn_hooks_status(const struct wrn_hooks *hooks) {
    return json_pack("{sssIsIsI}", "folder", hooks->folder, "runs", (json_int_t)hooks->runs,
                     "failures", (json_int_t)hooks->failures, "left_out",
                     (json_int_t)hooks->left_out);
}

static struct kind *find(struct wrn_hooks *hooks, const char *event) {
    for (size_t i = 0; i < WRN_HOOKS_KINDS_MAX; i++) {
        struct kind *kind = &hooks->kinds[i];
        if (strcmp(kind->event, event) == 0) {
            return kind;
        }
        if (kind->event[0] == '\0') {
            kind->hooks = hooks;
            (void)snprintf(kind->event, sizeof kind->event, "%s", event);
            return kind;
        }
    }
    return NULL;
}

/* Runs the next program, or those of the next event. */
static void proceed(struct kind *kind) {
    struct wrn_hooks *hooks = kind->hooks;
    while (kind->running == NULL && kind->first != NULL) {
        if (kind->program == kind->program_count) {
            end_event(kind);
            if (kind->first != NULL) {
                start_event(kind);
            }
            continue;
        }
        const char *const args[] = {kind->programs[kind->program], NULL};
        struct wrn_spawn_options options = {.args = args,
                                            .input = {kind->first->json, kind->first->size},
                                            .timeout_ms = hooks->timeout_ms,
                                            .output_max = OUTPUT_MAX,
                                            .ctx = kind,
                                            .on_end = on_end};
        hooks->runs++;
        int error = wrn_spawn_start(hooks->loop, &options, &kind->running);
        if (error != 0) {
            kind->running = NULL;
            note(kind, error, (wrn_span){0});
            kind->program++;
        }
    }
}

static void start_event(struct kind *kind) {
    kind->program = 0;
    kind->program_count = 0;
    read_folder(kind);
}

static void end_event(struct kind *kind) {
    struct waiting *waiting = kind->first;
    for (size_t i = 0; i < kind->program_count; i++) {
        free(kind->programs[i]);
    }
    kind->program_count = 0;
    kind->program = 0;
    kind->first = waiting->next;
    kind->count--;
    free(waiting);
}

/* The paths of the programs, in the order of their names. */
static void read_folder(struct kind *kind) {
    struct wrn_hooks *hooks = kind->hooks;
    char path[PATH_MAX], file[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/%s.d", hooks->folder, kind->event);
    if (!is_trusted(hooks, hooks->folder, true) || !is_trusted(hooks, path, true)) {
        return;
    }
    WRN_CLEANUP(close_folder) DIR *folder = opendir(path);
    struct dirent *entry;
    while (folder != NULL && (entry = readdir(folder)) != NULL &&
           kind->program_count < WRN_HOOKS_PROGRAMS_MAX) {
        int length = snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        if (!wrn_errands_is_hook_name(entry->d_name) || length < 0 ||
            (size_t)length >= sizeof file || access(file, X_OK) != 0 ||
            !is_trusted(hooks, file, false)) {
            continue;
        }
        kind->programs[kind->program_count] = strdup(file);
        kind->program_count += kind->programs[kind->program_count] != NULL;
    }
    sort(kind->programs, kind->program_count);
}

/* The steward judges the same once more before it runs one. */
static bool is_trusted(struct wrn_hooks *hooks, const char *path, bool is_folder) {
    struct stat info;
    if (stat(path, &info) != 0 || (is_folder ? !S_ISDIR(info.st_mode) : !S_ISREG(info.st_mode))) {
        return false;
    }
    if (wrn_errands_is_trusted(path, is_folder)) {
        return true;
    }
    hooks->failures++;
    wrn_log_write(hooks->log, WRN_LOG_ERROR,
                  "hook %s is not run: it must belong to root, and nobody else may write there "
                  "(chown root, chmod go-w)",
                  path);
    return false;
}

/* A few names, by insertion. */
static void sort(char **names, size_t count) {
    for (size_t i = 1; i < count; i++) {
        char *name = names[i];
        size_t at = i;
        for (; at > 0 && strcmp(names[at - 1], name) > 0; at--) {
            names[at] = names[at - 1];
        }
        names[at] = name;
    }
}

static void on_end(void *ctx, int status, wrn_span output) {
    struct kind *kind = ctx;
    kind->running = NULL;
    if (status != 0) {
        note(kind, status, output);
    }
    kind->program++;
    proceed(kind);
}

static void note(struct kind *kind, int status, wrn_span output) {
    struct wrn_hooks *hooks = kind->hooks;
    const uint8_t *end = output.size > 0 ? memchr(output.data, '\n', output.size) : NULL;
    int size = end != NULL ? (int)(end - output.data) : (int)output.size;
    char cause[64];
    hooks->failures++;
    if (status == -ETIMEDOUT) {
        (void)snprintf(cause, sizeof cause, "it was killed after %u s", hooks->timeout_ms / 1000);
    } else if (status < 0) {
        (void)snprintf(cause, sizeof cause, "%s", strerror(-status));
    } else {
        (void)snprintf(cause, sizeof cause, "it ended with %d", status);
    }
    wrn_log_write(hooks->log, WRN_LOG_ERROR, "hook %s failed: %s%s%.*s",
                  kind->programs[kind->program], cause, size > 0 ? ": " : "", size,
                  (const char *)output.data);
}

static void close_folder(DIR **folder) {
    if (*folder != NULL) {
        (void)closedir(*folder);
    }
}
