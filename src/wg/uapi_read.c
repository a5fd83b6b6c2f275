/* SPDX-License-Identifier: Apache-2.0 */
/* The reading half of the userspace API: requests out of a stream, lines to operations. Pure
 * functions over the caller's bytes; never looks outside the spans it is handed. Source:
 * wireguard.com/xplatform. */
#include "wg/uapi.h"

#include "crypto/crypto.h"
#include "wg/noise.h"

/* Where a key may stand. */
enum place { INTERFACE, PEER, BEGINS_PEER };

struct key {
    const char *name;
    size_t name_size;
    enum place place;
    enum wrn_uapi_op_kind kind;
    bool (*read_value)(wrn_span value, struct wrn_uapi_op *op);
    const char *why; /* said when the value does not fit */
};

static bool read_key(wrn_span value, struct wrn_uapi_op *op);
static bool read_u16(wrn_span value, struct wrn_uapi_op *op);
static bool read_fwmark(wrn_span value, struct wrn_uapi_op *op);
static bool read_version(wrn_span value, struct wrn_uapi_op *op);
static bool read_true(wrn_span value, struct wrn_uapi_op *op);
static bool read_cipher(wrn_span value, struct wrn_uapi_op *op);
static bool read_workers(wrn_span value, struct wrn_uapi_op *op);
static bool read_offloads(wrn_span value, struct wrn_uapi_op *op);
static bool read_endpoint(wrn_span value, struct wrn_uapi_op *op);
static bool read_allowed_ip(wrn_span value, struct wrn_uapi_op *op);
static bool take_scope_name(wrn_span value, char *ret_text, wrn_span *ret_rest,
                            char ret_name[WRN_UAPI_SCOPE_SIZE]);
static bool read_decimal(wrn_span text, uint32_t max, uint32_t *ret_value);
static uint32_t hex_digit(uint32_t c, uint32_t *bad);
static bool take_line(wrn_span *text, wrn_span *ret_line);
static bool span_is(wrn_span span, const char *text, size_t size);

