/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams in a stream: each behind its length in two bytes, the more significant one first.
 * docs/protocol.md, Streams. Pure: gets bytes and gives bytes. */
#pragma once
#include "base/base.h"

enum {
    WRN_STREAM_HEAD = 2,               /* bytes of a length */
    WRN_STREAM_DATAGRAM_MAX = 2046,    /* bytes of a datagram; the least is 1 */
    WRN_STREAM_FRAME_MAX = 2048,       /* ... with its length */
    WRN_STREAM_QUEUE_BYTES = 1 << 17,  /* of user packets that wait for the stream */
    WRN_STREAM_FIRST_BYTES = 1 << 15,  /* of what goes before them */
    WRN_STREAM_GATHER_BYTES = 1 << 14, /* handed to the stream at once, at most */
};

/* Puts together what comes in. Zeroed memory is a new one. */
struct wrn_stream_reader {
    uint32_t used; /* bytes of a datagram that is not whole yet, with its length */
    uint8_t bytes[WRN_STREAM_FRAME_MAX];
};

/* Takes the next datagram out of 'input', which is moved on over what was taken. Returns its size
 * and where it lies (in 'input' or in the reader: until the next call); 0: all of the input was
 * taken and none is whole; WRN_ERR_MALFORMED: a length of 0, or above WRN_STREAM_DATAGRAM_MAX: this
 * is no such stream, and nothing that follows can be told apart. */
WRN_NODISCARD int wrn_stream_read(struct wrn_stream_reader *reader, wrn_span *input,
                                  uint8_t **ret_datagram);

/* Datagrams that wait, the oldest first, in a ring of bytes of the caller's. */
struct wrn_stream_queue {
    uint8_t *bytes;
    uint32_t size; /* of 'bytes' */
    uint32_t first, used;
    uint32_t count; /* datagrams */
};

/* Adds a datagram of 1..WRN_STREAM_DATAGRAM_MAX bytes; the oldest ones make room. Returns how many
 * were dropped for it. */
uint32_t wrn_stream_put(struct wrn_stream_queue *queue, wrn_span datagram);

/* Takes whole ones, with their lengths, as many as fit 'capacity'. Returns the bytes written. */
size_t wrn_stream_take(struct wrn_stream_queue *queue, uint8_t *out, size_t capacity);
