/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: fragments are what RFC 791 says and make the packet again, also those of a fragment; and
 * segment sizes are clamped in bare packets (behind Ethernet headers: test_frames.c). Method:
 * random packets, put together again byte by byte; slow sums. */
#include "base/bytes.h"
#include "base/rand.h"
#include "packet/narrow.h"
#include "unit/base/check.h"

enum { ROUNDS = 3000, SIZE_MAX_HERE = 4000, MORE = 0x2000, DONT = 0x4000, OFFSET = 0x1fff };

static struct wrn_prng prng;

static uint32_t below(uint32_t bound) {
    return wrn_rand_below(wrn_prng_rand(&prng), bound);
}

static int start(void **state) {
    (void)state;
    wrn_prng_init(&prng, check_seed(), 0);
    return 0;
}

/* The sum of a header, its own checksum included: 0xffff if that is right. */
static uint32_t sum_of(const uint8_t *header, size_t size) {
    uint32_t sum = 0;
    for (size_t i = 0; i < size; i += 2) {
        sum += wrn_load_be16(header + i);
    }
    while (sum >> 16 != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum;
}

static size_t make(uint8_t *packet, size_t head_size, size_t payload, uint16_t fragment) {
    wrn_rand_fill(wrn_prng_rand(&prng), packet, head_size + payload);
    memset(packet + 20, 1, head_size - 20); /* options that say nothing */
    packet[0] = (uint8_t)(0x40 | head_size / 4);
    wrn_store_be16(packet + 2, (uint16_t)(head_size + payload));
    wrn_store_be16(packet + 6, fragment);
    return head_size + payload;
}

static void fragments_make_the_packet_again(void **state) {
    (void)state;
    static uint8_t packet[SIZE_MAX_HERE + 60], again[SIZE_MAX_HERE + 8], piece[SIZE_MAX_HERE];
    for (int round = 0; round < ROUNDS; round++) {
        size_t head_size = 20 + 4 * below(11);
        size_t payload = 1 + below(SIZE_MAX_HERE - 100);
        size_t max = 576 + below(1000);
        uint16_t offset = (uint16_t)below(1000), more = below(2) ? MORE : 0;
        size_t size = make(packet, head_size, payload, (uint16_t)(offset | more));
        struct wrn_narrow_plan plan;
        size_t end = 0;
        assert_true(wrn_narrow_plan(packet, size, max, &plan));
        for (uint32_t i = 0; i < plan.count; i++) {
            size_t piece_size = wrn_narrow_write(&plan, i, piece);
            size_t head = (size_t)(piece[0] & 15) * 4;
            uint16_t fragment = wrn_load_be16(piece + 6);
            assert_true(piece_size <= max && wrn_load_be16(piece + 2) == piece_size);
            assert_int_equal(sum_of(piece, head), 0xffff);
            assert_int_equal(head, i == 0 ? head_size : 20);
            assert_memory_equal(piece + 4, packet + 4, 2);
            assert_memory_equal(piece + 8, packet + 8, 2);
            assert_memory_equal(piece + 12, packet + 12, 8);
            assert_int_equal(fragment & MORE, i + 1 < plan.count ? MORE : more);
            assert_int_equal(((size_t)(fragment & OFFSET) - offset) * 8, end);
            memcpy(again + end, piece + head, piece_size - head);
            end += piece_size - head;
        }
        assert_int_equal(end, payload);
        assert_memory_equal(again, packet + head_size, payload);
    }
}

static void options_that_are_to_be_copied_are(void **state) {
    (void)state;
    static uint8_t packet[2000], piece[1000];
    /* security (copied), a record of the route (not), nothing, a router alert (copied), the end */
    static const uint8_t options[] = {0x82, 3, 9, 7, 7, 4, 0, 0, 0, 0, 1, 0x94, 4, 0, 0, 0};
    static const uint8_t copied[] = {0x82, 3, 9, 0x94, 4, 0, 0, 0};
    struct wrn_narrow_plan plan;
    size_t size = make(packet, 20 + sizeof(options), 1500, 0);
    memcpy(packet + 20, options, sizeof(options));
    assert_true(wrn_narrow_plan(packet, size, 1000, &plan));
    (void)wrn_narrow_write(&plan, 0, piece);
    assert_memory_equal(piece + 20, options, sizeof(options));
    (void)wrn_narrow_write(&plan, 1, piece);
    assert_int_equal(piece[0], 0x47);
    assert_memory_equal(piece + 20, copied, sizeof(copied));
}

static void what_may_not_or_cannot_be_fragmented_is_not(void **state) {
    (void)state;
    static uint8_t packet[20000];
    struct wrn_narrow_plan plan;
    size_t size = make(packet, 20, 1400, DONT);
    assert_false(wrn_narrow_plan(packet, size, 1000, &plan));
    packet[6] = 0;
    assert_true(wrn_narrow_plan(packet, size, 1000, &plan));
    assert_false(wrn_narrow_plan(packet, size - 1, 1000, &plan));
    packet[0] = 0x44; /* a header of 16 bytes */
    assert_false(wrn_narrow_plan(packet, size, 1000, &plan));
    packet[0] = 0x60;
    assert_false(wrn_narrow_plan(packet, size, 1000, &plan));
    size = make(packet, 20, 8 * 552 + 1, 0); /* one fragment too many */
    assert_false(wrn_narrow_plan(packet, size, 576, &plan));
    assert_true(wrn_narrow_plan(packet, make(packet, 20, 8 * 552, 0), 576, &plan));
    assert_int_equal(plan.count, WRN_NARROW_FRAGMENTS_MAX);
    size = make(packet, 20, 1400, 8191); /* beyond the largest packet there is */
    assert_false(wrn_narrow_plan(packet, size, 1000, &plan));
}

static void segments_of_bare_packets_are_clamped(void **state) {
    (void)state;
    for (int family = 4; family <= 6; family += 2) {
        uint8_t packet[64] = {0};
        size_t ip = family == 4 ? 20 : 40, size = ip + 24;
        packet[0] = family == 4 ? 0x45 : 0x60;
        packet[family == 4 ? 9 : 6] = 6;
        packet[ip + 12] = 6 << 4;
        packet[ip + 13] = 2;
        packet[ip + 20] = 2;
        packet[ip + 21] = 4;
        wrn_store_be16(packet + ip + 22, 1460);
        wrn_store_be16(packet + ip + 16, (uint16_t)~sum_of(packet + ip, 24));
        assert_true(wrn_narrow_is_syn(packet, size));
        assert_true(wrn_narrow_mss(packet, size, 1356));
        assert_int_equal(wrn_load_be16(packet + ip + 22), 1356 - ip - 20);
        assert_int_equal(sum_of(packet + ip, 24), 0xffff);
        assert_false(wrn_narrow_mss(packet, size, 1356));
        assert_false(wrn_narrow_mss(packet, size, 1420)); /* it is never made larger */
        packet[ip + 13] = 16;
        assert_false(wrn_narrow_mss(packet, size, 600));
        assert_false(wrn_narrow_is_syn(packet, size));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fragments_make_the_packet_again),
        cmocka_unit_test(options_that_are_to_be_copied_are),
        cmocka_unit_test(what_may_not_or_cannot_be_fragmented_is_not),
        cmocka_unit_test(segments_of_bare_packets_are_clamped),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
