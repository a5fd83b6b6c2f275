/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: members of a private network that know nobody find one another through an open one, and
 * nobody else finds them. Method: whole nodes in virtual time; eight are on the open ring. */
#include "node/authority.h"
#include "unit/node/hosts.h"

enum { OPEN = 8 };

static uint32_t plaza[OPEN], xs[OPEN], ys[OPEN];

static bool all_are_on_plaza(void) {
    for (uint32_t i = 0; i < OPEN; i++) {
        if (hosts_info(i, plaza[i]).ring != WRN_RING_STATE_CONNECTED) {
            return false;
        }
    }
    return true;
}

static void make_plaza(void) {
    for (uint32_t i = 0; i < OPEN; i++) {
        assert_int_equal(hosts_add((char)('a' + i)), i);
    }
    plaza[0] = hosts_create_open(0, "plaza");
    hosts_run(1000);
    for (uint32_t i = 1; i < OPEN; i++) {
        plaza[i] = hosts_join(i, 0, plaza[0], "(member)", 0);
    }
    hosts_until(all_are_on_plaza, 60, "eight hosts are on the open ring");
}

static enum wrn_reason meet(uint32_t host, uint32_t network, wrn_handle through) {
    hosts_before();
    enum wrn_reason reason = wrn_node_meet(hosts[host].node, hosts_now,
                                           hosts[host].networks[network], through, hosts_out);
    hosts_perform(host);
    return reason;
}

static wrn_handle plaza_of(uint32_t host) {
    return hosts[host].networks[plaza[host]];
}

/* Three of X, none of which knows an address of another. */
static void make_xs(void) {
    hosts_know_nobody = true;
    xs[1] = hosts_create(1, "x", "10.77.0.0/24");
    xs[2] = hosts_join(2, 1, xs[1], "(member)", 0);
    xs[3] = hosts_join(3, 1, xs[1], "(member)", 0);
}

static bool xs_are_together(void) {
    for (uint32_t i = 1; i <= 3; i++) {
        struct wrn_node_network_info info = hosts_info(i, xs[i]);
        if (info.ring != WRN_RING_STATE_CONNECTED || info.peers != 2 ||
            info.lease != WRN_CLAIM_HELD) {
            return false;
        }
    }
    return true;
}

static bool ys_are_together(void) {
    return hosts_info(4, ys[4]).peers == 1 && hosts_info(5, ys[5]).peers == 1;
}

static void test_find_one_another(void **state) {
    (void)state;
    make_plaza();
    make_xs();
    hosts_run(120000);
    for (uint32_t i = 1; i <= 3; i++) { /* nobody has been told of the open ring */
        assert_int_equal(hosts_info(i, xs[i]).ring, WRN_RING_STATE_ALONE);
    }
    ys[4] = hosts_create(4, "y", "10.78.0.0/24");
    ys[5] = hosts_join(5, 4, ys[4], "(member)", 0);
    for (uint32_t i = 1; i <= 5; i++) {
        assert_int_equal(meet(i, i <= 3 ? xs[i] : ys[i], plaza_of(i)), WRN_REASON_NONE);
    }
    hosts_until(xs_are_together, 60, "three of X have found one another");
    hosts_until(ys_are_together, 60, "two of Y have found each other");
    assert_non_null(hosts_event(2, WRN_NODE_EVENT_MET_KIND));
    hosts_run(400000); /* all have looked again */
    for (uint32_t i = 1; i <= 5; i++) {
        struct wrn_node_meeting meeting;
        assert_true(
            wrn_node_meeting(hosts[i].node, hosts[i].networks[i <= 3 ? xs[i] : ys[i]], &meeting));
        assert_true(meeting.is_said);
        assert_string_equal(meeting.name, "plaza");
        CHECK(meeting.known == (i <= 3 ? 2 : 1), "host %u sees %u: ", i, meeting.known);
    }
    assert_true(xs_are_together() && ys_are_together());
}

