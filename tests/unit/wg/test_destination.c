/* SPDX-License-Identifier: Apache-2.0 */
/* Which addresses a host behind a route can have: at the ends of each range. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <stdio.h>

#include "wg/destination.h"

static bool is_for_one(const char *address) {
    uint8_t packet[40] = {0};
    if (inet_pton(AF_INET, address, packet + 16) == 1) {
        packet[0] = 0x45;
        return wrn_is_for_one_host((wrn_span){packet, 20});
    }
    memset(packet, 0, sizeof packet);
    assert_int_equal(inet_pton(AF_INET6, address, packet + 24), 1);
    packet[0] = 0x60;
    return wrn_is_for_one_host((wrn_span){packet, 40});
}

static void ranges_end_where_they_should(void **state) {
    static const char *const hosts[] = {
        "1.0.0.0",     "10.255.255.255", "126.255.255.255", "128.0.0.0", "169.253.255.255",
        "169.255.0.0", "192.0.2.1",      "223.255.255.255", "2001:20::", "fdff:ffff::1",
        "fe7f::1",     "fec0::1",        "100::1",          "0:0:0:1::", "64:ff9b::a01:1",
    };
    static const char *const others[] = {
        "0.0.0.0",
        "0.255.255.255",
        "127.0.0.0",
        "127.255.255.255",
        "169.254.0.0",
        "169.254.255.255",
        "224.0.0.0",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:10.1.0.1",
        "fe80::",
        "febf:ffff::ffff",
        "ff00::",
        "ff02::fb",
        "ffff:ffff::",
        "::a01:1",
        "::ffff:ffff:ffff",
    };
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(hosts); i++) {
        if (!is_for_one(hosts[i])) {
            fail_msg("%s is a host's", hosts[i]);
        }
    }
    for (size_t i = 0; i < WRN_COUNT(others); i++) {
        if (is_for_one(others[i])) {
            fail_msg("%s is no host's", others[i]);
        }
    }
}

static void what_is_no_packet_is_for_nobody(void **state) {
    uint8_t packet[40] = {0x45, [16] = 10, [24] = 0xfd};
    (void)state;
    assert_true(wrn_is_for_one_host((wrn_span){packet, 20}));
    assert_false(wrn_is_for_one_host((wrn_span){packet, 19}));
    assert_false(wrn_is_for_one_host((wrn_span){NULL, 0}));
    packet[0] = 0x60;
    assert_true(wrn_is_for_one_host((wrn_span){packet, 40}));
    assert_false(wrn_is_for_one_host((wrn_span){packet, 39}));
    packet[0] = 0x50;
    assert_false(wrn_is_for_one_host((wrn_span){packet, 40}));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_end_where_they_should),
        cmocka_unit_test(what_is_no_packet_is_for_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
