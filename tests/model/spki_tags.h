/* SPDX-License-Identifier: Apache-2.0 */
/* A naive model of tags, twice: what a tag permits, by asking it of concrete expressions one by
 * one, and the intersection of two tags as a walk over both trees. Independent of src/spki.
 * Source: RFC 2693, section 6.3.1. */
#pragma once
#include "model/spki_tree.h"

/* Tells whether a tag permits a concrete expression: atoms and lists, without any (* …). */
bool tags_permit(const struct tree *tag, const struct tree *concrete);

/* Tells whether it is concrete: no list in it begins with the atom "*". */
bool tags_is_concrete(const struct tree *tree);

/* What both permit, in normal form; NULL: nothing. */
struct tree *tags_meet(const struct tree *a, const struct tree *b);

/* The normal form; NULL: it permits nothing. */
struct tree *tags_normal(const struct tree *tag);

/* The intersection is all of the request. */
bool tags_cover(const struct tree *tag, const struct tree *request);

/* Tells whether two tags have parts whose intersection cannot be written as one tag, so that what
 * both permit may be more than what their intersection permits: ranges of two orderings, where
 * prefixes count as alpha. */
bool tags_may_lose(const struct tree *a, const struct tree *b);

/* Tells whether a tag has a prefix or an alpha range. Strings are dense but for "a" and "a\0",
 * between which there is none; the model knows that (l "a\0") is (le "a"), src/spki need not. */
bool tags_have_strings(const struct tree *tag);

/* ---- Random ones */

enum { TAGS_THEMES = 6 };

/* A tag; its atoms and ranges are from one family, so that they meet often. */
struct tree *tags_draw(struct wrn_prng *prng, unsigned theme, unsigned depth);

/* One that has much in common with 'tag'. */
struct tree *tags_vary(struct wrn_prng *prng, unsigned theme, const struct tree *tag);

/* A concrete expression that 'tag' permits, if one is easily found, or nearly so. */
struct tree *tags_draw_concrete(struct wrn_prng *prng, unsigned theme, const struct tree *tag);

/* The k-th concrete expression of a family's little universe; NULL from some k on. */
struct tree *tags_concrete(unsigned theme, size_t k);
