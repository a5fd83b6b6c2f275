/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a broadcast reaches each node once, a sum counts each node once, and both say so where they
 * cannot. Method: rings of machines in virtual time, with loss, dead nodes and missing links. */
#include "overlay/route_internal.h"
#include "unit/base/check.h"
#include "unit/overlay/routenet.h"

static struct routenet *net_of(uint32_t nodes, uint32_t shortcuts) {
    struct routenet_options options = {
        .seed = check_seed(),
        .nodes = nodes,
        .near = 3,
        .shortcuts = shortcuts,
        .knows_views = true,
    };
    return routenet_create(&options);
}

static enum wrn_reason broadcast(struct routenet *net, uint32_t from, uint64_t tag, size_t size) {
    uint8_t payload[WRN_PAYLOAD_MAX + 1];
    check_pattern(payload, size, (unsigned)tag);
    wrn_store_be64(payload, tag);
    return wrn_route_broadcast(net->nodes[from].route, net->now, (wrn_span){payload, size});
}

/* Counts how many living nodes did not get broadcast 'tag'; none may get it twice, nor its source.
 */
static uint32_t count_missed(const struct routenet *net, uint32_t from, uint64_t tag) {
    static bool came[ROUTENET_NODES_MAX];
    memset(came, 0, sizeof(came));
    for (uint32_t i = 0; i < net->event_count; i++) {
        const struct routenet_event *event = &net->events[i];
        if (event->what == ROUTENET_BROADCAST && event->tag == tag) {
            CHECK(!came[event->node], "twice at %u: ", event->node);
            CHECK(event->node != from, "at its source: ");
            assert_true(wrn_id_equal(event->header.source, routenet_id(net, from)));
            came[event->node] = true;
        }
    }
    uint32_t missed = 0;
    for (uint32_t i = 0; i < net->node_count; i++) {
        missed += !came[i] && i != from && !net->nodes[i].is_dead;
    }
    return missed;
}

static void a_broadcast_reaches_all_once(void **state) {
    (void)state;
    static const uint32_t sizes[] = {2, 3, 4, 8, 32, 256, 1000};
    for (size_t i = 0; i < WRN_COUNT(sizes); i++) {
        struct routenet *net = net_of(sizes[i], sizes[i] > 8 ? 4 : 0);
        for (uint64_t tag = 0; tag < 5; tag++) {
            uint32_t from = routenet_node(net);
            uint64_t forwarded = routenet_count(net, WRN_ROUTE_COUNT_FORWARDED);
            net->event_count = 0;
            assert_int_equal(broadcast(net, from, tag, tag == 0 ? WRN_PAYLOAD_MAX : 100),
                             WRN_REASON_NONE);
            assert_true(routenet_run(net, 60));
            assert_int_equal(count_missed(net, from, tag), 0);
            assert_int_equal(net->event_count, sizes[i] - 1);
            /* One message a node, but those that the source itself sent. */
            forwarded = routenet_count(net, WRN_ROUTE_COUNT_FORWARDED) - forwarded;
            assert_int_equal(forwarded, sizes[i] - 1 - net->nodes[from].links.count);
        }
        assert_int_equal(routenet_count(net, WRN_ROUTE_COUNT_DUPLICATE), 0);
        routenet_destroy(net);
    }
}

static void a_broadcast_outlives_loss(void **state) {
    (void)state;
    struct routenet *net = net_of(256, 4);
    net->loss = 100;
    uint32_t missed = 0;
    for (uint64_t tag = 0; tag < 40; tag++) {
        uint32_t from = routenet_node(net);
        net->event_count = 0;
        assert_int_equal(broadcast(net, from, tag, 500), WRN_REASON_NONE);
        assert_true(routenet_run(net, 60));
        missed += count_missed(net, from, tag);
        for (uint32_t n = 0; n < net->node_count; n++) {
            for (uint32_t l = 0; l < net->nodes[n].links.count; l++) {
                net->nodes[n].links.links[l].is_suspect = false;
            }
        }
    }
    print_message("# 10 %% loss: %u of %u missed a broadcast\n", missed, 40 * 255);
    assert_true(missed * 1000 <= 40 * 255);
    routenet_destroy(net);
}

/* A node with many more links than room to watch what it sends by them gives fewer of them a
 * greater piece, so that nothing goes unwatched and loss is mended. */
