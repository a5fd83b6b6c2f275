/* SPDX-License-Identifier: Apache-2.0 */
/* Ranges of addresses that no host behind a route has. */
#include "wg/destination.h"

bool wrn_is_for_one_host(wrn_span packet) {
    static const uint8_t zeros[8]; /* ::, ::1, ::ffff:0:0/96 and all that begins so */
    if (packet.size >= 20 && packet.data[0] >> 4 == 4) {
        const uint8_t *to = packet.data + 16;
        bool is_link_local = to[0] == 169 && to[1] == 254;
        return to[0] != 0 && to[0] != 127 && to[0] < 224 && !is_link_local;
    }
    if (packet.size >= 40 && packet.data[0] >> 4 == 6) {
        const uint8_t *to = packet.data + 24;
        bool is_link_local = to[0] == 0xfe && (to[1] & 0xc0) == 0x80;
        return to[0] != 0xff && !is_link_local && memcmp(to, zeros, sizeof zeros) != 0;
    }
    return false;
}
