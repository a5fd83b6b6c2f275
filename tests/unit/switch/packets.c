/* SPDX-License-Identifier: Apache-2.0 */
/* Frames with protocols in them that a switch looks into. */
#include "unit/switch/packets.h"

enum { IPV4 = 0x0800, ARP = 0x0806, IPV6 = 0x86dd, IGMP = 2, UDP = 17, ICMP6 = 58 };

static void group_mac(struct frame *frame, const uint8_t *ip, bool is_v6);
static struct frame ipv4(uint32_t from, uint32_t source, uint32_t destination, uint8_t protocol,
                         const uint8_t *message, size_t size);
static struct frame ipv6(uint32_t from, uint32_t source, const uint8_t destination[16],
                         uint8_t protocol, uint8_t hop_limit, uint8_t *message, size_t size);
static void ipv6_address(uint8_t ip[16], uint8_t first, uint8_t second, uint32_t number);

struct frame packet_arp(uint32_t to, uint32_t from, uint16_t operation, uint32_t sender,
                        uint32_t target) {
    struct frame frame = lan_frame(to, from, ARP);
    uint8_t *arp = frame.bytes + 14;
    memcpy(arp, (const uint8_t[]){0, 1, 8, 0, 6, 4}, 6);
    wrn_store_be16(arp + 6, operation);
    lan_mac(arp + 8, from);
    wrn_store_be32(arp + 14, sender == 0 ? 0 : 0x0a000000 | sender);
    if (operation == 2) {
        lan_mac(arp + 18, to);
    }
    wrn_store_be32(arp + 24, 0x0a000000 | target);
    return frame;
}

struct frame packet_solicitation(uint32_t from, uint32_t sender, uint32_t target) {
    uint8_t message[32] = {135}, all[16] = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff};
    ipv6_address(message + 8, 0xfe, 0x80, target);
    memcpy(all + 13, message + 21, 3);
    message[24] = 1;
    message[25] = 1;
    lan_mac(message + 26, from);
    return ipv6(from, sender, all, ICMP6, 255, message, sender == 0 ? 24 : 32);
}

struct frame packet_advertisement(uint32_t to, uint32_t from, uint32_t target, bool is_router) {
    uint8_t message[32] = {136}, destination[16];
    ipv6_address(destination, 0xfe, 0x80, 99);
    message[4] = is_router ? 0xe0 : 0x60;
    ipv6_address(message + 8, 0xfe, 0x80, target);
    message[24] = 2;
    message[25] = 1;
    lan_mac(message + 26, from);
    struct frame frame = ipv6(from, target, destination, ICMP6, 255, message, sizeof message);
    lan_mac(frame.bytes, to);
    return frame;
}

struct frame packet_router(uint32_t from, uint32_t sender) {
    uint8_t message[24] = {134}, all[16];
    ipv6_address(all, 0xff, 0x02, 1);
    message[16] = 1;
    message[17] = 1;
    lan_mac(message + 18, from);
    return ipv6(from, sender, all, ICMP6, 255, message, sizeof message);
}

struct frame packet_udp(uint32_t from, uint32_t sender, uint16_t source, uint16_t destination,
                        bool is_v6) {
    uint8_t message[20] = {0}, all[16];
    wrn_store_be16(message, source);
    wrn_store_be16(message + 2, destination);
    wrn_store_be16(message + 4, sizeof message);
    ipv6_address(all, 0xff, 0x02, 1);
    return is_v6 ? ipv6(from, sender, all, UDP, 1, message, sizeof message)
                 : ipv4(from, 0x0a000000 | sender, UINT32_MAX, UDP, message, sizeof message);
}

struct frame packet_data(uint32_t from, uint32_t group, bool is_v6) {
    uint8_t message[20] = {0x10, 0, 0x10, 1, 0, 20}, destination[16];
    ipv6_address(destination, 0xff, 0x05, group);
    return is_v6 ? ipv6(from, 1, destination, UDP, 8, message, sizeof message)
                 : ipv4(from, 0x0a000001, 0xef010000 | group, UDP, message, sizeof message);
}

