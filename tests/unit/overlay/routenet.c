/* SPDX-License-Identifier: Apache-2.0 */
/* Rings of routing machines for tests. Checks nothing but its own room. */
#include "unit/overlay/routenet.h"

#include <stdlib.h>

#include "unit/base/check.h"

enum { FLIGHT_MAX = 1 << 18, ALIGNMENT = 64 };

static void start_node(struct routenet *net, uint32_t node, wrn_id id);
static void set_timer(struct routenet *net, uint32_t node);
static struct routenet_event *add(struct routenet_node *node, enum routenet_what what);
static void on_send(void *ctx, wrn_handle peer, wrn_span message);
static void on_suspect(void *ctx, wrn_handle peer);
static void on_deliver(void *ctx, const struct wrn_route_header *header, wrn_handle from,
                       wrn_span payload);
static void on_undelivered(void *ctx, const struct wrn_route_header *header, enum wrn_reason reason,
                           wrn_span payload);
static void on_broadcast(void *ctx, wrn_id source, wrn_span payload);
static void on_contribute(void *ctx, wrn_span question, uint64_t ret_values[4]);
static void on_sum(void *ctx, uint32_t tag, const uint64_t values[4], uint64_t nodes,
                   bool is_complete);

static void *zeroed(size_t size) {
    size_t rounded = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    void *memory = aligned_alloc(ALIGNMENT, rounded);
    assert_non_null(memory);
    memset(memory, 0, rounded);
    return memory;
}

static int by_place(const void *a, const void *b) {
    wrn_id x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return wrn_id_less(x, y) ? -1 : wrn_id_less(y, x) ? 1 : 0;
}

struct routenet *routenet_create(const struct routenet_options *options) {
    struct routenet *net = calloc(1, sizeof(*net));
    assert_non_null(net);
    assert_true(options->nodes >= 1 && options->nodes <= ROUTENET_NODES_MAX);
    net->options = *options;
    net->options.watched_max = options->watched_max != 0 ? options->watched_max : 128;
    net->options.watched_bytes = options->watched_bytes != 0 ? options->watched_bytes : 65536;
    net->options.sums_max = options->sums_max != 0 ? options->sums_max : 8;
    wrn_prng_init(&net->prng, options->seed, 0);
    net->rand = wrn_prng_rand(&net->prng);
    net->now = (wrn_mono){WRN_S(1)};
    struct wrn_arena arena;
    wrn_arena_init(&arena, NULL, 0);
    wrn_heap_init(&net->timers, &arena, options->nodes);
    wrn_heap_init(&net->flight, &arena, FLIGHT_MAX);
    net->heap_memory = zeroed(arena.used);
    wrn_arena_init(&arena, net->heap_memory, arena.used);
    wrn_heap_init(&net->timers, &arena, options->nodes);
    wrn_heap_init(&net->flight, &arena, FLIGHT_MAX);
    static wrn_id ids[ROUTENET_NODES_MAX];
    for (uint32_t i = 0; i < options->nodes; i++) {
        ids[i] = routenet_place(net);
    }
    qsort(ids, options->nodes, sizeof(ids[0]), by_place);
    net->node_count = options->nodes;
    for (uint32_t i = 0; i < options->nodes; i++) {
        start_node(net, i, ids[i]);
    }
    for (uint32_t i = 0; i < options->nodes; i++) {
        for (uint32_t n = 1; n <= options->near && n < options->nodes; n++) {
            routenet_link(net, i, (i + n) % options->nodes, WRN_LINK_NEAR);
        }
        for (uint32_t n = 0; n < options->shortcuts; n++) {
            wrn_id way = wrn_id_harmonic(options->nodes, net->rand);
            bool is_left = wrn_rand_below(net->rand, 2) == 0;
            wrn_id place = is_left ? wrn_id_subtract(ids[i], way) : wrn_id_add(ids[i], way);
            routenet_link(net, i, routenet_nearest(net, place, i), WRN_LINK_SHORTCUT);
        }
    }
    if (options->knows_views) {
        routenet_show_views(net);
    }
    return net;
}

