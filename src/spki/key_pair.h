/* SPDX-License-Identifier: Apache-2.0 */
/* The private key of an identity as a readable S-expression,
 *
 *     (warren-identity (version "1") (private-key (ed25519 SEED)) (public-key (ed25519 KEY)))
 *
 * SEED being the 32 bytes of RFC 8032 and KEY the public key that follows from them, so that damage
 * is noticed. Opens no file. */
#pragma once
#include "crypto/identity.h"
#include "sexp/sexp.h"

enum { WRN_KEY_PAIR_SIZE = 512 }; /* bytes of the canonical form, with room */

/* The caller wipes it. */
struct wrn_key_pair {
    uint8_t seed[WRN_SEED_SIZE];
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
};

/* Writes it into 'bytes', which is the caller's to wipe, and returns its expression. */
struct wrn_sexp wrn_key_pair_write(const struct wrn_key_pair *pair,
                                   uint8_t bytes[WRN_KEY_PAIR_SIZE]);

/* Reads it from its expression. Returns NULL, or a clause that says what is wrong with it (static
 * text). */
const char *wrn_key_pair_read(struct wrn_sexp sexp, struct wrn_key_pair *ret_pair);
