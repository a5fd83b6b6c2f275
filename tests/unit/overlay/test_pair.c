/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what two nodes say to one another arrives once, unaltered, from whom it claims, and nothing
 * else does; a restart is believed on proof only. Method: vectors of a second implementation, every
 * truncation and flipped bit, a model of the replay window, an attacker who repeats and turns
 * round what was sent. */
#include "overlay/pair.h"

#include "base/bytes.h"
#include "unit/base/check.h"
#include "unit/overlay/real_primitives.h"
#include "vectors/ring.h"

enum { RECEIVER_AT = 4, INCARNATION_AT = 12, COUNTER_AT = 20, HEAD_SIZE = 28 };

struct frame {
    uint8_t bytes[WRN_DATAGRAM_MAX + 1];
    size_t size;
};

/* Two nodes and what each keeps of the other. */
static uint8_t private_keys[2][WRN_KEY_SIZE];
static uint8_t public_keys[2][WRN_KEY_SIZE];
static struct wrn_pair pairs[2];

static const uint64_t incarnations[2] = {0xa11a11a11a11a11a, 0xb22b22b22b22b22b};

static void make_pair(int side, uint64_t incarnation) {
    int other = 1 - side;
    assert_true(wrn_pair_init(&pairs[side], &primitives, private_keys[side], public_keys[side],
                              public_keys[other], 1000 + (uint64_t)side, incarnation));
    pairs[side].their_receiver = 1000 + (uint64_t)other;
}

static int set_up(void **state) {
    int error = real_primitives_set_up(state);
    if (error != 0) {
        return error;
    }
    for (int side = 0; side < 2; side++) {
        check_pattern(private_keys[side], WRN_KEY_SIZE, 40 + (unsigned)side);
        if (!primitives.public_key(primitives.ctx, private_keys[side], public_keys[side])) {
            return -1;
        }
    }
    return 0;
}

/* Two nodes that have proven themselves to one another. */
static int begin(void **state) {
    (void)state;
    for (int side = 0; side < 2; side++) {
        make_pair(side, incarnations[side]);
        wrn_pair_prove(&pairs[side], incarnations[1 - side]);
    }
    return 0;
}

static struct frame seal(int side, const char *text) {
    struct frame frame;
    wrn_span message = {(const uint8_t *)text, strlen(text)};
    frame.size = wrn_pair_seal(&pairs[side], &primitives, message, frame.bytes);
    assert_int_equal(frame.size, message.size + WRN_FRAME_OVERHEAD);
    return frame;
}

/* Opens a copy in memory of its own size, so that reading on is noticed. */
static enum wrn_reason open_at(int side, const struct frame *frame, const char *text,
                               bool *ret_is_fresh) {
    uint8_t *copy = malloc(frame->size > 0 ? frame->size : 1);
    wrn_span message = {0};
    uint64_t incarnation = 0;
    assert_non_null(copy);
    memcpy(copy, frame->bytes, frame->size);
    enum wrn_reason reason = wrn_pair_open(&pairs[side], &primitives, copy, frame->size, &message,
                                           &incarnation, ret_is_fresh);
    if (reason == WRN_REASON_NONE) {
        assert_int_equal(message.size, strlen(text));
        assert_memory_equal(message.data, text, message.size);
        assert_true(message.data == copy + HEAD_SIZE);
        assert_true(incarnation == wrn_load_be64(frame->bytes + INCARNATION_AT));
    } else {
        assert_true(message.data == NULL && incarnation == 0);
    }
    free(copy);
    return reason;
}

static void expect_fresh(int side, const struct frame *frame, const char *text) {
    bool is_fresh = false;
    assert_int_equal(open_at(side, frame, text, &is_fresh), WRN_REASON_NONE);
    assert_true(is_fresh);
}

static void expect_unproven(int side, const struct frame *frame, const char *text) {
    bool is_fresh = true;
    assert_int_equal(open_at(side, frame, text, &is_fresh), WRN_REASON_NONE);
    assert_false(is_fresh);
}

