/* SPDX-License-Identifier: Apache-2.0 */
/* Cuts what the host hands over in one piece (TSO, USO) into the packets that it stands for, with
 * all checksums, lengths, sequence numbers and flags as the host's own stack would have sent them
 * one by one. Pure: no I/O, no allocation. */
#pragma once
#include "packet/checksum.h"
#include "packet/virtio.h"

/* A packet on its way to be cut up. Borrows the packet's bytes. */
struct wrn_split {
    const uint8_t *packet;
    size_t size;
    uint32_t count; /* segments, 1..65,535; 1: the packet itself, checksum already filled in */
    uint32_t header_size; /* bytes that each segment repeats: IP and TCP or UDP headers */
    uint32_t mss;         /* payload bytes of each segment but the last */
    /* private */
    uint16_t l4_at; /* offset of the TCP or UDP header */
    uint8_t kind;   /* enum wrn_virtio gso type without ECN */
    bool is_v6;
    wrn_sum ip_sum;     /* of what all segments have in common: of the IPv4 header … */
    wrn_sum l4_sum;     /* … and of the upper header and the pseudo header */
    uint32_t link_size; /* bytes of a frame's link header, before 'packet' */
};

/* Checks header and packet against one another and prepares. A packet that needs no cutting gets
 * its checksum filled in, in place. Returns 0, or WRN_ERR_MALFORMED if they do not fit one another
 * (a length, an offset, a protocol, a gso_size of 0 or an unknown type): then the packet is to be
 * dropped and counted. Never reads outside 'packet'. */
WRN_NODISCARD int wrn_split_begin(struct wrn_split *split, const struct wrn_virtio *header,
                                  uint8_t *packet, size_t size);

/* Returns the bytes of segment 'index' (0..count-1). */
size_t wrn_split_size(const struct wrn_split *split, uint32_t index);

/* Writes segment 'index' of a packet with count > 1 to 'out' (wrn_split_size bytes, not overlapping
 * the packet): IPv4 total length, id (first + index) and header checksum, or IPv6 payload length;
 * TCP sequence, FIN and PSH on the last only, CWR on the first only; UDP length; all
 * checksums. */
void wrn_split_write(const struct wrn_split *split, uint32_t index, uint8_t *out);

/* ---- the same with Ethernet frames, whose link header (14 bytes, or 18 or 22 with tags) each
 * segment repeats; where these were begun so. The virtio header's offsets are the frame's. ---- */

/* As wrn_split_begin. A frame that is to be cut up and holds no IP packet is malformed, too. */
WRN_NODISCARD int wrn_split_begin_frame(struct wrn_split *split, const struct wrn_virtio *header,
                                        uint8_t *frame, size_t size);

/* As wrn_split_size and wrn_split_write; a packet that was not begun as a frame has no link header.
 */
size_t wrn_split_frame_size(const struct wrn_split *split, uint32_t index);
void wrn_split_write_frame(const struct wrn_split *split, uint32_t index, uint8_t *out);
