/* SPDX-License-Identifier: Apache-2.0 */
/* Writes and reads descriptors field by field, in one form only. Says nothing about networks that
 * overlap, or that are known. */
#include "network/descriptor.h"

#include <stdio.h>

enum {
    VNI_MAX = (1 << 24) - 1,
    NUMBER_DIGITS_MAX = 8,
    VNI_READ_MAX = 99999999, /* what is more is malformed, what is less a wrong VNI */
};

static const char label[] = "warren network 1";

static void write_body(struct wrn_sexp_writer *out, const struct wrn_descriptor *descriptor,
                       const char created[WRN_SPKI_DATE_SIZE]);
static void write_field(struct wrn_sexp_writer *out, const char *name, wrn_span value);
static void write_prefix(struct wrn_sexp_writer *out, const char *name,
                         const struct wrn_prefix *prefix);
static enum wrn_descriptor_fault read_body(struct wrn_sexp body, struct wrn_descriptor *descriptor);
static bool take_prefix(struct wrn_sexp_cursor *cursor, const char *name,
                        struct wrn_prefix *ret_prefix);
static bool take_kind(struct wrn_sexp_cursor *cursor, enum wrn_network_kind *ret_kind);
static bool is_prefix(const struct wrn_prefix *prefix);
static bool is_private(const struct wrn_prefix *prefix);
static bool is_local(const struct wrn_prefix *prefix);

const char *wrn_descriptor_fault_text(enum wrn_descriptor_fault fault) {
    static const char *const texts[WRN_DESCRIPTOR_FAULTS] = {
        [WRN_DESCRIPTOR_OK] = "nothing is wrong",
        [WRN_DESCRIPTOR_MALFORMED] = "it is no description of a network",
        [WRN_DESCRIPTOR_VERSION] = "it was made by a later version of Warren",
        [WRN_DESCRIPTOR_NAME] = "its name is not 1 to 63 of a-z, 0-9 and inner '-'",
        [WRN_DESCRIPTOR_OWNER] = "its owner's key is no sound Ed25519 key",
        [WRN_DESCRIPTOR_VNI] = "its VNI is not between 1 and 16777215",
        [WRN_DESCRIPTOR_IPV4] = "its IPv4 range is not a /8 to /30 of RFC 1918 or RFC 6598",
        [WRN_DESCRIPTOR_IPV6] = "its IPv6 range is not a /64 within fd00::/8",
        [WRN_DESCRIPTOR_RANGE] = "a network of kind l3 needs an address range",
        [WRN_DESCRIPTOR_SIGNATURE] = "its owner did not sign it",
    };
    return texts[fault];
}

bool wrn_label_is_good(wrn_span text) {
    if (text.size == 0 || text.size >= WRN_LABEL_SIZE || text.data[0] == '-' ||
        text.data[text.size - 1] == '-') {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) {
            return false;
        }
    }
    return true;
}

enum wrn_descriptor_fault wrn_descriptor_check(const struct wrn_descriptor *descriptor) {
    wrn_span name = {(const uint8_t *)descriptor->name, strnlen(descriptor->name, WRN_LABEL_SIZE)};
    bool has_ipv4 = descriptor->ipv4.ip.family != WRN_FAMILY_NONE;
    bool has_ipv6 = descriptor->ipv6.ip.family != WRN_FAMILY_NONE;
    if (!wrn_label_is_good(name)) {
        return WRN_DESCRIPTOR_NAME;
    }
    if (descriptor->vni == 0 || descriptor->vni > VNI_MAX) {
        return WRN_DESCRIPTOR_VNI;
    }
    if (has_ipv4 && (!is_private(&descriptor->ipv4) || !is_prefix(&descriptor->ipv4))) {
        return WRN_DESCRIPTOR_IPV4;
    }
    if (has_ipv6 && (!is_local(&descriptor->ipv6) || !is_prefix(&descriptor->ipv6))) {
        return WRN_DESCRIPTOR_IPV6;
    }
    return descriptor->kind == WRN_NETWORK_L3 && !has_ipv4 && !has_ipv6 ? WRN_DESCRIPTOR_RANGE
                                                                        : WRN_DESCRIPTOR_OK;
}

