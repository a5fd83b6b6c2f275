/* SPDX-License-Identifier: Apache-2.0 */
/* Verdicts. Runs on lanes: reads what is published, writes counters, ages and buckets, and leaves
 * all else to the control thread. */
#include "switch/switch_internal.h"

enum {
    TELL_NS = 1000000, /* a copy each for what is to be learned: 1,000 a second and port ... */
    TELL_BURST = 1024,
    TELL_REFUSED_NS = 100000000, /* ... and ten a second of what was refused */
    TELL_REFUSED_BURST = 10,
};

/* One question. */
struct ask {
    struct wrn_switch *sw;
    uint32_t lane, port; /* that the frame comes in by */
    wrn_mono now;
    uint32_t now_s;
    wrn_handle peer;
    wrn_span frame;
    struct wrn_switch_head head;
    struct wrn_switch_verdict *verdict;
    bool is_flood;
};

static enum wrn_switch_refusal check(struct ask *ask);
static enum wrn_switch_refusal check_source(struct ask *ask);
static enum wrn_switch_refusal send_to_members(struct ask *ask);
static enum wrn_switch_refusal flood(struct ask *ask);
static enum wrn_switch_refusal send_to_host(struct ask *ask);
static bool hears_reports(const struct ask *ask);
static bool is_dhcp(const struct wrn_switch_head *head);
static bool is_learned_from(const struct wrn_switch_head *head);
static bool is_tunnel(const struct ask *ask);
static bool may_flood(struct ask *ask);
static bool permits(const struct ask *ask, wrn_handle peer, bool is_out);
static uint32_t owner_of_destination(const struct ask *ask);
static void tell(struct ask *ask, bool is_refused);
static void finish(struct ask *ask, enum wrn_switch_refusal refusal);

void wrn_switch_from_host(struct wrn_switch *sw, uint32_t lane, wrn_mono now, wrn_span frame,
                          struct wrn_switch_verdict *ret_verdict) {
    struct ask ask = {
        .sw = sw,
        .lane = lane,
        .port = WRN_SWITCH_HOST,
        .now = now,
        .now_s = wrn_switch_seconds(sw, now),
        .frame = frame,
        .verdict = ret_verdict,
    };
    ret_verdict->count = 0;
    ret_verdict->is_told = ret_verdict->is_lasting = false;
    enum wrn_switch_refusal refusal = check(&ask);
    finish(&ask, refusal == WRN_SWITCH_NONE ? send_to_members(&ask) : refusal);
}

void wrn_switch_from_peer(struct wrn_switch *sw, uint32_t lane, wrn_mono now, wrn_handle peer,
                          wrn_span frame, struct wrn_switch_verdict *ret_verdict) {
    struct ask ask = {
        .sw = sw,
        .lane = lane,
        .port = wrn_switch_port_of(sw, peer),
        .now = now,
        .now_s = wrn_switch_seconds(sw, now),
        .peer = peer,
        .frame = frame,
        .verdict = ret_verdict,
    };
    ret_verdict->count = 0;
    ret_verdict->is_told = ret_verdict->is_lasting = false;
    if (ask.port == WRN_SWITCH_UNKNOWN || ask.port == WRN_SWITCH_HOST) {
        ask.port = WRN_SWITCH_HOST; /* there is nobody else to count it for */
        finish(&ask, WRN_SWITCH_CLOSED);
        return;
    }
    enum wrn_switch_refusal refusal = check(&ask);
    finish(&ask, refusal == WRN_SWITCH_NONE ? send_to_host(&ask) : refusal);
}

/* ---- what both directions ask */

static enum wrn_switch_refusal check(struct ask *ask) {
    struct wrn_switch *sw = ask->sw;
    const struct wrn_frame_rules *rules =
        atomic_load_explicit(&sw->ports[ask->port].rules, memory_order_acquire);
    enum wrn_switch_refusal refusal = wrn_switch_read(ask->frame, &ask->head);
    if (refusal != WRN_SWITCH_NONE) {
        return refusal;
    }
    if (ask->head.kind == WRN_SWITCH_PROBE) {
        tell(ask, false);
        return WRN_SWITCH_GUARD;
    }
    if (atomic_load_explicit(&sw->stands_by, memory_order_relaxed)) {
        return WRN_SWITCH_LOOP;
    }
    if (is_tunnel(ask)) {
        return WRN_SWITCH_TUNNEL;
    }
    if (!wrn_frame_rules_type(rules, ask->head.type)) {
        return WRN_SWITCH_TYPE;
    }
    if (!wrn_frame_rules_mac(rules, ask->head.source)) {
        return WRN_SWITCH_MAC;
    }
    struct wrn_ip ip;
    if (!wrn_switch_claims_own(rules, &ask->head, &ip)) {
        tell(ask, true);
        return WRN_SWITCH_ADDRESS;
    }
    refusal = check_source(ask);
    if (refusal == WRN_SWITCH_NONE && is_dhcp(&ask->head) &&
        !atomic_load_explicit(&sw->allows_dhcp, memory_order_relaxed)) {
        tell(ask, true);
        return WRN_SWITCH_DHCP;
    }
    return refusal;
}

