/* SPDX-License-Identifier: Apache-2.0 */
/* What is said to a query, and how ldns puts it into bytes. The question's name is read here, not
 * by ldns: a name that points elsewhere in the message, or has odd characters, must not become
 * another name on the way. */
#include "daemon/dns.h"

#include <ldns/ldns.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum {
    HEADER_SIZE = 12,
    FLAGS_HIGH = 2, /* QR, opcode, AA, TC, RD */
    FLAGS_LOW = 3,  /* RA, Z, AD, CD, rcode */
    QR = 0x80,
    OPCODE_MASK = 0x78,
    RD = 0x01,
    TEXT_SIZE = 256,     /* of a name in text: RFC 1035, section 2.3.4 */
    LABEL_SIZE_MAX = 63, /* greater ones are pointers, which a question has no use for */
    BADVERS = 16,        /* RFC 6891, section 9: the upper bits travel in the OPT record */
    SOA_SERIAL = 1,
    SOA_REFRESH_S = 3600, /* for secondary servers, which do not exist */
    SOA_RETRY_S = 600,
    SOA_EXPIRE_S = 86400,
    SOA_TTL_S = 60,
    META_FIRST = 128, /* types that are no types of records: RFC 6895, section 3.1 */
    META_LAST = 255,
    NIBBLES = 32,
};

static const char in_addr_end[] = ".in-addr.arpa", ip6_end[] = ".ip6.arpa";

/* One response in the making. */
struct reply {
    const struct wrn_dns_zone *zone;
    ldns_pkt *packet;
    const ldns_rr *question;
    ldns_rr_type type;
    char apex[TEXT_SIZE]; /* of the zone that the name is in */
    bool has_failed;      /* no memory */
};

static enum wrn_dns_outcome say_shortly(wrn_span query, ldns_pkt_rcode code, uint8_t *out,
                                        size_t *ret_size);
static bool has_query_form(wrn_span query);
static bool read_name(wrn_span query, char ret_text[TEXT_SIZE]);
static enum wrn_dns_outcome respond(struct reply *reply, const struct wrn_dns_lookup *lookup,
                                    const char *name, const ldns_pkt *query);
static enum wrn_dns_outcome respond_of(struct reply *reply, const struct wrn_dns_lookup *lookup,
                                       const char *name);
static bool is_above(struct reply *reply, const char *name);
static void add_found(struct reply *reply, const struct wrn_names_question *question,
                      const struct wrn_names_answer *answer);
static void add_apex(struct reply *reply);
static bool wants(const struct reply *reply, ldns_rr_type type);
static bool add_address(struct reply *reply, const struct wrn_ip *ip, uint32_t ttl_s);
static void add_pointer(struct reply *reply, const char *label, uint32_t ttl_s);
static void add_soa(struct reply *reply, ldns_pkt_section section, uint32_t ttl_s);
static void add_nothing(struct reply *reply, ldns_pkt_rcode code, uint32_t ttl_s);
static ldns_rr *start_record(struct reply *reply, ldns_rr_type type, uint32_t ttl_s);
static void push_name(struct reply *reply, ldns_rr *rr, const char *name);
static void push_number(struct reply *reply, ldns_rr *rr, ldns_rdf_type type, uint32_t number);
static void end_record(struct reply *reply, ldns_pkt_section section, ldns_rr *rr);
static void set_reverse_apex(struct reply *reply, const char *name, const struct wrn_ip *ip);
static size_t apex_labels(const struct wrn_prefix *range);
static bool write_packet(struct reply *reply, size_t limit, uint8_t *out, size_t *ret_size);
static void cut(ldns_pkt *packet);

