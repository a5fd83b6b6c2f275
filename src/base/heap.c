/* SPDX-License-Identifier: Apache-2.0 */
/* Binary min-heap of deadlines, ordered by (due, sequence). Does not know what they are for. */
#include "base/heap.h"

static bool is_before(const struct wrn_heap_node *a, const struct wrn_heap_node *b);
static void put(struct wrn_heap *heap, uint32_t index, struct wrn_heap_node *node);
static void sift(struct wrn_heap *heap, uint32_t index, struct wrn_heap_node *node);
static uint32_t sift_up(struct wrn_heap *heap, uint32_t index, const struct wrn_heap_node *node);
static uint32_t sift_down(struct wrn_heap *heap, uint32_t index, const struct wrn_heap_node *node);

void wrn_heap_init(struct wrn_heap *heap, struct wrn_arena *arena, uint32_t capacity) {
    WRN_ASSERT(capacity < UINT32_MAX / 2);
    heap->nodes = wrn_arena_take(arena, capacity, sizeof(struct wrn_heap_node *));
    heap->next_sequence = 0;
    heap->count = 0;
    heap->capacity = capacity;
}

void wrn_heap_set(struct wrn_heap *heap, struct wrn_heap_node *node, wrn_mono due) {
    if (due.ns == UINT64_MAX) {
        wrn_heap_remove(heap, node);
        node->due = due;
        return;
    }
    node->due = due;
    node->sequence = heap->next_sequence++;
    if (node->place == 0) {
        WRN_ASSERT(heap->count < heap->capacity);
        heap->count++;
        node->place = heap->count;
    }
    WRN_ASSERT(node->place <= heap->count);
    sift(heap, node->place - 1, node);
}

void wrn_heap_remove(struct wrn_heap *heap, struct wrn_heap_node *node) {
    if (node->place == 0) {
        return;
    }
    uint32_t index = node->place - 1;
    WRN_ASSERT(index < heap->count && heap->nodes[index] == node);
    node->place = 0;
    heap->count--;
    if (index < heap->count) {
        sift(heap, index, heap->nodes[heap->count]);
    }
}

struct wrn_heap_node *wrn_heap_first(const struct wrn_heap *heap) {
    return heap->count > 0 ? heap->nodes[0] : NULL;
}

static bool is_before(const struct wrn_heap_node *a, const struct wrn_heap_node *b) {
    return a->due.ns != b->due.ns ? a->due.ns < b->due.ns
                                  : (int32_t)(a->sequence - b->sequence) < 0;
}

static void put(struct wrn_heap *heap, uint32_t index, struct wrn_heap_node *node) {
    heap->nodes[index] = node;
    node->place = index + 1;
}

/* Moves the hole at 'index' to where 'node' belongs and puts it there. */
static void sift(struct wrn_heap *heap, uint32_t index, struct wrn_heap_node *node) {
    uint32_t up = sift_up(heap, index, node);
    put(heap, up < index ? up : sift_down(heap, index, node), node);
}

static uint32_t sift_up(struct wrn_heap *heap, uint32_t index, const struct wrn_heap_node *node) {
    while (index > 0) {
        uint32_t parent = (index - 1) / 2;
        if (!is_before(node, heap->nodes[parent])) {
            break;
        }
        put(heap, index, heap->nodes[parent]);
        index = parent;
    }
    return index;
}

static uint32_t sift_down(struct wrn_heap *heap, uint32_t index, const struct wrn_heap_node *node) {
    for (;;) {
        uint32_t child = 2 * index + 1;
        if (child >= heap->count) {
            break;
        }
        if (child + 1 < heap->count && is_before(heap->nodes[child + 1], heap->nodes[child])) {
            child++;
        }
        if (!is_before(heap->nodes[child], node)) {
            break;
        }
        put(heap, index, heap->nodes[child]);
        index = child;
    }
    return index;
}
