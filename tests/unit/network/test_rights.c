/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what elements of tags give is what the grammar says; what is not understood gives nothing,
 * what is not said is given to members only where nobody spoke of it; what is too large is refused
 * by name. Method: tables of texts; the tag algebra itself as the second opinion. */
#include "network/rights.h"

#include <stdio.h>

#include "spki/tag.h"
#include "unit/base/check.h"
#include "unit/network/chain.h"

enum {
    M = WRN_RIGHT_MEMBER,
    R = WRN_RIGHT_RELAY,
    G = WRN_RIGHT_GATEWAY,
    I = WRN_RIGHT_INVITE,
    A = WRN_RIGHT_ADMIN,
};

static enum wrn_rights_fault compile(const char *text, uint8_t topics, struct wrn_rights *rights) {
    struct wrn_rights_grant grant = {chain_read(text), topics, false};
    return wrn_rights_compile(&grant, 1, rights);
}

static struct wrn_ip ip_of(const char *text) {
    struct wrn_prefix prefix;
    assert_int_equal(wrn_prefix_parse((wrn_span){(const uint8_t *)text, strlen(text)}, &prefix), 0);
    return prefix.ip;
}

static void flags_are_given(void **state) {
    (void)state;
    static const struct {
        const char *element;
        uint8_t flags;
        enum wrn_rights_fault fault;
    } cases[] = {
        {"(member)", M, 0},
        {"(relay)", R, 0},
        {"(gateway)", G, 0},
        {"(invite)", I, 0},
        {"(admin)", A, 0},
        {"(*)", M | R | G | I | A, 0},
        {"()", M | R | G | I | A, 0},
        {"(* set (member) (relay))", M | R, 0},
        {"(* set (member) (* set (relay) (* set (admin))))", M | R | A, 0},
        {"(* set (member) (*))", M | R | G | I | A, 0},
        {"(* set)", 0, 0},
        {"(member now)", 0, 0},
        {"(member (*))", 0, 0},
        {"([hint]member)", 0, 0},
        {"member", 0, 0},
        {"(members)", 0, 0},
        {"(owner)", 0, 0},
        {"(* prefix m)", 0, 0},
        {"(invite '3')", I, 0},
        {"(invite (* range numeric (le '3')))", I, 0},
        {"(invite (* range numeric (ge '7') (le '3')))", 0, 0},
        {"(invite '0')", 0, WRN_RIGHTS_BAD_USES},
        {"(invite x)", 0, WRN_RIGHTS_BAD_USES},
        {"(invite none)", 0, WRN_RIGHTS_BAD_USES},
        {"(invite '1' '2')", 0, WRN_RIGHTS_BAD_USES},
        {"(* set (* set (* set (* set (* set (* set (* set (* set (member)))))))))", M, 0},
        {"(* set (* set (* set (* set (* set (* set (* set (* set (* set (member))))))))))", 0,
         WRN_RIGHTS_TOO_DEEP},
    };
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        struct wrn_rights rights;
        enum wrn_rights_fault fault = compile(cases[i].element, 0, &rights);
        CHECK(fault == cases[i].fault && rights.flags == cases[i].flags,
              "%s: %x, %s: ", cases[i].element, rights.flags, wrn_rights_fault_text(fault));
        CHECK(((rights.member_grants & 1) != 0) == ((rights.flags & M) != 0),
              "%s: ", cases[i].element);
    }
}

