/* SPDX-License-Identifier: Apache-2.0 */
/* Writes an expression for people (advanced form) and for places where only text gets through
 * (transport form). Whatever it writes, reading gives the same canonical bytes. */
#include "sexp/internal.h"

#include "base/hex.h"

enum {
    INDENT = 2,
    HEX_SIZE_MAX = 32, /* longer bytes are base64 */
};

/* Counts on beyond 'capacity'; with none it only measures. */
struct sink {
    char *out;
    size_t capacity;
    size_t size;
    size_t column;
};

enum style { TOKEN, QUOTED, HEX, BASE64 };

static void print_advanced(struct sink *sink, wrn_span expression, size_t columns);
static void print_gap(struct sink *sink, bool is_broken, uint32_t depth);
static bool fits(const uint8_t *list, const uint8_t *end, size_t room);
static void print_atom(struct sink *sink, wrn_span hint, wrn_span bytes);
static void print_string(struct sink *sink, wrn_span bytes);
static enum style choose_style(wrn_span bytes);
static void print_quoted(struct sink *sink, wrn_span bytes);
static void print_hex(struct sink *sink, wrn_span bytes);
static void print_base64(struct sink *sink, wrn_span bytes);
static void put_char(struct sink *sink, char c);
static void put_bytes(struct sink *sink, wrn_span bytes);

size_t wrn_sexp_print(enum wrn_sexp_form form, struct wrn_sexp sexp, size_t columns, char *out,
                      size_t capacity) {
    struct sink sink = {.out = out, .capacity = capacity};
    if (form == WRN_SEXP_CANONICAL) {
        put_bytes(&sink, sexp.bytes);
    } else if (form == WRN_SEXP_TRANSPORT) {
        put_char(&sink, '{');
        print_base64(&sink, sexp.bytes);
        put_char(&sink, '}');
    } else {
        print_advanced(&sink, sexp.bytes, columns);
    }
    return sink.size;
}

/* A list is on one line if it fits there with what must stand behind it, else each of its elements
 * but the first begins a line. */
static void print_advanced(struct sink *sink, wrn_span expression, size_t columns) {
    const uint8_t *end = expression.data + expression.size;
    bool is_broken[WRN_SEXP_DEPTH_MAX + 1] = {columns > 0}; /* by depth; [0]: around it all */
    uint32_t depth = 0;
    bool is_first = true; /* of its list */
    for (const uint8_t *p = expression.data; p < end;) {
        if (*p == ')') {
            WRN_ASSERT(depth > 0);
            depth--;
            put_char(sink, ')');
            p++;
            is_first = false;
            continue;
        }
        if (!is_first) {
            print_gap(sink, is_broken[depth], depth);
        }
        is_first = *p == '(';
        if (is_first) {
            WRN_ASSERT(depth < WRN_SEXP_DEPTH_MAX);
            size_t room = columns > sink->column ? columns - sink->column : 0;
            is_broken[depth + 1] = is_broken[depth] && !fits(p, end, room);
            depth++;
            put_char(sink, '(');
            p++;
        } else {
            wrn_span hint;
            wrn_span bytes;
            p = wrn_sexp_split_atom(p, end, &hint, &bytes);
            print_atom(sink, hint, bytes);
        }
    }
}

/* What is between two elements. */
static void print_gap(struct sink *sink, bool is_broken, uint32_t depth) {
    if (!is_broken) {
        put_char(sink, ' ');
        return;
    }
    put_char(sink, '\n');
    sink->column = 0;
    for (uint32_t i = 0; i < depth * INDENT; i++) {
        put_char(sink, ' ');
    }
}

/* Whether a list on one line, with the parentheses that follow it, takes at most 'room' columns.
 * Looks at no more than it must: what has n bytes takes no fewer than n columns. */
