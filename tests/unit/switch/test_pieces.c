/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a frame that was cut comes out as it was, whatever happens to its pieces on the way, or not
 * at all; what takes part in no frame is refused by name; memory and time are bounded, also when
 * members lose all they can. Method: every size and room; then streams of several members whose
 * pieces are lost, repeated and mixed up from a seed; then the bounds one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/rand.h"
#include "switch/pieces.h"
#include "unit/base/check.h"

enum {
    ROOM = 1500,
    MEMBERS = 5,
    IN_FLIGHT = 300,
    FRAMES = 4000,
    PIECES_PAYLOAD_MAX = WRN_PAYLOAD_PIECE_HEAD + WRN_PAYLOAD_FRAME_MAX,
};

static struct wrn_pieces *pieces;
static void *memory;
static wrn_mono now = {WRN_S(100)};
static struct wrn_prng prng;

static uint32_t below(uint32_t bound) {
    return wrn_rand_below(wrn_prng_rand(&prng), bound);
}

static int start(void **state) {
    (void)state;
    wrn_prng_init(&prng, check_seed(), 0);
    return 0;
}

static int set_up(void **state) {
    (void)state;
    memory = calloc(1, wrn_pieces_memory_size() + 64);
    pieces = wrn_pieces_init((void *)wrn_align_up((uintptr_t)memory, 64));
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    free(memory);
    return 0;
}

static uint64_t counted(enum wrn_pieces_refusal reason) {
    uint64_t counts[WRN_PIECES_REFUSAL_COUNT] = {0};
    wrn_pieces_add_counts(pieces, counts);
    return counts[reason];
}

static wrn_handle member(uint32_t number) {
    return (wrn_handle){.index = number, .generation = 1};
}

/* The bytes of a frame follow from its member and number. */
static void fill(uint8_t *frame, size_t size, uint32_t member_number, uint32_t number) {
    for (size_t i = 0; i < size; i++) {
        frame[i] =
            (uint8_t)(i * 7 + (i >> 8) * 3 + member_number * 31 + number * 13 + (number >> 8));
    }
}

static bool is_filled(const uint8_t *frame, size_t size, uint32_t member_number, uint32_t number) {
    for (size_t i = 0; i < size; i++) {
        if (frame[i] !=
            (uint8_t)(i * 7 + (i >> 8) * 3 + member_number * 31 + number * 13 + (number >> 8))) {
            return false;
        }
    }
    return true;
}

static void every_size_and_room(void **state) {
    static const uint32_t rooms[] = {64, 65, 128, 508, 1036, 1200, 1344, 1356, 1420, 1440, 8968};
    static uint8_t frame[WRN_PAYLOAD_FRAME_MAX], payload[PIECES_PAYLOAD_MAX];
    (void)state;
    for (size_t r = 0; r < WRN_COUNT(rooms); r++) {
        for (size_t size = 14; size <= sizeof frame; size += size < 3100 ? 1 : 97) {
            struct wrn_pieces_plan plan = wrn_pieces_plan(size, rooms[r]);
            struct wrn_pieces_frame whole = {0};
            bool fits = size <= 16 * ((size_t)rooms[r] - WRN_PAYLOAD_PIECE_HEAD);
            assert_int_equal(plan.count > 0, fits);
            assert_int_equal(plan.count == 1, size + WRN_PAYLOAD_FRAME_HEAD <= rooms[r]);
            assert_true(plan.count <= WRN_PAYLOAD_PIECES_MAX);
            fill(frame, size, 1, (uint32_t)size);
            size_t all = 0;
            for (uint32_t i = 0; i < plan.count; i++) {
                size_t bytes = wrn_pieces_payload_size(&plan, size, i);
                assert_true(bytes > WRN_PAYLOAD_FRAME_HEAD && bytes <= rooms[r]);
                wrn_pieces_write(&plan, (wrn_span){frame, size}, (uint16_t)size, i, payload);
                all += wrn_load_be16(payload + 2);
                if (plan.count == 1) {
                    assert_int_equal(payload[0], WRN_PAYLOAD_FRAME);
                    assert_memory_equal(payload + WRN_PAYLOAD_FRAME_HEAD, frame, size);
                    continue;
                }
                assert_int_equal(whole.size, 0);
                memset(payload + bytes, 0xaa, 15); /* padding does not matter */
                assert_int_equal(
                    wrn_pieces_add(pieces, now, member(1), (wrn_span){payload, bytes + 15}, &whole),
                    WRN_PIECES_NONE);
            }
            assert_int_equal(all, plan.count > 0 ? size : 0);
            if (plan.count > 1) {
                assert_int_equal(whole.size, size);
                assert_memory_equal(whole.bytes, frame, size);
            }
            wrn_pieces_release(pieces);
        }
    }
    assert_int_equal(wrn_pieces_plan(13, ROOM).count, 0);
    assert_int_equal(wrn_pieces_plan(WRN_PAYLOAD_FRAME_MAX + 1, 65535).count, 0);
    assert_int_equal(wrn_pieces_plan(60, 63).count, 0);
    assert_int_equal(wrn_pieces_waiting(pieces), 0);
}

