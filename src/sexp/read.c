/* SPDX-License-Identifier: Apache-2.0 */
/* Reads an expression in any form into canonical form. Each string is gone over twice: once for its
 * size, which stands first in canonical form, and once for its bytes. */
#include "sexp/internal.h"

/* The text, and the canonical form as far as it fits; 'size' counts on beyond 'capacity'. */
struct reader {
    struct wrn_sexp_scan scan;
    uint8_t *out;
    size_t capacity;
    size_t size;
};

static void skip_white(struct wrn_sexp_scan *scan);
static enum wrn_sexp_fault read_canonical(struct reader *reader);
static enum wrn_sexp_fault read_transport(struct reader *reader);
static enum wrn_sexp_fault read_advanced(struct reader *reader);
static enum wrn_sexp_fault read_atom(struct reader *reader);
static enum wrn_sexp_fault read_hint(struct reader *reader);
static enum wrn_sexp_fault read_string(struct reader *reader, size_t *ret_size);
static enum wrn_sexp_fault read_verbatim(struct reader *reader, size_t start, size_t length);
static enum wrn_sexp_fault read_coded(struct reader *reader, size_t start, bool has_length,
                                      size_t length, size_t *ret_size);
static enum wrn_sexp_fault decode(struct wrn_sexp_scan *scan, uint8_t *out, size_t *ret_size);
static enum wrn_sexp_fault decode_hex(struct wrn_sexp_scan *scan, uint8_t *out, size_t *ret_size);
static enum wrn_sexp_fault decode_quoted(struct wrn_sexp_scan *scan, uint8_t *out,
                                         size_t *ret_size);
static enum wrn_sexp_fault decode_escape(struct wrn_sexp_scan *scan, uint8_t *ret_byte,
                                         bool *ret_is_byte);
static enum wrn_sexp_fault decode_digits(struct wrn_sexp_scan *scan, size_t start, size_t count,
                                         uint32_t base, uint8_t *ret_byte);
static uint32_t hex_value(uint8_t c);
static bool is_number_led(wrn_span text, size_t at);
static size_t token_size(wrn_span text, size_t at);
static void emit(struct reader *reader, const void *bytes, size_t size);
static void emit_length(struct reader *reader, size_t length);

int wrn_sexp_read(enum wrn_sexp_form form, wrn_span text, uint8_t *out, size_t capacity,
                  struct wrn_sexp *ret_sexp, size_t *ret_used, struct wrn_sexp_error *ret_error) {
    struct reader reader = {.scan.text = text, .out = out, .capacity = capacity};
    struct wrn_sexp_scan *scan = &reader.scan;
    enum wrn_sexp_fault fault = WRN_SEXP_ENDS_EARLY;
    skip_white(scan);
    if (scan->at < text.size) {
        bool is_transport = text.data[scan->at] == '{';
        if (form == WRN_SEXP_TRANSPORT || (form == WRN_SEXP_ANY && is_transport)) {
            fault = read_transport(&reader);
        } else if (form == WRN_SEXP_CANONICAL) {
            fault = read_canonical(&reader);
        } else {
            fault = read_advanced(&reader);
        }
    }
    if (fault == WRN_SEXP_OK) {
        skip_white(scan);
        if (ret_used == NULL && scan->at < text.size) {
            fault = wrn_sexp_trailing_fault(scan);
        }
    }
    if (fault != WRN_SEXP_OK) {
        if (ret_error != NULL) {
            *ret_error = (struct wrn_sexp_error){fault, scan->at};
        }
        return WRN_ERR_MALFORMED;
    }
    if (reader.size > capacity) {
        return -ENOBUFS;
    }
    *ret_sexp = (struct wrn_sexp){{out, reader.size}};
    if (ret_used != NULL) {
        *ret_used = scan->at;
    }
    return 0;
}

static void skip_white(struct wrn_sexp_scan *scan) {
    while (scan->at < scan->text.size && wrn_sexp_is_white(scan->text.data[scan->at])) {
        scan->at++;
    }
}

static enum wrn_sexp_fault read_canonical(struct reader *reader) {
    size_t start = reader->scan.at;
    enum wrn_sexp_fault fault = wrn_sexp_scan_canonical(&reader->scan);
    if (fault == WRN_SEXP_OK) {
        emit(reader, reader->scan.text.data + start, reader->scan.at - start);
    }
    return fault;
}

