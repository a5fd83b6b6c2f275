/* SPDX-License-Identifier: Apache-2.0 */
/* One writer moves 'tail', one reader moves 'head'; both only grow. A record lies in one piece:
 * where the end of the ring is too near, a mark there says that it stands at the beginning.
 *
 * Neither side sleeps through the other's news: the writer stores 'tail' and then looks at 'head',
 * the reader stores 'head' and then looks at 'tail', all in one order that both sides agree on
 * (seq_cst). So either the writer sees that the reader had come to the end, or the reader sees the
 * new record. */
#include "io/ring.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "io/memory.h"

enum {
    CACHE_LINE = 64,
    RECORD_ALIGN = 8,
    SIZE_MIN = 1 << 10,
    SIZE_MAX_LOG = 30,
    GIVEN_BACK_AT_ONCE = 32 << 10, /* whole pages */
};

#define AT_BEGINNING UINT64_MAX

struct wrn_ring {
    uint8_t *bytes;
    size_t size;
    struct { /* the writer's */
        _Alignas(CACHE_LINE) _Atomic uint64_t tail;
        uint64_t published;  /* = tail */
        uint64_t reserved;   /* end of the last record */
        uint64_t head_seen;  /* 'head' when it was last looked at */
        uint64_t given_back; /* so far the memory of what was read went back to the kernel */
    } writer;
    struct { /* the reader's */
        _Alignas(CACHE_LINE) _Atomic uint64_t head;
        uint64_t position;
        uint64_t tail_seen;
    } reader;
};

static void give_back(struct wrn_ring *ring);
static uint64_t *mark_at(const struct wrn_ring *ring, uint64_t position);
static size_t room_of(size_t size);

int wrn_ring_create(size_t size, struct wrn_ring **ret_ring) {
    void *bytes = NULL;
    WRN_ASSERT(size >= SIZE_MIN && size <= (size_t)1 << SIZE_MAX_LOG && (size & (size - 1)) == 0);
    struct wrn_ring *ring = aligned_alloc(CACHE_LINE, sizeof *ring);
    if (ring == NULL || wrn_memory_map(size, &bytes) != 0) {
        free(ring);
        return -ENOMEM;
    }
    memset(ring, 0, sizeof *ring);
    ring->bytes = bytes;
    ring->size = size;
    *ret_ring = ring;
    return 0;
}

void wrn_ring_destroy(struct wrn_ring *ring) {
    if (ring != NULL) {
        wrn_memory_unmap(ring->bytes, ring->size);
        free(ring);
    }
}

void *wrn_ring_reserve(struct wrn_ring *ring, size_t size) {
    uint64_t before = ring->writer.reserved;
    uint64_t at = before;
    size_t room = room_of(size);
    if (size > ring->size / 4) {
        return NULL;
    }
    size_t to_end = ring->size - (size_t)(at & (ring->size - 1));
    size_t skipped = to_end < room ? to_end : 0;
    if (at + skipped + room - ring->writer.head_seen > ring->size) {
        ring->writer.head_seen = atomic_load_explicit(&ring->reader.head, memory_order_acquire);
        if (at + skipped + room - ring->writer.head_seen > ring->size) {
            return NULL;
        }
    }
    if (skipped > 0) {
        *mark_at(ring, at) = AT_BEGINNING;
        at += skipped;
    }
    uint64_t *mark = mark_at(ring, at);
    *mark = size;
    ring->writer.reserved = at + room;
    if (ring->writer.reserved / GIVEN_BACK_AT_ONCE != before / GIVEN_BACK_AT_ONCE) {
        give_back(ring);
    }
    return mark + 1;
}

bool wrn_ring_publish(struct wrn_ring *ring) {
    uint64_t before = ring->writer.published;
    if (ring->writer.reserved == before) {
        return false;
    }
    ring->writer.published = ring->writer.reserved;
    atomic_store_explicit(&ring->writer.tail, ring->writer.reserved, memory_order_seq_cst);
    return atomic_load_explicit(&ring->reader.head, memory_order_seq_cst) == before;
}

void *wrn_ring_first(struct wrn_ring *ring, size_t *ret_size) {
    if (ring->reader.position == ring->reader.tail_seen) {
        ring->reader.tail_seen = atomic_load_explicit(&ring->writer.tail, memory_order_seq_cst);
        if (ring->reader.position == ring->reader.tail_seen) {
            return NULL;
        }
    }
    uint64_t *mark = mark_at(ring, ring->reader.position);
    if (*mark == AT_BEGINNING) { /* never the last thing: a record follows it */
        ring->reader.position += ring->size - (size_t)(ring->reader.position & (ring->size - 1));
        mark = mark_at(ring, ring->reader.position);
    }
    *ret_size = (size_t)*mark;
    return mark + 1;
}

void wrn_ring_release(struct wrn_ring *ring) {
    ring->reader.position += room_of((size_t)*mark_at(ring, ring->reader.position));
    atomic_store_explicit(&ring->reader.head, ring->reader.position, memory_order_seq_cst);
}

/* Else every large ring would become resident as a whole sooner or later, however little it is
 * used. What was read belongs to the writer, and nothing stands there again as long as not a whole
 * round was written since. */
static void give_back(struct wrn_ring *ring) {
    uint64_t head = atomic_load_explicit(&ring->reader.head, memory_order_acquire);
    uint64_t at = ring->writer.given_back;
    uint64_t end = head - head % GIVEN_BACK_AT_ONCE;
    bool is_free = ring->writer.reserved - at <= ring->size;
    ring->writer.head_seen = head;
    ring->writer.given_back = end;
    while (is_free && at < end) {
        size_t offset = (size_t)(at & (ring->size - 1));
        size_t to_end = ring->size - offset;
        size_t piece = to_end < end - at ? to_end : (size_t)(end - at);
        wrn_memory_discard(ring->bytes + offset, piece);
        at += piece;
    }
}

static uint64_t *mark_at(const struct wrn_ring *ring, uint64_t position) {
    return (uint64_t *)(void *)(ring->bytes + (position & (ring->size - 1)));
}

static size_t room_of(size_t size) {
    return sizeof(uint64_t) + wrn_align_up(size, RECORD_ALIGN);
}
