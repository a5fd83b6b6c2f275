/* SPDX-License-Identifier: Apache-2.0 */
/* What the unit tests of base and crypto share: checks that name their case, seeds, input
 * patterns. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"

/* Fails the test, naming the case, unless 'condition' holds: CHECK(x == 1, "case %s", name). */
#define CHECK(condition, ...)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            print_error(__VA_ARGS__);                                                              \
            fail_msg("%s", #condition);                                                            \
        }                                                                                          \
    } while (0)

/* Returns WARREN_TEST_SEED of the environment, else a seed that differs from run to run; prints
 * it. */
static inline uint64_t check_seed(void) {
    struct timespec now;
    const char *text = getenv("WARREN_TEST_SEED");
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t seed =
        text ? strtoull(text, NULL, 0) : (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    print_message("# WARREN_TEST_SEED=%llu replays this run\n", (unsigned long long)seed);
    return seed;
}

/* The input bytes of the vectors in tests/vectors/crypto.h. */
static inline void check_pattern(uint8_t *bytes, size_t size, unsigned salt) {
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(salt + 7 * i + (i >> 8));
    }
}

/* Reads hexadecimal digits and returns the number of bytes; the text must fit and be
 * well-formed. */
static inline size_t check_hex(const char *text, uint8_t *ret_bytes, size_t room) {
    size_t size = strlen(text) / 2;
    CHECK(size <= room && strlen(text) % 2 == 0, "%zu digits for %zu bytes: ", strlen(text), room);
    for (size_t i = 0; i < size; i++) {
        char pair[3] = {text[2 * i], text[2 * i + 1], 0};
        char *end = NULL;
        ret_bytes[i] = (uint8_t)strtoul(pair, &end, 16);
        CHECK(end == pair + 2, "not a digit in '%s': ", pair);
    }
    return size;
}

/* Tells whether all 'size' bytes, padding included, have one value. */
static inline bool check_filled(const void *bytes, size_t size, uint8_t value) {
    const uint8_t *p = bytes;
    size_t i = 0;
    while (i < size && p[i] == value) {
        i++;
    }
    return i == size;
}

/* Runs 'misuse' in a child and fails the test unless one of our assertions ends it. */
static inline void check_dies(void (*misuse)(void)) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        if (null < 0 || dup2(null, STDERR_FILENO) < 0) {
            _exit(1);
        }
        misuse();
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "status %d: ", status);
}
