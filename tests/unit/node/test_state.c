/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what a node keeps of a network comes back as it was, and nothing else is taken for it; new
 * networks are apart from what the host has. Method: states with everything in them, written, read,
 * cut and changed at each byte; networks made on hosts with all kinds of routes. */
#include "node/state.h"

#include <stdio.h>

#include "base/rand.h"
#include "network/certs.h"
#include "overlay/limits.h"
#include "unit/base/check.h"

enum { NOW_S = 1795000000, DAY_S = 86400, ROOM = 1 << 16 };

static uint8_t room[ROOM], chains[3][WRN_CREDENTIAL_MAX];
static struct wrn_prng prng;

static void seed_of(char letter, uint8_t ret_seed[WRN_SEED_SIZE]) {
    memset(ret_seed, letter, WRN_SEED_SIZE);
}

static void public_of(char letter, uint8_t ret_public[WRN_SIGN_PUBLIC_SIZE]) {
    uint8_t seed[WRN_SEED_SIZE];
    seed_of(letter, seed);
    assert_true(wrn_sign_public(seed, ret_public));
}

static wrn_span span_of(const char *text) {
    return (wrn_span){(const uint8_t *)text, strlen(text)};
}

/* Where 'text' stands in the first bytes of 'room'. */
static uint8_t *find(uint8_t *bytes, size_t size, const char *text) {
    for (size_t at = 0; at + strlen(text) <= size; at++) {
        if (memcmp(bytes + at, text, strlen(text)) == 0) {
            return bytes + at;
        }
    }
    fail_msg("%s is not there", text);
    return NULL;
}

static struct wrn_prefix prefix_of(const char *text) {
    struct wrn_prefix prefix;
    assert_int_equal(wrn_prefix_parse(span_of(text), &prefix), 0);
    return prefix;
}

/* A new network of 'o' on a host that has these ranges. */
static struct wrn_state create(const char *const *texts, size_t count) {
    struct wrn_descriptor descriptor = {.name = "lab"};
    struct wrn_prefix used[300];
    uint8_t seed[WRN_SEED_SIZE];
    struct wrn_state state;
    for (size_t i = 0; i < count; i++) {
        used[i] = prefix_of(texts[i]);
    }
    seed_of('o', seed);
    assert_int_equal(
        wrn_state_create(&descriptor, seed, wrn_prng_rand(&prng), NOW_S, used, count, &state),
        WRN_DESCRIPTOR_OK);
    return state;
}

/* A certificate of the network, packed with that of its issuer. */
static wrn_span issue(const struct wrn_state *state, char issuer, wrn_span chain, char subject,
                      const char *element, bool may_pass_on, uint8_t *out, size_t capacity) {
    struct wrn_pack_frame frame = wrn_descriptor_frame(&state->descriptor);
    uint8_t seed[WRN_SEED_SIZE], public_key[WRN_SIGN_PUBLIC_SIZE], hash[WRN_SHA256_SIZE];
    struct wrn_certs_issue issue = {.seed = seed,
                                    .chain = chain,
                                    .subject = public_key,
                                    .may_pass_on = may_pass_on,
                                    .from_s = NOW_S - DAY_S,
                                    .until_s = NOW_S + DAY_S};
    size_t size;
    seed_of(issuer, seed);
    public_of(subject, public_key);
    assert_int_equal(wrn_sexp_check(span_of(element), &issue.element, NULL), 0);
    assert_int_equal(wrn_certs_issue(&frame, &issue, out, capacity, &size, hash), 0);
    return (wrn_span){out, size};
}