enum wrn_dns_outcome wrn_dns_answer(const struct wrn_dns_zone *zone,
                                    const struct wrn_dns_lookup *lookup, wrn_span query,
                                    bool is_stream, uint8_t *ret_reply, size_t capacity,
                                    size_t *ret_size) {
    char name[TEXT_SIZE];
    ldns_pkt *asked = NULL;
    WRN_ASSERT(capacity >= HEADER_SIZE);
    if (query.size < HEADER_SIZE || (query.data[FLAGS_HIGH] & QR) != 0) {
        return WRN_DNS_SILENCE; /* an answer to what may be an answer could go on for ever */
    }
    if ((query.data[FLAGS_HIGH] & OPCODE_MASK) != 0) {
        return say_shortly(query, LDNS_RCODE_NOTIMPL, ret_reply, ret_size);
    }
    if (!has_query_form(query) || !read_name(query, name) ||
        ldns_wire2pkt(&asked, query.data, query.size) != LDNS_STATUS_OK) {
        return say_shortly(query, LDNS_RCODE_FORMERR, ret_reply, ret_size);
    }
    struct reply reply = {.zone = zone,
                          .packet = ldns_pkt_new(),
                          .question = ldns_rr_list_rr(ldns_pkt_question(asked), 0)};
    if (ldns_pkt_arcount(asked) != 0 || ldns_pkt_tsig(asked) != NULL || reply.question == NULL) {
        ldns_pkt_free(reply.packet); /* additional records other than OPT */
        ldns_pkt_free(asked);
        return say_shortly(query, LDNS_RCODE_FORMERR, ret_reply, ret_size);
    }
    enum wrn_dns_outcome outcome = WRN_DNS_SILENCE;
    if (reply.packet != NULL) {
        size_t limit = WRN_DNS_REPLY_MAX;
        if (!is_stream) {
            size_t taken = ldns_pkt_edns(asked) ? ldns_pkt_edns_udp_size(asked) : 0;
            limit = taken < WRN_DNS_PLAIN_MAX ? WRN_DNS_PLAIN_MAX : taken;
            limit = limit > WRN_DNS_REPLY_MAX ? WRN_DNS_REPLY_MAX : limit;
        }
        limit = limit > capacity ? capacity : limit;
        outcome = respond(&reply, lookup, name, asked);
        if (outcome == WRN_DNS_REPLY && !write_packet(&reply, limit, ret_reply, ret_size)) {
            outcome = WRN_DNS_SILENCE;
        }
    }
    ldns_pkt_free(reply.packet);
    ldns_pkt_free(asked);
    return outcome;
}

/* The header alone: to what cannot be read, it says no more than was asked. */
static enum wrn_dns_outcome say_shortly(wrn_span query, ldns_pkt_rcode code, uint8_t *out,
                                        size_t *ret_size) {
    memset(out, 0, HEADER_SIZE);
    memcpy(out, query.data, 2);
    out[FLAGS_HIGH] = (uint8_t)(QR | (query.data[FLAGS_HIGH] & (OPCODE_MASK | RD)));
    out[FLAGS_LOW] = (uint8_t)code;
    *ret_size = HEADER_SIZE;
    return WRN_DNS_REPLY;
}

/* One question, nothing else but one additional record: an OPT, as ldns will see. ldns 1.8 keeps
 * only the last of several OPT or TSIG records and loses the memory of the others. */
static bool has_query_form(wrn_span query) {
    static const uint8_t counts[] = {0, 1, 0, 0, 0, 0, 0};
    return query.size <= WRN_DNS_QUERY_MAX && memcmp(query.data + 4, counts, sizeof counts) == 0 &&
           query.data[HEADER_SIZE - 1] <= 1;
}

/* The name of the question as text. What no name of ours has becomes '_', which is none of ours
 * either: a dot inside a label must not look like one between two. */
static bool read_name(wrn_span query, char ret_text[TEXT_SIZE]) {
    size_t at = HEADER_SIZE, used = 0;
    for (;;) {
        if (at >= query.size || query.data[at] > LABEL_SIZE_MAX) {
            return false;
        }
        size_t size = query.data[at++];
        if (size == 0) {
            break;
        }
        if (size > query.size - at || used + size + 2 >= TEXT_SIZE) {
            return false;
        }
        for (size_t i = 0; i < size; i++) {
            uint8_t c = query.data[at++];
            bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                            (c >= '0' && c <= '9') || c == '-';
            ret_text[used++] = is_plain ? (char)c : '_';
        }
        ret_text[used++] = '.';
    }
    used -= used > 0; /* the last dot */
    ret_text[used] = '\0';
    return true;
}

