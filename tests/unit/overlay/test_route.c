/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: each message ends at the right node, in few hops, also when messages are lost and nodes
 * dead. Method: rings of machines in virtual time; who is nearest is found by looking at all
 * nodes. */
#include "overlay/route.h"

#include "overlay/route_internal.h"
#include "unit/base/check.h"
#include "unit/overlay/routenet.h"

static struct routenet *net_of(uint32_t nodes, uint32_t shortcuts, bool knows_views) {
    struct routenet_options options = {
        .seed = check_seed(),
        .nodes = nodes,
        .near = 3,
        .shortcuts = shortcuts,
        .knows_views = knows_views,
    };
    return routenet_create(&options);
}

static struct wrn_route_header to(enum wrn_route_mode mode, wrn_id target) {
    return (struct wrn_route_header){.mode = mode, .target = target, .wants_trace = true};
}

/* The one event that a message led to, which is of kind 'what' at 'node'. */
static const struct routenet_event *only_event(const struct routenet *net, enum routenet_what what,
                                               uint32_t node) {
    CHECK(net->event_count == 1, "%u events: ", net->event_count);
    CHECK(net->events[0].what == what, "event %d: ", (int)net->events[0].what);
    CHECK(net->events[0].node == node, "at %u, expected %u: ", net->events[0].node, node);
    return &net->events[0];
}

static void check_one_message(struct routenet *net, uint64_t tag) {
    uint32_t from = routenet_node(net);
    wrn_id place = routenet_place(net);
    uint32_t nearest = routenet_nearest(net, place, UINT32_MAX);
    struct wrn_route_header header = to(WRN_ROUTE_NEAREST, place);
    switch (tag % 4) {
    case 0:
        break;
    case 1:
        nearest = routenet_node(net);
        header = to(WRN_ROUTE_EXACT, routenet_id(net, nearest));
        break;
    case 2: /* the source is nearest, but does not count */
        header.target = routenet_id(net, from);
        header.not_source = true;
        nearest = routenet_nearest(net, header.target, from);
        break;
    default: /* nobody is there */
        header.mode = WRN_ROUTE_EXACT;
        nearest = UINT32_MAX;
        break;
    }
    net->event_count = 0;
    enum wrn_reason reason =
        routenet_send(net, from, &header, WRN_HANDLE_NONE, tag, 8 + (size_t)tag % 1000);
    assert_true(routenet_run(net, 60));
    if (net->node_count == 1 && (tag % 4 >= 2)) {
        assert_int_equal(reason, WRN_REASON_NO_ROUTE);
        return;
    }
    if (tag % 4 == 3 && reason == WRN_REASON_NOBODY_THERE) {
        assert_int_equal(routenet_nearest(net, place, UINT32_MAX), from);
        return;
    }
    assert_int_equal(reason, WRN_REASON_NONE);
    const struct routenet_event *event = nearest == UINT32_MAX
                                             ? only_event(net, ROUTENET_UNDELIVERED, from)
                                             : only_event(net, ROUTENET_DELIVERED, nearest);
    assert_int_equal(event->tag, tag);
    assert_int_equal(event->size, 8 + tag % 1000);
    assert_true(wrn_id_equal(event->header.source, routenet_id(net, from)));
    assert_true(wrn_id_equal(event->header.target, header.target));
    assert_int_equal(event->header.mode, header.mode);
    assert_int_equal(event->header.not_source, header.not_source);
    if (nearest == UINT32_MAX) {
        assert_int_equal(event->reason, WRN_REASON_NOBODY_THERE);
    } else {
        assert_int_equal(event->header.hops == 0, nearest == from);
    }
}

static void ends_at_the_right_node(void **state) {
    (void)state;
    static const uint32_t sizes[] = {1, 2, 3, 4, 7, 8, 20, 64, 300};
    for (size_t i = 0; i < WRN_COUNT(sizes); i++) {
        for (int knows_views = 0; knows_views < 2; knows_views++) {
            /* Without shortcuts larger rings take more hops than the limit. */
            struct routenet *net = net_of(sizes[i], sizes[i] > 64 ? 4 : 0, knows_views != 0);
            for (uint64_t tag = 0; tag < 400; tag++) {
                check_one_message(net, tag);
            }
            assert_int_equal(routenet_count(net, WRN_ROUTE_COUNT_RETRIED), 0);
            assert_int_equal(routenet_count(net, WRN_ROUTE_COUNT_DUPLICATE), 0);
            assert_int_equal(routenet_count(net, WRN_ROUTE_COUNT_MALFORMED), 0);
            routenet_destroy(net);
        }
    }
}

