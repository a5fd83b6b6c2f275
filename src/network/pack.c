/* SPDX-License-Identifier: Apache-2.0 */
/* Packing reads a certificate, writes its packed form's expansion, and compares: so whatever has
 * another shape is found without a list of all shapes. */
#include "network/pack.h"

#include "base/wire.h"

enum {
    VERSION = 1,
    FLAG_PROPAGATE = 1,
    FLAG_NOT_BEFORE = 2,
    FLAG_NOT_AFTER = 4,
    FLAGS = 7,
    ELEMENT_MAX = 640,   /* bytes of a tag's element */
    SIGNATURE_MAX = 256, /* of a (signature ...) */
    CERT_MAX = 1088,     /* of a (cert ...) with such an element */
};
static_assert((CERT_MAX + SIGNATURE_MAX) * WRN_PACK_CERTS_MAX + 16 <= WRN_PACK_EXPANDED_MAX,
              "what was packed has room");

/* One certificate, as it is packed. */
struct packed {
    uint8_t issuer; /* 0: the owner; else the number of the certificate whose subject it is */
    uint8_t flags;
    uint8_t subject[WRN_SIGN_PUBLIC_SIZE];
    uint64_t not_before_s, not_after_s; /* since 1970 */
    wrn_span element;                   /* of (warren ID ELEMENT) */
    uint8_t signature[WRN_SIGNATURE_SIZE];
};

/* What a sequence holds, and what has been packed of it. */
struct packing {
    const struct wrn_pack_frame *frame;
    struct wrn_spki_cert certs[WRN_PACK_CERTS_MAX];
    const uint8_t *signatures[WRN_PACK_CERTS_MAX];
    bool is_packed[WRN_PACK_CERTS_MAX];
    uint32_t count;
    uint8_t subjects[WRN_PACK_CERTS_MAX][WRN_SIGN_PUBLIC_SIZE]; /* in packed order */
    uint32_t packed_count;
};

static enum wrn_pack_fault gather(struct packing *packing, struct wrn_sexp sequence);
static enum wrn_pack_fault gather_certs(struct packing *packing, struct wrn_sexp sequence);
static enum wrn_pack_fault gather_signatures(struct packing *packing, struct wrn_sexp sequence);
static enum wrn_pack_fault pack_next(struct packing *packing, struct wrn_writer *writer);
static int issuer_number(const struct packing *packing, const uint8_t *issuer);
static enum wrn_pack_fault describe(const struct packing *packing, uint32_t index,
                                    struct packed *ret_packed);
static enum wrn_pack_fault read_element(const struct wrn_pack_frame *frame, struct wrn_sexp tag,
                                        wrn_span *ret_element);
static bool read_date(wrn_spki_date date, uint8_t flag, uint8_t *flags, uint64_t *ret_s);
static void write_packed(struct wrn_writer *writer, const struct packed *packed);
static bool read_packed(struct wrn_reader *reader, uint32_t number, struct packed *ret_packed);
static bool write_cert(struct wrn_sexp_writer *out, const struct wrn_pack_frame *frame,
                       const uint8_t *issuer, const struct packed *packed);
static bool write_date(bool is_there, uint64_t s, uint8_t text[WRN_SPKI_DATE_SIZE],
                       wrn_spki_date *ret_date);

const char *wrn_pack_fault_text(enum wrn_pack_fault fault) {
    static const char *const texts[WRN_PACK_FAULTS] = {
        [WRN_PACK_OK] = "nothing is wrong",
        [WRN_PACK_NOT_CERTS] = "it is not a sequence of certificates with their signatures",
        [WRN_PACK_OTHER_NETWORK] = "a certificate does not speak of this network alone",
        [WRN_PACK_SHAPE] = "a certificate has a part that those of networks do not have",
        [WRN_PACK_NOT_SIGNED] = "a certificate lacks its issuer's signature",
        [WRN_PACK_NO_ISSUER] =
            "its issuer is neither the network's owner nor the subject of another certificate",
        [WRN_PACK_TOO_MANY] = "it has no certificate, or more than 12",
        [WRN_PACK_TOO_LARGE] = "its certificates need more room than there is",
        [WRN_PACK_MALFORMED] = "these bytes are no packed certificates",
    };
    return texts[fault];
}

