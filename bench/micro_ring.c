/* SPDX-License-Identifier: Apache-2.0 */
/* Measures what the ring's frames and signed objects cost on one core: a pair made, messages sealed
 * and opened, locators and records written, read, verified. Prints a table and the size of what is
 * kept for a peer. CPU time; the median of the runs counts.
 *
 *     micro_ring [RUNS [MILLISECONDS_A_RUN]] */
#include <stdio.h>
#include <stdlib.h>

#include "overlay/locator.h"
#include "overlay/pair.h"
#include "overlay/record.h"
#include "figures.h"

enum { SMALL = 40, LARGE = 1300 };

struct bench {
    struct wrn_primitives primitives;
    uint8_t keys[2][WRN_KEY_SIZE];
    uint8_t publics[2][WRN_KEY_SIZE];
    struct wrn_pair from, to;
    uint8_t seed[WRN_SEED_SIZE];
    uint8_t message[WRN_MESSAGE_MAX];
    uint8_t frame[WRN_DATAGRAM_MAX];
    uint8_t locator[WRN_LOCATOR_MAX];
    uint8_t record[WRN_RECORD_MAX];
    size_t locator_size, record_size;
};

static void need(bool good, const char *what) {
    if (!good) {
        fprintf(stderr, "micro_ring: failed: %s\n", what);
        exit(1);
    }
}

static double make_pairs(void *ctx, size_t rounds) {
    struct bench *b = ctx;
    double start = figures_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t i = 0; i < rounds; i++) {
        need(
            wrn_pair_init(&b->from, &b->primitives, b->keys[0], b->publics[0], b->publics[1], 1, 1),
            "a pair");
    }
    b->from.their_receiver = 2;
    return figures_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
}

static double seal(struct bench *b, size_t rounds, size_t size) {
    double start = figures_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t i = 0; i < rounds; i++) {
        wrn_pair_seal(&b->from, &b->primitives, (wrn_span){b->message, size}, b->frame);
    }
    return figures_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
}

static double seal_and_open(struct bench *b, size_t rounds, size_t size) {
    double start = figures_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t i = 0; i < rounds; i++) {
        wrn_span message;
        uint64_t incarnation;
        bool is_fresh;
        size_t whole =
            wrn_pair_seal(&b->from, &b->primitives, (wrn_span){b->message, size}, b->frame);
        need(wrn_pair_open(&b->to, &b->primitives, b->frame, whole, &message, &incarnation,
                           &is_fresh) == WRN_REASON_NONE,
             "a frame");
    }
    return figures_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
}

static double seal_small(void *ctx, size_t rounds) {
    return seal(ctx, rounds, SMALL);
}

static double seal_large(void *ctx, size_t rounds) {
    return seal(ctx, rounds, LARGE);
}

static double both_small(void *ctx, size_t rounds) {
    return seal_and_open(ctx, rounds, SMALL);
}

static double both_large(void *ctx, size_t rounds) {
    return seal_and_open(ctx, rounds, LARGE);
}

static double write_locators(void *ctx, size_t rounds) {
    struct bench *b = ctx;
    struct wrn_locator locator = {.sequence = 1795000000000, .endpoint_count = 4};
    for (size_t i = 0; i < locator.endpoint_count; i++) {
        locator.endpoints[i].at = (struct wrn_endpoint){{{10, 0, 0, 1}, WRN_FAMILY_IPV4}, 9, 0};
    }
    double start = figures_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t i = 0; i < rounds; i++) {
        b->locator_size = wrn_locator_write(&locator, &b->primitives, b->seed, NULL, b->locator,
                                            sizeof b->locator);
    }
    return figures_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
}

static double read_locators(void *ctx, size_t rounds) {
    struct bench *b = ctx;
    struct wrn_locator locator;
    double start = figures_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t i = 0; i < rounds; i++) {
        need(wrn_locator_read((wrn_span){b->locator, b->locator_size}, &b->primitives, NULL,
                              &locator) == WRN_REASON_NONE,
             "a locator");
    }
    return figures_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
}

