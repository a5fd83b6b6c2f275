/* SPDX-License-Identifier: Apache-2.0 */
/* Machines on a network in virtual time. */
#include "world.h"

#include <stdlib.h>

#include "base/bytes.h"

enum { BUFFER_SIZE = WRN_WG_HEADROOM + WRN_WG_PACKET_MAX + WRN_WG_TAILROOM };

static struct world *create(uint64_t seed, int sides, uint32_t handshakes_per_s, uint32_t tag_bits,
                            const struct wrn_wg_options *besides);
static void fly(struct world *w, int from, const struct wrn_path *path, uint8_t ecn,
                const uint8_t *bytes, size_t size);
static void deliver_inner(struct world *w, int side, const uint8_t *packet, size_t size);
static bool take_due(struct world *w, struct world_datagram *ret_datagram);

static void take_out(struct world *w, int side) {
    for (uint32_t i = 0; i < w->out.message_count; i++) {
        const struct wrn_wg_message *m = &w->out.messages[i];
        fly(w, side, &m->path, m->outer_ds & 3, m->bytes, m->size);
    }
    for (uint32_t i = 0; i < w->out.event_count; i++) {
        WRN_ASSERT(w->event_count < WORLD_EVENTS_MAX);
        w->events[w->event_count++] = (struct world_event){w->now.mono, side, w->out.events[i]};
    }
    w->out.message_count = 0;
    w->out.event_count = 0;
}

struct world *world_create(uint64_t seed, int sides, uint32_t handshakes_per_s) {
    return world_create_tagged(seed, sides, handshakes_per_s, 0);
}

struct world *world_create_with(uint64_t seed, int sides, uint32_t handshakes_per_s,
                                const struct wrn_wg_options *options) {
    return create(seed, sides, handshakes_per_s, 0, options);
}

struct world *world_create_tagged(uint64_t seed, int sides, uint32_t handshakes_per_s,
                                  uint32_t tag_bits) {
    static const struct wrn_wg_options nothing;
    return create(seed, sides, handshakes_per_s, tag_bits, &nothing);
}

static struct world *create(uint64_t seed, int sides, uint32_t handshakes_per_s, uint32_t tag_bits,
                            const struct wrn_wg_options *besides) {
    struct world *w = calloc(1, sizeof *w);
    struct wrn_wg_options options = {
        .peers_max = 16,
        .prefixes_max = 64,
        .staged_max_bytes = 4 << 20,
        .handshakes_per_s = handshakes_per_s,
        .index_tag_bits = tag_bits,
        .filter = besides->filter,
        .asks_for_unrouted = besides->asks_for_unrouted,
        .is_bridged = besides->is_bridged,
    };
    WRN_ASSERT(w != NULL && sides <= WORLD_SIDES_MAX);
    WRN_ASSERT(wrn_crypto_create(WRN_CRYPTO_AUTO, &w->crypto) == 0);
    wrn_prng_init(&w->prng, seed, 0);
    w->now.mono.ns = WRN_S(1000);
    w->now.wall = (wrn_wall){1700000000, 0};
    size_t size = wrn_wg_memory_size(&options);
    for (int i = 0; i < sides; i++) {
        struct world_side *s = &w->side[i];
        s->memory = calloc(1, size + 64); /* large blocks of zeroes cost nothing until used */
        WRN_ASSERT(s->memory != NULL);
        void *aligned = (void *)wrn_align_up((uintptr_t)s->memory, 64);
        options.index_tag = tag_bits == 0 ? 0 : (UINT32_C(1) << tag_bits) - 1 - (uint32_t)i;
        s->wg = wrn_wg_init(aligned, &options, w->crypto, wrn_prng_rand(&w->prng));
        wrn_rand_fill(wrn_prng_rand(&w->prng), s->private_key, 32);
        wrn_x25519_clamp(s->private_key);
        WRN_ASSERT(wrn_x25519_public(w->crypto, s->private_key, s->public_key));
        s->endpoint = (struct wrn_endpoint){
            .ip = {.bytes = {192, 0, 2, (uint8_t)(i + 1)}, .family = WRN_FAMILY_IPV4},
            .port = (uint16_t)(1000 + i),
        };
    }
    for (int i = 0; i < sides; i++) {
        struct wrn_wg *wg = w->side[i].wg;
        WRN_ASSERT(wrn_wg_set_private_key(wg, w->now, w->side[i].private_key) == 0);
        wrn_wg_set_up(wg, w->now, true, &w->out);
        for (int j = 0; j < sides; j++) {
            wrn_handle peer;
            struct wrn_prefix inner = {
                .ip = {.bytes = {10, 0, 0, (uint8_t)(j + 1)}, .family = WRN_FAMILY_IPV4},
                .length_bits = 32,
            };
            if (i == j) {
                continue;
            }
            WRN_ASSERT(wrn_wg_peer_add(wg, w->now, w->side[j].public_key, &peer) == 0);
            WRN_ASSERT(wrn_wg_peer_allow(wg, peer, &inner) == 0);
            wrn_wg_peer_set_endpoint(wg, peer, &w->side[j].endpoint);
        }
    }
    return w;
}

