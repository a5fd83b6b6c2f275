/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and writes files with private keys. Prints nothing of them. */
#include "cli/key_file.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

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
        const char *why = wrn_key_pair_read(objects.list[i].sexp, pair);
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
    uint8_t *bytes = wrn_cli_take(cli, WRN_KEY_PAIR_SIZE, 1);
    struct wrn_sexp sexp = wrn_key_pair_write(pair, bytes);
    return wrn_files_write(cli, path, wrn_files_print(cli, WRN_SEXP_ADVANCED, sexp), 0600, replace);
}
