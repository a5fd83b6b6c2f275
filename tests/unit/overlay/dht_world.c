/* SPDX-License-Identifier: Apache-2.0 */
/* The world of the DHT's tests. Draws everything from its seed. */
#include "unit/overlay/dht_world.h"

#include <stdlib.h>

#include "unit/base/check.h"

static const int64_t epoch_s = 1800000000;

static void make_key(struct dworld *w, struct dworld_node *node);
static struct dworld_event *take_event(struct dworld *w);
static void post(struct dworld *w, struct dworld_node *from, uint32_t to, uint64_t delay_ns,
                 const struct wrn_route_header *header, wrn_span bytes);
static void deliver(struct dworld *w, struct dworld_event *event);
static uint32_t find_nearest(const struct dworld *w, const struct dworld_node *from, wrn_id target);
static void link_node(struct dworld *w, struct dworld_node *node);
static uint32_t neighbour(const struct dworld *w, const struct dworld_node *node, int32_t steps);

static enum wrn_reason on_route(void *ctx, const struct wrn_route_header *header,
                                wrn_span payload) {
    struct dworld_node *node = ctx;
    struct dworld *w = node->world;
    struct wrn_route_header copy = *header;
    uint32_t to = find_nearest(w, node, header->target);
    node->routed++;
    node->bytes += payload.size + 100;
    if (node->is_silent) {
        return WRN_REASON_NONE;
    }
    assert_true(payload.size <= WRN_PAYLOAD_MAX);
    copy.source = node->id;
    copy.hops = (uint8_t)(1 + wrn_rand_below(wrn_prng_rand(&w->prng), 5));
    if (header->mode == WRN_ROUTE_EXACT && !wrn_id_equal(w->nodes[to].id, header->target)) {
        return WRN_REASON_NONE; /* it ends somewhere */
    }
    post(w, node, to, WRN_MS(w->delay_ms) * copy.hops, &copy, payload);
    return WRN_REASON_NONE;
}

static void on_send(void *ctx, wrn_handle peer, wrn_span message) {
    struct dworld_node *node = ctx;
    assert_true(message.size >= 2 && message.size <= WRN_MESSAGE_MAX);
    node->sent[message.data[1] & 15]++;
    node->bytes += message.size + 72;
    if (!node->is_silent && wrn_links_of(&node->links, peer) != NULL) {
        post(node->world, node, peer.index, WRN_MS(node->world->delay_ms), NULL, message);
    }
}

static void on_answer(void *ctx, const struct wrn_dht_answer *answer) {
    const struct dworld_node *node = ctx;
    struct dworld_result *result = &node->world->result;
    if (answer->tag != node->world->tag) {
        return;
    }
    assert_false(result->is_done);
    result->reason = answer->reason;
    result->copies = answer->copies;
    result->took_ms = answer->took_ms;
    result->is_done = answer->is_last;
    if (answer->record.size > 0) {
        assert_true(result->count < DWORLD_RECORDS);
        result->sizes[result->count] = (uint16_t)answer->record.size;
        memcpy(result->records[result->count++], answer->record.data, answer->record.size);
    }
}

static void on_lost(void *ctx, wrn_span record, wrn_span winner, enum wrn_reason reason) {
    struct dworld_node *node = ctx;
    (void)winner;
    assert_true(record.size > 0);
    node->lost_count++;
    node->lost_reason = reason;
}

struct wrn_dht_options dworld_options(void) {
    return (struct wrn_dht_options){.records_max = 256,
                                    .bytes_max = 128 * 1024,
                                    .writer_bytes_max = 64 * 1024,
                                    .requests_max = 4,
                                    .kept_max = 4};
}

void dworld_init(struct dworld *w, uint64_t seed, uint32_t count,
                 const struct wrn_dht_options *options) {
    struct wrn_arena arena;
    memset(w, 0, sizeof(*w));
    wrn_prng_init(&w->prng, seed, 1);
    assert_int_equal(wrn_crypto_create(WRN_CRYPTO_OPENSSL, &w->crypto), 0);
    w->primitives = wrn_primitives(w->crypto);
    w->options = *options;
    w->now = (wrn_mono){WRN_S(1000)};
    w->delay_ms = 25;
    w->count = count;
    wrn_arena_init(&arena, w->memory, sizeof(w->memory));
    wrn_heap_init(&w->heap, &arena, DWORLD_EVENTS);
    while (w->free_count < DWORLD_EVENTS) {
        w->free_events[w->free_count] = w->free_count;
        w->free_count++;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct dworld_node *node = &w->nodes[i];
        node->world = w;
        node->index = i;
        wrn_prng_init(&node->prng, seed, 100 + i);
        make_key(w, node);
        dworld_spawn(w, i);
    }
    dworld_relink(w);
}

