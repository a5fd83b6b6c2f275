/* SPDX-License-Identifier: Apache-2.0 */
/* The queue between two threads: order, contents, limits, and that nobody sleeps for ever. */
#define _DEFAULT_SOURCE /* mincore */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/rand.h"
#include "io/ring.h"
#include "unit/base/check.h"

enum {
    SMALL = 1 << 10,
    LARGE = 128 << 10,
    WIDE = 1 << 20,
    SOAK_RECORDS = 200000,
    SOAK_SIZE = 1 << 12,
    SIZE_MAX_SOAK = 700
};

/* Writes record number 'number', whose size and bytes follow from it. Returns false if full. */
static bool put(struct wrn_ring *ring, uint64_t number, size_t size) {
    uint8_t *record = wrn_ring_reserve(ring, size);
    if (record == NULL) {
        return false;
    }
    assert_int_equal((uintptr_t)record % 8, 0);
    for (size_t i = 0; i < size; i++) {
        record[i] = (uint8_t)(number * 31 + i);
    }
    return true;
}

static void take(struct wrn_ring *ring, uint64_t number, size_t size) {
    size_t got = 0;
    const uint8_t *record = wrn_ring_first(ring, &got);
    assert_non_null(record);
    assert_int_equal(got, size);
    for (size_t i = 0; i < size; i++) {
        assert_int_equal(record[i], (uint8_t)(number * 31 + i));
    }
    wrn_ring_release(ring);
}

static void take_none(struct wrn_ring *ring) {
    size_t got = 0;
    assert_null(wrn_ring_first(ring, &got));
}

/* Goal: records are seen once they are published, in their order, and only then.
 * Method: a few by hand; who publishes is told to wake exactly when the reader had come to the
 * end. */
static void order(void **state) {
    struct wrn_ring *ring = NULL;
    (void)state;
    assert_int_equal(wrn_ring_create(SMALL, &ring), 0);
    take_none(ring);
    assert_false(wrn_ring_publish(ring)); /* nothing to show */
    assert_true(put(ring, 1, 10));
    assert_true(put(ring, 2, 0));
    take_none(ring);
    assert_true(wrn_ring_publish(ring));
    assert_true(put(ring, 3, 8));
    assert_false(wrn_ring_publish(ring)); /* the reader has not come to the end */
    take(ring, 1, 10);
    take(ring, 2, 0);
    assert_true(put(ring, 4, 1));
    assert_false(wrn_ring_publish(ring));
    take(ring, 3, 8);
    take(ring, 4, 1);
    assert_true(put(ring, 5, 1)); /* it has, though it has not looked yet */
    assert_true(wrn_ring_publish(ring));
    take(ring, 5, 1);
    take_none(ring);
    wrn_ring_destroy(ring);
    wrn_ring_destroy(NULL);
}

/* Goal: a full ring refuses, loses nothing that it took, and has all its room again once empty.
 * Method: fill it with records of each size until one is refused, empty it, several times, so that
 * the end of the ring falls on every place in a record. */
static void full(void **state) {
    struct wrn_ring *ring = NULL;
    (void)state;
    assert_int_equal(wrn_ring_create(SMALL, &ring), 0);
    assert_null(wrn_ring_reserve(ring, SMALL / 4 + 1)); /* too large at any time */
    for (size_t size = 0; size <= SMALL / 4; size++) {
        uint64_t count = 0;
        while (put(ring, count, size)) {
            count++;
            assert_true(count <= SMALL / 8);
        }
        /* at most one record's room is lost at the end of the ring */
        assert_true((count + 2) * (8 + wrn_align_up(size, 8)) > SMALL);
        assert_true(wrn_ring_publish(ring));
        for (uint64_t i = 0; i < count; i++) {
            take(ring, i, size);
        }
        take_none(ring);
    }
    wrn_ring_destroy(ring);
}

/* Goal: any mixture of sizes and turns gives the same as a queue would, also where memory of what
 * was read is given back. Method: random steps against two counters; the seed is printed. */
static void turns(size_t ring_size, int steps) {
    struct wrn_prng prng;
    wrn_prng_init(&prng, check_seed(), 0);
    struct wrn_rand random = wrn_prng_rand(&prng);
    struct wrn_ring *ring = NULL;
    uint16_t sizes[SMALL] = {0};
    uint64_t written = 0;
    uint64_t shown = 0;
    uint64_t read = 0;
    assert_int_equal(wrn_ring_create(ring_size, &ring), 0);
    for (int step = 0; step < steps; step++) {
        uint32_t choice = wrn_rand_below(random, 8);
        if (choice < 4) {
            uint16_t size = (uint16_t)wrn_rand_below(random, (uint32_t)ring_size / 4 + 1);
            if (put(ring, written, size)) {
                sizes[written++ % SMALL] = size;
            }
        } else if (choice == 4) {
            bool at_end = read == shown;
            assert_int_equal(wrn_ring_publish(ring), at_end && written > shown);
            shown = written;
        } else if (read < shown) {
            take(ring, read, sizes[read % SMALL]);
            read++;
        } else {
            take_none(ring);
        }
    }
    assert_true(read > 1000);
    wrn_ring_destroy(ring);
}

