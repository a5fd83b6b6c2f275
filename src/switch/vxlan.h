/* SPDX-License-Identifier: Apache-2.0 */
/* The head of VXLAN: which network the Ethernet frame behind it belongs to. Pure.
 * Source: RFC 7348, section 5.
 *
 *     flags(1) | 0(3) | vni(3) | 0(1) | frame        of the flags only I (0x08) has a meaning */
#pragma once
#include "base/base.h"

enum {
    WRN_VXLAN_HEAD_SIZE = 8, /* bytes */
    WRN_VXLAN_PORT = 4789,   /* UDP, assigned by IANA */
    WRN_VXLAN_VNI_MAX = (1 << 24) - 1,
    WRN_VXLAN_FRAME_MIN = 14,
};

enum wrn_vxlan_fault {
    WRN_VXLAN_OK,
    WRN_VXLAN_SHORT, /* no frame fits in it */
    WRN_VXLAN_NO_VNI /* the flag that says that there is a VNI is not set */
};

/* Writes the head of a frame of network 'vni' (0..WRN_VXLAN_VNI_MAX). */
void wrn_vxlan_write(uint32_t vni, uint8_t ret_head[WRN_VXLAN_HEAD_SIZE]);

/* Reads a datagram. OK, the VNI and the frame within the datagram; or what is wrong. Reserved bits
 * are ignored, as the RFC demands. */
enum wrn_vxlan_fault wrn_vxlan_read(wrn_span datagram, uint32_t *ret_vni, wrn_span *ret_frame);
