/* SPDX-License-Identifier: Apache-2.0 */
/* Makes, lists and takes back invitations. */
#include <unistd.h>

#include "cli/files.h"
#include "cli/qr.h"
#include "cli/remote.h"
#include "io/memory.h"

enum { SECRET_MODE = 0600 };

static int run_invite(struct wrn_cli *cli, const struct wrn_args *args);
static int run_list(struct wrn_cli *cli, const struct wrn_args *args);
static int run_show(struct wrn_cli *cli, const struct wrn_args *args);
static int run_revoke(struct wrn_cli *cli, const struct wrn_args *args);
static int show(struct wrn_cli *cli, const struct wrn_args *args, json_t *invitation);
static int fill(struct wrn_cli *cli, const struct wrn_args *args, json_t *params);
static int check_files(struct wrn_cli *cli, const struct wrn_args *args);
static int write_files(struct wrn_cli *cli, const struct wrn_args *args, const json_t *invitation);
static void print(struct wrn_cli *cli, const struct wrn_args *args, const json_t *invitation);
static wrn_span span_of(const char *text);

/* The network is the operand. */
static const struct wrn_option invite_options[] = {
    {"uses", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "N", "how many machines may join by it (1)"},
    {"expires", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "TIME",
     "a duration such as 12h or 30d, or a date: the end of the invitation, and of memberships "
     "that nobody renews (24h)"},
    {"may-invite", WRN_OPTION_FLAG, WRN_OPTION_ONCE, NULL, "who joins may invite others"},
    {"no-relay", WRN_OPTION_FLAG, WRN_OPTION_ONCE, NULL, "who joins forwards for nobody"},
    {"address", WRN_OPTION_VALUE, WRN_OPTION_REPEATS, "WHERE",
     "lets who joins have only such addresses: 10.7.0.5, 10.7.0.0/24 or 10.7.0.5-10.7.0.9"},
    {"allow", WRN_OPTION_VALUE, WRN_OPTION_REPEATS, "RULE",
     "lets who joins send only this: PROTOCOL[/PORT][@WHERE], such as tcp/22 or "
     "any/any@10.7.0.1"},
    {"file", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "FILE", "write it to a file for its owner alone"},
    {"qr", WRN_OPTION_OPTIONAL, WRN_OPTION_ONCE, "FILE.svg",
     "show it as a QR code, in the terminal or as a picture"},
    {"force", WRN_OPTION_FLAG, WRN_OPTION_ONCE, NULL, "replace a file that is there"},
    WRN_CALL_SOCKET,
};

const struct wrn_command wrn_invite = {
    .name = "invite",
    .summary = "make an invitation to a network: a line, a file, a QR code",
    .operand = "NETWORK",
    .operands_max = 1,
    .options = invite_options,
    .option_count = WRN_COUNT(invite_options),
    .details = "Prints one line for warren join on the other machine. It is a secret until it\n"
               "is spent: whoever has it can join. No server takes part; this machine need not\n"
               "be there when it is used. To take it back: warren invitation revoke. NETWORK may\n"
               "be left out if there is only one.\n",
    .example = "  warren invite home\n"
               "  warren invite home --uses 3 --expires 7d --file home.invitation\n",
    .run = run_invite,
};

static const struct wrn_option options[] = {WRN_CALL_NETWORK, WRN_CALL_SOCKET};

const struct wrn_command wrn_invitation_list = {
    .name = "invitation list",
    .summary = "list the invitations that this machine has made",
    .options = options,
    .option_count = WRN_COUNT(options),
    .details = "One a line: the first digits of its id, how often it was used, of how many\n"
               "times, its end, and what has become of it. Uses are counted by what newcomers\n"
               "left in the network's table, whoever let them in; new ones show in 2 minutes.\n",
    .example = "  warren invitation list\n",
    .run = run_list,
};

static const struct wrn_option show_options[] = {
    {"file", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "FILE", "write it to a file for its owner alone"},
    {"qr", WRN_OPTION_OPTIONAL, WRN_OPTION_ONCE, "FILE.svg",
     "show it as a QR code, in the terminal or as a picture"},
    {"force", WRN_OPTION_FLAG, WRN_OPTION_ONCE, NULL, "replace a file that is there"},
    WRN_CALL_NETWORK,
    WRN_CALL_SOCKET,
};

