/* SPDX-License-Identifier: Apache-2.0 */
/* Which IP address has which MAC, from ARP and neighbour discovery: answers the host's side from
 * what is known and fresh, and sees when two claim one address. The control thread's alone.
 * Sources: RFC 826 (ARP), 5227 (probes and announcements), 4861 (neighbour discovery). */
#include "switch/switch_internal.h"

#include "base/keymap.h"

enum {
    ARP_REQUEST = 1,
    ARP_REPLY = 2,
    ARP_SENDER_MAC = 8, /* offsets in an ARP packet */
    ARP_SENDER = 14,
    ARP_TARGET_MAC = 18,
    ARP_TARGET = 24,
    ARP_SIZE = 28,
    ND_TARGET = 8, /* offsets in a solicitation or advertisement */
    ND_OPTIONS = 24,
    ND_ROUTER_OPTIONS = 16,
    ND_IS_ROUTER = 0x80,
    ND_IS_SOLICITED = 0x40,
    ND_OVERRIDES = 0x20,
    ND_SOURCE_LINK = 1,
    ND_TARGET_LINK = 2,
    ND_LINK_SIZE = 8,
    ND_ADVERTISEMENT = 136,
    IPV6_SIZE = 40,
    IPV6_SOURCE = 8,
    IPV6_DESTINATION = 24,
    IPV6_ICMP = 58,
    FRAME_MIN = 60,
    FRESH_S = 60,    /* whose MAC was heard so lately is there */
    DISPUTED_S = 60, /* so long nobody speaks for an address that two claim */
    CLAIM_MAX_S = 3600,
};

/* What a frame says. */
struct claim {
    struct wrn_ip ip;
    bool is_router, says_router; /* whether it is one; whether the frame says that or not */
};

static bool read_claim(const struct wrn_switch_head *head, struct claim *ret_claim);
static bool link_option(const struct wrn_switch_head *head, size_t at, uint8_t type);
static bool is_host(const struct wrn_ip *ip);
static void claim(struct wrn_switch *sw, wrn_mono now, uint32_t port,
                  const struct wrn_switch_head *head, const struct claim *claim,
                  struct wrn_switch_out *out);
static bool is_heard(const struct wrn_switch *sw, uint32_t now_s, const uint8_t *mac, uint16_t vlan,
                     uint32_t port);
static uint32_t add(struct wrn_switch *sw, uint32_t port, uint16_t vlan, const struct claim *claim);
static bool has_room(const struct wrn_switch *sw, uint32_t port);
static void drop(struct wrn_switch *sw, uint32_t index);
static uint32_t find(const struct wrn_switch *sw, uint16_t vlan, const struct wrn_ip *ip);
static uint64_t hash_of(const struct wrn_switch *sw, uint16_t vlan, const struct wrn_ip *ip);
static void write_arp(const struct wrn_switch_head *head, const uint8_t *mac, uint8_t *arp);
static void write_advertisement(const struct wrn_switch_head *head, const uint8_t *mac,
                                bool is_router, uint8_t *ip);

bool wrn_switch_is_question(const struct wrn_switch_head *head, struct wrn_ip *ret_target) {
    const uint8_t *body = head->body.data;
    static const uint8_t zero[16];
    *ret_target = (struct wrn_ip){0};
    if (!head->is_group) {
        return false; /* somebody makes sure that a neighbour is still there */
    }
    if (head->kind == WRN_SWITCH_ARP) {
        memcpy(ret_target->bytes, body + ARP_TARGET, 4);
        ret_target->family = WRN_FAMILY_IPV4;
        return wrn_load_be16(body + 6) == ARP_REQUEST && wrn_load_be32(body + ARP_SENDER) != 0 &&
               memcmp(body + ARP_SENDER, body + ARP_TARGET, 4) != 0;
    }
    if (head->kind == WRN_SWITCH_SOLICITATION && head->message.size >= ND_OPTIONS) {
        memcpy(ret_target->bytes, head->message.data + ND_TARGET, 16);
        ret_target->family = WRN_FAMILY_IPV6;
        return memcmp(body + IPV6_SOURCE, zero, 16) != 0 && is_host(ret_target);
    }
    return false;
}

void wrn_switch_neighbour_learn(struct wrn_switch *sw, wrn_mono now, uint32_t port,
                                const struct wrn_switch_head *head, struct wrn_switch_out *out) {
    struct claim said;
    if (read_claim(head, &said) && is_host(&said.ip)) {
        claim(sw, now, port, head, &said, out);
    }
}

