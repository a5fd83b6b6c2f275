/* SPDX-License-Identifier: Apache-2.0 */
/* One network of a host: its machines are built from its state, wired together, started, kept and
 * ended here. */
#include "node/authority_internal.h"
#include "node/gate.h"
#include "node/hold.h"
#include "node/network_internal.h"

enum {
    JUDGEMENTS_MAX = 1024,
    LISTS_MAX = 1024,
    LISTS_BYTES_MAX = 256 << 10,
    NAMES_MAX = 512,
    PREFIXES_MAX = 16384,
    STAGED_BYTES_MAX = 4 << 20,
    HANDSHAKES_PER_S = 500,
    CONVERSATIONS_MAX = 65536,
    FRAGMENTS_MAX = 4096,
    CACHED_LOCATORS_BYTES = WRN_STATE_LOCATORS_MAX * WRN_LOCATOR_MAX,
    LEAVE_S = 20,
};

static struct wrn_network *build(struct wrn_arena *arena, struct wrn_node *node,
                                 const struct wrn_state *state, struct wrn_now now, uint32_t index);
static bool build_wg(struct wrn_arena *arena, struct wrn_network *network, struct wrn_node *node,
                     const struct wrn_state *state, uint32_t index);
static bool build_overlay(struct wrn_arena *arena, struct wrn_network *network,
                          struct wrn_node *node, struct wrn_now now);
static void draw_nothing(void *ctx, void *bytes, size_t size);
static void load(struct wrn_network *network, const struct wrn_state *state);
static size_t load_chain(uint8_t *to, size_t capacity, wrn_span chain);
static bool set_key(struct wrn_network *network, struct wrn_now now);
static void start(struct wrn_network *network);
static enum wrn_reason admit(void *ctx, wrn_wall now, const uint8_t *public_key,
                             wrn_span credential, wrn_wall *ret_until);
static bool may_probe(void *ctx, const struct wrn_endpoint *endpoint);
static uint32_t free_place(const struct wrn_node *node);

size_t wrn_node_network_size(const struct wrn_node *node) {
    static const struct wrn_state none;
    struct wrn_arena arena;
    (void)node;
    wrn_arena_init(&arena, NULL, 0);
    (void)build(&arena, NULL, &none, (struct wrn_now){{0}, {0, 0}}, 0);
    return arena.used;
}

enum wrn_reason wrn_node_add(struct wrn_node *node, struct wrn_now now, void *memory,
                             wrn_span state, struct wrn_node_out *out, wrn_handle *ret_network) {
    struct wrn_state read;
    *ret_network = WRN_HANDLE_NONE;
    if (wrn_state_read(state, &read) != WRN_STATE_OK) {
        return WRN_REASON_MALFORMED;
    }
    return wrn_network_add(node, now, memory, &read, out, ret_network);
}

enum wrn_reason wrn_network_add(struct wrn_node *node, struct wrn_now now, void *memory,
                                const struct wrn_state *state, struct wrn_node_out *out,
                                wrn_handle *ret_network) {
    struct wrn_arena arena;
    *ret_network = WRN_HANDLE_NONE;
    for (uint32_t i = 0; i < WRN_NODE_NETWORKS_MAX; i++) {
        if (node->networks[i] && memcmp(node->networks[i]->descriptor.id, state->descriptor.id,
                                        sizeof(state->descriptor.id)) == 0) {
            return WRN_REASON_REPLAYED;
        }
    }
    uint32_t index = free_place(node);
    if (index == WRN_NODE_NETWORKS_MAX) {
        return WRN_REASON_FULL;
    }
    wrn_arena_init(&arena, memory, wrn_node_network_size(node));
    struct wrn_network *network = build(&arena, node, state, now, index);
    if (!network) {
        return WRN_REASON_FULL;
    }
    node->generations[index]++;
    node->networks[index] = network;
    network->handle = (wrn_handle){index, node->generations[index]};
    *ret_network = network->handle;
    wrn_network_begin(network, now, out);
    start(network);
    wrn_network_end(network);
    return WRN_REASON_NONE;
}

