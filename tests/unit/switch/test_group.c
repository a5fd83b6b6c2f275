/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a frame to a group goes to who has joined it and to routers, once somebody asks who has;
 * before, and where the table is full, to all. Both directions.
 * Method: queries, reports and data by hand, of all versions of IGMP and MLD. */
#include "unit/switch/packets.h"

static struct lan lan;

enum { A = 1, B, C, R, QUERY = 0x11, REPORT = 0x16, LEAVE = 0x17 };

static int start(void **state) {
    struct wrn_switch_options options = lan_options();
    (void)state;
    lan_start(&lan, &options);
    lan_open(&lan, 10, "ten");
    lan_open(&lan, 20, "twenty");
    lan_open(&lan, 30, "thirty");
    return 0;
}

static int stop(void **state) {
    (void)state;
    lan_stop(&lan);
    return 0;
}

static void send(uint32_t from, struct frame frame) {
    assert_int_equal(lan_send(&lan, from, &frame), WRN_SWITCH_NONE);
}

static enum wrn_switch_refusal try(uint32_t from, struct frame frame) {
    return lan_send(&lan, from, &frame);
}

/* A querier is heard at 'from', and all have had time to answer. */
static void ask(uint32_t from, bool is_v6) {
    send(from, is_v6 ? packet_mld(R, 130, 0) : packet_igmp(R, QUERY, 0));
    lan_wait(&lan, WRN_S(12));
}

/* How many memberships the walk shows. */
static size_t joined(void) {
    struct wrn_switch_group group;
    size_t found = 0;
    for (uint32_t cursor = 0; wrn_switch_next_group(lan.sw, lan.now.mono, &cursor, &group);) {
        found++;
    }
    return found;
}

static void without_a_querier_all_is_flooded(void **state) {
    (void)state;
    for (int is_v6 = 0; is_v6 < 2; is_v6++) {
        send(LAN_HOST, packet_data(A, 5, is_v6));
        assert_int_equal(lan.verdict.count, 3);
        send(20, packet_data(B, 5, is_v6));
        send(20, packet_report(B, 4, 0, 5, is_v6));
        send(LAN_HOST, packet_data(A, 5, is_v6));
        assert_int_equal(lan.verdict.count, 3);
        send(30, is_v6 ? packet_mld(R, 130, 0) : packet_igmp(R, QUERY, 0));
        lan_wait(&lan, WRN_S(9)); /* nobody need have answered yet */
        send(LAN_HOST, packet_data(A, 5, is_v6));
        assert_int_equal(lan.verdict.count, 3);
    }
}

static void who_joined_gets_it(void **state) {
    (void)state;
    for (int is_v6 = 0; is_v6 < 2; is_v6++) {
        ask(30, is_v6);
        assert_int_equal(try(20, packet_report(B, 4, 0, 5, is_v6)), WRN_SWITCH_UNWANTED);
        (void)try(10, packet_report(C, 4, 0, 900, is_v6)); /* it is asked, too */
        send(LAN_HOST, packet_data(A, 5, is_v6));          /* the router wants all */
        assert_int_equal(lan.verdict.count, 2);
        assert_true(lan_went_to(&lan, 20) && lan_went_to(&lan, 30));
        send(LAN_HOST, packet_data(A, 6, is_v6));
        assert_int_equal(lan.verdict.count, 1);
        assert_int_equal(try(10, packet_data(C, 5, is_v6)), WRN_SWITCH_UNWANTED);
        send(LAN_HOST, packet_report(A, 2, 0, 5, is_v6)); /* what we join all members hear */
        assert_int_equal(lan.verdict.count, 3);
        send(10, packet_data(C, 5, is_v6));
        assert_int_equal(try(10, packet_data(C, 6, is_v6)), WRN_SWITCH_UNWANTED);
    }
    /* what is for all hosts of a link is not filtered */
    struct frame mdns = packet_data(A, 5, false);
    wrn_store_be32(mdns.bytes + 30, 0xe00000fb);
    send(LAN_HOST, mdns);
    assert_int_equal(lan.verdict.count, 3);
    send(LAN_HOST, packet_solicitation(A, 0, 77));
    assert_int_equal(lan.verdict.count, 3);
    assert_int_equal(joined(), 6);
}

