/* SPDX-License-Identifier: Apache-2.0 */
/* Which of several machines behind one port a datagram is for, by what stands in it in the clear.
 * Proves nothing: the machine does. */
#pragma once
#include "base/bytes.h"
#include "wg/wg.h"

/* What a datagram says of whom it is for. */
enum wrn_wg_receiver {
    WRN_WG_RECEIVER_NONE,       /* no WireGuard message, or too short to say */
    WRN_WG_RECEIVER_TAGGED,     /* an index of ours: its tag says which machine */
    WRN_WG_RECEIVER_INITIATION, /* says it by mac1 alone: wrn_wg_is_initiation_for */
};

/* Tells which it is, and for TAGGED sets 'ret_tag' to the first 'tag_bits'
 * (1..WRN_WG_INDEX_TAG_BITS_MAX) bits of the receiver index: of an answer, a cookie reply or data.
 * Looks at the first byte, not at sizes and reserved bytes: the machine refuses what is wrong. */
static inline enum wrn_wg_receiver wrn_wg_receiver(const uint8_t *bytes, size_t size,
                                                   uint32_t tag_bits, uint32_t *ret_tag) {
    size_t at = WRN_WG_RECEIVER_AT;
    switch (size >= (size_t)WRN_WG_RECEIVER_AT + 4 ? bytes[0] : 0) {
    case WRN_WG_TYPE_INITIATION:
        return WRN_WG_RECEIVER_INITIATION;
    case WRN_WG_TYPE_RESPONSE:
        at = WRN_WG_RESP_RECEIVER_AT;
        break;
    case WRN_WG_TYPE_COOKIE:
    case WRN_WG_TYPE_DATA:
        break;
    default:
        return WRN_WG_RECEIVER_NONE;
    }
    if (size < at + 4) {
        return WRN_WG_RECEIVER_NONE;
    }
    *ret_tag = wrn_load_le32(bytes + at) >> (32 - tag_bits);
    return WRN_WG_RECEIVER_TAGGED;
}

/* Tells whether a datagram is an initiation to the key of this machine, as far as mac1 says. Any
 * thread, with a 'crypto' of its own, where a lane may be called: wrn_wg_options.quiesce waits for
 * it. Cost: one keyed hash, only if the size is right. Source: paper, section 5.4.4. */
bool wrn_wg_is_initiation_for(const struct wrn_wg *wg, struct wrn_crypto *crypto,
                              wrn_span datagram);