void wrn_network_finish(struct wrn_network *network) {
    wrn_overlay_finish(network->overlay);
    wrn_wg_finish(network->wg);
    wrn_authority_finish(network->authority);
    wrn_wipe(network, sizeof(*network));
}

void wrn_node_leave(struct wrn_node *node, struct wrn_now now, wrn_handle handle, bool release,
                    struct wrn_node_out *out) {
    struct wrn_network *network = wrn_node_network(node, handle);
    if (!network || network->is_gone) {
        return;
    }
    wrn_network_begin(network, now, out);
    network->is_leaving = true;
    network->leave_due =
        release && network->was_connected ? wrn_mono_add(now.mono, WRN_S(LEAVE_S)) : now.mono;
    wrn_network_addresses_stop(network, release);
    wrn_network_peers_judge(network, true); /* nothing passes any more */
    wrn_network_end(network);
}

void wrn_network_leave_on_time(struct wrn_network *network) {
    if (!network->is_leaving || network->is_gone ||
        (!wrn_mono_reached(network->now.mono, network->leave_due) &&
         (!wrn_network_addresses_are_off(network) ||
          !wrn_mono_reached(network->now.mono, network->linger_due)))) {
        return;
    }
    network->is_gone = true;
    network->leave_due = WRN_MONO_NEVER;
    wrn_overlay_stop(network->overlay, network->now, network->out->overlay);
    wrn_wg_set_up(network->wg, network->now, false, network->out->wg);
    wrn_network_questions_end(network);
    (void)wrn_network_emit(network, WRN_NODE_GONE);
}

size_t wrn_node_save(const struct wrn_node *node, wrn_handle handle, uint8_t *out,
                     size_t capacity) {
    struct wrn_state state;
    struct wrn_network *network = wrn_node_network(node, handle);
    if (!network) {
        return 0;
    }
    memset(&state, 0, sizeof(state));
    state.descriptor = network->descriptor;
    memcpy(state.signature, network->signature, sizeof(state.signature));
    state.chain = (wrn_span){network->chain, network->chain_size};
    state.invitation_chain = (wrn_span){network->invitation_chain, network->invitation_chain_size};
    state.use = network->use;
    state.wants_address = network->wants_address;
    state.wants_name = network->wants_name;
    state.wants_routes = network->wants_routes;
    memcpy(state.label, network->label, sizeof(state.label));
    state.lease = network->remembered;
    state.endpoint_count = network->endpoint_count;
    memcpy(state.endpoints, network->endpoints, sizeof(state.endpoints));
    state.locator_count = network->locator_count;
    for (uint8_t i = 0; i < network->locator_count; i++) {
        state.locators[i] = (wrn_span){network->locators[i], network->locator_sizes[i]};
    }
    state.route_count = network->route_count;
    memcpy(state.routes, network->routes, sizeof(state.routes));
    if (network->bridge.made && network->bridge.is_set) {
        state.has_bridge = true;
        wrn_switch_settings(network->bridge.made, &state.bridge);
    }
    wrn_meet_fill(network, &state);
    wrn_keeper_fill(network, &state);
    wrn_authority_fill(network->authority, &state);
    return wrn_state_write(&state, out, capacity);
}

/* ---- building ---- */

