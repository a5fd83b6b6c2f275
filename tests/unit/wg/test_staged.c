/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: kept packets come out unchanged, in order, and no queue takes more than its share.
 * Method: a naive model (arrays of sizes and seeds) beside the real pool, random operations from a
 * printed seed; directed tests of the limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/rand.h"
#include "wg/staged.h"

enum { QUEUES = 10, MODEL_MAX = 64, COUNT_MAX = 20 };

static void *memory;
static struct wrn_staged_pool pool;

static int setup(void **state) {
    struct wrn_arena arena;
    (void)state;
    wrn_arena_init(&arena, NULL, SIZE_MAX);
    wrn_staged_pool_init(&pool, &arena, 1 << 20);
    size_t size = wrn_align_up(arena.used, 64);
    memory = aligned_alloc(64, size);
    assert_non_null(memory);
    memset(memory, 0, size);
    wrn_arena_init(&arena, memory, size);
    wrn_staged_pool_init(&pool, &arena, 1 << 20);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    free(memory);
    return 0;
}

struct model {
    size_t size[MODEL_MAX];
    uint8_t fill[MODEL_MAX];
    uint32_t count;
};

static void model_drop_first(struct model *m, uint32_t n) {
    memmove(m->size, m->size + n, sizeof m->size - n * sizeof m->size[0]);
    memmove(m->fill, m->fill + n, sizeof m->fill - n);
    m->count -= n;
}

static void queues_behave_as_their_model(void **state) {
    (void)state;
    static uint8_t bytes[65535], out[65535];
    struct wrn_staged_queue queue[QUEUES] = {0};
    struct model model[QUEUES] = {0};
    struct wrn_prng prng;
    wrn_prng_init(&prng, 20260, 1);
    struct wrn_rand rand = wrn_prng_rand(&prng);
    print_message("# seed 20260\n");
    for (int step = 0; step < 20000; step++) {
        uint32_t q = wrn_rand_below(rand, QUEUES);
        struct model *m = &model[q];
        uint32_t what = wrn_rand_below(rand, 100);
        if (what < 55) {
            uint32_t dropped;
            size_t size = wrn_rand_below(rand, wrn_rand_below(rand, 20) == 0 ? 65536 : 1500);
            uint8_t fill = (uint8_t)wrn_prng_next(&prng);
            memset(bytes, fill, size);
            wrn_staged_push(&pool, &queue[q], (wrn_span){bytes, size}, COUNT_MAX, &dropped);
            assert_true(dropped <= m->count + 1);
            bool kept = dropped <= m->count && queue[q].count == m->count - dropped + 1;
            model_drop_first(m, kept ? dropped : dropped - 1);
            if (kept) {
                m->size[m->count] = size;
                m->fill[m->count++] = fill;
            }
        } else if (what < 98 && m->count > 0) {
            assert_int_equal(wrn_staged_first_size(&pool, &queue[q]), m->size[0]);
            wrn_staged_pop(&pool, &queue[q], out);
            for (size_t i = 0; i < m->size[0]; i++) {
                assert_int_equal(out[i], m->fill[0]);
            }
            model_drop_first(m, 1);
        } else if (what >= 98) {
            assert_int_equal(wrn_staged_clear(&pool, &queue[q]), m->count);
            m->count = 0;
        }
        assert_int_equal(queue[q].count, m->count);
        assert_true(m->count <= COUNT_MAX);
        assert_true(queue[q].blocks <= pool.queue_blocks_max);
        assert_true(pool.used <= pool.capacity);
    }
    for (int q = 0; q < QUEUES; q++) {
        (void)wrn_staged_clear(&pool, &queue[q]);
    }
    assert_int_equal(pool.used, 0);
}

static void one_queue_cannot_take_the_whole_pool(void **state) {
    (void)state;
    static const uint8_t big[60000];
    struct wrn_staged_queue greedy = {0}, modest = {0};
    uint32_t dropped;
    for (int i = 0; i < 100; i++) {
        wrn_staged_push(&pool, &greedy, (wrn_span){big, sizeof big}, 1000, &dropped);
    }
    assert_true(greedy.blocks <= pool.capacity / 8);
    wrn_staged_push(&pool, &modest, (wrn_span){big, 1000}, 1000, &dropped);
    assert_int_equal(dropped, 0);
    assert_int_equal(modest.count, 1);
    (void)wrn_staged_clear(&pool, &greedy);
    (void)wrn_staged_clear(&pool, &modest);
}

static void a_full_pool_refuses_who_has_nothing_to_give(void **state) {
    (void)state;
    static const uint8_t big[65535];
    struct wrn_staged_queue queue[64] = {0}, late = {0};
    uint32_t dropped;
    for (int i = 0; i < 64; i++) {
        wrn_staged_push(&pool, &queue[i], (wrn_span){big, sizeof big}, 1000, &dropped);
    }
    wrn_staged_push(&pool, &late, (wrn_span){big, sizeof big}, 1000, &dropped);
    assert_int_equal(dropped, 1);
    assert_int_equal(late.count, 0);
    for (int i = 0; i < 64; i++) {
        (void)wrn_staged_clear(&pool, &queue[i]);
    }
}

static void empty_packets_are_packets_too(void **state) {
    (void)state;
    struct wrn_staged_queue queue = {0};
    uint32_t dropped;
    uint8_t byte = 7;
    wrn_staged_push(&pool, &queue, (wrn_span){NULL, 0}, 4, &dropped);
    wrn_staged_push(&pool, &queue, (wrn_span){&byte, 1}, 4, &dropped);
    assert_int_equal(wrn_staged_first_size(&pool, &queue), 0);
    wrn_staged_pop(&pool, &queue, NULL);
    assert_int_equal(wrn_staged_first_size(&pool, &queue), 1);
    (void)wrn_staged_clear(&pool, &queue);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queues_behave_as_their_model),
        cmocka_unit_test(one_queue_cannot_take_the_whole_pool),
        cmocka_unit_test(a_full_pool_refuses_who_has_nothing_to_give),
        cmocka_unit_test(empty_packets_are_packets_too),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
