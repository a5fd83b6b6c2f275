/* SPDX-License-Identifier: Apache-2.0 */
/* `warren cert reduce`: all entries that follow from ACLs and certificates. The prover makes them;
 * here they are filtered and printed. */
#include <jansson.h>

#include "cli/cert.h"
#include "cli/describe.h"
#include "cli/heap.h"

enum { ROOM_FIRST = 1 << 16, ROOM_MAX = 1 << 26 /* bytes of the ACL that is made */ };

static int run(struct wrn_cli *cli, const struct wrn_args *args);
static int read_files(struct wrn_cli *cli, const struct wrn_args *args,
                      struct wrn_heap_parts *parts);
static int reduce(struct wrn_cli *cli, struct wrn_spki *heap, const struct wrn_sexp *subjects,
                  size_t count, struct wrn_sexp request, wrn_spki_date now,
                  struct wrn_sexp *ret_acl);
static int reduce_once(struct wrn_cli *cli, struct wrn_spki *heap, const struct wrn_sexp *subject,
                       struct wrn_sexp request, wrn_spki_date now, struct wrn_sexp *ret_acl);
static struct wrn_sexp intersect(struct wrn_cli *cli, struct wrn_sexp a, struct wrn_sexp b);
static json_t *acl_json(struct wrn_cli *cli, struct wrn_sexp acl, enum wrn_spki_mode mode,
                        enum wrn_sexp_form form);

static const struct wrn_option options[] = {
    {"at", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "TIME", "only what holds then (at any time)"},
    {"subject", WRN_OPTION_VALUE, WRN_OPTION_REPEATS, "WHOM",
     "only what this key may; given several times, each of them filters"},
    {"request", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "SEXP",
     "only what it has in common with this tag"},
    {"assume-signed", WRN_OPTION_FLAG, WRN_OPTION_ONCE, NULL,
     "for studying chains: what has no signature counts as signed, and any key as a key"},
    {"format", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "FORM",
     "advanced (the default), canonical or transport"},
    {"known", WRN_OPTION_VALUE, WRN_OPTION_REPEATS, "FILE",
     "keys that may be named by HIT or fingerprint, besides those of the other files"},
};

const struct wrn_command wrn_cert_reduce = {
    .name = "cert reduce",
    .summary = "print every ACL entry that follows from ACLs and certificates",
    .operand = "FILE",
    .operands_min = 1,
    .operands_max = SIZE_MAX,
    .options = options,
    .option_count = WRN_COUNT(options),
    .details = "The files hold ACLs, sequences, certificates, public keys and revocation lists\n"
               "in any of the three forms (- is standard input). The answer is one (acl ...),\n"
               "sorted by the canonical bytes of its entries, empty if nothing follows. Never\n"
               "believe an answer that --assume-signed gave.\n",
    .example = "  warren cert reduce --subject bob.pub lab.acl bob.cert\n",
    .run = run,
};

static int run(struct wrn_cli *cli, const struct wrn_args *args) {
    struct wrn_heap_parts parts = {.assume_signed = wrn_args_has(args, "assume-signed")};
    enum wrn_spki_mode mode = parts.assume_signed ? WRN_SPKI_STUDY : WRN_SPKI_STRICT;
    enum wrn_sexp_form form = WRN_SEXP_ADVANCED;
    const char *const *known = NULL;
    size_t known_count = wrn_args_values(args, "known", &known);
    struct wrn_keyring ring = {0};
    struct wrn_sexp *subjects = NULL;
    struct wrn_sexp request = {0};
    struct wrn_sexp acl = {0};
    wrn_spki_date now = {0};
    struct wrn_spki *heap = NULL;
    size_t count = 0;
    int64_t at_s = cli->now_s;
    int code = wrn_files_form(cli, wrn_args_value(args, "format"), WRN_SEXP_ADVANCED, &form);
    if (code == WRN_CLI_DONE) {
        code = wrn_cert_read_time(cli, "--at", wrn_args_value(args, "at"), cli->now_s, &at_s);
    }
    if (code == WRN_CLI_DONE && wrn_args_has(args, "request")) {
        code = wrn_heap_read_tag(cli, "--request", wrn_args_value(args, "request"), &request);
    }
    if (code == WRN_CLI_DONE) {
        code = read_files(cli, args, &parts);
    }
    if (code == WRN_CLI_DONE) {
        wrn_keyring_add(cli, &ring, &parts.trusted);
        code = wrn_keyring_read(cli, known, known_count, &ring);
    }
    if (code == WRN_CLI_DONE) {
        code = wrn_cert_read_whoms(cli, args, "subject", &ring, mode, &subjects, &count);
    }
    if (code == WRN_CLI_DONE) {
        code = wrn_heap_make(cli, &parts, &heap);
    }
    if (code == WRN_CLI_DONE && wrn_args_has(args, "at")) {
        now = wrn_cert_date(cli, at_s);
    }
    if (code == WRN_CLI_DONE) {
        code = reduce(cli, heap, subjects, count, request, now, &acl);
    }
    if (code != WRN_CLI_DONE) {
        return code;
    }
    if (cli->json) {
        wrn_cli_print_json(cli, acl_json(cli, acl, mode, form));
        return WRN_CLI_DONE;
    }
    return wrn_files_put(cli, NULL, wrn_files_print(cli, form, acl), WRN_FILES_KEEP);
}