static enum wrn_dns_outcome respond(struct reply *reply, const struct wrn_dns_lookup *lookup,
                                    const char *name, const ldns_pkt *query) {
    ldns_pkt *packet = reply->packet;
    reply->type = ldns_rr_get_type(reply->question);
    ldns_pkt_set_id(packet, ldns_pkt_id(query));
    ldns_pkt_set_qr(packet, true);
    ldns_pkt_set_rd(packet, ldns_pkt_rd(query));
    ldns_pkt_set_cd(packet, ldns_pkt_cd(query));
    ldns_rr *question = ldns_rr_clone(reply->question);
    reply->has_failed =
        question == NULL || !ldns_pkt_push_rr(packet, LDNS_SECTION_QUESTION, question);
    if (ldns_pkt_edns(query)) {
        ldns_pkt_set_edns_udp_size(packet, WRN_DNS_REPLY_MAX);
        ldns_pkt_set_edns_do(packet, ldns_pkt_edns_do(query)); /* RFC 3225, section 3 */
        if (ldns_pkt_edns_version(query) != 0) {
            ldns_pkt_set_edns_extended_rcode(packet, BADVERS >> 4);
            return WRN_DNS_REPLY;
        }
    }
    bool is_any = reply->type == LDNS_RR_TYPE_ANY;
    unsigned type = reply->type;
    bool is_meta = type == LDNS_RR_TYPE_OPT || (type >= META_FIRST && type <= META_LAST && !is_any);
    if (ldns_rr_get_class(reply->question) != LDNS_RR_CLASS_IN || is_meta) {
        ldns_pkt_set_rcode(packet, LDNS_RCODE_REFUSED);
        return WRN_DNS_REPLY;
    }
    return respond_of(reply, lookup, name);
}

static enum wrn_dns_outcome respond_of(struct reply *reply, const struct wrn_dns_lookup *lookup,
                                       const char *name) {
    const struct wrn_dns_zone *zone = reply->zone;
    wrn_span text = {(const uint8_t *)name, strlen(name)};
    struct wrn_names_question question;
    struct wrn_names_answer answer = {.found = WRN_NAMES_UNKNOWN};
    wrn_names_parse(text, zone->network, &zone->ipv4, &zone->ipv6, &question);
    (void)snprintf(reply->apex, sizeof reply->apex, "%s.warren", zone->network);
    switch (question.kind) {
    case WRN_NAMES_NOT_OURS:
        if (is_above(reply, name)) {
            add_nothing(reply, LDNS_RCODE_NOERROR, WRN_NAMES_ABSENT_S);
        } else {
            ldns_pkt_set_rcode(reply->packet, LDNS_RCODE_REFUSED);
        }
        return WRN_DNS_REPLY;
    case WRN_NAMES_BAD:
        add_nothing(reply, LDNS_RCODE_NXDOMAIN, WRN_NAMES_ABSENT_S);
        return WRN_DNS_REPLY;
    case WRN_NAMES_DOMAIN:
        add_apex(reply);
        return WRN_DNS_REPLY;
    case WRN_NAMES_REVERSE:
        set_reverse_apex(reply, name, &question.ip);
        if (wrn_ip_equal(&question.ip, &zone->resolver)) {
            add_pointer(reply, "", WRN_NAMES_FOUND_S);
            return WRN_DNS_REPLY;
        }
        break;
    case WRN_NAMES_HOST:
        break;
    }
    lookup->ask(lookup->ctx, &question, &answer);
    switch (answer.found) {
    case WRN_NAMES_FOUND:
        add_found(reply, &question, &answer);
        break;
    case WRN_NAMES_ABSENT:
        add_nothing(reply, LDNS_RCODE_NXDOMAIN, answer.ttl_s);
        break;
    case WRN_NAMES_UNKNOWN:
    case WRN_NAMES_BUSY:
        ldns_pkt_set_rcode(reply->packet, LDNS_RCODE_SERVFAIL);
        break;
    case WRN_NAMES_PENDING:
        return WRN_DNS_PENDING;
    }
    return WRN_DNS_REPLY;
}

