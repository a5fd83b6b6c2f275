/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: rules permit what the elements permit that they were made from, as the algebra of tags has
 * it, and what is not understood permits nothing. Method: tables of elements and packets; each
 * decision is compared with wrn_tag_covers on the packet written as a request. */
#include <stdio.h>

#include "base/bytes.h"
#include "network/policy_internal.h"
#include "spki/tag.h"
#include "unit/network/packets.h"

/* A packet in words, as the request that it is: "tcp 22 ip4 10.1.2.3". */
struct request {
    const char *protocol;
    uint32_t port;
    const char *to;
};

static const struct request requests[] = {
    {"tcp", 22, "10.1.2.3"},     {"tcp", 22, "10.2.0.0"},      {"tcp", 80, "10.1.2.3"},
    {"tcp", 0, "0.0.0.0"},       {"tcp", 65535, "10.1.255.9"}, {"tcp", 22, "fd00::a01:203"},
    {"tcp", 22, "::a01:203"},    {"tcp", 22, "a01:203::"},     {"udp", 22, "10.1.2.3"},
    {"udp", 53, "10.1.0.0"},     {"udp", 53, "10.1.255.255"},  {"udp", 53, "10.0.255.255"},
    {"udp", 443, "fd00::1"},     {"icmp", 8, "10.1.2.3"},      {"icmp", 128, "fd00::1"},
    {"icmp", 0, "10.1.2.3"},     {"47", 65536, "10.1.2.3"},    {"0", 65536, "10.1.2.3"},
    {"50", 65536, "fd00::1"},    {"255", 65536, "fe00::"},     {"132", 65536, "10.1.15.255"},
    {"udp", 53, "10.1.16.0"},    {"tcp", 23, "10.1.15.255"},   {"tcp", 8080, "255.255.255.255"},
    {"51", 65536, "10.1.128.1"}, {"1", 65536, "fd00::1"},      {"58", 65536, "10.1.2.3"},
};

