/* SPDX-License-Identifier: Apache-2.0 */
/* Writes and reads locators. Leaves out addresses that nobody can have, and judges nothing else:
 * where probes may go is the caller's to say. */
#include "overlay/locator.h"

#include "overlay/signed.h"

enum { IPV4_SIZE = 4, IPV6_SIZE = 16 };

static const char name[] = "locator";
static const char label[] = "warren locator 1";

/* Their words in the record, in the order of the enum. */
static const char *const class_words[WRN_NAT_CLASSES] = {
    "unknown",     "none",   "endpoint-independent", "address-dependent", "port-predictable",
    "port-random", "blocked"};
static const char *const kind_words[] = {"local", "seen", "mapped"};

static wrn_span span_of(const uint8_t *ring);
static enum wrn_reason read_object(wrn_span bytes, const struct wrn_primitives *primitives,
                                   struct wrn_signed *object, struct wrn_locator *ret_locator);
static void put_flag(struct wrn_sexp_writer *writer, const char *word, bool is_there);
static void put_ports(struct wrn_sexp_writer *writer, const struct wrn_locator *locator);
static void put_endpoint(struct wrn_sexp_writer *writer, const struct wrn_locator_endpoint *entry);
static bool read_fields(struct wrn_sexp_cursor *fields, struct wrn_locator *locator);
static bool take_class(struct wrn_sexp_cursor *fields, uint8_t *ret_class);
static bool take_flag(struct wrn_sexp_cursor *fields, const char *word, bool *ret_is_there);
static bool take_ports(struct wrn_sexp_cursor *fields, struct wrn_locator *locator);
static bool take_endpoints(struct wrn_sexp_cursor *fields, struct wrn_locator *locator);
static bool take_endpoint(struct wrn_sexp_cursor *fields, struct wrn_locator_endpoint *ret_entry);
static bool take_via(struct wrn_sexp_cursor *fields, struct wrn_locator *locator);
static bool take_streams(struct wrn_sexp_cursor *fields, struct wrn_locator *locator);
static bool skip_unknown(struct wrn_sexp_cursor *fields);
static bool is_endpoint(struct wrn_sexp sexp);
static bool is_usable(const struct wrn_endpoint *endpoint);

const char *wrn_nat_class_text(enum wrn_nat_class nat_class) {
    static const char *const texts[] = {
#define X(name, text) text,
        WRN_NAT_CLASS_LIST(X)
#undef X
    };
    return (uint32_t)nat_class < WRN_COUNT(texts) ? texts[nat_class] : "an unknown class";
}

size_t wrn_locator_write(struct wrn_locator *locator, const struct wrn_primitives *primitives,
                         const uint8_t seed[WRN_SEED_SIZE], const uint8_t *ring, uint8_t *out,
                         size_t capacity) {
    struct wrn_sexp_writer writer =
        wrn_sexp_writer(out, capacity < WRN_LOCATOR_MAX ? capacity : WRN_LOCATOR_MAX);
    uint8_t hit[WRN_HIT_SIZE];
    WRN_ASSERT(locator->nat_class < WRN_NAT_CLASSES &&
               locator->endpoint_count <= WRN_ENDPOINTS_MAX &&
               locator->relay_count <= WRN_LOCATOR_RELAYS_MAX);
    if (!primitives->sign_public(primitives->ctx, seed, locator->public_key)) {
        return 0;
    }
    primitives->hit(primitives->ctx, locator->public_key, hit);
    locator->id = wrn_id_of_hit(hit);

    wrn_signed_begin(&writer, name);
    wrn_signed_put_bytes(&writer, "key", (wrn_span){locator->public_key, WRN_SIGN_PUBLIC_SIZE});
    wrn_signed_put_bytes(&writer, "tunnel", (wrn_span){locator->tunnel_key, WRN_KEY_SIZE});
    wrn_signed_put_number(&writer, "seq", locator->sequence);
    wrn_sexp_open(&writer, "nat");
    wrn_sexp_put_word(&writer, class_words[locator->nat_class]);
    wrn_sexp_close(&writer);
    put_flag(&writer, "relays", locator->relays);
    put_flag(&writer, "aes", locator->speaks_aes);
    put_ports(&writer, locator);
    bool has_streams = locator->tcp_port != 0 || locator->tls_port != 0;
    size_t most = has_streams ? WRN_ENDPOINTS_MAX - 1 : WRN_ENDPOINTS_MAX;
    for (size_t i = 0; i < locator->endpoint_count && i < most; i++) {
        put_endpoint(&writer, &locator->endpoints[i]);
    }
    if (locator->relay_count > 0) {
        wrn_sexp_open(&writer, "via");
        for (size_t i = 0; i < locator->relay_count; i++) {
            uint8_t id[WRN_ID_SIZE];
            wrn_id_store(locator->relay_ids[i], id);
            wrn_sexp_put_bytes(&writer, (wrn_span){id, sizeof(id)});
        }
        wrn_sexp_close(&writer);
    }
    if (has_streams) {
        wrn_sexp_open(&writer, "streams");
        wrn_signed_put_decimal(&writer, false, locator->tcp_port);
        wrn_signed_put_decimal(&writer, false, locator->tls_port);
        wrn_sexp_close(&writer);
    }
    return wrn_signed_end(&writer, primitives, seed, label, span_of(ring));
}

