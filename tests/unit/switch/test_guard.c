/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: of two gateways on one wire one forwards, the other takes over within seconds, and what
 * hosts are behind them may move with it; nobody else can bring that about.
 * Method: two or three switches, the wire between them played by hand, in virtual time. */
#include "unit/switch/lan.h"

#include <stdio.h>

/* Switches with the numbers 1..COUNT; each other is peer of that index. FAR alone is on a wire of
 * its own. */
enum { NEAR = 1, NEAR2, FAR, COUNT = FAR, HOST_MAC = 50, FAR_MAC, TYPE = 0x88f7, MACS = 40 };

struct world {
    struct lan lans[COUNT + 1];
    bool is_up[COUNT + 1];
    uint32_t probes, notes;              /* that were sent */
    uint32_t lost;                       /* so many of those through the tunnel are lost first */
    uint32_t announced[COUNT + 1][MACS]; /* frames on the wire for addresses FAR_MAC and on */
    uint32_t events[COUNT + 1][WRN_SWITCH_EVENT_KINDS];
    char name[WRN_SWITCH_NAME_SIZE]; /* of the last event */
};

static struct world world;

static void carry(uint32_t from);

static void begin(uint32_t number, uint64_t stamp) {
    struct wrn_switch_options options = lan_options();
    static const char *const names[] = {"", "near", "near2", "far"};
    options.own = 100 + number; /* as lan_open has it */
    struct lan *lan = &world.lans[number];
    lan_start(lan, &options);
    lan->now.wall.s += (int64_t)stamp;
    for (uint32_t other = 1; other <= COUNT; other++) {
        if (other != number) {
            lan_open(lan, other, names[other]);
        }
    }
    world.is_up[number] = true;
}

static int start(void **state) {
    (void)state;
    memset(&world, 0, sizeof world);
    for (uint32_t i = 1; i <= COUNT; i++) {
        begin(i, 0);
    }
    return 0;
}

static int stop(void **state) {
    (void)state;
    for (uint32_t i = 1; i <= COUNT; i++) {
        lan_stop(&world.lans[i]);
    }
    return 0;
}

/* Counts what the wire hears from a far host's address that the host did not send. */
static void note_announced(uint32_t from, const struct frame *frame, bool to_host) {
    size_t type = wrn_load_be16(frame->bytes + 12) == 0x8100 ? 16 : 12;
    for (uint32_t i = 0; i < MACS && to_host; i++) {
        uint8_t mac[WRN_MAC_ADDRESS_SIZE];
        lan_mac(mac, FAR_MAC + i);
        if (memcmp(frame->bytes + sizeof mac, mac, sizeof mac) == 0) {
            assert_int_equal(wrn_load_be16(frame->bytes + type), WRN_SWITCH_GUARD_TYPE);
            assert_int_equal(frame->size, 60);
            assert_int_equal(type == 16, i == 1); /* the second is of VLAN 7 */
            world.announced[from][i]++;
        }
    }
}

/* Hands what a switch had to say to whom it is for, and counts its events. */
static void carry(uint32_t from) {
    struct wrn_switch_out out = world.lans[from].out;
    for (uint32_t i = 0; i < out.event_count; i++) {
        world.events[from][out.events[i].kind]++;
        memcpy(world.name, out.events[i].name, sizeof world.name);
    }
    for (uint32_t i = 0; i < out.frame_count; i++) {
        struct frame frame = {.size = out.frames[i].size};
        memcpy(frame.bytes, out.frames[i].bytes, frame.size);
        world.probes += out.frames[i].to_host;
        world.notes += !out.frames[i].to_host;
        if (!out.frames[i].to_host && world.lost > 0) {
            world.lost--;
            continue;
        }
        note_announced(from, &frame, out.frames[i].to_host);
        for (uint32_t to = 1; to <= COUNT; to++) {
            bool is_wire = out.frames[i].to_host && from != FAR && to != FAR;
            bool is_peer = false;
            for (uint32_t j = 0; j < out.frames[i].count; j++) {
                is_peer |= out.frames[i].peers[j].index == to;
            }
            if (to != from && world.is_up[to] && (is_wire || is_peer)) {
                (void)lan_send(&world.lans[to], is_wire ? LAN_HOST : from, &frame);
                carry(to); /* notes lead to nothing more: this ends */
            }
        }
    }
}

