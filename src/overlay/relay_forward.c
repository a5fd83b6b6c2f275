/* SPDX-License-Identifier: Apache-2.0 */
/* Forwards between two peers: grants, swaps slots, counts bytes, closes. Reads nothing of what it
 * forwards. */
#include "overlay/relay_state.h"

#include "overlay/pair.h"

enum { ASKED_MIN = 2, ASKED_SHARE = 4, MESSAGE_MAX = 32 };

#define ASK_EACH   WRN_MS(500) /* two requests a second, */
#define ASK_BURST  8u          /* ... so many at once */
#define BYTES_TIME WRN_S(1)    /* what a pair may forward at once */

static enum wrn_reason grant(struct wrn_relay *relay, wrn_mono now, wrn_handle asker,
                             wrn_id target_id, struct forward **ret_forward, uint32_t *ret_side);
static enum wrn_reason make(struct wrn_relay *relay, wrn_mono now, wrn_handle asker,
                            wrn_handle target, struct forward **ret_forward);
static struct forward *find_pair(const struct wrn_relay *relay, wrn_handle a, wrn_handle b,
                                 uint32_t *ret_side);
static uint64_t draw_slot(struct wrn_relay *relay);
static void offer(const struct wrn_relay *relay, const struct forward *forward, uint32_t side);
static void answer(const struct wrn_relay *relay, wrn_handle peer, uint32_t number,
                   enum wrn_reason reason, uint64_t slot);
static void remove_pair(struct wrn_relay *relay, struct forward *forward);
static uint32_t index_of(const struct wrn_relay *relay, const struct forward *forward);
static wrn_mono expiry(const struct forward *forward, wrn_mono now);

void relay_forward_on_ask(struct wrn_relay *relay, wrn_mono now, wrn_handle peer, uint32_t number,
                          wrn_id target) {
    struct forward *forward = NULL;
    uint32_t side = 0;
    enum wrn_reason reason = WRN_REASON_RATE;
    if (wrn_drip_take(&relay_mate_make(relay, peer)->asks, now, ASK_EACH, ASK_BURST)) {
        reason = grant(relay, now, peer, target, &forward, &side);
    } else {
        relay->counts[WRN_RELAY_COUNT_RATE]++;
    }
    if (reason != WRN_REASON_NONE) {
        relay->counts[WRN_RELAY_COUNT_REFUSED]++;
        answer(relay, peer, number, reason, 0);
        return;
    }
    /* The target hears first: the asker's frames come on the heels of the grant. */
    offer(relay, forward, !side);
    answer(relay, peer, number, reason, forward->slots[side]);
}

void relay_forward_on_frame(struct wrn_relay *relay, wrn_mono now, struct forward *forward,
                            uint32_t side, wrn_span inside) {
    uint8_t header[WRN_RELAYED_OVERHEAD];
    uint32_t rate = relay->options.bytes_per_s;
    uint64_t bytes = inside.size + sizeof header;
    forward->heard[side] = wrn_tick_of(now);
    if (rate != 0 &&
        !relay_bucket_take(&forward->bytes, now, bytes * WRN_S(1) / rate, BYTES_TIME)) {
        relay->counts[WRN_RELAY_COUNT_RATE]++;
        return;
    }
    wrn_relayed_write(forward->slots[!side], header);
    relay->counts[WRN_RELAY_COUNT_FORWARDED]++;
    relay->counts[WRN_RELAY_COUNT_FORWARDED_BYTES] += bytes;
    relay->port.forward(relay->port.ctx, relay_handle(relay, forward->ends[!side]),
                        (wrn_span){header, sizeof header}, inside);
}

void relay_forward_on_close(struct wrn_relay *relay, struct forward *forward, uint32_t side,
                            enum wrn_reason reason) {
    relay_send_close(relay, relay_handle(relay, forward->ends[!side]), forward->slots[!side],
                     reason);
    remove_pair(relay, forward);
}

void relay_forward_on_unknown(struct wrn_relay *relay, struct forward *forward, uint32_t side) {
    offer(relay, forward, side);
}

void relay_forward_on_peer_down(struct wrn_relay *relay, wrn_handle peer) {
    const struct mate *mate = relay_mate(relay, peer);
    for (uint32_t i = 0; mate->ends > 0 && i < relay->forwards.touched; i++) {
        struct forward *forward = wrn_pool_at(&relay->forwards, i, NULL);
        for (uint32_t side = 0; forward != NULL && side < 2; side++) {
            if (relay_is(forward->ends[side], peer)) {
                relay_forward_on_close(relay, forward, side, WRN_REASON_NOBODY_THERE);
                forward = NULL;
            }
        }
    }
}

