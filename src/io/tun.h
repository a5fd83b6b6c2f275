/* SPDX-License-Identifier: Apache-2.0 */
/* A TUN device with one or several queues: IP packets to and from the host, large ones and such
 * without checksum too where both sides can; or a TAP device, the same with Ethernet frames. Looks
 * into no packet. */
#pragma once
#include <sys/types.h>
#include <sys/uio.h>
#include "base/base.h"

enum {
    WRN_TUN_NAME_SIZE = 16,     /* with the terminating zero: the kernel's IFNAMSIZ */
    WRN_TUN_MTU_DEFAULT = 1420, /* what is left of 1500 bytes on an IPv6 underlay */
    WRN_TUN_TAP_MTU = 16362, /* with header and two tags the largest frame that a tunnel carries */
    WRN_TUN_QUEUE_LENGTH = 4096, /* packets that wait in a queue for us; see tun.c */
    WRN_TUN_QUEUES_MAX = 64,
    WRN_TUN_PARTS_MAX = 256, /* of one packet that is written or read, with the header's */
    WRN_TUN_HEADER_SIZE = 10,
    WRN_TUN_FRAME_MAX = 65535 + 22, /* bytes of a large frame of a TAP device: header, two tags */
};

/* What the host may hand over, or take, unfinished. Bits. */
enum {
    WRN_TUN_CHECKSUM = 1 << 0, /* the others need it */
    WRN_TUN_TSO4 = 1 << 1, /* TCP packets of up to 64 KiB, with CWR in the first segment alone */
    WRN_TUN_TSO6 = 1 << 2,
    WRN_TUN_USO = 1 << 3, /* UDP likewise, both families (Linux 6.2) */
    WRN_TUN_OFFLOADS_ALL = 15,
};

/* One queue of a device. Each may be read and written by a thread of its own. */
struct wrn_tun {
    int fd;             /* non-blocking, close-on-exec; the device vanishes with its last queue */
    uint32_t vnet_size; /* bytes of the offload header before each packet (10..24); 0: none */
    uint32_t offloads;  /* WRN_TUN_*: what the host may hand over now */
    bool multi_queue;   /* more queues can be added */
};

/* A device that is not there: for initialisation and after close. */
#define WRN_TUN_NONE ((struct wrn_tun){.fd = -1})

/* Says what is wrong with 'name' as the name of a new interface: static text; NULL if it is fine.
 * */
const char *wrn_tun_name_problem(const char *name);

/* Makes the device 'name' (checked with wrn_tun_name_problem) with the default MTU, down, or
 * takes a persistent one of that name that nobody uses, as it was prepared. It takes several
 * queues and has the offload header where the kernel can; offloads are off. Its queue for
 * packets to us is made WRN_TUN_QUEUE_LENGTH long unless somebody chose a length. Returns 0, or
 * -ENOENT, -ENODEV or -ENXIO (no /dev/net/tun, no driver behind it), -EACCES or -EPERM (no
 * privilege), -EBUSY (another program holds it), -EEXIST (an interface of another kind has that
 * name), or another -errno. */
WRN_NODISCARD int wrn_tun_create(const char *name, struct wrn_tun *ret_tun);

/* The same for a TAP device, with an MTU that keeps no frame from us: what the host may send is the
 * business of the bridge of which the device is a port. */
WRN_NODISCARD int wrn_tun_create_tap(const char *name, struct wrn_tun *ret_tun);

/* Takes over an open TUN descriptor, which belongs to the device from here on, also if this fails.
 * Switches its offloads off and gives it the default MTU and queue length if it still has the
 * kernel's. Returns 0, or -EBADF (not a descriptor of a TUN device), -EPROTOTYPE (a TAP device, or
 * one with a packet-information header), or -errno. */
WRN_NODISCARD int wrn_tun_adopt(int fd, struct wrn_tun *ret_tun);

/* Adds a queue to the device of 'tun', wherever that is now, with the same header and offloads.
 * Which packets come there io/steering.h decides. Without it the kernel's own rule holds: a flow
 * moves to the queue through which its answers were written last, so that packets around that
 * moment may be read in another order. May take the calling thread to another network namespace and
 * back. Returns 0, -EOPNOTSUPP (single-queue device),
 * -E2BIG (it has as many as the kernel allows), -ENODEV (it was deleted, or is where we have no
 * access), or -errno. */
WRN_NODISCARD int wrn_tun_add_queue(const struct wrn_tun *tun, struct wrn_tun *ret_queue);

/* Lets the host hand over what 'wanted' (WRN_TUN_*) says, as far as the kernel has it and the
 * device has a header: without CHECKSUM nothing. It holds for all queues from now on, also
 * live, but packets that already wait stay as they are. Sets and returns tun->offloads, which
 * are to be copied to the other queues. */
uint32_t wrn_tun_set_offloads(struct wrn_tun *tun, uint32_t wanted);

/* Closes the queue, and with the last one the device. One without descriptor is fine. */
void wrn_tun_close(struct wrn_tun *tun);

/* Finds the name that the device has now. Returns 0, or -ENODEV once it was deleted. */
WRN_NODISCARD int wrn_tun_name(const struct wrn_tun *tun, char ret_name[WRN_TUN_NAME_SIZE]);

/* Reads one packet into parts[1..count-1] (count 2..WRN_TUN_PARTS_MAX); parts[0] is overwritten, it
 * serves the header. Returns the packet's bytes (> 0) with 'ret_header' (all zero on a device
 * without header), 0 if nothing waits, or -ENODEV once the device was deleted. A packet larger than
 * its room is cut; none has more than 65,535 bytes, a frame WRN_TUN_FRAME_MAX. */
WRN_NODISCARD ssize_t wrn_tun_read(const struct wrn_tun *tun, struct iovec *parts, size_t count,
                                   uint8_t ret_header[WRN_TUN_HEADER_SIZE]);

/* Hands one packet to the host: parts[1..count-1] in order (count 2..WRN_TUN_PARTS_MAX); parts[0]
 * is overwritten. 'header' (WRN_TUN_HEADER_SIZE bytes) says what is left to do, NULL: nothing.
 * Returns 0, -ENODEV once the device was deleted, -EOPNOTSUPP if something is left to do and the
 * device has no header, or another -errno with which the kernel refused the packet (-EIO: the
 * interface is down, -EINVAL: header or packet make no sense to it …). */
WRN_NODISCARD int wrn_tun_write(const struct wrn_tun *tun, struct iovec *parts, size_t count,
                                const uint8_t *header);