static void pass(uint64_t seconds) {
    for (uint64_t i = 0; i < seconds * 4; i++) {
        for (uint32_t at = 1; at <= COUNT; at++) {
            struct lan *lan = &world.lans[at];
            lan->now.mono = wrn_mono_add(lan->now.mono, WRN_MS(250));
            lan->now.wall.s += i % 4 == 3;
            lan->out.frame_count = lan->out.event_count = 0;
            if (world.is_up[at] && wrn_mono_reached(lan->now.mono, wrn_switch_due(lan->sw))) {
                wrn_switch_on_time(lan->sw, lan->now, &lan->out);
                carry(at);
            }
        }
    }
}

static bool stands_by(uint32_t number) {
    struct wrn_switch_port_info info;
    uint32_t cursor = 0;
    assert_true(wrn_switch_next_port(world.lans[number].sw, &cursor, &info));
    return info.stands_by;
}

/* A frame of a host on the near wire to all: how many copies FAR gets. */
static uint32_t copies_from_wire(void) {
    struct frame frame = lan_frame(LAN_BROADCAST, HOST_MAC, TYPE);
    uint32_t copies = 0;
    for (uint32_t at = NEAR; at <= NEAR2; at++) {
        if (world.is_up[at] && lan_send(&world.lans[at], LAN_HOST, &frame) == WRN_SWITCH_NONE &&
            lan_went_to(&world.lans[at], FAR)) {
            copies += lan_send(&world.lans[FAR], at, &frame) == WRN_SWITCH_NONE;
        }
    }
    return copies;
}

/* And a frame from FAR to all: how many copies reach the near wire. */
static uint32_t copies_to_wire(void) {
    struct frame frame = lan_frame(LAN_BROADCAST, FAR_MAC, TYPE);
    uint32_t copies = 0;
    assert_int_equal(lan_send(&world.lans[FAR], LAN_HOST, &frame), WRN_SWITCH_NONE);
    for (uint32_t at = NEAR; at <= NEAR2; at++) {
        copies += world.is_up[at] && lan_send(&world.lans[at], FAR, &frame) == WRN_SWITCH_NONE;
    }
    return copies;
}

static void the_larger_number_stands_by(void **state) {
    (void)state;
    assert_int_equal(copies_to_wire(), 2); /* before */
    pass(2);
    assert_false(stands_by(NEAR) || stands_by(FAR));
    assert_true(stands_by(NEAR2));
    assert_int_equal(world.events[NEAR2][WRN_SWITCH_EVENT_LOOP], 1);
    assert_string_equal(world.name, "near");
    assert_int_equal(copies_to_wire(), 1);
    assert_int_equal(copies_from_wire(), 1);
    assert_true(lan_refused(&world.lans[NEAR2], LAN_HOST, WRN_SWITCH_LOOP) > 0);
    assert_true(lan_refused(&world.lans[NEAR2], FAR, WRN_SWITCH_LOOP) > 0);
    pass(100);
    assert_int_equal(copies_from_wire(), 1);
    assert_int_equal(world.events[NEAR2][WRN_SWITCH_EVENT_LOOP], 1);
    assert_int_equal(world.events[NEAR][WRN_SWITCH_EVENT_LOOP], 0);
}

/* Before the guard has decided, NEAR2 brings a frame of FAR to the wire, where NEAR takes its
 * source for a host of its own side. */
