/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates of a network in tests: keys are letters, expressions are text with an apostrophe for
 * a double quote. */
#pragma once
#include "network/pack.h"

/* The seed and the public key of a letter. */
void chain_seed(char letter, uint8_t ret_seed[WRN_SEED_SIZE]);
void chain_public(char letter, uint8_t ret_public[WRN_SIGN_PUBLIC_SIZE]);

/* The network of this owner: its id is the hash of his key. */
struct wrn_pack_frame chain_frame(char owner);

/* Begins a sequence of certificates of the network of 'owner'. */
void chain_begin(char owner);

/* Adds a certificate with the tag (warren ID ELEMENT), and its signature; dates may be NULL. */
void chain_add(char issuer, char subject, const char *element, bool may_pass_on,
               const char *not_before, const char *not_after);

/* Adds one without a signature; a key; one whose parts behind the issuer are a text, in which @A is
 * the key of A, #A its hash and $ the network's id. */
void chain_add_unsigned(char issuer, char subject, const char *element);
void chain_add_key(char letter);
void chain_add_text(char issuer, const char *parts);

/* Ends the sequence. It stays until several others have ended. */
struct wrn_sexp chain_end(void);

/* Ends the sequence and packs it; the bytes stay as it does. */
wrn_span chain_pack(void);

/* Reads an expression in the advanced form, with an apostrophe for a double quote; it stays until
 * many more were read. */
struct wrn_sexp chain_read(const char *text);

/* Seconds since 1970 of a date as certificates have it. */
int64_t chain_date(const char *date);

/* The hash of the certificate 'number', from 0, that was added since the last begin. */
void chain_hash(size_t number, uint8_t ret_hash[WRN_SHA256_SIZE]);
