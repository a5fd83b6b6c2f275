/* SPDX-License-Identifier: Apache-2.0 */
/* What the control thread does with the copies of frames that lanes tell it of. A copy may be old:
 * what holds now is asked again. */
#include "switch/switch_internal.h"

void wrn_switch_on_frame(struct wrn_switch *sw, struct wrn_now now, wrn_handle peer, wrn_span frame,
                         struct wrn_switch_out *out) {
    uint32_t port = wrn_switch_port_of(sw, peer);
    struct wrn_switch_head head;
    if (port == WRN_SWITCH_UNKNOWN || wrn_switch_read(frame, &head) != WRN_SWITCH_NONE) {
        return;
    }
    struct wrn_switch_place *place = &sw->ports[port];
    const struct wrn_frame_rules *rules = atomic_load_explicit(&place->rules, memory_order_relaxed);
    if (atomic_exchange_explicit(&place->has_stormed, false, memory_order_relaxed)) {
        (void)wrn_switch_tell(sw, now.mono, out, port, WRN_SWITCH_EVENT_STORM);
    }
    if (!wrn_frame_rules_type(rules, head.type) || !wrn_frame_rules_mac(rules, head.source)) {
        return;
    }
    (void)wrn_switch_mac_learn(sw, now.mono, port, &head, out);
}
