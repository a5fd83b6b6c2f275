/* SPDX-License-Identifier: Apache-2.0 */
/* Measures src/packet alone, on one core: checksums, cutting up, joining, against memcpy. Prints
 * JSON lines, then a table. Runs of all cases are interleaved; the median of each counts, in CPU
 * time, so that other programs disturb it less. Does no I/O in between.
 *
 *     micro_packet [RUNS [MILLISECONDS_A_RUN]] */
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "packet/checksum.h"
#include "packet/coalesce.h"
#include "packet/split.h"
#include "figures.h"

enum {
    LARGE_SIZE =
        65226, /* 45 segments of 1,448 bytes behind 52 of headers, and 14 bytes of a 46th */
    MSS = 1448,
    V4_TCP_SIZE = 52,
    ROOM = 1 << 16,
    PLACE = 2048,
    USO_SIZE = 28 + 44 * 1400,
};

struct bench {
    uint8_t large[ROOM], out[ROOM + ROOM / 8];
    struct wrn_virtio header;
    uint8_t places[WRN_COALESCE_MAX][PLACE];
    struct iovec packets[WRN_COALESCE_MAX];
    struct wrn_coalescer coalescer;
    uint64_t sink; /* what was computed, so that it must be */
};

/* One thing to measure. 'run' does it once for 'count' packets. */
struct work {
    const char *name;
    size_t size; /* bytes of each packet, or of the large one */
    size_t count;
    void (*prepare)(struct bench *bench, const struct work *work);
    void (*run)(struct bench *bench, const struct work *work);
    size_t flows;
    size_t rounds; /* calls of 'run' in one timed run */
    double ns[FIGURES_RUNS_MAX], median;
};

/* What figures_rounds hands on. */
struct task {
    struct bench *bench;
    const struct work *work;
};

static size_t build(uint8_t *packet, size_t size, bool is_udp, size_t flow, size_t index);
static double measure(void *ctx, size_t rounds);
static void print_results(struct work *done, size_t count, size_t runs);

static void prepare_tso(struct bench *bench, const struct work *work) {
    build(bench->large, work->size, false, 0, 0);
    bench->header = (struct wrn_virtio){
        .flags = WRN_VIRTIO_NEEDS_CHECKSUM,
        .gso_type = WRN_VIRTIO_GSO_TCP4,
        .header_size = V4_TCP_SIZE,
        .gso_size = MSS,
        .checksum_start = 20,
        .checksum_offset = 16,
    };
}

static void prepare_uso(struct bench *bench, const struct work *work) {
    build(bench->large, work->size, true, 0, 0);
    bench->header = (struct wrn_virtio){
        .flags = WRN_VIRTIO_NEEDS_CHECKSUM,
        .gso_type = WRN_VIRTIO_GSO_UDP,
        .header_size = 28,
        .gso_size = 1400,
        .checksum_start = 20,
        .checksum_offset = 6,
    };
}

static void prepare_packets(struct bench *bench, const struct work *work, bool is_udp) {
    for (size_t i = 0; i < work->count; i++) {
        size_t flow = i % work->flows, index = i / work->flows;
        bench->packets[i].iov_base = bench->places[i];
        bench->packets[i].iov_len = build(bench->places[i], work->size, is_udp, flow, index);
    }
}

static void prepare_tcp(struct bench *bench, const struct work *work) {
    prepare_packets(bench, work, false);
}

static void prepare_udp(struct bench *bench, const struct work *work) {
    prepare_packets(bench, work, true);
}

/* The library's, for the compiler has one of its own, which is slower here. */
static void *(*volatile copy)(void *to, const void *from, size_t size) = memcpy;

static void run_memcpy(struct bench *bench, const struct work *work) {
    copy(bench->out, bench->large, work->size);
}

