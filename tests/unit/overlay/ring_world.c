/* SPDX-License-Identifier: Apache-2.0 */
/* The world of the ring's tests: an event heap, a linker and the router's decisions without
 * packets. */
#include "unit/overlay/ring_world.h"
#include "overlay/route_internal.h"

enum event_kind { TIMER, MESSAGE, PAYLOAD, LINK, KEEP, CLOSE, DOWN, PINGS };

struct ringworld_event {
    wrn_mono at;
    uint64_t sequence;
    enum event_kind kind;
    uint32_t node;
    uint32_t other;
    uint32_t generation;
    struct wrn_want want;
    bool is_failed;
    bool is_leaf;
    uint8_t kinds;
    uint32_t epoch;
    struct wrn_route_header header;
    size_t size;
    uint8_t bytes[224];
};

static void act(struct ringworld *world, struct ringworld_event *event);
static void rearm(struct ringworld_node *node);

/* ---- events ---- */

static bool comes_first(const struct ringworld_event *a, const struct ringworld_event *b) {
    return a->at.ns != b->at.ns ? a->at.ns < b->at.ns : a->sequence < b->sequence;
}

static struct ringworld_event *add(struct ringworld *world, uint64_t after_ns, enum event_kind kind,
                                   uint32_t node) {
    struct ringworld_event *event = calloc(1, sizeof(*event));
    assert_non_null(event);
    event->at = wrn_mono_add(world->now, after_ns);
    event->sequence = world->sequence++;
    event->kind = kind;
    event->node = node;
    if (world->heap_count == world->heap_room) {
        world->heap_room = world->heap_room == 0 ? 1024 : 2 * world->heap_room;
        struct ringworld_event **heap =
            realloc(world->heap, world->heap_room * sizeof(struct ringworld_event *));
        assert_non_null(heap);
        world->heap = heap;
    }
    uint32_t place = world->heap_count++;
    while (place > 0 && comes_first(event, world->heap[(place - 1) / 2])) {
        world->heap[place] = world->heap[(place - 1) / 2];
        place = (place - 1) / 2;
    }
    world->heap[place] = event;
    return event;
}

static struct ringworld_event *take(struct ringworld *world) {
    struct ringworld_event *first = world->heap[0];
    struct ringworld_event *last = world->heap[--world->heap_count];
    uint32_t place = 0;
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child + 1 < world->heap_count &&
            comes_first(world->heap[child + 1], world->heap[child])) {
            child++;
        }
        if (child >= world->heap_count || !comes_first(world->heap[child], last)) {
            break;
        }
        world->heap[place] = world->heap[child];
        place = child;
    }
    world->heap[place] = last;
    return first;
}

static bool is_lost(struct ringworld *world) {
    return wrn_rand_below(wrn_prng_rand(&world->prng), 1000) < world->loss;
}

static bool is_cut(const struct ringworld *world, uint32_t a, uint32_t b) {
    return world->is_cut != NULL && world->is_cut(world, a, b);
}

static void hash(struct ringworld *world, uint64_t value) {
    world->hash = (world->hash ^ value) * 0x100000001b3u;
}

/* ---- routing ---- */

uint32_t ringworld_at(const struct ringworld *world, wrn_id id) {
    for (uint32_t i = 0; i < world->count; i++) {
        if (wrn_id_equal(world->nodes[i].id, id)) {
            return i;
        }
    }
    return UINT32_MAX;
}

/* Follows the router's decisions, all at once. A dead peer costs a try, as one that does not
 * acknowledge. */
