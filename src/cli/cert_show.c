/* SPDX-License-Identifier: Apache-2.0 */
/* `warren cert show`: what is in files, in the advanced form and in words. Grants nothing: only a
 * verifier's ACL can make a certificate count. */
#include <jansson.h>
#include <stdlib.h>

#include "cli/cert.h"
#include "cli/describe.h"

/* What is known of an object's signature. */
enum signature_state { SIGNED, UNSIGNED, BADLY_SIGNED, KEY_UNKNOWN };

/* One object that is being shown. */
struct shown {
    struct wrn_sexp sexp;
    const char *kind; /* in words; NULL: not shown alone */
    const char *sentence;
    const char *signature; /* NULL: such objects are not signed */
    const char *time;      /* NULL: it holds now, or has no time */
    json_t *json;
};

static int run(struct wrn_cli *cli, const struct wrn_args *args);
static bool show(struct wrn_cli *cli, const struct wrn_object *object,
                 const struct wrn_objects *signatures, json_t *list);
static bool read_cert(struct wrn_cli *cli, const struct wrn_object *object,
                      const struct wrn_objects *signatures, struct shown *ret_shown);
static bool read_crl(struct wrn_cli *cli, const struct wrn_object *object,
                     const struct wrn_objects *signatures, struct shown *ret_shown);
static bool read_other(struct wrn_cli *cli, const struct wrn_object *object,
                       struct shown *ret_shown);
static void print(struct wrn_cli *cli, const struct wrn_object *object, const struct shown *shown,
                  json_t *list);
static void list_signatures(struct wrn_cli *cli, const struct wrn_objects *objects,
                            struct wrn_objects *ret_signatures);
static int compare_signatures(const void *a, const void *b);
static struct wrn_spki_signature read_signature(const struct wrn_object *object);
static size_t find_first(const struct wrn_objects *signatures, const uint8_t hash[WRN_SHA256_SIZE]);
static enum signature_state find_signature(const struct wrn_objects *signatures,
                                           struct wrn_sexp object,
                                           const struct wrn_spki_principal *issuer);
static const char *describe_time(struct wrn_cli *cli, const struct wrn_spki_validity *validity);

static const struct wrn_option options[] = {
    {"hash", WRN_OPTION_FLAG, WRN_OPTION_ONCE, NULL,
     "print nothing but the certificates' hashes, one a line"},
};

const struct wrn_command wrn_cert_show = {
    .name = "cert show",
    .summary = "show certificates, ACLs and revocation lists, in words too",
    .operand = "FILE",
    .operands_min = 1,
    .operands_max = SIZE_MAX,
    .options = options,
    .option_count = WRN_COUNT(options),
    .details = "Each object is printed in the advanced form of S-expressions, with a sentence\n"
               "that says what it means, and whether its signature is good. A private key is\n"
               "not shown. What certificates grant together, cert verify and cert reduce say.\n",
    .example = "  warren cert show bob.cert\n",
    .run = run,
};

static const char *const signature_names[] = {
    [SIGNED] = "good", [UNSIGNED] = "none", [BADLY_SIGNED] = "bad", [KEY_UNKNOWN] = "key unknown"};

static const char *const signature_texts[] = {
    [SIGNED] = "Signed by its issuer.",
    [UNSIGNED] = "NOT SIGNED by its issuer: nobody need believe it.",
    [BADLY_SIGNED] = "The SIGNATURE IS BAD: it was changed, or is a forgery.",
    [KEY_UNKNOWN] = "Signed, but the issuer's key is not in these files: add it to check.",
};

