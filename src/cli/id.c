/* SPDX-License-Identifier: Apache-2.0 */
/* Makes and shows identities. Prints no private key. */
#include "cli/id.h"

#include <jansson.h>
#include <unistd.h>

#include "cli/call.h"
#include "cli/describe.h"
#include "cli/key_file.h"
#include "cli/qr.h"
#include "cli/whom.h"
#include "io/memory.h"
#include "io/random.h"

static int run_new(struct wrn_cli *cli, const struct wrn_args *args);
static int run_show(struct wrn_cli *cli, const struct wrn_args *args);
static int find_key(struct wrn_cli *cli, const struct wrn_args *args, const char **ret_path,
                    struct wrn_sexp *ret_subject);
static int ask_daemon(struct wrn_cli *cli, const struct wrn_args *args,
                      struct wrn_sexp *ret_subject);
static int find_file(struct wrn_cli *cli, const struct wrn_args *args, const char **ret_path);
static void show(struct wrn_cli *cli, const uint8_t public_key[WRN_SIGN_PUBLIC_SIZE],
                 const char *path);
static int show_qr(struct wrn_cli *cli, const char *path,
                   const uint8_t public_key[WRN_SIGN_PUBLIC_SIZE], enum wrn_files_replace replace);

static const struct wrn_option new_options[] = {
    {"file", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "FILE", "where to write the key"},
    {"force", WRN_OPTION_FLAG, WRN_OPTION_ONCE, NULL,
     "replace a key that is there; what was granted to the old key is lost with it"},
};

const struct wrn_command wrn_id_new = {
    .name = "id new",
    .summary = "make a key pair: an identity",
    .options = new_options,
    .option_count = WRN_COUNT(new_options),
    .details = "Without --file it goes to $WARREN_IDENTITY, else to warren/identity in\n"
               "$XDG_CONFIG_HOME or ~/.config. Only its owner may read the file (0600). Keep a\n"
               "copy in a safe place: nobody can make the key again.\n",
    .example = "  warren id new --file alice.id\n",
    .run = run_new,
};

static const struct wrn_option show_options[] = {
    {"file", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "FILE",
     "an identity, a public key, or certificates for one key (- is standard input)"},
    {"public", WRN_OPTION_FLAG, WRN_OPTION_ONCE, NULL,
     "print the public key alone, as a file for others"},
    {"format", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "FORM",
     "with --public: advanced, canonical or transport (the default)"},
    {"qr", WRN_OPTION_OPTIONAL, WRN_OPTION_ONCE, "FILE.svg",
     "show the public key as a QR code, in the terminal or as a picture"},
    {"force", WRN_OPTION_FLAG, WRN_OPTION_ONCE, NULL, "replace a picture that is there"},
    {"daemon", WRN_OPTION_FLAG, WRN_OPTION_ONCE, NULL,
     "the identity of the daemon that runs here: who this machine is in its networks"},
    WRN_CALL_SOCKET,
};

const struct wrn_command wrn_id_show = {
    .name = "id show",
    .summary = "show HIT, fingerprint and public key of an identity",
    .options = show_options,
    .option_count = WRN_COUNT(show_options),
    .details = "The fingerprint is the HIT in 32 digits, the last three of which are check\n"
               "digits: read it to one another over the telephone. It belongs to one key only,\n"
               "so if it is the same on both sides, the key is. The QR code holds fingerprint\n"
               "and key. Without --file: the identity that warren id new makes.\n",
    .example = "  warren id show --file alice.id\n"
               "  warren id show --file alice.id --public >alice.pub\n"
               "  warren id show --file alice.id --qr\n",
    .run = run_show,
};

