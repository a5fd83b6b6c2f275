/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a session that a lane has confirmed is in use from that moment, whatever the control thread
 * does to the peer's places meanwhile; one that was barred before never is. */
#include "wg/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "crypto/crypto.h"

enum { CAPACITY = 4096, SESSIONS = 4000, LANES = 2, LOOKS = 512 };

struct place {
    struct wrn_session_table table;
    struct wrn_session_set set;
    struct wrn_crypto *crypto;
    struct wrn_prng prng;
    void *memory;
    uint64_t clock_ns; /* each session is born later than the one before */
};

struct race {
    struct place place;
    _Atomic(struct wrn_session *) newest; /* waits to be confirmed */
    _Atomic bool over;
    _Atomic uint64_t looks[LANES];
    _Atomic uint64_t confirmed;
    _Atomic uint64_t refused;
};

struct lane {
    struct race *race;
    uint32_t number;
    pthread_t thread;
};

static void create(struct place *place) {
    struct wrn_arena arena;
    wrn_arena_init(&arena, NULL, SIZE_MAX);
    wrn_session_table_init(&place->table, &arena, CAPACITY);
    size_t size = wrn_align_up(arena.used, 64);
    place->memory = aligned_alloc(64, size);
    assert_non_null(place->memory);
    memset(place->memory, 0, size);
    wrn_arena_init(&arena, place->memory, size);
    wrn_session_table_init(&place->table, &arena, CAPACITY);
    wrn_prng_init(&place->prng, 20261121, 0);
    assert_int_equal(wrn_crypto_create(WRN_CRYPTO_OPENSSL, &place->crypto), 0);
}

static void destroy(struct place *place) {
    wrn_crypto_destroy(place->crypto);
    free(place->memory);
}

static struct wrn_session *begin(struct place *place, bool initiator) {
    static const struct wrn_noise_keys keys;
    struct wrn_session *session =
        wrn_session_take(&place->table, WRN_HANDLE_NONE, wrn_prng_rand(&place->prng));
    assert_non_null(session);
    place->clock_ns++;
    wrn_session_start(&place->table, place->crypto, session, (wrn_mono){place->clock_ns}, initiator,
                      1, &keys);
    return session;
}

static bool add(struct place *place, struct wrn_session *session, bool yield) {
    return wrn_session_set_add(&place->table, &place->set, session, yield);
}

static bool settle(struct place *place) {
    return wrn_session_set_settle(&place->table, &place->set, (wrn_mono){place->clock_ns});
}

/* What follows from each order of two events, one after the other. */
static void the_first_of_two_decides(void **state) {
    (void)state;
    struct place place = {0};
    create(&place);
    assert_null(wrn_session_set_sending(&place.set));
    struct wrn_session *first = begin(&place, false);
    assert_false(add(&place, first, false));
    assert_null(wrn_session_set_sending(&place.set));
    assert_true(wrn_session_confirm(first));
    assert_ptr_equal(wrn_session_set_sending(&place.set), first);
    assert_true(wrn_session_confirm(first)); /* the control thread has still to learn of it */
    assert_true(settle(&place));
    assert_false(settle(&place));
    assert_false(wrn_session_confirm(first));
    assert_ptr_equal(wrn_session_set_sending(&place.set), first);

    /* confirmed, and replaced as NEXT before that was known: it was in use, and still receives */
    struct wrn_session *second = begin(&place, false);
    assert_false(add(&place, second, false));
    assert_true(wrn_session_confirm(second));
    struct wrn_session *third = begin(&place, false);
    assert_true(add(&place, third, false));
    assert_ptr_equal(wrn_session_set_sending(&place.set), second);
    assert_false(settle(&place));

    /* replaced before it was confirmed: it is no more */
    struct wrn_session *fourth = begin(&place, false);
    assert_false(add(&place, fourth, false));
    assert_false(wrn_session_confirm(third));
    assert_ptr_equal(wrn_session_set_sending(&place.set), second);
    assert_int_equal(third->state, WRN_SESSION_DEAD);

    /* crossed by one of ours that does not yield, before or after: ours is used */
    struct wrn_session *fifth = begin(&place, true);
    assert_false(add(&place, fifth, false));
    assert_false(wrn_session_confirm(fourth));
    assert_ptr_equal(wrn_session_set_sending(&place.set), fifth);
    assert_int_equal(fourth->state, WRN_SESSION_READY); /* it receives */
    struct wrn_session *sixth = begin(&place, false);
    assert_false(add(&place, sixth, false));
    assert_true(wrn_session_confirm(sixth));
    struct wrn_session *seventh = begin(&place, true);
    assert_true(add(&place, seventh, false));
    assert_ptr_equal(wrn_session_set_sending(&place.set), seventh);
    assert_int_equal(sixth->state, WRN_SESSION_READY);

    /* crossed by one of ours that yields: theirs is used once it is confirmed */
    struct wrn_session *eighth = begin(&place, false);
    assert_false(add(&place, eighth, false));
    struct wrn_session *ninth = begin(&place, true);
    assert_false(add(&place, ninth, true));
    assert_ptr_equal(wrn_session_set_sending(&place.set), ninth);
    assert_true(wrn_session_confirm(eighth));
    assert_ptr_equal(wrn_session_set_sending(&place.set), eighth);
    assert_true(settle(&place));
    assert_ptr_equal(wrn_session_set_sending(&place.set), eighth);
    assert_int_equal(ninth->state, WRN_SESSION_READY);

    struct wrn_session *tenth = begin(&place, false);
    assert_false(add(&place, tenth, false));
    assert_true(wrn_session_confirm(tenth));
    wrn_session_set_clear(&place.table, &place.set);
    assert_null(wrn_session_set_sending(&place.set));
    assert_false(settle(&place));
    destroy(&place);
}

