/* SPDX-License-Identifier: Apache-2.0 */
/* `warren cert issue`: one certificate, or an ACL's entry. Signs what it was told, no more. */
#include <jansson.h>
#include <stdlib.h>

#include "cli/cert.h"
#include "cli/describe.h"
#include "cli/heap.h"
#include "cli/key_file.h"

enum { CERT_ROOM = 1 << 16, SUBJECT_ROOM = 1 << 14 /* bytes */ };

static int run(struct wrn_cli *cli, const struct wrn_args *args);
static int check_together(struct wrn_cli *cli, const struct wrn_args *args);
static int read_issue(struct wrn_cli *cli, const struct wrn_args *args,
                      const struct wrn_key_pair *pair, struct wrn_spki_issue *issue);
static int read_subject(struct wrn_cli *cli, const struct wrn_args *args,
                        const struct wrn_keyring *ring, struct wrn_sexp *ret_subject);
static int read_delegation(struct wrn_cli *cli, const struct wrn_args *args,
                           const struct wrn_keyring *ring, struct wrn_spki_issue *issue);
static struct wrn_sexp make_name(struct wrn_cli *cli, struct wrn_sexp of, const char *const *names,
                                 size_t count);
static int check_threshold(struct wrn_cli *cli, const char *k, const struct wrn_sexp *parts,
                           size_t count);
static struct wrn_sexp make_threshold(struct wrn_cli *cli, const char *k,
                                      const struct wrn_sexp *parts, size_t count);
static struct wrn_sexp make_online(struct wrn_cli *cli, struct wrn_sexp principal);
static int write_object(struct wrn_cli *cli, const struct wrn_spki_issue *issue, bool is_entry,
                        struct wrn_sexp *ret_object, struct wrn_spki_cert *ret_cert);
static wrn_span span_of(const char *text);

static const struct wrn_option options[] = {
    {"key", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "FILE",
     "the identity that grants (without it: that of warren id show)"},
    {"to", WRN_OPTION_VALUE, WRN_OPTION_NEEDED_REPEATS, "WHOM",
     "who gets the right: a public key, a HIT or fingerprint (with --known), or a file that "
     "holds the key"},
    {"tag", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "SEXP", "the right, such as '(lab (ssh web))'"},
    {"propagate", WRN_OPTION_FLAG, WRN_OPTION_ONCE, NULL, "it may be passed on"},
    {"propagate-to", WRN_OPTION_VALUE, WRN_OPTION_REPEATS, "WHOM",
     "it may be passed on to this key only, which may not pass it on"},
    {"until", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "TIME", "when it ends"},
    {"for", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "90d", "how long it holds"},
    {"not-before", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "TIME", "when it begins"},
    {"known", WRN_OPTION_VALUE, WRN_OPTION_REPEATS, "FILE",
     "keys that may be named by HIT or fingerprint"},
    {"threshold", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "K",
     "K of those named by --to have to ask together"},
    {"to-name", WRN_OPTION_VALUE, WRN_OPTION_REPEATS, "NAME",
     "not --to itself gets it, but whoever that key gives this name"},
    {"define", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "NAME",
     "grant no right, but give --to this name"},
    {"needs-crl", WRN_OPTION_FLAG, WRN_OPTION_ONCE, NULL,
     "it counts only with a revocation list of the issuer that is in force"},
    {"comment", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "TEXT", "a note for people, signed too"},
    {"acl", WRN_OPTION_FLAG, WRN_OPTION_ONCE, NULL,
     "write an ACL for cert verify instead: whom a verifier trusts; nobody signs it"},
    {"out", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "FILE", "write it there"},
    {"force", WRN_OPTION_FLAG, WRN_OPTION_ONCE, NULL, "replace a file that is there"},
    {"format", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "FORM",
     "advanced, canonical or transport (the default)"},
};

const struct wrn_command wrn_cert_issue = {
    .name = "cert issue",
    .summary = "grant a right to a key, with a signed certificate",
    .options = options,
    .option_count = WRN_COUNT(options),
    .details = "Times are RFC 3339 (2026-12-24T18:00:00Z, with any offset), a day, or a\n"
               "duration from now (90d, 12h, 30m, 1y of 365 days). Without an end it holds for\n"
               "ever. A tag is a list that says ever more exactly what may be done; (*) is\n"
               "everything, (* set A B) one of these, (* prefix P) what begins so, (* range\n"
               "numeric (ge \"1\") (le \"9\")) what lies between. A certificate never gives more\n"
               "than its issuer has. A HIT or fingerprint only finds a key in the files of\n"
               "--known: it is never signed.\n",
    .example = "  warren cert issue --key alice.id --to bob.pub --tag '(lab (ssh web))' \\\n"
               "      --propagate --for 90d --out bob.cert\n"
               "  warren cert issue --acl --to alice.pub --tag '(lab)' --propagate --out lab.acl\n",
    .run = run,
};

