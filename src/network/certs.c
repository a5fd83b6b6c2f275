/* SPDX-License-Identifier: Apache-2.0 */
/* All work is done on the expanded certificates; pack.c makes the packed form of what is left. */
#include "network/certs.h"

#include "overlay/record.h"
#include "spki/cert.h"

enum { TAG_MAX = 768, BOTH_MAX = 2 * WRN_PACK_CERTS_MAX };

static bool read_cert(struct wrn_sexp object, struct wrn_cert *ret_cert);
static bool read_element(struct wrn_sexp tag, struct wrn_sexp *ret_element);
static int write_cert(struct wrn_sexp_writer *out, const struct wrn_pack_frame *frame,
                      const struct wrn_certs_issue *issue, uint8_t ret_hash[WRN_SHA256_SIZE]);
static int pack(const struct wrn_pack_frame *frame, struct wrn_sexp_writer *writer, uint8_t *out,
                size_t capacity, size_t *ret_size);
static void drop_replaced(const struct wrn_cert *certs, bool *is_in, uint32_t count);
static bool drop_loose(const struct wrn_pack_frame *frame, const uint8_t *subject,
                       const struct wrn_cert *certs, bool *is_in, uint32_t count);
static bool is_key(const uint8_t *a, const uint8_t *b);

bool wrn_certs_read(const struct wrn_pack_frame *frame, wrn_span packed,
                    struct wrn_certs *ret_chain) {
    struct wrn_sexp sequence, object;
    struct wrn_sexp_cursor cursor;
    struct wrn_certs *chain = ret_chain;
    chain->count = 0;
    if (packed.size == 0) {
        return true;
    }
    if (wrn_pack_expand(frame, packed, chain->room, &sequence) != 0 ||
        !wrn_sexp_enter_named(sequence, "sequence", &cursor)) {
        return false;
    }
    while (wrn_sexp_take_any(&cursor, &object)) {
        struct wrn_cert *cert = &chain->certs[chain->count];
        if (chain->count == WRN_PACK_CERTS_MAX || !read_cert(object, cert) ||
            !wrn_sexp_take_any(&cursor, &cert->signature)) {
            chain->count = 0;
            return false;
        }
        chain->count++;
    }
    return true;
}

int wrn_certs_issue(const struct wrn_pack_frame *frame, const struct wrn_certs_issue *issue,
                    uint8_t *out, size_t capacity, size_t *ret_size,
                    uint8_t ret_hash[WRN_SHA256_SIZE]) {
    uint8_t room[WRN_PACK_EXPANDED_MAX + 2048];
    struct wrn_sexp_writer writer = wrn_sexp_writer(room, sizeof room);
    struct wrn_certs chain;
    if (!wrn_certs_read(frame, issue->chain, &chain)) {
        return WRN_ERR_MALFORMED;
    }
    wrn_sexp_open(&writer, "sequence");
    for (uint32_t i = 0; i < chain.count; i++) {
        wrn_sexp_put(&writer, chain.certs[i].cert);
        wrn_sexp_put(&writer, chain.certs[i].signature);
    }
    int error = write_cert(&writer, frame, issue, ret_hash);
    if (error != 0) {
        return error;
    }
    return pack(frame, &writer, out, capacity, ret_size);
}

int wrn_certs_pick(const struct wrn_pack_frame *frame, const struct wrn_certs *certs,
                   uint32_t which, uint8_t *out, size_t capacity, size_t *ret_size) {
    uint8_t room[WRN_PACK_EXPANDED_MAX];
    struct wrn_sexp_writer writer = wrn_sexp_writer(room, sizeof room);
    *ret_size = 0;
    wrn_sexp_open(&writer, "sequence");
    for (uint32_t i = 0; i < certs->count; i++) {
        if ((which >> i & 1) != 0) {
            wrn_sexp_put(&writer, certs->certs[i].cert);
            wrn_sexp_put(&writer, certs->certs[i].signature);
        }
    }
    return which == 0 ? 0 : pack(frame, &writer, out, capacity, ret_size);
}

