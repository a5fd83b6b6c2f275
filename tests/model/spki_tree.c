/* SPDX-License-Identifier: Apache-2.0 */
/* S-expressions as trees. Recursive, without limits but the arena's: only for what tests make. */
#include "model/spki_tree.h"

#include <stdio.h>
#include <stdlib.h>

enum { ARENA_SIZE = 64 << 20 };

static _Alignas(16) uint8_t arena[ARENA_SIZE];
static size_t arena_used;

static struct tree *read_one(wrn_span *rest);
static bool read_bytes(wrn_span *rest, wrn_span *ret_bytes);
static size_t measure(const struct tree *tree);
static uint8_t *write_one(const struct tree *tree, uint8_t *out);
static uint8_t *write_bytes(wrn_span bytes, uint8_t *out);
static size_t show_one(const struct tree *tree, char *out, size_t room);
static size_t show_bytes(wrn_span bytes, char *out, size_t room);
static struct tree *shrink_here(const struct tree *tree, size_t variant);
static int compare_pointers(const void *a, const void *b);

void tree_reset(void) {
    arena_used = 0;
}

size_t tree_mark(void) {
    return arena_used;
}

void tree_forget(size_t mark) {
    arena_used = mark;
}

bool tree_has_room(void) {
    return arena_used < ARENA_SIZE / 2;
}

void *tree_alloc(size_t size) {
    size = (size + 15) & ~(size_t)15;
    if (size > ARENA_SIZE - arena_used) {
        fprintf(stderr, "the model's arena is full\n");
        abort();
    }
    void *memory = arena + arena_used;
    arena_used += size;
    return memset(memory, 0, size);
}

struct tree *tree_atom(wrn_span bytes) {
    struct tree *tree = tree_alloc(sizeof *tree);
    uint8_t *copy = tree_alloc(bytes.size + 1);
    if (bytes.size > 0) {
        memcpy(copy, bytes.data, bytes.size);
    }
    tree->bytes = (wrn_span){copy, bytes.size};
    return tree;
}

struct tree *tree_atom_of_two(wrn_span first, wrn_span second) {
    uint8_t *both = tree_alloc(first.size + second.size + 1);
    if (first.size > 0) {
        memcpy(both, first.data, first.size);
    }
    if (second.size > 0) {
        memcpy(both + first.size, second.data, second.size);
    }
    return tree_atom((wrn_span){both, first.size + second.size});
}

struct tree *tree_word(const char *text) {
    return tree_atom((wrn_span){(const uint8_t *)text, strlen(text)});
}

struct tree *tree_hinted(const char *hint, wrn_span bytes) {
    struct tree *tree = tree_atom(bytes);
    tree->hint = tree_word(hint)->bytes;
    return tree;
}

struct tree *tree_list(void) {
    struct tree *tree = tree_alloc(sizeof *tree);
    tree->is_list = true;
    return tree;
}

struct tree *tree_named(const char *name) {
    return tree_add(tree_list(), tree_word(name));
}

struct tree *tree_add(struct tree *list, struct tree *element) {
    bool is_full = (list->count & (list->count - 1)) == 0; /* room for 1, 2, 4, … */
    if (is_full) {
        size_t room = list->count > 0 ? 2 * list->count : 1;
        struct tree **more = tree_alloc(room * sizeof *more);
        if (list->count > 0) {
            memcpy(more, list->at, list->count * sizeof *more);
        }
        list->at = more;
    }
    list->at[list->count++] = element;
    return list;
}

struct tree *tree_read(wrn_span canonical) {
    struct tree *tree = read_one(&canonical);
    return tree && canonical.size == 0 ? tree : NULL;
}

static struct tree *read_one(wrn_span *rest) {
    if (rest->size > 0 && rest->data[0] == '(') {
        struct tree *list = tree_list();
        *rest = (wrn_span){rest->data + 1, rest->size - 1};
        while (rest->size > 0 && rest->data[0] != ')') {
            struct tree *element = read_one(rest);
            if (!element) {
                return NULL;
            }
            tree_add(list, element);
        }
        if (rest->size == 0) {
            return NULL;
        }
        *rest = (wrn_span){rest->data + 1, rest->size - 1};
        return list;
    }
    wrn_span hint = {0}, bytes;
    if (rest->size > 0 && rest->data[0] == '[') {
        *rest = (wrn_span){rest->data + 1, rest->size - 1};
        if (!read_bytes(rest, &hint) || rest->size == 0 || rest->data[0] != ']') {
            return NULL;
        }
        *rest = (wrn_span){rest->data + 1, rest->size - 1};
    }
    if (!read_bytes(rest, &bytes)) {
        return NULL;
    }
    struct tree *atom = tree_atom(bytes);
    atom->hint = hint.data ? tree_atom(hint)->bytes : hint;
    return atom;
}