static void *confirm_all_the_time(void *arg) {
    struct lane *lane = arg;
    struct race *race = lane->race;
    while (!atomic_load(&race->over)) {
        struct wrn_session *session = atomic_load(&race->newest);
        if (session != NULL && wrn_session_confirm(session)) {
            const struct wrn_session *sending = wrn_session_set_sending(&race->place.set);
            WRN_ASSERT(sending != NULL && sending->born.ns >= session->born.ns);
            atomic_fetch_add(&race->confirmed, 1);
        } else if (session != NULL) {
            atomic_fetch_add(&race->refused, 1);
        }
        if (atomic_fetch_add(&race->looks[lane->number], 1) % LOOKS == 0) {
            sched_yield();
        }
    }
    return NULL;
}

/* Method: two lanes confirm what they find while sessions come from both sides and are settled, or
 * not, at random. No slot is used twice, so that lanes may look at the dead. */
static void confirmed_sessions_are_in_use_at_once(void **state) {
    (void)state;
    struct race *race = calloc(1, sizeof *race);
    struct lane lanes[LANES];
    assert_non_null(race);
    create(&race->place);
    for (uint32_t i = 0; i < LANES; i++) {
        lanes[i] = (struct lane){.race = race, .number = i};
        assert_int_equal(pthread_create(&lanes[i].thread, NULL, confirm_all_the_time, &lanes[i]),
                         0);
    }
    for (uint32_t i = 0; i < SESSIONS; i++) {
        uint32_t dice = wrn_rand_below(wrn_prng_rand(&race->place.prng), 16);
        struct wrn_session *session = begin(&race->place, dice % 4 == 0);
        uint64_t before = atomic_load(&race->looks[i % LANES]);
        (void)add(&race->place, session, dice == 0);
        if (!session->initiator) {
            atomic_store(&race->newest, session);
        }
        while (dice < 6 && atomic_load(&race->looks[i % LANES]) == before) {
            sched_yield();
        }
        if (dice % 2 == 0) {
            (void)settle(&race->place);
        }
    }
    atomic_store(&race->over, true);
    for (uint32_t i = 0; i < LANES; i++) {
        pthread_join(lanes[i].thread, NULL);
    }
    print_message("# confirmed %llu times, refused %llu times\n",
                  (unsigned long long)atomic_load(&race->confirmed),
                  (unsigned long long)atomic_load(&race->refused));
    assert_true(atomic_load(&race->confirmed) > 0 && atomic_load(&race->refused) > 0);
    destroy(&race->place);
    free(race);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_of_two_decides),
        cmocka_unit_test(confirmed_sessions_are_in_use_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
