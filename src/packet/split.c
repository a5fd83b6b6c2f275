/* SPDX-License-Identifier: Apache-2.0 */
/* Cutting up large packets. Believes nothing of the virtio header that the packet contradicts. */
#include "packet/split.h"

#include "packet/frame.h"
#include "packet/internal.h"

/* IPv6 headers that may stand before TCP or UDP in a packet to be cut: each segment repeats them.
 * A fragment header may not: a fragment is not cut up. */
enum { HOP_BY_HOP = 0, ROUTING = 43, DESTINATION = 60, EXTENSIONS_MAX = 8 };

static int find_l4(struct wrn_split *split, uint8_t *ret_protocol);
static int find_l4_v4(struct wrn_split *split, uint8_t *ret_protocol);
static int find_l4_v6(struct wrn_split *split, uint8_t *ret_protocol);
static int begin_tcp(struct wrn_split *split, const struct wrn_virtio *header, uint8_t *packet);
static int begin_udp(struct wrn_split *split, const struct wrn_virtio *header);
static int complete(const struct wrn_virtio *header, uint8_t *packet, size_t size);
static void sum_common(struct wrn_split *split);
static wrn_sum take_word(wrn_sum sum, const uint8_t *at);
static void write_v4(const struct wrn_split *split, uint32_t index, size_t size, uint8_t *ip);
static wrn_sum write_tcp(const struct wrn_split *split, uint32_t index, uint8_t *tcp);

int wrn_split_begin(struct wrn_split *split, const struct wrn_virtio *header, uint8_t *packet,
                    size_t size) {
    *split = (struct wrn_split){.packet = packet, .size = size, .count = 1, .mss = (uint32_t)size};
    if (header->gso_type == WRN_VIRTIO_GSO_NONE) {
        return complete(header, packet, size);
    }
    uint8_t protocol = 0;
    if (header->gso_size == 0 || find_l4(split, &protocol) != 0) {
        return WRN_ERR_MALFORMED;
    }
    bool ecn = (header->gso_type & WRN_VIRTIO_GSO_ECN) != 0;
    split->kind = (uint8_t)(header->gso_type & ~WRN_VIRTIO_GSO_ECN);
    bool fits = false;
    if (split->kind == WRN_VIRTIO_GSO_TCP4 || split->kind == WRN_VIRTIO_GSO_TCP6) {
        fits = protocol == PROTOCOL_TCP && split->is_v6 == (split->kind == WRN_VIRTIO_GSO_TCP6) &&
               begin_tcp(split, header, packet) == 0;
    } else if (split->kind == WRN_VIRTIO_GSO_UDP) {
        fits = protocol == PROTOCOL_UDP && !ecn && begin_udp(split, header) == 0;
    }
    if (!fits) {
        return WRN_ERR_MALFORMED;
    }
    size_t payload = size - split->header_size;
    if (payload <= header->gso_size) { /* nothing to cut, as Linux has it too */
        split->mss = (uint32_t)payload;
        return complete(header, packet, size);
    }
    split->mss = header->gso_size;
    split->count = (uint32_t)((payload + split->mss - 1) / split->mss);
    sum_common(split);
    return 0;
}

size_t wrn_split_size(const struct wrn_split *split, uint32_t index) {
    if (index + 1 < split->count) {
        return (size_t)split->header_size + split->mss;
    }
    return split->size - (size_t)index * split->mss;
}

void wrn_split_write(const struct wrn_split *split, uint32_t index, uint8_t *out) {
    WRN_ASSERT(split->count > 1 && index < split->count);
    size_t size = wrn_split_size(split, index);
    uint16_t l4_size = (uint16_t)(size - split->l4_at);
    uint8_t *l4 = out + split->l4_at;
    bool is_tcp = split->kind != WRN_VIRTIO_GSO_UDP;
    wrn_sum sum;

    memcpy(out, split->packet, split->header_size);
    if (split->is_v6) {
        wrn_store_be16(out + V6_LENGTH, (uint16_t)(size - V6_SIZE));
    } else {
        write_v4(split, index, size, out);
    }
    if (is_tcp) {
        sum = write_tcp(split, index, l4);
    } else {
        wrn_store_be16(l4 + UDP_LENGTH, l4_size);
        sum = sum_word(split->l4_sum, l4_size);
    }
    sum = sum_word(sum, l4_size); /* of the pseudo header */
    sum = wrn_sum_copy(sum, out + split->header_size,
                       split->packet + split->header_size + (size_t)index * split->mss,
                       size - split->header_size);
    uint16_t value = wrn_sum_finish(sum);
    if (is_tcp) {
        wrn_store_be16(l4 + TCP_CHECKSUM, value);
    } else {
        wrn_store_be16(l4 + UDP_CHECKSUM, value == 0 ? UINT16_MAX : value); /* RFC 768: 0 is none */
    }
}

