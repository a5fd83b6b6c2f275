/* SPDX-License-Identifier: Apache-2.0 */
/* Who is in a network, and what they may do. */
#include "cli/paint.h"
#include "cli/remote.h"

static int run_list(struct wrn_cli *cli, const struct wrn_args *args);
static int run_promote(struct wrn_cli *cli, const struct wrn_args *args);
static int run_demote(struct wrn_cli *cli, const struct wrn_args *args);
static int run_revoke(struct wrn_cli *cli, const struct wrn_args *args);
static int add_role(struct wrn_cli *cli, const struct wrn_args *args, json_t *params);
static json_t *about(struct wrn_cli *cli, const struct wrn_args *args);
static int take_back(struct wrn_cli *cli, const struct wrn_args *args, const char *method,
                     const char *done);

static const struct wrn_option list_options[] = {
    {"timeout", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "SECONDS", "how long to ask around (30)"},
    WRN_CALL_NETWORK,
    WRN_CALL_SOCKET,
};

const struct wrn_command wrn_member_list = {
    .name = "member list",
    .summary = "list the members that are there now, with what they may do",
    .operand = "NETWORK",
    .operands_max = 1,
    .options = list_options,
    .option_count = WRN_COUNT(list_options),
    .details = "No server keeps a list: the ring is walked and everyone on it asked. Who is\n"
               "offline is not in it.\n",
    .example = "  warren member list home\n",
    .run = run_list,
};

static const struct wrn_option promote_options[] = {
    {"role", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "ROLE",
     "inviter: may invite others; admin: may do everything but be the owner; relay"},
    {"right", WRN_OPTION_VALUE, WRN_OPTION_REPEATS, "RIGHT",
     "one right: invite, admin, relay, gateway, all, address:WHERE, route:WHERE, name:LABEL, "
     "allow:RULE"},
    {"delegate", WRN_OPTION_FLAG, WRN_OPTION_ONCE, NULL,
     "who gets the rights may pass them on; an inviter and an admin always may"},
    {"expires", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "TIME",
     "a duration such as 30d, or a date (never)"},
    WRN_CALL_NETWORK,
    WRN_CALL_SOCKET,
};

const struct wrn_command wrn_member_promote = {
    .name = "member promote",
    .summary = "give a member more rights",
    .operand = "[NETWORK] MEMBER",
    .operands_min = 1,
    .operands_max = 2,
    .options = promote_options,
    .option_count = WRN_COUNT(promote_options),
    .details = "MEMBER is a name, an address, a HIT, a fingerprint or a public key. Roles are\n"
               "nothing but rights; a certificate is issued, and the member gets it now or when\n"
               "it comes back.\n",
    .example = "  warren member promote home bob --role inviter\n",
    .run = run_promote,
};

static const struct wrn_option options[] = {WRN_CALL_NETWORK, WRN_CALL_SOCKET};

const struct wrn_command wrn_member_demote = {
    .name = "member demote",
    .summary = "take back what a member may do besides being one",
    .operand = "[NETWORK] MEMBER",
    .operands_min = 1,
    .operands_max = 2,
    .options = options,
    .option_count = WRN_COUNT(options),
    .details = "Certificates that give more than membership are revoked.\n",
    .example = "  warren member demote home bob\n",
    .run = run_demote,
};

const struct wrn_command wrn_member_revoke = {
    .name = "member revoke",
    .summary = "throw a member out",
    .operand = "[NETWORK] MEMBER",
    .operands_min = 1,
    .operands_max = 2,
    .options = options,
    .option_count = WRN_COUNT(options),
    .details = "All its certificates are revoked. Who can be reached hears of it within seconds\n"
               "and cuts it off; who sleeps, before it believes anybody again.\n",
    .example = "  warren member revoke home bob\n",
    .run = run_revoke,
};

static int run_list(struct wrn_cli *cli, const struct wrn_args *args) {
    json_t *params = wrn_cli_json_object(cli);
    json_t *result = NULL;
    if (args->operand_count > 0) {
        wrn_cli_json_set(cli, params, "network", wrn_cli_json_text(cli, args->operands[0]));
    }
    int code = wrn_call_number_option(cli, args, "timeout", "timeout_s", params);
    if (code != WRN_CLI_DONE) {
        json_decref(params);
        return code;
    }
    code = wrn_call_network(cli, args, "member.list", params, &result);
    if (code != WRN_CLI_DONE || wrn_call_prints_json(cli, result)) {
        return code;
    }
    const json_t *members = json_object_get(result, "members");
    struct wrn_columns columns;
    wrn_columns_init(&columns, cli, 4);
    for (size_t i = 0; i < json_array_size(members); i++) {
        const json_t *member = json_array_get(members, i);
        const json_t *until = json_object_get(member, "until_s");
        const char *ipv4 = wrn_call_text(cli, member, "ipv4");
        const char *rights = wrn_cli_text(
            cli, "%s%s%s%s", wrn_call_join(cli, json_object_get(member, "rights"), ","),
            json_is_integer(until) ? " until " : "",
            json_is_integer(until) ? wrn_call_time(cli, until) : "",
            json_is_true(json_object_get(member, "self")) ? " (this machine)"
            : ipv4 != NULL && json_is_false(json_object_get(member, "proven"))
                ? " (address by its own word)"
                : "");
        wrn_columns_add(&columns, (struct wrn_cell[]){{.text = wrn_status_who(cli, member)},
                                                      {.text = ipv4},
                                                      {.text = wrn_call_text(cli, member, "hit")},
                                                      {.text = rights}});
    }
    wrn_columns_print(&columns);
    if (!json_is_true(json_object_get(result, "complete"))) {
        wrn_cli_warn(cli, "not everybody answered (%s): ask again",
                     wrn_call_text(cli, result, "why"));
    }
    json_decref(result);
    return code;
}