void relay_forward_on_time(struct wrn_relay *relay, wrn_mono now) {
    if (!wrn_mono_reached(now, relay->forward_due)) {
        return;
    }
    wrn_mono next = WRN_MONO_NEVER; /* frames put ends off, which the due moment does not follow */
    for (uint32_t i = 0; i < relay->forwards.touched; i++) {
        struct forward *forward = wrn_pool_at(&relay->forwards, i, NULL);
        wrn_mono due = forward != NULL ? expiry(forward, now) : WRN_MONO_NEVER;
        if (!wrn_mono_reached(now, due)) {
            next = wrn_mono_min(next, due);
            continue;
        }
        for (uint32_t side = 0; side < 2; side++) {
            relay_send_close(relay, relay_handle(relay, forward->ends[side]), forward->slots[side],
                             WRN_REASON_TIMEOUT);
        }
        remove_pair(relay, forward);
    }
    relay->forward_due = next;
}

void relay_forward_end(struct wrn_relay *relay) {
    for (uint32_t i = 0; i < relay->forwards.touched; i++) {
        struct forward *forward = wrn_pool_at(&relay->forwards, i, NULL);
        for (uint32_t side = 0; forward != NULL && side < 2; side++) {
            relay_send_close(relay, relay_handle(relay, forward->ends[side]), forward->slots[side],
                             WRN_REASON_RELAY_REFUSED);
        }
        if (forward != NULL) {
            remove_pair(relay, forward);
        }
    }
}

/* Asking again for the same pair, or from its other end, gives the same slots: answers get lost. */
static enum wrn_reason grant(struct wrn_relay *relay, wrn_mono now, wrn_handle asker,
                             wrn_id target_id, struct forward **ret_forward, uint32_t *ret_side) {
    bool is_direct = false;
    const struct wrn_link *from = wrn_links_of(relay->links, asker);
    if (!relay->options.relays || relay->options.forwards_max == 0) {
        return WRN_REASON_RELAY_REFUSED;
    }
    if (from == NULL || wrn_id_equal(target_id, relay->links->self) ||
        wrn_id_equal(target_id, from->id)) {
        return WRN_REASON_SELF;
    }
    if (!wrn_handle_equal(relay->port.find(relay->port.ctx, from->id, &is_direct), asker) ||
        !is_direct || from->is_relayed) {
        return WRN_REASON_RELAY_CHAIN;
    }
    const struct wrn_link *to = wrn_links_at(relay->links, target_id);
    is_direct = false;
    wrn_handle target = relay->port.find(relay->port.ctx, target_id, &is_direct);
    if (to == NULL || !wrn_handle_equal(target, to->peer)) {
        return WRN_REASON_NOBODY_THERE;
    }
    if (!is_direct || to->is_relayed) {
        return WRN_REASON_RELAY_CHAIN;
    }
    *ret_forward = find_pair(relay, asker, target, ret_side);
    if (*ret_forward != NULL) {
        (*ret_forward)->heard[*ret_side] = wrn_tick_of(now);
        return WRN_REASON_NONE;
    }
    *ret_side = 0;
    return make(relay, now, asker, target, ret_forward);
}

/* One member cannot take the whole pool. */
static enum wrn_reason make(struct wrn_relay *relay, wrn_mono now, wrn_handle asker,
                            wrn_handle target, struct forward **ret_forward) {
    struct mate *from = relay_mate_make(relay, asker), *to = relay_mate_make(relay, target);
    uint32_t share = relay->options.forwards_max / ASKED_SHARE;
    wrn_handle handle;
    if (from->asked >= (share > ASKED_MIN ? share : ASKED_MIN)) {
        return WRN_REASON_FULL;
    }
    struct forward *forward = wrn_pool_take(&relay->forwards, &handle);
    if (forward == NULL) {
        return WRN_REASON_FULL;
    }
    from->asked++;
    from->ends++;
    to->ends++;
    forward->ends[0] = relay_ref(asker);
    forward->ends[1] = relay_ref(target);
    for (uint32_t side = 0; side < 2; side++) {
        forward->heard[side] = wrn_tick_of(now);
        forward->slots[side] = draw_slot(relay);
        relay_slot_add(relay, forward->slots[side], relay_owner_forward(handle.index, side));
    }
    relay->forward_due = wrn_mono_min(relay->forward_due, expiry(forward, now));
    *ret_forward = forward;
    return WRN_REASON_NONE;
}

