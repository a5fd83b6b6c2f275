/* SPDX-License-Identifier: Apache-2.0 */
/* Measures cryptokey routing with a hundred thousand owners and a million prefixes of one family:
 * memory a prefix, time to fill, to find and to remove. Prints JSON lines, then a table.
 *
 *     micro_lookup [PREFIXES [OWNERS [SEED]]] */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/rand.h"
#include "wg/allowed_ips.h"
#include "figures.h"

enum { LOOKUPS = 1 << 20, HOT_COUNT = 64, HUGE_PAGE = 1 << 21 };

struct options {
    uint32_t prefixes;
    uint32_t owners;
    uint64_t seed;
};

struct result {
    uint8_t family;
    bool huge_pages;
    uint32_t prefixes, nodes;
    double bytes_prefix_arena;                                /* room reserved */
    double bytes_prefix_resident;                             /* pages that were written */
    double fill_ns, remove_ns;                                /* a prefix */
    double hot_ns, inside_ns, inside_chained_ns, anywhere_ns; /* a lookup */
};

struct bench {
    struct options options;
    struct wrn_allowed_ips ips;
    struct wrn_prng prng;
    struct wrn_prefix *prefixes;
    struct wrn_ip *addresses; /* LOOKUPS of them */
    void *memory;
    size_t memory_size;
};

static void run_family(struct bench *bench, uint8_t family, bool huge_pages,
                       struct result *ret_result);
static void map_memory(struct bench *bench, bool huge_pages);
static double resident_bytes(const struct bench *bench);
static void draw_prefixes(struct bench *bench, uint8_t family);
static void draw_addresses(struct bench *bench, uint8_t family, uint32_t hot_count, bool inside);
static double measure_lookups(const struct bench *bench, bool chained);
static void print_json(const struct bench *bench, const struct result *result);
static void print_table(const struct result *results, size_t count);
static void *allocate(size_t count, size_t size);

static volatile uint32_t sink; /* keeps the look-ups from being optimised away */

int main(int argc, char **argv) {
    struct bench bench = {0};
    static const uint64_t limits[] = {1 << 24, 1000000, UINT64_MAX};
    uint64_t values[] = {1000000, 100000, 1};
    if (figures_read(argc, argv, limits, values, WRN_COUNT(values)) != 0) {
        fprintf(stderr, "usage: micro_lookup [PREFIXES 1..16777216 [OWNERS 1..1000000 [SEED]]]\n");
        return 2;
    }
    bench.options = (struct options){(uint32_t)values[0], (uint32_t)values[1], values[2]};
    bench.prefixes = allocate(bench.options.prefixes, sizeof(bench.prefixes[0]));
    bench.addresses = allocate(LOOKUPS, sizeof(bench.addresses[0]));
    struct result results[4];
    static const uint8_t families[] = {WRN_FAMILY_IPV4, WRN_FAMILY_IPV6};
    for (size_t i = 0; i < WRN_COUNT(results); i++) {
        run_family(&bench, families[i % 2], i >= 2, &results[i]);
        print_json(&bench, &results[i]);
    }
    print_table(results, WRN_COUNT(results));
    free(bench.prefixes);
    free(bench.addresses);
    return 0;
}

