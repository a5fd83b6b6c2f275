/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: the table has its links in the order of the ring, and answers what lies nearest. Method: a
 * list without order as the model, random adds and removes. */
#include "overlay/links.h"

#include "base/rand.h"
#include "unit/base/check.h"

enum { CAPACITY = 40, KEYS = 60 };

static _Alignas(64) uint8_t memory[CAPACITY * sizeof(struct wrn_link) + 64];

struct model {
    wrn_id self;
    wrn_id ids[KEYS];
    bool present[KEYS];
    bool is_leaf[KEYS];
    uint32_t count;
};

static wrn_id draw(struct wrn_rand rand) {
    uint8_t bytes[WRN_ID_SIZE];
    wrn_rand_fill(rand, bytes, sizeof(bytes));
    return wrn_id_load(bytes);
}

static wrn_handle handle(uint32_t key) {
    return (wrn_handle){key, 1};
}

static void start(struct wrn_links *links, wrn_id self, uint32_t capacity) {
    struct wrn_arena arena;
    memset(memory, 0, sizeof(memory));
    wrn_arena_init(&arena, memory, sizeof(memory));
    wrn_links_init(links, &arena, self, capacity);
}

/* Returns how many of the model's links lie before 'id', clockwise of us. */
static uint32_t model_before(const struct model *model, wrn_id id) {
    uint32_t before = 0;
    for (uint32_t i = 0; i < KEYS; i++) {
        before += model->present[i] && wrn_id_is_between(model->self, model->ids[i], id);
    }
    return before;
}

static uint32_t model_rank(const struct model *model, wrn_id target, wrn_id id, uint32_t except) {
    uint32_t rank = 0;
    for (uint32_t i = 0; i < KEYS; i++) {
        rank += i != except && model->present[i] && !model->is_leaf[i] &&
                wrn_id_is_nearer(target, model->ids[i], id);
    }
    return rank;
}

static void compare(const struct wrn_links *links, const struct model *model,
                    struct wrn_rand rand) {
    assert_int_equal(links->count, model->count);
    for (uint32_t i = 0; i < KEYS; i++) {
        const struct wrn_link *link = wrn_links_of(links, handle(i));
        assert_ptr_equal(link, wrn_links_at(links, model->ids[i]));
        assert_int_equal(link != NULL, model->present[i]);
        if (link != NULL) {
            uint32_t before = model_before(model, link->id);
            assert_ptr_equal(wrn_links_right(links, before), link);
            assert_ptr_equal(wrn_links_left(links, model->count - 1 - before), link);
            assert_true(wrn_id_equal(link->id, model->ids[i]));
        }
    }
    assert_null(wrn_links_right(links, model->count));
    assert_null(wrn_links_left(links, model->count));
    wrn_id target = draw(rand);
    uint32_t except = wrn_rand_below(rand, KEYS);
    bool is_nearest = model_rank(model, target, model->self, except) == 0;
    assert_int_equal(wrn_links_is_nearest(links, target, handle(except)), is_nearest);
    is_nearest = model_rank(model, target, model->self, KEYS) == 0;
    assert_int_equal(wrn_links_is_nearest(links, target, WRN_HANDLE_NONE), is_nearest);
    wrn_id other = wrn_rand_below(rand, 2) == 0 ? model->ids[except] : draw(rand);
    uint32_t rank = model_rank(model, target, other, KEYS) +
                    (wrn_id_is_nearer(target, model->self, other) ? 1 : 0);
    assert_int_equal(wrn_links_rank(links, target, other), rank);
}

static void follows_the_model(void **state) {
    (void)state;
    struct wrn_prng prng;
    wrn_prng_init(&prng, check_seed(), 0);
    struct wrn_rand rand = wrn_prng_rand(&prng);
    for (uint32_t run = 0; run < 20; run++) {
        static struct wrn_links links;
        struct model model = {.self = draw(rand)};
        for (uint32_t i = 0; i < KEYS; i++) {
            model.ids[i] = draw(rand);
        }
        start(&links, model.self, CAPACITY);
        for (uint32_t step = 0; step < 500; step++) {
            uint32_t key = wrn_rand_below(rand, KEYS);
            if (model.present[key]) {
                wrn_links_remove(&links, handle(key));
                model.present[key] = false;
                model.count--;
            } else {
                struct wrn_link *link = wrn_links_add(&links, handle(key), model.ids[key]);
                assert_int_equal(link == NULL, model.count == CAPACITY);
                if (link != NULL) {
                    model.present[key] = true;
                    model.is_leaf[key] = wrn_rand_below(rand, 4) == 0;
                    model.count++;
                    link->theirs = model.is_leaf[key] ? WRN_LINK_LEAF : WRN_LINK_SHORTCUT;
                }
            }
            compare(&links, &model, rand);
        }
    }
}

static void a_new_link_is_zero(void **state) {
    (void)state;
    struct wrn_links links;
    start(&links, (wrn_id){1, 0}, 2);
    struct wrn_link *link = wrn_links_add(&links, handle(1), (wrn_id){2, 0});
    assert_non_null(link);
    memset(link, 0xff, sizeof(*link));
    link->peer = handle(1);
    wrn_links_remove(&links, handle(1));
    wrn_links_remove(&links, handle(1)); /* not there any more */
    link = wrn_links_add(&links, handle(2), (wrn_id){3, 0});
    assert_non_null(link);
    assert_int_equal(link->mine | link->theirs | link->view_left | link->view_right, 0);
    assert_false(link->is_suspect || link->is_relayed);
    assert_int_equal(link->rtt_us, 0);
    assert_true(wrn_link_is_of_ring(link));
    link->mine = WRN_LINK_LEAF;
    assert_false(wrn_link_is_of_ring(link));
    link->theirs = WRN_LINK_NEAR;
    assert_true(wrn_link_is_of_ring(link));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_model),
        cmocka_unit_test(a_new_link_is_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