/* Refused, without a trace in the pair. */
static enum wrn_reason refusal(int side, const struct frame *frame) {
    struct wrn_pair before = pairs[side];
    bool is_fresh = false;
    enum wrn_reason reason = open_at(side, frame, "", &is_fresh);
    assert_int_not_equal(reason, WRN_REASON_NONE);
    assert_memory_equal(&before, &pairs[side], sizeof(before));
    assert_false(is_fresh);
    return reason;
}

static void hex_is(const char *expected, const uint8_t *bytes, size_t size) {
    uint8_t wanted[WRN_DATAGRAM_MAX];
    assert_int_equal(check_hex(expected, wanted, sizeof(wanted)), size);
    assert_memory_equal(bytes, wanted, size);
}

static void derives_the_key_of_the_vectors(void **state) {
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(vector_pair); i++) {
        uint8_t private_key[WRN_KEY_SIZE];
        uint8_t public_key[WRN_KEY_SIZE];
        uint8_t peer_key[WRN_KEY_SIZE];
        struct wrn_pair pair;
        check_hex(vector_pair[i].private_key, private_key, sizeof(private_key));
        check_hex(vector_pair[i].peer_key, peer_key, sizeof(peer_key));
        assert_true(primitives.public_key(primitives.ctx, private_key, public_key));
        hex_is(vector_pair[i].public_key, public_key, sizeof(public_key));
        assert_true(wrn_pair_init(&pair, &primitives, private_key, public_key, peer_key, 7, 8));
        hex_is(vector_pair[i].key, pair.key, sizeof(pair.key));
        assert_true(pair.our_receiver == 7 && pair.our_incarnation == 8 + i &&
                    pair.our_counter == 0 && pair.their_receiver == 0 &&
                    pair.their_incarnation == 0);
        wrn_pair_finish(&pair);
        assert_true(check_filled(&pair, sizeof(pair), 0));
    }
}

static void seals_the_frames_of_the_vectors(void **state) {
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(vector_frame); i++) {
        uint8_t message[256];
        uint8_t cookie[WRN_COOKIE_SIZE];
        uint8_t public_key[WRN_KEY_SIZE];
        uint8_t frame[512];
        struct wrn_pair pair = {.their_receiver = vector_frame[i].receiver,
                                .our_incarnation = vector_frame[i].incarnation};
        wrn_span span = {message, vector_frame[i].size};
        check_hex(vector_pair[0].key, pair.key, sizeof(pair.key));
        check_hex(vector_pair[0].public_key, public_key, sizeof(public_key));
        check_pattern(message, span.size, 32);
        check_pattern(cookie, sizeof(cookie), 31);

        pair.our_counter = vector_frame[i].counter - 1;
        size_t size = wrn_pair_seal(&pair, &primitives, span, frame);
        hex_is(vector_frame[i].sealed, frame, size);
        assert_true(wrn_frame_receiver((wrn_span){frame, size}) == vector_frame[i].receiver);

        pair.our_counter = vector_frame[i].counter - 1;
        size = wrn_stranger_seal(&pair, &primitives, public_key, cookie, span, frame);
        hex_is(vector_frame[i].stranger, frame, size);
    }
}

static void both_sides_have_the_same_key_and_others_have_not(void **state) {
    (void)state;
    uint8_t third_private[WRN_KEY_SIZE];
    uint8_t third_public[WRN_KEY_SIZE];
    struct wrn_pair third;
    assert_memory_equal(pairs[0].key, pairs[1].key, WRN_KEY_SIZE);
    check_pattern(third_private, WRN_KEY_SIZE, 99);
    assert_true(primitives.public_key(primitives.ctx, third_private, third_public));
    assert_true(
        wrn_pair_init(&third, &primitives, third_private, third_public, public_keys[0], 1, 1));
    assert_memory_not_equal(third.key, pairs[1].key, WRN_KEY_SIZE);
    /* Who claims a key without having its private one gets other keys. */
    assert_true(
        wrn_pair_init(&third, &primitives, third_private, public_keys[1], public_keys[0], 1, 1));
    assert_memory_not_equal(third.key, pairs[1].key, WRN_KEY_SIZE);
}