static void versions_are_understood(void **state) {
    static const struct {
        uint8_t join, record; /* record 0: a message of its own */
        uint16_t sources;
        bool is_v6, joins;
    } cases[] = {
        {0x12, 0, 0, false, true}, {0x16, 0, 0, false, true}, {131, 0, 0, true, true},
        {0, 1, 0, false, false},   {0, 1, 2, false, true},    {0, 2, 0, false, true},
        {0, 3, 0, false, false},   {0, 3, 1, true, true},     {0, 4, 3, true, true},
        {0, 5, 1, true, true},     {0, 6, 1, true, false},    {0, 7, 1, true, false},
    };
    (void)state;
    ask(30, false);
    ask(30, true);
    for (uint32_t i = 0; i < WRN_COUNT(cases); i++) {
        struct frame frame =
            cases[i].record != 0
                ? packet_report(B, cases[i].record, cases[i].sources, 100 + i, cases[i].is_v6)
            : cases[i].is_v6 ? packet_mld(B, cases[i].join, 100 + i)
                             : packet_igmp(B, cases[i].join, 100 + i);
        (void)try(10, frame);
        send(LAN_HOST, packet_data(A, 100 + i, cases[i].is_v6));
        CHECK(lan_went_to(&lan, 10) == cases[i].joins, "case %u: ", i);
        (void)try(10, packet_report(B, 3, 0, 100 + i, cases[i].is_v6)); /* quota of 4 */
        lan_wait(&lan, WRN_S(5));
    }
}

static void who_leaves_or_is_silent_gets_no_more(void **state) {
    (void)state;
    for (int is_v6 = 0; is_v6 < 2; is_v6++) {
        ask(30, is_v6);
        (void)try(20, packet_report(B, 4, 0, 5, is_v6));
        (void)try(10, packet_report(C, 4, 0, 5, is_v6));
        (void)try(20, is_v6 ? packet_mld(B, 132, 5) : packet_igmp(B, LEAVE, 5));
        send(LAN_HOST, packet_data(A, 5, is_v6));
        assert_int_equal(lan.verdict.count, 3); /* others may still be there */
        lan_wait(&lan, WRN_S(5));
        send(LAN_HOST, packet_data(A, 5, is_v6));
        assert_int_equal(lan.verdict.count, 2);
        assert_false(lan_went_to(&lan, 20));
        (void)try(20, packet_report(B, 4, 0, 5, is_v6));
        send(LAN_HOST, packet_data(A, 5, is_v6));
        assert_int_equal(lan.verdict.count, 3);
    }
    for (int i = 0; i < 4; i++) { /* a querier of our side goes on, and nobody answers */
        send(LAN_HOST, packet_igmp(A, QUERY, 0));
        lan_wait(&lan, WRN_S(125));
    }
    assert_int_equal(try(LAN_HOST, packet_data(A, 5, false)), WRN_SWITCH_UNWANTED);
    lan_wait(&lan, WRN_S(300)); /* the querier is silent: all is flooded again */
    send(LAN_HOST, packet_data(A, 5, false));
    assert_int_equal(lan.verdict.count, 3);
    assert_int_equal(lan.sw->group_chains.used, 0);
}