static double write_records(void *ctx, size_t rounds) {
    struct bench *b = ctx;
    struct wrn_record record = {.key = {(const uint8_t *)"addr/10.9.8.7", 13},
                                .value = {b->message, 100},
                                .made_s = 1795000000,
                                .ttl_s = 3600};
    double start = figures_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t i = 0; i < rounds; i++) {
        b->record_size =
            wrn_record_write(&record, &b->primitives, b->seed, b->record, sizeof b->record);
    }
    return figures_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
}

static double read_records(void *ctx, size_t rounds) {
    struct bench *b = ctx;
    struct wrn_record record;
    double start = figures_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t i = 0; i < rounds; i++) {
        need(wrn_record_read((wrn_span){b->record, b->record_size}, &b->primitives, &record) ==
                 WRN_REASON_NONE,
             "a record");
    }
    return figures_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
}

static double verify_records(void *ctx, size_t rounds) {
    struct bench *b = ctx;
    double start = figures_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (size_t i = 0; i < rounds; i++) {
        need(wrn_record_verify((wrn_span){b->record, b->record_size}, &b->primitives) ==
                 WRN_REASON_NONE,
             "a signature");
    }
    return figures_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
}

int main(int argc, char **argv) {
    static struct bench bench;
    static const struct {
        const char *name;
        double (*measure)(void *bench, size_t rounds); /* ns of all; in this order */
    } works[] = {
        {"a pair made", make_pairs},
        {"40 bytes sealed", seal_small},
        {"40 bytes sealed and opened", both_small},
        {"1,300 bytes sealed", seal_large},
        {"1,300 bytes sealed and opened", both_large},
        {"a locator with 4 endpoints written", write_locators},
        {"a locator read and verified", read_locators},
        {"a record of 100 bytes written", write_records},
        {"a record read", read_records},
        {"a record verified", verify_records},
    };
    static const uint64_t limits[] = {FIGURES_RUNS_MAX, 10000};
    uint64_t values[] = {11, 50};
    struct wrn_crypto *crypto = NULL;
    if (figures_read(argc, argv, limits, values, WRN_COUNT(values)) != 0) {
        fprintf(stderr, "usage: micro_ring [RUNS 1..%d [MILLISECONDS_A_RUN 1..10000]]\n",
                FIGURES_RUNS_MAX);
        return 2;
    }
    need(wrn_crypto_create(WRN_CRYPTO_AUTO, &crypto) == 0, "libcrypto");
    bench.primitives = wrn_primitives(crypto);
    for (size_t i = 0; i < 2; i++) {
        bench.keys[i][0] = (uint8_t)(8 + 8 * i);
        need(bench.primitives.public_key(crypto, bench.keys[i], bench.publics[i]), "a key");
    }
    need(wrn_pair_init(&bench.to, &bench.primitives, bench.keys[1], bench.publics[1],
                       bench.publics[0], 2, 2),
         "a pair");
    for (size_t i = 0; i < WRN_COUNT(works); i++) {
        double runs[FIGURES_RUNS_MAX];
        size_t rounds = figures_rounds(works[i].measure, &bench, (double)values[1] * 1e6);
        for (size_t run = 0; run < values[0]; run++) {
            runs[run] = works[i].measure(&bench, rounds) / (double)rounds;
        }
        printf("%-40s %10.2f us\n", works[i].name, figures_median(runs, values[0]) / 1e3);
    }
    printf("%-40s %10zu bytes\n", "a pair", sizeof(struct wrn_pair));
    printf("%-40s %10zu bytes\n", "the locator", bench.locator_size);
    printf("%-40s %10zu bytes\n", "the record", bench.record_size);
    wrn_crypto_destroy(crypto);
    return 0;
}