static void start_node(struct routenet *net, uint32_t node, wrn_id id) {
    struct routenet_node *n = &net->nodes[node];
    struct wrn_route_options options = {
        .watched_max = net->options.watched_max,
        .watched_bytes = net->options.watched_bytes,
        .sums_max = net->options.sums_max,
    };
    struct wrn_route_port port = {
        .ctx = n,
        .send = on_send,
        .suspect = on_suspect,
        .deliver = on_deliver,
        .undelivered = on_undelivered,
        .broadcast = on_broadcast,
        .contribute = on_contribute,
        .sum = on_sum,
    };
    n->net = net;
    struct wrn_arena arena;
    wrn_arena_init(&arena, NULL, 0);
    for (int pass = 0; pass < 2; pass++) {
        wrn_links_init(&n->links, &arena, id, net->options.nodes);
        n->route = wrn_route_init(&arena, &options, &n->links, port, net->rand);
        if (pass == 0) {
            n->memory = zeroed(arena.used);
            wrn_arena_init(&arena, n->memory, arena.used);
        }
    }
    assert_non_null(n->route);
}

void routenet_destroy(struct routenet *net) {
    for (uint32_t i = 0; i < net->node_count; i++) {
        free(net->nodes[i].memory);
    }
    for (struct wrn_heap_node *first = wrn_heap_first(&net->flight); first != NULL;
         first = wrn_heap_first(&net->flight)) {
        wrn_heap_remove(&net->flight, first);
        free(WRN_CONTAINER(first, struct routenet_message, timer));
    }
    while (net->free != NULL) {
        struct routenet_message *message = net->free;
        net->free = message->next;
        free(message);
    }
    free(net->heap_memory);
    free(net);
}

static void link_one_way(struct routenet *net, uint32_t from, uint32_t to, uint8_t kinds) {
    struct wrn_links *links = &net->nodes[from].links;
    if (wrn_links_of(links, routenet_handle(to)) != NULL) {
        return;
    }
    struct wrn_link *link = wrn_links_add(links, routenet_handle(to), routenet_id(net, to));
    assert_non_null(link);
    link->mine = kinds;
    link->theirs = kinds;
    link->rtt_us = 2 * ROUTENET_DELAY_MS * 1000;
}

void routenet_link(struct routenet *net, uint32_t a, uint32_t b, uint8_t kinds) {
    if (a != b) {
        link_one_way(net, a, b, kinds);
        link_one_way(net, b, a, kinds);
    }
}

void routenet_unlink(struct routenet *net, uint32_t a, uint32_t b) {
    const uint32_t ends[2] = {a, b};
    for (int i = 0; i < 2; i++) {
        struct routenet_node *node = &net->nodes[ends[i]];
        wrn_links_remove(&node->links, routenet_handle(ends[1 - i]));
        wrn_route_on_link_down(node->route, net->now, routenet_handle(ends[1 - i]));
        set_timer(net, ends[i]);
    }
}

void routenet_show_views(struct routenet *net) {
    uint32_t n = net->node_count;
    uint32_t seen = n - 1 < WRN_NEAR_PER_SIDE ? n - 1 : WRN_NEAR_PER_SIDE;
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t j = 0; j < net->nodes[i].links.count; j++) {
            struct wrn_link *link = &net->nodes[i].links.links[j];
            link->view_epoch = 1;
            link->view_left = (uint8_t)seen;
            link->view_right = (uint8_t)seen;
            for (uint32_t k = 0; k < seen; k++) {
                link->right[k] = routenet_id(net, (link->peer.index + k + 1) % n);
                link->left[k] = routenet_id(net, (link->peer.index + n - k - 1) % n);
            }
        }
    }
}

void routenet_kill(struct routenet *net, uint32_t node) {
    net->nodes[node].is_dead = true;
    set_timer(net, node);
}

