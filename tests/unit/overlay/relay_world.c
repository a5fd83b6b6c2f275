/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes with relay machines and a queue of datagrams between them. */
#include "unit/overlay/relay_world.h"

static void on_send(void *ctx, wrn_handle peer, wrn_span message);
static void on_forward(void *ctx, wrn_handle peer, wrn_span header, wrn_span inside);
static void on_want(void *ctx, uint32_t tag, wrn_id relay);
static void on_keep(void *ctx, wrn_handle peer, bool is_needed);
static void on_ready(void *ctx, wrn_handle peer, const struct wrn_way *way);
static void on_lost(void *ctx, wrn_handle peer, const struct wrn_way *way);
static void on_none(void *ctx, wrn_handle peer, enum wrn_reason reason);
static wrn_handle on_find(void *ctx, wrn_id id, bool *ret_is_direct);
static void enqueue(struct rworld *w, uint8_t from, uint8_t to, bool is_frame, wrn_span head,
                    wrn_span rest);
static void deliver(struct rworld *w, const struct rworld_datagram *datagram);
static void link_one_way(struct rworld *w, uint8_t a, uint8_t b, enum rworld_link link,
                         uint32_t rtt_ms);
static void take_time(struct rworld *w, struct rworld_node *node);

void rworld_init(struct rworld *w, uint64_t seed, const struct wrn_relay_options *options) {
    memset(w->nodes, 0, sizeof w->nodes);
    w->loss_percent = 0;
    w->drops = NULL;
    w->queued = 0;
    w->steps = 0;
    w->now = (wrn_mono){WRN_S(1000)};
    wrn_prng_init(&w->prng, seed, 1000);
    for (uint8_t i = 0; i < WORLD_NODES; i++) {
        struct rworld_node *node = &w->nodes[i];
        node->world = w;
        node->index = i;
        node->id = (wrn_id){(uint64_t)(i + 1) << 56, 0x1000u + i};
        wrn_prng_init(&node->prng, seed, i);
        rworld_restart(w, i, options);
    }
}

void rworld_restart(struct rworld *w, uint8_t index, const struct wrn_relay_options *options) {
    struct rworld_node *node = &w->nodes[index];
    struct wrn_relay_options used = *options;
    struct wrn_arena arena;
    struct wrn_relay_port port = {
        node, on_send, on_forward, on_want, on_keep, on_ready, on_lost, on_none, on_find,
    };
    used.peers_max = WORLD_NODES;
    struct wrn_links links = node->links;
    wrn_arena_init(&arena, NULL, 0);
    wrn_links_init(&node->links, &arena, node->id, WORLD_NODES);
    WRN_ASSERT(wrn_relay_init(&arena, &used, &node->links, port, wrn_prng_rand(&node->prng)) ==
               NULL);
    size_t size = arena.used;
    WRN_ASSERT(size <= sizeof node->memory);
    struct wrn_link saved[WORLD_NODES];
    uint32_t count = links.count;
    if (count > 0) {
        memcpy(saved, links.links, count * sizeof saved[0]);
    }
    memset(node->memory, 0, sizeof node->memory);
    wrn_arena_init(&arena, node->memory, size);
    wrn_links_init(&node->links, &arena, node->id, WORLD_NODES);
    node->relay = wrn_relay_init(&arena, &used, &node->links, port, wrn_prng_rand(&node->prng));
    WRN_ASSERT(node->relay != NULL && arena.used == size);
    for (uint32_t i = 0; i < count; i++) {
        *wrn_links_add(&node->links, saved[i].peer, saved[i].id) = saved[i];
        wrn_relay_set_willing(node->relay, saved[i].peer, true);
    }
}

void rworld_link(struct rworld *w, uint8_t a, uint8_t b, enum rworld_link link, uint32_t rtt_ms) {
    link_one_way(w, a, b, link, rtt_ms);
    link_one_way(w, b, a, link, rtt_ms);
}

wrn_handle rworld_peer(uint8_t node) {
    return (wrn_handle){node, 1};
}

void rworld_search(struct rworld *w, uint8_t a, uint8_t b, const int *relays) {
    wrn_id ids[WORLD_NODES];
    size_t count = 0;
    while (relays[count] >= 0) {
        ids[count] = w->nodes[relays[count]].id;
        count++;
    }
    w->nodes[a].is_peer[b] = true;
    w->nodes[b].is_peer[a] = true;
    enum wrn_reason reason =
        wrn_relay_search(w->nodes[a].relay, w->now, rworld_peer(b), w->nodes[b].id, ids, count);
    WRN_ASSERT(reason == WRN_REASON_NONE);
}

