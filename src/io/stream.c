/* SPDX-License-Identifier: Apache-2.0 */
/* A datagram that came whole is handed out where it lies; only what was cut apart is copied. */
#include "io/stream.h"

#include "base/bytes.h"

static uint32_t size_at(const struct wrn_stream_queue *queue);
static void copy_in(struct wrn_stream_queue *queue, const uint8_t *bytes, size_t size);
static void copy_out(struct wrn_stream_queue *queue, uint8_t *out, size_t size);
static void move(wrn_span *span, size_t size);
static void fill(struct wrn_stream_reader *reader, wrn_span *input, uint32_t until);

int wrn_stream_read(struct wrn_stream_reader *reader, wrn_span *input, uint8_t **ret_datagram) {
    wrn_span whole = *input;
    if (reader->used == WRN_STREAM_FRAME_MAX + 1) {
        return WRN_ERR_MALFORMED; /* it was before */
    }
    bool is_begun = reader->used > 0 || whole.size < WRN_STREAM_HEAD;
    if (is_begun) {
        fill(reader, input, WRN_STREAM_HEAD);
        if (reader->used < WRN_STREAM_HEAD) {
            return 0;
        }
    }
    uint32_t size = wrn_load_be16(is_begun ? reader->bytes : whole.data);
    if (size == 0 || size > WRN_STREAM_DATAGRAM_MAX) {
        reader->used = WRN_STREAM_FRAME_MAX + 1;
        return WRN_ERR_MALFORMED;
    }
    if (!is_begun && whole.size >= WRN_STREAM_HEAD + size) {
        /* the caller's bytes, which it may change */
        *ret_datagram = (uint8_t *)(uintptr_t)(whole.data + WRN_STREAM_HEAD);
        move(input, WRN_STREAM_HEAD + size);
        return (int)size;
    }
    fill(reader, input, WRN_STREAM_HEAD + size);
    if (reader->used < WRN_STREAM_HEAD + size) {
        return 0;
    }
    reader->used = 0;
    *ret_datagram = reader->bytes + WRN_STREAM_HEAD;
    return (int)size;
}

uint32_t wrn_stream_put(struct wrn_stream_queue *queue, wrn_span datagram) {
    uint8_t head[WRN_STREAM_HEAD];
    uint32_t dropped = 0;
    uint32_t needed = WRN_STREAM_HEAD + (uint32_t)datagram.size;
    WRN_ASSERT(datagram.size > 0 && datagram.size <= WRN_STREAM_DATAGRAM_MAX &&
               needed <= queue->size);
    for (; queue->size - queue->used < needed; dropped++) {
        uint32_t oldest = size_at(queue);
        queue->first = (queue->first + oldest) % queue->size;
        queue->used -= oldest;
        queue->count--;
    }
    wrn_store_be16(head, (uint16_t)datagram.size);
    copy_in(queue, head, sizeof head);
    copy_in(queue, datagram.data, datagram.size);
    queue->count++;
    return dropped;
}

size_t wrn_stream_take(struct wrn_stream_queue *queue, uint8_t *out, size_t capacity) {
    size_t taken = 0;
    while (queue->count > 0 && size_at(queue) <= capacity - taken) {
        uint32_t size = size_at(queue);
        copy_out(queue, out + taken, size);
        queue->count--;
        taken += size;
    }
    return taken;
}

/* Bytes of the oldest one, with its length. */
static uint32_t size_at(const struct wrn_stream_queue *queue) {
    uint32_t high = queue->bytes[queue->first];
    uint32_t low = queue->bytes[(queue->first + 1) % queue->size];
    return WRN_STREAM_HEAD + (high << 8 | low);
}

static void copy_in(struct wrn_stream_queue *queue, const uint8_t *bytes, size_t size) {
    uint32_t at = (queue->first + queue->used) % queue->size;
    size_t part = queue->size - at < size ? queue->size - at : size;
    memcpy(queue->bytes + at, bytes, part);
    memcpy(queue->bytes, bytes + part, size - part);
    queue->used += (uint32_t)size;
}

static void copy_out(struct wrn_stream_queue *queue, uint8_t *out, size_t size) {
    size_t part = queue->size - queue->first < size ? queue->size - queue->first : size;
    memcpy(out, queue->bytes + queue->first, part);
    memcpy(out + part, queue->bytes, size - part);
    queue->first = (uint32_t)((queue->first + size) % queue->size);
    queue->used -= (uint32_t)size;
}

static void move(wrn_span *span, size_t size) {
    *span = (wrn_span){span->data + size, span->size - size};
}

/* Copies until the reader holds so many bytes, or the input ends. */
static void fill(struct wrn_stream_reader *reader, wrn_span *input, uint32_t until) {
    size_t missing = until > reader->used ? until - reader->used : 0;
    missing = missing < input->size ? missing : input->size;
    if (missing > 0) {
        memcpy(reader->bytes + reader->used, input->data, missing);
        reader->used += (uint32_t)missing;
        move(input, missing);
    }
}