static void refuses_itself_and_bad_points(void **state) {
    (void)state;
    /* Points of small order, u = 0, 1, two of order 8, p - 1, and p, p + 1 and 2^255, which are 0
     * and 1 again: the product is zero. Source: RFC 7748, section 6.1. */
    static const char *const bad[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000080",
    };
    struct wrn_pair pair;
    memset(&pair, 0x55, sizeof(pair));
    assert_false(
        wrn_pair_init(&pair, &primitives, private_keys[0], public_keys[0], public_keys[0], 1, 1));
    assert_true(check_filled(&pair, sizeof(pair), 0));
    for (size_t i = 0; i < WRN_COUNT(bad); i++) {
        uint8_t point[WRN_KEY_SIZE];
        check_hex(bad[i], point, sizeof(point));
        memset(&pair, 0x55, sizeof(pair));
        CHECK(!wrn_pair_init(&pair, &primitives, private_keys[0], public_keys[0], point, 1, 1),
              "point %zu: ", i);
        assert_true(check_filled(&pair, sizeof(pair), 0));
    }
}

static void carries_messages_of_every_size(void **state) {
    (void)state;
    char text[WRN_MESSAGE_MAX + 1] = {0};
    for (size_t size = 1; size <= WRN_MESSAGE_MAX; size += size < 70 ? 1 : 131) {
        memset(text, 'a' + (int)(size % 26), size);
        struct frame frame = seal((int)size & 1, text);
        expect_fresh(1 - ((int)size & 1), &frame, text);
    }
    memset(text, 'z', WRN_MESSAGE_MAX);
    struct frame largest = seal(0, text);
    assert_int_equal(largest.size, WRN_DATAGRAM_MAX);
    expect_fresh(1, &largest, text);
    /* in place */
    struct frame frame;
    memcpy(frame.bytes + HEAD_SIZE, "here", 4);
    frame.size =
        wrn_pair_seal(&pairs[0], &primitives, (wrn_span){frame.bytes + HEAD_SIZE, 4}, frame.bytes);
    expect_fresh(1, &frame, "here");
}

/* Of a frame with the number 1. */
static enum wrn_reason reason_of_flip(size_t bit) {
    size_t byte = bit / 8;
    if (byte == 1) {
        return WRN_REASON_WRONG_VERSION;
    }
    if (byte < RECEIVER_AT || bit == (COUNTER_AT + 7) * 8) {
        return WRN_REASON_MALFORMED; /* the number is 0 then */
    }
    return byte < INCARNATION_AT ? WRN_REASON_UNKNOWN_SENDER : WRN_REASON_BAD_SEAL;
}

static void refuses_every_truncation_and_flipped_bit(void **state) {
    (void)state;
    const struct frame frame = seal(0, "a message");
    for (size_t size = 0; size < frame.size; size++) {
        struct frame cut = frame;
        cut.size = size;
        enum wrn_reason reason = refusal(1, &cut);
        CHECK(reason == (size <= WRN_FRAME_OVERHEAD ? WRN_REASON_MALFORMED : WRN_REASON_BAD_SEAL),
              "size %zu: ", size);
    }
    for (size_t bit = 0; bit < 8 * frame.size; bit++) {
        struct frame bad = frame;
        bad.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        enum wrn_reason reason = refusal(1, &bad);
        CHECK(reason == reason_of_flip(bit), "bit %zu, reason %s: ", bit, wrn_reason_name(reason));
    }
    struct frame longer = frame;
    longer.bytes[longer.size++] = 0;
    assert_int_equal(refusal(1, &longer), WRN_REASON_BAD_SEAL);
    longer.size = sizeof(longer.bytes);
    assert_int_equal(refusal(1, &longer), WRN_REASON_MALFORMED);
    expect_fresh(1, &frame, "a message");
}

