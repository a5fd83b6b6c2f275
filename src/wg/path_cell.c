/* SPDX-License-Identifier: Apache-2.0 */
/* The path lies in one of four slots, and a word says in which. A writer fills another slot and
 * then moves the word there, so that readers never meet a path that is half written; a reader that
 * finds the word moved after it has copied copies again, because the slot may have been filled
 * anew. Two slots are the owner's, who so always has one to write to; two are for all others
 * together.
 *
 * Acquire loads and release stores of the path's words stand for fences: who copies a word that was
 * written after the slot had been left finds the word 'current' moved. Thread sanitizers understand
 * them, and on x86 they cost nothing. */
#include "wg/path_cell.h"

static_assert(sizeof(struct wrn_path) % sizeof(uint64_t) == 0, "a path is a number of words");

enum { SLOT_BITS = 2, SLOT_MASK = WRN_PATH_CELL_SLOTS - 1, SLOTS_PER_WRITER = 2 };
static_assert(1 << SLOT_BITS == WRN_PATH_CELL_SLOTS, "two bits name a slot");

static uint32_t read_once(const struct wrn_path_cell *cell, struct wrn_path *ret_path);
static bool claim(struct wrn_path_cell *cell, enum wrn_path_writer writer, uint32_t *ret_slot);
static void fill(struct wrn_path_cell *cell, uint32_t slot, const struct wrn_path *path);
static bool move(struct wrn_path_cell *cell, uint32_t *before, uint32_t slot);
static void unclaim(struct wrn_path_cell *cell, uint32_t slot);

bool wrn_path_cell_write(struct wrn_path_cell *cell, enum wrn_path_writer writer,
                         const struct wrn_path *path) {
    uint32_t slot;
    if (!claim(cell, writer, &slot)) {
        return false;
    }
    fill(cell, slot, path);
    uint32_t before = atomic_load_explicit(&cell->current, memory_order_relaxed);
    while (!move(cell, &before, slot)) {
        /* somebody else's was first: ours comes after it */
    }
    unclaim(cell, slot);
    return true;
}

void wrn_path_cell_read(const struct wrn_path_cell *cell, struct wrn_path *ret_path) {
    uint32_t before;
    do {
        before = read_once(cell, ret_path);
    } while (atomic_load_explicit(&cell->current, memory_order_relaxed) != before);
}

void wrn_path_cell_clear_source(struct wrn_path_cell *cell) {
    uint32_t slot;
    uint32_t before;
    bool claimed = claim(cell, WRN_PATH_OWNER, &slot);
    WRN_ASSERT(claimed);
    do { /* until nobody has put another one in meanwhile */
        struct wrn_path path;
        before = read_once(cell, &path);
        path.local = (struct wrn_ip){0};
        path.interface = 0;
        fill(cell, slot, &path);
    } while (!move(cell, &before, slot));
    unclaim(cell, slot);
}

bool wrn_path_equal(const struct wrn_path *a, const struct wrn_path *b) {
    return wrn_endpoint_equal(&a->remote, &b->remote) && wrn_ip_equal(&a->local, &b->local) &&
           a->interface == b->interface && a->kind == b->kind && a->slot == b->slot;
}

/* Copies what may be torn unless 'current' is still what is returned. */
static uint32_t read_once(const struct wrn_path_cell *cell, struct wrn_path *ret_path) {
    uint64_t words[WRN_PATH_CELL_WORDS];
    uint32_t current = atomic_load_explicit(&cell->current, memory_order_acquire);
    const _Atomic uint64_t *slot = cell->words[current & SLOT_MASK];
    for (size_t i = 0; i < WRN_PATH_CELL_WORDS; i++) {
        words[i] = atomic_load_explicit(&slot[i], memory_order_acquire);
    }
    memcpy(ret_path, words, sizeof words);
    return current;
}

/* Finds a slot that is neither in use nor being written. It cannot come into use while it is
 * claimed: only who has claimed a slot moves 'current' there. */
static bool claim(struct wrn_path_cell *cell, enum wrn_path_writer writer, uint32_t *ret_slot) {
    uint32_t first = (uint32_t)writer * SLOTS_PER_WRITER;
    for (uint32_t slot = first; slot < first + SLOTS_PER_WRITER; slot++) {
        if (atomic_exchange_explicit(&cell->taken[slot], true, memory_order_acquire)) {
            continue;
        }
        uint32_t current = atomic_load_explicit(&cell->current, memory_order_acquire);
        if ((current & SLOT_MASK) != slot) {
            *ret_slot = slot;
            return true;
        }
        unclaim(cell, slot);
    }
    return false;
}

static void fill(struct wrn_path_cell *cell, uint32_t slot, const struct wrn_path *path) {
    uint64_t words[WRN_PATH_CELL_WORDS];
    memcpy(words, path, sizeof words);
    for (size_t i = 0; i < WRN_PATH_CELL_WORDS; i++) {
        atomic_store_explicit(&cell->words[slot][i], words[i], memory_order_release);
    }
}

/* Moves 'current' from '*before' to the slot, or finds what it is by now. */
static bool move(struct wrn_path_cell *cell, uint32_t *before, uint32_t slot) {
    uint32_t after = (((*before >> SLOT_BITS) + 1) << SLOT_BITS) | slot;
    return atomic_compare_exchange_strong_explicit(&cell->current, before, after,
                                                   memory_order_acq_rel, memory_order_acquire);
}

static void unclaim(struct wrn_path_cell *cell, uint32_t slot) {
    atomic_store_explicit(&cell->taken[slot], false, memory_order_release);
}
