/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a verdict is used again only where asking would give the same one, and what is counted is
 * the same. Method: a TCP segment and a UDP datagram of each family, each byte of their headers
 * turned in turn; a switch that is asked for each frame beside one that is asked once. */
#include "unit/switch/lan.h"

enum { HERE = 2, THERE = 3, LINK = 14, TCP = 6, UDP = 17 };

static struct lan lan;

static int start(void **state) {
    struct wrn_switch_options options = lan_options();
    (void)state;
    lan_start(&lan, &options);
    lan_open(&lan, 20, "far");
    return 0;
}

static int stop(void **state) {
    (void)state;
    lan_stop(&lan);
    return 0;
}

/* A packet of a conversation that goes on: 40 bytes of data. */
static struct frame packet(bool is_v6, uint8_t protocol) {
    struct frame frame = lan_frame(THERE, HERE, is_v6 ? 0x86dd : 0x0800);
    uint8_t *ip = frame.bytes + LINK, *upper = ip + (is_v6 ? 40 : 20);
    size_t size = 40 + (protocol == TCP ? 20u : 8u);
    memset(ip, 0, sizeof frame.bytes - LINK);
    for (size_t i = is_v6 ? 8 : 12; i < (is_v6 ? 40u : 20u); i++) {
        ip[i] = (uint8_t)(i * 3 + 1);
    }
    ip[0] = is_v6 ? 0x60 : 0x45;
    ip[is_v6 ? 6 : 9] = protocol;
    wrn_store_be16(ip + (is_v6 ? 4 : 2), (uint16_t)(size + (is_v6 ? 0 : 20)));
    wrn_store_be16(upper, 4000);
    wrn_store_be16(upper + 2, 5201);
    if (protocol == TCP) {
        upper[12] = 5 << 4;
        upper[13] = 0x10;
    }
    frame.size = LINK + (is_v6 ? 40u : 20u) + size;
    return frame;
}

static bool read_flow(const struct frame *frame, struct wrn_switch_flow *flow) {
    return wrn_switch_flow_read((wrn_span){frame->bytes, frame->size}, flow);
}

/* Whatever a switch, or a policy by addresses and ports, decides by makes another flow, or none. */
static void what_decides_makes_another_flow(void **state) {
    (void)state;
    for (int way = 0; way < 4; way++) {
        bool is_v6 = way & 1;
        struct frame one = packet(is_v6, way & 2 ? UDP : TCP);
        struct wrn_switch_flow flow, other;
        assert_true(read_flow(&one, &flow));
        size_t addresses = LINK + (is_v6 ? 8 : 12), upper = LINK + (is_v6 ? 40 : 20);
        for (size_t at = 0; at < upper + 4; at++) {
            struct frame turned = one;
            bool decides = at < LINK || at >= addresses || at == LINK + (is_v6 ? 6u : 9u);
            turned.bytes[at] ^= 0x20;
            bool is_flow = read_flow(&turned, &other);
            assert_true(!decides || !is_flow || !wrn_switch_flow_equal(&flow, &other));
        }
        struct frame next = one; /* the next segment: a number, a sum and a payload of its own */
        next.bytes[upper + (way & 2 ? 6 : 5)] ^= 0xff;
        next.bytes[next.size - 1] ^= 0xff;
        next.bytes[LINK + (is_v6 ? 7 : 5)] ^= 0xff; /* the hop limit, the identification */
        assert_true(read_flow(&next, &other));
        assert_true(wrn_switch_flow_equal(&flow, &other));
    }
}

