/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: frames go where they belong, once; addresses are whose they are; ports come and go.
 * Method: single frames by hand, and what is known and counted afterwards. */
#include "unit/switch/lan.h"

static struct lan lan;

static int start(void **state) {
    struct wrn_switch_options options = lan_options();
    (void)state;
    lan_start(&lan, &options);
    lan_open(&lan, 10, "ten");
    lan_open(&lan, 20, "twenty");
    lan_open(&lan, 30, "thirty");
    return 0;
}

static int stop(void **state) {
    (void)state;
    lan_stop(&lan);
    return 0;
}

enum { A = 1, B, C, D, TYPE = 0x88f7 };

static void unknown_destinations_are_flooded_once(void **state) {
    struct frame frame = lan_frame(B, A, TYPE);
    (void)state;
    assert_int_equal(lan_send(&lan, LAN_HOST, &frame), WRN_SWITCH_NONE);
    assert_int_equal(lan.verdict.count, 3);
    assert_true(lan_went_to(&lan, 10) && lan_went_to(&lan, 20) && lan_went_to(&lan, 30));
    frame = lan_frame(LAN_BROADCAST, A, TYPE);
    assert_int_equal(lan_send(&lan, LAN_HOST, &frame), WRN_SWITCH_NONE);
    assert_int_equal(lan.verdict.count, 3);
}

static void learned_addresses_are_sent_to_alone(void **state) {
    struct frame there = lan_frame(A, B, TYPE), back = lan_frame(B, A, TYPE);
    (void)state;
    assert_int_equal(lan_send(&lan, 20, &there), WRN_SWITCH_NONE);
    assert_int_equal(lan.verdict.count, 0);
    assert_int_equal(lan_owner(&lan, B, 0), 20);
    assert_int_equal(lan_send(&lan, LAN_HOST, &back), WRN_SWITCH_NONE);
    assert_int_equal(lan.verdict.count, 1);
    assert_true(lan_went_to(&lan, 20));
    assert_int_equal(lan_owner(&lan, A, 0), LAN_HOST);
    assert_int_equal(lan_send(&lan, 20, &there), WRN_SWITCH_NONE);
    assert_false(lan.verdict.is_told); /* all is known */
    /* what floods to us and is another's is not for our host */
    struct frame other = lan_frame(B, C, TYPE);
    assert_int_equal(lan_send(&lan, 30, &other), WRN_SWITCH_ELSEWHERE);
    other = lan_frame(B, D, TYPE);
    assert_int_equal(lan_send(&lan, 20, &other), WRN_SWITCH_HAIRPIN);
    other = lan_frame(A, D + 1, TYPE);
    assert_int_equal(lan_send(&lan, LAN_HOST, &other), WRN_SWITCH_HAIRPIN);
}

static void vlans_have_addresses_of_their_own(void **state) {
    struct frame tagged = lan_frame(A, B, TYPE), plain = lan_frame(A, B, TYPE), back;
    (void)state;
    lan_tag(&tagged, 0x8100, 7);
    assert_int_equal(lan_send(&lan, 20, &tagged), WRN_SWITCH_NONE);
    assert_int_equal(lan_send(&lan, 30, &plain), WRN_SWITCH_NONE);
    assert_int_equal(lan_owner(&lan, B, 7), 20);
    assert_int_equal(lan_owner(&lan, B, 0), 30);
    back = lan_frame(B, A, TYPE);
    lan_tag(&back, 0x8100, 0xe007); /* a priority changes nothing */
    assert_int_equal(lan_send(&lan, LAN_HOST, &back), WRN_SWITCH_NONE);
    assert_int_equal(lan.verdict.count, 1);
    assert_true(lan_went_to(&lan, 20));
    back = lan_frame(B, A, TYPE);
    lan_tag(&back, 0x8100, 0); /* and no VLAN is none */
    assert_int_equal(lan_send(&lan, LAN_HOST, &back), WRN_SWITCH_NONE);
    assert_true(lan_went_to(&lan, 30));
    /* the outer of two counts */
    back = lan_frame(B, A, TYPE);
    lan_tag(&back, 0x8100, 9);
    lan_tag(&back, 0x88a8, 7);
    assert_int_equal(lan_send(&lan, LAN_HOST, &back), WRN_SWITCH_NONE);
    assert_true(lan_went_to(&lan, 20));
}

