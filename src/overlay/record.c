/* SPDX-License-Identifier: Apache-2.0 */
/* Writes, reads, verifies and compares records. Stores nothing, and knows no family's rule. */
#include "overlay/record.h"

#include "overlay/signed.h"

static const char name[] = "record";
static const char label[] = "warren record 1";
static const char place_label[] = "warren key 1";

/* Their words, in the order of the enum. */
static const char *const kind_words[] = {"put", "create", "delete"};

static bool is_sound(const struct wrn_record *record);
static bool is_key(wrn_span key);
static void hash_record(struct wrn_record *record, const struct wrn_primitives *primitives);
static bool read_fields(struct wrn_sexp_cursor *fields, struct wrn_record *record);
static bool take_kind(struct wrn_sexp_cursor *fields, enum wrn_record_kind *ret_kind);
static bool take_time(struct wrn_sexp_cursor *fields, const char *field, int64_t *ret_s);

size_t wrn_record_write(struct wrn_record *record, const struct wrn_primitives *primitives,
                        const uint8_t seed[WRN_SEED_SIZE], uint8_t *out, size_t capacity) {
    struct wrn_sexp_writer writer =
        wrn_sexp_writer(out, capacity < WRN_RECORD_MAX ? capacity : WRN_RECORD_MAX);
    if (!is_sound(record) || !primitives->sign_public(primitives->ctx, seed, record->owner)) {
        return 0;
    }
    hash_record(record, primitives);
    wrn_signed_begin(&writer, name);
    wrn_sexp_open(&writer, "kind");
    wrn_sexp_put_word(&writer, kind_words[record->kind]);
    wrn_sexp_close(&writer);
    wrn_signed_put_bytes(&writer, "key", record->key);
    wrn_signed_put_bytes(&writer, "owner", (wrn_span){record->owner, sizeof(record->owner)});
    wrn_signed_put_number(&writer, "seq", record->sequence);
    if (record->kind == WRN_RECORD_CREATE) {
        wrn_signed_put_number(&writer, "claimed", (uint64_t)record->claimed_s);
    }
    wrn_signed_put_number(&writer, "made", (uint64_t)record->made_s);
    wrn_signed_put_number(&writer, "ttl", record->ttl_s);
    if (record->kind != WRN_RECORD_DELETE) {
        wrn_signed_put_bytes(&writer, "value", record->value);
    }
    if (record->proof.size > 0) {
        wrn_signed_put_bytes(&writer, "proof", record->proof);
    }
    return wrn_signed_end(&writer, primitives, seed, label, (wrn_span){0});
}

enum wrn_reason wrn_record_read(wrn_span bytes, const struct wrn_primitives *primitives,
                                struct wrn_record *ret_record) {
    struct wrn_signed object;
    memset(ret_record, 0, sizeof(*ret_record));
    if (bytes.size > WRN_RECORD_MAX) {
        return WRN_REASON_TOO_LARGE;
    }
    if (!wrn_signed_read(bytes, name, &object) || !read_fields(&object.fields, ret_record) ||
        !is_sound(ret_record)) {
        memset(ret_record, 0, sizeof(*ret_record));
        return WRN_REASON_MALFORMED;
    }
    hash_record(ret_record, primitives);
    return WRN_REASON_NONE;
}

enum wrn_reason wrn_record_verify(wrn_span bytes, const struct wrn_primitives *primitives) {
    struct wrn_signed object;
    struct wrn_record record = {0};
    bool ok =
        bytes.size <= WRN_RECORD_MAX && wrn_signed_read(bytes, name, &object) &&
        read_fields(&object.fields, &record) && is_sound(&record) &&
        primitives->verify(primitives->ctx, record.owner, label, object.body, object.signature);
    return ok ? WRN_REASON_NONE : WRN_REASON_BAD_SIGNATURE;
}

enum wrn_reason wrn_record_check_time(const struct wrn_record *record, wrn_wall now) {
    if (record->made_s - WRN_CLOCK_TOLERANCE_S > now.s) {
        return WRN_REASON_NOT_YET;
    }
    return now.s < record->made_s + record->ttl_s ? WRN_REASON_NONE : WRN_REASON_EXPIRED;
}