static void put_head(uint8_t *payload, uint32_t index, uint32_t count, size_t size, uint16_t id,
                     size_t total) {
    memset(payload, 0, WRN_PAYLOAD_PIECE_HEAD);
    payload[0] = WRN_PAYLOAD_PIECE;
    payload[1] = (uint8_t)(index << 4 | (count - 1));
    wrn_store_be16(payload + 2, (uint16_t)size);
    wrn_store_be16(payload + 4, id);
    wrn_store_be16(payload + 6, (uint16_t)total);
}

static void heads_that_cannot_be(void **state) {
    static const struct {
        uint32_t index, count;
        uint16_t size, total;
        enum wrn_pieces_refusal refusal;
    } cases[] = {
        {0, 2, 50, 100, WRN_PIECES_NONE},
        {1, 2, 50, 100, WRN_PIECES_NONE},
        {1, 2, 1, 100, WRN_PIECES_NONE},
        {0, 2, 99, 100, WRN_PIECES_NONE},
        {15, 16, 10, 160, WRN_PIECES_NONE},
        {0, 16, 1024, 16384, WRN_PIECES_NONE},
        {0, 2, 7, 13, WRN_PIECES_TOTAL},
        {0, 2, 100, 0, WRN_PIECES_TOTAL},
        {0, 16, 1025, 16385, WRN_PIECES_TOTAL},
        {0, 2, 800, 65535, WRN_PIECES_TOTAL},
        {0, 1, 100, 100, WRN_PIECES_INDEX}, /* whole ones travel otherwise */
        {2, 2, 50, 100, WRN_PIECES_INDEX},
        {15, 2, 50, 100, WRN_PIECES_INDEX},
        {0, 2, 0, 100, WRN_PIECES_SIZE},
        {0, 2, 49, 100, WRN_PIECES_SIZE},  /* 49 and 49 are not 100 */
        {0, 2, 100, 100, WRN_PIECES_SIZE}, /* nothing is left for the other */
        {1, 2, 51, 100, WRN_PIECES_SIZE},  /* larger than the first */
        {2, 3, 33, 100, WRN_PIECES_SIZE},  /* 67 are not two equal ones */
        {0, 3, 60, 100, WRN_PIECES_SIZE},  /* two of these are more than all */
        {3, 4, 97, 100, WRN_PIECES_SIZE},  /* larger than the others: 1, 1, 1 */
        {0, 2, 200, 100, WRN_PIECES_SIZE},
    };
    uint8_t payload[WRN_PAYLOAD_PIECE_HEAD + 2048] = {0};
    struct wrn_piece piece;
    struct wrn_pieces_frame frame;
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        put_head(payload, cases[i].index, cases[i].count, cases[i].size, 1, cases[i].total);
        wrn_span span = {payload, sizeof payload};
        CHECK(wrn_pieces_read(span, &piece) == cases[i].refusal, "case %zu\n", i);
        if (cases[i].refusal != WRN_PIECES_NONE) {
            uint64_t before = counted(cases[i].refusal);
            assert_int_equal(wrn_pieces_add(pieces, now, member(0), span, &frame),
                             cases[i].refusal);
            assert_int_equal(counted(cases[i].refusal), before + 1);
            continue;
        }
        assert_true(piece.at + piece.size <= piece.total);
        assert_int_equal(piece.at, piece.index * piece.each);
        for (size_t cut = 0; cut < WRN_PAYLOAD_PIECE_HEAD + (size_t)cases[i].size; cut++) {
            assert_int_equal(wrn_pieces_read((wrn_span){payload, cut}, &piece), WRN_PIECES_SHORT);
        }
    }
    payload[0] = WRN_PAYLOAD_FRAME;
    assert_int_equal(wrn_pieces_read((wrn_span){payload, 100}, &piece), WRN_PIECES_TYPE);
    assert_int_equal(wrn_pieces_waiting(pieces), 0);
    for (int i = 0; i < WRN_PIECES_REFUSAL_COUNT; i++) {
        assert_true(strlen(wrn_pieces_refusal_name((enum wrn_pieces_refusal)i)) > 0);
        assert_true(strlen(wrn_pieces_refusal_text((enum wrn_pieces_refusal)i)) > 0);
    }
}

