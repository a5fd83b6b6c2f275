/* SPDX-License-Identifier: Apache-2.0 */
/* After another gateway of a wire was taken over from: the other sides say which addresses they
 * have, and the wire hears a frame from each of them. Else its switches would go on sending to the
 * dead gateway what is for a host that does not speak by itself, for as long as they remember.
 *
 * What a side has travels behind the body of a frame of the loop guard (switch_guard.c), 8 bytes
 * each: MAC(6) | VLAN(2). The frames on the wire are empty, of the guard's type and to its group,
 * which no host listens to. */
#include "switch/switch_internal.h"

enum {
    EACH_MS = 10, /* as many frames as an output holds, this often */
    HERE_EACH_MS = 500,
    ROW_SIZE = 8,
    ROWS_MAX = 160, /* in a frame that needs few pieces */
    FRAME_MIN = 60,
    TYPE_TAG = 0x8100,
};

static bool write_rows(struct wrn_switch *sw, uint32_t now_s, uint32_t *cursor,
                       struct wrn_switch_frame *frame);
static void write_frame(const struct wrn_switch_mac_entry *entry, struct wrn_switch_frame *frame);
static void write_mac(uint64_t key, uint8_t *mac);
static bool is_of(const struct wrn_switch *sw, const struct wrn_switch_mac_entry *entry,
                  bool is_host, uint32_t now_s);

void wrn_switch_announce_begin(struct wrn_switch *sw, wrn_mono now) {
    sw->announced = 0;
    sw->announce_at = now;
}

void wrn_switch_announce_on_time(struct wrn_switch *sw, wrn_mono now, struct wrn_switch_out *out) {
    uint32_t now_s = wrn_switch_seconds(sw, now);
    if (!wrn_mono_reached(now, sw->announce_at)) {
        return;
    }
    sw->announce_at = WRN_MONO_NEVER;
    while (sw->announced < sw->mac_chains.touched) {
        if (out->frame_count == WRN_SWITCH_OUT_MAX) {
            sw->announce_at = wrn_mono_add(now, WRN_MS(EACH_MS));
            return;
        }
        const struct wrn_switch_mac_entry *entry = &sw->macs[++sw->announced];
        if (is_of(sw, entry, false, now_s)) {
            write_frame(entry, &out->frames[out->frame_count++]);
        }
    }
}

void wrn_switch_announce_here(struct wrn_switch *sw, struct wrn_now now, uint32_t port,
                              struct wrn_switch_out *out) {
    struct wrn_switch_place *place = &sw->ports[port];
    uint32_t now_s = wrn_switch_seconds(sw, now.mono);
    if (!wrn_mono_reached(now.mono, place->here_at)) {
        return;
    }
    place->here_at = wrn_mono_add(now.mono, WRN_MS(HERE_EACH_MS));
    if (place->here >= sw->mac_chains.touched) {
        place->here = 0; /* from the beginning */
    }
    /* one place is left to others; the next note brings the rest */
    while (out->frame_count + 1 < WRN_SWITCH_OUT_MAX) {
        struct wrn_switch_frame *frame = wrn_switch_guard_here(sw, now, port, out);
        if (!write_rows(sw, now_s, &place->here, frame)) {
            out->frame_count--;
            return;
        }
    }
}

void wrn_switch_announce_on_here(struct wrn_switch *sw, wrn_mono now, uint32_t port, wrn_span rows,
                                 struct wrn_switch_out *out) {
    const struct wrn_frame_rules *rules =
        atomic_load_explicit(&sw->ports[port].rules, memory_order_relaxed);
    if (atomic_load_explicit(&sw->stands_by, memory_order_relaxed)) {
        return;
    }
    for (size_t at = 0; at + ROW_SIZE <= rows.size; at += ROW_SIZE) {
        const uint8_t *row = rows.data + at;
        uint16_t vlan = wrn_load_be16(row + WRN_MAC_ADDRESS_SIZE);
        struct wrn_switch_head head = {
            .source = row, .source_key = wrn_switch_mac_key(row, vlan), .vlan = vlan};
        if (vlan < WRN_SWITCH_VLANS && (row[0] & 1) == 0 && head.source_key >> 16 != 0 &&
            wrn_frame_rules_mac(rules, row)) {
            (void)wrn_switch_mac_learn(sw, now, port, &head, out); /* refused: told of */
        }
    }
    wrn_switch_announce_begin(sw, now);
}

/* Fills a frame with addresses of the host's side. False: there are no more. */
static bool write_rows(struct wrn_switch *sw, uint32_t now_s, uint32_t *cursor,
                       struct wrn_switch_frame *frame) {
    uint32_t rows = 0;
    while (*cursor < sw->mac_chains.touched && rows < ROWS_MAX) {
        const struct wrn_switch_mac_entry *entry = &sw->macs[++*cursor];
        if (is_of(sw, entry, true, now_s)) {
            write_mac(entry->key, frame->bytes + frame->size);
            wrn_store_be16(frame->bytes + frame->size + WRN_MAC_ADDRESS_SIZE, (uint16_t)entry->key);
            frame->size += ROW_SIZE;
            rows++;
        }
    }
    return rows > 0;
}

/* An empty frame from the address. */
static void write_frame(const struct wrn_switch_mac_entry *entry, struct wrn_switch_frame *frame) {
    size_t at = 2 * (size_t)WRN_MAC_ADDRESS_SIZE;
    uint16_t vlan = (uint16_t)entry->key;
    memset(frame->bytes, 0, FRAME_MIN);
    wrn_switch_guard_group(frame->bytes);
    write_mac(entry->key, frame->bytes + WRN_MAC_ADDRESS_SIZE);
    if (vlan != 0) {
        wrn_store_be16(frame->bytes + at, TYPE_TAG);
        wrn_store_be16(frame->bytes + at + 2, vlan);
        at += 4;
    }
    wrn_store_be16(frame->bytes + at, WRN_SWITCH_GUARD_TYPE);
    frame->size = FRAME_MIN;
    frame->to_host = true;
    frame->is_whole = false;
    frame->count = 0;
}

static void write_mac(uint64_t key, uint8_t *mac) {
    wrn_store_be32(mac, (uint32_t)(key >> 32));
    wrn_store_be16(mac + 4, (uint16_t)(key >> 16));
}

static bool is_of(const struct wrn_switch *sw, const struct wrn_switch_mac_entry *entry,
                  bool is_host, uint32_t now_s) {
    uint32_t port = atomic_load_explicit(&entry->port, memory_order_relaxed);
    return port != WRN_SWITCH_UNKNOWN && (port == WRN_SWITCH_HOST) == is_host &&
           !wrn_switch_mac_is_old(sw, entry, now_s);
}
