/* SPDX-License-Identifier: Apache-2.0 */
/* `warren cert verify`: does this chain grant this request, until when, and if not, why? Decides
 * nothing itself: the prover does. */
#include <jansson.h>

#include "cli/cert.h"
#include "cli/describe.h"
#include "cli/heap.h"

enum { SENTENCE_MAX = 4096 };

static int run(struct wrn_cli *cli, const struct wrn_args *args);
static int read_query(struct wrn_cli *cli, const struct wrn_args *args,
                      struct wrn_heap_parts *parts, struct wrn_spki_query *query);
static void name_principal(void *context, const struct wrn_spki_principal *principal, char *out,
                           size_t capacity);
static json_t *answer_json(struct wrn_cli *cli, const struct wrn_spki_answer *answer,
                           const char *sentence);
static const char *verdict_name(enum wrn_spki_verdict verdict);
static void set_date(struct wrn_cli *cli, json_t *json, const char *name, wrn_spki_date date);
static void set_sexp(struct wrn_cli *cli, json_t *json, const char *name, struct wrn_sexp sexp);

static const struct wrn_option options[] = {
    {"acl", WRN_OPTION_VALUE, WRN_OPTION_NEEDED_REPEATS, "FILE",
     "whom you trust: an ACL of your own (see cert issue --acl)"},
    {"request", WRN_OPTION_VALUE, WRN_OPTION_NEEDED, "SEXP", "what is asked for, a tag"},
    {"subject", WRN_OPTION_VALUE, WRN_OPTION_NEEDED_REPEATS, "WHOM",
     "who asks; several ask together, for thresholds"},
    {"at", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "TIME", "when (now)"},
    {"known", WRN_OPTION_VALUE, WRN_OPTION_REPEATS, "FILE",
     "keys that may be named by HIT or fingerprint, besides those of the other files"},
};

const struct wrn_command wrn_cert_verify = {
    .name = "cert verify",
    .summary = "tell whether certificates grant a request, until when, or why not",
    .operand = "FILE",
    .operands_min = 0,
    .operands_max = SIZE_MAX,
    .options = options,
    .option_count = WRN_COUNT(options),
    .details = "The files hold what the subject shows: certificates in any order and number,\n"
               "public keys, revocation lists. ACLs count from --acl only. One sentence says\n"
               "the answer, and the exit code: 0 granted, 1 refused.\n",
    .example = "  warren cert verify --acl lab.acl --subject bob.pub \\\n"
               "      --request '(lab (ssh web))' bob.cert\n",
    .run = run,
};

static int run(struct wrn_cli *cli, const struct wrn_args *args) {
    struct wrn_heap_parts parts = {0};
    struct wrn_spki_query query = {0};
    struct wrn_spki *heap = NULL;
    struct wrn_spki_answer *answer = wrn_cli_take(cli, 1, sizeof *answer);
    char *sentence = wrn_cli_take(cli, SENTENCE_MAX, 1);
    struct wrn_spki_speaker speaker = {.name = name_principal, .context = cli};
    int code = read_query(cli, args, &parts, &query);
    if (code == WRN_CLI_DONE) {
        code = wrn_heap_make(cli, &parts, &heap);
    }
    if (code != WRN_CLI_DONE) {
        return code;
    }
    if (wrn_heap_count(&parts.trusted, "acl") == 0) {
        return wrn_cli_fail(cli, WRN_CLI_REFUSED,
                            "cert verify: no (acl ...) is in the files of --acl, so nobody is "
                            "trusted; write one: warren cert issue --acl --to WHOM --tag SEXP");
    }
    wrn_spki_ask(heap, &query, answer);
    (void)wrn_spki_explain(answer, &speaker, sentence, SENTENCE_MAX);
    if (cli->json) {
        wrn_cli_print_json(cli, answer_json(cli, answer, sentence));
    } else {
        (void)fprintf(cli->out, "%s\n", sentence);
    }
    return answer->verdict == WRN_SPKI_GRANTED ? WRN_CLI_DONE : WRN_CLI_REFUSED;
}

static int read_query(struct wrn_cli *cli, const struct wrn_args *args,
                      struct wrn_heap_parts *parts, struct wrn_spki_query *query) {
    const char *const *acls = NULL;
    const char *const *known = NULL;
    size_t acl_count = wrn_args_values(args, "acl", &acls);
    size_t known_count = wrn_args_values(args, "known", &known);
    struct wrn_keyring ring = {0};
    struct wrn_sexp *subjects = NULL;
    int code = WRN_CLI_DONE;
    for (size_t i = 0; code == WRN_CLI_DONE && i < acl_count; i++) {
        code = wrn_files_read(cli, acls[i], &parts->trusted);
    }
    for (size_t i = 0; code == WRN_CLI_DONE && i < args->operand_count; i++) {
        code = wrn_files_read(cli, args->operands[i], &parts->foreign);
    }
    if (code == WRN_CLI_DONE) {
        code = wrn_keyring_read(cli, known, known_count, &ring);
    }
    if (code != WRN_CLI_DONE) {
        return code;
    }
    wrn_keyring_add(cli, &ring, &parts->trusted);
    wrn_keyring_add(cli, &ring, &parts->foreign);
    code = wrn_cert_read_whoms(cli, args, "subject", &ring, WRN_SPKI_STRICT, &subjects,
                               &query->subject_count);
    query->subjects = subjects;
    for (size_t i = 0; code == WRN_CLI_DONE && i < query->subject_count; i++) {
        struct wrn_spki_principal principal;
        if (wrn_spki_read_principal(subjects[i], WRN_SPKI_STRICT, &principal, NULL) != 0) {
            code = wrn_cli_fail(cli, WRN_CLI_USAGE, "--subject: only a key can ask, not %s",
                                wrn_files_line(cli, WRN_SEXP_ADVANCED, subjects[i]));
        }
    }
    if (code == WRN_CLI_DONE && query->subject_count > WRN_SPKI_THRESHOLD_MAX) {
        code = wrn_cli_fail(cli, WRN_CLI_USAGE, "--subject: at most %d keys ask together",
                            WRN_SPKI_THRESHOLD_MAX);
    }
    if (code == WRN_CLI_DONE) {
        code =
            wrn_heap_read_tag(cli, "--request", wrn_args_value(args, "request"), &query->request);
    }
    return code != WRN_CLI_DONE ? code
                                : wrn_cert_read_time(cli, "--at", wrn_args_value(args, "at"),
                                                     cli->now_s, &query->now_s);
}