static void what_nobody_speaks_of_is_given_to_members(void **state) {
    (void)state;
    struct wrn_rights rights;
    struct wrn_ip ip = ip_of("10.1.2.3");
    wrn_span name = {(const uint8_t *)"web", 3};
    for (uint8_t topics = 0; topics < 16; topics++) {
        assert_int_equal(compile("(member)", topics, &rights), WRN_RIGHTS_OK);
        assert_true(wrn_rights_has_address(&rights, &ip) == ((topics & WRN_RIGHTS_ADDRESSES) == 0));
        assert_true(wrn_rights_has_name(&rights, name) == ((topics & WRN_RIGHTS_NAMES) == 0));
        assert_true(rights.rules.is_everything == ((topics & WRN_RIGHTS_PACKETS) == 0));
        assert_true((rights.rules.count == 0) == ((topics & WRN_RIGHTS_PACKETS) != 0));
        assert_true(wrn_rights_may_relay(&rights) == ((topics & WRN_RIGHTS_RELAYING) == 0));
        assert_int_equal(compile("(* set (member) (relay))", topics, &rights), WRN_RIGHTS_OK);
        assert_true(wrn_rights_may_relay(&rights));
        assert_int_equal(
            compile("(* set (member) (relay '-'))", topics | WRN_RIGHTS_RELAYING, &rights),
            WRN_RIGHTS_OK);
        assert_false(wrn_rights_may_relay(&rights));
        assert_int_equal(compile("(relay)", topics, &rights), WRN_RIGHTS_OK);
        assert_false(wrn_rights_has_address(&rights, &ip) || wrn_rights_has_name(&rights, name));
        assert_false(wrn_rights_may_relay(&rights)); /* only members do */
        assert_int_equal(rights.rules.count, 0);
        assert_int_equal(compile("(*)", topics, &rights), WRN_RIGHTS_OK);
        assert_true(wrn_rights_has_address(&rights, &ip) && wrn_rights_has_name(&rights, name));
        assert_true(rights.rules.is_everything && rights.any_route);
    }
}

static void topics_are_found(void **state) {
    (void)state;
    static const struct {
        const char *element;
        uint8_t topics;
    } cases[] = {
        {"(*)", 0},
        {"()", 0},
        {"(member)", 0},
        {"(* set (member) (relay))", WRN_RIGHTS_RELAYING},
        {"(relay '-')", WRN_RIGHTS_RELAYING},
        {"(address)", WRN_RIGHTS_ADDRESSES},
        {"(* set (member) (address (ip4 x)))", WRN_RIGHTS_ADDRESSES},
        {"(* set (member) (* set (name) (allow)))", WRN_RIGHTS_NAMES | WRN_RIGHTS_PACKETS},
        {"(* set (member) (frame) (mac x))", WRN_RIGHTS_FRAMES | WRN_RIGHTS_MACS},
        {"((* set address member))", WRN_RIGHTS_TOPICS},
        {"((* prefix a))", WRN_RIGHTS_TOPICS},
        {"address", 0},
        {"(* set (* set (* set (* set (* set (* set (* set (* set (* set (member))))))))))",
         WRN_RIGHTS_TOPICS},
    };
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        CHECK(wrn_rights_topics(chain_read(cases[i].element)) == cases[i].topics,
              "%s: ", cases[i].element);
    }
}

static void addresses_are_ranges(void **state) {
    (void)state;
    static const struct {
        const char *element;
        enum wrn_rights_fault fault;
        const char *in, *out; /* one of each */
    } cases[] = {
        {"(address (ip4 #0a010203#))", 0, "10.1.2.3", "10.1.2.4"},
        {"(address (ip4 (* prefix #0a01#)))", 0, "10.1.255.255", "10.2.0.0"},
        {"(address (ip4 (* range alpha (ge #0a010000#) (le #0a010fff#))))", 0, "10.1.15.255",
         "10.1.16.0"},
        {"(address (ip4 (* range alpha (g #0a010000#) (l #0a010003#))))", 0, "10.1.0.2",
         "10.1.0.3"},
        {"(address (ip6 (* prefix #fd00#)))", 0, "fd00::1", "fd01::1"},
        {"(address (ip6))", 0, "fd00::1", "10.1.2.3"},
        {"(address (* set (ip4 #0a000001#) (ip6 (* prefix #fd#))))", 0, "10.0.0.1", "10.0.0.2"},
        {"(* set (address (ip4 #0a000001#)) (address (ip4 #0a000009#)))", 0, "10.0.0.9",
         "10.0.0.8"},
        {"(address)", 0, "10.0.0.9", NULL},
        {"(address (*))", 0, "10.0.0.9", NULL},
        {"(address (ip4 #0a0000#))", WRN_RIGHTS_BAD_ADDRESS, NULL, "10.0.0.0"},
        {"(address (ip4 (* range binary (ge #0a000000#))))", WRN_RIGHTS_BAD_ADDRESS, NULL,
         "10.0.0.0"},
        {"(address '10.0.0.1')", WRN_RIGHTS_BAD_ADDRESS, NULL, "10.0.0.1"},
        {"(address (ip4 #0a000001#) more)", WRN_RIGHTS_BAD_ADDRESS, NULL, "10.0.0.1"},
        {"(address (ip4 #0a000001# more))", WRN_RIGHTS_BAD_ADDRESS, NULL, "10.0.0.1"},
        {"(* set (address (ip4 #0a000001#)) (address (ip5 x)))", WRN_RIGHTS_BAD_ADDRESS, "10.0.0.1",
         "10.0.0.2"},
        {"(address (ip4 (* set #0a000001# #0a000003# #0a000005# #0a000007# #0a000009#)))",
         WRN_RIGHTS_MANY_ADDRESSES, NULL, "10.0.0.1"},
        {"(address (ip4 (* set #0a000001# #0a000003# #0a000005# #0a000007# (* prefix #0a#))))", 0,
         "10.9.9.9", "11.0.0.0"},
    };
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        struct wrn_rights rights;
        enum wrn_rights_fault fault = compile(cases[i].element, 0, &rights);
        CHECK(fault == cases[i].fault, "%s: %s: ", cases[i].element, wrn_rights_fault_text(fault));
        if (cases[i].in != NULL) {
            struct wrn_ip in = ip_of(cases[i].in);
            CHECK(wrn_rights_has_address(&rights, &in), "%s: ", cases[i].element);
        }
        if (cases[i].out != NULL) {
            struct wrn_ip out = ip_of(cases[i].out);
            CHECK(!wrn_rights_has_address(&rights, &out), "%s: ", cases[i].element);
        }
        CHECK(!rights.any_route && rights.route_count == 0, "%s: ", cases[i].element);
    }
}

