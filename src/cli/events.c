/* SPDX-License-Identifier: Apache-2.0 */
/* Shows what happens, as it happens. Keeps nothing of it. */
#define _GNU_SOURCE /* getline */
#include <stdlib.h>
#include <unistd.h>

#include "cli/remote.h"
#include "io/cleanup.h"

enum { KINDS_MOST = 32 };

static int run_events(struct wrn_cli *cli, const struct wrn_args *args);
static int subscribe(struct wrn_cli *cli, const struct wrn_args *args, FILE *daemon);
static int follow(struct wrn_cli *cli, const char *path, FILE *daemon, json_int_t most);
static bool show_event(struct wrn_cli *cli, const char *line);
static void close_stream(FILE **stream);

static const struct wrn_option options[] = {
    {"count", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "N", "end after so many"},
    WRN_CALL_NETWORK,
    WRN_CALL_SOCKET,
};

const struct wrn_command wrn_events = {
    .name = "events",
    .summary = "show what happens, as it happens",
    .operand = "KIND",
    .operands_max = KINDS_MOST,
    .options = options,
    .option_count = WRN_COUNT(options),
    .details = "One line an event, until it is interrupted (with --json one text a line, all of\n"
               "it). Without KIND all kinds: peer.up, peer.down, peer.path, member.revoked,\n"
               "network.connected and more; docs/control.md lists them. Programs that events\n"
               "run are hooks: warrend(1).\n",
    .example = "  warren events peer.up peer.down\n",
    .run = run_events,
};

static int run_events(struct wrn_cli *cli, const struct wrn_args *args) {
    const char *path = wrn_call_path(args);
    json_t *count = wrn_cli_json_object(cli);
    int code = wrn_call_number_option(cli, args, "count", "count", count);
    json_int_t most = json_integer_value(json_object_get(count, "count"));
    json_decref(count);
    if (code == WRN_CLI_DONE && wrn_args_has(args, "count") && most < 1) {
        code = wrn_cli_fail(cli, WRN_CLI_USAGE, "events --count takes a number from 1 on");
    }
    if (code != WRN_CLI_DONE) {
        return code;
    }
    WRN_CLEANUP(wrn_close_fd) int fd = wrn_call_connect(path);
    if (fd < 0) {
        return wrn_call_complain(cli, path, fd);
    }
    WRN_CLEANUP(close_stream) FILE *daemon = fdopen(fd, "r+");
    if (daemon == NULL) {
        return wrn_call_complain(cli, path, -errno);
    }
    (void)wrn_take_fd(&fd); /* it is the stream's */
    code = subscribe(cli, args, daemon);
    return code != WRN_CLI_DONE ? code : follow(cli, path, daemon, most);
}

static int subscribe(struct wrn_cli *cli, const struct wrn_args *args, FILE *daemon) {
    const char *network = wrn_args_value(args, "network");
    json_t *params = wrn_cli_json_object(cli);
    json_t *kinds = json_array();
    json_t *request = wrn_cli_json_object(cli);
    for (size_t i = 0; i < args->operand_count; i++) {
        (void)json_array_append_new(kinds, wrn_cli_json_text(cli, args->operands[i]));
    }
    wrn_cli_json_set(cli, params, "events", kinds);
    if (network != NULL) {
        wrn_cli_json_set(cli, params, "network", wrn_cli_json_text(cli, network));
    }
    wrn_cli_json_set(cli, request, "jsonrpc", wrn_cli_json_text(cli, "2.0"));
    wrn_cli_json_set(cli, request, "id", json_integer(1));
    wrn_cli_json_set(cli, request, "method", wrn_cli_json_text(cli, "events.subscribe"));
    wrn_cli_json_set(cli, request, "params", params);
    (void)json_dumpf(request, daemon, JSON_COMPACT);
    (void)fputc('\n', daemon);
    json_decref(request);
    (void)fflush(daemon); /* a daemon that has gone says nothing either */
    return WRN_CLI_DONE;
}

/* The first line is the answer to our request, the others are events. */
static int follow(struct wrn_cli *cli, const char *path, FILE *daemon, json_int_t most) {
    char *line = NULL;
    size_t room = 0;
    json_t *result = NULL;
    json_int_t shown = 0;
    int code = WRN_CLI_DONE;
    bool is_open = getline(&line, &room, daemon) > 0;
    if (is_open) {
        code = wrn_call_read(cli, line, &result);
        json_decref(result);
    }
    while (is_open && code == WRN_CLI_DONE && (most == 0 || shown < most)) {
        is_open = getline(&line, &room, daemon) > 0;
        shown += is_open && show_event(cli, line);
    }
    free(line);
    return is_open ? code : wrn_call_complain(cli, path, -ECONNRESET);
}

/* With memory of its own: there may be millions. */
static bool show_event(struct wrn_cli *cli, const char *line) {
    struct wrn_cli one;
    json_t *json = json_loads(line, 0, NULL);
    json_t *event = json_object_get(json, "params");
    bool is_event = json_is_object(event);
    wrn_cli_init(&one, cli->out, cli->err, cli->now_s);
    if (is_event && cli->json) {
        (void)json_dumpf(event, cli->out, JSON_COMPACT);
        (void)fputc('\n', cli->out);
    } else if (is_event) {
        const char *network = wrn_call_text(&one, event, "network");
        const char *text = wrn_call_text(&one, event, "text");
        (void)fprintf(cli->out, "%s  %s  %s: %s\n",
                      wrn_call_time(&one, json_object_get(event, "time_s")),
                      network != NULL ? network : "-", wrn_call_text(&one, event, "event"),
                      text != NULL ? text : "");
    }
    (void)fflush(cli->out); /* somebody waits for it */
    wrn_cli_finish(&one);
    json_decref(json);
    return is_event;
}

static void close_stream(FILE **stream) {
    if (*stream != NULL) {
        (void)fclose(*stream);
    }
}
