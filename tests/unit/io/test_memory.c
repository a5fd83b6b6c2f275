/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: memory that is given back is gone, and nothing that is in use is. Method: a deep call,
 * whose pages the kernel counts, with values of our own above it. */
#define _GNU_SOURCE /* mincore, setresuid */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/memory.h"
#include "unit/base/check.h"

enum { DEEP = 128 << 10, NEAR = 32 << 10, WORDS = 1000 };

static __attribute__((noinline)) size_t go_deep(uint8_t value) {
    volatile uint8_t room[DEEP];
    for (size_t i = 0; i < sizeof room; i++) {
        room[i] = (uint8_t)(value + i);
    }
    return room[DEEP / 2];
}

/* Resident bytes of the stack from DEEP to NEAR below 'here'. */
static size_t resident_below(uintptr_t here) {
    unsigned char pages[DEEP >> 10];
    size_t page = (size_t)sysconf(_SC_PAGESIZE), count = 0;
    uintptr_t begin = (here - DEEP) & ~(page - 1);
    size_t size = (DEEP - NEAR) & ~(page - 1);
    assert_int_equal(mincore((void *)begin, size, pages), 0);
    for (size_t i = 0; i < size / page; i++) {
        count += pages[i] & 1;
    }
    return count * page;
}

static void the_stack_is_given_back_below_us(void **state) {
    uint32_t ours[WORDS];
    uint8_t *heap = malloc(DEEP);
    (void)state;
    for (uint32_t i = 0; i < WORDS; i++) {
        ours[i] = i * 2654435761u;
    }
    memset(heap, 7, DEEP);
    assert_int_equal(go_deep(1), (uint8_t)(1 + DEEP / 2));
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    assert_true(resident_below(here) >= (DEEP - 2 * NEAR));
    wrn_memory_give_back();
    assert_int_equal(resident_below(here), 0);
    for (uint32_t i = 0; i < WORDS; i++) {
        assert_int_equal(ours[i], i * 2654435761u);
    }
    for (size_t i = 0; i < DEEP; i++) {
        assert_int_equal(heap[i], 7);
    }
    assert_int_equal(go_deep(2), (uint8_t)(2 + DEEP / 2));
    free(heap);
}

static void *give_back(void *arg) {
    uint32_t ours[WORDS];
    for (uint32_t i = 0; i < WORDS; i++) {
        ours[i] = i;
    }
    wrn_memory_give_back();
    for (uint32_t i = 0; i < WORDS; i++) {
        *(uint64_t *)arg += ours[i];
    }
    return NULL;
}

/* Below the stack of another thread may lie anything. */
static void other_threads_keep_theirs(void **state) {
    pthread_t threads[4];
    uint64_t sums[4] = {0};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, give_back, &sums[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(sums[i], WORDS * (WORDS - 1) / 2);
    }
}

/* At a limit whoever maps memory later would fail: nothing is begun. */
static void a_limit_is_respected(void **state) {
    struct rlimit before, low = {.rlim_cur = 1 << 20};
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &before), 0);
    low.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &low), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) { /* nobody has no capability */
        bool is_low = geteuid() != 0 || setresuid(65534, 65534, 65534) == 0;
        int error = wrn_memory_lock_all();
        _exit(is_low && (error == -EPERM || error == -EOPNOTSUPP) && !wrn_memory_is_all_locked()
                  ? 0
                  : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &before), 0);
}

/* Also when everything is locked; what is mapped later is, too. */
static void what_is_locked_is_given_back(void **state) {
    int error = wrn_memory_lock_all();
    if (error != 0) {
        assert_true(error == -EPERM || error == -EOPNOTSUPP);
        skip();
    }
    assert_true(wrn_memory_is_all_locked());
    the_stack_is_given_back_below_us(state);
    assert_true(wrn_memory_is_all_locked());
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *later = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(later != MAP_FAILED);
    assert_int_equal(madvise(later, page, MADV_DONTNEED), -1); /* as only what is locked */
    assert_int_equal(errno, EINVAL);
    assert_int_equal(munmap(later, page), 0);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_stack_is_given_back_below_us),
        cmocka_unit_test(other_threads_keep_theirs),
        cmocka_unit_test(a_limit_is_respected),
        cmocka_unit_test(what_is_locked_is_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
