/* SPDX-License-Identifier: Apache-2.0 */
/* A switch with ports and a clock for tests. */
#include "unit/switch/lan.h"

#include <stdio.h>

struct wrn_switch_options lan_options(void) {
    struct wrn_switch_options options;
    wrn_switch_defaults(&options);
    options.peers_max = LAN_PEERS;
    options.lanes_max = LAN_LANES;
    options.macs_max = 4096;
    options.macs_per_port = 64;
    options.neighbours_max = 64;
    options.groups_max = 16;
    options.own = 5;
    memset(options.secret, 7, sizeof options.secret);
    return options;
}

void lan_start(struct lan *lan, const struct wrn_switch_options *options) {
    struct wrn_frame_rules rules = lan_rules();
    struct wrn_arena arena;
    memset(lan, 0, sizeof *lan);
    lan->now = (struct wrn_now){{WRN_S(1000)}, {1700000000, 0}};
    wrn_prng_init(&lan->prng, 3, 3);
    wrn_arena_init(&arena, NULL, 0);
    assert_null(wrn_switch_init(&arena, options, wrn_prng_rand(&lan->prng), lan->now));
    lan->memory = aligned_alloc(64, wrn_align_up(arena.used, 64));
    assert_non_null(lan->memory);
    memset(lan->memory, 0, arena.used);
    wrn_arena_init(&arena, lan->memory, arena.used);
    lan->sw = wrn_switch_init(&arena, options, wrn_prng_rand(&lan->prng), lan->now);
    assert_non_null(lan->sw);
    wrn_switch_set_ours(lan->sw, &rules);
}

void lan_stop(struct lan *lan) {
    free(lan->memory);
}

wrn_handle lan_peer(uint32_t index) {
    return (wrn_handle){.index = index, .generation = 2 * index + 1};
}

struct wrn_frame_rules lan_rules(void) {
    return (struct wrn_frame_rules){.any_type = true, .any_mac = true};
}

void lan_open(struct lan *lan, uint32_t index, const char *name) {
    struct wrn_frame_rules rules = lan_rules();
    lan_open_with(lan, index, name, &rules);
}

void lan_open_with(struct lan *lan, uint32_t index, const char *name,
                   const struct wrn_frame_rules *rules) {
    struct wrn_switch_port port = {
        .peer = lan_peer(index), .member = 100 + index, .theirs = *rules, .payload_max = 1400};
    snprintf(port.name, sizeof port.name, "%s", name);
    assert_true(wrn_switch_open(lan->sw, lan->now, &port));
}

void lan_wait(struct lan *lan, uint64_t ns) {
    wrn_mono end = wrn_mono_add(lan->now.mono, ns);
    lan->out.frame_count = lan->out.event_count = 0;
    for (;;) {
        wrn_mono due = wrn_switch_due(lan->sw);
        if (wrn_mono_before(end, due)) {
            break;
        }
        if (wrn_mono_before(lan->now.mono, due)) {
            lan->now.mono = due;
        }
        lan->out.frame_count = 0;
        wrn_switch_on_time(lan->sw, lan->now, &lan->out);
        assert_true(wrn_mono_before(lan->now.mono, wrn_switch_due(lan->sw)));
    }
    lan->now.mono = end;
}

enum wrn_switch_refusal lan_send(struct lan *lan, uint32_t from, const struct frame *frame) {
    uint8_t *copy = malloc(frame->size > 0 ? frame->size : 1); /* a read beyond is seen */
    wrn_span span = {copy, frame->size};
    wrn_handle peer = from == LAN_HOST ? WRN_HANDLE_NONE : lan_peer(from);
    assert_non_null(copy);
    memcpy(copy, frame->bytes, frame->size);
    if (from == LAN_HOST) {
        wrn_switch_from_host(lan->sw, 1, lan->now.mono, span, &lan->verdict);
    } else {
        wrn_switch_from_peer(lan->sw, 2, lan->now.mono, peer, span, &lan->verdict);
    }
    lan->out.frame_count = lan->out.event_count = 0;
    if (lan->verdict.is_told) {
        wrn_switch_on_frame(lan->sw, lan->now, peer, span, &lan->out);
    }
    free(copy);
    return lan->verdict.refusal;
}

bool lan_went_to(const struct lan *lan, uint32_t index) {
    uint32_t copies = 0;
    for (uint32_t i = 0; i < lan->verdict.count; i++) {
        copies += wrn_handle_equal(lan->verdict.peers[i], lan_peer(index));
    }
    for (uint32_t i = 0; i < lan->out.frame_count; i++) {
        for (uint32_t j = 0; j < lan->out.frames[i].count; j++) {
            copies += wrn_handle_equal(lan->out.frames[i].peers[j], lan_peer(index));
        }
    }
    CHECK(copies <= 1, "%u copies to peer %u: ", copies, index);
    return copies == 1;
}

const struct wrn_switch_event *lan_event(const struct lan *lan, enum wrn_switch_event_kind kind) {
    for (uint32_t i = 0; i < lan->out.event_count; i++) {
        if (lan->out.events[i].kind == kind) {
            return &lan->out.events[i];
        }
    }
    return NULL;
}

void lan_mac(uint8_t mac[WRN_MAC_ADDRESS_SIZE], uint32_t number) {
    mac[0] = 2;
    mac[1] = 0;
    wrn_store_be32(mac + 2, number);
    if (number == LAN_BROADCAST) {
        memset(mac, 0xff, WRN_MAC_ADDRESS_SIZE);
    }
}

struct frame lan_frame(uint32_t to, uint32_t from, uint16_t type) {
    struct frame frame = {.size = 60};
    lan_mac(frame.bytes, to);
    lan_mac(frame.bytes + WRN_MAC_ADDRESS_SIZE, from);
    wrn_store_be16(frame.bytes + 12, type);
    return frame;
}

void lan_tag(struct frame *frame, uint16_t type, uint16_t vlan) {
    memmove(frame->bytes + 16, frame->bytes + 12, frame->size - 12);
    wrn_store_be16(frame->bytes + 12, type);
    wrn_store_be16(frame->bytes + 14, vlan);
    frame->size += 4;
}

void lan_body(struct frame *frame, const void *body, size_t size) {
    assert_true(14 + size <= sizeof frame->bytes);
    memcpy(frame->bytes + 14, body, size);
    frame->size = 14 + size;
}

uint32_t lan_owner(const struct lan *lan, uint32_t number, uint16_t vlan) {
    struct wrn_switch_mac mac;
    uint8_t wanted[WRN_MAC_ADDRESS_SIZE];
    lan_mac(wanted, number);
    for (uint32_t cursor = 0; wrn_switch_next_mac(lan->sw, lan->now.mono, &cursor, &mac);) {
        if (memcmp(mac.mac, wanted, sizeof wanted) == 0 && mac.vlan == vlan) {
            return wrn_handle_equal(mac.peer, WRN_HANDLE_NONE) ? LAN_HOST : mac.peer.index;
        }
    }
    return LAN_NOBODY;
}

uint64_t lan_refused(const struct lan *lan, uint32_t from, enum wrn_switch_refusal refusal) {
    struct wrn_switch_port_info info;
    wrn_handle peer = from == LAN_HOST ? WRN_HANDLE_NONE : lan_peer(from);
    for (uint32_t cursor = 0; wrn_switch_next_port(lan->sw, &cursor, &info);) {
        if (wrn_handle_equal(info.peer, peer)) {
            return info.refused[refusal];
        }
    }
    fail_msg("no port of %u", from);
    return 0;
}