static void goes_sideways(void **state) {
    (void)state;
    struct routenet *net = net_of(30, 2, true);
    for (uint32_t i = 0; i < 200; i++) {
        uint32_t from = routenet_node(net);
        bool is_right = wrn_rand_below(net->rand, 2) == 0;
        struct wrn_route_header header = {
            .mode = is_right ? WRN_ROUTE_RIGHT : WRN_ROUTE_LEFT,
            .steps = (uint8_t)wrn_rand_below(net->rand, 6),
        };
        const struct wrn_links *links = &net->nodes[from].links;
        wrn_handle first = WRN_HANDLE_NONE;
        uint32_t start = from;
        if (wrn_rand_below(net->rand, 2) == 0) { /* as many steps, but from a neighbour on */
            first = links->links[wrn_rand_below(net->rand, links->count)].peer;
            start = first.index;
        }
        uint32_t end = (start + (is_right ? header.steps : 30u - header.steps)) % 30;
        net->event_count = 0;
        assert_int_equal(routenet_send(net, from, &header, first, i, 50), WRN_REASON_NONE);
        assert_true(routenet_run(net, 60));
        const struct routenet_event *event = only_event(net, ROUTENET_DELIVERED, end);
        assert_int_equal(event->header.steps, 0);
        assert_int_equal(event->header.hops, header.steps + (start != from));
    }
    routenet_destroy(net);
}

/* The source is left out, also where it lies between. */
static void goes_sideways_past_the_source(void **state) {
    (void)state;
    struct routenet *net = net_of(10, 0, false);
    struct wrn_route_header header = {.mode = WRN_ROUTE_LEFT, .steps = 1, .not_source = true};
    assert_int_equal(routenet_send(net, 4, &header, routenet_handle(5), 1, 8), WRN_REASON_NONE);
    assert_true(routenet_run(net, 60));
    only_event(net, ROUTENET_DELIVERED, 3);
    routenet_destroy(net);
    net = net_of(2, 0, false);
    assert_int_equal(routenet_send(net, 0, &header, routenet_handle(1), 1, 8), WRN_REASON_NONE);
    assert_true(routenet_run(net, 60));
    only_event(net, ROUTENET_DELIVERED, 1);
    routenet_destroy(net);
}

struct hops {
    uint32_t thousandths; /* mean */
    uint32_t most;
};

static struct hops measure_hops(uint64_t seed, uint32_t shortcuts, bool knows_views,
                                uint8_t limit) {
    struct routenet_options options = {
        .seed = seed,
        .nodes = 1000,
        .near = 3,
        .shortcuts = shortcuts,
        .knows_views = knows_views,
    };
    struct routenet *net = routenet_create(&options);
    uint64_t sum = 0;
    struct hops hops = {0};
    enum { MESSAGES = 3000 };
    for (uint32_t i = 0; i < MESSAGES; i++) {
        struct wrn_route_header header = to(WRN_ROUTE_NEAREST, routenet_place(net));
        header.hop_limit = limit;
        routenet_send(net, routenet_node(net), &header, WRN_HANDLE_NONE, i, 8);
    }
    assert_true(routenet_run(net, 600));
    assert_int_equal(net->event_count, MESSAGES);
    for (uint32_t i = 0; i < net->event_count; i++) {
        const struct wrn_route_header *header = &net->events[i].header;
        assert_int_equal(net->events[i].what, ROUTENET_DELIVERED);
        assert_int_equal(net->events[i].node, routenet_nearest(net, header->target, UINT32_MAX));
        sum += header->hops;
        hops.most = header->hops > hops.most ? header->hops : hops.most;
    }
    hops.thousandths = (uint32_t)(sum * 1000 / MESSAGES);
    print_message("# 1000 nodes, %u shortcuts made each%s: %u.%03u hops, at most %u\n", shortcuts,
                  knows_views ? ", views" : "", hops.thousandths / 1000, hops.thousandths % 1000,
                  hops.most);
    routenet_destroy(net);
    return hops;
}

static void shortcuts_and_views_save_hops(void **state) {
    (void)state;
    uint64_t seed = check_seed();
    struct hops ring = measure_hops(seed, 0, false, 255);
    struct hops few = measure_hops(seed, 5, false, 0);
    struct hops few_seen = measure_hops(seed, 5, true, 0);
    struct hops many = measure_hops(seed, 8, false, 0);
    struct hops many_seen = measure_hops(seed, 8, true, 0);
    assert_true(few.thousandths < ring.thousandths / 10);
    /* Near neighbours of links save little where all tables are right. */
    assert_true(few_seen.thousandths <= few.thousandths + 30);
    assert_true(many_seen.thousandths <= many.thousandths + 30);
    /* half of log2 N, and one; twice log2 N */
    assert_true(few_seen.thousandths <= 6000);
    assert_true(few_seen.most <= 20);
}

/* Counts messages that do not end at the nearest node, in a ring where nodes lack links to some of
 * their neighbours. */