static void addresses_in_use_are_not_taken(void **state) {
    struct frame frame = lan_frame(A, B, TYPE);
    (void)state;
    assert_int_equal(lan_send(&lan, 20, &frame), WRN_SWITCH_NONE);
    assert_int_equal(lan_send(&lan, 30, &frame), WRN_SWITCH_STOLEN);
    const struct wrn_switch_event *event = lan_event(&lan, WRN_SWITCH_EVENT_STOLEN);
    assert_non_null(event);
    assert_string_equal(event->name, "thirty");
    assert_string_equal(event->other, "twenty");
    assert_memory_equal(event->mac, frame.bytes + 6, 6);
    assert_int_equal(lan_owner(&lan, B, 0), 20);
    assert_int_equal(lan_refused(&lan, 30, WRN_SWITCH_STOLEN), 1);
    /* nor by the host's side, nor are its own */
    assert_int_equal(lan_send(&lan, LAN_HOST, &frame), WRN_SWITCH_STOLEN);
    event = lan_event(&lan, WRN_SWITCH_EVENT_STOLEN);
    assert_non_null(event);
    assert_string_equal(event->name, "");
    frame = lan_frame(B, A, TYPE);
    assert_int_equal(lan_send(&lan, LAN_HOST, &frame), WRN_SWITCH_NONE);
    frame = lan_frame(B, A, TYPE);
    assert_int_equal(lan_send(&lan, 30, &frame), WRN_SWITCH_STOLEN);
    event = lan_event(&lan, WRN_SWITCH_EVENT_STOLEN);
    assert_non_null(event);
    assert_string_equal(event->other, "");
    /* a thousand more are counted, and told of a few times */
    size_t events = 0;
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(lan_send(&lan, 30, &frame), WRN_SWITCH_STOLEN);
        events += lan.out.event_count;
    }
    assert_in_range(events, 0, 4);
    assert_int_equal(lan_refused(&lan, 30, WRN_SWITCH_STOLEN), 1002);
}

static void silent_addresses_are_anybodys(void **state) {
    struct frame frame = lan_frame(LAN_BROADCAST, B, TYPE);
    (void)state;
    assert_int_equal(lan_send(&lan, 20, &frame), WRN_SWITCH_NONE);
    lan_wait(&lan, WRN_S(200));
    assert_int_equal(lan_send(&lan, 20, &frame), WRN_SWITCH_NONE);
    lan_wait(&lan, WRN_S(299));
    assert_int_equal(lan_owner(&lan, B, 0), 20); /* heard again */
    assert_int_equal(lan_send(&lan, 30, &frame), WRN_SWITCH_STOLEN);
    lan_wait(&lan, WRN_S(2));
    assert_int_equal(lan_owner(&lan, B, 0), LAN_NOBODY);
    assert_int_equal(lan_send(&lan, 30, &frame), WRN_SWITCH_NONE);
    assert_int_equal(lan_owner(&lan, B, 0), 30);
    lan_wait(&lan, WRN_S(400));
    uint32_t cursor = 0;
    struct wrn_switch_mac mac;
    assert_false(wrn_switch_next_mac(lan.sw, lan.now.mono, &cursor, &mac));
    assert_int_equal(lan.sw->mac_chains.used, 0);
}

static void named_addresses_move(void **state) {
    struct wrn_frame_rules rules = lan_rules();
    struct frame frame = lan_frame(LAN_BROADCAST, B, TYPE);
    (void)state;
    rules.mac_count = 1;
    rules.macs[0].bits = 48;
    lan_mac(rules.macs[0].bytes, B);
    assert_int_equal(lan_send(&lan, 20, &frame), WRN_SWITCH_NONE);
    lan_open_with(&lan, 30, "thirty", &rules);
    assert_int_equal(lan_send(&lan, 30, &frame), WRN_SWITCH_NONE);
    const struct wrn_switch_event *event = lan_event(&lan, WRN_SWITCH_EVENT_MOVED);
    assert_non_null(event);
    assert_string_equal(event->name, "thirty");
    assert_string_equal(event->other, "twenty");
    assert_int_equal(lan_owner(&lan, B, 0), 30);
    assert_int_equal(lan_send(&lan, 20, &frame), WRN_SWITCH_STOLEN);
    /* from the host's side likewise, and back */
    wrn_switch_set_ours(lan.sw, &rules);
    assert_int_equal(lan_send(&lan, LAN_HOST, &frame), WRN_SWITCH_NONE);
    assert_int_equal(lan_owner(&lan, B, 0), LAN_HOST);
    assert_int_equal(lan_send(&lan, 30, &frame), WRN_SWITCH_NONE);
    assert_int_equal(lan_owner(&lan, B, 0), 30);
}