/* Two parts of a network that know nothing of each other grow together. */
static void test_parts_grow_together(void **state) {
    (void)state;
    make_plaza();
    make_xs();
    assert_int_equal(meet(1, xs[1], plaza_of(1)), WRN_REASON_NONE);
    assert_int_equal(meet(2, xs[2], plaza_of(2)), WRN_REASON_NONE);
    hosts_run(60000);
    assert_int_equal(hosts_info(1, xs[1]).peers, 1);
    assert_int_equal(hosts_info(3, xs[3]).peers, 0);
    assert_int_equal(meet(3, xs[3], plaza_of(3)), WRN_REASON_NONE);
    hosts_until(xs_are_together, 60, "the third one has found the two");
}

/* It is kept, and ends when that is said. */
static void test_kept_and_ended(void **state) {
    (void)state;
    struct wrn_state read;
    struct wrn_node_meeting meeting;
    make_plaza();
    make_xs();
    assert_int_equal(meet(2, xs[2], plaza_of(2)), WRN_REASON_NONE);
    uint8_t *room = malloc(WRN_STATE_MAX);
    assert_non_null(room);
    size_t size = wrn_node_save(hosts[2].node, hosts[2].networks[xs[2]], room, WRN_STATE_MAX);
    assert_int_equal(wrn_state_read((wrn_span){room, size}, &read), WRN_STATE_OK);
    assert_true(read.has_meeting);
    assert_memory_equal(read.meeting, wrn_node_descriptor(hosts[0].node, plaza_of(0))->id,
                        WRN_NETWORK_ID_SIZE);
    hosts_stop(2);
    hosts_start_again(2);
    xs[2] = hosts_load(2, (wrn_span){room, size}); /* without the open one */
    free(room);
    assert_true(wrn_node_meeting(hosts[2].node, hosts[2].networks[xs[2]], &meeting));
    assert_null(meeting.name);
    assert_int_equal(meet(2, xs[2], WRN_HANDLE_NONE), WRN_REASON_NONE);
    assert_false(wrn_node_meeting(hosts[2].node, hosts[2].networks[xs[2]], &meeting));
    assert_int_equal(meet(1, xs[1], plaza_of(1)), WRN_REASON_NONE);
    hosts_run(120000);
    assert_int_equal(hosts_info(1, xs[1]).peers, 0);
}

static void test_what_is_refused(void **state) {
    (void)state;
    make_plaza();
    make_xs();
    assert_int_equal(meet(1, plaza[1], plaza_of(1)), WRN_REASON_SELF);
    assert_int_equal(meet(1, plaza[1], hosts[1].networks[xs[1]]), WRN_REASON_RULE);
    assert_int_equal(meet(1, xs[1], (wrn_handle){60, 1}), WRN_REASON_NOT_FOUND);
}

/* Who was revoked knows the places for ever, but what he puts there is passed over. */
static void test_revoked_is_not_asked(void **state) {
    (void)state;
    char why[WRN_JUDGE_WHY_SIZE];
    uint32_t count = 0;
    uint8_t key[WRN_SIGN_PUBLIC_SIZE];
    struct wrn_node_meeting meeting;
    make_plaza();
    make_xs();
    for (uint32_t i = 1; i <= 3; i++) {
        assert_int_equal(meet(i, xs[i], plaza_of(i)), WRN_REASON_NONE);
    }
    hosts_until(xs_are_together, 60, "three of X have found one another");
    hosts_public('d', key);
    hosts_before();
    assert_int_equal(wrn_node_revoke(hosts[1].node, hosts_now, hosts[1].networks[xs[1]],
                                     WRN_NODE_REVOKE_MEMBER, key, hosts_chain, hosts_out, &count,
                                     why),
                     WRN_REASON_NONE);
    hosts_perform(1);
    hosts_run(1500000);
    assert_int_equal(hosts_info(1, xs[1]).peers, 1);
    assert_true(wrn_node_meeting(hosts[1].node, hosts[1].networks[xs[1]], &meeting));
    assert_int_equal(meeting.known, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_find_one_another, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(test_parts_grow_together, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(test_kept_and_ended, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(test_what_is_refused, hosts_begin, hosts_end),
        cmocka_unit_test_setup_teardown(test_revoked_is_not_asked, hosts_begin, hosts_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
