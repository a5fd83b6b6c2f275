/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: addresses are read strictly and printed so that they can be read again. Method: tables of
 * what is and is not an address; random values printed and parsed; a naive mask. */
#include "base/address.h"
#include "base/rand.h"
#include "unit/base/check.h"

static wrn_span span(const char *text) {
    return (wrn_span){(const uint8_t *)text, strlen(text)};
}

static void reads_prefixes(void **state) {
    (void)state;
    static const struct {
        const char *text, *printed;
        uint8_t family, length_bits;
    } cases[] = {
        {"10.0.0.0/8", "10.0.0.0/8", 4, 8},
        {"10.1.2.3/8", "10.0.0.0/8", 4, 8},
        {"10.1.2.3", "10.1.2.3/32", 4, 32},
        {"10.1.2.3/32", "10.1.2.3/32", 4, 32},
        {"10.1.2.3/31", "10.1.2.2/31", 4, 31},
        {"192.168.255.255/17", "192.168.128.0/17", 4, 17},
        {"255.255.255.255/0", "0.0.0.0/0", 4, 0},
        {"1.2.3.4/00", "0.0.0.0/0", 4, 0}, /* leading zeros: decimal, at most three digits */
        {"1.2.3.4/024", "1.2.3.0/24", 4, 24},
        {"::/0", "::/0", 6, 0},
        {"::", "::/128", 6, 128},
        {"fd00::1/8", "fd00::/8", 6, 8},
        {"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff/33", "2001:db8:8000::/33", 6, 33},
        {"FE80::ABCD/127", "fe80::abcc/127", 6, 127},
        {"::ffff:1.2.3.4", "::ffff:1.2.3.4/128", 6, 128},
        {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128",
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128", 6, 128},
    };
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        struct wrn_prefix prefix;
        char printed[WRN_PREFIX_TEXT_SIZE];
        const char *text = cases[i].text;
        CHECK(wrn_prefix_parse(span(text), &prefix) == 0, "%s: ", text);
        CHECK(prefix.ip.family == cases[i].family, "%s: ", text);
        CHECK(prefix.length_bits == cases[i].length_bits, "%s: ", text);
        size_t size = wrn_prefix_print(&prefix, printed);
        CHECK(strcmp(printed, cases[i].printed) == 0, "%s printed as %s: ", text, printed);
        CHECK(size == strlen(printed), "%s: ", text);
    }
}

static void refuses_what_is_no_prefix(void **state) {
    (void)state;
    static const char *const cases[] = {
        "",
        "/",
        "/8",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/+8",
        "10.0.0.0/ 8",
        "10.0.0.0/8 ",
        " 10.0.0.0/8",
        "10.0.0.0/0008",
        "10.0.0.0/0x8",
        "10.0.0.0/8/8",
        "10.0.0.0/256",
        "10.0.0.0/4294967304",
        "10.0.0.0/255.0.0.0",
        "10.0.0/8",
        "10/8",
        "10.0.0.0.0",
        "10.0.0.256",
        "010.0.0.1",
        "0x0a.0.0.1",
        "10.0.0.1:80",
        "::/129",
        "::/",
        ":::/1",
        "1::2::3",
        "12345::",
        "g::",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "fe80::1%3",
        "fe80::1%eth0/64",
        "[::1]",
        "::1.2.3",
        "localhost",
        "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000/1",
    };
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        struct wrn_prefix prefix;
        memset(&prefix, 0xa5, sizeof(prefix));
        CHECK(wrn_prefix_parse(span(cases[i]), &prefix) == WRN_ERR_MALFORMED, "'%s': ", cases[i]);
        CHECK(check_filled(&prefix, sizeof(prefix), 0xa5), "'%s': ", cases[i]);
    }
    struct wrn_prefix prefix;
    wrn_span zero_inside = {(const uint8_t *)"10.0.0.1\0junk", 13};
    assert_int_equal(wrn_prefix_parse(zero_inside, &prefix), WRN_ERR_MALFORMED);
    assert_int_equal(wrn_prefix_parse((wrn_span){0}, &prefix), WRN_ERR_MALFORMED);
}

