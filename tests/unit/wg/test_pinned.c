/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a peer whose path the caller decides is reached by that path and no other, whatever comes
 * from wherever; and a path says all of how a datagram travels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wg/path_cell.h"
#include "world.h"

enum { SIZE = 100, HANDSHAKES_PER_S = 500 };

/* How side 1 reaches side 0 in these tests. */
static struct wrn_path relayed(const struct world *w, uint64_t slot) {
    return (struct wrn_path){.remote = w->side[0].endpoint, .kind = WRN_PATH_RELAY, .slot = slot};
}

static struct wrn_path path_of(const struct world *w, int side, int other) {
    return world_info(w, side, other).path;
}

/* All that side 1 sends takes the path of 'expected'. */
static struct wrn_path expected;
static bool takes_the_path(struct world *w, struct world_datagram *datagram) {
    (void)w;
    assert_true(datagram->from != 1 || wrn_path_equal(&datagram->path, &expected));
    return true;
}

static struct world *create(bool is_pinned) {
    struct world *w = world_create(3, 2, HANDSHAKES_PER_S);
    expected = relayed(w, UINT64_C(0x8877665544332211));
    wrn_wg_peer_set_path(w->side[1].wg, world_peer(w, 1, 0), &expected);
    wrn_wg_peer_set_pinned(w->side[1].wg, world_peer(w, 1, 0), is_pinned);
    w->filter = is_pinned ? takes_the_path : NULL;
    return w;
}

/* Method: answers, packets, keepalives and new handshakes in both directions, for longer than a
 * session lasts, while the other end comes from ever new places. */
static void everything_takes_the_set_path(void **state) {
    (void)state;
    struct world *w = create(true);
    assert_true(world_info(w, 1, 0).is_pinned);
    assert_false(world_info(w, 0, 1).is_pinned);
    wrn_wg_peer_set_keepalive(w->side[1].wg, w->now, world_peer(w, 1, 0), 25);
    for (uint16_t round = 0; round < 20; round++) {
        world_send(w, 0, 1, SIZE, round);
        world_send(w, 1, 0, SIZE, round);
        world_advance(w, WRN_S(37));
        w->side[0].endpoint.port = (uint16_t)(2000 + round); /* whence it sends, and gets, now */
        expected.remote = w->side[0].endpoint;
        struct wrn_path path = path_of(w, 1, 0);
        path.remote = expected.remote;
        assert_true(wrn_path_equal(&path, &expected)); /* nothing but what we change */
        wrn_wg_peer_set_path(w->side[1].wg, world_peer(w, 1, 0), &expected);
    }
    assert_int_equal(w->side[0].delivered, 20);
    assert_int_equal(w->side[1].delivered, 20);
    assert_true(w->side[1].sent[WRN_WG_TYPE_INITIATION] + w->side[1].sent[WRN_WG_TYPE_RESPONSE] >
                5);
    assert_int_equal(world_events(w, 1, WRN_WG_EVENT_ROAMED), 0);
    assert_int_equal(path_of(w, 0, 1).kind, WRN_PATH_DIRECT); /* side 0 follows as ever */
    assert_int_equal(path_of(w, 0, 1).local.family, WRN_FAMILY_IPV4);
    world_destroy(w);
}

/* The same without the pin: the path is left for where the messages come from. */
static void others_follow(void **state) {
    (void)state;
    struct world *w = create(false);
    world_send(w, 0, 1, SIZE, 0);
    struct wrn_path path = path_of(w, 1, 0);
    assert_int_equal(path.kind, WRN_PATH_DIRECT);
    assert_int_equal(path.slot, 0);
    assert_int_equal(path.local.family, WRN_FAMILY_IPV4);
    w->side[0].endpoint.port = 4000;
    world_send(w, 0, 1, SIZE, 1);
    assert_int_equal(path_of(w, 1, 0).remote.port, 4000);
    assert_int_equal(world_events(w, 1, WRN_WG_EVENT_ROAMED), 1);
    assert_int_equal(w->side[1].delivered, 2);
    world_destroy(w);
}

