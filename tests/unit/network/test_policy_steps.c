/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: whoever is interrupted at whatever step of the table by whomever, no entry is believed that
 * does not say so, and what is interrupted leaves the table whole. Method: the table once more,
 * with a call before each atomic operation; each operation is interrupted before each of its steps
 * by one or two others, which run to their end; and two writers take turns, in every way that has
 * three changes. Threads that run side by side meet these moments
 * too rarely for a test. (What a processor may reorder is ThreadSanitizer's part.) */
#include <pthread.h>
#include <stdatomic.h>

#include "base/bytes.h"
#include "base/keymap.h"
#include "network/policy_internal.h"
#include "unit/base/check.h"

static void step(void);

static inline uint64_t real_load(const _Atomic uint64_t *at, memory_order order) {
    return atomic_load_explicit(at, order);
}

static inline void real_store(_Atomic uint64_t *at, uint64_t value, memory_order order) {
    atomic_store_explicit(at, value, order);
}

static inline bool real_exchange(_Atomic uint64_t *at, uint64_t *before, uint64_t after,
                                 memory_order good, memory_order bad) {
    return atomic_compare_exchange_strong_explicit(at, before, after, good, bad);
}

#undef atomic_load_explicit
#undef atomic_store_explicit
#undef atomic_compare_exchange_strong_explicit
#define atomic_load_explicit(at, order)         (step(), real_load(at, order))
#define atomic_store_explicit(at, value, order) (step(), real_store(at, value, order))
#define atomic_compare_exchange_strong_explicit(at, before, after, good, bad)                      \
    (step(), real_exchange(at, before, after, good, bad))

#include "network/policy_table.c" /* NOLINT(bugprone-suspicious-include) */

enum { NAMES = 6, STEPS_MAX = 64, KINDS = 3, OPERATIONS = NAMES * KINDS };

static struct wrn_policy_entry entries[4];
static struct wrn_policy_table table = {entries, 0};

/* Before which step of the operation under test who interrupts. */
static struct {
    unsigned steps, at;
    unsigned first, second; /* operations; OPERATIONS: none */
    bool is_inside;
} interruption;

static unsigned believed;

/* Each name has an end of its own, so that a state under another's name is seen. One bucket for
 * all, and for all the exact part that an entry has while somebody writes to it. */
static struct wrn_policy_key key_of(unsigned name) {
    return (struct wrn_policy_key){.name = (uint64_t)(name + 1) << 32, .exact = 0};
}

static bool is_own(unsigned name, uint64_t state) {
    uint32_t end_s = (uint32_t)(state >> 4) & 0xfffffff;
    return end_s == name + WRN_POLICY_UNANSWERED_S || end_s == name + WRN_POLICY_ANSWERED_S;
}

/* Notes, looks, or looks and goes on. */
static void operate(unsigned operation) {
    unsigned name = operation / KINDS;
    struct wrn_policy_counts counts = {0};
    struct wrn_policy_found found;
    if (operation >= OPERATIONS) {
        return;
    }
    bool is_found = wrn_policy_find(&table, key_of(name), 0, &found);
    if (is_found) {
        believed++;
        CHECK(is_own(name, found.state),
              "step %u, %u, %u: %u has another's state: ", interruption.at, interruption.first,
              interruption.second, name);
    }
    if (operation % KINDS == 0 && !is_found) {
        (void)wrn_policy_note(&table, key_of(name), name, WRN_POLICY_KIND_UNANSWERED, &counts);
    } else if (operation % KINDS == 1 && is_found) {
        wrn_policy_go_on(&found, name, WRN_POLICY_KIND_ANSWERED);
    }
}

/* Two threads of which one runs: each goes on until its steps for this turn are used up, or it is
 * done. Thread 0 has the turns 0 and 2, thread 1 the others; the last turn of each has no end. */
static struct {
    bool is_on;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned turn, left, steps[4];
    bool is_done[2];
} duel = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static _Thread_local unsigned side;

/* With the lock: gives the turn to the other one, unless that one is done. */
static void hand_over(void) {
    do {
        duel.turn++;
        duel.left = duel.turn < WRN_COUNT(duel.steps) ? duel.steps[duel.turn] : UINT32_MAX;
    } while (duel.is_done[duel.turn % 2] && !duel.is_done[1 - duel.turn % 2]);
    pthread_cond_broadcast(&duel.changed);
}

static void wait_for_turn(void) {
    while (duel.turn % 2 != side) {
        pthread_cond_wait(&duel.changed, &duel.lock);
    }
}

static void take_turns(void) {
    pthread_mutex_lock(&duel.lock);
    wait_for_turn();
    while (duel.left == 0) {
        hand_over();
        wait_for_turn();
    }
    duel.left--;
    pthread_mutex_unlock(&duel.lock);
}

static void step(void) {
    if (duel.is_on) {
        take_turns();
        return;
    }
    if (interruption.is_inside || interruption.steps++ != interruption.at) {
        return;
    }
    interruption.is_inside = true;
    operate(interruption.first);
    operate(interruption.second);
    interruption.is_inside = false;
}

/* The bucket has names 0..3, the last of them answered. */
static void fill(void) {
    memset(entries, 0, sizeof entries);
    for (unsigned i = 0; i < 4; i++) {
        entries[i].name = key_of(i).name;
        entries[i].state =
            make_state(0, i, i < 3 ? WRN_POLICY_KIND_UNANSWERED : WRN_POLICY_KIND_ANSWERED);
    }
}

static void check_whole(void) {
    for (size_t i = 0; i < 4; i++) {
        uint64_t state = real_load(&entries[i].state, memory_order_relaxed);
        unsigned name = (unsigned)(real_load(&entries[i].name, memory_order_relaxed) >> 32) - 1;
        CHECK(wrn_policy_kind_of(state) != WRN_POLICY_KIND_TAKEN && name < NAMES &&
                  is_own(name, state),
              "step %u, %u, %u: %u: ", interruption.at, interruption.first, interruption.second,
              name);
    }
}

static void interruptions_make_nothing_up(void **state) {
    unsigned cases = 0;
    (void)state;
    for (unsigned operation = 0; operation < OPERATIONS; operation++) {
        for (unsigned first = 0; first < OPERATIONS; first++) {
            for (unsigned second = 0; second <= OPERATIONS; second++) {
                for (unsigned at = 0; at < STEPS_MAX; at++) {
                    fill();
                    interruption.steps = 0;
                    interruption.at = at;
                    interruption.first = first;
                    interruption.second = second;
                    operate(operation);
                    bool is_over = interruption.steps <= at;
                    interruption.is_inside = true; /* looking is no step */
                    check_whole();
                    interruption.is_inside = false;
                    if (is_over) {
                        break;
                    }
                    CHECK(at + 1 < STEPS_MAX, "operation %u does not end: ", operation);
                    cases++;
                }
            }
        }
    }
    print_message("# %u interruptions, %u times something was believed\n", cases, believed);
    assert_true(cases > 10000 && believed > 10000);
}

static void *fight(void *operation) {
    side = *(unsigned *)operation >= OPERATIONS;
    operate(*(unsigned *)operation % OPERATIONS);
    pthread_mutex_lock(&duel.lock);
    duel.is_done[side] = true;
    if (duel.turn % 2 == side) {
        hand_over();
    }
    pthread_mutex_unlock(&duel.lock);
    return NULL;
}

/* Runs two operations with these changes of turn. */
static void run_duel(unsigned first, unsigned second, const unsigned steps[3]) {
    unsigned operations[2] = {first, second + OPERATIONS};
    pthread_t threads[2];
    fill();
    memcpy(duel.steps, steps, 3 * sizeof steps[0]);
    duel.steps[3] = UINT32_MAX;
    duel.turn = 0;
    duel.left = steps[0];
    duel.is_done[0] = duel.is_done[1] = false;
    duel.is_on = true;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, fight, &operations[i]), 0);
    }
    for (size_t i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
    duel.is_on = false;
    interruption.first = first;
    interruption.second = second;
    interruption.is_inside = true;
    check_whole();
    interruption.is_inside = false;
}

static void writers_that_take_turns_leave_entries_whole(void **state) {
    enum { NOTE = 0, GO_ON = 1, LONGEST = 16 };
    /* new names against each other, and against one whose place they take */
    static const unsigned pairs[][2] = {
        {4 * KINDS + NOTE, 5 * KINDS + NOTE},
        {4 * KINDS + NOTE, 4 * KINDS + NOTE},
        {4 * KINDS + NOTE, 0 * KINDS + GO_ON},
    };
    (void)state;
    for (size_t i = 0; i < WRN_COUNT(pairs); i++) {
        for (unsigned a = 4; a < LONGEST; a++) { /* the first four steps are looking */
            for (unsigned b = 1; b < LONGEST; b++) {
                for (unsigned c = 1; c < 4; c++) {
                    run_duel(pairs[i][0], pairs[i][1], (unsigned[3]){a, b, c});
                }
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(interruptions_make_nothing_up),
        cmocka_unit_test(writers_that_take_turns_leave_entries_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
