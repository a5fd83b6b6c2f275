/* SPDX-License-Identifier: Apache-2.0 */
/* What locators and records have in common: (signed (NAME (version 1) FIELD...) (signature |64|)),
 * and fields with one part. Internal to this folder. Reading is strict: what was taken apart here
 * field by field has one encoding only. */
#pragma once
#include "overlay/primitives.h"
#include "sexp/sexp.h"

enum {
    WRN_SIGNED_MAX = 1200, /* bytes of an object that is bound to something */
    WRN_SIGNED_BOUND_MAX = 16,
};

/* A signed object that was read; all borrows the bytes. */
struct wrn_signed {
    wrn_span body;                 /* (NAME ...), what is signed */
    struct wrn_sexp_cursor fields; /* behind the version */
    const uint8_t *signature;      /* WRN_SIGNATURE_SIZE bytes, not verified */
};

/* Takes an object apart. False if it is not of this form, name and version. O(bytes). */
WRN_NODISCARD bool wrn_signed_read(wrn_span bytes, const char *name, struct wrn_signed *ret_object);

/* Begins an object; fields follow. */
void wrn_signed_begin(struct wrn_sexp_writer *writer, const char *name);

/* Ends it and signs it with a label. Returns the size; 0 if it does not fit, or for want of memory
 * in signing. 'bound' (at most WRN_SIGNED_BOUND_MAX bytes) is signed behind the body, and not
 * written: who verifies has to know it. */
size_t wrn_signed_end(struct wrn_sexp_writer *writer, const struct wrn_primitives *primitives,
                      const uint8_t seed[WRN_SEED_SIZE], const char *label, wrn_span bound);

/* Verifies the signature of an object that was read; 'bound' as above. */
WRN_NODISCARD bool wrn_signed_verify(const struct wrn_signed *object,
                                     const struct wrn_primitives *primitives,
                                     const uint8_t public_key[WRN_SIGN_PUBLIC_SIZE],
                                     const char *label, wrn_span bound);

/* Reads a decimal number without leading zeros. */
WRN_NODISCARD bool wrn_signed_number(wrn_span digits, uint64_t max, uint64_t *ret_number);

/* Take a field with one part: a number of 0..max, or min..max bytes. False if the next field is
 * not that; the cursor is then of no use any more. */
WRN_NODISCARD bool wrn_signed_take_number(struct wrn_sexp_cursor *fields, const char *name,
                                          uint64_t max, uint64_t *ret_number);
WRN_NODISCARD bool wrn_signed_take_bytes(struct wrn_sexp_cursor *fields, const char *name,
                                         size_t min, size_t max, wrn_span *ret_bytes);

/* Write a number as an atom; a field with one part. */
void wrn_signed_put_decimal(struct wrn_sexp_writer *writer, bool is_negative, uint64_t number);
void wrn_signed_put_number(struct wrn_sexp_writer *writer, const char *name, uint64_t number);
void wrn_signed_put_bytes(struct wrn_sexp_writer *writer, const char *name, wrn_span bytes);
