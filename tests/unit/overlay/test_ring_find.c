/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: crawls name the nodes in their order; whatever comes in a message or payload does no harm.
 * Method: a world of ring machines, whose order is known; bytes at random and almost right ones. */
#include "overlay/ring_internal.h"
#include "unit/overlay/ring_world.h"

static struct ringworld *settled(uint32_t nodes) {
    return ringworld_settled(nodes, 48, nodes < 20 ? 0 : WRN_MS(500), WRN_S(60));
}

static const struct ringworld_node *crawl(struct ringworld *world, uint32_t index, uint32_t limit) {
    struct ringworld_node *node = &world->nodes[index];
    node->found_count = 0;
    node->is_crawled = false;
    assert_int_equal(wrn_ring_crawl(node->ring, world->now, 77, limit), WRN_REASON_NONE);
    wrn_ring_on_time(node->ring, world->now);
    for (uint32_t i = 0; i < 6000 && !node->is_crawled; i++) {
        ringworld_run(world, WRN_MS(100));
        wrn_ring_on_time(node->ring, world->now);
    }
    assert_true(node->is_crawled);
    return node;
}

static void a_crawl_goes_round(void **state) {
    (void)state;
    for (uint32_t nodes = 2; nodes < 12; nodes++) {
        struct ringworld *world = settled(nodes);
        const struct ringworld_node *node = crawl(world, 1, 100);
        CHECK(node->found_count == nodes, "%u of %u: ", node->found_count, nodes);
        assert_int_equal(node->crawl_reason, WRN_REASON_NONE);
        ringworld_destroy(world);
    }
    struct ringworld *world = settled(80);
    world->loss = 20;
    const struct ringworld_node *node = crawl(world, 7, 1000);
    uint32_t count = 0;
    uint32_t *order = ringworld_order(world, &count);
    uint32_t place = 0;
    while (order[place] != 7) {
        place++;
    }
    CHECK(node->found_count == count, "%u of %u: ", node->found_count, count);
    for (uint32_t i = 0; i < count; i++) {
        assert_true(wrn_id_equal(node->found[i], world->nodes[order[(place + i) % count]].id));
    }
    assert_int_equal(node->crawl_reason, WRN_REASON_NONE);
    free(order);
    ringworld_destroy(world);
}

static void a_crawl_has_a_limit(void **state) {
    (void)state;
    struct ringworld *world = settled(40);
    for (uint32_t limit = 1; limit < 12; limit++) {
        const struct ringworld_node *node = crawl(world, 3, limit);
        CHECK(node->found_count == limit, "%u of %u: ", node->found_count, limit);
        assert_int_equal(node->crawl_reason, WRN_REASON_FULL);
        assert_true(wrn_id_equal(node->found[0], node->id));
    }
    struct wrn_ring *ring = world->nodes[3].ring;
    assert_int_equal(wrn_ring_crawl(ring, world->now, 77, 5), WRN_REASON_NONE);
    assert_int_equal(wrn_ring_crawl(ring, world->now, 77, 5), WRN_REASON_NONE);
    assert_int_equal(wrn_ring_crawl(ring, world->now, 77, 5), WRN_REASON_FULL);
    wrn_ring_crawl_stop(ring, 78);
    assert_int_equal(wrn_ring_crawl(ring, world->now, 78, 5), WRN_REASON_FULL);
    wrn_ring_crawl_stop(ring, 77);
    uint32_t found = world->nodes[3].found_count;
    ringworld_run(world, WRN_S(10));
    assert_int_equal(world->nodes[3].found_count, found); /* nothing for those given up */
    assert_int_equal(crawl(world, 3, 5)->found_count, 5);
    ringworld_destroy(world);
}

/* All that live are found, once, and none of the dead. */
static void expect_found(const struct ringworld *world, const struct ringworld_node *node) {
    for (uint32_t i = 0; i < world->count; i++) {
        uint32_t times = 0;
        for (uint32_t n = 0; n < node->found_count; n++) {
            times += wrn_id_equal(node->found[n], world->nodes[i].id);
        }
        CHECK(times == world->nodes[i].is_up, "node %u, %u times: ", i, times);
    }
}

/* Some have just died, and nobody has noticed: the crawl gets round, and misses nobody who lives,
 * nor names one of the dead. */
