/* SPDX-License-Identifier: Apache-2.0 */
/* Elements of tags that stand for atoms: reading, comparing and writing them, as intervals of
 * one of five orderings. */
#include "spki/tag_cell.h"

static const char *const ordering_names[] = {
    [WRN_TAG_ALPHA] = "alpha",   [WRN_TAG_NUMERIC] = "numeric", [WRN_TAG_TIME] = "time",
    [WRN_TAG_BINARY] = "binary", [WRN_TAG_DATE] = "date",
};

/* Moments that are cut short begin like this: what is missing is taken from here. */
static const char time_start[] = "00:00:00";
static const char date_start[] = "0000-01-01_00:00:00";

static enum wrn_tag_fault read_star(struct wrn_sexp tag, struct wrn_sexp_cursor rest,
                                    struct wrn_tag_node *node, struct wrn_sexp *ret_at);
static bool read_prefix(struct wrn_sexp_cursor rest, struct wrn_tag_cell *cell);
static enum wrn_tag_fault read_range(struct wrn_sexp_cursor rest, struct wrn_tag_cell *cell,
                                     struct wrn_sexp *ret_at);
static bool read_limit(struct wrn_sexp_cursor *limit, struct wrn_tag_cell *cell);
static bool read_value(enum wrn_tag_ordering ordering, wrn_span bytes, struct wrn_tag_limit *limit);
static void make_atom(struct wrn_tag_cell *cell, wrn_span bytes);
static void make_prefix(struct wrn_tag_cell *cell, wrn_span bytes);
static bool is_every_atom(const struct wrn_tag_cell *cell);
static bool is_one_atom(const struct wrn_tag_cell *cell);
static void make_one_atom(struct wrn_tag_cell *cell);
static bool is_prefix(const struct wrn_tag_cell *cell);
static bool is_atom_within(const struct wrn_tag_cell *atom, const struct wrn_tag_cell *range);
static bool is_same_hinted(const struct wrn_tag_cell *a, const struct wrn_tag_cell *b);
static int compare_low(const struct wrn_tag_cell *a, const struct wrn_tag_cell *b);
static int compare_high(const struct wrn_tag_cell *a, const struct wrn_tag_cell *b);
static int compare_values(enum wrn_tag_ordering ordering, const struct wrn_tag_limit *a,
                          const struct wrn_tag_limit *b);
static int compare_strings(const struct wrn_tag_limit *a, const struct wrn_tag_limit *b);
static void put_atom(struct wrn_tag_work *work, wrn_span bytes);
static void put_word(struct wrn_tag_work *work, const char *word);
static void put_limit(struct wrn_tag_work *work, enum wrn_tag_ordering ordering, const char *name,
                      const struct wrn_tag_limit *limit);

enum wrn_tag_fault wrn_tag_node_read(struct wrn_sexp tag, struct wrn_tag_node *ret_node,
                                     struct wrn_sexp *ret_at) {
    struct wrn_sexp_cursor rest;
    *ret_node = (struct wrn_tag_node){.kind = WRN_TAG_NOTHING};
    if (tag.bytes.size == 0) {
        *ret_at = tag;
        return WRN_TAG_BAD_STAR;
    }
    if (wrn_sexp_enter_named(tag, "*", &rest)) {
        return read_star(tag, rest, ret_node, ret_at);
    }
    if (wrn_sexp_enter(tag, &ret_node->elements)) {
        ret_node->kind = WRN_TAG_LIST;
        return WRN_TAG_OK;
    }
    ret_node->kind = WRN_TAG_CELL;
    make_atom(&ret_node->cell, wrn_sexp_atom(tag));
    ret_node->cell.hint = wrn_sexp_hint(tag);
    return WRN_TAG_OK;
}

bool wrn_tag_cell_is_empty(const struct wrn_tag_cell *cell) {
    if (cell->hint.data != NULL || !cell->low.is_there || !cell->high.is_there) {
        return false;
    }
    int order = compare_values(cell->ordering, &cell->low, &cell->high);
    return order > 0 || (order == 0 && (cell->low.is_strict || cell->high.is_strict));
}