bool wrn_switch_neighbour_answer(const struct wrn_switch *sw, wrn_mono now,
                                 const struct wrn_switch_head *head,
                                 struct wrn_switch_frame *frame) {
    struct wrn_ip target;
    uint32_t now_s = wrn_switch_seconds(sw, now);
    if (!wrn_switch_is_question(head, &target)) {
        return false;
    }
    uint32_t index = find(sw, head->vlan, &target);
    const struct wrn_switch_neighbour_entry *entry = &sw->neighbours[index];
    if (index == 0 || entry->port == WRN_SWITCH_HOST || entry->disputed_until_s > now_s ||
        (target.family == WRN_FAMILY_IPV6 && !entry->says_router) ||
        !is_heard(sw, now_s, entry->mac, head->vlan, entry->port)) {
        return false;
    }
    /* the same head as the question's, tags too, the other way round */
    size_t start = (size_t)(head->body.data - head->destination);
    memset(frame->bytes, 0, FRAME_MIN + 8);
    memcpy(frame->bytes, head->source, WRN_MAC_ADDRESS_SIZE);
    memcpy(frame->bytes + WRN_MAC_ADDRESS_SIZE, entry->mac, WRN_MAC_ADDRESS_SIZE);
    memcpy(frame->bytes + 2 * (size_t)WRN_MAC_ADDRESS_SIZE,
           head->destination + 2 * (size_t)WRN_MAC_ADDRESS_SIZE,
           start - 2 * (size_t)WRN_MAC_ADDRESS_SIZE);
    if (head->kind == WRN_SWITCH_ARP) {
        write_arp(head, entry->mac, frame->bytes + start);
        frame->size = (uint32_t)start + ARP_SIZE;
    } else {
        write_advertisement(head, entry->mac, entry->is_router, frame->bytes + start);
        frame->size = (uint32_t)start + IPV6_SIZE + ND_OPTIONS + ND_LINK_SIZE;
    }
    frame->size = frame->size < FRAME_MIN ? FRAME_MIN : frame->size;
    frame->to_host = true;
    frame->is_whole = false;
    frame->count = 0;
    return true;
}

void wrn_switch_neighbour_forget(struct wrn_switch *sw, uint32_t port) {
    for (uint32_t i = 1; i <= sw->neighbour_chains.touched; i++) {
        if (sw->neighbours[i].ip.family != WRN_FAMILY_NONE && sw->neighbours[i].port == port) {
            drop(sw, i);
        }
    }
}

void wrn_switch_neighbour_sweep(struct wrn_switch *sw, uint32_t now_s) {
    for (uint32_t i = 1; i <= sw->neighbour_chains.touched; i++) {
        const struct wrn_switch_neighbour_entry *entry = &sw->neighbours[i];
        if (entry->ip.family == WRN_FAMILY_NONE) {
            continue;
        }
        const struct wrn_switch_mac_entry *mac =
            wrn_switch_mac_find(sw, wrn_switch_mac_key(entry->mac, entry->vlan));
        if (mac == NULL || now_s - entry->claimed_s >= CLAIM_MAX_S ||
            atomic_load_explicit(&mac->port, memory_order_relaxed) != entry->port) {
            drop(sw, i);
        }
    }
}

bool wrn_switch_next_neighbour(const struct wrn_switch *sw, wrn_mono now, uint32_t *cursor,
                               struct wrn_switch_neighbour *ret_neighbour) {
    uint32_t now_s = wrn_switch_seconds(sw, now);
    while (*cursor < sw->neighbour_chains.touched) {
        const struct wrn_switch_neighbour_entry *entry = &sw->neighbours[++*cursor];
        if (entry->ip.family == WRN_FAMILY_NONE) {
            continue;
        }
        *ret_neighbour = (struct wrn_switch_neighbour){
            .ip = entry->ip,
            .vlan = entry->vlan,
            .peer = wrn_switch_peer_of(sw, entry->port),
            .age_s = now_s - entry->claimed_s,
        };
        memcpy(ret_neighbour->mac, entry->mac, sizeof entry->mac);
        return true;
    }
    return false;
}

/* ---- what frames say */

