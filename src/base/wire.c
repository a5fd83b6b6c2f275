/* SPDX-License-Identifier: Apache-2.0 */
/* Messages field by field. Performs no I/O. */
#include "base/wire.h"

struct wrn_reader wrn_reader(wrn_span bytes) {
    return (struct wrn_reader){.next = bytes.data, .left = bytes.size};
}

/* Returns the next 'size' bytes, or NULL if there are not so many or something failed before. */
static const uint8_t *advance(struct wrn_reader *reader, size_t size) {
    if (reader->failed || reader->left < size) {
        reader->failed = true;
        return NULL;
    }
    const uint8_t *bytes = reader->next;
    if (size > 0) { /* NULL + 0 is undefined */
        reader->next += size;
        reader->left -= size;
    }
    return bytes;
}

uint8_t wrn_read_u8(struct wrn_reader *reader) {
    const uint8_t *p = advance(reader, 1);
    return p == NULL ? 0 : *p;
}

uint16_t wrn_read_u16(struct wrn_reader *reader) {
    const uint8_t *p = advance(reader, 2);
    return p == NULL ? 0 : wrn_load_be16(p);
}

uint32_t wrn_read_u32(struct wrn_reader *reader) {
    const uint8_t *p = advance(reader, 4);
    return p == NULL ? 0 : wrn_load_be32(p);
}

uint64_t wrn_read_u64(struct wrn_reader *reader) {
    const uint8_t *p = advance(reader, 8);
    return p == NULL ? 0 : wrn_load_be64(p);
}

void wrn_read_bytes(struct wrn_reader *reader, void *ret_bytes, size_t size) {
    const uint8_t *p = advance(reader, size);
    if (size == 0) {
        return;
    }
    if (p == NULL) {
        memset(ret_bytes, 0, size);
        return;
    }
    memcpy(ret_bytes, p, size);
}

wrn_span wrn_read_span(struct wrn_reader *reader, size_t size) {
    const uint8_t *p = advance(reader, size);
    return p == NULL ? (wrn_span){0} : (wrn_span){p, size};
}

wrn_span wrn_read_rest(struct wrn_reader *reader) {
    return wrn_read_span(reader, reader->left);
}

bool wrn_reader_is_done(const struct wrn_reader *reader) {
    return !reader->failed && reader->left == 0;
}

struct wrn_writer wrn_writer(void *out, size_t capacity) {
    return (struct wrn_writer){.out = out, .capacity = capacity};
}

void wrn_write_bytes(struct wrn_writer *writer, const void *bytes, size_t size) {
    if (writer->failed || writer->capacity - writer->size < size) {
        writer->failed = true;
        return;
    }
    if (size > 0) {
        memcpy(writer->out + writer->size, bytes, size);
        writer->size += size;
    }
}

void wrn_write_span(struct wrn_writer *writer, wrn_span bytes) {
    wrn_write_bytes(writer, bytes.data, bytes.size);
}

void wrn_write_u8(struct wrn_writer *writer, uint8_t value) {
    wrn_write_bytes(writer, &value, 1);
}

void wrn_write_u16(struct wrn_writer *writer, uint16_t value) {
    uint8_t bytes[2];
    wrn_store_be16(bytes, value);
    wrn_write_bytes(writer, bytes, sizeof(bytes));
}

void wrn_write_u32(struct wrn_writer *writer, uint32_t value) {
    uint8_t bytes[4];
    wrn_store_be32(bytes, value);
    wrn_write_bytes(writer, bytes, sizeof(bytes));
}

void wrn_write_u64(struct wrn_writer *writer, uint64_t value) {
    uint8_t bytes[8];
    wrn_store_be64(bytes, value);
    wrn_write_bytes(writer, bytes, sizeof(bytes));
}

wrn_span wrn_written(const struct wrn_writer *writer) {
    return writer->failed ? (wrn_span){0} : (wrn_span){writer->out, writer->size};
}
