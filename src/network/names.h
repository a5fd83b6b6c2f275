/* SPDX-License-Identifier: Apache-2.0 */
/* Names in one network: the one that this node bears, and what others' names and addresses stand
 * for, asked of the DHT and remembered for a while. Knows no DNS messages. Formats:
 * docs/network/names.md. */
#pragma once
#include "base/arena.h"
#include "network/claim.h"
#include "network/lease.h"
#include "network/rights.h"

enum {
    WRN_NAMES_TRIES_MAX = 99,   /* label, label-2, ... label-99 */
    WRN_NAMES_DOMAIN_MAX = 253, /* characters of a domain name: RFC 1035, section 2.3.4 */
    WRN_NAMES_FOUND_S = 60,     /* how long an answer counts: names move */
    WRN_NAMES_ABSENT_S = 10,
    WRN_NAMES_UNKNOWN_S = 2, /* ... that nobody gave */
    WRN_NAMES_ASKING_S = 20, /* then it counts as unknown */
};

/* ---- Which name a host has. */

/* Makes a good label of a host's name: its first part, lower-cased, every run of other characters
 * one '-', none at the ends, cut to 63. What is empty then is "node-" and the last 8 hex digits
 * of the HIT. Writes a zero byte. */
void wrn_names_label(wrn_span host, const uint8_t hit[WRN_HIT_SIZE],
                     char ret_label[WRN_LABEL_SIZE]);

/* Makes the candidate 'number' (>= 1) of a label: itself, label-2, label-3, ...; the label is cut
 * so that it fits. */
void wrn_names_numbered(const char *label, uint32_t number, char ret_label[WRN_LABEL_SIZE]);

/* ---- What a domain name asks for. */

enum wrn_names_kind {
    WRN_NAMES_NOT_OURS, /* another network's, or no name of Warren's at all: others may know it */
    WRN_NAMES_BAD,      /* in our domain, and nobody can be called so */
    WRN_NAMES_DOMAIN,   /* <network>.warren itself */
    WRN_NAMES_HOST,     /* a host's name: 'label' */
    WRN_NAMES_REVERSE,  /* who has 'ip'? */
};

struct wrn_names_question {
    enum wrn_names_kind kind;
    char label[WRN_LABEL_SIZE];
    struct wrn_ip ip;
};

/* Reads a domain name in text, with or without a final dot, in either case: HOST.NETWORK.warren;
 * d.c.b.a.in-addr.arpa of an address in 'ipv4'; 32 digits and ip6.arpa of one in 'ipv6', or of a
 * HIT. Ranges may have the family NONE. Source: RFC 1035, section 3.5; RFC 3596, section 2.5. */
void wrn_names_parse(wrn_span domain, const char *network, const struct wrn_prefix *ipv4,
                     const struct wrn_prefix *ipv6, struct wrn_names_question *ret_question);

/* ---- The machine. */

enum wrn_names_found {
    WRN_NAMES_FOUND,
    WRN_NAMES_ABSENT,  /* nobody is called so, nobody has this address */
    WRN_NAMES_UNKNOWN, /* no certain answer came: ask again */
    WRN_NAMES_PENDING, /* it is being asked; port.resolved follows */
    WRN_NAMES_BUSY,    /* too many questions at once: ask again */
};

struct wrn_names_answer {
    enum wrn_names_found found;
    char label[WRN_LABEL_SIZE]; /* REVERSE: "" if the host has no name of its own */
    uint8_t owner[WRN_SIGN_PUBLIC_SIZE];
    uint8_t hit[WRN_HIT_SIZE];
    struct wrn_ip ipv4, ipv6; /* family NONE: none */
    uint32_t ttl_s;           /* how much longer it counts */
};

enum wrn_names_event_kind {
    WRN_NAMES_HELD,  /* we are called 'label'; 'previous' is what we were called, or "" */
    WRN_NAMES_TAKEN, /* 'label' is somebody else's; the next is tried */
    WRN_NAMES_LOST,
    WRN_NAMES_FULL,
    WRN_NAMES_WAITING,
    WRN_NAMES_RELEASED,
};

