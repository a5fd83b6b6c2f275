/* SPDX-License-Identifier: Apache-2.0 */
/* A naive model of tags. It recurses and allocates as it likes, and is never given much. */
#include "model/spki_tags.h"

#include <stdio.h>
#include <stdlib.h>

enum kind { ATOM, LIST, EVERYTHING, SET, PREFIX, RANGE };

enum { PADDED_SIZE = 64 };

/* The limits of a range; NULL: none on this side. */
struct limits {
    const struct tree *ordering;
    const struct tree *low, *high;
    bool is_low_strict, is_high_strict;
};

static enum kind kind_of(const struct tree *tag);
static bool begins(wrn_span bytes, wrn_span prefix);
static struct limits limits_of(const struct tree *range);
static bool is_within(const struct limits *limits, wrn_span value);
static bool pad(const struct tree *ordering, wrn_span value, uint8_t ret_padded[PADDED_SIZE + 1]);
static struct tree *meet_lists(const struct tree *a, const struct tree *b);
static struct tree *meet_set(const struct tree *set, const struct tree *other);
static struct tree *meet_ranges(const struct tree *a, const struct tree *b);
static struct tree *meet_strings(const struct tree *a, const struct tree *b);
static bool is_strings(const struct tree *tag);
static bool is_one_string(const struct tree *tag);
static struct tree *all_atoms(void);
static bool is_all_atoms(const struct tree *tag);
static bool is_zero(const struct tree *limit, bool is_strict);
static struct tree *make_set(struct tree **elements, size_t count);

static enum kind kind_of(const struct tree *tag) {
    if (!tag->is_list) {
        return ATOM;
    }
    if (tag->count == 0 || tag->at[0]->bytes.size != 1 || !tree_is_named(tag, "*")) {
        return LIST;
    }
    if (tag->count == 1) {
        return EVERYTHING;
    }
    return tree_is_word(tag->at[1], "set")      ? SET
           : tree_is_word(tag->at[1], "prefix") ? PREFIX
                                                : RANGE;
}

/* ---- Meaning */

bool tags_permit(const struct tree *tag, const struct tree *concrete) {
    bool is_plain_atom = !concrete->is_list && !concrete->hint.data;
    struct limits limits;
    switch (kind_of(tag)) {
    case EVERYTHING:
        return true;
    case ATOM:
        return tree_equal(tag, concrete);
    case SET:
        for (size_t i = 2; i < tag->count; i++) {
            if (tags_permit(tag->at[i], concrete)) {
                return true;
            }
        }
        return false;
    case PREFIX:
        return is_plain_atom && begins(concrete->bytes, tag->at[2]->bytes);
    case RANGE:
        limits = limits_of(tag);
        return is_plain_atom && is_within(&limits, concrete->bytes);
    case LIST:
        break;
    }
    if (!concrete->is_list || concrete->count < tag->count) {
        return false;
    }
    for (size_t i = 0; i < tag->count; i++) {
        if (!tags_permit(tag->at[i], concrete->at[i])) {
            return false;
        }
    }
    return true;
}

bool tags_is_concrete(const struct tree *tree) {
    for (size_t i = 0; i < tree->count; i++) {
        if (!tags_is_concrete(tree->at[i])) {
            return false;
        }
    }
    return !tree_is_named(tree, "*");
}

static bool begins(wrn_span bytes, wrn_span prefix) {
    return bytes.size >= prefix.size &&
           (prefix.size == 0 || memcmp(bytes.data, prefix.data, prefix.size) == 0);
}

static struct limits limits_of(const struct tree *range) {
    struct limits limits = {.ordering = range->at[2]};
    for (size_t i = 3; i < range->count; i++) {
        const struct tree *sign = range->at[i]->at[0], *value = range->at[i]->at[1];
        if (sign->bytes.data[0] == 'g') {
            limits.low = value;
            limits.is_low_strict = sign->bytes.size == 1;
        } else {
            limits.high = value;
            limits.is_high_strict = sign->bytes.size == 1;
        }
    }
    return limits;
}

