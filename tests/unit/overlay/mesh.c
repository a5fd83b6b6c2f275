/* SPDX-License-Identifier: Apache-2.0 */
/* The events of a small network in the order of time. */
#include "unit/overlay/mesh.h"

#include "unit/base/check.h"

struct event {
    uint64_t at_ns;
    uint64_t number;
    struct wrn_endpoint from, to;
    uint16_t to_node;
    size_t size;
    uint32_t slot; /* of its bytes */
};

enum { DATAGRAM_MAX = 1500, UNDER_WAY_MAX = 20000 };

struct mesh {
    struct wrn_crypto *crypto;
    struct wrn_primitives primitives;
    struct wrn_prng prng;
    uint64_t seed;
    uint64_t now_ns;
    uint64_t number;
    uint64_t delay_ns;
    uint32_t loss_percent;
    mesh_filter *filter;
    void *filter_ctx;
    struct event *events; /* a heap by time */
    size_t event_count;
    uint8_t (*slots)[DATAGRAM_MAX];
    uint32_t *free_slots;
    uint32_t free_count;
    uint32_t unowned[256]; /* by first byte */
    uint32_t count;
    struct mesh_node nodes[MESH_NODES_MAX];
    struct wrn_overlay_out out;
};

static void send_event(struct mesh *mesh, uint32_t from, const struct wrn_endpoint *to,
                       wrn_span bytes);
static void deliver(struct mesh *mesh, const struct event *event);
static struct event pop(struct mesh *mesh);
static void perform(struct mesh *mesh, uint32_t node, const struct wrn_overlay_action *action);
static void note_up(const struct mesh *mesh, struct mesh_node *node, wrn_handle peer);
static void on_cache(struct mesh_node *node, wrn_span locator);
static void on_lost(struct mesh_node *node, const struct wrn_overlay_action *action);
static uint32_t node_at(const struct mesh *mesh, const struct wrn_endpoint *at);

struct mesh *mesh_create(uint64_t seed) {
    struct mesh *mesh = calloc(1, sizeof(*mesh));
    assert_non_null(mesh);
    assert_int_equal(wrn_crypto_create(WRN_CRYPTO_OPENSSL, &mesh->crypto), 0);
    mesh->primitives = wrn_primitives(mesh->crypto);
    wrn_prng_init(&mesh->prng, seed, 1);
    mesh->seed = seed;
    mesh->now_ns = WRN_S(1000);
    mesh->delay_ns = WRN_MS(20);
    mesh->events = calloc(UNDER_WAY_MAX, sizeof(*mesh->events));
    mesh->slots = calloc(UNDER_WAY_MAX, sizeof(*mesh->slots));
    mesh->free_slots = calloc(UNDER_WAY_MAX, sizeof(*mesh->free_slots));
    assert_true(mesh->events && mesh->slots && mesh->free_slots);
    for (uint32_t i = 0; i < UNDER_WAY_MAX; i++) {
        mesh->free_slots[mesh->free_count++] = i;
    }
    return mesh;
}

void mesh_destroy(struct mesh *mesh) {
    for (uint32_t i = 0; i < mesh->count; i++) {
        mesh_crash(mesh, i);
    }
    free(mesh->events);
    free(mesh->slots);
    free(mesh->free_slots);
    wrn_crypto_destroy(mesh->crypto);
    free(mesh);
}

struct wrn_overlay_options mesh_options(struct mesh *mesh) {
    struct wrn_overlay_options options;
    wrn_overlay_defaults(&options);
    wrn_rand_fill(wrn_prng_rand(&mesh->prng), options.seed, sizeof(options.seed));
    memcpy(options.ring, "our ring", sizeof(options.ring));
    options.announces = false;
    options.port = MESH_PORT;
    options.paths.may_open_sockets = false;
    return options;
}

uint32_t mesh_add(struct mesh *mesh, const struct wrn_overlay_options *options) {
    assert_true(mesh->count < MESH_NODES_MAX);
    struct mesh_node *node = &mesh->nodes[mesh->count];
    node->options = *options;
    node->at = (struct wrn_endpoint){.port = MESH_PORT};
    node->at.ip.family = WRN_FAMILY_IPV4;
    node->at.ip.bytes[0] = 11;
    node->at.ip.bytes[2] = (uint8_t)(mesh->count >> 8);
    node->at.ip.bytes[3] = (uint8_t)(mesh->count + 1);
    return mesh->count++;
}

void mesh_share(struct mesh *mesh, uint32_t node, uint32_t with) {
    mesh->nodes[node].at = mesh->nodes[with].at;
}