uint32_t routenet_nearest(const struct routenet *net, wrn_id place, uint32_t except) {
    uint32_t best = UINT32_MAX;
    for (uint32_t i = 0; i < net->node_count; i++) {
        if (i != except && !net->nodes[i].is_dead &&
            (best == UINT32_MAX ||
             wrn_id_is_nearer(place, routenet_id(net, i), routenet_id(net, best)))) {
            best = i;
        }
    }
    return best;
}

wrn_id routenet_place(struct routenet *net) {
    uint8_t bytes[WRN_ID_SIZE];
    wrn_rand_fill(net->rand, bytes, sizeof(bytes));
    return wrn_id_load(bytes);
}

uint32_t routenet_node(struct routenet *net) {
    uint32_t node;
    do {
        node = wrn_rand_below(net->rand, net->node_count);
    } while (net->nodes[node].is_dead);
    return node;
}

enum wrn_reason routenet_send(struct routenet *net, uint32_t from,
                              const struct wrn_route_header *header, wrn_handle first, uint64_t tag,
                              size_t size) {
    uint8_t payload[WRN_PAYLOAD_MAX + 1];
    assert_true(size >= 8 && size <= sizeof(payload));
    check_pattern(payload, size, (unsigned)tag);
    wrn_store_be64(payload, tag);
    enum wrn_reason reason =
        wrn_route_send(net->nodes[from].route, net->now, header, first, (wrn_span){payload, size});
    set_timer(net, from);
    return reason;
}

void routenet_inject(struct routenet *net, uint32_t from, uint32_t to, wrn_span message) {
    struct routenet_node *node = &net->nodes[to];
    if (!node->is_dead) {
        wrn_route_on_message(node->route, net->now, routenet_handle(from), message);
        set_timer(net, to);
    }
}

bool routenet_run(struct routenet *net, uint64_t seconds) {
    wrn_mono end = wrn_mono_add(net->now, WRN_S(seconds));
    for (;;) {
        for (uint32_t i = 0; i < (net->timers.count == 0 ? net->node_count : 0); i++) {
            set_timer(net, i); /* the first time, or after a test used machines directly */
        }
        const struct wrn_heap_node *timer = wrn_heap_first(&net->timers);
        struct wrn_heap_node *flight = wrn_heap_first(&net->flight);
        wrn_mono next = timer != NULL ? timer->due : WRN_MONO_NEVER;
        next = flight != NULL ? wrn_mono_min(next, flight->due) : next;
        if (next.ns == UINT64_MAX) {
            return true;
        }
        if (wrn_mono_before(end, next)) {
            net->now = end;
            return false;
        }
        assert_false(wrn_mono_before(next, net->now));
        net->now = next;
        if (flight != NULL && flight->due.ns == next.ns) {
            struct routenet_message *message =
                WRN_CONTAINER(flight, struct routenet_message, timer);
            wrn_heap_remove(&net->flight, flight);
            routenet_inject(net, message->from, message->to,
                            (wrn_span){message->bytes, message->size});
            message->next = net->free;
            net->free = message;
        } else {
            uint32_t node =
                (uint32_t)(WRN_CONTAINER(timer, struct routenet_node, timer) - net->nodes);
            wrn_route_on_time(net->nodes[node].route, net->now);
            set_timer(net, node);
        }
    }
}

uint64_t routenet_count(const struct routenet *net, enum wrn_route_count count) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < net->node_count; i++) {
        sum += wrn_route_count(net->nodes[i].route, count);
    }
    return sum;
}

static void set_timer(struct routenet *net, uint32_t node) {
    struct routenet_node *n = &net->nodes[node];
    wrn_heap_set(&net->timers, &n->timer, n->is_dead ? WRN_MONO_NEVER : wrn_route_due(n->route));
}