static uint32_t route_by(const struct ringworld *world, uint32_t from,
                         const struct wrn_route_header *header, wrn_handle first,
                         uint32_t *ret_hops) {
    struct wrn_routed routed = {.header = *header};
    uint32_t at = from, before = UINT32_MAX;
    routed.header.source = world->nodes[from].id;
    if (first.generation != 0) {
        at = first.index;
        before = from;
        routed.header.hops = 1;
    }
    struct wrn_route_tried tried = {.count = 0};
    while (routed.header.hops < WRN_ROUTE_HOP_LIMIT && world->nodes[at].is_up) {
        const struct ringworld_node *node = &world->nodes[at];
        const struct wrn_link *by =
            before == UINT32_MAX ? NULL : wrn_links_at(&node->links, world->nodes[before].id);
        const struct wrn_link *link = NULL;
        struct wrn_routed copy = routed;
        *ret_hops = routed.header.hops;
        enum wrn_route_verdict verdict = wrn_route_decide(&node->links, &copy, by, &tried, &link);
        if (verdict != WRN_ROUTE_FORWARD) {
            return verdict == WRN_ROUTE_DELIVER ? at : UINT32_MAX;
        }
        if (!world->nodes[link->peer.index].is_up || is_cut(world, at, link->peer.index)) {
            if (tried.count == WRN_ROUTE_TRIED) {
                return UINT32_MAX;
            }
            tried.peers[tried.count++] = link->peer;
            continue;
        }
        routed = copy;
        routed.header.hops++;
        tried.count = 0;
        before = at;
        at = link->peer.index;
    }
    return UINT32_MAX;
}

uint32_t ringworld_route(const struct ringworld *world, uint32_t from, enum wrn_route_mode mode,
                         wrn_id target, bool not_source, uint32_t *ret_hops) {
    struct wrn_route_header header = {.target = target, .mode = mode, .not_source = not_source};
    return route_by(world, from, &header, WRN_HANDLE_NONE, ret_hops);
}

/* ---- what a ring calls ---- */

static void port_want(void *ctx, const struct wrn_want *want) {
    struct ringworld_node *node = ctx;
    struct ringworld *world = node->world;
    uint32_t hops = 0;
    uint32_t other = UINT32_MAX;
    static const wrn_id half = {(uint64_t)1 << 63, 0};
    if (want->kind == WRN_LINK_SHORTCUT) {
        world->shortcuts_wanted++;
        world->shortcuts_across += wrn_id_equal(want->target, wrn_id_add(node->id, half));
    }
    if (want->first.generation == 0 || wrn_links_of(&node->links, want->first) != NULL) {
        struct wrn_route_header header = {.target = want->target,
                                          .mode = want->mode,
                                          .not_source = want->mode == WRN_ROUTE_NEAREST};
        other = route_by(world, node->index, &header, want->first, &hops);
    }
    world->bytes += (uint64_t)hops * 1400;
    uint64_t after = (2 * (uint64_t)hops + 3) * world->delay_ns;
    for (uint32_t i = 0; i < 2 * hops + 3; i++) {
        after += is_lost(world) ? WRN_MS(300) : 0;
    }
    bool is_failed =
        other == UINT32_MAX || other == node->index || is_cut(world, node->index, other);
    if (other != UINT32_MAX && is_failed) {
        after = WRN_S(10);
    }
    struct ringworld_event *event = add(world, after, LINK, node->index);
    event->other = other;
    event->is_failed = is_failed;
    event->want = *want;
}

static void port_keep(void *ctx, wrn_handle peer, uint8_t kinds) {
    struct ringworld_node *node = ctx;
    struct ringworld_event *event = add(node->world, node->world->delay_ns, KEEP, peer.index);
    event->other = node->index;
    event->generation = peer.generation;
    event->kinds = kinds;
    event = add(node->world, WRN_S(2), CLOSE, node->index);
    event->other = peer.index;
    event->generation = peer.generation;
}

static void port_send(void *ctx, wrn_handle peer, wrn_span message) {
    struct ringworld_node *node = ctx;
    struct ringworld *world = node->world;
    world->messages++;
    world->bytes += message.size + 44 + 28;
    if (is_lost(world) || is_cut(world, node->index, peer.index)) {
        return;
    }
    struct ringworld_event *event = add(world, world->delay_ns, MESSAGE, peer.index);
    event->other = node->index;
    event->generation = peer.generation;
    event->size = message.size;
    assert_true(message.size <= sizeof(event->bytes));
    memcpy(event->bytes, message.data, message.size);
    if (node->lies && message.data[0] == WRN_MESSAGE_STATUS) {
        /* Our nearest on both sides, if one believes us: places beside the reader. */
        wrn_id reader = world->nodes[peer.index].id;
        struct wrn_writer writer = wrn_writer(event->bytes, sizeof(event->bytes));
        wrn_write_u8(&writer, WRN_MESSAGE_STATUS);
        wrn_write_u32(&writer, wrn_load_be32(message.data + 1));
        wrn_write_u8(&writer, 3);
        wrn_write_u8(&writer, 0);
        wrn_write_u8(&writer, 6);
        for (uint32_t i = 0; i < 6; i++) {
            wrn_id way = {1 + wrn_rand_below(wrn_prng_rand(&world->prng), 1000), i};
            wrn_write_id(&writer, i < 3 ? wrn_id_add(reader, way) : wrn_id_subtract(reader, way));
        }
        event->size = writer.size;
    }
}