void mesh_start(struct mesh *mesh, uint32_t number, uint32_t bootstrap) {
    struct mesh_node *node = &mesh->nodes[number];
    size_t size = wrn_overlay_memory_size(&node->options);
    mesh_crash(mesh, number);
    assert_int_equal(posix_memalign(&node->memory, 64, size), 0);
    memset(node->memory, 0, size);
    wrn_prng_init(&node->prng, mesh->seed + mesh->number, 100 + number);
    node->overlay = wrn_overlay_init(node->memory, &node->options, &mesh->primitives,
                                     wrn_prng_rand(&node->prng), mesh_now(mesh, number));
    assert_non_null(node->overlay);
    node->is_up = true;
    node->state = WRN_RING_STATE_ALONE;
    node->id = wrn_overlay_id(node->overlay);
    if (bootstrap != UINT32_MAX) {
        assert_int_equal(wrn_overlay_add_bootstrap(node->overlay, &mesh->nodes[bootstrap].at),
                         WRN_REASON_NONE);
    }
    struct wrn_locator_endpoint local = {.at = node->at, .kind = WRN_ENDPOINT_LOCAL};
    wrn_overlay_set_local(node->overlay, mesh_now(mesh, number), &local, 1, &mesh->out);
    wrn_overlay_start(node->overlay, mesh_now(mesh, number), &mesh->out);
    mesh_perform(mesh, number);
}

void mesh_crash(struct mesh *mesh, uint32_t number) {
    struct mesh_node *node = &mesh->nodes[number];
    wrn_overlay_finish(node->overlay);
    free(node->memory);
    node->memory = NULL;
    node->overlay = NULL;
    node->is_up = false;
}

void mesh_stop(struct mesh *mesh, uint32_t number) {
    struct mesh_node *node = &mesh->nodes[number];
    wrn_overlay_stop(node->overlay, mesh_now(mesh, number), &mesh->out);
    mesh_perform(mesh, number);
    mesh_crash(mesh, number);
}

void mesh_sleep(struct mesh *mesh, uint32_t node, uint64_t ms) {
    mesh->nodes[node].asleep_ns = mesh->now_ns + WRN_MS(ms);
}

void mesh_run(struct mesh *mesh, uint64_t ms) {
    uint64_t end_ns = mesh->now_ns + WRN_MS(ms);
    for (;;) {
        uint32_t first = UINT32_MAX;
        uint64_t due_ns = mesh->event_count > 0 ? mesh->events[0].at_ns : UINT64_MAX;
        for (uint32_t i = 0; i < mesh->count; i++) {
            const struct mesh_node *node = &mesh->nodes[i];
            uint64_t node_ns = node->is_up ? wrn_overlay_due(node->overlay).ns : UINT64_MAX;
            node_ns = node_ns < node->asleep_ns ? node->asleep_ns : node_ns;
            if (node_ns < due_ns) {
                due_ns = node_ns;
                first = i;
            }
        }
        if (due_ns > end_ns) {
            break;
        }
        mesh->now_ns = due_ns > mesh->now_ns ? due_ns : mesh->now_ns;
        if (first == UINT32_MAX) {
            struct event event = pop(mesh);
            deliver(mesh, &event);
            mesh->free_slots[mesh->free_count++] = event.slot;
            continue;
        }
        struct wrn_overlay *overlay = mesh->nodes[first].overlay;
        wrn_overlay_on_time(overlay, mesh_now(mesh, first), &mesh->out);
        CHECK(wrn_overlay_due(overlay).ns > mesh->now_ns, "node %u is due in the past: ", first);
        mesh_perform(mesh, first);
    }
    mesh->now_ns = end_ns;
}

bool mesh_run_until(struct mesh *mesh, bool (*condition)(struct mesh *), uint64_t limit_ms) {
    for (uint64_t ms = 0; ms < limit_ms; ms += 100) {
        if (condition(mesh)) {
            return true;
        }
        mesh_run(mesh, 100);
    }
    return condition(mesh);
}

void mesh_set_network(struct mesh *mesh, uint64_t delay_ms, uint32_t loss_percent) {
    mesh->delay_ns = WRN_MS(delay_ms);
    mesh->loss_percent = loss_percent;
}

void mesh_set_filter(struct mesh *mesh, mesh_filter *filter, void *ctx) {
    mesh->filter = filter;
    mesh->filter_ctx = ctx;
}

uint32_t mesh_unowned(const struct mesh *mesh, enum wrn_frame_kind kind) {
    return mesh->unowned[kind];
}