static void routes_hold_whole_prefixes(void **state) {
    (void)state;
    static const struct {
        const char *element, *prefix;
        bool has;
    } cases[] = {
        {"(route (ip4 (* prefix #c0a8#)))", "192.168.0.0/16", true},
        {"(route (ip4 (* prefix #c0a8#)))", "192.168.7.0/24", true},
        {"(route (ip4 (* prefix #c0a8#)))", "192.168.7.1/32", true},
        {"(route (ip4 (* prefix #c0a8#)))", "192.168.0.0/15", false},
        {"(route (ip4 (* prefix #c0a8#)))", "0.0.0.0/0", false},
        {"(route (ip4 (* prefix #c0a8#)))", "c0a8::/16", false},
        {"(route (ip4))", "0.0.0.0/0", true},
        {"(route)", "::/0", true},
        {"(route (ip6 (* prefix #2001#)))", "2001:db8::/32", true},
        {"(route (ip6 (* prefix #2001#)))", "2000::/3", false},
        {"(member)", "10.0.0.0/8", false},
        {"(address)", "10.0.0.0/8", false},
    };
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        struct wrn_rights rights;
        struct wrn_prefix prefix;
        wrn_span text = {(const uint8_t *)cases[i].prefix, strlen(cases[i].prefix)};
        assert_int_equal(wrn_prefix_parse(text, &prefix), 0);
        assert_int_equal(compile(cases[i].element, 0, &rights), WRN_RIGHTS_OK);
        CHECK(wrn_rights_has_route(&rights, &prefix) == cases[i].has, "%s %s: ", cases[i].element,
              cases[i].prefix);
    }
}

