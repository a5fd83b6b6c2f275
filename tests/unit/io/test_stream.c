/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: datagrams come out of a stream as they went in, however it is cut up; what is none is
 * noticed at its first wrong length; queues drop the oldest and nothing else. Method: cuts at
 * every byte, random cuts and sizes against a list, lengths at their bounds. */
#include "io/stream.h"

#include "base/bytes.h"
#include "base/rand.h"
#include "unit/base/check.h"

enum { DATAGRAMS = 200, STREAM_MAX = DATAGRAMS * WRN_STREAM_FRAME_MAX };

static uint8_t stream[STREAM_MAX];
static size_t sizes[DATAGRAMS];

/* Writes datagrams of these sizes; the bytes of the i-th are i. Returns the stream's size. */
static size_t make(size_t count) {
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        wrn_store_be16(stream + used, (uint16_t)sizes[i]);
        memset(stream + used + WRN_STREAM_HEAD, (int)i & 0xff, sizes[i]);
        used += WRN_STREAM_HEAD + sizes[i];
    }
    return used;
}

/* Reads a part, checks what comes out, and returns the number of the next datagram. */
static size_t take(struct wrn_stream_reader *reader, wrn_span part, size_t next) {
    uint8_t *datagram = NULL;
    int size;
    while ((size = wrn_stream_read(reader, &part, &datagram)) > 0) {
        assert_int_equal(size, sizes[next]);
        for (int i = 0; i < size; i++) {
            assert_int_equal(datagram[i], next & 0xff);
        }
        memset(datagram, 0xee, (size_t)size); /* it may be changed */
        next++;
    }
    assert_int_equal(size, 0);
    assert_int_equal(part.size, 0);
    return next;
}

static void cut_at_every_byte(void **state) {
    static const size_t some[] = {1, 5, WRN_STREAM_DATAGRAM_MAX, 1, 300};
    (void)state;
    memcpy(sizes, some, sizeof some);
    size_t size = make(WRN_COUNT(some));
    for (size_t cut = 0; cut <= size; cut++) {
        assert_int_equal(make(WRN_COUNT(some)), size);
        struct wrn_stream_reader reader = {0};
        size_t next = take(&reader, (wrn_span){stream, cut}, 0);
        next = take(&reader, (wrn_span){stream + cut, size - cut}, next);
        assert_int_equal(next, WRN_COUNT(some));
        assert_int_equal(reader.used, 0);
    }
    struct wrn_stream_reader reader = {0};
    size_t next = 0;
    (void)make(WRN_COUNT(some));
    for (size_t i = 0; i < size; i++) {
        next = take(&reader, (wrn_span){stream + i, 1}, next);
    }
    assert_int_equal(next, WRN_COUNT(some));
}

static void cut_anywhere(void **state) {
    struct wrn_prng prng;
    (void)state;
    wrn_prng_init(&prng, check_seed(), 0);
    for (int turn = 0; turn < 50; turn++) {
        struct wrn_stream_reader reader = {0};
        for (size_t i = 0; i < DATAGRAMS; i++) {
            sizes[i] = 1 + wrn_rand_below(wrn_prng_rand(&prng),
                                          turn % 2 == 0 ? 40 : WRN_STREAM_DATAGRAM_MAX);
        }
        size_t size = make(DATAGRAMS), at = 0, next = 0;
        while (at < size) {
            size_t part = wrn_rand_below(wrn_prng_rand(&prng), turn % 3 == 0 ? 10 : 9000);
            part = part < size - at ? part : size - at;
            next = take(&reader, (wrn_span){stream + at, part}, next);
            at += part;
        }
        assert_int_equal(next, DATAGRAMS);
    }
}

static void lengths_have_bounds(void **state) {
    static const struct {
        uint16_t length;
        bool is_good;
    } cases[] = {{0, false},
                 {1, true},
                 {WRN_STREAM_DATAGRAM_MAX, true},
                 {WRN_STREAM_DATAGRAM_MAX + 1, false},
                 {0x1603, false} /* TLS where TCP was meant */,
                 {0x4745, false} /* GE, of GET */,
                 {0xffff, false}};
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        for (size_t cut = 0; cut <= 2; cut++) {
            struct wrn_stream_reader reader = {0};
            uint8_t *datagram = NULL;
            wrn_store_be16(stream, cases[i].length);
            wrn_span first = {stream, cut}, rest = {stream + cut, WRN_STREAM_FRAME_MAX - cut};
            int got = wrn_stream_read(&reader, &first, &datagram);
            got = got == 0 ? wrn_stream_read(&reader, &rest, &datagram) : got;
            CHECK(got == (cases[i].is_good ? cases[i].length : WRN_ERR_MALFORMED),
                  "%x, %zu: ", cases[i].length, cut);
            if (!cases[i].is_good) { /* and never again anything else */
                rest = (wrn_span){stream, 2};
                wrn_store_be16(stream, 1);
                assert_int_equal(wrn_stream_read(&reader, &rest, &datagram), WRN_ERR_MALFORMED);
            }
        }
    }
}

/* Against a list, in which the oldest give way until the newest has room. */
static void queues_drop_the_oldest(void **state) {
    enum { SIZE = 5000, TURNS = 3000 };
    static uint8_t bytes[SIZE];
    static uint8_t out[SIZE];
    struct wrn_stream_queue queue = {.bytes = bytes, .size = SIZE};
    struct wrn_prng prng;
    size_t first = 0, next = 0, used = 0;
    static size_t list[TURNS];
    (void)state;
    wrn_prng_init(&prng, check_seed(), 0);
    for (size_t turn = 0; turn < TURNS; turn++) {
        static uint8_t datagram[WRN_STREAM_DATAGRAM_MAX];
        list[next] = 1 + wrn_rand_below(wrn_prng_rand(&prng), WRN_STREAM_DATAGRAM_MAX);
        memset(datagram, (int)next & 0xff, sizeof datagram);
        uint32_t dropped = 0;
        for (; SIZE - used < list[next] + WRN_STREAM_HEAD; dropped++) {
            used -= list[first++] + WRN_STREAM_HEAD;
        }
        assert_int_equal(wrn_stream_put(&queue, (wrn_span){datagram, list[next]}), dropped);
        used += list[next++] + WRN_STREAM_HEAD;
        assert_int_equal(queue.used, used);
        assert_int_equal(queue.count, next - first);
        size_t capacity = wrn_rand_below(wrn_prng_rand(&prng), 2) == 0
                              ? 0
                              : wrn_rand_below(wrn_prng_rand(&prng), SIZE);
        size_t taken = wrn_stream_take(&queue, out, capacity);
        struct wrn_stream_reader reader = {0};
        wrn_span span = {out, taken};
        uint8_t *got = NULL;
        int size;
        while ((size = wrn_stream_read(&reader, &span, &got)) > 0) {
            assert_int_equal(size, list[first]);
            assert_int_equal(got[0], first & 0xff);
            assert_int_equal(got[size - 1], first & 0xff);
            used -= list[first++] + WRN_STREAM_HEAD;
        }
        assert_int_equal(size, 0);
        assert_true(taken <= capacity);
        assert_true(next == first || list[first] + WRN_STREAM_HEAD > capacity - taken);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_at_every_byte),
        cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(lengths_have_bounds),
        cmocka_unit_test(queues_drop_the_oldest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
