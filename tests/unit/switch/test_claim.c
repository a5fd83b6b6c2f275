/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a port whose rights name IP addresses sends from these, and says of these alone by ARP and
 * neighbour discovery that it has them; what it claims of others is dropped and told of, on the
 * port's side and on the host's. Method: two ports, one bound to 10.0.0.2 to 10.0.0.5 and
 * 2001:db8::2; all kinds of frames that claim something, whole and cut off. */
#include "unit/switch/packets.h"

enum {
    FREE = 20,
    BOUND,
    OWN = 2,    /* 10.0.0.2 */
    OTHER = 9,  /* 10.0.0.9 */
    MAC = 0x31, /* of the bound port's host; and one of another's */
    MAC2 = 0x32,
    ASK = 1,
    ANSWER = 2,
    LINK = 14,
};

static struct lan lan;

static struct wrn_frame_rules bound(void) {
    struct wrn_frame_rules rules = lan_rules();
    rules.is_bound = true;
    rules.range_count = 2;
    rules.ranges[0] = (struct wrn_frame_range){{.family = WRN_FAMILY_IPV4, .bytes = {10, 0, 0, 2}},
                                               {.family = WRN_FAMILY_IPV4, .bytes = {10, 0, 0, 5}}};
    rules.ranges[1].low = rules.ranges[1].high =
        (struct wrn_ip){.family = WRN_FAMILY_IPV6, .bytes = {0x20, 0x01, 0x0d, 0xb8, [15] = 2}};
    return rules;
}

static int start(void **state) {
    struct wrn_switch_options options = lan_options();
    struct wrn_frame_rules rules = bound();
    (void)state;
    lan_start(&lan, &options);
    lan_open(&lan, FREE, "free");
    lan_open_with(&lan, BOUND, "bound", &rules);
    return 0;
}

static int stop(void **state) {
    (void)state;
    lan_stop(&lan);
    return 0;
}

/* A frame that the bound port may send, and everybody else. */
static void passes(struct frame frame) {
    uint64_t before = lan_refused(&lan, BOUND, WRN_SWITCH_ADDRESS);
    (void)lan_send(&lan, BOUND, &frame);
    assert_int_equal(lan_refused(&lan, BOUND, WRN_SWITCH_ADDRESS), before);
}

static void is_refused(struct frame frame) {
    assert_int_equal(lan_send(&lan, BOUND, &frame), WRN_SWITCH_ADDRESS);
    assert_int_not_equal(lan_send(&lan, FREE, &frame), WRN_SWITCH_ADDRESS);
}

static struct wrn_ip address(uint8_t last) {
    return (struct wrn_ip){.family = WRN_FAMILY_IPV4, .bytes = {10, 0, 0, last}};
}

static void ends_of_ranges_belong_to_them(void **state) {
    struct wrn_frame_rules rules = bound();
    (void)state;
    for (uint8_t last = 0; last < 12; last++) {
        struct wrn_ip ip = address(last);
        assert_int_equal(wrn_frame_rules_ip(&rules, &ip), last >= 2 && last <= 5);
    }
    struct wrn_ip none = {.family = WRN_FAMILY_IPV4}, local = {.family = WRN_FAMILY_IPV6};
    assert_true(wrn_frame_rules_ip(&rules, &none));
    assert_true(wrn_frame_rules_ip(&rules, &local)); /* :: */
    local.bytes[15] = 1;
    assert_false(wrn_frame_rules_ip(&rules, &local));
    local.bytes[0] = 0xfe;
    local.bytes[1] = 0xbf;
    assert_true(wrn_frame_rules_ip(&rules, &local));
    local.bytes[1] = 0xc0;
    assert_false(wrn_frame_rules_ip(&rules, &local));
    rules.is_bound = false;
    assert_true(wrn_frame_rules_ip(&rules, &local));
}

