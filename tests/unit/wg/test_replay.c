/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the anti-replay window, by hand-written sequences, by enumeration and against a bitmap
 * that remembers everything. */
#include "wg/replay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rand.h"
#include "wg/messages.h"

enum {
    RING = WRN_REPLAY_BITS,
    SPAN = RING - 64, /* counters that can be told apart, the newest included */
    NARROW = WRN_REPLAY_NARROW_BITS,
    MODEL_BITS = 1 << 26,
    RUN_COUNTERS = 150000,
};

/* First counter that is refused for good: 2^64 - 2^13 - 1. */
#define LIMIT WRN_WG_REJECT_AFTER_MESSAGES
static_assert(LIMIT == UINT64_C(0xffffffffffffdfff), "the protocol's, whatever the window");
static_assert((int)WRN_REPLAY_BITS == 32768, "what is late by less than this is accepted");

struct step {
    uint64_t counter;
    bool expected;
};

struct sequence {
    const char *name;
    struct step steps[10];
    size_t count;
};

#define STEPS(...)                                                                                 \
    .steps = {__VA_ARGS__}, .count = sizeof((struct step[]){__VA_ARGS__}) / sizeof(struct step)

static const struct sequence sequences[] = {
    {"first is 0", STEPS({0, true}, {0, false}, {1, true}, {0, false}, {1, false})},
    {"first is not 0", STEPS({5, true}, {0, true}, {5, false}, {4, true}, {0, false})},
    {"word edge", STEPS({63, true}, {64, true}, {64, false}, {63, false}, {62, true}, {65, true})},
    {"oldest in the window", STEPS({SPAN - 1, true}, {0, true}, {0, false})},
    {"just too old", STEPS({SPAN, true}, {0, false}, {1, true}, {1, false})},
    {"later than a quarter of the ring", STEPS({8191, true}, {0, true}, {24576, true}, {1, true})},
    {"32703, 32704", STEPS({32703, true}, {0, true}, {32704, true}, {0, false}, {1, true})},
    {"32767, 32768", STEPS({32767, true}, {63, false}, {64, true}, {32768, true}, {64, false},
                           {65, true}, {32767, false}, {32768, false})},
    {"2047, 2048: what the narrow ring knows, the wide one does",
     STEPS({2047, true}, {5, true}, {2048, true}, {2047, false}, {5, false}, {6, true}, {6, false},
           {2048, false}, {0, true}, {2049, true})},
    {"nothing accepted before the wide ring",
     STEPS({2048, true}, {0, true}, {0, false}, {2047, true}, {2048, false})},
    {"the first jumps over the ring", STEPS({3, true}, {RING + 2, true}, {3, false}, {64, false},
                                            {66, false}, {67, true}, {67, false})},
    {"window slides off a seen one", STEPS({10, true}, {10 + SPAN, true}, {10, false}, {11, true})},
    {"jump by the whole ring",
     STEPS({7, true}, {7 + RING, true}, {7, false}, {7 + RING, false}, {7 + RING - 1, true})},
    {"jump beyond the window", STEPS({1, true}, {1000000, true}, {1, false}, {999999, true},
                                     {1000000 - SPAN + 1, true}, {1000000 - SPAN, false})},
    {"far jump, same word of the ring",
     STEPS({64, true}, {64 + RING * 1000, true}, {65 + RING * 1000, true}, {64, false})},
    {"end of the counters",
     STEPS({LIMIT, false}, {LIMIT - 1, true}, {LIMIT - 1, false}, {LIMIT, false},
           {UINT64_MAX, false}, {LIMIT - SPAN, true}, {LIMIT - SPAN - 1, false}, {0, false})},
    {"refused counter moves nothing",
     STEPS({3, true}, {UINT64_MAX, false}, {LIMIT, false}, {2, true}, {4, true})},
};

/* A window, and the memory of its wide ring, in which another key has left all counters seen. */
struct window {
    struct wrn_replay replay;
    uint64_t wide[WRN_REPLAY_WORDS];
};

static struct wrn_replay *begin(struct window *window) {
    memset(&window->replay, 0, sizeof window->replay);
    memset(window->wide, 0xff, sizeof window->wide);
    wrn_replay_init(&window->replay, window->wide);
    return &window->replay;
}

/* Goal: the edges of words, window, ring and counter space. Method: known answers. */
static void edges_answer_as_specified(void **state) {
    (void)state;
    static struct window memory;
    for (size_t i = 0; i < WRN_COUNT(sequences); i++) {
        struct wrn_replay *window = begin(&memory);
        for (size_t k = 0; k < sequences[i].count; k++) {
            const struct step *step = &sequences[i].steps[k];
            if (wrn_replay_accept(window, step->counter) != step->expected) {
                fail_msg("%s: step %zu, counter %llu: expected %s", sequences[i].name, k,
                         (unsigned long long)step->counter, step->expected ? "new" : "refused");
            }
        }
    }
}

/* Goal: no order of a few critical counters is answered wrongly. Method: all sequences of five out
 * of fifteen counters; the model keeps the list of accepted ones and the highest. */
