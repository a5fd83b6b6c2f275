/* SPDX-License-Identifier: Apache-2.0 */
/* The command `top`: the terminal, keys, time, and what is asked of the daemon. A handful of escape
 * sequences that all terminals have had for decades, instead of a library for them. */
#include "cli/top.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "cli/remote.h"
#include "io/cleanup.h"
#include "io/clock.h"

enum {
    INTERVAL_S = 1,
    INTERVAL_MAX_S = 3600,
    ANSWER_MS = 10000,
    PROBES_MAX = 16, /* calls under way that a connection may have */
    PROBE_S = 1,
    LINE_MAX_BYTES = 64 << 10,
    ROWS_ONCE = 100000,
    COLUMNS_ONCE = 200,
    KEYS = 16,
};

/* Sequences: to another screen and back, the cursor away and there, to the top, the rest of a line
 * and of the screen empty. */
#define OTHER_SCREEN "\033[?1049h\033[?25l"
#define FIRST_SCREEN "\033[?25h\033[?1049l"
#define TO_THE_TOP   "\033[H"
#define LINE_END     "\033[K\r\n"
#define REST_EMPTY   "\033[J"

/* Probes of one interval that are not answered yet. */
struct probing {
    int fd; /* -1: none are under way */
    size_t count;
    char networks[PROBES_MAX][64];
    char hits[PROBES_MAX][48];
    bool is_done[PROBES_MAX];
    char line[LINE_MAX_BYTES];
    size_t used;
};

struct session {
    struct wrn_cli *cli;
    const char *path;
    struct wrn_top top;
    struct probing probing;
    bool probes, on_screen;
    struct termios before;
    int64_t interval_ms;
};

static volatile sig_atomic_t wants_end;

static int run_top(struct wrn_cli *cli, const struct wrn_args *args);
static int look(struct session *session, bool is_shown);
static void show(struct session *session, struct wrn_cli *one, const json_t *status);
static bool wait_for_keys(struct session *session);
static bool read_keys(struct session *session);
static void begin_probes(struct session *session, struct wrn_cli *one, const json_t *status);
static void read_probes(struct session *session);
static void take_answer(struct session *session, const char *line);
static void end_probes(struct session *session);
static void enter_screen(struct session *session);
static void leave_screen(struct session *session);
static void on_signal(int number);

static const struct wrn_option options[] = {
    {"once", WRN_OPTION_FLAG, WRN_OPTION_ONCE, NULL, "print one table, after one interval"},
    {"interval", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "SECONDS", "how often to look (1)"},
    {"probe", WRN_OPTION_FLAG, WRN_OPTION_ONCE, NULL,
     "ask 16 peers each time, as warren ping does: then there is a loss"},
    WRN_CALL_SOCKET,
};

const struct wrn_command wrn_top_command = {
    .name = "top",
    .summary = "watch networks and peers: paths, rates, round trips, loss, drops",
    .options = options,
    .option_count = WRN_COUNT(options),
    .details = "A table that goes on until q is typed; p begins or ends probing. Peers with\n"
               "most traffic come first. Rates are of the last interval, the loss is that of\n"
               "the last 20 probes. Where the output is no terminal, one table is printed.\n"
               "With --json each line is a JSON text, and with --once there is one.\n",
    .example = "  warren top --once\n",
    .run = run_top,
};

static int run_top(struct wrn_cli *cli, const struct wrn_args *args) {
    json_t *params = wrn_cli_json_object(cli);
    int code = wrn_call_number_option(cli, args, "interval", "interval", params);
    json_int_t interval_s = json_integer_value(json_object_get(params, "interval"));
    json_decref(params);
    if (code == WRN_CLI_DONE && wrn_args_has(args, "interval") &&
        (interval_s < 1 || interval_s > INTERVAL_MAX_S)) {
        code = wrn_cli_fail(cli, WRN_CLI_USAGE, "top --interval takes 1 to 3600 seconds");
    }
    if (code != WRN_CLI_DONE) {
        return code;
    }
    struct session *session = wrn_cli_take(cli, 1, sizeof *session);
    *session = (struct session){.cli = cli,
                                .path = wrn_call_path(args),
                                .probing.fd = -1,
                                .probes = wrn_args_has(args, "probe"),
                                .interval_ms = 1000 * (interval_s > 0 ? interval_s : INTERVAL_S)};
    bool is_screen = !cli->json && !wrn_args_has(args, "once") && isatty(fileno(cli->out)) == 1 &&
                     isatty(STDIN_FILENO) == 1;
    bool is_once = wrn_args_has(args, "once") || (!is_screen && !cli->json);
    if (is_screen) {
        enter_screen(session);
    }
    code = look(session, is_screen); /* rates are known from the second one on */
    while (code == WRN_CLI_DONE && wait_for_keys(session)) {
        code = look(session, true);
        if (is_once) {
            break;
        }
    }
    end_probes(session);
    leave_screen(session);
    wrn_top_finish(&session->top);
    return code;
}