static void frames_are_ethertypes_and_sources(void **state) {
    static const uint8_t mine[WRN_MAC_ADDRESS_SIZE] = {0x52, 0x54, 0, 1, 2, 3};
    static const uint8_t next[WRN_MAC_ADDRESS_SIZE] = {0x52, 0x54, 0, 1, 2, 4};
    (void)state;
    static const struct {
        const char *element;
        uint8_t topics;
        enum wrn_rights_fault fault;
        bool arp, ip4, llc, mine, names_mine, next;
    } cases[] = {
        {"(member)", 0, 0, true, true, true, true, false, true},
        {"(*)", 0, 0, true, true, true, true, false, true},
        {"(member)", WRN_RIGHTS_FRAMES, 0, false, false, false, true, false, true},
        {"(member)", WRN_RIGHTS_MACS, 0, true, true, true, false, false, false},
        {"(frame)", 0, 0, true, true, true, false, false, false},
        {"(frame (*))", 0, 0, true, true, true, false, false, false},
        {"(frame '2054')", 0, 0, true, false, false, false, false, false},
        {"(frame (* set '2054' '2048'))", 0, 0, true, true, false, false, false, false},
        {"(frame (* range numeric (le '2050')))", 0, 0, false, true, true, false, false, false},
        {"(frame arp)", 0, WRN_RIGHTS_BAD_FRAME, false, false, false, false, false, false},
        {"(frame none)", 0, WRN_RIGHTS_BAD_FRAME, false, false, false, false, false, false},
        {"(frame '2054' more)", 0, WRN_RIGHTS_BAD_FRAME, false, false, false, false, false, false},
        {"(frame (* set '1' '3' '5' '7' '9' '11' '13' '15' '2054'))", 0, WRN_RIGHTS_MANY_FRAMES,
         false, false, false, false, false, false},
        {"(mac)", 0, 0, false, false, false, true, false, true},
        {"(mac #525400010203#)", 0, 0, false, false, false, true, true, false},
        {"(mac (* prefix #525400#))", 0, 0, false, false, false, true, true, true},
        {"(mac (* set #525400010203# #525400010204#))", 0, 0, false, false, false, true, true,
         true},
        {"(* set (mac) (mac #525400010203#))", 0, 0, false, false, false, true, true, true},
        {"(mac #5254000102#)", 0, WRN_RIGHTS_BAD_MAC, false, false, false, false, false, false},
        {"(mac (* prefix #52540001020304#))", 0, WRN_RIGHTS_BAD_MAC, false, false, false, false,
         false, false},
        {"(mac (ip4 #0a000001#))", 0, WRN_RIGHTS_BAD_MAC, false, false, false, false, false, false},
    };
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        struct wrn_rights rights;
        enum wrn_rights_fault fault = compile(cases[i].element, cases[i].topics, &rights);
        const struct wrn_frame_rules *frames = &rights.frames;
        CHECK(fault == cases[i].fault, "%s: %s: ", cases[i].element, wrn_rights_fault_text(fault));
        CHECK(wrn_frame_rules_type(frames, 0x0806) == cases[i].arp, "%s: ", cases[i].element);
        CHECK(wrn_frame_rules_type(frames, 0x0800) == cases[i].ip4, "%s: ", cases[i].element);
        CHECK(wrn_frame_rules_type(frames, 0) == cases[i].llc, "%s: ", cases[i].element);
        CHECK(wrn_frame_rules_mac(frames, mine) == cases[i].mine, "%s: ", cases[i].element);
        CHECK(wrn_frame_rules_names(frames, mine) == cases[i].names_mine, "%s: ", cases[i].element);
        CHECK(wrn_frame_rules_mac(frames, next) == cases[i].next, "%s: ", cases[i].element);
    }
}

static void names_are_labels_and_beginnings(void **state) {
    (void)state;
    static const char *const labels[] = {"web", "web-1", "we", "webb", "Web", "db", "web-", ""};
    static const struct {
        const char *element;
        enum wrn_rights_fault fault;
        unsigned has; /* a bit for each of 'labels' */
    } cases[] = {
        {"(name web)", 0, 1},
        {"(name (* prefix web))", 0, 1 | 2 | 8},
        {"(name (* prefix web-))", 0, 2},
        {"(name (* prefix ''))", 0, 1 | 2 | 4 | 8 | 32},
        {"(name)", 0, 1 | 2 | 4 | 8 | 32},
        {"(name (*))", 0, 1 | 2 | 4 | 8 | 32},
        {"(name (* set web db))", 0, 1 | 32},
        {"(* set (name web) (name db))", 0, 1 | 32},
        {"(name (* set a b c d))", 0, 0},
        {"(name (* set a b c d e))", WRN_RIGHTS_MANY_NAMES, 0},
        {"(name (* set a (* prefix a) ab abc abcd web))", 0, 1},
        {"(name Web)", WRN_RIGHTS_BAD_NAME, 0},
        {"(name (* prefix W))", WRN_RIGHTS_BAD_NAME, 0},
        {"(name (* prefix -a))", WRN_RIGHTS_BAD_NAME, 0},
        {"(name web web)", WRN_RIGHTS_BAD_NAME, 0},
        {"(name [hint]web)", WRN_RIGHTS_BAD_NAME, 0},
        {"(name (* range alpha (ge a)))", WRN_RIGHTS_BAD_NAME, 0},
        {"(member)", 0, 1 | 2 | 4 | 8 | 32},
        {"(relay)", 0, 0},
    };
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        struct wrn_rights rights;
        enum wrn_rights_fault fault = compile(cases[i].element, 0, &rights);
        CHECK(fault == cases[i].fault, "%s: %s: ", cases[i].element, wrn_rights_fault_text(fault));
        for (size_t at = 0; at < WRN_COUNT(labels); at++) {
            wrn_span label = {(const uint8_t *)labels[at], strlen(labels[at])};
            CHECK(wrn_rights_has_name(&rights, label) == ((cases[i].has >> at & 1) != 0),
                  "%s: %s: ", cases[i].element, labels[at]);
        }
    }
}