wrn_id wrn_record_place(wrn_span key, const struct wrn_primitives *primitives) {
    uint8_t hash[WRN_HASH_SIZE];
    primitives->hash(primitives->ctx, (wrn_span){(const uint8_t *)place_label, sizeof(place_label)},
                     key, hash);
    return wrn_id_load(hash);
}

bool wrn_record_wins(const struct wrn_record *a, const struct wrn_record *b) {
    if (a->claimed_s != b->claimed_s) {
        return a->claimed_s < b->claimed_s;
    }
    return memcmp(a->hash, b->hash, sizeof(a->hash)) < 0;
}

/* What holds for every record, whoever wrote it. */
static bool is_sound(const struct wrn_record *record) {
    return record->kind <= WRN_RECORD_DELETE && is_key(record->key) &&
           record->value.size <= WRN_RECORD_VALUE_MAX &&
           (record->kind != WRN_RECORD_DELETE || record->value.size == 0) && record->made_s >= 0 &&
           record->made_s <= WRN_RECORD_TIME_MAX_S && record->claimed_s >= 0 &&
           record->claimed_s <= record->made_s &&
           (record->kind == WRN_RECORD_CREATE || record->claimed_s == 0) && record->ttl_s >= 1 &&
           record->ttl_s <= WRN_RECORD_TTL_MAX_S;
}

/* A family, a slash and a rest, without space: what looks the same is the same. */
static bool is_key(wrn_span key) {
    size_t slash = 0;
    if (key.size == 0 || key.size > WRN_RECORD_KEY_MAX) {
        return false;
    }
    for (size_t i = key.size; i > 0; i--) {
        uint8_t c = key.data[i - 1];
        if (c <= ' ' || c > '~') {
            return false;
        }
        slash = c == '/' ? i - 1 : slash;
    }
    return slash > 0 && slash + 1 < key.size;
}

static void hash_record(struct wrn_record *record, const struct wrn_primitives *primitives) {
    primitives->hash(primitives->ctx, (wrn_span){record->owner, sizeof(record->owner)},
                     record->value, record->hash);
}

static bool read_fields(struct wrn_sexp_cursor *fields, struct wrn_record *record) {
    wrn_span owner;
    uint64_t ttl;
    if (!take_kind(fields, &record->kind) ||
        !wrn_signed_take_bytes(fields, "key", 1, WRN_RECORD_KEY_MAX, &record->key) ||
        !wrn_signed_take_bytes(fields, "owner", WRN_SIGN_PUBLIC_SIZE, WRN_SIGN_PUBLIC_SIZE,
                               &owner) ||
        !wrn_signed_take_number(fields, "seq", UINT64_MAX, &record->sequence) ||
        (record->kind == WRN_RECORD_CREATE && !take_time(fields, "claimed", &record->claimed_s)) ||
        !take_time(fields, "made", &record->made_s) ||
        !wrn_signed_take_number(fields, "ttl", WRN_RECORD_TTL_MAX_S, &ttl) ||
        (record->kind != WRN_RECORD_DELETE &&
         !wrn_signed_take_bytes(fields, "value", 0, WRN_RECORD_VALUE_MAX, &record->value)) ||
        (!wrn_sexp_at_end(fields) &&
         !wrn_signed_take_bytes(fields, "proof", 1, WRN_RECORD_MAX, &record->proof))) {
        return false;
    }
    memcpy(record->owner, owner.data, owner.size);
    record->ttl_s = (uint32_t)ttl;
    return wrn_sexp_at_end(fields);
}

static bool take_kind(struct wrn_sexp_cursor *fields, enum wrn_record_kind *ret_kind) {
    struct wrn_sexp_cursor field;
    if (!wrn_sexp_take_named(fields, "kind", &field)) {
        return false;
    }
    uint32_t kind = 0;
    while (kind < WRN_COUNT(kind_words) && !wrn_sexp_take_word(&field, kind_words[kind])) {
        kind++;
    }
    *ret_kind = (enum wrn_record_kind)kind;
    return kind < WRN_COUNT(kind_words) && wrn_sexp_at_end(&field);
}

static bool take_time(struct wrn_sexp_cursor *fields, const char *field, int64_t *ret_s) {
    uint64_t number;
    bool ok = wrn_signed_take_number(fields, field, WRN_RECORD_TIME_MAX_S, &number);
    *ret_s = ok ? (int64_t)number : 0;
    return ok;
}
