/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a network's description comes back as it was signed, in one form only; every field beyond
 * its bounds is named; nobody but the owner can change a byte of it. */
#include "network/descriptor.h"

#include <stdio.h>

#include "unit/base/check.h"

static uint8_t room[WRN_DESCRIPTOR_MAX];

static struct wrn_descriptor lab(void) {
    struct wrn_descriptor descriptor = {
        .name = "lab", .kind = WRN_NETWORK_L3, .created_s = 1795000000, .vni = 16777215};
    assert_int_equal(
        wrn_prefix_parse((wrn_span){(const uint8_t *)"10.77.0.0/16", 12}, &descriptor.ipv4), 0);
    assert_int_equal(wrn_prefix_parse((wrn_span){(const uint8_t *)"fd12:3456:789a:1::/64", 21},
                                      &descriptor.ipv6),
                     0);
    memset(descriptor.nonce, 7, sizeof descriptor.nonce);
    return descriptor;
}

static struct wrn_sexp signed_by_owner(struct wrn_descriptor *descriptor) {
    uint8_t seed[WRN_SEED_SIZE] = {1, 2, 3};
    struct wrn_sexp sequence;
    assert_int_equal(wrn_descriptor_write(descriptor, seed, room, sizeof room, &sequence), 0);
    return sequence;
}

static enum wrn_descriptor_fault fault_of(struct wrn_sexp sequence) {
    struct wrn_descriptor descriptor;
    enum wrn_descriptor_fault fault;
    int error = wrn_descriptor_read(sequence, &descriptor, &fault);
    assert_true((error == 0) == (fault == WRN_DESCRIPTOR_OK));
    return fault;
}

static void comes_back(void **state) {
    (void)state;
    for (unsigned bits = 0; bits < 16; bits++) {
        struct wrn_descriptor first = lab(), second;
        enum wrn_descriptor_fault fault;
        first.kind = (bits & 1) != 0 ? WRN_NETWORK_L2 : WRN_NETWORK_L3;
        first.is_open = (bits & 2) != 0;
        if ((bits & 4) != 0) {
            first.ipv4 = (struct wrn_prefix){0};
        } else if ((bits & 8) != 0) {
            first.ipv6 = (struct wrn_prefix){0};
        }
        struct wrn_sexp sequence = signed_by_owner(&first);
        assert_int_equal(wrn_descriptor_read(sequence, &second, &fault), 0);
        assert_memory_equal(first.id, second.id, sizeof first.id);
        assert_memory_equal(first.owner, second.owner, sizeof first.owner);
        assert_memory_equal(first.nonce, second.nonce, sizeof first.nonce);
        assert_string_equal(first.name, second.name);
        assert_true(first.kind == second.kind && first.is_open == second.is_open &&
                    first.created_s == second.created_s && first.vni == second.vni);
        assert_memory_equal(&first.ipv4, &second.ipv4, sizeof first.ipv4);
        assert_memory_equal(&first.ipv6, &second.ipv6, sizeof first.ipv6);
        assert_in_range(sequence.bytes.size, 1, 450); /* it travels in invitations */
    }
}

static void two_networks_of_one_name_differ(void **state) {
    (void)state;
    struct wrn_descriptor first = lab(), second = lab();
    second.nonce[15] ^= 1;
    (void)signed_by_owner(&first);
    (void)signed_by_owner(&second);
    assert_memory_not_equal(first.id, second.id, sizeof first.id);
}

static void the_longest_fits(void **state) {
    (void)state;
    struct wrn_descriptor descriptor = lab();
    memset(descriptor.name, 'a', WRN_LABEL_SIZE - 1);
    descriptor.is_open = true;
    assert_int_equal(wrn_prefix_parse((wrn_span){(const uint8_t *)"fdff:ffff:ffff:ffff::/64", 24},
                                      &descriptor.ipv6),
                     0);
    assert_int_equal(
        wrn_prefix_parse((wrn_span){(const uint8_t *)"172.31.255.252/30", 17}, &descriptor.ipv4),
        0);
    assert_int_equal(fault_of(signed_by_owner(&descriptor)), WRN_DESCRIPTOR_OK);
}

