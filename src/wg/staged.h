/* SPDX-License-Identifier: Apache-2.0 */
/* Packets that wait for a handshake: copies in chains of fixed blocks, bounded a queue and in
 * total. Pure data structure, memory from an arena. */
#pragma once
#include "base/arena.h"

enum { WRN_STAGED_BLOCK_SIZE = 2048 };

struct wrn_staged_block; /* private */

struct wrn_staged_pool {
    struct wrn_staged_block *blocks;
    uint32_t free_head; /* number of a block: index + 1; 0: none */
    uint32_t touched;   /* blocks used at least once */
    uint32_t used;
    uint32_t capacity;
    uint32_t queue_blocks_max; /* what one queue may hold, so that none starves the others */
};

/* First come, first served. Zero-initialise. */
struct wrn_staged_queue {
    uint32_t head; /* first block of the first packet, 0: empty */
    uint32_t tail; /* first block of the last packet */
    uint32_t count;
    uint32_t blocks;
};

/* Takes room for about 'size' bytes of packets from 'arena'. */
void wrn_staged_pool_init(struct wrn_staged_pool *pool, struct wrn_arena *arena, size_t size);

/* Appends a copy of 'packet' (0..65,535 bytes). While 'count_max' packets wait already, or the
 * queue or the pool has no room, the oldest of this queue give way.
 * 'ret_dropped' counts the packets that gave way, the new one included if even that did not help.
 * */
void wrn_staged_push(struct wrn_staged_pool *pool, struct wrn_staged_queue *queue, wrn_span packet,
                     uint32_t count_max, uint32_t *ret_dropped);

/* Returns the size of the first packet in bytes; the queue must not be empty. */
size_t wrn_staged_first_size(const struct wrn_staged_pool *pool,
                             const struct wrn_staged_queue *queue);

/* Moves the first packet to 'bytes', which must have room for it. The queue must not be empty. */
void wrn_staged_pop(struct wrn_staged_pool *pool, struct wrn_staged_queue *queue, uint8_t *bytes);

/* Throws all packets of a queue away; returns how many they were. */
uint32_t wrn_staged_clear(struct wrn_staged_pool *pool, struct wrn_staged_queue *queue);