static const char *const elements[] = {
    "(*)",
    "()",
    "(allow)",
    "(allow (*))",
    "(allow tcp)",
    "(allow udp)",
    "(allow icmp)",
    "(allow '47')",
    "(allow '0')",
    "(allow (* set tcp icmp '50'))",
    "(allow (* range numeric))",
    "(allow (* range numeric (g '0') (l '256')))",
    "(allow (* range numeric (ge '-5') (le '50')))",
    "(allow (* range numeric ge '47' l '132'))",
    "(allow (* range numeric (l '50') (g '47')))",
    "(allow (* range numeric (g '5') (l '6')))",
    "(allow tcp '22')",
    "(allow tcp '0')",
    "(allow tcp '65535')",
    "(allow tcp (* range numeric (ge '22') (le '22')))",
    "(allow tcp (* range numeric (g '22') (le '80')))",
    "(allow tcp (* range numeric (ge '0022')))",
    "(allow tcp (* range numeric (l '+23')))",
    "(allow tcp (* range numeric (g '99999999999999999999999999')))",
    "(allow tcp (* range numeric (le '99999999999999999999999999')))",
    "(allow (*) '22')",
    "(allow (*) none)",
    "(allow '47' none)",
    "(allow '47' '22')",
    "(allow icmp '8')",
    "(allow icmp (* set '8' '128'))",
    "(allow (* set tcp udp) (* set '22' '53'))",
    "(allow (* set tcp (* set udp (* set))) (* set '22' '53' none))",
    "(allow (* set))",
    "(allow (*) (*) (ip4))",
    "(allow (*) (*) (ip6))",
    "(allow (*) (*) (ip4 (*)))",
    "(allow (*) (*) ())",
    "(allow (*) (*) (ip4 |CgECAw==|))",
    "(allow (*) (*) (ip4 (* prefix #0a01#)))",
    "(allow (*) (*) (ip4 (* prefix '')))",
    "(allow (*) (*) (ip4 (* prefix #0a010203#)))",
    "(allow (*) (*) (ip6 (* prefix #0a01#)))",
    "(allow (*) (*) (ip6 (* prefix #fd#)))",
    "(allow (*) (*) (ip4 (* range alpha (ge #0a010000#) (le #0a010fff#))))",
    "(allow (*) (*) (ip4 (* range alpha (g #0a010000#) (l #0a01ffff#))))",
    "(allow (*) (*) (ip4 (* range alpha (g #0a01#) (l #0a02#))))",
    "(allow (*) (*) (ip4 (* range alpha (ge #0a0101#) (le #0a0110#))))",
    "(allow (*) (*) (ip4 (* range alpha (ge #0a01020300#))))",
    "(allow (*) (*) (ip4 (* range alpha (g #0a01020300#))))",
    "(allow (*) (*) (ip4 (* range alpha (l #0a01020300#))))",
    "(allow (*) (*) (ip4 (* range alpha (le #0a01020300#))))",
    "(allow (*) (*) (ip4 (* range alpha (g #ffffffff#))))",
    "(allow (*) (*) (ip4 (* range alpha (ge #ffffffff00#))))",
    "(allow (*) (*) (ip4 (* range alpha (l #00000000#))))",
    "(allow (*) (*) (ip4 (* range alpha (le #000000#))))",
    "(allow (*) (*) (ip4 (* range alpha)))",
    "(allow (*) (*) (ip4 (* range alpha (ge #0a020000#) (le #0a010000#))))",
    "(allow (*) (*) (* set (ip4 (* prefix #0a02#)) (ip6 (* prefix #fd#))))",
    "(allow (*) (*) (ip4 (* set #0a010203# #0a020000#)))",
    "(allow udp (* range numeric (ge '53') (le '443')) (* set (ip6) (ip4 (* prefix #0a01#))))",
    "(* set (allow tcp '22') (member) (allow udp))",
    "(* set (* set (allow tcp '22')) (* set))",
    "(member)",
    "(member (allow))",
    "member",
    "allow",
    "[text]allow",
    "((* set allow member) tcp)",
    "((* set gateway member) tcp)",
    "((*) udp)",
    "(relay tcp '22')",
    "(* prefix allow)",
};

static struct wrn_policy_packet read_request(const struct request *request) {
    struct wrn_policy_packet packet = {.port = request->port, .family = WRN_FAMILY_IPV4};
    struct wrn_prefix to;
    assert_int_equal(
        wrn_prefix_parse((wrn_span){(const uint8_t *)request->to, strlen(request->to)}, &to), 0);
    packet.family = to.ip.family;
    wrn_policy_address(to.ip.bytes, to.ip.family, packet.destination);
    packet.protocol = strcmp(request->protocol, "tcp") == 0   ? WRN_POLICY_TCP
                      : strcmp(request->protocol, "udp") == 0 ? WRN_POLICY_UDP
                      : strcmp(request->protocol, "icmp") == 0
                          ? WRN_POLICY_ICMP
                          : (uint16_t)strtoul(request->protocol, NULL, 10);
    return packet;
}

static struct wrn_sexp write_request(const struct request *request, uint8_t *out, size_t room) {
    struct wrn_sexp_writer w = wrn_sexp_writer(out, room);
    struct wrn_sexp sexp;
    struct wrn_prefix to;
    char port[8] = "none";
    assert_int_equal(
        wrn_prefix_parse((wrn_span){(const uint8_t *)request->to, strlen(request->to)}, &to), 0);
    if (request->port <= 65535) {
        snprintf(port, sizeof port, "%u", request->port);
    }
    bool is_four = to.ip.family == WRN_FAMILY_IPV4;
    wrn_sexp_open(&w, "allow");
    wrn_sexp_put_word(&w, request->protocol);
    wrn_sexp_put_word(&w, port);
    wrn_sexp_open(&w, is_four ? "ip4" : "ip6");
    wrn_sexp_put_bytes(&w, (wrn_span){to.ip.bytes, is_four ? 4 : 16});
    wrn_sexp_close(&w);
    wrn_sexp_close(&w);
    assert_int_equal(wrn_sexp_finish(&w, &sexp), 0);
    return sexp;
}

