/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: what is sent to a paused peer waits, bounded and in order, while its session is made and
 * kept; then all of it goes, before anything later. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "world.h"

enum { SIZE = 100, HANDSHAKES_PER_S = 500 };

static void set_paused(struct world *w, bool is_paused) {
    wrn_wg_peer_set_paused(w->side[0].wg, w->now, world_peer(w, 0, 1), is_paused, &w->out);
    world_settle(w, 0);
    world_pump(w);
}

static void the_session_is_made_meanwhile(void **state) {
    (void)state;
    struct world *w = world_create(5, 2, HANDSHAKES_PER_S);
    set_paused(w, true);
    for (uint64_t stamp = 1; stamp <= 3; stamp++) {
        world_send(w, 0, 1, SIZE, stamp);
    }
    world_advance(w, WRN_S(1));
    assert_int_equal(w->side[1].delivered, 0);
    assert_int_equal(w->side[0].sent[WRN_WG_TYPE_INITIATION], 1);
    assert_int_equal(world_events(w, 1, WRN_WG_EVENT_SESSION_STARTED), 1); /* it was confirmed */
    assert_false(wrn_wg_is_ready(w->side[0].wg, w->now, world_peer(w, 0, 1)));
    world_send(w, 1, 0, SIZE, 1); /* the other direction is open */
    assert_int_equal(w->side[0].delivered, 1);
    world_send(w, 0, 1, SIZE, 4);
    assert_int_equal(w->side[1].delivered, 0);
    set_paused(w, false);
    world_send(w, 0, 1, SIZE, 5);
    assert_int_equal(w->side[1].delivered, 5);
    assert_int_equal(w->side[1].out_of_order, 0);
    assert_true(wrn_wg_is_ready(w->side[0].wg, w->now, world_peer(w, 0, 1)));
    world_destroy(w);
}

/* A session that was there, packets under way, and a pause of several sessions' lives. */
static void a_long_pause_is_bounded(void **state) {
    (void)state;
    enum { MANY = 500 };
    struct world *w = world_create(6, 2, HANDSHAKES_PER_S);
    world_send(w, 0, 1, SIZE, 1);
    assert_int_equal(w->side[1].delivered, 1);
    set_paused(w, true);
    for (uint64_t stamp = 2; stamp < 2 + MANY; stamp++) {
        world_send(w, 0, 1, SIZE, stamp);
        world_advance(w, WRN_S(1));
    }
    assert_int_equal(w->side[1].delivered, 1);
    assert_int_equal(world_drops(w, 0, WRN_DROP_QUEUE_FULL), MANY - WRN_WG_STAGED_PER_PEER);
    set_paused(w, false);
    world_advance(w, WRN_S(6));
    assert_int_equal(w->side[1].delivered, 1 + WRN_WG_STAGED_PER_PEER);
    assert_int_equal(w->side[1].last_stamp, 1 + MANY);
    assert_int_equal(w->side[1].out_of_order, 0);
    world_destroy(w);
}

static void paused_peers_are_removed(void **state) {
    (void)state;
    struct world *w = world_create(7, 2, HANDSHAKES_PER_S);
    set_paused(w, true);
    set_paused(w, true);
    world_send(w, 0, 1, SIZE, 1);
    wrn_wg_peer_remove(w->side[0].wg, world_peer(w, 0, 1));
    assert_int_equal(world_drops(w, 0, WRN_DROP_PEER_REMOVED), 1);
    set_paused(w, false); /* of nobody */
    world_destroy(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_session_is_made_meanwhile),
        cmocka_unit_test(a_long_pause_is_bounded),
        cmocka_unit_test(paused_peers_are_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
