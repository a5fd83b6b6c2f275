/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a peer that lies gets nothing but its own messages lost: no crash, no growth, no message
 * that runs for ever, no answer for others. Method: forged, damaged and random messages are handed
 * to machines of small rings. */
#include "overlay/route_internal.h"
#include "unit/base/check.h"
#include "unit/overlay/routenet.h"

static struct routenet *net_of(uint32_t nodes) {
    struct routenet_options options = {
        .seed = check_seed(), .nodes = nodes, .near = 3, .knows_views = true};
    return routenet_create(&options);
}

static const uint8_t payload_bytes[] = "12345678";
static const wrn_span payload = {payload_bytes, 8};

/* Writes a message; returns its size. */
static size_t join(struct wrn_route_head head, wrn_span rest, uint8_t *out) {
    memcpy(out, head.bytes, head.size);
    memcpy(out + head.size, rest.data, rest.size);
    return head.size + rest.size;
}

static struct wrn_routed routed_to(wrn_id source, wrn_id target) {
    return (struct wrn_routed){
        .header = {.source = source,
                   .target = target,
                   .mode = WRN_ROUTE_EXACT,
                   .hops = 1,
                   .hop_limit = 40},
        .origin = 7,
        .number = 5,
        .payload = payload,
    };
}

static void messages_are_read_as_written(void **state) {
    (void)state;
    struct wrn_prng prng;
    wrn_prng_init(&prng, check_seed(), 0);
    struct wrn_rand rand = wrn_prng_rand(&prng);
    for (uint32_t i = 0; i < 20000; i++) {
        uint8_t bytes[WRN_MESSAGE_MAX];
        wrn_rand_fill(rand, bytes, 200);
        bytes[0] = (uint8_t)(WRN_MESSAGE_ROUTED + i % 4);
        bytes[1] &= i % 8 < 4 ? 0x3f : 0x01;
        bytes[6] %= 3;
        size_t size = wrn_rand_below(rand, 120);
        wrn_span message = {bytes, size};
        struct wrn_routed routed;
        struct wrn_piece piece;
        struct wrn_part part;
        uint8_t again[WRN_MESSAGE_MAX];
        if (wrn_routed_read(message, &routed)) {
            assert_int_equal(join(wrn_routed_write(&routed), routed.payload, again), size);
            assert_memory_equal(again, bytes, size);
        }
        if (wrn_piece_read(message, &piece)) {
            assert_int_equal(join(wrn_piece_write(&piece), piece.payload, again), size);
            assert_memory_equal(again, bytes, size);
        }
        if (wrn_part_read(message, &part)) {
            assert_int_equal(wrn_part_write(&part, again), size);
            assert_memory_equal(again, bytes, size);
        }
    }
}

struct bad {
    const char *name;
    uint32_t at; /* byte that is changed; UINT32_MAX: the size */
    uint8_t value;
};

/* Each of these is refused by name, and not even acknowledged. */
static void malformed_messages_are_refused(void **state) {
    (void)state;
    static const struct bad bad[] = {
        {"unknown flag", 1, 0x80},
        {"to via without via", 1, 0x08},
        {"via of another mode", 1, 0x0d},
        {"error to the nearest", 1, 0x41},
        {"error that wants a trace", 1, 0x60},
        {"unknown course", 6, 5},
        {"no hop", 7, 0},
        {"no payload", UINT32_MAX, 42},
        {"cut", UINT32_MAX, 30},
        {"kind alone", UINT32_MAX, 1},
    };
    struct routenet *net = net_of(10);
    struct wrn_routed routed = routed_to(routenet_id(net, 1), routenet_id(net, 0));
    for (size_t i = 0; i < WRN_COUNT(bad); i++) {
        uint8_t message[200];
        size_t size = join(wrn_routed_write(&routed), payload, message);
        if (bad[i].at == UINT32_MAX) {
            size = bad[i].value;
        } else {
            message[bad[i].at] = bad[i].value;
        }
        uint64_t sent = net->nodes[0].sent;
        routenet_inject(net, 1, 0, (wrn_span){message, size});
        CHECK(routenet_count(net, WRN_ROUTE_COUNT_MALFORMED) == i + 1, "%s: ", bad[i].name);
        CHECK(net->nodes[0].sent == sent, "%s: ", bad[i].name);
    }
    assert_int_equal(net->event_count, 0);
    uint8_t large[WRN_MESSAGE_MAX] = {0};
    static uint8_t too_much[WRN_PAYLOAD_MAX + 1];
    size_t size = join(wrn_routed_write(&routed), (wrn_span){too_much, sizeof(too_much)}, large);
    routenet_inject(net, 1, 0, (wrn_span){large, size});
    static const uint8_t others[][6] = {{0},
                                        {WRN_MESSAGE_PING, 1, 2, 3, 4, 5},
                                        {WRN_MESSAGE_HOP_ACK, 0, 0, 0, 0, 0},
                                        {WRN_MESSAGE_HOP_ACK, 0, 0, 0, 1, 0},
                                        {WRN_MESSAGE_BROADCAST, 0, 0, 0, 0, 1},
                                        {WRN_MESSAGE_SUM, 0, 0, 0, 0, 1}};
    for (size_t i = 0; i < WRN_COUNT(others); i++) {
        routenet_inject(net, 1, 0, (wrn_span){others[i], sizeof(others[i])});
    }
    routenet_inject(net, 1, 0, (wrn_span){others[2], 5}); /* number 0 */
    assert_int_equal(routenet_count(net, WRN_ROUTE_COUNT_MALFORMED),
                     WRN_COUNT(bad) + 1 + WRN_COUNT(others) + 1);
    routenet_destroy(net);
}

