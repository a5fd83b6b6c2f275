/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and writes messages field by field, big-endian. An error sticks: code reads or writes a
 * whole message in a straight line and looks once, at the end. No memory but the caller's. */
#pragma once
#include "base/bytes.h"

struct wrn_reader {
    const uint8_t *next;
    size_t left;
    bool failed; /* something was read beyond the end; all reads give 0 since */
};

struct wrn_writer {
    uint8_t *out;
    size_t capacity;
    size_t size; /* bytes written */
    bool failed; /* something did not fit; nothing is written since */
};

/* Starts to read 'bytes', which stay borrowed. */
struct wrn_reader wrn_reader(wrn_span bytes);

/* Read the next field; 0, zeroed bytes or an empty span once 'failed'. */
uint8_t wrn_read_u8(struct wrn_reader *reader);
uint16_t wrn_read_u16(struct wrn_reader *reader);
uint32_t wrn_read_u32(struct wrn_reader *reader);
uint64_t wrn_read_u64(struct wrn_reader *reader);
void wrn_read_bytes(struct wrn_reader *reader, void *ret_bytes, size_t size);
wrn_span wrn_read_span(struct wrn_reader *reader, size_t size);

/* Returns all that is left, which is read then. */
wrn_span wrn_read_rest(struct wrn_reader *reader);

/* Tells whether all was read and nothing was missing. */
WRN_NODISCARD bool wrn_reader_is_done(const struct wrn_reader *reader);

/* Starts to write to 'capacity' bytes at 'out', which stay borrowed. */
struct wrn_writer wrn_writer(void *out, size_t capacity);

/* Write the next field. */
void wrn_write_u8(struct wrn_writer *writer, uint8_t value);
void wrn_write_u16(struct wrn_writer *writer, uint16_t value);
void wrn_write_u32(struct wrn_writer *writer, uint32_t value);
void wrn_write_u64(struct wrn_writer *writer, uint64_t value);
void wrn_write_bytes(struct wrn_writer *writer, const void *bytes, size_t size);
void wrn_write_span(struct wrn_writer *writer, wrn_span bytes);

/* Returns what was written; an empty span if something did not fit. */
wrn_span wrn_written(const struct wrn_writer *writer);