struct wrn_names_event {
    enum wrn_names_event_kind kind;
    enum wrn_reason reason;
    char label[WRN_LABEL_SIZE], previous[WRN_LABEL_SIZE];
    bool has_holder;
    uint8_t holder[WRN_HIT_SIZE];
    uint32_t tried, taken, refused, retry_s;
    char text[WRN_LEASE_TEXT_SIZE]; /* all that as a sentence */
};

struct wrn_names_port {
    void *ctx;
    enum wrn_reason (*store)(void *ctx, const struct wrn_claim_request *request); /* claim.h */
    /* Asks for the records under a key. NONE: answers with this tag follow, after the call. */
    enum wrn_reason (*get)(void *ctx, uint32_t tag, wrn_span key);
    /* A question that was PENDING is answered: FOUND, ABSENT or UNKNOWN. Must not call back. */
    void (*resolved)(void *ctx, const struct wrn_names_question *question,
                     const struct wrn_names_answer *answer);
    void (*event)(void *ctx, const struct wrn_names_event *event); /* must not call back */
};

struct wrn_names_options {
    struct wrn_prefix ipv4, ipv6;    /* of the network; family NONE: none */
    wrn_span host;                   /* the host's name, as it is; copied */
    const struct wrn_rights *rights; /* NULL: any name */
    uint8_t own[WRN_SIGN_PUBLIC_SIZE];
    uint16_t tag_top;     /* see wrn_claim_init; the next number is used too, for questions */
    uint32_t entries_max; /* of the cache, 8..4096, about 230 bytes each */
};

struct wrn_names;

/* Builds the machine; NULL while the arena measures. Off. */
struct wrn_names *wrn_names_init(struct wrn_arena *arena, const struct wrn_names_options *options,
                                 const struct wrn_names_port *port,
                                 const struct wrn_primitives *primitives, struct wrn_rand rand);

/* Claims the name of this host, or the first numbered one that is free and permitted; ends, see
 * wrn_claim_stop; other rights; another address of ours (family NONE: none), which is stored with
 * the name. */
void wrn_names_start(struct wrn_names *names, struct wrn_now now);
void wrn_names_stop(struct wrn_names *names, struct wrn_now now, bool release);
void wrn_names_set_rights(struct wrn_names *names, struct wrn_now now,
                          const struct wrn_rights *rights);
void wrn_names_set_address(struct wrn_names *names, struct wrn_now now, const struct wrn_ip *ip);

/* Our proof has changed: the record is stored again. */
void wrn_names_refresh(struct wrn_names *names, struct wrn_now now);

/* Answers a question of the kinds HOST and REVERSE from what is known, or asks for it. Each
 * question is under way at most once, and at most half of the cache is under way. */
void wrn_names_ask(struct wrn_names *names, struct wrn_now now,
                   const struct wrn_names_question *question, struct wrn_names_answer *ret_answer);

/* Forgets what is known of others (the ring was partitioned, or somebody was revoked). */
void wrn_names_forget(struct wrn_names *names);

/* See claim.h; answers to questions come here, too. */
void wrn_names_on_answer(struct wrn_names *names, struct wrn_now now,
                         const struct wrn_dht_answer *answer);
void wrn_names_on_lost(struct wrn_names *names, struct wrn_now now, wrn_span record,
                       wrn_span winner, enum wrn_reason reason);
void wrn_names_on_connected(struct wrn_names *names, struct wrn_now now);
void wrn_names_on_time(struct wrn_names *names, struct wrn_now now);
wrn_mono wrn_names_due(const struct wrn_names *names);

/* Returns the name that we bear, "" if none. Borrowed until the next input. */
const char *wrn_names_own(const struct wrn_names *names);
enum wrn_claim_state wrn_names_state(const struct wrn_names *names);

/* ---- The record name/LABEL: its owner is called so. */

/* Writes the value: (host (address IP)?), canonical; 'ip' is IPv4, or has the family NONE. Returns
 * its size. */
size_t wrn_names_value(const struct wrn_ip *ip, uint8_t ret_value[WRN_CLAIM_VALUE_MAX]);

/* Reads key and value of a record, in the one form. 'ret_ip' has the family NONE if there is none.
 * False for all else. */
bool wrn_names_read(const struct wrn_record *record, char ret_label[WRN_LABEL_SIZE],
                    struct wrn_ip *ret_ip);
