/* SPDX-License-Identifier: Apache-2.0 */
/* Whose an IP address is, where a member's rights say which it may use: what it sends must come
 * from these, and what it says about neighbours must be about these and its own MAC address.
 * Link-local addresses are everybody's, as they are in no capability. Sources: RFC 826, 4861,
 * 5227. */
#include "switch/switch_internal.h"

enum {
    TYPE_ARP = 0x0806,
    ARP_SENDER_MAC = 8, /* offsets in an ARP packet */
    ARP_SENDER = 14,
    IPV4_MIN = 20,
    IPV4_SOURCE = 12,
    IPV6_SIZE = 40,
    IPV6_SOURCE = 8,
    ND_TARGET = 8, /* offsets in a message */
    ND_OPTIONS = 24,
    ND_ROUTER_OPTIONS = 16,
    ND_SOURCE_LINK = 1,
    ND_TARGET_LINK = 2,
};

static bool claims(const struct wrn_frame_rules *rules, const struct wrn_switch_head *head,
                   struct wrn_ip *ret_ip);
static bool says_own_mac(const struct wrn_switch_head *head, size_t at, uint8_t type);
static struct wrn_ip ip_at(uint8_t family, const uint8_t *bytes);

bool wrn_switch_claims_own(const struct wrn_frame_rules *rules, const struct wrn_switch_head *head,
                           struct wrn_ip *ret_ip) {
    *ret_ip = (struct wrn_ip){0};
    return !rules->is_bound || claims(rules, head, ret_ip);
}

static bool claims(const struct wrn_frame_rules *rules, const struct wrn_switch_head *head,
                   struct wrn_ip *ret_ip) {
    const uint8_t *body = head->body.data;
    if (head->type == TYPE_ARP) {
        if (head->kind != WRN_SWITCH_ARP) {
            return false; /* of other protocols, or cut off: nobody could tell what it says */
        }
        *ret_ip = ip_at(WRN_FAMILY_IPV4, body + ARP_SENDER);
        return memcmp(body + ARP_SENDER_MAC, head->source, WRN_MAC_ADDRESS_SIZE) == 0 &&
               wrn_frame_rules_ip(rules, ret_ip);
    }
    if (head->family == WRN_FAMILY_NONE) {
        return true; /* no IP */
    }
    bool is_v4 = head->family == WRN_FAMILY_IPV4;
    if (head->body.size < (is_v4 ? IPV4_MIN : IPV6_SIZE) || body[0] >> 4 != (is_v4 ? 4 : 6)) {
        return false;
    }
    *ret_ip = ip_at(head->family, body + (is_v4 ? IPV4_SOURCE : IPV6_SOURCE));
    if (!wrn_frame_rules_ip(rules, ret_ip)) {
        return false;
    }
    switch (head->kind) {
    case WRN_SWITCH_SOLICITATION:
        return says_own_mac(head, ND_OPTIONS, ND_SOURCE_LINK);
    case WRN_SWITCH_ROUTER:
        return says_own_mac(head, ND_ROUTER_OPTIONS, ND_SOURCE_LINK);
    case WRN_SWITCH_ADVERTISEMENT:
        if (head->message.size < ND_OPTIONS) {
            return false;
        }
        *ret_ip = ip_at(WRN_FAMILY_IPV6, head->message.data + ND_TARGET);
        return wrn_frame_rules_ip(rules, ret_ip) && says_own_mac(head, ND_OPTIONS, ND_TARGET_LINK);
    default:
        return true;
    }
}

/* All link-layer addresses of that kind among the options are the frame's source. */
static bool says_own_mac(const struct wrn_switch_head *head, size_t at, uint8_t type) {
    wrn_span message = head->message;
    while (at + 8 <= message.size) {
        size_t size = (size_t)message.data[at + 1] * 8;
        if (message.data[at] == type &&
            memcmp(message.data + at + 2, head->source, WRN_MAC_ADDRESS_SIZE) != 0) {
            return false;
        }
        if (size == 0) {
            return false;
        }
        at += size;
    }
    return true;
}

static struct wrn_ip ip_at(uint8_t family, const uint8_t *bytes) {
    struct wrn_ip ip = {.family = family};
    memcpy(ip.bytes, bytes, family == WRN_FAMILY_IPV4 ? 4 : 16);
    return ip;
}