static void arp_for_another_is_refused_and_named(void **state) {
    struct frame theft = packet_arp(MAC2, MAC, ANSWER, OTHER, OWN);
    (void)state;
    passes(packet_arp(MAC2, MAC, ASK, OWN, OTHER));
    passes(packet_arp(MAC2, MAC, ANSWER, OWN, OTHER));
    passes(packet_arp(MAC2, MAC, ASK, 0, OWN)); /* a probe */
    assert_int_equal(lan_send(&lan, BOUND, &theft), WRN_SWITCH_ADDRESS);
    const struct wrn_switch_event *event = lan_event(&lan, WRN_SWITCH_EVENT_ADDRESS);
    assert_non_null(event);
    assert_string_equal(event->name, "bound");
    uint8_t mac[WRN_MAC_ADDRESS_SIZE];
    lan_mac(mac, MAC);
    assert_memory_equal(event->mac, mac, sizeof mac);
    struct wrn_ip other = address(OTHER);
    assert_true(wrn_ip_equal(&event->ip, &other));
    is_refused(packet_arp(MAC2, MAC, ASK, OTHER, OTHER)); /* gratuitous */
    /* its own address, for another MAC; what is cut off, or of no Ethernet */
    struct frame frame = packet_arp(MAC2, MAC, ANSWER, OWN, OTHER);
    frame.bytes[LINK + 8 + 5] ^= 1;
    is_refused(frame);
    frame = packet_arp(MAC2, MAC, ANSWER, OWN, OTHER);
    frame.size = LINK + 27;
    is_refused(frame);
    frame = packet_arp(MAC2, MAC, ANSWER, OWN, OTHER);
    frame.bytes[LINK + 1] = 6;
    is_refused(frame);
}

/* Behind a tag, too. */
static void packets_of_another_are_refused(void **state) {
    struct frame frame = packet_udp(MAC, OTHER, 1000, 1000, false);
    (void)state;
    passes(packet_udp(MAC, OWN, 1000, 1000, false));
    is_refused(frame);
    lan_tag(&frame, 0x8100, 7);
    is_refused(frame);
    passes(packet_udp(MAC, 2, 1000, 1000, true)); /* of fe80::2 */
    frame = packet_udp(MAC, 2, 1000, 1000, true);
    memcpy(frame.bytes + LINK + 8, (const uint8_t[]){0x20, 0x01, 0x0d, 0xb8}, 4);
    passes(frame);
    frame.bytes[LINK + 8 + 15] = 3;
    is_refused(frame);
    frame = packet_udp(MAC, OWN, 1000, 1000, false);
    frame.size = LINK + 19;
    is_refused(frame);
    frame = packet_udp(MAC, OWN, 1000, 1000, false);
    frame.bytes[LINK] = 0x65; /* it says that it is something else */
    is_refused(frame);
    passes(lan_frame(LAN_BROADCAST, MAC, 0x88f7)); /* no IP */
}

static void neighbour_discovery_for_another_is_refused(void **state) {
    enum { TARGET = LINK + 40 + 8, OPTION = LINK + 40 + 24 };
    struct frame frame = packet_advertisement(MAC2, MAC, 2, false);
    (void)state;
    passes(packet_solicitation(MAC, 2, 3));
    passes(packet_solicitation(MAC, 0, 3)); /* is it anybody's? */
    passes(frame);
    frame.bytes[OPTION + 2 + 5] ^= 1; /* another's MAC */
    is_refused(frame);
    frame = packet_solicitation(MAC, 2, 3);
    frame.bytes[OPTION + 2 + 5] ^= 1;
    is_refused(frame);
    frame = packet_advertisement(MAC2, MAC, 2, false);
    memcpy(frame.bytes + TARGET, (const uint8_t[]){0x20, 0x01, 0x0d, 0xb8}, 4);
    passes(frame);
    frame.bytes[TARGET + 15] = 3;
    is_refused(frame);
}

/* This node's own side as well, before anything leaves. */
static void the_hosts_side_is_bound_alike(void **state) {
    struct wrn_frame_rules rules = bound();
    struct frame good = packet_arp(LAN_BROADCAST, MAC, ASK, OWN, OTHER);
    struct frame bad = packet_arp(LAN_BROADCAST, MAC, ASK, OTHER, OWN);
    (void)state;
    wrn_switch_set_ours(lan.sw, &rules);
    assert_int_equal(lan_send(&lan, LAN_HOST, &good), WRN_SWITCH_NONE);
    assert_int_equal(lan_send(&lan, LAN_HOST, &bad), WRN_SWITCH_ADDRESS);
    assert_int_equal(lan_refused(&lan, LAN_HOST, WRN_SWITCH_ADDRESS), 1);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_of_ranges_belong_to_them),
        cmocka_unit_test_setup_teardown(arp_for_another_is_refused_and_named, start, stop),
        cmocka_unit_test_setup_teardown(packets_of_another_are_refused, start, stop),
        cmocka_unit_test_setup_teardown(neighbour_discovery_for_another_is_refused, start, stop),
        cmocka_unit_test_setup_teardown(the_hosts_side_is_bound_alike, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
