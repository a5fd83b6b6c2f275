/* SPDX-License-Identifier: Apache-2.0 */
/* Drives path machines through the simulated network. */
#include "unit/overlay/pathworld.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "sim/memory.h"

enum { HEADER = 19, DIRECT = 0, RELAYED = 1, AROUND = 2, FIRST_EXTRA_PORT = 20000 };

static const struct wrn_prefix home4 = {{{192, 168, 1}, WRN_FAMILY_IPV4}, 24};
static const struct wrn_prefix shared4 = {{{100, 64}, WRN_FAMILY_IPV4}, 10};
static const struct wrn_prefix none6;

const struct pathworld_class pathworld_classes[PATHWORLD_CLASSES] = {
    {"pu", "public address", false, false, false},
    {"fc", "full cone", false, false, false},
    {"rc", "restricted cone", false, false, false},
    {"pr", "port-restricted cone", false, false, false},
    {"lx", "Linux masquerade", false, false, false},
    {"ls", "Linux masquerade without a rule against strays", false, false, false},
    {"am", "mapping and filtering by address", true, false, false},
    {"sn", "symmetric, next port", false, true, false},
    {"sr", "symmetric, random port", true, false, false},
    {"so", "symmetric, random port, no filter", true, false, false},
    {"cc", "Linux masquerade behind a carrier's cone", false, false, false},
    {"cr", "full cone behind a carrier's symmetric box", true, false, false},
    {"bl", "UDP blocked", false, false, true},
};

static void on_datagram(void *owner, struct wrn_endpoint from, struct wrn_endpoint to,
                        wrn_span bytes, bool was_multicast);
static void on_alarm(struct sim_alarm *alarm);
static void transmit(struct pathworld_node *node, uint8_t type, uint32_t from, uint32_t to,
                     uint64_t incarnation, const struct wrn_way *way, wrn_span message);
static void port_send(void *ctx, wrn_handle peer, const struct wrn_way *way, wrn_span message);
static void port_send_around(void *ctx, wrn_handle peer, wrn_span message);
static void port_sockets(void *ctx, uint16_t first, uint16_t count, bool open);
static void port_way(void *ctx, wrn_handle peer, const struct wrn_way *way, enum wrn_reason reason);
static void port_heard(void *ctx, wrn_handle peer, uint32_t rtt_us, uint32_t epoch);
static void port_proven(void *ctx, wrn_handle peer, uint64_t incarnation);
static void port_want_relay(void *ctx, wrn_handle peer);
static void port_relay_bad(void *ctx, wrn_handle peer, const struct wrn_way *way);
static void port_locator(void *ctx);

struct pathworld *pathworld_create(uint64_t seed) {
    struct pathworld *world = sim_take(1, sizeof *world);
    world->world = sim_world_create(seed);
    world->net = sim_net_create(world->world);
    world->line = (struct sim_link){.delay_ns = WRN_MS(5), .jitter_ns = WRN_MS(20)};
    world->searches_max = 8;
    return world;
}

void pathworld_destroy(struct pathworld *world) {
    for (uint32_t i = 0; i < world->count; i++) {
        free(world->nodes[i].memory);
    }
    sim_net_destroy(world->net);
    sim_world_destroy(world->world);
    free(world);
}

struct sim_nat_options pathworld_box(const char *sign) {
    struct sim_nat_options options = sim_nat_linux();
    if (strcmp(sign, "fc") == 0 || strcmp(sign, "cr") == 0) {
        options = sim_nat_cone(SIM_INDEPENDENT);
    } else if (strcmp(sign, "rc") == 0) {
        options = sim_nat_cone(SIM_ADDRESS);
    } else if (strcmp(sign, "pr") == 0) {
        options = sim_nat_cone(SIM_ADDRESS_AND_PORT);
    } else if (strcmp(sign, "ls") == 0) {
        options.remembers_strays = true;
    } else if (strcmp(sign, "am") == 0) {
        options = sim_nat_cone(SIM_ADDRESS);
        options.mapping = SIM_ADDRESS;
        options.ports = SIM_PORTS_RANDOM;
    } else if (strcmp(sign, "sn") == 0) {
        options = sim_nat_symmetric(SIM_PORTS_NEXT, 1);
    } else if (strcmp(sign, "sr") == 0 || strcmp(sign, "so") == 0) {
        options = sim_nat_symmetric(SIM_PORTS_RANDOM, 0);
        options.filtering = sign[1] == 'o' ? SIM_INDEPENDENT : options.filtering;
    } else if (strcmp(sign, "bl") == 0) {
        options.blocks_udp = true;
    } else {
        WRN_ASSERT(strcmp(sign, "lx") == 0 || strcmp(sign, "cc") == 0);
    }
    return options;
}

