/* SPDX-License-Identifier: Apache-2.0 */
/* The events of a small world in the order of time. */
#include "unit/overlay/overlay_world.h"

#include "unit/base/check.h"

struct event {
    uint64_t at_ns;
    uint64_t number;
    struct wrn_endpoint from, to;
    uint16_t to_node;
    size_t size;
    uint8_t *bytes;
};

struct world {
    struct wrn_crypto *crypto;
    struct wrn_primitives primitives;
    struct wrn_prng prng;
    uint64_t seed;
    uint64_t now_ns;
    uint64_t number;
    uint64_t delay_ns;
    uint32_t loss_percent;
    world_filter *filter;
    void *filter_ctx;
    struct event *events; /* a heap by time */
    size_t event_count, event_capacity;
    uint32_t count;
    struct world_node nodes[WORLD_NODES_MAX];
    struct wrn_overlay_out out;
};

static void send_event(struct world *world, uint32_t from, const struct wrn_endpoint *to,
                       wrn_span bytes);
static void deliver(struct world *world, const struct event *event);
static struct event pop(struct world *world);
static void perform(struct world *world, uint32_t node, const struct wrn_overlay_action *action);
static uint32_t node_at(const struct world *world, const struct wrn_endpoint *at);

struct world *world_create(uint64_t seed) {
    struct world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    assert_int_equal(wrn_crypto_create(WRN_CRYPTO_OPENSSL, &world->crypto), 0);
    world->primitives = wrn_primitives(world->crypto);
    wrn_prng_init(&world->prng, seed, 1);
    world->seed = seed;
    world->now_ns = WRN_S(1000);
    world->delay_ns = WRN_MS(20);
    return world;
}

void world_destroy(struct world *world) {
    for (uint32_t i = 0; i < world->count; i++) {
        world_crash(world, i);
    }
    while (world->event_count > 0) {
        free(pop(world).bytes);
    }
    free(world->events);
    wrn_crypto_destroy(world->crypto);
    free(world);
}

struct wrn_overlay_options world_options(struct world *world) {
    struct wrn_overlay_options options;
    wrn_overlay_defaults(&options);
    wrn_rand_fill(wrn_prng_rand(&world->prng), options.seed, sizeof(options.seed));
    memcpy(options.ring, "our ring", sizeof(options.ring));
    options.announces = false;
    options.port = WORLD_PORT;
    options.paths.may_open_sockets = false;
    return options;
}

uint32_t world_add(struct world *world, const struct wrn_overlay_options *options) {
    assert_true(world->count < WORLD_NODES_MAX);
    struct world_node *node = &world->nodes[world->count];
    node->options = *options;
    node->at = (struct wrn_endpoint){.port = WORLD_PORT};
    node->at.ip.family = WRN_FAMILY_IPV4;
    node->at.ip.bytes[0] = 11;
    node->at.ip.bytes[2] = (uint8_t)(world->count >> 8);
    node->at.ip.bytes[3] = (uint8_t)(world->count + 1);
    return world->count++;
}

void world_start(struct world *world, uint32_t number, uint32_t bootstrap) {
    struct world_node *node = &world->nodes[number];
    size_t size = wrn_overlay_memory_size(&node->options);
    world_crash(world, number);
    assert_int_equal(posix_memalign(&node->memory, 64, size), 0);
    memset(node->memory, 0, size);
    wrn_prng_init(&node->prng, world->seed + world->number, 100 + number);
    node->overlay = wrn_overlay_init(node->memory, &node->options, &world->primitives,
                                     wrn_prng_rand(&node->prng), world_now(world, number));
    assert_non_null(node->overlay);
    node->is_up = true;
    node->state = WRN_RING_STATE_ALONE;
    node->id = wrn_overlay_id(node->overlay);
    if (bootstrap != UINT32_MAX) {
        assert_int_equal(wrn_overlay_add_bootstrap(node->overlay, &world->nodes[bootstrap].at),
                         WRN_REASON_NONE);
    }
    struct wrn_locator_endpoint local = {.at = node->at, .kind = WRN_ENDPOINT_LOCAL};
    wrn_overlay_set_local(node->overlay, world_now(world, number), &local, 1, &world->out);
    wrn_overlay_start(node->overlay, world_now(world, number), &world->out);
    world_perform(world, number);
}

void world_crash(struct world *world, uint32_t number) {
    struct world_node *node = &world->nodes[number];
    wrn_overlay_finish(node->overlay);
    free(node->memory);
    node->memory = NULL;
    node->overlay = NULL;
    node->is_up = false;
}

void world_stop(struct world *world, uint32_t number) {
    struct world_node *node = &world->nodes[number];
    wrn_overlay_stop(node->overlay, world_now(world, number), &world->out);
    world_perform(world, number);
    world_crash(world, number);
}