static void ranges_are_private(void **state) {
    (void)state;
    static const struct {
        const char *prefix;
        enum wrn_descriptor_fault fault;
    } cases[] = {
        {"10.0.0.0/8", WRN_DESCRIPTOR_OK},       {"172.16.0.0/12", WRN_DESCRIPTOR_OK},
        {"172.31.255.0/24", WRN_DESCRIPTOR_OK},  {"192.168.0.0/16", WRN_DESCRIPTOR_OK},
        {"192.168.9.8/30", WRN_DESCRIPTOR_OK},   {"100.64.0.0/10", WRN_DESCRIPTOR_OK},
        {"100.127.255.0/24", WRN_DESCRIPTOR_OK}, {"fd00::/64", WRN_DESCRIPTOR_OK},
        {"10.0.0.0/7", WRN_DESCRIPTOR_IPV4},     {"10.0.0.0/31", WRN_DESCRIPTOR_IPV4},
        {"10.0.0.1", WRN_DESCRIPTOR_IPV4},       {"11.0.0.0/8", WRN_DESCRIPTOR_IPV4},
        {"172.16.0.0/11", WRN_DESCRIPTOR_IPV4},  {"172.32.0.0/16", WRN_DESCRIPTOR_IPV4},
        {"192.169.0.0/16", WRN_DESCRIPTOR_IPV4}, {"100.128.0.0/16", WRN_DESCRIPTOR_IPV4},
        {"8.8.8.0/24", WRN_DESCRIPTOR_IPV4},     {"fd00::/63", WRN_DESCRIPTOR_IPV6},
        {"fd00::/65", WRN_DESCRIPTOR_IPV6},      {"fc00::/64", WRN_DESCRIPTOR_IPV6},
        {"2001:db8::/64", WRN_DESCRIPTOR_IPV6},
    };
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        struct wrn_descriptor descriptor = lab();
        struct wrn_prefix prefix;
        wrn_span text = {(const uint8_t *)cases[i].prefix, strlen(cases[i].prefix)};
        assert_int_equal(wrn_prefix_parse(text, &prefix), 0);
        *(prefix.ip.family == WRN_FAMILY_IPV4 ? &descriptor.ipv4 : &descriptor.ipv6) = prefix;
        CHECK(wrn_descriptor_check(&descriptor) == cases[i].fault, "%s: ", cases[i].prefix);
    }
    struct wrn_descriptor descriptor = lab();
    descriptor.ipv4.ip.bytes[3] = 1; /* no prefix */
    assert_int_equal(wrn_descriptor_check(&descriptor), WRN_DESCRIPTOR_IPV4);
    descriptor = lab();
    descriptor.ipv6.ip.bytes[15] = 1;
    assert_int_equal(wrn_descriptor_check(&descriptor), WRN_DESCRIPTOR_IPV6);
    descriptor = lab();
    descriptor.ipv4 = descriptor.ipv6 = (struct wrn_prefix){0};
    assert_int_equal(wrn_descriptor_check(&descriptor), WRN_DESCRIPTOR_RANGE);
    descriptor.kind = WRN_NETWORK_L2;
    assert_int_equal(wrn_descriptor_check(&descriptor), WRN_DESCRIPTOR_OK);
}

static void names_are_labels(void **state) {
    (void)state;
    static const char *const good[] = {"a", "0", "lab-2", "a--b", "123"};
    static const char *const bad[] = {"", "-", "a-", "-a", "Lab", "a.b", "a_b", "a b", "\xc3\xa4"};
    struct wrn_descriptor descriptor = lab();
    for (size_t i = 0; i < WRN_COUNT(good); i++) {
        (void)snprintf(descriptor.name, sizeof descriptor.name, "%s", good[i]);
        CHECK(wrn_descriptor_check(&descriptor) == WRN_DESCRIPTOR_OK, "%s: ", good[i]);
    }
    for (size_t i = 0; i < WRN_COUNT(bad); i++) {
        (void)snprintf(descriptor.name, sizeof descriptor.name, "%s", bad[i]);
        CHECK(wrn_descriptor_check(&descriptor) == WRN_DESCRIPTOR_NAME, "%s: ", bad[i]);
    }
    memset(descriptor.name, 'a', sizeof descriptor.name); /* without an end */
    assert_int_equal(wrn_descriptor_check(&descriptor), WRN_DESCRIPTOR_NAME);
}

static void what_cannot_be_is_not_signed(void **state) {
    (void)state;
    uint8_t seed[WRN_SEED_SIZE] = {1};
    struct wrn_sexp sequence;
    struct wrn_descriptor descriptor = lab();
    descriptor.vni = 0;
    assert_int_equal(wrn_descriptor_check(&descriptor), WRN_DESCRIPTOR_VNI);
    assert_int_equal(wrn_descriptor_write(&descriptor, seed, room, sizeof room, &sequence),
                     WRN_ERR_MALFORMED);
    descriptor.vni = 1 << 24;
    assert_int_equal(wrn_descriptor_check(&descriptor), WRN_DESCRIPTOR_VNI);
    descriptor = lab();
    descriptor.created_s = INT64_MAX;
    assert_int_equal(wrn_descriptor_write(&descriptor, seed, room, sizeof room, &sequence),
                     WRN_ERR_MALFORMED);
    descriptor = lab();
    assert_int_equal(wrn_descriptor_write(&descriptor, seed, room, 100, &sequence), -ENOBUFS);
}

