/* SPDX-License-Identifier: Apache-2.0 */
/* Reads rights, writes elements. Knows nothing of who gives them to whom. */
#include "daemon/methods_limits.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/address.h"
#include "base/bytes.h"
#include "network/descriptor.h"

enum { WORD_MAX = 16, PART_MAX = 80, PORT_MOST = 65535, PROTOCOL_MOST = 255, IP_SIZE = 16 };

static bool put_bare(struct wrn_sexp_writer *writer, const char *word, const char *text,
                     char why[WRN_LIMITS_WHY_SIZE]);
static bool put_name(struct wrn_sexp_writer *writer, const char *text,
                     char why[WRN_LIMITS_WHY_SIZE]);
static bool put_allow(struct wrn_sexp_writer *writer, const char *text,
                      char why[WRN_LIMITS_WHY_SIZE]);
static bool put_protocol(struct wrn_sexp_writer *writer, const char *text);
static bool put_port(struct wrn_sexp_writer *writer, const char *text);
static bool put_where(struct wrn_sexp_writer *writer, const char *text,
                      char why[WRN_LIMITS_WHY_SIZE]);
static bool read_where(const char *text, uint8_t ret_low[IP_SIZE], uint8_t ret_high[IP_SIZE],
                       uint8_t *ret_size, uint8_t *ret_bits);
static bool read_one(const char *text, size_t length, struct wrn_prefix *ret_prefix);
static void put_bytes(struct wrn_sexp_writer *writer, const uint8_t *low, const uint8_t *high,
                      size_t size, uint8_t bits);
static void put_any(struct wrn_sexp_writer *writer);
static void put_number(struct wrn_sexp_writer *writer, unsigned long number);
static bool read_number(const char *text, size_t length, unsigned long most,
                        unsigned long *ret_number);
static bool refuse(char why[WRN_LIMITS_WHY_SIZE], const char *format, ...) WRN_PRINTF(2, 3);

bool wrn_limits_put(struct wrn_sexp_writer *writer, const char *text,
                    char reterr_why[WRN_LIMITS_WHY_SIZE]) {
    char word[WORD_MAX];
    size_t length = strcspn(text, ":");
    if (length >= sizeof word) {
        return refuse(reterr_why, "there is no right of this name: it is all, member, invite, "
                                  "admin, relay, gateway, address:, route:, name: or allow:");
    }
    memcpy(word, text, length);
    word[length] = '\0';
    return wrn_limits_put_one(writer, word, text[length] == ':' ? text + length + 1 : NULL,
                              reterr_why);
}

bool wrn_limits_meets(const char *where, const struct wrn_prefix *range) {
    uint8_t low[IP_SIZE], high[IP_SIZE], size = 0, bits = 0;
    if (!read_where(where, low, high, &size, &bits) || size != 4 ||
        range->ip.family != WRN_FAMILY_IPV4 || range->length_bits == 0) {
        return true;
    }
    uint32_t mask = UINT32_MAX << (32 - range->length_bits);
    uint32_t first = wrn_load_be32(range->ip.bytes) & mask;
    return wrn_load_be32(low) <= (first | ~mask) && wrn_load_be32(high) >= first;
}

bool wrn_limits_put_one(struct wrn_sexp_writer *writer, const char *word, const char *text,
                        char reterr_why[WRN_LIMITS_WHY_SIZE]) {
    if (strcmp(word, "address") == 0 || strcmp(word, "route") == 0) {
        wrn_sexp_open(writer, word);
        bool is_good = text == NULL || put_where(writer, text, reterr_why);
        wrn_sexp_close(writer);
        return is_good;
    }
    if (strcmp(word, "name") == 0) {
        return put_name(writer, text, reterr_why);
    }
    if (strcmp(word, "allow") == 0) {
        return put_allow(writer, text, reterr_why);
    }
    return put_bare(writer, word, text, reterr_why);
}

static bool put_bare(struct wrn_sexp_writer *writer, const char *word, const char *text,
                     char why[WRN_LIMITS_WHY_SIZE]) {
    static const char *const words[] = {"member", "invite", "admin", "relay", "gateway"};
    if (text != NULL) {
        return refuse(why, "nothing can stand behind \"%.16s:\"", word);
    }
    if (strcmp(word, "all") == 0) {
        put_any(writer);
        return true;
    }
    for (size_t i = 0; i < WRN_COUNT(words); i++) {
        if (strcmp(words[i], word) == 0) {
            wrn_sexp_open(writer, word);
            wrn_sexp_close(writer);
            return true;
        }
    }
    return refuse(why,
                  "there is no right \"%.16s\": it is all, member, invite, admin, relay, "
                  "gateway, address:, route:, name: or allow:",
                  word);
}

