/* SPDX-License-Identifier: Apache-2.0 */
/* The second implementation that src/sexp is compared with. Recursive, allocates, knows no offsets.
 * Source: RFC 9804, section 7. */
#include "unit/sexp/model.h"

#include <stdio.h>
#include <stdlib.h>

static const size_t NOWHERE = SIZE_MAX;

struct model {
    wrn_span text;
    bool has_white; /* between the parts */
    bool has_all;   /* notations */
    uint8_t *out;
    size_t out_size;
    uint32_t count;
};

static size_t value(struct model *model, size_t at, uint32_t depth);
static size_t string(struct model *model, size_t at);
static size_t simple_string(struct model *model, size_t at, size_t *ret_size);
static size_t notation(const struct model *model, size_t at, bool has_decimal, size_t decimal,
                       uint8_t *bytes, size_t *ret_size);
static size_t token(const struct model *model, size_t at, uint8_t *bytes, size_t *ret_size);
static size_t quoted(const struct model *model, size_t at, uint8_t *bytes, size_t *ret_size);
static size_t escaped(const struct model *model, size_t at, uint8_t *bytes, size_t *size);
static size_t hexadecimal(const struct model *model, size_t at, uint8_t *bytes, size_t *ret_size);
static size_t base64(wrn_span text, size_t at, uint8_t closing, uint8_t *bytes, size_t *ret_size);
static size_t white(wrn_span text, size_t at);
static bool is_one_of(uint8_t c, const char *set);
static void put(struct model *model, const void *bytes, size_t size);

#define DIGITS      "0123456789"
#define LETTERS     "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define PUNCTUATION "-./_:*+="
static const char base64_digits[] = LETTERS DIGITS "+/";

bool model_read(enum wrn_sexp_form form, bool is_strict, wrn_span text, uint8_t *out,
                size_t *ret_size) {
    struct model model = {.text = text, .out = out};
    model.has_all = model.has_white = form == WRN_SEXP_ADVANCED;
    size_t at = is_strict ? 0 : white(text, 0);
    uint8_t *inside = NULL;
    bool is_good = false;
    if (form == WRN_SEXP_TRANSPORT) {
        size_t size = 0;
        inside = malloc(text.size + 1);
        at = at < text.size && text.data[at] == '{' && inside != NULL
                 ? base64(text, at + 1, '}', inside, &size)
                 : NOWHERE;
        is_good = at != NOWHERE && white(text, at) == text.size &&
                  model_read(WRN_SEXP_CANONICAL, true, (wrn_span){inside, size}, out, ret_size);
    } else {
        at = value(&model, at, 0);
        if (at != NOWHERE && !is_strict) {
            at = white(text, at);
        }
        is_good = at == text.size;
        *ret_size = model.out_size;
    }
    free(inside);
    return is_good;
}

static size_t value(struct model *model, size_t at, uint32_t depth) {
    if (at >= model->text.size || ++model->count > WRN_SEXP_COUNT_MAX) {
        return NOWHERE;
    }
    if (model->text.data[at] != '(') {
        at = string(model, at);
        return model->out_size > WRN_SEXP_SIZE_MAX ? NOWHERE : at;
    }
    if (depth == WRN_SEXP_DEPTH_MAX) {
        return NOWHERE;
    }
    put(model, "(", 1);
    at++;
    for (;;) {
        at = model->has_white ? white(model->text, at) : at;
        if (at < model->text.size && model->text.data[at] == ')') {
            put(model, ")", 1);
            return model->out_size > WRN_SEXP_SIZE_MAX ? NOWHERE : at + 1;
        }
        at = value(model, at, depth + 1);
        if (at == NOWHERE) {
            return NOWHERE;
        }
    }
}