static int run_new(struct wrn_cli *cli, const struct wrn_args *args) {
    struct wrn_random random = {0};
    const char *path = "";
    struct wrn_key_pair *pair = wrn_cli_take(cli, 1, sizeof *pair);
    enum wrn_files_replace replace =
        wrn_args_has(args, "force") ? WRN_FILES_REPLACE : WRN_FILES_KEEP;
    int code = find_file(cli, args, &path);
    if (code == WRN_CLI_DONE && (strcmp(path, "-") == 0 || *path == '\0')) {
        code = wrn_cli_fail(cli, WRN_CLI_USAGE,
                            "id new: a private key is written to a file and nowhere else; name "
                            "one: --file NAME.id");
    }
    if (code == WRN_CLI_DONE && !wrn_args_has(args, "file")) {
        code = wrn_key_file_prepare(cli, path);
    }
    if (code != WRN_CLI_DONE) {
        return code;
    }
    wrn_memory_forbid_core_dumps();
    wrn_rand_fill(wrn_random_source(&random), pair->seed, sizeof pair->seed);
    if (!wrn_sign_public(pair->seed, pair->public_key)) {
        return wrn_cli_fail(cli, WRN_CLI_REFUSED, "no memory is left to make a key");
    }
    code = wrn_key_file_write(cli, path, pair, replace);
    if (code == WRN_CLI_DONE) {
        show(cli, pair->public_key, path);
    }
    return code;
}

static int run_show(struct wrn_cli *cli, const struct wrn_args *args) {
    const char *path = "";
    const char *picture = wrn_args_value(args, "qr");
    struct wrn_sexp subject = {{NULL, 0}};
    struct wrn_spki_principal principal;
    enum wrn_sexp_form form;
    int code = find_key(cli, args, &path, &subject);
    if (code == WRN_CLI_DONE) {
        code = wrn_files_form(cli, wrn_args_value(args, "format"), WRN_SEXP_TRANSPORT, &form);
    }
    if (code == WRN_CLI_DONE && wrn_args_has(args, "format") && !wrn_args_has(args, "public")) {
        code = wrn_cli_fail(cli, WRN_CLI_USAGE, "id show: --format goes with --public");
    }
    if (code != WRN_CLI_DONE) {
        return code;
    }
    if (wrn_spki_read_principal(subject, WRN_SPKI_STRICT, &principal, NULL) != 0 ||
        principal.ed25519 == NULL) {
        return wrn_cli_fail(
            cli, WRN_CLI_REFUSED, "what %s is about is no key but %s: only a key has a HIT",
            wrn_files_name(cli, path), wrn_files_line(cli, WRN_SEXP_ADVANCED, subject));
    }
    if (picture != NULL && *picture != '\0') {
        code = show_qr(cli, picture, principal.ed25519,
                       wrn_args_has(args, "force") ? WRN_FILES_REPLACE : WRN_FILES_KEEP);
        if (code != WRN_CLI_DONE) {
            return code;
        }
    }
    if (wrn_args_has(args, "public") && !cli->json) {
        return wrn_files_put(cli, NULL, wrn_files_print(cli, form, subject), WRN_FILES_KEEP);
    }
    show(cli, principal.ed25519, path);
    if (picture != NULL && *picture == '\0' && !cli->json) {
        char text[WRN_IDENTITY_URI_SIZE];
        wrn_identity_uri_print(principal.ed25519, text);
        (void)fputc('\n', cli->out);
        wrn_qr_print(cli, text, isatty(fileno(cli->out)) == 1);
    }
    return WRN_CLI_DONE;
}

/* In a file, or at the daemon. */
static int find_key(struct wrn_cli *cli, const struct wrn_args *args, const char **ret_path,
                    struct wrn_sexp *ret_subject) {
    if (wrn_args_has(args, "daemon")) {
        *ret_path = "warrend";
        return wrn_args_has(args, "file")
                   ? wrn_cli_fail(cli, WRN_CLI_USAGE, "id show: either --file or --daemon")
                   : ask_daemon(cli, args, ret_subject);
    }
    int code = find_file(cli, args, ret_path);
    const char *path = *ret_path;
    if (code == WRN_CLI_DONE && strcmp(path, "-") != 0 && access(path, F_OK) != 0 &&
        !wrn_args_has(args, "file")) {
        code = wrn_cli_fail(cli, WRN_CLI_REFUSED,
                            "there is no identity yet; make one: warren id new (that of the daemon "
                            "is another one: warren id show --daemon)");
    }
    return code != WRN_CLI_DONE ? code : wrn_whom_of_file(cli, path, ret_subject);
}