/* O(forwards), at most as often as a peer may ask. */
static struct forward *find_pair(const struct wrn_relay *relay, wrn_handle a, wrn_handle b,
                                 uint32_t *ret_side) {
    const struct mate *mate = relay_mate(relay, a);
    for (uint32_t i = 0; mate != NULL && mate->ends > 0 && i < relay->forwards.touched; i++) {
        struct forward *forward = wrn_pool_at(&relay->forwards, i, NULL);
        for (uint32_t side = 0; forward != NULL && side < 2; side++) {
            if (relay_is(forward->ends[side], a) && relay_is(forward->ends[!side], b)) {
                *ret_side = side;
                return forward;
            }
        }
    }
    return NULL;
}

/* Not 0, and nobody's: so what is not the sender's is another one's. */
static uint64_t draw_slot(struct wrn_relay *relay) {
    uint64_t slot;
    do {
        wrn_rand_fill(relay->rand, &slot, sizeof slot);
    } while (slot == 0 || relay_slot_is_known(relay, slot));
    return slot;
}

/* Tells the end at 'side' who its slot leads to. */
static void offer(const struct wrn_relay *relay, const struct forward *forward, uint32_t side) {
    const struct wrn_link *other =
        wrn_links_of(relay->links, relay_handle(relay, forward->ends[!side]));
    uint8_t bytes[MESSAGE_MAX];
    if (other == NULL) {
        return; /* about to be gone */
    }
    struct wrn_writer writer = wrn_writer(bytes, sizeof bytes);
    wrn_write_u8(&writer, WRN_MESSAGE_RELAY);
    wrn_write_u8(&writer, RELAY_OFFER);
    wrn_write_u64(&writer, forward->slots[side]);
    wrn_write_id(&writer, other->id);
    relay->port.send(relay->port.ctx, relay_handle(relay, forward->ends[side]),
                     wrn_written(&writer));
}

static void answer(const struct wrn_relay *relay, wrn_handle peer, uint32_t number,
                   enum wrn_reason reason, uint64_t slot) {
    uint8_t bytes[MESSAGE_MAX];
    struct wrn_writer writer = wrn_writer(bytes, sizeof bytes);
    bool is_granted = reason == WRN_REASON_NONE;
    wrn_write_u8(&writer, WRN_MESSAGE_RELAY);
    wrn_write_u8(&writer, is_granted ? RELAY_GRANT : RELAY_REFUSE);
    wrn_write_u32(&writer, number);
    if (is_granted) {
        wrn_write_u64(&writer, slot);
    } else {
        wrn_write_u8(&writer, (uint8_t)reason);
    }
    relay->port.send(relay->port.ctx, peer, wrn_written(&writer));
}

static void remove_pair(struct wrn_relay *relay, struct forward *forward) {
    uint32_t index = index_of(relay, forward);
    wrn_handle handle;
    for (uint32_t side = 0; side < 2; side++) {
        struct mate *mate = relay_mate(relay, relay_handle(relay, forward->ends[side]));
        relay_slot_remove(relay, forward->slots[side], relay_owner_forward(index, side));
        if (mate != NULL) {
            mate->ends--;
            mate->asked = (uint16_t)(mate->asked - (side == 0 ? 1 : 0));
        }
    }
    WRN_ASSERT(wrn_pool_at(&relay->forwards, index, &handle) == forward);
    wrn_pool_give(&relay->forwards, handle);
}

static uint32_t index_of(const struct wrn_relay *relay, const struct forward *forward) {
    size_t at = (size_t)((const uint8_t *)forward - relay->forwards.slots);
    return (uint32_t)(at / relay->forwards.slot_size);
}

/* Each end has to be heard of, by a frame or a KEEP. */
static wrn_mono expiry(const struct forward *forward, wrn_mono now) {
    wrn_mono first = wrn_tick_mono(forward->heard[0], now);
    return wrn_mono_add(wrn_mono_min(first, wrn_tick_mono(forward->heard[1], now)), PAIR_IDLE);
}
