/* SPDX-License-Identifier: Apache-2.0 */
/* Looks behind tags. Reads nothing outside of the frame. */
#include "packet/frame.h"

#include "packet/internal.h"
#include "packet/narrow.h"

enum {
    TYPE_AT = 12,
    TAG_CUSTOMER = 0x8100, /* IEEE 802.1Q */
    TAG_SERVICE = 0x88a8,  /* IEEE 802.1ad */
};

static size_t find_packet(const uint8_t *frame, size_t size);

uint32_t wrn_frame_link_size(const uint8_t *frame, size_t size, uint16_t *ret_type) {
    uint32_t link = WRN_FRAME_HEADER_SIZE;
    if (size < link) {
        return 0;
    }
    uint16_t type = wrn_load_be16(frame + TYPE_AT);
    while ((type == TAG_CUSTOMER || type == TAG_SERVICE) && link < WRN_FRAME_LINK_MAX) {
        link += WRN_FRAME_TAG_SIZE;
        if (size < link) {
            return 0;
        }
        type = wrn_load_be16(frame + link - 2);
    }
    *ret_type = type;
    return link;
}

bool wrn_frame_is_syn(const uint8_t *frame, size_t size) {
    size_t ip = find_packet(frame, size);
    return ip != 0 && wrn_narrow_is_syn(frame + ip, size - ip);
}

bool wrn_frame_clamp_mss(uint8_t *frame, size_t size, uint32_t frame_max) {
    size_t ip = find_packet(frame, size);
    return ip != 0 && wrn_narrow_mss(frame + ip, size - ip, frame_max > ip ? frame_max - ip : 0);
}

/* Returns where a packet of IP begins; 0: there is none. */
static size_t find_packet(const uint8_t *frame, size_t size) {
    uint16_t type = 0;
    size_t ip = wrn_frame_link_size(frame, size, &type);
    if (ip == 0 || ip >= size) {
        return 0;
    }
    bool is_ip = (type == WRN_FRAME_TYPE_IPV4 && frame[ip] >> 4 == 4) ||
                 (type == WRN_FRAME_TYPE_IPV6 && frame[ip] >> 4 == 6);
    return is_ip ? ip : 0;
}
