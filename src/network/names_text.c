/* SPDX-License-Identifier: Apache-2.0 */
/* Labels of hosts, and what a domain name in text asks for. Asks nobody. */
#include <stdio.h>

#include "network/names.h"

enum { LABEL_MAX = WRN_LABEL_SIZE - 1, NIBBLES = 32 };

static const char domain_end[] = ".warren";

static bool take_end(wrn_span *name, const char *end);
static void parse_host(wrn_span name, const char *network, struct wrn_names_question *question);
static bool parse_ipv4(wrn_span name, struct wrn_ip *ret_ip);
static bool parse_ipv6(wrn_span name, struct wrn_ip *ret_ip);
static bool is_in(const struct wrn_prefix *range, const struct wrn_ip *ip);
static int hex_digit(uint8_t c);

void wrn_names_label(wrn_span host, const uint8_t hit[WRN_HIT_SIZE],
                     char ret_label[WRN_LABEL_SIZE]) {
    size_t size = 0;
    memset(ret_label, 0, WRN_LABEL_SIZE);
    for (size_t i = 0; i < host.size && host.data[i] != '.' && size < LABEL_MAX; i++) {
        uint8_t c = host.data[i];
        c = c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
            ret_label[size++] = (char)c;
        } else if (size > 0 && ret_label[size - 1] != '-') {
            ret_label[size++] = '-';
        }
    }
    while (size > 0 && ret_label[size - 1] == '-') {
        ret_label[--size] = '\0';
    }
    if (size == 0) {
        (void)snprintf(ret_label, WRN_LABEL_SIZE, "node-%02x%02x%02x%02x", hit[12], hit[13],
                       hit[14], hit[15]);
    }
}

void wrn_names_numbered(const char *label, uint32_t number, char ret_label[WRN_LABEL_SIZE]) {
    char end[12] = "";
    if (number > 1) {
        (void)snprintf(end, sizeof end, "-%u", (unsigned)number);
    }
    int size = (int)strnlen(label, LABEL_MAX);
    int most = (int)(LABEL_MAX - strlen(end));
    size = size < most ? size : most;
    while (number > 1 && size > 1 && label[size - 1] == '-') {
        size--;
    }
    (void)snprintf(ret_label, WRN_LABEL_SIZE, "%.*s%s", size, label, end);
}

void wrn_names_parse(wrn_span domain, const char *network, const struct wrn_prefix *ipv4,
                     const struct wrn_prefix *ipv6, struct wrn_names_question *ret_question) {
    char lower[WRN_NAMES_DOMAIN_MAX + 1];
    wrn_span name = {(const uint8_t *)lower, domain.size};
    struct wrn_names_question *question = ret_question;
    *question = (struct wrn_names_question){.kind = WRN_NAMES_NOT_OURS};
    if (name.size > 0 && domain.data[name.size - 1] == '.') {
        name.size--;
    }
    if (name.size == 0 || name.size > WRN_NAMES_DOMAIN_MAX) {
        return;
    }
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = domain.data[i];
        lower[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    if (take_end(&name, domain_end)) {
        parse_host(name, network, question);
        return;
    }
    struct wrn_ip ip;
    bool is_ours = false;
    if (take_end(&name, ".in-addr.arpa")) {
        is_ours = parse_ipv4(name, &ip) && is_in(ipv4, &ip);
    } else if (take_end(&name, ".ip6.arpa")) {
        is_ours = parse_ipv6(name, &ip) && (is_in(ipv6, &ip) || wrn_hit_is_eddsa(ip.bytes));
    }
    if (is_ours) {
        question->kind = WRN_NAMES_REVERSE;
        question->ip = ip;
    }
}

/* Cuts off 'end' if something is left before it. */
static bool take_end(wrn_span *name, const char *end) {
    size_t size = strlen(end);
    if (name->size <= size || memcmp(name->data + name->size - size, end, size) != 0) {
        return false;
    }
    name->size -= size;
    return true;
}

static void parse_host(wrn_span name, const char *network, struct wrn_names_question *question) {
    size_t size = strlen(network);
    if (name.size < size || memcmp(name.data + name.size - size, network, size) != 0) {
        return;
    }
    if (name.size == size) {
        question->kind = WRN_NAMES_DOMAIN;
        return;
    }
    if (name.data[name.size - size - 1] != '.') {
        return;
    }
    name.size -= size + 1;
    question->kind = WRN_NAMES_BAD;
    if (wrn_label_is_good(name)) {
        question->kind = WRN_NAMES_HOST;
        memcpy(question->label, name.data, name.size);
    }
}

/* Four numbers without leading zeros, the last one first. */
static bool parse_ipv4(wrn_span name, struct wrn_ip *ret_ip) {
    struct wrn_ip ip = {.family = WRN_FAMILY_IPV4};
    size_t at = 0;
    for (int i = 3; i >= 0; i--) {
        uint32_t number = 0;
        size_t begin = at;
        while (at < name.size && at - begin < 3 && name.data[at] >= '0' && name.data[at] <= '9') {
            number = number * 10 + (uint32_t)(name.data[at++] - '0');
        }
        bool is_good = at > begin && number <= 255 && (name.data[begin] != '0' || at - begin == 1);
        bool is_end = i == 0 ? at == name.size : at < name.size && name.data[at] == '.';
        if (!is_good || !is_end) {
            return false;
        }
        ip.bytes[i] = (uint8_t)number;
        at++;
    }
    *ret_ip = ip;
    return true;
}

/* 32 digits with dots between them, the last one first. */
static bool parse_ipv6(wrn_span name, struct wrn_ip *ret_ip) {
    struct wrn_ip ip = {.family = WRN_FAMILY_IPV6};
    if (name.size != 2 * NIBBLES - 1) {
        return false;
    }
    for (size_t i = 0; i < NIBBLES; i++) {
        int digit = hex_digit(name.data[2 * i]);
        size_t place = NIBBLES - 1 - i;
        if (digit < 0 || (i < NIBBLES - 1 && name.data[2 * i + 1] != '.')) {
            return false;
        }
        ip.bytes[place / 2] |= (uint8_t)(digit << (place % 2 == 0 ? 4 : 0));
    }
    *ret_ip = ip;
    return true;
}

static bool is_in(const struct wrn_prefix *range, const struct wrn_ip *ip) {
    if (range->ip.family != ip->family) {
        return false;
    }
    for (size_t bit = 0; bit < range->length_bits; bit++) {
        if (((range->ip.bytes[bit / 8] ^ ip->bytes[bit / 8]) & 0x80 >> bit % 8) != 0) {
            return false;
        }
    }
    return true;
}

static int hex_digit(uint8_t c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