static void random_turns(void **state) {
    (void)state;
    turns(SMALL, 300000);
}

static void random_turns_of_a_large_one(void **state) {
    (void)state;
    turns(LARGE, 20000);
}

/* Goal: a large ring whose reader keeps up stays small in memory, however long it is used.
 * Method: many times its size in records, one after the other; the kernel counts its pages. */
static void little_used(void **state) {
    static unsigned char pages[WIDE / 1024];
    struct wrn_ring *ring = NULL;
    size_t resident = 0, page = (size_t)sysconf(_SC_PAGESIZE);
    (void)state;
    assert_int_equal(wrn_ring_create(WIDE, &ring), 0);
    uint8_t *first = wrn_ring_reserve(ring, 0);
    uint8_t *bytes = first - (uintptr_t)first % page;
    assert_true(wrn_ring_publish(ring));
    take(ring, 0, 0);
    for (uint64_t i = 0; i < 5 * WIDE / 200; i++) {
        assert_true(put(ring, i, 200));
        assert_true(wrn_ring_publish(ring));
        take(ring, i, 200);
    }
    assert_int_equal(mincore(bytes, WIDE, pages), 0);
    for (size_t i = 0; i < WIDE / page; i++) {
        resident += (pages[i] & 1) != 0 ? page : 0;
    }
    CHECK(resident >= page && resident <= 80 << 10, "%zu bytes are resident: ", resident);
    wrn_ring_destroy(ring);
}

struct soak {
    struct wrn_ring *ring;
    int event_fd;
};

static size_t soak_size(uint64_t number) {
    return (size_t)(number * 2654435761u >> 7) % SIZE_MAX_SOAK;
}

/* Writes all records, some of them published together; waits, politely, while the ring is full. */
static void *soak_writer(void *arg) {
    const struct soak *soak = arg;
    for (uint64_t i = 0; i < SOAK_RECORDS; i++) {
        uint8_t *record;
        while ((record = wrn_ring_reserve(soak->ring, 8 + soak_size(i))) == NULL) {
            if (wrn_ring_publish(soak->ring)) {
                (void)eventfd_write(soak->event_fd, 1);
            }
            (void)sched_yield();
        }
        wrn_store_le64(record, i);
        memset(record + 8, (int)(i & 0xff), soak_size(i));
        if (i % 3 == 0 && wrn_ring_publish(soak->ring)) {
            (void)eventfd_write(soak->event_fd, 1);
        }
    }
    if (wrn_ring_publish(soak->ring)) {
        (void)eventfd_write(soak->event_fd, 1);
    }
    return NULL;
}

/* Goal: between two threads nothing is lost, torn or out of order, and the reader, which sleeps
 * whenever it finds nothing, is always woken.
 * Method: a writer thread and this one; a wake-up that is missing would end the test's time. */
static void soak_with(size_t ring_size) {
    struct soak soak = {.event_fd = eventfd(0, EFD_CLOEXEC)};
    pthread_t writer;
    uint64_t expected = 0;
    assert_true(soak.event_fd >= 0);
    assert_int_equal(wrn_ring_create(ring_size, &soak.ring), 0);
    assert_int_equal(pthread_create(&writer, NULL, soak_writer, &soak), 0);
    while (expected < SOAK_RECORDS) {
        size_t size = 0;
        const uint8_t *record = wrn_ring_first(soak.ring, &size);
        if (record == NULL) {
            eventfd_t count;
            assert_int_equal(eventfd_read(soak.event_fd, &count), 0);
            continue;
        }
        if (wrn_load_le64(record) != expected || size != 8 + soak_size(expected) ||
            (size > 8 && (record[8] != (expected & 0xff) || record[size - 1] != record[8]))) {
            fail_msg("record %ju is damaged", (uintmax_t)expected);
        }
        wrn_ring_release(soak.ring);
        expected++;
    }
    assert_int_equal(pthread_join(writer, NULL), 0);
    take_none(soak.ring);
    (void)close(soak.event_fd);
    wrn_ring_destroy(soak.ring);
}

static void soak(void **state) {
    (void)state;
    soak_with(SOAK_SIZE);
}

static void soak_of_a_large_one(void **state) {
    (void)state;
    soak_with(LARGE);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(order),
        cmocka_unit_test(full),
        cmocka_unit_test(random_turns),
        cmocka_unit_test(random_turns_of_a_large_one),
        cmocka_unit_test(little_used),
        cmocka_unit_test(soak),
        cmocka_unit_test(soak_of_a_large_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