static void the_longest_names(void **state) {
    (void)state;
    char text[96] = "(name ", label[65];
    struct wrn_rights rights;
    memset(label, 'x', sizeof label);
    memcpy(text + 6, label, 63);
    text[69] = ')';
    assert_int_equal(compile(text, 0, &rights), WRN_RIGHTS_OK);
    assert_true(wrn_rights_has_name(&rights, (wrn_span){(const uint8_t *)label, 63}));
    assert_false(wrn_rights_has_name(&rights, (wrn_span){(const uint8_t *)label, 62}));
    text[69] = 'x';
    text[70] = ')';
    assert_int_equal(compile(text, 0, &rights), WRN_RIGHTS_BAD_NAME);
    assert_false(wrn_rights_has_name(&rights, (wrn_span){(const uint8_t *)label, 64}));
}

static void uses_are_counted(void **state) {
    (void)state;
    static const struct {
        const char *element;
        uint32_t low, high;
    } cases[] = {
        {"(invite)", 1, UINT32_MAX},
        {"(invite (*))", 1, UINT32_MAX},
        {"(invite '3')", 3, 3},
        {"(invite (* range numeric (le '3')))", 1, 3},
        {"(invite (* range numeric (ge '2') (l '3')))", 2, 2},
        {"(invite (* set '1' '2' '3'))", 1, 3},
        {"(* set (invite '1') (invite (* range numeric (ge '2') (le '9'))))", 1, 9},
    };
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        struct wrn_rights rights;
        assert_int_equal(compile(cases[i].element, 0, &rights), WRN_RIGHTS_OK);
        CHECK(rights.uses_low == cases[i].low && rights.uses_high == cases[i].high,
              "%s: %u..%u: ", cases[i].element, rights.uses_low, rights.uses_high);
        CHECK(wrn_rights_has_use(&rights, cases[i].low) &&
                  !wrn_rights_has_use(&rights, cases[i].low - 1) &&
                  wrn_rights_has_use(&rights, cases[i].high),
              "%s: ", cases[i].element);
    }
    struct wrn_rights rights;
    assert_int_equal(compile("(* set (invite '1') (invite '5'))", 0, &rights), WRN_RIGHTS_BAD_USES);
    assert_true(wrn_rights_has_use(&rights, 1) != wrn_rights_has_use(&rights, 5));
}

/* Whatever is compiled out of a tag, the tag permits as a request of the algebra. */
static void nothing_is_given_that_the_tag_does_not_permit(void **state) {
    (void)state;
    static const char *const elements[] = {
        "(member)",
        "(member x)",
        "(* set (member) (name web))",
        "((* set member))",
        "(name (* prefix we))",
        "(name web x)",
        "(invite '3')",
        "(admin (*))",
        "(address (ip4 #0a010203#))",
        "(* set (relay) (address (ip4 (* prefix #0a#))))",
        "(address (ip4 (* range alpha (ge #0a000000#) (l #0a010203#))))",
    };
    static const char *const requests[] = {"(member)", "(relay)", "(gateway)", "(invite)",
                                           "(admin)"};
    for (size_t i = 0; i < WRN_COUNT(elements); i++) {
        struct wrn_sexp tag = chain_read(elements[i]);
        uint8_t scratch[256];
        struct wrn_rights rights;
        (void)compile(elements[i], 7, &rights);
        for (size_t flag = 0; flag < WRN_COUNT(requests); flag++) {
            bool is_counted = flag == 3 && rights.uses_high < UINT32_MAX;
            bool has = (rights.flags >> flag & 1) != 0 && !is_counted;
            if (has) {
                CHECK(wrn_tag_covers(tag, chain_read(requests[flag]), scratch, sizeof scratch) == 1,
                      "%s: %s: ", elements[i], requests[flag]);
            }
        }
        struct wrn_ip ip = ip_of("10.1.2.3");
        if (wrn_rights_has_address(&rights, &ip)) {
            CHECK(wrn_tag_covers(tag, chain_read("(address (ip4 #0a010203#))"), scratch,
                                 sizeof scratch) == 1,
                  "%s: ", elements[i]);
        }
        if (wrn_rights_has_name(&rights, (wrn_span){(const uint8_t *)"web", 3})) {
            CHECK(wrn_tag_covers(tag, chain_read("(name web)"), scratch, sizeof scratch) == 1,
                  "%s: ", elements[i]);
        }
    }
}

