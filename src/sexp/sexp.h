/* SPDX-License-Identifier: Apache-2.0 */
/* S-expressions (RFC 9804): every form is read into the canonical one, and all work is done on
 * canonical bytes in place, without a tree. No memory but the caller's, no recursion. */
#pragma once
#include "base/base.h"

enum {
    WRN_SEXP_DEPTH_MAX = 64,      /* nested lists */
    WRN_SEXP_SIZE_MAX = 1 << 20,  /* bytes of text or of canonical form */
    WRN_SEXP_COUNT_MAX = 1 << 16, /* atoms and lists */
};

/* One canonical expression, checked: an atom, with or without a display hint, or a list. Borrowed.
 * Only wrn_sexp_check, wrn_sexp_read, the cursor and the writer make one. */
struct wrn_sexp {
    wrn_span bytes;
};

enum wrn_sexp_form { WRN_SEXP_ANY, WRN_SEXP_CANONICAL, WRN_SEXP_ADVANCED, WRN_SEXP_TRANSPORT };

enum wrn_sexp_fault {
    WRN_SEXP_OK,
    WRN_SEXP_ENDS_EARLY,      /* the text ends inside an expression */
    WRN_SEXP_STRAY_CLOSE,     /* ')' without '(' */
    WRN_SEXP_BAD_CHARACTER,   /* no expression begins so, or it may not stand inside this one */
    WRN_SEXP_LENGTH_ZERO_LED, /* "03:abc" */
    WRN_SEXP_LENGTH_TOO_BIG,
    WRN_SEXP_LENGTH_WRONG, /* a length before #…#, |…| or "…" that is not that of the content */
    WRN_SEXP_BAD_HEX,
    WRN_SEXP_BAD_BASE64,
    WRN_SEXP_BAD_ESCAPE,
    WRN_SEXP_BAD_HINT, /* empty, a list, or nothing after it */
    WRN_SEXP_TOO_DEEP,
    WRN_SEXP_TOO_MANY,
    WRN_SEXP_TOO_LARGE,
    WRN_SEXP_TRAILING, /* something follows the one expression */
};

/* Where in the input what is wrong. In transport form the offset is that of the base64 text. */
struct wrn_sexp_error {
    enum wrn_sexp_fault fault;
    size_t offset;
};

/* Says what a fault is, as a clause without a full stop, for example "a length begins with a zero".
 * Static text. */
const char *wrn_sexp_fault_text(enum wrn_sexp_fault fault);

/* Checks that 'bytes' are exactly one expression in canonical form within the limits above. Returns
 * 0 and the expression, which borrows the bytes, or WRN_ERR_MALFORMED and why (may be NULL).
 * Source: RFC 9804, section 6.1. */
WRN_NODISCARD int wrn_sexp_check(wrn_span bytes, struct wrn_sexp *ret_sexp,
                                 struct wrn_sexp_error *ret_error);

/* Reads the first expression of 'text' (after white space, and in the advanced form also after
 * comments if the RFC has them) in the form that is named, or with WRN_SEXP_ANY in whichever it is,
 * and writes its canonical form to 'out', of 'capacity' bytes (the text's size always suffices,
 * prove it or say the bound). 'ret_used' gets the bytes read, white space behind it included, so
 * that a file with several expressions is read in a loop; NULL: nothing may follow. Returns 0,
 * WRN_ERR_MALFORMED with the error, or -ENOBUFS. Source: RFC 9804, sections 4 to 6. */
WRN_NODISCARD int wrn_sexp_read(enum wrn_sexp_form form, wrn_span text, uint8_t *out,
                                size_t capacity, struct wrn_sexp *ret_sexp, size_t *ret_used,
                                struct wrn_sexp_error *ret_error);

/* Writes an expression in a form, without a final newline. The advanced form is indented where a
 * line would be longer than 'columns' (0: everything on one line); atoms are tokens where they may
 * be, else quoted strings where all bytes are printable ASCII, else #hex# up to 32 bytes, else
 * |base64|; what is read back is byte for byte the same canonical form. The transport form is
 * "{base64}" on one line. Returns the size, which may be greater than 'capacity': then nothing
 * useful was written. */
size_t wrn_sexp_print(enum wrn_sexp_form form, struct wrn_sexp sexp, size_t columns, char *out,
                      size_t capacity);

/* Whether it is a list, and whether two are the same. Their canonical bytes decide. */
bool wrn_sexp_is_list(struct wrn_sexp sexp);
bool wrn_sexp_equal(struct wrn_sexp a, struct wrn_sexp b);

