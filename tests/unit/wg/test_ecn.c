/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the congestion marks: the whole table of RFC 6040, Figure 4, on both families. */
#include "wg/ecn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/rand.h"

enum { PACKET_SIZE = 64, NOT = WRN_ECN_NOT_ECT, E0 = WRN_ECN_ECT0, E1 = WRN_ECN_ECT1, DROP = 9 };

/* Rows and columns in the order of the RFC's figure: Not-ECT, ECT(0), ECT(1), CE. */
static const uint8_t order[4] = {NOT, E0, E1, WRN_ECN_CE};
static const uint8_t figure4[4][4] = {
    {NOT, NOT, NOT, DROP},
    {E0, E0, E1, WRN_ECN_CE},
    {E1, E1, E1, WRN_ECN_CE},
    {WRN_ECN_CE, WRN_ECN_CE, WRN_ECN_CE, WRN_ECN_CE},
};

static uint16_t checksum_of_header(const uint8_t *packet) {
    size_t size = (size_t)(packet[0] & 15) * 4;
    uint64_t sum = 0;
    for (size_t i = 0; i < size; i += 2) {
        sum += i == 10 ? 0 : wrn_load_be16(packet + i);
    }
    while (sum >> 16 != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)~sum;
}

static void make_ipv4(struct wrn_prng *prng, uint8_t packet[PACKET_SIZE], uint8_t ecn) {
    wrn_rand_fill(wrn_prng_rand(prng), packet, PACKET_SIZE);
    packet[0] = (uint8_t)(0x45 + wrn_prng_next(prng) % 3);
    packet[1] = (uint8_t)((packet[1] & ~3) | ecn);
    wrn_store_be16(packet + 10, checksum_of_header(packet));
}

static void make_ipv6(struct wrn_prng *prng, uint8_t packet[PACKET_SIZE], uint8_t ecn) {
    wrn_rand_fill(wrn_prng_rand(prng), packet, PACKET_SIZE);
    packet[0] = (uint8_t)(0x60 | (packet[0] & 15));
    packet[1] = (uint8_t)((packet[1] & ~0x30) | ecn << 4);
}

/* Goal: all 16 combinations give the RFC's result, the checksum stays right, nothing else changes.
 * Method: random packets with and without options; checksum computed anew; all bytes compared. */
static void merge_follows_figure_4(void **state) {
    (void)state;
    struct wrn_prng prng;
    wrn_prng_init(&prng, 6040, 0);
    for (uint32_t round = 0; round < 16 * 2 * 4000; round++) {
        uint32_t inner = round % 4;
        uint32_t outer = round / 4 % 4;
        bool v4 = round / 16 % 2 == 0;
        uint8_t packet[PACKET_SIZE];
        uint8_t before[PACKET_SIZE];
        (v4 ? make_ipv4 : make_ipv6)(&prng, packet, order[inner]);
        memcpy(before, packet, PACKET_SIZE);
        uint8_t dscp = (uint8_t)(wrn_prng_next(&prng) & 0xfc);
        bool kept = wrn_ecn_merge(packet, PACKET_SIZE, dscp | order[outer]);
        uint8_t expected = figure4[inner][outer];
        if (kept != (expected != DROP)) {
            fail_msg("IPv%d inner %u outer %u: kept %d", v4 ? 4 : 6, inner, outer, kept);
        }
        assert_int_equal(wrn_ecn_of_packet(packet, PACKET_SIZE), kept ? expected : NOT);
        if (v4) {
            assert_int_equal(wrn_load_be16(packet + 10), checksum_of_header(packet));
            memcpy(before + 10, packet + 10, 2);
        }
        before[1] = (uint8_t)((before[1] & (v4 ? ~3 : ~0x30)) | (packet[1] & (v4 ? 3 : 0x30)));
        assert_memory_equal(packet, before, PACKET_SIZE);
    }
}

/* Goal: the checksum's corner values survive. Method: every identification field with a header
 * whose sum is thereby every 16-bit value, marked CE. */
static void every_checksum_is_updated_right(void **state) {
    (void)state;
    struct wrn_prng prng;
    wrn_prng_init(&prng, 1624, 0);
    uint8_t packet[PACKET_SIZE];
    make_ipv4(&prng, packet, E0);
    for (uint32_t id = 0; id <= UINT16_MAX; id++) {
        wrn_store_be16(packet + 4, (uint16_t)id);
        packet[1] = (uint8_t)((packet[1] & ~3) | E0);
        wrn_store_be16(packet + 10, checksum_of_header(packet));
        assert_true(wrn_ecn_merge(packet, PACKET_SIZE, WRN_ECN_CE));
        assert_int_equal(packet[1] & 3, WRN_ECN_CE);
        assert_int_equal(wrn_load_be16(packet + 10), checksum_of_header(packet));
    }
}

/* Goal: a header whose checksum was wrong is not repaired, its error stays visible to the host.
 * Method: damage the checksum by every power of two and compare the difference afterwards. */
static void wrong_checksum_stays_wrong(void **state) {
    (void)state;
    struct wrn_prng prng;
    wrn_prng_init(&prng, 1071, 0);
    for (uint32_t bit = 0; bit < 16; bit++) {
        uint8_t packet[PACKET_SIZE];
        make_ipv4(&prng, packet, E0);
        wrn_store_be16(packet + 10, (uint16_t)(wrn_load_be16(packet + 10) ^ 1u << bit));
        assert_true(wrn_ecn_merge(packet, PACKET_SIZE, WRN_ECN_CE));
        assert_int_not_equal(wrn_load_be16(packet + 10), checksum_of_header(packet));
    }
}

/* Goal: bytes that are no complete IP header are neither read beyond their end nor changed.
 * Method: every first nibble with every size up to a whole header, in a buffer of that size. */
static void other_bytes_are_left_alone(void **state) {
    (void)state;
    for (uint32_t nibble = 0; nibble < 16; nibble++) {
        size_t enough = nibble == 4 ? 20 : nibble == 6 ? 40 : PACKET_SIZE + 1;
        for (size_t size = 0; size <= PACKET_SIZE && size < enough; size++) {
            uint8_t *packet = test_malloc(size + 1);
            memset(packet, 0xff, size + 1);
            packet[0] = (uint8_t)(nibble << 4 | 0xf);
            assert_int_equal(wrn_ecn_of_packet(packet, size), NOT);
            assert_true(wrn_ecn_merge(packet, size, WRN_ECN_CE));
            assert_int_equal(packet[0], nibble << 4 | 0xf);
            for (size_t i = 1; i <= size; i++) {
                assert_int_equal(packet[i], 0xff);
            }
            test_free(packet);
        }
    }
    assert_int_equal(wrn_ecn_of_packet(NULL, 0), NOT);
    assert_true(wrn_ecn_merge(NULL, 0, WRN_ECN_CE));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merge_follows_figure_4),
        cmocka_unit_test(every_checksum_is_updated_right),
        cmocka_unit_test(wrong_checksum_stays_wrong),
        cmocka_unit_test(other_bytes_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
