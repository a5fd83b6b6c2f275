/* SPDX-License-Identifier: Apache-2.0 */
/* Reads an IP packet down to its ports, and refuses what two readers could read in two ways.
 * Decides nothing about who may send it. */
#include "base/bytes.h"
#include "network/policy_internal.h"

enum {
    V4_SIZE_MIN = 20,
    V6_SIZE = 40,
    TCP_SIZE_MIN = 20,
    UDP_SIZE = 8,
    ICMP_SIZE = 8, /* of all messages of ICMP, and of those of ICMPv6 that are anything */
    QUOTED_SIZE = 8,
    PACKET_SIZE_MAX = 65535,
};

/* Extension headers of IPv6. AH and ESP are none here: what is behind AH is somebody's claim, and
 * a rule that means them names their number. */
enum { HOP_BY_HOP = 0, ROUTING = 43, FRAGMENT = 44, DESTINATION = 60 };

/* Walks through a packet. */
struct walk {
    const uint8_t *bytes;
    size_t at, end;
    size_t headers_end; /* where the headers of a first fragment must end at the latest */
    bool is_quote;
    struct wrn_policy_packet *packet;
};

static enum wrn_policy_refusal read4(struct walk *walk, size_t size);
static enum wrn_policy_refusal read6(struct walk *walk, size_t size);
static enum wrn_policy_refusal check_options4(const uint8_t *bytes, size_t size);
static enum wrn_policy_refusal check_options6(const uint8_t *bytes, size_t size);
static enum wrn_policy_refusal take_extensions(struct walk *walk, uint8_t *next);
static enum wrn_policy_refusal take_extension(struct walk *walk, uint8_t header);
static enum wrn_policy_refusal take_fragment6(struct walk *walk);
static enum wrn_policy_refusal check_fragment(struct walk *walk, size_t offset, bool is_more,
                                              size_t headers_max);
static enum wrn_policy_refusal read_transport(struct walk *walk);
static void read_icmp(struct walk *walk);
static enum wrn_policy_refusal too_short(const struct walk *walk);
static bool is_error(uint8_t family, uint8_t type);
static bool reply_to(uint8_t family, uint32_t type, uint8_t *ret_reply);
static bool query_before(uint8_t family, uint32_t type, uint8_t *ret_query);
static void turn_round(const struct wrn_policy_packet *packet, struct wrn_policy_packet *ret);

enum wrn_policy_refusal wrn_policy_read(wrn_span bytes, bool is_quote,
                                        struct wrn_policy_packet *ret_packet) {
    struct walk walk = {.bytes = bytes.data, .is_quote = is_quote, .packet = ret_packet};
    *ret_packet = (struct wrn_policy_packet){.port = WRN_POLICY_PORT_NONE};
    if (bytes.size > 0 && bytes.data[0] >> 4 == 4) {
        return read4(&walk, bytes.size);
    }
    if (bytes.size > 0 && bytes.data[0] >> 4 == 6) {
        return read6(&walk, bytes.size);
    }
    return WRN_POLICY_NOT_IP;
}

void wrn_policy_address(const uint8_t *bytes, uint8_t family, uint64_t ret_number[2]) {
    if (family == WRN_FAMILY_IPV4) {
        ret_number[0] = 0;
        ret_number[1] = wrn_load_be32(bytes);
    } else {
        ret_number[0] = wrn_load_be64(bytes);
        ret_number[1] = wrn_load_be64(bytes + 8);
    }
}

bool wrn_policy_answer_of(const struct wrn_policy_packet *packet,
                          struct wrn_policy_packet *ret_answer) {
    uint8_t type = 0;
    if (packet->protocol == WRN_POLICY_ICMP && !reply_to(packet->family, packet->port, &type)) {
        return false;
    }
    turn_round(packet, ret_answer);
    if (packet->protocol == WRN_POLICY_ICMP) {
        ret_answer->port = type;
    }
    return true;
}

bool wrn_policy_answered_by(const struct wrn_policy_packet *packet,
                            struct wrn_policy_packet *ret_asked) {
    const uint8_t begin = WRN_POLICY_TCP_SYN;
    uint8_t type = 0;
    if (packet->protocol == WRN_POLICY_TCP &&
        (packet->tcp_flags & (begin | WRN_POLICY_TCP_ACK)) == begin) {
        return false;
    }
    if (packet->protocol == WRN_POLICY_ICMP && !query_before(packet->family, packet->port, &type)) {
        return false;
    }
    turn_round(packet, ret_asked);
    if (packet->protocol == WRN_POLICY_ICMP) {
        ret_asked->port = type;
    }
    return true;
}

