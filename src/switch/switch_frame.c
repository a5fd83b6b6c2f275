/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what a frame is: its addresses behind up to two tags, and which of the protocols that a
 * switch looks into. Every length is checked; what is malformed is a plain frame. Decides nothing.
 * Sources: IEEE 802.1Q-2018, 9 (tags), 8.6.3 (reserved addresses); RFC 791, 826, 4861, 8200. */
#include "switch/switch_internal.h"

enum {
    TYPE_IPV4 = 0x0800,
    TYPE_ARP = 0x0806,
    TYPE_IPV6 = 0x86dd,
    TYPE_TAG = 0x8100,         /* IEEE 802.1Q, customer */
    TYPE_SERVICE_TAG = 0x88a8, /* IEEE 802.1ad */
    TYPE_OLD_TAG = 0x9100,     /* what was used before 802.1ad */
    TYPE_MIN = 1536,           /* below: a length */
    TAGS_MAX = 2,
    TAG_SIZE = 4,
    VLAN_MASK = 0x0fff,
    ARP_SIZE = 28,
    IPV4_MIN = 20,
    IPV6_SIZE = 40,
    PROTOCOL_HOP_BY_HOP = 0,
    PROTOCOL_IGMP = 2,
    PROTOCOL_TCP = 6,
    PROTOCOL_UDP = 17,
    PROTOCOL_ROUTING = 43,
    PROTOCOL_FRAGMENT = 44,
    PROTOCOL_ICMP6 = 58,
    PROTOCOL_OPTIONS = 60,
    PROTOCOL_PIM = 103,
    EXTENSIONS_MAX = 8,
    ICMP6_MLD_QUERY = 130,
    ICMP6_MLD_DONE = 132,
    ICMP6_ROUTER_SOLICITATION = 133,
    ICMP6_ROUTER = 134,
    ICMP6_SOLICITATION = 135,
    ICMP6_ADVERTISEMENT = 136,
    ICMP6_MLD2_REPORT = 143,
    PIM_HELLO = 0x20, /* version 2, type 0 */
};

static bool is_tag(uint16_t type);
static bool is_reserved(const uint8_t *mac);
static void read_arp(struct wrn_switch_head *head);
static void read_ipv4(struct wrn_switch_head *head);
static void read_ipv6(struct wrn_switch_head *head);
static void read_udp(struct wrn_switch_head *head);
static void read_icmp6(struct wrn_switch_head *head);

enum wrn_switch_refusal wrn_switch_read(wrn_span frame, struct wrn_switch_head *ret_head) {
    struct wrn_switch_head *head = ret_head;
    size_t at = WRN_SWITCH_FRAME_MIN - 2; /* behind the addresses */
    *head = (struct wrn_switch_head){0};
    if (frame.size < WRN_SWITCH_FRAME_MIN) {
        return WRN_SWITCH_SHORT;
    }
    head->destination = frame.data;
    head->source = frame.data + WRN_MAC_ADDRESS_SIZE;
    head->type = wrn_load_be16(frame.data + at);
    for (size_t tags = 0; tags < TAGS_MAX && is_tag(head->type); tags++) {
        if (frame.size < at + TAG_SIZE + 2) {
            return WRN_SWITCH_SHORT;
        }
        if (tags == 0) {
            head->vlan = wrn_load_be16(frame.data + at + 2) & VLAN_MASK;
        }
        at += TAG_SIZE;
        head->type = wrn_load_be16(frame.data + at);
    }
    head->body = (wrn_span){frame.data + at + 2, frame.size - at - 2};
    head->is_group = (head->destination[0] & 1) != 0;
    head->destination_key = wrn_switch_mac_key(head->destination, head->vlan);
    head->source_key = wrn_switch_mac_key(head->source, head->vlan);
    if ((head->source[0] & 1) != 0 || head->source_key >> 16 == 0) {
        return WRN_SWITCH_BAD_SOURCE;
    }
    if (is_reserved(head->destination)) {
        return WRN_SWITCH_LINK_LOCAL;
    }
    switch (head->type) {
    case TYPE_IPV4:
        read_ipv4(head);
        break;
    case TYPE_IPV6:
        read_ipv6(head);
        break;
    case TYPE_ARP:
        read_arp(head);
        break;
    case WRN_SWITCH_GUARD_TYPE:
        head->kind = wrn_switch_guard_is(head->body) ? WRN_SWITCH_PROBE : WRN_SWITCH_PLAIN;
        break;
    default:
        head->type = head->type < TYPE_MIN ? 0 : head->type;
        break;
    }
    return WRN_SWITCH_NONE;
}

