/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: no message of a peer and no order of links, answers, messages and time breaks the ring
 * machine or makes it say much. Method: the input is a program for one machine: links come and go,
 * wants end, statuses and payloads have chosen fields or none, time passes. What it says is
 * well-formed and little, and it is never due in the past. */
#include "fuzz.h"

#include <stdlib.h>

#include "base/rand.h"
#include "overlay/ring_internal.h"

enum { PEERS = 14, ROOM = 12, STEPS_MAX = 400, SAID_MAX = 3 * ROOM + WRN_RING_WANTS_MAX };

struct input {
    const uint8_t *next;
    size_t left;
};

struct world {
    struct wrn_prng prng;
    struct wrn_links links;
    struct wrn_ring *ring;
    wrn_mono now;
    wrn_id ids[PEERS];
    uint32_t said;       /* messages, payloads and wants of this step */
    uint32_t tag;        /* of the last want */
    uint32_t find;       /* number of the last question */
    uint32_t generation; /* of the links */
};

static uint8_t byte(struct input *in) {
    if (in->left == 0) {
        return 0;
    }
    in->left--;
    return *in->next++;
}

static void on_want(void *ctx, const struct wrn_want *want) {
    struct world *w = ctx;
    WRN_ASSERT(want->kind != 0 &&
               (want->first.generation == 0 || wrn_links_of(&w->links, want->first) != NULL));
    w->tag = want->tag;
    w->said++;
}

static void on_keep(void *ctx, wrn_handle peer, uint8_t kinds) {
    struct world *w = ctx;
    const struct wrn_link *link = wrn_links_of(&w->links, peer);
    WRN_ASSERT(link != NULL && link->mine == kinds);
}

static void on_send(void *ctx, wrn_handle peer, wrn_span message) {
    struct world *w = ctx;
    struct wrn_reader reader = wrn_reader(message);
    WRN_ASSERT(wrn_links_of(&w->links, peer) != NULL);
    uint8_t kind = wrn_read_u8(&reader);
    if (kind == WRN_MESSAGE_STATUS) {
        struct wrn_ring_view view;
        (void)wrn_read_u32(&reader);
        WRN_ASSERT(wrn_ring_view_read(&reader, w->links.self, &view));
    } else {
        WRN_ASSERT(kind == WRN_MESSAGE_STATUS_ASK && message.size == 6);
    }
    w->said++;
}

static enum wrn_reason on_route(void *ctx, const struct wrn_route_header *header, wrn_handle first,
                                wrn_span payload) {
    struct world *w = ctx;
    (void)header;
    WRN_ASSERT(first.generation == 0 || wrn_links_of(&w->links, first) != NULL);
    WRN_ASSERT(payload.size >= 6 && payload.data[0] == WRN_PAYLOAD_FIND);
    w->find = wrn_load_be32(payload.data + 2);
    w->said++;
    return WRN_REASON_NONE;
}

static void on_epoch(void *ctx, uint32_t epoch) {
    (void)ctx;
    WRN_ASSERT(epoch != 0);
}

static void on_state(void *ctx, enum wrn_ring_state state) {
    struct world *w = ctx;
    WRN_ASSERT((state == WRN_RING_STATE_ALONE) == (w->links.count == 0));
}

static void on_neighbours(void *ctx) {
    (void)ctx;
}

static void on_found(void *ctx, uint32_t tag, wrn_id id, bool is_last, enum wrn_reason reason) {
    (void)ctx;
    (void)id;
    WRN_ASSERT(tag < 256 && (is_last || reason == WRN_REASON_NONE));
}

static struct wrn_ring *build(struct world *w, struct wrn_arena *arena) {
    static const struct wrn_ring_options options = {
        .wants_shortcuts = true, .on_demand_idle_s = 60, .crawls_max = 2};
    struct wrn_ring_port port = {.ctx = w,
                                 .want = on_want,
                                 .keep = on_keep,
                                 .send = on_send,
                                 .route = on_route,
                                 .epoch = on_epoch,
                                 .state = on_state,
                                 .neighbours = on_neighbours,
                                 .found = on_found};
    wrn_links_init(&w->links, arena, w->ids[0], ROOM);
    return wrn_ring_init(arena, &options, &w->links, port, wrn_prng_rand(&w->prng), w->now);
}

static wrn_id place(struct world *w, struct input *in) {
    uint8_t which = byte(in);
    wrn_id id = w->ids[which % PEERS];
    if ((which & 0x80) != 0) {
        id = wrn_id_add(id, (wrn_id){byte(in), byte(in)});
    }
    return id;
}

/* Writes a view as a peer may send it: as many places as it says, or not. */
static void write_view(struct world *w, struct input *in, struct wrn_writer *writer) {
    uint8_t flags = byte(in), counts = byte(in), hints = byte(in) & 7;
    uint32_t places = (counts >> 4 & 3u) + (counts & 3u) + hints + (flags >> 2 & 1u);
    wrn_write_u8(writer, flags & 15);
    wrn_write_u8(writer, counts & 0x33);
    wrn_write_u8(writer, hints);
    places += (flags & 0x40) != 0;
    for (uint32_t i = 0; i < places; i++) {
        wrn_write_id(writer, place(w, in));
    }
}

static void message(struct world *w, struct input *in, wrn_handle peer, uint8_t kind) {
    uint8_t out[256];
    struct wrn_writer writer = wrn_writer(out, sizeof(out));
    wrn_write_u8(&writer, kind);
    if (kind == WRN_MESSAGE_STATUS) {
        wrn_write_u32(&writer, byte(in));
        write_view(w, in, &writer);
    } else {
        wrn_write_u8(&writer, byte(in) & 3);
        wrn_write_u32(&writer, byte(in));
    }
    wrn_ring_on_message(w->ring, w->now, peer, wrn_written(&writer));
}

