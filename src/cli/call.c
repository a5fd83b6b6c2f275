/* SPDX-License-Identifier: Apache-2.0 */
/* One request, one answer, over a Unix socket. */
#include "cli/call.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/suggest.h"
#include "cli/when.h"
#include "crypto/crypto.h"
#include "io/cleanup.h"
#include "io/clock.h"
#include "io/log.h"

enum {
    PATIENCE_S = 60,
    GRACE_S = 10,     /* the daemon's own time-outs come first */
    NOTICE_MS = 1000, /* then a person is told that it takes time, and how much */
    ANSWER_MAX = 16 << 20,
    ROOM_FIRST = 4096,
    INVALID_PARAMS = -32602,
    NOT_FOUND = 2,
    S_IN_MS = 1000,
    NUMBER_DIGITS_MAX = 15,
    KIB = 1024,
    MINUTE_S = 60,
    HOUR_S = 3600,
    DAY_S = 86400,
};

/* An answer that is being read. */
struct answer {
    char *bytes;
    size_t used, room;
};

/* How long is waited. */
struct patience {
    uint64_t begun_ns;
    int64_t most_ms;
    bool is_told; /* there is a line about it on the terminal */
};

static void answer_free(struct answer *answer);
static int send_line(int fd, const char *line, size_t size);
static int receive_line(struct wrn_cli *cli, int fd, int64_t patience_ms, struct answer *answer);
static int wait_for(struct wrn_cli *cli, int fd, struct patience *patience);
static int make_room(struct answer *answer);
static bool is_held(struct wrn_cli *cli, const char *path);
static const char *as_typed(struct wrn_cli *cli, const char *text, json_int_t number);
static int read_answer(struct wrn_cli *cli, const json_t *answer, const char *path,
                       const json_t *params, json_t **ret_result);
static int say_error(struct wrn_cli *cli, const json_t *error, const char *meant);

const char *wrn_call_path(const struct wrn_args *args) {
    const char *path = wrn_args_value(args, "socket");
    if (path == NULL || *path == '\0') {
        path = getenv("WARREN_SOCKET");
    }
    return path == NULL || *path == '\0' ? WRN_CALL_SOCKET_PATH : path;
}

int wrn_call_connect(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length >= sizeof address.sun_path) {
        return -ENAMETOOLONG;
    }
    memcpy(address.sun_path, path, length);
    WRN_CLEANUP(wrn_close_fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
        return -errno;
    }
    return wrn_take_fd(&fd);
}

int wrn_call(struct wrn_cli *cli, const struct wrn_args *args, const char *method, json_t *params,
             json_t **ret_result) {
    const char *path = wrn_call_path(args);
    json_int_t patience_s = json_integer_value(json_object_get(params, "timeout_s"));
    int64_t patience_ms = ((patience_s > 0 ? patience_s : PATIENCE_S) + GRACE_S) * S_IN_MS;
    json_t *said = json_incref(params); /* for what may have been meant */
    json_t *answer = NULL;
    int error = wrn_call_ask(cli, path, method, params, patience_ms, &answer);
    int code = error != 0 ? wrn_call_complain(cli, path, error)
                          : read_answer(cli, answer, path, said, ret_result);
    json_decref(answer);
    json_decref(said);
    return code;
}

int wrn_call_ask(struct wrn_cli *cli, const char *path, const char *method, json_t *params,
                 int64_t patience_ms, json_t **ret_answer) {
    struct answer answer = {0};
    json_t *request = wrn_cli_json_object(cli);
    wrn_cli_json_set(cli, request, "jsonrpc", wrn_cli_json_text(cli, "2.0"));
    wrn_cli_json_set(cli, request, "id", json_integer(1));
    wrn_cli_json_set(cli, request, "method", wrn_cli_json_text(cli, method));
    wrn_cli_json_set(cli, request, "params", params);
    char *line = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    if (line == NULL) {
        return -ENOMEM;
    }
    size_t size = strlen(line);
    line[size] = '\n'; /* instead of the zero byte */
    WRN_CLEANUP(wrn_close_fd) int fd = wrn_call_connect(path);
    int error = fd < 0 ? fd : send_line(fd, line, size + 1);
    wrn_wipe(line, size + 1); /* it may be an invitation */
    free(line);
    error = error != 0 ? error : receive_line(cli, fd, patience_ms, &answer);
    if (error == 0) {
        *ret_answer = json_loads(answer.bytes, 0, NULL); /* NULL: it is no JSON */
    }
    answer_free(&answer);
    return error;
}

