/* SPDX-License-Identifier: Apache-2.0 */
/* What rtnetlink knows of an interface as a TUN device. Changes nothing. */
#pragma once
#include "base/base.h"

struct wrn_tun_info {
    bool is_tun;                 /* else an interface of another kind, if it is no TAP device … */
    bool is_tap;                 /* … which it may be */
    bool has_packet_information; /* a header of 4 bytes before each packet */
    bool multi_queue;            /* made to have several queues */
    uint32_t queues;             /* descriptors attached; known only with 'multi_queue' */
};

/* Looks 'name' up in the network namespace of the caller. Returns 0, -ENODEV if it is not there, or
 * another -errno. Source: Linux 4.17, IFLA_TUN_*; what older kernels do not say is 0. */
WRN_NODISCARD int wrn_tun_info_read(const char *name, struct wrn_tun_info *ret_info);
