/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: deadlines come out in order, equal ones in the order in which they were set. Method: a list
 * searched from end to end as the model; few distinct deadlines, so that many are equal. */
#include "base/heap.h"
#include "base/rand.h"
#include "unit/base/check.h"

enum { CAPACITY = 100 };

static _Alignas(64) uint8_t memory[CAPACITY * sizeof(void *) + 64];

static void start(struct wrn_heap *heap) {
    struct wrn_arena arena;
    memset(memory, 0, sizeof(memory));
    wrn_arena_init(&arena, memory, sizeof(memory));
    wrn_heap_init(heap, &arena, CAPACITY);
}

struct model {
    bool present;
    uint64_t due_ns;
    uint64_t set_at; /* step of the last set */
};

static size_t model_first(const struct model *model) {
    size_t first = CAPACITY;
    for (size_t i = 0; i < CAPACITY; i++) {
        if (!model[i].present) {
            continue;
        }
        if (first == CAPACITY || model[i].due_ns < model[first].due_ns ||
            (model[i].due_ns == model[first].due_ns && model[i].set_at < model[first].set_at)) {
            first = i;
        }
    }
    return first;
}

static void assert_places(const struct wrn_heap *heap, uint64_t step) {
    for (uint32_t i = 0; i < heap->count; i++) {
        CHECK(heap->nodes[i]->place == i + 1, "step %zu: ", (size_t)step);
    }
}

static void follows_the_model(void **state) {
    (void)state;
    struct wrn_heap heap;
    struct wrn_heap_node nodes[CAPACITY] = {0};
    struct model model[CAPACITY] = {0};
    struct wrn_prng prng;
    wrn_prng_init(&prng, check_seed(), 0);
    struct wrn_rand rand = wrn_prng_rand(&prng);
    start(&heap);
    for (uint64_t step = 1; step <= 50000; step++) {
        size_t i = wrn_rand_below(rand, CAPACITY);
        uint32_t action = wrn_rand_below(rand, 10);
        size_t first = model_first(model);
        if (action < 6) {
            wrn_mono due = {wrn_rand_below(rand, 20)};
            wrn_heap_set(&heap, &nodes[i], due);
            model[i] = (struct model){true, due.ns, step};
        } else if (action < 7) {
            wrn_heap_set(&heap, &nodes[i], WRN_MONO_NEVER);
            model[i].present = false;
        } else if (action < 8) {
            wrn_heap_remove(&heap, &nodes[i]);
            model[i].present = false;
        } else if (first < CAPACITY) {
            wrn_heap_remove(&heap, &nodes[first]);
            model[first].present = false;
        }
        assert_places(&heap, step);
        first = model_first(model);
        const struct wrn_heap_node *expected = first < CAPACITY ? &nodes[first] : NULL;
        CHECK(wrn_heap_first(&heap) == expected, "step %zu: ", (size_t)step);
        CHECK((nodes[i].place != 0) == model[i].present, "step %zu: ", (size_t)step);
    }
}

static void keeps_the_order_of_equal_deadlines(void **state) {
    (void)state;
    struct wrn_heap heap;
    struct wrn_heap_node nodes[CAPACITY] = {0};
    start(&heap);
    for (size_t i = 0; i < CAPACITY; i++) {
        wrn_heap_set(&heap, &nodes[i], (wrn_mono){7});
    }
    wrn_heap_set(&heap, &nodes[0], (wrn_mono){7}); /* set again: now the last */
    for (size_t i = 1; i <= CAPACITY; i++) {
        assert_ptr_equal(wrn_heap_first(&heap), &nodes[i % CAPACITY]);
        wrn_heap_remove(&heap, &nodes[i % CAPACITY]);
    }
    assert_null(wrn_heap_first(&heap));
    wrn_heap_remove(&heap, &nodes[0]); /* absent: nothing happens */
    wrn_heap_set(&heap, &nodes[0], WRN_MONO_NEVER);
    assert_null(wrn_heap_first(&heap));
}

static void overfill(void) {
    static struct wrn_heap_node nodes[CAPACITY + 1];
    struct wrn_heap heap;
    start(&heap);
    for (size_t i = 0; i <= CAPACITY; i++) {
        wrn_heap_set(&heap, &nodes[i], (wrn_mono){i});
    }
}

static void refuses_misuse(void **state) {
    (void)state;
    check_dies(overfill);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_model),
        cmocka_unit_test(keeps_the_order_of_equal_deadlines),
        cmocka_unit_test(refuses_misuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