static void run_family(struct bench *bench, uint8_t family, bool huge_pages,
                       struct result *ret_result) {
    const struct wrn_allowed_ips_table *table =
        &bench->ips.table[family == WRN_FAMILY_IPV4 ? 0 : 1];
    wrn_prng_init(&bench->prng, bench->options.seed, family);
    map_memory(bench, huge_pages);
    draw_prefixes(bench, family);
    double resident_before = resident_bytes(bench);
    uint32_t count = bench->options.prefixes;

    double start = figures_ns(CLOCK_MONOTONIC);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t owner = i % bench->options.owners;
        if (wrn_allowed_ips_set(&bench->ips, &bench->prefixes[i], owner) != 0) {
            fprintf(stderr, "micro_lookup: table full after %u prefixes\n", i);
            exit(1);
        }
    }
    *ret_result = (struct result){
        .family = family,
        .huge_pages = huge_pages,
        .fill_ns = (figures_ns(CLOCK_MONOTONIC) - start) / count,
        .prefixes = table->prefix_count,
        .nodes = table->node_count,
        .bytes_prefix_resident = (resident_bytes(bench) - resident_before) / table->prefix_count,
        .bytes_prefix_arena = (double)bench->memory_size / count,
    };
    draw_addresses(bench, family, HOT_COUNT, true);
    ret_result->hot_ns = measure_lookups(bench, false);
    draw_addresses(bench, family, LOOKUPS, true);
    ret_result->inside_ns = measure_lookups(bench, false);
    ret_result->inside_chained_ns = measure_lookups(bench, true);
    draw_addresses(bench, family, LOOKUPS, false);
    ret_result->anywhere_ns = measure_lookups(bench, false);

    start = figures_ns(CLOCK_MONOTONIC);
    for (uint32_t owner = 0; owner < bench->options.owners; owner++) {
        wrn_allowed_ips_unset_all(&bench->ips, owner);
    }
    ret_result->remove_ns = (figures_ns(CLOCK_MONOTONIC) - start) / ret_result->prefixes;
    if (table->node_count != 0) {
        fprintf(stderr, "micro_lookup: %u nodes left over\n", table->node_count);
        exit(1);
    }
    munmap(bench->memory, bench->memory_size);
}

