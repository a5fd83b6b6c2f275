/* SPDX-License-Identifier: Apache-2.0 */
/* Packets that wait for a handshake. Blocks are numbered from 1 so that zeroed memory means "none".
 * */
#include "wg/staged.h"

enum { BLOCK_HEADER_SIZE = 12, BLOCK_DATA_SIZE = WRN_STAGED_BLOCK_SIZE - BLOCK_HEADER_SIZE };

struct wrn_staged_block {
    uint32_t next;        /* of the same packet, or of the free chain */
    uint32_t next_packet; /* first blocks only: first block of the packet behind */
    uint32_t packet_size; /* first blocks only */
    uint8_t data[BLOCK_DATA_SIZE];
};
static_assert(sizeof(struct wrn_staged_block) == WRN_STAGED_BLOCK_SIZE, "blocks fill their slots");

enum { QUEUE_SHARE = 8, PACKET_BLOCKS_MAX = 65535 / BLOCK_DATA_SIZE + 1 };

static struct wrn_staged_block *block_at(const struct wrn_staged_pool *pool, uint32_t number);
static uint32_t blocks_of(size_t size);
static uint32_t take_block(struct wrn_staged_pool *pool);
static void drop_first(struct wrn_staged_pool *pool, struct wrn_staged_queue *queue);

void wrn_staged_pool_init(struct wrn_staged_pool *pool, struct wrn_arena *arena, size_t size) {
    size_t count = size / WRN_STAGED_BLOCK_SIZE;
    memset(pool, 0, sizeof *pool);
    pool->capacity = (uint32_t)(count > PACKET_BLOCKS_MAX ? count : PACKET_BLOCKS_MAX);
    pool->queue_blocks_max = pool->capacity / QUEUE_SHARE;
    if (pool->queue_blocks_max < PACKET_BLOCKS_MAX) {
        pool->queue_blocks_max = PACKET_BLOCKS_MAX;
    }
    pool->blocks = wrn_arena_take(arena, pool->capacity, sizeof *pool->blocks);
}

void wrn_staged_push(struct wrn_staged_pool *pool, struct wrn_staged_queue *queue, wrn_span packet,
                     uint32_t count_max, uint32_t *ret_dropped) {
    uint32_t need = blocks_of(packet.size);
    uint32_t dropped = 0;

    while (queue->count > 0 &&
           (queue->count >= count_max || queue->blocks + need > pool->queue_blocks_max ||
            pool->used + need > pool->capacity)) {
        drop_first(pool, queue);
        dropped++;
    }
    if (pool->used + need > pool->capacity) {
        *ret_dropped = dropped + 1; /* others hold the pool, and this queue has nothing to give */
        return;
    }
    uint32_t first = 0;
    struct wrn_staged_block *last = NULL;
    for (size_t done = 0; last == NULL || done < packet.size; done += BLOCK_DATA_SIZE) {
        uint32_t number = take_block(pool);
        struct wrn_staged_block *block = block_at(pool, number);
        size_t part = packet.size - done;
        *(last == NULL ? &first : &last->next) = number;
        if (part > 0) {
            memcpy(block->data, packet.data + done,
                   part < BLOCK_DATA_SIZE ? part : BLOCK_DATA_SIZE);
        }
        last = block;
    }
    block_at(pool, first)->packet_size = (uint32_t)packet.size;
    if (queue->head == 0) {
        queue->head = first;
    } else {
        block_at(pool, queue->tail)->next_packet = first;
    }
    queue->tail = first;
    queue->count++;
    queue->blocks += need;
    *ret_dropped = dropped;
}

size_t wrn_staged_first_size(const struct wrn_staged_pool *pool,
                             const struct wrn_staged_queue *queue) {
    return block_at(pool, queue->head)->packet_size;
}

void wrn_staged_pop(struct wrn_staged_pool *pool, struct wrn_staged_queue *queue, uint8_t *bytes) {
    const struct wrn_staged_block *block = block_at(pool, queue->head);
    size_t left = block->packet_size;
    while (left > 0) {
        size_t part = left < BLOCK_DATA_SIZE ? left : BLOCK_DATA_SIZE;
        memcpy(bytes, block->data, part);
        bytes += part;
        left -= part;
        if (left > 0) {
            block = block_at(pool, block->next);
        }
    }
    drop_first(pool, queue);
}

uint32_t wrn_staged_clear(struct wrn_staged_pool *pool, struct wrn_staged_queue *queue) {
    uint32_t count = queue->count;
    while (queue->count > 0) {
        drop_first(pool, queue);
    }
    return count;
}

static struct wrn_staged_block *block_at(const struct wrn_staged_pool *pool, uint32_t number) {
    WRN_ASSERT(number >= 1 && number <= pool->touched);
    return &pool->blocks[number - 1];
}

/* An empty packet (a keepalive that waits) takes a block too. */
static uint32_t blocks_of(size_t size) {
    return size == 0 ? 1 : (uint32_t)((size + BLOCK_DATA_SIZE - 1) / BLOCK_DATA_SIZE);
}

static uint32_t take_block(struct wrn_staged_pool *pool) {
    uint32_t number = pool->free_head;
    if (number != 0) {
        pool->free_head = block_at(pool, number)->next;
    } else {
        WRN_ASSERT(pool->touched < pool->capacity);
        number = ++pool->touched;
    }
    struct wrn_staged_block *block = block_at(pool, number);
    block->next = 0;
    block->next_packet = 0;
    block->packet_size = 0;
    pool->used++;
    return number;
}

static void drop_first(struct wrn_staged_pool *pool, struct wrn_staged_queue *queue) {
    uint32_t number = queue->head;
    struct wrn_staged_block *first = block_at(pool, number);
    uint32_t count = blocks_of(first->packet_size);

    queue->head = first->next_packet;
    if (queue->head == 0) {
        queue->tail = 0;
    }
    queue->count--;
    queue->blocks -= count;
    for (uint32_t i = 0; i < count; i++) {
        struct wrn_staged_block *block = block_at(pool, number);
        uint32_t next = block->next;
        memset(block->data, 0, sizeof block->data); /* plaintext does not linger */
        block->next = pool->free_head;
        pool->free_head = number;
        pool->used--;
        number = next;
    }
}