static uint32_t count_astray(uint64_t seed, bool knows_views) {
    struct routenet_options options = {.seed = seed, .nodes = 200, .near = 3, .shortcuts = 5};
    struct routenet *net = routenet_create(&options);
    for (uint32_t i = 0; i < 200; i++) {
        if (wrn_rand_below(net->rand, 4) == 0) {
            routenet_unlink(net, i, (i + 1) % 200);
            routenet_unlink(net, i, (i + 2) % 200);
        }
    }
    if (knows_views) {
        routenet_show_views(net);
    }
    enum { MESSAGES = 2000 };
    uint32_t astray = MESSAGES;
    for (uint32_t i = 0; i < MESSAGES; i++) {
        struct wrn_route_header header = {.target = routenet_place(net)};
        header.mode = WRN_ROUTE_NEAREST;
        routenet_send(net, routenet_node(net), &header, WRN_HANDLE_NONE, i, 8);
    }
    assert_true(routenet_run(net, 60));
    assert_int_equal(net->event_count, MESSAGES);
    for (uint32_t i = 0; i < MESSAGES; i++) {
        const struct routenet_event *event = &net->events[i];
        astray -= routenet_nearest(net, event->header.target, UINT32_MAX) == event->node;
    }
    routenet_destroy(net);
    return astray;
}

static void views_help_where_links_lack(void **state) {
    (void)state;
    uint64_t seed = check_seed();
    uint32_t blind = count_astray(seed, false);
    uint32_t seen = count_astray(seed, true);
    print_message("# neighbours without links: %u of 2000 messages astray, %u with views\n", blind,
                  seen);
    assert_true(blind > 40);
    assert_true(seen * 2 < blind);
}

/* Views are old, false, without order: whatever they say, no message goes in circles, and each ends
 * at the nearest node, as the links are right. */
static void false_views_lead_nobody_astray(void **state) {
    (void)state;
    struct routenet *net = net_of(200, 5, true);
    for (uint32_t i = 0; i < net->node_count; i++) {
        for (uint32_t j = 0; j < net->nodes[i].links.count; j++) {
            struct wrn_link *link = &net->nodes[i].links.links[j];
            for (uint32_t k = 0; k < WRN_NEAR_PER_SIDE; k++) {
                bool is_near = wrn_rand_below(net->rand, 2) == 0;
                wrn_id way = {wrn_rand_below(net->rand, 1u << 31), 0};
                wrn_id near = wrn_id_add(link->id, way);
                link->right[k] = is_near ? near : routenet_place(net);
                link->left[k] = is_near ? wrn_id_middle(link->left[k], link->id)
                                        : routenet_id(net, routenet_node(net));
            }
        }
    }
    uint32_t most = 0;
    for (uint32_t i = 0; i < 5000; i++) {
        wrn_id place = routenet_place(net);
        struct wrn_route_header header = to(WRN_ROUTE_NEAREST, place);
        header.hop_limit = UINT8_MAX;
        net->event_count = 0;
        routenet_send(net, routenet_node(net), &header, WRN_HANDLE_NONE, i, 8);
        assert_true(routenet_run(net, 60));
        const struct routenet_event *event =
            only_event(net, ROUTENET_DELIVERED, routenet_nearest(net, place, UINT32_MAX));
        most = event->header.hops > most ? event->header.hops : most;
    }
    print_message("# false views: at most %u hops\n", most);
    assert_true(most <= 30);
    routenet_destroy(net);
}

static void loss_is_made_good(void **state) {
    (void)state;
    struct routenet *net = net_of(200, 4, true);
    net->loss = 100;
    enum { MESSAGES = 20000 };
    uint64_t sent = 0;
    for (uint32_t i = 0; i < MESSAGES; i++) {
        struct wrn_route_header header = to(WRN_ROUTE_EXACT, routenet_id(net, routenet_node(net)));
        assert_int_equal(
            routenet_send(net, routenet_node(net), &header, WRN_HANDLE_NONE, i, 8 + i % 500),
            WRN_REASON_NONE);
        sent++;
        if (i % 100 == 99) {
            assert_true(routenet_run(net, 60));
        }
        for (uint32_t n = 0; n < net->node_count; n++) {
            for (uint32_t l = 0; i % 100 == 99 && l < net->nodes[n].links.count; l++) {
                net->nodes[n].links.links[l].is_suspect = false; /* pongs came */
            }
        }
    }
    static bool came[MESSAGES];
    memset(came, 0, sizeof(came));
    uint64_t delivered = 0;
    for (uint32_t i = 0; i < net->event_count; i++) {
        const struct routenet_event *event = &net->events[i];
        if (event->what == ROUTENET_DELIVERED) {
            assert_true(wrn_id_equal(event->header.target, routenet_id(net, event->node)));
            CHECK(!came[event->tag], "%u came twice: ", (unsigned)event->tag);
            came[event->tag] = true;
            delivered++;
        }
    }
    print_message("# 10 %% loss: %u of %u delivered, %u sent again, %u by another link\n",
                  (unsigned)delivered, (unsigned)sent,
                  (unsigned)routenet_count(net, WRN_ROUTE_COUNT_RETRIED),
                  (unsigned)routenet_count(net, WRN_ROUTE_COUNT_REROUTED));
    assert_true(delivered * 1000 >= sent * 999);
    assert_true(routenet_count(net, WRN_ROUTE_COUNT_DUPLICATE) > 0);
    assert_int_equal(routenet_count(net, WRN_ROUTE_COUNT_MALFORMED), 0);
    routenet_destroy(net);
}