int wrn_certs_merge(const struct wrn_pack_frame *frame, int64_t now_s,
                    const uint8_t subject[WRN_SIGN_PUBLIC_SIZE], wrn_span first, wrn_span second,
                    uint8_t *out, size_t capacity, size_t *ret_size) {
    struct wrn_certs chains[2];
    struct wrn_cert certs[BOTH_MAX];
    bool is_in[BOTH_MAX];
    uint8_t room[WRN_PACK_EXPANDED_MAX];
    struct wrn_sexp_writer writer = wrn_sexp_writer(room, sizeof room);
    uint32_t count = 0, left = 0;
    *ret_size = 0;
    if (!wrn_certs_read(frame, first, &chains[0]) || !wrn_certs_read(frame, second, &chains[1])) {
        return WRN_ERR_MALFORMED;
    }
    for (uint32_t c = 0; c < 2; c++) {
        for (uint32_t i = 0; i < chains[c].count; i++) {
            is_in[count] = chains[c].certs[i].until_s > now_s;
            certs[count++] = chains[c].certs[i];
        }
    }
    drop_replaced(certs, is_in, count);
    for (uint32_t i = 0; i < count && drop_loose(frame, subject, certs, is_in, count); i++) {
    }
    wrn_sexp_open(&writer, "sequence");
    for (uint32_t i = 0; i < count; i++) {
        if (is_in[i]) {
            wrn_sexp_put(&writer, certs[i].cert);
            wrn_sexp_put(&writer, certs[i].signature);
            left++;
        }
    }
    return left == 0 ? 0 : pack(frame, &writer, out, capacity, ret_size);
}

/* ---- one certificate ---- */

static bool read_cert(struct wrn_sexp object, struct wrn_cert *ret_cert) {
    struct wrn_spki_cert read;
    struct wrn_cert *cert = ret_cert;
    if (wrn_spki_read_cert(object, WRN_SPKI_STRICT, &read, NULL) != 0 ||
        read.issuer.ed25519 == NULL || read.subject.kind != WRN_SPKI_SUBJECT_PRINCIPAL ||
        read.subject.principal.ed25519 == NULL || !read_element(read.tag, &cert->element)) {
        return false;
    }
    wrn_spki_hash(object, cert->hash);
    cert->cert = object;
    cert->issuer = read.issuer.ed25519;
    cert->subject = read.subject.principal.ed25519;
    cert->may_pass_on = read.delegation == WRN_SPKI_DELEGABLE;
    if (!wrn_spki_date_read(read.validity.not_before, &cert->from_s)) {
        cert->from_s = 0;
    }
    cert->until_s = INT64_MAX;
    if (wrn_spki_date_read(read.validity.not_after, &cert->until_s)) {
        cert->until_s++; /* the second itself belongs to it */
    } else {
        cert->until_s = INT64_MAX;
    }
    return true;
}

static bool read_element(struct wrn_sexp tag, struct wrn_sexp *ret_element) {
    struct wrn_sexp_cursor cursor;
    wrn_span id;
    return wrn_sexp_enter_named(tag, "warren", &cursor) && wrn_sexp_take_atom(&cursor, &id) &&
           wrn_sexp_take_any(&cursor, ret_element);
}

static int write_cert(struct wrn_sexp_writer *out, const struct wrn_pack_frame *frame,
                      const struct wrn_certs_issue *issue, uint8_t ret_hash[WRN_SHA256_SIZE]) {
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE], keys[2][WRN_SPKI_KEY_SEXP_SIZE], tag_room[TAG_MAX];
    char dates[2][WRN_SPKI_DATE_SIZE];
    struct wrn_sexp_writer tag = wrn_sexp_writer(tag_room, sizeof tag_room);
    struct wrn_spki_issue spki = {
        .delegation = issue->may_pass_on ? WRN_SPKI_DELEGABLE : WRN_SPKI_NOT_DELEGABLE,
    };
    struct wrn_sexp cert;
    if (!wrn_sign_public(issue->seed, public_key)) {
        return -ENOMEM;
    }
    wrn_sexp_open(&tag, "warren");
    wrn_sexp_put_bytes(&tag, (wrn_span){frame->network, WRN_NETWORK_ID_SIZE});
    wrn_sexp_put(&tag, issue->element);
    wrn_sexp_close(&tag);
    if (wrn_sexp_finish(&tag, &spki.tag) != 0) {
        return -ENOBUFS;
    }
    spki.issuer = wrn_spki_key_sexp(public_key, keys[0]);
    spki.subject = wrn_spki_key_sexp(issue->subject, keys[1]);
    if (issue->from_s < 0 || issue->until_s <= issue->from_s) {
        return WRN_ERR_MALFORMED;
    }
    if (issue->from_s > 0 && wrn_spki_date_write(issue->from_s, dates[0])) {
        spki.validity.not_before = (wrn_spki_date){(uint8_t *)dates[0], WRN_SPKI_DATE_SIZE};
    }
    if (issue->until_s < WRN_RECORD_TIME_MAX_S &&
        wrn_spki_date_write(issue->until_s - 1, dates[1])) {
        spki.validity.not_after = (wrn_spki_date){(uint8_t *)dates[1], WRN_SPKI_DATE_SIZE};
    }
    size_t begin = out->size;
    wrn_spki_write_cert(out, &spki, false);
    if (out->error != 0 ||
        wrn_sexp_check((wrn_span){out->out + begin, out->size - begin}, &cert, NULL) != 0) {
        return -ENOBUFS;
    }
    wrn_spki_hash(cert, ret_hash);
    return wrn_spki_sign(out, cert, issue->seed) ? 0 : -ENOMEM;
}

