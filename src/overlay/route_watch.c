/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that wait until the next node acknowledges them: kept in fixed room, sent again, sent by
 * another link, given up. Does not choose links. */
#include "overlay/route_internal.h"

#include "base/wire.h"

enum {
    SLOT_MASK = (1 << WRN_ROUTE_SLOT_BITS) - 1,
    RTT_MAX_US = 3000000, /* a peer that delays its answers delays our retries no longer */
};

static void transmit(struct wrn_route *route, wrn_mono now, uint32_t slot,
                     const struct wrn_link *link);
static void again(struct wrn_route *route, wrn_mono now, uint32_t slot,
                  const struct wrn_link *link);
static void reroute(struct wrn_route *route, wrn_mono now, uint32_t slot,
                    const struct wrn_link *link);
static void piece_failed(struct wrn_route *route, wrn_mono now, uint32_t slot);
static void release(struct wrn_route *route, uint32_t slot);
static wrn_mono patience(wrn_mono now, const struct wrn_link *link);
static uint32_t free_slot(struct wrn_route_watches *watches);
static uint16_t take_block(struct wrn_route_watches *watches);
static size_t gather(const struct wrn_route_watches *watches, uint16_t blob, uint8_t *out);
static size_t assemble(const struct wrn_route_watches *watches, const struct wrn_watch *watch,
                       uint8_t ret_message[WRN_MESSAGE_MAX]);
static void mark_suspect(struct wrn_route *route, const struct wrn_link *link);

void wrn_route_watches_init(struct wrn_route_watches *watches, struct wrn_arena *arena,
                            const struct wrn_route_options *options) {
    uint32_t blocks = options->watched_bytes / WRN_ROUTE_BLOCK;
    watches->capacity = options->watched_max;
    watches->block_count = blocks < WRN_ROUTE_NO_BLOB ? blocks : WRN_ROUTE_NO_BLOB;
    watches->watches = wrn_arena_take(arena, watches->capacity, sizeof(*watches->watches));
    watches->blocks = wrn_arena_take(arena, watches->block_count, sizeof(*watches->blocks));
    watches->free_block = WRN_ROUTE_NO_BLOB;
    watches->fresh_block = 0;
}

void wrn_route_post(struct wrn_route *route, wrn_mono now, const struct wrn_link *link,
                    const struct wrn_parcel *parcel) {
    struct wrn_route_watches *watches = &route->watches;
    uint32_t slot = free_slot(watches);
    uint16_t blob = WRN_ROUTE_NO_BLOB;
    if (slot < watches->capacity && parcel->blob != WRN_ROUTE_NO_BLOB) {
        blob = parcel->blob;
        watches->blocks[blob].references++;
    } else if (slot < watches->capacity) {
        blob = wrn_route_blob_keep(route, parcel->payload);
    }
    if (blob == WRN_ROUTE_NO_BLOB) {
        uint8_t message[WRN_MESSAGE_MAX];
        struct wrn_writer writer = wrn_writer(message, sizeof(message));
        wrn_write_bytes(&writer, parcel->head.bytes, parcel->head.size);
        wrn_route_set_number(message, 0);
        wrn_write_span(&writer, parcel->payload);
        route->counts[WRN_ROUTE_COUNT_UNWATCHED]++;
        route->port.send(route->port.ctx, link->peer, wrn_written(&writer));
        return;
    }
    struct wrn_watch *watch = &watches->watches[slot];
    *watch = (struct wrn_watch){
        .peer = link->peer,
        .number = watches->next_number++ << WRN_ROUTE_SLOT_BITS | (slot + 1),
        .blob = blob,
        .attempts = parcel->attempts,
        .course = (uint8_t)parcel->course,
        .is_pinned = parcel->is_pinned,
        .head = parcel->head,
    };
    transmit(route, now, slot, link);
}

uint16_t wrn_route_blob_keep(struct wrn_route *route, wrn_span payload) {
    struct wrn_route_watches *watches = &route->watches;
    uint16_t first = WRN_ROUTE_NO_BLOB;
    uint16_t last = WRN_ROUTE_NO_BLOB;
    for (size_t done = 0; done < payload.size;) {
        uint16_t block = take_block(watches);
        if (block == WRN_ROUTE_NO_BLOB) {
            if (first != WRN_ROUTE_NO_BLOB) {
                wrn_route_blob_drop(route, first);
            }
            return WRN_ROUTE_NO_BLOB;
        }
        struct wrn_route_block *to = &watches->blocks[block];
        size_t piece = payload.size - done;
        piece = piece < sizeof(to->bytes) ? piece : sizeof(to->bytes);
        memcpy(to->bytes, payload.data + done, piece);
        done += piece;
        if (first == WRN_ROUTE_NO_BLOB) {
            first = block;
            to->references = 1;
            to->size = (uint16_t)payload.size;
        } else {
            watches->blocks[last].next = block;
        }
        last = block;
    }
    return first;
}

