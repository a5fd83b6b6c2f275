/* SPDX-License-Identifier: Apache-2.0 */
/* Places on the ring: the 96 hash bits of a HIT as a number modulo 2^96. Clockwise is upward. Pure
 * arithmetic, no floating point. */
#pragma once
#include "base/rand.h"
#include "base/wire.h"

enum { WRN_ID_SIZE = 12, WRN_ID_BITS = 96, WRN_ID_TEXT_SIZE = 25 };

/* Nodes keep hundreds of them: 12 bytes each, not 16. */
typedef struct __attribute__((packed, aligned(4))) wrn_id {
    uint64_t high; /* bits 95 to 32 */
    uint32_t low;  /* bits 31 to 0 */
} wrn_id;

/* Takes the 96 hash bits of a HIT, which makes a place from any ORCHID. */
wrn_id wrn_id_of_hit(const uint8_t hit[16]);

/* Makes the HIT of an Ed25519 key (RFC 9374, suite 5) that has this place. */
void wrn_id_hit(wrn_id id, uint8_t ret_hit[16]);

/* Read and write 12 bytes, big-endian. */
wrn_id wrn_id_load(const uint8_t bytes[WRN_ID_SIZE]);
void wrn_id_store(wrn_id id, uint8_t ret_bytes[WRN_ID_SIZE]);
wrn_id wrn_read_id(struct wrn_reader *reader);
void wrn_write_id(struct wrn_writer *writer, wrn_id id);

/* Writes 24 hex digits and a zero byte. */
void wrn_id_print(wrn_id id, char ret_text[WRN_ID_TEXT_SIZE]);

/* Compare as numbers. */
static inline bool wrn_id_equal(wrn_id a, wrn_id b) {
    return a.high == b.high && a.low == b.low;
}
static inline bool wrn_id_less(wrn_id a, wrn_id b) {
    return a.high < b.high || (a.high == b.high && a.low < b.low);
}

/* Sum and difference modulo 2^96: 'b - a' is the way clockwise from a to b. */
wrn_id wrn_id_add(wrn_id a, wrn_id b);
wrn_id wrn_id_subtract(wrn_id b, wrn_id a);

/* Returns the shorter of the two ways between a and b; at most 2^95. */
wrn_id wrn_id_distance(wrn_id a, wrn_id b);

/* Tells whether 'x' lies on the way clockwise from 'from' to 'to', both excluded. From a place to
 * itself the way is the whole circle. */
bool wrn_id_is_between(wrn_id from, wrn_id x, wrn_id to);

/* Tells whether 'a' is nearer to 'target' than 'b'; of two equally near the one that lies
 * clockwise of the target is nearer, so that all nodes agree. */
bool wrn_id_is_nearer(wrn_id target, wrn_id a, wrn_id b);

/* Returns the place halfway on the way clockwise from a to b. */
wrn_id wrn_id_middle(wrn_id a, wrn_id b);

/* Returns the greatest n with 2^n <= id, 0 for 0. */
uint32_t wrn_id_log2(wrn_id id);

/* Returns ceil(log2 n), 0 for n <= 1. */
uint32_t wrn_ceil_log2(uint64_t n);

/* Draws a distance for a shortcut in a ring of 'nodes' (>= 2): 2^(96 - (1 - p) log2 nodes) with p
 * even in [0,1), so that the density is harmonic between the mean gap and the whole circle; at most
 * 2^95. Source: Manku, Bawa, Raghavan, "Symphony", USITS 2003, section 3.1. */
wrn_id wrn_id_harmonic(uint64_t nodes, struct wrn_rand rand);

/* Estimates how many nodes there are when 'count' (>= 1) gaps between neighbours cover the way
 * 'span': 2^96 * count / span, at least count. Saturates. */
uint64_t wrn_id_estimate(wrn_id span, uint32_t count);
