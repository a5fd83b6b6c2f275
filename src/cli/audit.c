/* SPDX-License-Identifier: Apache-2.0 */
/* Shows who was let in, given rights or thrown out, as the daemon has written it down. */
#include "cli/paint.h"
#include "cli/remote.h"

static int run_audit(struct wrn_cli *cli, const struct wrn_args *args);
static const char *who(struct wrn_cli *cli, const json_t *entry);
static const char *by_whom(struct wrn_cli *cli, const json_t *entry);
static const char *outcome(struct wrn_cli *cli, const json_t *entry);

static const struct wrn_option options[] = {
    {"count", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "N", "the last so many (100)"},
    WRN_CALL_SOCKET,
};

const struct wrn_command wrn_audit_command = {
    .name = "audit",
    .summary = "show who was let in, given rights or thrown out, by whom",
    .operand = "NETWORK",
    .operands_max = 1,
    .options = options,
    .option_count = WRN_COUNT(options),
    .details = "Every decision about a membership that this machine made, or learned of: when,\n"
               "about whom, by whom (a user of this machine, or a member), by which\n"
               "certificate. The oldest comes first. The daemon keeps it in its state folder,\n"
               "in a file that is only appended to.\n",
    .example = "  warren audit\n"
               "  warren audit --count 10\n",
    .run = run_audit,
};

static int run_audit(struct wrn_cli *cli, const struct wrn_args *args) {
    json_t *params = wrn_cli_json_object(cli);
    json_t *result = NULL;
    if (args->operand_count > 0) {
        wrn_cli_json_set(cli, params, "network", wrn_cli_json_text(cli, args->operands[0]));
    }
    int code = wrn_call_number_option(cli, args, "count", "count", params);
    if (code != WRN_CLI_DONE) {
        json_decref(params);
        return code;
    }
    code = wrn_call(cli, args, "audit.list", params, &result);
    if (code != WRN_CLI_DONE || wrn_call_prints_json(cli, result)) {
        return code;
    }
    const json_t *entries = json_object_get(result, "entries");
    struct wrn_columns columns;
    wrn_columns_init(&columns, cli, 6);
    for (size_t i = 0; i < json_array_size(entries); i++) {
        const json_t *entry = json_array_get(entries, i);
        bool is_done = json_is_true(json_object_get(entry, "done"));
        wrn_columns_add(&columns, (struct wrn_cell[]){
                                      {.text = wrn_call_text(cli, entry, "time")},
                                      {.text = wrn_call_text(cli, entry, "network")},
                                      {.text = wrn_call_text(cli, entry, "what"),
                                       .paint = is_done ? WRN_PAINT_PLAIN : WRN_PAINT_BAD},
                                      {.text = who(cli, entry)},
                                      {.text = by_whom(cli, entry)},
                                      {.text = outcome(cli, entry)},
                                  });
    }
    wrn_columns_print(&columns);
    if (json_array_size(entries) == 0) {
        (void)fputs("nothing was decided yet\n", cli->out);
    }
    json_decref(result);
    return code;
}

static const char *who(struct wrn_cli *cli, const json_t *entry) {
    const json_t *somebody = json_object_get(entry, "who");
    return json_is_object(somebody) ? wrn_status_who(cli, somebody) : NULL;
}

static const char *by_whom(struct wrn_cli *cli, const json_t *entry) {
    const json_t *by = json_object_get(entry, "by");
    const json_t *uid = json_object_get(by, "uid");
    const char *hit = wrn_call_text(cli, by, "hit");
    return json_is_integer(uid)
               ? wrn_cli_text(cli, "by user %" JSON_INTEGER_FORMAT, json_integer_value(uid))
           : hit != NULL ? wrn_cli_text(cli, "by %s", hit)
                         : NULL;
}

/* What came of it, and the certificate's first digits. */
static const char *outcome(struct wrn_cli *cli, const json_t *entry) {
    const json_t *certificate = json_object_get(entry, "certificate");
    const char *hash = wrn_call_text(cli, certificate, "hash");
    const char *issuer = wrn_call_text(cli, certificate, "issuer");
    const char *why = wrn_call_text(cli, entry, "why");
    const char *text = wrn_call_text(cli, entry, "text");
    const char *shown = json_is_true(json_object_get(entry, "done")) ? "done" : "refused";
    if (why != NULL) {
        shown = wrn_cli_text(cli, "%s: %s", shown, text != NULL ? text : why);
    }
    if (hash != NULL) {
        shown = wrn_cli_text(cli, "%s, certificate %.16s%s%s", shown, hash,
                             issuer != NULL ? " of " : "", issuer != NULL ? issuer : "");
    }
    return shown;
}
