/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: every state has a deadline, and no node is called again and again without getting on.
 * Method: rings in the middle of all that can be under way fall silent, at drawn moments; minutes
 * later nothing is left of it in any table of any machine. The mesh itself sees that no node is due
 * in the past. */
#include <stdio.h>

#include "overlay/overlay_internal.h"
#include "unit/base/check.h"
#include "unit/overlay/mesh.h"
#include "unit/overlay/quiet.h"

enum { NODES = 12, SILENCE_MS = 10 * 60 * 1000, CALLS_A_MINUTE = 600 };

static uint64_t seed;

static bool is_ring(struct mesh *mesh) {
    return mesh_is_ring(mesh);
}

static bool keep_half_apart(void *ctx, struct mesh *mesh, uint32_t from,
                            const struct wrn_endpoint *to, uint8_t *bytes, size_t size) {
    (void)ctx;
    (void)bytes;
    (void)size;
    uint32_t other = 0;
    while (other + 1 < mesh_count(mesh) && !wrn_endpoint_equal(&mesh_node(mesh, other)->at, to)) {
        other++;
    }
    return from / 2 == other / 2 || (from + other) % 3 != 0; /* those pairs need relays */
}

static struct mesh *ring_of(bool with_relays) {
    struct mesh *mesh = mesh_create(seed);
    if (with_relays) {
        mesh_set_filter(mesh, keep_half_apart, NULL);
    }
    for (uint32_t i = 0; i < NODES; i++) {
        struct wrn_overlay_options options = mesh_options(mesh);
        uint32_t node = mesh_add(mesh, &options);
        mesh_start(mesh, node, node == 0 ? UINT32_MAX : 0);
        mesh_run(mesh, 200);
    }
    assert_true(with_relays || mesh_run_until(mesh, is_ring, 60000));
    mesh_run(mesh, 20000);
    return mesh;
}

/* Begins one of everything at a node. */
static void begin_all(struct mesh *mesh, uint32_t number, uint32_t turn) {
    struct wrn_overlay *overlay = mesh_node(mesh, number)->overlay;
    struct wrn_overlay_out *out = mesh_out(mesh);
    struct wrn_now now = mesh_now(mesh, number);
    char text[32];
    wrn_span key = {(const uint8_t *)text, 0};
    wrn_span value = {(const uint8_t *)"value", 5};
    key.size = (size_t)snprintf(text, sizeof(text), "name/%u", turn);
    (void)wrn_overlay_get(overlay, now, 1, key, out);
    mesh_perform(mesh, number);
    (void)wrn_overlay_store(overlay, now, 2, WRN_RECORD_CREATE, key, value, (wrn_span){0}, 36000, 0,
                            turn % 2 == 0, out);
    mesh_perform(mesh, number);
    (void)wrn_overlay_sum(overlay, now, 3, value, out);
    mesh_perform(mesh, number);
    (void)wrn_overlay_crawl(overlay, now, 4, 100, out);
    mesh_perform(mesh, number);
    (void)wrn_overlay_broadcast(overlay, now, value, out);
    mesh_perform(mesh, number);
    wrn_overlay_connect(overlay, now, (wrn_id){UINT64_C(0x123456789abcdef) * (turn + 1), turn},
                        out);
    mesh_perform(mesh, number);
    wrn_overlay_connect(overlay, now, mesh_node(mesh, (number + 5) % NODES)->id, out);
    mesh_perform(mesh, number);
}

static void expect_quiet(struct mesh *mesh, const char *when) {
    for (uint32_t i = 0; i < mesh_count(mesh); i++) {
        const struct mesh_node *node = mesh_node(mesh, i);
        if (node->is_up) {
            const char *left = quiet_what_is_left(node->overlay, mesh_now(mesh, i));
            CHECK(left == NULL, "%s, node %u still has %s: ", when, i, left ? left : "");
        }
    }
}

static void all_fall_silent(bool with_relays, const char *name) {
    for (uint32_t turn = 0; turn < 5; turn++) {
        char when[64];
        snprintf(when, sizeof(when), "%s, turn %u", name, turn);
        struct mesh *mesh = ring_of(with_relays);
        struct wrn_overlay_options options = mesh_options(mesh);
        uint32_t newcomer = mesh_add(mesh, &options);
        mesh_start(mesh, newcomer, 0);
        mesh_run(mesh, turn * 17); /* so that it is cut off in another word of its greeting */
        for (uint32_t i = 0; i < NODES; i++) {
            begin_all(mesh, i, turn * NODES + i);
        }
        mesh_run(mesh, turn * 31);
        for (uint32_t i = 0; i < mesh_count(mesh); i++) {
            mesh_node(mesh, i)->is_cut = true;
        }
        mesh_run(mesh, SILENCE_MS);
        expect_quiet(mesh, when);
        mesh_destroy(mesh);
    }
}

static void nothing_is_left_after_silence(void **state) {
    (void)state;
    all_fall_silent(false, "direct");
}

static void nothing_is_left_of_relays_after_silence(void **state) {
    (void)state;
    all_fall_silent(true, "relayed");
}

/* One node goes on hearing all that is said to it, and nobody hears it: one way is silent. */
static void nothing_is_left_when_nobody_hears(void **state) {
    (void)state;
    struct mesh *mesh = ring_of(false);
    for (uint32_t i = 0; i < NODES; i++) {
        begin_all(mesh, i, i);
    }
    mesh_set_network(mesh, 20, 100);
    mesh_run(mesh, SILENCE_MS);
    expect_quiet(mesh, "all datagrams lost");
    mesh_destroy(mesh);
}

/* A node alone, with endpoints where nobody answers and a record to keep, is called a few times a
 * minute, not more. */
static void a_lone_node_is_called_seldom(void **state) {
    (void)state;
    struct mesh *mesh = mesh_create(seed);
    struct wrn_overlay_options options = mesh_options(mesh);
    mesh_start(mesh, mesh_add(mesh, &options), UINT32_MAX);
    struct wrn_overlay *overlay = mesh_node(mesh, 0)->overlay;
    for (uint8_t i = 0; i < 5; i++) {
        struct wrn_endpoint nobody = {.port = 7};
        nobody.ip.family = WRN_FAMILY_IPV4;
        memcpy(nobody.ip.bytes, (uint8_t[]){12, 0, 0, i}, 4);
        assert_int_equal(wrn_overlay_add_bootstrap(overlay, &nobody), WRN_REASON_NONE);
    }
    begin_all(mesh, 0, 0);
    mesh_run(mesh, SILENCE_MS);
    uint32_t calls = 0;
    struct wrn_now now = mesh_now(mesh, 0);
    wrn_mono end = wrn_mono_add(now.mono, WRN_S(600));
    while (wrn_mono_before(wrn_overlay_due(overlay), end)) {
        now.mono = wrn_overlay_due(overlay);
        wrn_overlay_on_time(overlay, now, mesh_out(mesh));
        wrn_overlay_out_reset(mesh_out(mesh));
        CHECK(wrn_mono_before(now.mono, wrn_overlay_due(overlay)), "due at once, call %u: ", calls);
        calls++;
    }
    CHECK(calls <= 10 * CALLS_A_MINUTE / 10, "%u calls in 10 minutes: ", calls);
    assert_null(quiet_what_is_left(overlay, now));
    mesh_destroy(mesh);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_left_after_silence),
        cmocka_unit_test(nothing_is_left_of_relays_after_silence),
        cmocka_unit_test(nothing_is_left_when_nobody_hears),
        cmocka_unit_test(a_lone_node_is_called_seldom),
    };
    seed = check_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