static void many_links_and_little_room(void **state) {
    (void)state;
    struct routenet_options options = {
        .seed = check_seed(),
        .nodes = 200,
        .near = 3,
        .shortcuts = 14,
        .knows_views = true,
        .watched_max = 10,
        .watched_bytes = 2560,
    };
    struct routenet *net = routenet_create(&options);
    uint32_t missed = 0;
    assert_true(net->nodes[0].links.count > options.watched_max);
    assert_int_equal(broadcast(net, 0, 1, 900), WRN_REASON_NONE);
    assert_true(routenet_run(net, 60));
    assert_int_equal(count_missed(net, 0, 1), 0);
    assert_int_equal(routenet_count(net, WRN_ROUTE_COUNT_UNWATCHED), 0);
    net->loss = 100;
    for (uint64_t tag = 2; tag < 12; tag++) {
        net->event_count = 0;
        assert_int_equal(broadcast(net, 0, tag, 900), WRN_REASON_NONE);
        assert_true(routenet_run(net, 60));
        missed += count_missed(net, 0, tag);
    }
    print_message("# 10 %% loss: %u of %u missed a broadcast\n", missed, 10 * 199);
    assert_true(missed * 1000 <= 10 * 199);
    routenet_destroy(net);
}

/* Kills some nodes other than 'spared', at most 'row' neighbours; returns how many. */
static uint32_t kill_some(struct routenet *net, uint32_t count, uint32_t spared, uint32_t row) {
    uint32_t killed = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t victim = routenet_node(net);
        uint32_t n = net->node_count;
        uint32_t before = 0;
        uint32_t after = 0;
        while (before < row && net->nodes[(victim + n - before - 1) % n].is_dead) {
            before++;
        }
        while (after < row && net->nodes[(victim + after + 1) % n].is_dead) {
            after++;
        }
        if (victim != spared && before + 1 + after <= row) {
            routenet_kill(net, victim);
            killed++;
        }
    }
    return killed;
}

/* Some nodes are dead and nobody knows: those behind them on the ring get it nonetheless, as long
 * as each node has a neighbour that lives. */
static void a_broadcast_goes_round_the_dead(void **state) {
    (void)state;
    uint32_t missed = 0;
    enum { ROUNDS = 20 };
    for (uint64_t tag = 0; tag < ROUNDS; tag++) {
        struct routenet *net = net_of(256, 4);
        uint32_t from = routenet_node(net);
        kill_some(net, 25, from, 2);
        assert_int_equal(broadcast(net, from, tag, 100), WRN_REASON_NONE);
        assert_true(routenet_run(net, 60));
        missed += count_missed(net, from, tag);
        routenet_destroy(net);
    }
    print_message("# a tenth dead: %u of about %u missed a broadcast\n", missed, ROUNDS * 230);
    assert_int_equal(missed, 0);
}

/* Nodes do not agree on who lies between them, so that one gets several pieces of a broadcast: it
 * hands on only what is new, and delivers once. */
static void only_what_is_new_is_handed_on(void **state) {
    (void)state;
    struct routenet *net = net_of(40, 0);
    for (uint32_t i = 1; i < 40; i++) { /* node 0 knows all, which is easy to count */
        routenet_link(net, 0, i, WRN_LINK_SHORTCUT);
    }
    static const struct {
        uint32_t from, end, pieces;
    } steps[] = {
        {0, 10, 9},  /* 1 to 9 */
        {0, 10, 0},  /* again */
        {0, 5, 0},   /* less */
        {0, 15, 5},  /* 10 to 14 */
        {20, 25, 5}, /* of somebody else, who did not answer */
        {0, 0, 25},  /* the whole circle: 15 to 39 */
        {0, 39, 0},
    };
    for (uint32_t i = 0; i < WRN_COUNT(steps); i++) {
        uint8_t message[100] = {0};
        struct wrn_piece piece = {.source = routenet_id(net, 30),
                                  .from = routenet_id(net, steps[i].from),
                                  .end = routenet_id(net, steps[i].end),
                                  .origin = 5,
                                  .number = i + 1,
                                  .hops = 1};
        struct wrn_route_head head = wrn_piece_write(&piece);
        memcpy(message, head.bytes, head.size);
        uint64_t sent = net->nodes[0].sent;
        routenet_inject(net, 33 + i % 2, 0, (wrn_span){message, head.size + 20u});
        CHECK(net->nodes[0].sent - sent == 1 + steps[i].pieces, "piece %u: %u sent: ", i,
              (unsigned)(net->nodes[0].sent - sent));
    }
    assert_int_equal(net->event_count, 1);
    assert_true(routenet_run(net, 60));
    routenet_destroy(net);
}