static void a_crawl_steps_over_the_dead(void **state) {
    (void)state;
    struct ringworld *world = settled(60);
    for (uint32_t i = 10; i < 20; i++) {
        ringworld_kill(world, i);
    }
    const struct ringworld_node *node = crawl(world, 3, 1000);
    assert_int_equal(node->crawl_reason, WRN_REASON_NONE);
    expect_found(world, node);
    ringworld_await_ring(world, WRN_S(60), WRN_MS(500), "after the crawl: ");
    node = crawl(world, 3, 1000);
    assert_int_equal(node->crawl_reason, WRN_REASON_NONE);
    expect_found(world, node);
    ringworld_destroy(world);
}

/* Three beside one another are dead, all that the last one before them names: the next one that
 * lives is not passed over, wherever the look behind them ends. These histories are always the
 * same ones: in them it did end beyond others, once one too far, once three. */
static void a_crawl_passes_nobody_over(void **state) {
    (void)state;
    static const uint64_t histories[] = {1, 41, 66};
    for (size_t h = 0; h < WRN_COUNT(histories); h++) {
        struct ringworld *world = ringworld_create(histories[h], 48);
        for (uint32_t i = 0; i < 50; i++) {
            ringworld_start(world, i == 0 ? UINT32_MAX : 0);
            ringworld_run(world, WRN_MS(500));
        }
        ringworld_await_ring(world, WRN_S(60), WRN_MS(500), "50 nodes: ");
        uint32_t count = 0;
        uint32_t *order = ringworld_order(world, &count);
        for (uint32_t i = 20; i < 23; i++) {
            ringworld_kill(world, order[i]);
        }
        const struct ringworld_node *node = crawl(world, order[0], 1000);
        CHECK(node->found_count == 47, "history %zu, %u found: ", h, node->found_count);
        free(order);
        ringworld_destroy(world);
    }
}

/* The dead stand right before who asks, and right behind it: the round is whole all the same. From
 * behind the first ones nobody but who asked could answer. */
static void expect_whole_beside_the_dead(uint64_t notice_ns, bool must_find) {
    static const uint32_t sizes[] = {3, 4, 5, 8, 40};
    for (size_t s = 0; s < WRN_COUNT(sizes); s++) {
        for (uint32_t dead = 1; dead <= 3 && dead < sizes[s]; dead++) {
            for (uint32_t is_before = 0; is_before < 2; is_before++) {
                struct ringworld *world = settled(sizes[s]);
                uint32_t count = 0;
                uint32_t *order = ringworld_order(world, &count);
                world->notice_ns = notice_ns;
                for (uint32_t i = 0; i < dead; i++) {
                    ringworld_kill(world, order[is_before ? count - 1 - i : 1 + i]);
                }
                if (dead + 1 < count) {
                    const struct ringworld_node *node = crawl(world, order[0], 1000);
                    CHECK(node->crawl_reason == WRN_REASON_NONE,
                          "%u dead of %u, before: %u, noticed after %u s: ", dead, count, is_before,
                          (uint32_t)(notice_ns / WRN_S(1)));
                    if (must_find) {
                        expect_found(world, node);
                    }
                }
                free(order);
                ringworld_destroy(world);
            }
        }
    }
}

static void a_crawl_is_whole_beside_the_dead(void **state) {
    (void)state;
    expect_whole_beside_the_dead(WRN_S(5), true);
}

/* The crawl gives the dead up before the ring does. (In this world nothing is sent around the dead
 * before they are noticed, so that somebody behind them may not be heard for as long.) */
static void a_crawl_is_whole_beside_the_dead_that_are_listed(void **state) {
    (void)state;
    expect_whole_beside_the_dead(WRN_S(18), false);
    expect_whole_beside_the_dead(WRN_S(30), false);
}

/* Bytes at random, and true messages with a byte changed or an end missing: refused or harmless.
 * One message leads to three at most. */