void world_run(struct world *world, uint64_t ms) {
    uint64_t end_ns = world->now_ns + WRN_MS(ms);
    for (;;) {
        uint32_t first = UINT32_MAX;
        uint64_t due_ns = world->event_count > 0 ? world->events[0].at_ns : UINT64_MAX;
        for (uint32_t i = 0; i < world->count; i++) {
            if (world->nodes[i].is_up && wrn_overlay_due(world->nodes[i].overlay).ns < due_ns) {
                due_ns = wrn_overlay_due(world->nodes[i].overlay).ns;
                first = i;
            }
        }
        if (due_ns > end_ns) {
            break;
        }
        world->now_ns = due_ns > world->now_ns ? due_ns : world->now_ns;
        if (first == UINT32_MAX) {
            struct event event = pop(world);
            deliver(world, &event);
            free(event.bytes);
            continue;
        }
        struct wrn_overlay *overlay = world->nodes[first].overlay;
        wrn_overlay_on_time(overlay, world_now(world, first), &world->out);
        CHECK(wrn_overlay_due(overlay).ns > world->now_ns, "node %u is due in the past: ", first);
        world_perform(world, first);
    }
    world->now_ns = end_ns;
}

bool world_run_until(struct world *world, bool (*condition)(struct world *), uint64_t limit_ms) {
    for (uint64_t ms = 0; ms < limit_ms; ms += 100) {
        if (condition(world)) {
            return true;
        }
        world_run(world, 100);
    }
    return condition(world);
}

void world_set_network(struct world *world, uint64_t delay_ms, uint32_t loss_percent) {
    world->delay_ns = WRN_MS(delay_ms);
    world->loss_percent = loss_percent;
}

void world_set_filter(struct world *world, world_filter *filter, void *ctx) {
    world->filter = filter;
    world->filter_ctx = ctx;
}

void world_inject(struct world *world, uint32_t number, const struct wrn_endpoint *from,
                  const void *bytes, size_t size) {
    uint8_t copy[2048];
    assert_true(size <= sizeof(copy));
    memcpy(copy, bytes, size);
    wrn_overlay_on_datagram(world->nodes[number].overlay, world_now(world, number), 0, from, copy,
                            size, &world->out);
    world_perform(world, number);
}

struct world_node *world_node(struct world *world, uint32_t node) {
    return &world->nodes[node];
}

uint32_t world_count(const struct world *world) {
    return world->count;
}

struct wrn_now world_now(const struct world *world, uint32_t node) {
    struct wrn_now now = {.mono = {world->now_ns}};
    now.wall.s = 1800000000 + (int64_t)(world->now_ns / WRN_S(1)) +
                 world->nodes[node].clock_ahead_s;
    now.wall.ns = (uint32_t)(world->now_ns % WRN_S(1));
    return now;
}

const struct wrn_primitives *world_primitives(const struct world *world) {
    return &world->primitives;
}

struct wrn_overlay_out *world_out(struct world *world) {
    return &world->out;
}

void world_perform(struct world *world, uint32_t node) {
    assert_int_equal(world->out.work_count, 0);
    world->nodes[node].actions_lost += world->out.lost;
    world->out.lost = 0;
    for (uint32_t i = 0; i < world->out.count; i++) {
        perform(world, node, &world->out.actions[i]);
    }
    wrn_overlay_out_reset(&world->out);
}

bool world_has_link(struct world *world, uint32_t from, uint32_t to) {
    const struct wrn_links *links = wrn_overlay_links(world->nodes[from].overlay);
    return wrn_links_at(links, world->nodes[to].id) != NULL;
}

bool world_is_ring(struct world *world) {
    for (uint32_t i = 0; i < world->count; i++) {
        const struct world_node *node = &world->nodes[i];
        if (!node->is_up) {
            continue;
        }
        uint32_t right = i;
        for (uint32_t j = 0; j < world->count; j++) {
            if (world->nodes[j].is_up && j != i &&
                (right == i || wrn_id_is_between(node->id, world->nodes[j].id,
                                                 world->nodes[right].id))) {
                right = j;
            }
        }
        if (right != i && (wrn_overlay_state(node->overlay) != WRN_RING_STATE_CONNECTED ||
                           !world_has_link(world, i, right) || !world_has_link(world, right, i))) {
            return false;
        }
    }
    return true;
}

/* ---- helpers ---- */

