/* SPDX-License-Identifier: Apache-2.0 */
/* Measures the verdicts of a layer-2 switch alone, on one core, against a memcpy of the frame.
 * Prints JSON lines, then a table. Runs of all cases are interleaved; the median of each counts, in
 * CPU time. Does no I/O in between.
 *
 *     micro_switch [RUNS [MILLISECONDS_A_RUN]] */
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "switch/switch.h"
#include "figures.h"

enum { FRAME_SIZE = 1514, FRAMES = 256, PEERS = 256 };

struct bench {
    struct wrn_switch *sw;
    void *memory;
    struct wrn_now now;
    struct wrn_switch_verdict verdict;
    struct wrn_switch_out out;
    struct wrn_switch_flow flow;
    uint8_t frames[FRAMES][FRAME_SIZE], copy[FRAME_SIZE];
    uint64_t passed; /* what was decided, so that it must be */
};

/* One thing to measure: frames between 'pairs' of stations, one at the host's side each. */
struct work {
    const char *name;
    uint32_t pairs, members;
    bool is_memcpy, is_in, is_broadcast, is_tagged, is_ipv4, goes_on;
    size_t rounds;
    double ns[FIGURES_RUNS_MAX], median;
};

struct task {
    struct bench *bench;
    const struct work *work;
};

static struct work works[] = {
    {.name = "memcpy", .pairs = 1, .members = 1, .is_memcpy = true},
    {.name = "out, 1 station", .pairs = 1, .members = 1, .is_ipv4 = true},
    {.name = "out, 256 stations", .pairs = 256, .members = 3, .is_ipv4 = true},
    {.name = "out, 256 stations, tagged",
     .pairs = 256,
     .members = 3,
     .is_tagged = true,
     .is_ipv4 = true},
    {.name = "in, 1 station", .pairs = 1, .members = 1, .is_in = true, .is_ipv4 = true},
    {.name = "in, 256 stations", .pairs = 256, .members = 3, .is_in = true, .is_ipv4 = true},
    {.name = "out, goes on", .pairs = 1, .members = 1, .is_ipv4 = true, .goes_on = true},
    {.name = "in, goes on",
     .pairs = 1,
     .members = 1,
     .is_in = true,
     .is_ipv4 = true,
     .goes_on = true},
    {.name = "out, no IP", .pairs = 256, .members = 3},
    {.name = "broadcast to 3", .pairs = 1, .members = 3, .is_broadcast = true},
    {.name = "broadcast to 50", .pairs = 1, .members = 50, .is_broadcast = true},
    {.name = "broadcast to 256", .pairs = 1, .members = 256, .is_broadcast = true},
};

static void prepare(struct bench *bench, const struct work *work);
static void teach(struct bench *bench, wrn_handle peer, const uint8_t *frame);
static void build(uint8_t *frame, const struct work *work, uint32_t pair, bool is_in);
static wrn_handle peer_of(uint32_t pair, const struct work *work);
static double measure(void *ctx, size_t rounds);
static bool repeats(struct bench *bench, wrn_span frame);
/* What a worker does with a frame that goes on with the flow of the frame before. */
static bool repeats(struct bench *bench, wrn_span frame) {
    struct wrn_switch_flow flow;
    bool is_same = wrn_switch_flow_read(frame, &flow) && wrn_switch_flow_equal(&bench->flow, &flow);
    bench->flow = flow;
    if (is_same) {
        wrn_switch_repeat(bench->sw, 1, &bench->verdict);
    }
    return is_same;
}

static void print_results(size_t runs);

int main(int argc, char **argv) {
    static struct bench bench;
    static const uint64_t limits[] = {FIGURES_RUNS_MAX, 10000};
    uint64_t values[] = {9, 20};
    if (figures_read(argc, argv, limits, values, 2) != 0) {
        fprintf(stderr, "usage: micro_switch [RUNS 1..%d [MILLISECONDS_A_RUN 1..10000]]\n",
                FIGURES_RUNS_MAX);
        return 2;
    }
    size_t runs = values[0];
    for (size_t i = 0; i < WRN_COUNT(works); i++) {
        struct task task = {&bench, &works[i]};
        works[i].rounds = figures_rounds(measure, &task, (double)values[1] * 1e6);
    }
    for (size_t run = 0; run < runs; run++) {
        for (size_t i = 0; i < WRN_COUNT(works); i++) {
            struct task task = {&bench, &works[i]};
            works[i].ns[run] = measure(&task, works[i].rounds) / (double)(works[i].rounds * FRAMES);
        }
    }
    print_results(runs);
    free(bench.memory);
    return bench.passed == 0;
}

