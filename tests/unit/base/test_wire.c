/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what is written is read back, and nothing is read or written beyond an end. Method: one
 * message of all fields, with every capacity and every length that is too short. */
#include "base/wire.h"
#include "unit/base/check.h"

enum { SIZE = 1 + 2 + 4 + 8 + 3 + 2 };

static wrn_span write_all(uint8_t *out, size_t capacity) {
    struct wrn_writer w = wrn_writer(out, capacity);
    wrn_write_u8(&w, 0x01);
    wrn_write_u16(&w, 0x0203);
    wrn_write_u32(&w, 0x04050607);
    wrn_write_u64(&w, 0x08090a0b0c0d0e0f);
    wrn_write_bytes(&w, "\x10\x11\x12", 3);
    wrn_write_span(&w, (wrn_span){(const uint8_t *)"\x13\x14", 2});
    return wrn_written(&w);
}

static void read_back(void **state) {
    (void)state;
    uint8_t bytes[SIZE];
    wrn_span message = write_all(bytes, sizeof(bytes));
    assert_int_equal(message.size, SIZE);
    for (size_t i = 0; i < SIZE; i++) {
        assert_int_equal(bytes[i], i + 1);
    }
    struct wrn_reader r = wrn_reader(message);
    assert_int_equal(wrn_read_u8(&r), 0x01);
    assert_int_equal(wrn_read_u16(&r), 0x0203);
    assert_int_equal(wrn_read_u32(&r), 0x04050607);
    assert_int_equal(wrn_read_u64(&r), 0x08090a0b0c0d0e0f);
    uint8_t three[3];
    wrn_read_bytes(&r, three, sizeof(three));
    assert_memory_equal(three, "\x10\x11\x12", 3);
    assert_false(wrn_reader_is_done(&r));
    assert_int_equal(wrn_read_rest(&r).size, 2);
    assert_true(wrn_reader_is_done(&r));
    assert_int_equal(wrn_read_rest(&r).size, 0);
    assert_true(wrn_reader_is_done(&r));
}

static void too_short(void **state) {
    (void)state;
    uint8_t bytes[SIZE];
    (void)write_all(bytes, sizeof(bytes));
    for (size_t size = 0; size < SIZE; size++) {
        uint8_t room[SIZE];
        memset(room, 0xee, sizeof(room));
        assert_int_equal(write_all(room, size).size, 0);
        for (size_t i = size; i < SIZE; i++) {
            assert_int_equal(room[i], 0xee);
        }
        struct wrn_reader r = wrn_reader((wrn_span){bytes, size});
        uint8_t three[3] = {1, 1, 1};
        (void)wrn_read_u8(&r);
        (void)wrn_read_u16(&r);
        (void)wrn_read_u32(&r);
        (void)wrn_read_u64(&r);
        wrn_read_bytes(&r, three, sizeof(three));
        assert_int_equal(wrn_read_span(&r, 2).size, 0);
        assert_true(size >= SIZE - 2 || (three[0] == 0 && three[1] == 0 && three[2] == 0));
        assert_int_equal(wrn_read_u8(&r), 0);
        assert_false(wrn_reader_is_done(&r));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_back),
        cmocka_unit_test(too_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
