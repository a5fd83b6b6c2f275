/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: no datagram, no packet from the host and no order of them breaks a machine. Method: the
 * input is a program for a small world of machines: inject raw bytes, damage and repeat real
 * messages, seal malformed inner packets with real keys, send, let time pass. After each step the
 * invariants hold. */
#include "fuzz.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "unit/wg/world.h"
#include "wg/machine.h"

enum { A, B, STEPS_MAX = 64 };

struct input {
    const uint8_t *next;
    size_t left;
};

static uint8_t byte(struct input *in) {
    if (in->left == 0) {
        return 0;
    }
    in->left--;
    return *in->next++;
}

static wrn_span take(struct input *in, size_t size) {
    wrn_span span = {in->next, size < in->left ? size : in->left};
    in->next += span.size;
    in->left -= span.size;
    return span;
}

static void check(const struct world *w) {
    for (int side = A; side <= B; side++) {
        const struct world_side *s = &w->side[side];
        if (s->last_packet_size == 0) {
            continue;
        }
        /* Whatever was delivered came from the address that the other side may use. */
        const uint8_t expected[4] = {10, 0, 0, (uint8_t)(2 - side)};
        WRN_ASSERT(s->last_packet[0] >> 4 == 4 &&
                   memcmp(s->last_packet + 12, expected, sizeof expected) == 0);
        WRN_ASSERT(wrn_load_be16(s->last_packet + 2) == s->last_packet_size);
    }
    WRN_ASSERT(w->side[A].wg->sessions.pool.live <= 4 * 2);
    WRN_ASSERT(w->side[B].wg->sessions.pool.live <= 4 * 2);
}

/* An inner packet that an honest machine would never make, under keys that are right. */
static void seal_raw(struct world *w, wrn_span inner) {
    uint8_t datagram[WORLD_DATAGRAM_MAX] = {WRN_WG_TYPE_DATA};
    struct wrn_wg *wg = w->side[A].wg;
    const struct wrn_wg_peer *peer = wrn_wg_peer_get(wg, world_peer(w, A, B));
    struct wrn_session *session =
        wrn_session_get(&wg->sessions, peer->sessions.at[WRN_SESSION_CURRENT]);
    if (session == NULL || inner.size > 1024) {
        return;
    }
    wrn_store_le32(datagram + WRN_WG_RECEIVER_AT, session->remote_index);
    wrn_store_le64(datagram + WRN_WG_COUNTER_AT, session->send_counter);
    struct wrn_aead_job job = {
        .key = session->keys.send,
        .cipher = session->keys.cipher,
        .counter = session->send_counter++,
        .in = inner.data,
        .out = datagram + WRN_WG_DATA_HEADER_SIZE,
        .size = inner.size,
    };
    wrn_aead_seal_batch(w->crypto, &job, 1);
    struct wrn_path path = {.remote = w->side[A].endpoint};
    (void)world_inject(w, B, &path, datagram,
                       WRN_WG_DATA_HEADER_SIZE + inner.size + WRN_WG_TAG_SIZE);
}

static void step(struct world *w, struct input *in) {
    uint8_t what = byte(in);
    int side = what >> 7;
    struct wrn_path path = {.remote = w->side[1 - side].endpoint};
    uint8_t copy[WORLD_DATAGRAM_MAX];
    switch (what & 7) {
    case 0: { /* raw bytes */
        wrn_span raw = take(in, byte(in));
        (void)world_inject(w, side, &path, raw.data, raw.size);
        break;
    }
    case 1: { /* a real message, damaged and cut */
        const struct world_datagram *d = &w->last_by_type[1 + byte(in) % 4];
        size_t size = d->size;
        memcpy(copy, d->bytes, size);
        uint8_t at = byte(in);
        uint8_t flip = byte(in);
        if (at < size) {
            copy[at] ^= flip;
        }
        uint8_t cut = byte(in);
        (void)world_inject(w, side, &path, copy, cut < size ? size - cut : 0);
        break;
    }
    case 2: /* held traffic in both directions, delivered later or lost */
        w->hold = true;
        world_send(w, side, 1 - side, 28 + byte(in), byte(in));
        break;
    case 3:
        w->hold = false;
        if (byte(in) % 4 == 0) {
            w->flight_count = 0;
        }
        world_pump(w);
        break;
    case 4:
        world_advance(w, WRN_MS(10) << (byte(in) % 16));
        break;
    case 5:
        seal_raw(w, take(in, byte(in)));
        break;
    case 6: { /* from the host */
        static uint8_t buffer[WRN_WG_HEADROOM + 256 + WRN_WG_TAILROOM];
        wrn_span raw = take(in, byte(in));
        memcpy(buffer + WRN_WG_HEADROOM, raw.data, raw.size);
        struct wrn_wg_packet packet = {.bytes = buffer + WRN_WG_HEADROOM, .size = raw.size};
        wrn_wg_on_packets(w->side[side].wg, w->now, &packet, 1, &w->out);
        w->out.message_count = 0;
        break;
    }
    default: {
        uint8_t command = byte(in);
        if (command & 0x40) {
            wrn_wg_peer_set_cipher(
                w->side[side].wg, w->now, world_peer(w, side, 1 - side),
                command & 0x20 ? WRN_CIPHER_AES_256_GCM : WRN_CIPHER_CHACHA20_POLY1305, &w->out);
        } else {
            wrn_wg_set_up(w->side[side].wg, w->now, command % 4 != 0, &w->out);
        }
        break;
    }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input in = {data, size};
    struct world *w = world_create(1, 2, 50);
    world_send(w, A, B, 64, 1);
    world_send(w, B, A, 64, 1);
    for (int i = 0; i < STEPS_MAX && in.left > 0; i++) {
        step(w, &in);
        check(w);
        if (w->event_count > WORLD_EVENTS_MAX / 2) {
            w->event_count = 0;
        }
    }
    world_destroy(w);
    return 0;
}