static enum wrn_policy_refusal read4(struct walk *walk, size_t size) {
    const uint8_t *bytes = walk->bytes;
    struct wrn_policy_packet *packet = walk->packet;
    if (size < V4_SIZE_MIN) {
        return WRN_POLICY_CUT_SHORT;
    }
    size_t header = (size_t)(bytes[0] & 15) * 4;
    size_t total = wrn_load_be16(bytes + 2);
    if (header < V4_SIZE_MIN || (total < header && !walk->is_quote)) {
        return WRN_POLICY_BAD_LENGTH;
    }
    if (header > size || (total > size && !walk->is_quote)) {
        return WRN_POLICY_CUT_SHORT;
    }
    /* Of a quoted packet's length nothing follows: some hosts quote it wrongly. */
    walk->end = walk->is_quote ? size : total;
    walk->at = header;
    packet->family = WRN_FAMILY_IPV4;
    packet->protocol = wrn_policy_protocol(WRN_FAMILY_IPV4, bytes[9]);
    packet->fragmented_protocol = bytes[9];
    packet->fragment_id = wrn_load_be16(bytes + 4);
    wrn_policy_address(bytes + 12, WRN_FAMILY_IPV4, packet->source);
    wrn_policy_address(bytes + 16, WRN_FAMILY_IPV4, packet->destination);
    enum wrn_policy_refusal refusal = check_options4(bytes + V4_SIZE_MIN, header - V4_SIZE_MIN);
    uint16_t field = wrn_load_be16(bytes + 6);
    if (refusal == WRN_POLICY_NONE && (field & 0x3fff) != 0) {
        refusal = check_fragment(walk, (size_t)(field & 0x1fff) * 8, (field & 0x2000) != 0,
                                 WRN_POLICY_HEADERS_MAX4);
    }
    if (refusal != WRN_POLICY_NONE || packet->fragment == WRN_POLICY_LATER) {
        return refusal;
    }
    return read_transport(walk);
}

static enum wrn_policy_refusal read6(struct walk *walk, size_t size) {
    const uint8_t *bytes = walk->bytes;
    struct wrn_policy_packet *packet = walk->packet;
    if (size < V6_SIZE) {
        return WRN_POLICY_CUT_SHORT;
    }
    size_t payload = wrn_load_be16(bytes + 4);
    uint8_t next = bytes[6];
    if (payload == 0 && next == HOP_BY_HOP) {
        return WRN_POLICY_JUMBOGRAM; /* the length would be in an option: RFC 2675 */
    }
    if (V6_SIZE + payload > size && !walk->is_quote) {
        return WRN_POLICY_CUT_SHORT;
    }
    walk->end = walk->is_quote ? size : V6_SIZE + payload;
    walk->at = V6_SIZE;
    packet->family = WRN_FAMILY_IPV6;
    wrn_policy_address(bytes + 8, WRN_FAMILY_IPV6, packet->source);
    wrn_policy_address(bytes + 24, WRN_FAMILY_IPV6, packet->destination);
    enum wrn_policy_refusal refusal = take_extensions(walk, &next);
    packet->protocol = wrn_policy_protocol(WRN_FAMILY_IPV6, next);
    if (refusal != WRN_POLICY_NONE || packet->fragment == WRN_POLICY_LATER) {
        return refusal;
    }
    return read_transport(walk);
}

/* Source routes change the destination on the way, which rules have looked at by then. */
static enum wrn_policy_refusal check_options4(const uint8_t *bytes, size_t size) {
    enum { END = 0, NOTHING = 1, LOOSE_ROUTE = 131, STRICT_ROUTE = 137 };
    for (size_t at = 0; at < size && bytes[at] != END;) {
        if (bytes[at] == LOOSE_ROUTE || bytes[at] == STRICT_ROUTE) {
            return WRN_POLICY_SOURCE_ROUTE;
        }
        size_t step = 1;
        if (bytes[at] != NOTHING) {
            step = at + 1 < size ? bytes[at + 1] : 0;
            if (step < 2 || step > size - at) {
                return WRN_POLICY_BAD_OPTIONS;
            }
        }
        at += step;
    }
    return WRN_POLICY_NONE;
}