static bool loses_all(void *ctx, uint32_t from, uint32_t to, wrn_span message) {
    uint32_t *number = ctx;
    (void)to;
    if (from == 0 && message.data[0] == WRN_MESSAGE_ROUTED) {
        *number = wrn_load_be32(message.data + 2);
        return true;
    }
    return false;
}

/* Only a peer that was sent the message can acknowledge it. */
static void forged_acknowledgements_are_not_taken(void **state) {
    (void)state;
    struct routenet *net = net_of(10);
    uint32_t number = 0;
    net->drops = loses_all;
    net->ctx = &number;
    struct wrn_route_header header = {.mode = WRN_ROUTE_EXACT, .target = routenet_id(net, 3)};
    routenet_send(net, 0, &header, WRN_HANDLE_NONE, 1, 8);
    assert_int_not_equal(number, 0);
    uint8_t ack[8];
    size_t size = wrn_hop_ack_write(number, ack);
    routenet_inject(net, 1, 0, (wrn_span){ack, size});
    routenet_inject(net, 9, 0, (wrn_span){ack, size});
    assert_int_not_equal(wrn_route_due(net->nodes[0].route).ns, UINT64_MAX);
    size = wrn_hop_ack_write(number + 1, ack); /* another slot */
    routenet_inject(net, 3, 0, (wrn_span){ack, size});
    size = wrn_hop_ack_write(number ^ 1u << 31, ack); /* another time */
    routenet_inject(net, 3, 0, (wrn_span){ack, size});
    assert_int_not_equal(wrn_route_due(net->nodes[0].route).ns, UINT64_MAX);
    size = wrn_hop_ack_write(number, ack);
    routenet_inject(net, 3, 0, (wrn_span){ack, size});
    routenet_inject(net, 3, 0, (wrn_span){ack, size});
    assert_int_equal(wrn_route_due(net->nodes[0].route).ns, UINT64_MAX);
    routenet_destroy(net);
}

/* An error for a message of ours is believed only from who saw it. */
static void forged_errors_are_not_taken(void **state) {
    (void)state;
    struct routenet *net = net_of(10);
    struct wrn_route_header header = {
        .mode = WRN_ROUTE_EXACT, .target = routenet_id(net, 5), .wants_trace = true};
    routenet_send(net, 0, &header, WRN_HANDLE_NONE, 1, 8);
    assert_true(routenet_run(net, 60));
    assert_int_equal(net->event_count, 1);
    uint8_t inside[WRN_PAYLOAD_MAX];
    struct wrn_route_error error = {
        .reason = WRN_REASON_NOBODY_THERE, .header = header, .payload = payload};
    size_t size = wrn_route_error_write(&error, inside);
    struct wrn_routed routed = routed_to(routenet_id(net, 1), routenet_id(net, 0));
    routed.is_error = true;
    for (uint32_t i = 0; i < 100; i++) {
        uint8_t message[WRN_MESSAGE_MAX];
        routed.origin = i;
        routed.number = i + 1;
        size_t all = join(wrn_routed_write(&routed), (wrn_span){inside, size}, message);
        routenet_inject(net, 1, 0, (wrn_span){message, all});
    }
    assert_int_equal(net->event_count, 1);
    assert_int_equal(routenet_count(net, WRN_ROUTE_COUNT_LATE), 100);
    routenet_destroy(net);
}

