/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: whole nodes find one another, link, part and come back. Method: small worlds in virtual
 * time, conditions waited for with a limit; then what was refused is counted. */
#include "unit/overlay/overlay_world.h"

#include "unit/base/check.h"

static uint64_t seed;

static bool is_ring(struct world *world) {
    return world_is_ring(world);
}

static void print_world(struct world *world) {
    for (uint32_t i = 0; i < world_count(world); i++) {
        struct world_node *node = world_node(world, i);
        if (!node->is_up) {
            continue;
        }
        print_error("# node %u: state %d, %u links, %u up, %u down (%s)", i,
                    (int)wrn_overlay_state(node->overlay), wrn_overlay_links(node->overlay)->count,
                    node->ups, node->downs, wrn_reason_name(node->down_reason));
        for (int r = 1; r < WRN_REASON_COUNT; r++) {
            uint64_t refused = wrn_overlay_refused(node->overlay, (enum wrn_reason)r);
            if (refused > 0) {
                print_error(" %s=%llu", wrn_reason_name((enum wrn_reason)r),
                            (unsigned long long)refused);
            }
        }
        print_error("\n");
    }
}

/* Adds 'count' nodes, the later ones knowing the first, and starts them 'apart_ms' apart. */
static void populate(struct world *world, uint32_t count, uint64_t apart_ms) {
    for (uint32_t i = 0; i < count; i++) {
        struct wrn_overlay_options options = world_options(world);
        uint32_t node = world_add(world, &options);
        world_start(world, node, node == 0 ? UINT32_MAX : 0);
        world_run(world, apart_ms);
    }
}

static void form(struct world *world, uint32_t count, uint64_t apart_ms, uint64_t limit_ms) {
    populate(world, count, apart_ms);
    if (!world_run_until(world, is_ring, limit_ms)) {
        print_world(world);
        fail_msg("%u nodes do not form a ring within %llu ms", count,
                 (unsigned long long)limit_ms);
    }
}

static void two_nodes_join(void **state) {
    (void)state;
    struct world *world = world_create(seed);
    form(world, 2, 100, 10000);
    assert_true(world_has_link(world, 0, 1) && world_has_link(world, 1, 0));
    world_destroy(world);
}

static void three_nodes_join(void **state) {
    (void)state;
    struct world *world = world_create(seed);
    form(world, 3, 100, 20000);
    world_destroy(world);
}

static void fifty_nodes_join(void **state) {
    (void)state;
    struct world *world = world_create(seed);
    form(world, 50, 200, 60000);
    for (uint32_t i = 0; i < 50; i++) {
        assert_int_equal(world_node(world, i)->actions_lost, 0);
    }
    world_destroy(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_nodes_join),
        cmocka_unit_test(three_nodes_join),
        cmocka_unit_test(fifty_nodes_join),
    };
    seed = check_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
