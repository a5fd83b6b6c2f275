/* SPDX-License-Identifier: Apache-2.0 */
/* The heap of certificates: its memory, and adding to it. Reads what is added, believes nothing. */
#include "spki/prove.h"

#include "spki/prove_internal.h"

static void check_limits(const struct wrn_spki_limits *limits);
static void lay_out(struct wrn_spki *spki, struct wrn_arena *arena,
                    const struct wrn_spki_limits *limits);
static void lay_out_objects(struct wrn_spki *spki, struct wrn_arena *arena);
static int add_object(struct wrn_spki *spki, struct wrn_sexp object, bool is_foreign,
                      struct wrn_spki_error *error);
static int add_part(struct wrn_spki *spki, struct wrn_sexp part, struct wrn_prove_signed **before,
                    struct wrn_spki_error *error);
static int refuse(struct wrn_spki_error *error, enum wrn_spki_fault fault, struct wrn_sexp at);
static int add_acl(struct wrn_spki *spki, struct wrn_sexp acl, struct wrn_spki_error *error);
static int add_cert(struct wrn_spki *spki, struct wrn_sexp sexp, bool is_entry,
                    struct wrn_prove_signed **ret_object, struct wrn_spki_error *error);
static bool fill_item(struct wrn_spki *spki, struct wrn_prove_item *item,
                      const struct wrn_spki_cert *cert);
static int add_crl(struct wrn_spki *spki, struct wrn_sexp sexp,
                   struct wrn_prove_signed **ret_object, struct wrn_spki_error *error);
static int add_reval(struct wrn_spki *spki, struct wrn_sexp sexp,
                     struct wrn_prove_signed **ret_object, struct wrn_spki_error *error);
static int add_notice(struct wrn_spki *spki, struct wrn_prove_notice *notice,
                      const struct wrn_spki_principal *issuer,
                      struct wrn_prove_signed **ret_object);
static int add_signature(struct wrn_spki *spki, struct wrn_sexp sexp,
                         struct wrn_prove_signed *before, struct wrn_spki_error *error);
static bool has_signature(const struct wrn_spki *spki, const struct wrn_prove_signed *object,
                          const struct wrn_prove_signature *signature);
static int add_public_key(struct wrn_spki *spki, struct wrn_sexp sexp,
                          struct wrn_spki_error *error);
static struct wrn_prove_signed *find_object(struct wrn_spki *spki,
                                            const uint8_t hash[WRN_SHA256_SIZE]);

size_t wrn_spki_size(const struct wrn_spki_limits *limits) {
    struct wrn_arena arena;
    struct wrn_spki measured;
    memset(&measured, 0, sizeof(measured));
    check_limits(limits);
    wrn_arena_init(&arena, NULL, 0);
    (void)wrn_arena_take(&arena, 1, sizeof(measured));
    lay_out(&measured, &arena, limits);
    return arena.used;
}

struct wrn_spki *wrn_spki_init(void *memory, const struct wrn_spki_limits *limits) {
    struct wrn_arena arena;
    wrn_arena_init(&arena, memory, wrn_spki_size(limits));
    struct wrn_spki *spki = wrn_arena_take(&arena, 1, sizeof(*spki));
    WRN_ASSERT(spki);
    lay_out(spki, &arena, limits);
    return spki;
}

void wrn_spki_assume_signed(struct wrn_spki *spki) {
    WRN_ASSERT(spki->key_count == 0 && spki->cert_count == 0);
    spki->mode = WRN_SPKI_STUDY;
}

int wrn_spki_add(struct wrn_spki *spki, struct wrn_sexp object, struct wrn_spki_error *ret_error) {
    struct wrn_spki_error error;
    return add_object(spki, object, false, ret_error ? ret_error : &error);
}

int wrn_spki_add_foreign(struct wrn_spki *spki, struct wrn_sexp object,
                         struct wrn_spki_error *ret_error) {
    struct wrn_spki_error error;
    return add_object(spki, object, true, ret_error ? ret_error : &error);
}