void mesh_inject(struct mesh *mesh, uint32_t number, const struct wrn_endpoint *from,
                 const void *bytes, size_t size) {
    uint8_t copy[2048];
    assert_true(size <= sizeof(copy));
    memcpy(copy, bytes, size);
    wrn_overlay_on_datagram(mesh->nodes[number].overlay, mesh_now(mesh, number), 0, from, copy,
                            size, &mesh->out);
    mesh_perform(mesh, number);
}

struct mesh_node *mesh_node(struct mesh *mesh, uint32_t node) {
    return &mesh->nodes[node];
}

uint32_t mesh_count(const struct mesh *mesh) {
    return mesh->count;
}

struct wrn_now mesh_now(const struct mesh *mesh, uint32_t node) {
    struct wrn_now now = {.mono = {mesh->now_ns}};
    now.wall.s = 1800000000 + (int64_t)(mesh->now_ns / WRN_S(1)) + mesh->nodes[node].clock_ahead_s;
    now.wall.ns = (uint32_t)(mesh->now_ns % WRN_S(1));
    return now;
}

const struct wrn_primitives *mesh_primitives(const struct mesh *mesh) {
    return &mesh->primitives;
}

struct wrn_overlay_out *mesh_out(struct mesh *mesh) {
    return &mesh->out;
}

void mesh_perform(struct mesh *mesh, uint32_t node) {
    assert_int_equal(mesh->out.work_count, 0);
    mesh->nodes[node].actions_lost += mesh->out.lost;
    mesh->out.lost = 0;
    for (uint32_t i = 0; i < mesh->out.count; i++) {
        perform(mesh, node, &mesh->out.actions[i]);
    }
    wrn_overlay_out_reset(&mesh->out);
}

bool mesh_has_link(struct mesh *mesh, uint32_t from, uint32_t to) {
    const struct wrn_links *links = wrn_overlay_links(mesh->nodes[from].overlay);
    return wrn_links_at(links, mesh->nodes[to].id) != NULL;
}

bool mesh_is_ring(struct mesh *mesh) {
    for (uint32_t i = 0; i < mesh->count; i++) {
        const struct mesh_node *node = &mesh->nodes[i];
        if (!node->is_up) {
            continue;
        }
        uint32_t right = i;
        for (uint32_t j = 0; j < mesh->count; j++) {
            if (mesh->nodes[j].is_up && j != i &&
                (right == i ||
                 wrn_id_is_between(node->id, mesh->nodes[j].id, mesh->nodes[right].id))) {
                right = j;
            }
        }
        if (right != i && (wrn_overlay_state(node->overlay) != WRN_RING_STATE_CONNECTED ||
                           !mesh_has_link(mesh, i, right) || !mesh_has_link(mesh, right, i))) {
            return false;
        }
    }
    return true;
}

/* ---- helpers ---- */

static void perform(struct mesh *mesh, uint32_t number, const struct wrn_overlay_action *action) {
    struct mesh_node *node = &mesh->nodes[number];
    size_t size = action->bytes.size < 63 ? action->bytes.size : 63;
    switch (action->kind) {
    case WRN_OVERLAY_DATAGRAM:
        node->sent++;
        node->sent_bytes += action->bytes.size;
        assert_true(action->bytes.size > 0 && action->bytes.size <= 1500);
        send_event(mesh, number, &action->to, action->bytes);
        break;
    case WRN_OVERLAY_MULTICAST:
        for (uint32_t i = 0; i < mesh->count; i++) {
            if (i != number) {
                send_event(mesh, number, &mesh->nodes[i].at, action->bytes);
            }
        }
        break;
    case WRN_OVERLAY_STATE:
        node->state = (enum wrn_ring_state)action->number;
        break;
    case WRN_OVERLAY_PEER_UP:
        node->ups++;
        note_up(mesh, node, action->peer);
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
    case WRN_OVERLAY_CARRIED:
        node->carried++;
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
    case WRN_OVERLAY_RECORD_LOST:
        on_lost(node, action);
        break;
    case WRN_OVERLAY_CACHE:
        on_cache(node, action->bytes);
        break;
    default:
        break;
    }
}

static void note_up(const struct mesh *mesh, struct mesh_node *node, wrn_handle peer) {
    struct wrn_overlay_peer_info info;
    if (!wrn_overlay_peer_info(node->overlay, peer, &info)) {
        return; /* it went in the same input */
    }
    for (uint32_t i = 0; i < mesh->count; i++) {
        node->ups_of[i] += wrn_id_equal(mesh->nodes[i].id, info.id);
    }
}