static bool permits(const struct wrn_policy_rules *rules, const struct request *request) {
    struct wrn_policy_packet packet = read_request(request);
    enum wrn_policy_refusal why;
    return wrn_policy_match(rules, &packet, &why) != NULL;
}

/* Compares one element's rules with the element, on all requests; returns how many it permits. */
static size_t compare(const char *text, struct wrn_sexp element, enum wrn_policy_fault *ret_fault) {
    static uint8_t scratch[WRN_TAG_SIZE_MAX];
    uint8_t out[128];
    struct wrn_policy_rules rules;
    size_t permitted = 0;
    *ret_fault = wrn_policy_compile(&element, 1, &rules, NULL);
    for (size_t i = 0; i < WRN_COUNT(requests); i++) {
        struct wrn_sexp request = write_request(&requests[i], out, sizeof out);
        int expected = wrn_tag_covers(element, request, scratch, sizeof scratch);
        bool got = permits(&rules, &requests[i]);
        CHECK(expected == got, "%s: %s %u %s: %d, not %d: ", text, requests[i].protocol,
              requests[i].port, requests[i].to, got, expected);
        permitted += got;
    }
    bool is_all = permitted == WRN_COUNT(requests);
    CHECK(!rules.is_everything || is_all, "%s: ", text);
    return permitted;
}

static void rules_permit_what_tags_permit(void **state) {
    size_t permitted = 0;
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(elements); i++) {
        struct wrn_sexp element;
        assert_int_equal(packet_elements(elements[i], &element, 1), 1);
        enum wrn_policy_fault fault;
        permitted += compare(elements[i], element, &fault);
        CHECK(fault == WRN_POLICY_FAULT_OK, "%s: %s: ", elements[i], wrn_policy_fault_text(fault));
    }
    print_message("# %zu of %zu are permitted\n", permitted,
                  WRN_COUNT(elements) * WRN_COUNT(requests));
    assert_true(permitted > WRN_COUNT(elements) && permitted < 20 * WRN_COUNT(elements));
}

/* What two tags permit together is permitted by its rules too. It is understood as well, but where
 * two ranges leave one string that is no address. */
static void what_is_left_of_two_is_understood(void **state) {
    static uint8_t out[WRN_TAG_SIZE_MAX];
    size_t met = 0, odd = 0;
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(elements); i++) {
        for (size_t j = 0; j <= i; j++) {
            struct wrn_sexp a, b, both;
            packet_elements(elements[i], &a, 1);
            packet_elements(elements[j], &b, 1);
            struct wrn_sexp_writer w = wrn_sexp_writer(out, sizeof out);
            if (wrn_tag_intersect(a, b, &w) != 1) {
                continue;
            }
            assert_int_equal(wrn_sexp_finish(&w, &both), 0);
            enum wrn_policy_fault fault;
            compare(elements[i], both, &fault);
            CHECK(fault == WRN_POLICY_FAULT_OK || fault == WRN_POLICY_FAULT_BAD_DESTINATION,
                  "%s and %s: %s: ", elements[i], elements[j], wrn_policy_fault_text(fault));
            odd += fault != WRN_POLICY_FAULT_OK;
            met++;
        }
    }
    print_message("# %zu pairs have something in common, %zu no address\n", met, odd);
    assert_true(met > WRN_COUNT(elements) && odd <= 2);
}

