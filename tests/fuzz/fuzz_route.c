/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: no message of a peer and no order of messages, time and lost links breaks the routing
 * machine or makes it say much. Method: the input is a program for one machine with a few links:
 * raw messages, messages with chosen fields, answers to what it sent, sends, time. What it sends is
 * well-formed and little; what it keeps is given back in the end. */
#include "fuzz.h"

#include <stdlib.h>

#include "base/rand.h"
#include "overlay/route_internal.h"

enum { PEERS = 7, STEPS_MAX = 200, SENT_MAX = 2 * WRN_ROUTE_FANOUT + 8 };

struct input {
    const uint8_t *next;
    size_t left;
};

struct world {
    struct wrn_prng prng;
    struct wrn_links links;
    struct wrn_route *route;
    wrn_mono now;
    wrn_id ids[PEERS];
    uint32_t sent;      /* since the last step */
    uint32_t callbacks; /* that sent something, in all */
    uint8_t last[WRN_MESSAGE_MAX];
    size_t last_size;
    wrn_handle last_peer;
};

static uint8_t byte(struct input *in) {
    if (in->left == 0) {
        return 0;
    }
    in->left--;
    return *in->next++;
}

static wrn_handle handle(uint32_t peer) {
    return (wrn_handle){peer, 1};
}

/* A message that the machine sends is one that it would take itself. */
static void on_send(void *ctx, wrn_handle peer, wrn_span message) {
    struct world *w = ctx;
    struct wrn_routed routed;
    struct wrn_piece piece;
    struct wrn_part part;
    uint32_t number;
    WRN_ASSERT(wrn_links_of(&w->links, peer) != NULL);
    WRN_ASSERT(message.size >= 1 && message.size <= WRN_ROUTE_WIRE_MAX);
    WRN_ASSERT(wrn_routed_read(message, &routed) || wrn_piece_read(message, &piece) ||
               wrn_part_read(message, &part) || wrn_hop_ack_read(message, &number));
    w->sent++;
    w->last_size = message.size;
    w->last_peer = peer;
    memcpy(w->last, message.data, message.size);
}

static void on_suspect(void *ctx, wrn_handle peer) {
    struct world *w = ctx;
    WRN_ASSERT(wrn_links_of(&w->links, peer)->is_suspect);
}

static void on_deliver(void *ctx, const struct wrn_route_header *header, wrn_handle from,
                       wrn_span payload) {
    struct world *w = ctx;
    (void)from;
    WRN_ASSERT(payload.size >= 1 && payload.size <= WRN_PAYLOAD_MAX);
    WRN_ASSERT(header->mode != WRN_ROUTE_EXACT || wrn_id_equal(header->target, w->links.self));
    if (w->callbacks++ < 50) {
        struct wrn_route_header reply = wrn_route_reply(header);
        reply.wants_trace = header->wants_trace;
        wrn_route_send(w->route, w->now, &reply, WRN_HANDLE_NONE, payload);
    }
}

static void on_undelivered(void *ctx, const struct wrn_route_header *header, enum wrn_reason reason,
                           wrn_span payload) {
    struct world *w = ctx;
    WRN_ASSERT(reason != WRN_REASON_NONE && payload.size <= WRN_PAYLOAD_MAX);
    WRN_ASSERT(wrn_id_equal(header->source, w->links.self));
}

static void on_broadcast(void *ctx, wrn_id source, wrn_span payload) {
    struct world *w = ctx;
    WRN_ASSERT(payload.size >= 1 && !wrn_id_equal(source, w->links.self));
    if (w->callbacks++ < 50) {
        wrn_route_broadcast(w->route, w->now, payload);
    }
}

static void on_contribute(void *ctx, wrn_span question, uint64_t ret_values[4]) {
    (void)ctx;
    WRN_ASSERT(question.size >= 1);
    ret_values[0] = UINT64_MAX;
    ret_values[1] = 1;
}

static void on_sum(void *ctx, uint32_t tag, const uint64_t values[4], uint64_t nodes,
                   bool is_complete) {
    (void)ctx;
    (void)tag;
    (void)is_complete;
    WRN_ASSERT(nodes >= 1 && values[0] == UINT64_MAX && values[1] >= 1);
}