/* Two liars on both sides of an honest node hand it a message again and again; each time with more
 * hops it ends, and with a new number it costs one message, no more. */
static void a_loop_of_liars_ends(void **state) {
    (void)state;
    struct routenet *net = net_of(10);
    uint32_t forwarded = 0;
    struct wrn_routed routed = routed_to(routenet_id(net, 8), routenet_id(net, 2));
    for (uint32_t i = 0; i < 60; i++) {
        uint8_t message[200];
        uint64_t sent = net->nodes[0].sent;
        routed.number = 100 + i;
        size_t size = join(wrn_routed_write(&routed), payload, message);
        routenet_inject(net, i % 2 == 0 ? 9 : 1, 0, (wrn_span){message, size});
        assert_in_range(net->nodes[0].sent - sent, 1, 2); /* acknowledged, and sent on */
        forwarded += (uint32_t)(net->nodes[0].sent - sent - 1);
        if (routed.header.hops <= 60) {
            routed.header.hops++;
        }
    }
    assert_int_equal(forwarded, 39);
    assert_true(routenet_run(net, 60));
    /* Delivered once, however often it came. */
    assert_int_equal(net->event_count, 1);
    routenet_destroy(net);
}

/* Says it has neighbours all over, to be sent everything. It gets what its place brings it. */
static void a_lying_view_draws_little(void **state) {
    (void)state;
    struct routenet_options options = {
        .seed = check_seed(), .nodes = 100, .near = 3, .shortcuts = 4, .knows_views = true};
    uint32_t drawn[2] = {0};
    for (uint32_t lies = 0; lies < 2; lies++) {
        struct routenet *net = routenet_create(&options);
        const struct wrn_links *links = &net->nodes[0].links;
        struct wrn_link *liar = &links->links[links->count / 2];
        for (uint32_t i = 0; i < 2000; i++) {
            wrn_id place = routenet_place(net);
            struct wrn_routed routed = routed_to(routenet_id(net, 0), place);
            routed.header.mode = WRN_ROUTE_NEAREST;
            routed.header.hops = 0;
            if (lies == 1) { /* just what is asked for */
                liar->view_left = 3;
                liar->view_right = 3;
                for (uint32_t k = 0; k < 3; k++) {
                    liar->left[k] = wrn_id_subtract(place, (wrn_id){0, k});
                    liar->right[k] = wrn_id_add(place, (wrn_id){0, k});
                }
            }
            struct wrn_route_tried tried = {0};
            const struct wrn_link *link = NULL;
            if (wrn_route_decide(links, &routed, NULL, &tried, &link) == WRN_ROUTE_FORWARD &&
                link == liar) {
                /* Nobody that we know lies between it and what it gets. */
                assert_true(wrn_id_is_between(liar[-1].id, place, liar[1].id));
                drawn[lies]++;
            }
        }
        routenet_destroy(net);
    }
    print_message("# of 2000 messages %u by a link that is honest, %u if it lies\n", drawn[0],
                  drawn[1]);
    assert_true(drawn[0] > 0 && drawn[1] > drawn[0]);
}

static bool sees_tokens(void *ctx, uint32_t from, uint32_t to, wrn_span message) {
    struct wrn_piece *pieces = ctx;
    struct wrn_piece piece;
    if (from == 0 && wrn_piece_read(message, &piece)) {
        piece.payload = (wrn_span){0};
        pieces[to] = piece;
        return true;
    }
    return false;
}

/* A branch is answered by the peer that has it, once. */
static void forged_parts_are_not_counted(void **state) {
    (void)state;
    struct routenet *net = net_of(8);
    static struct wrn_piece pieces[8];
    memset(pieces, 0, sizeof(pieces));
    net->drops = sees_tokens;
    net->ctx = pieces;
    assert_int_equal(wrn_route_sum(net->nodes[0].route, net->now, 77, payload), WRN_REASON_NONE);
    struct wrn_part part = {
        .origin = pieces[1].origin, .nodes = 1000, .values = {1000}, .is_complete = true};
    uint8_t bytes[WRN_ROUTE_BLOCK];
    for (uint32_t i = 0; i < 200; i++) { /* node 7 answers for others, and guesses */
        part.token = i < 8 ? pieces[i % 7].token : (pieces[1].token & ~63u) + i % 64 + i;
        part.number = i + 1;
        if (part.token != pieces[7].token) {
            routenet_inject(net, 7, 0, (wrn_span){bytes, wrn_part_write(&part, bytes)});
        }
    }
    assert_true(routenet_count(net, WRN_ROUTE_COUNT_LATE) >= 199);
    for (uint32_t again = 0; again < 3; again++) { /* its own counts, once */
        part.token = pieces[7].token;
        part.number = 1000 + again;
        part.nodes = UINT64_MAX;
        routenet_inject(net, 7, 0, (wrn_span){bytes, wrn_part_write(&part, bytes)});
    }
    net->drops = NULL;
    assert_true(routenet_run(net, 60));
    const struct routenet_event *sum = NULL;
    for (uint32_t i = 0; i < net->event_count; i++) {
        if (net->events[i].what == ROUTENET_SUM) {
            assert_null(sum);
            sum = &net->events[i];
        }
    }
    assert_non_null(sum);
    assert_true(sum->nodes == UINT64_MAX); /* stays at the greatest number */
    assert_int_equal(sum->values[0], 1000 + 7);
    routenet_destroy(net);
}

