/* SPDX-License-Identifier: Apache-2.0 */
/* How frames lie in the tunnel's packets (docs/protocol.md, "Frames"): whole, or in pieces. A
 * member's packet of a layer-2 network begins with one of these heads; the padding that WireGuard
 * adds lies behind what the head counts. All numbers big-endian. Pure.
 *
 *     0x03 | 0 | size(2) | frame                     a whole frame of 'size' bytes
 *     0x05 | place(1) | size(2) | id(2) | total(2) | bytes
 *                                                    a piece: 'size' bytes of the frame 'id' of
 *                                                    'total' bytes; place = index << 4 | count - 1
 *
 * Pieces of a frame but the last are equally large, so an index says where its bytes belong. */
#pragma once
#include "base/base.h"

enum {
    WRN_PAYLOAD_FRAME = 0x03,
    WRN_PAYLOAD_PIECE = 0x05,
    WRN_PAYLOAD_FRAME_HEAD = 4, /* bytes */
    WRN_PAYLOAD_PIECE_HEAD = 8,
    WRN_PAYLOAD_PIECES_MAX = 16,
    WRN_PAYLOAD_FRAME_MAX = 16 << 10, /* bytes of a frame: jumbo frames of 9,000 and tags pass */
};
