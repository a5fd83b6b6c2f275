/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: threads that check packets of the same conversations at once, in a table that is far too
 * small, never let a packet pass that answers nothing, and forget nothing where there is room.
 * Method: askers send what they may, answerers send answers: to what has been asked, and to what
 * never was; the latter must all be refused. What ThreadSanitizer sees is half of it; the moments
 * at which a thread may meet another are in test_policy_steps.c. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include "base/bytes.h"
#include "network/policy_internal.h"
#include "unit/network/packets.h"

enum { ASKERS = 3, ANSWERERS = 3, ROUNDS = 30000, PORTS = 64 };

struct contest {
    struct wrn_policy policy;
    struct wrn_policy_rules ours, theirs;
    struct wrn_policy_pair pair;
    pthread_barrier_t start;
    _Atomic uint32_t asking;       /* threads */
    _Atomic uint64_t now_s;        /* moves on while they work, so that conversations end */
    _Atomic uint32_t passed_wrong; /* answers to what was never asked */
    struct packet asks[PORTS], answers[PORTS], wrong[PORTS];
};

struct worker {
    struct contest *contest;
    struct wrn_policy_counts counts;
    struct wrn_prng prng;
    uint64_t answers, answered; /* tried, passed */
    pthread_t thread;
};

static void set_up(struct contest *contest, uint32_t entries, void **ret_memory) {
    struct wrn_policy_options options = {entries, entries};
    struct wrn_arena arena;
    struct wrn_prng prng;
    wrn_prng_init(&prng, 5, 5);
    wrn_arena_init(&arena, NULL, 0);
    wrn_policy_init(&contest->policy, &arena, &options, wrn_prng_rand(&prng), (wrn_mono){0});
    *ret_memory = aligned_alloc(64, arena.used);
    assert_non_null(*ret_memory);
    memset(*ret_memory, 0, arena.used);
    wrn_arena_init(&arena, *ret_memory, arena.used);
    wrn_policy_init(&contest->policy, &arena, &options, wrn_prng_rand(&prng), (wrn_mono){0});
    contest->ours = packet_rules("(allow)");
    contest->theirs = packet_rules("");
    wrn_policy_pair_init(&contest->pair, 1, &contest->ours, &contest->theirs, false);
    for (unsigned i = 0; i < PORTS; i++) {
        /* the same two ports in many conversations, so that what is kept exactly does not help */
        char a[32], b[32], c[32];
        snprintf(a, sizeof a, "10.1.%u.1", i);
        snprintf(b, sizeof b, "10.1.%u.2", i);
        snprintf(c, sizeof c, "10.1.%u.3", i);
        contest->asks[i] = packet_udp(a, 1000, b, 53);
        contest->answers[i] = packet_udp(b, 53, a, 1000);
        contest->wrong[i] = packet_udp(c, 53, a, 1000);
    }
}

static wrn_mono now(struct contest *contest) {
    return (wrn_mono){WRN_S(atomic_load(&contest->now_s))};
}

static void *ask(void *arg) {
    struct worker *worker = arg;
    struct contest *contest = worker->contest;
    pthread_barrier_wait(&contest->start);
    for (int i = 0; i < ROUNDS; i++) {
        size_t which = wrn_prng_next(&worker->prng) % PORTS;
        struct wrn_policy_verdict verdict =
            wrn_policy_check(&contest->policy, &contest->pair, WRN_POLICY_OUT, now(contest),
                             packet_span(&contest->asks[which]), &worker->counts);
        WRN_ASSERT(verdict.refusal == WRN_POLICY_NONE);
        if (i % 128 == 0) {
            atomic_fetch_add(&contest->now_s, 1);
            sched_yield(); /* there may be more threads than processors */
        }
    }
    atomic_fetch_sub(&contest->asking, 1);
    return NULL;
}

static void *answer(void *arg) {
    struct worker *worker = arg;
    struct contest *contest = worker->contest;
    pthread_barrier_wait(&contest->start);
    while (atomic_load(&contest->asking) > 0) {
        size_t which = wrn_prng_next(&worker->prng) % PORTS;
        struct wrn_policy_verdict verdict =
            wrn_policy_check(&contest->policy, &contest->pair, WRN_POLICY_IN, now(contest),
                             packet_span(&contest->answers[which]), &worker->counts);
        worker->answers++;
        worker->answered += verdict.refusal == WRN_POLICY_NONE;
        verdict = wrn_policy_check(&contest->policy, &contest->pair, WRN_POLICY_IN, now(contest),
                                   packet_span(&contest->wrong[which]), &worker->counts);
        if (verdict.refusal == WRN_POLICY_NONE) {
            atomic_fetch_add(&contest->passed_wrong, 1);
        }
        if (worker->answers % 128 == 0) {
            sched_yield();
        }
    }
    return NULL;
}

static void run(struct contest *contest, struct worker workers[ASKERS + ANSWERERS]) {
    atomic_store(&contest->asking, ASKERS);
    assert_int_equal(pthread_barrier_init(&contest->start, NULL, ASKERS + ANSWERERS), 0);
    for (uint64_t i = 0; i < ASKERS + ANSWERERS; i++) {
        memset(&workers[i], 0, sizeof workers[i]);
        workers[i].contest = contest;
        wrn_prng_init(&workers[i].prng, 9, i);
        assert_int_equal(
            pthread_create(&workers[i].thread, NULL, i < ASKERS ? ask : answer, &workers[i]), 0);
    }
    for (size_t i = 0; i < ASKERS + ANSWERERS; i++) {
        pthread_join(workers[i].thread, NULL);
    }
    pthread_barrier_destroy(&contest->start);
}

