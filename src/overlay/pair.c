/* SPDX-License-Identifier: Apache-2.0 */
/* Sealed frames, between peers and from strangers. Keeps keys, numbers and the replay window of one
 * peer; knows no address, no time and nobody else. */
#include "overlay/pair.h"

#include "base/wire.h"
#include "overlay/frame.h"

enum {
    SEALED_HEAD_SIZE = WRN_FRAME_OVERHEAD - WRN_TAG_SIZE,
    STRANGER_HEAD_SIZE = WRN_STRANGER_OVERHEAD - WRN_TAG_SIZE,
    WINDOW_BITS = 64,
};

/* The bit of an incarnation that tells which of both nodes it is of: 0 is the one with the lower
 * key. So no nonce is of both, though they share a key. */
#define SIDE_BIT UINT64_C(1)

/* The last 8 bytes of a nonce: no frame of one kind passes for one of the other. */
enum nonce_domain { DOMAIN_SEALED = 0, DOMAIN_STRANGER = 1 };

/* What the head of a sealed frame says. */
struct head {
    uint64_t incarnation;
    uint64_t counter;
    uint8_t nonce[WRN_XNONCE_SIZE];
};

static void make_nonce(uint64_t incarnation, uint64_t counter, enum nonce_domain domain,
                       uint8_t ret_nonce[WRN_XNONCE_SIZE]);
static uint64_t next_counter(struct wrn_pair *pair);
static enum wrn_reason read_numbers(struct wrn_reader *reader, enum nonce_domain domain,
                                    struct head *ret_head);
static enum wrn_reason open_with(struct wrn_pair *pair, const struct wrn_primitives *primitives,
                                 const struct head *head, uint8_t *frame, size_t head_size,
                                 size_t size, wrn_span *ret_message);
static bool was_seen(uint64_t top, uint64_t seen, uint64_t counter);
static void set_seen(uint64_t *top, uint64_t *seen, uint64_t counter);

bool wrn_pair_init(struct wrn_pair *pair, const struct wrn_primitives *primitives,
                   const uint8_t our_private[WRN_KEY_SIZE], const uint8_t our_public[WRN_KEY_SIZE],
                   const uint8_t their_public[WRN_KEY_SIZE], uint64_t our_receiver,
                   uint64_t our_incarnation) {
    static const char label[] = "warren pair 1"; /* without its zero byte */
    enum { LABEL_SIZE = sizeof(label) - 1 };
    uint8_t shared[WRN_KEY_SIZE];
    uint8_t input[LABEL_SIZE + 2 * WRN_KEY_SIZE];
    WRN_ASSERT(our_receiver != 0 && our_incarnation != 0);
    memset(pair, 0, sizeof(*pair));

    int order = memcmp(our_public, their_public, WRN_KEY_SIZE);
    bool ok = order != 0 && primitives->agree(primitives->ctx, our_private, their_public, shared);
    if (ok) {
        memcpy(input, label, LABEL_SIZE);
        memcpy(input + LABEL_SIZE, order < 0 ? our_public : their_public, WRN_KEY_SIZE);
        memcpy(input + LABEL_SIZE + WRN_KEY_SIZE, order < 0 ? their_public : our_public,
               WRN_KEY_SIZE);
        uint8_t second[WRN_KEY_SIZE]; /* not used */
        primitives->derive(primitives->ctx, shared, (wrn_span){input, sizeof(input)}, pair->key,
                           second);
        wrn_wipe(second, sizeof(second));
        pair->our_receiver = our_receiver;
        pair->our_incarnation = (our_incarnation & ~SIDE_BIT) | (order < 0 ? 0 : SIDE_BIT);
        pair->our_incarnation += pair->our_incarnation == 0 ? SIDE_BIT + 1 : 0;
    }
    wrn_wipe(shared, sizeof(shared));
    return ok;
}

void wrn_pair_finish(struct wrn_pair *pair) {
    wrn_wipe(pair, sizeof(*pair));
}

size_t wrn_pair_seal(struct wrn_pair *pair, const struct wrn_primitives *primitives,
                     wrn_span message, uint8_t *out) {
    struct wrn_writer writer = wrn_writer(out, SEALED_HEAD_SIZE);
    uint8_t nonce[WRN_XNONCE_SIZE];
    WRN_ASSERT(message.size > 0 && message.size <= WRN_MESSAGE_MAX && pair->their_receiver != 0);

    uint64_t counter = next_counter(pair);
    wrn_frame_head_write(&writer, WRN_FRAME_SEALED);
    wrn_write_u64(&writer, pair->their_receiver);
    wrn_write_u64(&writer, pair->our_incarnation);
    wrn_write_u64(&writer, counter);
    WRN_ASSERT(!writer.failed && writer.size == SEALED_HEAD_SIZE);
    make_nonce(pair->our_incarnation, counter, DOMAIN_SEALED, nonce);
    primitives->seal(primitives->ctx, pair->key, nonce, wrn_written(&writer), message.data,
                     message.size, out + SEALED_HEAD_SIZE);
    return message.size + WRN_FRAME_OVERHEAD;
}