const char *wrn_spki_verdict_text(enum wrn_spki_verdict verdict) {
    static const char *const texts[] = {
        [WRN_SPKI_GRANTED] = "granted",
        [WRN_SPKI_NO_ROOT] = "no chain of certificates leads from the ACL to the subject",
        [WRN_SPKI_NOT_SIGNED] = "not signed by its issuer, or the issuer's key is not known",
        [WRN_SPKI_BAD_SIGNATURE] = "the signature does not verify",
        [WRN_SPKI_NOT_YET_VALID] = "not valid yet",
        [WRN_SPKI_EXPIRED] = "expired",
        [WRN_SPKI_REVOKED] = "revoked",
        [WRN_SPKI_NO_FRESH_CRL] = "demands a CRL or revalidation that is valid now, and has none",
        [WRN_SPKI_NO_DELEGATION] = "may not be passed on",
        [WRN_SPKI_WRONG_DELEGATE] = "may be passed on, but not to this one",
        [WRN_SPKI_TAG] = "permits less than the request",
        [WRN_SPKI_TOO_FEW] = "too few of those that must agree lead to the subject",
        [WRN_SPKI_TOO_LARGE] = "too large to be decided within the limits",
    };
    WRN_ASSERT((size_t)verdict < WRN_COUNT(texts));
    return texts[verdict];
}

size_t wrn_spki_count(const struct wrn_spki *spki) {
    return spki->cert_count;
}

const struct wrn_spki_cert *wrn_spki_at(const struct wrn_spki *spki, size_t index) {
    WRN_ASSERT(index < spki->cert_count);
    return &spki->certs[index];
}

static void check_limits(const struct wrn_spki_limits *limits) {
    WRN_ASSERT(limits->certs_max >= 1 && limits->certs_max <= WRN_PROVE_CERTS_MAX);
    WRN_ASSERT(limits->keys_max >= 1 && limits->keys_max <= WRN_PROVE_KEYS_MAX);
    WRN_ASSERT(limits->crls_max <= WRN_PROVE_CERTS_MAX);
    WRN_ASSERT(limits->tuples_max <= WRN_PROVE_TUPLES_MAX);
    WRN_ASSERT(limits->bytes_max < 1U << 30);
}

/* Takes all tables from the arena. */
static void lay_out(struct wrn_spki *spki, struct wrn_arena *arena,
                    const struct wrn_spki_limits *limits) {
    spki->limits = *limits;
    spki->is_dirty = true;
    wrn_keymap_init(&spki->by_hash, arena, limits->keys_max, limits->seed);
    /* A key has two of these names, md5 and sha1; strict heaps leave it empty. */
    wrn_keymap_init(&spki->by_other_hash, arena, 2 * limits->keys_max, limits->seed);
    spki->keys = wrn_arena_take(arena, limits->keys_max, sizeof(*spki->keys));

    /* Names of three words a certificate, and some that are as long as they may be. */
    spki->cells_max = 6 * limits->certs_max + 4 * WRN_SPKI_NAME_PARTS_MAX;
    wrn_prove_map_init(&spki->name_hashes, arena, spki->cells_max, limits->seed[0]);
    spki->names = wrn_arena_take(arena, spki->cells_max, sizeof(*spki->names));
    wrn_prove_map_init(&spki->cell_pairs, arena, spki->cells_max, limits->seed[0]);
    spki->cells = wrn_arena_take(arena, spki->cells_max, sizeof(*spki->cells));
    spki->cell_count = 1; /* the first is the empty list */

    spki->parts_max = WRN_SPKI_THRESHOLD_MAX * (limits->certs_max + WRN_SPKI_THRESHOLD_MAX);
    spki->thresholds = wrn_arena_take(arena, spki->parts_max, sizeof(*spki->thresholds));
    spki->parts = wrn_arena_take(arena, spki->parts_max, sizeof(*spki->parts));
    lay_out_objects(spki, arena);
    wrn_prove_graph_init(&spki->graph, arena, limits);
    spki->scratch = wrn_arena_take(arena, 1, WRN_TAG_SIZE_MAX);
    wrn_prove_tuples_init(&spki->tuples, arena, limits);
}

