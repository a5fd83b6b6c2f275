/* SPDX-License-Identifier: Apache-2.0 */
/* Drives nodes: their lives, their datagrams, their alarms. */
#include "sim/node.h"

#include "sim/cheap.h"
#include "sim/checks.h"
#include "sim/memory.h"

enum { ALIGNMENT = 64, KEPT_MAX = 8 /* records a node: scenarios store several */ };

static void sort_in(struct sim_node *node);
static void sort_out(struct sim_node *node);
static struct wrn_overlay *build(struct sim_node *node);
static void tell_cached(struct sim_node *node);
static void tell_local(struct sim_node *node, struct wrn_overlay_out *out);
static void free_run(struct sim_node *node);
static void on_turn(struct sim_event *event);
static void on_alarm(struct sim_alarm *alarm);
static void on_datagram(void *owner, struct wrn_endpoint from, struct wrn_endpoint to,
                        wrn_span bytes, bool was_multicast);
static void set_alarm(struct sim_node *node, bool was_time);
static void perform(struct sim_node *node, const struct wrn_overlay_action *action);
static void send(struct sim_node *node, const struct wrn_overlay_action *action);
static void tell(struct sim_node *node, const struct wrn_overlay_action *action);
static void restore(struct sim_node *node);
static uint16_t port_of(const struct sim_node *node, uint16_t socket);
static uint32_t socket_at(const struct sim_node *node, uint16_t port);
static bool is_open(const struct sim_node *node, uint32_t socket);
static const char *word_of(enum wrn_overlay_action_kind kind);

struct sim_nodes *sim_nodes_create(struct sim_run *run) {
    struct sim_nodes *nodes = sim_take(1, sizeof *nodes);
    nodes->run = run;
    nodes->net = sim_net_create(run->world);
    nodes->buffer = sim_take(1, SIM_DATAGRAM_MAX);
    if (run->options.is_cheap) {
        nodes->primitives = sim_cheap_primitives();
    } else {
        int error = wrn_crypto_create(WRN_CRYPTO_OPENSSL, &nodes->crypto);
        WRN_ASSERT(error == 0);
        nodes->primitives = wrn_primitives(nodes->crypto);
    }
    wrn_overlay_defaults(&nodes->defaults);
    memcpy(nodes->defaults.ring, "the ring", sizeof nodes->defaults.ring);
    nodes->defaults.port = SIM_NODE_PORT;
    nodes->defaults.dht.kept_max = KEPT_MAX;
    nodes->defaults.dht.own_bytes = 0; /* enough for all of them */
    return nodes;
}

void sim_nodes_give_room(struct sim_nodes *nodes) {
    nodes->defaults.peers_max = 40;
    nodes->defaults.paths.searches_max = 10;
    nodes->defaults.relay.forwards_max = 40;
    nodes->defaults.relay.uses_max = 12;
}

void sim_nodes_destroy(struct sim_nodes *nodes) {
    if (nodes == NULL) {
        return;
    }
    for (uint32_t i = 0; i < nodes->count; i++) {
        struct sim_node *node = nodes->all[i];
        sim_node_crash(node);
        sim_disk_destroy(node->disk);
        free(node);
    }
    for (uint32_t i = 0; i < SIM_NODE_DEPTH; i++) {
        free(nodes->outs[i]);
    }
    sim_checks_destroy(nodes->checks);
    sim_net_destroy(nodes->net);
    wrn_crypto_destroy(nodes->crypto);
    free(nodes->buffer);
    free(nodes->all);
    free(nodes->nats);
    free(nodes->sorted);
    free(nodes);
}