/* A link alone is broken; both ends live, and the node gets it from another. */
static void a_broken_link_hides_nobody(void **state) {
    (void)state;
    struct routenet *net = net_of(64, 3);
    for (uint32_t round = 0; round < 30; round++) {
        uint32_t from = routenet_node(net);
        const struct wrn_links *links = &net->nodes[from].links;
        uint32_t other = links->links[wrn_rand_below(net->rand, links->count)].peer.index;
        net->event_count = 0;
        assert_int_equal(broadcast(net, from, round, 100), WRN_REASON_NONE);
        /* What it sent to 'other' is lost, and the link too. */
        routenet_kill(net, other);
        routenet_run(net, 0);
        routenet_unlink(net, from, other);
        net->nodes[other].is_dead = false;
        assert_true(routenet_run(net, 60));
        uint32_t allowed = (other + 64 - from) % 64 == 1 ? 1 : 0; /* it was the only way */
        assert_true(count_missed(net, from, round) <= allowed);
        routenet_link(net, from, other, WRN_LINK_NEAR);
        routenet_show_views(net);
    }
    routenet_destroy(net);
}

static void want_of_links_and_size(void **state) {
    (void)state;
    struct routenet *net = net_of(2, 0);
    assert_int_equal(broadcast(net, 0, 1, WRN_PAYLOAD_MAX + 1), WRN_REASON_TOO_LARGE);
    uint8_t question[WRN_PAYLOAD_MAX + 1] = {0};
    assert_int_equal(
        wrn_route_sum(net->nodes[0].route, net->now, 1, (wrn_span){question, sizeof(question)}),
        WRN_REASON_TOO_LARGE);
    routenet_unlink(net, 0, 1);
    routenet_link(net, 0, 1, WRN_LINK_LEAF); /* has not joined */
    assert_int_equal(broadcast(net, 0, 1, 8), WRN_REASON_NO_ROUTE);
    assert_int_equal(wrn_route_sum(net->nodes[0].route, net->now, 1, (wrn_span){question, 1}),
                     WRN_REASON_NO_ROUTE);
    assert_int_equal(wrn_route_due(net->nodes[0].route).ns, UINT64_MAX);
    assert_int_equal(net->event_count, 0);
    routenet_destroy(net);
}

static void ask(struct routenet *net, uint32_t from, uint32_t tag) {
    static const uint8_t question[] = "how many?";
    assert_int_equal(wrn_route_sum(net->nodes[from].route, net->now, tag,
                                   (wrn_span){question, sizeof(question)}),
                     WRN_REASON_NONE);
}

static const struct routenet_event *answer(const struct routenet *net, uint32_t tag) {
    const struct routenet_event *answer = NULL;
    for (uint32_t i = 0; i < net->event_count; i++) {
        if (net->events[i].what == ROUTENET_SUM && net->events[i].tag == tag) {
            assert_null(answer);
            answer = &net->events[i];
        }
    }
    assert_non_null(answer);
    return answer;
}

static void a_sum_counts_each_node_once(void **state) {
    (void)state;
    static const uint32_t sizes[] = {2, 3, 5, 32, 256, 1000};
    for (size_t i = 0; i < WRN_COUNT(sizes); i++) {
        struct routenet *net = net_of(sizes[i], sizes[i] > 8 ? 4 : 0);
        uint64_t sum = 0;
        uint64_t links = 0;
        for (uint32_t n = 0; n < sizes[i]; n++) {
            net->nodes[n].contribution = wrn_rand_below(net->rand, UINT32_MAX);
            sum += net->nodes[n].contribution;
            links += net->nodes[n].links.count;
        }
        uint32_t from = routenet_node(net);
        wrn_mono start = net->now;
        ask(net, from, 99);
        assert_true(routenet_run(net, 60));
        const struct routenet_event *event = answer(net, 99);
        assert_int_equal(event->node, from);
        assert_int_equal(event->nodes, sizes[i]);
        assert_int_equal(event->values[0], sizes[i]);
        assert_true(event->values[1] == sum);
        assert_int_equal(event->values[2], links);
        uint64_t most = UINT64_MAX / 3; /* of each */
        assert_true(event->values[3] == (sizes[i] == 2 ? 2 * most : UINT64_MAX));
        assert_true(event->is_complete);
        print_message("# sum of %u nodes: %u ms with %u ms a hop\n", sizes[i],
                      (unsigned)((event->at.ns - start.ns) / 1000000), ROUTENET_DELAY_MS);
        routenet_destroy(net);
    }
}

/* Many at once, from all over; more than there is room for are refused, or answer for less and say
 * so. */