static void lay_out_objects(struct wrn_spki *spki, struct wrn_arena *arena) {
    const struct wrn_spki_limits *limits = &spki->limits;
    spki->certs = wrn_arena_take(arena, limits->certs_max, sizeof(*spki->certs));
    spki->items = wrn_arena_take(arena, limits->certs_max, sizeof(*spki->items));
    spki->only_max = WRN_SPKI_THRESHOLD_MAX * limits->certs_max;
    spki->only = wrn_arena_take(arena, spki->only_max, sizeof(*spki->only));
    spki->notices = wrn_arena_take(arena, limits->crls_max, sizeof(*spki->notices));
    spki->notice_order = wrn_arena_take(arena, (size_t)2 * limits->crls_max, sizeof(uint32_t));
    uint32_t objects_max = limits->certs_max + limits->crls_max;
    spki->signatures_max = 2 * objects_max;
    spki->signatures = wrn_arena_take(arena, spki->signatures_max, sizeof(*spki->signatures));
    wrn_keymap_init(&spki->objects, arena, objects_max, limits->seed);
    wrn_prove_map_init(&spki->heads, arena, limits->certs_max, limits->seed[0]);
}

/* 'before' is the signed object that a signature belongs to, or NULL; it becomes what was added. */
static int add_object(struct wrn_spki *spki, struct wrn_sexp object, bool is_foreign,
                      struct wrn_spki_error *error) {
    struct wrn_prove_signed *before = NULL;
    struct wrn_sexp_cursor cursor;
    struct wrn_sexp part;
    spki->is_dirty = true;
    if (wrn_sexp_is_named(object, "acl") && !is_foreign) {
        return add_acl(spki, object, error);
    }
    if (!wrn_sexp_enter_named(object, "sequence", &cursor)) {
        return add_part(spki, object, &before, error);
    }
    while (wrn_sexp_take_any(&cursor, &part)) {
        int result = add_part(spki, part, &before, error);
        if (result) {
            return result;
        }
    }
    return 0;
}

static int add_part(struct wrn_spki *spki, struct wrn_sexp part, struct wrn_prove_signed **before,
                    struct wrn_spki_error *error) {
    if (wrn_sexp_is_named(part, "cert")) {
        return add_cert(spki, part, false, before, error);
    }
    if (wrn_sexp_is_named(part, "signature")) {
        return add_signature(spki, part, *before, error);
    }
    if (wrn_sexp_is_named(part, "public-key")) {
        return add_public_key(spki, part, error);
    }
    if (wrn_sexp_is_named(part, "crl")) {
        return add_crl(spki, part, before, error);
    }
    if (wrn_sexp_is_named(part, "reval")) {
        return add_reval(spki, part, before, error);
    }
    return refuse(error, WRN_SPKI_NOT_THIS_OBJECT, part);
}

static int refuse(struct wrn_spki_error *error, enum wrn_spki_fault fault, struct wrn_sexp at) {
    *error = (struct wrn_spki_error){.fault = fault, .at = at};
    return WRN_ERR_MALFORMED;
}

static int add_acl(struct wrn_spki *spki, struct wrn_sexp acl, struct wrn_spki_error *error) {
    struct wrn_sexp_cursor cursor, version;
    struct wrn_sexp entry;
    struct wrn_prove_signed *object;
    bool is_acl = wrn_sexp_enter_named(acl, "acl", &cursor);
    WRN_ASSERT(is_acl);
    if (wrn_sexp_take_named(&cursor, "version", &version) &&
        !(wrn_sexp_take_word(&version, "0") && wrn_sexp_at_end(&version))) {
        return refuse(error, WRN_SPKI_BAD_VERSION, acl);
    }
    while (wrn_sexp_take_any(&cursor, &entry)) {
        int result = add_cert(spki, entry, true, &object, error);
        if (result) {
            return result;
        }
    }
    return 0;
}

