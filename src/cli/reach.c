/* SPDX-License-Identifier: Apache-2.0 */
/* Finds others, reaches them, says what passes, waits for what shall be. */
#include <poll.h>

#include "cli/remote.h"

enum { PING_EVERY_MS = 1000 };

static int run_ping(struct wrn_cli *cli, const struct wrn_args *args);
static int read_count(struct wrn_cli *cli, const struct wrn_args *args, json_int_t *ret_count);
static void print_ping(struct wrn_cli *cli, const json_t *peer);
static int run_resolve(struct wrn_cli *cli, const struct wrn_args *args);
static int run_trace(struct wrn_cli *cli, const struct wrn_args *args);
static int run_wait(struct wrn_cli *cli, const struct wrn_args *args);
static void print_verdict(struct wrn_cli *cli, bool passes, const char *text);
static int fill_goal(struct wrn_cli *cli, const struct wrn_args *args, json_t *params);
static json_t *about(struct wrn_cli *cli, const char *name, const char *value);

static const struct wrn_option timed_options[] = {
    {"timeout", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "SECONDS", "how long to try (20)"},
    WRN_CALL_NETWORK,
    WRN_CALL_SOCKET,
};

static const struct wrn_option ping_options[] = {
    {"count", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "N", "how often, once a second (1)"},
    {"timeout", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "SECONDS", "how long to try each time (20)"},
    WRN_CALL_NETWORK,
    WRN_CALL_SOCKET,
};

const struct wrn_command wrn_ping = {
    .name = "ping",
    .summary = "reach a member: by which path, how far, how soon",
    .operand = "MEMBER",
    .operands_min = 1,
    .operands_max = 1,
    .options = ping_options,
    .option_count = WRN_COUNT(ping_options),
    .details = "Opens a path if there is none and says which it is: it needs no right but\n"
               "membership. Whether packets of a kind may pass: warren trace. The time is that\n"
               "of this very question to the other daemon and its answer; warren status shows\n"
               "what the ring measures, smoothed. The exit code is 0 if it has answered once.\n",
    .example = "  warren ping bob\n"
               "  warren ping bob --count 3\n",
    .run = run_ping,
};

const struct wrn_command wrn_resolve = {
    .name = "resolve",
    .summary = "find out who has a name, an address or a HIT",
    .operand = "NAME",
    .operands_min = 1,
    .operands_max = 1,
    .options = timed_options,
    .option_count = WRN_COUNT(timed_options),
    .details = "NAME is a host's name, alone or as HOST.NETWORK.warren, an address of the\n"
               "network, or a HIT.\n",
    .example = "  warren resolve bob\n",
    .run = run_resolve,
};

static const struct wrn_option trace_options[] = {
    {"protocol", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "NAME", "tcp, udp, icmp or a number (icmp)"},
    {"port", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "N",
     "the port that the packet goes to; of icmp the type (an echo request)"},
    {"source-port", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "N", "the port that it comes from (0)"},
    {"inbound", WRN_OPTION_FLAG, WRN_OPTION_ONCE, NULL, "a packet of that member to this machine"},
    {"ipv6", WRN_OPTION_FLAG, WRN_OPTION_ONCE, NULL, "by their IPv6 addresses"},
    {"timeout", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "SECONDS", "how long to try (20)"},
    WRN_CALL_NETWORK,
    WRN_CALL_SOCKET,
};

const struct wrn_command wrn_trace = {
    .name = "trace",
    .summary = "say whether a packet may pass, and which certificate decides",
    .operand = "MEMBER",
    .operands_min = 1,
    .operands_max = 1,
    .options = trace_options,
    .option_count = WRN_COUNT(trace_options),
    .details = "Nothing is sent to the member but what it takes to know its rights. The exit\n"
               "code is 0 if the packet passes, 1 if not.\n",
    .example = "  warren trace bob --protocol tcp --port 22\n",
    .run = run_trace,
};

static const struct wrn_option wait_options[] = {
    {"timeout", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "SECONDS", "how long (60)"},
    WRN_CALL_NETWORK,
    WRN_CALL_SOCKET,
};

const struct wrn_command wrn_wait = {
    .name = "wait",
    .summary = "wait until something has come about, for scripts",
    .operand = "WHAT",
    .operands_max = 2,
    .options = wait_options,
    .option_count = WRN_COUNT(wait_options),
    .details = "WHAT is\n"
               "  ready [NETWORK]      this machine is connected, has address and name (if\n"
               "                       nothing else is said)\n"
               "  connected [NETWORK]  it is part of the network's ring\n"
               "  address [NETWORK]    it has an address\n"
               "  name [NETWORK]       it has its name\n"
               "  members N            so many are on the ring, this one among them\n"
               "  peer MEMBER          that member can be reached\n"
               "  direct MEMBER        the same without a relay\n"
               "The exit code is 0 when it has come about, 1 when the time is over.\n",
    .example = "  warren wait address home --timeout 30\n"
               "  warren wait direct bob\n",
    .run = run_wait,
};

