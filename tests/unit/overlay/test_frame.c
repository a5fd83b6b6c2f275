/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: frames that are not sealed are read strictly, and no answer is larger than its question.
 * Method: each is written, read back, cut at every byte, and every bit of its head is flipped. */
#include "overlay/pair.h"

#include "base/bytes.h"
#include "unit/base/check.h"
#include "unit/overlay/real_primitives.h"
#include "vectors/ring.h"

static const uint8_t cookie[WRN_COOKIE_SIZE] = "sixteen bytes !!";
static const uint8_t ring[8] = "the ring";
static const wrn_id place = {0x0123456789abcdef, 0x01234567};

/* What a reader says of the first 'size' bytes, in memory of their own. */
typedef enum wrn_reason reads(wrn_span frame);

static enum wrn_reason read_copy(reads *read, const uint8_t *frame, size_t size) {
    uint8_t *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    memcpy(copy, frame, size);
    enum wrn_reason reason = read((wrn_span){copy, size});
    free(copy);
    return reason;
}

/* Cuts: all shorter ones than 'least' are malformed. Heads: kind, version, and two bytes that are
 * zero where 'has_zeros'. */
static void check_reader(reads *read, const uint8_t *frame, size_t size, size_t least,
                         bool has_zeros) {
    for (size_t cut = 0; cut < size; cut++) {
        enum wrn_reason reason = read_copy(read, frame, cut);
        CHECK(reason == (cut < least ? WRN_REASON_MALFORMED : WRN_REASON_NONE), "size %zu: ", cut);
    }
    for (size_t bit = 0; bit < 32; bit++) {
        uint8_t bad[WRN_DATAGRAM_MAX];
        memcpy(bad, frame, size);
        bad[bit / 8] ^= (uint8_t)(1u << bit % 8);
        enum wrn_reason expected = bit / 8 == 1           ? WRN_REASON_WRONG_VERSION
                                   : bit < 8 || has_zeros ? WRN_REASON_MALFORMED
                                                          : WRN_REASON_NONE;
        CHECK(read_copy(read, bad, size) == expected, "bit %zu: ", bit);
    }
}

static enum wrn_reason reads_who(wrn_span frame) {
    uint64_t nonce = 7;
    enum wrn_reason reason = wrn_who_read(frame, &primitives, ring, &nonce);
    assert_true(nonce == (reason == WRN_REASON_NONE ? 0x1122334455667788 : 7));
    return reason;
}

static void asks_with_the_largest_question(void **state) {
    (void)state;
    uint8_t frame[WRN_DATAGRAM_MAX + 1] = {0};
    uint8_t reply[WRN_DATAGRAM_MAX];
    static const uint8_t locator[WRN_LOCATOR_MAX];
    assert_int_equal(wrn_who_write(&primitives, ring, 0x1122334455667788, frame), WRN_WHO_SIZE);
    assert_int_equal(reads_who((wrn_span){frame, WRN_WHO_SIZE}), WRN_REASON_NONE);
    check_reader(reads_who, frame, WRN_WHO_SIZE, WRN_WHO_SIZE, true);
    assert_int_equal(reads_who((wrn_span){frame, WRN_DATAGRAM_MAX}), WRN_REASON_NONE);
    assert_int_equal(reads_who((wrn_span){frame, WRN_DATAGRAM_MAX + 1}), WRN_REASON_MALFORMED);
    size_t largest = wrn_who_reply_write(1, cookie, (wrn_span){locator, sizeof(locator)}, reply);
    assert_int_equal(largest, WRN_WHO_REPLY_OVERHEAD + WRN_LOCATOR_MAX);
    assert_true(largest <= WRN_WHO_SIZE);
    for (size_t i = 20; i < WRN_WHO_SIZE; i++) {
        assert_int_equal(frame[i], 0); /* nothing of ours leaks */
    }
}