static size_t string(struct model *model, size_t at) {
    const wrn_span text = model->text;
    size_t size = 0;
    if (text.data[at] != '[') {
        return simple_string(model, at, &size);
    }
    put(model, "[", 1);
    at = simple_string(model, model->has_white ? white(text, at + 1) : at + 1, &size);
    if (at == NOWHERE || size == 0) { /* RFC 9804 would have an empty hint; we do not */
        return NOWHERE;
    }
    at = model->has_white ? white(text, at) : at;
    if (at >= text.size || text.data[at] != ']') {
        return NOWHERE;
    }
    put(model, "]", 1);
    return simple_string(model, model->has_white ? white(text, at + 1) : at + 1, &size);
}

static size_t simple_string(struct model *model, size_t at, size_t *ret_size) {
    const wrn_span text = model->text;
    size_t decimal = 0;
    size_t digits = 0;
    while (at + digits < text.size && is_one_of(text.data[at + digits], DIGITS)) {
        decimal = decimal * 10 + (size_t)(text.data[at + digits] - '0');
        decimal = decimal > WRN_SEXP_SIZE_MAX ? WRN_SEXP_SIZE_MAX + 1 : decimal;
        digits++;
    }
    if (model->has_all && digits > 0 &&
        (at + digits == text.size || !is_one_of(text.data[at + digits], ":\"#|"))) {
        digits = 0; /* not RFC 9804's: a token that begins with a digit */
    } else if (digits > 7 || decimal > WRN_SEXP_SIZE_MAX) {
        return NOWHERE;
    }
    if ((digits > 1 && text.data[at] == '0') || at + digits >= text.size) {
        return NOWHERE;
    }
    uint8_t *bytes = malloc(text.size);
    if (bytes == NULL) {
        return NOWHERE;
    }
    at = notation(model, at + digits, digits > 0, decimal, bytes, ret_size);
    if (at != NOWHERE && digits > 0 && decimal != *ret_size) {
        at = NOWHERE;
    }
    if (at != NOWHERE) {
        char length[24];
        int length_size = snprintf(length, sizeof(length), "%zu:", *ret_size);
        put(model, length, (size_t)length_size);
        put(model, bytes, *ret_size);
    }
    free(bytes);
    return at;
}

static size_t notation(const struct model *model, size_t at, bool has_decimal, size_t decimal,
                       uint8_t *bytes, size_t *ret_size) {
    uint8_t first = model->text.data[at];
    if (has_decimal && first == ':') {
        if (model->text.size - at - 1 < decimal) {
            return NOWHERE;
        }
        memcpy(bytes, model->text.data + at + 1, decimal);
        *ret_size = decimal;
        return at + 1 + decimal;
    }
    if (!model->has_all) {
        return NOWHERE;
    }
    switch (first) {
    case '"':
        return quoted(model, at + 1, bytes, ret_size);
    case '#':
        return hexadecimal(model, at + 1, bytes, ret_size);
    case '|':
        return base64(model->text, at + 1, '|', bytes, ret_size);
    default:
        return has_decimal ? NOWHERE : token(model, at, bytes, ret_size);
    }
}

static size_t token(const struct model *model, size_t at, uint8_t *bytes, size_t *ret_size) {
    size_t size = 0;
    while (at < model->text.size && is_one_of(model->text.data[at], LETTERS DIGITS PUNCTUATION)) {
        bytes[size++] = model->text.data[at++];
    }
    *ret_size = size;
    return size > 0 ? at : NOWHERE;
}

static size_t quoted(const struct model *model, size_t at, uint8_t *bytes, size_t *ret_size) {
    size_t size = 0;
    while (at < model->text.size && model->text.data[at] != '"') {
        uint8_t c = model->text.data[at++];
        if (c == '\\') {
            at = escaped(model, at, bytes, &size);
            if (at == NOWHERE) {
                return NOWHERE;
            }
        } else if (c < 0x20 || c > 0x7e) {
            return NOWHERE;
        } else {
            bytes[size++] = c;
        }
    }
    *ret_size = size;
    return at < model->text.size ? at + 1 : NOWHERE;
}