/* One with something in every field. */
static struct wrn_state full(void) {
    struct wrn_state state = create(NULL, 0);
    static const uint8_t locator[] = "a locator", lists[] = "lists";
    state.chain = issue(&state, 'o', (wrn_span){NULL, 0}, 'm', "(6:member)", false, chains[0],
                        sizeof chains[0]);
    state.invitation_chain = issue(&state, 'o', (wrn_span){NULL, 0}, 'i', "(6:member)", true,
                                   chains[1], WRN_INVITATION_CHAIN_MAX);
    state.use = 65535;
    (void)snprintf(state.label, sizeof state.label, "host-2");
    state.lease = state.descriptor.ipv4.ip;
    state.lease.bytes[3] = 9;
    state.endpoint_count = 2;
    state.endpoints[0] = (struct wrn_endpoint){{{192, 0, 2, 1}, WRN_FAMILY_IPV4}, 51820, 0};
    state.endpoints[1] = (struct wrn_endpoint){{{0x20, 1, 0xd, 0xb8}, WRN_FAMILY_IPV6}, 1, 0};
    state.locator_count = 2;
    state.locators[0] = state.locators[1] = (wrn_span){locator, sizeof locator};
    state.lists = (wrn_span){lists, sizeof lists};
    state.route_count = 2;
    state.routes[0] = prefix_of("192.168.7.0/24");
    state.routes[1] = prefix_of("2001:db8::/32");
    state.kept_count = 2;
    state.kept[0] = (struct wrn_state_kept){
        .kind = WRN_RECORD_PUT, .key = span_of("svc/web"), .value = span_of("80"), .ttl_s = 30};
    state.kept[1] = (struct wrn_state_kept){.kind = WRN_RECORD_CREATE,
                                            .key = span_of("name/printer"),
                                            .ttl_s = 604800,
                                            .claimed_s = NOW_S};
    state.invitation_count = 2;
    for (uint32_t i = 0; i < 2; i++) {
        struct wrn_state_invitation *invitation = &state.invitations[i];
        memset(invitation->seed, (int)i + 1, sizeof invitation->seed);
        memset(invitation->cert_hash, 7, sizeof invitation->cert_hash);
        invitation->made_s = NOW_S;
        invitation->until_s = NOW_S + DAY_S;
        invitation->uses = i;
        invitation->used = i > 1 ? i - 1 : 0;
        invitation->is_revoked = i == 1;
        invitation->chain = state.invitation_chain;
    }
    state.grant_count = 1;
    public_of('m', state.grants[0].subject);
    state.grants[0].is_delivered = true;
    state.grants[0].chain = state.chain;
    return state;
}