static enum wrn_switch_refusal check_source(struct ask *ask) {
    struct wrn_switch *sw = ask->sw;
    struct wrn_switch_mac_entry *entry = wrn_switch_mac_find(sw, ask->head.source_key);
    uint32_t owner = entry != NULL ? atomic_load_explicit(&entry->port, memory_order_acquire)
                                   : WRN_SWITCH_UNKNOWN;
    if (owner == ask->port) {
        wrn_switch_mac_touch(entry, ask->now_s);
        if (is_learned_from(&ask->head)) {
            tell(ask, false);
        }
        return WRN_SWITCH_NONE;
    }
    if (owner != WRN_SWITCH_UNKNOWN && !wrn_switch_mac_is_old(sw, entry, ask->now_s) &&
        !wrn_frame_rules_names(
            atomic_load_explicit(&sw->ports[ask->port].rules, memory_order_acquire),
            ask->head.source)) {
        tell(ask, true);
        return WRN_SWITCH_STOLEN;
    }
    if (!wrn_switch_mac_has_room(sw, ask->port)) {
        tell(ask, true);
        return WRN_SWITCH_QUOTA;
    }
    tell(ask, false);
    return WRN_SWITCH_NONE;
}

/* ---- from the host's side */

static enum wrn_switch_refusal send_to_members(struct ask *ask) {
    struct wrn_switch *sw = ask->sw;
    uint32_t owner = owner_of_destination(ask);
    if (owner == WRN_SWITCH_HOST) {
        return WRN_SWITCH_HAIRPIN;
    }
    if (owner != WRN_SWITCH_UNKNOWN) {
        wrn_handle peer = wrn_switch_peer_of(sw, owner);
        if (wrn_handle_equal(peer, WRN_HANDLE_NONE)) {
            return WRN_SWITCH_CLOSED;
        }
        if (!permits(ask, peer, true)) {
            return WRN_SWITCH_PACKET;
        }
        wrn_switch_add(&sw->lanes[ask->lane].ports[owner].out, 1);
        ask->verdict->peers[0] = peer;
        ask->verdict->count = 1;
        ask->verdict->to = owner;
        ask->verdict->is_lasting = true;
        return WRN_SWITCH_NONE;
    }
    return flood(ask);
}

static enum wrn_switch_refusal flood(struct ask *ask) {
    struct wrn_switch *sw = ask->sw;
    struct wrn_switch_verdict *verdict = ask->verdict;
    struct wrn_switch_audience audience = wrn_switch_audience(sw, &ask->head, ask->now_s);
    struct wrn_ip target;
    bool is_refused = false, is_wanted = audience.is_all;
    if (audience.is_all && !may_flood(ask)) {
        return WRN_SWITCH_STORM;
    }
    uint32_t ports = atomic_load_explicit(&sw->ports_touched, memory_order_acquire);
    for (uint32_t port = 1; port < ports; port++) {
        wrn_handle peer = wrn_switch_peer_of(sw, port);
        if (wrn_handle_equal(peer, WRN_HANDLE_NONE) || !wrn_switch_wants(sw, &audience, port)) {
            continue;
        }
        is_wanted = true;
        if (!permits(ask, peer, true)) {
            is_refused = true;
            continue;
        }
        verdict->peers[verdict->count++] = peer;
    }
    if (verdict->count == 0) {
        return is_refused   ? WRN_SWITCH_PACKET
               : !is_wanted ? WRN_SWITCH_UNWANTED
                            : WRN_SWITCH_NO_MEMBER;
    }
    if (atomic_load_explicit(&sw->answers, memory_order_relaxed) &&
        ask->frame.size <= WRN_SWITCH_MADE_MAX && wrn_switch_is_question(&ask->head, &target)) {
        tell(ask, false);
        if (verdict->is_told) { /* the control thread answers it, or sends it on */
            verdict->count = 0;
            return WRN_SWITCH_NONE;
        }
    }
    for (uint32_t i = 0; i < verdict->count; i++) {
        uint32_t port = wrn_switch_port_of(sw, verdict->peers[i]);
        if (port != WRN_SWITCH_UNKNOWN) {
            wrn_switch_add(&sw->lanes[ask->lane].ports[port].out, 1);
        }
    }
    return WRN_SWITCH_NONE;
}

/* ---- to the host's side */

static enum wrn_switch_refusal send_to_host(struct ask *ask) {
    uint32_t owner = owner_of_destination(ask);
    if (owner == ask->port) {
        return WRN_SWITCH_HAIRPIN;
    }
    if (owner != WRN_SWITCH_UNKNOWN && owner != WRN_SWITCH_HOST) {
        return WRN_SWITCH_ELSEWHERE;
    }
    if (!permits(ask, ask->peer, false)) {
        return WRN_SWITCH_PACKET;
    }
    if (owner == WRN_SWITCH_UNKNOWN) {
        struct wrn_switch_audience audience = wrn_switch_audience(ask->sw, &ask->head, ask->now_s);
        if (!wrn_switch_wants(ask->sw, &audience, WRN_SWITCH_HOST) || !hears_reports(ask)) {
            return WRN_SWITCH_UNWANTED;
        }
        if (audience.is_all && !may_flood(ask)) {
            return WRN_SWITCH_STORM;
        }
    }
    wrn_switch_add(&ask->sw->lanes[ask->lane].ports[WRN_SWITCH_HOST].out, 1);
    ask->verdict->to = WRN_SWITCH_HOST;
    ask->verdict->is_lasting = owner == WRN_SWITCH_HOST;
    return WRN_SWITCH_NONE;
}

