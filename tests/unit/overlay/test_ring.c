/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: nodes find their places and agree, in small rings exactly, and then keep quiet. Method: a
 * world of ring machines; all that are up are compared with the order of their places. */
#include "unit/overlay/ring_world.h"

static uint64_t size_of(const struct ringworld *world, uint32_t index) {
    return wrn_ring_size(world->nodes[index].ring);
}

static void alone_it_waits(void **state) {
    (void)state;
    struct ringworld *world = ringworld_create(check_seed(), 16);
    ringworld_start(world, UINT32_MAX);
    struct wrn_ring *ring = world->nodes[0].ring;
    ringworld_run(world, WRN_S(600));
    assert_int_equal(wrn_ring_state(ring), WRN_RING_STATE_ALONE);
    assert_int_equal(wrn_ring_size(ring), 1);
    assert_true(wrn_ring_due(ring).ns == UINT64_MAX);
    assert_int_equal(wrn_ring_crawl(ring, world->now, 1, 10), WRN_REASON_NOT_CONNECTED);
    assert_int_equal(world->messages, 0);
    ringworld_destroy(world);
}

/* All start at once by the first one; the size is exact on every node, and nothing moves later. */
static void small_rings_are_exact(void **state) {
    (void)state;
    uint64_t seed = check_seed();
    for (uint32_t nodes = 2; nodes <= 10; nodes++) {
        struct ringworld *world = ringworld_create(seed + nodes, 32);
        for (uint32_t i = 0; i < nodes; i++) {
            ringworld_start(world, i == 0 ? UINT32_MAX : 0);
        }
        ringworld_await_ring(world, WRN_S(15), WRN_MS(100), "%u nodes: ", nodes);
        ringworld_run(world, WRN_S(120));
        uint32_t changes = 0;
        for (uint32_t i = 0; i < nodes; i++) {
            CHECK(size_of(world, i) == nodes, "node %u of %u says %llu: ", i, nodes,
                  (unsigned long long)size_of(world, i));
            CHECK(world->nodes[i].links.count == nodes - 1 || nodes > 7, "%u nodes: ", nodes);
            changes += world->nodes[i].state_changes;
        }
        ringworld_run(world, WRN_S(1200));
        for (uint32_t i = 0; i < nodes; i++) {
            changes -= world->nodes[i].state_changes;
        }
        CHECK(changes == 0 && ringworld_explain(world), "%u nodes: ", nodes);
        ringworld_destroy(world);
    }
}

/* From two alone to many, one after the other: a newcomer has its place after a few round trips. */
static void one_after_the_other(void **state) {
    (void)state;
    struct ringworld *world = ringworld_create(check_seed(), 48);
    ringworld_start(world, UINT32_MAX);
    for (uint32_t i = 1; i < 50; i++) {
        ringworld_start(world, wrn_rand_below(wrn_prng_rand(&world->prng), i));
        wrn_mono start = world->now;
        ringworld_await_ring(world, WRN_S(10), WRN_MS(100), "node %u: ", i);
        /* leaf, want, links to the others of both sides: some twenty times the delay */
        CHECK(wrn_mono_since(world->now, start) <= WRN_S(4), "node %u took %llu ms: ", i,
              (unsigned long long)(wrn_mono_since(world->now, start) / WRN_MS(1)));
    }
    ringworld_destroy(world);
}

static void it_joins_on_bad_lines(void **state) {
    (void)state;
    struct ringworld *world = ringworld_create(check_seed(), 48);
    world->loss = 200;
    for (uint32_t i = 0; i < 30; i++) {
        ringworld_start(world, i == 0 ? UINT32_MAX : i / 2);
        ringworld_run(world, WRN_MS(200));
    }
    ringworld_await_ring(world, WRN_S(60), WRN_MS(500), "one message of five is lost: ");
    ringworld_destroy(world);
}

/* Who loses everybody is alone, and joins again by its next leaf. */
static void alone_again(void **state) {
    (void)state;
    struct ringworld *world = ringworld_create(check_seed(), 16);
    for (uint32_t i = 0; i < 4; i++) {
        ringworld_start(world, i == 0 ? UINT32_MAX : 0);
    }
    ringworld_await_ring(world, WRN_S(15), WRN_MS(100), "four nodes: ");
    ringworld_kill(world, 1);
    ringworld_kill(world, 2);
    ringworld_kill(world, 3);
    ringworld_run(world, WRN_S(30));
    assert_int_equal(wrn_ring_state(world->nodes[0].ring), WRN_RING_STATE_ALONE);
    assert_true(wrn_ring_due(world->nodes[0].ring).ns == UINT64_MAX ||
                wrn_mono_before(world->now, wrn_ring_due(world->nodes[0].ring)));
    assert_int_equal(size_of(world, 0), 1);
    ringworld_start(world, 0);
    ringworld_await_ring(world, WRN_S(15), WRN_MS(100), "two nodes: ");
    assert_int_equal(size_of(world, 0), 2);
    ringworld_destroy(world);
}

static uint64_t history(uint64_t seed) {
    struct ringworld *world = ringworld_create(seed, 48);
    world->loss = 50;
    for (uint32_t i = 0; i < 40; i++) {
        ringworld_start(world, i == 0 ? UINT32_MAX : i - 1);
        ringworld_run(world, WRN_MS(300));
    }
    ringworld_kill(world, 7);
    ringworld_run(world, WRN_S(60));
    uint64_t hash = world->hash;
    ringworld_destroy(world);
    return hash;
}

static void one_seed_one_history(void **state) {
    (void)state;
    uint64_t seed = check_seed();
    assert_true(history(seed) == history(seed));
    assert_true(history(seed) != history(seed + 1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alone_it_waits),      cmocka_unit_test(small_rings_are_exact),
        cmocka_unit_test(one_after_the_other), cmocka_unit_test(it_joins_on_bad_lines),
        cmocka_unit_test(alone_again),         cmocka_unit_test(one_seed_one_history),
    };
    return cmocka_run_group_tests_name("overlay/ring", tests, NULL, NULL);
}
