/* SPDX-License-Identifier: Apache-2.0 */
/* Records of a network's table, and routes. */
#include "cli/paint.h"
#include "cli/remote.h"

static int run_get(struct wrn_cli *cli, const struct wrn_args *args);
static int run_list(struct wrn_cli *cli, const struct wrn_args *args);
static int run_put(struct wrn_cli *cli, const struct wrn_args *args);
static int run_create(struct wrn_cli *cli, const struct wrn_args *args);
static int run_delete(struct wrn_cli *cli, const struct wrn_args *args);
static int run_route_list(struct wrn_cli *cli, const struct wrn_args *args);
static int run_route_add(struct wrn_cli *cli, const struct wrn_args *args);
static int run_route_remove(struct wrn_cli *cli, const struct wrn_args *args);
static int run_route_accept(struct wrn_cli *cli, const struct wrn_args *args);
static int run_route_ignore(struct wrn_cli *cli, const struct wrn_args *args);
static int set_acceptance(struct wrn_cli *cli, const struct wrn_args *args, bool accepts);
static int store(struct wrn_cli *cli, const struct wrn_args *args, const char *method);
static int change_route(struct wrn_cli *cli, const struct wrn_args *args, const char *method,
                        const char *done);

static const struct wrn_option options[] = {WRN_CALL_NETWORK, WRN_CALL_SOCKET};
static const struct wrn_option store_options[] = {
    {"ttl", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "SECONDS",
     "how long it lives, to 604800 which is a week (7200)"},
    {"keep", WRN_OPTION_FLAG, WRN_OPTION_ONCE, NULL, "renew it until it is deleted"},
    WRN_CALL_NETWORK,
    WRN_CALL_SOCKET,
};

const struct wrn_command wrn_dht_get = {
    .name = "dht get",
    .summary = "show the records under a key",
    .operand = "KEY",
    .operands_min = 1,
    .operands_max = 1,
    .options = options,
    .option_count = WRN_COUNT(options),
    .details = "Every member may read. Families of keys: addr/IP, name/LABEL, node/HIT,\n"
               "svc/NAME, crl/HASH, use/KEY/K. The exit code is 1 if there is no record.\n",
    .example = "  warren dht put svc/_demo hello && warren dht get svc/_demo\n",
    .run = run_get,
};

const struct wrn_command wrn_dht_list = {
    .name = "dht list",
    .summary = "list what this machine keeps in the table",
    .options = options,
    .option_count = WRN_COUNT(options),
    .details = "What was stored with --keep and not deleted, one a line: key, value, how long\n"
               "it lives without this machine. What the machine needs itself (its address, its\n"
               "name) is not listed, nor what it holds for others.\n",
    .example = "  warren dht list\n",
    .run = run_list,
};

const struct wrn_command wrn_dht_put = {
    .name = "dht put",
    .summary = "store a value under a key, beside those of others",
    .operand = "KEY VALUE",
    .operands_min = 2,
    .operands_max = 2,
    .options = store_options,
    .option_count = WRN_COUNT(store_options),
    .details = "For keys svc/NAME, of some 480 bytes at most. It is signed by this machine. With\n"
               "--keep this machine renews it in time, also after a restart, until\n"
               "warren dht delete; it may keep 32 records. Without, it ends by itself.\n",
    .example = "  warren dht put --keep svc/_http.www 80\n",
    .run = run_put,
};

const struct wrn_command wrn_dht_create = {
    .name = "dht create",
    .summary = "store the one value under a key, if nobody has it",
    .operand = "KEY VALUE",
    .operands_min = 2,
    .operands_max = 2,
    .options = store_options,
    .option_count = WRN_COUNT(store_options),
    .details = "Of two that create the same key the older claim stays. Which keys a member may\n"
               "create its certificates say; the daemon does it by itself for address and name.\n",
    .example = "  warren dht create name/printer '4:host'\n",
    .run = run_create,
};

const struct wrn_command wrn_dht_delete = {
    .name = "dht delete",
    .summary = "delete what this machine has stored under a key",
    .operand = "KEY",
    .operands_min = 1,
    .operands_max = 1,
    .options = options,
    .option_count = WRN_COUNT(options),
    .details = "Others' records stay. What was kept (--keep) is renewed no more, even if the\n"
               "table cannot be reached now.\n",
    .example = "  warren dht delete svc/_http.www\n",
    .run = run_delete,
};

const struct wrn_command wrn_route_list = {
    .name = "route list",
    .summary = "list the routes that this machine and others offer",
    .options = options,
    .option_count = WRN_COUNT(options),
    .details = "One a line: the range, who offers it, and whether it is in use here.\n",
    .example = "  warren route list\n",
    .run = run_route_list,
};