static void reads_endpoints(void **state) {
    (void)state;
    static const struct {
        const char *text, *printed;
        uint8_t family;
        uint16_t port;
        uint32_t scope_id;
    } cases[] = {
        {"192.0.2.1:51820", "192.0.2.1:51820", 4, 51820, 0},
        {"192.0.2.1:0", "192.0.2.1:0", 4, 0, 0},
        {"192.0.2.1:65535", "192.0.2.1:65535", 4, 65535, 0},
        {"192.0.2.1:00080", "192.0.2.1:80", 4, 80, 0},
        {"[2001:db8::1]:51820", "[2001:db8::1]:51820", 6, 51820, 0},
        {"[::]:1", "[::]:1", 6, 1, 0},
        {"[fe80::1%3]:51820", "[fe80::1%3]:51820", 6, 51820, 3},
        {"[fe80::1%0]:1", "[fe80::1]:1", 6, 1, 0},
        {"[fe80::1%4294967295]:1", "[fe80::1%4294967295]:1", 6, 1, 4294967295u},
        {"[::ffff:192.0.2.1]:7", "192.0.2.1:7", 4, 7, 0},
        {"[::ffff:192.0.2.1%3]:7", "192.0.2.1:7", 4, 7, 0},
        {"[::fffe:192.0.2.1]:7", "[::fffe:c000:201]:7", 6, 7, 0},
    };
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        struct wrn_endpoint endpoint;
        char printed[WRN_ENDPOINT_TEXT_SIZE];
        const char *text = cases[i].text;
        CHECK(wrn_endpoint_parse(span(text), &endpoint) == 0, "%s: ", text);
        CHECK(endpoint.ip.family == cases[i].family, "%s: ", text);
        CHECK(endpoint.port == cases[i].port, "%s: ", text);
        CHECK(endpoint.scope_id == cases[i].scope_id, "%s: ", text);
        size_t size = wrn_endpoint_print(&endpoint, printed);
        CHECK(strcmp(printed, cases[i].printed) == 0, "%s printed as %s: ", text, printed);
        CHECK(size == strlen(printed), "%s: ", text);
    }
}

static void refuses_what_is_no_endpoint(void **state) {
    (void)state;
    static const char *const cases[] = {
        "",
        ":",
        ":80",
        "192.0.2.1",
        "192.0.2.1:",
        "192.0.2.1:65536",
        "192.0.2.1:-1",
        "192.0.2.1:+1",
        "192.0.2.1: 1",
        "192.0.2.1:1 ",
        " 192.0.2.1:1",
        "192.0.2.1:0x10",
        "192.0.2.1:99999999999",
        "192.0.2.1:18446744073709551617",
        "192.0.2.1:1:1",
        "192.0.2.1%3:1",
        "192.0.2:1",
        "[192.0.2.1]:1",
        "2001:db8::1:51820",
        "::1",
        "[::1]",
        "[::1]:",
        "[::1]1",
        "[::1",
        "[::1:80",
        "::1]:80",
        "[]:80",
        "[",
        "[]",
        "[[::1]]:80",
        "[::1]]:80",
        "[::1%]:80",
        "[::1%eth0]:80",
        "[::1%-1]:80",
        "[::1%4294967296]:80",
        "[::1%3%3]:80",
        "[%3]:80",
        "[::1]:80x",
        "host:80",
    };
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        struct wrn_endpoint endpoint;
        memset(&endpoint, 0xa5, sizeof(endpoint));
        CHECK(wrn_endpoint_parse(span(cases[i]), &endpoint) == WRN_ERR_MALFORMED,
              "'%s': ", cases[i]);
        CHECK(check_filled(&endpoint, sizeof(endpoint), 0xa5), "'%s': ", cases[i]);
    }
    struct wrn_endpoint endpoint;
    assert_int_equal(wrn_endpoint_parse((wrn_span){0}, &endpoint), WRN_ERR_MALFORMED);
}

/* Copies the text into a block of exactly its size, so that sanitizers see a read past the end. */
static void needs_no_terminator(void **state) {
    (void)state;
    static const char *const cases[] = {"10.0.0.0/8", "fd00::/8", "1.2.3.4",  "[",
                                        "[::1]:80",   "[::1]",    "1.2.3.4:5"};
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        for (size_t size = 0; size <= strlen(cases[i]); size++) {
            struct wrn_prefix prefix;
            struct wrn_endpoint endpoint;
            uint8_t *copy = malloc(size > 0 ? size : 1);
            assert_non_null(copy);
            memcpy(copy, cases[i], size);
            (void)!wrn_prefix_parse((wrn_span){copy, size}, &prefix);
            (void)!wrn_endpoint_parse((wrn_span){copy, size}, &endpoint);
            free(copy);
        }
    }
    struct wrn_prefix prefix;
    assert_int_equal(wrn_prefix_parse((wrn_span){(const uint8_t *)"10.0.0.0/24", 10}, &prefix), 0);
    assert_int_equal(prefix.length_bits, 2); /* the '4' behind the end does not count */
}

