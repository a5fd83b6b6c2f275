/* SPDX-License-Identifier: Apache-2.0 */
/* Puts certificates into words and JSON. Judges nothing. */
#include "cli/describe.h"

#include <jansson.h>

#include "base/hex.h"
#include "cli/files.h"
#include "cli/when.h"

enum { HASH_SHOWN = 8 /* bytes of a hash in a sentence */ };

static const char *describe_delegation(struct wrn_cli *cli, const struct wrn_spki_cert *cert);
static const char *describe_online(struct wrn_cli *cli, struct wrn_sexp sexp);
static const char *describe_part(struct wrn_cli *cli, struct wrn_sexp part);
static const char *join(struct wrn_cli *cli, const char *list, size_t index, size_t count,
                        const char *item);
static const char *atom_text(struct wrn_cli *cli, wrn_span bytes);
static void set_text(struct wrn_cli *cli, json_t *object, const char *name, const char *text);
static void set_validity(struct wrn_cli *cli, json_t *object,
                         const struct wrn_spki_validity *validity);
static json_t *subject_json(struct wrn_cli *cli, const struct wrn_spki_subject *subject);

const char *wrn_describe_principal(struct wrn_cli *cli,
                                   const struct wrn_spki_principal *principal) {
    struct wrn_sexp_cursor hash;
    wrn_span algorithm;
    wrn_span bytes;
    if (principal->ed25519 != NULL) {
        uint8_t hit[WRN_HIT_SIZE];
        char text[WRN_HIT_TEXT_SIZE];
        wrn_hit(principal->ed25519, hit);
        wrn_hit_print(hit, text);
        return wrn_cli_text(cli, "%s", text);
    }
    if (!principal->is_key && wrn_sexp_enter_named(principal->sexp, "hash", &hash) &&
        wrn_sexp_take_atom(&hash, &algorithm) && wrn_sexp_take_atom(&hash, &bytes)) {
        size_t shown = bytes.size < HASH_SHOWN ? bytes.size : HASH_SHOWN;
        return wrn_cli_text(cli, "the key with the %s hash %s%s", atom_text(cli, algorithm),
                            wrn_describe_hex(cli, bytes.data, shown),
                            shown < bytes.size ? "..." : "");
    }
    return principal->sexp.bytes.size == 0
               ? "nobody"
               : wrn_files_line(cli, WRN_SEXP_ADVANCED, principal->sexp);
}

const char *wrn_describe_subject(struct wrn_cli *cli, const struct wrn_spki_subject *subject) {
    const char *list = "";
    switch (subject->kind) {
    case WRN_SPKI_SUBJECT_PRINCIPAL:
        return wrn_describe_principal(cli, &subject->principal);
    case WRN_SPKI_SUBJECT_NAME:
        for (size_t i = 0; i < subject->name_count; i++) {
            list = wrn_cli_text(cli, "%s%s%s", list, i == 0 ? "" : " ",
                                atom_text(cli, subject->names[i]));
        }
        return wrn_cli_text(cli, "whoever is named %s by %s", list,
                            wrn_describe_principal(cli, &subject->principal));
    case WRN_SPKI_SUBJECT_THRESHOLD:
        for (size_t i = 0; i < subject->n; i++) {
            list = join(cli, list, i, subject->n, describe_part(cli, subject->parts[i]));
        }
        return wrn_cli_text(cli, "any %u together of %s", subject->k, list);
    case WRN_SPKI_SUBJECT_OBJECT:
        break;
    }
    return wrn_files_line(cli, WRN_SEXP_ADVANCED, subject->sexp);
}

const char *wrn_describe_date(struct wrn_cli *cli, wrn_spki_date date) {
    int64_t s = 0;
    char text[WRN_WHEN_SIZE];
    if (date.size == 0) {
        return NULL;
    }
    if (wrn_spki_date_read(date, &s) && wrn_when_print(s, text)) {
        return wrn_cli_text(cli, "%s", text);
    }
    return atom_text(cli, date); /* cut short, as foreign ones may be: no moment of RFC 3339 */
}

const char *wrn_describe_validity(struct wrn_cli *cli, const struct wrn_spki_validity *validity) {
    const char *from = wrn_describe_date(cli, validity->not_before);
    const char *until = wrn_describe_date(cli, validity->not_after);
    if (from == NULL && until == NULL) {
        return "for ever";
    }
    if (until == NULL) {
        return wrn_cli_text(cli, "from %s on", from);
    }
    return from == NULL ? wrn_cli_text(cli, "until %s", until)
                        : wrn_cli_text(cli, "from %s until %s", from, until);
}

