/* SPDX-License-Identifier: Apache-2.0 */
/* A heap of four children, ordered by (due, sequence). Does not know what its nodes are for. */
#include "sim/queue.h"

#include "sim/memory.h"

enum { CHILDREN = 4 };

static bool is_before(const struct sim_queued *a, const struct sim_queued *b);
static void put(struct sim_queue *queue, uint32_t index, const struct sim_queued *queued);
static void sift(struct sim_queue *queue, uint32_t index, struct sim_queued queued);
static uint32_t first_child(const struct sim_queue *queue, uint32_t index);

void sim_queue_set(struct sim_queue *queue, struct sim_queue_node *node, wrn_mono due) {
    if (due.ns == UINT64_MAX) {
        sim_queue_remove(queue, node);
        return;
    }
    if (node->place == 0) {
        queue->all = sim_grow(queue->all, queue->count, &queue->capacity, sizeof *queue->all);
        queue->count++;
        node->place = queue->count;
    }
    WRN_ASSERT(node->place <= queue->count);
    sift(queue, node->place - 1, (struct sim_queued){due.ns, queue->next_sequence++, node});
}

void sim_queue_remove(struct sim_queue *queue, struct sim_queue_node *node) {
    if (node->place == 0) {
        return;
    }
    uint32_t index = node->place - 1;
    WRN_ASSERT(index < queue->count && queue->all[index].node == node);
    node->place = 0;
    queue->count--;
    if (index < queue->count) {
        sift(queue, index, queue->all[queue->count]);
    }
}

struct sim_queue_node *sim_queue_first(const struct sim_queue *queue, wrn_mono *ret_due) {
    if (queue->count == 0) {
        return NULL;
    }
    *ret_due = (wrn_mono){queue->all[0].due_ns};
    return queue->all[0].node;
}

void sim_queue_finish(struct sim_queue *queue) {
    free(queue->all);
    *queue = (struct sim_queue){0};
}

static bool is_before(const struct sim_queued *a, const struct sim_queued *b) {
    return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->sequence < b->sequence;
}

static void put(struct sim_queue *queue, uint32_t index, const struct sim_queued *queued) {
    queue->all[index] = *queued;
    queued->node->place = index + 1;
}

/* Moves the hole at 'index' to where 'queued' belongs, and puts it there. */
static void sift(struct sim_queue *queue, uint32_t index, struct sim_queued queued) {
    uint32_t hole = index;
    while (hole > 0 && is_before(&queued, &queue->all[(hole - 1) / CHILDREN])) {
        put(queue, hole, &queue->all[(hole - 1) / CHILDREN]);
        hole = (hole - 1) / CHILDREN;
    }
    while (hole == index) { /* it did not go up */
        uint32_t child = first_child(queue, hole);
        if (child == 0 || !is_before(&queue->all[child], &queued)) {
            break;
        }
        put(queue, hole, &queue->all[child]);
        hole = index = child;
    }
    put(queue, hole, &queued);
}

/* The child that comes first of all; 0 if there is none. */
static uint32_t first_child(const struct sim_queue *queue, uint32_t index) {
    uint32_t first = index * CHILDREN + 1;
    uint32_t end = first + CHILDREN < queue->count ? first + CHILDREN : queue->count;
    uint32_t best = first < end ? first : 0;
    for (uint32_t child = first + 1; child < end; child++) {
        best = is_before(&queue->all[child], &queue->all[best]) ? child : best;
    }
    return best;
}