void world_destroy(struct world *w) {
    for (int i = 0; i < WORLD_SIDES_MAX; i++) {
        wrn_wg_finish(w->side[i].wg);
        free(w->side[i].memory);
    }
    wrn_crypto_destroy(w->crypto);
    free(w);
}

void world_send(struct world *w, int from, int to, size_t size, uint64_t stamp) {
    static uint8_t buffer[BUFFER_SIZE];
    uint8_t *p = buffer + WRN_WG_HEADROOM;
    WRN_ASSERT(size >= 28 && size <= 1500);
    memset(p, 0, size);
    p[0] = 0x45;
    wrn_store_be16(p + 2, (uint16_t)size);
    memcpy(p + 12, (uint8_t[]){10, 0, 0, (uint8_t)(from + 1)}, 4);
    memcpy(p + 16, (uint8_t[]){10, 0, 0, (uint8_t)(to + 1)}, 4);
    wrn_store_be64(p + 20, stamp);
    struct wrn_wg_packet packet = {.bytes = p, .size = size};
    wrn_wg_on_packets(w->side[from].wg, w->now, &packet, 1, &w->out);
    if (packet.datagram_size > 0) {
        fly(w, from, &packet.path, packet.outer_ecn, packet.datagram, packet.datagram_size);
    }
    world_settle(w, from);
    if (!w->hold) {
        world_pump(w);
    }
}

enum wrn_drop world_inject(struct world *w, int to, const struct wrn_path *path,
                           const uint8_t *bytes, size_t size) {
    uint8_t copy[WORLD_DATAGRAM_MAX];
    struct wrn_wg_datagram d = {.bytes = copy, .size = size, .path = *path};
    memcpy(copy, bytes, size);
    wrn_wg_on_datagrams(w->side[to].wg, w->now, &d, 1, &w->out);
    if (d.packet_size > 0) {
        deliver_inner(w, to, d.packet, d.packet_size);
    }
    world_settle(w, to);
    return d.drop;
}

void world_pump(struct world *w) {
    struct world_datagram d;
    while (take_due(w, &d)) {
        if (w->filter != NULL && !w->filter(w, &d)) {
            continue;
        }
        for (int to = 0; to < WORLD_SIDES_MAX; to++) {
            if (w->side[to].wg == NULL ||
                !wrn_endpoint_equal(&w->side[to].endpoint, &d.path.remote)) {
                continue;
            }
            struct wrn_wg_datagram in = {.bytes = d.bytes, .size = d.size, .outer_ecn = d.ecn};
            in.path.remote = w->side[d.from].endpoint;
            in.path.local = w->side[to].endpoint.ip;
            wrn_wg_on_datagrams(w->side[to].wg, w->now, &in, 1, &w->out);
            if (in.packet_size > 0) {
                deliver_inner(w, to, in.packet, in.packet_size);
            }
            world_settle(w, to);
        }
    }
}

void world_advance(struct world *w, uint64_t ns) {
    wrn_mono end = wrn_mono_add(w->now.mono, ns);
    for (;;) {
        wrn_mono next = end;
        for (int i = 0; i < WORLD_SIDES_MAX; i++) {
            if (w->side[i].wg != NULL) {
                next = wrn_mono_min(next, wrn_wg_due(w->side[i].wg));
            }
        }
        for (uint32_t i = 0; i < w->flight_count && !w->hold; i++) {
            next = wrn_mono_min(next, w->flight[i].due);
        }
        if (wrn_mono_before(w->now.mono, next)) {
            uint64_t step = next.ns - w->now.mono.ns;
            uint64_t wall_ns = w->now.wall.ns + step;
            w->now.mono = next;
            w->now.wall.s += (int64_t)(wall_ns / 1000000000u);
            w->now.wall.ns = (uint32_t)(wall_ns % 1000000000u);
        }
        bool acted = false;
        for (int i = 0; i < WORLD_SIDES_MAX; i++) {
            if (w->side[i].wg != NULL && wrn_mono_reached(w->now.mono, wrn_wg_due(w->side[i].wg))) {
                acted = true;
                wrn_wg_on_time(w->side[i].wg, w->now, &w->out);
                world_settle(w, i);
            }
        }
        if (!w->hold) {
            world_pump(w);
        }
        if (!acted && !wrn_mono_before(w->now.mono, end)) {
            return;
        }
    }
}

