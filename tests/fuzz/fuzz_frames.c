/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes frames. The input is a program for two nodes and somebody between them who repeats, holds
 * back and alters what one sends to the other, while that one restarts; and raw bytes for every
 * reader. What is fresh was sent, came once, and is of the life that was proven last. */
#include "fuzz.h"

#include "base/bytes.h"
#include "fuzz/overlay_stub.h"
#include "overlay/pair.h"

enum { SLOTS = 16, STEPS_MAX = 256, MESSAGE_MAX = 40 };

struct held {
    uint8_t bytes[WRN_DATAGRAM_MAX];
    size_t size;
    uint64_t incarnation;
    bool is_stranger;
    bool came_fresh;
};

struct input {
    const uint8_t *next;
    size_t left;
};

/* The sender may be reborn; the receiver keeps its pair. */
struct world {
    struct overlay_stub stub;
    struct wrn_primitives primitives;
    uint8_t keys[2][WRN_KEY_SIZE]; /* private and public at once, see the stub */
    struct wrn_pair from;
    struct wrn_pair to;
    uint64_t life;
    uint64_t proven; /* the last one: 0 none */
    bool is_forgotten[2 * STEPS_MAX + 5];
    struct held held[SLOTS];
};

static uint8_t byte(struct input *in);
static void born(struct world *w);
static void send(struct world *w, struct input *in, bool is_stranger);
static void deliver(struct world *w, struct held *held);
static void deliver_altered(struct world *w, struct input *in, const struct held *held);
static enum wrn_reason open_frame(struct world *w, const uint8_t *bytes, size_t size,
                                  bool is_stranger, wrn_span *ret_message, bool *ret_is_fresh);
static void prove(struct world *w, const struct held *held);
static void read_raw(struct world *w, wrn_span raw);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct world world;
    struct world *w = &world;
    struct input in = {data, size};
    memset(w, 0, sizeof(*w));
    w->primitives = stub_primitives(&w->stub);
    memset(w->keys[0], byte(&in), WRN_KEY_SIZE);
    memset(w->keys[1], w->keys[0][0] ^ 1, WRN_KEY_SIZE);
    HOLDS(wrn_pair_init(&w->to, &w->primitives, w->keys[1], w->keys[1], w->keys[0], 11, 77));
    born(w);
    for (size_t step = 0; step < STEPS_MAX && in.left > 0; step++) {
        uint8_t what = byte(&in);
        struct held *held = &w->held[what >> 4];
        uint64_t before = w->to.their_incarnation;
        switch (what & 7) {
        case 0:
        case 1:
            send(w, &in, (what & 7) == 1);
            break;
        case 2:
        case 3:
            deliver(w, held);
            break;
        case 4:
            deliver_altered(w, &in, held);
            break;
        case 5:
            born(w);
            break;
        case 6:
            w->from.our_counter += (uint64_t)byte(&in) << (what >> 4);
            break;
        default:
            if (byte(&in) % 2 == 0) {
                prove(w, held);
                before = w->proven;
            } else {
                read_raw(w, (wrn_span){in.next, in.left});
            }
            break;
        }
        HOLDS(w->to.their_incarnation == before);
    }
    wrn_pair_finish(&w->from);
    wrn_pair_finish(&w->to);
    return 0;
}

static uint8_t byte(struct input *in) {
    if (in->left == 0) {
        return 0;
    }
    in->left--;
    return *in->next++;
}

static void born(struct world *w) {
    w->life += 2; /* the last bit of an incarnation is its side's */
    HOLDS(wrn_pair_init(&w->from, &w->primitives, w->keys[0], w->keys[0], w->keys[1], 10, w->life));
    w->life = w->from.our_incarnation;
    w->from.their_receiver = 11;
}

/* Into the slot that the next byte names. */
static void send(struct world *w, struct input *in, bool is_stranger) {
    static const uint8_t cookie[WRN_COOKIE_SIZE];
    uint8_t where = byte(in);
    struct held *held = &w->held[where & (SLOTS - 1)];
    uint8_t message[MESSAGE_MAX] = {0};
    wrn_span span = {message, 1 + (where >> 4)};
    wrn_store_be64(message, w->from.our_counter);
    *held = (struct held){.incarnation = w->life, .is_stranger = is_stranger};
    held->size = is_stranger ? wrn_stranger_seal(&w->from, &w->primitives, w->keys[0], cookie, span,
                                                 held->bytes)
                             : wrn_pair_seal(&w->from, &w->primitives, span, held->bytes);
}