static void quotas_are_each_ports_own(void **state) {
    struct wrn_switch_port_info info;
    uint32_t cursor = 0, refused = 0, events = 0;
    (void)state;
    struct frame own = lan_frame(LAN_BROADCAST, 7, TYPE);
    assert_int_equal(lan_send(&lan, 20, &own), WRN_SWITCH_NONE);
    for (uint32_t i = 0; i < 5000; i++) {
        struct frame frame = lan_frame(LAN_BROADCAST, 1000 + i, TYPE);
        lan.now.mono = wrn_mono_add(lan.now.mono, WRN_MS(1));
        refused += lan_send(&lan, 30, &frame) == WRN_SWITCH_QUOTA;
        events += lan_event(&lan, WRN_SWITCH_EVENT_QUOTA) != NULL;
    }
    assert_int_equal(refused, 5000 - 64);
    assert_in_range(events, 1, 4);
    assert_int_equal(lan_owner(&lan, 7, 0), 20);
    for (uint32_t i = 0; i < 60; i++) { /* others have room */
        struct frame frame = lan_frame(LAN_BROADCAST, 100000 + i, TYPE);
        assert_int_equal(lan_send(&lan, 20, &frame), WRN_SWITCH_NONE);
        assert_int_equal(lan_owner(&lan, 100000 + i, 0), 20);
    }
    assert_true(wrn_switch_next_port(lan.sw, &cursor, &info)); /* the host's side */
    assert_true(wrn_switch_next_port(lan.sw, &cursor, &info));
    assert_true(wrn_switch_next_port(lan.sw, &cursor, &info));
    assert_int_equal(info.macs, 61);
    assert_true(wrn_switch_next_port(lan.sw, &cursor, &info));
    assert_string_equal(info.name, "thirty");
    assert_int_equal(info.macs, 64);
    assert_false(wrn_switch_next_port(lan.sw, &cursor, &info));
}

/* Members that fill the table together leave each other one what it is sure of. */
static void the_shared_part_runs_out_first(void **state) {
    (void)state;
    for (uint32_t port = 40; port < 72; port++) {
        lan_open(&lan, port, "greedy");
        for (uint32_t i = 0; i < 64; i++) {
            struct frame frame = lan_frame(LAN_BROADCAST, port * 1000 + i, TYPE);
            lan.now.mono = wrn_mono_add(lan.now.mono, WRN_MS(1));
            (void)lan_send(&lan, port, &frame);
        }
    }
    assert_int_equal(atomic_load(&lan.sw->macs_shared), 1024); /* of 4,096: a quarter */
    for (uint32_t i = 0; i < 4; i++) {                         /* 4,096 / 1,024 */
        struct frame frame = lan_frame(LAN_BROADCAST, 7 + i, TYPE);
        assert_int_equal(lan_send(&lan, 20, &frame), WRN_SWITCH_NONE);
        assert_int_equal(lan_owner(&lan, 7 + i, 0), 20);
    }
    struct frame frame = lan_frame(LAN_BROADCAST, 12, TYPE);
    assert_int_equal(lan_send(&lan, 20, &frame), WRN_SWITCH_QUOTA);
    wrn_switch_close(lan.sw, lan.now, lan_peer(40));
    assert_int_equal(lan_send(&lan, 20, &frame), WRN_SWITCH_NONE);
    for (uint32_t port = 41; port < 72; port++) {
        wrn_switch_close(lan.sw, lan.now, lan_peer(port));
    }
    assert_int_equal(atomic_load(&lan.sw->macs_shared), 1);
}

