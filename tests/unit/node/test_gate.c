/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: nothing passes between this node and a peer but what the pair of rules permits that was set
 * for just this peer, whoever asks at that moment.
 * Method: the filter is asked as a machine's lanes do; one thread sets while others ask. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "node/gate.h"
#include "unit/network/packets.h"

enum { PEERS_MAX = 8, LANES_MAX = 4 };

struct bench {
    void *memory;
    struct wrn_gate *gate;
    struct wrn_wg_filter filter;
    uint32_t quiesced; /* times that lanes were waited for */
};

static const wrn_mono start = {WRN_S(100)};
static const wrn_handle alice = {3, 1};

static void count_quiesce(void *ctx) {
    struct bench *bench = ctx;
    bench->quiesced++;
}

/* Makes a gate whose lanes 'quiesce' waits for. */
static void make(struct bench *bench, void (*quiesce)(void *ctx), void *ctx) {
    struct wrn_gate_options options = {.peers_max = PEERS_MAX,
                                       .lanes_max = LANES_MAX,
                                       .policy = {64, 16},
                                       .quiesce = quiesce,
                                       .quiesce_ctx = ctx};
    struct wrn_arena arena;
    struct wrn_prng prng;
    wrn_prng_init(&prng, 1, 1);
    wrn_arena_init(&arena, NULL, SIZE_MAX);
    assert_null(wrn_gate_init(&arena, &options, wrn_prng_rand(&prng), start));
    size_t size = arena.used;
    bench->memory = aligned_alloc(64, size);
    assert_non_null(bench->memory);
    memset(bench->memory, 0, size);
    struct wrn_ip own[] = {{{10, 1, 0, 1}, WRN_FAMILY_IPV4}, {{0xfd, [15] = 1}, WRN_FAMILY_IPV6}};
    wrn_arena_init(&arena, bench->memory, size);
    bench->gate = wrn_gate_init(&arena, &options, wrn_prng_rand(&prng), start);
    assert_non_null(bench->gate);
    assert_int_equal(arena.used, size);
    bench->filter = wrn_gate_filter(bench->gate);
    for (size_t i = 0; i < WRN_COUNT(own); i++) {
        assert_true(wrn_gate_own(bench->gate, &own[i], true));
    }
    wrn_gate_reclaim(bench->gate);
    bench->quiesced = 0;
}

static int set_up(void **state) {
    struct bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    make(bench, count_quiesce, bench);
    *state = bench;
    return 0;
}

static int tear_down(void **state) {
    struct bench *bench = *state;
    free(bench->memory);
    free(bench);
    return 0;
}

/* Asks as a lane does. */
static bool asks(const struct bench *bench, uint32_t lane, wrn_handle peer, bool is_out,
                 const struct packet *packet) {
    enum wrn_drop drop =
        bench->filter.check(bench->filter.ctx, lane, peer, is_out, start, packet_span(packet));
    assert_true(drop == WRN_DROP_NONE || drop == WRN_DROP_POLICY || drop == WRN_DROP_CLOSED);
    return drop == WRN_DROP_NONE;
}

static bool passes(const struct bench *bench, wrn_handle peer, bool is_out,
                   const struct packet *packet) {
    return asks(bench, 0, peer, is_out, packet);
}

static void set(struct bench *bench, wrn_handle peer, const char *ours, const char *theirs) {
    struct wrn_policy_rules out = packet_rules(ours);
    struct wrn_policy_rules in = packet_rules(theirs);
    wrn_gate_set(bench->gate, peer, 77, &out, &in, false);
    memset(&out, 0xee, sizeof out); /* they were copied */
    memset(&in, 0xee, sizeof in);
}

static struct wrn_gate_counts counts(const struct bench *bench) {
    struct wrn_gate_counts all;
    wrn_gate_counts(bench->gate, &all);
    return all;
}

