/* SPDX-License-Identifier: Apache-2.0 */
/* Makes expressions and texts. Uses nothing of src/sexp, so that no fault of it hides itself. */
#include "unit/sexp/grow.h"

#include <stdio.h>

/* Where things are written; what would not fit any more is not begun. */
struct plot {
    struct wrn_rand rand;
    uint8_t *out;
    size_t size;
    size_t capacity;
};

static void grow_list(struct plot *plot, uint32_t depth, uint32_t deep, uint32_t broad);
static void grow_string(struct plot *plot, bool is_empty_good);
static uint8_t grow_byte(struct wrn_rand rand, uint32_t kind);
static void write_advanced(struct plot *plot, wrn_span canonical);
static size_t write_string(struct plot *plot, wrn_span canonical, size_t at, bool is_after_token,
                           bool *ret_is_token);
static void write_notation(struct plot *plot, wrn_span bytes, uint32_t notation);
static void write_quoted(struct plot *plot, wrn_span bytes);
static void write_hex(struct plot *plot, wrn_span bytes);
static void write_base64(struct plot *plot, wrn_span bytes);
static bool is_token(wrn_span bytes);
static void white(struct plot *plot);
static void put(struct plot *plot, const char *text);
static void put_byte(struct plot *plot, uint8_t byte);

static uint32_t below(struct plot *plot, uint32_t bound) {
    return wrn_rand_below(plot->rand, bound);
}

size_t grow_expression(struct wrn_rand rand, uint8_t out[GROW_EXPRESSION_MAX]) {
    static const uint32_t shapes[][2] = {{1, 4}, {3, 6}, {64, 2}, {64, 1}, {2, 200}, {8, 3}};
    struct plot plot = {rand, out, 0, GROW_EXPRESSION_MAX};
    uint32_t shape = wrn_rand_below(rand, WRN_COUNT(shapes) + 1);
    if (shape == WRN_COUNT(shapes)) {
        grow_string(&plot, true);
    } else {
        grow_list(&plot, 1, shapes[shape][0], shapes[shape][1]);
    }
    return plot.size;
}

static void grow_list(struct plot *plot, uint32_t depth, uint32_t deep, uint32_t broad) {
    put(plot, "(");
    for (uint32_t i = below(plot, broad + 1) + (deep > 8); i > 0; i--) {
        /* A string takes less than 600 bytes, the lists that are open one each to be closed. */
        if (plot->capacity - plot->size < 700 + WRN_SEXP_DEPTH_MAX) {
            break;
        }
        if (depth < deep && below(plot, deep > 8 ? 8 : 2) != 0) {
            grow_list(plot, depth + 1, deep, broad);
        } else {
            grow_string(plot, true);
        }
    }
    put(plot, ")");
}

static void grow_string(struct plot *plot, bool is_empty_good) {
    static const uint32_t sizes[] = {2, 4, 12, 40, 300};
    if (is_empty_good && below(plot, 8) == 0) {
        put(plot, "[");
        grow_string(plot, false);
        put(plot, "]");
    }
    uint32_t kind = below(plot, 4);
    uint32_t size = below(plot, sizes[below(plot, WRN_COUNT(sizes))]) + !is_empty_good;
    char length[16];
    snprintf(length, sizeof(length), "%u:", size);
    put(plot, length);
    for (uint32_t i = 0; i < size; i++) {
        put_byte(plot, grow_byte(plot->rand, kind));
    }
}

static uint8_t grow_byte(struct wrn_rand rand, uint32_t kind) {
    static const char words[] = "abcdefXYZ-./_:*+=0123456789";
    static const char marks[] = "()[]{}|#\"\\&!;: 0123\n\r\t";
    if (kind == 0) {
        return (uint8_t)words[wrn_rand_below(rand, sizeof(words) - 1)];
    }
    if (kind == 1) {
        return (uint8_t)marks[wrn_rand_below(rand, sizeof(marks) - 1)];
    }
    return (uint8_t)(kind == 2 ? 0x20 + wrn_rand_below(rand, 0x5f) : wrn_rand_below(rand, 256));
}

