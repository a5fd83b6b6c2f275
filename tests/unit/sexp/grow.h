/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions and texts made at random, for the property tests of src/sexp. */
#pragma once
#include "base/rand.h"
#include "sexp/sexp.h"

enum { GROW_EXPRESSION_MAX = 4096, GROW_TEXT_MAX = 32 * GROW_EXPRESSION_MAX };

/* Makes the canonical form of an expression of at most GROW_EXPRESSION_MAX bytes, deep, broad or
 * both, with hints and strings of all kinds. Returns its size. */
size_t grow_expression(struct wrn_rand rand, uint8_t out[GROW_EXPRESSION_MAX]);

/* Writes a canonical expression as some text in a form other than ANY, with white space, notations
 * and padding as they fall. Returns the size. */
size_t grow_text(struct wrn_rand rand, enum wrn_sexp_form form, wrn_span canonical,
                 uint8_t out[GROW_TEXT_MAX]);

/* Changes a few bytes of a text: other bytes, bytes gone, bytes twice, parts moved. Returns the new
 * size, at most 'capacity'. */
size_t grow_mutation(struct wrn_rand rand, uint8_t *text, size_t size, size_t capacity);
