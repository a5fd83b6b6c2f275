/* SPDX-License-Identifier: Apache-2.0 */
/* What several of the commands `warren cert …` do in the same way. */
#include "cli/cert.h"

#include <jansson.h>

#include "cli/key_file.h"
#include "cli/when.h"

enum { SIGNATURE_ROOM = 1024 /* bytes of (sequence …) and (signature …) around an object */ };

int wrn_cert_read_validity(struct wrn_cli *cli, const struct wrn_args *args, int64_t otherwise_s,
                           struct wrn_spki_validity *ret_validity) {
    const char *from = wrn_args_value(args, "not-before");
    const char *until = wrn_args_value(args, "until");
    const char *length = wrn_args_value(args, "for");
    const char *why = NULL;
    int64_t from_s = cli->now_s;
    int64_t until_s = cli->now_s + otherwise_s;
    int64_t length_s = 0;
    int code = wrn_cert_read_time(cli, "--not-before", from, cli->now_s, &from_s);
    if (code == WRN_CLI_DONE) {
        code = wrn_cert_read_time(cli, "--until", until, until_s, &until_s);
    }
    if (code != WRN_CLI_DONE) {
        return code;
    }
    if (until != NULL && length != NULL) {
        return wrn_cli_fail(cli, WRN_CLI_USAGE, "--until and --for both say when it ends: choose");
    }
    if (length != NULL && (wrn_when_read_duration(length, &length_s, &why) != 0 || length_s <= 0)) {
        return wrn_cli_fail(cli, WRN_CLI_USAGE, "--for: %s is no duration such as 90d, 12h or 30m",
                            wrn_cli_quote(cli, length));
    }
    if (length != NULL) { /* from its beginning on, which is now if nothing else was said */
        char ignored[WRN_WHEN_SIZE];
        until_s = from_s + length_s;
        if (!wrn_when_print(until_s, ignored)) {
            return wrn_cli_fail(cli, WRN_CLI_USAGE, "--for: this ends after the year 9999");
        }
    }
    bool has_end = until != NULL || length != NULL || otherwise_s != 0;
    if (has_end && from != NULL && from_s > until_s) {
        return wrn_cli_fail(cli, WRN_CLI_USAGE, "it would end before it begins");
    }
    if (has_end && until_s < cli->now_s) {
        wrn_cli_warn(cli, "note: this has expired already");
    }
    *ret_validity = (struct wrn_spki_validity){0};
    if (from != NULL) {
        ret_validity->not_before = wrn_cert_date(cli, from_s);
    }
    if (has_end) {
        ret_validity->not_after = wrn_cert_date(cli, until_s);
    }
    return WRN_CLI_DONE;
}

int wrn_cert_read_time(struct wrn_cli *cli, const char *what, const char *text, int64_t otherwise_s,
                       int64_t *ret_s) {
    const char *why = NULL;
    if (text == NULL) {
        *ret_s = otherwise_s;
        return WRN_CLI_DONE;
    }
    if (wrn_when_read(text, cli->now_s, ret_s, &why) != 0) {
        return wrn_cli_fail(cli, WRN_CLI_USAGE, "%s: %s is no time: %s", what,
                            wrn_cli_quote(cli, text), why);
    }
    return WRN_CLI_DONE;
}

wrn_spki_date wrn_cert_date(struct wrn_cli *cli, int64_t s) {
    char *date = wrn_cli_take(cli, 1, WRN_SPKI_DATE_SIZE);
    bool fine = wrn_spki_date_write(s, date);
    WRN_ASSERT(fine); /* the caller's range */
    return (wrn_spki_date){(const uint8_t *)date, WRN_SPKI_DATE_SIZE};
}

int wrn_cert_read_whoms(struct wrn_cli *cli, const struct wrn_args *args, const char *option,
                        const struct wrn_keyring *ring, enum wrn_spki_mode mode,
                        struct wrn_sexp **ret_list, size_t *ret_count) {
    const char *const *values = NULL;
    size_t count = wrn_args_values(args, option, &values);
    struct wrn_sexp *list = wrn_cli_take(cli, count + 1, sizeof *list);
    for (size_t i = 0; i < count; i++) {
        int code =
            wrn_whom_read(cli, wrn_cli_text(cli, "--%s", option), values[i], ring, mode, &list[i]);
        if (code != WRN_CLI_DONE) {
            return code;
        }
    }
    *ret_list = list;
    *ret_count = count;
    return WRN_CLI_DONE;
}

int wrn_cert_sign(struct wrn_cli *cli, struct wrn_sexp object, const uint8_t *seed,
                  struct wrn_sexp *ret_sequence) {
    size_t room = object.bytes.size + SIGNATURE_ROOM;
    struct wrn_sexp_writer w = wrn_sexp_writer(wrn_cli_take(cli, room, 1), room);
    wrn_sexp_open(&w, "sequence");
    wrn_sexp_put(&w, object);
    if (!wrn_spki_sign(&w, object, seed)) {
        return wrn_cli_fail(cli, WRN_CLI_REFUSED, "no memory is left to sign");
    }
    wrn_sexp_close(&w);
    int error = wrn_sexp_finish(&w, ret_sequence);
    WRN_ASSERT(error == 0); /* a signature has a fixed size */
    return WRN_CLI_DONE;
}

int wrn_cert_read_key(struct wrn_cli *cli, const struct wrn_args *args,
                      const struct wrn_key_pair **ret_pair) {
    const char *path = wrn_args_value(args, "key");
    if (path == NULL) {
        path = wrn_key_file_default(cli);
    }
    if (path == NULL) {
        return wrn_cli_fail(cli, WRN_CLI_USAGE, "whose key signs? name its file: --key FILE");
    }
    return wrn_key_file_read(cli, path, ret_pair);
}

int wrn_cert_put(struct wrn_cli *cli, const struct wrn_args *args, struct wrn_sexp object,
                 const char *name, json_t *json, const char *sentence,
                 enum wrn_files_replace replace) {
    const char *path = wrn_args_value(args, "out");
    enum wrn_sexp_form form = WRN_SEXP_TRANSPORT;
    int code = wrn_files_form(cli, wrn_args_value(args, "format"), WRN_SEXP_TRANSPORT, &form);
    bool has_file = path != NULL && strcmp(path, "-") != 0;
    if (code == WRN_CLI_DONE && (has_file || !cli->json)) {
        code = wrn_files_put(cli, path, wrn_files_print(cli, form, object), replace);
    }
    if (code != WRN_CLI_DONE || !cli->json) {
        json_decref(json);
        if (code == WRN_CLI_DONE && has_file) {
            (void)fprintf(cli->out, "%s\n", sentence);
        }
        return code;
    }
    const char *line = wrn_files_line(cli, WRN_SEXP_TRANSPORT, object);
    wrn_cli_json_set(cli, json, name, wrn_cli_json_text(cli, line));
    if (has_file) {
        wrn_cli_json_set(cli, json, "file", wrn_cli_json_text(cli, path));
    }
    wrn_cli_print_json(cli, json);
    return WRN_CLI_DONE;
}
