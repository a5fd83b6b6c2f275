/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: datagrams arrive where they should, when they should, and what does not arrive is counted
 * under its name. Method: small networks; every datagram that was sent is accounted for. */
#include "sim/net.h"
#include "unit/base/check.h"
#include "unit/sim/hosts.h"

static struct hosts *h;

static const enum wrn_family v4 = WRN_FAMILY_IPV4;
static const enum wrn_family v6 = WRN_FAMILY_IPV6;

static int setup(void **state) {
    (void)state;
    h = hosts_create(1);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    hosts_destroy(h);
    return 0;
}

/* Whatever the test did: what was sent and duplicated has ended somewhere, once. */
static int teardown_and_add_up(void **state) {
    uint64_t sum = sim_net_under_way(h->net);
    for (enum sim_count c = SIM_COUNT_DELIVERED; c < SIM_COUNTS; c++) {
        if (c != SIM_COUNT_DUPLICATED && c != SIM_COUNT_CORRUPTED) {
            sum += sim_net_count(h->net, c);
        }
    }
    assert_true(sum == sim_net_count(h->net, SIM_COUNT_SENT) +
                           sim_net_count(h->net, SIM_COUNT_DUPLICATED));
    return teardown(state);
}

static uint64_t counted(enum sim_count count) {
    return sim_net_count(h->net, count);
}

static void arrives_after_both_links(void **state) {
    (void)state;
    struct sim_link up = {.delay_ns = 30};
    struct sim_link down = {.delay_ns = 12};
    sim_host a = hosts_add(h, SIM_SEGMENT_INTERNET, &up, NULL);
    sim_host b = hosts_add(h, SIM_SEGMENT_INTERNET, NULL, &down);
    struct wrn_endpoint to = hosts_at(h, b, v4, 7);
    hosts_send(h, a, 5, &to, 'x');
    assert_int_equal(sim_net_under_way(h->net), 1);
    hosts_pass(h, 100);
    const struct hosts_note *note = hosts_last(h, b);
    struct wrn_endpoint from = hosts_at(h, a, v4, 5);
    assert_int_equal(note->at_ns, 42);
    assert_int_equal(note->first, 'x');
    assert_true(wrn_endpoint_equal(&note->from, &from) && wrn_endpoint_equal(&note->to, &to));
    assert_false(note->was_multicast);
    to = hosts_at(h, b, v6, 7);
    hosts_send(h, a, 5, &to, 'y');
    hosts_pass(h, 100);
    from = hosts_at(h, a, v6, 5);
    assert_true(wrn_endpoint_equal(&hosts_last(h, b)->from, &from));
    assert_int_equal(counted(SIM_COUNT_DELIVERED), 2);
    struct sim_traffic sent = sim_host_traffic(h->net, a);
    struct sim_traffic got = sim_host_traffic(h->net, b);
    assert_true(sent.sent == 2 && sent.sent_bytes == 28 + 48 + 2 && sent.received == 0);
    assert_true(got.received == 2 && got.received_bytes == 28 + 48 + 2 && got.sent == 0);
}

static void answer(struct hosts_one *one, const struct hosts_note *note) {
    if (note->first > 0) {
        hosts_send(one->all, (sim_host)(one - one->all->one), note->to.port, &note->from,
                   (uint8_t)(note->first - 1));
    }
}

/* Perfect links take no time, but what a receiver sends never arrives inside its own call. */
static void perfect_links_take_turns(void **state) {
    (void)state;
    sim_host a = hosts_add(h, SIM_SEGMENT_INTERNET, NULL, NULL);
    sim_host b = hosts_add(h, SIM_SEGMENT_INTERNET, NULL, NULL);
    h->one[a].on_note = answer;
    h->one[b].on_note = answer;
    struct wrn_endpoint to = hosts_at(h, b, v4, 7);
    hosts_send(h, a, 5, &to, 99);
    assert_int_equal(h->one[b].count, 0);
    hosts_pass(h, 0);
    assert_int_equal(h->one[a].count + h->one[b].count, 100);
    to = hosts_at(h, a, v6, 5);
    hosts_send(h, a, 5, &to, 0); /* to itself */
    hosts_pass(h, 0);
    assert_int_equal(h->one[a].count, 51);
}