struct frame packet_igmp(uint32_t from, uint8_t type, uint32_t group) {
    uint8_t message[8] = {type, 100};
    uint32_t to = type == 0x11 && group == 0 ? 0xe0000001
                  : type == 0x17             ? 0xe0000002
                                             : 0xef010000 | group;
    wrn_store_be32(message + 4, group == 0 ? 0 : 0xef010000 | group);
    wrn_store_be16(message + 2, (uint16_t)~wrn_switch_sum(0, (wrn_span){message, 8}));
    return ipv4(from, 0x0a000001, to, IGMP, message, sizeof message);
}

struct frame packet_mld(uint32_t from, uint8_t type, uint32_t group) {
    uint8_t message[24] = {type}, destination[16];
    ipv6_address(destination, 0xff, 0x02, 1);
    if (group != 0) {
        ipv6_address(message + 8, 0xff, 0x05, group);
        memcpy(destination, message + 8, 16);
    }
    return ipv6(from, 1, destination, ICMP6, 1, message, sizeof message);
}

struct frame packet_report(uint32_t from, uint8_t record, uint16_t sources, uint32_t group,
                           bool is_v6) {
    uint8_t message[200] = {is_v6 ? 143 : 0x22}, destination[16];
    size_t address = is_v6 ? 16 : 4, size = 12 + address + sources * address;
    assert_true(size <= sizeof message);
    wrn_store_be16(message + 6, 1);
    message[8] = record;
    wrn_store_be16(message + 10, sources);
    if (is_v6) {
        ipv6_address(message + 12, 0xff, 0x05, group);
        ipv6_address(destination, 0xff, 0x02, 0x16);
        return ipv6(from, 1, destination, ICMP6, 1, message, size);
    }
    wrn_store_be32(message + 12, 0xef010000 | group);
    wrn_store_be16(message + 2, (uint16_t)~wrn_switch_sum(0, (wrn_span){message, size}));
    return ipv4(from, 0x0a000001, 0xe0000016, IGMP, message, size);
}

static void group_mac(struct frame *frame, const uint8_t *ip, bool is_v6) {
    if (is_v6 && ip[0] == 0xff) {
        frame->bytes[0] = frame->bytes[1] = 0x33;
        memcpy(frame->bytes + 2, ip + 12, 4);
    } else if (!is_v6 && ip[0] >> 4 == 14) {
        memcpy(frame->bytes, (const uint8_t[]){1, 0, 0x5e, ip[1] & 0x7f, ip[2], ip[3]}, 6);
    }
}

static struct frame ipv4(uint32_t from, uint32_t source, uint32_t destination, uint8_t protocol,
                         const uint8_t *message, size_t size) {
    struct frame frame = lan_frame(LAN_BROADCAST, from, IPV4);
    uint8_t *ip = frame.bytes + 14;
    ip[0] = 0x45;
    wrn_store_be16(ip + 2, (uint16_t)(20 + size));
    ip[8] = 1;
    ip[9] = protocol;
    wrn_store_be32(ip + 12, source);
    wrn_store_be32(ip + 16, destination);
    memcpy(ip + 20, message, size);
    frame.size = 34 + size < 60 ? 60 : 34 + size;
    group_mac(&frame, ip + 16, false);
    return frame;
}

static struct frame ipv6(uint32_t from, uint32_t source, const uint8_t destination[16],
                         uint8_t protocol, uint8_t hop_limit, uint8_t *message, size_t size) {
    struct frame frame = lan_frame(LAN_BROADCAST, from, IPV6);
    uint8_t *ip = frame.bytes + 14;
    ip[0] = 0x60;
    wrn_store_be16(ip + 4, (uint16_t)size);
    ip[6] = protocol;
    ip[7] = hop_limit;
    if (source != 0) {
        ipv6_address(ip + 8, 0xfe, 0x80, source);
    }
    memcpy(ip + 24, destination, 16);
    memcpy(ip + 40, message, size);
    frame.size = 54 + size;
    group_mac(&frame, ip + 24, true);
    return frame;
}

static void ipv6_address(uint8_t ip[16], uint8_t first, uint8_t second, uint32_t number) {
    memset(ip, 0, 16);
    ip[0] = first;
    ip[1] = second;
    wrn_store_be32(ip + 12, number);
}
