/* SPDX-License-Identifier: Apache-2.0 */
/* Which addresses are tried in which order, and what is said about it; claim.c does the rest. The
 * walk through the addresses begins anywhere and takes steps that have no divisor in common with
 * their number, so it comes to each once and needs no memory. */
#include "network/lease.h"

#include <arpa/inet.h>
#include <stdio.h>

enum { PREFIX = 5, ADDRESS_TEXT_SIZE = INET6_ADDRSTRLEN };

static const char prefix[PREFIX + 1] = "addr/";

static void set_ranges(struct wrn_lease *lease, const struct wrn_rights *rights);
static bool clip(struct wrn_lease_range all, const struct wrn_rights_range *right,
                 struct wrn_lease_range *ret_range);
static void add_range(struct wrn_lease *lease, struct wrn_lease_range range);
static bool is_ours_to_lease(const struct wrn_lease *lease, uint32_t address);
static uint32_t address_at(const struct wrn_lease *lease, uint32_t index);
static uint32_t index_of(const struct wrn_lease *lease, uint32_t address);
static uint32_t divisor(uint32_t a, uint32_t b);
static size_t candidate(void *ctx, uint32_t index, char *ret_key);
static void new_round(void *ctx);
static size_t value(void *ctx, wrn_span key, uint8_t *ret_value);
static enum wrn_reason store(void *ctx, const struct wrn_claim_request *request);
static void tell(void *ctx, const struct wrn_claim_event *claimed);
static void explain(const struct wrn_lease *lease, struct wrn_lease_event *event);
static bool address_of_key(wrn_span key, struct wrn_ip *ret_ip);
static struct wrn_ip ip_of(uint32_t address);
static void print_ip(const struct wrn_ip *ip, char ret_text[ADDRESS_TEXT_SIZE]);

void wrn_lease_init(struct wrn_lease *lease, const struct wrn_lease_options *options,
                    const struct wrn_lease_port *port, const struct wrn_primitives *primitives,
                    struct wrn_rand rand) {
    struct wrn_claim_port claim_port = {.ctx = lease,
                                        .candidate = candidate,
                                        .round = new_round,
                                        .value = value,
                                        .store = store,
                                        .event = tell};
    *lease = (struct wrn_lease){.port = *port, .range = options->range};
    if (options->remembered.family == WRN_FAMILY_IPV4) {
        lease->remembered = wrn_load_be32(options->remembered.bytes);
    }
    set_ranges(lease, options->rights);
    wrn_claim_init(&lease->claim, &claim_port, primitives, rand, options->own, options->tag_top);
}

bool wrn_lease_start(struct wrn_lease *lease, struct wrn_now now) {
    if (lease->size > 0) {
        wrn_claim_start(&lease->claim, now);
    }
    return lease->size > 0;
}

void wrn_lease_stop(struct wrn_lease *lease, struct wrn_now now, bool release) {
    wrn_claim_stop(&lease->claim, now, release);
}

void wrn_lease_set_rights(struct wrn_lease *lease, struct wrn_now now,
                          const struct wrn_rights *rights) {
    struct wrn_ip held = wrn_lease_address(lease);
    set_ranges(lease, rights);
    bool still_good =
        held.family != WRN_FAMILY_NONE && is_ours_to_lease(lease, wrn_load_be32(held.bytes));
    wrn_claim_changed(&lease->claim, now, still_good);
}

void wrn_lease_set_name(struct wrn_lease *lease, struct wrn_now now, const char *label) {
    size_t size = strnlen(label, WRN_LABEL_SIZE - 1);
    memset(lease->name, 0, sizeof lease->name);
    memcpy(lease->name, label, size);
    wrn_claim_refresh(&lease->claim, now);
}

void wrn_lease_on_missing(struct wrn_lease *lease, struct wrn_now now) {
    wrn_claim_refresh(&lease->claim, now);
}

void wrn_lease_on_answer(struct wrn_lease *lease, struct wrn_now now,
                         const struct wrn_dht_answer *answer) {
    wrn_claim_on_answer(&lease->claim, now, answer);
}