static const struct {
    const char *text;
    enum wrn_policy_fault fault;
} faults[] = {
    {"(allow TCP)", WRN_POLICY_FAULT_BAD_PROTOCOL},
    {"(allow [text]tcp)", WRN_POLICY_FAULT_BAD_PROTOCOL},
    {"(allow '256')", WRN_POLICY_FAULT_BAD_PROTOCOL},
    {"(allow '-1')", WRN_POLICY_FAULT_BAD_PROTOCOL},
    {"(allow '047')", WRN_POLICY_FAULT_BAD_PROTOCOL},
    {"(allow '')", WRN_POLICY_FAULT_BAD_PROTOCOL},
    {"(allow (tcp))", WRN_POLICY_FAULT_BAD_PROTOCOL},
    {"(allow (* prefix t))", WRN_POLICY_FAULT_BAD_PROTOCOL},
    {"(allow (* range alpha))", WRN_POLICY_FAULT_BAD_PROTOCOL},
    {"(allow (* range numeric (ge '1') (g '2')))", WRN_POLICY_FAULT_BAD_PROTOCOL},
    {"(allow (* range numeric (ge x)))", WRN_POLICY_FAULT_BAD_PROTOCOL},
    {"(allow (* range numeric (ge '1' '2')))", WRN_POLICY_FAULT_BAD_PROTOCOL},
    {"(allow (* range numeric (eq '1')))", WRN_POLICY_FAULT_BAD_PROTOCOL},
    {"(allow (* range numeric ge))", WRN_POLICY_FAULT_BAD_PROTOCOL},
    {"(allow '6')", WRN_POLICY_FAULT_WRITE_NAME},
    {"(allow '1')", WRN_POLICY_FAULT_WRITE_NAME},
    {"(allow '17' '53')", WRN_POLICY_FAULT_WRITE_NAME},
    {"(allow '58')", WRN_POLICY_FAULT_WRITE_NAME},
    {"(allow tcp ssh)", WRN_POLICY_FAULT_BAD_PORT},
    {"(allow tcp '65536')", WRN_POLICY_FAULT_BAD_PORT},
    {"(allow tcp '022')", WRN_POLICY_FAULT_BAD_PORT},
    {"(allow tcp (* prefix '2'))", WRN_POLICY_FAULT_BAD_PORT},
    {"(allow tcp (* range binary (ge '2')))", WRN_POLICY_FAULT_BAD_PORT},
    {"(allow tcp (* range numeric (le '')))", WRN_POLICY_FAULT_BAD_PORT},
    {"(allow tcp (*) home)", WRN_POLICY_FAULT_BAD_DESTINATION},
    {"(allow tcp (*) (ip5 '1234'))", WRN_POLICY_FAULT_BAD_DESTINATION},
    {"(allow tcp (*) (ip4 '10.1.0.0/16'))", WRN_POLICY_FAULT_BAD_DESTINATION},
    {"(allow tcp (*) (ip4 #0a0102#))", WRN_POLICY_FAULT_BAD_DESTINATION},
    {"(allow tcp (*) (ip4 [x]#0a010203#))", WRN_POLICY_FAULT_BAD_DESTINATION},
    {"(allow tcp (*) (ip4 (* prefix #0a01020304#)))", WRN_POLICY_FAULT_BAD_DESTINATION},
    {"(allow tcp (*) (ip4 (* prefix #0a# #0b#)))", WRN_POLICY_FAULT_BAD_DESTINATION},
    {"(allow tcp (*) (ip4 (* range binary (ge #0a010000#))))", WRN_POLICY_FAULT_BAD_DESTINATION},
    {"(allow tcp (*) (* prefix #0a#))", WRN_POLICY_FAULT_BAD_DESTINATION},
    {"(allow tcp (*) (ip4 (*) more))", WRN_POLICY_FAULT_TOO_LONG},
    {"(allow tcp (*) (*) (*))", WRN_POLICY_FAULT_TOO_LONG},
    {"((* prefix al) tcp)", WRN_POLICY_FAULT_BAD_NAME},
    {"((allow) tcp)", WRN_POLICY_FAULT_BAD_NAME},
    {"(allow (* set (* set (* set (* set (* set (* set (* set (* set (* set udp))))))))))",
     WRN_POLICY_FAULT_BAD_PROTOCOL},
};