static int run_ping(struct wrn_cli *cli, const struct wrn_args *args) {
    json_t *params = about(cli, "to", args->operands[0]);
    json_t *times = json_array();
    json_t *peer = NULL;
    json_int_t count = 1;
    bool is_answered = false;
    int code = wrn_call_number_option(cli, args, "timeout", "timeout_s", params);
    code = code != WRN_CLI_DONE ? code : read_count(cli, args, &count);
    for (json_int_t i = 0; i < count && code == WRN_CLI_DONE; i++) {
        if (i > 0) {
            (void)poll(NULL, 0, PING_EVERY_MS);
        }
        json_decref(peer);
        peer = NULL;
        code = wrn_call_network(cli, args, "ping", json_copy(params), &peer);
        if (code == WRN_CLI_DONE) {
            is_answered = true;
            (void)json_array_append(times, json_object_get(peer, "probe_ms"));
            print_ping(cli, peer);
        } else if (code == WRN_CLI_REFUSED && !cli->json) {
            code = i + 1 < count || is_answered ? WRN_CLI_DONE : code; /* it was said */
        }
    }
    json_decref(params);
    if (code == WRN_CLI_DONE && cli->json) {
        if (count > 1) {
            wrn_cli_json_set(cli, peer, "probes_ms", json_incref(times));
        }
        wrn_cli_print_json(cli, json_incref(peer));
    }
    json_decref(times);
    json_decref(peer);
    return code;
}

static int read_count(struct wrn_cli *cli, const struct wrn_args *args, json_int_t *ret_count) {
    json_t *read = wrn_cli_json_object(cli);
    int code = wrn_call_number_option(cli, args, "count", "count", read);
    if (code == WRN_CLI_DONE && wrn_args_has(args, "count")) {
        *ret_count = json_integer_value(json_object_get(read, "count"));
        if (*ret_count < 1) {
            code = wrn_cli_fail(cli, WRN_CLI_USAGE, "ping --count takes a number from 1 on");
        }
    }
    json_decref(read);
    return code;
}

static void print_ping(struct wrn_cli *cli, const json_t *peer) {
    const char *ipv4 = wrn_call_text(cli, peer, "ipv4");
    const json_t *probe = json_object_get(peer, "probe_ms");
    const char *time = json_is_number(probe)
                           ? wrn_cli_text(cli, "%.1f ms", json_number_value(probe))
                           : "connected, round trip not measured";
    if (!cli->json) {
        (void)fprintf(cli->out, "%s%s%s%s: %s, %s\n", wrn_status_who(cli, peer),
                      ipv4 != NULL ? " (" : "", ipv4 != NULL ? ipv4 : "", ipv4 != NULL ? ")" : "",
                      time, wrn_status_path(cli, peer));
        (void)fflush(cli->out);
    }
}

static int run_resolve(struct wrn_cli *cli, const struct wrn_args *args) {
    json_t *params = about(cli, "name", args->operands[0]);
    json_t *found = NULL;
    int code = wrn_call_number_option(cli, args, "timeout", "timeout_s", params);
    if (code != WRN_CLI_DONE) {
        json_decref(params);
        return code;
    }
    code = wrn_call_network(cli, args, "resolve", params, &found);
    if (code != WRN_CLI_DONE || wrn_call_prints_json(cli, found)) {
        return code;
    }
    static const char *const rows[][2] = {{"name", "name"},
                                          {"IPv4", "ipv4"},
                                          {"IPv6", "ipv6"},
                                          {"HIT", "hit"},
                                          {"key", "public_key"}};
    for (size_t i = 0; i < WRN_COUNT(rows); i++) {
        const char *text = wrn_call_text(cli, found, rows[i][1]);
        if (text != NULL) {
            (void)fprintf(cli->out, "%-5s %s\n", rows[i][0], text);
        }
    }
    if (json_is_true(json_object_get(found, "self"))) {
        (void)fputs("(this machine)\n", cli->out);
    }
    json_decref(found);
    return code;
}