/* Maps room for the table on demand, as the device does. */
static void map_memory(struct bench *bench, bool huge_pages) {
    struct wrn_arena arena;
    wrn_arena_init(&arena, NULL, 0);
    wrn_allowed_ips_init(&bench->ips, &arena, bench->options.prefixes, bench->options.owners);
    bench->memory_size = wrn_align_up(arena.used, HUGE_PAGE);
    bench->memory = mmap(NULL, bench->memory_size, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (bench->memory == MAP_FAILED) {
        perror("micro_lookup: mmap");
        exit(1);
    }
    (void)madvise(bench->memory, bench->memory_size, huge_pages ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    wrn_arena_init(&arena, bench->memory, bench->memory_size);
    wrn_allowed_ips_init(&bench->ips, &arena, bench->options.prefixes, bench->options.owners);
}

static double resident_bytes(const struct bench *bench) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t count = bench->memory_size / page;
    unsigned char *map = allocate(count, 1);
    size_t resident = 0;
    if (mincore(bench->memory, bench->memory_size, map) == 0) {
        for (size_t i = 0; i < count; i++) {
            resident += map[i] & 1;
        }
    }
    free(map);
    return (double)(resident * page);
}

/* Random prefixes: IPv4 /22 to /32 anywhere, IPv6 /32 to /128 in fd00::/8. A few come twice. */
static void draw_prefixes(struct bench *bench, uint8_t family) {
    bool v4 = family == WRN_FAMILY_IPV4;
    uint32_t shortest = v4 ? 22 : 32;
    uint32_t bits = v4 ? 32 : 128;
    for (uint32_t i = 0; i < bench->options.prefixes; i++) {
        struct wrn_prefix prefix = {.ip.family = family};
        uint64_t r = wrn_prng_next(&bench->prng);
        wrn_rand_fill(wrn_prng_rand(&bench->prng), prefix.ip.bytes, bits / 8);
        prefix.ip.bytes[0] = v4 ? prefix.ip.bytes[0] : 0xfd;
        prefix.length_bits = (uint8_t)(bits - r % (bits - shortest + 1));
        for (uint32_t k = prefix.length_bits; k < bits; k++) {
            prefix.ip.bytes[k / 8] &= (uint8_t) ~(0x80u >> k % 8);
        }
        bench->prefixes[i] = prefix;
    }
}

/* Draws 'distinct' addresses and repeats them: inside random prefixes, or anywhere. */
static void draw_addresses(struct bench *bench, uint8_t family, uint32_t distinct, bool inside) {
    uint32_t bytes = family == WRN_FAMILY_IPV4 ? 4 : 16;
    for (uint32_t i = 0; i < LOOKUPS; i++) {
        if (i >= distinct) {
            bench->addresses[i] = bench->addresses[i - distinct];
            continue;
        }
        struct wrn_ip ip = {.family = family};
        wrn_rand_fill(wrn_prng_rand(&bench->prng), ip.bytes, bytes);
        if (inside) {
            uint64_t r = wrn_prng_next(&bench->prng);
            const struct wrn_prefix *prefix = &bench->prefixes[r % bench->options.prefixes];
            for (uint32_t k = 0; k < bytes; k++) {
                uint32_t covered = prefix->length_bits > 8 * k ? prefix->length_bits - 8 * k : 0;
                uint8_t mask = covered >= 8 ? 0xff : (uint8_t) ~(0xffu >> covered);
                ip.bytes[k] = (uint8_t)((ip.bytes[k] & ~mask) | prefix->ip.bytes[k]);
            }
        }
        bench->addresses[i] = ip;
    }
}

/* Returns the nanoseconds of a lookup, best of three rounds. With 'chained' each address waits for
 * the answer before it; without, the processor may overlap them as it does for the packets of a
 * batch. */
static double measure_lookups(const struct bench *bench, bool chained) {
    bool v4 = bench->addresses[0].family == WRN_FAMILY_IPV4;
    double best = 0;
    for (int round = 0; round < 3; round++) {
        uint32_t sum = 0;
        uint32_t never = 0; /* 0, but the compiler cannot know */
        double start = figures_ns(CLOCK_MONOTONIC);
        for (uint32_t i = 0; i < LOOKUPS; i++) {
            const uint8_t *address = bench->addresses[i ^ never].bytes;
            uint32_t owner = v4 ? wrn_allowed_ips_find4(&bench->ips, address)
                                : wrn_allowed_ips_find6(&bench->ips, address);
            sum += owner;
            never = chained ? owner >> 31 & owner >> 30 & ~owner : 0;
        }
        double ns = (figures_ns(CLOCK_MONOTONIC) - start) / LOOKUPS;
        sink = sum;
        best = round == 0 || ns < best ? ns : best;
    }
    return best;
}

static void print_json(const struct bench *bench, const struct result *r) {
    printf("{\"bench\":\"lookup\",\"family\":%u,\"huge_pages\":%s,\"prefixes\":%u,\"owners\":%u,"
           "\"nodes\":%u,\"seed\":%llu,\"bytes_prefix_arena\":%.1f,\"bytes_prefix_resident\":%.1f,"
           "\"fill_ns_prefix\":%.0f,\"remove_ns_prefix\":%.0f,\"hot_ns\":%.1f,\"inside_ns\":%.1f,"
           "\"inside_chained_ns\":%.1f,\"anywhere_ns\":%.1f}\n",
           r->family, r->huge_pages ? "true" : "false", r->prefixes, bench->options.owners,
           r->nodes, (unsigned long long)bench->options.seed, r->bytes_prefix_arena,
           r->bytes_prefix_resident, r->fill_ns, r->remove_ns, r->hot_ns, r->inside_ns,
           r->inside_chained_ns, r->anywhere_ns);
}

static void print_table(const struct result *results, size_t count) {
    printf("\n%-6s %-6s %9s %9s | %17s | %13s | %s\n", "", "", "", "", "bytes a prefix",
           "ns a prefix", "ns a lookup");
    printf("%-6s %-6s %9s %9s | %8s %8s | %6s %6s | %6s %7s %8s %9s\n", "family", "pages",
           "prefixes", "nodes", "reserved", "resident", "set", "remove", "hot", "inside", "chained",
           "anywhere");
    for (size_t i = 0; i < count; i++) {
        const struct result *r = &results[i];
        printf("IPv%-3u %-6s %9u %9u | %8.1f %8.1f | %6.0f %6.0f | %6.1f %7.1f %8.1f %9.1f\n",
               r->family, r->huge_pages ? "huge" : "small", r->prefixes, r->nodes,
               r->bytes_prefix_arena, r->bytes_prefix_resident, r->fill_ns, r->remove_ns, r->hot_ns,
               r->inside_ns, r->inside_chained_ns, r->anywhere_ns);
    }
    printf(
        "hot: %d addresses in turn; inside: random addresses inside stored prefixes; chained: the "
        "same,\neach waiting for the answer before; anywhere: uniform addresses. 'reserved' holds "
        "both families.\n",
        HOT_COUNT);
}

static void *allocate(size_t count, size_t size) {
    void *memory = calloc(count, size);
    if (memory == NULL) {
        fprintf(stderr, "micro_lookup: out of memory (%zu bytes)\n", count * size);
        exit(1);
    }
    return memory;
}