static void a_gate_begins_closed(void **state) {
    struct bench *bench = *state;
    struct packet out = packet_udp("10.1.0.1", 5, "10.1.0.2", 6);
    struct packet in = packet_udp("10.1.0.2", 6, "10.1.0.1", 5);
    assert_null(wrn_gate_pair(bench->gate, alice));
    assert_false(passes(bench, alice, true, &out));
    assert_false(passes(bench, alice, false, &in));
    assert_int_equal(counts(bench).closed, 2);
    assert_int_equal(
        bench->filter.check(bench->filter.ctx, 0, alice, true, start, packet_span(&out)),
        WRN_DROP_CLOSED);
    wrn_gate_close(bench->gate, alice); /* nothing changes */
    assert_false(passes(bench, alice, true, &out));
}

/* What waited in the kernel while the host was asleep does not pass by rules of before. */
static void nothing_passes_by_rules_that_are_old(void **state) {
    struct bench *bench = *state;
    struct packet in = packet_udp("10.1.0.2", 6, "10.1.0.1", 5);
    wrn_mono later = wrn_mono_add(start, 1);
    set(bench, alice, "(allow)", "(allow)");
    assert_true(passes(bench, alice, false, &in)); /* at first they hold for ever */
    wrn_gate_believe(bench->gate, start);
    assert_true(passes(bench, alice, false, &in));
    assert_int_equal(
        bench->filter.check(bench->filter.ctx, 0, alice, false, later, packet_span(&in)),
        WRN_DROP_CLOSED);
    assert_false(wrn_gate_permits(bench->gate, 0, alice, false, later, packet_span(&in)));
    assert_int_equal(counts(bench).closed, 2);
    wrn_gate_believe(bench->gate, later);
    assert_true(wrn_gate_permits(bench->gate, 0, alice, false, later, packet_span(&in)));
}

static void it_is_one_peers(void **state) {
    struct bench *bench = *state;
    struct packet packet = packet_udp("10.1.0.1", 5, "10.1.0.2", 6);
    wrn_handle successor = {alice.index, alice.generation + 2};
    wrn_handle neighbour = {alice.index + 1, alice.generation};
    set(bench, alice, "(allow)", "(allow)");
    assert_true(passes(bench, alice, true, &packet));
    assert_false(passes(bench, successor, true, &packet));
    assert_false(passes(bench, neighbour, true, &packet));
    wrn_gate_close(bench->gate, successor); /* of whom there is nothing to close */
    assert_true(passes(bench, alice, true, &packet));
    set(bench, successor, "(allow)", "(allow)");
    assert_true(passes(bench, successor, true, &packet));
    assert_false(passes(bench, alice, true, &packet));
    wrn_gate_close(bench->gate, successor);
    assert_false(passes(bench, successor, true, &packet));
    assert_null(wrn_gate_pair(bench->gate, successor));
}

static struct wrn_ip ip(const char *text) {
    struct wrn_prefix prefix;
    assert_int_equal(wrn_prefix_parse((wrn_span){(const uint8_t *)text, strlen(text)}, &prefix), 0);
    return prefix.ip;
}

