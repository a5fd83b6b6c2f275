/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: whole nodes find one another, link, part and come back. Method: small worlds in virtual
 * time, conditions waited for with a limit; then what was refused is counted. */
#include "unit/overlay/mesh.h"

#include "unit/base/check.h"

static uint64_t seed;

static bool is_ring(struct mesh *mesh) {
    return mesh_is_ring(mesh);
}

static void print_world(struct mesh *mesh) {
    for (uint32_t i = 0; i < mesh_count(mesh); i++) {
        struct mesh_node *node = mesh_node(mesh, i);
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
static void populate(struct mesh *mesh, uint32_t count, uint64_t apart_ms) {
    for (uint32_t i = 0; i < count; i++) {
        struct wrn_overlay_options options = mesh_options(mesh);
        uint32_t node = mesh_add(mesh, &options);
        mesh_start(mesh, node, node == 0 ? UINT32_MAX : 0);
        mesh_run(mesh, apart_ms);
    }
}

static void form(struct mesh *mesh, uint32_t count, uint64_t apart_ms, uint64_t limit_ms) {
    populate(mesh, count, apart_ms);
    if (!mesh_run_until(mesh, is_ring, limit_ms)) {
        print_world(mesh);
        fail_msg("%u nodes do not form a ring within %llu ms", count, (unsigned long long)limit_ms);
    }
}

static void two_nodes_join(void **state) {
    (void)state;
    struct mesh *mesh = mesh_create(seed);
    form(mesh, 2, 100, 10000);
    assert_true(mesh_has_link(mesh, 0, 1) && mesh_has_link(mesh, 1, 0));
    mesh_destroy(mesh);
}

static void three_nodes_join(void **state) {
    (void)state;
    struct mesh *mesh = mesh_create(seed);
    form(mesh, 3, 100, 20000);
    mesh_destroy(mesh);
}

static void fifty_nodes_join(void **state) {
    (void)state;
    struct mesh *mesh = mesh_create(seed);
    form(mesh, 50, 200, 60000);
    for (uint32_t i = 0; i < 50; i++) {
        assert_int_equal(mesh_node(mesh, i)->actions_lost, 0);
    }
    mesh_destroy(mesh);
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