/* Not even the peer itself may send what has no number. */
static void refuses_numbers_that_are_zero(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct frame frame = {.size = HEAD_SIZE + 1 + WRN_TAG_SIZE};
        uint8_t nonce[WRN_XNONCE_SIZE] = {0};
        frame.bytes[0] = WRN_FRAME_SEALED;
        frame.bytes[1] = 1;
        wrn_store_be64(frame.bytes + RECEIVER_AT, pairs[1].our_receiver);
        wrn_store_be64(frame.bytes + INCARNATION_AT, i == 0 ? 0 : incarnations[0]);
        wrn_store_be64(frame.bytes + COUNTER_AT, i == 0 ? 5 : 0);
        memcpy(nonce, frame.bytes + INCARNATION_AT, 16);
        primitives.seal(primitives.ctx, pairs[0].key, nonce, (wrn_span){frame.bytes, HEAD_SIZE},
                        (const uint8_t *)"x", 1, frame.bytes + HEAD_SIZE);
        assert_int_equal(refusal(1, &frame), WRN_REASON_MALFORMED);
    }
}

static struct frame seal_as(uint64_t counter) {
    pairs[0].our_counter = counter - 1;
    return seal(0, "x");
}

static void takes_each_number_of_the_window_once(void **state) {
    (void)state;
    struct wrn_prng prng;
    wrn_prng_init(&prng, check_seed(), 0);
    struct wrn_rand rand = wrn_prng_rand(&prng);
    enum { NUMBERS = 2000 };
    static bool came[NUMBERS];
    uint64_t top = 0;
    memset(came, 0, sizeof(came));
    for (size_t i = 0; i < 6000; i++) {
        uint64_t ahead = wrn_rand_below(rand, 40) == 0 ? wrn_rand_below(rand, 130) : 3;
        uint64_t counter = top + ahead > 90 ? top + ahead - wrn_rand_below(rand, 90) : top + 1;
        if (counter >= NUMBERS) {
            break;
        }
        struct frame frame = seal_as(counter);
        bool is_new = counter > top || (top - counter < 64 && !came[counter]);
        if (is_new) {
            expect_fresh(1, &frame, "x");
            came[counter] = true;
            top = counter > top ? counter : top;
        } else {
            assert_int_equal(refusal(1, &frame), WRN_REASON_REPLAYED);
        }
    }
    assert_true(top > 500);
}

static void forgets_what_is_64_numbers_old(void **state) {
    (void)state;
    static const uint64_t steps[] = {1, 63, 64, 65, 1000, UINT64_C(1) << 40};
    for (size_t i = 0; i < WRN_COUNT(steps); i++) {
        begin(NULL);
        struct frame first = seal_as(100), second = seal_as(100 + steps[i]);
        struct frame edge = seal_as(100 + steps[i] - 63), beyond = seal_as(100 + steps[i] - 64);
        expect_fresh(1, &first, "x");
        expect_fresh(1, &second, "x");
        assert_int_equal(refusal(1, &first), WRN_REASON_REPLAYED);
        assert_int_equal(refusal(1, &second), WRN_REASON_REPLAYED);
        assert_int_equal(refusal(1, &beyond), WRN_REASON_REPLAYED);
        if (steps[i] == 63) {
            assert_int_equal(refusal(1, &edge), WRN_REASON_REPLAYED); /* it is the first */
        } else {
            expect_fresh(1, &edge, "x");
        }
    }
}

static void a_forgery_does_not_move_the_window(void **state) {
    (void)state;
    struct frame low = seal_as(5), high = seal_as(UINT64_C(1) << 50);
    high.bytes[high.size - 1] ^= 1;
    assert_int_equal(refusal(1, &high), WRN_REASON_BAD_SEAL);
    expect_fresh(1, &low, "x");
}