int wrn_call_network(struct wrn_cli *cli, const struct wrn_args *args, const char *method,
                     json_t *params, json_t **ret_result) {
    if (wrn_args_has(args, "network") && json_object_get(params, "network") != NULL) {
        json_decref(params);
        return wrn_cli_fail(cli, WRN_CLI_USAGE,
                            "%s: the network is named twice: leave --network out",
                            args->command->name);
    }
    int code = wrn_call_text_option(cli, args, "network", "network", params);
    return code != WRN_CLI_DONE ? code : wrn_call(cli, args, method, params, ret_result);
}

int wrn_call_read(struct wrn_cli *cli, const char *line, json_t **ret_result) {
    json_t *json = json_loads(line, 0, NULL);
    int code = read_answer(cli, json, NULL, NULL, ret_result);
    json_decref(json);
    return code;
}

int wrn_call_complain(struct wrn_cli *cli, const char *path, int error) {
    const char *next = "is warrend running? start it with: sudo warren up";
    if (error == -ECONNREFUSED) {
        next = "warrend does not run (it was killed, or the machine was); start it with: sudo "
               "warren up";
    }
    if ((error == -ENOENT || error == -ECONNREFUSED) && is_held(cli, path)) {
        next = "warrend is just starting, or ending: try again in a moment";
    }
    if (error == -EACCES || error == -EPERM) {
        next = "only root and the group warren may ask it: use sudo, or join the group (and log in "
               "anew)";
    } else if (error == -ETIMEDOUT) {
        next = "warrend runs but did not answer in time: see its log, or start it anew: sudo "
               "warren down && sudo warren up (a service: sudo systemctl restart warrend)";
    } else if (error == -EPROTO || error == -EMSGSIZE) {
        next = "what answers there is not this version's warrend: start it anew: sudo warren down "
               "&& sudo warren up (a service: sudo systemctl restart warrend)";
    } else if (error == -ECONNRESET || error == -EPIPE) {
        next = "warrend ended meanwhile: see its log, and start it with: sudo warren up";
    }
    const char *why = error == -EPROTO ? "the answer makes no sense" : strerror(-error);
    return wrn_cli_fail(cli, WRN_CLI_NO_DAEMON, "no answer from the daemon at %s: %s; %s", path,
                        why, next);
}

