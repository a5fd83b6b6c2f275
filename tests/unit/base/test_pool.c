/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a handle finds its slot as long as it lives and never afterwards; slots come zeroed; slots
 * that nobody took cost no memory. Method: a list of live handles as the model; pages counted by
 * the kernel. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "base/pool.h"
#include "base/rand.h"
#include "unit/base/check.h"

enum { CAPACITY = 37 };

struct slot {
    uint64_t number;
    uint8_t rest[33];
};

static _Alignas(64) uint8_t memory[8192];

static void start(struct wrn_pool *pool) {
    struct wrn_arena arena;
    memset(memory, 0, sizeof(memory));
    wrn_arena_init(&arena, memory, sizeof(memory));
    wrn_pool_init(pool, &arena, CAPACITY, sizeof(struct slot));
}

static void follows_the_model(void **state) {
    (void)state;
    struct wrn_pool pool;
    struct {
        wrn_handle handle;
        uint64_t number;
    } live[CAPACITY];
    wrn_handle dead[256] = {{0}};
    size_t count = 0;
    size_t dead_count = 0;
    struct wrn_prng prng;
    wrn_prng_init(&prng, check_seed(), 0);
    struct wrn_rand rand = wrn_prng_rand(&prng);
    start(&pool);
    for (uint64_t step = 1; step <= 20000; step++) {
        bool wants_more = wrn_rand_below(rand, 1000) < (step / 2000 % 2 ? 300u : 700u);
        if (wants_more) {
            wrn_handle handle = WRN_HANDLE_NONE;
            struct slot *slot = wrn_pool_take(&pool, &handle);
            CHECK((slot == NULL) == (count == CAPACITY), "step %zu: ", (size_t)step);
            if (slot) {
                CHECK(check_filled(slot, sizeof(*slot), 0), "step %zu: ", (size_t)step);
                CHECK(handle.generation % 2 == 1, "step %zu: ", (size_t)step);
                memset(slot, 0xa5, sizeof(*slot));
                slot->number = step;
                live[count].handle = handle;
                live[count].number = step;
                count++;
            }
        } else if (count > 0) {
            size_t victim = wrn_rand_below(rand, (uint32_t)count);
            wrn_pool_give(&pool, live[victim].handle);
            dead[dead_count++ % WRN_COUNT(dead)] = live[victim].handle;
            live[victim] = live[--count];
        }
        CHECK(pool.live == count, "step %zu: ", (size_t)step);
        for (size_t i = 0; i < count; i++) {
            struct slot *slot = wrn_pool_get(&pool, live[i].handle);
            CHECK(slot && slot->number == live[i].number, "step %zu: ", (size_t)step);
            wrn_handle found = WRN_HANDLE_NONE;
            CHECK(wrn_pool_at(&pool, live[i].handle.index, &found) == slot,
                  "step %zu: ", (size_t)step);
            CHECK(wrn_handle_equal(found, live[i].handle), "step %zu: ", (size_t)step);
        }
        for (size_t i = 0; i < WRN_COUNT(dead); i++) {
            CHECK(!wrn_pool_get(&pool, dead[i]), "step %zu: ", (size_t)step);
        }
    }
    assert_true(dead_count > CAPACITY);
}

static void walks_the_live_slots(void **state) {
    (void)state;
    struct wrn_pool pool;
    wrn_handle handles[3];
    start(&pool);
    assert_null(wrn_pool_at(&pool, 0, NULL));
    for (size_t i = 0; i < WRN_COUNT(handles); i++) {
        assert_non_null(wrn_pool_take(&pool, &handles[i]));
    }
    wrn_pool_give(&pool, handles[1]);
    assert_non_null(wrn_pool_at(&pool, 0, NULL));
    assert_null(wrn_pool_at(&pool, 1, NULL));
    assert_non_null(wrn_pool_at(&pool, 2, NULL));
    assert_null(wrn_pool_at(&pool, 3, NULL));
    assert_null(wrn_pool_at(&pool, CAPACITY, NULL));
    assert_null(wrn_pool_at(&pool, UINT32_MAX, NULL));
    assert_null(wrn_pool_get(&pool, WRN_HANDLE_NONE));
    assert_null(wrn_pool_get(&pool, (wrn_handle){UINT32_MAX, 1}));
    assert_null(wrn_pool_get(&pool, (wrn_handle){1, 2})); /* free now, and even */
}