/* Braces with base64 of canonical form, and nothing else, between them (RFC 9804, 6.1, 7.3). */
static enum wrn_sexp_fault read_transport(struct reader *reader) {
    struct wrn_sexp_scan *scan = &reader->scan;
    wrn_span text = scan->text;
    if (text.data[scan->at] != '{') {
        return WRN_SEXP_BAD_CHARACTER;
    }
    size_t start = ++scan->at;
    struct wrn_sexp_scan measured = *scan;
    enum wrn_sexp_fault fault = wrn_sexp_base64_read(&measured, '}', NULL, &reader->size);
    if (fault != WRN_SEXP_OK) {
        scan->at = measured.at;
        return fault;
    }
    if (reader->size > WRN_SEXP_SIZE_MAX) {
        scan->at = wrn_sexp_base64_locate(text, start, WRN_SEXP_SIZE_MAX);
        return WRN_SEXP_TOO_LARGE;
    }
    if (reader->size > reader->capacity) {
        scan->at = measured.at;
        return WRN_SEXP_OK; /* the caller sees the size */
    }
    fault = wrn_sexp_base64_read(scan, '}', reader->out, &reader->size);
    struct wrn_sexp_scan inner = {.text = {reader->out, reader->size}};
    if (fault == WRN_SEXP_OK) {
        fault = wrn_sexp_scan_canonical(&inner);
    }
    if (fault == WRN_SEXP_OK && inner.at < inner.text.size) {
        fault = wrn_sexp_trailing_fault(&inner);
    }
    if (fault != WRN_SEXP_OK) {
        bool is_inside = inner.at < inner.text.size;
        scan->at = is_inside ? wrn_sexp_base64_locate(text, start, inner.at) : scan->at - 1;
    }
    return fault;
}

static enum wrn_sexp_fault read_advanced(struct reader *reader) {
    struct wrn_sexp_scan *scan = &reader->scan;
    do {
        skip_white(scan);
        if (scan->at == scan->text.size) {
            return WRN_SEXP_ENDS_EARLY;
        }
        size_t start = scan->at;
        uint8_t c = scan->text.data[start];
        enum wrn_sexp_fault fault = WRN_SEXP_OK;
        if (c == ')' && scan->depth > 0) {
            scan->depth--;
            scan->at++;
            emit(reader, ")", 1);
        } else {
            fault = wrn_sexp_scan_begin(scan);
            if (fault == WRN_SEXP_OK && c == '(') {
                scan->at++;
                emit(reader, "(", 1);
            } else if (fault == WRN_SEXP_OK) {
                fault = read_atom(reader);
            }
        }
        if (fault != WRN_SEXP_OK) {
            return fault;
        }
        if (reader->size > WRN_SEXP_SIZE_MAX) {
            scan->at = start;
            return WRN_SEXP_TOO_LARGE;
        }
    } while (scan->depth > 0);
    return WRN_SEXP_OK;
}

static enum wrn_sexp_fault read_atom(struct reader *reader) {
    size_t size;
    if (reader->scan.text.data[reader->scan.at] == '[') {
        enum wrn_sexp_fault fault = read_hint(reader);
        if (fault != WRN_SEXP_OK) {
            return fault;
        }
    }
    return read_string(reader, &size);
}

/* From '[' up to the string that the hint is for. */
static enum wrn_sexp_fault read_hint(struct reader *reader) {
    struct wrn_sexp_scan *scan = &reader->scan;
    const uint8_t *text = scan->text.data;
    size_t size;
    scan->at++;
    skip_white(scan);
    size_t start = scan->at;
    if (start == scan->text.size) {
        return WRN_SEXP_ENDS_EARLY;
    }
    if (wrn_sexp_is_bracket(text[start])) {
        return WRN_SEXP_BAD_HINT;
    }
    emit(reader, "[", 1);
    enum wrn_sexp_fault fault = read_string(reader, &size);
    if (fault != WRN_SEXP_OK) {
        return fault;
    }
    if (size == 0) {
        scan->at = start;
        return WRN_SEXP_BAD_HINT;
    }
    skip_white(scan);
    if (scan->at < scan->text.size && text[scan->at] != ']') {
        return WRN_SEXP_BAD_HINT;
    }
    if (scan->at < scan->text.size) {
        scan->at++;
        skip_white(scan);
    }
    if (scan->at == scan->text.size) {
        return WRN_SEXP_ENDS_EARLY;
    }
    emit(reader, "]", 1);
    return wrn_sexp_is_bracket(text[scan->at]) ? WRN_SEXP_BAD_HINT : WRN_SEXP_OK;
}

