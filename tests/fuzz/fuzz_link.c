/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: no frame makes clamping, cutting up or joining read or write outside of it; clamping
 * changes four bytes at most and keeps the sum right; what is joined can be undone. Method: the
 * first byte chooses how large frames may be, the next ten are a virtio header, the rest is the
 * frame, in memory of its own size; joined with itself. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "packet/coalesce.h"
#include "packet/frame.h"
#include "packet/split.h"
#include "unit/packet/model.h"

enum { SEGMENTS_CHECKED = 64, COPIES = 3 };

/* What must hold for any input, in every build. */
#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static uint8_t *exact(const uint8_t *bytes, size_t size) {
    uint8_t *copy = malloc(size > 0 ? size : 1);
    HOLDS(copy != NULL);
    if (size > 0) {
        memcpy(copy, bytes, size);
    }
    return copy;
}

static void clamp(const uint8_t *data, size_t size, uint32_t frame_max) {
    uint8_t *frame = exact(data, size);
    size_t changed = 0;
    bool is_syn = wrn_frame_is_syn(frame, size);
    bool was_changed = wrn_frame_clamp_mss(frame, size, frame_max);
    for (size_t i = 0; i < size; i++) {
        changed += frame[i] != data[i];
    }
    HOLDS(is_syn || !was_changed);
    HOLDS(was_changed ? changed >= 1 && changed <= 4 : changed == 0);
    HOLDS(!wrn_frame_clamp_mss(frame, size, frame_max));
    if (was_changed) {
        uint16_t type;
        size_t ip = wrn_frame_link_size(frame, size, &type);
        size_t tcp = model_l4_at(frame + ip) + ip;
        /* the sum over the header is as right, or as wrong, as it was */
        HOLDS(model_checksum(data + tcp, size - tcp, 0) % 65535 ==
              model_checksum(frame + tcp, size - tcp, 0) % 65535);
    }
    free(frame);
}

static void cut(const uint8_t *data, size_t size, const struct wrn_virtio *header) {
    uint8_t *frame = exact(data, size);
    struct wrn_split split;
    if (wrn_split_begin_frame(&split, header, frame, size) == 0 && split.count > 1) {
        for (uint32_t i = 0; i < split.count; i++) {
            if (i < SEGMENTS_CHECKED || i + SEGMENTS_CHECKED > split.count) {
                uint8_t *segment = malloc(wrn_split_frame_size(&split, i));
                HOLDS(segment != NULL);
                wrn_split_write_frame(&split, i, segment);
                HOLDS(memcmp(segment, data, split.link_size) == 0);
                free(segment);
            }
        }
    }
    free(frame);
}

static void join(const uint8_t *data, size_t size) {
    static struct wrn_coalescer coalescer;
    struct iovec frames[COPIES], undone[WRN_COALESCE_MAX];
    for (size_t i = 0; i < COPIES; i++) {
        frames[i] = (struct iovec){exact(data, size), size};
    }
    wrn_coalesce_frames(&coalescer, frames, COPIES, WRN_COALESCE_ALL);
    size_t seen = 0;
    for (uint32_t out = 0; out < coalescer.count; out++) {
        seen += wrn_coalesce_undo(&coalescer, out, undone);
    }
    HOLDS(seen == COPIES);
    for (size_t i = 0; i < COPIES; i++) {
        HOLDS(size == 0 || memcmp(frames[i].iov_base, data, size) == 0);
        free(frames[i].iov_base);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct wrn_virtio header;
    if (size < 1 + WRN_VIRTIO_SIZE || size > 1 + WRN_VIRTIO_SIZE + 65557) {
        return 0;
    }
    uint32_t frame_max = data[0] * 8u;
    wrn_virtio_read(data + 1, &header);
    data += 1 + WRN_VIRTIO_SIZE;
    size -= 1 + WRN_VIRTIO_SIZE;
    clamp(data, size, frame_max);
    cut(data, size, &header);
    join(data, size);
    return 0;
}
