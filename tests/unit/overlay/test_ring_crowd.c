/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: hundreds of nodes: all start within a minute, half die, two rings meet, some lie. Method: a
 * world of ring machines with the router's decisions; what they agree on is compared with the order
 * of their places. */
#include "unit/overlay/ring_world.h"

enum { CROWD = 500, BOOTSTRAPS = 3, ROOM = 96 };

/* Starts 'count' nodes evenly over a minute. */
static void start(struct ringworld *world, uint32_t count) {
    struct wrn_rand rand = wrn_prng_rand(&world->prng);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t by = i == 0 ? UINT32_MAX : i < BOOTSTRAPS ? 0 : wrn_rand_below(rand, BOOTSTRAPS);
        ringworld_start(world, by);
        ringworld_run(world, WRN_S(60) / count);
    }
}

static void count_hops(const struct ringworld *world, uint32_t *ret_mean_100, uint32_t *ret_max) {
    uint32_t count = 0, sum = 0;
    uint32_t *order = ringworld_order(world, &count);
    struct wrn_prng prng;
    wrn_prng_init(&prng, 1, 1);
    *ret_max = 0;
    for (uint32_t i = 0; i < 2000; i++) {
        uint32_t from = order[wrn_rand_below(wrn_prng_rand(&prng), count)];
        uint32_t to = order[wrn_rand_below(wrn_prng_rand(&prng), count)];
        uint32_t hops = 0;
        assert_int_equal(
            ringworld_route(world, from, WRN_ROUTE_EXACT, world->nodes[to].id, false, &hops), to);
        sum += hops;
        *ret_max = hops > *ret_max ? hops : *ret_max;
    }
    *ret_mean_100 = sum / 20;
    free(order);
}

static void a_crowd_in_a_minute(void **state) {
    (void)state;
    struct ringworld *world = ringworld_create(check_seed(), ROOM);
    world->loss = 10;
    start(world, CROWD);
    wrn_mono last = world->now;
    ringworld_await_ring(world, WRN_S(60), WRN_MS(500), "a minute later: ");
    print_message("# consistent %llu ms after the last start\n",
                  (unsigned long long)(wrn_mono_since(world->now, last) / WRN_MS(1)));
    ringworld_run(world, WRN_S(180));
    uint32_t mean_100 = 0, max = 0;
    count_hops(world, &mean_100, &max);
    print_message("# hops: mean %u.%02u, most %u\n", mean_100 / 100, mean_100 % 100, max);
    assert_true(mean_100 <= 548); /* log2(500) / 2 + 1 */
    assert_true(max <= 17);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < CROWD; i++) {
        uint64_t size = wrn_ring_size(world->nodes[i].ring);
        CHECK(size > CROWD / 5 && size < CROWD * 5, "node %u says %llu: ", i,
              (unsigned long long)size);
        sum += size;
    }
    assert_true(sum / CROWD > CROWD * 8 / 10 && sum / CROWD < CROWD * 13 / 10);
    /* From then on next to nothing is said (pings are not of the ring). */
    ringworld_run(world, WRN_S(900));
    uint64_t bytes = world->bytes;
    ringworld_run(world, WRN_S(600));
    uint64_t rate = (world->bytes - bytes) / 600 / CROWD;
    print_message("# idle: %llu bytes a node and second\n", (unsigned long long)rate);
    assert_true(rate < 30);
    assert_true(ringworld_explain(world));
    /* One more has its place in a moment. */
    ringworld_start(world, 1);
    ringworld_await_ring(world, WRN_S(5), WRN_MS(100), "one more: ");
    ringworld_destroy(world);
}

/* Who has lost all of its links at once is brought back by a bootstrap, as whole nodes are
 * (join.h): the ring's machine alone can find nobody then. Returns how many these are. */
static uint32_t bring_back(struct ringworld *world) {
    uint32_t host = 0, count = 0;
    while (!world->nodes[host].is_up || world->nodes[host].links.count == 0) {
        host++;
        assert_true(host < world->count);
    }
    for (uint32_t i = 0; i < world->count; i++) {
        if (world->nodes[i].is_up && world->nodes[i].links.count == 0) {
            ringworld_leaf(world, i, host);
            count++;
        }
    }
    return count;
}

