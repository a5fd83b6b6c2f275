/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: links are kept for what they are needed for, and no longer. Method: a world of ring
 * machines; tables are looked at after the times that the states have. */
#include "overlay/ring_internal.h"
#include "unit/overlay/ring_world.h"

static struct ringworld *settled(uint32_t nodes, uint32_t room) {
    return ringworld_settled(nodes, room, WRN_MS(500), WRN_S(120));
}

/* The first one of its table, which it has. */
static struct wrn_link *shortcut_of(struct ringworld_node *node) {
    uint32_t i = 0;
    while (i < node->links.count && (node->links.links[i].mine & WRN_LINK_SHORTCUT) == 0) {
        i++;
    }
    assert_true(i < node->links.count);
    return &node->links.links[i];
}

static uint32_t count_kind(const struct ringworld_node *node, uint8_t kind) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < node->links.count; i++) {
        count += (node->links.links[i].mine & kind) != 0;
    }
    return count;
}

/* After the time for trimming exactly the six nearest are near, shortcuts are as many as there
 * should be, leaves are gone, and there is no link that nobody wants. */
static void tables_are_tidy(void **state) {
    (void)state;
    struct ringworld *world = settled(80, 48);
    for (uint32_t i = 0; i < world->count; i++) {
        const struct ringworld_node *node = &world->nodes[i];
        CHECK(count_kind(node, WRN_LINK_NEAR) == 6, "node %u: ", i);
        CHECK(count_kind(node, WRN_LINK_LEAF) == 0, "node %u: ", i);
        uint32_t wanted = wrn_ring_shortcuts_here(node->ring);
        uint32_t have = count_kind(node, WRN_LINK_SHORTCUT);
        CHECK(have + 1 >= wanted && have <= wanted + 2, "node %u has %u of %u: ", i, have, wanted);
    }
    /* Links that nobody wants are being closed. */
    uint32_t unwanted = 0;
    for (uint32_t i = 0; i < world->count; i++) {
        const struct wrn_links *links = &world->nodes[i].links;
        for (uint32_t n = 0; n < links->count; n++) {
            unwanted += (links->links[n].mine | links->links[n].theirs) == 0;
        }
    }
    assert_true(unwanted < world->count / 4);
    ringworld_destroy(world);
}

static void small_rings_have_no_shortcuts(void **state) {
    (void)state;
    struct ringworld *world = settled(9, 48);
    for (uint32_t i = 0; i < world->count; i++) {
        assert_int_equal(count_kind(&world->nodes[i], WRN_LINK_SHORTCUT), 0);
    }
    ringworld_destroy(world);
}

static void traffic_keeps_a_link(void **state) {
    (void)state;
    struct ringworld *world = settled(60, 48);
    struct ringworld_node *node = &world->nodes[5];
    struct wrn_link *link = shortcut_of(node);
    wrn_handle peer = link->peer;
    wrn_ring_on_traffic(node->ring, world->now, peer);
    assert_true(wrn_links_of(&node->links, peer)->mine & WRN_LINK_ON_DEMAND);
    ringworld_run(world, WRN_S(300));
    wrn_ring_on_traffic(node->ring, world->now, peer);
    ringworld_run(world, WRN_S(440));
    assert_true(wrn_links_of(&node->links, peer)->mine & WRN_LINK_ON_DEMAND);
    ringworld_run(world, WRN_S(20));
    link = wrn_links_of(&node->links, peer);
    assert_true(link == NULL || (link->mine & WRN_LINK_ON_DEMAND) == 0);
    wrn_ring_on_traffic(node->ring, world->now, (wrn_handle){4000, 1}); /* nobody */
    ringworld_destroy(world);
}

static void relayed_shortcuts_go(void **state) {
    (void)state;
    struct ringworld *world = settled(60, 48);
    struct ringworld_node *node = &world->nodes[5];
    struct wrn_link *link = shortcut_of(node);
    wrn_handle peer = link->peer;
    link->is_relayed = true;
    wrn_ring_on_link_change(node->ring, world->now, peer);
    assert_true(wrn_ring_due(node->ring).ns <= world->now.ns + WRN_S(30));
    for (uint32_t i = 0; i < 35; i++) {
        wrn_ring_on_time(node->ring, world->now);
        ringworld_run(world, WRN_S(1));
    }
    link = wrn_links_of(&node->links, peer);
    assert_true(link == NULL || (link->mine & WRN_LINK_SHORTCUT) == 0);
    ringworld_destroy(world);
}

/* The search for another one may end at the link that was just let go: it is none all the same. */
static void links_long_relayed_become_no_shortcuts(void **state) {
    (void)state;
    struct ringworld *world = settled(60, 48);
    struct ringworld_node *node = &world->nodes[5];
    struct wrn_link *link = shortcut_of(node);
    link->is_relayed = true;
    link->since = (wrn_mono){world->now.ns - WRN_RING_RELAYED_NS};
    link->mine = 0;
    assert_true(wrn_ring_want(node->ring, world->now, WRN_RING_FOR_SHORTCUT, WRN_LINK_SHORTCUT,
                              WRN_ROUTE_NEAREST, link->id, WRN_HANDLE_NONE));
    wrn_ring_on_want_done(node->ring, world->now, node->ring->next_tag, link->peer, link->id,
                          WRN_REASON_NONE);
    assert_int_equal(link->mine & WRN_LINK_SHORTCUT, 0);
    ringworld_destroy(world);
}

