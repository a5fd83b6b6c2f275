/* SPDX-License-Identifier: Apache-2.0 */
/* S-expressions as trees, for the naive models of the SPKI tests: simple, wasteful, and independent
 * of src/sexp. Everything lives until the next tree_reset. */
#pragma once
#include "base/base.h"
#include "base/rand.h"

struct tree {
    bool is_list;
    wrn_span bytes; /* an atom's */
    wrn_span hint;  /* 'data' is NULL if there is none */
    struct tree **at;
    size_t count; /* of a list's elements */
};

/* Forgets every tree. */
void tree_reset(void);

/* Forgets the trees that were made since 'mark', which tree_mark returned then. */
size_t tree_mark(void);
void tree_forget(size_t mark);

/* Tells whether there is much room left. */
bool tree_has_room(void);

/* Zeroed memory until the next reset. Aborts when the test's arena is full. */
void *tree_alloc(size_t size);

/* Makes an atom of a copy of these bytes, or of a text. */
struct tree *tree_atom(wrn_span bytes);
struct tree *tree_word(const char *text);

/* Makes an atom of two parts. */
struct tree *tree_atom_of_two(wrn_span first, wrn_span second);

/* Makes an atom with a display hint. */
struct tree *tree_hinted(const char *hint, wrn_span bytes);

/* Makes an empty list; then appends to it. Elements are shared, not copied. */
struct tree *tree_list(void);
struct tree *tree_named(const char *name);
struct tree *tree_add(struct tree *list, struct tree *element);

/* Reads canonical bytes, all of them; NULL if they are not one expression. */
struct tree *tree_read(wrn_span canonical);

/* The canonical bytes of a tree. */
wrn_span tree_canonical(const struct tree *tree);

/* A text for people, in the advanced form on one line. */
const char *tree_show(const struct tree *tree);

/* Order of the canonical bytes: as memcmp, a beginning of the other first. */
int tree_compare(const struct tree *a, const struct tree *b);
bool tree_equal(const struct tree *a, const struct tree *b);
int tree_span_compare(wrn_span a, wrn_span b);

bool tree_is_word(const struct tree *tree, const char *word);

/* A list whose first element is the word. */
bool tree_is_named(const struct tree *tree, const char *name);

/* The first element of 'list' that is a list with this name, or NULL. */
const struct tree *tree_find(const struct tree *list, const char *name);

/* Sorts by canonical bytes and leaves one of equal ones. Returns how many are left. */
size_t tree_sort(struct tree **trees, size_t count);

/* Counts nodes. The n-th (from 0, the root is the 0th) is made smaller in a way chosen by
 * 'variant': the whole copy, or NULL if there is no such variant. */
size_t tree_nodes(const struct tree *tree);
struct tree *tree_shrink(const struct tree *tree, size_t node, size_t variant);

/* Draws below 'bound'. */
uint32_t tree_draw(struct wrn_prng *prng, uint32_t bound);
