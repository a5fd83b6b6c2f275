/* SPDX-License-Identifier: Apache-2.0 */
/* Which records may be stored in the table of a network's ring. Cheap questions come first: a chain
 * is looked at only for a record that is otherwise right. */
#include <arpa/inet.h>

#include "network/members.h"
#include "network/members_internal.h"
#include "overlay/locator.h"

enum { HEX_KEY = 2 * WRN_SHA256_SIZE, USES_DIGITS_MAX = 9 };

/* One question about a record. */
struct asked {
    struct wrn_members *members;
    const struct wrn_record *record;
    wrn_span rest; /* of the key, behind "family/" */
    wrn_wall now;
};

enum {
    MAY_PUT = 1 << WRN_RECORD_PUT,
    MAY_CREATE = 1 << WRN_RECORD_CREATE,
    MAY_DELETE = 1 << WRN_RECORD_DELETE,
};

static enum wrn_reason rule_address(const struct asked *asked);
static enum wrn_reason rule_name(const struct asked *asked);
static enum wrn_reason rule_node(const struct asked *asked);
static enum wrn_reason rule_crl(const struct asked *asked);
static enum wrn_reason rule_service(const struct asked *asked);
static enum wrn_reason rule_use(const struct asked *asked);
static enum wrn_reason rule_meeting(const struct asked *asked);
static enum wrn_reason judge_owner(const struct asked *asked, const struct wrn_rights **ret_rights);
static bool read_ip(wrn_span text, struct wrn_ip *ret_ip);
static bool is_locator_of(const struct asked *asked);
static bool read_hex(wrn_span text, uint8_t out[WRN_SHA256_SIZE]);
static bool read_number(wrn_span text, uint32_t *ret_number);
static bool was_issued_by(const struct wrn_rights *rights, const uint8_t *issuer,
                          const uint8_t *subject);

enum wrn_reason wrn_members_rule(void *ctx, const struct wrn_record *record, wrn_wall now) {
    static const struct {
        const char *family;
        unsigned kinds;
        enum wrn_reason (*rule)(const struct asked *asked);
    } families[] = {
        {"addr/", MAY_CREATE | MAY_DELETE, rule_address},
        {"name/", MAY_CREATE | MAY_DELETE, rule_name},
        {"node/", MAY_CREATE | MAY_DELETE, rule_node},
        {"crl/", MAY_CREATE | MAY_PUT, rule_crl},
        {"svc/", MAY_PUT | MAY_DELETE, rule_service},
        {"use/", MAY_CREATE, rule_use},
        {"meet/", MAY_PUT, rule_meeting},
    };
    for (size_t i = 0; i < WRN_COUNT(families); i++) {
        size_t size = strlen(families[i].family);
        if (record->key.size > size && memcmp(record->key.data, families[i].family, size) == 0) {
            const struct asked asked = {
                .members = ctx,
                .record = record,
                .rest = {record->key.data + size, record->key.size - size},
                .now = now,
            };
            bool may_be = (families[i].kinds >> record->kind & 1) != 0;
            return may_be ? families[i].rule(&asked) : WRN_REASON_RULE;
        }
    }
    return WRN_REASON_RULE;
}

bool wrn_members_is_lease(const struct wrn_members *members, const struct wrn_ip *ip) {
    bool is_ip4 = ip->family == WRN_FAMILY_IPV4;
    const struct wrn_prefix *range = is_ip4 ? &members->ipv4 : &members->ipv6;
    size_t size = is_ip4 ? 4 : 16;
    uint8_t all_and = 0xff, all_or = 0; /* of the bits of the host; of all but the last one */
    if (range->ip.family != ip->family || ip->family == WRN_FAMILY_NONE) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        size_t bits = range->length_bits > 8 * i ? range->length_bits - 8 * i : 0;
        uint8_t host = bits >= 8 ? 0 : (uint8_t)(0xff >> bits);
        if (((ip->bytes[i] ^ range->ip.bytes[i]) & ~host & 0xff) != 0) {
            return false;
        }
        all_and &= (uint8_t)(ip->bytes[i] | ~host);
        all_or |= (uint8_t)(ip->bytes[i] & host & (i == size - 1 ? 0xfe : 0xff));
    }
    return all_or != 0 && !(is_ip4 && all_and == 0xff);
}

/* ---- Families */

static enum wrn_reason rule_address(const struct asked *asked) {
    const struct wrn_rights *rights;
    struct wrn_ip ip;
    if (!read_ip(asked->rest, &ip) || !wrn_members_is_lease(asked->members, &ip)) {
        return WRN_REASON_RULE;
    }
    enum wrn_reason reason = judge_owner(asked, &rights);
    if (reason != WRN_REASON_NONE) {
        return reason;
    }
    return wrn_rights_has_address(rights, &ip) ? WRN_REASON_NONE : WRN_REASON_RULE;
}