static void what_a_loop_has_taught_is_forgotten(void **state) {
    struct frame frame = lan_frame(LAN_BROADCAST, FAR_MAC, TYPE);
    (void)state;
    assert_int_equal(lan_send(&world.lans[NEAR2], FAR, &frame), WRN_SWITCH_NONE);
    assert_int_equal(lan_send(&world.lans[NEAR], LAN_HOST, &frame), WRN_SWITCH_NONE);
    assert_int_equal(lan_owner(&world.lans[NEAR], FAR_MAC, 0), LAN_HOST);
    assert_int_equal(lan_send(&world.lans[NEAR], FAR, &frame), WRN_SWITCH_STOLEN);
    pass(3);
    assert_int_equal(lan_send(&world.lans[NEAR], FAR, &frame), WRN_SWITCH_NONE);
    assert_int_equal(lan_owner(&world.lans[NEAR], FAR_MAC, 0), FAR);
    assert_int_equal(copies_from_wire(), 1);
    assert_int_equal(lan_owner(&world.lans[FAR], HOST_MAC, 0), NEAR);
    assert_int_equal(copies_to_wire(), 1);
}

/* An address in two places may be a loop: the next probe is early. */
static void thefts_hurry_the_probe(void **state) {
    struct lan *lan = &world.lans[NEAR];
    struct frame frame = lan_frame(LAN_BROADCAST, HOST_MAC, TYPE);
    (void)state;
    pass(3);
    uint32_t soon = (uint32_t)WRN_MS(100);
    assert_int_equal(lan_send(lan, LAN_HOST, &frame), WRN_SWITCH_NONE);
    wrn_switch_on_time(lan->sw, lan->now, &lan->out);
    wrn_mono probed = lan->sw->probed_at;
    assert_int_equal(wrn_switch_due(lan->sw).ns, probed.ns + WRN_S(1));
    assert_int_equal(lan_send(lan, FAR, &frame), WRN_SWITCH_STOLEN);
    assert_int_equal(wrn_switch_due(lan->sw).ns, probed.ns + soon);
}

static void the_other_takes_over(void **state) {
    (void)state;
    for (int round = 0; round < 3; round++) {
        pass(3);
        assert_true(stands_by(NEAR2));
        assert_int_equal(copies_from_wire(), 1);
        assert_int_equal(lan_owner(&world.lans[FAR], HOST_MAC, 0), NEAR);
        world.is_up[NEAR] = false;
        pass(5);
        assert_false(stands_by(NEAR2));
        assert_int_equal(world.events[NEAR2][WRN_SWITCH_EVENT_LOOP_ENDED], round + 1);
        /* the far side has not noticed that NEAR is gone, and takes NEAR2's word for its hosts */
        assert_true(wrn_switch_is_open(world.lans[FAR].sw, lan_peer(NEAR)));
        assert_int_equal(copies_from_wire(), 1);
        assert_int_equal(lan_owner(&world.lans[FAR], HOST_MAC, 0), NEAR2);
        assert_int_equal(copies_to_wire(), 1);
        lan_stop(&world.lans[NEAR]); /* comes back, without memory */
        begin(NEAR, (uint64_t)(world.lans[FAR].now.wall.s - 1700000000));
        world.lans[NEAR].now.mono = world.lans[FAR].now.mono;
    }
}

static void who_reaches_nobody_goes_last(void **state) {
    (void)state;
    pass(3);
    assert_true(stands_by(NEAR2));
    wrn_switch_close(world.lans[NEAR].sw, world.lans[NEAR].now, lan_peer(FAR));
    pass(3);
    assert_true(stands_by(NEAR) && !stands_by(NEAR2));
    lan_open(&world.lans[NEAR], FAR, "far");
    pass(3);
    assert_true(!stands_by(NEAR) && stands_by(NEAR2));
}

static void it_can_be_switched_off(void **state) {
    struct wrn_switch_settings settings;
    (void)state;
    pass(3);
    assert_true(stands_by(NEAR2));
    wrn_switch_settings(world.lans[NEAR2].sw, &settings);
    settings.guards_loops = false;
    wrn_switch_set(world.lans[NEAR2].sw, world.lans[NEAR2].now, &settings);
    pass(10);
    assert_false(stands_by(NEAR2));
    settings.guards_loops = true;
    wrn_switch_set(world.lans[NEAR2].sw, world.lans[NEAR2].now, &settings);
    pass(3);
    assert_true(stands_by(NEAR2));
}

