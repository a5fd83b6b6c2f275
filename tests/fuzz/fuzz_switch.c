/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the switch: an input is a dialogue. For each frame a byte says who sends it (the host's
 * side or one of three members; bits 3 to 6: how much time passes; bit 7: what looks like a probe
 * of the loop guard gets a right tag), two bytes its length, then the frame; a byte of 0xff changes
 * a setting or a port instead. What verdicts say must hold together: no copy twice, none to who is
 * closed, none that is refused; a frame teaches its source at most, a note of the loop guard those
 * that it names, quotas hold, and tables and their counts agree. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/keymap.h"
#include "switch/switch_internal.h"

/* What must hold for any input, in every build. */
#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

enum { MEMBERS = 3, FRAMES_MAX = 200, CHANGE = 0xff, SIGNED = 0x80 };

struct dialogue {
    struct wrn_switch *sw;
    struct wrn_now now;
    struct wrn_switch_verdict verdict;
    struct wrn_switch_out out;
};

static void start(struct dialogue *dialogue, uint8_t *memory, size_t size);
static size_t memory_size(void);
static struct wrn_switch *init(struct wrn_arena *arena);
static void open_port(struct dialogue *dialogue, uint32_t index, bool is_strict);
static void change(struct dialogue *dialogue, uint8_t what);
static void say(struct dialogue *dialogue, uint32_t from, bool is_signed, wrn_span bytes);
static void sign(const struct dialogue *dialogue, uint8_t *frame, size_t size);
static uint32_t may_teach(wrn_span frame);
static void check_verdict(const struct dialogue *dialogue, uint32_t from, wrn_span frame);
static void check_tables(const struct dialogue *dialogue);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct dialogue dialogue;
    static uint8_t *memory;
    size_t room = wrn_align_up(memory_size(), 64);
    if (memory == NULL) {
        memory = aligned_alloc(64, room);
        HOLDS(memory != NULL);
    }
    start(&dialogue, memory, room);
    for (int i = 0; i < FRAMES_MAX && size >= 3; i++) {
        uint8_t who = data[0];
        size_t length = wrn_load_be16(data + 1);
        if (who == CHANGE) {
            change(&dialogue, data[1]);
            data += 2;
            size -= 2;
            continue;
        }
        dialogue.now.mono = wrn_mono_add(dialogue.now.mono, WRN_MS(1) << (who >> 3 & 15));
        data += 3;
        size -= 3;
        length = length < size ? length : size;
        say(&dialogue, who % (MEMBERS + 1), (who & SIGNED) != 0, (wrn_span){data, length});
        data += length;
        size -= length;
    }
    check_tables(&dialogue);
    return 0;
}

static void start(struct dialogue *dialogue, uint8_t *memory, size_t size) {
    struct wrn_frame_rules ours = {.any_type = true, .any_mac = true};
    struct wrn_arena arena;
    memset(memory, 0, size);
    wrn_arena_init(&arena, memory, size);
    dialogue->now = (struct wrn_now){{WRN_S(1)}, {1700000000, 0}};
    dialogue->sw = init(&arena);
    wrn_switch_set_ours(dialogue->sw, &ours);
    for (uint32_t i = 1; i <= MEMBERS; i++) {
        open_port(dialogue, i, i == MEMBERS);
    }
}

static size_t memory_size(void) {
    static size_t size;
    struct wrn_arena arena;
    if (size == 0) {
        wrn_arena_init(&arena, NULL, 0);
        (void)init(&arena);
        size = arena.used;
    }
    return size;
}

static struct wrn_switch *init(struct wrn_arena *arena) {
    struct wrn_switch_options options = {
        .peers_max = 8,
        .lanes_max = 1,
        .macs_max = 64,
        .macs_per_port = 4,
        .neighbours_max = 16,
        .groups_max = 16,
        .own = 2,
    };
    struct wrn_prng prng;
    wrn_prng_init(&prng, 1, 1);
    return wrn_switch_init(arena, &options, wrn_prng_rand(&prng),
                           (struct wrn_now){{WRN_S(1)}, {1700000000, 0}});
}

