/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: echo requests and replies are what real hosts send: lengths, checksums, addresses. Method:
 * both families; sums are added up here in another way. */
#include "base/bytes.h"
#include "sim/echo.h"
#include "unit/base/check.h"

static const struct wrn_ip from4 = {{10, 1, 2, 3}, WRN_FAMILY_IPV4};
static const struct wrn_ip to4 = {{10, 255, 254, 253}, WRN_FAMILY_IPV4};
static const struct wrn_ip from6 = {{0xfd, 1, [15] = 0xff}, WRN_FAMILY_IPV6};
static const struct wrn_ip to6 = {{0xfd, 0xff, [14] = 0xfe, 0xdc}, WRN_FAMILY_IPV6};

/* The sum of RFC 1071 over everything, its checksum included, is all ones. */
static bool is_summed(uint64_t before, const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        before += (uint64_t)bytes[i] << (i % 2 == 0 ? 8 : 0);
    }
    return before % 0xffff == 0 && before > 0;
}

static void check_packet(const uint8_t *packet, size_t size, uint8_t type) {
    if (packet[0] >> 4 == 4) {
        assert_int_equal(size, 36);
        assert_int_equal(wrn_load_be16(packet + 2), size);
        assert_int_equal(packet[20], type);
        assert_true(is_summed(0, packet, 20));
        assert_true(is_summed(0, packet + 20, size - 20));
    } else {
        assert_int_equal(size, 56);
        assert_int_equal(wrn_load_be16(packet + 4), size - 40);
        assert_int_equal(packet[40], type);
        uint64_t pseudo = 58 + size - 40; /* RFC 8200, section 8.1 */
        assert_true(is_summed(pseudo, packet + 8, size - 8));
    }
}

static void asked_and_answered(const struct wrn_ip *from, const struct wrn_ip *to,
                               uint8_t request_type, uint8_t reply_type) {
    uint8_t packet[SIM_ECHO_SIZE + 8] = {0};
    uint8_t answer[SIM_ECHO_SIZE], again[SIM_ECHO_SIZE];
    uint32_t number = 0;
    size_t size = sim_echo_write(from, to, 0xfffefdfc, packet);
    check_packet(packet, size, request_type);
    assert_false(sim_echo_read_reply((wrn_span){packet, size}, &number));
    size_t answer_size = sim_echo_answer((wrn_span){packet, size + 8}, answer); /* with padding */
    check_packet(answer, answer_size, reply_type);
    size_t at = from->family == WRN_FAMILY_IPV4 ? 12 : 8;
    size_t length = from->family == WRN_FAMILY_IPV4 ? 4 : 16;
    assert_memory_equal(answer + at, to->bytes, length);
    assert_memory_equal(answer + at + length, from->bytes, length);
    assert_int_equal(sim_echo_answer((wrn_span){answer, answer_size}, again), 0);
    assert_true(sim_echo_read_reply((wrn_span){answer, answer_size}, &number));
    assert_int_equal(number, 0xfffefdfc);
    for (size_t cut = 0; cut < answer_size; cut++) {
        assert_false(sim_echo_read_reply((wrn_span){answer, cut}, &number));
        assert_int_equal(sim_echo_answer((wrn_span){packet, cut}, again), 0);
    }
}

static void an_echo_comes_back(void **state) {
    (void)state;
    asked_and_answered(&from4, &to4, 8, 0);
    asked_and_answered(&from6, &to6, 128, 129);
}

static void other_packets_are_let_alone(void **state) {
    (void)state;
    uint8_t packet[SIM_ECHO_SIZE], answer[SIM_ECHO_SIZE];
    size_t size = sim_echo_write(&from4, &to4, 7, packet);
    packet[9] = 17;
    assert_int_equal(sim_echo_answer((wrn_span){packet, size}, answer), 0);
    size = sim_echo_write(&from6, &to6, 7, packet);
    packet[size - 1] ^= 1;
    assert_int_equal(sim_echo_answer((wrn_span){packet, size}, answer), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_echo_comes_back),
        cmocka_unit_test(other_packets_are_let_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