static int add_cert(struct wrn_spki *spki, struct wrn_sexp sexp, bool is_entry,
                    struct wrn_prove_signed **ret_object, struct wrn_spki_error *error) {
    struct wrn_spki_cert cert;
    struct wrn_prove_item item = {.object.sexp = sexp};
    int result = is_entry ? wrn_spki_read_entry(sexp, spki->mode, &cert, error)
                          : wrn_spki_read_cert(sexp, spki->mode, &cert, error);
    if (result) {
        return result;
    }
    wrn_spki_hash(sexp, item.object.hash);
    struct wrn_prove_signed *known = find_object(spki, item.object.hash);
    if (known) {
        *ret_object = known;
        return 0;
    }
    if (spki->cert_count == spki->limits.certs_max || !fill_item(spki, &item, &cert) ||
        !wrn_keymap_add(&spki->objects, item.object.hash, spki->cert_count)) {
        return WRN_ERR_FULL;
    }
    spki->certs[spki->cert_count] = cert;
    spki->items[spki->cert_count] = item;
    *ret_object = &spki->items[spki->cert_count++].object;
    return 0;
}

/* Everything of it that queries look at, as numbers. False if a table is full. */
static bool fill_item(struct wrn_spki *spki, struct wrn_prove_item *item,
                      const struct wrn_spki_cert *cert) {
    struct wrn_spki_online online;
    item->object.issuer = WRN_PROVE_NONE;
    item->object.signatures = WRN_PROVE_NONE;
    item->object.mismatch = WRN_PROVE_NONE;
    item->name = WRN_PROVE_NONE;
    item->online = WRN_PROVE_NONE;
    item->start = wrn_prove_date(cert->validity.not_before);
    item->end =
        cert->validity.not_after.size > 0 ? wrn_prove_date(cert->validity.not_after) : UINT64_MAX;
    if (!cert->is_acl_entry && !wrn_prove_add_key(spki, &cert->issuer, &item->object.issuer)) {
        return false;
    }
    if (cert->issuer_name.data && !wrn_prove_add_name(spki, cert->issuer_name, &item->name)) {
        return false;
    }
    if (cert->online.bytes.size > 0) {
        /* The certificate's reader has read it. */
        if (wrn_spki_read_online(cert->online, spki->mode, &online, NULL) ||
            !wrn_prove_add_key(spki, &online.principal, &item->online)) {
            return false;
        }
        item->online_kind = online.kind;
    }
    item->only = spki->only_count;
    for (size_t i = 0; i < cert->only_count; i++) {
        if (!wrn_prove_add_key(spki, &cert->only[i], &spki->only[item->only + i])) {
            return false;
        }
    }
    spki->only_count += (uint32_t)cert->only_count;
    return wrn_prove_add_subject(spki, &cert->subject, &item->subject);
}

static int add_crl(struct wrn_spki *spki, struct wrn_sexp sexp,
                   struct wrn_prove_signed **ret_object, struct wrn_spki_error *error) {
    struct wrn_prove_notice notice = {.object.sexp = sexp};
    int result = wrn_spki_read_crl(sexp, &notice.crl, error);
    if (result) {
        return result;
    }
    notice.validity = notice.crl.validity;
    return add_notice(spki, &notice, &notice.crl.issuer, ret_object);
}

static int add_reval(struct wrn_spki *spki, struct wrn_sexp sexp,
                     struct wrn_prove_signed **ret_object, struct wrn_spki_error *error) {
    struct wrn_spki_reval reval;
    int result = wrn_spki_read_reval(sexp, &reval, error);
    if (result) {
        return result;
    }
    struct wrn_prove_notice notice = {
        .object.sexp = sexp,
        .validity = reval.validity,
        .cert_hash = reval.cert_hash,
    };
    return add_notice(spki, &notice, &reval.issuer, ret_object);
}