/* Somebody is making the socket, or removing it: its lock (docs/control.md) is held. */
static bool is_held(struct wrn_cli *cli, const char *path) {
    WRN_CLEANUP(wrn_close_fd)
    int fd = open(wrn_cli_text(cli, "%s.lock", path), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

int wrn_call_text_option(struct wrn_cli *cli, const struct wrn_args *args, const char *option,
                         const char *name, json_t *params) {
    const char *value = wrn_args_value(args, option);
    if (value != NULL && *value == '\0') {
        return wrn_cli_fail(cli, WRN_CLI_USAGE, "%s: the value of --%s is empty",
                            args->command->name, option);
    }
    if (value != NULL) {
        wrn_cli_json_set(cli, params, name, wrn_cli_json_text(cli, value));
    }
    return WRN_CLI_DONE;
}

int wrn_call_number_option(struct wrn_cli *cli, const struct wrn_args *args, const char *option,
                           const char *name, json_t *params) {
    const char *value = wrn_args_value(args, option);
    if (value == NULL) {
        return WRN_CLI_DONE;
    }
    return wrn_call_number(cli, wrn_cli_text(cli, "%s --%s", args->command->name, option), value,
                           name, params);
}

int wrn_call_number(struct wrn_cli *cli, const char *what, const char *text, const char *name,
                    json_t *params) {
    size_t length = strlen(text);
    if (length == 0 || length > NUMBER_DIGITS_MAX || strspn(text, "0123456789") != length) {
        return wrn_cli_fail(cli, WRN_CLI_USAGE, "%s takes a whole number, not %s", what,
                            wrn_cli_quote(cli, text));
    }
    wrn_cli_json_set(cli, params, name, json_integer((json_int_t)strtoull(text, NULL, 10)));
    return WRN_CLI_DONE;
}

int wrn_call_time_option(struct wrn_cli *cli, const struct wrn_args *args, const char *option,
                         const char *name, json_t *params) {
    const char *value = wrn_args_value(args, option);
    const char *why = NULL;
    int64_t s = 0;
    if (value == NULL) {
        return WRN_CLI_DONE;
    }
    if (wrn_when_read(value, cli->now_s, &s, &why) != 0) {
        return wrn_cli_fail(cli, WRN_CLI_USAGE, "%s: --%s %s: %s", args->command->name, option,
                            wrn_cli_quote(cli, value), why);
    }
    if (s <= cli->now_s) {
        return wrn_cli_fail(cli, WRN_CLI_USAGE, "%s: --%s %s lies in the past", args->command->name,
                            option, wrn_cli_quote(cli, value));
    }
    wrn_cli_json_set(cli, params, name, json_integer(s));
    return WRN_CLI_DONE;
}

void wrn_call_list_option(struct wrn_cli *cli, const struct wrn_args *args, const char *option,
                          const char *name, json_t *params) {
    const char *const *values = NULL;
    size_t count = wrn_args_values(args, option, &values);
    if (count == 0) {
        return;
    }
    json_t *list = wrn_cli_json_list(cli);
    for (size_t i = 0; i < count; i++) {
        wrn_cli_json_append(cli, list, wrn_cli_json_text(cli, values[i]));
    }
    wrn_cli_json_set(cli, params, name, list);
}

void wrn_call_flag_option(struct wrn_cli *cli, const struct wrn_args *args, const char *option,
                          const char *name, json_t *params) {
    if (wrn_args_has(args, option)) {
        wrn_cli_json_set(cli, params, name, json_true());
    }
}

const char *wrn_call_text(struct wrn_cli *cli, const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));
    if (text == NULL) {
        return NULL;
    }
    char *clean = wrn_cli_take(cli, strlen(text) + 1, 1);
    for (size_t i = 0; text[i] != '\0'; i++) {
        clean[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? '?' : text[i];
    }
    return clean;
}

const char *wrn_call_join(struct wrn_cli *cli, const json_t *list, const char *between) {
    const char *joined = "";
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        joined =
            wrn_cli_text(cli, "%s%s%s", joined, i > 0 ? between : "", text != NULL ? text : "?");
    }
    return joined;
}

const char *wrn_call_bytes(struct wrn_cli *cli, json_int_t bytes) {
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB"};
    size_t unit = 0;
    double value = (double)bytes / KIB;
    if (bytes < KIB) {
        return wrn_cli_text(cli, "%" JSON_INTEGER_FORMAT " B", bytes);
    }
    while (value >= KIB && unit + 1 < WRN_COUNT(units)) {
        value /= KIB;
        unit++;
    }
    return wrn_cli_text(cli, "%.2f %s", value, units[unit]);
}

