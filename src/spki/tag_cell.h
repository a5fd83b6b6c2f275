/* SPDX-License-Identifier: Apache-2.0 */
/* One element of a tag: which kind it is, and the algebra of those that stand for atoms.
 * Internal to this folder. */
#pragma once
#include "spki/date.h"
#include "spki/tag.h"

enum wrn_tag_ordering {
    WRN_TAG_ALPHA,
    WRN_TAG_NUMERIC,
    WRN_TAG_TIME,
    WRN_TAG_BINARY,
    WRN_TAG_DATE,
};

/* One end of an interval of values. */
struct wrn_tag_limit {
    bool is_there;
    bool is_strict;   /* the value itself is outside */
    bool is_negative; /* numeric */
    bool is_next;     /* alpha: the last byte counts as one more, which is where a prefix ends */
    wrn_span value;   /* numeric, binary: without leading zeros; else as it stands */
};

/* The atoms that an atom, a prefix or a range permits. Without a hint they are an interval of one
 * ordering: a prefix is one of strings, an atom the one that has only this string. So all of these
 * intersect by the same rule. */
struct wrn_tag_cell {
    wrn_span hint; /* 'data' not NULL: exactly the atom 'low.value' with this hint */
    enum wrn_tag_ordering ordering;
    struct wrn_tag_limit low, high;
};

enum wrn_tag_kind {
    WRN_TAG_NOTHING, /* not a tag */
    WRN_TAG_ANY,     /* (*) */
    WRN_TAG_SET,
    WRN_TAG_LIST,
    WRN_TAG_CELL, /* an atom, a prefix or a range */
};

struct wrn_tag_node {
    enum wrn_tag_kind kind;
    struct wrn_sexp_cursor elements; /* of a SET or LIST; else empty */
    struct wrn_tag_cell cell;        /* CELL */
};

/* Reads one element, not what is inside of a set or list. 'ret_at' gets the part that is at fault,
 * which makes the node NOTHING. Borrows 'tag'. */
enum wrn_tag_fault wrn_tag_node_read(struct wrn_sexp tag, struct wrn_tag_node *ret_node,
                                     struct wrn_sexp *ret_at);

/* Tells whether no atom is within the limits, as far as these tell: (g 5) (l 6) is not seen. */
bool wrn_tag_cell_is_empty(const struct wrn_tag_cell *cell);

/* Makes the cell that both permit; false if there is none, or none can be written. */
bool wrn_tag_cell_intersect(const struct wrn_tag_cell *a, const struct wrn_tag_cell *b,
                            struct wrn_tag_cell *ret_both);

/* Tells whether 'wide' permits all that 'narrow' does, which is not empty. */
bool wrn_tag_cell_covers(const struct wrn_tag_cell *wide, const struct wrn_tag_cell *narrow);

/* Room for canonical bytes in which elements are put, taken back and moved. */
struct wrn_tag_work {
    size_t size;
    bool is_full; /* something did not fit; what is there is of no use any more */
    uint8_t bytes[2 * WRN_TAG_SIZE_MAX];
};

/* Puts bytes as they are at the end. */
void wrn_tag_work_put(struct wrn_tag_work *work, const void *bytes, size_t size);

/* Puts the normal form of a cell at the end. */
void wrn_tag_cell_put(struct wrn_tag_work *work, const struct wrn_tag_cell *cell);
