/* SPDX-License-Identifier: Apache-2.0 */
/* Tags: what a certificate permits, and what two of them permit together. Pure; canonical
 * bytes in, canonical bytes out. Source: RFC 2693, section 6.3.1; docs/certificates.md has the
 * grammar and the table of all pairs. */
#pragma once
#include "sexp/sexp.h"

/* A tag is here the expression inside `(tag ...)`. Besides atoms and lists it may have, at any
 * place of an element:
 *     (*)                         everything
 *     (* set TAG...)              any of these; without elements: nothing
 *     (* prefix BYTES)            every atom that begins so; knows nothing of '/' in paths
 *     (* range ORDERING LIMIT*)   every atom within the limits: at most one of (g LO), (ge LO) and
 *                                 at most one of (l HI), (le HI), in either order
 *
 * ORDERING, and what is a value of it (other atoms are never within the limits):
 *     alpha     any bytes, compared as strings of bytes
 *     numeric   [+-]?[0-9]+, an integer of any length
 *     time      hh[:mm[:ss]], the moment at which what is left out begins
 *     binary    any bytes, an unsigned big-endian number
 *     date      YYYY[-MM[-DD[_hh[:mm[:ss]]]]], as for time; days that do not exist are no values
 *
 * A list of n elements permits every list that begins with elements which these permit: what
 * is missing at its end means "everything", so more elements mean less right.
 *
 * Prefixes and ranges speak of atoms without a display hint, and have none in them. An atom
 * with a hint is permitted by the same atom with the same hint, and by (*). */

enum {
    /* Canonical bytes of one tag, and of what an intersection gives. */
    WRN_TAG_SIZE_MAX = 1 << 14,
    /* Pairs of elements that one operation looks at, long ones counted several times. */
    WRN_TAG_STEPS_MAX = 1 << 18,
};

enum wrn_tag_fault {
    WRN_TAG_OK,
    WRN_TAG_BAD_STAR,     /* (* ...) of a kind that does not exist, or (*) with something in it */
    WRN_TAG_BAD_PREFIX,   /* not exactly one atom, without a hint */
    WRN_TAG_BAD_ORDERING, /* none of the five */
    WRN_TAG_BAD_LIMIT,    /* not (g|ge|l|le VALUE), two of one side, or no value of the ordering */
    WRN_TAG_TOO_LARGE,    /* more than WRN_TAG_SIZE_MAX */
};

/* Says what a fault is, as a clause without a full stop. Static text. */
const char *wrn_tag_fault_text(enum wrn_tag_fault fault);

/* Checks that an expression is a tag. 'ret_at', which may be NULL, gets the offending part,
 * borrowed from 'tag'. What permits nothing (a set without elements, a range whose limits
 * cross) is a tag. */
WRN_NODISCARD enum wrn_tag_fault wrn_tag_check(struct wrn_sexp tag, struct wrn_sexp *ret_at);

/* Writes what both permit, in the normal form: sets flattened, without elements that another
 * element covers, in ascending order of their canonical bytes, a set of one is its element;
 * limits of a range the lower first and in full; an alpha range that is a prefix or one atom
 * as that. Returns 1, or 0 if nothing is left (nothing is written then), -ENOBUFS ('out' is at
 * its end), or -E2BIG: more than WRN_TAG_SIZE_MAX bytes, WRN_TAG_STEPS_MAX steps or
 * WRN_SEXP_DEPTH_MAX lists, which the caller takes for "nothing". Nothing is written with an
 * error. Parts that wrn_tag_check refuses permit nothing.
 *
 * Never wider than either. Exact (permits what both permit), commutative, associative and
 * idempotent, but for one case: what satisfies two ranges of different orderings, or a prefix
 * and a range that is not alpha, cannot be written as a tag; nothing is left then, although
 * some atoms satisfy both. Source: RFC 2693, section 6.3.1. */
WRN_NODISCARD int wrn_tag_intersect(struct wrn_sexp a, struct wrn_sexp b,
                                    struct wrn_sexp_writer *out);

/* Writes the normal form of one tag. Returns as above. */
WRN_NODISCARD int wrn_tag_normalise(struct wrn_sexp tag, struct wrn_sexp_writer *out);

/* Tells whether 'tag' permits all of 'request': their intersection is the request. 'scratch'
 * is for the request's normal form: WRN_TAG_SIZE_MAX bytes always suffice. Returns 1, 0 (also
 * for a request that permits nothing) or an error as above. Steps: at most the elements of the
 * one times those of the other. */
WRN_NODISCARD int wrn_tag_covers(struct wrn_sexp tag, struct wrn_sexp request, uint8_t *scratch,
                                 size_t scratch_size);

/* Finds the part of 'request' that 'tag' does not permit, for a message: the first element, in
 * depth, that is not covered, and what stands in the tag at its place. Both are borrowed from the
 * arguments. Returns false if all of it is permitted. 'scratch' as above. */
WRN_NODISCARD bool wrn_tag_find_refused(struct wrn_sexp tag, struct wrn_sexp request,
                                        uint8_t *scratch, size_t scratch_size,
                                        struct wrn_sexp *ret_wanted,
                                        struct wrn_sexp *ret_permitted);
