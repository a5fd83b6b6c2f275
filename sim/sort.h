/* SPDX-License-Identifier: Apache-2.0 */
/* Sorts arrays in place, in the same way on every machine: the C library's calls what it likes. */
#pragma once
#include "base/base.h"

enum { SIM_SORT_SIZE_MAX = 64 };

/* Sorts 'count' elements of 'size' bytes (at most SIM_SORT_SIZE_MAX) by 'compare', which is as
 * qsort's. Equal elements may change places. O(n log n). */
void sim_sort(void *elements, uint32_t count, size_t size,
              int (*compare)(const void *a, const void *b));