const struct wrn_command wrn_route_add = {
    .name = "route add",
    .summary = "offer members a way to addresses behind this machine",
    .operand = "RANGE",
    .operands_min = 1,
    .operands_max = 1,
    .options = options,
    .option_count = WRN_COUNT(options),
    .details = "It takes the right to it (warren member promote --right route:RANGE), and that\n"
               "this machine forwards packets (sysctl net.ipv4.ip_forward), which Warren does\n"
               "not change. Members use it if they accept routes.\n",
    .example = "  warren route add 192.168.7.0/24\n",
    .run = run_route_add,
};

const struct wrn_command wrn_route_remove = {
    .name = "route remove",
    .summary = "offer a route no longer",
    .operand = "RANGE",
    .operands_min = 1,
    .operands_max = 1,
    .options = options,
    .option_count = WRN_COUNT(options),
    .details = "Members forget it at once.\n",
    .example = "  warren route remove 192.168.7.0/24\n",
    .run = run_route_remove,
};

const struct wrn_command wrn_route_accept = {
    .name = "route accept",
    .summary = "let what members offer become routes of this machine",
    .options = options,
    .option_count = WRN_COUNT(options),
    .details = "As far as their certificates permit. What this machine reaches already stays\n"
               "as it is.\n",
    .example = "  warren route accept\n",
    .run = run_route_accept,
};

const struct wrn_command wrn_route_ignore = {
    .name = "route ignore",
    .summary = "take no routes from members, which is so at first",
    .options = options,
    .option_count = WRN_COUNT(options),
    .details = "Routes that came of them are taken away.\n",
    .example = "  warren route ignore\n",
    .run = run_route_ignore,
};

static int run_get(struct wrn_cli *cli, const struct wrn_args *args) {
    json_t *params = wrn_cli_json_object(cli);
    json_t *result = NULL;
    wrn_cli_json_set(cli, params, "key", wrn_cli_json_text(cli, args->operands[0]));
    int code = wrn_call_network(cli, args, "dht.get", params, &result);
    if (code != WRN_CLI_DONE) {
        return code;
    }
    const json_t *records = json_object_get(result, "records");
    code = json_array_size(records) > 0 ? WRN_CLI_DONE : WRN_CLI_REFUSED;
    if (wrn_call_prints_json(cli, result)) {
        return code;
    }
    for (size_t i = 0; i < json_array_size(records); i++) {
        const json_t *record = json_array_get(records, i);
        const char *value = wrn_call_text(cli, record, "value");
        const char *hex = wrn_call_text(cli, record, "value_hex");
        (void)fprintf(cli->out, "%s %s%s\n", wrn_call_text(cli, record, "owner"),
                      value != NULL ? "" : "0x", value != NULL ? value : hex);
    }
    if (code != WRN_CLI_DONE) {
        code = wrn_cli_fail(cli, WRN_CLI_REFUSED, "there is no record under %s",
                            wrn_cli_quote(cli, args->operands[0]));
    }
    json_decref(result);
    return code;
}

static int run_list(struct wrn_cli *cli, const struct wrn_args *args) {
    json_t *result = NULL;
    int code = wrn_call_network(cli, args, "dht.list", wrn_cli_json_object(cli), &result);
    if (code != WRN_CLI_DONE || wrn_call_prints_json(cli, result)) {
        return code;
    }
    const json_t *list = json_object_get(result, "kept");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *kept = json_array_get(list, i);
        const char *value = wrn_call_text(cli, kept, "value");
        const char *why = wrn_call_text(cli, kept, "why");
        (void)fprintf(cli->out, "%s %s%s, for %" JSON_INTEGER_FORMAT " s%s%s\n",
                      wrn_call_text(cli, kept, "key"), value != NULL ? "" : "0x",
                      value != NULL ? value : wrn_call_text(cli, kept, "value_hex"),
                      json_integer_value(json_object_get(kept, "ttl_s")),
                      why != NULL ? "; not stored now: " : "", why != NULL ? why : "");
    }
    if (json_array_size(list) == 0) {
        (void)fputs("this machine keeps nothing: warren dht put --keep\n", cli->out);
    }
    json_decref(result);
    return code;
}

static int run_put(struct wrn_cli *cli, const struct wrn_args *args) {
    return store(cli, args, "dht.put");
}

static int run_create(struct wrn_cli *cli, const struct wrn_args *args) {
    return store(cli, args, "dht.create");
}