static enum wrn_reason rule_name(const struct asked *asked) {
    const struct wrn_rights *rights;
    if (!wrn_label_is_good(asked->rest)) {
        return WRN_REASON_RULE;
    }
    enum wrn_reason reason = judge_owner(asked, &rights);
    if (reason != WRN_REASON_NONE) {
        return reason;
    }
    return wrn_rights_has_name(rights, asked->rest) ? WRN_REASON_NONE : WRN_REASON_RULE;
}

/* Everybody has a locator under the own HIT. In an open network without a chain, too. */
static enum wrn_reason rule_node(const struct asked *asked) {
    const struct wrn_primitives *primitives = &asked->members->primitives;
    const struct wrn_rights *rights;
    uint8_t hit[WRN_HIT_SIZE];
    struct wrn_ip ip;
    primitives->hit(primitives->ctx, asked->record->owner, hit);
    if (!read_ip(asked->rest, &ip) || ip.family != WRN_FAMILY_IPV6 ||
        memcmp(ip.bytes, hit, sizeof hit) != 0) {
        return WRN_REASON_RULE;
    }
    bool needs_chain = !asked->members->is_open || asked->record->proof.size > 0;
    enum wrn_reason reason = needs_chain ? judge_owner(asked, &rights) : WRN_REASON_NONE;
    if (asked->members->is_open && reason != WRN_REASON_EXCLUDED) {
        reason = WRN_REASON_NONE;
    }
    if (reason == WRN_REASON_NONE && asked->record->kind == WRN_RECORD_CREATE &&
        !is_locator_of(asked)) {
        return WRN_REASON_RULE;
    }
    return reason;
}

static enum wrn_reason rule_crl(const struct asked *asked) {
    const struct wrn_record *record = asked->record;
    uint8_t key[WRN_SPKI_KEY_SEXP_SIZE], wanted[WRN_SHA256_SIZE], hash[WRN_SHA256_SIZE];
    wrn_spki_hash(wrn_spki_key_sexp(record->owner, key), hash);
    if (!read_hex(asked->rest, wanted) || memcmp(wanted, hash, sizeof hash) != 0) {
        return WRN_REASON_RULE;
    }
    return wrn_revoked_check(asked->members->revoked, asked->now.s, record->owner, record->value,
                             record->proof);
}

/* NAME, or several with dots between, the first ones with '_' in front as DNS-SD has them. */
static enum wrn_reason rule_service(const struct asked *asked) {
    const struct wrn_rights *rights;
    wrn_span left = asked->rest;
    while (left.size > 0) {
        const uint8_t *dot = memchr(left.data, '.', left.size);
        size_t size = dot != NULL ? (size_t)(dot - left.data) : left.size;
        wrn_span label = {left.data, size};
        if (size > 1 && label.data[0] == '_') {
            label = (wrn_span){label.data + 1, size - 1};
        }
        if (!wrn_label_is_good(label) || (dot != NULL && size + 1 == left.size)) {
            return WRN_REASON_RULE;
        }
        size += dot != NULL;
        left = (wrn_span){left.data + size, left.size - size};
    }
    return judge_owner(asked, &rights);
}

/* KEY/K: the invitation with this key was used for the K-th time, by the record's owner, for whom
 * it issued a certificate. Nobody can take that back. */
static enum wrn_reason rule_use(const struct asked *asked) {
    const struct wrn_record *record = asked->record;
    const struct wrn_rights *rights;
    uint8_t invitation[WRN_SIGN_PUBLIC_SIZE];
    uint32_t k;
    bool has_revoked;
    if (asked->rest.size < HEX_KEY + 2 || asked->rest.data[HEX_KEY] != '/' ||
        !read_hex((wrn_span){asked->rest.data, HEX_KEY}, invitation) ||
        !read_number((wrn_span){asked->rest.data + HEX_KEY + 1, asked->rest.size - HEX_KEY - 1},
                     &k)) {
        return WRN_REASON_RULE;
    }
    enum wrn_reason reason = judge_owner(asked, &rights);
    if (reason != WRN_REASON_NONE) {
        return reason;
    }
    if (!was_issued_by(rights, invitation, record->owner)) {
        return WRN_REASON_RULE;
    }
    struct wrn_members_answer answer = wrn_members_ask(
        asked->members, asked->now.s, WRN_MEMBERS_RECORD, invitation, record->proof, &has_revoked);
    bool may = answer.reason == WRN_REASON_NONE && wrn_rights_has_use(answer.rights, k);
    return may ? WRN_REASON_NONE : WRN_REASON_RULE;
}