static int run(struct wrn_cli *cli, const struct wrn_args *args) {
    struct wrn_objects objects = {0};
    struct wrn_objects flat = {0};
    struct wrn_objects signatures = {0};
    bool is_fine = true;
    int code = WRN_CLI_DONE;
    for (size_t i = 0; i < args->operand_count; i++) {
        code = wrn_files_read(cli, args->operands[i], &objects);
        if (code != WRN_CLI_DONE) {
            return code;
        }
    }
    code = wrn_objects_flatten(cli, &objects, &flat);
    if (code != WRN_CLI_DONE) {
        return code;
    }
    if (wrn_args_has(args, "hash") && !cli->json) {
        for (size_t i = 0; i < flat.count; i++) {
            uint8_t hash[WRN_SHA256_SIZE];
            if (wrn_sexp_is_named(flat.list[i].sexp, "cert")) {
                wrn_spki_hash(flat.list[i].sexp, hash);
                (void)fprintf(cli->out, "%s\n", wrn_describe_hex(cli, hash, sizeof hash));
            }
        }
        return WRN_CLI_DONE;
    }
    json_t *list = wrn_cli_json_list(cli);
    list_signatures(cli, &flat, &signatures);
    for (size_t i = 0; i < flat.count; i++) {
        is_fine = show(cli, &flat.list[i], &signatures, list) && is_fine;
    }
    if (cli->json) {
        json_t *json = wrn_cli_json_object(cli);
        wrn_cli_json_set(cli, json, "objects", json_incref(list));
        wrn_cli_print_json(cli, json);
    }
    json_decref(list);
    return is_fine ? WRN_CLI_DONE : WRN_CLI_REFUSED;
}

/* Shows one object; returns whether it is one that we understand. */
static bool show(struct wrn_cli *cli, const struct wrn_object *object,
                 const struct wrn_objects *signatures, json_t *list) {
    struct shown shown = {.sexp = object->sexp};
    bool is_fine = true;
    if (wrn_sexp_is_named(object->sexp, "cert") || wrn_sexp_is_named(object->sexp, "entry")) {
        is_fine = read_cert(cli, object, signatures, &shown);
    } else if (wrn_sexp_is_named(object->sexp, "crl") || wrn_sexp_is_named(object->sexp, "reval")) {
        is_fine = read_crl(cli, object, signatures, &shown);
    } else if (!wrn_sexp_is_named(object->sexp,
                                  "signature")) { /* those are said with what they sign */
        is_fine = read_other(cli, object, &shown);
    }
    if (shown.kind != NULL) {
        print(cli, object, &shown, list);
    }
    return is_fine;
}

static bool read_cert(struct wrn_cli *cli, const struct wrn_object *object,
                      const struct wrn_objects *signatures, struct shown *ret_shown) {
    bool is_entry = wrn_sexp_is_named(object->sexp, "entry");
    struct wrn_spki_cert cert;
    struct wrn_spki_error why = {0};
    int error = 0;
    ret_shown->kind = is_entry ? "entry of an ACL" : "certificate";
    for (unsigned i = 0; i < 2; i++) {
        enum wrn_spki_mode mode = i == 0 ? WRN_SPKI_STRICT : WRN_SPKI_STUDY;
        error = is_entry ? wrn_spki_read_entry(object->sexp, mode, &cert, &why)
                         : wrn_spki_read_cert(object->sexp, mode, &cert, &why);
        if (error == 0 && mode == WRN_SPKI_STUDY) {
            wrn_cli_warn(cli,
                         "%s: this %s is of a kind that only cert reduce --assume-signed takes",
                         object->where, ret_shown->kind);
        }
        if (error == 0) {
            break;
        }
    }
    ret_shown->json = wrn_cli_json_object(cli);
    if (error != 0) {
        ret_shown->sentence =
            wrn_cli_text(cli, "This is NOT VALID: %s, at %s.", wrn_spki_fault_text(why.fault),
                         wrn_files_line(cli, WRN_SEXP_ADVANCED, why.at));
        return false;
    }
    json_decref(ret_shown->json);
    ret_shown->json = wrn_describe_cert_json(cli, &cert);
    ret_shown->sentence = wrn_describe_cert(cli, &cert);
    ret_shown->time = describe_time(cli, &cert.validity);
    if (!is_entry) {
        enum signature_state state = find_signature(signatures, cert.sexp, &cert.issuer);
        ret_shown->signature = signature_texts[state];
        wrn_cli_json_set(cli, ret_shown->json, "signature",
                         wrn_cli_json_text(cli, signature_names[state]));
    }
    return true;
}