/* Also where both may send everything, what comes in is for this host. */
static void open_pairs_reach_this_host(void **state) {
    static const struct {
        const char *from, *to;
        bool passes;
    } cases[] = {
        {"10.1.0.2", "10.1.0.1", true},
        {"10.1.0.2", "10.1.0.3", false},
        {"10.1.0.2", "192.168.0.1", false},
        {"10.1.0.2", "224.0.0.251", false},
        {"10.1.0.2", "127.0.0.1", false},
        {"10.1.0.2", "255.255.255.255", false},
        {"10.1.0.2", "10.1.255.255", false},
        {"10.1.0.2", "0.0.0.0", false},
        {"fd00::2", "fd00::1", true},
        {"fd00::2", "2001:20::1", true},
        {"fd00::2", "fd00::3", false},
        {"fd00::2", "ff02::fb", false},
        {"fd00::2", "fe80::1", false},
        {"fd00::2", "::1", false},
        {"fd00::2", "::", false},
        {"fd00::2", "::ffff:10.1.0.1", false},
    };
    struct bench *bench = *state;
    struct wrn_ip hit = ip("2001:20::1");
    uint64_t refused = 0;
    assert_true(wrn_gate_own(bench->gate, &hit, true));
    set(bench, alice, "(allow)", "(allow)");
    for (size_t i = 0; i < WRN_COUNT(cases); i++) {
        struct packet packet = packet_udp(cases[i].from, 5, cases[i].to, 6);
        assert_int_equal(passes(bench, alice, false, &packet), cases[i].passes);
        assert_true(passes(bench, alice, true, &packet)); /* whose address that is, others know */
        refused += !cases[i].passes;
    }
    struct wrn_gate_counts all = counts(bench);
    assert_int_equal(all.not_ours, refused);
    assert_int_equal(all.passed[WRN_POLICY_BY_RULE], 0); /* not looked at, not counted */
    assert_int_equal(all.begun, 0);
}

static void our_addresses_come_and_go(void **state) {
    struct bench *bench = *state;
    struct wrn_ip first[] = {ip("10.1.0.1"), ip("fd00::1")};
    set(bench, alice, "(allow)", "(allow)");
    assert_true(wrn_gate_own(bench->gate, &first[0], false));
    assert_true(wrn_gate_own(bench->gate, &first[1], false));
    for (unsigned round = 0; round < 3; round++) {
        struct wrn_ip ips[2 * WRN_GATE_OWN_MAX + 2];
        char text[32];
        for (unsigned i = 0; i < WRN_COUNT(ips); i++) {
            (void)snprintf(text, sizeof text, i % 2 == 0 ? "10.2.0.%u" : "fd02::%u", i);
            ips[i] = ip(text);
            bool has_room = i < WRN_COUNT(ips) - 2;
            assert_int_equal(wrn_gate_own(bench->gate, &ips[i], true), has_room);
            if (has_room) {
                assert_true(wrn_gate_own(bench->gate, &ips[i], true)); /* once more: no matter */
            }
            struct packet packet = packet_udp(i % 2 == 0 ? "10.1.0.2" : "fd00::2", 5, text, 6);
            assert_int_equal(passes(bench, alice, false, &packet), has_room);
        }
        for (unsigned i = 0; i < WRN_COUNT(ips); i++) { /* in another order than they came */
            unsigned k = (i * 5 + round) % (unsigned)WRN_COUNT(ips);
            (void)snprintf(text, sizeof text, k % 2 == 0 ? "10.2.0.%u" : "fd02::%u", k);
            assert_true(wrn_gate_own(bench->gate, &ips[k], false));
            struct packet packet = packet_udp(k % 2 == 0 ? "10.1.0.2" : "fd00::2", 5, text, 6);
            assert_false(passes(bench, alice, false, &packet));
        }
    }
}