static void nothing_is_fresh_before_the_proof(void **state) {
    (void)state;
    make_pair(1, incarnations[1]);
    struct frame frame = seal(0, "ping");
    struct wrn_pair before = pairs[1];
    expect_unproven(1, &frame, "ping");
    expect_unproven(1, &frame, "ping"); /* a replay, which is not noticed */
    assert_memory_equal(&before, &pairs[1], sizeof(before));
    wrn_pair_prove(&pairs[1], incarnations[0]);
    struct frame next = seal(0, "then");
    expect_fresh(1, &next, "then");
    wrn_pair_prove(&pairs[1], incarnations[0]); /* again: the window stays */
    assert_int_equal(refusal(1, &next), WRN_REASON_REPLAYED);
}

static void a_restart_is_believed_when_it_is_proven(void **state) {
    (void)state;
    const uint64_t reborn = 0xc33c33c33c33c33c, third = 0xd44d44d44d44d44d;
    struct frame old = seal(0, "old"), held = seal(0, "held"), kept = seal(0, "kept");
    expect_fresh(1, &old, "old");

    make_pair(0, reborn);
    struct frame hello = seal(0, "hello");
    expect_unproven(1, &hello, "hello");
    assert_true(pairs[1].their_incarnation == incarnations[0]);
    expect_fresh(1, &held, "held"); /* it may have been under way */
    assert_int_equal(refusal(1, &old), WRN_REASON_REPLAYED);

    wrn_pair_prove(&pairs[1], reborn);
    struct frame fresh = seal(0, "fresh"), later = seal(0, "later");
    expect_fresh(1, &fresh, "fresh");
    assert_int_equal(refusal(1, &old), WRN_REASON_REPLAYED);
    expect_unproven(1, &kept, "kept");
    assert_int_equal(refusal(1, &kept), WRN_REASON_REPLAYED);

    /* An answer of the former life comes late, then one of this life: nothing comes twice. */
    wrn_pair_prove(&pairs[1], incarnations[0]);
    expect_unproven(1, &later, "later");
    assert_int_equal(refusal(1, &fresh), WRN_REASON_REPLAYED);
    assert_int_equal(refusal(1, &held), WRN_REASON_REPLAYED);
    assert_int_equal(refusal(1, &kept), WRN_REASON_REPLAYED);
    wrn_pair_prove(&pairs[1], reborn);
    assert_int_equal(refusal(1, &fresh), WRN_REASON_REPLAYED);
    assert_int_equal(refusal(1, &later), WRN_REASON_REPLAYED);
    struct frame next = seal(0, "next");
    expect_fresh(1, &next, "next");

    /* Of a life before the last one, frames open and are not fresh: they change nothing. */
    make_pair(0, third);
    wrn_pair_prove(&pairs[1], third);
    struct wrn_pair before = pairs[1];
    expect_unproven(1, &kept, "kept");
    assert_memory_equal(&before, &pairs[1], sizeof(before));
    assert_int_equal(refusal(1, &fresh), WRN_REASON_REPLAYED);
}

/* The first proof that arrives may be that of a life that is over already. */
static void a_late_first_proof_shuts_nobody_out(void **state) {
    (void)state;
    const uint64_t reborn = 0xc33c33c33c33c33c;
    make_pair(1, incarnations[1]);
    make_pair(0, reborn);
    wrn_pair_prove(&pairs[1], reborn);
    struct frame frame = seal(0, "alive");
    expect_fresh(1, &frame, "alive");
    wrn_pair_prove(&pairs[1], incarnations[0]);
    struct frame pong = seal(0, "pong"), next = seal(0, "next");
    expect_unproven(1, &pong, "pong");
    wrn_pair_prove(&pairs[1], reborn);
    expect_fresh(1, &next, "next");
    assert_int_equal(refusal(1, &frame), WRN_REASON_REPLAYED);
}

/* After a restart of our own, an attacker repeats all that was once sent to us. */
static void old_frames_find_nobody_after_our_restart(void **state) {
    (void)state;
    struct frame old = seal(0, "old");
    assert_true(wrn_pair_init(&pairs[1], &primitives, private_keys[1], public_keys[1],
                              public_keys[0], 5555, 0xe55e55e55e55e55e));
    assert_int_equal(refusal(1, &old), WRN_REASON_UNKNOWN_SENDER);
    assert_true(wrn_frame_receiver((wrn_span){old.bytes, old.size}) != 5555);
    pairs[1].our_receiver = 1001; /* were the number drawn again by chance: */
    expect_unproven(1, &old, "old");
}