/* Those of hop-by-hop and destination headers. */
static enum wrn_policy_refusal check_options6(const uint8_t *bytes, size_t size) {
    enum { PAD1 = 0, JUMBO = 0xc2, HOME = 0xc9 };
    for (size_t at = 0; at < size;) {
        if (bytes[at] == JUMBO) {
            return WRN_POLICY_JUMBOGRAM;
        }
        if (bytes[at] == HOME) {
            return WRN_POLICY_HOME_ADDRESS; /* RFC 6275: it takes the source's place */
        }
        size_t step = 1;
        if (bytes[at] != PAD1) {
            if (at + 1 >= size || (size_t)bytes[at + 1] + 2 > size - at) {
                return WRN_POLICY_BAD_OPTIONS;
            }
            step = (size_t)bytes[at + 1] + 2;
        }
        at += step;
    }
    return WRN_POLICY_NONE;
}

/* Goes to the first header that is no extension. Each kind may be there once, options for the
 * destination twice, and hop-by-hop options first or not at all: RFC 8200, section 4.1. */
static enum wrn_policy_refusal take_extensions(struct walk *walk, uint8_t *next) {
    unsigned routings = 0, fragments = 0, destinations = 0;
    for (unsigned i = 0;; i++) { /* five at most */
        uint8_t header = *next;
        if (header != HOP_BY_HOP && header != ROUTING && header != FRAGMENT &&
            header != DESTINATION) {
            return WRN_POLICY_NONE;
        }
        routings += header == ROUTING;
        fragments += header == FRAGMENT;
        destinations += header == DESTINATION;
        if ((header == HOP_BY_HOP && i > 0) || routings > 1 || fragments > 1 || destinations > 2) {
            return WRN_POLICY_HEADER_CHAIN;
        }
        if (walk->end < walk->at || walk->end - walk->at < 8) {
            return too_short(walk);
        }
        *next = walk->bytes[walk->at];
        enum wrn_policy_refusal refusal =
            header == FRAGMENT ? take_fragment6(walk) : take_extension(walk, header);
        if (refusal != WRN_POLICY_NONE || walk->packet->fragment == WRN_POLICY_LATER) {
            return refusal;
        }
    }
}

static enum wrn_policy_refusal take_extension(struct walk *walk, uint8_t header) {
    const uint8_t *bytes = walk->bytes + walk->at;
    size_t size = ((size_t)bytes[1] + 1) * 8;
    if (size > walk->end - walk->at) {
        return too_short(walk);
    }
    walk->at += size;
    if (header == ROUTING) {
        /* With segments left it goes on to another destination; type 0 is dead: RFC 5095. */
        return bytes[2] == 0 || bytes[3] != 0 ? WRN_POLICY_ROUTING_HEADER : WRN_POLICY_NONE;
    }
    return check_options6(bytes + 2, size - 2);
}

static enum wrn_policy_refusal take_fragment6(struct walk *walk) {
    const uint8_t *bytes = walk->bytes + walk->at;
    uint16_t field = wrn_load_be16(bytes + 2);
    walk->packet->fragment_id = wrn_load_be32(bytes + 4);
    walk->at += 8;
    if ((field & 0xfff9) == 0) {
        return WRN_POLICY_NONE; /* an atomic fragment is a whole packet: RFC 6946 */
    }
    return check_fragment(walk, field & 0xfff8, (field & 1) != 0, WRN_POLICY_HEADERS_MAX6);
}

/* 'walk' is where what is fragmented begins. */
static enum wrn_policy_refusal check_fragment(struct walk *walk, size_t offset, bool is_more,
                                              size_t headers_max) {
    size_t size = walk->end - walk->at;
    walk->packet->fragment = offset != 0 ? WRN_POLICY_LATER : WRN_POLICY_FIRST;
    walk->headers_end = walk->at + headers_max;
    if (walk->is_quote) {
        return WRN_POLICY_NONE;
    }
    if (size == 0 || (is_more && size % 8 != 0) || offset + size > PACKET_SIZE_MAX) {
        return WRN_POLICY_BAD_FRAGMENT;
    }
    return offset != 0 && offset < headers_max ? WRN_POLICY_FRAGMENT_OVERLAP : WRN_POLICY_NONE;
}