/* With memory of its own: there may be many. What went wrong is said on the first screen. */
static int look(struct session *session, bool is_shown) {
    struct wrn_cli one;
    json_t *answer = NULL;
    json_t *status = NULL;
    wrn_cli_init(&one, session->cli->out, session->cli->err, session->cli->now_s);
    one.has_colours = session->cli->has_colours;
    int error =
        wrn_call_ask(&one, session->path, "status", wrn_cli_json_object(&one), ANSWER_MS, &answer);
    json_t *result = json_object_get(answer, "result");
    int code = WRN_CLI_DONE;
    if (error != 0 || result == NULL) {
        leave_screen(session);
        one.json = session->cli->json;
        code = error != 0 ? wrn_call_complain(&one, session->path, error)
                          : wrn_call_read(&one, "{}", &status);
    } else if (!wrn_top_note(&session->top, &one, result, wrn_clock_read().mono.ns)) {
        code = wrn_cli_fail(&one, WRN_CLI_REFUSED, "no memory is left; end other programs");
    } else if (is_shown) {
        show(session, &one, result);
    }
    if (code == WRN_CLI_DONE && session->probes) {
        begin_probes(session, &one, result);
    }
    json_decref(answer);
    wrn_cli_finish(&one);
    return code;
}

static void show(struct session *session, struct wrn_cli *one, const json_t *status) {
    struct winsize size = {.ws_row = ROWS_ONCE > UINT16_MAX ? UINT16_MAX : ROWS_ONCE,
                           .ws_col = COLUMNS_ONCE};
    if (session->cli->json) {
        json_t *json = wrn_top_json(&session->top, one, status);
        (void)json_dumpf(json, one->out, JSON_COMPACT | JSON_REAL_PRECISION(9));
        (void)fputc('\n', one->out);
        json_decref(json);
    } else if (session->on_screen) {
        if (ioctl(fileno(one->out), TIOCGWINSZ, &size) != 0 || size.ws_row == 0 ||
            size.ws_col == 0) {
            size = (struct winsize){.ws_row = 24, .ws_col = 80};
        }
        (void)fputs(TO_THE_TOP, one->out);
        wrn_top_show(&session->top, one, status, size.ws_col, (uint32_t)size.ws_row - 1, LINE_END);
        (void)fputs(session->probes ? "q ends, p ends probing" REST_EMPTY
                                    : "q ends, p probes for loss" REST_EMPTY,
                    one->out);
    } else {
        wrn_top_show(&session->top, one, status, size.ws_col, size.ws_row, "\n");
    }
    (void)fflush(one->out);
}

/* Until the next look, a key, or another size of the terminal. False: somebody wants it to end. */
static bool wait_for_keys(struct session *session) {
    uint64_t until_ns = session->top.looked_ns + WRN_MS((uint64_t)session->interval_ms);
    while (wants_end == 0) {
        uint64_t now_ns = wrn_clock_read().mono.ns;
        struct pollfd ready[2] = {{.fd = session->on_screen ? STDIN_FILENO : -1, .events = POLLIN},
                                  {.fd = session->probing.fd, .events = POLLIN}};
        if (now_ns >= until_ns) {
            return true;
        }
        int count = poll(ready, 2, (int)((until_ns - now_ns) / WRN_MS(1) + 1));
        if (count < 0) { /* a signal: another size is seen at once */
            return wants_end == 0;
        }
        if (count > 0 && ready[0].revents != 0) {
            return read_keys(session);
        }
        if (count > 0 && ready[1].revents != 0) {
            read_probes(session);
        }
    }
    return false;
}

static bool read_keys(struct session *session) {
    char keys[KEYS];
    ssize_t got = read(STDIN_FILENO, keys, sizeof keys);
    for (ssize_t i = 0; i < got; i++) {
        if (keys[i] == 'q' || keys[i] == 'Q') {
            return false;
        }
        if (keys[i] == 'p') {
            session->probes = !session->probes;
        }
    }
    return got > 0; /* nobody is at the terminal any more */
}