const char *wrn_call_span(struct wrn_cli *cli, json_int_t s) {
    if (s < MINUTE_S) {
        return wrn_cli_text(cli, "%d s", (int)s);
    }
    if (s < HOUR_S) {
        return wrn_cli_text(cli, "%d min %d s", (int)(s / MINUTE_S), (int)(s % MINUTE_S));
    }
    if (s < DAY_S) {
        return wrn_cli_text(cli, "%d h %d min", (int)(s / HOUR_S), (int)(s % HOUR_S / MINUTE_S));
    }
    return wrn_cli_text(cli, "%" PRId64 " d %d h", (int64_t)(s / DAY_S), (int)(s % DAY_S / HOUR_S));
}

const char *wrn_call_time(struct wrn_cli *cli, const json_t *s) {
    char text[WRN_WHEN_SIZE];
    if (!json_is_integer(s) || !wrn_when_print(json_integer_value(s), text)) {
        return "never";
    }
    return wrn_cli_text(cli, "%s", text);
}

bool wrn_call_prints_json(struct wrn_cli *cli, json_t *result) {
    if (cli->json) {
        wrn_cli_print_json(cli, result);
    }
    return cli->json;
}

static void answer_free(struct answer *answer) {
    if (answer->bytes != NULL) {
        wrn_wipe(answer->bytes, answer->room);
        free(answer->bytes);
    }
}

static int send_line(int fd, const char *line, size_t size) {
    while (size > 0) {
        ssize_t put = send(fd, line, size, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0) {
            return -errno;
        }
        line += put;
        size -= (size_t)put;
    }
    return 0;
}

/* Reads up to the end of the line, which it replaces by a zero byte. */
static int receive_line(struct wrn_cli *cli, int fd, int64_t patience_ms, struct answer *answer) {
    struct patience patience = {wrn_clock_read().mono.ns, patience_ms, false};
    for (;;) {
        int error = make_room(answer);
        error = error != 0 ? error : wait_for(cli, fd, &patience);
        if (error != 0) {
            return error;
        }
        ssize_t got = recv(fd, answer->bytes + answer->used, answer->room - answer->used, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return -errno;
        }
        if (got == 0) {
            return -ECONNRESET;
        }
        char *end = memchr(answer->bytes + answer->used, '\n', (size_t)got);
        answer->used += (size_t)got;
        if (end != NULL) {
            *end = '\0';
            return 0;
        }
    }
}

/* Waits until there is something to read; shows a person at a terminal how long that takes. */
static int wait_for(struct wrn_cli *cli, int fd, struct patience *patience) {
    bool has_reader = isatty(fileno(cli->err)) == 1;
    for (;;) {
        int64_t passed_ms = (int64_t)((wrn_clock_read().mono.ns - patience->begun_ns) / WRN_MS(1));
        int64_t left_ms = patience->most_ms - passed_ms;
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (left_ms > 0 && has_reader && passed_ms >= NOTICE_MS) {
            patience->is_told = true;
            (void)fprintf(cli->err, "\r\033[Kwarren: waiting, %d s of at most %d s (^C ends it)",
                          (int)(passed_ms / S_IN_MS), (int)(patience->most_ms / S_IN_MS));
            (void)fflush(cli->err);
        }
        int count =
            left_ms <= 0 ? 0 : poll(&ready, 1, (int)(left_ms < NOTICE_MS ? left_ms : NOTICE_MS));
        int error = count < 0 ? errno : 0;
        if (count == 0 && left_ms > 0) {
            continue;
        }
        if (error == EINTR) {
            continue;
        }
        if (patience->is_told) {
            (void)fputs("\r\033[K", cli->err);
            (void)fflush(cli->err);
        }
        return count > 0 ? 0 : error != 0 ? -error : -ETIMEDOUT;
    }
}

/* What moves leaves no copy behind. */
static int make_room(struct answer *answer) {
    if (answer->used < answer->room) {
        return 0;
    }
    size_t wanted = answer->room == 0 ? ROOM_FIRST : 2 * answer->room;
    char *larger = wanted <= ANSWER_MAX ? malloc(wanted) : NULL;
    if (larger == NULL) {
        return wanted <= ANSWER_MAX ? -ENOMEM : -EMSGSIZE;
    }
    if (answer->used > 0) {
        memcpy(larger, answer->bytes, answer->used);
    }
    answer_free(answer);
    answer->bytes = larger;
    answer->room = wanted;
    return 0;
}