sim_segment pathworld_home(struct pathworld *world, const struct sim_nat_options *options,
                           sim_segment outside, sim_nat *ret_nat) {
    sim_segment segment = sim_net_add_segment(world->net, &home4, &none6);
    sim_nat nat = sim_net_add_nat(world->net, segment, outside, options, NULL, NULL);
    if (ret_nat != NULL) {
        *ret_nat = nat;
    }
    return segment;
}

struct pathworld_node *pathworld_add(struct pathworld *world, const char *sign) {
    sim_segment segment = SIM_SEGMENT_INTERNET;
    sim_nat nat = UINT32_MAX;
    if (sign[0] == 'c') {
        struct sim_nat_options carrier =
            sign[1] == 'c' ? sim_nat_carrier() : sim_nat_symmetric(SIM_PORTS_RANDOM, 0);
        segment = sim_net_add_segment(world->net, &shared4, &none6);
        (void)sim_net_add_nat(world->net, segment, SIM_SEGMENT_INTERNET, &carrier, NULL, NULL);
    }
    if (strcmp(sign, "pu") != 0) {
        struct sim_nat_options options = pathworld_box(sign);
        segment = pathworld_home(world, &options, segment, &nat);
    }
    struct pathworld_node *node = pathworld_add_to(world, segment);
    node->nat = nat;
    return node;
}

struct pathworld_node *pathworld_add_to(struct pathworld *world, sim_segment segment) {
    WRN_ASSERT(world->count < PATHWORLD_NODES);
    struct pathworld_node *node = &world->nodes[world->count];
    node->world = world;
    node->number = world->count++;
    node->segment = segment;
    node->nat = UINT32_MAX;
    node->may_relay = true;
    node->incarnation = 1000 + node->number;
    node->socket_ports[0] = PATHWORLD_PORT;
    node->next_port = FIRST_EXTRA_PORT;
    node->alarm.ring = on_alarm;
    for (size_t i = 0; i < PATHWORLD_NODES; i++) {
        node->peers[i].direct_at = node->peers[i].relay_at = WRN_MONO_NEVER;
    }
    node->host =
        sim_net_add_host(world->net, segment, &world->line, &world->line, on_datagram, node);
    sim_prng_init(world->world, SIM_STREAM_NODE, node->number, &node->prng);
    struct wrn_paths_options options = {
        .peers_max = PATHWORLD_NODES,
        .searches_max = world->searches_max,
        .may_open_sockets = true,
    };
    struct wrn_paths_port port = {node,           port_send,   port_send_around, port_sockets,
                                  port_way,       port_heard,  port_proven,      port_want_relay,
                                  port_relay_bad, port_locator};
    struct wrn_arena arena;
    wrn_arena_init(&arena, NULL, 0);
    struct wrn_paths *measured = wrn_paths_init(&arena, &options, port, wrn_prng_rand(&node->prng));
    WRN_ASSERT(measured == NULL);
    size_t size = wrn_align_up(arena.used, 64);
    node->memory = aligned_alloc(64, size);
    WRN_ASSERT(node->memory != NULL);
    memset(node->memory, 0, size);
    wrn_arena_init(&arena, node->memory, size);
    node->paths = wrn_paths_init(&arena, &options, port, wrn_prng_rand(&node->prng));
    pathworld_set_local(node);
    return node;
}