void dworld_finish(struct dworld *w) {
    wrn_crypto_destroy(w->crypto);
    w->crypto = NULL;
}

void dworld_kill(struct dworld *w, uint32_t node) {
    w->nodes[node].is_live = false;
}

void dworld_spawn(struct dworld *w, uint32_t index) {
    struct dworld_node *node = &w->nodes[index];
    struct wrn_arena arena;
    struct wrn_dht_port port = {node, on_route, on_send, on_answer, on_lost};
    memset(node->memory, 0, sizeof(node->memory));
    wrn_arena_init(&arena, node->memory, sizeof(node->memory));
    wrn_links_init(&node->links, &arena, node->id, DWORLD_NODES);
    node->life++;
    node->is_live = true;
    node->dht = wrn_dht_init(&arena, &w->options, &node->links, &w->primitives, port,
                             wrn_prng_rand(&node->prng));
    assert_true(arena.used <= arena.size);
}

void dworld_relink(struct dworld *w) {
    for (uint32_t i = 0; i < w->count; i++) {
        if (w->nodes[i].is_live) {
            link_node(w, &w->nodes[i]);
        }
    }
    for (uint32_t i = 0; i < w->count; i++) {
        if (w->nodes[i].is_live) {
            wrn_dht_on_neighbours(w->nodes[i].dht, dworld_now(w, i));
        }
    }
}

void dworld_run(struct dworld *w, uint64_t ns) {
    wrn_mono end = wrn_mono_add(w->now, ns);
    for (;;) {
        const struct wrn_heap_node *first = wrn_heap_first(&w->heap);
        wrn_mono due = first != NULL ? first->due : WRN_MONO_NEVER;
        uint32_t who = w->count;
        for (uint32_t i = 0; i < w->count; i++) {
            wrn_mono of_node = w->nodes[i].is_live ? wrn_dht_due(w->nodes[i].dht) : WRN_MONO_NEVER;
            if (wrn_mono_before(of_node, due)) {
                due = of_node;
                who = i;
            }
        }
        if (wrn_mono_before(end, due)) {
            w->now = end;
            return;
        }
        w->now = wrn_mono_before(w->now, due) ? due : w->now;
        if (who == w->count) {
            deliver(w, WRN_CONTAINER(first, struct dworld_event, due));
            continue;
        }
        wrn_dht_on_time(w->nodes[who].dht, dworld_now(w, who));
        CHECK(wrn_mono_before(w->now, wrn_dht_due(w->nodes[who].dht)) ||
                  wrn_dht_due(w->nodes[who].dht).ns == w->now.ns,
              "node %u is due in the past: ", who);
    }
}

struct wrn_now dworld_now(const struct dworld *w, uint32_t node) {
    int64_t s = epoch_s + (int64_t)(w->now.ns / WRN_S(1)) + w->nodes[node].clock_s;
    return (struct wrn_now){w->now, {s, 0}};
}

struct dworld_record dworld_make(struct dworld *w, uint32_t owner, enum wrn_record_kind kind,
                                 const char *key, const char *value, uint64_t sequence,
                                 uint32_t ttl_s) {
    int64_t made_s = epoch_s + (int64_t)(w->now.ns / WRN_S(1));
    struct wrn_record record = {.kind = kind,
                                .key = {(const uint8_t *)key, strlen(key)},
                                .value = {(const uint8_t *)value, strlen(value)},
                                .sequence = sequence,
                                .claimed_s = kind == WRN_RECORD_CREATE ? made_s : 0,
                                .made_s = made_s,
                                .ttl_s = ttl_s};
    return dworld_sign(w, owner, record);
}

struct dworld_record dworld_sign(struct dworld *w, uint32_t owner, struct wrn_record record) {
    struct dworld_record made;
    made.size = wrn_record_write(&record, &w->primitives, w->nodes[owner].seed, made.bytes,
                                 sizeof(made.bytes));
    assert_true(made.size > 0);
    return made;
}