uint64_t wrn_frame_receiver(wrn_span frame) {
    bool is_sealed = frame.size > WRN_FRAME_OVERHEAD && frame.data[0] == WRN_FRAME_SEALED;
    return is_sealed ? wrn_load_be64(frame.data + 4) : 0;
}

enum wrn_reason wrn_pair_open(struct wrn_pair *pair, const struct wrn_primitives *primitives,
                              uint8_t *frame, size_t size, wrn_span *ret_message,
                              uint64_t *ret_incarnation, bool *ret_is_fresh) {
    struct wrn_reader reader = wrn_reader((wrn_span){frame, size});
    struct head head;
    enum wrn_reason reason = wrn_frame_head_read(&reader, WRN_FRAME_SEALED);
    uint64_t receiver = wrn_read_u64(&reader);
    if (reason == WRN_REASON_NONE) {
        reason = read_numbers(&reader, DOMAIN_SEALED, &head);
    }
    if (reason == WRN_REASON_NONE && receiver != pair->our_receiver) {
        reason = WRN_REASON_UNKNOWN_SENDER;
    }
    if (reason == WRN_REASON_NONE) {
        reason = open_with(pair, primitives, &head, frame, SEALED_HEAD_SIZE, size, ret_message);
    }
    if (reason == WRN_REASON_NONE) {
        *ret_incarnation = head.incarnation;
        *ret_is_fresh = head.incarnation == pair->their_incarnation;
    }
    return reason;
}

void wrn_pair_prove(struct wrn_pair *pair, uint64_t incarnation) {
    WRN_ASSERT(incarnation != 0);
    if (incarnation == pair->their_incarnation) {
        return;
    }
    bool is_former = incarnation == pair->former;
    uint64_t top = is_former ? pair->former_top : 0;
    uint64_t seen = is_former ? pair->former_seen : 0;
    pair->former = pair->their_incarnation;
    pair->former_top = pair->their_top;
    pair->former_seen = pair->seen;
    pair->their_incarnation = incarnation;
    pair->their_top = top;
    pair->seen = seen;
}

size_t wrn_stranger_seal(struct wrn_pair *pair, const struct wrn_primitives *primitives,
                         const uint8_t our_public[WRN_KEY_SIZE],
                         const uint8_t cookie[WRN_COOKIE_SIZE], wrn_span message, uint8_t *out) {
    struct wrn_writer writer = wrn_writer(out, STRANGER_HEAD_SIZE);
    uint8_t nonce[WRN_XNONCE_SIZE];
    WRN_ASSERT(message.size > 0 && message.size <= WRN_STRANGER_MESSAGE_MAX);

    uint64_t counter = next_counter(pair);
    wrn_frame_head_write(&writer, WRN_FRAME_STRANGER);
    wrn_write_bytes(&writer, our_public, WRN_KEY_SIZE);
    wrn_write_bytes(&writer, cookie, WRN_COOKIE_SIZE);
    wrn_write_u64(&writer, pair->our_incarnation);
    wrn_write_u64(&writer, counter);
    WRN_ASSERT(!writer.failed && writer.size == STRANGER_HEAD_SIZE);
    make_nonce(pair->our_incarnation, counter, DOMAIN_STRANGER, nonce);
    primitives->seal(primitives->ctx, pair->key, nonce, wrn_written(&writer), message.data,
                     message.size, out + STRANGER_HEAD_SIZE);
    return message.size + WRN_STRANGER_OVERHEAD;
}

enum wrn_reason wrn_stranger_read(wrn_span frame, uint8_t ret_public[WRN_KEY_SIZE],
                                  uint8_t ret_cookie[WRN_COOKIE_SIZE]) {
    struct wrn_reader reader = wrn_reader(frame);
    struct head head;
    enum wrn_reason reason = wrn_frame_head_read(&reader, WRN_FRAME_STRANGER);
    wrn_span public_key = wrn_read_span(&reader, WRN_KEY_SIZE);
    wrn_span cookie = wrn_read_span(&reader, WRN_COOKIE_SIZE);
    if (reason == WRN_REASON_NONE) {
        reason = read_numbers(&reader, DOMAIN_STRANGER, &head);
    }
    if (reason == WRN_REASON_NONE) {
        memcpy(ret_public, public_key.data, WRN_KEY_SIZE);
        memcpy(ret_cookie, cookie.data, WRN_COOKIE_SIZE);
    }
    return reason;
}