/* Ends the sequence and packs it. */
static int pack(const struct wrn_pack_frame *frame, struct wrn_sexp_writer *writer, uint8_t *out,
                size_t capacity, size_t *ret_size) {
    struct wrn_sexp sequence;
    enum wrn_pack_fault fault;
    wrn_sexp_close(writer);
    if (wrn_sexp_finish(writer, &sequence) != 0) {
        return -ENOBUFS;
    }
    if (wrn_pack(frame, sequence, out, capacity, ret_size, &fault) == 0) {
        return 0;
    }
    return fault == WRN_PACK_TOO_LARGE || fault == WRN_PACK_TOO_MANY ? -ENOBUFS : WRN_ERR_MALFORMED;
}

static bool is_signed(const struct wrn_cert *cert) {
    struct wrn_spki_signature signature;
    return wrn_spki_read_signature(cert->signature, &signature, NULL) == 0 &&
           wrn_spki_verify(&signature, cert->cert, cert->issuer);
}

uint32_t wrn_certs_leading(const struct wrn_pack_frame *frame, const struct wrn_certs *certs,
                           const uint8_t without[WRN_SIGN_PUBLIC_SIZE]) {
    uint32_t leading = 0, checked = 0, before;
    do {
        before = leading;
        for (uint32_t i = 0; i < certs->count; i++) {
            const struct wrn_cert *cert = &certs->certs[i];
            bool is_given = is_key(cert->issuer, frame->owner);
            for (uint32_t j = 0; j < certs->count && !is_given; j++) {
                is_given = (leading >> j & 1) != 0 && is_key(certs->certs[j].subject, cert->issuer);
            }
            if (!is_given || (checked >> i & 1) != 0 || is_key(cert->issuer, without)) {
                continue;
            }
            checked |= UINT32_C(1) << i;
            leading |= is_signed(cert) ? UINT32_C(1) << i : 0;
        }
    } while (leading != before);
    return leading;
}

/* ---- two chains ---- */

/* One of the same issuer for the same subject that says the same and ends later, or is the same. */
static void drop_replaced(const struct wrn_cert *certs, bool *is_in, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < count && is_in[i]; j++) {
            bool says_more = certs[j].may_pass_on || !certs[i].may_pass_on;
            bool is_same = i != j && is_in[j] && is_key(certs[i].issuer, certs[j].issuer) &&
                           is_key(certs[i].subject, certs[j].subject) && says_more &&
                           wrn_sexp_equal(certs[i].element, certs[j].element);
            bool ends_later = certs[j].until_s > certs[i].until_s ||
                              (certs[j].until_s == certs[i].until_s && j < i);
            is_in[i] = !(is_same && ends_later);
        }
    }
}

/* Those that do not follow from the owner's, and those from which nothing for the subject follows.
 * Tells whether there were any: then there may be others now. */
static bool drop_loose(const struct wrn_pack_frame *frame, const uint8_t *subject,
                       const struct wrn_cert *certs, bool *is_in, uint32_t count) {
    bool dropped = false;
    for (uint32_t i = 0; i < count; i++) {
        bool has_issuer = is_key(certs[i].issuer, frame->owner);
        bool has_use = is_key(certs[i].subject, subject);
        for (uint32_t j = 0; j < count; j++) {
            has_issuer = has_issuer || (is_in[j] && is_key(certs[j].subject, certs[i].issuer));
            has_use = has_use || (is_in[j] && is_key(certs[j].issuer, certs[i].subject));
        }
        if (is_in[i] && !(has_issuer && has_use)) {
            is_in[i] = false;
            dropped = true;
        }
    }
    return dropped;
}

static bool is_key(const uint8_t *a, const uint8_t *b) {
    return memcmp(a, b, WRN_SIGN_PUBLIC_SIZE) == 0;
}