static void refuses_what_a_kernel_refuses(void **state) {
    (void)state;
    static const uint8_t big[SIM_DATAGRAM_MAX + 1];
    sim_segment only4 = hosts_segment(h, "192.168.1.0/24", NULL);
    sim_host a = hosts_add(h, only4, NULL, NULL);
    sim_host b = hosts_add(h, SIM_SEGMENT_INTERNET, NULL, NULL);
    struct wrn_endpoint any = {.port = 5};
    struct wrn_endpoint to4 = hosts_at(h, b, v4, 7);
    struct wrn_endpoint to6 = hosts_at(h, b, v6, 7);
    struct wrn_endpoint none = {.ip = to4.ip};
    wrn_span byte = {big, 1};
    assert_int_equal(sim_send(h->net, a, &any, &to4, (wrn_span){big, sizeof big}), -EMSGSIZE);
    assert_int_equal(sim_send(h->net, a, &any, &to6, byte), -ENETUNREACH);
    assert_int_equal(sim_send(h->net, a, &to4, &to4, byte), -EADDRNOTAVAIL);
    assert_int_equal(sim_send(h->net, a, &to4, &to6, byte), -EINVAL);
    assert_int_equal(sim_send(h->net, a, &any, &none, byte), -EINVAL);
    sim_host_set_up(h->net, a, false);
    assert_int_equal(sim_send(h->net, a, &any, &to4, byte), -ENETUNREACH);
    sim_host_set_up(h->net, a, true);
    sim_host_sleep(h->net, a);
    assert_int_equal(sim_send(h->net, a, &any, &to4, byte), -ENETUNREACH);
    sim_host_wake(h->net, a);
    assert_int_equal(sim_send(h->net, a, &any, &to4, (wrn_span){NULL, 0}), 0);
    assert_int_equal(counted(SIM_COUNT_SENT), 1);
}

static void a_spoofer_forges_its_source(void **state) {
    (void)state;
    sim_host a = hosts_add(h, SIM_SEGMENT_INTERNET, NULL, NULL);
    sim_host b = hosts_add(h, SIM_SEGMENT_INTERNET, NULL, NULL);
    struct wrn_endpoint to = hosts_at(h, b, v4, 7);
    struct wrn_endpoint forged = hosts_at(h, b, v4, 9);
    forged.ip.bytes[3]++;
    assert_int_equal(sim_send(h->net, a, &forged, &to, (wrn_span){0}), -EADDRNOTAVAIL);
    sim_host_let_spoof(h->net, a, true);
    assert_int_equal(sim_send(h->net, a, &forged, &to, (wrn_span){0}), 0);
    hosts_pass(h, 1);
    assert_true(wrn_endpoint_equal(&hosts_last(h, b)->from, &forged));
}

static void unknown_addresses_have_no_route(void **state) {
    (void)state;
    sim_segment lan = hosts_segment(h, "192.168.1.0/24", "2001:db8:1::/64");
    sim_segment island = hosts_segment(h, "10.0.0.0/8", NULL);
    struct sim_nat_options options = sim_nat_linux();
    sim_nat nat = sim_net_add_nat(h->net, lan, SIM_SEGMENT_INTERNET, &options, NULL, NULL);
    sim_host inside = hosts_add(h, lan, NULL, NULL);
    sim_host lost = hosts_add(h, island, NULL, NULL);
    sim_host outside = hosts_add(h, SIM_SEGMENT_INTERNET, NULL, NULL);
    struct wrn_endpoint to = hosts_at(h, inside, v4, 7);
    hosts_send(h, outside, 5, &to, 0); /* private, from the internet */
    hosts_send(h, lost, 5, &to, 0);    /* no way out */
    to.ip.bytes[3]++;
    hosts_send(h, inside, 5, &to, 0); /* nobody on the own segment */
    to = hosts_at(h, outside, v4, 7);
    to.ip.bytes[1]++;
    hosts_send(h, inside, 5, &to, 0); /* nobody out there */
    to = hosts_at(h, inside, v6, 7);
    to.ip.bytes[15]++;
    hosts_send(h, outside, 5, &to, 0);
    hosts_pass(h, 1);
    assert_int_equal(counted(SIM_COUNT_NO_ROUTE), 5);
    assert_int_equal(sim_nat_mappings(h->net, nat),
                     1); /* what was for the own segment stayed there */
}