void wrn_lease_on_lost(struct wrn_lease *lease, struct wrn_now now, wrn_span record,
                       wrn_span winner, enum wrn_reason reason) {
    wrn_claim_on_lost(&lease->claim, now, record, winner, reason);
}

void wrn_lease_on_connected(struct wrn_lease *lease, struct wrn_now now) {
    wrn_claim_on_connected(&lease->claim, now);
}

void wrn_lease_on_time(struct wrn_lease *lease, struct wrn_now now) {
    wrn_claim_on_time(&lease->claim, now);
}

wrn_mono wrn_lease_due(const struct wrn_lease *lease) {
    return wrn_claim_due(&lease->claim);
}

struct wrn_ip wrn_lease_address(const struct wrn_lease *lease) {
    struct wrn_ip ip = {.family = WRN_FAMILY_NONE};
    (void)address_of_key(wrn_claim_key(&lease->claim), &ip);
    return ip;
}

enum wrn_claim_state wrn_lease_state(const struct wrn_lease *lease) {
    return lease->claim.state;
}

bool wrn_lease_is_assignable(const struct wrn_prefix *range, const struct wrn_ip *ip) {
    if (range->ip.family != WRN_FAMILY_IPV4 || ip->family != WRN_FAMILY_IPV4 ||
        range->length_bits > 30) {
        return false;
    }
    uint32_t first = wrn_load_be32(range->ip.bytes);
    uint32_t address = wrn_load_be32(ip->bytes);
    uint32_t last = first + (uint32_t)((UINT64_C(1) << (32 - range->length_bits)) - 1);
    return address > first + 1 && address < last;
}

/* ---- the record ---- */

size_t wrn_lease_key(const struct wrn_ip *ip, char ret_key[WRN_RECORD_KEY_MAX]) {
    char text[ADDRESS_TEXT_SIZE];
    print_ip(ip, text);
    return (size_t)snprintf(ret_key, WRN_RECORD_KEY_MAX, "%s%s", prefix, text);
}

size_t wrn_lease_value(const struct wrn_ip *ip, const char *label,
                       uint8_t ret_value[WRN_CLAIM_VALUE_MAX]) {
    char text[ADDRESS_TEXT_SIZE];
    struct wrn_sexp sexp;
    struct wrn_sexp_writer writer = wrn_sexp_writer(ret_value, WRN_CLAIM_VALUE_MAX);
    print_ip(ip, text);
    wrn_sexp_open(&writer, "lease");
    wrn_sexp_open(&writer, "address");
    wrn_sexp_put_word(&writer, text);
    wrn_sexp_close(&writer);
    if (label[0] != '\0') {
        wrn_sexp_open(&writer, "name");
        wrn_sexp_put_word(&writer, label);
        wrn_sexp_close(&writer);
    }
    wrn_sexp_close(&writer);
    int error = wrn_sexp_finish(&writer, &sexp);
    WRN_ASSERT(error == 0); /* 63 + 45 characters and their brackets fit */
    return sexp.bytes.size;
}

bool wrn_lease_read(const struct wrn_record *record, struct wrn_ip *ret_ip,
                    char ret_label[WRN_LABEL_SIZE]) {
    struct wrn_sexp_cursor cursor, inner;
    struct wrn_sexp sexp;
    struct wrn_ip ip;
    wrn_span address, label = {NULL, 0};
    if (record->kind != WRN_RECORD_CREATE || !address_of_key(record->key, &ip) ||
        wrn_sexp_check(record->value, &sexp, NULL) != 0 ||
        !wrn_sexp_enter_named(sexp, "lease", &cursor) ||
        !wrn_sexp_take_named(&cursor, "address", &inner) || !wrn_sexp_take_atom(&inner, &address) ||
        !wrn_sexp_at_end(&inner) || address.size != record->key.size - PREFIX ||
        memcmp(address.data, record->key.data + PREFIX, address.size) != 0) {
        return false;
    }
    if (wrn_sexp_take_named(&cursor, "name", &inner) &&
        (!wrn_sexp_take_atom(&inner, &label) || !wrn_sexp_at_end(&inner) ||
         !wrn_label_is_good(label))) {
        return false;
    }
    if (!wrn_sexp_at_end(&cursor)) {
        return false;
    }
    *ret_ip = ip;
    memset(ret_label, 0, WRN_LABEL_SIZE);
    if (label.size > 0) {
        memcpy(ret_label, label.data, label.size);
    }
    return true;
}