/* Returns NULL while the arena measures ('node' is NULL then), or if the seed gives no key. */
static struct wrn_network *build(struct wrn_arena *arena, struct wrn_node *node,
                                 const struct wrn_state *state, struct wrn_now now,
                                 uint32_t index) {
    struct wrn_pack_frame frame = wrn_descriptor_frame(&state->descriptor);
    struct wrn_primitives primitives = {0};
    uint64_t seeds[3][2] = {{0}};
    void *memory = wrn_arena_take(arena, 1, sizeof(struct wrn_network));
    struct wrn_network *network = node ? memory : NULL;
    struct wrn_network_walk *walk = wrn_arena_take(arena, 1, sizeof(*walk));
    if (network) {
        wrn_rand_fill(node->options.rand, seeds, sizeof(seeds));
        primitives = *node->options.primitives;
        network->node = node;
        network->tag = index;
        network->walk = walk;
        network->started = now.mono;
        network->now = now;
        load(network, state);
    }
    struct wrn_judge *judge = wrn_judge_init(arena, &frame, seeds[0]);
    struct wrn_revoked *revoked = wrn_revoked_init(
        arena, &(struct wrn_revoked_options){.lists_max = LISTS_MAX, .bytes_max = LISTS_BYTES_MAX},
        judge);
    struct wrn_members *members =
        wrn_members_init(arena,
                         &(struct wrn_members_options){.descriptor = &state->descriptor,
                                                       .entries_max = JUDGEMENTS_MAX,
                                                       .seed = {seeds[1][0], seeds[1][1]}},
                         judge, revoked, &primitives);
    if (network) {
        network->judge = judge;
        network->revoked = revoked;
        network->members = members;
        if (state->lists.size > 0) { /* what cannot be read is asked of the peers */
            (void)wrn_revoked_restore(revoked, state->lists);
        }
    }
    wrn_network_peers_init(network, arena, seeds[2]);
    wrn_network_addresses_init(network, arena, &state->descriptor);
    wrn_keeper_init(network, arena, state);
    struct wrn_hold *hold = wrn_hold_init(arena);
    if (network) {
        network->hold = hold;
    }
    struct wrn_authority *authority = wrn_authority_init(arena, network, state, now);
    bool is_built = build_overlay(arena, network, node, now);
    is_built = build_wg(arena, network, node, state, index) && is_built;
    if (!network) {
        return NULL;
    }
    network->authority = authority;
    if (!is_built || !set_key(network, now)) {
        wrn_network_finish(network);
        return NULL;
    }
    return network;
}

/* The WireGuard machine and its gate. */
static bool build_wg(struct wrn_arena *arena, struct wrn_network *network, struct wrn_node *node,
                     const struct wrn_state *state, uint32_t index) {
    struct wrn_wg_options options = {.peers_max = WRN_NETWORK_PEERS_MAX,
                                     .prefixes_max = PREFIXES_MAX,
                                     .staged_max_bytes = STAGED_BYTES_MAX,
                                     .handshakes_per_s = HANDSHAKES_PER_S,
                                     .index_tag = index,
                                     .index_tag_bits = WRN_NODE_TAG_BITS,
                                     .asks_for_unrouted = true};
    struct wrn_gate_options gate_options = {
        .peers_max = WRN_NETWORK_PEERS_MAX,
        .lanes_max = WRN_WG_LANES_MAX,
        .policy = {.conversations_max = CONVERSATIONS_MAX, .fragments_max = FRAGMENTS_MAX}};
    struct wrn_rand rand = {.fill = draw_nothing};
    wrn_mono now = {0};
    if (network) {
        rand = node->options.rand;
        now = network->now.mono;
        options.quiesce = gate_options.quiesce = node->options.quiesce;
        options.quiesce_ctx = gate_options.quiesce_ctx = node->options.quiesce_ctx;
    }
    struct wrn_gate *gate = wrn_gate_init(arena, &gate_options, rand, now);
    wrn_network_bridge_init(network, arena, state, rand);
    uint8_t *memory = wrn_arena_take(arena, wrn_wg_memory_size(&options), 1);
    if (!network) {
        return false;
    }
    struct wrn_ip hit = wrn_network_ip_of_hit(node->hit);
    (void)wrn_gate_own(gate, &hit, true); /* in every network, whatever else we have there */
    bool is_bridged = network->bridge.made != NULL;
    options.is_bridged = is_bridged;
    options.filter = is_bridged ? wrn_network_bridge_filter(network) : wrn_gate_filter(gate);
    network->gate = gate;
    network->wg = wrn_wg_init(memory, &options, node->options.crypto, rand);
    return network->wg != NULL;
}