static void multicast_reaches_the_others_on_the_segment(void **state) {
    (void)state;
    static const uint8_t byte = 'm';
    sim_segment lan = hosts_segment(h, "192.168.1.0/24", "fd00:1::/64");
    struct sim_nat_options options = sim_nat_linux();
    sim_net_add_nat(h->net, lan, SIM_SEGMENT_INTERNET, &options, NULL, NULL);
    struct sim_link deaf = {.loss_ppm = 1000000};
    sim_host a = hosts_add(h, lan, NULL, NULL);
    sim_host b = hosts_add(h, lan, NULL, NULL);
    sim_host c = hosts_add(h, lan, NULL, NULL);
    sim_host d = hosts_add(h, lan, NULL, &deaf);
    sim_host outside = hosts_add(h, SIM_SEGMENT_INTERNET, NULL, NULL);
    struct wrn_endpoint any = {.port = 5};
    struct wrn_endpoint six = hosts_at(h, a, v6, 5);
    assert_int_equal(sim_send_multicast(h->net, a, &any, 7, (wrn_span){&byte, 1}), 0);
    assert_int_equal(sim_send_multicast(h->net, a, &six, 7, (wrn_span){&byte, 1}), 0);
    assert_int_equal(sim_send_multicast(h->net, outside, &any, 7, (wrn_span){&byte, 1}), 0);
    hosts_pass(h, 1);
    assert_int_equal(h->one[a].count + h->one[outside].count + h->one[d].count, 0);
    assert_int_equal(h->one[b].count, 2);
    assert_int_equal(h->one[c].count, 2);
    assert_true(h->one[b].notes[0].was_multicast && h->one[b].notes[0].to.ip.bytes[0] == 224);
    assert_true(h->one[b].notes[1].was_multicast && h->one[b].notes[1].to.ip.bytes[0] == 0xff);
    assert_true(wrn_endpoint_equal(&h->one[c].notes[1].from, &six));
    assert_int_equal(counted(SIM_COUNT_LOST), 2);
    assert_int_equal(counted(SIM_COUNT_NO_ROUTE), 1); /* the internet has no multicast */
}

static void a_host_that_is_down_or_asleep_hears_nothing(void **state) {
    (void)state;
    struct sim_link slow = {.delay_ns = 10};
    sim_host a = hosts_add(h, SIM_SEGMENT_INTERNET, &slow, NULL);
    sim_host b = hosts_add(h, SIM_SEGMENT_INTERNET, NULL, NULL);
    struct wrn_endpoint to = hosts_at(h, b, v4, 7);
    hosts_send(h, a, 5, &to, 1);
    sim_host_set_up(h->net, b, false);
    hosts_pass(h, 20);
    sim_host_set_up(h->net, b, true);
    sim_host_sleep(h->net, b);
    hosts_send(h, a, 5, &to, 2);
    hosts_pass(h, 20);
    hosts_send(h, a, 5, &to, 3); /* under way while it wakes */
    sim_host_wake(h->net, b);
    hosts_pass(h, 20);
    assert_int_equal(counted(SIM_COUNT_HOST_DOWN), 1);
    assert_int_equal(counted(SIM_COUNT_HOST_ASLEEP), 1);
    assert_int_equal(h->one[b].count, 1);
    assert_int_equal(hosts_last(h, b)->first, 3);
    assert_int_equal(sim_clock_now(sim_host_clock(h->net, b)).mono.ns - h->began_ns, 40);
}

static void a_host_that_moves_has_new_addresses_and_loses_what_was_for_the_old(void **state) {
    (void)state;
    struct sim_link slow = {.delay_ns = 10};
    sim_segment lan = hosts_segment(h, "192.168.1.0/24", NULL);
    sim_host a = hosts_add(h, SIM_SEGMENT_INTERNET, &slow, NULL);
    sim_host b = hosts_add(h, SIM_SEGMENT_INTERNET, NULL, &slow);
    struct wrn_endpoint old = hosts_at(h, b, v4, 7);
    hosts_send(h, a, 5, &old, 1);
    hosts_pass(h, 5);
    sim_host_move(h->net, b, SIM_SEGMENT_INTERNET); /* before the segment */
    hosts_pass(h, 20);
    struct wrn_endpoint next = hosts_at(h, b, v4, 7);
    assert_false(wrn_endpoint_equal(&old, &next));
    hosts_send(h, a, 5, &next, 2);
    hosts_pass(h, 15);
    sim_host_move(h->net, b, lan); /* on its own link */
    hosts_pass(h, 20);
    assert_int_equal(counted(SIM_COUNT_NO_ROUTE), 2);
    assert_int_equal(h->one[b].count, 0);
    struct wrn_ip ips[2];
    assert_int_equal(sim_host_addresses(h->net, b, ips), 1);
    sim_host_move(h->net, b, SIM_SEGMENT_INTERNET);
    struct wrn_endpoint last = hosts_at(h, b, v6, 7);
    hosts_send(h, a, 5, &last, 3);
    hosts_pass(h, 20);
    assert_int_equal(hosts_last(h, b)->first, 3);
}