static void add_link(struct world *w, uint32_t peer, uint8_t bits) {
    if (wrn_links_of(&w->links, handle(peer)) == NULL) {
        struct wrn_link *link = wrn_links_add(&w->links, handle(peer), w->ids[peer]);
        link->mine = bits % 8 == 0 ? WRN_LINK_LEAF : WRN_LINK_NEAR;
        link->rtt_us = bits * 1000u;
        link->view_left = bits & 3;
        link->view_right = bits >> 2 & 3;
        for (uint32_t i = 0; i < WRN_NEAR_PER_SIDE; i++) {
            link->left[i] = w->ids[(peer + i + bits) % PEERS];
            link->right[i] = wrn_id_add(link->id, (wrn_id){bits + i, 0});
        }
    }
}

static wrn_id place(struct world *w, struct input *in) {
    uint8_t which = byte(in);
    wrn_id id = which % 16 < PEERS ? w->ids[which % 16] : w->links.self;
    return which < 128 ? id : wrn_id_add(id, (wrn_id){(uint64_t)which << 55, which});
}

static wrn_span text(struct input *in) {
    static const uint8_t zeros[WRN_PAYLOAD_MAX];
    uint32_t size = byte(in) * 8u;
    return (wrn_span){zeros, size == 0 ? 1 : size < sizeof(zeros) ? size : sizeof(zeros)};
}

static struct wrn_route_header header(struct world *w, struct input *in) {
    uint8_t bits = byte(in);
    struct wrn_route_header header = {
        .source = place(w, in),
        .via = place(w, in),
        .target = place(w, in),
        .mode = bits & 3,
        .has_via = (bits & 4) != 0,
        .to_via = (bits & 0x0f) == 0x0c,
        .not_source = (bits & 0x10) != 0,
        .wants_trace = (bits & 0x20) != 0,
        .steps = byte(in),
        .hops = 1,
        .hop_limit = byte(in),
    };
    header.mode = header.to_via ? WRN_ROUTE_EXACT : header.mode;
    return header;
}

/* Hands the machine a message with fields as the input says. */
static void inject(struct world *w, struct input *in, uint32_t peer, uint8_t kind) {
    uint8_t message[WRN_MESSAGE_MAX];
    struct wrn_route_head head;
    wrn_span payload = text(in);
    if (kind % 2 == 0) {
        struct wrn_routed routed = {.header = header(w, in)};
        routed.origin = byte(in);
        routed.number = byte(in);
        routed.course = byte(in) % 3;
        routed.is_error = byte(in) % 4 == 0;
        head = wrn_routed_write(&routed);
    } else {
        struct wrn_piece piece = {.source = place(w, in),
                                  .from = place(w, in),
                                  .end = place(w, in),
                                  .origin = byte(in) % 8,
                                  .number = byte(in),
                                  .token = byte(in),
                                  .hops = byte(in),
                                  .budget = byte(in),
                                  .is_sum = byte(in) % 2 == 0};
        head = wrn_piece_write(&piece);
    }
    memcpy(message, head.bytes, head.size);
    memcpy(message + head.size, payload.data, payload.size);
    wrn_route_on_message(w->route, w->now, handle(peer),
                         (wrn_span){message, head.size + payload.size});
}

/* Answers what the machine sent last, rightly or nearly so. */
static void answer(struct world *w, struct input *in) {
    uint8_t bytes[WRN_ROUTE_BLOCK];
    struct wrn_piece piece;
    wrn_span last = {w->last, w->last_size};
    uint8_t how = byte(in);
    wrn_handle peer = how % 4 == 0 ? handle(how % PEERS) : w->last_peer;
    if (how < 128 && wrn_piece_read(last, &piece) && piece.is_sum) {
        struct wrn_part part = {.origin = piece.origin,
                                .token = piece.token,
                                .number = byte(in),
                                .nodes = UINT64_MAX - byte(in),
                                .values = {byte(in)},
                                .is_complete = true};
        wrn_route_on_message(w->route, w->now, peer,
                             (wrn_span){bytes, wrn_part_write(&part, bytes)});
    } else if (last.size > 6) {
        size_t size = wrn_hop_ack_write(wrn_load_be32(w->last + 2), bytes);
        wrn_route_on_message(w->route, w->now, peer, (wrn_span){bytes, size});
    }
}

