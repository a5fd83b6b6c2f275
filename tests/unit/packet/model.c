/* SPDX-License-Identifier: Apache-2.0 */
/* Building packets, and cutting them up the slow way. Uses nothing of src/packet but a struct. */
#include "unit/packet/model.h"

#include "base/bytes.h"

static size_t build_v4(const struct model_packet *packet, size_t l4_size, uint8_t *ip);
static size_t build_v6(const struct model_packet *packet, size_t l4_size, uint8_t *ip);
static size_t build_l4(const struct model_packet *packet, uint8_t *l4);
static bool is_udp(const uint8_t *packet, size_t l4_at);
static uint32_t pseudo(const uint8_t *packet, size_t size, size_t l4_at);
static uint8_t *checksum_field(uint8_t *packet, size_t l4_at);

size_t model_build(const struct model_packet *packet, uint8_t *out) {
    uint8_t l4[60];
    size_t header_size = build_l4(packet, l4);
    size_t l4_size = header_size + packet->payload_size;
    size_t at = packet->is_v6 ? build_v6(packet, l4_size, out) : build_v4(packet, l4_size, out);
    memcpy(out + at, l4, header_size);
    if (packet->is_udp) {
        wrn_store_be16(out + at + 4, (uint16_t)l4_size);
    }
    for (size_t i = 0; i < packet->payload_size; i++) {
        out[at + header_size + i] = (uint8_t)(packet->salt * 31 + i * 7 + (i >> 8) * 3);
    }
    model_seal(out, at + l4_size, at);
    return at + l4_size;
}

size_t model_l4_at(const uint8_t *packet) {
    return packet[0] >> 4 == 6 ? 40 : (size_t)(packet[0] & 15) * 4;
}

uint16_t model_checksum(const uint8_t *bytes, size_t size, uint32_t start) {
    uint32_t total = start;
    for (size_t i = 0; i < size; i++) {
        total += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
        total = total > 0xffff ? total - 0xffff : total;
    }
    return (uint16_t)(0xffff - total);
}

void model_seal(uint8_t *packet, size_t size, size_t l4_at) {
    uint8_t *field = checksum_field(packet, l4_at);
    if (packet[0] >> 4 == 4) {
        wrn_store_be16(packet + 10, 0);
        wrn_store_be16(packet + 10, model_checksum(packet, (size_t)(packet[0] & 15) * 4, 0));
    }
    wrn_store_be16(field, 0);
    uint16_t sum = model_checksum(packet + l4_at, size - l4_at, pseudo(packet, size, l4_at));
    wrn_store_be16(field, sum == 0 && is_udp(packet, l4_at) ? 0xffff : sum);
}

bool model_is_sealed(const uint8_t *packet, size_t size, size_t l4_at) {
    if (packet[0] >> 4 == 4 && model_checksum(packet, (size_t)(packet[0] & 15) * 4, 0) != 0) {
        return false;
    }
    return model_checksum(packet + l4_at, size - l4_at, pseudo(packet, size, l4_at)) == 0;
}

void model_enlarge(uint8_t *packet, size_t size, uint16_t gso_size, struct wrn_virtio *ret_header) {
    size_t l4_at = model_l4_at(packet);
    bool udp = is_udp(packet, l4_at);
    size_t l4_header = udp ? 8 : (size_t)(packet[l4_at + 12] >> 4) * 4;
    wrn_store_be16(checksum_field(packet, l4_at), (uint16_t)pseudo(packet, size, l4_at));
    *ret_header = (struct wrn_virtio){
        .flags = WRN_VIRTIO_NEEDS_CHECKSUM,
        .gso_type = udp                   ? WRN_VIRTIO_GSO_UDP
                    : packet[0] >> 4 == 6 ? WRN_VIRTIO_GSO_TCP6
                                          : WRN_VIRTIO_GSO_TCP4,
        .header_size = (uint16_t)(l4_at + l4_header),
        .gso_size = gso_size,
        .checksum_start = (uint16_t)l4_at,
        .checksum_offset = udp ? 6 : 16,
    };
}

