/* SPDX-License-Identifier: Apache-2.0 */
/* Packets for the tests of src/packet, and slow, plain versions of what it does, which share no
 * code with it. */
#pragma once
#include "packet/virtio.h"

enum {
    MODEL_SIZE_MAX = 66000, /* of any packet, with room to spare */
    MODEL_FIN = 1,
    MODEL_SYN = 2,
    MODEL_RST = 4,
    MODEL_PSH = 8,
    MODEL_ACK = 16,
    MODEL_URG = 32,
    MODEL_ECE = 64,
    MODEL_CWR = 128,
};

/* A packet to build. */
struct model_packet {
    bool is_v6;
    bool is_udp;
    uint8_t flow; /* chooses addresses and ports */
    uint8_t tos;  /* or traffic class */
    uint8_t ttl;
    uint8_t flags; /* of TCP */
    uint16_t id;
    uint16_t fragment; /* flags and offset of IPv4 */
    uint16_t window;
    uint16_t urgent;
    uint32_t label; /* of an IPv6 flow */
    uint32_t sequence;
    uint32_t acknowledged;
    const uint8_t *options; /* of TCP, a multiple of 4 bytes */
    size_t options_size;
    size_t payload_size;
    unsigned salt; /* chooses the payload */
};

/* Builds the packet with all its checksums at 'out' and returns its size. */
size_t model_build(const struct model_packet *packet, uint8_t *out);

/* Returns the offset of the TCP or UDP header of a packet without extension headers. */
size_t model_l4_at(const uint8_t *packet);

/* The checksum of 'size' bytes and of a sum that is there already, word by word. */
uint16_t model_checksum(const uint8_t *bytes, size_t size, uint32_t start);

/* Writes the checksums of a packet whose TCP or UDP header is at 'l4_at' anew. */
void model_seal(uint8_t *packet, size_t size, size_t l4_at);

/* Tells whether all checksums of a packet are right. */
bool model_is_sealed(const uint8_t *packet, size_t size, size_t l4_at);

/* Makes of a built packet one that is to be cut at 'gso_size': the sum of the pseudo header in its
 * checksum field, and its virtio header. */
void model_enlarge(uint8_t *packet, size_t size, uint16_t gso_size, struct wrn_virtio *ret_header);

/* Writes segment 'index' of a large packet to 'out', by the header alone. Returns its size, 0 if
 * there is no such segment. */
size_t model_cut(const struct wrn_virtio *header, const uint8_t *packet, size_t size,
                 uint32_t index, uint8_t *out);