/* A string in any of its five notations (RFC 9804, section 4). */
static enum wrn_sexp_fault read_string(struct reader *reader, size_t *ret_size) {
    struct wrn_sexp_scan *scan = &reader->scan;
    const uint8_t *text = scan->text.data;
    size_t start = scan->at;
    size_t length = 0;
    bool has_length = wrn_sexp_is_digit(text[start]) && !is_number_led(scan->text, start);
    if (wrn_sexp_is_token_part(text[start]) && !has_length) {
        *ret_size = token_size(scan->text, start);
        scan->at += *ret_size;
        emit_length(reader, *ret_size);
        emit(reader, text + start, *ret_size);
        return WRN_SEXP_OK;
    }
    if (has_length) {
        enum wrn_sexp_fault fault = wrn_sexp_scan_length(scan, &length);
        if (fault != WRN_SEXP_OK) {
            return fault;
        }
    }
    switch (text[scan->at]) {
    case ':': /* behind a length: else it would have begun a token */
        *ret_size = length;
        return read_verbatim(reader, start, length);
    case '"':
    case '#':
    case '|':
        return read_coded(reader, start, has_length, length, ret_size);
    default:
        return has_length ? WRN_SEXP_LENGTH_ALONE : WRN_SEXP_BAD_CHARACTER;
    }
}

/* A string whose length begins at 'start' and whose colon is at 'at': as in canonical form. */
static enum wrn_sexp_fault read_verbatim(struct reader *reader, size_t start, size_t length) {
    enum wrn_sexp_fault fault = wrn_sexp_scan_verbatim(&reader->scan, length);
    if (fault == WRN_SEXP_OK) {
        emit(reader, reader->scan.text.data + start, reader->scan.at - start);
    }
    return fault;
}

/* A quoted, hexadecimal or base64 string at 'at'; 'start' is where its length begins. */
static enum wrn_sexp_fault read_coded(struct reader *reader, size_t start, bool has_length,
                                      size_t length, size_t *ret_size) {
    struct wrn_sexp_scan *scan = &reader->scan;
    struct wrn_sexp_scan again = *scan;
    enum wrn_sexp_fault fault = decode(scan, NULL, ret_size);
    if (fault != WRN_SEXP_OK) {
        return fault;
    }
    if (has_length && length != *ret_size) {
        scan->at = start;
        return WRN_SEXP_LENGTH_WRONG;
    }
    emit_length(reader, *ret_size);
    if (reader->size <= reader->capacity && *ret_size <= reader->capacity - reader->size) {
        fault = decode(&again, reader->out + reader->size, ret_size);
    }
    reader->size += *ret_size;
    return fault;
}

/* Each of these steps over a string whose opening character is at 'at', and writes its bytes unless
 * 'out' is NULL. */
static enum wrn_sexp_fault decode(struct wrn_sexp_scan *scan, uint8_t *out, size_t *ret_size) {
    uint8_t opening = scan->text.data[scan->at++];
    if (opening == '"') {
        return decode_quoted(scan, out, ret_size);
    }
    if (opening == '#') {
        return decode_hex(scan, out, ret_size);
    }
    return wrn_sexp_base64_read(scan, '|', out, ret_size);
}

static enum wrn_sexp_fault decode_hex(struct wrn_sexp_scan *scan, uint8_t *out, size_t *ret_size) {
    size_t count = 0; /* of digits */
    uint32_t byte = 0;
    for (; scan->at < scan->text.size; scan->at++) {
        uint8_t c = scan->text.data[scan->at];
        uint32_t value = hex_value(c);
        if (wrn_sexp_is_white(c)) {
            continue;
        }
        if (value > 15) {
            if (c != '#' || count % 2 != 0) {
                return WRN_SEXP_BAD_HEX;
            }
            scan->at++;
            *ret_size = count / 2;
            return WRN_SEXP_OK;
        }
        byte = (byte << 4 | value) & 0xff;
        if (out != NULL && count % 2 == 1) {
            out[count / 2] = (uint8_t)byte;
        }
        count++;
    }
    return WRN_SEXP_ENDS_EARLY;
}

