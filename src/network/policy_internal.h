/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the policy share: a packet as it was read, rules asked, the table. Not for
 * others, but for tests. */
#pragma once
#include "network/policy.h"

/* Protocols as rules have them: those with a name stand behind the numbers. */
enum {
    WRN_POLICY_TCP = 256,
    WRN_POLICY_UDP = 257,
    WRN_POLICY_ICMP = 258,
    WRN_POLICY_PROTOCOL_MAX = WRN_POLICY_ICMP,
};

/* Ports as rules have them. */
enum { WRN_POLICY_PORT_NONE = 65536 };

/* No later fragment begins before this byte of what is fragmented, and all headers of a first one
 * end before it. So whatever fragments a receiver puts together, the headers are those of one first
 * fragment that passed. Real fragments are many times as long (RFC 791: 576 bytes, RFC 8200:
 * 1,280). */
enum { WRN_POLICY_HEADERS_MAX4 = 64, WRN_POLICY_HEADERS_MAX6 = 256 };

enum wrn_policy_fragment { WRN_POLICY_WHOLE, WRN_POLICY_FIRST, WRN_POLICY_LATER };

enum {
    WRN_POLICY_TCP_FIN = 0x01,
    WRN_POLICY_TCP_SYN = 0x02,
    WRN_POLICY_TCP_RST = 0x04,
    WRN_POLICY_TCP_ACK = 0x10,
};

/* What a packet says of itself. A LATER fragment has addresses, protocol and id only. */
struct wrn_policy_packet {
    uint64_t source[2], destination[2]; /* numbers, the high half first; IPv4 in the low one */
    uint32_t port;                      /* for rules: destination's, ICMP type, or PORT_NONE */
    /* TCP, UDP; of an ICMP query or reply the identifier, and 0; else 0. */
    uint16_t source_port, destination_port;
    uint32_t fragment_id;
    uint16_t protocol;           /* as in rules */
    uint8_t fragmented_protocol; /* IPv4: the header's. IPv6: 0, receivers do not tell by it */
    uint8_t family;              /* enum wrn_family */
    uint8_t fragment;            /* enum wrn_policy_fragment */
    uint8_t tcp_flags;
    wrn_span quote; /* of an ICMP error: the packet that it is about; else 'data' is NULL */
};

/* Reads an IP packet; 'is_quote': what an ICMP error has of one, which may end behind the first 8
 * bytes of the transport header. Returns NONE, or why it is refused (then 'ret_packet' has nothing
 * useful). Source: RFC 791, 792, 1858, 4443, 5095, 6946, 7112, 8200. */
enum wrn_policy_refusal wrn_policy_read(wrn_span bytes, bool is_quote,
                                        struct wrn_policy_packet *ret_packet);

/* An address as a number. */
void wrn_policy_address(const uint8_t *bytes, uint8_t family, uint64_t ret_number[2]);

/* The protocol of a number in an IP header, as in rules. ICMP of the other family is just a number:
 * it is nothing that anybody speaks. */
static inline uint16_t wrn_policy_protocol(uint8_t family, uint8_t number) {
    uint8_t icmp = family == WRN_FAMILY_IPV4 ? 1 : 58;
    return number == 6      ? WRN_POLICY_TCP
           : number == 17   ? WRN_POLICY_UDP
           : number == icmp ? WRN_POLICY_ICMP
                            : number;
}

/* Makes the packet that answers 'packet': as far as rules and conversations look at it. Returns
 * false for ICMP messages that nothing answers. */
bool wrn_policy_answer_of(const struct wrn_policy_packet *packet,
                          struct wrn_policy_packet *ret_answer);

/* Makes the packet that 'packet' is the answer to. Returns false if it can answer nothing: a
 * TCP SYN alone, an ICMP message that is no reply. */
bool wrn_policy_answered_by(const struct wrn_policy_packet *packet,
                            struct wrn_policy_packet *ret_asked);

/* Finds the rule that covers a packet. Returns NULL and in 'ret_why' how far the nearest one came:
 * NO_PROTOCOL, NO_PORT or NO_DESTINATION. */
const struct wrn_policy_rule *wrn_policy_match(const struct wrn_policy_rules *rules,
                                               const struct wrn_policy_packet *packet,
                                               enum wrn_policy_refusal *ret_why);

/* ---- The table. A key is what a name is made of, and the 32 bits that are kept exactly. */
struct wrn_policy_key {
    uint64_t name;
    uint32_t exact;
};

/* What is known of a conversation; ORDER: those that give way first are the smaller. */
enum wrn_policy_kind {
    WRN_POLICY_KIND_FREE, /* the whole state is 0 */
    WRN_POLICY_KIND_FRAGMENT,
    WRN_POLICY_KIND_UNANSWERED,
    WRN_POLICY_KIND_TCP_OPENING,
    WRN_POLICY_KIND_ICMP,
    WRN_POLICY_KIND_LAST_ONE_SIDED = WRN_POLICY_KIND_ICMP,
    WRN_POLICY_KIND_TCP_CLOSED,
    WRN_POLICY_KIND_ANSWERED,
    WRN_POLICY_KIND_TCP_ANSWERED,
    WRN_POLICY_KIND_TCP_ESTABLISHED,
    WRN_POLICY_KIND_TCP_BEGINNER_DONE, /* the one that began has said FIN */
    WRN_POLICY_KIND_TCP_ANSWERER_DONE,
    WRN_POLICY_KIND_TAKEN = 15, /* somebody is writing */
};

/* A believed entry. */
struct wrn_policy_found {
    struct wrn_policy_entry *entry;
    uint64_t state;
};

/* The key of the conversation that 'began' (its sender's direction) with 'packet', and of the
 * fragments that belong to one. */
struct wrn_policy_key wrn_policy_key(const struct wrn_policy *policy, uint64_t peer,
                                     enum wrn_policy_direction began,
                                     const struct wrn_policy_packet *packet);
struct wrn_policy_key wrn_policy_fragment_key(const struct wrn_policy *policy, uint64_t peer,
                                              enum wrn_policy_direction direction,
                                              const struct wrn_policy_packet *packet);

/* Seconds since init, as states have them. */
uint32_t wrn_policy_seconds(const struct wrn_policy *policy, wrn_mono now);

/* Looks for an entry that has not ended. */
bool wrn_policy_find(const struct wrn_policy_table *table, struct wrn_policy_key key,
                     uint32_t now_s, struct wrn_policy_found *ret_found);

/* Notes a key that was not found. Returns false, counted, if others were writing everywhere. */
bool wrn_policy_note(struct wrn_policy_table *table, struct wrn_policy_key key, uint32_t now_s,
                     enum wrn_policy_kind kind, struct wrn_policy_counts *counts);

/* What is known. */
enum wrn_policy_kind wrn_policy_kind_of(uint64_t state);

/* Goes on to 'kind' and prolongs the entry, unless that changes nothing or the entry has changed
 * meanwhile. */
void wrn_policy_go_on(const struct wrn_policy_found *found, uint32_t now_s,
                      enum wrn_policy_kind kind);

/* Adds one to a count of this thread. */
static inline void wrn_policy_count(_Atomic uint64_t *count) {
    uint64_t before = atomic_load_explicit(count, memory_order_relaxed);
    atomic_store_explicit(count, before + 1, memory_order_relaxed);
}