static void ports_open_and_close(void **state) {
    struct frame frame = lan_frame(LAN_BROADCAST, B, TYPE), back = lan_frame(B, A, TYPE);
    (void)state;
    assert_int_equal(lan_send(&lan, 20, &frame), WRN_SWITCH_NONE);
    assert_true(wrn_switch_is_open(lan.sw, lan_peer(20)));
    assert_int_equal(wrn_switch_payload_max(lan.sw, lan_peer(20)), 1400);
    wrn_switch_set_path(lan.sw, lan.now, lan_peer(20), 1280, 1280);
    assert_int_equal(wrn_switch_payload_max(lan.sw, lan_peer(20)), 1280);
    wrn_switch_close(lan.sw, lan.now, lan_peer(20));
    wrn_switch_close(lan.sw, lan.now, lan_peer(20));
    assert_false(wrn_switch_is_open(lan.sw, lan_peer(20)));
    assert_false(wrn_switch_is_open(lan.sw, WRN_HANDLE_NONE));
    assert_int_equal(wrn_switch_payload_max(lan.sw, lan_peer(20)), 0);
    assert_int_equal(lan_owner(&lan, B, 0), LAN_NOBODY);
    assert_int_equal(lan_send(&lan, 20, &frame), WRN_SWITCH_CLOSED);
    assert_int_equal(lan_send(&lan, LAN_HOST, &back), WRN_SWITCH_NONE);
    assert_false(lan_went_to(&lan, 20));
    assert_int_equal(lan.verdict.count, 2);
    /* another member takes the room of the port, and its counts begin at 0 */
    lan_open(&lan, 21, "other");
    assert_true(lan_refused(&lan, 21, WRN_SWITCH_CLOSED) == 0);
    assert_int_equal(lan_send(&lan, 20, &frame), WRN_SWITCH_CLOSED);
    assert_int_equal(lan_send(&lan, 21, &frame), WRN_SWITCH_NONE);
    assert_int_equal(lan_owner(&lan, B, 0), 21);
    for (uint32_t index = 100; index < 100 + WRN_SWITCH_PORTS_MAX - 3; index++) {
        lan_open(&lan, index, "many");
    }
    struct wrn_switch_port port = {.peer = lan_peer(400), .member = 9};
    assert_false(wrn_switch_open(lan.sw, lan.now, &port));
    frame = lan_frame(LAN_BROADCAST, A, TYPE);
    assert_int_equal(lan_send(&lan, LAN_HOST, &frame), WRN_SWITCH_NONE);
    assert_int_equal(lan.verdict.count, WRN_SWITCH_PORTS_MAX);
}

static void nobody_is_told_so(void **state) {
    struct frame frame = lan_frame(LAN_BROADCAST, A, TYPE);
    (void)state;
    wrn_switch_close(lan.sw, lan.now, lan_peer(10));
    wrn_switch_close(lan.sw, lan.now, lan_peer(20));
    wrn_switch_close(lan.sw, lan.now, lan_peer(30));
    assert_int_equal(lan_send(&lan, LAN_HOST, &frame), WRN_SWITCH_NO_MEMBER);
    assert_int_equal(lan_owner(&lan, A, 0), LAN_HOST); /* it is learned all the same */
}

static void types_and_sources_are_asked_for(void **state) {
    struct wrn_frame_rules rules = {.type_count = 1, .mac_count = 1};
    (void)state;
    rules.types[0] = (struct wrn_frame_types){0x0800, 0x0806};
    rules.macs[0].bits = 48;
    lan_mac(rules.macs[0].bytes, B);
    lan_open_with(&lan, 20, "twenty", &rules);
    struct frame frame = lan_frame(LAN_BROADCAST, B, 0x0806);
    assert_int_equal(lan_send(&lan, 20, &frame), WRN_SWITCH_NONE);
    lan_tag(&frame, 0x8100, 3);
    assert_int_equal(lan_send(&lan, 20, &frame), WRN_SWITCH_NONE);
    frame = lan_frame(LAN_BROADCAST, B, 0x86dd);
    assert_int_equal(lan_send(&lan, 20, &frame), WRN_SWITCH_TYPE);
    lan_tag(&frame, 0x8100, 3);
    lan_tag(&frame, 0x88a8, 3);
    assert_int_equal(lan_send(&lan, 20, &frame), WRN_SWITCH_TYPE);
    frame = lan_frame(LAN_BROADCAST, B, 100); /* LLC */
    assert_int_equal(lan_send(&lan, 20, &frame), WRN_SWITCH_TYPE);
    frame = lan_frame(LAN_BROADCAST, C, 0x0806);
    assert_int_equal(lan_send(&lan, 20, &frame), WRN_SWITCH_MAC);
    assert_int_equal(lan_owner(&lan, C, 0), LAN_NOBODY);
    wrn_switch_set_ours(lan.sw, &rules);
    frame = lan_frame(LAN_BROADCAST, A, 0x0806);
    assert_int_equal(lan_send(&lan, LAN_HOST, &frame), WRN_SWITCH_MAC);
    frame = lan_frame(LAN_BROADCAST, B, TYPE);
    assert_int_equal(lan_send(&lan, LAN_HOST, &frame), WRN_SWITCH_TYPE);
}

