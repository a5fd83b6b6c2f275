/* SPDX-License-Identifier: Apache-2.0 */
/* Says in a sentence what the prover answered. Decides nothing. */
#include <stdio.h>

#include "spki/prove_internal.h"

struct text {
    char *out;
    size_t capacity; /* the zero byte included */
    size_t size;
    const struct wrn_spki_speaker *speaker;
};

enum { PRINCIPAL_SIZE = 200, TAG_SIZE = 300 };

static void put(struct text *text, const char *words);
static void put_number(struct text *text, size_t number);
static void put_date(struct text *text, wrn_spki_date date);
static void put_principal(struct text *text, const struct wrn_spki_principal *principal);
static void put_by_hash(const struct wrn_spki_principal *principal, char *out, size_t capacity);
static void put_subject(struct text *text, const struct wrn_spki_subject *subject);
static void put_word(struct text *text, wrn_span name);
static void put_sexp(struct text *text, struct wrn_sexp sexp);
static void put_grant(struct text *text, const struct wrn_spki_answer *answer);
static void put_culprit(struct text *text, const struct wrn_spki_answer *answer);
static void put_reason(struct text *text, const struct wrn_spki_answer *answer);
static void put_demand(struct text *text, const struct wrn_spki_answer *answer);
static void put_delegation(struct text *text, const struct wrn_spki_answer *answer);

size_t wrn_spki_explain(const struct wrn_spki_answer *answer,
                        const struct wrn_spki_speaker *speaker, char *out, size_t capacity) {
    struct text text = {.out = out, .capacity = capacity, .speaker = speaker};
    WRN_ASSERT(capacity > 0);
    if (answer->verdict == WRN_SPKI_GRANTED) {
        put_grant(&text, answer);
    } else {
        put(&text, "refused: ");
        if (answer->culprit) {
            put_culprit(&text, answer);
            put_reason(&text, answer);
        } else {
            put(&text, wrn_spki_verdict_text(answer->verdict));
        }
    }
    out[text.size] = '\0';
    return text.size;
}

static void put(struct text *text, const char *words) {
    size_t size = strlen(words);
    size_t room = text->capacity - 1 - text->size;
    size = size < room ? size : room;
    memcpy(text->out + text->size, words, size);
    text->size += size;
}

static void put_number(struct text *text, size_t number) {
    char digits[24];
    (void)snprintf(digits, sizeof(digits), "%zu", number);
    put(text, digits);
}

/* "2026-11-21 13:37:00 UTC" */
static void put_date(struct text *text, wrn_spki_date date) {
    char words[48] = {0};
    size_t size = date.size < sizeof(words) ? date.size : sizeof(words) - 1;
    for (size_t i = 0; i < size; i++) {
        words[i] = date.data[i] == '_' ? ' ' : (char)date.data[i];
    }
    put(text, words);
    put(text, " UTC");
}

static void put_principal(struct text *text, const struct wrn_spki_principal *principal) {
    char name[PRINCIPAL_SIZE] = {0};
    if (text->speaker) {
        text->speaker->name(text->speaker->context, principal, name, sizeof(name) - 1);
    } else {
        put_by_hash(principal, name, sizeof(name));
    }
    put(text, name);
}

/* A key is called by its SHA-256, as its hash is. */
static void put_by_hash(const struct wrn_spki_principal *principal, char *out, size_t capacity) {
    uint8_t hash[WRN_SHA256_SIZE] = {0};
    struct wrn_sexp_cursor cursor;
    wrn_span algorithm, bytes;
    if (principal->is_key) {
        wrn_spki_hash(principal->sexp, hash);
    } else if (wrn_sexp_enter_named(principal->sexp, "hash", &cursor) &&
               wrn_sexp_take_atom(&cursor, &algorithm) && wrn_sexp_take_atom(&cursor, &bytes)) {
        memcpy(hash, bytes.data, bytes.size < sizeof(hash) ? bytes.size : sizeof(hash));
    }
    (void)snprintf(out, capacity, "key %02x%02x%02x%02x", hash[0], hash[1], hash[2], hash[3]);
}

static void put_subject(struct text *text, const struct wrn_spki_subject *subject) {
    switch (subject->kind) {
    case WRN_SPKI_SUBJECT_PRINCIPAL:
        put_principal(text, &subject->principal);
        return;
    case WRN_SPKI_SUBJECT_NAME:
        put(text, "the name");
        for (size_t i = 0; i < subject->name_count; i++) {
            put(text, i == 0 ? " \"" : " ");
            put_word(text, subject->names[i]);
        }
        put(text, "\" of ");
        put_principal(text, &subject->principal);
        return;
    case WRN_SPKI_SUBJECT_THRESHOLD:
        put_number(text, subject->k);
        put(text, " of ");
        put_number(text, subject->n);
        put(text, " subjects");
        return;
    case WRN_SPKI_SUBJECT_OBJECT:
        put(text, "an object");
        return;
    }
}

/* Nothing that a terminal would obey. */
static void put_word(struct text *text, wrn_span name) {
    char word[64] = {0};
    for (size_t i = 0; i < name.size && i < sizeof(word) - 1; i++) {
        word[i] = name.data[i] >= ' ' && name.data[i] < 0x7f ? (char)name.data[i] : '?';
    }
    put(text, word);
}

