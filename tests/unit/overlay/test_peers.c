/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: where all places for peers are taken, who is needed least gives way, in the order that
 * docs/ring/linking.md states, and nobody else. Method: one node whose table is filled with peers
 * that are wanted for this or that, of any age; then one more comes, again and again. */
#include "base/wire.h"
#include "overlay/overlay_internal.h"
#include "overlay/relay_state.h"
#include "unit/base/check.h"
#include "unit/overlay/mesh.h"

enum { PLACES = 16, OLD_S = 100, YOUNG_S = 3 };

static struct mesh *mesh;
static struct wrn_overlay *overlay;
static uint32_t serial;

static void begin(void) {
    serial = 0;
    mesh = mesh_create(check_seed());
    struct wrn_overlay_options options = mesh_options(mesh);
    options.peers_max = PLACES;
    mesh_start(mesh, mesh_add(mesh, &options), UINT32_MAX);
    mesh_run(mesh, 1000000);
    overlay = mesh_node(mesh, 0)->overlay;
}

static void input(void) {
    wrn_overlay_begin(overlay, mesh_now(mesh, 0), mesh_out(mesh));
}

static void done(void) {
    wrn_overlay_end(overlay);
    mesh_perform(mesh, 0);
}

/* A place beside ours, to the right or left in turn; or far away, one behind the other. */
static wrn_id place(bool is_beside) {
    uint32_t n = serial++;
    wrn_id way = is_beside ? (wrn_id){0, 1 + n / 2} : (wrn_id){UINT64_C(1) << 62, n};
    return is_beside && n % 2 == 0 ? wrn_id_subtract(overlay->id, way)
                                   : wrn_id_add(overlay->id, way);
}

/* Returns the handle of a new peer, NONE if there is no room for one that is wanted for 'kind'. */
static wrn_handle try_add(uint8_t kind, wrn_id id) {
    static const uint8_t clamp = 8;
    struct wrn_locator locator = {.id = id};
    enum wrn_reason reason = WRN_REASON_NONE;
    wrn_store_be64(locator.tunnel_key, id.high | clamp);
    wrn_store_be64(locator.tunnel_key + 8, id.low);
    wrn_store_be64(locator.public_key, id.low);
    input();
    struct wrn_overlay_peer *peer = wrn_peers_add(overlay, &locator, NULL, 0, kind, &reason);
    wrn_handle handle = peer ? peer->handle : WRN_HANDLE_NONE;
    done();
    assert_true(peer || reason == WRN_REASON_FULL);
    return handle;
}

/* One that is up: the other side wants it for 'kind' since 'age_s'. */
static void bring_up(wrn_handle handle, uint8_t kind, uint32_t age_s) {
    struct wrn_overlay_peer *peer = wrn_peers_get(overlay, handle);
    assert_non_null(peer);
    input();
    wrn_peers_set_state(overlay, peer, WRN_PEER_STATE_SEARCHING);
    wrn_peers_set_state(overlay, peer, WRN_PEER_STATE_GREETING);
    peer->theirs = kind ? kind : WRN_LINK_SHORTCUT;
    wrn_peers_up(overlay, peer);
    wrn_peers_take_theirs(overlay, peer, kind); /* 0: not any more */
    struct wrn_link *link = wrn_links_of(&overlay->links, handle);
    link->since.ns -= WRN_S(age_s);
    done();
    assert_int_equal(wrn_peers_kinds(overlay, peer) & ~WRN_LINK_NEAR, 0);
}

static wrn_handle fill(uint8_t kind, uint32_t age_s) {
    bool is_near = kind == WRN_LINK_NEAR;
    wrn_handle handle = try_add(WRN_LINK_NEAR, place(is_near));
    bring_up(handle, kind, age_s);
    return handle;
}

/* All are reached directly: no datagrams are needed to prove it. */
static wrn_handle find_direct(void *ctx, wrn_id id, bool *ret_is_direct) {
    const struct wrn_overlay_peer *peer = wrn_peers_at(ctx, id);
    *ret_is_direct = peer != NULL;
    return peer ? peer->handle : WRN_HANDLE_NONE;
}

/* Two that speak with one another through us. */
static void fill_relayed(uint32_t age_s, wrn_handle ret[2]) {
    uint8_t ask[18];
    overlay->relay->port.find = find_direct;
    for (uint32_t i = 0; i < 2; i++) {
        ret[i] = fill(WRN_LINK_OVERLAP, age_s + 1 - i);
        input();
        wrn_relay_set_willing(overlay->relay, ret[i], true);
        done();
    }
    struct wrn_writer writer = wrn_writer(ask, sizeof(ask));
    wrn_write_u16(&writer, WRN_MESSAGE_RELAY << 8 | 1);
    wrn_write_u32(&writer, serial);
    wrn_write_id(&writer, wrn_peers_get(overlay, ret[1])->id);
    input();
    wrn_relay_on_message(overlay->relay, overlay->now.mono, ret[0], wrn_written(&writer));
    done();
    for (uint32_t i = 0; i < 2; i++) {
        assert_true(wrn_relay_is_used(overlay->relay, ret[i]));
    }
}

