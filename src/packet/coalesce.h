/* SPDX-License-Identifier: Apache-2.0 */
/* Joins packets that arrived one after another into large ones for the host (what GRO does), only
 * where cutting them up again would give the same packets: same flow and headers, sequence without
 * gap, equal sizes but for the last, valid checksums, ECN and IP id rules kept. Order within a flow
 * never changes. Pure: no I/O, no allocation. Nothing is copied: the result is a list of parts. */
#pragma once
#include <sys/uio.h>
#include "packet/virtio.h"

enum {
    WRN_COALESCE_MAX = 128,        /* packets a call */
    WRN_COALESCE_SIZE_MAX = 65535, /* bytes of a joined packet, as an IPv4 length has it */
};

/* What may be joined: what the host's device takes. */
enum {
    WRN_COALESCE_TCP4 = 1 << 0,
    WRN_COALESCE_TCP6 = 1 << 1,
    WRN_COALESCE_UDP = 1 << 2, /* both families */
    WRN_COALESCE_ALL = 7,
};

/* One packet for the host. */
struct wrn_coalesced {
    uint8_t header[WRN_VIRTIO_SIZE];
    uint16_t first_part;   /* index in 'parts' */
    uint16_t part_count;   /* first the (changed) first packet, then payloads of the others */
    uint16_t packet_count; /* how many of the caller's packets it holds */
};

struct wrn_coalescer {
    struct wrn_coalesced out[WRN_COALESCE_MAX];
    uint32_t count; /* of 'out' */
    /* Of each out a free entry comes before its parts, for the header, so that all from
     * parts[first_part - 1] can be written in one call. */
    struct iovec parts[2 * WRN_COALESCE_MAX];
    /* private: per-packet state, enough to undo */
    struct wrn_coalesce_item {
        uint8_t *bytes;
        uint32_t size;
        uint32_t next_of_joined; /* index of the next packet in the same out, UINT32_MAX: last */
        uint16_t header_size;    /* bytes that later packets in an out do without */
        uint8_t link_size;       /* bytes of a frame's link header */
        uint8_t saved[8];        /* bytes of the first packet's headers that joining changed */
    } items[WRN_COALESCE_MAX];
    uint32_t first_item[WRN_COALESCE_MAX]; /* of each out */
};

/* Joins what can be joined of 'count' (0..WRN_COALESCE_MAX) IP packets, in order; 'allowed' is an
 * OR of WRN_COALESCE_*. Changes headers of first packets in place; the packets must stay where they
 * are until the result was used. The packets may be anything: what is not understood stays alone
 * and untouched, with an all-zero header. An out stands where its first packet stood. */
void wrn_coalesce(struct wrn_coalescer *coalescer, const struct iovec *packets, size_t count,
                  uint32_t allowed);

/* The same with Ethernet frames: packets behind equal link headers (14 bytes, or 18 or 22 with
 * tags) are joined behind one. */
void wrn_coalesce_frames(struct wrn_coalescer *coalescer, const struct iovec *frames, size_t count,
                         uint32_t allowed);

/* Takes out 'index' apart again, because the host refused it: restores its packets and lists them
 * in 'ret_packets' (room for WRN_COALESCE_MAX), in order. Returns how many. */
size_t wrn_coalesce_undo(struct wrn_coalescer *coalescer, uint32_t index,
                         struct iovec *ret_packets);
