/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: packets of every size have their room to themselves, are used again, and with
 * AddressSanitizer what lies behind a datagram cannot be read. Method: fill and compare. */
#include "sim/packet.h"

#include "sim/asan.h"
#include "unit/base/check.h"

static const size_t sizes[] = {0, 1, 7, 8, 9, 255, 256, 257, 1536, 1537, 65507, 65535};

static void packets_do_not_overlap(void **state) {
    (void)state;
    struct sim_packets packets = {0};
    struct sim_packet *taken[8][WRN_COUNT(sizes)];
    for (size_t round = 0; round < 8; round++) {
        for (size_t i = 0; i < WRN_COUNT(sizes); i++) {
            taken[round][i] = sim_packet_take(&packets, sizes[i]);
            assert_int_equal(taken[round][i]->size, sizes[i]);
            memset(taken[round][i]->bytes, (int)(round * 16 + i), sizes[i]);
        }
    }
    assert_int_equal(packets.live, 8 * WRN_COUNT(sizes));
    for (size_t round = 0; round < 8; round++) {
        for (size_t i = 0; i < WRN_COUNT(sizes); i++) {
            CHECK(check_filled(taken[round][i]->bytes, sizes[i], (uint8_t)(round * 16 + i)),
                  "round %zu, size %zu: ", round, sizes[i]);
            assert_int_equal((uintptr_t)taken[round][i] % _Alignof(struct sim_packet), 0);
        }
    }
    sim_packets_finish(&packets); /* the packets too, though nobody gave them back */
}

static void what_was_given_back_is_used_again(void **state) {
    (void)state;
    struct sim_packets packets = {0};
    for (size_t i = 0; i < 10000; i++) {
        struct sim_packet *small = sim_packet_take(&packets, 100);
        struct sim_packet *large = sim_packet_take(&packets, 60000);
        sim_packet_give(&packets, small);
        sim_packet_give(&packets, large);
    }
    assert_int_equal(packets.live, 0);
    assert_int_equal(packets.block_count, 2);
    sim_packets_finish(&packets);
}

#ifdef HAS_ASAN
static void what_lies_behind_a_datagram_is_forbidden(void **state) {
    (void)state;
    struct sim_packets packets = {0};
    for (size_t round = 0; round < 2; round++) { /* fresh ones and used ones */
        struct sim_packet *taken[WRN_COUNT(sizes)];
        for (size_t i = 0; i < WRN_COUNT(sizes); i++) {
            taken[i] = sim_packet_take(&packets, sizes[i]);
            CHECK(__asan_region_is_poisoned(taken[i]->bytes, sizes[i]) == NULL, "%zu: ", sizes[i]);
            bool has_more = sizes[i] != 256 && sizes[i] != 1536 && sizes[i] != 65535;
            CHECK(!has_more || __asan_address_is_poisoned(taken[i]->bytes + sizes[i]),
                  "%zu: ", sizes[i]);
        }
        for (size_t i = 0; i < WRN_COUNT(sizes); i++) {
            sim_packet_give(&packets, taken[i]);
            CHECK(__asan_address_is_poisoned(taken[i]->bytes), "%zu: ", sizes[i]);
        }
    }
    sim_packets_finish(&packets);
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_do_not_overlap),
        cmocka_unit_test(what_was_given_back_is_used_again),
#ifdef HAS_ASAN
        cmocka_unit_test(what_lies_behind_a_datagram_is_forbidden),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