int wrn_split_begin_frame(struct wrn_split *split, const struct wrn_virtio *header, uint8_t *frame,
                          size_t size) {
    struct wrn_virtio inner = *header;
    uint16_t type = 0;
    bool is_finished =
        header->gso_type == WRN_VIRTIO_GSO_NONE && (header->flags & WRN_VIRTIO_NEEDS_CHECKSUM) == 0;
    if (is_finished) { /* whatever it holds */
        return wrn_split_begin(split, header, frame, size);
    }
    uint32_t link = wrn_frame_link_size(frame, size, &type);
    if (link == 0 ||
        ((header->flags & WRN_VIRTIO_NEEDS_CHECKSUM) != 0 && inner.checksum_start < link)) {
        return WRN_ERR_MALFORMED;
    }
    inner.checksum_start = (uint16_t)(inner.checksum_start - link);
    int error = wrn_split_begin(split, &inner, frame + link, size - link);
    if (error == 0 && split->count > 1 &&
        type != (split->is_v6 ? WRN_FRAME_TYPE_IPV6 : WRN_FRAME_TYPE_IPV4)) {
        return WRN_ERR_MALFORMED;
    }
    split->link_size = link;
    return error;
}

size_t wrn_split_frame_size(const struct wrn_split *split, uint32_t index) {
    return split->link_size + wrn_split_size(split, index);
}

void wrn_split_write_frame(const struct wrn_split *split, uint32_t index, uint8_t *out) {
    memcpy(out, split->packet - split->link_size, split->link_size);
    wrn_split_write(split, index, out + split->link_size);
}

/* Finds the upper header: sets l4_at and is_v6. The packet must be a whole one. */
static int find_l4(struct wrn_split *split, uint8_t *ret_protocol) {
    if (split->size >= V4_SIZE_MIN && split->packet[0] >> 4 == 4) {
        return find_l4_v4(split, ret_protocol);
    }
    if (split->size >= V6_SIZE && split->packet[0] >> 4 == 6) {
        return find_l4_v6(split, ret_protocol);
    }
    return WRN_ERR_MALFORMED;
}

static int find_l4_v4(struct wrn_split *split, uint8_t *ret_protocol) {
    const uint8_t *ip = split->packet;
    size_t header_size = (size_t)(ip[0] & 15) * 4;
    uint16_t fragment = wrn_load_be16(ip + V4_FRAGMENT);
    if (header_size < V4_SIZE_MIN || header_size > split->size ||
        wrn_load_be16(ip + V4_LENGTH) != split->size ||
        (fragment & (V4_MORE_FRAGMENTS | V4_FRAGMENT_OFFSET)) != 0) {
        return WRN_ERR_MALFORMED;
    }
    split->l4_at = (uint16_t)header_size;
    *ret_protocol = ip[V4_PROTOCOL];
    return 0;
}

static int find_l4_v6(struct wrn_split *split, uint8_t *ret_protocol) {
    const uint8_t *ip = split->packet;
    if ((size_t)wrn_load_be16(ip + V6_LENGTH) + V6_SIZE != split->size) {
        return WRN_ERR_MALFORMED;
    }
    size_t at = V6_SIZE;
    uint8_t next = ip[V6_NEXT];
    for (int i = 0; i < EXTENSIONS_MAX; i++) {
        if (next != HOP_BY_HOP && next != ROUTING && next != DESTINATION) {
            break;
        }
        if (split->size < at + 8) {
            return WRN_ERR_MALFORMED;
        }
        next = ip[at];
        at += ((size_t)ip[at + 1] + 1) * 8;
    }
    if (at > split->size) {
        return WRN_ERR_MALFORMED;
    }
    split->is_v6 = true;
    split->l4_at = (uint16_t)at;
    *ret_protocol = next;
    return 0;
}

static int begin_tcp(struct wrn_split *split, const struct wrn_virtio *header, uint8_t *packet) {
    size_t l4_size = split->size - split->l4_at;
    uint8_t *tcp = packet + split->l4_at;
    if (l4_size < TCP_SIZE_MIN) {
        return WRN_ERR_MALFORMED;
    }
    size_t header_size = (size_t)(tcp[TCP_OFFSET] >> 4) * 4;
    if (header_size < TCP_SIZE_MIN || header_size > l4_size) {
        return WRN_ERR_MALFORMED;
    }
    split->header_size = (uint32_t)(split->l4_at + header_size);
    if ((header->flags & WRN_VIRTIO_NEEDS_CHECKSUM) != 0) {
        bool there =
            header->checksum_start == split->l4_at && header->checksum_offset == TCP_CHECKSUM;
        return there ? 0 : WRN_ERR_MALFORMED;
    }
    /* A device joined segments that it had verified, and left no partial sum: make one, if there
     * will be segments to use it. */
    if (l4_size - header_size > header->gso_size) {
        wrn_sum sum = wrn_sum_add_pseudo((wrn_sum){0}, packet, PROTOCOL_TCP, (uint32_t)l4_size);
        wrn_store_be16(tcp + TCP_CHECKSUM, (uint16_t)~wrn_sum_finish(sum));
    }
    return 0;
}