enum wrn_reason dworld_store(struct dworld *w, uint32_t node, const struct dworld_record *record) {
    memset(&w->result, 0, sizeof(w->result));
    enum wrn_reason reason =
        wrn_dht_store(w->nodes[node].dht, dworld_now(w, node), ++w->tag, dworld_span(record));
    assert_false(w->result.is_done); /* never before the call returns */
    for (uint32_t i = 0; i < 2000 && reason == WRN_REASON_NONE && !w->result.is_done; i++) {
        dworld_run(w, WRN_MS(10));
    }
    if (reason == WRN_REASON_NONE) {
        CHECK(w->result.is_done, "no answer to a store of node %u: ", node);
        reason = w->result.reason;
    }
    return reason;
}

enum wrn_reason dworld_get(struct dworld *w, uint32_t node, const char *key) {
    memset(&w->result, 0, sizeof(w->result));
    enum wrn_reason reason = wrn_dht_get(w->nodes[node].dht, dworld_now(w, node), ++w->tag,
                                         (wrn_span){(const uint8_t *)key, strlen(key)});
    assert_false(w->result.is_done);
    for (uint32_t i = 0; i < 4000 && reason == WRN_REASON_NONE && !w->result.is_done; i++) {
        dworld_run(w, WRN_MS(10));
    }
    if (reason == WRN_REASON_NONE) {
        CHECK(w->result.is_done, "no answer to a get of node %u: ", node);
        reason = w->result.reason;
    }
    return reason;
}

uint32_t dworld_copies(struct dworld *w, const struct dworld_record *record) {
    uint32_t copies = 0;
    for (uint32_t i = 0; i < w->count; i++) {
        copies += w->nodes[i].is_live && dworld_holds(w, i, record);
    }
    return copies;
}

bool dworld_holds(struct dworld *w, uint32_t node, const struct dworld_record *record) {
    uint32_t cursor = 0;
    wrn_span held;
    while ((held = wrn_dht_next_held(w->nodes[node].dht, &cursor)).size > 0) {
        if (held.size == record->size && memcmp(held.data, record->bytes, held.size) == 0) {
            return true;
        }
    }
    return false;
}

uint32_t dworld_ranked(struct dworld *w, const char *key, uint32_t rank) {
    wrn_id place = wrn_record_place((wrn_span){(const uint8_t *)key, strlen(key)}, &w->primitives);
    for (uint32_t i = 0; i < w->count; i++) {
        uint32_t nearer = 0;
        for (uint32_t j = 0; j < w->count; j++) {
            nearer +=
                w->nodes[j].is_live && wrn_id_is_nearer(place, w->nodes[j].id, w->nodes[i].id);
        }
        if (w->nodes[i].is_live && nearer == rank) {
            return i;
        }
    }
    fail_msg("there is no node of rank %u", rank);
    return 0;
}

uint32_t dworld_far(struct dworld *w, const char *key, uint32_t ranks) {
    uint32_t live = 0;
    for (uint32_t i = 0; i < w->count; i++) {
        live += w->nodes[i].is_live;
    }
    assert_true(live > ranks);
    return dworld_ranked(w, key, live - 1);
}

void dworld_inject(struct dworld *w, uint32_t to, uint32_t from, wrn_span message) {
    wrn_dht_on_message(w->nodes[to].dht, dworld_now(w, to), dworld_peer(w, from), message);
}

void dworld_inject_routed(struct dworld *w, uint32_t to, uint32_t source, wrn_span payload) {
    struct wrn_route_header header = {.source = w->nodes[source].id, .target = w->nodes[to].id};
    wrn_dht_on_payload(w->nodes[to].dht, dworld_now(w, to), &header, dworld_peer(w, source),
                       payload);
}

wrn_handle dworld_peer(const struct dworld *w, uint32_t node) {
    return (wrn_handle){node, 2 * w->nodes[node].life + 1};
}

wrn_span dworld_span(const struct dworld_record *record) {
    return (wrn_span){record->bytes, record->size};
}

static void make_key(struct dworld *w, struct dworld_node *node) {
    uint8_t hit[WRN_HIT_SIZE];
    wrn_rand_fill(wrn_prng_rand(&w->prng), node->seed, sizeof(node->seed));
    assert_true(w->primitives.sign_public(w->primitives.ctx, node->seed, node->public_key));
    w->primitives.hit(w->primitives.ctx, node->public_key, hit);
    node->id = wrn_id_of_hit(hit);
}

static struct dworld_event *take_event(struct dworld *w) {
    assert_true(w->free_count > 0);
    return &w->events[w->free_events[--w->free_count]];
}