int wrn_pack(const struct wrn_pack_frame *frame, struct wrn_sexp sequence, uint8_t *out,
             size_t capacity, size_t *ret_size, enum wrn_pack_fault *ret_fault) {
    struct packing packing = {.frame = frame};
    struct wrn_writer writer = wrn_writer(out, capacity);
    enum wrn_pack_fault fault = gather(&packing, sequence);
    wrn_write_u8(&writer, VERSION);
    wrn_write_u8(&writer, (uint8_t)packing.count);
    while (fault == WRN_PACK_OK && packing.packed_count < packing.count) {
        fault = pack_next(&packing, &writer);
    }
    if (fault == WRN_PACK_OK && writer.failed) {
        fault = WRN_PACK_TOO_LARGE;
    }
    *ret_fault = fault;
    *ret_size = fault == WRN_PACK_OK ? writer.size : 0;
    return fault == WRN_PACK_OK ? 0 : WRN_ERR_MALFORMED;
}

int wrn_pack_expand(const struct wrn_pack_frame *frame, wrn_span packed,
                    uint8_t out[WRN_PACK_EXPANDED_MAX], struct wrn_sexp *ret_sequence) {
    uint8_t subjects[WRN_PACK_CERTS_MAX + 1][WRN_SIGN_PUBLIC_SIZE]; /* 0: the owner */
    struct wrn_reader reader = wrn_reader(packed);
    struct wrn_sexp_writer writer = wrn_sexp_writer(out, WRN_PACK_EXPANDED_MAX);
    uint8_t version = wrn_read_u8(&reader);
    uint32_t count = wrn_read_u8(&reader);
    if (version != VERSION || count == 0 || count > WRN_PACK_CERTS_MAX) {
        return WRN_ERR_MALFORMED;
    }
    memcpy(subjects[0], frame->owner, sizeof subjects[0]);
    wrn_sexp_open(&writer, "sequence");
    for (uint32_t i = 1; i <= count; i++) {
        struct packed one;
        uint8_t hash[WRN_SHA256_SIZE];
        size_t begin = writer.size;
        if (!read_packed(&reader, i, &one) ||
            !write_cert(&writer, frame, subjects[one.issuer], &one)) {
            return WRN_ERR_MALFORMED;
        }
        wrn_sha256((wrn_span){out + begin, writer.size - begin}, (wrn_span){NULL, 0}, hash);
        wrn_spki_write_signature(&writer, hash, subjects[one.issuer], one.signature);
        memcpy(subjects[i], one.subject, sizeof subjects[i]);
    }
    wrn_sexp_close(&writer);
    bool is_whole = wrn_reader_is_done(&reader) && writer.error == 0;
    return is_whole && wrn_sexp_finish(&writer, ret_sequence) == 0 ? 0 : WRN_ERR_MALFORMED;
}

/* ---- packing ---- */

static enum wrn_pack_fault gather(struct packing *packing, struct wrn_sexp sequence) {
    enum wrn_pack_fault fault = gather_certs(packing, sequence);
    fault = fault == WRN_PACK_OK ? gather_signatures(packing, sequence) : fault;
    for (uint32_t i = 0; i < packing->count && fault == WRN_PACK_OK; i++) {
        fault = packing->signatures[i] == NULL ? WRN_PACK_NOT_SIGNED : WRN_PACK_OK;
    }
    return fault;
}

static enum wrn_pack_fault gather_certs(struct packing *packing, struct wrn_sexp sequence) {
    struct wrn_sexp_cursor cursor;
    struct wrn_sexp object;
    if (!wrn_sexp_enter_named(sequence, "sequence", &cursor)) {
        return WRN_PACK_NOT_CERTS;
    }
    while (wrn_sexp_take_any(&cursor, &object)) {
        if (wrn_sexp_is_named(object, "signature") || wrn_sexp_is_named(object, "public-key")) {
            continue;
        }
        if (packing->count == WRN_PACK_CERTS_MAX) {
            return WRN_PACK_TOO_MANY;
        }
        if (wrn_spki_read_cert(object, WRN_SPKI_STRICT, &packing->certs[packing->count], NULL)) {
            return WRN_PACK_NOT_CERTS;
        }
        packing->count++;
    }
    return packing->count == 0 ? WRN_PACK_TOO_MANY : WRN_PACK_OK;
}

static enum wrn_pack_fault gather_signatures(struct packing *packing, struct wrn_sexp sequence) {
    uint8_t hashes[WRN_PACK_CERTS_MAX][WRN_SHA256_SIZE];
    struct wrn_spki_signature signature;
    struct wrn_sexp_cursor cursor;
    struct wrn_sexp object;
    for (uint32_t i = 0; i < packing->count; i++) {
        wrn_spki_hash(packing->certs[i].sexp, hashes[i]);
    }
    (void)wrn_sexp_enter_named(sequence, "sequence", &cursor);
    while (wrn_sexp_take_any(&cursor, &object)) {
        if (!wrn_sexp_is_named(object, "signature")) {
            continue;
        }
        if (wrn_spki_read_signature(object, &signature, NULL) != 0) {
            return WRN_PACK_NOT_CERTS;
        }
        for (uint32_t i = 0; i < packing->count; i++) {
            if (memcmp(signature.object_hash, hashes[i], WRN_SHA256_SIZE) == 0 &&
                wrn_sexp_equal(signature.signer.sexp, packing->certs[i].issuer.sexp)) {
                packing->signatures[i] = signature.value;
            }
        }
    }
    return WRN_PACK_OK;
}