static void prepare(struct bench *bench, const struct work *work) {
    struct wrn_frame_rules all = {.any_type = true, .any_mac = true};
    struct wrn_switch_options options;
    struct wrn_switch_settings settings;
    struct wrn_arena arena;
    struct wrn_prng prng;
    wrn_switch_defaults(&options);
    options.peers_max = PEERS + 1;
    options.lanes_max = 2;
    options.own = 1;
    wrn_prng_init(&prng, 1, 1);
    bench->now = (struct wrn_now){{WRN_S(1)}, {1700000000, 0}};
    wrn_arena_init(&arena, NULL, 0);
    (void)wrn_switch_init(&arena, &options, wrn_prng_rand(&prng), bench->now);
    size_t size = wrn_align_up(arena.used, 64);
    bench->memory = bench->memory != NULL ? bench->memory : aligned_alloc(64, size);
    if (bench->memory == NULL) {
        fprintf(stderr, "micro_switch: no memory\n");
        exit(1);
    }
    memset(bench->memory, 0, size);
    wrn_arena_init(&arena, bench->memory, size);
    bench->sw = wrn_switch_init(&arena, &options, wrn_prng_rand(&prng), bench->now);
    wrn_switch_set_ours(bench->sw, &all);
    wrn_switch_settings(bench->sw, &settings);
    settings.floods_per_s = 0;
    wrn_switch_set(bench->sw, bench->now, &settings);
    for (uint32_t i = 1; i <= work->members; i++) {
        struct wrn_switch_port port = {.peer = {i, 1}, .member = 100 + i, .theirs = all};
        if (!wrn_switch_open(bench->sw, bench->now, &port)) {
            fprintf(stderr, "micro_switch: no port\n");
            exit(1);
        }
    }
    for (uint32_t i = 0; i < FRAMES; i++) {
        uint32_t pair = i % work->pairs;
        build(bench->frames[i], work, pair, !work->is_in);
        teach(bench, work->is_in ? WRN_HANDLE_NONE : peer_of(pair, work), bench->frames[i]);
        build(bench->frames[i], work, pair, work->is_in);
        teach(bench, work->is_in ? peer_of(pair, work) : WRN_HANDLE_NONE, bench->frames[i]);
    }
}

static void teach(struct bench *bench, wrn_handle peer, const uint8_t *frame) {
    bench->out.frame_count = bench->out.event_count = 0;
    wrn_switch_on_frame(bench->sw, bench->now, peer, (wrn_span){frame, FRAME_SIZE}, &bench->out);
}

/* A TCP segment from the host's station of a pair to the member's, or back. */
static void build(uint8_t *frame, const struct work *work, uint32_t pair, bool is_in) {
    size_t at = 12;
    memset(frame, 0, FRAME_SIZE);
    frame[0] = frame[6] = 2;
    wrn_store_be32(frame + 1, is_in ? pair : pair + 1000);
    wrn_store_be32(frame + 7, is_in ? pair + 1000 : pair);
    if (work->is_broadcast) {
        memset(frame, 0xff, 6);
    }
    if (work->is_tagged) {
        wrn_store_be16(frame + at, 0x8100);
        wrn_store_be16(frame + at + 2, 7);
        at += 4;
    }
    wrn_store_be16(frame + at, work->is_ipv4 ? 0x0800 : 0x88f7);
    frame[at + 2] = 0x45;
    wrn_store_be16(frame + at + 4, (uint16_t)(FRAME_SIZE - at - 2));
    frame[at + 2 + 9] = 6;
    frame[at + 2 + 20 + 12] = 5 << 4;
}

static wrn_handle peer_of(uint32_t pair, const struct work *work) {
    return (wrn_handle){1 + pair % work->members, 1};
}

static double measure(void *ctx, size_t rounds) {
    struct task *task = ctx;
    struct bench *bench = task->bench;
    const struct work *work = task->work;
    prepare(bench, work);
    double start = figures_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t i = 0; i < rounds; i++) {
        for (uint32_t j = 0; j < FRAMES; j++) {
            wrn_span frame = {bench->frames[j], FRAME_SIZE};
            if (work->is_memcpy) {
                memcpy(bench->copy, frame.data, FRAME_SIZE);
                bench->passed += bench->copy[i % FRAME_SIZE];
                continue;
            }
            if (work->goes_on && j > 0 && repeats(bench, frame)) {
                continue;
            }
            if (work->is_in) {
                wrn_switch_from_peer(bench->sw, 1, bench->now.mono, peer_of(j % work->pairs, work),
                                     frame, &bench->verdict);
            } else {
                wrn_switch_from_host(bench->sw, 1, bench->now.mono, frame, &bench->verdict);
            }
            bench->passed += bench->verdict.refusal == WRN_SWITCH_NONE;
        }
    }
    return figures_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
}

static void print_results(size_t runs) {
    for (size_t i = 0; i < WRN_COUNT(works); i++) {
        works[i].median = figures_median(works[i].ns, runs);
        printf("{\"bench\":\"micro_switch\",\"case\":\"%s\",\"size\":%d,\"batch\":%d,"
               "\"runs\":%zu,\"ns\":%.1f,\"ns_min\":%.1f,\"ns_max\":%.1f}\n",
               works[i].name, FRAME_SIZE, FRAMES, runs, works[i].median, works[i].ns[0],
               works[i].ns[runs - 1]);
    }
    printf("\n%-28s %14s %8s %8s %8s\n", "what", "median ns each", "min", "max", "memcpy=1");
    for (size_t i = 0; i < WRN_COUNT(works); i++) {
        printf("%-28s %14.1f %8.1f %8.1f %8.2f\n", works[i].name, works[i].median, works[i].ns[0],
               works[i].ns[runs - 1], works[i].median / works[0].median);
    }
}
