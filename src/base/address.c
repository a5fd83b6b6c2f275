/* SPDX-License-Identifier: Apache-2.0 */
/* Text forms of prefixes and endpoints. Strict: a text has one meaning or none. No name lookups. */
#include "base/address.h"

#include <arpa/inet.h>

static bool parse_ip(wrn_span text, struct wrn_ip *ret_ip);
static bool parse_decimal(wrn_span text, uint32_t max, uint32_t *ret_value);
static void unmap(struct wrn_endpoint *endpoint);
static bool split_at(wrn_span text, uint8_t mark, wrn_span *ret_before, wrn_span *ret_after);
static void clear_host_bits(struct wrn_prefix *prefix);
static size_t print_ip(const struct wrn_ip *ip, char *text);
static size_t print_decimal(uint32_t value, char *text);
static size_t family_size(const struct wrn_ip *ip);

int wrn_prefix_parse(wrn_span text, struct wrn_prefix *ret_prefix) {
    struct wrn_prefix prefix = {0};
    wrn_span ip = text;
    wrn_span length = {0};
    bool has_length = split_at(text, '/', &ip, &length);
    if (!parse_ip(ip, &prefix.ip)) {
        return WRN_ERR_MALFORMED;
    }
    uint32_t bits = (uint32_t)family_size(&prefix.ip) * 8;
    if (has_length && (length.size > 3 || !parse_decimal(length, bits, &bits))) {
        return WRN_ERR_MALFORMED;
    }
    prefix.length_bits = (uint8_t)bits;
    clear_host_bits(&prefix);
    *ret_prefix = prefix;
    return 0;
}

int wrn_endpoint_parse(wrn_span text, struct wrn_endpoint *ret_endpoint) {
    struct wrn_endpoint endpoint = {0};
    wrn_span ip, port;
    uint8_t family = WRN_FAMILY_IPV4;
    if (text.size > 0 && text.data[0] == '[') {
        family = WRN_FAMILY_IPV6;
        wrn_span scope;
        wrn_span inner = {text.data + 1, text.size - 1};
        if (!split_at(inner, ']', &ip, &port) || port.size == 0 || port.data[0] != ':') {
            return WRN_ERR_MALFORMED;
        }
        port = (wrn_span){port.data + 1, port.size - 1};
        if (split_at(ip, '%', &ip, &scope) &&
            !parse_decimal(scope, UINT32_MAX, &endpoint.scope_id)) {
            return WRN_ERR_MALFORMED;
        }
    } else if (!split_at(text, ':', &ip, &port)) {
        return WRN_ERR_MALFORMED;
    }
    uint32_t number;
    if (!parse_ip(ip, &endpoint.ip) || endpoint.ip.family != family ||
        !parse_decimal(port, UINT16_MAX, &number)) {
        return WRN_ERR_MALFORMED;
    }
    endpoint.port = (uint16_t)number;
    unmap(&endpoint);
    *ret_endpoint = endpoint;
    return 0;
}

size_t wrn_prefix_print(const struct wrn_prefix *prefix, char ret_text[WRN_PREFIX_TEXT_SIZE]) {
    size_t used = print_ip(&prefix->ip, ret_text);
    ret_text[used++] = '/';
    return used + print_decimal(prefix->length_bits, ret_text + used);
}

size_t wrn_endpoint_print(const struct wrn_endpoint *endpoint,
                          char ret_text[WRN_ENDPOINT_TEXT_SIZE]) {
    bool is_ipv6 = endpoint->ip.family == WRN_FAMILY_IPV6;
    size_t used = 0;
    if (is_ipv6) {
        ret_text[used++] = '[';
    }
    used += print_ip(&endpoint->ip, ret_text + used);
    if (is_ipv6) {
        if (endpoint->scope_id != 0) {
            ret_text[used++] = '%';
            used += print_decimal(endpoint->scope_id, ret_text + used);
        }
        ret_text[used++] = ']';
    }
    ret_text[used++] = ':';
    return used + print_decimal(endpoint->port, ret_text + used);
}