static enum wrn_reason port_route(void *ctx, const struct wrn_route_header *header,
                                  wrn_handle first, wrn_span payload) {
    struct ringworld_node *node = ctx;
    struct ringworld *world = node->world;
    if (node->links.count == 0) {
        return WRN_REASON_NO_ROUTE;
    }
    uint32_t hops = 0;
    uint32_t other = route_by(world, node->index, header, first, &hops);
    world->bytes += (uint64_t)hops * (payload.size + 100);
    world->messages += hops;
    if (other == UINT32_MAX || is_cut(world, node->index, other)) {
        return WRN_REASON_NOBODY_THERE;
    }
    struct ringworld_event *event = add(world, hops * world->delay_ns, PAYLOAD, other);
    event->other = node->index;
    event->header = *header;
    event->header.source = node->id;
    event->size = payload.size;
    assert_true(payload.size <= sizeof(event->bytes));
    memcpy(event->bytes, payload.data, payload.size);
    return WRN_REASON_NONE;
}

static void port_epoch(void *ctx, uint32_t epoch) {
    ((struct ringworld_node *)ctx)->epoch = epoch;
}

static void port_state(void *ctx, enum wrn_ring_state state) {
    struct ringworld_node *node = ctx;
    node->state_changes++;
    hash(node->world, (uint64_t)node->index << 8 | state);
}

static void port_neighbours(void *ctx) {
    struct ringworld_node *node = ctx;
    hash(node->world, node->index);
}

static void port_found(void *ctx, uint32_t tag, wrn_id id, bool is_last, enum wrn_reason reason) {
    struct ringworld_node *node = ctx;
    assert_int_equal(tag, 77);
    assert_false(node->is_crawled);
    if (node->found == NULL) {
        node->found = calloc(RINGWORLD_NODES_MAX, sizeof(wrn_id));
        assert_non_null(node->found);
    }
    assert_true(node->found_count < RINGWORLD_NODES_MAX);
    node->found[node->found_count++] = id;
    node->is_crawled = is_last;
    node->crawl_reason = reason;
}

/* ---- life ---- */

struct ringworld *ringworld_create(uint64_t seed, uint32_t capacity) {
    struct ringworld *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    wrn_prng_init(&world->prng, seed, 0);
    world->nodes = calloc(RINGWORLD_NODES_MAX, sizeof(*world->nodes));
    assert_non_null(world->nodes);
    world->now = (wrn_mono){WRN_S(1000)};
    world->delay_ns = WRN_MS(50);
    world->notice_ns = WRN_S(5);
    world->capacity = capacity;
    world->options = (struct wrn_ring_options){
        .wants_shortcuts = true, .on_demand_idle_s = 450, .crawls_max = 2};
    return world;
}

void ringworld_destroy(struct ringworld *world) {
    for (uint32_t i = 0; i < world->heap_count; i++) {
        free(world->heap[i]);
    }
    for (uint32_t i = 0; i < world->count; i++) {
        free(world->nodes[i].memory);
        free(world->nodes[i].found);
    }
    free(world->heap);
    free(world->nodes);
    free(world);
}

static void build(struct ringworld_node *node, struct wrn_arena *arena) {
    struct ringworld *world = node->world;
    struct wrn_ring_port port = {.ctx = node,
                                 .want = port_want,
                                 .keep = port_keep,
                                 .send = port_send,
                                 .route = port_route,
                                 .epoch = port_epoch,
                                 .state = port_state,
                                 .neighbours = port_neighbours,
                                 .found = port_found};
    wrn_links_init(&node->links, arena, node->id, world->capacity);
    node->ring = wrn_ring_init(arena, &world->options, &node->links, port,
                               wrn_prng_rand(&node->prng), world->now);
}