bool wrn_tag_cell_intersect(const struct wrn_tag_cell *a, const struct wrn_tag_cell *b,
                            struct wrn_tag_cell *ret_both) {
    if (a->hint.data != NULL || b->hint.data != NULL) {
        *ret_both = *a;
        return is_same_hinted(a, b);
    }
    if (is_every_atom(a) || is_every_atom(b)) {
        *ret_both = is_every_atom(a) ? *b : *a;
    } else if (a->ordering == b->ordering) {
        ret_both->hint = (wrn_span){NULL, 0};
        ret_both->ordering = a->ordering;
        ret_both->low = compare_low(a, b) > 0 ? a->low : b->low;
        ret_both->high = compare_high(a, b) < 0 ? a->high : b->high;
        make_one_atom(ret_both);
    } else if (is_one_atom(a) && is_atom_within(a, b)) {
        *ret_both = *a;
    } else if (is_one_atom(b) && is_atom_within(b, a)) {
        *ret_both = *b;
    } else {
        return false; /* the atoms of two orderings: no tag says that */
    }
    return !wrn_tag_cell_is_empty(ret_both);
}

bool wrn_tag_cell_covers(const struct wrn_tag_cell *wide, const struct wrn_tag_cell *narrow) {
    if (wide->hint.data != NULL || narrow->hint.data != NULL) {
        return is_same_hinted(wide, narrow);
    }
    if (is_every_atom(wide)) {
        return true;
    }
    if (wide->ordering == narrow->ordering) {
        return compare_low(wide, narrow) <= 0 && compare_high(wide, narrow) >= 0;
    }
    return is_one_atom(narrow) && is_atom_within(narrow, wide);
}

void wrn_tag_work_put(struct wrn_tag_work *work, const void *bytes, size_t size) {
    if (work->is_full || size > sizeof(work->bytes) - work->size) {
        work->is_full = true;
        return;
    }
    if (size > 0) {
        memcpy(work->bytes + work->size, bytes, size);
        work->size += size;
    }
}

void wrn_tag_cell_put(struct wrn_tag_work *work, const struct wrn_tag_cell *cell) {
    if (cell->hint.data != NULL) {
        wrn_tag_work_put(work, "[", 1);
        put_atom(work, cell->hint);
        wrn_tag_work_put(work, "]", 1);
    }
    if (cell->hint.data != NULL || is_one_atom(cell)) {
        put_atom(work, cell->low.value);
        return;
    }
    wrn_tag_work_put(work, "(", 1);
    put_word(work, "*");
    if (is_prefix(cell)) {
        put_word(work, "prefix");
        put_atom(work, cell->low.value);
    } else {
        put_word(work, "range");
        put_word(work, ordering_names[cell->ordering]);
        put_limit(work, cell->ordering, cell->low.is_strict ? "g" : "ge", &cell->low);
        put_limit(work, cell->ordering, cell->high.is_strict ? "l" : "le", &cell->high);
    }
    wrn_tag_work_put(work, ")", 1);
}

/* Reads what stands behind the star. */
static enum wrn_tag_fault read_star(struct wrn_sexp tag, struct wrn_sexp_cursor rest,
                                    struct wrn_tag_node *node, struct wrn_sexp *ret_at) {
    enum wrn_tag_fault fault = WRN_TAG_OK;
    *ret_at = tag;
    if (wrn_sexp_at_end(&rest)) {
        node->kind = WRN_TAG_ANY;
    } else if (wrn_sexp_take_word(&rest, "set")) {
        node->kind = WRN_TAG_SET;
        node->elements = rest;
    } else if (wrn_sexp_take_word(&rest, "prefix")) {
        fault = read_prefix(rest, &node->cell) ? WRN_TAG_OK : WRN_TAG_BAD_PREFIX;
        node->kind = fault == WRN_TAG_OK ? WRN_TAG_CELL : WRN_TAG_NOTHING;
    } else if (wrn_sexp_take_word(&rest, "range")) {
        fault = read_range(rest, &node->cell, ret_at);
        node->kind = fault == WRN_TAG_OK ? WRN_TAG_CELL : WRN_TAG_NOTHING;
    } else {
        fault = WRN_TAG_BAD_STAR;
    }
    return fault;
}

static bool read_prefix(struct wrn_sexp_cursor rest, struct wrn_tag_cell *cell) {
    wrn_span bytes;
    if (!wrn_sexp_take_atom(&rest, &bytes) || !wrn_sexp_at_end(&rest)) {
        return false;
    }
    make_prefix(cell, bytes);
    return true;
}