uint32_t sim_nodes_first_from(const struct sim_nodes *nodes, wrn_id place) {
    uint32_t low = 0;
    for (uint32_t high = nodes->sorted_count; low < high;) {
        uint32_t middle = low + (high - low) / 2;
        if (wrn_id_less(nodes->sorted[middle]->id, place)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct sim_node *sim_node_add(struct sim_nodes *nodes, sim_segment segment,
                              const struct sim_link *up, const struct sim_link *down) {
    struct sim_node *node = sim_take(1, sizeof *node);
    nodes->all = sim_grow(nodes->all, nodes->count, &nodes->capacity, sizeof(struct sim_node *));
    nodes->all[nodes->count] = node;
    node->nodes = nodes;
    node->number = nodes->count++;
    node->segment = segment;
    node->host = sim_net_add_host(nodes->net, segment, up, down, on_datagram, node);
    sim_prng_init(nodes->run->world, SIM_STREAM_NODE, node->number, &node->prng);
    node->rand = wrn_prng_rand(&node->prng);
    node->alarm.ring = on_alarm;
    node->turn.happen = on_turn;
    return node;
}

void sim_node_make_bootstrap(struct sim_node *node) {
    struct sim_nodes *nodes = node->nodes;
    WRN_ASSERT(nodes->bootstrap_count < WRN_COUNT(nodes->bootstraps));
    nodes->bootstraps[nodes->bootstrap_count++] = sim_node_endpoint(node);
}

void sim_node_make_key(struct sim_node *node) {
    uint8_t public_key[WRN_SIGN_PUBLIC_SIZE];
    uint8_t hit[WRN_HIT_SIZE];
    struct wrn_primitives *primitives = &node->nodes->primitives;
    if (!node->has_key) {
        wrn_rand_fill(node->rand, node->seed, sizeof node->seed);
        bool is_made = primitives->sign_public(primitives->ctx, node->seed, public_key);
        WRN_ASSERT(is_made);
        primitives->hit(primitives->ctx, public_key, hit);
        sort_out(node);
        node->id = wrn_id_of_hit(hit);
        node->has_key = true;
    }
}

void sim_node_start(struct sim_node *node, enum sim_memory memory) {
    struct sim_nodes *nodes = node->nodes;
    WRN_ASSERT(node->overlay == NULL);
    node->forgot += memory != SIM_SAME_STATE;
    if (memory == SIM_NEW_KEY && node->started.ns != 0) {
        node->has_key = false;
        sim_disk_destroy(node->disk);
        node->disk = NULL;
    }
    sim_node_make_key(node);
    node->overlay = build(node);
    WRN_ASSERT(wrn_id_equal(wrn_overlay_id(node->overlay), node->id));
    sort_in(node);
    memset(node->open, 0, sizeof node->open);
    node->open[0] = 1;
    node->life++;
    node->started = sim_now(nodes->run->world).mono;
    nodes->started++;
    sim_trace(nodes->run->world, "start", node->number, node->id.high, node->id.low);
    struct wrn_overlay_out *out = sim_node_begin(node);
    struct wrn_endpoint own = sim_node_endpoint(node);
    tell_local(node, out);
    for (uint32_t i = 0; i < nodes->bootstrap_count; i++) {
        if (!wrn_endpoint_equal(&nodes->bootstraps[i], &own)) {
            enum wrn_reason reason =
                wrn_overlay_add_bootstrap(node->overlay, &nodes->bootstraps[i]);
            WRN_ASSERT(reason == WRN_REASON_NONE);
        }
    }
    if (memory == SIM_SAME_STATE && node->disk != NULL) {
        tell_cached(node);
        node->is_restoring = node->disk->kept_count > 0;
    }
    wrn_overlay_start(node->overlay, sim_node_now(node), out);
    sim_node_end(node);
}

void sim_node_stop(struct sim_node *node) {
    if (node->overlay != NULL) {
        uint64_t life = node->life;
        wrn_overlay_stop(node->overlay, sim_node_now(node), sim_node_begin(node));
        sim_node_end(node);
        if (node->life == life) {
            sim_trace(node->nodes->run->world, "stop", node->number, 0, 0);
            free_run(node);
        }
    }
}

void sim_node_crash(struct sim_node *node) {
    if (node->overlay != NULL) {
        sim_trace(node->nodes->run->world, "crash", node->number, 0, 0);
        node->nodes->crashed++;
        free_run(node);
    }
}

void sim_node_sleep(struct sim_node *node) {
    sim_trace(node->nodes->run->world, "sleep", node->number, 0, 0);
    sim_host_sleep(node->nodes->net, node->host);
}

void sim_node_wake(struct sim_node *node) {
    sim_trace(node->nodes->run->world, "wake", node->number, 0, 0);
    sim_host_wake(node->nodes->net, node->host);
    if (node->overlay != NULL) {
        tell_local(node, sim_node_begin(node));
        sim_node_end(node);
    }
}

void sim_node_move(struct sim_node *node, sim_segment segment) {
    sim_trace(node->nodes->run->world, "move", node->number, segment, 0);
    sim_host_move(node->nodes->net, node->host, segment);
    node->segment = segment;
    if (sim_node_is_live(node)) {
        tell_local(node, sim_node_begin(node));
        sim_node_end(node);
    }
}

void sim_node_move_within(struct sim_node *node) {
    sim_node_move(node, node->segment);
}

void sim_node_plan(struct sim_node *node, wrn_mono due, enum sim_turn turn,
                   enum sim_memory memory) {
    node->turn_kind = turn;
    node->turn_memory = memory;
    sim_at(node->nodes->run->world, &node->turn, due);
}

void sim_node_plan_nothing(struct sim_node *node) {
    sim_at(node->nodes->run->world, &node->turn, WRN_MONO_NEVER);
}

struct sim_disk *sim_node_disk(struct sim_node *node) {
    if (node->disk == NULL) {
        node->disk = sim_disk_create();
    }
    return node->disk;
}

struct wrn_now sim_node_now(const struct sim_node *node) {
    return sim_clock_now(sim_host_clock(node->nodes->net, node->host));
}

bool sim_node_is_live(const struct sim_node *node) {
    return node->overlay != NULL && !sim_host_clock(node->nodes->net, node->host)->is_asleep;
}

struct wrn_endpoint sim_node_endpoint(const struct sim_node *node) {
    struct wrn_ip ips[2];
    size_t count = sim_host_addresses(node->nodes->net, node->host, ips);
    WRN_ASSERT(count > 0);
    return (struct wrn_endpoint){.ip = ips[0], .port = SIM_NODE_PORT};
}

struct wrn_overlay_out *sim_node_begin(struct sim_node *node) {
    struct sim_nodes *nodes = node->nodes;
    WRN_ASSERT(node->overlay != NULL && nodes->depth < SIM_NODE_DEPTH);
    struct wrn_overlay_out **out = &nodes->outs[nodes->depth++];
    if (*out == NULL) {
        *out = sim_take(1, sizeof **out);
    }
    wrn_overlay_out_reset(*out);
    return *out;
}

void sim_node_end(struct sim_node *node) {
    struct sim_nodes *nodes = node->nodes;
    const struct wrn_overlay_out *out = nodes->outs[nodes->depth - 1];
    uint64_t life = node->life;
    for (uint32_t i = 0; i < out->count && node->life == life; i++) {
        perform(node, &out->actions[i]);
    }
    sim_report_expect(&nodes->run->report, out->lost == 0,
                      "node %u lost %llu actions that found no room", node->number,
                      (unsigned long long)out->lost);
    nodes->outs[nodes->depth - 1]->lost = 0;
    if (node->life == life) {
        set_alarm(node, false);
    }
    nodes->depth--;
}

/* Sorts the node in by its place, which nobody else has. */
static void sort_in(struct sim_node *node) {
    struct sim_nodes *nodes = node->nodes;
    if (node->is_sorted) {
        return;
    }
    nodes->sorted = sim_grow(nodes->sorted, nodes->sorted_count, &nodes->sorted_capacity,
                             sizeof(struct sim_node *));
    uint32_t at = sim_nodes_first_from(nodes, node->id);
    memmove(&nodes->sorted[at + 1], &nodes->sorted[at],
            (nodes->sorted_count - at) * sizeof(struct sim_node *));
    nodes->sorted[at] = node;
    nodes->sorted_count++;
    node->is_sorted = true;
}

static void sort_out(struct sim_node *node) {
    struct sim_nodes *nodes = node->nodes;
    if (!node->is_sorted) {
        return;
    }
    uint32_t at = sim_nodes_first_from(nodes, node->id);
    WRN_ASSERT(nodes->sorted[at] == node);
    nodes->sorted_count--;
    memmove(&nodes->sorted[at], &nodes->sorted[at + 1],
            (nodes->sorted_count - at) * sizeof(struct sim_node *));
    node->is_sorted = false;
}

static struct wrn_overlay *build(struct sim_node *node) {
    struct sim_nodes *nodes = node->nodes;
    struct wrn_overlay_options options = nodes->defaults;
    memcpy(options.seed, node->seed, sizeof options.seed);
    options.credential = (wrn_span){node->credential, node->credential_size};
    if (nodes->prepare != NULL) {
        nodes->prepare(nodes->ctx, node, &options);
    }
    size_t size = wrn_overlay_memory_size(&options);
    node->memory = sim_take(1, size + ALIGNMENT);
    uintptr_t place = ((uintptr_t)node->memory + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1);
    const struct wrn_primitives *primitives =
        node->primitives != NULL ? node->primitives : &nodes->primitives;
    struct wrn_overlay *overlay =
        wrn_overlay_init((void *)place, &options, primitives, node->rand, sim_node_now(node));
    WRN_ASSERT(overlay != NULL);
    return overlay;
}

static void tell_cached(struct sim_node *node) {
    for (uint32_t i = 0; i < SIM_DISK_LOCATORS_MAX; i++) {
        const struct sim_cached *cached = &node->disk->cached[i];
        if (cached->size > 0) {
            wrn_span locator = {cached->bytes, cached->size};
            (void)wrn_overlay_add_cached(node->overlay, locator);
        }
    }
}

static void tell_local(struct sim_node *node, struct wrn_overlay_out *out) {
    struct wrn_ip ips[2];
    struct wrn_locator_endpoint endpoints[2] = {0};
    size_t count = sim_host_addresses(node->nodes->net, node->host, ips);
    for (size_t i = 0; i < count; i++) {
        endpoints[i] = (struct wrn_locator_endpoint){
            .at = {.ip = ips[i], .port = SIM_NODE_PORT},
            .kind = WRN_ENDPOINT_LOCAL,
        };
    }
    wrn_overlay_set_local(node->overlay, sim_node_now(node), endpoints, count, out);
}

static void free_run(struct sim_node *node) {
    sim_alarm_set(sim_host_clock(node->nodes->net, node->host), &node->alarm, WRN_MONO_NEVER);
    wrn_overlay_finish(node->overlay);
    free(node->memory);
    node->overlay = NULL;
    node->memory = NULL;
    node->is_restoring = node->has_to_restore = false;
    node->life++;
}

static void on_turn(struct sim_event *event) {
    struct sim_node *node = WRN_CONTAINER(event, struct sim_node, turn);
    switch (node->turn_kind) {
    case SIM_TURN_START:
        if (node->overlay == NULL) {
            sim_node_start(node, node->turn_memory);
        }
        break;
    case SIM_TURN_STOP:
        sim_node_stop(node);
        break;
    case SIM_TURN_CRASH:
        sim_node_crash(node);
        break;
    case SIM_TURN_SLEEP:
        sim_node_sleep(node);
        break;
    case SIM_TURN_WAKE:
        sim_node_wake(node);
        break;
    }
}

static void on_alarm(struct sim_alarm *alarm) {
    struct sim_node *node = WRN_CONTAINER(alarm, struct sim_node, alarm);
    wrn_overlay_on_time(node->overlay, sim_node_now(node), sim_node_begin(node));
    uint64_t life = node->life;
    sim_node_end(node);
    if (node->life == life && node->has_to_restore) {
        restore(node);
    }
    if (node->life == life) {
        set_alarm(node, true);
    }
}

/* By the first byte: the overlay's, or the caller's own. */
static void on_datagram(void *owner, struct wrn_endpoint from, struct wrn_endpoint to,
                        wrn_span bytes, bool was_multicast) {
    struct sim_node *node = owner;
    struct sim_nodes *nodes = node->nodes;
    uint32_t socket = was_multicast ? 0 : socket_at(node, to.port);
    size_t size = bytes.size;
    if (node->overlay == NULL || !is_open(node, socket) || size == 0 ||
        (was_multicast && to.port != SIM_ANNOUNCE_PORT)) {
        nodes->unopened_datagrams++;
        return;
    }
    memcpy(nodes->buffer, bytes.data, size);
    if (node->on_receiving != NULL &&
        !node->on_receiving(node, &from, nodes->buffer, &size, SIM_DATAGRAM_MAX)) {
        return;
    }
    if (nodes->checks != NULL) {
        sim_checks_on_received(nodes->checks, node, &from, (wrn_span){nodes->buffer, size});
    }
    if (wrn_frame_is_ours(nodes->buffer[0])) {
        wrn_overlay_on_datagram(node->overlay, sim_node_now(node), (uint16_t)socket, &from,
                                nodes->buffer, size, sim_node_begin(node));
        sim_node_end(node);
    } else if (nodes->on_event != NULL) {
        const struct wrn_overlay_action action = {
            .kind = WRN_OVERLAY_CARRIED, .to = from, .bytes = bytes};
        nodes->on_event(nodes->ctx, node, &action);
    }
}

/* After time was handed in, nothing may be due any more: it would never end. */
static void set_alarm(struct sim_node *node, bool was_time) {
    struct sim_clock *clock = sim_host_clock(node->nodes->net, node->host);
    wrn_mono now = sim_clock_now(clock).mono;
    wrn_mono due = wrn_overlay_due(node->overlay);
    if (was_time && !wrn_mono_before(now, due)) {
        sim_report_expect(&node->nodes->run->report, false,
                          "node %u is due at %llu ns after it was called at %llu ns", node->number,
                          (unsigned long long)due.ns, (unsigned long long)now.ns);
        due = wrn_mono_add(now, WRN_MS(10));
    }
    if (wrn_mono_before(due, now) || node->has_to_restore) {
        due = now;
    }
    if (!sim_is_set(&node->alarm.event) || node->alarm.due.ns != due.ns) {
        sim_alarm_set(clock, &node->alarm, due);
    }
}

static void perform(struct sim_node *node, const struct wrn_overlay_action *action) {
    switch (action->kind) {
    case WRN_OVERLAY_DATAGRAM:
    case WRN_OVERLAY_MULTICAST:
        send(node, action);
        break;
    case WRN_OVERLAY_SOCKETS:
        sim_report_expect(&node->nodes->run->report,
                          action->socket >= 1 && action->socket + action->count <= WRN_SOCKETS_MAX,
                          "node %u: sockets %u to %u do not exist", node->number, action->socket,
                          action->socket + action->count);
        for (uint32_t i = action->socket;
             i < (uint32_t)action->socket + action->count && i < WRN_SOCKETS_MAX; i++) {
            uint64_t bit = (uint64_t)1 << (i % 64);
            node->port_turns[i] =
                (uint8_t)((node->port_turns[i] + action->is_open) % SIM_NODE_PORT_TURNS);
            node->open[i / 64] =
                action->is_open ? node->open[i / 64] | bit : node->open[i / 64] & ~bit;
        }
        break;
    default:
        tell(node, action);
        break;
    }
}

static void send(struct sim_node *node, const struct wrn_overlay_action *action) {
    struct sim_nodes *nodes = node->nodes;
    struct wrn_endpoint from = {.port = port_of(node, action->socket)};
    struct wrn_endpoint to = action->to;
    wrn_span bytes = action->bytes;
    uint8_t changed[2 * WRN_DATAGRAM_MAX];
    sim_report_expect(&nodes->run->report, is_open(node, action->socket),
                      "node %u sends from socket %u, which is not open", node->number,
                      action->socket);
    if (node->on_sending != NULL && bytes.size <= sizeof changed) {
        size_t size = bytes.size;
        memcpy(changed, bytes.data, size);
        if (!node->on_sending(node, &to, changed, &size, sizeof changed)) {
            return;
        }
        bytes = (wrn_span){changed, size};
    }
    int error = action->kind == WRN_OVERLAY_MULTICAST
                    ? sim_send_multicast(nodes->net, node->host, &from, SIM_ANNOUNCE_PORT, bytes)
                    : sim_send(nodes->net, node->host, &from, &to, bytes);
    sim_report_expect(&nodes->run->report, error == 0 || error == -ENETUNREACH,
                      "node %u: a datagram cannot be sent: %d", node->number, error);
    nodes->unsent_datagrams += error != 0;
}

static void tell(struct sim_node *node, const struct wrn_overlay_action *action) {
    struct sim_nodes *nodes = node->nodes;
    uint64_t life = node->life;
    sim_trace(nodes->run->world, word_of(action->kind),
              (uint64_t)node->number << 32 | (uint32_t)action->reason, action->id.high,
              action->number);
    if (nodes->checks != NULL) {
        sim_checks_on_event(nodes->checks, node, action);
    }
    if (action->kind == WRN_OVERLAY_CACHE) {
        sim_disk_cache(sim_node_disk(node), action->id, action->bytes);
    }
    if (action->kind == WRN_OVERLAY_STATE && action->number == WRN_RING_STATE_CONNECTED &&
        node->is_restoring) {
        node->is_restoring = false; /* not in the midst of an input: when the alarm rings */
        node->has_to_restore = true;
    }
    if (nodes->on_event != NULL && node->life == life) {
        nodes->on_event(nodes->ctx, node, action);
    }
}

/* What it kept before it was started anew it signs and stores again. */
static void restore(struct sim_node *node) {
    node->has_to_restore = false;
    for (uint32_t i = 0; i < node->disk->kept_count && node->overlay != NULL; i++) {
        const struct sim_kept *kept = &node->disk->kept[i];
        wrn_span key = {kept->key, kept->key_size};
        wrn_span value = {kept->value, kept->value_size};
        (void)wrn_overlay_store(node->overlay, sim_node_now(node), UINT32_MAX, kept->kind, key,
                                value, (wrn_span){0}, kept->ttl_s, 0, true, sim_node_begin(node));
        sim_node_end(node);
    }
}

static uint16_t port_of(const struct sim_node *node, uint16_t socket) {
    uint32_t turns = socket < WRN_SOCKETS_MAX ? node->port_turns[socket] : 0;
    return (uint16_t)(SIM_NODE_PORT + socket + turns * WRN_SOCKETS_MAX);
}

/* Returns a socket that cannot be open if the port is none's. */
static uint32_t socket_at(const struct sim_node *node, uint16_t port) {
    uint32_t socket = ((uint32_t)port - SIM_NODE_PORT) % WRN_SOCKETS_MAX;
    return port == port_of(node, (uint16_t)socket) ? socket : WRN_SOCKETS_MAX;
}

static bool is_open(const struct sim_node *node, uint32_t socket) {
    return socket < WRN_SOCKETS_MAX && (node->open[socket / 64] >> (socket % 64) & 1) != 0;
}

/* For the trace. */
static const char *word_of(enum wrn_overlay_action_kind kind) {
    static const char *const words[] = {
        [WRN_OVERLAY_CARRIED] = "carried",     [WRN_OVERLAY_MESSAGE] = "message",
        [WRN_OVERLAY_BROADCAST] = "broadcast", [WRN_OVERLAY_STATE] = "state",
        [WRN_OVERLAY_PEER_UP] = "peer up",     [WRN_OVERLAY_PEER_WAY] = "peer way",
        [WRN_OVERLAY_PEER_DOWN] = "peer down", [WRN_OVERLAY_CONNECT_FAILED] = "connect failed",
        [WRN_OVERLAY_ANSWER] = "answer",       [WRN_OVERLAY_RECORD_LOST] = "record lost",
        [WRN_OVERLAY_FOUND] = "found",         [WRN_OVERLAY_SUM] = "sum",
        [WRN_OVERLAY_CACHE] = "cache",
    };
    return kind < WRN_COUNT(words) && words[kind] != NULL ? words[kind] : "unknown action";
}