static void assert_span(wrn_span a, wrn_span b) {
    assert_int_equal(a.size, b.size);
    assert_true(a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* Which form a field has is told by writing it again: one state has one. */
static void what_is_written_comes_back(void **state) {
    (void)state;
    static uint8_t again[ROOM];
    struct wrn_state before = full(), after;
    size_t size = wrn_state_write(&before, room, sizeof room);
    assert_in_range(size, 1, sizeof room);
    assert_int_equal(wrn_state_read((wrn_span){room, size}, &after), WRN_STATE_OK);
    assert_memory_equal(after.descriptor.id, before.descriptor.id, WRN_NETWORK_ID_SIZE);
    assert_span(after.chain, before.chain);
    assert_span(after.invitation_chain, before.invitation_chain);
    assert_int_equal(after.use, 65535);
    assert_true(after.wants_address && after.wants_name);
    assert_string_equal(after.label, "host-2");
    assert_true(wrn_ip_equal(&after.lease, &before.lease));
    assert_int_equal(after.endpoint_count, 2);
    assert_true(wrn_endpoint_equal(&after.endpoints[1], &before.endpoints[1]));
    assert_int_equal(after.locator_count, 2);
    assert_span(after.lists, before.lists);
    assert_int_equal(after.route_count, 2);
    assert_int_equal(after.routes[1].length_bits, 32);
    assert_int_equal(after.kept_count, 2);
    assert_int_equal(after.kept[0].kind, WRN_RECORD_PUT);
    assert_span(after.kept[0].value, span_of("80"));
    assert_span(after.kept[1].key, span_of("name/printer"));
    assert_int_equal(after.kept[1].kind, WRN_RECORD_CREATE);
    assert_int_equal(after.kept[1].ttl_s, 604800);
    assert_int_equal(after.kept[1].claimed_s, NOW_S);
    assert_int_equal(after.invitation_count, 2);
    assert_int_equal(after.invitations[1].seed[0], 2);
    assert_int_equal(after.invitations[1].until_s, NOW_S + DAY_S);
    assert_true(after.invitations[1].is_revoked && !after.invitations[0].is_revoked);
    assert_int_equal(after.grant_count, 1);
    assert_true(after.grants[0].is_delivered);
    assert_memory_equal(after.grants[0].subject, before.grants[0].subject, WRN_SIGN_PUBLIC_SIZE);
    assert_int_equal(wrn_state_write(&after, again, sizeof again), size);
    assert_memory_equal(again, room, size);
    assert_int_equal(wrn_state_write(&before, again, size - 1), 0);
}

/* A relay without anything, which the owner keeps. */
static void what_is_not_there_stays_away(void **state) {
    (void)state;
    struct wrn_state before = create(NULL, 0), after;
    before.wants_address = before.wants_name = false;
    size_t size = wrn_state_write(&before, room, sizeof room);
    assert_int_equal(wrn_state_read((wrn_span){room, size}, &after), WRN_STATE_OK);
    assert_false(after.wants_address || after.wants_name);
    assert_int_equal(after.chain.size + after.lists.size + after.endpoint_count, 0);
}

static void changed_and_cut_ones_are_refused_or_read_the_same(void **state) {
    (void)state;
    static uint8_t copy[ROOM], again[ROOM];
    struct wrn_state before = full(), after;
    size_t size = wrn_state_write(&before, room, sizeof room);
    for (size_t at = 0; at < size; at++) {
        assert_int_not_equal(wrn_state_read((wrn_span){room, at}, &after), WRN_STATE_OK);
        memcpy(copy, room, size);
        copy[at] ^= 1;
        if (wrn_state_read((wrn_span){copy, size}, &after) == WRN_STATE_OK) {
            CHECK(wrn_state_write(&after, again, sizeof again) == size &&
                      memcmp(again, copy, size) == 0,
                  "byte %zu was not read as it stands: ", at);
        } else {
            CHECK(wrn_is_zero_secret(&after, sizeof after), "byte %zu leaves something: ", at);
        }
    }
}

/* Each has one thing wrong; the word is what stands in the place of the good one. */
static void bad_fields_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *good, *bad;
        enum wrn_state_fault fault;
    } cases[] = {
        {"12:warren-state", "12:warren-statf", WRN_STATE_NOT_STATE},
        {"(7:version1:1)", "(7:version1:2)", WRN_STATE_VERSION},
        {"(3:use5:65535)", "(3:use5:65536)", WRN_STATE_FIELD},
        {"(3:use5:65535)", "(3:use5:06553)", WRN_STATE_FIELD},
        {"(3:use5:65535)", "(3:use1:0)", WRN_STATE_FIELD},
        {"(5:wants7:address4:name)", "(5:wants4:name7:address)", WRN_STATE_FIELD},
        {"(5:wants7:address4:name)", "", WRN_STATE_FIELD},
        {"(5:wants7:address4:name)", "(5:wants7:address4:name)(5:wants7:address4:name)",
         WRN_STATE_FIELD},
        {"(5:label6:host-2)", "(5:label6:Host-2)", WRN_STATE_FIELD},
        {"(5:label6:host-2)", "(5:label0:)", WRN_STATE_FIELD},
        {"(5:lists6:lists", "(5:listt6:lists", WRN_STATE_FIELD},
        {"(5:route14:192.168.7.0/24)", "(5:route14:192.168.7.1/24)", WRN_STATE_FIELD},
        {"(4:kept3:put", "(4:kept3:got", WRN_STATE_FIELD},
        {"(4:kept3:put7:svc/web2:80(3:ttl2:30))", "(4:kept3:put0:2:80(3:ttl2:30))",
         WRN_STATE_FIELD},
        {"(3:ttl2:30)", "(3:ttl1:0)", WRN_STATE_FIELD},
        {"(3:ttl6:604800)", "(3:ttl6:604801)", WRN_STATE_FIELD},
        {"(4:kept6:create", "(4:kept3:put", WRN_STATE_FIELD}, /* a PUT claims nothing */
        {"(9:delivered)", "(9:delivered1:x)", WRN_STATE_FIELD},
        {"(4:uses1:0)", "(4:uses1:x)", WRN_STATE_FIELD},
        {"(7:revoked)", "(7:rewoked)", WRN_STATE_FIELD},
    };
    static uint8_t copy[ROOM];
    struct wrn_state before = full(), after;
    size_t size = wrn_state_write(&before, room, sizeof room);
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        size_t good = strlen(cases[i].good), bad = strlen(cases[i].bad);
        const uint8_t *at = find(room, size, cases[i].good);
        size_t head = (size_t)(at - room);
        memcpy(copy, room, head);
        memcpy(copy + head, cases[i].bad, bad);
        memcpy(copy + head + bad, at + good, size - head - good);
        enum wrn_state_fault fault = wrn_state_read((wrn_span){copy, size - good + bad}, &after);
        CHECK(fault == cases[i].fault, "%s: %u: ", cases[i].bad, fault);
        assert_true(strlen(wrn_state_fault_text(fault)) > 0);
    }
}