/* The example of docs/protocol.md, "Frames". */
static void as_documented(void **state) {
    static const uint8_t first[] = {5, 0x01, 0x02, 0xf5, 0, 7, 0x05, 0xea, 0, 1, 2, 3};
    static const uint8_t second[] = {5, 0x11, 0x02, 0xf5, 0, 7, 0x05, 0xea, 4, 5, 6, 7};
    uint8_t frame[1514], payload[1420], head[WRN_PAYLOAD_FRAME_HEAD];
    (void)state;
    for (size_t i = 0; i < sizeof frame; i++) {
        frame[i] = (uint8_t)(i % 251);
    }
    struct wrn_pieces_plan plan = wrn_pieces_plan(sizeof frame, sizeof payload);
    assert_int_equal(plan.count, 2);
    assert_int_equal(plan.each, 757);
    wrn_pieces_write(&plan, (wrn_span){frame, sizeof frame}, 7, 0, payload);
    assert_memory_equal(payload, first, sizeof first);
    wrn_pieces_write(&plan, (wrn_span){frame, sizeof frame}, 7, 1, payload);
    assert_memory_equal(payload, second, sizeof second);
    assert_int_equal(wrn_pieces_payload_size(&plan, sizeof frame, 1), 8 + 757);
    wrn_pieces_write_whole(head, 60);
    assert_memory_equal(head, ((const uint8_t[]){3, 0, 0, 60}), sizeof head);
}

/* A piece under way. */
struct flying {
    uint32_t member, number;
    size_t size;
    uint8_t bytes[ROOM];
};

static struct flying flying[IN_FLIGHT];
static uint32_t flying_count;

/* Lands a piece, maybe twice. Returns whether its frame is whole now, and right. */
static uint32_t land(uint32_t which, bool is_repeated) {
    const struct flying *f = &flying[which];
    uint32_t whole = 0;
    for (int i = 0; i < (is_repeated ? 2 : 1); i++) {
        struct wrn_pieces_frame frame;
        (void)wrn_pieces_add(pieces, now, member(f->member), (wrn_span){f->bytes, f->size}, &frame);
        if (frame.size > 0) {
            assert_true(is_filled(frame.bytes, frame.size, f->member, f->number));
            whole++;
        }
    }
    wrn_pieces_release(pieces);
    return whole;
}

/* Streams of all members at once, each frame cut at random. Returns how many came out. */
static uint32_t run_streams(uint32_t lost_of_1000, uint32_t window, bool is_repeated) {
    static uint8_t frame[WRN_PAYLOAD_FRAME_MAX];
    uint32_t numbers[MEMBERS] = {0}, whole = 0;
    flying_count = 0;
    for (uint32_t i = 0; i < FRAMES; i++) {
        uint32_t who = below(MEMBERS);
        uint32_t number = numbers[who]++;
        size_t size = 200 + below(below(10) == 0 ? 9000 : 1400);
        struct wrn_pieces_plan plan;
        do {
            plan = wrn_pieces_plan(size, 100 + below(ROOM - 100));
        } while (plan.count < 2);
        fill(frame, size, who, number);
        for (uint32_t k = 0; k < plan.count; k++) {
            if (below(1000) < lost_of_1000) {
                continue;
            }
            struct flying *f = &flying[flying_count++];
            f->member = who;
            f->number = number;
            f->size = wrn_pieces_payload_size(&plan, size, k);
            wrn_pieces_write(&plan, (wrn_span){frame, size}, (uint16_t)number, k, f->bytes);
            while (flying_count > window) {
                uint32_t which = below(flying_count);
                whole += land(which, is_repeated && below(4) == 0);
                flying[which] = flying[--flying_count];
            }
        }
        now = wrn_mono_add(now, WRN_MS(below(3)));
    }
    while (flying_count > 0) {
        flying_count--;
        whole += land(flying_count, false);
    }
    return whole;
}