/* ---- IPv6 ---- */

bool wrn_lease_ipv6(const struct wrn_prefix *range, const uint8_t hit[WRN_HIT_SIZE],
                    struct wrn_ip *ret_ip) {
    if (range->ip.family != WRN_FAMILY_IPV6 || wrn_load_be64(hit + 8) <= 1) {
        return false;
    }
    *ret_ip = (struct wrn_ip){.family = WRN_FAMILY_IPV6};
    memcpy(ret_ip->bytes, range->ip.bytes, 8);
    memcpy(ret_ip->bytes + 8, hit + 8, 8);
    return true;
}

bool wrn_lease_is_ipv6_of(const struct wrn_prefix *range, const uint8_t hit[WRN_HIT_SIZE],
                          const struct wrn_ip *ip) {
    struct wrn_ip own = {.family = WRN_FAMILY_IPV6};
    memcpy(own.bytes, hit, WRN_HIT_SIZE);
    return wrn_ip_equal(&own, ip) || (wrn_lease_ipv6(range, hit, &own) && wrn_ip_equal(&own, ip));
}

/* ---- which addresses ---- */

/* Finds what is both in the network and in the rights. */
static void set_ranges(struct wrn_lease *lease, const struct wrn_rights *rights) {
    uint32_t first = wrn_load_be32(lease->range.ip.bytes);
    lease->range_count = lease->size = 0;
    if (lease->range.ip.family != WRN_FAMILY_IPV4 || lease->range.length_bits > 30) {
        return;
    }
    uint32_t span = (uint32_t)((UINT64_C(1) << (32 - lease->range.length_bits)) - 1);
    struct wrn_lease_range all = {first + 2, first + span - 1};
    if (rights == NULL || rights->any_address) {
        add_range(lease, all);
    } else {
        for (uint32_t i = 0; i < rights->address_count; i++) {
            struct wrn_lease_range range;
            if (clip(all, &rights->addresses[i], &range)) {
                add_range(lease, range);
            }
        }
    }
    for (uint32_t i = 0; i < lease->range_count; i++) {
        lease->size += lease->ranges[i].last - lease->ranges[i].first + 1;
    }
}

static bool clip(struct wrn_lease_range all, const struct wrn_rights_range *right,
                 struct wrn_lease_range *ret_range) {
    if (right->family != WRN_FAMILY_IPV4 || right->low[1] > all.last ||
        right->high[1] < all.first || right->low[1] > right->high[1]) {
        return false;
    }
    ret_range->first = right->low[1] > all.first ? (uint32_t)right->low[1] : all.first;
    ret_range->last = right->high[1] < all.last ? (uint32_t)right->high[1] : all.last;
    return true;
}

/* Keeps the ranges ascending and disjoint. */
static void add_range(struct wrn_lease *lease, struct wrn_lease_range range) {
    struct wrn_lease_range *ranges = lease->ranges;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < lease->range_count; i++) { /* take in those that touch it */
        if (ranges[i].last < range.first || ranges[i].first > range.last) {
            ranges[kept++] = ranges[i];
            continue;
        }
        range.first = ranges[i].first < range.first ? ranges[i].first : range.first;
        range.last = ranges[i].last > range.last ? ranges[i].last : range.last;
    }
    uint32_t at = kept;
    while (at > 0 && ranges[at - 1].first > range.first) {
        ranges[at] = ranges[at - 1];
        at--;
    }
    ranges[at] = range;
    lease->range_count = kept + 1;
}

static bool is_ours_to_lease(const struct wrn_lease *lease, uint32_t address) {
    for (uint32_t i = 0; i < lease->range_count; i++) {
        if (address >= lease->ranges[i].first && address <= lease->ranges[i].last) {
            return true;
        }
    }
    return false;
}

static uint32_t address_at(const struct wrn_lease *lease, uint32_t index) {
    uint32_t i = 0;
    while (index > lease->ranges[i].last - lease->ranges[i].first) {
        index -= lease->ranges[i].last - lease->ranges[i].first + 1;
        i++;
    }
    return lease->ranges[i].first + index;
}

