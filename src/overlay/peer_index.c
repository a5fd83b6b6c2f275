/* SPDX-License-Identifier: Apache-2.0 */
/* Finds peers: by the numbers that they know us by, by place, by key, by address. The tables hold
 * indexes of the pool and are compared with what stands there. */
#include "base/keymap.h"
#include "overlay/overlay_internal.h"

static uint32_t number_home(const struct wrn_overlay *overlay, uint64_t number);
static uint32_t id_home(const struct wrn_overlay *overlay, wrn_id id);
static void put(struct wrn_peer_index *index, uint32_t home, wrn_handle handle);
static bool is_at(const struct wrn_overlay *overlay, const struct wrn_overlay_peer *peer,
                  const struct wrn_endpoint *from, uint32_t hash);
static uint32_t slots_for(uint32_t count);

void wrn_peers_init(struct wrn_overlay *overlay, struct wrn_arena *arena, uint32_t peers_max) {
    uint32_t numbers = slots_for(4 * peers_max);
    uint32_t ids = slots_for(2 * peers_max);
    overlay->peers_max = peers_max;
    wrn_pool_init(&overlay->pool, arena, peers_max, sizeof(struct wrn_overlay_peer));
    wrn_dues_init(&overlay->dues, arena, peers_max);
    overlay->by_number.slots = wrn_arena_take(arena, numbers, sizeof(uint16_t));
    overlay->by_number.mask = numbers - 1;
    overlay->by_id.slots = wrn_arena_take(arena, ids, sizeof(uint16_t));
    overlay->by_id.mask = ids - 1;
    overlay->by_address = wrn_arena_take(arena, ids, sizeof(uint16_t));
    overlay->by_address_mask = ids - 1;
}

struct wrn_overlay_peer *wrn_peers_get(const struct wrn_overlay *overlay, wrn_handle handle) {
    return wrn_pool_get(&overlay->pool, handle);
}

struct wrn_overlay_peer *wrn_peers_at(const struct wrn_overlay *overlay, wrn_id id) {
    const struct wrn_peer_index *index = &overlay->by_id;
    for (uint32_t i = id_home(overlay, id); index->slots[i]; i = (i + 1) & index->mask) {
        struct wrn_overlay_peer *peer = wrn_pool_at(&overlay->pool, index->slots[i] - 1u, NULL);
        if (peer && wrn_id_equal(peer->id, id)) {
            return peer;
        }
    }
    return NULL;
}

struct wrn_overlay_peer *wrn_peers_of_number(const struct wrn_overlay *overlay, uint64_t number) {
    const struct wrn_peer_index *index = &overlay->by_number;
    if (number == 0) {
        return NULL;
    }
    for (uint32_t i = number_home(overlay, number); index->slots[i]; i = (i + 1) & index->mask) {
        struct wrn_overlay_peer *peer = wrn_pool_at(&overlay->pool, index->slots[i] - 1u, NULL);
        if (peer && (peer->pair.our_receiver == number || peer->our_other == number)) {
            return peer;
        }
    }
    return NULL;
}

struct wrn_overlay_peer *wrn_peers_of_key(const struct wrn_overlay *overlay,
                                          const uint8_t tunnel_key[WRN_KEY_SIZE]) {
    uint32_t cursor = 0;
    struct wrn_overlay_peer *peer = wrn_peers_next(overlay, &cursor);
    while (peer && memcmp(peer->tunnel_key, tunnel_key, WRN_KEY_SIZE) != 0) {
        peer = wrn_peers_next(overlay, &cursor);
    }
    return peer;
}

uint32_t wrn_peers_address_hash(const struct wrn_overlay *overlay,
                                const struct wrn_endpoint *from) {
    uint8_t bytes[23];
    memcpy(bytes, from->ip.bytes, 16);
    bytes[16] = from->ip.family;
    wrn_store_be16(bytes + 17, from->port);
    wrn_store_be32(bytes + 19, from->scope_id);
    uint32_t hash = (uint32_t)wrn_siphash(overlay->digest_key, bytes, sizeof(bytes));
    return hash != 0 ? hash : 1;
}

struct wrn_overlay_peer *wrn_peers_of_address(struct wrn_overlay *overlay,
                                              const struct wrn_endpoint *from) {
    struct wrn_overlay_peer *peer = wrn_peers_look_address(overlay, from);
    if (peer) {
        uint32_t hash = wrn_peers_address_hash(overlay, from);
        overlay->by_address[hash & overlay->by_address_mask] = (uint16_t)(peer->handle.index + 1);
    }
    return peer;
}