void pathworld_set_local(struct pathworld_node *node) {
    struct wrn_ip ips[2];
    struct wrn_locator_endpoint locals[2];
    size_t count = sim_host_addresses(node->world->net, node->host, ips);
    for (size_t i = 0; i < count; i++) {
        locals[i] = (struct wrn_locator_endpoint){
            .at = {.ip = ips[i], .port = node->socket_ports[0]}, .kind = WRN_ENDPOINT_LOCAL};
    }
    wrn_paths_set_local(node->paths, pathworld_now(node->world), locals, count);
    pathworld_settle(node);
}

void pathworld_meet(struct pathworld_node *a, struct pathworld_node *b) {
    struct wrn_locator of_a = {0}, of_b = {0};
    wrn_mono now = pathworld_now(a->world);
    wrn_paths_describe(a->paths, &of_a);
    wrn_paths_describe(b->paths, &of_b);
    enum wrn_reason error = wrn_paths_search(a->paths, now, pathworld_handle(b), &of_b, true);
    WRN_ASSERT(error == WRN_REASON_NONE);
    error = wrn_paths_search(b->paths, now, pathworld_handle(a), &of_a, false);
    WRN_ASSERT(error == WRN_REASON_NONE);
    pathworld_settle(a);
    pathworld_settle(b);
}

void pathworld_search(struct pathworld_node *from, const struct pathworld_node *to, bool we_asked) {
    struct wrn_locator locator = {0};
    wrn_paths_describe(to->paths, &locator);
    enum wrn_reason error = wrn_paths_search(from->paths, pathworld_now(from->world),
                                             pathworld_handle(to), &locator, we_asked);
    WRN_ASSERT(error == WRN_REASON_NONE);
    pathworld_settle(from);
}

wrn_handle pathworld_handle(const struct pathworld_node *node) {
    return (wrn_handle){node->number, 1};
}

void pathworld_pass(struct pathworld *world, uint64_t ns) {
    sim_run(world->world, wrn_mono_add(sim_now(world->world).mono, ns));
}

uint64_t pathworld_until_direct(struct pathworld_node *a, struct pathworld_node *b, uint64_t ns) {
    enum { STEP_MS = 10 };
    for (uint64_t passed = 0; passed < ns; passed += WRN_MS(STEP_MS)) {
        if (pathworld_is(a, b, WRN_WAY_DIRECT) && pathworld_is(b, a, WRN_WAY_DIRECT)) {
            return passed / WRN_MS(1);
        }
        pathworld_pass(a->world, WRN_MS(STEP_MS));
    }
    return UINT64_MAX;
}

bool pathworld_is(const struct pathworld_node *a, const struct pathworld_node *b,
                  enum wrn_way_kind kind) {
    return wrn_paths_way(a->paths, pathworld_handle(b))->kind == kind;
}

enum wrn_path_state pathworld_state(const struct pathworld_node *a, const struct pathworld_node *b,
                                    enum wrn_reason *ret_reason) {
    uint32_t rtt_us;
    return wrn_paths_state(a->paths, pathworld_handle(b), ret_reason, &rtt_us);
}

wrn_mono pathworld_now(const struct pathworld *world) {
    return sim_now(world->world).mono;
}

/* Grants relays, then sets the alarm. */
void pathworld_settle(struct pathworld_node *node) {
    if (node->is_dead) {
        return;
    }
    wrn_mono now = pathworld_now(node->world);
    uint32_t wanted = node->wanted;
    node->wanted = 0;
    for (uint32_t i = 0; i < PATHWORLD_NODES; i++) {
        const struct pathworld_node *other = &node->world->nodes[i];
        if ((wanted >> i & 1) != 0 && i != 0 && node->may_relay && other->may_relay &&
            pathworld_is(node, &node->world->nodes[0], WRN_WAY_DIRECT)) {
            struct wrn_way way = {.kind = WRN_WAY_RELAY,
                                  .relay = pathworld_handle(&node->world->nodes[0]),
                                  .slot = 1};
            wrn_paths_on_relay(node->paths, now, pathworld_handle(other), &way);
        }
    }
    sim_alarm_set(sim_host_clock(node->world->net, node->host), &node->alarm,
                  wrn_paths_due(node->paths));
}

