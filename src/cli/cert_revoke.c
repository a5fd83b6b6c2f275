/* SPDX-License-Identifier: Apache-2.0 */
/* `warren cert revoke`: a signed list of revoked certificates, new or longer than the last one.
 * Forgets nothing that an older list has. */
#include <jansson.h>
#include <stdlib.h>
#include <time.h>

#include "cli/cert.h"
#include "cli/describe.h"
#include "cli/key_file.h"
#include "io/clock.h"

enum { DAYS_30_S = 30 * 86400, HEX_SIZE = 2 * WRN_SHA256_SIZE, LIST_ROOM = 1024 };

/* Hashes of certificates, one after the other. */
struct hashes {
    uint8_t *bytes;
    size_t count;
    size_t capacity;
};

static int run(struct wrn_cli *cli, const struct wrn_args *args);
static int check_together(struct wrn_cli *cli, const struct wrn_args *args);
static int read_all(struct wrn_cli *cli, const struct wrn_args *args,
                    const struct wrn_key_pair *pair, struct hashes *hashes, wrn_span *ret_after);
static int add_what(struct wrn_cli *cli, const char *what, const struct wrn_key_pair *pair,
                    struct hashes *hashes);
static int add_certs(struct wrn_cli *cli, const char *path, const struct wrn_key_pair *pair,
                     struct hashes *hashes);
static int read_flat(struct wrn_cli *cli, const char *path, struct wrn_objects *ret_flat);
static int add_old(struct wrn_cli *cli, const char *path, const struct wrn_key_pair *pair,
                   struct hashes *hashes, wrn_span *ret_after);
static bool is_signed(const struct wrn_objects *objects, struct wrn_sexp object,
                      const uint8_t public_key[WRN_SIGN_PUBLIC_SIZE]);
static int refuse_foreign(struct wrn_cli *cli, const char *where, const struct wrn_spki_cert *cert);
static bool may_revoke(const struct wrn_spki_cert *cert, const struct wrn_key_pair *pair);
static int read_validity(struct wrn_cli *cli, const struct wrn_args *args, wrn_span after,
                         struct wrn_spki_validity *ret_validity);
static void wait_until(struct wrn_cli *cli, int64_t s);
static void add_hash(struct wrn_cli *cli, struct hashes *hashes,
                     const uint8_t hash[WRN_SHA256_SIZE]);
static int compare_hashes(const void *a, const void *b);

static const struct wrn_option options[] = {
    {"key", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "FILE",
     "the identity that issued them (without it: that of warren id show)"},
    {"cert", WRN_OPTION_VALUE, WRN_OPTION_REPEATS, "FILE|HASH",
     "what to revoke: the certificates in a file, or one by the hash that cert show prints"},
    {"crl", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "OLD",
     "the last list of this key; the new one holds all that it holds (without --cert it is "
     "renewed)"},
    {"empty", WRN_OPTION_FLAG, WRN_OPTION_ONCE, NULL,
     "revoke nothing: a first list, for certificates that need one (cert issue --needs-crl)"},
    {"until", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "TIME", "how long the list counts as fresh"},
    {"for", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "30d", "the same as a duration (30d)"},
    {"not-before", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "TIME", "when it begins to count (now)"},
    {"out", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "FILE", "write it there"},
    {"force", WRN_OPTION_FLAG, WRN_OPTION_ONCE, NULL,
     "replace a file that is there (the one of --crl is replaced without)"},
    {"format", WRN_OPTION_VALUE, WRN_OPTION_ONCE, "FORM",
     "advanced, canonical or transport (the default)"},
};

const struct wrn_command wrn_cert_revoke = {
    .name = "cert revoke",
    .summary = "revoke certificates, with a signed list",
    .options = options,
    .option_count = WRN_COUNT(options),
    .details = "What a list names is revoked from its beginning on and for ever. Give the list\n"
               "to all who verify: cert verify takes it as one more FILE. A certificate can be\n"
               "revoked by its issuer, and by the key that its (online crl ...) names.\n",
    .example = "  warren cert revoke --key alice.id --cert bob.cert --out alice.crl\n"
               "  warren cert revoke --key alice.id --cert eve.cert \\\n"
               "      --crl alice.crl --out alice.crl\n",
    .run = run,
};

