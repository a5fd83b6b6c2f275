/* SPDX-License-Identifier: Apache-2.0 */
/* The work of uring_eval between its system calls. It measures what surrounds it: checksums are
 * declared good instead of computed, and whatever arrives is trusted. */
#include <linux/virtio_net.h>
#include <netinet/udp.h>
#include <string.h>
#include "uring_plane.h"

#define GSO_UDP_L4 5 /* VIRTIO_NET_HDR_GSO_UDP_L4, which Debian 12's headers lack */

void plane_init(struct plane *plane, uint8_t *trains) {
    for (unsigned i = 0; i < TRAINS; i++) {
        plane->trains[i].bytes = trains + (size_t)i * ROOM;
        plane->free_trains[plane->free_train_count++] = TRAINS - 1 - i;
    }
    for (unsigned i = 0; i < WRITES; i++) {
        plane->free_writes[plane->free_write_count++] = WRITES - 1 - i;
    }
}

/* ---- from the TUN device to the network ---- */

static uint16_t load_be16(const uint8_t *bytes) {
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static uint32_t load_be32(const uint8_t *bytes) {
    return (uint32_t)load_be16(bytes) << 16 | load_be16(bytes + 2);
}

static void store_be16(uint8_t *bytes, size_t value) {
    bytes[0] = (uint8_t)(value >> 8);
    bytes[1] = (uint8_t)value;
}

static void store_be32(uint8_t *bytes, uint32_t value) {
    store_be16(bytes, value >> 16);
    store_be16(bytes + 2, value & 0xffff);
}

/* Returns room for a packet in the open train, or in a new one if it does not fit there; NULL if
 * all trains are under way. */
static uint8_t *add_datagram(struct plane *plane, size_t packet_size) {
    size_t size = HEAD + packet_size + TAG;
    struct train *train = plane->open_train;
    if (train != NULL && (train->count == SEGMENTS_MAX || train->size + size > TRAIN_BYTES ||
                          size > train->segment || train->size != train->count * train->segment)) {
        plane_close_train(plane);
        train = NULL;
    }
    if (train == NULL) {
        if (plane->free_train_count == 0) {
            plane->counters.dropped++;
            return NULL;
        }
        train = &plane->trains[plane->free_trains[--plane->free_train_count]];
        train->size = train->count = 0;
        train->segment = size;
        plane->open_train = train;
    }
    uint8_t *head = train->bytes + train->size;
    memset(head, 0, HEAD);
    memcpy(head + 8, &(uint64_t){++plane->sent_counter}, 8);
    train->size += size;
    train->count++;
    return head + HEAD;
}

void plane_close_train(struct plane *plane) {
    struct train *train = plane->open_train;
    if (train == NULL) {
        return;
    }
    plane->open_train = NULL;
    plane->ready_trains[plane->ready_train_count++] = (unsigned)(train - plane->trains);
    plane->counters.trains++;
    plane->counters.datagrams += train->count;
    train->part = (struct iovec){train->bytes, train->size};
    train->message = (struct msghdr){.msg_name = &plane->remote,
                                     .msg_namelen = sizeof plane->remote,
                                     .msg_iov = &train->part,
                                     .msg_iovlen = 1};
    if (train->count > 1) {
        uint16_t segment = (uint16_t)train->segment;
        train->message.msg_control = train->control.bytes;
        train->message.msg_controllen = CMSG_SPACE(sizeof segment);
        struct cmsghdr *control = CMSG_FIRSTHDR(&train->message);
        control->cmsg_level = IPPROTO_UDP;
        control->cmsg_type = UDP_SEGMENT;
        control->cmsg_len = CMSG_LEN(sizeof segment);
        memcpy(CMSG_DATA(control), &segment, sizeof segment);
    }
}

bool plane_may_leave(const struct plane *plane) {
    return plane->free_train_count >= TRAINS_A_FRAME;
}

void plane_leave(struct plane *plane, const uint8_t *frame, size_t size) {
    struct virtio_net_hdr virtio;
    const uint8_t *packet = frame + VIRTIO;
    uint8_t *to;
    plane->counters.frames++;
    if (size <= VIRTIO + 20) {
        plane->counters.dropped++;
        return;
    }
    memcpy(&virtio, frame, VIRTIO);
    size -= VIRTIO;
    if (virtio.gso_type == VIRTIO_NET_HDR_GSO_NONE) {
        to = add_datagram(plane, size);
        if (to != NULL) {
            memcpy(to, packet, size);
        }
        return;
    }
    size_t tcp_at = (packet[0] & 0xfU) * 4;
    size_t header = tcp_at + 20 <= size ? tcp_at + (packet[tcp_at + 12] >> 4) * 4U : size;
    if (virtio.gso_type != VIRTIO_NET_HDR_GSO_TCPV4 || header >= size || virtio.gso_size == 0) {
        plane->counters.dropped++;
        return;
    }
    uint32_t sequence = load_be32(packet + tcp_at + 4);
    uint16_t id = load_be16(packet + 4);
    for (size_t at = header; at < size; at += virtio.gso_size, id++) {
        bool is_last = size - at <= virtio.gso_size;
        size_t payload = is_last ? size - at : virtio.gso_size;
        to = add_datagram(plane, header + payload);
        if (to == NULL) {
            return;
        }
        memcpy(to, packet, header);
        memcpy(to + header, packet + at, payload);
        store_be16(to + 2, header + payload);
        store_be16(to + 4, id);
        store_be32(to + tcp_at + 4, sequence + (uint32_t)(at - header));
        to[tcp_at + 13] &= (uint8_t)(is_last ? 0xff : ~0x09); /* FIN and PSH on the last only */
    }
}

/* ---- and from the network to the TUN device ---- */

/* Returns the size of the IP and TCP or UDP headers if the packet may be joined, else 0. */
static size_t joinable_header(const uint8_t *packet, size_t size) {
    if (size < 28 || packet[0] != 0x45 || load_be16(packet + 2) != size ||
        (load_be16(packet + 6) & 0x3fff) != 0) {
        return 0;
    }
    size_t header = 0;
    if (packet[9] == IPPROTO_UDP) {
        header = 28;
    } else if (packet[9] == IPPROTO_TCP && size >= 40 && (packet[33] & ~0x18) == 0) {
        header = 20 + (packet[32] >> 4) * 4U; /* only ACK and PSH are set */
    }
    return header < size ? header : 0;
}

static bool continues(const struct write *write, const uint8_t *packet, size_t header,
                      size_t payload) {
    const uint8_t *first = write->packet;
    if (write->is_full || header != write->header_size || payload > write->segment ||
        first[9] != packet[9] || first[1] != packet[1] ||
        memcmp(first + 12, packet + 12, 12) != 0 ||
        write->header_size + write->payload + payload > UINT16_MAX) {
        return false;
    }
    return packet[9] == IPPROTO_UDP ||
           (load_be32(first + 24) + (uint32_t)write->payload == load_be32(packet + 24) &&
            memcmp(first + 28, packet + 28, 4) == 0 &&
            memcmp(first + 40, packet + 40, header - 40) == 0);
}

static void note_buffer(struct write *write, int buffer) {
    if (write->buffer_count == 0 || write->buffers[write->buffer_count - 1] != buffer) {
        write->buffers[write->buffer_count++] = buffer;
    }
}

/* Adds one packet to the open write, or begins a new one with it. HEAD bytes before the packet are
 * free. */
static void add_packet(struct plane *plane, uint8_t *packet, size_t size, int buffer) {
    size_t header = joinable_header(packet, size), payload = size - header;
    struct write *write = plane->open_write;
    bool is_last = header != 0 && packet[9] == IPPROTO_TCP && (packet[33] & 0x08) != 0;
    if (write != NULL && header != 0 && continues(write, packet, header, payload)) {
        write->parts[write->part_count++] = (struct iovec){packet + header, payload};
        write->payload += payload;
        if (is_last) {
            write->packet[33] |= 0x08;
        }
        write->is_full = is_last || payload < write->segment || write->part_count == SEGMENTS_MAX;
        note_buffer(write, buffer);
        return;
    }
    plane_close_write(plane);
    write = &plane->writes[plane->free_writes[--plane->free_write_count]];
    write->packet = packet;
    write->parts[0] = (struct iovec){packet - VIRTIO, VIRTIO + size};
    write->part_count = 1;
    write->header_size = header;
    write->segment = write->payload = payload;
    write->is_full = header == 0 || is_last;
    write->buffer_count = 0;
    note_buffer(write, buffer);
    plane->open_write = write;
}

static uint32_t sum16(const uint8_t *bytes, size_t size) {
    uint32_t sum = 0;
    for (size_t i = 0; i < size; i += 2) {
        sum += load_be16(bytes + i);
    }
    return sum;
}

static uint16_t fold(uint32_t sum) {
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)(sum + (sum >> 16));
}

