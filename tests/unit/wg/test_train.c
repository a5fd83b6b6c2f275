/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what was joined is cut where it was joined, and nothing else is cut. Method: trains of all
 * messages and sizes with random content, single messages, and what is neither. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "unit/base/check.h"
#include "wg/messages.h"
#include "wg/train.h"

enum { ROOM = 65535 };

static uint8_t room[ROOM];
static uint64_t seed;

/* Fills the room with noise, in which every byte that begins a data header is frequent. */
static void fill(size_t size) {
    for (size_t i = 0; i < size; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        uint8_t byte = (uint8_t)(seed >> 33);
        room[i] = byte < 64 ? WRN_WG_TYPE_DATA : byte < 128 ? 1 : byte;
    }
}

static void put_header(size_t at, uint32_t receiver, uint64_t counter) {
    wrn_store_le32(room + at, WRN_WG_TYPE_DATA);
    wrn_store_le32(room + at + WRN_WG_RECEIVER_AT, receiver);
    wrn_store_le64(room + at + WRN_WG_COUNTER_AT, counter);
}

static size_t found(size_t size) {
    return wrn_wg_train_size((wrn_span){room, size});
}

static void data_trains(void **state) {
    (void)state;
    for (size_t segment = WRN_WG_KEEPALIVE_SIZE; segment <= 9000; segment += 1 + segment / 50) {
        for (size_t count = 2; count <= 64 && count * segment <= ROOM; count++) {
            size_t last = WRN_WG_KEEPALIVE_SIZE + count * 37 % (segment - 31);
            size_t size = (count - 1) * segment + last;
            fill(size);
            for (size_t i = 0; i < count; i++) { /* a session ends in the middle of it */
                put_header(i * segment, i < 1 + count / 3 ? 77 : 78, UINT32_MAX - 70 + i);
            }
            assert_int_equal(found(size), segment);
        }
    }
}

static void single_messages(void **state) {
    static const uint8_t types[] = {WRN_WG_TYPE_DATA, 0, 5, 255};
    (void)state;
    for (size_t size = 0; size <= ROOM; size += 1 + size / 100) {
        for (size_t i = 0; i < WRN_COUNT(types); i++) {
            fill(size);
            if (size >= 16) {
                put_header(0, 77, 1);
                room[0] = types[i];
            }
            assert_int_equal(found(size), size);
        }
    }
}

/* A header too near to the end is none, nor is one with a counter that nobody reaches. */
static void nearly_trains(void **state) {
    (void)state;
    fill(200);
    put_header(0, 77, 1);
    put_header(200 - 31, 77, 2);
    assert_int_equal(found(200), 200);
    put_header(200 - 32, 77, 2);
    assert_int_equal(found(200), 200 - 32);
    put_header(200 - 32, 77, UINT64_C(1) << 32);
    assert_int_equal(found(200), 200);
    put_header(0, 77, UINT64_C(1) << 32);
    put_header(100, 77, 2);
    assert_int_equal(found(200), 200);
}

static void handshake_trains(void **state) {
    static const struct {
        uint8_t type;
        size_t size;
    } cases[] = {{WRN_WG_TYPE_INITIATION, WRN_WG_INITIATION_SIZE},
                 {WRN_WG_TYPE_RESPONSE, WRN_WG_RESPONSE_SIZE},
                 {WRN_WG_TYPE_COOKIE, WRN_WG_COOKIE_SIZE}};
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        fill(1000);
        room[0] = cases[i].type;
        assert_int_equal(found(cases[i].size), cases[i].size);
        assert_int_equal(found(cases[i].size + WRN_WG_KEEPALIVE_SIZE), cases[i].size);
        assert_int_equal(found(cases[i].size * 3), cases[i].size);
    }
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_trains),
        cmocka_unit_test(single_messages),
        cmocka_unit_test(nearly_trains),
        cmocka_unit_test(handshake_trains),
    };
    seed = check_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
