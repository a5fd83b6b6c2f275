/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a packet is read down to its ports whatever stands before them, and what two readers could
 * read in two ways is refused by name. Method: packets made header by header, each then cut at
 * every byte; the tricks that firewalls have fallen for have a test each. */
#include "base/bytes.h"
#include "network/policy_internal.h"
#include "unit/network/packets.h"

#define A4 "10.1.0.1"
#define B4 "10.1.0.2"
#define A6 "fd00::1"
#define B6 "fd00::2"

/* An extension header of options or of routing: 8 bytes a unit, padded. */
static void extend(struct packet *packet, uint8_t protocol, size_t units) {
    uint8_t header[2048] = {59, (uint8_t)(units - 1), 1, 0};
    size_t left = units * 8 - 2, at = 2;
    for (; left > 2 && protocol != 43; left -= header[at + 1] + 2, at += header[at + 1] + 2) {
        header[at] = 1; /* PadN */
        header[at + 1] = (uint8_t)((left > 250 ? 250 : left) - 2);
    }
    packet_put(packet, protocol, header, units * 8);
}

static void routing(struct packet *packet, uint8_t type, uint8_t segments_left) {
    uint8_t header[8] = {59, 0, type, segments_left};
    packet_put(packet, 43, header, sizeof header);
}

static void fragment(struct packet *packet, unsigned offset, bool is_more) {
    uint8_t header[8] = {59};
    wrn_store_be16(header + 2, (uint16_t)(offset | is_more));
    wrn_store_be32(header + 4, 0xabcdef01);
    packet_put(packet, 44, header, sizeof header);
}

static void tcp(struct packet *packet, unsigned port) {
    uint8_t header[20] = {0x10, 0, 0, 0, [12] = 5 << 4, [13] = 2};
    wrn_store_be16(header + 2, (uint16_t)port);
    packet_put(packet, 6, header, sizeof header);
}

static void payload(struct packet *packet, size_t size) {
    static const uint8_t zeros[PACKET_ROOM];
    size_t next_at = packet->next_at;
    uint8_t next = packet->bytes[next_at];
    packet_put(packet, next, zeros, size);
    packet->next_at = next_at;
}

static enum wrn_policy_refusal read_it(const struct packet *packet,
                                       struct wrn_policy_packet *ret_packet) {
    /* in memory of its own size, so that a read beyond is seen */
    uint8_t *copy = malloc(packet->size > 0 ? packet->size : 1);
    assert_non_null(copy);
    memcpy(copy, packet->bytes, packet->size);
    enum wrn_policy_refusal refusal =
        wrn_policy_read((wrn_span){copy, packet->size}, false, ret_packet);
    ret_packet->quote.data = ret_packet->quote.data != NULL ? packet->bytes : NULL;
    free(copy);
    return refusal;
}

static void expect_refused(const struct packet *packet, enum wrn_policy_refusal refusal,
                           const char *what) {
    struct wrn_policy_packet got;
    enum wrn_policy_refusal was = read_it(packet, &got);
    CHECK(was == refusal, "%s: %s, not %s: ", what, wrn_policy_refusal_name(was),
          wrn_policy_refusal_name(refusal));
}

static void expect_tcp(const struct packet *packet, unsigned port, const char *what) {
    struct wrn_policy_packet got;
    expect_refused(packet, WRN_POLICY_NONE, what);
    (void)read_it(packet, &got);
    CHECK(got.protocol == WRN_POLICY_TCP && got.port == port && got.source_port == 0x1000 &&
              got.tcp_flags == 2 && got.fragment != WRN_POLICY_LATER,
          "%s: %u %u: ", what, got.protocol, got.port);
}

static void expect_number(const struct packet *packet, unsigned number, const char *what) {
    struct wrn_policy_packet got;
    expect_refused(packet, WRN_POLICY_NONE, what);
    (void)read_it(packet, &got);
    CHECK(got.protocol == number && got.port == WRN_POLICY_PORT_NONE, "%s: %u %u: ", what,
          got.protocol, got.port);
}

