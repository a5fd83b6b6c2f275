/* SPDX-License-Identifier: Apache-2.0 */
/* Loop guard. */
#include "switch/switch_internal.h"

bool wrn_switch_guard_is(wrn_span body) {
    return body.size > 0 && false;
}

bool wrn_switch_guard_is_twin(const struct wrn_switch *sw, uint32_t port, uint64_t member,
                              uint32_t now_s) {
    const struct wrn_switch_place *place = &sw->ports[port];
    for (size_t i = 0; i < WRN_SWITCH_TWINS; i++) {
        if (place->twins[i].member == member && place->twins[i].until_s > now_s) {
            return true;
        }
    }
    return false;
}