/* The farthest shortcut is five times slower than what else there is: it is exchanged, for one at
 * about the same distance. */
static void slow_shortcuts_are_exchanged(void **state) {
    (void)state;
    struct ringworld *world = settled(60, 48);
    struct ringworld_node *node = &world->nodes[5];
    struct wrn_link *link = shortcut_of(node);
    for (uint32_t i = 0; i < node->links.count; i++) {
        struct wrn_link *other = &node->links.links[i];
        if (other->mine == WRN_LINK_SHORTCUT && wrn_id_less(wrn_id_distance(node->id, link->id),
                                                            wrn_id_distance(node->id, other->id))) {
            link = other;
        }
    }
    wrn_handle peer = link->peer;
    link->rtt_us = 500000;
    uint32_t have = count_kind(node, WRN_LINK_SHORTCUT);
    for (uint32_t i = 0; i < 240; i++) {
        ringworld_run(world, WRN_S(30));
        link = wrn_links_of(&node->links, peer);
        if (link == NULL || (link->mine & WRN_LINK_SHORTCUT) == 0) {
            break;
        }
    }
    assert_true(link == NULL || (link->mine & WRN_LINK_SHORTCUT) == 0);
    assert_true(count_kind(node, WRN_LINK_SHORTCUT) + 1 >= have);
    ringworld_destroy(world);
}

/* Shortcuts of the farthest layer lead to many places, not to the opposite one again and again. */
static void shortcuts_never_lead_across(void **state) {
    (void)state;
    struct ringworld *world = settled(60, 48);
    ringworld_run(world, WRN_S(1800));
    CHECK(world->shortcuts_wanted > 300, "%u: ", world->shortcuts_wanted);
    CHECK(world->shortcuts_across == 0, "%u of %u: ", world->shortcuts_across,
          world->shortcuts_wanted);
    ringworld_destroy(world);
}

/* Tables that are far too small for the crowd still hold the neighbours, and the only node that
 * lets others in has room for one more again and again. */
static void full_tables_hold_the_nearest(void **state) {
    (void)state;
    struct ringworld *world = ringworld_create(check_seed(), 18);
    for (uint32_t i = 0; i < 40; i++) {
        ringworld_start(world, i == 0 ? UINT32_MAX : 0);
        ringworld_run(world, WRN_MS(500));
    }
    ringworld_await_ring(world, WRN_S(600), WRN_S(1), "room for 18 links: ");
    ringworld_destroy(world);
}

static void room_is_kept_for_neighbours(void **state) {
    (void)state;
    struct ringworld *world = settled(40, 64);
    struct ringworld_node *node = &world->nodes[3];
    wrn_id self = node->id;
    wrn_id beside = wrn_id_add(self, (wrn_id){0, 1});
    wrn_id far = wrn_id_add(self, (wrn_id){(uint64_t)1 << 63, 0});
    assert_false(wrn_ring_accepts(node->ring, WRN_LINK_NEAR, self));
    assert_true(wrn_ring_accepts(node->ring, WRN_LINK_SHORTCUT, far));
    assert_true(wrn_ring_accepts(node->ring, WRN_LINK_LEAF, far));
    uint32_t capacity = node->links.capacity;
    node->links.capacity = node->links.count + 3;
    assert_false(wrn_ring_accepts(node->ring, WRN_LINK_SHORTCUT, far));
    assert_false(wrn_ring_accepts(node->ring, WRN_LINK_LEAF, beside));
    assert_false(wrn_ring_accepts(node->ring, WRN_LINK_NEAR, far));
    assert_true(wrn_ring_accepts(node->ring, WRN_LINK_NEAR, beside));
    node->links.capacity = node->links.count;
    assert_false(wrn_ring_accepts(node->ring, WRN_LINK_NEAR, beside));
    /* What users need is for the overlay to make room for, which knows whom nobody needs. */
    assert_true(wrn_ring_accepts(node->ring, WRN_LINK_OVERLAP, far));
    assert_true(wrn_ring_accepts(node->ring, WRN_LINK_ON_DEMAND, far));
    assert_true(wrn_ring_accepts(node->ring, WRN_LINK_LEAF, node->links.links[0].id));
    node->links.capacity = capacity;
    for (uint32_t i = 0; i < node->links.count; i++) {
        node->links.links[i].theirs |= WRN_LINK_SHORTCUT;
    }
    uint32_t most = 8 + 4 * wrn_ring_shortcuts_here(node->ring);
    assert_int_equal(wrn_ring_accepts(node->ring, WRN_LINK_SHORTCUT, far),
                     node->links.count < most);
    ringworld_destroy(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_tidy),
        cmocka_unit_test(small_rings_have_no_shortcuts),
        cmocka_unit_test(traffic_keeps_a_link),
        cmocka_unit_test(relayed_shortcuts_go),
        cmocka_unit_test(links_long_relayed_become_no_shortcuts),
        cmocka_unit_test(slow_shortcuts_are_exchanged),
        cmocka_unit_test(shortcuts_never_lead_across),
        cmocka_unit_test(full_tables_hold_the_nearest),
        cmocka_unit_test(room_is_kept_for_neighbours),
    };
    return cmocka_run_group_tests_name("overlay/ring_links", tests, NULL, NULL);
}
