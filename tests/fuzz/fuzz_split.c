/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: no virtio header and no packet make cutting up read or write outside of what it was given,
 * and what it accepts it cuts as the slow version does. Method: the first byte of the input says
 * whether the partial sum is put right, the next ten are the header, the rest is the packet, in
 * memory of its own size; so is each segment. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "packet/split.h"
#include "unit/packet/model.h"

enum { SEGMENTS_CHECKED = 64, WITH_SUM = 1 };

static void put_sum(const struct wrn_virtio *header, uint8_t *packet, size_t size);
static void check_single(const struct wrn_virtio *header, const uint8_t *packet,
                         const uint8_t *before, size_t size);
static void check_segment(const struct wrn_split *split, const struct wrn_virtio *header,
                          uint32_t index, bool has_sum);
static void *exact(const uint8_t *bytes, size_t size);

/* What must hold for any input, in every build. */
#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1 + WRN_VIRTIO_SIZE || size > 1 + WRN_VIRTIO_SIZE + 65600) {
        return 0;
    }
    struct wrn_virtio header;
    bool has_sum = (data[0] & WITH_SUM) != 0;
    wrn_virtio_read(data + 1, &header);
    data += 1 + WRN_VIRTIO_SIZE;
    size -= 1 + WRN_VIRTIO_SIZE;
    uint8_t *packet = exact(data, size);
    if (has_sum) {
        put_sum(&header, packet, size);
    }
    uint8_t *before = exact(packet, size);
    struct wrn_split split;
    int error = wrn_split_begin(&split, &header, packet, size);
    HOLDS(error == 0 || error == WRN_ERR_MALFORMED);
    if (error != 0) {
        HOLDS(memcmp(packet, before, size) == 0);
    } else if (split.count == 1) {
        HOLDS(wrn_split_size(&split, 0) == size);
        check_single(&header, packet, before, size);
    } else {
        HOLDS(split.count <= UINT16_MAX && split.mss == header.gso_size);
        HOLDS(split.header_size + (uint64_t)(split.count - 1) * split.mss < size);
        HOLDS(split.header_size + (uint64_t)split.count * split.mss >= size);
        for (uint32_t i = 0; i < split.count; i++) {
            if (i < SEGMENTS_CHECKED || i + SEGMENTS_CHECKED > split.count) {
                check_segment(&split, &header, i, has_sum);
            }
        }
    }
    free(before);
    free(packet);
    return 0;
}

/* If there is a packet of TCP or UDP where the header says, gives it a right partial sum. */
static void put_sum(const struct wrn_virtio *header, uint8_t *packet, size_t size) {
    size_t at = header->checksum_start, field = at + header->checksum_offset;
    if (size < 20 || at < 20 || field + 2 > size) {
        return;
    }
    bool is_v6 = packet[0] >> 4 == 6;
    if ((is_v6 && at < 40) || (packet[0] >> 4 != 4 && !is_v6)) {
        return;
    }
    uint8_t pseudo[40] = {0};
    size_t addresses = is_v6 ? 32 : 8;
    memcpy(pseudo, packet + (is_v6 ? 8 : 12), addresses);
    wrn_store_be32(pseudo + addresses, (uint32_t)(size - at));
    pseudo[addresses + 7] = (header->gso_type & 127) == WRN_VIRTIO_GSO_UDP ? 17 : 6;
    wrn_store_be16(packet + field, (uint16_t)~model_checksum(pseudo, sizeof pseudo, 0));
}

/* One field at most changed, and it is right. */
static void check_single(const struct wrn_virtio *header, const uint8_t *packet,
                         const uint8_t *before, size_t size) {
    if ((header->flags & WRN_VIRTIO_NEEDS_CHECKSUM) == 0) {
        HOLDS(memcmp(packet, before, size) == 0);
        return;
    }
    size_t start = header->checksum_start, field = start + header->checksum_offset;
    HOLDS(start >= 20 && field + 2 <= size);
    HOLDS(memcmp(packet, before, field) == 0);
    HOLDS(memcmp(packet + field + 2, before + field + 2, size - field - 2) == 0);
    uint16_t sum = model_checksum(before + start, size - start, 0);
    HOLDS(wrn_load_be16(packet + field) == (sum == 0 ? UINT16_MAX : sum));
}

/* Without a right partial sum, all but the checksum must be as the slow version has it. */
static void check_segment(const struct wrn_split *split, const struct wrn_virtio *header,
                          uint32_t index, bool has_sum) {
    static uint8_t expected[MODEL_SIZE_MAX];
    bool is_udp = header->gso_type == WRN_VIRTIO_GSO_UDP;
    struct wrn_virtio clean = *header;
    clean.checksum_start = split->l4_at; /* which a header without NEEDS_CHECKSUM may lack */
    clean.gso_type &= (uint8_t)~WRN_VIRTIO_GSO_ECN;
    size_t size = wrn_split_size(split, index);
    size_t field = split->l4_at + (is_udp ? 6u : 16u);
    HOLDS(size > split->header_size && size <= split->header_size + split->mss);
    uint8_t *segment = malloc(size);
    HOLDS(segment != NULL);
    wrn_split_write(split, index, segment);
    HOLDS(model_cut(&clean, split->packet, split->size, index, expected) == size);
    if (!has_sum) {
        memcpy(expected + field, segment + field, 2);
    }
    HOLDS(memcmp(segment, expected, size) == 0);
    free(segment);
}

static void *exact(const uint8_t *bytes, size_t size) {
    uint8_t *copy = malloc(size > 0 ? size : 1);
    HOLDS(copy != NULL);
    if (size > 0) {
        memcpy(copy, bytes, size);
    }
    return copy;
}