static int ask_daemon(struct wrn_cli *cli, const struct wrn_args *args,
                      struct wrn_sexp *ret_subject) {
    const struct wrn_keyring nobody = {0};
    json_t *status = NULL;
    int code = wrn_call(cli, args, "status", wrn_cli_json_object(cli), &status);
    if (code == WRN_CLI_DONE) {
        const char *key = wrn_call_text(cli, json_object_get(status, "identity"), "public_key");
        code = wrn_whom_read(cli, "--daemon", key != NULL ? key : "", &nobody, WRN_SPKI_STRICT,
                             ret_subject);
    }
    json_decref(status);
    return code;
}

static int find_file(struct wrn_cli *cli, const struct wrn_args *args, const char **ret_path) {
    const char *path = wrn_args_value(args, "file");
    if (path == NULL) {
        path = wrn_key_file_default(cli);
    }
    if (path == NULL) {
        return wrn_cli_fail(cli, WRN_CLI_USAGE,
                            "there is no home folder for an identity; name its file: --file FILE");
    }
    *ret_path = path;
    return WRN_CLI_DONE;
}

static void show(struct wrn_cli *cli, const uint8_t public_key[WRN_SIGN_PUBLIC_SIZE],
                 const char *path) {
    uint8_t hit[WRN_HIT_SIZE];
    uint8_t bytes[WRN_SPKI_KEY_SEXP_SIZE];
    char hit_text[WRN_HIT_TEXT_SIZE];
    char fingerprint[WRN_FINGERPRINT_SIZE];
    char uri[WRN_IDENTITY_URI_SIZE];
    wrn_hit(public_key, hit);
    wrn_hit_print(hit, hit_text);
    wrn_fingerprint_print(hit, fingerprint);
    wrn_identity_uri_print(public_key, uri);
    const char *key = wrn_files_line(cli, WRN_SEXP_TRANSPORT, wrn_spki_key_sexp(public_key, bytes));
    if (cli->json) {
        json_t *json = wrn_cli_json_object(cli);
        wrn_cli_json_set(cli, json, "hit", wrn_cli_json_text(cli, hit_text));
        wrn_cli_json_set(cli, json, "fingerprint", wrn_cli_json_text(cli, fingerprint));
        wrn_cli_json_set(cli, json, "public_key", wrn_cli_json_text(cli, key));
        wrn_cli_json_set(
            cli, json, "public_key_hex",
            wrn_cli_json_text(cli, wrn_describe_hex(cli, public_key, WRN_SIGN_PUBLIC_SIZE)));
        wrn_cli_json_set(cli, json, "qr", wrn_cli_json_text(cli, uri));
        wrn_cli_json_set(cli, json, "file", wrn_cli_json_text(cli, path));
        wrn_cli_print_json(cli, json);
        return;
    }
    (void)fprintf(cli->out,
                  "HIT          %s\n"
                  "fingerprint  %s\n"
                  "public key   %s\n"
                  "file         %s\n",
                  hit_text, fingerprint, key, wrn_files_name(cli, path));
}

static int show_qr(struct wrn_cli *cli, const char *path,
                   const uint8_t public_key[WRN_SIGN_PUBLIC_SIZE], enum wrn_files_replace replace) {
    char text[WRN_IDENTITY_URI_SIZE];
    size_t length = strlen(path);
    if (length < 5 || strcmp(path + length - 4, ".svg") != 0) {
        return wrn_cli_fail(cli, WRN_CLI_USAGE, "--qr: the picture is an SVG: name it %s.svg",
                            wrn_files_name(cli, path));
    }
    wrn_identity_uri_print(public_key, text);
    return wrn_files_put(cli, path, wrn_qr_svg(cli, text), replace);
}