/* The probe that a switch sends next. */
static struct frame probe_of(uint32_t number) {
    struct lan *lan = &world.lans[number];
    struct frame frame = {0};
    lan_wait(lan, WRN_S(1) + WRN_MS(10));
    for (uint32_t i = 0; i < lan->out.frame_count; i++) {
        if (lan->out.frames[i].to_host) {
            frame.size = lan->out.frames[i].size;
            memcpy(frame.bytes, lan->out.frames[i].bytes, frame.size);
        }
    }
    assert_true(frame.size == 60);
    return frame;
}

static void forged_and_old_probes_count_for_nothing(void **state) {
    struct frame probe = probe_of(NEAR);
    struct lan *victim = &world.lans[NEAR2];
    (void)state;
    for (size_t bit = 0; bit < 40 * 8; bit++) {
        struct frame forged = probe;
        forged.bytes[14 + bit / 8] ^= (uint8_t)(1 << bit % 8);
        (void)lan_send(victim, LAN_HOST, &forged);
        assert_false(stands_by(NEAR2));
        victim->now.mono = wrn_mono_add(victim->now.mono, WRN_MS(10));
    }
    for (size_t size = 14; size < 54; size++) {
        struct frame cut = probe;
        cut.size = size;
        (void)lan_send(victim, LAN_HOST, &cut);
    }
    (void)lan_send(victim, FAR, &probe); /* a member cannot stop us through the tunnel */
    assert_false(stands_by(NEAR2));
    assert_int_equal(lan_send(victim, LAN_HOST, &probe), WRN_SWITCH_GUARD);
    assert_true(stands_by(NEAR2));
    lan_wait(victim, WRN_S(5));
    assert_false(stands_by(NEAR2));
    (void)lan_send(victim, LAN_HOST, &probe); /* the same again */
    assert_false(stands_by(NEAR2));
    probe = probe_of(NEAR);
    (void)lan_send(victim, LAN_HOST, &probe);
    assert_true(stands_by(NEAR2));
}

static void probes_go_nowhere(void **state) {
    struct frame probe = probe_of(FAR);
    (void)state;
    assert_int_equal(lan_send(&world.lans[NEAR], LAN_HOST, &probe), WRN_SWITCH_GUARD);
    assert_int_equal(world.lans[NEAR].verdict.count, 0);
    assert_int_equal(lan_send(&world.lans[NEAR], FAR, &probe), WRN_SWITCH_GUARD);
    struct frame other = lan_frame(LAN_BROADCAST, HOST_MAC, 0x88b5); /* somebody's experiment */
    assert_int_equal(lan_send(&world.lans[NEAR], LAN_HOST, &other), WRN_SWITCH_NONE);
    assert_int_equal(world.lans[NEAR].verdict.count, 2);
}

static void ones_own_probe_is_told_of(void **state) {
    struct frame probe = probe_of(NEAR);
    struct lan *lan = &world.lans[NEAR];
    (void)state;
    assert_int_equal(lan_send(lan, LAN_HOST, &probe), WRN_SWITCH_GUARD);
    const struct wrn_switch_event *event = lan_event(lan, WRN_SWITCH_EVENT_LOOP);
    assert_non_null(event);
    assert_string_equal(event->name, "");
    assert_false(stands_by(NEAR));
}

/* Only who is named by the holder of an address takes it over. */
static void a_liar_takes_nothing_over(void **state) {
    struct frame frame = lan_frame(LAN_BROADCAST, HOST_MAC, TYPE);
    (void)state;
    world.is_up[NEAR2] = false;
    pass(3);
    assert_int_equal(copies_from_wire(), 1);
    assert_int_equal(lan_owner(&world.lans[FAR], HOST_MAC, 0), NEAR);
    /* NEAR2 says that NEAR is on its wire; NEAR does not say so */
    world.is_up[NEAR2] = true;
    world.is_up[NEAR] = false;
    struct frame probe = probe_of(NEAR);
    (void)lan_send(&world.lans[NEAR2], LAN_HOST, &probe);
    carry(NEAR2);
    pass(12);
    assert_true(world.notes > 0);
    assert_int_equal(lan_owner(&world.lans[FAR], HOST_MAC, 0), NEAR);
    assert_int_equal(lan_send(&world.lans[FAR], NEAR2, &frame), WRN_SWITCH_STOLEN);
    assert_int_equal(lan_owner(&world.lans[FAR], HOST_MAC, 0), NEAR);
}