/* The owner's signature is over the network: another range, say, is another network. */
static void descriptors_of_others_are_refused(void **state) {
    (void)state;
    struct wrn_state before = full(), after;
    before.signature[5] ^= 1;
    size_t size = wrn_state_write(&before, room, sizeof room);
    assert_int_equal(wrn_state_read((wrn_span){room, size}, &after), WRN_STATE_DESCRIPTOR);
    before.signature[5] ^= 1;
    before.descriptor.ipv4 = prefix_of("10.0.0.0/8");
    size = wrn_state_write(&before, room, sizeof room);
    assert_int_equal(wrn_state_read((wrn_span){room, size}, &after), WRN_STATE_DESCRIPTOR);
}

/* Leases, addresses and numbers that no node can have. */
static void impossible_values_are_refused(void **state) {
    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        struct wrn_state before = full(), after;
        if (i == 0) {
            before.lease.bytes[0] = 11; /* outside the range */
        } else if (i == 1) {
            before.lease.bytes[3] = 0; /* the network's */
        } else if (i == 2) {
            before.endpoints[0].port = 0;
        } else if (i == 3) {
            memset(before.endpoints[0].ip.bytes, 0, 16);
        } else {
            memset(before.grants[0].subject, 0, sizeof before.grants[0].subject);
        }
        size_t size = wrn_state_write(&before, room, sizeof room);
        CHECK(wrn_state_read((wrn_span){room, size}, &after) == WRN_STATE_FIELD, "case %u: ", i);
    }
}

static void no_more_than_there_is_room_for(void **state) {
    (void)state;
    struct wrn_state before = full(), after;
    static uint8_t large[WRN_STATE_MAX];
    before.endpoint_count = WRN_COUNT(before.endpoints);
    before.locator_count = WRN_STATE_LOCATORS_MAX;
    before.invitation_count = WRN_STATE_INVITATIONS_MAX;
    before.grant_count = WRN_STATE_GRANTS_MAX;
    before.route_count = WRN_STATE_ROUTES_MAX;
    before.kept_count = WRN_STATE_KEPT_MAX;
    for (uint32_t i = 0; i < WRN_STATE_KEPT_MAX; i++) {
        before.kept[i] = before.kept[1];
        before.kept[i].value = (wrn_span){large, WRN_RECORD_VALUE_MAX};
    }
    for (uint32_t i = 0; i < WRN_STATE_INVITATIONS_MAX; i++) {
        before.endpoints[i % 16] = before.endpoints[0];
        before.locators[i % 16] = before.locators[0];
        before.routes[i % 8] = before.routes[0];
        before.invitations[i] = before.invitations[0];
        before.grants[i] = before.grants[0];
    }
    size_t size = wrn_state_write(&before, large, sizeof large);
    assert_int_equal(wrn_state_read((wrn_span){large, size}, &after), WRN_STATE_OK);
    assert_int_equal(after.grant_count, WRN_STATE_GRANTS_MAX);
    static const char one_more[] = "(5:route14:192.168.7.0/24)";
    uint8_t *at = find(large, size, one_more);
    memmove(at + sizeof one_more - 1, at, size - (size_t)(at - large));
    memcpy(at, one_more, sizeof one_more - 1);
    assert_int_equal(wrn_state_read((wrn_span){large, size + sizeof one_more - 1}, &after),
                     WRN_STATE_FIELD);
}

