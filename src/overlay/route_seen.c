/* SPDX-License-Identifier: Apache-2.0 */
/* The last few hashes of things that came, so that they are not taken twice. Hashes nothing. */
#include "overlay/route_internal.h"

static uint32_t find(const struct wrn_route_seen *seen, uint32_t hash);
static uint32_t short_of(uint64_t hash);

void wrn_route_seen_init(struct wrn_route_seen *seen, struct wrn_arena *arena, uint32_t size) {
    seen->hashes = wrn_arena_take(arena, size, sizeof(*seen->hashes));
    seen->size = size;
    seen->next = 0;
}

bool wrn_route_seen_add(struct wrn_route_seen *seen, uint64_t hash) {
    if (find(seen, short_of(hash)) < seen->size) {
        return false;
    }
    seen->hashes[seen->next] = short_of(hash);
    seen->next = (seen->next + 1) % seen->size;
    return true;
}

bool wrn_route_seen_take(struct wrn_route_seen *seen, uint64_t hash) {
    uint32_t place = find(seen, short_of(hash));
    if (place == seen->size) {
        return false;
    }
    seen->hashes[place] = 0;
    return true;
}

/* Returns its place; 'size' if it is not there. */
static uint32_t find(const struct wrn_route_seen *seen, uint32_t hash) {
    uint32_t place = 0;
    while (place < seen->size && seen->hashes[place] != hash) {
        place++;
    }
    return place;
}

/* Half of a hash is kept: two of a few hundred that are the same by chance are rarer than losses
 * that nothing can mend. Nobody outside knows the key. */
static uint32_t short_of(uint64_t hash) {
    uint32_t half = (uint32_t)(hash >> 32);
    return half != 0 ? half : 1;
}