/* Tells whether a death would leave a gap as wide as a side's near links: the ring is broken there
 * until it is closed by whoever makes links, which nobody does here. */
static bool would_break(const struct routenet *net, uint32_t node) {
    uint32_t gap = 1;
    for (uint32_t way = 1; way < net->node_count; way += net->node_count - 2) {
        uint32_t next = (node + way) % net->node_count;
        for (; net->nodes[next].is_dead; next = (next + way) % net->node_count) {
            gap++;
        }
    }
    return gap >= WRN_NEAR_PER_SIDE;
}

/* A tenth of the nodes dies, nobody has noticed. What is for the living arrives; what is for the
 * dead is told to its source. */
static void the_dead_are_gone_round(void **state) {
    (void)state;
    struct routenet *net = net_of(300, 5, true);
    for (uint32_t i = 0; i < 30; i++) {
        uint32_t node = routenet_node(net);
        while (would_break(net, node)) {
            node = routenet_node(net);
        }
        routenet_kill(net, node);
    }
    uint32_t wrong = 0;
    enum { MESSAGES = 2000 };
    for (uint32_t i = 0; i < MESSAGES; i++) {
        bool is_exact = i % 2 == 0;
        uint32_t target = wrn_rand_below(net->rand, 300);
        wrn_id place = is_exact ? routenet_id(net, target) : routenet_place(net);
        struct wrn_route_header header = to(is_exact ? WRN_ROUTE_EXACT : WRN_ROUTE_NEAREST, place);
        net->event_count = 0;
        routenet_send(net, routenet_node(net), &header, WRN_HANDLE_NONE, i, 8);
        assert_true(routenet_run(net, 60));
        const struct routenet_event *end = NULL;
        for (uint32_t e = 0; e < net->event_count; e++) {
            if (net->events[e].what != ROUTENET_SUSPECT) {
                assert_null(end);
                end = &net->events[e];
            }
        }
        uint32_t expected = is_exact ? target : routenet_nearest(net, place, UINT32_MAX);
        bool is_dead = net->nodes[expected].is_dead;
        if (end == NULL || (end->what == ROUTENET_DELIVERED) == is_dead ||
            (!is_dead && end->node != expected)) {
            wrong++;
        }
    }
    print_message("# a tenth dead: %u of %u messages went astray; %u sent by another link\n", wrong,
                  MESSAGES, (unsigned)routenet_count(net, WRN_ROUTE_COUNT_REROUTED));
    assert_true(wrong * 100 < MESSAGES);
    assert_true(routenet_count(net, WRN_ROUTE_COUNT_REROUTED) > 0);
    routenet_destroy(net);
}

/* So many die beside one another that neither side of the gap knows the other one. What is for a
 * place there ends at one of them, once; what is for one of the dead is delivered to nobody. */
static void a_gap_ends_what_is_for_it(void **state) {
    (void)state;
    struct routenet *net = net_of(300, 5, true);
    enum { FIRST = 100, MESSAGES = 400 };
    for (uint32_t i = 0; i < WRN_NEAR_PER_SIDE; i++) {
        routenet_kill(net, FIRST + i);
    }
    wrn_id left = routenet_id(net, FIRST - 1), right = routenet_id(net, FIRST + WRN_NEAR_PER_SIDE);
    for (uint32_t i = 0; i < MESSAGES; i++) {
        uint32_t dead = FIRST + i % WRN_NEAR_PER_SIDE;
        bool is_exact = i % 2 == 0;
        wrn_id place = routenet_id(net, dead);
        place =
            is_exact ? place : wrn_id_middle(i % 4 == 1 ? left : place, i % 4 == 1 ? place : right);
        struct wrn_route_header header = to(is_exact ? WRN_ROUTE_EXACT : WRN_ROUTE_NEAREST, place);
        uint32_t ends = 0;
        net->event_count = 0;
        routenet_send(net, routenet_node(net), &header, WRN_HANDLE_NONE, i, 8);
        assert_true(routenet_run(net, 60));
        for (uint32_t e = 0; e < net->event_count; e++) {
            const struct routenet_event *event = &net->events[e];
            ends += event->what != ROUTENET_SUSPECT;
            if (event->what == ROUTENET_DELIVERED) {
                wrn_id at = routenet_id(net, event->node);
                assert_true(!is_exact && (wrn_id_equal(at, left) || wrn_id_equal(at, right)));
            }
        }
        CHECK(ends == 1, "message %u ended %u times: ", i, ends);
    }
    routenet_destroy(net);
}

