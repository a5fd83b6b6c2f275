/* SPDX-License-Identifier: Apache-2.0 */
/* The table of links, an array in the order of the ring. Decides nothing and sends nothing. */
#include "overlay/links.h"

void wrn_links_init(struct wrn_links *links, struct wrn_arena *arena, wrn_id self,
                    uint32_t capacity) {
    links->self = self;
    links->links = wrn_arena_take(arena, capacity, sizeof(struct wrn_link));
    links->count = 0;
    links->capacity = capacity;
}

struct wrn_link *wrn_links_add(struct wrn_links *links, wrn_handle peer, wrn_id id) {
    if (links->count == links->capacity) {
        return NULL;
    }
    uint32_t place = wrn_links_place(links, id);
    struct wrn_link *link = &links->links[place];
    WRN_ASSERT(!wrn_id_equal(id, links->self));
    WRN_ASSERT(place == links->count || !wrn_id_equal(link->id, id));
    memmove(link + 1, link, (links->count - place) * sizeof(*link));
    links->count++;
    *link = (struct wrn_link){.peer = peer, .id = id};
    return link;
}

void wrn_links_remove(struct wrn_links *links, wrn_handle peer) {
    struct wrn_link *link = wrn_links_of(links, peer);
    if (link == NULL) {
        return;
    }
    uint32_t place = (uint32_t)(link - links->links);
    links->count--;
    memmove(link, link + 1, (links->count - place) * sizeof(*link));
}

struct wrn_link *wrn_links_of(const struct wrn_links *links, wrn_handle peer) {
    for (uint32_t i = 0; i < links->count; i++) {
        if (wrn_handle_equal(links->links[i].peer, peer)) {
            return &links->links[i];
        }
    }
    return NULL;
}

struct wrn_link *wrn_links_at(const struct wrn_links *links, wrn_id id) {
    uint32_t place = wrn_links_place(links, id);
    if (place == links->count || !wrn_id_equal(links->links[place].id, id)) {
        return NULL;
    }
    return &links->links[place];
}

uint32_t wrn_links_place(const struct wrn_links *links, wrn_id id) {
    wrn_id way = wrn_id_subtract(id, links->self);
    uint32_t low = 0;
    uint32_t high = links->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (wrn_id_less(wrn_id_subtract(links->links[middle].id, links->self), way)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct wrn_link *wrn_links_right(const struct wrn_links *links, uint32_t n) {
    return n < links->count ? &links->links[n] : NULL;
}

struct wrn_link *wrn_links_left(const struct wrn_links *links, uint32_t n) {
    return n < links->count ? &links->links[links->count - 1 - n] : NULL;
}

bool wrn_links_is_nearest(const struct wrn_links *links, wrn_id target, wrn_handle except) {
    for (uint32_t i = 0; i < links->count; i++) {
        const struct wrn_link *link = &links->links[i];
        if (wrn_link_is_of_ring(link) && !wrn_handle_equal(link->peer, except) &&
            wrn_id_is_nearer(target, link->id, links->self)) {
            return false;
        }
    }
    return true;
}

uint32_t wrn_links_rank(const struct wrn_links *links, wrn_id target, wrn_id id) {
    uint32_t rank = wrn_id_is_nearer(target, links->self, id) ? 1 : 0;
    for (uint32_t i = 0; i < links->count; i++) {
        const struct wrn_link *link = &links->links[i];
        if (wrn_link_is_of_ring(link) && wrn_id_is_nearer(target, link->id, id)) {
            rank++;
        }
    }
    return rank;
}