static bool is_there(wrn_handle handle) {
    return wrn_peers_get(overlay, handle) != NULL;
}

/* One more comes: of 'all' exactly 'expected' gives way. */
static void expect_next(uint8_t kind, const wrn_handle *all, size_t count, size_t expected) {
    bool was_there[PLACES];
    for (size_t i = 0; i < count; i++) {
        was_there[i] = is_there(all[i]);
    }
    wrn_handle comer = try_add(kind, place(false));
    CHECK(is_there(comer), "no room though %zu is there: ", expected);
    for (size_t i = 0; i < count; i++) {
        CHECK(is_there(all[i]) == (was_there[i] && i != expected), "%zu, not %zu: ", i, expected);
    }
    bring_up(comer, WRN_LINK_NEAR, 0);
}

static void expect_full(uint8_t kind) {
    uint32_t live = overlay->pool.live;
    wrn_handle comer = try_add(kind, place(false));
    assert_false(is_there(comer));
    assert_int_equal(overlay->pool.live, live);
}

/* For a neighbour all go but neighbours: whom nobody needs first, relays in use last, of equals who
 * is there longest. */
static void a_neighbour_displaces_in_this_order(void **state) {
    (void)state;
    wrn_handle all[10];
    begin();
    for (uint32_t i = 0; i < 6; i++) {
        fill(WRN_LINK_NEAR, OLD_S);
    }
    all[7] = fill(WRN_LINK_SHORTCUT, YOUNG_S);
    all[6] = fill(WRN_LINK_SHORTCUT, OLD_S);
    all[5] = fill(WRN_LINK_SHORTCUT, OLD_S + 1);
    all[4] = fill(WRN_LINK_ON_DEMAND, OLD_S);
    all[3] = fill(WRN_LINK_OVERLAP, OLD_S);
    all[2] = fill(WRN_LINK_LEAF, OLD_S + 1);
    all[1] = fill(0, OLD_S);
    all[0] = fill(0, OLD_S + 1);
    fill_relayed(OLD_S, &all[8]);
    assert_int_equal(overlay->pool.live, PLACES);
    for (size_t i = 0; i < 9; i++) {
        expect_next(WRN_LINK_NEAR, all, WRN_COUNT(all), i);
    }
    assert_false(wrn_relay_is_used(overlay->relay, all[9])); /* its other end is gone */
    expect_next(WRN_LINK_NEAR, all, WRN_COUNT(all), 9);
    expect_full(WRN_LINK_NEAR);
    mesh_destroy(mesh);
}

/* What others want of us, young shortcuts and relays in use stay for newcomers and users; traffic
 * stays for users, and shortcuts take nothing of what is needed. */
static void who_gives_way_to_whom(void **state) {
    (void)state;
    wrn_handle all[5];
    begin();
    for (uint32_t i = 0; i < 9; i++) {
        fill(WRN_LINK_NEAR, OLD_S);
    }
    wrn_handle pair[2];
    fill_relayed(OLD_S, pair);
    fill(WRN_LINK_SHORTCUT, YOUNG_S);
    all[3] = fill(WRN_LINK_SHORTCUT, OLD_S);
    all[2] = fill(WRN_LINK_ON_DEMAND, OLD_S);
    all[1] = fill(WRN_LINK_OVERLAP, OLD_S);
    all[0] = fill(0, OLD_S);
    assert_int_equal(overlay->pool.live, PLACES);
    expect_next(WRN_LINK_SHORTCUT, all, 4, 0);
    expect_next(WRN_LINK_SHORTCUT, all, 4, 1);
    expect_full(WRN_LINK_SHORTCUT);
    expect_next(WRN_LINK_ON_DEMAND, all, 4, 3);
    expect_full(WRN_LINK_ON_DEMAND);
    expect_full(WRN_LINK_OVERLAP);
    expect_next(WRN_LINK_LEAF, all, 4, 2);
    expect_full(WRN_LINK_LEAF);
    assert_true(is_there(pair[0]) && is_there(pair[1]));
    mesh_destroy(mesh);
}

/* A node that all know (a bootstrap node) is asked to relay by many. They must not fill it so that
 * nobody is let into the ring any more. */
static void newcomers_take_the_place_of_relays(void **state) {
    (void)state;
    wrn_handle pairs[PLACES / 2];
    begin();
    for (uint32_t i = 0; i < PLACES - WRN_COUNT(pairs); i++) {
        fill(WRN_LINK_NEAR, OLD_S);
    }
    for (uint32_t i = 0; i < WRN_COUNT(pairs); i += 2) {
        fill_relayed(OLD_S - 2 * i, &pairs[i]);
    }
    assert_int_equal(overlay->pool.live, PLACES);
    expect_full(WRN_LINK_SHORTCUT);
    expect_full(WRN_LINK_OVERLAP);
    expect_next(WRN_LINK_LEAF, pairs, WRN_COUNT(pairs), 0); /* half of the places are relays */
    expect_next(WRN_LINK_LEAF, pairs, WRN_COUNT(pairs), 1); /* its other end: not used any more */
    expect_full(WRN_LINK_LEAF);                             /* the others stay */
    mesh_destroy(mesh);
}

