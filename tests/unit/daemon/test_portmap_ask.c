/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: PCP's messages are as RFC 6887 has them, and answers to others' questions are not taken.
 * Method: one request byte for byte; one good answer, and each way to spoil it. Routers that answer
 * are the business of tests/e2e/test_portmap.py. */
#include "daemon/portmap_ask.h"

#include "unit/base/check.h"

static const uint8_t nonce[WRN_PORTMAP_NONCE_SIZE] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
static const struct wrn_ip client = {.family = WRN_FAMILY_IPV4, .bytes = {192, 168, 1, 7}};

static void requests_are_as_the_rfc_has_them(void **state) {
    static const uint8_t expected[WRN_PORTMAP_PCP_SIZE] = {
        2,  1, 0, 0, 0,    0,    0x1c, 0x20,                                      /* MAP, 7,200 s */
        0,  0, 0, 0, 0,    0,    0,    0,    0, 0,  0xff, 0xff, 192, 168, 1,   7, /* from */
        1,  2, 3, 4, 5,    6,    7,    8,    9, 10, 11,   12,                     /* nonce */
        17, 0, 0, 0, 0xca, 0x6c, 0xca, 0x6d, /* UDP, inner, outer port */
        0,  0, 0, 0, 0,    0,    0,    0,    0, 0,  0xff, 0xff, 203, 0,   113, 9};
    uint8_t request[WRN_PORTMAP_PCP_SIZE];
    struct wrn_endpoint outer = {.ip = {.family = WRN_FAMILY_IPV4, .bytes = {203, 0, 113, 9}},
                                 .port = 51821};
    (void)state;
    wrn_portmap_pcp_write(request, &client, nonce, 51820, &outer, 7200);
    assert_memory_equal(request, expected, sizeof expected);
}

static void answers_are_believed_if_they_are_ours(void **state) {
    uint8_t good[WRN_PORTMAP_PCP_SIZE] = {
        2,    0x81, 0,    0,    0, 0, 0x0e, 0x10, 0, 0, 0, 1, 0, 0,  0,    0,    0,   0, 0,   0,
        0,    0,    0,    0,    1, 2, 3,    4,    5, 6, 7, 8, 9, 10, 11,   12,   17,  0, 0,   0,
        0xca, 0x6c, 0x12, 0x34, 0, 0, 0,    0,    0, 0, 0, 0, 0, 0,  0xff, 0xff, 203, 0, 113, 9};
    static const struct {
        size_t at;
        uint8_t value;
        int result;
    } cases[] = {{0, 0, 1 /* NAT-PMP's own */}, {0, 1, 1},
                 {1, 1, WRN_ERR_MALFORMED},     {1, 0x82, WRN_ERR_MALFORMED},
                 {3, 8, 8 /* NO_RESOURCES */},  {24, 9, WRN_ERR_MALFORMED},
                 {35, 9, WRN_ERR_MALFORMED},    {36, 6, WRN_ERR_MALFORMED},
                 {41, 0, WRN_ERR_MALFORMED},    {54, 0, WRN_ERR_MALFORMED /* an IPv6 address */}};
    struct wrn_portmap_mapping mapping = {0};
    (void)state;
    assert_int_equal(wrn_portmap_pcp_read((wrn_span){good, sizeof good}, nonce, 51820, &mapping),
                     0);
    assert_int_equal(mapping.lifetime_s, 3600);
    assert_int_equal(mapping.external.port, 0x1234);
    assert_int_equal(mapping.external.ip.family, WRN_FAMILY_IPV4);
    assert_int_equal(mapping.external.ip.bytes[3], 9);
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        uint8_t before = good[cases[i].at];
        good[cases[i].at] = cases[i].value;
        CHECK(wrn_portmap_pcp_read((wrn_span){good, sizeof good}, nonce, 51820, &mapping) ==
                  cases[i].result,
              "byte %zu: ", cases[i].at);
        good[cases[i].at] = before;
    }
    good[42] = good[43] = 0; /* port 0 is nobody's */
    assert_int_equal(wrn_portmap_pcp_read((wrn_span){good, sizeof good}, nonce, 51820, &mapping),
                     WRN_ERR_MALFORMED);
    for (size_t size = 0; size < sizeof good; size++) {
        assert_int_equal(wrn_portmap_pcp_read((wrn_span){good, size}, nonce, 51820, &mapping),
                         WRN_ERR_MALFORMED);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_as_the_rfc_has_them),
        cmocka_unit_test(answers_are_believed_if_they_are_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
