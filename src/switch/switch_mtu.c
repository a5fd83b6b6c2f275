/* SPDX-License-Identifier: Apache-2.0 */
/* Finds out how much reaches each member in one piece (base/path_size.h). Probes are frames of the
 * loop guard (switch_guard.c), through the tunnel, which the other switch answers by a short
 * one. */
#include "switch/switch_internal.h"

#include "switch/payload.h"

enum {
    CONFIRM_S = 60,
    SOON_MS = 10,
};

static bool probe(struct wrn_switch *sw, struct wrn_now now, uint32_t port,
                  struct wrn_switch_out *out);
static void publish(struct wrn_switch_place *place);
static void be_due(struct wrn_switch *sw, wrn_mono at);

void wrn_switch_mtu_set(struct wrn_switch *sw, wrn_mono now, uint32_t port, uint32_t base,
                        uint32_t top) {
    struct wrn_switch_place *place = &sw->ports[port];
    uint32_t most = WRN_SWITCH_MADE_MAX + WRN_PAYLOAD_FRAME_HEAD;
    wrn_path_size_set(&place->mtu, now, base, top < most ? top : most, CONFIRM_S);
    publish(place);
    be_due(sw, place->mtu.due);
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
        bool is_probing = wrn_path_size_on_time(&place->mtu, now.mono);
        publish(place);
        if (is_probing && !probe(sw, now, port, out)) {
            be_due(sw, wrn_mono_add(now.mono, WRN_MS(SOON_MS))); /* no room: the next call */
            continue;
        }
        be_due(sw, place->mtu.due);
    }
}

void wrn_switch_mtu_on_answer(struct wrn_switch *sw, wrn_mono now, uint32_t port, uint64_t what) {
    struct wrn_switch_place *place = &sw->ports[port];
    if (wrn_path_size_on_answer(&place->mtu, now, (uint32_t)(what >> 32), (uint32_t)what)) {
        publish(place);
        be_due(sw, place->mtu.due);
    }
}

static bool probe(struct wrn_switch *sw, struct wrn_now now, uint32_t port,
                  struct wrn_switch_out *out) {
    struct wrn_path_size *mtu = &sw->ports[port].mtu;
    if (out->frame_count == WRN_SWITCH_OUT_MAX) {
        return false;
    }
    wrn_path_size_sent(mtu, now.mono);
    wrn_switch_guard_probe_size(sw, now, port, mtu->probed - WRN_PAYLOAD_FRAME_HEAD,
                                (uint64_t)mtu->probed << 32 | mtu->nonce, out);
    return true;
}

static void publish(struct wrn_switch_place *place) {
    atomic_store_explicit(&place->payload_max, place->mtu.current, memory_order_relaxed);
}

static void be_due(struct wrn_switch *sw, wrn_mono at) {
    sw->mtu_at = wrn_mono_min(sw->mtu_at, at);
}