bool wrn_switch_group_of(const struct wrn_switch_head *head, struct wrn_ip *ret_group) {
    const uint8_t *body = head->body.data;
    *ret_group = (struct wrn_ip){0};
    if (!head->is_group) {
        return false;
    }
    if (head->family == WRN_FAMILY_IPV4 && head->body.size >= IPV4_MIN) {
        memcpy(ret_group->bytes, body + 16, 4);
        ret_group->family = WRN_FAMILY_IPV4;
        return body[16] >> 4 == 14 && wrn_load_be32(body + 16) >> 8 != 0xe00000;
    }
    if (head->family == WRN_FAMILY_IPV6 && head->body.size >= IPV6_SIZE) {
        memcpy(ret_group->bytes, body + 24, 16);
        ret_group->family = WRN_FAMILY_IPV6;
        return body[24] == 0xff && (body[25] & 15) > 2;
    }
    return false;
}

uint32_t wrn_switch_sum(uint32_t sum, wrn_span bytes) {
    for (size_t i = 0; i + 1 < bytes.size; i += 2) {
        sum += wrn_load_be16(bytes.data + i);
        sum = (sum & 0xffff) + (sum >> 16);
    }
    if (bytes.size % 2 != 0) {
        sum += (uint32_t)bytes.data[bytes.size - 1] << 8;
    }
    return (sum & 0xffff) + (sum >> 16);
}

static bool is_tag(uint16_t type) {
    return type == TYPE_TAG || type == TYPE_SERVICE_TAG || type == TYPE_OLD_TAG;
}

/* 01:80:c2:00:00:00 to 0f: no bridge sends them on. */
static bool is_reserved(const uint8_t *mac) {
    static const uint8_t prefix[] = {0x01, 0x80, 0xc2, 0x00, 0x00};
    return memcmp(mac, prefix, sizeof prefix) == 0 && mac[5] < 0x10;
}

static void read_arp(struct wrn_switch_head *head) {
    static const uint8_t ethernet_ipv4[] = {0, 1, 0x08, 0x00, 6, 4};
    if (head->body.size >= ARP_SIZE &&
        memcmp(head->body.data, ethernet_ipv4, sizeof ethernet_ipv4) == 0) {
        head->kind = WRN_SWITCH_ARP;
    }
}

static void read_ipv4(struct wrn_switch_head *head) {
    const uint8_t *ip = head->body.data;
    head->family = WRN_FAMILY_IPV4;
    if (head->body.size < IPV4_MIN || ip[0] >> 4 != 4 || ip[9] == PROTOCOL_TCP) {
        return;
    }
    size_t header = (size_t)(ip[0] & 15) * 4;
    size_t total = wrn_load_be16(ip + 2);
    uint16_t fragment = wrn_load_be16(ip + 6);
    total = total < head->body.size ? total : head->body.size; /* behind it is padding */
    if (header < IPV4_MIN || header > total) {
        return;
    }
    head->is_fragment = (fragment & 0x3fff) != 0;
    head->message = (wrn_span){ip + header, total - header};
    if ((fragment & 0x1fff) != 0) {
        return; /* its ports are in the first */
    }
    switch (ip[9]) {
    case PROTOCOL_UDP:
        read_udp(head);
        break;
    case PROTOCOL_IGMP:
        head->kind = head->is_fragment ? WRN_SWITCH_PLAIN : WRN_SWITCH_IGMP;
        break;
    case PROTOCOL_PIM:
        head->kind = head->message.size >= 1 && head->message.data[0] == PIM_HELLO
                         ? WRN_SWITCH_PIM
                         : WRN_SWITCH_PLAIN;
        break;
    default:
        break;
    }
}