const struct wrn_command wrn_invitation_show = {
    .name = "invitation show",
    .summary = "show an invitation again",
    .operand = "ID",
    .operands_min = 1,
    .operands_max = 1,
    .options = show_options,
    .option_count = WRN_COUNT(show_options),
    .details = "ID is its first 4 or more digits. It is as secret as it was, with the addresses\n"
               "where nodes answer now.\n",
    .example = "  warren invitation show \"$(warren invitation list | cut -c1-16 | tail -n1)\"\n",
    .run = run_show,
};

const struct wrn_command wrn_invitation_revoke = {
    .name = "invitation revoke",
    .summary = "take an invitation back, and all memberships that came of it",
    .operand = "ID",
    .operands_min = 1,
    .operands_max = 1,
    .options = options,
    .option_count = WRN_COUNT(options),
    .details = "ID is its first 4 or more digits. Who joined by it is cut off within seconds.\n",
    .example = "  warren invitation revoke \"$(warren invitation list | cut -c1-16 | tail -n1)\"\n",
    .run = run_revoke,
};

static int run_invite(struct wrn_cli *cli, const struct wrn_args *args) {
    json_t *params = wrn_cli_json_object(cli);
    json_t *invitation = NULL;
    wrn_memory_forbid_core_dumps();
    int code = check_files(cli, args);
    code = code != WRN_CLI_DONE ? code : fill(cli, args, params);
    if (code != WRN_CLI_DONE) {
        json_decref(params);
        return code;
    }
    code = wrn_call(cli, args, "invite", params, &invitation);
    return code != WRN_CLI_DONE ? code : show(cli, args, invitation);
}

static int run_list(struct wrn_cli *cli, const struct wrn_args *args) {
    json_t *result = NULL;
    int code = wrn_call_network(cli, args, "invitation.list", wrn_cli_json_object(cli), &result);
    if (code != WRN_CLI_DONE || wrn_call_prints_json(cli, result)) {
        return code;
    }
    const json_t *invitations = json_object_get(result, "invitations");
    for (size_t i = 0; i < json_array_size(invitations); i++) {
        const json_t *one = json_array_get(invitations, i);
        const json_t *uses = json_object_get(one, "uses");
        const char *used =
            json_integer_value(uses) == 0
                ? "not counted"
                : wrn_cli_text(cli, "used %" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT,
                               json_integer_value(json_object_get(one, "used")),
                               json_integer_value(uses));
        (void)fprintf(cli->out, "%.16s  %-16s until %s%s\n", wrn_call_text(cli, one, "id"), used,
                      wrn_call_time(cli, json_object_get(one, "until_s")),
                      json_is_true(json_object_get(one, "revoked"))   ? "  taken back"
                      : json_is_true(json_object_get(one, "expired")) ? "  over"
                                                                      : "");
    }
    if (json_array_size(invitations) == 0) {
        (void)fputs("this machine has made no invitations; make one: warren invite\n", cli->out);
    }
    json_decref(result);
    return code;
}

static int run_show(struct wrn_cli *cli, const struct wrn_args *args) {
    json_t *invitation = NULL;
    wrn_memory_forbid_core_dumps();
    int code = check_files(cli, args);
    if (code != WRN_CLI_DONE) {
        return code;
    }
    json_t *params = wrn_cli_json_object(cli);
    wrn_cli_json_set(cli, params, "id", wrn_cli_json_text(cli, args->operands[0]));
    code = wrn_call_network(cli, args, "invitation.show", params, &invitation);
    return code != WRN_CLI_DONE ? code : show(cli, args, invitation);
}

static int run_revoke(struct wrn_cli *cli, const struct wrn_args *args) {
    json_t *params = wrn_cli_json_object(cli);
    json_t *result = NULL;
    wrn_cli_json_set(cli, params, "id", wrn_cli_json_text(cli, args->operands[0]));
    int code = wrn_call_network(cli, args, "invitation.revoke", params, &result);
    if (code != WRN_CLI_DONE || wrn_call_prints_json(cli, result)) {
        return code;
    }
    (void)fputs("the invitation is taken back\n", cli->out);
    json_decref(result);
    return code;
}

/* Gives 'invitation' up. */
static int show(struct wrn_cli *cli, const struct wrn_args *args, json_t *invitation) {
    int code = write_files(cli, args, invitation);
    if (code == WRN_CLI_DONE && wrn_call_prints_json(cli, invitation)) {
        return code;
    }
    if (code == WRN_CLI_DONE) {
        print(cli, args, invitation);
    }
    json_decref(invitation);
    return code;
}

