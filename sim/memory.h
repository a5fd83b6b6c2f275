/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of the simulator: zeroed, or the program ends. For tools only, never for the core. */
#pragma once
#include <stdlib.h>

#include "base/base.h"

/* Returns 'count' zeroed elements of 'size' bytes, to be freed with free(). */
static inline void *sim_take(size_t count, size_t size) {
    void *memory = calloc(count, size);
    WRN_ASSERT(memory != NULL);
    return memory;
}

/* Makes an array of 'size'-byte elements longer if it has no room for one more, and returns it.
 * 'capacity' counts elements and is brought up to date; new elements are zeroed. O(1) amortised. */
static inline void *sim_grow(void *array, uint32_t count, uint32_t *capacity, size_t size) {
    if (count < *capacity) {
        return array;
    }
    uint32_t wanted = *capacity < 8 ? 8 : 2 * *capacity;
    WRN_ASSERT(wanted > *capacity);
    uint8_t *grown = realloc(array, wanted * size);
    WRN_ASSERT(grown != NULL);
    memset(grown + *capacity * size, 0, (wanted - *capacity) * size);
    *capacity = wanted;
    return grown;
}