static void any_bytes_do_no_harm(void **state) {
    (void)state;
    struct ringworld *world = settled(30);
    struct ringworld_node *node = &world->nodes[3];
    struct wrn_rand rand = wrn_prng_rand(&world->prng);
    for (uint32_t i = 0; i < 20000; i++) {
        uint8_t bytes[200];
        size_t size = wrn_rand_below(rand, sizeof(bytes) + 1);
        wrn_rand_fill(rand, bytes, sizeof(bytes));
        struct wrn_link *link = &node->links.links[wrn_rand_below(rand, node->links.count)];
        if (i % 2 == 0) {
            bytes[0] = (uint8_t)(WRN_MESSAGE_STATUS + wrn_rand_below(rand, 2));
            bytes[5] = (uint8_t)wrn_rand_below(rand, 9);
            bytes[6] = (uint8_t)(wrn_rand_below(rand, 5) << 4 | wrn_rand_below(rand, 5));
            bytes[7] = (uint8_t)wrn_rand_below(rand, 8);
            uint32_t places = (bytes[6] >> 4) + (bytes[6] & 15u) + bytes[7] + (bytes[5] >> 2 & 1u);
            size = 8 + 12 * (size_t)places - wrn_rand_below(rand, 2);
            size = size > sizeof(bytes) ? sizeof(bytes) : size;
        }
        uint64_t messages = world->messages;
        wrn_ring_on_message(node->ring, world->now, link->peer, (wrn_span){bytes, size});
        assert_true(world->messages - messages <= 6);
        struct wrn_route_header header = {.source = world->nodes[9].id};
        bytes[0] = WRN_PAYLOAD_FIND;
        bytes[1] = (uint8_t)wrn_rand_below(rand, 4);
        wrn_ring_on_payload(node->ring, world->now, &header, link->peer, (wrn_span){bytes, size});
        wrn_ring_on_undelivered(node->ring, world->now, WRN_REASON_NOBODY_THERE,
                                (wrn_span){bytes, size});
        if (i % 100 == 0) {
            ringworld_run(world, WRN_MS(200));
        }
    }
    assert_true(wrn_ring_count(node->ring, WRN_RING_COUNT_MALFORMED) > 5000);
    /* Afterwards it has its place again. */
    ringworld_await_ring(world, WRN_S(1500), WRN_S(1), "afterwards: ");
    ringworld_destroy(world);
}

/* Views are read as written; places out of order are refused. */
static void views_are_read_as_written(void **state) {
    (void)state;
    struct ringworld *world = settled(30);
    struct ringworld_node *node = &world->nodes[3];
    struct wrn_ring_view view, read;
    uint8_t bytes[256];
    wrn_ring_view_make(node->ring, world->now, world->nodes[8].id, &view);
    assert_int_equal(view.left_count, 3);
    assert_int_equal(view.right_count, 3);
    assert_true(view.hint_count > 0 && view.is_connected);
    struct wrn_writer writer = wrn_writer(bytes, sizeof(bytes));
    wrn_ring_view_write(&writer, &view);
    struct wrn_reader reader = wrn_reader(wrn_written(&writer));
    assert_true(wrn_ring_view_read(&reader, node->id, &read));
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(wrn_id_equal(view.left[i], read.left[i]));
        assert_true(wrn_id_equal(view.right[i], read.right[i]));
    }
    for (size_t size = 0; size < writer.size; size++) {
        reader = wrn_reader((wrn_span){bytes, size});
        assert_false(wrn_ring_view_read(&reader, node->id, &read));
    }
    wrn_id first = view.left[0];
    view.left[0] = view.left[1];
    view.left[1] = first;
    writer = wrn_writer(bytes, sizeof(bytes));
    wrn_ring_view_write(&writer, &view);
    reader = wrn_reader(wrn_written(&writer));
    assert_false(wrn_ring_view_read(&reader, node->id, &read));
    ringworld_destroy(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crawl_goes_round),
        cmocka_unit_test(a_crawl_has_a_limit),
        cmocka_unit_test(a_crawl_steps_over_the_dead),
        cmocka_unit_test(a_crawl_passes_nobody_over),
        cmocka_unit_test(a_crawl_is_whole_beside_the_dead),
        cmocka_unit_test(a_crawl_is_whole_beside_the_dead_that_are_listed),
        cmocka_unit_test(any_bytes_do_no_harm),
        cmocka_unit_test(views_are_read_as_written),
    };
    return cmocka_run_group_tests_name("overlay/ring_find", tests, NULL, NULL);
}