static enum wrn_reason reads_reply(wrn_span frame) {
    uint64_t nonce = 7;
    uint8_t shown[WRN_COOKIE_SIZE] = {0};
    wrn_span locator = {0};
    enum wrn_reason reason = wrn_who_reply_read(frame, &nonce, shown, &locator);
    if (reason == WRN_REASON_NONE) {
        assert_true(nonce == 0xfedcba9876543210);
        assert_memory_equal(shown, cookie, sizeof(cookie));
        assert_true(locator.data == frame.data + 28 && locator.size == frame.size - 28);
    } else {
        assert_true(nonce == 7 && locator.data == NULL && check_filled(shown, sizeof(shown), 0));
    }
    return reason;
}

static void asks_as_the_vectors_say(void **state) {
    (void)state;
    uint8_t name[WRN_RING_SIZE];
    check_pattern(name, sizeof(name), 40);
    for (size_t row = 0; row < WRN_COUNT(vector_who); row++) {
        uint8_t frame[WRN_WHO_SIZE];
        uint8_t head[20];
        assert_int_equal(check_hex(vector_who[row].head, head, sizeof(head)), sizeof(head));
        wrn_who_write(&primitives, name, vector_who[row].nonce, frame);
        assert_memory_equal(frame, head, sizeof(head));
    }
}

/* Who does not know the ring's name is not answered: another name, and any bit of the mark. */
static void only_its_ring_is_asked(void **state) {
    (void)state;
    uint8_t frame[WRN_WHO_SIZE];
    uint64_t nonce = 7;
    wrn_who_write(&primitives, (const uint8_t *)"the Ring", 0x1122334455667788, frame);
    assert_int_equal(reads_who((wrn_span){frame, sizeof(frame)}), WRN_REASON_OTHER_RING);
    for (size_t bit = 4 * 8; bit < 20 * 8; bit++) { /* the nonce is marked, too */
        wrn_who_write(&primitives, ring, 0x1122334455667788, frame);
        frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(wrn_who_read((wrn_span){frame, sizeof(frame)}, &primitives, ring, &nonce),
                         WRN_REASON_OTHER_RING);
        assert_int_equal(nonce, 7);
    }
}

static void answers_with_cookie_and_locator(void **state) {
    (void)state;
    uint8_t frame[WRN_DATAGRAM_MAX] = {0};
    wrn_span locator = {(const uint8_t *)"(locator)", 9};
    size_t size = wrn_who_reply_write(0xfedcba9876543210, cookie, locator, frame);
    assert_int_equal(size, 37);
    assert_int_equal(reads_reply((wrn_span){frame, size}), WRN_REASON_NONE);
    assert_memory_equal(frame + 28, locator.data, locator.size);
    check_reader(reads_reply, frame, size, WRN_WHO_REPLY_OVERHEAD + 1, true);
    size = WRN_WHO_REPLY_OVERHEAD + WRN_LOCATOR_MAX;
    assert_int_equal(reads_reply((wrn_span){frame, size}), WRN_REASON_NONE);
    assert_int_equal(reads_reply((wrn_span){frame, size + 1}), WRN_REASON_MALFORMED);
}

static enum wrn_reason reads_announce(wrn_span frame) {
    uint8_t shown[8] = {0};
    wrn_id id = {0};
    uint16_t port = 0;
    enum wrn_reason reason = wrn_announce_read(frame, shown, &id, &port);
    if (reason == WRN_REASON_NONE) {
        assert_memory_equal(shown, ring, sizeof(ring));
        assert_true(wrn_id_equal(id, place) && port == wrn_load_be16(frame.data + 2));
    } else {
        assert_true(port == 0 && id.high == 0 && shown[0] == 0);
    }
    return reason;
}