struct total {
    uint64_t begun, evicted, unnoted, answers, answered;
};

static struct total sum(const struct worker *workers) {
    struct total total = {0};
    for (size_t i = 0; i < ASKERS + ANSWERERS; i++) {
        total.begun += atomic_load(&workers[i].counts.begun);
        total.evicted += atomic_load(&workers[i].counts.evicted);
        total.unnoted += atomic_load(&workers[i].counts.unnoted);
        total.answers += workers[i].answers;
        total.answered += workers[i].answered;
    }
    print_message("# begun %llu, evicted %llu, unnoted %llu, %llu of %llu answers\n",
                  (unsigned long long)total.begun, (unsigned long long)total.evicted,
                  (unsigned long long)total.unnoted, (unsigned long long)total.answered,
                  (unsigned long long)total.answers);
    return total;
}

static void crowded_tables_make_nothing_up(void **state) {
    static struct contest contest;
    static struct worker workers[ASKERS + ANSWERERS];
    void *memory;
    (void)state;
    set_up(&contest, 8, &memory); /* two buckets for 64 conversations */
    run(&contest, workers);
    struct total total = sum(workers);
    assert_int_equal(atomic_load(&contest.passed_wrong), 0);
    assert_true(total.evicted > 1000 && total.answered < total.answers); /* there was a struggle */
    for (size_t i = 0; i < 8; i++) { /* and nothing is left half-way */
        uint64_t state_now = atomic_load(&contest.policy.conversations.entries[i].state);
        assert_int_not_equal(wrn_policy_kind_of(state_now), WRN_POLICY_KIND_TAKEN);
    }
    free(memory);
}

static void roomy_tables_forget_nothing(void **state) {
    static struct contest contest;
    static struct worker workers[ASKERS + ANSWERERS];
    void *memory;
    (void)state;
    set_up(&contest, 1 << 12, &memory);
    run(&contest, workers);
    struct total total = sum(workers);
    assert_int_equal(atomic_load(&contest.passed_wrong), 0);
    assert_int_equal(total.evicted, 0);
    assert_int_equal(total.unnoted, 0);
    for (size_t i = 0; i < PORTS; i++) {
        struct wrn_policy_counts counts = {0};
        (void)wrn_policy_check(&contest.policy, &contest.pair, WRN_POLICY_OUT, now(&contest),
                               packet_span(&contest.asks[i]), &counts);
        struct wrn_policy_verdict verdict =
            wrn_policy_check(&contest.policy, &contest.pair, WRN_POLICY_IN, now(&contest),
                             packet_span(&contest.answers[i]), &counts);
        assert_int_equal(verdict.refusal, WRN_POLICY_NONE);
    }
    free(memory);
}

/* Every half-way state of somebody who writes an entry: nobody believes it, and nobody waits. */
static void writers_asleep_are_not_believed(void **state) {
    static struct contest contest;
    struct wrn_policy_counts counts = {0};
    struct wrn_policy_found found;
    struct wrn_policy_packet packet;
    void *memory;
    (void)state;
    set_up(&contest, 4, &memory);
    struct wrn_policy_table *table = &contest.policy.conversations;
    assert_int_equal(wrn_policy_read(packet_span(&contest.asks[0]), false, &packet),
                     WRN_POLICY_NONE);
    struct wrn_policy_key key = wrn_policy_key(&contest.policy, 1, WRN_POLICY_OUT, &packet);
    assert_true(wrn_policy_note(table, key, 0, WRN_POLICY_KIND_UNANSWERED, &counts));
    assert_true(wrn_policy_find(table, key, 0, &found));
    struct wrn_policy_entry *entry = found.entry;
    uint64_t whole = atomic_load(&entry->state);
    atomic_store(&entry->state, WRN_POLICY_KIND_TAKEN); /* taken */
    assert_false(wrn_policy_find(table, key, 0, &found));
    wrn_policy_go_on(&(struct wrn_policy_found){entry, whole}, 9, WRN_POLICY_KIND_ANSWERED);
    assert_int_equal(atomic_load(&entry->state), WRN_POLICY_KIND_TAKEN);
    atomic_store(&entry->name, key.name + 1); /* and renamed */
    assert_false(wrn_policy_find(table, key, 0, &found));
    atomic_store(&entry->state, whole); /* and done: it is another's */
    assert_false(wrn_policy_find(table, key, 0, &found));
    /* all four taken: the fifth is not noted, and does not wait */
    for (size_t i = 0; i < 4; i++) {
        atomic_store(&table->entries[i].state, WRN_POLICY_KIND_TAKEN);
    }
    assert_false(wrn_policy_note(table, key, 0, WRN_POLICY_KIND_UNANSWERED, &counts));
    assert_int_equal(atomic_load(&counts.unnoted), 1);
    free(memory);
}

/* The same name with other ports is another conversation: 96 bits must agree. */
static void ports_are_compared_exactly(void **state) {
    static struct contest contest;
    struct wrn_policy_counts counts = {0};
    struct wrn_policy_found found;
    void *memory;
    (void)state;
    set_up(&contest, 4, &memory);
    struct wrn_policy_table *table = &contest.policy.conversations;
    struct wrn_policy_key key = {1, 2}, other = {1, 3};
    assert_true(wrn_policy_note(table, key, 0, WRN_POLICY_KIND_UNANSWERED, &counts));
    assert_true(wrn_policy_find(table, key, 0, &found));
    assert_false(wrn_policy_find(table, other, 0, &found));
    free(memory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crowded_tables_make_nothing_up),
        cmocka_unit_test(roomy_tables_forget_nothing),
        cmocka_unit_test(writers_asleep_are_not_believed),
        cmocka_unit_test(ports_are_compared_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