static void new_networks_are_apart_from_the_host(void **state) {
    (void)state;
    static const char *const used[] = {"10.0.0.0/9",    "10.128.0.0/10", "10.193.7.0/24",
                                       "0.0.0.0/0",     "0.0.0.0/1",     "fd00::/8",
                                       "10.255.0.1/32", "::/0",          "10.224.0.0/12"};
    for (unsigned i = 0; i < 200; i++) {
        struct wrn_state made = create(used, WRN_COUNT(used));
        const uint8_t *bytes = made.descriptor.ipv4.ip.bytes;
        assert_int_equal(made.descriptor.ipv4.length_bits, 16);
        CHECK(bytes[0] == 10 && bytes[1] >= 192 && bytes[1] < 255 && bytes[1] != 193 &&
                  (bytes[1] < 224 || bytes[1] >= 240),
              "10.%u: ", bytes[1]);
        assert_in_range(made.descriptor.vni, 1, (1 << 24) - 1);
        assert_int_equal(made.descriptor.ipv6.ip.bytes[0], 0xfd);
        assert_int_equal(made.descriptor.ipv6.length_bits, 64);
        assert_true(made.wants_address && made.wants_name);
    }
}

static void full_hosts_get_other_ranges(void **state) {
    (void)state;
    static const char *const used[] = {"10.0.0.0/8", "172.16.0.0/12", "192.168.1.0/24",
                                       "100.64.0.0/10"};
    struct wrn_state made = create(used, 1);
    assert_int_equal(made.descriptor.ipv4.ip.bytes[0], 172);
    assert_in_range(made.descriptor.ipv4.ip.bytes[1], 16, 31);
    made = create(used + 1, 3);
    assert_int_equal(made.descriptor.ipv4.ip.bytes[0], 10);
    made = create(used, 3);
    assert_int_equal(made.descriptor.ipv4.ip.bytes[0], 100);
    made = create(used, 4);
    assert_int_equal(made.descriptor.ipv4.ip.family, WRN_FAMILY_NONE);
    assert_int_equal(made.descriptor.ipv6.ip.family, WRN_FAMILY_IPV6);
}

static void two_networks_differ(void **state) {
    (void)state;
    struct wrn_state first = create(NULL, 0), second = create(NULL, 0);
    assert_memory_not_equal(first.descriptor.id, second.descriptor.id, WRN_NETWORK_ID_SIZE);
    assert_memory_not_equal(first.descriptor.ipv6.ip.bytes, second.descriptor.ipv6.ip.bytes, 8);
}

static void bad_wishes_are_refused(void **state) {
    (void)state;
    struct wrn_descriptor descriptor = {.name = "Lab"};
    uint8_t seed[WRN_SEED_SIZE];
    struct wrn_state made;
    seed_of('o', seed);
    assert_int_equal(
        wrn_state_create(&descriptor, seed, wrn_prng_rand(&prng), NOW_S, NULL, 0, &made),
        WRN_DESCRIPTOR_NAME);
    descriptor = (struct wrn_descriptor){.name = "lab", .ipv4 = prefix_of("8.0.0.0/8")};
    assert_int_equal(
        wrn_state_create(&descriptor, seed, wrn_prng_rand(&prng), NOW_S, NULL, 0, &made),
        WRN_DESCRIPTOR_IPV4);
    descriptor = (struct wrn_descriptor){.name = "lab", .ipv4 = prefix_of("10.5.0.0/29")};
    assert_int_equal(
        wrn_state_create(&descriptor, seed, wrn_prng_rand(&prng), NOW_S, NULL, 0, &made),
        WRN_DESCRIPTOR_OK);
    assert_int_equal(made.descriptor.ipv4.length_bits, 29);
}