size_t model_cut(const struct wrn_virtio *header, const uint8_t *packet, size_t size,
                 uint32_t index, uint8_t *out) {
    size_t l4_at = header->checksum_start;
    bool udp = header->gso_type == WRN_VIRTIO_GSO_UDP;
    size_t payload_at = l4_at + (udp ? 8 : (size_t)(packet[l4_at + 12] >> 4) * 4);
    size_t from = payload_at + (size_t)index * header->gso_size;
    if (from >= size) {
        return 0;
    }
    bool last = size - from <= header->gso_size;
    size_t payload_size = last ? size - from : header->gso_size;
    size_t segment_size = payload_at + payload_size;
    for (size_t i = 0; i < payload_at; i++) {
        out[i] = packet[i];
    }
    for (size_t i = 0; i < payload_size; i++) {
        out[payload_at + i] = packet[from + i];
    }
    if (packet[0] >> 4 == 4) {
        wrn_store_be16(out + 2, (uint16_t)segment_size);
        wrn_store_be16(out + 4, (uint16_t)(wrn_load_be16(packet + 4) + index));
    } else {
        wrn_store_be16(out + 4, (uint16_t)(segment_size - 40));
    }
    uint8_t *l4 = out + l4_at;
    if (udp) {
        wrn_store_be16(l4 + 4, (uint16_t)(segment_size - l4_at));
    } else {
        wrn_store_be32(l4 + 4, wrn_load_be32(l4 + 4) + index * header->gso_size);
        if (!last) {
            l4[13] &= (uint8_t) ~(MODEL_FIN | MODEL_PSH);
        }
        if (index != 0) {
            l4[13] &= (uint8_t)~MODEL_CWR;
        }
    }
    model_seal(out, segment_size, l4_at);
    return segment_size;
}

static size_t build_v4(const struct model_packet *packet, size_t l4_size, uint8_t *ip) {
    const uint8_t addresses[8] = {10, 0, 0, (uint8_t)(1 + packet->flow / 2), 192, 168, 7, 9};
    ip[0] = 0x45;
    ip[1] = packet->tos;
    wrn_store_be16(ip + 2, (uint16_t)(20 + l4_size));
    wrn_store_be16(ip + 4, packet->id);
    wrn_store_be16(ip + 6, packet->fragment);
    ip[8] = packet->ttl;
    ip[9] = packet->is_udp ? 17 : 6;
    memcpy(ip + 12, addresses, sizeof addresses);
    return 20;
}

static size_t build_v6(const struct model_packet *packet, size_t l4_size, uint8_t *ip) {
    wrn_store_be32(ip, 6u << 28 | (uint32_t)packet->tos << 20 | packet->label);
    wrn_store_be16(ip + 4, (uint16_t)l4_size);
    ip[6] = packet->is_udp ? 17 : 6;
    ip[7] = packet->ttl;
    memset(ip + 8, 0x2a, 16);
    memset(ip + 24, 0xfd, 16);
    ip[23] = (uint8_t)(1 + packet->flow / 2);
    return 40;
}

/* Returns the header's size. */
static size_t build_l4(const struct model_packet *packet, uint8_t *l4) {
    memset(l4, 0, 20);
    wrn_store_be16(l4, (uint16_t)(40000 + packet->flow));
    wrn_store_be16(l4 + 2, 443);
    if (packet->is_udp) {
        return 8;
    }
    wrn_store_be32(l4 + 4, packet->sequence);
    wrn_store_be32(l4 + 8, packet->acknowledged);
    l4[12] = (uint8_t)((20 + packet->options_size) / 4 << 4);
    l4[13] = packet->flags;
    wrn_store_be16(l4 + 14, packet->window);
    wrn_store_be16(l4 + 18, packet->urgent);
    for (size_t i = 0; i < packet->options_size; i++) {
        l4[20 + i] = packet->options[i];
    }
    return 20 + packet->options_size;
}

static bool is_udp(const uint8_t *packet, size_t l4_at) {
    if (packet[0] >> 4 == 4) {
        return packet[9] == 17;
    }
    uint8_t next = packet[6];
    for (size_t at = 40; at < l4_at; at += ((size_t)packet[at + 1] + 1) * 8) {
        next = packet[at];
    }
    return next == 17;
}

/* The sum of the pseudo header, not complemented. */
static uint32_t pseudo(const uint8_t *packet, size_t size, size_t l4_at) {
    uint8_t header[40] = {0};
    size_t addresses = packet[0] >> 4 == 6 ? 32 : 8;
    memcpy(header, packet + (addresses == 32 ? 8 : 12), addresses);
    wrn_store_be32(header + addresses, (uint32_t)(size - l4_at));
    header[addresses + 7] = is_udp(packet, l4_at) ? 17 : 6;
    return 0xffffu - model_checksum(header, sizeof header, 0);
}

static uint8_t *checksum_field(uint8_t *packet, size_t l4_at) {
    return packet + l4_at + (is_udp(packet, l4_at) ? 6 : 16);
}