static void payload(struct world *w, struct input *in, wrn_handle peer) {
    uint8_t out[256];
    struct wrn_writer writer = wrn_writer(out, sizeof(out));
    uint8_t verb = byte(in);
    struct wrn_route_header header = {.source = place(w, in), .has_via = (verb & 8) != 0};
    wrn_write_u8(&writer, WRN_PAYLOAD_FIND);
    wrn_write_u8(&writer, verb & 3);
    wrn_write_u32(&writer, (verb & 16) != 0 ? byte(in) : w->find);
    if ((verb & 3) == 2) {
        write_view(w, in, &writer);
    }
    if ((verb & 4) != 0) {
        wrn_ring_on_undelivered(w->ring, w->now, WRN_REASON_NOBODY_THERE, wrn_written(&writer));
    } else {
        wrn_ring_on_payload(w->ring, w->now, &header, peer, wrn_written(&writer));
    }
}

static void link_up(struct world *w, wrn_id id, uint8_t kinds) {
    if (w->links.count == ROOM || wrn_links_at(&w->links, id) != NULL ||
        wrn_id_equal(id, w->ids[0])) {
        return;
    }
    w->generation += 2;
    wrn_handle peer = {w->generation % 64, w->generation + 1};
    struct wrn_link *link = wrn_links_add(&w->links, peer, id);
    link->since = w->now;
    link->mine = kinds & WRN_LINK_LEAF;
    link->theirs = kinds >> 4 & 7;
    link->is_relayed = (kinds & 1) != 0;
    wrn_ring_on_link_up(w->ring, w->now, peer);
}

static void on_link(struct world *w, struct input *in, uint8_t verb, struct wrn_link *link) {
    wrn_handle peer = link->peer;
    wrn_id id = link->id;
    switch (verb) {
    case 1:
        wrn_links_remove(&w->links, peer);
        wrn_ring_on_link_down(w->ring, w->now, peer, id);
        break;
    case 2:
        message(w, in, peer, WRN_MESSAGE_STATUS);
        break;
    case 3:
        message(w, in, peer, WRN_MESSAGE_STATUS_ASK);
        break;
    case 4:
        payload(w, in, peer);
        break;
    case 5:
        wrn_ring_on_epoch(w->ring, w->now, peer, byte(in));
        break;
    case 6:
        wrn_ring_on_want_done(w->ring, w->now, w->tag, peer, id, WRN_REASON_NONE);
        break;
    case 7:
        link->rtt_us = byte(in) * 1000u;
        link->is_relayed = (byte(in) & 1) != 0;
        wrn_ring_on_link_change(w->ring, w->now, peer);
        break;
    case 8:
        wrn_ring_on_traffic(w->ring, w->now, peer);
        break;
    case 9:
        wrn_ring_look_through(w->ring, w->now, peer);
        break;
    default: {
        uint8_t size = byte(in);
        size = size > in->left ? (uint8_t)in->left : size;
        wrn_ring_on_message(w->ring, w->now, peer, (wrn_span){in->next, size});
        in->next += size;
        in->left -= size;
        break;
    }
    }
}

static void step(struct world *w, struct input *in) {
    uint8_t verb = byte(in) % 16, which = byte(in);
    w->said = 0;
    if (verb == 0) {
        link_up(w, place(w, in), which);
    } else if (verb <= 10) {
        if (w->links.count > 0) {
            on_link(w, in, verb, &w->links.links[which % w->links.count]);
        }
    } else if (verb == 11) {
        wrn_ring_on_want_done(w->ring, w->now, w->tag, WRN_HANDLE_NONE, w->ids[which % PEERS],
                              WRN_REASON_NOBODY_THERE);
    } else if (verb == 12) {
        (void)wrn_ring_crawl(w->ring, w->now, which, 1 + byte(in));
        (void)wrn_ring_accepts(w->ring, WRN_LINK_SHORTCUT, place(w, in));
    } else {
        wrn_mono due = wrn_ring_due(w->ring);
        bool waits = verb == 13 || due.ns == UINT64_MAX || due.ns < w->now.ns;
        w->now = waits ? wrn_mono_add(w->now, WRN_MS(100) * which) : due;
        wrn_ring_on_time(w->ring, w->now);
        due = wrn_ring_due(w->ring);
        WRN_ASSERT(wrn_mono_before(w->now, due));
    }
    WRN_ASSERT(w->said <= SAID_MAX);
    WRN_ASSERT(wrn_ring_size(w->ring) >= (uint64_t)w->links.count + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input in = {data, size};
    struct world w = {.now = {WRN_S(1000)}};
    wrn_prng_init(&w.prng, byte(&in), 0);
    for (uint32_t i = 0; i < PEERS; i++) {
        w.ids[i] = (wrn_id){wrn_prng_next(&w.prng), (uint32_t)wrn_prng_next(&w.prng)};
    }
    struct wrn_arena arena;
    wrn_arena_init(&arena, NULL, 0);
    (void)build(&w, &arena);
    size_t room = (arena.used + 63) / 64 * 64;
    void *memory = aligned_alloc(64, room);
    if (memory == NULL) {
        return 0;
    }
    memset(memory, 0, room);
    wrn_arena_init(&arena, memory, room);
    w.ring = build(&w, &arena);
    for (uint32_t i = 0; i < STEPS_MAX && in.left > 0; i++) {
        step(&w, &in);
    }
    free(memory);
    return 0;
}