static void the_hop_limit_ends_a_message(void **state) {
    (void)state;
    struct routenet *net = net_of(64, 0, false);
    struct wrn_route_header header = to(WRN_ROUTE_EXACT, routenet_id(net, 30));
    routenet_send(net, 0, &header, WRN_HANDLE_NONE, 0, 8);
    assert_true(routenet_run(net, 60));
    uint8_t hops = only_event(net, ROUTENET_DELIVERED, 30)->header.hops;
    assert_in_range(hops, 10, 64 / 3); /* 3 nodes each, the way that is shorter by ids */
    for (header.hop_limit = 1; header.hop_limit <= hops; header.hop_limit++) {
        bool is_far_enough = header.hop_limit == hops;
        net->event_count = 0;
        assert_int_equal(routenet_send(net, 0, &header, WRN_HANDLE_NONE, 7, 8), WRN_REASON_NONE);
        assert_true(routenet_run(net, 60));
        const struct routenet_event *event = only_event(
            net, is_far_enough ? ROUTENET_DELIVERED : ROUTENET_UNDELIVERED, is_far_enough ? 30 : 0);
        assert_int_equal(event->reason, is_far_enough ? WRN_REASON_NONE : WRN_REASON_HOP_LIMIT);
        assert_int_equal(event->tag, 7);
        assert_int_equal(event->header.hops, header.hop_limit);
    }
    assert_int_equal(routenet_count(net, WRN_ROUTE_COUNT_HOP_LIMIT), hops - 1);
    routenet_destroy(net);
}

/* Node 0 has not joined: a leaf link carries it. What it sends and what answers it pass there. */
static void a_via_carries_who_has_not_joined(void **state) {
    (void)state;
    struct routenet *net = net_of(100, 5, true);
    for (uint32_t i = 1; i < 100; i++) {
        routenet_unlink(net, 0, i);
    }
    routenet_link(net, 0, 50, WRN_LINK_LEAF);
    struct wrn_route_header header = {
        .mode = WRN_ROUTE_EXACT,
        .target = routenet_id(net, 20),
        .via = routenet_id(net, 50),
        .has_via = true,
        .wants_trace = true,
    };
    assert_int_equal(routenet_send(net, 0, &header, routenet_handle(50), 1, 100), WRN_REASON_NONE);
    assert_true(routenet_run(net, 60));
    const struct wrn_route_header got = only_event(net, ROUTENET_DELIVERED, 20)->header;
    assert_true(got.has_via && !got.to_via && wrn_id_equal(got.via, routenet_id(net, 50)));
    struct wrn_route_header reply = wrn_route_reply(&got);
    assert_true(wrn_id_equal(reply.target, routenet_id(net, 0)) && reply.to_via);
    net->event_count = 0;
    assert_int_equal(routenet_send(net, 20, &reply, WRN_HANDLE_NONE, 2, 100), WRN_REASON_NONE);
    assert_true(routenet_run(net, 60));
    /* The via was the target's: an answer to the answer does not go there. */
    assert_false(only_event(net, ROUTENET_DELIVERED, 0)->header.has_via);
    /* Nothing else is led to a node that has not joined. */
    header.mode = WRN_ROUTE_NEAREST;
    header.target = routenet_id(net, 0);
    header.not_source = true;
    net->event_count = 0;
    assert_int_equal(routenet_send(net, 0, &header, WRN_HANDLE_NONE, 3, 8), WRN_REASON_NONE);
    assert_true(routenet_run(net, 60));
    only_event(net, ROUTENET_DELIVERED, routenet_nearest(net, header.target, 0));
    /* An error comes back through via too. */
    header.mode = WRN_ROUTE_EXACT;
    header.not_source = false;
    header.target = routenet_place(net);
    net->event_count = 0;
    assert_int_equal(routenet_send(net, 0, &header, WRN_HANDLE_NONE, 4, 8), WRN_REASON_NONE);
    assert_true(routenet_run(net, 60));
    assert_int_equal(only_event(net, ROUTENET_UNDELIVERED, 0)->reason, WRN_REASON_NOBODY_THERE);
    /* Via has let the link go: nobody there, instead of a message that wanders. */
    routenet_unlink(net, 0, 50);
    reply.wants_trace = true;
    net->event_count = 0;
    assert_int_equal(routenet_send(net, 20, &reply, WRN_HANDLE_NONE, 5, 8), WRN_REASON_NONE);
    assert_true(routenet_run(net, 60));
    assert_int_equal(only_event(net, ROUTENET_UNDELIVERED, 20)->reason, WRN_REASON_NOBODY_THERE);
    /* By now it has joined: via knows the way although it has no link. */
    for (uint32_t i = 1; i <= 3; i++) {
        routenet_link(net, 0, i, WRN_LINK_NEAR);
        routenet_link(net, 0, 100 - i, WRN_LINK_NEAR);
    }
    net->event_count = 0;
    assert_int_equal(routenet_send(net, 20, &reply, WRN_HANDLE_NONE, 6, 8), WRN_REASON_NONE);
    assert_true(routenet_run(net, 60));
    only_event(net, ROUTENET_DELIVERED, 0);
    routenet_destroy(net);
}