/* Compares values in a form in which the order of the bytes is theirs. */
static bool is_within(const struct limits *limits, wrn_span value) {
    uint8_t padded[PADDED_SIZE + 1] = {0}, limit[PADDED_SIZE + 1] = {0};
    if (!pad(limits->ordering, value, padded)) {
        return false;
    }
    if (limits->low && pad(limits->ordering, limits->low->bytes, limit)) {
        int order = memcmp(padded, limit, sizeof padded);
        if (order < 0 || (order == 0 && limits->is_low_strict)) {
            return false;
        }
    }
    if (limits->high && pad(limits->ordering, limits->high->bytes, limit)) {
        int order = memcmp(padded, limit, sizeof padded);
        if (order > 0 || (order == 0 && limits->is_high_strict)) {
            return false;
        }
    }
    return true;
}

static bool is_digits(wrn_span text, size_t at, size_t count) {
    for (size_t i = at; i < at + count; i++) {
        if (i >= text.size || text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
    }
    return true;
}

static int two_digits(const char *text) {
    return 10 * (text[0] - '0') + text[1] - '0';
}

/* Fills what is missing of a date or time from 'least', and checks each part that is there. */
static bool pad_moment(wrn_span value, const char *least, const char *ends, uint8_t *out) {
    char text[PADDED_SIZE + 1] = {0};
    size_t size = strlen(least);
    if (value.size > size || !memchr(ends, (int)value.size, strlen(ends))) {
        return false;
    }
    memcpy(text, least, size);
    memcpy(text, value.data, value.size);
    for (size_t i = 0; i < size; i++) {
        bool is_digit = least[i] >= '0' && least[i] <= '9';
        if (is_digit ? text[i] < '0' || text[i] > '9' : text[i] != least[i]) {
            return false;
        }
    }
    const char *clock = text + size - 8;
    if (two_digits(clock) > 23 || two_digits(clock + 3) > 59 || two_digits(clock + 6) > 59) {
        return false;
    }
    if (size > 8) {
        static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
        int year = 100 * two_digits(text) + two_digits(text + 2);
        int month = two_digits(text + 5), day = two_digits(text + 8);
        bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        if (month < 1 || month > 12 || day < 1 ||
            day > days[month - 1] + (month == 2 && is_leap ? 1 : 0)) {
            return false;
        }
    }
    memcpy(out, text, size);
    return true;
}

/* A sign and digits: 0 and nine's complements for negative numbers, 1 and digits for others. */
static bool pad_number(wrn_span value, uint8_t *out) {
    size_t sign = value.size > 0 && (value.data[0] == '-' || value.data[0] == '+');
    size_t digits = value.size - sign;
    if (digits == 0 || digits > PADDED_SIZE - 1 || !is_digits(value, sign, digits)) {
        return false;
    }
    bool is_zero = true;
    memset(out + 1, '0', PADDED_SIZE);
    for (size_t i = 0; i < digits; i++) {
        out[PADDED_SIZE - i] = value.data[value.size - 1 - i];
        is_zero = is_zero && out[PADDED_SIZE - i] == '0';
    }
    bool is_negative = sign && value.data[0] == '-' && !is_zero;
    out[0] = is_negative ? 0 : 1;
    for (size_t i = 1; is_negative && i <= PADDED_SIZE; i++) {
        out[i] = (uint8_t)('0' + '9' - out[i]);
    }
    return true;
}

/* Brings a value into a form in which the order of the bytes is that of its ordering. False: it is
 * no value of the ordering. */
static bool pad(const struct tree *ordering, wrn_span value, uint8_t ret_padded[PADDED_SIZE + 1]) {
    memset(ret_padded, 0, PADDED_SIZE + 1);
    if (tree_is_word(ordering, "numeric")) {
        return pad_number(value, ret_padded);
    }
    if (tree_is_word(ordering, "time")) {
        return pad_moment(value, "00:00:00", "\2\5\10", ret_padded);
    }
    if (tree_is_word(ordering, "date")) {
        return pad_moment(value, "0000-01-01_00:00:00", "\4\7\12\15\20\23", ret_padded);
    }
    if (value.size >= PADDED_SIZE) {
        fprintf(stderr, "the model takes only short values\n");
        abort();
    }
    if (tree_is_word(ordering, "binary")) {
        memcpy(ret_padded + PADDED_SIZE - value.size, value.data, value.size);
    } else {
        memcpy(ret_padded, value.data, value.size);
        ret_padded[PADDED_SIZE] = (uint8_t)value.size; /* "a" is before "a\0" */
    }
    return true;
}

/* ---- Intersection */

struct tree *tags_normal(const struct tree *tag) {
    return tags_meet(tag, tree_named("*"));
}

bool tags_cover(const struct tree *tag, const struct tree *request) {
    struct tree *wanted = tags_normal(request);
    struct tree *both = tags_meet(tag, request);
    return wanted && both && tree_equal(both, wanted);
}

struct tree *tags_meet(const struct tree *a, const struct tree *b) {
    enum kind ka = kind_of(a), kb = kind_of(b);
    if (ka == SET) {
        return meet_set(a, b);
    }
    if (kb == SET) {
        return meet_set(b, a);
    }
    if (is_one_string(a) || is_one_string(b)) {
        a = is_one_string(a) ? meet_strings(a, a) : a;
        b = is_one_string(b) ? meet_strings(b, b) : b;
        return tags_meet(a, b);
    }
    if (ka > kb) {
        return tags_meet(b, a);
    }
    /* From here on in the order of the kinds: atom, list, everything, prefix, range. */
    if (ka == ATOM) {
        return tags_permit(b, a) ? (struct tree *)a : NULL;
    }
    if (ka == LIST) {
        return kb == LIST ? meet_lists(a, b) : kb == EVERYTHING ? meet_lists(a, tree_list()) : NULL;
    }
    if (ka == EVERYTHING) {
        return kb == EVERYTHING ? tree_named("*") : tags_meet(b, b);
    }
    if (is_strings(a) && is_strings(b)) {
        return meet_strings(a, b);
    }
    if (is_all_atoms(a) || is_all_atoms(b)) {
        return is_all_atoms(a) && is_all_atoms(b) ? meet_strings(all_atoms(), all_atoms())
               : is_all_atoms(a)                  ? tags_meet(b, b)
                                                  : tags_meet(a, a);
    }
    return ka == PREFIX ? NULL : meet_ranges(a, b);
}

/* A prefix or an alpha range. */
static bool is_strings(const struct tree *tag) {
    return kind_of(tag) == PREFIX || (kind_of(tag) == RANGE && tree_is_word(tag->at[2], "alpha"));
}

/* An alpha range that holds one string. */
static bool is_one_string(const struct tree *tag) {
    struct tree *normal = is_strings(tag) ? meet_strings(tag, tag) : NULL;
    return normal && kind_of(normal) == ATOM;
}

/* (* prefix ""). */
static struct tree *all_atoms(void) {
    return tree_add(tree_add(tree_named("*"), tree_word("prefix")), tree_word(""));
}

/* Every atom without a hint is a string and a binary number, of which the least is 0. */
static bool is_all_atoms(const struct tree *tag) {
    if (is_strings(tag)) {
        struct tree *normal = meet_strings(tag, tag);
        return normal && tree_equal(normal, all_atoms());
    }
    if (kind_of(tag) != RANGE || !tree_is_word(tag->at[2], "binary")) {
        return false;
    }
    struct limits limits = limits_of(tag);
    return !limits.high && (!limits.low || is_zero(limits.low, limits.is_low_strict));
}

/* A limit that is 0 and does not exclude it. */
static bool is_zero(const struct tree *limit, bool is_strict) {
    for (size_t i = 0; i < limit->bytes.size; i++) {
        if (limit->bytes.data[i] != 0) {
            return false;
        }
    }
    return !is_strict;
}

static struct tree *meet_set(const struct tree *set, const struct tree *other) {
    struct tree **both = tree_alloc((set->count + 1) * sizeof *both);
    size_t count = 0;
    for (size_t i = 2; i < set->count; i++) {
        struct tree *part = tags_meet(set->at[i], other);
        if (part) {
            both[count++] = part;
        }
    }
    return make_set(both, count);
}

/* Of parts in normal form: without sets in it, without what another part covers, sorted. */
static struct tree *make_set(struct tree **parts, size_t count) {
    struct tree *flat = tree_list();
    for (size_t i = 0; i < count; i++) {
        bool is_set = kind_of(parts[i]) == SET;
        for (size_t k = 2; is_set && k < parts[i]->count; k++) {
            tree_add(flat, parts[i]->at[k]);
        }
        if (!is_set) {
            tree_add(flat, parts[i]);
        }
    }
    size_t left = tree_sort(flat->at, flat->count);
    struct tree *set = tree_add(tree_named("*"), tree_word("set"));
    for (size_t i = 0; i < left; i++) {
        bool is_covered = false;
        for (size_t k = 0; k < left && !is_covered; k++) {
            is_covered = k != i && tags_cover(flat->at[k], flat->at[i]) &&
                         (k < i || !tags_cover(flat->at[i], flat->at[k]));
        }
        if (!is_covered) {
            tree_add(set, flat->at[i]);
        }
    }
    return set->count == 2 ? NULL : set->count == 3 ? set->at[2] : set;
}

static struct tree *meet_lists(const struct tree *a, const struct tree *b) {
    struct tree *both = tree_list(), *everything = tree_named("*");
    for (size_t i = 0; i < a->count || i < b->count; i++) {
        struct tree *part =
            tags_meet(i < a->count ? a->at[i] : everything, i < b->count ? b->at[i] : everything);
        if (!part) {
            return NULL;
        }
        tree_add(both, part);
    }
    /* A list that begins with this atom would be something else. */
    return tree_is_named(both, "*") ? NULL : both;
}

/* ---- Strings from 'low' on and before 'high': what prefixes and alpha ranges come to */

struct interval {
    wrn_span low, high;
    bool is_open; /* no 'high' */
};

/* The next string after 'bytes': that with a zero byte behind it. */
static wrn_span next_string(wrn_span bytes) {
    return tree_atom_of_two(bytes, (wrn_span){(const uint8_t *)"", 1})->bytes;
}

/* The first string after all that begin with 'prefix'; false if there is none. */
static bool next_prefix(wrn_span prefix, wrn_span *ret_next) {
    uint8_t *copy = tree_alloc(prefix.size + 1);
    memcpy(copy, prefix.data, prefix.size);
    size_t size = prefix.size;
    while (size > 0 && copy[size - 1] == 0xff) {
        size--;
    }
    if (size == 0) {
        return false;
    }
    copy[size - 1]++;
    *ret_next = (wrn_span){copy, size};
    return true;
}

static struct interval interval_of(const struct tree *tag) {
    struct interval interval = {.low = tree_atom((wrn_span){0})->bytes, .is_open = true};
    if (kind_of(tag) == PREFIX) {
        interval.low = tag->at[2]->bytes;
        interval.is_open = !next_prefix(interval.low, &interval.high);
        return interval;
    }
    struct limits limits = limits_of(tag);
    if (limits.low) {
        interval.low = limits.is_low_strict ? next_string(limits.low->bytes) : limits.low->bytes;
    }
    if (limits.high) {
        interval.is_open = false;
        interval.high =
            limits.is_high_strict ? limits.high->bytes : next_string(limits.high->bytes);
    }
    return interval;
}

static struct tree *tag_of(const struct interval *interval) {
    wrn_span next;
    bool has_next = next_prefix(interval->low, &next);
    if (!interval->is_open && tree_span_compare(interval->low, interval->high) >= 0) {
        return NULL;
    }
    if (!interval->is_open && tree_span_compare(interval->high, next_string(interval->low)) == 0) {
        return tree_atom(interval->low);
    }
    if (interval->is_open ? !has_next : has_next && tree_span_compare(interval->high, next) == 0) {
        return tree_add(tree_add(tree_named("*"), tree_word("prefix")), tree_atom(interval->low));
    }
    struct tree *range = tree_add(tree_named("*"), tree_word("range"));
    tree_add(range, tree_word("alpha"));
    if (interval->low.size > 0) {
        tree_add(range, tree_add(tree_named("ge"), tree_atom(interval->low)));
    }
    if (!interval->is_open) {
        tree_add(range, tree_add(tree_named("l"), tree_atom(interval->high)));
    }
    return range;
}

static struct tree *meet_strings(const struct tree *a, const struct tree *b) {
    struct interval ia = interval_of(a), ib = interval_of(b), both = ia;
    if (tree_span_compare(ib.low, both.low) > 0) {
        both.low = ib.low;
    }
    if (!ib.is_open && (both.is_open || tree_span_compare(ib.high, both.high) < 0)) {
        both.high = ib.high;
        both.is_open = false;
    }
    return tag_of(&both);
}

/* ---- Ranges of the other orderings */

static int compare_values(const struct tree *ordering, const struct tree *a, const struct tree *b) {
    uint8_t pa[PADDED_SIZE + 1], pb[PADDED_SIZE + 1];
    if (!pad(ordering, a->bytes, pa) || !pad(ordering, b->bytes, pb)) {
        fprintf(stderr, "a limit that is no value: %s or %s\n", tree_show(a), tree_show(b));
        abort();
    }
    return memcmp(pa, pb, sizeof pa);
}

/* A limit in the one way in which its value is written. */
static struct tree *full_limit(const char *sign, const struct tree *ordering,
                               const struct tree *value) {
    uint8_t padded[PADDED_SIZE + 1] = {0};
    wrn_span bytes = value->bytes;
    if (!pad(ordering, bytes, padded)) {
        abort();
    }
    if (tree_is_word(ordering, "time") || tree_is_word(ordering, "date")) {
        bytes = (wrn_span){padded, strlen((const char *)padded)};
    } else {
        bool is_number = tree_is_word(ordering, "numeric");
        uint8_t zero = is_number ? '0' : 0;
        size_t sign_size = is_number && (bytes.data[0] == '-' || bytes.data[0] == '+');
        bytes = (wrn_span){bytes.data + sign_size, bytes.size - sign_size};
        while (bytes.size > is_number && bytes.data[0] == zero) {
            bytes = (wrn_span){bytes.data + 1, bytes.size - 1};
        }
        if (is_number && padded[0] == 0) {
            bytes = tree_atom_of_two((wrn_span){(const uint8_t *)"-", 1}, bytes)->bytes;
        }
    }
    return tree_add(tree_named(sign), tree_atom(bytes));
}

static struct tree *meet_ranges(const struct tree *a, const struct tree *b) {
    struct limits la = limits_of(a), lb = limits_of(b), both = la;
    if (!tree_equal(la.ordering, lb.ordering)) {
        return NULL;
    }
    int order = la.low && lb.low ? compare_values(la.ordering, la.low, lb.low) : 0;
    if (lb.low && (!la.low || order < 0 || (order == 0 && lb.is_low_strict))) {
        both.low = lb.low;
        both.is_low_strict = lb.is_low_strict;
    }
    order = la.high && lb.high ? compare_values(la.ordering, la.high, lb.high) : 0;
    if (lb.high && (!la.high || order > 0 || (order == 0 && lb.is_high_strict))) {
        both.high = lb.high;
        both.is_high_strict = lb.is_high_strict;
    }
    if (tree_is_word(la.ordering, "binary")) {
        if (both.low && is_zero(both.low, both.is_low_strict)) {
            both.low = NULL; /* it limits nothing */
        }
        if (both.high && both.is_high_strict && is_zero(both.high, false)) {
            return NULL;
        }
    }
    if (both.low && both.high) {
        order = compare_values(both.ordering, both.low, both.high);
        if (order > 0 || (order == 0 && (both.is_low_strict || both.is_high_strict))) {
            return NULL;
        }
    }
    struct tree *range = tree_add(tree_named("*"), tree_word("range"));
    tree_add(range, (struct tree *)both.ordering);
    if (both.low) {
        tree_add(range, full_limit(both.is_low_strict ? "g" : "ge", both.ordering, both.low));
    }
    if (both.high) {
        tree_add(range, full_limit(both.is_high_strict ? "l" : "le", both.ordering, both.high));
    }
    return range;
}

/* A range of this ordering, or a prefix or alpha range, somewhere in it. */
static bool has(const struct tree *tag, const char *ordering) {
    if ((kind_of(tag) == PREFIX || kind_of(tag) == RANGE) && is_all_atoms(tag)) {
        return false;
    }
    if (ordering ? kind_of(tag) == RANGE && tree_is_word(tag->at[2], ordering) : is_strings(tag)) {
        return true;
    }
    for (size_t i = 0; i < tag->count; i++) {
        if (has(tag->at[i], ordering)) {
            return true;
        }
    }
    return false;
}

bool tags_have_strings(const struct tree *tag) {
    return has(tag, NULL);
}

bool tags_may_lose(const struct tree *a, const struct tree *b) {
    /* The first stands for prefixes and alpha ranges together. */
    static const char *const orderings[] = {NULL, "numeric", "time", "binary", "date"};
    for (size_t i = 0; i < WRN_COUNT(orderings); i++) {
        for (size_t k = 0; k < WRN_COUNT(orderings); k++) {
            if (i != k && has(a, orderings[i]) && has(b, orderings[k])) {
                return true;
            }
        }
    }
    return false;
}

/* ---- Random ones */

#define TEXT(text)                                                                                 \
    { (const uint8_t *)(text), sizeof(text) - 1 }

/* Families of atoms; those that are no value of the ordering are there on purpose. */
static const struct theme {
    const char *ordering;
    wrn_span atoms[20];
    size_t count;
} themes[TAGS_THEMES] = {
    {"alpha",
     {TEXT(""), TEXT("a"), TEXT("b"), TEXT("aa"), TEXT("ab"), TEXT("aab"), TEXT("ba"), TEXT("c"),
      TEXT("set"), TEXT("/pub"), TEXT("/public"), TEXT("/pub/a"), TEXT("a\0")},
     13},
    {"numeric",
     {TEXT("-10"),
      TEXT("-1"),
      TEXT("0"),
      TEXT("-0"),
      TEXT("00"),
      TEXT("1"),
      TEXT("+1"),
      TEXT("2"),
      TEXT("10"),
      TEXT("007"),
      TEXT("-199"),
      TEXT("123456789012345678901234567890"),
      TEXT("123456789012345678901234567891"),
      TEXT("-123456789012345678901234567890"),
      TEXT("1.5"),
      TEXT("-1.3"),
      TEXT("a"),
      TEXT("+"),
      TEXT(""),
      TEXT("1 ")},
     20},
    {"binary",
     {TEXT(""), TEXT("\0"), TEXT("\1"), TEXT("\0\1"), TEXT("\0\0\1"), TEXT("\377"), TEXT("\1\0"),
      TEXT("\377\377"), TEXT("bar"), TEXT("c"), TEXT("b"), TEXT("\0bar")},
     12},
    {"time",
     {TEXT("00"), TEXT("12"), TEXT("12:00"), TEXT("12:00:00"), TEXT("12:30"), TEXT("20:15:59"),
      TEXT("23:59:59"), TEXT("24:00:00"), TEXT("12:60:00"), TEXT("12:00:60"), TEXT("12:0:00"),
      TEXT("12:00:000"), TEXT("1:00"), TEXT("")},
     14},
    {"date",
     {TEXT("2000"), TEXT("2000-01"), TEXT("2000-01-01_00:00:00"), TEXT("1999-12-31_23:59:59"),
      TEXT("2000-02-29_12"), TEXT("2001-02-29_00:00:00"), TEXT("2004-02-29_00:00"),
      TEXT("1900-02-29_11:12:00"), TEXT("1600-02-29_11:12:00"), TEXT("1600"), TEXT("2000-13"),
      TEXT("2000-05-07_17:03"), TEXT("12:00"), TEXT("20000")},
     14},
    {NULL, /* of everything some */
     {TEXT(""), TEXT("a"), TEXT("ab"), TEXT("1"), TEXT("01"), TEXT("12"), TEXT("12:00"),
      TEXT("2000"), TEXT("2000-01"), TEXT("-5"), TEXT("\0\1"), TEXT("b"), TEXT("*")},
     13},
};

static wrn_span draw_bytes(struct wrn_prng *prng, unsigned theme) {
    const struct theme *t = &themes[theme % TAGS_THEMES];
    /* Mostly of the first half, so that equal ones are often drawn. */
    size_t count = tree_draw(prng, 3) > 0 ? (t->count + 1) / 2 : t->count;
    return t->atoms[tree_draw(prng, (uint32_t)count)];
}

static struct tree *draw_atom(struct wrn_prng *prng, unsigned theme) {
    wrn_span bytes = draw_bytes(prng, theme);
    return tree_draw(prng, 12) == 0 ? tree_hinted("t", bytes) : tree_atom(bytes);
}

static struct tree *draw_limit(struct wrn_prng *prng, unsigned theme, struct tree *ordering) {
    uint8_t padded[PADDED_SIZE + 1];
    for (unsigned i = 0; i < 100; i++) {
        wrn_span bytes = draw_bytes(prng, theme);
        if (pad(ordering, bytes, padded)) {
            return tree_atom(bytes);
        }
    }
    return tree_word(tree_is_word(ordering, "date") ? "2001" : "13");
}

static struct tree *draw_range(struct wrn_prng *prng, unsigned theme) {
    static const char *const orderings[] = {"alpha", "numeric", "binary", "time", "date"};
    const char *name = themes[theme % TAGS_THEMES].ordering;
    if (!name || tree_draw(prng, 10) == 0) {
        name = orderings[tree_draw(prng, WRN_COUNT(orderings))];
    }
    struct tree *ordering = tree_word(name);
    struct tree *range = tree_add(tree_add(tree_named("*"), tree_word("range")), ordering);
    if (tree_draw(prng, 4) > 0) {
        struct tree *low = tree_named(tree_draw(prng, 2) ? "g" : "ge");
        tree_add(range, tree_add(low, draw_limit(prng, theme, ordering)));
    }
    if (tree_draw(prng, 4) > 0) {
        struct tree *high = tree_named(tree_draw(prng, 2) ? "l" : "le");
        tree_add(range, tree_add(high, draw_limit(prng, theme, ordering)));
    }
    if (range->count == 5 && tree_draw(prng, 4) == 0) { /* either order will do */
        struct tree *low = range->at[3];
        range->at[3] = range->at[4];
        range->at[4] = low;
    }
    return range;
}

static struct tree *draw_prefix(struct wrn_prng *prng, unsigned theme) {
    wrn_span bytes = draw_bytes(prng, theme);
    if (bytes.size > 0) {
        bytes.size = tree_draw(prng, (uint32_t)bytes.size + 1);
    }
    return tree_add(tree_add(tree_named("*"), tree_word("prefix")), tree_atom(bytes));
}

struct tree *tags_draw(struct wrn_prng *prng, unsigned theme, unsigned depth) {
    unsigned dice = tree_draw(prng, 100);
    if (dice < 30 || (depth == 0 && dice >= 60)) {
        return draw_atom(prng, theme);
    }
    if (dice < 38) {
        return tree_named("*");
    }
    if (dice < 46) {
        return draw_prefix(prng, theme);
    }
    if (dice < 60) {
        return draw_range(prng, theme);
    }
    bool is_set = dice < 75;
    struct tree *list = is_set ? tree_add(tree_named("*"), tree_word("set")) : tree_list();
    for (unsigned i = tree_draw(prng, 5); i > 0; i--) {
        tree_add(list, tags_draw(prng, theme, depth - 1));
    }
    if (!is_set && tree_is_named(list, "*")) {
        list->at[0] = tree_word("f");
    }
    return list;
}

/* One that permits more than 'tag', or about that. */
static struct tree *widen(struct wrn_prng *prng, unsigned theme, const struct tree *tag) {
    struct tree *set = tree_add(tree_named("*"), tree_word("set"));
    switch (tree_draw(prng, 5)) {
    case 0:
        return tree_named("*");
    case 1:
        tree_add(set, tags_draw(prng, theme, 1));
        return tree_add(tree_add(set, (struct tree *)tag), tags_draw(prng, theme, 1));
    case 2:
        if (kind_of(tag) == ATOM) {
            wrn_span begin = {tag->bytes.data, tree_draw(prng, (uint32_t)tag->bytes.size + 1)};
            return tree_add(tree_add(tree_named("*"), tree_word("prefix")), tree_atom(begin));
        }
        return draw_prefix(prng, theme);
    case 3:
        return draw_range(prng, theme);
    default:
        return draw_atom(prng, theme);
    }
}

struct tree *tags_vary(struct wrn_prng *prng, unsigned theme, const struct tree *tag) {
    enum kind kind = kind_of(tag);
    if (tree_draw(prng, 6) == 0) {
        return widen(prng, theme, tag);
    }
    if (kind == PREFIX && tree_draw(prng, 3) == 0) {
        uint8_t bytes[PADDED_SIZE];
        wrn_span more = draw_bytes(prng, theme), old = tag->at[2]->bytes;
        size_t size = old.size + more.size;
        if (size < PADDED_SIZE / 2) {
            memcpy(bytes, old.data, old.size);
            memcpy(bytes + old.size, more.data, more.size);
            return tree_add(tree_add(tree_named("*"), tree_word("prefix")),
                            tree_atom((wrn_span){bytes, size}));
        }
    }
    if (kind == EVERYTHING && tree_draw(prng, 2) == 0) {
        return tags_draw(prng, theme, 1);
    }
    if (kind != LIST && kind != SET) {
        return (struct tree *)tag;
    }
    struct tree *copy = tree_list();
    size_t first = kind == SET ? 2 : 0;
    for (size_t i = 0; i < tag->count; i++) {
        bool is_left_out = i >= first && tree_draw(prng, 10) == 0;
        if (!is_left_out) {
            tree_add(copy, i < first ? tag->at[i] : tags_vary(prng, theme, tag->at[i]));
        }
    }
    if (copy->count < 6 && tree_draw(prng, 4) == 0) {
        tree_add(copy, tags_draw(prng, theme, 1));
    }
    /* A list must not have become a (* …) of no kind. */
    return kind == LIST && tree_is_named(copy, "*") && copy->count > 1 ? (struct tree *)tag : copy;
}

static struct tree *draw_any_concrete(struct wrn_prng *prng, unsigned theme, unsigned depth) {
    if (depth == 0 || tree_draw(prng, 3) > 0) {
        return draw_atom(prng, theme);
    }
    struct tree *list = tree_list();
    for (unsigned i = tree_draw(prng, 4); i > 0; i--) {
        tree_add(list, draw_any_concrete(prng, theme, depth - 1));
    }
    return list;
}

struct tree *tags_draw_concrete(struct wrn_prng *prng, unsigned theme, const struct tree *tag) {
    struct tree *list;
    if (tree_draw(prng, 25) == 0) {
        return draw_any_concrete(prng, theme, 2);
    }
    switch (kind_of(tag)) {
    case ATOM:
        return (struct tree *)tag;
    case EVERYTHING:
        return draw_any_concrete(prng, theme, 2);
    case SET:
        return tag->count == 2
                   ? draw_any_concrete(prng, theme, 1)
                   : tags_draw_concrete(prng, theme,
                                        tag->at[2 + tree_draw(prng, (uint32_t)tag->count - 2)]);
    case PREFIX: {
        uint8_t bytes[PADDED_SIZE];
        wrn_span begin = tag->at[2]->bytes, more = draw_bytes(prng, theme);
        size_t size = begin.size < PADDED_SIZE / 2 ? begin.size : PADDED_SIZE / 2;
        memcpy(bytes, begin.data, size);
        more.size = more.size < PADDED_SIZE / 2 - 1 ? more.size : 0;
        memcpy(bytes + size, more.data, more.size);
        return tree_atom((wrn_span){bytes, size + (tree_draw(prng, 2) ? more.size : 0)});
    }
    case RANGE:
        for (unsigned i = 0; i < 8; i++) {
            struct tree *atom = tree_atom(draw_bytes(prng, theme));
            if (tags_permit(tag, atom)) {
                return atom;
            }
        }
        return tag->count > 3 && tree_draw(prng, 2) ? tag->at[3]->at[1] : draw_atom(prng, theme);
    case LIST:
        break;
    }
    list = tree_list();
    for (size_t i = 0; i < tag->count; i++) {
        tree_add(list, tags_draw_concrete(prng, theme, tag->at[i]));
    }
    for (unsigned i = tree_draw(prng, 4); i > 2 || (i > 0 && list->count == 0); i--) {
        tree_add(list, draw_any_concrete(prng, theme, 1));
    }
    return list;
}

struct tree *tags_concrete(unsigned theme, size_t k) {
    const struct theme *t = &themes[theme % TAGS_THEMES];
    size_t atoms = t->count, simple = atoms + 1 + atoms; /* atoms, (), (x) */
    if (k < atoms) {
        return tree_atom(t->atoms[k]);
    }
    if (k == atoms) {
        return tree_list();
    }
    if (k < simple) {
        return tree_add(tree_list(), tree_atom(t->atoms[k - atoms - 1]));
    }
    k -= simple;
    if (k < simple * simple) { /* (x y), each of them simple */
        struct tree *pair = tree_add(tree_list(), tags_concrete(theme, k / simple));
        return tree_add(pair, tags_concrete(theme, k % simple));
    }
    k -= simple * simple;
    if (k >= 8 * 8 * 8) {
        return NULL;
    }
    struct tree *triple = tree_list(); /* (x y z) of the first atoms */
    for (unsigned i = 0; i < 3; i++, k /= 8) {
        tree_add(triple, tree_atom(t->atoms[k % 8]));
    }
    return triple;
}