/* One peer asks for sums without end; another's is still answered whole. */
static void one_peer_does_not_take_all_sums(void **state) {
    (void)state;
    struct routenet *net = net_of(10);
    net->loss = 1000; /* branches stay open */
    for (uint32_t i = 0; i < 50; i++) {
        uint8_t message[200];
        struct wrn_piece piece = {.source = routenet_id(net, 1),
                                  .from = routenet_id(net, 0),
                                  .end = routenet_id(net, 0),
                                  .origin = i,
                                  .number = i + 1,
                                  .hops = 1,
                                  .is_sum = true,
                                  .budget = 255,
                                  .token = i};
        size_t size = join(wrn_piece_write(&piece), payload, message);
        routenet_inject(net, 1, 0, (wrn_span){message, size});
    }
    uint32_t used = 0;
    for (uint32_t i = 0; i < net->nodes[0].route->sums_max; i++) {
        used += net->nodes[0].route->sums[i].is_used;
    }
    assert_int_equal(used, net->nodes[0].route->sums_max / 2);
    net->loss = 0;
    assert_int_equal(wrn_route_sum(net->nodes[5].route, net->now, 1, payload), WRN_REASON_NONE);
    assert_true(routenet_run(net, 60));
    const struct routenet_event *sum = NULL;
    for (uint32_t i = 0; i < net->event_count; i++) {
        sum = net->events[i].what == ROUTENET_SUM ? &net->events[i] : sum;
    }
    assert_non_null(sum);
    assert_int_equal(sum->nodes, 10);
    assert_true(sum->is_complete);
    assert_true(wrn_mono_since(net->now, (wrn_mono){WRN_S(1)}) < WRN_S(20)); /* all is over */
    routenet_destroy(net);
}

/* A broadcast with false arcs costs at most a message a link, and never goes round. */
static void false_arcs_end(void **state) {
    (void)state;
    struct routenet *net = net_of(32);
    for (uint32_t i = 0; i < 300; i++) {
        uint8_t message[200];
        uint32_t to = wrn_rand_below(net->rand, 32);
        struct wrn_piece piece = {.source = routenet_place(net),
                                  .from = routenet_place(net),
                                  .end = routenet_place(net),
                                  .origin = i / 3, /* the same one differently, too */
                                  .number = i + 1,
                                  .hops = i % 50 == 0 ? UINT8_MAX : 1};
        piece.from = i % 4 == 0 ? routenet_id(net, to) : piece.from;
        piece.end = i % 8 == 0 ? routenet_id(net, to) : piece.end;
        size_t size = join(wrn_piece_write(&piece), payload, message);
        uint64_t before = 0;
        uint64_t after = 0;
        for (uint32_t n = 0; n < 32; n++) {
            before += net->nodes[n].sent;
        }
        routenet_inject(net, (to + 1) % 32, to, (wrn_span){message, size});
        assert_true(routenet_run(net, 60));
        for (uint32_t n = 0; n < 32; n++) {
            after += net->nodes[n].sent;
        }
        /* Each node takes part a few times at most: a message, an acknowledgement. */
        CHECK(after - before <= (uint64_t)4 * 32, "%u messages: ", (unsigned)(after - before));
    }
    routenet_destroy(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_read_as_written),
        cmocka_unit_test(malformed_messages_are_refused),
        cmocka_unit_test(forged_acknowledgements_are_not_taken),
        cmocka_unit_test(forged_errors_are_not_taken),
        cmocka_unit_test(a_loop_of_liars_ends),
        cmocka_unit_test(a_lying_view_draws_little),
        cmocka_unit_test(forged_parts_are_not_counted),
        cmocka_unit_test(one_peer_does_not_take_all_sums),
        cmocka_unit_test(false_arcs_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