static void what_is_not_understood_permits_nothing(void **state) {
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(faults); i++) {
        struct wrn_sexp list[3];
        struct wrn_policy_rules rules;
        size_t at = 99;
        packet_elements("(allow tcp '80') (allow udp '53')", list, 3);
        list[2] = list[1];
        packet_elements(faults[i].text, &list[1], 1);
        enum wrn_policy_fault fault = wrn_policy_compile(list, 3, &rules, &at);
        CHECK(fault == faults[i].fault, "%s: %s: ", faults[i].text, wrn_policy_fault_text(fault));
        CHECK(at == 1, "%s: ", faults[i].text);
        /* the others count */
        CHECK(rules.count == 2 && rules.rules[0].element == 0 && rules.rules[1].element == 2,
              "%s: ", faults[i].text);
    }
}

static void nothing_is_not_everything(void **state) {
    struct wrn_sexp nothing = {{NULL, 0}};
    struct wrn_policy_rules rules;
    (void)state;
    assert_int_equal(wrn_policy_compile(NULL, 0, &rules, NULL), WRN_POLICY_FAULT_OK);
    assert_int_equal(rules.count, 0);
    assert_false(rules.is_everything);
    assert_int_equal(wrn_policy_compile(&nothing, 1, &rules, NULL), WRN_POLICY_FAULT_BAD_NAME);
    assert_int_equal(rules.count, 0);
}

static void too_many_rules_permit_nothing(void **state) {
    char text[1 << 12] = "(allow tcp (* set";
    struct wrn_sexp list[2];
    struct wrn_policy_rules rules;
    size_t at = 99;
    (void)state;
    size_t size = strlen(text);
    for (int i = 0; i < WRN_POLICY_RULES_MAX; i++) {
        size += (size_t)snprintf(text + size, sizeof text - size, " '%d'", 2 * i);
    }
    snprintf(text + size, sizeof text - size, "))");
    packet_elements(text, list, 1);
    assert_int_equal(wrn_policy_compile(list, 1, &rules, NULL), WRN_POLICY_FAULT_OK);
    assert_int_equal(rules.count, WRN_POLICY_RULES_MAX);
    packet_elements("(allow udp)", &list[1], 1);
    assert_int_equal(wrn_policy_compile(list, 2, &rules, &at), WRN_POLICY_FAULT_TOO_MANY);
    assert_int_equal(at, 1);
    assert_int_equal(rules.count, 0);
    /* but for one that makes the others superfluous */
    packet_elements("(allow (* set tcp udp))", &list[1], 1);
    assert_int_equal(wrn_policy_compile(list, 2, &rules, &at), WRN_POLICY_FAULT_OK);
    assert_int_equal(rules.count, 2);
}

/* A certificate of a few kilobytes must not cost millions of steps: sets multiply. */
static void sets_that_multiply_are_too_many(void **state) {
    char text[1 << 13] = "(allow tcp (* set";
    struct wrn_sexp element;
    struct wrn_policy_rules rules;
    size_t size = strlen(text);
    (void)state;
    for (int i = 0; i < 80; i++) {
        size += (size_t)snprintf(text + size, sizeof text - size,
                                 " (* range numeric (ge '1') (le '%d'))", 70000 + i);
    }
    size += (size_t)snprintf(text + size, sizeof text - size, ") (ip4 (* set");
    for (int i = 0; i < 80; i++) {
        size += (size_t)snprintf(text + size, sizeof text - size,
                                 " (* range alpha (g #ffffffff%02x#))", i);
    }
    snprintf(text + size, sizeof text - size, ")))");
    packet_elements(text, &element, 1);
    assert_int_equal(wrn_policy_compile(&element, 1, &rules, NULL), WRN_POLICY_FAULT_TOO_MANY);
    assert_int_equal(rules.count, 0);
}

