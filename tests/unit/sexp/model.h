/* SPDX-License-Identifier: Apache-2.0 */
/* The grammar of RFC 9804 as plain recursive functions that share no code with src/sexp: slow, and
 * easily compared with section 7 of the text. */
#pragma once
#include "sexp/sexp.h"

/* Reads one expression, which must be all of the text but white space around it, in a form other
 * than ANY. Canonical form has no white space around it either if 'is_strict'.
 * Returns whether there is one within the limits; its canonical form is then in 'out', which has
 * room for WRN_SEXP_SIZE_MAX bytes. */
bool model_read(enum wrn_sexp_form form, bool is_strict, wrn_span text, uint8_t *out,
                size_t *ret_size);