static bool read_bytes(wrn_span *rest, wrn_span *ret_bytes) {
    size_t size = 0, at = 0;
    while (at < rest->size && rest->data[at] >= '0' && rest->data[at] <= '9' && at < 8) {
        size = 10 * size + (size_t)(rest->data[at++] - '0');
    }
    if (at == 0 || (at > 1 && rest->data[0] == '0') || at == rest->size || rest->data[at] != ':' ||
        size > rest->size - at - 1) {
        return false;
    }
    *ret_bytes = (wrn_span){rest->data + at + 1, size};
    *rest = (wrn_span){rest->data + at + 1 + size, rest->size - at - 1 - size};
    return true;
}

wrn_span tree_canonical(const struct tree *tree) {
    size_t size = measure(tree);
    uint8_t *out = tree_alloc(size + 1);
    write_one(tree, out);
    return (wrn_span){out, size};
}

static size_t measure(const struct tree *tree) {
    uint8_t length[16];
    size_t size = 0;
    if (!tree->is_list) {
        size = (size_t)(write_bytes((wrn_span){NULL, tree->bytes.size}, length) - length);
        if (tree->hint.data) {
            size += 2 + tree->hint.size +
                    (size_t)(write_bytes((wrn_span){NULL, tree->hint.size}, length) - length);
        }
        return size + tree->bytes.size;
    }
    for (size_t i = 0; i < tree->count; i++) {
        size += measure(tree->at[i]);
    }
    return size + 2;
}

static uint8_t *write_one(const struct tree *tree, uint8_t *out) {
    if (tree->is_list) {
        *out++ = '(';
        for (size_t i = 0; i < tree->count; i++) {
            out = write_one(tree->at[i], out);
        }
        *out++ = ')';
        return out;
    }
    if (tree->hint.data) {
        *out++ = '[';
        out = write_bytes(tree->hint, out);
        *out++ = ']';
    }
    return write_bytes(tree->bytes, out);
}

/* Length, colon and content; without content if there is only a size. */
static uint8_t *write_bytes(wrn_span bytes, uint8_t *out) {
    size_t unit = 1;
    while (bytes.size / unit > 9) {
        unit *= 10;
    }
    for (; unit > 0; unit /= 10) {
        *out++ = (uint8_t)('0' + bytes.size / unit % 10);
    }
    *out++ = ':';
    if (bytes.data && bytes.size > 0) {
        memcpy(out, bytes.data, bytes.size);
        out += bytes.size;
    }
    return out;
}

const char *tree_show(const struct tree *tree) {
    size_t room = 8 * measure(tree) + 16;
    char *out = tree_alloc(room);
    show_one(tree, out, room);
    return out;
}

static size_t show_one(const struct tree *tree, char *out, size_t room) {
    size_t at = 0;
    if (!tree->is_list) {
        if (tree->hint.data) {
            out[at++] = '[';
            at += show_bytes(tree->hint, out + at, room - at);
            out[at++] = ']';
        }
        return at + show_bytes(tree->bytes, out + at, room - at);
    }
    out[at++] = '(';
    for (size_t i = 0; i < tree->count; i++) {
        if (i > 0) {
            out[at++] = ' ';
        }
        at += show_one(tree->at[i], out + at, room - at);
    }
    out[at++] = ')';
    return at;
}

static size_t show_bytes(wrn_span bytes, char *out, size_t room) {
    bool is_plain = bytes.size > 0, is_text = true;
    for (size_t i = 0; i < bytes.size; i++) {
        uint8_t c = bytes.data[i];
        bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool is_digit = c >= '0' && c <= '9';
        bool is_mark = c == '-' || c == '.' || c == '/' || c == '_' || c == ':' || c == '*' ||
                       c == '+' || c == '=';
        is_plain = is_plain && (is_letter || is_mark || (is_digit && i > 0));
        is_text = is_text && c >= ' ' && c < 127 && c != '"' && c != '\\';
    }
    if (is_plain || is_text) {
        const char *quote = is_plain ? "" : "\"";
        return (size_t)snprintf(out, room, "%s%.*s%s", quote, (int)bytes.size,
                                bytes.size > 0 ? (const char *)bytes.data : "", quote);
    }
    size_t at = 0;
    out[at++] = '#';
    for (size_t i = 0; i < bytes.size; i++) {
        at += (size_t)snprintf(out + at, room - at, "%02x", bytes.data[i]);
    }
    out[at++] = '#';
    return at;
}