static void rules_that_others_cover_are_left_out(void **state) {
    (void)state;
    struct wrn_policy_rules rules = packet_rules(
        "(allow tcp '22') (allow tcp) (allow tcp '80') (allow udp '53') (allow tcp (*) (ip4))");
    assert_int_equal(rules.count, 2);
    assert_int_equal(rules.rules[0].element, 1);
    assert_int_equal(rules.rules[1].element, 3);
    rules = packet_rules("(allow tcp '22') (allow udp) (member) (allow)");
    assert_int_equal(rules.count, 1);
    assert_true(rules.is_everything);
    assert_int_equal(rules.rules[0].element, 3);
}

static void equal_rules_are_known(void **state) {
    (void)state;
    struct wrn_policy_rules a = packet_rules("(allow tcp '22') (allow udp (*) (ip4))");
    struct wrn_policy_rules b = packet_rules(
        "(allow tcp (* range numeric (ge '22') (le '22'))) (allow udp (*) (ip4 (* prefix '')))");
    struct wrn_policy_rules c = packet_rules("(allow tcp '22') (allow udp (*) (ip6))");
    struct wrn_policy_rules d = packet_rules("(member) (allow tcp '22') (allow udp (*) (ip4))");
    assert_true(wrn_policy_rules_equal(&a, &b));
    assert_false(wrn_policy_rules_equal(&a, &c));
    assert_false(wrn_policy_rules_equal(&a, &d)); /* another certificate says so */
}

static void refusals_tell_how_far_it_came(void **state) {
    (void)state;
    struct wrn_policy_rules rules = packet_rules("(allow tcp '22' (ip4 (* prefix #0a01#)))");
    static const struct {
        struct request request;
        enum wrn_policy_refusal why;
    } cases[] = {
        {{"udp", 22, "10.1.0.1"}, WRN_POLICY_NO_PROTOCOL},
        {{"tcp", 23, "10.1.0.1"}, WRN_POLICY_NO_PORT},
        {{"tcp", 23, "10.2.0.1"}, WRN_POLICY_NO_PORT},
        {{"tcp", 22, "10.2.0.1"}, WRN_POLICY_NO_DESTINATION},
    };
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        struct wrn_policy_packet packet = read_request(&cases[i].request);
        enum wrn_policy_refusal why = WRN_POLICY_NONE;
        assert_null(wrn_policy_match(&rules, &packet, &why));
        assert_int_equal(why, cases[i].why);
    }
}

static void everything_has_words(void **state) {
    (void)state;
    for (int i = 0; i < WRN_POLICY_FAULT_COUNT; i++) {
        assert_true(strlen(wrn_policy_fault_text((enum wrn_policy_fault)i)) > 5);
    }
    for (int i = 0; i < WRN_POLICY_REFUSAL_COUNT; i++) {
        assert_true(strlen(wrn_policy_refusal_name((enum wrn_policy_refusal)i)) > 3);
        assert_true(strlen(wrn_policy_refusal_text((enum wrn_policy_refusal)i)) > 5);
    }
    for (int i = 0; i < WRN_POLICY_GROUND_COUNT; i++) {
        assert_true(strncmp(wrn_policy_ground_name((enum wrn_policy_ground)i), "by_", 3) == 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_permit_what_tags_permit),
        cmocka_unit_test(what_is_left_of_two_is_understood),
        cmocka_unit_test(what_is_not_understood_permits_nothing),
        cmocka_unit_test(nothing_is_not_everything),
        cmocka_unit_test(too_many_rules_permit_nothing),
        cmocka_unit_test(sets_that_multiply_are_too_many),
        cmocka_unit_test(rules_that_others_cover_are_left_out),
        cmocka_unit_test(equal_rules_are_known),
        cmocka_unit_test(refusals_tell_how_far_it_came),
        cmocka_unit_test(everything_has_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