enum wrn_reason wrn_locator_parse(wrn_span bytes, const struct wrn_primitives *primitives,
                                  struct wrn_locator *ret_locator) {
    struct wrn_signed object;
    return read_object(bytes, primitives, &object, ret_locator);
}

enum wrn_reason wrn_locator_read(wrn_span bytes, const struct wrn_primitives *primitives,
                                 const uint8_t *ring, struct wrn_locator *ret_locator) {
    struct wrn_signed object;
    enum wrn_reason reason = read_object(bytes, primitives, &object, ret_locator);
    if (reason == WRN_REASON_NONE &&
        !wrn_signed_verify(&object, primitives, ret_locator->public_key, label, span_of(ring))) {
        memset(ret_locator, 0, sizeof(*ret_locator));
        reason = WRN_REASON_BAD_SIGNATURE;
    }
    return reason;
}

static wrn_span span_of(const uint8_t *ring) {
    return (wrn_span){ring, ring ? WRN_RING_SIZE : 0};
}

static enum wrn_reason read_object(wrn_span bytes, const struct wrn_primitives *primitives,
                                   struct wrn_signed *object, struct wrn_locator *ret_locator) {
    uint8_t hit[WRN_HIT_SIZE];
    enum wrn_reason reason = WRN_REASON_NONE;
    memset(ret_locator, 0, sizeof(*ret_locator));
    if (bytes.size > WRN_LOCATOR_MAX) {
        reason = WRN_REASON_TOO_LARGE;
    } else if (!wrn_signed_read(bytes, name, object) ||
               !read_fields(&object->fields, ret_locator)) {
        reason = WRN_REASON_MALFORMED;
    }
    if (reason != WRN_REASON_NONE) {
        memset(ret_locator, 0, sizeof(*ret_locator));
        return reason;
    }
    primitives->hit(primitives->ctx, ret_locator->public_key, hit);
    ret_locator->id = wrn_id_of_hit(hit);
    return WRN_REASON_NONE;
}

/* (WORD), or nothing */
static void put_flag(struct wrn_sexp_writer *writer, const char *word, bool is_there) {
    if (is_there) {
        wrn_sexp_open(writer, word);
        wrn_sexp_close(writer);
    }
}

/* (ports STEP LAST), of a predictable NAT only. */
static void put_ports(struct wrn_sexp_writer *writer, const struct wrn_locator *locator) {
    if (locator->nat_class != WRN_NAT_CLASS_PORT_PREDICTABLE) {
        return;
    }
    int64_t step = locator->port_step;
    WRN_ASSERT(step >= -WRN_LOCATOR_STEP_MAX && step <= WRN_LOCATOR_STEP_MAX);
    wrn_sexp_open(writer, "ports");
    wrn_signed_put_decimal(writer, step < 0, (uint64_t)(step < 0 ? -step : step));
    wrn_signed_put_decimal(writer, false, locator->port_last);
    wrn_sexp_close(writer);
}

/* (KIND |4 or 16 bytes| PORT) */
static void put_endpoint(struct wrn_sexp_writer *writer, const struct wrn_locator_endpoint *entry) {
    WRN_ASSERT(entry->kind < WRN_COUNT(kind_words));
    if (!is_usable(&entry->at)) {
        return;
    }
    size_t size = entry->at.ip.family == WRN_FAMILY_IPV4 ? IPV4_SIZE : IPV6_SIZE;
    wrn_sexp_open(writer, kind_words[entry->kind]);
    wrn_sexp_put_bytes(writer, (wrn_span){entry->at.ip.bytes, size});
    wrn_signed_put_decimal(writer, false, entry->at.port);
    wrn_sexp_close(writer);
}

