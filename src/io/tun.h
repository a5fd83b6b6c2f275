/* SPDX-License-Identifier: Apache-2.0 */
/* A TUN device: IP packets to and from the host, in batches. Looks into no packet. */
#pragma once
#include <sys/uio.h>
#include "base/base.h"

enum {
    WRN_TUN_BATCH_MAX = 128,    /* packets a call */
    WRN_TUN_NAME_SIZE = 16,     /* with the terminating zero: the kernel's IFNAMSIZ */
    WRN_TUN_MTU_DEFAULT = 1420, /* what is left of 1500 bytes on an IPv6 underlay */
};

struct wrn_tun {
    int fd;             /* non-blocking, close-on-exec; the device vanishes with it */
    uint32_t vnet_size; /* bytes of the offload header before each packet; 0: none */
};

/* A device that is not there: for initialisation and after close. */
#define WRN_TUN_NONE ((struct wrn_tun){.fd = -1, .vnet_size = 0})

/* Says what is wrong with 'name' as the name of a new interface: static text; NULL if it is fine.
 * */
const char *wrn_tun_name_problem(const char *name);

/* Makes the device 'name' (checked with wrn_tun_name_problem) with the default MTU, down, or takes
 * a persistent one of that name that nobody uses. Returns 0, or -ENOENT, -ENODEV or -ENXIO (no
 * /dev/net/tun, no driver behind it), -EACCES or -EPERM (no privilege), -EBUSY (another program
 * holds it), -EEXIST (an interface of another kind has that name), or another -errno. */
WRN_NODISCARD int wrn_tun_create(const char *name, struct wrn_tun *ret_tun);

/* Takes over an open TUN descriptor, which belongs to the device from here on, also if this fails.
 * Gives it the default MTU if it still has the kernel's 1500. Returns 0, or -EBADF (not a
 * descriptor of a TUN device), -EPROTOTYPE (a TAP device, or one with a packet-information header),
 * or -errno. */
WRN_NODISCARD int wrn_tun_adopt(int fd, struct wrn_tun *ret_tun);

/* Closes the device. One without descriptor is fine. */
void wrn_tun_close(struct wrn_tun *tun);

/* Finds the name that the device has now. Returns 0, or -ENODEV once it was deleted. */
WRN_NODISCARD int wrn_tun_name(const struct wrn_tun *tun, char ret_name[WRN_TUN_NAME_SIZE]);

/* Reads what waits, at most 'count' (1..WRN_TUN_BATCH_MAX) packets: 'packets' says where to and how
 * much room there is, and then how long each is. A packet larger than its room is cut. Returns 0
 * and sets
 * 'ret_count' (less than 'count': nothing is left for now), or -ENODEV once the device was deleted.
 * */
WRN_NODISCARD int wrn_tun_read(const struct wrn_tun *tun, struct iovec *packets, size_t count,
                               size_t *ret_count);

/* Hands 'count' packets to the host. Returns 0 and sets 'ret_refused' to how many it would not take
 * (the interface is down, or a packet makes no sense), or -ENODEV once the device was deleted. */
WRN_NODISCARD int wrn_tun_write(const struct wrn_tun *tun, const struct iovec *packets,
                                size_t count, size_t *ret_refused);