/* A peer that is pinned to nowhere can neither be answered nor sent to, and gets a place later. */
static void nowhere_is_no_endpoint(void **state) {
    (void)state;
    struct world *w = create(true);
    wrn_wg_peer_set_path(w->side[1].wg, world_peer(w, 1, 0), &(struct wrn_path){0});
    world_send(w, 0, 1, SIZE, 0);
    assert_int_equal(world_drops(w, 1, WRN_DROP_NO_ENDPOINT), 1); /* the initiation */
    world_send(w, 1, 0, SIZE, 0);
    assert_int_equal(world_drops(w, 1, WRN_DROP_NO_ENDPOINT), 2);
    assert_int_equal(w->side[1].sent[WRN_WG_TYPE_RESPONSE], 0);
    wrn_wg_peer_set_path(w->side[1].wg, world_peer(w, 1, 0), &expected);
    world_advance(w, WRN_S(6)); /* side 0 tries again */
    assert_int_equal(w->side[1].delivered, 1);
    world_destroy(w);
}

/* A path that the caller's own sockets have needs no endpoint. */
static void control_leads_somewhere(void **state) {
    (void)state;
    struct world *w = create(true);
    w->hold = true;
    expected = (struct wrn_path){.kind = WRN_PATH_CONTROL, .slot = 17};
    wrn_wg_peer_set_path(w->side[1].wg, world_peer(w, 1, 0), &expected);
    world_send(w, 1, 0, SIZE, 0);
    assert_int_equal(w->flight_count, 1);
    assert_int_equal(w->flight[0].bytes[0], WRN_WG_TYPE_INITIATION);
    assert_true(wrn_path_equal(&w->flight[0].path, &expected));
    assert_true(wrn_path_leads(&expected));
    assert_true(wrn_path_leads(&(struct wrn_path){.remote = w->side[0].endpoint}));
    assert_false(wrn_path_leads(&(struct wrn_path){.kind = WRN_PATH_RELAY, .slot = 1}));
    world_destroy(w);
}

/* Forgetting the source keeps the rest; a new endpoint is a direct path. */
static void sources_and_endpoints(void **state) {
    (void)state;
    struct world *w = create(true);
    struct wrn_path full = expected;
    full.local = w->side[1].endpoint.ip;
    full.interface = 3;
    wrn_wg_peer_set_path(w->side[1].wg, world_peer(w, 1, 0), &full);
    struct wrn_path path = path_of(w, 1, 0);
    assert_true(wrn_path_equal(&path, &full));
    wrn_wg_forget_source(w->side[1].wg, world_peer(w, 1, 0));
    path = path_of(w, 1, 0);
    assert_true(wrn_path_equal(&path, &expected));
    wrn_wg_peer_set_endpoint(w->side[1].wg, world_peer(w, 1, 0), &full.remote);
    path = path_of(w, 1, 0);
    assert_true(wrn_path_equal(&path, &(struct wrn_path){.remote = full.remote}));
    world_destroy(w);
}

/* Cookie replies go back the way that the message came, as all to strangers. */
static void strangers_are_answered_where_they_are(void **state) {
    (void)state;
    struct world *w = world_create(5, 2, 1);
    w->hold = true;
    world_send(w, 0, 1, SIZE, 0);
    struct world_datagram initiation = w->last_by_type[WRN_WG_TYPE_INITIATION];
    struct wrn_path from = relayed(w, 99);
    for (int i = 0; i < 10 && w->side[1].sent[WRN_WG_TYPE_COOKIE] == 0; i++) {
        (void)world_inject(w, 1, &from, initiation.bytes, initiation.size);
    }
    assert_int_equal(w->side[1].sent[WRN_WG_TYPE_COOKIE], 1);
    assert_true(wrn_path_equal(&w->last_by_type[WRN_WG_TYPE_COOKIE].path, &from));
    world_destroy(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_takes_the_set_path),
        cmocka_unit_test(others_follow),
        cmocka_unit_test(nowhere_is_no_endpoint),
        cmocka_unit_test(control_leads_somewhere),
        cmocka_unit_test(sources_and_endpoints),
        cmocka_unit_test(strangers_are_answered_where_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