static int run(struct wrn_cli *cli, const struct wrn_args *args) {
    const struct wrn_key_pair *pair = NULL;
    const char *old = wrn_args_value(args, "crl");
    const char *out = wrn_args_value(args, "out");
    struct hashes hashes = {0};
    struct wrn_spki_validity validity;
    struct wrn_spki_crl crl;
    struct wrn_sexp object;
    wrn_span after = {0};
    int code = check_together(cli, args);
    if (code == WRN_CLI_DONE) {
        code = wrn_cert_read_key(cli, args, &pair);
    }
    if (code == WRN_CLI_DONE) {
        code = read_all(cli, args, pair, &hashes, &after);
    }
    if (code == WRN_CLI_DONE) {
        code = read_validity(cli, args, after, &validity);
    }
    if (code != WRN_CLI_DONE) {
        return code;
    }
    size_t room = LIST_ROOM + hashes.count * (WRN_SHA256_SIZE + 32);
    struct wrn_sexp_writer w = wrn_sexp_writer(wrn_cli_take(cli, room, 1), room);
    uint8_t key[WRN_SPKI_KEY_SEXP_SIZE];
    wrn_spki_write_crl(&w, wrn_spki_key_sexp(pair->public_key, key), hashes.bytes, hashes.count,
                       &validity);
    if (wrn_sexp_finish(&w, &object) != 0 || wrn_spki_read_crl(object, &crl, NULL) != 0) {
        return wrn_cli_fail(cli, WRN_CLI_REFUSED, "cert revoke: %zu hashes are too many for a list",
                            hashes.count);
    }
    const char *sentence = wrn_describe_crl(cli, &crl);
    json_t *json = wrn_describe_crl_json(cli, &crl);
    code = wrn_cert_sign(cli, object, pair->seed, &object);
    if (code != WRN_CLI_DONE) {
        json_decref(json);
        return code;
    }
    bool replaces =
        wrn_args_has(args, "force") || (old != NULL && out != NULL && strcmp(old, out) == 0);
    return wrn_cert_put(cli, args, object, "crl", json, sentence,
                        replaces ? WRN_FILES_REPLACE : WRN_FILES_KEEP);
}

/* Who forgets to say what to revoke must hear of it: an empty list looks like one that helps. */
static int check_together(struct wrn_cli *cli, const struct wrn_args *args) {
    bool has_some = wrn_args_has(args, "cert") || wrn_args_has(args, "crl");
    if (has_some && wrn_args_has(args, "empty")) {
        return wrn_cli_fail(cli, WRN_CLI_USAGE,
                            "cert revoke: --empty goes without --cert and --crl");
    }
    if (!has_some && !wrn_args_has(args, "empty")) {
        return wrn_cli_fail(
            cli, WRN_CLI_USAGE,
            "cert revoke: what is to be revoked? --cert FILE|HASH; or renew a list: "
            "--crl OLD; or begin with a list of nothing: --empty");
    }
    return WRN_CLI_DONE;
}

/* Collects what is to be revoked and what is already, sorted, each once. */
static int read_all(struct wrn_cli *cli, const struct wrn_args *args,
                    const struct wrn_key_pair *pair, struct hashes *hashes, wrn_span *ret_after) {
    const char *const *whats = NULL;
    size_t count = wrn_args_values(args, "cert", &whats);
    const char *old = wrn_args_value(args, "crl");
    for (size_t i = 0; i < count; i++) {
        int code = add_what(cli, whats[i], pair, hashes);
        if (code != WRN_CLI_DONE) {
            return code;
        }
    }
    if (old != NULL) {
        int code = add_old(cli, old, pair, hashes, ret_after);
        if (code != WRN_CLI_DONE) {
            return code;
        }
    }
    if (hashes->count == 0) {
        return WRN_CLI_DONE;
    }
    qsort(hashes->bytes, hashes->count, WRN_SHA256_SIZE, compare_hashes);
    size_t kept = 0;
    for (size_t i = 0; i < hashes->count; i++) {
        const uint8_t *next = hashes->bytes + i * WRN_SHA256_SIZE;
        if (kept == 0 || compare_hashes(next, next - WRN_SHA256_SIZE) != 0) {
            memmove(hashes->bytes + kept++ * WRN_SHA256_SIZE, next, WRN_SHA256_SIZE);
        }
    }
    hashes->count = kept;
    return WRN_CLI_DONE;
}