/* What a copy into packets costs without any work on them. */
static void run_memcpy_segments(struct bench *bench, const struct work *work) {
    uint8_t *out = bench->out;
    for (size_t at = V4_TCP_SIZE; at < work->size; at += MSS) {
        size_t payload = work->size - at < MSS ? work->size - at : MSS;
        copy(out, bench->large, V4_TCP_SIZE);
        copy(out + V4_TCP_SIZE, bench->large + at, payload);
        out += V4_TCP_SIZE + payload;
    }
}

static void run_sum(struct bench *bench, const struct work *work) {
    bench->sink += wrn_sum_add((wrn_sum){bench->sink & 1}, bench->large, work->size).value;
}

static void run_sum_copy(struct bench *bench, const struct work *work) {
    wrn_sum sum = {bench->sink & 1};
    bench->sink += wrn_sum_copy(sum, bench->out, bench->large, work->size).value;
}

static void run_split(struct bench *bench, const struct work *work) {
    struct wrn_split split;
    uint8_t *out = bench->out;
    int error = wrn_split_begin(&split, &bench->header, bench->large, work->size);
    WRN_ASSERT(error == 0 && split.count == work->count);
    for (uint32_t i = 0; i < split.count; i++) {
        wrn_split_write(&split, i, out);
        out += wrn_split_size(&split, i);
    }
}

/* Joining changes the first packets; undoing is a part of what is measured, and small. */
static void run_coalesce(struct bench *bench, const struct work *work) {
    struct iovec undone[WRN_COALESCE_MAX];
    wrn_coalesce(&bench->coalescer, bench->packets, work->count, WRN_COALESCE_ALL);
    for (uint32_t i = 0; i < bench->coalescer.count; i++) {
        if (bench->coalescer.out[i].packet_count > 1) {
            bench->sink += wrn_coalesce_undo(&bench->coalescer, i, undone);
        }
    }
}

static struct work works[] = {
    {.name = "memcpy", .size = MSS, .count = 1, .prepare = prepare_tso, .run = run_memcpy},
    {.name = "sum", .size = MSS, .count = 1, .prepare = prepare_tso, .run = run_sum},
    {.name = "sum and copy", .size = MSS, .count = 1, .prepare = prepare_tso, .run = run_sum_copy},
    {.name = "memcpy", .size = LARGE_SIZE, .count = 46, .prepare = prepare_tso, .run = run_memcpy},
    {.name = "memcpy to segments",
     .size = LARGE_SIZE,
     .count = 46,
     .prepare = prepare_tso,
     .run = run_memcpy_segments},
    {.name = "cut TCP", .size = LARGE_SIZE, .count = 46, .prepare = prepare_tso, .run = run_split},
    {.name = "cut UDP", .size = USO_SIZE, .count = 44, .prepare = prepare_uso, .run = run_split},
    {.name = "join TCP, 1 flow",
     .size = 1400,
     .count = 40,
     .flows = 1,
     .prepare = prepare_tcp,
     .run = run_coalesce},
    {.name = "join TCP, 4 flows",
     .size = 1400,
     .count = 128,
     .flows = 4,
     .prepare = prepare_tcp,
     .run = run_coalesce},
    {.name = "join UDP, 1 flow",
     .size = 1400,
     .count = 40,
     .flows = 1,
     .prepare = prepare_udp,
     .run = run_coalesce},
    {.name = "join UDP, 1 flow",
     .size = 92,
     .count = 128,
     .flows = 1,
     .prepare = prepare_udp,
     .run = run_coalesce},
    {.name = "join TCP, nothing to join",
     .size = 1400,
     .count = 128,
     .flows = 128,
     .prepare = prepare_tcp,
     .run = run_coalesce},
    {.name = "join, one alone",
     .size = 1400,
     .count = 1,
     .flows = 1,
     .prepare = prepare_tcp,
     .run = run_coalesce},
};