/* The sum has to be asked for: without it, a field of 0 could also mean that none is wanted. */
static int begin_udp(struct wrn_split *split, const struct wrn_virtio *header) {
    size_t l4_size = split->size - split->l4_at;
    if (l4_size < UDP_SIZE || wrn_load_be16(split->packet + split->l4_at + UDP_LENGTH) != l4_size ||
        (header->flags & WRN_VIRTIO_NEEDS_CHECKSUM) == 0 ||
        header->checksum_start != split->l4_at || header->checksum_offset != UDP_CHECKSUM) {
        return WRN_ERR_MALFORMED;
    }
    split->header_size = (uint32_t)split->l4_at + UDP_SIZE;
    return 0;
}

/* Fills in the checksum that is missing, of whatever protocol. 0 becomes its other form, as UDP
 * needs it and others may have it (RFC 768; RFC 1071). */
static int complete(const struct wrn_virtio *header, uint8_t *packet, size_t size) {
    if ((header->flags & WRN_VIRTIO_NEEDS_CHECKSUM) == 0) {
        return 0;
    }
    size_t start = header->checksum_start;
    size_t field = start + header->checksum_offset;
    if (start < V4_SIZE_MIN || field + 2 > size) {
        return WRN_ERR_MALFORMED;
    }
    uint16_t value = wrn_sum_finish(wrn_sum_add((wrn_sum){0}, packet + start, size - start));
    wrn_store_be16(packet + field, value == 0 ? UINT16_MAX : value);
    return 0;
}

/* Sums the headers without the fields that differ from segment to segment: a segment's sum is this,
 * its own fields and its payload. The checksum field holds the pseudo header's sum, and stays. */
static void sum_common(struct wrn_split *split) {
    const uint8_t *ip = split->packet;
    const uint8_t *l4 = ip + split->l4_at;
    if (!split->is_v6) {
        split->ip_sum = wrn_sum_add((wrn_sum){0}, ip, split->l4_at);
        split->ip_sum = take_word(split->ip_sum, ip + V4_LENGTH);
        split->ip_sum = take_word(split->ip_sum, ip + V4_ID);
        split->ip_sum = take_word(split->ip_sum, ip + V4_CHECKSUM);
    }
    wrn_sum sum = wrn_sum_add((wrn_sum){0}, l4, split->header_size - split->l4_at);
    sum = sum_word(sum, (uint16_t) ~(split->size - split->l4_at)); /* in the pseudo header */
    if (split->kind == WRN_VIRTIO_GSO_UDP) {
        sum = take_word(sum, l4 + UDP_LENGTH);
    } else {
        sum = take_word(sum, l4 + TCP_SEQUENCE);
        sum = take_word(sum, l4 + TCP_SEQUENCE + 2);
        sum = take_word(sum, l4 + TCP_OFFSET); /* and the flags */
    }
    split->l4_sum = sum;
}

/* Subtracts what was summed: adds the complement. Source: RFC 1624, section 3. */
static wrn_sum take_word(wrn_sum sum, const uint8_t *at) {
    return sum_word(sum, (uint16_t)~wrn_load_be16(at));
}

static void write_v4(const struct wrn_split *split, uint32_t index, size_t size, uint8_t *ip) {
    uint16_t id = (uint16_t)(wrn_load_be16(split->packet + V4_ID) + index);
    wrn_store_be16(ip + V4_LENGTH, (uint16_t)size);
    wrn_store_be16(ip + V4_ID, id);
    wrn_sum sum = sum_word(sum_word(split->ip_sum, (uint16_t)size), id);
    wrn_store_be16(ip + V4_CHECKSUM, wrn_sum_finish(sum));
}

/* Returns the sum of the header. */
static wrn_sum write_tcp(const struct wrn_split *split, uint32_t index, uint8_t *tcp) {
    const uint8_t *from = split->packet + split->l4_at;
    uint32_t sequence = wrn_load_be32(from + TCP_SEQUENCE) + index * split->mss;
    uint16_t flags = wrn_load_be16(from + TCP_OFFSET);
    if (index > 0) {
        flags &= (uint16_t)~TCP_CWR;
    }
    if (index + 1 < split->count) {
        flags &= (uint16_t) ~(TCP_FIN | TCP_PSH);
    }
    wrn_store_be32(tcp + TCP_SEQUENCE, sequence);
    wrn_store_be16(tcp + TCP_OFFSET, flags);
    wrn_sum sum = sum_word(split->l4_sum, (uint16_t)(sequence >> 16));
    return sum_word(sum_word(sum, (uint16_t)sequence), flags);
}