wrn_handle world_peer(const struct world *w, int side, int other) {
    return wrn_wg_peer_find(w->side[side].wg, w->side[other].public_key);
}

struct wrn_wg_peer_info world_info(const struct world *w, int side, int other) {
    struct wrn_wg_peer_info info;
    WRN_ASSERT(wrn_wg_peer_info(w->side[side].wg, world_peer(w, side, other), &info));
    return info;
}

uint32_t world_events(const struct world *w, int side, enum wrn_wg_event_kind kind) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < w->event_count; i++) {
        count += w->events[i].side == side && w->events[i].event.kind == kind;
    }
    return count;
}

wrn_mono world_event_at(const struct world *w, int side, enum wrn_wg_event_kind kind, uint32_t n) {
    for (uint32_t i = 0; i < w->event_count; i++) {
        if (w->events[i].side == side && w->events[i].event.kind == kind && n-- == 0) {
            return w->events[i].at;
        }
    }
    return WRN_MONO_NEVER;
}

uint64_t world_drops(const struct world *w, int side, enum wrn_drop reason) {
    uint64_t counts[WRN_DROP_COUNT];
    wrn_wg_drops(w->side[side].wg, counts);
    return counts[reason];
}

void world_settle(struct world *w, int side) {
    static uint8_t buffer[4][BUFFER_SIZE];
    struct wrn_wg_packet batch[4];
    for (;;) {
        take_out(w, side);
        for (size_t i = 0; i < WRN_COUNT(batch); i++) {
            batch[i] = (struct wrn_wg_packet){
                .bytes = buffer[i] + WRN_WG_HEADROOM,
                .size = WRN_WG_PACKET_MAX,
            };
        }
        size_t got = wrn_wg_pull_staged(w->side[side].wg, w->now, batch, WRN_COUNT(batch), &w->out);
        if (got == 0) {
            take_out(w, side);
            return;
        }
        for (size_t i = 0; i < got; i++) {
            fly(w, side, &batch[i].path, batch[i].outer_ecn, batch[i].datagram,
                batch[i].datagram_size);
        }
    }
}

static void fly(struct world *w, int from, const struct wrn_path *path, uint8_t ecn,
                const uint8_t *bytes, size_t size) {
    WRN_ASSERT(w->flight_count < WORLD_FLIGHT_MAX && size <= WORLD_DATAGRAM_MAX);
    struct world_datagram *d = &w->flight[w->flight_count++];
    uint64_t jitter =
        w->jitter_ns == 0 ? 0 : wrn_rand_below(wrn_prng_rand(&w->prng), (uint32_t)w->jitter_ns);
    d->due = wrn_mono_add(w->now.mono, w->delay_ns + jitter);
    d->sequence = w->next_sequence++;
    d->from = from;
    d->path = *path;
    d->ecn = ecn;
    d->size = size;
    memcpy(d->bytes, bytes, size);
    WRN_ASSERT(bytes[0] >= 1 && bytes[0] <= 4);
    w->side[from].sent[bytes[0]]++;
    w->last_by_type[bytes[0]] = *d;
}

static void deliver_inner(struct world *w, int side, const uint8_t *packet, size_t size) {
    struct world_side *s = &w->side[side];
    s->delivered++;
    s->last_packet_size = size;
    memcpy(s->last_packet, packet, size);
    uint64_t stamp = wrn_load_be64(packet + 20);
    s->out_of_order += stamp < s->last_stamp;
    s->last_stamp = stamp;
}

static bool take_due(struct world *w, struct world_datagram *ret_datagram) {
    struct world_datagram *first = NULL;
    for (uint32_t i = 0; i < w->flight_count; i++) {
        struct world_datagram *d = &w->flight[i];
        if (wrn_mono_reached(w->now.mono, d->due) &&
            (first == NULL || wrn_mono_before(d->due, first->due) ||
             (d->due.ns == first->due.ns && d->sequence < first->sequence))) {
            first = d;
        }
    }
    if (first == NULL) {
        return false;
    }
    *ret_datagram = *first;
    *first = w->flight[--w->flight_count];
    return true;
}
