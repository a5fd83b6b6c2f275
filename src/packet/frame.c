/* SPDX-License-Identifier: Apache-2.0 */
/* Looks behind tags and at SYN packets. Reads nothing outside of the frame. */
#include "packet/frame.h"

#include "packet/internal.h"

enum {
    TYPE_AT = 12,
    TAG_CUSTOMER = 0x8100, /* IEEE 802.1Q */
    TAG_SERVICE = 0x88a8,  /* IEEE 802.1ad */
    OPTION_END = 0,
    OPTION_NOTHING = 1,
    OPTION_MSS = 2,
    OPTION_MSS_SIZE = 4,
    MSS_MIN = 216, /* a link that takes less is no business of ours */
};

static bool find_tcp(const uint8_t *frame, size_t size, size_t *ret_ip, size_t *ret_tcp,
                     size_t *ret_end);
static bool find_mss(const uint8_t *tcp, size_t header_size, size_t *ret_at);

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
    size_t ip, tcp, end;
    return find_tcp(frame, size, &ip, &tcp, &end) && (frame[tcp + TCP_FLAGS] & TCP_SYN) != 0;
}

bool wrn_frame_clamp_mss(uint8_t *frame, size_t size, uint32_t frame_max) {
    size_t ip, tcp, end, at;
    if (!find_tcp(frame, size, &ip, &tcp, &end) || (frame[tcp + TCP_FLAGS] & TCP_SYN) == 0 ||
        !find_mss(frame + tcp, end - tcp, &at)) {
        return false;
    }
    /* The size does not count options, neither IP's nor TCP's. Source: RFC 6691. */
    size_t heads = ip + (frame[ip] >> 4 == 6 ? V6_SIZE : V4_SIZE_MIN) + TCP_SIZE_MIN;
    size_t largest = frame_max > heads + MSS_MIN ? frame_max - heads : MSS_MIN;
    uint8_t *field = frame + tcp + at;
    uint16_t before = wrn_load_be16(field);
    if (before <= largest) {
        return false;
    }
    uint16_t after = (uint16_t)largest;
    wrn_store_be16(field, after);
    if (at % 2 != 0) { /* it lies across two words of the sum: that is the same turned round */
        before = (uint16_t)(before << 8 | before >> 8);
        after = (uint16_t)(after << 8 | after >> 8);
    }
    uint8_t *checksum = frame + tcp + TCP_CHECKSUM;
    wrn_sum sum = sum_word((wrn_sum){0}, (uint16_t)~wrn_load_be16(checksum));
    sum = sum_word(sum_word(sum, (uint16_t)~before), after);
    wrn_store_be16(checksum, wrn_sum_finish(sum));
    return true;
}

/* Finds the headers of a TCP packet that is no fragment; 'ret_end' is where TCP's ends. */
static bool find_tcp(const uint8_t *frame, size_t size, size_t *ret_ip, size_t *ret_tcp,
                     size_t *ret_end) {
    uint16_t type = 0;
    size_t ip = wrn_frame_link_size(frame, size, &type);
    size_t tcp = 0;
    if (ip == 0) {
        return false;
    }
    if (type == WRN_FRAME_TYPE_IPV4 && size >= ip + V4_SIZE_MIN && frame[ip] >> 4 == 4) {
        size_t header_size = (size_t)(frame[ip] & 15) * 4;
        uint16_t fragment = wrn_load_be16(frame + ip + V4_FRAGMENT);
        bool is_whole = (fragment & (V4_MORE_FRAGMENTS | V4_FRAGMENT_OFFSET)) == 0;
        if (frame[ip + V4_PROTOCOL] != PROTOCOL_TCP || header_size < V4_SIZE_MIN || !is_whole) {
            return false;
        }
        tcp = ip + header_size;
    } else if (type == WRN_FRAME_TYPE_IPV6 && size >= ip + V6_SIZE && frame[ip] >> 4 == 6 &&
               frame[ip + V6_NEXT] == PROTOCOL_TCP) {
        tcp = ip + V6_SIZE;
    } else {
        return false;
    }
    if (size < tcp + TCP_SIZE_MIN) {
        return false;
    }
    size_t end = tcp + (size_t)(frame[tcp + TCP_OFFSET] >> 4) * 4;
    if (end < tcp + TCP_SIZE_MIN || end > size) {
        return false;
    }
    *ret_ip = ip;
    *ret_tcp = tcp;
    *ret_end = end;
    return true;
}

/* Finds the value of the option, from TCP's header on. */
static bool find_mss(const uint8_t *tcp, size_t header_size, size_t *ret_at) {
    size_t at = TCP_SIZE_MIN;
    while (at < header_size && tcp[at] != OPTION_END) {
        if (tcp[at] == OPTION_NOTHING) {
            at++;
            continue;
        }
        if (at + 2 > header_size || tcp[at + 1] < 2 || at + tcp[at + 1] > header_size) {
            return false;
        }
        if (tcp[at] == OPTION_MSS) {
            *ret_at = at + 2;
            return tcp[at + 1] == OPTION_MSS_SIZE;
        }
        at += tcp[at + 1];
    }
    return false;
}
