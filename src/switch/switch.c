/* SPDX-License-Identifier: Apache-2.0 */
/* The switch as a whole: memory, settings, ports, buckets, events. Looks at no frame. */
#include "switch/switch.h"

#include "switch/switch_internal.h"

enum {
    AGE_MIN_S = 10,
    AGE_MAX_S = 86400,
    SWEEPS_AN_AGE = 10,
    EVENT_EACH_S = 10,
    EVENT_BURST = 4,
};

static void publish_rules(struct wrn_switch *sw, struct wrn_switch_place *place,
                          const struct wrn_frame_rules *rules);
static uint32_t free_port(struct wrn_switch *sw);
static void take_base(struct wrn_switch *sw, uint32_t port);
static uint64_t load(const _Atomic uint64_t *counter);

const char *wrn_switch_refusal_name(enum wrn_switch_refusal refusal) {
    static const char *const names[] = {
#define NAME(name, counter, text) counter,
        WRN_SWITCH_REFUSAL_LIST(NAME)
#undef NAME
    };
    WRN_ASSERT(refusal < WRN_COUNT(names));
    return names[refusal];
}

const char *wrn_switch_refusal_text(enum wrn_switch_refusal refusal) {
    static const char *const texts[] = {
#define TEXT(name, counter, text) text,
        WRN_SWITCH_REFUSAL_LIST(TEXT)
#undef TEXT
    };
    WRN_ASSERT(refusal < WRN_COUNT(texts));
    return texts[refusal];
}

const char *wrn_switch_event_name(enum wrn_switch_event_kind kind) {
    static const char *const names[] = {
#define NAME(name, text) text,
        WRN_SWITCH_EVENT_LIST(NAME)
#undef NAME
    };
    WRN_ASSERT(kind < WRN_COUNT(names));
    return names[kind];
}

void wrn_switch_defaults(struct wrn_switch_options *options) {
    *options = (struct wrn_switch_options){
        .macs_max = 1 << 16,
        .macs_per_port = 1 << 12,
        .neighbours_max = 1 << 12,
        .groups_max = 1 << 9,
    };
}

struct wrn_switch *wrn_switch_init(struct wrn_arena *arena,
                                   const struct wrn_switch_options *options, struct wrn_rand rand,
                                   struct wrn_now now) {
    static const struct wrn_frame_rules nothing;
    struct wrn_switch measured = {0};
    struct wrn_switch *sw = wrn_arena_take(arena, 1, sizeof *sw);
    struct wrn_switch *made = sw != NULL ? sw : &measured;
    WRN_ASSERT(options->macs_max >= 64 && options->macs_max <= 1 << 16);
    WRN_ASSERT(options->neighbours_max >= 4 && options->groups_max >= 4);
    WRN_ASSERT(options->macs_per_port >= 1 && options->macs_per_port <= options->macs_max / 2);
    made->options = *options;
    made->start = now.mono;
    made->epoch = 1;
    made->by_peer = wrn_arena_take(arena, options->peers_max, sizeof *made->by_peer);
    made->ports = wrn_arena_take(arena, WRN_SWITCH_PORT_COUNT, sizeof *made->ports);
    made->base = wrn_arena_take(arena, WRN_SWITCH_PORT_COUNT, sizeof *made->base);
    made->lanes = wrn_arena_take(arena, options->lanes_max, sizeof *made->lanes);
    made->macs = wrn_arena_take(arena, (size_t)options->macs_max + 1, sizeof *made->macs);
    made->neighbours =
        wrn_arena_take(arena, (size_t)options->neighbours_max + 1, sizeof *made->neighbours);
    made->groups = wrn_arena_take(arena, (size_t)options->groups_max + 1, sizeof *made->groups);
    made->queriers = wrn_arena_take(arena, 2, sizeof *made->queriers);
    wrn_switch_chains_init(&made->mac_chains, arena, options->macs_max);
    wrn_switch_chains_init(&made->neighbour_chains, arena, options->neighbours_max);
    wrn_switch_chains_init(&made->group_chains, arena, options->groups_max);
    if (sw == NULL) {
        return NULL;
    }
    WRN_ASSERT(options->own != 0);
    wrn_rand_fill(rand, sw->seed, sizeof sw->seed);
    sw->guard_key[0] = wrn_load_le64(options->secret);
    sw->guard_key[1] = wrn_load_le64(options->secret + 8);
    sw->mtu_at = sw->announce_at = WRN_MONO_NEVER;
    sw->ports[WRN_SWITCH_HOST].is_open = true;
    sw->ports[WRN_SWITCH_HOST].member = options->own;
    atomic_store_explicit(&sw->ports_touched, 1, memory_order_relaxed);
    publish_rules(sw, &sw->ports[WRN_SWITCH_HOST], &nothing);
    struct wrn_switch_settings usual;
    wrn_switch_settings_usual(&usual);
    wrn_switch_set(sw, now, &usual);
    return sw;
}

