/* SPDX-License-Identifier: Apache-2.0 */
/* Signed objects from text, right and wrong ones, for the tests of their readers. */
#pragma once
#include "overlay/primitives.h"

enum {
    SIGN_CAPACITY = 4096,
    SIGN_VECTORS_SEED = 34, /* of check_pattern: who signed the vectors */
};

/* Reads 'text', an expression in advanced form in which @K stands for the seed's public key and @B
 * for 32 bytes, signs its canonical form and writes (signed EXPRESSION (signature |64|)) to 'out'.
 * Returns the size. */
size_t sign_text(const struct wrn_primitives *primitives, const uint8_t seed[WRN_SEED_SIZE],
                 const char *label, const char *text, uint8_t out[SIGN_CAPACITY]);