static void frames_sent_back_are_refused(void **state) {
    (void)state;
    struct frame frame = seal(0, "echo");
    assert_int_equal(refusal(0, &frame), WRN_REASON_UNKNOWN_SENDER);
    wrn_store_be64(frame.bytes + RECEIVER_AT, pairs[0].our_receiver);
    assert_int_equal(refusal(0, &frame), WRN_REASON_BAD_SEAL);
    wrn_store_be64(frame.bytes + INCARNATION_AT, incarnations[1]);
    assert_int_equal(refusal(0, &frame), WRN_REASON_BAD_SEAL);
}

/* Both share one key: whatever is drawn, their incarnations and so their nonces differ. */
static void both_sides_never_seal_under_one_nonce(void **state) {
    (void)state;
    static const uint64_t drawn[] = {1, 2, 3, 0xa11a11a11a11a11a, UINT64_MAX - 1, UINT64_MAX};
    int lower = memcmp(public_keys[0], public_keys[1], WRN_KEY_SIZE) < 0 ? 0 : 1;
    for (size_t i = 0; i < WRN_COUNT(drawn); i++) {
        make_pair(0, drawn[i]);
        make_pair(1, drawn[i]);
        assert_true(pairs[0].our_incarnation != 0 && pairs[1].our_incarnation != 0);
        assert_true((pairs[lower].our_incarnation & 1) == 0);
        assert_true((pairs[1 - lower].our_incarnation & 1) == 1);
        struct frame there = seal(0, "there"), back = seal(1, "back");
        assert_memory_not_equal(there.bytes + INCARNATION_AT, back.bytes + INCARNATION_AT, 8);
        expect_unproven(1, &there, "there");
        expect_unproven(0, &back, "back");
    }
}

static void tells_the_receiver_of_sealed_frames_only(void **state) {
    (void)state;
    struct frame frame = seal(0, "m");
    assert_true(wrn_frame_receiver((wrn_span){frame.bytes, frame.size}) == 1001);
    assert_true(wrn_frame_receiver((wrn_span){frame.bytes, WRN_FRAME_OVERHEAD}) == 0);
    assert_true(wrn_frame_receiver((wrn_span){0}) == 0);
    for (unsigned kind = 0; kind < 256; kind++) {
        frame.bytes[0] = (uint8_t)kind;
        bool is_found = wrn_frame_receiver((wrn_span){frame.bytes, frame.size}) != 0;
        assert_int_equal(is_found, kind == WRN_FRAME_SEALED);
    }
}

static const uint8_t cookie[WRN_COOKIE_SIZE] = "a cookie of ours";

static struct frame seal_stranger(int side, const char *text) {
    struct frame frame;
    wrn_span message = {(const uint8_t *)text, strlen(text)};
    frame.size = wrn_stranger_seal(&pairs[side], &primitives, public_keys[side], cookie, message,
                                   frame.bytes);
    assert_int_equal(frame.size, message.size + WRN_STRANGER_OVERHEAD);
    return frame;
}

static enum wrn_reason open_stranger(int side, const struct frame *frame, const char *text) {
    uint8_t *copy = malloc(frame->size > 0 ? frame->size : 1);
    wrn_span message = {0};
    uint64_t incarnation = 0;
    assert_non_null(copy);
    memcpy(copy, frame->bytes, frame->size);
    enum wrn_reason reason =
        wrn_stranger_open(&pairs[side], &primitives, copy, frame->size, &message, &incarnation);
    if (reason == WRN_REASON_NONE) {
        assert_int_equal(message.size, strlen(text));
        assert_memory_equal(message.data, text, message.size);
        assert_true(incarnation == pairs[1 - side].our_incarnation);
    } else {
        assert_true(message.data == NULL && incarnation == 0);
    }
    free(copy);
    return reason;
}