uint32_t wrn_switch_payload_max(const struct wrn_switch *sw, wrn_handle peer) {
    uint32_t port = wrn_switch_port_of(sw, peer);
    return port == WRN_SWITCH_UNKNOWN || port == WRN_SWITCH_HOST
               ? 0
               : atomic_load_explicit(&sw->ports[port].payload_max, memory_order_relaxed);
}

bool wrn_switch_is_open(const struct wrn_switch *sw, wrn_handle peer) {
    uint32_t port = wrn_switch_port_of(sw, peer);
    return port != WRN_SWITCH_UNKNOWN && port != WRN_SWITCH_HOST;
}

bool wrn_switch_open(struct wrn_switch *sw, struct wrn_now now,
                     const struct wrn_switch_port *port) {
    uint32_t number = wrn_switch_port_of(sw, port->peer);
    bool is_new = number == WRN_SWITCH_UNKNOWN;
    uint32_t top = port->payload_top > port->payload_max ? port->payload_top : port->payload_max;
    WRN_ASSERT(number != WRN_SWITCH_HOST && port->peer.index < sw->options.peers_max);
    if (is_new) {
        uint64_t before = load(&sw->by_peer[port->peer.index]);
        if (before != 0) { /* its predecessor was not closed */
            wrn_switch_close(sw, now, (wrn_handle){port->peer.index, (uint32_t)(before >> 32)});
        }
        number = free_port(sw);
        if (number == WRN_SWITCH_UNKNOWN) {
            return false;
        }
    }
    struct wrn_switch_place *place = &sw->ports[number];
    place->is_open = true;
    place->member = port->member;
    memcpy(place->name, port->name, sizeof place->name);
    place->name[sizeof place->name - 1] = '\0';
    if (is_new || place->mtu.base != port->payload_max || place->mtu.top != top) {
        wrn_switch_mtu_set(sw, now.mono, number, port->payload_max, top);
    }
    publish_rules(sw, place, &port->theirs);
    if (is_new) {
        atomic_store_explicit(&place->peer, wrn_switch_pack(port->peer), memory_order_release);
        atomic_store_explicit(&sw->by_peer[port->peer.index],
                              (uint64_t)port->peer.generation << 32 | number, memory_order_release);
        wrn_switch_guard_greet(sw, now.mono);
        if (number >= atomic_load_explicit(&sw->ports_touched, memory_order_relaxed)) {
            atomic_store_explicit(&sw->ports_touched, number + 1, memory_order_release);
        }
    }
    return true;
}

void wrn_switch_close(struct wrn_switch *sw, struct wrn_now now, wrn_handle peer) {
    uint32_t port = wrn_switch_port_of(sw, peer);
    (void)now;
    if (port == WRN_SWITCH_UNKNOWN || port == WRN_SWITCH_HOST) {
        return;
    }
    struct wrn_switch_place *place = &sw->ports[port];
    atomic_store_explicit(&sw->by_peer[peer.index], 0, memory_order_release);
    atomic_store_explicit(&place->peer, 0, memory_order_release);
    wrn_switch_mac_forget(sw, port);
    wrn_switch_neighbour_forget(sw, port);
    wrn_switch_group_forget(sw, port);
    place->is_open = false;
    place->closed_epoch = sw->epoch;
}

void wrn_switch_set_path(struct wrn_switch *sw, struct wrn_now now, wrn_handle peer, uint32_t base,
                         uint32_t top) {
    uint32_t port = wrn_switch_port_of(sw, peer);
    if (port != WRN_SWITCH_UNKNOWN && port != WRN_SWITCH_HOST) {
        wrn_switch_mtu_set(sw, now.mono, port, base, top);
    }
}

void wrn_switch_set_ours(struct wrn_switch *sw, const struct wrn_frame_rules *ours) {
    publish_rules(sw, &sw->ports[WRN_SWITCH_HOST], ours);
}

void wrn_switch_set_tunnel(struct wrn_switch *sw, const uint8_t mac[WRN_MAC_ADDRESS_SIZE],
                           uint16_t port) {
    uint64_t tunnel = port == 0 ? 0 : wrn_switch_mac_key(mac, port);
    atomic_store_explicit(&sw->tunnel, tunnel, memory_order_relaxed);
}