static void sums_at_once(void **state) {
    (void)state;
    struct routenet_options options = {
        .seed = check_seed(), .nodes = 64, .near = 3, .shortcuts = 3, .sums_max = 4};
    struct routenet *net = routenet_create(&options);
    for (uint32_t i = 0; i < 4; i++) {
        ask(net, 10, i);
    }
    static const uint8_t question[] = "?";
    assert_int_equal(wrn_route_sum(net->nodes[10].route, net->now, 4, (wrn_span){question, 1}),
                     WRN_REASON_FULL);
    assert_true(routenet_run(net, 60));
    for (uint32_t i = 0; i < 4; i++) {
        const struct routenet_event *event = answer(net, i);
        assert_int_equal(event->nodes, event->values[0]);
        assert_true(event->nodes <= 64 && event->nodes >= 2);
        /* Whole, or known not to be: a peer may take half of the room of another. */
        assert_int_equal(event->is_complete, event->nodes == 64);
    }
    assert_true(routenet_count(net, WRN_ROUTE_COUNT_SUM_FULL) > 0);
    for (uint32_t n = 0; n < 64; n++) {
        assert_int_equal(wrn_route_due(net->nodes[n].route).ns, UINT64_MAX);
    }
    ask(net, 10, 50); /* all room is free again */
    assert_true(routenet_run(net, 60));
    assert_true(answer(net, 50)->is_complete);
    routenet_destroy(net);
}

/* Nodes die: the sum ends in time, counts nobody twice, and calls itself whole only if it is. */
static void a_sum_ends_in_time(void **state) {
    (void)state;
    uint64_t counted = 0;
    uint64_t living = 0;
    for (uint32_t round = 0; round < 20; round++) {
        struct routenet *net = net_of(128, 4);
        uint32_t from = routenet_node(net);
        uint32_t dead = kill_some(net, 12, from, 2);
        net->loss = round % 2 == 0 ? 0 : 20;
        wrn_mono start = net->now;
        ask(net, from, round);
        assert_true(routenet_run(net, 60));
        const struct routenet_event *event = answer(net, round);
        assert_true(event->at.ns - start.ns <= WRN_S(10));
        assert_int_equal(event->nodes, event->values[0]);
        assert_true(event->nodes <= 128 - dead);
        counted += event->nodes;
        living += 128 - dead;
        routenet_destroy(net);
    }
    print_message("# a tenth dead, 2 %% loss in every other round: %u of %u living counted\n",
                  (unsigned)counted, (unsigned)living);
    /* nearly all, as a rule; a piece that is lost near the asker takes half of a round with it */
    assert_true(counted * 100 >= living * 80);
}

/* A branch that dies after it took its piece never answers: the rest comes, marked. */
static void a_lost_branch_is_told(void **state) {
    (void)state;
    struct routenet *net = net_of(100, 4);
    uint32_t from = 5;
    ask(net, from, 1);
    routenet_run(net, 0);
    net->now = wrn_mono_add(net->now, WRN_MS(ROUTENET_DELAY_MS) - 1);
    routenet_run(net, 0);
    net->now = wrn_mono_add(net->now, 1);
    routenet_run(net, 0); /* the pieces have come, and are acknowledged */
    const struct wrn_links *links = &net->nodes[from].links;
    uint32_t branch = 0; /* one that has to wait for others */
    for (uint32_t i = 0; i + 1 < links->count; i++) {
        uint32_t end = links->links[i + 1].peer.index;
        branch = (end + 100 - links->links[i].peer.index) % 100 > 4 ? i : branch;
    }
    routenet_kill(net, links->links[branch].peer.index);
    assert_true(routenet_run(net, 60));
    const struct routenet_event *event = answer(net, 1);
    assert_false(event->is_complete);
    assert_true(event->nodes < 100 && event->nodes > 1);
    routenet_destroy(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_broadcast_reaches_all_once),
        cmocka_unit_test(a_broadcast_outlives_loss),
        cmocka_unit_test(many_links_and_little_room),
        cmocka_unit_test(a_broadcast_goes_round_the_dead),
        cmocka_unit_test(only_what_is_new_is_handed_on),
        cmocka_unit_test(a_broken_link_hides_nobody),
        cmocka_unit_test(want_of_links_and_size),
        cmocka_unit_test(a_sum_counts_each_node_once),
        cmocka_unit_test(sums_at_once),
        cmocka_unit_test(a_sum_ends_in_time),
        cmocka_unit_test(a_lost_branch_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