static bool fits(const uint8_t *list, const uint8_t *end, size_t room) {
    struct sink measure = {0};
    uint32_t depth = 0;
    bool is_first = true;
    for (const uint8_t *p = list; p < end && measure.size <= room;) {
        if (*p == ')' || *p == '(') {
            if (depth == 0 && p != list && *p == '(') {
                return true; /* the next element */
            }
            measure.size += *p == '(' && !is_first ? 2 : 1;
            is_first = *p == '(';
            depth = is_first ? depth + 1 : depth - (depth > 0);
            p++;
            continue;
        }
        if (depth == 0) {
            return true;
        }
        wrn_span hint;
        wrn_span bytes;
        p = wrn_sexp_split_atom(p, end, &hint, &bytes);
        if (hint.size > room || bytes.size > room) {
            return false;
        }
        measure.size += !is_first;
        print_atom(&measure, hint, bytes);
        is_first = false;
    }
    return measure.size <= room;
}

static void print_atom(struct sink *sink, wrn_span hint, wrn_span bytes) {
    if (hint.data != NULL) {
        put_char(sink, '[');
        print_string(sink, hint);
        put_char(sink, ']');
    }
    print_string(sink, bytes);
}

static void print_string(struct sink *sink, wrn_span bytes) {
    switch (choose_style(bytes)) {
    case TOKEN:
        put_bytes(sink, bytes);
        break;
    case QUOTED:
        print_quoted(sink, bytes);
        break;
    case HEX:
        print_hex(sink, bytes);
        break;
    case BASE64:
        put_char(sink, '|');
        print_base64(sink, bytes);
        put_char(sink, '|');
        break;
    }
}

static enum style choose_style(wrn_span bytes) {
    bool is_token = bytes.size > 0 && wrn_sexp_is_token_start(bytes.data[0]);
    bool is_printable = true;
    for (size_t i = 0; i < bytes.size && is_printable; i++) {
        is_token = is_token && wrn_sexp_is_token_part(bytes.data[i]);
        is_printable = bytes.data[i] >= ' ' && bytes.data[i] <= '~';
    }
    if (is_printable) {
        return is_token ? TOKEN : QUOTED;
    }
    return bytes.size <= HEX_SIZE_MAX ? HEX : BASE64;
}

static void print_quoted(struct sink *sink, wrn_span bytes) {
    put_char(sink, '"');
    for (size_t i = 0; i < bytes.size; i++) {
        if (!wrn_sexp_is_plain(bytes.data[i])) {
            put_char(sink, '\\');
        }
        put_char(sink, (char)bytes.data[i]);
    }
    put_char(sink, '"');
}

static void print_hex(struct sink *sink, wrn_span bytes) {
    put_char(sink, '#');
    for (size_t i = 0; i < bytes.size; i++) {
        char digits[2];
        wrn_hex_write(&bytes.data[i], 1, digits);
        put_char(sink, digits[0]);
        put_char(sink, digits[1]);
    }
    put_char(sink, '#');
}

static void print_base64(struct sink *sink, wrn_span bytes) {
    for (size_t i = 0; i < bytes.size; i += 3) {
        size_t left = bytes.size - i;
        uint32_t bits = (uint32_t)bytes.data[i] << 16;
        bits |= left > 1 ? (uint32_t)bytes.data[i + 1] << 8 : 0;
        bits |= left > 2 ? bytes.data[i + 2] : 0;
        put_char(sink, wrn_sexp_base64_digit(bits >> 18));
        put_char(sink, wrn_sexp_base64_digit(bits >> 12));
        put_char(sink, left > 1 ? wrn_sexp_base64_digit(bits >> 6) : '=');
        put_char(sink, left > 2 ? wrn_sexp_base64_digit(bits) : '=');
    }
}

static void put_char(struct sink *sink, char c) {
    if (sink->size < sink->capacity) {
        sink->out[sink->size] = c;
    }
    sink->size++;
    sink->column++;
}

static void put_bytes(struct sink *sink, wrn_span bytes) {
    if (sink->size <= sink->capacity && bytes.size <= sink->capacity - sink->size &&
        bytes.size > 0) {
        memcpy(sink->out + sink->size, bytes.data, bytes.size);
    }
    sink->size += bytes.size;
    sink->column += bytes.size;
}
