/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: packets without a way are answered with a correct ICMP error, and never where the RFCs
 * forbid it. Method: packets of each kind, the answer checked field by field and its checksums by
 * summing up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "wg/unreachable.h"

static uint8_t answer[WRN_UNREACHABLE_SIZE];

static uint16_t ones_sum(const uint8_t *bytes, size_t size, uint32_t total) {
    for (size_t i = 0; i < size; i++) {
        total += (uint32_t)bytes[i] << (i % 2 == 0 ? 8 : 0);
    }
    while (total > 0xffff) {
        total = (total & 0xffff) + (total >> 16);
    }
    return (uint16_t)total;
}

static void make4(uint8_t *p, size_t size, uint8_t protocol) {
    memset(p, 0xab, size);
    memcpy(p, (uint8_t[]){0x45, 0, (uint8_t)(size >> 8), (uint8_t)size, 0, 1, 0, 0, 64, protocol},
           10);
    memcpy(p + 12, (uint8_t[]){10, 0, 0, 1, 10, 0, 0, 9}, 8);
}

static void make6(uint8_t *p, size_t size, uint8_t next) {
    memset(p, 0xab, size);
    memset(p, 0, 40);
    p[0] = 0x60;
    wrn_store_be16(p + 4, (uint16_t)(size - 40));
    p[6] = next;
    p[8] = p[24] = 0xfd;
    p[23] = 1;
    p[39] = 9;
}

static void ipv4_gets_host_unreachable_with_right_sums(void **state) {
    (void)state;
    static const size_t sizes[] = {20, 21, 28, 61, 548, 549, 1500};
    uint8_t p[1500];
    for (size_t i = 0; i < WRN_COUNT(sizes); i++) {
        make4(p, sizes[i], 17);
        size_t size = wrn_unreachable(p, sizes[i], answer);
        size_t quoted = sizes[i] < 548 ? sizes[i] : 548;
        assert_int_equal(size, 28 + quoted);
        assert_int_equal(wrn_load_be16(answer + 2), size);
        assert_int_equal(ones_sum(answer, 20, 0), 0xffff);
        assert_int_equal(ones_sum(answer + 20, size - 20, 0), 0xffff);
        assert_memory_equal(answer + 12, ((uint8_t[]){10, 0, 0, 9, 10, 0, 0, 1}), 8);
        assert_int_equal(answer[20], 3);
        assert_int_equal(answer[21], 1);
        assert_memory_equal(answer + 28, p, quoted);
    }
}

static void ipv6_gets_address_unreachable_with_right_sums(void **state) {
    (void)state;
    static const size_t sizes[] = {40, 41, 100, 1232, 1233, 1500};
    uint8_t p[1500];
    for (size_t i = 0; i < WRN_COUNT(sizes); i++) {
        make6(p, sizes[i], 17);
        size_t size = wrn_unreachable(p, sizes[i], answer);
        size_t quoted = sizes[i] < 1232 ? sizes[i] : 1232;
        assert_int_equal(size, 48 + quoted);
        assert_int_equal(wrn_load_be16(answer + 4), size - 40);
        uint16_t pseudo = ones_sum(answer + 8, 32, (uint32_t)(size - 40) + 58);
        assert_int_equal(ones_sum(answer + 40, size - 40, pseudo), 0xffff);
        assert_int_equal(answer[40], 1);
        assert_int_equal(answer[41], 3);
        assert_memory_equal(answer + 48, p, quoted);
    }
}

static void icmp_requests_are_answered_and_errors_are_not(void **state) {
    (void)state;
    static const struct {
        uint8_t v4_type;
        bool answered;
    } v4[] = {{8, true},  {0, true},  {13, true},  {3, false},
              {4, false}, {5, false}, {11, false}, {12, false}};
    uint8_t p[64];
    for (size_t i = 0; i < WRN_COUNT(v4); i++) {
        make4(p, sizeof p, 1);
        p[20] = v4[i].v4_type;
        assert_int_equal(wrn_unreachable(p, sizeof p, answer) > 0, v4[i].answered);
    }
    static const struct {
        uint8_t type;
        bool answered;
    } v6[] = {{128, true}, {129, true}, {1, false}, {4, false}, {127, false}, {137, false}};
    for (size_t i = 0; i < WRN_COUNT(v6); i++) {
        make6(p, sizeof p, 58);
        p[40] = v6[i].type;
        assert_int_equal(wrn_unreachable(p, sizeof p, answer) > 0, v6[i].answered);
        make6(p, sizeof p, 0); /* the same behind a hop-by-hop header */
        p[40] = 58;
        p[41] = 0;
        p[48] = v6[i].type;
        assert_int_equal(wrn_unreachable(p, sizeof p, answer) > 0, v6[i].answered);
    }
}