static enum wrn_tag_fault read_range(struct wrn_sexp_cursor rest, struct wrn_tag_cell *cell,
                                     struct wrn_sexp *ret_at) {
    *cell = (struct wrn_tag_cell){.ordering = WRN_TAG_ALPHA};
    size_t ordering = 0;
    while (ordering < WRN_COUNT(ordering_names) &&
           !wrn_sexp_take_word(&rest, ordering_names[ordering])) {
        ordering++;
    }
    if (ordering == WRN_COUNT(ordering_names)) {
        return WRN_TAG_BAD_ORDERING;
    }
    cell->ordering = (enum wrn_tag_ordering)ordering;
    while (!wrn_sexp_at_end(&rest)) {
        struct wrn_sexp_cursor nested, before = rest;
        bool is_nested = wrn_sexp_take_list(&rest, &nested);
        if (!read_limit(is_nested ? &nested : &rest, cell) ||
            (is_nested && !wrn_sexp_at_end(&nested))) {
            (void)wrn_sexp_take_any(&before, ret_at);
            return WRN_TAG_BAD_LIMIT;
        }
    }
    /* Strings and binary numbers have a least one, so the same set is always the same interval. */
    bool has_least = ordering == WRN_TAG_ALPHA || ordering == WRN_TAG_BINARY;
    if (has_least && !cell->low.is_there) {
        cell->low = (struct wrn_tag_limit){.is_there = true};
    }
    if (ordering == WRN_TAG_BINARY && !cell->high.is_there && !cell->low.is_strict &&
        cell->low.value.size == 0) {
        cell->ordering = WRN_TAG_ALPHA; /* every atom is a binary number, and a string */
    }
    make_one_atom(cell);
    return WRN_TAG_OK;
}

/* Reads g|ge|l|le and VALUE, which stand in a list of their own or, as in RFC 2693, do not. */
static bool read_limit(struct wrn_sexp_cursor *limit, struct wrn_tag_cell *cell) {
    static const struct {
        const char *word;
        bool is_low, is_strict;
    } kinds[] = {
        {"g", true, true},
        {"ge", true, false},
        {"l", false, true},
        {"le", false, false},
    };
    for (size_t i = 0; i < WRN_COUNT(kinds); i++) {
        if (wrn_sexp_take_word(limit, kinds[i].word)) {
            struct wrn_tag_limit *target = kinds[i].is_low ? &cell->low : &cell->high;
            wrn_span bytes;
            if (target->is_there || !wrn_sexp_take_atom(limit, &bytes) ||
                !read_value(cell->ordering, bytes, target)) {
                return false;
            }
            target->is_strict = kinds[i].is_strict;
            return true;
        }
    }
    return false;
}

static bool is_digit(uint8_t c) {
    return c >= '0' && c <= '9';
}

static wrn_span without_leading(wrn_span bytes, uint8_t zero) {
    while (bytes.size > 0 && bytes.data[0] == zero) {
        bytes = (wrn_span){bytes.data + 1, bytes.size - 1};
    }
    return bytes;
}

static bool read_number(wrn_span bytes, struct wrn_tag_limit *limit) {
    if (bytes.size > 0 && (bytes.data[0] == '+' || bytes.data[0] == '-')) {
        limit->is_negative = bytes.data[0] == '-';
        bytes = (wrn_span){bytes.data + 1, bytes.size - 1};
    }
    if (bytes.size == 0) {
        return false;
    }
    for (size_t i = 0; i < bytes.size; i++) {
        if (!is_digit(bytes.data[i])) {
            return false;
        }
    }
    limit->value = without_leading(bytes, '0');
    limit->is_negative = limit->is_negative && limit->value.size > 0; /* -0 is 0 */
    return true;
}

/* Tells whether 'bytes' are the beginning of a moment of the form of 'start', cut short after
 * one of its parts, and copies the whole moment. */
static bool complete(wrn_span bytes, const char *start, char ret_whole[20]) {
    size_t size = strlen(start);
    if (bytes.size == 0 || bytes.size > size) {
        return false;
    }
    memcpy(ret_whole, start, size + 1);
    memcpy(ret_whole, bytes.data, bytes.size);
    if (bytes.size < size && is_digit((uint8_t)start[bytes.size])) {
        return false; /* within a number */
    }
    for (size_t i = 0; i < size; i++) {
        bool is_right = is_digit((uint8_t)start[i]) ? is_digit((uint8_t)ret_whole[i])
                                                    : ret_whole[i] == start[i];
        if (!is_right) {
            return false;
        }
    }
    return true;
}

/* Tells whether 'bytes' are a value of the ordering, and sets 'limit' to it. */
static bool read_value(enum wrn_tag_ordering ordering, wrn_span bytes,
                       struct wrn_tag_limit *limit) {
    *limit = (struct wrn_tag_limit){.is_there = true, .value = bytes};
    char whole[20];
    switch (ordering) {
    case WRN_TAG_ALPHA:
        return true;
    case WRN_TAG_BINARY:
        limit->value = without_leading(bytes, 0);
        return true;
    case WRN_TAG_NUMERIC:
        return read_number(bytes, limit);
    case WRN_TAG_TIME:
        return complete(bytes, time_start, whole) && memcmp(whole, "23:59:59", 8) <= 0 &&
               whole[3] < '6' && whole[6] < '6';
    case WRN_TAG_DATE:
        break;
    }
    int64_t s;
    return complete(bytes, date_start, whole) &&
           wrn_spki_date_read((wrn_span){(const uint8_t *)whole, WRN_SPKI_DATE_SIZE}, &s);
}

