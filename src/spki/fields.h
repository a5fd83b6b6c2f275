/* SPDX-License-Identifier: Apache-2.0 */
/* Fields that several of the objects have. Internal to this folder. Each function returns 0, or
 * WRN_ERR_MALFORMED and why, and moves the cursor behind what it read. */
#pragma once
#include "spki/cert.h"

/* Sets 'ret_error' unless it is NULL and returns WRN_ERR_MALFORMED. */
int wrn_spki_fail(struct wrn_spki_error *ret_error, enum wrn_spki_fault fault, struct wrn_sexp at);

/* Takes an optional (version 0). */
WRN_NODISCARD int wrn_spki_take_version(struct wrn_sexp_cursor *object,
                                        struct wrn_spki_error *ret_error);

/* Takes a field that must be there, (NAME ONE-PART), and sets 'ret_part'. Where it stands in
 * the wrong place the fault is that of what stands there instead. 'whole' is the object;
 * 'fault' that of a field with no part or several. */
WRN_NODISCARD int wrn_spki_take_field(struct wrn_sexp_cursor *object, const char *name,
                                      struct wrn_sexp whole, enum wrn_spki_fault fault,
                                      struct wrn_sexp *ret_part, struct wrn_spki_error *ret_error);

/* Takes an optional (valid (not-before D)? (not-after D)? (online ...)?). In STUDY the two
 * dates may also stand in the object itself. */
WRN_NODISCARD int wrn_spki_take_validity(struct wrn_sexp_cursor *object, enum wrn_spki_mode mode,
                                         struct wrn_sexp whole,
                                         struct wrn_spki_validity *ret_validity,
                                         struct wrn_sexp *ret_online,
                                         struct wrn_spki_error *ret_error);

/* Sees to it that nothing is left. */
WRN_NODISCARD int wrn_spki_take_end(struct wrn_sexp_cursor *object,
                                    struct wrn_spki_error *ret_error);

/* Reads a principal; what is none at all has 'fault'. */
WRN_NODISCARD int wrn_spki_read_party(struct wrn_sexp sexp, enum wrn_spki_mode mode,
                                      enum wrn_spki_fault fault, struct wrn_spki_principal *ret,
                                      struct wrn_spki_error *ret_error);

/* Reads (hash sha256 BYTES32) and returns its bytes, or NULL. */
const uint8_t *wrn_spki_hash_bytes(struct wrn_sexp hash);