static void a_link_that_changes_leaves_alone_what_is_under_way(void **state) {
    (void)state;
    struct sim_link slow = {.delay_ns = 100};
    struct sim_link fast = {.delay_ns = 10};
    struct sim_link dead = {.loss_ppm = 1000000};
    sim_host a = hosts_add(h, SIM_SEGMENT_INTERNET, &slow, NULL);
    sim_host b = hosts_add(h, SIM_SEGMENT_INTERNET, NULL, NULL);
    struct wrn_endpoint to = hosts_at(h, b, v4, 7);
    hosts_send(h, a, 5, &to, 1);
    sim_host_set_link(h->net, a, &fast, NULL);
    hosts_send(h, a, 5, &to, 2);
    sim_host_set_link(h->net, a, &dead, NULL);
    hosts_send(h, a, 5, &to, 3);
    hosts_pass(h, 200);
    assert_int_equal(h->one[b].count, 2);
    assert_true(h->one[b].notes[0].first == 2 && h->one[b].notes[0].at_ns == 10);
    assert_true(h->one[b].notes[1].first == 1 && h->one[b].notes[1].at_ns == 100);
    assert_int_equal(counted(SIM_COUNT_LOST), 1);
}

static void cuts_are_one_way_and_by_pair_or_group(void **state) {
    (void)state;
    sim_host host[3];
    for (size_t i = 0; i < 3; i++) {
        host[i] = hosts_add(h, SIM_SEGMENT_INTERNET, NULL, NULL);
    }
    struct wrn_endpoint to[3];
    for (size_t i = 0; i < 3; i++) {
        to[i] = hosts_at(h, host[i], v4, 7);
    }
    sim_net_cut(h->net, host[0], host[1], true);
    sim_net_cut(h->net, host[0], host[1], true); /* nothing happens */
    hosts_send(h, host[0], 5, &to[1], 0);
    hosts_send(h, host[1], 5, &to[0], 0);
    hosts_send(h, host[0], 5, &to[2], 0);
    hosts_pass(h, 1);
    assert_int_equal(counted(SIM_COUNT_CUT), 1);
    assert_int_equal(h->one[host[0]].count + h->one[host[2]].count, 2);
    sim_net_cut(h->net, host[0], host[1], false);
    sim_host_set_group(h->net, host[2], 9);
    sim_net_cut_groups(h->net, 9, 0, true);
    hosts_send(h, host[2], 5, &to[0], 0); /* cut */
    hosts_send(h, host[2], 5, &to[1], 0); /* cut */
    hosts_send(h, host[0], 5, &to[2], 0);
    hosts_send(h, host[0], 5, &to[1], 0);
    hosts_pass(h, 1);
    assert_int_equal(counted(SIM_COUNT_CUT), 3);
    assert_int_equal(counted(SIM_COUNT_DELIVERED), 4);
    sim_net_heal(h->net);
    hosts_send(h, host[2], 5, &to[0], 0);
    hosts_pass(h, 1);
    assert_int_equal(counted(SIM_COUNT_DELIVERED), 5);
}

static void a_cut_sees_through_nat(void **state) {
    (void)state;
    sim_segment lan = hosts_segment(h, "192.168.1.0/24", NULL);
    struct sim_nat_options options = sim_nat_linux();
    sim_net_add_nat(h->net, lan, SIM_SEGMENT_INTERNET, &options, NULL, NULL);
    sim_host inside = hosts_add(h, lan, NULL, NULL);
    sim_host outside = hosts_add(h, SIM_SEGMENT_INTERNET, NULL, NULL);
    struct wrn_endpoint to = hosts_at(h, outside, v4, 7);
    sim_net_cut(h->net, inside, outside, true);
    hosts_send(h, inside, 5, &to, 0);
    hosts_pass(h, 1);
    assert_int_equal(counted(SIM_COUNT_CUT), 1);
}

static void duplicates_and_corruption_are_seen_by_the_receiver(void **state) {
    (void)state;
    struct sim_link twice = {.duplicate_ppm = 1000000};
    struct sim_link wrong = {.corrupt_ppm = 1000000};
    sim_host a = hosts_add(h, SIM_SEGMENT_INTERNET, &twice, NULL);
    sim_host b = hosts_add(h, SIM_SEGMENT_INTERNET, NULL, &wrong);
    struct wrn_endpoint to = hosts_at(h, b, v4, 7);
    hosts_send(h, a, 5, &to, 0);
    hosts_pass(h, 1);
    assert_int_equal(h->one[b].count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(__builtin_popcount(h->one[b].notes[i].first), 1);
    }
    assert_int_equal(counted(SIM_COUNT_DUPLICATED), 1);
    assert_int_equal(counted(SIM_COUNT_CORRUPTED), 2);
}

