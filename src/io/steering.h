/* SPDX-License-Identifier: Apache-2.0 */
/* Which queue of a TUN device, and which socket of a group, packets go to: small programs for the
 * kernel that look into one table. Knows nothing of who serves them. */
#pragma once
#include "base/base.h"

enum { WRN_STEERING_MAX = 64 }; /* queues, or sockets of a group */

/* The table and the programs. They live on in devices and groups when this is closed. */
struct wrn_steering {
    int table_fd;
    int device_fd;  /* TUN devices */
    int bridged_fd; /* TAP devices */
    int group_fd;
};

/* What is not there: for initialisation, after a failure and after close. */
#define WRN_STEERING_NONE ((struct wrn_steering){-1, -1, -1, -1})

/* Makes them; the table leads all flows to number 0. Returns 0, or -EPERM (bpf(2) is closed to us:
 * it wants CAP_BPF or CAP_SYS_ADMIN), or another -errno of a kernel without it. */
WRN_NODISCARD int wrn_steering_open(struct wrn_steering *ret_steering);

/* Closes them. Closed ones are fine. */
void wrn_steering_close(struct wrn_steering *steering);

/* Has the table choose the queues of the TUN or TAP device of the descriptor 'fd', in the order in
 * which they were attached, for packets of the host: by a hash of addresses, protocol and ports,
 * and by addresses and protocol alone for fragments. Returns 0 or -errno. Source: Linux 4.16,
 * TUNSETSTEERINGEBPF. */
WRN_NODISCARD int wrn_steering_lead_device(const struct wrn_steering *steering, int fd);

/* Has it choose the socket of the SO_REUSEPORT group of 'fd', in the order in which they were
 * bound. Returns 0 or -errno. Source: Linux 4.5, SO_ATTACH_REUSEPORT_EBPF. */
WRN_NODISCARD int wrn_steering_lead_group(const struct wrn_steering *steering, int fd);

/* Spreads flows evenly over the numbers 0..count-1 (count 1..WRN_STEERING_MAX). Each flow changes
 * its number once or not at all: where 'count' grows, from an old number to a new one, and where it
 * shrinks, from one that is left to one that stays. Returns 0 or -errno, then nothing changed. */
WRN_NODISCARD int wrn_steering_spread(const struct wrn_steering *steering, uint32_t count);
