/* SPDX-License-Identifier: Apache-2.0 */
/* Binary heap of deadlines, one node per machine, embedded in its owner. Equal deadlines come out
 * in the order in which they were set, so that runs can be replayed. */
#pragma once
#include "base/arena.h"
#include "base/clock.h"

struct wrn_heap_node {
    wrn_mono due;
    uint32_t sequence; /* tie-break: order of wrn_heap_set calls; wraps */
    uint32_t place;    /* index in the heap + 1; 0: not in the heap */
};

struct wrn_heap {
    struct wrn_heap_node **nodes;
    uint32_t next_sequence;
    uint32_t count;
    uint32_t capacity;
};

/* Takes room for 'capacity' nodes from 'arena'. */
void wrn_heap_init(struct wrn_heap *heap, struct wrn_arena *arena, uint32_t capacity);

/* Sets the deadline of 'node' (inserting or moving it). WRN_MONO_NEVER removes it. O(log n).
 * 'node' must start zeroed and must not move in memory while it is in the heap. */
void wrn_heap_set(struct wrn_heap *heap, struct wrn_heap_node *node, wrn_mono due);

/* Removes 'node' if it is in the heap. */
void wrn_heap_remove(struct wrn_heap *heap, struct wrn_heap_node *node);

/* Returns the node with the earliest deadline, or NULL. */
struct wrn_heap_node *wrn_heap_first(const struct wrn_heap *heap);
