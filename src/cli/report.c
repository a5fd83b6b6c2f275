/* SPDX-License-Identifier: Apache-2.0 */
/* Reports of the daemon about this host, and how much it logs. */
#include "cli/paint.h"
#include "cli/remote.h"

enum { INDENT = 2, DEPTH_MAX = 8 };

/* What is being printed of an object or of a list of objects. */
struct frame {
    json_t *object;
    void *member; /* the next one of an object */
    size_t index; /* the next one of a list */
    int indent;
};

static int run_netcheck(struct wrn_cli *cli, const struct wrn_args *args);
static int run_doctor(struct wrn_cli *cli, const struct wrn_args *args);
static int run_log(struct wrn_cli *cli, const struct wrn_args *args);
static enum wrn_paint paint_of(const char *state);
static void print_tree(struct wrn_cli *cli, json_t *report);
static bool print_member(struct wrn_cli *cli, const char *name, json_t *value, int indent,
                         struct frame *ret_inner);
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
        print_tree(cli, report);
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
            state = wrn_cli_text(cli, "%-8s", state != NULL ? state : "-");
            (void)fprintf(cli->out, "%s %s%s%s\n", wrn_paint(cli, paint_of(state), state),
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

static enum wrn_paint paint_of(const char *state) {
    return strncmp(state, "ok", 2) == 0      ? WRN_PAINT_GOOD
           : strncmp(state, "fault", 5) == 0 ? WRN_PAINT_BAD
                                             : WRN_PAINT_DOUBTFUL;
}

/* Objects and lists of objects within one another, each further in. */
static void print_tree(struct wrn_cli *cli, json_t *report) {
    struct frame frames[DEPTH_MAX] = {{.object = report, .member = json_object_iter(report)}};
    size_t depth = 1;
    while (depth > 0) {
        struct frame *frame = &frames[depth - 1];
        struct frame inner = {0};
        bool goes_in = false;
        if (json_is_array(frame->object)) {
            json_t *item = json_array_get(frame->object, frame->index);
            goes_in = item != NULL;
            inner = (struct frame){item, json_object_iter(item), 0, frame->indent};
            (void)fputs(goes_in && frame->index > 0 ? "\n" : "", cli->out);
            frame->index++;
        } else if (frame->member != NULL) {
            const char *name = json_object_iter_key(frame->member);
            json_t *value = json_object_iter_value(frame->member);
            frame->member = json_object_iter_next(frame->object, frame->member);
            if (!print_member(cli, name, value, frame->indent, &inner)) {
                continue;
            }
            goes_in = true;
        }
        if (!goes_in) {
            depth--;
        } else if (depth < DEPTH_MAX) {
            frames[depth++] = inner;
        }
    }
}

/* True if there is something further in. */
static bool print_member(struct wrn_cli *cli, const char *name, json_t *value, int indent,
                         struct frame *ret_inner) {
    bool is_list = json_is_array(value);
    bool goes_in = json_is_object(is_list ? json_array_get(value, 0) : value);
    bool is_empty = json_is_object(value) && json_object_size(value) == 0;
    (void)fprintf(cli->out, "%*s%s:%s", indent, "", spaced(cli, name), is_empty ? " none" : "");
    for (size_t i = 0; i < json_array_size(value) && !goes_in; i++) {
        (void)fprintf(cli->out, "%s%s", i > 0 ? ", " : " ",
                      value_text(cli, json_array_get(value, i)));
    }
    if (!goes_in && (!is_list || json_array_size(value) == 0)) {
        (void)fprintf(cli->out, " %s", is_list ? "none" : value_text(cli, value));
    }
    (void)fputc('\n', cli->out);
    *ret_inner = (struct frame){value, json_object_iter(value), 0, indent + INDENT};
    return goes_in;
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
    return json_is_true(value) ? "yes" : json_is_false(value) ? "no" : "not known";
}

/* "mapped_ports" as people write it. */
static const char *spaced(struct wrn_cli *cli, const char *name) {
    char *text = wrn_cli_take(cli, strlen(name) + 1, 1);
    for (size_t i = 0; name[i] != '\0'; i++) {
        text[i] = (char)(name[i] == '_' ? ' ' : name[i]);
    }
    return text;
}