static int read_files(struct wrn_cli *cli, const struct wrn_args *args,
                      struct wrn_heap_parts *parts) {
    const char *names = "";
    for (size_t i = 0; i < args->operand_count; i++) {
        int code = wrn_files_read(cli, args->operands[i], &parts->trusted);
        if (code != WRN_CLI_DONE) {
            return code;
        }
        names = wrn_cli_text(cli, "%s%s%s", names, i == 0 ? "" : ", ",
                             wrn_files_name(cli, args->operands[i]));
    }
    if (wrn_heap_count(&parts->trusted, "acl") == 0) {
        return wrn_cli_fail(cli, WRN_CLI_REFUSED,
                            "cert reduce: no (acl ...) is in %s, so nothing can follow; add the "
                            "verifier's ACL, or write one: warren cert issue --acl --to WHOM --tag "
                            "SEXP",
                            names);
    }
    if (parts->assume_signed) {
        wrn_cli_warn(cli, "--assume-signed: certificates without signatures count as signed here, "
                          "and any public key as one; the answer is for study and proves nothing");
    }
    return WRN_CLI_DONE;
}

/* Of several subjects each is a filter: what is left passes all of them, which can only be if they
 * are one key. (To ask together, as thresholds want it, is for cert verify.) */
static int reduce(struct wrn_cli *cli, struct wrn_spki *heap, const struct wrn_sexp *subjects,
                  size_t count, struct wrn_sexp request, wrn_spki_date now,
                  struct wrn_sexp *ret_acl) {
    int code = reduce_once(cli, heap, count == 0 ? NULL : &subjects[0], request, now, ret_acl);
    for (size_t i = 1; code == WRN_CLI_DONE && i < count; i++) {
        struct wrn_sexp other = {0};
        code = reduce_once(cli, heap, &subjects[i], request, now, &other);
        if (code == WRN_CLI_DONE) {
            *ret_acl = intersect(cli, *ret_acl, other);
        }
    }
    return code;
}

static int reduce_once(struct wrn_cli *cli, struct wrn_spki *heap, const struct wrn_sexp *subject,
                       struct wrn_sexp request, wrn_spki_date now, struct wrn_sexp *ret_acl) {
    int error = -ENOBUFS;
    for (size_t room = ROOM_FIRST; error == -ENOBUFS && room <= ROOM_MAX; room *= 4) {
        struct wrn_sexp_writer w = wrn_sexp_writer(wrn_cli_map(cli, room), room);
        error = wrn_spki_reduce(heap, subject, subject == NULL ? 0 : 1, request, now, &w);
        if (error == 0) {
            error = wrn_sexp_finish(&w, ret_acl);
        }
    }
    if (error == WRN_ERR_MALFORMED) {
        return wrn_cli_fail(cli, WRN_CLI_USAGE, "--subject: only a key or its hash filters, not %s",
                            subject == NULL ? "this"
                                            : wrn_files_line(cli, WRN_SEXP_ADVANCED, *subject));
    }
    if (error != 0) {
        return wrn_cli_fail(cli, WRN_CLI_REFUSED,
                            "cert reduce: more follows from these files than can be listed; narrow "
                            "it with --subject and --request");
    }
    return WRN_CLI_DONE;
}

/* Writes the entries that are in both; their order stays. */
static struct wrn_sexp intersect(struct wrn_cli *cli, struct wrn_sexp a, struct wrn_sexp b) {
    size_t room = a.bytes.size;
    struct wrn_sexp_writer w = wrn_sexp_writer(wrn_cli_take(cli, room, 1), room);
    struct wrn_sexp_cursor left;
    struct wrn_sexp_cursor right;
    struct wrn_sexp entry;
    struct wrn_sexp other;
    struct wrn_sexp acl;
    wrn_sexp_open(&w, "acl");
    (void)wrn_sexp_enter_named(a, "acl", &left);
    while (wrn_sexp_take_any(&left, &entry)) {
        bool is_in_both = false;
        (void)wrn_sexp_enter_named(b, "acl", &right);
        while (!is_in_both && wrn_sexp_take_any(&right, &other)) {
            is_in_both = wrn_sexp_equal(entry, other);
        }
        if (is_in_both) {
            wrn_sexp_put(&w, entry);
        }
    }
    wrn_sexp_close(&w);
    int error = wrn_sexp_finish(&w, &acl);
    WRN_ASSERT(error == 0); /* it is never larger than what it is made from */
    return acl;
}

static json_t *acl_json(struct wrn_cli *cli, struct wrn_sexp acl, enum wrn_spki_mode mode,
                        enum wrn_sexp_form form) {
    json_t *json = wrn_cli_json_object(cli);
    json_t *entries = wrn_cli_json_list(cli);
    struct wrn_sexp_cursor cursor;
    struct wrn_sexp sexp;
    struct wrn_spki_cert cert;
    enum wrn_sexp_form text = form == WRN_SEXP_CANONICAL ? WRN_SEXP_TRANSPORT : form;
    (void)wrn_sexp_enter_named(acl, "acl", &cursor);
    while (wrn_sexp_take_any(&cursor, &sexp)) {
        if (wrn_spki_read_entry(sexp, mode, &cert, NULL) == 0) {
            json_t *entry = wrn_describe_cert_json(cli, &cert);
            wrn_cli_json_set(cli, entry, "sexp",
                             wrn_cli_json_text(cli, wrn_files_line(cli, text, sexp)));
            wrn_cli_json_append(cli, entries, entry);
        }
    }
    wrn_cli_json_set(cli, json, "acl", wrn_cli_json_text(cli, wrn_files_line(cli, text, acl)));
    wrn_cli_json_set(cli, json, "entries", entries);
    wrn_cli_json_set(cli, json, "assumed_signed", json_boolean(mode == WRN_SPKI_STUDY));
    return json;
}