static void what_lies_behind_us_is_reached(void **state) {
    static const struct {
        const char *prefix;
        const char *within[2], *outside[2];
    } cases[] = {
        {"192.168.7.0/24", {"192.168.7.0", "192.168.7.255"}, {"192.168.6.255", "192.168.8.0"}},
        {"172.16.0.0/13", {"172.16.0.1", "172.23.255.255"}, {"172.24.0.0", "172.15.255.255"}},
        {"fd07::/17", {"fd07:7fff::1", "fd07::"}, {"fd07:8000::1", "fd06:7fff::"}},
        {"fd08:0:0:8::/69",
         {"fd08:0:0:8:7ff::1", "fd08:0:0:8::"},
         {"fd08:0:0:8:800::", "fd08:0:0:9::"}},
    };
    struct bench *bench = *state;
    set(bench, alice, "(allow)", "(allow)");
    for (size_t i = 0; i < 2 * WRN_COUNT(cases); i++) {
        bool is_ours = i < WRN_COUNT(cases);
        struct wrn_prefix prefix;
        const char *text = cases[i % WRN_COUNT(cases)].prefix;
        const char *from = strchr(text, ':') == NULL ? "10.1.0.2" : "fd00::2";
        assert_int_equal(wrn_prefix_parse((wrn_span){(const uint8_t *)text, strlen(text)}, &prefix),
                         0);
        wrn_gate_behind(bench->gate, &prefix, is_ours ? 1 : 0);
        for (size_t k = 0; k < 2; k++) {
            struct packet in = packet_udp(from, 5, cases[i % WRN_COUNT(cases)].within[k], 6);
            struct packet out = packet_udp(from, 5, cases[i % WRN_COUNT(cases)].outside[k], 6);
            assert_int_equal(passes(bench, alice, false, &in), is_ours);
            assert_false(passes(bench, alice, false, &out));
        }
    }
}

static void limited_pairs_go_by_rules_and_answers(void **state) {
    struct bench *bench = *state;
    struct packet ask = packet_udp("10.1.0.1", 5000, "10.1.0.2", 53);
    struct packet answer = packet_udp("10.1.0.2", 53, "10.1.0.1", 5000);
    struct packet other = packet_udp("10.1.0.1", 5000, "10.1.0.2", 54);
    set(bench, alice, "(allow udp '53')", "(allow tcp '22')");
    assert_false(asks(bench, 1, alice, false, &answer));
    assert_true(asks(bench, 2, alice, true, &ask));
    assert_true(asks(bench, 3, alice, false, &answer)); /* on whichever lane */
    assert_false(asks(bench, 3, alice, true, &other));
    struct wrn_gate_counts all = counts(bench);
    assert_int_equal(all.passed[WRN_POLICY_BY_RULE], 1);
    assert_int_equal(all.passed[WRN_POLICY_BY_ANSWER], 1);
    assert_int_equal(all.refused[WRN_POLICY_NO_PORT], 1);
    assert_int_equal(all.refused[WRN_POLICY_NO_PROTOCOL], 1);
    assert_int_equal(all.begun, 1);
    assert_int_equal(all.closed + all.not_ours, 0);
    assert_int_equal(wrn_policy_conversations(wrn_gate_policy(bench->gate), start), 1);
    assert_int_equal(wrn_gate_pair(bench->gate, alice)->peer, 77);
}

/* A member that was away comes back as another peer of the machine. */
static void conversations_are_the_members(void **state) {
    struct bench *bench = *state;
    wrn_handle back = {alice.index + 1, 5};
    struct packet ask = packet_udp("10.1.0.1", 5000, "10.1.0.2", 53);
    struct packet answer = packet_udp("10.1.0.2", 53, "10.1.0.1", 5000);
    set(bench, alice, "(allow udp '53')", "(allow tcp '22')");
    assert_true(passes(bench, alice, true, &ask));
    wrn_gate_close(bench->gate, alice);
    set(bench, back, "(allow udp '53')", "(allow tcp '22')");
    assert_true(passes(bench, back, false, &answer));
    struct wrn_policy_rules ours = packet_rules("(allow udp '53')");
    struct wrn_policy_rules theirs = packet_rules("(allow tcp '22')");
    wrn_gate_set(bench->gate, back, 78, &ours, &theirs, false); /* somebody else */
    assert_false(passes(bench, back, false, &answer));
}