struct seen {
    size_t count;
    size_t bytes;
};

static void see(void *ctx, sim_host host, const struct wrn_endpoint *from,
                const struct wrn_endpoint *to, wrn_span bytes) {
    struct seen *seen = ctx;
    assert_true(host == 0 && from->port == 5 && to->port == 7);
    seen->count++;
    seen->bytes += bytes.size;
}

static void a_watcher_sees_all_that_is_sent_before_it_is_lost(void **state) {
    (void)state;
    struct seen seen = {0};
    struct sim_link dead = {.loss_ppm = 1000000};
    sim_host a = hosts_add(h, SIM_SEGMENT_INTERNET, &dead, NULL);
    sim_host b = hosts_add(h, SIM_SEGMENT_INTERNET, NULL, NULL);
    struct wrn_endpoint to = hosts_at(h, b, v4, 7);
    sim_net_watch(h->net, see, &seen);
    hosts_send(h, a, 5, &to, 0);
    sim_net_watch(h->net, NULL, NULL);
    hosts_send(h, a, 5, &to, 0);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.bytes, 1);
}

static void addresses_are_given_again_only_when_all_were_used(void **state) {
    (void)state;
    sim_segment lan = hosts_segment(h, "192.168.1.0/28", NULL); /* .2 to .14 */
    sim_host a = hosts_add(h, lan, NULL, NULL);
    sim_host b = hosts_add(h, lan, NULL, NULL);
    uint8_t expected = 4;
    for (size_t i = 0; i < 40; i++) {
        sim_host_move(h->net, a, lan);
        uint8_t last = hosts_at(h, a, v4, 1).ip.bytes[3];
        assert_int_equal(last, expected);
        expected = expected == 14 ? 2 : (uint8_t)(expected + 1);
        expected = expected == 3 ? 4 : expected; /* b's */
    }
    assert_int_equal(hosts_at(h, b, v4, 1).ip.bytes[3], 3);
}

/* The whole of a busy run from one number, and another run from another. */
static uint64_t busy_run(uint64_t seed) {
    struct hosts *hosts = hosts_create(seed);
    struct sim_link link = {.delay_ns = WRN_MS(10),
                            .jitter_ns = WRN_MS(5),
                            .loss_ppm = 100000,
                            .duplicate_ppm = 50000,
                            .corrupt_ppm = 50000,
                            .reorder_ppm = 50000,
                            .reorder_ns = WRN_MS(30),
                            .rate_bps = 1000000,
                            .queue_bytes = 20000};
    sim_host host[4];
    for (size_t i = 0; i < 4; i++) {
        host[i] = hosts_add(hosts, SIM_SEGMENT_INTERNET, &link, &link);
        hosts->one[host[i]].on_note = answer;
    }
    for (size_t i = 0; i < 16; i++) {
        struct wrn_endpoint to = hosts_at(hosts, host[i / 4], v4, 7);
        hosts_send(hosts, host[i % 4], 5, &to, 20);
    }
    hosts_pass(hosts, WRN_S(10));
    uint64_t hash = sim_trace_hash(hosts->world);
    hosts_destroy(hosts);
    return hash;
}

static void the_same_seed_gives_the_same_run(void **state) {
    (void)state;
    assert_true(busy_run(5) == busy_run(5));
    assert_true(busy_run(5) != busy_run(6));
}

#define NET_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown_and_add_up)

int main(void) {
    const struct CMUnitTest tests[] = {
        NET_TEST(arrives_after_both_links),
        NET_TEST(perfect_links_take_turns),
        NET_TEST(refuses_what_a_kernel_refuses),
        NET_TEST(a_spoofer_forges_its_source),
        NET_TEST(unknown_addresses_have_no_route),
        cmocka_unit_test_setup_teardown(multicast_reaches_the_others_on_the_segment, setup,
                                        teardown), /* one becomes many */
        NET_TEST(a_host_that_is_down_or_asleep_hears_nothing),
        NET_TEST(a_host_that_moves_has_new_addresses_and_loses_what_was_for_the_old),
        NET_TEST(a_link_that_changes_leaves_alone_what_is_under_way),
        NET_TEST(cuts_are_one_way_and_by_pair_or_group),
        NET_TEST(a_cut_sees_through_nat),
        NET_TEST(duplicates_and_corruption_are_seen_by_the_receiver),
        NET_TEST(a_watcher_sees_all_that_is_sent_before_it_is_lost),
        NET_TEST(addresses_are_given_again_only_when_all_were_used),
        cmocka_unit_test(the_same_seed_gives_the_same_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