const char *wrn_describe_cert(struct wrn_cli *cli, const struct wrn_spki_cert *cert) {
    const char *who = wrn_describe_subject(cli, &cert->subject);
    const char *when = wrn_describe_validity(cli, &cert->validity);
    const char *online = describe_online(cli, cert->online);
    const char *issuer =
        cert->is_acl_entry ? "This ACL" : wrn_describe_principal(cli, &cert->issuer);
    if (cert->issuer_name.data != NULL) {
        return wrn_cli_text(cli, "%s says that %s is its %s, %s%s.", issuer, who,
                            atom_text(cli, cert->issuer_name), when, online);
    }
    const char *tag =
        cert->tag.bytes.size == 0 ? "(*)" : wrn_files_line(cli, WRN_SEXP_ADVANCED, cert->tag);
    const char *everything = strcmp(tag, "(*)") == 0  ? "do everything: "
                             : strcmp(tag, "()") == 0 ? "do everything that is a list: "
                                                      : "";
    return wrn_cli_text(cli, "%s says that %s may %s%s%s, %s%s.", issuer, who, everything, tag,
                        describe_delegation(cli, cert), when, online);
}

const char *wrn_describe_crl(struct wrn_cli *cli, const struct wrn_spki_crl *crl) {
    return wrn_cli_text(cli, "%s has revoked %zu certificate%s; this list holds %s.",
                        wrn_describe_principal(cli, &crl->issuer), crl->count,
                        crl->count == 1 ? "" : "s", wrn_describe_validity(cli, &crl->validity));
}

const char *wrn_describe_hex(struct wrn_cli *cli, const uint8_t *bytes, size_t size) {
    char *text = wrn_cli_take(cli, size * 2 + 1, 1);
    wrn_hex_write(bytes, size, text);
    return text;
}

json_t *wrn_describe_principal_json(struct wrn_cli *cli,
                                    const struct wrn_spki_principal *principal) {
    json_t *json = wrn_cli_json_object(cli);
    if (principal->ed25519 != NULL) {
        set_text(cli, json, "hit", wrn_describe_principal(cli, principal));
    }
    set_text(cli, json, "sexp", wrn_files_line(cli, WRN_SEXP_ADVANCED, principal->sexp));
    return json;
}

json_t *wrn_describe_cert_json(struct wrn_cli *cli, const struct wrn_spki_cert *cert) {
    static const char *const delegations[] = {[WRN_SPKI_NOT_DELEGABLE] = "none",
                                              [WRN_SPKI_DELEGABLE] = "any",
                                              [WRN_SPKI_DELEGABLE_TO] = "only"};
    json_t *json = wrn_cli_json_object(cli);
    uint8_t hash[WRN_SHA256_SIZE];
    set_text(cli, json, "kind", cert->is_acl_entry ? "entry" : "certificate");
    set_text(cli, json, "sentence", wrn_describe_cert(cli, cert));
    if (!cert->is_acl_entry) {
        wrn_spki_hash(cert->sexp, hash);
        set_text(cli, json, "hash", wrn_describe_hex(cli, hash, sizeof hash));
        wrn_cli_json_set(cli, json, "issuer", wrn_describe_principal_json(cli, &cert->issuer));
    }
    if (cert->issuer_name.data != NULL) {
        set_text(cli, json, "name", atom_text(cli, cert->issuer_name));
    }
    wrn_cli_json_set(cli, json, "subject", subject_json(cli, &cert->subject));
    if (cert->tag.bytes.size > 0) {
        set_text(cli, json, "tag", wrn_files_line(cli, WRN_SEXP_ADVANCED, cert->tag));
    }
    set_text(cli, json, "delegation", delegations[cert->delegation]);
    if (cert->delegation == WRN_SPKI_DELEGABLE_TO) {
        json_t *only = wrn_cli_json_list(cli);
        for (size_t i = 0; i < cert->only_count; i++) {
            wrn_cli_json_append(cli, only, wrn_describe_principal_json(cli, &cert->only[i]));
        }
        wrn_cli_json_set(cli, json, "only", only);
    }
    set_validity(cli, json, &cert->validity);
    if (cert->online.bytes.size > 0) {
        set_text(cli, json, "online", wrn_files_line(cli, WRN_SEXP_ADVANCED, cert->online));
    }
    if (cert->comment.size > 0) {
        set_text(cli, json, "comment", atom_text(cli, cert->comment));
    }
    return json;
}

json_t *wrn_describe_crl_json(struct wrn_cli *cli, const struct wrn_spki_crl *crl) {
    struct wrn_spki_crl walk = *crl;
    json_t *json = wrn_cli_json_object(cli);
    json_t *canceled = wrn_cli_json_list(cli);
    const uint8_t *hash = NULL;
    set_text(cli, json, "kind", "crl");
    set_text(cli, json, "sentence", wrn_describe_crl(cli, crl));
    wrn_cli_json_set(cli, json, "issuer", wrn_describe_principal_json(cli, &crl->issuer));
    while (wrn_spki_next_canceled(&walk, &hash)) {
        wrn_cli_json_append(cli, canceled,
                            wrn_cli_json_text(cli, wrn_describe_hex(cli, hash, WRN_SHA256_SIZE)));
    }
    wrn_cli_json_set(cli, json, "canceled", canceled);
    set_validity(cli, json, &crl->validity);
    return json;
}

