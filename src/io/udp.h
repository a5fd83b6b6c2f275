/* SPDX-License-Identifier: Apache-2.0 */
/* The two UDP sockets (IPv4 and IPv6) behind one port: datagrams in batches, each with the
 * addresses of both ends and its DS field. Looks into no datagram. */
#pragma once
#include "base/address.h"

enum { WRN_UDP_BATCH_MAX = 128 }; /* datagrams a call */

struct wrn_udp {
    int fd4; /* -1: the machine has no IPv4, or closed */
    int fd6;
    uint16_t port; /* host byte order */
    uint32_t mark; /* firewall mark on what we send, 0: none */
};

/* Sockets that are not there. */
#define WRN_UDP_NONE ((struct wrn_udp){.fd4 = -1, .fd6 = -1})

/* Room for the system calls' arguments, about 50 kB; made once. */
struct wrn_udp_scratch;

/* One datagram that came in. */
struct wrn_udp_received {
    uint8_t *bytes; /* in: where to */
    size_t size;    /* in: room there; out: bytes of the payload */
    struct wrn_path path;
    uint8_t ecn;    /* of the outer header */
    bool truncated; /* it was larger than the room: useless */
};

/* One datagram to send. */
struct wrn_udp_sending {
    const uint8_t *bytes;
    size_t size;
    struct wrn_path path;
    uint8_t ds;          /* whole DS field of the outer header */
    bool source_refused; /* out: went (or failed) without path.local, which is ours no more */
    int error;           /* out: 0, or the -errno with which the kernel refused it */
};

/* Makes the scratch room, to be freed with free(). Returns 0 or -ENOMEM. */
WRN_NODISCARD int wrn_udp_scratch_create(struct wrn_udp_scratch **ret_scratch);

/* Opens both sockets on 'port', or on one that is free for both families if it is 0, and marks
 * them. A family that the machine does not have is left out. Returns 0, or -EADDRINUSE, -EACCES (a
 * port below 1024), -EPERM (the mark needs CAP_NET_ADMIN), -EAFNOSUPPORT (neither family), or
 * another -errno. */
WRN_NODISCARD int wrn_udp_open(uint16_t port, uint32_t mark, struct wrn_udp *ret_udp);

/* Closes them. Closed ones are fine. */
void wrn_udp_close(struct wrn_udp *udp);

/* Changes the mark. Returns 0 or -EPERM, then the old one stays. */
WRN_NODISCARD int wrn_udp_set_mark(struct wrn_udp *udp, uint32_t mark);

/* Reads what waits in one socket, at most 'count' (1..WRN_UDP_BATCH_MAX). Returns how many came. */
size_t wrn_udp_receive(int fd, struct wrn_udp_scratch *scratch, struct wrn_udp_received *batch,
                       size_t count);

/* Sends 'count' (1..WRN_UDP_BATCH_MAX) datagrams, one system call a family unless the kernel
 * refuses some. Waits at most 10 ms where the socket's buffer is full. What the kernel refuses
 * because of its source address is sent again without one. The outcome stands in 'batch'. */
void wrn_udp_send(const struct wrn_udp *udp, struct wrn_udp_scratch *scratch,
                  struct wrn_udp_sending *batch, size_t count);
