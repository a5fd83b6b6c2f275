/* SPDX-License-Identifier: Apache-2.0 */
/* S-expressions (RFC 9804): every form is read into the canonical one, and all work is done on
 * canonical bytes in place, without a tree. No memory but the caller's, no recursion. */
#pragma once
#include "base/base.h"

/* What an expression may have. Text may be longer than canonical form: white space costs nothing
 * but the time to read it. */
enum {
    WRN_SEXP_DEPTH_MAX = 64,      /* nested lists */
    WRN_SEXP_SIZE_MAX = 1 << 20,  /* bytes of canonical form */
    WRN_SEXP_COUNT_MAX = 1 << 16, /* atoms and lists; a hint is part of its atom */
};

/* One canonical expression, checked: an atom, with or without a display hint, or a list. Borrowed.
 * Only wrn_sexp_check, wrn_sexp_read, the cursor and the writer make one. */
struct wrn_sexp {
    wrn_span bytes;
};

enum wrn_sexp_form { WRN_SEXP_ANY, WRN_SEXP_CANONICAL, WRN_SEXP_ADVANCED, WRN_SEXP_TRANSPORT };

/* What is wrong, and at which byte. Where a string has no end, it is ENDS_EARLY. */
enum wrn_sexp_fault {
    WRN_SEXP_OK,
    WRN_SEXP_ENDS_EARLY,      /* inside an expression, or before one begins: the end of the text */
    WRN_SEXP_STRAY_CLOSE,     /* ')' without '(' */
    WRN_SEXP_BAD_CHARACTER,   /* begins no expression */
    WRN_SEXP_BAD_QUOTED,      /* a byte in quotes that is not printable ASCII */
    WRN_SEXP_LENGTH_ALONE,    /* digits that begin no string: what follows them */
    WRN_SEXP_LENGTH_ZERO_LED, /* 03:abc: its first digit */
    WRN_SEXP_LENGTH_TOO_BIG,  /* greater than WRN_SEXP_SIZE_MAX: its first digit */
    WRN_SEXP_LENGTH_WRONG,    /* 4"abc", 4#616263#, 4|YWJj|: its first digit */
    WRN_SEXP_BAD_HEX,         /* what is no digit, or the final '#' where one is missing */
    WRN_SEXP_BAD_BASE64,      /* what is no digit, padding where none may be, a last digit with bits
                                 beyond the bytes, or the final '|' or '}' where one is missing */
    WRN_SEXP_BAD_ESCAPE,      /* in a quoted string: the backslash */
    WRN_SEXP_BAD_HINT,        /* empty, a list, hinted itself, several strings, or not before a
                                 string: what is there instead */
    WRN_SEXP_TOO_DEEP,        /* the '(' that is one too many */
    WRN_SEXP_TOO_MANY,        /* the first byte of the atom or list that is one too many */
    WRN_SEXP_TOO_LARGE,       /* the first byte of the atom or parenthesis that crosses the limit */
    WRN_SEXP_TRAILING,        /* something behind the one expression: its first byte */
};
enum { WRN_SEXP_FAULTS = WRN_SEXP_TRAILING + 1 };

/* Where in the input what is wrong, in bytes from its beginning. In transport form that is in the
 * base64 text: the character with the first bits of the canonical byte. */
struct wrn_sexp_error {
    enum wrn_sexp_fault fault;
    size_t offset;
};

/* Says what a fault is, as a clause without a full stop, for example "a length begins with a zero".
 * Static text. */
const char *wrn_sexp_fault_text(enum wrn_sexp_fault fault);

/* Checks that 'bytes' are exactly one expression in canonical form within the limits above: no
 * white space, nothing behind it. Returns 0 and the expression, which borrows the bytes, or
 * WRN_ERR_MALFORMED and why ('ret_error' may be NULL, and is set only then). One pass: O(bytes).
 * Source: RFC 9804, sections 6.2 and 7.2. */
WRN_NODISCARD int wrn_sexp_check(wrn_span bytes, struct wrn_sexp *ret_sexp,
                                 struct wrn_sexp_error *ret_error);

/* Bytes of canonical form that an expression of 'size' bytes of text has at most. A token gains
 * its length and a colon, no more than its own characters and the one between it and the next
 * token; strings in quotes gain less, all else shrinks or stays. The worst is "a". */
static inline size_t wrn_sexp_capacity(size_t size) {
    return size < WRN_SEXP_SIZE_MAX / 2 ? 2 * size + 1 : WRN_SEXP_SIZE_MAX;
}