static void on_alarm(struct sim_alarm *alarm) {
    struct pathworld_node *node = WRN_CONTAINER(alarm, struct pathworld_node, alarm);
    wrn_mono now = pathworld_now(node->world);
    if (node->is_dead) {
        return;
    }
    wrn_paths_on_time(node->paths, now);
    WRN_ASSERT(wrn_mono_before(now, wrn_paths_due(node->paths)));
    pathworld_settle(node);
}

static void on_datagram(void *owner, struct wrn_endpoint from, struct wrn_endpoint to,
                        wrn_span bytes, bool was_multicast) {
    struct pathworld_node *node = owner;
    struct pathworld *world = node->world;
    (void)was_multicast;
    if (node->is_dead || bytes.size < HEADER) {
        return;
    }
    uint8_t type = bytes.data[1];
    uint32_t sender = wrn_load_be32(bytes.data + 3), target = wrn_load_be32(bytes.data + 7);
    wrn_span message = {bytes.data + HEADER, bytes.size - HEADER};
    uint64_t incarnation = wrn_load_be64(bytes.data + 11);
    struct wrn_way way = {.kind = WRN_WAY_NONE};
    if (target != node->number) { /* forwarded, if there is a way */
        const struct wrn_way *on =
            wrn_paths_way(node->paths, pathworld_handle(&world->nodes[target]));
        if (type != DIRECT && on->kind == WRN_WAY_DIRECT) {
            transmit(node, type, sender, target, incarnation, on, message);
        }
        return;
    }
    if (type == DIRECT) {
        way = (struct wrn_way){.kind = WRN_WAY_DIRECT, .remote = from};
        while (way.socket < WRN_SOCKETS_MAX && node->socket_ports[way.socket] != to.port) {
            way.socket++;
        }
        if (way.socket == WRN_SOCKETS_MAX) {
            return; /* closed meanwhile */
        }
    } else if (type == RELAYED) {
        way = (struct wrn_way){.kind = WRN_WAY_RELAY, .relay = {0, 1}, .slot = 1};
    }
    wrn_paths_on_message(node->paths, pathworld_now(world), pathworld_handle(&world->nodes[sender]),
                         &way, incarnation, message);
    pathworld_settle(node);
}

static void transmit(struct pathworld_node *node, uint8_t type, uint32_t from, uint32_t to,
                     uint64_t incarnation, const struct wrn_way *way, wrn_span message) {
    uint8_t bytes[512] = {WRN_FRAME_SEALED, type};
    WRN_ASSERT(message.size + HEADER <= sizeof bytes && way->socket < WRN_SOCKETS_MAX);
    wrn_store_be32(bytes + 3, from);
    wrn_store_be32(bytes + 7, to);
    wrn_store_be64(bytes + 11, incarnation);
    memcpy(bytes + HEADER, message.data, message.size);
    WRN_ASSERT(node->socket_ports[way->socket] != 0);
    struct wrn_endpoint source = {.port = node->socket_ports[way->socket]};
    int error = sim_send(node->world->net, node->host, &source, &way->remote,
                         (wrn_span){bytes, message.size + HEADER});
    (void)error; /* a host that is down, or lacks the family */
    node->direct_sent++;
}

static void port_send(void *ctx, wrn_handle peer, const struct wrn_way *way, wrn_span message) {
    struct pathworld_node *node = ctx;
    uint8_t lie[64];
    if (message.data[0] == WRN_MESSAGE_PING) {
        node->peers[peer.index].pings++;
    }
    if (node->lies && message.data[0] == WRN_MESSAGE_PONG && message.size <= sizeof lie) {
        memcpy(lie, message.data, message.size); /* the last bytes are the address */
        lie[message.size - 1] = 0x55;
        lie[message.size - 5] ^= 0x2a;
        message.data = lie;
    }
    if (way->kind == WRN_WAY_DIRECT) {
        if (node->world->on_sent != NULL) {
            node->world->on_sent(node->world, node, peer.index, way, message);
        }
        transmit(node, DIRECT, node->number, peer.index, node->incarnation, way, message);
        return;
    }
    const struct wrn_way *on = wrn_paths_way(node->paths, way->relay);
    if (way->kind == WRN_WAY_RELAY && on->kind == WRN_WAY_DIRECT) {
        transmit(node, RELAYED, node->number, peer.index, node->incarnation, on, message);
    }
}