static void plain_packets_are_read(void **state) {
    struct wrn_policy_packet got;
    (void)state;
    struct packet packet = packet_udp(A4, 1000, B4, 53);
    assert_int_equal(read_it(&packet, &got), WRN_POLICY_NONE);
    assert_int_equal(got.family, WRN_FAMILY_IPV4);
    assert_int_equal(got.protocol, WRN_POLICY_UDP);
    assert_int_equal(got.source_port, 1000);
    assert_int_equal(got.port, 53);
    assert_int_equal(got.source[1], 0x0a010001);
    assert_int_equal(got.destination[1], 0x0a010002);
    packet = packet_tcp(A6, 40000, B6, 22, 0x12);
    assert_int_equal(read_it(&packet, &got), WRN_POLICY_NONE);
    assert_int_equal(got.family, WRN_FAMILY_IPV6);
    assert_int_equal(got.protocol, WRN_POLICY_TCP);
    assert_int_equal(got.port, 22);
    assert_int_equal(got.tcp_flags, 0x12);
    assert_int_equal(got.destination[0], 0xfd00000000000000);
    assert_int_equal(got.destination[1], 2);
    packet = packet_icmp(A6, B6, 128, 77);
    assert_int_equal(read_it(&packet, &got), WRN_POLICY_NONE);
    assert_int_equal(got.protocol, WRN_POLICY_ICMP);
    assert_int_equal(got.port, 128);
    assert_int_equal(got.source_port, 77);
    assert_null(got.quote.data);
    packet = packet_icmp(A4, B4, 3, 0);
    assert_int_equal(read_it(&packet, &got), WRN_POLICY_NONE);
    assert_non_null(got.quote.data);
}

static void padding_behind_is_no_part(void **state) {
    (void)state;
    struct packet packet = packet_start(A4, B4);
    tcp(&packet, 22);
    packet.size += 5;
    expect_tcp(&packet, 22, "padded IPv4");
    packet = packet_start(A6, B6);
    tcp(&packet, 22);
    packet.size += 5;
    expect_tcp(&packet, 22, "padded IPv6");
    wrn_store_be16(packet.bytes + 4, 19);
    expect_refused(&packet, WRN_POLICY_CUT_SHORT, "TCP that ends in the padding");
}

/* Whatever extension headers stand before it, a TCP segment to a port is one to this port; a reader
 * that takes the first "next header" for the protocol, or gives up and lets through, does not see
 * it. */
static void extension_headers_do_not_hide_the_port(void **state) {
    static const uint8_t chains[][6] = {
        {0}, {60}, {43}, {44}, {0, 60}, {0, 43}, {60, 43, 44, 60}, {0, 60, 43, 44, 60}, {44, 60},
    };
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(chains); i++) {
        for (size_t units = 1; units <= 32; units += 31) {
            struct packet packet = packet_start(A6, B6);
            for (size_t j = 0; j == 0 || (j < 6 && chains[i][j] != 0); j++) {
                if (chains[i][j] == 44) {
                    fragment(&packet, 0, false);
                } else {
                    extend(&packet, chains[i][j], units);
                }
            }
            tcp(&packet, 2222);
            expect_tcp(&packet, 2222, "a chain");
            /* and cut anywhere it is not read as anything else */
            for (size_t size = 40; size < packet.size; size++) {
                struct packet cut = packet;
                cut.size = size;
                expect_refused(&cut, WRN_POLICY_CUT_SHORT, "cut behind the header");
                wrn_store_be16(cut.bytes + 4, (uint16_t)(size - 40));
                bool is_empty = size == 40 && chains[i][0] == 0;
                expect_refused(&cut, is_empty ? WRN_POLICY_JUMBOGRAM : WRN_POLICY_CUT_SHORT,
                               "cut with its length");
            }
        }
    }
}

static void chains_out_of_order_are_refused(void **state) {
    static const struct {
        size_t count;
        uint8_t headers[4];
    } chains[] = {
        {2, {60, 0}},          {2, {0, 0}},   {2, {43, 43}}, {3, {60, 60, 60}},
        {4, {60, 43, 60, 60}}, {2, {44, 44}}, {2, {44, 0}},  {3, {0, 60, 0}},
    };
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(chains); i++) {
        struct packet packet = packet_start(A6, B6);
        for (size_t j = 0; j < chains[i].count; j++) {
            if (chains[i].headers[j] == 44) {
                fragment(&packet, 0, false);
            } else {
                extend(&packet, chains[i].headers[j], 1);
            }
        }
        tcp(&packet, 22);
        expect_refused(&packet, WRN_POLICY_HEADER_CHAIN, "out of order");
    }
}

