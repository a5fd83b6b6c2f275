/* SPDX-License-Identifier: Apache-2.0 */
/* The sequence lock. Acquire loads and release stores of the words stand for the fences that the
 * classic form has: thread sanitizers understand them, and on x86 they cost nothing. */
#include "wg/path_cell.h"

static_assert(sizeof(struct wrn_path) % sizeof(uint64_t) == 0, "a path is a number of words");

void wrn_path_cell_write(struct wrn_path_cell *cell, const struct wrn_path *path) {
    uint64_t words[WRN_PATH_CELL_WORDS];
    uint32_t version = atomic_load_explicit(&cell->version, memory_order_relaxed);
    memcpy(words, path, sizeof words);
    atomic_store_explicit(&cell->version, version + 1, memory_order_relaxed);
    for (size_t i = 0; i < WRN_PATH_CELL_WORDS; i++) {
        atomic_store_explicit(&cell->words[i], words[i], memory_order_release);
    }
    atomic_store_explicit(&cell->version, version + 2, memory_order_release);
}

void wrn_path_cell_read(const struct wrn_path_cell *cell, struct wrn_path *ret_path) {
    uint64_t words[WRN_PATH_CELL_WORDS];
    uint32_t before;
    uint32_t after;
    do {
        before = atomic_load_explicit(&cell->version, memory_order_acquire);
        for (size_t i = 0; i < WRN_PATH_CELL_WORDS; i++) {
            words[i] = atomic_load_explicit(&cell->words[i], memory_order_acquire);
        }
        after = atomic_load_explicit(&cell->version, memory_order_relaxed);
    } while (before != after || before % 2 != 0);
    memcpy(ret_path, words, sizeof words);
}

bool wrn_path_equal(const struct wrn_path *a, const struct wrn_path *b) {
    return wrn_endpoint_equal(&a->remote, &b->remote) && wrn_ip_equal(&a->local, &b->local) &&
           a->interface == b->interface;
}