/* The ring is node 0, which everybody has a link to. */
static void port_send_around(void *ctx, wrn_handle peer, wrn_span message) {
    struct pathworld_node *node = ctx;
    const struct wrn_way *on = wrn_paths_way(node->paths, (wrn_handle){0, 1});
    if (node->drops_calls) {
        return;
    }
    if (on->kind == WRN_WAY_DIRECT) {
        transmit(node, AROUND, node->number, peer.index, node->incarnation, on, message);
    }
}

static void port_sockets(void *ctx, uint16_t first, uint16_t count, bool open) {
    struct pathworld_node *node = ctx;
    WRN_ASSERT(first > 0 && first + count <= WRN_SOCKETS_MAX);
    for (uint16_t i = first; i < first + count; i++) {
        WRN_ASSERT((node->socket_ports[i] == 0) == open);
        node->socket_ports[i] = open ? node->next_port++ : 0;
        node->sockets_open += open ? 1 : UINT32_MAX;
    }
    if (node->sockets_open > node->sockets_most) {
        node->sockets_most = node->sockets_open;
    }
}

static void port_way(void *ctx, wrn_handle peer, const struct wrn_way *way,
                     enum wrn_reason reason) {
    struct pathworld_node *node = ctx;
    wrn_mono now = pathworld_now(node->world);
    node->peers[peer.index].way_changes++;
    node->peers[peer.index].last_change_at = now;
    if (getenv("PATHWORLD_TRACE") != NULL) {
        char text[WRN_ENDPOINT_TEXT_SIZE] = "-";
        if (way->kind == WRN_WAY_DIRECT) {
            wrn_endpoint_print(&way->remote, text);
        }
        printf("# %10.3f node %u: way to %u is %u %s socket %u (%s)\n",
               (double)(now.ns - WRN_S(1000)) / 1e9, node->number, peer.index, way->kind, text,
               way->socket, wrn_reason_name(reason));
    }
    if (way->kind == WRN_WAY_DIRECT && node->peers[peer.index].direct_at.ns == UINT64_MAX) {
        node->peers[peer.index].direct_at = now;
    }
    if (way->kind == WRN_WAY_RELAY && node->peers[peer.index].relay_at.ns == UINT64_MAX) {
        node->peers[peer.index].relay_at = now;
    }
    if (way->kind == WRN_WAY_NONE) {
        node->peers[peer.index].is_gone = true;
        node->peers[peer.index].gone_reason = reason;
    }
}

static void port_heard(void *ctx, wrn_handle peer, uint32_t rtt_us, uint32_t epoch) {
    struct pathworld_node *node = ctx;
    WRN_ASSERT(rtt_us > 0);
    (void)epoch;
    node->peers[peer.index].heard++;
}

static void port_proven(void *ctx, wrn_handle peer, uint64_t incarnation) {
    (void)ctx;
    (void)peer;
    (void)incarnation;
}

static void port_want_relay(void *ctx, wrn_handle peer) {
    struct pathworld_node *node = ctx;
    node->wanted |= (uint32_t)1 << peer.index;
    node->want_count++;
}

static void port_relay_bad(void *ctx, wrn_handle peer, const struct wrn_way *way) {
    struct pathworld_node *node = ctx;
    (void)peer;
    WRN_ASSERT(way->kind == WRN_WAY_RELAY && way->relay.generation != 0);
    node->bad_relays++;
}

static void port_locator(void *ctx) {
    struct pathworld_node *node = ctx;
    node->locator_changes++;
}
