/* SPDX-License-Identifier: Apache-2.0 */
/* The queue of a world's events: what wrn_heap does, for millions of them. Deadlines stand in the
 * queue itself, four to a parent, so that finding a place touches few lines of the cache. */
#pragma once
#include "base/clock.h"

/* In the event. */
struct sim_queue_node {
    uint32_t place; /* index in the queue + 1; 0: not in it */
};

struct sim_queued {
    uint64_t due_ns;
    uint64_t sequence; /* order of setting, among those of one moment */
    struct sim_queue_node *node;
};

/* Starts zeroed. */
struct sim_queue {
    struct sim_queued *all;
    uint64_t next_sequence;
    uint32_t count;
    uint32_t capacity;
};

/* Sets when 'node' comes (inserting or moving it); WRN_MONO_NEVER removes it. O(log n). 'node' must
 * start zeroed and must not move in memory while it is in the queue. */
void sim_queue_set(struct sim_queue *queue, struct sim_queue_node *node, wrn_mono due);

/* Removes it if it is in the queue. */
void sim_queue_remove(struct sim_queue *queue, struct sim_queue_node *node);

/* Returns the next one and when it comes, or NULL. */
struct sim_queue_node *sim_queue_first(const struct sim_queue *queue, wrn_mono *ret_due);

/* Frees the queue, not what is in it. */
void sim_queue_finish(struct sim_queue *queue);
