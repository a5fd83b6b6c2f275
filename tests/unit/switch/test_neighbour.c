/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: questions for addresses are answered here if the answer is known and fresh, and reach each
 * member once if not; two that claim an address are told of; DHCP stays where it is.
 * Method: frames by hand. */
#include "unit/switch/packets.h"

static struct lan lan;

enum { A = 1, B, C, D };

static int start(void **state) {
    struct wrn_switch_options options = lan_options();
    (void)state;
    lan_start(&lan, &options);
    lan_open(&lan, 10, "ten");
    lan_open(&lan, 20, "twenty");
    return 0;
}

static int stop(void **state) {
    (void)state;
    lan_stop(&lan);
    return 0;
}

static void send(uint32_t from, struct frame frame) {
    assert_int_equal(lan_send(&lan, from, &frame), WRN_SWITCH_NONE);
}

/* The frame that the last one was answered with; NULL: it was sent on, or nothing was done. */
static const struct wrn_switch_frame *answer(void) {
    for (uint32_t i = 0; i < lan.out.frame_count; i++) {
        if (lan.out.frames[i].to_host) {
            return &lan.out.frames[i];
        }
    }
    return NULL;
}

static bool went_to_both(void) {
    return lan_went_to(&lan, 10) && lan_went_to(&lan, 20);
}

static void arp_is_answered_from_what_is_known(void **state) {
    uint8_t mac[6];
    (void)state;
    send(LAN_HOST, packet_arp(LAN_BROADCAST, A, 1, 1, 2));
    assert_null(answer());
    assert_true(went_to_both());
    send(20, packet_arp(A, B, 2, 2, 1));
    send(LAN_HOST, packet_arp(LAN_BROADCAST, C, 1, 3, 2));
    const struct wrn_switch_frame *frame = answer();
    assert_non_null(frame);
    assert_false(lan_went_to(&lan, 10) || lan_went_to(&lan, 20));
    struct frame wanted = packet_arp(C, B, 2, 2, 3);
    assert_int_equal(frame->size, wanted.size);
    assert_memory_equal(frame->bytes, wanted.bytes, wanted.size);
    assert_int_equal(lan_refused(&lan, LAN_HOST, WRN_SWITCH_ANSWERED), 1);
    /* with the tags of the question */
    struct frame tagged = packet_arp(A, B, 2, 2, 1);
    lan_tag(&tagged, 0x8100, 7);
    send(20, tagged);
    tagged = packet_arp(LAN_BROADCAST, C, 1, 3, 2);
    lan_tag(&tagged, 0x8100, 7);
    send(LAN_HOST, tagged);
    frame = answer();
    assert_non_null(frame);
    wanted = packet_arp(C, B, 2, 2, 3);
    lan_tag(&wanted, 0x8100, 7);
    assert_memory_equal(frame->bytes, wanted.bytes, 46);
    /* another VLAN is another world */
    tagged = packet_arp(LAN_BROADCAST, C, 1, 3, 2);
    lan_tag(&tagged, 0x8100, 8);
    send(LAN_HOST, tagged);
    assert_null(answer());
    assert_true(went_to_both());
    /* the walk has them */
    struct wrn_switch_neighbour neighbour;
    size_t found = 0;
    lan_mac(mac, B);
    for (uint32_t cursor = 0;
         wrn_switch_next_neighbour(lan.sw, lan.now.mono, &cursor, &neighbour);) {
        found += neighbour.ip.bytes[3] == 2 && memcmp(neighbour.mac, mac, 6) == 0 &&
                 wrn_handle_equal(neighbour.peer, lan_peer(20));
    }
    assert_int_equal(found, 2);
}

static void what_is_stale_or_off_is_sent_on(void **state) {
    struct wrn_switch_settings settings;
    (void)state;
    send(20, packet_arp(LAN_BROADCAST, B, 1, 2, 9));
    send(LAN_HOST, packet_arp(LAN_BROADCAST, A, 1, 1, 2));
    assert_non_null(answer());
    lan_wait(&lan, WRN_S(61)); /* nothing was heard of B */
    send(LAN_HOST, packet_arp(LAN_BROADCAST, A, 1, 1, 2));
    assert_null(answer());
    assert_true(went_to_both());
    struct frame data = lan_frame(A, B, 0x0800);
    send(20, data);
    send(LAN_HOST, packet_arp(LAN_BROADCAST, A, 1, 1, 2));
    assert_non_null(answer());
    wrn_switch_settings(lan.sw, &settings);
    settings.answers_neighbours = false;
    wrn_switch_set(lan.sw, lan.now, &settings);
    send(LAN_HOST, packet_arp(LAN_BROADCAST, A, 1, 1, 2));
    assert_null(answer());
    assert_int_equal(lan.verdict.count, 2);
    settings.answers_neighbours = true;
    wrn_switch_set(lan.sw, lan.now, &settings);
    wrn_switch_close(lan.sw, lan.now, lan_peer(20));
    send(LAN_HOST, packet_arp(LAN_BROADCAST, A, 1, 1, 2));
    assert_null(answer());
    assert_true(lan_went_to(&lan, 10));
}