/* ---- probes ---- */

/* Those of the last interval that are not answered are lost. */
static void begin_probes(struct session *session, struct wrn_cli *one, const json_t *status) {
    struct probing *probing = &session->probing;
    const json_t *networks = json_object_get(status, "networks");
    end_probes(session);
    probing->fd = wrn_call_connect(session->path);
    for (size_t i = 0; probing->fd >= 0 && i < json_array_size(networks); i++) {
        const json_t *network = json_array_get(networks, i);
        const json_t *peers = json_object_get(network, "peers");
        const char *name = wrn_call_text(one, network, "name");
        for (size_t k = 0; k < json_array_size(peers) && probing->count < PROBES_MAX; k++) {
            const char *hit = wrn_call_text(one, json_array_get(peers, k), "hit");
            const char *line = wrn_cli_text(
                one,
                "{\"jsonrpc\":\"2.0\",\"id\":%zu,\"method\":\"ping\",\"params\":{\"network\":"
                "\"%s\",\"to\":\"%s\",\"timeout_s\":%d}}\n",
                probing->count, name, hit, PROBE_S);
            if (send(probing->fd, line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT) !=
                (ssize_t)strlen(line)) {
                break;
            }
            (void)snprintf(probing->networks[probing->count], sizeof probing->networks[0], "%s",
                           name);
            (void)snprintf(probing->hits[probing->count], sizeof probing->hits[0], "%s", hit);
            probing->is_done[probing->count++] = false;
        }
    }
}

static void read_probes(struct session *session) {
    struct probing *probing = &session->probing;
    ssize_t got = recv(probing->fd, probing->line + probing->used,
                       sizeof probing->line - probing->used - 1, MSG_DONTWAIT);
    if (got <= 0) {
        wrn_close_fd(&probing->fd);
        return;
    }
    probing->used += (size_t)got;
    char *end;
    while ((end = memchr(probing->line, '\n', probing->used)) != NULL) {
        size_t size = (size_t)(end - probing->line) + 1;
        *end = '\0';
        take_answer(session, probing->line);
        memmove(probing->line, probing->line + size, probing->used - size);
        probing->used -= size;
    }
    if (probing->used + 1 >= sizeof probing->line) {
        wrn_close_fd(&probing->fd); /* no answer of warrend's is so long */
    }
}

static void take_answer(struct session *session, const char *line) {
    struct probing *probing = &session->probing;
    json_t *json = json_loads(line, 0, NULL);
    const json_t *id = json_object_get(json, "id");
    json_int_t index = json_is_integer(id) ? json_integer_value(id) : -1;
    if (index >= 0 && (size_t)index < probing->count && !probing->is_done[index]) {
        probing->is_done[index] = true;
        wrn_top_probe(&session->top, probing->networks[index], probing->hits[index],
                      json_object_get(json, "result") == NULL);
    }
    json_decref(json);
}

static void end_probes(struct session *session) {
    struct probing *probing = &session->probing;
    for (size_t i = 0; i < probing->count; i++) {
        if (!probing->is_done[i]) {
            wrn_top_probe(&session->top, probing->networks[i], probing->hits[i], true);
        }
    }
    if (probing->fd >= 0) {
        wrn_close_fd(&probing->fd);
    }
    probing->fd = -1;
    probing->count = probing->used = 0;
}

/* ---- the terminal ---- */

/* What is typed comes at once and is not shown; ^C still ends the program, by its signal. */
static void enter_screen(struct session *session) {
    struct sigaction action = {.sa_handler = on_signal}; /* without SA_RESTART: poll has to end */
    struct termios raw;
    if (tcgetattr(STDIN_FILENO, &session->before) != 0) {
        return;
    }
    raw = session->before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGHUP, &action, NULL);
    (void)sigaction(SIGWINCH, &action, NULL);
    (void)tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    (void)fputs(OTHER_SCREEN, session->cli->out);
    (void)fflush(session->cli->out);
    session->on_screen = true;
}

static void leave_screen(struct session *session) {
    if (session->on_screen) {
        (void)fputs(FIRST_SCREEN, session->cli->out);
        (void)fflush(session->cli->out);
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &session->before);
        session->on_screen = false;
    }
}

static void on_signal(int number) {
    wants_end = number == SIGWINCH ? wants_end : 1;
}
