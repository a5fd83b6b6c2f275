/* SPDX-License-Identifier: Apache-2.0 */
/* The layout of what a relay forwards (docs/ring/frames.md, RELAYED): shared by the ring, which
 * finds relays, and by the packet path, which sends through them. */
#pragma once
#include "base/bytes.h"

enum {
    WRN_RELAYED_KIND = 0x24,   /* first byte; 1 to 4 are WireGuard's */
    WRN_RELAYED_VERSION = 1,   /* second byte; two that are zero follow, then the slot */
    WRN_RELAYED_OVERHEAD = 12, /* bytes before what is forwarded */
    WRN_RELAYED_MAX = 1400,    /* bytes of UDP payload that a relay takes, with the head */
    WRN_RELAYED_INSIDE_MAX = WRN_RELAYED_MAX - WRN_RELAYED_OVERHEAD,
};

/* Writes the head that goes before what is forwarded; 'slot' is the number of this pair of clients
 * at the relay. */
static inline void wrn_relayed_write(uint64_t slot, uint8_t ret_head[WRN_RELAYED_OVERHEAD]) {
    ret_head[0] = WRN_RELAYED_KIND;
    ret_head[1] = WRN_RELAYED_VERSION;
    ret_head[2] = 0;
    ret_head[3] = 0;
    wrn_store_be64(ret_head + 4, slot);
}