static void announcements_and_probes_are_sent_on(void **state) {
    (void)state;
    send(20, packet_arp(LAN_BROADCAST, B, 1, 2, 9));
    send(LAN_HOST, packet_arp(LAN_BROADCAST, A, 1, 5, 5)); /* gratuitous */
    assert_int_equal(lan.verdict.count, 2);
    send(LAN_HOST, packet_arp(LAN_BROADCAST, A, 1, 0, 2)); /* is it free? */
    assert_int_equal(lan.verdict.count, 2);
    assert_null(answer());
    send(LAN_HOST, packet_arp(B, A, 1, 1, 2)); /* is it still there? */
    assert_int_equal(lan.verdict.count, 1);
    assert_null(answer());
    send(20, packet_advertisement(A, B, 2, false));
    send(LAN_HOST, packet_solicitation(A, 0, 2)); /* DAD */
    assert_int_equal(lan.verdict.count, 2);
    assert_null(answer());
}

static void solicitations_are_answered_as_the_neighbour_would(void **state) {
    (void)state;
    for (int is_router = 0; is_router < 2; is_router++) {
        send(20, packet_solicitation(B, 2, 9)); /* does not say whether it is a router */
        send(LAN_HOST, packet_solicitation(A, 99, 2));
        if (!is_router) {
            assert_null(answer());
            assert_true(went_to_both());
        }
        send(20, packet_advertisement(A, B, 2, is_router != 0));
        send(LAN_HOST, packet_solicitation(A, 99, 2));
        const struct wrn_switch_frame *frame = answer();
        assert_non_null(frame);
        struct frame wanted = packet_advertisement(A, B, 2, is_router != 0);
        assert_int_equal(frame->size, wanted.size);
        assert_memory_equal(frame->bytes, wanted.bytes, 54 + 2);
        assert_memory_equal(frame->bytes + 58, wanted.bytes + 58, wanted.size - 58);
        /* its checksum: with the pseudo header all sums up to ffff */
        uint8_t pseudo[8] = {0, 0, 0, 32, 0, 0, 0, 58};
        uint32_t sum = wrn_switch_sum(0, (wrn_span){frame->bytes + 14 + 8, 32 + 32});
        assert_int_equal(wrn_switch_sum(sum, (wrn_span){pseudo, 8}), 0xffff);
    }
}

static void two_that_claim_an_address_are_told_of(void **state) {
    uint8_t mac[6];
    (void)state;
    send(20, packet_arp(LAN_BROADCAST, B, 1, 2, 9));
    send(10, packet_arp(LAN_BROADCAST, C, 1, 2, 9));
    const struct wrn_switch_event *event = lan_event(&lan, WRN_SWITCH_EVENT_DUPLICATE);
    assert_non_null(event);
    assert_string_equal(event->name, "ten");
    assert_string_equal(event->other, "twenty");
    lan_mac(mac, C);
    assert_memory_equal(event->mac, mac, 6);
    lan_mac(mac, B);
    assert_memory_equal(event->other_mac, mac, 6);
    assert_int_equal(event->ip.bytes[3], 2);
    send(LAN_HOST, packet_arp(LAN_BROADCAST, A, 1, 1, 2)); /* nobody speaks for it now */
    assert_null(answer());
    /* an address that moved to another host, whose old one is silent, is no such case */
    send(20, packet_arp(LAN_BROADCAST, B, 1, 7, 9));
    lan_wait(&lan, WRN_S(100));
    send(10, packet_arp(LAN_BROADCAST, C, 1, 7, 9));
    assert_null(lan_event(&lan, WRN_SWITCH_EVENT_DUPLICATE));
    send(LAN_HOST, packet_arp(LAN_BROADCAST, A, 1, 1, 7));
    assert_non_null(answer());
    /* ours and theirs */
    send(LAN_HOST, packet_arp(LAN_BROADCAST, A, 1, 7, 9));
    event = lan_event(&lan, WRN_SWITCH_EVENT_DUPLICATE);
    assert_non_null(event);
    assert_string_equal(event->name, "");
    /* IPv6 */
    send(20, packet_advertisement(A, B, 8, false));
    lan_wait(&lan, WRN_S(20));
    send(10, packet_advertisement(A, C, 8, false));
    assert_non_null(lan_event(&lan, WRN_SWITCH_EVENT_DUPLICATE));
}