/* The reverse, of one that is ours to lease. */
static uint32_t index_of(const struct wrn_lease *lease, uint32_t address) {
    uint32_t index = 0, i = 0;
    for (; address > lease->ranges[i].last; i++) {
        index += lease->ranges[i].last - lease->ranges[i].first + 1;
    }
    return index + (address - lease->ranges[i].first);
}

static uint32_t divisor(uint32_t a, uint32_t b) {
    while (b != 0) {
        uint32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* ---- the claim's port ---- */

static void new_round(void *ctx) {
    struct wrn_lease *lease = ctx;
    lease->begin = lease->step = 0;
    if (lease->size > 0) {
        bool has_first = lease->remembered != 0 && is_ours_to_lease(lease, lease->remembered);
        lease->begin = has_first ? index_of(lease, lease->remembered)
                                 : wrn_rand_below(lease->claim.rand, lease->size);
        lease->step = 1 + wrn_rand_below(lease->claim.rand, lease->size);
    }
    while (divisor(lease->step, lease->size) > 1) {
        lease->step++;
    }
}

static size_t candidate(void *ctx, uint32_t index, char *ret_key) {
    const struct wrn_lease *lease = ctx;
    uint32_t most =
        lease->size <= WRN_LEASE_EXHAUSTIVE_MAX ? lease->size : (uint32_t)WRN_LEASE_TRIES_MAX;
    if (index >= most) {
        return 0;
    }
    uint64_t place = ((uint64_t)index * lease->step + lease->begin) % lease->size;
    struct wrn_ip ip = ip_of(address_at(lease, (uint32_t)place));
    return wrn_lease_key(&ip, ret_key);
}

static size_t value(void *ctx, wrn_span key, uint8_t *ret_value) {
    const struct wrn_lease *lease = ctx;
    struct wrn_ip ip;
    bool is_address = address_of_key(key, &ip);
    WRN_ASSERT(is_address);
    return wrn_lease_value(&ip, lease->name, ret_value);
}

static enum wrn_reason store(void *ctx, const struct wrn_claim_request *request) {
    struct wrn_lease *lease = ctx;
    return lease->port.store(lease->port.ctx, request);
}

static void tell(void *ctx, const struct wrn_claim_event *claimed) {
    struct wrn_lease *lease = ctx;
    static const uint8_t kinds[] = {
        [WRN_CLAIM_EVENT_HELD] = WRN_LEASE_HELD,
        [WRN_CLAIM_EVENT_LOST] = WRN_LEASE_LOST,
        [WRN_CLAIM_EVENT_FULL] = WRN_LEASE_FULL,
        [WRN_CLAIM_EVENT_WAITING] = WRN_LEASE_WAITING,
        [WRN_CLAIM_EVENT_RELEASED] = WRN_LEASE_RELEASED,
    };
    struct wrn_lease_event event = {
        .reason = claimed->reason,
        .has_holder = claimed->has_holder,
        .holder_since_s = claimed->holder_since_s,
        .size = lease->size,
        .tried = claimed->taken + claimed->refused,
        .taken = claimed->taken,
        .refused = claimed->refused,
        .retry_s = claimed->retry_s,
    };
    (void)address_of_key(claimed->key, &event.ip);
    bool is_another = claimed->kind == WRN_CLAIM_EVENT_TAKEN ||
                      (claimed->kind == WRN_CLAIM_EVENT_LOST && claimed->has_holder);
    if (is_another && wrn_load_be32(event.ip.bytes) == lease->remembered) {
        lease->remembered = 0; /* the next round begins elsewhere */
    }
    if (claimed->kind == WRN_CLAIM_EVENT_TAKEN) {
        return; /* in a busy network many are */
    }
    event.kind = kinds[claimed->kind];
    (void)address_of_key(claimed->previous, &event.previous);
    if (claimed->has_holder) {
        const struct wrn_primitives *primitives = lease->claim.primitives;
        primitives->hit(primitives->ctx, claimed->holder, event.holder);
    }
    if (event.kind == WRN_LEASE_HELD) {
        lease->remembered = wrn_load_be32(event.ip.bytes);
    }
    explain(lease, &event);
    lease->port.event(lease->port.ctx, &event);
}

/* Puts an event into words. */
static void explain(const struct wrn_lease *lease, struct wrn_lease_event *event) {
    char ip[ADDRESS_TEXT_SIZE] = "", previous[ADDRESS_TEXT_SIZE] = "";
    char range[WRN_PREFIX_TEXT_SIZE] = "", holder[WRN_HIT_TEXT_SIZE] = "nobody";
    char *text = event->text;
    print_ip(&event->ip, ip);
    print_ip(&event->previous, previous);
    (void)wrn_prefix_print(&lease->range, range);
    if (event->has_holder) {
        wrn_hit_print(event->holder, holder);
    }
    switch (event->kind) {
    case WRN_LEASE_HELD:
        if (event->has_holder) {
            (void)snprintf(text, sizeof event->text,
                           "the address is now %s; %s belongs to %s, whose claim is older", ip,
                           previous, holder);
        } else {
            (void)snprintf(text, sizeof event->text, "the address is %s", ip);
        }
        return;
    case WRN_LEASE_LOST:
        if (event->has_holder) {
            (void)snprintf(text, sizeof event->text,
                           "the address %s belongs to %s, whose claim is older: another one is "
                           "being looked for",
                           ip, holder);
        } else {
            (void)snprintf(text, sizeof event->text, "the address %s is lost: %s", ip,
                           wrn_reason_text(event->reason));
        }
        return;
    case WRN_LEASE_FULL:
        (void)snprintf(
            text, sizeof event->text,
            "%s has no free address: of %u that this node may have %u were tried, %u are "
            "taken, %u refused. Next try in %u s; else let a member leave, or ask the "
            "owner for a network with a larger range",
            range, (unsigned)event->size, (unsigned)event->tried, (unsigned)event->taken,
            (unsigned)event->refused, (unsigned)event->retry_s);
        return;
    case WRN_LEASE_WAITING:
        (void)snprintf(text, sizeof event->text,
                       "no address can be leased now: %s. Next try in %u s",
                       wrn_reason_text(event->reason), (unsigned)event->retry_s);
        return;
    case WRN_LEASE_RELEASED:
        (void)snprintf(text, sizeof event->text, "the address %s has been given back", ip);
        return;
    }
}

/* ---- values ---- */

/* Reads "addr/IP" in the one form in which it is printed. */
static bool address_of_key(wrn_span key, struct wrn_ip *ret_ip) {
    char text[ADDRESS_TEXT_SIZE], again[ADDRESS_TEXT_SIZE];
    struct wrn_ip ip = {.family = WRN_FAMILY_NONE};
    if (key.size <= PREFIX || key.size - PREFIX >= sizeof text ||
        memcmp(key.data, prefix, PREFIX) != 0) {
        return false;
    }
    size_t size = key.size - PREFIX;
    memcpy(text, key.data + PREFIX, size);
    text[size] = '\0';
    if (inet_pton(AF_INET, text, ip.bytes) == 1) {
        ip.family = WRN_FAMILY_IPV4;
    } else if (inet_pton(AF_INET6, text, ip.bytes) == 1) {
        ip.family = WRN_FAMILY_IPV6;
    } else {
        return false;
    }
    print_ip(&ip, again);
    if (strlen(again) != size || memcmp(again, text, size) != 0) {
        return false;
    }
    *ret_ip = ip;
    return true;
}

static struct wrn_ip ip_of(uint32_t address) {
    struct wrn_ip ip = {.family = WRN_FAMILY_IPV4};
    wrn_store_be32(ip.bytes, address);
    return ip;
}

static void print_ip(const struct wrn_ip *ip, char ret_text[ADDRESS_TEXT_SIZE]) {
    ret_text[0] = '\0';
    if (ip->family != WRN_FAMILY_NONE) {
        (void)inet_ntop(ip->family == WRN_FAMILY_IPV4 ? AF_INET : AF_INET6, ip->bytes, ret_text,
                        ADDRESS_TEXT_SIZE);
    }
}