static int add_notice(struct wrn_spki *spki, struct wrn_prove_notice *notice,
                      const struct wrn_spki_principal *issuer,
                      struct wrn_prove_signed **ret_object) {
    struct wrn_prove_signed *object = &notice->object;
    wrn_spki_hash(object->sexp, object->hash);
    struct wrn_prove_signed *known = find_object(spki, object->hash);
    if (known) {
        *ret_object = known;
        return 0;
    }
    object->signatures = WRN_PROVE_NONE;
    object->mismatch = WRN_PROVE_NONE;
    notice->start = wrn_prove_date(notice->validity.not_before);
    notice->end = notice->validity.not_after.size > 0 ? wrn_prove_date(notice->validity.not_after)
                                                      : UINT64_MAX;
    int64_t begins_s;
    notice->has_eve = notice->validity.not_before.size > 0 &&
                      wrn_spki_date_read(notice->validity.not_before, &begins_s) &&
                      wrn_spki_date_write(begins_s - 1, notice->eve);
    if (spki->notice_count == spki->limits.crls_max ||
        !wrn_prove_add_key(spki, issuer, &object->issuer) ||
        !wrn_keymap_add(&spki->objects, object->hash,
                        spki->limits.certs_max + spki->notice_count)) {
        return WRN_ERR_FULL;
    }
    spki->notices[spki->notice_count] = *notice;
    *ret_object = &spki->notices[spki->notice_count++].object;
    return 0;
}

static int add_signature(struct wrn_spki *spki, struct wrn_sexp sexp,
                         struct wrn_prove_signed *before, struct wrn_spki_error *error) {
    struct wrn_prove_signature signature = {.next = WRN_PROVE_NONE};
    int result = wrn_spki_read_signature(sexp, &signature.as, error);
    if (result) {
        /* Those of others are of all kinds, and are not looked at when chains are studied. */
        return spki->mode == WRN_SPKI_STUDY ? 0 : result;
    }
    if (!wrn_prove_add_key(spki, &signature.as.signer, &signature.signer)) {
        return WRN_ERR_FULL;
    }
    if (before && memcmp(before->hash, signature.as.object_hash, sizeof(before->hash)) != 0) {
        before->mismatch = signature.signer;
    }
    struct wrn_prove_signed *object = find_object(spki, signature.as.object_hash);
    if (object && has_signature(spki, object, &signature)) {
        return 0;
    }
    if (spki->signature_count == spki->signatures_max) {
        return WRN_ERR_FULL;
    }
    if (object) {
        signature.next = object->signatures;
        signature.is_attached = true;
        object->signatures = spki->signature_count;
    }
    spki->signatures[spki->signature_count++] = signature;
    return 0;
}

/* Whoever shows the same sequence again does not fill the table. Looks at the newest few alone. */
static bool has_signature(const struct wrn_spki *spki, const struct wrn_prove_signed *object,
                          const struct wrn_prove_signature *signature) {
    enum { LOOKED_AT_MAX = 8 };
    uint32_t next = object->signatures;
    for (size_t i = 0; i < LOOKED_AT_MAX && next != WRN_PROVE_NONE; i++) {
        const struct wrn_prove_signature *other = &spki->signatures[next];
        if (other->signer == signature->signer &&
            memcmp(other->as.value, signature->as.value, WRN_SIGNATURE_SIZE) == 0) {
            return true;
        }
        next = other->next;
    }
    return false;
}

static int add_public_key(struct wrn_spki *spki, struct wrn_sexp sexp,
                          struct wrn_spki_error *error) {
    struct wrn_spki_principal principal;
    uint32_t key;
    int result = wrn_spki_read_principal(sexp, spki->mode, &principal, error);
    if (result) {
        return result;
    }
    return wrn_prove_add_key(spki, &principal, &key) ? 0 : WRN_ERR_FULL;
}

static struct wrn_prove_signed *find_object(struct wrn_spki *spki,
                                            const uint8_t hash[WRN_SHA256_SIZE]) {
    uint32_t index;
    if (!wrn_keymap_find(&spki->objects, hash, &index)) {
        return NULL;
    }
    return index < spki->limits.certs_max ? &spki->items[index].object
                                          : &spki->notices[index - spki->limits.certs_max].object;
}
