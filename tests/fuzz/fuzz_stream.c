/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes datagrams in a stream: cut up as the first byte says they come out the same as in one
 * piece, within their bounds, and what went through a queue is what went into it. */
#include "fuzz.h"

#include <stdlib.h>

#include "io/stream.h"

enum { FEEDS_MAX = 1 << 12 };

struct told {
    size_t count, bytes;
    uint32_t sum;
    bool is_malformed;
};

static void note(struct told *told, const uint8_t *datagram, int size) {
    WRN_ASSERT(size <= WRN_STREAM_DATAGRAM_MAX);
    told->count++;
    told->bytes += (size_t)size;
    for (int i = 0; i < size; i++) {
        told->sum = told->sum * 31 + datagram[i];
    }
}

static void read_all(struct wrn_stream_reader *reader, wrn_span part, struct told *told,
                     struct wrn_stream_queue *queue) {
    uint8_t *datagram = NULL;
    int size;
    while ((size = wrn_stream_read(reader, &part, &datagram)) > 0) {
        note(told, datagram, size);
        if (queue != NULL) {
            WRN_ASSERT(wrn_stream_put(queue, (wrn_span){datagram, (size_t)size}) == 0);
        }
    }
    WRN_ASSERT(size == WRN_ERR_MALFORMED || part.size == 0);
    told->is_malformed = size != 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t room[FEEDS_MAX * 4], out[FEEDS_MAX * 4];
    struct wrn_stream_reader whole = {0}, cut = {0}, back = {0};
    struct told told = {0}, again = {0}, third = {0};
    struct wrn_stream_queue queue = {.bytes = room, .size = sizeof room, .first = 4000};
    if (size < 1 || size > FEEDS_MAX) {
        return 0;
    }
    size_t step = (size_t)data[0] + 1;
    uint8_t *copy = malloc(size); /* of its own size, so that reading on is noticed */
    WRN_ASSERT(copy);
    memcpy(copy, data, size);
    read_all(&whole, (wrn_span){copy + 1, size - 1}, &told, &queue);
    for (size_t at = 1; at < size && !again.is_malformed; at += step) {
        size_t part = size - at < step ? size - at : step;
        read_all(&cut, (wrn_span){copy + at, part}, &again, NULL);
    }
    WRN_ASSERT(told.count == again.count && told.bytes == again.bytes && told.sum == again.sum &&
               told.is_malformed == again.is_malformed);
    size_t taken = wrn_stream_take(&queue, out, sizeof out);
    read_all(&back, (wrn_span){out, taken}, &third, NULL);
    WRN_ASSERT(!third.is_malformed && third.count == told.count && third.sum == told.sum);
    free(copy);
    return 0;
}