static void source_routes_are_refused(void **state) {
    (void)state;
    for (uint8_t type = 0; type < 6; type++) {
        for (uint8_t left = 0; left < 2; left++) {
            struct packet packet = packet_start(A6, B6);
            routing(&packet, type, left);
            tcp(&packet, 22);
            if (type == 0 || left != 0) {
                expect_refused(&packet, WRN_POLICY_ROUTING_HEADER, "routing header");
            } else {
                expect_tcp(&packet, 22, "routing header that is through");
            }
        }
    }
    static const struct {
        uint8_t options[8];
        enum wrn_policy_refusal refusal;
    } cases[] = {
        {{131, 7, 4, 1, 2, 3, 4, 0}, WRN_POLICY_SOURCE_ROUTE},
        {{137, 7, 4, 1, 2, 3, 4, 0}, WRN_POLICY_SOURCE_ROUTE},
        {{1, 1, 137, 3, 4, 0, 0, 0}, WRN_POLICY_SOURCE_ROUTE},
        {{148, 4, 0, 0, 131, 4, 0, 0}, WRN_POLICY_SOURCE_ROUTE},
        {{148, 4, 0, 0, 0, 131, 4, 0}, WRN_POLICY_NONE}, /* behind the end */
        {{148, 4, 0, 0, 1, 1, 1, 1}, WRN_POLICY_NONE},
        {{148, 9, 0, 0, 1, 1, 1, 1}, WRN_POLICY_BAD_OPTIONS},
        {{148, 1, 0, 0, 1, 1, 1, 1}, WRN_POLICY_BAD_OPTIONS},
        {{148, 0, 0, 0, 1, 1, 1, 1}, WRN_POLICY_BAD_OPTIONS},
        {{1, 1, 1, 1, 1, 1, 1, 148}, WRN_POLICY_BAD_OPTIONS},
    };
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        struct packet packet = packet_start(A4, B4);
        packet_put(&packet, 6, cases[i].options, 8);
        packet.bytes[0] = 0x47;
        packet.next_at = 9;
        tcp(&packet, 22);
        if (cases[i].refusal == WRN_POLICY_NONE) {
            expect_tcp(&packet, 22, "options");
        } else {
            expect_refused(&packet, cases[i].refusal, "options");
        }
    }
}

static void options_that_change_what_a_packet_is_are_refused(void **state) {
    static const struct {
        uint8_t protocol, options[6];
        enum wrn_policy_refusal refusal;
    } cases[] = {
        {0, {0xc2, 4, 0, 1, 0, 0}, WRN_POLICY_JUMBOGRAM},
        {60, {0xc9, 4, 0, 0, 0, 0}, WRN_POLICY_HOME_ADDRESS},
        {60, {0, 0, 0xc9, 2, 0, 0}, WRN_POLICY_HOME_ADDRESS},
        {0, {5, 2, 0, 0, 0, 0}, WRN_POLICY_NONE}, /* router alert */
        {0, {5, 5, 0, 0, 0, 0}, WRN_POLICY_BAD_OPTIONS},
        {60, {0, 0, 0, 0, 0, 1}, WRN_POLICY_BAD_OPTIONS},
    };
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        struct packet packet = packet_start(A6, B6);
        uint8_t header[8] = {59, 0};
        memcpy(header + 2, cases[i].options, 6);
        packet_put(&packet, cases[i].protocol, header, sizeof header);
        tcp(&packet, 22);
        expect_refused(&packet, cases[i].refusal, "an option");
    }
    struct packet jumbo = packet_start(A6, B6);
    extend(&jumbo, 0, 1);
    tcp(&jumbo, 22);
    wrn_store_be16(jumbo.bytes + 4, 0);
    expect_refused(&jumbo, WRN_POLICY_JUMBOGRAM, "a length of 0");
}