void rworld_run(struct rworld *w, uint64_t ns) {
    wrn_mono end = wrn_mono_add(w->now, ns);
    for (;;) {
        wrn_mono next = end;
        uint32_t first = UINT32_MAX;
        struct rworld_node *node = NULL;
        for (uint32_t i = 0; i < w->queued; i++) {
            if (wrn_mono_before(w->queue[i].due, next)) {
                next = w->queue[i].due;
                first = i;
            }
        }
        for (uint32_t i = 0; i < WORLD_NODES; i++) {
            wrn_mono due = wrn_relay_due(w->nodes[i].relay);
            if (wrn_mono_before(due, next)) {
                next = due;
                node = &w->nodes[i];
            }
        }
        if (wrn_mono_before(w->now, next)) {
            w->now = next;
        }
        w->steps++;
        if (node != NULL) {
            take_time(w, node);
        } else if (first != UINT32_MAX) {
            struct rworld_datagram datagram = w->queue[first];
            w->queued--;
            memmove(&w->queue[first], &w->queue[first + 1],
                    (w->queued - first) * sizeof w->queue[0]);
            deliver(w, &datagram);
        } else {
            return;
        }
    }
}

void rworld_say(struct rworld *w, uint8_t a, uint8_t b, const void *inside, size_t size) {
    const struct wrn_way *way = &w->nodes[a].told[b].way;
    uint8_t header[WRN_RELAYED_OVERHEAD];
    wrn_relayed_write(way->slot, header);
    enqueue(w, a, (uint8_t)way->relay.index, true, (wrn_span){header, sizeof header},
            (wrn_span){inside, size});
    wrn_relay_on_sent(w->nodes[a].relay, w->now, way);
}

void rworld_inject(struct rworld *w, uint8_t from, uint8_t to, bool is_frame, wrn_span bytes) {
    struct rworld_datagram datagram = {
        .from = from, .to = to, .is_frame = is_frame, .size = (uint16_t)bytes.size};
    WRN_ASSERT(bytes.size <= sizeof datagram.bytes);
    if (bytes.size > 0) {
        memcpy(datagram.bytes, bytes.data, bytes.size);
    }
    deliver(w, &datagram);
}

static void on_send(void *ctx, wrn_handle peer, wrn_span message) {
    struct rworld_node *node = ctx;
    WRN_ASSERT(message.size >= 2 && message.data[0] == WRN_MESSAGE_RELAY && message.data[1] < 8);
    node->sent_messages[message.data[1]]++;
    enqueue(node->world, node->index, (uint8_t)peer.index, false, message, (wrn_span){0});
}

static void on_forward(void *ctx, wrn_handle peer, wrn_span header, wrn_span inside) {
    struct rworld_node *node = ctx;
    WRN_ASSERT(header.size == WRN_RELAYED_OVERHEAD);
    enqueue(node->world, node->index, (uint8_t)peer.index, true, header, inside);
}

static void on_want(void *ctx, uint32_t tag, wrn_id relay) {
    struct rworld_node *node = ctx;
    node->wants[node->want_count % WORLD_WANTS] = (struct rworld_want){tag, relay};
    node->want_count++;
}

static void on_keep(void *ctx, wrn_handle peer, bool is_needed) {
    struct rworld_node *node = ctx;
    node->kept[peer.index] = is_needed ? 1 : -1;
}

static void on_ready(void *ctx, wrn_handle peer, const struct wrn_way *way) {
    struct rworld_node *node = ctx;
    struct rworld_told *told = &node->told[peer.index];
    told->ready++;
    told->way = *way;
    told->at = node->world->now;
}

static void on_lost(void *ctx, wrn_handle peer, const struct wrn_way *way) {
    struct rworld_node *node = ctx;
    struct rworld_told *told = &node->told[peer.index];
    told->lost++;
    told->gone = *way;
    if ((way->slot == told->way.slot && wrn_handle_equal(way->relay, told->way.relay))) {
        told->way = (struct wrn_way){0};
    }
}

static void on_none(void *ctx, wrn_handle peer, enum wrn_reason reason) {
    struct rworld_node *node = ctx;
    node->told[peer.index].none++;
    node->told[peer.index].why = reason;
}

