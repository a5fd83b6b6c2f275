/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of one flow that come together need one verdict. What a frame has in common with those
 * that continue its flow is all that a verdict asks for, and all that could make a verdict about it
 * another one is looked at here. Sources: RFC 791, 768, 8200, 9293. */
#include "switch/switch_internal.h"

enum {
    LINK = WRN_SWITCH_FRAME_MIN,
    IPV4_SIZE = 20, /* without options */
    IPV6_SIZE = 40, /* without extensions */
    PROTOCOL_TCP = 6,
    PROTOCOL_UDP = 17,
    TCP_MIN = 20,
    UDP_MIN = 8,
    TCP_FLAGS = 13,
    TCP_FIN_SYN_RST = 7,
    PORTS_SIZE = 4,
    FRAGMENT_MASK = 0xbfff, /* more fragments, offset, and the bit that must be 0; not DF */
};
static_assert(LINK + 1 + 2 * 16 + PORTS_SIZE <= WRN_SWITCH_FLOW_SIZE, "an IPv6 flow fits");

static bool continues(wrn_span message, uint8_t protocol);
static void write_flow(struct wrn_switch_flow *flow, const uint8_t *frame, uint8_t protocol,
                       wrn_span addresses, const uint8_t *ports);

bool wrn_switch_flow_read(wrn_span frame, struct wrn_switch_flow *ret_flow) {
    if (frame.size < LINK + IPV4_SIZE) {
        return false;
    }
    uint16_t type = wrn_load_be16(frame.data + LINK - 2);
    const uint8_t *ip = frame.data + LINK;
    if (type == 0x0800 && ip[0] == 0x45) {
        size_t total = wrn_load_be16(ip + 2);
        if (total < IPV4_SIZE || total > frame.size - LINK ||
            (wrn_load_be16(ip + 6) & FRAGMENT_MASK) != 0 ||
            !continues((wrn_span){ip + IPV4_SIZE, total - IPV4_SIZE}, ip[9])) {
            return false;
        }
        write_flow(ret_flow, frame.data, ip[9], (wrn_span){ip + 12, 8}, ip + IPV4_SIZE);
        return true;
    }
    if (type == 0x86dd && ip[0] >> 4 == 6 && frame.size >= LINK + IPV6_SIZE) {
        size_t size = wrn_load_be16(ip + 4);
        if (size > frame.size - LINK - IPV6_SIZE ||
            !continues((wrn_span){ip + IPV6_SIZE, size}, ip[6])) {
            return false;
        }
        write_flow(ret_flow, frame.data, ip[6], (wrn_span){ip + 8, 32}, ip + IPV6_SIZE);
        return true;
    }
    return false;
}

bool wrn_switch_flow_equal(const struct wrn_switch_flow *one, const struct wrn_switch_flow *other) {
    return memcmp(one->words, other->words, sizeof one->words) == 0;
}

void wrn_switch_repeat(struct wrn_switch *sw, uint32_t lane,
                       const struct wrn_switch_verdict *verdict) {
    WRN_ASSERT(verdict->is_lasting);
    wrn_switch_add(&sw->lanes[lane].ports[verdict->from].in, 1);
    wrn_switch_add(&sw->lanes[lane].ports[verdict->to].out, 1);
}

/* What begins or ends a connection is asked about by itself. */
static bool continues(wrn_span message, uint8_t protocol) {
    if (protocol == PROTOCOL_TCP) {
        return message.size >= TCP_MIN && message.data[12] >> 4 >= TCP_MIN / 4 &&
               (size_t)(message.data[12] >> 4) * 4 <= message.size &&
               (message.data[TCP_FLAGS] & TCP_FIN_SYN_RST) == 0;
    }
    return protocol == PROTOCOL_UDP && message.size >= UDP_MIN;
}

static void write_flow(struct wrn_switch_flow *flow, const uint8_t *frame, uint8_t protocol,
                       wrn_span addresses, const uint8_t *ports) {
    uint8_t *bytes = (uint8_t *)flow->words;
    memset(flow, 0, sizeof *flow);
    memcpy(bytes, frame, LINK);
    bytes[LINK] = protocol;
    memcpy(bytes + LINK + 1, addresses.data, addresses.size);
    memcpy(bytes + LINK + 1 + addresses.size, ports, PORTS_SIZE);
}
