/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a path comes out as it was put in, whole, whoever puts in another meanwhile, and nobody
 * waits for a writer that has stopped half-way. */
#include "wg/path_cell.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>

enum { WRITES = 20000, OTHERS = 3, READERS = 2 };

struct contest {
    struct wrn_path_cell cell;
    _Atomic uint32_t running; /* writers */
    _Atomic uint32_t gave_way;
};

struct writer {
    struct contest *contest;
    uint32_t number;
    pthread_t thread;
};

/* Every part says the same number. */
static struct wrn_path make(uint32_t n) {
    struct wrn_path path = {.remote = {.port = (uint16_t)n, .scope_id = n},
                            .kind = (uint8_t)n,
                            .interface = n,
                            .slot = n};
    path.remote.ip.family = WRN_FAMILY_IPV4;
    path.local.family = WRN_FAMILY_IPV4;
    memcpy(path.remote.ip.bytes, &n, sizeof n);
    memcpy(path.local.bytes, &n, sizeof n);
    return path;
}

/* Whole, also if its source was cleared. */
static bool is_whole(const struct wrn_path *path) {
    struct wrn_path expected = make(path->remote.scope_id);
    if (path->local.family == WRN_FAMILY_NONE) {
        expected.local = (struct wrn_ip){0};
        expected.interface = 0;
    }
    return wrn_path_equal(path, &expected);
}

static void *write_as_owner(void *arg) {
    struct writer *writer = arg;
    struct contest *contest = writer->contest;
    for (uint32_t i = 1; i <= WRITES; i++) {
        struct wrn_path path = make(i);
        bool written = wrn_path_cell_write(&contest->cell, WRN_PATH_OWNER, &path);
        WRN_ASSERT(written);
        wrn_path_cell_clear_source(&contest->cell);
    }
    atomic_fetch_sub(&contest->running, 1);
    return NULL;
}

static void *write_as_another(void *arg) {
    struct writer *writer = arg;
    struct contest *contest = writer->contest;
    for (uint32_t i = 1; i <= WRITES; i++) {
        struct wrn_path path = make(i | writer->number << 24);
        if (!wrn_path_cell_write(&contest->cell, WRN_PATH_OTHERS, &path)) {
            atomic_fetch_add(&contest->gave_way, 1);
        }
    }
    atomic_fetch_sub(&contest->running, 1);
    return NULL;
}

static void *read_all_the_time(void *arg) {
    struct contest *contest = arg;
    while (atomic_load(&contest->running) > 0) {
        struct wrn_path path;
        wrn_path_cell_read(&contest->cell, &path);
        WRN_ASSERT(path.remote.ip.family == WRN_FAMILY_NONE || is_whole(&path));
    }
    return NULL;
}

static void paths_stay_whole(void **state) {
    static struct contest contest;
    struct writer writers[OTHERS + 1];
    pthread_t readers[READERS];
    struct wrn_path path;
    (void)state;
    atomic_store(&contest.running, OTHERS + 1);
    for (uint32_t i = 0; i <= OTHERS; i++) {
        writers[i] = (struct writer){.contest = &contest, .number = i};
        assert_int_equal(pthread_create(&writers[i].thread, NULL,
                                        i == 0 ? write_as_owner : write_as_another, &writers[i]),
                         0);
    }
    for (size_t i = 0; i < READERS; i++) {
        assert_int_equal(pthread_create(&readers[i], NULL, read_all_the_time, &contest), 0);
    }
    for (size_t i = 0; i <= OTHERS; i++) {
        pthread_join(writers[i].thread, NULL);
    }
    for (size_t i = 0; i < READERS; i++) {
        pthread_join(readers[i], NULL);
    }
    print_message("# %u of %u writes gave way\n", atomic_load(&contest.gave_way), OTHERS * WRITES);
    wrn_path_cell_read(&contest.cell, &path);
    assert_true(is_whole(&path));
    assert_true(atomic_load(&contest.gave_way) < OTHERS * WRITES);
    path = make(7); /* and nothing was left claimed */
    for (size_t i = 0; i < WRN_PATH_CELL_SLOTS; i++) {
        assert_false(atomic_load(&contest.cell.taken[i]));
        assert_true(wrn_path_cell_write(&contest.cell, WRN_PATH_OTHERS, &path));
    }
}

static void expect(const struct wrn_path_cell *cell, const struct wrn_path *expected) {
    struct wrn_path path;
    wrn_path_cell_read(cell, &path);
    assert_true(wrn_path_equal(&path, expected));
}

/* Method: a slot is claimed and half filled, as by a thread that does not run any more. */
static void a_writer_asleep_holds_nobody_up(void **state) {
    struct wrn_path_cell cell = {0};
    struct wrn_path one = make(1), two = make(2), three = make(3), four = make(4);
    (void)state;
    assert_true(wrn_path_cell_write(&cell, WRN_PATH_OWNER, &one));
    expect(&cell, &one);
    cell.taken[WRN_PATH_CELL_SLOTS - 1] = true;
    cell.words[WRN_PATH_CELL_SLOTS - 1][0] = UINT64_MAX;
    expect(&cell, &one);
    assert_true(wrn_path_cell_write(&cell, WRN_PATH_OTHERS, &two));
    expect(&cell, &two);
    /* What the sleeper puts in comes right after this. */
    assert_false(wrn_path_cell_write(&cell, WRN_PATH_OTHERS, &three));
    expect(&cell, &two);
    for (int i = 0; i < 3; i++) { /* the owner depends on nobody */
        assert_true(wrn_path_cell_write(&cell, WRN_PATH_OWNER, &three));
        assert_true(wrn_path_cell_write(&cell, WRN_PATH_OWNER, &four));
        expect(&cell, &four);
    }
    wrn_path_cell_clear_source(&cell);
    four.local = (struct wrn_ip){0};
    four.interface = 0;
    expect(&cell, &four);
    assert_true(wrn_path_cell_write(&cell, WRN_PATH_OTHERS, &three));
    expect(&cell, &three);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_stay_whole),
        cmocka_unit_test(a_writer_asleep_holds_nobody_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