static void half_of_them_die(void **state) {
    (void)state;
    struct ringworld *world = ringworld_create(check_seed(), ROOM);
    world->loss = 10;
    start(world, 300);
    ringworld_await_ring(world, WRN_S(60), WRN_MS(500), "before they die: ");
    ringworld_run(world, WRN_S(60));
    for (uint32_t i = 0; i < world->count; i++) {
        if (wrn_rand_below(wrn_prng_rand(&world->prng), 2) == 0) {
            ringworld_kill(world, i);
        }
    }
    wrn_mono then = world->now;
    ringworld_run(world, WRN_S(20)); /* all dead ones have been noticed by now */
    uint32_t alone = bring_back(world);
    print_message("# %u had links to the dead alone\n", alone);
    assert_in_range(alone, 0, 2);
    ringworld_await_ring(world, WRN_S(160), WRN_MS(500), "three minutes later: ");
    print_message("# healed after %llu ms\n",
                  (unsigned long long)(wrn_mono_since(world->now, then) / WRN_MS(1)));
    ringworld_destroy(world);
}

/* Two rings whose places interleave. */
static struct ringworld *two_rings(void) {
    struct ringworld *world = ringworld_create(check_seed(), ROOM);
    world->loss = 10;
    for (uint32_t i = 0; i < 400; i++) {
        ringworld_start(world, i < 2 ? UINT32_MAX : i % 2);
        ringworld_run(world, WRN_MS(150));
    }
    ringworld_run(world, WRN_S(120));
    assert_false(ringworld_is_consistent(world));
    for (uint32_t i = 0; i < world->count; i++) {
        assert_int_equal(wrn_ring_state(world->nodes[i].ring), WRN_RING_STATE_CONNECTED);
    }
    return world;
}

static void await_one_ring(struct ringworld *world) {
    wrn_mono then = world->now;
    ringworld_await_ring(world, WRN_S(70), WRN_MS(500), "a minute later: ");
    print_message("# one ring after %llu ms\n",
                  (unsigned long long)(wrn_mono_since(world->now, then) / WRN_MS(1)));
}

static void two_rings_meet(void **state) {
    (void)state;
    struct ringworld *world = two_rings();
    ringworld_leaf(world, 200, 201); /* the only contact */
    await_one_ring(world);
    ringworld_destroy(world);
}

/* Counts how many of the three on either side of a place in the order are of the same ring. */
static uint32_t count_own(const uint32_t *order, uint32_t count, uint32_t at) {
    uint32_t own = 0;
    for (uint32_t n = 1; n <= 3; n++) {
        own += order[(at + n) % count] % 2 == order[at] % 2;
        own += order[(at + count - n) % count] % 2 == order[at] % 2;
    }
    return own;
}

/* The one that makes the contact has no place among its nearest for anybody of the other ring; the
 * one that it meets has. */
static void one_end_finds_the_other_ring(void **state) {
    (void)state;
    struct ringworld *world = two_rings();
    uint32_t count = 0;
    uint32_t *order = ringworld_order(world, &count);
    uint32_t from = 0;
    uint32_t to = 0;
    for (uint32_t i = 0; i < count; i++) {
        from = count_own(order, count, i) > count_own(order, count, from) ? i : from;
    }
    while (order[to] % 2 == order[from] % 2 || count_own(order, count, to) > 3) {
        to++;
        assert_true(to < count);
    }
    ringworld_leaf(world, order[from], order[to]);
    free(order);
    await_one_ring(world);
    ringworld_destroy(world);
}

/* Every tenth names places beside each reader where nobody is, ever new ones, and leaves the reader
 * out. All others are connected all the same, and linked to their true neighbours; what the liars
 * cost has a bound. */
static void some_lie(void **state) {
    (void)state;
    struct ringworld *world = ringworld_create(check_seed(), ROOM);
    for (uint32_t i = 0; i < 100; i++) {
        ringworld_start(world, i == 0 ? UINT32_MAX : 0);
        world->nodes[i].lies = i % 10 == 9;
        ringworld_run(world, WRN_MS(500));
    }
    ringworld_await_ring(world, WRN_S(300), WRN_S(1), "five minutes later: ");
    ringworld_run(world, WRN_S(900));
    uint64_t wants = 0;
    for (uint32_t i = 0; i < world->count; i++) {
        wants += wrn_ring_count(world->nodes[i].ring, WRN_RING_COUNT_WANTS);
    }
    print_message("# %llu links wanted by a node\n", (unsigned long long)(wants / world->count));
    assert_true(wants / world->count < 600);
    ringworld_destroy(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crowd_in_a_minute),
        cmocka_unit_test(half_of_them_die),
        cmocka_unit_test(two_rings_meet),
        cmocka_unit_test(one_end_finds_the_other_ring),
        cmocka_unit_test(some_lie),
    };
    return cmocka_run_group_tests_name("overlay/ring_crowd", tests, NULL, NULL);
}