static void who_speaks_for_others_is_not_believed(void **state) {
    (void)state;
    struct frame frame = packet_arp(LAN_BROADCAST, B, 1, 2, 9);
    lan_mac(frame.bytes + 6, C); /* the frame comes from C and says that B has it */
    send(20, frame);
    send(LAN_HOST, packet_arp(LAN_BROADCAST, A, 1, 1, 2));
    assert_null(answer());
}

static void neighbours_have_quotas(void **state) {
    struct wrn_switch_neighbour neighbour;
    size_t found = 0;
    (void)state;
    for (uint32_t i = 1; i < 200; i++) {
        send(20, packet_arp(LAN_BROADCAST, B, 1, i, 9));
    }
    for (uint32_t i = 201; i < 210; i++) {
        send(10, packet_arp(LAN_BROADCAST, C, 1, i, 9));
    }
    for (uint32_t cursor = 0;
         wrn_switch_next_neighbour(lan.sw, lan.now.mono, &cursor, &neighbour);) {
        found++;
    }
    assert_int_equal(found, 64 / 4 + 9);
    lan_wait(&lan, WRN_S(400)); /* all silent: all forgotten */
    uint32_t cursor = 0;
    assert_false(wrn_switch_next_neighbour(lan.sw, lan.now.mono, &cursor, &neighbour));
    assert_int_equal(lan.sw->neighbour_chains.used, 0);
}

static void dhcp_stays_on_each_side(void **state) {
    struct wrn_switch_settings settings;
    static const struct {
        const char *name;
        uint16_t source, destination;
        bool is_v6;
    } cases[] = {{"discover", 68, 67, false},
                 {"offer", 67, 68, false},
                 {"between relays", 67, 67, false},
                 {"solicit", 546, 547, true},
                 {"advertise", 547, 546, true}};
    (void)state;
    for (int is_allowed = 0; is_allowed < 2; is_allowed++) {
        enum wrn_switch_refusal wanted = is_allowed ? WRN_SWITCH_NONE : WRN_SWITCH_DHCP;
        for (size_t i = 0; i < WRN_COUNT(cases); i++) {
            struct frame frame =
                packet_udp(A, 1, cases[i].source, cases[i].destination, cases[i].is_v6);
            CHECK(lan_send(&lan, LAN_HOST, &frame) == wanted, "%s: ", cases[i].name);
            frame = packet_udp(B, 2, cases[i].source, cases[i].destination, cases[i].is_v6);
            lan_tag(&frame, 0x8100, 3);
            CHECK(lan_send(&lan, 20, &frame) == wanted, "%s: ", cases[i].name);
            const struct wrn_switch_event *event = lan_event(&lan, WRN_SWITCH_EVENT_DHCP);
            bool is_server = cases[i].destination == 68 || cases[i].destination == 546;
            CHECK((event != NULL) == (is_server && !is_allowed), "%s: ", cases[i].name);
            if (event != NULL) {
                assert_string_equal(event->name, "twenty");
                assert_int_equal(event->ip.bytes[event->ip.family == WRN_FAMILY_IPV4 ? 3 : 15], 2);
            }
        }
        struct frame frame = packet_router(A, 1);
        assert_int_equal(lan_send(&lan, LAN_HOST, &frame), wanted);
        frame = packet_router(C, 2);
        assert_int_equal(lan_send(&lan, 10, &frame), wanted);
        assert_int_equal(lan_event(&lan, WRN_SWITCH_EVENT_DHCP) != NULL, !is_allowed);
        wrn_switch_settings(lan.sw, &settings);
        settings.allows_dhcp = true;
        wrn_switch_set(lan.sw, lan.now, &settings);
    }
    struct frame frame = packet_udp(A, 1, 67, 53, false); /* other UDP is other UDP */
    assert_int_equal(lan_send(&lan, LAN_HOST, &frame), WRN_SWITCH_NONE);
}