static void add_found(struct reply *reply, const struct wrn_names_question *question,
                      const struct wrn_names_answer *answer) {
    if (question->kind == WRN_NAMES_REVERSE) {
        if (answer->label[0] == '\0') {
            add_nothing(reply, LDNS_RCODE_NOERROR, answer->ttl_s);
        } else {
            add_pointer(reply, answer->label, answer->ttl_s);
        }
    } else if (!add_address(reply, &answer->ipv4, answer->ttl_s) &&
               !add_address(reply, &answer->ipv6, answer->ttl_s)) {
        add_nothing(reply, LDNS_RCODE_NOERROR, answer->ttl_s);
    }
}

/* NETWORK.warren: its own server, at the resolver's address. */
static void add_apex(struct reply *reply) {
    if (add_address(reply, &reply->zone->resolver, WRN_NAMES_FOUND_S)) {
        return;
    }
    if (wants(reply, LDNS_RR_TYPE_SOA)) {
        add_soa(reply, LDNS_SECTION_ANSWER, SOA_TTL_S);
        ldns_pkt_set_aa(reply->packet, true);
    } else if (reply->type == LDNS_RR_TYPE_NS) {
        ldns_rr *rr = start_record(reply, LDNS_RR_TYPE_NS, SOA_TTL_S);
        push_name(reply, rr, reply->apex);
        end_record(reply, LDNS_SECTION_ANSWER, rr);
    } else {
        add_nothing(reply, LDNS_RCODE_NOERROR, WRN_NAMES_ABSENT_S);
    }
}

/* ANY gets one kind of records, whichever comes first: RFC 8482, section 4.1. */
static bool wants(const struct reply *reply, ldns_rr_type type) {
    return reply->type == type || reply->type == LDNS_RR_TYPE_ANY;
}

/* False, and nothing is added, if this is not what was asked for. */
static bool add_address(struct reply *reply, const struct wrn_ip *ip, uint32_t ttl_s) {
    bool is_ipv4 = ip->family == WRN_FAMILY_IPV4;
    ldns_rr_type type = is_ipv4 ? LDNS_RR_TYPE_A : LDNS_RR_TYPE_AAAA;
    if (ip->family == WRN_FAMILY_NONE || !wants(reply, type)) {
        return false;
    }
    ldns_rr *rr = start_record(reply, type, ttl_s);
    ldns_rdf *rdf = ldns_rdf_new_frm_data(is_ipv4 ? LDNS_RDF_TYPE_A : LDNS_RDF_TYPE_AAAA,
                                          is_ipv4 ? 4 : 16, ip->bytes);
    if (rr == NULL || rdf == NULL || !ldns_rr_push_rdf(rr, rdf)) {
        ldns_rdf_deep_free(rdf);
        reply->has_failed = true;
    }
    end_record(reply, LDNS_SECTION_ANSWER, rr);
    return true;
}

/* To LABEL.NETWORK.warren, or to the network's own name if 'label' is "". */
static void add_pointer(struct reply *reply, const char *label, uint32_t ttl_s) {
    char name[2 * WRN_LABEL_SIZE + 16];
    if (!wants(reply, LDNS_RR_TYPE_PTR)) {
        add_nothing(reply, LDNS_RCODE_NOERROR, ttl_s);
        return;
    }
    (void)snprintf(name, sizeof name, "%s%s%s.warren", label, label[0] != '\0' ? "." : "",
                   reply->zone->network);
    ldns_rr *rr = start_record(reply, LDNS_RR_TYPE_PTR, ttl_s);
    push_name(reply, rr, name);
    end_record(reply, LDNS_SECTION_ANSWER, rr);
}

/* No such name (NXDOMAIN), or no such record of it (NOERROR); for 'ttl_s' at most, and 10 s:
 * names come and go. Source: RFC 2308, sections 2 and 5. */