/* Reads the first expression of 'text', after white space, in the form that is named, and writes
 * its canonical form to 'out', of 'capacity' bytes, which must not overlap the text;
 * wrn_sexp_capacity(text.size) always suffices.
 * 'form'       the advanced form includes the canonical one; ANY is TRANSPORT if the text begins
 *              with '{', else ADVANCED. There are no comments, and no braces inside the advanced
 *              form.
 * 'ret_used'   gets the bytes read, white space behind the expression included, so that a file
 *              with several is read in a loop until nothing is left. NULL: nothing else may follow.
 * Returns 0; WRN_ERR_MALFORMED and why ('ret_error' may be NULL, is set only then); or -ENOBUFS.
 * O(text). Source: RFC 9804, sections 4 to 7; docs/decisions/0011 says what is accepted where it
 * leaves room. */
WRN_NODISCARD int wrn_sexp_read(enum wrn_sexp_form form, wrn_span text, uint8_t *out,
                                size_t capacity, struct wrn_sexp *ret_sexp, size_t *ret_used,
                                struct wrn_sexp_error *ret_error);

/* Writes an expression in a form (ANY is ADVANCED), without a final newline or zero. What is read
 * back is byte for byte the same canonical form. The transport form is "{base64}" on one line. In
 * the advanced form
 *     - a list that does not fit in 'columns' (0: all is one line) has its elements on lines of
 *       their own; an atom is never broken, so a line may still be longer;
 *     - a string is a token where it can be one, else in quotes if all of it is printable ASCII,
 *       else #hex# up to 32 bytes, else |base64|.
 * Returns the size, which may be greater than 'capacity': then 'out' has nothing useful. O(size);
 * where lists are broken, at most O(size × depth), and O(lists × columns), to see what fits. */
size_t wrn_sexp_print(enum wrn_sexp_form form, struct wrn_sexp sexp, size_t columns, char *out,
                      size_t capacity);

/* Whether it is a list. An empty span is none. */
bool wrn_sexp_is_list(struct wrn_sexp sexp);

/* Whether both are the same expression: as canonical bytes, so hints count. */
bool wrn_sexp_equal(struct wrn_sexp a, struct wrn_sexp b);

/* The bytes of an atom, without its hint. The expression must be an atom. */
wrn_span wrn_sexp_atom(struct wrn_sexp sexp);

/* The display hint of an atom; 'data' is NULL if it has none. */
wrn_span wrn_sexp_hint(struct wrn_sexp sexp);

/* An atom without a hint whose bytes are those of 'word'. */
bool wrn_sexp_is_word(struct wrn_sexp sexp, const char *word);

/* A list whose first element is the word 'name'. */
bool wrn_sexp_is_named(struct wrn_sexp sexp, const char *name);

/* ---- Reading: a cursor over the elements of a list. To step over a list is to look at all of
 * it, so reading every level of an expression takes O(size × depth). Code that reads an object
 * looks like its grammar:
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

/* Take (NAME VALUE), of which VALUE is one atom; as a number: in decimal without leading zeros, at
 * most 'max'. The cursor is of no use any more if it was another list with this name. */
bool wrn_sexp_take_field(struct wrn_sexp_cursor *cursor, const char *name, wrn_span *ret_value);
bool wrn_sexp_take_number(struct wrn_sexp_cursor *cursor, const char *name, uint32_t max,
                          uint32_t *ret_number);

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
    int error;      /* -ENOBUFS once something did not fit; nothing is written after that */
};

/* Begins an expression in 'capacity' bytes at 'out', which stay borrowed until wrn_sexp_finish. */
struct wrn_sexp_writer wrn_sexp_writer(uint8_t *out, size_t capacity);

/* Opens a list; 'name', which may be NULL, is its first element. Closes the one opened last. */
void wrn_sexp_open(struct wrn_sexp_writer *writer, const char *name);
void wrn_sexp_close(struct wrn_sexp_writer *writer);

/* Write an atom; a hint must not be empty. 'sexp' is copied, and may be a part of what has been
 * written to the same memory before, also of what a rewind took back. */
void wrn_sexp_put_word(struct wrn_sexp_writer *writer, const char *word);
void wrn_sexp_put_bytes(struct wrn_sexp_writer *writer, wrn_span bytes);
void wrn_sexp_put_hinted(struct wrn_sexp_writer *writer, wrn_span hint, wrn_span bytes);
void wrn_sexp_put(struct wrn_sexp_writer *writer, struct wrn_sexp sexp);

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
 * the expression, which borrows 'out'; -ENOBUFS; or -E2BIG if it is beyond the limits of depth,
 * size or count. O(size): it is checked as a whole. */
WRN_NODISCARD int wrn_sexp_finish(struct wrn_sexp_writer *writer, struct wrn_sexp *ret_sexp);