static void post(struct dworld *w, struct dworld_node *from, uint32_t to, uint64_t delay_ns,
                 const struct wrn_route_header *header, wrn_span bytes) {
    struct wrn_rand rand = wrn_prng_rand(&w->prng);
    if (wrn_rand_below(rand, 100) < w->loss_percent || from->part != w->nodes[to].part) {
        return;
    }
    struct dworld_event *event = take_event(w);
    event->to = to;
    event->to_life = w->nodes[to].life;
    event->from = dworld_peer(w, from->index);
    event->is_routed = header != NULL;
    if (header != NULL) {
        event->header = *header;
    }
    event->size = (uint16_t)bytes.size;
    memcpy(event->bytes, bytes.data, bytes.size);
    uint64_t late = WRN_MS(wrn_rand_below(rand, 1 + w->delay_ms / 4));
    wrn_heap_set(&w->heap, &event->due, wrn_mono_add(w->now, delay_ns + late));
}

static void deliver(struct dworld *w, struct dworld_event *event) {
    struct dworld_node *node = &w->nodes[event->to];
    wrn_span bytes = {event->bytes, event->size};
    wrn_heap_remove(&w->heap, &event->due);
    for (size_t i = 0; i < bytes.size; i++) {
        w->trace = (w->trace ^ bytes.data[i]) * UINT64_C(0x100000001b3);
    }
    w->trace = (w->trace ^ w->now.ns ^ event->to) * UINT64_C(0x100000001b3);
    if (node->is_live && node->life == event->to_life &&
        !(node->hostile != NULL &&
          node->hostile(node, event->is_routed ? &event->header : NULL, event->from, bytes))) {
        struct wrn_now now = dworld_now(w, event->to);
        if (event->is_routed) {
            wrn_dht_on_payload(node->dht, now, &event->header, event->from, bytes);
        } else {
            wrn_dht_on_message(node->dht, now, event->from, bytes);
        }
    }
    w->free_events[w->free_count++] = (uint32_t)(event - w->events);
}

/* Dead nodes that their neighbours still have links to are passed by: routing would find out. */
static uint32_t find_nearest(const struct dworld *w, const struct dworld_node *from,
                             wrn_id target) {
    uint32_t best = from->index;
    for (uint32_t i = 0; i < w->count; i++) {
        const struct dworld_node *node = &w->nodes[i];
        if (node->is_live && node->part == from->part &&
            wrn_id_is_nearer(target, node->id, w->nodes[best].id)) {
            best = i;
        }
    }
    return best;
}

static void link_node(struct dworld *w, struct dworld_node *node) {
    for (uint32_t i = 0; i < w->count; i++) {
        bool is_near = false;
        for (int32_t step = -WRN_NEAR_PER_SIDE; step <= WRN_NEAR_PER_SIDE; step++) {
            is_near = is_near || (i != node->index && neighbour(w, node, step) == i);
        }
        const struct wrn_link *link = wrn_links_at(&node->links, w->nodes[i].id);
        if (link != NULL && (!is_near || !wrn_handle_equal(link->peer, dworld_peer(w, i)))) {
            wrn_links_remove(&node->links, link->peer);
            link = NULL;
        }
        if (is_near && link == NULL) {
            struct wrn_link *new_link =
                wrn_links_add(&node->links, dworld_peer(w, i), w->nodes[i].id);
            new_link->mine = WRN_LINK_NEAR;
        }
    }
    for (uint32_t i = 0; i < node->links.count; i++) {
        struct wrn_link *link = &node->links.links[i];
        const struct dworld_node *other = &w->nodes[link->peer.index];
        link->view_left = link->view_right = WRN_NEAR_PER_SIDE;
        for (int32_t step = 1; step <= WRN_NEAR_PER_SIDE; step++) {
            link->left[step - 1] = w->nodes[neighbour(w, other, -step)].id;
            link->right[step - 1] = w->nodes[neighbour(w, other, step)].id;
        }
    }
}

/* The live node so many steps clockwise of a node, in its part. */
static uint32_t neighbour(const struct dworld *w, const struct dworld_node *node, int32_t steps) {
    uint32_t at = node->index;
    for (int32_t i = 0; i < abs(steps); i++) {
        uint32_t best = at;
        wrn_id best_way = {UINT64_MAX, UINT32_MAX};
        for (uint32_t j = 0; j < w->count; j++) {
            wrn_id way = steps > 0 ? wrn_id_subtract(w->nodes[j].id, w->nodes[at].id)
                                   : wrn_id_subtract(w->nodes[at].id, w->nodes[j].id);
            if (j != at && w->nodes[j].is_live && w->nodes[j].part == node->part &&
                wrn_id_less(way, best_way)) {
                best = j;
                best_way = way;
            }
        }
        at = best;
    }
    return at;
}