static void strangers_are_opened_with_the_key_that_they_show(void **state) {
    (void)state;
    uint8_t shown[WRN_KEY_SIZE];
    uint8_t shown_cookie[WRN_COOKIE_SIZE];
    char text[WRN_STRANGER_MESSAGE_MAX + 1] = {0};
    make_pair(0, incarnations[0]);
    make_pair(1, incarnations[1]);
    pairs[0].their_receiver = 0; /* not known yet */
    for (size_t size = 1; size <= WRN_STRANGER_MESSAGE_MAX; size += size < 4 ? 1 : 41) {
        memset(text, 's', size);
        struct frame frame = seal_stranger(0, text);
        wrn_span span = {frame.bytes, frame.size};
        assert_int_equal(wrn_stranger_read(span, shown, shown_cookie), WRN_REASON_NONE);
        assert_memory_equal(shown, public_keys[0], sizeof(shown));
        assert_memory_equal(shown_cookie, cookie, sizeof(cookie));
        assert_int_equal(open_stranger(1, &frame, text), WRN_REASON_NONE);
        assert_true(pairs[1].their_incarnation == 0);
        assert_true(wrn_frame_receiver(span) == 0);
    }
    assert_int_equal(pairs[0].our_counter, 3 + (WRN_STRANGER_MESSAGE_MAX - 4) / 41 + 1);
}

static void forged_strangers_are_refused(void **state) {
    (void)state;
    uint8_t shown[WRN_KEY_SIZE];
    uint8_t shown_cookie[WRN_COOKIE_SIZE];
    uint8_t their_private[WRN_KEY_SIZE];
    uint8_t their_public[WRN_KEY_SIZE];
    const struct frame good = seal_stranger(0, "hello");
    for (size_t size = 0; size < good.size; size++) {
        struct frame cut = good;
        cut.size = size;
        bool is_short = size <= WRN_STRANGER_OVERHEAD;
        assert_int_equal(open_stranger(1, &cut, ""),
                         is_short ? WRN_REASON_MALFORMED : WRN_REASON_BAD_SEAL);
        assert_int_equal(wrn_stranger_read((wrn_span){cut.bytes, size}, shown, shown_cookie),
                         is_short ? WRN_REASON_MALFORMED : WRN_REASON_NONE);
    }
    for (size_t bit = 0; bit < 8 * good.size; bit++) {
        struct frame bad = good;
        bad.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK(open_stranger(1, &bad, "") != WRN_REASON_NONE, "bit %zu: ", bit);
    }
    struct frame large = good;
    large.size = sizeof(large.bytes);
    assert_int_equal(open_stranger(1, &large, ""), WRN_REASON_MALFORMED);

    /* Somebody shows the key of node 0 and has another one. */
    struct wrn_pair forger;
    struct frame forged;
    check_pattern(their_private, sizeof(their_private), 77);
    assert_true(primitives.public_key(primitives.ctx, their_private, their_public));
    assert_true(wrn_pair_init(&forger, &primitives, their_private, their_public, public_keys[1], 1,
                              incarnations[0]));
    forged.size = wrn_stranger_seal(&forger, &primitives, public_keys[0], cookie,
                                    (wrn_span){(const uint8_t *)"hello", 5}, forged.bytes);
    assert_int_equal(open_stranger(1, &forged, ""), WRN_REASON_BAD_SEAL);
    assert_int_equal(open_stranger(1, &good, "hello"), WRN_REASON_NONE);
}