static void on_cache(struct mesh_node *node, wrn_span locator) {
    node->cached++;
    assert_true(locator.size <= sizeof(node->cache));
    memcpy(node->cache, locator.data, locator.size);
    node->cache_size = locator.size;
}

static void on_lost(struct mesh_node *node, const struct wrn_overlay_action *action) {
    node->lost++;
    node->lost_reason = action->reason;
    node->winner_size = action->answer.record.size;
    assert_true(node->winner_size <= sizeof(node->winner));
    if (node->winner_size > 0) {
        memcpy(node->winner, action->answer.record.data, node->winner_size);
    }
}

static void send_event(struct mesh *mesh, uint32_t from, const struct wrn_endpoint *to,
                       wrn_span bytes) {
    struct mesh_node *sender = &mesh->nodes[from];
    uint32_t to_node = node_at(mesh, to);
    if (sender->is_cut || to_node == UINT32_MAX || mesh->nodes[to_node].group != sender->group ||
        wrn_rand_below(wrn_prng_rand(&mesh->prng), 100) < mesh->loss_percent) {
        return;
    }
    assert_true(mesh->free_count > 0 && bytes.size <= DATAGRAM_MAX);
    uint32_t slot = mesh->free_slots[mesh->free_count - 1];
    memcpy(mesh->slots[slot], bytes.data, bytes.size);
    if (mesh->filter &&
        !mesh->filter(mesh->filter_ctx, mesh, from, to, mesh->slots[slot], bytes.size)) {
        return;
    }
    mesh->free_count--;
    uint64_t jitter_ns = wrn_rand_below(wrn_prng_rand(&mesh->prng), 1000) * UINT64_C(2000);
    uint64_t at_ns = mesh->now_ns + mesh->delay_ns + jitter_ns;
    uint64_t awake_ns = mesh->nodes[to_node].asleep_ns;
    struct event event = {.at_ns = at_ns < awake_ns ? awake_ns : at_ns,
                          .number = mesh->number++,
                          .from = sender->at,
                          .to = *to,
                          .to_node = (uint16_t)to_node,
                          .size = bytes.size,
                          .slot = slot};
    size_t i = mesh->event_count++;
    while (i > 0 && mesh->events[(i - 1) / 2].at_ns > event.at_ns) {
        mesh->events[i] = mesh->events[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    mesh->events[i] = event;
}

/* As a host does with what comes to its port: it goes to the node that owns it; what relays sent
 * and nobody owns, to one that it may be of use to, each time another one. */
static void deliver(struct mesh *mesh, const struct event *event) {
    uint8_t *bytes = mesh->slots[event->slot];
    wrn_span datagram = {bytes, event->size};
    uint32_t chosen = UINT32_MAX;
    uint32_t candidates = 0;
    for (uint32_t i = event->to_node; i < mesh->count; i++) {
        const struct mesh_node *node = &mesh->nodes[i];
        if (!node->is_up || node->is_cut || !wrn_endpoint_equal(&node->at, &event->to)) {
            continue;
        }
        if (wrn_overlay_owns(node->overlay, mesh_now(mesh, i), &event->from, datagram)) {
            chosen = i;
            candidates = 0;
            break;
        }
        if (wrn_overlay_may_own(node->overlay, &event->from, datagram) &&
            wrn_rand_below(wrn_prng_rand(&mesh->prng), ++candidates) == 0) {
            chosen = i;
        }
    }
    mesh->unowned[bytes[0]] += chosen == UINT32_MAX || candidates > 0;
    if (chosen != UINT32_MAX) {
        wrn_overlay_on_datagram(mesh->nodes[chosen].overlay, mesh_now(mesh, chosen),
                                mesh->nodes[chosen].socket, &event->from, bytes, event->size,
                                &mesh->out);
        mesh_perform(mesh, chosen);
    }
}

static struct event pop(struct mesh *mesh) {
    struct event first = mesh->events[0];
    struct event last = mesh->events[--mesh->event_count];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= mesh->event_count) {
            break;
        }
        if (child + 1 < mesh->event_count &&
            mesh->events[child + 1].at_ns < mesh->events[child].at_ns) {
            child++;
        }
        if (mesh->events[child].at_ns >= last.at_ns) {
            break;
        }
        mesh->events[i] = mesh->events[child];
        i = child;
    }
    mesh->events[i] = last;
    return first;
}

static uint32_t node_at(const struct mesh *mesh, const struct wrn_endpoint *at) {
    for (uint32_t i = 0; i < mesh->count; i++) {
        if (wrn_endpoint_equal(&mesh->nodes[i].at, at)) {
            return i;
        }
    }
    return UINT32_MAX;
}
