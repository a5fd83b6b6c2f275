/* SPDX-License-Identifier: Apache-2.0 */
/* Measures what a layer-2 network adds to a frame beside the switch's verdict (micro_switch), on
 * one core: pieces cut and put together, a look for TCP's segment size, and the copies of a
 * broadcast to 50 members, sealed, each with a key of its own. Prints JSON lines, then a table.
 * Runs of all cases are interleaved; the median of each counts, in CPU time. Does no I/O.
 *
 *     micro_frames [RUNS [MILLISECONDS_A_RUN]] */
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "crypto/crypto.h"
#include "figures.h"
#include "packet/frame.h"
#include "switch/pieces.h"

enum { MEMBERS = 50, ROOM = 1440, STRIDE = 1600, FRAMES = 64, SMALL = 60, LARGE = 1436, TAG = 16 };

struct bench {
    struct wrn_pieces *pieces;
    struct wrn_crypto *crypto;
    uint8_t frame[WRN_PAYLOAD_FRAME_MAX];
    uint8_t copies[MEMBERS][STRIDE];
    uint8_t keys[MEMBERS][32];
    struct wrn_aead_job jobs[MEMBERS];
    uint64_t counter;
    uint16_t id;
    uint64_t passed; /* what was done, so that it must be */
};

enum what { CUT, CUT_AND_JOIN, LOOK, COPY, COPY_AND_SEAL };

struct work {
    const char *name;
    enum what what;
    size_t size;
    size_t rounds;
    double ns[FIGURES_RUNS_MAX], median;
};

struct task {
    struct bench *bench;
    const struct work *work;
};

static struct work works[] = {
    {.name = "cut, 1514 bytes into 2", .what = CUT, .size = 1514},
    {.name = "cut and put together, 1514", .what = CUT_AND_JOIN, .size = 1514},
    {.name = "cut and put together, 9014", .what = CUT_AND_JOIN, .size = 9014},
    {.name = "look for TCP's beginning", .what = LOOK, .size = 1436},
    {.name = "50 copies, 60 bytes", .what = COPY, .size = SMALL},
    {.name = "50 copies, 60 bytes, sealed", .what = COPY_AND_SEAL, .size = SMALL},
    {.name = "50 copies, 1436 bytes", .what = COPY, .size = LARGE},
    {.name = "50 copies, 1436 bytes, sealed", .what = COPY_AND_SEAL, .size = LARGE},
};

static int prepare(struct bench *bench);
static void do_pieces(struct bench *bench, const struct work *work);
static void do_copies(struct bench *bench, const struct work *work);
static double measure(void *ctx, size_t rounds);
static void print_results(size_t runs);

int main(int argc, char **argv) {
    static struct bench bench;
    static const uint64_t limits[] = {FIGURES_RUNS_MAX, 10000};
    uint64_t values[] = {9, 20};
    if (figures_read(argc, argv, limits, values, 2) != 0) {
        fprintf(stderr, "usage: micro_frames [RUNS 1..%d [MILLISECONDS_A_RUN 1..10000]]\n",
                FIGURES_RUNS_MAX);
        return 2;
    }
    if (prepare(&bench) != 0) {
        fprintf(stderr, "micro_frames: no memory\n");
        return 1;
    }
    for (size_t i = 0; i < WRN_COUNT(works); i++) {
        struct task task = {&bench, &works[i]};
        works[i].rounds = figures_rounds(measure, &task, (double)values[1] * 1e6);
    }
    for (size_t run = 0; run < values[0]; run++) {
        for (size_t i = 0; i < WRN_COUNT(works); i++) {
            struct task task = {&bench, &works[i]};
            works[i].ns[run] = measure(&task, works[i].rounds) / (double)(works[i].rounds * FRAMES);
        }
    }
    print_results(values[0]);
    wrn_crypto_destroy(bench.crypto);
    free(bench.pieces);
    return bench.passed == 0;
}