static struct routenet_event *add(struct routenet_node *node, enum routenet_what what) {
    struct routenet *net = node->net;
    assert_true(net->event_count < ROUTENET_EVENTS_MAX);
    struct routenet_event *event = &net->events[net->event_count++];
    *event = (struct routenet_event){
        .what = what,
        .node = (uint32_t)(node - net->nodes),
        .at = net->now,
    };
    return event;
}

static void on_send(void *ctx, wrn_handle peer, wrn_span message) {
    struct routenet_node *node = ctx;
    struct routenet *net = node->net;
    uint32_t from = (uint32_t)(node - net->nodes);
    assert_non_null(wrn_links_of(&node->links, peer));
    assert_true(message.size >= 1 && message.size <= WRN_MESSAGE_MAX - WRN_RELAYED_OVERHEAD);
    node->sent++;
    if (net->nodes[peer.index].is_dead || wrn_rand_below(net->rand, 1000) < net->loss ||
        (net->drops != NULL && net->drops(net->ctx, from, peer.index, message))) {
        return;
    }
    struct routenet_message *copy = net->free;
    if (copy != NULL) {
        net->free = copy->next;
    } else {
        copy = malloc(sizeof(*copy));
        assert_non_null(copy);
    }
    copy->timer = (struct wrn_heap_node){0};
    copy->from = from;
    copy->to = peer.index;
    copy->size = message.size;
    memcpy(copy->bytes, message.data, message.size);
    wrn_heap_set(&net->flight, &copy->timer, wrn_mono_add(net->now, WRN_MS(ROUTENET_DELAY_MS)));
}

static void on_suspect(void *ctx, wrn_handle peer) {
    add(ctx, ROUTENET_SUSPECT)->from = peer;
}

static uint64_t tag_of(wrn_span payload) {
    return payload.size >= 8 ? wrn_load_be64(payload.data) : 0;
}

/* Payloads must arrive as they were sent. */
static void check_payload(wrn_span payload) {
    static uint8_t expected[WRN_PAYLOAD_MAX];
    if (payload.size < 8) {
        return;
    }
    check_pattern(expected, payload.size, (unsigned)tag_of(payload));
    assert_memory_equal(payload.data + 8, expected + 8, payload.size - 8);
}

static void on_deliver(void *ctx, const struct wrn_route_header *header, wrn_handle from,
                       wrn_span payload) {
    struct routenet_node *node = ctx;
    struct routenet_event *event = add(node, ROUTENET_DELIVERED);
    event->header = *header;
    event->from = from;
    event->tag = tag_of(payload);
    event->size = payload.size;
    check_payload(payload);
    if (node->net->delivered != NULL) {
        node->net->delivered(node->net->ctx, node->net, event);
    }
}

static void on_undelivered(void *ctx, const struct wrn_route_header *header, enum wrn_reason reason,
                           wrn_span payload) {
    struct routenet_event *event = add(ctx, ROUTENET_UNDELIVERED);
    event->header = *header;
    event->reason = reason;
    event->tag = tag_of(payload);
    event->size = payload.size;
    check_payload(payload);
}

static void on_broadcast(void *ctx, wrn_id source, wrn_span payload) {
    struct routenet_event *event = add(ctx, ROUTENET_BROADCAST);
    event->header.source = source;
    event->tag = tag_of(payload);
    event->size = payload.size;
}

static void on_contribute(void *ctx, wrn_span question, uint64_t ret_values[4]) {
    const struct routenet_node *node = ctx;
    (void)question;
    ret_values[0] = 1;
    ret_values[1] = node->contribution;
    ret_values[2] = node->links.count;
    ret_values[3] = UINT64_MAX / 3;
}

static void on_sum(void *ctx, uint32_t tag, const uint64_t values[4], uint64_t nodes,
                   bool is_complete) {
    struct routenet_event *event = add(ctx, ROUTENET_SUM);
    event->tag = tag;
    memcpy(event->values, values, sizeof(event->values));
    event->nodes = nodes;
    event->is_complete = is_complete;
}
