/* SPDX-License-Identifier: Apache-2.0 */
/* Pools of packets: one for each size class, cut from blocks that are freed at the end. */
#include "sim/packet.h"

#include "base/bytes.h"
#include "sim/asan.h" /* with it who reads behind a datagram is caught, pools or not */
#include "sim/memory.h"

static const struct {
    uint32_t room;
    uint32_t a_block;
} pools[SIM_PACKET_POOLS] = {{256, 256}, {1536, 64}, {UINT16_MAX, 1}};

static void add_block(struct sim_packets *packets, uint8_t pool);
static void forbid(struct sim_packet *packet, size_t readable);

struct sim_packet *sim_packet_take(struct sim_packets *packets, size_t size) {
    uint8_t pool = 0;
    WRN_ASSERT(size <= UINT16_MAX);
    while (size > pools[pool].room) {
        pool++;
    }
    if (packets->free[pool] == NULL) {
        add_block(packets, pool);
    }
    struct sim_packet *packet = packets->free[pool];
    packets->free[pool] = packet->next_free;
    packets->live++;
    memset(&packet->event, 0, sizeof packet->event);
    packet->size = (uint16_t)size;
    forbid(packet, size);
    return packet;
}

void sim_packet_give(struct sim_packets *packets, struct sim_packet *packet) {
    WRN_ASSERT(!sim_is_set(&packet->event));
    forbid(packet, 0);
    packet->next_free = packets->free[packet->pool];
    packets->free[packet->pool] = packet;
    packets->live--;
}

void sim_packets_finish(struct sim_packets *packets) {
    for (uint32_t i = 0; i < packets->block_count; i++) {
        free(packets->blocks[i]);
    }
    free(packets->blocks);
    *packets = (struct sim_packets){0};
}

static void add_block(struct sim_packets *packets, uint8_t pool) {
    size_t stride =
        wrn_align_up(sizeof(struct sim_packet) + pools[pool].room, _Alignof(struct sim_packet));
    packets->blocks = sim_grow(packets->blocks, packets->block_count, &packets->block_capacity,
                               sizeof *packets->blocks);
    uint8_t *block = sim_take(pools[pool].a_block, stride);
    packets->blocks[packets->block_count++] = block;
    for (uint32_t i = pools[pool].a_block; i-- > 0;) {
        struct sim_packet *packet = (struct sim_packet *)(void *)(block + i * stride);
        packet->pool = pool;
        packet->next_free = packets->free[pool];
        packets->free[pool] = packet;
    }
}

/* Lets the first bytes be read and written, and no others of the packet's room. */
static void forbid(struct sim_packet *packet, size_t readable) {
#ifdef HAS_ASAN
    ASAN_UNPOISON_MEMORY_REGION(packet->bytes, readable);
    ASAN_POISON_MEMORY_REGION(packet->bytes + readable, pools[packet->pool].room - readable);
#else
    (void)packet;
    (void)readable;
#endif
}