static void narrower_rights_hold_at_once(void **state) {
    struct bench *bench = *state;
    struct packet packet = packet_udp("10.1.0.1", 5, "10.1.0.2", 53);
    set(bench, alice, "(allow)", "(allow)");
    assert_true(passes(bench, alice, true, &packet));
    set(bench, alice, "(allow udp '54')", "(allow)");
    assert_false(passes(bench, alice, true, &packet));
    set(bench, alice, "", "");
    assert_false(passes(bench, alice, true, &packet));
    assert_non_null(wrn_gate_pair(bench->gate, alice)); /* to be told apart from closed */
    assert_int_equal(
        bench->filter.check(bench->filter.ctx, 0, alice, true, start, packet_span(&packet)),
        WRN_DROP_POLICY);
}

static void lanes_are_waited_for_when_room_is_needed(void **state) {
    struct bench *bench = *state;
    wrn_gate_reclaim(bench->gate);
    assert_int_equal(bench->quiesced, 0); /* nothing has been replaced since */
    set(bench, alice, "(allow)", "(allow)");
    const struct wrn_policy_pair *first = wrn_gate_pair(bench->gate, alice);
    set(bench, alice, "(allow)", "(allow)"); /* the same: nothing is published */
    assert_ptr_equal(wrn_gate_pair(bench->gate, alice), first);
    set(bench, alice, "(allow udp)", "(allow)");
    assert_int_equal(bench->quiesced, 0);
    const struct wrn_policy_pair *second = wrn_gate_pair(bench->gate, alice);
    assert_ptr_not_equal(first, second);
    assert_true(first->is_open); /* may still be looked at */
    set(bench, alice, "(allow tcp)", "(allow)");
    assert_int_equal(bench->quiesced, 1);
    wrn_gate_reclaim(bench->gate);
    assert_int_equal(bench->quiesced, 2);
    set(bench, alice, "(allow icmp)", "(allow)");
    assert_int_equal(bench->quiesced, 2);
    wrn_gate_close(bench->gate, alice); /* both rooms are in sight now */
    set(bench, alice, "(allow)", "(allow)");
    assert_int_equal(bench->quiesced, 3);
}

static void a_pair_of_other_strictness_is_another(void **state) {
    struct bench *bench = *state;
    struct wrn_policy_rules ours = packet_rules("(allow tcp)");
    struct wrn_policy_rules theirs = packet_rules("");
    struct packet late = packet_tcp("10.1.0.2", 22, "10.1.0.1", 5000, 0x10); /* ACK */
    struct packet mid = packet_tcp("10.1.0.1", 5000, "10.1.0.2", 22, 0x10);
    wrn_gate_set(bench->gate, alice, 1, &ours, &theirs, true);
    assert_true(wrn_gate_pair(bench->gate, alice)->is_strict);
    assert_true(passes(bench, alice, true, &mid));
    assert_false(passes(bench, alice, false, &late)); /* its SYN was not seen */
    wrn_gate_set(bench->gate, alice, 1, &ours, &theirs, false);
    assert_false(wrn_gate_pair(bench->gate, alice)->is_strict);
    assert_true(passes(bench, alice, true, &mid));
    assert_true(passes(bench, alice, false, &late));
}

/* ---- one sets, others ask ---- */

enum { ASKERS = 3, ROUNDS = 4000 };

/* What a lane's thread stands in: odd while it asks. */
struct asker {
    _Atomic uint64_t section;
    struct contest *contest;
    uint32_t lane;
    uint64_t passed[4]; /* by port */
    pthread_t thread;
};

struct contest {
    struct bench bench;
    struct asker askers[ASKERS];
    _Atomic bool is_over;
    /* Nobody may get through who begins to ask while this is set: the gate was closed, and lanes
     * were waited for. */
    _Atomic bool is_shut;
    _Atomic uint32_t wrong;
};

/* A grace period: each lane has left the call in which it may have been. */
static void wait_for_askers(void *ctx) {
    struct contest *contest = ctx;
    for (size_t i = 0; i < ASKERS; i++) {
        uint64_t before = atomic_load(&contest->askers[i].section);
        while (before % 2 == 1 && atomic_load(&contest->askers[i].section) == before) {
            sched_yield();
        }
    }
}

