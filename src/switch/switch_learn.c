/* SPDX-License-Identifier: Apache-2.0 */
/* What the control thread does with the copies of frames that lanes tell it of. A copy may be old:
 * what holds now is asked again. */
#include "switch/switch_internal.h"

enum { LANE = 0 }; /* the control thread's own */

static void see_dhcp(struct wrn_switch *sw, wrn_mono now, uint32_t port,
                     const struct wrn_switch_head *head, struct wrn_switch_out *out);
static void see_claim(struct wrn_switch *sw, wrn_mono now, uint32_t port,
                      const struct wrn_switch_head *head, const struct wrn_ip *ip,
                      struct wrn_switch_out *out);
static void answer(struct wrn_switch *sw, wrn_mono now, const struct wrn_switch_head *head,
                   wrn_span frame, struct wrn_switch_out *out);
static bool permits(const struct wrn_switch *sw, wrn_mono now, wrn_handle peer, bool is_out,
                    const struct wrn_switch_head *head);

void wrn_switch_on_frame(struct wrn_switch *sw, struct wrn_now now, wrn_handle peer, wrn_span frame,
                         struct wrn_switch_out *out) {
    uint32_t port = wrn_switch_port_of(sw, peer);
    uint32_t now_s = wrn_switch_seconds(sw, now.mono);
    struct wrn_switch_head head;
    if (port == WRN_SWITCH_UNKNOWN || wrn_switch_read(frame, &head) != WRN_SWITCH_NONE) {
        return;
    }
    if (head.kind == WRN_SWITCH_PROBE) {
        wrn_switch_guard_on_frame(sw, now, port, &head, out);
        return;
    }
    struct wrn_switch_place *place = &sw->ports[port];
    const struct wrn_frame_rules *rules = atomic_load_explicit(&place->rules, memory_order_relaxed);
    if (atomic_exchange_explicit(&place->has_stormed, false, memory_order_relaxed)) {
        (void)wrn_switch_tell(sw, now.mono, out, port, WRN_SWITCH_EVENT_STORM);
    }
    if (atomic_load_explicit(&sw->stands_by, memory_order_relaxed) ||
        !wrn_frame_rules_type(rules, head.type) || !wrn_frame_rules_mac(rules, head.source)) {
        return;
    }
    struct wrn_ip ip;
    if (!wrn_switch_claims_own(rules, &head, &ip)) {
        see_claim(sw, now.mono, port, &head, &ip, out);
        return;
    }
    enum wrn_switch_refusal refusal = wrn_switch_mac_learn(sw, now.mono, port, &head, out);
    if (refusal != WRN_SWITCH_NONE) {
        if (refusal == WRN_SWITCH_STOLEN) {
            wrn_switch_guard_hurry(sw);
        }
        return;
    }
    if (port != WRN_SWITCH_HOST && !permits(sw, now.mono, peer, false, &head)) {
        return;
    }
    switch (head.kind) {
    case WRN_SWITCH_DHCP_SERVER:
    case WRN_SWITCH_ROUTER:
        see_dhcp(sw, now.mono, port, &head, out);
        break;
    case WRN_SWITCH_IGMP:
    case WRN_SWITCH_MLD:
        wrn_switch_group_learn(sw, now_s, port, &head);
        break;
    case WRN_SWITCH_PIM:
        wrn_switch_group_router(sw, now_s, port);
        break;
    default:
        break;
    }
    if (head.kind != WRN_SWITCH_ROUTER || sw->settings.allows_dhcp || port == WRN_SWITCH_HOST) {
        wrn_switch_neighbour_learn(sw, now.mono, port, &head, out);
    }
    if (port == WRN_SWITCH_HOST && sw->settings.answers_neighbours) {
        answer(sw, now.mono, &head, frame, out);
    }
}

/* Somebody else's DHCP server, or a router that says what addresses to take: where it is not
 * allowed, its owner wants to know. */
static void see_dhcp(struct wrn_switch *sw, wrn_mono now, uint32_t port,
                     const struct wrn_switch_head *head, struct wrn_switch_out *out) {
    bool is_v4 = head->family == WRN_FAMILY_IPV4;
    if (port == WRN_SWITCH_HOST || sw->settings.allows_dhcp) {
        return;
    }
    struct wrn_switch_event *event = wrn_switch_tell(sw, now, out, port, WRN_SWITCH_EVENT_DHCP);
    if (event != NULL) {
        memcpy(event->mac, head->source, sizeof event->mac);
        memcpy(event->ip.bytes, head->body.data + (is_v4 ? 12 : 8), is_v4 ? 4 : 16);
        event->ip.family = head->family;
        event->vlan = head->vlan;
    }
}

/* Somebody uses an address that his rights do not give him. */
static void see_claim(struct wrn_switch *sw, wrn_mono now, uint32_t port,
                      const struct wrn_switch_head *head, const struct wrn_ip *ip,
                      struct wrn_switch_out *out) {
    struct wrn_switch_event *event = wrn_switch_tell(sw, now, out, port, WRN_SWITCH_EVENT_ADDRESS);
    if (event != NULL) {
        memcpy(event->mac, head->source, sizeof event->mac);
        event->ip = *ip;
        event->vlan = head->vlan;
    }
}

/* A question that the verdict left open. */
static void answer(struct wrn_switch *sw, wrn_mono now, const struct wrn_switch_head *head,
                   wrn_span frame, struct wrn_switch_out *out) {
    struct wrn_ip target;
    struct wrn_switch_frame *made = &out->frames[out->frame_count];
    if (frame.size > WRN_SWITCH_MADE_MAX || out->frame_count == WRN_SWITCH_OUT_MAX ||
        !wrn_switch_is_question(head, &target)) {
        return;
    }
    if (wrn_switch_neighbour_answer(sw, now, head, made)) {
        struct wrn_switch_counts *counts = &sw->lanes[LANE].ports[WRN_SWITCH_HOST];
        wrn_switch_add(&counts->refused[WRN_SWITCH_ANSWERED], 1);
        out->frame_count++;
        return;
    }
    uint32_t count = wrn_switch_members(sw, made->peers);
    made->to_host = made->is_whole = false;
    made->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t port = wrn_switch_port_of(sw, made->peers[i]);
        if (permits(sw, now, made->peers[i], true, head)) {
            wrn_switch_add(&sw->lanes[LANE].ports[port].out, 1);
            made->peers[made->count++] = made->peers[i];
        }
    }
    if (made->count > 0) {
        memcpy(made->bytes, frame.data, frame.size);
        made->size = (uint32_t)frame.size;
        out->frame_count++;
    }
}

static bool permits(const struct wrn_switch *sw, wrn_mono now, wrn_handle peer, bool is_out,
                    const struct wrn_switch_head *head) {
    const struct wrn_switch_options *options = &sw->options;
    return options->permits == NULL || head->family == WRN_FAMILY_NONE ||
           options->permits(options->permits_ctx, LANE, peer, is_out, now, head->body);
}