/* A member that sends a query to us alone: others do not answer what they have not heard. */
static void who_may_not_have_been_asked_gets_all(void **state) {
    (void)state;
    for (int is_v6 = 0; is_v6 < 2; is_v6++) {
        ask(30, is_v6);
        send(LAN_HOST, packet_data(A, 5, is_v6));
        assert_int_equal(lan.verdict.count, 3);
        (void)try(20, packet_report(B, 4, 0, 6, is_v6)); /* this one was */
        send(LAN_HOST, packet_data(A, 5, is_v6));
        assert_int_equal(lan.verdict.count, 2);
        assert_false(lan_went_to(&lan, 20));
        assert_int_equal(try(10, packet_data(C, 5, is_v6)), WRN_SWITCH_UNWANTED); /* we were */
    }
}

static void routers_are_where_queries_come_from(void **state) {
    (void)state;
    ask(LAN_HOST, false);
    (void)try(10, packet_data(C, 9, false));
    assert_int_equal(lan.verdict.refusal, WRN_SWITCH_NONE); /* our side has the router */
    assert_int_equal(try(20, packet_report(B, 4, 0, 5, false)), WRN_SWITCH_NONE);
    assert_int_equal(try(LAN_HOST, packet_data(A, 9, false)), WRN_SWITCH_UNWANTED);
    send(30, packet_igmp(R + 1, QUERY, 7)); /* of one group: a router, too */
    send(LAN_HOST, packet_data(A, 9, false));
    assert_int_equal(lan.verdict.count, 1);
    assert_true(lan_went_to(&lan, 30));
    assert_int_equal(joined(), 1);
    wrn_switch_close(lan.sw, lan.now, lan_peer(20));
    assert_int_equal(joined(), 0);
}

static void vlans_are_filtered_apart(void **state) {
    struct frame frame = packet_igmp(R, QUERY, 0);
    (void)state;
    lan_tag(&frame, 0x8100, 4);
    send(LAN_HOST, frame);
    lan_wait(&lan, WRN_S(12));
    send(LAN_HOST, packet_data(A, 5, false));
    assert_int_equal(lan.verdict.count, 3);
    frame = packet_data(A, 5, false);
    lan_tag(&frame, 0x8100, 4);
    assert_int_equal(try(LAN_HOST, frame), WRN_SWITCH_UNWANTED);
}

static void who_joins_too_much_gets_all(void **state) {
    (void)state;
    ask(LAN_HOST, false);
    for (uint32_t i = 0; i < 100; i++) {
        send(20, packet_report(B, 4, 0, 10 + i, false));
    }
    send(LAN_HOST, packet_data(A, 5000, false));
    assert_true(lan_went_to(&lan, 20));
    assert_int_equal(lan.verdict.count, 1);
    send(10, packet_report(C, 4, 0, 500, false)); /* and others have room */
    send(LAN_HOST, packet_data(A, 500, false));
    assert_int_equal(lan.verdict.count, 2);
}

/* What is cut short or damaged teaches nothing, and harms nobody. */
static void truncated_messages_are_not_believed(void **state) {
    (void)state;
    ask(LAN_HOST, false);
    ask(LAN_HOST, true);
    for (int is_v6 = 0; is_v6 < 2; is_v6++) {
        struct frame whole = packet_report(B, 4, 2, 700, is_v6);
        size_t end = is_v6 ? whole.size : 14 + 20 + 12 + 3 * 4; /* then padding */
        for (size_t size = 14; size < end; size++) {
            struct frame cut = whole;
            cut.size = size;
            (void)try(20, cut);
        }
    }
    struct frame damaged = packet_igmp(B, REPORT, 701);
    damaged.bytes[41] ^= 1;
    (void)try(20, damaged);
    assert_int_equal(joined(), 0);
}

int main(void) {
#define TEST(function) cmocka_unit_test_setup_teardown(function, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(without_a_querier_all_is_flooded),
        TEST(who_joined_gets_it),
        TEST(versions_are_understood),
        TEST(who_leaves_or_is_silent_gets_no_more),
        TEST(who_may_not_have_been_asked_gets_all),
        TEST(routers_are_where_queries_come_from),
        TEST(vlans_are_filtered_apart),
        TEST(who_joins_too_much_gets_all),
        TEST(truncated_messages_are_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