static const char *describe_delegation(struct wrn_cli *cli, const struct wrn_spki_cert *cert) {
    const char *list = "";
    switch (cert->delegation) {
    case WRN_SPKI_NOT_DELEGABLE:
        return " and may not pass it on";
    case WRN_SPKI_DELEGABLE:
        return " and may pass it on";
    case WRN_SPKI_DELEGABLE_TO:
        break;
    }
    for (size_t i = 0; i < cert->only_count; i++) {
        list = join(cli, list, i, cert->only_count, wrn_describe_principal(cli, &cert->only[i]));
    }
    return wrn_cli_text(cli, " and may pass it on to nobody but %s, who may not pass it on", list);
}

/* What a certificate demands besides, as the end of its sentence. */
static const char *describe_online(struct wrn_cli *cli, struct wrn_sexp sexp) {
    struct wrn_spki_online online;
    if (sexp.bytes.size == 0) {
        return "";
    }
    if (wrn_spki_read_online(sexp, WRN_SPKI_STUDY, &online, NULL) != 0 ||
        online.kind == WRN_SPKI_ONLINE_ONE_TIME) {
        return wrn_cli_text(cli, ", if %s confirms it",
                            wrn_files_line(cli, WRN_SEXP_ADVANCED, sexp));
    }
    return wrn_cli_text(cli, ", together with a %s of %s that is in force",
                        online.kind == WRN_SPKI_ONLINE_CRL ? "revocation list" : "revalidation",
                        wrn_describe_principal(cli, &online.principal));
}

/* One part of a threshold. A threshold within one is shown as it is written. */
static const char *describe_part(struct wrn_cli *cli, struct wrn_sexp part) {
    struct wrn_spki_principal principal;
    if (wrn_spki_read_principal(part, WRN_SPKI_STUDY, &principal, NULL) == 0) {
        return wrn_describe_principal(cli, &principal);
    }
    return wrn_files_line(cli, WRN_SEXP_ADVANCED, part);
}

/* Adds to a list in words: "a", "a and b", "a, b and c". */
static const char *join(struct wrn_cli *cli, const char *list, size_t index, size_t count,
                        const char *item) {
    const char *between = index == 0 ? "" : index + 1 == count ? " and " : ", ";
    return wrn_cli_text(cli, "%s%s%s", list, between, item);
}

/* An atom as the advanced form shows it, which no terminal takes for a command. */
static const char *atom_text(struct wrn_cli *cli, wrn_span bytes) {
    size_t room = bytes.size + 32;
    struct wrn_sexp_writer w = wrn_sexp_writer(wrn_cli_take(cli, room, 1), room);
    struct wrn_sexp sexp;
    wrn_sexp_put_bytes(&w, bytes);
    int error = wrn_sexp_finish(&w, &sexp);
    WRN_ASSERT(error == 0); /* the room is the atom's and its length's */
    return wrn_files_line(cli, WRN_SEXP_ADVANCED, sexp);
}

static void set_text(struct wrn_cli *cli, json_t *object, const char *name, const char *text) {
    wrn_cli_json_set(cli, object, name, wrn_cli_json_text(cli, text));
}

static void set_validity(struct wrn_cli *cli, json_t *object,
                         const struct wrn_spki_validity *validity) {
    set_text(cli, object, "not_before", wrn_describe_date(cli, validity->not_before));
    set_text(cli, object, "not_after", wrn_describe_date(cli, validity->not_after));
}

static json_t *subject_json(struct wrn_cli *cli, const struct wrn_spki_subject *subject) {
    static const char *const kinds[] = {[WRN_SPKI_SUBJECT_PRINCIPAL] = "principal",
                                        [WRN_SPKI_SUBJECT_NAME] = "name",
                                        [WRN_SPKI_SUBJECT_THRESHOLD] = "threshold",
                                        [WRN_SPKI_SUBJECT_OBJECT] = "object"};
    json_t *json = wrn_cli_json_object(cli);
    set_text(cli, json, "kind", kinds[subject->kind]);
    if (subject->kind == WRN_SPKI_SUBJECT_PRINCIPAL && subject->principal.ed25519 != NULL) {
        set_text(cli, json, "hit", wrn_describe_principal(cli, &subject->principal));
    }
    set_text(cli, json, "sexp", wrn_files_line(cli, WRN_SEXP_ADVANCED, subject->sexp));
    return json;
}