uint32_t ringworld_start(struct ringworld *world, uint32_t bootstrap) {
    assert_true(world->count < RINGWORLD_NODES_MAX);
    struct ringworld_node *node = &world->nodes[world->count];
    *node = (struct ringworld_node){.is_up = true, .world = world, .index = world->count++};
    wrn_prng_init(&node->prng, wrn_prng_next(&world->prng), node->index);
    node->id = (wrn_id){wrn_prng_next(&world->prng), (uint32_t)wrn_prng_next(&world->prng)};
    struct wrn_arena arena;
    wrn_arena_init(&arena, NULL, 0);
    build(node, &arena);
    size_t size = (arena.used + 63) / 64 * 64;
    node->memory = aligned_alloc(64, size);
    assert_non_null(node->memory);
    memset(node->memory, 0, size);
    wrn_arena_init(&arena, node->memory, size);
    build(node, &arena);
    node->timer = WRN_MONO_NEVER;
    rearm(node);
    add(world, WRN_MS(wrn_rand_below(wrn_prng_rand(&world->prng), 60000)), PINGS, node->index);
    if (bootstrap != UINT32_MAX) {
        ringworld_leaf(world, node->index, bootstrap);
    }
    return node->index;
}

void ringworld_leaf(struct ringworld *world, uint32_t from, uint32_t to) {
    struct ringworld_event *event = add(world, 3 * world->delay_ns, LINK, from);
    event->other = to;
    event->is_leaf = true;
    event->want = (struct wrn_want){.kind = WRN_LINK_LEAF};
}

void ringworld_kill(struct ringworld *world, uint32_t index) {
    struct ringworld_node *node = &world->nodes[index];
    node->is_up = false;
    for (uint32_t i = 0; i < node->links.count; i++) {
        uint64_t after = WRN_MS(wrn_rand_below(wrn_prng_rand(&world->prng), 10000));
        struct ringworld_event *event =
            add(world, world->notice_ns + after, DOWN, node->links.links[i].peer.index);
        event->other = index;
        event->generation = node->links.links[i].peer.generation;
    }
}

void ringworld_run(struct ringworld *world, uint64_t ns) {
    wrn_mono until = wrn_mono_add(world->now, ns);
    while (world->heap_count > 0 && !wrn_mono_before(until, world->heap[0]->at)) {
        struct ringworld_event *event = take(world);
        assert_false(wrn_mono_before(event->at, world->now));
        world->now = event->at;
        hash(world, event->at.ns ^ (uint64_t)event->kind << 56 ^ (uint64_t)event->node << 32);
        act(world, event);
        free(event);
    }
    world->now = until;
}

void ringworld_await_ring(struct ringworld *world, uint64_t most_ns, uint64_t step_ns,
                          const char *format, ...) {
    for (uint64_t passed = 0; passed < most_ns && !ringworld_is_consistent(world);
         passed += step_ns) {
        ringworld_run(world, step_ns);
    }
    if (!ringworld_explain(world)) {
        va_list args;
        va_start(args, format);
        vprint_error(format, args);
        va_end(args);
        fail_msg("%s", "the ring is not consistent");
    }
}

struct ringworld *ringworld_settled(uint32_t nodes, uint32_t capacity, uint64_t apart_ns,
                                    uint64_t rest_ns) {
    struct ringworld *world = ringworld_create(check_seed(), capacity);
    for (uint32_t i = 0; i < nodes; i++) {
        ringworld_start(world, i == 0 ? UINT32_MAX : 0);
        ringworld_run(world, apart_ns);
    }
    ringworld_await_ring(world, WRN_S(60), WRN_MS(500), "%u nodes: ", nodes);
    ringworld_run(world, rest_ns);
    return world;
}

static void rearm(struct ringworld_node *node) {
    struct ringworld *world = node->world;
    wrn_mono due = wrn_ring_due(node->ring);
    if (due.ns != UINT64_MAX && wrn_mono_before(due, node->timer)) {
        node->timer = wrn_mono_before(due, world->now) ? world->now : due;
        add(world, wrn_mono_since(due, world->now), TIMER, node->index);
    }
}

/* ---- what happens ---- */

