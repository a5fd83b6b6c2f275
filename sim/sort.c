/* SPDX-License-Identifier: Apache-2.0 */
/* Heap sort of elements of any size. */
#include "sim/sort.h"

struct heap {
    uint8_t *elements;
    size_t size;
    int (*compare)(const void *a, const void *b);
};

static void sink(const struct heap *heap, uint32_t count, uint32_t at);
static void swap(const struct heap *heap, uint32_t a, uint32_t b);

void sim_sort(void *elements, uint32_t count, size_t size,
              int (*compare)(const void *a, const void *b)) {
    struct heap heap = {elements, size, compare};
    WRN_ASSERT(size <= SIM_SORT_SIZE_MAX && count < UINT32_MAX / 2);
    for (uint32_t i = count / 2; i-- > 0;) {
        sink(&heap, count, i);
    }
    for (uint32_t last = count; last-- > 1;) {
        swap(&heap, 0, last);
        sink(&heap, last, 0);
    }
}

static void sink(const struct heap *heap, uint32_t count, uint32_t at) {
    for (uint32_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
        const uint8_t *first = heap->elements + child * heap->size;
        if (child + 1 < count && heap->compare(first + heap->size, first) > 0) {
            child++;
        }
        if (heap->compare(heap->elements + child * heap->size, heap->elements + at * heap->size) <=
            0) {
            return;
        }
        swap(heap, at, child);
        at = child;
    }
}

static void swap(const struct heap *heap, uint32_t a, uint32_t b) {
    uint8_t kept[SIM_SORT_SIZE_MAX];
    uint8_t *x = heap->elements + a * heap->size, *y = heap->elements + b * heap->size;
    memcpy(kept, x, heap->size);
    memmove(x, y, heap->size);
    memcpy(y, kept, heap->size);
}