static int run_trace(struct wrn_cli *cli, const struct wrn_args *args) {
    json_t *params = about(cli, "to", args->operands[0]);
    json_t *trace = NULL;
    wrn_call_flag_option(cli, args, "inbound", "inbound", params);
    wrn_call_flag_option(cli, args, "ipv6", "ipv6", params);
    int code = wrn_call_text_option(cli, args, "protocol", "protocol", params);
    code = code != WRN_CLI_DONE ? code : wrn_call_number_option(cli, args, "port", "port", params);
    code = code != WRN_CLI_DONE
               ? code
               : wrn_call_number_option(cli, args, "source-port", "source_port", params);
    code = code != WRN_CLI_DONE ? code
                                : wrn_call_number_option(cli, args, "timeout", "timeout_s", params);
    if (code != WRN_CLI_DONE) {
        json_decref(params);
        return code;
    }
    code = wrn_call_network(cli, args, "trace", params, &trace);
    if (code != WRN_CLI_DONE) {
        return code;
    }
    bool passes = json_is_true(json_object_get(trace, "passes"));
    if (!wrn_call_prints_json(cli, trace)) {
        const json_t *cert = json_object_get(trace, "certificate");
        const char *text = wrn_call_text(cli, trace, "text");
        print_verdict(cli, passes, text != NULL ? text : wrn_call_text(cli, trace, "why"));
        if (json_is_object(cert)) {
            (void)fprintf(cli->out, "decided by certificate %s of %s for %s\n",
                          wrn_call_text(cli, cert, "hash"), wrn_call_text(cli, cert, "issuer"),
                          wrn_call_text(cli, cert, "subject"));
        }
        json_decref(trace);
    }
    return passes ? WRN_CLI_DONE : WRN_CLI_REFUSED;
}

/* The first word for whoever only glances. */
static void print_verdict(struct wrn_cli *cli, bool passes, const char *text) {
    const char *verdict = passes ? "passes" : "refused";
    const char *begins = passes ? "it passes" : "it is refused";
    size_t length = strlen(begins);
    bool is_said = text != NULL && strncmp(text, begins, length) == 0;
    (void)fprintf(cli->out, "%s%s%s\n", verdict, is_said ? "" : ": ",
                  is_said        ? text + length
                  : text != NULL ? text
                                 : "");
}

static int run_wait(struct wrn_cli *cli, const struct wrn_args *args) {
    json_t *params = wrn_cli_json_object(cli);
    json_t *result = NULL;
    int code = fill_goal(cli, args, params);
    code = code != WRN_CLI_DONE ? code
                                : wrn_call_number_option(cli, args, "timeout", "timeout_s", params);
    if (code != WRN_CLI_DONE) {
        json_decref(params);
        return code;
    }
    code = wrn_call_network(cli, args, "wait", params, &result);
    if (code != WRN_CLI_DONE || wrn_call_prints_json(cli, result)) {
        return code;
    }
    if (json_object_get(result, "path") != NULL) {
        (void)fprintf(cli->out, "%s: %s\n", wrn_status_who(cli, result),
                      wrn_status_path(cli, result));
    } else {
        const char *ipv4 = wrn_call_text(cli, result, "ipv4");
        (void)fprintf(cli->out, "%s: %s%s%s\n", wrn_call_text(cli, result, "name"),
                      wrn_call_text(cli, result, "state"), ipv4 != NULL ? ", " : "",
                      ipv4 != NULL ? ipv4 : "");
    }
    json_decref(result);
    return code;
}

static int fill_goal(struct wrn_cli *cli, const struct wrn_args *args, json_t *params) {
    static const struct {
        const char *name, *param;
        bool needs_it;
    } goals[] = {{"ready", "network", false},   {"connected", "network", false},
                 {"address", "network", false}, {"name", "network", false},
                 {"members", "count", true},    {"peer", "peer", true},
                 {"direct", "peer", true}};
    const char *goal = args->operand_count > 0 ? args->operands[0] : "ready";
    const char *value = args->operand_count > 1 ? args->operands[1] : NULL;
    size_t i = 0;
    while (i < WRN_COUNT(goals) && strcmp(goal, goals[i].name) != 0) {
        i++;
    }
    if (i == WRN_COUNT(goals)) {
        return wrn_cli_fail(cli, WRN_CLI_USAGE,
                            "wait: what to wait for is ready, connected, address, name, members, "
                            "peer or direct, not %s",
                            wrn_cli_quote(cli, goal));
    }
    if (goals[i].needs_it && value == NULL) {
        return wrn_cli_fail(cli, WRN_CLI_USAGE, "wait %s: %s is missing; see: warren wait --help",
                            goal, strcmp(goal, "members") == 0 ? "how many" : "whom to wait for");
    }
    wrn_cli_json_set(cli, params, "for", wrn_cli_json_text(cli, goal));
    if (value == NULL) {
        return WRN_CLI_DONE;
    }
    return strcmp(goals[i].param, "count") == 0
               ? wrn_call_number(cli, "wait members", value, goals[i].param, params)
               : (wrn_cli_json_set(cli, params, goals[i].param, wrn_cli_json_text(cli, value)),
                  WRN_CLI_DONE);
}

static json_t *about(struct wrn_cli *cli, const char *name, const char *value) {
    json_t *params = wrn_cli_json_object(cli);
    wrn_cli_json_set(cli, params, name, wrn_cli_json_text(cli, value));
    return params;
}
