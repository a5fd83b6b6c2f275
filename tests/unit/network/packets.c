/* SPDX-License-Identifier: Apache-2.0 */
/* Packets and rules for the tests of the policy. */
#include "unit/network/packets.h"

#include <arpa/inet.h>

#include "base/bytes.h"

struct packet packet_start(const char *from, const char *to) {
    struct packet packet = {.size = 20, .next_at = 9};
    if (strchr(from, ':') != NULL) {
        packet.size = 40;
        packet.next_at = 6;
        packet.bytes[0] = 0x60;
        packet.bytes[6] = 59; /* nothing follows */
        packet.bytes[7] = 64;
        assert_int_equal(inet_pton(AF_INET6, from, packet.bytes + 8), 1);
        assert_int_equal(inet_pton(AF_INET6, to, packet.bytes + 24), 1);
    } else {
        packet.bytes[0] = 0x45;
        packet.bytes[8] = 64;
        packet.bytes[9] = 59;
        assert_int_equal(inet_pton(AF_INET, from, packet.bytes + 12), 1);
        assert_int_equal(inet_pton(AF_INET, to, packet.bytes + 16), 1);
        wrn_store_be16(packet.bytes + 2, 20);
    }
    return packet;
}

void packet_put(struct packet *packet, uint8_t protocol, const void *bytes, size_t size) {
    assert_true(size <= sizeof packet->bytes - packet->size);
    packet->bytes[packet->next_at] = protocol;
    packet->next_at = packet->size;
    memcpy(packet->bytes + packet->size, bytes, size);
    packet->size += size;
    if (packet->bytes[0] >> 4 == 4) {
        wrn_store_be16(packet->bytes + 2, (uint16_t)packet->size);
    } else {
        wrn_store_be16(packet->bytes + 4, (uint16_t)(packet->size - 40));
    }
}

struct packet packet_tcp(const char *from, unsigned source_port, const char *to,
                         unsigned destination_port, uint8_t flags) {
    struct packet packet = packet_start(from, to);
    uint8_t tcp[20] = {[12] = 5 << 4, [13] = flags};
    wrn_store_be16(tcp, (uint16_t)source_port);
    wrn_store_be16(tcp + 2, (uint16_t)destination_port);
    packet_put(&packet, 6, tcp, sizeof tcp);
    return packet;
}

struct packet packet_udp(const char *from, unsigned source_port, const char *to,
                         unsigned destination_port) {
    struct packet packet = packet_start(from, to);
    uint8_t udp[128] = {0}; /* with something in it, for fragments */
    wrn_store_be16(udp, (uint16_t)source_port);
    wrn_store_be16(udp + 2, (uint16_t)destination_port);
    wrn_store_be16(udp + 4, sizeof udp);
    packet_put(&packet, 17, udp, sizeof udp);
    return packet;
}

struct packet packet_icmp(const char *from, const char *to, uint8_t type, unsigned id) {
    struct packet packet = packet_start(from, to);
    uint8_t icmp[16] = {type};
    wrn_store_be16(icmp + 4, (uint16_t)id);
    packet_put(&packet, packet.bytes[0] >> 4 == 4 ? 1 : 58, icmp, sizeof icmp);
    return packet;
}

struct packet packet_error(const char *from, const char *to, uint8_t type,
                           const struct packet *about, size_t quoted) {
    struct packet packet = packet_start(from, to);
    uint8_t icmp[PACKET_ROOM] = {type};
    size_t size = quoted < about->size ? quoted : about->size;
    assert_true(size <= sizeof icmp - 128);
    memcpy(icmp + 8, about->bytes, size);
    packet_put(&packet, packet.bytes[0] >> 4 == 4 ? 1 : 58, icmp, 8 + size);
    return packet;
}

struct packet packet_fragment(const struct packet *whole, size_t offset, size_t size, uint32_t id) {
    struct packet packet = *whole;
    bool is_four = whole->bytes[0] >> 4 == 4;
    size_t header = is_four ? 20 : 40;
    size_t left = whole->size - header - offset;
    size_t taken = size < left ? size : left;
    bool is_more = taken < left;
    packet.size = header;
    packet.next_at = is_four ? 9 : 6;
    if (is_four) {
        wrn_store_be16(packet.bytes + 4, (uint16_t)id);
        wrn_store_be16(packet.bytes + 6, (uint16_t)(offset / 8 | (is_more ? 0x2000 : 0)));
    } else {
        uint8_t fragment[8] = {0};
        wrn_store_be16(fragment + 2, (uint16_t)(offset | is_more));
        wrn_store_be32(fragment + 4, id);
        packet_put(&packet, 44, fragment, sizeof fragment);
    }
    packet_put(&packet, whole->bytes[is_four ? 9 : 6], whole->bytes + header + offset, taken);
    return packet;
}

wrn_span packet_span(const struct packet *packet) {
    return (wrn_span){packet->bytes, packet->size};
}

size_t packet_elements(const char *text, struct wrn_sexp *ret_elements, size_t room) {
    static uint8_t memory[8][1 << 15];
    static unsigned turn;
    char quoted[1 << 13];
    uint8_t *out = memory[turn++ % WRN_COUNT(memory)];
    size_t size = strlen(text), count = 0, at = 0;
    assert_true(size < sizeof quoted);
    for (size_t i = 0; i <= size; i++) {
        quoted[i] = (char)(text[i] == '\'' ? '"' : text[i]);
    }
    while (at < size) {
        size_t used = 0;
        CHECK(count < room, "%s: ", text);
        int result =
            wrn_sexp_read(WRN_SEXP_ADVANCED, (wrn_span){(const uint8_t *)quoted + at, size - at},
                          out, wrn_sexp_capacity(size - at), &ret_elements[count], &used, NULL);
        CHECK(result == 0, "%s: ", text);
        out += ret_elements[count++].bytes.size;
        at += used;
    }
    return count;
}

struct wrn_policy_rules packet_rules(const char *text) {
    struct wrn_sexp elements[64];
    struct wrn_policy_rules rules;
    size_t count = packet_elements(text, elements, WRN_COUNT(elements));
    enum wrn_policy_fault fault = wrn_policy_compile(elements, count, &rules, NULL);
    CHECK(fault == WRN_POLICY_FAULT_OK, "%s: %s: ", text, wrn_policy_fault_text(fault));
    return rules;
}