static void the_first_link_is_kept_to(void **state) {
    (void)state;
    struct routenet *net = net_of(40, 2, true);
    struct wrn_route_header header = to(WRN_ROUTE_NEAREST, routenet_id(net, 0));
    header.not_source = true;
    assert_int_equal(routenet_send(net, 0, &header, routenet_handle(2), 1, 8), WRN_REASON_NONE);
    assert_true(routenet_run(net, 60));
    only_event(net, ROUTENET_DELIVERED, routenet_nearest(net, header.target, 0));
    /* It is dead: no other would be an answer. */
    routenet_kill(net, 2);
    net->event_count = 0;
    assert_int_equal(routenet_send(net, 0, &header, routenet_handle(2), 2, 8), WRN_REASON_NONE);
    assert_true(routenet_run(net, 60));
    assert_int_equal(net->event_count, 2);
    assert_int_equal(net->events[0].what, ROUTENET_SUSPECT);
    assert_int_equal(net->events[1].what, ROUTENET_UNDELIVERED);
    assert_int_equal(net->events[1].reason, WRN_REASON_TIMEOUT);
    assert_int_equal(wrn_route_count(net->nodes[0].route, WRN_ROUTE_COUNT_LOST), 1);
    assert_int_equal(routenet_send(net, 0, &header, routenet_handle(39), 3, 8), WRN_REASON_NONE);
    routenet_unlink(net, 0, 39);
    assert_int_equal(routenet_send(net, 0, &header, routenet_handle(39), 3, 8),
                     WRN_REASON_NO_ROUTE);
    routenet_destroy(net);
}

struct log {
    uint32_t count;
    uint64_t at_ms[16];
    uint32_t to[16];
    struct routenet *net;
    uint32_t acks_lost;
};

static bool log_all(void *ctx, uint32_t from, uint32_t to, wrn_span message) {
    struct log *log = ctx;
    if (from != 0 || message.data[0] != WRN_MESSAGE_ROUTED) {
        return false;
    }
    assert_true(log->count < WRN_COUNT(log->at_ms));
    log->at_ms[log->count] = (log->net->now.ns - WRN_S(1)) / 1000000;
    log->to[log->count++] = to;
    return true;
}

/* Twice by the best link, then by others, four times in all. */
static void retries_follow_the_rules(void **state) {
    (void)state;
    struct routenet *net = net_of(20, 0, false);
    struct log log = {.net = net};
    net->drops = log_all;
    net->ctx = &log;
    struct wrn_route_header header = to(WRN_ROUTE_EXACT, routenet_id(net, 3));
    wrn_links_of(&net->nodes[0].links, routenet_handle(3))->rtt_us = 100000; /* 250 ms */
    wrn_links_of(&net->nodes[0].links, routenet_handle(2))->rtt_us = 0;      /* 500 ms */
    wrn_links_of(&net->nodes[0].links, routenet_handle(1))->rtt_us = 1000;   /* 100 ms */
    assert_int_equal(routenet_send(net, 0, &header, WRN_HANDLE_NONE, 1, 8), WRN_REASON_NONE);
    assert_true(routenet_run(net, 60));
    static const uint64_t times[] = {0, 250, 500, 1000};
    static const uint32_t links[] = {3, 3, 2, 1};
    assert_int_equal(log.count, 4);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(log.at_ms[i], times[i]);
        assert_int_equal(log.to[i], links[i]);
    }
    assert_int_equal(net->event_count, 2);
    assert_int_equal(net->events[0].what, ROUTENET_SUSPECT);
    assert_int_equal(net->events[0].from.index, 3);
    assert_int_equal(net->events[1].what, ROUTENET_UNDELIVERED);
    assert_int_equal(net->events[1].reason, WRN_REASON_TIMEOUT);
    assert_int_equal((net->events[1].at.ns - WRN_S(1)) / 1000000, 1100);
    /* A suspect link is not the first choice, until something is heard by it. */
    assert_true(wrn_links_of(&net->nodes[0].links, routenet_handle(3))->is_suspect);
    log.count = 0;
    routenet_send(net, 0, &header, WRN_HANDLE_NONE, 2, 8);
    assert_int_equal(log.to[0], 2);
    wrn_route_on_heard(net->nodes[0].route, routenet_handle(3));
    routenet_send(net, 0, &header, WRN_HANDLE_NONE, 3, 8);
    assert_int_equal(log.to[1], 3);
    routenet_destroy(net);
}