static enum wrn_sexp_fault decode_quoted(struct wrn_sexp_scan *scan, uint8_t *out,
                                         size_t *ret_size) {
    size_t size = 0;
    while (scan->at < scan->text.size) {
        uint8_t c = scan->text.data[scan->at];
        bool is_byte = true;
        if (c == '"') {
            scan->at++;
            *ret_size = size;
            return WRN_SEXP_OK;
        }
        if (c == '\\') {
            enum wrn_sexp_fault fault = decode_escape(scan, &c, &is_byte);
            if (fault != WRN_SEXP_OK) {
                return fault;
            }
        } else if (wrn_sexp_is_plain(c)) {
            scan->at++;
        } else {
            return WRN_SEXP_BAD_QUOTED;
        }
        if (is_byte && out != NULL) {
            out[size] = c;
        }
        size += is_byte;
    }
    return WRN_SEXP_ENDS_EARLY;
}

/* From the backslash to behind the escape; the end of a line is no byte (RFC 9804, 4.2). */
static enum wrn_sexp_fault decode_escape(struct wrn_sexp_scan *scan, uint8_t *ret_byte,
                                         bool *ret_is_byte) {
    static const char letters[] = "abtnvfr\"'?\\";
    static const char meanings[] = "\a\b\t\n\v\f\r\"'?\\";
    size_t start = scan->at++;
    if (scan->at == scan->text.size) {
        return WRN_SEXP_ENDS_EARLY;
    }
    uint8_t c = scan->text.data[scan->at++];
    const char *letter = c == 0 ? NULL : strchr(letters, c);
    if (letter != NULL) {
        *ret_byte = (uint8_t)meanings[letter - letters];
        return WRN_SEXP_OK;
    }
    if (c == '\r' || c == '\n') {
        uint8_t partner = c == '\r' ? '\n' : '\r';
        *ret_is_byte = false;
        if (scan->at < scan->text.size && scan->text.data[scan->at] == partner) {
            scan->at++;
        }
        return WRN_SEXP_OK;
    }
    if (c == 'x') {
        return decode_digits(scan, start, 2, 16, ret_byte);
    }
    scan->at--; /* octal, or no escape at all */
    return decode_digits(scan, start, 3, 8, ret_byte);
}

/* Exactly 'count' digits; 'start' is where the escape begins. */
static enum wrn_sexp_fault decode_digits(struct wrn_sexp_scan *scan, size_t start, size_t count,
                                         uint32_t base, uint8_t *ret_byte) {
    uint32_t value = 0;
    for (size_t i = 0; i < count; i++) {
        if (scan->at == scan->text.size) {
            return WRN_SEXP_ENDS_EARLY;
        }
        uint32_t digit = hex_value(scan->text.data[scan->at]);
        if (digit >= base) {
            scan->at = start;
            return WRN_SEXP_BAD_ESCAPE;
        }
        value = value * base + digit;
        scan->at++;
    }
    if (value > UINT8_MAX) { /* "\400" */
        scan->at = start;
        return WRN_SEXP_BAD_ESCAPE;
    }
    *ret_byte = (uint8_t)value;
    return WRN_SEXP_OK;
}

static uint32_t hex_value(uint8_t c) {
    if (wrn_sexp_is_digit(c)) {
        return (uint32_t)(c - '0');
    }
    if (c >= 'a' && c <= 'f') {
        return (uint32_t)(c - 'a' + 10);
    }
    return c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10) : UINT32_MAX;
}

/* Digits that are no length, since no string follows them: a number, or a date. RFC 9804 would have
 * them in quotes; people write (ge 22), and there is only one way to read it. */
static bool is_number_led(wrn_span text, size_t at) {
    while (at < text.size && wrn_sexp_is_digit(text.data[at])) {
        at++;
    }
    return at == text.size || wrn_sexp_is_white(text.data[at]) ||
           wrn_sexp_is_bracket(text.data[at]) ||
           (wrn_sexp_is_token_part(text.data[at]) && text.data[at] != ':');
}

static size_t token_size(wrn_span text, size_t at) {
    size_t end = at;
    while (end < text.size && wrn_sexp_is_token_part(text.data[end])) {
        end++;
    }
    return end - at;
}

static void emit(struct reader *reader, const void *bytes, size_t size) {
    if (reader->size <= reader->capacity && size <= reader->capacity - reader->size) {
        if (size > 0) {
            memcpy(reader->out + reader->size, bytes, size);
        }
    }
    reader->size += size;
}

static void emit_length(struct reader *reader, size_t length) {
    uint8_t digits[WRN_SEXP_DIGITS_MAX];
    emit(reader, digits, wrn_sexp_print_decimal(length, digits));
    emit(reader, ":", 1);
}