/* Each has a signature that is no matter: it is looked at last. */
static void other_forms_are_refused(void **state) {
    (void)state;
    static const char key[] =
        "(public-key (ed25519 #d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a#))";
    static const struct {
        enum wrn_descriptor_fault fault;
        const char *before, *after; /* of the owner */
    } cases[] = {
        {WRN_DESCRIPTOR_SIGNATURE, "(version 1) (name lab) (kind l3)",
         "(created '2026-11-22_00:00:00') (vni 1) (ipv4 10.0.0.0/8) (nonce 'nonceofsixteenby')"},
        {WRN_DESCRIPTOR_VERSION, "(version 2) (name lab) (kind l3)", ""},
        {WRN_DESCRIPTOR_MALFORMED, "(name lab) (kind l3)", ""},
        {WRN_DESCRIPTOR_MALFORMED, "(version 1) (name lab) (kind l4)", ""},
        {WRN_DESCRIPTOR_MALFORMED, "(version 1) (name lab) (kind l3)",
         "(created '2026-11-22_00:00:00') (vni 01) (ipv4 10.0.0.0/8) (nonce 'nonceofsixteenby')"},
        {WRN_DESCRIPTOR_MALFORMED, "(version 1) (name lab) (kind l3)",
         "(created '2026-11-22_00:00:00') (vni 1) (ipv4 10.1.0.0/8) (nonce 'nonceofsixteenby')"},
        {WRN_DESCRIPTOR_MALFORMED, "(version 1) (name lab) (kind l3)",
         "(created '2026-11-22_00:00:00') (vni 1) (ipv4 10.0.0.0/8) (open 1)"
         "(nonce 'nonceofsixteenby')"},
        {WRN_DESCRIPTOR_MALFORMED, "(version 1) (name lab) (kind l3)",
         "(created '2026-11-22_00:00:00') (vni 1) (ipv4 10.0.0.0/8) (nonce 'nonceofsixteenbyt')"},
        {WRN_DESCRIPTOR_MALFORMED, "(version 1) (name lab) (kind l3)",
         "(created '2026-11-22_00:00:00') (vni 1) (ipv4 10.0.0.0/8) (nonce 'nonceofsixteenby')"
         "(more)"},
        {WRN_DESCRIPTOR_NAME, "(version 1) (name Lab) (kind l3)",
         "(created '2026-11-22_00:00:00') (vni 1) (ipv4 10.0.0.0/8) (nonce 'nonceofsixteenby')"},
    };
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        char text[1024];
        uint8_t bytes[1024];
        struct wrn_sexp sequence;
        int size =
            snprintf(text, sizeof text,
                     "(sequence (warren-network %s (owner %s) %s) (signature (ed25519 #%0128d#)))",
                     cases[i].before, key, cases[i].after, 0);
        for (char *c = text; *c != '\0'; c++) {
            *c = *c == '\'' ? '"' : *c;
        }
        assert_int_equal(wrn_sexp_read(WRN_SEXP_ADVANCED,
                                       (wrn_span){(const uint8_t *)text, (size_t)size}, bytes,
                                       sizeof bytes, &sequence, NULL, NULL),
                         0);
        enum wrn_descriptor_fault fault = fault_of(sequence);
        CHECK(fault == cases[i].fault, "%s: %s: ", text, wrn_descriptor_fault_text(fault));
    }
}

static void no_byte_may_be_changed(void **state) {
    (void)state;
    struct wrn_descriptor descriptor = lab();
    struct wrn_sexp sequence = signed_by_owner(&descriptor);
    for (size_t at = 0; at < sequence.bytes.size; at++) {
        for (uint8_t bit = 1; bit != 0; bit = (uint8_t)(bit << 1)) {
            struct wrn_sexp changed;
            room[at] ^= bit;
            if (wrn_sexp_check(sequence.bytes, &changed, NULL) == 0) {
                assert_int_not_equal(fault_of(changed), WRN_DESCRIPTOR_OK);
            }
            room[at] ^= bit;
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back),
        cmocka_unit_test(two_networks_of_one_name_differ),
        cmocka_unit_test(the_longest_fits),
        cmocka_unit_test(ranges_are_private),
        cmocka_unit_test(names_are_labels),
        cmocka_unit_test(what_cannot_be_is_not_signed),
        cmocka_unit_test(other_forms_are_refused),
        cmocka_unit_test(no_byte_may_be_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