/* 64 digits, in an open network: something sealed, for whoever knows the key. Anybody may be on
 * such a ring, so nobody has to show anything; what he says ends soon. */
static enum wrn_reason rule_meeting(const struct asked *asked) {
    const struct wrn_record *record = asked->record;
    uint8_t place[WRN_SHA256_SIZE];
    wrn_wall until;
    if (!asked->members->is_open || !read_hex(asked->rest, place) ||
        record->ttl_s > WRN_MEETING_TTL_MAX_S || record->value.size > WRN_MEETING_VALUE_MAX) {
        return WRN_REASON_RULE;
    }
    return wrn_members_admit(asked->members, asked->now, record->owner, (wrn_span){NULL, 0},
                             &until);
}

/* ---- Parts */

/* The record's owner must be a member. */
static enum wrn_reason judge_owner(const struct asked *asked,
                                   const struct wrn_rights **ret_rights) {
    const struct wrn_record *record = asked->record;
    bool has_revoked;
    struct wrn_members_answer answer =
        wrn_members_ask(asked->members, asked->now.s, WRN_MEMBERS_RECORD, record->owner,
                        record->proof, &has_revoked);
    if (answer.reason != WRN_REASON_NONE) {
        return answer.reason;
    }
    *ret_rights = answer.rights;
    if ((answer.rights->flags & WRN_RIGHT_MEMBER) != 0) {
        return WRN_REASON_NONE;
    }
    return has_revoked ? WRN_REASON_EXCLUDED : WRN_REASON_NOT_ADMITTED;
}

/* An address in the one form that inet_ntop gives it: else one address had several keys. */
static bool read_ip(wrn_span text, struct wrn_ip *ret_ip) {
    char copy[INET6_ADDRSTRLEN], again[INET6_ADDRSTRLEN];
    if (text.size >= sizeof copy) {
        return false;
    }
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    *ret_ip = (struct wrn_ip){.family = WRN_FAMILY_IPV4};
    int family = AF_INET;
    if (inet_pton(AF_INET, copy, ret_ip->bytes) != 1) {
        *ret_ip = (struct wrn_ip){.family = WRN_FAMILY_IPV6};
        family = AF_INET6;
        if (inet_pton(AF_INET6, copy, ret_ip->bytes) != 1) {
            return false;
        }
    }
    return inet_ntop(family, ret_ip->bytes, again, sizeof again) != NULL &&
           strcmp(copy, again) == 0;
}

static bool is_locator_of(const struct asked *asked) {
    const struct wrn_primitives *primitives = &asked->members->primitives;
    const struct wrn_record *record = asked->record;
    struct wrn_locator locator;
    return wrn_locator_parse(record->value, primitives, &locator) == WRN_REASON_NONE &&
           memcmp(locator.public_key, record->owner, sizeof locator.public_key) == 0;
}

/* 64 digits, lower case. */
static bool read_hex(wrn_span text, uint8_t out[WRN_SHA256_SIZE]) {
    static const char digits[] = "0123456789abcdef";
    if (text.size != HEX_KEY) {
        return false;
    }
    for (size_t i = 0; i < HEX_KEY; i++) {
        const char *digit = text.data[i] == '\0' ? NULL : strchr(digits, text.data[i]);
        if (digit == NULL) {
            return false;
        }
        uint8_t value = (uint8_t)(digit - digits);
        out[i / 2] = (uint8_t)(i % 2 == 0 ? value << 4 : out[i / 2] | value);
    }
    return true;
}

/* From 1, without leading zeros. */
static bool read_number(wrn_span text, uint32_t *ret_number) {
    uint32_t number = 0;
    if (text.size == 0 || text.size > USES_DIGITS_MAX || text.data[0] == '0') {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        number = number * 10 + (uint32_t)(text.data[i] - '0');
    }
    *ret_number = number;
    return true;
}

/* Whether one of the certificates that make it a member is by this issuer, for itself. */
static bool was_issued_by(const struct wrn_rights *rights, const uint8_t *issuer,
                          const uint8_t *subject) {
    uint16_t certs = 0;
    bool was = false;
    for (size_t i = 0; i < rights->grant_count; i++) {
        certs |= (rights->member_grants >> i & 1) != 0 ? rights->grants[i] : 0;
    }
    for (size_t i = 0; i < rights->cert_count; i++) {
        const struct wrn_rights_cert *cert = &rights->certs[i];
        was = was ||
              ((certs >> i & 1) != 0 && memcmp(cert->issuer, issuer, sizeof cert->issuer) == 0 &&
               memcmp(cert->subject, subject, sizeof cert->subject) == 0);
    }
    return was;
}
