/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes what a host's DHCP client sends: nothing outside of the frame is read, answers are whole
 * and go to this client alone, and give no address but the one there is. */
#include "fuzz.h"

#include "network/dhcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    enum { BOOTP_AT = 42, YOURS_AT = BOOTP_AT + 16, CLIENT_AT = BOOTP_AT + 28, LEAST = 60 };
    static const struct wrn_dhcp dhcp = {
        .mac = {2, 0, 0, 0, 0, 0x22},
        .server_mac = {2, 0, 0, 0, 0, 0x23},
        .range = {.ip = {{10, 9, 0, 0}, WRN_FAMILY_IPV4}, .length_bits = 22},
        .address = {{10, 9, 0, 77}, WRN_FAMILY_IPV4},
        .server = {{10, 9, 0, 1}, WRN_FAMILY_IPV4},
        .resolver = {{10, 9, 0, 77}, WRN_FAMILY_IPV4},
        .domain = "a-name-of-sixty-three-characters-as-long-as-a-label-may-ever-be.warren",
        .mtu = 1500,
    };
    uint8_t out[WRN_DHCP_FRAME_MAX];
    enum wrn_dhcp_said said;
    size_t made = wrn_dhcp_on_frame(&dhcp, (wrn_span){data, size}, out, &said);
    WRN_ASSERT(made <= sizeof out && (made == 0 || made >= LEAST));
    if (made == 0) {
        WRN_ASSERT(said == WRN_DHCP_NOTHING || said == WRN_DHCP_DECLINED ||
                   said == WRN_DHCP_RELEASED);
        return 0;
    }
    WRN_ASSERT(memcmp(data + 6, dhcp.mac, sizeof dhcp.mac) == 0);
    WRN_ASSERT(memcmp(out + 6, dhcp.server_mac, sizeof dhcp.server_mac) == 0);
    if (said != WRN_DHCP_NEIGHBOUR) {
        bool gives = said == WRN_DHCP_OFFERED || said == WRN_DHCP_GIVEN;
        uint32_t yours = wrn_load_be32(out + YOURS_AT);
        WRN_ASSERT(yours == (gives ? wrn_load_be32(dhcp.address.bytes) : 0));
        WRN_ASSERT(memcmp(out + CLIENT_AT, dhcp.mac, sizeof dhcp.mac) == 0);
    }
    return 0;
}