wrn_span wrn_stranger_name(wrn_span frame) {
    WRN_ASSERT(frame.size > STRANGER_HEAD_SIZE);
    return (wrn_span){frame.data, STRANGER_HEAD_SIZE};
}

enum wrn_reason wrn_stranger_open(struct wrn_pair *pair, const struct wrn_primitives *primitives,
                                  uint8_t *frame, size_t size, wrn_span *ret_message,
                                  uint64_t *ret_incarnation) {
    struct wrn_reader reader = wrn_reader((wrn_span){frame, size});
    struct head head;
    enum wrn_reason reason = wrn_frame_head_read(&reader, WRN_FRAME_STRANGER);
    wrn_read_span(&reader, WRN_KEY_SIZE + WRN_COOKIE_SIZE);
    if (reason == WRN_REASON_NONE) {
        reason = read_numbers(&reader, DOMAIN_STRANGER, &head);
    }
    if (reason == WRN_REASON_NONE) {
        reason = open_with(pair, primitives, &head, frame, STRANGER_HEAD_SIZE, size, ret_message);
    }
    if (reason == WRN_REASON_NONE) {
        *ret_incarnation = head.incarnation;
    }
    return reason;
}

static void make_nonce(uint64_t incarnation, uint64_t counter, enum nonce_domain domain,
                       uint8_t ret_nonce[WRN_XNONCE_SIZE]) {
    wrn_store_be64(ret_nonce, incarnation);
    wrn_store_be64(ret_nonce + 8, counter);
    wrn_store_be64(ret_nonce + 16, domain);
}

/* Both kinds of frames count together. No node sends as many in its life. */
static uint64_t next_counter(struct wrn_pair *pair) {
    WRN_ASSERT(pair->our_incarnation != 0 && pair->our_counter < UINT64_C(1) << 62);
    return ++pair->our_counter;
}

/* Reads incarnation and counter, and sees that a message of the right size follows. */
static enum wrn_reason read_numbers(struct wrn_reader *reader, enum nonce_domain domain,
                                    struct head *ret_head) {
    size_t message_max =
        domain == DOMAIN_STRANGER ? (size_t)WRN_STRANGER_MESSAGE_MAX : (size_t)WRN_MESSAGE_MAX;
    ret_head->incarnation = wrn_read_u64(reader);
    ret_head->counter = wrn_read_u64(reader);
    if (reader->failed || reader->left <= WRN_TAG_SIZE ||
        reader->left > message_max + WRN_TAG_SIZE || ret_head->incarnation == 0 ||
        ret_head->counter == 0) {
        return WRN_REASON_MALFORMED;
    }
    make_nonce(ret_head->incarnation, ret_head->counter, domain, ret_head->nonce);
    return WRN_REASON_NONE;
}

/* Numbers are looked at first, since that costs nothing, and noted last, since only what is sealed
 * well may move a window. */
static enum wrn_reason open_with(struct wrn_pair *pair, const struct wrn_primitives *primitives,
                                 const struct head *head, uint8_t *frame, size_t head_size,
                                 size_t size, wrn_span *ret_message) {
    uint64_t *top = NULL; /* of the window, if this incarnation has one */
    uint64_t *seen = NULL;
    if (head->incarnation == pair->their_incarnation) {
        top = &pair->their_top;
        seen = &pair->seen;
    } else if (head->incarnation == pair->former) {
        top = &pair->former_top;
        seen = &pair->former_seen;
    }
    if (((head->incarnation ^ pair->our_incarnation) & SIDE_BIT) == 0) {
        return WRN_REASON_BAD_SEAL; /* our own, sent back */
    }
    if (top != NULL && was_seen(*top, *seen, head->counter)) {
        return WRN_REASON_REPLAYED;
    }
    size_t message_size = size - head_size - WRN_TAG_SIZE;
    if (!primitives->open(primitives->ctx, pair->key, head->nonce, (wrn_span){frame, head_size},
                          frame + head_size, message_size, frame + head_size)) {
        return WRN_REASON_BAD_SEAL;
    }
    if (top != NULL) {
        set_seen(top, seen, head->counter);
    }
    *ret_message = (wrn_span){frame + head_size, message_size};
    return WRN_REASON_NONE;
}

/* Also true for what is older than the window. */
static bool was_seen(uint64_t top, uint64_t seen, uint64_t counter) {
    return counter <= top && (top - counter >= WINDOW_BITS || (seen >> (top - counter) & 1) != 0);
}

static void set_seen(uint64_t *top, uint64_t *seen, uint64_t counter) {
    if (counter <= *top) {
        *seen |= UINT64_C(1) << (*top - counter);
        return;
    }
    uint64_t step = counter - *top;
    *seen = (step < WINDOW_BITS ? *seen << step : 0) | 1;
    *top = counter;
}
