/* SPDX-License-Identifier: Apache-2.0 */
/* Frames that are larger than a packet of the tunnel takes: cut into pieces, and put together again
 * in bounded memory and time (payload.h has the layout; docs/protocol.md, "Frames"). The tunnel
 * keeps pieces from being changed, forged and repeated; they may be lost, and overtake one another.
 * What a hostile member can do is lose its own frames. Pure, no allocation. */
#pragma once
#include "base/clock.h"
#include "base/pool.h"
#include "switch/payload.h"

/* ---- cutting ---- */

/* How a frame travels: in 'count' pieces, all but the last of 'each' bytes; 1: whole; 0: not at
 * all. The pieces are about equally large, so that those of several frames can be sent in one
 * train. */
struct wrn_pieces_plan {
    uint32_t count;
    uint32_t each;
};

/* Plans for a frame of 'size' bytes and payloads of at most 'payload_max', heads included. */
struct wrn_pieces_plan wrn_pieces_plan(size_t size, uint32_t payload_max);

/* Returns the bytes of payload 'index' (0..count-1) of a frame of 'size' bytes. */
size_t wrn_pieces_payload_size(const struct wrn_pieces_plan *plan, size_t size, uint32_t index);

/* Writes payload 'index' to 'out' (wrn_pieces_payload_size bytes, not overlapping the frame). 'id'
 * is the frame's among those of the sender's network: it counts up. */
void wrn_pieces_write(const struct wrn_pieces_plan *plan, wrn_span frame, uint16_t id,
                      uint32_t index, uint8_t *out);

/* Writes the head of a whole frame of 'size' (1..WRN_PAYLOAD_FRAME_MAX) bytes. */
void wrn_pieces_write_whole(uint8_t head[WRN_PAYLOAD_FRAME_HEAD], size_t size);

/* ---- putting together ---- */

enum {
    WRN_PIECES_FRAMES_MAX = 64, /* under way at once, of all members: one bit of a word each */
    WRN_PIECES_SHARE = 16,      /* of one member: then its oldest gives way */
    WRN_PIECES_AGE_MS = 1000,   /* then a frame is given up */
    /* A member's frame so many numbers behind (or before) its newest one is given up: so numbers
     * that come round never meet pieces of the round before. */
    WRN_PIECES_WINDOW = 4096,
    WRN_PIECES_HELD_MAX = 32, /* frames handed out: after so many wrn_pieces_release is due */
};

/* X(NAME, "counter", "clause"): why a piece goes no further; and why a frame was given up. */
#define WRN_PIECES_REFUSAL_LIST(X)                                                                 \
    X(NONE, "none", "it belongs to a frame")                                                       \
    X(SHORT, "piece_short", "it ends inside of its head, or before its size")                      \
    X(TYPE, "piece_type", "it is no piece")                                                        \
    X(TOTAL, "piece_total", "its frame is larger or smaller than any")                             \
    X(INDEX, "piece_index", "its place is not among its frame's, of which there are 2 to 16")      \
    X(SIZE, "piece_size", "its size does not fit its place and the frame's size")                  \
    X(DUPLICATE, "piece_duplicate", "its place is filled")                                         \
    X(CONFLICT, "frame_conflict", "a piece of another frame came with its number")                 \
    X(LATE, "frame_late", "its pieces did not come within a second")                               \
    X(PASSED, "frame_passed", "later frames of its sender have long come")                         \
    X(CROWDED, "frame_crowded", "newer frames took its place")

enum wrn_pieces_refusal {
#define WRN_PIECES_REFUSAL_ENUM(name, counter, text) WRN_PIECES_##name,
    WRN_PIECES_REFUSAL_LIST(WRN_PIECES_REFUSAL_ENUM)
#undef WRN_PIECES_REFUSAL_ENUM
        WRN_PIECES_REFUSAL_COUNT
};

/* The counter's name, and what it means as a clause without a full stop. Static text. */
const char *wrn_pieces_refusal_name(enum wrn_pieces_refusal refusal);
const char *wrn_pieces_refusal_text(enum wrn_pieces_refusal refusal);

/* A piece as its head describes it. */
struct wrn_piece {
    uint32_t index, count; /* count 2..WRN_PAYLOAD_PIECES_MAX */
    uint32_t each;         /* bytes of each piece but the last */
    uint32_t total;        /* bytes of the frame */
    uint32_t at, size;     /* its bytes in the frame */
    uint16_t id;
};

/* Reads a head and checks that what it says can be: pieces that pass, of one frame with the same
 * 'total', 'count' and 'each', cannot overlap. 'payload' is without padding. Returns NONE or why
 * not. */
enum wrn_pieces_refusal wrn_pieces_read(wrn_span payload, struct wrn_piece *ret_piece);

/* Frames under way, of one thread. */
struct wrn_pieces;

/* A frame that is whole again. */
struct wrn_pieces_frame {
    uint8_t *bytes;
    size_t size; /* 0: there is none */
};

/* Bytes of the memory that wrn_pieces_init takes: zeroed, aligned to 64. Only what frames reach is
 * ever touched. */
size_t wrn_pieces_memory_size(void);
struct wrn_pieces *wrn_pieces_init(void *memory);

/* Takes a piece from 'peer' ('payload' as above). Returns NONE, with the frame in 'ret_frame' if
 * this was its last missing piece (else size 0), or why it was refused, counted. The frame's bytes
 * may be changed and stay until wrn_pieces_release. */
enum wrn_pieces_refusal wrn_pieces_add(struct wrn_pieces *pieces, wrn_mono now, wrn_handle peer,
                                       wrn_span payload, struct wrn_pieces_frame *ret_frame);

/* Takes all frames back that were handed out. */
void wrn_pieces_release(struct wrn_pieces *pieces);

/* Frames that are handed out; those that wait for pieces. */
uint32_t wrn_pieces_held(const struct wrn_pieces *pieces);
uint32_t wrn_pieces_waiting(const struct wrn_pieces *pieces);

/* Adds what was counted to 'counts'; that of NONE counts frames put together. Any thread. */
void wrn_pieces_add_counts(const struct wrn_pieces *pieces,
                           uint64_t counts[WRN_PIECES_REFUSAL_COUNT]);