static int add_what(struct wrn_cli *cli, const char *what, const struct wrn_key_pair *pair,
                    struct hashes *hashes) {
    struct wrn_sexp sexp;
    if (strlen(what) != HEX_SIZE || strspn(what, "0123456789abcdefABCDEF") != HEX_SIZE) {
        return add_certs(cli, what, pair, hashes);
    }
    int code = wrn_files_read_argument(cli, "--cert", wrn_cli_text(cli, "#%s#", what), &sexp);
    if (code == WRN_CLI_DONE) {
        add_hash(cli, hashes, wrn_sexp_atom(sexp).data);
    }
    return code;
}

static int add_certs(struct wrn_cli *cli, const char *path, const struct wrn_key_pair *pair,
                     struct hashes *hashes) {
    struct wrn_objects flat = {0};
    struct wrn_spki_cert cert;
    struct wrn_spki_error why = {0};
    uint8_t hash[WRN_SHA256_SIZE];
    size_t before = hashes->count;
    int code = read_flat(cli, path, &flat);
    if (code != WRN_CLI_DONE) {
        return code;
    }
    for (size_t i = 0; i < flat.count; i++) {
        if (!wrn_sexp_is_named(flat.list[i].sexp, "cert")) {
            continue;
        }
        if (wrn_spki_read_cert(flat.list[i].sexp, WRN_SPKI_STRICT, &cert, &why) != 0) {
            return wrn_cli_fail(cli, WRN_CLI_REFUSED, "%s: %s; revoke it by its hash if you must",
                                flat.list[i].where, wrn_spki_fault_text(why.fault));
        }
        if (!may_revoke(&cert, pair)) {
            return refuse_foreign(cli, flat.list[i].where, &cert);
        }
        wrn_spki_hash(cert.sexp, hash);
        add_hash(cli, hashes, hash);
    }
    if (hashes->count == before) {
        return wrn_cli_fail(cli, WRN_CLI_REFUSED, "there is no certificate in %s",
                            wrn_files_name(cli, path));
    }
    return WRN_CLI_DONE;
}

/* Reads a file's objects, those in sequences too. */
static int read_flat(struct wrn_cli *cli, const char *path, struct wrn_objects *ret_flat) {
    struct wrn_objects objects = {0};
    int code = wrn_files_read(cli, path, &objects);
    return code == WRN_CLI_DONE ? wrn_objects_flatten(cli, &objects, ret_flat) : code;
}

/* Adds what the last list has. It must be one of this key: else a slip would lose all of it. */
static int add_old(struct wrn_cli *cli, const char *path, const struct wrn_key_pair *pair,
                   struct hashes *hashes, wrn_span *ret_after) {
    struct wrn_objects flat = {0};
    struct wrn_spki_crl crl;
    const uint8_t *hash = NULL;
    size_t found = 0;
    int code = read_flat(cli, path, &flat);
    if (code != WRN_CLI_DONE) {
        return code;
    }
    for (size_t i = 0; i < flat.count; i++) {
        if (!wrn_sexp_is_named(flat.list[i].sexp, "crl")) {
            continue;
        }
        if (wrn_spki_read_crl(flat.list[i].sexp, &crl, NULL) != 0 || crl.issuer.ed25519 == NULL ||
            memcmp(crl.issuer.ed25519, pair->public_key, sizeof pair->public_key) != 0 ||
            !is_signed(&flat, crl.sexp, pair->public_key)) {
            return wrn_cli_fail(cli, WRN_CLI_REFUSED,
                                "the list in %s is not one that this key signed; each key has a "
                                "list of its own",
                                wrn_files_name(cli, path));
        }
        found++;
        while (wrn_spki_next_canceled(&crl, &hash)) {
            add_hash(cli, hashes, hash);
        }
        if (ret_after->size == 0 ||
            wrn_spki_date_compare(crl.validity.not_before, *ret_after) > 0) {
            *ret_after = crl.validity.not_before;
        }
    }
    return found > 0 ? WRN_CLI_DONE
                     : wrn_cli_fail(cli, WRN_CLI_REFUSED, "there is no list, (crl ...), in %s",
                                    wrn_files_name(cli, path));
}

