/* SPDX-License-Identifier: Apache-2.0 */
/* Echo requests and replies. */
#include "sim/echo.h"

#include "base/bytes.h"

enum {
    HEAD4 = 20,
    HEAD6 = 40,
    BODY = 16, /* 8 bytes of ICMP, the number, its complement */
    PROTOCOL_ICMP = 1,
    PROTOCOL_ICMPV6 = 58,
    REQUEST4 = 8,
    REPLY4 = 0,
    REQUEST6 = 128,
    REPLY6 = 129,
    HOPS = 64,
};

/* An echo that was read. */
struct echo {
    struct wrn_ip from, to;
    uint8_t type;
    uint32_t number;
};

static size_t write_echo(const struct wrn_ip *from, const struct wrn_ip *to, uint8_t type,
                         uint32_t number, uint8_t *packet);
static bool read_echo(wrn_span packet, struct echo *ret_echo);
static uint32_t sum(const uint8_t *bytes, size_t size, uint32_t before);
static void store_sum(uint32_t sum, uint8_t *at);

size_t sim_echo_write(const struct wrn_ip *from, const struct wrn_ip *to, uint32_t number,
                      uint8_t ret_packet[SIM_ECHO_SIZE]) {
    uint8_t type = from->family == WRN_FAMILY_IPV4 ? REQUEST4 : REQUEST6;
    return write_echo(from, to, type, number, ret_packet);
}

size_t sim_echo_answer(wrn_span packet, uint8_t ret_packet[SIM_ECHO_SIZE]) {
    struct echo echo;
    if (!read_echo(packet, &echo) || (echo.type != REQUEST4 && echo.type != REQUEST6)) {
        return 0;
    }
    return write_echo(&echo.to, &echo.from, echo.type == REQUEST4 ? REPLY4 : REPLY6, echo.number,
                      ret_packet);
}

bool sim_echo_read_reply(wrn_span packet, uint32_t *ret_number) {
    struct echo echo;
    if (!read_echo(packet, &echo) || (echo.type != REPLY4 && echo.type != REPLY6)) {
        return false;
    }
    *ret_number = echo.number;
    return true;
}

static size_t write_echo(const struct wrn_ip *from, const struct wrn_ip *to, uint8_t type,
                         uint32_t number, uint8_t *packet) {
    bool is_ipv4 = from->family == WRN_FAMILY_IPV4;
    size_t head = is_ipv4 ? HEAD4 : HEAD6;
    uint8_t *body = packet + head;
    memset(packet, 0, head + BODY);
    body[0] = type;
    wrn_store_be32(body + 4, number); /* identifier and sequence */
    wrn_store_be32(body + 8, number);
    wrn_store_be32(body + 12, ~number);
    if (is_ipv4) {
        packet[0] = 0x45;
        wrn_store_be16(packet + 2, HEAD4 + BODY);
        packet[8] = HOPS;
        packet[9] = PROTOCOL_ICMP;
        memcpy(packet + 12, from->bytes, 4);
        memcpy(packet + 16, to->bytes, 4);
        store_sum(sum(packet, HEAD4, 0), packet + 10);
        store_sum(sum(body, BODY, 0), body + 2);
    } else {
        packet[0] = 0x60;
        wrn_store_be16(packet + 4, BODY);
        packet[6] = PROTOCOL_ICMPV6;
        packet[7] = HOPS;
        memcpy(packet + 8, from->bytes, 16);
        memcpy(packet + 24, to->bytes, 16);
        store_sum(sum(body, BODY, sum(packet + 8, 32, BODY + PROTOCOL_ICMPV6)), body + 2);
    }
    return head + BODY;
}

/* What is behind it is padding. */
static bool read_echo(wrn_span packet, struct echo *ret_echo) {
    size_t head = packet.size >= HEAD4 && packet.data[0] == 0x45     ? HEAD4
                  : packet.size >= HEAD6 && packet.data[0] >> 4 == 6 ? HEAD6
                                                                     : 0;
    const uint8_t *body = packet.data + head;
    if (head == 0 || packet.size < head + BODY ||
        packet.data[head == HEAD4 ? 9 : 6] != (head == HEAD4 ? PROTOCOL_ICMP : PROTOCOL_ICMPV6) ||
        wrn_load_be32(body + 8) != ~wrn_load_be32(body + 12)) {
        return false;
    }
    *ret_echo = (struct echo){.type = body[0], .number = wrn_load_be32(body + 8)};
    size_t length = head == HEAD4 ? 4 : 16;
    ret_echo->from.family = ret_echo->to.family = head == HEAD4 ? WRN_FAMILY_IPV4 : WRN_FAMILY_IPV6;
    memcpy(ret_echo->from.bytes, packet.data + (head == HEAD4 ? 12 : 8), length);
    memcpy(ret_echo->to.bytes, packet.data + (head == HEAD4 ? 16 : 24), length);
    return true;
}

static uint32_t sum(const uint8_t *bytes, size_t size, uint32_t before) {
    for (size_t i = 0; i + 1 < size; i += 2) {
        before += wrn_load_be16(bytes + i);
    }
    return before;
}

static void store_sum(uint32_t sum, uint8_t *at) {
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    wrn_store_be16(at, (uint16_t)~sum);
}