static void announces_ring_place_and_port(void **state) {
    (void)state;
    uint8_t frame[WRN_ANNOUNCE_SIZE + 1] = {0};
    assert_int_equal(wrn_announce_write(ring, place, 51820, frame), WRN_ANNOUNCE_SIZE);
    assert_int_equal(reads_announce((wrn_span){frame, WRN_ANNOUNCE_SIZE}), WRN_REASON_NONE);
    assert_int_equal(wrn_load_be16(frame + 2), 51820);
    check_reader(reads_announce, frame, WRN_ANNOUNCE_SIZE, WRN_ANNOUNCE_SIZE, false);
    assert_int_equal(reads_announce((wrn_span){frame, sizeof(frame)}), WRN_REASON_MALFORMED);
    wrn_store_be16(frame + 2, 0);
    assert_int_equal(reads_announce((wrn_span){frame, WRN_ANNOUNCE_SIZE}), WRN_REASON_MALFORMED);
}

static enum wrn_reason reads_relayed(wrn_span frame) {
    uint64_t slot = 7;
    wrn_span inside = {0};
    enum wrn_reason reason = wrn_relayed_read(frame, &slot, &inside);
    if (reason == WRN_REASON_NONE) {
        assert_true(slot == 0x8899aabbccddeeff && inside.data == frame.data + 12 &&
                    inside.size == frame.size - 12);
    } else {
        assert_true(slot == 7 && inside.data == NULL);
    }
    return reason;
}

static void relays_what_is_behind_the_slot(void **state) {
    (void)state;
    uint8_t frame[100] = {0};
    wrn_relayed_write(0x8899aabbccddeeff, frame);
    assert_int_equal(reads_relayed((wrn_span){frame, sizeof(frame)}), WRN_REASON_NONE);
    check_reader(reads_relayed, frame, sizeof(frame), WRN_RELAYED_OVERHEAD + 1, true);
}

/* No frame passes for one of another kind, nor for one of WireGuard. */
static void kinds_are_told_apart(void **state) {
    (void)state;
    static reads *const readers[] = {reads_who, reads_reply, reads_announce, reads_relayed};
    uint8_t frames[WRN_COUNT(readers)][WRN_WHO_SIZE] = {0};
    size_t sizes[WRN_COUNT(readers)] = {
        wrn_who_write(&primitives, ring, 0x1122334455667788, frames[0]),
        wrn_who_reply_write(0xfedcba9876543210, cookie, (wrn_span){ring, sizeof(ring)}, frames[1]),
        wrn_announce_write(ring, place, 9, frames[2]),
        20,
    };
    wrn_relayed_write(0x8899aabbccddeeff, frames[3]);
    for (size_t i = 0; i < WRN_COUNT(readers); i++) {
        assert_true(frames[i][0] > 4);
        for (size_t k = 0; k < WRN_COUNT(readers); k++) {
            assert_int_equal(readers[k]((wrn_span){frames[i], sizes[i]}),
                             i == k ? WRN_REASON_NONE : WRN_REASON_MALFORMED);
        }
    }
}

static void reply_without_locator(void) {
    uint8_t frame[WRN_DATAGRAM_MAX];
    wrn_who_reply_write(1, cookie, (wrn_span){0}, frame);
}

static void reply_beyond_the_question(void) {
    static const uint8_t locator[WRN_LOCATOR_MAX + 1];
    uint8_t frame[WRN_DATAGRAM_MAX];
    wrn_who_reply_write(1, cookie, (wrn_span){locator, sizeof(locator)}, frame);
}

static void misuse_is_noticed(void **state) {
    (void)state;
    check_dies(reply_without_locator);
    check_dies(reply_beyond_the_question);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_with_the_largest_question),
        cmocka_unit_test(asks_as_the_vectors_say),
        cmocka_unit_test(only_its_ring_is_asked),
        cmocka_unit_test(answers_with_cookie_and_locator),
        cmocka_unit_test(announces_ring_place_and_port),
        cmocka_unit_test(relays_what_is_behind_the_slot),
        cmocka_unit_test(kinds_are_told_apart),
        cmocka_unit_test(misuse_is_noticed),
    };
    return cmocka_run_group_tests(tests, real_primitives_set_up, real_primitives_tear_down);
}