static struct wrn_ip random_ip(struct wrn_rand rand) {
    bool is_ipv6 = wrn_rand_below(rand, 2) == 1;
    struct wrn_ip ip = {.family = is_ipv6 ? WRN_FAMILY_IPV6 : WRN_FAMILY_IPV4};
    wrn_rand_fill(rand, ip.bytes, is_ipv6 ? 16 : 4);
    uint32_t from = wrn_rand_below(rand, 16); /* runs of zeros, for "::" */
    uint32_t zeros = wrn_rand_below(rand, 17 - from);
    memset(ip.bytes + from, 0, zeros);
    return ip;
}

static void reads_what_it_prints(void **state) {
    (void)state;
    struct wrn_prng prng;
    wrn_prng_init(&prng, check_seed(), 0);
    struct wrn_rand rand = wrn_prng_rand(&prng);
    for (size_t i = 0; i < 20000; i++) {
        char text[WRN_ENDPOINT_TEXT_SIZE];
        struct wrn_endpoint endpoint = {.ip = random_ip(rand)};
        struct wrn_endpoint read_endpoint;
        wrn_rand_fill(rand, &endpoint.port, sizeof(endpoint.port));
        if (endpoint.ip.family == WRN_FAMILY_IPV6 && i % 2 == 0) {
            wrn_rand_fill(rand, &endpoint.scope_id, sizeof(endpoint.scope_id));
        }
        size_t size = wrn_endpoint_print(&endpoint, text);
        wrn_span printed = {(const uint8_t *)text, size};
        CHECK(size < sizeof(text) && text[size] == 0, "%s: ", text);
        CHECK(wrn_endpoint_parse(printed, &read_endpoint) == 0, "%s: ", text);
        CHECK(wrn_endpoint_equal(&endpoint, &read_endpoint), "%s: ", text);
    }
}

static void clears_host_bits_as_a_naive_mask(void **state) {
    (void)state;
    struct wrn_prng prng;
    wrn_prng_init(&prng, check_seed(), 0);
    struct wrn_rand rand = wrn_prng_rand(&prng);
    for (size_t i = 0; i < 20000; i++) {
        char text[WRN_PREFIX_TEXT_SIZE];
        struct wrn_prefix prefix = {.ip = random_ip(rand)};
        struct wrn_prefix read_prefix;
        uint32_t bits = prefix.ip.family == WRN_FAMILY_IPV6 ? 128 : 32;
        prefix.length_bits = (uint8_t)wrn_rand_below(rand, bits + 1);
        size_t size = wrn_prefix_print(&prefix, text); /* with host bits */
        CHECK(size < sizeof(text), "%s: ", text);
        CHECK(wrn_prefix_parse((wrn_span){(const uint8_t *)text, size}, &read_prefix) == 0,
              "%s: ", text);
        for (uint32_t bit = prefix.length_bits; bit < bits; bit++) {
            prefix.ip.bytes[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
        }
        CHECK(wrn_ip_equal(&prefix.ip, &read_prefix.ip), "%s: ", text);
        CHECK(prefix.length_bits == read_prefix.length_bits, "%s: ", text);
    }
}

static void tells_endpoints_apart(void **state) {
    (void)state;
    static const char *const texts[] = {"1.2.3.4:5",         "1.2.3.4:6",   "1.2.3.5:5",
                                        "[102:304::]:5",     "[fe80::1]:5", "[fe80::1%2]:5",
                                        "[::fffe:1.2.3.4]:5"};
    for (size_t i = 0; i < WRN_COUNT(texts); i++) {
        for (size_t j = 0; j < WRN_COUNT(texts); j++) {
            struct wrn_endpoint a;
            struct wrn_endpoint b;
            assert_int_equal(wrn_endpoint_parse(span(texts[i]), &a), 0);
            assert_int_equal(wrn_endpoint_parse(span(texts[j]), &b), 0);
            CHECK(wrn_endpoint_equal(&a, &b) == (i == j), "%s and %s: ", texts[i], texts[j]);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_prefixes),
        cmocka_unit_test(refuses_what_is_no_prefix),
        cmocka_unit_test(reads_endpoints),
        cmocka_unit_test(refuses_what_is_no_endpoint),
        cmocka_unit_test(needs_no_terminator),
        cmocka_unit_test(reads_what_it_prints),
        cmocka_unit_test(clears_host_bits_as_a_naive_mask),
        cmocka_unit_test(tells_endpoints_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