/* What cannot be looked into goes by its number: nothing behind AH is believed. */
static void other_protocols_go_by_their_number(void **state) {
    static const uint8_t numbers[] = {0, 2, 47, 50, 51, 59, 132, 135, 139, 140, 253, 255};
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(numbers); i++) {
        struct packet packet = packet_start(A4, B4);
        uint8_t inner[32] = {6, 4};
        packet_put(&packet, numbers[i], inner, sizeof inner);
        expect_number(&packet, numbers[i], "IPv4");
        if (numbers[i] != 0) {
            packet = packet_start(A6, B6);
            extend(&packet, 60, 2);
            packet_put(&packet, numbers[i], inner, sizeof inner);
            expect_number(&packet, numbers[i], "IPv6");
        }
    }
    struct packet packet = packet_start(A6, B6);
    expect_number(&packet, 59, "nothing at all");
    /* the other family's ICMP is nothing special */
    packet = packet_icmp(A4, B4, 8, 1);
    packet.bytes[9] = 58;
    expect_number(&packet, 58, "ICMPv6 in IPv4");
    packet = packet_icmp(A6, B6, 128, 1);
    packet.bytes[6] = 1;
    expect_number(&packet, 1, "ICMP in IPv6");
}

static void lengths_must_agree(void **state) {
    (void)state;
    struct packet packet = packet_start(A4, B4);
    tcp(&packet, 22);
    struct packet bad = packet;
    bad.bytes[0] = 0x44;
    expect_refused(&bad, WRN_POLICY_BAD_LENGTH, "a header of 16 bytes");
    bad = packet;
    bad.bytes[0] = 0x4f;
    expect_refused(&bad, WRN_POLICY_BAD_LENGTH, "a header longer than all");
    bad = packet;
    wrn_store_be16(bad.bytes + 2, 19);
    expect_refused(&bad, WRN_POLICY_BAD_LENGTH, "all shorter than the header");
    bad = packet;
    wrn_store_be16(bad.bytes + 2, 41);
    expect_refused(&bad, WRN_POLICY_CUT_SHORT, "less than it says");
    bad = packet;
    bad.bytes[20 + 12] = 4 << 4;
    expect_refused(&bad, WRN_POLICY_BAD_LENGTH, "a TCP header of 16 bytes");
    bad.bytes[20 + 12] = 6 << 4;
    expect_refused(&bad, WRN_POLICY_CUT_SHORT, "a TCP header of 24 bytes");
    for (size_t size = 1; size < packet.size; size++) {
        bad = packet;
        bad.size = size;
        expect_refused(&bad, WRN_POLICY_CUT_SHORT, "cut");
    }
    bad.size = 0;
    expect_refused(&bad, WRN_POLICY_NOT_IP, "nothing");
    bad = packet;
    bad.bytes[0] = 0x55;
    expect_refused(&bad, WRN_POLICY_NOT_IP, "version 5");
}

/* A first fragment without all headers would let a second one bring the port. */
static void tiny_fragments_are_refused(void **state) {
    (void)state;
    struct packet whole = packet_start(A4, B4);
    tcp(&whole, 22);
    payload(&whole, 200);
    struct packet piece = packet_fragment(&whole, 0, 16, 7);
    expect_refused(&piece, WRN_POLICY_TINY_FRAGMENT, "16 bytes of TCP");
    piece = packet_fragment(&whole, 0, 24, 7);
    expect_tcp(&piece, 22, "24 bytes of TCP");
    piece.bytes[20 + 12] = 7 << 4;
    expect_refused(&piece, WRN_POLICY_TINY_FRAGMENT, "TCP options in the next one");

    whole = packet_start(A6, B6);
    tcp(&whole, 22);
    payload(&whole, 200);
    piece = packet_fragment(&whole, 0, 16, 7);
    expect_refused(&piece, WRN_POLICY_TINY_FRAGMENT, "16 bytes of TCP");
    piece = packet_fragment(&whole, 0, 24, 7);
    expect_tcp(&piece, 22, "24 bytes of TCP");
    /* the chain goes on in the second one: RFC 7112 */
    piece = packet_start(A6, B6);
    fragment(&piece, 0, true);
    extend(&piece, 60, 1);
    expect_number(&piece, 59, "options and nothing");
    piece.bytes[48] = 6;
    expect_refused(&piece, WRN_POLICY_TINY_FRAGMENT, "options and no TCP");
    piece.bytes[49] = 1;
    expect_refused(&piece, WRN_POLICY_TINY_FRAGMENT, "half of the options");
    piece = packet_start(A6, B6);
    fragment(&piece, 0, true);
    extend(&piece, 60, 30);
    tcp(&piece, 22);
    payload(&piece, 4);
    expect_refused(&piece, WRN_POLICY_HEADER_CHAIN, "headers beyond 256 bytes of the first one");
}

