/* SPDX-License-Identifier: Apache-2.0 */
/* The header that a TUN device puts before each packet when it passes large packets whole: what is
 * left to do for whoever cuts the packet up. Source: Virtual I/O Device 1.1, section 5.1.6; Linux
 * uapi/linux/virtio_net.h (legacy layout, native byte order, 10 bytes). */
#pragma once
#include "base/base.h"

enum { WRN_VIRTIO_SIZE = 10 };

/* Bits of 'flags'. */
enum { WRN_VIRTIO_NEEDS_CHECKSUM = 1, WRN_VIRTIO_CHECKSUM_VALID = 2 };

/* Values of 'gso_type'. */
enum {
    WRN_VIRTIO_GSO_NONE = 0,
    WRN_VIRTIO_GSO_TCP4 = 1,
    WRN_VIRTIO_GSO_TCP6 = 4,
    WRN_VIRTIO_GSO_UDP = 5,    /* one datagram each segment: USO ("UDP_L4") */
    WRN_VIRTIO_GSO_ECN = 0x80, /* with TCP: the first segment alone carries CWR */
};

struct wrn_virtio {
    uint8_t flags;
    uint8_t gso_type;
    uint16_t header_size;     /* bytes before the payload; a hint, not to be trusted */
    uint16_t gso_size;        /* payload bytes of each segment but the last */
    uint16_t checksum_start;  /* NEEDS_CHECKSUM: sum from here to the end of the packet … */
    uint16_t checksum_offset; /* … into the 16 bits at checksum_start + checksum_offset, which hold
                               * the sum of the pseudo header already */
};

/* Reads and writes the wire form. Any bytes can be read; whether they make sense with a packet is
 * wrn_split_begin's business. */
void wrn_virtio_read(const uint8_t bytes[WRN_VIRTIO_SIZE], struct wrn_virtio *ret_header);
void wrn_virtio_write(const struct wrn_virtio *header, uint8_t ret_bytes[WRN_VIRTIO_SIZE]);