int wrn_descriptor_write(struct wrn_descriptor *descriptor, const uint8_t seed[WRN_SEED_SIZE],
                         uint8_t *out, size_t capacity, struct wrn_sexp *ret_sequence) {
    uint8_t signature[WRN_SIGNATURE_SIZE];
    struct wrn_sexp_writer writer = wrn_sexp_writer(out, capacity);
    char created[WRN_SPKI_DATE_SIZE];
    if (wrn_descriptor_check(descriptor) != WRN_DESCRIPTOR_OK ||
        !wrn_spki_date_write(descriptor->created_s, created)) {
        return WRN_ERR_MALFORMED;
    }
    if (!wrn_sign_public(seed, descriptor->owner)) {
        return -ENOMEM;
    }
    wrn_sexp_open(&writer, "sequence");
    size_t begin = writer.size;
    write_body(&writer, descriptor, created);
    if (writer.error != 0) {
        return writer.error;
    }
    wrn_span body = {out + begin, writer.size - begin};
    wrn_sha256(body, (wrn_span){NULL, 0}, descriptor->id);
    if (!wrn_sign(seed, label, body, signature)) {
        return -ENOMEM;
    }
    wrn_sexp_open(&writer, "signature");
    write_field(&writer, "ed25519", (wrn_span){signature, sizeof signature});
    wrn_sexp_close(&writer);
    wrn_sexp_close(&writer);
    return wrn_sexp_finish(&writer, ret_sequence);
}

int wrn_descriptor_write_signed(struct wrn_descriptor *descriptor,
                                const uint8_t signature[WRN_SIGNATURE_SIZE], uint8_t *out,
                                size_t capacity, struct wrn_sexp *ret_sequence) {
    struct wrn_sexp_writer writer = wrn_sexp_writer(out, capacity);
    char created[WRN_SPKI_DATE_SIZE];
    if (wrn_descriptor_check(descriptor) != WRN_DESCRIPTOR_OK ||
        !wrn_spki_date_write(descriptor->created_s, created)) {
        return WRN_ERR_MALFORMED;
    }
    wrn_sexp_open(&writer, "sequence");
    size_t begin = writer.size;
    write_body(&writer, descriptor, created);
    if (writer.error != 0) {
        return writer.error;
    }
    wrn_sha256((wrn_span){out + begin, writer.size - begin}, (wrn_span){NULL, 0}, descriptor->id);
    wrn_sexp_open(&writer, "signature");
    write_field(&writer, "ed25519", (wrn_span){signature, WRN_SIGNATURE_SIZE});
    wrn_sexp_close(&writer);
    wrn_sexp_close(&writer);
    return wrn_sexp_finish(&writer, ret_sequence);
}

int wrn_descriptor_read(struct wrn_sexp sequence, struct wrn_descriptor *ret_descriptor,
                        enum wrn_descriptor_fault *ret_fault) {
    struct wrn_sexp_cursor cursor, inner;
    struct wrn_sexp body;
    wrn_span signature;
    enum wrn_descriptor_fault fault = WRN_DESCRIPTOR_MALFORMED;
    *ret_descriptor = (struct wrn_descriptor){0};
    if (wrn_sexp_enter_named(sequence, "sequence", &cursor) && wrn_sexp_take_any(&cursor, &body) &&
        wrn_sexp_take_named(&cursor, "signature", &inner) &&
        wrn_sexp_take_field(&inner, "ed25519", &signature) &&
        signature.size == WRN_SIGNATURE_SIZE && wrn_sexp_at_end(&inner) &&
        wrn_sexp_at_end(&cursor)) {
        fault = read_body(body, ret_descriptor);
    }
    if (fault == WRN_DESCRIPTOR_OK &&
        !wrn_sign_verify(ret_descriptor->owner, label, body.bytes, signature.data)) {
        fault = WRN_DESCRIPTOR_SIGNATURE;
    }
    if (fault != WRN_DESCRIPTOR_OK) {
        *ret_descriptor = (struct wrn_descriptor){0};
    } else {
        wrn_sha256(body.bytes, (wrn_span){NULL, 0}, ret_descriptor->id);
    }
    *ret_fault = fault;
    return fault == WRN_DESCRIPTOR_OK ? 0 : WRN_ERR_MALFORMED;
}

