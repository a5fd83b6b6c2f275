/* SPDX-License-Identifier: Apache-2.0 */
/* A path that one thread changes and others read, whole, without waiting for one another: a
 * sequence number says whether a copy was torn, and then it is made again. Only atomics. */
#pragma once
#include <stdatomic.h>

#include "base/address.h"

enum { WRN_PATH_CELL_WORDS = sizeof(struct wrn_path) / sizeof(uint64_t) };

struct wrn_path_cell {
    _Atomic uint32_t version; /* odd: being written */
    _Atomic uint64_t words[WRN_PATH_CELL_WORDS];
};

/* Puts a path in. One thread only. */
void wrn_path_cell_write(struct wrn_path_cell *cell, const struct wrn_path *path);

/* Copies the path out. Any thread. */
void wrn_path_cell_read(const struct wrn_path_cell *cell, struct wrn_path *ret_path);

/* Tells whether two paths are the same in every part. */
bool wrn_path_equal(const struct wrn_path *a, const struct wrn_path *b);