static void several_grants_add_up(void **state) {
    (void)state;
    struct wrn_rights rights;
    struct wrn_rights_grant grants[WRN_RIGHTS_GRANTS_MAX + 1];
    grants[0] = (struct wrn_rights_grant){chain_read("(* set (member) (allow tcp '80'))"),
                                          WRN_RIGHTS_PACKETS, false};
    grants[1] =
        (struct wrn_rights_grant){chain_read("(allow udp '53')"), WRN_RIGHTS_PACKETS, false};
    grants[2] = (struct wrn_rights_grant){chain_read("(relay)"), 0, false};
    assert_int_equal(wrn_rights_compile(grants, 3, &rights), WRN_RIGHTS_OK);
    assert_int_equal(rights.flags, M | R);
    assert_int_equal(rights.member_grants, 1);
    assert_int_equal(rights.rules.count, 2);
    assert_int_equal(rights.rules.rules[0].element, 0);
    assert_int_equal(rights.rules.rules[1].element, 1);
    grants[2].element = chain_read("(member)"); /* and nobody spoke of packets there */
    assert_int_equal(wrn_rights_compile(grants, 3, &rights), WRN_RIGHTS_OK);
    assert_int_equal(rights.member_grants, 5);
    bool is_everything = false;
    for (size_t i = 0; i < rights.rules.count; i++) {
        is_everything = is_everything || rights.rules.rules[i].element == 2;
    }
    assert_true(is_everything);
    for (size_t i = 0; i < WRN_COUNT(grants); i++) {
        grants[i] = grants[1];
    }
    assert_int_equal(wrn_rights_compile(grants, WRN_COUNT(grants), &rights),
                     WRN_RIGHTS_MANY_GRANTS);
    assert_int_equal(rights.flags, 0);
}

static void too_many_rules_give_nothing(void **state) {
    (void)state;
    char text[1024];
    size_t size = (size_t)snprintf(text, sizeof text, "(* set (member) (allow tcp (* set");
    for (int i = 0; i <= WRN_POLICY_RULES_MAX; i++) {
        size += (size_t)snprintf(text + size, sizeof text - size, " '%d'", 1000 + 2 * i);
    }
    (void)snprintf(text + size, sizeof text - size, ")))");
    struct wrn_rights rights;
    assert_int_equal(compile(text, WRN_RIGHTS_PACKETS, &rights), WRN_RIGHTS_MANY_RULES);
    assert_int_equal(rights.flags, 0);
    assert_int_equal(rights.rules.count, 0);
    assert_int_equal(compile("(* set (member) (allow tcp bad) (allow udp '1'))", 7, &rights),
                     WRN_RIGHTS_BAD_ALLOW);
    assert_int_equal(rights.flags, M);
    assert_int_equal(rights.rules.count, 1);
}

static void the_owner_has_all(void **state) {
    (void)state;
    struct wrn_rights rights;
    struct wrn_ip ip = ip_of("fd00::9");
    struct wrn_prefix all = {.ip = {.family = WRN_FAMILY_IPV6}};
    wrn_rights_of_owner(&rights);
    assert_int_equal(rights.flags, M | R | G | I | A | WRN_RIGHT_OWNER);
    assert_true(wrn_rights_has_address(&rights, &ip) && wrn_rights_has_route(&rights, &all) &&
                wrn_rights_has_use(&rights, 70000) && rights.rules.is_everything);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_are_given),
        cmocka_unit_test(what_nobody_speaks_of_is_given_to_members),
        cmocka_unit_test(topics_are_found),
        cmocka_unit_test(addresses_are_ranges),
        cmocka_unit_test(routes_hold_whole_prefixes),
        cmocka_unit_test(frames_are_ethertypes_and_sources),
        cmocka_unit_test(names_are_labels_and_beginnings),
        cmocka_unit_test(the_longest_names),
        cmocka_unit_test(uses_are_counted),
        cmocka_unit_test(nothing_is_given_that_the_tag_does_not_permit),
        cmocka_unit_test(several_grants_add_up),
        cmocka_unit_test(too_many_rules_give_nothing),
        cmocka_unit_test(the_owner_has_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
