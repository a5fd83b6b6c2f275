/* SPDX-License-Identifier: Apache-2.0 */
/* ICMP and ICMPv6 errors for packets that the tunnel cannot carry. */
#include "wg/unreachable.h"

#include "base/bytes.h"

enum {
    V4_HEADER = 20,
    V6_HEADER = 40,
    ICMP_HEADER = 8,
    V4_ANSWER_MAX = 576, /* RFC 1812: as much of the packet as fits */
    PROTOCOL_ICMP = 1,
    PROTOCOL_ICMP6 = 58,
    TTL = 64,
};

/* What an error says: type and code of both ICMPs, and the last bytes of the header. */
struct what {
    uint8_t type4, code4, type6, code6;
    uint16_t mtu_bytes;
};

static size_t answer(const struct what *what, const uint8_t *packet, size_t size, uint8_t *out);
static size_t answer4(const struct what *what, const uint8_t *packet, size_t size, uint8_t *out);
static size_t answer6(const struct what *what, const uint8_t *packet, size_t size, uint8_t *out);
static bool is_error4(uint8_t icmp_type);
static bool may_answer6(const uint8_t *packet, size_t size);
static bool is_unicast4(const uint8_t *address);
static bool is_unicast6(const uint8_t *address);
static uint32_t sum(const uint8_t *bytes, size_t size, uint32_t start);
static uint16_t fold(uint32_t total);

size_t wrn_unreachable(const uint8_t *packet, size_t size,
                       uint8_t ret_answer[WRN_UNREACHABLE_SIZE]) {
    static const struct what host = {.type4 = 3, .code4 = 1, .type6 = 1, .code6 = 3};
    return answer(&host, packet, size, ret_answer);
}

size_t wrn_prohibited(const uint8_t *packet, size_t size,
                      uint8_t ret_answer[WRN_UNREACHABLE_SIZE]) {
    static const struct what prohibited = {.type4 = 3, .code4 = 13, .type6 = 1, .code6 = 1};
    return answer(&prohibited, packet, size, ret_answer);
}

size_t wrn_too_big(const uint8_t *packet, size_t size, uint16_t mtu_bytes,
                   uint8_t ret_answer[WRN_UNREACHABLE_SIZE]) {
    struct what too_big = {.type4 = 3, .code4 = 4, .type6 = 2, .code6 = 0, .mtu_bytes = mtu_bytes};
    return answer(&too_big, packet, size, ret_answer);
}

static size_t answer(const struct what *what, const uint8_t *packet, size_t size, uint8_t *out) {
    if (size >= V4_HEADER && packet[0] >> 4 == 4) {
        return answer4(what, packet, size, out);
    }
    if (size >= V6_HEADER && packet[0] >> 4 == 6) {
        return answer6(what, packet, size, out);
    }
    return 0;
}

static size_t answer4(const struct what *what, const uint8_t *packet, size_t size, uint8_t *out) {
    size_t header = (size_t)(packet[0] & 15) * 4;
    bool later_fragment = (wrn_load_be16(packet + 6) & 0x1fff) != 0;
    if (header < V4_HEADER || size < header || later_fragment || !is_unicast4(packet + 12) ||
        !is_unicast4(packet + 16)) {
        return 0;
    }
    if (packet[9] == PROTOCOL_ICMP && (size == header || is_error4(packet[header]))) {
        return 0;
    }
    size_t quoted = V4_ANSWER_MAX - V4_HEADER - ICMP_HEADER;
    quoted = size < quoted ? size : quoted;
    size_t total = V4_HEADER + ICMP_HEADER + quoted;
    uint8_t *icmp = out + V4_HEADER;

    memset(out, 0, V4_HEADER + ICMP_HEADER);
    out[0] = 0x45;
    out[1] = 0xc0; /* internetwork control, as RFC 1812, section 4.3.2.5 has it */
    wrn_store_be16(out + 2, (uint16_t)total);
    out[8] = TTL;
    out[9] = PROTOCOL_ICMP;
    memcpy(out + 12, packet + 16, 4);
    memcpy(out + 16, packet + 12, 4);
    wrn_store_be16(out + 10, fold(sum(out, V4_HEADER, 0)));
    icmp[0] = what->type4;
    icmp[1] = what->code4;
    wrn_store_be16(icmp + 6, what->mtu_bytes);
    memcpy(icmp + ICMP_HEADER, packet, quoted);
    wrn_store_be16(icmp + 2, fold(sum(icmp, ICMP_HEADER + quoted, 0)));
    return total;
}

