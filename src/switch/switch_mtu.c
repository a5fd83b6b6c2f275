/* SPDX-License-Identifier: Apache-2.0 */
/* Finds out how much reaches each member in one piece: probes of a size, in datagrams that may not
 * be fragmented, which the other switch answers by a short one. From the largest size down; what
 * was found is confirmed each minute, and looked for anew each ten. Frames are those of the loop
 * guard (switch_guard.c), through the tunnel. Source of the idea: RFC 8899 (DPLPMTUD). */
#include "switch/switch_internal.h"

#include "switch/payload.h"

enum {
    TRIES = 2,         /* of a size that is looked for */
    CONFIRM_TRIES = 3, /* of one that was found */
    ANSWER_MS = 1000,
    CONFIRM_S = 60,
    LOOK_S = 600,
    SOON_MS = 10,
    USUAL = 1500, /* of the underlay, where 'top' fits just so */
};

/* Sizes that links on the way often have: PPPoE; with a tunnel in it; ... */
static const uint16_t underlays[] = {USUAL, 1492, 1480, 1460, 1428, 1400};

static void next_size(struct wrn_switch_place *place, wrn_mono now);
static uint32_t size_at(const struct wrn_switch_place *place, uint32_t step);
static void look(struct wrn_switch_place *place, wrn_mono now);
static void found(struct wrn_switch_place *place, wrn_mono now);
static void failed(struct wrn_switch_place *place, wrn_mono now);
static bool probe(struct wrn_switch *sw, struct wrn_now now, uint32_t port,
                  struct wrn_switch_out *out);
static void publish(struct wrn_switch_place *place, uint32_t size);
static void be_due(struct wrn_switch *sw, wrn_mono at);

void wrn_switch_mtu_set(struct wrn_switch *sw, wrn_mono now, uint32_t port, uint32_t base,
                        uint32_t top) {
    struct wrn_switch_place *place = &sw->ports[port];
    struct wrn_switch_mtu *mtu = &place->mtu;
    uint32_t most = WRN_SWITCH_MADE_MAX + WRN_PAYLOAD_FRAME_HEAD;
    *mtu =
        (struct wrn_switch_mtu){.base = base, .top = top < most ? top : most, .nonce = mtu->nonce};
    publish(place, base);
    mtu->due = WRN_MONO_NEVER;
    if (mtu->top > base) {
        look(place, now);
        be_due(sw, mtu->due);
    }
}

void wrn_switch_mtu_on_time(struct wrn_switch *sw, struct wrn_now now, struct wrn_switch_out *out) {
    uint32_t ports = atomic_load_explicit(&sw->ports_touched, memory_order_relaxed);
    if (!wrn_mono_reached(now.mono, sw->mtu_at)) {
        return;
    }
    sw->mtu_at = WRN_MONO_NEVER;
    for (uint32_t port = 1; port < ports; port++) {
        struct wrn_switch_place *place = &sw->ports[port];
        if (!place->is_open) {
            continue;
        }
        if (wrn_mono_reached(now.mono, place->mtu.due)) {
            if (place->mtu.is_waiting) {
                failed(place, now.mono);
            }
            if (wrn_mono_reached(now.mono, place->mtu.due) && !probe(sw, now, port, out)) {
                be_due(sw, wrn_mono_add(now.mono, WRN_MS(SOON_MS))); /* no room: the next call */
                continue;
            }
        }
        be_due(sw, place->mtu.due);
    }
}

void wrn_switch_mtu_on_answer(struct wrn_switch *sw, wrn_mono now, uint32_t port, uint64_t what) {
    struct wrn_switch_place *place = &sw->ports[port];
    struct wrn_switch_mtu *mtu = &place->mtu;
    if (mtu->is_waiting && what == ((uint64_t)mtu->probed << 32 | mtu->nonce)) {
        found(place, now);
        be_due(sw, mtu->due);
    }
}

/* ---- steps */

/* From the top again, while what was found goes on to count. */
static void look(struct wrn_switch_place *place, wrn_mono now) {
    place->mtu.step = 0;
    place->mtu.look_at = wrn_mono_add(now, WRN_S(LOOK_S));
    next_size(place, now);
}

/* The next smaller size that is more than what counts already; none: that is confirmed. */
static void next_size(struct wrn_switch_place *place, wrn_mono now) {
    struct wrn_switch_mtu *mtu = &place->mtu;
    uint32_t current = atomic_load_explicit(&place->payload_max, memory_order_relaxed);
    while (mtu->step < WRN_COUNT(underlays) && size_at(place, mtu->step) <= current) {
        mtu->step++;
    }
    mtu->tries = 0;
    mtu->is_waiting = false;
    mtu->is_confirming = mtu->step >= WRN_COUNT(underlays);
    if (mtu->is_confirming) {
        mtu->probed = current;
        mtu->due = current > mtu->base ? wrn_mono_add(now, WRN_S(CONFIRM_S)) : mtu->look_at;
    } else {
        mtu->probed = size_at(place, mtu->step);
        mtu->due = now;
    }
}

static uint32_t size_at(const struct wrn_switch_place *place, uint32_t step) {
    uint32_t less = (uint32_t)USUAL - underlays[step];
    return place->mtu.top > less ? place->mtu.top - less : 0;
}

static void found(struct wrn_switch_place *place, wrn_mono now) {
    publish(place, place->mtu.probed);
    place->mtu.step = WRN_COUNT(underlays); /* smaller ones fit, too */
    next_size(place, now);
}

/* Nobody has answered in time. */
static void failed(struct wrn_switch_place *place, wrn_mono now) {
    struct wrn_switch_mtu *mtu = &place->mtu;
    mtu->is_waiting = false;
    mtu->tries++;
    if (mtu->is_confirming && mtu->tries >= CONFIRM_TRIES) {
        publish(place, mtu->base);
        look(place, now);
    } else if (!mtu->is_confirming && mtu->tries >= TRIES) {
        mtu->step++;
        next_size(place, now);
    }
}

static bool probe(struct wrn_switch *sw, struct wrn_now now, uint32_t port,
                  struct wrn_switch_out *out) {
    struct wrn_switch_place *place = &sw->ports[port];
    struct wrn_switch_mtu *mtu = &place->mtu;
    if (mtu->is_confirming && wrn_mono_reached(now.mono, mtu->look_at)) {
        look(place, now.mono); /* the way may have become wider */
    }
    if (mtu->is_confirming && mtu->probed == mtu->base) { /* nothing to confirm */
        mtu->due = mtu->look_at;
        return true;
    }
    if (out->frame_count == WRN_SWITCH_OUT_MAX) {
        return false;
    }
    mtu->nonce++;
    mtu->is_waiting = true;
    mtu->due = wrn_mono_add(now.mono, WRN_MS(ANSWER_MS));
    wrn_switch_guard_probe_size(sw, now, port, mtu->probed - WRN_PAYLOAD_FRAME_HEAD,
                                (uint64_t)mtu->probed << 32 | mtu->nonce, out);
    return true;
}

static void publish(struct wrn_switch_place *place, uint32_t size) {
    atomic_store_explicit(&place->payload_max, size, memory_order_relaxed);
}

static void be_due(struct wrn_switch *sw, wrn_mono at) {
    sw->mtu_at = wrn_mono_min(sw->mtu_at, at);
}
