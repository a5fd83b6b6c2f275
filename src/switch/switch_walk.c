/* SPDX-License-Identifier: Apache-2.0 */
/* Answers questions about the switch's tables. Changes nothing. */
#include "switch/switch_internal.h"

bool wrn_switch_next_mac(const struct wrn_switch *sw, wrn_mono now, uint32_t *cursor,
                         struct wrn_switch_mac *ret_mac) {
    uint32_t now_s = wrn_switch_seconds(sw, now);
    while (*cursor < sw->mac_chains.touched) {
        const struct wrn_switch_mac_entry *entry = &sw->macs[++*cursor];
        uint32_t port = atomic_load_explicit(&entry->port, memory_order_relaxed);
        uint32_t heard_s = atomic_load_explicit(&entry->heard_s, memory_order_relaxed);
        if (port == WRN_SWITCH_UNKNOWN || wrn_switch_mac_is_old(sw, entry, now_s)) {
            continue;
        }
        *ret_mac = (struct wrn_switch_mac){
            .vlan = (uint16_t)entry->key,
            .peer = wrn_switch_peer_of(sw, port),
            .age_s = now_s > heard_s ? now_s - heard_s : 0,
        };
        wrn_store_be32(ret_mac->mac, (uint32_t)(entry->key >> 32));
        wrn_store_be16(ret_mac->mac + 4, (uint16_t)(entry->key >> 16));
        ret_mac->is_named = wrn_frame_rules_names(
            atomic_load_explicit(&sw->ports[port].rules, memory_order_relaxed), ret_mac->mac);
        return true;
    }
    return false;
}

bool wrn_switch_next_port(const struct wrn_switch *sw, uint32_t *cursor,
                          struct wrn_switch_port_info *ret_info) {
    uint32_t touched = atomic_load_explicit(&sw->ports_touched, memory_order_relaxed);
    while (*cursor < touched && !sw->ports[*cursor].is_open) {
        ++*cursor;
    }
    if (*cursor >= touched) {
        return false;
    }
    uint32_t port = (*cursor)++;
    const struct wrn_switch_place *place = &sw->ports[port];
    const struct wrn_switch_counts *first = &sw->lanes[0].ports[port], *base = &sw->base[port];
    *ret_info = (struct wrn_switch_port_info){
        .peer = wrn_switch_peer_of(sw, port),
        .stands_by =
            port == WRN_SWITCH_HOST && atomic_load_explicit(&sw->stands_by, memory_order_relaxed),
        .macs = atomic_load_explicit(&place->macs, memory_order_relaxed),
        .payload_max = atomic_load_explicit(&place->payload_max, memory_order_relaxed),
        .frames_in = wrn_switch_count(sw, &first->in, &base->in),
        .frames_out = wrn_switch_count(sw, &first->out, &base->out),
        .floods_in = wrn_switch_count(sw, &first->floods, &base->floods),
    };
    memcpy(ret_info->name, place->name, sizeof ret_info->name);
    for (size_t i = 0; i < WRN_SWITCH_REFUSAL_COUNT; i++) {
        ret_info->refused[i] = wrn_switch_count(sw, &first->refused[i], &base->refused[i]);
    }
    return true;
}