void wrn_switch_settings_usual(struct wrn_switch_settings *ret_settings) {
    *ret_settings = (struct wrn_switch_settings){
        .answers_neighbours = true,
        .guards_loops = true,
        .floods_per_s = 2000,
        .age_s = 300,
    };
}

void wrn_switch_settings(const struct wrn_switch *sw, struct wrn_switch_settings *ret_settings) {
    *ret_settings = sw->settings;
}

void wrn_switch_set(struct wrn_switch *sw, struct wrn_now now,
                    const struct wrn_switch_settings *settings) {
    struct wrn_switch_settings *own = &sw->settings;
    *own = *settings;
    own->age_s = own->age_s < AGE_MIN_S ? AGE_MIN_S : own->age_s;
    own->age_s = own->age_s > AGE_MAX_S ? AGE_MAX_S : own->age_s;
    atomic_store_explicit(&sw->allows_dhcp, own->allows_dhcp, memory_order_relaxed);
    atomic_store_explicit(&sw->answers, own->answers_neighbours, memory_order_relaxed);
    atomic_store_explicit(&sw->flood_each_ns,
                          own->floods_per_s == 0 ? 0 : WRN_S(1) / own->floods_per_s,
                          memory_order_relaxed);
    atomic_store_explicit(&sw->flood_burst, own->floods_per_s, memory_order_relaxed);
    atomic_store_explicit(&sw->age_s, own->age_s, memory_order_relaxed);
    sw->sweep_at = wrn_mono_add(now.mono, WRN_S(own->age_s) / SWEEPS_AN_AGE);
    wrn_switch_guard_set(sw, now.mono);
}

void wrn_switch_on_time(struct wrn_switch *sw, struct wrn_now now, struct wrn_switch_out *out) {
    uint32_t now_s = wrn_switch_seconds(sw, now.mono);
    if (wrn_mono_reached(now.mono, sw->sweep_at)) {
        wrn_switch_mac_sweep(sw, now_s);
        wrn_switch_neighbour_sweep(sw, now_s);
        sw->sweep_at = wrn_mono_add(now.mono, WRN_S(sw->settings.age_s) / SWEEPS_AN_AGE);
    }
    wrn_switch_group_sweep(sw, now_s);
    wrn_switch_guard_on_time(sw, now, out);
    wrn_switch_mtu_on_time(sw, now, out);
    wrn_switch_announce_on_time(sw, now.mono, out);
}

wrn_mono wrn_switch_due(const struct wrn_switch *sw) {
    wrn_mono due = wrn_mono_min(wrn_mono_min(sw->sweep_at, sw->guard_at),
                                wrn_mono_min(sw->mtu_at, sw->announce_at));
    /* second n begins n - 1 seconds after the start */
    return sw->group_due_s == 0
               ? due
               : wrn_mono_min(due, wrn_mono_add(sw->start, WRN_S(sw->group_due_s - 1)));
}

/* ---- for the other files */

uint32_t wrn_switch_port_of(const struct wrn_switch *sw, wrn_handle peer) {
    if (wrn_handle_equal(peer, WRN_HANDLE_NONE)) {
        return WRN_SWITCH_HOST;
    }
    uint64_t entry = peer.index < sw->options.peers_max
                         ? atomic_load_explicit(&sw->by_peer[peer.index], memory_order_acquire)
                         : 0;
    return entry != 0 && entry >> 32 == peer.generation ? (uint32_t)entry : WRN_SWITCH_UNKNOWN;
}

void wrn_switch_quiesce(struct wrn_switch *sw) {
    if (sw->options.quiesce != NULL) {
        sw->options.quiesce(sw->options.quiesce_ctx);
    }
    sw->epoch++;
    wrn_switch_chains_reclaim(&sw->mac_chains);
    wrn_switch_chains_reclaim(&sw->group_chains);
}

uint32_t wrn_switch_members(const struct wrn_switch *sw, wrn_handle peers[WRN_SWITCH_PORTS_MAX]) {
    uint32_t ports = atomic_load_explicit(&sw->ports_touched, memory_order_relaxed);
    uint32_t count = 0;
    for (uint32_t port = 1; port < ports; port++) {
        peers[count] = wrn_switch_peer_of(sw, port);
        count += !wrn_handle_equal(peers[count], WRN_HANDLE_NONE);
    }
    return count;
}