static struct wrn_link *link_of(struct ringworld *world, uint32_t node, uint32_t other,
                                uint32_t generation) {
    return wrn_links_of(&world->nodes[node].links, (wrn_handle){other, generation});
}

static void add_link(struct ringworld_node *node, struct ringworld_node *other, uint32_t generation,
                     uint8_t theirs, uint8_t mine) {
    wrn_handle handle = {other->index, generation};
    struct wrn_link *link = wrn_links_add(&node->links, handle, other->id);
    assert_non_null(link);
    link->mine = mine;
    link->theirs = theirs;
    link->since = node->world->now;
    link->rtt_us = (uint32_t)(2 * node->world->delay_ns / 1000);
    wrn_ring_on_link_up(node->ring, node->world->now, handle);
    rearm(node);
}

static void act_link(struct ringworld *world, struct ringworld_event *event) {
    struct ringworld_node *node = &world->nodes[event->node];
    wrn_handle handle = WRN_HANDLE_NONE;
    wrn_id id = {0, 0};
    enum wrn_reason reason = WRN_REASON_NOBODY_THERE;
    if (!node->is_up) {
        return;
    }
    if (!event->is_failed && world->nodes[event->other].is_up) {
        struct ringworld_node *other = &world->nodes[event->other];
        struct wrn_link *link = wrn_links_at(&node->links, other->id);
        id = other->id;
        reason = WRN_REASON_FULL;
        if (link != NULL) {
            handle = link->peer;
            port_keep(node, handle, (uint8_t)(link->mine | event->want.kind));
        } else if (node->links.count < node->links.capacity &&
                   wrn_links_at(&other->links, node->id) == NULL &&
                   wrn_ring_accepts(other->ring, event->want.kind, node->id)) {
            world->generation += 2;
            handle = (wrn_handle){other->index, world->generation + 1};
            add_link(other, node, world->generation + 1, (uint8_t)event->want.kind, 0);
            add_link(node, other, world->generation + 1, 0, event->is_leaf ? WRN_LINK_LEAF : 0);
        }
    }
    if (!event->is_leaf) {
        wrn_ring_on_want_done(node->ring, world->now, event->want.tag, handle, id,
                              handle.generation != 0 ? WRN_REASON_NONE : reason);
        rearm(node);
    } else if (handle.generation == 0) {
        struct ringworld_event *again = add(world, WRN_S(2), LINK, event->node);
        again->other = event->other;
        again->is_leaf = true;
        again->want = event->want;
    }
}

static void act_down(struct ringworld *world, uint32_t index, uint32_t other, uint32_t generation) {
    struct ringworld_node *node = &world->nodes[index];
    if (node->is_up && link_of(world, index, other, generation) != NULL) {
        wrn_handle handle = {other, generation};
        wrn_links_remove(&node->links, handle);
        wrn_ring_on_link_down(node->ring, world->now, handle, world->nodes[other].id);
        rearm(node);
    }
}

static void act_close(struct ringworld *world, struct ringworld_event *event) {
    struct wrn_link *link = link_of(world, event->node, event->other, event->generation);
    if (link != NULL && link->mine == 0 && link->theirs == 0 &&
        wrn_mono_since(world->now, link->since) >= WRN_S(2)) {
        struct ringworld_event *bye = add(world, world->delay_ns, DOWN, event->other);
        bye->other = event->node;
        bye->generation = event->generation;
        act_down(world, event->node, event->other, event->generation);
    }
}

static void act_pings(struct ringworld *world, struct ringworld_node *node) {
    add(world, WRN_S(60), PINGS, node->index);
    for (uint32_t i = 0; i < node->links.count; i++) {
        wrn_handle peer = node->links.links[i].peer;
        struct ringworld_node *other = &world->nodes[peer.index];
        if (other->is_up && !is_cut(world, node->index, other->index) &&
            link_of(world, other->index, node->index, peer.generation) != NULL) {
            wrn_handle back = {node->index, peer.generation};
            wrn_ring_on_epoch(other->ring, world->now, back, node->epoch);
            rearm(other);
        }
    }
}