static void deliver(struct world *w, struct held *held) {
    wrn_span message = {0};
    bool is_fresh = false;
    if (held->size == 0) {
        return;
    }
    enum wrn_reason reason =
        open_frame(w, held->bytes, held->size, held->is_stranger, &message, &is_fresh);
    HOLDS(reason == WRN_REASON_NONE || reason == WRN_REASON_REPLAYED);
    HOLDS(is_fresh == (reason == WRN_REASON_NONE && held->incarnation == w->proven));
    HOLDS(reason != WRN_REASON_NONE || message.size > 0);
    if (is_fresh) {
        HOLDS(!held->came_fresh);
        held->came_fresh = true;
    }
}

static void deliver_altered(struct world *w, struct input *in, const struct held *held) {
    uint8_t bytes[WRN_DATAGRAM_MAX];
    struct wrn_pair before = w->to;
    wrn_span message = {0};
    bool is_fresh = false;
    size_t size = held->size;
    if (size == 0) {
        return;
    }
    memcpy(bytes, held->bytes, size);
    uint8_t how = byte(in);
    size_t at = byte(in) % size;
    if (how == 0) {
        size = at;
    } else {
        bytes[at] ^= how;
    }
    HOLDS(open_frame(w, bytes, size, held->is_stranger, &message, &is_fresh) != WRN_REASON_NONE);
    HOLDS(!is_fresh && message.data == NULL && memcmp(&before, &w->to, sizeof(before)) == 0);
}

/* Opens a copy of its own size, so that reading on is noticed. */
static enum wrn_reason open_frame(struct world *w, const uint8_t *bytes, size_t size,
                                  bool is_stranger, wrn_span *ret_message, bool *ret_is_fresh) {
    uint64_t incarnation = 0;
    enum wrn_reason reason;
    uint8_t *copy = malloc(size + 1);
    HOLDS(copy);
    if (size > 0) {
        memcpy(copy + 1, bytes, size);
    }
    if (is_stranger) {
        reason =
            wrn_stranger_open(&w->to, &w->primitives, copy + 1, size, ret_message, &incarnation);
        *ret_is_fresh = reason == WRN_REASON_NONE && incarnation == w->to.their_incarnation;
    } else {
        reason = wrn_pair_open(&w->to, &w->primitives, copy + 1, size, ret_message, &incarnation,
                               ret_is_fresh);
    }
    free(copy);
    return reason;
}

/* An answer comes in this frame, which may have been held back while the sender was reborn. Of a
 * life that was proven, and is forgotten since, nobody waits for one. */
static void prove(struct world *w, const struct held *held) {
    if (held->size == 0 || w->is_forgotten[held->incarnation]) {
        return;
    }
    uint64_t former = w->to.former;
    bool is_new = held->incarnation != former && held->incarnation != w->proven;
    wrn_pair_prove(&w->to, held->incarnation);
    w->is_forgotten[former] = is_new && former != 0;
    w->proven = held->incarnation;
}

static void read_raw(struct world *w, wrn_span raw) {
    uint8_t key[WRN_KEY_SIZE];
    uint8_t cookie[WRN_COOKIE_SIZE];
    uint8_t ring[8] = {0};
    uint64_t number = 0;
    uint16_t port = 0;
    wrn_span part = {0};
    wrn_id id;
    bool is_fresh = false;
    struct wrn_pair before = w->to;
    uint8_t *copy = malloc(raw.size + 1);
    HOLDS(copy);
    if (raw.size > 0) {
        memcpy(copy + 1, raw.data, raw.size);
    }
    wrn_span frame = {copy + 1, raw.size};
    unsigned taken = wrn_frame_receiver(frame) != 0;
    taken += wrn_who_read(frame, &w->primitives, ring, &number) == WRN_REASON_NONE;
    if (wrn_who_reply_read(frame, &number, cookie, &part) == WRN_REASON_NONE) {
        HOLDS(part.size >= 1 && part.size <= WRN_LOCATOR_MAX);
        taken++;
    }
    if (wrn_announce_read(frame, ring, &id, &port) == WRN_REASON_NONE) {
        uint8_t again[WRN_ANNOUNCE_SIZE];
        HOLDS(wrn_announce_write(ring, id, port, again) == frame.size);
        HOLDS(memcmp(again, frame.data, frame.size) == 0);
        taken++;
    }
    if (wrn_relayed_read(frame, &number, &part) == WRN_REASON_NONE) {
        HOLDS(part.size + WRN_RELAYED_OVERHEAD == frame.size);
        taken++;
    }
    taken += wrn_stranger_read(frame, key, cookie) == WRN_REASON_NONE;
    HOLDS(taken <= 1); /* no frame is of two kinds */
    for (int i = 0; i < 2; i++) {
        part = (wrn_span){0};
        HOLDS(open_frame(w, frame.data, frame.size, i == 1, &part, &is_fresh) != WRN_REASON_NONE);
    }
    HOLDS(memcmp(&before, &w->to, sizeof(before)) == 0);
    free(copy);
}