/* An Ethernet has what its hosts have; ranges are its own only where somebody wants them. */
static void ethernets_have_no_ranges_unless_asked(void **state) {
    (void)state;
    struct wrn_descriptor descriptor = {.name = "site", .kind = WRN_NETWORK_L2};
    uint8_t seed[WRN_SEED_SIZE];
    struct wrn_state made;
    seed_of('o', seed);
    assert_int_equal(
        wrn_state_create(&descriptor, seed, wrn_prng_rand(&prng), NOW_S, NULL, 0, &made),
        WRN_DESCRIPTOR_OK);
    assert_int_equal(made.descriptor.ipv4.ip.family, WRN_FAMILY_NONE);
    assert_int_equal(made.descriptor.ipv6.ip.family, WRN_FAMILY_NONE);
    assert_in_range(made.descriptor.vni, 1, (1 << 24) - 1);
    descriptor = (struct wrn_descriptor){
        .name = "site", .kind = WRN_NETWORK_L2, .ipv4 = prefix_of("192.168.7.0/24")};
    assert_int_equal(
        wrn_state_create(&descriptor, seed, wrn_prng_rand(&prng), NOW_S, NULL, 0, &made),
        WRN_DESCRIPTOR_OK);
    assert_int_equal(made.descriptor.ipv4.length_bits, 24);
    assert_int_equal(made.descriptor.ipv6.ip.family, WRN_FAMILY_NONE);
}

static void joining_takes_over_what_the_invitation_has(void **state) {
    (void)state;
    struct wrn_state owner = create(NULL, 0), member, after;
    struct wrn_invitation invitation = {.descriptor = owner.descriptor, .endpoint_count = 1};
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
    memcpy(invitation.signature, owner.signature, sizeof invitation.signature);
    seed_of('i', invitation.seed);
    wrn_span chain = issue(&owner, 'o', (wrn_span){NULL, 0}, 'i', "(6:member)", true,
                           invitation.chain, sizeof invitation.chain);
    invitation.chain_size = (uint16_t)chain.size;
    invitation.endpoints[0] = (struct wrn_endpoint){{{192, 0, 2, 1}, WRN_FAMILY_IPV4}, 51820, 0};
    public_of('m', public_key);
    assert_int_equal(wrn_state_join(&invitation, public_key, NOW_S, INT64_MAX, chains[2], &member),
                     WRN_INVITATION_OK);
    size_t size = wrn_state_write(&member, room, sizeof room);
    assert_int_equal(wrn_state_read((wrn_span){room, size}, &after), WRN_STATE_OK);
    assert_int_equal(after.endpoint_count, 1);
    assert_span(after.invitation_chain, chain);
    assert_in_range(after.chain.size, chain.size + 1, WRN_CREDENTIAL_MAX);
    assert_true(after.wants_address && after.wants_name);
    assert_int_equal(
        wrn_state_join(&invitation, public_key, NOW_S + 2 * DAY_S, INT64_MAX, chains[2], &member),
        WRN_INVITATION_EXPIRED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_comes_back),
        cmocka_unit_test(what_is_not_there_stays_away),
        cmocka_unit_test(changed_and_cut_ones_are_refused_or_read_the_same),
        cmocka_unit_test(bad_fields_are_refused),
        cmocka_unit_test(descriptors_of_others_are_refused),
        cmocka_unit_test(impossible_values_are_refused),
        cmocka_unit_test(no_more_than_there_is_room_for),
        cmocka_unit_test(new_networks_are_apart_from_the_host),
        cmocka_unit_test(full_hosts_get_other_ranges),
        cmocka_unit_test(two_networks_differ),
        cmocka_unit_test(bad_wishes_are_refused),
        cmocka_unit_test(ethernets_have_no_ranges_unless_asked),
        cmocka_unit_test(joining_takes_over_what_the_invitation_has),
    };
    wrn_prng_init(&prng, check_seed(), 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