struct wrn_pack_frame wrn_descriptor_frame(const struct wrn_descriptor *descriptor) {
    struct wrn_pack_frame frame;
    memcpy(frame.network, descriptor->id, sizeof frame.network);
    memcpy(frame.owner, descriptor->owner, sizeof frame.owner);
    return frame;
}

/* ---- writing ---- */

static void write_body(struct wrn_sexp_writer *out, const struct wrn_descriptor *descriptor,
                       const char created[WRN_SPKI_DATE_SIZE]) {
    uint8_t key[WRN_SPKI_KEY_SEXP_SIZE];
    char vni[NUMBER_DIGITS_MAX + 1];
    int digits = snprintf(vni, sizeof vni, "%u", (unsigned)descriptor->vni);
    wrn_sexp_open(out, "warren-network");
    write_field(out, "version", (wrn_span){(const uint8_t *)"1", 1});
    write_field(out, "name",
                (wrn_span){(const uint8_t *)descriptor->name, strlen(descriptor->name)});
    wrn_sexp_open(out, "kind");
    wrn_sexp_put_word(out, descriptor->kind == WRN_NETWORK_L2 ? "l2" : "l3");
    wrn_sexp_close(out);
    wrn_sexp_open(out, "owner");
    wrn_sexp_put(out, wrn_spki_key_sexp(descriptor->owner, key));
    wrn_sexp_close(out);
    write_field(out, "created", (wrn_span){(const uint8_t *)created, WRN_SPKI_DATE_SIZE});
    write_field(out, "vni", (wrn_span){(const uint8_t *)vni, (size_t)digits});
    write_prefix(out, "ipv4", &descriptor->ipv4);
    write_prefix(out, "ipv6", &descriptor->ipv6);
    if (descriptor->is_open) {
        wrn_sexp_open(out, "open");
        wrn_sexp_close(out);
    }
    write_field(out, "nonce", (wrn_span){descriptor->nonce, sizeof descriptor->nonce});
    wrn_sexp_close(out);
}

static void write_field(struct wrn_sexp_writer *out, const char *name, wrn_span value) {
    wrn_sexp_open(out, name);
    wrn_sexp_put_bytes(out, value);
    wrn_sexp_close(out);
}

static void write_prefix(struct wrn_sexp_writer *out, const char *name,
                         const struct wrn_prefix *prefix) {
    char text[WRN_PREFIX_TEXT_SIZE];
    if (prefix->ip.family != WRN_FAMILY_NONE) {
        size_t size = wrn_prefix_print(prefix, text);
        write_field(out, name, (wrn_span){(const uint8_t *)text, size});
    }
}

/* ---- reading ---- */