static bool put_name(struct wrn_sexp_writer *writer, const char *text,
                     char why[WRN_LIMITS_WHY_SIZE]) {
    size_t length = text != NULL ? strlen(text) : 0;
    bool is_prefix = length > 1 && text[length - 1] == '*';
    length -= is_prefix ? 1 : 0;
    wrn_span label = {(const uint8_t *)text, length};
    bool is_good = text == NULL || wrn_label_is_good(label) ||
                   (is_prefix && text[length - 1] == '-' && length > 1 &&
                    wrn_label_is_good((wrn_span){label.data, length - 1}));
    if (!is_good) {
        return refuse(why,
                      "\"%.64s\" is no name of a host (1 to 63 of a-z, 0-9 and -), nor the "
                      "beginning of one with a * behind it",
                      text);
    }
    wrn_sexp_open(writer, "name");
    if (is_prefix) {
        wrn_sexp_open(writer, "*");
        wrn_sexp_put_word(writer, "prefix");
        wrn_sexp_put_bytes(writer, label);
        wrn_sexp_close(writer);
    } else if (text != NULL) {
        wrn_sexp_put_bytes(writer, label);
    }
    wrn_sexp_close(writer);
    return true;
}

static bool put_allow(struct wrn_sexp_writer *writer, const char *text,
                      char why[WRN_LIMITS_WHY_SIZE]) {
    char part[PART_MAX];
    bool is_good = true;
    const char *at = text != NULL ? strchr(text, '@') : NULL;
    size_t length = text == NULL ? 0 : at != NULL ? (size_t)(at - text) : strlen(text);
    if (length >= sizeof part) {
        return refuse(why, "\"%.64s\" is too long for a protocol and a port", text);
    }
    memcpy(part, text != NULL ? text : "", length);
    part[length] = '\0';
    char *port = strchr(part, '/');
    if (port != NULL) {
        *port++ = '\0';
    }
    wrn_sexp_open(writer, "allow");
    if (text != NULL && *text != '\0') {
        is_good = put_protocol(writer, part) && (port == NULL || put_port(writer, port));
        if (!is_good) {
            (void)refuse(why,
                         "\"%.64s\" is not PROTOCOL[/PORT][@WHERE], such as tcp/22, "
                         "udp/8000-8080 or any/any@10.7.0.0/24",
                         text);
        }
    }
    if (is_good && at != NULL) {
        if (port == NULL) {
            put_any(writer);
        }
        is_good = put_where(writer, at + 1, why);
    }
    wrn_sexp_close(writer);
    return is_good;
}

static bool put_protocol(struct wrn_sexp_writer *writer, const char *text) {
    static const struct {
        unsigned long number;
        const char *name;
    } names[] = {{6, "tcp"}, {17, "udp"}, {1, "icmp"}, {58, "icmp"}}; /* they are written so */
    unsigned long number = 0;
    if (strcmp(text, "any") == 0) {
        put_any(writer);
        return true;
    }
    bool is_number = read_number(text, strlen(text), PROTOCOL_MOST, &number);
    for (size_t i = 0; i < WRN_COUNT(names); i++) {
        if (strcmp(text, names[i].name) == 0 || (is_number && number == names[i].number)) {
            wrn_sexp_put_word(writer, names[i].name);
            return true;
        }
    }
    if (is_number) {
        put_number(writer, number);
    }
    return is_number;
}

static bool put_port(struct wrn_sexp_writer *writer, const char *text) {
    unsigned long low = 0;
    unsigned long high = 0;
    size_t length = strcspn(text, "-");
    if (strcmp(text, "any") == 0) {
        put_any(writer);
        return true;
    }
    if (strcmp(text, "none") == 0) {
        wrn_sexp_put_word(writer, "none");
        return true;
    }
    if (!read_number(text, length, PORT_MOST, &low)) {
        return false;
    }
    if (text[length] == '\0') {
        put_number(writer, low);
        return true;
    }
    const char *rest = text + length + 1;
    if (!read_number(rest, strlen(rest), PORT_MOST, &high) || high < low) {
        return false;
    }
    wrn_sexp_open(writer, "*");
    wrn_sexp_put_word(writer, "range");
    wrn_sexp_put_word(writer, "numeric");
    wrn_sexp_open(writer, "ge");
    put_number(writer, low);
    wrn_sexp_close(writer);
    wrn_sexp_open(writer, "le");
    put_number(writer, high);
    wrn_sexp_close(writer);
    wrn_sexp_close(writer);
    return true;
}

