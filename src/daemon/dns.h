/* SPDX-License-Identifier: Apache-2.0 */
/* DNS messages about the names of one network: a query's bytes in, a response's bytes out. Opens no
 * socket and reads no clock; whoever calls looks names up. Responses: docs/names-on-this-host.md.
 * Source: RFC 1035; 2308 (negative answers), 6891 (EDNS), 8482 (ANY). */
#pragma once
#include "network/names.h"

enum {
    WRN_DNS_QUERY_MAX = 512,  /* one question and one OPT record are never larger */
    WRN_DNS_REPLY_MAX = 1232, /* what passes everywhere in one piece: DNS flag day 2020 */
    WRN_DNS_PLAIN_MAX = 512,  /* over UDP, to who says nothing: RFC 1035, section 4.2.1 */
};

/* What is answered for; everything else is refused. */
struct wrn_dns_zone {
    char network[WRN_LABEL_SIZE];
    struct wrn_prefix ipv4, ipv6; /* family NONE: the network has none */
    struct wrn_ip resolver;       /* what NETWORK.warren itself stands for; family NONE: nothing */
};

/* Finds out who has a name or an address. */
struct wrn_dns_lookup {
    void *ctx;
    /* Answers a question of the kinds HOST and REVERSE, or says PENDING. Must not call back. */
    void (*ask)(void *ctx, const struct wrn_names_question *question,
                struct wrn_names_answer *ret_answer);
};

enum wrn_dns_outcome {
    WRN_DNS_REPLY,
    WRN_DNS_PENDING, /* call again with the same query once the lookup knows */
    WRN_DNS_SILENCE, /* no query at all, or no memory */
};

/* Answers a query. Over UDP ('is_stream' false) the response has at most as many bytes as the asker
 * takes; what does not fit there, or in 'capacity' (>= 12), is cut and says so. 'ret_reply' and
 * 'ret_size' are written with REPLY alone. Allocates while it runs. */
enum wrn_dns_outcome wrn_dns_answer(const struct wrn_dns_zone *zone,
                                    const struct wrn_dns_lookup *lookup, wrn_span query,
                                    bool is_stream, uint8_t *ret_reply, size_t capacity,
                                    size_t *ret_size);
