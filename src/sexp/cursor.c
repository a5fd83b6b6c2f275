/* SPDX-License-Identifier: Apache-2.0 */
/* Looks into a checked expression, in place. Checks nothing again: a broken one is a fault of ours
 * and meets an assertion. */
#include "sexp/internal.h"

static const uint8_t *split_string(const uint8_t *p, const uint8_t *end, wrn_span *ret_bytes);
static wrn_span split(struct wrn_sexp sexp, wrn_span *ret_hint);
static bool bytes_are(wrn_span bytes, const char *word);

bool wrn_sexp_is_list(struct wrn_sexp sexp) {
    return sexp.bytes.size > 0 && sexp.bytes.data[0] == '(';
}

bool wrn_sexp_equal(struct wrn_sexp a, struct wrn_sexp b) {
    return a.bytes.size == b.bytes.size &&
           (a.bytes.size == 0 || memcmp(a.bytes.data, b.bytes.data, a.bytes.size) == 0);
}

wrn_span wrn_sexp_atom(struct wrn_sexp sexp) {
    wrn_span hint;
    WRN_ASSERT(sexp.bytes.size > 0 && !wrn_sexp_is_list(sexp));
    return split(sexp, &hint);
}

wrn_span wrn_sexp_hint(struct wrn_sexp sexp) {
    wrn_span hint = {NULL, 0};
    if (sexp.bytes.size > 0 && sexp.bytes.data[0] == '[') {
        split(sexp, &hint);
    }
    return hint;
}

bool wrn_sexp_is_word(struct wrn_sexp sexp, const char *word) {
    wrn_span hint;
    if (sexp.bytes.size == 0 || !wrn_sexp_is_digit(sexp.bytes.data[0])) {
        return false;
    }
    return bytes_are(split(sexp, &hint), word);
}

bool wrn_sexp_is_named(struct wrn_sexp sexp, const char *name) {
    struct wrn_sexp_cursor inner;
    return wrn_sexp_enter_named(sexp, name, &inner);
}

bool wrn_sexp_enter(struct wrn_sexp list, struct wrn_sexp_cursor *ret_cursor) {
    if (!wrn_sexp_is_list(list)) {
        *ret_cursor = (struct wrn_sexp_cursor){NULL, NULL};
        return false;
    }
    WRN_ASSERT(list.bytes.size >= 2);
    *ret_cursor =
        (struct wrn_sexp_cursor){list.bytes.data + 1, list.bytes.data + list.bytes.size - 1};
    return true;
}

bool wrn_sexp_enter_named(struct wrn_sexp list, const char *name,
                          struct wrn_sexp_cursor *ret_cursor) {
    if (wrn_sexp_enter(list, ret_cursor) && wrn_sexp_take_word(ret_cursor, name)) {
        return true;
    }
    *ret_cursor = (struct wrn_sexp_cursor){NULL, NULL};
    return false;
}

bool wrn_sexp_at_end(const struct wrn_sexp_cursor *cursor) {
    return cursor->next == cursor->end;
}

bool wrn_sexp_take_any(struct wrn_sexp_cursor *cursor, struct wrn_sexp *ret_sexp) {
    if (wrn_sexp_at_end(cursor)) {
        return false;
    }
    const uint8_t *start = cursor->next;
    cursor->next = wrn_sexp_skip(start, cursor->end);
    *ret_sexp = (struct wrn_sexp){{start, (size_t)(cursor->next - start)}};
    return true;
}

bool wrn_sexp_take_list(struct wrn_sexp_cursor *cursor, struct wrn_sexp_cursor *ret_inner) {
    struct wrn_sexp list;
    if (wrn_sexp_at_end(cursor) || *cursor->next != '(') {
        return false;
    }
    return wrn_sexp_take_any(cursor, &list) && wrn_sexp_enter(list, ret_inner);
}

bool wrn_sexp_take_named(struct wrn_sexp_cursor *cursor, const char *name,
                         struct wrn_sexp_cursor *ret_inner) {
    if (wrn_sexp_at_end(cursor) || *cursor->next != '(') {
        return false;
    }
    /* The name first: a list with another one need not be measured. */
    struct wrn_sexp_cursor inner = {cursor->next + 1, cursor->end};
    if (!wrn_sexp_take_word(&inner, name)) {
        return false;
    }
    cursor->next = wrn_sexp_skip(cursor->next, cursor->end);
    *ret_inner = (struct wrn_sexp_cursor){inner.next, cursor->next - 1};
    return true;
}