static bool read_crl(struct wrn_cli *cli, const struct wrn_object *object,
                     const struct wrn_objects *signatures, struct shown *ret_shown) {
    struct wrn_spki_crl crl = {0};
    struct wrn_spki_reval reval = {0};
    struct wrn_spki_error why = {0};
    bool is_crl = wrn_sexp_is_named(object->sexp, "crl");
    int error = is_crl ? wrn_spki_read_crl(object->sexp, &crl, &why)
                       : wrn_spki_read_reval(object->sexp, &reval, &why);
    ret_shown->kind = is_crl ? "revocation list" : "revalidation";
    if (error != 0) {
        ret_shown->json = wrn_cli_json_object(cli);
        ret_shown->sentence =
            wrn_cli_text(cli, "This is NOT VALID: %s, at %s.", wrn_spki_fault_text(why.fault),
                         wrn_files_line(cli, WRN_SEXP_ADVANCED, why.at));
        return false;
    }
    if (is_crl) {
        ret_shown->json = wrn_describe_crl_json(cli, &crl);
        ret_shown->sentence = wrn_describe_crl(cli, &crl);
        ret_shown->time = describe_time(cli, &crl.validity);
    } else {
        ret_shown->json = wrn_cli_json_object(cli);
        ret_shown->sentence =
            wrn_cli_text(cli, "%s says that the certificate with the hash %s is good, %s.",
                         wrn_describe_principal(cli, &reval.issuer),
                         wrn_describe_hex(cli, reval.cert_hash, WRN_SHA256_SIZE),
                         wrn_describe_validity(cli, &reval.validity));
        ret_shown->time = describe_time(cli, &reval.validity);
    }
    enum signature_state state =
        find_signature(signatures, object->sexp, is_crl ? &crl.issuer : &reval.issuer);
    ret_shown->signature = signature_texts[state];
    wrn_cli_json_set(cli, ret_shown->json, "signature",
                     wrn_cli_json_text(cli, signature_names[state]));
    return true;
}

/* Keys, and what is none of ours. */
static bool read_other(struct wrn_cli *cli, const struct wrn_object *object,
                       struct shown *ret_shown) {
    struct wrn_spki_principal principal;
    ret_shown->json = wrn_cli_json_object(cli);
    if (wrn_sexp_is_named(object->sexp, "warren-identity") ||
        wrn_sexp_is_named(object->sexp, "private-key")) {
        ret_shown->kind = "private key";
        ret_shown->sentence = "It is not shown; its public half: warren id show --file FILE.";
        ret_shown->sexp = (struct wrn_sexp){0};
        return true;
    }
    if (wrn_spki_read_principal(object->sexp, WRN_SPKI_STRICT, &principal, NULL) == 0) {
        ret_shown->kind = "public key";
        ret_shown->sentence =
            wrn_cli_text(cli, "The key of %s.", wrn_describe_principal(cli, &principal));
        return true;
    }
    ret_shown->kind = "unknown object";
    ret_shown->sentence = "This is NOT an ACL, a certificate, a key or a revocation list.";
    return false;
}

static void print(struct wrn_cli *cli, const struct wrn_object *object, const struct shown *shown,
                  json_t *list) {
    bool is_secret = shown->sexp.bytes.size == 0;
    if (cli->json) {
        const char *line = is_secret ? NULL : wrn_files_line(cli, WRN_SEXP_ADVANCED, shown->sexp);
        if (json_object_get(shown->json, "kind") == NULL) {
            wrn_cli_json_set(cli, shown->json, "kind", wrn_cli_json_text(cli, shown->kind));
        }
        wrn_cli_json_set(cli, shown->json, "file", wrn_cli_json_text(cli, object->file));
        wrn_cli_json_set(cli, shown->json, "advanced", wrn_cli_json_text(cli, line));
        wrn_cli_json_set(cli, shown->json, "sentence", wrn_cli_json_text(cli, shown->sentence));
        wrn_cli_json_append(cli, list, shown->json);
        return;
    }
    json_t *hash = json_object_get(shown->json, "hash");
    (void)fprintf(cli->out, "%s%s%s (%s)\n", shown->kind, hash != NULL ? " " : "",
                  hash != NULL ? json_string_value(hash) : "", object->where);
    if (!is_secret) {
        wrn_span text = wrn_files_print(cli, WRN_SEXP_ADVANCED, shown->sexp);
        (void)fwrite(text.data, 1, text.size, cli->out);
    }
    (void)fprintf(cli->out, "%s%s%s%s%s\n\n", shown->sentence, shown->signature != NULL ? " " : "",
                  shown->signature != NULL ? shown->signature : "", shown->time != NULL ? " " : "",
                  shown->time != NULL ? shown->time : "");
    json_decref(shown->json);
}