static void put_sexp(struct text *text, struct wrn_sexp sexp) {
    char words[TAG_SIZE];
    size_t size = wrn_sexp_print(WRN_SEXP_ADVANCED, sexp, 0, words, sizeof(words) - 1);
    if (size < sizeof(words)) {
        words[size] = '\0';
        put(text, words);
    } else {
        put(text, "an expression of ");
        put_number(text, sexp.bytes.size);
        put(text, " bytes");
    }
}

static void put_grant(struct text *text, const struct wrn_spki_answer *answer) {
    put(text, "granted");
    if (answer->validity.not_after.size > 0) {
        put(text, " until ");
        put_date(text, answer->validity.not_after);
    } else {
        put(text, " without end");
    }
    put(text, " by an entry of the ACL");
    if (answer->chain_count > 1) {
        put(text, " and ");
        put_number(text, answer->chain_count - 1);
        put(text, answer->chain_count == 2 ? " certificate" : " certificates");
    }
}

/* "certificate 2 of 3 (by key 12345678 for key 9abcdef0) ", "... (by key 12345678, whose name
 * "joe" is key 9abcdef0) " */
static void put_culprit(struct text *text, const struct wrn_spki_answer *answer) {
    const struct wrn_spki_cert *cert = answer->culprit;
    if (cert->is_acl_entry) {
        put(text, "the ACL's entry for ");
        put_subject(text, &cert->subject);
        put(text, " ");
        return;
    }
    bool has_entry = answer->chain_count > 0 && answer->chain[0]->is_acl_entry;
    put(text, "certificate ");
    put_number(text, answer->culprit_index + (has_entry ? 0 : 1));
    put(text, " of ");
    put_number(text, answer->chain_count - (has_entry ? 1 : 0));
    put(text, " (by ");
    put_principal(text, &cert->issuer);
    if (cert->issuer_name.data) {
        put(text, ", whose name \"");
        put_word(text, cert->issuer_name);
        put(text, "\" is ");
    } else {
        put(text, " for ");
    }
    put_subject(text, &cert->subject);
    put(text, ") ");
}

static void put_reason(struct text *text, const struct wrn_spki_answer *answer) {
    switch (answer->verdict) {
    case WRN_SPKI_NOT_SIGNED:
        put(text, "is not signed by its issuer, or the issuer's key is not known; add the "
                  "sequence with its signature and key");
        return;
    case WRN_SPKI_BAD_SIGNATURE:
        put(text, "has a signature that does not verify: it was changed since, or forged; get it "
                  "again from its issuer");
        return;
    case WRN_SPKI_NOT_YET_VALID:
        put(text, "is not valid before ");
        put_date(text, answer->since);
        return;
    case WRN_SPKI_EXPIRED:
        put(text, "expired on ");
        put_date(text, answer->since);
        return;
    case WRN_SPKI_REVOKED:
        put(text, "was revoked on ");
        put_date(text, answer->since);
        put(text, " by ");
        put_principal(text, &answer->by);
        return;
    case WRN_SPKI_NO_FRESH_CRL:
        put_demand(text, answer);
        return;
    case WRN_SPKI_NO_DELEGATION:
    case WRN_SPKI_WRONG_DELEGATE:
        put_delegation(text, answer);
        return;
    case WRN_SPKI_TAG:
        put(text, "permits ");
        put_sexp(text, answer->permitted);
        put(text, " where ");
        put_sexp(text, answer->wanted);
        put(text, " is asked for");
        return;
    case WRN_SPKI_TOO_FEW:
        put(text, "needs ");
        put_number(text, answer->need);
        put(text, " of the subjects that it names, and ");
        if (answer->have == 0) {
            put(text, "none of them is known to agree");
        } else {
            put(text, "only ");
            put_number(text, answer->have);
            put(text, answer->have == 1 ? " of them agrees" : " of them agree");
        }
        return;
    case WRN_SPKI_NO_ROOT: /* only of a chain in a given order */
        put(text, "does not continue what comes before it");
        return;
    default:
        put(text, "is ");
        put(text, wrn_spki_verdict_text(answer->verdict));
        return;
    }
}

static void put_demand(struct text *text, const struct wrn_spki_answer *answer) {
    struct wrn_spki_online online = {.kind = WRN_SPKI_ONLINE_ONE_TIME};
    if (wrn_spki_read_online(answer->culprit->online, WRN_SPKI_STUDY, &online, NULL) ||
        online.kind == WRN_SPKI_ONLINE_ONE_TIME) {
        put(text, "demands a one-time revalidation, which is not supported");
        return;
    }
    put(text, online.kind == WRN_SPKI_ONLINE_CRL ? "demands a CRL" : "demands a revalidation");
    put(text, " by ");
    put_principal(text, &answer->by);
    put(text, " that is valid now, and there is none; fetch a newer one");
}

static void put_delegation(struct text *text, const struct wrn_spki_answer *answer) {
    const struct wrn_spki_cert *cert = answer->culprit;
    if (answer->verdict == WRN_SPKI_WRONG_DELEGATE) {
        put(text, "may be passed on to ");
        for (size_t i = 0; i < cert->only_count; i++) {
            put(text, i == 0 ? "" : i + 1 == cert->only_count ? " or " : ", ");
            put_principal(text, &cert->only[i]);
        }
        put(text, " alone");
    } else {
        put(text, "may not be passed on");
    }
    if (answer->passed_on) {
        put(text, ", but ");
        if (answer->passed_on->is_acl_entry) {
            put(text, "the ACL");
        } else {
            put_principal(text, &answer->passed_on->issuer);
        }
        put(text, " passed it on to ");
        put_subject(text, &answer->passed_on->subject);
    }
}