static bool read_fields(struct wrn_sexp_cursor *fields, struct wrn_locator *locator) {
    wrn_span key;
    wrn_span tunnel;
    if (!wrn_signed_take_bytes(fields, "key", WRN_SIGN_PUBLIC_SIZE, WRN_SIGN_PUBLIC_SIZE, &key) ||
        !wrn_signed_take_bytes(fields, "tunnel", WRN_KEY_SIZE, WRN_KEY_SIZE, &tunnel)) {
        return false;
    }
    memcpy(locator->public_key, key.data, key.size);
    memcpy(locator->tunnel_key, tunnel.data, tunnel.size);
    return wrn_signed_take_number(fields, "seq", UINT64_MAX, &locator->sequence) &&
           take_class(fields, &locator->nat_class) &&
           take_flag(fields, "relays", &locator->relays) &&
           take_flag(fields, "aes", &locator->speaks_aes) && take_ports(fields, locator) &&
           take_endpoints(fields, locator) && take_via(fields, locator) &&
           take_streams(fields, locator) && skip_unknown(fields);
}

static bool take_class(struct wrn_sexp_cursor *fields, uint8_t *ret_class) {
    struct wrn_sexp_cursor field;
    if (!wrn_sexp_take_named(fields, "nat", &field)) {
        return false;
    }
    uint8_t nat_class = 0;
    while (nat_class < WRN_NAT_CLASSES && !wrn_sexp_take_word(&field, class_words[nat_class])) {
        nat_class++;
    }
    *ret_class = nat_class;
    return nat_class < WRN_NAT_CLASSES && wrn_sexp_at_end(&field);
}

static bool take_flag(struct wrn_sexp_cursor *fields, const char *word, bool *ret_is_there) {
    struct wrn_sexp_cursor field;
    *ret_is_there = wrn_sexp_take_named(fields, word, &field);
    return !*ret_is_there || wrn_sexp_at_end(&field);
}

static bool take_ports(struct wrn_sexp_cursor *fields, struct wrn_locator *locator) {
    struct wrn_sexp_cursor field;
    wrn_span step;
    wrn_span last;
    uint64_t number;
    if (locator->nat_class != WRN_NAT_CLASS_PORT_PREDICTABLE) {
        return true; /* if there are ports all the same, they will be taken for what comes next */
    }
    if (!wrn_sexp_take_named(fields, "ports", &field) || !wrn_sexp_take_atom(&field, &step) ||
        !wrn_sexp_take_atom(&field, &last) || !wrn_sexp_at_end(&field)) {
        return false;
    }
    bool is_negative = step.size > 0 && step.data[0] == '-';
    if (is_negative) {
        step = (wrn_span){step.data + 1, step.size - 1};
    }
    if (!wrn_signed_number(step, WRN_LOCATOR_STEP_MAX, &number) || (is_negative && number == 0)) {
        return false;
    }
    locator->port_step = is_negative ? -(int32_t)number : (int32_t)number;
    if (!wrn_signed_number(last, UINT16_MAX, &number)) {
        return false;
    }
    locator->port_last = (uint16_t)number;
    return true;
}

static bool take_endpoints(struct wrn_sexp_cursor *fields, struct wrn_locator *locator) {
    struct wrn_sexp_cursor at = *fields;
    struct wrn_sexp next;
    uint32_t count = 0;
    while (wrn_sexp_take_any(&at, &next) && is_endpoint(next)) {
        struct wrn_locator_endpoint entry;
        if (++count > WRN_ENDPOINTS_MAX || !take_endpoint(fields, &entry)) {
            return false;
        }
        if (is_usable(&entry.at)) {
            locator->endpoints[locator->endpoint_count++] = entry;
        }
    }
    return true;
}

static bool take_endpoint(struct wrn_sexp_cursor *fields, struct wrn_locator_endpoint *ret_entry) {
    struct wrn_sexp_cursor field;
    wrn_span ip;
    wrn_span digits;
    uint64_t port;
    uint8_t kind = 0;
    *ret_entry = (struct wrn_locator_endpoint){0};
    while (kind < WRN_COUNT(kind_words) && !wrn_sexp_take_named(fields, kind_words[kind], &field)) {
        kind++;
    }
    if (kind == WRN_COUNT(kind_words) || !wrn_sexp_take_atom(&field, &ip) ||
        (ip.size != IPV4_SIZE && ip.size != IPV6_SIZE) || !wrn_sexp_take_atom(&field, &digits) ||
        !wrn_signed_number(digits, UINT16_MAX, &port) || !wrn_sexp_at_end(&field)) {
        return false;
    }
    ret_entry->kind = kind;
    ret_entry->at.ip.family = ip.size == IPV4_SIZE ? WRN_FAMILY_IPV4 : WRN_FAMILY_IPV6;
    memcpy(ret_entry->at.ip.bytes, ip.data, ip.size);
    ret_entry->at.port = (uint16_t)port;
    return true;
}

