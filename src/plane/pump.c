/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of a packet path. Touched only where packets reach, so that a quiet worker costs
 * little. */
#include "plane/pump.h"

#include "crypto/crypto.h"
#include "io/memory.h"

/* Packets stay in here during a call only, so both directions use the same memory: fewer pages
 * become resident, and what is used is still in the caches. */
enum {
    FIRST_WANTED = 2,
    OUTBOUND_SIZE = WRN_OUTBOUND_SEALING + WRN_OUTBOUND_LANDING + WRN_OUTBOUND_COPIES,
    INBOUND_SIZE = WRN_PUMP_ROOMS * WRN_INBOUND_ROOM,
    BUFFERS_SIZE = (int)INBOUND_SIZE > (int)OUTBOUND_SIZE ? (int)INBOUND_SIZE : (int)OUTBOUND_SIZE,
};

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
    wrn_wipe(pump, sizeof *pump);
}