/* The last may send ARP and IP only, and has an address that is its own. */
static void open_port(struct dialogue *dialogue, uint32_t index, bool is_strict) {
    struct wrn_switch_port port = {
        .peer = {index, 2 * index + 1}, .member = index, .name = "m", .payload_max = 1400};
    port.theirs.any_type = !is_strict;
    port.theirs.any_mac = true;
    if (is_strict) {
        port.theirs.type_count = 2;
        port.theirs.types[0] = (struct wrn_frame_types){0x0800, 0x0806};
        port.theirs.types[1] = (struct wrn_frame_types){0x86dd, 0x86dd};
        port.theirs.mac_count = 1;
        port.theirs.macs[0] = (struct wrn_frame_macs){.bytes = {2, 3}, .bits = 16};
    }
    HOLDS(wrn_switch_open(dialogue->sw, dialogue->now, &port));
}

static void change(struct dialogue *dialogue, uint8_t what) {
    struct wrn_switch_settings settings;
    uint32_t index = 1 + what % MEMBERS;
    wrn_switch_settings(dialogue->sw, &settings);
    switch (what >> 5) {
    case 0:
        settings.allows_dhcp = !settings.allows_dhcp;
        break;
    case 1:
        settings.answers_neighbours = !settings.answers_neighbours;
        break;
    case 2:
        settings.guards_loops = !settings.guards_loops;
        break;
    case 3:
        settings.floods_per_s = what & 31;
        break;
    case 4:
        wrn_switch_close(dialogue->sw, dialogue->now, (wrn_handle){index, 2 * index + 1});
        return;
    case 5:
        open_port(dialogue, index, (what & 16) != 0);
        return;
    default:
        settings.age_s = 10 + (uint32_t)(what & 31) * 10;
        break;
    }
    wrn_switch_set(dialogue->sw, dialogue->now, &settings);
}

static void say(struct dialogue *dialogue, uint32_t from, bool is_signed, wrn_span bytes) {
    struct wrn_switch *sw = dialogue->sw;
    wrn_handle peer = from == 0 ? WRN_HANDLE_NONE : (wrn_handle){from, 2 * from + 1};
    uint8_t *copy = malloc(bytes.size > 0 ? bytes.size : 1); /* a read beyond is seen */
    HOLDS(copy != NULL);
    memcpy(copy, bytes.data, bytes.size);
    if (is_signed) {
        sign(dialogue, copy, bytes.size);
    }
    wrn_span frame = {copy, bytes.size};
    dialogue->out.frame_count = dialogue->out.event_count = 0;
    if (wrn_mono_reached(dialogue->now.mono, wrn_switch_due(sw))) {
        wrn_switch_on_time(sw, dialogue->now, &dialogue->out);
        HOLDS(wrn_mono_before(dialogue->now.mono, wrn_switch_due(sw)));
    }
    dialogue->out.frame_count = dialogue->out.event_count = 0;
    if (from == 0) {
        wrn_switch_from_host(sw, 0, dialogue->now.mono, frame, &dialogue->verdict);
    } else {
        wrn_switch_from_peer(sw, 0, dialogue->now.mono, peer, frame, &dialogue->verdict);
    }
    check_verdict(dialogue, from, frame);
    if (dialogue->verdict.is_told) {
        uint32_t used = sw->mac_chains.used;
        wrn_switch_on_frame(sw, dialogue->now, peer, frame, &dialogue->out);
        HOLDS(sw->mac_chains.used <= used + may_teach(frame));
    }
    HOLDS(dialogue->out.frame_count <= WRN_SWITCH_OUT_MAX);
    HOLDS(dialogue->out.event_count <= WRN_SWITCH_OUT_MAX);
    for (uint32_t i = 0; i < dialogue->out.frame_count; i++) {
        const struct wrn_switch_frame *made = &dialogue->out.frames[i];
        HOLDS(made->size >= WRN_SWITCH_FRAME_MIN && made->size <= WRN_SWITCH_MADE_MAX);
        HOLDS(made->to_host == (made->count == 0));
        HOLDS(made->count <= MEMBERS);
    }
    free(copy);
}

