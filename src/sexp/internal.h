/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share: classes of characters, walking over canonical bytes, base64.
 * For nobody else. */
#pragma once
#include "sexp/sexp.h"

/* ---- Characters (RFC 9804, sections 3 and 7.1) */

/* A decimal digit. */
static inline bool wrn_sexp_is_digit(uint8_t c) {
    return c >= '0' && c <= '9';
}

/* A letter of ASCII. */
static inline bool wrn_sexp_is_alpha(uint8_t c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Space, or one of tab, line feed, vertical tab, form feed and carriage return: 9 to 13. */
static inline bool wrn_sexp_is_white(uint8_t c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* May begin a token. */
static inline bool wrn_sexp_is_token_start(uint8_t c) {
    switch (c) {
    case '-':
    case '.':
    case '/':
    case '_':
    case ':':
    case '*':
    case '+':
    case '=':
        return true;
    default:
        return wrn_sexp_is_alpha(c);
    }
}

/* May follow in a token. */
static inline bool wrn_sexp_is_token_part(uint8_t c) {
    return wrn_sexp_is_token_start(c) || wrn_sexp_is_digit(c);
}

/* May stand for itself in a quoted string: printable ASCII but '"' and '\'. */
static inline bool wrn_sexp_is_plain(uint8_t c) {
    return c >= ' ' && c <= '~' && c != '"' && c != '\\';
}

/* Belongs to a list or a hint: what is wrong with a hint if it is there instead of a string. */
static inline bool wrn_sexp_is_bracket(uint8_t c) {
    return c == '(' || c == ')' || c == '[' || c == ']';
}

/* ---- Bytes that nobody has checked yet */

/* Where the reading of a text stands. When a function below returns a fault, 'at' is its offset. */
struct wrn_sexp_scan {
    wrn_span text;
    size_t at;
    uint32_t depth; /* lists open */
    uint32_t count; /* atoms and lists begun */
};

/* Begins the next atom or list, which is at 'at': counts it against the limits, and if it is a
 * list, enters it ('at' stays). */
enum wrn_sexp_fault wrn_sexp_scan_begin(struct wrn_sexp_scan *scan);

/* Reads the length at 'at', which is a digit; one more byte follows it. Such a length is at most
 * WRN_SEXP_SIZE_MAX. */
enum wrn_sexp_fault wrn_sexp_scan_length(struct wrn_sexp_scan *scan, size_t *ret_length);

/* Steps over the colon at 'at' and the 'length' bytes behind it. */
enum wrn_sexp_fault wrn_sexp_scan_verbatim(struct wrn_sexp_scan *scan, size_t length);

/* Steps over the canonical expression at 'at'. */
enum wrn_sexp_fault wrn_sexp_scan_canonical(struct wrn_sexp_scan *scan);

/* What is wrong with a byte at 'at' behind the one expression. */
enum wrn_sexp_fault wrn_sexp_trailing_fault(const struct wrn_sexp_scan *scan);

/* ---- Bytes of a checked expression. A broken one meets an assertion, not memory of others. */

/* Takes apart the atom at 'p'. Returns what is behind it. 'ret_hint->data' is NULL without one. */
const uint8_t *wrn_sexp_split_atom(const uint8_t *p, const uint8_t *end, wrn_span *ret_hint,
                                   wrn_span *ret_bytes);

/* Returns what is behind the atom or list at 'p'. Cost: O(its size). */
const uint8_t *wrn_sexp_skip(const uint8_t *p, const uint8_t *end);

/* Writes a decimal number to 'out'. Returns its digits, at most WRN_SEXP_DIGITS_MAX. */
enum { WRN_SEXP_DIGITS_MAX = 20 };
size_t wrn_sexp_print_decimal(size_t number, uint8_t out[WRN_SEXP_DIGITS_MAX]);

/* ---- Base64 (RFC 4648, section 4) */

/* Reads base64 up to 'closing', with white space anywhere, padded or not. 'scan->at' is behind the
 * opening character, and afterwards behind the closing one. Writes the bytes to 'out' unless it is
 * NULL, which is for learning their number. */
enum wrn_sexp_fault wrn_sexp_base64_read(struct wrn_sexp_scan *scan, uint8_t closing, uint8_t *out,
                                         size_t *ret_size);

/* Returns where in the text the character stands that has the first bits of byte 'index' of base64
 * that begins at 'at' and has that byte. */
size_t wrn_sexp_base64_locate(wrn_span text, size_t at, size_t index);

/* The character for the lowest six bits of 'value'. */
char wrn_sexp_base64_digit(uint32_t value);
