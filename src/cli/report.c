/* SPDX-License-Identifier: Apache-2.0 */
/* Reports of the daemon about this host, and how much it logs. */
#include "cli/remote.h"

enum { INDENT = 2, DEPTH_MAX = 4 };

static int run_netcheck(struct wrn_cli *cli, const struct wrn_args *args);
static int run_doctor(struct wrn_cli *cli, const struct wrn_args *args);
static int run_log(struct wrn_cli *cli, const struct wrn_args *args);
static void print_tree(struct wrn_cli *cli, const json_t *object, int depth);
static void print_list(struct wrn_cli *cli, const char *name, const json_t *list, int depth);
static const char *value_text(struct wrn_cli *cli, const json_t *value);
static const char *spaced(struct wrn_cli *cli, const char *name);

static const struct wrn_option options[] = {WRN_CALL_SOCKET};

const struct wrn_command wrn_netcheck = {
    .name = "netcheck",
    .summary = "show how this machine reaches others: UDP, NAT, mapped ports, MTU",
    .options = options,
    .option_count = WRN_COUNT(options),
    .details = "What peers say of this machine's addresses stands in it only if it is in a\n"
               "network with others.\n",
    .example = "  warren netcheck\n",
    .run = run_netcheck,
};

const struct wrn_command wrn_doctor = {
    .name = "doctor",
    .summary = "look for what is wrong on this machine, and say how to mend it",
    .options = options,
    .option_count = WRN_COUNT(options),
    .details = "Clock, permissions, firewall, ports, offloads, resolver and more. The exit code\n"
               "is 1 if something keeps the networks from working.\n",
    .example = "  warren doctor\n",
    .run = run_doctor,
};

const struct wrn_command wrn_log_level = {
    .name = "log",
    .summary = "show or set how much the daemon logs",
    .operand = "LEVEL",
    .operands_max = 1,
    .options = options,
    .option_count = WRN_COUNT(options),
    .details = "LEVEL is silent, error, info or verbose, until the daemon starts anew.\n",
    .example = "  sudo warren log verbose\n",
    .run = run_log,
};

static int run_netcheck(struct wrn_cli *cli, const struct wrn_args *args) {
    json_t *report = NULL;
    int code = wrn_call(cli, args, "netcheck", wrn_cli_json_object(cli), &report);
    if (code == WRN_CLI_DONE && !wrn_call_prints_json(cli, report)) {
        print_tree(cli, report, 0);
        json_decref(report);
    }
    return code;
}

static int run_doctor(struct wrn_cli *cli, const struct wrn_args *args) {
    json_t *report = NULL;
    size_t faults = 0;
    int code = wrn_call(cli, args, "doctor", wrn_cli_json_object(cli), &report);
    if (code != WRN_CLI_DONE) {
        return code;
    }
    const json_t *findings = json_object_get(report, "findings");
    for (size_t i = 0; i < json_array_size(findings); i++) {
        const json_t *finding = json_array_get(findings, i);
        const char *state = wrn_call_text(cli, finding, "state");
        const char *what = wrn_call_text(cli, finding, "what");
        const char *text = wrn_call_text(cli, finding, "text");
        const char *fix = wrn_call_text(cli, finding, "fix");
        faults += state != NULL && strcmp(state, "fault") == 0 ? 1 : 0;
        if (!cli->json) {
            (void)fprintf(cli->out, "%-8s %s%s%s\n", state != NULL ? state : "-",
                          what != NULL ? what : "-", text != NULL ? ": " : "",
                          text != NULL ? text : "");
            if (fix != NULL && *fix != '\0') {
                (void)fprintf(cli->out, "         -> %s\n", fix);
            }
        }
    }
    if (!wrn_call_prints_json(cli, report)) {
        json_decref(report);
    }
    return faults > 0 ? WRN_CLI_REFUSED : WRN_CLI_DONE;
}

static int run_log(struct wrn_cli *cli, const struct wrn_args *args) {
    json_t *params = wrn_cli_json_object(cli);
    json_t *result = NULL;
    if (args->operand_count > 0) {
        wrn_cli_json_set(cli, params, "level", wrn_cli_json_text(cli, args->operands[0]));
    }
    int code = wrn_call(cli, args, "log", params, &result);
    if (code == WRN_CLI_DONE && !wrn_call_prints_json(cli, result)) {
        (void)fprintf(cli->out, "%s\n", wrn_call_text(cli, result, "level"));
        json_decref(result);
    }
    return code;
}

static void print_tree(struct wrn_cli *cli, const json_t *object, int depth) {
    const char *name = NULL;
    json_t *value = NULL;
    json_object_foreach((json_t *)(uintptr_t)object, name, value) {
        if (json_is_object(value) && depth < DEPTH_MAX) {
            (void)fprintf(cli->out, "%*s%s:\n", depth * INDENT, "", spaced(cli, name));
            print_tree(cli, value, depth + 1);
        } else if (json_is_array(value)) {
            print_list(cli, name, value, depth);
        } else {
            (void)fprintf(cli->out, "%*s%s: %s\n", depth * INDENT, "", spaced(cli, name),
                          value_text(cli, value));
        }
    }
}

static void print_list(struct wrn_cli *cli, const char *name, const json_t *list, int depth) {
    bool is_plain = !json_is_object(json_array_get(list, 0));
    (void)fprintf(cli->out, "%*s%s:", depth * INDENT, "", spaced(cli, name));
    for (size_t i = 0; i < json_array_size(list) && is_plain; i++) {
        (void)fprintf(cli->out, "%s%s", i > 0 ? ", " : " ",
                      value_text(cli, json_array_get(list, i)));
    }
    (void)fprintf(cli->out, "%s\n", json_array_size(list) == 0 ? " none" : "");
    for (size_t i = 0; i < json_array_size(list) && !is_plain && depth < DEPTH_MAX; i++) {
        print_tree(cli, json_array_get(list, i), depth + 1);
        if (i + 1 < json_array_size(list)) {
            (void)fputc('\n', cli->out);
        }
    }
}

static const char *value_text(struct wrn_cli *cli, const json_t *value) {
    if (json_is_string(value)) {
        return wrn_cli_text(cli, "%s", json_string_value(value));
    }
    if (json_is_integer(value)) {
        return wrn_cli_text(cli, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    }
    if (json_is_real(value)) {
        return wrn_cli_text(cli, "%.1f", json_real_value(value));
    }
    return json_is_true(value) ? "yes" : json_is_false(value) ? "no" : "-";
}

/* "mapped_ports" as people write it. */
static const char *spaced(struct wrn_cli *cli, const char *name) {
    char *text = wrn_cli_take(cli, strlen(name) + 1, 1);
    for (size_t i = 0; name[i] != '\0'; i++) {
        text[i] = (char)(name[i] == '_' ? ' ' : name[i]);
    }
    return text;
}