static void read_ipv6(struct wrn_switch_head *head) {
    const uint8_t *ip = head->body.data;
    head->family = WRN_FAMILY_IPV6;
    if (head->body.size < IPV6_SIZE || ip[0] >> 4 != 6) {
        return;
    }
    size_t end = (size_t)IPV6_SIZE + wrn_load_be16(ip + 4);
    size_t at = IPV6_SIZE;
    uint8_t next = ip[6];
    end = end < head->body.size ? end : head->body.size;
    for (int i = 0; i < EXTENSIONS_MAX && at + 8 <= end; i++) {
        if (next == PROTOCOL_FRAGMENT) {
            head->is_fragment = true;
            if (wrn_load_be16(ip + at + 2) >> 3 != 0) {
                return;
            }
            next = ip[at];
            at += 8;
        } else if (next == PROTOCOL_HOP_BY_HOP || next == PROTOCOL_ROUTING ||
                   next == PROTOCOL_OPTIONS) {
            next = ip[at];
            at += ((size_t)ip[at + 1] + 1) * 8;
        } else {
            break;
        }
    }
    if (at > end) {
        return;
    }
    head->message = (wrn_span){ip + at, end - at};
    if (next == PROTOCOL_UDP) {
        read_udp(head);
    } else if (next == PROTOCOL_ICMP6) {
        read_icmp6(head);
    } else if (next == PROTOCOL_PIM && head->message.size >= 1 &&
               head->message.data[0] == PIM_HELLO) {
        head->kind = WRN_SWITCH_PIM;
    }
}

/* DHCP by the port that it goes to: what comes from a server's port may be anything, what goes to
 * one is read by a server, and what goes to a client's by a client. */
static void read_udp(struct wrn_switch_head *head) {
    bool is_v4 = head->family == WRN_FAMILY_IPV4;
    uint16_t to_server = is_v4 ? 67 : 547, to_client = is_v4 ? 68 : 546;
    if (head->message.size < 4) {
        return;
    }
    uint16_t port = wrn_load_be16(head->message.data + 2);
    head->udp_source = wrn_load_be16(head->message.data);
    if (port == to_client) {
        head->kind = WRN_SWITCH_DHCP_SERVER;
    } else if (port == to_server) {
        head->kind = WRN_SWITCH_DHCP_CLIENT;
    }
}

/* A fragment is none of them: hosts ignore such (RFC 6980). */
static void read_icmp6(struct wrn_switch_head *head) {
    if (head->message.size < 4 || head->is_fragment) {
        return;
    }
    uint8_t type = head->message.data[0];
    uint8_t hop_limit = head->body.data[7];
    if ((type >= ICMP6_MLD_QUERY && type <= ICMP6_MLD_DONE) || type == ICMP6_MLD2_REPORT) {
        head->kind = WRN_SWITCH_MLD;
    } else if (type == ICMP6_ROUTER) {
        head->kind = WRN_SWITCH_ROUTER;
    } else if (type == ICMP6_ROUTER_SOLICITATION) {
        head->kind = WRN_SWITCH_ROUTER_WANTED;
    } else if (hop_limit == 255 && type == ICMP6_SOLICITATION) {
        head->kind = WRN_SWITCH_SOLICITATION;
    } else if (hop_limit == 255 && type == ICMP6_ADVERTISEMENT) {
        head->kind = WRN_SWITCH_ADVERTISEMENT;
    }
}