int tree_span_compare(wrn_span a, wrn_span b) {
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common > 0 ? memcmp(a.data, b.data, common) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

int tree_compare(const struct tree *a, const struct tree *b) {
    return tree_span_compare(tree_canonical(a), tree_canonical(b));
}

bool tree_equal(const struct tree *a, const struct tree *b) {
    if (a->is_list != b->is_list || a->count != b->count ||
        (a->hint.data != NULL) != (b->hint.data != NULL) ||
        tree_span_compare(a->bytes, b->bytes) != 0 || tree_span_compare(a->hint, b->hint) != 0) {
        return false;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (!tree_equal(a->at[i], b->at[i])) {
            return false;
        }
    }
    return true;
}

bool tree_is_word(const struct tree *tree, const char *word) {
    return !tree->is_list && !tree->hint.data &&
           tree_span_compare(tree->bytes, (wrn_span){(const uint8_t *)word, strlen(word)}) == 0;
}

bool tree_is_named(const struct tree *tree, const char *name) {
    return tree->is_list && tree->count > 0 && tree_is_word(tree->at[0], name);
}

const struct tree *tree_find(const struct tree *list, const char *name) {
    for (size_t i = 0; list->is_list && i < list->count; i++) {
        if (tree_is_named(list->at[i], name)) {
            return list->at[i];
        }
    }
    return NULL;
}

size_t tree_sort(struct tree **trees, size_t count) {
    if (count == 0) {
        return 0;
    }
    qsort(trees, count, sizeof *trees, compare_pointers);
    size_t left = 1;
    for (size_t i = 1; i < count; i++) {
        if (!tree_equal(trees[left - 1], trees[i])) {
            trees[left++] = trees[i];
        }
    }
    return left;
}

static int compare_pointers(const void *a, const void *b) {
    return tree_compare(*(struct tree *const *)a, *(struct tree *const *)b);
}

size_t tree_nodes(const struct tree *tree) {
    size_t nodes = 1;
    for (size_t i = 0; i < tree->count; i++) {
        nodes += tree_nodes(tree->at[i]);
    }
    return nodes;
}

struct tree *tree_shrink(const struct tree *tree, size_t node, size_t variant) {
    if (node == 0) {
        return shrink_here(tree, variant);
    }
    struct tree *copy = tree_list();
    node--;
    bool is_done = false;
    for (size_t i = 0; i < tree->count; i++) {
        size_t nodes = tree_nodes(tree->at[i]);
        struct tree *element = tree->at[i];
        if (!is_done && node < nodes) {
            element = tree_shrink(element, node, variant);
            if (!element) {
                return NULL;
            }
            is_done = true;
        } else if (!is_done) {
            node -= nodes;
        }
        tree_add(copy, element);
    }
    return is_done ? copy : NULL;
}

/* Variants of a list: each of its elements instead of it, then it without one of them. Of an atom:
 * a shorter one, and one without its hint. */
static struct tree *shrink_here(const struct tree *tree, size_t variant) {
    if (!tree->is_list) {
        if (variant == 0 && tree->bytes.size > 0) {
            struct tree *shorter = tree_atom((wrn_span){tree->bytes.data, tree->bytes.size - 1});
            shorter->hint = tree->hint;
            return shorter;
        }
        return variant == 1 && tree->hint.data ? tree_atom(tree->bytes) : NULL;
    }
    if (variant < tree->count) {
        return tree->at[variant];
    }
    variant -= tree->count;
    if (variant >= tree->count) {
        return NULL;
    }
    struct tree *copy = tree_list();
    for (size_t i = 0; i < tree->count; i++) {
        if (i != variant) {
            tree_add(copy, tree->at[i]);
        }
    }
    return copy;
}

uint32_t tree_draw(struct wrn_prng *prng, uint32_t bound) {
    return wrn_rand_below(wrn_prng_rand(prng), bound);
}