static void perform(struct world *world, uint32_t number, const struct wrn_overlay_action *action) {
    struct world_node *node = &world->nodes[number];
    size_t size = action->bytes.size < 63 ? action->bytes.size : 63;
    switch (action->kind) {
    case WRN_OVERLAY_DATAGRAM:
        node->sent++;
        node->sent_bytes += action->bytes.size;
        assert_true(action->bytes.size > 0 && action->bytes.size <= 1500);
        send_event(world, number, &action->to, action->bytes);
        break;
    case WRN_OVERLAY_MULTICAST:
        for (uint32_t i = 0; i < world->count; i++) {
            if (i != number) {
                send_event(world, number, &world->nodes[i].at, action->bytes);
            }
        }
        break;
    case WRN_OVERLAY_STATE:
        node->state = (enum wrn_ring_state)action->number;
        break;
    case WRN_OVERLAY_PEER_UP:
        node->ups++;
        break;
    case WRN_OVERLAY_PEER_WAY:
        node->ways++;
        break;
    case WRN_OVERLAY_PEER_DOWN:
        node->downs++;
        node->down_reason = action->reason;
        node->restarted += action->reason == WRN_REASON_RESTARTED;
        break;
    case WRN_OVERLAY_CONNECT_FAILED:
        node->failed++;
        node->failed_reason = action->reason;
        break;
    case WRN_OVERLAY_MESSAGE:
        node->messages++;
        memcpy(node->message, action->bytes.data, size);
        node->message[size] = 0;
        break;
    case WRN_OVERLAY_BROADCAST:
        node->broadcasts++;
        break;
    case WRN_OVERLAY_SUM:
        node->sum_done = true;
        node->sum_nodes = action->number;
        memcpy(node->values, action->values, sizeof(node->values));
        break;
    case WRN_OVERLAY_FOUND:
        node->found++;
        node->crawl_done = action->is_last;
        break;
    case WRN_OVERLAY_ANSWER:
        node->answer = action->answer;
        node->answer.record = (wrn_span){0};
        break;
    case WRN_OVERLAY_CACHE:
        node->cached++;
        assert_true(action->bytes.size <= sizeof(node->cache));
        memcpy(node->cache, action->bytes.data, action->bytes.size);
        node->cache_size = action->bytes.size;
        break;
    default:
        break;
    }
}

static void send_event(struct world *world, uint32_t from, const struct wrn_endpoint *to,
                       wrn_span bytes) {
    struct world_node *sender = &world->nodes[from];
    uint32_t to_node = node_at(world, to);
    if (sender->is_cut || to_node == UINT32_MAX || world->nodes[to_node].group != sender->group ||
        wrn_rand_below(wrn_prng_rand(&world->prng), 100) < world->loss_percent) {
        return;
    }
    uint8_t *copy = malloc(bytes.size);
    assert_non_null(copy);
    memcpy(copy, bytes.data, bytes.size);
    if (world->filter &&
        !world->filter(world->filter_ctx, world, from, to, copy, bytes.size)) {
        free(copy);
        return;
    }
    if (world->event_count == world->event_capacity) {
        world->event_capacity = world->event_capacity ? 2 * world->event_capacity : 64;
        world->events =
            realloc(world->events, world->event_capacity * sizeof(*world->events));
        assert_non_null(world->events);
    }
    uint64_t jitter_ns = wrn_rand_below(wrn_prng_rand(&world->prng), 1000) * UINT64_C(2000);
    struct event event = {.at_ns = world->now_ns + world->delay_ns + jitter_ns,
                          .number = world->number++,
                          .from = sender->at,
                          .to = *to,
                          .to_node = (uint16_t)to_node,
                          .size = bytes.size,
                          .bytes = copy};
    size_t i = world->event_count++;
    while (i > 0 && world->events[(i - 1) / 2].at_ns > event.at_ns) {
        world->events[i] = world->events[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    world->events[i] = event;
}

static void deliver(struct world *world, const struct event *event) {
    struct world_node *node = &world->nodes[event->to_node];
    if (node->is_up && !node->is_cut) {
        wrn_overlay_on_datagram(node->overlay, world_now(world, event->to_node), 0, &event->from,
                                event->bytes, event->size, &world->out);
        world_perform(world, event->to_node);
    }
}

static struct event pop(struct world *world) {
    struct event first = world->events[0];
    struct event last = world->events[--world->event_count];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= world->event_count) {
            break;
        }
        if (child + 1 < world->event_count &&
            world->events[child + 1].at_ns < world->events[child].at_ns) {
            child++;
        }
        if (world->events[child].at_ns >= last.at_ns) {
            break;
        }
        world->events[i] = world->events[child];
        i = child;
    }
    world->events[i] = last;
    return first;
}

static uint32_t node_at(const struct world *world, const struct wrn_endpoint *at) {
    for (uint32_t i = 0; i < world->count; i++) {
        if (wrn_endpoint_equal(&world->nodes[i].at, at)) {
            return i;
        }
    }
    return UINT32_MAX;
}
