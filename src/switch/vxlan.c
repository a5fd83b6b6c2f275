/* SPDX-License-Identifier: Apache-2.0 */
/* Eight bytes. */
#include "switch/vxlan.h"

enum { FLAG_VNI = 0x08, AT_VNI = 4 };

void wrn_vxlan_write(uint32_t vni, uint8_t ret_head[WRN_VXLAN_HEAD_SIZE]) {
    WRN_ASSERT(vni <= WRN_VXLAN_VNI_MAX);
    memset(ret_head, 0, WRN_VXLAN_HEAD_SIZE);
    ret_head[0] = FLAG_VNI;
    ret_head[AT_VNI] = (uint8_t)(vni >> 16);
    ret_head[AT_VNI + 1] = (uint8_t)(vni >> 8);
    ret_head[AT_VNI + 2] = (uint8_t)vni;
}

enum wrn_vxlan_fault wrn_vxlan_read(wrn_span datagram, uint32_t *ret_vni, wrn_span *ret_frame) {
    if (datagram.size < WRN_VXLAN_HEAD_SIZE + WRN_VXLAN_FRAME_MIN) {
        return WRN_VXLAN_SHORT;
    }
    if ((datagram.data[0] & FLAG_VNI) == 0) {
        return WRN_VXLAN_NO_VNI;
    }
    const uint8_t *vni = datagram.data + AT_VNI;
    *ret_vni = (uint32_t)vni[0] << 16 | (uint32_t)vni[1] << 8 | vni[2];
    *ret_frame =
        (wrn_span){datagram.data + WRN_VXLAN_HEAD_SIZE, datagram.size - WRN_VXLAN_HEAD_SIZE};
    return WRN_VXLAN_OK;
}