static bool take_via(struct wrn_sexp_cursor *fields, struct wrn_locator *locator) {
    struct wrn_sexp_cursor field;
    wrn_span id;
    if (!wrn_sexp_take_named(fields, "via", &field)) {
        return true;
    }
    while (locator->relay_count < WRN_LOCATOR_RELAYS_MAX && wrn_sexp_take_atom(&field, &id)) {
        if (id.size != WRN_ID_SIZE) {
            return false;
        }
        locator->relay_ids[locator->relay_count++] = wrn_id_load(id.data);
    }
    return locator->relay_count > 0 && wrn_sexp_at_end(&field);
}

/* (streams TCP TLS): not both are 0. */
static bool take_streams(struct wrn_sexp_cursor *fields, struct wrn_locator *locator) {
    struct wrn_sexp_cursor field;
    wrn_span tcp;
    wrn_span tls;
    uint64_t tcp_port;
    uint64_t tls_port;
    if (!wrn_sexp_take_named(fields, "streams", &field)) {
        return true;
    }
    if (!wrn_sexp_take_atom(&field, &tcp) || !wrn_sexp_take_atom(&field, &tls) ||
        !wrn_sexp_at_end(&field) || !wrn_signed_number(tcp, UINT16_MAX, &tcp_port) ||
        !wrn_signed_number(tls, UINT16_MAX, &tls_port)) {
        return false;
    }
    locator->tcp_port = (uint16_t)tcp_port;
    locator->tls_port = (uint16_t)tls_port;
    return tcp_port != 0 || tls_port != 0;
}

/* What newer nodes say behind all that is known here; nothing known stands at a wrong place. */
static bool skip_unknown(struct wrn_sexp_cursor *fields) {
    static const char *const known[] = {"version", "key", "tunnel", "seq", "nat",
                                        "relays",  "aes", "ports",  "via", "streams"};
    struct wrn_sexp next;
    struct wrn_sexp_cursor field, at = *fields;
    wrn_span word;
    while (wrn_sexp_take_any(fields, &next)) {
        bool is_named = wrn_sexp_take_list(&at, &field) && wrn_sexp_take_atom(&field, &word);
        bool is_known = !is_named || is_endpoint(next);
        for (size_t i = 0; i < WRN_COUNT(known); i++) {
            is_known = is_known || wrn_sexp_is_named(next, known[i]);
        }
        if (is_known) {
            return false;
        }
    }
    return wrn_sexp_at_end(fields);
}

static bool is_endpoint(struct wrn_sexp sexp) {
    bool is_one = false;
    for (size_t i = 0; i < WRN_COUNT(kind_words); i++) {
        is_one = is_one || wrn_sexp_is_named(sexp, kind_words[i]);
    }
    return is_one;
}

/* An address that packets can be sent to and that is not the sender's own by definition: not
 * 0.0.0.0/8, 127.0.0.0/8, nor from 224.0.0.0 on (RFC 6890, section 2.2.2; RFC 1112, section 4); not
 * ::/96 with the unspecified address and loopback, not IPv4 in disguise, ::ffff:0:0/96, which would
 * name the same address twice, not ff00::/8 (RFC 4291, section 2). */
static bool is_usable(const struct wrn_endpoint *endpoint) {
    static const uint8_t zeros[10];
    const uint8_t *ip = endpoint->ip.bytes;
    if (endpoint->port == 0) {
        return false;
    }
    if (endpoint->ip.family == WRN_FAMILY_IPV4) {
        return ip[0] != 0 && ip[0] != 127 && ip[0] < 224;
    }
    bool is_low = memcmp(ip, zeros, sizeof(zeros)) == 0 &&
                  ((ip[10] == 0 && ip[11] == 0) || (ip[10] == 0xff && ip[11] == 0xff));
    return endpoint->ip.family == WRN_FAMILY_IPV6 && ip[0] != 0xff && !is_low;
}