static void add_nothing(struct reply *reply, ldns_pkt_rcode code, uint32_t ttl_s) {
    ldns_pkt_set_rcode(reply->packet, (uint8_t)code);
    ldns_pkt_set_aa(reply->packet, true);
    add_soa(reply, LDNS_SECTION_AUTHORITY, ttl_s < WRN_NAMES_ABSENT_S ? ttl_s : WRN_NAMES_ABSENT_S);
}

static void add_soa(struct reply *reply, ldns_pkt_section section, uint32_t ttl_s) {
    char server[WRN_LABEL_SIZE + 16], person[WRN_LABEL_SIZE + 32];
    (void)snprintf(server, sizeof server, "%s.warren", reply->zone->network);
    (void)snprintf(person, sizeof person, "hostmaster.%s", server);
    ldns_rr *rr = start_record(reply, LDNS_RR_TYPE_SOA, ttl_s);
    ldns_rdf *owner = ldns_dname_new_frm_str(reply->apex);
    if (rr == NULL || owner == NULL) {
        ldns_rdf_deep_free(owner);
        ldns_rr_free(rr);
        reply->has_failed = true;
        return;
    }
    ldns_rdf_deep_free(ldns_rr_owner(rr));
    ldns_rr_set_owner(rr, owner);
    push_name(reply, rr, server);
    push_name(reply, rr, person);
    push_number(reply, rr, LDNS_RDF_TYPE_INT32, SOA_SERIAL);
    push_number(reply, rr, LDNS_RDF_TYPE_PERIOD, SOA_REFRESH_S);
    push_number(reply, rr, LDNS_RDF_TYPE_PERIOD, SOA_RETRY_S);
    push_number(reply, rr, LDNS_RDF_TYPE_PERIOD, SOA_EXPIRE_S);
    push_number(reply, rr, LDNS_RDF_TYPE_PERIOD, WRN_NAMES_ABSENT_S);
    end_record(reply, section, rr);
}

/* A record of the name that was asked for, without data. NULL: no memory. */
static ldns_rr *start_record(struct reply *reply, ldns_rr_type type, uint32_t ttl_s) {
    ldns_rr *rr = ldns_rr_new();
    ldns_rdf *owner = ldns_rdf_clone(ldns_rr_owner(reply->question));
    if (rr == NULL || owner == NULL) {
        ldns_rr_free(rr);
        ldns_rdf_deep_free(owner);
        reply->has_failed = true;
        return NULL;
    }
    ldns_rr_set_owner(rr, owner);
    ldns_rr_set_type(rr, type);
    ldns_rr_set_class(rr, LDNS_RR_CLASS_IN);
    ldns_rr_set_ttl(rr, ttl_s);
    return rr;
}

static void push_name(struct reply *reply, ldns_rr *rr, const char *name) {
    ldns_rdf *rdf = ldns_dname_new_frm_str(name);
    if (rr == NULL || rdf == NULL || !ldns_rr_push_rdf(rr, rdf)) {
        ldns_rdf_deep_free(rdf);
        reply->has_failed = true;
    }
}

static void push_number(struct reply *reply, ldns_rr *rr, ldns_rdf_type type, uint32_t number) {
    ldns_rdf *rdf = ldns_native2rdf_int32(type, number);
    if (rr == NULL || rdf == NULL || !ldns_rr_push_rdf(rr, rdf)) {
        ldns_rdf_deep_free(rdf);
        reply->has_failed = true;
    }
}

static void end_record(struct reply *reply, ldns_pkt_section section, ldns_rr *rr) {
    ldns_pkt_set_aa(reply->packet, true);
    if (rr == NULL || !ldns_pkt_push_rr(reply->packet, section, rr)) {
        ldns_rr_free(rr);
        reply->has_failed = true;
    }
}

/* Reverse names are in the zone of the range that their address is in, which begins at whole
 * numbers: 10.77.4.0/22 is four zones, from 4.77.10.in-addr.arpa on. */