bool wrn_ip_equal(const struct wrn_ip *a, const struct wrn_ip *b) {
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool wrn_endpoint_equal(const struct wrn_endpoint *a, const struct wrn_endpoint *b) {
    return wrn_ip_equal(&a->ip, &b->ip) && a->port == b->port && a->scope_id == b->scope_id;
}

static bool parse_ip(wrn_span text, struct wrn_ip *ret_ip) {
    char copy[INET6_ADDRSTRLEN];
    /* A zero byte inside would hide what follows it from inet_pton. */
    if (text.size == 0 || text.size >= sizeof(copy) || memchr(text.data, 0, text.size)) {
        return false;
    }
    memcpy(copy, text.data, text.size);
    copy[text.size] = 0;
    bool is_ipv6 = memchr(copy, ':', text.size) != NULL;
    *ret_ip = (struct wrn_ip){.family = is_ipv6 ? WRN_FAMILY_IPV6 : WRN_FAMILY_IPV4};
    return inet_pton(is_ipv6 ? AF_INET6 : AF_INET, copy, ret_ip->bytes) == 1;
}

/* Digits only: no sign, no space, no empty text. */
static bool parse_decimal(wrn_span text, uint32_t max, uint32_t *ret_value) {
    enum { DIGITS_MAX = 10 };
    if (text.size == 0 || text.size > DIGITS_MAX) {
        return false;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        value = value * 10 + (uint64_t)(text.data[i] - '0');
    }
    if (value > max) {
        return false;
    }
    *ret_value = (uint32_t)value;
    return true;
}

/* Splits at the first 'mark'; leaves the outputs alone if there is none. */
static bool split_at(wrn_span text, uint8_t mark, wrn_span *ret_before, wrn_span *ret_after) {
    const uint8_t *at = text.size > 0 ? memchr(text.data, mark, text.size) : NULL;
    if (!at) {
        return false;
    }
    size_t before = (size_t)(at - text.data);
    *ret_before = (wrn_span){text.data, before};
    *ret_after = (wrn_span){at + 1, text.size - before - 1};
    return true;
}

static void clear_host_bits(struct wrn_prefix *prefix) {
    size_t whole = prefix->length_bits / 8;
    unsigned rest = prefix->length_bits % 8;
    if (whole >= sizeof(prefix->ip.bytes)) {
        return;
    }
    if (rest > 0) {
        prefix->ip.bytes[whole] &= (uint8_t)(0xff00u >> rest);
        whole++;
    }
    memset(prefix->ip.bytes + whole, 0, sizeof(prefix->ip.bytes) - whole);
}

static size_t print_ip(const struct wrn_ip *ip, char *text) {
    WRN_ASSERT(ip->family == WRN_FAMILY_IPV4 || ip->family == WRN_FAMILY_IPV6);
    int family = ip->family == WRN_FAMILY_IPV6 ? AF_INET6 : AF_INET;
    const char *printed = inet_ntop(family, ip->bytes, text, INET6_ADDRSTRLEN);
    WRN_ASSERT(printed);
    return strlen(printed);
}

/* Writes the digits and a zero, and returns the number of digits. */
static size_t print_decimal(uint32_t value, char *text) {
    char reversed[10];
    size_t count = 0;
    do {
        reversed[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    for (size_t i = 0; i < count; i++) {
        text[i] = reversed[count - 1 - i];
    }
    text[count] = 0;
    return count;
}

static size_t family_size(const struct wrn_ip *ip) {
    return ip->family == WRN_FAMILY_IPV6 ? 16 : 4;
}

/* Sockets are of one family each, so a mapped address must name the family it means. */
static void unmap(struct wrn_endpoint *endpoint) {
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (endpoint->ip.family == WRN_FAMILY_IPV6 &&
        memcmp(endpoint->ip.bytes, mapped, sizeof(mapped)) == 0) {
        struct wrn_ip ip = {.family = WRN_FAMILY_IPV4};
        memcpy(ip.bytes, endpoint->ip.bytes + sizeof(mapped), 4);
        endpoint->ip = ip;
        endpoint->scope_id = 0;
    }
}
