/* SPDX-License-Identifier: Apache-2.0 */
/* A heap of certificates in the tests of the prover, written as text. */
#pragma once
#include "spki/prove.h"
#include "unit/spki/text.h"

/* In all texts here @A to @Z is the public key of somebody and #A to #Z its hash by SHA-256; %A,
 * which only study heaps read, that by MD5. */

/* Begins an empty heap; the one before is gone. A study heap assumes signatures; its keys are
 * opaque. */
struct wrn_spki *heap_begin(bool is_study);

/* The same with these limits. */
struct wrn_spki *heap_begin_with(const struct wrn_spki_limits *limits);

/* The heap. */
struct wrn_spki *heap_current(void);

/* Reads an expression. */
struct wrn_sexp heap_read(const char *text);

/* Adds an object as it is; it must be accepted. */
void heap_add(const char *text);

/* Adds (sequence OBJECT (signature ...)) signed by 'signer', a letter. Returns the object. */
struct wrn_sexp heap_sign(char signer, const char *text);

/* Adds an object that was read; it must be accepted. */
void heap_put(struct wrn_sexp object);

/* Makes the signature of an object alone; the second with the hash of the key in it. */
struct wrn_sexp heap_signature(char signer, struct wrn_sexp object);
struct wrn_sexp heap_hash_signature(char signer, struct wrn_sexp object);

/* Adds an object in a sequence with the signature of another. */
void heap_forge(struct wrn_sexp object, struct wrn_sexp signature);

/* The same, with a signature that has the hash of this object. */
void heap_forge_hash(struct wrn_sexp object, struct wrn_sexp signature);

/* Asks for 'request' for all 'subjects', letters, at a date. */
const struct wrn_spki_answer *heap_ask(const char *subjects, const char *request, const char *date);

/* What it says: the verdict's sentence with the letters of keys. */
const char *heap_explain(const struct wrn_spki_answer *answer);

/* Reduces for 'subjects' (empty: all), 'request' and 'now' (empty: any) and returns the ACL as text
 * with the keys written as @A, or the error in words. */
const char *heap_reduce(const char *subjects, const char *request, const char *now);

/* Puts letters for keys into a text that text_of wrote. */
const char *heap_letters(const char *text);