/* ---- which relays a locator names ---- */

static struct wrn_locator own_locator(void) {
    struct wrn_locator locator;
    input();
    wrn_span bytes = wrn_overlay_own_locator(overlay);
    enum wrn_reason reason =
        wrn_locator_read(bytes, overlay->primitives, overlay->ring_hash, &locator);
    done();
    assert_int_equal(reason, WRN_REASON_NONE);
    return locator;
}

/* Whoever looks for a relay to us would ask in vain where we have no link any more; and all that
 * are named are remembered, since the best ones are those that are full. */
static void relays_of_a_locator(void **state) {
    (void)state;
    wrn_handle relays[WRN_LOCATOR_RELAYS_MAX];
    enum wrn_reason reason = WRN_REASON_NONE;
    begin();
    for (uint32_t i = 0; i < WRN_COUNT(relays); i++) {
        relays[i] = try_add(WRN_LINK_NEAR, place(false));
        wrn_peers_get(overlay, relays[i])->relays_for_others = true;
        bring_up(relays[i], WRN_LINK_SHORTCUT, OLD_S);
    }
    mesh_run(mesh, 1000);
    assert_int_equal(own_locator().relay_count, WRN_COUNT(relays));
    input();
    wrn_peers_remove(overlay, wrn_peers_get(overlay, relays[1]), WRN_REASON_FULL, false);
    done();
    struct wrn_locator locator = own_locator();
    assert_int_equal(locator.relay_count, WRN_COUNT(relays) - 1);

    locator = (struct wrn_locator){.id = place(false), .relay_count = WRN_LOCATOR_RELAYS_MAX};
    locator.tunnel_key[0] = 8;
    for (uint32_t i = 0; i < WRN_LOCATOR_RELAYS_MAX; i++) {
        locator.relay_ids[i] = place(false);
    }
    input();
    struct wrn_overlay_peer *peer =
        wrn_peers_add(overlay, &locator, NULL, 0, WRN_LINK_NEAR, &reason);
    assert_non_null(peer);
    assert_int_equal(peer->relay_count, WRN_LOCATOR_RELAYS_MAX);
    assert_memory_equal(peer->relays, locator.relay_ids, sizeof(locator.relay_ids));
    done();
    mesh_destroy(mesh);
}

/* ---- whose node is full when the answer to its user's request comes ---- */

/* Any other link, and one that nobody needs any more, would give way. */
static bool all_are_near(struct mesh *world) {
    const struct wrn_links *links = wrn_overlay_links(mesh_node(world, 0)->overlay);
    for (uint32_t i = 0; i < links->count; i++) {
        if (((links->links[i].mine | links->links[i].theirs) & WRN_LINK_NEAR) == 0) {
            return false;
        }
    }
    return true;
}

static void a_user_waits_for_room(void **state) {
    (void)state;
    enum { NODES = 10 };
    wrn_handle young[PLACES];
    uint32_t count = 0, other = 0;
    mesh = mesh_create(check_seed());
    serial = 0;
    for (uint32_t i = 0; i < NODES; i++) {
        struct wrn_overlay_options options = mesh_options(mesh);
        options.peers_max = PLACES;
        mesh_start(mesh, mesh_add(mesh, &options), i == 0 ? UINT32_MAX : 0);
    }
    assert_true(mesh_run_until(mesh, mesh_is_ring, 60000));
    mesh_run(mesh, 60000);
    assert_true(mesh_run_until(mesh, all_are_near, 300000));
    overlay = mesh_node(mesh, 0)->overlay;
    for (uint32_t i = 1; i < NODES; i++) {
        other = mesh_has_link(mesh, 0, i) ? other : i;
    }
    assert_int_not_equal(other, 0);
    while (overlay->pool.live < PLACES) {
        young[count++] = fill(WRN_LINK_SHORTCUT, 0);
    }
    wrn_overlay_connect(overlay, mesh_now(mesh, 0), mesh_node(mesh, other)->id, mesh_out(mesh));
    mesh_perform(mesh, 0);
    mesh_run(mesh, 700); /* the answer came; there was no room */
    assert_int_equal(mesh_node(mesh, 0)->failed, 0);
    assert_false(mesh_has_link(mesh, 0, other));
    for (uint32_t i = 0; i < count; i++) {
        wrn_links_of(&overlay->links, young[i])->since.ns -= WRN_S(60);
    }
    for (uint32_t i = 0; i < 10 && !mesh_has_link(mesh, 0, other); i++) {
        mesh_run(mesh, 1000);
    }
    assert_true(mesh_has_link(mesh, 0, other));
    assert_int_equal(mesh_node(mesh, 0)->failed, 0);
    mesh_destroy(mesh);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_neighbour_displaces_in_this_order),
        cmocka_unit_test(who_gives_way_to_whom),
        cmocka_unit_test(newcomers_take_the_place_of_relays),
        cmocka_unit_test(relays_of_a_locator),
        cmocka_unit_test(a_user_waits_for_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