static void the_two_kinds_of_frames_share_numbers_and_nothing_else(void **state) {
    (void)state;
    struct frame stranger = seal_stranger(0, "hello"), sealed = seal(0, "hello");
    assert_int_equal(open_stranger(1, &stranger, "hello"), WRN_REASON_NONE);
    assert_int_equal(open_stranger(1, &stranger, ""), WRN_REASON_REPLAYED);
    expect_fresh(1, &sealed, "hello");
    assert_true(pairs[1].their_top == 2 && pairs[1].seen == 3);

    /* What was sealed as one, dressed as the other with the same numbers. */
    sealed = seal(0, "user");
    struct frame dressed = {.size = sealed.size + WRN_STRANGER_OVERHEAD - WRN_FRAME_OVERHEAD};
    dressed.bytes[0] = WRN_FRAME_STRANGER;
    dressed.bytes[1] = 1;
    memcpy(dressed.bytes + 4, public_keys[0], WRN_KEY_SIZE);
    memcpy(dressed.bytes + 52, sealed.bytes + INCARNATION_AT, sealed.size - INCARNATION_AT);
    assert_int_equal(open_stranger(1, &dressed, ""), WRN_REASON_BAD_SEAL);
    expect_fresh(1, &sealed, "user");
}

static void strangers_of_a_former_life_come_once(void **state) {
    (void)state;
    struct frame old = seal_stranger(0, "old");
    wrn_pair_prove(&pairs[1], 0xc33c33c33c33c33c);
    assert_int_equal(open_stranger(1, &old, "old"), WRN_REASON_NONE);
    assert_int_equal(open_stranger(1, &old, ""), WRN_REASON_REPLAYED);
    assert_true(pairs[1].their_incarnation == 0xc33c33c33c33c33c);
}

static void seal_without_receiver(void) {
    uint8_t frame[WRN_DATAGRAM_MAX];
    pairs[0].their_receiver = 0;
    wrn_pair_seal(&pairs[0], &primitives, (wrn_span){(const uint8_t *)"x", 1}, frame);
}

static void seal_nothing(void) {
    uint8_t frame[WRN_DATAGRAM_MAX];
    wrn_pair_seal(&pairs[0], &primitives, (wrn_span){0}, frame);
}

static void seal_too_much(void) {
    static uint8_t message[WRN_MESSAGE_MAX + 1];
    static uint8_t frame[2 * WRN_DATAGRAM_MAX];
    wrn_pair_seal(&pairs[0], &primitives, (wrn_span){message, sizeof(message)}, frame);
}

static void seal_at_the_end_of_numbers(void) {
    uint8_t frame[WRN_DATAGRAM_MAX];
    pairs[0].our_counter = UINT64_C(1) << 62;
    wrn_pair_seal(&pairs[0], &primitives, (wrn_span){(const uint8_t *)"x", 1}, frame);
}

static void misuse_is_noticed(void **state) {
    (void)state;
    check_dies(seal_without_receiver);
    check_dies(seal_nothing);
    check_dies(seal_too_much);
    check_dies(seal_at_the_end_of_numbers);
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(derives_the_key_of_the_vectors),
        TEST(seals_the_frames_of_the_vectors),
        TEST(both_sides_have_the_same_key_and_others_have_not),
        TEST(refuses_itself_and_bad_points),
        TEST(carries_messages_of_every_size),
        TEST(refuses_every_truncation_and_flipped_bit),
        TEST(refuses_numbers_that_are_zero),
        TEST(takes_each_number_of_the_window_once),
        TEST(forgets_what_is_64_numbers_old),
        TEST(a_forgery_does_not_move_the_window),
        TEST(nothing_is_fresh_before_the_proof),
        TEST(a_restart_is_believed_when_it_is_proven),
        TEST(a_late_first_proof_shuts_nobody_out),
        TEST(old_frames_find_nobody_after_our_restart),
        TEST(frames_sent_back_are_refused),
        TEST(both_sides_never_seal_under_one_nonce),
        TEST(tells_the_receiver_of_sealed_frames_only),
        TEST(strangers_are_opened_with_the_key_that_they_show),
        TEST(forged_strangers_are_refused),
        TEST(the_two_kinds_of_frames_share_numbers_and_nothing_else),
        TEST(strangers_of_a_former_life_come_once),
        TEST(misuse_is_noticed),
    };
    return cmocka_run_group_tests(tests, set_up, real_primitives_tear_down);
}