static void name_principal(void *context, const struct wrn_spki_principal *principal, char *out,
                           size_t capacity) {
    (void)snprintf(out, capacity, "%s", wrn_describe_principal(context, principal));
}

static json_t *answer_json(struct wrn_cli *cli, const struct wrn_spki_answer *answer,
                           const char *sentence) {
    json_t *json = wrn_cli_json_object(cli);
    json_t *chain = wrn_cli_json_list(cli);
    bool is_granted = answer->verdict == WRN_SPKI_GRANTED;
    for (size_t i = 0; i < answer->chain_count; i++) {
        wrn_cli_json_append(cli, chain, wrn_describe_cert_json(cli, answer->chain[i]));
    }
    wrn_cli_json_set(cli, json, "granted", json_boolean(is_granted));
    wrn_cli_json_set(cli, json, "verdict", wrn_cli_json_text(cli, verdict_name(answer->verdict)));
    wrn_cli_json_set(cli, json, "sentence", wrn_cli_json_text(cli, sentence));
    wrn_cli_json_set(cli, json, "chain", chain);
    if (is_granted) { /* null: no limit */
        wrn_cli_json_set(
            cli, json, "from",
            wrn_cli_json_text(cli, wrn_describe_date(cli, answer->validity.not_before)));
        wrn_cli_json_set(
            cli, json, "until",
            wrn_cli_json_text(cli, wrn_describe_date(cli, answer->validity.not_after)));
        return json;
    }
    if (answer->culprit != NULL) {
        wrn_cli_json_set(cli, json, "culprit", wrn_describe_cert_json(cli, answer->culprit));
        wrn_cli_json_set(cli, json, "culprit_index",
                         json_integer((json_int_t)answer->culprit_index));
    }
    if (answer->passed_on != NULL) {
        wrn_cli_json_set(cli, json, "passed_on", wrn_describe_cert_json(cli, answer->passed_on));
    }
    set_date(cli, json, "since", answer->since);
    set_sexp(cli, json, "wanted", answer->wanted);
    set_sexp(cli, json, "permitted", answer->permitted);
    if (answer->by.sexp.bytes.size > 0) {
        wrn_cli_json_set(cli, json, "by", wrn_describe_principal_json(cli, &answer->by));
    }
    if (answer->verdict == WRN_SPKI_TOO_FEW) {
        wrn_cli_json_set(cli, json, "have", json_integer((json_int_t)answer->have));
        wrn_cli_json_set(cli, json, "need", json_integer((json_int_t)answer->need));
    }
    return json;
}

/* For scripts: these names do not change. */
static const char *verdict_name(enum wrn_spki_verdict verdict) {
    static const char *const names[] = {
        [WRN_SPKI_GRANTED] = "granted",
        [WRN_SPKI_NO_ROOT] = "no_root",
        [WRN_SPKI_NOT_SIGNED] = "not_signed",
        [WRN_SPKI_BAD_SIGNATURE] = "bad_signature",
        [WRN_SPKI_NOT_YET_VALID] = "not_yet_valid",
        [WRN_SPKI_EXPIRED] = "expired",
        [WRN_SPKI_REVOKED] = "revoked",
        [WRN_SPKI_NO_FRESH_CRL] = "no_fresh_crl",
        [WRN_SPKI_NO_DELEGATION] = "not_delegable",
        [WRN_SPKI_WRONG_DELEGATE] = "wrong_delegate",
        [WRN_SPKI_TAG] = "tag",
        [WRN_SPKI_TOO_FEW] = "too_few",
        [WRN_SPKI_TOO_LARGE] = "too_large",
    };
    return names[verdict];
}

static void set_date(struct wrn_cli *cli, json_t *json, const char *name, wrn_spki_date date) {
    if (date.size > 0) {
        wrn_cli_json_set(cli, json, name, wrn_cli_json_text(cli, wrn_describe_date(cli, date)));
    }
}

static void set_sexp(struct wrn_cli *cli, json_t *json, const char *name, struct wrn_sexp sexp) {
    if (sexp.bytes.size > 0) {
        const char *line = wrn_files_line(cli, WRN_SEXP_ADVANCED, sexp);
        wrn_cli_json_set(cli, json, name, wrn_cli_json_text(cli, line));
    }
}