/* Packs the first certificate whose issuer is known by now. */
static enum wrn_pack_fault pack_next(struct packing *packing, struct wrn_writer *writer) {
    for (uint32_t i = 0; i < packing->count; i++) {
        const struct wrn_spki_cert *cert = &packing->certs[i];
        if (packing->is_packed[i] || issuer_number(packing, cert->issuer.ed25519) < 0) {
            continue;
        }
        struct packed packed;
        enum wrn_pack_fault fault = describe(packing, i, &packed);
        if (fault == WRN_PACK_OK) {
            write_packed(writer, &packed);
            memcpy(packing->subjects[packing->packed_count++], packed.subject,
                   sizeof packed.subject);
            packing->is_packed[i] = true;
        }
        return fault;
    }
    return WRN_PACK_NO_ISSUER;
}

/* 0 for the owner, else which certificate's subject it is; -1: none's. */
static int issuer_number(const struct packing *packing, const uint8_t *issuer) {
    if (issuer == NULL) { /* a hash, or a key of another kind */
        return -1;
    }
    if (memcmp(issuer, packing->frame->owner, WRN_SIGN_PUBLIC_SIZE) == 0) {
        return 0;
    }
    for (uint32_t i = 0; i < packing->packed_count; i++) {
        if (memcmp(issuer, packing->subjects[i], WRN_SIGN_PUBLIC_SIZE) == 0) {
            return (int)i + 1;
        }
    }
    return -1;
}

/* Finds what is to be packed of a certificate; SHAPE if that is not all of it. */
static enum wrn_pack_fault describe(const struct packing *packing, uint32_t index,
                                    struct packed *ret_packed) {
    const struct wrn_spki_cert *cert = &packing->certs[index];
    const struct wrn_spki_principal *subject = &cert->subject.principal;
    struct packed *packed = ret_packed;
    uint8_t again[CERT_MAX];
    struct wrn_sexp_writer writer = wrn_sexp_writer(again, sizeof again);
    struct wrn_sexp sexp;
    *packed = (struct packed){.issuer = (uint8_t)issuer_number(packing, cert->issuer.ed25519)};
    if (cert->subject.kind != WRN_SPKI_SUBJECT_PRINCIPAL || subject->ed25519 == NULL ||
        cert->issuer_name.data != NULL) {
        return WRN_PACK_SHAPE;
    }
    memcpy(packed->subject, subject->ed25519, sizeof packed->subject);
    memcpy(packed->signature, packing->signatures[index], sizeof packed->signature);
    packed->flags = cert->delegation == WRN_SPKI_DELEGABLE ? FLAG_PROPAGATE : 0;
    enum wrn_pack_fault fault = read_element(packing->frame, cert->tag, &packed->element);
    if (fault != WRN_PACK_OK) {
        return fault;
    }
    if (!read_date(cert->validity.not_before, FLAG_NOT_BEFORE, &packed->flags,
                   &packed->not_before_s) ||
        !read_date(cert->validity.not_after, FLAG_NOT_AFTER, &packed->flags,
                   &packed->not_after_s)) {
        return WRN_PACK_SHAPE;
    }
    if (!write_cert(&writer, packing->frame, cert->issuer.ed25519, packed) ||
        wrn_sexp_finish(&writer, &sexp) != 0) {
        return WRN_PACK_TOO_LARGE;
    }
    return wrn_sexp_equal(sexp, cert->sexp) ? WRN_PACK_OK : WRN_PACK_SHAPE;
}

/* Takes ELEMENT out of (warren ID ELEMENT). */
static enum wrn_pack_fault read_element(const struct wrn_pack_frame *frame, struct wrn_sexp tag,
                                        wrn_span *ret_element) {
    struct wrn_sexp_cursor cursor;
    struct wrn_sexp element;
    wrn_span id;
    if (!wrn_sexp_enter_named(tag, "warren", &cursor) || !wrn_sexp_take_atom(&cursor, &id) ||
        id.size != WRN_NETWORK_ID_SIZE || memcmp(id.data, frame->network, id.size) != 0 ||
        !wrn_sexp_take_any(&cursor, &element) || !wrn_sexp_at_end(&cursor)) {
        return WRN_PACK_OTHER_NETWORK;
    }
    *ret_element = element.bytes;
    return element.bytes.size <= ELEMENT_MAX ? WRN_PACK_OK : WRN_PACK_TOO_LARGE;
}