void plane_close_write(struct plane *plane) {
    struct write *write = plane->open_write;
    if (write == NULL) {
        return;
    }
    plane->open_write = NULL;
    plane->ready_writes[plane->ready_write_count++] = (unsigned)(write - plane->writes);
    plane->counters.writes++;
    struct virtio_net_hdr virtio = {0};
    uint8_t *packet = write->packet;
    bool is_tcp = packet[9] == IPPROTO_TCP;
    if (write->part_count > 1) {
        size_t transport = write->header_size - 20 + write->payload;
        store_be16(packet + 2, 20 + transport);
        if (!is_tcp) {
            store_be16(packet + 24, transport);
        }
        virtio.gso_type = is_tcp ? VIRTIO_NET_HDR_GSO_TCPV4 : GSO_UDP_L4;
        virtio.gso_size = (uint16_t)write->segment;
        virtio.hdr_len = (uint16_t)write->header_size;
    }
    bool is_udp = packet[9] == IPPROTO_UDP;
    if (packet[0] == 0x45 && (is_tcp || is_udp) && (load_be16(packet + 6) & 0x3fff) == 0) {
        /* The host takes "still to be computed" for good. */
        virtio.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
        virtio.csum_start = 20;
        virtio.csum_offset = is_tcp ? 16 : 6;
        store_be16(packet + 20 + virtio.csum_offset,
                   fold(sum16(packet + 12, 8) + packet[9] + load_be16(packet + 2) - 20));
    }
    if (packet[0] == 0x45) {
        store_be16(packet + 10, 0);
        store_be16(packet + 10, (uint16_t)~fold(sum16(packet, 20)));
    }
    memcpy(packet - VIRTIO, &virtio, VIRTIO);
}

bool plane_may_arrive(const struct plane *plane) {
    return plane->free_write_count >= WRITES_A_BUFFER;
}

void plane_arrive(struct plane *plane, const struct arrived *arrived) {
    size_t segment = arrived->segment == 0 ? arrived->size : arrived->segment;
    plane->counters.receives++;
    for (size_t at = 0; at < arrived->size; at += segment) {
        size_t size = arrived->size - at < segment ? arrived->size - at : segment;
        uint8_t *datagram = arrived->bytes + at;
        uint64_t counter;
        if (size < HEAD + TAG + 20 || plane->free_write_count == 0) {
            plane->counters.dropped++;
            continue;
        }
        memcpy(&counter, datagram + 8, 8);
        plane->counters.reordered += counter < plane->seen_counter;
        plane->seen_counter = counter;
        add_packet(plane, datagram + HEAD, size - HEAD - TAG, arrived->buffer);
    }
}