/* Permits nothing to or from peer 20 that has 1 in its first byte; counts. */
struct gate {
    uint32_t asked, lane;
    bool is_out;
};

static bool permits(void *ctx, uint32_t lane, wrn_handle peer, bool is_out, wrn_mono now,
                    wrn_span packet) {
    struct gate *gate = ctx;
    gate->asked++;
    gate->lane = lane;
    gate->is_out = is_out;
    assert_int_equal(now.ns, lan.now.mono.ns);
    return peer.index != 20 || packet.size == 0 || packet.data[0] != 1;
}

static void ip_packets_are_asked_for(void **state) {
    struct wrn_switch_options options = lan_options();
    struct gate gate = {0};
    static const uint8_t refused = 1;
    (void)state;
    lan_stop(&lan);
    options.permits = permits;
    options.permits_ctx = &gate;
    lan_start(&lan, &options);
    lan_open(&lan, 10, "ten");
    lan_open(&lan, 20, "twenty");
    for (int is_v6 = 0; is_v6 < 2; is_v6++) {
        struct frame frame = lan_frame(LAN_BROADCAST, A, is_v6 ? 0x86dd : 0x0800);
        gate.asked = 0;
        assert_int_equal(lan_send(&lan, LAN_HOST, &frame), WRN_SWITCH_NONE);
        assert_int_equal(lan.verdict.count, 2);
        assert_int_equal(gate.asked, 2);
        assert_true(gate.is_out && gate.lane == 1);
        lan_tag(&frame, 0x8100, 6);
        frame.bytes[18] = refused; /* behind the tag, too */
        assert_int_equal(lan_send(&lan, LAN_HOST, &frame), WRN_SWITCH_NONE);
        assert_int_equal(lan.verdict.count, 1);
        assert_true(lan_went_to(&lan, 10));
        frame = lan_frame(A, B, is_v6 ? 0x86dd : 0x0800);
        assert_int_equal(lan_send(&lan, 20, &frame), WRN_SWITCH_NONE);
        assert_false(gate.is_out);
        frame.bytes[14] = refused;
        assert_int_equal(lan_send(&lan, 20, &frame), WRN_SWITCH_PACKET);
        frame = lan_frame(B, A, is_v6 ? 0x86dd : 0x0800);
        assert_int_equal(lan_send(&lan, LAN_HOST, &frame), WRN_SWITCH_NONE);
        frame.bytes[14] = refused;
        assert_int_equal(lan_send(&lan, LAN_HOST, &frame), WRN_SWITCH_PACKET);
        frame.size = 14; /* nothing in it is asked about as it is */
        assert_int_equal(lan_send(&lan, LAN_HOST, &frame), WRN_SWITCH_NONE);
    }
    gate.asked = 0;
    struct frame frame = lan_frame(LAN_BROADCAST, A, 0x0806);
    frame.bytes[14] = refused;
    assert_int_equal(lan_send(&lan, LAN_HOST, &frame), WRN_SWITCH_NONE);
    assert_int_equal(gate.asked, 0);
    wrn_switch_close(lan.sw, lan.now, lan_peer(10)); /* nobody is left who may have it */
    frame = lan_frame(LAN_BROADCAST, A, 0x0800);
    frame.bytes[14] = refused;
    assert_int_equal(lan_send(&lan, LAN_HOST, &frame), WRN_SWITCH_PACKET);
}

