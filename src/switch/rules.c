/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to compiled frame rules. */
#include "switch/rules.h"

static bool begins_with(const uint8_t mac[WRN_MAC_ADDRESS_SIZE], const struct wrn_frame_macs *macs);

bool wrn_frame_rules_type(const struct wrn_frame_rules *rules, uint16_t ethertype) {
    for (size_t i = 0; i < rules->type_count && !rules->any_type; i++) {
        if (rules->types[i].low <= ethertype && ethertype <= rules->types[i].high) {
            return true;
        }
    }
    return rules->any_type;
}

bool wrn_frame_rules_mac(const struct wrn_frame_rules *rules,
                         const uint8_t mac[WRN_MAC_ADDRESS_SIZE]) {
    return rules->any_mac || wrn_frame_rules_names(rules, mac);
}

bool wrn_frame_rules_names(const struct wrn_frame_rules *rules,
                           const uint8_t mac[WRN_MAC_ADDRESS_SIZE]) {
    for (size_t i = 0; i < rules->mac_count; i++) {
        if (begins_with(mac, &rules->macs[i])) {
            return true;
        }
    }
    return false;
}

bool wrn_frame_rules_ip(const struct wrn_frame_rules *rules, const struct wrn_ip *ip) {
    static const uint8_t zero[16];
    size_t size = ip->family == WRN_FAMILY_IPV4 ? 4 : 16;
    bool is_link_local =
        ip->family == WRN_FAMILY_IPV6 && ip->bytes[0] == 0xfe && ip->bytes[1] >> 6 == 2;
    if (!rules->is_bound || is_link_local || memcmp(ip->bytes, zero, size) == 0) {
        return true;
    }
    for (size_t i = 0; i < rules->range_count; i++) {
        const struct wrn_frame_range *range = &rules->ranges[i];
        if (range->low.family == ip->family && memcmp(range->low.bytes, ip->bytes, size) <= 0 &&
            memcmp(ip->bytes, range->high.bytes, size) <= 0) {
            return true;
        }
    }
    return false;
}

static bool begins_with(const uint8_t mac[WRN_MAC_ADDRESS_SIZE],
                        const struct wrn_frame_macs *macs) {
    for (unsigned at = 0; at < macs->bits; at += 8) {
        unsigned left = macs->bits - at;
        uint8_t mask = left >= 8 ? 0xff : (uint8_t)(0xff << (8 - left));
        if (((mac[at / 8] ^ macs->bytes[at / 8]) & mask) != 0) {
            return false;
        }
    }
    return true;
}