static void every_short_sequence_is_right(void **state) {
    (void)state;
    static const uint64_t counters[] = {0,        1,          63,       64,           NARROW - 1,
                                        NARROW,   NARROW + 1, SPAN - 1, SPAN,         SPAN + 1,
                                        RING - 1, RING,       RING + 1, 2 * RING - 1, 3 * RING};
    static struct window memory;
    enum { N = WRN_COUNT(counters), LENGTH = 5 };
    for (uint32_t code = 0; code < (uint32_t)N * N * N * N * N; code++) {
        struct wrn_replay *window = begin(&memory);
        uint32_t accepted = 0; /* bit i: counters[i] */
        uint64_t next = 0;
        uint32_t rest = code;
        for (uint32_t k = 0; k < LENGTH; k++, rest /= N) {
            uint32_t pick = rest % N;
            uint64_t counter = counters[pick];
            bool expected = (accepted >> pick & 1) == 0 && counter + SPAN >= next;
            if (wrn_replay_accept(window, counter) != expected) {
                fail_msg("sequence %u, step %u, counter %llu", code, k,
                         (unsigned long long)counter);
            }
            accepted |= expected ? 1u << pick : 0;
            next = expected && counter >= next ? counter + 1 : next;
        }
    }
}

/* Draws the next counter, relative to the base: mostly near the newest, sometimes far ahead, at the
 * edges of the window or anywhere before. */
static uint64_t draw_counter(struct wrn_prng *prng, uint64_t next) {
    static const uint64_t edges[] = {1,    63,       64,       65,   SPAN - 1,
                                     SPAN, SPAN + 1, RING - 1, RING, RING + 1};
    uint64_t r = wrn_prng_next(prng);
    uint64_t amount = wrn_prng_next(prng);
    uint64_t back = 0;
    switch (r % 16) {
    case 0:
        return next + amount % 3000;
    case 1:
        return next +
               (r >> 32) % 256 / 255 * (amount % (5 * RING)); /* rarely a jump beyond the window */
    case 2:
        back = edges[amount % WRN_COUNT(edges)];
        break;
    case 3:
        back = amount % (next + 1);
        break;
    case 4:
    case 5:
    case 6:
        back = amount % (SPAN + 1000);
        break;
    case 7:
    case 8:
    case 9:
        back = amount % 64;
        break;
    default:
        return next + amount % 4;
    }
    return back > next ? 0 : next - back;
}

/* Goal: long runs with loss, reordering, repetition and jumps. Method: a bitmap with a bit for
 * every counter of the run, at three places of the counter space. */
static void window_agrees_with_a_bitmap(void **state) {
    (void)state;
    static const uint64_t bases[] = {0, UINT64_C(1) << 40, LIMIT - (1 << 22)};
    static struct window memory;
    uint8_t *seen = malloc(MODEL_BITS / 8);
    assert_non_null(seen);
    for (size_t run = 0; run < WRN_COUNT(bases); run++) {
        struct wrn_prng prng;
        wrn_prng_init(&prng, 20261121, run);
        struct wrn_replay *window = begin(&memory);
        memset(seen, 0, MODEL_BITS / 8);
        uint64_t next = 0; /* relative to the base */
        uint32_t accepted_count = 0;
        for (uint32_t i = 0; i < RUN_COUNTERS; i++) {
            uint64_t offset = draw_counter(&prng, next);
            if (offset > UINT64_MAX - bases[run]) {
                offset = UINT64_MAX - bases[run];
            }
            assert_true(offset < MODEL_BITS);
            uint64_t counter = bases[run] + offset;
            uint8_t bit = (uint8_t)(1u << offset % 8);
            bool expected =
                counter < LIMIT && (seen[offset / 8] & bit) == 0 && offset + SPAN >= next;
            if (wrn_replay_accept(window, counter) != expected) {
                fail_msg("run %zu, step %u, counter %llu", run, i, (unsigned long long)counter);
            }
            if (expected) {
                seen[offset / 8] |= bit;
                next = offset >= next ? offset + 1 : next;
                accepted_count++;
            }
        }
        assert_in_range(accepted_count, RUN_COUNTERS / 8, RUN_COUNTERS * 9 / 10);
    }
    free(seen);
}

/* Goal: keys that receive little never touch the memory of the wide ring. Method: whatever comes
 * within the narrow one, the wide one stays as it was. */
static void quiet_keys_leave_the_wide_ring_alone(void **state) {
    (void)state;
    static struct window memory;
    struct wrn_replay *window = begin(&memory);
    for (uint64_t counter = 0; counter < NARROW; counter += 2) {
        assert_true(wrn_replay_accept(window, NARROW - 1 - counter));
        assert_true(wrn_replay_accept(window, counter));
        assert_false(wrn_replay_accept(window, counter));
    }
    assert_false(wrn_replay_accept(window, UINT64_MAX));
    for (size_t i = 0; i < WRN_REPLAY_WORDS; i++) {
        assert_true(memory.wide[i] == UINT64_MAX);
    }
    assert_true(wrn_replay_accept(window, NARROW));
    assert_false(wrn_replay_accept(window, 0));
    assert_true(memory.wide[WRN_REPLAY_WORDS - 1] == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edges_answer_as_specified),
        cmocka_unit_test(every_short_sequence_is_right),
        cmocka_unit_test(window_agrees_with_a_bitmap),
        cmocka_unit_test(quiet_keys_leave_the_wide_ring_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
