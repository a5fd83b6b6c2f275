/* SPDX-License-Identifier: Apache-2.0 */
/* Measures the packet policy alone, on one core: what a verdict costs, against a memcpy of the
 * packet. Prints JSON lines, then a table. Runs of all cases are interleaved; the median of each
 * counts, in CPU time. Does no I/O in between.
 *
 *     micro_policy [RUNS [MILLISECONDS_A_RUN]] */
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "network/policy.h"
#include "figures.h"

enum { PACKET_SIZE = 1420, PACKETS = 256, TEXT_MAX = 4096, ENTRIES = 1 << 14 };

struct bench {
    struct wrn_policy policy;
    struct wrn_policy_rules rules[2];
    struct wrn_policy_pair pair;
    struct wrn_policy_counts counts;
    uint8_t packets[PACKETS][PACKET_SIZE], out[PACKET_SIZE];
    uint64_t passed; /* what was decided, so that it must be */
    wrn_mono now;
};

/* One thing to measure: packets of 'flows' conversations, IN, after one of each was seen OUT. */
struct work {
    const char *name;
    const char *ours, *theirs;
    enum wrn_policy_direction direction;
    size_t flows;
    size_t extensions; /* IPv6 with so many headers; 0: IPv4 */
    bool is_memcpy, is_ipv6;
    size_t rounds;
    double ns[FIGURES_RUNS_MAX], median;
};

struct task {
    struct bench *bench;
    const struct work *work;
};

#define MANY                                                                                       \
    "(allow tcp (* set \"1\" \"3\" \"5\" \"7\" \"9\" \"11\" \"13\" \"15\" \"17\" \"19\" \"21\" "   \
    "\"23\" \"25\" \"27\" \"29\" \"31\" \"33\" \"35\" \"37\" \"39\" \"41\" \"43\" \"45\" \"47\" "  \
    "\"49\" \"51\" \"53\" \"55\" \"57\" \"59\" \"61\" \"5201\"))"

static struct work works[] = {
    {.name = "memcpy", .ours = "", .theirs = "", .flows = 1, .is_memcpy = true},
    {.name = "both may everything", .ours = "(allow)", .theirs = "(allow)", .flows = 1},
    {.name = "1 rule each, no note", .ours = "(allow tcp)", .theirs = "(allow tcp)", .flows = 1},
    {.name = "32nd rule, no note", .ours = "(allow tcp)", .theirs = MANY, .flows = 1},
    {.name = "rule, 1 conversation", .ours = "(allow tcp)", .theirs = "", .flows = 1},
    {.name = "rule, 256 conversations", .ours = "(allow tcp)", .theirs = "", .flows = PACKETS},
    {.name = "answer, 1 conversation",
     .ours = "(allow tcp)",
     .theirs = "",
     .direction = WRN_POLICY_IN,
     .flows = 1},
    {.name = "answer, 256 conversations",
     .ours = "(allow tcp)",
     .theirs = "",
     .direction = WRN_POLICY_IN,
     .flows = PACKETS},
    {.name = "answer, IPv6",
     .ours = "(allow tcp)",
     .theirs = "",
     .direction = WRN_POLICY_IN,
     .flows = PACKETS,
     .is_ipv6 = true},
    {.name = "answer, IPv6, 3 extensions",
     .ours = "(allow tcp)",
     .theirs = "",
     .direction = WRN_POLICY_IN,
     .flows = PACKETS,
     .extensions = 3,
     .is_ipv6 = true},
    {.name = "refused", .ours = "(allow udp)", .theirs = "", .flows = 1},
};

static void compile(const char *text, struct wrn_policy_rules *rules);
static void prepare(struct bench *bench, const struct work *work);
static void build(uint8_t *packet, const struct work *work, enum wrn_policy_direction direction,
                  size_t flow);
static double measure(void *ctx, size_t rounds);
static void print_results(size_t runs);

int main(int argc, char **argv) {
    static struct bench bench;
    static const uint64_t limits[] = {FIGURES_RUNS_MAX, 10000};
    uint64_t values[] = {9, 20};
    if (figures_read(argc, argv, limits, values, 2) != 0) {
        fprintf(stderr, "usage: micro_policy [RUNS 1..%d [MILLISECONDS_A_RUN 1..10000]]\n",
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
            works[i].ns[run] =
                measure(&task, works[i].rounds) / (double)(works[i].rounds * PACKETS);
        }
    }
    print_results(runs);
    return bench.passed == 0;
}

static void compile(const char *text, struct wrn_policy_rules *rules) {
    uint8_t out[TEXT_MAX];
    struct wrn_sexp element;
    wrn_span span = {(const uint8_t *)text, strlen(text)};
    bool is_there = span.size > 0;
    if ((is_there &&
         wrn_sexp_read(WRN_SEXP_ADVANCED, span, out, sizeof out, &element, NULL, NULL) != 0) ||
        wrn_policy_compile(&element, is_there, rules, NULL) != WRN_POLICY_FAULT_OK) {
        fprintf(stderr, "micro_policy: not understood: %s\n", text);
        exit(1);
    }
}