static void *ask(void *arg) {
    struct asker *asker = arg;
    struct contest *contest = asker->contest;
    struct packet packets[4];
    for (unsigned i = 0; i < 4; i++) {
        packets[i] = packet_udp("10.1.0.1", 9, "10.1.0.2", i);
    }
    for (size_t i = asker->lane; !atomic_load(&contest->is_over); i++) {
        atomic_fetch_add(&asker->section, 1);
        bool was_shut = atomic_load(&contest->is_shut);
        bool passed = asks(&contest->bench, asker->lane, alice, true, &packets[i % 4]);
        atomic_fetch_add(&asker->section, 1);
        asker->passed[i % 4] += passed;
        /* Port 3 nobody was ever allowed. */
        if (passed && (was_shut || i % 4 == 3)) {
            atomic_fetch_add(&contest->wrong, 1);
        }
        if (i % 64 == 0) {
            sched_yield(); /* there may be more threads than processors */
        }
    }
    return NULL;
}

static void what_is_set_holds_for_all_who_ask_afterwards(void **state) {
    static const char *const rules[] = {
        "(allow udp '0')", "(allow udp '1')",
        "(allow udp (* set '0' '1' '2'))(allow tcp (* range numeric (ge '1')))"};
    struct wrn_policy_rules ours[WRN_COUNT(rules)];
    struct wrn_policy_rules theirs = packet_rules("");
    struct contest *contest = calloc(1, sizeof *contest);
    (void)state;
    assert_non_null(contest);
    make(&contest->bench, wait_for_askers, contest); /* nobody asks yet */
    for (size_t i = 0; i < WRN_COUNT(rules); i++) {
        ours[i] = packet_rules(rules[i]);
    }
    for (uint32_t i = 0; i < ASKERS; i++) {
        contest->askers[i] = (struct asker){.contest = contest, .lane = i + 1};
        assert_int_equal(pthread_create(&contest->askers[i].thread, NULL, ask, &contest->askers[i]),
                         0);
    }
    struct wrn_gate *gate = contest->bench.gate;
    for (size_t i = 0; i < ROUNDS; i++) {
        wrn_gate_set(gate, alice, 1, &ours[i % WRN_COUNT(rules)], &theirs, false);
        sched_yield();
        if (i % 8 == 7) {
            wrn_gate_close(gate, alice);
            wrn_gate_reclaim(gate);
            atomic_store(&contest->is_shut, true);
            sched_yield();
            atomic_store(&contest->is_shut, false);
            wait_for_askers(contest); /* who began while it was shut has ended */
        }
    }
    atomic_store(&contest->is_over, true);
    uint64_t passed = 0;
    for (uint32_t i = 0; i < ASKERS; i++) {
        assert_int_equal(pthread_join(contest->askers[i].thread, NULL), 0);
        for (size_t k = 0; k < 4; k++) {
            passed += contest->askers[i].passed[k];
        }
    }
    assert_int_equal(atomic_load(&contest->wrong), 0);
    struct wrn_gate_counts all;
    wrn_gate_counts(gate, &all);
    assert_int_equal(all.passed[WRN_POLICY_BY_RULE], passed);
    free(contest->bench.memory);
    free(contest);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_gate_begins_closed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_passes_by_rules_that_are_old, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_is_one_peers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(open_pairs_reach_this_host, set_up, tear_down),
        cmocka_unit_test_setup_teardown(our_addresses_come_and_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_lies_behind_us_is_reached, set_up, tear_down),
        cmocka_unit_test_setup_teardown(limited_pairs_go_by_rules_and_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(conversations_are_the_members, set_up, tear_down),
        cmocka_unit_test_setup_teardown(narrower_rights_hold_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lanes_are_waited_for_when_room_is_needed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_pair_of_other_strictness_is_another, set_up, tear_down),
        cmocka_unit_test(what_is_set_holds_for_all_who_ask_afterwards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