/* The bytes of an atom, without its hint. The expression must be an atom. */
wrn_span wrn_sexp_atom(struct wrn_sexp sexp);

/* The display hint of an atom; 'data' is NULL if it has none. */
wrn_span wrn_sexp_hint(struct wrn_sexp sexp);

/* An atom without a hint whose bytes are those of 'word'. */
bool wrn_sexp_is_word(struct wrn_sexp sexp, const char *word);

/* A list whose first element is the word 'name'. */
bool wrn_sexp_is_named(struct wrn_sexp sexp, const char *name);

/* ---- Reading: a cursor over the elements of a list. Code that reads an object looks like its
 * grammar:
 *
 *     struct wrn_sexp_cursor cert, valid;
 *     if (!wrn_sexp_enter_named(sexp, "cert", &cert)) ...
 *     wrn_sexp_take_named(&cert, "issuer", &issuer) && wrn_sexp_take_any(&issuer, &principal) &&
 *         wrn_sexp_at_end(&issuer) ...
 *     if (wrn_sexp_take_named(&cert, "valid", &valid)) ...                     an optional part
 */
struct wrn_sexp_cursor {
    const uint8_t *next;
    const uint8_t *end; /* the list's closing parenthesis */
};

/* Sets the cursor before the first element of a list. False, and an empty cursor, for an atom. */
bool wrn_sexp_enter(struct wrn_sexp list, struct wrn_sexp_cursor *ret_cursor);

/* The same behind the name, if the list has this one. */
bool wrn_sexp_enter_named(struct wrn_sexp list, const char *name,
                          struct wrn_sexp_cursor *ret_cursor);

/* Whether no element is left. */
bool wrn_sexp_at_end(const struct wrn_sexp_cursor *cursor);

/* Each takes the next element if there is one and it is as wanted; else leaves the cursor. */
bool wrn_sexp_take_any(struct wrn_sexp_cursor *cursor, struct wrn_sexp *ret_sexp);
bool wrn_sexp_take_list(struct wrn_sexp_cursor *cursor, struct wrn_sexp_cursor *ret_inner);
bool wrn_sexp_take_named(struct wrn_sexp_cursor *cursor, const char *name,
                         struct wrn_sexp_cursor *ret_inner);
bool wrn_sexp_take_atom(struct wrn_sexp_cursor *cursor, wrn_span *ret_bytes); /* without hint */
bool wrn_sexp_take_word(struct wrn_sexp_cursor *cursor, const char *word);

/* ---- Writing canonical form; errors stick, so only the end needs a look:
 *
 *     struct wrn_sexp_writer w = wrn_sexp_writer(out, sizeof out);
 *     wrn_sexp_open(&w, "issuer");
 *     wrn_sexp_put(&w, principal);
 *     wrn_sexp_close(&w);
 *     int error = wrn_sexp_finish(&w, &sexp);
 */
struct wrn_sexp_writer {
    uint8_t *out;
    size_t capacity;
    size_t size;    /* bytes written */
    uint32_t depth; /* lists open */
    int error;      /* -ENOBUFS once something did not fit; then nothing more is written */
};

/* Begins an expression in 'capacity' bytes at 'out', which stay borrowed until wrn_sexp_finish. */
struct wrn_sexp_writer wrn_sexp_writer(uint8_t *out, size_t capacity);

/* Opens a list; 'name', which may be NULL, is its first element. */
void wrn_sexp_open(struct wrn_sexp_writer *writer, const char *name);
void wrn_sexp_close(struct wrn_sexp_writer *writer);
void wrn_sexp_put_word(struct wrn_sexp_writer *writer, const char *word);
void wrn_sexp_put_bytes(struct wrn_sexp_writer *writer, wrn_span bytes);
void wrn_sexp_put_hinted(struct wrn_sexp_writer *writer, wrn_span hint, wrn_span bytes);
void wrn_sexp_put(struct wrn_sexp_writer *writer, struct wrn_sexp sexp); /* a copy */

/* Where the writer is, and back to there: what was written since is forgotten, lists opened since
 * too; an error as well if it came since. */
struct wrn_sexp_mark {
    size_t size;
    uint32_t depth;
    int error;
};
struct wrn_sexp_mark wrn_sexp_mark(const struct wrn_sexp_writer *writer);
void wrn_sexp_rewind(struct wrn_sexp_writer *writer, struct wrn_sexp_mark mark);

/* Ends the text, which must be one expression with every list closed (asserted). Returns 0 and
 * the expression, which borrows 'out', or -ENOBUFS. */
WRN_NODISCARD int wrn_sexp_finish(struct wrn_sexp_writer *writer, struct wrn_sexp *ret_sexp);
