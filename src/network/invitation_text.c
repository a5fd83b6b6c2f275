/* SPDX-License-Identifier: Apache-2.0 */
/* The forms of an invitation: a line, the text of a QR code, a file. What is secret is wiped. */
#include "base/wire.h"
#include "network/invitation_internal.h"

enum {
    FLAG_INVITE = 1,
    FLAG_L2 = 2,
    FLAG_OPEN = 4,
    FLAG_IPV4 = 8,
    FLAG_IPV6 = 16,
    FLAGS = 31,
    SUM_SIZE = 4,
    BYTES_MAX = 1408, /* all at their longest make 1,295 */
    HEAD = 9,         /* "warren:1:" */
    SEXP_MAX = 2304,
    PORT_SIZE = 2,
};

static const char head_line[] = "warren:1:", head_qr[] = "WARREN:1:";
static const char digits64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char digits32[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

static size_t print(const struct wrn_invitation *invitation, const char *head, const char *digits,
                    unsigned bits, char *out, size_t capacity);
static size_t write_bytes(const struct wrn_invitation *invitation, uint8_t out[BYTES_MAX]);
static void write_descriptor(struct wrn_writer *writer, const struct wrn_descriptor *descriptor);
static enum wrn_invitation_fault read_line(const char *text, size_t size,
                                           struct wrn_invitation *invitation);
static enum wrn_invitation_fault read_bytes(wrn_span bytes, struct wrn_invitation *invitation);
static void read_descriptor(struct wrn_reader *reader, uint8_t flags,
                            struct wrn_descriptor *descriptor);
static void read_endpoint(struct wrn_reader *reader, struct wrn_endpoint *endpoint);
static enum wrn_invitation_fault decode(const char *text, size_t size, const char *digits,
                                        unsigned bits, uint8_t *out, size_t *ret_size);
static enum wrn_invitation_fault read_file(wrn_span text, struct wrn_invitation *invitation);
static bool read_fields(struct wrn_sexp sexp, struct wrn_invitation *invitation,
                        bool *ret_is_version);
static bool take_bytes(struct wrn_sexp_cursor *cursor, const char *name, wrn_span *ret_bytes);
static bool take_endpoint(struct wrn_sexp_cursor *cursor, struct wrn_invitation *invitation);
static bool is_white(uint8_t c);

size_t wrn_invitation_print_line(const struct wrn_invitation *invitation, char *out,
                                 size_t capacity) {
    return print(invitation, head_line, digits64, 6, out, capacity);
}

size_t wrn_invitation_print_qr(const struct wrn_invitation *invitation, char *out,
                               size_t capacity) {
    return print(invitation, head_qr, digits32, 5, out, capacity);
}

size_t wrn_invitation_print_file(const struct wrn_invitation *invitation, char *out,
                                 size_t capacity) {
    uint8_t room[SEXP_MAX], descriptor_room[WRN_DESCRIPTOR_MAX];
    struct wrn_descriptor descriptor = invitation->descriptor;
    struct wrn_sexp_writer writer = wrn_sexp_writer(room, sizeof room);
    struct wrn_sexp sexp;
    size_t size = 0;
    if (wrn_descriptor_write_signed(&descriptor, invitation->signature, descriptor_room,
                                    sizeof descriptor_room, &sexp) != 0) {
        return 0;
    }
    wrn_sexp_open(&writer, "warren-invitation");
    wrn_sexp_open(&writer, "version");
    wrn_sexp_put_word(&writer, "1");
    wrn_sexp_close(&writer);
    wrn_sexp_put(&writer, sexp);
    wrn_sexp_open(&writer, "seed");
    wrn_sexp_put_bytes(&writer, (wrn_span){invitation->seed, WRN_SEED_SIZE});
    wrn_sexp_close(&writer);
    if (invitation->members_may_invite) {
        wrn_sexp_open(&writer, "members-may-invite");
        wrn_sexp_close(&writer);
    }
    wrn_sexp_open(&writer, "chain");
    wrn_sexp_put_bytes(&writer, (wrn_span){invitation->chain, invitation->chain_size});
    wrn_sexp_close(&writer);
    for (uint32_t i = 0; i < invitation->endpoint_count; i++) {
        const struct wrn_endpoint *endpoint = &invitation->endpoints[i];
        uint8_t port[PORT_SIZE];
        wrn_store_be16(port, endpoint->port);
        wrn_sexp_open(&writer, "at");
        wrn_sexp_put_bytes(&writer, (wrn_span){endpoint->ip.bytes,
                                               endpoint->ip.family == WRN_FAMILY_IPV4 ? 4 : 16});
        wrn_sexp_put_bytes(&writer, (wrn_span){port, sizeof port});
        wrn_sexp_close(&writer);
    }
    wrn_sexp_close(&writer);
    if (wrn_sexp_finish(&writer, &sexp) == 0) {
        size = wrn_sexp_print(WRN_SEXP_TRANSPORT, sexp, 0, out, capacity);
    }
    wrn_wipe(room, sizeof room);
    if (size == 0 || size + 2 > capacity) {
        return 0;
    }
    out[size] = '\n';
    out[size + 1] = '\0';
    return size + 1;
}

enum wrn_invitation_fault wrn_invitation_read(wrn_span text,
                                              struct wrn_invitation *ret_invitation) {
    char line[WRN_INVITATION_LINE_MAX];
    size_t size = 0;
    enum wrn_invitation_fault fault = WRN_INVITATION_OK;
    *ret_invitation = (struct wrn_invitation){.chain_size = 0};
    while (text.size > 0 && is_white(text.data[0])) {
        text = (wrn_span){text.data + 1, text.size - 1};
    }
    if (text.size > 0 && (text.data[0] == '{' || text.data[0] == '(')) {
        fault = read_file(text, ret_invitation);
    } else {
        for (size_t i = 0; i < text.size && size < sizeof line; i++) {
            if (!is_white(text.data[i])) {
                line[size++] = (char)text.data[i];
            }
        }
        fault = read_line(line, size, ret_invitation);
        wrn_wipe(line, sizeof line);
    }
    fault = fault == WRN_INVITATION_OK ? wrn_invitation_verify(ret_invitation) : fault;
    if (fault != WRN_INVITATION_OK) {
        wrn_invitation_finish(ret_invitation);
    }
    return fault;
}

/* ---- lines ---- */

static size_t print(const struct wrn_invitation *invitation, const char *head, const char *digits,
                    unsigned bits, char *out, size_t capacity) {
    uint8_t bytes[BYTES_MAX];
    size_t size = write_bytes(invitation, bytes);
    size_t length = HEAD + (8 * size + bits - 1) / bits;
    if (size > 0 && length < capacity) {
        memcpy(out, head, HEAD);
        for (size_t i = HEAD; i < length; i++) {
            unsigned value = 0;
            for (size_t bit = (i - HEAD) * bits; bit < (i - HEAD + 1) * bits; bit++) {
                unsigned one = bit / 8 < size ? bytes[bit / 8] >> (7 - bit % 8) & 1U : 0;
                value = value << 1 | one;
            }
            out[i] = digits[value];
        }
        out[length] = '\0';
    } else {
        length = 0;
    }
    wrn_wipe(bytes, sizeof bytes);
    return length;
}

static size_t write_bytes(const struct wrn_invitation *invitation, uint8_t out[BYTES_MAX]) {
    uint8_t sum[WRN_SHA256_SIZE];
    struct wrn_writer writer = wrn_writer(out, BYTES_MAX);
    uint8_t flags = invitation->members_may_invite ? FLAG_INVITE : 0;
    flags |= invitation->descriptor.kind == WRN_NETWORK_L2 ? FLAG_L2 : 0;
    flags |= invitation->descriptor.is_open ? FLAG_OPEN : 0;
    flags |= invitation->descriptor.ipv4.ip.family != WRN_FAMILY_NONE ? FLAG_IPV4 : 0;
    flags |= invitation->descriptor.ipv6.ip.family != WRN_FAMILY_NONE ? FLAG_IPV6 : 0;
    wrn_write_u16(&writer, 0);
    wrn_write_u8(&writer, flags);
    write_descriptor(&writer, &invitation->descriptor);
    wrn_write_bytes(&writer, invitation->signature, sizeof invitation->signature);
    wrn_write_bytes(&writer, invitation->seed, sizeof invitation->seed);
    wrn_write_u16(&writer, invitation->chain_size);
    wrn_write_bytes(&writer, invitation->chain, invitation->chain_size);
    wrn_write_u8(&writer, invitation->endpoint_count);
    for (uint32_t i = 0; i < invitation->endpoint_count; i++) {
        const struct wrn_endpoint *endpoint = &invitation->endpoints[i];
        wrn_write_u8(&writer, endpoint->ip.family);
        wrn_write_bytes(&writer, endpoint->ip.bytes,
                        endpoint->ip.family == WRN_FAMILY_IPV4 ? 4 : 16);
        wrn_write_u16(&writer, endpoint->port);
    }
    if (writer.failed || writer.size + SUM_SIZE > BYTES_MAX) {
        return 0;
    }
    wrn_store_be16(out, (uint16_t)(writer.size + SUM_SIZE));
    wrn_sha256((wrn_span){out, writer.size}, (wrn_span){NULL, 0}, sum);
    wrn_write_bytes(&writer, sum, SUM_SIZE);
    return writer.size;
}

/* What wrn_descriptor_write_signed makes the signed bytes of. */
static void write_descriptor(struct wrn_writer *writer, const struct wrn_descriptor *descriptor) {
    size_t size = strnlen(descriptor->name, WRN_LABEL_SIZE - 1);
    wrn_write_u8(writer, (uint8_t)size);
    wrn_write_bytes(writer, descriptor->name, size);
    wrn_write_bytes(writer, descriptor->owner, sizeof descriptor->owner);
    wrn_write_u64(writer, (uint64_t)descriptor->created_s);
    wrn_write_u32(writer, descriptor->vni);
    if (descriptor->ipv4.ip.family != WRN_FAMILY_NONE) {
        wrn_write_bytes(writer, descriptor->ipv4.ip.bytes, 4);
        wrn_write_u8(writer, descriptor->ipv4.length_bits);
    }
    if (descriptor->ipv6.ip.family != WRN_FAMILY_NONE) {
        wrn_write_bytes(writer, descriptor->ipv6.ip.bytes, 8);
    }
    wrn_write_bytes(writer, descriptor->nonce, sizeof descriptor->nonce);
}

/* 'text' has no white space. */
static enum wrn_invitation_fault read_line(const char *text, size_t size,
                                           struct wrn_invitation *invitation) {
    uint8_t bytes[WRN_INVITATION_LINE_MAX];
    size_t count = 0;
    bool is_line = size >= HEAD - 2 && memcmp(text, head_line, HEAD - 2) == 0;
    bool is_qr = size >= HEAD - 2 && memcmp(text, head_qr, HEAD - 2) == 0;
    if (!is_line && !is_qr) {
        return size > 0 && size < HEAD && memcmp(text, head_line, size) == 0
                   ? WRN_INVITATION_CUT
                   : WRN_INVITATION_NOT_INVITATION;
    }
    if (size < HEAD) {
        return WRN_INVITATION_CUT;
    }
    if (text[HEAD - 2] != '1' || text[HEAD - 1] != ':') {
        bool is_number = text[HEAD - 2] >= '1' && text[HEAD - 2] <= '9';
        return is_number ? WRN_INVITATION_VERSION : WRN_INVITATION_NOT_INVITATION;
    }
    if (size == WRN_INVITATION_LINE_MAX) {
        return WRN_INVITATION_LONGER;
    }
    enum wrn_invitation_fault fault =
        decode(text + HEAD, size - HEAD, is_qr ? digits32 : digits64, is_qr ? 5 : 6, bytes, &count);
    fault = fault == WRN_INVITATION_OK ? read_bytes((wrn_span){bytes, count}, invitation) : fault;
    wrn_wipe(bytes, sizeof bytes);
    return fault;
}

/* Whole bytes; the bits that are left must be zero and fewer than a digit has. */
static enum wrn_invitation_fault decode(const char *text, size_t size, const char *digits,
                                        unsigned bits, uint8_t *out, size_t *ret_size) {
    uint32_t value = 0;
    unsigned have = 0;
    size_t count = 0;
    for (size_t i = 0; i < size; i++) {
        const char *digit = text[i] != '\0' ? strchr(digits, text[i]) : NULL;
        if (digit == NULL) {
            return WRN_INVITATION_BAD_CHARACTER;
        }
        value = (value << bits | (uint32_t)(digit - digits)) & 0xffff;
        have += bits;
        if (have >= 8) {
            have -= 8;
            out[count++] = (uint8_t)(value >> have);
        }
    }
    *ret_size = count;
    if (have >= bits) {
        return WRN_INVITATION_CUT;
    }
    /* Other bits in the last digit would be a second form of the same: found by read_bytes if the
     * line was cut there, too. */
    bool is_whole = count >= 2 && wrn_load_be16(out) == count;
    return is_whole && (value & ((1U << have) - 1)) != 0 ? WRN_INVITATION_MISTYPED
                                                         : WRN_INVITATION_OK;
}

static enum wrn_invitation_fault read_bytes(wrn_span bytes, struct wrn_invitation *invitation) {
    uint8_t sum[WRN_SHA256_SIZE];
    size_t size = bytes.size >= 2 ? wrn_load_be16(bytes.data) : 0;
    if (bytes.size < 2 || (bytes.size < size && size <= BYTES_MAX)) {
        return WRN_INVITATION_CUT;
    }
    if (size > BYTES_MAX || size < 2 + SUM_SIZE) {
        return WRN_INVITATION_MISTYPED;
    }
    wrn_sha256((wrn_span){bytes.data, size - SUM_SIZE}, (wrn_span){NULL, 0}, sum);
    if (memcmp(sum, bytes.data + size - SUM_SIZE, SUM_SIZE) != 0) {
        return WRN_INVITATION_MISTYPED;
    }
    if (bytes.size > size) {
        return WRN_INVITATION_LONGER;
    }
    struct wrn_reader reader = wrn_reader((wrn_span){bytes.data + 2, size - 2 - SUM_SIZE});
    uint8_t flags = wrn_read_u8(&reader);
    if (flags > FLAGS) {
        return WRN_INVITATION_VERSION;
    }
    invitation->members_may_invite = (flags & FLAG_INVITE) != 0;
    read_descriptor(&reader, flags, &invitation->descriptor);
    wrn_read_bytes(&reader, invitation->signature, sizeof invitation->signature);
    wrn_read_bytes(&reader, invitation->seed, sizeof invitation->seed);
    if (reader.failed) {
        return WRN_INVITATION_DESCRIPTOR;
    }
    invitation->chain_size = wrn_read_u16(&reader);
    if (invitation->chain_size > WRN_INVITATION_CHAIN_MAX) {
        return WRN_INVITATION_CHAIN;
    }
    wrn_read_bytes(&reader, invitation->chain, invitation->chain_size);
    if (reader.failed) {
        return WRN_INVITATION_CHAIN;
    }
    invitation->endpoint_count = wrn_read_u8(&reader);
    if (invitation->endpoint_count > WRN_INVITATION_ENDPOINTS_MAX) {
        return WRN_INVITATION_ENDPOINT;
    }
    for (uint32_t i = 0; i < invitation->endpoint_count; i++) {
        read_endpoint(&reader, &invitation->endpoints[i]);
    }
    return wrn_reader_is_done(&reader) ? WRN_INVITATION_OK : WRN_INVITATION_ENDPOINT;
}

static void read_descriptor(struct wrn_reader *reader, uint8_t flags,
                            struct wrn_descriptor *descriptor) {
    wrn_span name = wrn_read_span(reader, wrn_read_u8(reader));
    if (name.size > 0 && name.size < WRN_LABEL_SIZE) { /* else the empty one, which is none */
        memcpy(descriptor->name, name.data, name.size);
    }
    descriptor->kind = (flags & FLAG_L2) != 0 ? WRN_NETWORK_L2 : WRN_NETWORK_L3;
    descriptor->is_open = (flags & FLAG_OPEN) != 0;
    wrn_read_bytes(reader, descriptor->owner, sizeof descriptor->owner);
    uint64_t created_s = wrn_read_u64(reader);
    descriptor->created_s = created_s <= INT64_MAX ? (int64_t)created_s : -1;
    descriptor->vni = wrn_read_u32(reader);
    if ((flags & FLAG_IPV4) != 0) {
        descriptor->ipv4.ip.family = WRN_FAMILY_IPV4;
        wrn_read_bytes(reader, descriptor->ipv4.ip.bytes, 4);
        descriptor->ipv4.length_bits = wrn_read_u8(reader);
    }
    if ((flags & FLAG_IPV6) != 0) {
        descriptor->ipv6.ip.family = WRN_FAMILY_IPV6;
        wrn_read_bytes(reader, descriptor->ipv6.ip.bytes, 8);
        descriptor->ipv6.length_bits = 64;
    }
    wrn_read_bytes(reader, descriptor->nonce, sizeof descriptor->nonce);
}

static void read_endpoint(struct wrn_reader *reader, struct wrn_endpoint *endpoint) {
    endpoint->ip.family = wrn_read_u8(reader);
    wrn_read_bytes(reader, endpoint->ip.bytes, endpoint->ip.family == WRN_FAMILY_IPV4 ? 4 : 16);
    endpoint->port = wrn_read_u16(reader);
}

/* ---- the file ---- */

static enum wrn_invitation_fault read_file(wrn_span text, struct wrn_invitation *invitation) {
    uint8_t room[2 * WRN_INVITATION_FILE_MAX + 1];
    struct wrn_sexp_error error;
    struct wrn_sexp sexp;
    bool is_version = true;
    enum wrn_invitation_fault fault = WRN_INVITATION_OK;
    int result = wrn_sexp_read(WRN_SEXP_ANY, text, room, sizeof room, &sexp, NULL, &error);
    if (result == WRN_ERR_MALFORMED) {
        fault = error.fault == WRN_SEXP_ENDS_EARLY ? WRN_INVITATION_CUT
                : error.fault == WRN_SEXP_TRAILING ? WRN_INVITATION_LONGER
                                                   : WRN_INVITATION_BAD_CHARACTER;
    } else if (result != 0 || !wrn_sexp_is_named(sexp, "warren-invitation")) {
        fault = WRN_INVITATION_NOT_INVITATION;
    } else if (!read_fields(sexp, invitation, &is_version)) {
        fault = is_version ? WRN_INVITATION_NOT_INVITATION : WRN_INVITATION_VERSION;
    }
    wrn_wipe(room, sizeof room);
    return fault;
}

static bool read_fields(struct wrn_sexp sexp, struct wrn_invitation *invitation,
                        bool *ret_is_version) {
    struct wrn_sexp_cursor cursor, inner, parts;
    struct wrn_sexp sequence, body;
    enum wrn_descriptor_fault fault;
    wrn_span version, signature, seed, chain;
    if (!wrn_sexp_enter_named(sexp, "warren-invitation", &cursor) ||
        !take_bytes(&cursor, "version", &version)) {
        return false;
    }
    *ret_is_version = version.size == 1 && version.data[0] == '1';
    if (!*ret_is_version || !wrn_sexp_take_any(&cursor, &sequence) ||
        wrn_descriptor_read(sequence, &invitation->descriptor, &fault) != 0 ||
        !wrn_sexp_enter_named(sequence, "sequence", &parts) || !wrn_sexp_take_any(&parts, &body) ||
        !wrn_sexp_take_named(&parts, "signature", &inner) ||
        !take_bytes(&inner, "ed25519", &signature) || !take_bytes(&cursor, "seed", &seed) ||
        seed.size != WRN_SEED_SIZE) {
        return false;
    }
    memcpy(invitation->signature, signature.data, WRN_SIGNATURE_SIZE);
    memcpy(invitation->seed, seed.data, WRN_SEED_SIZE);
    if (wrn_sexp_take_named(&cursor, "members-may-invite", &inner)) {
        invitation->members_may_invite = true;
        if (!wrn_sexp_at_end(&inner)) {
            return false;
        }
    }
    if (!take_bytes(&cursor, "chain", &chain) || chain.size > WRN_INVITATION_CHAIN_MAX) {
        return false;
    }
    invitation->chain_size = (uint16_t)chain.size;
    memcpy(invitation->chain, chain.data, chain.size);
    while (take_endpoint(&cursor, invitation)) {
    }
    return wrn_sexp_at_end(&cursor);
}

static bool take_bytes(struct wrn_sexp_cursor *cursor, const char *name, wrn_span *ret_bytes) {
    struct wrn_sexp_cursor inner;
    return wrn_sexp_take_named(cursor, name, &inner) && wrn_sexp_take_atom(&inner, ret_bytes) &&
           wrn_sexp_at_end(&inner);
}

static bool take_endpoint(struct wrn_sexp_cursor *cursor, struct wrn_invitation *invitation) {
    struct wrn_sexp_cursor before = *cursor, inner;
    struct wrn_endpoint endpoint = {.port = 0};
    wrn_span ip, port;
    if (invitation->endpoint_count == WRN_INVITATION_ENDPOINTS_MAX ||
        !wrn_sexp_take_named(&before, "at", &inner) || !wrn_sexp_take_atom(&inner, &ip) ||
        !wrn_sexp_take_atom(&inner, &port) || !wrn_sexp_at_end(&inner) ||
        (ip.size != 4 && ip.size != 16) || port.size != PORT_SIZE) {
        return false;
    }
    endpoint.ip.family = ip.size == 4 ? WRN_FAMILY_IPV4 : WRN_FAMILY_IPV6;
    memcpy(endpoint.ip.bytes, ip.data, ip.size);
    endpoint.port = wrn_load_be16(port.data);
    invitation->endpoints[invitation->endpoint_count++] = endpoint;
    *cursor = before;
    return true;
}

static bool is_white(uint8_t c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}