static void what_the_rfcs_forbid_is_not_answered(void **state) {
    (void)state;
    uint8_t p[64];
    make4(p, sizeof p, 17);
    p[7] = 1; /* a later fragment */
    assert_int_equal(wrn_unreachable(p, sizeof p, answer), 0);
    make4(p, sizeof p, 17);
    p[6] = 0x20; /* the first one */
    assert_true(wrn_unreachable(p, sizeof p, answer) > 0);
    static const uint8_t bad4[][4] = {{224, 0, 0, 251}, {255, 255, 255, 255}, {0, 0, 0, 0}};
    for (size_t i = 0; i < WRN_COUNT(bad4); i++) {
        make4(p, sizeof p, 17);
        memcpy(p + 16, bad4[i], 4);
        assert_int_equal(wrn_unreachable(p, sizeof p, answer), 0);
        make4(p, sizeof p, 17);
        memcpy(p + 12, bad4[i], 4);
        assert_int_equal(wrn_unreachable(p, sizeof p, answer), 0);
    }
    make6(p, sizeof p, 17);
    p[24] = 0xff;
    assert_int_equal(wrn_unreachable(p, sizeof p, answer), 0);
    make6(p, sizeof p, 17);
    memset(p + 8, 0, 16);
    assert_int_equal(wrn_unreachable(p, sizeof p, answer), 0);
    make6(p, sizeof p, 44); /* fragment header, offset 8 */
    memcpy(p + 40, (uint8_t[]){17, 0, 0, 8, 0, 0, 0, 1}, 8);
    assert_int_equal(wrn_unreachable(p, sizeof p, answer), 0);
    p[43] = 1; /* offset 0, more to come */
    assert_true(wrn_unreachable(p, sizeof p, answer) > 0);
}

static void malformed_packets_are_not_answered(void **state) {
    (void)state;
    uint8_t p[64];
    for (size_t size = 0; size < 20; size++) {
        make4(p, sizeof p, 17);
        assert_int_equal(wrn_unreachable(p, size, answer), 0);
    }
    for (size_t size = 0; size < 40; size++) {
        make6(p, sizeof p, 17);
        assert_int_equal(wrn_unreachable(p, size, answer), 0);
    }
    make4(p, sizeof p, 17);
    p[0] = 0x44; /* header of 16 bytes */
    assert_int_equal(wrn_unreachable(p, sizeof p, answer), 0);
    p[0] = 0x4f; /* header of 60 bytes, packet of 30 */
    assert_int_equal(wrn_unreachable(p, 30, answer), 0);
    make6(p, sizeof p, 0); /* extension header that goes beyond the end, again and again */
    p[40] = 0;
    p[41] = 255;
    assert_int_equal(wrn_unreachable(p, sizeof p, answer), 0);
    make6(p, sizeof p, 0);
    memset(p + 40, 0, 24); /* a chain that ends with the packet */
    assert_int_equal(wrn_unreachable(p, sizeof p, answer), 0);
}

/* What differs from the other answers; the rest is made alike. */
static void other_errors_say_what_is_wrong(void **state) {
    uint8_t p[1500];
    uint8_t host[WRN_UNREACHABLE_SIZE];
    (void)state;
    make4(p, sizeof p, 17);
    size_t size = wrn_unreachable(p, sizeof p, host);
    assert_int_equal(wrn_prohibited(p, sizeof p, answer), size);
    assert_int_equal(answer[20], 3);
    assert_int_equal(answer[21], 13);
    assert_int_equal(wrn_load_be32(answer + 24), 0);
    assert_int_equal(ones_sum(answer + 20, size - 20, 0), 0xffff);
    assert_int_equal(wrn_too_big(p, sizeof p, 1344, answer), size);
    assert_int_equal(answer[20], 3);
    assert_int_equal(answer[21], 4);
    assert_int_equal(wrn_load_be32(answer + 24), 1344);
    assert_int_equal(ones_sum(answer + 20, size - 20, 0), 0xffff);
    assert_memory_equal(answer, host, 20);
    assert_memory_equal(answer + 28, host + 28, size - 28);

    make6(p, sizeof p, 17);
    size = wrn_unreachable(p, sizeof p, host);
    assert_int_equal(wrn_prohibited(p, sizeof p, answer), size);
    assert_int_equal(answer[40], 1);
    assert_int_equal(answer[41], 1);
    uint16_t pseudo = ones_sum(answer + 8, 32, (uint32_t)(size - 40) + 58);
    assert_int_equal(ones_sum(answer + 40, size - 40, pseudo), 0xffff);
    assert_int_equal(wrn_too_big(p, sizeof p, 1344, answer), size);
    assert_int_equal(answer[40], 2);
    assert_int_equal(answer[41], 0);
    assert_int_equal(wrn_load_be32(answer + 44), 1344);
    assert_int_equal(ones_sum(answer + 40, size - 40, pseudo), 0xffff);
    assert_memory_equal(answer + 48, host + 48, size - 48);

    p[24] = 0xff; /* to a group */
    assert_int_equal(wrn_prohibited(p, sizeof p, answer), 0);
    assert_int_equal(wrn_too_big(p, sizeof p, 1344, answer), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ipv4_gets_host_unreachable_with_right_sums),
        cmocka_unit_test(ipv6_gets_address_unreachable_with_right_sums),
        cmocka_unit_test(icmp_requests_are_answered_and_errors_are_not),
        cmocka_unit_test(what_the_rfcs_forbid_is_not_answered),
        cmocka_unit_test(malformed_packets_are_not_answered),
        cmocka_unit_test(other_errors_say_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