/* Hosts of FAR that keep quiet: switches on the near wire are told where they are now. */
static void the_wire_hears_where_silent_hosts_are(void **state) {
    (void)state;
    pass(3);
    assert_true(stands_by(NEAR2));
    for (uint32_t i = 0; i < MACS; i++) {
        struct frame frame = lan_frame(LAN_BROADCAST, FAR_MAC + i, TYPE);
        if (i == 1) {
            lan_tag(&frame, 0x8100, 7);
        }
        (void)lan_send(&world.lans[FAR], LAN_HOST, &frame);
    }
    memset(world.announced, 0, sizeof world.announced);
    world.is_up[NEAR] = false;
    pass(10);
    assert_false(stands_by(NEAR2));
    for (uint32_t i = 0; i < MACS; i++) {
        assert_in_range(world.announced[NEAR2][i], 1, 6);
        assert_int_equal(world.announced[FAR][i], 0);
        assert_int_equal(lan_owner(&world.lans[NEAR2], FAR_MAC + i, i == 1 ? 7 : 0), FAR);
    }
    pass(80); /* so long it is told again with each note, should some have been lost */
    uint32_t before = world.announced[NEAR2][0];
    pass(20);
    assert_int_equal(world.announced[NEAR2][0], before); /* that is all */
}

/* A gateway that is connected when the first notes are lost hears the next ones within seconds, not
 * after ten: so one that dies soon after is taken over from as quickly. */
static void first_notes_may_be_lost(void **state) {
    struct lan *far = &world.lans[FAR];
    (void)state;
    world.lost = 6;
    pass(4);
    assert_true(stands_by(NEAR2));
    assert_int_equal(world.lost, 0);
    assert_true(wrn_switch_guard_is_twin(far->sw, wrn_switch_port_of(far->sw, lan_peer(NEAR)),
                                         100 + NEAR2, wrn_switch_seconds(far->sw, far->now.mono)));
    assert_int_equal(copies_from_wire(), 1);
    world.is_up[NEAR] = false;
    world.lost = 2; /* the first word of who takes over, too */
    pass(6);
    assert_int_equal(copies_from_wire(), 1);
    assert_int_equal(lan_owner(far, HOST_MAC, 0), NEAR2);
}

/* Who comes when notes are rare need not wait for the next one: the gateway may die before. */
static void a_new_port_is_told_at_once(void **state) {
    enum { LATE = 9, AT_KIND = 14 + 5, NOTE = 2 };
    struct lan *lan = &world.lans[NEAR];
    bool is_told = false;
    (void)state;
    pass(20);
    lan_wait(lan, WRN_MS(300));
    assert_false(wrn_mono_reached(lan->now.mono, wrn_switch_due(lan->sw)));
    lan_open(lan, LATE, "late");
    assert_true(wrn_mono_reached(lan->now.mono, wrn_switch_due(lan->sw)));
    lan->out.frame_count = lan->out.event_count = 0;
    wrn_switch_on_time(lan->sw, lan->now, &lan->out);
    for (uint32_t i = 0; i < lan->out.frame_count; i++) {
        const struct wrn_switch_frame *frame = &lan->out.frames[i];
        for (uint32_t k = 0; k < frame->count && frame->bytes[AT_KIND] == NOTE; k++) {
            is_told = is_told || wrn_handle_equal(frame->peers[k], lan_peer(LATE));
        }
    }
    assert_true(is_told);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(the_larger_number_stands_by),
        TEST(what_a_loop_has_taught_is_forgotten),
        TEST(thefts_hurry_the_probe),
        TEST(the_other_takes_over),
        TEST(the_wire_hears_where_silent_hosts_are),
        TEST(first_notes_may_be_lost),
        TEST(a_new_port_is_told_at_once),
        TEST(who_reaches_nobody_goes_last),
        TEST(it_can_be_switched_off),
        TEST(forged_and_old_probes_count_for_nothing),
        TEST(probes_go_nowhere),
        TEST(ones_own_probe_is_told_of),
        TEST(a_liar_takes_nothing_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