size_t grow_text(struct wrn_rand rand, enum wrn_sexp_form form, wrn_span canonical,
                 uint8_t out[GROW_TEXT_MAX]) {
    struct plot plot = {rand, out, 0, GROW_TEXT_MAX};
    white(&plot);
    if (form == WRN_SEXP_CANONICAL) {
        for (size_t i = 0; i < canonical.size; i++) {
            put_byte(&plot, canonical.data[i]);
        }
    } else if (form == WRN_SEXP_TRANSPORT) {
        put(&plot, "{");
        write_base64(&plot, canonical);
        put(&plot, "}");
    } else {
        write_advanced(&plot, canonical);
    }
    white(&plot);
    return plot.size;
}

static void write_advanced(struct plot *plot, wrn_span canonical) {
    bool is_after_token = false;
    for (size_t at = 0; at < canonical.size;) {
        uint8_t c = canonical.data[at];
        bool is_token = false;
        if (c == '(' || c == ')') {
            put_byte(plot, c);
            at++;
        } else if (c == '[') {
            put(plot, "[");
            white(plot);
            at = write_string(plot, canonical, at + 1, false, &is_token);
            white(plot);
            put(plot, "]");
            white(plot);
            at = write_string(plot, canonical, at + 1, false, &is_token);
        } else {
            at = write_string(plot, canonical, at, is_after_token, &is_token);
        }
        size_t before = plot->size;
        white(plot);
        is_after_token = is_token && plot->size == before;
    }
}

/* Writes the string at 'at' of a canonical expression. Returns what is behind it. */
static size_t write_string(struct plot *plot, wrn_span canonical, size_t at, bool is_after_token,
                           bool *ret_is_token) {
    size_t size = 0;
    for (; canonical.data[at] != ':'; at++) {
        size = size * 10 + (size_t)(canonical.data[at] - '0');
    }
    wrn_span bytes = {canonical.data + at + 1, size};
    uint32_t notation = below(plot, 5);
    if (notation == 4 && !is_token(bytes)) {
        notation = 1;
    }
    bool has_length = notation == 0 || (notation < 4 && below(plot, 4) == 0);
    if (is_after_token && (notation == 4 || has_length)) {
        put(plot, "\n");
    }
    if (has_length) {
        char length[24];
        snprintf(length, sizeof(length), "%zu", size);
        put(plot, length);
    }
    write_notation(plot, bytes, notation);
    *ret_is_token = notation == 4;
    return at + 1 + size;
}

static void write_notation(struct plot *plot, wrn_span bytes, uint32_t notation) {
    switch (notation) {
    case 1:
        write_quoted(plot, bytes);
        return;
    case 2:
        write_hex(plot, bytes);
        return;
    case 3:
        put(plot, "|");
        write_base64(plot, bytes);
        put(plot, "|");
        return;
    default:
        put(plot, notation == 0 ? ":" : "");
        for (size_t i = 0; i < bytes.size; i++) {
            put_byte(plot, bytes.data[i]);
        }
    }
}

static void write_quoted(struct plot *plot, wrn_span bytes) {
    static const char *const ends[] = {"\\\r\n", "\\\n\r", "\\\r", "\\\n"};
    static const char letters[] = "a\ab\bt\tn\nv\vf\fr\r\"\"''??\\\\";
    put(plot, "\"");
    for (size_t i = 0; i < bytes.size; i++) {
        uint8_t c = bytes.data[i];
        char escape[8] = {0};
        size_t letter = 0;
        while (letter + 1 < sizeof(letters) && (uint8_t)letters[letter + 1] != c) {
            letter += 2;
        }
        if (below(plot, 40) == 0) {
            put(plot, ends[below(plot, 4)]);
        }
        bool is_plain = c >= 0x20 && c <= 0x7e && c != '"' && c != '\\';
        if (is_plain && below(plot, 8) != 0) {
            escape[0] = (char)c;
        } else if (letter + 1 < sizeof(letters) - 1 && below(plot, 2) == 0) {
            snprintf(escape, sizeof(escape), "\\%c", letters[letter]);
        } else if (below(plot, 2) == 0) {
            snprintf(escape, sizeof(escape), "\\%03o", c);
        } else {
            snprintf(escape, sizeof(escape), below(plot, 2) == 0 ? "\\x%02x" : "\\x%02X", c);
        }
        put(plot, escape);
    }
    put(plot, "\"");
}

