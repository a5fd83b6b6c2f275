/* SPDX-License-Identifier: Apache-2.0 */
/* Why a datagram to a shared port was refused before it was any machine's to count. */
#pragma once
#include "base/base.h"

/* X(NAME, "text"): the text names the counter. */
#define WRN_STRAY_LIST(X)                                                                          \
    X(UNKNOWN_TAG, "unknown_tag")               /* its index is of no machine of ours */           \
    X(UNKNOWN_INITIATION, "unknown_initiation") /* its mac1 is for no key of ours */               \
    X(UNKNOWN_TYPE, "unknown_type")             /* neither WireGuard nor the ring */               \
    X(FRAME_TOO_LARGE, "frame_too_large")       /* larger than a frame of the ring is */           \
    X(FRAME_LOST, "frame_lost")                 /* no room on its way to the control thread */     \
    X(FRAME_FLOOD, "frame_flood")               /* beyond its address's share of newcomers */      \
    X(INSIDE, "inside")                         /* of the ring, by a network's own interface */    \
    X(TRUNCATED, "truncated")                   /* larger than any buffer */

enum wrn_stray {
#define WRN_STRAY_ENUM(name, text) WRN_STRAY_##name,
    WRN_STRAY_LIST(WRN_STRAY_ENUM)
#undef WRN_STRAY_ENUM
        WRN_STRAY_COUNT
};

/* Returns the counter name of a reason: lower case, no spaces, static. */
const char *wrn_stray_name(enum wrn_stray reason);