static enum wrn_descriptor_fault read_body(struct wrn_sexp body,
                                           struct wrn_descriptor *descriptor) {
    struct wrn_sexp_cursor cursor, inner;
    struct wrn_spki_principal owner;
    struct wrn_sexp key;
    wrn_span version, name, created, nonce;
    if (!wrn_sexp_enter_named(body, "warren-network", &cursor) ||
        !wrn_sexp_take_field(&cursor, "version", &version)) {
        return WRN_DESCRIPTOR_MALFORMED;
    }
    if (version.size != 1 || version.data[0] != '1') {
        return WRN_DESCRIPTOR_VERSION;
    }
    if (!wrn_sexp_take_field(&cursor, "name", &name) || !take_kind(&cursor, &descriptor->kind) ||
        !wrn_sexp_take_named(&cursor, "owner", &inner) || !wrn_sexp_take_any(&inner, &key) ||
        !wrn_sexp_at_end(&inner) || !wrn_sexp_take_field(&cursor, "created", &created) ||
        !wrn_spki_date_read(created, &descriptor->created_s) ||
        !wrn_sexp_take_number(&cursor, "vni", VNI_READ_MAX, &descriptor->vni) ||
        !take_prefix(&cursor, "ipv4", &descriptor->ipv4) ||
        !take_prefix(&cursor, "ipv6", &descriptor->ipv6)) {
        return WRN_DESCRIPTOR_MALFORMED;
    }
    if (wrn_sexp_take_named(&cursor, "open", &inner)) {
        descriptor->is_open = true;
        if (!wrn_sexp_at_end(&inner)) {
            return WRN_DESCRIPTOR_MALFORMED;
        }
    }
    if (!wrn_sexp_take_field(&cursor, "nonce", &nonce) || nonce.size != WRN_NONCE_SIZE ||
        !wrn_sexp_at_end(&cursor)) {
        return WRN_DESCRIPTOR_MALFORMED;
    }
    if (!wrn_label_is_good(name)) {
        return WRN_DESCRIPTOR_NAME;
    }
    if (wrn_spki_read_principal(key, WRN_SPKI_STRICT, &owner, NULL) != 0 || !owner.is_key) {
        return WRN_DESCRIPTOR_OWNER;
    }
    memcpy(descriptor->name, name.data, name.size); /* zeroed before */
    memcpy(descriptor->owner, owner.ed25519, sizeof descriptor->owner);
    memcpy(descriptor->nonce, nonce.data, nonce.size);
    return wrn_descriptor_check(descriptor);
}

/* One that is there must be in the form that is written. */
static bool take_prefix(struct wrn_sexp_cursor *cursor, const char *name,
                        struct wrn_prefix *ret_prefix) {
    char text[WRN_PREFIX_TEXT_SIZE];
    struct wrn_sexp_cursor before = *cursor;
    struct wrn_sexp_cursor inner;
    wrn_span value;
    if (!wrn_sexp_take_named(&before, name, &inner)) {
        return true;
    }
    return wrn_sexp_take_field(cursor, name, &value) && wrn_prefix_parse(value, ret_prefix) == 0 &&
           wrn_prefix_print(ret_prefix, text) == value.size &&
           memcmp(text, value.data, value.size) == 0;
}

static bool take_kind(struct wrn_sexp_cursor *cursor, enum wrn_network_kind *ret_kind) {
    struct wrn_sexp_cursor inner;
    if (!wrn_sexp_take_named(cursor, "kind", &inner)) {
        return false;
    }
    *ret_kind = wrn_sexp_take_word(&inner, "l2") ? WRN_NETWORK_L2 : WRN_NETWORK_L3;
    return (*ret_kind == WRN_NETWORK_L2 || wrn_sexp_take_word(&inner, "l3")) &&
           wrn_sexp_at_end(&inner);
}

/* No bit is set behind its length. */
static bool is_prefix(const struct wrn_prefix *prefix) {
    for (size_t bit = prefix->length_bits; bit < 8 * sizeof prefix->ip.bytes; bit++) {
        if ((prefix->ip.bytes[bit / 8] & 0x80 >> bit % 8) != 0) {
            return false;
        }
    }
    return true;
}

/* Source: RFC 1918, section 3; RFC 6598, section 7. */
static bool is_private(const struct wrn_prefix *prefix) {
    static const struct {
        uint8_t first, second, bits;
    } ranges[] = {{10, 0, 8}, {172, 16, 12}, {192, 168, 16}, {100, 64, 10}};
    const uint8_t *bytes = prefix->ip.bytes;
    uint32_t top = (uint32_t)bytes[0] << 8 | bytes[1];
    if (prefix->ip.family != WRN_FAMILY_IPV4 || prefix->length_bits > 30) {
        return false;
    }
    for (size_t i = 0; i < WRN_COUNT(ranges); i++) {
        uint32_t range = (uint32_t)ranges[i].first << 8 | ranges[i].second;
        if (prefix->length_bits >= ranges[i].bits && (top ^ range) >> (16 - ranges[i].bits) == 0) {
            return true;
        }
    }
    return false;
}

/* Source: RFC 4193, section 3.1. */
static bool is_local(const struct wrn_prefix *prefix) {
    return prefix->ip.family == WRN_FAMILY_IPV6 && prefix->length_bits == 64 &&
           prefix->ip.bytes[0] == 0xfd;
}
