/* SPDX-License-Identifier: Apache-2.0 */
/* The wire form of the header before each packet of a TUN device. Judges nothing. */
#include "packet/virtio.h"

/* Offsets of the 16-bit fields, in the machine's byte order. */
enum { HEADER_SIZE = 2, GSO_SIZE = 4, CHECKSUM_START = 6, CHECKSUM_OFFSET = 8 };

void wrn_virtio_read(const uint8_t bytes[WRN_VIRTIO_SIZE], struct wrn_virtio *ret_header) {
    ret_header->flags = bytes[0];
    ret_header->gso_type = bytes[1];
    memcpy(&ret_header->header_size, bytes + HEADER_SIZE, 2);
    memcpy(&ret_header->gso_size, bytes + GSO_SIZE, 2);
    memcpy(&ret_header->checksum_start, bytes + CHECKSUM_START, 2);
    memcpy(&ret_header->checksum_offset, bytes + CHECKSUM_OFFSET, 2);
}

void wrn_virtio_write(const struct wrn_virtio *header, uint8_t ret_bytes[WRN_VIRTIO_SIZE]) {
    ret_bytes[0] = header->flags;
    ret_bytes[1] = header->gso_type;
    memcpy(ret_bytes + HEADER_SIZE, &header->header_size, 2);
    memcpy(ret_bytes + GSO_SIZE, &header->gso_size, 2);
    memcpy(ret_bytes + CHECKSUM_START, &header->checksum_start, 2);
    memcpy(ret_bytes + CHECKSUM_OFFSET, &header->checksum_offset, 2);
}