static int run(struct wrn_cli *cli, const struct wrn_args *args) {
    const struct wrn_key_pair *pair = NULL;
    struct wrn_spki_issue issue = {0};
    struct wrn_spki_cert cert;
    struct wrn_sexp object;
    bool is_entry = wrn_args_has(args, "acl");
    int code = check_together(cli, args);
    if (code == WRN_CLI_DONE && !is_entry) {
        code = wrn_cert_read_key(cli, args, &pair);
    }
    if (code == WRN_CLI_DONE) {
        code = read_issue(cli, args, pair, &issue);
    }
    if (code == WRN_CLI_DONE) {
        code = write_object(cli, &issue, is_entry, &object, &cert);
    }
    if (code == WRN_CLI_DONE && !is_entry) {
        code = wrn_cert_sign(cli, object, pair->seed, &object);
    }
    if (code != WRN_CLI_DONE) {
        return code;
    }
    return wrn_cert_put(cli, args, object, is_entry ? "acl" : "certificate",
                        wrn_describe_cert_json(cli, &cert), wrn_describe_cert(cli, &cert),
                        wrn_args_has(args, "force") ? WRN_FILES_REPLACE : WRN_FILES_KEEP);
}

/* Refuses options that contradict one another. */
static int check_together(struct wrn_cli *cli, const struct wrn_args *args) {
    const char *const *whoms = NULL;
    size_t count = wrn_args_values(args, "to", &whoms);
    const char *define = wrn_args_value(args, "define");
    const char *why = NULL;
    if (wrn_args_has(args, "acl") && wrn_args_has(args, "key")) {
        why = "nobody signs an ACL: --acl goes without --key";
    } else if (wrn_args_has(args, "acl") &&
               (wrn_args_has(args, "define") || wrn_args_has(args, "needs-crl"))) {
        why = "--define and --needs-crl belong to certificates, not to an ACL";
    } else if (wrn_args_has(args, "define") == wrn_args_has(args, "tag")) {
        why = wrn_args_has(args, "tag") ? "--define grants no right: it goes without --tag"
                                        : "the right is missing: --tag SEXP";
    } else if (wrn_args_has(args, "define") &&
               (wrn_args_has(args, "propagate") || wrn_args_has(args, "propagate-to"))) {
        why = "--define grants no right that could be passed on";
    } else if (define != NULL && *define == '\0') {
        why = "--define: the name is empty";
    } else if (wrn_args_has(args, "propagate") && wrn_args_has(args, "propagate-to")) {
        why = "--propagate lets pass it on to all, --propagate-to to some: choose";
    } else if (count > 1 && !wrn_args_has(args, "threshold")) {
        why = "several --to need --threshold K: how many of them have to ask together? For a "
              "certificate each, issue several";
    } else if (wrn_args_has(args, "threshold") && wrn_args_has(args, "to-name")) {
        why = "--to-name goes with one --to, without --threshold";
    }
    return why == NULL ? WRN_CLI_DONE : wrn_cli_fail(cli, WRN_CLI_USAGE, "cert issue: %s", why);
}

static int read_issue(struct wrn_cli *cli, const struct wrn_args *args,
                      const struct wrn_key_pair *pair, struct wrn_spki_issue *issue) {
    const char *const *paths = NULL;
    size_t path_count = wrn_args_values(args, "known", &paths);
    const char *comment = wrn_args_value(args, "comment");
    const char *define = wrn_args_value(args, "define");
    struct wrn_keyring ring = {0};
    int code = wrn_keyring_read(cli, paths, path_count, &ring);
    if (code == WRN_CLI_DONE) {
        code = read_subject(cli, args, &ring, &issue->subject);
    }
    if (code == WRN_CLI_DONE) {
        code = read_delegation(cli, args, &ring, issue);
    }
    if (code == WRN_CLI_DONE && wrn_args_has(args, "tag")) {
        code = wrn_heap_read_tag(cli, "--tag", wrn_args_value(args, "tag"), &issue->tag);
    }
    if (code == WRN_CLI_DONE) {
        code = wrn_cert_read_validity(cli, args, 0, &issue->validity);
    }
    if (code != WRN_CLI_DONE) {
        return code;
    }
    issue->issuer_name = define == NULL ? (wrn_span){0} : span_of(define);
    issue->comment = comment == NULL ? (wrn_span){0} : span_of(comment);
    if (pair != NULL) {
        issue->issuer =
            wrn_spki_key_sexp(pair->public_key, wrn_cli_take(cli, 1, WRN_SPKI_KEY_SEXP_SIZE));
    }
    if (wrn_args_has(args, "needs-crl")) {
        issue->online = make_online(cli, issue->issuer);
    }
    return WRN_CLI_DONE;
}