static void make_atom(struct wrn_tag_cell *cell, wrn_span bytes) {
    *cell = (struct wrn_tag_cell){
        .ordering = WRN_TAG_ALPHA,
        .low = {.is_there = true, .value = bytes},
        .high = {.is_there = true, .value = bytes},
    };
}

/* The strings that begin with 'bytes' lie from there to before the next string of this length,
 * or of a shorter one if the last bytes can not be counted up. */
static void make_prefix(struct wrn_tag_cell *cell, wrn_span bytes) {
    *cell = (struct wrn_tag_cell){
        .ordering = WRN_TAG_ALPHA,
        .low = {.is_there = true, .value = bytes},
    };
    while (bytes.size > 0 && bytes.data[bytes.size - 1] == 0xff) {
        bytes.size--;
    }
    if (bytes.size > 0) {
        cell->high = (struct wrn_tag_limit){
            .is_there = true, .is_strict = true, .is_next = true, .value = bytes};
    }
}

static bool is_every_atom(const struct wrn_tag_cell *cell) {
    return cell->hint.data == NULL && cell->ordering == WRN_TAG_ALPHA &&
           cell->low.value.size == 0 && !cell->low.is_strict && !cell->high.is_there;
}

static bool is_one_atom(const struct wrn_tag_cell *cell) {
    return cell->ordering == WRN_TAG_ALPHA && cell->high.is_there && !cell->low.is_strict &&
           !cell->high.is_strict && compare_strings(&cell->low, &cell->high) == 0;
}

/* Makes an alpha range of one string, however its limits say it, that string: behind "a" the next
 * one is "a\0", so (ge a) (l "a\0") is "a", and (g a) (le "a\0") is "a\0". */
static void make_one_atom(struct wrn_tag_cell *cell) {
    const struct wrn_tag_limit *low = &cell->low, *high = &cell->high;
    size_t size = low->value.size + low->is_strict; /* of the least string */
    if (cell->ordering != WRN_TAG_ALPHA || !high->is_there || high->is_next ||
        high->value.size != size + high->is_strict) {
        return;
    }
    for (size_t i = 0; i < high->value.size; i++) {
        if (high->value.data[i] != (i < low->value.size ? low->value.data[i] : 0)) {
            return;
        }
    }
    make_atom(cell, (wrn_span){high->value.data, size});
}

static bool is_prefix(const struct wrn_tag_cell *cell) {
    if (cell->ordering != WRN_TAG_ALPHA || cell->low.is_strict) {
        return false;
    }
    struct wrn_tag_cell prefix;
    make_prefix(&prefix, cell->low.value);
    return compare_high(cell, &prefix) == 0;
}

static bool is_atom_within(const struct wrn_tag_cell *atom, const struct wrn_tag_cell *range) {
    struct wrn_tag_cell value = {.ordering = range->ordering};
    if (range->ordering == WRN_TAG_ALPHA ||
        !read_value(range->ordering, atom->low.value, &value.low)) {
        return false;
    }
    value.high = value.low;
    return compare_low(range, &value) <= 0 && compare_high(range, &value) >= 0;
}