bool wrn_switch_take(struct wrn_switch_bucket *bucket, wrn_mono now, uint64_t each_ns,
                     uint32_t burst) {
    uint64_t full_at = load(&bucket->full_at);
    uint64_t after;
    do {
        after = (full_at > now.ns ? full_at : now.ns) + each_ns;
        if (after - now.ns > each_ns * burst) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&bucket->full_at, &full_at, after,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

struct wrn_switch_event *wrn_switch_tell(struct wrn_switch *sw, wrn_mono now,
                                         struct wrn_switch_out *out, uint32_t port,
                                         enum wrn_switch_event_kind kind) {
    struct wrn_switch_place *place = &sw->ports[port];
    if (out->event_count == WRN_SWITCH_OUT_MAX ||
        !wrn_switch_take(&place->events[kind], now, WRN_S(EVENT_EACH_S), EVENT_BURST)) {
        return NULL;
    }
    struct wrn_switch_event *event = &out->events[out->event_count++];
    *event = (struct wrn_switch_event){.kind = kind};
    memcpy(event->name, place->name, sizeof event->name);
    return event;
}

uint64_t wrn_switch_count(const struct wrn_switch *sw, const _Atomic uint64_t *first_lanes,
                          const _Atomic uint64_t *base) {
    uint64_t sum = 0;
    const uint8_t *at = (const uint8_t *)first_lanes;
    for (uint32_t i = 0; i < sw->options.lanes_max; i++, at += sizeof sw->lanes[0]) {
        sum += load((const _Atomic uint64_t *)(const void *)at);
    }
    return sum - load(base);
}

/* ---- helpers */

/* Two rooms: lanes may look at the rules that hold while the next ones are written. */
static void publish_rules(struct wrn_switch *sw, struct wrn_switch_place *place,
                          const struct wrn_frame_rules *rules) {
    const struct wrn_frame_rules *before =
        atomic_load_explicit(&place->rules, memory_order_relaxed);
    size_t room = before == &place->rooms[0];
    if (before != NULL && memcmp(before, rules, sizeof *rules) == 0) {
        return;
    }
    if (place->replaced[room] == sw->epoch) {
        wrn_switch_quiesce(sw);
    }
    place->rooms[room] = *rules;
    if (before != NULL) {
        place->replaced[1 - room] = sw->epoch;
    }
    atomic_store_explicit(&place->rules, &place->rooms[room], memory_order_release);
}

/* One that was never used, or that no lane can take for that of whoever had it before. */
static uint32_t free_port(struct wrn_switch *sw) {
    uint32_t touched = atomic_load_explicit(&sw->ports_touched, memory_order_relaxed);
    uint32_t found = touched < WRN_SWITCH_PORT_COUNT ? touched : WRN_SWITCH_UNKNOWN;
    for (uint32_t i = 1; i < touched; i++) {
        if (!sw->ports[i].is_open && (found == WRN_SWITCH_UNKNOWN || found == touched)) {
            found = i;
        }
    }
    if (found == WRN_SWITCH_UNKNOWN) {
        return found;
    }
    struct wrn_switch_place *place = &sw->ports[found];
    if (found < touched) {
        if (place->closed_epoch == sw->epoch) {
            wrn_switch_quiesce(sw);
        }
        memset(place->twins, 0, sizeof place->twins);
        place->stamp = 0;
        place->here = 0;
        place->here_at = (wrn_mono){0};
        memset(place->events, 0, sizeof place->events);
        take_base(sw, found);
    }
    return found;
}

/* Lanes alone write what they count, so what the last holder had is subtracted. */
static void take_base(struct wrn_switch *sw, uint32_t port) {
    struct wrn_switch_counts *base = &sw->base[port];
    const struct wrn_switch_counts *first = &sw->lanes[0].ports[port];
    static const _Atomic uint64_t zero;
    atomic_store_explicit(&base->in, wrn_switch_count(sw, &first->in, &zero), memory_order_relaxed);
    atomic_store_explicit(&base->out, wrn_switch_count(sw, &first->out, &zero),
                          memory_order_relaxed);
    atomic_store_explicit(&base->floods, wrn_switch_count(sw, &first->floods, &zero),
                          memory_order_relaxed);
    for (size_t i = 0; i < WRN_SWITCH_REFUSAL_COUNT; i++) {
        atomic_store_explicit(&base->refused[i], wrn_switch_count(sw, &first->refused[i], &zero),
                              memory_order_relaxed);
    }
}

static uint64_t load(const _Atomic uint64_t *counter) {
    return atomic_load_explicit(counter, memory_order_relaxed);
}
