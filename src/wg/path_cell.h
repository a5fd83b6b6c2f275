/* SPDX-License-Identifier: Apache-2.0 */
/* A path that any thread changes and any thread reads, whole, while nobody waits for anybody, not
 * even for a thread that was put to sleep half-way. Only atomics. */
#pragma once
#include <stdatomic.h>

#include "base/address.h"

enum {
    WRN_PATH_CELL_WORDS = sizeof(struct wrn_path) / sizeof(uint64_t),
    WRN_PATH_CELL_SLOTS = 4,
};

/* Who writes. The owner is one thread, whose writes always succeed. */
enum wrn_path_writer { WRN_PATH_OWNER, WRN_PATH_OTHERS };

/* Zeroed: the path that is all zero. */
struct wrn_path_cell {
    _Atomic uint32_t current;                   /* its slot, and above that the number of writes */
    _Atomic uint8_t taken[WRN_PATH_CELL_SLOTS]; /* by a thread that writes there */
    _Atomic uint64_t words[WRN_PATH_CELL_SLOTS][WRN_PATH_CELL_WORDS];
};

/* Puts a path in. Returns false, with nothing changed, if another thread was just putting one in
 * (never to the owner): that is as if the other's had come right after this one. */
bool wrn_path_cell_write(struct wrn_path_cell *cell, enum wrn_path_writer writer,
                         const struct wrn_path *path);

/* Copies the path out. Any thread. */
void wrn_path_cell_read(const struct wrn_path_cell *cell, struct wrn_path *ret_path);

/* Makes the path one without source address and interface, wherever it leads and however. Owner. */
void wrn_path_cell_clear_source(struct wrn_path_cell *cell);

/* Tells whether two paths are the same in every part. */
bool wrn_path_equal(const struct wrn_path *a, const struct wrn_path *b);