/* Only what speaks for its own sender counts: the MAC in it is the frame's source. */
static bool read_claim(const struct wrn_switch_head *head, struct claim *ret_claim) {
    const uint8_t *body = head->body.data;
    *ret_claim = (struct claim){.ip.family = WRN_FAMILY_IPV6};
    switch (head->kind) {
    case WRN_SWITCH_ARP:
        ret_claim->ip.family = WRN_FAMILY_IPV4;
        memcpy(ret_claim->ip.bytes, body + ARP_SENDER, 4);
        return memcmp(body + ARP_SENDER_MAC, head->source, WRN_MAC_ADDRESS_SIZE) == 0;
    case WRN_SWITCH_SOLICITATION:
        memcpy(ret_claim->ip.bytes, body + IPV6_SOURCE, 16);
        return link_option(head, ND_OPTIONS, ND_SOURCE_LINK);
    case WRN_SWITCH_ADVERTISEMENT:
        if (head->message.size < ND_OPTIONS) {
            return false;
        }
        memcpy(ret_claim->ip.bytes, head->message.data + ND_TARGET, 16);
        ret_claim->says_router = true;
        ret_claim->is_router = (head->message.data[4] & ND_IS_ROUTER) != 0;
        return link_option(head, ND_OPTIONS, ND_TARGET_LINK);
    case WRN_SWITCH_ROUTER:
        memcpy(ret_claim->ip.bytes, body + IPV6_SOURCE, 16);
        ret_claim->says_router = ret_claim->is_router = true;
        return link_option(head, ND_ROUTER_OPTIONS, ND_SOURCE_LINK);
    default:
        return false;
    }
}

/* Tells whether the options from 'at' on have a link-layer address, and it is the source's. */
static bool link_option(const struct wrn_switch_head *head, size_t at, uint8_t type) {
    wrn_span message = head->message;
    while (at + ND_LINK_SIZE <= message.size) {
        size_t size = (size_t)message.data[at + 1] * 8;
        if (message.data[at] == type) {
            return size == ND_LINK_SIZE &&
                   memcmp(message.data + at + 2, head->source, WRN_MAC_ADDRESS_SIZE) == 0;
        }
        if (size == 0) {
            return false;
        }
        at += size;
    }
    return false;
}

/* An address that one host can have. */
static bool is_host(const struct wrn_ip *ip) {
    static const uint8_t zero[15];
    if (ip->family == WRN_FAMILY_IPV4) {
        return ip->bytes[0] != 0 && ip->bytes[0] != 127 && ip->bytes[0] < 224;
    }
    return ip->bytes[0] != 0xff && (memcmp(ip->bytes, zero, sizeof zero) != 0 || ip->bytes[15] > 1);
}

/* ---- the table */

static void claim(struct wrn_switch *sw, wrn_mono now, uint32_t port,
                  const struct wrn_switch_head *head, const struct claim *claim,
                  struct wrn_switch_out *out) {
    uint32_t now_s = wrn_switch_seconds(sw, now);
    uint32_t index = find(sw, head->vlan, &claim->ip);
    if (index == 0) {
        index = add(sw, port, head->vlan, claim);
        if (index == 0) {
            return;
        }
        memcpy(sw->neighbours[index].mac, head->source, WRN_MAC_ADDRESS_SIZE);
    }
    struct wrn_switch_neighbour_entry *entry = &sw->neighbours[index];
    if (memcmp(entry->mac, head->source, WRN_MAC_ADDRESS_SIZE) != 0) {
        if (is_heard(sw, now_s, entry->mac, entry->vlan, entry->port)) {
            struct wrn_switch_event *event =
                wrn_switch_tell(sw, now, out, port, WRN_SWITCH_EVENT_DUPLICATE);
            entry->disputed_until_s = now_s + DISPUTED_S;
            if (event != NULL) {
                event->ip = entry->ip;
                event->vlan = entry->vlan;
                memcpy(event->mac, head->source, sizeof event->mac);
                memcpy(event->other_mac, entry->mac, sizeof event->other_mac);
                memcpy(event->other, sw->ports[entry->port].name, sizeof event->other);
            }
        }
        entry->says_router = entry->is_router = false;
    }
    if (entry->port != port) {
        if (!has_room(sw, port)) {
            drop(sw, index);
            return;
        }
        sw->ports[entry->port].neighbours--;
        sw->ports[port].neighbours++;
        entry->port = port;
    }
    memcpy(entry->mac, head->source, sizeof entry->mac);
    entry->claimed_s = now_s;
    if (claim->says_router) {
        entry->says_router = true;
        entry->is_router = claim->is_router;
    }
}

/* Tells whether a MAC is where it was, and was heard lately. */
static bool is_heard(const struct wrn_switch *sw, uint32_t now_s, const uint8_t *mac, uint16_t vlan,
                     uint32_t port) {
    const struct wrn_switch_mac_entry *entry =
        wrn_switch_mac_find(sw, wrn_switch_mac_key(mac, vlan));
    if (entry == NULL || atomic_load_explicit(&entry->port, memory_order_relaxed) != port) {
        return false;
    }
    uint32_t heard_s = atomic_load_explicit(&entry->heard_s, memory_order_relaxed);
    return now_s < heard_s + FRESH_S && !wrn_switch_mac_is_old(sw, entry, now_s);
}