static int prepare(struct bench *bench) {
    size_t size = wrn_align_up(wrn_pieces_memory_size(), 64);
    void *memory = aligned_alloc(64, size);
    if (memory == NULL || wrn_crypto_create(WRN_CRYPTO_AUTO, &bench->crypto) != 0) {
        free(memory);
        return -ENOMEM;
    }
    memset(memory, 0, size);
    bench->pieces = wrn_pieces_init(memory);
    bench->frame[0] = 2;
    bench->frame[12] = 8;
    bench->frame[14] = 0x45;
    bench->frame[23] = 6;
    bench->frame[46] = 0x50;
    for (size_t i = 0; i < MEMBERS; i++) {
        bench->keys[i][0] = (uint8_t)i;
    }
    return 0;
}

static void do_pieces(struct bench *bench, const struct work *work) {
    static const wrn_handle peer = {.index = 1, .generation = 1};
    static const wrn_mono now = {WRN_S(1)};
    struct wrn_pieces_plan plan = wrn_pieces_plan(work->size, ROOM);
    struct wrn_pieces_frame whole = {0};
    bench->id++;
    for (uint32_t i = 0; i < plan.count; i++) {
        wrn_pieces_write(&plan, (wrn_span){bench->frame, work->size}, bench->id, i,
                         bench->copies[i]);
    }
    for (uint32_t i = 0; i < plan.count && work->what == CUT_AND_JOIN; i++) {
        wrn_span payload = {bench->copies[i], wrn_pieces_payload_size(&plan, work->size, i)};
        (void)wrn_pieces_add(bench->pieces, now, peer, payload, &whole);
    }
    wrn_pieces_release(bench->pieces);
    bench->passed += whole.size;
}

static void do_copies(struct bench *bench, const struct work *work) {
    size_t size = wrn_align_up(work->size + WRN_PAYLOAD_FRAME_HEAD, TAG);
    size = size < ROOM ? size : ROOM;
    for (size_t i = 0; i < MEMBERS; i++) {
        struct wrn_pieces_plan plan = wrn_pieces_plan(work->size, ROOM);
        wrn_pieces_write(&plan, (wrn_span){bench->frame, work->size}, 0, 0, bench->copies[i]);
        (void)wrn_frame_clamp_mss(bench->copies[i] + WRN_PAYLOAD_FRAME_HEAD, work->size, ROOM);
        bench->jobs[i] = (struct wrn_aead_job){
            .key = bench->keys[i],
            .cipher = WRN_CIPHER_CHACHA20_POLY1305,
            .counter = bench->counter,
            .in = bench->copies[i],
            .out = bench->copies[i],
            .size = size,
        };
    }
    bench->counter++;
    if (work->what == COPY_AND_SEAL) {
        wrn_aead_seal_batch(bench->crypto, bench->jobs, MEMBERS);
    }
    bench->passed += bench->copies[0][0];
}

static double measure(void *ctx, size_t rounds) {
    struct task *task = ctx;
    struct bench *bench = task->bench;
    double start = figures_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t i = 0; i < rounds * FRAMES; i++) {
        if (task->work->what == LOOK) {
            bench->frame[100] = (uint8_t)i;
            bench->passed += wrn_frame_is_syn(bench->frame, task->work->size) ? 0 : 1;
        } else if (task->work->what == COPY || task->work->what == COPY_AND_SEAL) {
            do_copies(bench, task->work);
        } else {
            do_pieces(bench, task->work);
        }
    }
    return figures_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
}

static void print_results(size_t runs) {
    for (size_t i = 0; i < WRN_COUNT(works); i++) {
        struct work *work = &works[i];
        work->median = figures_median(work->ns, runs);
        printf("{\"bench\":\"micro_frames\",\"case\":\"%s\",\"size\":%zu,\"runs\":%zu,"
               "\"ns\":%.1f,\"ns_min\":%.1f,\"ns_max\":%.1f}\n",
               work->name, work->size, runs, work->median, work->ns[0], work->ns[runs - 1]);
    }
    printf("\n%-32s %12s %8s %8s\n", "what", "median ns", "min", "max");
    for (size_t i = 0; i < WRN_COUNT(works); i++) {
        printf("%-32s %12.1f %8.1f %8.1f\n", works[i].name, works[i].median, works[i].ns[0],
               works[i].ns[runs - 1]);
    }
}