/* While the arena measures nothing is drawn. */
static void draw_nothing(void *ctx, void *bytes, size_t size) {
    (void)ctx;
    memset(bytes, 0, size);
}

static bool build_overlay(struct wrn_arena *arena, struct wrn_network *network,
                          struct wrn_node *node, struct wrn_now now) {
    struct wrn_overlay_options options;
    wrn_overlay_defaults(&options);
    options.credential_max = WRN_CREDENTIAL_MAX;
    options.peers_max = WRN_NETWORK_PEERS_MAX;
    options.cached_max = WRN_STATE_LOCATORS_MAX;
    options.found_max = WRN_MEET_FOUND_MAX;
    options.cached_bytes = CACHED_LOCATORS_BYTES;
    options.route.watched_max = 256;
    options.route.watched_bytes = 64 << 10;
    options.ring_options.crawls_max = 2; /* for people, and for the members of an l2 network */
    options.paths.searches_max = 64;
    options.paths.may_probe = may_probe;
    options.paths.may_probe_ctx = network;
    options.relay.forwards_max = 1024;
    options.relay.uses_max = 256;
    options.relay.asks_right = true; /* wrn_overlay_peer_relays, by each peer's chain */
    options.relays = false;          /* until our own chain has been judged */
    options.dht = (struct wrn_dht_options){.records_max = 1024,
                                           .bytes_max = 512 << 10,
                                           .writer_bytes_max = 16 << 10,
                                           .requests_max = 32,
                                           .kept_max = 16 + WRN_STATE_KEPT_MAX,
                                           .rule = wrn_members_rule};
    if (network) {
        memcpy(options.seed, node->options.seed, sizeof(options.seed));
        memcpy(options.ring, network->descriptor.id, sizeof(options.ring));
        options.tunnel_context = (wrn_span){network->descriptor.id, sizeof(network->descriptor.id)};
        options.credential = (wrn_span){network->chain, network->chain_size};
        options.admit = admit;
        options.admit_ctx = network;
        options.announces = node->options.announces;
        options.speaks_aes = node->options.speaks_aes;
        options.port = node->options.port;
        options.paths.has_streams = node->options.has_streams;
        options.dht.rule_ctx = network->members;
    }
    uint8_t *memory = wrn_arena_take(arena, wrn_overlay_memory_size(&options), 1);
    if (!network) {
        return false;
    }
    network->overlay =
        wrn_overlay_init(memory, &options, node->options.primitives, node->options.rand, now);
    wrn_wipe(options.seed, sizeof(options.seed));
    if (network->overlay) {
        wrn_overlay_set_streams(network->overlay, node->options.tcp_port, node->options.tls_port);
    }
    return network->overlay != NULL;
}

/* What is kept besides the machines. */
static void load(struct wrn_network *network, const struct wrn_state *state) {
    network->descriptor = state->descriptor;
    memcpy(network->signature, state->signature, sizeof(network->signature));
    network->chain_size =
        (uint32_t)load_chain(network->chain, sizeof(network->chain), state->chain);
    network->invitation_chain_size = (uint32_t)load_chain(
        network->invitation_chain, sizeof(network->invitation_chain), state->invitation_chain);
    network->use = state->use;
    network->wants_address = state->wants_address;
    network->wants_name = state->wants_name;
    network->wants_routes = state->wants_routes;
    memcpy(network->label, state->label, sizeof(network->label));
    network->remembered = state->lease;
    network->endpoint_count = state->endpoint_count;
    memcpy(network->endpoints, state->endpoints, sizeof(network->endpoints));
    network->route_count = state->route_count;
    memcpy(network->routes, state->routes, sizeof(network->routes));
    wrn_meet_init(network, state);
    for (uint8_t i = 0; i < state->locator_count; i++) {
        wrn_network_locator(network, state->locators[i]);
    }
    if (state->descriptor.ipv6.ip.family != WRN_FAMILY_NONE) {
        (void)wrn_lease_ipv6(&state->descriptor.ipv6, network->node->hit, &network->ipv6);
    }
    network->standing = WRN_REASON_NOT_ADMITTED;
    network->wall_ahead_ns = wrn_network_wall_ahead(&network->now);
    network->rights_due = network->leave_due = WRN_MONO_NEVER;
    wrn_revoked_end_mark(network->descriptor.id, network->end_mark);
    network->due = network->started;
}