static int read_subject(struct wrn_cli *cli, const struct wrn_args *args,
                        const struct wrn_keyring *ring, struct wrn_sexp *ret_subject) {
    struct wrn_sexp *whoms = NULL;
    const char *const *names = NULL;
    const char *k = wrn_args_value(args, "threshold");
    size_t count = 0;
    size_t name_count = wrn_args_values(args, "to-name", &names);
    struct wrn_spki_subject subject;
    struct wrn_spki_error why = {0};
    int code = wrn_cert_read_whoms(cli, args, "to", ring, WRN_SPKI_STRICT, &whoms, &count);
    if (code != WRN_CLI_DONE) {
        return code;
    }
    struct wrn_sexp made = whoms[0];
    if (k != NULL) {
        code = check_threshold(cli, k, whoms, count);
        if (code != WRN_CLI_DONE) {
            return code;
        }
        made = make_threshold(cli, k, whoms, count);
    } else if (name_count > 0) {
        made = make_name(cli, whoms[0], names, name_count);
    }
    if (wrn_spki_read_subject(made, WRN_SPKI_STRICT, &subject, &why) != 0) {
        return wrn_cli_fail(cli, WRN_CLI_USAGE, "cert issue: this is no subject: %s, at %s",
                            wrn_spki_fault_text(why.fault),
                            wrn_files_line(cli, WRN_SEXP_ADVANCED, why.at));
    }
    *ret_subject = made;
    return WRN_CLI_DONE;
}

static int read_delegation(struct wrn_cli *cli, const struct wrn_args *args,
                           const struct wrn_keyring *ring, struct wrn_spki_issue *issue) {
    struct wrn_sexp *only = NULL;
    size_t count = 0;
    struct wrn_spki_principal principal;
    int code = wrn_cert_read_whoms(cli, args, "propagate-to", ring, WRN_SPKI_STRICT, &only, &count);
    if (code != WRN_CLI_DONE) {
        return code;
    }
    if (count > WRN_SPKI_THRESHOLD_MAX) {
        return wrn_cli_fail(cli, WRN_CLI_USAGE, "--propagate-to: at most %d keys",
                            WRN_SPKI_THRESHOLD_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        if (wrn_spki_read_principal(only[i], WRN_SPKI_STRICT, &principal, NULL) != 0) {
            return wrn_cli_fail(cli, WRN_CLI_USAGE, "--propagate-to: %s is no key or its hash",
                                wrn_files_line(cli, WRN_SEXP_ADVANCED, only[i]));
        }
    }
    issue->only = only;
    issue->only_count = count;
    issue->delegation = count > 0                         ? WRN_SPKI_DELEGABLE_TO
                        : wrn_args_has(args, "propagate") ? WRN_SPKI_DELEGABLE
                                                          : WRN_SPKI_NOT_DELEGABLE;
    return WRN_CLI_DONE;
}

/* What these make is at most as large as a command line, and looked at by the caller. */
static struct wrn_sexp make_name(struct wrn_cli *cli, struct wrn_sexp of, const char *const *names,
                                 size_t count) {
    size_t room = of.bytes.size + SUBJECT_ROOM;
    for (size_t i = 0; i < count; i++) {
        room += strlen(names[i]) + 32;
    }
    struct wrn_sexp_writer w = wrn_sexp_writer(wrn_cli_take(cli, room, 1), room);
    struct wrn_sexp sexp;
    wrn_sexp_open(&w, "name");
    wrn_sexp_put(&w, of);
    for (size_t i = 0; i < count; i++) {
        wrn_sexp_put_word(&w, names[i]);
    }
    wrn_sexp_close(&w);
    int error = wrn_sexp_finish(&w, &sexp);
    WRN_ASSERT(error == 0);
    return sexp;
}

static int check_threshold(struct wrn_cli *cli, const char *k, const struct wrn_sexp *parts,
                           size_t count) {
    size_t number = 0;
    if (strlen(k) <= 2 && strspn(k, "0123456789") == strlen(k) && *k != '0') {
        number = strtoul(k, NULL, 10);
    }
    if (count > WRN_SPKI_THRESHOLD_MAX) {
        return wrn_cli_fail(cli, WRN_CLI_USAGE, "--to: at most %d can stand together",
                            WRN_SPKI_THRESHOLD_MAX);
    }
    if (number < 1 || number > count) {
        return wrn_cli_fail(cli, WRN_CLI_USAGE,
                            "--threshold: it is a number from 1 to %zu, for so many --to are there",
                            count);
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (wrn_sexp_equal(parts[i], parts[j])) {
                return wrn_cli_fail(cli, WRN_CLI_USAGE,
                                    "--to: the same one is there twice, and counts once: %s",
                                    wrn_files_line(cli, WRN_SEXP_ADVANCED, parts[i]));
            }
        }
    }
    return WRN_CLI_DONE;
}

