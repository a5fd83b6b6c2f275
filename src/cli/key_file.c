/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and writes files with private keys. Prints nothing of them. */
#include "cli/key_file.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spki/cert.h"

enum { IDENTITY_SIZE = 512 }; /* bytes of canonical form, with room */

static bool take_key(struct wrn_sexp_cursor *cursor, const char *name, const uint8_t **ret_bytes);

const char *wrn_key_file_default(struct wrn_cli *cli) {
    const char *named = getenv("WARREN_IDENTITY");
    const char *config = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    if (named != NULL && *named != '\0') {
        return named;
    }
    if (config != NULL && *config == '/') { /* a relative one is invalid, says the XDG standard */
        return wrn_cli_text(cli, "%s/warren/identity", config);
    }
    if (home != NULL && *home != '\0') {
        return wrn_cli_text(cli, "%s/.config/warren/identity", home);
    }
    return NULL;
}

int wrn_key_file_prepare(struct wrn_cli *cli, const char *path) {
    const char *slash = path;
    while ((slash = strchr(slash + 1, '/')) != NULL) {
        const char *folder = wrn_cli_text(cli, "%.*s", (int)(slash - path), path);
        if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
            return wrn_cli_fail(cli, WRN_CLI_REFUSED, "cannot make the folder %s: %s",
                                wrn_cli_quote(cli, folder), strerror(errno));
        }
    }
    return WRN_CLI_DONE;
}

int wrn_key_file_read(struct wrn_cli *cli, const char *path, const struct wrn_key_pair **ret_pair) {
    struct wrn_objects objects = {0};
    struct wrn_key_pair *pair = wrn_cli_take(cli, 1, sizeof *pair);
    if (*path == '(' || *path == '{') {
        return wrn_cli_fail(cli, WRN_CLI_USAGE,
                            "a private key is given by the name of its file, for everybody on this "
                            "machine can read command lines");
    }
    if (*path == '\0') {
        return wrn_cli_fail(cli, WRN_CLI_USAGE, "the name of the file with the key is empty");
    }
    if (access(path, F_OK) != 0 && errno == ENOENT) {
        return wrn_cli_fail(cli, WRN_CLI_REFUSED,
                            "there is no file %s; make a key: warren id new --file %s",
                            wrn_files_name(cli, path), wrn_files_name(cli, path));
    }
    int code = wrn_files_read(cli, path, &objects);
    if (code != WRN_CLI_DONE) {
        return code;
    }
    size_t found = 0;
    for (size_t i = 0; i < objects.count; i++) {
        if (!wrn_sexp_is_named(objects.list[i].sexp, "warren-identity")) {
            continue;
        }
        const char *why = wrn_key_file_parse(objects.list[i].sexp, pair);
        if (why != NULL) {
            return wrn_cli_fail(cli, WRN_CLI_REFUSED, "the identity in %s cannot be used: %s",
                                wrn_files_name(cli, path), why);
        }
        found++;
    }
    if (found != 1) {
        return wrn_cli_fail(cli, WRN_CLI_REFUSED,
                            found == 0 ? "%s holds no private key; a file made by warren id new "
                                         "does"
                                       : "%s holds more than one private key: put them into files "
                                         "of their own",
                            wrn_files_name(cli, path));
    }
    *ret_pair = pair;
    return WRN_CLI_DONE;
}

int wrn_key_file_write(struct wrn_cli *cli, const char *path, const struct wrn_key_pair *pair,
                       enum wrn_files_replace replace) {
    uint8_t *bytes = wrn_cli_take(cli, IDENTITY_SIZE, 1);
    struct wrn_sexp_writer w = wrn_sexp_writer(bytes, IDENTITY_SIZE);
    struct wrn_sexp sexp;
    wrn_sexp_open(&w, "warren-identity");
    wrn_sexp_open(&w, "version");
    wrn_sexp_put_word(&w, "1");
    wrn_sexp_close(&w);
    for (size_t i = 0; i < 2; i++) {
        wrn_sexp_open(&w, i == 0 ? "private-key" : "public-key");
        wrn_sexp_open(&w, "ed25519");
        wrn_sexp_put_bytes(&w, i == 0 ? (wrn_span){pair->seed, sizeof pair->seed}
                                      : (wrn_span){pair->public_key, sizeof pair->public_key});
        wrn_sexp_close(&w);
        wrn_sexp_close(&w);
    }
    wrn_sexp_close(&w);
    int error = wrn_sexp_finish(&w, &sexp);
    WRN_ASSERT(error == 0); /* its size is fixed */
    return wrn_files_write(cli, path, wrn_files_print(cli, WRN_SEXP_ADVANCED, sexp), 0600, replace);
}

const char *wrn_key_file_parse(struct wrn_sexp sexp, struct wrn_key_pair *ret_pair) {
    struct wrn_sexp_cursor identity;
    struct wrn_sexp_cursor version;
    const uint8_t *seed = NULL;
    const uint8_t *public_key = NULL;
    if (!wrn_sexp_enter_named(sexp, "warren-identity", &identity)) {
        return "it is no (warren-identity ...)";
    }
    if (!wrn_sexp_take_named(&identity, "version", &version) ||
        !wrn_sexp_take_word(&version, "1") || !wrn_sexp_at_end(&version)) {
        return "it has another version than 1; a newer warren may know it";
    }
    if (!take_key(&identity, "private-key", &seed)) {
        return "its (private-key (ed25519 ...)) is missing or not 32 bytes";
    }
    if (!take_key(&identity, "public-key", &public_key) || !wrn_sexp_at_end(&identity)) {
        return "its (public-key (ed25519 ...)) is missing, not 32 bytes or not the last part";
    }
    memcpy(ret_pair->seed, seed, sizeof ret_pair->seed);
    if (!wrn_sign_public(ret_pair->seed, ret_pair->public_key)) {
        return "no memory is left";
    }
    if (memcmp(ret_pair->public_key, public_key, sizeof ret_pair->public_key) != 0) {
        return "it is damaged: its public key does not belong to its private one";
    }
    return NULL;
}

static bool take_key(struct wrn_sexp_cursor *cursor, const char *name, const uint8_t **ret_bytes) {
    struct wrn_sexp_cursor key;
    struct wrn_sexp_cursor inner;
    wrn_span bytes;
    bool fine = wrn_sexp_take_named(cursor, name, &key) &&
                wrn_sexp_take_named(&key, "ed25519", &inner) &&
                wrn_sexp_take_atom(&inner, &bytes) && wrn_sexp_at_end(&inner) &&
                wrn_sexp_at_end(&key) && bytes.size == WRN_SEED_SIZE;
    if (fine) {
        *ret_bytes = bytes.data;
    }
    return fine;
}