/* One that is too large for a credential is none. */
static size_t load_chain(uint8_t *to, size_t capacity, wrn_span chain) {
    if (chain.size == 0 || chain.size > capacity) {
        return 0;
    }
    memcpy(to, chain.data, chain.size);
    return chain.size;
}

/* The machine has the key that the ring shows in our locator. */
static bool set_key(struct wrn_network *network, struct wrn_now now) {
    const struct wrn_primitives *primitives = network->node->options.primitives;
    uint8_t key[WRN_KEY_SIZE];
    primitives->tunnel_key(primitives->ctx, network->node->options.seed,
                           (wrn_span){network->descriptor.id, sizeof(network->descriptor.id)}, key);
    int error = wrn_wg_set_private_key(network->wg, now, key);
    wrn_wipe(key, sizeof(key));
    return error == 0;
}

static void start(struct wrn_network *network) {
    for (uint8_t i = 0; i < network->endpoint_count; i++) {
        (void)wrn_overlay_add_bootstrap(network->overlay, &network->endpoints[i]);
    }
    for (uint8_t i = 0; i < network->locator_count; i++) {
        (void)wrn_overlay_add_cached(network->overlay,
                                     (wrn_span){network->locators[i], network->locator_sizes[i]});
    }
    wrn_gate_behind(network->gate, network->routes, network->route_count);
    wrn_wg_set_mtu(network->wg, wrn_node_mtu(network->node));
    wrn_wg_set_up(network->wg, network->now, true, network->out->wg);
    network->notes.judge = true;
    wrn_overlay_start(network->overlay, network->now, network->out->overlay);
    wrn_meet_on_alone(network);
}

static uint32_t free_place(const struct wrn_node *node) {
    uint32_t index = 0;
    while (index < WRN_NODE_NETWORKS_MAX && node->networks[index]) {
        index++;
    }
    return index;
}

/* ---- what the ring asks ---- */

/* May a node be on the ring? Notes what it has shown, so that its rights are known when it is a
 * peer. Called while the ring is at work: calls nothing of it. */
static enum wrn_reason admit(void *ctx, wrn_wall now, const uint8_t *public_key,
                             wrn_span credential, wrn_wall *ret_until) {
    struct wrn_network *network = ctx;
    enum wrn_reason reason =
        wrn_members_admit(network->members, now, public_key, credential, ret_until);
    if (reason != WRN_REASON_NONE && credential.data) { /* it was shown, be it empty */
        wrn_network_refusal(network, public_key, credential, reason);
    }
    if (reason == WRN_REASON_NONE) {
        reason = wrn_authority_admit(network->authority, public_key, credential, now);
    }
    if (reason == WRN_REASON_NONE && credential.size > 0) {
        wrn_network_peer_shown(network, public_key, credential);
    }
    return reason;
}

/* Nothing is to be sent to the ring through one of our own tunnels. */
static bool may_probe(void *ctx, const struct wrn_endpoint *endpoint) {
    return wrn_network_may_reach(ctx, endpoint);
}

bool wrn_network_may_reach(const struct wrn_network *own, const struct wrn_endpoint *endpoint) {
    const struct wrn_node *node = own->node;
    for (uint32_t i = 0; i < WRN_NODE_NETWORKS_MAX; i++) {
        const struct wrn_network *network = node->networks[i];
        if (network && (wrn_network_is_in(&network->descriptor.ipv4, &endpoint->ip) ||
                        wrn_network_is_in(&network->descriptor.ipv6, &endpoint->ip) ||
                        (network->wants_routes && wrn_network_peer_at(network, &endpoint->ip)))) {
            return false;
        }
    }
    return !wrn_network_is_hit(&endpoint->ip);
}
