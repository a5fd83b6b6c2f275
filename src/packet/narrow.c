/* SPDX-License-Identifier: Apache-2.0 */
/* Headers are looked at in place; a fragment's header is made from the packet's. */
#include "packet/narrow.h"

#include "packet/internal.h"

enum {
    OPTION_END = 0,
    OPTION_NOTHING = 1,
    OPTION_MSS = 2,
    OPTION_MSS_SIZE = 4,
    MSS_MIN = 216, /* a link that takes less is no business of ours */
    V4_DONT_FRAGMENT = 0x4000,
    V4_COPIED = 0x80, /* of an option's type: it stands in all fragments */
};

static bool find_tcp(const uint8_t *packet, size_t size, size_t *ret_tcp, size_t *ret_end);
static bool find_mss(const uint8_t *tcp, size_t header_size, size_t *ret_at);
static uint32_t write_later(const uint8_t *packet, size_t head_size, uint8_t *out);

bool wrn_narrow_is_syn(const uint8_t *packet, size_t size) {
    size_t tcp, end;
    return find_tcp(packet, size, &tcp, &end) && (packet[tcp + TCP_FLAGS] & TCP_SYN) != 0;
}

bool wrn_narrow_mss(uint8_t *packet, size_t size, size_t packet_max) {
    size_t tcp, end, at;
    if (!find_tcp(packet, size, &tcp, &end) || (packet[tcp + TCP_FLAGS] & TCP_SYN) == 0 ||
        !find_mss(packet + tcp, end - tcp, &at)) {
        return false;
    }
    /* The size does not count options, neither IP's nor TCP's. Source: RFC 6691. */
    size_t heads = (packet[0] >> 4 == 6 ? V6_SIZE : V4_SIZE_MIN) + TCP_SIZE_MIN;
    size_t largest = packet_max > heads + MSS_MIN ? packet_max - heads : MSS_MIN;
    uint8_t *field = packet + tcp + at;
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
    uint8_t *checksum = packet + tcp + TCP_CHECKSUM;
    wrn_sum sum = sum_word((wrn_sum){0}, (uint16_t)~wrn_load_be16(checksum));
    sum = sum_word(sum_word(sum, (uint16_t)~before), after);
    wrn_store_be16(checksum, wrn_sum_finish(sum));
    return true;
}

bool wrn_narrow_may_fragment(const uint8_t *packet, size_t size) {
    return size >= V4_SIZE_MIN && packet[0] >> 4 == 4 &&
           (wrn_load_be16(packet + V4_FRAGMENT) & V4_DONT_FRAGMENT) == 0;
}

bool wrn_narrow_plan(const uint8_t *packet, size_t size, size_t packet_max,
                     struct wrn_narrow_plan *ret_plan) {
    WRN_ASSERT(packet_max >= WRN_NARROW_MAX_MIN);
    if (!wrn_narrow_may_fragment(packet, size)) {
        return false;
    }
    size_t head_size = (size_t)(packet[0] & 15) * 4;
    size_t length = wrn_load_be16(packet + V4_LENGTH);
    if (head_size < V4_SIZE_MIN || length > size || length <= head_size) {
        return false;
    }
    size_t payload = length - head_size;
    size_t each = length <= packet_max ? payload : (packet_max - head_size) / 8 * 8;
    size_t offset = (size_t)(wrn_load_be16(packet + V4_FRAGMENT) & V4_FRAGMENT_OFFSET) * 8;
    size_t count = (payload + each - 1) / each;
    if (count > WRN_NARROW_FRAGMENTS_MAX || offset + payload > UINT16_MAX) {
        return false;
    }
    *ret_plan = (struct wrn_narrow_plan){
        .packet = packet,
        .size = (uint32_t)length,
        .head_size = (uint32_t)head_size,
        .each = (uint32_t)each,
        .count = (uint32_t)count,
    };
    ret_plan->later_size = write_later(packet, head_size, ret_plan->later);
    return true;
}

size_t wrn_narrow_write(const struct wrn_narrow_plan *plan, uint32_t index, uint8_t *out) {
    uint32_t payload = plan->size - plan->head_size;
    uint32_t begin = index * plan->each;
    uint32_t size = payload - begin < plan->each ? payload - begin : plan->each;
    uint32_t head_size = index == 0 ? plan->head_size : plan->later_size;
    uint16_t before = wrn_load_be16(plan->packet + V4_FRAGMENT);
    uint16_t offset = (uint16_t)((before & V4_FRAGMENT_OFFSET) + begin / 8);
    bool is_more = index + 1 < plan->count || (before & V4_MORE_FRAGMENTS) != 0;
    WRN_ASSERT(index < plan->count);
    memcpy(out, index == 0 ? plan->packet : plan->later, head_size);
    memcpy(out + head_size, plan->packet + plan->head_size + begin, size);
    wrn_store_be16(out + V4_LENGTH, (uint16_t)(head_size + size));
    wrn_store_be16(out + V4_FRAGMENT, (uint16_t)(offset | (is_more ? V4_MORE_FRAGMENTS : 0)));
    wrn_store_be16(out + V4_CHECKSUM, 0);
    wrn_store_be16(out + V4_CHECKSUM, wrn_sum_finish(wrn_sum_add((wrn_sum){0}, out, head_size)));
    return head_size + size;
}

/* Finds the headers of a TCP packet that is no fragment; 'ret_end' is where TCP's ends. */
static bool find_tcp(const uint8_t *packet, size_t size, size_t *ret_tcp, size_t *ret_end) {
    size_t tcp = 0;
    if (size >= V4_SIZE_MIN && packet[0] >> 4 == 4) {
        size_t header_size = (size_t)(packet[0] & 15) * 4;
        uint16_t fragment = wrn_load_be16(packet + V4_FRAGMENT);
        bool is_whole = (fragment & (V4_MORE_FRAGMENTS | V4_FRAGMENT_OFFSET)) == 0;
        if (packet[V4_PROTOCOL] != PROTOCOL_TCP || header_size < V4_SIZE_MIN || !is_whole) {
            return false;
        }
        tcp = header_size;
    } else if (size >= V6_SIZE && packet[0] >> 4 == 6 && packet[V6_NEXT] == PROTOCOL_TCP) {
        tcp = V6_SIZE;
    } else {
        return false;
    }
    if (size < tcp + TCP_SIZE_MIN) {
        return false;
    }
    size_t end = tcp + (size_t)(packet[tcp + TCP_OFFSET] >> 4) * 4;
    if (end < tcp + TCP_SIZE_MIN || end > size) {
        return false;
    }
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

/* Writes the header that later fragments have, with the options that are to be copied, and returns
 * its size. What makes no sense ends the options. */
static uint32_t write_later(const uint8_t *packet, size_t head_size, uint8_t *out) {
    size_t at = V4_SIZE_MIN;
    uint32_t size = V4_SIZE_MIN;
    memcpy(out, packet, V4_SIZE_MIN);
    while (at < head_size && packet[at] != OPTION_END) {
        size_t option = packet[at] == OPTION_NOTHING ? 1 : at + 1 < head_size ? packet[at + 1] : 0;
        if (option == 0 || at + option > head_size ||
            (option < 2 && packet[at] != OPTION_NOTHING)) {
            break;
        }
        if ((packet[at] & V4_COPIED) != 0) {
            memcpy(out + size, packet + at, option);
            size += (uint32_t)option;
        }
        at += option;
    }
    while (size % 4 != 0) {
        out[size++] = OPTION_END;
    }
    out[0] = (uint8_t)(0x40 | size / 4);
    return size;
}