static int fill(struct wrn_cli *cli, const struct wrn_args *args, json_t *params) {
    if (args->operand_count > 0) {
        wrn_cli_json_set(cli, params, "network", wrn_cli_json_text(cli, args->operands[0]));
    }
    wrn_call_flag_option(cli, args, "may-invite", "may_invite", params);
    wrn_call_flag_option(cli, args, "no-relay", "no_relay", params);
    wrn_call_list_option(cli, args, "address", "addresses", params);
    wrn_call_list_option(cli, args, "allow", "allow", params);
    int code = wrn_call_number_option(cli, args, "uses", "uses", params);
    return code != WRN_CLI_DONE ? code
                                : wrn_call_time_option(cli, args, "expires", "until_s", params);
}

/* What would fail afterwards should fail before a secret was made. */
static int check_files(struct wrn_cli *cli, const struct wrn_args *args) {
    const char *const paths[] = {wrn_args_value(args, "file"), wrn_args_value(args, "qr")};
    const char *picture = paths[1];
    size_t length = picture != NULL ? strlen(picture) : 0;
    if (length > 0 && (length < 5 || strcmp(picture + length - 4, ".svg") != 0)) {
        return wrn_cli_fail(cli, WRN_CLI_USAGE, "--qr: the picture is an SVG: name it %s.svg",
                            wrn_files_name(cli, picture));
    }
    for (size_t i = 0; i < WRN_COUNT(paths); i++) {
        if (paths[i] != NULL && *paths[i] != '\0' && !wrn_args_has(args, "force") &&
            access(paths[i], F_OK) == 0) {
            return wrn_cli_fail(cli, WRN_CLI_REFUSED,
                                "%s is there already; to replace it add --force",
                                wrn_files_name(cli, paths[i]));
        }
    }
    return WRN_CLI_DONE;
}

static int write_files(struct wrn_cli *cli, const struct wrn_args *args, const json_t *invitation) {
    const char *path = wrn_args_value(args, "file");
    const char *picture = wrn_args_value(args, "qr");
    enum wrn_files_replace replace =
        wrn_args_has(args, "force") ? WRN_FILES_REPLACE : WRN_FILES_KEEP;
    const char *text = json_string_value(json_object_get(invitation, "file"));
    const char *code_text = wrn_call_text(cli, invitation, "qr");
    int code = WRN_CLI_DONE;
    if (text == NULL || code_text == NULL) {
        return wrn_cli_fail(
            cli, WRN_CLI_NO_DAEMON,
            "the daemon's answer holds no invitation; is it another version? warren "
            "status");
    }
    if (path != NULL) {
        code = wrn_files_write(cli, path, span_of(text), SECRET_MODE, replace);
    }
    if (code == WRN_CLI_DONE && picture != NULL && *picture != '\0') {
        code = wrn_files_write(cli, picture, wrn_qr_svg(cli, code_text), SECRET_MODE, replace);
    }
    return code;
}

/* The line alone goes to standard output, so that it can be copied and piped. */
static void print(struct wrn_cli *cli, const struct wrn_args *args, const json_t *invitation) {
    const char *path = wrn_args_value(args, "file");
    const char *picture = wrn_args_value(args, "qr");
    json_int_t uses = json_integer_value(json_object_get(invitation, "uses"));
    if (picture != NULL && *picture == '\0') {
        wrn_qr_print(cli, wrn_call_text(cli, invitation, "qr"), isatty(fileno(cli->out)) == 1);
    } else if (path == NULL && picture == NULL) {
        (void)fprintf(cli->out, "%s\n", wrn_call_text(cli, invitation, "line"));
    }
    (void)fflush(cli->out);
    (void)fprintf(cli->err,
                  "Good for %" JSON_INTEGER_FORMAT " machine%s until %s; whoever has it can join "
                  "%s.\nOn the other machine: sudo warren up && sudo warren join %s\n",
                  uses, uses == 1 ? "" : "s",
                  wrn_call_time(cli, json_object_get(invitation, "until_s")),
                  wrn_call_text(cli, invitation, "network"),
                  path != NULL ? wrn_files_name(cli, path) : "-     (and paste the line)");
}

static wrn_span span_of(const char *text) {
    return (wrn_span){(const uint8_t *)text, strlen(text)};
}