static void set_reverse_apex(struct reply *reply, const char *name, const struct wrn_ip *ip) {
    static const struct wrn_prefix hits = {.ip = {.family = WRN_FAMILY_IPV6}, .length_bits = 28};
    const struct wrn_prefix *range = &reply->zone->ipv4;
    size_t labels = 4;
    if (ip->family == WRN_FAMILY_IPV6) {
        range = wrn_hit_is_eddsa(ip->bytes) ? &hits : &reply->zone->ipv6;
        labels = NIBBLES;
    }
    for (labels -= apex_labels(range); labels > 0; labels--) {
        name = strchr(name, '.') + 1; /* there are as many: the name was read */
    }
    (void)snprintf(reply->apex, sizeof reply->apex, "%s", name);
}

static size_t apex_labels(const struct wrn_prefix *range) {
    return range->ip.family == WRN_FAMILY_IPV4 ? ((size_t)range->length_bits + 7) / 8
                                               : ((size_t)range->length_bits + 3) / 4;
}

/* A name in a reverse zone that is too short to be an address has no records, but it is there: fill
 * it up with zeros and see whether that is an address of ours. Sets the zone. */
static bool is_above(struct reply *reply, const char *name) {
    static const char zero[] = "0.";
    const struct wrn_dns_zone *zone = reply->zone;
    char full[TEXT_SIZE + 2 * NIBBLES];
    size_t size = strlen(name), dots = 0;
    for (const char *dot = name; (dot = strchr(dot, '.')) != NULL; dot++) {
        dots++;
    }
    bool is_ipv4 = size >= sizeof in_addr_end &&
                   strcasecmp(name + size - (sizeof in_addr_end - 1), in_addr_end) == 0;
    bool is_ipv6 =
        size >= sizeof ip6_end && strcasecmp(name + size - (sizeof ip6_end - 1), ip6_end) == 0;
    size_t labels = dots - 1, all = is_ipv4 ? 4 : NIBBLES;
    if ((!is_ipv4 && !is_ipv6) || labels >= all) {
        return false;
    }
    size_t used = 0;
    for (size_t i = labels; i < all; i++, used += sizeof zero - 1) {
        memcpy(full + used, zero, sizeof zero - 1);
    }
    (void)snprintf(full + used, sizeof full - used, "%s", name);
    struct wrn_names_question question;
    wrn_names_parse((wrn_span){(const uint8_t *)full, strlen(full)}, zone->network, &zone->ipv4,
                    &zone->ipv6, &question);
    if (question.kind != WRN_NAMES_REVERSE) {
        return false;
    }
    set_reverse_apex(reply, full, &question.ip);
    return strlen(reply->apex) <= size; /* else it is above the zone: somebody else's */
}

static bool write_packet(struct reply *reply, size_t limit, uint8_t *out, size_t *ret_size) {
    uint8_t *wire = NULL;
    size_t size = 0;
    if (reply->has_failed) {
        return false;
    }
    if (ldns_pkt2wire(&wire, reply->packet, &size) == LDNS_STATUS_OK && size > limit) {
        free(wire);
        wire = NULL;
        cut(reply->packet);
        if (ldns_pkt2wire(&wire, reply->packet, &size) == LDNS_STATUS_OK && size > limit) {
            free(wire);
            wire = NULL;
        }
    }
    if (wire == NULL) {
        return false;
    }
    memcpy(out, wire, size);
    free(wire);
    *ret_size = size;
    return true;
}

/* Leaves the question alone, and says so: whoever wants the rest asks by TCP. */
static void cut(ldns_pkt *packet) {
    static const ldns_pkt_section sections[] = {LDNS_SECTION_ANSWER, LDNS_SECTION_AUTHORITY};
    for (size_t i = 0; i < WRN_COUNT(sections); i++) {
        ldns_rr_list *list = sections[i] == LDNS_SECTION_ANSWER ? ldns_pkt_answer(packet)
                                                                : ldns_pkt_authority(packet);
        ldns_rr *rr;
        while ((rr = ldns_rr_list_pop_rr(list)) != NULL) {
            ldns_rr_free(rr);
        }
        ldns_pkt_set_section_count(packet, sections[i], 0);
    }
    ldns_pkt_set_tc(packet, true);
}