static void fragments_over_headers_are_refused(void **state) {
    struct wrn_policy_packet got;
    (void)state;
    for (size_t offset = 8; offset <= 512; offset += 8) {
        struct packet whole = packet_start(A4, B4);
        tcp(&whole, 22);
        payload(&whole, 1000);
        struct packet piece = packet_fragment(&whole, offset, 64, 7);
        expect_refused(&piece, offset < 64 ? WRN_POLICY_FRAGMENT_OVERLAP : WRN_POLICY_NONE, "IPv4");
        whole = packet_start(A6, B6);
        tcp(&whole, 22);
        payload(&whole, 1000);
        piece = packet_fragment(&whole, offset, PACKET_ALL, 7);
        expect_refused(&piece, offset < 256 ? WRN_POLICY_FRAGMENT_OVERLAP : WRN_POLICY_NONE,
                       "IPv6");
        if (offset >= 256) {
            assert_int_equal(read_it(&piece, &got), WRN_POLICY_NONE);
            assert_int_equal(got.fragment, WRN_POLICY_LATER);
            assert_int_equal(got.fragment_id, 7);
        }
    }
}

static void fragments_that_cannot_be_are_refused(void **state) {
    (void)state;
    struct packet piece = packet_start(A6, B6);
    fragment(&piece, 0, true);
    tcp(&piece, 22);
    payload(&piece, 3);
    expect_refused(&piece, WRN_POLICY_BAD_FRAGMENT, "a length of 23 with more behind");
    piece = packet_start(A6, B6);
    fragment(&piece, 1024, false);
    expect_refused(&piece, WRN_POLICY_BAD_FRAGMENT, "nothing in it");
    piece = packet_start(A6, B6);
    fragment(&piece, 65528, false);
    payload(&piece, 64);
    expect_refused(&piece, WRN_POLICY_BAD_FRAGMENT, "the end beyond 65,535");
    piece = packet_udp(A4, 1, B4, 2);
    wrn_store_be16(piece.bytes + 6, 0x1fff);
    expect_refused(&piece, WRN_POLICY_BAD_FRAGMENT, "the end beyond 65,535");
    /* an atomic fragment is a whole packet, don't-fragment is none */
    piece = packet_start(A6, B6);
    fragment(&piece, 0, false);
    tcp(&piece, 22);
    payload(&piece, 3);
    expect_tcp(&piece, 22, "atomic");
    piece = packet_start(A4, B4);
    tcp(&piece, 22);
    wrn_store_be16(piece.bytes + 6, 0x4000);
    expect_tcp(&piece, 22, "DF");
}

/* A quoted packet may end behind 8 bytes of its transport header. */
static void quotes_are_read_as_far_as_they_go(void **state) {
    static const char *const ends[][2] = {{A4, B4}, {A6, B6}};
    struct wrn_policy_packet got;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct packet packet = packet_tcp(ends[i][0], 40000, ends[i][1], 22, 2);
        size_t header = i == 0 ? 20 : 40;
        for (size_t size = 1; size <= packet.size; size++) {
            wrn_span quote = {packet.bytes, size};
            bool is_read = wrn_policy_read(quote, true, &got) == WRN_POLICY_NONE;
            assert_int_equal(is_read, size >= header + 8);
            assert_true(!is_read || (got.port == 22 && got.source_port == 40000));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_packets_are_read),
        cmocka_unit_test(padding_behind_is_no_part),
        cmocka_unit_test(extension_headers_do_not_hide_the_port),
        cmocka_unit_test(chains_out_of_order_are_refused),
        cmocka_unit_test(source_routes_are_refused),
        cmocka_unit_test(options_that_change_what_a_packet_is_are_refused),
        cmocka_unit_test(other_protocols_go_by_their_number),
        cmocka_unit_test(lengths_must_agree),
        cmocka_unit_test(tiny_fragments_are_refused),
        cmocka_unit_test(fragments_over_headers_are_refused),
        cmocka_unit_test(fragments_that_cannot_be_are_refused),
        cmocka_unit_test(quotes_are_read_as_far_as_they_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