/* What begins or ends a connection, fragments, tags, other protocols and what is cut off. */
static void what_is_to_be_asked_about_has_no_flow(void **state) {
    struct wrn_switch_flow flow;
    (void)state;
    for (uint8_t flag = 1; flag <= 4; flag = (uint8_t)(flag << 1)) {
        for (int is_v6 = 0; is_v6 < 2; is_v6++) {
            struct frame frame = packet(is_v6, TCP);
            frame.bytes[LINK + (is_v6 ? 40 : 20) + 13] |= flag;
            assert_false(read_flow(&frame, &flow));
        }
    }
    for (int way = 0; way < 4; way++) {
        struct frame whole = packet(way & 1, way & 2 ? UDP : TCP), changed = whole;
        for (changed.size = 0; changed.size < whole.size; changed.size++) {
            assert_false(read_flow(&changed, &flow)); /* the packet says that there is more */
        }
        changed = whole;
        lan_tag(&changed, 0x8100, 7);
        assert_false(read_flow(&changed, &flow));
        changed = whole;
        changed.bytes[LINK + (way & 1 ? 6 : 9)] = 1;
        assert_false(read_flow(&changed, &flow));
    }
    struct frame fragment = packet(false, UDP);
    fragment.bytes[LINK + 6] = 0x20;
    assert_false(read_flow(&fragment, &flow));
    fragment.bytes[LINK + 6] = 0;
    fragment.bytes[LINK + 7] = 1;
    assert_false(read_flow(&fragment, &flow));
    fragment.bytes[LINK + 7] = 0;
    fragment.bytes[LINK] = 0x46; /* options */
    assert_false(read_flow(&fragment, &flow));
    struct frame options = packet(false, TCP);
    options.bytes[LINK + 20 + 12] = 15 << 4; /* more than 40 bytes behind the header: there are */
    assert_true(read_flow(&options, &flow));
    options.bytes[LINK + 3] = 40 + 19; /* the packet ends inside of them */
    assert_false(read_flow(&options, &flow));
}

/* Only a known unicast verdict lasts: not a flood, a refusal, or one that is told of. */
static void verdicts_that_last(void **state) {
    struct frame there = packet(false, TCP), back = packet(false, TCP);
    (void)state;
    lan_mac(back.bytes, HERE);
    lan_mac(back.bytes + 6, THERE);
    assert_int_equal(lan_send(&lan, LAN_HOST, &there), WRN_SWITCH_NONE); /* a flood */
    assert_false(lan.verdict.is_lasting);
    assert_int_equal(lan_send(&lan, 20, &back), WRN_SWITCH_NONE); /* told of: a new source */
    assert_false(lan.verdict.is_lasting);
    assert_int_equal(lan_send(&lan, 20, &back), WRN_SWITCH_NONE);
    assert_true(lan.verdict.is_lasting);
    assert_int_equal(lan_send(&lan, LAN_HOST, &there), WRN_SWITCH_NONE);
    assert_true(lan.verdict.is_lasting);
    lan_mac(back.bytes + 6, HERE);
    assert_int_equal(lan_send(&lan, 20, &back), WRN_SWITCH_STOLEN);
    assert_false(lan.verdict.is_lasting);
}

static struct wrn_switch_port_info port_info(bool is_host) {
    struct wrn_switch_port_info info;
    uint32_t cursor = 0;
    while (wrn_switch_next_port(lan.sw, &cursor, &info)) {
        if (wrn_handle_equal(info.peer, WRN_HANDLE_NONE) == is_host) {
            return info;
        }
    }
    fail();
    return info;
}

static void what_goes_on_is_counted_like_the_rest(void **state) {
    struct frame there = packet(false, UDP), back = packet(false, UDP);
    (void)state;
    lan_mac(back.bytes, HERE);
    lan_mac(back.bytes + 6, THERE);
    (void)lan_send(&lan, LAN_HOST, &there);
    (void)lan_send(&lan, 20, &back);
    for (int out = 0; out < 2; out++) {
        struct wrn_switch_port_info before[2], after[2];
        (void)lan_send(&lan, out ? LAN_HOST : 20, out ? &there : &back);
        assert_true(lan.verdict.is_lasting);
        before[0] = port_info(false);
        before[1] = port_info(true);
        for (int i = 0; i < 5; i++) {
            wrn_switch_repeat(lan.sw, 1, &lan.verdict);
        }
        after[0] = port_info(false);
        after[1] = port_info(true);
        assert_int_equal(after[out].frames_in, before[out].frames_in + 5);
        assert_int_equal(after[!out].frames_out, before[!out].frames_out + 5);
        assert_int_equal(after[!out].frames_in, before[!out].frames_in);
        assert_int_equal(after[out].frames_out, before[out].frames_out);
    }
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_decides_makes_another_flow),
        cmocka_unit_test(what_is_to_be_asked_about_has_no_flow),
        cmocka_unit_test_setup_teardown(verdicts_that_last, start, stop),
        cmocka_unit_test_setup_teardown(what_goes_on_is_counted_like_the_rest, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