static void prepare(struct bench *bench, const struct work *work) {
    static _Alignas(64) uint8_t memory[2 * ENTRIES * sizeof(struct wrn_policy_entry)];
    static const struct wrn_policy_options options = {ENTRIES, ENTRIES};
    struct wrn_arena arena;
    struct wrn_prng prng;
    memset(memory, 0, sizeof memory);
    wrn_prng_init(&prng, 1, 1);
    wrn_arena_init(&arena, memory, sizeof memory);
    bench->now = (wrn_mono){WRN_S(1)};
    wrn_policy_init(&bench->policy, &arena, &options, wrn_prng_rand(&prng), bench->now);
    compile(work->ours, &bench->rules[WRN_POLICY_OUT]);
    compile(work->theirs, &bench->rules[WRN_POLICY_IN]);
    wrn_policy_pair_init(&bench->pair, 1, &bench->rules[WRN_POLICY_OUT],
                         &bench->rules[WRN_POLICY_IN], false);
    for (size_t i = 0; i < PACKETS; i++) {
        build(bench->packets[i], work, WRN_POLICY_OUT, i % work->flows);
        (void)wrn_policy_check(&bench->policy, &bench->pair, WRN_POLICY_OUT, bench->now,
                               (wrn_span){bench->packets[i], PACKET_SIZE}, &bench->counts);
        build(bench->packets[i], work, work->direction, i % work->flows);
    }
}

/* A TCP segment of a flow: from port 40,000 and above to 5201, or back. */
static void build(uint8_t *packet, const struct work *work, enum wrn_policy_direction direction,
                  size_t flow) {
    bool is_out = direction == WRN_POLICY_OUT;
    size_t at = work->is_ipv6 ? 40 : 20, next_at = work->is_ipv6 ? 6 : 9;
    memset(packet, 0, PACKET_SIZE);
    packet[0] = work->is_ipv6 ? 0x60 : 0x45;
    if (work->is_ipv6) {
        wrn_store_be16(packet + 4, PACKET_SIZE - 40);
        packet[8] = packet[24] = 0xfd;
        packet[23] = is_out ? 1 : 2;
        packet[39] = is_out ? 2 : 1;
    } else {
        wrn_store_be16(packet + 2, PACKET_SIZE);
        wrn_store_be32(packet + 12, is_out ? 0x0a010001 : 0x0a010002);
        wrn_store_be32(packet + 16, is_out ? 0x0a010002 : 0x0a010001);
    }
    for (size_t i = 0; i < work->extensions; i++) {
        static const uint8_t padding[6] = {1, 4};
        packet[next_at] = i == 0 ? 0 : 60;
        memcpy(packet + at + 2, padding, sizeof padding);
        next_at = at;
        at += 8;
    }
    packet[next_at] = 6;
    wrn_store_be16(packet + at + (is_out ? 0 : 2), (uint16_t)(40000 + flow));
    wrn_store_be16(packet + at + (is_out ? 2 : 0), 5201);
    packet[at + 12] = 0x50;
    packet[at + 13] = 0x10;
}

static double measure(void *ctx, size_t rounds) {
    struct task *task = ctx;
    struct bench *bench = task->bench;
    prepare(bench, task->work);
    double start = figures_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t i = 0; i < rounds; i++) {
        for (size_t j = 0; j < PACKETS; j++) {
            if (task->work->is_memcpy) {
                memcpy(bench->out, bench->packets[j], PACKET_SIZE);
                bench->passed += bench->out[i % PACKET_SIZE];
                continue;
            }
            struct wrn_policy_verdict verdict = {.refusal = WRN_POLICY_NONE};
            if (!wrn_policy_is_open(&bench->pair)) {
                verdict = wrn_policy_check(&bench->policy, &bench->pair, task->work->direction,
                                           bench->now, (wrn_span){bench->packets[j], PACKET_SIZE},
                                           &bench->counts);
            }
            bench->passed += verdict.refusal == WRN_POLICY_NONE;
        }
    }
    return figures_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
}

static void print_results(size_t runs) {
    for (size_t i = 0; i < WRN_COUNT(works); i++) {
        works[i].median = figures_median(works[i].ns, runs);
        printf("{\"bench\":\"micro_policy\",\"case\":\"%s\",\"size\":%d,\"batch\":%d,"
               "\"runs\":%zu,\"ns\":%.1f,\"ns_min\":%.1f,\"ns_max\":%.1f}\n",
               works[i].name, PACKET_SIZE, PACKETS, runs, works[i].median, works[i].ns[0],
               works[i].ns[runs - 1]);
    }
    printf("\n%-28s %14s %8s %8s %8s\n", "what", "median ns each", "min", "max", "memcpy=1");
    for (size_t i = 0; i < WRN_COUNT(works); i++) {
        printf("%-28s %14.1f %8.1f %8.1f %8.2f\n", works[i].name, works[i].median, works[i].ns[0],
               works[i].ns[runs - 1], works[i].median / works[0].median);
    }
}