/* Turns a date that there is into a flag and seconds. False: before 1970. */
static bool read_date(wrn_spki_date date, uint8_t flag, uint8_t *flags, uint64_t *ret_s) {
    int64_t s = 0;
    if (date.size == 0) {
        return true;
    }
    if (!wrn_spki_date_read(date, &s) || s < 0) {
        return false;
    }
    *flags |= flag;
    *ret_s = (uint64_t)s;
    return true;
}

/* ---- one certificate ---- */

static void write_packed(struct wrn_writer *writer, const struct packed *packed) {
    wrn_write_u8(writer, packed->issuer);
    wrn_write_u8(writer, packed->flags);
    wrn_write_bytes(writer, packed->subject, sizeof packed->subject);
    if ((packed->flags & FLAG_NOT_BEFORE) != 0) {
        wrn_write_u64(writer, packed->not_before_s);
    }
    if ((packed->flags & FLAG_NOT_AFTER) != 0) {
        wrn_write_u64(writer, packed->not_after_s);
    }
    wrn_write_u16(writer, (uint16_t)packed->element.size);
    wrn_write_span(writer, packed->element);
    wrn_write_bytes(writer, packed->signature, sizeof packed->signature);
}

/* Reads the certificate 'number', counted from 1. */
static bool read_packed(struct wrn_reader *reader, uint32_t number, struct packed *ret_packed) {
    struct packed *packed = ret_packed;
    struct wrn_sexp element;
    *packed = (struct packed){.issuer = wrn_read_u8(reader), .flags = wrn_read_u8(reader)};
    wrn_read_bytes(reader, packed->subject, sizeof packed->subject);
    if ((packed->flags & FLAG_NOT_BEFORE) != 0) {
        packed->not_before_s = wrn_read_u64(reader);
    }
    if ((packed->flags & FLAG_NOT_AFTER) != 0) {
        packed->not_after_s = wrn_read_u64(reader);
    }
    packed->element = wrn_read_span(reader, wrn_read_u16(reader));
    wrn_read_bytes(reader, packed->signature, sizeof packed->signature);
    return !reader->failed && packed->issuer < number && packed->flags <= FLAGS &&
           packed->element.size <= ELEMENT_MAX &&
           wrn_sexp_check(packed->element, &element, NULL) == 0;
}

/* False for a date that does not exist. */
static bool write_cert(struct wrn_sexp_writer *out, const struct wrn_pack_frame *frame,
                       const uint8_t *issuer, const struct packed *packed) {
    uint8_t keys[2][WRN_SPKI_KEY_SEXP_SIZE];
    uint8_t tag_bytes[ELEMENT_MAX + 64];
    uint8_t dates[2][WRN_SPKI_DATE_SIZE];
    struct wrn_sexp_writer tag = wrn_sexp_writer(tag_bytes, sizeof tag_bytes);
    struct wrn_spki_issue issue = {
        .issuer = wrn_spki_key_sexp(issuer, keys[0]),
        .subject = wrn_spki_key_sexp(packed->subject, keys[1]),
        .delegation =
            (packed->flags & FLAG_PROPAGATE) != 0 ? WRN_SPKI_DELEGABLE : WRN_SPKI_NOT_DELEGABLE,
    };
    wrn_sexp_open(&tag, "warren");
    wrn_sexp_put_bytes(&tag, (wrn_span){frame->network, WRN_NETWORK_ID_SIZE});
    wrn_sexp_put(&tag, (struct wrn_sexp){packed->element});
    wrn_sexp_close(&tag);
    if (wrn_sexp_finish(&tag, &issue.tag) != 0 ||
        !write_date((packed->flags & FLAG_NOT_BEFORE) != 0, packed->not_before_s, dates[0],
                    &issue.validity.not_before) ||
        !write_date((packed->flags & FLAG_NOT_AFTER) != 0, packed->not_after_s, dates[1],
                    &issue.validity.not_after)) {
        return false;
    }
    wrn_spki_write_cert(out, &issue, false);
    return out->error == 0;
}

static bool write_date(bool is_there, uint64_t s, uint8_t text[WRN_SPKI_DATE_SIZE],
                       wrn_spki_date *ret_date) {
    if (!is_there) {
        return true;
    }
    *ret_date = (wrn_spki_date){text, WRN_SPKI_DATE_SIZE};
    return s <= INT64_MAX && wrn_spki_date_write((int64_t)s, (char *)text);
}
