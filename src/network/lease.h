/* SPDX-License-Identifier: Apache-2.0 */
/* The addresses of this node in one network: an IPv4 address that it leases in the DHT, an IPv6
 * address that is made from its HIT. Sets no address anywhere. Format: docs/network/lease.md. */
#pragma once
#include "network/claim.h"
#include "network/rights.h"

enum {
    WRN_LEASE_RANGES_MAX = WRN_RIGHTS_RANGES_MAX,
    WRN_LEASE_EXHAUSTIVE_MAX = 256, /* so many addresses are all tried in a round */
    WRN_LEASE_TRIES_MAX = 64,       /* ... of more, so many chosen at random */
    WRN_LEASE_TEXT_SIZE = 320,      /* of an explanation, with its zero byte */
};

/* Addresses from 'first' to 'last', as numbers. */
struct wrn_lease_range {
    uint32_t first, last;
};

enum wrn_lease_event_kind {
    WRN_LEASE_HELD,     /* 'ip' is ours; 'previous' was, or NONE: then 'holder' has it */
    WRN_LEASE_LOST,     /* 'ip' was ours: take it off the interface; 'holder' has it */
    WRN_LEASE_FULL,     /* no address of 'size' is free as far as 'tried' were asked for */
    WRN_LEASE_WAITING,  /* 'reason' keeps us from leasing */
    WRN_LEASE_RELEASED, /* we gave 'ip' back */
};

struct wrn_lease_event {
    enum wrn_lease_event_kind kind;
    enum wrn_reason reason;
    struct wrn_ip ip, previous; /* IPv4 */
    bool has_holder;
    uint8_t holder[WRN_HIT_SIZE];
    int64_t holder_since_s;
    uint32_t size;                  /* addresses that we might have */
    uint32_t tried, taken, refused; /* in this round */
    uint32_t retry_s;
    char text[WRN_LEASE_TEXT_SIZE]; /* all that as a sentence or two, the next step included */
};

struct wrn_lease_port {
    void *ctx;
    enum wrn_reason (*store)(void *ctx, const struct wrn_claim_request *request); /* claim.h */
    void (*event)(void *ctx, const struct wrn_lease_event *event); /* must not call back */
};

struct wrn_lease_options {
    struct wrn_prefix range; /* the network's IPv4 range; family NONE: it has none */
    /* What our certificates permit, as wrn_rights has it; NULL: all of the range. */
    const struct wrn_rights *rights;
    struct wrn_ip remembered; /* from disk; family NONE: nothing */
    uint8_t own[WRN_SIGN_PUBLIC_SIZE];
    uint16_t tag_top; /* see wrn_claim_init */
};

/* Fields are the machine's own. */
struct wrn_lease {
    struct wrn_claim claim;
    struct wrn_lease_port port;
    struct wrn_prefix range;
    struct wrn_lease_range ranges[WRN_LEASE_RANGES_MAX]; /* ascending, disjoint */
    uint32_t range_count, size;
    uint32_t remembered;  /* as a number; 0: none */
    uint32_t begin, step; /* of the walk through all addresses in this round */
    char name[WRN_LABEL_SIZE];
};

/* Prepares it; off. */
void wrn_lease_init(struct wrn_lease *lease, const struct wrn_lease_options *options,
                    const struct wrn_lease_port *port, const struct wrn_primitives *primitives,
                    struct wrn_rand rand);

/* Begins. Tries the remembered address first if it is permitted, then others: all of a range of up
 * to WRN_LEASE_EXHAUSTIVE_MAX, else WRN_LEASE_TRIES_MAX at random. False, and nothing is done, if
 * there is no address that we might have. */
bool wrn_lease_start(struct wrn_lease *lease, struct wrn_now now);

/* Ends; see wrn_claim_stop. */
void wrn_lease_stop(struct wrn_lease *lease, struct wrn_now now, bool release);

/* Our rights have changed: an address that they do not permit any more is given up. */
void wrn_lease_set_rights(struct wrn_lease *lease, struct wrn_now now,
                          const struct wrn_rights *rights);

/* Our name is another one ('label' with a zero byte, or ""), or our proof: the record is stored
 * again. */
void wrn_lease_set_name(struct wrn_lease *lease, struct wrn_now now, const char *label);

/* A peer has not found our lease: it is stored again, at most every 10 s. */
void wrn_lease_on_missing(struct wrn_lease *lease, struct wrn_now now);

/* See claim.h. */
void wrn_lease_on_answer(struct wrn_lease *lease, struct wrn_now now,
                         const struct wrn_dht_answer *answer);
void wrn_lease_on_lost(struct wrn_lease *lease, struct wrn_now now, wrn_span record,
                       wrn_span winner, enum wrn_reason reason);
void wrn_lease_on_connected(struct wrn_lease *lease, struct wrn_now now);
void wrn_lease_on_time(struct wrn_lease *lease, struct wrn_now now);
wrn_mono wrn_lease_due(const struct wrn_lease *lease);

/* Returns the address that we have; family NONE if none. To be remembered on disk. */
struct wrn_ip wrn_lease_address(const struct wrn_lease *lease);
enum wrn_claim_state wrn_lease_state(const struct wrn_lease *lease);

/* Tells whether an IPv4 address may be a node's: in the range, and not its first (the network's),
 * second (kept for gateways and the resolver) or last (broadcast). */
bool wrn_lease_is_assignable(const struct wrn_prefix *range, const struct wrn_ip *ip);

/* ---- The record addr/IP. Its owner has the address; his HIT is made from the key that signs. */

/* Writes the key "addr/10.77.0.5" of an IPv4 or IPv6 address, without a zero byte. Returns its
 * size. */
size_t wrn_lease_key(const struct wrn_ip *ip, char ret_key[WRN_RECORD_KEY_MAX]);

/* Writes the value: (lease (address IP) (name LABEL)?), canonical; 'label' may be "". Returns its
 * size. */
size_t wrn_lease_value(const struct wrn_ip *ip, const char *label,
                       uint8_t ret_value[WRN_CLAIM_VALUE_MAX]);

/* Reads key and value of a record: they must speak of the same address, in the one form.
 * 'ret_label' is "" if there is none. False for all else. */
bool wrn_lease_read(const struct wrn_record *record, struct wrn_ip *ret_ip,
                    char ret_label[WRN_LABEL_SIZE]);

/* ---- IPv6: computed, not leased. */

/* Makes a node's address: the 64 bits of the network's prefix, then the last 64 bits of the HIT.
 * False if these are 0 or 1, which are no node's (one key in 2^63): make another identity. */
bool wrn_lease_ipv6(const struct wrn_prefix *range, const uint8_t hit[WRN_HIT_SIZE],
                    struct wrn_ip *ret_ip);

/* Tells whether a node's claim to an IPv6 address is right: the network's own, or the HIT itself.
 * Costs no lookup. */
bool wrn_lease_is_ipv6_of(const struct wrn_prefix *range, const uint8_t hit[WRN_HIT_SIZE],
                          const struct wrn_ip *ip);