static void wipes_what_is_given_back(void **state) {
    (void)state;
    struct wrn_pool pool;
    wrn_handle handle;
    start(&pool);
    struct slot *slot = wrn_pool_take(&pool, &handle);
    assert_non_null(slot);
    memset(slot, 0xa5, sizeof(*slot));
    wrn_pool_give(&pool, handle);
    assert_true(check_filled(slot, sizeof(*slot), 0));
}

static size_t count_resident(void *map, size_t size) {
    static unsigned char pages[1 << 16];
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t resident = 0;
    assert_true(size / page <= sizeof(pages));
    assert_int_equal(mincore(map, size, pages), 0);
    for (size_t i = 0; i < size / page; i++) {
        resident += pages[i] & 1u;
    }
    return resident;
}

static void leaves_untaken_slots_unmapped(void **state) {
    (void)state;
    enum { MAP_BYTES = 128 << 20, SLOTS = 100000, SLOT_BYTES = 1200, TAKEN = 10 };
    struct wrn_arena arena;
    struct wrn_pool pool;
    uint8_t *map = mmap(NULL, MAP_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(map != MAP_FAILED);
    assert_int_equal(madvise(map, MAP_BYTES, MADV_NOHUGEPAGE), 0);
    wrn_arena_init(&arena, map, MAP_BYTES);
    wrn_pool_init(&pool, &arena, SLOTS, SLOT_BYTES);
    assert_int_equal(count_resident(map, MAP_BYTES), 0);
    for (size_t i = 0; i < TAKEN; i++) {
        wrn_handle handle;
        uint8_t *slot = wrn_pool_take(&pool, &handle);
        assert_non_null(slot);
        slot[0] = 1;
        wrn_pool_give(&pool, handle); /* the freed slot is taken again, not a fresh one */
    }
    /* one page for the slot, one for the generations, one for the chain */
    assert_true(count_resident(map, MAP_BYTES) <= 3);
    assert_int_equal(pool.touched, 1);
    assert_int_equal(munmap(map, MAP_BYTES), 0);
}

static void give_twice(void) {
    struct wrn_pool pool;
    wrn_handle handle = WRN_HANDLE_NONE;
    start(&pool);
    (void)!wrn_pool_take(&pool, &handle);
    wrn_pool_give(&pool, handle);
    wrn_pool_give(&pool, handle);
}

static void give_nothing(void) {
    struct wrn_pool pool;
    start(&pool);
    wrn_pool_give(&pool, WRN_HANDLE_NONE);
}

static void refuses_misuse(void **state) {
    (void)state;
    check_dies(give_twice);
    check_dies(give_nothing);
}

struct watched {
    struct wrn_pool pool;
    _Atomic bool stop;
    _Atomic uint64_t looks;
};

/* Looks at every slot by its index, as a thread does that was sent the index by a stranger. */
static void *look(void *arg) {
    struct watched *watched = arg;
    while (!atomic_load(&watched->stop)) {
        for (uint32_t i = 0; i < CAPACITY; i++) {
            struct slot *slot = wrn_pool_slot(&watched->pool, i);
            uint64_t number = slot == NULL ? 0 : __atomic_load_n(&slot->number, __ATOMIC_ACQUIRE);
            WRN_ASSERT(number == 0 || number == UINT64_MAX);
        }
        atomic_fetch_add(&watched->looks, 1);
    }
    return NULL;
}

/* Slots are taken, retired and wiped while others look: they see a word as it was, or 0. */
static void may_be_looked_at_while_it_is_wiped(void **state) {
    (void)state;
    struct watched watched = {0};
    pthread_t thread;
    start(&watched.pool);
    assert_int_equal(pthread_create(&thread, NULL, look, &watched), 0);
    for (int rounds = 0; rounds < 2000 || atomic_load(&watched.looks) < 100; rounds++) {
        wrn_handle handle;
        struct slot *slot = wrn_pool_take(&watched.pool, &handle);
        assert_non_null(slot);
        __atomic_store_n(&slot->number, UINT64_MAX, __ATOMIC_RELEASE);
        wrn_pool_retire(&watched.pool, handle);
        wrn_pool_reclaim(&watched.pool);
        if (rounds >= 2000) {
            sched_yield();
        }
    }
    atomic_store(&watched.stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_model),
        cmocka_unit_test(walks_the_live_slots),
        cmocka_unit_test(wipes_what_is_given_back),
        cmocka_unit_test(leaves_untaken_slots_unmapped),
        cmocka_unit_test(refuses_misuse),
        cmocka_unit_test(may_be_looked_at_while_it_is_wiped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