static size_t escaped(const struct model *model, size_t at, uint8_t *bytes, size_t *size) {
    static const struct {
        const char *text;
        int byte; /* -1: none */
    } escapes[] = {
        {"a", 7},   {"b", 8},     {"t", 9},     {"n", 10},  {"v", 11},
        {"f", 12},  {"r", 13},    {"\"", 34},   {"'", 39},  {"?", 63},
        {"\\", 92}, {"\r\n", -1}, {"\n\r", -1}, {"\r", -1}, {"\n", -1},
    };
    const uint8_t *p = model->text.data + at;
    size_t left = model->text.size - at;
    for (size_t i = 0; i < WRN_COUNT(escapes); i++) {
        size_t length = strlen(escapes[i].text);
        if (left >= length && memcmp(p, escapes[i].text, length) == 0) {
            if (escapes[i].byte >= 0) {
                bytes[(*size)++] = (uint8_t)escapes[i].byte;
            }
            return at + length;
        }
    }
    bool is_hex = left >= 3 && p[0] == 'x';
    bool is_octal = left >= 3 && is_one_of(p[0], "0123");
    char digits[4] = {0};
    for (size_t i = is_hex; i < 3 && (is_hex || is_octal); i++) {
        digits[i - is_hex] = (char)p[i];
        if (!is_one_of(p[i], is_hex ? DIGITS "abcdefABCDEF" : "01234567")) {
            return NOWHERE;
        }
    }
    bytes[(*size)++] = (uint8_t)strtoul(digits, NULL, is_hex ? 16 : 8);
    return is_hex || is_octal ? at + 3 : NOWHERE;
}

static size_t hexadecimal(const struct model *model, size_t at, uint8_t *bytes, size_t *ret_size) {
    size_t size = 0;
    for (;;) {
        char pair[3] = {0};
        for (size_t i = 0; i < 2; i++) {
            at = white(model->text, at);
            if (at >= model->text.size) {
                return NOWHERE;
            }
            pair[i] = (char)model->text.data[at++];
            if (i == 0 && pair[0] == '#') {
                *ret_size = size;
                return at;
            }
            if (!is_one_of((uint8_t)pair[i], DIGITS "abcdefABCDEF")) {
                return NOWHERE;
            }
        }
        bytes[size++] = (uint8_t)strtoul(pair, NULL, 16);
    }
}

/* Bit by bit. */
static size_t base64(wrn_span text, size_t at, uint8_t closing, uint8_t *bytes, size_t *ret_size) {
    size_t digits = 0;
    size_t padding = 0;
    uint32_t bits = 0;
    uint32_t bit_count = 0;
    *ret_size = 0;
    for (at = white(text, at); at < text.size && text.data[at] != closing;
         at = white(text, at + 1)) {
        if (text.data[at] == '=') {
            padding++;
            continue;
        }
        if (padding > 0 || !is_one_of(text.data[at], base64_digits)) {
            return NOWHERE;
        }
        const char *digit = strchr(base64_digits, text.data[at]);
        digits++;
        for (int bit = 5; bit >= 0; bit--) {
            bits = bits << 1 | (uint32_t)((digit - base64_digits) >> bit & 1);
            if (++bit_count == 8) {
                bytes[(*ret_size)++] = (uint8_t)bits;
                bits = bit_count = 0;
            }
        }
    }
    bool is_whole = digits % 4 != 1 && padding <= (digits % 4 == 0 ? 0 : 4 - digits % 4);
    return at < text.size && is_whole && bits == 0 ? at + 1 : NOWHERE;
}

static size_t white(wrn_span text, size_t at) {
    while (at < text.size && is_one_of(text.data[at], " \t\v\r\n\f")) {
        at++;
    }
    return at;
}

static bool is_one_of(uint8_t c, const char *set) {
    return c != 0 && strchr(set, c) != NULL;
}

/* What is beyond the limit is refused afterwards, by the size. */
static void put(struct model *model, const void *bytes, size_t size) {
    size_t room = model->out_size < WRN_SEXP_SIZE_MAX ? WRN_SEXP_SIZE_MAX - model->out_size : 0;
    if (size > 0 && size <= room) {
        memcpy(model->out + model->out_size, bytes, size);
    }
    model->out_size += size;
}