void wrn_route_blob_drop(struct wrn_route *route, uint16_t blob) {
    struct wrn_route_watches *watches = &route->watches;
    if (blob == WRN_ROUTE_NO_BLOB) {
        return;
    }
    WRN_ASSERT(watches->blocks[blob].references > 0);
    if (--watches->blocks[blob].references > 0) {
        return;
    }
    uint16_t last = blob;
    while (watches->blocks[last].next != WRN_ROUTE_NO_BLOB) {
        last = watches->blocks[last].next;
    }
    watches->blocks[last].next = watches->free_block;
    watches->free_block = blob;
}

uint32_t wrn_route_watches_free(const struct wrn_route_watches *watches) {
    uint32_t free = 0;
    for (uint32_t i = 0; i < watches->capacity; i++) {
        free += watches->watches[i].number == 0;
    }
    return free;
}

void wrn_route_on_hop_ack(struct wrn_route *route, wrn_handle peer, uint32_t number) {
    uint32_t slot = (number & SLOT_MASK) - 1;
    if (slot >= route->watches.capacity) {
        return;
    }
    const struct wrn_watch *watch = &route->watches.watches[slot];
    if (watch->number != number) {
        return; /* acknowledged before, or given up */
    }
    bool is_asked = wrn_handle_equal(watch->peer, peer);
    for (uint32_t i = 0; i < watch->tried.count; i++) {
        is_asked = is_asked || wrn_handle_equal(watch->tried.peers[i], peer);
    }
    if (is_asked) {
        release(route, slot);
    }
}

void wrn_route_watch_failed(struct wrn_route *route, wrn_mono now, uint32_t slot, bool is_gone) {
    struct wrn_watch *watch = &route->watches.watches[slot];
    const struct wrn_link *link = is_gone ? NULL : wrn_links_of(route->links, watch->peer);
    uint8_t kind = watch->head.bytes[0];
    if (link != NULL && watch->here >= 2) {
        mark_suspect(route, link);
    }
    if (kind == WRN_MESSAGE_BROADCAST) {
        if (link != NULL && watch->here == 1) {
            again(route, now, slot, link);
        } else {
            piece_failed(route, now, slot);
        }
        return;
    }
    if (link != NULL && watch->attempts < WRN_ROUTE_ATTEMPTS &&
        (watch->is_pinned || watch->attempts == 1)) {
        again(route, now, slot, link);
    } else if (kind == WRN_MESSAGE_ROUTED) {
        reroute(route, now, slot, link);
    } else {
        route->counts[WRN_ROUTE_COUNT_LOST]++;
        release(route, slot);
    }
}

/* Sends what waits at 'slot' by a link and sets the time for it to be acknowledged. */
static void transmit(struct wrn_route *route, wrn_mono now, uint32_t slot,
                     const struct wrn_link *link) {
    struct wrn_watch *watch = &route->watches.watches[slot];
    uint8_t message[WRN_MESSAGE_MAX];
    watch->here++;
    watch->attempts++;
    wrn_route_set_number(watch->head.bytes, watch->number);
    size_t size = assemble(&route->watches, watch, message);
    wrn_route_set_due(route, slot, patience(now, link));
    route->port.send(route->port.ctx, link->peer, (wrn_span){message, size});
}

static void again(struct wrn_route *route, wrn_mono now, uint32_t slot,
                  const struct wrn_link *link) {
    route->counts[WRN_ROUTE_COUNT_RETRIED]++;
    transmit(route, now, slot, link);
}

/* Chooses another link for a routed message; 'link' is the one that failed, NULL if it is gone. */
static void reroute(struct wrn_route *route, wrn_mono now, uint32_t slot,
                    const struct wrn_link *link) {
    struct wrn_watch *watch = &route->watches.watches[slot];
    uint8_t message[WRN_MESSAGE_MAX];
    struct wrn_routed routed;
    wrn_span bytes = {message, assemble(&route->watches, watch, message)};
    bool is_good = wrn_routed_read(bytes, &routed);
    WRN_ASSERT(is_good);
    /* As it was before it was sent. */
    routed.header.hops--;
    routed.course = watch->course;
    bool is_sideways =
        routed.header.mode == WRN_ROUTE_LEFT || routed.header.mode == WRN_ROUTE_RIGHT;
    if (is_sideways && !watch->is_pinned) {
        routed.header.steps++;
    }
    struct wrn_routed before = routed;
    struct wrn_route_tried tried = watch->tried;
    if (tried.count < WRN_ROUTE_TRIED) {
        tried.peers[tried.count++] = watch->peer;
    }
    const struct wrn_link *next = NULL;
    enum wrn_route_verdict verdict = WRN_ROUTE_NONE;
    if (!watch->is_pinned) {
        verdict = wrn_route_decide(route->links, &routed, NULL, &tried, &next);
    }
    if (watch->attempts < WRN_ROUTE_ATTEMPTS && verdict == WRN_ROUTE_FORWARD) {
        routed.header.hops++;
        watch->head = wrn_routed_write(&routed);
        watch->peer = next->peer;
        watch->tried = tried;
        watch->here = 0;
        route->counts[WRN_ROUTE_COUNT_REROUTED]++;
        transmit(route, now, slot, next);
        return;
    }
    if (watch->attempts < WRN_ROUTE_ATTEMPTS && link != NULL) {
        again(route, now, slot, link);
        return;
    }
    release(route, slot);
    if (verdict == WRN_ROUTE_DELIVER) {
        wrn_route_deliver(route, &before, WRN_HANDLE_NONE); /* those nearer to it do not live */
        return;
    }
    wrn_route_fail(route, now, &before,
                   link == NULL && verdict == WRN_ROUTE_NOBODY ? WRN_REASON_NOBODY_THERE
                                                               : WRN_REASON_TIMEOUT);
}