static void floods_are_limited(void **state) {
    struct frame frame = lan_frame(LAN_BROADCAST, A, TYPE), known = lan_frame(B, A, TYPE);
    struct frame from = lan_frame(A, B, TYPE);
    uint32_t passed = 0, events = 0;
    (void)state;
    assert_int_equal(lan_send(&lan, 20, &from), WRN_SWITCH_NONE);
    for (int i = 0; i < 20000; i++) { /* one each 100 us: 2 s */
        lan.now.mono = wrn_mono_add(lan.now.mono, 100000);
        passed += lan_send(&lan, LAN_HOST, &frame) == WRN_SWITCH_NONE;
        events += lan_event(&lan, WRN_SWITCH_EVENT_STORM) != NULL;
        assert_int_equal(lan_send(&lan, LAN_HOST, &known), WRN_SWITCH_NONE);
    }
    assert_in_range(passed, 5900, 6100); /* 2,000 at once, 2,000 each second */
    assert_in_range(events, 1, 4);
    struct frame other = lan_frame(LAN_BROADCAST, C, TYPE);
    assert_int_equal(lan_send(&lan, 30, &other), WRN_SWITCH_NONE); /* a bucket each */
    struct wrn_switch_settings settings;
    wrn_switch_settings(lan.sw, &settings);
    settings.floods_per_s = 0;
    wrn_switch_set(lan.sw, lan.now, &settings);
    for (int i = 0; i < 20000; i++) {
        assert_int_equal(lan_send(&lan, LAN_HOST, &frame), WRN_SWITCH_NONE);
    }
}

static void what_is_no_frame_goes_nowhere(void **state) {
    struct frame frame = lan_frame(LAN_BROADCAST, A, TYPE);
    (void)state;
    for (size_t size = 0; size < 14; size++) {
        frame.size = size;
        assert_int_equal(lan_send(&lan, LAN_HOST, &frame), WRN_SWITCH_SHORT);
        assert_int_equal(lan_send(&lan, 20, &frame), WRN_SWITCH_SHORT);
    }
    frame = lan_frame(LAN_BROADCAST, A, TYPE);
    lan_tag(&frame, 0x8100, 1);
    lan_tag(&frame, 0x88a8, 1);
    for (size_t size = 14; size < 22; size++) {
        frame.size = size;
        assert_int_equal(lan_send(&lan, 20, &frame), WRN_SWITCH_SHORT);
    }
    frame.size = 22;
    assert_int_equal(lan_send(&lan, 20, &frame), WRN_SWITCH_NONE);
    frame = lan_frame(LAN_BROADCAST, LAN_BROADCAST, TYPE);
    assert_int_equal(lan_send(&lan, 20, &frame), WRN_SWITCH_BAD_SOURCE);
    memset(frame.bytes + 6, 0, 6);
    assert_int_equal(lan_send(&lan, 20, &frame), WRN_SWITCH_BAD_SOURCE);
    static const uint8_t reserved[] = {0x01, 0x80, 0xc2, 0, 0};
    for (unsigned last = 0; last < 0x20; last++) {
        frame = lan_frame(B, A, TYPE);
        memcpy(frame.bytes, reserved, sizeof reserved);
        frame.bytes[5] = (uint8_t)last;
        assert_int_equal(lan_send(&lan, LAN_HOST, &frame),
                         last < 0x10 ? WRN_SWITCH_LINK_LOCAL : WRN_SWITCH_NONE);
    }
    assert_int_equal(lan_refused(&lan, LAN_HOST, WRN_SWITCH_LINK_LOCAL), 16);
}

static void refusals_and_events_have_names(void **state) {
    (void)state;
    for (int i = 0; i < WRN_SWITCH_REFUSAL_COUNT; i++) {
        assert_true(strlen(wrn_switch_refusal_name((enum wrn_switch_refusal)i)) > 0);
        assert_true(strlen(wrn_switch_refusal_text((enum wrn_switch_refusal)i)) > 0);
    }
    assert_string_equal(wrn_switch_event_name(WRN_SWITCH_EVENT_STOLEN), "mac.refused");
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(unknown_destinations_are_flooded_once),
        TEST(learned_addresses_are_sent_to_alone),
        TEST(vlans_have_addresses_of_their_own),
        TEST(addresses_in_use_are_not_taken),
        TEST(silent_addresses_are_anybodys),
        TEST(named_addresses_move),
        TEST(quotas_are_each_ports_own),
        TEST(the_shared_part_runs_out_first),
        TEST(ports_open_and_close),
        TEST(nobody_is_told_so),
        TEST(types_and_sources_are_asked_for),
        TEST(ip_packets_are_asked_for),
        TEST(floods_are_limited),
        TEST(what_is_no_frame_goes_nowhere),
        TEST(refusals_and_events_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