static bool is_same_span(wrn_span a, wrn_span b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static bool is_same_hinted(const struct wrn_tag_cell *a, const struct wrn_tag_cell *b) {
    return a->hint.data != NULL && b->hint.data != NULL && is_same_span(a->hint, b->hint) &&
           is_same_span(a->low.value, b->low.value);
}

/* Orders the lower limits of two cells of one ordering: greater is narrower. */
static int compare_low(const struct wrn_tag_cell *a, const struct wrn_tag_cell *b) {
    if (!a->low.is_there || !b->low.is_there) {
        return a->low.is_there - b->low.is_there;
    }
    int order = compare_values(a->ordering, &a->low, &b->low);
    return order != 0 ? order : a->low.is_strict - b->low.is_strict;
}

/* Orders the upper limits of two cells of one ordering: less is narrower. */
static int compare_high(const struct wrn_tag_cell *a, const struct wrn_tag_cell *b) {
    if (!a->high.is_there || !b->high.is_there) {
        return b->high.is_there - a->high.is_there;
    }
    int order = compare_values(a->ordering, &a->high, &b->high);
    return order != 0 ? order : b->high.is_strict - a->high.is_strict;
}

static int compare_magnitudes(wrn_span a, wrn_span b) {
    if (a.size != b.size) {
        return a.size > b.size ? 1 : -1;
    }
    return a.size > 0 ? memcmp(a.data, b.data, a.size) : 0;
}

/* Compares moments: what is missing at the end of one comes from 'start'. */
static int compare_moments(wrn_span a, wrn_span b, const char *start) {
    int order = 0;
    for (size_t i = 0; start[i] != '\0' && order == 0; i++) {
        int of_a = i < a.size ? a.data[i] : (uint8_t)start[i];
        int of_b = i < b.size ? b.data[i] : (uint8_t)start[i];
        order = of_a - of_b;
    }
    return order;
}

static int compare_values(enum wrn_tag_ordering ordering, const struct wrn_tag_limit *a,
                          const struct wrn_tag_limit *b) {
    switch (ordering) {
    case WRN_TAG_ALPHA:
        return compare_strings(a, b);
    case WRN_TAG_BINARY:
        return compare_magnitudes(a->value, b->value);
    case WRN_TAG_TIME:
        return compare_moments(a->value, b->value, time_start);
    case WRN_TAG_DATE:
        return compare_moments(a->value, b->value, date_start);
    case WRN_TAG_NUMERIC:
        break;
    }
    if (a->is_negative != b->is_negative) {
        return a->is_negative ? -1 : 1;
    }
    int order = compare_magnitudes(a->value, b->value);
    return a->is_negative ? -order : order;
}

static int string_byte(const struct wrn_tag_limit *limit, size_t index) {
    return limit->value.data[index] + (limit->is_next && index + 1 == limit->value.size);
}

static int compare_strings(const struct wrn_tag_limit *a, const struct wrn_tag_limit *b) {
    size_t common = a->value.size < b->value.size ? a->value.size : b->value.size;
    for (size_t i = 0; i < common; i++) {
        int order = string_byte(a, i) - string_byte(b, i);
        if (order != 0) {
            return order;
        }
    }
    return (a->value.size > b->value.size) - (a->value.size < b->value.size);
}

static void put_length(struct wrn_tag_work *work, size_t size) {
    char text[21]; /* digits of a size, and a colon */
    size_t at = sizeof text;
    text[--at] = ':';
    do {
        text[--at] = (char)('0' + size % 10);
        size /= 10;
    } while (size > 0);
    wrn_tag_work_put(work, text + at, sizeof text - at);
}

static void put_atom(struct wrn_tag_work *work, wrn_span bytes) {
    put_length(work, bytes.size);
    wrn_tag_work_put(work, bytes.data, bytes.size);
}

static void put_word(struct wrn_tag_work *work, const char *word) {
    put_atom(work, (wrn_span){(const uint8_t *)word, strlen(word)});
}

static void put_moment(struct wrn_tag_work *work, wrn_span value, const char *start) {
    size_t size = strlen(start);
    put_length(work, size);
    wrn_tag_work_put(work, value.data, value.size);
    wrn_tag_work_put(work, start + value.size, size - value.size);
}

/* Puts a limit as (NAME VALUE), if it is one: the least value of all limits nothing. */
static void put_limit(struct wrn_tag_work *work, enum wrn_tag_ordering ordering, const char *name,
                      const struct wrn_tag_limit *limit) {
    bool has_least = ordering == WRN_TAG_ALPHA || ordering == WRN_TAG_BINARY;
    if (!limit->is_there || (has_least && limit->value.size == 0 && strcmp(name, "ge") == 0)) {
        return;
    }
    wrn_tag_work_put(work, "(", 1);
    put_word(work, name);
    if (ordering == WRN_TAG_TIME) {
        put_moment(work, limit->value, time_start);
    } else if (ordering == WRN_TAG_DATE) {
        put_moment(work, limit->value, date_start);
    } else if (ordering == WRN_TAG_NUMERIC) {
        put_length(work, limit->value.size + (limit->is_negative || limit->value.size == 0));
        wrn_tag_work_put(work, limit->value.size == 0 ? "0" : "-",
                         limit->is_negative || limit->value.size == 0);
        wrn_tag_work_put(work, limit->value.data, limit->value.size);
    } else {
        put_atom(work, limit->value);
        if (limit->is_next && !work->is_full) {
            work->bytes[work->size - 1]++;
        }
    }
    wrn_tag_work_put(work, ")", 1);
}
