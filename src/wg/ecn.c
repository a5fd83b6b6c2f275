/* SPDX-License-Identifier: Apache-2.0 */
/* Congestion marks carried through a tunnel. Touches the ECN bits and the IPv4 header checksum, no
 * other byte of a packet. */
#include "wg/ecn.h"

#include "base/bytes.h"

enum {
    ECN_MASK = 3,
    IPV4_HEADER_MIN = 20,
    IPV4_CHECKSUM = 10, /* offset of the header checksum */
    IPV6_HEADER = 40,
    IPV6_SHIFT = 4, /* the traffic class straddles bytes 0 and 1; its ECN bits are in byte 1 */
    DROP = 4,       /* no ECN value */
};

/* RFC 6040, Figure 4, as [inner][outer], both in the order Not-ECT, ECT(1), ECT(0), CE. */
static const uint8_t merged[4][4] = {
    [WRN_ECN_NOT_ECT] = {WRN_ECN_NOT_ECT, WRN_ECN_NOT_ECT, WRN_ECN_NOT_ECT, DROP},
    [WRN_ECN_ECT1] = {WRN_ECN_ECT1, WRN_ECN_ECT1, WRN_ECN_ECT1, WRN_ECN_CE},
    [WRN_ECN_ECT0] = {WRN_ECN_ECT0, WRN_ECN_ECT1, WRN_ECN_ECT0, WRN_ECN_CE},
    [WRN_ECN_CE] = {WRN_ECN_CE, WRN_ECN_CE, WRN_ECN_CE, WRN_ECN_CE},
};

static bool is_ipv4(const uint8_t *packet, size_t size);
static bool is_ipv6(const uint8_t *packet, size_t size);
static void set_ipv4_ecn(uint8_t *packet, uint8_t ecn);
static void set_ipv6_ecn(uint8_t *packet, uint8_t ecn);

uint8_t wrn_ecn_of_packet(const uint8_t *packet, size_t size) {
    if (is_ipv4(packet, size)) {
        return packet[1] & ECN_MASK;
    }
    if (is_ipv6(packet, size)) {
        return packet[1] >> IPV6_SHIFT & ECN_MASK;
    }
    return WRN_ECN_NOT_ECT;
}

bool wrn_ecn_merge(uint8_t *packet, size_t size, uint8_t outer_ecn) {
    bool v4 = is_ipv4(packet, size);
    if (!v4 && !is_ipv6(packet, size)) {
        return true; /* nothing to mark; the caller refuses it for what it is */
    }
    uint8_t inner = wrn_ecn_of_packet(packet, size);
    uint8_t result = merged[inner][outer_ecn & ECN_MASK];
    if (result == DROP) {
        return false;
    }
    if (result != inner && v4) {
        set_ipv4_ecn(packet, result);
    } else if (result != inner) {
        set_ipv6_ecn(packet, result);
    }
    return true;
}

static bool is_ipv4(const uint8_t *packet, size_t size) {
    return size >= IPV4_HEADER_MIN && packet[0] >> 4 == 4;
}

static bool is_ipv6(const uint8_t *packet, size_t size) {
    return size >= IPV6_HEADER && packet[0] >> 4 == 6;
}

/* A checksum that was wrong stays wrong: the difference is applied, nothing is recomputed.
 * Source: RFC 1624, equation 3. */
static void set_ipv4_ecn(uint8_t *packet, uint8_t ecn) {
    uint32_t before = wrn_load_be16(packet);
    packet[1] = (uint8_t)((packet[1] & ~ECN_MASK) | ecn);
    uint32_t after = wrn_load_be16(packet);
    uint32_t sum = (uint32_t)wrn_load_be16(packet + IPV4_CHECKSUM) ^ 0xffffu;
    sum += (before ^ 0xffffu) + after;
    sum = (sum & 0xffffu) + (sum >> 16);
    sum = (sum & 0xffffu) + (sum >> 16);
    wrn_store_be16(packet + IPV4_CHECKSUM, (uint16_t)(sum ^ 0xffffu));
}

static void set_ipv6_ecn(uint8_t *packet, uint8_t ecn) {
    packet[1] = (uint8_t)((packet[1] & ~(ECN_MASK << IPV6_SHIFT)) | ecn << IPV6_SHIFT);
}