bool wrn_sexp_take_atom(struct wrn_sexp_cursor *cursor, wrn_span *ret_bytes) {
    if (wrn_sexp_at_end(cursor) || !wrn_sexp_is_digit(*cursor->next)) {
        return false;
    }
    cursor->next = split_string(cursor->next, cursor->end, ret_bytes);
    return true;
}

bool wrn_sexp_take_word(struct wrn_sexp_cursor *cursor, const char *word) {
    struct wrn_sexp_cursor behind = *cursor;
    wrn_span bytes;
    if (!wrn_sexp_take_atom(&behind, &bytes) || !bytes_are(bytes, word)) {
        return false;
    }
    *cursor = behind;
    return true;
}

bool wrn_sexp_take_field(struct wrn_sexp_cursor *cursor, const char *name, wrn_span *ret_value) {
    struct wrn_sexp_cursor inner;
    return wrn_sexp_take_named(cursor, name, &inner) && wrn_sexp_take_atom(&inner, ret_value) &&
           wrn_sexp_at_end(&inner);
}

bool wrn_sexp_take_number(struct wrn_sexp_cursor *cursor, const char *name, uint32_t max,
                          uint32_t *ret_number) {
    enum { DIGITS_MAX = 10 }; /* of any uint32_t */
    wrn_span digits;
    uint64_t number = 0;
    if (!wrn_sexp_take_field(cursor, name, &digits) || digits.size == 0 ||
        digits.size > DIGITS_MAX || (digits.data[0] == '0' && digits.size > 1)) {
        return false;
    }
    for (size_t i = 0; i < digits.size; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9') {
            return false;
        }
        number = number * 10 + (uint64_t)(digits.data[i] - '0');
    }
    if (number > max) {
        return false;
    }
    *ret_number = (uint32_t)number;
    return true;
}

const uint8_t *wrn_sexp_split_atom(const uint8_t *p, const uint8_t *end, wrn_span *ret_hint,
                                   wrn_span *ret_bytes) {
    *ret_hint = (wrn_span){NULL, 0};
    WRN_ASSERT(p < end);
    if (*p == '[') {
        p = split_string(p + 1, end, ret_hint);
        WRN_ASSERT(p < end && *p == ']');
        p++;
    }
    return split_string(p, end, ret_bytes);
}

const uint8_t *wrn_sexp_skip(const uint8_t *p, const uint8_t *end) {
    wrn_span hint;
    wrn_span bytes;
    size_t depth = 0;
    do {
        WRN_ASSERT(p < end);
        if (*p == '(') {
            depth++;
            p++;
        } else if (*p == ')') {
            WRN_ASSERT(depth > 0);
            depth--;
            p++;
        } else {
            p = wrn_sexp_split_atom(p, end, &hint, &bytes);
        }
    } while (depth > 0);
    return p;
}

/* An atom's bytes and hint. */
static wrn_span split(struct wrn_sexp sexp, wrn_span *ret_hint) {
    wrn_span bytes;
    const uint8_t *end = sexp.bytes.data + sexp.bytes.size;
    const uint8_t *behind = wrn_sexp_split_atom(sexp.bytes.data, end, ret_hint, &bytes);
    WRN_ASSERT(behind == end);
    return bytes;
}

static const uint8_t *split_string(const uint8_t *p, const uint8_t *end, wrn_span *ret_bytes) {
    size_t size = 0;
    while (p < end && wrn_sexp_is_digit(*p)) {
        size = size * 10 + (size_t)(*p - '0');
        WRN_ASSERT(size <= WRN_SEXP_SIZE_MAX);
        p++;
    }
    WRN_ASSERT(p < end && *p == ':' && (size_t)(end - p) > size);
    *ret_bytes = (wrn_span){p + 1, size};
    return p + 1 + size;
}

static bool bytes_are(wrn_span bytes, const char *word) {
    return bytes.size == strlen(word) && memcmp(bytes.data, word, bytes.size) == 0;
}