int main(int argc, char **argv) {
    static struct bench bench;
    static const uint64_t limits[] = {FIGURES_RUNS_MAX, 10000};
    uint64_t values[] = {9, 20};
    if (figures_read(argc, argv, limits, values, WRN_COUNT(values)) != 0) {
        fprintf(stderr, "usage: micro_packet [RUNS 1..%d [MILLISECONDS_A_RUN 1..10000]]\n",
                FIGURES_RUNS_MAX);
        return 2;
    }
    size_t runs = values[0];
    double run_ns = (double)values[1] * 1e6;
    for (size_t i = 0; i < WRN_COUNT(works); i++) {
        works[i].rounds = figures_rounds(measure, &(struct task){&bench, &works[i]}, run_ns);
    }
    for (size_t run = 0; run < runs; run++) {
        for (size_t i = 0; i < WRN_COUNT(works); i++) {
            struct task task = {&bench, &works[i]};
            size_t packets = works[i].rounds * works[i].count;
            works[i].ns[run] = measure(&task, works[i].rounds) / (double)packets;
        }
    }
    print_results(works, WRN_COUNT(works), runs);
    return 0;
}

/* Writes packet 'index' of a flow, of 'size' bytes in all, with right checksums. */
static size_t build(uint8_t *packet, size_t size, bool is_udp, size_t flow, size_t index) {
    size_t payload = size - (is_udp ? 28 : V4_TCP_SIZE);
    uint8_t *l4 = packet + 20;
    memset(packet, 0, V4_TCP_SIZE);
    packet[0] = 0x45;
    wrn_store_be16(packet + 2, (uint16_t)size);
    wrn_store_be16(packet + 4, (uint16_t)index);
    packet[6] = 0x40;
    packet[8] = 64;
    packet[9] = is_udp ? 17 : 6;
    wrn_store_be32(packet + 12, 0x0a000001);
    wrn_store_be32(packet + 16, 0x0a000002);
    wrn_store_be16(packet + 10, wrn_sum_finish(wrn_sum_add((wrn_sum){0}, packet, 20)));
    wrn_store_be16(l4, (uint16_t)(40000 + flow));
    wrn_store_be16(l4 + 2, 5201);
    if (is_udp) {
        wrn_store_be16(l4 + 4, (uint16_t)(size - 20));
    } else {
        wrn_store_be32(l4 + 4, (uint32_t)(index * payload));
        l4[12] = 8 << 4;
        l4[13] = 0x10;
        memcpy(l4 + 20, "\1\1\10\12\1\2\3\4\5\6\7\10", 12);
    }
    for (size_t i = size - payload; i < size; i++) {
        packet[i] = (uint8_t)(i * 7 + index);
    }
    wrn_sum sum = wrn_sum_add_pseudo((wrn_sum){0}, packet, packet[9], (uint32_t)(size - 20));
    wrn_store_be16(l4 + (is_udp ? 6 : 16), wrn_sum_finish(wrn_sum_add(sum, l4, size - 20)));
    return size;
}

static double measure(void *ctx, size_t rounds) {
    struct task *task = ctx;
    task->work->prepare(task->bench, task->work);
    double start = figures_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t i = 0; i < rounds; i++) {
        task->work->run(task->bench, task->work);
    }
    return figures_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
}

static void print_results(struct work *done, size_t count, size_t runs) {
    for (size_t i = 0; i < count; i++) {
        done[i].median = figures_median(done[i].ns, runs);
        printf("{\"bench\":\"micro_packet\",\"case\":\"%s\",\"size\":%zu,\"batch\":%zu,"
               "\"runs\":%zu,\"ns\":%.1f,\"ns_min\":%.1f,\"ns_max\":%.1f}\n",
               done[i].name, done[i].size, done[i].count, runs, done[i].median, done[i].ns[0],
               done[i].ns[runs - 1]);
    }
    printf("\n%-28s %6s %8s %14s %8s %8s\n", "what", "bytes", "packets", "median ns each", "min",
           "max");
    for (size_t i = 0; i < count; i++) {
        printf("%-28s %6zu %8zu %14.1f %8.1f %8.1f\n", done[i].name, done[i].size, done[i].count,
               done[i].median, done[i].ns[0], done[i].ns[runs - 1]);
    }
}