/* Puts the signatures into the order of what they sign: they are searched for each object. */
static void list_signatures(struct wrn_cli *cli, const struct wrn_objects *objects,
                            struct wrn_objects *ret_signatures) {
    struct wrn_spki_signature signature;
    for (size_t i = 0; i < objects->count; i++) {
        if (wrn_spki_read_signature(objects->list[i].sexp, &signature, NULL) == 0) {
            wrn_objects_add(cli, ret_signatures, objects->list[i]);
        }
    }
    if (ret_signatures->count > 0) {
        qsort(ret_signatures->list, ret_signatures->count, sizeof *ret_signatures->list,
              compare_signatures);
    }
}

static int compare_signatures(const void *a, const void *b) {
    struct wrn_spki_signature left = read_signature(a);
    struct wrn_spki_signature right = read_signature(b);
    return memcmp(left.object_hash, right.object_hash, WRN_SHA256_SIZE);
}

/* Reads one of the list, which are all good. */
static struct wrn_spki_signature read_signature(const struct wrn_object *object) {
    struct wrn_spki_signature signature;
    int error = wrn_spki_read_signature(object->sexp, &signature, NULL);
    WRN_ASSERT(error == 0);
    return signature;
}

/* The place of the first signature of an object with this hash. */
static size_t find_first(const struct wrn_objects *signatures,
                         const uint8_t hash[WRN_SHA256_SIZE]) {
    size_t low = 0;
    size_t high = signatures->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct wrn_spki_signature signature = read_signature(&signatures->list[middle]);
        if (memcmp(signature.object_hash, hash, WRN_SHA256_SIZE) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Looks for a signature of the issuer anywhere in the files. */
static enum signature_state find_signature(const struct wrn_objects *signatures,
                                           struct wrn_sexp object,
                                           const struct wrn_spki_principal *issuer) {
    enum signature_state state = UNSIGNED;
    uint8_t hash[WRN_SHA256_SIZE];
    wrn_spki_hash(object, hash);
    for (size_t i = find_first(signatures, hash); i < signatures->count; i++) {
        struct wrn_spki_signature signature = read_signature(&signatures->list[i]);
        const uint8_t *key = issuer->ed25519;
        if (memcmp(signature.object_hash, hash, sizeof hash) != 0) {
            break;
        }
        if (signature.signer.ed25519 != NULL &&
            wrn_whom_is_key(issuer, signature.signer.ed25519)) { /* the issuer may be a hash */
            key = signature.signer.ed25519;
        }
        if (key != NULL && wrn_spki_verify(&signature, object, key)) {
            return SIGNED;
        }
        state = key == NULL ? KEY_UNKNOWN : BADLY_SIGNED;
    }
    return state;
}

static const char *describe_time(struct wrn_cli *cli, const struct wrn_spki_validity *validity) {
    wrn_spki_date now = wrn_cert_date(cli, cli->now_s);
    if (validity->not_after.size > 0 && wrn_spki_date_compare(validity->not_after, now) < 0) {
        return "EXPIRED.";
    }
    if (validity->not_before.size > 0 && wrn_spki_date_compare(now, validity->not_before) < 0) {
        return "NOT YET valid.";
    }
    return NULL;
}
