/* SPDX-License-Identifier: Apache-2.0 */
/* What the measuring programs share: numbers of the command line, clocks, how often to repeat, the
 * middle of many runs. Prints nothing. */
#pragma once
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

enum { FIGURES_RUNS_MAX = 101 };

/* Reads the arguments as whole numbers from 1 to their limit into 'values'; those that are not
 * given stay as they are. Returns 0 or -EINVAL. */
static inline int figures_read(int argc, char **argv, const uint64_t *limits, uint64_t *values,
                               int count) {
    if (argc > count + 1) {
        return -EINVAL;
    }
    for (int i = 1; i < argc; i++) {
        char *end = argv[i];
        uint64_t value = strtoull(argv[i], &end, 10);
        if (*argv[i] == '\0' || *end != '\0' || value < 1 || value > limits[i - 1]) {
            return -EINVAL;
        }
        values[i - 1] = value;
    }
    return 0;
}

/* Nanoseconds on a clock: CLOCK_PROCESS_CPUTIME_ID, which other programs disturb less than the
 * time that passes, or another one. */
static inline double figures_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Finds how many rounds take 'run_ns': doubles them until they take half of it, then scales.
 * 'measure' does as many and returns the nanoseconds of all. */
static inline size_t figures_rounds(double (*measure)(void *ctx, size_t rounds), void *ctx,
                                    double run_ns) {
    size_t rounds = 1;
    double taken = measure(ctx, rounds);
    while (taken < run_ns / 2) {
        rounds *= 2;
        taken = measure(ctx, rounds);
    }
    return (size_t)((double)rounds * run_ns / taken) + 1;
}

static inline int figures_compare(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts the values of 'count' runs and returns the one in the middle. */
static inline double figures_median(double *values, size_t count) {
    qsort(values, count, sizeof values[0], figures_compare);
    return values[count / 2];
}