static void loss_and_disorder(void **state) {
    (void)state;
    assert_int_equal(run_streams(0, 0, false), FRAMES);
    assert_int_equal(wrn_pieces_waiting(pieces), 0);
    assert_int_equal(run_streams(0, 12, false), FRAMES);
    assert_int_equal(wrn_pieces_waiting(pieces), 0);
    uint32_t repeated = run_streams(0, 12, true); /* a frame of repeated pieces alone takes room */
    assert_true(repeated >= FRAMES * 95 / 100);
    uint32_t some = run_streams(20, 12, true);
    assert_true(some > FRAMES / 2 && some < FRAMES);
    uint32_t few = run_streams(300, IN_FLIGHT - 1, true);
    assert_true(few < FRAMES / 2);
    print_message("# of %d frames came: %u repeated, %u of a line with loss, %u of a bad one\n",
                  FRAMES, repeated, some, few);
    assert_true(wrn_pieces_waiting(pieces) <= WRN_PIECES_FRAMES_MAX);
}

/* Adds one piece of a frame of two: 100 bytes, 60 and 40. Returns whether it is whole. */
static bool add(uint32_t who, uint16_t id, uint32_t index) {
    uint8_t payload[WRN_PAYLOAD_PIECE_HEAD + 60] = {0};
    struct wrn_pieces_frame frame;
    put_head(payload, index, 2, index == 0 ? 60 : 40, id, 100);
    (void)wrn_pieces_add(pieces, now, member(who), (wrn_span){payload, sizeof payload}, &frame);
    return frame.size > 0;
}

static void repeated_pieces(void **state) {
    (void)state;
    assert_false(add(1, 7, 0));
    assert_false(add(1, 7, 0));
    assert_int_equal(counted(WRN_PIECES_DUPLICATE), 1);
    assert_true(add(1, 7, 1));
    assert_int_equal(counted(WRN_PIECES_NONE), 1);
}

/* Numbers are each member's own, and so are machines' that had the same place. */
static void members_do_not_mix(void **state) {
    uint8_t payload[WRN_PAYLOAD_PIECE_HEAD + 60] = {0};
    struct wrn_pieces_frame frame;
    (void)state;
    assert_false(add(1, 7, 0));
    assert_false(add(2, 7, 1));
    put_head(payload, 1, 2, 40, 7, 100);
    assert_int_equal(wrn_pieces_add(pieces, now, (wrn_handle){.index = 1, .generation = 3},
                                    (wrn_span){payload, sizeof payload}, &frame),
                     WRN_PIECES_NONE);
    assert_int_equal(frame.size, 0);
    assert_int_equal(wrn_pieces_waiting(pieces), 3);
    assert_true(add(2, 7, 0));
    assert_true(add(1, 7, 1));
    assert_int_equal(wrn_pieces_waiting(pieces), 1);
}

static void another_frame_with_the_number(void **state) {
    uint8_t payload[WRN_PAYLOAD_PIECE_HEAD + 61] = {0};
    struct wrn_pieces_frame frame;
    (void)state;
    assert_false(add(1, 7, 0));
    put_head(payload, 1, 2, 41, 7, 102); /* 61 and 41 */
    (void)wrn_pieces_add(pieces, now, member(1), (wrn_span){payload, sizeof payload}, &frame);
    assert_int_equal(frame.size, 0);
    assert_int_equal(counted(WRN_PIECES_CONFLICT), 1);
    assert_false(add(1, 7, 1)); /* that was the first one's: now it begins anew */
    assert_int_equal(counted(WRN_PIECES_CONFLICT), 2);
    assert_true(add(1, 7, 0));
}