static void write_hex(struct plot *plot, wrn_span bytes) {
    put(plot, "#");
    white(plot);
    for (size_t i = 0; i < bytes.size; i++) {
        static const char digits[] = "0123456789abcdef0123456789ABCDEF";
        uint32_t set = below(plot, 2) * 16;
        put_byte(plot, (uint8_t)digits[set + (bytes.data[i] >> 4)]);
        white(plot);
        put_byte(plot, (uint8_t)digits[set + (bytes.data[i] & 15)]);
        white(plot);
    }
    put(plot, "#");
}

static void write_base64(struct plot *plot, wrn_span bytes) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    white(plot);
    for (size_t bit = 0; bit < 8 * bytes.size; bit += 6) {
        uint32_t digit = 0;
        for (size_t i = bit; i < bit + 6; i++) {
            bool is_set = i < 8 * bytes.size && (bytes.data[i / 8] >> (7 - i % 8) & 1) != 0;
            digit = digit << 1 | is_set;
        }
        put_byte(plot, (uint8_t)digits[digit]);
        white(plot);
    }
    uint32_t padding = bytes.size % 3 == 0 ? 0 : 3 - (uint32_t)(bytes.size % 3);
    for (uint32_t i = below(plot, padding + 1); i > 0; i--) {
        put(plot, "=");
        white(plot);
    }
}

size_t grow_mutation(struct wrn_rand rand, uint8_t *text, size_t size, size_t capacity) {
    for (uint32_t i = wrn_rand_below(rand, 4) + 1; i > 0 && size > 0; i--) {
        size_t at = wrn_rand_below(rand, (uint32_t)size);
        size_t run = wrn_rand_below(rand, 8) + 1;
        run = run < size - at ? run : size - at;
        switch (wrn_rand_below(rand, 4)) {
        case 0:
            text[at] = grow_byte(rand, wrn_rand_below(rand, 4));
            break;
        case 1: /* gone */
            memmove(text + at, text + at + run, size - at - run);
            size -= run;
            break;
        case 2: /* twice */
            run = run < capacity - size ? run : capacity - size;
            memmove(text + at + run, text + at, size - at);
            size += run;
            break;
        default: /* moved, over something else */
            memmove(text + wrn_rand_below(rand, (uint32_t)(size - run + 1)), text + at, run);
        }
    }
    return size;
}

static bool is_token(wrn_span bytes) {
    static const char set[] =
        "-./_:*+=ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    for (size_t i = 0; i < bytes.size; i++) {
        if (bytes.data[i] == 0 || strchr(set, bytes.data[i]) == NULL) {
            return false;
        }
    }
    return bytes.size > 0 && (bytes.data[0] < '0' || bytes.data[0] > '9');
}

static void white(struct plot *plot) {
    static const char set[] = " \t\v\r\n\f";
    while (below(plot, 5) == 0) {
        put_byte(plot, (uint8_t)set[below(plot, sizeof(set) - 1)]);
    }
}

static void put(struct plot *plot, const char *text) {
    for (; *text != 0; text++) {
        put_byte(plot, (uint8_t)*text);
    }
}

static void put_byte(struct plot *plot, uint8_t byte) {
    WRN_ASSERT(plot->size < plot->capacity);
    plot->out[plot->size++] = byte;
}