static int run_promote(struct wrn_cli *cli, const struct wrn_args *args) {
    json_t *params = about(cli, args);
    json_t *result = NULL;
    wrn_call_flag_option(cli, args, "delegate", "may_delegate", params);
    int code = add_role(cli, args, params);
    code =
        code != WRN_CLI_DONE ? code : wrn_call_time_option(cli, args, "expires", "until_s", params);
    if (code != WRN_CLI_DONE) {
        json_decref(params);
        return code;
    }
    code = wrn_call_network(cli, args, "member.promote", params, &result);
    if (code != WRN_CLI_DONE || wrn_call_prints_json(cli, result)) {
        return code;
    }
    (void)fprintf(cli->out, "%s has got %s\n", wrn_status_who(cli, result),
                  wrn_args_has(args, "role") ? wrn_args_value(args, "role") : "these rights");
    json_decref(result);
    return code;
}

static int run_demote(struct wrn_cli *cli, const struct wrn_args *args) {
    return take_back(cli, args, "member.demote", "is a plain member now");
}

static int run_revoke(struct wrn_cli *cli, const struct wrn_args *args) {
    return take_back(cli, args, "member.revoke", "is no member any more");
}

/* What a role is in rights. Whoever lets others in has to be able to pass membership on. */
static int add_role(struct wrn_cli *cli, const struct wrn_args *args, json_t *params) {
    static const struct {
        const char *name;
        const char *rights[2];
        bool delegates;
    } roles[] = {{"inviter", {"member", "invite"}, true},
                 {"admin", {"all", NULL}, true},
                 {"relay", {"relay", NULL}, false}};
    const char *role = wrn_args_value(args, "role");
    json_t *list = wrn_cli_json_list(cli);
    const char *const *values = NULL;
    size_t count = wrn_args_values(args, "right", &values);
    bool is_known = role == NULL;
    for (size_t i = 0; i < WRN_COUNT(roles) && !is_known; i++) {
        is_known = strcmp(role, roles[i].name) == 0;
        for (size_t k = 0; is_known && k < 2 && roles[i].rights[k] != NULL; k++) {
            wrn_cli_json_append(cli, list, wrn_cli_json_text(cli, roles[i].rights[k]));
        }
        if (is_known && roles[i].delegates) {
            wrn_cli_json_set(cli, params, "may_delegate", json_true());
        }
    }
    for (size_t i = 0; i < count; i++) {
        wrn_cli_json_append(cli, list, wrn_cli_json_text(cli, values[i]));
    }
    bool is_empty = json_array_size(list) == 0;
    wrn_cli_json_set(cli, params, "rights", list);
    if (!is_known) {
        return wrn_cli_fail(cli, WRN_CLI_USAGE,
                            "member promote: --role is inviter, admin or relay, not %s",
                            wrn_cli_quote(cli, role));
    }
    return is_empty ? wrn_cli_fail(cli, WRN_CLI_USAGE,
                                   "member promote: say what the member gets: --role ROLE or "
                                   "--right RIGHT")
                    : WRN_CLI_DONE;
}

/* [NETWORK] MEMBER */
static json_t *about(struct wrn_cli *cli, const struct wrn_args *args) {
    json_t *params = wrn_cli_json_object(cli);
    size_t last = args->operand_count - 1;
    if (last > 0) {
        wrn_cli_json_set(cli, params, "network", wrn_cli_json_text(cli, args->operands[0]));
    }
    wrn_cli_json_set(cli, params, "member", wrn_cli_json_text(cli, args->operands[last]));
    return params;
}

static int take_back(struct wrn_cli *cli, const struct wrn_args *args, const char *method,
                     const char *done) {
    json_t *result = NULL;
    int code = wrn_call_network(cli, args, method, about(cli, args), &result);
    if (code != WRN_CLI_DONE || wrn_call_prints_json(cli, result)) {
        return code;
    }
    json_int_t count = json_integer_value(json_object_get(result, "revoked"));
    (void)fprintf(cli->out, "%s %s: %" JSON_INTEGER_FORMAT " certificate%s revoked\n",
                  wrn_status_who(cli, result), done, count, count == 1 ? "" : "s");
    json_int_t open = json_integer_value(json_object_get(result, "open_invitations"));
    if (open > 0 && strcmp(method, "member.revoke") == 0) {
        (void)fprintf(cli->out,
                      "%" JSON_INTEGER_FORMAT " invitation%s for several machines can still be "
                      "used, also by who was thrown out:\nwarren invitation list, and warren "
                      "invitation revoke ID takes one back, with all members by it\n",
                      open, open == 1 ? "" : "s");
    }
    json_decref(result);
    return code;
}
