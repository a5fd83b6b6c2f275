/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions as text in the tests of certificates: read from the advanced form and written
 * back. */
#pragma once
#include "sexp/sexp.h"

/* Reads exactly one expression in any form; the test fails if it is none. It stays until
 * text_forget. An apostrophe stands for a double quote, here and in what text_of writes. */
struct wrn_sexp text_read(const char *text);

/* Memory of 'size' bytes, likewise. */
uint8_t *text_room(size_t size);

/* Writes an expression in the advanced form on one line. One of the last eight results stays. */
const char *text_of(struct wrn_sexp sexp);

/* Forgets all expressions: between tests. */
void text_forget(void);