static uint32_t add(struct wrn_switch *sw, uint32_t port, uint16_t vlan,
                    const struct claim *claim) {
    uint32_t index = has_room(sw, port) ? wrn_switch_chains_take(sw, &sw->neighbour_chains) : 0;
    if (index != 0) {
        sw->neighbours[index] =
            (struct wrn_switch_neighbour_entry){.ip = claim->ip, .vlan = vlan, .port = port};
        sw->ports[port].neighbours++;
        wrn_switch_chains_link(&sw->neighbour_chains, hash_of(sw, vlan, &claim->ip), index);
    }
    return index;
}

static bool has_room(const struct wrn_switch *sw, uint32_t port) {
    return sw->ports[port].neighbours < sw->options.neighbours_max / 4;
}

/* No lane looks at these: they are free at once. */
static void drop(struct wrn_switch *sw, uint32_t index) {
    struct wrn_switch_neighbour_entry *entry = &sw->neighbours[index];
    sw->ports[entry->port].neighbours--;
    wrn_switch_chains_unlink(&sw->neighbour_chains, hash_of(sw, entry->vlan, &entry->ip), index);
    wrn_switch_chains_reclaim(&sw->neighbour_chains);
    entry->ip.family = WRN_FAMILY_NONE;
}

static uint32_t find(const struct wrn_switch *sw, uint16_t vlan, const struct wrn_ip *ip) {
    uint32_t index = wrn_switch_chains_first(&sw->neighbour_chains, hash_of(sw, vlan, ip));
    while (index != 0 &&
           (sw->neighbours[index].vlan != vlan || !wrn_ip_equal(&sw->neighbours[index].ip, ip))) {
        index = wrn_switch_chains_next(&sw->neighbour_chains, index);
    }
    return index;
}

static uint64_t hash_of(const struct wrn_switch *sw, uint16_t vlan, const struct wrn_ip *ip) {
    uint8_t bytes[19];
    memcpy(bytes, ip->bytes, 16);
    bytes[16] = ip->family;
    wrn_store_be16(bytes + 17, vlan);
    return wrn_siphash(sw->seed, bytes, sizeof bytes);
}

/* ---- answers */

static void write_arp(const struct wrn_switch_head *head, const uint8_t *mac, uint8_t *arp) {
    const uint8_t *asked = head->body.data;
    memcpy(arp, asked, 6);
    wrn_store_be16(arp + 6, ARP_REPLY);
    memcpy(arp + ARP_SENDER_MAC, mac, WRN_MAC_ADDRESS_SIZE);
    memcpy(arp + ARP_SENDER, asked + ARP_TARGET, 4);
    memcpy(arp + ARP_TARGET_MAC, asked + ARP_SENDER_MAC, WRN_MAC_ADDRESS_SIZE + 4);
}

/* RFC 4861, 4.4 and 7.2.4: solicited, and it may replace what is known. */
static void write_advertisement(const struct wrn_switch_head *head, const uint8_t *mac,
                                bool is_router, uint8_t *ip) {
    enum { SIZE = ND_OPTIONS + ND_LINK_SIZE };
    uint8_t *message = ip + IPV6_SIZE;
    uint8_t pseudo[8] = {0, 0, 0, SIZE, 0, 0, 0, IPV6_ICMP};
    memset(ip, 0, IPV6_SIZE + SIZE);
    ip[0] = 0x60;
    wrn_store_be16(ip + 4, SIZE);
    ip[6] = IPV6_ICMP;
    ip[7] = 255;
    memcpy(ip + IPV6_SOURCE, head->message.data + ND_TARGET, 16);
    memcpy(ip + IPV6_DESTINATION, head->body.data + IPV6_SOURCE, 16);
    message[0] = ND_ADVERTISEMENT;
    message[4] = (uint8_t)(ND_IS_SOLICITED | ND_OVERRIDES | (is_router ? ND_IS_ROUTER : 0));
    memcpy(message + ND_TARGET, head->message.data + ND_TARGET, 16);
    message[ND_OPTIONS] = ND_TARGET_LINK;
    message[ND_OPTIONS + 1] = ND_LINK_SIZE / 8;
    memcpy(message + ND_OPTIONS + 2, mac, WRN_MAC_ADDRESS_SIZE);
    uint32_t sum = wrn_switch_sum(0, (wrn_span){ip + IPV6_SOURCE, 32});
    sum = wrn_switch_sum(sum, (wrn_span){pseudo, sizeof pseudo});
    sum = wrn_switch_sum(sum, (wrn_span){message, SIZE});
    wrn_store_be16(message + 2, (uint16_t)~sum);
}