static bool put_where(struct wrn_sexp_writer *writer, const char *text,
                      char why[WRN_LIMITS_WHY_SIZE]) {
    uint8_t low[IP_SIZE];
    uint8_t high[IP_SIZE];
    uint8_t size = 0;
    uint8_t bits = 0;
    if (!read_where(text, low, high, &size, &bits)) {
        return refuse(why,
                      "\"%.64s\" is no address (10.7.0.5), range (10.7.0.0/24) or pair "
                      "(10.7.0.5-10.7.0.9)",
                      text);
    }
    wrn_sexp_open(writer, size == 4 ? "ip4" : "ip6");
    put_bytes(writer, low, high, size, bits);
    wrn_sexp_close(writer);
    return true;
}

/* 'ret_bits' is the length of the prefix; UINT8_MAX: it is none. */
static bool read_where(const char *text, uint8_t ret_low[IP_SIZE], uint8_t ret_high[IP_SIZE],
                       uint8_t *ret_size, uint8_t *ret_bits) {
    struct wrn_prefix first, last;
    size_t length = strcspn(text, "-");
    if (!read_one(text, length, &first)) {
        return false;
    }
    *ret_size = first.ip.family == WRN_FAMILY_IPV4 ? 4 : IP_SIZE;
    *ret_bits = first.length_bits;
    memcpy(ret_low, first.ip.bytes, IP_SIZE);
    memcpy(ret_high, first.ip.bytes, IP_SIZE);
    for (unsigned bit = first.length_bits; bit < 8U * *ret_size; bit++) {
        ret_high[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
    }
    if (text[length] == '\0') {
        return true;
    }
    text += length + 1;
    if (!read_one(text, strlen(text), &last) || last.ip.family != first.ip.family ||
        first.length_bits != 8U * *ret_size || last.length_bits != first.length_bits ||
        memcmp(first.ip.bytes, last.ip.bytes, IP_SIZE) > 0) {
        return false;
    }
    memcpy(ret_high, last.ip.bytes, IP_SIZE);
    *ret_bits = UINT8_MAX;
    return true;
}

static bool read_one(const char *text, size_t length, struct wrn_prefix *ret_prefix) {
    return wrn_prefix_parse((wrn_span){(const uint8_t *)text, length}, ret_prefix) == 0;
}

/* A single address, a prefix of whole bytes, or from where to where. */
static void put_bytes(struct wrn_sexp_writer *writer, const uint8_t *low, const uint8_t *high,
                      size_t size, uint8_t bits) {
    if (memcmp(low, high, size) == 0) {
        wrn_sexp_put_bytes(writer, (wrn_span){low, size});
        return;
    }
    wrn_sexp_open(writer, "*");
    if (bits != UINT8_MAX && bits % 8 == 0 && bits > 0) {
        wrn_sexp_put_word(writer, "prefix");
        wrn_sexp_put_bytes(writer, (wrn_span){low, bits / 8U});
    } else {
        wrn_sexp_put_word(writer, "range");
        wrn_sexp_put_word(writer, "alpha");
        wrn_sexp_open(writer, "ge");
        wrn_sexp_put_bytes(writer, (wrn_span){low, size});
        wrn_sexp_close(writer);
        wrn_sexp_open(writer, "le");
        wrn_sexp_put_bytes(writer, (wrn_span){high, size});
        wrn_sexp_close(writer);
    }
    wrn_sexp_close(writer);
}

static void put_any(struct wrn_sexp_writer *writer) {
    wrn_sexp_open(writer, "*");
    wrn_sexp_close(writer);
}

static void put_number(struct wrn_sexp_writer *writer, unsigned long number) {
    char text[WORD_MAX];
    (void)snprintf(text, sizeof text, "%lu", number);
    wrn_sexp_put_word(writer, text);
}

static bool read_number(const char *text, size_t length, unsigned long most,
                        unsigned long *ret_number) {
    unsigned long number = 0;
    if (length == 0 || length > 5) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        number = number * 10 + (unsigned long)(text[i] - '0');
    }
    *ret_number = number;
    return number <= most;
}

/* Writes why, and is false. */
static bool refuse(char why[WRN_LIMITS_WHY_SIZE], const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(why, WRN_LIMITS_WHY_SIZE, format, arguments);
    va_end(arguments);
    return false;
}