static wrn_handle on_find(void *ctx, wrn_id id, bool *ret_is_direct) {
    const struct rworld_node *node = ctx;
    for (uint8_t i = 0; i < WORLD_NODES; i++) {
        if (node->is_peer[i] && wrn_id_equal(node->world->nodes[i].id, id)) {
            const struct wrn_link *link = wrn_links_at(&node->links, id);
            *ret_is_direct = link != NULL && !link->is_relayed;
            return rworld_peer(i);
        }
    }
    return WRN_HANDLE_NONE;
}

/* Only direct links carry. */
static void enqueue(struct rworld *w, uint8_t from, uint8_t to, bool is_frame, wrn_span head,
                    wrn_span rest) {
    const struct wrn_link *link = wrn_links_of(&w->nodes[from].links, rworld_peer(to));
    if (link == NULL || link->is_relayed || w->queued == WORLD_QUEUE) {
        return;
    }
    struct rworld_datagram *datagram = &w->queue[w->queued];
    datagram->due = wrn_mono_add(w->now, link->rtt_us * UINT64_C(500));
    datagram->from = from;
    datagram->to = to;
    datagram->is_frame = is_frame;
    datagram->size = (uint16_t)(head.size + rest.size);
    WRN_ASSERT(head.size + rest.size <= sizeof datagram->bytes);
    memcpy(datagram->bytes, head.data, head.size);
    if (rest.size > 0) {
        memcpy(datagram->bytes + head.size, rest.data, rest.size);
    }
    bool is_dropped = wrn_rand_below(wrn_prng_rand(&w->prng), 100) < w->loss_percent ||
                      (w->drops != NULL && w->drops(w, datagram));
    w->queued += is_dropped ? 0 : 1;
}

static void deliver(struct rworld *w, const struct rworld_datagram *datagram) {
    struct rworld_node *node = &w->nodes[datagram->to];
    uint8_t copy[WRN_DATAGRAM_MAX]; /* at its end, so that a sanitizer sees what is read beyond */
    uint8_t *at = copy + sizeof copy - datagram->size;
    wrn_span bytes = {at, datagram->size}, inside = {0};
    struct wrn_way way = {0};
    wrn_handle from = rworld_peer(datagram->from);
    memcpy(at, datagram->bytes, datagram->size);
    if (!datagram->is_frame) {
        wrn_relay_on_message(node->relay, w->now, from, bytes);
        return;
    }
    if (wrn_links_of(&node->links, from) == NULL) {
        from = WRN_HANDLE_NONE;
    }
    wrn_handle peer = wrn_relay_on_frame(node->relay, w->now, from, bytes, &inside, &way);
    if (!wrn_handle_equal(peer, WRN_HANDLE_NONE)) {
        struct rworld_told *told = &node->told[peer.index];
        WRN_ASSERT(inside.size > 0 && way.kind == WRN_WAY_RELAY);
        told->frames++;
        told->came = way;
        told->inside_size = inside.size;
        memcpy(told->inside, inside.data, inside.size);
    }
}

static void link_one_way(struct rworld *w, uint8_t a, uint8_t b, enum rworld_link kind,
                         uint32_t rtt_ms) {
    struct rworld_node *node = &w->nodes[a];
    struct wrn_link *link = wrn_links_of(&node->links, rworld_peer(b));
    if (link != NULL && kind != WORLD_DIRECT) {
        wrn_relay_on_peer_down(node->relay, w->now, rworld_peer(b));
    }
    if (kind == WORLD_NONE) {
        node->is_peer[b] = false;
        wrn_links_remove(&node->links, rworld_peer(b));
        return;
    }
    if (link == NULL) {
        link = wrn_links_add(&node->links, rworld_peer(b), w->nodes[b].id);
    }
    node->is_peer[b] = true;
    link->is_relayed = kind == WORLD_RELAYED;
    link->rtt_us = rtt_ms * 1000;
    wrn_relay_set_willing(node->relay, rworld_peer(b), true);
}

/* After its time a machine wants to be called later, not again at once. */
static void take_time(struct rworld *w, struct rworld_node *node) {
    wrn_relay_on_time(node->relay, w->now);
    wrn_mono due = wrn_relay_due(node->relay);
    WRN_ASSERT(wrn_mono_before(w->now, due));
}
