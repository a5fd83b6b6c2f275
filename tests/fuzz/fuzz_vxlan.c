/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes heads of VXLAN: what is read lies within the datagram, and is what writing it again gives
 * but for reserved bits; and what people write about VTEPs, which is written so that it reads the
 * same. */
#include "fuzz.h"

#include "daemon/vtep.h"
#include "switch/vxlan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    wrn_span frame = {0};
    uint32_t vni = 0;
    struct wrn_vtep_options options;
    if (wrn_vxlan_read((wrn_span){data, size}, &vni, &frame) == WRN_VXLAN_OK) {
        uint8_t head[WRN_VXLAN_HEAD_SIZE];
        WRN_ASSERT(frame.data == data + sizeof head && frame.size == size - sizeof head);
        wrn_vxlan_write(vni, head);
        WRN_ASSERT(memcmp(head + 4, data + 4, 3) == 0 && (head[0] & data[0]) == head[0]);
    }
    if (size < WRN_VTEP_TEXT_SIZE && wrn_vtep_parse((wrn_span){data, size}, 1, &options) == NULL) {
        struct wrn_vtep_options again;
        char text[WRN_VTEP_TEXT_SIZE];
        char second[WRN_VTEP_TEXT_SIZE];
        wrn_vtep_print(&options, text);
        const uint8_t *bytes = (const uint8_t *)text;
        WRN_ASSERT(wrn_vtep_parse((wrn_span){bytes, strlen(text)}, 2, &again) == NULL);
        wrn_vtep_print(&again, second);
        WRN_ASSERT(strcmp(text, second) == 0);
    }
    return 0;
}
