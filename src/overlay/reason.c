/* SPDX-License-Identifier: Apache-2.0 */
/* The words for reasons. No I/O. */
#include "overlay/reason.h"

const char *wrn_reason_text(enum wrn_reason reason) {
    static const char *const texts[] = {
#define X(name, text) [WRN_REASON_##name] = text,
        WRN_REASON_LIST(X)
#undef X
    };
    return (uint32_t)reason < WRN_REASON_COUNT ? texts[reason] : "a reason of another version";
}

const char *wrn_reason_name(enum wrn_reason reason) {
    static const char *const names[] = {
#define X(name, text) [WRN_REASON_##name] = #name,
        WRN_REASON_LIST(X)
#undef X
    };
    return (uint32_t)reason < WRN_REASON_COUNT ? names[reason] : "OTHER";
}