/* A piece of a broadcast was not taken: others get it. */
static void piece_failed(struct wrn_route *route, wrn_mono now, uint32_t slot) {
    const struct wrn_watch *watch = &route->watches.watches[slot];
    uint8_t message[WRN_MESSAGE_MAX];
    struct wrn_piece piece;
    bool is_good =
        wrn_piece_read((wrn_span){message, assemble(&route->watches, watch, message)}, &piece);
    WRN_ASSERT(is_good);
    wrn_handle peer = watch->peer;
    uint8_t attempts = watch->attempts;
    release(route, slot);
    wrn_route_mend(route, now, &piece, peer, attempts);
}

static void release(struct wrn_route *route, uint32_t slot) {
    struct wrn_watch *watch = &route->watches.watches[slot];
    wrn_route_blob_drop(route, watch->blob);
    *watch = (struct wrn_watch){0};
    route->watches.free_hint = slot;
    wrn_route_set_due(route, slot, WRN_MONO_NEVER);
}

/* Returns when an acknowledgement by 'link' should have come. */
static wrn_mono patience(wrn_mono now, const struct wrn_link *link) {
    uint32_t rtt_us = link->rtt_us < RTT_MAX_US ? link->rtt_us : RTT_MAX_US;
    uint64_t ns = 2 * (uint64_t)rtt_us * 1000 + WRN_MS(50);
    if (rtt_us == 0) {
        ns = WRN_MS(500);
    }
    return wrn_mono_add(now, ns > WRN_MS(100) ? ns : WRN_MS(100));
}

/* Returns a slot in which nothing waits; 'capacity' if there is none. */
static uint32_t free_slot(struct wrn_route_watches *watches) {
    for (uint32_t i = 0; i < watches->capacity; i++) {
        uint32_t slot = (watches->free_hint + i) % watches->capacity;
        if (watches->watches[slot].number == 0) {
            watches->free_hint = slot;
            return slot;
        }
    }
    return watches->capacity;
}

static uint16_t take_block(struct wrn_route_watches *watches) {
    uint16_t block = watches->free_block;
    if (block != WRN_ROUTE_NO_BLOB) {
        watches->free_block = watches->blocks[block].next;
    } else if (watches->fresh_block < watches->block_count) {
        block = watches->fresh_block++;
    } else {
        return WRN_ROUTE_NO_BLOB;
    }
    watches->blocks[block].next = WRN_ROUTE_NO_BLOB;
    return block;
}

/* Writes a kept payload to 'out'; returns its size. */
static size_t gather(const struct wrn_route_watches *watches, uint16_t blob, uint8_t *out) {
    size_t size = watches->blocks[blob].size;
    size_t done = 0;
    for (uint16_t at = blob; done < size; at = watches->blocks[at].next) {
        const struct wrn_route_block *block = &watches->blocks[at];
        size_t piece = size - done < sizeof(block->bytes) ? size - done : sizeof(block->bytes);
        memcpy(out + done, block->bytes, piece);
        done += piece;
    }
    return size;
}

/* Puts a message together again; returns its size. */
static size_t assemble(const struct wrn_route_watches *watches, const struct wrn_watch *watch,
                       uint8_t ret_message[WRN_MESSAGE_MAX]) {
    memcpy(ret_message, watch->head.bytes, watch->head.size);
    return watch->head.size + gather(watches, watch->blob, ret_message + watch->head.size);
}

static void mark_suspect(struct wrn_route *route, const struct wrn_link *link) {
    struct wrn_link *mine = wrn_links_of(route->links, link->peer);
    if (!mine->is_suspect) {
        mine->is_suspect = true;
        route->port.suspect(route->port.ctx, mine->peer);
    }
}