static enum wrn_policy_refusal read_transport(struct walk *walk) {
    struct wrn_policy_packet *packet = walk->packet;
    const uint8_t *bytes = walk->bytes + walk->at;
    size_t size = walk->end - walk->at;
    size_t need = packet->protocol == WRN_POLICY_TCP    ? TCP_SIZE_MIN
                  : packet->protocol == WRN_POLICY_UDP  ? UDP_SIZE
                  : packet->protocol == WRN_POLICY_ICMP ? ICMP_SIZE
                                                        : 0;
    if (need > QUOTED_SIZE && walk->is_quote) {
        need = QUOTED_SIZE;
    }
    if (size < need) {
        return too_short(walk);
    }
    if (packet->protocol == WRN_POLICY_TCP && !walk->is_quote) {
        need = (size_t)(bytes[12] >> 4) * 4;
        packet->tcp_flags = bytes[13];
        if (need < TCP_SIZE_MIN) {
            return WRN_POLICY_BAD_LENGTH;
        }
        if (size < need) {
            return too_short(walk);
        }
    }
    if (packet->fragment == WRN_POLICY_FIRST && walk->at + need > walk->headers_end) {
        return WRN_POLICY_HEADER_CHAIN;
    }
    if (packet->protocol == WRN_POLICY_ICMP) {
        read_icmp(walk);
    } else if (packet->protocol == WRN_POLICY_TCP || packet->protocol == WRN_POLICY_UDP) {
        packet->source_port = wrn_load_be16(bytes);
        packet->destination_port = wrn_load_be16(bytes + 2);
        packet->port = packet->destination_port;
    }
    return WRN_POLICY_NONE;
}

static void read_icmp(struct walk *walk) {
    struct wrn_policy_packet *packet = walk->packet;
    const uint8_t *bytes = walk->bytes + walk->at;
    uint8_t other;
    packet->port = bytes[0];
    if (is_error(packet->family, bytes[0]) && !walk->is_quote) {
        packet->quote = (wrn_span){bytes + ICMP_SIZE, walk->end - walk->at - ICMP_SIZE};
    }
    if (reply_to(packet->family, bytes[0], &other) ||
        query_before(packet->family, bytes[0], &other)) {
        packet->source_port = wrn_load_be16(bytes + 4);
    }
}

static enum wrn_policy_refusal too_short(const struct walk *walk) {
    return walk->packet->fragment == WRN_POLICY_FIRST ? WRN_POLICY_TINY_FRAGMENT
                                                      : WRN_POLICY_CUT_SHORT;
}

/* Unreachable, time exceeded, parameter problem; ICMPv6: too big as well. Redirects are orders, not
 * errors, and want a rule. */
static bool is_error(uint8_t family, uint8_t type) {
    return family == WRN_FAMILY_IPV4 ? type == 3 || type == 11 || type == 12
                                     : type >= 1 && type <= 4;
}

/* Echo, timestamp and address mask, with an identifier at the same place. */
static bool reply_to(uint8_t family, uint32_t type, uint8_t *ret_reply) {
    bool is_query = family == WRN_FAMILY_IPV4 ? type == 8 || type == 13 || type == 17 : type == 128;
    *ret_reply = (uint8_t)(type == 8 ? 0 : type + 1);
    return is_query;
}

static bool query_before(uint8_t family, uint32_t type, uint8_t *ret_query) {
    bool is_reply = family == WRN_FAMILY_IPV4 ? type == 0 || type == 14 || type == 18 : type == 129;
    *ret_query = (uint8_t)(type == 0 ? 8 : type - 1);
    return is_reply;
}

/* Swaps the ends; the identifier of an ICMP query stays where it is. */
static void turn_round(const struct wrn_policy_packet *packet, struct wrn_policy_packet *ret) {
    *ret = *packet;
    ret->quote = (wrn_span){NULL, 0};
    for (size_t i = 0; i < 2; i++) {
        ret->source[i] = packet->destination[i];
        ret->destination[i] = packet->source[i];
    }
    if (packet->protocol == WRN_POLICY_TCP || packet->protocol == WRN_POLICY_UDP) {
        ret->source_port = packet->destination_port;
        ret->destination_port = packet->source_port;
        ret->port = ret->destination_port;
    }
}
