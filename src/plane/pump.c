/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of a packet path. Touched only where packets reach, so that a quiet worker costs
 * little. */
#include "plane/pump.h"

#include "crypto/crypto.h"
#include "io/memory.h"
#include "io/random.h"

/* Packets stay in here during a call only, so both directions use the same memory: fewer pages
 * become resident, and what is used is still in the caches. */
enum {
    FIRST_WANTED = 2,
    MESSAGE_SLOTS = 2048, /* addresses that may come at once, 32 bytes each */
    FRAME_SLOTS = 512,
    OUTBOUND_SIZE = WRN_OUTBOUND_SEALING + WRN_OUTBOUND_LANDING + WRN_OUTBOUND_COPIES,
    INBOUND_SIZE = WRN_PUMP_ROOMS * WRN_INBOUND_ROOM,
    BUFFERS_SIZE = (int)INBOUND_SIZE > (int)OUTBOUND_SIZE ? (int)INBOUND_SIZE : (int)OUTBOUND_SIZE,
};

/* The machine works on 500 handshakes a second without a cookie. Of one address it works on 20 with
 * one, and each of these needs two messages. All together may take what the control thread does in
 * a sixth of its time. Figures: docs/decisions/0026. */
static const struct wrn_shares_limits message_limits = {
    .anybody_per_s = 1000,
    .address_per_s = 40,
    .address_burst = 20,
    .all_addresses_per_s = 10000,
};

/* The ring answers all of the WHO that come through, and 120 STRANGER a second. */
static const struct wrn_shares_limits frame_limits = {
    .anybody_per_s = 400,
    .address_per_s = 10,
    .address_burst = 20,
    .all_addresses_per_s = 2000,
};

static int make_shares(struct wrn_pump_shares *shares);
static size_t lay_out(struct wrn_pump_shares *shares, void *memory, size_t size,
                      const uint64_t seed[2]);

int wrn_pump_init(struct wrn_pump *pump, uint32_t tag_bits, struct wrn_crypto *crypto,
                  struct wrn_reports *reports, bool tells_refusals) {
    void *buffers = NULL;
    pump->tag_bits = tag_bits;
    memset(pump->by_tag, WRN_PUMP_NOBODY, sizeof pump->by_tag);
    pump->crypto = crypto;
    pump->reports = reports;
    pump->tells_refusals = tells_refusals;
    int error = wrn_memory_map(BUFFERS_SIZE, &buffers);
    pump->buffers = buffers;
    error = error != 0 ? error : wrn_sender_init(&pump->sender);
    error = error != 0 ? error : make_shares(&pump->shares);
    if (error != 0) {
        wrn_pump_finish(pump);
        return error;
    }
    pump->outbound.sealing = pump->buffers;
    pump->outbound.landing = pump->outbound.sealing + WRN_OUTBOUND_SEALING;
    pump->outbound.copies = pump->outbound.landing + WRN_OUTBOUND_LANDING;
    pump->inbound.rooms = pump->buffers;
    pump->inbound.wanted = FIRST_WANTED;
    return 0;
}

void wrn_pump_finish(struct wrn_pump *pump) {
    wrn_memory_unmap(pump->buffers, BUFFERS_SIZE); /* the pages go back to the kernel unread */
    wrn_sender_finish(&pump->sender);
    if (pump->shares.memory != NULL) {
        struct wrn_pump_shares measured;
        wrn_memory_unmap(pump->shares.memory,
                         lay_out(&measured, NULL, SIZE_MAX, (const uint64_t[2]){0}));
    }
    wrn_wipe(pump, sizeof *pump);
}

static int make_shares(struct wrn_pump_shares *shares) {
    struct wrn_random random = {0};
    struct wrn_rand rand = wrn_random_source(&random);
    uint64_t seed[2];
    void *memory = NULL;
    wrn_rand_fill(rand, seed, sizeof seed);
    size_t size = lay_out(shares, NULL, SIZE_MAX, seed);
    int error = wrn_memory_map(size, &memory);
    if (error == 0) {
        (void)lay_out(shares, memory, size, seed);
        shares->memory = memory;
    }
    wrn_wipe(seed, sizeof seed);
    return error;
}

/* Returns how much room the tables take. */
static size_t lay_out(struct wrn_pump_shares *shares, void *memory, size_t size,
                      const uint64_t seed[2]) {
    struct wrn_arena arena;
    wrn_arena_init(&arena, memory, size);
    wrn_shares_init(&shares->messages, &arena, MESSAGE_SLOTS, &message_limits, seed);
    wrn_shares_init(&shares->frames, &arena, FRAME_SLOTS, &frame_limits, seed);
    return arena.used;
}