static void step(struct world *w, struct input *in) {
    uint8_t action = byte(in);
    uint32_t peer = byte(in) % PEERS;
    struct wrn_route_header to;
    size_t size;
    switch (action % 10) {
    case 0:
        size = byte(in);
        size = size < in->left ? size : in->left;
        wrn_route_on_message(w->route, w->now, handle(peer), (wrn_span){in->next, size});
        in->next += size;
        in->left -= size;
        break;
    case 1:
    case 2:
        inject(w, in, peer, action);
        break;
    case 3:
        answer(w, in);
        break;
    case 4:
        to = header(w, in);
        wrn_route_send(w->route, w->now, &to, action < 128 ? WRN_HANDLE_NONE : handle(peer),
                       text(in));
        break;
    case 5:
        wrn_route_broadcast(w->route, w->now, text(in));
        break;
    case 6:
        wrn_route_sum(w->route, w->now, action, text(in));
        break;
    case 7:
        wrn_links_remove(&w->links, handle(peer));
        wrn_route_on_link_down(w->route, w->now, handle(peer));
        break;
    case 8:
        add_link(w, peer, byte(in));
        break;
    default:
        w->now = wrn_mono_add(w->now, WRN_MS(10) * byte(in));
        wrn_route_on_time(w->route, w->now);
        break;
    }
}

/* After the last deadline nothing is kept any more. */
static void drain(struct world *w) {
    for (uint32_t i = 0; i < 100000 && wrn_route_due(w->route).ns != UINT64_MAX; i++) {
        w->now = wrn_route_due(w->route);
        w->callbacks = 100;
        wrn_route_on_time(w->route, w->now);
    }
    WRN_ASSERT(wrn_route_due(w->route).ns == UINT64_MAX);
    const struct wrn_route_watches *watches = &w->route->watches;
    uint32_t blocks = watches->block_count - watches->fresh_block; /* never used */
    for (uint16_t at = watches->free_block; at != WRN_ROUTE_NO_BLOB;
         at = watches->blocks[at].next) {
        blocks++;
    }
    WRN_ASSERT(blocks == watches->block_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static _Alignas(64) uint8_t memory[64 * 1024];
    static struct world w;
    struct input in = {data, size};
    w = (struct world){.now = {WRN_S(1)}};
    wrn_prng_init(&w.prng, 1, 0);
    for (uint32_t i = 0; i < PEERS; i++) {
        w.ids[i] = (wrn_id){((uint64_t)i + 1) << 60, i * i};
    }
    struct wrn_route_options options = {
        .watched_max = 1 + byte(&in) % 16, .watched_bytes = byte(&in) * 32u, .sums_max = 3};
    struct wrn_route_port port = {
        &w, on_send, on_suspect, on_deliver, on_undelivered, on_broadcast, on_contribute, on_sum};
    struct wrn_arena arena;
    memset(memory, 0, sizeof(memory));
    wrn_arena_init(&arena, memory, sizeof(memory));
    wrn_links_init(&w.links, &arena, (wrn_id){0x0800000000000000, 3}, PEERS);
    w.route = wrn_route_init(&arena, &options, &w.links, port, wrn_prng_rand(&w.prng));
    for (uint32_t i = 0; i + 1 < PEERS; i++) {
        add_link(&w, i, (uint8_t)(17 * i + 5));
    }
    for (uint32_t i = 0; i < STEPS_MAX && in.left > 0; i++) {
        bool is_time = in.next[0] % 10 == 9 || in.next[0] % 10 == 7;
        uint32_t callbacks = w.callbacks;
        w.sent = 0;
        step(&w, &in);
        /* But retries, a message leads to one for each link, and an acknowledgement. */
        WRN_ASSERT(is_time || w.callbacks != callbacks || w.sent <= PEERS + 2);
    }
    drain(&w);
    return 0;
}
