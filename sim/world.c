/* SPDX-License-Identifier: Apache-2.0 */
/* The queue of events, the streams, the trace. Knows nothing of networks. */
#include "sim/world.h"

#include "base/bytes.h"
#include "base/keymap.h"
#include "sim/memory.h"
#include "sim/table.h"

enum { WORD_MAX = 32 };

static const wrn_mono start_mono = {WRN_S(1000)};
static const int64_t start_wall_s = 1893456000; /* 2030-01-01 */

struct sim_world {
    struct sim_queue queue;
    wrn_mono now;
    uint64_t seed;
    uint64_t event_count;
    bool is_running;
    bool is_stopped;
    struct sim_table streams; /* (stream, index) -> place in 'prngs' */
    struct wrn_prng **prngs;  /* each by itself, so that they stay where they are */
    uint32_t prng_count;
    uint32_t prng_capacity;
    uint64_t hash;
    sim_watch_trace *watch;
    void *watch_ctx;
};

static uint64_t stream_number(enum sim_stream stream, uint64_t index);
static void add_record(struct sim_world *world, const char *what, const uint64_t numbers[3]);

struct sim_world *sim_world_create(uint64_t seed) {
    struct sim_world *world = sim_take(1, sizeof *world);
    world->now = start_mono;
    world->seed = seed;
    return world;
}

void sim_world_destroy(struct sim_world *world) {
    if (world == NULL) {
        return;
    }
    for (uint32_t i = 0; i < world->prng_count; i++) {
        free(world->prngs[i]);
    }
    free(world->prngs);
    sim_table_finish(&world->streams);
    sim_queue_finish(&world->queue);
    free(world);
}

struct wrn_now sim_now(const struct sim_world *world) {
    uint64_t passed = world->now.ns - start_mono.ns;
    return (struct wrn_now){
        .mono = world->now,
        .wall = {start_wall_s + (int64_t)(passed / WRN_S(1)), (uint32_t)(passed % WRN_S(1))},
    };
}

void sim_at(struct sim_world *world, struct sim_event *event, wrn_mono due) {
    WRN_ASSERT(event->happen != NULL && !wrn_mono_before(due, world->now));
    sim_queue_set(&world->queue, &event->node, due);
}

bool sim_is_set(const struct sim_event *event) {
    return event->node.place != 0;
}

struct wrn_rand sim_rand(struct sim_world *world, enum sim_stream stream, uint64_t index) {
    struct sim_key key = sim_key_of_pair(stream_number(stream, index), 0);
    uint32_t place;
    if (!sim_table_find(&world->streams, &key, &place)) {
        world->prngs = sim_grow(world->prngs, world->prng_count, &world->prng_capacity,
                                sizeof(struct wrn_prng *));
        place = world->prng_count++;
        world->prngs[place] = sim_take(1, sizeof(struct wrn_prng));
        sim_prng_init(world, stream, index, world->prngs[place]);
        sim_table_add(&world->streams, &key, place);
    }
    return wrn_prng_rand(world->prngs[place]);
}

void sim_prng_init(const struct sim_world *world, enum sim_stream stream, uint64_t index,
                   struct wrn_prng *ret_prng) {
    wrn_prng_init(ret_prng, world->seed, stream_number(stream, index));
}

uint64_t sim_run(struct sim_world *world, wrn_mono until) {
    uint64_t before = world->event_count;
    WRN_ASSERT(!world->is_running && !wrn_mono_before(until, world->now));
    world->is_running = true;
    world->is_stopped = false;
    while (!world->is_stopped) {
        wrn_mono due = WRN_MONO_NEVER;
        struct sim_queue_node *first = sim_queue_first(&world->queue, &due);
        if (first == NULL || wrn_mono_before(until, due)) {
            world->now = until;
            break;
        }
        WRN_ASSERT(!wrn_mono_before(due, world->now));
        world->now = due;
        sim_queue_remove(&world->queue, first);
        world->event_count++;
        struct sim_event *event = WRN_CONTAINER(first, struct sim_event, node);
        event->happen(event);
    }
    world->is_running = false;
    return world->event_count - before;
}

void sim_stop(struct sim_world *world) {
    world->is_stopped = true;
}

uint64_t sim_event_count(const struct sim_world *world) {
    return world->event_count;
}

void sim_trace(struct sim_world *world, const char *what, uint64_t a, uint64_t b, uint64_t c) {
    const uint64_t numbers[3] = {a, b, c};
    add_record(world, what, numbers);
    if (world->watch != NULL) {
        world->watch(world->watch_ctx, world->now, what, numbers, (wrn_span){0});
    }
}

void sim_trace_bytes(struct sim_world *world, const char *what, uint64_t a, wrn_span bytes) {
    static const uint64_t key[2] = {0, 0};
    const uint64_t numbers[3] = {a, bytes.size, wrn_siphash(key, bytes.data, bytes.size)};
    add_record(world, what, numbers);
    if (world->watch != NULL) {
        world->watch(world->watch_ctx, world->now, what, numbers, bytes);
    }
}

uint64_t sim_trace_hash(const struct sim_world *world) {
    return world->hash;
}

void sim_world_watch(struct sim_world *world, sim_watch_trace *watch, void *ctx) {
    world->watch = watch;
    world->watch_ctx = ctx;
}

/* One number a pair, never 0, which wrn_prng_init treats apart. */
static uint64_t stream_number(enum sim_stream stream, uint64_t index) {
    WRN_ASSERT(index >> 56 == 0);
    return ((uint64_t)stream + 1) << 56 | index;
}

/* Each record is hashed under the hash of all that came before. */
static void add_record(struct sim_world *world, const char *what, const uint64_t numbers[3]) {
    uint8_t record[4 * 8 + WORD_MAX + 1];
    size_t length = strlen(what);
    WRN_ASSERT(length <= WORD_MAX);
    wrn_store_le64(record, world->now.ns);
    for (size_t i = 0; i < 3; i++) {
        wrn_store_le64(record + 8 + 8 * i, numbers[i]);
    }
    memcpy(record + 32, what, length + 1);
    const uint64_t key[2] = {world->hash, 0};
    world->hash = wrn_siphash(key, record, 32 + length);
}