/* How many addresses a frame can teach: its source, and those that a note of the loop guard names
 * behind its body, 8 bytes each. */
static uint32_t may_teach(wrn_span frame) {
    bool is_note = frame.size > WRN_SWITCH_FRAME_MIN &&
                   wrn_load_be16(frame.data + 12) == WRN_SWITCH_GUARD_TYPE;
    return is_note ? (uint32_t)frame.size / 8 : 1;
}

/* The loop guard's tag, so that what lies behind it is reached. */
static void sign(const struct dialogue *dialogue, uint8_t *frame, size_t size) {
    enum { BODY = 14, TAG = BODY + 32 };
    if (size >= TAG + 8 && wrn_load_be16(frame + 12) == WRN_SWITCH_GUARD_TYPE) {
        wrn_store_be64(frame + TAG, wrn_siphash(dialogue->sw->guard_key, frame + BODY, TAG - BODY));
    }
}

static void check_verdict(const struct dialogue *dialogue, uint32_t from, wrn_span frame) {
    const struct wrn_switch_verdict *verdict = &dialogue->verdict;
    uint32_t seen = 0;
    HOLDS(verdict->refusal < WRN_SWITCH_REFUSAL_COUNT);
    HOLDS(frame.size >= WRN_SWITCH_FRAME_MIN || verdict->refusal == WRN_SWITCH_SHORT ||
          verdict->refusal == WRN_SWITCH_CLOSED);
    HOLDS(verdict->refusal == WRN_SWITCH_NONE || verdict->count == 0);
    HOLDS(from == 0 || verdict->count == 0);
    HOLDS(from != 0 || verdict->refusal != WRN_SWITCH_NONE || verdict->count > 0 ||
          verdict->is_told);
    for (uint32_t i = 0; i < verdict->count; i++) {
        uint32_t index = verdict->peers[i].index;
        HOLDS(wrn_switch_is_open(dialogue->sw, verdict->peers[i]));
        HOLDS((seen >> index & 1) == 0);
        seen |= 1U << index;
    }
}

static void check_tables(const struct dialogue *dialogue) {
    const struct wrn_switch *sw = dialogue->sw;
    struct wrn_switch_port_info info;
    struct wrn_switch_mac mac;
    struct wrn_switch_neighbour neighbour;
    struct wrn_switch_group group;
    uint32_t macs = 0, neighbours = 0, groups = 0, counted = 0, memberships = 0;
    for (uint32_t cursor = 0; wrn_switch_next_port(sw, &cursor, &info);) {
        counted += info.macs;
        HOLDS(info.macs <= (info.peer.generation == 0 ? 32 : 4));
    }
    HOLDS(counted == sw->mac_chains.used);
    for (uint32_t cursor = 0; wrn_switch_next_mac(sw, dialogue->now.mono, &cursor, &mac);) {
        macs++;
        HOLDS((mac.mac[0] & 1) == 0 && mac.vlan < WRN_SWITCH_VLANS);
    }
    HOLDS(macs <= counted);
    for (uint32_t cursor = 0;
         wrn_switch_next_neighbour(sw, dialogue->now.mono, &cursor, &neighbour);) {
        neighbours++;
    }
    HOLDS(neighbours == sw->neighbour_chains.used && neighbours <= 16);
    for (uint32_t cursor = 0; wrn_switch_next_group(sw, dialogue->now.mono, &cursor, &group);) {
        groups++;
    }
    for (uint32_t port = 0; port <= MEMBERS; port++) {
        HOLDS(sw->ports[port].groups <= 4 && sw->ports[port].neighbours <= 4);
        memberships += sw->ports[port].groups;
    }
    HOLDS(groups <= memberships);
}