/* Takes an answer apart. 'path' and 'params' are of the question; NULL: what may have been meant is
 * not looked for. */
static int read_answer(struct wrn_cli *cli, const json_t *answer, const char *path,
                       const json_t *params, json_t **ret_result) {
    const json_t *error = json_object_get(answer, "error");
    json_t *result = json_object_get(answer, "result");
    if (error != NULL) {
        bool is_absent = json_integer_value(json_object_get(error, "code")) == NOT_FOUND;
        return say_error(cli, error,
                         is_absent && params != NULL ? wrn_suggest(cli, path, params) : NULL);
    }
    if (result == NULL) {
        return wrn_cli_fail(cli, WRN_CLI_NO_DAEMON,
                            "what answers at the socket is not warrend; which one it is, --socket "
                            "or WARREN_SOCKET says");
    }
    *ret_result = json_incref(result);
    return WRN_CLI_DONE;
}

/* Parameters by the names that they have on the command line. */
static const char *as_typed(struct wrn_cli *cli, const char *text, json_int_t number) {
    static const struct {
        const char *param, *typed;
    } names[] = {
        {"\"uses\"", "--uses"},
        {"\"until_s\"", "--expires"},
        {"\"addresses\"", "--address"},
        {"\"allow\"", "--allow"},
        {"\"host_name\"", "--host-name"},
        {"\"timeout_s\"", "--timeout"},
        {"\"ipv4\"", "--ipv4"},
        {"\"ipv6\"", "--ipv6"},
        {"\"rights\"", "--right"},
        {"\"protocol\"", "--protocol"},
        {"\"port\"", "--port"},
        {"\"source_port\"", "--source-port"},
        {"\"ttl_s\"", "--ttl"},
        {"\"name\"", "NAME"},
        {"\"id\"", "ID"},
        {"\"to\"", "MEMBER"},
        {"\"member\"", "MEMBER"},
        {"\"peer\"", "MEMBER"},
        {"\"prefix\"", "RANGE"},
        {"\"key\"", "KEY"},
        {"\"value\"", "VALUE"},
        {"\"level\"", "LEVEL"},
        {"\"invitation\"", "INVITATION"},
        {"\"network\"", "NETWORK"},
        {"\"count\"", "N"},
    };
    for (size_t i = 0; i < WRN_COUNT(names) && number == INVALID_PARAMS; i++) {
        const char *at = strstr(text, names[i].param);
        if (at != NULL) {
            text = wrn_cli_text(cli, "%.*s%s%s", (int)(at - text), text, names[i].typed,
                                at + strlen(names[i].param));
        }
    }
    return text;
}

static int say_error(struct wrn_cli *cli, const json_t *error, const char *meant) {
    const char *text = wrn_call_text(cli, error, "message");
    json_int_t number = json_integer_value(json_object_get(error, "code"));
    text = text != NULL ? as_typed(cli, text, number) : "the daemon refused";
    text = meant != NULL ? wrn_cli_text(cli, "%s; did you mean: %s", text, meant) : text;
    (void)fprintf(cli->err, "warren: %s\n", text);
    if (cli->json) {
        json_t *json = wrn_cli_json_object(cli);
        json_t *reason = json_object_get(json_object_get(error, "data"), "reason");
        wrn_cli_json_set(cli, json, "error", wrn_cli_json_text(cli, text));
        wrn_cli_json_set(cli, json, "code", json_integer(number));
        if (reason != NULL) {
            wrn_cli_json_set(cli, json, "reason", json_incref(reason));
        }
        wrn_cli_print_json(cli, json);
    }
    return number == INVALID_PARAMS ? WRN_CLI_USAGE : WRN_CLI_REFUSED;
}