static void a_lost_link_is_replaced_at_once(void **state) {
    (void)state;
    struct routenet *net = net_of(20, 0, false);
    struct log log = {.net = net};
    net->drops = log_all;
    net->ctx = &log;
    struct wrn_route_header header = to(WRN_ROUTE_EXACT, routenet_id(net, 3));
    assert_int_equal(routenet_send(net, 0, &header, WRN_HANDLE_NONE, 1, 8), WRN_REASON_NONE);
    net->drops = NULL;
    routenet_unlink(net, 0, 3);
    assert_true(routenet_run(net, 60));
    only_event(net, ROUTENET_DELIVERED, 3);
    assert_int_equal(net->events[0].header.hops, 2);
    assert_true(net->now.ns < WRN_S(1) + WRN_MS(100));
    routenet_destroy(net);
}

static bool lose_acks(void *ctx, uint32_t from, uint32_t to, wrn_span message) {
    struct log *log = ctx;
    (void)from;
    (void)to;
    if (message.data[0] == WRN_MESSAGE_HOP_ACK && log->acks_lost > 0) {
        log->acks_lost--;
        return true;
    }
    return false;
}

/* Acknowledgements are lost: the same message comes again, by the same link and by another. It is
 * delivered once. */
static void nothing_is_delivered_twice(void **state) {
    (void)state;
    for (uint32_t lost = 1; lost <= 3; lost++) {
        struct routenet *net = net_of(20, 0, false);
        struct log log = {.net = net, .acks_lost = lost};
        net->drops = lose_acks;
        net->ctx = &log;
        struct wrn_route_header header = to(WRN_ROUTE_EXACT, routenet_id(net, 3));
        assert_int_equal(routenet_send(net, 0, &header, WRN_HANDLE_NONE, 1, 700), WRN_REASON_NONE);
        assert_true(routenet_run(net, 60));
        uint32_t delivered = 0;
        for (uint32_t i = 0; i < net->event_count; i++) {
            assert_int_not_equal(net->events[i].what, ROUTENET_UNDELIVERED);
            delivered += net->events[i].what == ROUTENET_DELIVERED;
        }
        assert_int_equal(delivered, 1);
        assert_true(routenet_count(net, WRN_ROUTE_COUNT_DUPLICATE) > 0);
        routenet_destroy(net);
    }
}

/* What cannot be kept is sent once. What was kept is given back. */
static void full_pools(void **state) {
    (void)state;
    struct routenet_options options = {
        .seed = check_seed(), .nodes = 20, .near = 3, .watched_max = 8, .watched_bytes = 1280};
    struct routenet *net = routenet_create(&options);
    struct wrn_route_header header = to(WRN_ROUTE_EXACT, routenet_id(net, 3));
    for (uint32_t round = 0; round < 5; round++) {
        uint64_t before = routenet_count(net, WRN_ROUTE_COUNT_UNWATCHED);
        net->event_count = 0;
        for (uint32_t i = 0; i < 10; i++) { /* 2 more than there are slots */
            assert_int_equal(routenet_send(net, 0, &header, WRN_HANDLE_NONE, i, 8),
                             WRN_REASON_NONE);
        }
        assert_int_equal(routenet_count(net, WRN_ROUTE_COUNT_UNWATCHED) - before, 2);
        assert_true(routenet_run(net, 60));
        assert_int_equal(net->event_count, 10);
        before = routenet_count(net, WRN_ROUTE_COUNT_UNWATCHED);
        net->event_count = 0;
        for (uint32_t i = 0; i < 4; i++) { /* one of 1,200 bytes, and one of 100, fill the room */
            assert_int_equal(
                routenet_send(net, 0, &header, WRN_HANDLE_NONE, i, i % 2 == 0 ? 1200 : 100),
                WRN_REASON_NONE);
        }
        assert_int_equal(routenet_count(net, WRN_ROUTE_COUNT_UNWATCHED) - before, 3);
        assert_true(routenet_run(net, 60));
        assert_int_equal(net->event_count, 4);
    }
    net->loss = 1000;
    for (uint32_t i = 0; i < 200; i++) {
        routenet_send(net, i % 20, &header, WRN_HANDLE_NONE, i, 8 + i);
        routenet_run(net, 2);
    }
    net->loss = 0;
    assert_true(routenet_run(net, 60));
    for (uint32_t i = 0; i < 20; i++) {
        const struct wrn_route_watches *watches = &net->nodes[i].route->watches;
        uint32_t blocks = watches->block_count - watches->fresh_block; /* never used */
        for (uint16_t at = watches->free_block; at != WRN_ROUTE_NO_BLOB;
             at = watches->blocks[at].next) {
            blocks++;
        }
        assert_int_equal(blocks, 10);
        assert_int_equal(wrn_route_due(net->nodes[i].route).ns, UINT64_MAX);
    }
    routenet_destroy(net);
}