static void act(struct ringworld *world, struct ringworld_event *event) {
    struct ringworld_node *node = &world->nodes[event->node];
    wrn_handle from = {event->other, event->generation};
    struct wrn_link *link = NULL;
    if (!node->is_up) {
        return;
    }
    switch (event->kind) {
    case TIMER:
        if (event->at.ns != node->timer.ns) {
            return; /* there is an earlier one by now */
        }
        node->timer = WRN_MONO_NEVER;
        wrn_ring_on_time(node->ring, world->now);
        assert_true(wrn_mono_before(world->now, wrn_ring_due(node->ring)));
        break;
    case MESSAGE:
        if (link_of(world, event->node, event->other, event->generation) != NULL) {
            wrn_ring_on_message(node->ring, world->now, from,
                                (wrn_span){event->bytes, event->size});
        }
        break;
    case PAYLOAD:
        from.generation = event->other == event->node ? 0 : 1;
        wrn_ring_on_payload(node->ring, world->now, &event->header, from,
                            (wrn_span){event->bytes, event->size});
        break;
    case LINK:
        act_link(world, event);
        break;
    case KEEP:
        link = link_of(world, event->node, event->other, event->generation);
        if (link != NULL) {
            link->theirs = event->kinds;
            wrn_ring_on_link_change(node->ring, world->now, from);
            struct ringworld_event *close = add(world, WRN_S(2), CLOSE, event->node);
            close->other = event->other;
            close->generation = event->generation;
        }
        break;
    case CLOSE:
        act_close(world, event);
        break;
    case DOWN:
        act_down(world, event->node, event->other, event->generation);
        break;
    case PINGS:
        act_pings(world, node);
        break;
    }
    rearm(node);
}

/* ---- is it right? ---- */

static bool is_before(const struct ringworld *world, uint32_t a, uint32_t b) {
    return wrn_id_less(world->nodes[a].id, world->nodes[b].id);
}

/* Shell's sort. */
static void sort(const struct ringworld *world, uint32_t *order, uint32_t count) {
    for (uint32_t gap = count / 2; gap > 0; gap = gap == 2 ? 1 : gap * 5 / 11) {
        for (uint32_t i = gap; i < count; i++) {
            uint32_t moved = order[i], place = i;
            for (; place >= gap && is_before(world, moved, order[place - gap]); place -= gap) {
                order[place] = order[place - gap];
            }
            order[place] = moved;
        }
    }
}

uint32_t *ringworld_order(const struct ringworld *world, uint32_t *ret_count) {
    uint32_t *order = calloc(world->count + 1, sizeof(*order));
    assert_non_null(order);
    uint32_t count = 0;
    for (uint32_t i = 0; i < world->count; i++) {
        if (world->nodes[i].is_up) {
            order[count++] = i;
        }
    }
    sort(world, order, count);
    *ret_count = count;
    return order;
}

static bool look(const struct ringworld *world, bool why) {
    uint32_t count = 0;
    bool is_good = true;
    uint32_t *order = ringworld_order(world, &count);
    uint32_t bad = 0;
    for (uint32_t i = 0; i < count && (is_good || why); i++) {
        const struct ringworld_node *node = &world->nodes[order[i]];
        bool is_connected = wrn_ring_state(node->ring) ==
                            (count == 1 ? WRN_RING_STATE_ALONE : WRN_RING_STATE_CONNECTED);
        bool has_all = true;
        for (uint32_t n = 1; n <= WRN_NEAR_PER_SIDE && n < count; n++) {
            const struct ringworld_node *right = &world->nodes[order[(i + n) % count]];
            const struct ringworld_node *left = &world->nodes[order[(i + count - n) % count]];
            has_all = has_all && wrn_links_at(&node->links, right->id) != NULL &&
                      wrn_links_at(&node->links, left->id) != NULL;
        }
        if (!node->lies && (!is_connected || !has_all)) {
            is_good = false;
            bad++;
            if (why && bad < 10) {
                print_error("# node %u (at %u of %u): %s, %s near links, %u links\n", node->index,
                            i, count, is_connected ? "connected" : "not connected",
                            has_all ? "all" : "not all", node->links.count);
            }
        }
    }
    free(order);
    return is_good;
}

bool ringworld_is_consistent(const struct ringworld *world) {
    return look(world, false);
}

bool ringworld_explain(const struct ringworld *world) {
    return look(world, true);
}