static bool is_signed(const struct wrn_objects *objects, struct wrn_sexp object,
                      const uint8_t public_key[WRN_SIGN_PUBLIC_SIZE]) {
    struct wrn_spki_signature signature;
    for (size_t i = 0; i < objects->count; i++) {
        if (wrn_spki_read_signature(objects->list[i].sexp, &signature, NULL) == 0 &&
            wrn_spki_verify(&signature, object, public_key)) {
            return true;
        }
    }
    return false;
}

static int refuse_foreign(struct wrn_cli *cli, const char *where,
                          const struct wrn_spki_cert *cert) {
    return wrn_cli_fail(cli, WRN_CLI_REFUSED,
                        "%s: only its issuer, %s, can revoke this certificate; revoke one of yours "
                        "that stands before it",
                        where, wrn_describe_principal(cli, &cert->issuer));
}

static bool may_revoke(const struct wrn_spki_cert *cert, const struct wrn_key_pair *pair) {
    struct wrn_spki_online online;
    bool has_revoker = cert->online.bytes.size > 0 &&
                       wrn_spki_read_online(cert->online, WRN_SPKI_STRICT, &online, NULL) == 0;
    return wrn_whom_is_key(&cert->issuer, pair->public_key) ||
           (has_revoker && wrn_whom_is_key(&online.principal, pair->public_key));
}

/* The new list must begin later than the last one, or it would not replace it. */
static int read_validity(struct wrn_cli *cli, const struct wrn_args *args, wrn_span after,
                         struct wrn_spki_validity *ret_validity) {
    int64_t after_s = 0;
    bool has_after = after.size > 0 && wrn_spki_date_read(after, &after_s);
    if (has_after && after_s == cli->now_s && !wrn_args_has(args, "not-before")) {
        wait_until(cli, after_s + 1);
    }
    int64_t from_s = cli->now_s;
    int code = wrn_cert_read_validity(cli, args, DAYS_30_S, ret_validity);
    if (code != WRN_CLI_DONE) {
        return code;
    }
    if (ret_validity->not_before.size > 0) {
        if (has_after && wrn_spki_date_compare(ret_validity->not_before, after) <= 0) {
            return wrn_cli_fail(cli, WRN_CLI_USAGE,
                                "--not-before: the list has to begin later than the last one, %s",
                                wrn_describe_date(cli, after));
        }
        return WRN_CLI_DONE;
    }
    if (has_after && after_s >= from_s) {
        from_s = after_s + 1;
        wrn_cli_warn(cli, "note: the last list begins in the future, so this one does too: %s",
                     wrn_describe_date(cli, wrn_cert_date(cli, from_s)));
    }
    ret_validity->not_before = wrn_cert_date(cli, from_s);
    if (wrn_spki_date_compare(ret_validity->not_before, ret_validity->not_after) > 0) {
        return wrn_cli_fail(cli, WRN_CLI_USAGE,
                            "the list would end before the last one begins (%s); choose a later "
                            "--until",
                            wrn_describe_date(cli, after));
    }
    return WRN_CLI_DONE;
}

/* Two lists within one second would make the second begin in the future, and for that moment
 * nothing would be revoked where it has replaced the first: less than a second is waited for. */
static void wait_until(struct wrn_cli *cli, int64_t s) {
    struct timespec due = {.tv_sec = (time_t)s};
    while (clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &due, NULL) == EINTR) {
    }
    cli->now_s = wrn_clock_read().wall.s;
}

static void add_hash(struct wrn_cli *cli, struct hashes *hashes,
                     const uint8_t hash[WRN_SHA256_SIZE]) {
    if (hashes->count == hashes->capacity) {
        size_t capacity = hashes->capacity == 0 ? 16 : hashes->capacity * 2;
        uint8_t *bytes = wrn_cli_take(cli, capacity, WRN_SHA256_SIZE);
        if (hashes->count > 0) {
            memcpy(bytes, hashes->bytes, hashes->count * WRN_SHA256_SIZE);
        }
        hashes->bytes = bytes;
        hashes->capacity = capacity;
    }
    memcpy(hashes->bytes + hashes->count++ * WRN_SHA256_SIZE, hash, WRN_SHA256_SIZE);
}

static int compare_hashes(const void *a, const void *b) {
    return memcmp(a, b, WRN_SHA256_SIZE);
}