/* What is cut short is a plain frame at most: it teaches no neighbour, and nobody answers it. */
static void truncated_frames_teach_nothing(void **state) {
    struct wrn_switch_neighbour neighbour;
    struct frame frames[] = {
        packet_arp(LAN_BROADCAST, B, 1, 2, 9), packet_solicitation(B, 2, 9),
        packet_advertisement(A, B, 2, true),   packet_router(B, 2),
        packet_udp(B, 2, 67, 68, false),       packet_udp(B, 2, 547, 546, true),
        packet_arp(LAN_BROADCAST, B, 2, 2, 9),
    };
    static const size_t whole[] = {14 + 28, 14 + 72, 14 + 72, 14 + 64, 14 + 24, 14 + 44, 14 + 28};
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(frames); i++) {
        for (int tags = 0; tags < 3; tags++) {
            for (size_t size = 0; size < whole[i] + (size_t)tags * 4; size++) {
                struct frame cut = frames[i];
                cut.size = size;
                enum wrn_switch_refusal refusal = lan_send(&lan, 20, &cut);
                CHECK(refusal == WRN_SWITCH_NONE || refusal == WRN_SWITCH_SHORT ||
                          refusal == WRN_SWITCH_DHCP || refusal == WRN_SWITCH_STORM,
                      "frame %zu of %zu bytes: %u", i, size, refusal);
                uint32_t cursor = 0;
                CHECK(!wrn_switch_next_neighbour(lan.sw, lan.now.mono, &cursor, &neighbour),
                      "frame %zu of %zu bytes: ", i, size);
                lan_mac(cut.bytes + 6, A);
                (void)lan_send(&lan, LAN_HOST, &cut);
                assert_null(answer());
                lan.now.mono = wrn_mono_add(lan.now.mono, WRN_MS(10));
            }
            lan_tag(&frames[i], tags == 0 ? 0x8100 : 0x88a8, 3);
        }
    }
}

/* Lengths inside of frames that lead outside of them. */
static void lying_lengths_lead_nowhere(void **state) {
    struct wrn_prng prng;
    uint64_t seed = check_seed();
    (void)state;
    wrn_prng_init(&prng, seed, 0);
    for (int i = 0; i < 20000; i++) {
        struct frame frames[] = {
            packet_solicitation(B, 2, 9), packet_advertisement(A, B, 2, true),
            packet_router(B, 2),          packet_udp(B, 2, 67, 68, false),
            packet_igmp(B, 0x22, 7),      packet_report(B, 4, 2, 7, true),
            packet_mld(B, 130, 0),        packet_arp(LAN_BROADCAST, B, 1, 2, 9),
        };
        struct frame *frame = &frames[wrn_prng_next(&prng) % WRN_COUNT(frames)];
        for (int flips = 0; flips < 3; flips++) {
            frame->bytes[12 + wrn_prng_next(&prng) % (frame->size - 12)] =
                (uint8_t)wrn_prng_next(&prng);
        }
        (void)lan_send(&lan, 20, frame);
        lan_mac(frame->bytes + 6, A);
        (void)lan_send(&lan, LAN_HOST, frame);
        lan.now.mono = wrn_mono_add(lan.now.mono, WRN_MS(10));
    }
}

/* Of this host's own interface alone, by its port alone; others may use that port, too. */
static void tunnels_do_not_run_through_the_network(void **state) {
    enum { PORT = 41000, OTHER };
    uint8_t mac[WRN_MAC_ADDRESS_SIZE];
    (void)state;
    send(LAN_HOST, packet_udp(A, 1, PORT, 5000, false)); /* nobody has told it yet */
    lan_mac(mac, A);
    wrn_switch_set_tunnel(lan.sw, mac, PORT);
    for (int is_v6 = 0; is_v6 < 2; is_v6++) {
        struct frame own = packet_udp(A, 1, PORT, 5000, is_v6 == 1);
        assert_int_equal(lan_send(&lan, LAN_HOST, &own), WRN_SWITCH_TUNNEL);
        lan_tag(&own, 0x8100, 12);
        assert_int_equal(lan_send(&lan, LAN_HOST, &own), WRN_SWITCH_TUNNEL);
        send(LAN_HOST, packet_udp(A, 1, OTHER, PORT, is_v6 == 1));
        send(LAN_HOST, packet_udp(B, 2, PORT, 5000, is_v6 == 1)); /* of a machine behind it */
        send(10, packet_udp(C, 3, PORT, 5000, is_v6 == 1));
    }
    assert_int_equal(lan_refused(&lan, LAN_HOST, WRN_SWITCH_TUNNEL), 4);
    wrn_switch_set_tunnel(lan.sw, mac, OTHER);
    send(LAN_HOST, packet_udp(A, 1, PORT, 5000, false));
    wrn_switch_set_tunnel(lan.sw, mac, 0);
    send(LAN_HOST, packet_udp(A, 1, OTHER, 5000, false));
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(arp_is_answered_from_what_is_known),
        TEST(what_is_stale_or_off_is_sent_on),
        TEST(announcements_and_probes_are_sent_on),
        TEST(solicitations_are_answered_as_the_neighbour_would),
        TEST(two_that_claim_an_address_are_told_of),
        TEST(who_speaks_for_others_is_not_believed),
        TEST(neighbours_have_quotas),
        TEST(dhcp_stays_on_each_side),
        TEST(truncated_frames_teach_nothing),
        TEST(lying_lengths_lead_nowhere),
        TEST(tunnels_do_not_run_through_the_network),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