static struct wrn_sexp make_threshold(struct wrn_cli *cli, const char *k,
                                      const struct wrn_sexp *parts, size_t count) {
    size_t room = strlen(k) + SUBJECT_ROOM;
    for (size_t i = 0; i < count; i++) {
        room += parts[i].bytes.size;
    }
    struct wrn_sexp_writer w = wrn_sexp_writer(wrn_cli_take(cli, room, 1), room);
    struct wrn_sexp sexp;
    wrn_sexp_open(&w, "k-of-n");
    wrn_sexp_put_word(&w, k);
    wrn_sexp_put_word(&w, wrn_cli_text(cli, "%zu", count));
    for (size_t i = 0; i < count; i++) {
        wrn_sexp_put(&w, parts[i]);
    }
    wrn_sexp_close(&w);
    int error = wrn_sexp_finish(&w, &sexp);
    WRN_ASSERT(error == 0);
    return sexp;
}

/* (online crl (uri) PRINCIPAL): no address, for lists come with the certificates. */
static struct wrn_sexp make_online(struct wrn_cli *cli, struct wrn_sexp principal) {
    size_t room = principal.bytes.size + SUBJECT_ROOM;
    struct wrn_sexp_writer w = wrn_sexp_writer(wrn_cli_take(cli, room, 1), room);
    struct wrn_sexp sexp;
    wrn_sexp_open(&w, "online");
    wrn_sexp_put_word(&w, "crl");
    wrn_sexp_open(&w, "uri");
    wrn_sexp_close(&w);
    wrn_sexp_put(&w, principal);
    wrn_sexp_close(&w);
    int error = wrn_sexp_finish(&w, &sexp);
    WRN_ASSERT(error == 0);
    return sexp;
}

/* Writes (cert …) or (acl (entry …)), and reads it back: what we sign, others must be able to
 * read. */
static int write_object(struct wrn_cli *cli, const struct wrn_spki_issue *issue, bool is_entry,
                        struct wrn_sexp *ret_object, struct wrn_spki_cert *ret_cert) {
    size_t room = CERT_ROOM + issue->subject.bytes.size + issue->comment.size +
                  issue->issuer_name.size + issue->tag.bytes.size;
    struct wrn_sexp_writer w = wrn_sexp_writer(wrn_cli_take(cli, room, 1), room);
    struct wrn_spki_error why = {0};
    struct wrn_sexp_cursor acl;
    struct wrn_sexp inner;
    if (is_entry) {
        wrn_sexp_open(&w, "acl");
    }
    wrn_spki_write_cert(&w, issue, is_entry);
    if (is_entry) {
        wrn_sexp_close(&w);
    }
    if (wrn_sexp_finish(&w, ret_object) != 0) {
        return wrn_cli_fail(cli, WRN_CLI_USAGE, "cert issue: the certificate would be too large");
    }
    inner = *ret_object;
    if (is_entry) {
        (void)wrn_sexp_enter_named(*ret_object, "acl", &acl);
        (void)wrn_sexp_take_any(&acl, &inner);
    }
    int error = is_entry ? wrn_spki_read_entry(inner, WRN_SPKI_STRICT, ret_cert, &why)
                         : wrn_spki_read_cert(inner, WRN_SPKI_STRICT, ret_cert, &why);
    if (error != 0) {
        return wrn_cli_fail(cli, WRN_CLI_USAGE, "cert issue: nobody could read this: %s, at %s",
                            wrn_spki_fault_text(why.fault),
                            wrn_files_line(cli, WRN_SEXP_ADVANCED, why.at));
    }
    return WRN_CLI_DONE;
}

static wrn_span span_of(const char *text) {
    return (wrn_span){(const uint8_t *)text, strlen(text)};
}