static int run_delete(struct wrn_cli *cli, const struct wrn_args *args) {
    json_t *params = wrn_cli_json_object(cli);
    json_t *result = NULL;
    wrn_cli_json_set(cli, params, "key", wrn_cli_json_text(cli, args->operands[0]));
    int code = wrn_call_network(cli, args, "dht.delete", params, &result);
    if (code == WRN_CLI_DONE && !wrn_call_prints_json(cli, result)) {
        (void)fputs("deleted\n", cli->out);
        json_decref(result);
    }
    return code;
}

static int store(struct wrn_cli *cli, const struct wrn_args *args, const char *method) {
    json_t *params = wrn_cli_json_object(cli);
    json_t *result = NULL;
    wrn_cli_json_set(cli, params, "key", wrn_cli_json_text(cli, args->operands[0]));
    wrn_cli_json_set(cli, params, "value", wrn_cli_json_text(cli, args->operands[1]));
    wrn_call_flag_option(cli, args, "keep", "keep", params);
    int code = wrn_call_number_option(cli, args, "ttl", "ttl_s", params);
    if (code != WRN_CLI_DONE) {
        json_decref(params);
        return code;
    }
    code = wrn_call_network(cli, args, method, params, &result);
    if (code != WRN_CLI_DONE || wrn_call_prints_json(cli, result)) {
        return code;
    }
    json_int_t copies = json_integer_value(json_object_get(result, "copies"));
    (void)fprintf(cli->out, "stored at %" JSON_INTEGER_FORMAT " node%s\n", copies,
                  copies == 1 ? "" : "s");
    json_decref(result);
    return code;
}

static int run_route_list(struct wrn_cli *cli, const struct wrn_args *args) {
    json_t *result = NULL;
    int code = wrn_call_network(cli, args, "route.list", wrn_cli_json_object(cli), &result);
    if (code == WRN_CLI_DONE && !wrn_call_prints_json(cli, result)) {
        const json_t *routes = json_object_get(result, "routes");
        struct wrn_columns columns;
        wrn_columns_init(&columns, cli, 2);
        for (size_t i = 0; i < json_array_size(routes); i++) {
            const json_t *route = json_array_get(routes, i);
            bool is_own = json_is_true(json_object_get(route, "self"));
            const char *who = is_own ? "this machine" : wrn_status_who(cli, route);
            const char *use = is_own                                         ? ""
                              : json_is_true(json_object_get(route, "used")) ? ", in use"
                                                                             : ", not used here";
            wrn_columns_add(&columns,
                            (struct wrn_cell[]){{.text = wrn_call_text(cli, route, "prefix")},
                                                {.text = wrn_cli_text(cli, "%s%s", who, use)}});
        }
        wrn_columns_print(&columns);
        if (json_array_size(routes) == 0) {
            (void)fputs("nobody offers a route\n", cli->out);
        }
        json_decref(result);
    }
    return code;
}

static int run_route_add(struct wrn_cli *cli, const struct wrn_args *args) {
    return change_route(cli, args, "route.add", "offered");
}

static int run_route_remove(struct wrn_cli *cli, const struct wrn_args *args) {
    return change_route(cli, args, "route.remove", "removed");
}

static int run_route_accept(struct wrn_cli *cli, const struct wrn_args *args) {
    return set_acceptance(cli, args, true);
}

static int run_route_ignore(struct wrn_cli *cli, const struct wrn_args *args) {
    return set_acceptance(cli, args, false);
}

static int set_acceptance(struct wrn_cli *cli, const struct wrn_args *args, bool accepts) {
    json_t *params = wrn_cli_json_object(cli);
    json_t *result = NULL;
    wrn_cli_json_set(cli, params, "accept", json_boolean(accepts));
    int code = wrn_call_network(cli, args, "route.accept", params, &result);
    if (code == WRN_CLI_DONE && !wrn_call_prints_json(cli, result)) {
        (void)fputs(accepts ? "routes of members are accepted\n"
                            : "routes of members are ignored\n",
                    cli->out);
        json_decref(result);
    }
    return code;
}

static int change_route(struct wrn_cli *cli, const struct wrn_args *args, const char *method,
                        const char *done) {
    json_t *params = wrn_cli_json_object(cli);
    json_t *result = NULL;
    wrn_cli_json_set(cli, params, "prefix", wrn_cli_json_text(cli, args->operands[0]));
    int code = wrn_call_network(cli, args, method, params, &result);
    if (code == WRN_CLI_DONE && !wrn_call_prints_json(cli, result)) {
        (void)fprintf(cli->out, "%s %s\n", done, wrn_call_text(cli, result, "prefix"));
        json_decref(result);
    }
    return code;
}