static void late_pieces(void **state) {
    (void)state;
    assert_false(add(1, 7, 0));
    now = wrn_mono_add(now, WRN_MS(WRN_PIECES_AGE_MS) - 1);
    assert_true(add(1, 7, 1));
    assert_false(add(1, 8, 0));
    now = wrn_mono_add(now, WRN_MS(WRN_PIECES_AGE_MS));
    assert_false(add(1, 8, 1));
    assert_int_equal(counted(WRN_PIECES_LATE), 1);
    now = wrn_mono_add(now, WRN_MS(WRN_PIECES_AGE_MS));
    assert_false(add(2, 1, 1)); /* anybody's new frame clears out */
    assert_int_equal(counted(WRN_PIECES_LATE), 2);
    assert_int_equal(wrn_pieces_waiting(pieces), 1);
}

/* Numbers come round: what is left of the round before does not meet the new. */
static void numbers_that_come_round(void **state) {
    (void)state;
    assert_false(add(1, 7, 0));
    assert_false(add(1, 7 + WRN_PIECES_WINDOW - 1, 0)); /* not far enough */
    assert_int_equal(counted(WRN_PIECES_PASSED), 0);
    assert_false(add(1, 7 + WRN_PIECES_WINDOW, 0));
    assert_int_equal(counted(WRN_PIECES_PASSED), 1);
    assert_false(add(2, 7, 0)); /* others have numbers of their own */
    assert_int_equal(counted(WRN_PIECES_PASSED), 1);
    assert_false(add(1, 65535, 0));
    assert_int_equal(counted(WRN_PIECES_PASSED), 3);
    assert_false(add(1, 3, 0)); /* 4 further on */
    assert_int_equal(counted(WRN_PIECES_PASSED), 3);
    assert_true(add(1, 65535, 1));
    assert_true(add(1, 3, 1));
}

/* One who loses a piece of each frame has his share, and his oldest gives way. */
static void a_share_for_each(void **state) {
    (void)state;
    for (uint16_t i = 0; i < 100; i++) {
        assert_false(add(1, i, 0));
        assert_true(wrn_pieces_waiting(pieces) <= WRN_PIECES_SHARE);
    }
    assert_int_equal(counted(WRN_PIECES_CROWDED), 100 - WRN_PIECES_SHARE);
    assert_false(add(1, 100 - WRN_PIECES_SHARE - 1, 1)); /* gone, so that it takes a place again */
    assert_true(add(1, 100 - WRN_PIECES_SHARE + 1, 1));
}

/* However many lose pieces: another's frame finds a place, and keeps it. */
static void nobody_starves_the_others(void **state) {
    enum { HOSTILE = 40 };
    (void)state;
    for (uint16_t i = 0; i < 50; i++) {
        for (uint32_t who = 1; who <= HOSTILE; who++) {
            assert_false(add(who, i, 0));
        }
    }
    assert_int_equal(wrn_pieces_waiting(pieces), WRN_PIECES_FRAMES_MAX);
    for (uint16_t i = 0; i < 20; i++) {
        assert_false(add(0, i, 0));
        for (uint32_t who = 1; who <= HOSTILE / 2; who++) { /* meanwhile */
            assert_false(add(who, (uint16_t)(100 + i), 0));
        }
        assert_true(add(0, i, 1));
        wrn_pieces_release(pieces);
    }
}

/* What was handed out is not written to before it is taken back. */
static void what_is_held_stays(void **state) {
    (void)state;
    for (uint32_t who = 0; who < WRN_PIECES_FRAMES_MAX; who++) {
        assert_false(add(who, 1, 0));
        assert_true(add(who, 1, 1));
    }
    assert_int_equal(wrn_pieces_held(pieces), WRN_PIECES_FRAMES_MAX);
    assert_false(add(1, 2, 0));
    assert_int_equal(counted(WRN_PIECES_CROWDED), 1);
    assert_int_equal(wrn_pieces_waiting(pieces), 0);
    wrn_pieces_release(pieces);
    assert_int_equal(wrn_pieces_held(pieces), 0);
    assert_false(add(1, 2, 0));
    assert_true(add(1, 2, 1));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(every_size_and_room),
        TEST(heads_that_cannot_be),
        TEST(as_documented),
        TEST(loss_and_disorder),
        TEST(repeated_pieces),
        TEST(members_do_not_mix),
        TEST(another_frame_with_the_number),
        TEST(late_pieces),
        TEST(numbers_that_come_round),
        TEST(a_share_for_each),
        TEST(nobody_starves_the_others),
        TEST(what_is_held_stays),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
