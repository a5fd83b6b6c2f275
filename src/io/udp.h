/* SPDX-License-Identifier: Apache-2.0 */
/* UDP sockets (IPv4 and IPv6) behind one port, alone or as a group of such pairs: datagrams in
 * batches, each with the addresses of both ends and its DS field, runs of them as one message where
 * the kernel can. Looks into no datagram. */
#pragma once
#include "base/address.h"
#include "io/steering.h"

enum {
    WRN_UDP_BATCH_MAX = 128,     /* datagrams a send call, messages a receive call */
    WRN_UDP_SEGMENTS_MAX = 64,   /* datagrams a message: what every kernel with UDP_SEGMENT takes */
    WRN_UDP_MESSAGE_MAX = 65000, /* bytes of a message: with IPv4 the kernel's limit is 65,507 */
};

/* Bits: what the kernel does for many datagrams at once. */
enum {
    WRN_UDP_GSO = 1 << 0, /* cutting up what we send (UDP_SEGMENT) */
    WRN_UDP_GRO = 1 << 1, /* joining what we receive (UDP_GRO) */
    WRN_UDP_OFFLOADS_ALL = 3,
};

struct wrn_udp {
    int fd4; /* -1: the machine has no IPv4, or closed */
    int fd6;
    uint16_t port; /* host byte order */
    uint32_t mark; /* firewall mark on what we send, 0: none */
    /* WRN_UDP_*: in use. wrn_udp_send takes GSO out of it when the kernel refuses it. */
    uint32_t offloads;
    bool untold; /* GRO was on, and is off: see wrn_udp_set_offloads */
};

/* Sockets that are not there. */
#define WRN_UDP_NONE ((struct wrn_udp){.fd4 = -1, .fd6 = -1})

/* Room for the system calls' arguments, about 60 kB of which as much becomes resident as the
 * batches are long; made once a thread. Remembers where large messages were refused. */
struct wrn_udp_scratch;

/* Datagrams of one sender that came in as one message: a single one without GRO. */
struct wrn_udp_received {
    uint8_t *bytes;      /* in: where to */
    size_t size;         /* in: room there, 65,535 bytes with GRO; out: bytes of all datagrams */
    size_t segment_size; /* out: bytes of each but the last; = size if there is only one */
    struct wrn_path path;
    uint8_t ecn;    /* of the outer headers */
    bool truncated; /* larger than the room: useless */
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
 * them; offloads are off. No other program can have the port beside us, not with SO_REUSEPORT
 * either. A family that the machine does not have is left out. Returns 0, or -EADDRINUSE, -EACCES
 * (a port below 1024), -EPERM (the mark needs CAP_NET_ADMIN), -EAFNOSUPPORT (neither family), or
 * another -errno. */
WRN_NODISCARD int wrn_udp_open(uint16_t port, uint32_t mark, struct wrn_udp *ret_udp);

/* Opens another pair of sockets on the port of 'first', in one SO_REUSEPORT group with it, with the
 * same mark and offloads; all datagrams go to the first pair until wrn_udp_spread. Families that
 * 'first' lacks are left out. From here on a program of the same user could join as well if it sets
 * SO_REUSEPORT before it binds; without it, or as another user, it gets EADDRINUSE. Returns 0 or
 * -errno. */
WRN_NODISCARD int wrn_udp_join(const struct wrn_udp *first, struct wrn_udp *ret_udp);

/* Lets the kernel spread flows (both ends' addresses and ports) over the group of 'first' as
 * 'steering' says; where there is none (WRN_STEERING_NONE) or the kernel does not take it, by a
 * hash of its own, and then flows move whenever a pair joins. */
void wrn_udp_spread(const struct wrn_udp *first, const struct wrn_steering *steering);

/* Closes them. Closed ones are fine. */
void wrn_udp_close(struct wrn_udp *udp);

/* Changes the mark. Returns 0 or -EPERM, then the old one stays. */
WRN_NODISCARD int wrn_udp_set_mark(struct wrn_udp *udp, uint32_t mark);

/* Switches GRO of the sockets and the use of GSO on or off as 'wanted' (WRN_UDP_*) says, as far as
 * the kernel has them; at any time. To be called for each pair of a group. When GRO goes off, the
 * kernel no longer tells the size of the datagrams in what it has joined already and still hands
 * over, as if it were one datagram: 'untold' says that this may come. Returns and sets
 * udp->offloads. */
uint32_t wrn_udp_set_offloads(struct wrn_udp *udp, uint32_t wanted);

/* Reads what waits in one socket, at most 'count' (1..WRN_UDP_BATCH_MAX) messages. Returns how many
 * came. A message holds datagrams of one flow and one DS field only. */
size_t wrn_udp_receive(int fd, struct wrn_udp_scratch *scratch, struct wrn_udp_received *batch,
                       size_t count);

/* Says whether what is sent from here on by these sockets, from whatever thread, may be fragmented,
 * here and on the way, as they begin ('is_whole' false), or is refused (-EMSGSIZE) or lost instead,
 * whatever the kernel believes of the path. Source: ip(7), IP_PMTUDISC_PROBE. */
void wrn_udp_set_whole(const struct wrn_udp *udp, bool is_whole);

/* Sends 'count' (1..WRN_UDP_BATCH_MAX) datagrams, one system call a family unless the kernel
 * refuses some. Waits at most 10 ms where the socket's buffer is full. What the kernel refuses
 * because of its source address is sent again without one. The outcome stands in 'batch'.
 *
 * With GSO, neighbours in 'batch' with the same path, DS field and size (the last of a run may be
 * smaller) travel as one message; they need not be neighbours in memory. A message that is refused
 * is sent again as single datagrams, in order, none lost or doubled. Where only its datagrams were
 * too large for the route, they are sent singly to that address for a while; if it is the offload
 * as such that is refused and the single datagrams pass, GSO is taken out of udp->offloads. */
void wrn_udp_send(struct wrn_udp *udp, struct wrn_udp_scratch *scratch,
                  struct wrn_udp_sending *batch, size_t count);