static size_t answer6(const struct what *what, const uint8_t *packet, size_t size, uint8_t *out) {
    if (!is_unicast6(packet + 8) || !is_unicast6(packet + 24) || !may_answer6(packet, size)) {
        return 0;
    }
    size_t quoted = WRN_UNREACHABLE_SIZE - V6_HEADER - ICMP_HEADER;
    quoted = size < quoted ? size : quoted;
    size_t payload = ICMP_HEADER + quoted;
    uint8_t *icmp = out + V6_HEADER;

    memset(out, 0, V6_HEADER + ICMP_HEADER);
    out[0] = 0x60;
    wrn_store_be16(out + 4, (uint16_t)payload);
    out[6] = PROTOCOL_ICMP6;
    out[7] = TTL;
    memcpy(out + 8, packet + 24, 16);
    memcpy(out + 24, packet + 8, 16);
    icmp[0] = what->type6;
    icmp[1] = what->code6;
    wrn_store_be16(icmp + 6, what->mtu_bytes);
    memcpy(icmp + ICMP_HEADER, packet, quoted);
    /* The pseudo-header: both addresses, the length and the protocol (RFC 8200, section 8.1). */
    uint32_t pseudo = sum(out + 8, 32, (uint32_t)payload + PROTOCOL_ICMP6);
    wrn_store_be16(icmp + 2, fold(sum(icmp, payload, pseudo)));
    return V6_HEADER + payload;
}

/* Unreachable, source quench, redirect, time exceeded, parameter problem. */
static bool is_error4(uint8_t icmp_type) {
    return icmp_type == 3 || icmp_type == 4 || icmp_type == 5 || icmp_type == 11 || icmp_type == 12;
}

/* Looks behind the extension headers: an ICMPv6 error may hide there. What cannot be read to its
 * upper layer is not answered. */
static bool may_answer6(const uint8_t *packet, size_t size) {
    enum { HOP_BY_HOP = 0, ROUTING = 43, FRAGMENT = 44, DESTINATION = 60, CHAIN_MAX = 8 };
    uint8_t next = packet[6];
    size_t at = V6_HEADER;
    for (int i = 0; i < CHAIN_MAX; i++) {
        if (next == PROTOCOL_ICMP6) {
            return at < size && packet[at] >= 128 && packet[at] != 137; /* no error, no redirect */
        }
        if (next != HOP_BY_HOP && next != ROUTING && next != FRAGMENT && next != DESTINATION) {
            return true;
        }
        if (size < at + 8) {
            return false;
        }
        if (next == FRAGMENT && (wrn_load_be16(packet + at + 2) & 0xfff8) != 0) {
            return false; /* a later fragment */
        }
        size_t length = next == FRAGMENT ? 8 : ((size_t)packet[at + 1] + 1) * 8;
        next = packet[at];
        at += length;
    }
    return false;
}

static bool is_unicast4(const uint8_t *address) {
    return address[0] != 0 && address[0] < 224;
}

static bool is_unicast6(const uint8_t *address) {
    static const uint8_t unspecified[16];
    return address[0] != 0xff && memcmp(address, unspecified, sizeof unspecified) != 0;
}

static uint32_t sum(const uint8_t *bytes, size_t size, uint32_t start) {
    uint32_t total = start;
    for (size_t i = 0; i + 1 < size; i += 2) {
        total += wrn_load_be16(bytes + i);
    }
    if (size % 2 != 0) {
        total += (uint32_t)bytes[size - 1] << 8;
    }
    return total;
}

static uint16_t fold(uint32_t total) {
    while (total >> 16 != 0) {
        total = (total & 0xffff) + (total >> 16);
    }
    return (uint16_t)~total;
}
