/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of src/packet share: where the fields of IP, TCP and UDP headers are, and the
 * checksum's parts. Not for other folders, but for tests. */
#pragma once
#include "base/bytes.h"
#include "packet/checksum.h"

/* Offsets and sizes in bytes. Source: RFC 791, RFC 8200, RFC 9293, RFC 768. */
enum {
    V4_SIZE_MIN = 20,
    V4_LENGTH = 2,
    V4_ID = 4,
    V4_FRAGMENT = 6,
    V4_PROTOCOL = 9,
    V4_CHECKSUM = 10,
    V4_SOURCE = 12,
    V4_ADDRESSES_SIZE = 8, /* both */

    V6_SIZE = 40,
    V6_LENGTH = 4,
    V6_NEXT = 6,
    V6_SOURCE = 8,
    V6_ADDRESSES_SIZE = 32, /* both */

    TCP_SIZE_MIN = 20,
    TCP_SEQUENCE = 4,
    TCP_ACKNOWLEDGED = 8,
    TCP_OFFSET = 12, /* 4 bits of header size, 4 reserved */
    TCP_FLAGS = 13,
    TCP_WINDOW = 14,
    TCP_CHECKSUM = 16,
    TCP_URGENT = 18,

    UDP_SIZE = 8,
    UDP_LENGTH = 4,
    UDP_CHECKSUM = 6,

    PORTS_SIZE = 4, /* both, at the start of either header */
    PROTOCOL_TCP = 6,
    PROTOCOL_UDP = 17,
};

enum {
    V4_MORE_FRAGMENTS = 0x2000,
    V4_FRAGMENT_OFFSET = 0x1fff,
    TCP_FIN = 0x01,
    TCP_SYN = 0x02,
    TCP_PSH = 0x08,
    TCP_ACK = 0x10,
    TCP_CWR = 0x80,
};

/* Adds a number as it stands in a packet, in network byte order, at an even offset. */
static inline wrn_sum sum_word(wrn_sum sum, uint16_t number) {
    uint8_t bytes[2];
    uint16_t word;
    wrn_store_be16(bytes, number);
    memcpy(&word, bytes, sizeof word);
    sum.value += word;
    sum.value += sum.value < word;
    return sum;
}

/* wrn_sum_add and wrn_sum_copy without instructions that not every processor has. */
wrn_sum wrn_sum_add_portable(wrn_sum sum, const uint8_t *bytes, size_t size);
wrn_sum wrn_sum_copy_portable(wrn_sum sum, uint8_t *to, const uint8_t *bytes, size_t size);