/* What others have joined is for routers; without a querier nothing is filtered. */
static bool hears_reports(const struct ask *ask) {
    const struct wrn_switch *sw = ask->sw;
    const struct wrn_switch_querier *querier =
        &sw->queriers[ask->head.family == WRN_FAMILY_IPV6][ask->head.vlan];
    return !wrn_switch_is_report(&ask->head) ||
           atomic_load_explicit(&querier->until_s, memory_order_relaxed) <= ask->now_s ||
           atomic_load_explicit(&sw->ports[WRN_SWITCH_HOST].router_until_s, memory_order_relaxed) >
               ask->now_s;
}

/* ---- helpers */

static bool is_dhcp(const struct wrn_switch_head *head) {
    return head->kind == WRN_SWITCH_DHCP_CLIENT || head->kind == WRN_SWITCH_DHCP_SERVER ||
           head->kind == WRN_SWITCH_ROUTER || head->kind == WRN_SWITCH_ROUTER_WANTED;
}

/* Whether there is more to learn than the source. */
static bool is_learned_from(const struct wrn_switch_head *head) {
    return head->kind >= WRN_SWITCH_ARP && head->kind <= WRN_SWITCH_PIM &&
           head->kind != WRN_SWITCH_ROUTER_WANTED;
}

/* Whether this host sends it to carry frames of members. */
static bool is_tunnel(const struct ask *ask) {
    return ask->port == WRN_SWITCH_HOST && ask->head.udp_source != 0 &&
           wrn_switch_mac_key(ask->head.source, ask->head.udp_source) ==
               atomic_load_explicit(&ask->sw->tunnel, memory_order_relaxed);
}

/* Takes one from the port's bucket of floods, or notes that there are too many. */
static bool may_flood(struct ask *ask) {
    struct wrn_switch_place *place = &ask->sw->ports[ask->port];
    uint64_t each_ns = atomic_load_explicit(&ask->sw->flood_each_ns, memory_order_relaxed);
    uint32_t burst = atomic_load_explicit(&ask->sw->flood_burst, memory_order_relaxed);
    ask->is_flood = true;
    if (each_ns == 0 || wrn_switch_take(&place->floods, ask->now, each_ns, burst)) {
        return true;
    }
    atomic_store_explicit(&place->has_stormed, true, memory_order_relaxed);
    tell(ask, true);
    return false;
}

static bool permits(const struct ask *ask, wrn_handle peer, bool is_out) {
    const struct wrn_switch_options *options = &ask->sw->options;
    return options->permits == NULL || ask->head.family == WRN_FAMILY_NONE ||
           options->permits(options->permits_ctx, ask->lane, peer, is_out, ask->now,
                            ask->head.body);
}

static uint32_t owner_of_destination(const struct ask *ask) {
    if (ask->head.is_group) {
        return WRN_SWITCH_UNKNOWN;
    }
    const struct wrn_switch_mac_entry *entry =
        wrn_switch_mac_find(ask->sw, ask->head.destination_key);
    return entry != NULL && !wrn_switch_mac_is_old(ask->sw, entry, ask->now_s)
               ? atomic_load_explicit(&entry->port, memory_order_acquire)
               : WRN_SWITCH_UNKNOWN;
}

/* Asks for the control thread's attention, within bounds: nobody can keep it busy. */
static void tell(struct ask *ask, bool is_refused) {
    struct wrn_switch_place *place = &ask->sw->ports[ask->port];
    if (!ask->verdict->is_told) {
        ask->verdict->is_told =
            is_refused
                ? wrn_switch_take(&place->refused, ask->now, TELL_REFUSED_NS, TELL_REFUSED_BURST)
                : wrn_switch_take(&place->tells, ask->now, TELL_NS, TELL_BURST);
    }
}

static void finish(struct ask *ask, enum wrn_switch_refusal refusal) {
    struct wrn_switch_counts *counts = &ask->sw->lanes[ask->lane].ports[ask->port];
    ask->verdict->refusal = (uint8_t)refusal;
    ask->verdict->from = ask->port;
    ask->verdict->is_lasting &= !ask->verdict->is_told; /* what is told of is told of each time */
    if (refusal != WRN_SWITCH_NONE) {
        ask->verdict->count = 0;
        wrn_switch_add(&counts->refused[refusal], 1);
        return;
    }
    wrn_switch_add(&counts->in, 1);
    wrn_switch_add(&counts->floods, ask->is_flood);
}