static void sizes_and_want_of_links(void **state) {
    (void)state;
    struct routenet *net = net_of(2, 0, false);
    struct wrn_route_header header = to(WRN_ROUTE_EXACT, routenet_id(net, 1));
    assert_int_equal(routenet_send(net, 0, &header, WRN_HANDLE_NONE, 1, WRN_PAYLOAD_MAX + 1),
                     WRN_REASON_TOO_LARGE);
    assert_int_equal(routenet_send(net, 0, &header, WRN_HANDLE_NONE, 2, WRN_PAYLOAD_MAX),
                     WRN_REASON_NONE);
    assert_true(routenet_run(net, 60));
    assert_int_equal(only_event(net, ROUTENET_DELIVERED, 1)->size, WRN_PAYLOAD_MAX);
    routenet_unlink(net, 0, 1);
    assert_int_equal(routenet_send(net, 0, &header, WRN_HANDLE_NONE, 3, 8), WRN_REASON_NO_ROUTE);
    /* A ring of one is nearest to everything. */
    header.mode = WRN_ROUTE_NEAREST;
    net->event_count = 0;
    assert_int_equal(routenet_send(net, 0, &header, WRN_HANDLE_NONE, 4, 8), WRN_REASON_NONE);
    only_event(net, ROUTENET_DELIVERED, 0);
    wrn_route_on_message(net->nodes[0].route, net->now, routenet_handle(1), (wrn_span){0});
    assert_int_equal(routenet_count(net, WRN_ROUTE_COUNT_STRANGER), 1);
    routenet_destroy(net);
}

static void answer_back(void *ctx, struct routenet *net, const struct routenet_event *event) {
    uint32_t *left = ctx;
    if (*left > 0) {
        (*left)--;
        struct wrn_route_header reply = wrn_route_reply(&event->header);
        assert_int_equal(
            routenet_send(net, event->node, &reply, WRN_HANDLE_NONE, event->tag + 1, 60),
            WRN_REASON_NONE);
    }
}

/* A receiver answers in the callback, and is answered. */
static void receivers_may_send(void **state) {
    (void)state;
    struct routenet *net = net_of(50, 3, true);
    uint32_t left = 40;
    net->delivered = answer_back;
    net->ctx = &left;
    net->loss = 50;
    struct wrn_route_header header = {.mode = WRN_ROUTE_EXACT, .target = routenet_id(net, 30)};
    assert_int_equal(routenet_send(net, 7, &header, WRN_HANDLE_NONE, 0, 60), WRN_REASON_NONE);
    assert_true(routenet_run(net, 600));
    uint64_t last = 0;
    for (uint32_t i = 0; i < net->event_count; i++) {
        if (net->events[i].what == ROUTENET_DELIVERED) {
            last = net->events[i].tag;
            assert_int_equal(net->events[i].node, last % 2 == 0 ? 30 : 7);
        }
    }
    assert_int_equal(last, 40);
    routenet_destroy(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_at_the_right_node),
        cmocka_unit_test(goes_sideways),
        cmocka_unit_test(goes_sideways_past_the_source),
        cmocka_unit_test(shortcuts_and_views_save_hops),
        cmocka_unit_test(views_help_where_links_lack),
        cmocka_unit_test(false_views_lead_nobody_astray),
        cmocka_unit_test(loss_is_made_good),
        cmocka_unit_test(the_dead_are_gone_round),
        cmocka_unit_test(a_gap_ends_what_is_for_it),
        cmocka_unit_test(the_hop_limit_ends_a_message),
        cmocka_unit_test(a_via_carries_who_has_not_joined),
        cmocka_unit_test(the_first_link_is_kept_to),
        cmocka_unit_test(retries_follow_the_rules),
        cmocka_unit_test(a_lost_link_is_replaced_at_once),
        cmocka_unit_test(nothing_is_delivered_twice),
        cmocka_unit_test(full_pools),
        cmocka_unit_test(sizes_and_want_of_links),
        cmocka_unit_test(receivers_may_send),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