#define KEY(name, place, kind, read_value, why)                                                    \
    { name, sizeof(name) - 1, place, WRN_UAPI_##kind, read_value, name ": " why }
#define WANTS_KEY  "the value is a key of 64 hexadecimal digits"
#define WANTS_TRUE "the value can only be \"true\""
#define WANTS_U16  "the value is a decimal number from 0 to 65535"

static const struct key keys[] = {
    KEY("allowed_ip", PEER, PEER_ALLOW, read_allowed_ip,
        "the value is a prefix such as 10.0.0.0/8 or fd00::/64, with its length"),
    KEY("public_key", BEGINS_PEER, PEER, read_key, WANTS_KEY),
    KEY("preshared_key", PEER, PEER_PSK, read_key, WANTS_KEY ", all zero for none"),
    KEY("endpoint", PEER, PEER_ENDPOINT, read_endpoint,
        "the value is an address and a port, 192.0.2.1:51820 or [2001:db8::1]:51820"),
    KEY("persistent_keepalive_interval", PEER, PEER_KEEPALIVE, read_u16, WANTS_U16),
    KEY("replace_allowed_ips", PEER, PEER_REPLACE_ALLOWED, read_true, WANTS_TRUE),
    KEY("remove", PEER, PEER_REMOVE, read_true, WANTS_TRUE),
    KEY("update_only", PEER, PEER_UPDATE_ONLY, read_true, WANTS_TRUE),
    KEY("cipher", PEER, PEER_CIPHER, read_cipher,
        "the value is chacha20-poly1305, which every WireGuard speaks, or aes-256-gcm"),
    KEY("protocol_version", PEER, PEER_PROTOCOL, read_version, "the only version is 1"),
    KEY("private_key", INTERFACE, PRIVATE_KEY, read_key, WANTS_KEY ", all zero for none"),
    KEY("listen_port", INTERFACE, LISTEN_PORT, read_u16, WANTS_U16),
    KEY("fwmark", INTERFACE, FWMARK, read_fwmark,
        "the value is a decimal number from 0 to 4294967295, 0 or nothing for none"),
    KEY("replace_peers", INTERFACE, REPLACE_PEERS, read_true, WANTS_TRUE),
    KEY("workers", INTERFACE, WORKERS, read_workers, "the value is a decimal number from 1 to 64"),
    KEY("offloads", INTERFACE, OFFLOADS, read_offloads,
        "the value is all, none, or names of csum, tso4, tso6, uso, gso, gro with commas between"),
};

int wrn_uapi_read_line(struct wrn_uapi_reader *reader, wrn_span line, struct wrn_uapi_op *ret_op,
                       const char **reterr_why) {
    const uint8_t *equals = line.size > 0 ? memchr(line.data, '=', line.size) : NULL;
    if (!equals) {
        *reterr_why = "the line is not of the form key=value";
        return -EPROTO;
    }
    wrn_span name = {line.data, (size_t)(equals - line.data)};
    wrn_span value = {equals + 1, line.size - name.size - 1};
    const struct key *key = NULL;
    for (size_t i = 0; i < WRN_COUNT(keys) && !key; i++) {
        key = span_is(name, keys[i].name, keys[i].name_size) ? &keys[i] : NULL;
    }
    if (!key) {
        *reterr_why = "the key is unknown; keys are in lower case, without spaces";
        return -EPROTO;
    }
    if (key->place == PEER && !reader->in_peer) {
        *reterr_why = "a key of a peer stands before any public_key";
        return -EPROTO;
    }
    if (key->place == INTERFACE && reader->in_peer) {
        *reterr_why =
            "a key of the interface stands behind a public_key; it belongs before the first";
        return -EPROTO;
    }
    struct wrn_uapi_op op = {.kind = key->kind};
    bool understood = key->read_value(value, &op);
    if (understood) {
        *ret_op = op;
        reader->in_peer = reader->in_peer || key->place == BEGINS_PEER;
    } else {
        *reterr_why = key->why;
    }
    wrn_wipe(&op, sizeof(op));
    return understood ? 0 : -EINVAL;
}

enum wrn_uapi_request wrn_uapi_next_request(wrn_span received, wrn_span *ret_body,
                                            size_t *ret_size) {
    wrn_span rest = received;
    wrn_span line;
    if (!take_line(&rest, &line)) {
        return WRN_UAPI_INCOMPLETE;
    }
    enum wrn_uapi_request request = span_is(line, "get=1", 5)     ? WRN_UAPI_GET
                                    : span_is(line, "set=1", 5)   ? WRN_UAPI_SET
                                    : span_is(line, "stats=1", 7) ? WRN_UAPI_STATS
                                                                  : WRN_UAPI_BAD;
    wrn_span body = {rest.data, 0};
    while (request != WRN_UAPI_BAD) {
        if (!take_line(&rest, &line)) {
            return WRN_UAPI_INCOMPLETE;
        }
        if (line.size == 0) {
            break;
        }
        body.size += line.size + 1;
    }
    *ret_body = body;
    *ret_size = received.size - rest.size;
    return request;
}

bool wrn_uapi_next_line(wrn_span *body, wrn_span *ret_line) {
    if (take_line(body, ret_line)) {
        return true;
    }
    if (body->size == 0) {
        return false;
    }
    *ret_line = *body; /* the last line of a body that was cut off */
    *body = (wrn_span){body->data + body->size, 0};
    return true;
}

/* The digits may be secret: the time depends only on how many there are. Whether the whole is a key
 * shows in the answer anyway. */
static bool read_key(wrn_span value, struct wrn_uapi_op *op) {
    if (value.size != 2 * sizeof(op->key)) {
        return false;
    }
    uint32_t bad = 0;
    for (size_t i = 0; i < sizeof(op->key); i++) {
        uint32_t high = hex_digit(value.data[2 * i], &bad);
        uint32_t low = hex_digit(value.data[2 * i + 1], &bad);
        op->key[i] = (uint8_t)(high << 4 | low);
    }
    return bad == 0;
}

static bool read_u16(wrn_span value, struct wrn_uapi_op *op) {
    return read_decimal(value, UINT16_MAX, &op->number);
}

/* Nothing behind the '=' also takes the mark away. */
static bool read_fwmark(wrn_span value, struct wrn_uapi_op *op) {
    return value.size == 0 || read_decimal(value, UINT32_MAX, &op->number);
}

static bool read_version(wrn_span value, struct wrn_uapi_op *op) {
    op->number = 1;
    return span_is(value, "1", 1);
}

static bool read_true(wrn_span value, struct wrn_uapi_op *op) {
    (void)op;
    return span_is(value, "true", 4);
}

static bool read_cipher(wrn_span value, struct wrn_uapi_op *op) {
    for (uint32_t i = 0; i < WRN_CIPHERS; i++) {
        const char *name = wrn_noise_cipher_name((enum wrn_cipher)i);
        if (span_is(value, name, strlen(name))) {
            op->number = i;
            return true;
        }
    }
    return false;
}

static bool read_workers(wrn_span value, struct wrn_uapi_op *op) {
    return wrn_uapi_read_workers(value, &op->number);
}

static bool read_offloads(wrn_span value, struct wrn_uapi_op *op) {
    return wrn_uapi_read_offloads(value, &op->number);
}

static bool read_endpoint(wrn_span value, struct wrn_uapi_op *op) {
    if (wrn_endpoint_parse(value, &op->endpoint) == 0) {
        return true;
    }
    char text[WRN_ENDPOINT_TEXT_SIZE];
    wrn_span rest;
    /* "[::ffff:192.0.2.7%eth0]:7" is an IPv4 endpoint, and those have no scope. */
    return take_scope_name(value, text, &rest, op->scope_name) &&
           wrn_endpoint_parse(rest, &op->endpoint) == 0 &&
           op->endpoint.ip.family == WRN_FAMILY_IPV6 && op->endpoint.scope_id == 0;
}

/* A sign says what to do with the prefix; without one it is added. */
static bool read_allowed_ip(wrn_span value, struct wrn_uapi_op *op) {
    if (value.size > 0 && (value.data[0] == '-' || value.data[0] == '+')) {
        op->kind = value.data[0] == '-' ? WRN_UAPI_PEER_DISALLOW : WRN_UAPI_PEER_ALLOW;
        value = (wrn_span){value.data + 1, value.size - 1};
    }
    return value.size > 0 && memchr(value.data, '/', value.size) != NULL &&
           wrn_prefix_parse(value, &op->prefix) == 0;
}

/* Splits "[fe80::1%eth0]:1", as wg(8) writes link-local endpoints, into "[fe80::1]:1" (in
 * 'ret_text', WRN_ENDPOINT_TEXT_SIZE bytes) and "eth0". A scope that is a number belongs to the
 * endpoint. */
static bool take_scope_name(wrn_span value, char *ret_text, wrn_span *ret_rest,
                            char ret_name[WRN_UAPI_SCOPE_SIZE]) {
    const uint8_t *percent = value.size > 0 ? memchr(value.data, '%', value.size) : NULL;
    if (!percent) {
        return false;
    }
    const uint8_t *end = value.data + value.size;
    const uint8_t *bracket = memchr(percent, ']', (size_t)(end - percent));
    if (!bracket) {
        return false;
    }
    size_t before = (size_t)(percent - value.data);
    size_t name = (size_t)(bracket - percent) - 1;
    size_t after = (size_t)(end - bracket);
    bool has_letter = false;
    for (const uint8_t *c = percent + 1; c < bracket; c++) {
        if (*c <= ' ' || *c >= 0x7f || *c == '/' || *c == '%') {
            return false; /* no name of an interface */
        }
        has_letter = has_letter || *c < '0' || *c > '9';
    }
    if (!has_letter || name >= WRN_UAPI_SCOPE_SIZE || before + after > WRN_ENDPOINT_TEXT_SIZE) {
        return false;
    }
    memcpy(ret_text, value.data, before);
    memcpy(ret_text + before, bracket, after);
    *ret_rest = (wrn_span){(const uint8_t *)ret_text, before + after};
    memcpy(ret_name, percent + 1, name);
    ret_name[name] = 0;
    return true;
}

/* Digits only: no sign, no space, no empty text. */
static bool read_decimal(wrn_span text, uint32_t max, uint32_t *ret_value) {
    uint64_t value = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        value = value * 10 + (uint64_t)(text.data[i] - '0');
        if (value > max) {
            return false;
        }
    }
    if (text.size == 0) {
        return false;
    }
    *ret_value = (uint32_t)value;
    return true;
}

/* Returns the value of a hexadecimal digit without a branch or a table, which would tell it through
 * the cache; a character that is none makes 'bad' not zero. */
static uint32_t hex_digit(uint32_t c, uint32_t *bad) {
    uint32_t letter = c | 0x20; /* lower case; maps no other character onto a..f than A..F */
    uint32_t is_number = (((c - '0') | ('9' - c)) >> 31) - 1;
    uint32_t is_letter = (((letter - 'a') | ('f' - letter)) >> 31) - 1;
    *bad |= ~(is_number | is_letter);
    return (is_number & (c - '0')) | (is_letter & (letter - 'a' + 10));
}

/* Takes a line with its newline off 'text'; returns false, with nothing changed, if there is no
 * newline. */
static bool take_line(wrn_span *text, wrn_span *ret_line) {
    const uint8_t *newline = text->size > 0 ? memchr(text->data, '\n', text->size) : NULL;
    if (!newline) {
        return false;
    }
    size_t size = (size_t)(newline - text->data);
    *ret_line = (wrn_span){text->data, size};
    *text = (wrn_span){newline + 1, text->size - size - 1};
    return true;
}

static bool span_is(wrn_span span, const char *text, size_t size) {
    return span.size == size && memcmp(span.data, text, size) == 0;
}