struct wrn_overlay_peer *wrn_peers_look_address(const struct wrn_overlay *overlay,
                                                const struct wrn_endpoint *from) {
    uint32_t hash = wrn_peers_address_hash(overlay, from);
    uint16_t guess = overlay->by_address[hash & overlay->by_address_mask];
    struct wrn_overlay_peer *peer = guess ? wrn_pool_at(&overlay->pool, guess - 1u, NULL) : NULL;
    if (peer && is_at(overlay, peer, from, hash)) {
        return peer;
    }
    uint32_t cursor = 0;
    for (peer = wrn_peers_next(overlay, &cursor); peer; peer = wrn_peers_next(overlay, &cursor)) {
        if (is_at(overlay, peer, from, hash)) {
            return peer;
        }
    }
    return NULL;
}

struct wrn_overlay_peer *wrn_peers_next(const struct wrn_overlay *overlay, uint32_t *cursor) {
    while (*cursor < overlay->pool.touched) {
        struct wrn_overlay_peer *peer = wrn_pool_at(&overlay->pool, (*cursor)++, NULL);
        if (peer && peer->handle.generation != 0) {
            return peer;
        }
    }
    return NULL;
}

uint64_t wrn_peers_draw_number(const struct wrn_overlay *overlay) {
    uint64_t number = 0;
    while (number == 0 || wrn_peers_of_number(overlay, number) ||
           wrn_linker_has_number(overlay, number)) {
        wrn_rand_fill(overlay->rand, &number, sizeof(number));
    }
    return number;
}

void wrn_peers_add_number(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer,
                          uint64_t number) {
    if (number == peer->pair.our_receiver || number == peer->our_other) {
        return;
    }
    bool had_other = peer->our_other != 0;
    peer->our_other = number;
    if (had_other) {
        wrn_peers_leave(overlay);
    } else {
        put(&overlay->by_number, number_home(overlay, number), peer->handle);
    }
}

void wrn_peers_enter(struct wrn_overlay *overlay, struct wrn_overlay_peer *peer) {
    put(&overlay->by_id, id_home(overlay, peer->id), peer->handle);
    put(&overlay->by_number, number_home(overlay, peer->pair.our_receiver), peer->handle);
    if (peer->our_other != 0) {
        put(&overlay->by_number, number_home(overlay, peer->our_other), peer->handle);
    }
}

/* Entries cannot be taken out of open addressing one by one without knowing which key each is for;
 * so the tables are filled anew, which is rare and O(peers). */
void wrn_peers_leave(struct wrn_overlay *overlay) {
    memset(overlay->by_id.slots, 0, (overlay->by_id.mask + 1u) * sizeof(uint16_t));
    memset(overlay->by_number.slots, 0, (overlay->by_number.mask + 1u) * sizeof(uint16_t));
    uint32_t cursor = 0;
    for (struct wrn_overlay_peer *peer = wrn_peers_next(overlay, &cursor); peer;
         peer = wrn_peers_next(overlay, &cursor)) {
        wrn_peers_enter(overlay, peer);
    }
}

/* Numbers are our own random ones: nobody else chooses where they collide. */
static uint32_t number_home(const struct wrn_overlay *overlay, uint64_t number) {
    return (uint32_t)number & overlay->by_number.mask;
}

static uint32_t id_home(const struct wrn_overlay *overlay, wrn_id id) {
    uint8_t bytes[WRN_ID_SIZE];
    wrn_id_store(id, bytes);
    return (uint32_t)wrn_siphash(overlay->digest_key, bytes, sizeof(bytes)) & overlay->by_id.mask;
}

static void put(struct wrn_peer_index *index, uint32_t home, wrn_handle handle) {
    uint32_t i = home;
    while (index->slots[i]) {
        i = (i + 1) & index->mask;
    }
    index->slots[i] = (uint16_t)(handle.index + 1);
}

static bool is_at(const struct wrn_overlay *overlay, const struct wrn_overlay_peer *peer,
                  const struct wrn_endpoint *from, uint32_t hash) {
    if (peer->state < WRN_PEER_STATE_GREETING) {
        return false;
    }
    const struct wrn_way *way = wrn_paths_way(overlay->paths, peer->handle);
    return peer->from == hash ||
           (way->kind == WRN_WAY_DIRECT && wrn_endpoint_equal(&way->remote, from));
}

static uint32_t slots_for(uint32_t count) {
    uint32_t slots = 16;
    while (slots < count) {
        slots *= 2;
    }
    return slots;
}
