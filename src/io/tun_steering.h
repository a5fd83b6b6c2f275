/* SPDX-License-Identifier: Apache-2.0 */
/* Which queue of a TUN device a packet of the host goes to: a small program for the kernel. */
#pragma once
#include "base/base.h"

/* Makes the device of the TUN descriptor 'fd' choose queues by a hash of addresses, protocol and
 * ports (addresses and protocol alone for fragments), so that a flow keeps its queue as long as the
 * number of queues stays the same. Returns whether the kernel took it; else its own rule stays. To
 * be called once a device; the program lives as long as that. Source: Linux 4.16,
 * TUNSETSTEERINGEBPF; needs CAP_BPF or CAP_SYS_ADMIN where bpf(2) is closed to others. */
bool wrn_tun_steer(int fd);
